//! What of a damaged segment can be read all the same, and what of it goes into a new one.
//!
//! Nothing is guessed: a footer counts when its checksum says that it was written at this place of this file, a chunk when
//! its checksums do. Points are lost chunk by chunk, in order; what is left is as it was written.

use super::count::ChunkAxis;
use super::place::SegmentPlace;
use super::reader::SegmentReader;
use super::writer::SegmentWriter;
use crate::env::Region;
use crate::error::Result;
use crate::format::header::{self, FileType, HEADER_LEN, Header};
use crate::format::index::GroupIndex;
use crate::format::segment::{Footer, SECTION_HEAD, TRAILER_LEN, Trailer, decode_section};
use crate::format::wire::Reader;
use crate::types::{FileId, LogId, RunId};
use std::collections::BTreeMap;
use std::ops::Range;

/// Opens a segment of this run whose header or trailer is damaged, or behind whose end something else follows.
pub(crate) fn salvage(region: Region, place: &SegmentPlace, run: RunId) -> Option<SegmentReader> {
    let file_id = match Header::decode(&region, FileType::Segment) {
        Ok(header) if header.owner == *run.as_bytes() => header.file_id,
        Ok(_) => return None,
        Err(_) => {
            let likely = [false, true].map(|bare| Header::of_segment(FileId([0; 16]), *run.as_bytes(), bare));
            likely.iter().find_map(|like| header::rebuild_like(&region, like))?
        }
    };
    let footer = footer_by_trailer(&region, file_id).or_else(|| footer_at_end(&region, file_id))?;
    Some(SegmentReader::with_footer(region, place.clone(), file_id, run, footer))
}

fn footer(region: &[u8], file_id: FileId, range: Range<usize>) -> Option<Footer> {
    let raw = decode_section(file_id, range.start as u64, region.get(range.clone())?).ok()?;
    Footer::decode(&raw, HEADER_LEN as u64, range.start as u64).ok()
}

/// The footer that a trailer names, wherever that is.
fn footer_by_trailer(region: &[u8], file_id: FileId) -> Option<Footer> {
    let trailers = region.windows(TRAILER_LEN).enumerate().skip(HEADER_LEN);
    trailers.into_iter().rev().find_map(|(at, bytes)| {
        let trailer = Trailer::decode(bytes, file_id).ok()?;
        let start = usize::try_from(trailer.footer_offset).ok()?;
        let end = start.checked_add(trailer.footer_len as usize)?;
        footer(region, file_id, start..end).filter(|_| end == at && start >= HEADER_LEN)
    })
}

/// The footer that ends where the trailer would begin, if the file was not cut before that.
fn footer_at_end(region: &[u8], file_id: FileId) -> Option<Footer> {
    (HEADER_LEN..region.len().saturating_sub(SECTION_HEAD)).find_map(|start| {
        let stored_len = Reader::new(region.get(start + 4..)?).u32("section length").ok()?;
        let end = (start + SECTION_HEAD).checked_add(stored_len as usize)?;
        let is_last = end <= region.len() && end + TRAILER_LEN >= region.len();
        is_last.then(|| footer(region, file_id, start..end)).flatten()
    })
}

/// Rows of one chunk of a group.
type Piece = (usize, Range<usize>);

/// Adds to `output` what can be read of a segment and comes from a log that `wanted` names; returns the number of points.
/// `output` is for those of its logs, in their order.
///
/// # Errors
/// Those of the output. Damage is left out.
pub(crate) fn copy_good(
    segment: &SegmentReader,
    wanted: &dyn Fn(&LogId) -> bool,
    output: &mut SegmentWriter,
) -> Result<u64> {
    let mut points = 0;
    for group in 0..segment.group_count() {
        let Ok(index) = segment.group(group) else { continue };
        let logs: Vec<bool> = segment.logs().iter().map(wanted).collect();
        let copy = GroupCopy { segment, group, index: &index, rows: wanted_rows(segment.log_rows(group), &logs) };
        // Metrics of which the same chunks are left share an axis as before.
        let mut classes: BTreeMap<Vec<bool>, Vec<(usize, &str)>> = BTreeMap::new();
        let whole_axis: Vec<bool> = (0..index.axis.len()).map(|chunk| copy.axis(chunk).is_ok()).collect();
        for series in segment.series().iter().filter(|series| series.group as usize == group) {
            let position = series.position as usize;
            let good = |(chunk, whole): (usize, &bool)| *whole && copy.values(position, chunk).is_ok();
            let good = whole_axis.iter().enumerate().map(good).collect();
            classes.entry(good).or_default().push((position, &series.metric));
        }
        for (good, members) in classes {
            points += copy.write(&good, &members, &logs, output)?;
        }
    }
    Ok(points)
}

