//! The background work as functions: the thread and the tests call the same ones.

use super::live_merge::LiveMerge;
use super::removal::{drop_deleted, empty_trash};
use super::run_view::{PointSource, RunView};
use super::verify::missing_file;
use super::{Shared, Store, lock};
use crate::catalog::{Brief, BriefState, Journal};
use crate::codec::Effort;
use crate::compact::{Source, merge, plan};
use crate::error::{Error, IoContext, Result};
use crate::options::Compression;
use crate::segment::{SegmentReader, SegmentWriter, Written};
use crate::store::paths::{RunEntryName, parse_run_entry, segment_name};
use crate::types::{ExperimentId, LogId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// How far long work has come.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// store.verify(&mut |progress| assert!(progress.done <= progress.total))?;
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs or files done.
    pub done: u64,
    /// Runs or files in all.
    pub total: u64,
}

/// What a compaction did.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// let report = store.compact(&mut |_| {})?;
/// assert_eq!(report.removed_runs, 0);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionReport {
    /// Runs that were rewritten.
    pub runs: u64,
    /// Bytes of their segments before.
    pub bytes_before: u64,
    /// Bytes of their segments after.
    pub bytes_after: u64,
    /// Deleted runs whose retention had passed and whose files were removed.
    pub removed_runs: u64,
}

/// Prepares extents and logs that writers asked for. An error of one writer does not keep the others waiting. Returns
/// whether there was anything to do.
pub(super) fn keep_ahead(shared: &Arc<Shared>) -> Result<bool> {
    let (mut worked, mut failed) = (false, Ok(()));
    // Taken out before they are dropped: a log call that leaves a log does not wait for the unmapping of others.
    drop(std::mem::take(&mut *lock(&shared.spent)));
    for writer in &writers(shared) {
        match writer.prepare_ahead() {
            Ok(prepared) => worked |= prepared,
            Err(error) => failed = failed.and(Err(error)),
        }
    }
    failed.map(|()| worked)
}

/// Syncs what is due (everything when `now`). An error of one writer does not keep the others waiting. Returns whether
/// there was anything to do.
pub(super) fn keep_up(shared: &Arc<Shared>, now: bool) -> Result<bool> {
    let (mut worked, mut failed) = (false, Ok(()));
    let writers = writers(shared);
    let (now_us, interval) = (shared.env.clock.monotonic_us(), shared.options.sync_interval.as_micros() as u64);
    for writer in &writers {
        // Half an interval of slack: what would be late at the next look is due at this one.
        // Who asks for everything is told each time of what can no longer be synced; the background has said so once.
        if writer.sync_is_due(now_us, if now { 0 } else { interval / 2 }) || (now && writer.has_lost_hold()) {
            failed = failed.and(writer.sync());
            worked = true;
        }
    }
    failed.map(|()| worked)
}

/// Seals full logs, settles and compacts runs that ended here. Returns whether there was anything to do.
pub(super) fn tidy_up(shared: &Arc<Shared>) -> Result<bool> {
    let _one_at_a_time = lock(&shared.maintenance);
    let (settled, mut failed) = settle_ended(shared);
    for (experiment, run) in &settled {
        match compact_run(shared, *experiment, *run) {
            Ok(_) => shared.note_unpacked(*experiment, *run),
            Err(error) => failed = failed.and(Err(error)),
        }
    }
    failed = failed.and(shared.gather_in_time());
    failed.map(|()| !settled.is_empty())
}

/// What the last of the background threads does.
pub(super) fn tidy_and_scrub(shared: &Arc<Shared>) -> Result<bool> {
    let worked = tidy_up(shared);
    shared.scrub_in_time()?;
    worked
}

/// Seals and settles what is waiting, without compaction.
pub(super) fn seal_pending(shared: &Arc<Shared>) -> Result<()> {
    if shared.options.read_only {
        return Ok(());
    }
    let _one_at_a_time = lock(&shared.maintenance);
    settle_ended(shared).1
}

