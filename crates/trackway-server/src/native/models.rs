//! Registered models: found, read, described, given aliases.

use super::error::{Error, Result};
use super::values::TagChange;
use super::{Call, json};
use crate::state::App;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use trackway::{ModelVersion, Query, RegisteredModel};

/// Models of a page, and versions of each: the newest ones.
const MODELS: usize = 500;
const VERSIONS_LISTED: usize = 20;
const VERSIONS_READ: usize = 5_000;

#[derive(Serialize)]
struct Shape<'a> {
    name: &'a str,
    description: &'a str,
    created_at: i64,
    updated_at: i64,
    tags: &'a BTreeMap<String, String>,
    aliases: &'a BTreeMap<String, u32>,
    version_count: usize,
    versions: Vec<VersionShape<'a>>,
}

#[derive(Serialize)]
struct VersionShape<'a> {
    number: u32,
    source: &'a str,
    run_id: Option<String>,
    user: &'a str,
    status: &'static str,
    stage: &'static str,
    description: &'a str,
    created_at: i64,
    updated_at: i64,
    tags: &'a BTreeMap<String, String>,
    aliases: &'a [String],
}

fn shape(model: &RegisteredModel, most: usize) -> Shape<'_> {
    let left_out = model.versions.len().saturating_sub(most);
    Shape {
        name: &model.name,
        description: &model.description,
        created_at: model.created_at,
        updated_at: model.updated_at,
        tags: &model.tags,
        aliases: &model.aliases,
        version_count: model.versions.len(),
        versions: model.versions.iter().skip(left_out).map(version).collect(),
    }
}

fn version(version: &ModelVersion) -> VersionShape<'_> {
    VersionShape {
        number: version.number,
        source: &version.source,
        run_id: version.run_id.map(|id| id.to_string()),
        user: &version.user,
        status: version.status.as_str(),
        stage: version.stage.as_str(),
        description: &version.description,
        created_at: version.created_at,
        updated_at: version.updated_at,
        tags: &version.tags,
        aliases: &version.aliases,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
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

/// A page of models.
pub(super) fn search(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ask: Ask = call.json()?;
    if ask.limit > MODELS {
        return Err(Error::too_many("limit", MODELS, ask.limit));
    }
    let mut query = Query::new().filter(&ask.filter)?.order_by(&ask.order_by)?.limit(ask.limit);
    if let Some(after) = ask.after {
        query = query.after(after);
    }
    let page = app.store.search_models(&query)?;
    let models: Vec<Shape<'_>> = page.found.iter().map(|model| shape(model, VERSIONS_LISTED)).collect();
    json(&serde_json::json!({ "models": models, "next": page.next }))
}

fn name(call: &Call) -> &str {
    call.query("name").unwrap_or_default()
}

/// One model with its versions.
pub(super) fn get(app: &Arc<App>, call: &Call) -> Result<Response> {
    json(&shape(&app.store.model(name(call))?, VERSIONS_READ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    description: Option<String>,
    /// The version that an alias names; `null` takes it away.
    #[serde(default)]
    aliases: BTreeMap<String, Option<u32>>,
    #[serde(default)]
    tags: TagChange,
}

pub(super) fn edit(app: &Arc<App>, call: &Call) -> Result<Response> {
    let (name, change) = (name(call), call.json::<Change>()?);
    if let Some(description) = change.description {
        app.store.set_model_description(name, &description)?;
    }
    for (alias, number) in &change.aliases {
        match number {
            Some(number) => app.store.set_model_alias(name, alias, *number)?,
            None => app.store.delete_model_alias(name, alias)?,
        }
    }
    for (key, value) in &change.tags {
        match value {
            Some(value) => app.store.set_model_tag(name, key, value)?,
            None => app.store.delete_model_tag(name, key)?,
        }
    }
    get(app, call)
}
