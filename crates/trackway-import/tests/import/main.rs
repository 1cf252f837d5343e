//! Imports of what the real packages wrote (`tests/data/make.py`), value by value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod again;
mod copy;
mod copy_model;
mod harness;
mod mlflow;
mod mlflow_models;
mod mlflow_models_model;
mod odd_mlflow;
mod tensorboard;
