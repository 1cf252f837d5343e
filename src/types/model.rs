//! Registered models and their versions, as a reader sees them, and what they are created with.

use crate::error::{Error, Result};
use crate::limits;
use crate::types::RunId;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How far a model version has come, as MLflow names it.
///
/// ```
/// use trackway::ModelStage;
/// assert_eq!("production".parse::<ModelStage>()?, ModelStage::Production);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelStage {
    /// Nobody has said.
    #[default]
    None,
    /// On trial.
    Staging,
    /// In use.
    Production,
    /// No longer in use.
    Archived,
}

impl ModelStage {
    /// All four, in the order of their stored numbers 0 to 3.
    ///
    /// ```
    /// let names = trackway::ModelStage::ALL.map(|stage| stage.as_str());
    /// assert_eq!(names, ["None", "Staging", "Production", "Archived"]);
    /// ```
    pub const ALL: [Self; 4] = [Self::None, Self::Staging, Self::Production, Self::Archived];

    /// The name as MLflow spells it.
    ///
    /// ```
    /// assert_eq!(trackway::ModelStage::Staging.as_str(), "Staging");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Staging => "Staging",
            Self::Production => "Production",
            Self::Archived => "Archived",
        }
    }

    /// True for the stages of which a model has one version at a time, if it wants to.
    pub(crate) const fn is_active(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

impl fmt::Display for ModelStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ModelStage {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] unless `text` is one of the four names (either case).
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|stage| stage.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            Error::invalid("model stage", format!("{text:?} is none of None, Staging, Production, Archived"))
        })
    }
}

/// Whether the files of a model version are where it says, as MLflow names it.
///
/// ```
/// assert_eq!(trackway::ModelVersionStatus::default().as_str(), "READY");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ModelVersionStatus {
    /// They are on their way.
    Pending,
    /// They never came.
    Failed,
    /// They are there.
    #[default]
    Ready,
}

impl ModelVersionStatus {
    /// All three, in the order of their stored numbers 1 to 3.
    ///
    /// ```
    /// assert_eq!(trackway::ModelVersionStatus::ALL.len(), 3);
    /// ```
    pub const ALL: [Self; 3] = [Self::Pending, Self::Failed, Self::Ready];

    /// The name in capitals, e.g. `PENDING_REGISTRATION`.
    ///
    /// ```
    /// assert_eq!(trackway::ModelVersionStatus::Failed.as_str(), "FAILED_REGISTRATION");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING_REGISTRATION",
            Self::Failed => "FAILED_REGISTRATION",
            Self::Ready => "READY",
        }
    }
}

impl fmt::Display for ModelVersionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A registered model: a name under which versions are kept.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::{NewModel, NewModelVersion};
///
/// store.create_model(NewModel::new("digits"))?;
/// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
/// store.set_model_alias("digits", "champion", 1)?;
/// let model = store.model("digits")?;
/// assert_eq!((model.versions[0].number, model.aliases["champion"]), (1, 1));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisteredModel {
    /// Its name, unique among the models of the store.
    pub name: String,
    /// What it is, in the words of its user; empty when nobody said.
    pub description: String,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was renamed or described, or a version came, went or changed its stage, in milliseconds since the Unix
    /// epoch.
    pub updated_at: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Names for single versions.
    pub aliases: BTreeMap<String, u32>,
    /// Its versions, by number.
    pub versions: Vec<ModelVersion>,
    /// The largest number that a version of it ever had; 0 when it never had one.
    pub last_version: u32,
}

impl RegisteredModel {
    /// The version of this number.
    ///
    /// ```
    /// assert_eq!(trackway::RegisteredModel::default().version(1), None);
    /// ```
    pub fn version(&self, number: u32) -> Option<&ModelVersion> {
        let at = self.versions.binary_search_by_key(&number, |version| version.number).ok()?;
        self.versions.get(at)
    }

