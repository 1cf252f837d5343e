//! Every limit of the data model and the format, with its reason. A reader refuses what exceeds one before it
//! allocates.
//!
//! ```
//! assert!(trackway::MetricKey::new("k".repeat(trackway::limits::MAX_KEY_CHARS + 1)).is_err());
//! ```

/// Longest key of a metric, param or tag, in characters: MLflow's limit, so that every key travels both ways.
///
/// ```
/// use trackway::{MetricKey, limits::MAX_KEY_CHARS};
/// assert!(MetricKey::new("\u{3b1}".repeat(MAX_KEY_CHARS)).is_ok(), "characters, not bytes");
/// ```
pub const MAX_KEY_CHARS: usize = 250;

/// Longest name of an experiment or run, in characters: MLflow's limit for experiments.
///
/// ```
/// use trackway::{RunName, limits::MAX_NAME_CHARS};
/// let long = "lr=0.1 ".repeat(100);
/// let name = RunName::new(long.chars().take(MAX_NAME_CHARS).collect::<String>())?;
/// assert_eq!(name.as_str().len(), 500);
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_NAME_CHARS: usize = 500;

/// Longest alias of a model version, in characters: MLflow's limit.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # use trackway::{NewModel, NewModelVersion};
/// store.create_model(NewModel::new("digits"))?;
/// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
/// let long = "a".repeat(trackway::limits::MAX_ALIAS_CHARS + 1);
/// assert!(store.set_model_alias("digits", &long, 1).is_err());
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_ALIAS_CHARS: usize = 255;

// The same in bytes: a character has at most four.
pub(crate) const MAX_KEY_BYTES: usize = MAX_KEY_CHARS * 4;
pub(crate) const MAX_NAME_BYTES: usize = MAX_NAME_CHARS * 4;
pub(crate) const MAX_ALIAS_BYTES: usize = MAX_ALIAS_CHARS * 4;

/// Longest value of a param or tag, in bytes: notes and model descriptions are tags and can be long; more than this
/// is an artifact.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let report = "x".repeat(trackway::limits::MAX_VALUE_BYTES + 1);
/// if run.set_tag("report", &report).is_err() {
///     run.artifacts().put_bytes("report.txt", report.as_bytes())?;
/// }
/// # assert_eq!(run.artifacts().list("")?.len(), 1);
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// Most distinct metrics one run may have: bounds the dictionary a reader holds in memory.
///
/// ```
/// let (layers, heads, kinds) = (96, 128, 16);
/// assert!(layers * heads * kinds <= trackway::limits::MAX_METRICS_PER_RUN);
/// ```
pub const MAX_METRICS_PER_RUN: usize = 1 << 20;

/// Most metrics in one row: a row must lie in one frame.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let keys: Vec<String> = (0..1000).map(|layer| format!("norm/{layer}")).collect();
/// let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
/// for part in keys.chunks(trackway::limits::MAX_ROW_METRICS) {
///     run.row(part)?.log(1, &vec![0.5; part.len()])?;
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_ROW_METRICS: usize = 1 << 17;

/// Most points in one stored piece of a column: longer calls are stored in pieces of this length.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let steps: Vec<i64> = (0..trackway::limits::MAX_COLUMN_PIECE_POINTS as i64 + 1).collect();
/// let (timestamps, values) = (vec![1_700_000_000_000; steps.len()], vec![0.5; steps.len()]);
/// run.metric("loss")?.log_columns(&steps, &timestamps, &values)?; // two pieces
/// assert_eq!(store.run(run.id())?.metrics["loss"].count, 65_537);
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_COLUMN_PIECE_POINTS: usize = 1 << 16;

/// Longest text of a dataset that a run used (its source, schema or profile), in bytes: MLflow's limit for profiles.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{DatasetInput, limits::MAX_DATASET_TEXT_BYTES};
/// let schema = "x".repeat(MAX_DATASET_TEXT_BYTES + 1);
/// assert!(run.log_dataset(DatasetInput { schema, ..DatasetInput::new("digits", "d1") }).is_err());
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_DATASET_TEXT_BYTES: usize = 1 << 24;

/// Longest path of an artifact below its run, in bytes: half of what file systems take, so that a store can move.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let deep = "folder/".repeat(trackway::limits::MAX_ARTIFACT_PATH_BYTES) + "file";
/// assert!(run.artifacts().put_bytes(&deep, b"content").is_err());
/// # Ok::<(), trackway::Error>(())
/// ```
pub const MAX_ARTIFACT_PATH_BYTES: usize = 2048;

/// Longest payload of one frame of a log, in bytes, and so the most that one call can log.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 26;

/// Most rows in one chunk of a segment: bounds what decoding one chunk allocates.
pub(crate) const MAX_CHUNK_ROWS: usize = 1 << 20;

/// Most rows of a group that come from one log, and most points of one metric: sums of them stay exact.
pub(crate) const MAX_GROUP_ROWS: u64 = 1 << 40;

/// Longest section of a segment or catalog once decompressed, in bytes.
pub(crate) const MAX_SECTION_BYTES: usize = 1 << 30;
