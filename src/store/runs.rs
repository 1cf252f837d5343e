//! Creating, resuming, finding and listing runs.

use super::quarantine::move_aside;
use super::run_core::{RunCore, check_new_run, new_params};
use super::run_view::RunView;
use super::run_writer::RunWriter;
use super::search::RunQuery;
use super::{Shared, Store, lock};
use crate::catalog::{Brief, BriefState, Catalog, Journal, RunState};
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry};
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
    pub(super) fn with_journal<T>(&self, work: impl Fn(&mut Journal) -> Result<T>) -> Result<T> {
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let mut journal = lock(&self.journal);
        journal.refresh()?;
        self.mend_catalog(&mut journal)?;
        match work(&mut journal) {
            // The index turned out to be damaged meanwhile.
            Err(Error::Corrupt { .. }) if journal.is_lost() => {
                self.mend_catalog(&mut journal)?;
                work(&mut journal)
            }
            done => done,
        }
    }

    /// Makes the catalog anew when it is lost. The caller holds the store's lock.
    fn mend_catalog(&self, journal: &mut Journal) -> Result<()> {
        if !journal.is_lost() {
            return Ok(());
        }
        self.clear_catalog_place()?;
        let entries = self.entries_from_folders()?;
        journal.replace(entries);
        // At once: the file may be whole and only have refused to be read. What is settled there and not here any
        // more would come back to whoever reads it next.
        journal.rewrite()
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
        self.with_journal(|journal| match journal.brief(run_id)?.map(|brief| brief.state) {
            // Whoever said so may have died before it was durable.
            Some(BriefState::Unsettled) => journal.make_durable(),
            known => {
                let durable = known.is_some();
                journal.append(RunEntry { run_id, experiment_id, state: EntryState::Unsettled }, durable)
            }
        })
    }

    /// Says in the catalog that there is a new run of this id, if there is none yet. Durable when one was removed, whose summary
    /// must not come back with the power.
    fn claim(&self, run_id: RunId, experiment_id: ExperimentId) -> Result<()> {
        self.with_journal(|journal| {
            let known = journal.brief(run_id)?;
            if known.is_some_and(|known| known.state != BriefState::Removed) {
                return Err(Error::AlreadyExists { what: "run", name: run_id.to_string() });
            }
            let entry = RunEntry { run_id, experiment_id, state: EntryState::Unsettled };
            journal.append(entry, known.is_some())
        })
    }

    /// Asks the catalog, after a look at what others have appended. Without one a reader makes one for itself, in memory.
    pub(super) fn read_catalog<T>(&self, ask: impl Fn(&mut Journal) -> Result<T>) -> Result<T> {
        let mut journal = lock(&self.journal);
        journal.refresh()?;
        if !journal.is_lost() {
            match ask(&mut journal) {
                Err(Error::Corrupt { .. }) if journal.is_lost() => {}
                answer => return answer,
            }
        }
        let entries = self.entries_from_folders()?;
        journal.replace(entries);
        ask(&mut journal)
    }

    /// All that the catalog knows of a run.
    pub(super) fn entry(&self, id: RunId) -> Result<RunEntry> {
        let entry = self.read_catalog(|journal| journal.entry(id))?;
        entry.filter(|entry| entry.state != EntryState::Removed).ok_or_else(|| Error::not_found("run", id))
    }

    /// Where a run is.
    pub(super) fn brief(&self, id: RunId) -> Result<Brief> {
        let brief = self.read_catalog(|journal| journal.brief(id))?;
        brief.filter(|brief| brief.state != BriefState::Removed).ok_or_else(|| Error::not_found("run", id))
    }

    /// The catalog as it is now. What it turns out to lack is left to `again`, which is asked with another one then.
    pub(super) fn ask_catalog<T>(&self, ask: impl Fn(&Catalog) -> Result<T>) -> Result<T> {
        let catalog = self.read_catalog(|journal| Ok(journal.view()))?;
        self.saw_change(catalog.latest_us());
        match ask(&catalog) {
            Err(Error::Corrupt { path, .. }) if path == self.paths.catalog_file() => {
                lock(&self.journal).lose_index_of(&catalog);
                ask(&self.read_catalog(|journal| Ok(journal.view()))?)
            }
            answer => answer,
        }
    }

    /// Notes, once, that a listing lacks a run or some of it.
    fn note_unread(&self, entry: &Brief, error: &Error) {
        let what = format!("not all of the run can be read: {error}");
        if !lock(&self.incidents).iter().any(|known| known.what == what) {
            self.note_incident(&self.paths.run(entry.experiment_id, entry.run_id), 0, what);
        }
    }

    /// The runs of these experiments (ascending; of all when there are none) of which the catalog says to ask them
    /// themselves.
    pub(super) fn live_runs(&self, catalog: &Catalog, experiments: &[ExperimentId]) -> Vec<Run> {
        let mut runs = Vec::new();
        let wanted = |brief: &Brief| experiments.is_empty() || experiments.binary_search(&brief.experiment_id).is_ok();
        for brief in catalog.unsettled().filter(wanted) {
            match self.ask_run(&brief) {
                Ok(run) => runs.push(run),
                Err(Error::NotFound { .. }) => {}
                // One run that cannot be read does not hide the others.
                Err(error) => self.note_unread(&brief, &error),
            }
        }
        runs
    }

    fn ask_run(&self, brief: &Brief) -> Result<Run> {
        let view = RunView::read(self, brief.experiment_id, brief.run_id)?;
        // Shown as far as it can be read, but not as if that were all.
        let damage = view.files.damage.iter().chain(&view.lost_ends);
        damage.for_each(|damage| self.note_unread(brief, damage));
        Ok(view.to_run(self, &view.metrics()))
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
        shared.claim(id, experiment.id)?;
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
        self.open_writer(id, |_| vec![running()])
    }

    /// As [`Self::resume_run`], but a run whose end was reported stays as it is: something is added to it after the fact.
    /// One whose writer was dropped or vanished is `RUNNING` again.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.finish()?;
    /// let evaluation = store.append_run(run.id())?;
    /// evaluation.log_metric("test/accuracy", 0, 0.93)?;
    /// evaluation.leave()?;
    /// assert_eq!(store.run(run.id())?.status, trackway::RunStatus::Finished);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::resume_run`].
    pub fn append_run(&self, id: RunId) -> Result<RunWriter> {
        self.open_writer(id, |state| {
            let is_over = state.status().is_ended() && state.status_cause() == StatusCause::Reported;
            if is_over { Vec::new() } else { vec![running()] }
        })
    }

    /// One more writer of a run, which begins with what `first` makes of the run's state.
    fn open_writer(&self, id: RunId, first: impl FnOnce(&RunState) -> Vec<Change>) -> Result<RunWriter> {
        let shared = &self.shared;
        shared.check_writable()?;
        let _run_lock = shared.lock_run(id)?;
        let entry = shared.brief(id)?;
        let view = RunView::read(shared, entry.experiment_id, id)?;
        view.files.check_read()?;
        if view.state.deleted_at().is_some() {
            return Err(Error::InvalidState {
                what: "run",
                name: id.to_string(),
                state: "is deleted; restore it first",
            });
        }
        shared.unsettle(id, entry.experiment_id)?;
        // A run that lies in a pack has no folder.
        let dir = shared.paths.run(entry.experiment_id, id);
        shared.env.fs.create_dir_all(&dir).at(&dir, "create")?;
        let after_us = view.last_log_us;
        let first = first(&view.state);
        let core = RunCore::begin(shared, entry.experiment_id, id, view.state, after_us, first)?;
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
        let shared = &self.shared;
        match shared.read_catalog(|journal| journal.settled_run(id))? {
            Some(run) => Ok(run),
            None => shared.ask_run(&shared.brief(id)?),
        }
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
        Ok(self.search(&RunQuery { experiments, view: filter.view, ..RunQuery::default() })?.runs)
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
