//! A program that writes on behalf of others: it leaves runs that go on, adds to runs that are over, and says what became
//! of them.

use crate::support::{Scene, finished_run, new_run, points};
use trackway::{ErrorKind, RunFilter, RunId, RunStatus, StatusCause, Store};

fn state(store: &Store, run: RunId) -> (RunStatus, StatusCause, bool) {
    let read = store.run(run).unwrap();
    let listed = store.runs(&RunFilter::default()).unwrap();
    assert_eq!(listed.iter().find(|listed| listed.id == run), Some(&read));
    (read.status, read.status_cause, read.end_time.is_some())
}

#[test]
fn a_run_that_is_left_goes_on_without_a_writer() {
    let scene = Scene::new();
    let store = scene.open();
    let writer = new_run(&store);
    let run = writer.id();
    writer.log_metric("loss", 0, 0.5).unwrap();
    writer.leave().unwrap();
    assert_eq!(writer.log_metric("loss", 1, 0.5).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(writer.leave().unwrap_err().kind(), ErrorKind::Conflict);
    drop(writer);
    let running = (RunStatus::Running, StatusCause::Reported, false);
    assert_eq!(state(&store, run), running);
    store.close().unwrap();
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    for _ in 0..2 {
        assert_eq!(state(&scene.open_read_only(), run), running);
        let store = scene.open();
        assert_eq!(state(&store, run), running);
        assert_eq!(store.incidents().iter().filter(|incident| incident.what.contains("vanished")).count(), 0);
        store.compact(&mut |_| {}).unwrap();
        assert_eq!(state(&store, run), running);
    }
    let store = scene.open();
    let writer = store.append_run(run).unwrap();
    writer.log_metric("loss", 1, 0.25).unwrap();
    writer.finish().unwrap();
    assert_eq!(state(&store, run), (RunStatus::Finished, StatusCause::Reported, true));
    assert_eq!(points(&store.snapshot(run).unwrap(), "loss").len(), 2);
}

#[test]
fn what_is_added_to_a_run_that_is_over_does_not_begin_it_again() {
    let scene = Scene::new();
    let store = scene.open();
    let run = finished_run(&store, "first");
    let before = store.run(run).unwrap();
    for (key, leave) in [("left", true), ("dropped", false)] {
        let writer = store.append_run(run).unwrap();
        writer.log_metric(key, 0, 0.5).unwrap();
        assert_eq!(
            state(&store, run),
            (RunStatus::Finished, StatusCause::Reported, true),
            "{key}, while it is written"
        );
        if leave {
            writer.leave().unwrap();
        }
        drop(writer);
        assert_eq!(state(&store, run), (RunStatus::Finished, StatusCause::Reported, true), "{key}");
    }
    store.close().unwrap();
    let after = scene.open().run(run).unwrap();
    assert_eq!((after.end_time, after.metrics.len()), (before.end_time, before.metrics.len() + 2));
}

#[test]
fn a_run_whose_writer_was_lost_runs_again_when_it_is_added_to() {
    let scene = Scene::new();
    let store = scene.open();
    let dropped = new_run(&store).id();
    assert_eq!(state(&store, dropped), (RunStatus::Killed, StatusCause::Dropped, true));
    let writer = store.append_run(dropped).unwrap();
    assert_eq!(state(&store, dropped), (RunStatus::Running, StatusCause::Reported, false));
    // Nobody says any more how it went on.
    drop(writer);
    assert_eq!(state(&store, dropped), (RunStatus::Killed, StatusCause::Dropped, true));
}

#[test]
fn the_latest_word_on_how_a_run_is_counts_whoever_says_it() {
    let scene = Scene::new();
    let store = scene.open();
    let run = finished_run(&store, "first");
    for status in RunStatus::ALL {
        store.set_run_status(run, status, Some(1_800_000_000_000)).unwrap();
        assert_eq!(state(&store, run), (status, StatusCause::Reported, status.is_ended()));
        assert_eq!(state(&scene.open_read_only(), run).0, status);
        if status.is_ended() {
            assert_eq!(store.run(run).unwrap().end_time, Some(1_800_000_000_000));
        }
    }
    let writer = store.resume_run(run).unwrap();
    store.set_run_status(run, RunStatus::Failed, None).unwrap();
    assert_eq!(state(&store, run).0, RunStatus::Failed, "over a live writer");
    drop(writer);
    assert_eq!(state(&store, run), (RunStatus::Failed, StatusCause::Reported, true));
    store.delete_run(run).unwrap();
    let refused = store.set_run_status(run, RunStatus::Running, None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(store.append_run(run).unwrap_err().kind(), ErrorKind::Conflict);
}
