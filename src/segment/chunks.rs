//! The chunks of one metric of a segment, for questions about parts of it: answered from what is known of chunks and of
//! blocks, and of a block that a border cuts, from its values.

use super::SegmentReader;
use super::kept::{
    Along, Axis, AxisOrder, ChunkRun, ChunkTree, Cut, Extremes, KnownXs, MAX_KNOWN_XS, ValueBlocks, block_rows,
};
use crate::codec::packed::{self, FoundBlock};
use crate::codec::{self, BLOCK, CodecError, CodecId, packed_f32};
use crate::error::{Error, Result};
use crate::format::index::{AxisChunk, AxisColumn, ColumnRef, GroupIndex};
use crate::types::{Point, Stats};
use std::ops::Range;
use std::sync::Arc;

/// A row of a metric by chunk and row in it; row 0 of the chunk after the last one is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) chunk: usize,
    pub(crate) row: usize,
}

/// What is known of some rows that lie one after the other. Points are x and value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) count: u64,
    pub(crate) nan_count: u64,
    pub(crate) first: (i64, f64),
    pub(crate) last: (i64, f64),
    /// Of several the first; `None` when all are NaN.
    pub(crate) min: Option<(i64, f64)>,
    pub(crate) max: Option<(i64, f64)>,
}

/// What was looked at last. It belongs to the chunks of one metric: others lie at the same places in their segment.
#[derive(Debug)]
pub(crate) struct Room {
    unpacked: packed_f32::Scratch,
    /// Values of forms that are not packed.
    values: Vec<f64>,
    /// Place of the column and number of the block that lies in one of the two.
    values_of: Option<(u64, usize)>,
    blocks: Option<(u64, Arc<ValueBlocks>)>,
    xs: [i64; BLOCK],
    xs_of: Option<(u64, usize)>,
    from: Option<(Along, usize, Xs)>,
    /// A chunk, its axis, and how many of its rows were remembered.
    decoded: Option<(usize, Arc<Axis>, usize)>,
}

impl Default for Room {
    fn default() -> Self {
        let unpacked = packed_f32::Scratch::default();
        let (values, xs) = (Vec::new(), [0; BLOCK]);
        Self { unpacked, values, values_of: None, blocks: None, xs, xs_of: None, from: None, decoded: None }
    }
}

impl Room {
    fn decoded(&self, chunk: usize) -> Option<&Axis> {
        self.decoded.as_ref().filter(|decoded| decoded.0 == chunk).map(|decoded| &*decoded.1)
    }

    /// Keeps for the next chart what this one asked for, unless it asks for so much of the chunk that it is no use.
    fn remember(&mut self, known: &KnownXs, row: usize, x: i64) {
        if let Some(decoded) = self.decoded.as_mut().filter(|decoded| decoded.2 < MAX_KNOWN_XS) {
            decoded.2 += 1;
            known.keep(row, x);
        }
    }
}

/// The chunks of one metric.
#[derive(Debug)]
pub(crate) struct SeriesChunks {
    segment: Arc<SegmentReader>,
    group: usize,
    position: usize,
    index: Arc<GroupIndex>,
    /// Of a single chunk the footer has the statistics.
    only_stats: Option<Stats>,
    orders: Arc<(AxisOrder, AxisOrder)>,
    tree: Arc<ChunkTree>,
}

/// Where the x of a row of a chunk comes from.
#[derive(Clone, Debug)]
enum Xs {
    /// The first, and the distance of the following ones.
    Even(i64, i64),
    Packed(ColumnRef, Arc<Vec<FoundBlock>>),
    /// From decoding the axis, if it is not known already.
    Decoded(Arc<KnownXs>),
}

/// Of some rows of one chunk: extremes by row, first and last value.
struct RowsPart {
    extremes: Extremes,
    first: f64,
    last: f64,
}

/// Where an extreme lies.
#[derive(Clone, Copy)]
enum Place {
    Chunk(usize),
    Row(Position),
}

/// What is put together part by part, in the order of the rows.
struct Found {
    nan_count: u64,
    count: u64,
    first: Option<f64>,
    last: f64,
    low: Option<(f64, Place)>,
    high: Option<(f64, Place)>,
}