    /// Of each stage that a version has the version with the largest number, by stage.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// use trackway::ModelStage;
    ///
    /// store.create_model(NewModel::new("digits"))?;
    /// for source in ["s3://models/digits/1", "s3://models/digits/2", "s3://models/digits/3"] {
    ///     store.create_model_version("digits", NewModelVersion::from_source(source))?;
    /// }
    /// store.set_model_stage("digits", 1, ModelStage::Production, false)?;
    /// let model = store.model("digits")?;
    /// let latest: Vec<u32> = model.latest_versions().iter().map(|version| version.number).collect();
    /// assert_eq!(latest, [3, 1], "the latest without a stage, and the one in production");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn latest_versions(&self) -> Vec<&ModelVersion> {
        let latest: BTreeMap<ModelStage, &ModelVersion> =
            self.versions.iter().map(|version| (version.stage, version)).collect();
        latest.into_values().collect()
    }

    /// Tells each version its model's name and its own aliases, after these have changed.
    pub(crate) fn tell_versions(&mut self) {
        for version in &mut self.versions {
            version.model.clone_from(&self.name);
            let of_this = self.aliases.iter().filter(|(_, number)| **number == version.number);
            version.aliases = of_this.map(|(alias, _)| alias.clone()).collect();
        }
    }
}

/// A version of a registered model: where its files are, which run made them, and how far it has come.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{NewModel, NewModelVersion};
///
/// run.artifacts().put_bytes("model/weights.bin", b"weights")?;
/// store.create_model(NewModel::new("digits"))?;
/// let version = store.create_model_version("digits", NewModelVersion::from_run(run.id(), "model"))?;
/// assert_eq!((version.number, version.run_id), (1, Some(run.id())));
/// assert_eq!(version.source, format!("runs:/{}/model", run.id()));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelVersion {
    /// The name of its model.
    pub model: String,
    /// Its number, from 1 on; never given twice by one model.
    pub number: u32,
    /// Where its files are: a URI, `runs:/RUN/PATH` for artifacts of a run.
    pub source: String,
    /// The run that made it; it stays when that run is deleted or removed.
    pub run_id: Option<RunId>,
    /// A link to that run, where it is one of another store; else empty.
    pub run_link: String,
    /// Who registered it; empty when unknown.
    pub user: String,
    /// Whether its files are there.
    pub status: ModelVersionStatus,
    /// How far it has come.
    pub stage: ModelStage,
    /// What it is, in the words of its user; empty when nobody said.
    pub description: String,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last described or changed its stage or the name of its model, in milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The aliases of its model that name it, sorted.
    pub aliases: Vec<String>,
}

impl ModelVersion {
    /// The path of its files below the artifacts of [`Self::run_id`], when the source says that they are there.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// run.artifacts().put_bytes("model/weights.bin", b"weights")?;
    /// store.create_model(NewModel::new("digits"))?;
    /// let version = store.create_model_version("digits", NewModelVersion::from_run(run.id(), "model"))?;
    /// let folder = version.artifact_path().unwrap_or_default();
    /// assert_eq!(store.artifacts(run.id())?.list(folder)?[0].path, "model/weights.bin");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn artifact_path(&self) -> Option<&str> {
        let below = self.source.strip_prefix("runs:/")?.strip_prefix(&self.run_id?.to_string())?;
        if below.is_empty() { Some("") } else { below.strip_prefix('/') }
    }
}

/// What a registered model is created with.
///
/// ```
/// use trackway::NewModel;
/// let new = NewModel::new("digits").description("reads postcodes").tag("team", "vision");
/// assert_eq!(new.tags.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewModel {
    /// Its name: not empty, without `/` and `:`, control characters and a first `..`, no longer than
    /// [`limits::MAX_NAME_CHARS`], and not `.`.
    pub name: String,
    /// What it is.
    pub description: String,
    /// First tags.
    pub tags: Vec<(String, String)>,
}

impl NewModel {
    /// A model of this name with nothing else set.
    ///
    /// ```
    /// assert_eq!(trackway::NewModel::new("digits").name, "digits");
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the description.
    ///
    /// ```
    /// assert_eq!(trackway::NewModel::new("digits").description("postcodes").description, "postcodes");
    /// ```
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a tag.
    ///
    /// ```
    /// assert_eq!(trackway::NewModel::new("digits").tag("team", "vision").tags.len(), 1);
    /// ```
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

/// What a model version is created with.
///
/// ```
/// use trackway::{NewModelVersion, RunId};
/// let run = RunId::from_bytes([7; 16]);
/// let elsewhere = NewModelVersion::from_source("s3://models/digits/1").run(run).description("first try");
/// assert_eq!(elsewhere.run_id, Some(run));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewModelVersion {
    /// Where its files are; not empty.
    pub source: String,
    /// The run that made it.
    pub run_id: Option<RunId>,
    /// A link to that run, where it is one of another store.
    pub run_link: String,
    /// Who registers it.
    pub user: String,
    /// Whether its files are there.
    pub status: ModelVersionStatus,
    /// What it is.
    pub description: String,
    /// First tags.
    pub tags: Vec<(String, String)>,
}

