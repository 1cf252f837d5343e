//! Points of one metric: a range of steps or of time, in the wanted order.

use crate::error::{Error, Result};
use crate::store::{Along, ChartSource, Piece, Snapshot};
use crate::types::{Columns, Point};
use std::ops::{Bound, Range, RangeBounds};

/// Rows that a query takes room for before it has read them: 96 MiB. Damage can promise more than there is.
const MAX_ROWS_AHEAD: usize = 1 << 22;

/// In which order points come, and which of several with the same step.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::Order;
///
/// for step in [1, 2, 1] {
///     run.log_metric("loss", step, step as f64)?;
/// }
/// let snapshot = store.snapshot(run.id())?;
/// let count = |order| snapshot.metric("loss")?.order(order).read().map(|points| points.len());
/// assert_eq!((count(Order::ByStep)?, count(Order::LastPerStep)?), (3, 2));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// All points as they were written. Of several writers, the points of the one that began its log first come
    /// first. Nothing is left out.
    #[default]
    AsWritten,
    /// All points by step; those of one step as they were written.
    ByStep,
    /// One point a step, the one written last: what a resumed run means after it went back.
    LastPerStep,
}

/// A question about the points of one metric; [`Snapshot::metric`] begins it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # for step in [1, 2, 3, 2] { run.log_metric_at("loss", step, 0, step as f64)?; }
/// use trackway::Order;
/// let snapshot = store.snapshot(run.id())?;
/// let columns = snapshot.metric("loss")?.steps(2..).order(Order::LastPerStep).read()?;
/// assert_eq!(columns.steps(), [2, 3]);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MetricQuery<'a> {
    snapshot: &'a Snapshot,
    key: &'a str,
    pub(super) steps: Span,
    pub(super) timestamps: Span,
    pub(super) order: Order,
    pub(super) skip_damaged: bool,
}

/// Smallest and largest step and timestamp.
pub(super) type Ranges = ((i64, i64), (i64, i64));

/// Integers from `first` to `last`, both included; empty when `first > last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    pub(super) const ALL: Self = Self { first: i64::MIN, last: i64::MAX };
    pub(super) const NONE: Self = Self { first: i64::MAX, last: i64::MIN };

    fn of(range: &impl RangeBounds<i64>) -> Self {
        let first = match range.start_bound() {
            Bound::Included(first) => Some(*first),
            Bound::Excluded(before) => before.checked_add(1),
            Bound::Unbounded => Some(i64::MIN),
        };
        let last = match range.end_bound() {
            Bound::Included(last) => Some(*last),
            Bound::Excluded(after) => after.checked_sub(1),
            Bound::Unbounded => Some(i64::MAX),
        };
        first.zip(last).map_or(Self::NONE, |(first, last)| Self { first, last })
    }

    pub(super) fn holds(self, value: i64) -> bool {
        self.first <= value && value <= self.last
    }

    /// What lies in both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    /// The same integers plus `distance`, those beyond 64 bits left out.
    pub(super) fn plus(self, distance: i64) -> Self {
        let (first, last) = (i128::from(self.first), i128::from(self.last));
        let (first, last) = (first + i128::from(distance), last + i128::from(distance));
        if first > i128::from(i64::MAX) || last < i128::from(i64::MIN) {
            return Self::NONE;
        }
        let inside = |x: i128| x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Self { first: inside(first), last: inside(last) }
    }

    pub(super) fn covers(self, (min, max): (i64, i64)) -> bool {
        self.first <= min && max <= self.last
    }

    pub(super) fn meets(self, (min, max): (i64, i64)) -> bool {
        self.first <= max && min <= self.last && self.first <= self.last
    }
}

