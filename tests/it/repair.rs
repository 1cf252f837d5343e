//! A repair leaves a whole store, keeps what is good where it was, deletes nothing, and says what is lost.

use crate::damage::{flipped, harmless, on_all_cores};
use crate::support::{Scene, copy_dir, files, finished_run, points};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trackway::testing::damage::{self, Bench};
use trackway::{ErrorKind, ExperimentId, NewRun, RepairReport, RunFilter, Store, StoreOptions};

fn repair(path: &Path) -> RepairReport {
    StoreOptions::new().background(false).repair(path, &mut |_| {}).unwrap()
}

fn flip(path: &Path, at: usize) -> Vec<u8> {
    let bytes = flipped(&std::fs::read(path).unwrap(), at, 0x40);
    std::fs::write(path, &bytes).unwrap();
    bytes
}

#[test]
fn every_damage_to_the_sample_is_repaired() {
    for (path, good) in damage::files() {
        let nothing = harmless(path, good);
        let carries = |at: &usize| !nothing.iter().any(|(range, _)| range.contains(at));
        let bytes: Vec<usize> = (0..good.len()).filter(carries).step_by(1 + good.len() / 150).collect();
        on_all_cores(bytes.len(), |bench, number| {
            let at = bytes[number];
            let repaired = bench.repair(&[(path, &flipped(good, at, 0xff))]);
            repaired.unwrap_or_else(|error| panic!("byte {at} of {}: {error}", path.display()));
        });
        if bytes.is_empty() {
            continue;
        }
        on_all_cores(good.len().div_ceil(512) + 12, |bench, number| {
            let mut damaged = good.clone();
            match number.checked_sub(12) {
                Some(sector) => damaged[sector * 512..good.len().min((sector + 1) * 512)].fill(0),
                None => damaged.truncate(number * good.len() / 12),
            }
            let repaired = bench.repair(&[(path, &damaged)]);
            repaired.unwrap_or_else(|error| panic!("{number} of {}: {error}", path.display()));
        });
    }
}

#[test]
fn two_damaged_files_are_repaired_together() {
    let all: Vec<&(PathBuf, Vec<u8>)> =
        damage::files().iter().filter(|(path, good)| harmless(path, good).len() != 1).collect();
    let pairs: Vec<_> = (0..all.len()).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    on_all_cores(pairs.len() * 3, |bench, number| {
        let ((a, b), place) = (pairs[number / 3], number % 3);
        // In the header, in the middle, at the end of what counts.
        let damage = |(path, good): &(PathBuf, Vec<u8>)| {
            let in_log = path.extension().is_some_and(|ending| ending == "log");
            flipped(
                good,
                [9, if in_log { 4100 } else { good.len() / 2 }, if in_log { 64 } else { good.len() - 1 }][place],
                0xff,
            )
        };
        let (one, two) = (damage(all[a]), damage(all[b]));
        let repaired = bench.repair(&[(&all[a].0, &one), (&all[b].0, &two)]);
        repaired.unwrap_or_else(|error| panic!("{} and {}: {error}", all[a].0.display(), all[b].0.display()));
    });
}

/// The process is killed, or the power fails, in every call of a repair.
#[test]
fn a_repair_that_is_cut_short_loses_nothing() {
    let sample = damage::files();
    let find = |run: &str, ending: &str| {
        sample.iter().find(|(path, _)| {
            let path = path.to_string_lossy();
            path.contains(&run.repeat(16)) && path.ends_with(ending)
        })
    };
    let named = |name: &str| sample.iter().find(|(path, _)| path.ends_with(name));
    let pack = || sample.iter().find(|(path, _)| path.extension().is_some_and(|ending| ending == "pack"));
    let pack_end = pack().map_or(0, |(_, bytes)| bytes.len());
    let model = || sample.iter().find(|(path, _)| path.starts_with(damage::folder().join("models")));
    let flips = [
        (find("01", ".seg"), 80),
        (find("01", ".seg"), 24),
        (find("01", ".seg"), 5),
        // A column, the header and the directory of segments in a pack.
        (pack(), 64 + 80),
        (pack(), 64 + 5),
        (pack(), pack_end - 40),
        (find("04", ".log"), 50),
        (find("05", ".log"), 4100),
        (named("experiments/0/experiment.tw"), 80),
        (model(), 80),
        (model(), 9),
        (named("catalog.tw"), 70),
        (named("store.tw"), 9),
    ];
    let calls = on_all_cores(flips.len(), |bench, number| {
        let (Some((path, good)), at) = flips[number] else { panic!("no file {number}") };
        let cut_short = bench.repair_with_crashes(&[(path, &flipped(good, at, 0xff))]);
        cut_short.unwrap_or_else(|error| panic!("byte {at} of {}: {error}", path.display()))
    });
    assert!(calls.iter().all(|calls| *calls > 5), "{calls:?}");
}

