//! Logged models of the real MLflow: value by value, again, and not as they should be.

use crate::harness::{Metric, Place, contents, copy_folder, data, files, json, metrics_of, told};
use crate::mlflow::{import, stage, text, texts};
use crate::odd_mlflow::execute;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use trackway::{Error as StoreError, LifecycleStage, LoggedModel, LoggedModelStatus, ModelLink, Store};
use trackway_import::{
    ARTIFACT_URI_TAG, CopyOptions, Error, MODEL_ID_TAG, MODEL_NAME_TAG, MODEL_TYPE_TAG, MlflowOptions, Report,
    STATUS_MESSAGE_TAG, STATUS_TAG, copy, import_mlflow, keep_going,
};

const BEST: &str = "digits cnn";

fn try_import(store: &Store, path: &Path) -> Report {
    import_mlflow(store, path, &MlflowOptions::default(), &mut keep_going).unwrap()
}

fn all(store: &Store) -> Vec<LoggedModel> {
    let experiments = store.experiments().unwrap();
    experiments.iter().flat_map(|experiment| store.logged_models(experiment.id).unwrap()).collect()
}

fn named(store: &Store, name: &str) -> LoggedModel {
    all(store).into_iter().find(|model| model.name.starts_with(name)).unwrap()
}

fn folder_of(root: &Path, model: &LoggedModel) -> PathBuf {
    let experiments = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    experiments.map(|folder| folder.join("models").join(model.id.to_string())).find(|folder| folder.is_dir()).unwrap()
}

fn append(path: &Path, text: &str) {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, old + text).unwrap();
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Metrics as the script notes them.
fn metrics(value: &Value) -> BTreeSet<Metric> {
    let metric = |value: &Value| {
        let bits = u64::from_str_radix(value[4].as_str().unwrap(), 16).unwrap();
        let (step, time) = (value[1].as_i64().unwrap(), value[2].as_i64().unwrap());
        let run = text(&value[3]).parse().unwrap();
        (text(&value[0]), step, time, run, bits, text(&value[5]), text(&value[6]))
    };
    value.as_array().unwrap().iter().map(metric).collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = text(hex);
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Compares every value of a model with what MLflow said of it.
fn check_model(store: &Store, experiment: &Value, wanted: &Value, is_file_store: bool) {
    let model = store.logged_model(text(&wanted["id"]).parse().unwrap()).unwrap();
    assert_eq!(store.experiment(model.experiment_id).unwrap().name, text(&experiment["name"]));
    assert_eq!((&model.name, &model.model_type), (&text(&wanted["name"]), &text(&wanted["type"])));
    assert_eq!((model.status.as_str(), model.lifecycle_stage), (wanted["status"].as_str().unwrap(), stage(wanted)));
    let run = model.source_run_id.map(|run| run.to_string()).unwrap_or_default();
    assert_eq!((run, model.created_at), (text(&wanted["source_run"]), wanted["created"].as_i64().unwrap()));
    if model.lifecycle_stage == LifecycleStage::Active {
        assert_eq!(model.updated_at, wanted["updated"].as_i64().unwrap());
    }
    assert_eq!((&model.params, &model.tags), (&texts(&wanted["params"]), &texts(&wanted["tags"])));
    let (found, said) = (metrics_of(&model), metrics(&wanted["metrics"]));
    let found: BTreeSet<_> = found.into_iter().collect();
    if is_file_store {
        // A store of files says the last one for each dataset.
        assert_eq!(found, metrics(&wanted["logged"]));
        assert!(said.is_subset(&found));
    } else {
        assert_eq!(found, said);
    }
    let files = wanted["artifacts"].as_object().unwrap();
    let files: BTreeMap<_, _> = files.iter().map(|(path, hex)| (path.clone(), bytes(hex))).collect();
    assert_eq!(contents(&store.logged_model_artifacts(model.id).unwrap()), files);
}

#[test]
fn models_of_both_stores_come_with_every_value() {
    let place = Place::new();
    for (source, name) in [(data("mlruns"), "mlruns.json"), (place.mlflow_db(), "mlflow.json")] {
        let store = place.store(name);
        import(&store, &source);
        let mut count = 0;
        for experiment in json(name).as_array().unwrap() {
            for model in experiment["models"].as_array().unwrap() {
                check_model(&store, experiment, model, name == "mlruns.json");
                count += 1;
            }
        }
        assert_eq!((count, all(&store).len()), (5, 5));
    }
}

#[test]
fn models_are_counted_while_they_come() {
    let place = Place::new();
    for source in [data("mlruns"), place.mlflow_db()] {
        let store = place.store(&format!("{} store", source.file_name().unwrap().display()));
        let mut last = trackway_import::Progress::default();
        let mut watch = |progress: trackway_import::Progress| {
            assert_eq!(progress.total_models, 5);
            assert!(progress.models >= last.models);
            last = progress;
            ControlFlow::Continue(())
        };
        let report = import_mlflow(&store, &source, &MlflowOptions::default(), &mut watch).unwrap();
        assert_eq!((report.models, last.models, last.runs), (5, 4, 5), "the watch hears of the last one at its begin");
    }
}

#[test]
fn a_model_that_goes_on_in_the_source_gets_the_rest() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    let dropped_later = named(&store, "failed");
    let before = named(&store, BEST);
    let (folder, run) = (folder_of(&root, &before), before.source_run_id.unwrap());
    append(&folder.join("metrics/odd"), &format!("1700000008000 2.5 9 {run} my own digits d9\n1 0.5 1 {run}"));
    std::fs::write(folder.join("metrics/new"), format!("1700000008000 1.0 2 {run}\n")).unwrap();
    std::fs::write(folder.join("params/late"), "yes").unwrap();
    std::fs::write(folder.join("tags/team"), "audio").unwrap();
    std::fs::write(folder.join("artifacts/more"), "more").unwrap();
    replace(&folder_of(&root, &dropped_later).join("meta.yaml"), "status: 3", "status: 2");
    let stamp = format!("last_updated_timestamp: {}", dropped_later.updated_at);
    let later = format!("last_updated_timestamp: {}", dropped_later.updated_at + 5);
    replace(&folder_of(&root, &dropped_later).join("meta.yaml"), &stamp, &later);
    let report = import(&store, &root);
    assert_eq!((report.models, report.artifacts, report.changed_runs), (2, 1, 0));
    assert_eq!(report.notes, [""; 0]);
    let now = named(&store, BEST);
    assert_eq!((now.metrics.len(), now.params["late"].as_str(), now.tags["team"].as_str()), (14, "yes", "audio"));
    let added = now.metrics.iter().find(|metric| metric.step == 9).unwrap();
    assert_eq!((added.value, added.dataset_name.as_str(), added.dataset_digest.as_str()), (2.5, "my own digits", "d9"));
    let now = named(&store, "failed");
    assert_eq!((now.status, now.updated_at), (LoggedModelStatus::Ready, dropped_later.updated_at + 5));
    assert!(import(&store, &root).is_unchanged());
    // The line that was being written is whole.
    append(&folder.join("metrics/odd"), "\n");
    assert_eq!(import(&store, &root).models, 1);
    assert_eq!(named(&store, BEST).metrics.len(), 15);
    assert!(import(&store, &root).is_unchanged());
}

