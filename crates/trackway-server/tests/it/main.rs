//! The server over HTTP, one module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod browser;
mod experiments;
mod native;
mod native_charts;
mod server;
mod start;
mod ui;
