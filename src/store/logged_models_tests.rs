use crate::env::Env;
use crate::env::sim::{Crash, SimDisk};
use crate::{
    ErrorKind, ExperimentId, LifecycleStage, LoggedModelId, LoggedModelStatus, ModelMetric, NewLoggedModel, RunId,
    Store, StoreOptions,
};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

const RUN: RunId = RunId::from_bytes([7; 16]);

fn open(env: &Env) -> Store {
    let mut options = StoreOptions::new().background(false);
    options.env = Some(env.clone());
    options.open("/s").unwrap()
}

fn new() -> NewLoggedModel {
    NewLoggedModel::new(ExperimentId::DEFAULT).name("digits").param("depth", "3").tag("team", "vision")
}

/// Keys as long as they may be, so that few of them fill a file.
fn metrics(first: i64, count: i64) -> Vec<ModelMetric> {
    (first..first + count).map(|step| ModelMetric::new("k".repeat(250), step as f64, step, RUN).at(5)).collect()
}

fn steps(store: &Store, id: LoggedModelId) -> Vec<i64> {
    store.logged_model(id).unwrap().metrics.iter().map(|metric| metric.step).collect()
}

fn files_of(disk: &SimDisk, id: LoggedModelId) -> Vec<(PathBuf, u64)> {
    let folder = id.to_string();
    let is_its = |path: &Path| path.components().any(|part| part.as_os_str() == folder.as_str());
    disk.files().into_iter().filter(|(path, _)| is_its(path)).collect()
}

#[test]
fn what_one_point_writes_does_not_grow_with_the_points_there_are() {
    let disk = SimDisk::new(1);
    let store = open(&disk.process());
    let id = store.create_logged_model(new()).unwrap().id;
    for step in 0..1000 {
        store.log_model_metrics(id, &metrics(step, 1)).unwrap();
    }
    let files = files_of(&disk, id);
    assert!(files.len() >= 8, "{files:?}");
    for (path, len) in files {
        assert!(len < (33 << 10) + 300, "{} has {len} bytes", path.display());
    }
    assert_eq!(steps(&store, id), (0..1000).collect::<Vec<i64>>());
    // In a piece, in the file itself, and new: each is there once.
    store.log_model_metrics(id, &metrics(3, 1)).unwrap();
    store.log_model_metrics(id, &metrics(999, 2)).unwrap();
    assert_eq!(steps(&store, id), (0..1001).collect::<Vec<i64>>());
}

/// All calls, cut short in each call to the machine, by a kill and by a power loss: what was acknowledged is there, and what
/// was not is there as a whole or not at all.
#[test]
fn a_change_that_is_cut_short_happened_or_did_not() {
    for at in 1.. {
        let mut struck = false;
        for (power, crash) in [(false, Crash::Before), (true, Crash::Before), (true, Crash::After)] {
            let disk = SimDisk::new(at);
            let env = disk.process();
            let store = open(&env);
            let id = store.create_logged_model(new()).unwrap().id;
            disk.crash_at(at, crash);
            let (mut acknowledged, mut tried, mut ready) = (0, 0, None);
            while disk.lives(&env) && tried < 300 {
                tried += 100;
                if store.log_model_metrics(id, &metrics(tried - 100, 100)).is_ok() {
                    acknowledged = tried;
                }
                if tried == 200 && disk.lives(&env) {
                    ready = Some(store.set_logged_model_status(id, LoggedModelStatus::Ready).is_ok());
                }
            }
            struck |= !disk.lives(&env);
            drop(store);
            if power {
                disk.power_loss();
            }
            disk.clear_plans();
            let store = open(&disk.process());
            let found = store.logged_model(id).unwrap();
            let count = found.metrics.len() as i64;
            assert!(count == acknowledged || count == tried, "call {at}: {acknowledged}, {tried}, found {count}");
            assert_eq!(steps(&store, id), (0..count).collect::<Vec<i64>>());
            assert_eq!((found.params["depth"].as_str(), found.tags["team"].as_str()), ("3", "vision"));
            match ready {
                Some(true) => assert_eq!(found.status, LoggedModelStatus::Ready, "call {at}"),
                None => assert_eq!(found.status, LoggedModelStatus::Pending, "call {at}"),
                Some(false) => {}
            }
            assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty(), "call {at}");
            // What was left behind is in nobody's way.
            store.log_model_metrics(id, &metrics(count, 200)).unwrap();
            assert_eq!(steps(&store, id).len() as i64, count + 200);
            let named = files_of(&disk, id).iter().filter(|(path, _)| path.extension().unwrap() == "points").count();
            assert!(named <= 4, "call {at}: {named} pieces");
        }
        if !struck {
            assert!(at > 30, "{at}");
            return;
        }
    }
}

