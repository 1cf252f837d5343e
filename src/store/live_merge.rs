//! What to merge of a run that is being written.
//!
//! Found from the names of its files and from what was learnt of its segments before. No log is read, and no segment
//! stays open that is not merged: of a run with thousands of metrics both would take more memory than all the rest of
//! its writer.

use super::Shared;
use super::lock;
use super::paths::{RunEntryName, parse_run_entry};
use crate::compact::{Source, plan};
use crate::env::FileKind;
use crate::error::{Error, IoContext, Result};
use crate::segment::SegmentReader;
use crate::types::{LogId, RunId};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the plan asks of a segment.
#[derive(Clone, Debug)]
pub(super) struct SegmentFacts {
    logs: Vec<LogId>,
    bytes: u64,
    level: u8,
    metrics: usize,
}

/// Facts of the segments of runs that are being written, by their paths, which are not used again.
pub(super) type KnownSegments = HashMap<PathBuf, SegmentFacts>;

/// What is to be done for a run.
pub(super) enum LiveMerge {
    /// No log is left to be sealed: the run has ended.
    Ended,
    Nothing,
    Merge(Vec<Arc<SegmentReader>>),
}

impl SegmentFacts {
    fn of(segment: &SegmentReader) -> Self {
        let (logs, metrics) = (segment.logs().to_vec(), segment.series().len());
        Self { logs, bytes: segment.len(), level: segment.level(), metrics }
    }

    fn source(&self) -> Option<Source> {
        let (first, last) = (*self.logs.first()?, *self.logs.iter().max()?);
        Some(Source::Segment { first, last, bytes: self.bytes, level: self.level, metrics: self.metrics })
    }
}

impl Shared {
    /// Looks at the folder of a run and plans. The caller holds the compaction's lock, so that no segment goes away
    /// meanwhile. A run with a damaged file is left as it is.
    pub(super) fn plan_live_merge(&self, run: RunId, dir: &Path, level: u8) -> Result<LiveMerge> {
        let entries = match self.env.fs.read_dir(dir) {
            // All of it lies in a pack, or it was removed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(LiveMerge::Ended),
            entries => entries.at(dir, "list")?,
        };
        let (mut logs, mut segments) = (Vec::new(), Vec::new());
        for entry in &entries {
            match parse_run_entry(&entry.name) {
                RunEntryName::Log(_) | RunEntryName::Segment if entry.kind != FileKind::File => {
                    return Ok(LiveMerge::Nothing);
                }
                RunEntryName::Log(id) => logs.push(id),
                RunEntryName::Segment => segments.push(dir.join(&entry.name)),
                _ => {}
            }
        }
        if logs.is_empty() {
            self.forget_segments(dir, &[]);
            return Ok(LiveMerge::Ended);
        }
        self.forget_segments(dir, &segments);
        let mut covered: BTreeSet<LogId> = BTreeSet::new();
        let mut sources: Vec<(Source, Option<PathBuf>)> = Vec::new();
        for path in segments {
            let facts = match self.segment_facts(run, &path) {
                Err(Error::Corrupt { .. } | Error::UnsupportedFormat { .. }) => return Ok(LiveMerge::Nothing),
                Err(error) if error.is_missing_file() => return Ok(LiveMerge::Nothing),
                facts => facts?,
            };
            // What a merge that was cut short has left is removed first, when the run is settled.
            if !facts.logs.iter().all(|log| covered.insert(*log)) {
                return Ok(LiveMerge::Nothing);
            }
            sources.extend(facts.source().map(|source| (source, Some(path))));
        }
        logs.retain(|log| !covered.contains(log));
        if logs.is_empty() {
            return Ok(LiveMerge::Ended);
        }
        sources.extend(logs.into_iter().map(|log| (Source::Log(log), None)));
        sources.sort_by_key(|(source, _)| source.first());
        let (sources, paths): (Vec<Source>, Vec<Option<PathBuf>>) = sources.into_iter().unzip();
        let Some(range) = plan(&sources, false, level) else { return Ok(LiveMerge::Nothing) };
        let paths = paths.get(range).unwrap_or_default().iter().flatten();
        Ok(LiveMerge::Merge(paths.map(|path| self.segment(path)).collect::<Result<_>>()?))
    }

    fn segment_facts(&self, run: RunId, path: &Path) -> Result<SegmentFacts> {
        if let Some(known) = lock(&self.known_segments).get(path) {
            return Ok(known.clone());
        }
        let segment = self.segment(path)?;
        if segment.run_id() != run {
            return Err(Error::corrupt(path, 0, "it is the segment of another run"));
        }
        let facts = SegmentFacts::of(&segment);
        lock(&self.known_segments).insert(path.to_path_buf(), facts.clone());
        Ok(facts)
    }

    fn forget_segments(&self, dir: &Path, listed: &[PathBuf]) {
        lock(&self.known_segments).retain(|path, _| path.parent() != Some(dir) || listed.contains(path));
    }
}
