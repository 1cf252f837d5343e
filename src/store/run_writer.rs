//! `RunWriter` and its handles: what a training loop calls.

use super::paths::ARTIFACTS;
use super::run_core::RunCore;
use super::{Artifacts, Open};
use crate::error::{Error, Result};
use crate::format::record::{Change, ColumnsPlan};
use crate::limits;
use crate::types::{DatasetInput, Point, RunId, RunName, RunStatus, StatusCause, TagKey, check_value};
use std::sync::Arc;

/// Most points in one call of [`Metric::log_columns`]: the call counts as a whole, so its bytes must fit one frame of
/// a log.
const MAX_CALL_POINTS: usize = 1 << 21;

/// Writes to one run. Cheap to share: every method takes `&self`, from any thread.
///
/// Each writer appends to a log of its own; several writers, also of other processes, may write to one run. When a
/// log call returns, its points survive the death of the process (see [`Durability`](crate::Durability)).
///
/// A writer that is dropped without [`Self::finish`], [`Self::end`] or [`Self::leave`] ends its run as `KILLED` (`FAILED` while
/// panicking) with the cause [`StatusCause::Dropped`].
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.log_params(&[("lr", "0.1"), ("layers", "4")])?;
/// run.set_tag("dataset", "digits")?;
/// std::thread::scope(|scope| {
///     for worker in 0..2 {
///         let run = &run;
///         scope.spawn(move || run.log_metric(&format!("worker/{worker}"), 0, 1.0));
///     }
/// });
/// run.sync()?; // on the medium
/// run.finish()?;
/// assert_eq!(store.run(run.id())?.metrics.len(), 2);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug)]
pub struct RunWriter {
    core: Arc<RunCore>,
    /// The background thread serves this writer as long as it lives, also when the store's handle is gone.
    _open: Arc<Open>,
}

/// A metric of a run, ready to be logged to without looking up its name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let loss = run.metric("loss")?;
/// loss.log(0, 0.7)?;
/// loss.log_at(1, 1_700_000_000_000, 0.6)?;
/// loss.log_columns(&[2, 3], &[1_700_000_000_100, 1_700_000_000_200], &[0.5, f64::NAN])?;
/// assert_eq!(store.snapshot(run.id())?.stats("loss").map(|stats| stats.count), Some(4));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Metric {
    core: Arc<RunCore>,
    number: u32,
}

/// Metrics of a run that are logged together: one shared step and timestamp a call.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let row = run.row(&["loss", "accuracy"])?;
/// row.log(1, &[0.5, 0.8])?;
/// assert!(row.log(2, &[0.4]).is_err(), "one value for each metric");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Row {
    core: Arc<RunCore>,
    number: u32,
    len: usize,
}
impl RunWriter {
    pub(super) fn new(core: Arc<RunCore>, open: &Arc<Open>) -> Self {
        Self { core, _open: Arc::clone(open) }
    }