impl Found {
    fn take(&mut self, extremes: &Extremes, place: impl Fn(u32) -> Place) {
        if extremes.low_at != Extremes::NOWHERE && self.low.is_none_or(|(low, _)| extremes.low < low) {
            self.low = Some((extremes.low, place(extremes.low_at)));
        }
        if extremes.high_at != Extremes::NOWHERE && self.high.is_none_or(|(high, _)| extremes.high > high) {
            self.high = Some((extremes.high, place(extremes.high_at)));
        }
    }

    fn take_rows(&mut self, chunk: usize, rows: Range<usize>, part: &RowsPart) {
        self.count += rows.len() as u64;
        self.nan_count += u64::from(part.extremes.nan_count);
        self.first.get_or_insert(part.first);
        self.last = part.last;
        self.take(&part.extremes, |row| Place::Row(Position { chunk, row: row as usize }));
    }
}

impl SeriesChunks {
    /// `metric` is the place of the metric in the list of the segment, `position` in its group.
    pub(crate) fn new(segment: &Arc<SegmentReader>, metric: usize, group: usize, position: usize) -> Result<Self> {
        let index = segment.group(group)?;
        if position >= index.series {
            return Err(segment.damaged("a metric has no place in its group"));
        }
        let footer = segment.series().get(metric).filter(|_| index.axis.len() == 1);
        let only_stats = footer.map(|series| series.stats);
        let tree = segment.kept().tree(metric, only_stats.as_ref().into_iter().chain(index.stats_of(position)));
        let orders = segment.kept().orders(group, &index);
        Ok(Self { segment: Arc::clone(segment), group, position, index: Arc::clone(&index), only_stats, orders, tree })
    }

    pub(crate) fn segment(&self) -> &Arc<SegmentReader> {
        &self.segment
    }

    pub(crate) fn index(&self) -> &Arc<GroupIndex> {
        &self.index
    }

    /// Group of the metric and its place there.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.group, self.position)
    }

    /// Smallest and largest step and timestamp of all chunks.
    pub(crate) fn ranges(&self) -> ((i64, i64), (i64, i64)) {
        (self.orders.0.range, self.orders.1.range)
    }

    /// The same of one chunk.
    pub(crate) fn chunk_ranges(&self, chunk: usize) -> Option<((i64, i64), (i64, i64))> {
        let axis = self.index.axis.get(chunk)?;
        Some(((axis.steps.min, axis.steps.max), (axis.timestamps.min, axis.timestamps.max)))
    }

    pub(crate) fn len(&self) -> usize {
        self.index.axis.len()
    }

    /// Runs of chunks in which an axis never falls, and chunks in which it does.
    pub(crate) fn runs(&self, along: Along) -> &[ChunkRun] {
        &self.order(along).runs
    }

    fn order(&self, along: Along) -> &AxisOrder {
        if along == Along::Steps { &self.orders.0 } else { &self.orders.1 }
    }

    fn no_place(&self) -> Error {
        self.segment.damaged("a metric has no place in its group")
    }

    fn chunk(&self, chunk: usize) -> Result<(&AxisChunk, &ColumnRef)> {
        self.index.axis.get(chunk).zip(self.index.column(self.position, chunk)).ok_or_else(|| self.no_place())
    }

    fn stats(&self, chunk: usize) -> Result<&Stats> {
        let stats = self.only_stats.as_ref().filter(|_| chunk == 0);
        stats.or_else(|| self.index.stats_of(self.position).get(chunk)).ok_or_else(|| self.no_place())
    }

    fn axis(&self, along: Along, chunk: usize) -> Result<(&AxisChunk, &AxisColumn)> {
        let axis = self.index.axis.get(chunk).ok_or_else(|| self.no_place())?;
        Ok((axis, if along == Along::Steps { &axis.steps } else { &axis.timestamps }))
    }

    fn damaged(&self, column: &ColumnRef, error: CodecError) -> Error {
        self.segment.corrupt(column.offset, error.to_string())
    }
}

