//! Reads a sealed segment from its bytes.
//!
//! Opening checks header, trailer and footer. The index of a group is read when it is first needed, a column when it
//! is asked for; each checksum is checked before the bytes behind it are used, that of a column when it is first read.
//! What charts keep is in `kept`.

use super::bare::BareValues;
use super::kept::Kept;
use super::place::SegmentPlace;
use crate::codec;
use crate::env::sync::atomic::{AtomicU64, Ordering};
use crate::env::sync::{Mutex, PoisonError};
use crate::env::{Env, Region};
use crate::error::{Error, Result};
use crate::format::header::{FileType, HEADER_LEN, Header, HeaderError};
use crate::format::index::{AxisColumn, ColumnRef, GroupIndex, can_be_long};
use crate::format::segment::{Footer, GroupRef, SeriesRef, TRAILER_LEN, Trailer, decode_section, section_len};
use crate::format::{DecodeError, wire};
use crate::log::header_error;
use crate::types::{FileId, LogId, RunId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// An open segment. Its bytes stay readable while it lives, also when the file was removed.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    place: SegmentPlace,
    region: Region,
    file_id: FileId,
    run_id: RunId,
    footer: Footer,
    groups: Vec<OnceLock<OpenGroup>>,
    bare: BareValues,
    axes: Mutex<KeptAxes>,
    kept: Kept,
}

/// A group whose index was read.
#[derive(Debug)]
struct OpenGroup {
    index: Arc<GroupIndex>,
    /// A bit a column: whether its checksum was found right. First steps and timestamps of each chunk in turn, then
    /// the values of each metric.
    checked: Box<[AtomicU64]>,
}

impl OpenGroup {
    fn new(index: GroupIndex) -> Self {
        let columns = (2 + index.series) * index.axis.len();
        Self { index: Arc::new(index), checked: (0..columns.div_ceil(64)).map(|_| AtomicU64::new(0)).collect() }
    }
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
    pub(crate) fn open(env: &Env, place: &SegmentPlace) -> Result<Self> {
        Self::from_region(place.map(env)?, place)
    }

    /// `region` is exactly the segment, wherever it lies; `place` is for messages.
    pub(crate) fn from_region(region: Region, place: &SegmentPlace) -> Result<Self> {
        let header = Header::decode(&region, FileType::Segment).map_err(|error| match error {
            HeaderError::Damaged(error) => place.corrupt(0, error.to_string()),
            error => header_error(place.path(), error),
        })?;
        let file_id = header.file_id;
        let len = region.len() as u64;
        let trailer_at = len.saturating_sub(TRAILER_LEN as u64).max(HEADER_LEN as u64);
        let at = |offset: u64| move |error: DecodeError| place.corrupt(offset, error.to_string());
        let bytes = region.get(trailer_at as usize..).unwrap_or_default();
        let trailer = Trailer::decode(bytes, file_id).map_err(at(trailer_at))?;
        let footer_at = trailer.footer_offset;
        if footer_at.checked_add(u64::from(trailer.footer_len)) != Some(trailer_at) || footer_at < HEADER_LEN as u64 {
            return Err(place.corrupt(trailer_at, "the footer does not end where the trailer begins"));
        }
        let section = region.get(footer_at as usize..trailer_at as usize).unwrap_or_default();
        let raw = decode_section(file_id, footer_at, section).map_err(at(footer_at))?;
        let footer = Footer::decode(&raw, HEADER_LEN as u64, footer_at).map_err(at(footer_at))?;
        let run_id = RunId::from_bytes(header.owner);
        Ok(Self::with_footer(region, place.clone(), file_id, run_id, footer))
    }

    /// `footer` is that of the segment, and its groups lie within it.
    pub(super) fn with_footer(
        region: Region,
        place: SegmentPlace,
        file_id: FileId,
        run_id: RunId,
        footer: Footer,
    ) -> Self {
        let groups = footer.groups.iter().map(|_| OnceLock::new()).collect();
        let bare = BareValues::of(&footer, region.len() as u64);
        let (axes, kept) = (Mutex::default(), Kept::default());
        Self { place, region, file_id, run_id, footer, groups, bare, axes, kept }
    }

    pub(crate) fn place(&self) -> &SegmentPlace {
        &self.place
    }

    /// The file that it lies in.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
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

