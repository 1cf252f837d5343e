//! What charts keep of an open segment, in memory only: smallest and largest values of chunks and of blocks, where
//! blocks begin, and a few decoded columns.
//!
//! A segment never changes, so nothing here can become wrong, and a column whose summary is kept was checked when that
//! was made. All but the summaries of chunks, which take a tenth of what the index itself takes, is bounded.

use crate::codec::BLOCK;
use crate::codec::packed::FoundBlock;
use crate::env::sync::{Mutex, MutexGuard, PoisonError};
use crate::format::index::{AxisColumn, GroupIndex};
use crate::types::{Stats, extremes, first_equal};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that summaries of blocks take at most: those of some 24 to 48 million rows in chunks of 4,096.
const MAX_SUMMARY_BYTES: usize = 8 << 20;
/// Bytes that decoded columns take at most, of values and of axes each: a zoom looks at the same chunks again.
const MAX_DECODED_BYTES: usize = 4 << 20;

/// Borders of columns that a chunk remembers what lies on both sides of: those of the last few charts. A chart that has
/// more of them in one chunk shows few chunks.
const MAX_CUTS: usize = 4;
/// Rows of an axis that a chunk remembers in the same way: for each border two, and where the extremes lie.
pub(super) const MAX_KNOWN_XS: usize = 16;

/// Smallest and largest of some values, where each first lies, and how many are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extremes {
    pub(super) low: f64,
    pub(super) high: f64,
    /// [`Extremes::NOWHERE`] when all are NaN.
    pub(super) low_at: u32,
    pub(super) high_at: u32,
    pub(super) nan_count: u32,
}

impl Extremes {
    pub(super) const NOWHERE: u32 = u32::MAX;
    pub(super) const NONE: Self =
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, low_at: u32::MAX, high_at: u32::MAX, nan_count: 0 };

    /// Of values of which the first has the number `first`.
    pub(super) fn of(values: &[f64], first: usize) -> Self {
        Self::with_known(values, first, None, None, true)
    }

    /// Of some of the values that are described here: whichever of their extremes lies among these is theirs, too.
    pub(super) fn of_part(&self, values: &[f64], first: usize) -> Self {
        let is_here = |at: &u32| (first..first + values.len()).contains(&(*at as usize));
        let low = Some(self.low_at).filter(is_here).map(|at| (at, self.low));
        let high = Some(self.high_at).filter(is_here).map(|at| (at, self.high));
        Self::with_known(values, first, low, high, self.nan_count > 0)
    }

    #[inline]
    fn with_known(
        values: &[f64],
        first: usize,
        low: Option<(u32, f64)>,
        high: Option<(u32, f64)>,
        can_be_nan: bool,
    ) -> Self {
        // The value as it lies there, since of two zeros with different signs one was looked for, the other found.
        let found = |wanted: f64| {
            let at = first_equal(values, wanted)?;
            Some(((first + at) as u32, *values.get(at)?))
        };
        let (smallest, largest) = match (low, high) {
            (Some((_, low)), Some((_, high))) => (low, high),
            _ => extremes(values),
        };
        let (low_at, low) = low.or_else(|| found(smallest)).unwrap_or((Self::NOWHERE, f64::INFINITY));
        let (high_at, high) = high.or_else(|| found(largest)).unwrap_or((Self::NOWHERE, f64::NEG_INFINITY));
        let nan_count = if can_be_nan { values.iter().map(|value| u32::from(value.is_nan())).sum() } else { 0 };
        Self { low, high, low_at, high_at, nan_count }
    }

    /// Takes values that come after all of these.
    pub(super) fn merge(&mut self, later: &Self) {
        if later.low_at != Self::NOWHERE && (self.low_at == Self::NOWHERE || later.low < self.low) {
            (self.low, self.low_at) = (later.low, later.low_at);
        }
        if later.high_at != Self::NOWHERE && (self.high_at == Self::NOWHERE || later.high > self.high) {
            (self.high, self.high_at) = (later.high, later.high_at);
        }
        self.nan_count += later.nan_count;
    }
}

/// What lies around a border between two rows: row `row` is the first after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) row: usize,
    pub(super) value_before: f64,
    pub(super) value_at: f64,
    /// Of the rows of the block of `row` that come before it, and of the others.
    pub(super) before: Extremes,
    pub(super) after: Extremes,
}

