//! Reads a sealed segment from its bytes.
//!
//! Opening checks header, trailer and footer. The index of a group is read when it is first needed, a column when it
//! is asked for; each checksum is checked before the bytes behind it are used. What charts keep is in `kept`.

use super::kept::Kept;
use crate::codec;
use crate::env::{Env, Region};
use crate::error::{Error, IoContext, Result};
use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::index::{AxisColumn, ColumnRef, GroupIndex};
use crate::format::segment::{Footer, SeriesRef, TRAILER_LEN, Trailer, decode_section};
use crate::format::{DecodeError, wire};
use crate::log::header_error;
use crate::types::{FileId, LogId, RunId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// An open segment. Its bytes stay readable while it lives, also when the file was removed.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    path: PathBuf,
    region: Region,
    file_id: FileId,
    run_id: RunId,
    footer: Footer,
    groups: Vec<OnceLock<Arc<GroupIndex>>>,
    axes: Mutex<KeptAxes>,
    kept: Kept,
}

/// Rows of steps and timestamps that an open segment keeps decoded at most: 4 MiB.
const MAX_KEPT_ROWS: u64 = 1 << 18;

/// Steps and timestamps of a chunk.
type Axis = (Vec<i64>, Vec<i64>);

/// Decoded chunks by group and number, and how many rows they have.
#[derive(Debug, Default)]
struct KeptAxes {
    chunks: HashMap<(usize, usize), Arc<Axis>>,
    rows: u64,
}

impl SegmentReader {
    pub(crate) fn open(env: &Env, path: &Path) -> Result<Self> {
        let file = env.fs.open(path).at(path, "open")?;
        Self::from_region(file.map().at(path, "map")?, path)
    }

