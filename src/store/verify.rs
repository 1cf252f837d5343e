//! Looks at every stored byte of a store: the checksums of all files, and that what they guard can be decoded.

use super::maintenance::Progress;
use super::paths::{RunEntryName, parse_run_entry};
use super::run_files::RunFiles;
use super::{Shared, Store, lock};
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry, next_entry};
use crate::format::header::{FileType, HEADER_LEN, Header, decode_body};
use crate::format::wire::Reader;
use crate::log::{LogEnd, LogReader, Opened, header_error};
use crate::segment::{Head, SegmentReader};
use crate::types::RunId;
use std::path::{Path, PathBuf};

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

impl VerifyReport {
    fn take(&mut self, path: &Path, error: Error) {
        match error {
            Error::Corrupt { path, offset, reason } => self.damage.push(Damage { path, offset, reason }),
            // Sealed, compacted or removed while we looked.
            error if error.is_missing_file() => {}
            // A newer file, something else in its place, a bad sector: none of them keeps the others from being checked.
            error => self.damage.push(Damage { path: path.to_path_buf(), offset: 0, reason: error.to_string() }),
        }
    }
}

impl Store {
    /// Reads every file of the store but the artifacts and checks all of it. `progress` is called after each file.
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
        let shared = &self.shared;
        let mut report = VerifyReport::default();
        let files = files(shared)?;
        for (number, (path, run)) in files.iter().enumerate() {
            progress(Progress { done: number as u64, total: files.len() as u64 });
            report.files += 1;
            report.bytes += shared.env.fs.metadata(path).map(|metadata| metadata.len).unwrap_or(0);
            let checked = match run {
                Some(run) => check_run_file(shared, path, *run, &mut report),
                None => check_small_file(shared, path),
            };
            if let Err(error) = checked {
                report.take(path, error);
            }
        }
        find_missing(shared, &mut report)?;
        progress(Progress { done: files.len() as u64, total: files.len() as u64 });
        Ok(report)
    }
}

/// Every file that has a checksum, with its run if it belongs to one.
fn files(shared: &Shared) -> Result<Vec<(PathBuf, Option<RunId>)>> {
    let mut all = vec![(shared.paths.store_file(), None)];
    if shared.env.fs.metadata(&shared.paths.catalog_file()).is_ok() {
        all.push((shared.paths.catalog_file(), None));
    }
    all.extend(shared.experiment_ids()?.into_iter().map(|id| (shared.paths.experiment_file(id), None)));
    for (run, experiment) in shared.run_folders()? {
        let dir = shared.paths.run(experiment, run);
        let mut entries = match shared.env.fs.read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.at(&dir, "list")?,
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        // Content that is elsewhere is nobody's: the name may even be one that a power loss has brought back.
        // What cannot be opened is found again below, file by file.
        let obsolete = RunFiles::scan(shared, run, &dir).map(|files| files.obsolete).unwrap_or_default();
        entries.retain(|entry| !obsolete.contains(&dir.join(&entry.name)));
        let ours = |name: &str| matches!(parse_run_entry(name), RunEntryName::Log(_) | RunEntryName::Segment);
        // What is no file counts too: it is where one should be, and cannot be opened.
        let entries = entries.into_iter().filter(|entry| ours(&entry.name));
        all.extend(entries.map(|entry| (dir.join(entry.name), Some(run))));
    }
    Ok(all)
}

/// Looks for ended runs whose files hold fewer points than the catalog knows of: no checksum tells that a file is gone.
fn find_missing(shared: &Shared, report: &mut VerifyReport) -> Result<()> {
    let entries: Vec<RunEntry> = {
        let mut journal = lock(&shared.journal);
        shared.refresh_for_reading(&mut journal)?;
        journal.entries().values().cloned().collect()
    };
    for entry in entries {
        let EntryState::Settled(summary) = &entry.state else { continue };
        let dir = shared.paths.run(entry.experiment_id, entry.run_id);
        let Ok(files) = RunFiles::scan(shared, entry.run_id, &dir) else { continue };
        // A run whose folder was removed is no run; damaged files are named already; a log is of somebody who writes.
        if shared.env.fs.metadata(&dir).is_err() || !files.damage.is_empty() || !files.logs.is_empty() {
            continue;
        }
        let known: u64 = summary.metrics.iter().map(|(_, stats)| stats.count).sum();
        let held: u64 = files.segments.iter().map(|segment| segment.point_count()).sum();
        // Unless it was resumed or removed meanwhile.
        let is_same = |now: RunEntry| matches!(now.state, EntryState::Settled(now) if now.meta == summary.meta);
        if held < known && shared.entry(entry.run_id).is_ok_and(is_same) {
            let reason = format!("a file is missing: the catalog knows of {known} points, the files hold {held}");
            report.damage.push(Damage { path: dir, offset: 0, reason });
        }
    }
    Ok(())
}

