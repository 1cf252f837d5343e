//! Every limit of the data model and the format, with its reason. A reader refuses what exceeds one before it
//! allocates.
//!
//! ```
//! assert!(trackway::MetricKey::new("k".repeat(trackway::limits::MAX_KEY_CHARS + 1)).is_err());
//! ```

/// Longest key of a metric, param or tag, in characters: MLflow's limit, so that every key travels both ways.
pub const MAX_KEY_CHARS: usize = 250;

/// Longest name of an experiment or run, in characters: MLflow's limit for experiments.
pub const MAX_NAME_CHARS: usize = 500;

/// Longest value of a param or tag, in bytes: notes and model descriptions are tags and can be long; more than this
/// is an artifact.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// Most distinct metrics one run may have: bounds the dictionary a reader holds in memory.
pub const MAX_METRICS_PER_RUN: usize = 1 << 20;

/// Most metrics in one row: a row must lie in one frame.
pub const MAX_ROW_METRICS: usize = 1 << 17;

/// Most points in one stored piece of a column: longer calls are stored in pieces of this length.
pub const MAX_COLUMN_PIECE_POINTS: usize = 1 << 16;

/// Longest path of an artifact below its run, in bytes: half of what file systems take, so that a store can move.
pub const MAX_ARTIFACT_PATH_BYTES: usize = 2048;

/// Longest payload of one frame of a log, in bytes, and so the most that one call can log.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 26;

/// Most rows in one chunk of a segment: bounds what decoding one chunk allocates.
pub(crate) const MAX_CHUNK_ROWS: usize = 1 << 20;

/// Most rows of a group that come from one log, and most points of one metric: sums of them stay exact.
pub(crate) const MAX_GROUP_ROWS: u64 = 1 << 40;

/// Longest section of a segment or catalog once decompressed, in bytes.
pub(crate) const MAX_SECTION_BYTES: usize = 1 << 30;
