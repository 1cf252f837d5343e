//! Snapshots, ranges, following, growing logs, compaction beneath readers, both ways of appending.

use crate::support::{Scene, copy_dir, files, new_run, options, points};
use std::collections::BTreeMap;
use trackway::{AppendMode, Durability, ExperimentId, NewRun, Order, Point, StoreOptions};

#[test]
fn a_snapshot_stays_as_it_was_while_the_run_goes_on_and_its_files_are_replaced() {
    let scene = Scene::new();
    let store = options().background(false).log_bytes(64 << 10).open(scene.path()).unwrap();
    let run = new_run(&store);
    let log = |steps: std::ops::Range<i64>| {
        steps.for_each(|step| run.log_metric_at("loss", step, step, step as f64).unwrap());
    };
    log(0..10_000);
    store.maintain().unwrap();
    log(10_000..12_000);
    let snapshot = store.snapshot(run.id()).unwrap();
    log(12_000..30_000);
    run.finish().unwrap();
    store.maintain().unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(files(&scene.path(), ".seg").len(), 1, "everything the snapshot reads has been replaced");
    let read = points(&snapshot, "loss");
    assert_eq!(read.len(), 12_000);
    assert!(read.iter().enumerate().all(|(at, point)| point.step == at as i64));
    assert_eq!(points(&store.snapshot(run.id()).unwrap(), "loss").len(), 30_000);
}

#[test]
fn ranges_by_step_and_time_are_those_of_a_naive_filter() {
    let scene = Scene::new();
    let store = options().background(false).chunk_rows(64).open(scene.path()).unwrap();
    let run = new_run(&store);
    let metric = run.metric("m").unwrap();
    let mut all = Vec::new();
    for i in 0..3_000i64 {
        // A run that was resumed: steps go back twice, time goes on.
        let point = Point::new(i % 1_300, i * 10, (i * 7 % 13) as f64);
        metric.log_at(point.step, point.timestamp, point.value).unwrap();
        all.push(point);
        if i == 2_000 {
            store.maintain().unwrap();
        }
    }
    run.finish().unwrap();
    store.maintain().unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    for (from, to) in [(0, 5), (100, 1_250), (1_299, 1_299), (-5, 2), (5_000, 6_000), (9, 3)] {
        let by_step: Vec<_> = all.iter().copied().filter(|p| (from..=to).contains(&p.step)).collect();
        let query = || snapshot.metric("m").unwrap().steps(from..=to);
        assert_eq!(query().read().unwrap().iter().collect::<Vec<_>>(), by_step);
        let mut sorted = by_step.clone();
        sorted.sort_by_key(|point| point.step);
        assert_eq!(query().order(Order::ByStep).read().unwrap().iter().collect::<Vec<_>>(), sorted);
        let last: BTreeMap<i64, Point> = by_step.iter().map(|point| (point.step, *point)).collect();
        let read = query().order(Order::LastPerStep).read().unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), last.into_values().collect::<Vec<_>>());
        let by_time: Vec<_> = all.iter().copied().filter(|p| (from * 10..to * 10).contains(&p.timestamp)).collect();
        let read = snapshot.metric("m").unwrap().timestamps(from * 10..to * 10).read().unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), by_time);
    }
}

/// Pieces are of a chunk or a log, hold what the whole answer holds, and need neither the snapshot nor the files' names.
#[test]
fn the_pieces_of_an_answer_are_all_of_it_and_outlive_the_snapshot() {
    let scene = Scene::new();
    let store = options().background(false).chunk_rows(64).log_bytes(64 << 10).open(scene.path()).unwrap();
    let run = new_run(&store);
    for i in 0..10_000i64 {
        run.log_metric_at("m", i % 7_000, i, i as f64).unwrap();
        if i == 8_999 {
            store.maintain().unwrap();
        }
    }
    let snapshot = store.snapshot(run.id()).unwrap();
    let query = snapshot.metric("m").unwrap().steps(10..6_000);
    for order in [Order::AsWritten, Order::ByStep, Order::LastPerStep] {
        let whole = query.clone().order(order).read().unwrap();
        let pieces: Vec<_> = query.clone().order(order).batches().map(Result::unwrap).collect();
        assert_eq!(pieces.iter().flat_map(trackway::Columns::iter).collect::<trackway::Columns>(), whole);
        let of_chunks = pieces.iter().filter(|piece| piece.len() == 64).count();
        assert!(if order == Order::AsWritten { of_chunks > 50 } else { pieces.len() == 1 }, "{of_chunks} in {order:?}");
    }
    let (whole, pieces) = (query.read().unwrap(), query.batches());
    drop(snapshot);
    run.finish().unwrap();
    store.maintain().unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(files(&scene.path(), ".seg").len(), 1);
    let read: Vec<Point> = pieces.flat_map(|piece| piece.unwrap().iter().collect::<Vec<_>>()).collect();
    assert_eq!(read, whole.iter().collect::<Vec<_>>());
}

