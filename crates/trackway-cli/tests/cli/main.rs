//! The program as its user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod demo;
mod export;
mod follow;
mod harness;
mod log;
mod manage;
mod models;
mod rows;
#[cfg(feature = "server")]
mod server;
mod show;
mod transfer;
mod verify;
