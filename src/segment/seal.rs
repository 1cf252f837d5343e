//! A head to a segment: the metrics that share an axis together, cut into chunks, codecs chosen, counted.

use super::count::ChunkAxis;
use super::head::{Head, HeadSeries, Stretch};
use super::writer::SegmentWriter;
use crate::error::Result;
use std::collections::HashMap;

/// Adds all points of `head` to `segment`, in chunks of `chunk_rows`.
pub(crate) fn seal(head: &Head, chunk_rows: usize, segment: &mut SegmentWriter) -> Result<()> {
    for group in groups(head) {
        let Some(first) = group.first() else { continue };
        let (steps, timestamps) = head.axis(first);
        let chunks = steps.chunks(chunk_rows).zip(timestamps.chunks(chunk_rows));
        let chunks: Vec<ChunkAxis<'_>> = chunks.map(|(steps, times)| ChunkAxis::new(steps, times)).collect();
        for axis in &chunks {
            segment.push_axis(axis, None)?;
        }
        for series in &group {
            segment.begin_series(&series.metric);
            for (axis, values) in chunks.iter().zip(series.values.chunks(chunk_rows)) {
                segment.push_values(values, &axis.count(values))?;
            }
        }
        segment.end_group(vec![steps.len() as u64])?;
    }
    Ok(())
}

/// The metrics by the axes that they lie along, in the order of the first metric of each group.
fn groups(head: &Head) -> Vec<Vec<&HeadSeries>> {
    let mut groups: Vec<Vec<&HeadSeries>> = Vec::new();
    let mut shared: HashMap<&[Stretch], usize> = HashMap::new();
    for series in head.series() {
        let next = groups.len();
        let place = series.shared_stretches().map_or(next, |stretches| *shared.entry(stretches).or_insert(next));
        match groups.get_mut(place) {
            Some(group) => group.push(series),
            None => groups.push(vec![series]),
        }
    }
    groups
}
