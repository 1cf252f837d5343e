//! The content of one log, in memory, by column.
//!
//! A row of several metrics has its step and timestamp once, on the axis of its row number; single points and whole
//! columns have theirs on an axis of their metric's own. A series says along which axes its values lie, one *stretch*
//! after the other: nearly always one stretch along one axis, so that its steps and timestamps are slices, and sealing
//! sees at once which metrics share them.

use super::count::ChunkAxis;
use crate::format::record::{Base, Meta, Record, Values, short_point};
use crate::format::wire::Reader;
use crate::format::{DecodeError, Decoded};
use crate::limits;
use crate::types::{Point, Stats};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Steps and timestamps that were logged together.
#[derive(Clone, Debug, Default)]
struct Axis {
    steps: Vec<i64>,
    timestamps: Vec<i64>,
}

impl Axis {
    /// The number that the next of `more` rows will have.
    fn next(&self, more: usize) -> Decoded<u32> {
        let next = u32::try_from(self.steps.len()).ok();
        let next = next.filter(|next| next.checked_add(more as u32).is_some());
        next.ok_or(DecodeError { what: "log", offset: 0, problem: "it has more rows than a log can have" })
    }

    #[inline]
    fn push(&mut self, step: i64, timestamp: i64) {
        self.steps.push(step);
        self.timestamps.push(timestamp);
    }
}

/// The metric's own axis.
const OWN: u32 = u32::MAX;

/// Where the next values of a series lie: from number `value` on along `axis` (one of the row sets, or [`OWN`]), from
/// its row `row` on, until the next stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stretch {
    axis: u32,
    row: u32,
    value: u32,
}

/// Points of one metric in the order they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadSeries {
    pub(crate) metric: String,
    pub(crate) values: Vec<f64>,
    own: Axis,
    stretches: Vec<Stretch>,
    /// Statistics of the first `stats.count` points.
    stats: Stats,
}

impl HeadSeries {
    /// Says that the next value lies in row `row` of `axis`. A row of an axis is a value of all its metrics, so while
    /// the axis stays the same the rows follow each other.
    #[inline]
    fn lie_along(&mut self, axis: u32, row: u32) {
        if self.stretches.last().is_none_or(|last| last.axis != axis) {
            self.stretches.push(Stretch { axis, row, value: self.values.len() as u32 });
        }
    }

    /// Whether all of its values lie along axes that it shares with other metrics: those with the same stretches have
    /// the same steps and timestamps.
    pub(super) fn shared_stretches(&self) -> Option<&[Stretch]> {
        let shared = self.stretches.iter().all(|stretch| stretch.axis != OWN);
        shared.then_some(&*self.stretches)
    }
}

/// The metrics that a row number stands for, and the rows logged under it.
#[derive(Clone, Debug)]
struct RowSet {
    /// Places in [`Head::series`].
    places: Vec<u32>,
    /// Whether a metric is in it twice, which our writers do not do: then each value is a point of its own.
    repeats: bool,
    axis: Axis,
}

/// Records of a frame that wait to be taken together, metric by metric: taken one by one, each would touch as many
/// places in memory as there are metrics, which fall out of the nearest cache before their turn comes again.
#[derive(Clone, Debug, Default)]
struct Batch<'a> {
    points: Vec<Waiting>,
    /// The metrics of these points: their place, and their first point in `points`.
    chains: Vec<(u32, u32)>,
    /// The last of the points of each metric, by its place.
    last: Vec<u32>,
    /// Rows of one row set: its place, and the values of each row.
    set: u32,
    rows: Vec<Values<'a>>,
}

/// So many points, 24 KiB, lie in the nearest cache.
const MAX_WAITING: usize = 768;

/// A single point of a batch, and where the next one of its metric is.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    step: i64,
    timestamp: i64,
    value: f64,
    next: u32,
}

impl Batch<'_> {
    /// Adds a point of the metric at `place`, which exists.
    #[inline(always)]
    fn push(&mut self, place: u32, point: Point) {
        if self.last.len() <= place as usize {
            self.grow(place);
        }
        let number = self.points.len() as u32;
        if let Some(last) = self.last.get_mut(place as usize) {
            match self.points.get_mut(*last as usize) {
                Some(before) => before.next = number,
                None => self.chains.push((place, number)),
            }
            *last = number;
        }
        let Point { step, timestamp, value } = point;
        self.points.push(Waiting { step, timestamp, value, next: UNDEFINED });
    }

    #[cold]
    fn grow(&mut self, place: u32) {
        self.last.resize(place as usize + 1, UNDEFINED);
    }
}

/// No metric, row set or point is at this place.
const UNDEFINED: u32 = u32::MAX;

