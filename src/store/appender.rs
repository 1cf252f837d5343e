//! The write path of one writer: numbers for names, records into the log, a new log when one is full.
//!
//! One call writes all its records and publishes once, so that a call counts as a whole or not at all. Everything
//! that can fail comes first: numbers and definitions are noted as done only after the call was published.

use crate::env::{Env, File};
use crate::error::{Error, Result};
use crate::format::log::LogHeader;
use crate::format::record::{self, Base, Meta};
use crate::limits;
use crate::log::{LogWriter, NextExtent};
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
    numbers: HashMap<String, u32>,
    metrics: Vec<Defined<String>>,
    row_numbers: HashMap<Vec<u32>, u32>,
    rows: Vec<Defined<Vec<u32>>>,
    base: Base,
    scratch: Vec<u8>,
    /// Counts published calls; with `synced` of the committer it tells what is durable.
    sequence: u64,
    /// Files with content that was not synced yet, the current log apart.
    unsynced: Vec<Arc<dyn File>>,
    unsynced_names: bool,
    /// A failed sync: nothing of this writer can be made durable any more.
    poison: Option<String>,
    /// What was known of the run when the writer began: each of its logs begins with it, so that none depends on
    /// another one, or on one of another writer, that a power loss takes.
    preamble: Vec<Meta>,
    /// The length at which a new log is tried for again, after one could not be created.
    new_log_at: u64,
}

/// How much further a log grows before another new one is tried for.
const NEW_LOG_RETRY_BYTES: u64 = 1 << 20;

#[derive(Debug)]
struct Defined<T> {
    what: T,
    generation: u32,
}

/// What has to be synced to make everything up to `sequence` durable.
#[derive(Debug)]
pub(crate) struct SyncWork {
    pub(crate) sequence: u64,
    pub(crate) files: Vec<Arc<dyn File>>,
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
            numbers: HashMap::new(),
            metrics: Vec::new(),
            row_numbers: HashMap::new(),
            rows: Vec::new(),
            base: Base::default(),
            scratch: Vec::new(),
            sequence: 0,
            unsynced: Vec::new(),
            unsynced_names: true,
            poison: None,
            preamble: Vec::new(),
            new_log_at: 0,
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
    pub(crate) fn point(&mut self, metric: u32, point: Point) -> Result<()> {
        if !self.metric_is_defined(metric) {
            self.define(&[metric], None)?;
        }
        self.begin(RECORD_HEAD)?;
        self.record(|out, base| record::put_point(out, base, metric, point))?;
        self.publish()
    }

    /// Logs one value for each metric of a row.
    pub(crate) fn row(&mut self, row: u32, step: i64, timestamp: i64, values: &[f64]) -> Result<()> {
        if self.rows.get(row as usize).is_some_and(|known| known.generation != self.generation) {
            let metrics = self.rows.get(row as usize).map(|known| known.what.clone()).unwrap_or_default();
            self.define(&metrics, Some(row))?;
        }
        self.begin(RECORD_HEAD + values.len() * 8)?;
        self.record(|out, base| record::put_row(out, base, row, step, timestamp, values))?;
        self.publish()
    }

    /// Logs points of one metric by column. The slices have equal length.
    pub(crate) fn columns(&mut self, metric: u32, steps: &[i64], timestamps: &[i64], values: &[f64]) -> Result<()> {
        if !self.metric_is_defined(metric) {
            self.define(&[metric], None)?;
        }
        let piece = limits::MAX_COLUMN_PIECE_POINTS;
        self.begin(values.len().div_ceil(piece) * RECORD_HEAD + values.len() * 24)?;
        let axes = steps.chunks(piece).zip(timestamps.chunks(piece));
        for ((steps, timestamps), values) in axes.zip(values.chunks(piece)) {
            self.record(|out, _| record::put_columns(out, metric, steps, timestamps, values))?;
        }
        self.publish()
    }

    /// Logs the first records of the writer.
    pub(crate) fn begin_run(&mut self, records: Vec<Meta>) -> Result<()> {
        self.preamble = records;
        self.put_preamble()
    }

