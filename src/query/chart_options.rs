//! How charts are asked for: width, part of the axis, scale, smoothing; of one metric, or of many side by side.

use super::chart::{Chart, ChartAxis};
use super::grid::Grid;
use super::metric::{MetricQuery, Order, Span};
use super::smooth::Smoothing;
use super::view::View;
use crate::error::{Error, Result};
use std::ops::{Bound, RangeBounds};

/// Widest chart: more columns than any screen has.
const MAX_WIDTH: usize = 1 << 20;

/// How charts are drawn. Where only the width matters, a number will do.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # for step in 0..10_000 { run.log_metric("loss", step, 1.0 / (step + 1) as f64)?; }
/// use trackway::{ChartAxis, ChartOptions};
///
/// let snapshot = store.snapshot(run.id())?;
/// let options = ChartOptions::new(4).log_x(true).smoothing(0.9);
/// let chart = snapshot.metric("loss")?.chart(ChartAxis::Step, options)?;
/// let firsts: Vec<i64> = chart.columns.iter().map(|column| column.first.x).collect();
/// assert_eq!((firsts, chart.left_out), (vec![1, 10, 100, 1000], 1), "step 0 has no logarithm");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartOptions {
    pub(super) width: usize,
    pub(super) log_x: bool,
    smoothing: Option<f64>,
    /// Smallest and largest x that is shown.
    pub(super) shown: (f64, f64),
}

impl From<usize> for ChartOptions {
    fn from(width: usize) -> Self {
        Self::new(width)
    }
}

impl ChartOptions {
    /// Charts of so many columns of pixels, of all points, on a linear axis.
    ///
    /// ```
    /// use trackway::ChartOptions;
    /// assert_eq!(ChartOptions::from(800), ChartOptions::new(800));
    /// ```
    pub const fn new(width: usize) -> Self {
        Self { width, log_x: false, smoothing: None, shown: (f64::NEG_INFINITY, f64::INFINITY) }
    }

    /// Shows only this part of the axis: a zoom, in steps, in milliseconds, or in values of the metric that lies along the
    /// chart. Unlike [`MetricQuery::steps`] it does not change which points smoothing takes. Whole numbers beyond 2^53 are
    /// not told apart here.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 0..100 { run.log_metric("loss", step, 0.5)?; }
    /// use trackway::{ChartAxis, ChartOptions};
    ///
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart(ChartAxis::Step, ChartOptions::new(10).range(20.0..40.0))?;
    /// assert_eq!((chart.range, chart.columns[0].count), (Some((20, 39)), 2));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn range(mut self, range: impl RangeBounds<f64>) -> Self {
        self.shown = ends(&range);
        self
    }

    /// Whether the x axis is logarithmic: the borders of columns lie at even distances of the logarithm. Points whose x is
    /// not above 0 have no place then, and are counted in [`Chart::left_out`]. Default: false.
    ///
    /// A logarithmic y axis needs nothing here: the highest and the lowest point stay what they are
    /// ([`ChartColumn`](super::ChartColumn)).
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..100 { run.log_metric("loss", step, 0.5)?; }
    /// use trackway::{ChartAxis, ChartOptions};
    ///
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart(ChartAxis::Step, ChartOptions::new(2).log_x(true))?;
    /// assert_eq!((chart.columns[0].count, chart.columns[1].count), (9, 90));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn log_x(mut self, yes: bool) -> Self {
        self.log_x = yes;
        self
    }

    /// Shows smoothed values: [`Smoothing`] with this weight over all points of the question by x, those of one x as
    /// written, whatever part of the axis is shown. Where a metric lies along the chart, by step. Of equal extremes the
    /// first one in this order counts.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for (step, value) in [(1, 0.0), (2, 1.0)] { run.log_metric("loss", step, value)?; }
    /// use trackway::{ChartAxis, ChartOptions};
    ///
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart(ChartAxis::Step, ChartOptions::new(1).smoothing(0.5))?;
    /// assert_eq!(chart.columns[0].last.value, 0.5 / 0.75);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn smoothing(mut self, weight: f64) -> Self {
        self.smoothing = Some(weight);
        self
    }

    /// A chart of each question, all with the same range and the same borders of columns, so that they can be laid on top
    /// of each other. The questions may be about several runs.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let new = || store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT));
    /// # let (short, long) = (new()?, new()?);
    /// # for step in 0..100 { long.log_metric("loss", step, 0.5)?; }
    /// # for step in 0..10 { short.log_metric("loss", step, 0.5)?; }
    /// use trackway::{ChartAxis, ChartOptions};
    ///
    /// let (short, long) = (store.snapshot(short.id())?, store.snapshot(long.id())?);
    /// let charts = ChartOptions::new(10).charts(ChartAxis::Step, &[short.metric("loss")?, long.metric("loss")?])?;
    /// assert_eq!((charts[0].range, charts[1].range), (Some((0, 99)), Some((0, 99))));
    /// assert_eq!((charts[0].columns.len(), charts[1].columns.len()), (1, 10));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`MetricQuery::chart`].
    pub fn charts(&self, axis: ChartAxis, queries: &[MetricQuery<'_>]) -> Result<Vec<Chart>> {
        let smoothing = self.check()?;
        let views: Result<Vec<View<'_>>> =
            queries.iter().map(|query| self.view(&query.clone().order(Order::AsWritten), axis)).collect();
        let views = views?;
        let Some((range, grid)) = self.grid(&views)? else {
            let empty = |view: &View<'_>| Ok(self.empty(view.left_out()?));
            return views.iter().map(empty).collect();
        };
        let chart = |view: &View<'_>| {
            let columns = match smoothing {
                None => view.columns(&grid)?,
                Some(smoothing) => view.smoothed(&grid, smoothing)?,
            };
            Ok(Chart { range: Some(range), width: self.width, columns, left_out: view.left_out()? })
        };
        let mut charts = views.iter().map(chart).collect::<Result<Vec<Chart>>>()?;
        if charts.iter().all(|chart| chart.columns.is_empty()) {
            charts.iter_mut().for_each(|chart| chart.range = None);
        }
        Ok(charts)
    }

    pub(super) fn view<'a>(&self, query: &MetricQuery<'a>, axis: ChartAxis) -> Result<View<'a>> {
        View::new(query, axis, self.zoom(), self.log_x)
    }

    /// The common range of all views and its columns, counted from their origins; `None` when nothing is to be shown.
    pub(super) fn grid(&self, views: &[View<'_>]) -> Result<Option<((i64, i64), Grid)>> {
        let mut range: Option<(i64, i64)> = None;
        for view in views {
            let Some((low, high)) = view.range()? else { continue };
            range = Some(range.map_or((low, high), |range| (range.0.min(low), range.1.max(high))));
        }
        let grid = |range| if self.log_x { Grid::log(range, self.width) } else { Grid::even(range, self.width) };
        Ok(range.map(|range| (range, grid(range))))
    }

    pub(super) fn empty<X>(&self, left_out: u64) -> Chart<X> {
        Chart { range: None, width: self.width, columns: Vec::new(), left_out }
    }

    /// The whole numbers that are shown.
    fn zoom(&self) -> Span {
        // Of numbers beyond 64 bits the nearest is taken, which must not bring in what was not asked for.
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        let (first, last) = (self.shown.0.ceil(), self.shown.1.floor());
        if first >= BEYOND || last < -BEYOND { Span::NONE } else { Span { first: first as i64, last: last as i64 } }
    }

    /// Checks everything that was asked for.
    pub(super) fn check(&self) -> Result<Option<Smoothing>> {
        check("chart width", self.width, self.shown)?;
        self.smoothing.map(Smoothing::new).transpose()
    }
}

