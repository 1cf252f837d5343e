//! What a store must do to take part, and the list of those that do.

use crate::workload::{Chart, Pixel, View};
use std::ops::Range;
use std::path::Path;

/// What a point has reached when the call that logged it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A kill loses it.
    Buffered,
    /// It survives SIGKILL.
    Kill,
    /// It survives power loss.
    Power,
}

impl Class {
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Buffered => "B",
            Self::Kill => "K",
            Self::Power => "P",
        }
    }
}

/// In which measurements a store takes part. A store that appears twice, with two guarantees, need not be read twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// One point a call, rows.
    pub(crate) append: bool,
    pub(crate) bulk: bool,
    /// Full reads, ranges, latest, charts.
    pub(crate) read: bool,
}

/// One way of using one store.
#[derive(Clone, Copy)]
pub(crate) struct Contestant {
    /// Its name in the tables.
    pub(crate) store: &'static str,
    /// How it is written here; nothing when there is only one way. Says nothing about reading.
    pub(crate) way: &'static str,
    /// Of one point or one row a call. All bulk loads end with a sync.
    pub(crate) class: Class,
    pub(crate) part: Part,
    pub(crate) open: fn(&Setup<'_>) -> Box<dyn Store>,
}

impl Contestant {
    /// The name with the way.
    pub(crate) fn name(&self) -> String {
        if self.way.is_empty() { self.store.to_owned() } else { format!("{}, {}", self.store, self.way) }
    }

    pub(crate) fn is_trackway(&self) -> bool {
        self.store == crate::peers::trackway::TRACKWAY
    }

    /// A floor is no store: its points cannot be read by name.
    pub(crate) fn is_floor(&self) -> bool {
        self.store == crate::peers::floor::FLOOR
    }
}

/// What a store is created with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// An empty folder.
    pub(crate) dir: &'a Path,
    pub(crate) keys: &'a [String],
    /// The most points that will be logged; only the floors need to know.
    pub(crate) points: usize,
    /// Threads that will log at a time.
    pub(crate) threads: usize,
    /// Whether ranges of time will be asked for, so that the layout for reading needs an index for them.
    pub(crate) by_time: bool,
}

/// A store being written. The loops over points are the store's own, so that no call goes through a table.
pub(crate) trait Store: Sync {
    /// Logs the metrics `metrics` at each of `steps`, one point a call.
    fn points(&self, metrics: Range<usize>, steps: Range<i64>);

    /// Logs all metrics at each of `steps`, one call a step.
    fn rows(&self, steps: Range<i64>);

    /// Gives what an open batch holds the guarantee of its class.
    fn commit(&self) {}

    /// Loads columns of one metric, whose steps rise. Metrics and steps of successive calls rise too.
    fn bulk(&self, metric: usize, points: View<'_>);

    /// Everything that was loaded is on the medium when it returns.
    fn sync(&self);

    /// Brings the store into its best layout for reading, closes it, and opens it to read.
    fn reader(self: Box<Self>) -> Box<dyn Reader>;
}

/// A store being read, everything in its warm caches. Answers lie in buffers that are used again.
pub(crate) trait Reader {
    /// Whether points have steps beside times; otherwise [`View::steps`] is empty.
    fn has_steps(&self) -> bool {
        true
    }

    /// All points of a metric.
    fn all(&mut self, metric: usize) -> View<'_>;

    /// The points with a step in `range`; not asked of a store without steps.
    fn by_step(&mut self, metric: usize, range: Range<i64>) -> View<'_>;

    /// The points with a time in `range`.
    fn by_time(&mut self, metric: usize, range: Range<i64>) -> View<'_>;

    /// Value of the point with the greatest step; `None` when there is no better way than a range.
    fn latest(&mut self, metric: usize) -> Option<f64>;

    /// Draws a metric into `chart`, by step, or by time where there are no steps.
    fn chart(&mut self, metric: usize, chart: &mut Chart) {
        let has_steps = self.has_steps();
        let view = self.all(metric);
        chart.scan(if has_steps { view.steps } else { view.times }, view.values);
    }

    /// What a store draws by itself of a metric's `range` of steps; `None` of one that has no charts.
    fn drawn(&mut self, _metric: usize, _range: Range<i64>, _columns: usize) -> Option<Vec<Pixel>> {
        None
    }
}

/// All that take part, Trackway first, the floor second.
pub(crate) fn contestants() -> Vec<Contestant> {
    let mut all = Vec::new();
    all.extend(crate::peers::trackway::contestants());
    all.extend(crate::peers::floor::contestants());
    all.extend(crate::peers::sqlite::contestants());
    all.extend(crate::peers::redb::contestants());
    all.extend(crate::peers::fjall::contestants());
    all.extend(crate::peers::tsink::contestants());
    all.extend(crate::peers::parquet::contestants());
    #[cfg(feature = "duckdb")]
    all.extend(crate::peers::duckdb::contestants());
    all
}