#[test]
fn a_creation_that_is_cut_short_is_no_model_or_a_whole_one() {
    for at in 1.. {
        let mut struck = false;
        for power in [false, true] {
            let disk = SimDisk::new(at);
            let env = disk.process();
            let store = open(&env);
            disk.crash_at(at, Crash::Before);
            let created = store.create_logged_model(new());
            struck |= !disk.lives(&env);
            drop(store);
            if power {
                disk.power_loss();
            }
            disk.clear_plans();
            let store = open(&disk.process());
            let found = store.logged_models(ExperimentId::DEFAULT).unwrap();
            assert!(found.iter().all(|model| model.params["depth"] == "3"));
            if let Ok(created) = created {
                assert_eq!(found, [created], "call {at}, power {power}");
            }
            assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty(), "call {at}");
        }
        if !struck {
            assert!(at > 5, "{at}");
            return;
        }
    }
}

#[test]
fn every_flipped_byte_is_named_and_repaired() {
    let disk = SimDisk::new(3);
    let store = open(&disk.process());
    let id = store.create_logged_model(new()).unwrap().id;
    store.log_model_metrics(id, &metrics(0, 150)).unwrap();
    store.log_model_metrics(id, &metrics(150, 3)).unwrap();
    let files = files_of(&disk, id);
    assert_eq!(files.len(), 2, "{files:?}");
    for (path, len) in files {
        // The header, the body and, of a long file, some of it.
        for at in (0..len).step_by((len as usize / 300).max(1)) {
            let fork = disk.fork(at);
            fork.flip(&path, at, 0x10);
            let store = open(&fork.process());
            let damage = store.verify(&mut |_| {}).unwrap().damage;
            assert_eq!(damage.first().map(|damage| &damage.path), Some(&path), "byte {at}: {damage:?}");
            let error = store.logged_model(id).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error}");
            assert!(store.logged_models(ExperimentId::DEFAULT).unwrap().is_empty());
            if damage.first().is_some_and(|damage| damage.reason.contains("format")) {
                continue;
            }
            let report = store.repair(&mut |_| {}).unwrap();
            assert!(!report.repairs.is_empty() && report.left.is_empty(), "byte {at}: {report:?}");
            assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty());
            if path.ends_with("model.tw") {
                // The header says nothing that is not known, but for the id that the body's checksum begins with.
                let is_known = at < 24 || (40..64).contains(&at);
                assert_eq!(store.logged_model(id).is_ok(), is_known, "byte {at}");
            } else {
                assert_eq!(steps(&store, id), [150, 151, 152], "only the piece is lost");
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_and_leaves_what_was_there() {
    let disk = SimDisk::new(4);
    let store = open(&disk.process());
    let id = store.create_logged_model(new()).unwrap().id;
    store.log_model_metrics(id, &metrics(0, 10)).unwrap();
    disk.set_capacity(disk.used() + 8192);
    assert_eq!(store.log_model_metrics(id, &metrics(10, 500)).unwrap_err().kind(), ErrorKind::DiskFull);
    let artifacts = store.logged_model_artifacts(id).unwrap();
    assert_eq!(artifacts.put_bytes("big", &[1; 1 << 16]).unwrap_err().kind(), ErrorKind::DiskFull);
    disk.set_capacity(None);
    assert_eq!(steps(&store, id), (0..10).collect::<Vec<i64>>());
    assert!(artifacts.list("").unwrap().is_empty());
    assert_eq!(files_of(&disk, id).len(), 1);
}

/// A stream that ends in an error, as that of a client that goes away.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(self.0);
        self.0 -= n;
        if n == 0 { Err(std::io::ErrorKind::ConnectionReset.into()) } else { Ok(n) }
    }
}

