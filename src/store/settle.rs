//! From logs to segments, and from a run that somebody wrote to one of which the catalog knows everything.
//!
//! Order that makes a crash at any point harmless: the segment is durable and has its name before its log is
//! removed; both are there for a moment, and the segment says that it covers the log. The catalog learns of the run
//! last; until then the run's files are asked.

use super::open::sync_up;
use super::paths::{RunEntryName, parse_run_entry, segment_name};
use super::quarantine::{copy_aside, is_zero_from};
use super::run_files::RunFiles;
use super::run_view::{DeadLog, RunView};
use super::{Shared, lock};
use crate::catalog::RunState;
use crate::codec::Effort;
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry};
use crate::format::log::FRAMES_AT;
use crate::format::record::Meta;
use crate::log::{FullLog, LogEnd, LogReader, Opened};
use crate::segment::{Head, SegmentReader, SegmentWriter, Written, seal};
use crate::types::{ExperimentId, LogId, RunId};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// So many segments without points are left side by side before an edit merges them.
const MAX_META_SEGMENTS: usize = 8;
/// A log of at most this many points is compressed at once as compaction would: it takes less than a millisecond and
/// the run then needs no compaction.
pub(super) const SMALL_LOG_POINTS: u64 = 2048;

impl Shared {
    /// Writes the content of a log as a segment, with further records about the run.
    pub(super) fn write_segment(&self, dir: &Path, run: RunId, log: LogId, head: &Head, more: &[Meta]) -> Result<()> {
        let effort = if head.point_count() <= SMALL_LOG_POINTS { Effort::Compact } else { Effort::Seal };
        let path = dir.join(segment_name(log, self.env.clock.random()));
        let mut segment = SegmentWriter::create(&self.env, &path, run, effort)?;
        seal(head, self.options.chunk_rows, &mut segment)?;
        let meta = RunState::from_records(head.meta().iter().chain(more)).encode();
        segment.finish(Written { logs: vec![log], meta })?;
        self.sync_name(dir)
    }

