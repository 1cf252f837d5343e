//! Columns out of a [`trackway`] store: its points and its runs as Arrow record batches, one after the other, and as files
//! of Arrow IPC and Parquet, which DuckDB, pandas and polars read.
//!
//! A [`Selection`] says which runs and metrics; [`Points`] and [`Runs`] are iterators of batches over it; [`write()`] and
//! [`write_file`] take any such iterator. Three rules hold for all of it:
//!
//! * **Memory is bounded** by the length of a batch, the largest stored piece of a metric, and the names of what was
//!   selected; not by the number of points or runs.
//! * **Order is fixed**: by run as selected, metric by key, point as written. Threads have no say in what is written, nor in
//!   where a batch ends.
//! * **What was cut never looks whole**: a file gets its name when all of it is on the medium, and a run that cannot be
//!   read whole is an error, or named in the end when it was asked to go on ([`Points::damage`]).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod batch;
mod error;
mod output;
mod parquet_file;
mod points;
mod runs;
mod selection;
mod write;

pub use arrow_array::RecordBatch;
pub use arrow_schema::SchemaRef;
pub use error::{Damage, Error, Result};
pub use output::OutputFile;
pub use points::{Points, PointsOptions};
pub use runs::Runs;
pub use selection::Selection;
pub use write::{Format, write, write_file};
