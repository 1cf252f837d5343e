//! File systems on which a store lies: which of them are mapped, kills on those that are not, and one that may only be
//! read.

use super::calls::{calls_in, stream};
use super::child::{Running, THREADS, Task, Told, options};
use super::kills::kill_processes;
use super::namespace::{mount_at, remount, told, within};
use std::path::Path;
use trackway::{ChartAxis, Error, ErrorKind, RunFilter, RunId, RunStatus, Store, StoreOptions};

const MIB: u64 = 256;
const KILLS: u64 = 12;

fn run_id() -> RunId {
    RunId::from_bytes([3; 16])
}

/// A writer at work: its log has all it needs, and this many calls are in it.
fn start_writer(dir: &Path, writer: u64, calls: u64) -> Running {
    drop(options(writer).open(dir).unwrap());
    let child = Running::start(&Told::new(Task::Create, dir, run_id(), writer));
    child.wait_for("ack", calls);
    child
}

/// Whether the process has mapped a log for writing.
fn maps_a_log(process: u32) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    maps.lines().any(|line| line.contains("rw-s") && line.trim_end_matches(" (deleted)").ends_with(".log"))
}

#[test]
fn logs_are_mapped_where_reserved_blocks_are_written_in_place() {
    for (kind, is_mapped) in [("tmpfs", true), ("ext4", true), ("overlay", false), ("ramfs", false)] {
        within("mediums::a_log_is_mapped", &format!("{kind}|{is_mapped}"));
    }
}

#[test]
#[ignore = "another test starts it in a namespace of its own"]
fn a_log_is_mapped() {
    let Some((folder, told)) = told() else { return };
    let (kind, is_mapped) = told.split_once('|').unwrap();
    let Some(at) = mount_at(&folder, kind, MIB) else { return };
    let mut child = start_writer(&at.join("mapped"), 0, 1);
    assert_eq!(maps_a_log(child.id()).to_string(), is_mapped, "{kind}");
    child.kill();
    let mut child = start_writer(&at.join("calls"), 1, 1);
    assert!(!maps_a_log(child.id()), "{kind}");
    child.kill();
}

/// Overlays are not mapped, and ramfs cannot even reserve blocks: what is written there goes through calls.
#[test]
fn kills_on_file_systems_without_mapping_lose_nothing() {
    for kind in ["overlay", "ramfs"] {
        within("mediums::kills_on_a_file_system", kind);
    }
}

#[test]
#[ignore = "another test starts it in a namespace of its own"]
fn kills_on_a_file_system() {
    let Some((folder, kind)) = told() else { return };
    let Some(at) = mount_at(&folder, &kind, MIB) else { return };
    kill_processes(&at, KILLS);
}

#[test]
fn a_store_that_may_only_be_read_is_read_whole() {
    for kind in ["tmpfs", "ext4"] {
        within("mediums::a_read_only_file_system", kind);
    }
}

#[test]
#[ignore = "another test starts it in a namespace of its own"]
fn a_read_only_file_system() {
    let Some((folder, kind)) = told() else { return };
    let Some(at) = mount_at(&folder, &kind, MIB) else { return };
    for writer in [0, 1] {
        let dir = at.join(format!("store{writer}"));
        let mut child = start_writer(&dir, writer, 500);
        child.kill();
        assert!(remount(&at, "bind,ro"));
        assert!(std::fs::write(at.join("file"), b"x").is_err());
        read_everything(&dir, writer, &child.acks());
        let error = Store::open(&dir).unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
        assert!(error.to_string().contains("read-only"), "{error}");
        // Nor can one be made there.
        let error = Store::open(at.join("other")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(remount(&at, "bind,rw"));
        let store = options(writer).background(false).open(&dir).unwrap();
        store.compact(&mut |_| {}).unwrap();
        assert_eq!(store.statistics().unwrap().log_files, 0);
        drop(store);
        read_everything(&dir, writer, &child.acks());
    }
}

/// Through a handle for reading: what a killed writer has left, by each way to read it.
fn read_everything(dir: &Path, writer: u64, acks: &[u64]) {
    let store = StoreOptions::new().read_only(true).open(dir).unwrap();
    let runs = store.runs(&RunFilter::default()).unwrap();
    assert_eq!(runs.iter().map(|run| (run.id, run.status)).collect::<Vec<_>>(), [(run_id(), RunStatus::Killed)]);
    let snapshot = store.snapshot(run_id()).unwrap();
    let mut count = 0;
    for (thread, acked) in (0..THREADS).zip(acks) {
        let stream = stream(writer, thread);
        let calls = calls_in(&snapshot, &stream, true).unwrap();
        assert!((*acked..=acked + 1).contains(&calls), "{stream}: {calls} calls of {acked}");
        if calls > 0 {
            snapshot.metric(&format!("{stream}/a")).unwrap().chart(ChartAxis::Step, 50).unwrap();
        }
    }
    store.follow(run_id()).unwrap().poll(&mut |_, _| count += 1).unwrap();
    assert_eq!(count, snapshot.run().metrics.values().map(|metric| metric.count).sum::<u64>());
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    assert_eq!(store.artifacts(run_id()).unwrap().list("").unwrap(), []);
    assert_eq!(store.snapshot(run_id()).unwrap().damage().len(), 0);
}
