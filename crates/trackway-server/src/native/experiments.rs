//! Experiments: listed, counted, created, changed.

use super::error::{Error, Result};
use super::values::{Change, view};
use super::{Call, done, json};
use crate::mlflow::{LOCATION_TAG, stage};
use crate::state::App;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use trackway::{Experiment, ExperimentId, Query, RunOrder, RunQuery, RunStatus};

/// Runs that are looked at to count those of each experiment, and how many at a time.
const COUNTED: usize = 100_000;
const COUNTED_AT_ONCE: usize = 2_000;

#[derive(Serialize)]
struct Shape<'a> {
    id: String,
    name: &'a str,
    stage: &'static str,
    created_at: i64,
    updated_at: i64,
    tags: BTreeMap<&'a str, &'a str>,
}

fn shape(experiment: &Experiment) -> Shape<'_> {
    let shown = experiment.tags.iter().filter(|(key, _)| *key != LOCATION_TAG);
    Shape {
        id: experiment.id.to_string(),
        name: &experiment.name,
        stage: stage(experiment.lifecycle_stage),
        created_at: experiment.created_at,
        updated_at: experiment.updated_at,
        tags: shown.map(|(key, value)| (key.as_str(), value.as_str())).collect(),
    }
}

pub(super) fn list(app: &Arc<App>, call: &Call) -> Result<Response> {
    let found = app.store.search_experiments(&Query::new().view(view(call.query("view"))?))?.found;
    let experiments: Vec<Shape<'_>> = found.iter().map(shape).collect();
    json(&serde_json::json!({ "experiments": experiments }))
}

pub(super) fn get(app: &Arc<App>, call: &Call) -> Result<Response> {
    json(&shape(&app.store.experiment(call.id()?)?))
}

#[derive(Serialize, Default)]
struct Count {
    runs: u64,
    running: u64,
    last_run: Option<i64>,
}

/// How many active runs each experiment has. The newest ones are counted: beyond 100,000 of them it is not complete.
pub(super) fn counts(app: &Arc<App>, _: &Call) -> Result<Response> {
    let mut counts: HashMap<ExperimentId, Count> = HashMap::new();
    let mut query =
        RunQuery { order: RunOrder::new(&["start_time DESC"])?, limit: Some(COUNTED_AT_ONCE), ..RunQuery::default() };
    let mut looked = 0;
    loop {
        let page = app.store.search(&query)?;
        looked += page.runs.len();
        for run in &page.runs {
            let count = counts.entry(run.experiment_id).or_default();
            count.runs += 1;
            count.running += u64::from(run.status == RunStatus::Running);
            count.last_run = count.last_run.max(Some(run.start_time));
        }
        query.after = page.next;
        if query.after.is_none() || looked >= COUNTED {
            break;
        }
    }
    let counts: BTreeMap<String, Count> = counts.into_iter().map(|(id, count)| (id.to_string(), count)).collect();
    json(&serde_json::json!({ "counts": counts, "complete": query.after.is_none() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
}

pub(super) fn create(app: &Arc<App>, call: &Call) -> Result<Response> {
    let id = app.store.create_experiment(&call.json::<New>()?.name)?;
    json(&shape(&app.store.experiment(id)?))
}

pub(super) fn edit(app: &Arc<App>, call: &Call) -> Result<Response> {
    let (id, change) = (call.id()?, call.json::<Change>()?);
    if change.tags.contains_key(LOCATION_TAG) {
        return Err(Error::invalid(format!("the tag {LOCATION_TAG} is the store's own")));
    }
    if let Some(name) = change.name {
        app.store.rename_experiment(id, &name)?;
    }
    for (key, value) in &change.tags {
        match value {
            Some(value) => app.store.set_experiment_tag(id, key, value)?,
            None => app.store.delete_experiment_tag(id, key)?,
        }
    }
    json(&shape(&app.store.experiment(id)?))
}

pub(super) fn delete(app: &Arc<App>, call: &Call) -> Result<Response> {
    app.store.delete_experiment(call.id()?)?;
    Ok(done())
}

pub(super) fn restore(app: &Arc<App>, call: &Call) -> Result<Response> {
    app.store.restore_experiment(call.id()?)?;
    Ok(done())
}
