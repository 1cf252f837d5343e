//! Logged models: what a run made or used, with the metrics that were measured of it; and how runs are linked to them.

use super::name::check_value;
use super::{DatasetInput, ExperimentId, MetricKey, ParamKey, RunId, TagKey};
use crate::error::{Error, Result};
use crate::limits;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The id of a logged model: 128 bits, written as `m-` and 32 lower-case hex digits, as MLflow does.
///
/// ```
/// let id: trackway::LoggedModelId = "m-0123456789abcdef0123456789abcdef".parse()?;
/// assert_eq!(id.to_string(), "m-0123456789abcdef0123456789abcdef");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoggedModelId([u8; 16]);

impl LoggedModelId {
    /// The id with these 16 bytes.
    ///
    /// ```
    /// let id = trackway::LoggedModelId::from_bytes([0xab; 16]);
    /// assert_eq!(id.to_string(), format!("m-{}", "ab".repeat(16)));
    /// ```
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of the id, in the order of its hex digits.
    ///
    /// ```
    /// assert_eq!(trackway::LoggedModelId::from_bytes([7; 16]).as_bytes(), &[7; 16]);
    /// ```
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LoggedModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m-{}", RunId::from_bytes(self.0))
    }
}

impl fmt::Debug for LoggedModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoggedModelId({self})")
    }
}

impl FromStr for LoggedModelId {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] unless `text` is `m-` and exactly 32 lower-case hex digits: an id has one spelling.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("m-").and_then(|digits| digits.parse::<RunId>().ok());
        let id = digits.map(|id| Self(*id.as_bytes())).filter(|id| id.to_string() == text);
        id.ok_or_else(|| Error::invalid("logged model id", format!("{text:?} is not m- and 32 hex digits")))
    }
}

/// Whether the files of a logged model are there, as MLflow names it.
///
/// ```
/// assert_eq!(trackway::LoggedModelStatus::default().as_str(), "PENDING");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoggedModelStatus {
    /// They are on their way.
    #[default]
    Pending,
    /// They are there.
    Ready,
    /// They never came.
    Failed,
}

impl LoggedModelStatus {
    /// All three, in the order of their stored numbers 1 to 3.
    ///
    /// ```
    /// assert_eq!(trackway::LoggedModelStatus::ALL.len(), 3);
    /// ```
    pub const ALL: [Self; 3] = [Self::Pending, Self::Ready, Self::Failed];

    /// The name in capitals, e.g. `READY`.
    ///
    /// ```
    /// assert_eq!(trackway::LoggedModelStatus::Failed.as_str(), "FAILED");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for LoggedModelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value that a run measured of a logged model, perhaps on a dataset.
///
/// Of points with the same key, step, timestamp and run the first one stays, so that logging one again changes nothing.
///
/// ```
/// use trackway::{ModelMetric, RunId};
/// let metric = ModelMetric::new("acc", 0.9, 1, RunId::from_bytes([7; 16])).dataset("digits", "a1b2c3");
/// assert_eq!(metric.dataset_name, "digits");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetric {
    /// What was measured.
    pub key: String,
    /// The value; NaN and infinities are legal.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// The step of the run.
    pub step: i64,
    /// Who measured it.
    pub run_id: RunId,
    /// The dataset that it was measured on; empty when none was named.
    pub dataset_name: String,
    /// The fingerprint of that dataset; empty when none was named.
    pub dataset_digest: String,
}

impl ModelMetric {
    /// A value of this step that `run_id` measured, at the timestamp 0 and of no dataset.
    ///
    /// ```
    /// use trackway::{ModelMetric, RunId};
    /// assert_eq!(ModelMetric::new("acc", 0.9, 1, RunId::from_bytes([7; 16])).step, 1);
    /// ```
    pub fn new(key: impl Into<String>, value: f64, step: i64, run_id: RunId) -> Self {
        let (dataset_name, dataset_digest) = (String::new(), String::new());
        Self { key: key.into(), value, timestamp: 0, step, run_id, dataset_name, dataset_digest }
    }

    /// Sets the timestamp, in milliseconds since the Unix epoch.
    ///
    /// ```
    /// use trackway::{ModelMetric, RunId};
    /// assert_eq!(ModelMetric::new("acc", 0.9, 1, RunId::from_bytes([7; 16])).at(5).timestamp, 5);
    /// ```
    #[must_use]
    pub const fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// Sets the dataset by its name and digest.
    ///
    /// ```
    /// use trackway::{ModelMetric, RunId};
    /// let metric = ModelMetric::new("acc", 0.9, 1, RunId::from_bytes([7; 16])).dataset("digits", "a1b2c3");
    /// assert_eq!(metric.dataset_digest, "a1b2c3");
    /// ```
    #[must_use]
    pub fn dataset(mut self, name: impl Into<String>, digest: impl Into<String>) -> Self {
        (self.dataset_name, self.dataset_digest) = (name.into(), digest.into());
        self
    }

