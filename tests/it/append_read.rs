//! Logging in every way and reading back, live and after the end.

use crate::support::options;
use trackway::{ExperimentId, NewRun, Order, Point, RunStatus, Store};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = options().open(dir.path().join("store")).unwrap();
    (dir, store)
}

#[test]
fn points_rows_and_columns_are_read_live_and_after_every_stage() {
    let (dir, store) = store();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).name("all ways")).unwrap();
    let loss = run.metric("loss").unwrap();
    let mut expected = Vec::new();
    let mut log = |point: Point| {
        loss.log_at(point.step, point.timestamp, point.value).unwrap();
        expected.push(point);
    };
    for step in [3, 1, 1, -5, i64::MIN, i64::MAX] {
        log(Point::new(step, step / 2, step as f64));
    }
    log(Point::new(0, i64::MIN, f64::NAN));
    log(Point::new(0, i64::MAX, f64::NEG_INFINITY));
    log(Point::new(0, 0, -0.0));
    let row = run.row(&["acc", "loss"]).unwrap();
    row.log_at(7, 70, &[0.5, 0.25]).unwrap();
    expected.push(Point::new(7, 70, 0.25));
    let steps: Vec<i64> = (0..100_000).collect();
    let times: Vec<i64> = steps.iter().map(|s| 1_700_000_000_000 + s * 7 + s % 3).collect();
    let values: Vec<f64> = steps.iter().map(|s| (*s as f64).sin()).collect();
    loss.log_columns(&steps, &times, &values).unwrap();
    expected.extend(steps.iter().map(|s| Point::new(*s, times[*s as usize], values[*s as usize])));

    let check = |store: &Store, stage: &str| {
        let snapshot = store.snapshot(run.id()).unwrap();
        let read = snapshot.metric("loss").unwrap().read().unwrap();
        assert_eq!(read.len(), expected.len(), "{stage}");
        for (read, expected) in read.iter().zip(&expected) {
            assert!(read.same_bits(expected), "{stage}: {read:?} is not {expected:?}");
        }
        assert_eq!(snapshot.stats("loss").unwrap().count, expected.len() as u64);
        let acc = snapshot.metric("acc").unwrap().order(Order::ByStep).read().unwrap();
        assert_eq!(acc.iter().collect::<Vec<_>>(), [Point::new(7, 70, 0.5)]);
        let points: Vec<Point> = snapshot.metric("loss").unwrap().points().map(Result::unwrap).collect();
        assert_eq!(points.len(), expected.len());
    };
    check(&store, "live");
    run.finish().unwrap();
    check(&store, "ended");
    store.close().unwrap();
    let store = options().open(dir.path().join("store")).unwrap();
    check(&store, "reopened");
    assert_eq!(store.run(run.id()).unwrap().status, RunStatus::Finished);
    store.compact(&mut |_| {}).unwrap();
    check(&store, "compacted");
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let statistics = store.statistics().unwrap();
    assert_eq!((statistics.log_files, statistics.segment_files), (0, 1), "{statistics:?}");
}
