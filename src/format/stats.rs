//! Statistics of points, as segments and the catalog store them.
//!
//! Metrics of a group share steps and timestamps, so what is known of those is stored once, as *facts* of the axis:
//!
//! ```text
//! facts:      first: step zigzag, timestamp zigzag
//!             last: step and timestamp minus the first's, zigzag each
//!             step range and time range: first minus smallest varint, largest minus first varint, each
//! statistics: flags u8: 1 = not all values are NaN, 2 = the latest point is the last, 4 = some values are NaN,
//!             8 = all values here are singles, stored as f32, else as f64
//!             with flag 4: NaN count varint
//!             first value, last value
//!             without flag 2: the latest point
//!             with flag 1: the points with the smallest and the largest value, sum f64, sum of squares f64
//!
//! of an axis of one row whose group has no index:
//! facts:      step zigzag, timestamp zigzag
//! statistics: flags u8: 8 as above, value
//!
//! point:      step and timestamp minus the first's, zigzag each, value
//! summary:    count varint, flags u8 as above without 2, with flag 4: NaN count varint
//!             latest: step and timestamp minus those of the summary before (0 for the first), zigzag each, value
//!             with flag 1: smallest value, largest value
//! ```

use super::wire::{Decoded, Reader, put_varint, put_zigzag};
use crate::codec;
use crate::limits;
use crate::types::{MetricSummary, Point, Stats};

const HAS_NUMBERS: u8 = 1;
const LATEST_IS_LAST: u8 = 2;
const HAS_NAN: u8 = 4;
const SINGLES: u8 = 8;

/// What the points of an axis have in common whatever their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AxisFacts {
    pub(crate) rows: u64,
    /// Step and timestamp of the first and the last row.
    pub(crate) first: (i64, i64),
    pub(crate) last: (i64, i64),
    /// Smallest and largest of all rows.
    pub(crate) steps: (i64, i64),
    pub(crate) timestamps: (i64, i64),
}

impl AxisFacts {
    /// Takes the rows that `later` describes, after those that are described here.
    pub(crate) fn merge(&mut self, later: &Self) {
        if self.rows == 0 {
            *self = *later;
            return;
        }
        self.rows += later.rows;
        self.last = later.last;
        self.steps = (self.steps.0.min(later.steps.0), self.steps.1.max(later.steps.1));
        self.timestamps = (self.timestamps.0.min(later.timestamps.0), self.timestamps.1.max(later.timestamps.1));
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_zigzag(out, self.first.0);
        put_zigzag(out, self.first.1);
        put_zigzag(out, self.last.0.wrapping_sub(self.first.0));
        put_zigzag(out, self.last.1.wrapping_sub(self.first.1));
        put_range(out, self.first.0, self.steps);
        put_range(out, self.first.1, self.timestamps);
    }

    /// The facts of an axis of one row.
    fn of_row(step: i64, timestamp: i64) -> Self {
        let row = (step, timestamp);
        Self { rows: 1, first: row, last: row, steps: (step, step), timestamps: (timestamp, timestamp) }
    }

    /// Appends the facts of an axis of which it is known that it has one row.
    pub(super) fn put_row(&self, out: &mut Vec<u8>) {
        put_zigzag(out, self.first.0);
        put_zigzag(out, self.first.1);
    }

    /// Reads what [`Self::put_row`] wrote.
    pub(super) fn take_row(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self::of_row(reader.zigzag("step")?, reader.zigzag("timestamp")?))
    }

    pub(crate) fn take(reader: &mut Reader<'_>, rows: u64) -> Decoded<Self> {
        let first = (reader.zigzag("step")?, reader.zigzag("timestamp")?);
        let last = (first.0.wrapping_add(reader.zigzag("step")?), first.1.wrapping_add(reader.zigzag("timestamp")?));
        let (steps, timestamps) = (take_range(reader, first.0)?, take_range(reader, first.1)?);
        Ok(Self { rows, first, last, steps, timestamps })
    }
}

/// The bit of a flag, if it is set.
pub(super) fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

fn put_range(out: &mut Vec<u8>, first: i64, (low, high): (i64, i64)) {
    put_varint(out, first.wrapping_sub(low) as u64);
    put_varint(out, high.wrapping_sub(first) as u64);
}

fn take_range(reader: &mut Reader<'_>, first: i64) -> Decoded<(i64, i64)> {
    let low = first.wrapping_sub(reader.varint("range")? as i64);
    let high = first.wrapping_add(reader.varint("range")? as i64);
    if low > first || high < first {
        return Err(reader.error("range", "it does not hold its first number"));
    }
    Ok((low, high))
}