/// The blocks of a column of values.
#[derive(Debug, Default)]
pub(super) struct ValueBlocks {
    pub(super) extremes: Vec<Extremes>,
    /// Where they begin in the column; empty for forms that have no blocks.
    pub(super) starts: Vec<u32>,
    cuts: Mutex<Vec<Cut>>,
}

impl ValueBlocks {
    pub(super) fn new(extremes: Vec<Extremes>, starts: Vec<u32>) -> Self {
        Self { extremes, starts, cuts: Mutex::default() }
    }

    pub(super) fn cut(&self, row: usize) -> Option<Cut> {
        locked(&self.cuts).iter().find(|cut| cut.row == row).copied()
    }

    pub(super) fn keep_cut(&self, cut: Cut) {
        let mut cuts = locked(&self.cuts);
        if cuts.len() >= MAX_CUTS {
            cuts.remove(0);
        }
        cuts.push(cut);
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.extremes.capacity() * size_of::<Extremes>()
            + self.starts.capacity() * size_of::<u32>()
            + MAX_CUTS * size_of::<Cut>()
    }
}

/// Rows of an axis that is only known by decoding it, and their numbers: those that the last few charts asked for.
#[derive(Debug, Default)]
pub(super) struct KnownXs(Mutex<VecDeque<(usize, i64)>>);

impl KnownXs {
    pub(super) fn at(&self, row: usize) -> Option<i64> {
        locked(&self.0).iter().find(|(known, _)| *known == row).map(|(_, x)| *x)
    }

    /// How many rows have an x of at most `x`, if the rows on both sides of that border are known.
    pub(super) fn rows_upto(&self, x: i64) -> Option<usize> {
        let known = locked(&self.0);
        let (mut upto, mut beyond) = (None, usize::MAX);
        for (row, other) in known.iter() {
            if *other <= x {
                upto = upto.max(Some(*row));
            } else {
                beyond = beyond.min(*row);
            }
        }
        upto.filter(|row| row + 1 == beyond).map(|row| row + 1)
    }

    pub(super) fn keep(&self, row: usize, x: i64) {
        let mut known = locked(&self.0);
        if known.iter().any(|(other, _)| *other == row) {
            return;
        }
        if known.len() >= MAX_KNOWN_XS {
            known.pop_front();
        }
        known.push_back((row, x));
    }
}

/// Chunks one after the other in which an axis never falls, or one chunk in which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRun {
    pub(crate) chunks: Range<usize>,
    pub(crate) sorted: bool,
}

/// How an axis goes through the chunks of a group.
#[derive(Debug, Default)]
pub(super) struct AxisOrder {
    /// Smallest and largest of all.
    pub(super) range: (i64, i64),
    pub(super) runs: Vec<ChunkRun>,
    /// The last of each chunk, side by side: a border is looked for among them.
    pub(super) lasts: Vec<i64>,
}

impl AxisOrder {
    fn of<'a>(columns: impl Iterator<Item = &'a AxisColumn>) -> Self {
        let mut order = Self { range: (i64::MAX, i64::MIN), ..Self::default() };
        let mut goes_on = false;
        for (chunk, column) in columns.enumerate() {
            order.range = (order.range.0.min(column.min), order.range.1.max(column.max));
            let rises = order.lasts.last().is_none_or(|last| *last <= column.first);
            order.lasts.push(column.last);
            match order.runs.last_mut() {
                Some(run) if goes_on && column.sorted && rises => run.chunks.end = chunk + 1,
                _ => order.runs.push(ChunkRun { chunks: chunk..chunk + 1, sorted: column.sorted }),
            }
            goes_on = column.sorted;
        }
        order
    }
}

/// Statistics of runs of chunks of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Places are numbers of chunks; NaNs are counted apart, for there can be many.
    pub(super) extremes: Extremes,
    pub(super) count: u64,
    pub(super) nan_count: u64,
}

impl Node {
    const NONE: Self = Self { extremes: Extremes::NONE, count: 0, nan_count: 0 };

    fn merge(&mut self, later: &Self) {
        self.extremes.merge(&later.extremes);
        self.count += later.count;
        self.nan_count += later.nan_count;
    }
}

/// Of so many nodes a level of the tree makes one.
const FAN_OUT: usize = 8;

