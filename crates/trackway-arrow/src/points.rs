//! The points of selected runs and metrics, batch by batch.

use crate::batch::Batch;
use crate::error::{Damage, Error, Result, copy};
use crate::selection::Selection;
use arrow_array::{RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use trackway::{Columns, RunId, Snapshot, Store};

/// Choices of [`Points`].
///
/// ```
/// let options = trackway_arrow::PointsOptions::default();
/// assert_eq!((options.batch_rows, options.names, options.skip_damaged), (65_536, false, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointsOptions {
    /// Points of each batch but the last; 32 bytes each. At least 1.
    pub batch_rows: usize,
    /// Names of runs in place of their ids. Runs of one name cannot be told apart then.
    pub names: bool,
    /// Go on with what can be read of a damaged run, and say in the end what was left out ([`Points::damage`]).
    pub skip_damaged: bool,
}

impl Default for PointsOptions {
    fn default() -> Self {
        Self { batch_rows: 1 << 16, names: false, skip_damaged: false }
    }
}

/// The points of a selection as record batches: `run` and `metric` (dictionaries of text), `step`, `time` (milliseconds,
/// UTC) and `value`, without nulls. Values keep their bits. Each run is seen as it is when its turn comes; one that has
/// been removed for good by then is left out.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// # for step in 0..10 { run.log_metrics(step, &[("loss", 0.5), ("acc", 0.9)])?; }
/// use trackway_arrow::{Points, PointsOptions, Selection};
///
/// let selection = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
/// let options = PointsOptions { batch_rows: 16, ..PointsOptions::default() };
/// let rows: Vec<usize> = Points::new(&store, &selection, options).map(|batch| batch.unwrap().num_rows()).collect();
/// assert_eq!(rows, [16, 4]);
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// [`Error::Run`] when not all of a run can be read, unless [`PointsOptions::skip_damaged`]; nothing follows an error.
#[derive(Debug)]
pub struct Points<'a> {
    store: &'a Store,
    selection: &'a Selection,
    /// For each run its place among the names.
    run_keys: Vec<i32>,
    metric_keys: HashMap<&'a str, i32>,
    batch: Batch,
    skip_damaged: bool,
    damage: Vec<Damage>,
    next_run: usize,
    run: Option<OpenRun>,
    ended: bool,
}

/// The run whose turn it is.
#[derive(Debug)]
struct OpenRun {
    id: RunId,
    key: i32,
    snapshot: Snapshot,
    /// Metrics that are still to come.
    metrics: std::vec::IntoIter<(Arc<str>, i32)>,
    metric: Option<OpenMetric>,
}

/// The metric whose turn it is.
struct OpenMetric {
    name: Arc<str>,
    key: i32,
    pieces: Box<dyn Iterator<Item = trackway::Result<Columns>> + Send>,
    piece: Columns,
    /// Points of `piece` that were taken, and points of the metric that were.
    at: usize,
    taken: u64,
    /// Points that come again, since they were taken before damage was met; and that damage is left out now.
    again: u64,
    skips: bool,
}

impl OpenMetric {
    fn new(snapshot: &Snapshot, name: Arc<str>, key: i32) -> Result<Self> {
        let pieces = Box::new(snapshot.metric(&name)?.batches());
        Ok(Self { name, key, pieces, piece: Columns::default(), at: 0, taken: 0, again: 0, skips: false })
    }

    /// The rest of what can be read.
    fn skipping(self, snapshot: &Snapshot) -> Result<Self> {
        let pieces = Box::new(snapshot.metric(&self.name)?.skip_damaged(true).batches());
        Ok(Self { pieces, piece: Columns::default(), at: 0, again: self.taken, skips: true, ..self })
    }

    fn begin(&mut self, piece: Columns) {
        let again = piece.len().min(usize::try_from(self.again).unwrap_or(usize::MAX));
        self.again -= again as u64;
        (self.piece, self.at) = (piece, again);
    }
}

