//! Repairing the files of one run: what is good of a damaged segment or log becomes a segment in its place.

use super::Shared;
use super::lock;
use super::paths::{RunEntryName, parse_run_entry, segment_name};
use super::quarantine::{copy_aside, move_aside};
use super::repair::{Loss, Repair, RepairReport};
use super::run_files::RunFiles;
use super::run_view::{RunView, decode_meta};
use crate::codec::Effort;
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, Summary};
use crate::format::log::{FRAMES_AT, LogHeader, PUBLISHED_AT};
use crate::format::{DecodeError, Decoded};
use crate::log::{LogEnd, LogReader};
use crate::segment::{Head, SegmentReader, SegmentWriter, Written, copy_good, salvage};
use crate::types::{ExperimentId, LogId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Points of each metric.
type Counts = BTreeMap<String, u64>;

/// A run whose lock is held.
struct Patient<'a> {
    shared: &'a Shared,
    experiment: ExperimentId,
    run: RunId,
    dir: PathBuf,
    /// What the catalog knew of it before.
    known: Option<Summary>,
    repairs: Vec<Repair>,
}

impl Shared {
    /// Repairs the damaged files of a run, and tells the catalog what the run then says.
    pub(super) fn repair_run(
        &self,
        experiment: ExperimentId,
        run: RunId,
        damaged: &BTreeSet<&Path>,
        report: &mut RepairReport,
    ) -> Result<()> {
        let _one_at_a_time = lock(&self.maintenance);
        // Nobody merges the segments meanwhile.
        let _lease = self.lock_file(&self.paths.compaction_lock())?;
        let _run_lock = self.lock_run(run)?;
        let known = match self.entry(run) {
            Ok(entry) if entry.experiment_id == experiment => match entry.state {
                EntryState::Settled(summary) => Some(summary),
                _ => None,
            },
            Ok(_) | Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let dir = self.paths.run(experiment, run);
        let mut patient = Patient { shared: self, experiment, run, dir, known, repairs: Vec::new() };
        let mut before = patient.counts()?;
        for (metric, summary) in patient.known.iter().flat_map(|known| &known.metrics) {
            let count = before.entry(metric.clone()).or_default();
            *count = summary.count.max(*count);
        }
        patient.repair(damaged)?;
        let after = patient.counts()?;
        report.repairs.append(&mut patient.repairs);
        for (metric, known) in before {
            let points = known.saturating_sub(after.get(&metric).copied().unwrap_or(0));
            if points > 0 {
                report.losses.push(Loss { run, metric, points });
            }
        }
        Ok(())
    }
}

impl Patient<'_> {
    fn repair(&mut self, damaged: &BTreeSet<&Path>) -> Result<()> {
        let shared = self.shared;
        let mut segments = Vec::new();
        let dir = self.dir.clone();
        for path in damaged.iter().filter(|path| path.parent() == Some(&dir)) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match (shared.env.fs.metadata(path).map(|metadata| metadata.kind), parse_run_entry(name)) {
                (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => {}
                (Err(error), _) => return Err(error).at(path, "look at"),
                (Ok(FileKind::File), RunEntryName::Segment) => segments.push((*path, self.open(path)?)),
                (Ok(FileKind::File), RunEntryName::Log(id)) => self.repair_log(path, id)?,
                (Ok(_), _) => {
                    self.keep_known()?;
                    self.set_aside(path, "it was no file")?;
                }
            }
        }
        // What is in none of them, before the first one goes.
        if segments.is_empty() || segments.iter().any(|(_, segment)| segment.is_none()) {
            self.keep_known()?;
        }
        for (path, segment) in segments {
            match segment {
                Some(segment) => self.repair_segment(path, &segment)?,
                None => self.set_aside(path, "nothing of it can be read, or it is of another run")?,
            }
        }
        shared.unsettle(self.run, self.experiment)?;
        shared.settle(self.experiment, self.run)?;
        Ok(())
    }

    fn view(&self) -> Result<RunView> {
        RunView::of_files(self.shared, self.experiment, self.run)
    }

    /// How many points its files say that the run has.
    fn counts(&self) -> Result<Counts> {
        Ok(self.view()?.metrics().into_iter().map(|(metric, stats)| (metric, stats.count)).collect())
    }