/// The writers of this process that somebody still holds or that wait for sealing.
fn writers(shared: &Shared) -> Vec<Arc<super::run_core::RunCore>> {
    let mut known = lock(&shared.writers);
    known.retain(|writer| writer.strong_count() > 0);
    known.iter().filter_map(std::sync::Weak::upgrade).collect()
}

/// Seals the full logs of this process's writers and settles the runs that they have ended; returns those, and the
/// first error. What failed is tried again in the next round, and keeps nothing else waiting.
fn settle_ended(shared: &Arc<Shared>) -> (Vec<(ExperimentId, RunId)>, Result<()>) {
    let mut failed = Ok(());
    // In this order: a run that is to settle has handed over its logs before.
    let mut ended = shared.take_to_settle();
    let mut touched = Vec::new();
    // Taken before the loop, whose head would keep the lock: log calls hand over full logs while these are sealed.
    let retired = std::mem::take(&mut *lock(&shared.retired));
    if retired.is_empty() {
        shared.drop_spare();
    }
    let to_settle: BTreeSet<RunId> = ended.iter().copied().collect();
    let (retired, packed, packing) = shared.seal_into_packs(retired, &to_settle);
    failed = failed.and(packing);
    ended.retain(|run| !packed.contains(run));
    for (run, log) in retired {
        match shared.seal_own(run, &log) {
            Ok(()) => touched.push(run),
            // Without a holder this log is found when its run is settled.
            Err(error) => {
                failed = failed.and(Err(error));
                ended.push(run);
            }
        }
    }
    ended.sort_unstable();
    ended.dedup();
    for run in ended {
        let settled = shared.brief(run).and_then(|entry| {
            let _run_lock = shared.lock_run(run)?;
            shared.settle(entry.experiment_id, run)
        });
        match settled {
            Ok(true) => touched.push(run),
            Ok(false) | Err(Error::NotFound { .. }) => {}
            Err(error) => {
                failed = failed.and(Err(error));
                lock(&shared.to_settle).push(run);
            }
        }
    }
    touched.sort_unstable();
    touched.dedup();
    let place = |run: &RunId| shared.brief(*run).ok().map(|entry| (entry.experiment_id, *run));
    (touched.iter().filter_map(place).collect(), failed)
}

fn sources(view: &RunView) -> Vec<Source> {
    let source = |(first, source): &(LogId, PointSource)| match source {
        PointSource::Log(_) => Source::Log(*first),
        PointSource::Segment(segment) => Source::Segment {
            first: *first,
            last: segment.logs().iter().max().copied().unwrap_or(*first),
            bytes: segment.len(),
            level: segment.level(),
            metrics: segment.series().len(),
        },
    };
    view.sources.iter().map(source).collect()
}

impl Shared {
    /// How hard compaction of this store compresses.
    fn effort(&self) -> Effort {
        match self.options.compression {
            Compression::Normal => Effort::Compact,
            Compression::Archive => Effort::Archive,
        }
    }

    /// Whether compaction at the normal level has nothing to do for a run that nobody writes to.
    pub(super) fn is_tidy(&self, view: &RunView) -> bool {
        plan(&sources(view), true, Effort::Compact as u8).is_none()
    }
}

