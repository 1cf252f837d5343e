//! Repairing the files of one run: what is good of a damaged segment or log becomes a segment in its place.

use super::Shared;
use super::lock;
use super::packs::place_of;
use super::paths::{RunEntryName, parse_run_entry, segment_name};
use super::quarantine::{copy_aside, copy_piece_aside, move_aside};
use super::repair::{Loss, Repair, RepairReport};
use super::run_files::RunFiles;
use super::run_view::{RunView, decode_meta, meta_of};
use crate::codec::Effort;
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, Summary};
use crate::format::log::{FRAMES_AT, LogHeader, PUBLISHED_AT};
use crate::format::{DecodeError, Decoded};
use crate::log::{LogEnd, LogReader};
use crate::segment::{Head, SegmentPlace, SegmentReader, SegmentWriter, Written, copy_good, salvage};
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
            let count = before.entry(metric.to_string()).or_default();
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
        let mut segments = self.damaged_pieces(damaged)?;
        let dir = self.dir.clone();
        for path in damaged.iter().filter(|path| path.parent() == Some(&dir)) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match (shared.env.fs.metadata(path).map(|metadata| metadata.kind), parse_run_entry(name)) {
                (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => {}
                (Err(error), _) => return Err(error).at(path, "look at"),
                (Ok(FileKind::File), RunEntryName::Segment) => {
                    let place = SegmentPlace::file(path);
                    let segment = self.open(&place)?;
                    segments.push((place, segment));
                }
                (Ok(FileKind::File), RunEntryName::Log(id)) => self.repair_log(path, id)?,
                (Ok(_), _) => {
                    self.keep_known()?;
                    self.set_aside(&SegmentPlace::file(path), "it was no file")?;
                }
            }
        }
        // What is in none of them, before the first one goes.
        if segments.is_empty() || segments.iter().any(|(_, segment)| segment.is_none()) {
            self.keep_known()?;
        }
        for (place, segment) in segments {
            match segment {
                Some(segment) => self.repair_segment(&place, &segment)?,
                None => self.set_aside(&place, "nothing of it can be read, or it is of another run")?,
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

    /// The damaged segments of the run among those in packs, and what can be opened of them.
    fn damaged_pieces(&self, damaged: &BTreeSet<&Path>) -> Result<Vec<(SegmentPlace, Option<SegmentReader>)>> {
        let dir = self.shared.paths.packs(self.experiment);
        let mut pieces = Vec::new();
        if !damaged.iter().any(|path| path.parent() == Some(&dir)) {
            return Ok(pieces);
        }
        // Whatever its name is by now: the repair of another run may have written the pack anew.
        let packs = self.shared.packs(self.experiment)?;
        for (pack, piece) in packs.pieces_of(self.run) {
            let place = place_of(pack, &piece);
            match self.shared.check_segment(&place, self.run) {
                Ok(()) => {}
                Err(Error::Corrupt { .. }) => pieces.push((place.clone(), self.open(&place)?)),
                Err(error) => return Err(error),
            }
        }
        Ok(pieces)
    }

    fn aside_name(&self, place: &SegmentPlace) -> String {
        let name = place.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match place.own_file() {
            Some(_) => format!("{}-{name}", self.run),
            None => format!("{}-{name}-{}.seg", self.run, place.offset(0)),
        }
    }

    /// Moves what is at `place` away; nothing takes its place.
    fn set_aside(&mut self, place: &SegmentPlace, what: &str) -> Result<()> {
        let shared = self.shared;
        shared.unsettle(self.run, self.experiment)?;
        let (path, name) = (place.path(), self.aside_name(place));
        let aside = match place.own_file() {
            Some(path) => move_aside(&shared.env, &shared.paths, path, &name)?,
            None => {
                let aside = copy_piece_aside(&shared.env, &shared.paths, place, &name)?;
                self.give_up(place)?;
                aside
            }
        };
        self.repairs.push(Repair { path: path.to_path_buf(), aside: Some(aside), what: what.to_owned() });
        Ok(())
    }

    /// Removes a segment that was copied aside, or writes the pack anew in which it lies.
    fn give_up(&self, place: &SegmentPlace) -> Result<()> {
        let Some(path) = place.own_file() else {
            let gone = |path: &Path, start: u64| path == place.path() && start == place.offset(0);
            return self
                .shared
                .rewrite_packs(self.experiment, &|pack, piece| !gone(pack.path(), piece.start))
                .map(|_| ());
        };
        self.shared.remove_files(std::iter::once(path))?;
        self.shared.env.fs.sync_dir(&self.dir).at(&self.dir, "sync")
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
    fn open(&self, place: &SegmentPlace) -> Result<Option<SegmentReader>> {
        match SegmentReader::open(&self.shared.env, place) {
            Ok(segment) => return Ok(Some(segment).filter(|segment| segment.run_id() == self.run)),
            Err(Error::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(salvage(place.map(&self.shared.env)?, place, self.run))
    }

    /// Writes what is good of a segment, and in no other file, as a segment that takes its place.
    fn repair_segment(&mut self, place: &SegmentPlace, segment: &SegmentReader) -> Result<()> {
        let elsewhere = self.held_elsewhere(place, segment)?;
        let wanted: Vec<LogId> = segment.logs().iter().copied().filter(|log| !elsewhere.contains(log)).collect();
        if wanted.is_empty() {
            return self.set_aside(place, "other files of the run hold all that it held");
        }
        if wanted.first() != wanted.iter().min() {
            return self.set_aside(place, "its logs overlap with those of other files and are out of order");
        }
        let meta = meta_of(segment).map(|_| segment.meta().to_vec()).unwrap_or_default();
        let (env, paths, name) = (&self.shared.env, &self.shared.paths, self.aside_name(place));
        let aside = match place.own_file() {
            Some(path) => copy_aside(env, paths, path, &name)?,
            None => copy_piece_aside(env, paths, place, &name)?,
        };
        self.shared.unsettle(self.run, self.experiment)?;
        let effort = if segment.level() == Effort::Seal as u8 { Effort::Seal } else { Effort::Compact };
        let first = wanted.first().copied().unwrap_or(LogId::NONE);
        // A run that lies in a pack has no folder.
        env.fs.create_dir_all(&self.dir).at(&self.dir, "create")?;
        let new = self.dir.join(segment_name(first, env.clock.random()));
        let mut output = SegmentWriter::create(env, &new, self.run, effort)?;
        let points = copy_good(segment, &|log| wanted.contains(log), &mut output)?;
        output.finish(Written { logs: wanted, meta })?;
        self.shared.sync_name(&self.dir)?;
        self.give_up(place)?;
        let what = format!("the {points} points of it that are good are in {}", new.display());
        self.repairs.push(Repair { path: place.path().to_path_buf(), aside: Some(aside), what });
        Ok(())
    }

    /// The logs of a damaged segment that are whole in other files: those it was made of, where they are still there, or
    /// another segment that names some of the same.
    fn held_elsewhere(&self, place: &SegmentPlace, segment: &SegmentReader) -> Result<BTreeSet<LogId>> {
        let mut held = BTreeSet::new();
        let packs = self.shared.packs(self.experiment)?;
        let mut others: Vec<SegmentPlace> =
            packs.pieces_of(self.run).map(|(pack, piece)| place_of(pack, &piece)).collect();
        let entries = match self.shared.env.fs.read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            entries => entries.at(&self.dir, "list")?,
        };
        for entry in entries.iter().filter(|entry| entry.kind == FileKind::File) {
            let other = self.dir.join(&entry.name);
            match parse_run_entry(&entry.name) {
                RunEntryName::Segment => others.push(SegmentPlace::file(&other)),
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
        for other in others.iter().filter(|other| *other != place) {
            if self.shared.check_segment(other, self.run).is_ok() {
                held.extend(SegmentReader::open(&self.shared.env, other)?.logs());
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
            let reason = "nothing of it can be believed, or it is of another run or name";
            return self.set_aside(&SegmentPlace::file(path), reason);
        };
        let name = self.aside_name(&SegmentPlace::file(path));
        let aside = copy_aside(&shared.env, &shared.paths, path, &name)?;
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
        let files = RunFiles::scan(self.shared, self.experiment, self.run)?;
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
