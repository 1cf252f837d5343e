//! Wires everything: the only folder with threads, and with locks that have an order.
//!
//! Order of locks, outermost first; nobody takes an outer one while holding an inner one:
//! scrub, maintenance, compaction lock (file), run lock (file), store lock (file), journal, heads and segments, a
//! writer's committer, its appender.

mod ahead;
mod append_lock;
mod appender;
mod artifact_files;
mod artifacts;
mod edit;
mod experiments;
mod follow;
mod gather;
mod live_merge;
mod logged_model_edits;
mod logged_model_query;
mod logged_models;
mod maintenance;
mod merge_model;
mod model_versions;
mod models;
mod open;
mod packs;
mod paths;
mod quarantine;
mod query;
mod recover;
mod removal;
mod repack;
mod repair;
mod repair_run;
mod run_core;
mod run_files;
mod run_view;
mod run_writer;
mod runs;
mod scrub;
mod search;
mod settle;
mod small_file;
mod snapshot;
mod statistics;
mod verify;
mod worker;

pub use artifact_files::ArtifactFile;
pub use artifacts::Artifacts;
pub use follow::Follower;
pub use maintenance::{CompactionReport, Progress};
pub use query::{Page, Query};
pub use repair::{Loss, Repair, RepairReport};
pub use run_writer::{Metric, Row, RunWriter};
pub use runs::{RunFilter, View};
pub use search::{RunPage, RunQuery};
pub use snapshot::Snapshot;
pub use statistics::{CodecStatistics, StoreStatistics};
pub use verify::{Damage, VerifyReport};

pub(crate) use crate::segment::{Along, ChunkRun, Position, Room, SeriesChunks};
#[cfg(any(test, feature = "testing"))]
pub(crate) use paths::{RunEntryName, log_name, parse_run_entry};
pub(crate) use snapshot::{ChartSource, Piece};

use crate::catalog::Journal;
use crate::env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::env::sync::{Mutex, MutexGuard, PoisonError};
use crate::env::{Env, Lock, Window};
use crate::error::{Error, IoContext, Result};
use crate::log::FullLog;
use crate::options::StoreOptions;
use crate::segment::{Head, SegmentPlace, SegmentReader};
use crate::types::{ExperimentId, LogId, LoggedModelId, RunId};
use paths::Paths;
use run_core::RunCore;
use run_files::CachedHead;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use worker::Worker;

/// A store: a folder with experiments and runs, open in this process.
///
/// Any number of handles, threads and processes may have one store open at a time and write to it. When a handle and
/// its writers are dropped, what they ended is sealed and the background thread stops. A process that was forked must
/// not use the handles it inherited: it opens the store itself.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("store");
/// use trackway::{NewRun, Store};
///
/// let store = Store::open(&path)?;
/// let experiment = store.experiment_or_create("digits")?;
/// let run = store.create_run(NewRun::new(experiment).name("baseline"))?;
/// run.log_param("lr", "0.1")?;
/// let loss = run.metric("loss")?;
/// for step in 0..100 {
///     loss.log(step, 1.0 / (step + 1) as f64)?;
/// }
/// run.finish()?;
///
/// let snapshot = store.snapshot(run.id())?;
/// assert_eq!(snapshot.latest("loss").map(|point| point.value), Some(0.01));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    open: Arc<Open>,
}

/// Keeps the background thread at work until the store's handle and all its writers are gone.
#[derive(Debug)]
pub(crate) struct Open {
    shared: Arc<Shared>,
    worker: Option<Worker>,
}

/// What opening a store found and mended.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// for incident in store.incidents() {
///     eprintln!("{}: byte {}: {}", incident.path.display(), incident.offset, incident.what);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The file concerned.
    pub path: PathBuf,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What was found and what was done.
    pub what: String,
}

/// Logs of runs by what is known of their content. A log's own mutex is taken after the map's is given back.
type Heads = HashMap<(RunId, LogId), Arc<Mutex<CachedHead>>>;

/// What all parts of an open store share.
#[derive(Debug)]
pub(crate) struct Shared {
    env: Env,
    paths: Paths,
    options: StoreOptions,
    /// Whether logs are written through a mapping.
    mapped: bool,
    journal: Mutex<Journal>,
    /// Content of logs that were read, to read on from there.
    heads: Mutex<Heads>,
    /// Memory of the log that was sealed last, for the next one.
    spare_head: Mutex<Head>,
    segments: Mutex<HashMap<SegmentPlace, Weak<SegmentReader>>>,
    packs: Mutex<packs::OpenPacks>,
    /// Whether the file that makes the folder a store says, durably, that there may be packs.
    packs_allowed: AtomicBool,
    gathering: Mutex<gather::Gathering>,
    known_segments: Mutex<live_merge::KnownSegments>,
    /// The experiments of logged models that were asked for.
    model_places: Mutex<HashMap<LoggedModelId, ExperimentId>>,
    /// The writers of this process.
    writers: Mutex<Vec<Weak<RunCore>>>,
    /// Logs that writers of this process have filled or ended, to be sealed.
    retired: Mutex<Vec<(RunId, FullLog)>>,
    /// Memory of logs that writers of this process have left, to be unmapped.
    spent: Mutex<Vec<Window>>,
    /// Runs whose files want attention: sealing, completing, compacting.
    to_settle: Mutex<Vec<RunId>>,
    incidents: Mutex<Vec<Incident>>,
    /// One maintenance at a time in this process.
    maintenance: Mutex<()>,
    /// How far the reading over sealed files has come.
    scrub: Mutex<scrub::Scrub>,
    /// Hybrid logical clock: later than every change this process has seen.
    clock_us: AtomicU64,
    /// Wakes the thread that prepares extents and logs, the one that syncs, and the one that seals and compacts.
    append_alarm: worker::Alarm,
    sync_alarm: worker::Alarm,
    seal_alarm: worker::Alarm,
}

