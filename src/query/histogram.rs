//! How often values of a metric lie where.

use super::chart_options::{check, ends};
use super::grid::Edges;
use super::metric::{MetricQuery, Order};
use crate::error::Result;
use crate::store::Along;
use std::ops::RangeBounds;

/// The values of a metric in bins of equal width: [`MetricQuery::histogram`] makes it. Each point is counted once, in a bin
/// or in one of the other counts.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # for (step, value) in [(1, 0.0), (2, 0.5), (3, 2.0), (4, f64::NAN)] { run.log_metric("loss", step, value)?; }
/// let snapshot = store.snapshot(run.id())?;
/// let histogram = snapshot.metric("loss")?.histogram(4, ..)?;
/// for (edges, count) in histogram.edges.windows(2).zip(&histogram.counts) {
///     println!("{} .. {}: {count}", edges[0], edges[1]);
/// }
/// assert_eq!((histogram.counts, histogram.nan_count), (vec![1, 1, 0, 1], 1));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Edges of the bins, rising, one more than bins: bin `k` has the values from edge `k` on and below edge `k + 1`, the
    /// last one those at its upper edge, too. Empty when the range holds no number: an open end with no finite value up to
    /// there.
    pub edges: Vec<f64>,
    /// How many values lie in each bin.
    pub counts: Vec<u64>,
    /// Finite values below the first edge.
    pub below: u64,
    /// Finite values above the last edge.
    pub above: u64,
    /// Values that are NaN.
    pub nan_count: u64,
    /// Values that are infinite, below 0.
    pub negative_infinity: u64,
    /// Values that are infinite, above 0.
    pub positive_infinity: u64,
}

impl MetricQuery<'_> {
    /// Counts the values of the answer in bins of equal width over `range`; where it is open, up to the smallest and the
    /// largest finite value. A single value has half a unit around it. All points count, whatever
    /// [`MetricQuery::order`] says.
    ///
    /// Cost: reads every point, a chunk at a time.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 0..100 { run.log_metric("loss", step, step as f64 / 10.0)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let histogram = snapshot.metric("loss")?.histogram(2, 0.0..=1.0)?;
    /// assert_eq!((histogram.edges, histogram.counts), (vec![0.0, 0.5, 1.0], vec![5, 6]));
    /// assert_eq!(histogram.above, 89);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::error::Error::InvalidArgument) for no bins or a range that ends in NaN;
    /// [`Error::LimitExceeded`](crate::error::Error::LimitExceeded) for more than 1,048,576 bins; and as
    /// [`MetricQuery::read_into`].
    pub fn histogram(&self, bins: usize, range: impl RangeBounds<f64>) -> Result<Histogram> {
        let asked = ends(&range);
        check("bins", bins, asked)?;
        let query = self.clone().order(Order::AsWritten);
        let edges = query.range_of_values(asked)?.map(|range| Edges::even(range, bins));
        let mut found = Histogram { counts: vec![0; if edges.is_some() { bins } else { 0 }], ..Histogram::default() };
        query.each_piece(|points| {
            points.values().iter().for_each(|value| found.count(edges.as_ref(), asked.1, *value))
        })?;
        found.edges = edges.map_or_else(Vec::new, Edges::into_vec);
        Ok(found)
    }

    /// The range asked for, with that of the finite values where it is open.
    fn range_of_values(&self, (first, last): (f64, f64)) -> Result<Option<(f64, f64)>> {
        if first.is_finite() && last.is_finite() {
            return Ok((first <= last).then_some((first, last)));
        }
        let all = self.summary(Along::Steps)?;
        let mut range = all.and_then(|all| all.min.zip(all.max)).map(|(min, max)| (min.value, max.value));
        if range.is_some_and(|(low, high)| low.is_infinite() || high.is_infinite()) {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            self.each_piece(|points| {
                for value in points.values().iter().filter(|value| value.is_finite()) {
                    (low, high) = (low.min(*value), high.max(*value));
                }
            })?;
            range = (low <= high).then_some((low, high));
        }
        let Some((low, high)) = range else { return Ok(None) };
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let range = (if first.is_finite() { first } else { low }, if last.is_finite() { last } else { high });
        Ok((range.0 <= range.1).then_some(range))
    }
}

impl Histogram {
    /// `last` is the upper end that was asked for.
    fn count(&mut self, edges: Option<&Edges>, last: f64, value: f64) {
        let slot = match edges.and_then(|edges| edges.find(value)).and_then(|bin| self.counts.get_mut(bin)) {
            Some(bin) => bin,
            None if value.is_nan() => &mut self.nan_count,
            None if value == f64::NEG_INFINITY => &mut self.negative_infinity,
            None if value == f64::INFINITY => &mut self.positive_infinity,
            None if value > last => &mut self.above,
            None => &mut self.below,
        };
        *slot += 1;
    }
}
