//! Charts: what a line through all points looks like at a given width, exactly.
//!
//! M4 (Jugel, Jerzak, Hackenbroich, Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014): for
//! each column of pixels the first, the last, the smallest and the largest point. A line through these covers the same
//! pixels as one through all points, so no spike is lost. Chunks that lie in one column are answered from their
//! statistics; of those that a border of columns cuts, only the block around the border is unpacked.

use super::metric::{MetricQuery, Span};
use crate::error::{Error, Result};
use crate::store::{Along, ChartSource, ChunkRun, Piece, Position, Room, SeriesChunks};
use crate::types::Columns;
use std::ops::Range;

/// Widest chart: more columns than any screen has.
const MAX_WIDTH: usize = 1 << 20;

/// What lies along a chart.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # run.log_metric_at("loss", 1, 70, 0.5)?;
/// use trackway::ChartAxis;
///
/// let snapshot = store.snapshot(run.id())?;
/// assert_eq!(snapshot.metric("loss")?.chart(ChartAxis::Timestamp, 800)?.range, Some((70, 70)));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChartAxis {
    /// Steps.
    #[default]
    Step,
    /// Timestamps, in milliseconds since the Unix epoch.
    Timestamp,
}

/// A point of a chart.
///
/// ```
/// let peak = trackway::ChartPoint { x: 7, value: 0.25 };
/// assert_eq!(peak.x, 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    /// Step or timestamp.
    pub x: i64,
    /// The value.
    pub value: f64,
}

/// The points of one column of pixels, of which there is at least one.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # for (step, value) in [(1, 0.5), (2, 9.0), (3, 0.4)] { run.log_metric("loss", step, value)?; }
/// let snapshot = store.snapshot(run.id())?;
/// let chart = snapshot.metric("loss")?.chart(trackway::ChartAxis::Step, 1)?;
/// let column = chart.columns[0];
/// assert_eq!((column.count, column.max.map(|point| point.x)), (3, Some(2)));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartColumn {
    /// Number of the column, from 0 on.
    pub column: usize,
    /// Number of points.
    pub count: u64,
    /// How many of them are NaN.
    pub nan_count: u64,
    /// The point with the smallest x; of several the one written first.
    pub first: ChartPoint,
    /// The point with the greatest x; of several the one written last.
    pub last: ChartPoint,
    /// The point with the smallest value, of several the one written first; `None` when all are NaN.
    pub min: Option<ChartPoint>,
    /// The point with the largest value, of several the one written first; `None` when all are NaN.
    pub max: Option<ChartPoint>,
}

/// A metric at a given width: [`MetricQuery::chart`] makes it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let loss = run.metric("loss")?;
/// for step in 0..1000 {
///     loss.log(step, if step == 500 { 1e9 } else { 1.0 / (step + 1) as f64 })?;
/// }
/// let snapshot = store.snapshot(run.id())?;
/// let chart = snapshot.metric("loss")?.chart(trackway::ChartAxis::Step, 10)?;
/// assert_eq!((chart.columns.len(), chart.range), (10, Some((0, 999))));
/// assert_eq!(chart.columns[5].max.map(|point| point.value), Some(1e9), "no spike is lost");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What lies along it.
    pub axis: ChartAxis,
    /// Smallest and largest x that it shows: the range asked for, or where that is open, that of the points. `None`
    /// when there is no point.
    pub range: Option<(i64, i64)>,
    /// Number of columns.
    pub width: usize,
    /// The columns that have a point, in order. Column `k` of `width` has the points with
    /// `(x - first) * width / (last - first + 1) = k`, rounded down.
    pub columns: Vec<ChartColumn>,
}

