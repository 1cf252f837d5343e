//! Charts as values: what is drawn, column of pixels by column of pixels.

/// What lies along a chart.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::{ChartAxis, ExperimentId, NewRun};
///
/// let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).start_time(50))?;
/// run.log_metric_at("loss", 1, 70, 0.5)?;
/// let snapshot = store.snapshot(run.id())?;
/// assert_eq!(snapshot.metric("loss")?.chart(ChartAxis::Timestamp, 800)?.range, Some((70, 70)));
/// assert_eq!(snapshot.metric("loss")?.chart(ChartAxis::SinceStart, 800)?.range, Some((20, 20)));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChartAxis {
    /// Steps.
    #[default]
    Step,
    /// Timestamps, in milliseconds since the Unix epoch.
    Timestamp,
    /// Timestamps, in milliseconds since the start of the run that the point is of
    /// ([`Run::start_time`](crate::types::Run::start_time)); negative before it. Differences beyond 64 bits are not shown.
    SinceStart,
}

/// A point of a chart. Its x is a whole number, but where another metric lies along the chart.
///
/// ```
/// let peak = trackway::ChartPoint { x: 7, value: 0.25 };
/// assert_eq!(peak.x, 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint<X = i64> {
    /// Step or time, or the value of the metric that lies along the chart.
    pub x: X,
    /// The value.
    pub value: f64,
}

/// The points of one column of pixels, of which there is at least one.
///
/// On a logarithmic y axis `min` and `max` stay the lowest and the highest point, since the logarithm rises with its
/// number. Where `min` is not above 0, points of the column have no place on such an axis.
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
pub struct ChartColumn<X = i64> {
    /// Number of the column, from 0 on.
    pub column: usize,
    /// Number of points.
    pub count: u64,
    /// How many of them are NaN.
    pub nan_count: u64,
    /// The point with the smallest x; of several the one written first.
    pub first: ChartPoint<X>,
    /// The point with the greatest x; of several the one written last.
    pub last: ChartPoint<X>,
    /// The point with the smallest value, of several the one written first; `None` when all are NaN.
    pub min: Option<ChartPoint<X>>,
    /// The point with the largest value, of several the one written first; `None` when all are NaN.
    pub max: Option<ChartPoint<X>>,
}

impl<X: Copy + PartialOrd> ChartColumn<X> {
    /// The points through which a line covers the same pixels as one through all points: first, smallest, largest and
    /// last, by x. A point that is two of them comes once.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for (step, value) in [(1, 0.5), (2, 9.0), (3, 8.0), (4, 0.4)] { run.log_metric("loss", step, value)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart(trackway::ChartAxis::Step, 1)?;
    /// let line: Vec<_> = chart.columns[0].line().map(|point| (point.x, point.value)).collect();
    /// assert_eq!(line, [(1, 0.5), (2, 9.0), (4, 0.4)]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn line(&self) -> impl Iterator<Item = ChartPoint<X>> + use<X> {
        let is_same = |a: ChartPoint<X>, b: ChartPoint<X>| a.x == b.x && a.value.to_bits() == b.value.to_bits();
        let (first, last) = (self.first, self.last);
        let [low, high] = self.extremes();
        let inner = |point: &ChartPoint<X>| !is_same(*point, first) && !is_same(*point, last);
        let (low, high) = (low.filter(inner), high.filter(inner));
        let once = |one: &ChartPoint<X>| low.is_none_or(|low| !is_same(low, *one));
        let last = Some(last).filter(|last| self.count > 1 && !is_same(first, *last));
        [Some(first), low, high.filter(once), last].into_iter().flatten()
    }

    /// Smallest and largest point, the one with the smaller x first.
    fn extremes(&self) -> [Option<ChartPoint<X>>; 2] {
        match (self.min, self.max) {
            (Some(min), Some(max)) if max.x < min.x => [Some(max), Some(min)],
            extremes => extremes.into(),
        }
    }
}

/// A metric at a given width: [`MetricQuery::chart`](super::MetricQuery::chart) makes it.
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
pub struct Chart<X = i64> {
    /// Smallest and largest x that it shows: the range asked for, or where that is open, that of the points; of charts
    /// that were asked for together, of the points of all. `None` when there is no point.
    pub range: Option<(X, X)>,
    /// Number of columns.
    pub width: usize,
    /// The columns that have a point, in order. Column `k` of `width` has the points with
    /// `(x - first) * width / (last - first + 1) = k`, rounded down; of a logarithmic axis those from
    /// `first * ((last + 1) / first)^(k / width)` on. Where a metric lies along the chart, the range has no `+ 1`, and its
    /// end belongs to the last column.
    pub columns: Vec<ChartColumn<X>>,
    /// Points that have no place on the axis: x is not above 0 and the axis is logarithmic, or the metric that lies along
    /// the chart has no finite value at their step.
    pub left_out: u64,
}

impl<X: Copy + PartialOrd> Chart<X> {
    /// The points of a line that covers the same pixels as one through all points (M4): [`ChartColumn::line`] of each
    /// column.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 0..1000 { run.log_metric("loss", step, (step % 7) as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart(trackway::ChartAxis::Step, 10)?;
    /// let csv: Vec<String> = chart.line().map(|point| format!("{},{}", point.x, point.value)).collect();
    /// assert!(csv.len() <= 40);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn line(&self) -> impl Iterator<Item = ChartPoint<X>> + '_ {
        self.columns.iter().flat_map(ChartColumn::line)
    }

    /// The smallest and the largest point of each column, by x (min-max): half as many points as [`Self::line`], and a
    /// line that can differ from the true one where it enters or leaves a column.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for (step, value) in [(1, 0.5), (2, 9.0), (3, 0.1), (4, 0.4)] { run.log_metric("loss", step, value)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart(trackway::ChartAxis::Step, 1)?;
    /// assert_eq!(chart.min_max().map(|point| point.value).collect::<Vec<_>>(), [9.0, 0.1]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn min_max(&self) -> impl Iterator<Item = ChartPoint<X>> + '_ {
        self.columns.iter().flat_map(|column| {
            let [low, high] = column.extremes();
            [low, high.filter(|high| low != Some(*high))].into_iter().flatten()
        })
    }
}
