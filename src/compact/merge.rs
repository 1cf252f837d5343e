//! The content of several segments into a new one, column by column.
//!
//! Metrics that lie in the same groups in all inputs share an axis in the output. Each column is streamed from chunk
//! to chunk. Memory is bounded by the indexes of inputs and output, a few chunks, and the steps and timestamps of a group
//! and its sister where they are short enough to be kept.

use crate::error::Result;
use crate::format::index::GroupIndex;
use crate::segment::{ChunkAxis, SegmentReader, SegmentWriter, is_shorter_beside};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rows of a group whose steps and timestamps are kept for all its metrics, and those of its sister: 16 MiB each. Those of
/// longer groups are read again for each metric.
const MAX_KEPT_ROWS: usize = 1 << 20;

/// Where a metric lies in each input: group and position.
type Places = Vec<Option<(u32, u32)>>;
/// In which group of each input the metrics of an output group lie.
type Key = Vec<Option<u32>>;

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
    let mut groups: BTreeMap<Key, Vec<(&str, Places)>> = BTreeMap::new();
    for (metric, places) in metrics {
        let key = places.iter().map(|place| place.map(|(group, _)| group)).collect();
        groups.entry(key).or_default().push((metric, places));
    }
    let mut merge = Merge { inputs, chunk_rows, output, by_steps: HashMap::new(), sister: None };
    for (key, members) in &groups {
        merge.group(key, members)?;
    }
    Ok(())
}

struct Merge<'a> {
    inputs: &'a [Arc<SegmentReader>],
    chunk_rows: usize,
    output: &'a mut SegmentWriter,
    /// The first output group whose steps look like this, its number and key.
    by_steps: HashMap<Look, (u32, Key)>,
    /// The axis of the group that was a sister last, which it is to the next one as well, most often.
    sister: Option<(u32, Kept)>,
}

/// The whole axis of an output group: steps and timestamps.
type Kept = (Vec<i64>, Vec<i64>);
/// Rows; first, last, smallest and largest step. Groups with the same steps look the same.
type Look = (u64, [i64; 4]);

