//! Changes of runs from outside their writers: after the fact, or by another process.

use super::open::sync_up;
use super::run_view::RunView;
use super::{Shared, Store};
use crate::error::{Error, Result};
use crate::format::record::{Change, Meta};
use crate::types::{RunId, RunName, RunStatus, StatusCause, TagKey, check_value};

impl Shared {
    /// Makes durable changes to a run, live or ended. `decide` sees the run as all its files say it is.
    fn edit_run(&self, id: RunId, decide: impl FnOnce(&RunView) -> Result<Option<Change>>) -> Result<()> {
        self.check_writable()?;
        let _run_lock = self.lock_run(id)?;
        let entry = self.brief(id)?;
        let view = RunView::read(self, entry.experiment_id, id)?;
        view.files.check_read()?;
        let change = decide(&view)?;
        if change.is_some() {
            self.unsettle(id, entry.experiment_id)?;
        }
        // The change will be durable, and says what the run was: what the run's ended writers logged must not be less so.
        // Nor must what makes the change needless, which a call may have left that was killed before it was durable.
        view.files.logs.iter().try_for_each(|(_, path)| self.sync_log(path))?;
        let dir = self.paths.run(entry.experiment_id, id);
        let Some(change) = change else { return self.sync_run(&view) };
        let record = Meta { at_us: self.time_after(view.state.latest_us()), change };
        self.write_meta(&view, &[record])?;
        // The change is durable. Settling also a live run: what its writer appends later is in its log, and is asked.
        if let Err(error) = self.settle(entry.experiment_id, id) {
            self.note_once(&dir, &error);
        }
        Ok(())
    }
}

impl Shared {
    /// Makes the names of a run's files durable.
    fn sync_run(&self, view: &RunView) -> Result<()> {
        self.sync_segments(&view.files)?;
        if view.files.is_packed() {
            return Ok(());
        }
        sync_up(&self.env, &self.paths.run(view.experiment_id, view.id), self.paths.root())
    }
}

fn check_active(view: &RunView) -> Result<()> {
    if view.state.deleted_at().is_some() {
        let name = view.id.to_string();
        return Err(Error::InvalidState { what: "run", name, state: "is deleted; restore it first" });
    }
    Ok(())
}

impl Store {
    /// Names a run, before, while or after it runs.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// store.set_run_name(run.id(), "baseline")?;
    /// assert_eq!(store.run(run.id())?.name, "baseline");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::InvalidState`] when it is deleted, a name that breaks a rule of [`RunName`], a
    /// read-only store, system errors.
    pub fn set_run_name(&self, id: RunId, name: &str) -> Result<()> {
        RunName::check(name)?;
        self.shared.edit_run(id, |view| check_active(view).map(|()| Some(Change::Name(name.to_owned()))))
    }

    /// Says what state a run is in, from outside its writers; `end_time` in milliseconds since the Unix epoch, now when
    /// `None`, and of no meaning for a state that does not end a run. The latest word counts: a writer that ends the run
    /// later overrules it. A run that is `RUNNING` by this call stays so although nobody writes to it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::RunStatus;
    ///
    /// run.finish()?;
    /// store.set_run_status(run.id(), RunStatus::Failed, None)?; // its result turned out to be wrong
    /// assert_eq!(store.run(run.id())?.status, RunStatus::Failed);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::set_run_name`].
    pub fn set_run_status(&self, id: RunId, status: RunStatus, end_time: Option<i64>) -> Result<()> {
        let end_time = Some(end_time.unwrap_or_else(|| self.shared.now_ms()));
        let change = Change::Status { status, cause: StatusCause::Reported, end_time };
        self.shared.edit_run(id, |view| check_active(view).map(|()| Some(change)))
    }

    /// Sets a tag of a run.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// store.set_run_tag(run.id(), "reviewed", "yes")?;
    /// assert_eq!(store.run(run.id())?.tags["reviewed"], "yes");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::set_run_name`].
    pub fn set_run_tag(&self, id: RunId, key: &str, value: &str) -> Result<()> {
        TagKey::check(key)?;
        check_value("tag value in bytes", value)?;
        let change = Change::Tag { key: key.to_owned(), value: value.to_owned() };
        self.shared.edit_run(id, |view| check_active(view).map(|()| Some(change)))
    }

    /// Deletes a tag of a run.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// store.set_run_tag(run.id(), "draft", "yes")?;
    /// store.delete_run_tag(run.id(), "draft")?;
    /// assert!(store.run(run.id())?.tags.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] also when there is no such tag; otherwise as [`Self::set_run_name`].
    pub fn delete_run_tag(&self, id: RunId, key: &str) -> Result<()> {
        self.shared.edit_run(id, |view| {
            check_active(view)?;
            if !view.state.has_tag(key) {
                return Err(Error::not_found("tag", key));
            }
            Ok(Some(Change::TagDeleted { key: key.to_owned() }))
        })
    }

    /// Deletes a run: it is hidden, and compaction removes its files after the retention
    /// ([`StoreOptions::deleted_retention`](crate::StoreOptions::deleted_retention)). Deleting it again changes
    /// nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// store.delete_run(run.id())?;
    /// assert!(store.run(run.id())?.deleted_at.is_some());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a read-only store, system errors.
    pub fn delete_run(&self, id: RunId) -> Result<()> {
        self.set_deleted(id, true)
    }

    /// Restores a deleted run. Restoring one that is not deleted changes nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// store.delete_run(run.id())?;
    /// store.restore_run(run.id())?;
    /// assert_eq!(store.run(run.id())?.deleted_at, None);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] (also when the retention has passed), a read-only store, system errors.
    pub fn restore_run(&self, id: RunId) -> Result<()> {
        self.set_deleted(id, false)
    }

    fn set_deleted(&self, id: RunId, deleted: bool) -> Result<()> {
        let at = self.shared.now_ms();
        self.shared.edit_run(id, |view| {
            // What a damaged file says does not count any more once there is a later word.
            let is_known = view.files.damage.is_empty() && view.state.deleted_at().is_some() == deleted;
            Ok((!is_known).then_some(Change::Lifecycle { deleted, at }))
        })
    }
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