    fn aside_name(&self, path: &Path) -> String {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{}-{name}", self.run)
    }

    /// Moves what is at `path` away; nothing takes its place.
    fn set_aside(&mut self, path: &Path, what: &str) -> Result<()> {
        self.shared.unsettle(self.run, self.experiment)?;
        let aside = move_aside(&self.shared.env, &self.shared.paths, path, &self.aside_name(path))?;
        self.repairs.push(Repair { path: path.to_path_buf(), aside: Some(aside), what: what.to_owned() });
        Ok(())
    }

    /// Writes to the run what only the catalog still knows of its params, tags and status.
    fn keep_known(&self) -> Result<()> {
        let Some(known) = &self.known else { return Ok(()) };
        let records = decode_meta(&self.shared.paths.catalog_file(), &known.meta)?;
        let view = self.view()?;
        let mut state = view.state.clone();
        records.iter().for_each(|record| state.apply(record));
        if state == view.state { Ok(()) } else { self.shared.write_meta(&view, &records) }
    }

    /// The segment, if it is one of this run, also with a damaged header or trailer.
    fn open(&self, path: &Path) -> Result<Option<SegmentReader>> {
        match SegmentReader::open(&self.shared.env, path) {
            Ok(segment) => return Ok(Some(segment).filter(|segment| segment.run_id() == self.run)),
            Err(Error::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        let file = self.shared.env.fs.open(path).at(path, "open")?;
        Ok(salvage(file.map().at(path, "map")?, path, self.run))
    }

    /// Writes what is good of a segment, and in no other file, as a segment that takes its place.
    fn repair_segment(&mut self, path: &Path, segment: &SegmentReader) -> Result<()> {
        let elsewhere = self.held_elsewhere(path, segment)?;
        let wanted: Vec<LogId> = segment.logs().iter().copied().filter(|log| !elsewhere.contains(log)).collect();
        if wanted.is_empty() {
            return self.set_aside(path, "other files of the run hold all that it held");
        }
        if wanted.first() != wanted.iter().min() {
            return self.set_aside(path, "its logs overlap with those of other files and are out of order");
        }
        let meta = decode_meta(path, segment.meta()).map(|_| segment.meta().to_vec()).unwrap_or_default();
        let env = &self.shared.env;
        let aside = copy_aside(env, &self.shared.paths, path, &self.aside_name(path))?;
        self.shared.unsettle(self.run, self.experiment)?;
        let effort = if segment.level() == Effort::Seal as u8 { Effort::Seal } else { Effort::Compact };
        let first = wanted.first().copied().unwrap_or(LogId::NONE);
        let new = self.dir.join(segment_name(first, env.clock.random()));
        let mut output = SegmentWriter::create(env, &new, self.run, effort)?;
        let points = copy_good(segment, &|log| wanted.contains(log), &mut output)?;
        output.finish(Written { logs: wanted, meta })?;
        self.shared.remove_files(std::iter::once(path))?;
        env.fs.sync_dir(&self.dir).at(&self.dir, "sync")?;
        let what = format!("the {points} points of it that are good are in {}", new.display());
        self.repairs.push(Repair { path: path.to_path_buf(), aside: Some(aside), what });
        Ok(())
    }

    /// The logs of a damaged segment that are whole in other files: those it was made of, where they are still there, or
    /// another segment that names some of the same.
    fn held_elsewhere(&self, path: &Path, segment: &SegmentReader) -> Result<BTreeSet<LogId>> {
        let mut held = BTreeSet::new();
        let entries = self.shared.env.fs.read_dir(&self.dir).at(&self.dir, "list")?;
        for entry in entries.iter().filter(|entry| entry.kind == FileKind::File) {
            let other = self.dir.join(&entry.name);
            match parse_run_entry(&entry.name) {
                RunEntryName::Segment if other != *path && self.shared.check_segment(&other, self.run).is_ok() => {
                    held.extend(self.shared.segment(&other)?.logs());
                }
                RunEntryName::Log(id) if segment.logs().contains(&id) => {
                    let content = self.shared.log_content(self.run, id, &other, false);
                    let is_whole = content.is_ok_and(|content| {
                        content.end == LogEnd::Complete && content.head.point_count() == points_of(segment, id)
                    });
                    if is_whole {
                        held.insert(id);
                    }
                }
                _ => {}
            }
        }
        Ok(held)
    }

    /// Makes a log of which nothing counts, since its first page or a record is damaged, a segment of the frames before
    /// that. One with a damaged end is sealed by settling the run.
    fn repair_log(&mut self, path: &Path, id: LogId) -> Result<()> {
        let shared = self.shared;
        match shared.log_content(self.run, id, path, false) {
            Err(Error::Corrupt { .. }) => {}
            Err(error) if error.is_missing_file() => return Ok(()),
            content => return content.map(|_| ()),
        }
        let file = shared.env.fs.open(path).at(path, "open")?;
        if file.is_locked().at(path, "probe the lock of")? {
            return Ok(());
        }
        let mut page = [0; PUBLISHED_AT as usize];
        let read = file.read_at(&mut page, 0).at(path, "read")?;
        let page = page.get(..read).unwrap_or_default();
        let header = LogHeader::decode(page).ok().or_else(|| LogHeader::rebuild(page, self.run, id));
        let header = header.filter(|header| (header.run_id, header.log_id) == (self.run, id));
        let salvaged = match header {
            Some(header) if self.follows_on(&header)? => {
                good_frames(&|| LogReader::with_header(Arc::clone(&file), path, header))?
            }
            _ => None,
        };
        let Some((head, end)) = salvaged else {
            return self.set_aside(path, "nothing of it can be believed, or it is of another run or name");
        };
        let aside = copy_aside(&shared.env, &shared.paths, path, &self.aside_name(path))?;
        shared.unsettle(self.run, self.experiment)?;
        shared.write_segment(&self.dir, self.run, id, &head, &[])?;
        shared.remove_log(self.run, id, path)?;
        let points = head.point_count();
        let what = format!("its {points} points before byte {end} are in a segment");
        self.repairs.push(Repair { path: path.to_path_buf(), aside: Some(aside), what });
        Ok(())
    }

    /// Whether the log that this one names before itself is sealed, or ends where this one says.
    fn follows_on(&self, header: &LogHeader) -> Result<bool> {
        let Some((before, end)) = header.before else { return Ok(true) };
        let files = RunFiles::scan(self.shared, self.run, &self.dir)?;
        if files.segments.iter().any(|segment| segment.logs().contains(&before)) {
            return Ok(true);
        }
        let Some((_, path)) = files.logs.iter().find(|(id, _)| *id == before) else { return Ok(false) };
        let content = self.shared.log_content(self.run, before, path, false);
        Ok(content.is_ok_and(|content| content.position == u64::from(end)))
    }
}

/// How many points of a segment come from one of its logs.
fn points_of(segment: &SegmentReader, log: LogId) -> u64 {
    let Some(place) = segment.logs().iter().position(|known| *known == log) else { return 0 };
    let rows = |group: u32| segment.log_rows(group as usize).get(place).copied().unwrap_or(0);
    segment.series().iter().fold(0, |sum, series| sum.saturating_add(rows(series.group)))
}

/// What the frames of a dead log say up to the first that is damaged or whose records are, and where that is. `None` when
/// no frame proves that the reader's file id is right.
fn good_frames(open: &dyn Fn() -> LogReader) -> Result<Option<(Head, u64)>> {
    // A head that has met a wrong record may have taken a part of its frame: the next try stops before.
    let mut good = usize::MAX;
    loop {
        let (mut reader, mut head, mut seen) = (open(), Head::default(), 0);
        let mut visit = |payload: &[u8], from: usize| -> Decoded<()> {
            if seen == good {
                return Err(DecodeError { what: "frame", offset: 0, problem: "its records are wrong" });
            }
            head.ingest(payload, from)?;
            seen += 1;
            Ok(())
        };
        let read = reader.read_dead(&mut visit);
        let end = match read {
            Ok(LogEnd::Complete) => reader.position(),
            Ok(LogEnd::Damaged { offset, .. }) => offset,
            Err(Error::Corrupt { offset, .. }) if seen == good => offset,
            Err(Error::Corrupt { .. }) => {
                good = seen;
                continue;
            }
            Err(error) => return Err(error),
        };
        return Ok((seen > 0 || reader.position() > FRAMES_AT).then_some((head, end)));
    }
}
