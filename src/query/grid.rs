//! Where the borders of columns of pixels lie, and of bins: at even distances, or at even distances of the logarithm.

use std::sync::Arc;

/// Columns along whole numbers.
///
/// Invariant: `column` never falls while x rises, and `last_of` is its inverse: the fast path of a chart, which jumps from
/// border to border, and a look at each point agree.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Smallest and largest x that is shown, counted from the origin.
    range: (i64, i64),
    /// What stored numbers are counted from.
    origin: i64,
    width: usize,
    borders: Borders,
}

#[derive(Clone, Debug)]
enum Borders {
    /// How many numbers lie in the range.
    Even(u128),
    /// The smallest number of each column and of those after it; rising.
    At(Arc<[i64]>),
}

impl Grid {
    /// Columns of the same number of numbers, as far as possible.
    pub(super) fn even(range: (i64, i64), width: usize) -> Self {
        let span = (i128::from(range.1) - i128::from(range.0)).unsigned_abs() + 1;
        Self { range, origin: 0, width, borders: Borders::Even(span) }
    }

    /// Columns at even distances of the logarithm, of a range above 0. Column `k` begins at the smallest number that is at
    /// least `first * ((last + 1) / first)^(k / width)`.
    pub(super) fn log(range: (i64, i64), width: usize) -> Self {
        let (first, last) = (range.0 as f64, range.1 as f64);
        let ratio = (last + 1.0) / first;
        let mut begin = range.0;
        let begins = (0..width).map(|column| {
            let border = (first * ratio.powf(column as f64 / width as f64)).ceil() as i64;
            // Of a number too large for the mantissa the first border may be rounded upwards.
            begin = if column == 0 { begin } else { begin.max(border) };
            begin
        });
        Self { range, origin: 0, width, borders: Borders::At(begins.collect()) }
    }

    /// The same columns for numbers that are counted from elsewhere.
    pub(super) fn at_origin(&self, origin: i64) -> Self {
        Self { origin, ..self.clone() }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The smallest and the largest stored number that is shown.
    pub(super) fn stored_range(&self) -> (i64, i64) {
        (self.stored(self.range.0.into()), self.stored(self.range.1.into()))
    }

    fn stored(&self, x: i128) -> i64 {
        (x + i128::from(self.origin)).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Counted from the origin.
    pub(super) fn shown(&self, stored: i64) -> i64 {
        stored.saturating_sub(self.origin)
    }

    /// The column of a stored number. Where an index lies about its chunks, numbers outside the range come here, too.
    pub(super) fn column(&self, stored: i64) -> usize {
        let x = self.shown(stored).clamp(self.range.0, self.range.1);
        match &self.borders {
            Borders::Even(span) => {
                let offset = (i128::from(x) - i128::from(self.range.0)).unsigned_abs();
                let product = offset * self.width as u128;
                match (u64::try_from(product), u64::try_from(*span)) {
                    (Ok(product), Ok(span)) => (product / span) as usize,
                    _ => (product / span) as usize,
                }
            }
            Borders::At(begins) => begins.partition_point(|begin| *begin <= x).saturating_sub(1),
        }
    }

    /// The first x of a column, counted from the origin; that of the next one that has any when it has none itself.
    fn first_of(&self, column: usize) -> i128 {
        match &self.borders {
            Borders::Even(span) => {
                let offset = (column as u128 * span).div_ceil(self.width as u128);
                i128::from(self.range.0) + offset as i128
            }
            Borders::At(begins) => begins.get(column).map_or(i128::from(self.range.1) + 1, |begin| (*begin).into()),
        }
    }

    /// First and last x of a column that has any, counted from the origin.
    pub(super) fn range_of(&self, column: usize) -> (i64, i64) {
        (self.inside(self.first_of(column)), self.inside(self.first_of(column + 1) - 1))
    }

    fn inside(&self, x: i128) -> i64 {
        x.clamp(self.range.0.into(), self.range.1.into()) as i64
    }

    /// The last stored number of a column.
    pub(super) fn last_of(&self, column: usize) -> i64 {
        self.stored(self.inside(self.first_of(column + 1) - 1).into())
    }
}

/// The column of number after number, mostly of the same column as the one before.
pub(super) struct Cursor<'a> {
    grid: &'a Grid,
    column: usize,
    first: i64,
    last: i64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(grid: &'a Grid) -> Self {
        // A range that holds nothing.
        Self { grid, column: 0, first: i64::MAX, last: i64::MIN }
    }

    /// The column of a stored number in the range.
    pub(super) fn column(&mut self, stored: i64) -> usize {
        if stored < self.first || stored > self.last {
            self.column = self.grid.column(stored);
            let (first, last) = self.grid.range_of(self.column);
            (self.first, self.last) = (self.grid.stored(first.into()), self.grid.stored(last.into()));
        }
        self.column
    }
}

/// Columns or bins along numbers with a fraction: number `k` has what is at least edge `k` and below edge `k + 1`; the
/// last one has the last edge, too.
#[derive(Clone, Debug)]
pub(super) struct Edges {
    edges: Vec<f64>,
    is_even: bool,
}

impl Edges {
    /// Between finite numbers.
    pub(super) fn even((low, high): (f64, f64), count: usize) -> Self {
        let (width, n) = (high - low, count as f64);
        let edge = |k: usize| {
            let k = k as f64;
            // The width may exceed the largest number.
            if (width * n).is_finite() { low + width * k / n } else { low * (1.0 - k / n) + high * (k / n) }
        };
        Self::of((low, high), count, true, edge)
    }

