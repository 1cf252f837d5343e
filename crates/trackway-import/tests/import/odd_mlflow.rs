//! Stores of MLflow that are not as the last version leaves them: moved, older, with artifacts elsewhere, or none at all.

use crate::harness::{Place, artifacts, copy_folder, data, points};
use crate::mlflow::import;
use rusqlite::Connection;
use std::path::Path;
use trackway::{Run, RunFilter, Store, View};
use trackway_import::{ARTIFACT_URI_TAG, Error, MlflowOptions, RUN_ID_TAG, import_mlflow, keep_going};

pub(crate) fn execute(db: &Path, sql: &str) {
    let sql = format!("PRAGMA foreign_keys = OFF; BEGIN; {sql}; COMMIT;");
    Connection::open(db).unwrap().execute_batch(&sql).unwrap();
}

fn named(store: &Store, name: &str) -> Run {
    let all = RunFilter { view: View::All, ..RunFilter::default() };
    store.runs(&all).unwrap().into_iter().find(|run| run.name.starts_with(name)).unwrap()
}

#[test]
fn artifacts_of_a_server_are_noted_until_their_folder_is_given() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "UPDATE runs SET artifact_uri = 'mlflow-artifacts:/' || experiment_id || '/' || run_uuid || '/artifacts'",
    );
    std::fs::rename(place.path("mlruns"), place.path("elsewhere")).unwrap();
    let report = import(&store, &db);
    assert_eq!(report.artifacts, 0);
    let id = named(&store, "baseline").id;
    let uri = format!("mlflow-artifacts:/1/{id}/artifacts");
    assert!(report.notes.iter().any(|note| note.contains(&uri)), "{:?}", report.notes);
    assert_eq!(named(&store, "baseline").tags[ARTIFACT_URI_TAG], uri);
    assert!(import(&store, &db).is_unchanged());
    let options = MlflowOptions { artifacts: Some(place.path("elsewhere")) };
    let report = import_mlflow(&store, &db, &options, &mut keep_going).unwrap();
    // With those of the models, which moved with them; a deleted model gets nothing.
    assert_eq!((report.artifacts, report.points), (7, 0));
    assert_eq!(artifacts(&store, id).len(), 3);
    assert!(!named(&store, "baseline").tags.contains_key(ARTIFACT_URI_TAG), "they are here now");
    assert!(import_mlflow(&store, &db, &options, &mut keep_going).unwrap().is_unchanged());
}

#[test]
fn a_moved_database_says_that_its_artifacts_are_not_with_it() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    std::fs::rename(place.path("mlruns"), place.path("elsewhere")).unwrap();
    let report = import(&store, &db);
    assert!(report.notes.len() == 1 && report.notes[0].contains("no artifacts were found"), "{:?}", report.notes);
}

#[test]
fn an_older_database_has_fewer_tables_and_columns() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "DROP TABLE inputs; DROP TABLE input_tags; DROP TABLE datasets; DROP TABLE experiment_tags;
         CREATE TABLE old AS SELECT run_uuid, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri,
             experiment_id FROM runs;
         DROP TABLE runs; ALTER TABLE old RENAME TO runs;
         CREATE TABLE older AS SELECT experiment_id, name, lifecycle_stage, artifact_location FROM experiments;
         DROP TABLE experiments; ALTER TABLE older RENAME TO experiments;",
    );
    let report = import(&store, &db);
    assert_eq!((report.new_runs, report.artifacts), (5, 8));
    let full = named(&store, "baseline");
    assert_eq!((full.datasets.len(), points(&store, full.id, "train/loss").len()), (0, 40));
    assert!(import(&store, &db).is_unchanged());
}

#[test]
fn an_id_that_is_none_of_ours_becomes_one_and_a_name_that_cannot_be_shown_is_kept() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(
        &db,
        "UPDATE runs SET run_uuid = 'run-7', name = 'two' || char(10) || 'lines' WHERE name = '123';
         UPDATE metrics SET run_uuid = 'run-7' WHERE run_uuid NOT IN (SELECT run_uuid FROM runs);",
    );
    import(&store, &db);
    let run = named(&store, "two");
    assert_eq!((run.name.as_str(), run.tags["mlflow.runName"].as_str()), ("two lines", "two\nlines"));
    assert_eq!((run.tags[RUN_ID_TAG].as_str(), run.metrics["loss"].count), ("run-7", 1));
    assert!(import(&store, &db).is_unchanged());
}

#[test]
fn a_run_that_says_no_time_is_not_changed_by_a_second_import() {
    let place = Place::new();
    let (db, store) = (place.mlflow_db(), place.store("store"));
    execute(&db, "UPDATE runs SET start_time = NULL, end_time = NULL; DELETE FROM metrics;");
    assert_eq!(import(&store, &db).new_runs, 5);
    assert!(import(&store, &db).is_unchanged());
}

#[test]
fn what_is_no_store_of_mlflow_is_refused() {
    let place = Place::new();
    let store = place.store("store");
    let file = place.path("file");
    std::fs::write(&file, "no database").unwrap();
    let other = place.path("other.db");
    execute(&other, "CREATE TABLE runs (x)");
    let folder = place.path("folder");
    copy_folder(&data("tensorboard"), &folder);
    for path in [file, other, folder, place.path("nothing")] {
        let error = import_mlflow(&store, &path, &MlflowOptions::default(), &mut keep_going).unwrap_err();
        let is_known = matches!(error, Error::Sqlite { .. } | Error::Source { .. } | Error::Io { .. });
        assert!(is_known && error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(store.experiments().unwrap().len(), 1, "nothing was created");
}
