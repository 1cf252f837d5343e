//! The index of one group of a segment: where its columns are and what they hold.
//!
//! A *group* is a set of metrics that were logged in exactly the same calls: one *axis* (steps and timestamps), cut
//! into chunks, and one column of values a metric, cut at the same rows. The columns of a group lie one after the
//! other: steps and timestamps of each chunk in turn, then the values of the first metric, chunk by chunk, then of
//! the second, and so on; offsets follow from the lengths.
//!
//! ```text
//! chunk count varint, series count varint, sister varint (0 = none, k = the group k places before this one)
//! for each chunk: rows varint
//!                 steps: flags u8 (1 = never falls, 2 = no column: the numbers are the sister's)
//!                        column unless flag 2; smallest zigzag, largest minus smallest varint;
//!                        without flag 1: first minus smallest varint, last minus smallest varint
//!                 timestamps: the same
//! for each series, for each chunk: values column, then its statistics (stats.rs) unless there is one chunk only
//! column: codec u8, length varint, crc u32 (seeded with file id and the column's offset)
//! ```
//!
//! A *sister* is an earlier group of the segment with the same chunks, and with no sister itself: metrics that were
//! logged one by one have the same steps and nearly the same timestamps. A column of steps or timestamps of a group
//! with a sister holds differences to the sister's numbers.

use super::stats::{AxisFacts, flag, put_stats, take_stats};
use super::wire::{Decoded, Reader, put_varint, put_zigzag};
use crate::codec::CodecId;
use crate::limits;
use crate::types::Stats;

const SORTED: u8 = 1;
const AS_SISTER: u8 = 2;

/// A column of one chunk, by place and form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRef {
    /// From the start of the segment. Not stored: it follows from the lengths before it.
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) codec: CodecId,
}

/// A column of integers with its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AxisColumn {
    /// `None` when the numbers are those of the sister.
    pub(crate) column: Option<ColumnRef>,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// True when no number is smaller than the one before it in the chunk.
    pub(crate) sorted: bool,
}

/// Steps and timestamps of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AxisChunk {
    pub(crate) rows: u32,
    pub(crate) steps: AxisColumn,
    pub(crate) timestamps: AxisColumn,
}

impl AxisChunk {
    pub(crate) fn facts(&self) -> AxisFacts {
        let (steps, timestamps) = (&self.steps, &self.timestamps);
        AxisFacts {
            rows: u64::from(self.rows),
            first: (steps.first, timestamps.first),
            last: (steps.last, timestamps.last),
            steps: (steps.min, steps.max),
            timestamps: (timestamps.min, timestamps.max),
        }
    }

    /// First number of one of its columns and the distance of the following ones, where the index says that it is the
    /// same everywhere.
    pub(crate) fn even(&self, axis: &AxisColumn, sister: u32) -> Option<(i64, i64)> {
        let is_even = axis.min == axis.max || axis.column.is_some_and(|column| column.codec == CodecId::Stride);
        if !is_even || !axis.sorted || (sister > 0 && axis.min != axis.max) {
            return None;
        }
        let distances = i128::from(self.rows).max(2) - 1;
        let stride = (i128::from(axis.last) - i128::from(axis.first)) / distances;
        Some((axis.first, i64::try_from(stride).ok()?))
    }
}

/// All columns of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupIndex {
    /// How many places before this group its sister is; 0 when it has none.
    pub(crate) sister: u32,
    pub(crate) axis: Vec<AxisChunk>,
    /// How many series the group has.
    pub(crate) series: usize,
    /// Columns of values: of the first series chunk by chunk, then of the second, and so on.
    pub(crate) columns: Vec<ColumnRef>,
    /// The statistics of each of them. None when the group has one chunk: the footer has the same numbers, and most
    /// groups of a short run are so.
    pub(crate) stats: Vec<Stats>,
}

