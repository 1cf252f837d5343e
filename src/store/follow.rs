//! Following a run: points that were not delivered before, as they come.

use super::run_view::{PointSource, RunView};
use super::{Shared, Store};
use crate::error::Result;
use crate::format::segment::SeriesRef;
use crate::segment::SegmentReader;
use crate::types::{Columns, ExperimentId, LogId, Point, Run, RunId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Delivers the points of a run as they are logged, by this or any other process.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let mut follower = store.follow(run.id())?;
/// run.log_metric("loss", 1, 0.5)?;
/// let mut seen = Vec::new();
/// let state = follower.poll(&mut |metric, point| seen.push((metric.to_owned(), point.step)))?;
/// assert_eq!(seen, [("loss".to_owned(), 1)]);
/// assert!(!state.status.is_ended());
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    experiment_id: ExperimentId,
    id: RunId,
    /// How many points of each metric were delivered, by the log that they were written to.
    delivered: HashMap<LogId, HashMap<String, usize>>,
}

impl Follower {
    /// Delivers every point that no earlier call has delivered, metric by metric as written, and returns the run as
    /// it is now. The first call delivers all points there are. Does not wait for new ones.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let mut follower = store.follow(run.id())?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// let mut new = 0;
    /// follower.poll(&mut |_, _| new += 1)?;
    /// follower.poll(&mut |_, _| new += 1)?;
    /// assert_eq!(new, 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when the run is gone; damaged files, after the points of the others
    /// were delivered: what the run is cannot be told then, not even whether it has ended; system errors.
    pub fn poll(&mut self, each: &mut dyn FnMut(&str, Point)) -> Result<Run> {
        let view = RunView::read(&self.shared, self.experiment_id, self.id)?;
        for (first, source) in &view.sources {
            match source {
                PointSource::Log(head) => {
                    let delivered = self.delivered.entry(*first).or_default();
                    for series in head.series() {
                        let skip = delivered.insert(series.metric.clone(), series.values.len()).unwrap_or(0);
                        head.points(series, skip).for_each(|point| each(&series.metric, point));
                    }
                }
                PointSource::Segment(segment) => self.poll_segment(segment, each)?,
            }
        }
        match view.files.damage.first() {
            Some(damage) => Err(damage.copy()),
            None => Ok(view.to_run(&self.shared, &view.metrics())),
        }
    }

    /// The logs of a segment lie in it one after the other; of each, what was delivered before is skipped.
    fn poll_segment(&mut self, segment: &SegmentReader, each: &mut dyn FnMut(&str, Point)) -> Result<()> {
        for series in segment.series() {
            let mut start = 0;
            let mut wanted = Vec::new();
            for (log, rows) in segment.logs().iter().zip(segment.log_rows(series.group as usize)) {
                let rows = usize::try_from(*rows).unwrap_or(usize::MAX);
                let end = start + rows;
                let known = self.delivered.entry(*log).or_default();
                let skip = known.get(&series.metric).copied().unwrap_or(0);
                if skip < rows {
                    wanted.push(start + skip..end);
                    known.insert(series.metric.clone(), rows);
                }
                start = end;
            }
            if !wanted.is_empty() {
                read_ranges(segment, series, &wanted, each)?;
            }
        }
        Ok(())
    }
}

/// Delivers the points of a metric whose numbers lie in one of the ranges, which are in order.
fn read_ranges(
    segment: &SegmentReader,
    series: &SeriesRef,
    wanted: &[Range<usize>],
    each: &mut dyn FnMut(&str, Point),
) -> Result<()> {
    let index = segment.group(series.group as usize)?;
    let mut seen = 0;
    for (chunk, axis) in index.axis.iter().enumerate() {
        let rows = seen..seen + axis.rows as usize;
        seen = rows.end;
        if !wanted.iter().any(|range| range.start < rows.end && rows.start < range.end) {
            continue;
        }
        let column = index.column(series.position as usize, chunk);
        let Some(column) = column else { return Err(segment.damaged("a metric has no place in its group")) };
        let mut columns = Columns::default();
        let group = series.group as usize;
        segment.read_axis(group, &index, chunk, &mut columns.steps, &mut columns.timestamps)?;
        segment.read_floats(column, axis.rows, &mut columns.values)?;
        for (number, point) in rows.zip(columns.iter()) {
            if wanted.iter().any(|range| range.contains(&number)) {
                each(&series.metric, point);
            }
        }
    }
    Ok(())
}

impl Store {
    /// Follows a run from its beginning.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let mut follower = store.follow(run.id())?;
    /// run.log_metric("loss", 1, 0.5)?;
    /// follower.poll(&mut |metric, point| println!("{metric} {}", point.value))?;
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound); system errors.
    pub fn follow(&self, id: RunId) -> Result<Follower> {
        let experiment_id = self.shared.brief(id)?.experiment_id;
        Ok(Follower { shared: Arc::clone(&self.shared), experiment_id, id, delivered: HashMap::new() })
    }
}
