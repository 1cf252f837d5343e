//! One run as its files say it is, at one moment.

use super::Shared;
use super::run_files::{LogContent, RunFiles};
use crate::catalog::RunState;
use crate::error::{Error, Result};
use crate::format::catalog::Summary;
use crate::format::record::{Change, Meta};
use crate::log::LogEnd;
use crate::segment::{Head, SegmentReader};
use crate::types::{ExperimentId, LogId, MetricSummary, Run, RunId, RunStatus, Stats, StatusCause};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a run is read again because a writer went from log to log meanwhile. Each time it has filled another log, so
/// that more than a few are needed only when something is damaged.
const MAX_OVERTAKEN: usize = 64;

/// Something that holds points, in the order of the run's logs.
#[derive(Clone, Debug)]
pub(crate) enum PointSource {
    Segment(Arc<SegmentReader>),
    Log(Arc<Head>),
}

/// A log that nobody holds, with what its reader met.
#[derive(Debug)]
pub(crate) struct DeadLog {
    pub(crate) id: LogId,
    pub(crate) path: PathBuf,
    pub(crate) head: Arc<Head>,
    pub(crate) end: LogEnd,
}

/// Everything about a run.
#[derive(Debug)]
pub(crate) struct RunView {
    pub(crate) id: RunId,
    pub(crate) experiment_id: ExperimentId,
    pub(crate) state: RunState,
    /// Sorted by their first log.
    pub(crate) sources: Vec<(LogId, PointSource)>,
    pub(crate) dead_logs: Vec<DeadLog>,
    /// How many logs are being written.
    pub(crate) live_logs: usize,
    pub(crate) files: RunFiles,
    /// Ends of logs that could not be believed.
    pub(crate) lost_ends: Vec<Error>,
    /// When the latest log of the run was created: a new one must come later, whatever the clock says.
    pub(crate) last_log_us: u64,
}

impl RunView {
    /// Reads the run's files.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or none that says anything: a run whose creation was cut short, or lost
    /// with the power, was never acknowledged to be durable.
    pub(crate) fn read(shared: &Shared, experiment_id: ExperimentId, id: RunId) -> Result<Self> {
        loop {
            let view = Self::of_files(shared, experiment_id, id)?;
            if view.is_blank() {
                return Err(Error::not_found("run", id));
            }
            // A log that was sealed after the listing looks as if its writer were gone. Before that is believed the
            // folder must still say the same.
            if !view.seems_vanished() || view.files.is_same(&RunFiles::scan(shared, experiment_id, id)?) {
                return Ok(view);
            }
        }
    }

    /// A run of which this segment is all that there is.
    pub(super) fn of_segment(experiment_id: ExperimentId, id: RunId, segment: Arc<SegmentReader>) -> Result<Self> {
        let state = RunState::from_records(&meta_of(&segment)?);
        let first = segment.logs().first().copied().unwrap_or(LogId::NONE);
        let last_log_us = segment.logs().iter().map(|log| log.created_us).max().unwrap_or(0);
        let files = RunFiles { segments: vec![Arc::clone(&segment)], ..RunFiles::default() };
        Ok(Self {
            id,
            experiment_id,
            state,
            sources: vec![(first, PointSource::Segment(segment))],
            dead_logs: Vec::new(),
            live_logs: 0,
            files,
            lost_ends: Vec::new(),
            last_log_us,
        })
    }

    /// What the files of the run say of it, be it nothing.
    pub(super) fn of_files(shared: &Shared, experiment_id: ExperimentId, id: RunId) -> Result<Self> {
        let dir = shared.paths.run(experiment_id, id);
        let mut times_overtaken = 0;
        loop {
            let files = RunFiles::scan(shared, experiment_id, id)?;
            match Self::from_files(shared, experiment_id, id, files) {
                // Sealed between listing and opening: the segment is there now.
                Err(error) if error.is_missing_file() => {}
                Ok(None) if times_overtaken < MAX_OVERTAKEN => times_overtaken += 1,
                Ok(None) => {
                    return Err(Error::corrupt(&dir, 0, "a log says that the one before it is longer than it is"));
                }
                Ok(Some(view)) => return Ok(view),
                Err(error) => return Err(error),
            }
        }
    }