/// The rows of a group that come from wanted logs, as ranges in order.
fn wanted_rows(log_rows: &[u64], wanted: &[bool]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut start = 0_u64;
    for (rows, wanted) in log_rows.iter().zip(wanted) {
        let end = start.saturating_add(*rows);
        match ranges.last_mut().filter(|last| last.end == start) {
            Some(last) if *wanted => last.end = end,
            _ if *wanted && end > start => ranges.push(start..end),
            _ => {}
        }
        start = end;
    }
    ranges
}

/// The overlap of two ranges of rows; empty ones begin anywhere.
fn overlap(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

struct GroupCopy<'a> {
    segment: &'a SegmentReader,
    group: usize,
    index: &'a GroupIndex,
    /// The rows that are wanted.
    rows: Vec<Range<u64>>,
}

impl GroupCopy<'_> {
    fn axis(&self, chunk: usize) -> Result<(Vec<i64>, Vec<i64>)> {
        let (mut steps, mut timestamps) = (Vec::new(), Vec::new());
        self.segment.read_axis(self.group, self.index, chunk, &mut steps, &mut timestamps)?;
        Ok((steps, timestamps))
    }

    fn values(&self, position: usize, chunk: usize) -> Result<Vec<f64>> {
        let column = self.index.column(position, chunk);
        let Some((column, axis)) = column.zip(self.index.axis.get(chunk)) else {
            return Err(self.segment.damaged("a metric has no place in its group"));
        };
        let mut values = Vec::new();
        self.segment.read_floats(column, axis.rows, &mut values)?;
        Ok(values)
    }

    /// What is wanted of the good chunks, and how many rows of it come from each of the wanted logs.
    fn pieces(&self, good: &[bool], logs: &[bool]) -> (Vec<Piece>, Vec<u64>) {
        let (mut pieces, mut kept) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (chunk, (axis, good)) in self.index.axis.iter().zip(good).enumerate() {
            let rows = start..start + u64::from(axis.rows);
            for range in self.rows.iter().filter(|_| *good) {
                let part = overlap(range, &rows);
                if !part.is_empty() {
                    pieces.push((chunk, (part.start - start) as usize..(part.end - start) as usize));
                    kept.push(part);
                }
            }
            start = rows.end;
        }
        let (mut log_rows, mut start) = (Vec::new(), 0_u64);
        for (rows, wanted) in self.segment.log_rows(self.group).iter().zip(logs) {
            let of_log = start..start.saturating_add(*rows);
            if *wanted {
                log_rows.push(kept.iter().map(|part| overlap(part, &of_log)).map(|part| part.end - part.start).sum());
            }
            start = of_log.end;
        }
        (pieces, log_rows)
    }

    /// Writes metrics of which the chunks `good` are left as one group; returns the number of points.
    fn write(
        &self,
        good: &[bool],
        members: &[(usize, &str)],
        logs: &[bool],
        output: &mut SegmentWriter,
    ) -> Result<u64> {
        let (pieces, log_rows) = self.pieces(good, logs);
        if pieces.is_empty() {
            return Ok(0);
        }
        let changed = || self.segment.corrupt(0, "it changed while it was read");
        for (chunk, rows) in &pieces {
            let (steps, timestamps) = self.axis(*chunk)?;
            let axis = steps.get(rows.clone()).zip(timestamps.get(rows.clone())).ok_or_else(changed)?;
            output.push_axis(&ChunkAxis::new(axis.0, axis.1), None)?;
        }
        for (position, metric) in members {
            output.begin_series(metric);
            for (chunk, rows) in &pieces {
                let ((steps, timestamps), values) = (self.axis(*chunk)?, self.values(*position, *chunk)?);
                let axis = steps.get(rows.clone()).zip(timestamps.get(rows.clone())).ok_or_else(changed)?;
                let values = values.get(rows.clone()).ok_or_else(changed)?;
                output.push_values(values, &ChunkAxis::new(axis.0, axis.1).count(values))?;
            }
        }
        let rows: u64 = log_rows.iter().sum();
        output.end_group(log_rows)?;
        Ok(rows * members.len() as u64)
    }
}

#[cfg(test)]
#[path = "salvage_tests.rs"]
mod tests;