/// Everything a log says, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    series: Vec<HeadSeries>,
    by_name: HashMap<String, usize>,
    row_sets: Vec<RowSet>,
    /// Places in `series` by the log's metric numbers, and in `row_sets` by its row numbers; [`UNDEFINED`] for those
    /// that it has not defined. Numbers and places are below [`limits::MAX_METRICS_PER_RUN`].
    metrics: Vec<u32>,
    rows: Vec<u32>,
    meta: Vec<Meta>,
    /// Where the differences of the open frame count from.
    base: Base,
    /// Room for the points of a batch; empty between calls.
    waiting: Vec<Waiting>,
    /// Room of series and axes of an earlier head, for those to come, the first last.
    room: (Vec<HeadSeries>, Vec<Axis>),
}

impl Head {
    /// A head that says nothing, with the room of this one if it is at most `max_bytes`: the next log of a run says much
    /// the same, and memory that the system gives anew costs as much as what is done with it.
    pub(crate) fn emptied(mut self, max_bytes: usize) -> Self {
        let bytes = |axis: &Axis| 8 * (axis.steps.capacity() + axis.timestamps.capacity());
        let of_series = |series: &HeadSeries| 8 * series.values.capacity() + bytes(&series.own);
        let series: usize = self.series.iter().map(of_series).sum();
        if series + self.row_sets.iter().map(|set| bytes(&set.axis)).sum::<usize>() > max_bytes {
            return Self::default();
        }
        let cleared = |mut axis: Axis| {
            axis.steps.clear();
            axis.timestamps.clear();
            axis
        };
        let series = self.series.drain(..).rev().map(|series| {
            let (mut values, mut stretches) = (series.values, series.stretches);
            values.clear();
            stretches.clear();
            HeadSeries { values, stretches, own: cleared(series.own), ..HeadSeries::default() }
        });
        let axes = self.row_sets.drain(..).rev().map(|set| cleared(set.axis));
        let room = (series.collect(), axes.collect());
        Self { waiting: self.waiting, room, ..Self::default() }
    }

    /// Takes the payload of a frame from byte `from` on. Calls follow each other as [`crate::log::LogReader`] makes
    /// them.
    ///
    /// # Errors
    /// A record that does not follow the format; the records before it have been taken.
    pub(crate) fn ingest(&mut self, payload: &[u8], from: usize) -> Decoded<()> {
        if from == 0 {
            self.base = Base::default();
        }
        let mut batch = Batch { points: std::mem::take(&mut self.waiting), ..Batch::default() };
        let read = self.read(payload.get(from..).unwrap_or_default(), &mut batch);
        self.flush(&mut batch)?;
        self.waiting = batch.points;
        read
    }

