//! Experiments, runs and what belongs to them, as a reader sees them.

use crate::error::{Error, Result};
use crate::types::{DatasetInput, ExperimentId, KeyMap, ModelLink, Point, RunId, Stats};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Whether a thing is in use or was deleted by its user (and can be restored until its retention ends).
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::LifecycleStage;
///
/// store.delete_run(run.id())?;
/// assert_eq!(store.run(run.id())?.lifecycle_stage, LifecycleStage::Deleted);
/// store.restore_run(run.id())?;
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LifecycleStage {
    /// In use.
    #[default]
    Active,
    /// Deleted by its user.
    Deleted,
}

/// The state of a run, as MLflow names them.
///
/// ```
/// use trackway::RunStatus;
///
/// assert_eq!("finished".parse::<RunStatus>()?, RunStatus::Finished);
/// assert!(RunStatus::Killed.is_ended());
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// A writer is, or was last known to be, at work.
    #[default]
    Running,
    /// Waiting to start.
    Scheduled,
    /// Ended as intended.
    Finished,
    /// Ended by an error.
    Failed,
    /// Ended from outside, or its writer vanished: see [`StatusCause`].
    Killed,
}

impl RunStatus {
    /// All five, in the order of their stored numbers 1 to 5.
    ///
    /// ```
    /// let names = trackway::RunStatus::ALL.map(|status| status.as_str());
    /// assert_eq!(names, ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]);
    /// ```
    pub const ALL: [Self; 5] = [Self::Running, Self::Scheduled, Self::Finished, Self::Failed, Self::Killed];

    /// The name in capitals, e.g. `FINISHED`.
    ///
    /// ```
    /// assert_eq!(trackway::RunStatus::Finished.as_str(), "FINISHED");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// True for the states that end a run.
    ///
    /// ```
    /// use trackway::RunStatus;
    /// assert!(RunStatus::Killed.is_ended() && !RunStatus::Scheduled.is_ended());
    /// ```
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] unless `text` is one of the five names (either case).
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Error::invalid("run status", format!("{text:?} is none of the five names")))
    }
}

/// Who said that the run has its status.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{RunStatus, StatusCause};
///
/// let id = run.id();
/// drop(run);
/// let read = store.run(id)?;
/// assert_eq!((read.status, read.status_cause), (RunStatus::Killed, StatusCause::Dropped));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCause {
    /// A writer, by a call.
    #[default]
    Reported,
    /// The `RunWriter` was dropped without a call that ends the run.
    Dropped,
    /// The writing process ended without a word; found and completed when the store was next opened.
    Vanished,
}

/// An experiment: a named group of runs.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// let id = store.create_experiment("digits")?;
/// store.set_experiment_tag(id, "team", "vision")?;
/// assert_eq!(store.experiment(id)?.tags["team"], "vision");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Its id, for ever.
    pub id: ExperimentId,
    /// Its name, unique in the store (deleted experiments keep theirs).
    pub name: String,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last renamed, deleted or restored, in milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A run with everything but its points.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.set_name("baseline")?;
/// run.log_param("lr", "0.1")?;
/// let read = store.run(run.id())?;
/// assert_eq!((read.name.as_str(), read.params["lr"].as_str()), ("baseline", "0.1"));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id, for ever.
    pub id: RunId,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// Its name; empty when none was ever given.
    pub name: String,
    /// Who started it; empty when unknown.
    pub user: String,
    /// The run it is part of, if any.
    pub parent: Option<RunId>,
    /// Its state.
    pub status: RunStatus,
    /// Who said so.
    pub status_cause: StatusCause,
    /// When it started, in milliseconds since the Unix epoch.
    pub start_time: i64,
    /// When it ended, in milliseconds since the Unix epoch; `None` while it has not.
    pub end_time: Option<i64>,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// When it was deleted, in milliseconds since the Unix epoch.
    pub deleted_at: Option<i64>,
    /// Its params, each written once.
    pub params: KeyMap<String>,
    /// Its tags, each with the value written last.
    pub tags: KeyMap<String>,
    /// Datasets that it used, by name and digest.
    pub datasets: Vec<DatasetInput>,
    /// Logged models that it used, then those that it made, by step.
    pub models: Vec<ModelLink>,
    /// One summary for each metric.
    pub metrics: KeyMap<MetricSummary>,
}