/// Checks a number of columns or bins, and the ends of their range.
pub(super) fn check(what: &'static str, count: usize, (first, last): (f64, f64)) -> Result<()> {
    if count == 0 {
        return Err(Error::invalid(what, "it is 0"));
    }
    if count > MAX_WIDTH {
        return Err(Error::LimitExceeded { what, limit: MAX_WIDTH as u64, found: count as u64 });
    }
    if first.is_nan() || last.is_nan() {
        return Err(Error::invalid("range", "an end of it is NaN"));
    }
    Ok(())
}

/// Smallest and largest number of a range; infinite where it is open.
pub(super) fn ends(range: &impl RangeBounds<f64>) -> (f64, f64) {
    let first = match range.start_bound() {
        Bound::Included(first) => *first,
        Bound::Excluded(before) => before.next_up(),
        Bound::Unbounded => f64::NEG_INFINITY,
    };
    let last = match range.end_bound() {
        Bound::Included(last) => *last,
        Bound::Excluded(after) => after.next_down(),
        Bound::Unbounded => f64::INFINITY,
    };
    (first, last)
}

impl MetricQuery<'_> {
    /// The points of the answer as a chart: first, last, smallest and largest of each column of pixels, exactly. All
    /// points count, whatever [`MetricQuery::order`] says.
    ///
    /// Cost: for each column a few statistics, and unpacking of 512 points around its borders, or a chunk where
    /// compaction chose pcodec; nearly nothing of that when the same chart is drawn again of an open snapshot. Chunks in
    /// which the axis goes back are read whole. Smoothing reads every point, and keeps all of them in memory when the axis
    /// goes back anywhere.
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
    /// [`Error::InvalidArgument`] for a width of 0, a range that ends in NaN, or a weight of smoothing that is not at least
    /// 0 and below 1; [`Error::LimitExceeded`] for a width beyond 1,048,576; and as [`MetricQuery::read_into`].
    pub fn chart(&self, axis: ChartAxis, options: impl Into<ChartOptions>) -> Result<Chart> {
        let options = options.into();
        let mut charts = options.charts(axis, std::slice::from_ref(self))?;
        Ok(charts.pop().unwrap_or_else(|| options.empty(0)))
    }
}