    /// The run's id.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let text = run.id().to_string(); // for a log line, or another process
    /// assert_eq!(text.parse::<trackway::RunId>()?, run.id());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn id(&self) -> RunId {
        self.core.id
    }

    /// A handle to a metric, for loops that should not look up names.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let loss = run.metric("train/loss")?;
    /// for step in 0..100 {
    ///     loss.log(step, 1.0 / (step + 1) as f64)?;
    /// }
    /// # assert_eq!(store.run(run.id())?.metrics["train/loss"].count, 100);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The key breaks a rule of [`MetricKey`](crate::MetricKey), the run has too many metrics, or the writer has ended.
    pub fn metric(&self, key: &str) -> Result<Metric> {
        let number = self.core.appender.lock().number(key)?;
        Ok(Metric { core: Arc::clone(&self.core), number })
    }

    /// A handle to metrics that are logged together, in this order.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let row = run.row(&["loss", "lr"])?;
    /// row.log(1, &[0.5, 1e-3])?;
    /// assert!(run.row(&["loss", "loss"]).is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::metric`]; the list is empty, or names a metric twice.
    pub fn row(&self, keys: &[&str]) -> Result<Row> {
        let number = self.core.row_number(&mut self.core.appender.lock(), keys.iter().copied())?;
        Ok(Row { core: Arc::clone(&self.core), number, len: keys.len() })
    }

    /// Logs one point now.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("val/accuracy", 1000, 0.93)?;
    /// assert_eq!(store.run(run.id())?.metrics["val/accuracy"].latest.step, 1000);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Metric::log_at`] and [`Self::metric`].
    pub fn log_metric(&self, key: &str, step: i64, value: f64) -> Result<()> {
        self.log_metric_at(key, step, self.core.shared.now_ms(), value)
    }

    /// Logs one point; `timestamp` in milliseconds since the Unix epoch.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric_at("loss", 1, 1_700_000_000_000, 0.5)?; // when it was measured
    /// assert_eq!(store.run(run.id())?.metrics["loss"].latest.timestamp, 1_700_000_000_000);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Metric::log_at`] and [`Self::metric`].
    pub fn log_metric_at(&self, key: &str, step: i64, timestamp: i64, value: f64) -> Result<()> {
        self.core.append(|appender| {
            let number = appender.number(key)?;
            appender.point(number, Point::new(step, timestamp, value))
        })
    }

    /// Logs several metrics at one step, now.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metrics(10, &[("loss", 0.5), ("accuracy", 0.8)])?;
    /// assert_eq!(store.run(run.id())?.metrics["accuracy"].latest.value, 0.8);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Row::log_at`] and [`Self::row`].
    pub fn log_metrics(&self, step: i64, values: &[(&str, f64)]) -> Result<()> {
        self.log_metrics_at(step, self.core.shared.now_ms(), values)
    }

    /// Logs several metrics at one step; `timestamp` in milliseconds since the Unix epoch. The call counts as a whole.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metrics_at(10, 1_700_000_000_000, &[("loss", 0.5), ("accuracy", 0.8)])?;
    /// assert_eq!(store.run(run.id())?.metrics["loss"].latest.timestamp, 1_700_000_000_000);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Row::log_at`] and [`Self::row`].
    pub fn log_metrics_at(&self, step: i64, timestamp: i64, values: &[(&str, f64)]) -> Result<()> {
        if let [(key, value)] = values {
            return self.log_metric_at(key, step, timestamp, *value);
        }
        let numbers: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        self.core.append(|appender| {
            let row = self.core.row_number(appender, values.iter().map(|(key, _)| *key))?;
            appender.row(row, step, timestamp, &numbers)
        })
    }

    /// Writes a param. The same value again is fine.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_param("lr", "0.1")?;
    /// run.log_param("lr", "0.1")?; // as a resumed script does
    /// assert!(run.log_param("lr", "0.2").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ParamConflict`] when it has another value; the key or value breaks a rule; as [`Metric::log_at`].
    pub fn log_param(&self, key: &str, value: &str) -> Result<()> {
        self.core.log_params(&[(key, value)])
    }

    /// Writes several params, all or none.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_params(&[("lr", "0.1"), ("layers", "4")])?;
    /// assert!(run.log_params(&[("seed", "1"), ("layers", "5")]).is_err());
    /// assert!(!store.run(run.id())?.params.contains_key("seed"), "all or none");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::log_param`].
    pub fn log_params(&self, params: &[(&str, &str)]) -> Result<()> {
        self.core.log_params(params)
    }

    /// Sets a tag; an earlier value is replaced.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.set_tag("stage", "warm-up")?;
    /// run.set_tag("stage", "training")?;
    /// assert_eq!(store.run(run.id())?.tags["stage"], "training");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The key or value breaks a rule; as [`Metric::log_at`].
    pub fn set_tag(&self, key: &str, value: &str) -> Result<()> {
        TagKey::check(key)?;
        check_value("tag value in bytes", value)?;
        self.core.log_changes(vec![Change::Tag { key: key.to_owned(), value: value.to_owned() }])
    }

    /// Deletes a tag; one that does not exist is no error here, since another process may have set it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.set_tag("candidate", "yes")?;
    /// run.delete_tag("candidate")?;
    /// assert!(store.run(run.id())?.tags.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The key breaks a rule; as [`Metric::log_at`].
    pub fn delete_tag(&self, key: &str) -> Result<()> {
        TagKey::check(key)?;
        self.core.log_changes(vec![Change::TagDeleted { key: key.to_owned() }])
    }

    /// Notes that the run uses a dataset. One that it is linked to already (by name and digest) stays as it is.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::DatasetInput;
    /// run.log_dataset(DatasetInput { source: "data/digits.csv".into(), ..DatasetInput::new("digits", "a1b2c3") })?;
    /// assert_eq!(store.run(run.id())?.datasets[0].name, "digits");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The name is empty, a text is longer than [`MAX_DATASET_TEXT_BYTES`](crate::limits::MAX_DATASET_TEXT_BYTES), a tag
    /// breaks a rule; as [`Metric::log_at`].
    pub fn log_dataset(&self, dataset: DatasetInput) -> Result<()> {
        dataset.check()?;
        self.core.log_changes(vec![Change::Dataset(dataset)])
    }

    pub(super) fn log_changes(&self, changes: Vec<Change>) -> Result<()> {
        self.core.log_changes(changes)
    }

    /// Names the run, at any time.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.set_name("baseline, larger batch")?;
    /// assert_eq!(store.run(run.id())?.name, "baseline, larger batch");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The name breaks a rule of [`RunName`]; as [`Metric::log_at`].
    pub fn set_name(&self, name: &str) -> Result<()> {
        RunName::check(name)?;
        self.core.log_changes(vec![Change::Name(name.to_owned())])
    }

    /// The run's artifacts.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("model/config.json", b"{}")?;
    /// assert_eq!(run.artifacts().read("model/config.json")?, b"{}");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn artifacts(&self) -> Artifacts {
        Artifacts::new(&self.core.shared, self.core.dir.join(ARTIFACTS))
    }

    /// Returns when everything logged before the call is on the medium.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("val/loss", 1000, 0.4)?;
    /// run.sync()?; // before the checkpoint says that step 1000 is done
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system could not write it. The writer is poisoned then: what was not durable may be lost with the power,
    /// and only a new writer can log on.
    pub fn sync(&self) -> Result<()> {
        self.core.sync()
    }

    /// Ends the run as `FINISHED`, now.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.finish()?;
    /// assert_eq!(store.run(run.id())?.status, trackway::RunStatus::Finished);
    /// assert!(run.log_metric("loss", 1, 0.5).is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::end`].
    pub fn finish(&self) -> Result<()> {
        self.end(RunStatus::Finished, None)
    }

    /// Ends this writer and gives the run a status; `end_time` in milliseconds since the Unix epoch, now when `None`.
    /// The run can be resumed with [`Store::resume_run`](crate::Store::resume_run).
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::RunStatus;
    ///
    /// if let Err(error) = "fast".parse::<f64>() {
    ///     run.set_tag("error", &error.to_string())?;
    ///     run.end(RunStatus::Failed, None)?;
    /// }
    /// assert_eq!(store.run(run.id())?.status, RunStatus::Failed);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a status that does not end a run, [`Error::InvalidState`] when the writer has
    /// ended already, and as [`Metric::log_at`].
    pub fn end(&self, status: RunStatus, end_time: Option<i64>) -> Result<()> {
        self.end_with_cause(status, StatusCause::Reported, end_time)
    }

    /// Ends this writer and not the run: it keeps its status, also when nobody writes to it. For programs that write on
    /// behalf of others, which may say more later: see [`Store::append_run`](crate::Store::append_run).
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.leave()?;
    /// assert!(run.log_metric("loss", 1, 0.5).is_err());
    /// assert_eq!(store.run(run.id())?.status, trackway::RunStatus::Running);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::end`]. The files of the run could not be read: the writer has ended, and the run is shown as one whose
    /// writer vanished if nobody else writes to it.
    pub fn leave(&self) -> Result<()> {
        self.core.leave()
    }

    /// As [`Self::end`], and says who said so: for a copy of a run whose writer was dropped or vanished.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::{RunStatus, StatusCause};
    ///
    /// run.end_with_cause(RunStatus::Killed, StatusCause::Vanished, Some(1_700_000_000_000))?;
    /// let read = store.run(run.id())?;
    /// assert_eq!((read.status_cause, read.end_time), (StatusCause::Vanished, Some(1_700_000_000_000)));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::end`].
    pub fn end_with_cause(&self, status: RunStatus, cause: StatusCause, end_time: Option<i64>) -> Result<()> {
        if !status.is_ended() {
            return Err(Error::invalid("run status", format!("{status} does not end a run")));
        }
        self.core.end(status, cause, end_time)
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        if !self.core.is_ended() {
            let status = if std::thread::panicking() { RunStatus::Failed } else { RunStatus::Killed };
            // Nobody is left to take an error; the next open completes the run.
            let _ = self.core.end_dropped(status);
        }
    }
}
impl Metric {
    /// Logs one point now.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let loss = run.metric("loss")?;
    /// loss.log(1, 0.5)?;
    /// assert_eq!(store.run(run.id())?.metrics["loss"].latest.value, 0.5);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::log_at`].
    pub fn log(&self, step: i64, value: f64) -> Result<()> {
        self.log_at(step, self.core.shared.now_ms(), value)
    }

