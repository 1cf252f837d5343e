//! Why a server does not start, or stops.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The result of starting or running a server.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a server does not start, or stops.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = || trackway::Store::open(dir.path()).unwrap();
/// use trackway_server::{Error, Server, ServerOptions};
///
/// let first = Server::bind(store(), ServerOptions { port: 0, ..ServerOptions::default() })?;
/// let taken = ServerOptions { port: first.addr().port(), ..ServerOptions::default() };
/// assert!(matches!(Server::bind(store(), taken), Err(Error::Bind { .. })));
/// # Ok::<(), trackway_server::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The address can be reached by others, and nothing keeps them off.
    #[error("{addr} can be reached by others: give a token file, or allow it without one")]
    Unprotected {
        /// The address.
        addr: SocketAddr,
    },
    /// A file that was named cannot be used.
    #[error("cannot use {path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system refused threads or timers.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

impl Error {
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
