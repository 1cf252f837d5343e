//! Logged models: found, read, and those that a run made or used.

use super::error::{Error, Result};
use super::values::Real;
use super::{Call, json};
use crate::mlflow::stage;
use crate::state::App;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use trackway::{Error as Engine, ExperimentId, LoggedModel, LoggedModelId, ModelMetric, Query, RunId};

/// Models of a page.
const MODELS: usize = 500;
/// Models of a run, those included that it has only named.
const OF_A_RUN: usize = 1_000;

#[derive(Serialize)]
struct Shape<'a> {
    id: String,
    experiment: String,
    name: &'a str,
    kind: &'a str,
    status: &'static str,
    stage: &'static str,
    run: Option<String>,
    created_at: i64,
    updated_at: i64,
    params: &'a BTreeMap<String, String>,
    tags: &'a BTreeMap<String, String>,
    metrics: Vec<MeasuredShape<'a>>,
}

#[derive(Serialize)]
struct MeasuredShape<'a> {
    key: &'a str,
    value: Real,
    step: i64,
    timestamp: i64,
    run: String,
    dataset: &'a str,
    digest: &'a str,
}

/// How a run is tied to a model.
#[derive(Serialize)]
struct Tied<'a> {
    /// `made` or `used`.
    tie: &'static str,
    /// When it was made.
    step: Option<i64>,
    model: Shape<'a>,
}

fn shape(model: &LoggedModel) -> Shape<'_> {
    Shape {
        id: model.id.to_string(),
        experiment: model.experiment_id.to_string(),
        name: &model.name,
        kind: &model.model_type,
        status: model.status.as_str(),
        stage: stage(model.lifecycle_stage),
        run: model.source_run_id.map(|run| run.to_string()),
        created_at: model.created_at,
        updated_at: model.updated_at,
        params: &model.params,
        tags: &model.tags,
        metrics: model.metrics.iter().map(measured).collect(),
    }
}

fn measured(metric: &ModelMetric) -> MeasuredShape<'_> {
    MeasuredShape {
        key: &metric.key,
        value: Real(metric.value),
        step: metric.step,
        timestamp: metric.timestamp,
        run: metric.run_id.to_string(),
        dataset: &metric.dataset_name,
        digest: &metric.dataset_digest,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    experiments: Vec<String>,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    order_by: Vec<String>,
    #[serde(default = "a_page")]
    limit: usize,
    after: Option<String>,
}

const fn a_page() -> usize {
    100
}

/// A page of models that are not deleted.
pub(super) fn search(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ask: Ask = call.json()?;
    if ask.limit > MODELS {
        return Err(Error::too_many("limit", MODELS, ask.limit));
    }
    let experiments: Vec<ExperimentId> =
        ask.experiments.iter().map(|id| id.parse()).collect::<trackway::Result<_>>()?;
    let query = Query::<LoggedModel>::new().experiments(&experiments).limit(ask.limit);
    let mut query = query.filter(&ask.filter)?.order_by(&ask.order_by)?;
    if let Some(after) = ask.after {
        query = query.after(after);
    }
    let page = app.store.search_logged_models(&query)?;
    let models: Vec<Shape<'_>> = page.found.iter().map(shape).collect();
    json(&serde_json::json!({ "models": models, "next": page.next }))
}

pub(super) fn get(app: &Arc<App>, call: &Call) -> Result<Response> {
    json(&shape(&app.store.logged_model(call.id()?)?))
}

/// The models that a run made or used: by its own word, or by that of the model.
pub(super) fn of_run(app: &Arc<App>, call: &Call) -> Result<Response> {
    let run = app.store.run(call.id::<RunId>()?)?;
    let mut ties: BTreeMap<LoggedModelId, Option<i64>> = BTreeMap::new();
    let mut found: BTreeMap<LoggedModelId, LoggedModel> = BTreeMap::new();
    let query = Query::<LoggedModel>::new().experiments(&[run.experiment_id]).limit(OF_A_RUN);
    let query = query.filter(&format!("source_run_id = '{}'", run.id))?;
    for model in app.store.search_logged_models(&query)?.found {
        found.insert(model.id, model);
    }
    for link in run.models.iter().take(OF_A_RUN) {
        // Made counts for more than used, and the last step for more than those before it.
        let tie = ties.entry(link.model).or_default();
        *tie = (*tie).max(link.made_at);
        if found.contains_key(&link.model) {
            continue;
        }
        match app.store.logged_model(link.model) {
            Ok(model) => drop(found.insert(model.id, model)),
            // It lies in another store, or was deleted for good.
            Err(Engine::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let tied = |model| {
        let &LoggedModel { id, source_run_id, .. } = model;
        let step = ties.get(&id).copied().flatten();
        let is_made = step.is_some() || source_run_id == Some(run.id);
        Tied { tie: if is_made { "made" } else { "used" }, step, model: shape(model) }
    };
    json(&serde_json::json!({ "models": found.values().map(tied).collect::<Vec<_>>() }))
}
