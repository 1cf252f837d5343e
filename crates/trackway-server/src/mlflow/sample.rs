//! Samples of histories for charts.
//!
//! MLflow keeps the first point of each bucket, so that a spike is seen by luck. Here a bucket keeps its first, smallest,
//! largest and last point, within the same number of points.

use super::history::{by_value, snapshot};
use super::request::{Fields, missing};
use super::shapes::MetricShape;
use super::{Error, Result, Route};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use std::cmp::Ordering;
use std::sync::Arc;
use trackway::{MetricQuery, Point, Snapshot};

pub(super) const ROUTES: &[Route] =
    &[Route::get("/mlflow/metrics/get-history-bulk-interval", bulk_interval).ajax_only()];

const MOST_RUNS: usize = 100;
const MOST_PER_RUN: i64 = 2500;

/// Points that a bucket keeps.
const KEPT: usize = 4;

/// Metrics with more points than this are not brought into order as a whole; their buckets are equal parts of the range of
/// steps then, and not of the number of points.
const MOST_IN_MEMORY: u64 = 1 << 20;

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricShape<'a>>,
}

fn bulk_interval(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let runs = fields.texts("run_ids")?;
    if runs.is_empty() {
        return Err(missing("run_ids"));
    }
    if runs.len() > MOST_RUNS {
        let docs = "See the API docs for more information about request parameters.";
        let count = runs.len();
        return Err(Error::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify at most {MOST_RUNS} run_ids. Received {count} run_ids. {docs}"
        )));
    }
    let key = fields.required_text("metric_key")?;
    let (start, end) = (fields.int("start_step")?, fields.int("end_step")?);
    let most = fields.int("max_results")?.unwrap_or(MOST_PER_RUN);
    if !(1..=MOST_PER_RUN).contains(&most) {
        let docs = "See the API docs for more information about request parameters.";
        return Err(Error::invalid(format!("max_results must be between 1 and {MOST_PER_RUN}. {docs}")));
    }
    let steps = match (start, end) {
        (None, None) => (i64::MIN, i64::MAX),
        (Some(start), Some(end)) if start <= end => (start, end),
        (Some(start), Some(end)) => {
            return Err(Error::invalid(format!(
                "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
            )));
        }
        _ => {
            return Err(Error::invalid("If either start step or end step are specified, both must be specified."));
        }
    };
    let mut metrics = Vec::new();
    for id in runs {
        let Some(snapshot) = snapshot(app, id)? else { continue };
        let points = sample(&snapshot, key, steps, most as usize)?;
        metrics.extend(points.into_iter().map(|point| MetricShape::of_run(key, point, id)));
    }
    Reply::json(&Answer { metrics })
}

/// At most `most` points of a metric between two steps, by step.
fn sample(snapshot: &Snapshot, key: &str, (first, last): (i64, i64), most: usize) -> Result<Vec<Point>> {
    let Some((count, known)) = snapshot.stats(key).and_then(|stats| Some((stats.count, stats.step_range?))) else {
        return Ok(Vec::new());
    };
    let query = snapshot.metric(key)?.steps(first..=last);
    let range = (known.0.max(first), known.1.min(last));
    if count > MOST_IN_MEMORY && range.0 < range.1 {
        return by_range(&query, range, most);
    }
    let mut points: Vec<Point> = query.read()?.iter().collect();
    points.sort_by(by_step);
    points.dedup_by(|a, b| by_step(a, b).is_eq());
    if points.len() <= most {
        return Ok(points);
    }
    let buckets = most / KEPT;
    let mut kept = Kept::new(most);
    for bucket in 0..buckets {
        let border = |bucket: usize| bucket * points.len() / buckets;
        let mut bucket_points = Bucket::default();
        points
            .get(border(bucket)..border(bucket + 1))
            .unwrap_or_default()
            .iter()
            .for_each(|point| bucket_points.take(*point));
        kept.take(&bucket_points);
    }
    Ok(kept.finish(points.first().copied(), points.last().copied()))
}

/// The same without having all points at once.
fn by_range(query: &MetricQuery<'_>, (first, last): (i64, i64), most: usize) -> Result<Vec<Point>> {
    let count = (most / KEPT).max(1);
    let mut buckets = vec![Bucket::default(); count];
    let width = i128::from(last) - i128::from(first) + 1;
    for columns in query.batches() {
        for point in columns?.iter() {
            let place = (i128::from(point.step) - i128::from(first)) * count as i128 / width;
            if let Some(bucket) = usize::try_from(place).ok().and_then(|place| buckets.get_mut(place)) {
                bucket.take(point);
            }
        }
    }
    let ends = (buckets.iter().find_map(|bucket| bucket.first), buckets.iter().rev().find_map(|bucket| bucket.last));
    let mut kept = Kept::new(most);
    if most >= KEPT {
        buckets.iter().for_each(|bucket| kept.take(bucket));
    }
    Ok(kept.finish(ends.0, ends.1))
}

/// What a bucket keeps of the points that it is given, in any order.
#[derive(Clone, Debug, Default)]
struct Bucket {
    first: Option<Point>,
    last: Option<Point>,
    min: Option<Point>,
    max: Option<Point>,
}

impl Bucket {
    fn take(&mut self, point: Point) {
        let better = |kept: &mut Option<Point>, is_better: fn(&Point, &Point) -> bool| {
            if kept.as_ref().is_none_or(|kept| is_better(&point, kept)) {
                *kept = Some(point);
            }
        };
        better(&mut self.first, |new, kept| by_step(new, kept).is_lt());
        better(&mut self.last, |new, kept| by_step(new, kept).is_gt());
        if !point.value.is_nan() {
            better(&mut self.min, |new, kept| new.value < kept.value);
            better(&mut self.max, |new, kept| new.value > kept.value);
        }
    }
}

/// The points of a sample.
struct Kept {
    points: Vec<Point>,
    most: usize,
}

impl Kept {
    fn new(most: usize) -> Self {
        Self { points: Vec::with_capacity(most), most }
    }

    fn take(&mut self, bucket: &Bucket) {
        let mut four: Vec<Point> = [bucket.first, bucket.min, bucket.max, bucket.last].into_iter().flatten().collect();
        four.sort_by(by_step);
        four.dedup_by(|a, b| by_step(a, b).is_eq());
        self.points.append(&mut four);
    }

    /// The sample, which has the ends of the history: where there is room for one point only, the last.
    fn finish(mut self, first: Option<Point>, last: Option<Point>) -> Vec<Point> {
        if self.points.is_empty() {
            self.points = if self.most == 1 { Vec::new() } else { first.into_iter().collect() };
            self.points.extend(last);
        }
        self.points.dedup_by(|a, b| by_step(a, b).is_eq());
        self.points
    }
}

/// The order of a sample.
fn by_step(a: &Point, b: &Point) -> Ordering {
    (a.step, a.timestamp).cmp(&(b.step, b.timestamp)).then_with(|| by_value(a.value, b.value))
}
