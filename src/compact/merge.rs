//! The content of several segments into a new one, column by column.
//!
//! Metrics that lie in the same groups in all inputs share an axis in the output. Memory is bounded by a few chunks
//! and the output's index, whatever the inputs' length: each column is streamed from chunk to chunk.

use crate::error::Result;
use crate::format::index::GroupIndex;
use crate::segment::{SegmentReader, SegmentWriter};
use crate::types::{Columns, Point, Stats};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a metric lies in each input: group and position.
type Places = Vec<Option<(u32, u32)>>;

/// Adds all points of `inputs` (in the order of their logs) to `output`, in chunks of `chunk_rows`.
pub(crate) fn merge(inputs: &[Arc<SegmentReader>], chunk_rows: usize, output: &mut SegmentWriter) -> Result<()> {
    let mut metrics: BTreeMap<&str, Places> = BTreeMap::new();
    for (number, input) in inputs.iter().enumerate() {
        for series in input.series() {
            let places = metrics.entry(&series.metric).or_insert_with(|| vec![None; inputs.len()]);
            if let Some(place) = places.get_mut(number) {
                *place = Some((series.group, series.position));
            }
        }
    }
    let mut groups: BTreeMap<Vec<Option<u32>>, Vec<(&str, Places)>> = BTreeMap::new();
    for (metric, places) in metrics {
        let key = places.iter().map(|place| place.map(|(group, _)| group)).collect();
        groups.entry(key).or_default().push((metric, places));
    }
    for (key, members) in &groups {
        merge_group(inputs, key, members, chunk_rows, output)?;
    }
    Ok(())
}

fn merge_group(
    inputs: &[Arc<SegmentReader>],
    key: &[Option<u32>],
    members: &[(&str, Places)],
    chunk_rows: usize,
    output: &mut SegmentWriter,
) -> Result<()> {
    let mut axis = Stream::new(inputs, key, chunk_rows)?;
    while let Some(chunk) = axis.next(None)? {
        output.push_axis(chunk.steps(), chunk.timestamps())?;
    }
    for (metric, places) in members {
        output.begin_series(metric);
        let positions: Vec<u32> = places.iter().map(|place| place.map_or(0, |(_, position)| position)).collect();
        let mut points = Stream::new(inputs, key, chunk_rows)?;
        while let Some(chunk) = points.next(Some(&positions))? {
            let mut stats = Stats::default();
            chunk.iter().for_each(|point: Point| stats.push(point));
            output.push_values(chunk.values(), &stats)?;
        }
    }
    let mut log_rows = Vec::new();
    for (input, group) in inputs.iter().zip(key) {
        match group {
            Some(group) => log_rows.extend_from_slice(input.log_rows(*group as usize)),
            None => log_rows.extend(input.logs().iter().map(|_| 0)),
        }
    }
    output.end_group(log_rows)
}

/// Chunks of exactly `rows` points (the last one may be shorter) over the chunks of the inputs.
struct Stream<'a> {
    inputs: Vec<(usize, &'a SegmentReader, Arc<GroupIndex>)>,
    rows: usize,
    input: usize,
    chunk: usize,
    buffer: Columns,
    /// How many points of `buffer` were given out by the last `next`.
    given: usize,
    out: Columns,
}

impl<'a> Stream<'a> {
    fn new(inputs: &'a [Arc<SegmentReader>], key: &[Option<u32>], rows: usize) -> Result<Self> {
        let mut open = Vec::new();
        for (number, (input, group)) in inputs.iter().zip(key).enumerate() {
            if let Some(group) = group {
                open.push((number, &**input, input.group(*group as usize)?));
            }
        }
        let (buffer, out) = (Columns::default(), Columns::default());
        Ok(Self { inputs: open, rows, input: 0, chunk: 0, buffer, given: 0, out })
    }

    /// The next chunk; without `positions` (of the metric in each input) it has no values.
    fn next(&mut self, positions: Option<&[u32]>) -> Result<Option<&Columns>> {
        self.drop_given();
        while self.buffer.steps.len() < self.rows && self.load(positions)? {}
        let rows = self.rows.min(self.buffer.steps.len());
        if rows == 0 {
            return Ok(None);
        }
        self.given = rows;
        self.out.clear();
        let part = |all: &[i64]| all.get(..rows).unwrap_or_default().to_vec();
        self.out.steps = part(&self.buffer.steps);
        self.out.timestamps = part(&self.buffer.timestamps);
        self.out.values.extend_from_slice(self.buffer.values.get(..rows).unwrap_or_default());
        Ok(Some(&self.out))
    }

    fn drop_given(&mut self) {
        let given = std::mem::take(&mut self.given);
        self.buffer.steps.drain(..given);
        self.buffer.timestamps.drain(..given);
        self.buffer.values.drain(..given.min(self.buffer.values.len()));
    }

    /// Adds the next chunk of the inputs to the buffer; false when there is none.
    fn load(&mut self, positions: Option<&[u32]>) -> Result<bool> {
        let Some((number, segment, index)) = self.inputs.get(self.input) else { return Ok(false) };
        let Some(axis) = index.axis.get(self.chunk) else {
            (self.input, self.chunk) = (self.input + 1, 0);
            return Ok(true);
        };
        segment.read_ints(&axis.steps.column, axis.rows, &mut self.buffer.steps)?;
        segment.read_ints(&axis.timestamps.column, axis.rows, &mut self.buffer.timestamps)?;
        if let Some(position) = positions.and_then(|positions| positions.get(*number)) {
            let series = index.series.get(*position as usize);
            let chunk = series.and_then(|series| series.get(self.chunk));
            let Some(chunk) = chunk else { return Err(segment.damaged("a metric has no place in its group")) };
            segment.read_floats(&chunk.column, axis.rows, &mut self.buffer.values)?;
        }
        self.chunk += 1;
        Ok(true)
    }
}