fn read(shared: &Shared, path: &Path) -> Result<Vec<u8>> {
    let file = shared.env.fs.open(path).at(path, "open")?;
    let mut bytes = vec![0; usize::try_from(file.len().at(path, "measure")?).unwrap_or(0)];
    let read = file.read_at(&mut bytes, 0).at(path, "read")?;
    bytes.truncate(read);
    Ok(bytes)
}

fn check_small_file(shared: &Shared, path: &Path) -> Result<()> {
    let bytes = read(shared, path)?;
    let file_type = if *path == shared.paths.store_file() {
        FileType::Store
    } else if *path == shared.paths.catalog_file() {
        FileType::Catalog
    } else {
        FileType::Experiment
    };
    let header = Header::decode(&bytes, file_type).map_err(|error| header_error(path, error))?;
    if file_type != FileType::Catalog {
        let corrupt = |error: crate::format::DecodeError| Error::corrupt(path, error.offset as u64, error.to_string());
        let body = decode_body(&bytes, &header).map_err(corrupt)?;
        if file_type == FileType::Experiment {
            crate::format::experiment::decode(body).map_err(corrupt)?;
        }
        return Ok(());
    }
    let mut reader = Reader::new(bytes.get(HEADER_LEN..).unwrap_or_default());
    loop {
        let at = (HEADER_LEN + reader.position()) as u64;
        match next_entry(&mut reader, header.file_id, at) {
            Ok(Some(_)) => {}
            Ok(None) if HEADER_LEN as u64 + reader.position() as u64 >= bytes.len() as u64 => return Ok(()),
            Ok(None) => return Err(Error::corrupt(path, at, "the last entry is cut")),
            Err(error) => return Err(Error::corrupt(path, at, error.to_string())),
        }
    }
}

fn check_run_file(shared: &Shared, path: &Path, run: RunId, report: &mut VerifyReport) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match parse_run_entry(name) {
        RunEntryName::Log(_) => check_log(shared, path, run),
        _ => check_segment(shared, path, run, report),
    }
}

fn check_log(shared: &Shared, path: &Path, run: RunId) -> Result<()> {
    let mut reader = match LogReader::open(&shared.env, path)? {
        Opened::Log(reader) => reader,
        Opened::Prepared | Opened::Blank => return Ok(()),
        // What was never synced and went with the power looks like this; so does damage. A run of which the catalog
        // knows everything has lost nothing by it.
        Opened::Zeros if lock(&shared.journal).get(run).is_some_and(RunEntry::is_settled) => return Ok(()),
        Opened::Zeros => return Err(Error::corrupt(path, 0, "there is nothing in it but zeros")),
        Opened::Lost => return Err(Error::corrupt(path, 0, "its first page is missing")),
    };
    if reader.header().run_id != run {
        return Err(Error::corrupt(path, 0, "it is the log of another run"));
    }
    let mut head = Head::default();
    let mut visit = |payload: &[u8], from: usize| head.ingest(payload, from);
    let end = if reader.is_live()? { reader.read_live(&mut visit)? } else { reader.read_dead(&mut visit)? };
    match end {
        LogEnd::Complete => Ok(()),
        LogEnd::Damaged { offset, reason } => Err(Error::corrupt(path, offset, reason)),
    }
}

/// Checks a segment; every damaged column is a line of its own.
fn check_segment(shared: &Shared, path: &Path, run: RunId, report: &mut VerifyReport) -> Result<()> {
    let segment = SegmentReader::open(&shared.env, path)?;
    if segment.run_id() != run {
        return Err(Error::corrupt(path, 0, "it is the segment of another run"));
    }
    super::run_view::decode_meta(path, segment.meta())?;
    let mut check = |result: Result<()>| result.unwrap_or_else(|error| report.take(path, error));
    for number in 0..segment.group_count() {
        let index = match segment.group(number) {
            Ok(index) => index,
            Err(error) => {
                check(Err(error));
                continue;
            }
        };
        let mut ints = Vec::new();
        for chunk in &index.axis {
            for axis in [&chunk.steps, &chunk.timestamps] {
                ints.clear();
                // Numbers of a sister are checked where they are stored.
                if let Some(column) = &axis.column {
                    check(segment.read_ints(column, chunk.rows, &mut ints));
                }
            }
        }
        let mut floats = Vec::new();
        for series in &index.series {
            for (chunk, values) in index.axis.iter().zip(series) {
                floats.clear();
                check(segment.read_floats(&values.column, chunk.rows, &mut floats));
            }
        }
    }
    Ok(())
}
