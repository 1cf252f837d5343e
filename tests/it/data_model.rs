//! Experiments, runs, params, tags: the rules that a tracker relies on.

use crate::support::{Scene, finished_run, new_run};
use trackway::{
    Error, ErrorKind, ExperimentId, LifecycleStage, NewRun, RunFilter, RunId, RunStatus, StatusCause, StoreOptions,
    View,
};

#[test]
fn experiments_have_unique_names_tags_and_a_second_life() {
    let scene = Scene::new();
    let store = scene.open();
    assert_eq!(store.experiment(ExperimentId::DEFAULT).unwrap().name, "Default");
    let id = store.create_experiment("digits").unwrap();
    assert!(matches!(store.create_experiment("digits"), Err(Error::AlreadyExists { .. })));
    assert_eq!(store.experiment_or_create("digits").unwrap(), id);
    store.set_experiment_tag(id, "team", "vision").unwrap();
    store.rename_experiment(id, "numbers").unwrap();
    assert!(matches!(store.rename_experiment(id, "Default"), Err(Error::AlreadyExists { .. })));
    store.delete_experiment(id).unwrap();
    assert!(matches!(store.create_run(NewRun::new(id)), Err(Error::InvalidState { .. })));
    assert!(matches!(store.create_experiment("numbers"), Err(Error::AlreadyExists { .. })), "deleted ones keep names");
    assert!(matches!(store.delete_experiment(id), Err(Error::InvalidState { .. })));
    store.restore_experiment(id).unwrap();
    let read = scene.open_read_only().experiment_by_name("numbers").unwrap();
    assert_eq!((read.id, read.lifecycle_stage), (id, LifecycleStage::Active));
    assert_eq!(read.tags.get("team").map(String::as_str), Some("vision"));
    store.delete_experiment_tag(id, "team").unwrap();
    assert_eq!(store.delete_experiment_tag(id, "team").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.experiment(ExperimentId::new(77)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn params_are_written_once_also_across_writers_and_processes() {
    let scene = Scene::new();
    let (store, other) = (scene.open(), scene.open());
    let run = new_run(&store);
    run.log_param("lr", "0.1").unwrap();
    run.log_param("lr", "0.1").unwrap();
    let error = run.log_param("lr", "0.2").unwrap_err();
    assert!(
        matches!(&error, Error::ParamConflict { stored, given, .. } if stored == "0.1" && given == "0.2"),
        "{error}"
    );
    let second = other.resume_run(run.id()).unwrap();
    assert_eq!(second.log_param("lr", "0.3").unwrap_err().kind(), ErrorKind::Conflict);
    second.log_param("bs", "32").unwrap();
    assert_eq!(run.log_param("bs", "64").unwrap_err().kind(), ErrorKind::Conflict);
    let error = run.log_params(&[("fresh", "1"), ("lr", "9")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(run.log_params(&[("twice", "1"), ("twice", "2")]).is_err());
    let params = store.run(run.id()).unwrap().params;
    assert_eq!(params.keys().map(|key| &**key).collect::<Vec<_>>(), ["bs", "lr"], "a refused call changes nothing");
}

#[test]
fn a_run_is_named_tagged_deleted_restored_and_resumed_at_any_time() {
    let scene = Scene::new();
    let store = scene.open();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).name("first").user("ada").tag("a", "1")).unwrap();
    run.set_name("second").unwrap();
    store.set_run_name(run.id(), "third").unwrap();
    assert_eq!(store.run(run.id()).unwrap().name, "third", "from outside, while it runs");
    run.set_tag("a", "2").unwrap();
    run.delete_tag("a").unwrap();
    run.finish().unwrap();
    assert!(matches!(run.set_tag("b", "1"), Err(Error::InvalidState { .. })));
    assert!(matches!(run.finish(), Err(Error::InvalidState { .. })));
    store.set_run_tag(run.id(), "after", "yes").unwrap();
    let read = store.run(run.id()).unwrap();
    assert_eq!((read.status, read.status_cause), (RunStatus::Finished, StatusCause::Reported));
    assert_eq!((read.user.as_str(), read.name.as_str(), read.tags.len()), ("ada", "third", 1));
    assert!(read.end_time.unwrap() >= read.start_time);
    assert_eq!(store.delete_run_tag(run.id(), "nope").unwrap_err().kind(), ErrorKind::NotFound);

    store.delete_run(run.id()).unwrap();
    assert!(matches!(store.resume_run(run.id()), Err(Error::InvalidState { .. })));
    assert!(matches!(store.set_run_name(run.id(), "x"), Err(Error::InvalidState { .. })));
    assert!(store.runs(&RunFilter::default()).unwrap().is_empty());
    assert_eq!(store.runs(&RunFilter { view: View::Deleted, ..RunFilter::default() }).unwrap().len(), 1);
    store.restore_run(run.id()).unwrap();

    let again = store.resume_run(run.id()).unwrap();
    assert_eq!(store.run(run.id()).unwrap().status, RunStatus::Running);
    again.log_metric("late", 1, 2.0).unwrap();
    again.end(RunStatus::Failed, Some(42)).unwrap();
    let read = store.run(run.id()).unwrap();
    assert_eq!((read.status, read.end_time), (RunStatus::Failed, Some(42)));
    assert!(read.metrics.contains_key("late"));
    assert!(matches!(again.end(RunStatus::Running, None), Err(Error::InvalidArgument { .. })));
}

#[test]
fn a_dropped_writer_says_so() {
    let scene = Scene::new();
    let store = scene.open();
    let id = new_run(&store).id();
    let read = store.run(id).unwrap();
    assert_eq!((read.status, read.status_cause), (RunStatus::Killed, StatusCause::Dropped));
}

#[test]
fn a_deleted_run_is_removed_by_compaction_after_its_retention_only() {
    let scene = Scene::new();
    let kept = {
        let store = scene.open();
        let id = finished_run(&store, "doomed");
        store.delete_run(id).unwrap();
        store.compact(&mut |_| {}).unwrap();
        assert!(store.run(id).is_ok(), "thirty days have not passed");
        id
    };
    let store = StoreOptions::new().deleted_retention(std::time::Duration::ZERO).open(scene.path()).unwrap();
    assert_eq!(store.compact(&mut |_| {}).unwrap().removed_runs, 1);
    assert_eq!(store.run(kept).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.restore_run(kept).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(crate::support::files(&scene.path(), ".seg").is_empty());
}

#[test]
fn names_and_values_that_break_a_rule_are_refused_and_change_nothing() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    let long = "k".repeat(251);
    for key in ["", "a\0b", "line\nbreak", &long] {
        assert_eq!(run.log_metric(key, 0, 1.0).unwrap_err().kind(), ErrorKind::InvalidInput, "{key:?}");
        assert_eq!(run.log_metrics(0, &[("fine", 1.0), (key, 1.0)]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(run.log_param(key, "v").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(run.set_tag(key, "v").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(store.create_experiment(&key.repeat(2)).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(run.log_param("k", &"v".repeat((1 << 20) + 1)).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(run.log_metrics(0, &[("twice", 1.0), ("twice", 2.0)]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(run.log_metrics(0, &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
    let metric = run.metric("columns").unwrap();
    assert_eq!(metric.log_columns(&[1], &[1, 2], &[1.0]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(run.row(&["a", "b"]).unwrap().log(0, &[1.0]).unwrap_err().kind(), ErrorKind::InvalidInput);
    let read = store.run(run.id()).unwrap();
    assert!(read.metrics.is_empty() && read.params.is_empty() && read.tags.is_empty(), "{read:?}");
    run.set_tag("note", &"v".repeat(1 << 20)).unwrap();
    assert_eq!(store.run(run.id()).unwrap().tags["note"].len(), 1 << 20);
}

#[test]
fn ids_given_from_outside_are_kept_and_taken_once() {
    let scene = Scene::new();
    let store = scene.open();
    let id: RunId = "00112233445566778899aabbccddeeff".parse().unwrap();
    let parent = new_run(&store);
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).id(id).parent(parent.id()).start_time(5)).unwrap();
    assert!(matches!(store.create_run(NewRun::new(ExperimentId::DEFAULT).id(id)), Err(Error::AlreadyExists { .. })));
    let read = store.run(run.id()).unwrap();
    assert_eq!((read.parent, read.start_time), (Some(parent.id()), 5));
}
