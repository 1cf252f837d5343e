//! Charts of many metrics of many runs: the first, last, smallest and largest point of each column of pixels.
//!
//! All runs of a metric share the columns, so that their lines can be laid on top of each other. A metric whose files are
//! damaged says so in its place, and costs the others nothing.

use super::Call;
use super::error::{Error, Result};
use super::values::run_ids;
use crate::reply::Reply;
use crate::state::App;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::sync::Arc;
use trackway::{Chart, ChartAxis, ChartOptions, Error as Engine, MetricQuery, RunId, Snapshot};

/// Runs and metrics of a call.
pub(super) const RUNS: usize = 200;
const METRICS: usize = 64;

/// Runs times columns of one metric: what the columns of one chart may take of memory (36 MiB).
const COLUMNS: usize = 1 << 18;

/// What lies along a chart.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Axis {
    #[default]
    Step,
    Time,
    Relative,
    /// Another metric: `against`.
    Metric,
}

impl Axis {
    pub(super) const fn of_engine(self) -> ChartAxis {
        match self {
            Self::Step | Self::Metric => ChartAxis::Step,
            Self::Time => ChartAxis::Timestamp,
            Self::Relative => ChartAxis::SinceStart,
        }
    }
}

/// How charts are asked for, whether of lines or of bands.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Look {
    #[serde(default)]
    pub(super) axis: Axis,
    /// The part of the axis that is shown; an end that is `null` is open.
    pub(super) range: Option<(Option<f64>, Option<f64>)>,
    pub(super) width: usize,
    pub(super) smoothing: Option<f64>,
    #[serde(default)]
    pub(super) log_x: bool,
}

impl Look {
    /// # Errors
    /// More columns than a call may have.
    pub(super) fn options(&self, runs: usize) -> Result<ChartOptions> {
        let columns = self.width.saturating_mul(runs);
        if columns > COLUMNS {
            return Err(Error::too_many("runs times columns of pixels", COLUMNS, columns));
        }
        let (low, high) = self.range.unwrap_or_default();
        let range = low.unwrap_or(f64::NEG_INFINITY)..=high.unwrap_or(f64::INFINITY);
        let options = ChartOptions::new(self.width).log_x(self.log_x).range(range);
        Ok(self.smoothing.map_or(options, |weight| options.smoothing(weight)))
    }
}

#[derive(Deserialize)]
struct Ask {
    runs: Vec<String>,
    metrics: Vec<String>,
    against: Option<String>,
    /// With smoothing: the points as they were logged, too.
    #[serde(default)]
    raw: bool,
    #[serde(flatten)]
    look: Look,
}

