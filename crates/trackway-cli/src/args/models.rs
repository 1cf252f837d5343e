//! The command line of `models`.

use super::{JsonArgs, key_value};
use clap::{Args, Subcommand};

const MODELS_HELP: &str = "\
A version is named by its number or by an alias; `latest` is the one with the
largest number.

Examples:
  trackway models register digits baseline model --alias champion
      make the artifacts of a run below `model` the next version of a model
  trackway models show digits
      list the versions of a model
  trackway models versions --filter \"tags.size = 'small' and stage = 'Production'\"
      find versions of any model";

/// Arguments of `models`.
#[derive(Debug, Args)]
#[command(after_help = MODELS_HELP, args_conflicts_with_subcommands = true)]
pub struct ModelsArgs {
    /// What to do; lists the models if not given.
    #[command(subcommand)]
    pub what: Option<ModelsCommand>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub list: FindArgs,
}

/// The commands of `models`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List registered models
    List(FindArgs),
    /// List versions of all models, those that were changed last at first
    Versions(FindArgs),
    /// Show a model with its versions
    Show(ModelShowArgs),
    /// Register a model, as yet without versions
    Create(ModelCreateArgs),
    /// Register artifacts of a run, or files elsewhere, as the next version of a model; creates a model that is missing
    Register(ModelRegisterArgs),
    /// Give a version an alias, or take one back
    Alias(ModelAliasArgs),
    /// Move a version to a stage: None, Staging, Production or Archived
    Stage(ModelStageArgs),
    /// Set or delete a tag of a model or version
    Tag(ModelTagArgs),
    /// Describe a model or version
    Describe(ModelDescribeArgs),
    /// Give a model another name
    Rename(ModelRenameArgs),
    /// Delete a model with all its versions, or one version, for ever
    Delete(ModelDeleteArgs),
}

/// What to list.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// Only what this matches, e.g. "name like 'dig%' and tags.team = 'vision'"
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Sort by this, e.g. "last_updated_timestamp DESC"; may be repeated
    #[arg(long = "sort", value_name = "NAME [DESC]")]
    pub sort: Vec<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

/// Arguments of `models show`.
#[derive(Debug, Args)]
pub struct ModelShowArgs {
    /// Name of the model
    pub model: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

/// Arguments of `models create`.
#[derive(Debug, Args)]
pub struct ModelCreateArgs {
    /// Name of the model, without / and :
    pub model: String,
    /// What it is
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub description: String,
    /// A tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tags: Vec<(String, String)>,
}

/// Arguments of `models register`.
#[derive(Debug, Args)]
#[command(override_usage = "trackway models register [OPTIONS] <MODEL> <RUN> [PATH]\n       \
trackway models register [OPTIONS] <MODEL> --source <URI>")]
pub struct ModelRegisterArgs {
    /// Name of the model
    pub model: String,
    /// The run that made it: id, beginning of an id, or name
    #[arg(required_unless_present = "source")]
    pub run: Option<String>,
    /// Path among the artifacts of the run; all of them if not given
    #[arg(conflicts_with = "source")]
    pub path: Option<String>,
    /// URI of the files, where they are no artifacts of a run
    #[arg(long, value_name = "URI")]
    pub source: Option<String>,
    /// What it is
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub description: String,
    /// A tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tags: Vec<(String, String)>,
    /// Give it this alias; may be repeated
    #[arg(long = "alias", value_name = "NAME")]
    pub aliases: Vec<String>,
}

/// Arguments of `models alias`.
#[derive(Debug, Args)]
#[command(override_usage = "trackway models alias <MODEL> <ALIAS> <VERSION>\n       \
trackway models alias <MODEL> --delete <ALIAS>")]
pub struct ModelAliasArgs {
    /// Name of the model
    pub model: String,
    /// The alias
    #[arg(required_unless_present = "delete", requires = "version")]
    pub alias: Option<String>,
    /// Number or other alias of the version
    pub version: Option<String>,
    /// Take this alias back
    #[arg(long, value_name = "ALIAS", conflicts_with = "alias")]
    pub delete: Option<String>,
}

/// Arguments of `models stage`.
#[derive(Debug, Args)]
pub struct ModelStageArgs {
    /// Name of the model
    pub model: String,
    /// Number or alias of the version
    pub version: String,
    /// None, Staging, Production or Archived
    pub stage: String,
    /// Archive the versions that are in this stage
    #[arg(long)]
    pub archive: bool,
}

/// Arguments of `models tag`.
#[derive(Debug, Args)]
#[command(override_usage = "trackway models tag <MODEL> <KEY> <VALUE> [--version <VERSION>]\n       \
trackway models tag <MODEL> --delete <KEY> [--version <VERSION>]")]
pub struct ModelTagArgs {
    /// Name of the model
    pub model: String,
    /// Key of the tag
    #[arg(required_unless_present = "delete", requires = "value")]
    pub key: Option<String>,
    /// Its new value
    pub value: Option<String>,
    /// Delete this tag
    #[arg(long, value_name = "KEY", conflicts_with = "key")]
    pub delete: Option<String>,
    /// Of this version, by number or alias
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

/// Arguments of `models describe`.
#[derive(Debug, Args)]
pub struct ModelDescribeArgs {
    /// Name of the model
    pub model: String,
    /// What it is
    pub description: String,
    /// Of this version, by number or alias
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

/// Arguments of `models rename`.
#[derive(Debug, Args)]
pub struct ModelRenameArgs {
    /// Name of the model
    pub model: String,
    /// The new name
    pub name: String,
}

/// Arguments of `models delete`.
#[derive(Debug, Args)]
pub struct ModelDeleteArgs {
    /// Name of the model
    pub model: String,
    /// Only this version, by number or alias
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}
