//! Creating, resuming, finding and listing runs.

use super::quarantine::move_aside;
use super::run_core::{RunCore, check_new_run, new_params};
use super::run_view::{RunView, decode_meta};
use super::run_writer::RunWriter;
use super::{Shared, Store, lock};
use crate::catalog::RunState;
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry, Summary};
use crate::format::record::Change;
use crate::types::{Experiment, ExperimentId, LifecycleStage, NewRun, Run, RunId, RunStatus, StatusCause};
use std::collections::HashSet;
use std::sync::Arc;

/// Which lifecycle stages a listing shows.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{RunFilter, View};
///
/// store.delete_run(run.id())?;
/// assert_eq!(store.runs(&RunFilter::default())?.len(), 0);
/// assert_eq!(store.runs(&RunFilter { view: View::Deleted, ..RunFilter::default() })?.len(), 1);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum View {
    /// Only what is in use.
    #[default]
    Active,
    /// Only what was deleted.
    Deleted,
    /// Both.
    All,
}

impl View {
    pub(crate) fn shows(self, stage: LifecycleStage) -> bool {
        match self {
            Self::Active => stage == LifecycleStage::Active,
            Self::Deleted => stage == LifecycleStage::Deleted,
            Self::All => true,
        }
    }
}

/// Which runs a listing shows; the default is all active ones.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::RunFilter;
///
/// let digits = store.create_experiment("digits")?;
/// let filter = RunFilter { experiment_id: Some(digits), ..RunFilter::default() };
/// assert!(store.runs(&filter)?.is_empty());
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs of this experiment.
    pub experiment_id: Option<ExperimentId>,
    /// Which lifecycle stages.
    pub view: View,
}

impl Shared {
    /// Takes the catalog's lock and brings the journal up to date.
    pub(super) fn with_journal<T>(&self, work: impl FnOnce(&mut crate::catalog::Journal) -> Result<T>) -> Result<T> {
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let mut journal = lock(&self.journal);
        journal.refresh()?;
        if journal.is_lost() {
            self.clear_catalog_place()?;
            let entries = self.entries_from_folders()?;
            journal.replace(entries);
            // At once: the file may be whole and only have refused to be read. What is settled there and not here any
            // more would come back to whoever reads it next.
            journal.rewrite()?;
        }
        work(&mut journal)
    }

