//! Importing again: what is there is left alone, what is new is added, and an import that ended early goes on.

use crate::harness::{Place, copy_folder, data, files, points, told};
use crate::mlflow::import;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use trackway::{Error as StoreError, LifecycleStage, RunId, RunStatus, StatusCause, Store};
use trackway_import::{Error, MlflowOptions, STATUS_TAG, import_mlflow, keep_going};

/// The run of the fixture with this name.
fn named(store: &Store, name: &str) -> RunId {
    let all = trackway::RunFilter { view: trackway::View::All, ..Default::default() };
    store.runs(&all).unwrap().into_iter().find(|run| run.name.starts_with(name)).unwrap().id
}

fn folder_of(root: &Path, id: RunId) -> std::path::PathBuf {
    let experiments = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    experiments.map(|folder| folder.join(id.to_string())).find(|run| run.is_dir()).unwrap()
}

fn append(path: &Path, text: &str) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_second_import_changes_no_byte() {
    let place = Place::new();
    for source in [data("mlruns"), place.mlflow_db()] {
        let name = source.file_name().unwrap().to_str().unwrap().to_owned() + " store";
        let store = place.store(&name);
        import(&store, &source);
        while store.maintain().unwrap() {}
        let before = files(&place.path(&name));
        let report = import(&store, &source);
        assert!(report.is_unchanged(), "{report:?}");
        assert_eq!(report.runs, 5);
        while store.maintain().unwrap() {}
        assert!(before == files(&place.path(&name)), "files of the store changed");
    }
}

/// Stops at each tick in turn, imports again in another handle, and has what one import would have brought.
#[test]
fn an_import_that_was_stopped_anywhere_goes_on() {
    let place = Place::new();
    let db = place.mlflow_db();
    for source in [data("mlruns"), db] {
        let name = source.file_name().unwrap().to_str().unwrap().to_owned();
        let whole = place.store(&format!("{name} whole"));
        import(&whole, &source);
        let wanted = told(&whole);
        let mut stopped = 0;
        for stop_at in 0.. {
            let store = place.store(&format!("{name} {stop_at}"));
            let mut ticks = 0;
            let mut watch = |_| {
                ticks += 1;
                if ticks > stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            match import_mlflow(&store, &source, &MlflowOptions::default(), &mut watch) {
                Err(Error::Stopped) => stopped += 1,
                done => {
                    assert!(done.unwrap().failures.is_empty());
                    break;
                }
            }
            drop(store);
            let store = place.store(&format!("{name} {stop_at}"));
            import(&store, &source);
            assert_eq!(told(&store), wanted, "stopped after {stop_at} ticks");
            assert!(import(&store, &source).is_unchanged());
        }
        assert!(stopped > 12, "{stopped}");
    }
}

#[test]
fn a_run_that_goes_on_in_the_source_gets_the_rest() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    let id = named(&store, "123");
    let run = folder_of(&root, id);
    append(&run.join("metrics/loss"), "1700000014600 4.25 2\n1700000014700 4.0");
    std::fs::write(run.join("metrics/new"), "1700000014600 1.0 2\n").unwrap();
    std::fs::create_dir_all(run.join("params")).unwrap();
    std::fs::write(run.join("params/late"), "yes").unwrap();
    std::fs::write(run.join("tags/mlflow.runName"), "renamed").unwrap();
    let meta = std::fs::read_to_string(run.join("meta.yaml")).unwrap();
    std::fs::write(run.join("meta.yaml"), meta.replace("run_name: '123'", "run_name: renamed")).unwrap();
    let report = import(&store, &root);
    assert_eq!((report.new_runs, report.changed_runs, report.points), (0, 1, 2));
    let known = store.run(id).unwrap();
    assert_eq!((known.name.as_str(), known.params["late"].as_str()), ("renamed", "yes"));
    assert_eq!((known.status_cause, known.end_time), (StatusCause::Vanished, Some(1_700_000_014_600)));
    assert!(import(&store, &root).is_unchanged());
    // It ends, and the line that was being written is whole.
    append(&run.join("metrics/loss"), " 3\n");
    let meta = std::fs::read_to_string(run.join("meta.yaml")).unwrap();
    let meta = meta.replace("status: 1", "status: 3").replace("end_time: null", "end_time: 1700000015000");
    std::fs::write(run.join("meta.yaml"), meta).unwrap();
    assert_eq!(import(&store, &root).points, 1);
    let known = store.run(id).unwrap();
    assert_eq!((known.status, known.status_cause), (RunStatus::Finished, StatusCause::Reported));
    assert_eq!((known.end_time, known.tags.contains_key(STATUS_TAG)), (Some(1_700_000_015_000), false));
    let steps: Vec<i64> = points(&store, id, "loss").iter().map(|point| point.0).collect();
    assert_eq!(steps, [1, 2, 3]);
    assert!(import(&store, &root).is_unchanged());
}

#[test]
fn what_was_changed_in_the_store_stays() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    let (full, child) = (named(&store, "baseline"), named(&store, "child"));
    store.set_run_name(full, "mine").unwrap();
    store.set_run_tag(full, "stage", "reviewed").unwrap();
    store.delete_run(child).unwrap();
    let writer = store.resume_run(full).unwrap();
    writer.log_metric_at("train/loss", 40, 1_800_000_000_000, 0.125).unwrap();
    writer.end(RunStatus::Failed, Some(1_800_000_000_001)).unwrap();
    let before = told(&store);
    let report = import(&store, &root);
    assert!(report.is_unchanged());
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    assert_eq!(told(&store), before);
    // Both sides went on: the run has the points of both, each once, and its own end.
    append(&folder_of(&root, full).join("metrics/train/loss"), "1700000005000 0.5 40\n1700000005001 0.5 41\n");
    assert_eq!(import(&store, &root).points, 2);
    let found = points(&store, full, "train/loss");
    assert_eq!(found.iter().map(|point| point.0).collect::<Vec<_>>()[39..], [39, 40, 40, 41]);
    let known = store.run(full).unwrap();
    assert_eq!(
        (known.status, known.end_time, known.name.as_str()),
        (RunStatus::Failed, Some(1_800_000_000_001), "mine")
    );
    assert!(import(&store, &root).is_unchanged());
    assert_eq!(store.run(child).unwrap().lifecycle_stage, LifecycleStage::Deleted);
}

