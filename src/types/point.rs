//! One point of a metric, and which of several counts as the latest.

use std::cmp::Ordering;

/// One point of a metric. Every combination of bits is legal: negative steps, NaN and infinities are data.
///
/// ```
/// use trackway::Point;
///
/// let (earlier, later) = (Point::new(1, 20, 0.9), Point::new(2, 10, 0.1));
/// assert!(later.cmp_latest(&earlier).is_gt(), "the step decides first");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Training step, or whatever the caller counts.
    pub step: i64,
    /// Wall time in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// The value.
    pub value: f64,
}

impl Point {
    /// The point with these three numbers.
    ///
    /// ```
    /// let point = trackway::Point::new(100, 1_700_000_000_000, 0.25);
    /// assert_eq!((point.step, point.value), (100, 0.25));
    /// ```
    pub const fn new(step: i64, timestamp: i64, value: f64) -> Self {
        Self { step, timestamp, value }
    }

    /// Equality of bits: NaN equals the same NaN, and 0.0 differs from -0.0.
    ///
    /// ```
    /// let point = trackway::Point::new(1, 0, f64::NAN);
    /// assert!(point.same_bits(&point) && point != point);
    /// ```
    pub fn same_bits(&self, other: &Self) -> bool {
        (self.step, self.timestamp, self.value.to_bits()) == (other.step, other.timestamp, other.value.to_bits())
    }

    /// Orders points by (step, timestamp, value), where NaN takes part as 0 and loses against a true 0: the greatest
    /// is the *latest* value of a metric, as MLflow defines it.
    ///
    /// ```
    /// use trackway::Point;
    ///
    /// let points = [Point::new(2, 10, 0.3), Point::new(2, 20, 0.2), Point::new(1, 30, 0.1)];
    /// let latest = points.into_iter().max_by(Point::cmp_latest);
    /// assert_eq!(latest, Some(Point::new(2, 20, 0.2)));
    /// ```
    pub fn cmp_latest(&self, other: &Self) -> Ordering {
        let rank = |p: &Self| if p.value.is_nan() { 0.0 } else { p.value };
        (self.step, self.timestamp)
            .cmp(&(other.step, other.timestamp))
            .then(rank(self).total_cmp(&rank(other)))
            .then(other.value.is_nan().cmp(&self.value.is_nan()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_goes_by_step_then_time_then_value_with_nan_as_zero() {
        let p = Point::new;
        assert_eq!(p(2, 0, 0.0).cmp_latest(&p(1, 9, 9.0)), Ordering::Greater);
        assert_eq!(p(1, 1, 0.0).cmp_latest(&p(1, 0, 9.0)), Ordering::Greater);
        assert_eq!(p(1, 1, f64::NAN).cmp_latest(&p(1, 1, -1.0)), Ordering::Greater);
        assert_eq!(p(1, 1, f64::NAN).cmp_latest(&p(1, 1, 1.0)), Ordering::Less);
        assert_eq!(p(1, 1, f64::NAN).cmp_latest(&p(1, 1, 0.0)), Ordering::Less);
    }
}
