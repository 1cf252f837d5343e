//! Many small runs: they end in few files, and each is what it was, can be changed, goes on, and can be deleted.

use crate::support::{Scene, copy_dir, files};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use trackway::{
    ErrorKind, ExperimentId, Filter, NewRun, Point, Run, RunFilter, RunId, RunOrder, RunQuery, RunStatus, RunWriter,
    Store, StoreOptions, View,
};

/// More than are gathered at least.
const RUNS: usize = 40;

/// Creates and ends many small runs.
fn small_runs(store: &Store, experiment: ExperimentId) -> Vec<RunId> {
    let create = |number: usize| {
        let new = NewRun::new(experiment).name(format!("run {number}")).param("lr", format!("0.{number}"));
        let run = store.create_run(new).unwrap();
        for step in 0..number as i64 {
            run.log_metrics_at(step, 1000 + step, &[("loss", 1.0 / (step + 1) as f64), ("acc", step as f64)]).unwrap();
        }
        run.log_metric_at("last", 7, 2000, number as f64).unwrap();
        run.finish().unwrap();
        run.id()
    };
    (0..RUNS).map(create).collect()
}

/// All that a store shows of its runs, points too.
fn shown(store: &Store) -> BTreeMap<RunId, (Run, BTreeMap<String, Vec<Point>>)> {
    let all = RunFilter { view: View::All, ..RunFilter::default() };
    let points = |id: RunId| {
        let snapshot = store.snapshot(id).unwrap();
        let read = |key: &Arc<str>| (key.to_string(), snapshot.metric(key).unwrap().read().unwrap().iter().collect());
        snapshot.run().metrics.keys().map(read).collect()
    };
    store.runs(&all).unwrap().into_iter().map(|run| (run.id, (run.clone(), points(run.id)))).collect()
}

fn settle(store: &Store) {
    while store.maintain().unwrap() {}
}

#[test]
fn many_small_runs_end_in_few_files() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let digits = store.create_experiment("digits").unwrap();
    let ids = small_runs(&store, digits);
    let before = shown(&store);
    assert_eq!(before.len(), RUNS);
    settle(&store);
    // Straight from their logs: no run has a file or folder of its own.
    let folders =
        |scene: &Scene| std::fs::read_dir(scene.path().join(format!("experiments/{digits}/runs"))).unwrap().count();
    assert_eq!((files(&scene.path(), ".seg").len(), files(&scene.path(), ".log").len(), folders(&scene)), (0, 0, 0));
    assert_eq!(files(&scene.path(), ".pack").len(), 1);
    assert_eq!(shown(&store), before);
    // Another handle, one for reading only, and one that has to make the catalog anew.
    assert_eq!(shown(&scene.open_read_only()), before);
    drop(store);
    assert_eq!(shown(&scene.open_quiet()), before);
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    assert_eq!(shown(&scene.open_read_only()), before);
    let store = scene.open_quiet();
    assert_eq!(shown(&store), before);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let statistics = store.statistics().unwrap();
    assert_eq!((statistics.runs, statistics.segment_files), (RUNS as u64, 1));
    let filter = Some(Filter::new("metrics.last > 37").unwrap());
    let query = RunQuery { filter, order: RunOrder::new(&["metrics.last"]).unwrap(), ..RunQuery::default() };
    let found = store.search(&query).unwrap().runs;
    assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), ids[38..]);
}

#[test]
fn runs_with_files_of_their_own_are_gathered_by_a_compaction() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    // Each is sealed for itself: there is never more than one to seal.
    let mut ids = Vec::new();
    for number in 0..RUNS {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        run.log_metric_at("loss", 1, 2, number as f64).unwrap();
        run.finish().unwrap();
        settle(&store);
        ids.push(run.id());
    }
    // These have more than a segment, or are not ended.
    store.artifacts(ids[0]).unwrap().put_bytes("model", b"weights").unwrap();
    let live = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    assert_eq!(files(&scene.path(), ".seg").len(), RUNS);
    let before = shown(&store);
    let held = store.snapshot(ids[5]).unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!((files(&scene.path(), ".seg").len(), files(&scene.path(), ".pack").len()), (1, 1));
    assert_eq!(shown(&store), before);
    assert_eq!(held.metric("loss").unwrap().read().unwrap().values(), [5.0]);
    assert_eq!(store.artifacts(ids[0]).unwrap().read("model").unwrap(), b"weights");
    assert_eq!(store.artifacts(ids[1]).unwrap().list("").unwrap(), []);
    // Once more changes nothing.
    let pack = files(&scene.path(), ".pack");
    store.compact(&mut |_| {}).unwrap();
    assert_eq!((files(&scene.path(), ".pack"), shown(&store)), (pack, before));
    live.finish().unwrap();
}