    /// Whether a group has neither columns nor an index: what is read of it comes from the footer.
    pub(crate) fn is_bare(&self, group: usize) -> bool {
        self.footer.groups.get(group).is_some_and(GroupRef::is_bare)
    }

    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The index of a group. Cost: reading it once, then a pointer.
    pub(crate) fn group(&self, number: usize) -> Result<Arc<GroupIndex>> {
        let (Some(group), Some(slot)) = (self.footer.groups.get(number), self.groups.get(number)) else {
            return Err(self.corrupt(0, "a metric names a group that does not exist"));
        };
        if let Some(opened) = slot.get() {
            return Ok(Arc::clone(&opened.index));
        }
        if group.is_bare() {
            let index = || OpenGroup::new(self.bare.index(number, &group.facts, self.file_id));
            return Ok(Arc::clone(&slot.get_or_init(index).index));
        }
        let wrong = |error: DecodeError| self.corrupt(group.index_at, error.to_string());
        let bytes = self.bytes(group.index_at, u64::from(group.index_len))?;
        if !can_be_long(section_len(bytes), group.index_at.saturating_sub(group.columns_at)) {
            return Err(self.corrupt(group.index_at, "the index is longer than its columns can need"));
        }
        let raw = decode_section(self.file_id, group.index_at, bytes).map_err(wrong)?;
        let index = GroupIndex::decode(&raw, group.columns_at, group.index_at).map_err(wrong)?;
        if index.rows() != group.rows() {
            return Err(self.corrupt(group.index_at, "the group has another number of rows"));
        }
        Ok(Arc::clone(&slot.get_or_init(|| OpenGroup::new(index)).index))
    }