/// Chunks of a metric, then runs of 8 of them, of 64, and so on: any run of chunks is put together from few.
#[derive(Debug)]
pub(super) struct ChunkTree(Vec<Vec<Node>>);

impl ChunkTree {
    fn of<'a>(chunks: impl Iterator<Item = &'a Stats>) -> Self {
        let leaf = |(chunk, stats): (usize, &Stats)| {
            let at = |point: Option<crate::types::Point>, none: f64| match point {
                Some(point) => (point.value, chunk as u32),
                None => (none, Extremes::NOWHERE),
            };
            let ((low, low_at), (high, high_at)) = (at(stats.min, f64::INFINITY), at(stats.max, f64::NEG_INFINITY));
            let extremes = Extremes { low, high, low_at, high_at, nan_count: 0 };
            Node { extremes, count: stats.count, nan_count: stats.nan_count }
        };
        let mut levels = vec![chunks.enumerate().map(leaf).collect::<Vec<_>>()];
        while let Some(level) = levels.last().filter(|level| level.len() > FAN_OUT) {
            let together = level.chunks(FAN_OUT).map(|nodes| {
                let mut node = Node::NONE;
                nodes.iter().for_each(|later| node.merge(later));
                node
            });
            let next = together.collect();
            levels.push(next);
        }
        Self(levels)
    }

    /// What is known of a run of chunks.
    pub(super) fn sum(&self, chunks: Range<usize>) -> Node {
        let (mut sum, mut at) = (Node::NONE, chunks.start);
        while at < chunks.end {
            // The largest node that begins here and ends in time; in the order of the chunks, for the first one counts.
            let (mut size, mut level) = (1, 0);
            while at % (size * FAN_OUT) == 0 && at + size * FAN_OUT <= chunks.end && level + 1 < self.0.len() {
                (size, level) = (size * FAN_OUT, level + 1);
            }
            if let Some(node) = self.0.get(level).and_then(|level| level.get(at / size)) {
                sum.merge(node);
            }
            at += size;
        }
        sum
    }
}

/// Values by key within a number of bytes: of two generations the older one goes when the younger one is full, and what
/// is asked for becomes young again.
#[derive(Debug)]
struct Generations<K, T> {
    young: HashMap<K, (Arc<T>, usize)>,
    old: HashMap<K, (Arc<T>, usize)>,
    young_bytes: usize,
    max_bytes: usize,
}

impl<K: Hash + Eq + Copy, T> Generations<K, T> {
    fn new(max_bytes: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, max_bytes }
    }

    fn get(&mut self, key: K) -> Option<Arc<T>> {
        if let Some((value, _)) = self.young.get(&key) {
            return Some(Arc::clone(value));
        }
        let (value, bytes) = self.old.remove(&key)?;
        self.put(key, Arc::clone(&value), bytes);
        Some(value)
    }

    fn put(&mut self, key: K, value: Arc<T>, bytes: usize) {
        if self.young_bytes + bytes > self.max_bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if bytes <= self.max_bytes / 2 && self.young.insert(key, (value, bytes)).is_none() {
            self.young_bytes += bytes;
        }
    }
}

/// Steps and timestamps of a chunk.
pub(super) type Axis = (Vec<i64>, Vec<i64>);

