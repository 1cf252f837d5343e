//! What can go wrong between a store and a file of columns.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use std::io;
use std::path::PathBuf;
use trackway::RunId;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with the place where it did.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway_arrow::{Error, Selection};
///
/// let missing = Selection::of(&store, &[trackway::RunId::from_bytes([7; 16])]);
/// assert!(matches!(missing, Err(Error::Store(trackway::Error::NotFound { .. }))));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store refused a call.
    #[error(transparent)]
    Store(#[from] trackway::Error),
    /// Not all of a run can be read; the error names the file.
    #[error("run {run}: {source}")]
    Run {
        /// The run.
        run: RunId,
        /// What is in the way.
        source: trackway::Error,
    },
    /// The path given for a file is that of something else.
    #[error("{path} is {what}; give the path of a file", path = .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
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
    /// What was given to write to refused it.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// Arrow refused a batch, e.g. because it has more names than its keys can tell apart.
    #[error("arrow: {0}")]
    Arrow(#[source] ArrowError),
    /// Parquet refused a batch.
    #[error("parquet: {0}")]
    Parquet(#[source] ParquetError),
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, source) => Self::Write(source),
            other => Self::Arrow(other),
        }
    }
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(source) => Self::Write(*source),
                Err(source) => Self::Parquet(ParquetError::External(source)),
            },
            other => Self::Parquet(other),
        }
    }
}

/// A run of which something was left out.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway_arrow::{Points, PointsOptions, Selection};
///
/// let selection = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
/// let options = PointsOptions { skip_damaged: true, ..PointsOptions::default() };
/// let mut points = Points::new(&store, &selection, options);
/// for batch in &mut points {
///     println!("{} points", batch.unwrap().num_rows());
/// }
/// for damage in points.damage() {
///     eprintln!("not all of run {} is there: {}", damage.run, damage.error);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug)]
pub struct Damage {
    /// The run.
    pub run: RunId,
    /// What was in the way first; it names the file.
    pub error: trackway::Error,
}

impl From<Damage> for Error {
    fn from(Damage { run, error: source }: Damage) -> Self {
        Self::Run { run, source }
    }
}

/// The same error once more: a snapshot keeps its own.
pub(crate) fn copy(error: &trackway::Error) -> trackway::Error {
    use trackway::Error::{Corrupt, Io, UnsupportedFormat};
    match error {
        Corrupt { path, offset, reason } => Corrupt { path: path.clone(), offset: *offset, reason: reason.clone() },
        UnsupportedFormat { path, found, supported } => {
            UnsupportedFormat { path: path.clone(), found: found.clone(), supported: supported.clone() }
        }
        Io { path, action, source } => {
            Io { path: path.clone(), action, source: io::Error::new(source.kind(), source.to_string()) }
        }
        other => Io { path: PathBuf::new(), action: "read", source: io::Error::other(other.to_string()) },
    }
}