impl fmt::Debug for OpenMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenMetric").field("name", &self.name).field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl<'a> Points<'a> {
    /// Begins with the first run of the selection.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Points, PointsOptions, Selection};
    /// let selection = Selection::default();
    /// assert_eq!(Points::new(&store, &selection, PointsOptions::default()).count(), 0);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn new(store: &'a Store, selection: &'a Selection, options: PointsOptions) -> Self {
        let (run_names, run_keys) = if options.names {
            distinct(selection.names())
        } else {
            // Without the texts of all ids twice.
            let names = StringArray::from_iter_values(selection.ids().map(|id| id.to_string()));
            (names, (0..).take(selection.len()).collect())
        };
        let metric_names = StringArray::from_iter_values(selection.metric_keys());
        Self {
            store,
            selection,
            run_keys,
            metric_keys: selection.metric_keys().zip(0..).collect(),
            batch: Batch::new(run_names, metric_names, options.batch_rows),
            skip_damaged: options.skip_damaged,
            damage: Vec::new(),
            next_run: 0,
            run: None,
            ended: false,
        }
    }

    /// The columns of all batches.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Points, PointsOptions, Selection};
    /// let selection = Selection::default();
    /// let schema = Points::new(&store, &selection, PointsOptions::default()).schema();
    /// let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    /// assert_eq!(names, ["run", "metric", "step", "time", "value"]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(self.batch.schema())
    }

    /// How many runs are done with.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway_arrow::{Points, PointsOptions, Selection};
    /// let selection = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
    /// let mut points = Points::new(&store, &selection, PointsOptions::default());
    /// assert!(points.next().is_none());
    /// assert_eq!(points.runs_done(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn runs_done(&self) -> usize {
        self.next_run - usize::from(self.run.is_some())
    }

    /// The runs of which something was left out so far, with [`PointsOptions::skip_damaged`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Points, PointsOptions, Selection};
    /// let selection = Selection::default();
    /// assert!(Points::new(&store, &selection, PointsOptions::default()).damage().is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Fills the batch, as far as there are points.
    fn fill(&mut self) -> Result<()> {
        while self.batch.room() > 0 {
            if self.run.is_none() && !self.open_run()? {
                return Ok(());
            }
            self.take_of_run()?;
        }
        Ok(())
    }

    /// Goes to the next run that can be opened; false when there is none.
    fn open_run(&mut self) -> Result<bool> {
        while let Some(run) = self.selection.runs.get(self.next_run) {
            let key = self.run_keys.get(self.next_run).copied().unwrap_or_default();
            self.next_run += 1;
            let snapshot = match self.store.snapshot(run.id) {
                Ok(snapshot) => snapshot,
                Err(trackway::Error::NotFound { .. }) => continue,
                Err(error) => {
                    self.note(run.id, error)?;
                    continue;
                }
            };
            if let Some(damage) = snapshot.damage().first().map(copy) {
                self.note(run.id, damage)?;
            }
            let wanted = snapshot.run().metrics.keys();
            let wanted = wanted.filter_map(|name| Some((name.clone(), *self.metric_keys.get(&**name)?)));
            let metrics = wanted.collect::<Vec<_>>().into_iter();
            self.run = Some(OpenRun { id: run.id, key, snapshot, metrics, metric: None });
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes what fits of a piece of the open run, or goes to its next piece or metric, or closes it.
    fn take_of_run(&mut self) -> Result<()> {
        let Some(run) = &mut self.run else { return Ok(()) };
        let Some(metric) = &mut run.metric else {
            match run.metrics.next() {
                Some((name, key)) => run.metric = Some(OpenMetric::new(&run.snapshot, name, key)?),
                None => self.run = None,
            }
            return Ok(());
        };
        let rest = metric.piece.len().saturating_sub(metric.at);
        if rest > 0 {
            let (from, many) = (metric.at, rest.min(self.batch.room()));
            self.batch.push(run.key, metric.key, &metric.piece, from..from + many);
            metric.at += many;
            metric.taken += many as u64;
            return Ok(());
        }
        match metric.pieces.next() {
            None => run.metric = None,
            Some(Ok(piece)) => metric.begin(piece),
            Some(Err(error)) => {
                let id = run.id;
                // What came before the damage was taken already. What the system refuses twice is left.
                let rest = run.metric.take().filter(|metric| !metric.skips);
                run.metric = rest.map(|metric| metric.skipping(&run.snapshot)).transpose()?;
                self.note(id, error)?;
            }
        }
        Ok(())
    }

    /// Remembers the first damage of a run, or fails with it.
    fn note(&mut self, run: RunId, error: trackway::Error) -> Result<()> {
        if !self.skip_damaged {
            return Err(Error::Run { run, source: error });
        }
        if self.damage.last().is_none_or(|last| last.run != run) {
            self.damage.push(Damage { run, error });
        }
        Ok(())
    }
}

impl Iterator for Points<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.fill().and_then(|()| self.batch.take());
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

/// Each name once, and for each of `names` its place among them: readers refuse dictionaries with a name twice.
fn distinct<'n>(names: impl Iterator<Item = &'n str>) -> (StringArray, Vec<i32>) {
    let (mut places, mut distinct) = (HashMap::new(), Vec::new());
    let keys = names.map(|name| {
        *places.entry(name).or_insert_with(|| {
            distinct.push(name);
            i32::try_from(distinct.len() - 1).unwrap_or(i32::MAX)
        })
    });
    let keys = keys.collect();
    (StringArray::from_iter_values(distinct), keys)
}