/// Snapshots of runs, and the ids that there is no run of.
pub(super) fn snapshots(app: &App, ids: &[RunId]) -> Result<(Vec<Snapshot>, Vec<RunId>)> {
    let (mut found, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        match app.store.snapshot(*id) {
            Ok(snapshot) => found.push(snapshot),
            Err(Engine::NotFound { .. }) => missing.push(*id),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((found, missing))
}

/// A chart of each metric.
pub(super) fn charts(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ask: Ask = call.json()?;
    if ask.metrics.len() > METRICS {
        return Err(Error::too_many("metrics", METRICS, ask.metrics.len()));
    }
    if ask.look.axis == Axis::Metric && ask.against.is_none() {
        return Err(Error::invalid("the axis is a metric, and `against` does not say which"));
    }
    let (snapshots, missing) = snapshots(app, &run_ids(&ask.runs, RUNS)?)?;
    let options = ask.look.options(snapshots.len())?;
    // What is wrong with the question is found before the answer begins.
    options.charts(ask.look.axis.of_engine(), &[])?;
    let write = move |out: &mut dyn Write| {
        out.write_all(b"{\"charts\":[")?;
        for (at, metric) in ask.metrics.iter().enumerate() {
            if at > 0 {
                out.write_all(b",")?;
            }
            match lines(&ask, &snapshots, &options, metric) {
                Ok(lines) => lines.write(out, metric)?,
                Err(error) => failed(out, metric, &error)?,
            }
        }
        let missing: Vec<String> = missing.iter().map(RunId::to_string).collect();
        write!(out, "],\"missing\":{}}}", serde_json::to_string(&missing)?)
    };
    Ok(Reply::stream(write).into_response())
}

fn failed(out: &mut dyn Write, metric: &str, error: &Error) -> io::Result<()> {
    tracing::warn!(metric, error = error.message(), "a chart could not be made");
    let chart = serde_json::json!({ "metric": metric, "error": error.message(), "series": [] });
    serde_json::to_writer(out, &chart).map_err(Into::into)
}

/// The lines of one metric.
enum Lines {
    Whole(Vec<Line<i64>>),
    /// Where another metric lies along the chart.
    Real(Vec<Line<f64>>),
}

struct Line<X> {
    run: RunId,
    chart: Chart<X>,
    raw: Option<Chart<X>>,
}

fn lines(ask: &Ask, snapshots: &[Snapshot], options: &ChartOptions, metric: &str) -> Result<Lines> {
    let (mut ids, mut queries) = (Vec::new(), Vec::new());
    for snapshot in snapshots {
        let along = match &ask.against {
            Some(key) if ask.look.axis == Axis::Metric => snapshot.metric(key),
            _ => snapshot.metric(metric),
        };
        // A run that lacks one of them has no line.
        if let (Ok(query), Ok(along)) = (snapshot.metric(metric), along) {
            ids.push(snapshot.run().id);
            queries.push((query, along));
        }
    }
    let raw = (ask.raw && ask.look.smoothing.is_some())
        .then(|| Look { smoothing: None, ..ask.look }.options(snapshots.len()))
        .transpose()?;
    if ask.look.axis == Axis::Metric {
        let charts = |options: &ChartOptions| options.charts_against(&queries);
        return Ok(Lines::Real(put_together(&ids, charts(options)?, raw.as_ref().map(charts).transpose()?)));
    }
    let queries: Vec<MetricQuery<'_>> = queries.into_iter().map(|(query, _)| query).collect();
    let charts = |options: &ChartOptions| options.charts(ask.look.axis.of_engine(), &queries);
    Ok(Lines::Whole(put_together(&ids, charts(options)?, raw.as_ref().map(charts).transpose()?)))
}

fn put_together<X>(ids: &[RunId], charts: Vec<Chart<X>>, raw: Option<Vec<Chart<X>>>) -> Vec<Line<X>> {
    let mut raw = raw.unwrap_or_default().into_iter();
    ids.iter().zip(charts).map(|(run, chart)| Line { run: *run, chart, raw: raw.next() }).collect()
}

impl Lines {
    fn write(&self, out: &mut dyn Write, metric: &str) -> io::Result<()> {
        match self {
            Self::Whole(lines) => write_chart(out, metric, lines),
            Self::Real(lines) => write_chart(out, metric, lines),
        }
    }
}

fn write_chart<X: Copy + PartialOrd + Serialize>(
    out: &mut dyn Write,
    metric: &str,
    lines: &[Line<X>],
) -> io::Result<()> {
    let range = lines.iter().find_map(|line| line.chart.range);
    write!(out, "{{\"metric\":{},\"range\":{},", serde_json::to_string(metric)?, serde_json::to_string(&range)?)?;
    out.write_all(b"\"series\":[")?;
    for (at, line) in lines.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(out, "{comma}{{\"run\":\"{}\",", line.run)?;
        write_points(out, &line.chart)?;
        if let Some(raw) = &line.raw {
            out.write_all(b",\"raw\":{")?;
            write_points(out, raw)?;
            out.write_all(b"}")?;
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"]}")
}

/// The points of a line, and what is known of those that have no place on it: where JSON has no number for y it is `null`.
fn write_points<X: Copy + PartialOrd + Serialize>(out: &mut dyn Write, chart: &Chart<X>) -> io::Result<()> {
    let (mut points, mut nan, mut infinite) = (0, 0, 0);
    let mut odd = Vec::new();
    for column in &chart.columns {
        points += column.count;
        nan += column.nan_count;
        let ends = [column.min, column.max].into_iter().flatten();
        let beyond = ends.filter(|point| point.value.is_infinite()).count() as u64;
        infinite += beyond.min(column.count);
        if column.nan_count + beyond > 0 {
            odd.push(column.first.x);
        }
    }
    write!(out, "\"points\":{points},\"nan\":{nan},\"infinite\":{infinite},\"left_out\":{},", chart.left_out)?;
    write!(out, "\"odd\":{},\"x\":[", serde_json::to_string(&odd)?)?;
    let mut first = true;
    for point in chart.line() {
        out.write_all(if first { b"" } else { b"," })?;
        serde_json::to_writer(&mut *out, &point.x)?;
        first = false;
    }
    out.write_all(b"],\"y\":[")?;
    let mut first = true;
    for point in chart.line() {
        out.write_all(if first { b"" } else { b"," })?;
        // What is not finite is written as null.
        serde_json::to_writer(&mut *out, &point.value)?;
        first = false;
    }
    out.write_all(b"]")
}
