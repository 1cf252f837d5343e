//! One import: the store, what was done so far, and whoever watches.

use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::ops::ControlFlow;
use trackway::{Experiment, ExperimentId, LifecycleStage, Store};

/// Tag of an experiment: its id in the source.
pub const EXPERIMENT_ID_TAG: &str = "trackway.import.experiment_id";

/// Tag of an experiment: when it was created in the source, in milliseconds since the Unix epoch.
pub const EXPERIMENT_CREATED_TAG: &str = "trackway.import.creation_time";

/// Tag of an experiment or run that is deleted in the source, until all of it is here and it is deleted here too.
pub(crate) const TO_DELETE_TAG: &str = "trackway.import.to_delete";

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Runs that are done.
    pub runs: u64,
    /// Runs in all, as far as is known.
    pub total_runs: u64,
    /// Logged models that are done.
    pub models: u64,
    /// Logged models in all, as far as is known.
    pub total_models: u64,
    /// Points added so far.
    pub points: u64,
    /// Bytes of artifacts added so far.
    pub artifact_bytes: u64,
}

/// Called now and then with the progress; `Break` stops the import with [`Error::Stopped`].
///
/// ```
/// use std::ops::ControlFlow;
/// use trackway_import::{Progress, Watch};
///
/// let mut watch = |progress: Progress| {
///     eprintln!("{}/{} runs", progress.runs, progress.total_runs);
///     ControlFlow::Continue(())
/// };
/// let _: Watch<'_> = &mut watch;
/// ```
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// A watch that never stops an import.
///
/// ```
/// assert!(trackway_import::keep_going(trackway_import::Progress::default()).is_continue());
/// ```
pub fn keep_going(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A run or logged model of the source that could not be imported whole.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub what: String,
    /// What kept it from being imported.
    pub error: Error,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Report {
    /// Runs that the source has.
    pub runs: u64,
    /// Runs that were not in the store.
    pub new_runs: u64,
    /// Runs that were in the store and got something new.
    pub changed_runs: u64,
    /// Points added.
    pub points: u64,
    /// Artifacts added or replaced.
    pub artifacts: u64,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// Registered and logged models that are new or got something new.
    pub models: u64,
    /// What could not be imported; everything else was.
    pub failures: Vec<Failure>,
    /// What the source holds and a store cannot, and where the two say different things.
    pub notes: Vec<String>,
}

impl Report {
    /// True when the import changed nothing of the store.
    ///
    /// ```
    /// assert!(trackway_import::Report::default().is_unchanged());
    /// ```
    pub fn is_unchanged(&self) -> bool {
        self.new_runs + self.changed_runs + self.points + self.artifacts + self.models == 0
    }
}

/// What a source says of an experiment.
pub(crate) struct SourceExperiment {
    pub(crate) name: String,
    pub(crate) is_deleted: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// One import.
pub(crate) struct Session<'a> {
    pub(crate) store: &'a Store,
    pub(crate) report: Report,
    pub(crate) progress: Progress,
    watch: Watch<'a>,
    /// The store's experiments by name, as they were when the first was asked for.
    experiments: Option<HashMap<String, Experiment>>,
    /// Failures before the experiment at hand.
    failures_before: usize,
    /// Held as long as it lives.
    _lock: Option<File>,
}

/// Keeps a second import from the store: both would add what is missing. The folder itself is locked, so that nothing is
/// left behind; `None` where folders cannot be locked.
fn lock(store: &Store) -> Result<Option<File>> {
    let Ok(folder) = File::open(store.path()) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: store.path().to_path_buf() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(store: &'a Store, watch: Watch<'a>) -> Result<Self> {
        let (report, progress) = (Report::default(), Progress::default());
        Ok(Self { store, report, progress, watch, experiments: None, failures_before: 0, _lock: lock(store)? })
    }

    /// Tells how far the import is.
    pub(crate) fn tick(&mut self) -> Result<()> {
        (self.progress.points, self.progress.artifact_bytes) = (self.report.points, self.report.artifact_bytes);
        match (self.watch)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.report.notes.push(text.into());
    }

    /// Does one run's work. What keeps one run from being imported does not keep the others.
    pub(crate) fn run(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.tick()?;
        self.report.runs += 1;
        self.one(what, work)?;
        self.progress.runs += 1;
        Ok(())
    }

    /// Does the work of one logged model, which keeps no other from being imported either.
    pub(crate) fn model(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.tick()?;
        self.one(what, work)?;
        self.progress.models += 1;
        Ok(())
    }

    fn one(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        match work(self) {
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                self.report.failures.push(Failure { what: what.to_owned(), error });
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The experiment of this name, created when there is none. What it says of itself here stays.
    pub(crate) fn experiment(&mut self, source: &SourceExperiment) -> Result<ExperimentId> {
        self.failures_before = self.report.failures.len();
        let known = self.known_experiment(&source.name)?;
        let id = match &known {
            Some(known) => known.id,
            None => {
                // From now on it is to be asked for.
                self.experiments = None;
                self.store.create_experiment(&source.name)?
            }
        };
        if known.as_ref().is_some_and(|known| known.lifecycle_stage == LifecycleStage::Deleted) {
            return Ok(id);
        }
        let mut tags = source.tags.clone();
        if source.is_deleted && known.is_none() {
            tags.insert(TO_DELETE_TAG.to_owned(), "yes".to_owned());
        }
        for (key, value) in &tags {
            match known.as_ref().and_then(|known| known.tags.get(key)) {
                Some(stored) if stored != value => self.note(format!(
                    "experiment {:?}: tag {key:?} is {value:?} in the source and stays {stored:?}",
                    source.name
                )),
                Some(_) => {}
                None => self.store.set_experiment_tag(id, key, value)?,
            }
        }
        Ok(id)
    }

    fn known_experiment(&mut self, name: &str) -> Result<Option<Experiment>> {
        if self.experiments.is_none() {
            let all = self.store.experiments()?.into_iter().map(|experiment| (experiment.name.clone(), experiment));
            self.experiments = Some(all.collect());
        }
        Ok(self.experiments.as_ref().and_then(|all| all.get(name)).cloned())
    }

    /// Deletes an experiment that is deleted in the source, once all its runs are here. One that somebody restored here,
    /// or that was here before, is left alone; one of which a run is missing waits for it, since no run could come then.
    pub(crate) fn end_experiment(&mut self, source: &SourceExperiment, id: ExperimentId) -> Result<()> {
        if self.report.failures.len() > self.failures_before {
            return Ok(());
        }
        let known = self.store.experiment(id)?;
        let is_active = known.lifecycle_stage == LifecycleStage::Active;
        if source.is_deleted && is_active && known.tags.contains_key(TO_DELETE_TAG) {
            self.store.delete_experiment_tag(id, TO_DELETE_TAG)?;
            self.store.delete_experiment(id)?;
        }
        Ok(())
    }
}
