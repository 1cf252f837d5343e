//! M4: first, last, smallest and largest point of each column of pixels, exactly.
//!
//! Jugel, Jerzak, Hackenbroich, Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014. A line
//! through these points covers the same pixels as one through all points, so no spike is lost. Chunks that lie in one
//! column are answered from their statistics; of those that a border of columns cuts, only the block around the border is
//! unpacked.

use super::chart::{ChartColumn, ChartPoint};
use super::grid::Grid;
use super::metric::{MetricQuery, Ranges, Span};
use crate::error::{Error, Result};
use crate::store::{Along, ChartSource, ChunkRun, Piece, Position, Room, SeriesChunks};
use crate::types::Columns;
use std::ops::Range;

/// The points of the answer by column. `grid` has a column for each of them that lies in its range, and the query asks for
/// no others.
pub(super) fn columns(
    query: &MetricQuery<'_>,
    sources: &[ChartSource],
    along: Along,
    grid: &Grid,
) -> Result<Vec<ChartColumn>> {
    let mut walk = Walk { query, along, grid, columns: M4::new(grid.width()) };
    let mut scratch = Columns::default();
    for source in sources {
        match source {
            ChartSource::Piece(piece) => walk.add_points(piece, &mut scratch)?,
            ChartSource::Chunks(chunks) => {
                let mut room = Room::default();
                for run in chunks.runs(along) {
                    walk.add_run(chunks, run, (&mut scratch, &mut room))?;
                }
            }
        }
    }
    Ok(walk.columns.into_columns())
}

impl MetricQuery<'_> {
    /// All points of the answer in one column, mostly answered from statistics; `None` when there is none.
    pub(super) fn summary(&self, along: Along) -> Result<Option<ChartColumn>> {
        let everything = Grid::even((i64::MIN, i64::MAX), 1);
        Ok(columns(self, &self.chart_sources()?, along, &everything)?.pop())
    }
}

/// Columns of pixels that are being filled.
#[derive(Clone, Debug)]
pub(super) struct M4<X> {
    columns: Vec<Option<ChartColumn<X>>>,
}

impl<X: Copy + PartialOrd> M4<X> {
    pub(super) fn new(width: usize) -> Self {
        Self { columns: vec![None; width] }
    }

    pub(super) fn into_columns(self) -> Vec<ChartColumn<X>> {
        self.columns.into_iter().flatten().collect()
    }

    /// Takes what was written after all that is there.
    fn add(&mut self, part: ChartColumn<X>) {
        let Some(slot) = self.columns.get_mut(part.column) else { return };
        let Some(column) = slot else {
            *slot = Some(part);
            return;
        };
        column.count += part.count;
        column.nan_count += part.nan_count;
        if part.first.x < column.first.x {
            column.first = part.first;
        }
        if part.last.x >= column.last.x {
            column.last = part.last;
        }
        if let Some(min) = part.min
            && column.min.is_none_or(|known| min.value < known.value)
        {
            column.min = Some(min);
        }
        if let Some(max) = part.max
            && column.max.is_none_or(|known| max.value > known.value)
        {
            column.max = Some(max);
        }
    }

    /// Takes a point written after all that are there.
    pub(super) fn push(&mut self, column: usize, x: X, value: f64) {
        let point = ChartPoint { x, value };
        let extreme = (!value.is_nan()).then_some(point);
        let nan_count = u64::from(value.is_nan());
        self.add(ChartColumn { column, count: 1, nan_count, first: point, last: point, min: extreme, max: extreme });
    }
}

struct Walk<'q, 'a> {
    query: &'q MetricQuery<'a>,
    along: Along,
    grid: &'q Grid,
    columns: M4<i64>,
}

impl Walk<'_, '_> {
    /// Point by point.
    fn add_points(&mut self, piece: &Piece, scratch: &mut Columns) -> Result<()> {
        scratch.clear();
        self.query.append(piece, scratch)?;
        for (x, value) in scratch.along(self.along == Along::Steps).iter().zip(scratch.values()) {
            self.columns.push(self.grid.column(*x), self.grid.shown(*x), *value);
        }
        Ok(())
    }

    /// Takes a run of chunks: at once, unless x falls in it, or the other axis is asked about and the run lies on both
    /// sides of an end of that range.
    fn add_run(
        &mut self,
        chunks: &SeriesChunks,
        run: &ChunkRun,
        (scratch, room): (&mut Columns, &mut Room),
    ) -> Result<()> {
        let (query, by_step) = (self.query, self.along == Along::Steps);
        let others_count = |(steps, timestamps): Ranges| {
            if by_step { query.timestamps.covers(timestamps) } else { query.steps.covers(steps) }
        };
        if run.sorted && others_count(chunks.ranges()) {
            let before = query.skip_damaged.then(|| self.columns.clone());
            match (self.add_sorted(chunks, run.chunks.clone(), room), before) {
                // Chunk by chunk, to leave out only those that are damaged.
                (Err(Error::Corrupt { .. }), Some(before)) => self.columns = before,
                (added, _) => return added,
            }
        }
        for chunk in run.chunks.clone() {
            let Some(ranges) = chunks.chunk_ranges(chunk).filter(|ranges| query.meets(*ranges)) else { continue };
            let added = if run.sorted && others_count(ranges) {
                self.add_sorted(chunks, chunk..chunk + 1, room)
            } else {
                self.add_points(&Piece::of_chunk(chunks, chunk), scratch)
            };
            match added {
                Err(Error::Corrupt { .. }) if query.skip_damaged => {}
                added => added?,
            }
        }
        Ok(())
    }

    /// Takes the rows of chunks, through which x never falls, that were asked for, column by column.
    fn add_sorted(&mut self, chunks: &SeriesChunks, run: Range<usize>, room: &mut Room) -> Result<()> {
        let start = Position { chunk: run.start, row: 0 };
        let (along, grid) = (self.along, self.grid);
        let span: Span = self.query.span(along);
        let (first, last) = grid.stored_range();
        let beyond = |from, x, room: &mut Room| chunks.beyond(along, &run, from, x, room);
        let mut from = match span.first.max(first).checked_sub(1) {
            Some(before) => beyond(start, before, room)?,
            None => start,
        };
        let end = beyond(from, span.last.min(last), room)?;
        while from < end {
            let column = grid.column(chunks.x_at(along, from, room)?);
            let to = beyond(from, grid.last_of(column), room)?.min(end);
            if to <= from {
                return Err(chunks.segment().damaged("an axis does not rise as its index says"));
            }
            let part = chunks.part(along, from, to, room)?;
            let point = |(x, value): (i64, f64)| ChartPoint { x: grid.shown(x), value };
            self.columns.add(ChartColumn {
                column,
                count: part.count,
                nan_count: part.nan_count,
                first: point(part.first),
                last: point(part.last),
                min: part.min.map(point),
                max: part.max.map(point),
            });
            from = to;
        }
        Ok(())
    }
}