/// A number that no codec makes shorter.
fn noise(number: i64) -> f64 {
    let z = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from_bits(0x3ff0_0000_0000_0000 | (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 12)
}

/// A store with one run of two metrics in three chunks each, compacted.
fn three_chunks(scene: &Scene) -> (trackway::RunId, PathBuf) {
    let store = StoreOptions::new().background(false).chunk_rows(100).open(scene.path()).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).name("three").param("lr", "0.1")).unwrap();
    for step in 0..250 {
        run.log_metrics_at(step, step * 10, &[("loss", noise(step)), ("acc", noise(-step - 1))]).unwrap();
    }
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    (run.id(), files(&scene.path(), ".seg").remove(0))
}

#[test]
fn the_good_chunks_of_a_damaged_segment_stay_where_they_were() {
    let scene = Scene::new();
    let (id, path) = three_chunks(&scene);
    let whole = scene.open_read_only();
    let before: BTreeMap<&str, _> =
        ["loss", "acc"].map(|key| (key, points(&whole.snapshot(id).unwrap(), key))).into_iter().collect();
    let good = std::fs::read(&path).unwrap();
    // Somewhere in the values: some three quarters of the file are.
    let damaged = flip(&path, good.len() / 2);
    let report = repair(&scene.path());
    let [repair] = &report.repairs[..] else { panic!("{report:?}") };
    assert_eq!(repair.path, path);
    assert_eq!(std::fs::read(repair.aside.as_ref().unwrap()).unwrap(), damaged);
    assert!(repair.what.contains(&format!("the {} points of it that are good", 500 - 100)), "{}", repair.what);
    let [loss] = &report.losses[..] else { panic!("{:?}", report.losses) };
    assert_eq!((loss.run, loss.points), (id, 100));
    assert!(!path.exists() && report.left.is_empty());
    let store = scene.open();
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let snapshot = store.snapshot(id).unwrap();
    for (key, before) in before {
        let after = points(&snapshot, key);
        assert_eq!(after.len(), if key == loss.metric { 150 } else { 250 }, "{key}");
        assert!(after.iter().all(|point| before.contains(point)), "{key}");
        assert_eq!(snapshot.stats(key).unwrap().count, after.len() as u64);
    }
    assert_eq!(store.run(id).unwrap().params["lr"], "0.1");
}

#[test]
fn what_only_the_catalog_knows_stays_with_the_run() {
    for gone in [false, true] {
        let scene = Scene::new();
        let (id, path) = three_chunks(&scene);
        if gone {
            std::fs::remove_file(&path).unwrap();
        } else {
            std::fs::write(&path, vec![0; 3000]).unwrap();
        }
        let report = repair(&scene.path());
        assert_eq!(report.losses.iter().map(|loss| loss.points).collect::<Vec<_>>(), [250, 250], "{report:?}");
        let store = scene.open();
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
        let run = store.run(id).unwrap();
        assert_eq!((run.name.as_str(), run.params["lr"].as_str(), run.metrics.len()), ("three", "0.1", 0));
        assert_eq!(run.status, trackway::RunStatus::Finished);
    }
}

/// A merge that was cut short leaves its inputs beside its output. When that was damaged since, they hold what it lost.
#[test]
fn inputs_of_a_merge_are_kept_while_its_output_is_damaged() {
    let (scene, cut_short) = (Scene::new(), Scene::new());
    let store = scene.open_quiet();
    let id = finished_run(&store, "run");
    store.close().unwrap();
    copy_dir(&scene.path(), &cut_short.path());
    let inputs = files(&cut_short.path(), ".seg");
    let store = scene.open_quiet();
    let again = store.resume_run(id).unwrap();
    again.log_metric("loss", 500, 0.5).unwrap();
    again.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    drop((again, store));
    let [output] = &files(&scene.path(), ".seg")[..] else { panic!("one segment") };
    let place = inputs[0].with_file_name(output.file_name().unwrap());
    std::fs::copy(output, &place).unwrap();
    // The first byte behind the header is of a column.
    flip(&place, 64);
    std::fs::remove_file(cut_short.path().join("catalog/catalog.tw")).unwrap();
    let store = cut_short.open_quiet();
    assert!(store.incidents().iter().any(|incident| incident.path == place), "{:?}", store.incidents());
    store.compact(&mut |_| {}).unwrap();
    drop(store);
    assert!(inputs.iter().all(|input| input.exists()), "the only good copy");
    let report = repair(&cut_short.path());
    assert_eq!(report.left, [], "{report:?}");
    let store = cut_short.open_read_only();
    assert_eq!(points(&store.snapshot(id).unwrap(), "acc").len(), 200);
    assert!(points(&store.snapshot(id).unwrap(), "loss").len() >= 200);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
}

