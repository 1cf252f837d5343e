//! What registered models and versions look like on the wire.

use super::super::inputs::pairs_of;
use super::super::shapes::Pair;
use serde::Serialize;
use trackway::{ModelVersion, RegisteredModel};

#[derive(Serialize)]
pub(super) struct RegisteredShape<'a> {
    name: &'a str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<VersionShape<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasShape<'a>>,
}

#[derive(Serialize)]
struct AliasShape<'a> {
    alias: &'a str,
    version: String,
}

impl<'a> RegisteredShape<'a> {
    pub(super) fn new(model: &'a RegisteredModel) -> Self {
        let alias = |(alias, number): (&'a String, &u32)| AliasShape { alias, version: number.to_string() };
        Self {
            name: &model.name,
            creation_timestamp: model.created_at,
            last_updated_timestamp: model.updated_at,
            description: &model.description,
            latest_versions: model.latest_versions().into_iter().map(VersionShape::bare).collect(),
            tags: pairs_of(&model.tags),
            aliases: model.aliases.iter().map(alias).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct VersionShape<'a> {
    name: &'a str,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_id: &'a str,
    current_stage: &'static str,
    description: &'a str,
    source: &'a str,
    run_id: String,
    status: &'static str,
    run_link: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
}

impl<'a> VersionShape<'a> {
    pub(super) fn new(version: &'a ModelVersion) -> Self {
        Self { aliases: &version.aliases, ..Self::bare(version) }
    }

    /// Without its aliases, which MLflow leaves out where a version is one of several.
    pub(super) fn bare(version: &'a ModelVersion) -> Self {
        Self {
            name: &version.model,
            version: version.number.to_string(),
            creation_timestamp: version.created_at,
            last_updated_timestamp: version.updated_at,
            user_id: &version.user,
            current_stage: version.stage.as_str(),
            description: &version.description,
            source: &version.source,
            run_id: version.run_id.map(|run| run.to_string()).unwrap_or_default(),
            status: version.status.as_str(),
            run_link: &version.run_link,
            tags: pairs_of(&version.tags),
            aliases: &[],
        }
    }
}

#[derive(Serialize)]
pub(super) struct OneModel<'a> {
    pub(super) registered_model: RegisteredShape<'a>,
}

#[derive(Serialize)]
pub(super) struct OneVersion<'a> {
    pub(super) model_version: VersionShape<'a>,
}

#[derive(Serialize)]
pub(super) struct Models<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) registered_models: Vec<RegisteredShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Versions<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) model_versions: Vec<VersionShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<&'a str>,
}
