//! A consistent view of one run.

use super::run_view::{PointSource, RunView};
use super::verify::missing_file;
use super::{Shared, Store};
use crate::error::{Error, Result};
use crate::format::index::{AxisChunk, GroupIndex};
use crate::query::MetricQuery;
use crate::segment::{Head, SegmentReader, SeriesChunks};
use crate::types::{Columns, Point, Run, RunId, Stats};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One run at one instant: everything acknowledged before it was taken, and nothing later.
///
/// It stays valid while it lives, also when compaction or deletion removes the files beneath it, and takes no lock:
/// writers do not wait for it, nor it for them.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.log_metric("loss", 1, 0.5)?;
/// let snapshot = store.snapshot(run.id())?;
/// run.log_metric("loss", 2, 0.4)?;
/// assert_eq!(snapshot.latest("loss").map(|point| point.step), Some(1));
/// assert_eq!(snapshot.metric("loss")?.points().count(), 1);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    run: Run,
    metrics: BTreeMap<String, Stats>,
    sources: Vec<PointSource>,
    /// Segments that cannot be read come first; then ends of logs that cannot be believed.
    damage: Vec<Error>,
    unread_files: usize,
}

/// Points of one metric that lie together: a chunk of a segment, or the content of a log.
#[derive(Debug)]
pub(crate) struct Piece {
    place: Place,
    /// Smallest and largest step and timestamp; `None` when they are not known without reading.
    pub(crate) ranges: Option<((i64, i64), (i64, i64))>,
}

#[derive(Debug)]
enum Place {
    Chunk { segment: Arc<SegmentReader>, index: Arc<GroupIndex>, group: usize, position: usize, chunk: usize },
    Log { head: Arc<Head>, metric: String },
}

impl Piece {
    /// How many points it has.
    pub(crate) fn rows(&self) -> Result<usize> {
        match &self.place {
            Place::Log { head, metric } => {
                let parts = head.metric(metric).into_iter().flat_map(|series| head.parts(series, 0));
                Ok(parts.map(|(_, _, values)| values.len()).sum())
            }
            Place::Chunk { index, chunk, segment, .. } => {
                let rows = index.axis.get(*chunk).map(|axis| axis.rows as usize);
                rows.ok_or_else(|| segment.damaged("a metric has no place in its group"))
            }
        }
    }

    /// Writes its points into `out` from number `at` on, and gives the number after them. What lies behind means
    /// nothing afterwards; nor, after an error, does what lies from `at` on.
    ///
    /// Room that is there already is not cleared: that would cost as much as decoding.
    pub(crate) fn read_at(&self, at: usize, out: &mut Columns) -> Result<usize> {
        let end = at + self.rows()?;
        if out.len() < end {
            out.resize(end);
        }
        match &self.place {
            Place::Log { head, metric } => {
                let mut begin = at;
                let parts = head.metric(metric).into_iter().flat_map(|series| head.parts(series, 0));
                for (steps, timestamps, values) in parts {
                    let slots = out.slots(begin..begin + values.len());
                    slots.0.copy_from_slice(steps);
                    slots.1.copy_from_slice(timestamps);
                    slots.2.copy_from_slice(values);
                    begin += values.len();
                }
            }
            Place::Chunk { segment, index, group, position, chunk } => {
                let (steps, timestamps, values) = out.slots(at..end);
                segment.fill_axis(*group, index, *chunk, steps, timestamps)?;
                segment.fill_values(*group, index, *position, *chunk, values)?;
            }
        }
        Ok(end)
    }
}

/// Points of one metric for a chart: all chunks of a segment, or the content of a log.
#[derive(Debug)]
pub(crate) enum ChartSource {
    Piece(Piece),
    Chunks(Box<SeriesChunks>),
}

impl Piece {
    /// One of the chunks of a metric.
    pub(crate) fn of_chunk(chunks: &SeriesChunks, chunk: usize) -> Self {
        let (group, position) = chunks.place();
        let (segment, index) = (Arc::clone(chunks.segment()), Arc::clone(chunks.index()));
        let place = Place::Chunk { segment, index, group, position, chunk };
        Self { place, ranges: chunks.chunk_ranges(chunk) }
    }
}

impl Snapshot {
    fn new(shared: &Shared, view: RunView) -> Self {
        let metrics = view.metrics();
        let run = view.to_run(shared, &metrics);
        let sources = view.sources.into_iter().map(|(_, source)| source).collect();
        let unread_files = view.files.damage.len();
        let damage = view.files.damage.into_iter().chain(view.lost_ends).collect();
        Self { run, metrics, sources, damage, unread_files }
    }

    /// What of the run could not be read, and is missing here: damaged files, which make questions about points fail
    /// unless they skip it ([`MetricQuery::skip_damaged`]), and ends of logs that a power loss or damage has taken.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let snapshot = store.snapshot(run.id())?;
    /// for damage in snapshot.damage() {
    ///     eprintln!("missing from the run: {damage}");
    /// }
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn damage(&self) -> &[Error] {
        &self.damage
    }

