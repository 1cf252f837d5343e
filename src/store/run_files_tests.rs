#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{MAX_HEADS, RunFiles, not_a_file};
use crate::env::sim::SimDisk;
use crate::env::{Env, FileKind};
use crate::options::StoreOptions;
use crate::types::{ExperimentId, NewRun, RunId};
use crate::{ErrorKind, RunFilter, Store};
use std::io;
use std::path::{Path, PathBuf};

fn open(env: &Env) -> Store {
    let mut options = StoreOptions::new().background(false);
    options.env = Some(env.clone());
    options.open(Path::new("/store")).unwrap()
}

/// A run that is one segment.
fn one_segment(store: &Store) -> RunId {
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    run.log_metric("first", 1, 1.0).unwrap();
    run.finish().unwrap();
    store.maintain().unwrap();
    run.id()
}

fn segments(disk: &SimDisk, run: RunId) -> Vec<PathBuf> {
    let is_segment = |path: &Path| path.extension().is_some_and(|ending| ending == "seg");
    let of_run = |path: &Path| path.to_string_lossy().contains(&run.to_string());
    disk.files().into_iter().map(|(path, _)| path).filter(|path| is_segment(path) && of_run(path)).collect()
}

/// Found by a review: one segment that the system would not open made `statistics` fail, and hid its whole run.
#[test]
fn a_segment_that_the_system_refuses_is_damage_of_its_run_alone() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let (good, bad) = {
        let store = open(&env);
        (one_segment(&store), one_segment(&store))
    };
    // Unsettled, so that listings ask the files.
    let store = open(&env);
    let writer = store.resume_run(bad).unwrap();
    writer.log_metric("second", 1, 2.0).unwrap();
    disk.kill(&env);
    let sealed = segments(&disk, bad).remove(0);
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::Other] {
        disk.refuse_open(&sealed, kind);
        let store = open(&disk.process());
        let statistics = store.statistics().unwrap();
        assert_eq!((statistics.runs, statistics.points), (2, 2), "{kind}");
        let runs = store.runs(&RunFilter::default()).unwrap();
        assert!(runs.iter().any(|run| run.id == good) && runs.iter().any(|run| run.id == bad), "{kind}");
        let snapshot = store.snapshot(bad).unwrap();
        assert!(snapshot.damage()[0].to_string().contains(sealed.to_str().unwrap()), "{kind}");
        assert_eq!(snapshot.metric("second").unwrap().skip_damaged(true).read().unwrap().len(), 1);
        assert_eq!(snapshot.metric("first").unwrap_err().kind(), ErrorKind::Io, "{kind}");
        // It does what it can for the others, and says what it could not do.
        assert_eq!(store.compact(&mut |_| {}).unwrap_err().kind(), ErrorKind::Io, "{kind}");
    }
}

/// Content of logs that is kept in memory is let go of when the logs are gone, and of many logs some is kept.
#[test]
fn what_is_kept_of_logs_is_bounded() {
    let disk = SimDisk::new(2);
    let (store, reader) = (open(&disk.process()), open(&disk.process()));
    let kept = || crate::store::lock(&reader.shared.heads).len();
    let runs: Vec<_> = (0..MAX_HEADS + 3)
        .map(|_| {
            let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
            run.log_metric("first", 1, 1.0).unwrap();
            run
        })
        .collect();
    for (number, run) in runs.iter().enumerate() {
        assert_eq!(reader.snapshot(run.id()).unwrap().stats("first").unwrap().count, 1);
        // When it is full, what nobody reads goes.
        assert_eq!(kept(), number % MAX_HEADS + 1);
    }
    let before = kept();
    // The last one is sealed by its own process: whoever reads the run again lets go of the log. Another run keeps its own.
    let (last, other) = (runs[MAX_HEADS + 2].id(), runs[MAX_HEADS + 1].id());
    runs[MAX_HEADS + 2].finish().unwrap();
    drop(runs);
    while store.maintain().unwrap() {}
    assert_eq!(reader.snapshot(last).unwrap().stats("first").unwrap().count, 1);
    assert_eq!(kept(), before - 1);
    assert!(crate::store::lock(&reader.shared.heads).keys().any(|(run, _)| *run == other));
    assert!(crate::store::lock(&store.shared.heads).is_empty(), "who seals a log forgets it");
}

#[test]
fn where_a_run_lies_is_told_from_its_files() {
    let disk = SimDisk::new(3);
    let env = disk.process();
    let store = open(&env);
    let scan = |run| RunFiles::scan(&store.shared, ExperimentId::DEFAULT, run).unwrap();
    // Small runs that have ended are gathered in packs.
    let runs: Vec<RunId> = (0..20).map(|_| one_segment(&store)).collect();
    let (packed, other) = (runs[0], runs[1]);
    store.compact(&mut |_| {}).unwrap();
    assert!(scan(packed).is_packed() && !scan(packed).is_empty());
    assert!(scan(packed).is_same(&scan(packed)) && !scan(packed).is_same(&scan(other)));
    assert!(scan(RunId::from_bytes([9; 16])).is_empty());
    // One that is written to has a log beside its pack.
    let before = scan(packed);
    let again = disk.process();
    let writing = open(&again);
    let writer = writing.resume_run(packed).unwrap();
    writer.log_metric("second", 1, 2.0).unwrap();
    assert!(!scan(packed).is_packed() && !scan(packed).is_empty() && !scan(packed).is_same(&before));
    // What its writer leaves when it is killed becomes a segment of its own.
    disk.kill(&again);
    let settled = store.shared.settle(ExperimentId::DEFAULT, packed).unwrap();
    assert!(settled && scan(packed).logs.is_empty() && !scan(packed).is_packed());
    assert!(!scan(packed).is_same(&before));
    // A folder is no file that somebody has not finished, whatever its name.
    let folder = segments(&disk, packed)[0].with_file_name("a.seg-new");
    env.fs.create_dir_all(&folder).unwrap();
    assert_eq!(scan(packed).temporary, [] as [PathBuf; 0]);
    let told = |kind| not_a_file(&folder, kind).to_string();
    assert!(told(FileKind::Dir).contains("it is a folder"), "{}", told(FileKind::Dir));
    assert!(told(FileKind::Other).contains("it is a link or a special file"), "{}", told(FileKind::Other));
}
