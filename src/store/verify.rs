//! Looks at every stored byte of a store: the checksums of all files, and that what they guard can be decoded. And at what
//! no checksum tells: whether the catalog says of a run what the run's files say.

use super::maintenance::Progress;
use super::open::{check_store_file, read_start};
use super::packs::place_of;
use super::paths::{RunEntryName, parse_run_entry};
use super::run_files::RunFiles;
use super::run_view::{RunView, decode_meta, meta_of};
use super::{Shared, Store};
use crate::catalog::{Index, root_at};
use crate::env::{Env, FileKind};
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry, Summary, next_entry};
use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::index::{AxisChunk, GroupIndex};
use crate::format::wire::Reader;
use crate::log::{LogEnd, LogReader, Opened, header_error};
use crate::pack::PackReader;
use crate::segment::{Head, SegmentPlace, SegmentReader};
use crate::types::{ExperimentId, LoggedModelId, RunId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A damaged place.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// for damage in store.verify(&mut |_| {})?.damage {
///     eprintln!("{}: byte {}: {}", damage.path.display(), damage.offset, damage.reason);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where the damaged piece begins, in bytes from the start of the file.
    pub offset: u64,
    /// Which check failed.
    pub reason: String,
}

/// What a verification looked at and found.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// let report = store.verify(&mut |_| {})?;
/// assert!(report.files > 0 && report.damage.is_empty());
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Files that were read, artifacts not included: they carry no checksum.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Everything that is wrong, in the order of the files.
    pub damage: Vec<Damage>,
}

/// What a stored file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Store,
    Catalog,
    Experiment(ExperimentId),
    /// What holds the segments of a pack together.
    Pack(ExperimentId),
    Model,
    LoggedModel(ExperimentId, LoggedModelId),
    /// A log or segment, or what is in the place of one.
    OfRun(ExperimentId, RunId),
}

/// A damaged place, and what a repair has to know of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) damage: Damage,
    pub(super) kind: Kind,
    /// False when it is not known to be damaged: a newer file, one that the system refuses to read.
    pub(super) corrupt: bool,
}

/// What a look at all files has come to.
#[derive(Debug, Default)]
pub(super) struct Survey {
    files: u64,
    bytes: u64,
    pub(super) found: Vec<Found>,
    /// Runs of which the catalog says something else than their files, or of which files are missing.
    pub(super) unlike: Vec<(ExperimentId, RunId)>,
}

impl Survey {
    fn take(&mut self, path: &Path, kind: Kind, error: Error) {
        let (damage, corrupt) = match error {
            Error::Corrupt { path, offset, reason } => (Damage { path, offset, reason }, true),
            // Sealed, compacted or removed while we looked.
            error if error.is_missing_file() => return,
            // A newer file, something else in its place, a bad sector: none of them keeps the others from being checked.
            error => (Damage { path: path.to_path_buf(), offset: 0, reason: error.to_string() }, false),
        };
        self.found.push(Found { damage, kind, corrupt });
    }

    pub(super) fn report(self) -> VerifyReport {
        let damage = self.found.into_iter().map(|found| found.damage).collect();
        VerifyReport { files: self.files, bytes: self.bytes, damage }
    }
}

impl Store {
    /// Reads every file of the store but the artifacts and checks all of it, and whether the catalog says of ended runs
    /// what their files say. `progress` is called after each file.
    ///
    /// Works beside writers: of a log that is being written, what was published is checked.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let report = store.verify(&mut |_| {})?;
    /// assert!(report.damage.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// When folders cannot be listed. Damage is no error here, and neither is a file that cannot be read: both are in the
    /// report.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport> {
        Ok(self.shared.survey(progress)?.report())
    }
}

impl Shared {
    /// See [`Store::verify`].
    pub(super) fn survey(&self, progress: &mut dyn FnMut(Progress)) -> Result<Survey> {
        let mut survey = Survey::default();
        let files = files(self)?;
        let mut catalog = Vec::new();
        for (number, (path, kind)) in files.iter().enumerate() {
            progress(Progress { done: number as u64, total: files.len() as u64 });
            survey.files += 1;
            survey.bytes += self.env.fs.metadata(path).map(|metadata| metadata.len).unwrap_or(0);
            let checked = match kind {
                Kind::Store => check_store_file(&self.env, &self.paths).map(|_| ()),
                Kind::Catalog => read_catalog(&self.env, path, &mut catalog),
                Kind::Experiment(id) => match self.experiment(*id) {
                    Err(Error::NotFound { .. }) => Ok(()),
                    experiment => experiment.map(|_| ()),
                },
                Kind::Pack(experiment) => check_pack(self, path, *experiment, &mut survey),
                Kind::Model => self.model_at(path).map(|_| ()),
                Kind::LoggedModel(experiment, id) => self.check_logged_model(*experiment, *id),
                Kind::OfRun(_, run) => check_run_file(self, path, *run, *kind, &mut survey),
            };
            if let Err(error) = checked {
                survey.take(path, *kind, error);
            }
        }
        find_unlike(self, catalog, &mut survey)?;
        progress(Progress { done: files.len() as u64, total: files.len() as u64 });
        Ok(survey)
    }
}