impl MetricQuery<'_> {
    /// The points of the answer as a chart of `width` columns: first, last, smallest and largest of each, exactly. All
    /// points count, whatever [`MetricQuery::order`] says.
    ///
    /// Cost: for each column a few statistics, and unpacking of 512 points around its borders, or a chunk where
    /// compaction chose pcodec; nearly nothing of that when the same chart is drawn again of an open snapshot. Chunks in
    /// which the axis goes back are read whole.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 0..200 { run.log_metric("loss", step, 1.0 / (step + 1) as f64)?; }
    /// use trackway::ChartAxis;
    ///
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.steps(0..100).chart(ChartAxis::Step, 2)?;
    /// let counts: Vec<_> = chart.columns.iter().map(|column| column.count).collect();
    /// assert_eq!((chart.range, counts), (Some((0, 99)), vec![50, 50]));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a width of 0, [`Error::LimitExceeded`] for one beyond 1,048,576, and as
    /// [`MetricQuery::read_into`].
    pub fn chart(&self, axis: ChartAxis, width: usize) -> Result<Chart> {
        if width == 0 {
            return Err(Error::invalid("chart width", "it is 0"));
        }
        if width > MAX_WIDTH {
            let (limit, found) = (MAX_WIDTH as u64, width as u64);
            return Err(Error::LimitExceeded { what: "columns of a chart", limit, found });
        }
        let sources = self.chart_sources()?;
        let (along, span) = match axis {
            ChartAxis::Step => (Along::Steps, self.steps),
            ChartAxis::Timestamp => (Along::Timestamps, self.timestamps),
        };
        let mut scratch = Columns::default();
        let Some(range) = self.chart_range(&sources, along, span, &mut scratch)? else {
            return Ok(Chart { axis, range: None, width, columns: Vec::new() });
        };
        let mut builder = Builder { along, grid: Grid::new(range, width), columns: vec![None; width] };
        for source in &sources {
            match source {
                ChartSource::Piece(piece) => self.add_points(&mut builder, piece, &mut scratch)?,
                ChartSource::Chunks(chunks) => {
                    let mut room = Room::default();
                    for run in chunks.runs(along) {
                        self.add_run(&mut builder, chunks, run, span, (&mut scratch, &mut room))?;
                    }
                }
            }
        }
        let columns: Vec<ChartColumn> = builder.columns.into_iter().flatten().collect();
        let range = (!columns.is_empty()).then_some(range);
        Ok(Chart { axis, range, width, columns })
    }

    /// The range asked for, with that of the points where it is open.
    fn chart_range(
        &self,
        sources: &[ChartSource],
        along: Along,
        span: Span,
        scratch: &mut Columns,
    ) -> Result<Option<(i64, i64)>> {
        if span.first > i64::MIN && span.last < i64::MAX {
            return Ok((span.first <= span.last).then_some((span.first, span.last)));
        }
        let mut range: Option<(i64, i64)> = None;
        let mut widen = |low: i64, high: i64| {
            range = Some(range.map_or((low, high), |range| (range.0.min(low), range.1.max(high))));
        };
        let mut look = |piece: &Piece, widen: &mut dyn FnMut(i64, i64)| -> Result<()> {
            scratch.clear();
            self.append(piece, scratch)?;
            let xs = if along == Along::Steps { scratch.steps() } else { scratch.timestamps() };
            xs.iter().for_each(|x| widen(*x, *x));
            Ok(())
        };
        let chosen = |ranges: Ranges| if along == Along::Steps { ranges.0 } else { ranges.1 };
        for source in sources {
            match source {
                ChartSource::Piece(piece) => look(piece, &mut widen)?,
                ChartSource::Chunks(chunks) if self.covers(chunks.ranges()) => {
                    let (low, high) = chosen(chunks.ranges());
                    widen(low, high);
                }
                ChartSource::Chunks(chunks) => {
                    for chunk in 0..chunks.len() {
                        let Some(ranges) = chunks.chunk_ranges(chunk).filter(|ranges| self.meets(*ranges)) else {
                            continue;
                        };
                        if self.covers(ranges) {
                            let (low, high) = chosen(ranges);
                            widen(low, high);
                        } else {
                            look(&Piece::of_chunk(chunks, chunk), &mut widen)?;
                        }
                    }
                }
            }
        }
        let low = |found: i64| if span.first > i64::MIN { span.first } else { found };
        let high = |found: i64| if span.last < i64::MAX { span.last } else { found };
        Ok(range.map(|range| (low(range.0), high(range.1))))
    }

    fn covers(&self, (steps, timestamps): Ranges) -> bool {
        self.steps.covers(steps) && self.timestamps.covers(timestamps)
    }

    fn meets(&self, (steps, timestamps): Ranges) -> bool {
        self.steps.meets(steps) && self.timestamps.meets(timestamps)
    }

    /// Point by point.
    fn add_points(&self, builder: &mut Builder, piece: &Piece, scratch: &mut Columns) -> Result<()> {
        scratch.clear();
        self.append(piece, scratch)?;
        let by_step = builder.along == Along::Steps;
        for point in scratch.iter() {
            builder.push(if by_step { point.step } else { point.timestamp }, point.value);
        }
        Ok(())
    }

    /// Takes a run of chunks: at once, unless x falls in it, or the other axis is asked about and the run lies on both
    /// sides of an end of that range.
    fn add_run(
        &self,
        builder: &mut Builder,
        chunks: &SeriesChunks,
        run: &ChunkRun,
        span: Span,
        (scratch, room): (&mut Columns, &mut Room),
    ) -> Result<()> {
        let by_step = builder.along == Along::Steps;
        let others_count = |(steps, timestamps): Ranges| {
            if by_step { self.timestamps.covers(timestamps) } else { self.steps.covers(steps) }
        };
        if run.sorted && others_count(chunks.ranges()) {
            let before = self.skip_damaged.then(|| builder.columns.clone());
            match (builder.add_sorted(chunks, run.chunks.clone(), span, room), before) {
                // Chunk by chunk, to leave out only those that are damaged.
                (Err(Error::Corrupt { .. }), Some(before)) => builder.columns = before,
                (added, _) => return added,
            }
        }
        for chunk in run.chunks.clone() {
            let Some(ranges) = chunks.chunk_ranges(chunk).filter(|ranges| self.meets(*ranges)) else { continue };
            let added = if run.sorted && others_count(ranges) {
                builder.add_sorted(chunks, chunk..chunk + 1, span, room)
            } else {
                self.add_points(builder, &Piece::of_chunk(chunks, chunk), scratch)
            };
            match added {
                Err(Error::Corrupt { .. }) if self.skip_damaged => {}
                added => added?,
            }
        }
        Ok(())
    }
}

