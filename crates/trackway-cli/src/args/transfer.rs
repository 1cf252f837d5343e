//! What brings runs into a store from elsewhere.

use super::{JsonArgs, LineFormat};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

const IMPORT_HELP: &str = "\
Files: every distinct `run` becomes one run: 32 hex digits are its id (which the
store must not have yet), anything else is the name of a new run. Rows are in
order of arrival; points of a run that share step and timestamp are stored
together. Values are what Rust, Python or C print: 0.1, 1e-05, nan, inf,
-Infinity. The columns may come in any order.

The other sources can be imported again and again: what is new is added, and
an import that was interrupted goes on.

Examples:
  trackway import mlflow ./mlruns
  trackway import tensorboard ./runs --experiment vision
  trackway import curves.csv --experiment archive
  trackway --store old export | trackway --store new import -";

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ImportArgs {
    /// Another source than files.
    #[command(subcommand)]
    pub source: Option<ImportSource>,
    /// CSV files with a header; `-` is standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Experiment of the new runs, created when missing
    #[arg(long, value_name = "NAME", default_value = "Default")]
    pub experiment: String,
}

/// Sources of `import` that are not the long form of points.
#[derive(Debug, Subcommand)]
pub enum ImportSource {
    /// Import all experiments and runs of MLflow: a folder mlruns or a database file of SQLite
    Mlflow(MlflowArgs),
    /// Import the scalars of all TensorBoard event files below a folder
    Tensorboard(TensorboardArgs),
    /// Import tables of CSV or JSON lines, a point or a step a row
    Table(TableArgs),
}

const TABLE_HELP: &str = "\
A row is a point, if the columns (of JSON, the keys) are run, key, step,
timestamp_ms and value; else it is a step: run, step and timestamp_ms are what
they say if they are there, and every other column is a metric. Without a step
rows are counted from 0, without a time it is 0, without a run it is --name, or
the name of the file. Empty cells, null and text are left out.

A run that is named by 32 hex digits has that id. The id of any other is made of
the experiment and its name, so that the same rows are the same run when they
are imported again, and a table that grew adds its rest.

Examples:
  trackway import table history.csv --experiment archive
  trackway import table *.jsonl";

/// Arguments of `import table`.
#[derive(Debug, Args)]
#[command(after_help = TABLE_HELP)]
pub struct TableArgs {
    /// Files; `-` is standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Experiment of the new runs, created when missing
    #[arg(long, value_name = "NAME", default_value = "Default")]
    pub experiment: String,
    /// Run of the rows that name none
    #[arg(long)]
    pub name: Option<String>,
    /// Format of the files; found out from the first character if not given
    #[arg(long, value_enum)]
    pub format: Option<LineFormat>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

/// Arguments of `import mlflow`.
#[derive(Debug, Args)]
#[command(after_help = "Run ids are kept. What is kept of the rest, and how: docs/import.md.\n\nExamples:\n  \
trackway import mlflow ./mlruns\n  trackway import mlflow mlflow.db --artifacts ./mlartifacts")]
pub struct MlflowArgs {
    /// Folder mlruns, or a file of SQLite (sqlite:///mlflow.db is fine too)
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Where the artifacts are, below it EXPERIMENT_ID/RUN_ID/artifacts, if not where MLflow says
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub artifacts: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

const TENSORBOARD_HELP: &str = "\
A folder with event files is a run, named as the folder. Its id is made of the
experiment and that name, so that it is the same run when it is imported again:
give log folders with equal names different prefixes.

Example:
  trackway import tensorboard ./runs --experiment vision --prefix monday/";

/// Arguments of `import tensorboard`.
#[derive(Debug, Args)]
#[command(after_help = TENSORBOARD_HELP)]
pub struct TensorboardArgs {
    /// Folder of the logs
    #[arg(value_name = "LOGDIR", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// Experiment of the runs, created when missing
    #[arg(long, value_name = "NAME", default_value = "Default")]
    pub experiment: String,
    /// Put before the names of the runs
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub prefix: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

const COPY_HELP: &str = "\
Run ids are kept, experiments are found by their names. Copying again adds what
is new, also when a copy was interrupted; a run that was continued in both
stores gets the points that it lacks. DST is created when missing.

Examples:
  trackway copy laptop/trackway /cluster/trackway
  trackway copy a b --runs \"tags.keep = 'yes' and metrics.loss < 0.5\"";

/// Arguments of `copy`.
#[derive(Debug, Args)]
#[command(after_help = COPY_HELP)]
pub struct CopyArgs {
    /// Folder of the store to copy from
    #[arg(value_name = "SRC", value_hint = ValueHint::DirPath)]
    pub from: PathBuf,
    /// Folder of the store to copy into
    #[arg(value_name = "DST", value_hint = ValueHint::DirPath)]
    pub to: PathBuf,
    /// Only runs that this matches, e.g. "metrics.loss < 0.5 and params.opt = 'adam'"
    #[arg(long, value_name = "FILTER")]
    pub runs: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}
