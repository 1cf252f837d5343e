//! One batch of points in the making.

use crate::error::Result;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::ops::Range;
use std::sync::Arc;
use trackway::Columns;

/// The time zone of all times.
pub(crate) const UTC: &str = "UTC";

/// The type of all times.
pub(crate) fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into()))
}

/// The columns of points. No column has nulls.
///
/// Names are dictionaries, which all readers know, with keys of 32 bits, which all of them keep; run-end encoding would be
/// shorter, but pandas and polars do not read it.
pub(crate) fn schema() -> SchemaRef {
    let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("run", dictionary(), false),
        Field::new("metric", dictionary(), false),
        Field::new("step", DataType::Int64, false),
        Field::new("time", time(), false),
        Field::new("value", DataType::Float64, false),
    ]))
}

/// Collects points and makes batches of them. All batches share one dictionary for runs and one for metrics: files of
/// Arrow IPC hold a dictionary once.
#[derive(Debug)]
pub(crate) struct Batch {
    schema: SchemaRef,
    run_names: ArrayRef,
    metric_names: ArrayRef,
    rows: usize,
    runs: Vec<i32>,
    metrics: Vec<i32>,
    steps: Vec<i64>,
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Batch {
    /// For batches of `rows` points.
    pub(crate) fn new(run_names: StringArray, metric_names: StringArray, rows: usize) -> Self {
        Self {
            schema: schema(),
            run_names: Arc::new(run_names),
            metric_names: Arc::new(metric_names),
            rows: rows.max(1),
            runs: Vec::new(),
            metrics: Vec::new(),
            steps: Vec::new(),
            times: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many points it still takes.
    pub(crate) fn room(&self) -> usize {
        self.rows.saturating_sub(self.values.len())
    }

    /// Appends the points of `range`, all of one run and metric.
    pub(crate) fn push(&mut self, run: i32, metric: i32, points: &Columns, range: Range<usize>) {
        let len = range.len();
        if self.values.is_empty() && len < self.rows {
            // More will come: at once, so that nothing has to move.
            self.reserve();
        }
        self.runs.resize(self.runs.len() + len, run);
        self.metrics.resize(self.metrics.len() + len, metric);
        self.steps.extend_from_slice(points.steps().get(range.clone()).unwrap_or_default());
        self.times.extend_from_slice(points.timestamps().get(range.clone()).unwrap_or_default());
        self.values.extend_from_slice(points.values().get(range).unwrap_or_default());
    }

    fn reserve(&mut self) {
        self.runs.reserve_exact(self.rows);
        self.metrics.reserve_exact(self.rows);
        self.steps.reserve_exact(self.rows);
        self.times.reserve_exact(self.rows);
        self.values.reserve_exact(self.rows);
    }

    /// Makes a batch of what was collected, without copying it; `None` when that is nothing.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.values.is_empty() {
            return Ok(None);
        }
        let named = |keys: &mut Vec<i32>, names: &ArrayRef| -> Result<ArrayRef> {
            let keys = Int32Array::from(std::mem::take(keys));
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(names))?))
        };
        let times = TimestampMillisecondArray::from(std::mem::take(&mut self.times)).with_timezone(UTC);
        let columns: Vec<ArrayRef> = vec![
            named(&mut self.runs, &self.run_names)?,
            named(&mut self.metrics, &self.metric_names)?,
            Arc::new(Int64Array::from(std::mem::take(&mut self.steps))),
            Arc::new(times),
            Arc::new(Float64Array::from(std::mem::take(&mut self.values))),
        ];
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns)?))
    }
}