    /// What makes two points one, and the order in which a model lists them.
    pub(crate) fn place(&self) -> (&str, i64, i64, RunId) {
        (&self.key, self.step, self.timestamp, self.run_id)
    }

    /// MLflow's order of the points of one key, by which the last one is the newest.
    pub(crate) fn compare_age(&self, other: &Self) -> Ordering {
        let age = |metric: &Self| (metric.timestamp, metric.step);
        age(self).cmp(&age(other)).then_with(|| other.run_id.cmp(&self.run_id))
    }

    pub(crate) fn check(&self) -> Result<()> {
        MetricKey::check(&self.key)?;
        check_value("dataset name in bytes", &self.dataset_name)?;
        check_value("dataset digest in bytes", &self.dataset_digest)
    }
}

/// A model that was logged: the files of one moment of a training, how it was made, and what was measured of it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{ExperimentId, LoggedModelStatus, ModelMetric, NewLoggedModel};
///
/// let new = NewLoggedModel::new(ExperimentId::DEFAULT).name("digits").run(run.id()).param("depth", "3");
/// let model = store.create_logged_model(new)?;
/// store.logged_model_artifacts(model.id)?.put_bytes("weights.bin", b"weights")?;
/// store.log_model_metrics(model.id, &[ModelMetric::new("acc", 0.9, 1, run.id())])?;
/// store.set_logged_model_status(model.id, LoggedModelStatus::Ready)?;
/// run.log_model_output(model.id, 1)?;
/// assert_eq!(store.logged_model(model.id)?.metrics[0].value, 0.9);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedModel {
    /// Its id, for ever.
    pub id: LoggedModelId,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// Its name, which others may have too.
    pub name: String,
    /// What sort of model it is, in the words of its logger; empty when nobody said.
    pub model_type: String,
    /// Whether its files are there.
    pub status: LoggedModelStatus,
    /// The run that made it, if one did.
    pub source_run_id: Option<RunId>,
    /// Active or deleted.
    pub lifecycle_stage: super::LifecycleStage,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When its status was last set, or it was deleted, in milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// How it was made, each written once.
    pub params: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Every point that was measured of it, by key, step, timestamp and run.
    pub metrics: Vec<ModelMetric>,
}

/// What a logged model is created with; everything but the experiment may stay unset.
///
/// ```
/// use trackway::{ExperimentId, NewLoggedModel};
/// let new = NewLoggedModel::new(ExperimentId::DEFAULT).name("digits").param("depth", "3").tag("team", "vision");
/// assert_eq!((new.params.len(), new.tags.len()), (1, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLoggedModel {
    /// The experiment, which must be there and not deleted.
    pub experiment_id: ExperimentId,
    /// Its name.
    pub name: String,
    /// What sort of model it is.
    pub model_type: String,
    /// The run that makes it.
    pub source_run_id: Option<RunId>,
    /// How it is made.
    pub params: Vec<(String, String)>,
    /// First tags.
    pub tags: Vec<(String, String)>,
}

