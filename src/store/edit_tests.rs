#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::env::Env;
use crate::env::sim::{Loss, SimDisk};
use crate::options::StoreOptions;
use crate::store::removal::drop_deleted;
use crate::types::{ExperimentId, NewRun, RunId};
use crate::{ErrorKind, Store};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn open(env: &Env) -> Store {
    let mut options = StoreOptions::new().background(false).deleted_retention(Duration::ZERO);
    options.env = Some(env.clone());
    options.open(Path::new("/store")).unwrap()
}

fn segments(disk: &SimDisk) -> BTreeSet<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "seg");
    disk.files().into_iter().map(|(path, _)| path).filter(is_segment).collect()
}

/// A run that was changed by `change` after everything else, and the segment that says so last.
fn changed(disk: &SimDisk, change: impl Fn(&Store, RunId)) -> (RunId, PathBuf) {
    let store = open(&disk.process());
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).tag("draft", "yes")).unwrap();
    run.finish().unwrap();
    let id = run.id();
    drop(run);
    store.delete_run(id).unwrap();
    let before = segments(disk);
    change(&store, id);
    // Their names begin with the time.
    let last = segments(disk).difference(&before).last().unwrap().clone();
    (id, last)
}

#[test]
fn what_cannot_be_read_now_is_no_ground_for_a_change() {
    let disk = SimDisk::new(7);
    let (id, last) = changed(&disk, |store, id| store.restore_run(id).unwrap());
    disk.refuse_open(&last, io::ErrorKind::PermissionDenied);
    let store = open(&disk.process());
    // It looks deleted, and is not.
    assert_eq!(store.resume_run(id).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(store.delete_run_tag(id, "draft").unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(store.delete_run(id).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_run_is_not_removed_while_its_restoration_cannot_be_read() {
    let disk = SimDisk::new(8);
    let (id, last) = changed(&disk, |store, id| store.restore_run(id).unwrap());
    let good = disk.contents(&last);
    disk.set_contents(&last, vec![0; good.len()]);
    let store = open(&disk.process());
    // A compaction that has seen the catalog before the run was restored.
    assert_eq!(drop_deleted(&store.shared, ExperimentId::DEFAULT, &[id]).unwrap(), 0);
    drop(store);
    disk.set_contents(&last, good);
    let store = open(&disk.process());
    assert_eq!(store.run(id).unwrap().deleted_at, None);
}

#[test]
fn restoring_a_run_counts_whatever_a_damaged_file_says() {
    let disk = SimDisk::new(9);
    let (id, last) = changed(&disk, |store, id| {
        store.restore_run(id).unwrap();
        store.delete_run(id).unwrap();
    });
    let good = disk.contents(&last);
    disk.set_contents(&last, vec![0; good.len()]);
    let store = open(&disk.process());
    store.restore_run(id).unwrap();
    drop(store);
    disk.set_contents(&last, good);
    assert_eq!(open(&disk.process()).run(id).unwrap().deleted_at, None);
}

/// A process is killed in each call of a deletion; who deletes the run again is told that it is deleted, for good.
#[test]
fn a_deletion_that_was_there_already_is_durable_too() {
    for n in 1.. {
        let disk = SimDisk::new(10 + n);
        let env = disk.process();
        let store = open(&env);
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        run.finish().unwrap();
        let id = run.id();
        drop(run);
        store.close().unwrap();
        let env = disk.process();
        let store = open(&env);
        disk.crash_at(n, crate::env::sim::Crash::After);
        let struck = store.delete_run(id).is_err();
        disk.clear_plans();
        drop(store);
        let store = open(&disk.process());
        store.delete_run(id).unwrap();
        disk.power_loss_with(Loss::AllLost);
        drop(store);
        assert!(open(&disk.process()).run(id).unwrap().deleted_at.is_some(), "killed after call {n}");
        if !struck {
            break;
        }
    }
}

/// A run that is over is changed again and again: its changes are merged before they are many, and none is lost.
#[test]
fn changes_of_a_run_are_merged_before_they_are_many() {
    let disk = SimDisk::new(30);
    let store = open(&disk.process());
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    run.log_metric("loss", 1, 0.5).unwrap();
    let id = run.id();
    run.finish().unwrap();
    drop(run);
    while store.maintain().unwrap() {}
    let before = segments(&disk).len();
    let counts: Vec<usize> = (0..20)
        .map(|number| {
            store.set_run_tag(id, &format!("tag {number}"), "x").unwrap();
            segments(&disk).len() - before
        })
        .collect();
    let expected: Vec<usize> = (1..=8).chain(1..=8).chain(1..=4).collect();
    assert_eq!(counts, expected);
    drop(store);
    disk.power_loss_with(Loss::AllLost);
    let run = open(&disk.process()).run(id).unwrap();
    assert!((0..20).all(|number| run.tags.get(&format!("tag {number}")).is_some()), "{:?}", run.tags);
    assert_eq!(run.metrics.len(), 1);
}
