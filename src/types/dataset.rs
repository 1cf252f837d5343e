//! What runs say of the data that they used.

use crate::error::{Error, Result};
use crate::limits;
use crate::types::{TagKey, check_value, is_link};
use std::collections::BTreeMap;

/// A dataset that a run used, as its logger describes it. A run is linked to a dataset (a name and a digest) once, and what
/// was said first stays.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::DatasetInput;
/// run.log_dataset(DatasetInput::new("digits", "a1b2c3").tag(DatasetInput::CONTEXT_TAG, "training"))?;
/// assert_eq!(store.run(run.id())?.datasets[0].context(), Some("training"));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetInput {
    /// Its name.
    pub name: String,
    /// A fingerprint of its content.
    pub digest: String,
    /// Kind of the source, e.g. `local` or `http`; empty when unknown.
    pub source_type: String,
    /// Where it came from; empty when unknown.
    pub source: String,
    /// Names and types of its columns, as its logger writes them; empty when unknown.
    pub schema: String,
    /// Counts and the like, as its logger writes them; empty when unknown.
    pub profile: String,
    /// Tags of the link between run and dataset.
    pub tags: BTreeMap<String, String>,
}

impl DatasetInput {
    /// Key of the tag that says what the run used the dataset for: MLflow's.
    ///
    /// ```
    /// assert_eq!(trackway::DatasetInput::CONTEXT_TAG, "mlflow.data.context");
    /// ```
    pub const CONTEXT_TAG: &str = "mlflow.data.context";

    /// A dataset of which no more is known.
    ///
    /// ```
    /// assert_eq!(trackway::DatasetInput::new("digits", "a1b2c3").source, "");
    /// ```
    pub fn new(name: impl Into<String>, digest: impl Into<String>) -> Self {
        Self { name: name.into(), digest: digest.into(), ..Self::default() }
    }

    /// Adds a tag.
    ///
    /// ```
    /// assert_eq!(trackway::DatasetInput::new("digits", "a1b2c3").tag("split", "all").tags.len(), 1);
    /// ```
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// What the run used it for, e.g. `training`.
    ///
    /// ```
    /// assert_eq!(trackway::DatasetInput::new("digits", "a1b2c3").context(), None);
    /// ```
    pub fn context(&self) -> Option<&str> {
        self.tags.get(Self::CONTEXT_TAG).map(String::as_str)
    }

    /// All texts but the tags, in the order in which they are stored.
    pub(crate) fn texts(&self) -> [&str; 6] {
        [&self.name, &self.digest, &self.source_type, &self.source, &self.schema, &self.profile]
    }

    /// Refuses what cannot be stored.
    pub(crate) fn check(&self) -> Result<()> {
        if self.name.is_empty() {
            return Err(Error::invalid("dataset name", "it is empty"));
        }
        if is_link(self) {
            let reason = format!("{:?} is how links to logged models are stored", self.source_type);
            return Err(Error::invalid("source type of a dataset", reason));
        }
        let limit = limits::MAX_DATASET_TEXT_BYTES;
        if let Some(long) = self.texts().into_iter().find(|text| text.len() > limit) {
            let (limit, found) = (limit as u64, long.len() as u64);
            return Err(Error::LimitExceeded { what: "text of a dataset in bytes", limit, found });
        }
        self.tags.iter().try_for_each(|(key, value)| {
            TagKey::check(key)?;
            check_value("tag value in bytes", value)
        })
    }
}
