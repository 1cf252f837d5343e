//! Logged models.

use super::experiments::find_active;
use super::inputs::pairs_of;
use super::log::Logged;
use super::names::random_name;
use super::request::{Fields, missing};
use super::shapes::{Double, Pair, artifact_location};
use super::{Error, Result, Route, places, validate};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use trackway::{
    ExperimentId, LifecycleStage, LoggedModel, LoggedModelId, LoggedModelStatus, ModelMetric, ModelOrder,
    NewLoggedModel, Query, RunId,
};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/mlflow/logged-models", create),
    Route::post("/mlflow/logged-models/search", search),
    Route::get("/mlflow/logged-models/{model_id}", get),
    Route::patch("/mlflow/logged-models/{model_id}", finalize),
    Route::delete("/mlflow/logged-models/{model_id}", delete),
    Route::patch("/mlflow/logged-models/{model_id}/tags", set_tags),
    Route::delete("/mlflow/logged-models/{model_id}/tags/{tag_key}", delete_tag),
    Route::post("/mlflow/logged-models/{model_id}/params", log_params),
];

/// Names of states, with protobuf's numbers.
const STATUSES: &[(&str, i64, LoggedModelStatus)] = &[
    ("LOGGED_MODEL_PENDING", 1, LoggedModelStatus::Pending),
    ("LOGGED_MODEL_READY", 2, LoggedModelStatus::Ready),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3, LoggedModelStatus::Failed),
];

/// How many models a page has unless the request says otherwise.
const PAGE: usize = 50;

/// Tag of a model that says as which versions it is registered.
const VERSIONS_TAG: &str = "mlflow.modelVersions";

#[derive(Serialize)]
struct Answer<'a> {
    model: ModelShape<'a>,
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<ModelShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
struct ModelShape<'a> {
    info: InfoShape<'a>,
    data: DataShape<'a>,
}

#[derive(Serialize)]
struct InfoShape<'a> {
    model_id: String,
    experiment_id: String,
    name: &'a str,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    model_type: &'a str,
    source_run_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
}

#[derive(Serialize)]
struct DataShape<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MeasuredShape<'a>>,
}

#[derive(Serialize)]
struct MeasuredShape<'a> {
    key: &'a str,
    value: Double,
    timestamp: i64,
    step: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    dataset_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    dataset_digest: &'a str,
    model_id: String,
    run_id: String,
}

impl<'a> ModelShape<'a> {
    /// `location` is that of the model's experiment.
    fn new(model: &'a LoggedModel, location: &str) -> Self {
        let model_id = model.id.to_string();
        let measured = |metric: &'a ModelMetric| MeasuredShape {
            key: &metric.key,
            value: Double(metric.value),
            timestamp: metric.timestamp,
            step: metric.step,
            dataset_name: &metric.dataset_name,
            dataset_digest: &metric.dataset_digest,
            model_id: model_id.clone(),
            run_id: metric.run_id.to_string(),
        };
        let metrics = model.metrics.iter().map(measured).collect();
        let status = STATUSES.iter().find(|(_, _, status)| *status == model.status);
        let info = InfoShape {
            experiment_id: model.experiment_id.to_string(),
            name: &model.name,
            creation_timestamp_ms: model.created_at,
            last_updated_timestamp_ms: model.updated_at,
            artifact_uri: places::model_uri(location, model.id),
            status: status.map_or("", |(name, ..)| name),
            model_type: &model.model_type,
            source_run_id: model.source_run_id.map(|run| run.to_string()).unwrap_or_default(),
            tags: pairs_of(&model.tags),
            model_id,
        };
        Self { info, data: DataShape { params: pairs_of(&model.params), metrics } }
    }
}

fn answer(app: &App, model: &LoggedModel) -> Result<Reply> {
    let location = artifact_location(&app.store.experiment(model.experiment_id)?);
    Reply::json(&Answer { model: ModelShape::new(model, &location) })
}

fn not_found(given: &str) -> Error {
    Error::missing(format!("Logged model with ID '{given}' not found."))
}

/// The id of a model; what cannot be one is the id of none.
pub(super) fn model_id(given: &str) -> Result<LoggedModelId> {
    given.parse().map_err(|_| not_found(given))
}

fn refused(error: trackway::Error, given: &str) -> Error {
    match error {
        trackway::Error::NotFound { what: "logged model", .. } => not_found(given),
        other => other.into(),
    }
}