impl Merge<'_> {
    fn group(&mut self, key: &Key, members: &[(&str, Places)]) -> Result<()> {
        let look = self.look(key)?;
        match self.kept(key, look.0)? {
            Some(axis) => self.short_group(key, look, members, &axis)?,
            None => self.long_group(key, look, members)?,
        }
        let mut log_rows = Vec::new();
        for (input, group) in self.inputs.iter().zip(key) {
            match group {
                Some(group) => log_rows.extend_from_slice(input.log_rows(*group as usize)),
                None => log_rows.extend(input.logs().iter().map(|_| 0)),
            }
        }
        self.output.end_group(log_rows)
    }

    fn look(&self, key: &Key) -> Result<Look> {
        let mut look = (0, [0; 4]);
        for (input, group) in self.inputs.iter().zip(key) {
            let Some(group) = group else { continue };
            for chunk in &input.group(*group as usize)?.axis {
                let steps = &chunk.steps;
                let (rows, [first, _, min, max]) = look;
                let ends = match rows {
                    0 => [steps.first, steps.last, steps.min, steps.max],
                    _ => [first, steps.last, min.min(steps.min), max.max(steps.max)],
                };
                look = (rows + u64::from(chunk.rows), ends);
            }
        }
        Ok(look)
    }

    /// The axis of a group of so many rows, if it is short enough.
    fn kept(&self, key: &Key, rows: u64) -> Result<Option<Kept>> {
        let Some(rows) = usize::try_from(rows).ok().filter(|rows| *rows <= MAX_KEPT_ROWS) else { return Ok(None) };
        let (mut steps, mut timestamps) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut cursor = Cursor::new(self.inputs, key)?;
        while let Some((_, segment, group, index, chunk)) = cursor.next() {
            segment.read_axis(group, index, chunk, &mut steps, &mut timestamps)?;
        }
        Ok(Some((steps, timestamps)))
    }

    fn short_group(&mut self, key: &Key, look: Look, members: &[(&str, Places)], axis: &Kept) -> Result<()> {
        let (steps, timestamps) = axis;
        let sister = self.sister_of_kept(key, look, axis)?;
        let beside = self.sister.as_ref().filter(|(number, _)| sister == Some(*number)).map(|(_, kept)| kept);
        if let Some(number) = sister {
            self.output.set_sister(number);
        }
        let mut beside = beside.map(|(steps, times)| steps.chunks(self.chunk_rows).zip(times.chunks(self.chunk_rows)));
        let chunks = steps.chunks(self.chunk_rows).zip(timestamps.chunks(self.chunk_rows));
        let chunks: Vec<ChunkAxis<'_>> = chunks.map(|(steps, times)| ChunkAxis::new(steps, times)).collect();
        for axis in &chunks {
            self.output.push_axis(axis, beside.as_mut().and_then(Iterator::next))?;
        }
        for (metric, places) in members {
            self.output.begin_series(metric);
            let mut values = ValueStream::new(self.inputs, key, places, self.chunk_rows)?;
            for axis in &chunks {
                values.advance()?;
                self.output.push_values(values.chunk(), &axis.count(values.chunk()))?;
            }
        }
        Ok(())
    }

    /// The number of an output group with the same steps whose timestamps make these shorter; its axis is `self.sister`
    /// then.
    fn sister_of_kept(&mut self, key: &Key, look: Look, (steps, timestamps): &Kept) -> Result<Option<u32>> {
        let Some((number, other)) = self.by_steps.get(&look).cloned() else {
            self.by_steps.insert(look, (self.output.group_number(), key.clone()));
            return Ok(None);
        };
        if self.sister.as_ref().is_none_or(|(known, _)| *known != number) {
            self.sister = self.kept(&other, look.0)?.map(|kept| (number, kept));
        }
        let Some((_, (other_steps, other_timestamps))) = &self.sister else { return Ok(None) };
        let first = |all: &'_ [i64]| all.len().min(self.chunk_rows);
        let (first, beside) = (timestamps.get(..first(timestamps)), other_timestamps.get(..first(other_timestamps)));
        let is_shorter = || first.zip(beside).is_some_and(|(first, beside)| is_shorter_beside(first, beside));
        Ok((steps == other_steps && is_shorter()).then_some(number))
    }

    fn long_group(&mut self, key: &Key, look: Look, members: &[(&str, Places)]) -> Result<()> {
        let sister = self.sister(key, look)?;
        if let Some((number, _)) = &sister {
            self.output.set_sister(*number);
        }
        let mut beside = sister.map(|(_, key)| AxisStream::new(self.inputs, &key, self.chunk_rows)).transpose()?;
        let mut axis = AxisStream::new(self.inputs, key, self.chunk_rows)?;
        while axis.advance()? {
            let (steps, timestamps) = axis.chunk();
            let beside = match &mut beside {
                Some(beside) => {
                    beside.advance()?;
                    Some(beside.chunk())
                }
                None => None,
            };
            self.output.push_axis(&ChunkAxis::new(steps, timestamps), beside)?;
        }
        self.values_of_long(key, members)
    }

    /// The same for a group that is too long to be kept.
    fn sister(&mut self, key: &Key, look: Look) -> Result<Option<(u32, Key)>> {
        let Some((number, other)) = self.by_steps.get(&look).cloned() else {
            self.by_steps.insert(look, (self.output.group_number(), key.clone()));
            return Ok(None);
        };
        let mut first = true;
        let mut axis = AxisStream::new(self.inputs, key, self.chunk_rows)?;
        let mut beside = AxisStream::new(self.inputs, &other, self.chunk_rows)?;
        // Groups that look the same may have other steps.
        loop {
            let more = axis.advance()?;
            if more != beside.advance()? || axis.chunk().0 != beside.chunk().0 {
                return Ok(None);
            }
            if !more {
                return Ok(Some((number, other)));
            }
            if first && !is_shorter_beside(axis.chunk().1, beside.chunk().1) {
                return Ok(None);
            }
            first = false;
        }
    }

    fn values_of_long(&mut self, key: &Key, members: &[(&str, Places)]) -> Result<()> {
        for (metric, places) in members {
            self.output.begin_series(metric);
            let mut axis = AxisStream::new(self.inputs, key, self.chunk_rows)?;
            let mut values = ValueStream::new(self.inputs, key, places, self.chunk_rows)?;
            while axis.advance()? {
                values.advance()?;
                let (steps, timestamps) = axis.chunk();
                self.output.push_values(values.chunk(), &ChunkAxis::new(steps, timestamps).count(values.chunk()))?;
            }
        }
        Ok(())
    }
}

