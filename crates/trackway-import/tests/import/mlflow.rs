//! What the real MLflow wrote, and says of it, is what the store says after the import.

use crate::harness::{Place, artifacts, data, json, points};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use trackway::{DatasetInput, KeyMap, LifecycleStage, ModelLink, RunId, RunStatus, StatusCause, Store};
use trackway_import::{EXPERIMENT_ID_TAG, MlflowOptions, Report, STATUS_TAG, import_mlflow, keep_going};

pub(crate) fn import(store: &Store, path: &Path) -> Report {
    let report = import_mlflow(store, path, &MlflowOptions::default(), &mut keep_going).unwrap();
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    report
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn texts(value: &Value) -> BTreeMap<String, String> {
    value.as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

pub(crate) fn stage(value: &Value) -> LifecycleStage {
    if value["stage"] == "deleted" { LifecycleStage::Deleted } else { LifecycleStage::Active }
}

fn owned(map: &KeyMap<String>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

/// A run's tags as MLflow shows them: those of its name, user and parent are fields here.
fn shown_tags(run: &trackway::Run) -> BTreeMap<String, String> {
    let mut tags = owned(&run.tags);
    tags.remove(STATUS_TAG);
    tags.entry("mlflow.runName".to_owned()).or_insert_with(|| run.name.clone());
    if run.user != "unknown" {
        tags.entry("mlflow.user".to_owned()).or_insert_with(|| run.user.clone());
    }
    if let Some(parent) = run.parent {
        tags.entry("mlflow.parentRunId".to_owned()).or_insert_with(|| parent.to_string());
    }
    tags
}

fn datasets(value: &Value) -> Vec<DatasetInput> {
    let dataset = |value: &Value| DatasetInput {
        name: text(&value[0]),
        digest: text(&value[1]),
        source_type: text(&value[2]),
        source: text(&value[3]),
        schema: text(&value[4]),
        profile: text(&value[5]),
        tags: texts(&value[6]),
    };
    value.as_array().unwrap().iter().map(dataset).collect()
}

/// The links to models that MLflow tells of a run.
fn links(run: &Value) -> Vec<ModelLink> {
    let model = |value: &Value| text(value).parse().unwrap();
    let used = run["model_inputs"].as_array().unwrap().iter().map(|value| ModelLink::input(model(value)));
    let made = run["model_outputs"].as_array().unwrap().iter();
    let mut all: Vec<_> =
        used.chain(made.map(|value| ModelLink::output(model(&value[0]), value[1].as_i64().unwrap()))).collect();
    all.sort();
    all
}

/// Compares every value of a run with what MLflow said of it; gives the number of points.
fn check_run(store: &Store, experiment: &Value, wanted: &Value, sort: bool) -> usize {
    let id: RunId = text(&wanted["id"]).parse().unwrap();
    let run = store.run(id).unwrap();
    assert_eq!(store.experiment(run.experiment_id).unwrap().name, text(&experiment["name"]));
    assert_eq!((&run.name, &run.user), (&text(&wanted["name"]), &text(&wanted["user"])));
    assert_eq!((run.start_time, run.lifecycle_stage), (wanted["start"].as_i64().unwrap(), stage(wanted)));
    if wanted["status"] == "RUNNING" {
        assert_eq!((run.status, run.status_cause), (RunStatus::Killed, StatusCause::Vanished));
        assert_eq!((run.end_time, run.tags[STATUS_TAG].as_str()), (Some(1_700_000_014_500), "RUNNING"));
    } else {
        assert_eq!(
            (run.status.as_str(), run.status_cause),
            (wanted["status"].as_str().unwrap(), StatusCause::Reported)
        );
        assert_eq!(run.end_time, wanted["end"].as_i64());
    }
    assert_eq!(owned(&run.params), texts(&wanted["params"]));
    assert_eq!(shown_tags(&run), texts(&wanted["tags"]));
    let mut found = run.datasets.clone();
    found.sort();
    assert_eq!(found, datasets(&wanted["datasets"]));
    assert_eq!(run.models, links(wanted));
    let metrics = wanted["metrics"].as_object().unwrap();
    assert!(run.metrics.keys().map(|key| &**key).eq(metrics.keys()));
    let mut count = 0;
    for (key, history) in metrics {
        let point = |point: &Value| {
            let bits = u64::from_str_radix(point[2].as_str().unwrap(), 16).unwrap();
            (point[0].as_i64().unwrap(), point[1].as_i64().unwrap(), bits)
        };
        let mut wanted: Vec<_> = history.as_array().unwrap().iter().map(point).collect();
        let mut found = points(store, id, key);
        count += found.len();
        if key == "on/data" && !sort {
            // MLflow 3.17.2 forgets the step of a line that names a dataset.
            assert_eq!(found.iter().map(|point| point.0).collect::<Vec<_>>(), [1, 1, 2, 2]);
            found.iter_mut().for_each(|point| point.0 = 0);
        }
        if sort {
            // MLflow shows the rows of a database by timestamp.
            wanted.sort_unstable();
            found.sort_unstable();
        }
        assert_eq!(found, wanted, "{key}");
    }
    count
}

fn check(store: &Store, told: &Value, sort: bool) -> usize {
    let mut count = 0;
    for experiment in told.as_array().unwrap() {
        let known = store.experiment_by_name(experiment["name"].as_str().unwrap()).unwrap();
        assert_eq!(known.lifecycle_stage, stage(experiment));
        assert_eq!(known.tags[EXPERIMENT_ID_TAG], text(&experiment["id"]));
        let own = known.tags.into_iter().filter(|(key, _)| !key.starts_with("trackway.import."));
        assert_eq!(own.collect::<BTreeMap<_, _>>(), texts(&experiment["tags"]));
        for run in experiment["runs"].as_array().unwrap() {
            count += check_run(store, experiment, run, sort);
        }
    }
    count
}

fn check_artifacts(store: &Store, told: &Value) {
    let runs = told.as_array().unwrap().iter().flat_map(|experiment| experiment["runs"].as_array().unwrap());
    for run in runs {
        let found = artifacts(store, run["id"].as_str().unwrap().parse().unwrap());
        if run["name"].as_str().unwrap().starts_with("baseline") {
            let weights: Vec<u8> = (0..=255).cycle().take(1280).collect();
            let wanted =
                [("notes.txt", b"hello\n".to_vec()), ("model/weights.bin", weights), ("model/empty", Vec::new())];
            assert_eq!(found, wanted.map(|(path, bytes)| (path.to_owned(), bytes)).into());
        } else {
            assert!(found.is_empty());
        }
    }
}

#[test]
fn a_folder_comes_with_every_value() {
    let place = Place::new();
    let store = place.store("store");
    let report = import(&store, &data("mlruns"));
    let told = json("mlruns.json");
    let count = check(&store, &told, false);
    assert_eq!((report.runs, report.new_runs, report.changed_runs, report.models), (5, 5, 0, 5));
    assert_eq!((report.points as usize, report.artifacts, report.artifact_bytes), (count, 8, 1502));
    assert_eq!(report.notes, [""; 0]);
    check_artifacts(&store, &told);
}

#[test]
fn a_database_comes_with_every_value() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    let report = import(&store, &db);
    let told = json("mlflow.json");
    let count = check(&store, &told, true);
    assert_eq!((report.runs, report.new_runs, report.changed_runs, report.models), (5, 5, 0, 5));
    assert_eq!((report.points as usize, report.artifacts, report.artifact_bytes), (count, 8, 1502));
    assert_eq!(report.notes, [""; 0]);
    check_artifacts(&store, &told);
    // Points of one timestamp are in the order in which they were logged. The database keeps one of equal ones.
    let full =
        store.runs(&trackway::RunFilter::default()).unwrap().into_iter().find(|run| run.name.starts_with("base"));
    let steps = points(&store, full.unwrap().id, "repeats").into_iter().map(|point| point.0);
    assert_eq!(steps.collect::<Vec<_>>(), [5, -2, 1 << 40]);
}
