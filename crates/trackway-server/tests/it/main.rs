//! The server over HTTP, one module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod experiments;
mod server;
mod start;
