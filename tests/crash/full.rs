//! A file system of 16 MiB that fills up, and gets space again: typed errors, nothing acknowledged lost, reading goes
//! on, and so do the same writers once there is room.

use super::calls::{calls_in, stream};
use super::child::{Running, THREADS, Task, Told, options, wait_until};
use super::kills::files;
use super::namespace::{mount_at, told, within};
use std::path::{Path, PathBuf};
use trackway::{
    AppendMode, ChartAxis, Error, ErrorKind, ExperimentId, NewRun, RunFilter, RunId, RunStatus, RunWriter, Store,
    StoreOptions,
};

const MIB: u64 = 16;
/// What takes the space that is given back later. The second one is as long as all the rest can be: to compact a run
/// takes as much again as the run.
const BALLAST: [(&str, usize); 2] = [("first", 2 << 20), ("second", 7 << 20)];
/// Refused calls after the first.
const REFUSALS: usize = 300;

fn read_only(path: &Path) -> Store {
    StoreOptions::new().read_only(true).open(path).unwrap()
}

fn put_ballast(at: &Path) {
    // No zeros: those could be stored without any space.
    BALLAST.iter().for_each(|(name, bytes)| std::fs::write(at.join(name), vec![7; *bytes]).unwrap());
}

fn drop_ballast(at: &Path, name: &str) {
    std::fs::remove_file(at.join(name)).unwrap();
}

/// How many calls of each kind were acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Logged {
    points: i64,
    rows: i64,
    columns: i64,
}

/// Points of one call by column.
const COLUMN: i64 = 20_000;

fn value(number: i64) -> f64 {
    (number as f64).sqrt().sin()
}

impl Logged {
    /// Makes the next call of the kind; it counts when it is acknowledged.
    fn call(&mut self, run: &RunWriter, kind: usize) -> trackway::Result<()> {
        match kind {
            0 => {
                let steps: Vec<i64> = (0..COLUMN).map(|at| self.columns * COLUMN + at).collect();
                let values: Vec<f64> = steps.iter().map(|step| value(*step)).collect();
                run.metric("columns")?.log_columns(&steps, &steps, &values)?;
                self.columns += 1;
            }
            1 => {
                let row = [("row/a", value(self.rows)), ("row/b", -value(self.rows))];
                run.log_metrics_at(self.rows, 2 * self.rows, &row)?;
                self.rows += 1;
            }
            _ => {
                run.log_metric_at("point", self.points, 3 * self.points, value(self.points))?;
                self.points += 1;
            }
        }
        Ok(())
    }

    /// Logs until not even a point has room. What is refused is always refused as it should be.
    fn fill(&mut self, run: &RunWriter) {
        for kind in 0..3 {
            let refused = loop {
                // All kinds, until the largest has no room; and so on.
                if let Err(error) = (kind..3).try_for_each(|kind| self.call(run, kind)) {
                    break error;
                }
            };
            assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
        }
        for number in 0..REFUSALS {
            assert!(matches!(self.call(run, number % 3), Err(Error::DiskFull { .. })));
        }
    }

    /// Exactly this is in the run.
    fn check(&self, store: &Store, run: RunId) {
        let snapshot = store.snapshot(run).unwrap();
        let numbers = [
            ("point", self.points, 3, 1.0),
            ("row/a", self.rows, 2, 1.0),
            ("row/b", self.rows, 2, -1.0),
            ("columns", self.columns * COLUMN, 1, 1.0),
        ];
        for (key, count, time, sign) in numbers {
            if count == 0 {
                assert!(snapshot.stats(key).is_none());
                continue;
            }
            assert_eq!(snapshot.stats(key).unwrap().count, count as u64, "{key}");
            let points = snapshot.metric(key).unwrap().read().unwrap();
            assert_eq!(points.iter().count(), count as usize, "{key}");
            for (number, point) in (0..).zip(points.iter()) {
                assert_eq!((point.step, point.timestamp), (number, time * number), "{key}");
                assert_eq!(point.value.to_bits(), (sign * value(number)).to_bits(), "{key}");
            }
        }
        snapshot.metric("point").unwrap().chart(ChartAxis::Step, 100).unwrap();
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    }
}

/// In one process without a background, so that nothing is freed meanwhile: every call that can be refused, and the same
/// writer afterwards.
fn fill_and_go_on(at: &Path, mode: AppendMode) {
    put_ballast(at);
    let path = at.join("store");
    let options = StoreOptions::new().log_bytes(1 << 20).background(false).append_mode(mode);
    let store = options.open(&path).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).param("lr", "0.1")).unwrap();
    let id = run.id();
    run.artifacts().put_bytes("kept.bin", b"the first").unwrap();
    let mut logged = Logged::default();
    logged.fill(&run);
    logged.check(&store, id);
    let reader = read_only(&path);
    logged.check(&reader, id);
    refuse_everything(&store, &run, &reader);
    // Sealing may find some room, or not: nothing is lost by trying.
    if let Err(error) = store.maintain() {
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
    }
    logged.check(&store, id);
    logged.check(&reader, id);

    drop_ballast(at, "first");
    for kind in [0, 1, 2, 2, 1] {
        logged.call(&run, kind).unwrap();
    }
    run.artifacts().put_bytes("new.bin", b"the second").unwrap();
    run.sync().unwrap();
    let other = store.resume_run(id).unwrap();
    logged.call(&other, 2).unwrap();
    other.finish().unwrap();
    run.finish().unwrap();
    logged.check(&store, id);
    drop((run, other));
    drop_ballast(at, "second");
    while store.maintain().unwrap() {}
    store.compact(&mut |_| {}).unwrap();
    let statistics = store.statistics().unwrap();
    assert_eq!((statistics.log_files, statistics.segment_files), (0, 1));
    logged.check(&store, id);
    logged.check(&reader, id);
    assert_eq!(store.run(id).unwrap().status, RunStatus::Finished);
    assert!(store.incidents().is_empty(), "{:?}", store.incidents());
}

