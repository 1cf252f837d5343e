//! Bands: what a metric of a group of runs is like, aligned along an axis.

use super::chart::ChartAxis;
use super::chart_options::ChartOptions;
use super::grid::Grid;
use super::metric::MetricQuery;
use super::smooth::Smoothing;
use super::view::View;
use crate::error::{Error, Result};

/// Most means of runs in columns: 1 GiB.
const MAX_MEANS: usize = 1 << 27;

/// A metric of a group of runs column by column: [`ChartOptions::bands`] makes it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let new = || store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT));
/// # let (one, two) = (new()?, new()?);
/// for step in 0..10 {
///     one.log_metric("loss", step, 1.0)?;
///     two.log_metric("loss", step, 2.0)?;
/// }
/// let (one, two) = (store.snapshot(one.id())?, store.snapshot(two.id())?);
/// let group = [one.metric("loss")?, two.metric("loss")?];
/// let bands = trackway::ChartOptions::new(800).bands(trackway::ChartAxis::Step, &group, &[0.25])?;
/// let third = &bands.columns[3];
/// assert_eq!((third.x, third.count, third.mean, third.std), ((3, 3), 2, 1.5, 0.5_f64.sqrt()));
/// assert_eq!((third.min, third.max, third.quantiles[0]), (1.0, 2.0, 1.25));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bands {
    /// Smallest and largest x, as of [`Chart::range`](super::Chart::range).
    pub range: Option<(i64, i64)>,
    /// Number of columns.
    pub width: usize,
    /// The columns in which any run has a value that is not NaN, in order.
    pub columns: Vec<BandColumn>,
    /// Points that have no place on the axis, as of [`Chart::left_out`](super::Chart::left_out).
    pub left_out: u64,
}

/// One column of pixels of [`Bands`].
///
/// A run has one value here: the mean of its finite values in the column, which is its value at the step where a column is
/// no wider than a step. `mean`, `std` and `quantiles` are those of these values, so that a run that logs more often does
/// not weigh more; `min` and `max` are of all points, so that no spike is hidden.
///
/// ```
/// let column = trackway::BandColumn {
///     column: 0, x: (0, 9), count: 3, mean: 2.0, std: 1.0, min: 0.5, max: 4.0, quantiles: vec![2.0],
/// };
/// assert!(column.min <= column.mean - column.std);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BandColumn {
    /// Number of the column, from 0 on.
    pub column: usize,
    /// First and last x that lie in the column.
    pub x: (i64, i64),
    /// How many runs have a finite value here.
    pub count: usize,
    /// Mean of the runs; NaN when no run has a finite value.
    pub mean: f64,
    /// Sample standard deviation of the runs (divided by their number less one, as pandas and seaborn do); NaN of less than
    /// two.
    pub std: f64,
    /// The smallest value of any run that is not NaN; it may be infinite.
    pub min: f64,
    /// The largest value of any run that is not NaN; it may be infinite.
    pub max: f64,
    /// The quantiles asked for, of the runs, linear between two of them (the default of NumPy and pandas); NaN when no run
    /// has a finite value.
    pub quantiles: Vec<f64>,
}