/// What charts keep of a segment.
#[derive(Debug)]
pub(super) struct Kept {
    orders: Mutex<HashMap<usize, Arc<(AxisOrder, AxisOrder)>>>,
    trees: Mutex<HashMap<usize, Arc<ChunkTree>>>,
    /// By place in the segment.
    values: Mutex<Generations<u64, ValueBlocks>>,
    axes: Mutex<Generations<u64, Vec<FoundBlock>>>,
    decoded_values: Mutex<Generations<u64, Vec<f64>>>,
    /// By group and chunk.
    decoded_axes: Mutex<Generations<(usize, usize), Axis>>,
    /// By group, chunk and axis.
    known_xs: Mutex<Generations<(usize, usize, Along), KnownXs>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            orders: Mutex::default(),
            trees: Mutex::default(),
            values: Mutex::new(Generations::new(MAX_SUMMARY_BYTES)),
            axes: Mutex::new(Generations::new(MAX_SUMMARY_BYTES)),
            decoded_values: Mutex::new(Generations::new(MAX_DECODED_BYTES)),
            decoded_axes: Mutex::new(Generations::new(MAX_DECODED_BYTES)),
            known_xs: Mutex::new(Generations::new(MAX_SUMMARY_BYTES)),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept under this key, or what `make` makes, which is kept from then on. Not locked while it is made: two may
/// make the same.
fn get_or_make<K: Hash + Eq + Copy, T, E>(
    kept: &Mutex<Generations<K, T>>,
    key: K,
    make: impl FnOnce() -> Result<T, E>,
    bytes: impl FnOnce(&T) -> usize,
) -> Result<Arc<T>, E> {
    if let Some(value) = locked(kept).get(key) {
        return Ok(value);
    }
    let value = Arc::new(make()?);
    locked(kept).put(key, Arc::clone(&value), bytes(&value));
    Ok(value)
}

impl Kept {
    /// How steps and timestamps of a group go.
    pub(super) fn orders(&self, group: usize, index: &GroupIndex) -> Arc<(AxisOrder, AxisOrder)> {
        let make = || {
            let steps = AxisOrder::of(index.axis.iter().map(|chunk| &chunk.steps));
            Arc::new((steps, AxisOrder::of(index.axis.iter().map(|chunk| &chunk.timestamps))))
        };
        Arc::clone(locked(&self.orders).entry(group).or_insert_with(make))
    }

    /// The chunks of a metric.
    pub(super) fn tree<'a>(&self, metric: usize, chunks: impl Iterator<Item = &'a Stats>) -> Arc<ChunkTree> {
        Arc::clone(locked(&self.trees).entry(metric).or_insert_with(|| Arc::new(ChunkTree::of(chunks))))
    }

    /// The blocks of a column of values.
    pub(super) fn values<E>(
        &self,
        offset: u64,
        make: impl FnOnce() -> Result<ValueBlocks, E>,
    ) -> Result<Arc<ValueBlocks>, E> {
        get_or_make(&self.values, offset, make, ValueBlocks::bytes)
    }

    /// The blocks of a packed column of steps or timestamps.
    pub(super) fn axis<E>(
        &self,
        offset: u64,
        make: impl FnOnce() -> Result<Vec<FoundBlock>, E>,
    ) -> Result<Arc<Vec<FoundBlock>>, E> {
        get_or_make(&self.axes, offset, make, |blocks| 64 + blocks.capacity() * size_of::<FoundBlock>())
    }

    /// A decoded column of values.
    pub(super) fn decoded_values<E>(
        &self,
        offset: u64,
        make: impl FnOnce() -> Result<Vec<f64>, E>,
    ) -> Result<Arc<Vec<f64>>, E> {
        get_or_make(&self.decoded_values, offset, make, |values| 64 + values.capacity() * size_of::<f64>())
    }

    /// What is known of steps or timestamps of a chunk that have to be decoded.
    pub(super) fn known_xs(&self, group: usize, chunk: usize, along: Along) -> Arc<KnownXs> {
        let bytes = |_: &KnownXs| 128 + MAX_KNOWN_XS * size_of::<(usize, i64)>();
        let make = || Ok::<_, std::convert::Infallible>(KnownXs::default());
        let Ok(known) = get_or_make(&self.known_xs, (group, chunk, along), make, bytes);
        known
    }

    /// Decoded steps and timestamps of a chunk.
    pub(super) fn decoded_axis<E>(
        &self,
        group: usize,
        chunk: usize,
        make: impl FnOnce() -> Result<Axis, E>,
    ) -> Result<Arc<Axis>, E> {
        let bytes = |axis: &Axis| 64 + (axis.0.capacity() + axis.1.capacity()) * size_of::<i64>();
        get_or_make(&self.decoded_axes, (group, chunk), make, bytes)
    }
}

/// Steps or timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Along {
    Steps,
    Timestamps,
}