#[test]
fn an_artifact_that_changed_is_replaced_and_a_lost_one_comes_back() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    let id = named(&store, "baseline");
    let artifacts = store.artifacts(id).unwrap();
    std::fs::write(folder_of(&root, id).join("artifacts/notes.txt"), "HELLO\n").unwrap();
    std::fs::remove_file(artifacts.local_path("model/empty").unwrap()).unwrap();
    let report = import(&store, &root);
    assert_eq!((report.artifacts, report.artifact_bytes, report.changed_runs), (2, 6, 0));
    assert_eq!(artifacts.read("notes.txt").unwrap(), b"HELLO\n", "of the same size");
    assert!(import(&store, &root).is_unchanged());
}

/// What is wrong with one run is told with its place, and keeps no other from being imported.
#[test]
fn a_bad_run_is_named_and_the_others_come() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    let probe = place.store("probe");
    import(&probe, &root);
    let (full, child, live) = (named(&probe, "baseline"), named(&probe, "child"), named(&probe, "123"));
    append(&folder_of(&root, full).join("metrics/acc"), "no number\n");
    let long = "x".repeat(trackway::limits::MAX_VALUE_BYTES + 1);
    std::fs::write(folder_of(&root, child).join("tags/notes"), long).unwrap();
    std::fs::write(folder_of(&root, live).join("meta.yaml"), "status: [").unwrap();
    let report = import_mlflow(&store, &root, &MlflowOptions::default(), &mut keep_going).unwrap();
    assert_eq!((report.runs, report.new_runs, report.failures.len()), (5, 3, 3));
    let mut errors: Vec<_> = report.failures.iter().map(|failure| failure.error.to_string()).collect();
    errors.sort();
    for (wanted, id) in
        [("acc: line 11 is not", full), ("notes: value in bytes is too large", child), ("not YAML", live)]
    {
        assert!(errors.iter().any(|e| e.contains(wanted) && e.contains(&id.to_string())), "{wanted}: {errors:?}");
    }
    assert!(store.run(child).is_err(), "nothing of a run whose values do not fit");
    // Mended, it comes whole.
    let text = std::fs::read_to_string(folder_of(&root, full).join("metrics/acc")).unwrap();
    std::fs::write(folder_of(&root, full).join("metrics/acc"), text.replace("no number\n", "")).unwrap();
    std::fs::copy(folder_of(&data("mlruns"), live).join("meta.yaml"), folder_of(&root, live).join("meta.yaml"))
        .unwrap();
    std::fs::remove_file(folder_of(&root, child).join("tags/notes")).unwrap();
    import(&store, &root);
    assert_eq!(told(&store), told(&probe));
}

#[test]
fn a_param_with_another_value_is_another_run() {
    let place = Place::new();
    let (root, store) = (place.path("mlruns"), place.store("store"));
    copy_folder(&data("mlruns"), &root);
    import(&store, &root);
    let run = folder_of(&root, named(&store, "baseline"));
    std::fs::write(run.join("params/lr"), "0.2").unwrap();
    append(&run.join("metrics/acc"), "1 1 1\n");
    let before = told(&store);
    let report = import_mlflow(&store, &root, &MlflowOptions::default(), &mut keep_going).unwrap();
    assert!(matches!(&report.failures[0].error, Error::Store(StoreError::ParamConflict { key, .. }) if key == "lr"));
    assert!(report.is_unchanged());
    assert_eq!(told(&store), before);
}

/// A deleted experiment takes no new run: it is deleted when all its runs are there.
#[test]
fn a_deleted_experiment_waits_for_a_run_that_is_mended() {
    let place = Place::new();
    let (root, store, whole) = (place.path("mlruns"), place.store("store"), place.store("whole"));
    copy_folder(&data("mlruns"), &root);
    import(&whole, &root);
    let meta = folder_of(&root.join(".trash"), named(&whole, "in a dropped")).join("meta.yaml");
    let good = std::fs::read_to_string(&meta).unwrap();
    std::fs::write(&meta, good.replace("status: 3", "status: 9")).unwrap();
    let report = import_mlflow(&store, &root, &MlflowOptions::default(), &mut keep_going).unwrap();
    assert_eq!((report.new_runs, report.failures.len()), (4, 1));
    std::fs::write(&meta, good).unwrap();
    import(&store, &root);
    assert_eq!(told(&store), told(&whole));
}

/// Two imports at a time would both add what is missing.
#[test]
fn a_second_import_at_the_same_time_is_refused() {
    let place = Place::new();
    let (store, again) = (place.store("store"), place.store("store"));
    let mut refused = 0;
    let mut watch = |_| {
        let second = import_mlflow(&again, &data("mlruns"), &MlflowOptions::default(), &mut keep_going);
        refused += usize::from(matches!(second, Err(Error::Busy { .. })));
        ControlFlow::Continue(())
    };
    let report = import_mlflow(&store, &data("mlruns"), &MlflowOptions::default(), &mut watch).unwrap();
    assert_eq!((report.new_runs, report.points), (5, 78));
    assert!(refused > 5);
    assert!(import(&again, &data("mlruns")).is_unchanged());
}
