//! The files of one run: which count, which have been replaced, and the content of its logs.
//!
//! A segment names the logs whose content it holds. So any set of files says by itself which of them count: a log
//! that a segment covers is obsolete, and so is a segment whose logs are all in another one.

use super::packs::Packs;
use super::paths::{RunEntryName, parse_run_entry};
use super::{Shared, lock, twice};
use crate::env::FileKind;
use crate::env::sync::Mutex;
use crate::env::sync::thread::yield_now;
use crate::error::{Error, IoContext, Result};
use crate::log::{LogEnd, LogPlace, LogReader, Opened};
use crate::segment::{Head, SegmentPlace, SegmentReader};
use crate::types::{ExperimentId, LogId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often folders are listed again when they change under the reader.
pub(super) const MAX_TRIES: usize = 50;
/// Most memory that is kept for the content of the next log.
const MAX_SPARE_BYTES: usize = 64 << 20;
/// Logs whose content is kept in memory for the next reader.
const MAX_HEADS: usize = 64;

/// The files of a run at one moment.
#[derive(Debug, Default)]
pub(crate) struct RunFiles {
    /// Segments that count, by their first log.
    pub(crate) segments: Vec<Arc<SegmentReader>>,
    /// Logs that no segment covers, in order.
    pub(crate) logs: Vec<(LogId, PathBuf)>,
    /// Files whose content is elsewhere.
    pub(crate) obsolete: Vec<PathBuf>,
    /// Files in the making, or left behind.
    pub(crate) temporary: Vec<PathBuf>,
    /// Segments that cannot be read, and what is no file and has the name of a log or segment.
    pub(crate) damage: Vec<Error>,
}

/// A log as far as it was read.
#[derive(Debug)]
pub(crate) struct CachedHead {
    place: LogPlace,
    head: Arc<Head>,
}

/// A log's content, and what its reader met.
#[derive(Debug)]
pub(crate) struct LogContent {
    pub(crate) head: Arc<Head>,
    pub(crate) end: LogEnd,
    /// Whether a writer held it before it was read.
    pub(crate) live: bool,
    /// The log that its writer filled before it, and where that ended.
    pub(crate) before: Option<(LogId, u32)>,
    /// Where its next frame would begin.
    pub(crate) position: u64,
}

impl RunFiles {
    /// Looks at the folder of the run and at the packs of its experiment. A folder that is not there has no files.
    ///
    /// Compaction may replace files, or move segments to another pack, at the same time: a listing counts when both still
    /// say the same after every segment has been opened. What is open stays readable.
    pub(crate) fn scan(shared: &Shared, experiment: ExperimentId, run: RunId) -> Result<Self> {
        let dir = &shared.paths.run(experiment, run);
        let look = || Ok((list(shared, dir)?, shared.packs(experiment)?));
        let mut seen: (BTreeMap<String, FileKind>, Packs) = look()?;
        for _ in 0..MAX_TRIES {
            let files = Self::open(shared, run, dir, &seen)?;
            let again = (list(shared, dir)?, shared.pack_paths(experiment)?);
            match files {
                Some(files) if again.0 == seen.0 && again.1 == seen.1.paths => return Ok(files),
                _ => seen = look()?,
            }
            yield_now();
        }
        // Only a folder that never rests gets here; each listing by itself is whole on common file systems.
        Self::open(shared, run, dir, &seen)?.ok_or_else(|| Error::not_found("stable listing of", dir.display()))
    }

    /// Fails when the system refused to read a file of the run: what counts may be in that one, so that nothing can be
    /// decided now. A damaged file is no reason: it will say no more later.
    pub(super) fn check_read(&self) -> Result<()> {
        match self.damage.iter().find(|error| matches!(error, Error::Io { .. })) {
            Some(error) => Err(error.copy()),
            None => Ok(()),
        }
    }

    /// `None` when a file vanished since it was listed.
    fn open(
        shared: &Shared,
        run: RunId,
        dir: &Path,
        seen: &(BTreeMap<String, FileKind>, Packs),
    ) -> Result<Option<Self>> {
        let (names, packs) = seen;
        let mut files = Self::default();
        let mut segments = Vec::new();
        files.damage.extend(packs.doubts().map(Error::copy));
        for (pack, piece) in packs.pieces_of(run) {
            match shared.packed_segment(pack, &piece) {
                Ok(segment) if segment.run_id() == run => segments.push(segment),
                Ok(segment) => files.damage.push(segment.damaged("it is the segment of another run")),
                Err(error) if error.is_missing_file() => return Ok(None),
                Err(error) => files.damage.push(error),
            }
        }
        for (name, kind) in names {
            let path = dir.join(name);
            match parse_run_entry(name) {
                RunEntryName::Log(_) | RunEntryName::Segment if *kind != FileKind::File => {
                    files.damage.push(not_a_file(&path, *kind));
                }
                RunEntryName::Temporary if *kind != FileKind::File => {}
                RunEntryName::Log(id) => files.logs.push((id, path)),
                RunEntryName::Temporary => files.temporary.push(path),
                RunEntryName::Segment => match shared.segment(&path) {
                    Ok(segment) if segment.run_id() == run => segments.push(segment),
                    Ok(_) => files.damage.push(Error::corrupt(&path, 0, "it is the segment of another run")),
                    Err(error) if error.is_missing_file() => return Ok(None),
                    // Damaged, of a newer version, or refused by the system: the others are read all the same, and
                    // nothing is decided about the run as long as it is so.
                    Err(error) => files.damage.push(error),
                },
                RunEntryName::Artifacts | RunEntryName::Other => {}
            }
        }
        files.choose(segments);
        Ok(Some(files))
    }

    /// Keeps the segments that say most, as long as no log is counted twice.
    fn choose(&mut self, mut segments: Vec<Arc<SegmentReader>>) {
        segments.sort_by(|a, b| {
            // Of two copies the one in a pack: the other can be removed.
            let rank = |segment: &SegmentReader| (segment.logs().len(), segment.level(), segment.place().is_in_pack());
            rank(b).cmp(&rank(a)).then_with(|| a.place().cmp(b.place()))
        });
        let mut covered: BTreeSet<LogId> = BTreeSet::new();
        for segment in segments {
            let known = segment.logs().iter().filter(|log| covered.contains(log)).count();
            if known == 0 {
                covered.extend(segment.logs());
                self.segments.push(segment);
            } else if known == segment.logs().len() {
                // In a pack it stays until the pack is written anew.
                self.obsolete.extend(segment.place().own_file().map(Path::to_path_buf));
            } else {
                let reason = "it shares some of its logs with another segment of the run";
                self.damage.push(segment.damaged(reason));
            }
        }
        self.segments.sort_by(|a, b| a.logs().first().cmp(&b.logs().first()));
        let (gone, left) = std::mem::take(&mut self.logs).into_iter().partition(|(id, _)| covered.contains(id));
        self.logs = left;
        self.obsolete.extend(gone.into_iter().map(|(_, path): (LogId, PathBuf)| path));
    }

    /// A log whose forerunner lost its end with the power was never synced, since syncs go in order: nothing of it is
    /// believed, so that what is left of a writer is a prefix. `ends`: how far the logs before it were read. `unread`:
    /// whether the forerunner may be in a file that cannot be read. That is no sign of a power loss, which takes ends and
    /// not beginnings, and one damaged file must not hide a good one.
    pub(crate) fn doubt(&self, content: LogContent, ends: &BTreeMap<LogId, u64>, unread: bool) -> LogContent {
        let Some((before, end)) = content.before.filter(|_| !content.live) else { return content };
        if unread && !ends.contains_key(&before) {
            return content;
        }
        let is_sealed = self.segments.iter().any(|segment| segment.logs().contains(&before));
        if is_sealed || ends.get(&before) == Some(&u64::from(end)) {
            return content;
        }
        let reason = "the log that its writer filled before it has lost its end".to_owned();
        LogContent { head: Arc::default(), end: LogEnd::Damaged { offset: 0, reason }, position: 0, ..content }
    }

    /// Whether another look at the folder found the same content in the same files.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let segments = |files: &Self| files.segments.iter().map(|s| s.place().clone()).collect::<Vec<_>>();
        self.logs == other.logs && segments(self) == segments(other)
    }

    /// Whether all that counts lies in packs.
    pub(crate) fn is_packed(&self) -> bool {
        self.logs.is_empty() && self.segments.iter().all(|segment| segment.place().is_in_pack())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.logs.is_empty() && self.damage.is_empty()
    }
}