    fn read<'a>(&mut self, mut rest: &'a [u8], batch: &mut Batch<'a>) -> Decoded<()> {
        let mut base = self.base;
        loop {
            // Most records of most logs, so they have a way of their own.
            self.flush_rows(batch)?;
            while let Some((metric, point, after)) = short_point(rest, &mut base) {
                batch.push(self.place(metric)?, point);
                rest = after;
                if batch.points.len() >= MAX_WAITING {
                    self.flush(batch)?;
                }
            }
            loop {
                if rest.is_empty() {
                    self.base = base;
                    return Ok(());
                }
                let mut reader = Reader::new(rest);
                let len = |row| self.row_set(row).map(|set| set.places.len());
                let record = Record::decode(&mut reader, &mut base, len)?;
                let is_point = matches!(record, Record::Point { .. });
                self.take(record, batch)?;
                rest = rest.get(reader.position()..).unwrap_or_default();
                if is_point {
                    break;
                }
            }
        }
    }

    fn take<'a>(&mut self, record: Record<'a>, batch: &mut Batch<'a>) -> Decoded<()> {
        match record {
            Record::Point { metric, point } => {
                self.flush_rows(batch)?;
                batch.push(self.place(metric)?, point);
            }
            Record::Row { row, step, timestamp, values } => {
                let at = self.rows.get(row as usize).copied().unwrap_or(UNDEFINED);
                if at != batch.set || batch.rows.is_empty() {
                    self.flush(batch)?;
                    batch.set = at;
                }
                let Some(set) = self.row_sets.get_mut(at as usize) else { return Err(undefined("row")) };
                if set.repeats {
                    for (place, value) in set.places.iter().zip(values.iter()) {
                        batch.push(*place, Point::new(step, timestamp, value));
                    }
                } else {
                    set.axis.next(1)?;
                    set.axis.push(step, timestamp);
                    batch.rows.push(values);
                }
            }
            Record::Columns { metric, steps, timestamps, values } => {
                self.flush(batch)?;
                let place = self.place(metric)?;
                let Some(series) = self.series.get_mut(place as usize) else { return Err(undefined("metric")) };
                let first = series.own.next(values.len())?;
                series.lie_along(OWN, first);
                steps.read_into(values.len(), &mut series.own.steps);
                timestamps.read_into(values.len(), &mut series.own.timestamps);
                series.values.extend(values.iter());
            }
            Record::DefineMetric { number, name } => {
                let place = self.place_of(name)?;
                define(&mut self.metrics, number, place);
            }
            Record::DefineRow { number, metrics } => {
                let places = metrics.iter().map(|metric| self.place(*metric)).collect::<Decoded<Vec<u32>>>()?;
                let repeats = places.iter().collect::<HashSet<_>>().len() < places.len();
                define(&mut self.rows, number, self.row_sets.len());
                let axis = self.room.1.pop().unwrap_or_default();
                self.row_sets.push(RowSet { places, repeats, axis });
            }
            Record::Meta(meta) => self.meta.push(meta),
            Record::Unknown { .. } => {}
        }
        Ok(())
    }

    /// Takes what waits. Points and rows never wait together, so that those of a metric stay in order.
    fn flush(&mut self, batch: &mut Batch<'_>) -> Decoded<()> {
        self.flush_rows(batch)?;
        for (place, first) in batch.chains.drain(..) {
            if let Some(last) = batch.last.get_mut(place as usize) {
                *last = UNDEFINED;
            }
            let Some(series) = self.series.get_mut(place as usize) else { continue };
            series.lie_along(OWN, series.own.next(batch.points.len())?);
            let mut next = first;
            while let Some(point) = batch.points.get(next as usize) {
                make_room(&mut series.own.steps, 1);
                make_room(&mut series.own.timestamps, 1);
                make_room(&mut series.values, 1);
                series.own.push(point.step, point.timestamp);
                series.values.push(point.value);
                next = point.next;
            }
        }
        batch.points.clear();
        Ok(())
    }

    fn flush_rows(&mut self, batch: &mut Batch<'_>) -> Decoded<()> {
        let Some(set) = self.row_sets.get(batch.set as usize).filter(|_| !batch.rows.is_empty()) else { return Ok(()) };
        let row = set.axis.steps.len().saturating_sub(batch.rows.len()) as u32;
        for (number, place) in set.places.iter().enumerate() {
            let Some(series) = self.series.get_mut(*place as usize) else { continue };
            series.lie_along(batch.set, row);
            make_room(&mut series.values, batch.rows.len());
            series.values.extend(batch.rows.iter().map(|values| values.get(number)));
        }
        batch.rows.clear();
        Ok(())
    }

    /// Place in `series`.
    #[inline]
    fn place(&self, metric: u32) -> Decoded<u32> {
        let place = self.metrics.get(metric as usize).copied().filter(|place| *place != UNDEFINED);
        place.ok_or(undefined("metric"))
    }

    fn row_set(&self, row: u32) -> Option<&RowSet> {
        self.rows.get(row as usize).and_then(|at| self.row_sets.get(*at as usize))
    }

    fn place_of(&mut self, name: &str) -> Decoded<usize> {
        if let Some(place) = self.by_name.get(name) {
            return Ok(*place);
        }
        if self.series.len() >= limits::MAX_METRICS_PER_RUN {
            return Err(DecodeError { what: "metric", offset: 0, problem: "there are more than the limit" });
        }
        self.by_name.insert(name.to_owned(), self.series.len());
        let room = self.room.0.pop().unwrap_or_default();
        self.series.push(HeadSeries { metric: name.to_owned(), ..room });
        Ok(self.series.len() - 1)
    }

    /// How long the tables are that lead from numbers of metrics and rows to their places: as the greatest number says.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn numbers(&self) -> usize {
        self.metrics.len() + self.rows.len()
    }

    /// What was said about the run.
    pub(crate) fn meta(&self) -> &[Meta] {
        &self.meta
    }

    /// All metrics with at least one point, in the order of their definition.
    pub(crate) fn series(&self) -> impl Iterator<Item = &HeadSeries> {
        self.series.iter().filter(|series| !series.values.is_empty())
    }

    /// The points of a metric, if it has any.
    pub(crate) fn metric(&self, name: &str) -> Option<&HeadSeries> {
        self.by_name.get(name).and_then(|place| self.series.get(*place)).filter(|series| !series.values.is_empty())
    }

    /// Points of all metrics.
    pub(crate) fn point_count(&self) -> u64 {
        self.series.iter().map(|series| series.values.len() as u64).sum()
    }

    /// Steps, timestamps and values of a series of this head from number `from` on, as they lie together.
    pub(crate) fn parts<'a>(
        &'a self,
        series: &'a HeadSeries,
        from: usize,
    ) -> impl Iterator<Item = (&'a [i64], &'a [i64], &'a [f64])> + 'a {
        parts(&self.row_sets, series, from)
    }

    /// The points of a series of this head from number `from` on, as written.
    pub(crate) fn points<'a>(&'a self, series: &'a HeadSeries, from: usize) -> impl Iterator<Item = Point> + 'a {
        self.parts(series, from).flat_map(|(steps, timestamps, values)| {
            let axis = steps.iter().zip(timestamps);
            axis.zip(values).map(|((step, timestamp), value)| Point::new(*step, *timestamp, *value))
        })
    }

    /// Steps and timestamps of a series of this head.
    pub(super) fn axis<'a>(&'a self, series: &'a HeadSeries) -> (Cow<'a, [i64]>, Cow<'a, [i64]>) {
        let mut parts = self.parts(series, 0);
        let (first, second) = (parts.next(), parts.next());
        let (steps, timestamps, _) = first.unwrap_or_default();
        let Some(second) = second else { return (Cow::Borrowed(steps), Cow::Borrowed(timestamps)) };
        let (mut steps, mut timestamps) = (steps.to_vec(), timestamps.to_vec());
        for (more_steps, more_timestamps, _) in std::iter::once(second).chain(parts) {
            steps.extend_from_slice(more_steps);
            timestamps.extend_from_slice(more_timestamps);
        }
        (Cow::Owned(steps), Cow::Owned(timestamps))
    }

    /// Whether [`Self::count`] has something to do.
    pub(crate) fn is_uncounted(&self) -> bool {
        self.series.iter().any(|series| series.stats.count != series.values.len() as u64)
    }

    /// Brings the statistics of all series up to date. Cost: one pass over the points that came since the last time.
    pub(crate) fn count(&mut self) {
        for series in &mut self.series {
            let mut stats = series.stats;
            for (steps, timestamps, values) in parts(&self.row_sets, series, stats.count as usize) {
                stats.merge(&ChunkAxis::new(steps, timestamps).count(values));
            }
            series.stats = stats;
        }
    }

    /// Statistics of a series of this head, as of the last [`Self::count`].
    pub(crate) fn stats<'a>(&self, series: &'a HeadSeries) -> &'a Stats {
        &series.stats
    }
}

