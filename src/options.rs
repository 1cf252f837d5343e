//! How a store is opened: durability, intervals, sizes.

use crate::env::Env;
use crate::error::Result;
use crate::store::{Progress, RepairReport, Store};
use std::path::Path;
use std::time::Duration;

/// What a log call has reached when it returns.
///
/// ```no_run
/// use trackway::{Durability, StoreOptions};
///
/// let store = StoreOptions::new().durability(Durability::Medium).open("ledger")?;
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The points are in the file's pages: they survive the death of the process by any signal. A power loss loses at
    /// most the last [`sync_interval`](StoreOptions::sync_interval).
    #[default]
    Process,
    /// The points are on the medium. Calls of several threads share one sync (group commit).
    Medium,
}

/// Whether logs are written through a shared mapping.
///
/// ```no_run
/// use trackway::{AppendMode, StoreOptions};
///
/// let store = StoreOptions::new().append_mode(AppendMode::Calls).open("/mnt/strange/runs")?;
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AppendMode {
    /// Mapped where the file system is known to allow it, else by calls.
    #[default]
    Auto,
    /// Always by calls (`pwrite`): one or two a log call, the same guarantee.
    Calls,
}

/// How hard compaction looks for a small form.
///
/// ```no_run
/// use trackway::{Compression, StoreOptions};
///
/// let store = StoreOptions::new().compression(Compression::Archive).open("runs")?;
/// store.compact(&mut |progress| eprintln!("{} of {}", progress.done, progress.total))?;
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// The working point: within a few per cent of the smallest form that is known, at a fraction of its cost.
    #[default]
    Normal,
    /// For data that is kept and seldom read: slower to write, a little smaller.
    Archive,
}

