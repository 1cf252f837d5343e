//! What is known of a series of points without reading them.

use crate::types::Point;

/// Statistics of a series of points in the order they were written.
///
/// Laws: `count == 0` exactly when every `Option` is `None`; `min` and `max` are `None` when all values are NaN;
/// of equal extremes the first written counts. `sum` and `sum_of_squares` leave NaN out and may be infinite.
///
/// ```
/// use trackway::{Point, Stats};
///
/// let mut stats = Stats::default();
/// for (step, value) in [(1, 3.0), (2, f64::NAN), (3, 1.0)] {
///     stats.push(Point::new(step, 0, value));
/// }
/// assert_eq!((stats.count, stats.nan_count, stats.mean()), (3, 1, Some(2.0)));
/// assert_eq!(stats.min.map(|point| point.step), Some(3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Number of points.
    pub count: u64,
    /// How many of them are NaN.
    pub nan_count: u64,
    /// First and last point as written.
    pub first: Option<Point>,
    /// The last point as written.
    pub last: Option<Point>,
    /// The point with the smallest value.
    pub min: Option<Point>,
    /// The point with the largest value.
    pub max: Option<Point>,
    /// The point with the greatest (step, timestamp, value): what trackers call the latest value.
    pub latest: Option<Point>,
    /// Smallest and largest step.
    pub step_range: Option<(i64, i64)>,
    /// Smallest and largest timestamp, in milliseconds since the Unix epoch.
    pub time_range: Option<(i64, i64)>,
    /// Sum of the values that are not NaN.
    pub sum: f64,
    /// Sum of the squares of the values that are not NaN.
    pub sum_of_squares: f64,
}

impl Stats {
    /// Takes one more point, written after all others.
    ///
    /// ```
    /// use trackway::{Point, Stats};
    ///
    /// let mut stats = Stats::default();
    /// stats.push(Point::new(1, 0, 0.5));
    /// stats.push(Point::new(2, 0, 0.25));
    /// assert_eq!((stats.count, stats.min.map(|point| point.step)), (2, Some(2)));
    /// ```
    pub fn push(&mut self, point: Point) {
        self.count += 1;
        self.first.get_or_insert(point);
        self.last = Some(point);
        if self.latest.is_none_or(|latest| point.cmp_latest(&latest).is_gt()) {
            self.latest = Some(point);
        }
        self.step_range = widen(self.step_range, (point.step, point.step));
        self.time_range = widen(self.time_range, (point.timestamp, point.timestamp));
        if point.value.is_nan() {
            self.nan_count += 1;
            return;
        }
        if self.min.is_none_or(|min| point.value < min.value) {
            self.min = Some(point);
        }
        if self.max.is_none_or(|max| point.value > max.value) {
            self.max = Some(point);
        }
        self.sum += point.value;
        self.sum_of_squares += point.value * point.value;
    }

    /// Takes the points that `later` describes, all written after the ones described here.
    ///
    /// ```
    /// use trackway::{Point, Stats};
    ///
    /// let (mut first, mut second) = (Stats::default(), Stats::default());
    /// first.push(Point::new(1, 0, 0.5));
    /// second.push(Point::new(2, 0, 0.25));
    /// first.merge(&second);
    /// assert_eq!((first.count, first.step_range), (2, Some((1, 2))));
    /// ```
    pub fn merge(&mut self, later: &Self) {
        self.count += later.count;
        self.nan_count += later.nan_count;
        self.first = self.first.or(later.first);
        self.last = later.last.or(self.last);
        if let Some(point) = later.latest
            && self.latest.is_none_or(|latest| point.cmp_latest(&latest).is_gt())
        {
            self.latest = Some(point);
        }
        if let Some(range) = later.step_range {
            self.step_range = widen(self.step_range, range);
        }
        if let Some(range) = later.time_range {
            self.time_range = widen(self.time_range, range);
        }
        if let Some(point) = later.min
            && self.min.is_none_or(|min| point.value < min.value)
        {
            self.min = Some(point);
        }
        if let Some(point) = later.max
            && self.max.is_none_or(|max| point.value > max.value)
        {
            self.max = Some(point);
        }
        self.sum += later.sum;
        self.sum_of_squares += later.sum_of_squares;
    }

    /// Mean of the values that are not NaN; `None` when there is none.
    ///
    /// ```
    /// use trackway::{Point, Stats};
    ///
    /// let mut stats = Stats::default();
    /// assert_eq!(stats.mean(), None);
    /// for (step, value) in [(1, 3.0), (2, f64::NAN), (3, 1.0)] {
    ///     stats.push(Point::new(step, 0, value));
    /// }
    /// assert_eq!(stats.mean(), Some(2.0));
    /// ```
    pub fn mean(&self) -> Option<f64> {
        let numbers = self.count - self.nan_count;
        (numbers > 0).then(|| self.sum / numbers as f64)
    }
}

/// The smallest and the largest of the values that are not NaN; infinities the wrong way round when there is none.
pub(crate) fn extremes(values: &[f64]) -> (f64, f64) {
    // Eight at a time, each against its own: compared one by one every value would wait for the one before it.
    let (mut lows, mut highs) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
    let (eights, rest) = values.as_chunks::<8>();
    let mut take = |part: &[f64]| {
        for ((value, low), high) in part.iter().zip(&mut lows).zip(&mut highs) {
            *low = if *value < *low { *value } else { *low };
            *high = if *value > *high { *value } else { *high };
        }
    };
    eights.iter().for_each(|eight| take(eight));
    take(rest);
    let low = lows.into_iter().fold(f64::INFINITY, |low, other| if other < low { other } else { low });
    (low, highs.into_iter().fold(f64::NEG_INFINITY, |high, other| if other > high { other } else { high }))
}

/// Where the first value lies that is equal to `wanted`.
pub(crate) fn first_equal(values: &[f64], wanted: f64) -> Option<usize> {
    // Most blocks are dismissed as a whole, many values at once.
    const BLOCK: usize = 64;
    let mut blocks = values.chunks(BLOCK);
    let block = blocks.position(|block| block.iter().fold(false, |found, value| found | (*value == wanted)))?;
    let place = values.get(block * BLOCK..)?.iter().position(|value| *value == wanted)?;
    Some(block * BLOCK + place)
}

fn widen(range: Option<(i64, i64)>, other: (i64, i64)) -> Option<(i64, i64)> {
    Some(range.map_or(other, |(low, high)| (low.min(other.0), high.max(other.1))))
}