/// Rows of block `number` of a chunk of so many.
pub(super) fn block_rows(number: usize, rows: usize) -> Range<usize> {
    let start = number * BLOCK;
    start..(start + BLOCK).min(rows)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::types::Point;
    use proptest::prelude::*;

    proptest! {
        /// Of equal values the first counts, zeros keep their sign, NaN is left out.
        #[test]
        fn any_run_of_chunks_sums_to_what_pushing_its_points_gives(
            values in prop::collection::vec(
                prop_oneof![Just(f64::NAN), Just(0.0), Just(-0.0), Just(f64::INFINITY), -2.0..2.0f64], 1..700),
            (from, to) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let of = |points: Range<usize>| {
                let mut stats = Stats::default();
                points.for_each(|at| stats.push(Point::new(at as i64, 0, values[at])));
                stats
            };
            let chunks: Vec<Stats> = (0..values.len()).map(|at| of(at..at + 1)).collect();
            let (a, b) = (from.index(values.len()), to.index(values.len()));
            let range = a.min(b)..a.max(b) + 1;
            let sum = ChunkTree::of(chunks.iter()).sum(range.clone());
            let expected = of(range.clone());
            prop_assert_eq!((sum.count, sum.nan_count), (expected.count, expected.nan_count));
            let extremes = Extremes::of(&values[range.clone()], range.start);
            // A part of all values, told from all of them.
            let part = Extremes::of(&values, 0).of_part(&values[range.clone()], range.start);
            prop_assert_eq!(part.nan_count, extremes.nan_count);
            for found in [sum.extremes, extremes, part] {
                let low = expected.min.map_or((Extremes::NOWHERE, f64::INFINITY), |p| (p.step as u32, p.value));
                let high = expected.max.map_or((Extremes::NOWHERE, f64::NEG_INFINITY), |p| (p.step as u32, p.value));
                prop_assert_eq!((found.low_at, found.low.to_bits()), (low.0, low.1.to_bits()));
                prop_assert_eq!((found.high_at, found.high.to_bits()), (high.0, high.1.to_bits()));
            }
            prop_assert_eq!(u64::from(extremes.nan_count), expected.nan_count);
        }
    }

    #[test]
    fn runs_end_where_an_axis_goes_back() {
        let column = |first: i64, last: i64, sorted: bool| AxisColumn {
            column: None,
            min: first.min(last),
            max: first.max(last),
            first,
            last,
            sorted,
        };
        let chunks = [(0, 5, true), (5, 9, true), (8, 9, true), (9, 3, false), (10, 12, true), (12, 12, true)];
        let order = AxisOrder::of(chunks.map(|(first, last, sorted)| column(first, last, sorted)).iter());
        let runs: Vec<_> = order.runs.iter().map(|run| (run.chunks.clone(), run.sorted)).collect();
        assert_eq!(runs, [(0..2, true), (2..3, true), (3..4, false), (4..6, true)]);
        assert_eq!((order.range, order.lasts), ((0, 12), vec![5, 9, 9, 3, 12, 12]));
    }

    #[test]
    fn what_is_kept_stays_within_its_bytes_and_what_is_asked_for_stays() {
        let mut kept = Generations::new(1000);
        for key in 0..100 {
            kept.put(key, Arc::new(key), 100);
            assert!(kept.young.len() + kept.old.len() <= 10);
            assert_eq!(kept.get(0).as_deref(), Some(&0), "asked for again and again");
        }
        assert!(kept.get(50).is_none() && kept.get(99).is_some());
        kept.put(1000, Arc::new(1), 501);
        assert!(kept.get(1000).is_none(), "too large for any generation");
    }

    #[test]
    fn known_rows_tell_a_border_only_when_both_of_its_sides_are_known() {
        let known = KnownXs::default();
        [(3, 30), (4, 40), (9, 90)].into_iter().for_each(|(row, x)| known.keep(row, x));
        let found: Vec<_> = [29, 30, 39, 40, 90].into_iter().map(|x| known.rows_upto(x)).collect();
        assert_eq!(found, [None, Some(4), Some(4), None, None]);
        (10..24).for_each(|row| known.keep(row, 0));
        assert_eq!((known.at(3), known.at(4), known.at(23)), (None, Some(40), Some(0)), "the oldest goes");
    }

    #[test]
    fn a_chunk_remembers_its_last_cuts() {
        let blocks = ValueBlocks::default();
        let cut = |row| Cut { row, value_before: 0.0, value_at: 1.0, before: Extremes::NONE, after: Extremes::NONE };
        (0..10).for_each(|row| blocks.keep_cut(cut(row)));
        let kept: Vec<usize> = (0..10).filter(|row| blocks.cut(*row).is_some()).collect();
        assert_eq!(kept, [6, 7, 8, 9]);
    }
}
