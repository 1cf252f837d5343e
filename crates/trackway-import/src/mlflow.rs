//! What both stores of MLflow have in common: what a run says of itself, and where its artifacts are.

pub(crate) mod models;

use crate::artifacts::put_folder;
use crate::error::{At as _, Error, Result};
use crate::id::derived;
use crate::session::{EXPERIMENT_CREATED_TAG, EXPERIMENT_ID_TAG, Report, Session, SourceExperiment, Watch};
use crate::target::{Facts, clean_name};
use crate::{mlflow_sqlite, mlruns};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trackway::{Artifacts, DatasetInput, ModelLink, RunId, RunStatus, StatusCause, Store};

/// Tag of a run whose id was not 32 hex digits: that id.
pub const RUN_ID_TAG: &str = "trackway.import.run_id";

const NAME_TAG: &str = "mlflow.runName";
const USER_TAG: &str = "mlflow.user";
const PARENT_TAG: &str = "mlflow.parentRunId";

/// Choices of [`import_mlflow`].
#[derive(Clone, Debug, Default)]
pub struct MlflowOptions {
    /// Folder with the artifacts, `<experiment id>/<run id>/artifacts` and `<experiment id>/models/<model id>/artifacts`
    /// below it, when they are not where the store says: of a server with `mlflow-artifacts:` or `s3:` URIs, or of a store
    /// that was moved.
    pub artifacts: Option<PathBuf>,
}

/// Imports the experiments, runs and logged models of an MLflow store: a folder `mlruns`, or a file of SQLite (also as
/// `sqlite:///path`). Ids of runs and models are kept. Importing again adds what is new.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
/// use trackway_import::{MlflowOptions, import_mlflow, keep_going};
///
/// let report = import_mlflow(&store, &data.join("mlruns"), &MlflowOptions::default(), &mut keep_going).unwrap();
/// assert_eq!((report.new_runs, report.failures.len()), (5, 0));
/// let again = import_mlflow(&store, &data.join("mlruns"), &MlflowOptions::default(), &mut keep_going).unwrap();
/// assert!(again.is_unchanged());
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// The path is no store of MLflow, the store cannot be written, the caller stopped it. What goes wrong with a single run
/// or model is in [`Report::failures`], and the others are imported.
pub fn import_mlflow(store: &Store, path: &Path, options: &MlflowOptions, watch: Watch<'_>) -> Result<Report> {
    let path = path.to_str().and_then(|text| text.strip_prefix("sqlite:///")).map_or(path, Path::new);
    let mut session = Session::new(store, watch)?;
    if std::fs::metadata(path).at(path, "look at")?.is_dir() {
        mlruns::import(&mut session, path, options)?;
    } else {
        mlflow_sqlite::import(&mut session, path, options)?;
    }
    Ok(session.report)
}

pub(crate) fn source_experiment(
    id: &str,
    name: &str,
    is_deleted: bool,
    created: Option<i64>,
    mut tags: BTreeMap<String, String>,
) -> SourceExperiment {
    tags.insert(EXPERIMENT_ID_TAG.to_owned(), id.to_owned());
    if let Some(created) = created {
        tags.insert(EXPERIMENT_CREATED_TAG.to_owned(), created.to_string());
    }
    SourceExperiment { name: name.to_owned(), is_deleted, tags }
}

/// What MLflow says of a run, as it says it.
#[derive(Debug, Default)]
pub(crate) struct RunInfo {
    pub(crate) id: String,
    pub(crate) place: String,
    pub(crate) name: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) status: RunStatus,
    pub(crate) start_time: Option<i64>,
    pub(crate) end_time: Option<i64>,
    pub(crate) is_deleted: bool,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) datasets: Vec<DatasetInput>,
    pub(crate) models: Vec<ModelLink>,
}

/// The id of a run; of one that has another form a fingerprint.
pub(crate) fn run_id(text: &str) -> RunId {
    text.parse().unwrap_or_else(|_| derived(&["mlflow", text]))
}

