//! The runs table: one row a run, batch by batch.

use crate::batch::{UTC, time};
use crate::error::{Damage, Error, Result};
use crate::selection::Selection;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::collections::HashMap;
use std::sync::Arc;
use trackway::{ExperimentId, KeyMap, LifecycleStage, Run, Store};

/// Values that a batch has at most, about, and bytes of their texts.
const BATCH_VALUES: usize = 1 << 20;
const BATCH_TEXT_BYTES: usize = 1 << 25;

/// Rows that a batch has at most.
const BATCH_ROWS: usize = 1 << 13;

/// The runs of a selection as a table, named as the filter language names things and as `mlflow.search_runs` does:
/// `run_id`, `run_name`, `experiment_id`, `experiment_name`, `status`, `start_time`, `end_time`, `user_id`,
/// `lifecycle_stage`, `parent_run_id`, then `metrics.KEY` (the latest value), `params.KEY` and `tags.KEY`, null where a
/// run has none. A run that was removed for good since it was selected is left out.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let new = trackway::NewRun::new(trackway::ExperimentId::DEFAULT).param("lr", "0.1");
/// # store.create_run(new)?.log_metric("loss", 1, 0.5)?;
/// use trackway_arrow::{Runs, Selection};
///
/// let selection = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
/// let table = Runs::new(&store, &selection).unwrap().next().unwrap().unwrap();
/// assert_eq!(table.num_rows(), 1);
/// assert!(table.column_by_name("params.lr").is_some() && table.column_by_name("metrics.loss").is_some());
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// [`Error::Run`] when nothing of a run can be read, unless [`Runs::skip_damaged`]; nothing follows an error.
#[derive(Debug)]
pub struct Runs<'a> {
    store: &'a Store,
    selection: &'a Selection,
    experiments: HashMap<ExperimentId, String>,
    schema: SchemaRef,
    rows: usize,
    skip_damaged: bool,
    damage: Vec<Damage>,
    next: usize,
    ended: bool,
}

impl<'a> Runs<'a> {
    /// Begins with the first run of the selection.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Runs, Selection};
    /// assert_eq!(Runs::new(&store, &Selection::default()).unwrap().count(), 0);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::experiments`].
    pub fn new(store: &'a Store, selection: &'a Selection) -> Result<Self> {
        let experiments = store.experiments()?.into_iter().map(|experiment| (experiment.id, experiment.name)).collect();
        let schema = schema(selection);
        let rows = (BATCH_VALUES / schema.fields().len().max(1)).clamp(1, BATCH_ROWS);
        let (damage, next, ended) = (Vec::new(), 0, false);
        Ok(Self { store, selection, experiments, schema, rows, skip_damaged: false, damage, next, ended })
    }

    /// Whether runs of which nothing can be read are left out, instead of being an error. Default: false.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Runs, Selection};
    /// let selection = Selection::default();
    /// let mut readable = Runs::new(&store, &selection).unwrap().skip_damaged(true);
    /// assert!(readable.next().is_none() && readable.damage().is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn skip_damaged(mut self, yes: bool) -> Self {
        self.skip_damaged = yes;
        self
    }

    /// The columns of all batches.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Runs, Selection};
    /// let schema = Runs::new(&store, &Selection::default()).unwrap().schema();
    /// assert_eq!(schema.field(0).name(), "run_id");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How many runs are done with.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Runs, Selection};
    /// assert_eq!(Runs::new(&store, &Selection::default()).unwrap().runs_done(), 0);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn runs_done(&self) -> usize {
        self.next
    }

    /// The runs that were left out so far, with [`Self::skip_damaged`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway_arrow::{Runs, Selection};
    /// assert!(Runs::new(&store, &Selection::default()).unwrap().damage().is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The runs of the next batch; none at the end.
    fn read(&mut self) -> Result<Vec<Run>> {
        let (mut runs, mut bytes) = (Vec::new(), 0);
        while let Some(selected) = self.selection.runs.get(self.next) {
            if runs.len() == self.rows || bytes >= BATCH_TEXT_BYTES {
                break;
            }
            self.next += 1;
            match self.store.run(selected.id) {
                Ok(run) => {
                    bytes += run.params.values().chain(run.tags.values()).map(String::len).sum::<usize>();
                    runs.push(run);
                }
                Err(trackway::Error::NotFound { .. }) => {}
                Err(error) if self.skip_damaged => self.damage.push(Damage { run: selected.id, error }),
                Err(source) => return Err(Error::Run { run: selected.id, source }),
            }
        }
        Ok(runs)
    }

    /// In the order of [`schema`].
    fn batch(&self, runs: &[Run]) -> Result<RecordBatch> {
        let experiment = |run: &Run| self.experiments.get(&run.experiment_id).cloned();
        let stage = |run: &Run| match run.lifecycle_stage {
            LifecycleStage::Active => "active",
            LifecycleStage::Deleted => "deleted",
        };
        let mut columns: Vec<ArrayRef> = vec![
            texts(runs, |run| Some(run.id.to_string())),
            texts(runs, |run| given(&run.name)),
            texts(runs, |run| Some(run.experiment_id.to_string())),
            texts(runs, experiment),
            texts(runs, |run| Some(run.status.as_str())),
            times(runs, |run| Some(run.start_time)),
            times(runs, |run| run.end_time),
            texts(runs, |run| given(&run.user)),
            texts(runs, |run| Some(stage(run))),
            texts(runs, |run| run.parent.map(|parent| parent.to_string())),
        ];
        for key in self.selection.metric_keys() {
            let latest = runs.iter().map(|run| Some(run.metrics.get(key)?.latest.value));
            columns.push(Arc::new(Float64Array::from_iter(latest)));
        }
        columns.extend(self.selection.param_keys().map(|key| texts(runs, |run| entry(&run.params, key))));
        columns.extend(self.selection.tag_keys().map(|key| texts(runs, |run| entry(&run.tags, key))));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Iterator for Runs<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.read().and_then(|runs| (!runs.is_empty()).then(|| self.batch(&runs)).transpose());
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

/// In the order of [`Runs::batch`].
fn schema(selection: &Selection) -> SchemaRef {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    let mut fields = vec![
        text("run_id", false),
        text("run_name", true),
        text("experiment_id", false),
        text("experiment_name", true),
        text("status", false),
        Field::new("start_time", time(), false),
        Field::new("end_time", time(), true),
        text("user_id", true),
        text("lifecycle_stage", false),
        text("parent_run_id", true),
    ];
    let metric = |key| Field::new(format!("metrics.{key}"), DataType::Float64, true);
    fields.extend(selection.metric_keys().map(metric));
    fields.extend(selection.param_keys().map(|key| text(&format!("params.{key}"), true)));
    fields.extend(selection.tag_keys().map(|key| text(&format!("tags.{key}"), true)));
    Arc::new(Schema::new(fields))
}

fn texts<'r, T: AsRef<str>>(runs: &'r [Run], text: impl Fn(&'r Run) -> Option<T>) -> ArrayRef {
    Arc::new(StringArray::from_iter(runs.iter().map(text)))
}

fn times(runs: &[Run], time: impl Fn(&Run) -> Option<i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter(runs.iter().map(time)).with_timezone(UTC))
}

/// `None` for what was never given.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn entry<'r>(entries: &'r KeyMap<String>, key: &str) -> Option<&'r str> {
    entries.get(key).map(String::as_str)
}
