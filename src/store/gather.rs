//! Small runs that have ended into packs: from the segments in their folders, or at once from their logs.
//!
//! A run is gathered when all that there is of it is one small segment, or one small log in which it ends. Whatever is
//! written to it later is in a folder again, beside the segment in the pack, until compaction makes the two one.

use super::packs::Packs;
use super::paths::{RunEntryName, log_name, parse_run_entry};
use super::repack::{FAN_IN, Merge, NextPack};
use super::run_files::RunFiles;
use super::run_view::RunView;
use super::settle::{SMALL_LOG_POINTS, log_id_of};
use super::{Shared, lock};
use crate::catalog::{BriefState, RunState};
use crate::codec::Effort;
use crate::env::{FileKind, Region};
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry};
use crate::log::{FullLog, LogEnd};
use crate::segment::{SegmentPlace, SegmentReader, SegmentWriter, Written, seal};
use crate::types::{ExperimentId, LogId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Fewer runs are not worth a pack.
const PACK_FROM: usize = 16;
/// The background gathers what has files of its own when there are so many times as many runs.
const GATHER_FACTOR: usize = 16;
/// The longest segment that goes into a pack: copying it must cost little.
const MAX_PIECE_BYTES: u64 = 1 << 20;

/// A run that was ended in its only log.
struct Ended {
    run: RunId,
    experiment: ExperimentId,
    log: FullLog,
    id: LogId,
}

/// What the background still has to do about packs.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// Runs that have ended here and have files of their own.
    unpacked: BTreeMap<ExperimentId, Vec<RunId>>,
    /// Experiments that have got packs.
    packed: BTreeSet<ExperimentId>,
}

impl Shared {
    fn pack_from(&self) -> usize {
        self.options.pack_from.unwrap_or(PACK_FROM)
    }

    /// Notes a run that was settled here.
    pub(super) fn note_unpacked(&self, experiment: ExperimentId, run: RunId) {
        lock(&self.gathering).unpacked.entry(experiment).or_default().push(run);
    }

    /// Notes the experiments in which short-lived processes have left many packs.
    pub(super) fn note_packs(&self) -> Result<()> {
        for experiment in self.experiment_ids()? {
            if self.pack_paths(experiment)?.len() >= FAN_IN {
                lock(&self.gathering).packed.insert(experiment);
            }
        }
        Ok(())
    }

    /// What the background does about packs: gathers what has become many, and merges. Nothing while another process
    /// compacts.
    pub(super) fn gather_in_time(&self) -> Result<()> {
        let most = self.pack_from().saturating_mul(GATHER_FACTOR);
        let ready: BTreeSet<ExperimentId> = {
            let Gathering { unpacked, packed } = &*lock(&self.gathering);
            let many = unpacked.iter().filter(|(_, runs)| runs.len() >= most).map(|(experiment, _)| *experiment);
            many.chain(packed.iter().copied()).collect()
        };
        for experiment in ready {
            let lease = self.paths.compaction_lock();
            let Some(_lease) = self.env.fs.try_lock(&lease).at(&lease, "lock")? else { return Ok(()) };
            let many = {
                let Gathering { unpacked, packed } = &mut *lock(&self.gathering);
                packed.remove(&experiment);
                if unpacked.get(&experiment).is_some_and(|runs| runs.len() >= most) {
                    unpacked.remove(&experiment)
                } else {
                    None
                }
            };
            self.gather(experiment, many.unwrap_or_default())?;
            self.merge_packs(experiment, Merge::Tiers)?;
        }
        Ok(())
    }

    /// Gathers the small ended runs of an experiment, and merges its packs. Nothing while another process compacts.
    pub(super) fn gather_all(&self, experiment: ExperimentId) -> Result<()> {
        let lease = self.paths.compaction_lock();
        let Some(_lease) = self.env.fs.try_lock(&lease).at(&lease, "lock")? else { return Ok(()) };
        lock(&self.gathering).unpacked.remove(&experiment);
        self.gather(experiment, self.run_folders(experiment)?)?;
        self.merge_packs(experiment, Merge::All)
    }

    /// Moves the segments of those of the runs that are fit for it to packs. The caller holds the lock of compaction.
    fn gather(&self, experiment: ExperimentId, mut runs: Vec<RunId>) -> Result<()> {
        runs.sort_unstable();
        runs.dedup();
        let mut fit = Vec::new();
        for run in runs {
            if let Some(path) = self.lone_segment(experiment, run)? {
                fit.push((run, path));
            }
        }
        if fit.len() < self.pack_from() {
            return Ok(());
        }
        let mut fit = fit.into_iter().peekable();
        while fit.peek().is_some() {
            let (mut pack, mut moved) = (NextPack::new(self, experiment), Vec::new());
            while !pack.is_full() {
                let Some((run, path)) = fit.next() else { break };
                let place = SegmentPlace::file(&path);
                // A damaged one is left where it is.
                if !self.is_whole_run(experiment, run, &place)? {
                    continue;
                }
                match place.map(&self.env) {
                    // Removed with its run.
                    Err(error) if error.is_missing_file() => continue,
                    bytes => pack.push(run, &bytes?)?,
                }
                moved.push((run, path));
            }
            pack.finish()?;
            for (run, path) in moved {
                let _run_lock = self.lock_run(run)?;
                self.remove_files(std::iter::once(path.as_path()))?;
                self.drop_empty_folder(&self.paths.run(experiment, run))?;
            }
        }
        Ok(())
    }

