//! Versions of registered models, their stages and aliases: changes of the model's one file.

use super::models::{check_description, check_tag, check_tags};
use super::{Shared, Store, artifacts};
use crate::error::{Error, Result};
use crate::types::{
    LATEST, ModelStage, ModelVersion, ModelVersionStatus, NewModelVersion, RegisteredModel, check_alias, check_value,
};

/// The version of a model that a call names, to be changed.
fn version_of(model: &mut RegisteredModel, number: u32) -> Result<&mut ModelVersion> {
    let missing = Error::not_found("model version", format!("{} {number}", model.name));
    let at = model.versions.binary_search_by_key(&number, |version| version.number).ok();
    at.and_then(|at| model.versions.get_mut(at)).ok_or(missing)
}

impl Shared {
    /// Changes a version of a model; `change` gets the time too.
    fn change_version(
        &self,
        model: &str,
        number: u32,
        change: impl FnOnce(&mut ModelVersion, i64) -> Result<()>,
    ) -> Result<()> {
        self.change_model(model, |model, now| change(version_of(model, number)?, now))
    }

    fn create_version(&self, model: &str, new: NewModelVersion) -> Result<ModelVersion> {
        if new.source.is_empty() {
            return Err(Error::invalid("source of a model version", "it is empty"));
        }
        for (what, text) in [("source in bytes", &new.source), ("run link in bytes", &new.run_link)] {
            check_value(what, text)?;
        }
        check_value("user in bytes", &new.user)?;
        check_description(&new.description)?;
        let tags = check_tags(new.tags)?;
        let mut version = ModelVersion {
            source: new.source,
            run_id: new.run_id,
            run_link: new.run_link,
            user: new.user,
            status: new.status,
            description: new.description,
            tags,
            ..ModelVersion::default()
        };
        if let (Some(run), Some(path)) = (version.run_id, version.artifact_path()) {
            artifacts::parts(path)?;
            self.brief(run)?;
        }
        self.change_model(model, |model, now| {
            let Some(number) = model.last_version.checked_add(1) else {
                let limit = u64::from(u32::MAX);
                return Err(Error::LimitExceeded { what: "number of versions", limit, found: limit + 1 });
            };
            (version.number, version.created_at, version.updated_at) = (number, now, now);
            version.model.clone_from(&model.name);
            (model.last_version, model.updated_at) = (number, now);
            model.versions.push(version.clone());
            Ok(version)
        })
    }

    fn set_stage(&self, model: &str, number: u32, stage: ModelStage, archive: bool) -> Result<ModelVersion> {
        if archive && !stage.is_active() {
            let reason = format!("only Staging and Production are kept to one version, and this is {stage}");
            return Err(Error::invalid("model stage", reason));
        }
        self.change_model(model, |model, now| {
            version_of(model, number)?.stage = stage;
            for version in &mut model.versions {
                if version.number == number {
                    version.updated_at = now;
                } else if archive && version.stage == stage {
                    (version.stage, version.updated_at) = (ModelStage::Archived, now);
                }
            }
            model.updated_at = now;
            version_of(model, number).cloned()
        })
    }

    fn delete_version(&self, model: &str, number: u32) -> Result<()> {
        self.change_model(model, |model, now| {
            version_of(model, number)?;
            model.versions.retain(|version| version.number != number);
            model.aliases.retain(|_, of| *of != number);
            model.updated_at = now;
            Ok(())
        })
    }
}

impl Store {
    /// Registers a version of a model. Its number is one more than the largest that the model ever had.
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
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such model, or no such run in whose artifacts the files are said to be; a text
    /// that breaks a rule, a read-only store, system errors.
    pub fn create_model_version(&self, model: &str, new: NewModelVersion) -> Result<ModelVersion> {
        self.shared.create_version(model, new)
    }

    /// A version of a model by its number.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// assert_eq!(store.model_version("digits", 1)?.source, "s3://models/digits/1");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], system errors.
    pub fn model_version(&self, model: &str, number: u32) -> Result<ModelVersion> {
        let mut model = self.shared.model(model)?;
        version_of(&mut model, number).cloned()
    }

    /// The version that an alias names; `latest` is the one with the largest number.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/2"))?;
    /// store.set_model_alias("digits", "champion", 1)?;
    /// assert_eq!(store.model_version_by_alias("digits", "champion")?.number, 1);
    /// assert_eq!(store.model_version_by_alias("digits", "latest")?.number, 2);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], system errors.
    pub fn model_version_by_alias(&self, model: &str, alias: &str) -> Result<ModelVersion> {
        let model = self.shared.model(model)?;
        let found = match model.aliases.get(alias) {
            Some(number) => model.version(*number),
            None if alias.eq_ignore_ascii_case(LATEST) => model.versions.last(),
            None => None,
        };
        found.cloned().ok_or_else(|| Error::not_found("alias", alias))
    }