/// Borders: which row has which x.
impl SeriesChunks {
    fn xs(&self, along: Along, chunk: usize, room: &mut Room) -> Result<Xs> {
        if let Some((_, _, xs)) = room.from.as_ref().filter(|from| (from.0, from.1) == (along, chunk)) {
            return Ok(xs.clone());
        }
        let xs = self.find_xs(along, chunk)?;
        room.from = Some((along, chunk, xs.clone()));
        Ok(xs)
    }

    fn find_xs(&self, along: Along, chunk: usize) -> Result<Xs> {
        let (axis, about) = self.axis(along, chunk)?;
        if let Some((first, stride)) = axis.even(about, self.index.sister) {
            return Ok(Xs::Even(first, stride));
        }
        let kept = self.segment.kept();
        if let Some(column) = about.column.filter(|column| self.index.sister == 0 && column.codec == CodecId::Packed) {
            let blocks = kept.axis(column.offset, || {
                let found = packed::find_blocks(self.segment.checked(&column)?, axis.rows as usize);
                found.map_err(|error| self.damaged(&column, error))
            })?;
            return Ok(Xs::Packed(column, blocks));
        }
        Ok(Xs::Decoded(kept.known_xs(self.group, chunk, along)))
    }

    /// The axis of a chunk, decoded into the room if it is not there.
    fn decoded_xs<'r>(&self, along: Along, chunk: usize, room: &'r mut Room) -> Result<&'r [i64]> {
        if room.decoded(chunk).is_none() {
            let axis = self.segment.kept().decoded_axis(self.group, chunk, || {
                let (mut steps, mut timestamps) = (Vec::new(), Vec::new());
                self.segment.read_axis(self.group, &self.index, chunk, &mut steps, &mut timestamps)?;
                Ok::<_, Error>((steps, timestamps))
            })?;
            room.decoded = Some((chunk, axis, 0));
        }
        let axis = room.decoded(chunk).ok_or_else(|| self.no_place())?;
        Ok(if along == Along::Steps { &axis.0 } else { &axis.1 })
    }

    /// Of the rows from `from` on, in a run of chunks in which x never falls, the first one beyond `x`.
    pub(crate) fn beyond(
        &self,
        along: Along,
        run: &Range<usize>,
        from: Position,
        x: i64,
        room: &mut Room,
    ) -> Result<Position> {
        let lasts = self.order(along).lasts.get(from.chunk..run.end).unwrap_or_default();
        let chunk = from.chunk + lasts.partition_point(|last| *last <= x);
        if chunk >= run.end {
            return Ok(Position { chunk: run.end, row: 0 });
        }
        let (axis, about) = self.axis(along, chunk)?;
        let rows = axis.rows as usize;
        let row = if about.first > x { 0 } else { self.rows_upto(along, chunk, rows, x, room)? };
        // The last row of this chunk is beyond, whatever a damaged column says.
        let row = row.min(rows - 1);
        Ok(if chunk == from.chunk { Position { chunk, row: row.max(from.row) } } else { Position { chunk, row } })
    }

    /// How many rows of a chunk have an x of at most `x`.
    fn rows_upto(&self, along: Along, chunk: usize, rows: usize, x: i64, room: &mut Room) -> Result<usize> {
        Ok(match self.xs(along, chunk, room)? {
            Xs::Even(first, _) if x < first => 0,
            Xs::Even(_, 0) => rows,
            Xs::Even(first, stride) => {
                let before = (i128::from(x) - i128::from(first)) / i128::from(stride);
                usize::try_from(before + 1).map_or(rows, |count| count.min(rows))
            }
            Xs::Packed(column, blocks) => {
                let Some(number) = blocks.partition_point(|block| block.base <= x).checked_sub(1) else { return Ok(0) };
                let xs = self.read_xs(&column, &blocks, number, rows, room)?;
                number * BLOCK + xs.partition_point(|other| *other <= x)
            }
            Xs::Decoded(known) => {
                if room.decoded(chunk).is_none()
                    && let Some(row) = known.rows_upto(x)
                {
                    return Ok(row);
                }
                let xs = self.decoded_xs(along, chunk, room)?;
                let row = xs.partition_point(|other| *other <= x);
                let around = [row.wrapping_sub(1), row].map(|row| (row, xs.get(row).copied()));
                around.into_iter().for_each(|(row, x)| x.into_iter().for_each(|x| room.remember(&known, row, x)));
                row
            }
        })
    }

    /// The x of a row.
    pub(crate) fn x_at(&self, along: Along, at: Position, room: &mut Room) -> Result<i64> {
        let (axis, about) = self.axis(along, at.chunk)?;
        let rows = axis.rows as usize;
        if at.row == 0 {
            return Ok(about.first);
        }
        if at.row >= rows - 1 {
            return Ok(about.last);
        }
        let wrong = || self.segment.damaged("an axis has fewer rows than its chunk");
        match self.xs(along, at.chunk, room)? {
            Xs::Even(first, stride) => Ok(first.wrapping_add(stride.wrapping_mul(at.row as i64))),
            Xs::Packed(column, blocks) => {
                let (number, row) = (at.row / BLOCK, at.row % BLOCK);
                if room.xs_of == Some((column.offset, number)) {
                    return room.xs.get(row).copied().ok_or_else(wrong);
                }
                let block = *blocks.get(number).ok_or_else(wrong)?;
                let found = packed::number_of(self.bytes(&column)?, block, block_rows(number, rows).len(), row);
                found.map_err(|error| self.damaged(&column, error))
            }
            Xs::Decoded(known) => {
                if room.decoded(at.chunk).is_none()
                    && let Some(x) = known.at(at.row)
                {
                    return Ok(x);
                }
                let x = self.decoded_xs(along, at.chunk, room)?.get(at.row).copied().ok_or_else(wrong)?;
                room.remember(&known, at.row, x);
                Ok(x)
            }
        }
    }

    fn read_xs<'r>(
        &self,
        column: &ColumnRef,
        blocks: &[FoundBlock],
        number: usize,
        rows: usize,
        room: &'r mut Room,
    ) -> Result<&'r [i64]> {
        let count = block_rows(number, rows).len();
        if room.xs_of != Some((column.offset, number)) {
            room.xs_of = None;
            let block = *blocks.get(number).ok_or_else(|| self.no_place())?;
            packed::read_block(self.bytes(column)?, block, count, &mut room.xs)
                .map_err(|error| self.damaged(column, error))?;
            room.xs_of = Some((column.offset, number));
        }
        Ok(room.xs.get(..count).unwrap_or_default())
    }

    /// A column that was checked when its blocks were found.
    fn bytes(&self, column: &ColumnRef) -> Result<&[u8]> {
        self.segment.bytes(column.offset, u64::from(column.len))
    }
}