#[test]
fn a_stream_that_breaks_leaves_the_older_file_and_nothing_else() {
    let disk = SimDisk::new(5);
    let store = open(&disk.process());
    let artifacts = store.logged_model_artifacts(store.create_logged_model(new()).unwrap().id).unwrap();
    artifacts.put_bytes("a", b"older").unwrap();
    let before = disk.files();
    assert_eq!(artifacts.put_reader("a", &mut Broken(3 << 20)).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(disk.files(), before);
    assert_eq!(artifacts.read("a").unwrap(), b"older");
}

#[test]
fn a_file_that_is_being_put_is_old_or_new_whenever_the_machine_stops() {
    for at in 1.. {
        let disk = SimDisk::new(at);
        let env = disk.process();
        let store = open(&env);
        let id = store.create_logged_model(new()).unwrap().id;
        store.logged_model_artifacts(id).unwrap().put_bytes("d/a", b"older").unwrap();
        disk.crash_at(at, Crash::Before);
        let artifacts = store.logged_model_artifacts(id).unwrap();
        let put = artifacts.put_reader("d/a", &mut std::io::repeat(1).take(3 << 20));
        let struck = !disk.lives(&env);
        drop((store, artifacts));
        disk.power_loss();
        disk.clear_plans();
        let artifacts = open(&disk.process()).logged_model_artifacts(id).unwrap();
        let found = artifacts.read("d/a").unwrap();
        assert!(found == b"older" && put.is_err() || found == vec![1; 3 << 20], "call {at}");
        assert_eq!(artifacts.list("d").unwrap().len(), 1, "an unfinished file is in no listing");
        if !struck {
            return;
        }
    }
}

#[test]
fn a_deleted_folder_is_gone_at_once_and_what_is_left_of_it_is_swept() {
    for at in 1.. {
        let disk = SimDisk::new(at);
        let env = disk.process();
        let store = open(&env);
        let id = store.create_logged_model(new()).unwrap().id;
        let artifacts = store.logged_model_artifacts(id).unwrap();
        for name in ["d/a", "d/b", "d/e/c", "kept"] {
            artifacts.put_bytes(name, name.as_bytes()).unwrap();
        }
        disk.crash_at(at, Crash::Before);
        let deleted = artifacts.delete("d");
        let struck = !disk.lives(&env);
        drop((store, artifacts));
        disk.power_loss();
        disk.clear_plans();
        let store = open(&disk.process());
        let artifacts = store.logged_model_artifacts(id).unwrap();
        let left = artifacts.list("").unwrap().len();
        if left == 2 {
            assert!(deleted.is_err(), "call {at}");
            assert_eq!((artifacts.list("d").unwrap().len(), artifacts.list("d/e").unwrap().len()), (3, 1));
        }
        assert_eq!(artifacts.read("kept").unwrap(), b"kept");
        store.compact(&mut |_| {}).unwrap();
        let names = disk.files().into_iter().filter(|(path, _)| path.to_string_lossy().contains(".new-")).count();
        assert_eq!(names, 0, "call {at}");
        if !struck {
            assert_eq!(left, 1);
            return;
        }
    }
}

#[test]
fn a_deleted_model_goes_as_a_whole_when_its_retention_has_passed() {
    let open_with = |env: &Env, retention: Duration| {
        let mut options = StoreOptions::new().background(false).deleted_retention(retention);
        options.env = Some(env.clone());
        options.open("/s").unwrap()
    };
    for at in 1.. {
        let mut struck = false;
        for power in [false, true] {
            let disk = SimDisk::new(at);
            let env = disk.process();
            let store = open_with(&env, Duration::ZERO);
            let (gone, kept) =
                (store.create_logged_model(new()).unwrap().id, store.create_logged_model(new()).unwrap().id);
            store.log_model_metrics(gone, &metrics(0, 150)).unwrap();
            store.logged_model_artifacts(gone).unwrap().put_bytes("a", b"a").unwrap();
            store.delete_logged_model(gone).unwrap();
            // Kept by whoever keeps what was deleted.
            open_with(&disk.process(), Duration::from_secs(3600)).compact(&mut |_| {}).unwrap();
            assert_eq!(steps(&store, gone).len(), 150);
            disk.crash_at(at, Crash::Before);
            let compacted = store.compact(&mut |_| {});
            struck |= !disk.lives(&env);
            drop(store);
            if power {
                disk.power_loss();
            }
            disk.clear_plans();
            let store = open_with(&disk.process(), Duration::ZERO);
            match store.logged_model(gone) {
                Ok(model) => {
                    assert!(compacted.is_err(), "call {at}, power {power}");
                    assert_eq!((model.lifecycle_stage, model.metrics.len()), (LifecycleStage::Deleted, 150));
                    assert_eq!(store.logged_model_artifacts(gone).unwrap().read("a").unwrap(), b"a");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "call {at}, power {power}"),
            }
            store.compact(&mut |_| {}).unwrap();
            let left = files_of(&disk, gone).len()
                + disk.files().iter().filter(|(path, _)| path.starts_with("/s/trash")).count();
            assert_eq!(left, 0, "call {at}, power {power}");
            assert!(store.logged_model(kept).is_ok());
        }
        if !struck {
            assert!(at > 5, "{at}");
            return;
        }
    }
}
