//! Removing for good what was deleted and whose retention has passed.
//!
//! A run goes out of the catalog first, then what no longer counts of it out of its packs, which are written anew, then the rest
//! of it, and then its folder goes into the trash: what is left when this is cut short says that the run is deleted, and the
//! next compaction goes on.

use super::Shared;
use super::packs::place_of;
use super::run_view::RunView;
use crate::env::Lock;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry};
use crate::segment::SegmentPlace;
use crate::types::{ExperimentId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Removes those runs of an experiment whose retention has passed; returns how many. Nothing is done while another process
/// compacts.
pub(super) fn drop_deleted(shared: &Shared, experiment: ExperimentId, runs: &[RunId]) -> Result<u64> {
    let lease = shared.paths.compaction_lock();
    let Some(_lease) = shared.env.fs.try_lock(&lease).at(&lease, "lock")? else { return Ok(0) };
    let mut likely = Vec::new();
    for run in runs {
        if is_due(shared, experiment, *run)?.is_some() {
            likely.push(*run);
        }
    }
    let runs = likely.as_slice();
    // Until their files are gone nobody restores one of them. Runs share locks.
    let mut locks: BTreeMap<PathBuf, Box<dyn Lock>> = BTreeMap::new();
    for path in runs.iter().map(|run| shared.paths.run_lock(*run)).collect::<BTreeSet<_>>() {
        let lock = shared.lock_file(&path)?;
        locks.insert(path, lock);
    }
    let mut due: BTreeMap<RunId, Due> = BTreeMap::new();
    for run in runs {
        if let Some(counts) = is_due(shared, experiment, *run)? {
            due.insert(*run, Due { known: shared.entry(*run)?, counts });
        }
    }
    if due.is_empty() {
        return Ok(0);
    }
    let hidden = hide(shared, experiment, &due);
    if hidden.is_err() {
        // What is still in its place must be found, too, by who reads the catalog only.
        for (run, Due { known, .. }) in &due {
            if shared.has_files(experiment, *run).unwrap_or(true) {
                let _ = shared.with_journal(|journal| journal.append(known.clone(), false));
            }
        }
    }
    let gone = hidden?;
    // Durably out of sight before their files go one by one: a power loss must not bring back a part of a run.
    // Also the folder of a run that has none any more: it may have gone a moment ago.
    let (trash, runs) = (shared.paths.trash(), shared.paths.runs(experiment));
    shared.env.fs.sync_dir(&trash).at(&trash, "sync")?;
    shared.env.fs.sync_dir(&runs).at(&runs, "sync")?;
    for path in gone {
        match shared.env.fs.remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).at(&path, "remove"),
            _ => {}
        }
    }
    Ok(due.len() as u64)
}

/// A run that is to be removed.
struct Due {
    known: RunEntry,
    /// The segments of it that count.
    counts: Vec<SegmentPlace>,
}

/// Whether the retention of a run has passed; then the segments of it that count.
fn is_due(shared: &Shared, experiment: ExperimentId, run: RunId) -> Result<Option<Vec<SegmentPlace>>> {
    let view = match RunView::read(shared, experiment, run) {
        Err(Error::NotFound { .. }) => return Ok(None),
        view => view?,
    };
    let retention = i64::try_from(shared.options.deleted_retention.as_millis()).unwrap_or(i64::MAX);
    let due = view.state.deleted_at().is_some_and(|at| at.saturating_add(retention) <= shared.now_ms());
    // A file that cannot be read may be the one that says that the run was restored.
    let is_due = due && view.live_logs == 0 && view.files.damage.is_empty();
    Ok(is_due.then(|| view.files.segments.iter().map(|segment| segment.place().clone()).collect()))
}

/// Takes runs out of the catalog and out of sight, each file in one step, so that nobody finds half a run. Returns where
/// their folders are then.
fn hide(shared: &Shared, experiment_id: ExperimentId, due: &BTreeMap<RunId, Due>) -> Result<Vec<PathBuf>> {
    shared.with_journal(|journal| {
        for (number, run_id) in due.keys().enumerate() {
            let entry = RunEntry { run_id: *run_id, experiment_id, state: EntryState::Removed };
            // The last one makes all of them durable.
            journal.append(entry, number + 1 == due.len())?;
        }
        Ok(())
    })?;
    // Old packs go one by one, and what one of them holds may say what the run was before it was deleted: that goes first,
    // durably.
    shared.rewrite_packs(experiment_id, &|pack, piece| {
        due.get(&piece.run).is_none_or(|due| due.counts.contains(&place_of(pack, piece)))
    })?;
    shared.rewrite_packs(experiment_id, &|_, piece| !due.contains_key(&piece.run))?;
    let packs = shared.paths.packs(experiment_id);
    match shared.env.fs.sync_dir(&packs) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).at(&packs, "sync"),
        // A pack whose removal was not yet durable may hold what one of the runs was before it was deleted.
        _ => {}
    }
    let trash = shared.paths.trash();
    shared.env.fs.create_dir_all(&trash).at(&trash, "create")?;
    let mut gone = Vec::new();
    for run in due.keys() {
        let dir = shared.paths.run(experiment_id, *run);
        let path = trash.join(format!("{run}-{:016x}", shared.env.clock.random()));
        match shared.env.fs.rename(&dir, &path) {
            // It was in packs alone.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            renamed => {
                renamed.at(&dir, "move to the trash")?;
                gone.push(path);
            }
        }
    }
    Ok(gone)
}

/// Empties what earlier removals that were cut short have left.
pub(super) fn empty_trash(shared: &Shared) -> Result<()> {
    let trash = shared.paths.trash();
    let entries = match shared.env.fs.read_dir(&trash) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.at(&trash, "list")?,
    };
    for entry in entries {
        let path = trash.join(entry.name);
        match shared.env.fs.remove_dir_all(&path) {
            // Another process empties it too.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).at(&path, "remove"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "removal_tests.rs"]
mod tests;