    /// Moves what is no file out of the catalog's place, as a folder or link that somebody made: a file cannot take the
    /// name of a folder. The caller holds the store's lock.
    fn clear_catalog_place(&self) -> Result<()> {
        let path = self.paths.catalog_file();
        let what = match self.env.fs.metadata(&path).map(|metadata| metadata.kind) {
            Ok(FileKind::File) => {
                self.note_incident(&path, 0, "it was damaged; it is made anew from the folders of the runs".to_owned());
                return Ok(());
            }
            Ok(FileKind::Dir) => "a folder",
            Ok(FileKind::Other) => "a link or a special file",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).at(&path, "look at"),
        };
        let aside = move_aside(&self.env, &self.paths, &path, "catalog.tw")?;
        let what = format!("it was {what}; that was moved to {}, and the catalog rebuilt", aside.display());
        self.note_incident(&path, 0, what);
        Ok(())
    }

    /// Says in the catalog that the run's files have to be asked. Durable when the catalog said otherwise before: an
    /// old summary must not come back with the power.
    pub(super) fn unsettle(&self, run_id: RunId, experiment_id: ExperimentId) -> Result<()> {
        self.with_journal(|journal| match journal.get(run_id).map(|entry| &entry.state) {
            // Whoever said so may have died before it was durable.
            Some(EntryState::Unsettled) => journal.make_durable(),
            known => {
                let durable = known.is_some();
                journal.append(RunEntry { run_id, experiment_id, state: EntryState::Unsettled }, durable)
            }
        })
    }

    /// The catalog's entry, after a look at what others have appended.
    pub(super) fn entry(&self, id: RunId) -> Result<RunEntry> {
        let mut journal = lock(&self.journal);
        self.refresh_for_reading(&mut journal)?;
        let entry = journal.get(id).filter(|entry| entry.state != EntryState::Removed);
        entry.cloned().ok_or_else(|| Error::not_found("run", id))
    }

    /// Without a catalog a reader makes one for itself, in memory.
    pub(super) fn refresh_for_reading(&self, journal: &mut crate::catalog::Journal) -> Result<()> {
        journal.refresh()?;
        if journal.is_lost() {
            let entries = self.entries_from_folders()?;
            journal.replace(entries);
        }
        Ok(())
    }

    pub(super) fn run_from_summary(&self, entry: &RunEntry, summary: &Summary) -> Result<Run> {
        let records = decode_meta(&self.paths.catalog_file(), &summary.meta)?;
        self.saw_change(records.iter().map(|record| record.at_us).max().unwrap_or(0));
        let metrics = summary.metrics.iter().cloned();
        Ok(RunState::from_records(&records).to_run(entry.run_id, entry.experiment_id, metrics.collect()))
    }

    /// Notes, once, that a listing lacks a run or some of it.
    fn note_unread(&self, entry: &RunEntry, error: &Error) {
        let what = format!("not all of the run can be read: {error}");
        if !lock(&self.incidents).iter().any(|known| known.what == what) {
            self.note_incident(&self.paths.run(entry.experiment_id, entry.run_id), 0, what);
        }
    }

    /// The runs of these experiments, of all when there are none, in no order.
    pub(super) fn listed(&self, experiments: &[ExperimentId], view: View) -> Result<Vec<Run>> {
        let entries: Vec<RunEntry> = {
            let mut journal = lock(&self.journal);
            self.refresh_for_reading(&mut journal)?;
            let wanted = |entry: &&RunEntry| {
                let is_of_these = experiments.is_empty() || experiments.contains(&entry.experiment_id);
                is_of_these && entry.state != EntryState::Removed
            };
            journal.entries().values().filter(wanted).cloned().collect()
        };
        let mut runs = Vec::new();
        for entry in &entries {
            match self.run_from_entry(entry) {
                Ok(run) => runs.push(run),
                Err(Error::NotFound { .. }) => {}
                // One run that cannot be read does not hide the others.
                Err(error) => self.note_unread(entry, &error),
            }
        }
        runs.retain(|run| view.shows(run.lifecycle_stage));
        Ok(runs)
    }

    fn run_from_entry(&self, entry: &RunEntry) -> Result<Run> {
        match &entry.state {
            EntryState::Settled(summary) => self.run_from_summary(entry, summary),
            _ => {
                let view = RunView::read(self, entry.experiment_id, entry.run_id)?;
                // Shown as far as it can be read, but not as if that were all.
                let damage = view.files.damage.iter().chain(&view.lost_ends);
                damage.for_each(|damage| self.note_unread(entry, damage));
                Ok(view.to_run(self, &view.metrics()))
            }
        }
    }
}

