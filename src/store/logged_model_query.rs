//! Finding logged models: in some experiments, and perhaps by what was measured on some datasets only.

use super::Store;
use super::query::{Page, Query};
use crate::error::Result;
use crate::search::{ModelOrder, entity, is_on, logged_model_terms};
use crate::types::{ExperimentId, LifecycleStage, LoggedModel};

/// Where logged models are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelScope {
    /// `None`: everywhere.
    experiments: Option<Vec<ExperimentId>>,
    /// Names and digests of datasets; empty: all. An empty digest stands for any.
    datasets: Vec<(String, String)>,
}

impl Query<LoggedModel> {
    /// Logged models of these experiments only.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel, Query};
    /// store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// let other = store.create_experiment("digits")?;
    /// assert!(store.search_logged_models(&Query::new().experiments(&[other]))?.found.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn experiments(mut self, experiments: &[ExperimentId]) -> Self {
        self.scope.experiments = Some(experiments.to_vec());
        self
    }

    /// Lets a filter see the metrics of these datasets only, each a name and a digest (empty: any of that name), and finds only
    /// models that were measured on one of them.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::{ExperimentId, ModelMetric, NewLoggedModel, Query};
    /// let model = store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT))?;
    /// store.log_model_metrics(model.id, &[ModelMetric::new("acc", 0.9, 1, run.id()).dataset("digits", "a1b2c3")])?;
    /// let good = Query::new().filter("metrics.acc > 0.8")?;
    /// assert_eq!(store.search_logged_models(&good.clone().measured_on(&[("digits", "")]))?.found.len(), 1);
    /// assert_eq!(store.search_logged_models(&good.measured_on(&[("letters", "")]))?.found.len(), 0);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn measured_on(mut self, datasets: &[(&str, &str)]) -> Self {
        let owned = |(name, digest): &(&str, &str)| ((*name).to_owned(), (*digest).to_owned());
        self.scope.datasets = datasets.iter().map(owned).collect();
        self
    }

    /// Sorts them by these fields, the first one first: attributes, and metrics by their newest point.
    ///
    /// ```
    /// use trackway::{ModelOrder, Query};
    /// assert!(Query::new().order_by_measured(&[ModelOrder::new("metrics.acc").descending()]).is_ok());
    /// assert!(Query::new().order_by_measured(&[ModelOrder::new("params.depth")]).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidQuery`](crate::Error::InvalidQuery) when there is no such attribute, or it is neither one nor a metric.
    pub fn order_by_measured(mut self, order: &[ModelOrder]) -> Result<Self> {
        self.order = entity::whole(entity::Sort::LoggedModel, logged_model_terms(order)?);
        Ok(self)
    }

    /// Whether a model is looked for, whatever its experiment.
    fn wants_measured(&self, model: &LoggedModel) -> bool {
        if self.scope.datasets.is_empty() {
            return self.wants(model);
        }
        let mut seen = model.clone();
        seen.metrics.retain(|metric| self.scope.datasets.iter().any(|(name, digest)| is_on(metric, name, digest)));
        !seen.metrics.is_empty() && self.wants(&seen)
    }
}

impl Store {
    /// Looks for logged models that are not deleted. Cost: that of reading those of the experiments.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewLoggedModel, Query};
    /// store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT).param("depth", "3"))?;
    /// store.create_logged_model(NewLoggedModel::new(ExperimentId::DEFAULT).param("depth", "9"))?;
    /// let page = store.search_logged_models(&Query::new().filter("params.depth > 5")?)?;
    /// assert_eq!(page.found.len(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::search_experiments`].
    pub fn search_logged_models(&self, query: &Query<LoggedModel>) -> Result<Page<LoggedModel>> {
        let mut experiments = match &query.scope.experiments {
            Some(experiments) => experiments.clone(),
            None => self.shared.experiment_ids()?,
        };
        experiments.sort_unstable();
        experiments.dedup();
        let mut found = Vec::new();
        for experiment in experiments {
            let models = self.shared.logged_models(experiment)?.into_iter();
            let is_active = |model: &LoggedModel| model.lifecycle_stage == LifecycleStage::Active;
            found.extend(models.filter(is_active).filter(|model| query.wants_measured(model)));
        }
        query.page_of(found.into_iter())
    }
}