fn put_value(out: &mut Vec<u8>, singles: bool, value: f64) {
    if singles {
        out.extend_from_slice(&codec::single_bits(value).to_le_bytes());
    } else {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn take_value(reader: &mut Reader<'_>, singles: bool) -> Decoded<f64> {
    if singles { Ok(codec::widen_single(reader.u32("value")?)) } else { reader.f64("value") }
}

fn put_point(out: &mut Vec<u8>, base: (i64, i64), singles: bool, point: Point) {
    put_zigzag(out, point.step.wrapping_sub(base.0));
    put_zigzag(out, point.timestamp.wrapping_sub(base.1));
    put_value(out, singles, point.value);
}

fn take_point(reader: &mut Reader<'_>, base: (i64, i64), singles: bool) -> Decoded<Point> {
    let step = base.0.wrapping_add(reader.zigzag("step")?);
    let timestamp = base.1.wrapping_add(reader.zigzag("timestamp")?);
    Ok(Point::new(step, timestamp, take_value(reader, singles)?))
}

fn take_flags(reader: &mut Reader<'_>, known: u8) -> Decoded<u8> {
    let flags = reader.u8("statistics flags")?;
    if flags & !known != 0 {
        return Err(reader.error("statistics flags", "a flag is unknown"));
    }
    Ok(flags)
}

fn take_nan_count(reader: &mut Reader<'_>, flags: u8, count: u64) -> Decoded<u64> {
    let nan_count = if flags & HAS_NAN != 0 { reader.varint("NaN count")? } else { 0 };
    if nan_count > count
        || (nan_count < count) != (flags & HAS_NUMBERS != 0)
        || (nan_count > 0) != (flags & HAS_NAN != 0)
    {
        return Err(reader.error("NaN count", "it does not fit the number of points"));
    }
    Ok(nan_count)
}

/// Appends the statistics of the values of an axis with these facts. Of no points there are none.
pub(crate) fn put_stats(out: &mut Vec<u8>, facts: &AxisFacts, stats: &Stats) {
    let (Some(first), Some(last), Some(latest)) = (stats.first, stats.last, stats.latest) else { return };
    let extremes = stats.min.zip(stats.max);
    let latest_is_last = latest.same_bits(&last);
    let (low, high) = extremes.unwrap_or((first, first));
    let singles = [first, last, latest, low, high].iter().all(|point| codec::is_single(point.value));
    out.push(
        flag(extremes.is_some(), HAS_NUMBERS)
            | flag(latest_is_last, LATEST_IS_LAST)
            | flag(stats.nan_count > 0, HAS_NAN)
            | flag(singles, SINGLES),
    );
    if stats.nan_count > 0 {
        put_varint(out, stats.nan_count);
    }
    put_value(out, singles, first.value);
    put_value(out, singles, last.value);
    if !latest_is_last {
        put_point(out, facts.first, singles, latest);
    }
    if let Some((min, max)) = extremes {
        put_point(out, facts.first, singles, min);
        put_point(out, facts.first, singles, max);
        out.extend_from_slice(&stats.sum.to_le_bytes());
        out.extend_from_slice(&stats.sum_of_squares.to_le_bytes());
    }
}

/// Reads what [`put_stats`] wrote.
pub(crate) fn take_stats(reader: &mut Reader<'_>, facts: &AxisFacts) -> Decoded<Stats> {
    let count = facts.rows;
    if count == 0 {
        return Ok(Stats::default());
    }
    if count > limits::MAX_GROUP_ROWS << 8 {
        return Err(reader.error("point count", "it is beyond the limit"));
    }
    let flags = take_flags(reader, HAS_NUMBERS | LATEST_IS_LAST | HAS_NAN | SINGLES)?;
    let nan_count = take_nan_count(reader, flags, count)?;
    let singles = flags & SINGLES != 0;
    let first = Point::new(facts.first.0, facts.first.1, take_value(reader, singles)?);
    let last = Point::new(facts.last.0, facts.last.1, take_value(reader, singles)?);
    let latest = if flags & LATEST_IS_LAST != 0 { last } else { take_point(reader, facts.first, singles)? };
    let mut stats = Stats {
        count,
        nan_count,
        first: Some(first),
        last: Some(last),
        latest: Some(latest),
        step_range: Some(facts.steps),
        time_range: Some(facts.timestamps),
        ..Stats::default()
    };
    if flags & HAS_NUMBERS != 0 {
        stats.min = Some(take_point(reader, facts.first, singles)?);
        stats.max = Some(take_point(reader, facts.first, singles)?);
        stats.sum = reader.f64("sum")?;
        stats.sum_of_squares = reader.f64("sum of squares")?;
    }
    Ok(stats)
}

/// Appends the statistics of the only value of an axis of which it is known that it has one row.
pub(super) fn put_only(out: &mut Vec<u8>, stats: &Stats) {
    let Some(only) = stats.first else { return };
    let singles = codec::is_single(only.value);
    out.push(flag(singles, SINGLES));
    put_value(out, singles, only.value);
}

/// Reads what [`put_only`] wrote.
pub(super) fn take_only(reader: &mut Reader<'_>, facts: &AxisFacts) -> Decoded<Stats> {
    let flags = take_flags(reader, SINGLES)?;
    let value = take_value(reader, flags & SINGLES != 0)?;
    let mut stats = Stats::default();
    stats.push(Point::new(facts.first.0, facts.first.1, value));
    Ok(stats)
}

/// Appends the summary of a metric; `base` is step and timestamp of the latest point of the one before.
pub(crate) fn put_summary(out: &mut Vec<u8>, base: &mut (i64, i64), summary: &MetricSummary) {
    put_varint(out, summary.count);
    let extremes = summary.min.zip(summary.max);
    let (low, high) = extremes.unwrap_or((summary.latest.value, summary.latest.value));
    let singles = [summary.latest.value, low, high].into_iter().all(codec::is_single);
    out.push(flag(extremes.is_some(), HAS_NUMBERS) | flag(summary.nan_count > 0, HAS_NAN) | flag(singles, SINGLES));
    if summary.nan_count > 0 {
        put_varint(out, summary.nan_count);
    }
    put_point(out, *base, singles, summary.latest);
    *base = (summary.latest.step, summary.latest.timestamp);
    if let Some((min, max)) = extremes {
        put_value(out, singles, min);
        put_value(out, singles, max);
    }
}

/// Reads what [`put_summary`] wrote.
pub(crate) fn take_summary(reader: &mut Reader<'_>, base: &mut (i64, i64)) -> Decoded<MetricSummary> {
    let count = reader.varint("point count")?;
    if count == 0 || count > limits::MAX_GROUP_ROWS << 8 {
        return Err(reader.error("point count", "it is 0 or beyond the limit"));
    }
    let flags = take_flags(reader, HAS_NUMBERS | HAS_NAN | SINGLES)?;
    let nan_count = take_nan_count(reader, flags, count)?;
    let singles = flags & SINGLES != 0;
    let latest = take_point(reader, *base, singles)?;
    *base = (latest.step, latest.timestamp);
    let mut summary = MetricSummary { count, nan_count, latest, min: None, max: None };
    if flags & HAS_NUMBERS != 0 {
        summary.min = Some(take_value(reader, singles)?);
        summary.max = Some(take_value(reader, singles)?);
    }
    Ok(summary)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts_of(points: &[Point]) -> AxisFacts {
        let mut facts = AxisFacts::default();
        for p in points {
            let at = (p.step, p.timestamp);
            let (steps, timestamps) = ((p.step, p.step), (p.timestamp, p.timestamp));
            facts.merge(&AxisFacts { rows: 1, first: at, last: at, steps, timestamps });
        }
        facts
    }

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>(), any::<f32>().prop_map(f64::from), Just(f64::NAN), Just(0.5)]
    }

    #[test]
    fn counts_beyond_the_limit_are_refused() {
        const MOST: u64 = limits::MAX_GROUP_ROWS << 8;
        for (rows, refused) in [(1, false), (MOST - 1, false), (MOST, false), (MOST + 1, true), (MOST + 2, true)] {
            let facts = AxisFacts { rows, ..AxisFacts::default() };
            let found = take_stats(&mut Reader::new(&[]), &facts).unwrap_err().what;
            assert_eq!(found == "point count", refused, "{rows}");
            let mut bytes = Vec::new();
            put_varint(&mut bytes, rows);
            let found = take_summary(&mut Reader::new(&bytes), &mut (0, 0)).unwrap_err().what;
            assert_eq!(found == "point count", refused, "{rows}");
        }
        assert_eq!(take_stats(&mut Reader::new(&[]), &AxisFacts::default()).unwrap().count, 0);
        assert_eq!(take_summary(&mut Reader::new(&[0; 50]), &mut (0, 0)).unwrap_err().what, "point count");
    }

    #[test]
    fn what_is_no_number_is_counted_as_the_flags_say() {
        let take = |nan: u8, flags, count| take_nan_count(&mut Reader::new(&[nan]), flags, count).ok();
        for (nan, found) in [(0, None), (1, Some(1)), (2, Some(2)), (3, None), (4, None)] {
            assert_eq!(take(nan, HAS_NAN | HAS_NUMBERS, 3), found, "{nan} of 3");
        }
        for (nan, found) in [(0, None), (2, None), (3, Some(3)), (4, None)] {
            assert_eq!(take(nan, HAS_NAN, 3), found, "{nan} of 3");
        }
        assert_eq!((take(9, HAS_NUMBERS, 3), take(9, 0, 3)), (Some(0), None));
    }

    #[test]
    fn a_range_holds_its_first_number() {
        let take = |low: u64, high: u64| {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, low);
            put_varint(&mut bytes, high);
            take_range(&mut Reader::new(&bytes), 1).ok()
        };
        assert_eq!((take(0, 0), take(3, 5)), (Some((1, 1)), Some((-2, 6))));
        // More than fits behind or before it.
        for (low, high) in [(u64::MAX, 0), ((1 << 63) + 2, 0), (0, i64::MAX as u64), (0, u64::MAX)] {
            assert_eq!(take(low, high), None, "{low} {high}");
        }
    }

    proptest! {
        #[test]
        fn statistics_come_back(points in prop::collection::vec((any::<i64>(), any::<i64>(), values()), 1..20)) {
            let points: Vec<Point> = points.iter().map(|p| Point::new(p.0, p.1, p.2)).collect();
            let mut stats = Stats::default();
            points.iter().for_each(|point| stats.push(*point));
            let facts = facts_of(&points);
            let mut out = Vec::new();
            facts.put(&mut out);
            put_stats(&mut out, &facts, &stats);
            let summary = MetricSummary::of(&stats).unwrap();
            let mut base = (5, -7);
            put_summary(&mut out, &mut base, &summary);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(AxisFacts::take(&mut reader, facts.rows).unwrap(), facts);
            let read = take_stats(&mut reader, &facts).unwrap();
            // As text, since NaN differs from itself.
            prop_assert_eq!(format!("{read:?}"), format!("{stats:?}"));
            if points.len() == 1 {
                let mut out = Vec::new();
                facts.put_row(&mut out);
                put_only(&mut out, &stats);
                prop_assert!(out.len() <= 29);
                let mut reader = Reader::new(&out);
                prop_assert_eq!(AxisFacts::take_row(&mut reader).unwrap(), facts);
                prop_assert_eq!(format!("{:?}", take_only(&mut reader, &facts).unwrap()), format!("{stats:?}"));
                prop_assert!(reader.is_empty());
                // No other flag says anything about one value.
                for flags in (0..=u8::MAX).filter(|flags| flags & !SINGLES != 0) {
                    let bytes = [&[flags][..], &[0; 8]].concat();
                    prop_assert!(take_only(&mut Reader::new(&bytes), &facts).is_err(), "{flags}");
                }
            }
            let mut base = (5, -7);
            let read = take_summary(&mut reader, &mut base).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{summary:?}"));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn statistics_of_parts_merge_to_those_of_the_whole(
            points in prop::collection::vec((-3i64..3, -3i64..3, prop_oneof![Just(f64::NAN), -2.0..2.0f64]), 0..30),
            cut in any::<prop::sample::Index>(),
        ) {
            let points: Vec<_> = points.into_iter().map(|p| Point::new(p.0, p.1, p.2.round())).collect();
            let at = cut.index(points.len() + 1);
            let of = |points: &[Point]| points.iter().fold(Stats::default(), |mut s, p| { s.push(*p); s });
            let mut merged = of(&points[..at]);
            merged.merge(&of(&points[at..]));
            prop_assert_eq!(format!("{merged:?}"), format!("{:?}", of(&points)));
        }

        #[test]
        fn any_bytes_give_statistics_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100), rows in 0..9_u64) {
            let mut reader = Reader::new(&bytes);
            if let Ok(facts) = AxisFacts::take(&mut reader, rows) {
                let _ = take_stats(&mut reader, &facts);
            }
            let _ = take_summary(&mut Reader::new(&bytes), &mut (0, 0));
        }
    }
}