/// A model that is not deleted.
pub(super) fn find_model(app: &App, given: &str) -> Result<LoggedModel> {
    find_any(app, given).and_then(|model| match model.lifecycle_stage {
        LifecycleStage::Active => Ok(model),
        LifecycleStage::Deleted => Err(not_found(given)),
    })
}

fn find_any(app: &App, given: &str) -> Result<LoggedModel> {
    app.store.logged_model(model_id(given)?).map_err(|error| refused(error, given))
}

fn create(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let experiment = fields.required_text("experiment_id")?;
    let name = fields.text("name")?.filter(|name| !name.is_empty());
    let model_type = fields.text("model_type")?.unwrap_or_default();
    let run = fields.text("source_run_id")?.filter(|run| !run.is_empty());
    let (params, tags) = (owned_pairs(fields, "params")?, owned_pairs(fields, "tags")?);
    check_name(name)?;
    let experiment = find_active(app, validate::experiment_id(experiment)?)?;
    let no_run = |_| Error::invalid(format!("source_run_id {:?} is no id of a run", run.unwrap_or_default()));
    let new = NewLoggedModel {
        name: name.map_or_else(random_name, str::to_owned),
        model_type: model_type.to_owned(),
        source_run_id: run.map(str::parse::<RunId>).transpose().map_err(no_run)?,
        params,
        tags,
        ..NewLoggedModel::new(experiment.id)
    };
    let model = app.store.create_logged_model(new)?;
    answer(app, &model)
}

fn check_name(name: Option<&str>) -> Result<()> {
    let Some(name) = name.filter(|name| name.contains(['/', ':', '.', '%', '"', '\''])) else { return Ok(()) };
    let name = validate::python_text(name);
    Err(Error::invalid(format!(
        "Invalid model name ({name}) provided. Model name must be a non-empty string and cannot contain the following \
         characters: ('/', ':', '.', '%', '\"', \"'\")"
    )))
}