fn list(shared: &Shared, dir: &Path) -> Result<BTreeMap<String, FileKind>> {
    match shared.env.fs.read_dir(dir) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| (entry.name, entry.kind)).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).at(dir, "list"),
    }
}

/// Somebody has put it in the place of a log or segment: what that held is missing.
fn not_a_file(path: &Path, kind: FileKind) -> Error {
    let what = if kind == FileKind::Dir { "a folder" } else { "a link or a special file" };
    Error::corrupt(path, 0, format!("it is {what} instead of a file"))
}

impl Shared {
    /// Opens a segment, or takes it from those that somebody reads already.
    pub(crate) fn segment(&self, path: &Path) -> Result<Arc<SegmentReader>> {
        let place = SegmentPlace::file(path);
        self.known_segment(&place, || twice(|| SegmentReader::open(&self.env, &place)))
    }

    pub(super) fn known_segment(
        &self,
        place: &SegmentPlace,
        open: impl FnOnce() -> Result<SegmentReader>,
    ) -> Result<Arc<SegmentReader>> {
        if let Some(open) = lock(&self.segments).get(place).and_then(std::sync::Weak::upgrade) {
            return Ok(open);
        }
        let segment = Arc::new(open()?);
        let mut known = lock(&self.segments);
        known.retain(|_, segment| segment.strong_count() > 0);
        known.insert(place.clone(), Arc::downgrade(&segment));
        Ok(segment)
    }

