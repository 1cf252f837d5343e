//! The model registry: registered models, their versions, and names for single versions.

mod models;
mod shapes;
mod source;
mod versions;

pub(super) use source::download_uri;

use super::request::{Fields, invalid_value};
use super::{Error, Result, Route, validate};
use serde_json::json;
use trackway::{ModelVersion, RegisteredModel};

pub(super) const ROUTES: &[Route] = &[
    Route::post("/mlflow/registered-models/create", models::create),
    Route::post("/mlflow/registered-models/rename", models::rename),
    Route::patch("/mlflow/registered-models/update", models::update),
    Route::delete("/mlflow/registered-models/delete", models::delete),
    Route::get("/mlflow/registered-models/get", models::get),
    Route::get("/mlflow/registered-models/search", models::search),
    Route::post("/mlflow/registered-models/get-latest-versions", models::latest_versions),
    Route::get("/mlflow/registered-models/get-latest-versions", models::latest_versions),
    Route::post("/mlflow/registered-models/set-tag", models::set_tag),
    Route::delete("/mlflow/registered-models/delete-tag", models::delete_tag),
    Route::post("/mlflow/registered-models/alias", models::set_alias),
    Route::delete("/mlflow/registered-models/alias", models::delete_alias),
    Route::get("/mlflow/registered-models/alias", models::get_by_alias),
    Route::post("/mlflow/model-versions/create", versions::create),
    Route::patch("/mlflow/model-versions/update", versions::update),
    Route::post("/mlflow/model-versions/transition-stage", versions::transition),
    Route::delete("/mlflow/model-versions/delete", versions::delete),
    Route::get("/mlflow/model-versions/get", versions::get),
    Route::get("/mlflow/model-versions/search", versions::search),
    Route::get("/mlflow/model-versions/get-download-uri", versions::get_download_uri),
    Route::post("/mlflow/model-versions/set-tag", versions::set_tag),
    Route::delete("/mlflow/model-versions/delete-tag", versions::delete_tag),
];

/// Longest value of a tag, in characters.
const MAX_TAG_VALUE: usize = 100_000;

/// Tag of a registered model that is a prompt.
const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

/// Checks the name of a registered model.
fn check_name(what: &str, name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid(format!("Missing value for required parameter '{what}'.")));
    }
    if name.contains(['/', ':']) {
        return Err(Error::invalid(format!("Invalid model name '{name}'. Names cannot contain '/' or ':'.")));
    }
    if name == "." || name.starts_with("..") {
        let reason = "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
                      This name would resolve to ";
        return Err(Error::invalid(invalid_value(what, &json!(name), &format!("{reason}'{name}'"))));
    }
    Ok(())
}

fn check_tag(key: &str, value: &str) -> Result<()> {
    validate::key_form("key", key)?;
    validate::length("key", validate::MAX_KEY, key)?;
    validate::length("value", MAX_TAG_VALUE, value)
}

fn tags(fields: Fields<'_>) -> Result<Vec<(String, String)>> {
    let pairs = super::experiments::pairs(fields, "tags")?;
    pairs.iter().try_for_each(|(key, value)| check_tag(key, value))?;
    Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// A version's number as Python reads it; `None` for one that no version has.
fn version_number(given: &str) -> Result<Option<u32>> {
    let digits = given.trim();
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid(format!("Parameter 'version' must be an integer, got '{given}'.")));
    }
    Ok(digits.strip_prefix('+').unwrap_or(digits).parse().ok())
}

fn no_model(name: &str) -> Error {
    Error::missing(format!("Registered Model with name={name} not found"))
}

fn no_version(name: &str, version: &str) -> Error {
    Error::missing(format!("Model Version (name={name}, version={version}) not found"))
}

/// MLflow's text for what the engine did not find or accept.
fn refused(error: trackway::Error, name: &str, version: &str) -> Error {
    match error {
        trackway::Error::NotFound { what: "model", .. } => no_model(name),
        trackway::Error::NotFound { what: "model version", .. } => no_version(name, version),
        other => other.into(),
    }
}

fn find_model(app: &crate::state::App, name: &str) -> Result<RegisteredModel> {
    check_name("name", name)?;
    app.store.model(name).map_err(|error| refused(error, name, ""))
}

/// A version of a model. Where there is no such model there is no such version, for MLflow.
fn find_version(app: &crate::state::App, name: &str, version: &str) -> Result<ModelVersion> {
    check_name("name", name)?;
    let number = version_number(version)?.ok_or_else(|| no_version(name, version))?;
    app.store.model_version(name, number).map_err(|error| match error {
        trackway::Error::NotFound { .. } => no_version(name, version),
        other => other.into(),
    })
}

/// The name and number that a request names a version by, which must be there.
fn version_of<'a>(app: &crate::state::App, fields: Fields<'a>) -> Result<(&'a str, ModelVersion)> {
    let (name, version) = (fields.required_text("name")?, fields.required_text("version")?);
    Ok((name, find_version(app, name, version)?))
}
