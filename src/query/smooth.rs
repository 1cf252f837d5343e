//! Exponential smoothing as TensorBoard does it (`classicSmoothing` of its `line_chart_v2/data_transformer.ts`).

use crate::error::{Error, Result};

/// An exponential moving average without the pull towards 0 of its beginning, operation by operation what TensorBoard
/// computes; only its power function may round differently.
///
/// With weight `w`, value `n` (from 1 on) of those that are finite gives `last = last * w + (1 - w) * value` and is
/// shown as `last / (1 - w^n)`. NaN and infinities are shown as they are and change nothing. When all values are equal
/// they are shown as they are, too.
///
/// ```
/// let mut values = [1.0, 3.0, f64::NAN, 3.0];
/// trackway::Smoothing::new(0.5)?.apply(&mut values);
/// assert_eq!(values[..2], [1.0, 1.75 / 0.75]);
/// assert!(values[2].is_nan() && (2.0..3.0).contains(&values[3]));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    weight: f64,
    last: f64,
    /// How many finite values there were.
    count: u64,
    /// `1 - weight^count`, from where on it is 1 by rounding.
    is_settled: bool,
}

impl Smoothing {
    /// Smoothing that has seen nothing yet. The weight is what TensorBoard's slider shows: 0 changes nothing, 0.999 is
    /// nearly flat.
    ///
    /// ```
    /// use trackway::Smoothing;
    /// assert!(Smoothing::new(0.9).is_ok() && Smoothing::new(1.0).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when `weight` is not at least 0 and below 1.
    pub fn new(weight: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&weight) {
            return Err(Error::invalid("smoothing weight", format!("it is {weight}, not at least 0 and below 1")));
        }
        Ok(Self { weight, last: 0.0, count: 0, is_settled: false })
    }

    /// Replaces all values of a series, in their order, by what is shown of them.
    ///
    /// ```
    /// let mut values = [0.1; 3];
    /// trackway::Smoothing::new(0.9)?.apply(&mut values);
    /// assert_eq!(values, [0.1; 3], "values that are all equal stay");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn apply(mut self, values: &mut [f64]) {
        let first = values.first().copied().unwrap_or(0.0);
        if values.iter().any(|value| *value != first) {
            values.iter_mut().for_each(|value| *value = self.push(*value));
        }
    }

    /// What is shown of the next value, when not all are equal.
    pub(super) fn push(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return value;
        }
        self.last = self.last * self.weight + (1.0 - self.weight) * value;
        if self.is_settled {
            return self.last;
        }
        self.count += 1;
        let debias = 1.0 - self.weight.powf(self.count as f64);
        // Powers fall, so that it stays 1 from now on.
        self.is_settled = debias == 1.0;
        self.last / debias
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// TensorBoard's loop, line by line.
    fn naive(values: &[f64], weight: f64) -> Vec<f64> {
        let is_constant = values.iter().all(|value| *value == values[0]);
        let (mut last, mut count) = (0.0, 0);
        let mut smoothed = Vec::new();
        for value in values {
            if is_constant || !value.is_finite() {
                smoothed.push(*value);
            } else {
                last = last * weight + (1.0 - weight) * value;
                count += 1;
                smoothed.push(last / (1.0 - weight.powf(f64::from(count))));
            }
        }
        smoothed
    }

    proptest! {
        #[test]
        fn as_the_plain_loop(
            values in prop::collection::vec(
                prop_oneof![8 => -9.0..9.0_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 4 => Just(0.1)], 0..300),
            weight in prop_oneof![Just(0.0), Just(0.5), Just(0.999), 0.0..1.0_f64],
        ) {
            let mut smoothed = values.clone();
            Smoothing::new(weight).unwrap().apply(&mut smoothed);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&smoothed), bits(&naive(&values, weight)));
        }
    }

    #[test]
    fn the_values_of_tensorboards_own_test() {
        let smoothed = |mut values: [f64; 3]| {
            Smoothing::new(0.6).unwrap().apply(&mut values);
            values.map(|value| (value * 1e5).round() / 1e5)
        };
        assert_eq!(smoothed([1.0, 0.5, 0.0]), [1.0, 0.6875, 0.33673]);
        assert_eq!(smoothed([0.0, 0.5, 1.0]), [0.0, 0.3125, 0.66327]);
    }

    #[test]
    fn a_weight_of_0_changes_nothing_and_wrong_ones_are_told() {
        let mut values = [1.0, f64::NEG_INFINITY, -3.5, 1e300];
        Smoothing::new(0.0).unwrap().apply(&mut values);
        assert_eq!(values, [1.0, f64::NEG_INFINITY, -3.5, 1e300]);
        for weight in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            assert!(Smoothing::new(weight).is_err(), "{weight}");
        }
    }
}