    /// The segment of a run of which there is nothing else, if it is small. Removes what a power loss has brought back of
    /// a run that lies in a pack.
    fn lone_segment(&self, experiment: ExperimentId, run: RunId) -> Result<Option<PathBuf>> {
        let dir = self.paths.run(experiment, run);
        let entries = match self.env.fs.read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            entries => entries.at(&dir, "list")?,
        };
        if self.packs(experiment)?.pieces_of(run).next().is_some() {
            let files = RunFiles::scan(self, experiment, run);
            if files.is_ok_and(|files| files.is_packed() && files.damage.is_empty()) {
                let _run_lock = self.lock_run(run)?;
                match RunView::read(self, experiment, run) {
                    Ok(view) if self.lacks_a_file(&view)? => {}
                    _ => _ = self.settle(experiment, run)?,
                }
                return Ok(None);
            }
        }
        let [entry] = entries.as_slice() else { return Ok(None) };
        if entry.kind != FileKind::File || parse_run_entry(&entry.name) != RunEntryName::Segment {
            return Ok(None);
        }
        let path = dir.join(&entry.name);
        match self.env.fs.metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            metadata => Ok((metadata.at(&path, "look at")?.len <= MAX_PIECE_BYTES).then_some(path)),
        }
    }

    /// Whether the catalog knows all of the run, and this one segment is all of it and is not damaged.
    fn is_whole_run(&self, experiment: ExperimentId, run: RunId, place: &SegmentPlace) -> Result<bool> {
        let brief = match self.brief(run) {
            Err(Error::NotFound { .. }) => return Ok(false),
            brief => brief?,
        };
        let is_known =
            brief.experiment_id == experiment && matches!(brief.state, BriefState::Settled { tidy: true, .. });
        if !is_known || self.check_segment(place, run).is_err() {
            return Ok(false);
        }
        let view = match RunView::read(self, experiment, run) {
            Err(Error::NotFound { .. }) => return Ok(false),
            view => view?,
        };
        let is_all = view.files.logs.is_empty() && view.files.damage.is_empty() && view.files.segments.len() == 1;
        Ok(is_all && view.files.segments.iter().all(|segment| segment.place() == place) && !self.lacks_a_file(&view)?)
    }

    /// Seals the logs of small runs that have ended straight into packs, where there are enough of them: one sync for all
    /// of them instead of one for each. Returns the logs that are left to be sealed, and the runs that were settled.
    ///
    /// `ended`: the runs that are to be settled. A log that could not be packed is as it was.
    pub(super) fn seal_into_packs(
        self: &Arc<Self>,
        retired: Vec<(RunId, FullLog)>,
        ended: &BTreeSet<RunId>,
    ) -> (Vec<(RunId, FullLog)>, BTreeSet<RunId>, Result<()>) {
        let mut times: BTreeMap<RunId, usize> = BTreeMap::new();
        retired.iter().for_each(|(run, _)| *times.entry(*run).or_default() += 1);
        let is_ended = |run: &RunId| ended.contains(run) && times.get(run) == Some(&1);
        let (likely, mut left): (Vec<_>, Vec<_>) = retired.into_iter().partition(|(run, _)| is_ended(run));
        let mut by_experiment: BTreeMap<ExperimentId, Vec<Ended>> = BTreeMap::new();
        for (run, log) in likely {
            let experiment = self.brief(run).map(|brief| brief.experiment_id);
            match (experiment, log_id_of(&log.path)) {
                (Ok(experiment), Some(id)) => {
                    by_experiment.entry(experiment).or_default().push(Ended { run, experiment, log, id });
                }
                _ => left.push((run, log)),
            }
        }
        let (mut settled, mut failed) = (BTreeSet::new(), Ok(()));
        for (experiment, mut logs) in by_experiment {
            if logs.len() >= self.pack_from() {
                logs.sort_by_key(|ended| ended.run);
                let (unsealed, packing) = self.pack_logs(experiment, logs, &mut settled);
                (logs, failed) = (unsealed, failed.and(packing));
            }
            left.extend(logs.into_iter().map(|ended| (ended.run, ended.log)));
        }
        (left, settled, failed)
    }

    /// Seals the logs, by run, into one pack. Returns those that are not sealed: they are not fit for it, or it failed.
    fn pack_logs(
        self: &Arc<Self>,
        experiment: ExperimentId,
        logs: Vec<Ended>,
        settled: &mut BTreeSet<RunId>,
    ) -> (Vec<Ended>, Result<()>) {
        let mut entries = BTreeMap::new();
        if let Err(error) = self.write_logs(experiment, &logs, &mut entries) {
            // Nothing of it has a name, or nobody knows whether it has: then the logs are sealed once more, which does
            // no harm.
            return (logs, Err(error));
        }
        if !entries.is_empty() {
            lock(&self.gathering).packed.insert(experiment);
        }
        let mut unsealed = Vec::new();
        let mut by_lock: BTreeMap<PathBuf, Vec<(Ended, RunEntry)>> = BTreeMap::new();
        for ended in logs {
            match entries.remove(&ended.run) {
                None => unsealed.push(ended),
                Some(entry) => {
                    ended.log.sealed.set();
                    by_lock.entry(self.paths.run_lock(ended.run)).or_default().push((ended, entry));
                }
            }
        }
        // What fails from here on is done by settling the run.
        for runs in by_lock.into_values() {
            if let Ok(left) = self.leave_folders(experiment, &runs) {
                settled.extend(left);
            }
        }
        (unsealed, Ok(()))
    }

    /// Writes a pack of those logs that are fit for it; adds what the catalog is to know of their runs to `entries`.
    fn write_logs(
        self: &Arc<Self>,
        experiment: ExperimentId,
        logs: &[Ended],
        entries: &mut BTreeMap<RunId, RunEntry>,
    ) -> Result<()> {
        let lease = self.paths.compaction_lock();
        let Some(_lease) = self.env.fs.try_lock(&lease).at(&lease, "lock")? else { return Ok(()) };
        // Nobody else makes packs meanwhile.
        let known = self.packs(experiment)?;
        // Nobody can tell whether more of these runs lies in what cannot be read.
        if known.doubts().next().is_some() {
            return Ok(());
        }
        let mut pack = NextPack::new(self, experiment);
        for ended in logs {
            if let Some(entry) = self.pack_log(ended, &known, &mut pack)? {
                entries.insert(ended.run, entry);
            }
        }
        pack.finish()
    }

    /// Adds the content of a log to a pack; returns what the catalog is to know of the run. `None` when it is not all of
    /// a small ended run.
    fn pack_log(self: &Arc<Self>, ended: &Ended, known: &Packs, pack: &mut NextPack<'_>) -> Result<Option<RunEntry>> {
        let Ended { run, experiment, log, id } = ended;
        let dir = self.paths.run(*experiment, *run);
        let entries = self.env.fs.read_dir(&dir).at(&dir, "list")?;
        let is_alone = matches!(entries.as_slice(), [entry] if entry.name == log_name(*id));
        if !is_alone || known.pieces_of(*run).next().is_some() {
            return Ok(None);
        }
        let content = self.log_content(*run, *id, &log.path, false)?;
        if content.end != LogEnd::Complete || content.head.point_count() > SMALL_LOG_POINTS {
            return Ok(None);
        }
        let state = RunState::from_records(content.head.meta().iter());
        if !state.status().is_ended() {
            return Ok(None);
        }
        let mut segment = SegmentWriter::in_memory(&self.env, *run, Effort::Compact);
        seal(&content.head, self.options.chunk_rows, &mut segment)?;
        let bytes = segment.into_bytes(Written { logs: vec![*id], meta: state.encode() })?;
        self.forget_log(*run, *id);
        self.reuse(content.head);
        if bytes.len() as u64 > MAX_PIECE_BYTES {
            return Ok(None);
        }
        pack.push(*run, &bytes)?;
        // Read back, so that the catalog says to the bit what the segment says.
        let region = Region::from_vec(bytes);
        let segment = Arc::new(SegmentReader::from_region(region, &SegmentPlace::file(Path::new("")))?);
        let view = RunView::of_segment(*experiment, *run, segment)?;
        let state = EntryState::Settled(view.summary(self.is_tidy(&view)));
        Ok(Some(RunEntry { run_id: *run, experiment_id: *experiment, state }))
    }

    /// Removes the logs of runs that lie in a pack now, and their folders, and tells the catalog, of those to which nobody has
    /// begun to write again; returns these. The runs have one lock in common.
    fn leave_folders(&self, experiment: ExperimentId, runs: &[(Ended, RunEntry)]) -> Result<Vec<RunId>> {
        let Some((first, _)) = runs.first() else { return Ok(Vec::new()) };
        let _run_lock = self.lock_run(first.run)?;
        let has_left = |ended: &Ended| {
            self.remove_log(ended.run, ended.id, &ended.log.path)?;
            self.drop_empty_folder(&self.paths.run(experiment, ended.run))
        };
        let left = runs.iter().filter(|(ended, _)| has_left(ended).is_ok_and(|left| left));
        let left: Vec<&RunEntry> = left.map(|(_, entry)| entry).collect();
        if !left.is_empty() {
            self.with_journal(|journal| left.iter().try_for_each(|entry| journal.append((*entry).clone(), false)))?;
        }
        Ok(left.iter().map(|entry| entry.run_id).collect())
    }
}
