//! Experiments: one small file each, replaced as a whole under the store's lock.

use super::{Shared, Store, small_file, twice};
use crate::error::{Error, IoContext, Result};
use crate::format::experiment;
use crate::format::header::FileType;
use crate::types::{Experiment, ExperimentId, ExperimentName, LifecycleStage, TagKey, check_value};
use std::collections::BTreeMap;

/// The experiment that every store has.
pub(super) const DEFAULT_NAME: &str = "Default";

impl Shared {
    /// Ids of all experiments that have a folder, sorted.
    pub(super) fn experiment_ids(&self) -> Result<Vec<ExperimentId>> {
        let dir = self.paths.experiments();
        let entries = self.env.fs.read_dir(&dir).at(&dir, "list")?;
        let mut ids: Vec<ExperimentId> = entries
            .iter()
            // Only the canonical spelling is ours.
            .filter_map(|entry| entry.name.parse().ok().filter(|id: &ExperimentId| id.to_string() == entry.name))
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    pub(super) fn experiment(&self, id: ExperimentId) -> Result<Experiment> {
        twice(|| self.read_experiment(id))
    }

    fn read_experiment(&self, id: ExperimentId) -> Result<Experiment> {
        let path = self.paths.experiment_file(id);
        let found = small_file::read(&self.env, &path, FileType::Experiment, experiment::decode)?;
        let (experiment, _) = found.ok_or_else(|| Error::not_found("experiment", id))?;
        if experiment.id != id {
            return Err(Error::corrupt(&path, 0, format!("it is the file of experiment {}", experiment.id)));
        }
        Ok(experiment)
    }

    /// All experiments that can be read. The name of a damaged one cannot be told; `verify` names its file.
    pub(super) fn experiments(&self) -> Result<Vec<Experiment>> {
        let mut all = Vec::new();
        for id in self.experiment_ids()? {
            match self.experiment(id) {
                Ok(experiment) => all.push(experiment),
                Err(Error::NotFound { .. } | Error::Corrupt { .. } | Error::UnsupportedFormat { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    pub(super) fn active_experiment(&self, id: ExperimentId) -> Result<Experiment> {
        let experiment = self.experiment(id)?;
        match experiment.lifecycle_stage {
            LifecycleStage::Active => Ok(experiment),
            LifecycleStage::Deleted => Err(deleted(&experiment)),
        }
    }

    /// Writes the file of an experiment. The caller holds the store's lock.
    pub(super) fn write_experiment(&self, experiment: &Experiment) -> Result<()> {
        let runs = self.paths.runs(experiment.id);
        self.env.fs.create_dir_all(&runs).at(&runs, "create")?;
        let path = self.paths.experiment_file(experiment.id);
        small_file::write(&self.env, &path, FileType::Experiment, &experiment::encode(experiment))?;
        self.sync_experiment(experiment.id)
    }

    /// Makes the names of an experiment's folder and file durable.
    fn sync_experiment(&self, id: ExperimentId) -> Result<()> {
        let (dir, parent) = (self.paths.experiment(id), self.paths.experiments());
        self.env.fs.sync_dir(&dir).at(&dir, "sync")?;
        self.env.fs.sync_dir(&parent).at(&parent, "sync")
    }

    /// Creates an experiment with a name that nobody has. The caller holds the store's lock.
    pub(super) fn new_experiment(&self, id: ExperimentId, name: &str) -> Result<()> {
        let now = self.now_ms();
        self.write_experiment(&Experiment {
            id,
            name: name.to_owned(),
            lifecycle_stage: LifecycleStage::Active,
            created_at: now,
            updated_at: now,
            tags: BTreeMap::new(),
        })
    }

    /// Makes sure that there is a `Default` experiment. The caller holds the store's lock.
    pub(super) fn ensure_default_experiment(&self) -> Result<()> {
        match self.experiment(ExperimentId::DEFAULT) {
            Err(Error::NotFound { .. }) => self.new_experiment(ExperimentId::DEFAULT, DEFAULT_NAME),
            _ => Ok(()),
        }
    }

    fn create_experiment(&self, name: &str, may_exist: bool) -> Result<ExperimentId> {
        self.check_writable()?;
        ExperimentName::check(name)?;
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        if let Some(known) = self.experiments()?.into_iter().find(|known| known.name == name) {
            if !may_exist {
                return Err(Error::AlreadyExists { what: "experiment", name: name.to_owned() });
            }
            return if known.lifecycle_stage == LifecycleStage::Active { Ok(known.id) } else { Err(deleted(&known)) };
        }
        loop {
            // 52 bits: exact in every client, also one that reads numbers as doubles.
            let id = ExperimentId::new(self.env.clock.random() >> 12);
            if matches!(self.experiment(id), Err(Error::NotFound { .. })) {
                return match self.new_experiment(id, name) {
                    Ok(()) => Ok(id),
                    Err(error) => {
                        let _ = self.env.fs.remove_dir_all(&self.paths.experiment(id));
                        Err(error)
                    }
                };
            }
        }
    }

    /// Changes an experiment under the store's lock. Its time of change is `change`'s to set: tags do not move it, as in
    /// MLflow.
    fn change_experiment(&self, id: ExperimentId, change: impl FnOnce(&mut Experiment) -> Result<()>) -> Result<()> {
        self.check_writable()?;
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let mut experiment = self.experiment(id)?;
        change(&mut experiment)?;
        self.write_experiment(&experiment)
    }
}

fn deleted(experiment: &Experiment) -> Error {
    Error::InvalidState { what: "experiment", name: experiment.name.clone(), state: "is deleted; restore it first" }
}

fn check_active(experiment: &Experiment) -> Result<()> {
    if experiment.lifecycle_stage == LifecycleStage::Deleted { Err(deleted(experiment)) } else { Ok(()) }
}

impl Store {
    /// Creates an experiment.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// assert!(store.create_experiment("digits").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when an experiment, active or deleted, has the name; a name that breaks a rule of
    /// [`ExperimentName`]; a read-only store; system errors.
    pub fn create_experiment(&self, name: &str) -> Result<ExperimentId> {
        self.shared.create_experiment(name, false)
    }

    /// The active experiment with this name, created when there is none.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.experiment_or_create("digits")?;
    /// assert_eq!(store.experiment_or_create("digits")?, id);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidState`] when a deleted experiment has the name; otherwise as [`Self::create_experiment`].
    pub fn experiment_or_create(&self, name: &str) -> Result<ExperimentId> {
        match self.experiment_by_name(name) {
            Ok(experiment) if experiment.lifecycle_stage == LifecycleStage::Active => {
                // Who created or renamed it may have died before that was durable; from now on somebody relies on it.
                if !self.shared.options.read_only {
                    self.shared.sync_experiment(experiment.id)?;
                }
                Ok(experiment.id)
            }
            _ => self.shared.create_experiment(name, true),
        }
    }

    /// All experiments, deleted ones too, by id.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// assert_eq!(store.experiments()?[0].name, "Default");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors.
    pub fn experiments(&self) -> Result<Vec<Experiment>> {
        self.shared.experiments()
    }

    /// The experiment with this id.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// assert_eq!(store.experiment(trackway::ExperimentId::DEFAULT)?.name, "Default");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], system errors.
    pub fn experiment(&self, id: ExperimentId) -> Result<Experiment> {
        self.shared.experiment(id)
    }

    /// The experiment with this name, also when it is deleted.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// assert_eq!(store.experiment_by_name("digits")?.id, id);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], system errors.
    pub fn experiment_by_name(&self, name: &str) -> Result<Experiment> {
        let found = self.shared.experiments()?.into_iter().find(|experiment| experiment.name == name);
        found.ok_or_else(|| Error::not_found("experiment", name))
    }

    /// Gives an experiment another name.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// store.rename_experiment(id, "digits, old")?;
    /// assert_eq!(store.experiment(id)?.name, "digits, old");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when another experiment has it, [`Error::NotFound`], [`Error::InvalidState`] when the
    /// experiment is deleted, a name that breaks a rule, a read-only store, system errors.
    pub fn rename_experiment(&self, id: ExperimentId, name: &str) -> Result<()> {
        ExperimentName::check(name)?;
        self.shared.change_experiment(id, |experiment| {
            check_active(experiment)?;
            if self.shared.experiments()?.iter().any(|other| other.id != id && other.name == name) {
                return Err(Error::AlreadyExists { what: "experiment", name: name.to_owned() });
            }
            experiment.name = name.to_owned();
            experiment.updated_at = self.shared.now_ms();
            Ok(())
        })
    }

    /// Sets a tag of an experiment.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// store.set_experiment_tag(id, "team", "vision")?;
    /// assert_eq!(store.experiment(id)?.tags["team"], "vision");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidState`] when it is deleted, a key or value that breaks a rule, a read-only
    /// store, system errors.
    pub fn set_experiment_tag(&self, id: ExperimentId, key: &str, value: &str) -> Result<()> {
        TagKey::check(key)?;
        check_value("tag value in bytes", value)?;
        self.shared.change_experiment(id, |experiment| {
            check_active(experiment)?;
            experiment.tags.insert(key.to_owned(), value.to_owned());
            Ok(())
        })
    }

    /// Deletes a tag of an experiment.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// store.set_experiment_tag(id, "team", "vision")?;
    /// store.delete_experiment_tag(id, "team")?;
    /// assert!(store.experiment(id)?.tags.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] also when there is no such tag; otherwise as [`Self::set_experiment_tag`].
    pub fn delete_experiment_tag(&self, id: ExperimentId, key: &str) -> Result<()> {
        self.shared.change_experiment(id, |experiment| {
            check_active(experiment)?;
            experiment.tags.remove(key).map(|_| ()).ok_or_else(|| Error::not_found("tag", key))
        })
    }

    /// Deletes an experiment. Its runs stay, and no run can be created in it until it is restored.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// store.delete_experiment(id)?;
    /// assert!(store.create_run(trackway::NewRun::new(id)).is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidState`] when it is deleted already, a read-only store, system errors.
    pub fn delete_experiment(&self, id: ExperimentId) -> Result<()> {
        self.shared.change_experiment(id, |experiment| {
            check_active(experiment)?;
            experiment.lifecycle_stage = LifecycleStage::Deleted;
            experiment.updated_at = self.shared.now_ms();
            Ok(())
        })
    }

    /// Restores a deleted experiment.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let id = store.create_experiment("digits")?;
    /// store.delete_experiment(id)?;
    /// store.restore_experiment(id)?;
    /// assert!(store.create_run(trackway::NewRun::new(id)).is_ok());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidState`] when it is not deleted, a read-only store, system errors.
    pub fn restore_experiment(&self, id: ExperimentId) -> Result<()> {
        self.shared.change_experiment(id, |experiment| {
            if experiment.lifecycle_stage == LifecycleStage::Active {
                let name = experiment.name.clone();
                return Err(Error::InvalidState { what: "experiment", name, state: "is not deleted" });
            }
            experiment.lifecycle_stage = LifecycleStage::Active;
            experiment.updated_at = self.shared.now_ms();
            Ok(())
        })
    }
}
