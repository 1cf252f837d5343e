//! The points of all measurements, made the same way for everybody, and the checks that no store answers with less.
//!
//! Two kinds: *logged* points are computed while they are logged (a look-up and a few additions, the same for the
//! floor), *curves* are columns made beforehand whose values and clock jitter do not repeat.

use std::ops::Range;

/// The time of step 0, in milliseconds since the Unix epoch.
pub(crate) const EPOCH: i64 = 1_700_000_000_000;

const TABLE: usize = 4096;

static VALUES: [f64; TABLE] = table();

/// A falling loss with noise, every value exact in a float32, as training loops log them.
const fn table() -> [f64; TABLE] {
    let mut values = [0.0; TABLE];
    let mut at = 0;
    while at < TABLE {
        let noise = (mix(at as u64) >> 40) as f64 / (1 << 24) as f64;
        values[at] = (1.0 / (1.0 + at as f64 / 512.0) + noise / 10.0) as f32 as f64;
        at += 1;
    }
    values
}

/// Spreads the bits of a number (the finaliser of splitmix64).
const fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The time of a logged step: about 31 ms a step, with jitter, never falling.
#[inline]
pub(crate) fn time(step: i64) -> i64 {
    EPOCH + step * 31 + (step.wrapping_mul(0x9E37) >> 4 & 15)
}

/// The value of a logged point.
#[inline]
pub(crate) fn value(metric: usize, step: i64) -> f64 {
    VALUES[(step as usize).wrapping_add(metric * 131) % TABLE]
}

/// Names of metrics, as training loops give them.
pub(crate) fn keys(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("train/layer{at}/loss")).collect()
}

/// Points by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points {
    pub(crate) steps: Vec<i64>,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// Points that lie in somebody's columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// Empty when the store keeps no steps.
    pub(crate) steps: &'a [i64],
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
}

impl Points {
    /// A noisy falling metric of `count` points; its steps follow those of the curves with a smaller `part`.
    pub(crate) fn curve(seed: u64, count: usize, part: usize) -> Self {
        let mut points = Self::default();
        for at in part * count..(part + 1) * count {
            let noise = mix(seed << 40 | at as u64);
            let value = 1.0 / (1.0 + at as f64 / 1e5) + (noise >> 40) as f64 / (1 << 24) as f64 / 10.0;
            points.push(at as i64, EPOCH + at as i64 * 31 + (noise & 15) as i64, f64::from(value as f32));
        }
        points
    }

    /// What metric `metric` must hold after `steps` were logged.
    pub(crate) fn logged(metric: usize, steps: Range<i64>) -> Self {
        let mut points = Self::default();
        steps.for_each(|step| points.push(step, time(step), value(metric, step)));
        points
    }

    #[inline]
    pub(crate) fn push(&mut self, step: i64, time: i64, value: f64) {
        self.steps.push(step);
        self.times.push(time);
        self.values.push(value);
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.times.clear();
        self.values.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.slice(0..self.len())
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> View<'_> {
        View { steps: &self.steps[range.clone()], times: &self.times[range.clone()], values: &self.values[range] }
    }

    /// The bytes of the three columns one after the other, for the floors.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let ints = self.steps.iter().chain(&self.times).flat_map(|number| number.to_le_bytes());
        ints.chain(self.values.iter().flat_map(|number| number.to_le_bytes())).collect()
    }
}

/// Number and checksum of points, whatever their order: equal only when every (step, time, value) is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) count: u64,
    sum: u64,
}

impl Check {
    pub(crate) fn of(view: View<'_>) -> Self {
        let mut check = Self::default();
        check.add(view);
        check
    }

    pub(crate) fn add(&mut self, view: View<'_>) {
        let without_steps = view.steps.is_empty();
        assert!(without_steps || view.steps.len() == view.values.len(), "columns of different lengths");
        assert_eq!(view.times.len(), view.values.len(), "columns of different lengths");
        self.count += view.values.len() as u64;
        for (at, (time, value)) in view.times.iter().zip(view.values).enumerate() {
            let step = if without_steps { 0 } else { view.steps[at] };
            let word = mix(mix(mix(step as u64) ^ *time as u64) ^ value.to_bits());
            self.sum = self.sum.wrapping_add(word);
        }
    }

    /// What a store that keeps no steps must answer.
    pub(crate) fn without_steps(view: View<'_>) -> Self {
        Self::of(View { steps: &[], ..view })
    }
}

/// One column of pixels of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pixel {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// A chart being drawn by a scan: points come by rising x, pixel columns are equally wide.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    start: i64,
    length: i64,
    columns: usize,
    bound: i64,
    pixels: Vec<Pixel>,
}

impl Chart {
    /// `range` of x on `columns` columns of pixels; every column must get a point.
    pub(crate) fn new(range: Range<i64>, columns: usize) -> Self {
        Self {
            start: range.start,
            length: range.end - range.start,
            columns,
            bound: i64::MIN,
            pixels: Vec::with_capacity(columns),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, x: i64, value: f64) {
        if x >= self.bound {
            let column = i128::from(x - self.start) * self.columns as i128 / i128::from(self.length);
            assert_eq!(column, self.pixels.len() as i128, "points of a chart must rise and leave no column out");
            // The first x of the next column: the least with x * columns / length > column.
            let next = ((column + 1) * i128::from(self.length)).div_euclid(self.columns as i128);
            let whole = (column + 1) * i128::from(self.length) % self.columns as i128 == 0;
            self.bound = self.start + next as i64 + i64::from(!whole);
            self.pixels.push(Pixel { first: value, last: value, min: value, max: value });
        } else if let Some(pixel) = self.pixels.last_mut() {
            pixel.last = value;
            pixel.min = if value < pixel.min { value } else { pixel.min };
            pixel.max = if value > pixel.max { value } else { pixel.max };
        }
    }

    /// Draws columns of points.
    pub(crate) fn scan(&mut self, xs: &[i64], values: &[f64]) {
        xs.iter().zip(values).for_each(|(x, value)| self.push(*x, *value));
    }

    pub(crate) fn pixels(self) -> Vec<Pixel> {
        self.pixels
    }
}