/// What else needs room is refused, too, and leaves nothing behind.
fn refuse_everything(store: &Store, run: &RunWriter, reader: &Store) {
    let id = run.id();
    let full = |result: trackway::Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::DiskFull);
    let large = vec![5; 2 << 20];
    full(run.artifacts().put_bytes("kept.bin", &large));
    full(run.artifacts().put_bytes("new.bin", &large));
    full(run.set_tag("note", &"x".repeat(100_000)));
    full(store.create_run(NewRun::new(ExperimentId::DEFAULT)).map(drop));
    full(store.resume_run(id).map(drop));
    let artifacts = store.artifacts(id).unwrap().list("").unwrap();
    assert_eq!(artifacts.iter().map(|found| found.path.as_str()).collect::<Vec<_>>(), ["kept.bin"]);
    assert_eq!(run.artifacts().read("kept.bin").unwrap(), b"the first");
    let is_part = |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("new"));
    assert_eq!(files(store.path()).iter().find(is_part), None, "a part of something is left");
    for store in [store, reader] {
        let runs = store.runs(&RunFilter::default()).unwrap();
        assert_eq!(runs.len(), 1, "{runs:?}");
        assert_eq!((runs[0].id, runs[0].status, runs[0].tags.get("note")), (id, RunStatus::Running, None));
    }
}

/// Two writers in processes of their own, with all that the background does, find no room. One is killed; the other one
/// goes on when there is some, and is killed when there is none again.
fn kill_and_go_on(at: &Path, first: u64) {
    put_ballast(at);
    let dir = at.join("store");
    drop(options(first).open(&dir).unwrap());
    let runs = [1, 2].map(|number| RunId::from_bytes([number; 16]));
    // Both in the same mode.
    let told = |number: u64| Told::new(Task::CreateAndWait, &dir, runs[number as usize], first + 2 * number);
    let mut children = [told(0), told(1)].map(|told| Running::start(&told));
    // Neither fills it before both have begun.
    children.iter().for_each(|child| child.wait_for("created", 1));
    children.iter_mut().for_each(|child| drop(child.input()));
    children.iter().for_each(|child| child.wait_for("full", THREADS));
    let reader = read_only(&dir);
    let check = |store: &Store, number: u64, acks: &[u64]| {
        let snapshot = store.snapshot(runs[number as usize]).unwrap();
        for (thread, acked) in (0..THREADS).zip(acks) {
            let calls = calls_in(&snapshot, &stream(first + 2 * number, thread), true).unwrap();
            assert!((*acked..=acked + 1).contains(&calls), "{calls} calls of {acked}");
        }
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    };
    children[0].kill();
    let acks = children[0].acks();
    check(&reader, 0, &acks);
    assert_eq!(reader.run(runs[0]).unwrap().status, RunStatus::Killed);
    // There may be room to complete the run, or not: nothing is lost by trying.
    match options(first).open(&dir) {
        Ok(store) => check(&store, 0, &acks),
        Err(error) => assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}"),
    }
    check(&reader, 0, &acks);

    let total = |child: &Running| child.acks().iter().sum::<u64>();
    let refused = |child: &Running| (0..THREADS).map(|thread| child.heard(&format!("full {thread}"))).sum::<u64>();
    let before = (total(&children[1]), refused(&children[1]));
    drop_ballast(at, "first");
    wait_until("the writer goes on", || {
        assert!(!children[1].has_ended());
        total(&children[1]) > before.0 + 100
    });
    wait_until("the writer has filled the rest", || {
        assert!(!children[1].has_ended());
        // Not all of its threads are refused again: one may have found no room in the meantime.
        refused(&children[1]) > before.1
    });
    children[1].kill();
    let last = children[1].acks();
    check(&reader, 1, &last);
    drop_ballast(at, "second");
    let store = options(first).background(false).open(&dir).unwrap();
    store.compact(&mut |_| {}).unwrap();
    let statistics = store.statistics().unwrap();
    assert_eq!((statistics.log_files, statistics.segment_files), (0, 2));
    for (number, acks) in [(0, &acks), (1, &last)] {
        check(&store, number, acks);
        check(&reader, number, acks);
    }
    let odd: Vec<_> = store.incidents().into_iter().filter(|incident| !incident.what.contains("vanished")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn a_full_file_system_refuses_and_goes_on_when_it_has_room() {
    for kind in ["tmpfs", "ext4", "overlay"] {
        for mode in ["auto", "calls"] {
            for scene in ["one process", "kills"] {
                within("full::within_a_small_file_system", &format!("{kind}|{mode}|{scene}"));
            }
        }
    }
}

#[test]
#[ignore = "another test starts it in a namespace of its own"]
fn within_a_small_file_system() {
    let Some((folder, told)) = told() else { return };
    let words: Vec<&str> = told.split('|').collect();
    let Some(at) = mount_at(&folder, words[0], MIB) else { return };
    let calls = words[1] == "calls";
    match words[2] {
        "one process" => fill_and_go_on(&at, if calls { AppendMode::Calls } else { AppendMode::Auto }),
        _ => kill_and_go_on(&at, u64::from(calls)),
    }
}
