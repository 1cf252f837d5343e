//! Statistics of one chunk. What depends on steps and timestamps alone is found once for all metrics that share them.

use crate::types::{Point, Stats, extremes};

/// Steps and timestamps of a chunk, and what they say about every metric that has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkAxis<'a> {
    steps: &'a [i64],
    timestamps: &'a [i64],
    step_range: Option<(i64, i64)>,
    time_range: Option<(i64, i64)>,
    /// The greatest (step, timestamp), the first row that has it, and whether a later one does too.
    latest: (i64, i64),
    latest_row: usize,
    latest_is_shared: bool,
}

impl<'a> ChunkAxis<'a> {
    /// Both slices have the same length.
    pub(crate) fn new(steps: &'a [i64], timestamps: &'a [i64]) -> Self {
        let range = |all: &[i64]| {
            let (low, high) = all.iter().fold((i64::MAX, i64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
            (low <= high).then_some((low, high))
        };
        let mut axis = Self {
            steps,
            timestamps,
            step_range: range(steps),
            time_range: range(timestamps),
            latest: (i64::MIN, i64::MIN),
            latest_row: 0,
            latest_is_shared: false,
        };
        for (row, at) in steps.iter().copied().zip(timestamps.iter().copied()).enumerate() {
            if at > axis.latest || row == 0 {
                (axis.latest, axis.latest_row, axis.latest_is_shared) = (at, row, false);
            } else if at == axis.latest {
                axis.latest_is_shared = true;
            }
        }
        axis
    }

    fn point(&self, row: usize, values: &[f64]) -> Option<Point> {
        Some(Point::new(*self.steps.get(row)?, *self.timestamps.get(row)?, *values.get(row)?))
    }

    /// Statistics of a metric with these values, one a row: the same as pushing point after point.
    pub(crate) fn count(&self, values: &[f64]) -> Stats {
        let (low, high) = extremes(values);
        let nan_count = values.iter().map(|value| u64::from(value.is_nan())).sum::<u64>();
        let (mut sum, mut sum_of_squares) = (0.0, 0.0);
        for value in values {
            let number = if value.is_nan() { 0.0 } else { *value };
            sum += number;
            sum_of_squares += number * number;
        }
        let has_numbers = nan_count < values.len() as u64;
        // Of equal extremes the first counts, so it is looked for by value.
        let extreme = |wanted: f64| {
            let row = values.iter().position(|value| *value == wanted);
            row.filter(|_| has_numbers).and_then(|row| self.point(row, values))
        };
        Stats {
            count: values.len() as u64,
            nan_count,
            first: self.point(0, values),
            last: values.len().checked_sub(1).and_then(|row| self.point(row, values)),
            min: extreme(low),
            max: extreme(high),
            latest: self.latest(values),
            step_range: self.step_range,
            time_range: self.time_range,
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_chunk_counts_as_its_points_one_by_one(
            points in prop::collection::vec((-3i64..3, -3i64..3, prop_oneof![
                2 => Just(f64::NAN), 6 => -2.0..2.0f64, 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(f64::INFINITY),
            ]), 0..30),
        ) {
            let steps: Vec<i64> = points.iter().map(|p| p.0).collect();
            let timestamps: Vec<i64> = points.iter().map(|p| p.1).collect();
            let values: Vec<f64> = points.iter().map(|p| p.2).collect();
            let mut expected = Stats::default();
            points.iter().for_each(|p| expected.push(Point::new(p.0, p.1, p.2)));
            let counted = ChunkAxis::new(&steps, &timestamps).count(&values);
            // As text, since NaN differs from itself.
            prop_assert_eq!(format!("{counted:?}"), format!("{expected:?}"));
        }
    }
}
