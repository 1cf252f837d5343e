//! How long clients may take for what they do.

use std::time::Duration;

/// How long clients may take. Who takes longer loses the connection, or gets status 408 where an answer is possible.
///
/// ```
/// use std::time::Duration;
/// use trackway_server::{Limits, ServerOptions};
/// let limits = Limits { body: Duration::from_secs(300), ..Limits::default() }; // for a slow line
/// let options = ServerOptions { limits, ..ServerOptions::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The handshake of TLS: 10 s.
    pub handshake: Duration,
    /// The head of a request, counted from the moment its connection is ready for one; so also how long a connection may be
    /// idle: 75 s.
    pub head: Duration,
    /// A body that is read whole: 60 s.
    pub body: Duration,
    /// The next piece of a file that is being stored: 60 s.
    pub piece: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { handshake: seconds(10), head: seconds(75), body: seconds(60), piece: seconds(60) }
    }
}
