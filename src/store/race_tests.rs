//! Whole stores on the simulated machine under shuttle, which decides at each lock, atomic, wait and call to the system
//! which thread goes on.
//!
//! One test is one story with threads: writers, the background work, compaction, readers, in one process or several.
//! Logs are left after a few points, so that sealing and merging happen all the time. In every interleaving no call
//! may fail, each look at the run is a prefix of what was logged, not shorter than what was acknowledged before it, and
//! in the end all of it lies in one segment and nothing else is left.
//!
//! `RACES` is the number of schedules of each test (1,000 if unset), `RACES_SEED` where they begin. Shuttle prints the
//! schedule of a failure; `SHUTTLE_RANDOM_SEED` repeats it.

use super::Store;
use crate::env::Env;
use crate::env::sim::{Loss, SimDisk};
use crate::options::{Durability, StoreOptions};
use crate::types::{ExperimentId, NewRun, RunId, RunStatus};
use crate::{ErrorKind, RunWriter};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A log is left when it has a header and some three points.
const LOG_BYTES: u64 = 4096 + 128;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Half of the schedules by chance at each step, half with few changes at chosen places, which reach what needs a
/// thread to be away for long.
fn explore(story: impl Fn() + Send + Sync + Copy + 'static) {
    let (runs, seed) = (number("RACES", 1000) as usize, number("RACES_SEED", 4));
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    shuttle::Runner::new(RandomScheduler::new_from_seed(seed, runs / 2), config.clone()).run(story);
    shuttle::Runner::new(PctScheduler::new_from_seed(seed, 4, runs - runs / 2), config).run(story);
}

fn open(env: &Env, change: impl FnOnce(StoreOptions) -> StoreOptions) -> Store {
    let mut options = change(StoreOptions::new().background(false));
    (options.env, options.log_bytes) = (Some(env.clone()), LOG_BYTES);
    options.open(Path::new("/store")).unwrap()
}

/// A run, one metric of it, and how far it was logged: steps from 0 on.
struct Track {
    run: RunId,
    metric: &'static str,
    begun: AtomicI64,
    acknowledged: AtomicI64,
}

impl Track {
    fn new(run: RunId, metric: &'static str) -> Arc<Self> {
        Arc::new(Self { run, metric, begun: AtomicI64::new(0), acknowledged: AtomicI64::new(0) })
    }

    fn log(&self, writer: &RunWriter, points: i64) {
        for _ in 0..points {
            let step = self.begun.fetch_add(1, Ordering::SeqCst);
            writer.log_metric_at(self.metric, step, step * 10, step as f64 / 2.0).unwrap();
            self.acknowledged.store(step + 1, Ordering::SeqCst);
        }
    }

    /// Logs as many points in each of so many calls.
    fn log_columns(&self, writer: &RunWriter, calls: usize, points: i64) {
        for _ in 0..calls {
            let first = self.begun.fetch_add(points, Ordering::SeqCst);
            let steps: Vec<i64> = (first..first + points).collect();
            let times: Vec<i64> = steps.iter().map(|step| step * 10).collect();
            let values: Vec<f64> = steps.iter().map(|step| *step as f64 / 2.0).collect();
            writer.metric(self.metric).unwrap().log_columns(&steps, &times, &values).unwrap();
            self.acknowledged.store(first + points, Ordering::SeqCst);
        }
    }

    /// Takes a snapshot and reads all of it; returns the number of points.
    fn look(&self, store: &Store) -> i64 {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let snapshot = store.snapshot(self.run).unwrap();
        assert!(snapshot.damage().is_empty(), "{:?}", snapshot.damage());
        let counted = snapshot.stats(self.metric).map_or(0, |stats| stats.count);
        let begun = self.begun.load(Ordering::SeqCst);
        let read = match snapshot.metric(self.metric) {
            Ok(query) => query.read().unwrap(),
            Err(error) => {
                assert_eq!((error.kind(), acknowledged), (ErrorKind::NotFound, 0), "{error}");
                return 0;
            }
        };
        let steps: Vec<i64> = (0..read.len() as i64).collect();
        let values: Vec<f64> = steps.iter().map(|step| *step as f64 / 2.0).collect();
        assert_eq!(read.steps(), steps, "of {acknowledged} acknowledged points");
        assert_eq!((read.values(), counted), (&values[..], steps.len() as u64));
        let found = steps.len() as i64;
        assert!((acknowledged..=begun).contains(&found), "{found} points of {acknowledged} to {begun}");
        found
    }
}