/// An index in memory is at most about so many times as long as its section: a column with its statistics takes some 260
/// bytes there and at least 16 in the section, one without 24 and at least 6.
#[cfg(test)]
const MAX_GROWTH: usize = 20;

/// Length of a column's entry at least.
const MIN_COLUMN: usize = 6;
/// Length of the statistics of a chunk at least: those of nothing but NaN.
const MIN_STATS: usize = 10;
/// Length of the rest of a chunk's entry at least: rows, steps and timestamps of a group with a sister.
const MIN_AXIS: usize = 7;
/// A column takes a byte at least, and so much of an index at most, with all that belongs to it.
const MAX_ENTRY: u64 = 256;

/// Whether an index of this length can be that of a group whose columns have so many bytes: looked at before memory is
/// taken for what a compressed section promises.
pub(crate) fn can_be_long(index_len: u64, columns_len: u64) -> bool {
    index_len <= columns_len.saturating_add(1).saturating_mul(MAX_ENTRY)
}

fn put_column(out: &mut Vec<u8>, column: &ColumnRef) {
    out.push(column.codec as u8);
    put_varint(out, u64::from(column.len));
    out.extend_from_slice(&column.crc.to_le_bytes());
}

fn put_axis(out: &mut Vec<u8>, axis: &AxisColumn) {
    out.push(flag(axis.sorted, SORTED) | flag(axis.column.is_none(), AS_SISTER));
    if let Some(column) = &axis.column {
        put_column(out, column);
    }
    put_zigzag(out, axis.min);
    put_varint(out, axis.max.wrapping_sub(axis.min) as u64);
    if !axis.sorted {
        put_varint(out, axis.first.wrapping_sub(axis.min) as u64);
        put_varint(out, axis.last.wrapping_sub(axis.min) as u64);
    }
}

/// Gives each column its place as the lengths come in.
struct Layout {
    next: u64,
    end: u64,
}

impl Layout {
    fn take_column(&mut self, reader: &mut Reader<'_>) -> Decoded<ColumnRef> {
        let id = reader.u8("codec")?;
        let codec = CodecId::from_u8(id).ok_or_else(|| reader.error("codec", "its id is unknown"))?;
        let len = reader.varint("column length")?;
        let offset = self.next;
        self.next = self.next.saturating_add(len);
        let len = u32::try_from(len).ok().filter(|_| self.next <= self.end);
        let len = len.ok_or_else(|| reader.error("column length", "the column is longer than its segment"))?;
        if len == 0 {
            return Err(reader.error("column length", "the column is empty"));
        }
        Ok(ColumnRef { offset, len, crc: reader.u32("column checksum")?, codec })
    }

    fn take_axis(&mut self, reader: &mut Reader<'_>, has_sister: bool) -> Decoded<AxisColumn> {
        let flags = reader.u8("axis flags")?;
        if flags & !(SORTED | AS_SISTER) != 0 || (flags & AS_SISTER != 0 && !has_sister) {
            return Err(reader.error("axis flags", "a flag is unknown or needs a sister"));
        }
        let column = if flags & AS_SISTER == 0 { Some(self.take_column(reader)?) } else { None };
        let min = reader.zigzag("smallest number")?;
        let range = reader.varint("range")?;
        let max = min.wrapping_add(range as i64);
        if max < min {
            return Err(reader.error("range", "it is negative"));
        }
        let sorted = flags & SORTED != 0;
        if sorted {
            return Ok(AxisColumn { column, min, max, first: min, last: max, sorted });
        }
        let (first, last) = (reader.varint("first number")?, reader.varint("last number")?);
        if first > range || last > range {
            return Err(reader.error("first or last number", "it is beyond the range"));
        }
        let (first, last) = (min.wrapping_add(first as i64), min.wrapping_add(last as i64));
        Ok(AxisColumn { column, min, max, first, last, sorted })
    }
}

impl GroupIndex {
    /// Rows of the whole group.
    pub(crate) fn rows(&self) -> u64 {
        self.axis.iter().map(|chunk| u64::from(chunk.rows)).sum()
    }

