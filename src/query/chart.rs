//! Charts: what a line through all points looks like at a given width, exactly.
//!
//! M4 (Jugel, Jerzak, Hackenbroich, Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014): for
//! each column of pixels the first, the last, the smallest and the largest point. A line through these covers the same
//! pixels as one through all points, so no spike is lost. Chunks that lie in one column are answered from their
//! statistics; of those that a border of columns cuts, only the blocks around the border are unpacked.

use super::metric::{MetricQuery, Span};
use crate::error::{Error, Result};
use crate::store::{PartValues, Piece, PieceSummary};
use crate::types::{Columns, Stats, extremes};

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
    /// Cost: statistics of the chunks in the range, and unpacking around the borders of columns; chunks in which the
    /// axis goes back are read whole.
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
        let pieces = self.pieces()?;
        let span = match axis {
            ChartAxis::Step => self.steps,
            ChartAxis::Timestamp => self.timestamps,
        };
        let mut scratch = Columns::default();
        let Some(range) = self.chart_range(&pieces, axis, span, &mut scratch)? else {
            return Ok(Chart { axis, range: None, width, columns: Vec::new() });
        };
        let mut builder = Builder { axis, grid: Grid::new(range, width), columns: vec![None; width] };
        for piece in &pieces {
            match self.add_piece(&mut builder, piece, &mut scratch) {
                Err(Error::Corrupt { .. }) if self.skip_damaged => {}
                added => added?,
            }
        }
        let columns: Vec<ChartColumn> = builder.columns.into_iter().flatten().collect();
        let range = (!columns.is_empty()).then_some(range);
        Ok(Chart { axis, range, width, columns })
    }

    /// The range asked for, with that of the points where it is open.
    fn chart_range(
        &self,
        pieces: &[Piece],
        axis: ChartAxis,
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
        for piece in pieces {
            match piece.ranges {
                Some((steps, timestamps)) if self.steps.covers(steps) && self.timestamps.covers(timestamps) => {
                    let (low, high) = if axis == ChartAxis::Step { steps } else { timestamps };
                    widen(low, high);
                }
                _ => {
                    scratch.clear();
                    self.append(piece, scratch)?;
                    let xs = if axis == ChartAxis::Step { scratch.steps() } else { scratch.timestamps() };
                    xs.iter().for_each(|x| widen(*x, *x));
                }
            }
        }
        let low = |found: i64| if span.first > i64::MIN { span.first } else { found };
        let high = |found: i64| if span.last < i64::MAX { span.last } else { found };
        Ok(range.map(|range| (low(range.0), high(range.1))))
    }

    fn add_piece(&self, builder: &mut Builder, piece: &Piece, scratch: &mut Columns) -> Result<()> {
        let by_step = builder.axis == ChartAxis::Step;
        if let Some((steps, timestamps)) = piece.ranges {
            let (x_range, span) = if by_step { (steps, self.steps) } else { (timestamps, self.timestamps) };
            let others_count = if by_step { self.timestamps.covers(timestamps) } else { self.steps.covers(steps) };
            let whole = others_count && span.covers(x_range);
            let done = piece.with_summary(|summary| {
                let about = if by_step { summary.steps } else { summary.timestamps };
                if !about.sorted || !others_count {
                    return Ok(false);
                }
                let column = builder.grid.column(x_range.0.max(span.first));
                if whole && column == builder.grid.column(x_range.1) {
                    builder.add_whole(column, summary.stats);
                    return Ok(true);
                }
                builder.add_parts(piece, &summary, span, scratch).map(|()| true)
            })?;
            if done.transpose()? == Some(true) {
                return Ok(());
            }
        }
        scratch.clear();
        self.append(piece, scratch)?;
        for point in scratch.iter() {
            builder.push(if by_step { point.step } else { point.timestamp }, point.value);
        }
        Ok(())
    }
}

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
    axis: ChartAxis,
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

    /// Takes a chunk whose x never falls and lies in one column.
    fn add_whole(&mut self, column: usize, stats: &Stats) {
        let (Some(first), Some(last)) = (stats.first, stats.last) else { return };
        let point = |point: crate::types::Point| {
            let x = if self.axis == ChartAxis::Step { point.step } else { point.timestamp };
            ChartPoint { x, value: point.value }
        };
        self.add(ChartColumn {
            column,
            count: stats.count,
            nan_count: stats.nan_count,
            first: point(first),
            last: point(last),
            min: stats.min.map(point),
            max: stats.max.map(point),
        });
    }

    /// Takes the rows of a chunk, in which x never falls, that lie in `span`, column by column.
    fn add_parts(
        &mut self,
        piece: &Piece,
        summary: &PieceSummary<'_>,
        span: Span,
        scratch: &mut Columns,
    ) -> Result<()> {
        let by_step = self.axis == ChartAxis::Step;
        let even = if by_step { summary.steps.even } else { summary.timestamps.even };
        if even.is_none() {
            piece.read_axis(scratch)?;
        }
        let xs = match even {
            Some((first, stride)) => Xs::Even { first, stride, rows: summary.rows },
            None => Xs::Decoded(if by_step { scratch.steps() } else { scratch.timestamps() }),
        };
        let values = piece.part_values(summary.stats.nan_count > 0)?;
        let end = xs.rows_upto(span.last.min(self.grid.last));
        let mut from = span.first.max(self.grid.first).checked_sub(1).map_or(0, |before| xs.rows_upto(before));
        while from < end {
            let column = self.grid.column(xs.at(from));
            let to = xs.rows_upto(self.grid.last_of(column)).clamp(from + 1, end);
            let part = part(column, from..to, &xs, &values)?;
            self.add(part);
            from = to;
        }
        Ok(())
    }
}

