//! Bands: runs in groups by a param or tag, of each group the middle and how far its runs lie apart.

use super::charts::{Axis, Look, RUNS, snapshots};
use super::error::{Error, Result};
use super::values::run_ids;
use super::{Call, json};
use crate::state::App;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use trackway::{BandColumn, Bands, MetricQuery, Run};

/// Groups of a call: more bands than that say nothing.
const GROUPS: usize = 50;

#[derive(Deserialize)]
struct Ask {
    runs: Vec<String>,
    metric: String,
    by: By,
    #[serde(default)]
    band: Spread,
    #[serde(flatten)]
    look: Look,
}

/// What runs of a group have in common.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Param(String),
    Tag(String),
}

impl By {
    fn label<'a>(&self, run: &'a Run) -> Option<&'a str> {
        match self {
            Self::Param(key) => run.params.get(key.as_str()).map(String::as_str),
            Self::Tag(key) => run.tags.get(key.as_str()).map(String::as_str),
        }
    }
}

/// What the band shows.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Spread {
    /// Smallest to largest point: no spike is hidden.
    #[default]
    Range,
    /// One standard deviation of the runs to both sides of their mean.
    Std,
    /// The middle half of the runs, around their median.
    Quartiles,
}

#[derive(Serialize)]
struct Shape {
    label: String,
    runs: usize,
    left_out: u64,
    x: Vec<f64>,
    mean: Vec<Option<f64>>,
    low: Vec<Option<f64>>,
    high: Vec<Option<f64>>,
}

/// The bands of one metric.
pub(super) fn bands(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ask: Ask = call.json()?;
    if ask.look.axis == Axis::Metric {
        return Err(Error::invalid("bands lie along steps or times, not along a metric"));
    }
    let (snapshots, _) = snapshots(app, &run_ids(&ask.runs, RUNS)?)?;
    let options = ask.look.options(snapshots.len())?;
    let mut groups: BTreeMap<String, Vec<MetricQuery<'_>>> = BTreeMap::new();
    for snapshot in &snapshots {
        if let Ok(query) = snapshot.metric(&ask.metric) {
            let label = ask.by.label(snapshot.run()).unwrap_or("none");
            groups.entry(label.to_owned()).or_default().push(query);
        }
    }
    if groups.len() > GROUPS {
        return Err(Error::too_many("groups", GROUPS, groups.len()));
    }
    let mut range: Option<(i64, i64)> = None;
    let mut shapes = Vec::new();
    for (label, group) in groups {
        let quantiles: &[f64] = if matches!(ask.band, Spread::Quartiles) { &[0.25, 0.5, 0.75] } else { &[] };
        let bands = options.bands(ask.look.axis.of_engine(), &group, quantiles)?;
        if let Some((low, high)) = bands.range {
            range = Some(range.map_or((low, high), |range| (range.0.min(low), range.1.max(high))));
        }
        shapes.push(shape(label, group.len(), &bands, ask.band));
    }
    json(&serde_json::json!({ "metric": ask.metric, "range": range, "bands": shapes }))
}

fn shape(label: String, runs: usize, bands: &Bands, spread: Spread) -> Shape {
    let finite = |value: f64| value.is_finite().then_some(value);
    let ends = |column: &BandColumn| -> (f64, f64, f64) {
        match (spread, column.quantiles.as_slice()) {
            (Spread::Quartiles, [low, middle, high]) => (*middle, *low, *high),
            (Spread::Std, _) => {
                // One run alone has no deviation, and a band without width.
                let std = if column.std.is_nan() { 0.0 } else { column.std };
                (column.mean, column.mean - std, column.mean + std)
            }
            _ => (column.mean, column.min, column.max),
        }
    };
    let mut shape = Shape {
        label,
        runs,
        left_out: bands.left_out,
        x: Vec::new(),
        mean: Vec::new(),
        low: Vec::new(),
        high: Vec::new(),
    };
    for column in &bands.columns {
        let (middle, low, high) = ends(column);
        shape.x.push(column.x.0 as f64 + (column.x.1 as f64 - column.x.0 as f64) / 2.0);
        shape.mean.push(finite(middle));
        shape.low.push(finite(low));
        shape.high.push(finite(high));
    }
    shape
}
