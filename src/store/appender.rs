//! The write path of one writer: numbers for names, records into the log, a new log when one is full.
//!
//! One call writes all its records and publishes once, so that a call counts as a whole or not at all. Everything
//! that can fail comes first: numbers and definitions are noted as done only after the call was published.

use super::ahead::{AheadWork, NextLog, Pace};
use crate::env::{Env, File};
use crate::error::{Error, Result};
use crate::format::log::LogHeader;
use crate::format::record::{self, Base, ColumnsPlan, Meta};
use crate::format::sink::Sink;
use crate::limits;
use crate::log::{LogPlan, LogWriter, NextExtent, Sealed};
use crate::store::paths;
use crate::types::{FileId, LogId, MetricKey, Point, RunId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a point or row record besides its values and of a columns record besides its columns, at most.
const RECORD_HEAD: usize = 64;

/// The appending half of a run writer. One caller at a time: it lies behind a mutex.
#[derive(Debug)]
pub(crate) struct Appender {
    env: Env,
    run_id: RunId,
    dir: PathBuf,
    mapped: bool,
    log_bytes: u64,
    /// When the current log was created: a later one must have a later time, whatever the clock says.
    created_us: u64,
    /// `None` once the writer has ended.
    log: Option<LogWriter>,
    /// Logs that are full, for the maintenance to seal.
    full: Vec<LogWriter>,
    /// Counts the logs of this writer from 1: a metric or row is defined in the current log when its mark says so.
    generation: u32,
    numbers: Names,
    metrics: Vec<Defined<String>>,
    row_numbers: HashMap<Vec<u32>, u32>,
    rows: Vec<Defined<Vec<u32>>>,
    base: Base,
    /// Counts published calls; with `synced` of the committer it tells what is durable.
    sequence: u64,
    /// Files with content that was not synced yet, the current log apart.
    unsynced: Vec<(Arc<dyn File>, Sealed)>,
    unsynced_names: bool,
    /// A failed sync: nothing of this writer can be made durable any more.
    poison: Option<String>,
    /// What was known of the run when the writer began: each of its logs begins with it, so that none depends on
    /// another one, or on one of another writer, that a power loss takes.
    preamble: Vec<Meta>,
    /// Whether another thread prepares the next extent and the next log.
    ahead: bool,
    /// The log after this one, when it was prepared.
    next_log: Option<NextLog>,
    /// What that thread was asked for and has not brought.
    asked_extent: bool,
    asked_log: bool,
    /// That it was asked and has not been woken yet.
    wish: bool,
    /// Lengths of the log at which the next one is asked for and at which it is begun, and at which either of them, or
    /// a thing that was put off, is to be looked at.
    ask_log_at: u64,
    new_log_at: u64,
    attention_at: u64,
    /// Bytes of all logs before this one.
    full_bytes: u64,
    pace: Pace,
}

/// How much further a log grows before another new one is tried for.
const NEW_LOG_RETRY_BYTES: u64 = 1 << 20;
/// How often a log that is due for a new one, but has none prepared, looks again.
const LOOK_AGAIN_BYTES: u64 = 64 << 10;
/// A log that has grown to so many times the length at which it should have been left makes the next one itself.
const OVERDUE: u64 = 4;

/// Names to numbers. The hash is a fast one, seeded at random for each writer: names come from the program that logs,
/// and who chooses a million of them for one run can waste its time in simpler ways.
type Names = HashMap<String, u32, foldhash::fast::RandomState>;

#[derive(Debug)]
struct Defined<T> {
    what: T,
    generation: u32,
}

/// What has to be synced to make everything up to `sequence` durable.
#[derive(Debug)]
pub(crate) struct SyncWork {
    pub(crate) sequence: u64,
    pub(crate) files: Vec<(Arc<dyn File>, Sealed)>,
    /// True when logs were created since the last sync: their folder has to be synced too.
    pub(crate) names: bool,
}

impl Appender {
    pub(crate) fn create(
        env: &Env,
        run_id: RunId,
        dir: PathBuf,
        id: LogId,
        mapped: bool,
        log_bytes: u64,
        ahead: bool,
    ) -> Result<Self> {
        let log = create_log(env, run_id, &dir, id, mapped, None)?;
        Ok(Self {
            env: env.clone(),
            run_id,
            dir,
            mapped,
            log_bytes,
            created_us: id.created_us,
            log: Some(log),
            full: Vec::new(),
            generation: 1,
            numbers: Names::default(),
            metrics: Vec::new(),
            row_numbers: HashMap::new(),
            rows: Vec::new(),
            base: Base::default(),
            sequence: 0,
            unsynced: Vec::new(),
            unsynced_names: true,
            poison: None,
            preamble: Vec::new(),
            ahead,
            next_log: None,
            asked_extent: false,
            asked_log: false,
            wish: false,
            ask_log_at: log_bytes / 2,
            new_log_at: log_bytes,
            attention_at: log_bytes / 2,
            full_bytes: 0,
            pace: Pace::default(),
        })
    }

    fn log(&mut self) -> Result<&mut LogWriter> {
        let run_id = self.run_id;
        self.log.as_mut().ok_or_else(|| ended(run_id))
    }

    /// The current log.
    pub(crate) fn log_path(&self) -> Option<PathBuf> {
        self.log.as_ref().map(|log| log.path().to_path_buf())
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.log.is_none()
    }

    /// The number of a metric, given on its first use.
    pub(crate) fn number(&mut self, key: &str) -> Result<u32> {
        if let Some(number) = self.numbers.get(key) {
            return Ok(*number);
        }
        MetricKey::check(key)?;
        self.log()?;
        let number = self.metrics.len();
        if number >= limits::MAX_METRICS_PER_RUN {
            let limit = limits::MAX_METRICS_PER_RUN as u64;
            return Err(Error::LimitExceeded { what: "number of metrics of a run", limit, found: limit + 1 });
        }
        self.metrics.push(Defined { what: key.to_owned(), generation: 0 });
        self.numbers.insert(key.to_owned(), number as u32);
        Ok(number as u32)
    }

    /// The number of a row that was used before.
    pub(crate) fn known_row(&self, metrics: &[u32]) -> Option<u32> {
        self.row_numbers.get(metrics).copied()
    }

    /// Gives a number to a row of these metrics, which are different ones.
    pub(crate) fn row_number(&mut self, metrics: &[u32]) -> Result<u32> {
        if metrics.len() > limits::MAX_ROW_METRICS {
            let (limit, found) = (limits::MAX_ROW_METRICS as u64, metrics.len() as u64);
            return Err(Error::LimitExceeded { what: "number of metrics in a row", limit, found });
        }
        if self.rows.len() >= limits::MAX_METRICS_PER_RUN {
            let limit = limits::MAX_METRICS_PER_RUN as u64;
            return Err(Error::LimitExceeded { what: "number of different rows of a run", limit, found: limit + 1 });
        }
        let number = self.rows.len() as u32;
        self.rows.push(Defined { what: metrics.to_vec(), generation: 0 });
        self.row_numbers.insert(metrics.to_vec(), number);
        Ok(number)
    }

    fn metric_is_defined(&self, metric: u32) -> bool {
        self.metrics.get(metric as usize).is_none_or(|known| known.generation == self.generation)
    }

    /// Logs one point.
    #[inline]
    pub(crate) fn point(&mut self, metric: u32, point: Point) -> Result<()> {
        self.make_way(RECORD_HEAD)?;
        if !self.metric_is_defined(metric) {
            self.define(&[metric], None)?;
        }
        self.begin(RECORD_HEAD)?;
        self.record(|sink, base| record::put_point(sink, base, metric, point))?;
        self.publish()
    }

    /// Logs one value for each metric of a row.
    pub(crate) fn row(&mut self, row: u32, step: i64, timestamp: i64, values: &[f64]) -> Result<()> {
        let bytes = RECORD_HEAD + values.len() * 8;
        self.make_way(bytes)?;
        if self.rows.get(row as usize).is_some_and(|known| known.generation != self.generation) {
            let metrics = self.rows.get(row as usize).map(|known| known.what.clone()).unwrap_or_default();
            self.define(&metrics, Some(row))?;
        }
        self.begin(bytes)?;
        self.record(|sink, base| record::put_row(sink, base, row, step, timestamp, values))?;
        self.publish()
    }

    /// Logs points of one metric by column.
    pub(crate) fn columns(&mut self, metric: u32, pieces: &[ColumnsPlan<'_>]) -> Result<()> {
        let bytes = pieces.iter().map(ColumnsPlan::max_len).sum();
        self.make_way(bytes)?;
        if !self.metric_is_defined(metric) {
            self.define(&[metric], None)?;
        }
        self.begin(bytes)?;
        self.record(|sink, _| pieces.iter().for_each(|piece| piece.put(sink, metric)))?;
        self.publish()
    }

    /// Logs the first records of the writer.
    pub(crate) fn begin_run(&mut self, records: Vec<Meta>) -> Result<()> {
        self.preamble = records;
        self.put_preamble()
    }

    fn put_preamble(&mut self) -> Result<()> {
        let Some(mut log) = self.log.take() else { return Err(ended(self.run_id)) };
        let put = put_records(&mut log, &self.preamble);
        self.take_log(log);
        put
    }

    /// Makes `log`, which has its preamble, the current one. However long that is, the log takes half of what others
    /// take: else each call of a run of which very much is known would begin a log, and repeat all that.
    fn take_log(&mut self, log: LogWriter) {
        let (from, usual) = (log.len(), self.log_bytes);
        (self.ask_log_at, self.new_log_at) = ((from + usual / 4).max(usual / 2), (from + usual / 2).max(usual));
        self.attention_at = self.ask_log_at;
        self.base = Base::default();
        self.log = Some(log);
        self.sequence += 1;
    }

    /// Logs changes of the run.
    pub(crate) fn meta(&mut self, records: &[Meta]) -> Result<()> {
        self.put_meta(records)?;
        self.publish()
    }

    fn put_meta(&mut self, records: &[Meta]) -> Result<()> {
        let mut encoded = Vec::new();
        records.iter().for_each(|record| record.encode(&mut encoded));
        self.make_way(encoded.len())?;
        self.begin(encoded.len())?;
        self.record(|sink, _| sink.put(&encoded))
    }

    /// Writes definitions of metrics, and of the row that has them, that the current log does not have yet. They are
    /// a call of their own: should the one that needs them find no room, they stand and do no harm.
    fn define(&mut self, metrics: &[u32], row: Option<u32>) -> Result<()> {
        let missing: Vec<u32> = metrics.iter().copied().filter(|metric| !self.metric_is_defined(*metric)).collect();
        let mut definitions = Vec::new();
        for metric in &missing {
            if let Some(known) = self.metrics.get(*metric as usize) {
                record::put_define_metric(&mut definitions, *metric, &known.what);
            }
        }
        if let Some(row) = row {
            record::put_define_row(&mut definitions, row, metrics);
        }
        self.begin(definitions.len())?;
        self.record(|sink, _| sink.put(&definitions))?;
        self.log()?.publish()?;
        let generation = self.generation;
        for metric in missing {
            if let Some(known) = self.metrics.get_mut(metric as usize) {
                known.generation = generation;
            }
        }
        if let Some(known) = row.and_then(|row| self.rows.get_mut(row as usize)) {
            known.generation = generation;
        }
        Ok(())
    }

    /// Before anything of a call is written: a call that does not fit what is prepared of this log, while the next one
    /// is ready, is the first of that one. So no call waits for what was prepared elsewhere.
    #[inline(always)]
    fn make_way(&mut self, bytes: usize) -> Result<()> {
        match &self.log {
            Some(log) if log.fits(bytes) => Ok(()),
            _ => self.make_way_slowly(bytes),
        }
    }

    #[cold]
    fn make_way_slowly(&mut self, bytes: usize) -> Result<()> {
        let len = self.log()?.len();
        let is_ready = self.next_log.as_ref().is_some_and(|next| next.has_room(bytes));
        let is_full = self.log.as_ref().is_some_and(|log| !log.has_room(bytes));
        if is_ready && is_full && !self.is_poisoned() { self.begin_new_log(len) } else { Ok(()) }
    }

    /// Begins a call whose records take at most `bytes`.
    #[inline(always)]
    fn begin(&mut self, bytes: usize) -> Result<()> {
        self.log()?.begin(bytes)
    }

    #[inline(always)]
    fn record(&mut self, encode: impl FnOnce(&mut Sink<'_>, &mut Base)) -> Result<()> {
        let Some(log) = self.log.as_mut() else { return Err(ended(self.run_id)) };
        if log.at_frame_start() {
            self.base = Base::default();
        }
        let base = &mut self.base;
        log.write_with(|sink| encode(sink, base))
    }

    #[inline(always)]
    fn publish(&mut self) -> Result<()> {
        let attention_at = self.attention_at;
        let log = self.log()?;
        log.publish()?;
        let needs_attention = log.len() >= attention_at || log.asks_for_next();
        self.sequence += 1;
        if needs_attention { self.attend() } else { Ok(()) }
    }

    /// What comes once in many thousand calls: asks for the next extent or log ahead of need, begins the next log.
    #[cold]
    fn attend(&mut self) -> Result<()> {
        let len = self.log()?.len();
        if len >= self.new_log_at {
            let overdue = self.log_bytes.saturating_mul(OVERDUE);
            if self.next_log.is_some() || !self.ahead || len >= overdue {
                return self.begin_new_log(len);
            }
        }
        if len >= self.ask_log_at && self.next_log.is_none() && !self.asked_log {
            (self.asked_log, self.wish) = (true, true);
        }
        let new_log_at = self.new_log_at;
        let log = self.log()?;
        if log.asks_for_next() {
            log.asked();
            // The log is left before it needs another one.
            if log.room() < new_log_at {
                (self.asked_extent, self.wish) = (true, true);
            }
        }
        let attention_at = [self.ask_log_at, self.new_log_at].into_iter().filter(|at| *at > len).min();
        self.attention_at = attention_at.unwrap_or(len + LOOK_AGAIN_BYTES);
        Ok(())
    }

    /// Begins a new log, the prepared one if there is one. When there is no room for one the old one goes on growing,
    /// and a later call tries again.
    fn begin_new_log(&mut self, len: u64) -> Result<()> {
        let Some(mut old) = self.log.take() else { return Err(ended(self.run_id)) };
        if let Err(error) = old.close_and_publish() {
            self.log = Some(old);
            return Err(error);
        }
        let before = Some((old.id(), old.len() as u32));
        let (id, begun) = match self.next_log.take() {
            Some(next) => (next.id, next.begin(&self.env, self.run_id, before)),
            None => {
                let created_us = self.env.clock.now_us().max(self.created_us + 1);
                let id = LogId { created_us, salt: self.env.clock.random() };
                (id, create_log(&self.env, self.run_id, &self.dir, id, self.mapped, before))
            }
        };
        let Ok(log) = begun.and_then(|log| self.with_preamble(log)) else {
            self.log = Some(old);
            self.new_log_at = len + NEW_LOG_RETRY_BYTES;
            self.attention_at = self.new_log_at;
            return Ok(());
        };
        self.full_bytes += len;
        self.asked_extent = false;
        self.created_us = id.created_us;
        self.generation += 1;
        self.unsynced_names = true;
        self.unsynced.push((Arc::clone(old.file()), old.sealed().clone()));
        self.full.push(old);
        self.wish = true;
        self.take_log(log);
        Ok(())
    }

    /// Begins a log with what is known of the run. One that has no room for it is removed: the old one goes on, and no
    /// call that was published before is refused for it.
    fn with_preamble(&self, mut log: LogWriter) -> Result<LogWriter> {
        match put_records(&mut log, &self.preamble) {
            Ok(()) => Ok(log),
            Err(error) => {
                // What is left says nothing of its own, and is swept up with the run.
                let _ = self.env.fs.remove_file(log.path());
                Err(error)
            }
        }
    }

    /// Ends the writer: no call is taken any more. The log is left for sealing.
    pub(crate) fn end(&mut self) -> Result<()> {
        let Some(mut log) = self.log.take() else { return Err(ended(self.run_id)) };
        self.unsynced.push((Arc::clone(log.file()), log.sealed().clone()));
        let closed = log.close_and_publish();
        self.full.push(log);
        closed
    }

    /// The logs that wait for sealing.
    pub(crate) fn take_full(&mut self) -> Vec<LogWriter> {
        // An empty vector is made without asking for memory: this is called after every append.
        std::mem::take(&mut self.full)
    }

    /// Number of the last published call.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Closes the current frame and says what to sync.
    pub(crate) fn begin_sync(&mut self) -> Result<SyncWork> {
        if let Some(cause) = &self.poison {
            return Err(Error::Poisoned { path: self.dir.clone(), cause: cause.clone() });
        }
        let mut files = std::mem::take(&mut self.unsynced);
        if let Some(log) = self.log.as_mut() {
            log.close_and_publish()?;
            files.push((Arc::clone(log.file()), log.sealed().clone()));
        }
        Ok(SyncWork { sequence: self.sequence, files, names: std::mem::take(&mut self.unsynced_names) })
    }

    /// After a failed sync nothing that was not durable before can be trusted to become so: the writer stops.
    pub(crate) fn poison(&mut self, cause: &str) {
        self.poison.get_or_insert_with(|| cause.to_owned());
        if let Some(log) = self.log.as_mut() {
            log.poison(cause.to_owned());
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    /// True once when another thread was asked for something or has full logs to seal.
    #[inline]
    pub(crate) fn take_wish(&mut self) -> bool {
        std::mem::take(&mut self.wish)
    }

    fn total_bytes(&self) -> u64 {
        self.full_bytes + self.log.as_ref().map_or(0, LogWriter::len)
    }

    /// What this writer was promised to have prepared, for the thread that does it; `interval_us` is that of syncs.
    pub(crate) fn plan_ahead(&mut self, now_us: u64, interval_us: u64) -> AheadWork {
        let total = self.total_bytes();
        let (asked_extent, asked_log) = (self.asked_extent, self.asked_log && self.next_log.is_none());
        let is_poisoned = self.is_poisoned();
        let Some(log) = self.log.as_mut() else { return AheadWork::default() };
        let spent = log.take_spent();
        if is_poisoned || !(asked_extent || asked_log) {
            return AheadWork { spent, ..AheadWork::default() };
        }
        let fast = self.pace.is_fast(total, now_us, interval_us);
        let extent = if asked_extent { log.plan_next() } else { None };
        self.asked_extent = false;
        let log = asked_log.then(|| {
            let created_us = self.env.clock.now_us().max(self.created_us + 1);
            let id = LogId { created_us, salt: self.env.clock.random() };
            (id, self.dir.join(paths::log_name(id)), LogPlan::after_first(self.log_bytes, fast, self.mapped))
        });
        AheadWork { spent, extent, log }
    }

    pub(crate) fn install_next(&mut self, next: NextExtent) {
        if let Some(log) = self.log.as_mut() {
            log.install_next(next);
        }
    }

    /// Takes the next log that another thread has prepared; gives it back when it is not wanted any more.
    pub(crate) fn install_log(&mut self, next: NextLog) -> Option<NextLog> {
        self.asked_log = false;
        let is_wanted = self.log.is_some() && self.next_log.is_none() && next.id.created_us > self.created_us;
        if !is_wanted {
            return Some(next);
        }
        self.next_log = Some(next);
        self.attention_at = 0;
        None
    }

    /// The next log could not be prepared: it is not asked for again at once.
    pub(crate) fn refuse_log(&mut self) {
        self.asked_log = false;
        self.ask_log_at = self.log.as_ref().map_or(0, LogWriter::len) + NEW_LOG_RETRY_BYTES;
    }

    /// The prepared log that an ended writer does not need.
    pub(crate) fn take_next_log(&mut self) -> Option<NextLog> {
        self.next_log.take()
    }
}

/// Logs changes of the run as one call of their own.
fn put_records(log: &mut LogWriter, records: &[Meta]) -> Result<()> {
    let mut encoded = Vec::new();
    records.iter().for_each(|record| record.encode(&mut encoded));
    log.begin(encoded.len())?;
    log.write_with(|sink| sink.put(&encoded))?;
    log.publish()
}

fn ended(run_id: RunId) -> Error {
    Error::InvalidState {
        what: "run",
        name: run_id.to_string(),
        state: "was ended by this writer; resume it to log more",
    }
}

fn create_log(
    env: &Env,
    run_id: RunId,
    dir: &std::path::Path,
    id: LogId,
    mapped: bool,
    before: Option<(LogId, u32)>,
) -> Result<LogWriter> {
    let header = log_header(env, run_id, id, before);
    LogWriter::create(env, &dir.join(paths::log_name(id)), &header, mapped)
}

pub(super) fn log_header(env: &Env, run_id: RunId, log_id: LogId, before: Option<(LogId, u32)>) -> LogHeader {
    LogHeader {
        file_id: FileId(env.clock.random_id()),
        run_id,
        log_id,
        boot_id: env.clock.boot_id(),
        process_id: std::process::id(),
        before,
    }
}

#[cfg(test)]
#[path = "appender_tests.rs"]
mod tests;