#[test]
fn what_was_changed_of_models_in_the_store_stays() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    let (best, failed) = (named(&store, BEST), named(&store, "failed"));
    store.set_logged_model_tags(best.id, &[("team", "mine")]).unwrap();
    store.set_logged_model_status(best.id, LoggedModelStatus::Failed).unwrap();
    store.delete_logged_model(failed.id).unwrap();
    let before = told(&store);
    let report = import(&store, &root);
    assert!(report.is_unchanged());
    assert_eq!(report.notes.len(), 1);
    assert!(report.notes[0].contains("\"team\" is \"vision\" in the source and stays \"mine\""), "{:?}", report.notes);
    assert_eq!(told(&store), before);
    // One that is deleted in the source after it came stays, as runs do; one that is deleted here gets nothing.
    append(&folder_of(&root, &best).join("meta.yaml"), "lifecycle_stage: deleted\n");
    append(&folder_of(&root, &failed).join("tags/new"), "tag");
    let report = import(&store, &root);
    assert!(report.is_unchanged());
    assert!(report.notes.iter().any(|note| note.contains("deleted in the source and stays")), "{:?}", report.notes);
    assert_eq!(told(&store), before);
}

#[test]
fn a_deleted_model_stays_for_its_retention_from_the_import_on() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    let probe = place.store("probe");
    import(&probe, &root);
    let deleted = named(&probe, "deleted");
    let path = folder_of(&root, &deleted).join("meta.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with("last_updated")).unwrap();
    replace(&path, line, "last_updated_timestamp: 5");
    import(&store, &root);
    store.compact(&mut |_| ()).unwrap();
    assert_eq!(named(&store, "deleted").lifecycle_stage, LifecycleStage::Deleted);
    assert!(import(&store, &root).is_unchanged());
}

