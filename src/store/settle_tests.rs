#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::env::Env;
use crate::env::sim::{Crash, Loss, Op, ReadOp, SimDisk};
use crate::format::log::FRAMES_AT;
use crate::options::StoreOptions;
use crate::types::{ExperimentId, NewRun, RunId, RunStatus};
use crate::{ErrorKind, Store};
use std::io;
use std::path::{Path, PathBuf};

const DEFAULT: ExperimentId = ExperimentId::DEFAULT;

fn open(env: &Env) -> Store {
    let mut options = StoreOptions::new().background(false);
    options.env = Some(env.clone());
    options.open(Path::new("/store")).unwrap()
}

fn paths(disk: &SimDisk, ending: &str) -> Vec<PathBuf> {
    let has_it = |path: &PathBuf| path.extension().is_some_and(|found| found == ending);
    disk.files().into_iter().map(|(path, _)| path).filter(has_it).collect()
}

/// A run of a writer that was killed; ten points, which are on the medium when they were `synced`.
fn vanished(disk: &SimDisk, synced: bool) -> RunId {
    let env = disk.process();
    let store = open(&env);
    let run = store.create_run(NewRun::new(DEFAULT)).unwrap();
    (0..10).for_each(|step| run.log_metric("loss", step, 0.5).unwrap());
    if synced {
        run.sync().unwrap();
    }
    disk.kill(&env);
    run.id()
}

fn said(store: &Store) -> String {
    store.incidents().iter().map(|incident| format!("{}: {}\n", incident.path.display(), incident.what)).collect()
}

#[test]
fn of_a_log_that_says_nothing_the_bytes_are_kept_if_there_are_any() {
    for has_bytes in [false, true] {
        let disk = SimDisk::new(1);
        let store = open(&disk.process());
        let id = vanished(&disk, true);
        let log = paths(&disk, "log").remove(0);
        let mut bytes = vec![0; 2 * FRAMES_AT as usize];
        if has_bytes {
            bytes[FRAMES_AT as usize] = 1;
        }
        disk.set_contents(&log, bytes.as_slice());
        // Who copies it first removes what an earlier try may have left.
        disk.fail_op(Op::Remove, if has_bytes { 2 } else { 1 }, io::ErrorKind::PermissionDenied);
        assert_eq!(store.shared.settle(DEFAULT, id).unwrap_err().kind(), ErrorKind::Io);
        assert!(disk.files().iter().any(|(path, _)| *path == log));
        assert!(store.shared.settle(DEFAULT, id).unwrap());
        assert_eq!(store.run(id).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(disk.files().iter().all(|(path, _)| !path.starts_with(log.parent().unwrap())), "its folder is gone");
        let kept: Vec<Vec<u8>> = paths(&disk, "log").iter().map(|path| disk.contents(path)).collect();
        assert_eq!(kept, if has_bytes { vec![bytes] } else { vec![] });
        let expected =
            if has_bytes { "the whole log was copied to /store/quarantine/" } else { "nothing in it but zeros" };
        assert!(said(&store).contains(expected), "{}", said(&store));
    }
}

#[test]
fn a_folder_with_something_of_somebody_else_is_left_alone() {
    for (name, is_folder) in [("notes.txt", false), ("a.log-new", true)] {
        let disk = SimDisk::new(1);
        let env = disk.process();
        let store = open(&env);
        let id = vanished(&disk, true);
        let log = paths(&disk, "log").remove(0);
        disk.set_contents(&log, vec![0; 2 * FRAMES_AT as usize]);
        let other = log.with_file_name(name);
        match is_folder {
            true => env.fs.create_dir_all(&other).unwrap(),
            false => disk.set_contents(&other, *b"mine"),
        }
        assert!(!store.shared.settle(DEFAULT, id).unwrap(), "{name}");
        assert!(env.fs.metadata(&other).is_ok() && env.fs.metadata(&log).is_ok(), "{name}");
        assert!(said(&store).contains(&format!("{name:?}: it was left alone")), "{}", said(&store));
    }
}

#[test]
fn a_log_that_cannot_be_removed_goes_the_next_time() {
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound] {
        let disk = SimDisk::new(1);
        let store = open(&disk.process());
        let id = vanished(&disk, true);
        disk.fail_op(Op::Remove, 1, kind);
        let settled = store.shared.settle(DEFAULT, id);
        // One that is gone was removed by somebody else.
        assert_eq!(settled.is_ok(), kind == io::ErrorKind::NotFound, "{settled:?}");
        assert_eq!(paths(&disk, "log").len(), 1, "{kind}");
        assert!(store.shared.settle(DEFAULT, id).unwrap());
        assert_eq!(paths(&disk, "log"), [] as [PathBuf; 0], "{kind}");
        assert_eq!(store.snapshot(id).unwrap().stats("loss").unwrap().count, 10);
    }
}