/// Rows of a chunk as the part of a column.
fn part(column: usize, rows: std::ops::Range<usize>, xs: &Xs<'_>, values: &PartValues<'_>) -> Result<ChartColumn> {
    let point = |row: usize| Ok::<_, Error>(ChartPoint { x: xs.at(row), value: values.value(row)? });
    let mut min: Option<(usize, f64)> = None;
    let mut max: Option<(usize, f64)> = None;
    values.visit_extremes(rows.start, rows.end, &mut |first, part| {
        let (low, high) = extremes(part);
        let place = |wanted: f64| part.iter().position(|value| *value == wanted).map(|at| (first + at, wanted));
        if min.is_none_or(|(_, known)| low < known) {
            min = place(low).or(min);
        }
        if max.is_none_or(|(_, known)| high > known) {
            max = place(high).or(max);
        }
    })?;
    Ok(ChartColumn {
        column,
        count: rows.len() as u64,
        nan_count: values.nan_count(rows.clone()),
        first: point(rows.start)?,
        last: point(rows.end - 1)?,
        // From the row, since of two zeros with different signs one was looked for and the other may have been found.
        min: min.map(|(row, _)| point(row)).transpose()?,
        max: max.map(|(row, _)| point(row)).transpose()?,
    })
}

/// The x of the rows of a chunk; they never fall.
enum Xs<'a> {
    /// At equal distances.
    Even {
        first: i64,
        stride: i64,
        rows: usize,
    },
    Decoded(&'a [i64]),
}

impl Xs<'_> {
    fn at(&self, row: usize) -> i64 {
        match self {
            Self::Even { first, stride, .. } => first.wrapping_add(stride.wrapping_mul(row as i64)),
            Self::Decoded(xs) => xs.get(row).copied().unwrap_or(i64::MAX),
        }
    }

    /// How many rows have an x of at most `x`.
    fn rows_upto(&self, x: i64) -> usize {
        match self {
            Self::Decoded(xs) => xs.partition_point(|other| *other <= x),
            Self::Even { first, .. } if x < *first => 0,
            Self::Even { stride: 0, rows, .. } => *rows,
            Self::Even { first, stride, rows } => {
                let before = (i128::from(x) - i128::from(*first)) / i128::from(*stride);
                usize::try_from(before + 1).map_or(*rows, |count| count.min(*rows))
            }
        }
    }
}
