//! Logged models: a folder each below their experiment, with one small file that says all that is known of the model, and
//! its artifacts. The file is replaced as a whole under a lock that the model shares with few others.
//!
//! Metrics would let the file grow without end, and each new one would write it anew. So when they are more than some ten
//! KiB they are moved to a *piece*, a file that is never written again. A piece is durable before the model's file names it,
//! and one that no file names is nobody's: left by a process that died in between, and removed when the next one is made.
//! A new metric therefore writes at most that limit, what else is known of the model, and 10 bytes for each piece.

use super::artifacts::Artifacts;
use super::open::sync_up;
use super::paths::{ARTIFACTS, LOGGED_MODEL, points_name};
use super::quarantine::{copy_aside, move_aside};
use super::repair::Repair;
use super::{Shared, Store, lock, small_file, twice};
use crate::env::Lock;
use crate::error::{Error, IoContext, Result};
use crate::format::header::FileType;
use crate::format::logged_model::{self as format, ModelFile, PieceName};
use crate::types::{
    ExperimentId, LifecycleStage, LoggedModel, LoggedModelId, ModelMetric, NewLoggedModel, check_model_param,
    check_model_tag, check_model_words,
};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Metrics that take more bytes than this are moved out of the model's file.
const MAX_METRIC_BYTES: usize = 32 << 10;

/// Where models are, as far as it is known: they never move. Cleared when it has grown to this.
const MAX_KNOWN_PLACES: usize = 1 << 16;