/// Reads what looks damaged once more before that is believed: a bit can flip on its way from the medium.
fn twice<T>(read: impl Fn() -> Result<T>) -> Result<T> {
    match read() {
        Err(Error::Corrupt { .. } | Error::UnsupportedFormat { .. }) => read(),
        result => result,
    }
}

/// Takes a mutex. A panic while it was held left no half-done state: all of them guard values that are replaced, or
/// state whose writer poisons itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Fails when the store cannot be changed through this handle.
    fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            let cause = "it was opened for reading only";
            return Err(Error::ReadOnly { path: self.paths.root().to_path_buf(), cause });
        }
        Ok(())
    }

    /// A time for a change: later than all that this process has seen, and the wall clock's where that allows.
    fn change_time(&self) -> u64 {
        let now = self.env.clock.now_us();
        let seen = self.clock_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| Some(now.max(seen + 1)));
        now.max(seen.unwrap_or(0) + 1)
    }

    /// Notes the time of a change made by somebody else.
    fn saw_change(&self, at_us: u64) {
        // A clock far in the future must not push ours along: a day ahead is an error of that clock.
        let bound = self.env.clock.now_us().saturating_add(24 * 3600 * 1_000_000);
        self.clock_us.fetch_max(at_us.min(bound), Ordering::Relaxed);
    }

    fn now_ms(&self) -> i64 {
        (self.env.clock.now_us() / 1000) as i64
    }

    /// A time for a change of something whose latest change was at `after_us`: later than that too, however far ahead
    /// the clock that made it was.
    fn time_after(&self, after_us: u64) -> u64 {
        self.change_time().max(after_us.saturating_add(1))
    }

    /// An id for a log that comes after all logs up to `after_us`.
    fn new_log_id(&self, after_us: u64) -> LogId {
        LogId { created_us: self.time_after(after_us), salt: self.env.clock.random() }
    }

    fn lock_file(&self, path: &Path) -> Result<Box<dyn Lock>> {
        self.env.fs.lock(path).at(path, "lock")
    }

    fn lock_run(&self, run: RunId) -> Result<Box<dyn Lock>> {
        self.lock_file(&self.paths.run_lock(run))
    }

    fn note_incident(&self, path: &Path, offset: u64, what: String) {
        lock(&self.incidents).push(Incident { path: path.to_path_buf(), offset, what });
    }
}

impl Store {
    /// Opens the store at `path` for reading and writing, and creates it when there is none.
    ///
    /// Runs whose writers vanished are completed: their logs are sealed, and a run that nobody writes to any more
    /// becomes [`Killed`](crate::RunStatus::Killed) with the cause [`Vanished`](crate::StatusCause::Vanished).
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::Store;
    ///
    /// let store = Store::open(&path)?;
    /// let again = Store::open(&path)?; // here or in another process
    /// let digits = store.create_experiment("digits")?;
    /// assert_eq!(again.experiment(digits)?.name, "digits");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAStore`] when the path is a file or a folder with other content, [`Error::UnsupportedFormat`] when
    /// a newer version wrote it, [`Error::Corrupt`] when the file that says so is damaged, [`Error::ReadOnly`] when
    /// the folder cannot be written (open it with [`StoreOptions::read_only`]), and system errors.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        StoreOptions::new().open(path)
    }

    /// The folder of the store, as given.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// let store = trackway::Store::open(&path)?;
    /// assert_eq!(store.path(), path);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        self.shared.paths.root()
    }

    /// What opening this store, and its maintenance since, found damaged or left behind, and set aside or completed.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// assert!(store.incidents().is_empty(), "nothing was found damaged or left behind");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn incidents(&self) -> Vec<Incident> {
        lock(&self.shared.incidents).clone()
    }

    /// Does one round of the background work: syncs what is due, seals full logs, completes and compacts runs that
    /// ended in this process. Returns whether there was anything to do. Needed only with
    /// [`StoreOptions::background`] off; harmless otherwise.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::{ExperimentId, NewRun, StoreOptions};
    ///
    /// let store = StoreOptions::new().background(false).open(&path)?;
    /// let run = store.create_run(NewRun::new(ExperimentId::DEFAULT))?;
    /// run.finish()?;
    /// while store.maintain()? {} // until nothing is left to do
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error met; the work that failed is tried again by the next call.
    pub fn maintain(&self) -> Result<bool> {
        let ahead = maintenance::keep_ahead(&self.shared);
        let kept_up = maintenance::keep_up(&self.shared, true);
        let tidied = maintenance::tidy_up(&self.shared);
        let scrubbed = self.shared.scrub_in_time();
        let worked = ahead? | kept_up? | tidied?;
        scrubbed.map(|()| worked)
    }

    /// Seals what was ended, and says what went wrong, which dropping the store does not. The background thread stops
    /// with the last writer.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// run.finish()?;
    /// store.close()?; // the run's log is a segment now
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::maintain`]. Nothing is lost by an error: the next open takes the work up again.
    pub fn close(self) -> Result<()> {
        maintenance::seal_pending(&self.shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop();
            // Sealing gives back the space of finished logs; compaction can wait for the next open. There is nobody
            // to hand an error to, and the next open tries again.
            let _ = maintenance::seal_pending(&self.shared);
        }
    }
}

#[cfg(all(test, shuttle))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod race_tests;
