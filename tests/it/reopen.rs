//! Closing, losing the catalog, copying run folders, and writers that vanish.

use crate::support::{Scene, copy_dir, files, finished_run, new_run, points};
use trackway::{ErrorKind, ExperimentId, NewRun, Point, RunFilter, RunStatus, StatusCause, Store, StoreOptions};

#[test]
fn a_lost_or_damaged_catalog_is_rebuilt_from_the_runs() {
    let scene = Scene::new();
    let (first, second) = {
        let store = scene.open();
        (finished_run(&store, "first"), finished_run(&store, "second"))
    };
    let before = scene.open_read_only().runs(&RunFilter::default()).unwrap();
    assert_eq!(before.len(), 2);
    let catalog = scene.path().join("catalog/catalog.tw");
    let good = std::fs::read(&catalog).unwrap();
    for damage in 0..3 {
        match damage {
            0 => std::fs::remove_file(&catalog).unwrap(),
            1 => std::fs::write(&catalog, vec![0; good.len()]).unwrap(),
            _ => std::fs::write(&catalog, &good[..good.len() - 3]).unwrap(),
        }
        assert_eq!(scene.open_read_only().runs(&RunFilter::default()).unwrap(), before, "read-only, damage {damage}");
        let store = scene.open();
        assert_eq!(store.runs(&RunFilter::default()).unwrap(), before, "damage {damage}");
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
        assert!(store.run(first).is_ok() && store.run(second).is_ok());
    }
}

/// Found by a review: every opening for writing failed, since a file cannot take the name of a folder.
#[test]
fn what_is_no_file_in_the_place_of_the_catalog_is_set_aside() {
    let scene = Scene::new();
    {
        let store = scene.open();
        finished_run(&store, "first");
    }
    let before = scene.open_read_only().runs(&RunFilter::default()).unwrap();
    let catalog = scene.path().join("catalog/catalog.tw");
    for kind in 0..3 {
        std::fs::remove_file(&catalog).unwrap();
        match kind {
            0 => {
                std::fs::create_dir(&catalog).unwrap();
                std::fs::write(catalog.join("thesis.txt"), b"keep").unwrap();
            }
            1 => std::os::unix::fs::symlink("/no/such/file", &catalog).unwrap(),
            _ => assert!(std::process::Command::new("mkfifo").arg(&catalog).status().unwrap().success()),
        }
        assert_eq!(scene.open_read_only().runs(&RunFilter::default()).unwrap(), before, "read-only, {kind}");
        let store = scene.open();
        assert_eq!(store.runs(&RunFilter::default()).unwrap(), before, "{kind}");
        let is_noted = |path| store.incidents().iter().any(|incident| incident.path == path);
        assert!(is_noted(catalog.clone()), "{kind}: {:?}", store.incidents());
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
        assert!(std::fs::symlink_metadata(&catalog).unwrap().is_file());
        assert_eq!(std::fs::read_dir(scene.path().join("quarantine")).unwrap().count(), kind + 1);
    }
    assert_eq!(files(&scene.path().join("quarantine"), "thesis.txt").len(), 1);
    assert_eq!(scene.open().incidents(), []);
}

#[test]
fn listing_settled_runs_opens_no_file_of_theirs() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        finished_run(&store, "quiet")
    };
    for segment in files(&scene.path(), ".seg") {
        std::fs::write(segment, b"unreadable").unwrap();
    }
    let runs = scene.open_read_only().runs(&RunFilter::default()).unwrap();
    assert_eq!((runs.len(), runs[0].id), (1, id));
    assert_eq!(runs[0].metrics["loss"].count, 200);
}

#[test]
fn run_folders_copied_into_another_store_are_those_runs() {
    let (one, two) = (Scene::new(), Scene::new());
    let (id, experiment) = {
        let store = one.open();
        let experiment = store.create_experiment("portable").unwrap();
        let run = store.create_run(NewRun::new(experiment).name("traveller").param("lr", "1")).unwrap();
        run.log_metric_at("loss", 1, 2, 3.0).unwrap();
        run.artifacts().put_bytes("model/weights.bin", b"weights").unwrap();
        run.finish().unwrap();
        (run.id(), experiment)
    };
    drop(two.open());
    let from = one.path().join(format!("experiments/{experiment}/runs/{id}"));
    copy_dir(&from, &two.path().join(format!("experiments/{experiment}/runs/{id}")));
    let store = two.open();
    let run = store.run(id).unwrap();
    assert_eq!((run.name.as_str(), run.params["lr"].as_str()), ("traveller", "1"));
    assert_eq!(points(&store.snapshot(id).unwrap(), "loss"), [Point::new(1, 2, 3.0)]);
    assert_eq!(store.artifacts(id).unwrap().read("model/weights.bin").unwrap(), b"weights");
    assert_eq!(store.experiment(experiment).unwrap().name, "portable", "named by what the run remembers");
}

#[test]
fn a_run_folder_that_was_removed_is_gone() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        finished_run(&store, "removed by hand")
    };
    std::fs::remove_dir_all(scene.path().join(format!("experiments/0/runs/{id}"))).unwrap();
    let store = scene.open();
    assert!(store.runs(&RunFilter::default()).unwrap().is_empty());
    assert_eq!(store.snapshot(id).unwrap_err().kind(), ErrorKind::NotFound);
}

