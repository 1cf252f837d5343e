//! Which segments of a run become one: a pure function of what is there.
//!
//! Points count as written in the order of their logs. A segment can therefore only take its neighbours in that
//! order, and never across a log that is still to be sealed.

use crate::types::LogId;
use std::ops::Range;

/// While a run is being written, this many neighbours of about the same size are merged: each byte is rewritten once
/// for every factor of so many by which the run outgrows its log. Measured by `cargo bench --bench compact -- live`, as
/// bytes written for each that the run ends with, of runs of 48, 150 and 400 logs: with 16, 2.93, 2.91 and 3.81; with 32,
/// 2.94, 2.90 and 2.90; with 8, 2.94 and 3.37 of the first two.
const FAN_IN: usize = 32;
/// Of segments with many metrics fewer are merged at a time, since what is known of each metric of each input is in
/// memory meanwhile, about a KiB.
const MAX_METRICS: usize = 40_000;
const MIN_FAN_IN: usize = 4;
/// Neighbours are of about the same size when none is this many times larger than the smallest.
const SAME_SIZE: u64 = 4;

/// One thing that holds points of the run, in the order of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A log that nobody has sealed yet.
    Log(LogId),
    /// A segment: the first and last of its logs, its length, the effort it was written with, and how many metrics it
    /// has.
    Segment { first: LogId, last: LogId, bytes: u64, level: u8, metrics: usize },
}

impl Source {
    pub(crate) fn first(&self) -> LogId {
        match self {
            Self::Log(id) => *id,
            Self::Segment { first, .. } => *first,
        }
    }
}

/// The sources to merge, as a range of `sources` (sorted by their first log), or `None` when all is well. `ended`:
/// nobody writes to the run, so it can become one segment; `level`: the effort that it shall have then.
pub(crate) fn plan(sources: &[Source], ended: bool, level: u8) -> Option<Range<usize>> {
    if ended {
        let all_sealed = sources.iter().all(|source| matches!(source, Source::Segment { .. }));
        let nothing_to_do = match sources {
            [] => true,
            [Source::Segment { level: found, .. }] => *found >= level,
            _ => false,
        };
        return (all_sealed && !nothing_to_do).then_some(0..sources.len());
    }
    let ranges = sources.iter().enumerate().map(|(start, source)| start..start + fan_in(source));
    ranges.into_iter().find(|range| {
        sources.get(range.clone()).is_some_and(|candidates| of_one_size(candidates) && in_order(candidates))
    })
}

/// How many neighbours, this one the first, are merged.
fn fan_in(first: &Source) -> usize {
    match first {
        Source::Log(_) => 1,
        Source::Segment { metrics, .. } => (MAX_METRICS / (*metrics).max(1)).clamp(MIN_FAN_IN, FAN_IN),
    }
}

fn of_one_size(sources: &[Source]) -> bool {
    let sizes: Option<Vec<u64>> = sources
        .iter()
        .map(|source| match source {
            Source::Segment { bytes, .. } => Some(*bytes),
            Source::Log(_) => None,
        })
        .collect();
    let Some(sizes) = sizes else { return false };
    let (Some(least), Some(most)) = (sizes.iter().min(), sizes.iter().max()) else { return false };
    *most <= least.saturating_mul(SAME_SIZE)
}

/// Whether each segment ends before the next begins: merged out of order, points would change places.
fn in_order(sources: &[Source]) -> bool {
    sources.windows(2).all(|pair| match pair {
        [Source::Segment { last, .. }, next] => *last < next.first(),
        _ => false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn log(n: u64) -> LogId {
        LogId { created_us: n, salt: 0 }
    }

    fn segment(n: u64, bytes: u64, level: u8) -> Source {
        Source::Segment { first: log(n), last: log(n), bytes, level, metrics: 20 }
    }

    #[test]
    fn an_ended_run_becomes_one_segment_at_the_wanted_level() {
        assert_eq!(plan(&[], true, 1), None);
        assert_eq!(plan(&[segment(1, 9, 1)], true, 1), None);
        assert_eq!(plan(&[segment(1, 9, 0)], true, 1), Some(0..1));
        assert_eq!(plan(&[segment(1, 9, 1)], true, 2), Some(0..1));
        assert_eq!(plan(&[segment(1, 9, 1), segment(2, 900, 1)], true, 1), Some(0..2));
        assert_eq!(plan(&[segment(1, 9, 0), Source::Log(log(2))], true, 1), None, "the log is sealed first");
    }

    #[test]
    fn a_live_run_merges_neighbours_of_one_size_only() {
        let mut sources: Vec<Source> = (0..FAN_IN as u64).map(|n| segment(n, 100 + n, 0)).collect();
        assert_eq!(plan(&sources, false, 1), Some(0..FAN_IN));
        assert_eq!(plan(&sources[1..], false, 1), None);
        sources[3] = Source::Log(log(3));
        assert_eq!(plan(&sources, false, 1), None, "never across a log that is not sealed");
        sources[3] = segment(3, 100_000, 0);
        assert_eq!(plan(&sources, false, 1), None);
    }

    #[test]
    fn of_many_metrics_few_segments_are_merged_at_a_time() {
        let of = |metrics: usize, n: u64| Source::Segment { first: log(n), last: log(n), bytes: 9, level: 0, metrics };
        let sources = |metrics| (0..FAN_IN as u64).map(|n| of(metrics, n)).collect::<Vec<_>>();
        assert_eq!(plan(&sources(5_000), false, 1), Some(0..8));
        assert_eq!(plan(&sources(1_000_000), false, 1), Some(0..MIN_FAN_IN));
        assert_eq!(plan(&sources(1_000_000)[1..MIN_FAN_IN], false, 1), None);
    }

    #[test]
    fn segments_whose_logs_interleave_are_not_merged_while_the_run_lives() {
        let mut sources: Vec<Source> = (0..FAN_IN as u64).map(|n| segment(n * 10, 100, 0)).collect();
        sources[2] = Source::Segment { first: log(20), last: log(35), bytes: 100, level: 0, metrics: 20 };
        assert_eq!(plan(&sources, false, 1), None);
    }
}