#[test]
fn many_logs_of_one_run_are_read_in_order_in_both_ways_of_appending() {
    for mode in [AppendMode::Auto, AppendMode::Calls] {
        let scene = Scene::new();
        let options = StoreOptions::new().append_mode(mode).background(false).log_bytes(64 << 10);
        let store = options.open(scene.path()).unwrap();
        let run = new_run(&store);
        let row = run.row(&["a", "b", "c"]).unwrap();
        for step in 0..20_000 {
            row.log_at(step, step * 2, &[step as f64, -1.0, f64::from(step as f32).sqrt()]).unwrap();
            if step % 3_000 == 0 {
                run.log_metric_at("b", step, 0, 5.0).unwrap();
                store.maintain().unwrap();
            }
        }
        let check = |stage: &str| {
            let snapshot = store.snapshot(run.id()).unwrap();
            let a = points(&snapshot, "a");
            assert_eq!(a.len(), 20_000, "{mode:?} {stage}");
            assert!(a.iter().enumerate().all(|(at, point)| point.value == at as f64), "{mode:?} {stage}");
            let b = points(&snapshot, "b");
            assert_eq!(b.iter().filter(|point| point.value == 5.0).count(), 7, "{mode:?} {stage}");
            assert_eq!(b[1], Point::new(0, 0, 5.0), "{mode:?} {stage}: a point is where it was written");
        };
        check("live");
        run.finish().unwrap();
        store.maintain().unwrap();
        check("compacted");
        assert_eq!((files(&scene.path(), ".log").len(), files(&scene.path(), ".seg").len()), (0, 1));
    }
}

#[test]
fn a_follower_gets_every_point_once_across_sealing_and_compaction() {
    let scene = Scene::new();
    let store = options().background(false).log_bytes(64 << 10).open(scene.path()).unwrap();
    let reader = scene.open_read_only();
    let run = new_run(&store);
    let mut follower = reader.follow(run.id()).unwrap();
    let mut seen = Vec::new();
    let mut logged = 0;
    for round in 0..12 {
        for _ in 0..2_000 {
            run.log_metric_at("loss", logged, 0, logged as f64).unwrap();
            logged += 1;
        }
        if round % 3 == 2 {
            store.maintain().unwrap();
        }
        follower.poll(&mut |_, point| seen.push(point.step)).unwrap();
        assert_eq!(seen.len() as i64, logged, "round {round}");
    }
    run.finish().unwrap();
    store.maintain().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let last = follower.poll(&mut |_, point| seen.push(point.step)).unwrap();
    assert!(last.status.is_ended());
    assert_eq!(seen, (0..logged).collect::<Vec<_>>());
}

#[test]
fn threads_share_a_writer_and_the_medium() {
    let scene = Scene::new();
    let store = options().durability(Durability::Medium).open(scene.path()).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let run = &run;
            scope.spawn(move || {
                let metric = run.metric(&format!("thread/{thread}")).unwrap();
                (0..50).for_each(|step| metric.log(step, step as f64).unwrap());
            });
        }
    });
    run.finish().unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    for thread in 0..4 {
        let read = points(&snapshot, &format!("thread/{thread}"));
        assert!(read.iter().map(|point| point.step).eq(0..50));
    }
}

/// Else a page that somebody has left open in a browser would keep the space of logs that were sealed since.
#[test]
#[cfg(target_os = "linux")]
fn a_reader_keeps_no_log_that_is_gone() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let reader = scene.open_read_only();
    let run = new_run(&store);
    run.log_metric("loss", 1, 0.5).unwrap();
    assert_eq!(reader.snapshot(run.id()).unwrap().stats("loss").unwrap().count, 1);
    let id = run.id();
    run.finish().unwrap();
    store.maintain().unwrap();
    drop(run);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let mine = |path: &std::path::PathBuf| path.starts_with(scene.path()) && path.to_string_lossy().contains(".log");
    assert_eq!(open.filter(mine).collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
    assert_eq!(reader.snapshot(id).unwrap().stats("loss").unwrap().count, 1);
}

/// A store with one run that is to be compacted.
fn with_run_to_compact(scene: &Scene) -> (std::path::PathBuf, trackway::RunId) {
    let store = scene.open_quiet();
    let run = new_run(&store);
    for step in 0..10_000 {
        run.log_metric("loss", step, 0.5).unwrap();
    }
    // The log of a killed writer becomes a segment that is still to be compacted.
    let copy = scene.beside("killed");
    copy_dir(&scene.path(), &copy);
    drop(options().background(false).open(&copy).unwrap());
    (copy, run.id())
}

#[test]
fn a_compaction_sweeps_up_what_one_that_was_killed_in_a_merge_has_left() {
    let scene = Scene::new();
    let (path, id) = with_run_to_compact(&scene);
    let store = options().background(false).open(&path).unwrap();
    let left = files(&path, ".seg").pop().unwrap().with_extension("seg-new");
    std::fs::write(&left, b"a part").unwrap();
    assert_eq!(store.compact(&mut |_| {}).unwrap().runs, 1);
    assert!(!left.exists());
    assert_eq!(store.snapshot(id).unwrap().stats("loss").unwrap().count, 10_000);
}

#[test]
fn a_compaction_sweeps_up_what_one_that_was_killed_after_its_merge_has_left() {
    let scene = Scene::new();
    let (path, id) = with_run_to_compact(&scene);
    let done = scene.beside("done");
    copy_dir(&path, &done);
    options().background(false).open(&done).unwrap().compact(&mut |_| {}).unwrap();
    // It had named the merged segment, and removed nothing.
    let merged = files(&done, ".seg").pop().unwrap();
    std::fs::copy(&merged, path.join(merged.strip_prefix(&done).unwrap())).unwrap();
    assert_eq!(files(&path, ".seg").len(), 2);
    let store = options().background(false).open(&path).unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(files(&path, ".seg").len(), 1);
    assert_eq!(store.snapshot(id).unwrap().stats("loss").unwrap().count, 10_000);
    assert_eq!(store.compact(&mut |_| {}).unwrap(), trackway::CompactionReport::default());
}