/// Grows a short column by an eighth and not by as much again: of thousands of metrics, most of what a head takes would
/// be room. Of long columns there are few, and copying them is what counts.
#[inline]
fn make_room<T>(column: &mut Vec<T>, more: usize) {
    if column.capacity() - column.len() < more {
        grow(column, more);
    }
}

#[cold]
fn grow<T>(column: &mut Vec<T>, more: usize) {
    const LONG: usize = 2048;
    if column.len() < LONG {
        column.reserve_exact(more.max(column.len() / 8).max(16));
    } else {
        column.reserve(more);
    }
}

fn undefined(what: &'static str) -> DecodeError {
    DecodeError { what, offset: 0, problem: "its number was not defined before" }
}

fn define(places: &mut Vec<u32>, number: u32, place: usize) {
    let number = number as usize;
    if places.len() <= number {
        places.resize(number + 1, UNDEFINED);
    }
    if let Some(known) = places.get_mut(number) {
        *known = place as u32;
    }
}

fn parts<'a>(
    row_sets: &'a [RowSet],
    series: &'a HeadSeries,
    from: usize,
) -> impl Iterator<Item = (&'a [i64], &'a [i64], &'a [f64])> + 'a {
    // The stretch that value `from` lies in, and those after it.
    let first = series.stretches.partition_point(|stretch| stretch.value as usize <= from).saturating_sub(1);
    let stretches = series.stretches.get(first..).unwrap_or_default();
    stretches.iter().enumerate().filter_map(move |(number, stretch)| {
        let axis = if stretch.axis == OWN { &series.own } else { &row_sets.get(stretch.axis as usize)?.axis };
        let begin = stretch.value as usize;
        let end = stretches.get(number + 1).map_or(series.values.len(), |next| next.value as usize);
        let skipped = from.saturating_sub(begin);
        let row = stretch.row as usize;
        let rows = row + skipped..row + (end - begin);
        let values = series.values.get(begin + skipped..end).filter(|values| !values.is_empty())?;
        Some((axis.steps.get(rows.clone())?, axis.timestamps.get(rows)?, values))
    })
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
