//! Why a server does not start, or stops.

use std::io;
use std::net::SocketAddr;

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
    /// The system refused threads or timers.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}
