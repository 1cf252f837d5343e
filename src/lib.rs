//! **Trackway**: an embedded, log-structured, append-only time-series storage engine for machine-learning experiment
//! tracking.
//!
//! A training loop links this crate and logs params, metrics, tags and artifacts of its runs. A point that was
//! logged survives the death of the process without a system call; people and tools read ranges and charts while it
//! trains, from any process. Start at [`Store`]; the map of the code is `docs/architecture.md`, the promises are in
//! `docs/durability.md`, the files in `docs/format.md`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

// Casts and checksums assume the byte order of the files.
#[cfg(target_endian = "big")]
compile_error!("trackway's files are little-endian and its code has only been made to work on such machines");

/// The examples of the README are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod catalog;
mod codec;
mod compact;
mod env;
mod error;
mod format;
pub mod limits;
mod log;
mod options;
mod pack;
mod query;
mod search;
mod segment;
mod store;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
mod types;

pub use error::{Error, ErrorKind, Result};
pub use options::{AppendMode, Compression, Durability, StoreOptions};
pub use query::{
    BandColumn, Bands, Chart, ChartAxis, ChartColumn, ChartOptions, ChartPoint, Histogram, MetricQuery, Order,
    Smoothing,
};
pub use search::{Filter, ModelOrder, RunOrder, Searchable};
pub use store::{
    ArtifactFile, Artifacts, CodecStatistics, CompactionReport, Damage, Follower, Incident, Loss, Metric, Page,
    Progress, Query, Repair, RepairReport, Row, RunFilter, RunPage, RunQuery, RunWriter, Snapshot, Store,
    StoreStatistics, VerifyReport, View,
};
pub use types::{
    Artifact, Columns, DatasetInput, Experiment, ExperimentId, ExperimentName, KeyMap, LifecycleStage, LoggedModel,
    LoggedModelId, LoggedModelStatus, MetricKey, MetricSummary, ModelLink, ModelMetric, ModelStage, ModelVersion,
    ModelVersionStatus, NewLoggedModel, NewModel, NewModelVersion, NewRun, ParamKey, Point, RegisteredModel, Run,
    RunId, RunName, RunStatus, Stats, StatusCause, TagKey,
};
