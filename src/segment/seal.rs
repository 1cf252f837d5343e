//! A head to a segment: find the axes that metrics share, cut into chunks, choose codecs, count.

use super::count::ChunkAxis;
use super::head::{Head, HeadSeries};
use super::writer::SegmentWriter;
use crate::error::Result;
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Adds all points of `head` to `segment`, in chunks of `chunk_rows`.
pub(crate) fn seal(head: &Head, chunk_rows: usize, segment: &mut SegmentWriter) -> Result<()> {
    for group in groups(head) {
        let Some(first) = group.first() else { continue };
        let axis: (Vec<i64>, Vec<i64>) = first.rows.iter().map(|row| head.row(*row)).unzip();
        let chunks = || axis.0.chunks(chunk_rows).zip(axis.1.chunks(chunk_rows));
        for (steps, timestamps) in chunks() {
            segment.push_axis(steps, timestamps, None)?;
        }
        let counted: Vec<ChunkAxis<'_>> = chunks().map(|(steps, times)| ChunkAxis::new(steps, times)).collect();
        for series in &group {
            segment.begin_series(&series.metric);
            for (axis, values) in counted.iter().zip(series.values.chunks(chunk_rows)) {
                segment.push_values(values, &axis.count(values))?;
            }
        }
        segment.end_group(vec![axis.0.len() as u64])?;
    }
    Ok(())
}

/// The metrics by the rows that they were logged in, in the order of the first metric of each group.
fn groups(head: &Head) -> Vec<Vec<&HeadSeries>> {
    let mut groups: Vec<Vec<&HeadSeries>> = Vec::new();
    // Fixed, since a log cannot choose its row numbers: a collision costs a comparison and nothing else.
    let mut by_rows: HashMap<&[u32], usize, FixedState> = HashMap::default();
    for series in head.series() {
        let place = *by_rows.entry(&series.rows).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.push(series);
        }
    }
    groups
}