#[test]
fn a_run_in_a_pack_is_changed_and_goes_on() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let ids = small_runs(&store, ExperimentId::DEFAULT);
    settle(&store);
    store.set_run_name(ids[3], "renamed").unwrap();
    store.set_run_tag(ids[3], "note", "good").unwrap();
    store.delete_run(ids[4]).unwrap();
    store.delete_run(ids[5]).unwrap();
    store.restore_run(ids[5]).unwrap();
    store.restore_run(ids[6]).unwrap();
    let again = store.resume_run(ids[7]).unwrap();
    again.log_metric_at("last", 8, 3000, -1.0).unwrap();
    assert_eq!(again.log_param("lr", "other").unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(store.run(ids[7]).unwrap().status, RunStatus::Running);
    again.finish().unwrap();
    store.artifacts(ids[8]).unwrap().put_bytes("late", b"notes").unwrap();
    let before = shown(&store);
    assert_eq!(before[&ids[3]].0.name, "renamed");
    assert_eq!(before[&ids[7]].1["last"].iter().map(|point| point.value).collect::<Vec<_>>(), [7.0, -1.0]);
    assert!(before[&ids[4]].0.deleted_at.is_some() && before[&ids[5]].0.deleted_at.is_none());
    for round in 0..3 {
        settle(&store);
        assert_eq!(shown(&store), before, "settled, round {round}");
        store.compact(&mut |_| {}).unwrap();
        assert_eq!(shown(&store), before, "compacted, round {round}");
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    }
    // What the pack still holds of these runs is not what they are.
    drop(store);
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    assert_eq!(shown(&scene.open_quiet()), before);
}

/// Params, tags and points of a run that was removed are in no file any more.
#[test]
fn a_deleted_run_goes_out_of_its_pack() {
    let scene = Scene::new();
    let open = || StoreOptions::new().background(false).deleted_retention(Duration::ZERO).open(scene.path()).unwrap();
    let store = open();
    let ids = small_runs(&store, ExperimentId::DEFAULT);
    settle(&store);
    let mut expected = shown(&store);
    // One as it lies in the pack, one of which the rest is in a folder.
    let again = store.resume_run(ids[9]).unwrap();
    again.log_metric_at("last", 8, 3000, -1.0).unwrap();
    again.finish().unwrap();
    for id in [ids[2], ids[9]] {
        store.delete_run(id).unwrap();
        expected.remove(&id);
    }
    let report = store.compact(&mut |_| {}).unwrap();
    assert_eq!(report.removed_runs, 2);
    assert_eq!(shown(&store), expected);
    for pack in files(&scene.path(), ".pack") {
        let bytes = std::fs::read(pack).unwrap();
        for id in [ids[2], ids[9]] {
            assert!(!bytes.windows(16).any(|window| window == id.as_bytes()), "run {id} is still in the pack");
        }
    }
    assert_eq!(store.run(ids[2]).unwrap_err().kind(), ErrorKind::NotFound);
    drop(store);
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    assert_eq!(shown(&open()), expected);
    // All of them: no pack is left.
    let store = open();
    ids.iter().for_each(|id| _ = store.delete_run(*id));
    assert_eq!(store.compact(&mut |_| {}).unwrap().removed_runs, RUNS as u64 - 2);
    assert_eq!((files(&scene.path(), ".pack").len(), shown(&store).len()), (0, 0));
}

/// Found by a review: only one damaged run of a pack was mended in a round, and there are not so many rounds.
#[test]
fn many_damaged_runs_of_a_pack_are_mended_at_once() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let ids = small_runs(&store, ExperimentId::DEFAULT);
    settle(&store);
    drop(store);
    let pack = files(&scene.path(), ".pack").remove(0);
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 9000].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&pack, bytes).unwrap();
    let store = scene.open_quiet();
    let hit = store.verify(&mut |_| {}).unwrap().damage.len();
    assert!(hit > 9, "{hit} runs are hit");
    let report = store.repair(&mut |_| {}).unwrap();
    assert_eq!(report.left, []);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let readable = ids.iter().filter(|id| store.snapshot(**id).is_ok()).count();
    assert!(readable >= RUNS - hit, "{readable} of {RUNS} runs, {hit} of them damaged");
}