/// Every file that has a checksum.
fn files(shared: &Shared) -> Result<Vec<(PathBuf, Kind)>> {
    let mut all = vec![(shared.paths.store_file(), Kind::Store)];
    if shared.env.fs.metadata(&shared.paths.catalog_file()).is_ok() {
        all.push((shared.paths.catalog_file(), Kind::Catalog));
    }
    all.extend(shared.experiment_ids()?.into_iter().map(|id| (shared.paths.experiment_file(id), Kind::Experiment(id))));
    all.extend(shared.model_files()?.into_iter().map(|path| (path, Kind::Model)));
    for experiment in shared.experiment_ids()? {
        let models = shared.logged_model_ids(experiment)?.into_iter();
        let file = |id| (shared.paths.logged_model_file(experiment, id), Kind::LoggedModel(experiment, id));
        all.extend(models.map(file));
        all.extend(shared.pack_paths(experiment)?.into_iter().map(|path| (path, Kind::Pack(experiment))));
    }
    for (run, experiment) in shared.runs_on_disk()? {
        let dir = shared.paths.run(experiment, run);
        let mut entries = match shared.env.fs.read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.at(&dir, "list")?,
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        // Content that is elsewhere is nobody's: the name may even be one that a power loss has brought back.
        // What cannot be opened is found again below, file by file.
        let obsolete = RunFiles::scan(shared, experiment, run).map(|files| files.obsolete).unwrap_or_default();
        entries.retain(|entry| !obsolete.contains(&dir.join(&entry.name)));
        let ours = |name: &str| matches!(parse_run_entry(name), RunEntryName::Log(_) | RunEntryName::Segment);
        // What is no file counts too: it is where one should be, and cannot be opened.
        let entries = entries.into_iter().filter(|entry| ours(&entry.name));
        all.extend(entries.map(|entry| (dir.join(entry.name), Kind::OfRun(experiment, run))));
    }
    Ok(all)
}

/// Checks the catalog and gives what it says of each run, with the place of the entry.
pub(super) fn read_catalog(env: &Env, path: &Path, entries: &mut Vec<(u64, RunEntry)>) -> Result<()> {
    let file = env.fs.open(path).at(path, "open")?;
    let bytes = read_start(&*file, path, u64::MAX)?;
    let header = Header::decode(&bytes, FileType::Catalog).map_err(|error| header_error(path, error))?;
    let begin = match root_at(&header) {
        Some(root_at) => {
            let (index, end) = Index::open(&*file, path, header.file_id, root_at)?;
            entries.append(&mut index.check()?);
            end
        }
        None => HEADER_LEN as u64,
    };
    let mut reader = Reader::new(usize::try_from(begin).ok().and_then(|begin| bytes.get(begin..)).unwrap_or_default());
    loop {
        let at = begin + reader.position() as u64;
        match next_entry(&mut reader, header.file_id, at) {
            Ok(Some(runs)) => entries.extend(runs.into_iter().map(|run| (at, run))),
            Ok(None) if at >= bytes.len() as u64 => return Ok(()),
            // An entry may be on its way into the file.
            Ok(None) if file.len().at(path, "measure")? != bytes.len() as u64 => return Ok(()),
            Ok(None) => return Err(Error::corrupt(path, at, "the last entry is cut")),
            Err(error) => return Err(Error::corrupt(path, at, error.to_string())),
        }
    }
}