impl<'a> MetricQuery<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, key: &'a str) -> Self {
        let (steps, timestamps) = (Span::ALL, Span::ALL);
        Self { snapshot, key, steps, timestamps, order: Order::AsWritten, skip_damaged: false }
    }

    /// When the run started.
    pub(super) fn start_time(&self) -> i64 {
        self.snapshot.run().start_time
    }

    /// What was asked for along an axis.
    pub(super) fn span(&self, along: Along) -> Span {
        if along == Along::Steps { self.steps } else { self.timestamps }
    }

    /// Asks for no more than `span` along an axis.
    pub(super) fn narrow(&mut self, along: Along, span: Span) {
        let known = if along == Along::Steps { &mut self.steps } else { &mut self.timestamps };
        *known = known.and(span);
    }

    pub(super) fn covers(&self, (steps, timestamps): Ranges) -> bool {
        self.steps.covers(steps) && self.timestamps.covers(timestamps)
    }

    pub(super) fn meets(&self, (steps, timestamps): Ranges) -> bool {
        self.steps.meets(steps) && self.timestamps.meets(timestamps)
    }

    /// Only points whose step lies in `range`.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..=4 { run.log_metric_at("loss", step, 10 * step, 1.0 / step as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// assert_eq!(snapshot.metric("loss")?.steps(2..=3).read()?.steps(), [2, 3]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn steps(mut self, range: impl RangeBounds<i64>) -> Self {
        self.steps = Span::of(&range);
        self
    }

    /// Only points whose timestamp, in milliseconds since the Unix epoch, lies in `range`.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in [1, 2] { run.log_metric_at("loss", step, 1_699_999_999_998 + step, 0.5)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let since = snapshot.metric("loss")?.timestamps(1_700_000_000_000..).read()?;
    /// assert_eq!(since.steps(), [2]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn timestamps(mut self, range: impl RangeBounds<i64>) -> Self {
        self.timestamps = Span::of(&range);
        self
    }

    /// The order, and what becomes of repeated steps.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for (step, value) in [(1, 0.5), (2, 0.4), (2, 0.3)] { run.log_metric("loss", step, value)?; }
    /// use trackway::Order;
    /// let snapshot = store.snapshot(run.id())?;
    /// let columns = snapshot.metric("loss")?.order(Order::LastPerStep).read()?;
    /// assert_eq!(columns.values(), [0.5, 0.3], "step 2 was logged again");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Whether damaged pieces are left out instead of being an error. Default: false.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..=4 { run.log_metric_at("loss", step, 10 * step, 1.0 / step as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let readable = snapshot.metric("loss")?.skip_damaged(true).read()?;
    /// if !snapshot.damage().is_empty() {
    ///     eprintln!("only {} points can be read", readable.len());
    /// }
    /// # assert_eq!(readable.len(), 4);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn skip_damaged(mut self, yes: bool) -> Self {
        self.skip_damaged = yes;
        self
    }

    /// All points of the answer by column.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..=4 { run.log_metric_at("loss", step, 10 * step, 1.0 / step as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let columns = snapshot.metric("loss")?.read()?;
    /// assert_eq!((columns.steps(), columns.values()[1]), (&[1, 2, 3, 4][..], 0.5));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::read_into`].
    pub fn read(&self) -> Result<Columns> {
        let mut columns = Columns::default();
        self.read_into(&mut columns)?;
        Ok(columns)
    }

    /// Replaces the content of `columns` by the answer. Cost: decoding the chunks that overlap the ranges, and a sort
    /// when an order is wanted in which the points do not lie already.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..=4 { run.log_metric_at("loss", step, 10 * step, 1.0 / step as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let mut columns = trackway::Columns::default(); // one allocation for all metrics
    /// for key in snapshot.run().metrics.keys() {
    ///     snapshot.metric(key)?.read_into(&mut columns)?;
    ///     assert_eq!(columns.len(), 4);
    /// }
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] when damage is in the way; `columns` is empty then.
    pub fn read_into(&self, columns: &mut Columns) -> Result<()> {
        match self.fill(columns) {
            Ok(end) => {
                columns.resize(end);
                arrange(columns, self.order);
                Ok(())
            }
            Err(error) => {
                columns.clear();
                Err(error)
            }
        }
    }

    /// Writes the answer over the content of `columns`, as written, and gives the number of its points.
    fn fill(&self, columns: &mut Columns) -> Result<usize> {
        let pieces = self.pieces()?;
        let rows = pieces.iter().try_fold(0_usize, |sum, piece| Ok::<_, Error>(sum.saturating_add(piece.rows()?)));
        columns.reserve(rows?.min(MAX_ROWS_AHEAD));
        pieces.iter().try_fold(0, |at, piece| self.read_at(piece, at, columns))
    }

    /// The points of the answer one by one. As written, one chunk is in memory at a time; other orders need all.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..=4 { run.log_metric_at("loss", step, 10 * step, 1.0 / step as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// for point in snapshot.metric("loss")?.steps(3..).points() {
    ///     let point = point?;
    ///     println!("{} {}", point.step, point.value);
    /// }
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn points(&self) -> impl Iterator<Item = Result<Point>> + use<'_, 'a> {
        let mut batches = self.batches();
        let mut current = Vec::new().into_iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(point) = current.next() {
                    return Some(Ok(point));
                }
                match batches.next()? {
                    Ok(columns) => current = columns.iter().collect::<Vec<_>>().into_iter(),
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// The answer by column, piece by piece: as written, a piece is a chunk (at most 1,048,576 points) or what a log
    /// holds, so that a metric of any length needs little memory; other orders come in one. It outlives the snapshot,
    /// which it does not keep from being dropped, and ends after an error.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for step in 1..=4 { run.log_metric_at("loss", step, 10 * step, 1.0 / step as f64)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let mut sum = 0.0;
    /// for columns in snapshot.metric("loss")?.steps(2..).batches() {
    ///     sum += columns?.values().iter().sum::<f64>();
    /// }
    /// assert!((sum - (1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0)).abs() < 1e-12);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// Each piece: as [`Self::read_into`].
    pub fn batches(&self) -> impl Iterator<Item = Result<Columns>> + Send + use<> {
        let whole = (self.order != Order::AsWritten).then(|| self.read());
        let (pieces, error) = match (&whole, self.pieces()) {
            (Some(_), _) => (Vec::new(), None),
            (None, Ok(pieces)) => (pieces, None),
            (None, Err(error)) => (Vec::new(), Some(Err(error))),
        };
        let within = self.within();
        let mut failed = false;
        let chunks = pieces.into_iter().map(move |piece| {
            let mut columns = Columns::default();
            let end = within.read_at(&piece, 0, &mut columns)?;
            columns.resize(end);
            Ok(columns)
        });
        whole.into_iter().chain(error).chain(chunks).map_while(move |piece| {
            let ended = failed;
            failed |= piece.is_err();
            (!ended).then_some(piece)
        })
    }

    /// The same for a chart; chunks are left out later, by where they lie.
    pub(super) fn chart_sources(&self) -> Result<Vec<ChartSource>> {
        if let (Some(error), false) = (self.snapshot.unread_file(), self.skip_damaged) {
            return Err(error);
        }
        self.snapshot.chart_sources(self.key, self.skip_damaged)
    }

    /// The pieces that can have a point of the answer.
    pub(super) fn pieces(&self) -> Result<Vec<Piece>> {
        if let (Some(error), false) = (self.snapshot.unread_file(), self.skip_damaged) {
            return Err(error);
        }
        let mut pieces = self.snapshot.pieces(self.key, self.skip_damaged)?;
        pieces.retain(|piece| {
            piece.ranges.is_none_or(|(steps, timestamps)| self.steps.meets(steps) && self.timestamps.meets(timestamps))
        });
        Ok(pieces)
    }

    /// Appends the points of one piece that lie in the ranges.
    pub(super) fn append(&self, piece: &Piece, columns: &mut Columns) -> Result<()> {
        let start = columns.len();
        let end = self.read_at(piece, start, columns);
        columns.resize(*end.as_ref().unwrap_or(&start));
        end.map(|_| ())
    }

    /// As [`Within::read_at`].
    fn read_at(&self, piece: &Piece, at: usize, columns: &mut Columns) -> Result<usize> {
        self.within().read_at(piece, at, columns)
    }

    fn within(&self) -> Within {
        Within { steps: self.steps, timestamps: self.timestamps, skip_damaged: self.skip_damaged }
    }
}

/// What of a piece is wanted.
#[derive(Clone, Copy)]
struct Within {
    steps: Span,
    timestamps: Span,
    skip_damaged: bool,
}

impl Within {
    /// Writes the points of one piece that lie in the ranges into `columns` from number `at` on, and gives the number
    /// after them. What lies behind means nothing then.
    fn read_at(self, piece: &Piece, at: usize, columns: &mut Columns) -> Result<usize> {
        let end = match piece.read_at(at, columns) {
            Err(Error::Corrupt { .. }) if self.skip_damaged => return Ok(at),
            end => end?,
        };
        let (steps, timestamps) = piece.ranges.unwrap_or(((i64::MIN, i64::MAX), (i64::MIN, i64::MAX)));
        if self.steps.covers(steps) && self.timestamps.covers(timestamps) {
            return Ok(end);
        }
        Ok(retain(columns, at..end, |step, timestamp| self.steps.holds(step) && self.timestamps.holds(timestamp)))
    }
}

/// Moves the points of `range` that `keep` wants to its front, in order, and gives the number after them.
fn retain(columns: &mut Columns, range: Range<usize>, keep: impl Fn(i64, i64) -> bool) -> usize {
    let (steps, timestamps, values) = columns.slots(range.clone());
    let mut pairs = steps.iter().zip(&*timestamps);
    let keeps = |(step, timestamp): (&i64, &i64)| keep(*step, *timestamp);
    let Some(first) = pairs.position(keeps) else { return range.start };
    let others = pairs.clone().take_while(|pair| keeps(*pair)).count();
    if !pairs.skip(others).any(keeps) {
        // As nearly always: they lie together.
        let kept = first..first + 1 + others;
        steps.copy_within(kept.clone(), 0);
        timestamps.copy_within(kept.clone(), 0);
        values.copy_within(kept, 0);
        return range.start + 1 + others;
    }
    let mut kept = range.start;
    for at in range {
        let Some(point) = columns.get(at) else { break };
        if keep(point.step, point.timestamp) {
            put(columns, kept, point);
            kept += 1;
        }
    }
    kept
}

fn put(columns: &mut Columns, at: usize, point: Point) {
    if let (Some(step), Some(timestamp), Some(value)) =
        (columns.steps.get_mut(at), columns.timestamps.get_mut(at), columns.values.get_mut(at))
    {
        (*step, *timestamp, *value) = (point.step, point.timestamp, point.value);
    }
}

/// Brings points that are as written into `order`.
fn arrange(columns: &mut Columns, order: Order) {
    if order == Order::AsWritten {
        return;
    }
    if !columns.steps.is_sorted() {
        let mut points: Vec<Point> = columns.iter().collect();
        // Stable: points of one step stay as written.
        points.sort_by_key(|point| point.step);
        columns.clear();
        points.into_iter().for_each(|point| columns.push(point));
    }
    if order == Order::LastPerStep {
        let mut kept = 0;
        for at in 0..columns.len() {
            let Some(point) = columns.get(at) else { break };
            let same = kept > 0 && columns.steps.get(kept - 1) == Some(&point.step);
            kept = if same { kept } else { kept + 1 };
            put(columns, kept - 1, point);
        }
        columns.resize(kept);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn arranged_points_are_those_of_a_naive_sort(steps in prop::collection::vec(-4i64..4, 0..40)) {
            let written: Vec<Point> =
                steps.iter().enumerate().map(|(at, step)| Point::new(*step, at as i64, at as f64)).collect();
            let mut by_step = written.clone();
            by_step.sort_by_key(|point| (point.step, point.timestamp));
            let last: BTreeMap<i64, Point> = written.iter().map(|point| (point.step, *point)).collect();
            for (order, expected) in [
                (Order::AsWritten, written.clone()),
                (Order::ByStep, by_step),
                (Order::LastPerStep, last.into_values().collect()),
            ] {
                let mut columns: Columns = written.iter().copied().collect();
                arrange(&mut columns, order);
                prop_assert_eq!(columns.iter().collect::<Vec<_>>(), expected);
            }
        }
    }

    proptest! {
        #[test]
        fn retained_points_are_those_of_a_naive_filter(
            steps in prop::collection::vec(0i64..3, 0..30),
            from in 0usize..5,
        ) {
            let written: Vec<Point> =
                steps.iter().enumerate().map(|(at, step)| Point::new(*step, at as i64, at as f64)).collect();
            let from = from.min(written.len());
            for wanted in [0..1, 1..3, 2..9] {
                let keep = |step: i64, timestamp: i64| wanted.contains(&step) && timestamp != 7;
                let mut columns: Columns = written.iter().copied().collect();
                let end = retain(&mut columns, from..written.len(), keep);
                columns.resize(end);
                let (before, after) = written.split_at(from);
                let kept = after.iter().filter(|point| keep(point.step, point.timestamp));
                prop_assert_eq!(columns, before.iter().chain(kept).copied().collect::<Columns>());
            }
        }
    }

    #[test]
    fn spans_at_the_ends_of_the_numbers() {
        assert!(Span::of(&..).holds(i64::MIN) && Span::of(&..).holds(i64::MAX));
        assert!(!Span::of(&(Bound::Excluded(i64::MAX), Bound::Unbounded)).holds(i64::MAX));
        assert!(!Span::of(&(..i64::MIN)).holds(i64::MIN));
        assert!(!Span::of(&(5..5)).meets((0, 10)));
        assert!(Span::of(&(5..=5)).holds(5) && !Span::of(&(5..=5)).holds(6));
    }
}