impl NewModelVersion {
    /// A version whose files are artifacts of a run: those at `path`, a file or a folder, or all of them when it is empty.
    ///
    /// ```
    /// use trackway::{NewModelVersion, RunId};
    /// let new = NewModelVersion::from_run(RunId::from_bytes([7; 16]), "model");
    /// assert!(new.source.ends_with("/model"));
    /// ```
    pub fn from_run(run: RunId, path: &str) -> Self {
        let source = if path.is_empty() { format!("runs:/{run}") } else { format!("runs:/{run}/{path}") };
        Self { source, run_id: Some(run), ..Self::default() }
    }

    /// A version whose files are at this URI.
    ///
    /// ```
    /// assert_eq!(trackway::NewModelVersion::from_source("s3://models/digits/1").run_id, None);
    /// ```
    pub fn from_source(uri: impl Into<String>) -> Self {
        Self { source: uri.into(), ..Self::default() }
    }

    /// Sets the run that made it, which may be one of another store.
    ///
    /// ```
    /// use trackway::{NewModelVersion, RunId};
    /// let run = RunId::from_bytes([7; 16]);
    /// assert_eq!(NewModelVersion::from_source("s3://models/digits/1").run(run).run_id, Some(run));
    /// ```
    #[must_use]
    pub const fn run(mut self, run: RunId) -> Self {
        self.run_id = Some(run);
        self
    }

    /// Sets the user.
    ///
    /// ```
    /// assert_eq!(trackway::NewModelVersion::from_source("s3://m/1").user("ada").user, "ada");
    /// ```
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Sets the description.
    ///
    /// ```
    /// assert_eq!(trackway::NewModelVersion::from_source("s3://m/1").description("first").description, "first");
    /// ```
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a tag.
    ///
    /// ```
    /// assert_eq!(trackway::NewModelVersion::from_source("s3://m/1").tag("size", "small").tags.len(), 1);
    /// ```
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

/// Checks the name of a registered model: what MLflow refuses is refused.
pub(crate) fn check_model_name(name: &str) -> Result<()> {
    const WHAT: &str = "model name";
    super::name::check(WHAT, name, limits::MAX_NAME_CHARS)?;
    if let Some(found) = name.chars().find(|next| matches!(next, '/' | ':')) {
        return Err(Error::invalid(WHAT, format!("{name:?} has a {found:?}, which separates names in URIs of models")));
    }
    if name == "." || name.starts_with("..") {
        return Err(Error::invalid(WHAT, format!("{name:?} would be another place in a path")));
    }
    Ok(())
}

/// Checks an alias: letters, digits, `_` and `-` of any script, but no name that versions have already.
pub(crate) fn check_alias(alias: &str) -> Result<()> {
    const WHAT: &str = "alias";
    super::name::check(WHAT, alias, limits::MAX_ALIAS_CHARS)?;
    if let Some(found) = alias.chars().find(|next| !(next.is_alphanumeric() || matches!(next, '_' | '-'))) {
        let reason = format!("{alias:?} has a {found:?}; letters, digits, _ and - are allowed");
        return Err(Error::invalid(WHAT, reason));
    }
    let number = alias.strip_prefix(['v', 'V']).unwrap_or_default();
    let is_version = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_version || alias.eq_ignore_ascii_case(LATEST) {
        return Err(Error::invalid(WHAT, format!("{alias:?} is the name of a version already")));
    }
    Ok(())
}

/// The alias that the version with the largest number has by itself.
pub(crate) const LATEST: &str = "latest";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_follow_mlflows_rules() {
        for good in ["digits", "a b", "\u{3b1}.1", ".hidden", "x".repeat(500).as_str()] {
            assert!(check_model_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a:b", ".", "..", "../x", "two\nlines", "x".repeat(501).as_str()] {
            assert!(check_model_name(bad).is_err(), "{bad}");
        }
        for good in ["champion", "v", "v1a", "1", "\u{3b1}_-", "latest-but-one"] {
            assert!(check_alias(good).is_ok(), "{good}");
        }
        for bad in ["", "latest", "LATEST", "v1", "V02", "a b", "a.b", "x".repeat(256).as_str()] {
            assert!(check_alias(bad).is_err(), "{bad}");
        }
    }
}