    /// The run with its params, tags, and a summary of each metric.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_param("lr", "0.1")?;
    /// let snapshot = store.snapshot(run.id())?;
    /// assert_eq!(snapshot.run().params["lr"], "0.1");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Statistics of a metric over all its points; `None` when the run has no such metric.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # for (step, value) in [(1, 0.5), (2, 0.3), (3, 0.4)] { run.log_metric("loss", step, value)?; }
    /// let snapshot = store.snapshot(run.id())?;
    /// let best = snapshot.stats("loss").and_then(|stats| stats.min);
    /// assert_eq!(best.map(|point| point.step), Some(2));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn stats(&self, key: &str) -> Option<&Stats> {
        self.metrics.get(key)
    }

    /// The point with the greatest (step, timestamp, value). Cost: one look-up by name.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metrics(1, &[("loss", 0.5), ("accuracy", 0.8)])?;
    /// let snapshot = store.snapshot(run.id())?;
    /// assert_eq!(snapshot.latest("accuracy").map(|point| point.value), Some(0.8));
    /// assert_eq!(snapshot.latest("perplexity"), None);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn latest(&self, key: &str) -> Option<Point> {
        self.stats(key).and_then(|stats| stats.latest)
    }

    /// A question about the points of a metric.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// let snapshot = store.snapshot(run.id())?;
    /// assert_eq!(snapshot.metric("loss")?.read()?.values(), [0.5]);
    /// assert!(snapshot.metric("los").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when the run has no such metric.
    pub fn metric(&self, key: &str) -> Result<MetricQuery<'_>> {
        // The snapshot's own key outlives the question, the caller's need not.
        match self.metrics.get_key_value(key) {
            Some((key, _)) => Ok(MetricQuery::new(self, key)),
            // The damaged file may hold it.
            None => Err(self.unread_file().unwrap_or_else(|| Error::not_found("metric", key))),
        }
    }

    /// The first file of the run that cannot be read: its points are missing from everything here.
    pub(crate) fn unread_file(&self) -> Option<Error> {
        self.damage.get(..self.unread_files).and_then(<[Error]>::first).map(Error::copy)
    }

    /// The same points as [`Self::pieces`], for a chart.
    pub(crate) fn chart_sources(&self, key: &str, skip_damaged: bool) -> Result<Vec<ChartSource>> {
        let mut found = Vec::new();
        for source in &self.sources {
            match source {
                PointSource::Log(head) => found.extend(log_piece(head, key).map(ChartSource::Piece)),
                PointSource::Segment(segment) => {
                    let Some((metric, series)) = segment.metric(key) else { continue };
                    match SeriesChunks::new(segment, metric, series.group as usize, series.position as usize) {
                        Err(Error::Corrupt { .. }) if skip_damaged => {}
                        chunks => found.push(ChartSource::Chunks(Box::new(chunks?))),
                    }
                }
            }
        }
        Ok(found)
    }

    /// The pieces of a metric, in the order in which they count as written. `skip_damaged` leaves out segments whose
    /// index cannot be read.
    pub(crate) fn pieces(&self, key: &str, skip_damaged: bool) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        for source in &self.sources {
            match source {
                PointSource::Log(head) => pieces.extend(log_piece(head, key)),
                PointSource::Segment(segment) => match chunks(segment, key) {
                    Err(Error::Corrupt { .. }) if skip_damaged => {}
                    chunks => pieces.extend(chunks?),
                },
            }
        }
        Ok(pieces)
    }
}

fn log_piece(head: &Arc<Head>, key: &str) -> Option<Piece> {
    let place = Place::Log { head: Arc::clone(head), metric: key.to_owned() };
    head.metric(key).map(|_| Piece { place, ranges: None })
}

fn chunks(segment: &Arc<SegmentReader>, key: &str) -> Result<Vec<Piece>> {
    let Some((_, series)) = segment.metric(key) else { return Ok(Vec::new()) };
    let (group, position) = (series.group as usize, series.position as usize);
    let index = segment.group(group)?;
    let piece = |(chunk, axis): (usize, &AxisChunk)| Piece {
        place: Place::Chunk { segment: Arc::clone(segment), index: Arc::clone(&index), group, position, chunk },
        ranges: Some(((axis.steps.min, axis.steps.max), (axis.timestamps.min, axis.timestamps.max))),
    };
    Ok(index.axis.iter().enumerate().map(piece).collect())
}

impl Store {
    /// Takes a snapshot of a run, live or ended.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// let snapshot = store.snapshot(run.id())?; // while the run goes on
    /// assert!(!snapshot.run().status.is_ended());
    /// assert_eq!(snapshot.stats("loss").map(|stats| stats.count), Some(1));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; system errors. Damage is met by the questions that it concerns.
    pub fn snapshot(&self, id: RunId) -> Result<Snapshot> {
        let entry = self.shared.entry(id)?;
        let mut view = RunView::read(&self.shared, entry.experiment_id, id)?;
        // No checksum tells that a whole file is gone.
        let missing = missing_file(&self.shared, &entry, &view);
        view.files.damage.extend(missing);
        Ok(Snapshot::new(&self.shared, view))
    }
}