/// Who seals what a killed writer left is killed in each of its calls; who comes next finishes it, and then the power goes.
/// What was recovered is there, whether or not its writer had synced it.
#[test]
fn what_was_recovered_is_durable_wherever_an_earlier_recovery_was_killed() {
    for (crash, synced) in [Crash::Before, Crash::After].into_iter().flat_map(|crash| [(crash, false), (crash, true)]) {
        for n in 1.. {
            let disk = SimDisk::new(n);
            drop(open(&disk.process()));
            let id = vanished(&disk, synced);
            let killed = disk.process();
            disk.crash_at(n, crash);
            let mut options = StoreOptions::new().background(false);
            options.env = Some(killed.clone());
            drop(options.open(Path::new("/store")));
            let struck = !disk.lives(&killed);
            disk.clear_plans();
            drop(open(&disk.process()));
            for (seed, loss) in (0..6).map(|seed| (seed, if seed == 0 { Loss::AllLost } else { Loss::Mixed })) {
                let machine = disk.fork(seed);
                machine.power_loss_with(loss);
                machine.clear_plans();
                let found = open(&machine.process()).snapshot(id).unwrap();
                assert_eq!(found.stats("loss").unwrap().count, 10, "{crash:?} {synced} {n} {seed}");
            }
            if !struck {
                assert!(n > 10, "it makes calls that can be struck: {n}");
                break;
            }
        }
    }
}

/// What another process has removed is removed; what cannot be removed is told.
#[test]
fn files_and_folders_that_cannot_be_removed_are_told() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let store = open(&env);
    let (dir, file) = (Path::new("/store/dir"), Path::new("/store/dir/a.seg"));
    env.fs.create_dir_all(dir).unwrap();
    let remove = || store.shared.remove_files(std::iter::once(file)).map_err(|error| error.kind());
    let drop_folder = || store.shared.drop_empty_folder(dir).map_err(|error| error.kind());
    assert_eq!(remove(), Ok(()), "it is not there");
    disk.set_contents(file, *b"x");
    assert_eq!(drop_folder(), Ok(false), "there is a file in it");
    disk.fail_op(Op::Remove, 1, io::ErrorKind::PermissionDenied);
    assert_eq!(remove(), Err(ErrorKind::Io));
    assert_eq!(remove(), Ok(()));
    assert!(env.fs.metadata(file).is_err());
    disk.fail_op(Op::Remove, 1, io::ErrorKind::PermissionDenied);
    assert_eq!(drop_folder(), Err(ErrorKind::Io));
    assert_eq!((drop_folder(), drop_folder()), (Ok(true), Ok(true)), "the second time it is not there");
}

#[test]
fn a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
    for n in 1.. {
        let disk = SimDisk::new(n);
        let store = open(&disk.process());
        let id = vanished(&disk, true);
        let log = paths(&disk, "log").remove(0);
        disk.set_contents(&log, vec![0; 2 * FRAMES_AT as usize]);
        disk.set_contents(log.with_file_name("notes.txt"), *b"mine");
        disk.fail_read_op(ReadOp::ReadDir, n, io::ErrorKind::PermissionDenied);
        let settled = store.shared.settle(DEFAULT, id);
        assert_eq!(disk.contents(log.with_file_name("notes.txt")), b"mine", "{n}");
        if settled.is_ok() {
            assert!(n > 1, "it lists the folder");
            break;
        }
    }
}

/// The latest that is known of a run whose writer vanished is when it ended; a clock that was ahead says nothing.
#[test]
fn a_run_that_vanished_ended_with_its_last_point_that_is_not_in_the_future() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let store = open(&env);
    let run = store.create_run(NewRun::new(DEFAULT)).unwrap();
    let start = store.run(run.id()).unwrap().start_time;
    disk.advance(60_000_000);
    run.log_metric_at("loss", 1, start + 40_000, 0.5).unwrap();
    run.log_metric_at("ahead", 1, start + 1_000_000_000, 0.5).unwrap();
    disk.kill(&env);
    let found = open(&disk.process()).run(run.id()).unwrap();
    assert_eq!((found.status, found.end_time), (RunStatus::Killed, Some(start + 40_000)));
}
