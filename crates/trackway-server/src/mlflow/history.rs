//! All points of a metric, page by page or as one list that is written while it is sent.
//!
//! Points come by (timestamp, step, value), NaN taking part as 0, and those that are the same in everything come once. A page
//! begins behind the last point of the page before, whatever was logged meanwhile. Only the time span of a page is read: a
//! span is guessed from how dense the points are on average, and widened until it holds a page.

use super::error::BAD_TOKEN;
use super::request::Fields;
use super::runs::run_id;
use super::shapes::MetricShape;
use super::{Error, Result, Route};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use std::cmp::Ordering;
use std::io;
use std::sync::Arc;
use trackway::{Point, Snapshot};

pub(super) const ROUTES: &[Route] = &[
    Route::get("/mlflow/metrics/get-history", history),
    Route::get("/mlflow/metrics/get-history-bulk", bulk).ajax_only(),
];

/// Points that are in memory at a time when a whole history is written.
const PIECE: usize = 50_000;
/// Metrics with no more points than this are read whole.
const SMALL: u64 = 100_000;

/// Most runs, and points of all of them, in one bulk answer.
const BULK_RUNS: usize = 100;
const BULK_POINTS: usize = 25_000;

#[derive(Serialize)]
struct Page<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn history(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.run_id()?;
    let key = fields.required_text("metric_key")?;
    let token = fields.text("page_token")?.filter(|token| !token.is_empty());
    let limit = fields.int("max_results")?;
    if let Some(limit) = limit.filter(|limit| *limit <= 0) {
        let what =
            format!("Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer.");
        return Err(Error::invalid(what));
    }
    let after = token.map(place_of).transpose()?;
    let Some(snapshot) = snapshot(app, given)? else { return Ok(Reply::empty()) };
    let Some(limit) = limit else { return whole(snapshot, key.to_owned(), after) };
    let (points, has_more) = read_page(&snapshot, key, after, usize::try_from(limit).unwrap_or(usize::MAX))?;
    let next_page_token = points.last().filter(|_| has_more).map(|point| token_of(*point));
    let metrics = points.into_iter().map(|point| MetricShape::new(key, point)).collect();
    Reply::json(&Page { metrics, next_page_token })
}

