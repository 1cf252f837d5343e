//! Registered models, their tags and aliases.

use super::super::request::{Fields, wrong_type};
use super::super::validate;
use super::super::{Code, Error, Result};
use super::shapes::{Models, OneModel, OneVersion, RegisteredShape, VersionShape, Versions};
use super::{check_name, check_tag, find_model, no_model, no_version, refused, tags, version_number};
use crate::reply::Reply;
use crate::state::App;
use serde_json::json;
use std::sync::Arc;
use trackway::{ModelStage, ModelVersion, NewModel, Query, RegisteredModel};

/// How many models a page has unless the request says otherwise, and at most.
const PAGE: i64 = 100;
const MAX_PAGE: i64 = 1000;

/// The alias that the version with the largest number has by itself.
const LATEST: &str = "latest";
const MAX_ALIAS: usize = 255;

fn answer(model: &RegisteredModel) -> Result<Reply> {
    Reply::json(&OneModel { registered_model: RegisteredShape::new(model) })
}

fn taken(name: &str) -> Error {
    Error::new(Code::ResourceAlreadyExists, format!("Registered Model (name={name}) already exists."))
}

pub(super) fn create(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    let tags = tags(fields)?;
    let description = fields.text("description")?.unwrap_or_default();
    check_name("name", name)?;
    let new = NewModel { name: name.to_owned(), description: description.to_owned(), tags };
    let model = app.store.create_model(new).map_err(|error| match error {
        trackway::Error::AlreadyExists { .. } => taken(name),
        other => other.into(),
    })?;
    answer(&model)
}

pub(super) fn rename(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, new) = (fields.required_text("name")?, fields.required_text("new_name")?);
    check_name("new_name", new)?;
    check_name("name", name)?;
    app.store.rename_model(name, new).map_err(|error| match error {
        trackway::Error::AlreadyExists { .. } => taken(new),
        other => refused(other, name, ""),
    })?;
    answer(&find_model(app, new)?)
}

pub(super) fn update(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    let description = fields.text("description")?.unwrap_or_default();
    check_name("name", name)?;
    app.store.set_model_description(name, description).map_err(|error| refused(error, name, ""))?;
    answer(&find_model(app, name)?)
}

pub(super) fn delete(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    check_name("name", name)?;
    app.store.delete_model(name).map_err(|error| refused(error, name, ""))?;
    Ok(Reply::empty())
}

pub(super) fn get(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    answer(&find_model(app, fields.required_text("name")?)?)
}

pub(super) fn search(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let filter = fields.text("filter")?.unwrap_or_default();
    let given = fields.int("max_results")?;
    let order = fields.texts("order_by")?;
    let after = fields.text("page_token")?.filter(|token| !token.is_empty());
    let limit = given.unwrap_or(PAGE);
    if limit > MAX_PAGE {
        return Err(wrong_type("max_results", &json!(limit.to_string())));
    }
    let limit = usize::try_from(limit)
        .map_err(|_| Error::invalid(format!("Invalid value {limit} for parameter 'max_results' supplied.")))?;
    let mut query = Query::<RegisteredModel>::new().mlflow_filter(filter)?.mlflow_order_by(&order)?.limit(limit);
    if let Some(after) = after {
        query = query.after(after);
    }
    let page = app.store.search_models(&query)?;
    let registered_models = page.found.iter().map(RegisteredShape::new).collect();
    Reply::json(&Models { registered_models, next_page_token: page.next.as_deref() })
}

pub(super) fn stage(given: &str) -> Result<ModelStage> {
    given.parse().map_err(|_| {
        let known = ModelStage::ALL.map(ModelStage::as_str).join(", ");
        Error::invalid(format!("Invalid Model Version stage: {given}. Value must be one of {known}."))
    })
}

pub(super) fn latest_versions(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    let given = fields.texts("stages")?;
    let model = find_model(app, name)?;
    let stages = given.iter().map(|given| stage(given)).collect::<Result<Vec<_>>>()?;
    let wanted = |version: &&ModelVersion| stages.is_empty() || stages.contains(&version.stage);
    let model_versions = model.latest_versions().into_iter().filter(wanted).map(VersionShape::new).collect();
    Reply::json(&Versions { model_versions, next_page_token: None })
}

pub(super) fn set_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, key) = (fields.required_text("name")?, fields.required_text("key")?);
    let value = fields.text("value")?.unwrap_or_default();
    check_name("name", name)?;
    check_tag(key, value)?;
    app.store.set_model_tag(name, key, value).map_err(|error| refused(error, name, ""))?;
    Ok(Reply::empty())
}

pub(super) fn delete_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, key) = (fields.required_text("name")?, fields.required_text("key")?);
    check_name("name", name)?;
    check_tag(key, "")?;
    app.store.delete_model_tag(name, key).map_err(|error| refused(error, name, ""))?;
    Ok(Reply::empty())
}

/// Checks the form of an alias, which may be `latest` where one is looked for.
fn check_alias(alias: &str) -> Result<()> {
    if !alias.chars().all(|next| next.is_alphanumeric() || matches!(next, '_' | '-')) {
        return Err(Error::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    validate::length("Registered model alias name", MAX_ALIAS, alias)
}

pub(super) fn set_alias(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    let version = fields.required_text("version")?;
    check_name("name", name)?;
    check_alias(alias)?;
    let digits = alias.strip_prefix(['v', 'V']).unwrap_or_default();
    if alias.eq_ignore_ascii_case(LATEST) {
        return Err(Error::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid(format!("Version alias name '{alias}' is reserved.")));
    }
    let number = version_number(version)?.ok_or_else(|| no_version(name, version))?;
    app.store.set_model_alias(name, alias, number).map_err(|error| match error {
        trackway::Error::NotFound { .. } => no_version(name, version),
        other => other.into(),
    })?;
    Ok(Reply::empty())
}

pub(super) fn delete_alias(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    check_name("name", name)?;
    check_alias(alias)?;
    app.store.delete_model_alias(name, alias).map_err(|error| refused(error, name, ""))?;
    Ok(Reply::empty())
}

pub(super) fn get_by_alias(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    check_name("name", name)?;
    check_alias(alias)?;
    let version = app.store.model_version_by_alias(name, alias).map_err(|error| match error {
        trackway::Error::NotFound { what: "model", .. } => no_model(name),
        trackway::Error::NotFound { .. } if alias.eq_ignore_ascii_case(LATEST) => {
            Error::missing(format!("Latest version not found for model {name}."))
        }
        trackway::Error::NotFound { .. } => Error::invalid(format!("Registered model alias {alias} not found.")),
        other => other.into(),
    })?;
    Reply::json(&OneVersion { model_version: VersionShape::new(&version) })
}