impl RunInfo {
    /// The same for a store of Trackway. Tags that say what a run has a field for go into that field, under which
    /// searches find them as tags too; they stay tags where the two differ.
    pub(crate) fn into_facts(mut self) -> Facts {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let tagged = |tags: &BTreeMap<String, String>, key: &str| some(tags.get(key).cloned());
        let name = some(self.name).or_else(|| tagged(&self.tags, NAME_TAG)).unwrap_or_default();
        let user = tagged(&self.tags, USER_TAG).or_else(|| some(self.user)).unwrap_or_default();
        let parent = self.tags.get(PARENT_TAG).and_then(|id| id.parse::<RunId>().ok());
        let clean = clean_name(&name);
        for (key, held) in [(NAME_TAG, clean.clone()), (USER_TAG, user.clone())] {
            if self.tags.get(key).is_some_and(|value| *value == held) {
                self.tags.remove(key);
            }
        }
        if clean != name {
            self.tags.insert(NAME_TAG.to_owned(), name);
        }
        if parent.is_some_and(|parent| self.tags.get(PARENT_TAG) == Some(&parent.to_string())) {
            self.tags.remove(PARENT_TAG);
        }
        let id = run_id(&self.id);
        if self.id.parse::<RunId>().is_err() {
            self.tags.insert(RUN_ID_TAG.to_owned(), self.id);
        }
        self.models.sort_unstable();
        self.models.dedup();
        let mut facts = Facts {
            id,
            place: self.place,
            name: clean,
            user,
            parent,
            start_time: self.start_time,
            status: self.status,
            cause: StatusCause::Reported,
            end_time: self.end_time.filter(|_| self.status.is_ended()),
            is_deleted: self.is_deleted,
            params: self.params,
            tags: self.tags,
            datasets: self.datasets,
            models: self.models,
        };
        facts.tag_open_status();
        facts
    }
}

/// Puts the artifacts of a run or model: those in the first of these folders that exists.
pub(crate) fn put_artifacts(session: &mut Session<'_>, to: &Artifacts, candidates: &[PathBuf]) -> Result<()> {
    candidates.iter().find(|folder| folder.is_dir()).map_or(Ok(()), |folder| put_folder(session, to, folder))
}

/// The folder of a local URI or path; `None` for any other.
pub(crate) fn local_folder(uri: &str, base: &Path) -> Option<PathBuf> {
    if let Some(rest) = uri.strip_prefix("file:") {
        let path = rest.strip_prefix("//").map_or(rest, |rest| rest.strip_prefix("localhost").unwrap_or(rest));
        return Some(PathBuf::from(unquote(path)));
    }
    let is_remote = uri.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    (!is_remote && !uri.is_empty()).then(|| base.join(uri))
}

/// Resolves `%41` and the like.
fn unquote(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The status that MLflow's files have as a number.
pub(crate) fn status_of_number(path: &Path, number: i64) -> Result<RunStatus> {
    // In the order of MLflow's own numbers, from 1.
    let known = usize::try_from(number).ok().and_then(|number| RunStatus::ALL.get(number.wrapping_sub(1)));
    known.copied().ok_or_else(|| Error::source(path, format!("{number} is not the status of a run")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_artifacts_are_told_from_remote_ones() {
        let base = Path::new("/base");
        let folder = |uri| local_folder(uri, base);
        assert_eq!(folder("file:///a/b%20c"), Some("/a/b c".into()));
        assert_eq!(folder("file://localhost/a"), Some("/a".into()));
        assert_eq!(folder("file:/a%"), Some("/a%".into()));
        assert_eq!(folder("/a/b"), Some("/a/b".into()));
        assert_eq!(folder("./mlruns/0"), Some("/base/./mlruns/0".into()));
        for remote in ["s3://bucket/a", "mlflow-artifacts:/0/a", "dbfs:/a", ""] {
            assert_eq!(folder(remote), None, "{remote}");
        }
    }
}
