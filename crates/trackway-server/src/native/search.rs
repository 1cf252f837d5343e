//! Runs that match a filter, by column: only what was asked for travels. And the keys that an experiment knows.

use super::error::{Error, Result};
use super::values::{Real, is_deleted, view};
use super::{Call, json};
use crate::reply::Reply;
use crate::state::App;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use trackway::{ExperimentId, Filter, MetricSummary, Run, RunOrder, RunQuery};

/// Runs of a page, and columns.
const RUNS: usize = 2_000;
const COLUMNS: usize = 300;

/// Longest value of a param or tag in a table, in characters; the run itself has all of it.
const CELL_CHARS: usize = 300;

/// Runs that are looked at for their keys, and how many keys of all kinds are looked at among them.
const LOOKED: usize = 1_000;
const KEYS: usize = 300_000;

/// Distinct values of a param that are told for completion, and how long they may be.
const VALUES: usize = 40;
const VALUE_BYTES: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    experiments: Vec<String>,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    order_by: Vec<String>,
    #[serde(default)]
    columns: Vec<Column>,
    view: Option<String>,
    #[serde(default = "a_page")]
    limit: usize,
    after: Option<String>,
}

const fn a_page() -> usize {
    100
}

/// What stands in a column.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Column {
    /// The latest value.
    Metric(String),
    Min(String),
    Max(String),
    Count(String),
    Param(String),
    Tag(String),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Cell<'a> {
    Nothing,
    Number(Real),
    Count(u64),
    Text(&'a str),
    Cut(String),
}

impl Column {
    fn cell<'a>(&self, run: &'a Run) -> Cell<'a> {
        let metric = |key: &str, value: fn(&MetricSummary) -> Option<f64>| match run.metrics.get(key).and_then(value) {
            Some(value) => Cell::Number(Real(value)),
            None => Cell::Nothing,
        };
        match self {
            Self::Metric(key) => metric(key, |summary| Some(summary.latest.value)),
            Self::Min(key) => metric(key, |summary| summary.min),
            Self::Max(key) => metric(key, |summary| summary.max),
            Self::Count(key) => {
                run.metrics.get(key.as_str()).map_or(Cell::Nothing, |summary| Cell::Count(summary.count))
            }
            Self::Param(key) => text(run.params.get(key.as_str())),
            Self::Tag(key) => text(run.tags.get(key.as_str())),
        }
    }
}

fn text(value: Option<&String>) -> Cell<'_> {
    let Some(value) = value else { return Cell::Nothing };
    match value.char_indices().nth(CELL_CHARS) {
        Some((end, _)) => Cell::Cut(format!("{}\u{2026}", value.get(..end).unwrap_or_default())),
        None => Cell::Text(value),
    }
}

fn experiments(texts: &[String]) -> Result<Vec<ExperimentId>> {
    Ok(texts.iter().map(|text| text.parse()).collect::<trackway::Result<_>>()?)
}

/// A page of runs, column by column.
pub(super) fn search(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ask: Ask = call.json()?;
    if ask.limit > RUNS {
        return Err(Error::too_many("limit", RUNS, ask.limit));
    }
    if ask.columns.len() > COLUMNS {
        return Err(Error::too_many("columns", COLUMNS, ask.columns.len()));
    }
    let query = RunQuery {
        experiments: experiments(&ask.experiments)?,
        view: view(ask.view.as_deref())?,
        filter: Some(Filter::new(&ask.filter)?),
        order: RunOrder::new(&ask.order_by)?,
        limit: Some(ask.limit),
        after: ask.after,
    };
    let page = app.store.search(&query)?;
    let write = move |out: &mut dyn io::Write| write_page(out, &page.runs, &ask.columns, page.next.as_deref());
    Ok(Reply::stream(write).into_response())
}