/// Options of a store; the defaults suit a training loop.
///
/// ```no_run
/// use std::time::Duration;
/// let store = trackway::StoreOptions::new().sync_interval(Duration::from_millis(200)).open("runs")?;
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub(crate) read_only: bool,
    pub(crate) create: bool,
    pub(crate) background: bool,
    pub(crate) durability: Durability,
    pub(crate) append_mode: AppendMode,
    pub(crate) sync_interval: Duration,
    pub(crate) log_bytes: u64,
    pub(crate) chunk_rows: usize,
    pub(crate) compression: Compression,
    pub(crate) deleted_retention: Duration,
    pub(crate) scrub: Option<Duration>,
    pub(crate) env: Option<Env>,
    /// The catalog has an index from this many ended runs on, for tests.
    pub(crate) index_from: Option<usize>,
    /// So many small runs are gathered into a pack, for tests.
    pub(crate) pack_from: Option<usize>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreOptions {
    /// The defaults: read and write, created when missing, sync every second.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::StoreOptions;
    /// let store = StoreOptions::new().open(&path)?; // as Store::open
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn new() -> Self {
        Self {
            read_only: false,
            create: true,
            background: true,
            durability: Durability::Process,
            append_mode: AppendMode::Auto,
            sync_interval: Duration::from_secs(1),
            log_bytes: 16 << 20,
            chunk_rows: 4096,
            compression: Compression::Normal,
            deleted_retention: Duration::from_secs(30 * 24 * 3600),
            scrub: None,
            env: None,
            index_from: None,
            pack_from: None,
        }
    }

    /// Opens for reading only: no file is created or changed, no thread is started. Default: false.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// # trackway::Store::open(&path)?;
    /// let viewer = trackway::StoreOptions::new().read_only(true).open(&path)?;
    /// assert!(viewer.create_experiment("digits").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Whether a missing store is created; otherwise it is an error. Default: true (never when read-only).
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::StoreOptions;
    /// assert!(StoreOptions::new().create(false).open(&path).is_err(), "a typing error makes no store");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn create(mut self, yes: bool) -> Self {
        self.create = yes;
        self
    }

    /// Whether a background thread syncs, seals and compacts. Without it the caller does, with
    /// [`Store::maintain`]. Default: true.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::{ExperimentId, NewRun, StoreOptions};
    ///
    /// let store = StoreOptions::new().background(false).open(&path)?;
    /// let run = store.create_run(NewRun::new(ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// store.maintain()?; // syncs; nobody else does
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn background(mut self, yes: bool) -> Self {
        self.background = yes;
        self
    }

    /// What a log call has reached when it returns. Default: [`Durability::Process`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::{Durability, ExperimentId, NewRun, StoreOptions};
    ///
    /// let store = StoreOptions::new().durability(Durability::Medium).open(&path)?;
    /// let run = store.create_run(NewRun::new(ExperimentId::DEFAULT))?;
    /// run.log_metric("accuracy", 1, 0.9)?; // survives a power loss from here on
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How logs are written. Default: [`AppendMode::Auto`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::{AppendMode, StoreOptions};
    /// let store = StoreOptions::new().append_mode(AppendMode::Calls).open(&path)?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn append_mode(mut self, mode: AppendMode) -> Self {
        self.append_mode = mode;
        self
    }

    /// The longest time for which an acknowledged point may exist only in the machine's memory. Default: 1 s.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use std::time::Duration;
    /// let store = trackway::StoreOptions::new().sync_interval(Duration::from_secs(10)).open(&path)?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = interval;
        self
    }

    /// Size in bytes at which a log is sealed and a new one begun; from 64 KiB to 1 GiB. Default: 16 MiB.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// // Many small runs: no log needs 16 MiB.
    /// let store = trackway::StoreOptions::new().log_bytes(1 << 20).open(&path)?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn log_bytes(mut self, bytes: u64) -> Self {
        self.log_bytes = bytes.clamp(64 << 10, 1 << 30);
        self
    }

    /// Points in a full chunk; from 64 to 65,536. Default: 4,096.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// // Mostly read whole: long chunks are a little smaller.
    /// let store = trackway::StoreOptions::new().chunk_rows(32_768).open(&path)?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn chunk_rows(mut self, rows: usize) -> Self {
        self.chunk_rows = rows.clamp(64, 1 << 16);
        self
    }

    /// How hard compaction compresses. Default: [`Compression::Normal`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use trackway::{Compression, StoreOptions};
    ///
    /// let archive = StoreOptions::new().compression(Compression::Archive).open(&path)?;
    /// archive.compact(&mut |_| {})?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// How long a deleted run can be restored before compaction removes its files, and those of a deleted logged model. Default:
    /// 30 days.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use std::time::Duration;
    ///
    /// let store = trackway::StoreOptions::new().deleted_retention(Duration::ZERO).open(&path)?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # run.finish()?;
    /// store.delete_run(run.id())?;
    /// assert_eq!(store.compact(&mut |_| {})?.removed_runs, 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn deleted_retention(mut self, retention: Duration) -> Self {
        self.deleted_retention = retention;
        self
    }

    /// Reads over all sealed files in the background, at most 8 MiB a second, and begins again when so much time has
    /// passed since it last began; damage is noted in [`Store::incidents`]. Default: never.
    ///
    /// Off unless asked for, since a training loop has better use for the disk and for the memory of its pages, and many
    /// processes may have one store open. One that stays open, as a server does, is the one to switch it on.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// use std::time::Duration;
    ///
    /// let server = trackway::StoreOptions::new().scrub(Duration::from_secs(7 * 24 * 3600)).open(&path)?;
    /// for incident in server.incidents() {
    ///     eprintln!("{}: byte {}: {}", incident.path.display(), incident.offset, incident.what);
    /// }
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn scrub(mut self, every: Duration) -> Self {
        self.scrub = Some(every);
        self
    }

    /// Opens the store at `path` for writing, after mending the file that makes it a store where need be, repairs it as
    /// [`Store::repair`] does, and closes it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// # trackway::Store::open(&path)?;
    /// let report = trackway::StoreOptions::new().repair(&path, &mut |_| {})?;
    /// for repair in &report.repairs {
    ///     eprintln!("{}: {}", repair.path.display(), repair.what);
    /// }
    /// assert!(report.left.is_empty(), "all is well now");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::repair`]. [`Error::Corrupt`](crate::Error::Corrupt) when nothing tells that this
    /// version may write to the store.
    pub fn repair(self, path: impl AsRef<Path>, progress: &mut dyn FnMut(Progress)) -> Result<RepairReport> {
        Store::repair_at(path.as_ref(), self, progress)
    }

    /// Opens the store at `path` with these options.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("s");
    /// let store = trackway::StoreOptions::new().chunk_rows(8192).open(&path)?;
    /// assert_eq!(store.path(), path);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store> {
        Store::open_with(path.as_ref(), self)
    }
}