/// Found by flips of the first page: the next log of the same writer was taken for one that was never synced.
#[test]
fn a_log_with_a_damaged_first_page_does_not_hide_the_next_one() {
    let bench = Bench::new();
    let (path, good) =
        damage::files().iter().find(|(path, _)| path.to_string_lossy().contains(&"05".repeat(16))).unwrap();
    let bytes = flipped(good, 50, 0xff);
    let steps = |points: Vec<(i64, i64, u64)>| points.iter().map(|point| point.0).collect::<Vec<_>>();
    assert_eq!(steps(bench.points(&[(path, &bytes)], 5, "loss").unwrap()), [6, 7, 8, 9, 10]);
    let report = bench.repair(&[(path, &bytes)]).unwrap();
    assert!(report.repairs[0].what.starts_with("its 6 points before byte "), "{report:?}");
}

#[test]
fn a_store_file_is_made_anew_only_when_it_is_certain_what_it_said() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        finished_run(&store, "run")
    };
    let path = scene.path().join("store.tw");
    let opens = || {
        assert_eq!(repair(&scene.path()).repairs[0].path, path);
        assert_eq!(points(&scene.open().snapshot(id).unwrap(), "loss").len(), 200);
    };
    for content in [vec![0; 72], Vec::new(), b"something else".to_vec()] {
        std::fs::write(&path, &content).unwrap();
        assert_eq!(Store::open(scene.path()).unwrap_err().kind(), ErrorKind::Corrupt);
        opens();
        let kept =
            files(&scene.path().join("quarantine"), "").into_iter().any(|kept| std::fs::read(kept).unwrap() == content);
        assert!(kept, "{content:?}");
    }
    std::fs::remove_file(&path).unwrap();
    opens();
    // A later minor version wrote one of the files: it may have forbidden older ones to write.
    let experiment = scene.path().join("experiments/0/experiment.tw");
    let mut bytes = std::fs::read(&experiment).unwrap();
    bytes[10] = 1;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&experiment, bytes).unwrap();
    std::fs::write(&path, [0; 72]).unwrap();
    let error = StoreOptions::new().repair(scene.path(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("nothing tells whether this version may write"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), [0; 72]);
    // A folder that is no store does not become one, and a newer store is left alone.
    let other = Scene::new();
    std::fs::create_dir(other.path()).unwrap();
    std::fs::write(other.path().join("notes"), "mine").unwrap();
    assert!(StoreOptions::new().repair(other.path(), &mut |_| {}).is_err());
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);
    assert_eq!(StoreOptions::new().repair(scene.beside("none"), &mut |_| {}).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        StoreOptions::new().read_only(true).repair(scene.path(), &mut |_| {}).unwrap_err().kind(),
        ErrorKind::ReadOnly
    );
}

#[test]
fn an_experiment_gets_the_name_that_its_runs_remember_or_its_own() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        let id = store.create_experiment("digits").unwrap();
        store.set_experiment_tag(id, "kind", "test").unwrap();
        store.create_run(NewRun::new(id)).unwrap().finish().unwrap();
        id
    };
    let path = scene.path().join(format!("experiments/{id}/experiment.tw"));
    // In the header: the body has a checksum of its own.
    flip(&path, 9);
    assert!(repair(&scene.path()).repairs[0].what.contains("as before"));
    let experiment = scene.open().experiment(id).unwrap();
    assert_eq!((experiment.name.as_str(), experiment.tags["kind"].as_str()), ("digits", "test"));
    flip(&path, 80);
    let report = repair(&scene.path());
    assert!(report.repairs[0].what.contains("the name that its runs remember"), "{report:?}");
    assert_eq!(scene.open().experiment(id).unwrap().name, "digits");
    assert_eq!(scene.open().runs(&RunFilter::default()).unwrap().len(), 1);
}

/// Whoever writes goes on, and is not repaired.
#[test]
fn a_repair_works_beside_a_writer() {
    let scene = Scene::new();
    let (_, path) = three_chunks(&scene);
    let store = scene.open_quiet();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    run.log_metric("loss", 1, 0.5).unwrap();
    flip(&path, 700);
    let report = store.repair(&mut |_| {}).unwrap();
    assert_eq!((report.repairs.len(), report.left.len()), (1, 0), "{report:?}");
    run.log_metric("loss", 2, 0.25).unwrap();
    assert_eq!(points(&store.snapshot(run.id()).unwrap(), "loss").len(), 2);
    assert!(store.repair(&mut |_| {}).unwrap().repairs.is_empty());
}