fn owned_pairs(fields: Fields<'_>, name: &str) -> Result<Vec<(String, String)>> {
    let pairs = super::experiments::pairs(fields, name)?;
    Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn get(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("model_id")?;
    let deleted_too = fields.text("allow_deleted")?.is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let model = if deleted_too { find_any(app, given)? } else { find_model(app, given)? };
    answer(app, &model)
}

fn finalize(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("model_id")?;
    let status = fields.choice("status", STATUSES)?.ok_or_else(|| missing("status"))?;
    let id = model_id(given)?;
    app.store.set_logged_model_status(id, status).map_err(|error| refused(error, given))?;
    answer(app, &find_any(app, given)?)
}

fn delete(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("model_id")?;
    app.store.delete_logged_model(model_id(given)?).map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

fn set_tags(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("model_id")?;
    let tags = super::experiments::pairs(fields, "tags")?;
    app.store.set_logged_model_tags(model_id(given)?, &tags).map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

fn delete_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("model_id")?;
    let key = fields.required_text("tag_key")?;
    app.store.delete_logged_model_tag(model_id(given)?, key).map_err(|error| match error {
        trackway::Error::NotFound { what: "tag", .. } => {
            let key = validate::python_text(key);
            Error::missing(format!("No tag with key {key} found for model with ID '{given}'."))
        }
        other => refused(other, given),
    })?;
    Ok(Reply::empty())
}

fn log_params(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("model_id")?;
    let params = owned_pairs(fields, "params")?;
    app.store.log_logged_model_params(model_id(given)?, &params).map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

fn search(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let ids = fields.texts("experiment_ids")?;
    let filter = fields.text("filter")?.unwrap_or_default();
    let datasets = fields.list("datasets")?;
    let limit = fields.int("max_results")?.unwrap_or(0);
    let order = fields.list("order_by")?;
    let after = fields.text("page_token")?.filter(|token| !token.is_empty());
    if ids.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let on = |item: &Fields<'_>| -> Result<(String, String)> {
        let text = |name: &str| item.text(name).map(|text| text.unwrap_or_default().to_owned());
        let (name, digest) = (text("dataset_name")?, text("dataset_digest")?);
        if name.is_empty() {
            return Err(Error::invalid("`dataset_name` in the `datasets` clause must be specified."));
        }
        Ok((name, digest))
    };
    let datasets = datasets.iter().map(on).collect::<Result<Vec<_>>>()?;
    let datasets: Vec<(&str, &str)> = datasets.iter().map(|(name, digest)| (name.as_str(), digest.as_str())).collect();
    let order = order.into_iter().map(order_term).collect::<Result<Vec<_>>>()?;
    let experiments: Vec<ExperimentId> = ids.iter().map(|id| validate::experiment_id(id)).collect::<Result<_>>()?;
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(PAGE);
    let mut query = Query::<LoggedModel>::new().experiments(&experiments).measured_on(&datasets).limit(limit);
    query = query.order_by_measured(&order)?;
    if !filter.is_empty() {
        query = query.mlflow_filter(filter)?;
    }
    // A page is one of this very question, as in MLflow.
    let asked = fingerprint(&json!([ids, filter, format!("{order:?}")]));
    if let Some(after) = after {
        let place = after.split_once('.').filter(|(of, _)| *of == asked).map(|(_, place)| place);
        let wrong = || Error::invalid(format!("Invalid page token: {after}. It is not one of this search."));
        query = query.after(place.ok_or_else(wrong)?);
    }
    let page = app.store.search_logged_models(&query)?;
    let mut locations: BTreeMap<ExperimentId, String> = BTreeMap::new();
    for model in &page.found {
        if let Entry::Vacant(place) = locations.entry(model.experiment_id) {
            place.insert(artifact_location(&app.store.experiment(model.experiment_id)?));
        }
    }
    let shape = |model| ModelShape::new(model, locations.get(&model.experiment_id).map_or("", String::as_str));
    let next = page.next.as_ref().map(|place| format!("{asked}.{place}"));
    Reply::json(&Found { models: page.found.iter().map(shape).collect(), next_page_token: next.as_deref() })
}

fn order_term(item: Fields<'_>) -> Result<ModelOrder> {
    let text = |name: &str| item.text(name).map(|text| text.unwrap_or_default().to_owned());
    Ok(ModelOrder {
        field: text("field_name")?,
        descending: !item.boolean("ascending")?.unwrap_or(true),
        dataset_name: text("dataset_name")?,
        dataset_digest: text("dataset_digest")?,
    })
}

/// Tells searches apart; FNV-1a.
fn fingerprint(of: &Value) -> String {
    let hash = of
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Checks that the models are there that points are of, before anything is written.
pub(super) fn check_models(app: &App, metrics: &[Logged<'_>]) -> Result<()> {
    let mut last = None;
    for given in metrics.iter().filter_map(|metric| metric.model_id).filter(|given| !given.is_empty()) {
        if last.replace(given) != Some(given) {
            find_any(app, given)?;
        }
    }
    Ok(())
}

/// Writes those points to their models that are of one.
pub(super) fn log_metrics(app: &App, run: RunId, metrics: &[Logged<'_>]) -> Result<()> {
    let mut by_model: BTreeMap<&str, Vec<ModelMetric>> = BTreeMap::new();
    for metric in metrics {
        let Some(model) = metric.model_id else { continue };
        let point = metric.point;
        let measured = ModelMetric::new(metric.key, point.value, point.step, run).at(point.timestamp);
        let (name, digest) = (metric.dataset_name.unwrap_or_default(), metric.dataset_digest.unwrap_or_default());
        by_model.entry(model).or_default().push(measured.dataset(name, digest));
    }
    by_model.into_iter().try_for_each(|(given, metrics)| {
        app.store.log_model_metrics(model_id(given)?, &metrics).map_err(|error| refused(error, given))
    })
}

/// Notes on a model that it is a version of a registered one.
pub(super) fn note_version(app: &App, given: &str, name: &str, version: u32) -> Result<()> {
    let model = find_model(app, given)?;
    let known = model.tags.get(VERSIONS_TAG).and_then(|tag| serde_json::from_str(tag).ok());
    let mut versions = match known {
        Some(Value::Array(versions)) => versions,
        _ => Vec::new(),
    };
    let this = json!({ "name": name, "version": version });
    if !versions.contains(&this) {
        versions.push(this);
    }
    let value = Value::Array(versions).to_string();
    app.store.set_logged_model_tags(model.id, &[(VERSIONS_TAG, &value)]).map_err(|error| refused(error, given))
}