    pub(super) fn remove_log(&self, run: RunId, log: LogId, path: &Path) -> Result<()> {
        match self.env.fs.remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(path, "remove")?,
            _ => self.forget_log(run, log),
        }
        Ok(())
    }

    /// Seals a log that this process has filled and still holds.
    pub(super) fn seal_own(&self, run: RunId, log: &FullLog) -> Result<()> {
        let path = &log.path;
        let (Some(dir), Some(id)) = (path.parent(), log_id_of(path)) else { return Ok(()) };
        let content = self.log_content(run, id, path, false)?;
        if let LogEnd::Damaged { offset, reason } = content.end {
            return Err(Error::corrupt(path, offset, reason));
        }
        self.write_segment(dir, run, id, &content.head, &[])?;
        log.sealed.set();
        self.remove_log(run, id, path)?;
        self.reuse(content.head);
        Ok(())
    }

    /// Seals a log whose writer is gone. What cannot be believed at its end is set aside first. The caller holds the
    /// run's lock.
    fn seal_dead(&self, run: RunId, dir: &Path, log: &DeadLog, more: &[Meta]) -> Result<()> {
        if let LogEnd::Damaged { offset, reason } = &log.end {
            self.set_aside(run, log, *offset, reason)?;
        }
        if log.head.point_count() > 0 || !log.head.meta().is_empty() || !more.is_empty() {
            self.write_segment(dir, run, log.id, &log.head, more)?;
            return self.remove_log(run, log.id, &log.path);
        }
        self.remove_log(run, log.id, &log.path)?;
        // No segment says that it is obsolete: it must not come back with the power when the run is settled.
        self.env.fs.sync_dir(dir).at(dir, "sync")
    }

    /// Copies a log with a doubtful end to the quarantine, where it stays until a person removes it; of nothing but zeros
    /// there is nothing to keep.
    fn set_aside(&self, run: RunId, log: &DeadLog, offset: u64, reason: &str) -> Result<()> {
        let file = self.env.fs.open(&log.path).at(&log.path, "open")?;
        let what = if is_zero_from(&*file, offset).at(&log.path, "read")? {
            format!("{reason}; everything before was kept, and nothing follows")
        } else {
            let copy = copy_aside(&self.env, &self.paths, &log.path, &format!("{run}-{}.log", log.id))?;
            format!("{reason}; everything before was kept, the whole log was copied to {}", copy.display())
        };
        self.note_incident(&log.path, offset, what);
        Ok(())
    }

    /// Notes that a log is about to go in which there is nothing but zeros. It may never have been begun or synced, or
    /// be damaged from end to end: nobody can tell any more.
    fn note_zeros(&self, path: &Path) {
        if matches!(LogReader::open(&self.env, path), Ok(Opened::Zeros)) {
            self.note_incident(path, 0, "there is nothing in it but zeros; it was removed".to_owned());
        }
    }

    /// Writes changes of a run as a segment of its own, durably. It repeats all that is known of the run, since that
    /// may be in a log that was never synced; and it takes the place of earlier such segments when there are some:
    /// they hold no points, so that their order means nothing. The caller holds the run's lock.
    pub(super) fn write_meta(&self, view: &RunView, records: &[Meta]) -> Result<()> {
        let mut state = view.state.clone();
        records.iter().for_each(|record| state.apply(record));
        let mut small: Vec<_> = view.files.segments.iter().filter(|segment| segment.series().is_empty()).collect();
        if small.len() < MAX_META_SEGMENTS {
            small.clear();
        }
        let mut logs: Vec<LogId> = small.iter().flat_map(|segment| segment.logs()).copied().collect();
        logs.push(self.new_log_id(view.last_log_us));
        logs.sort_unstable();
        // A run that lies in a pack has no folder.
        let dir = self.paths.run(view.experiment_id, view.id);
        self.env.fs.create_dir_all(&dir).at(&dir, "create")?;
        let name = segment_name(logs.first().copied().unwrap_or(LogId::NONE), self.env.clock.random());
        let segment = SegmentWriter::create(&self.env, &dir.join(name), view.id, Effort::Compact)?;
        segment.finish(Written { logs, meta: state.encode() })?;
        self.sync_name(&dir)?;
        self.remove_files(small.iter().filter_map(|segment| segment.place().own_file()))
    }

    /// Makes the name of a run's folder durable: it may be as new as the segment in it.
    pub(super) fn sync_name(&self, dir: &Path) -> Result<()> {
        match dir.parent() {
            Some(runs) => self.env.fs.sync_dir(runs).at(runs, "sync"),
            None => Ok(()),
        }
    }

    /// Seals all logs of the run that nobody holds, completes it when nobody writes to it, and tells the catalog
    /// what it then knows. Returns whether the run is settled. The caller holds the run's lock.
    pub(super) fn settle(&self, experiment: ExperimentId, run: RunId) -> Result<bool> {
        let dir = self.paths.run(experiment, run);
        let view = match RunView::read(self, experiment, run) {
            Err(Error::NotFound { .. }) => return self.forget_run(experiment, run, &dir),
            view => view?,
        };
        self.sweep(&view)?;
        let completion = view.completion(self);
        let more: Vec<Meta> = completion.into_iter().collect();
        let last = view.dead_logs.len().saturating_sub(1);
        // Those of which nothing is believed go first: a segment of a log that lost its end would vouch for what its writer
        // filled after it.
        let is_void = |log: &DeadLog| matches!(log.end, LogEnd::Damaged { offset: 0, .. });
        let (void, rest): (Vec<_>, Vec<_>) = view.dead_logs.iter().enumerate().partition(|(_, log)| is_void(log));
        for (number, log) in void.into_iter().chain(rest) {
            self.seal_dead(run, &dir, log, if number == last { &more } else { &[] })?;
        }
        if let (Some(record), true) = (more.first(), view.dead_logs.is_empty()) {
            self.write_meta(&view, std::slice::from_ref(record))?;
        }
        self.remove_obsolete(&view)?;
        if !more.is_empty() {
            self.note_incident(&dir, 0, "its writer vanished; the run was completed as KILLED".to_owned());
        }
        if view.live_logs > 0 {
            return Ok(false);
        }
        self.sweep_artifacts(&dir);
        if view.files.is_packed() {
            self.drop_empty_folder(&dir)?;
        }
        // Whoever wrote a change of the run may have died before its name was durable, and the catalog's page may reach the
        // medium before it. Points are beside the log they come from until their segment has its name. Packs are named by
        // one process at a time, which makes that durable before it goes on, and so does the next one.
        let is_change = |segment: &SegmentReader| segment.series().is_empty() && !segment.place().is_in_pack();
        if view.files.segments.iter().any(|segment| is_change(segment)) {
            sync_up(&self.env, &dir, self.paths.root())?;
        } else if view.dead_logs.is_empty() && more.is_empty() {
            // Nothing has synced the folder here. Who failed to begin a log has removed it, and no segment says that it is
            // obsolete: it must not come back with the power when the run is settled.
            match self.env.fs.sync_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::NotFound => self.sync_name(&dir)?,
                synced => synced.at(&dir, "sync")?,
            }
        }
        self.tell_catalog(experiment, run)?;
        Ok(true)
    }

    /// Removes files whose maker died while making them. Makers of such files hold a log of the run, the run's lock
    /// (as the caller does) or the compaction's.
    fn sweep(&self, view: &RunView) -> Result<()> {
        if view.files.temporary.is_empty() || view.live_logs > 0 {
            return Ok(());
        }
        let lease = self.paths.compaction_lock();
        let Some(_lease) = self.env.fs.try_lock(&lease).at(&lease, "lock")? else { return Ok(()) };
        for path in &view.files.temporary {
            match self.env.fs.remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).at(path, "remove"),
                _ => {}
            }
        }
        Ok(())
    }

    fn remove_obsolete(&self, view: &RunView) -> Result<()> {
        if view.files.obsolete.is_empty() {
            return Ok(());
        }
        // What they hold must be where it is said to be: what they are a copy of may have been damaged since.
        for segment in &view.files.segments {
            if let Err(error) = self.check_segment(segment.place(), view.id) {
                self.note_once(segment.path(), &error);
                return Ok(());
            }
        }
        // Whoever named the segment, or the pack, that covers these may have died before its name was durable.
        self.sync_segments(&view.files)?;
        self.remove_files(view.files.obsolete.iter().map(std::path::PathBuf::as_path))
    }

    /// Makes the names durable under which the segments of a run lie: whoever gave one may have died before it was so.
    pub(super) fn sync_segments(&self, files: &RunFiles) -> Result<()> {
        let folders: BTreeSet<&Path> = files.segments.iter().filter_map(|segment| segment.path().parent()).collect();
        folders.into_iter().try_for_each(|dir| sync_up(&self.env, dir, self.paths.root()))
    }

    /// Removes the folder of a run that lies in packs, if there is nothing in it; false if there is something. The caller
    /// holds the run's lock.
    pub(super) fn drop_empty_folder(&self, dir: &Path) -> Result<bool> {
        match self.env.fs.remove_dir(dir) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at(dir, "remove"),
            _ => Ok(true),
        }
    }

    /// Removes files whose content is elsewhere. Another process may have done so.
    pub(super) fn remove_files<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<()> {
        for path in paths {
            match self.env.fs.remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).at(path, "remove"),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the summary of a run that nobody writes to into the catalog.
    pub(super) fn tell_catalog(&self, experiment_id: ExperimentId, run_id: RunId) -> Result<()> {
        let view = RunView::read(self, experiment_id, run_id)?;
        if view.live_logs > 0 || !view.dead_logs.is_empty() || !view.files.damage.is_empty() {
            // A damaged run stays unsettled: its files are asked each time, and so the damage is seen. What the system
            // has refused it may allow the next time.
            view.files.damage.iter().for_each(|damage| self.note_once(&self.paths.run(experiment_id, run_id), damage));
            let refused = view.files.damage.iter().find(|damage| matches!(damage, Error::Io { .. }));
            return refused.map_or(Ok(()), |refused| Err(refused.copy()));
        }
        let tidy = self.is_tidy(&view);
        let state = EntryState::Settled(view.summary(tidy));
        let entry = RunEntry { run_id, experiment_id, state };
        self.with_journal(|journal| journal.append(entry.clone(), false))
    }

    /// A run of which no file says anything: its folder and its entry go, unless the folder holds what is not ours to
    /// judge: artifacts, a copy in progress, files of a later version. The caller holds the run's lock.
    pub(super) fn forget_run(&self, experiment_id: ExperimentId, run_id: RunId, dir: &Path) -> Result<bool> {
        let entries = match self.env.fs.read_dir(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            entries => entries.at(dir, "list")?,
        };
        let ours = |name: &str| matches!(parse_run_entry(name), RunEntryName::Log(_) | RunEntryName::Temporary);
        if let Some(other) = entries.iter().find(|entry| entry.kind != FileKind::File || !ours(&entry.name)) {
            let logs = entries.iter().filter(|entry| matches!(parse_run_entry(&entry.name), RunEntryName::Log(_)));
            let has = match logs.count() {
                0 => "no log or segment, but".to_owned(),
                1 => "a log in which nothing can be read, and".to_owned(),
                logs => format!("{logs} logs in which nothing can be read, and"),
            };
            let what = format!("the folder of a run has {has} {:?}: it was left alone", other.name);
            self.note_incident(dir, 0, what);
            return Ok(false);
        }
        for entry in &entries {
            if let RunEntryName::Log(id) = parse_run_entry(&entry.name) {
                let path = dir.join(&entry.name);
                self.note_zeros(&path);
                let file = self.env.fs.open(&path).at(&path, "open")?;
                if !is_zero_from(&*file, FRAMES_AT).at(&path, "read")? {
                    let reason = "nothing of the run could be believed".to_owned();
                    let end = LogEnd::Damaged { offset: FRAMES_AT, reason: reason.clone() };
                    let log = DeadLog { id, path, head: std::sync::Arc::default(), end };
                    self.set_aside(run_id, &log, FRAMES_AT, &reason)?;
                }
            }
        }
        match self.env.fs.remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).at(dir, "remove"),
            _ => {}
        }
        let entry = RunEntry { run_id, experiment_id, state: EntryState::Removed };
        self.with_journal(|journal| journal.append(entry.clone(), false))?;
        Ok(true)
    }

    /// The runs that writers of this process have ended.
    pub(super) fn take_to_settle(&self) -> Vec<RunId> {
        std::mem::take(&mut *lock(&self.to_settle))
    }
}

pub(super) fn log_id_of(path: &Path) -> Option<LogId> {
    path.file_stem().and_then(|stem| stem.to_str()).and_then(LogId::parse)
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
