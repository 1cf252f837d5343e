//! Stores in temporary folders, the data of the real packages, and what a store says.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trackway::{
    Artifacts, Experiment, LifecycleStage, LoggedModel, Point, Run, RunFilter, RunId, Store, StoreOptions, View,
};

/// A folder with a store and whatever a test puts beside it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the store of this name, without background work: what a test sees is what was done for it.
    pub(crate) fn store(&self, name: &str) -> Store {
        StoreOptions::new().background(false).open(self.path(name)).unwrap()
    }

    /// The database that `mlflow.sql` says, with its artifacts beside it.
    pub(crate) fn mlflow_db(&self) -> PathBuf {
        let path = self.path("mlflow.db");
        let sql = std::fs::read_to_string(data("mlflow.sql")).unwrap();
        let folder = self.folder.path().to_str().unwrap();
        // One transaction, not one a row.
        let sql = format!("BEGIN; {} COMMIT;", sql.replace("@FOLDER@", folder));
        rusqlite::Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        copy_folder(&data("sqlite-artifacts"), &self.path("mlruns"));
        path
    }
}

/// A file of `tests/data`.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(data(name)).unwrap()).unwrap()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The points of a metric as they were written, values by their bits.
pub(crate) fn points(store: &Store, id: RunId, key: &str) -> Vec<(i64, i64, u64)> {
    let snapshot = store.snapshot(id).unwrap();
    let bits = |point: Point| (point.step, point.timestamp, point.value.to_bits());
    snapshot.metric(key).unwrap().points().map(|point| bits(point.unwrap())).collect()
}

/// The files of a run's artifacts with their content.
pub(crate) fn artifacts(store: &Store, id: RunId) -> BTreeMap<String, Vec<u8>> {
    contents(&store.artifacts(id).unwrap())
}

pub(crate) fn contents(artifacts: &Artifacts) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![String::new()]);
    while let Some(folder) = todo.pop() {
        for artifact in artifacts.list(&folder).unwrap() {
            if artifact.is_dir {
                todo.push(artifact.path);
            } else {
                found.insert(artifact.path.clone(), artifacts.read(&artifact.path).unwrap());
            }
        }
    }
    found
}

/// Everything that a store says of a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) experiment: String,
    pub(crate) run: Run,
    pub(crate) points: BTreeMap<String, Vec<(i64, i64, u64)>>,
    pub(crate) artifacts: BTreeMap<String, Vec<u8>>,
}

/// Everything that a store says of a logged model, with its metrics by their bits.
#[derive(Debug, PartialEq)]
pub(crate) struct ToldModel {
    pub(crate) experiment: String,
    pub(crate) model: LoggedModel,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) artifacts: BTreeMap<String, Vec<u8>>,
}

/// Key, step, timestamp, run, bits of the value, name and digest of the dataset.
pub(crate) type Metric = (String, i64, i64, RunId, u64, String, String);

pub(crate) fn metrics_of(model: &LoggedModel) -> Vec<Metric> {
    let metric = |m: &trackway::ModelMetric| {
        let (key, name, digest) = (m.key.clone(), m.dataset_name.clone(), m.dataset_digest.clone());
        (key, m.step, m.timestamp, m.run_id, m.value.to_bits(), name, digest)
    };
    model.metrics.iter().map(metric).collect()
}

fn told_models(store: &Store) -> Vec<ToldModel> {
    let experiments = store.experiments().unwrap();
    let all = experiments.iter().flat_map(|experiment| store.logged_models(experiment.id).unwrap());
    let told = all.map(|mut model| {
        let experiment = store.experiment(model.experiment_id).unwrap().name;
        let (metrics, artifacts) = (metrics_of(&model), contents(&store.logged_model_artifacts(model.id).unwrap()));
        model.metrics.clear();
        model.experiment_id = trackway::ExperimentId::DEFAULT;
        if model.lifecycle_stage == LifecycleStage::Deleted {
            model.updated_at = 0;
        }
        ToldModel { experiment, model, metrics, artifacts }
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|told| told.model.id);
    told
}

/// Everything that a store says, but for when a run or model was deleted, which is when that was imported, and the ids of
/// experiments, which are each store's own.
pub(crate) fn told(store: &Store) -> (Vec<Experiment>, Vec<Told>, Vec<ToldModel>) {
    let mut experiments = store.experiments().unwrap();
    let name = |run: &Run| store.experiment(run.experiment_id).unwrap().name;
    let mut runs = store.runs(&RunFilter { view: View::All, ..RunFilter::default() }).unwrap();
    runs.sort_by_key(|run| run.id);
    let told = runs.into_iter().map(|mut run| {
        let experiment = name(&run);
        let points = run.metrics.keys().map(|key| (key.to_string(), points(store, run.id, key))).collect();
        let artifacts = artifacts(store, run.id);
        run.deleted_at = run.deleted_at.map(|_| 0);
        run.experiment_id = trackway::ExperimentId::DEFAULT;
        // Sums of NaN are compared by the points.
        run.metrics.values_mut().for_each(|summary| {
            if summary.latest.value.is_nan() {
                summary.latest.value = 0.0;
            }
        });
        Told { experiment, run, points, artifacts }
    });
    let told = told.collect();
    for experiment in &mut experiments {
        (experiment.id, experiment.created_at, experiment.updated_at) = (trackway::ExperimentId::DEFAULT, 0, 0);
    }
    experiments.sort_by(|a, b| a.name.cmp(&b.name));
    (experiments, told, told_models(store))
}

/// Every file of a store with its content, but for those that only say who is at work.
pub(crate) fn files(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![store.to_path_buf()]);
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}
