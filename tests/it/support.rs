//! What many scenarios need.

pub(crate) use crate::folder::{copy_dir, files};
use std::path::PathBuf;
use trackway::{AppendMode, ExperimentId, NewRun, Point, RunId, RunWriter, Snapshot, Store, StoreOptions};

/// Set by `without_mapping.rs`, which runs the scenarios of this binary once more.
pub(crate) const WITHOUT_MAPPING: &str = "TRACKWAY_TEST_WITHOUT_MAPPING";

/// What scenarios open a store with, and add to: the way of appending is not theirs to choose.
pub(crate) fn options() -> StoreOptions {
    let is_set = std::env::var_os(WITHOUT_MAPPING).is_some();
    StoreOptions::new().append_mode(if is_set { AppendMode::Calls } else { AppendMode::Auto })
}

/// A store in a folder that goes with the value.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn open(&self) -> Store {
        options().open(self.path()).unwrap()
    }

    /// Without a background thread: sealing and compaction happen when the test says so.
    pub(crate) fn open_quiet(&self) -> Store {
        options().background(false).open(self.path()).unwrap()
    }

    pub(crate) fn open_read_only(&self) -> Store {
        StoreOptions::new().read_only(true).open(self.path()).unwrap()
    }
}

pub(crate) fn new_run(store: &Store) -> RunWriter {
    store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap()
}

/// A run with two metrics, logged in every way, finished.
pub(crate) fn finished_run(store: &Store, name: &str) -> RunId {
    let run =
        store.create_run(NewRun::new(ExperimentId::DEFAULT).name(name).param("lr", "0.1").tag("kind", "test")).unwrap();
    for step in 0..200 {
        let values = [("loss", 1.0 / (step + 1) as f64), ("acc", step as f64)];
        run.log_metrics_at(step, 1_700_000_000_000 + step * 13, &values).unwrap();
    }
    run.finish().unwrap();
    run.id()
}

pub(crate) fn points(snapshot: &Snapshot, key: &str) -> Vec<Point> {
    snapshot.metric(key).unwrap().read().unwrap().iter().collect()
}