impl Store {
    /// Creates a run in state `RUNNING` and returns its writer.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{ExperimentId, NewRun};
    ///
    /// let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).name("baseline").param("lr", "0.1"))?;
    /// run.log_metric("loss", 0, 0.5)?;
    /// run.finish()?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::InvalidState`] when the experiment does not exist or is deleted,
    /// [`Error::AlreadyExists`] when the given id is taken, [`Error::ParamConflict`] when a param is given twice with
    /// different values; names and values that break their rules; a read-only store; system errors.
    pub fn create_run(&self, new: NewRun) -> Result<RunWriter> {
        let shared = &self.shared;
        shared.check_writable()?;
        check_new_run(&new)?;
        let experiment = shared.active_experiment(new.experiment_id)?;
        let id = new.id.unwrap_or_else(|| RunId::from_bytes(shared.env.clock.random_id()));
        let changes = creation(shared, id, &experiment, new)?;
        let _run_lock = shared.lock_run(id)?;
        match shared.entry(id) {
            Ok(_) => return Err(Error::AlreadyExists { what: "run", name: id.to_string() }),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        shared.unsettle(id, experiment.id)?;
        let dir = shared.paths.run(experiment.id, id);
        let begun = shared
            .env
            .fs
            .create_dir_all(&dir)
            .at(&dir, "create")
            .and_then(|()| RunCore::begin(shared, experiment.id, id, RunState::default(), 0, changes));
        match begun {
            Ok(core) => Ok(RunWriter::new(core, &self.open)),
            Err(error) => {
                // What cannot be removed now says nothing, is shown to nobody, and goes when the store is next opened.
                let _ = shared.forget_run(experiment.id, id, &dir);
                Err(error)
            }
        }
    }

    /// Opens one more writer of an existing run, whatever its status; the run is `RUNNING` again. Several processes
    /// may write to one run at a time.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.finish()?;
    /// let again = store.resume_run(run.id())?;
    /// again.log_metric("loss", 1, 0.25)?;
    /// assert!(!store.run(run.id())?.status.is_ended());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidState`] when the run is deleted, a read-only store, system errors.
    pub fn resume_run(&self, id: RunId) -> Result<RunWriter> {
        let shared = &self.shared;
        shared.check_writable()?;
        let _run_lock = shared.lock_run(id)?;
        let entry = shared.entry(id)?;
        let view = RunView::read(shared, entry.experiment_id, id)?;
        view.check_read()?;
        if view.state.deleted_at().is_some() {
            return Err(Error::InvalidState {
                what: "run",
                name: id.to_string(),
                state: "is deleted; restore it first",
            });
        }
        shared.unsettle(id, entry.experiment_id)?;
        let after_us = view.last_log_us;
        let core = RunCore::begin(shared, entry.experiment_id, id, view.state, after_us, vec![running()])?;
        Ok(RunWriter::new(core, &self.open))
    }

    /// One run with params, tags and a summary of each metric.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_param("lr", "0.1")?;
    /// assert_eq!(store.run(run.id())?.params["lr"], "0.1");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; damaged files; system errors.
    pub fn run(&self, id: RunId) -> Result<Run> {
        self.shared.run_from_entry(&self.shared.entry(id)?)
    }

    /// The runs that `filter` lets through, those that started last first.
    ///
    /// Ended runs are answered from the catalog; the files of runs that are being written are asked. A run whose
    /// files are damaged is shown as far as it can be read, or left out when nothing can: [`Self::verify`] names it, and
    /// [`Self::incidents`] says why.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::RunFilter;
    ///
    /// assert_eq!(store.runs(&RunFilter::default())?[0].id, run.id());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        let experiments: Vec<ExperimentId> = filter.experiment_id.into_iter().collect();
        let mut runs = self.shared.listed(&experiments, filter.view)?;
        runs.sort_by(|a, b| (b.start_time, a.id).cmp(&(a.start_time, b.id)));
        Ok(runs)
    }
}

/// The changes that create a run.
fn creation(shared: &Shared, id: RunId, experiment: &Experiment, new: NewRun) -> Result<Vec<Change>> {
    let params: Vec<(&str, &str)> = new.params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let params = new_params(id, &RunState::default(), &HashSet::new(), &params)?;
    let mut changes = vec![Change::Created {
        experiment_id: experiment.id,
        experiment_name: experiment.name.clone(),
        start_time: new.start_time.unwrap_or_else(|| shared.now_ms()),
        user: new.user.unwrap_or_default(),
        parent: new.parent,
    }];
    changes.extend(new.name.map(Change::Name));
    changes.push(running());
    changes.extend(new.tags.into_iter().map(|(key, value)| Change::Tag { key, value }));
    changes.extend(params);
    Ok(changes)
}

fn running() -> Change {
    Change::Status { status: RunStatus::Running, cause: StatusCause::Reported, end_time: None }
}

/// Keeps the compiler's promise that a writer can be shared between threads.
const fn _assert_shareable<T: Send + Sync>() {}
const _: () = _assert_shareable::<Arc<RunCore>>();