/// Merges what the plan says of one run. Returns the bytes before and after, `None` when nothing was to be done or
/// another process compacts.
fn compact_run(shared: &Arc<Shared>, experiment: ExperimentId, run: RunId) -> Result<Option<(u64, u64)>> {
    let effort = shared.effort();
    let lease = shared.paths.compaction_lock();
    let Some(lease) = shared.env.fs.try_lock(&lease).at(&lease, "lock")? else { return Ok(None) };
    let dir = shared.paths.run(experiment, run);
    match shared.plan_live_merge(run, &dir, effort as u8)? {
        LiveMerge::Nothing => return Ok(None),
        LiveMerge::Merge(inputs) => return replace(shared, &dir, run, &inputs, effort.for_now()).map(Some),
        LiveMerge::Ended => {}
    }
    let view = match RunView::read(shared, experiment, run) {
        Err(Error::NotFound { .. }) => return Ok(None),
        view => view?,
    };
    if !view.files.damage.is_empty() {
        // What is whole stays as it is: a merge would hide which logs the damaged piece held.
        return Ok(None);
    }
    if shared.lacks_a_file(&view)? {
        return Ok(None);
    }
    // Somebody may have begun to write to it again.
    let ended = view.live_logs == 0 && view.dead_logs.is_empty();
    if !ended {
        return Ok(None);
    }
    let Some(range) = plan(&sources(&view), true, effort as u8) else {
        drop(lease);
        return shared.complete_merge(&view).map(|()| None);
    };
    let inputs: Vec<Arc<SegmentReader>> = view
        .sources
        .get(range)
        .unwrap_or_default()
        .iter()
        .filter_map(|(_, source)| match source {
            PointSource::Segment(segment) => Some(Arc::clone(segment)),
            PointSource::Log(_) => None,
        })
        .collect();
    let done = replace(shared, &dir, run, &inputs, effort)?;
    // What a compaction that was killed has left is swept up only by those who can have the lease.
    drop(lease);
    let _run_lock = shared.lock_run(run)?;
    shared.settle(experiment, run)?;
    Ok(Some(done))
}

/// Merges the inputs into one segment that takes their place; returns the bytes before and after.
fn replace(
    shared: &Shared,
    dir: &Path,
    run: RunId,
    inputs: &[Arc<SegmentReader>],
    effort: Effort,
) -> Result<(u64, u64)> {
    // The memory of a merge and that of sealing are not needed at the same time.
    shared.drop_spare();
    let before = inputs.iter().map(|segment| segment.len()).sum();
    let after = write_merged(shared, dir, run, inputs, effort)?;
    shared.remove_files(inputs.iter().filter_map(|input| input.place().own_file()))?;
    Ok((before, after))
}

/// Writes the one segment that replaces `inputs`; returns its length.
fn write_merged(shared: &Shared, dir: &Path, run: RunId, inputs: &[Arc<SegmentReader>], effort: Effort) -> Result<u64> {
    let mut state = crate::catalog::RunState::default();
    let mut logs = Vec::new();
    for input in inputs {
        for record in super::run_view::meta_of(input)? {
            state.apply(&record);
        }
        logs.extend_from_slice(input.logs());
    }
    let first = inputs.first().and_then(|input| input.logs().first().copied());
    let Some(first) = first else { return Err(Error::invalid("merge", "its first segment names no log")) };
    // A run that lies in a pack has no folder.
    shared.env.fs.create_dir_all(dir).at(dir, "create")?;
    let path = dir.join(segment_name(first, shared.env.clock.random()));
    let mut output = SegmentWriter::create(&shared.env, &path, run, effort)?;
    merge(inputs, shared.options.chunk_rows, &mut output)?;
    let path = output.finish(Written { logs, meta: state.encode() })?;
    Ok(shared.env.fs.metadata(&path).at(&path, "look at")?.len)
}

impl Shared {
    /// Does what a compaction that was killed after its last merge had still to do: removes what it has replaced, and
    /// tells the catalog.
    fn complete_merge(&self, view: &RunView) -> Result<()> {
        let is_told = matches!(self.brief(view.id)?.state, BriefState::Settled { tidy: true, .. });
        if is_told && view.files.obsolete.is_empty() && view.files.temporary.is_empty() {
            return Ok(());
        }
        let _run_lock = self.lock_run(view.id)?;
        self.settle(view.experiment_id, view.id).map(|_| ())
    }

