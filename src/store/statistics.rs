//! How much there is, and how it is stored.

use super::paths::{RunEntryName, parse_run_entry};
use super::run_files::RunFiles;
use super::{Shared, Store};
use crate::codec::CodecId;
use crate::env::{DirEntry, FileKind};
use crate::error::{IoContext, Result};
use crate::segment::SegmentReader;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Sizes and counts of a whole store.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.log_metric("loss", 1, 0.5)?;
/// let statistics = store.statistics()?;
/// assert_eq!((statistics.runs, statistics.points), (1, 1));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreStatistics {
    /// Experiments, deleted ones too.
    pub experiments: u64,
    /// Runs, deleted ones too.
    pub runs: u64,
    /// Metrics, counted anew in each run.
    pub metrics: u64,
    /// Points of all metrics.
    pub points: u64,
    /// Chunks of values in segments.
    pub chunks: u64,
    /// Files, artifacts and locks not included.
    pub files: u64,
    /// Sum of their lengths.
    pub bytes: u64,
    /// Bytes that they occupy on the medium, slack included.
    pub allocated_bytes: u64,
    /// Sealed files: segments, and packs of those of many small runs.
    pub segment_files: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Logs.
    pub log_files: u64,
    /// Their bytes, preallocated ones too.
    pub log_bytes: u64,
    /// Bytes of the catalog.
    pub catalog_bytes: u64,
    /// Artifact files.
    pub artifact_files: u64,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// Columns of all segments by kind and codec.
    pub codecs: Vec<CodecStatistics>,
}

/// How often a codec was chosen for a kind of column.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// for column in store.statistics()?.codecs {
///     println!("{} {}: {} bytes in {} chunks", column.column, column.codec, column.bytes, column.chunks);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecStatistics {
    /// `steps`, `timestamps` or `values`.
    pub column: &'static str,
    /// Name of the codec, as in `docs/format.md`.
    pub codec: &'static str,
    /// How many chunks of such a column have it.
    pub chunks: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes that they take.
    pub bytes: u64,
}

impl StoreStatistics {
    /// All bytes of the store, artifacts not included, for each point; `None` without points.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// assert!(store.statistics()?.bytes_per_point() > Some(0.0));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn bytes_per_point(&self) -> Option<f64> {
        (self.points > 0).then(|| self.bytes as f64 / self.points as f64)
    }
}

type Codecs = BTreeMap<(&'static str, CodecId), (u64, u64, u64)>;

impl Store {
    /// Counts everything. Cost: opens the index of every segment; reads no column.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// assert_eq!((store.statistics()?.runs, store.statistics()?.points), (1, 1));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors. What is damaged is left out of the counts: [`Self::verify`] names it.
    pub fn statistics(&self) -> Result<StoreStatistics> {
        let shared = &self.shared;
        let mut all = StoreStatistics { experiments: shared.experiments()?.len() as u64, ..Default::default() };
        let mut codecs = Codecs::new();
        count_file(shared, &shared.paths.store_file(), &mut all);
        all.catalog_bytes = count_file(shared, &shared.paths.catalog_file(), &mut all);
        for id in shared.experiment_ids()? {
            count_file(shared, &shared.paths.experiment_file(id), &mut all);
            for pack in shared.pack_paths(id)? {
                all.segment_files += 1;
                all.segment_bytes += count_file(shared, &pack, &mut all);
            }
        }
        for (run, experiment) in shared.runs_on_disk()? {
            let dir = shared.paths.run(experiment, run);
            // One run that cannot be read does not hide the others.
            let Ok(files) = RunFiles::scan(shared, experiment, run) else { continue };
            if files.is_empty() {
                continue;
            }
            all.runs += 1;
            count_dir(shared, &dir, &mut all)?;
            let mut metrics = std::collections::BTreeSet::new();
            for segment in &files.segments {
                metrics.extend(segment.series().iter().map(|series| series.metric.clone()));
                all.points += segment.point_count();
                count_columns(segment, &mut all, &mut codecs);
            }
            for (id, path) in &files.logs {
                if let Ok(content) = shared.log_content(run, *id, path, false) {
                    metrics.extend(content.head.series().map(|series| series.metric.clone()));
                    all.points += content.head.point_count();
                }
            }
            all.metrics += metrics.len() as u64;
        }
        all.codecs = codecs
            .into_iter()
            .map(|((column, codec), (chunks, rows, bytes))| CodecStatistics {
                column,
                codec: codec.name(),
                chunks,
                rows,
                bytes,
            })
            .collect();
        Ok(all)
    }
}

fn count_file(shared: &Shared, path: &Path, all: &mut StoreStatistics) -> u64 {
    let Ok(metadata) = shared.env.fs.metadata(path) else { return 0 };
    all.files += 1;
    all.bytes += metadata.len;
    all.allocated_bytes += metadata.allocated;
    metadata.len
}

/// The entries of a folder; none when it went away while others were counted, or is no folder.
fn list(shared: &Shared, dir: &Path) -> Result<Vec<DirEntry>> {
    match shared.env.fs.read_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        entries => entries.at(dir, "list"),
    }
}

fn count_dir(shared: &Shared, dir: &Path, all: &mut StoreStatistics) -> Result<()> {
    for entry in list(shared, dir)? {
        let path = dir.join(&entry.name);
        match parse_run_entry(&entry.name) {
            RunEntryName::Log(_) | RunEntryName::Segment if entry.kind != FileKind::File => {}
            RunEntryName::Log(_) => {
                all.log_files += 1;
                all.log_bytes += count_file(shared, &path, all);
            }
            RunEntryName::Segment => {
                all.segment_files += 1;
                all.segment_bytes += count_file(shared, &path, all);
            }
            RunEntryName::Artifacts => count_artifacts(shared, &path, all)?,
            RunEntryName::Temporary | RunEntryName::Other => {
                count_file(shared, &path, all);
            }
        }
    }
    Ok(())
}

fn count_artifacts(shared: &Shared, dir: &Path, all: &mut StoreStatistics) -> Result<()> {
    for entry in list(shared, dir)? {
        let path = dir.join(&entry.name);
        match entry.kind {
            FileKind::Dir => count_artifacts(shared, &path, all)?,
            FileKind::File => {
                all.artifact_files += 1;
                all.artifact_bytes += shared.env.fs.metadata(&path).map(|metadata| metadata.len).unwrap_or(0);
            }
            FileKind::Other => {}
        }
    }
    Ok(())
}

fn count_columns(segment: &SegmentReader, all: &mut StoreStatistics, codecs: &mut Codecs) {
    for number in 0..segment.group_count() {
        // A bare group has no column.
        if segment.is_bare(number) {
            continue;
        }
        let Ok(index) = segment.group(number) else { continue };
        let mut add = |kind, column: &crate::format::index::ColumnRef, rows: u32| {
            let (chunks, all_rows, bytes) = codecs.entry((kind, column.codec)).or_default();
            *chunks += 1;
            *all_rows += u64::from(rows);
            *bytes += u64::from(column.len);
        };
        for chunk in &index.axis {
            for (kind, axis) in [("steps", &chunk.steps), ("timestamps", &chunk.timestamps)] {
                if let Some(column) = &axis.column {
                    add(kind, column, chunk.rows);
                }
            }
        }
        all.chunks += index.columns.len() as u64;
        for (column, chunk) in index.columns.iter().zip(index.axis.iter().cycle()) {
            add("values", column, chunk.rows);
        }
    }
}