    /// Logs one point; `timestamp` in milliseconds since the Unix epoch. No system call, but for one in many
    /// thousand calls when the log has to grow and the background thread has not prepared it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let loss = run.metric("loss")?;
    /// loss.log_at(1, 1_700_000_000_000, 0.5)?;
    /// assert_eq!(store.run(run.id())?.metrics["loss"].latest.timestamp, 1_700_000_000_000);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DiskFull`]: nothing was logged, and the call may be repeated; [`Error::InvalidState`] when the writer
    /// has ended; [`Error::Poisoned`] after a failed sync.
    pub fn log_at(&self, step: i64, timestamp: i64, value: f64) -> Result<()> {
        self.core.append(|appender| appender.point(self.number, Point::new(step, timestamp, value)))
    }

    /// Logs points by column: three slices of equal length, timestamps in milliseconds since the Unix epoch. The
    /// call counts as a whole.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let loss = run.metric("loss")?;
    /// loss.log_columns(&[1, 2, 3], &[1_700_000_000_000; 3], &[0.5, f64::NAN, 0.4])?;
    /// assert_eq!(store.run(run.id())?.metrics["loss"].nan_count, 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the lengths differ, [`Error::LimitExceeded`] beyond 2,097,152 points, and as
    /// [`Self::log_at`].
    pub fn log_columns(&self, steps: &[i64], timestamps: &[i64], values: &[f64]) -> Result<()> {
        if steps.len() != values.len() || timestamps.len() != values.len() {
            let lengths = format!("{}, {} and {}", steps.len(), timestamps.len(), values.len());
            return Err(Error::invalid("columns", format!("their lengths differ: {lengths}")));
        }
        if values.len() > MAX_CALL_POINTS {
            let (limit, found) = (MAX_CALL_POINTS as u64, values.len() as u64);
            return Err(Error::LimitExceeded { what: "number of points in one call", limit, found });
        }
        if values.is_empty() {
            return Ok(());
        }
        // How the columns are stored is found out before the writer's lock is taken.
        let piece = limits::MAX_COLUMN_PIECE_POINTS;
        let axes = steps.chunks(piece).zip(timestamps.chunks(piece));
        let pieces: Vec<_> = axes.zip(values.chunks(piece)).map(|((s, t), v)| ColumnsPlan::new(s, t, v)).collect();
        self.core.append(|appender| appender.columns(self.number, &pieces))
    }
}

impl Row {
    /// Logs one value for each metric, now.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let row = run.row(&["loss", "accuracy"])?;
    /// row.log(1, &[0.5, 0.8])?;
    /// assert_eq!(store.run(run.id())?.metrics["accuracy"].latest.value, 0.8);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::log_at`].
    pub fn log(&self, step: i64, values: &[f64]) -> Result<()> {
        self.log_at(step, self.core.shared.now_ms(), values)
    }

    /// Logs one value for each metric, in the order in which they were named; `timestamp` in milliseconds since the
    /// Unix epoch. The call counts as a whole.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let row = run.row(&["loss", "accuracy"])?;
    /// row.log_at(1, 1_700_000_000_000, &[0.5, 0.8])?;
    /// assert_eq!(store.run(run.id())?.metrics["loss"].latest.timestamp, 1_700_000_000_000);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the number of values is not that of the metrics, and as [`Metric::log_at`].
    pub fn log_at(&self, step: i64, timestamp: i64, values: &[f64]) -> Result<()> {
        if values.len() != self.len {
            let reason = format!("it has {} metrics and was given {} values", self.len, values.len());
            return Err(Error::invalid("row", reason));
        }
        self.core.append(|appender| appender.row(self.number, step, timestamp, values))
    }
}
