//! Logs that are prepared before they are needed: nobody sees them, and nothing is lost at the seams.

use crate::support::{Scene, copy_dir, new_run, options};
use trackway::Durability;

fn quiet(scene: &Scene) -> trackway::Store {
    options().background(false).log_bytes(64 << 10).open(scene.path()).unwrap()
}

#[test]
fn a_prepared_log_is_no_log_until_it_is_needed() {
    let scene = Scene::new();
    let store = quiet(&scene);
    let run = new_run(&store);
    let loss = run.metric("loss").unwrap();
    let mut steps = 0..;
    let mut log = |bytes: usize| {
        // A point takes at least 11 bytes.
        steps.by_ref().take(bytes / 11).for_each(|step| loss.log_at(step, step, 0.5).unwrap());
        steps.start
    };
    log(40_000);
    assert_eq!(store.statistics().unwrap().log_files, 1);
    store.maintain().unwrap();
    assert_eq!(store.statistics().unwrap().log_files, 2, "the next one is there");
    let count = || scene.open_read_only().snapshot(run.id()).unwrap().stats("loss").unwrap().count as i64;
    assert_eq!(count(), log(0));
    assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty());
    // Over the seam, and on.
    for _ in 0..5 {
        assert_eq!(log(40_000), count());
        store.maintain().unwrap();
        assert_eq!(log(0), count());
    }
    run.finish().unwrap();
    store.maintain().unwrap();
    let statistics = store.statistics().unwrap();
    assert_eq!((statistics.log_files, statistics.segment_files), (0, 1), "the one that was not needed is gone");
    assert_eq!(count(), log(0));
    assert!(store.incidents().is_empty());
}

#[test]
fn a_prepared_log_that_its_writer_left_is_swept_up() {
    let scene = Scene::new();
    let (id, logged) = {
        let store = quiet(&scene);
        let run = new_run(&store);
        let loss = run.metric("loss").unwrap();
        (0..4000).for_each(|step| loss.log_at(step, step, 0.5).unwrap());
        store.maintain().unwrap();
        // As a kill leaves it: copied with all its files while the writer lives.
        let copy = scene.beside("copy");
        copy_dir(&scene.path(), &copy);
        (run.id(), copy)
    };
    let store = options().background(false).open(logged).unwrap();
    assert_eq!(store.snapshot(id).unwrap().stats("loss").unwrap().count, 4000);
    assert_eq!(store.statistics().unwrap().log_files, 0);
    let incidents: Vec<_> = store.incidents().into_iter().filter(|i| !i.what.contains("vanished")).collect();
    assert!(incidents.is_empty(), "{incidents:?}");
}

#[test]
fn calls_of_many_threads_share_syncs_and_each_is_served() {
    let scene = Scene::new();
    let store = options().durability(Durability::Medium).open(scene.path()).unwrap();
    let run = new_run(&store);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let metric = run.metric(&format!("thread/{thread}")).unwrap();
            // One of them leaves earlier: nobody waits for it for ever.
            scope.spawn(move || {
                (0..if thread == 0 { 3 } else { 20 }).for_each(|step| metric.log_at(step, 0, 0.5).unwrap())
            });
        }
    });
    let snapshot = store.snapshot(run.id()).unwrap();
    assert_eq!(snapshot.stats("thread/3").unwrap().count, 20);
}

#[test]
fn threads_of_one_run_lose_nothing_while_logs_change() {
    let scene = Scene::new();
    let store = options().log_bytes(64 << 10).open(scene.path()).unwrap();
    let run = new_run(&store);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let run = &run;
            scope.spawn(move || {
                let metric = run.metric(&format!("thread/{thread}")).unwrap();
                for step in 0..20_000 {
                    metric.log_at(step, step, step as f64).unwrap();
                    if step % 1000 == 0 {
                        run.log_metrics_at(step, 0, &[("shared", 1.0), (&format!("own/{thread}"), 2.0)]).unwrap();
                        metric.log_columns(&[step; 3000], &[0; 3000], &[0.5; 3000]).unwrap();
                    }
                }
            });
        }
    });
    run.finish().unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    for thread in 0..4 {
        let points = snapshot.metric(&format!("thread/{thread}")).unwrap().read().unwrap();
        assert_eq!(points.len(), 20_000 + 20 * 3000);
        let single: Vec<i64> = points.iter().filter(|p| p.value == p.step as f64).map(|p| p.step).collect();
        assert!(single.is_sorted() && single.len() >= 20_000);
    }
    assert_eq!(snapshot.stats("shared").unwrap().count, 80);
}
