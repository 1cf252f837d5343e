//! Batches of points as rows of text.

use crate::rows::RowFormat;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, RecordBatch};
use std::io::Write;
use trackway_arrow::{Error, Result};

/// Text is handed on in pieces of about this size.
const PIECE_BYTES: usize = 1 << 16;

/// Writes points as text, and gives their number.
pub(super) fn write_text(
    out: &mut impl Write,
    format: RowFormat,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<u64> {
    let mut text = format.header().into_bytes();
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        push(&batch, format, &mut text, out)?;
    }
    out.write_all(&text).and_then(|()| out.flush()).map_err(Error::Write)?;
    Ok(rows)
}

/// Appends the rows of a batch, in the columns of [`trackway_arrow::Points`].
fn push(batch: &RecordBatch, format: RowFormat, text: &mut Vec<u8>, out: &mut impl Write) -> Result<()> {
    let [runs, metrics, steps, times, values] = batch.columns() else { return Ok(()) };
    let runs = (keys(runs), names(runs));
    let metrics = (keys(metrics), names(metrics));
    let steps = steps.as_primitive::<Int64Type>().values();
    let times = times.as_primitive::<TimestampMillisecondType>().values();
    let values = values.as_primitive::<Float64Type>().values();
    let (mut last, mut prefix) = (None, Vec::new());
    let names_of = runs.0.iter().zip(metrics.0);
    for ((place, (step, time)), value) in names_of.zip(steps.iter().zip(times)).zip(values) {
        // Points of a metric lie together.
        if last != Some(place) {
            let name = |names: &[&str], key: i32| names.get(key as usize).copied().unwrap_or_default().to_owned();
            prefix = format.prefix(&name(&runs.1, *place.0), &name(&metrics.1, *place.1));
            last = Some(place);
        }
        format.push(text, &prefix, *step, *time, *value);
        if text.len() >= PIECE_BYTES {
            out.write_all(text).map_err(Error::Write)?;
            text.clear();
        }
    }
    Ok(())
}

fn keys(column: &ArrayRef) -> &[i32] {
    column.as_dictionary::<Int32Type>().keys().values()
}

fn names(column: &ArrayRef) -> Vec<&str> {
    column.as_dictionary::<Int32Type>().values().as_string::<i32>().iter().map(Option::unwrap_or_default).collect()
}