    /// Reads a log from where it was left the last time; `count`: with statistics of its metrics.
    pub(crate) fn log_content(&self, run: RunId, id: LogId, path: &Path, count: bool) -> Result<LogContent> {
        let cached = lock(&self.heads).get(&(run, id)).map(Arc::clone);
        let cached = match cached {
            Some(cached) => cached,
            None => {
                let blank = |live, end| LogContent { head: Arc::default(), end, live, before: None, position: 0 };
                let reader = match twice(|| LogReader::open(&self.env, path))? {
                    Opened::Log(reader) => reader,
                    Opened::Prepared => return Ok(blank(true, LogEnd::Complete)),
                    Opened::Blank => return Ok(blank(false, LogEnd::Complete)),
                    nothing @ (Opened::Zeros | Opened::Lost) => {
                        let is_zero = matches!(nothing, Opened::Zeros);
                        let reason =
                            if is_zero { "there is nothing in it but zeros" } else { "its first page is missing" };
                        return Ok(blank(false, LogEnd::Damaged { offset: 0, reason: reason.to_owned() }));
                    }
                };
                if (reader.header().run_id, reader.header().log_id) != (run, id) {
                    return Err(Error::corrupt(path, 0, "it is a log of another run or name"));
                }
                let head = Arc::new(std::mem::take(&mut *lock(&self.spare_head)));
                let cached = Arc::new(Mutex::new(CachedHead { place: reader.place(), head }));
                let mut heads = lock(&self.heads);
                if heads.len() >= MAX_HEADS {
                    heads.retain(|_, head| Arc::strong_count(head) > 1);
                }
                Arc::clone(heads.entry((run, id)).or_insert(cached))
            }
        };
        let mut cached = lock(&cached);
        let CachedHead { place, head } = &mut *cached;
        let mut reader = place.open(&self.env)?;
        let live = reader.is_live()?;
        let mut visit = |payload: &[u8], from: usize| Arc::make_mut(head).ingest(payload, from);
        let read = if live { reader.read_live(&mut visit) } else { reader.read_dead(&mut visit) };
        *place = reader.place();
        match read {
            Ok(end) => {
                if count && head.is_uncounted() {
                    Arc::make_mut(head).count();
                }
                let (before, position) = (reader.header().before, reader.position());
                Ok(LogContent { head: Arc::clone(head), end, live, before, position })
            }
            Err(error) => {
                // The head may have taken a part of a frame: it is read from the start the next time.
                lock(&self.heads).remove(&(run, id));
                Err(error)
            }
        }
    }

    /// Forgets the content of logs of the run that are gone, sealed by this or another process.
    pub(crate) fn keep_logs(&self, run: RunId, listed: &[(LogId, PathBuf)]) {
        let is_listed = |log: &LogId| listed.iter().any(|(id, _)| id == log);
        lock(&self.heads).retain(|(owner, log), _| *owner != run || is_listed(log));
    }

    /// Keeps the memory of a log's content for the next one, unless somebody still reads it.
    pub(super) fn reuse(&self, head: Arc<Head>) {
        if let Some(head) = Arc::into_inner(head) {
            *lock(&self.spare_head) = head.emptied(MAX_SPARE_BYTES);
        }
    }

    /// Gives the memory that [`Self::reuse`] has kept back to the system.
    pub(super) fn drop_spare(&self) {
        *lock(&self.spare_head) = Head::default();
    }

    /// Forgets the content of a log that is gone.
    pub(crate) fn forget_log(&self, run: RunId, id: LogId) {
        lock(&self.heads).remove(&(run, id));
    }
}

#[cfg(test)]
#[path = "run_files_tests.rs"]
mod tests;
