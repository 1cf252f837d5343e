//! Serves a Trackway store over HTTP: MLflow's REST API, so that unmodified MLflow clients log into it, and what a
//! browser needs.
//!
//! The engine stays synchronous: connections live on a few async threads, and each request's work is done on a thread
//! that may block (`blocking`). `mlflow/` is MLflow's wire, one file a resource; `native/` is Trackway's own JSON API,
//! which its pages use. Nothing is acknowledged before the engine's call has returned.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod blocking;
mod body;
mod compress;
mod error;
mod guard;
mod limits;
mod listen;
mod login;
mod mlflow;
mod native;
mod options;
mod reply;
mod state;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
mod tls;
mod token;
mod ui;
mod writers;

pub use error::{Error, Result};
pub use limits::Limits;
pub use listen::{Server, Stopper};
pub use options::{ServerOptions, TlsFiles, store_options};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use guard::Guard;
use state::App;
use std::path::Path;
use std::sync::Arc;

/// Everything that is served.
fn router(app: Arc<App>, guard: Arc<Guard>, mlflow_pages: Option<&Path>) -> Router {
    Router::new()
        .route("/health", get(|| async { "OK" }))
        .route("/version", get(|| async { mlflow::VERSION }))
        .merge(mlflow_pages.map(mlflow::web_router).unwrap_or_default())
        .merge(mlflow::router())
        .merge(native::router())
        .merge(ui::router())
        .with_state(app)
        .merge(login::router(Arc::clone(&guard)))
        .layer(from_fn_with_state(guard, guard::check))
}
