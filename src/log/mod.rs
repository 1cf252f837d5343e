//! An append-only file of frames. Knows no run, metric or chunk: what the frames say is the business of others.
//!
//! Invariants: one writer a log, and it holds the file's lock as long as it lives; what was published never changes;
//! a reader needs no lock and never waits. Readers copy (`read_at`) and never map a log, since it is still written.

mod ahead;
mod reader;
mod writer;

pub(crate) use ahead::{BlankLog, LogPlan, NextExtent};
pub(crate) use reader::{LogEnd, LogPlace, LogReader, Opened, header_error};
pub(crate) use writer::{FullLog, LogWriter, Sealed};

#[cfg(all(test, loom))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod loom_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