fn start(store: &Store) -> RunWriter {
    store.create_run(NewRun::new(ExperimentId::DEFAULT).name("race")).unwrap()
}

/// When all have ended: the run becomes one segment, nothing else is left in the store, and all is read.
fn settle(disk: &SimDisk, tracks: &[&Track], status: RunStatus) {
    let store = open(&disk.process(), |options| options);
    while store.maintain().unwrap() {}
    store.compact(&mut |_| {}).unwrap();
    assert!(store.incidents().is_empty(), "{:?}", store.incidents());
    for track in tracks {
        assert_eq!(track.look(&store), track.acknowledged.load(Ordering::SeqCst));
        assert_eq!(store.run(track.run).unwrap().status, status);
    }
    drop(store);
    let mut left: Vec<PathBuf> = disk.files().into_iter().map(|(path, _)| path).collect();
    let known = ["store.tw", "experiment.tw", "catalog.tw"];
    left.retain(|path| !path.starts_with("/store/locks") && !known.iter().any(|name| path.ends_with(name)));
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].extension().is_some_and(|ending| ending == "seg"), "{left:?}");
}

/// How many logs there are.
fn logs(disk: &SimDisk) -> usize {
    disk.files().iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "log")).count()
}

type Thread = thread::JoinHandle<()>;