/// Values.
impl SeriesChunks {
    /// What is known of the rows from `from` to `to` (not included), of which there is at least one; x never falls.
    pub(crate) fn part(&self, along: Along, from: Position, to: Position, room: &mut Room) -> Result<Part> {
        let mut found = Found { nan_count: 0, count: 0, first: None, last: 0.0, low: None, high: None };
        let mut chunk = from.chunk;
        if from.row > 0 {
            let rows = self.chunk(chunk)?.0.rows as usize;
            let rows = from.row..if to.chunk == chunk { to.row } else { rows };
            found.take_rows(chunk, rows.clone(), &self.rows_part(chunk, rows, room)?);
            chunk += 1;
        }
        if chunk < to.chunk {
            let sum = self.tree.sum(chunk..to.chunk);
            found.count += sum.count;
            found.nan_count += sum.nan_count;
            found.take(&sum.extremes, |chunk| Place::Chunk(chunk as usize));
            if found.first.is_none() {
                found.first = self.stats(chunk)?.first.map(|point| point.value);
            }
            found.last = self.stats(to.chunk - 1)?.last.map_or(f64::NAN, |point| point.value);
        }
        if to.row > 0 && chunk <= to.chunk {
            found.take_rows(to.chunk, 0..to.row, &self.rows_part(to.chunk, 0..to.row, room)?);
        }
        let last = match to.row.checked_sub(1) {
            Some(row) => Position { chunk: to.chunk, row },
            None => Position { chunk: to.chunk - 1, row: usize::MAX },
        };
        let first_x = self.x_at(along, from, room)?;
        let last_x = self.x_at(along, last, room)?;
        let mut extreme = |found: Option<(f64, Place)>, point: fn(&Stats) -> Option<Point>| {
            let Some((value, place)) = found else { return Ok(None) };
            let x = match place {
                Place::Row(at) => self.x_at(along, at, room)?,
                Place::Chunk(chunk) => {
                    let point = point(self.stats(chunk)?).ok_or_else(|| self.no_place())?;
                    if along == Along::Steps { point.step } else { point.timestamp }
                }
            };
            Ok::<_, Error>(Some((x, value)))
        };
        Ok(Part {
            count: found.count,
            nan_count: found.nan_count,
            first: (first_x, found.first.unwrap_or(f64::NAN)),
            last: (last_x, found.last),
            min: extreme(found.low, |stats| stats.min)?,
            max: extreme(found.high, |stats| stats.max)?,
        })
    }

