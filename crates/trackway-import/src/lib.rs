//! Brings runs into a [`trackway`] store: from MLflow (a folder `mlruns`, or a file of SQLite), from TensorBoard's event
//! files, and from another store. What is kept of each and how is told in `docs/import.md`.
//!
//! All of them follow one rule: **importing again adds what is new, and nothing else**. Nothing but the store itself
//! says what is there already, so an import that was killed goes on when it is begun again, and one that ran twice left
//! what one had left. How: `target.rs`, which all sources go through, and `points.rs`; on the public list of the engine.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod artifacts;
mod copy;
mod error;
mod event;
mod id;
mod mlflow;
mod mlflow_sqlite;
mod mlruns;
mod points;
mod rows;
mod session;
mod target;
mod tensorboard;
mod tfrecord;
mod yaml;

pub use copy::{CopyOptions, copy};
pub use error::{Error, Result};
pub use mlflow::models::{MODEL_ID_TAG, MODEL_NAME_TAG, MODEL_TYPE_TAG, STATUS_MESSAGE_TAG};
pub use mlflow::{MlflowOptions, RUN_ID_TAG, import_mlflow};
pub use rows::RowImport;
pub use session::{EXPERIMENT_CREATED_TAG, EXPERIMENT_ID_TAG, Failure, Progress, Report, Watch, keep_going};
pub use target::{ARTIFACT_URI_TAG, STATUS_TAG};
pub use tensorboard::{TensorboardOptions, import_tensorboard};