    /// Between finite numbers above 0: even distances of the logarithm.
    pub(super) fn log((low, high): (f64, f64), count: usize) -> Self {
        let ratio = high / low;
        let edge = |k: usize| {
            let part = k as f64 / count as f64;
            // The ratio may exceed the largest number.
            if ratio.is_finite() { low * ratio.powf(part) } else { (low.ln() * (1.0 - part) + high.ln() * part).exp() }
        };
        Self::of((low, high), count, false, edge)
    }

    fn of((low, high): (f64, f64), count: usize, is_even: bool, edge: impl Fn(usize) -> f64) -> Self {
        let mut before = low;
        let mut edges: Vec<f64> = Vec::with_capacity(count + 1);
        for k in 0..count {
            // Rounding may not put them out of order.
            before = if k == 0 { low } else { edge(k).clamp(before, high) };
            edges.push(before);
        }
        edges.push(high);
        Self { edges, is_even }
    }

    pub(super) fn into_vec(self) -> Vec<f64> {
        self.edges
    }

    /// Where a number lies; `None` outside, and for NaN.
    pub(super) fn find(&self, x: f64) -> Option<usize> {
        let (low, high) = (*self.edges.first()?, *self.edges.last()?);
        if !(low <= x && x <= high) {
            return None;
        }
        let count = self.edges.len() - 1;
        if self.is_even {
            let near = ((x - low) / (high - low) * count as f64) as usize;
            if let (Some(from), Some(to)) = (self.edges.get(near), self.edges.get(near + 1))
                && *from <= x
                && x < *to
            {
                return Some(near);
            }
        }
        Some((self.edges.partition_point(|edge| *edge <= x) - 1).min(count - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(grid: &Grid, xs: impl IntoIterator<Item = i64>) {
        let mut cursor = Cursor::new(grid);
        for x in [i64::MIN, i64::MAX] {
            assert!(grid.column(x) < grid.width() && cursor.column(x) < grid.width(), "{grid:?}");
        }
        for x in xs {
            let column = grid.column(x);
            assert!(column < grid.width(), "{grid:?}");
            let (first, last) = grid.range_of(column);
            assert!(first <= grid.shown(x) && grid.shown(x) <= last, "{x} is not in column {column} of {grid:?}");
            assert!(x <= grid.last_of(column));
            assert_eq!(cursor.column(x), column);
        }
    }

    proptest! {
        #[test]
        fn borders_and_columns_agree(
            (low, high) in prop_oneof![(1..9_i64, 1..99_i64), (any::<i64>(), any::<i64>()), (0..9_i64, Just(i64::MAX))],
            width in prop_oneof![1..40_usize, 900..1100_usize],
            origin in prop_oneof![Just(0_i64), -5..5_i64, Just(1_700_000_000_000)],
            places in prop::collection::vec(any::<u64>(), 40),
        ) {
            let range = (low.min(high), low.max(high));
            let span = i128::from(range.1) - i128::from(range.0) + 1;
            let place = |place: &u64| (i128::from(range.0) + i128::from(*place) % span) as i64;
            let shown: Vec<i64> = places.iter().map(place).chain([range.0, range.1]).collect();
            // Only what can be stored is asked about.
            let stored = |origin| shown.iter().filter_map(move |x| x.checked_add(origin));
            check(&Grid::even(range, width).at_origin(origin), stored(origin));
            if range.0 > 0 {
                check(&Grid::log(range, width).at_origin(origin), stored(origin));
            }
        }

        #[test]
        fn edges_hold_what_they_say(
            (a, b) in prop_oneof![(-9.0..9.0_f64, -9.0..9.0_f64), (any::<f64>(), any::<f64>())],
            count in 1..50_usize,
            x in prop_oneof![-9.0..9.0_f64, any::<f64>()],
        ) {
            prop_assume!(a.is_finite() && b.is_finite());
            let (low, high) = (a.min(b), a.max(b));
            let all = [Some(Edges::even((low, high), count)), (low > 0.0).then(|| Edges::log((low, high), count))];
            for edges in all.into_iter().flatten() {
                let list = edges.clone().into_vec();
                prop_assert!(list.is_sorted() && list.len() == count + 1);
                for x in list.iter().copied().chain([x]) {
                    let found = edges.find(x);
                    let naive = (0..count).rfind(|k| list[*k] <= x).filter(|_| x <= high);
                    prop_assert_eq!(found, naive, "{} in {:?}", x, list);
                }
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_gives_each_power_of_ten_its_columns() {
        let grid = Grid::log((1, 9999), 4);
        let columns: Vec<usize> = [1, 9, 10, 99, 100, 999, 1000, 9999].iter().map(|x| grid.column(*x)).collect();
        assert_eq!(columns, [0, 0, 1, 1, 2, 2, 3, 3]);
        let edges = Edges::even((0.0, 10.0), 10).into_vec();
        assert_eq!(edges, (0..=10).map(f64::from).collect::<Vec<_>>());
    }
}