fn write_page(out: &mut dyn io::Write, runs: &[Run], columns: &[Column], next: Option<&str>) -> io::Result<()> {
    list(out, "{\"id\":", runs, |run| run.id.to_string())?;
    list(out, ",\"experiment\":", runs, |run| run.experiment_id.to_string())?;
    list(out, ",\"name\":", runs, |run| &run.name)?;
    list(out, ",\"status\":", runs, |run| run.status.as_str())?;
    list(out, ",\"start\":", runs, |run| run.start_time)?;
    list(out, ",\"end\":", runs, |run| run.end_time)?;
    list(out, ",\"user\":", runs, |run| &run.user)?;
    list(out, ",\"deleted\":", runs, |run| is_deleted(run.lifecycle_stage))?;
    out.write_all(b",\"columns\":[")?;
    for (at, column) in columns.iter().enumerate() {
        list(out, if at == 0 { "" } else { "," }, runs, |run| column.cell(run))?;
    }
    out.write_all(b"],\"next\":")?;
    serde_json::to_writer(&mut *out, &next)?;
    out.write_all(b"}")
}

/// A list with one thing of each run, behind `before`.
fn list<'a, T: Serialize>(
    out: &mut dyn io::Write,
    before: &str,
    runs: &'a [Run],
    each: impl Fn(&'a Run) -> T,
) -> io::Result<()> {
    out.write_all(before.as_bytes())?;
    for (at, run) in runs.iter().enumerate() {
        out.write_all(if at == 0 { b"[" } else { b"," })?;
        serde_json::to_writer(&mut *out, &each(run))?;
    }
    out.write_all(if runs.is_empty() { b"[]" } else { b"]" })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskKeys {
    #[serde(default)]
    experiments: Vec<String>,
}

/// Keys that the newest runs have.
#[derive(Serialize, Default)]
struct Keys {
    metrics: BTreeSet<String>,
    params: BTreeSet<String>,
    tags: BTreeSet<String>,
    /// Values of params, where they are few.
    param_values: BTreeMap<String, BTreeSet<String>>,
    tag_values: BTreeMap<String, BTreeSet<String>>,
    /// Runs that were looked at.
    runs: usize,
    /// Whether these are all.
    complete: bool,
}

/// The keys of the newest runs.
pub(super) fn keys(app: &Arc<App>, call: &Call) -> Result<Response> {
    let experiments = experiments(&call.json::<AskKeys>()?.experiments)?;
    let order = RunOrder::new(&["start_time DESC"])?;
    let page = app.store.search(&RunQuery { experiments, order, limit: Some(LOOKED), ..RunQuery::default() })?;
    let mut keys = Keys { complete: page.next.is_none(), ..Keys::default() };
    let mut looked = 0;
    for run in &page.runs {
        if looked > KEYS {
            keys.complete = false;
            break;
        }
        looked += run.metrics.len() + run.params.len() + run.tags.len();
        keys.runs += 1;
        run.metrics.keys().for_each(|key| add(&mut keys.metrics, key));
        for (key, value) in &run.params {
            add(&mut keys.params, key);
            add_value(&mut keys.param_values, key, value);
        }
        for (key, value) in &run.tags {
            add(&mut keys.tags, key);
            add_value(&mut keys.tag_values, key, value);
        }
    }
    for values in [&mut keys.param_values, &mut keys.tag_values] {
        values.retain(|_, values| values.len() <= VALUES);
    }
    json(&keys)
}

fn add(set: &mut BTreeSet<String>, key: &str) {
    if !set.contains(key) {
        set.insert(key.to_owned());
    }
}

/// One more value than is told marks those that have too many.
fn add_value(values: &mut BTreeMap<String, BTreeSet<String>>, key: &str, value: &str) {
    if !values.contains_key(key) {
        values.insert(key.to_owned(), BTreeSet::new());
    }
    if let Some(known) = values.get_mut(key).filter(|known| known.len() <= VALUES && value.len() <= VALUE_BYTES) {
        add(known, value);
    }
}
