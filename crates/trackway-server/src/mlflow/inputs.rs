//! What runs used and made: datasets and logged models.

use super::logged_models::model_id;
use super::request::Fields;
use super::runs::{find_active_run, refused, run_id};
use super::shapes::Pair;
use super::{Error, Result, Route, validate};
use crate::reply::Reply;
use crate::state::App;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use trackway::{DatasetInput, LoggedModelId, RunFilter, View};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/mlflow/runs/log-inputs", log_inputs),
    Route::post("/mlflow/runs/outputs", log_outputs),
    Route::post("/mlflow/runs/log-model", log_model),
    Route::post("/mlflow/experiments/search-datasets", search_datasets).ajax_only(),
];

/// Longest texts of a dataset and its tags, in characters.
const MAX_NAME: usize = 500;
const MAX_DIGEST: usize = 36;
const MAX_SOURCE: usize = 65_535;
const MAX_SCHEMA: usize = 1_048_575;
const MAX_PROFILE: usize = 16_777_215;
const MAX_TAG_KEY: usize = 255;
const MAX_TAG_VALUE: usize = 500;

/// Tag of a run that names the models which older clients have logged.
const MODELS_TAG: &str = "mlflow.log-model.history";

fn log_inputs(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    let datasets = fields.list("datasets")?.into_iter().map(dataset).collect::<Result<Vec<_>>>()?;
    let models = models(fields)?;
    let (run, _) = find_active_run(app, given)?;
    let known: BTreeSet<(String, String)> = run.datasets.into_iter().map(|known| (known.name, known.digest)).collect();
    let is_new = |dataset: &DatasetInput| !known.contains(&(dataset.name.clone(), dataset.digest.clone()));
    let datasets: Vec<DatasetInput> = datasets.into_iter().filter(is_new).collect();
    let logged = app.writers.with(&app.store, run.id, |writer| {
        datasets.into_iter().try_for_each(|dataset| writer.log_dataset(dataset))?;
        models.iter().try_for_each(|(model, _)| writer.log_model_input(*model))
    });
    logged.flatten().map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

fn log_outputs(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    let models = models(fields)?;
    if !fields.has("models")? {
        return Err(super::request::missing("models"));
    }
    let (run, _) = find_active_run(app, given)?;
    let logged = app.writers.with(&app.store, run.id, |writer| {
        models.iter().try_for_each(|(model, step)| writer.log_model_output(*model, *step))
    });
    logged.flatten().map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

/// The models that a request names, with steps. They need not be there, as in MLflow.
fn models(fields: Fields<'_>) -> Result<Vec<(LoggedModelId, i64)>> {
    let one = |item: Fields<'_>| {
        let id = model_id(item.text("model_id")?.unwrap_or_default())?;
        Ok((id, item.int("step")?.unwrap_or(0)))
    };
    fields.list("models")?.into_iter().map(one).collect()
}

fn dataset(item: Fields<'_>) -> Result<DatasetInput> {
    let of = item.object("dataset")?.ok_or_else(|| Error::invalid("Dataset cannot be None"))?;
    let text = |name: &str, limit: usize| -> Result<String> {
        let text = of.text(name)?.unwrap_or_default();
        validate::length(name, limit, text)?;
        Ok(text.to_owned())
    };
    let mut dataset = DatasetInput {
        source_type: text("source_type", MAX_SOURCE)?,
        source: text("source", MAX_SOURCE)?,
        schema: text("schema", MAX_SCHEMA)?,
        profile: text("profile", MAX_PROFILE)?,
        ..DatasetInput::new(text("name", MAX_NAME)?, text("digest", MAX_DIGEST)?)
    };
    for tag in item.list("tags")? {
        let (key, value) = (tag.text("key")?.unwrap_or_default(), tag.text("value")?.unwrap_or_default());
        validate::length("key", MAX_TAG_KEY, key)?;
        validate::length("value", MAX_TAG_VALUE, value)?;
        dataset.tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(dataset)
}

/// What clients before MLflow 3 say of a model that they have put among the artifacts of a run.
fn log_model(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("run_id")?;
    let text = fields.required_text("model_json")?;
    let malformed = || Error::invalid(format!("Malformed model info. \n {text} \n is not a valid JSON."));
    let Ok(Value::Object(model)) = serde_json::from_str(text) else { return Err(malformed()) };
    let needed = ["artifact_path", "flavors", "utc_time_created", "run_id"];
    let missing: Vec<String> =
        needed.iter().filter(|name| !model.contains_key(**name)).map(|name| format!("'{name}'")).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(Error::invalid(format!("Model json is missing mandatory fields: {{{missing}}}")));
    }
    let (run, _) = find_active_run(app, given)?;
    let mut history = match run.tags.get(MODELS_TAG).and_then(|tag| serde_json::from_str(tag).ok()) {
        Some(Value::Array(history)) => history,
        _ => Vec::new(),
    };
    history.push(summary(model));
    let value = Value::Array(history).to_string();
    let id = run_id(given)?;
    let logged = app.writers.with(&app.store, id, |writer| writer.set_tag(MODELS_TAG, &value));
    logged.flatten().map_err(|error| refused(error, given))?;
    Ok(Reply::empty())
}

/// What the tag keeps of a model: MLflow leaves out what is long.
fn summary(mut model: serde_json::Map<String, Value>) -> Value {
    model.remove("signature");
    if let Some(Value::Object(flavors)) = model.get_mut("flavors") {
        for flavor in flavors.values_mut().filter_map(Value::as_object_mut) {
            flavor.remove("config");
        }
    }
    Value::Object(model)
}

#[derive(Serialize)]
struct Summaries {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_summaries: Vec<SummaryShape>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct SummaryShape {
    experiment_id: String,
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

fn search_datasets(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    const MOST_EXPERIMENTS: usize = 20;
    const MOST_SUMMARIES: usize = 1000;
    let ids = fields.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(Error::invalid("SearchDatasets request must specify at least one experiment_id."));
    }
    if ids.len() > MOST_EXPERIMENTS {
        let count = ids.len();
        return Err(Error::invalid(format!(
            "SearchDatasets request cannot specify more than {MOST_EXPERIMENTS} experiment_ids. Received {count} \
             experiment_ids."
        )));
    }
    let mut found = BTreeSet::new();
    for id in ids {
        let experiment_id = validate::experiment_id(id)?;
        let filter = RunFilter { experiment_id: Some(experiment_id), view: View::All };
        for dataset in app.store.runs(&filter)?.into_iter().flat_map(|run| run.datasets) {
            let context = dataset.context().map(str::to_owned);
            let DatasetInput { name, digest, .. } = dataset;
            found.insert(SummaryShape { experiment_id: experiment_id.to_string(), name, digest, context });
        }
    }
    Reply::json(&Summaries { dataset_summaries: found.into_iter().take(MOST_SUMMARIES).collect() })
}

/// Keys with values, as they are written.
pub(super) fn pairs_of(map: &std::collections::BTreeMap<String, String>) -> Vec<Pair<'_>> {
    map.iter().map(|(key, value)| Pair { key, value: Cow::Borrowed(value) }).collect()
}