    /// Some rows of a chunk, not all of them.
    fn rows_part(&self, chunk: usize, rows: Range<usize>, room: &mut Room) -> Result<RowsPart> {
        let (axis, column) = self.chunk(chunk)?;
        let all = axis.rows as usize;
        let stats = self.stats(chunk)?;
        let blocks = match room.blocks.as_ref().filter(|blocks| blocks.0 == column.offset) {
            Some((_, blocks)) => Arc::clone(blocks),
            None => self.value_blocks(column, all, stats.nan_count > 0)?,
        };
        room.blocks = Some((column.offset, Arc::clone(&blocks)));
        let (from, to) = (rows.start, rows.end);
        if from > 0 && to < all && from / BLOCK == (to - 1) / BLOCK {
            let start = from / BLOCK * BLOCK;
            let values = self.read_values(column, &blocks, from / BLOCK, all, room)?;
            let values = values.get(from - start..to - start).unwrap_or_default();
            let (Some(first), Some(last)) = (values.first(), values.last()) else { return Err(self.no_place()) };
            let block = blocks.extremes.get(from / BLOCK).ok_or_else(|| self.no_place())?;
            return Ok(RowsPart { extremes: block.of_part(values, from), first: *first, last: *last });
        }
        let value = |point: Option<Point>| point.map_or(f64::NAN, |point| point.value);
        let (mut extremes, mut first, mut last) = (Extremes::NONE, value(stats.first), value(stats.last));
        let mut whole = 0..blocks.extremes.len();
        if from > 0 {
            let cut = self.cut(column, &blocks, all, from, room)?;
            (extremes, first) = (cut.after, cut.value_at);
            whole.start = from / BLOCK + 1;
        }
        let mut before = None;
        if to < all {
            let cut = self.cut(column, &blocks, all, to, room)?;
            (before, last) = (Some(cut.before), cut.value_before);
            whole.end = to / BLOCK;
        }
        blocks.extremes.get(whole).unwrap_or_default().iter().for_each(|block| extremes.merge(block));
        before.iter().for_each(|before| extremes.merge(before));
        Ok(RowsPart { extremes, first, last })
    }

    /// What lies around the border before row `row`, which is not the first of its chunk.
    fn cut(&self, column: &ColumnRef, blocks: &ValueBlocks, rows: usize, row: usize, room: &mut Room) -> Result<Cut> {
        if let Some(cut) = blocks.cut(row) {
            return Ok(cut);
        }
        let (number, at) = (row / BLOCK, row % BLOCK);
        let value_of = |values: &[f64], at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        let value_before = match at {
            0 => Some(value_of(self.read_values(column, blocks, number - 1, rows, room)?, BLOCK - 1)),
            _ => None,
        };
        let values = self.read_values(column, blocks, number, rows, room)?;
        let (before, after) = values.split_at_checked(at).ok_or_else(|| self.no_place())?;
        let block = blocks.extremes.get(number).ok_or_else(|| self.no_place())?;
        let cut = Cut {
            row,
            value_before: value_before.unwrap_or_else(|| value_of(values, at - 1)),
            value_at: value_of(values, at),
            before: block.of_part(before, row - at),
            after: block.of_part(after, row),
        };
        blocks.keep_cut(cut);
        Ok(cut)
    }

