//! Real processes on a real disk: killed while they log, read while they live, and two of them on one run.

use super::child::{Running, THREADS, Task, call, options};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::time::{Duration, Instant};
use trackway::{ExperimentId, NewRun, Point, RunId, RunStatus, Snapshot, StatusCause, Store};

/// Longest time to wait for another process; only a broken store needs it.
const PATIENCE: Duration = Duration::from_secs(60);

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}

fn run_id(number: u8) -> RunId {
    RunId::from_bytes([number; 16])
}

/// The points that a thread's first `calls` calls have logged, by metric.
fn expected(child: u64, thread: u64, calls: u64) -> BTreeMap<String, Vec<Point>> {
    let mut all: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for (key, points) in (0..calls).flat_map(|number| call(child, thread, number)) {
        all.entry(key).or_default().extend(points);
    }
    all
}

fn found(snapshot: &Snapshot, prefix: &str) -> BTreeMap<String, Vec<Point>> {
    let keys = snapshot.run().metrics.keys().filter(|key| key.starts_with(prefix));
    let read = |key: &String| (key.clone(), snapshot.metric(key).unwrap().read().unwrap().iter().collect());
    keys.map(read).collect()
}

fn same(a: &BTreeMap<String, Vec<Point>>, b: &BTreeMap<String, Vec<Point>>) -> bool {
    let same_points = |a: &[Point], b: &[Point]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_bits(b));
    a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| same_points(a, b))
}

/// Each thread's points are those of its acknowledged calls, and perhaps of the one in which it was killed.
fn check(snapshot: &Snapshot, child: u64, acks: &[u64]) {
    for thread in 0..THREADS {
        let found = found(snapshot, &format!("c{child}/t{thread}/"));
        let acked = acks[thread as usize];
        let fits = (acked..=acked + 1).any(|calls| same(&found, &expected(child, thread, calls)));
        let counts = |all: &BTreeMap<String, Vec<Point>>| -> Vec<usize> { all.values().map(Vec::len).collect() };
        let wanted = counts(&expected(child, thread, acked));
        assert!(
            fits,
            "child {child}, thread {thread}, {acked} calls: found {:?}, acknowledged {wanted:?}",
            counts(&found)
        );
    }
}

#[test]
fn killed_writers_lose_no_acknowledged_point() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(options(0).open(&path).unwrap());
    let mut killed = Vec::new();
    // 40 alone, 30 in twos on one run.
    for number in 0..70u8 {
        let id = run_id(number + 1);
        let mut children = Vec::new();
        if number < 40 {
            children.push((u64::from(number), Running::start(&path, id, u64::from(number), Task::Create)));
        } else {
            let store = options(0).background(false).open(&path).unwrap();
            store.create_run(NewRun::new(ExperimentId::DEFAULT).id(id)).unwrap().finish().unwrap();
            drop(store);
            for child in [1000, 1001] {
                children.push((child, Running::start(&path, id, child, Task::Resume)));
            }
        }
        // Most kills come early, so that there are many; some after the log has been changed a few times.
        let acks = 1 + random(if number % 5 == 0 { 3000 } else { 300 });
        children.iter_mut().for_each(|(_, running)| running.wait_for_acks(acks as usize));
        let acks: Vec<(u64, Vec<u64>)> = children.into_iter().map(|(child, running)| (child, running.kill())).collect();
        let store = options(0).open(&path).unwrap();
        let snapshot = store.snapshot(id).unwrap();
        let run = snapshot.run();
        assert_eq!((run.status, run.status_cause), (RunStatus::Killed, StatusCause::Vanished), "run {number}");
        acks.iter().for_each(|(child, acks)| check(&snapshot, *child, acks));
        killed.extend(acks.into_iter().map(|(child, acks)| (id, child, acks)));
        store.close().unwrap();
    }
    assert_eq!(killed.len(), 100);
    let store = options(0).open(&path).unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    for (id, child, acks) in &killed {
        check(&store.snapshot(*id).unwrap(), *child, acks);
    }
}

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
    let mut child = Running::start(store.path(), id, 0, Task::Echo);
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
    let children = [10, 11].map(|child| (child, Running::start(store.path(), id, child, Task::Finish(600))));
    for (child, running) in children {
        let acks = running.join();
        assert_eq!(acks, [600; THREADS as usize]);
        check(&store.snapshot(id).unwrap(), child, &acks);
    }
    store.compact(&mut |_| {}).unwrap();
    let snapshot = store.snapshot(id).unwrap();
    [10, 11].iter().for_each(|child| check(&snapshot, *child, &[600; THREADS as usize]));
    assert_eq!(snapshot.run().status, RunStatus::Finished);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
}