    /// `region` is exactly the segment, wherever it lies; `path` is for messages.
    pub(crate) fn from_region(region: Region, path: &Path) -> Result<Self> {
        let header = Header::decode(&region, FileType::Segment).map_err(|error| header_error(path, error))?;
        let file_id = header.file_id;
        let len = region.len() as u64;
        let trailer_at = len.saturating_sub(TRAILER_LEN as u64).max(HEADER_LEN as u64);
        let at = |offset: u64| move |error: DecodeError| Error::corrupt(path, offset, error.to_string());
        let bytes = region.get(trailer_at as usize..).unwrap_or_default();
        let trailer = Trailer::decode(bytes, file_id).map_err(at(trailer_at))?;
        let footer_at = trailer.footer_offset;
        if footer_at.checked_add(u64::from(trailer.footer_len)) != Some(trailer_at) || footer_at < HEADER_LEN as u64 {
            return Err(Error::corrupt(path, trailer_at, "the footer does not end where the trailer begins"));
        }
        let section = region.get(footer_at as usize..trailer_at as usize).unwrap_or_default();
        let raw = decode_section(file_id, footer_at, section).map_err(at(footer_at))?;
        let footer = Footer::decode(&raw, HEADER_LEN as u64, footer_at).map_err(at(footer_at))?;
        let groups = footer.groups.iter().map(|_| OnceLock::new()).collect();
        let run_id = RunId::from_bytes(header.owner);
        Ok(Self {
            path: path.to_path_buf(),
            region,
            file_id,
            run_id,
            footer,
            groups,
            axes: Mutex::default(),
            kept: Kept::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn run_id(&self) -> RunId {
        self.run_id
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.region.len() as u64
    }

    /// The logs whose content it holds, in the order in which it lies here; the first is the smallest.
    pub(crate) fn logs(&self) -> &[LogId] {
        &self.footer.logs
    }

    /// The effort it was written with, as its number.
    pub(crate) fn level(&self) -> u8 {
        self.footer.level
    }

    /// Records about the run.
    pub(crate) fn meta(&self) -> &[u8] {
        &self.footer.meta
    }

    /// All metrics, sorted by name.
    pub(crate) fn series(&self) -> &[SeriesRef] {
        &self.footer.series
    }

    /// The metric of that name and its place in [`Self::series`].
    pub(crate) fn metric(&self, name: &str) -> Option<(usize, &SeriesRef)> {
        let place = self.footer.series.binary_search_by(|series| series.metric.as_str().cmp(name)).ok()?;
        Some((place, self.footer.series.get(place)?))
    }

    pub(crate) fn point_count(&self) -> u64 {
        self.footer.series.iter().fold(0, |sum, series| sum.saturating_add(series.stats.count))
    }

    /// How many rows of a group come from each of the logs.
    pub(crate) fn log_rows(&self, group: usize) -> &[u64] {
        self.footer.groups.get(group).map(|group| group.log_rows.as_slice()).unwrap_or_default()
    }

    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The index of a group. Cost: reading it once, then a pointer.
    pub(crate) fn group(&self, number: usize) -> Result<Arc<GroupIndex>> {
        let (Some(group), Some(slot)) = (self.footer.groups.get(number), self.groups.get(number)) else {
            return Err(Error::corrupt(&self.path, 0, "a metric names a group that does not exist"));
        };
        if let Some(index) = slot.get() {
            return Ok(Arc::clone(index));
        }
        let wrong = |error: DecodeError| Error::corrupt(&self.path, group.index_at, error.to_string());
        let bytes = self.bytes(group.index_at, u64::from(group.index_len))?;
        let raw = decode_section(self.file_id, group.index_at, bytes).map_err(wrong)?;
        let index = GroupIndex::decode(&raw, group.columns_at, group.index_at).map_err(wrong)?;
        if index.rows() != group.rows() {
            return Err(Error::corrupt(&self.path, group.index_at, "the group has another number of rows"));
        }
        Ok(Arc::clone(slot.get_or_init(|| Arc::new(index))))
    }

    /// The error for content that contradicts itself.
    pub(crate) fn damaged(&self, reason: &'static str) -> Error {
        Error::corrupt(&self.path, 0, reason)
    }

    /// What charts keep of it.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) fn bytes(&self, offset: u64, len: u64) -> Result<&[u8]> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(len)).ok());
        let bytes = range.and_then(|(start, end)| self.region.get(start..end));
        bytes.ok_or_else(|| Error::corrupt(&self.path, offset, "the segment ends before its content does"))
    }

    /// The bytes of a column, after a look at their checksum.
    pub(super) fn checked(&self, column: &ColumnRef) -> Result<&[u8]> {
        let bytes = self.bytes(column.offset, u64::from(column.len))?;
        if wire::crc(wire::crc_seed(&self.file_id.0, column.offset), bytes) != column.crc {
            return Err(Error::corrupt(&self.path, column.offset, "the checksum of a column does not match"));
        }
        Ok(bytes)
    }

    /// Appends steps and timestamps of a chunk of a group. What other metrics will ask for again is kept decoded.
    ///
    /// # Errors
    /// Damage; `steps` and `timestamps` may then have got a part.
    pub(crate) fn read_axis(
        &self,
        group: usize,
        index: &GroupIndex,
        chunk: usize,
        steps: &mut Vec<i64>,
        timestamps: &mut Vec<i64>,
    ) -> Result<()> {
        if index.series.len() > 1 && index.rows() <= MAX_KEPT_ROWS {
            let kept = self.kept_axis(group, index, chunk)?;
            steps.extend_from_slice(&kept.0);
            timestamps.extend_from_slice(&kept.1);
            return Ok(());
        }
        self.decode_axis(group, index, chunk, steps, timestamps)
    }

    fn decode_axis(
        &self,
        group: usize,
        index: &GroupIndex,
        chunk: usize,
        steps: &mut Vec<i64>,
        timestamps: &mut Vec<i64>,
    ) -> Result<()> {
        let Some(axis) = index.axis.get(chunk) else { return Err(self.damaged("a group has no such chunk")) };
        let starts = (steps.len(), timestamps.len());
        if index.sister > 0 {
            let sister = group.checked_sub(index.sister as usize);
            let sister = sister.ok_or_else(|| self.damaged("the sister of a group does not exist"))?;
            let sisters = self.group(sister)?;
            if sisters.sister > 0 || sisters.axis.get(chunk).is_none_or(|other| other.rows != axis.rows) {
                return Err(self.damaged("the sister of a group has other chunks or a sister itself"));
            }
            if sisters.rows() <= MAX_KEPT_ROWS {
                let kept = self.kept_axis(sister, &sisters, chunk)?;
                steps.extend_from_slice(&kept.0);
                timestamps.extend_from_slice(&kept.1);
            } else {
                self.decode_axis(sister, &sisters, chunk, steps, timestamps)?;
            }
        }
        self.read_axis_column(&axis.steps, axis.rows, index.sister > 0, starts.0, steps)?;
        self.read_axis_column(&axis.timestamps, axis.rows, index.sister > 0, starts.1, timestamps)
    }

    /// The decoded chunk, from those that are kept or to be kept from now on.
    fn kept_axis(&self, group: usize, index: &GroupIndex, chunk: usize) -> Result<Arc<Axis>> {
        let kept = || self.axes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(axis) = kept().chunks.get(&(group, chunk)) {
            return Ok(Arc::clone(axis));
        }
        let (mut steps, mut timestamps) = (Vec::new(), Vec::new());
        self.decode_axis(group, index, chunk, &mut steps, &mut timestamps)?;
        let axis = Arc::new((steps, timestamps));
        let mut kept = kept();
        kept.rows += axis.0.len() as u64;
        if kept.rows > MAX_KEPT_ROWS {
            // Whoever reads all metrics of a run goes from group to group: what was kept is not needed again.
            *kept = KeptAxes { chunks: HashMap::new(), rows: axis.0.len() as u64 };
        }
        kept.chunks.insert((group, chunk), Arc::clone(&axis));
        Ok(axis)
    }

    /// With a sister, its numbers lie in `out` from `start` on, and the column is added to them.
    fn read_axis_column(
        &self,
        axis: &AxisColumn,
        rows: u32,
        has_sister: bool,
        start: usize,
        out: &mut Vec<i64>,
    ) -> Result<()> {
        let Some(column) = &axis.column else { return Ok(()) };
        if !has_sister {
            return self.read_ints(column, rows, out);
        }
        let mut differences = Vec::new();
        self.read_ints(column, rows, &mut differences)?;
        let numbers = out.get_mut(start..).unwrap_or_default();
        numbers.iter_mut().zip(&differences).for_each(|(number, more)| *number = number.wrapping_add(*more));
        Ok(())
    }

    /// Appends the `rows` integers of a column of steps or timestamps, or of differences to a sister's.
    pub(crate) fn read_ints(&self, column: &ColumnRef, rows: u32, out: &mut Vec<i64>) -> Result<()> {
        let bytes = self.checked(column)?;
        let decoded = codec::decode_ints(column.codec, bytes, rows as usize, out);
        decoded.map_err(|error| Error::corrupt(&self.path, column.offset, error.to_string()))
    }

    /// Appends the `rows` values of a column.
    pub(crate) fn read_floats(&self, column: &ColumnRef, rows: u32, out: &mut Vec<f64>) -> Result<()> {
        let bytes = self.checked(column)?;
        let decoded = codec::decode_floats(column.codec, bytes, rows as usize, out);
        decoded.map_err(|error| Error::corrupt(&self.path, column.offset, error.to_string()))
    }
}
