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

use super::stats::{AxisFacts, put_stats, take_stats};
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
}

/// Values of one metric in one chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ValueChunk {
    pub(crate) column: ColumnRef,
    /// Left out on disk, and empty here, when the group has one chunk: the footer has the same numbers.
    pub(crate) stats: Stats,
}

/// All columns of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupIndex {
    /// How many places before this group its sister is; 0 when it has none.
    pub(crate) sister: u32,
    pub(crate) axis: Vec<AxisChunk>,
    /// For each series of the group, one entry a chunk.
    pub(crate) series: Vec<Vec<ValueChunk>>,
}

fn put_column(out: &mut Vec<u8>, column: &ColumnRef) {
    out.push(column.codec as u8);
    put_varint(out, u64::from(column.len));
    out.extend_from_slice(&column.crc.to_le_bytes());
}

fn put_axis(out: &mut Vec<u8>, axis: &AxisColumn) {
    out.push((u8::from(axis.sorted) * SORTED) | (u8::from(axis.column.is_none()) * AS_SISTER));
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

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.axis.len() as u64);
        put_varint(&mut out, self.series.len() as u64);
        put_varint(&mut out, u64::from(self.sister));
        for chunk in &self.axis {
            put_varint(&mut out, u64::from(chunk.rows));
            put_axis(&mut out, &chunk.steps);
            put_axis(&mut out, &chunk.timestamps);
        }
        for series in &self.series {
            for (chunk, axis) in series.iter().zip(&self.axis) {
                put_column(&mut out, &chunk.column);
                if self.axis.len() > 1 {
                    put_stats(&mut out, &axis.facts(), &chunk.stats);
                }
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
        if chunks == 0 || series == 0 || chunks.saturating_mul(series).saturating_mul(6) > reader.remaining() {
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
        let mut all = Vec::with_capacity(series);
        for _ in 0..series {
            let mut values = Vec::with_capacity(chunks);
            for chunk in &axis {
                let column = layout.take_column(&mut reader)?;
                let stats = if chunks > 1 { take_stats(&mut reader, &chunk.facts())? } else { Stats::default() };
                values.push(ValueChunk { column, stats });
            }
            all.push(values);
        }
        if layout.next != end {
            return Err(reader.error("group", "its columns do not end where its index begins"));
        }
        reader.finish("group index")?;
        Ok(Self { sister, axis, series: all })
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
            if axis.len() > 1 { stats } else { Stats::default() }
        };
        let mut values = || rows.iter().map(|r| ValueChunk { column: column(4), stats: stats(*r) }).collect();
        let series = (0..series).map(|_| values()).collect();
        GroupIndex { sister, axis, series }
    }

    #[test]
    fn an_index_comes_back_with_offsets_from_its_lengths() {
        for (rows, series, sister) in [(vec![2], 1, 0), (vec![3, 9, 2], 4, 0), (vec![3, 9, 2], 1, 2)] {
            let index = index(&rows, series, sister);
            let bytes = index.encode();
            let last = index.series.last().and_then(|series| series.last()).unwrap().column;
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

    proptest! {
        #[test]
        fn any_bytes_give_an_index_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = GroupIndex::decode(&bytes, 0, u64::MAX);
        }
    }
}