/// The chunks of a group of the output, over its groups in the inputs one after the other.
struct Cursor<'a> {
    /// Number of the input, its segment, the group's number and index.
    inputs: Vec<(usize, &'a SegmentReader, usize, Arc<GroupIndex>)>,
    input: usize,
    chunk: usize,
}

impl<'a> Cursor<'a> {
    fn new(inputs: &'a [Arc<SegmentReader>], key: &[Option<u32>]) -> Result<Self> {
        let mut open = Vec::new();
        for (number, (input, group)) in inputs.iter().zip(key).enumerate() {
            if let Some(group) = group.map(|group| group as usize) {
                open.push((number, &**input, group, input.group(group)?));
            }
        }
        Ok(Self { inputs: open, input: 0, chunk: 0 })
    }

    /// The next chunk of the inputs: number of the input, its segment, the group, and the chunk.
    fn next(&mut self) -> Option<(usize, &'a SegmentReader, usize, &GroupIndex, usize)> {
        loop {
            let (_, _, _, index) = self.inputs.get(self.input)?;
            if self.chunk < index.axis.len() {
                break;
            }
            (self.input, self.chunk) = (self.input + 1, 0);
        }
        self.chunk += 1;
        let (number, segment, group, index) = self.inputs.get(self.input)?;
        Some((*number, segment, *group, index, self.chunk - 1))
    }
}

/// Steps and timestamps in chunks of exactly `rows` (the last may be shorter).
struct AxisStream<'a> {
    cursor: Cursor<'a>,
    rows: usize,
    steps: Vec<i64>,
    timestamps: Vec<i64>,
    given: usize,
}

impl<'a> AxisStream<'a> {
    fn new(inputs: &'a [Arc<SegmentReader>], key: &[Option<u32>], rows: usize) -> Result<Self> {
        let cursor = Cursor::new(inputs, key)?;
        Ok(Self { cursor, rows, steps: Vec::new(), timestamps: Vec::new(), given: 0 })
    }

    /// Goes to the next chunk; false, and an empty chunk, when there is none.
    fn advance(&mut self) -> Result<bool> {
        self.steps.drain(..self.given);
        self.timestamps.drain(..self.given);
        while self.steps.len() < self.rows {
            let Some((_, segment, group, index, chunk)) = self.cursor.next() else { break };
            segment.read_axis(group, index, chunk, &mut self.steps, &mut self.timestamps)?;
        }
        self.given = self.rows.min(self.steps.len());
        Ok(self.given > 0)
    }

    fn chunk(&self) -> (&[i64], &[i64]) {
        let part = |all| <[i64]>::get(all, ..self.given).unwrap_or_default();
        (part(&self.steps), part(&self.timestamps))
    }
}

/// Values of one metric, cut as [`AxisStream`] cuts.
struct ValueStream<'a> {
    cursor: Cursor<'a>,
    places: &'a [Option<(u32, u32)>],
    rows: usize,
    values: Vec<f64>,
    given: usize,
}

impl<'a> ValueStream<'a> {
    fn new(inputs: &'a [Arc<SegmentReader>], key: &[Option<u32>], places: &'a Places, rows: usize) -> Result<Self> {
        Ok(Self { cursor: Cursor::new(inputs, key)?, places, rows, values: Vec::new(), given: 0 })
    }

    fn advance(&mut self) -> Result<()> {
        self.values.drain(..self.given);
        while self.values.len() < self.rows {
            let Some((number, segment, _, index, chunk)) = self.cursor.next() else { break };
            let position = self.places.get(number).copied().flatten().map(|(_, position)| position as usize);
            let column = position.and_then(|position| index.column(position, chunk));
            let (Some(axis), Some(column)) = (index.axis.get(chunk), column) else {
                return Err(segment.damaged("a metric has no place in its group"));
            };
            segment.read_floats(column, axis.rows, &mut self.values)?;
        }
        self.given = self.rows.min(self.values.len());
        Ok(())
    }

    fn chunk(&self) -> &[f64] {
        self.values.get(..self.given).unwrap_or_default()
    }
}