impl NewLoggedModel {
    /// A model of an experiment with nothing else set.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// assert_eq!(NewLoggedModel::new(ExperimentId::DEFAULT).name, "");
    /// ```
    pub const fn new(experiment_id: ExperimentId) -> Self {
        Self {
            experiment_id,
            name: String::new(),
            model_type: String::new(),
            source_run_id: None,
            params: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// Sets the name.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// assert_eq!(NewLoggedModel::new(ExperimentId::DEFAULT).name("digits").name, "digits");
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets what sort of model it is.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// assert_eq!(NewLoggedModel::new(ExperimentId::DEFAULT).model_type("agent").model_type, "agent");
    /// ```
    #[must_use]
    pub fn model_type(mut self, model_type: impl Into<String>) -> Self {
        self.model_type = model_type.into();
        self
    }

    /// Sets the run that makes it, which need not be in this store.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewLoggedModel, RunId};
    /// let run = RunId::from_bytes([7; 16]);
    /// assert_eq!(NewLoggedModel::new(ExperimentId::DEFAULT).run(run).source_run_id, Some(run));
    /// ```
    #[must_use]
    pub const fn run(mut self, run: RunId) -> Self {
        self.source_run_id = Some(run);
        self
    }

    /// Adds a param.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// assert_eq!(NewLoggedModel::new(ExperimentId::DEFAULT).param("depth", "3").params.len(), 1);
    /// ```
    #[must_use]
    pub fn param(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((key.into(), value.into()));
        self
    }

    /// Adds a tag.
    ///
    /// ```
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// assert_eq!(NewLoggedModel::new(ExperimentId::DEFAULT).tag("team", "vision").tags.len(), 1);
    /// ```
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

/// Checks what a logged model says of itself in words.
pub(crate) fn check_model_words(name: &str, model_type: &str) -> Result<()> {
    for (what, text) in [("logged model name", name), ("model type", model_type)] {
        if !text.is_empty() {
            super::name::check(what, text, limits::MAX_NAME_CHARS)?;
        }
    }
    Ok(())
}

pub(crate) fn check_model_param(key: &str, value: &str) -> Result<()> {
    ParamKey::check(key)?;
    check_value("param value in bytes", value)
}

pub(crate) fn check_model_tag(key: &str, value: &str) -> Result<()> {
    TagKey::check(key)?;
    check_value("tag value in bytes", value)
}

/// That a run used or made a logged model.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{LoggedModelId, ModelLink};
/// let (used, made) = (LoggedModelId::from_bytes([1; 16]), LoggedModelId::from_bytes([2; 16]));
/// run.log_model_input(used)?;
/// run.log_model_output(made, 10)?;
/// let links = store.run(run.id())?.models;
/// assert_eq!(links, [ModelLink::input(used), ModelLink::output(made, 10)]);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelLink {
    /// The step at which the run made it; `None` when the run used it.
    pub made_at: Option<i64>,
    /// The model, which need not be in this store.
    pub model: LoggedModelId,
}

/// The kind of source of a dataset that is no dataset: that is how links are stored.
const LINK: &str = "trackway:model";
const INPUT: &str = "input";

impl ModelLink {
    /// That a run used the model.
    ///
    /// ```
    /// use trackway::{LoggedModelId, ModelLink};
    /// assert_eq!(ModelLink::input(LoggedModelId::from_bytes([1; 16])).made_at, None);
    /// ```
    pub const fn input(model: LoggedModelId) -> Self {
        Self { made_at: None, model }
    }

    /// That a run made the model at this step.
    ///
    /// ```
    /// use trackway::{LoggedModelId, ModelLink};
    /// assert_eq!(ModelLink::output(LoggedModelId::from_bytes([1; 16]), 3).made_at, Some(3));
    /// ```
    pub const fn output(model: LoggedModelId, step: i64) -> Self {
        Self { made_at: Some(step), model }
    }

    /// The link as a run's files hold it: a dataset whose kind of source says so. So it is kept by whoever keeps datasets.
    pub(crate) fn to_dataset(self) -> DatasetInput {
        let digest = self.made_at.map_or_else(|| INPUT.to_owned(), |step| step.to_string());
        DatasetInput { source_type: LINK.to_owned(), ..DatasetInput::new(self.model.to_string(), digest) }
    }

    fn of_dataset(dataset: &DatasetInput) -> Option<Self> {
        let model = dataset.name.parse().ok().filter(|_| is_link(dataset))?;
        if dataset.digest == INPUT {
            return Some(Self::input(model));
        }
        dataset.digest.parse().ok().map(|step| Self::output(model, step))
    }
}

/// Whether it has the kind of source that datasets cannot have.
pub(crate) fn is_link(dataset: &DatasetInput) -> bool {
    dataset.source_type == LINK
}

/// Takes the links to models out of what a run holds as datasets.
pub(crate) fn split_links(stored: Vec<DatasetInput>) -> (Vec<DatasetInput>, Vec<ModelLink>) {
    let (links, datasets): (Vec<_>, Vec<_>) = stored.into_iter().partition(is_link);
    let mut links: Vec<ModelLink> = links.iter().filter_map(ModelLink::of_dataset).collect();
    links.sort_unstable();
    (datasets, links)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LoggedModelId = LoggedModelId::from_bytes([0xab; 16]);

    #[test]
    fn an_id_has_one_spelling() {
        let text = format!("m-{}", "ab".repeat(16));
        assert_eq!(text.parse::<LoggedModelId>().unwrap(), ID);
        for wrong in
            ["", "m-", &text[2..], &text.to_uppercase(), &format!("m-{}", "AB".repeat(16)), &format!("{text}0")]
        {
            assert!(wrong.parse::<LoggedModelId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn links_come_back_from_what_is_stored_of_them() {
        let links = [ModelLink::input(ID), ModelLink::output(ID, i64::MIN), ModelLink::output(ID, 3)];
        let real = DatasetInput::new("digits", "input");
        let mut stored: Vec<DatasetInput> = links.iter().map(|link| link.to_dataset()).collect();
        stored.push(real.clone());
        assert_eq!(split_links(stored), (vec![real], links.to_vec()));
    }

    #[test]
    fn what_no_link_looks_like_is_neither_link_nor_dataset() {
        let odd = DatasetInput { digest: "later".to_owned(), ..ModelLink::input(ID).to_dataset() };
        assert_eq!(split_links(vec![odd]), (Vec::new(), Vec::new()));
        assert!(ModelLink::input(ID).to_dataset().check().is_err(), "nobody logs such a dataset");
    }
}