/// A deletion waits for files that could not be read, so that they come.
#[test]
fn a_deleted_model_of_which_a_file_is_missing_waits_for_it() {
    let place = Place::new();
    let (root, store, whole) = (place.path("mlruns"), place.store("store"), place.store("whole"));
    copy_folder(&data("mlruns"), &root);
    import(&whole, &root);
    let bad = folder_of(&root, &named(&whole, "deleted")).join("artifacts").join("bad\nname");
    std::fs::write(&bad, "x").unwrap();
    let report = try_import(&store, &root);
    assert_eq!(report.failures.len(), 1, "{:?}", report.failures);
    assert_eq!(named(&store, "deleted").lifecycle_stage, LifecycleStage::Active);
    let copied = place.store("copied");
    copy(&store, &copied, &CopyOptions::default(), &mut keep_going).unwrap();
    assert_eq!(named(&copied, "deleted").tags, BTreeMap::new(), "the mark is no tag of the model");
    std::fs::remove_file(bad).unwrap();
    import(&store, &root);
    assert_eq!(told(&store), told(&whole));
    assert!(import(&store, &root).is_unchanged());
}

#[test]
fn a_bad_model_is_named_and_the_others_come() {
    let place = Place::new();
    let (root, store, whole) = (place.path("mlruns"), place.store("store"), place.store("whole"));
    copy_folder(&data("mlruns"), &root);
    import(&whole, &root);
    let id = |name: &str| named(&whole, name).id.to_string();
    let folder = |name: &str| folder_of(&root, &named(&whole, name));
    append(&folder(BEST).join("metrics/odd"), "1 2 3\n");
    std::fs::write(folder("failed").join("tags/kept"), "x".repeat(trackway::limits::MAX_VALUE_BYTES + 1)).unwrap();
    std::fs::write(folder("deleted").join("meta.yaml"), "status: [").unwrap();
    let report = try_import(&store, &root);
    assert_eq!((report.runs, report.new_runs, report.models, report.failures.len()), (5, 5, 2, 3));
    for (wanted, name) in [("odd: line 7 is not", BEST), ("kept: value in bytes is", "failed"), ("YAML", "deleted")] {
        let is_it = |error: String| error.contains(wanted) && error.contains(&id(name));
        let mut errors = report.failures.iter().map(|failure| failure.error.to_string());
        assert!(errors.any(is_it), "{wanted}: {:?}", report.failures);
    }
    std::fs::remove_dir_all(&root).unwrap();
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    assert_eq!(told(&store), told(&whole));
    // A param with another value is another model.
    std::fs::write(folder(BEST).join("params/depth"), "4").unwrap();
    std::fs::write(folder(BEST).join("tags/new"), "4").unwrap();
    let report = try_import(&store, &root);
    assert!(matches!(&report.failures[0].error, Error::Store(StoreError::ParamConflict { key, .. }) if key == "depth"));
    assert!(report.is_unchanged());
    assert_eq!(told(&store), told(&whole));
}

#[test]
fn what_a_store_cannot_say_of_a_model_becomes_a_tag() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "UPDATE logged_models SET name = 'two' || char(10) || 'lines', model_type = char(7), status = 0,
             status_message = 'no room' WHERE name = 'failed';
         UPDATE inputs SET destination_id = 'odd' WHERE destination_id =
             (SELECT model_id FROM logged_models WHERE status = 0);
         UPDATE logged_models SET model_id = 'odd', source_run_id = 'run-7' WHERE status = 0;",
    );
    import(&store, &db);
    let model = named(&store, "two");
    assert_eq!(
        (model.name.as_str(), model.model_type.as_str(), model.status),
        ("two lines", " ", LoggedModelStatus::Pending)
    );
    let tag = |key: &str| model.tags[key].as_str();
    assert_eq!((tag(MODEL_NAME_TAG), tag(MODEL_TYPE_TAG)), ("two\nlines", "\u{7}"));
    assert_eq!((tag(MODEL_ID_TAG), tag(STATUS_TAG), tag(STATUS_MESSAGE_TAG)), ("odd", "UNSPECIFIED", "no room"));
    let runs = store.runs(&trackway::RunFilter::default()).unwrap();
    let links: Vec<_> = runs.iter().flat_map(|run| &run.models).collect();
    assert!(links.contains(&&ModelLink::output(model.id, 1 << 40)), "the link goes to the id that it has here");
    assert!(import(&store, &db).is_unchanged());
    execute(
        &db,
        "UPDATE logged_models SET status = 2, last_updated_timestamp_ms = 2000000000000 WHERE model_id = 'odd'",
    );
    assert_eq!(import(&store, &db).models, 1);
    let model = named(&store, "two");
    assert_eq!((model.status, model.tags.contains_key(STATUS_TAG)), (LoggedModelStatus::Ready, false));
    assert!(import(&store, &db).is_unchanged());
}