    /// Removes from a tidy run what a power loss has brought back: names of logs and segments whose removal was not
    /// yet durable.
    fn remove_leftovers(&self, experiment: ExperimentId, run: RunId) -> Result<()> {
        let dir = self.paths.run(experiment, run);
        let entries = match self.env.fs.read_dir(&dir) {
            // Somebody else has removed the run.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.at(&dir, "list")?,
        };
        let kinds: Vec<RunEntryName> = entries.iter().map(|entry| parse_run_entry(&entry.name)).collect();
        let segments = kinds.iter().filter(|kind| **kind == RunEntryName::Segment).count();
        let unfinished = |kind: &RunEntryName| matches!(kind, RunEntryName::Log(_) | RunEntryName::Temporary);
        if segments > 1 || kinds.iter().any(unfinished) {
            let _run_lock = self.lock_run(run)?;
            match RunView::read(self, experiment, run) {
                Ok(view) if self.lacks_a_file(&view)? => {}
                _ => _ = self.settle(experiment, run)?,
            }
        }
        Ok(())
    }

    /// Whether the catalog knows more of a run than its files say: it must not forget that by being told anew.
    pub(super) fn lacks_a_file(&self, view: &RunView) -> Result<bool> {
        match self.entry(view.id) {
            Ok(entry) => Ok(missing_file(self, &entry, view).is_some()),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Store {
    /// Makes every ended run one segment, gathers those of small runs in packs, removes deleted runs whose retention has
    /// passed, and rewrites the catalog. `progress` is called after each run.
    ///
    /// Needs no pause of writers or readers. Memory is bounded by a few chunks and one run's index, and at the end by the
    /// catalog's file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// run.finish()?;
    /// let mut shown = String::new();
    /// store.compact(&mut |progress| shown = format!("{} of {} runs", progress.done, progress.total))?;
    /// assert_eq!(shown, "1 of 1 runs");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error met; what was done until then stays done. Runs that cannot be completed are left out, and the
    /// first error of one is returned when all others are done. A read-only store.
    pub fn compact(&self, progress: &mut dyn FnMut(Progress)) -> Result<CompactionReport> {
        let shared = &self.shared;
        shared.check_writable()?;
        seal_pending(shared)?;
        shared.match_folders()?;
        // What cannot be completed keeps nothing else from being compacted, but nobody must think that it was.
        let incomplete = shared.recover_runs()?;
        empty_trash(shared)?;
        shared.tidy_logged_models()?;
        let entries: Vec<Brief> = shared.read_catalog(Journal::briefs)?;
        let mut report = CompactionReport::default();
        let mut deleted_runs: BTreeMap<ExperimentId, Vec<RunId>> = BTreeMap::new();
        for (number, entry) in entries.iter().enumerate() {
            progress(Progress { done: number as u64, total: entries.len() as u64 });
            // Given back between runs: what ends meanwhile is sealed in between.
            let _one_at_a_time = lock(&shared.maintenance);
            match entry.state {
                BriefState::Removed => continue,
                BriefState::Settled { tidy, deleted } => {
                    shared.sweep_artifacts(&shared.paths.run(entry.experiment_id, entry.run_id));
                    if deleted {
                        deleted_runs.entry(entry.experiment_id).or_default().push(entry.run_id);
                    }
                    if tidy && shared.options.compression == Compression::Normal {
                        shared.remove_leftovers(entry.experiment_id, entry.run_id)?;
                        continue;
                    }
                }
                BriefState::Unsettled => {}
            }
            if let Some((before, after)) = compact_run(shared, entry.experiment_id, entry.run_id)? {
                report.runs += 1;
                report.bytes_before += before;
                report.bytes_after += after;
            } else if entry.is_settled() {
                // Merged by a compaction that was killed before it had removed everything.
                shared.remove_leftovers(entry.experiment_id, entry.run_id)?;
            }
        }
        {
            let _one_at_a_time = lock(&shared.maintenance);
            for (experiment, runs) in deleted_runs {
                report.removed_runs += drop_deleted(shared, experiment, &runs)?;
            }
            for experiment in shared.experiment_ids()? {
                shared.gather_all(experiment)?;
            }
        }
        shared.with_journal(Journal::rewrite)?;
        progress(Progress { done: entries.len() as u64, total: entries.len() as u64 });
        incomplete.map_or(Ok(report), Err)
    }
}