/// What is known of one metric of a run without reading its points.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.log_metric("loss", 1, 0.5)?;
/// assert_eq!(store.run(run.id())?.metrics["loss"].latest.value, 0.5);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricSummary {
    /// Number of points.
    pub count: u64,
    /// How many of them are NaN.
    pub nan_count: u64,
    /// The point with the greatest (step, timestamp, value): what trackers call the latest value.
    pub latest: Point,
    /// The smallest value; `None` when all are NaN.
    pub min: Option<f64>,
    /// The largest value; `None` when all are NaN.
    pub max: Option<f64>,
}

impl MetricSummary {
    /// What a listing keeps of the statistics of a metric; `None` of one without points.
    pub(crate) fn of(stats: &Stats) -> Option<Self> {
        let (count, nan_count) = (stats.count, stats.nan_count);
        let (min, max) = (stats.min.map(|point| point.value), stats.max.map(|point| point.value));
        Some(Self { count, nan_count, latest: stats.latest?, min, max })
    }
}

/// One file or folder below a run's artifacts.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.artifacts().put_bytes("notes.txt", b"hello")?;
/// let listed = run.artifacts().list("")?;
/// assert_eq!((listed[0].path.as_str(), listed[0].size_bytes), ("notes.txt", 5));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Path below the run's artifact folder, with `/` between its parts.
    pub path: String,
    /// True for a folder.
    pub is_dir: bool,
    /// Size in bytes; 0 for a folder.
    pub size_bytes: u64,
}

/// What a run is created with; everything but the experiment may stay unset.
///
/// ```
/// use trackway::{ExperimentId, NewRun};
/// let new = NewRun::new(ExperimentId::DEFAULT).name("baseline").tag("dataset", "digits");
/// assert_eq!(new.name.as_deref(), Some("baseline"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// The experiment, which must exist and be active.
    pub experiment_id: ExperimentId,
    /// The id; random when `None`.
    pub id: Option<RunId>,
    /// The name.
    pub name: Option<String>,
    /// Who starts it.
    pub user: Option<String>,
    /// The run it is part of.
    pub parent: Option<RunId>,
    /// When it started, in milliseconds since the Unix epoch; now when `None`.
    pub start_time: Option<i64>,
    /// First tags.
    pub tags: Vec<(String, String)>,
    /// First params.
    pub params: Vec<(String, String)>,
}

impl NewRun {
    /// A run of this experiment with nothing else set.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun};
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).name, None);
    /// ```
    pub const fn new(experiment_id: ExperimentId) -> Self {
        Self {
            experiment_id,
            id: None,
            name: None,
            user: None,
            parent: None,
            start_time: None,
            tags: Vec::new(),
            params: Vec::new(),
        }
    }

    /// Sets the id, e.g. of a run that comes from another store.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun, RunId};
    /// let id = RunId::from_bytes([7; 16]);
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).id(id).id, Some(id));
    /// ```
    pub const fn id(mut self, id: RunId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the name.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun};
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).name("baseline").name.as_deref(), Some("baseline"));
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the user.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun};
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).user("ada").user.as_deref(), Some("ada"));
    /// ```
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the parent run.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun, RunId};
    /// let parent = RunId::from_bytes([7; 16]);
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).parent(parent).parent, Some(parent));
    /// ```
    pub const fn parent(mut self, parent: RunId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Sets the start, in milliseconds since the Unix epoch.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun};
    /// let new = NewRun::new(ExperimentId::DEFAULT).start_time(1_700_000_000_000);
    /// assert_eq!(new.start_time, Some(1_700_000_000_000));
    /// ```
    pub const fn start_time(mut self, start_time: i64) -> Self {
        self.start_time = Some(start_time);
        self
    }

    /// Adds a tag.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun};
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).tag("set", "digits").tags.len(), 1);
    /// ```
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Adds a param.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewRun};
    /// assert_eq!(NewRun::new(ExperimentId::DEFAULT).param("lr", "0.1").params.len(), 1);
    /// ```
    pub fn param(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((key.into(), value.into()));
        self
    }
}