    /// Checks the column when it is first asked for.
    fn value_blocks(&self, column: &ColumnRef, rows: usize, has_nan: bool) -> Result<Arc<ValueBlocks>> {
        self.segment.kept().values(column.offset, || {
            let wrong = |error| self.damaged(column, error);
            if column.codec != CodecId::PackedF32 {
                let decoded = self.decoded(column, rows)?;
                let blocks = decoded.chunks(BLOCK).enumerate();
                let extremes = blocks.map(|(number, values)| Extremes::of(values, number * BLOCK)).collect();
                return Ok(ValueBlocks::new(extremes, Vec::new()));
            }
            let bytes = self.segment.checked(column)?;
            let found = packed_f32::find_blocks(bytes, rows).map_err(wrong)?;
            let (mut extremes, mut scratch) = (Vec::with_capacity(found.len()), packed_f32::Scratch::default());
            for (number, block) in found.iter().enumerate() {
                let first = number * BLOCK;
                extremes.push(match block.extremes.filter(|_| !has_nan) {
                    Some([(low_at, low), (high_at, high)]) => {
                        let (low_at, high_at) = ((first + low_at) as u32, (first + high_at) as u32);
                        Extremes { low, high, low_at, high_at, nan_count: 0 }
                    }
                    None => {
                        let read = packed_f32::read_block(bytes, block.at, block.count, &mut scratch);
                        Extremes::of(read.map_err(wrong)?, first)
                    }
                });
            }
            // A column is shorter than 4 GiB: its length is stored in 32 bits.
            Ok(ValueBlocks::new(extremes, found.iter().map(|block| block.at as u32).collect()))
        })
    }

    fn decoded(&self, column: &ColumnRef, rows: usize) -> Result<Arc<Vec<f64>>> {
        self.segment.kept().decoded_values(column.offset, || {
            let mut values = Vec::new();
            self.segment.read_floats(column, rows as u32, &mut values)?;
            Ok(values)
        })
    }

    /// The values of one block of a column that was checked when its blocks were found.
    fn read_values<'r>(
        &self,
        column: &ColumnRef,
        blocks: &ValueBlocks,
        number: usize,
        rows: usize,
        room: &'r mut Room,
    ) -> Result<&'r [f64]> {
        let count = block_rows(number, rows).len();
        let is_packed = column.codec == CodecId::PackedF32;
        if room.values_of != Some((column.offset, number)) {
            room.values_of = None;
            self.unpack(column, blocks, number, rows, room)?;
            room.values_of = Some((column.offset, number));
        }
        Ok(if is_packed { room.unpacked.values().get(..count).unwrap_or_default() } else { &room.values })
    }

    /// Brings a block into the room of its form.
    fn unpack(
        &self,
        column: &ColumnRef,
        blocks: &ValueBlocks,
        number: usize,
        rows: usize,
        room: &mut Room,
    ) -> Result<()> {
        room.values.clear();
        let part = block_rows(number, rows);
        let wrong = |error| self.damaged(column, error);
        let width = match column.codec {
            CodecId::PackedF32 => {
                let start = blocks.starts.get(number).copied().ok_or_else(|| self.no_place())?;
                let bytes = self.bytes(column)?;
                packed_f32::read_block(bytes, start as usize, part.len(), &mut room.unpacked).map_err(wrong)?;
                None
            }
            CodecId::Raw => Some(8),
            CodecId::NarrowF32 => Some(4),
            _ => {
                let decoded = self.decoded(column, rows)?;
                room.values.extend_from_slice(decoded.get(part.clone()).unwrap_or_default());
                None
            }
        };
        if let Some(width) = width {
            // A part of the column is a column of its own.
            let bytes = self.bytes(column)?.get(part.start * width..part.end * width).unwrap_or_default();
            codec::decode_floats(column.codec, bytes, part.len(), &mut room.values).map_err(wrong)?;
        }
        Ok(())
    }
}