/// Compares what the catalog says of ended runs with what their files say: no checksum tells that a file is gone, or that
/// the catalog is one of another time.
fn find_unlike(shared: &Shared, catalog: Vec<(u64, RunEntry)>, survey: &mut Survey) -> Result<()> {
    let latest: BTreeMap<RunId, (u64, RunEntry)> =
        catalog.into_iter().map(|(at, entry)| (entry.run_id, (at, entry))).collect();
    for (at, entry) in latest.into_values() {
        let EntryState::Settled(summary) = &entry.state else { continue };
        let (experiment, run) = (entry.experiment_id, entry.run_id);
        let dir = shared.paths.run(experiment, run);
        let view = match RunView::read(shared, experiment, run) {
            // A run whose folder was removed is no run.
            Err(_) if !shared.has_files(experiment, run)? => continue,
            Err(Error::NotFound { .. }) => None,
            Err(_) => continue,
            // Damaged files are named already; a log is of somebody who writes.
            Ok(view) if !view.files.damage.is_empty() || !view.files.logs.is_empty() => continue,
            Ok(view) => Some(view),
        };
        let damage = match &view {
            Some(view) if says_the_same(&entry, view) => continue,
            Some(view) => match what_is_missing(shared, &entry, view) {
                Some(reason) => Damage { path: dir, offset: 0, reason },
                None => {
                    let reason = format!("the catalog says of run {run} something else than its files");
                    Damage { path: shared.paths.catalog_file(), offset: at, reason }
                }
            },
            None => Damage { path: dir, offset: 0, reason: missing_text(known_to(summary), 0) },
        };
        // Unless it was resumed, edited or removed meanwhile.
        if shared.entry(run).is_ok_and(|now| same_bytes(&now, &entry)) {
            survey.found.push(Found { damage, kind: Kind::OfRun(experiment, run), corrupt: true });
            survey.unlike.push((experiment, run));
        }
    }
    Ok(())
}

/// How many points the catalog knows of.
fn known_to(summary: &Summary) -> u64 {
    summary.metrics.iter().fold(0, |sum, (_, stats)| sum.saturating_add(stats.count))
}

/// How many points the files of a run that nobody writes to hold.
fn held_by(view: &RunView) -> u64 {
    view.files.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.point_count()))
}

fn missing_text(known: u64, held: u64) -> String {
    format!("a file is missing: the catalog knows of {known} points, the files hold {held}")
}

/// What the catalog knew of a run, when it was asked before the files were, and they do not say. They may say more:
/// whoever writes to a run tells the catalog first.
fn what_is_missing(shared: &Shared, entry: &RunEntry, view: &RunView) -> Option<String> {
    let EntryState::Settled(summary) = &entry.state else { return None };
    let (known, held) = (known_to(summary), held_by(view));
    if held < known {
        return Some(missing_text(known, held));
    }
    let mut state = view.state.clone();
    decode_meta(&shared.paths.catalog_file(), &summary.meta).ok()?.iter().for_each(|record| state.apply(record));
    let reason = "a file is missing: the catalog knows of a param, tag, name or status of which no file says anything";
    (state != view.state).then(|| reason.to_owned())
}

/// The damage of a run of which a file is gone, as far as the catalog tells.
pub(super) fn missing_file(shared: &Shared, entry: &RunEntry, view: &RunView) -> Option<Error> {
    if !view.files.damage.is_empty() || !view.files.logs.is_empty() {
        return None;
    }
    let reason = what_is_missing(shared, entry, view)?;
    Some(Error::corrupt(&shared.paths.run(entry.experiment_id, entry.run_id), 0, reason))
}

fn says_the_same(entry: &RunEntry, view: &RunView) -> bool {
    let EntryState::Settled(summary) = &entry.state else { return false };
    let state = EntryState::Settled(view.summary(summary.tidy));
    same_bytes(&RunEntry { state, ..entry.clone() }, entry)
}

/// Whether two entries are stored alike: NaN differs from itself.
fn same_bytes(a: &RunEntry, b: &RunEntry) -> bool {
    let bytes = |entry: &RunEntry| crate::format::catalog::encode_one(crate::types::FileId([0; 16]), 0, entry);
    bytes(a) == bytes(b)
}

fn check_run_file(shared: &Shared, path: &Path, run: RunId, kind: Kind, survey: &mut Survey) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let RunEntryName::Log(_) = parse_run_entry(name) {
        return check_log(shared, path, run);
    }
    check_columns(SegmentCheck::open(shared, &SegmentPlace::file(path), run)?, path, kind, survey);
    Ok(())
}

/// Every damaged column is a line of its own.
fn check_columns(mut check: SegmentCheck, path: &Path, kind: Kind, survey: &mut Survey) {
    while let Some((_, checked)) = check.next() {
        checked.unwrap_or_else(|error| survey.take(path, kind, error));
    }
}

/// Checks a pack, and every segment in it, also those that no longer count.
fn check_pack(shared: &Shared, path: &Path, experiment: ExperimentId, survey: &mut Survey) -> Result<()> {
    if shared.env.fs.metadata(path).is_ok_and(|metadata| metadata.kind != FileKind::File) {
        return Err(Error::corrupt(path, 0, "it is no file"));
    }
    let pack = PackReader::open(&shared.env, path, experiment)?;
    if let Some(damage) = pack.damage() {
        survey.take(path, Kind::Pack(experiment), damage.copy());
    }
    for piece in pack.pieces() {
        let kind = Kind::OfRun(experiment, piece.run);
        let segment = pack.bytes(&piece).and_then(|bytes| SegmentReader::from_region(bytes, &place_of(&pack, &piece)));
        match segment.and_then(|segment| SegmentCheck::begin(segment, piece.run)) {
            Ok(check) => check_columns(check, path, kind, survey),
            Err(error) => survey.take(path, kind, error),
        }
    }
    Ok(())
}

