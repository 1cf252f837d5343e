//! Versions of registered models.

use super::super::logged_models::note_version;
use super::super::request::{Fields, wrong_type};
use super::super::{Code, Error, Result};
use super::models::stage;
use super::shapes::{OneVersion, VersionShape, Versions};
use super::source::{self, Source, download_uri};
use super::{PROMPT_TAG, check_name, check_tag, find_version, refused, tags, version_of};
use crate::reply::Reply;
use crate::state::App;
use serde_json::json;
use std::sync::Arc;
use trackway::{ModelStage, ModelVersion, NewModelVersion, Query, RunId};

/// How many versions a page has at most, and unless the request says otherwise.
const MAX_PAGE: i64 = 200_000;

fn answer(version: &ModelVersion) -> Result<Reply> {
    Reply::json(&OneVersion { model_version: VersionShape::new(version) })
}

pub(super) fn create(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.required_text("name")?;
    let given = fields.required_text("source")?;
    let run = fields.text("run_id")?;
    let tags = tags(fields)?;
    let run_link = fields.text("run_link")?.unwrap_or_default();
    let description = fields.text("description")?.unwrap_or_default();
    let model = fields.text("model_id")?;
    source::check_host(given)?;
    let prompt_tag = tags.iter().rev().find(|(key, _)| key == PROMPT_TAG);
    let is_prompt = prompt_tag.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
    let checked = if is_prompt { source::of_prompt(given)? } else { source::check(app, given, run, model)? };
    let Source { uri, run, model } = checked;
    check_name("name", name)?;
    let bad_run = |run: String| Error::invalid(format!("run_id {run:?} is no id of a run"));
    let run_id = run.map(|run| run.parse::<RunId>().map_err(|_| bad_run(run))).transpose()?;
    let new = NewModelVersion {
        source: uri,
        run_id,
        run_link: run_link.to_owned(),
        description: description.to_owned(),
        tags,
        ..NewModelVersion::default()
    };
    let version = app.store.create_model_version(name, new).map_err(|error| refused(error, name, ""))?;
    if let Some(model) = model {
        note_version(app, &model, name, version.number)?;
    }
    answer(&version)
}

pub(super) fn update(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let description = fields.text("description")?;
    let (name, version) = version_of(app, fields)?;
    let text = description.unwrap_or_default();
    let changed = app.store.set_model_version_description(name, version.number, text);
    changed.map_err(|error| refused(error, name, &version.number.to_string()))?;
    answer(&find_version(app, name, &version.number.to_string())?)
}

pub(super) fn transition(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.required_text("stage")?;
    let archive = fields.boolean("archive_existing_versions")?.unwrap_or(false);
    let to = stage(given)?;
    if archive && !matches!(to, ModelStage::Staging | ModelStage::Production) {
        return Err(Error::new(
            Code::InternalError,
            format!(
                "Model version transition cannot archive existing model versions because '{given}' is not an Active stage. \
                 Valid stages are ('Staging', 'Production')"
            ),
        ));
    }
    let (name, version) = version_of(app, fields)?;
    let moved = app.store.set_model_stage(name, version.number, to, archive);
    answer(&moved.map_err(|error| refused(error, name, &version.number.to_string()))?)
}

pub(super) fn delete(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let (name, version) = version_of(app, fields)?;
    let deleted = app.store.delete_model_version(name, version.number);
    deleted.map_err(|error| refused(error, name, &version.number.to_string()))?;
    Ok(Reply::empty())
}

pub(super) fn get(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    answer(&version_of(app, fields)?.1)
}

pub(super) fn search(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let filter = fields.text("filter")?.unwrap_or_default();
    let limit = fields.int("max_results")?.unwrap_or(MAX_PAGE);
    let order = fields.texts("order_by")?;
    let after = fields.text("page_token")?.filter(|token| !token.is_empty());
    if limit > MAX_PAGE {
        return Err(wrong_type("max_results", &json!(limit.to_string())));
    }
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).ok_or_else(|| {
        Error::invalid(format!("Invalid value for max_results. It must be a positive integer, but got {limit}"))
    })?;
    let mut query = Query::<ModelVersion>::new().mlflow_filter(filter)?.mlflow_order_by(&order)?.limit(limit);
    if let Some(after) = after {
        query = query.after(after);
    }
    let page = app.store.search_model_versions(&query)?;
    let model_versions = page.found.iter().map(VersionShape::bare).collect();
    Reply::json(&Versions { model_versions, next_page_token: page.next.as_deref() })
}

pub(super) fn get_download_uri(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let name = fields.text("name")?.unwrap_or_default();
    let version = fields.text("version")?.unwrap_or_default();
    Reply::json(&json!({ "artifact_uri": download_uri(app, name, version)? }))
}

pub(super) fn set_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let key = fields.required_text("key")?;
    let value = fields.text("value")?.unwrap_or_default();
    check_tag(key, value)?;
    let (name, version) = version_of(app, fields)?;
    let set = app.store.set_model_version_tag(name, version.number, key, value);
    set.map_err(|error| refused(error, name, &version.number.to_string()))?;
    Ok(Reply::empty())
}

pub(super) fn delete_tag(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let key = fields.required_text("key")?;
    check_tag(key, "")?;
    let (name, version) = version_of(app, fields)?;
    let deleted = app.store.delete_model_version_tag(name, version.number, key);
    deleted.map_err(|error| refused(error, name, &version.number.to_string()))?;
    Ok(Reply::empty())
}