    /// Sets the description of a version.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// store.set_model_version_description("digits", 1, "twice the data")?;
    /// assert_eq!(store.model_version("digits", 1)?.description, "twice the data");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LimitExceeded`], a read-only store, system errors.
    pub fn set_model_version_description(&self, model: &str, number: u32, description: &str) -> Result<()> {
        check_description(description)?;
        self.shared.change_version(model, number, |version, now| {
            description.clone_into(&mut version.description);
            version.updated_at = now;
            Ok(())
        })
    }

    /// Says whether the files of a version are there.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ModelVersionStatus, NewModel, NewModelVersion};
    ///
    /// store.create_model(NewModel::new("digits"))?;
    /// let uploading = NewModelVersion::from_source("s3://models/digits/1");
    /// let uploading = NewModelVersion { status: ModelVersionStatus::Pending, ..uploading };
    /// store.create_model_version("digits", uploading)?;
    /// store.set_model_version_status("digits", 1, ModelVersionStatus::Ready)?;
    /// assert_eq!(store.model_version("digits", 1)?.status, ModelVersionStatus::Ready);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a read-only store, system errors.
    pub fn set_model_version_status(&self, model: &str, number: u32, status: ModelVersionStatus) -> Result<()> {
        self.shared.change_version(model, number, |version, now| {
            (version.status, version.updated_at) = (status, now);
            Ok(())
        })
    }

    /// Moves a version to a stage. With `archive_existing` the versions that are there are archived.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// use trackway::ModelStage;
    ///
    /// store.create_model(NewModel::new("digits"))?;
    /// for source in ["s3://models/digits/1", "s3://models/digits/2"] {
    ///     let version = store.create_model_version("digits", NewModelVersion::from_source(source))?;
    ///     store.set_model_stage("digits", version.number, ModelStage::Production, true)?;
    /// }
    /// assert_eq!(store.model_version("digits", 1)?.stage, ModelStage::Archived);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], `archive_existing` with a stage other than `Staging` and `Production`, a read-only store, system
    /// errors.
    pub fn set_model_stage(
        &self,
        model: &str,
        number: u32,
        stage: ModelStage,
        archive_existing: bool,
    ) -> Result<ModelVersion> {
        self.shared.set_stage(model, number, stage, archive_existing)
    }

    /// Sets a tag of a version.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// store.set_model_version_tag("digits", 1, "size", "small")?;
    /// assert_eq!(store.model_version("digits", 1)?.tags["size"], "small");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a key or value that breaks a rule, a read-only store, system errors.
    pub fn set_model_version_tag(&self, model: &str, number: u32, key: &str, value: &str) -> Result<()> {
        check_tag(key, value)?;
        self.shared.change_version(model, number, |version, _| {
            version.tags.insert(key.to_owned(), value.to_owned());
            Ok(())
        })
    }

    /// Deletes a tag of a version. One that is not there is no error, as in MLflow.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// let new = NewModelVersion::from_source("s3://models/digits/1").tag("size", "small");
    /// store.create_model_version("digits", new)?;
    /// store.delete_model_version_tag("digits", 1, "size")?;
    /// assert!(store.model_version("digits", 1)?.tags.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such version, a read-only store, system errors.
    pub fn delete_model_version_tag(&self, model: &str, number: u32, key: &str) -> Result<()> {
        self.shared.change_version(model, number, |version, _| {
            version.tags.remove(key);
            Ok(())
        })
    }

    /// Deletes a version, for ever, and the aliases that name it. Its number is not given again.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// store.delete_model_version("digits", 1)?;
    /// let next = store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/2"))?;
    /// assert_eq!(next.number, 2);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a read-only store, system errors.
    pub fn delete_model_version(&self, model: &str, number: u32) -> Result<()> {
        self.shared.delete_version(model, number)
    }

    /// Gives an alias to a version: letters, digits, `_` and `-`, but neither `latest` nor `v` and a number. An alias that
    /// names another version of the model names this one from now on.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// store.set_model_alias("digits", "champion", 1)?;
    /// assert_eq!(store.model_version("digits", 1)?.aliases, ["champion"]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], an alias that breaks a rule, a read-only store, system errors.
    pub fn set_model_alias(&self, model: &str, alias: &str, number: u32) -> Result<()> {
        check_alias(alias)?;
        self.shared.change_model(model, |model, _| {
            version_of(model, number)?;
            model.aliases.insert(alias.to_owned(), number);
            Ok(())
        })
    }

    /// Takes an alias back. One that is not there is no error, as in MLflow.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # use trackway::{NewModel, NewModelVersion};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// store.set_model_alias("digits", "champion", 1)?;
    /// store.delete_model_alias("digits", "champion")?;
    /// assert!(store.model_version_by_alias("digits", "champion").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such model, a read-only store, system errors.
    pub fn delete_model_alias(&self, model: &str, alias: &str) -> Result<()> {
        self.shared.change_model(model, |model, _| {
            model.aliases.remove(alias);
            Ok(())
        })
    }
}