/// Smallest and largest step and timestamp.
type Ranges = ((i64, i64), (i64, i64));

/// How x falls into columns.
#[derive(Clone, Copy, Debug)]
struct Grid {
    first: i64,
    last: i64,
    /// How many numbers lie in the range.
    span: u128,
    width: usize,
}

impl Grid {
    fn new((first, last): (i64, i64), width: usize) -> Self {
        let span = (i128::from(last) - i128::from(first)).unsigned_abs() + 1;
        Self { first, last, span, width }
    }

    /// The column of an x in the range.
    fn column(&self, x: i64) -> usize {
        let offset = (i128::from(x) - i128::from(self.first)).unsigned_abs();
        let product = offset * self.width as u128;
        match (u64::try_from(product), u64::try_from(self.span)) {
            (Ok(product), Ok(span)) => (product / span) as usize,
            _ => (product / self.span) as usize,
        }
    }

    /// The last x of a column.
    fn last_of(&self, column: usize) -> i64 {
        // The first x of the next one is first + ceil((column + 1) * span / width).
        let next = ((column as u128 + 1) * self.span).div_ceil(self.width as u128);
        let last = i128::from(self.first) + next as i128 - 1;
        i64::try_from(last).unwrap_or(i64::MAX).min(self.last)
    }
}

struct Builder {
    along: Along,
    grid: Grid,
    columns: Vec<Option<ChartColumn>>,
}

impl Builder {
    /// Takes what was written after all that is there.
    fn add(&mut self, part: ChartColumn) {
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

    fn push(&mut self, x: i64, value: f64) {
        let point = ChartPoint { x, value };
        let extreme = (!value.is_nan()).then_some(point);
        self.add(ChartColumn {
            column: self.grid.column(x),
            count: 1,
            nan_count: u64::from(value.is_nan()),
            first: point,
            last: point,
            min: extreme,
            max: extreme,
        });
    }

    /// Takes the rows of chunks, through which x never falls, that lie in `span`, column by column.
    fn add_sorted(&mut self, chunks: &SeriesChunks, run: Range<usize>, span: Span, room: &mut Room) -> Result<()> {
        let start = Position { chunk: run.start, row: 0 };
        let along = self.along;
        let beyond = |from, x, room: &mut Room| chunks.beyond(along, &run, from, x, room);
        let mut from = match span.first.max(self.grid.first).checked_sub(1) {
            Some(before) => beyond(start, before, room)?,
            None => start,
        };
        let end = beyond(from, span.last.min(self.grid.last), room)?;
        while from < end {
            let column = self.grid.column(chunks.x_at(along, from, room)?);
            let to = beyond(from, self.grid.last_of(column), room)?.min(end);
            if to <= from {
                return Err(chunks.segment().damaged("an axis does not rise as its index says"));
            }
            let part = chunks.part(along, from, to, room)?;
            let point = |(x, value): (i64, f64)| ChartPoint { x, value };
            self.add(ChartColumn {
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