    /// The columns of values of a series; none when there is no such series.
    pub(crate) fn columns_of(&self, position: usize) -> &[ColumnRef] {
        let chunks = self.axis.len();
        self.columns.chunks(chunks.max(1)).nth(position).unwrap_or_default()
    }

    /// The column of values of a series in a chunk.
    pub(crate) fn column(&self, position: usize, chunk: usize) -> Option<&ColumnRef> {
        self.columns_of(position).get(chunk)
    }

    /// The statistics of the chunks of a series; none of a single chunk.
    pub(crate) fn stats_of(&self, position: usize) -> &[Stats] {
        self.stats.chunks(self.axis.len().max(1)).nth(position).unwrap_or_default()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.axis.len() as u64);
        put_varint(&mut out, self.series as u64);
        put_varint(&mut out, u64::from(self.sister));
        for chunk in &self.axis {
            put_varint(&mut out, u64::from(chunk.rows));
            put_axis(&mut out, &chunk.steps);
            put_axis(&mut out, &chunk.timestamps);
        }
        let mut stats = self.stats.iter();
        for (column, axis) in self.columns.iter().zip(self.axis.iter().cycle()) {
            put_column(&mut out, column);
            if let Some(stats) = stats.next() {
                put_stats(&mut out, &axis.facts(), stats);
            }
        }
        out
    }

    /// `start` is where the group's columns begin, `end` where they must have ended.
    pub(crate) fn decode(bytes: &[u8], start: u64, end: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let mut layout = Layout { next: start, end };
        let chunks = reader.count(usize::MAX, 9, "chunk count")?;
        let series = reader.count(limits::MAX_METRICS_PER_RUN, 1, "series count")?;
        let of_column = if chunks > 1 { MIN_COLUMN + MIN_STATS } else { MIN_COLUMN };
        let least = series.saturating_mul(of_column).saturating_add(MIN_AXIS).saturating_mul(chunks);
        if chunks == 0 || series == 0 || least > reader.remaining() {
            return Err(reader.error("group", "its counts do not fit its length"));
        }
        let sister = reader.varint("sister")?;
        let sister = u32::try_from(sister).map_err(|_| reader.error("sister", "there are not so many groups"))?;
        let mut axis = Vec::with_capacity(chunks);
        for _ in 0..chunks {
            let rows = reader.count(limits::MAX_CHUNK_ROWS, 0, "chunk rows")? as u32;
            if rows == 0 {
                return Err(reader.error("chunk rows", "a chunk has no row"));
            }
            axis.push(AxisChunk {
                rows,
                steps: layout.take_axis(&mut reader, sister > 0)?,
                timestamps: layout.take_axis(&mut reader, sister > 0)?,
            });
        }
        let mut columns = Vec::with_capacity(series * chunks);
        let mut stats = Vec::with_capacity(if chunks > 1 { series * chunks } else { 0 });
        for _ in 0..series {
            for chunk in &axis {
                columns.push(layout.take_column(&mut reader)?);
                if chunks > 1 {
                    stats.push(take_stats(&mut reader, &chunk.facts())?);
                }
            }
        }
        if layout.next != end {
            return Err(reader.error("group", "its columns do not end where its index begins"));
        }
        reader.finish("group index")?;
        Ok(Self { sister, axis, series, columns, stats })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::types::Point;
    use proptest::prelude::*;

    fn index(rows: &[u32], series: usize, sister: u32) -> GroupIndex {
        let mut next = 64;
        let mut column = |len: u32| {
            let column = ColumnRef { offset: next, len, crc: len ^ 0x55aa, codec: CodecId::Raw };
            next += u64::from(len);
            column
        };
        let axis = rows.iter().map(|rows| {
            let (min, max) = (-5, i64::MAX - 9);
            let steps = AxisColumn { column: Some(column(*rows)), min, max, first: min, last: max, sorted: true };
            let timestamps = if sister > 0 { None } else { Some(column(8)) };
            let (min, max) = (i64::MIN, i64::MAX);
            let timestamps = AxisColumn { column: timestamps, min, max, first: 7, last: -3, sorted: false };
            AxisChunk { rows: *rows, steps, timestamps }
        });
        let axis: Vec<_> = axis.collect();
        let stats = |rows: u32| {
            let mut stats = Stats::default();
            stats.push(Point::new(-5, 7, 0.1));
            (2..rows).for_each(|i| stats.push(Point::new(i64::from(i), i64::MIN, f64::from(i))));
            stats.push(Point::new(i64::MAX - 9, -3, f64::NAN));
            stats.time_range = Some((i64::MIN, i64::MAX));
            stats
        };
        let chunks = || (0..series).flat_map(|_| rows.iter());
        let columns = chunks().map(|_| column(4)).collect();
        let stats = if axis.len() > 1 { chunks().map(|rows| stats(*rows)).collect() } else { Vec::new() };
        GroupIndex { sister, axis, series, columns, stats }
    }

    fn memory(index: &GroupIndex) -> usize {
        index.axis.capacity() * size_of::<AxisChunk>()
            + index.columns.capacity() * size_of::<ColumnRef>()
            + index.stats.capacity() * size_of::<Stats>()
    }

    /// An index with valid checksums and the shortest entries that there are took 50 times its length.
    #[test]
    fn an_index_takes_a_small_multiple_of_its_length_whatever_its_counts() {
        let mut nan = Stats::default();
        nan.push(Point::new(0, 0, f64::from(f32::NAN)));
        for (chunks, series, sister) in [(1, 5000, 0), (5000, 1, 1), (70, 70, 1), (2, 3000, 0), (1, 1, 0)] {
            let mut next = 64;
            let mut column = || {
                next += 1;
                ColumnRef { offset: next - 1, len: 1, crc: 7, codec: CodecId::Constant }
            };
            let mut numbers = || {
                let column = if sister > 0 { None } else { Some(column()) };
                AxisColumn { column, min: 0, max: 0, first: 0, last: 0, sorted: true }
            };
            let axis = (0..chunks).map(|_| AxisChunk { rows: 1, steps: numbers(), timestamps: numbers() }).collect();
            let columns = (0..chunks * series).map(|_| column()).collect();
            let stats = if chunks > 1 { vec![nan; chunks * series] } else { Vec::new() };
            let index = GroupIndex { sister, axis, series, columns, stats };
            let bytes = index.encode();
            let read = GroupIndex::decode(&bytes, 64, next).unwrap();
            assert_eq!(read.columns, index.columns);
            assert!(memory(&read) <= MAX_GROWTH * bytes.len(), "{} of {} bytes", memory(&read), bytes.len());
            assert!(can_be_long(bytes.len() as u64, next - 64));
            // Counts that the length cannot hold are refused before memory is taken for them.
            for cut in [bytes.len() / 2, bytes.len() - 1] {
                assert!(GroupIndex::decode(&bytes[..cut], 64, next).is_err());
            }
        }
        assert!(!can_be_long(1 << 20, 1 << 10));
    }

    #[test]
    fn an_index_comes_back_with_offsets_from_its_lengths() {
        for (rows, series, sister) in [(vec![2], 1, 0), (vec![3, 9, 2], 4, 0), (vec![3, 9, 2], 1, 2)] {
            let index = index(&rows, series, sister);
            let bytes = index.encode();
            let last = *index.columns.last().unwrap();
            let end = last.offset + u64::from(last.len);
            // As text, since NaN differs from itself.
            assert_eq!(format!("{:?}", GroupIndex::decode(&bytes, 64, end).unwrap()), format!("{index:?}"));
            for wrong in [70, end - 1, end + 1] {
                assert!(GroupIndex::decode(&bytes, 64, wrong).is_err(), "columns that end elsewhere");
            }
            for cut in 0..bytes.len() {
                assert!(GroupIndex::decode(&bytes[..cut], 64, end).is_err());
            }
        }
    }

    #[test]
    fn even_numbers_are_known_without_their_column() {
        let column = |codec| Some(ColumnRef { offset: 64, len: 1, crc: 0, codec });
        let axis =
            |codec, min, max, sorted| AxisColumn { column: column(codec), min, max, first: min, last: max, sorted };
        let even =
            |rows, axis: &AxisColumn, sister| AxisChunk { rows, steps: *axis, timestamps: *axis }.even(axis, sister);
        let strides = axis(CodecId::Stride, 10, 50, true);
        assert_eq!((even(5, &strides, 0), even(2, &strides, 0)), (Some((10, 10)), Some((10, 40))));
        assert_eq!(even(5, &strides, 1), None, "they are differences to the sister's numbers");
        assert_eq!(even(5, &axis(CodecId::Raw, 10, 50, true), 0), None);
        assert_eq!(even(5, &axis(CodecId::Stride, 10, 50, false), 0), None);
        let same = axis(CodecId::Raw, 7, 7, true);
        for (rows, sister) in [(1, 0), (1, 3), (5, 0), (5, 3)] {
            assert_eq!(even(rows, &same, sister), Some((7, 0)));
        }
        let none = AxisColumn { column: None, ..same };
        assert_eq!(even(5, &none, 3), Some((7, 0)));
        let whole = axis(CodecId::Stride, i64::MIN, i64::MAX, true);
        assert_eq!((even(2, &whole, 0), even(4, &whole, 0)), (None, Some((i64::MIN, (u64::MAX / 3) as i64))));
    }

    #[test]
    fn an_axis_that_contradicts_itself_is_refused() {
        let take = |bytes: &[u8], has_sister| {
            Layout { next: 64, end: 64 }
                .take_axis(&mut Reader::new(bytes), has_sister)
                .map(|axis| (axis.first, axis.last))
        };
        // No column, smallest 0, range 5, first, last.
        assert_eq!(take(&[AS_SISTER, 0, 5, 5, 5], true), Ok((5, 5)));
        assert_eq!(take(&[AS_SISTER | SORTED, 0, 5], true), Ok((0, 5)));
        for wrong in [[AS_SISTER, 0, 5, 6, 5], [AS_SISTER, 0, 5, 5, 6], [AS_SISTER | 4, 0, 5, 5, 5]] {
            assert!(take(&wrong, true).is_err(), "{wrong:?}");
        }
        assert!(take(&[AS_SISTER, 0, 5, 5, 5], false).is_err());
        for of_steps in [false, true] {
            let mut index = index(&[3], 1, 0);
            let axis = if of_steps { &mut index.axis[0].steps } else { &mut index.axis[0].timestamps };
            axis.column = None;
            let bytes = index.encode();
            let wrong = GroupIndex::decode(&bytes, 64, 4000).unwrap_err();
            assert_eq!(wrong.what, "axis flags", "there is no sister");
        }
    }

    #[test]
    fn counts_that_the_length_cannot_hold_are_refused() {
        let refused = |chunks: u8, series: u8, more: usize| {
            let bytes = [[chunks, series].as_slice(), &vec![0; more]].concat();
            GroupIndex::decode(&bytes, 64, 4000).unwrap_err().problem == "its counts do not fit its length"
        };
        assert!(refused(0, 1, 100) && refused(1, 0, 100));
        // A chunk takes 7 bytes, its column 6, and 10 more where there are several.
        assert!(refused(1, 4, 30) && !refused(1, 4, 31) && !refused(1, 4, 100));
        assert!(refused(2, 4, 141) && !refused(2, 4, 142));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_index_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = GroupIndex::decode(&bytes, 0, u64::MAX);
        }
    }
}
