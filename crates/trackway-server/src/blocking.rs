//! Engine calls off the async threads.

use crate::mlflow::{Code, Error, Result};

/// Does work that may block on a thread of its own kind. The async threads stay free for connections.
///
/// # Errors
/// The work's own; `INTERNAL_ERROR` when it panicked, which is logged and costs this request only.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failure) => {
            tracing::error!(%failure, "a request's work ended early");
            Err(Error::new(Code::InternalError, "the server could not finish this request; its log says more"))
        }
    }
}
