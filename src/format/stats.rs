//! Statistics of a series of points, as segments and the catalog store them.
//!
//! ```text
//! count varint; nothing more when it is 0, else
//! flags u8: 1 = not all values are NaN, 2 = the latest point is the last
//! nan count varint
//! first point: step zigzag, timestamp zigzag, value f64
//! then each point as differences of step and timestamp from the first: last, latest (unless flag 2), and with flag 1 min, max
//! step range and time range: first minus smallest varint, largest minus first varint, each
//! with flag 1: sum f64, sum of squares f64
//! ```

use super::wire::{Decoded, Reader, put_varint, put_zigzag};
use crate::limits;
use crate::types::{Point, Stats};

const HAS_NUMBERS: u8 = 1;
const LATEST_IS_LAST: u8 = 2;

fn put_point(out: &mut Vec<u8>, base: (i64, i64), point: Point) {
    put_zigzag(out, point.step.wrapping_sub(base.0));
    put_zigzag(out, point.timestamp.wrapping_sub(base.1));
    out.extend_from_slice(&point.value.to_le_bytes());
}

fn take_point(reader: &mut Reader<'_>, base: (i64, i64)) -> Decoded<Point> {
    let step = base.0.wrapping_add(reader.zigzag("step")?);
    let timestamp = base.1.wrapping_add(reader.zigzag("timestamp")?);
    Ok(Point::new(step, timestamp, reader.f64("value")?))
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

/// Appends the statistics.
pub(crate) fn put_stats(out: &mut Vec<u8>, stats: &Stats) {
    let known = (stats.first, stats.last, stats.latest, stats.step_range, stats.time_range);
    let (Some(first), Some(last), Some(latest), Some(steps), Some(times)) = known else {
        put_varint(out, 0);
        return;
    };
    put_varint(out, stats.count);
    let extremes = stats.min.zip(stats.max);
    let latest_is_last = latest.same_bits(&last);
    out.push(u8::from(extremes.is_some()) * HAS_NUMBERS + u8::from(latest_is_last) * LATEST_IS_LAST);
    put_varint(out, stats.nan_count);
    let base = (first.step, first.timestamp);
    put_point(out, (0, 0), first);
    put_point(out, base, last);
    if !latest_is_last {
        put_point(out, base, latest);
    }
    if let Some((min, max)) = extremes {
        put_point(out, base, min);
        put_point(out, base, max);
    }
    put_range(out, first.step, steps);
    put_range(out, first.timestamp, times);
    if extremes.is_some() {
        out.extend_from_slice(&stats.sum.to_le_bytes());
        out.extend_from_slice(&stats.sum_of_squares.to_le_bytes());
    }
}

/// Reads what [`put_stats`] wrote.
pub(crate) fn take_stats(reader: &mut Reader<'_>) -> Decoded<Stats> {
    let count = reader.varint("point count")?;
    if count == 0 {
        return Ok(Stats::default());
    }
    if count > limits::MAX_GROUP_ROWS << 8 {
        return Err(reader.error("point count", "it is beyond the limit"));
    }
    let flags = reader.u8("statistics flags")?;
    if flags & !(HAS_NUMBERS | LATEST_IS_LAST) != 0 {
        return Err(reader.error("statistics flags", "a flag is unknown"));
    }
    let nan_count = reader.varint("NaN count")?;
    let has_numbers = flags & HAS_NUMBERS != 0;
    if nan_count > count || (nan_count < count) != has_numbers {
        return Err(reader.error("NaN count", "it does not fit the number of points"));
    }
    let first = take_point(reader, (0, 0))?;
    let base = (first.step, first.timestamp);
    let last = take_point(reader, base)?;
    let latest = if flags & LATEST_IS_LAST != 0 { last } else { take_point(reader, base)? };
    let mut stats =
        Stats { count, nan_count, first: Some(first), last: Some(last), latest: Some(latest), ..Stats::default() };
    if has_numbers {
        stats.min = Some(take_point(reader, base)?);
        stats.max = Some(take_point(reader, base)?);
    }
    stats.step_range = Some(take_range(reader, first.step)?);
    stats.time_range = Some(take_range(reader, first.timestamp)?);
    if has_numbers {
        stats.sum = reader.f64("sum")?;
        stats.sum_of_squares = reader.f64("sum of squares")?;
    }
    Ok(stats)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn statistics_come_back(points in prop::collection::vec((any::<i64>(), any::<i64>(), any::<f64>()), 0..20)) {
            let mut stats = Stats::default();
            points.iter().for_each(|p| stats.push(Point::new(p.0, p.1, p.2)));
            let mut out = Vec::new();
            put_stats(&mut out, &stats);
            let mut reader = Reader::new(&out);
            let read = take_stats(&mut reader).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{stats:?}"));
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
        fn any_bytes_give_statistics_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = take_stats(&mut Reader::new(&bytes));
        }
    }
}
