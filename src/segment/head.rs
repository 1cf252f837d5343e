//! The content of one log, in memory, by column.
//!
//! A log call is one *row*: its step and timestamp are kept once, and each point of it is the number of its row and
//! its value. So the points of a metric logged in rows cost 12 bytes here, and metrics that were logged in the same
//! calls have the same row numbers, by which sealing finds the axes that they share.

use crate::format::record::{Base, Meta, Record};
use crate::format::wire::Reader;
use crate::format::{DecodeError, Decoded};
use crate::limits;
use crate::types::{Point, Stats};
use std::collections::HashMap;

/// Points of one metric in the order they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadSeries {
    pub(crate) metric: String,
    /// Numbers of rows in [`Head::row`].
    pub(crate) rows: Vec<u32>,
    pub(crate) values: Vec<f64>,
    /// Statistics of the first `stats.count` points.
    stats: Stats,
}

/// No metric is at this place.
const UNDEFINED: u32 = u32::MAX;

/// Everything a log says, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    steps: Vec<i64>,
    timestamps: Vec<i64>,
    series: Vec<HeadSeries>,
    by_name: HashMap<String, usize>,
    /// Places in `series` by the log's metric numbers, [`UNDEFINED`] for those that it has not defined. Numbers and
    /// places are below [`limits::MAX_METRICS_PER_RUN`].
    metrics: Vec<u32>,
    /// The places of the metrics of a row, by the log's row numbers.
    row_sets: Vec<Option<Vec<u32>>>,
    meta: Vec<Meta>,
    /// Where the differences of the open frame count from.
    base: Base,
}

impl Head {
    /// Takes the payload of a frame from byte `from` on. Calls follow each other as [`crate::log::LogReader`] makes
    /// them.
    ///
    /// # Errors
    /// A record that does not follow the format; the records before it have been taken.
    pub(crate) fn ingest(&mut self, payload: &[u8], from: usize) -> Decoded<()> {
        if from == 0 {
            self.base = Base::default();
        }
        let mut reader = Reader::new(payload.get(from..).unwrap_or_default());
        let mut base = self.base;
        while !reader.is_empty() {
            let record = Record::decode(&mut reader, &mut base, |row| self.row_set(row).map(<[u32]>::len))?;
            self.take(record)?;
        }
        self.base = base;
        Ok(())
    }

    fn take(&mut self, record: Record<'_>) -> Decoded<()> {
        match record {
            Record::Point { metric, point } => {
                let series = self.place(metric)?;
                let row = self.push_row(point.step, point.timestamp)?;
                self.push(series, row, point.value);
            }
            Record::Row { row, step, timestamp, values } => {
                let number = self.push_row(step, timestamp)?;
                let places = self.row_sets.get(row as usize).and_then(Option::as_deref).unwrap_or_default();
                for (place, value) in places.iter().zip(values.iter()) {
                    if let Some(series) = self.series.get_mut(*place as usize) {
                        series.rows.push(number);
                        series.values.push(value);
                    }
                }
            }
            Record::Columns { metric, steps, timestamps, values } => {
                let place = self.place(metric)?;
                let first = self.next_row(values.len())?;
                steps.read_into(values.len(), &mut self.steps);
                timestamps.read_into(values.len(), &mut self.timestamps);
                if let Some(series) = self.series.get_mut(place) {
                    series.rows.extend(first..first + values.len() as u32);
                    series.values.extend(values.iter());
                }
            }
            Record::DefineMetric { number, name } => {
                let place = self.series_of(name)?;
                let number = number as usize;
                if self.metrics.len() <= number {
                    self.metrics.resize(number + 1, UNDEFINED);
                }
                if let Some(known) = self.metrics.get_mut(number) {
                    *known = place as u32;
                }
            }
            Record::DefineRow { number, metrics } => {
                let place = |metric: &u32| self.place(*metric).map(|place| place as u32);
                let places = metrics.iter().map(place).collect::<Decoded<_>>()?;
                let number = number as usize;
                if self.row_sets.len() <= number {
                    self.row_sets.resize(number + 1, None);
                }
                if let Some(known) = self.row_sets.get_mut(number) {
                    *known = Some(places);
                }
            }
            Record::Meta(meta) => self.meta.push(meta),
            Record::Unknown { .. } => {}
        }
        Ok(())
    }

    fn place(&self, metric: u32) -> Decoded<usize> {
        let problem = "its number was not defined before";
        let place = self.metrics.get(metric as usize).filter(|place| **place != UNDEFINED);
        place.map(|place| *place as usize).ok_or(DecodeError { what: "metric", offset: 0, problem })
    }

    fn row_set(&self, row: u32) -> Option<&[u32]> {
        self.row_sets.get(row as usize).and_then(Option::as_deref)
    }

    fn series_of(&mut self, name: &str) -> Decoded<usize> {
        if let Some(place) = self.by_name.get(name) {
            return Ok(*place);
        }
        if self.series.len() >= limits::MAX_METRICS_PER_RUN {
            return Err(DecodeError { what: "metric", offset: 0, problem: "there are more than the limit" });
        }
        self.by_name.insert(name.to_owned(), self.series.len());
        self.series.push(HeadSeries { metric: name.to_owned(), ..HeadSeries::default() });
        Ok(self.series.len() - 1)
    }

    fn next_row(&self, more: usize) -> Decoded<u32> {
        let next = u32::try_from(self.steps.len()).ok();
        let next = next.filter(|next| next.checked_add(more as u32).is_some());
        next.ok_or(DecodeError { what: "log", offset: 0, problem: "it has more rows than a log can have" })
    }

    fn push_row(&mut self, step: i64, timestamp: i64) -> Decoded<u32> {
        let row = self.next_row(1)?;
        self.steps.push(step);
        self.timestamps.push(timestamp);
        Ok(row)
    }

    fn push(&mut self, place: usize, row: u32, value: f64) {
        if let Some(series) = self.series.get_mut(place) {
            series.rows.push(row);
            series.values.push(value);
        }
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

    /// Step and timestamp of a row; (0, 0) for a number that no series can have.
    pub(crate) fn row(&self, row: u32) -> (i64, i64) {
        let at = row as usize;
        (self.steps.get(at).copied().unwrap_or(0), self.timestamps.get(at).copied().unwrap_or(0))
    }

    /// The points of a series of this head, as written.
    pub(crate) fn points<'a>(&'a self, series: &'a HeadSeries) -> impl ExactSizeIterator<Item = Point> + 'a {
        series.rows.iter().zip(&series.values).map(|(row, value)| {
            let (step, timestamp) = self.row(*row);
            Point::new(step, timestamp, *value)
        })
    }

    /// Whether [`Self::count`] has something to do.
    pub(crate) fn is_uncounted(&self) -> bool {
        self.series.iter().any(|series| series.stats.count != series.values.len() as u64)
    }

    /// Brings the statistics of all series up to date. Cost: one pass over the points that came since the last time.
    pub(crate) fn count(&mut self) {
        let (steps, timestamps) = (&self.steps, &self.timestamps);
        let at = |all: &[i64], row: u32| all.get(row as usize).copied().unwrap_or(0);
        for series in &mut self.series {
            let fresh = series.stats.count as usize;
            for (row, value) in series.rows.iter().zip(&series.values).skip(fresh) {
                series.stats.push(Point::new(at(steps, *row), at(timestamps, *row), *value));
            }
        }
    }

    /// Statistics of a series of this head, as of the last [`Self::count`].
    pub(crate) fn stats<'a>(&self, series: &'a HeadSeries) -> &'a Stats {
        &series.stats
    }
}