    fn put_preamble(&mut self) -> Result<()> {
        let records = std::mem::take(&mut self.preamble);
        let put = self.put_meta(&records).and_then(|()| self.log()?.publish());
        self.preamble = records;
        self.sequence += 1;
        put
    }

    /// Logs changes of the run.
    pub(crate) fn meta(&mut self, records: &[Meta]) -> Result<()> {
        self.put_meta(records)?;
        self.publish()
    }

    fn put_meta(&mut self, records: &[Meta]) -> Result<()> {
        let mut encoded = Vec::new();
        records.iter().for_each(|record| record.encode(&mut encoded));
        self.begin(encoded.len())?;
        self.record(|out, _| out.extend_from_slice(&encoded))
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
        self.record(|out, _| out.extend_from_slice(&definitions))?;
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

    /// Begins a call whose records take at most `bytes`.
    fn begin(&mut self, bytes: usize) -> Result<()> {
        self.log()?.begin(bytes)
    }

    fn record(&mut self, encode: impl FnOnce(&mut Vec<u8>, &mut Base)) -> Result<()> {
        let Some(log) = self.log.as_mut() else { return Err(ended(self.run_id)) };
        if log.at_frame_start() {
            self.base = Base::default();
        }
        self.scratch.clear();
        encode(&mut self.scratch, &mut self.base);
        log.write(&self.scratch)
    }

    fn publish(&mut self) -> Result<()> {
        let log_bytes = self.log_bytes;
        let log = self.log()?;
        log.publish()?;
        let len = log.len();
        self.sequence += 1;
        if len >= log_bytes && len >= self.new_log_at { self.begin_new_log(len) } else { Ok(()) }
    }

    /// Begins a new log. When there is no room for one the old one goes on growing, and the next call tries again.
    fn begin_new_log(&mut self, len: u64) -> Result<()> {
        let created_us = self.env.clock.now_us().max(self.created_us + 1);
        let id = LogId { created_us, salt: self.env.clock.random() };
        let Some(mut old) = self.log.take() else { return Err(ended(self.run_id)) };
        if let Err(error) = old.close_and_publish() {
            self.log = Some(old);
            return Err(error);
        }
        let before = Some((old.id(), old.len() as u32));
        let Ok(log) = create_log(&self.env, self.run_id, &self.dir, id, self.mapped, before) else {
            self.log = Some(old);
            self.new_log_at = len + NEW_LOG_RETRY_BYTES;
            return Ok(());
        };
        self.new_log_at = 0;
        self.log = Some(log);
        self.created_us = created_us;
        self.generation += 1;
        self.unsynced_names = true;
        self.unsynced.push(Arc::clone(old.file()));
        self.full.push(old);
        self.put_preamble()
    }

    /// Ends the writer: no call is taken any more. The log is left for sealing.
    pub(crate) fn end(&mut self) -> Result<()> {
        let Some(mut log) = self.log.take() else { return Err(ended(self.run_id)) };
        self.unsynced.push(Arc::clone(log.file()));
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
            files.push(Arc::clone(log.file()));
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

    /// True when the extent after the current one should be prepared.
    pub(crate) fn wants_next(&self) -> bool {
        self.log.as_ref().is_some_and(LogWriter::wants_next)
    }

    pub(crate) fn plan_next(&self) -> Option<NextExtent> {
        self.log.as_ref().and_then(LogWriter::plan_next)
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    /// Stops asking for the next extent ahead of need, until the log has entered another.
    pub(crate) fn refuse_next(&mut self) {
        if let Some(log) = self.log.as_mut() {
            log.refuse_next();
        }
    }

    pub(crate) fn install_next(&mut self, next: NextExtent) {
        if let Some(log) = self.log.as_mut() {
            log.install_next(next);
        }
    }
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
    let header = LogHeader {
        file_id: FileId(env.clock.random_id()),
        run_id,
        log_id: id,
        boot_id: env.clock.boot_id(),
        process_id: std::process::id(),
        before,
    };
    LogWriter::create(env, &dir.join(paths::log_name(id)), &header, mapped)
}
