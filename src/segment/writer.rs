//! Writes one segment, front to back: groups, footer, trailer; then makes it durable, then gives it its name.

use super::count::{ChunkAxis, ChunkColumn};
use crate::codec::{self, CodecId, Effort};
use crate::env::{Env, File};
use crate::error::{Error, IoContext, Result};
use crate::format::header::{HEADER_LEN, Header};
use crate::format::index::{AxisChunk, AxisColumn, ColumnRef, GroupIndex};
use crate::format::segment::{Footer, GroupRef, SeriesRef, Trailer, encode_section};
use crate::format::stats::AxisFacts;
use crate::format::wire;
use crate::types::{FileId, LogId, RunId, Stats};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes are handed to the system in pieces of this length.
const BUFFER_BYTES: usize = 1 << 20;

/// What a finished segment is about, before it has a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// The logs whose content it holds, in the order in which it lies here; the first is the smallest.
    pub(crate) logs: Vec<LogId>,
    /// Records about the run.
    pub(crate) meta: Vec<u8>,
}

/// The file of a segment in the making. Dropped before it has its name, it is removed.
#[derive(Debug)]
struct Output {
    env: Env,
    path: PathBuf,
    temporary: PathBuf,
    file: Arc<dyn File>,
    named: bool,
}

/// A segment in the making. Dropped before [`Self::finish`], it leaves a temporary file that is removed at once.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    /// Without one the whole segment stays in memory.
    output: Option<Output>,
    file_id: FileId,
    effort: Effort,
    buffer: Vec<u8>,
    /// File offset of the first byte of `buffer`.
    buffer_at: u64,
    group: GroupIndex,
    /// What the current group's axis is like so far.
    facts: AxisFacts,
    group_at: u64,
    run_id: RunId,
    /// Whether a group so far is bare.
    has_bare: bool,
    groups: Vec<GroupRef>,
    series: Vec<SeriesRef>,
    /// The metric whose values are being pushed, and its statistics so far.
    current: Option<(String, Stats)>,
}

impl SegmentWriter {
    /// Begins the segment that will be `path`.
    pub(crate) fn create(env: &Env, path: &Path, run_id: RunId, effort: Effort) -> Result<Self> {
        let temporary = path.with_extension("seg-new");
        let file = env.fs.create_new(&temporary).at(&temporary, "create")?;
        let output = Output { env: env.clone(), path: path.to_path_buf(), temporary, file, named: false };
        Ok(Self { output: Some(output), ..Self::in_memory(env, run_id, effort) })
    }

    /// Begins a small segment that will lie in a pack.
    pub(crate) fn in_memory(env: &Env, run_id: RunId, effort: Effort) -> Self {
        let file_id = FileId(env.clock.random_id());
        let header = Header::of_segment(file_id, *run_id.as_bytes(), false);
        Self {
            output: None,
            file_id,
            effort,
            buffer: header.encode().to_vec(),
            buffer_at: 0,
            group: GroupIndex::default(),
            facts: AxisFacts::default(),
            group_at: HEADER_LEN as u64,
            run_id,
            has_bare: false,
            groups: Vec::new(),
            series: Vec::new(),
            current: None,
        }
    }

    fn at(&self) -> u64 {
        self.buffer_at + self.buffer.len() as u64
    }

    fn spill(&mut self) -> Result<()> {
        let Some(output) = &self.output else { return Ok(()) };
        output.file.write_at(&self.buffer, self.buffer_at).at(&output.temporary, "write")?;
        self.buffer_at = self.at();
        self.buffer.clear();
        Ok(())
    }

