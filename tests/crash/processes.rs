//! Real processes on a real disk: read while they live, and two of them on one run.

use super::calls::{PATIENCE, calls_in, stream};
use super::child::{Running, THREADS, Task, Told, options};
use std::io::Write;
use std::time::Instant;
use trackway::{ExperimentId, NewRun, RunId, RunStatus, Snapshot, Store};

fn run_id(number: u8) -> RunId {
    RunId::from_bytes([number; 16])
}

/// Calls of each thread of a writer that comes to its end.
const CALLS: u64 = 600;

fn store_with_run() -> (tempfile::TempDir, Store, RunId) {
    let dir = tempfile::tempdir().unwrap();
    let store = options(0).open(dir.path().join("store")).unwrap();
    let id = run_id(1);
    store.create_run(NewRun::new(ExperimentId::DEFAULT).id(id)).unwrap().finish().unwrap();
    (dir, store, id)
}

#[test]
fn a_reader_sees_the_points_of_a_live_writer_one_by_one() {
    let (_dir, store, id) = store_with_run();
    let mut child = Running::start(&Told::new(Task::Echo, store.path(), id, 0));
    let mut input = child.input();
    let mut follower = store.follow(id).unwrap();
    let start = Instant::now();
    for number in 0..50 {
        input.write_all(b"go\n").unwrap();
        let seen = || store.snapshot(id).unwrap().stats("echo").map_or(0, |stats| stats.count);
        while seen() <= number {
            assert!(start.elapsed() < PATIENCE, "point {number} is not seen");
            std::thread::yield_now();
        }
        let snapshot = store.snapshot(id).unwrap();
        assert_eq!(snapshot.latest("echo").map(|point| point.step), Some(number as i64));
        assert_eq!(snapshot.run().status, RunStatus::Running);
        let mut followed = Vec::new();
        follower.poll(&mut |_, point| followed.push(point.step)).unwrap();
        assert_eq!(followed, [number as i64]);
    }
    drop(input);
    child.join();
    assert_eq!(store.run(id).unwrap().status, RunStatus::Finished);
}

#[test]
fn two_processes_log_into_one_run_at_once() {
    let (_dir, store, id) = store_with_run();
    let writers = [10, 11];
    let told = writers.map(|writer| Told { calls: CALLS, ..Told::new(Task::Resume, store.path(), id, writer) });
    for mut child in told.map(|told| Running::start(&told)) {
        child.join();
        assert_eq!(child.acks(), [CALLS; THREADS as usize]);
    }
    let check = |snapshot: &Snapshot| {
        for stream in writers.iter().flat_map(|writer| (0..THREADS).map(|thread| stream(*writer, thread))) {
            assert_eq!(calls_in(snapshot, &stream, true), Ok(CALLS));
        }
    };
    check(&store.snapshot(id).unwrap());
    store.compact(&mut |_| {}).unwrap();
    let snapshot = store.snapshot(id).unwrap();
    check(&snapshot);
    assert_eq!(snapshot.run().status, RunStatus::Finished);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
}