impl Shared {
    /// The logged models that have a folder in this experiment, by id.
    pub(super) fn logged_model_ids(&self, experiment: ExperimentId) -> Result<Vec<LoggedModelId>> {
        let dir = self.paths.logged_models(experiment);
        let entries = match self.env.fs.read_dir(&dir) {
            // Made with the first model.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.at(&dir, "list")?,
        };
        let mut ids: Vec<LoggedModelId> = entries.iter().filter_map(|entry| entry.name.parse().ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// What the file of a model says, and whether this version may change it; `None` when there is no such file.
    fn model_file(&self, experiment: ExperimentId, id: LoggedModelId) -> Result<Option<(ModelFile, bool)>> {
        let path = self.paths.logged_model_file(experiment, id);
        let read =
            || small_file::read(&self.env, &path, FileType::LoggedModel, |body| format::decode(body, experiment));
        match twice(read)? {
            Some((file, _)) if file.model.id != id => {
                Err(Error::corrupt(&path, 0, format!("it is the file of {}", file.model.id)))
            }
            found => Ok(found),
        }
    }

    fn piece(&self, experiment: ExperimentId, id: LoggedModelId, piece: PieceName) -> Result<Vec<ModelMetric>> {
        let path = self.paths.logged_model(experiment, id).join(points_name(piece.salt));
        let found = twice(|| small_file::read(&self.env, &path, FileType::ModelPoints, format::decode_piece))?;
        match found {
            Some((metrics, _)) if metrics.len() as u64 == piece.count => Ok(metrics),
            Some(_) => Err(Error::corrupt(&path, 0, "it does not have as many metrics as its model says")),
            None => Err(Error::corrupt(&path, 0, "it is missing, though its model names it")),
        }
    }

    /// A model with all its metrics; `None` when there is none in this experiment.
    pub(super) fn logged_model_in(&self, experiment: ExperimentId, id: LoggedModelId) -> Result<Option<LoggedModel>> {
        let Some((ModelFile { mut model, pieces }, _)) = self.model_file(experiment, id)? else { return Ok(None) };
        let mut metrics = Vec::new();
        for piece in pieces {
            metrics.append(&mut self.piece(experiment, id, piece)?);
        }
        metrics.append(&mut model.metrics);
        // Stable: of equal places the first one that was logged stays.
        metrics.sort_by(|a, b| a.place().cmp(&b.place()));
        metrics.dedup_by(|later, first| later.place() == first.place());
        model.metrics = metrics;
        Ok(Some(model))
    }

    /// The experiment of a model.
    fn place_of_model(&self, id: LoggedModelId) -> Result<ExperimentId> {
        let is_there = |experiment| self.env.fs.metadata(&self.paths.logged_model_file(experiment, id)).is_ok();
        let known = lock(&self.model_places).get(&id).copied();
        if let Some(experiment) = known.filter(|experiment| is_there(*experiment)) {
            return Ok(experiment);
        }
        let found = self.experiment_ids()?.into_iter().find(|experiment| is_there(*experiment));
        let experiment = found.ok_or_else(|| Error::not_found("logged model", id))?;
        let mut places = lock(&self.model_places);
        if places.len() >= MAX_KNOWN_PLACES {
            places.clear();
        }
        places.insert(id, experiment);
        Ok(experiment)
    }

    fn logged_model(&self, id: LoggedModelId) -> Result<LoggedModel> {
        let found = self.logged_model_in(self.place_of_model(id)?, id)?;
        found.ok_or_else(|| Error::not_found("logged model", id))
    }

    /// All models of an experiment that can be read, deleted ones too. `verify` names the files of others.
    pub(super) fn logged_models(&self, experiment: ExperimentId) -> Result<Vec<LoggedModel>> {
        let mut all = Vec::new();
        for id in self.logged_model_ids(experiment)? {
            match self.logged_model_in(experiment, id) {
                Ok(found) => all.extend(found),
                Err(Error::Corrupt { .. } | Error::UnsupportedFormat { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn lock_model(&self, id: LoggedModelId) -> Result<Box<dyn Lock>> {
        self.lock_file(&self.paths.logged_model_lock(id))
    }

    /// Writes a model's file durably, with its metrics in a new piece when they are many. The caller holds the model's lock.
    fn write_logged_model(&self, mut file: ModelFile) -> Result<()> {
        let (experiment, id) = (file.model.experiment_id, file.model.id);
        let dir = self.paths.logged_model(experiment, id);
        self.env.fs.create_dir_all(&dir).at(&dir, "create")?;
        let mut piece = Vec::new();
        format::put_metrics(&mut piece, &file.model.metrics);
        if piece.len() > MAX_METRIC_BYTES {
            self.remove_unnamed_pieces(&dir, &file.pieces);
            let name = PieceName { salt: self.env.clock.random(), count: file.model.metrics.len() as u64 };
            small_file::write(&self.env, &dir.join(points_name(name.salt)), FileType::ModelPoints, &piece)?;
            file.pieces.push(name);
            file.model.metrics.clear();
        }
        small_file::write(&self.env, &dir.join(LOGGED_MODEL), FileType::LoggedModel, &format::encode(&file))?;
        // Also for who made the folder and died before it was durable.
        sync_up(&self.env, &dir, self.paths.root())
    }

    /// What cannot be removed now is nobody's still.
    fn remove_unnamed_pieces(&self, dir: &Path, named: &[PieceName]) {
        let named: Vec<String> = named.iter().map(|piece| points_name(piece.salt)).collect();
        for entry in self.env.fs.read_dir(dir).unwrap_or_default() {
            if entry.name.ends_with(".points") && !named.contains(&entry.name) {
                let _ = self.env.fs.remove_file(&dir.join(entry.name));
            }
        }
    }

    /// Changes a model, deleted ones too; `change` gets the time, and the model without the metrics that are in pieces.
    pub(super) fn change_logged_model<T>(
        &self,
        id: LoggedModelId,
        change: impl FnOnce(&mut LoggedModel, i64) -> Result<T>,
    ) -> Result<T> {
        self.check_writable()?;
        let experiment = self.place_of_model(id)?;
        let _lock = self.lock_model(id)?;
        let found = self.model_file(experiment, id)?;
        let (mut file, writable) = found.ok_or_else(|| Error::not_found("logged model", id))?;
        if !writable {
            let path = self.paths.logged_model_file(experiment, id);
            return Err(Error::ReadOnly { path, cause: "it was written by a newer trackway" });
        }
        let answer = change(&mut file.model, self.now_ms())?;
        self.write_logged_model(file)?;
        Ok(answer)
    }

    fn create_logged_model(&self, new: NewLoggedModel) -> Result<LoggedModel> {
        self.check_writable()?;
        check_model_words(&new.name, &new.model_type)?;
        new.params.iter().try_for_each(|(key, value)| check_model_param(key, value))?;
        new.tags.iter().try_for_each(|(key, value)| check_model_tag(key, value))?;
        self.active_experiment(new.experiment_id)?;
        let (id, now) = (LoggedModelId::from_bytes(self.env.clock.random_id()), self.now_ms());
        let mut model = LoggedModel {
            name: new.name,
            model_type: new.model_type,
            source_run_id: new.source_run_id,
            created_at: now,
            updated_at: now,
            tags: new.tags.into_iter().collect(),
            ..format::blank(id, new.experiment_id)
        };
        add_params(&mut model, &new.params)?;
        let _lock = self.lock_model(id)?;
        let file = ModelFile { model: model.clone(), pieces: Vec::new() };
        let written = self.write_logged_model(file);
        if let Err(error) = written {
            let _ = self.env.fs.remove_dir_all(&self.paths.logged_model(new.experiment_id, id));
            return Err(error);
        }
        Ok(model)
    }

    /// Brings a model of another store into this one.
    fn merge_logged_model(&self, other: &LoggedModel) -> Result<bool> {
        self.check_writable()?;
        check_model_words(&other.name, &other.model_type)?;
        other.params.iter().try_for_each(|(key, value)| check_model_param(key, value))?;
        other.tags.iter().try_for_each(|(key, value)| check_model_tag(key, value))?;
        other.metrics.iter().try_for_each(ModelMetric::check)?;
        self.experiment(other.experiment_id)?;
        let _lock = self.lock_model(other.id)?;
        let experiment = match self.place_of_model(other.id) {
            Ok(experiment) => experiment,
            Err(Error::NotFound { .. }) => {
                self.write_logged_model(ModelFile { model: other.clone(), pieces: Vec::new() })?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let missing = || Error::not_found("logged model", other.id);
        let known = self.logged_model_in(experiment, other.id)?.ok_or_else(missing)?;
        let (mut file, writable) = self.model_file(experiment, other.id)?.ok_or_else(missing)?;
        let merged = &mut file.model;
        for (ours, theirs) in [(&mut merged.params, &other.params), (&mut merged.tags, &other.tags)] {
            for (key, value) in theirs {
                ours.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let places: std::collections::BTreeSet<_> = known.metrics.iter().map(ModelMetric::place).collect();
        let news: Vec<ModelMetric> =
            other.metrics.iter().filter(|metric| !places.contains(&metric.place())).cloned().collect();
        if other.updated_at > merged.updated_at {
            (merged.status, merged.updated_at) = (other.status, other.updated_at);
            merged.lifecycle_stage = other.lifecycle_stage;
        }
        let is_same = |a: &LoggedModel| {
            (&a.params, &a.tags, a.updated_at) == (&known.params, &known.tags, known.updated_at) && news.is_empty()
        };
        if is_same(merged) {
            return Ok(false);
        }
        if !writable {
            let path = self.paths.logged_model_file(experiment, other.id);
            return Err(Error::ReadOnly { path, cause: "it was written by a newer trackway" });
        }
        merged.metrics.extend(news);
        self.write_logged_model(file).map(|()| true)
    }
}

impl Shared {
    /// Removes models that were deleted and whose retention has passed, and what uploads that were cut short have left in the
    /// artifacts of the others.
    pub(super) fn tidy_logged_models(&self) -> Result<()> {
        for experiment in self.experiment_ids()? {
            for id in self.logged_model_ids(experiment)? {
                if self.is_due(experiment, id) {
                    self.remove_logged_model(experiment, id)?;
                } else {
                    self.sweep_artifacts(&self.paths.logged_model(experiment, id));
                }
            }
        }
        Ok(())
    }

    /// Whether the retention of a model has passed. One that cannot be read stays.
    fn is_due(&self, experiment: ExperimentId, id: LoggedModelId) -> bool {
        let retention = i64::try_from(self.options.deleted_retention.as_millis()).unwrap_or(i64::MAX);
        let Ok(Some((ModelFile { model, .. }, true))) = self.model_file(experiment, id) else { return false };
        model.lifecycle_stage == LifecycleStage::Deleted && model.updated_at.saturating_add(retention) <= self.now_ms()
    }

    /// Takes a model out of sight in one step, durably, before its files go one by one.
    fn remove_logged_model(&self, experiment: ExperimentId, id: LoggedModelId) -> Result<()> {
        let _lock = self.lock_model(id)?;
        if !self.is_due(experiment, id) {
            return Ok(());
        }
        let (dir, trash) = (self.paths.logged_model(experiment, id), self.paths.trash());
        self.env.fs.create_dir_all(&trash).at(&trash, "create")?;
        let gone = trash.join(format!("{id}-{:016x}", self.env.clock.random()));
        self.env.fs.rename(&dir, &gone).at(&dir, "move to the trash")?;
        let models = self.paths.logged_models(experiment);
        [&trash, &models].into_iter().try_for_each(|dir| self.env.fs.sync_dir(dir).at(dir, "sync"))?;
        self.env.fs.remove_dir_all(&gone).at(&gone, "remove")
    }

    /// Checks all files of a model.
    pub(super) fn check_logged_model(&self, experiment: ExperimentId, id: LoggedModelId) -> Result<()> {
        self.logged_model_in(experiment, id).map(|_| ())
    }

    /// Sets a damaged file of a model aside. What only a damaged piece knew is lost; without its own file a model is.
    pub(super) fn repair_logged_model(&self, experiment: ExperimentId, id: LoggedModelId) -> Result<Vec<Repair>> {
        let _lock = self.lock_model(id)?;
        let path = self.paths.logged_model_file(experiment, id);
        let name = format!("logged-{id}.tw");
        let mut repairs = Vec::new();
        let mut file = match self.model_file(experiment, id) {
            Ok(None) => return Ok(repairs),
            Ok(Some((file, _))) => file,
            Err(_) => {
                let decode = |body: &[u8]| format::decode(body, experiment);
                let known = small_file::salvage(&self.env, &path, FileType::LoggedModel, decode);
                let Some(file) = known.filter(|file| file.model.id == id) else {
                    let aside = Some(move_aside(&self.env, &self.paths, &path, &name)?);
                    let what = "a logged model was in it, which is lost; its artifacts are where they were".to_owned();
                    return Ok(vec![Repair { path, aside, what }]);
                };
                let aside = Some(copy_aside(&self.env, &self.paths, &path, &name)?);
                let what = "only its header was damaged: it is as before".to_owned();
                repairs.push(Repair { path: path.clone(), aside, what });
                file
            }
        };
        let dir = self.paths.logged_model(experiment, id);
        let mut aside: Vec<PathBuf> = Vec::new();
        file.pieces.retain(|piece| {
            let is_damaged = matches!(self.piece(experiment, id, *piece), Err(Error::Corrupt { .. }));
            if is_damaged {
                aside.push(dir.join(points_name(piece.salt)));
            }
            !is_damaged
        });
        for piece in &aside {
            let stem = piece.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let kept = match self.env.fs.metadata(piece) {
                Ok(_) => Some(copy_aside(&self.env, &self.paths, piece, &format!("{id}-{stem}"))?),
                Err(_) => None,
            };
            let what = "metrics of a logged model were in it, which are lost".to_owned();
            repairs.push(Repair { path: piece.clone(), aside: kept, what });
        }
        self.write_logged_model(file)?;
        aside.iter().for_each(|piece| drop(self.env.fs.remove_file(piece)));
        Ok(repairs)
    }
}

/// Adds params, each of which is written once: the same value again is no error, another one is.
pub(super) fn add_params(model: &mut LoggedModel, params: &[(String, String)]) -> Result<()> {
    for (key, value) in params {
        match model.params.get(key) {
            Some(stored) if stored != value => {
                return Err(Error::ParamConflict {
                    run: model.id.to_string(),
                    key: key.clone(),
                    stored: stored.clone(),
                    given: value.clone(),
                });
            }
            _ => drop(model.params.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

pub(super) fn delete(model: &mut LoggedModel, now: i64) {
    (model.lifecycle_stage, model.updated_at) = (LifecycleStage::Deleted, now);
}

impl Store {
    /// Creates a logged model, whose files are to come: its status is pending.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, LoggedModelStatus, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT).name("digits"))?;
    /// assert_eq!((model.name.as_str(), model.status), ("digits", LoggedModelStatus::Pending));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such experiment, [`Error::InvalidState`] when it is deleted, a text that breaks a
    /// rule, a param with two values, a read-only store, system errors.
    pub fn create_logged_model(&self, new: NewLoggedModel) -> Result<LoggedModel> {
        self.shared.create_logged_model(new)
    }

    /// The logged model with this id, also when it is deleted. Cost: that of reading its file; the first time also a look
    /// into each experiment.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// assert_eq!(store.logged_model(model.id)?, model);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], system errors.
    pub fn logged_model(&self, id: LoggedModelId) -> Result<LoggedModel> {
        self.shared.logged_model(id)
    }

    /// All logged models of an experiment, deleted ones too, by id. One whose files are damaged is left out; `verify` names
    /// it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// assert!(store.logged_models(trackway::ExperimentId::DEFAULT)?.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors.
    pub fn logged_models(&self, experiment: ExperimentId) -> Result<Vec<LoggedModel>> {
        self.shared.logged_models(experiment)
    }

    /// The artifacts of a logged model: its files.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// store.logged_model_artifacts(model.id)?.put_bytes("weights.bin", b"weights")?;
    /// assert_eq!(store.logged_model_artifacts(model.id)?.list("")?.len(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], system errors.
    pub fn logged_model_artifacts(&self, id: LoggedModelId) -> Result<Artifacts> {
        let experiment = self.shared.place_of_model(id)?;
        Ok(Artifacts::new(&self.shared, self.shared.paths.logged_model(experiment, id).join(ARTIFACTS)))
    }

    /// Brings a logged model of another store into this one, into the experiment that it names, which must be there. Where it
    /// is already it gets the params, tags and metrics that it lacks, and the status of the later change. Answers whether
    /// anything was new. Artifacts are copied apart from it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let laptop = trackway::Store::open(dir.path().join("laptop"))?;
    /// # let cluster = trackway::Store::open(dir.path().join("cluster"))?;
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// let model = laptop.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT).name("digits"))?;
    /// assert!(cluster.merge_logged_model(&model)?);
    /// assert_eq!(cluster.logged_model(model.id)?, model);
    /// assert!(!cluster.merge_logged_model(&model)?);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such experiment, a text that breaks a rule, a read-only store, system errors.
    pub fn merge_logged_model(&self, other: &LoggedModel) -> Result<bool> {
        self.shared.merge_logged_model(other)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "logged_models_tests.rs"]
mod tests;
