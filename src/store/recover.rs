//! What opening a store for writing does about the past: finds runs that the catalog does not know, and completes
//! those whose writers vanished.

use super::open::sync_up;
use super::paths::{RunEntryName, parse_run_entry};
use super::run_view::RunView;
use super::{Shared, lock};
use crate::catalog::{Brief, BriefState};
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry};
use crate::types::{ExperimentId, RunId};
use std::path::{Path, PathBuf};

impl Shared {
    /// The runs of an experiment of which there is a folder.
    pub(super) fn run_folders(&self, experiment: ExperimentId) -> Result<Vec<RunId>> {
        let dir = self.paths.runs(experiment);
        let entries = match self.env.fs.read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.at(&dir, "list")?,
        };
        // An id has one spelling.
        let is_plain = |name: &str| !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let named = entries.iter().filter(|entry| is_plain(&entry.name));
        Ok(named.filter_map(|entry| entry.name.parse::<RunId>().ok()).collect())
    }

    /// Every run of which there is a folder, or a segment in a pack, by id. Cost: a listing of the folders and the
    /// directories of the packs of each experiment; no file of a run is opened.
    pub(super) fn runs_on_disk(&self) -> Result<Vec<(RunId, ExperimentId)>> {
        let mut all = Vec::new();
        for experiment in self.experiment_ids()? {
            // In this order: segments move from folders to packs.
            all.extend(self.run_folders(experiment)?.into_iter().map(|run| (run, experiment)));
            all.extend(self.packed_runs(experiment)?.into_iter().map(|run| (run, experiment)));
        }
        // The directories of packs are in order already, which this sort makes use of.
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// What the catalog would hold if it knew nothing: every run, to be asked itself.
    pub(super) fn entries_from_folders(&self) -> Result<Vec<RunEntry>> {
        let unsettled = |(run_id, experiment_id)| RunEntry { run_id, experiment_id, state: EntryState::Unsettled };
        Ok(self.runs_on_disk()?.into_iter().map(unsettled).collect())
    }

    /// Gives a file to experiments that have runs and none, as after their folder was copied in: the name is the one
    /// that a run remembers, told apart by the id when it is taken. The caller holds the store's lock.
    pub(super) fn adopt_experiments(&self) -> Result<()> {
        let orphans: Vec<ExperimentId> = self
            .experiment_ids()?
            .into_iter()
            .filter(|id| matches!(self.experiment(*id), Err(Error::NotFound { .. })))
            .collect();
        if orphans.is_empty() {
            return Ok(());
        }
        let runs = self.runs_on_disk()?;
        for id in orphans {
            let members = runs.iter().filter(|(_, experiment)| *experiment == id);
            let mut views = members.map(|(run, _)| RunView::read(self, id, *run));
            if views.all(|view| matches!(view, Err(Error::NotFound { .. }))) {
                // Its creation was cut short: nobody knows of it, and no run in it says anything.
                continue;
            }
            self.adopt_experiment(id, &runs)?;
        }
        Ok(())
    }

    /// Gives the experiment a new file with the name that one of its runs remembers. The caller holds the store's lock.
    pub(super) fn adopt_experiment(&self, id: ExperimentId, runs: &[(RunId, ExperimentId)]) -> Result<()> {
        let named = runs.iter().filter(|(_, experiment)| *experiment == id).find_map(|(run, _)| {
            let view = RunView::read(self, id, *run).ok()?;
            view.state.experiment().map(|(_, name)| name.to_owned())
        });
        let name = named.unwrap_or_else(|| format!("experiment {id}"));
        let taken = self.experiments()?.iter().any(|known| known.id != id && known.name == name);
        self.new_experiment(id, &if taken { format!("{name} ({id})") } else { name })
    }

    /// Brings the catalog up to date with the folders: runs that were copied in are added, runs whose folder was
    /// removed are dropped. A lost catalog is written anew.
    pub(super) fn match_folders(&self) -> Result<()> {
        let folders = self.runs_on_disk()?;
        self.with_journal(|journal| {
            if journal.is_lost() || journal.is_torn()? {
                journal.rewrite()?;
            }
            if journal.has_just(folders.iter().copied())? {
                return Ok(());
            }
            for (run_id, experiment_id) in &folders {
                let known = journal.brief(*run_id)?;
                if known.is_none_or(|run| run.state == BriefState::Removed || run.experiment_id != *experiment_id) {
                    let state = EntryState::Unsettled;
                    journal.append(RunEntry { run_id: *run_id, experiment_id: *experiment_id, state }, false)?;
                }
            }
            let gone =
                |run: &Brief| run.is_settled() && folders.binary_search(&(run.run_id, run.experiment_id)).is_err();
            for Brief { run_id, experiment_id, .. } in journal.briefs()?.into_iter().filter(gone) {
                // It may have been created and ended since the folders were listed.
                if self.has_files(experiment_id, run_id)? {
                    continue;
                }
                journal.append(RunEntry { run_id, experiment_id, state: EntryState::Removed }, false)?;
            }
            Ok(())
        })
    }

    /// Makes durable what somebody else has logged, unless it was sealed meanwhile.
    pub(super) fn sync_log(&self, path: &Path) -> Result<()> {
        match self.env.fs.open_write(path).and_then(|file| file.sync()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(path, "sync"),
            _ => Ok(()),
        }
    }

    /// Looks at the locks of the run's logs. When somebody writes to it, the logs of those who vanished are made
    /// durable, and the rest is left to him: reading live logs is not for every process that opens the store.
    fn leave_to_live_writer(&self, dir: &Path) -> Result<bool> {
        let entries = self.env.fs.read_dir(dir).unwrap_or_default();
        let is_log = |name: &str| matches!(parse_run_entry(name), RunEntryName::Log(_));
        let logs = entries.iter().filter(|entry| entry.kind == FileKind::File && is_log(&entry.name));
        let logs: Vec<_> = logs.map(|entry| dir.join(&entry.name)).collect();
        let is_live = |path: &PathBuf| self.env.fs.open(path).and_then(|file| file.is_locked()).unwrap_or(false);
        if !logs.iter().any(is_live) {
            return Ok(false);
        }
        logs.iter().filter(|path| !is_live(path)).try_for_each(|path| self.sync_log(path))?;
        sync_up(&self.env, dir, self.paths.root())?;
        Ok(true)
    }

    /// Completes every run that the catalog does not know everything of and that nobody writes to. A run that cannot
    /// be completed is noted, and does not keep the store from opening; the first such error is the answer.
    pub(super) fn recover_runs(&self) -> Result<Option<Error>> {
        let mut first = None;
        let unsettled: Vec<(ExperimentId, RunId)> = {
            let unsettled = lock(&self.journal).unsettled();
            unsettled.into_iter().map(|run| (run.experiment_id, run.run_id)).collect()
        };
        for (experiment, run) in unsettled {
            let settled = self.lock_run(run).and_then(|_run_lock| {
                let is_live = self.leave_to_live_writer(&self.paths.run(experiment, run))?;
                if is_live { Ok(false) } else { self.settle(experiment, run) }
            });
            match settled {
                // For the background to look whether there is something to compact.
                Ok(true) => lock(&self.to_settle).push(run),
                Ok(false) => {}
                Err(error @ Error::ReadOnly { .. }) => return Err(error),
                Err(error) => {
                    let dir = self.paths.run(experiment, run);
                    self.note_incident(&dir, 0, format!("the run could not be completed: {error}"));
                    first.get_or_insert(error);
                }
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
#[path = "recover_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
