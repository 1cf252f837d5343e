//! Statistics of one chunk. What depends on steps and timestamps alone is found once for all metrics that share them.

use crate::types::{Point, Stats, extremes, first_equal};

/// Steps or timestamps of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkColumn<'a> {
    pub(super) values: &'a [i64],
    /// The smallest and the largest; 0 of none.
    pub(super) min: i64,
    pub(super) max: i64,
    /// Whether none is smaller than the one before it.
    pub(super) sorted: bool,
}

impl<'a> ChunkColumn<'a> {
    fn new(values: &'a [i64]) -> Self {
        let (first, last) = (values.first().copied().unwrap_or(0), values.last().copied().unwrap_or(0));
        if values.is_sorted() {
            return Self { values, min: first, max: last, sorted: true };
        }
        let (min, max) = values.iter().fold((first, first), |(low, high), v| (low.min(*v), high.max(*v)));
        Self { values, min, max, sorted: false }
    }

    fn range(&self) -> Option<(i64, i64)> {
        (!self.values.is_empty()).then_some((self.min, self.max))
    }
}

/// Steps and timestamps of a chunk, and what they say about every metric that has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkAxis<'a> {
    pub(super) steps: ChunkColumn<'a>,
    pub(super) timestamps: ChunkColumn<'a>,
    /// The greatest (step, timestamp), the first row that has it, and whether a later one does too.
    latest: (i64, i64),
    latest_row: usize,
    latest_is_shared: bool,
}

impl<'a> ChunkAxis<'a> {
    /// Both slices have the same length.
    pub(crate) fn new(steps: &'a [i64], timestamps: &'a [i64]) -> Self {
        let mut axis = Self {
            steps: ChunkColumn::new(steps),
            timestamps: ChunkColumn::new(timestamps),
            latest: (i64::MIN, i64::MIN),
            latest_row: 0,
            latest_is_shared: false,
        };
        // Of steps that never go back only the last and its equals can be the greatest.
        let greatest = axis.steps.max;
        let rest = match axis.steps.sorted {
            true => steps.iter().rposition(|step| *step != greatest).map_or(0, |row| row + 1),
            false => 0,
        };
        for (row, at) in steps.iter().copied().zip(timestamps.iter().copied()).enumerate().skip(rest) {
            if at > axis.latest || row == rest {
                (axis.latest, axis.latest_row, axis.latest_is_shared) = (at, row, false);
            } else if at == axis.latest {
                axis.latest_is_shared = true;
            }
        }
        axis
    }

    fn point(&self, row: usize, values: &[f64]) -> Option<Point> {
        Some(Point::new(*self.steps.values.get(row)?, *self.timestamps.values.get(row)?, *values.get(row)?))
    }

    /// Statistics of a metric with these values, one a row: the same as pushing point after point, but for the order in
    /// which the sums are added up.
    pub(crate) fn count(&self, values: &[f64]) -> Stats {
        let (low, high) = extremes(values);
        let nan_count = values.iter().map(|value| u64::from(value.is_nan())).sum::<u64>();
        let (sum, sum_of_squares) = sums(values);
        let has_numbers = nan_count < values.len() as u64;
        // Of equal extremes the first counts, so it is looked for by value.
        let extreme = |wanted: f64| {
            let row = first_equal(values, wanted).filter(|_| has_numbers);
            row.and_then(|row| self.point(row, values))
        };
        Stats {
            count: values.len() as u64,
            nan_count,
            first: self.point(0, values),
            last: values.len().checked_sub(1).and_then(|row| self.point(row, values)),
            min: extreme(low),
            max: extreme(high),
            latest: self.latest(values),
            step_range: self.steps.range(),
            time_range: self.timestamps.range(),
            sum,
            sum_of_squares,
        }
    }

    fn latest(&self, values: &[f64]) -> Option<Point> {
        let first = self.point(self.latest_row, values)?;
        if !self.latest_is_shared {
            return Some(first);
        }
        let rest = (self.latest_row + 1..values.len()).filter_map(|row| self.point(row, values));
        Some(rest.fold(first, |latest, point| if point.cmp_latest(&latest).is_gt() { point } else { latest }))
    }
}

/// The sums of the values that are not NaN and of their squares. Eight sums each, since an addition to one sum has to
/// wait for the one before.
fn sums(values: &[f64]) -> (f64, f64) {
    let (mut sums, mut squares) = ([0.0; 8], [0.0; 8]);
    let (eights, rest) = values.as_chunks::<8>();
    let mut take = |part: &[f64]| {
        for ((value, sum), square) in part.iter().zip(&mut sums).zip(&mut squares) {
            let number = if value.is_nan() { 0.0 } else { *value };
            *sum += number;
            *square += number * number;
        }
    };
    eights.iter().for_each(|eight| take(eight));
    take(rest);
    (sums.iter().sum(), squares.iter().sum())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_near(a: f64, b: f64) -> bool {
        a == b || (a - b).abs() < 1e-9 || (a.is_nan() && b.is_nan())
    }

    proptest! {
        #[test]
        fn a_chunk_counts_as_its_points_one_by_one(
            points in prop::collection::vec((-3i64..3, -3i64..3, prop_oneof![
                2 => Just(f64::NAN), 6 => -2.0..2.0f64, 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(f64::INFINITY),
            ]), 0..90),
        ) {
            let steps: Vec<i64> = points.iter().map(|p| p.0).collect();
            let timestamps: Vec<i64> = points.iter().map(|p| p.1).collect();
            let values: Vec<f64> = points.iter().map(|p| p.2).collect();
            let mut expected = Stats::default();
            points.iter().for_each(|p| expected.push(Point::new(p.0, p.1, p.2)));
            let counted = ChunkAxis::new(&steps, &timestamps).count(&values);
            prop_assert!(is_near(counted.sum, expected.sum), "{counted:?} {expected:?}");
            prop_assert!(is_near(counted.sum_of_squares, expected.sum_of_squares), "{counted:?} {expected:?}");
            (expected.sum, expected.sum_of_squares) = (counted.sum, counted.sum_of_squares);
            // As text, since NaN differs from itself.
            prop_assert_eq!(format!("{counted:?}"), format!("{expected:?}"));
        }
    }
}