fn check_log(shared: &Shared, path: &Path, run: RunId) -> Result<()> {
    let mut reader = match LogReader::open(&shared.env, path)? {
        Opened::Log(reader) => reader,
        Opened::Prepared | Opened::Blank => return Ok(()),
        // What was never synced and went with the power looks like this; so does damage. A run of which the catalog
        // knows everything has lost nothing by it.
        Opened::Zeros if shared.brief(run).is_ok_and(|run| run.is_settled()) => return Ok(()),
        Opened::Zeros => return Err(Error::corrupt(path, 0, "there is nothing in it but zeros")),
        Opened::Lost => return Err(Error::corrupt(path, 0, "its first page is missing")),
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let header = reader.header();
    if header.run_id != run || parse_run_entry(name) != RunEntryName::Log(header.log_id) {
        return Err(Error::corrupt(path, 0, "it is a log of another run or name"));
    }
    let mut head = Head::default();
    let mut visit = |payload: &[u8], from: usize| head.ingest(payload, from);
    let end = if reader.is_live()? { reader.read_live(&mut visit)? } else { reader.read_dead(&mut visit)? };
    match end {
        LogEnd::Complete => Ok(()),
        LogEnd::Damaged { offset, reason } => Err(Error::corrupt(path, offset, reason)),
    }
}

/// A segment on the way of being checked, column by column, from its file and not from what others have open.
#[derive(Debug)]
pub(super) struct SegmentCheck {
    segment: Arc<SegmentReader>,
    group: usize,
    column: usize,
}

impl SegmentCheck {
    /// Checks header, trailer and footer.
    pub(super) fn open(shared: &Shared, place: &SegmentPlace, run: RunId) -> Result<Self> {
        Self::begin(SegmentReader::open(&shared.env, place)?, run)
    }

    fn begin(segment: SegmentReader, run: RunId) -> Result<Self> {
        let segment = Arc::new(segment);
        if segment.run_id() != run {
            return Err(segment.damaged("it is the segment of another run"));
        }
        meta_of(&segment)?;
        Ok(Self { segment, group: 0, column: 0 })
    }

    /// Checks the next column, or finds that the index of the next group cannot be read: so many bytes were looked at, and
    /// this was found. `None` at the end.
    pub(super) fn next(&mut self) -> Option<(u64, Result<()>)> {
        while self.group < self.segment.group_count() {
            // Of a bare group nothing lies outside the footer.
            if self.segment.is_bare(self.group) {
                self.group += 1;
                continue;
            }
            let index = match self.segment.group(self.group) {
                Ok(index) => index,
                Err(error) => {
                    (self.group, self.column) = (self.group + 1, 0);
                    return Some((0, Err(error)));
                }
            };
            let number = self.column;
            self.column += 1;
            match check_column(&self.segment, &index, number) {
                Some(checked) => return Some(checked),
                None => (self.group, self.column) = (self.group + 1, 0),
            }
        }
        None
    }
}

impl Shared {
    /// Checks all of a segment; the first damaged piece is the error.
    pub(super) fn check_segment(&self, place: &SegmentPlace, run: RunId) -> Result<()> {
        let mut check = SegmentCheck::open(self, place, run)?;
        while let Some((_, checked)) = check.next() {
            checked?;
        }
        Ok(())
    }
}

/// Checks column `number` of a group: first steps and timestamps of each chunk in turn, then the values of each metric.
fn check_column(segment: &SegmentReader, index: &GroupIndex, number: usize) -> Option<(u64, Result<()>)> {
    let chunks = index.axis.len();
    if number < 2 * chunks {
        let axis: &AxisChunk = index.axis.get(number / 2)?;
        let numbers = if number.is_multiple_of(2) { &axis.steps } else { &axis.timestamps };
        // Numbers of a sister are checked where they are stored.
        let Some(column) = &numbers.column else { return Some((0, Ok(()))) };
        return Some((u64::from(column.len), segment.read_ints(column, axis.rows, &mut Vec::new())));
    }
    let (position, chunk) = ((number - 2 * chunks) / chunks, (number - 2 * chunks) % chunks);
    let (axis, column) = (index.axis.get(chunk)?, index.column(position, chunk)?);
    Some((u64::from(column.len), segment.read_floats(column, axis.rows, &mut Vec::new())))
}