/// The files of a run as they are now; none when there is no such run, which has no points.
pub(super) fn snapshot(app: &App, given: &str) -> Result<Option<Snapshot>> {
    let Ok(id) = run_id(given) else { return Ok(None) };
    match app.store.snapshot(id) {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(trackway::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The whole history, written while it is sent.
fn whole(snapshot: Snapshot, key: String, after: Option<Point>) -> Result<Reply> {
    let mut page = read_page(&snapshot, &key, after, PIECE)?;
    if page.0.is_empty() {
        return Ok(Reply::empty());
    }
    Ok(Reply::stream(move |out| {
        let mut before = "{\"metrics\":[";
        loop {
            let (points, has_more) = page;
            for point in &points {
                out.write_all(before.as_bytes())?;
                serde_json::to_writer(&mut *out, &MetricShape::new(&key, *point))?;
                before = ",";
            }
            if !has_more {
                return out.write_all(b"]}");
            }
            page = read_page(&snapshot, &key, points.last().copied(), PIECE).map_err(told)?;
        }
    }))
}

/// What cuts an answer short.
fn told(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn bulk(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let mut runs = fields.texts("run_id")?;
    if runs.is_empty() {
        return Err(Error::invalid("GetMetricHistoryBulk request must specify at least one run_id."));
    }
    if runs.len() > BULK_RUNS {
        let count = runs.len();
        return Err(Error::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {BULK_RUNS} run_ids. Received {count} run_ids."
        )));
    }
    let key = fields.text("metric_key")?;
    let key = key.ok_or_else(|| Error::invalid("GetMetricHistoryBulk request must specify a metric_key."))?;
    let limit = fields.int("max_results")?.map_or(BULK_POINTS, |limit| usize::try_from(limit).unwrap_or(0));
    let mut room = limit.min(BULK_POINTS);
    runs.sort_unstable();
    runs.dedup();
    let mut out = b"{\"metrics\":[".to_vec();
    for id in runs {
        let Some(snapshot) = snapshot(app, id)? else { continue };
        let (points, _) = read_page(&snapshot, key, None, room)?;
        room -= points.len();
        for point in points {
            if !out.ends_with(b"[") {
                out.push(b',');
            }
            serde_json::to_writer(&mut out, &MetricShape::of_run(key, point, id))?;
        }
    }
    out.extend_from_slice(b"]}");
    Ok(Reply::Json(out))
}

/// At most `limit` points behind `after`, and whether there are more.
fn read_page(snapshot: &Snapshot, key: &str, after: Option<Point>, limit: usize) -> Result<(Vec<Point>, bool)> {
    let known = snapshot.stats(key).and_then(|stats| Some((stats.count, stats.time_range?)));
    let Some((count, (begin, last))) = known else { return Ok((Vec::new(), false)) };
    let first = after.map_or(begin, |after| after.timestamp.max(begin));
    let whole = i128::from(last) - i128::from(begin) + 1;
    let mut span = if count > SMALL { (whole * 2 * limit as i128 / i128::from(count)).max(1) } else { whole };
    loop {
        let end = (i128::from(first) + span - 1).min(i128::from(last)) as i64;
        let columns = snapshot.metric(key)?.timestamps(first..=end).read()?;
        let is_behind = |point: &Point| after.is_none_or(|after| by_time(point, &after).is_gt());
        let mut points: Vec<Point> = columns.iter().filter(is_behind).collect();
        points.sort_by(by_time);
        points.dedup_by(|a, b| by_time(a, b).is_eq());
        if points.len() > limit || end >= last {
            let has_more = points.len() > limit;
            points.truncate(limit);
            return Ok((points, has_more));
        }
        span = span.saturating_mul(2);
    }
}

/// The order of a history. Points that are equal in it are the same point.
fn by_time(a: &Point, b: &Point) -> Ordering {
    (a.timestamp, a.step).cmp(&(b.timestamp, b.step)).then_with(|| by_value(a.value, b.value))
}

/// NaN takes part as 0, behind a true 0; both zeros are one.
pub(super) fn by_value(a: f64, b: f64) -> Ordering {
    let rank = |value: f64| if value.is_nan() { 0.0 } else { value };
    rank(a).partial_cmp(&rank(b)).unwrap_or(Ordering::Equal).then(a.is_nan().cmp(&b.is_nan()))
}

/// A page's last point, for the next page: three numbers of 64 bits in hexadecimal digits.
pub(crate) fn token_of(point: Point) -> String {
    format!("{:016x}{:016x}{:016x}", point.timestamp, point.step, point.value.to_bits())
}

pub(crate) fn place_of(token: &str) -> Result<Point> {
    let number = |at: usize| {
        let digits = token.get(at..at + 16).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u64::from_str_radix(digits, 16).ok()
    };
    let numbers = number(0).zip(number(16)).zip(number(32)).filter(|_| token.len() == 48);
    let ((timestamp, step), value) = numbers.ok_or_else(|| Error::invalid(BAD_TOKEN))?;
    Ok(Point::new(step as i64, timestamp as i64, f64::from_bits(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_every_bit_and_nothing_else_is_one() {
        for point in [Point::new(-5, 7, f64::NAN), Point::new(i64::MAX, i64::MIN, -0.0)] {
            assert!(place_of(&token_of(point)).unwrap().same_bits(&point));
        }
        for bad in ["", "x", "eyJvZmZzZXQiOiAxfQ==", &"0".repeat(47), &"+".repeat(48), &"\u{e9}".repeat(24)] {
            assert!(place_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nan_is_zero_but_not_the_same_point() {
        assert_eq!(by_value(f64::NAN, 0.0), Ordering::Greater);
        assert_eq!(by_value(f64::NAN, -1.0), Ordering::Greater);
        assert_eq!(by_value(f64::NAN, 1.0), Ordering::Less);
        assert_eq!(by_value(f64::NAN, -f64::NAN), Ordering::Equal);
        assert_eq!(by_value(0.0, -0.0), Ordering::Equal);
    }
}
