//! The server over HTTP, one module a subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod artifacts;
mod browser;
mod compress;
mod experiments;
mod history;
mod inputs;
mod limits;
mod log;
mod logged_models;
mod mlflow_pages;
mod native;
mod native_charts;
#[path = "../browser/node.rs"]
mod node;
mod python;
mod registry;
mod runs;
mod search;
mod security;
mod server;
mod start;
mod tls;
mod ui;
