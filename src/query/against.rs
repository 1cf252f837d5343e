//! One metric along another: points of both that have the same step.

use super::chart::{Chart, ChartPoint};
use super::chart_options::ChartOptions;
use super::grid::Edges;
use super::m4::M4;
use super::metric::{MetricQuery, Order};
use super::smooth::Smoothing;
use crate::error::Result;
use crate::store::Along;
use crate::types::Columns;

/// A metric, and the one that lies along its chart.
struct Join<'a> {
    query: MetricQuery<'a>,
    /// One value a step, by step.
    xs: Columns,
}

impl<'a> Join<'a> {
    fn new(query: &MetricQuery<'a>, x: &MetricQuery<'_>) -> Result<Self> {
        let query = query.clone().order(Order::AsWritten);
        Ok(Self { query, xs: x.clone().order(Order::LastPerStep).read()? })
    }

    /// Hands over x, if there is one and it is finite, and value of each point by step.
    fn each(&self, smoothing: Option<Smoothing>, mut take: impl FnMut(Option<f64>, f64)) -> Result<()> {
        let mut smoothing = smoothing.map(|smoothing| self.query.smoothing(smoothing)).transpose()?.flatten();
        let mut xs = self.xs.steps().iter().zip(self.xs.values()).peekable();
        self.query.each_along(Along::Steps, |step, value| {
            while xs.next_if(|(at, _)| **at < step).is_some() {}
            let x = xs.peek().filter(|(at, x)| **at == step && x.is_finite()).map(|(_, x)| **x);
            take(x, smoothing.as_mut().map_or(value, |smoothing| smoothing.push(value)));
        })
    }
}

impl ChartOptions {
    /// Charts of metrics along others, each pair a metric and what lies along its chart, all with the same range and the
    /// same borders of columns. What they show is told at [`MetricQuery::against`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// for step in 0..100 {
    ///     run.log_metrics(step, &[("loss", 0.5), ("acc", 0.8), ("tokens", 4096.0 * step as f64)])?;
    /// }
    /// let snapshot = store.snapshot(run.id())?;
    /// let pairs = [(snapshot.metric("loss")?, snapshot.metric("tokens")?), (snapshot.metric("acc")?, snapshot.metric("tokens")?)];
    /// let charts = trackway::ChartOptions::new(10).charts_against(&pairs)?;
    /// assert_eq!((charts[1].range, charts[1].columns.len()), (Some((0.0, 4096.0 * 99.0)), 10));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`MetricQuery::chart`].
    pub fn charts_against(&self, pairs: &[(MetricQuery<'_>, MetricQuery<'_>)]) -> Result<Vec<Chart<f64>>> {
        let smoothing = self.check()?;
        // What lies along one chart is in memory at a time.
        let range = self.range_of(pairs)?;
        let edges =
            range.map(|range| if self.log_x { Edges::log(range, self.width) } else { Edges::even(range, self.width) });
        let mut charts = Vec::with_capacity(pairs.len());
        for (query, x) in pairs {
            let mut columns = M4::new(if edges.is_some() { self.width } else { 0 });
            let mut left_out = 0;
            Join::new(query, x)?.each(smoothing, |x, value| {
                let Some(x) = self.on_axis(x) else {
                    left_out += 1;
                    return;
                };
                if let Some(column) = edges.as_ref().and_then(|edges| edges.find(x)) {
                    columns.push(column, x, value);
                }
            })?;
            charts.push(Chart { range, width: self.width, columns: columns.into_columns(), left_out });
        }
        if charts.iter().all(|chart| chart.columns.is_empty()) {
            charts.iter_mut().for_each(|chart| chart.range = None);
        }
        Ok(charts)
    }

    /// An x that has a place on the axis.
    fn on_axis(&self, x: Option<f64>) -> Option<f64> {
        x.filter(|x| !self.log_x || *x > 0.0)
    }

    /// The range that was asked for, with that of the points where it is open.
    fn range_of(&self, pairs: &[(MetricQuery<'_>, MetricQuery<'_>)]) -> Result<Option<(f64, f64)>> {
        let (first, last) = self.shown;
        let asked = (self.on_axis(Some(first)).filter(|x| x.is_finite()), Some(last).filter(|x| x.is_finite()));
        if let (Some(first), Some(last)) = asked {
            return Ok((first <= last).then_some((first, last)));
        }
        let mut range: Option<(f64, f64)> = None;
        for (query, x) in pairs {
            Join::new(query, x)?.each(None, |x, _| {
                if let Some(x) = self.on_axis(x).filter(|x| first <= *x && *x <= last) {
                    range = Some(range.map_or((x, x), |range| (range.0.min(x), range.1.max(x))));
                }
            })?;
        }
        Ok(range.map(|(low, high)| (asked.0.unwrap_or(low), asked.1.unwrap_or(high))))
    }
}

impl MetricQuery<'_> {
    /// The points of the answer by step, each with the value of another metric at its step as x: of several of that metric
    /// the one written last. Points at whose step it has no value, or none that is finite, are left out. All points of
    /// this question count, whatever [`MetricQuery::order`] says; those of one step come as written.
    ///
    /// Cost: both are read, and the other one is held in memory meanwhile (24 bytes a point).
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// for step in 1..=3 {
    ///     run.log_metric("loss", step, 1.0 / step as f64)?;
    /// }
    /// run.log_metric("epoch", 2, 0.5)?;
    /// let snapshot = store.snapshot(run.id())?;
    /// let points = snapshot.metric("loss")?.against(&snapshot.metric("epoch")?)?;
    /// assert_eq!(points, [trackway::ChartPoint { x: 0.5, value: 0.5 }]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`MetricQuery::read_into`].
    pub fn against(&self, x: &MetricQuery<'_>) -> Result<Vec<ChartPoint<f64>>> {
        let mut points = Vec::new();
        Join::new(self, x)?.each(None, |x, value| points.extend(x.map(|x| ChartPoint { x, value })))?;
        Ok(points)
    }

    /// The points of [`Self::against`] as a chart. Of points with the same x the one with the smaller step counts as
    /// written first, whichever way the other metric goes. Points without an x are counted in [`Chart::left_out`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// for (step, tokens) in [(1, 100.0), (2, 400.0), (3, f64::NAN), (4, 200.0)] {
    ///     run.log_metrics(step, &[("loss", 1.0 / step as f64), ("tokens", tokens)])?;
    /// }
    /// let snapshot = store.snapshot(run.id())?;
    /// let chart = snapshot.metric("loss")?.chart_against(&snapshot.metric("tokens")?, 800)?;
    /// assert_eq!((chart.range, chart.left_out), (Some((100.0, 400.0)), 1));
    /// assert_eq!(chart.columns.last().map(|column| column.last.value), Some(0.5));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::chart`].
    pub fn chart_against(&self, x: &MetricQuery<'_>, options: impl Into<ChartOptions>) -> Result<Chart<f64>> {
        let options = options.into();
        let mut charts = options.charts_against(&[(self.clone(), x.clone())])?;
        Ok(charts.pop().unwrap_or_else(|| options.empty(0)))
    }
}