/// Found by a review: what a run was before it was deleted, in an older pack, must go before the rest of it.
#[test]
fn a_deleted_run_that_lies_in_two_packs_does_not_come_back() {
    let scene = Scene::new();
    let open = || StoreOptions::new().background(false).deleted_retention(Duration::from_secs(3600)).open(scene.path());
    let store = open().unwrap();
    let ids = small_runs(&store, ExperimentId::DEFAULT);
    settle(&store);
    let older = files(&scene.path(), ".pack").remove(0);
    let kept = std::fs::read(&older).unwrap();
    ids.iter().take(20).for_each(|id| store.delete_run(*id).unwrap());
    store.compact(&mut |_| {}).unwrap();
    store.compact(&mut |_| {}).unwrap();
    drop(store);
    // As if the older pack had not been written anew yet.
    std::fs::write(&older, &kept).unwrap();
    let store = StoreOptions::new().background(false).deleted_retention(Duration::ZERO).open(scene.path()).unwrap();
    assert_eq!(store.compact(&mut |_| {}).unwrap().removed_runs, 20);
    assert_eq!(store.runs(&RunFilter { view: View::All, ..RunFilter::default() }).unwrap().len(), RUNS - 20);
    drop(store);
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    assert_eq!(open().unwrap().runs(&RunFilter { view: View::All, ..RunFilter::default() }).unwrap().len(), RUNS - 20);
}

/// Found by a review: the folder that its sync was to make durable was gone.
#[test]
fn a_writer_that_is_kept_can_sync_what_lies_in_a_pack() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let ended = |_| {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        run.log_metric("loss", 1, 0.5).unwrap();
        run.finish().unwrap();
        run
    };
    let writers: Vec<RunWriter> = (0..RUNS).map(ended).collect();
    store.close().unwrap();
    assert_eq!(files(&scene.path(), ".pack").len(), 1);
    for run in &writers {
        run.sync().unwrap();
    }
    let store = scene.open_quiet();
    assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), RUNS);
}

#[test]
fn packs_become_few_as_they_become_many() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let mut all = 0;
    for _ in 0..20 {
        small_runs(&store, ExperimentId::DEFAULT);
        settle(&store);
        all += RUNS;
    }
    assert_eq!(store.statistics().unwrap().runs, all as u64);
    let packs = files(&scene.path(), ".pack").len();
    assert!((2..16).contains(&packs), "{packs} packs");
    let before = shown(&store);
    store.compact(&mut |_| {}).unwrap();
    assert_eq!((files(&scene.path(), ".pack").len(), shown(&store)), (1, before));
}

/// Each is closed before its background has had time to merge.
#[test]
fn packs_of_processes_that_do_not_live_long_become_few() {
    let scene = Scene::new();
    for _ in 0..9 {
        let store = scene.open_quiet();
        small_runs(&store, ExperimentId::DEFAULT);
        store.close().unwrap();
    }
    assert_eq!(files(&scene.path(), ".pack").len(), 9);
    let store = scene.open_quiet();
    let before = shown(&store);
    settle(&store);
    assert!(files(&scene.path(), ".pack").len() < 3);
    assert_eq!(shown(&store), before);
}

/// Whatever is damaged in a pack, the other runs in it can be read, the damage is named, and a repair leaves them whole.
#[test]
fn a_damaged_pack_gives_all_but_what_was_hit() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let ids = small_runs(&store, ExperimentId::DEFAULT);
    settle(&store);
    let before = shown(&store);
    drop(store);
    let pack = files(&scene.path(), ".pack").remove(0);
    let good = std::fs::read(&pack).unwrap();
    let directory_at = good.len() - 28 - RUNS * 24;
    let places = [3, 30, 64 + 3, directory_at / 2, directory_at - 10, directory_at + 5, good.len() - 1];
    for at in places {
        let copy = scene.beside(&format!("at{at}"));
        copy_dir(&scene.path(), &copy);
        let path = files(&copy, ".pack").remove(0);
        let mut bytes = good.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&path, bytes).unwrap();
        let store = StoreOptions::new().background(false).open(&copy).unwrap();
        let damage = store.verify(&mut |_| {}).unwrap().damage;
        assert_eq!(damage.iter().map(|damage| &damage.path).collect::<Vec<_>>(), [&path], "byte {at}");
        assert!(damage[0].offset <= at as u64, "byte {at}: {damage:?}");
        let is_hit = |id: &RunId| {
            let snapshot = store.snapshot(*id);
            snapshot
                .map_or(true, |s| before[id].1.keys().any(|key| s.metric(key).and_then(|query| query.read()).is_err()))
        };
        let hit: Vec<&RunId> = ids.iter().filter(|id| is_hit(id)).collect();
        let in_segment = (64..directory_at).contains(&at);
        assert!(hit.len() <= usize::from(in_segment), "byte {at}: {hit:?}");
        let report = store.repair(&mut |_| {}).unwrap();
        assert!(report.left.is_empty() && !report.repairs.is_empty(), "byte {at}: {report:?}");
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, [], "byte {at}");
        assert!(!files(&copy.join("quarantine"), "").is_empty());
        for (id, expected) in before.iter().filter(|(id, _)| !hit.contains(id)) {
            assert_eq!(shown(&store).get(id), Some(expected), "byte {at}");
        }
    }
}
