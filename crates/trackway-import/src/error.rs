//! What can go wrong on the way from a source to a store.

use std::io;
use std::path::{Path, PathBuf};
use trackway::ErrorKind;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with the place where it did.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway_import::{Error, MlflowOptions, import_mlflow, keep_going};
///
/// let missing = import_mlflow(&store, "no/such/mlruns".as_ref(), &MlflowOptions::default(), &mut keep_going);
/// assert!(matches!(missing, Err(Error::Io { .. })));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store refused a call.
    #[error(transparent)]
    Store(#[from] trackway::Error),
    /// The store does not take what the source holds there, e.g. a value longer than its limits. Nothing was cut.
    #[error("{place}: {source}")]
    Refused {
        /// File, or param, tag or metric of a run.
        place: String,
        /// What the store said.
        source: trackway::Error,
    },
    /// The source is not what it should be.
    #[error("{path}: {reason}", path = .path.display())]
    Source {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The bytes of a file are not what was written; what came before them is in the store.
    #[error("{path} is damaged at byte {offset}: {reason}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the piece begins that cannot be read, in bytes.
        offset: u64,
        /// Which check failed.
        reason: String,
    },
    /// The store has a run of this id whose points are not those of the source.
    #[error(
        "the first {points} points of metric {metric:?} of run {run} are not those of the source: it is another run"
    )]
    Differs {
        /// The run's id.
        run: String,
        /// The metric.
        metric: String,
        /// How many points were compared.
        points: u64,
    },
    /// Another import or copy into the store is under way.
    #[error("another import or copy into {path} is under way", path = .path.display())]
    Busy {
        /// The store's folder.
        path: PathBuf,
    },
    /// The system refused a call.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// The path of the call.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// SQLite refused a call.
    #[error("{path}: {source}", path = .path.display())]
    Sqlite {
        /// The file of the database.
        path: PathBuf,
        /// Its answer.
        #[source]
        source: rusqlite::Error,
    },
    /// The caller asked to stop. What was imported stays; the same import again goes on.
    #[error("stopped; the same import again goes on where this one ended")]
    Stopped,
}

impl Error {
    /// True when no other run of the source would fare better.
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Stopped => true,
            Self::Store(error) => matches!(
                error.kind(),
                ErrorKind::DiskFull | ErrorKind::ReadOnly | ErrorKind::Io | ErrorKind::Unsupported
            ),
            _ => false,
        }
    }

    pub(crate) fn source(path: &Path, reason: impl Into<String>) -> Self {
        Self::Source { path: path.to_path_buf(), reason: reason.into() }
    }
}

/// Adds the place to an error.
pub(crate) trait At<T> {
    fn at(self, path: &Path, action: &'static str) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path, action: &'static str) -> Result<T> {
        self.map_err(|source| Error::Io { path: path.to_path_buf(), action, source })
    }
}

/// Says which thing of the source it was that the store refused.
pub(crate) trait Place<T> {
    fn place(self, place: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Place<T> for trackway::Result<T> {
    fn place(self, place: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| match source.kind() {
            ErrorKind::InvalidInput => Error::Refused { place: place(), source },
            _ => Error::Store(source),
        })
    }
}