    /// The error for damage at byte `offset` of the segment.
    pub(crate) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        self.place.corrupt(offset, reason)
    }

    /// The error for content that contradicts itself.
    pub(crate) fn damaged(&self, reason: &'static str) -> Error {
        self.corrupt(0, reason)
    }

    /// What charts keep of it.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) fn bytes(&self, offset: u64, len: u64) -> Result<&[u8]> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(len)).ok());
        let bytes = range.and_then(|(start, end)| self.region.get(start..end));
        bytes
            .or_else(|| self.bare.bytes(offset, len))
            .ok_or_else(|| self.corrupt(offset, "the segment ends before its content does"))
    }

    /// The bytes of a column, after a look at their checksum.
    pub(crate) fn checked(&self, column: &ColumnRef) -> Result<&[u8]> {
        let bytes = self.bytes(column.offset, u64::from(column.len))?;
        if wire::crc(wire::crc_seed(&self.file_id.0, column.offset), bytes) != column.crc {
            return Err(self.corrupt(column.offset, "the checksum of a column does not match"));
        }
        Ok(bytes)
    }

    /// Like [`Self::checked`], but looks at the checksum only the first time. `number`: which column of its group.
    fn checked_once(&self, group: usize, number: usize, column: &ColumnRef) -> Result<&[u8]> {
        let opened = self.groups.get(group).and_then(OnceLock::get);
        let word = opened.and_then(|opened| opened.checked.get(number / 64));
        let bit = 1 << (number % 64);
        // Neither the file nor the mapping changes, so that nothing else has to be seen together with the bit.
        if word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0) {
            return self.bytes(column.offset, u64::from(column.len));
        }
        let bytes = self.checked(column)?;
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// Appends steps and timestamps of a chunk of a group, after another look at their checksums: compaction drops what
    /// it has read.
    ///
    /// # Errors
    /// As [`Self::fill_axis`]; `steps` and `timestamps` may then have got anything.
    pub(crate) fn read_axis(
        &self,
        group: usize,
        index: &GroupIndex,
        chunk: usize,
        steps: &mut Vec<i64>,
        timestamps: &mut Vec<i64>,
    ) -> Result<()> {
        let Some(axis) = index.axis.get(chunk) else { return Err(self.damaged("a group has no such chunk")) };
        for column in [&axis.steps.column, &axis.timestamps.column].into_iter().flatten() {
            self.checked(column)?;
        }
        let starts = (steps.len(), timestamps.len());
        steps.resize(starts.0 + axis.rows as usize, 0);
        timestamps.resize(starts.1 + axis.rows as usize, 0);
        let slots = (steps.get_mut(starts.0..), timestamps.get_mut(starts.1..));
        self.fill_axis(group, index, chunk, slots.0.unwrap_or_default(), slots.1.unwrap_or_default())
    }

    /// Fills both with steps and timestamps of a chunk of a group, of which they have the length. What other metrics
    /// will ask for again is kept decoded.
    ///
    /// # Errors
    /// Damage; `steps` and `timestamps` then hold anything.
    pub(crate) fn fill_axis(
        &self,
        group: usize,
        index: &GroupIndex,
        chunk: usize,
        steps: &mut [i64],
        timestamps: &mut [i64],
    ) -> Result<()> {
        if index.series > 1 && index.rows() <= MAX_KEPT_ROWS {
            let kept = self.kept_axis(group, index, chunk)?;
            return self.copy_axis(&kept, steps, timestamps);
        }
        self.decode_axis(group, index, chunk, steps, timestamps)
    }

    fn copy_axis(&self, kept: &Axis, steps: &mut [i64], timestamps: &mut [i64]) -> Result<()> {
        if (kept.0.len(), kept.1.len()) != (steps.len(), timestamps.len()) {
            return Err(self.damaged("the rows of a group have no steps and timestamps"));
        }
        steps.copy_from_slice(&kept.0);
        timestamps.copy_from_slice(&kept.1);
        Ok(())
    }

    fn decode_axis(
        &self,
        group: usize,
        index: &GroupIndex,
        chunk: usize,
        steps: &mut [i64],
        timestamps: &mut [i64],
    ) -> Result<()> {
        let Some(axis) = index.axis.get(chunk) else { return Err(self.damaged("a group has no such chunk")) };
        if index.sister == 0 {
            self.fill_axis_column(group, 2 * chunk, &axis.steps, None, steps)?;
            return self.fill_axis_column(group, 2 * chunk + 1, &axis.timestamps, None, timestamps);
        }
        let sister = group.checked_sub(index.sister as usize);
        let sister = sister.ok_or_else(|| self.damaged("the sister of a group does not exist"))?;
        let sisters = self.group(sister)?;
        if sisters.sister > 0 || sisters.axis.get(chunk).is_none_or(|other| other.rows != axis.rows) {
            return Err(self.damaged("the sister of a group has other chunks or a sister itself"));
        }
        let theirs = if sisters.rows() <= MAX_KEPT_ROWS {
            self.kept_axis(sister, &sisters, chunk)?
        } else {
            Arc::new(self.decoded_axis(sister, &sisters, chunk)?)
        };
        self.fill_axis_column(group, 2 * chunk, &axis.steps, Some(&theirs.0), steps)?;
        self.fill_axis_column(group, 2 * chunk + 1, &axis.timestamps, Some(&theirs.1), timestamps)
    }

    fn decoded_axis(&self, group: usize, index: &GroupIndex, chunk: usize) -> Result<Axis> {
        let rows = index.axis.get(chunk).map_or(0, |axis| axis.rows as usize);
        let (mut steps, mut timestamps) = (vec![0; rows], vec![0; rows]);
        self.decode_axis(group, index, chunk, &mut steps, &mut timestamps)?;
        Ok((steps, timestamps))
    }

    /// The decoded chunk, from those that are kept or to be kept from now on.
    fn kept_axis(&self, group: usize, index: &GroupIndex, chunk: usize) -> Result<Arc<Axis>> {
        let kept = || self.axes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(axis) = kept().chunks.get(&(group, chunk)) {
            return Ok(Arc::clone(axis));
        }
        let axis = Arc::new(self.decoded_axis(group, index, chunk)?);
        let mut kept = kept();
        kept.rows += axis.0.len() as u64;
        if kept.rows > MAX_KEPT_ROWS {
            // Whoever reads all metrics of a run goes from group to group: what was kept is not needed again.
            *kept = KeptAxes { chunks: HashMap::new(), rows: axis.0.len() as u64 };
        }
        kept.chunks.insert((group, chunk), Arc::clone(&axis));
        Ok(axis)
    }

    /// Of a group with a sister the column holds differences to `sisters`, or there is none if they are all 0.
    fn fill_axis_column(
        &self,
        group: usize,
        number: usize,
        axis: &AxisColumn,
        sisters: Option<&[i64]>,
        out: &mut [i64],
    ) -> Result<()> {
        let sisters = match (&axis.column, sisters) {
            (Some(column), sisters) => {
                let decoded = codec::fill_ints(column.codec, self.checked_once(group, number, column)?, out);
                decoded.map_err(|error| self.corrupt(column.offset, error.to_string()))?;
                sisters.unwrap_or_default()
            }
            (None, Some(sisters)) => {
                out.fill(0);
                sisters
            }
            (None, None) if axis.min == axis.max => {
                out.fill(axis.min);
                &[]
            }
            (None, None) => return Err(self.damaged("the rows of a group have no steps or timestamps")),
        };
        out.iter_mut().zip(sisters).for_each(|(number, more)| *number = number.wrapping_add(*more));
        Ok(())
    }

    /// Fills `out` with the values of a chunk of the metric at `position` of a group, of which it has the length.
    pub(crate) fn fill_values(
        &self,
        group: usize,
        index: &GroupIndex,
        position: usize,
        chunk: usize,
        out: &mut [f64],
    ) -> Result<()> {
        let column = index.column(position, chunk).ok_or_else(|| self.damaged("a metric has no place in its group"))?;
        let bytes = self.checked_once(group, (2 + position) * index.axis.len() + chunk, column)?;
        let decoded = codec::fill_floats(column.codec, bytes, out);
        decoded.map_err(|error| self.corrupt(column.offset, error.to_string()))
    }

    /// Appends the `rows` integers of a column of steps or timestamps, or of differences to a sister's.
    pub(crate) fn read_ints(&self, column: &ColumnRef, rows: u32, out: &mut Vec<i64>) -> Result<()> {
        let bytes = self.checked(column)?;
        let decoded = codec::decode_ints(column.codec, bytes, rows as usize, out);
        decoded.map_err(|error| self.corrupt(column.offset, error.to_string()))
    }

    /// Appends the `rows` values of a column.
    pub(crate) fn read_floats(&self, column: &ColumnRef, rows: u32, out: &mut Vec<f64>) -> Result<()> {
        let bytes = self.checked(column)?;
        let decoded = codec::decode_floats(column.codec, bytes, rows as usize, out);
        decoded.map_err(|error| self.corrupt(column.offset, error.to_string()))
    }
}
