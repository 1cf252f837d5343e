//! The one error type of the engine.
//!
//! A variant exists where a caller would act differently; everything else is context inside it. Every error of a
//! file names the path, and where a position is known, the offset.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible call of this crate.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{Result, RunId, Store};
///
/// fn best_loss(store: &Store, id: RunId) -> Result<Option<f64>> {
///     Ok(store.snapshot(id)?.stats("loss").and_then(|stats| stats.min).map(|point| point.value))
/// }
/// # run.log_metric("loss", 1, 0.5)?;
/// assert_eq!(best_loss(&store, run.id())?, Some(0.5));
/// # Ok::<(), trackway::Error>(())
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with enough context to find it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::Error;
///
/// let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT).param("lr", "0.1"))?;
/// match run.log_param("lr", "0.2") {
///     Err(Error::ParamConflict { stored, .. }) => assert_eq!(stored, "0.1"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument breaks a rule of the data model; nothing was changed.
    #[error("invalid {what}: {reason}")]
    InvalidArgument {
        /// What was given, e.g. `metric key`.
        what: &'static str,
        /// Which rule it breaks.
        reason: String,
    },
    /// A filter or an order cannot be understood.
    #[error("{what}, character {}: {reason}", .position + 1)]
    InvalidQuery {
        /// `filter` or `order`.
        what: &'static str,
        /// The whole text.
        text: String,
        /// Where it cannot be understood, in characters from 0.
        position: usize,
        /// What was expected there, and what was found.
        reason: String,
    },
    /// An argument is larger than a limit of [`crate::limits`]; nothing was changed.
    #[error("{what} is too large: {found}, the limit is {limit}")]
    LimitExceeded {
        /// What was measured, with its unit.
        what: &'static str,
        /// The largest value that is accepted.
        limit: u64,
        /// The value given.
        found: u64,
    },
    /// No such store, experiment, run, metric, tag or artifact.
    #[error("{}", not_found_text(.what, .name))]
    NotFound {
        /// What was looked for, e.g. `run`.
        what: &'static str,
        /// Its name or id as given.
        name: String,
    },
    /// The name or id is taken.
    #[error("{what} {name:?} exists already")]
    AlreadyExists {
        /// What was to be created.
        what: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// A param is write-once and has another value; nothing was changed.
    #[error("param {key:?} of run {run} is {stored:?} and cannot become {given:?}: params are written once")]
    ParamConflict {
        /// The run.
        run: String,
        /// The param's key.
        key: String,
        /// The value that stays.
        stored: String,
        /// The value that was refused.
        given: String,
    },
    /// The operation does not fit the state of the thing it names, e.g. logging to a deleted run.
    #[error("{what} {name:?} {state}")]
    InvalidState {
        /// What was addressed.
        what: &'static str,
        /// Its name or id.
        name: String,
        /// The state that forbids the operation, as the end of a sentence.
        state: &'static str,
    },
    /// The store was opened for reading only, or its folder cannot be written.
    #[error("store {path} cannot be changed: {cause}", path = .path.display())]
    ReadOnly {
        /// The store's folder.
        path: PathBuf,
        /// What forbids it, as a sentence.
        cause: &'static str,
    },
    /// The path is not a store: a file, or a folder that holds something else.
    #[error("{path} is not a trackway store: {reason}", path = .path.display())]
    NotAStore {
        /// The path given.
        path: PathBuf,
        /// What is there instead.
        reason: String,
    },
    /// The file was written by a newer version whose content this one cannot read.
    #[error("{path} has format {found}, this version reads up to {supported}; use a newer trackway", path = .path.display())]
    UnsupportedFormat {
        /// The file.
        path: PathBuf,
        /// Version or feature bits found.
        found: String,
        /// What this version supports.
        supported: String,
    },
    /// Stored bytes are not what was written. The rest of the store stays readable.
    #[error("{path} is damaged at byte {offset}: {reason}", path = .path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the unreadable piece begins, in bytes from the start of the file.
        offset: u64,
        /// Which check failed.
        reason: String,
    },
    /// There is no room for more; what was acknowledged is kept, and the call may be repeated when there is room.
    #[error("no space left on the file system of {path}", path = .path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// An earlier failure (of a sync, or of the background thread) makes further writing untrustworthy.
    #[error("writing to {path} stopped after an earlier error: {cause}", path = .path.display())]
    Poisoned {
        /// The file or folder concerned.
        path: PathBuf,
        /// The first error.
        cause: String,
    },
    /// The operating system refused a call.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// The path of the call.
        path: PathBuf,
        /// What was attempted, e.g. `open`.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

