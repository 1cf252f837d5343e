//! Every name in a store, made and parsed. Nobody else spells one.
//!
//! ```text
//! store.tw                                   what this folder is
//! experiments/ID/experiment.tw               name, tags, stage of an experiment
//! experiments/ID/runs/RUN/LOG.log            a log: points that are not sealed yet
//! experiments/ID/runs/RUN/LOG-SALT.seg       a segment: sealed points; LOG is the first of its logs
//! experiments/ID/runs/RUN/artifacts/...      artifacts, as plain files
//! experiments/ID/packs/NAME.pack             a pack: segments of many small runs that have ended
//! experiments/ID/models/MODEL/model.tw       a logged model; MODEL is its id
//! experiments/ID/models/MODEL/SALT.points    metrics of it that model.tw has no room for
//! experiments/ID/models/MODEL/artifacts/...  its artifacts, as plain files
//! models/HASH.tw                             a registered model with its versions; HASH is that of its name
//! catalog/catalog.tw                         derived index of all runs
//! locks/...                                  held for moments, the store's while the catalog is written anew
//! quarantine/...                             damaged pieces that were set aside
//! trash/...                                  run folders on their way out
//! ```

use crate::format::model::file_stem;
use crate::types::{ExperimentId, LogId, LoggedModelId, RunId};
use std::path::{Path, PathBuf};

/// How many lock files runs share: few files, and seldom two runs waiting for each other.
const RUN_LOCKS: u8 = 16;

/// What a name in a run's folder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunEntryName {
    Log(LogId),
    Segment,
    /// Left behind by a process that died while making a log or segment.
    Temporary,
    Artifacts,
    Other,
}

/// The names below one store.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn store_file(&self) -> PathBuf {
        self.root.join("store.tw")
    }

    pub(crate) fn experiments(&self) -> PathBuf {
        self.root.join("experiments")
    }

    pub(crate) fn experiment(&self, id: ExperimentId) -> PathBuf {
        self.experiments().join(id.to_string())
    }

    pub(crate) fn experiment_file(&self, id: ExperimentId) -> PathBuf {
        self.experiment(id).join("experiment.tw")
    }

    pub(crate) fn runs(&self, id: ExperimentId) -> PathBuf {
        self.experiment(id).join("runs")
    }

    pub(crate) fn run(&self, id: ExperimentId, run: RunId) -> PathBuf {
        self.runs(id).join(run.to_string())
    }

    pub(crate) fn packs(&self, id: ExperimentId) -> PathBuf {
        self.experiment(id).join("packs")
    }

    /// Where the logged models of an experiment are.
    pub(crate) fn logged_models(&self, id: ExperimentId) -> PathBuf {
        self.experiment(id).join("models")
    }

    pub(crate) fn logged_model(&self, id: ExperimentId, model: LoggedModelId) -> PathBuf {
        self.logged_models(id).join(model.to_string())
    }

    pub(crate) fn logged_model_file(&self, id: ExperimentId, model: LoggedModelId) -> PathBuf {
        self.logged_model(id, model).join(LOGGED_MODEL)
    }

    /// Held while a logged model is changed: the locks of runs, of which there are enough.
    pub(crate) fn logged_model_lock(&self, model: LoggedModelId) -> PathBuf {
        self.run_lock(RunId::from_bytes(*model.as_bytes()))
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Where the model of this name is.
    pub(crate) fn model_file(&self, name: &str) -> PathBuf {
        self.models().join(format!("{}.tw", file_stem(name)))
    }

    pub(crate) fn catalog_dir(&self) -> PathBuf {
        self.root.join("catalog")
    }

    pub(crate) fn catalog_file(&self) -> PathBuf {
        self.catalog_dir().join("catalog.tw")
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Held while experiments, models or the catalog change.
    pub(crate) fn store_lock(&self) -> PathBuf {
        self.locks().join("store")
    }

    /// Held by the one process that compacts.
    pub(crate) fn compaction_lock(&self) -> PathBuf {
        self.locks().join("compaction")
    }

    /// Held while params of a run are checked and while a run is created, resumed, completed or edited.
    pub(crate) fn run_lock(&self, run: RunId) -> PathBuf {
        let [.., last] = run.as_bytes();
        self.locks().join(format!("runs-{:x}", last % RUN_LOCKS))
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }
}

pub(crate) fn log_name(id: LogId) -> String {
    format!("{id}.log")
}

pub(crate) fn segment_name(first: LogId, salt: u64) -> String {
    format!("{first}-{:08x}.seg", salt as u32)
}

pub(crate) fn pack_name(salt: u64) -> String {
    format!("{salt:016x}.pack")
}

/// The name of the file of a logged model in its folder.
pub(crate) const LOGGED_MODEL: &str = "model.tw";

/// The name of a file with metrics of a logged model.
pub(crate) fn points_name(salt: u64) -> String {
    format!("{salt:016x}.points")
}

pub(crate) const ARTIFACTS: &str = "artifacts";

pub(crate) fn parse_run_entry(name: &str) -> RunEntryName {
    if name == ARTIFACTS {
        return RunEntryName::Artifacts;
    }
    match name.rsplit_once('.') {
        Some((stem, "log")) => LogId::parse(stem).map_or(RunEntryName::Other, RunEntryName::Log),
        Some((_, "seg")) => RunEntryName::Segment,
        Some((_, "log-new" | "seg-new")) => RunEntryName::Temporary,
        _ => RunEntryName::Other,
    }
}

/// Whether a name in the folder of the models is that of one: a hash has one spelling.
pub(crate) fn is_model_file(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_suffix(".tw").is_some_and(|stem| stem.len() == 32 && stem.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_run_are_told_apart() {
        let id = LogId { created_us: 17, salt: 4 };
        assert_eq!(parse_run_entry(&log_name(id)), RunEntryName::Log(id));
        assert_eq!(parse_run_entry(&segment_name(id, 9)), RunEntryName::Segment);
        assert_eq!(parse_run_entry("x.seg-new"), RunEntryName::Temporary);
        assert_eq!(parse_run_entry("artifacts"), RunEntryName::Artifacts);
        assert_eq!(parse_run_entry("notes.log"), RunEntryName::Other);
    }
}