#[test]
fn artifacts_of_models_of_a_server_are_noted_until_their_folder_is_given() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "UPDATE logged_models SET artifact_location = 'mlflow-artifacts:/' || experiment_id || '/models/' || model_id",
    );
    std::fs::rename(place.path("mlruns"), place.path("elsewhere")).unwrap();
    assert_eq!(import(&store, &db).artifacts, 0);
    let best = named(&store, BEST);
    assert_eq!(best.tags[ARTIFACT_URI_TAG], format!("mlflow-artifacts:/1/models/{}", best.id));
    let report = import(&store, &db);
    assert!(report.is_unchanged());
    assert_eq!(report.notes.iter().filter(|note| note.contains("were not copied")).count(), 5);
    let options = MlflowOptions { artifacts: Some(place.path("elsewhere")) };
    let report = import_mlflow(&store, &db, &options, &mut keep_going).unwrap();
    // Two models have files; the deleted one gets nothing.
    assert_eq!((report.artifacts, report.models), (7, 2));
    assert!(!named(&store, BEST).tags.contains_key(ARTIFACT_URI_TAG), "they are here now");
    assert!(import_mlflow(&store, &db, &options, &mut keep_going).unwrap().is_unchanged());
}

#[test]
fn a_folder_notes_what_stays_behind() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    let probe = place.store("probe");
    import(&probe, &root);
    let (best, before) = (named(&probe, BEST), files(&data("mlruns")));
    let folder = folder_of(&root, &best);
    // Another value at the place of another, one on another dataset, and one that was logged twice.
    let first = std::fs::read_to_string(folder.join("metrics/acc of it")).unwrap();
    let first = first.lines().next().unwrap().to_owned();
    append(&folder.join("metrics/acc of it"), &format!("{first}\n{first} data d\n{}\n", first.replace("0.25", "0.5")));
    std::fs::create_dir_all(root.join("models/registered")).unwrap();
    let outputs = before.keys().find(|path| path.to_str().unwrap().contains("/outputs/")).unwrap();
    let output = root.join(outputs.strip_prefix(data("mlruns")).unwrap());
    replace(&output, "destination_type: MODEL_OUTPUT", "destination_type: OTHER");
    let report = import(&store, &root);
    for wanted in ["2 metrics left out", "1 registered models left out", "an output that is no model"] {
        assert!(report.notes.iter().any(|note| note.contains(wanted)), "{wanted}: {:?}", report.notes);
    }
    assert_eq!(metrics_of(&named(&store, BEST)), metrics_of(&best), "of each place the first");
    assert!(import(&store, &root).is_unchanged());
}

#[test]
fn a_database_notes_what_stays_behind() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "UPDATE logged_models SET experiment_id = 77 WHERE name = 'failed';
         UPDATE inputs SET source_type = 'TRACE' WHERE source_type = 'RUN_INPUT';",
    );
    let report = import(&store, &db);
    assert_eq!(report.models, 4);
    for wanted in ["1 logged models are of no experiment", "2 rows of inputs link neither"] {
        assert!(report.notes.iter().any(|note| note.contains(wanted)), "{wanted}: {:?}", report.notes);
    }
}

#[test]
fn a_database_from_before_logged_models_has_none() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "DROP TABLE logged_model_metrics; DROP TABLE logged_model_tags; DROP TABLE logged_model_params;
         DROP TABLE logged_models;
         CREATE TABLE old AS SELECT input_uuid, source_type, source_id, destination_type, destination_id FROM inputs
             WHERE source_type = 'DATASET';
         DROP TABLE inputs; ALTER TABLE old RENAME TO inputs;",
    );
    let report = import(&store, &db);
    assert_eq!((report.new_runs, report.models, report.notes.len()), (5, 0, 0));
    let runs = store.runs(&trackway::RunFilter::default()).unwrap();
    assert_eq!(runs.iter().map(|run| run.datasets.len()).sum::<usize>(), 2);
}
