//! Changes of logged models: each is one durable write of the model's file. And links to them, which are records of a run.

use super::logged_models::{add_params, delete};
use super::{RunWriter, Store};
use crate::error::{Error, Result};
use crate::format::record::Change;
use crate::types::{LoggedModelId, LoggedModelStatus, ModelLink, ModelMetric, check_model_param, check_model_tag};

impl Store {
    /// Says whether the files of a logged model are there.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, LoggedModelStatus, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// store.set_logged_model_status(model.id, LoggedModelStatus::Ready)?;
    /// assert_eq!(store.logged_model(model.id)?.status, LoggedModelStatus::Ready);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], a read-only store, system errors.
    pub fn set_logged_model_status(&self, id: LoggedModelId, status: LoggedModelStatus) -> Result<()> {
        self.shared.change_logged_model(id, |model, now| {
            (model.status, model.updated_at) = (status, now);
            Ok(())
        })
    }

    /// Sets tags of a logged model, all of them in one step.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// store.set_logged_model_tags(model.id, &[("team", "vision"), ("size", "small")])?;
    /// assert_eq!(store.logged_model(model.id)?.tags["team"], "vision");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// A key or value that breaks a rule; as [`Self::set_logged_model_status`].
    pub fn set_logged_model_tags(&self, id: LoggedModelId, tags: &[(&str, &str)]) -> Result<()> {
        tags.iter().try_for_each(|(key, value)| check_model_tag(key, value))?;
        self.shared.change_logged_model(id, |model, _| {
            model.tags.extend(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
            Ok(())
        })
    }

    /// Deletes a tag of a logged model.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT).tag("team", "vision"))?;
    /// store.delete_logged_model_tag(model.id, "team")?;
    /// assert!(store.logged_model(model.id)?.tags.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] also when there is no such tag; otherwise as [`Self::set_logged_model_status`].
    pub fn delete_logged_model_tag(&self, id: LoggedModelId, key: &str) -> Result<()> {
        self.shared.change_logged_model(id, |model, _| {
            model.tags.remove(key).map(|_| ()).ok_or_else(|| Error::not_found("tag", key))
        })
    }

    /// Adds params to a logged model, all of them or none. The same value again is no error.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// store.log_logged_model_params(model.id, &[("depth".to_owned(), "3".to_owned())])?;
    /// assert_eq!(store.logged_model(model.id)?.params["depth"], "3");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ParamConflict`] when one of them has another value, a key or value that breaks a rule; as
    /// [`Self::set_logged_model_status`].
    pub fn log_logged_model_params(&self, id: LoggedModelId, params: &[(String, String)]) -> Result<()> {
        params.iter().try_for_each(|(key, value)| check_model_param(key, value))?;
        self.shared.change_logged_model(id, |model, _| add_params(model, params))
    }

    /// Adds what was measured of a logged model, all of it in one step. A point that is there already stays as it is.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::{ExperimentId, ModelMetric, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// let metric = ModelMetric::new("acc", 0.9, 1, run.id()).at(1_700_000_000_000).dataset("digits", "a1b2c3");
    /// store.log_model_metrics(model.id, &[metric.clone()])?;
    /// assert_eq!(store.logged_model(model.id)?.metrics, [metric]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// A key that breaks a rule, a dataset whose name is too long; as [`Self::set_logged_model_status`].
    pub fn log_model_metrics(&self, id: LoggedModelId, metrics: &[ModelMetric]) -> Result<()> {
        metrics.iter().try_for_each(ModelMetric::check)?;
        self.shared.change_logged_model(id, |model, _| {
            for metric in metrics {
                // Those in pieces are found to be the same when they are read.
                if !model.metrics.iter().any(|known| known.place() == metric.place()) {
                    model.metrics.push(metric.clone());
                }
            }
            Ok(())
        })
    }

    /// Deletes a logged model. It can still be read by its id, but no search finds it. Its files stay until a compaction finds
    /// that [`StoreOptions::deleted_retention`](crate::StoreOptions::deleted_retention) has passed.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, LifecycleStage, NewLoggedModel};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// store.delete_logged_model(model.id)?;
    /// assert_eq!(store.logged_model(model.id)?.lifecycle_stage, LifecycleStage::Deleted);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::set_logged_model_status`].
    pub fn delete_logged_model(&self, id: LoggedModelId) -> Result<()> {
        self.shared.change_logged_model(id, |model, now| {
            delete(model, now);
            Ok(())
        })
    }
}

impl RunWriter {
    /// Says that the run used a logged model.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::{LoggedModelId, ModelLink};
    /// run.log_model_input(LoggedModelId::from_bytes([1; 16]))?;
    /// assert_eq!(store.run(run.id())?.models, [ModelLink::input(LoggedModelId::from_bytes([1; 16]))]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::log_dataset`].
    pub fn log_model_input(&self, model: LoggedModelId) -> Result<()> {
        self.log_changes(vec![Change::Dataset(ModelLink::input(model).to_dataset())])
    }

    /// Says that the run made a logged model at this step.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::{LoggedModelId, ModelLink};
    /// run.log_model_output(LoggedModelId::from_bytes([1; 16]), 10)?;
    /// assert_eq!(store.run(run.id())?.models, [ModelLink::output(LoggedModelId::from_bytes([1; 16]), 10)]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::log_dataset`].
    pub fn log_model_output(&self, model: LoggedModelId, step: i64) -> Result<()> {
        self.log_changes(vec![Change::Dataset(ModelLink::output(model, step).to_dataset())])
    }
}
