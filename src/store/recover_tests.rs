use crate::env::Env;
use crate::env::sim::{Op, ReadOp, SimDisk};
use crate::options::StoreOptions;
use crate::types::{ExperimentId, NewRun};
use crate::{ErrorKind, Store};
use std::io;
use std::path::{Path, PathBuf};

const DEFAULT: ExperimentId = ExperimentId::DEFAULT;

fn open(env: &Env) -> Store {
    let mut options = StoreOptions::new().background(false);
    options.env = Some(env.clone());
    options.open(Path::new("/store")).unwrap()
}

fn logs(disk: &SimDisk) -> Vec<PathBuf> {
    let is_log = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "log");
    disk.files().into_iter().map(|(path, _)| path).filter(is_log).collect()
}

#[test]
fn folders_above_a_new_store_need_not_be_this_user_s() {
    for (kind, is_made) in [
        (io::ErrorKind::PermissionDenied, true),
        (io::ErrorKind::ReadOnlyFilesystem, true),
        (io::ErrorKind::Other, false),
    ] {
        let disk = SimDisk::new(1);
        // The store's folder, then the one above.
        disk.fail_op(Op::SyncDir, 2, kind);
        let mut options = StoreOptions::new().background(false);
        options.env = Some(disk.process());
        assert_eq!(options.open(Path::new("/store")).is_ok(), is_made, "{kind}");
    }
}

#[test]
fn runs_that_cannot_be_listed_are_not_taken_for_none() {
    let disk = SimDisk::new(1);
    let store = open(&disk.process());
    let run = store.create_run(NewRun::new(DEFAULT)).unwrap();
    let listed = || store.shared.run_folders(DEFAULT);
    assert_eq!(listed().unwrap(), [run.id()]);
    disk.fail_read_op(ReadOp::ReadDir, 1, io::ErrorKind::Other);
    assert_eq!(listed().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(listed().unwrap(), [run.id()]);
    assert_eq!(store.shared.run_folders(ExperimentId::new(99)).unwrap(), [], "nobody has made its folder");
}

#[test]
fn a_log_that_cannot_be_synced_is_told_and_one_that_was_sealed_is_not() {
    let disk = SimDisk::new(1);
    let store = open(&disk.process());
    let _run = store.create_run(NewRun::new(DEFAULT)).unwrap();
    let log = logs(&disk).remove(0);
    store.shared.sync_log(&log).unwrap();
    disk.fail_op(Op::Sync, 1, io::ErrorKind::Other);
    assert_eq!(store.shared.sync_log(&log).unwrap_err().kind(), ErrorKind::Io);
    disk.refuse_open(&log, io::ErrorKind::PermissionDenied);
    assert_eq!(store.shared.sync_log(&log).unwrap_err().kind(), ErrorKind::Io);
    store.shared.sync_log(Path::new("/none.log")).unwrap();
}

/// Two processes log to a run, and one of them is killed: who opens the store next makes its log durable, and leaves the rest
/// to the other.
#[test]
fn what_a_killed_writer_left_beside_a_living_one_is_made_durable() {
    for killed in 0..2 {
        let disk = SimDisk::new(1);
        let processes = [disk.process(), disk.process()];
        let stores = processes.each_ref().map(open);
        let first = stores[0].create_run(NewRun::new(DEFAULT)).unwrap();
        let id = first.id();
        first.sync().unwrap();
        let second = stores[1].resume_run(id).unwrap();
        second.sync().unwrap();
        first.log_metric("a", 1, 0.5).unwrap();
        second.log_metric("b", 1, 0.25).unwrap();
        disk.kill(&processes[killed]);
        let before = logs(&disk);
        drop(open(&disk.process()));
        assert_eq!(logs(&disk), before, "nothing is sealed while somebody writes");
        disk.power_loss();
        disk.clear_plans();
        let store = open(&disk.process());
        let metric = ["a", "b"][killed];
        let found = store.snapshot(id).unwrap().latest(metric).map(|point| point.value);
        assert_eq!(found, Some([0.5, 0.25][killed]));
    }
}

#[test]
fn experiments_that_lost_their_file_get_the_name_that_their_runs_remember() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let store = open(&env);
    let lost = store.create_experiment("a").unwrap();
    store.create_run(NewRun::new(lost)).unwrap().finish().unwrap();
    let other = store.create_experiment("b").unwrap();
    let file = store.shared.paths.experiment_file(lost);
    let names = || [lost, other].map(|id| open(&disk.process()).experiment(id).unwrap().name);
    env.fs.remove_file(&file).unwrap();
    assert_eq!(names(), ["a", "b"]);
    // Another one takes the name while it is free.
    env.fs.remove_file(&file).unwrap();
    store.rename_experiment(other, "a").unwrap();
    assert_eq!(names(), [format!("a ({lost})"), "a".to_owned()]);
}

/// A process dies while it makes a log or a segment; what it leaves is removed when nobody can be making it any more.
#[test]
fn what_was_never_finished_is_removed_when_nobody_writes_to_the_run() {
    let disk = SimDisk::new(1);
    let (writing, sweeping) = (disk.process(), disk.process());
    let store = open(&writing);
    let run = store.create_run(NewRun::new(DEFAULT)).unwrap();
    let id = run.id();
    let folder = logs(&disk).remove(0).parent().unwrap().to_path_buf();
    let left = [folder.join("a.log-new"), folder.join("b.seg-new")];
    left.iter().for_each(|path| disk.set_contents(path, *b"half"));
    let there = || disk.files().iter().filter(|(path, _)| left.contains(path)).count();
    let other = open(&sweeping);
    other.shared.settle(DEFAULT, id).unwrap();
    assert_eq!(there(), 2, "the writer may be making them");
    disk.kill(&writing);
    let lease = other.shared.paths.compaction_lock();
    let compacting = disk.process().fs.try_lock(&lease).unwrap();
    assert!(compacting.is_some());
    other.shared.settle(DEFAULT, id).unwrap();
    assert_eq!(there(), 2, "a compaction may be making them");
    drop(compacting);
    disk.fail_op(Op::Remove, 1, io::ErrorKind::PermissionDenied);
    assert_eq!(other.shared.settle(DEFAULT, id).unwrap_err().kind(), ErrorKind::Io);
    // One that another process has removed is gone.
    disk.fail_op(Op::Remove, 1, io::ErrorKind::NotFound);
    other.shared.settle(DEFAULT, id).unwrap();
    assert_eq!(there(), 1);
    assert!(other.shared.settle(DEFAULT, id).unwrap());
    assert_eq!(there(), 0);
    drop((run, store));
}
