//! The index of one group of a segment: where its columns are and what they hold.
//!
//! A *group* is a set of metrics that were logged in exactly the same calls: one *axis* (steps and timestamps), cut
//! into chunks, and one column of values a metric, cut at the same rows. The columns of a group lie one after the
//! other: steps and timestamps of each chunk in turn, then the values of the first metric, chunk by chunk, then of
//! the second, and so on; offsets follow from the lengths.
//!
//! ```text
//! chunk count varint, series count varint
//! for each chunk: rows varint
//!                 steps column, smallest zigzag, largest minus smallest varint, flags u8 (1 = never falls)
//!                 timestamps column, smallest, largest minus smallest, flags
//! for each series, for each chunk: values column, then its statistics (stats.rs) unless there is one chunk only
//! column: codec u8, length varint, crc u32 (seeded with file id and the column's offset)
//! ```

use super::stats::{put_stats, take_stats};
use super::wire::{Decoded, Reader, put_varint, put_zigzag};
use crate::codec::CodecId;
use crate::limits;
use crate::types::Stats;

const SORTED: u8 = 1;

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
    pub(crate) column: ColumnRef,
    pub(crate) min: i64,
    pub(crate) max: i64,
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
    put_column(out, &axis.column);
    put_zigzag(out, axis.min);
    put_varint(out, axis.max.wrapping_sub(axis.min) as u64);
    out.push(u8::from(axis.sorted) * SORTED);
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

    fn take_axis(&mut self, reader: &mut Reader<'_>) -> Decoded<AxisColumn> {
        let column = self.take_column(reader)?;
        let min = reader.zigzag("smallest number")?;
        let max = min.wrapping_add(reader.varint("range")? as i64);
        if max < min {
            return Err(reader.error("range", "it is negative"));
        }
        match reader.u8("axis flags")? {
            flags @ (0 | SORTED) => Ok(AxisColumn { column, min, max, sorted: flags == SORTED }),
            _ => Err(reader.error("axis flags", "a flag is unknown")),
        }
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
        for chunk in &self.axis {
            put_varint(&mut out, u64::from(chunk.rows));
            put_axis(&mut out, &chunk.steps);
            put_axis(&mut out, &chunk.timestamps);
        }
        for chunk in self.series.iter().flatten() {
            put_column(&mut out, &chunk.column);
            if self.axis.len() > 1 {
                put_stats(&mut out, &chunk.stats);
            }
        }
        out
    }

    /// `start` is where the group's columns begin, `end` where they must have ended.
    pub(crate) fn decode(bytes: &[u8], start: u64, end: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let mut layout = Layout { next: start, end };
        let chunks = reader.count(usize::MAX, 13, "chunk count")?;
        let series = reader.count(limits::MAX_METRICS_PER_RUN, 1, "series count")?;
        if chunks == 0 || series == 0 || chunks.saturating_mul(series).saturating_mul(6) > reader.remaining() {
            return Err(reader.error("group", "its counts do not fit its length"));
        }
        let mut axis = Vec::with_capacity(chunks);
        for _ in 0..chunks {
            let rows = reader.count(limits::MAX_CHUNK_ROWS, 0, "chunk rows")? as u32;
            if rows == 0 {
                return Err(reader.error("chunk rows", "a chunk has no row"));
            }
            axis.push(AxisChunk {
                rows,
                steps: layout.take_axis(&mut reader)?,
                timestamps: layout.take_axis(&mut reader)?,
            });
        }
        let mut all = Vec::with_capacity(series);
        for _ in 0..series {
            let mut values = Vec::with_capacity(chunks);
            for chunk in &axis {
                let column = layout.take_column(&mut reader)?;
                let stats = if chunks > 1 { take_stats(&mut reader)? } else { Stats::default() };
                if chunks > 1 && stats.count != u64::from(chunk.rows) {
                    return Err(reader.error("chunk statistics", "their count is not that of the rows"));
                }
                values.push(ValueChunk { column, stats });
            }
            all.push(values);
        }
        if layout.next != end {
            return Err(reader.error("group", "its columns do not end where its index begins"));
        }
        reader.finish("group index")?;
        Ok(Self { axis, series: all })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::types::Point;
    use proptest::prelude::*;

    fn index(rows: &[u32], series: usize) -> GroupIndex {
        let mut next = 64;
        let mut column = |len: u32| {
            let column = ColumnRef { offset: next, len, crc: len ^ 0x55aa, codec: CodecId::Raw };
            next += u64::from(len);
            column
        };
        let axis = rows.iter().map(|rows| AxisChunk {
            rows: *rows,
            steps: AxisColumn { column: column(*rows), min: -5, max: i64::MAX - 9, sorted: true },
            timestamps: AxisColumn { column: column(8), min: i64::MIN, max: i64::MAX, sorted: false },
        });
        let axis: Vec<_> = axis.collect();
        let stats = |rows: u32| {
            let mut stats = Stats::default();
            (0..rows).for_each(|i| stats.push(Point::new(i64::from(i), 7, f64::from(i))));
            if axis.len() > 1 { stats } else { Stats::default() }
        };
        let mut values = || rows.iter().map(|r| ValueChunk { column: column(4), stats: stats(*r) }).collect();
        let series = (0..series).map(|_| values()).collect();
        GroupIndex { axis, series }
    }

    #[test]
    fn an_index_comes_back_with_offsets_from_its_lengths() {
        for (rows, series) in [(vec![1], 1), (vec![3, 9, 2], 4)] {
            let index = index(&rows, series);
            let bytes = index.encode();
            let last = index.series.last().and_then(|series| series.last()).unwrap().column;
            let end = last.offset + u64::from(last.len);
            assert_eq!(GroupIndex::decode(&bytes, 64, end).unwrap(), index);
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