fn join(threads: impl IntoIterator<Item = Thread>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Logs and ends the run.
fn writing(track: &Arc<Track>, writer: RunWriter, points: i64) -> Thread {
    let track = Arc::clone(track);
    thread::spawn(move || {
        track.log(&writer, points);
        writer.finish().unwrap();
    })
}

fn looking(track: &Arc<Track>, store: &Arc<Store>, times: usize) -> Thread {
    let (track, store) = (Arc::clone(track), Arc::clone(store));
    thread::spawn(move || {
        let mut seen = 0;
        for _ in 0..times {
            let found = track.look(&store);
            assert!(found >= seen, "a later snapshot has less");
            seen = found;
        }
    })
}

fn maintaining(store: &Arc<Store>, times: usize) -> Thread {
    let store = Arc::clone(store);
    thread::spawn(move || {
        for _ in 0..times {
            store.maintain().unwrap();
        }
    })
}

fn compacting(store: &Arc<Store>, times: usize) -> Thread {
    let store = Arc::clone(store);
    thread::spawn(move || {
        for _ in 0..times {
            store.compact(&mut |_| {}).unwrap();
        }
    })
}

/// Sealing and merging take away the files that a reader of the same process is about to open.
#[test]
fn a_reader_beside_sealing_and_merging() {
    explore(|| {
        let disk = SimDisk::new(1);
        let store = Arc::new(open(&disk.process(), |options| options));
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        track.log(&writer, 4);
        join([writing(&track, writer, 8), maintaining(&store, 3), looking(&track, &store, 3)]);
        drop(store);
        settle(&disk, &[&track], RunStatus::Finished);
    });
}

/// The same with writer, compactor and reader in a process of their own each.
#[test]
fn a_reader_and_a_compactor_in_other_processes() {
    explore(|| {
        let disk = SimDisk::new(2);
        let store = Arc::new(open(&disk.process(), |options| options));
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        track.log(&writer, 5);
        let other = Arc::new(open(&disk.process(), |options| options));
        let reader = Arc::new(open(&disk.process(), |options| options.read_only(true)));
        join([
            writing(&track, writer, 6),
            maintaining(&store, 2),
            compacting(&other, 2),
            looking(&track, &reader, 2),
            looking(&track, &other, 1),
        ]);
        drop((store, other));
        settle(&disk, &[&track], RunStatus::Finished);
    });
}

/// Segments that one handle has open and shares between its readers, while they are merged and forgotten.
#[test]
fn readers_share_segments_that_are_merged() {
    explore(|| {
        let disk = SimDisk::new(3);
        let store = Arc::new(open(&disk.process(), |options| options));
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        for _ in 0..3 {
            track.log(&writer, 4);
            store.maintain().unwrap();
        }
        writer.finish().unwrap();
        drop(writer);
        join([compacting(&store, 1), maintaining(&store, 1), looking(&track, &store, 2), looking(&track, &store, 2)]);
        drop(store);
        settle(&disk, &[&track], RunStatus::Finished);
    });
}

/// The threads of the store prepare, sync, seal and merge; the last holder, whoever that is, ends them.
#[test]
fn background_threads_from_beginning_to_end() {
    explore(|| {
        let disk = SimDisk::new(4);
        let store = Arc::new(open(&disk.process(), |options| options.background(true)));
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        let reader = Arc::new(open(&disk.process(), |options| options.read_only(true)));
        let threads = [writing(&track, writer, 12), looking(&track, &store, 2), looking(&track, &reader, 3)];
        drop(store);
        join(threads);
        settle(&disk, &[&track], RunStatus::Finished);
    });
}

/// The next log is prepared, and seen, before the one that is written is full: a look that reads the one a moment before
/// that and the other a moment after it must not miss what came between.
#[test]
fn a_look_while_a_writer_goes_from_log_to_log() {
    explore(|| {
        let disk = SimDisk::new(9);
        // Its writers ask for what they will need, and `maintain` is what prepares it.
        let mut store = open(&disk.process(), |options| options.background(true));
        Arc::get_mut(&mut store.open).unwrap().worker.take().unwrap().stop();
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        for _ in 0..20 {
            if logs(&disk) == 1 {
                track.log_columns(&writer, 1, 40);
                store.maintain().unwrap();
            }
        }
        assert_eq!(logs(&disk), 2, "the next log is prepared");
        let reader = Arc::new(open(&disk.process(), |options| options.read_only(true)));
        let looker = looking(&track, &reader, 2);
        let is_left = || !super::lock(&store.shared.retired).is_empty();
        for _ in 0..20 {
            if !is_left() {
                track.log_columns(&writer, 1, 40);
            }
        }
        track.log(&writer, 2);
        assert!(is_left(), "a log was left");
        join([looker]);
        writer.finish().unwrap();
        drop((writer, store));
        settle(&disk, &[&track], RunStatus::Finished);
    });
}

/// What is prepared for a log is ready when its writer has gone on in the next one, whose extents end at the same places.
#[test]
fn extents_that_come_late() {
    explore(|| {
        let disk = SimDisk::new(10);
        let mut options = StoreOptions::new();
        (options.env, options.log_bytes) = (Some(disk.process()), 24 << 10);
        let mut store = options.open(Path::new("/store")).unwrap();
        Arc::get_mut(&mut store.open).unwrap().worker.take().unwrap().stop();
        let store = Arc::new(store);
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        // Half of the first extent: the writer asks for the second one.
        track.log_columns(&writer, 1, 1000);
        let prepares = maintaining(&store, 1);
        // As long as nobody prepares the next log this one is left late; then the writer stops in the first extent of the other.
        while logs(&disk) == 1 && track.begun.load(Ordering::SeqCst) < 20_000 {
            track.log_columns(&writer, 1, 1000);
        }
        join([prepares]);
        track.log_columns(&writer, 3, 1000);
        writer.finish().unwrap();
        drop((writer, store));
        settle(&disk, &[&track], RunStatus::Finished);
    });
}

/// Two processes write to one run, and each seals what the other's readers look at.
#[test]
fn two_processes_write_to_one_run() {
    explore(|| {
        let disk = SimDisk::new(5);
        let first = Arc::new(open(&disk.process(), |options| options));
        let second = Arc::new(open(&disk.process(), |options| options));
        let one = start(&first);
        let other = second.resume_run(one.id()).unwrap();
        let (loss, acc) = (Track::new(one.id(), "loss"), Track::new(one.id(), "acc"));
        join([
            writing(&loss, one, 5),
            writing(&acc, other, 5),
            maintaining(&first, 2),
            compacting(&second, 1),
            looking(&loss, &second, 2),
            looking(&acc, &first, 2),
        ]);
        drop((first, second));
        settle(&disk, &[&loss, &acc], RunStatus::Finished);
    });
}

/// Threads of one writer share its log: each has its own metric.
#[test]
fn threads_share_a_writer() {
    explore(|| {
        let disk = SimDisk::new(6);
        let store = Arc::new(open(&disk.process(), |options| options));
        let writer = Arc::new(start(&store));
        let tracks = ["a", "b", "c"].map(|metric| Track::new(writer.id(), metric));
        let threads = tracks.each_ref().map(|track| {
            let (track, writer) = (Arc::clone(track), Arc::clone(&writer));
            thread::spawn(move || track.log(&writer, 3))
        });
        join(threads.into_iter().chain([maintaining(&store, 2), looking(&tracks[0], &store, 2)]));
        writer.finish().unwrap();
        drop((writer, store));
        settle(&disk, &tracks.each_ref().map(|track| &**track), RunStatus::Finished);
    });
}

/// Callers that wait for the medium share syncs. What was acknowledged is there after a power loss that takes all else.
#[test]
fn shared_syncs_keep_what_they_acknowledge() {
    explore(|| {
        let disk = SimDisk::new(7);
        let store = Arc::new(open(&disk.process(), |options| options.durability(Durability::Medium)));
        let writer = Arc::new(start(&store));
        let tracks = ["a", "b", "c"].map(|metric| Track::new(writer.id(), metric));
        let threads = tracks.each_ref().map(|track| {
            let (track, writer) = (Arc::clone(track), Arc::clone(&writer));
            thread::spawn(move || track.log(&writer, 2))
        });
        // Sealing replaces logs that are about to be synced.
        join(threads.into_iter().chain([maintaining(&store, 2)]));
        disk.power_loss_with(Loss::AllLost);
        drop((writer, store));
        let store = open(&disk.process(), |options| options);
        tracks.iter().for_each(|track| assert_eq!(track.look(&store), 2));
    });
}

/// A snapshot outlives the run that compaction removes beneath it; a look that comes too late finds no run.
#[test]
fn a_deleted_run_is_removed_under_its_readers() {
    explore(|| {
        let disk = SimDisk::new(8);
        let keep_none = |options: StoreOptions| options.deleted_retention(std::time::Duration::ZERO);
        let store = Arc::new(open(&disk.process(), keep_none));
        let writer = start(&store);
        let track = Track::new(writer.id(), "loss");
        track.log(&writer, 6);
        writer.finish().unwrap();
        drop(writer);
        store.maintain().unwrap();
        let other = Arc::new(open(&disk.process(), keep_none));
        let reader = {
            let (track, store) = (Arc::clone(&track), Arc::clone(&store));
            thread::spawn(move || {
                for _ in 0..2 {
                    match store.snapshot(track.run) {
                        Ok(snapshot) => {
                            assert!(snapshot.damage().is_empty(), "{:?}", snapshot.damage());
                            assert_eq!(snapshot.metric("loss").unwrap().read().unwrap().len(), 6);
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                    }
                }
            })
        };
        let remover = thread::spawn(move || {
            other.delete_run(track.run).unwrap();
            other.compact(&mut |_| {}).unwrap();
        });
        join([reader, remover, maintaining(&store, 1)]);
        let left: Vec<PathBuf> = disk.files().into_iter().map(|(path, _)| path).collect();
        assert!(left.iter().all(|path| path.extension().is_none_or(|ending| ending == "tw")), "{left:?}");
    });
}
