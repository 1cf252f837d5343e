#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::env::sim::SimDisk;
use crate::env::{DirEntry, Env, File, Fs, Lock, Metadata};
use crate::options::StoreOptions;
use crate::types::{ExperimentId, NewRun, RunStatus};
use crate::{ErrorKind, RunWriter, Store};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

type Meanwhile = Box<dyn FnOnce() + Send>;
/// What happens before a file is opened.
type Slot = Arc<Mutex<Option<(PathBuf, Meanwhile)>>>;

/// A file system on which something happens just before a file is opened, once.
struct Meantime {
    fs: Arc<dyn Fs>,
    before: Slot,
}

impl fmt::Debug for Meantime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meantime")
    }
}

impl Fs for Meantime {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let meanwhile = self.before.lock().unwrap().take_if(|(other, _)| other == path);
        if let Some((_, meanwhile)) = meanwhile {
            meanwhile();
        }
        self.fs.open(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fs.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.fs.read_dir(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.fs.metadata(path)
    }

    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.fs.open_write(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.fs.create_new(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fs.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.fs.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.fs.remove_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fs.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.fs.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.fs.lock(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.fs.try_lock(path)
    }

    fn can_map_appends(&self, path: &Path) -> bool {
        self.fs.can_map_appends(path)
    }
}

/// A process, and where to put what happens meanwhile.
fn process(disk: &SimDisk) -> (Env, Slot) {
    let (env, before) = (disk.process(), Slot::default());
    (Env { fs: Arc::new(Meantime { fs: env.fs, before: Arc::clone(&before) }), clock: env.clock }, before)
}

fn open(env: &Env) -> Store {
    let mut options = StoreOptions::new().background(false).log_bytes(64 << 10);
    options.env = Some(env.clone());
    options.open(Path::new("/store")).unwrap()
}

fn log(run: &RunWriter, steps: std::ops::Range<i64>) {
    steps.for_each(|step| run.log_metric("loss", step, 0.5).unwrap());
}

/// The files of which the names end so, sorted.
fn files(disk: &SimDisk, ending: &str) -> Vec<PathBuf> {
    let paths = disk.files().into_iter().map(|(path, _)| path);
    paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

/// A writer with a log that is more than half full, and the path of its next one, which is prepared.
fn writer(disk: &SimDisk) -> (Env, Store, RunWriter, PathBuf) {
    let env = disk.process();
    let store = open(&env);
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    log(&run, 0..4000);
    store.maintain().unwrap();
    let logs = files(disk, "log");
    assert_eq!(logs.len(), 2);
    let next = logs.into_iter().max().unwrap();
    (env, store, run, next)
}

/// Found by the soak: a call was missing, and later ones of its thread were there.
#[test]
fn a_writer_that_goes_on_to_its_next_log_while_a_reader_reads_leaves_no_gap() {
    let disk = SimDisk::new(1);
    let (_env, store, run, next) = writer(&disk);
    let (id, run) = (run.id(), Arc::new(run));
    let (env, before) = process(&disk);
    let reader = open(&env);
    let writing = Arc::clone(&run);
    *before.lock().unwrap() = Some((next, Box::new(move || log(&writing, 4000..9000))));
    let steps = reader.snapshot(id).unwrap().metric("loss").unwrap().read().unwrap().steps;
    assert!(before.lock().unwrap().is_none(), "it has happened");
    assert!(steps.iter().copied().eq(0..steps.len() as i64), "{} steps up to {:?}", steps.len(), steps.last());
    drop((run, store));
}

/// The same in a process that seals: it took the log that was begun meanwhile for one whose forerunner had lost its end,
/// and put what was acknowledged aside.
#[test]
fn a_writer_that_goes_on_to_its_next_log_and_is_killed_while_another_one_seals_loses_nothing() {
    let disk = SimDisk::new(2);
    let (killed, store, run, next) = writer(&disk);
    let id = run.id();
    let (env, before) = process(&disk);
    let other = open(&env);
    let rank = other.resume_run(id).unwrap();
    rank.finish().unwrap();
    drop(rank);
    let machine = disk.clone();
    let meanwhile = move || {
        log(&run, 4000..9000);
        machine.kill(&killed);
        drop((run, store));
    };
    *before.lock().unwrap() = Some((next, Box::new(meanwhile)));
    while other.maintain().unwrap() {}
    assert!(before.lock().unwrap().is_none(), "it has happened");
    drop(other);
    let store = open(&disk.process());
    assert_eq!(store.snapshot(id).unwrap().stats("loss").unwrap().count, 9000);
    assert!(disk.files().iter().all(|(path, _)| !path.starts_with("/store/quarantine")));
}

/// A reader has listed the segments of a run, and another process merges them before it opens one.
#[test]
fn segments_that_are_merged_while_a_reader_opens_them_are_read_from_what_took_their_place() {
    for merged_before in 0..3 {
        let disk = SimDisk::new(3);
        let id = open(&disk.process()).create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap().id();
        for part in 0..3 {
            // Whoever opens the store seals what the one before has left, and merges nothing.
            let env = disk.process();
            let store = open(&env);
            let run = store.resume_run(id).unwrap();
            log(&run, part * 4000..(part + 1) * 4000);
            disk.kill(&env);
        }
        let merging = open(&disk.process());
        let (env, before) = process(&disk);
        let reader = open(&env);
        let merged = files(&disk, "seg");
        assert!(merged.len() >= 3, "{merged:?}");
        let meanwhile = move || assert!(merging.compact(&mut |_| {}).is_ok());
        *before.lock().unwrap() = Some((merged[merged_before].clone(), Box::new(meanwhile)));
        let snapshot = reader.snapshot(id).unwrap();
        assert!(before.lock().unwrap().is_none(), "it has happened");
        assert!(!files(&disk, "seg").iter().any(|path| merged.contains(path)), "they were merged");
        assert!(snapshot.damage().is_empty(), "{:?}", snapshot.damage());
        assert_eq!(snapshot.stats("loss").unwrap().count, 12_000);
    }
}

/// A reader has listed the logs of a run; before it opens the first its writer fills all that are listed and goes on.
#[test]
fn a_writer_that_has_left_all_logs_that_a_reader_knows_has_not_vanished() {
    let disk = SimDisk::new(4);
    let (_env, store, run, next) = writer(&disk);
    let (id, run) = (run.id(), Arc::new(run));
    let (env, before) = process(&disk);
    let reader = open(&env);
    let first = files(&disk, "log").remove(0);
    assert_ne!(first, next);
    let writing = Arc::clone(&run);
    *before.lock().unwrap() = Some((first, Box::new(move || log(&writing, 4000..30_000))));
    let found = reader.run(id).unwrap();
    assert!(before.lock().unwrap().is_none(), "it has happened");
    assert!(files(&disk, "log").iter().filter(|path| **path > next).count() > 0, "{:?}", files(&disk, "log"));
    assert_eq!(found.status, RunStatus::Running);
    drop((run, store));
}

/// A log is sealed between the listing and the opening; one that cannot be opened for another reason is told.
#[test]
fn a_log_that_is_sealed_before_a_reader_opens_it_is_read_as_a_segment() {
    let disk = SimDisk::new(5);
    let store = open(&disk.process());
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    log(&run, 0..100);
    let id = run.id();
    let (env, before) = process(&disk);
    let reader = open(&env);
    let path = files(&disk, "log").remove(0);
    let refusing = disk.fork(1);
    refusing.refuse_open(&path, io::ErrorKind::PermissionDenied);
    assert_eq!(open(&refusing.process()).snapshot(id).unwrap_err().kind(), ErrorKind::Io);
    let meanwhile = move || {
        run.finish().unwrap();
        drop(run);
        while store.maintain().unwrap() {}
    };
    *before.lock().unwrap() = Some((path.clone(), Box::new(meanwhile)));
    let snapshot = reader.snapshot(id).unwrap();
    assert!(before.lock().unwrap().is_none() && !files(&disk, "log").contains(&path), "it has happened");
    assert_eq!(snapshot.stats("loss").unwrap().count, 100);
}

/// The power takes the first of three logs. What follows it was never synced, so nothing of it counts; unless a file that cannot
/// be read may be what is missing.
#[test]
fn logs_whose_forerunner_is_gone_are_not_believed_unless_it_may_be_what_cannot_be_read() {
    for has_unread in [false, true] {
        let disk = SimDisk::new(6);
        let env = disk.process();
        let store = open(&env);
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        log(&run, 0..14_000);
        let id = run.id();
        disk.kill(&env);
        drop((run, store));
        let there = files(&disk, "log");
        assert!(there.len() >= 3, "{there:?}");
        let next = disk.process();
        next.fs.remove_file(&there[0]).unwrap();
        if has_unread {
            disk.set_contents(there[0].with_file_name("unread.seg"), *b"no segment");
        }
        let count = |store: &Store| {
            store.snapshot(id).ok().and_then(|snapshot| snapshot.stats("loss").map(|stats| stats.count))
        };
        let store = open(&next);
        assert_eq!(count(&store).is_some_and(|count| count > 4000), has_unread, "{:?}", count(&store));
        assert_eq!(count(&store).is_some(), has_unread);
    }
}