    /// Adds a column whose bytes `encode` appends.
    fn column(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> CodecId) -> Result<ColumnRef> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.spill()?;
        }
        let (offset, start) = (self.at(), self.buffer.len());
        let codec = encode(&mut self.buffer);
        let bytes = self.buffer.get(start..).unwrap_or_default();
        let crc = wire::crc(wire::crc_seed(&self.file_id.0, offset), bytes);
        Ok(ColumnRef { offset, len: bytes.len() as u32, crc, codec })
    }

    /// Number that the current group will have.
    pub(crate) fn group_number(&self) -> u32 {
        self.groups.len() as u32
    }

    /// Makes group number `sister`, written before with the same chunks, the sister of the current one, which has none
    /// yet.
    pub(crate) fn set_sister(&mut self, sister: u32) {
        self.group.sister = self.group_number().saturating_sub(sister);
    }

    /// Adds the next chunk of the current group's axis. All of the axis comes before the first values. `beside`: steps
    /// and timestamps of the sister's chunk, of the same length, if there is a sister.
    pub(crate) fn push_axis(&mut self, axis: &ChunkAxis<'_>, beside: Option<(&[i64], &[i64])>) -> Result<()> {
        let rows = axis.steps.values.len() as u32;
        let steps = self.axis_column(&axis.steps, beside.map(|beside| beside.0))?;
        let timestamps = self.axis_column(&axis.timestamps, beside.map(|beside| beside.1))?;
        let chunk = AxisChunk { rows, steps, timestamps };
        self.facts.merge(&chunk.facts());
        self.group.axis.push(chunk);
        Ok(())
    }

    fn axis_column(&mut self, numbers: &ChunkColumn<'_>, beside: Option<&[i64]>) -> Result<AxisColumn> {
        let ChunkColumn { values, min, max, sorted } = *numbers;
        let effort = self.effort;
        let column = match beside {
            Some(beside) if beside == values => None,
            Some(beside) => {
                let differences = differences(values, beside);
                Some(self.column(|out| codec::encode_ints(&differences, effort, out))?)
            }
            None => Some(self.column(|out| codec::encode_ints(values, effort, out))?),
        };
        let (first, last) = (values.first().copied().unwrap_or(0), values.last().copied().unwrap_or(0));
        Ok(AxisColumn { column, min, max, first, last, sorted })
    }

    /// Begins the values of a metric of the current group.
    pub(crate) fn begin_series(&mut self, metric: &str) {
        self.end_series();
        self.current = Some((metric.to_owned(), Stats::default()));
        self.group.series += 1;
    }

    /// Adds the values of the next chunk of the current metric, with their statistics.
    pub(crate) fn push_values(&mut self, values: &[f64], stats: &Stats) -> Result<()> {
        let effort = self.effort;
        let column = self.column(|out| codec::encode_floats(values, effort, out))?;
        if let Some((_, total)) = &mut self.current {
            total.merge(stats);
        }
        self.group.columns.push(column);
        if self.group.axis.len() > 1 {
            self.group.stats.push(*stats);
        }
        Ok(())
    }

    fn end_series(&mut self) {
        if let Some((metric, stats)) = self.current.take() {
            let position = self.group.series as u32 - 1;
            self.series.push(SeriesRef { metric, group: self.groups.len() as u32, position, stats });
        }
    }

    /// Ends the current group: writes its index. `log_rows`: how many rows come from each log, in the order in which
    /// [`Self::finish`] will name them.
    pub(crate) fn end_group(&mut self, log_rows: Vec<u64>) -> Result<()> {
        self.end_series();
        let (group, facts) = (std::mem::take(&mut self.group), std::mem::take(&mut self.facts));
        // Of one row the footer says all. Columns that have left the buffer stay, with their index.
        if facts.rows == 1
            && let Some(start) = self.group_at.checked_sub(self.buffer_at)
        {
            self.buffer.truncate(start as usize);
            self.has_bare = true;
            let at = self.group_at;
            self.groups.push(GroupRef { columns_at: at, index_at: at, index_len: 0, log_rows, facts });
            return Ok(());
        }
        let index_at = self.at();
        let section = encode_section(self.file_id, index_at, &group.encode());
        self.buffer.extend_from_slice(&section);
        let index_len = section.len() as u32;
        self.groups.push(GroupRef { columns_at: self.group_at, index_at, index_len, log_rows, facts });
        self.group_at = self.at();
        Ok(())
    }

    /// Writes the header anew if it did not know of bare groups; appends footer and trailer.
    fn end(&mut self, written: Written) -> Result<()> {
        if self.has_bare {
            let header = Header::of_segment(self.file_id, *self.run_id.as_bytes(), true).encode();
            match (&self.output, self.buffer.get_mut(..HEADER_LEN)) {
                (_, Some(start)) if self.buffer_at == 0 => start.copy_from_slice(&header),
                (Some(output), _) => output.file.write_at(&header, 0).at(&output.temporary, "write")?,
                (None, _) => {}
            }
        }
        let footer_offset = self.at();
        let mut series = std::mem::take(&mut self.series);
        series.sort_by(|a, b| a.metric.cmp(&b.metric));
        let level = self.effort as u8;
        let footer =
            Footer { level, logs: written.logs, meta: written.meta, groups: std::mem::take(&mut self.groups), series };
        let section = encode_section(self.file_id, footer_offset, &footer.encode());
        self.buffer.extend_from_slice(&section);
        let trailer = Trailer { footer_offset, footer_len: section.len() as u32 };
        self.buffer.extend_from_slice(&trailer.encode(self.file_id));
        Ok(())
    }

    /// Writes footer and trailer, makes the file durable, names it, and makes the name durable.
    pub(crate) fn finish(mut self, written: Written) -> Result<PathBuf> {
        self.end(written)?;
        self.spill()?;
        let Some(output) = &mut self.output else {
            return Err(Error::invalid("segment", "it was begun in memory and has no file"));
        };
        output.file.sync().at(&output.temporary, "sync")?;
        output.env.fs.rename(&output.temporary, &output.path).at(&output.path, "name")?;
        output.named = true;
        if let Some(dir) = output.path.parent() {
            output.env.fs.sync_dir(dir).at(dir, "sync")?;
        }
        Ok(output.path.clone())
    }

    /// The bytes of a segment that was begun in memory.
    pub(crate) fn into_bytes(mut self, written: Written) -> Result<Vec<u8>> {
        self.end(written)?;
        Ok(std::mem::take(&mut self.buffer))
    }
}

/// Whether a chunk takes fewer bytes as differences to the numbers beside it.
pub(crate) fn is_shorter_beside(values: &[i64], beside: &[i64]) -> bool {
    let len = |values: &[i64]| {
        let mut bytes = Vec::new();
        codec::encode_ints(values, Effort::Compact, &mut bytes);
        bytes.len()
    };
    len(&differences(values, beside)) < len(values)
}

/// How far `values` lie above the numbers beside them.
fn differences(values: &[i64], beside: &[i64]) -> Vec<i64> {
    values.iter().zip(beside).map(|(value, beside)| value.wrapping_sub(*beside)).collect()
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.named {
            // An unfinished segment has no reader; if even this fails, opening the store sweeps it up.
            let _ = self.env.fs.remove_file(&self.temporary);
        }
    }
}