/// A copy of the files of a live store is what a kill leaves behind: nothing is held in the process.
#[test]
fn what_a_vanished_writer_logged_is_completed_by_the_next_open() {
    let (scene, crashed) = (Scene::new(), Scene::new());
    let store = scene.open_quiet();
    let run = new_run(&store);
    for step in 0..5_000 {
        run.log_metrics_at(step, 1_700_000_000_000 + step, &[("loss", step as f64), ("acc", -step as f64)]).unwrap();
    }
    run.set_tag("alive", "yes").unwrap();
    copy_dir(&scene.path(), &crashed.path());

    let reader = crashed.open_read_only();
    let seen = reader.run(run.id()).unwrap();
    assert_eq!((seen.status, seen.status_cause), (RunStatus::Killed, StatusCause::Vanished), "seen before recovery");
    assert_eq!(points(&reader.snapshot(run.id()).unwrap(), "loss").len(), 5_000);
    assert_eq!(files(&crashed.path(), ".log").len(), 1, "a reader changes nothing");

    let recovered = crashed.open();
    let read = recovered.run(run.id()).unwrap();
    assert_eq!((read.status, read.status_cause, read.tags.len()), (RunStatus::Killed, StatusCause::Vanished, 1));
    assert_eq!(read.end_time, seen.end_time);
    let acc = points(&recovered.snapshot(run.id()).unwrap(), "acc");
    assert_eq!(acc.len(), 5_000);
    assert_eq!(acc[4_999], Point::new(4_999, 1_700_000_004_999, -4_999.0));
    assert_eq!((files(&crashed.path(), ".log").len(), files(&crashed.path(), ".seg").len()), (0, 1));
    assert!(recovered.incidents().iter().any(|incident| incident.what.contains("vanished")));
    let again = recovered.resume_run(run.id()).unwrap();
    again.log_metric("loss", 5_000, 0.0).unwrap();
    again.finish().unwrap();
    assert_eq!(recovered.run(run.id()).unwrap().status, RunStatus::Finished);
    assert_eq!(points(&recovered.snapshot(run.id()).unwrap(), "loss").len(), 5_001);
}

#[test]
fn a_store_is_open_in_several_handles_that_see_each_other() {
    let scene = Scene::new();
    let (one, two) = (scene.open(), scene.open());
    let reader = scene.open_read_only();
    let run = new_run(&one);
    assert_eq!(two.run(run.id()).unwrap().status, RunStatus::Running);
    let rank = two.resume_run(run.id()).unwrap();
    for step in 0..100 {
        run.log_metric_at("loss", step, 0, 0.0).unwrap();
        rank.log_metric_at("loss", step, 0, 1.0).unwrap();
    }
    assert_eq!(reader.snapshot(run.id()).unwrap().stats("loss").unwrap().count, 200);
    run.finish().unwrap();
    rank.finish().unwrap();
    drop((one, two));
    let read = reader.snapshot(run.id()).unwrap();
    assert_eq!(points(&read, "loss").iter().filter(|point| point.value == 1.0).count(), 100);
    assert_eq!(reader.run(run.id()).unwrap().status, RunStatus::Finished);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let scene = Scene::new();
    std::fs::write(scene.path(), b"a file").unwrap();
    assert_eq!(Store::open(scene.path()).unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(Store::open(scene.path().join("below")).is_err());
    let folder = scene.beside("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("thesis.txt"), b"do not touch").unwrap();
    let error = Store::open(&folder).unwrap_err();
    assert!(error.to_string().contains("folder"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let missing = scene.beside("missing");
    for options in [StoreOptions::new().read_only(true), StoreOptions::new().create(false)] {
        assert_eq!(options.open(&missing).unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(!missing.exists());
}

#[test]
fn a_read_only_store_refuses_every_change() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        finished_run(&store, "fixed")
    };
    let store = scene.open_read_only();
    let kinds = [
        store.create_experiment("x").unwrap_err().kind(),
        store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap_err().kind(),
        store.resume_run(id).unwrap_err().kind(),
        store.set_run_name(id, "x").unwrap_err().kind(),
        store.delete_run(id).unwrap_err().kind(),
        store.artifacts(id).unwrap().put_bytes("x", b"").unwrap_err().kind(),
        store.compact(&mut |_| {}).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::ReadOnly; 7]);
    assert!(!store.maintain().unwrap());
}

/// The background thread could look at a run between its end and the release of its log, and forget it.
#[test]
fn closing_right_after_the_end_leaves_no_log() {
    for _ in 0..40 {
        let scene = Scene::new();
        {
            let store = scene.open();
            finished_run(&store, "short");
        }
        assert_eq!((files(&scene.path(), ".log").len(), files(&scene.path(), ".seg").len()), (0, 1));
    }
}

/// A run's folder that was moved to another experiment is a run of that one, also to who only reads.
#[test]
fn a_folder_that_was_moved_is_a_run_of_the_other_experiment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let store = Store::open(&path).unwrap();
    let (one, other) = (store.create_experiment("one").unwrap(), store.create_experiment("other").unwrap());
    let run = store.create_run(NewRun::new(one)).unwrap();
    run.log_metric("loss", 1, 0.5).unwrap();
    run.finish().unwrap();
    let id = run.id();
    drop(run);
    store.compact(&mut |_| {}).unwrap();
    store.close().unwrap();
    let runs = |experiment| path.join(format!("experiments/{experiment}/runs"));
    std::fs::create_dir_all(runs(other)).unwrap();
    std::fs::rename(runs(one).join(id.to_string()), runs(other).join(id.to_string())).unwrap();
    for read_only in [true, false] {
        let store = StoreOptions::new().read_only(read_only).open(&path).unwrap();
        assert_eq!(store.run(id).unwrap().experiment_id, other, "read only: {read_only}");
        let of = |experiment| {
            store.runs(&RunFilter { experiment_id: Some(experiment), ..RunFilter::default() }).unwrap().len()
        };
        assert_eq!((of(one), of(other)), (0, 1));
        assert_eq!(store.snapshot(id).unwrap().latest("loss").unwrap().value, 0.5);
    }
}