impl ChartOptions {
    /// Bands over a group: each question is one run's metric, and one run in the count. Runs may begin and end where they
    /// like; nothing is made up between their points. With [`Order::LastPerStep`](super::Order::LastPerStep) a question
    /// counts the last point of each step only, which is what a resumed run means that went back.
    ///
    /// Cost: reads every point, a piece at a time, and holds 8 bytes for each run and column.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # for seed in 0..3 {
    /// #     let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// #     for step in 0..100 { run.log_metric("loss", step, (seed + step) as f64)?; }
    /// # }
    /// use trackway::{ChartAxis, ChartOptions, RunFilter};
    ///
    /// let runs = store.runs(&RunFilter::default())?;
    /// let runs = runs.iter().map(|run| store.snapshot(run.id)).collect::<Result<Vec<_>, _>>()?;
    /// let group = runs.iter().map(|run| run.metric("loss")).collect::<Result<Vec<_>, _>>()?;
    /// let bands = ChartOptions::new(10).bands(ChartAxis::Step, &group, &[0.1, 0.5, 0.9])?;
    /// assert_eq!((bands.columns[0].x, bands.columns[0].quantiles[1]), ((0, 9), 5.5));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a quantile that does not lie in 0 to 1; [`Error::LimitExceeded`] for more than
    /// 134,217,728 runs times columns; and as [`MetricQuery::chart`].
    pub fn bands(&self, axis: ChartAxis, group: &[MetricQuery<'_>], quantiles: &[f64]) -> Result<Bands> {
        let smoothing = self.check()?;
        if let Some(wrong) = quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile)) {
            return Err(Error::invalid("quantile", format!("{wrong} does not lie in 0 to 1")));
        }
        let means = self.width.saturating_mul(group.len());
        if means > MAX_MEANS {
            let (limit, found) = (MAX_MEANS as u64, means as u64);
            return Err(Error::LimitExceeded { what: "runs times columns of bands", limit, found });
        }
        let views = group.iter().map(|query| self.view(query, axis)).collect::<Result<Vec<View<'_>>>>()?;
        let left_out = views.iter().try_fold(0, |sum, view| Ok::<_, Error>(sum + view.left_out()?))?;
        let nothing = Bands { range: None, width: self.width, columns: Vec::new(), left_out };
        let Some((range, grid)) = self.grid(&views)? else { return Ok(nothing) };
        let mut group = Group::new(self.width, views.len());
        for view in &views {
            group.add(view, &grid, smoothing)?;
        }
        let columns = group.columns(&grid, quantiles);
        let range = (!columns.is_empty()).then_some(range);
        Ok(Bands { range, columns, ..nothing })
    }
}

/// What is known of all runs that were added.
struct Group {
    width: usize,
    /// Run by run its mean in each column; NaN where it has none.
    means: Vec<f64>,
    /// Of each column smallest and largest value.
    extremes: Vec<(f64, f64)>,
    /// Of the run that is being added sum and number of values in each column.
    sums: Vec<(f64, u64)>,
}

impl Group {
    fn new(width: usize, runs: usize) -> Self {
        let extremes = vec![(f64::INFINITY, f64::NEG_INFINITY); width];
        Self { width, means: Vec::with_capacity(width * runs), extremes, sums: vec![(0.0, 0); width] }
    }

    fn add(&mut self, view: &View<'_>, grid: &Grid, smoothing: Option<Smoothing>) -> Result<()> {
        self.sums.fill((0.0, 0));
        view.each_shown(smoothing, &grid.at_origin(view.origin), |column, _, value| {
            let (Some(sum), Some(extremes)) = (self.sums.get_mut(column), self.extremes.get_mut(column)) else {
                return;
            };
            // Neither takes NaN.
            *extremes = (extremes.0.min(value), extremes.1.max(value));
            if value.is_finite() {
                *sum = (sum.0 + value, sum.1 + 1);
            }
        })?;
        self.means.extend(self.sums.iter().map(|(sum, count)| sum / *count as f64));
        Ok(())
    }

    fn columns(&self, grid: &Grid, quantiles: &[f64]) -> Vec<BandColumn> {
        let mut columns = Vec::new();
        let mut means = Vec::new();
        for (column, (min, max)) in self.extremes.iter().enumerate() {
            if min > max {
                continue;
            }
            means.clear();
            let of_runs = self.means.iter().skip(column).step_by(self.width);
            means.extend(of_runs.filter(|mean| !mean.is_nan()));
            means.sort_unstable_by(f64::total_cmp);
            let n = means.len() as f64;
            let mean = means.iter().sum::<f64>() / n;
            let squares: f64 = means.iter().map(|one| (one - mean) * (one - mean)).sum();
            let std = if means.len() > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN };
            let quantiles = quantiles.iter().map(|q| quantile(&means, *q)).collect();
            let (x, count) = (grid.range_of(column), means.len());
            columns.push(BandColumn { column, x, count, mean, std, min: *min, max: *max, quantiles });
        }
        columns
    }
}

/// A quantile of rising numbers, linear between two.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = q * last as f64;
    let below = place.floor();
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(below), at(place.ceil()));
    low + (high - low) * (place - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8], q)
        for (q, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&[1.0, 2.0, 4.0, 8.0], q) - expected).abs() < 1e-12, "{q}");
        }
        assert_eq!(quantile(&[3.0], 0.7), 3.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