    /// `None` when a writer went on from one of its logs to the next while
    /// they were read one after the other: the calls that came to the first one meanwhile would be missing, and later
    /// ones be there.
    fn from_files(
        shared: &Shared,
        experiment_id: ExperimentId,
        id: RunId,
        mut files: RunFiles,
    ) -> Result<Option<Self>> {
        let mut state = RunState::default();
        let mut sources = Vec::new();
        for segment in &files.segments {
            for record in meta_of(segment)? {
                state.apply(&record);
            }
            let first = segment.logs().first().copied().unwrap_or(LogId::NONE);
            sources.push((first, PointSource::Segment(Arc::clone(segment))));
        }
        shared.keep_logs(id, &files.logs);
        let (mut dead_logs, mut live_logs) = (Vec::new(), 0);
        let (mut damage, mut lost_ends) = (Vec::new(), Vec::new());
        let mut ends: BTreeMap<LogId, u64> = BTreeMap::new();
        // How far logs were read while they could still grow.
        let mut growing: BTreeMap<LogId, u64> = BTreeMap::new();
        for (log, path) in &files.logs {
            let content = match shared.log_content(id, *log, path, true) {
                Err(error @ (Error::Corrupt { .. } | Error::UnsupportedFormat { .. })) => {
                    damage.push(error);
                    continue;
                }
                content => content?,
            };
            if content.before.is_some_and(|(before, end)| growing.get(&before).is_some_and(|at| *at < u64::from(end))) {
                return Ok(None);
            }
            // One that is damaged does not grow on.
            if content.live && content.end == LogEnd::Complete {
                growing.insert(*log, content.position);
            }
            let unread = !damage.is_empty() || !files.damage.is_empty();
            let content = files.doubt(content, &ends, unread);
            ends.insert(*log, content.position);
            let LogContent { head, end, live, .. } = content;
            if let LogEnd::Damaged { offset, reason } = &end {
                lost_ends.push(Error::corrupt(path, *offset, reason.clone()));
            }
            head.meta().iter().for_each(|record| state.apply(record));
            sources.push((*log, PointSource::Log(Arc::clone(&head))));
            if live {
                live_logs += 1;
            } else {
                dead_logs.push(DeadLog { id: *log, path: path.clone(), head, end });
            }
        }
        files.damage.extend(damage);
        sources.sort_by_key(|(log, _)| *log);
        let sealed = files.segments.iter().flat_map(|segment| segment.logs());
        let logs = sealed.chain(files.logs.iter().map(|(log, _)| log));
        let last_log_us = logs.map(|log| log.created_us).max().unwrap_or(0);
        shared.saw_change(state.latest_us().max(last_log_us));
        let view = Self { id, experiment_id, state, sources, dead_logs, live_logs, files, lost_ends, last_log_us };
        Ok(Some(view))
    }

    fn is_blank(&self) -> bool {
        let says_nothing = |(_, source): &(LogId, PointSource)| match source {
            PointSource::Segment(_) => false,
            PointSource::Log(head) => head.meta().is_empty() && head.point_count() == 0,
        };
        self.files.damage.is_empty() && self.sources.iter().all(says_nothing)
    }

    /// Statistics of every metric over all sources.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Stats> {
        let mut metrics: BTreeMap<String, Stats> = BTreeMap::new();
        let mut add = |name: &str, stats: &Stats| match metrics.get_mut(name) {
            Some(known) => known.merge(stats),
            None => {
                metrics.insert(name.to_owned(), *stats);
            }
        };
        for (_, source) in &self.sources {
            match source {
                PointSource::Segment(segment) => segment.series().iter().for_each(|s| add(&s.metric, &s.stats)),
                PointSource::Log(head) => head.series().for_each(|s| add(&s.metric, head.stats(s))),
            }
        }
        metrics
    }

    fn seems_vanished(&self) -> bool {
        self.live_logs == 0 && self.state.status() == RunStatus::Running && !self.state.is_left()
    }

    /// The change that completes the run, when its status says it runs and nobody writes to it.
    pub(crate) fn completion(&self, shared: &Shared) -> Option<Meta> {
        // A damaged file may be the one that says how the run ended.
        if !self.seems_vanished() || !self.files.damage.is_empty() {
            return None;
        }
        let end_time = Some(self.last_sign_of_life(shared.now_ms()));
        let change = Change::Status { status: RunStatus::Killed, cause: StatusCause::Vanished, end_time };
        Some(Meta { at_us: self.state.latest_us().saturating_add(1), change })
    }

    /// The latest timestamp of a point or change that is not in the future, in milliseconds.
    fn last_sign_of_life(&self, now_ms: i64) -> i64 {
        let changed = (self.state.latest_us() / 1000) as i64;
        let ends = self.metrics().into_values().filter_map(|stats| stats.time_range.map(|range| range.1));
        ends.filter(|end| *end <= now_ms).fold(changed, i64::max)
    }

    /// The run as a reader sees it: one whose writers vanished is shown as what recovery will make of it. `metrics`:
    /// what [`Self::metrics`] gives.
    pub(crate) fn to_run(&self, shared: &Shared, metrics: &BTreeMap<String, Stats>) -> Run {
        let mut state = self.state.clone();
        if let Some(completion) = self.completion(shared) {
            state.apply(&completion);
        }
        state.to_run(self.id, self.experiment_id, summaries(metrics).collect())
    }

    /// The catalog's entry for a run that nobody writes to.
    pub(crate) fn summary(&self, tidy: bool) -> Summary {
        Summary { tidy, meta: self.state.encode(), metrics: summaries(&self.metrics()).collect() }
    }
}

fn summaries(metrics: &BTreeMap<String, Stats>) -> impl Iterator<Item = (Arc<str>, MetricSummary)> + '_ {
    metrics.iter().filter_map(|(name, stats)| Some((name.as_str().into(), MetricSummary::of(stats)?)))
}

/// The records of a segment.
pub(crate) fn meta_of(segment: &SegmentReader) -> Result<Vec<Meta>> {
    Meta::decode_all(segment.meta()).map_err(|error| segment.corrupt(0, error.to_string()))
}

/// The records of a catalog entry.
pub(crate) fn decode_meta(path: &Path, bytes: &[u8]) -> Result<Vec<Meta>> {
    Meta::decode_all(bytes).map_err(|error| Error::corrupt(path, 0, error.to_string()))
}

#[cfg(test)]
#[path = "run_view_tests.rs"]
mod tests;