fn not_found_text(what: &str, name: &str) -> String {
    if what == "store" { format!("there is no store at {name}") } else { format!("no {what} {name:?} in this store") }
}

/// What a caller can do about an [`Error`].
///
/// ```
/// use trackway::{ErrorKind, StoreOptions};
///
/// let missing = StoreOptions::new().read_only(true).open("no/such/store");
/// assert_eq!(missing.err().map(|error| error.kind()), Some(ErrorKind::NotFound));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call was wrong; repeat it with other arguments.
    InvalidInput,
    /// The thing does not exist.
    NotFound,
    /// The name is taken or the value differs.
    Conflict,
    /// The store cannot be changed through this handle.
    ReadOnly,
    /// The path or format is not one this version can use.
    Unsupported,
    /// Stored bytes are damaged; `trackway verify` lists them.
    Corrupt,
    /// Free some space and repeat.
    DiskFull,
    /// The system refused; `source()` says why.
    Io,
}

impl Error {
    /// What a caller can do about it.
    ///
    /// ```
    /// use trackway::{ErrorKind, MetricKey};
    /// let error = MetricKey::new("").err().map(|e| e.kind());
    /// assert_eq!(error, Some(ErrorKind::InvalidInput));
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidArgument { .. } | Self::InvalidQuery { .. } | Self::LimitExceeded { .. } => {
                ErrorKind::InvalidInput
            }
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } | Self::ParamConflict { .. } | Self::InvalidState { .. } => ErrorKind::Conflict,
            Self::ReadOnly { .. } => ErrorKind::ReadOnly,
            Self::NotAStore { .. } | Self::UnsupportedFormat { .. } => ErrorKind::Unsupported,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::DiskFull { .. } => ErrorKind::DiskFull,
            Self::Poisoned { .. } | Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// Wraps a system error with the path and the attempted action; a full disk becomes [`Error::DiskFull`].
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path: path.to_path_buf() }
            }
            _ => Self::Io { path: path.to_path_buf(), action, source },
        }
    }

    /// The same error once more, for a second reader of it; a system error keeps its kind and text.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Corrupt { path, offset, reason } => Self::corrupt(path, *offset, reason.clone()),
            Self::UnsupportedFormat { path, found, supported } => {
                Self::UnsupportedFormat { path: path.clone(), found: found.clone(), supported: supported.clone() }
            }
            Self::Io { path, action, source } => {
                let source = io::Error::new(source.kind(), source.to_string());
                Self::Io { path: path.clone(), action, source }
            }
            other => Self::Io { path: PathBuf::new(), action: "use", source: io::Error::other(other.to_string()) },
        }
    }

    pub(crate) fn corrupt(path: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), offset, reason: reason.into() }
    }

    pub(crate) fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    pub(crate) fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidArgument { what, reason: reason.into() }
    }

    pub(crate) fn query(what: &'static str, text: &str, position: usize, reason: impl Into<String>) -> Self {
        Self::InvalidQuery { what, text: text.to_owned(), position, reason: reason.into() }
    }

    /// True when the file vanished between listing and opening: the reader looks at the folder again.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Adds path and action to the result of a system call.
pub(crate) trait IoContext<T> {
    fn at(self, path: &Path, action: &'static str) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, path: &Path, action: &'static str) -> Result<T> {
        self.map_err(|source| Error::io(path, action, source))
    }
}
