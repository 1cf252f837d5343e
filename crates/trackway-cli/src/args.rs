//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use trackway::Smoothing;

mod export;
mod models;
#[cfg(feature = "server")]
mod server;
mod transfer;

pub use export::{ExportArgs, ExportFormat, ExportTable};
pub use models::{
    FindArgs, ModelAliasArgs, ModelCreateArgs, ModelDeleteArgs, ModelDescribeArgs, ModelRegisterArgs, ModelRenameArgs,
    ModelShowArgs, ModelStageArgs, ModelTagArgs, ModelsArgs, ModelsCommand,
};
#[cfg(feature = "server")]
pub use server::ServerArgs;
pub use transfer::{CopyArgs, ImportArgs, ImportSource, MlflowArgs, TableArgs, TensorboardArgs};

const AFTER_HELP: &str = "\
Runs are named by their id, by its first 4 or more digits, or by their name if
only one run has it.

Examples:
  python train.py | trackway log --name baseline
      track what a program prints, one JSON object a line
  trackway runs
      list the runs
  trackway plot baseline loss val/loss
      draw two metrics in the terminal
  trackway export baseline > baseline.csv
      take the points elsewhere
  trackway server
      let MLflow's clients log: MLFLOW_TRACKING_URI=http://127.0.0.1:5000

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 `verify` found damage, or left some.";

/// Track machine-learning experiments: log metrics, look at them, keep them safe.
#[derive(Debug, Parser)]
#[command(name = "trackway", version, after_help = AFTER_HELP, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// Folder of the store [default: $TRACKWAY_STORE, else ./trackway]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log what standard input says, line by line, into a run
    Log(LogArgs),
    /// Import runs of MLflow and TensorBoard, or points from CSV files: run,key,step,timestamp_ms,value
    Import(ImportArgs),
    /// Copy runs into another store, with artifacts, and registered models; again and again adds what is new
    Copy(CopyArgs),
    /// List the experiments
    Experiments(ExperimentsArgs),
    /// List runs, the newest first
    Runs(RunsArgs),
    /// Keep track of registered models and their versions
    Models(ModelsArgs),
    /// Show everything about a run but its points
    Show(ShowArgs),
    /// Print the points of a metric
    Points(PointsArgs),
    /// Draw metrics in the terminal
    Plot(PlotArgs),
    /// Show how often values of a metric lie where
    Hist(HistArgs),
    /// Give a run another name, also while it runs
    Rename(RenameArgs),
    /// Set or delete a tag of a run
    Tag(TagArgs),
    /// Delete a run; it can be restored until its retention ends
    Delete(RunArg),
    /// Restore a deleted run
    Restore(RunArg),
    /// Write points, or a table of runs, for other programs: CSV, JSON lines, Parquet, Arrow
    Export(ExportArgs),
    /// Serve the store to MLflow's clients and to browsers
    #[cfg(feature = "server")]
    Server(ServerArgs),
    /// The same, and open it in the browser
    #[cfg(feature = "server")]
    Ui(ServerArgs),
    /// Check every checksum of every file; exit code 3 if anything is damaged
    Verify(VerifyArgs),
    /// Give finished runs their smallest form now; otherwise it happens in the background
    Compact,
    /// Print what the store holds: points, bytes per point, files, codecs
    Stats(JsonArgs),
    /// Print points as they are logged, until the run ends
    Follow(FollowArgs),
    /// See the engine at work on real training curves: log, kill a writer, recover, compact, compare
    Demo(DemoArgs),
    /// The writer that `demo` kills
    #[command(hide = true)]
    DemoChild,
}

/// `--json`.
#[derive(Clone, Copy, Debug, Args)]
pub struct JsonArgs {
    /// Print JSON; values that are no numbers are the strings "NaN", "Infinity" and "-Infinity"
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `experiments`.
#[derive(Debug, Args)]
pub struct ExperimentsArgs {
    /// Only experiments that this matches, e.g. "name like 'digits%' and tags.team = 'vision'"
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Sort by this, e.g. "last_update_time DESC"; may be repeated [default: experiment_id]
    #[arg(long = "sort", value_name = "NAME [DESC]")]
    pub sort: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

const VERIFY_HELP: &str = "\
A repair deletes nothing: damaged files are in the store's folder `quarantine`
afterwards. What is good of them is written anew, in their place. Exit code 3
means that damage was found, with --repair that some of it is left.";

/// `verify`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub struct VerifyArgs {
    /// Set damaged pieces aside, keep what is good of them, and say what is lost
    #[arg(long)]
    pub repair: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const LOG_HELP: &str = "\
Each line is logged as soon as it is read; what was read survives if this
program or the one before it is killed. The id of the run is printed first.

Input is JSON lines, if the first character is '{', else CSV with a header; text
before the first JSON line is left out:
  {\"step\": 1, \"loss\": 0.3, \"val\": {\"acc\": 0.9}}   logs loss and val/acc at step 1
  step,loss,acc                                   a header, then one line a step;
  1,0.3,0.9                                       empty cells are left out

`step` and `timestamp_ms` (or `timestamp`; both in milliseconds since 1970) are
not metrics. Without a step, lines are counted from 0, or from where a resumed
run left off; without a timestamp, it is now. NaN, Infinity and -Infinity are
values, with quotes or without. null and text are left out and counted. A
broken line is left out with a warning, unless --strict.

Examples:
  python train.py | trackway log --name baseline --param lr=0.1 --tag set=mnist
  vmstat 1 | awk '{ print \"{\\\"free\\\":\" $4 \"}\"; fflush() }' | trackway log
  trackway log --run 4f2a < more.jsonl";

/// Arguments of `log`.
#[derive(Debug, Args)]
#[command(after_help = LOG_HELP)]
pub struct LogArgs {
    /// Experiment of the new run, created when missing
    #[arg(long, value_name = "NAME", default_value = "Default", conflicts_with = "run")]
    pub experiment: String,
    /// Name of the run
    #[arg(long)]
    pub name: Option<String>,
    /// Log to this run again in place of a new one
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// A param, written once; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    pub params: Vec<(String, String)>,
    /// A tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = key_value)]
    pub tags: Vec<(String, String)>,
    /// Format of the input; found out from its first character if not given
    #[arg(long, value_enum)]
    pub format: Option<LineFormat>,
    /// Stop at the first broken line; the run then ends as FAILED
    #[arg(long)]
    pub strict: bool,
}

/// Formats of `log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LineFormat {
    /// One JSON object a line.
    Jsonl,
    /// CSV with a header.
    Csv,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackway runs --experiment digits --sort val/loss --limit 10\n  trackway runs --deleted"
)]
pub struct RunsArgs {
    /// Only runs of this experiment (name or id)
    #[arg(long, value_name = "NAME")]
    pub experiment: Option<String>,
    /// Only runs that this matches, e.g. "metrics.loss < 0.5 and params.opt = 'adam'"
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Deleted runs too
    #[arg(long, conflicts_with = "deleted")]
    pub all: bool,
    /// Only deleted runs
    #[arg(long)]
    pub deleted: bool,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// start, name, status, duration, points, or the key of a metric (by its latest value)
    #[arg(long, value_name = "WHAT", default_value = "start")]
    pub sort: String,
    /// The other way round
    #[arg(long)]
    pub reverse: bool,
    /// Whole ids
    #[arg(long)]
    pub full: bool,
    /// Show this metric; may be repeated. Without it the metrics that most runs have are shown
    #[arg(long = "metric", value_name = "KEY")]
    pub metrics: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

/// Arguments of `points`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackway points baseline val/loss --from 1000 --to 2000\n  \
trackway points baseline loss --order last --json | jq .points")]
pub struct PointsArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    /// Key of the metric
    pub metric: String,
    /// First step
    #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
    pub from: Option<i64>,
    /// Last step
    #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
    pub to: Option<i64>,
    /// In which order, and what of points that repeat a step
    #[arg(long, value_enum, default_value_t)]
    pub order: PointOrder,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

/// Orders of points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PointOrder {
    /// As they were written.
    #[default]
    Written,
    /// By step, repeats included.
    Step,
    /// By step, of each step the point written last.
    Last,
}

const PLOT_HELP: &str = "\
However many points there are, every column shows the smallest and the largest
of its values: no spike is hidden. Values that cannot be drawn (NaN, infinite)
interrupt the line and are marked ! on the axis.

Smoothing is TensorBoard's, over all points by x; along a metric, by step. A
point along a metric has the last value of that metric at the same step as its
x, and is left out if there is none.

Examples:
  trackway plot baseline loss val/loss
  trackway plot baseline loss --log-y --x relative --smooth 0.9
  trackway plot baseline val/loss --x tokens --log-x
  trackway plot baseline loss --vs bigger-lr --vs no-dropout";

/// Arguments of `plot`.
#[derive(Debug, Args)]
#[command(after_help = PLOT_HELP)]
pub struct PlotArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    /// Keys of metrics
    #[arg(required = true, value_name = "METRIC")]
    pub metrics: Vec<String>,
    /// Overlay the same metrics of this run; may be repeated
    #[arg(long, value_name = "RUN")]
    pub vs: Vec<String>,
    /// Characters in a row [default: the terminal's width]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub width: Option<u16>,
    /// Rows of the chart
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=500))]
    pub height: u16,
    /// Logarithmic y axis
    #[arg(long)]
    pub log_y: bool,
    /// Logarithmic x axis
    #[arg(long)]
    pub log_x: bool,
    /// What the x axis shows: step, time (UTC), relative (time since the start of the run), or a metric
    #[arg(long, value_name = "AXIS", default_value = "step", value_parser = x_axis)]
    pub x: XAxis,
    /// Smooth the values, from 0 (not at all) to below 1
    #[arg(long, value_name = "WEIGHT", value_parser = smoothing)]
    pub smooth: Option<Smoothing>,
    /// Draw with letters only
    #[arg(long)]
    pub ascii: bool,
}

/// X axes of `plot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XAxis {
    /// The step.
    Step,
    /// Time of day and date.
    Time,
    /// Time since the start of the run.
    Relative,
    /// Another metric.
    Metric(String),
}

fn x_axis(text: &str) -> Result<XAxis, String> {
    Ok(match text {
        "" => return Err("expected step, time, relative, or the key of a metric".to_owned()),
        "step" => XAxis::Step,
        "time" => XAxis::Time,
        "relative" => XAxis::Relative,
        key => XAxis::Metric(key.to_owned()),
    })
}

fn smoothing(text: &str) -> Result<Smoothing, String> {
    let weight = text.parse().map_err(|_| "expected a number".to_owned())?;
    Smoothing::new(weight).map_err(|error| error.to_string())
}

const HIST_HELP: &str = "\
Every point is counted: in a bin, or in the last line as one below --min, above
--max, infinite, or NaN.

Examples:
  trackway hist baseline grad_norm
  trackway hist baseline grad_norm --bins 50 --max 10";

/// Arguments of `hist`.
#[derive(Debug, Args)]
#[command(after_help = HIST_HELP)]
pub struct HistArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    /// Key of the metric
    pub metric: String,
    /// Number of bins, all of the same width
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub bins: u16,
    /// Lower end of the first bin [default: the smallest value]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = finite)]
    pub min: Option<f64>,
    /// Upper end of the last bin [default: the largest value]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = finite)]
    pub max: Option<f64>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

fn finite(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number.filter(|number| number.is_finite()).ok_or_else(|| "expected a finite number".to_owned())
}

/// Arguments of `rename`.
#[derive(Debug, Args)]
pub struct RenameArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    /// The new name
    pub name: String,
}

/// Arguments of `tag`.
#[derive(Debug, Args)]
#[command(override_usage = "trackway tag <RUN> <KEY> <VALUE>\n       trackway tag <RUN> --delete <KEY>")]
pub struct TagArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    /// Key of the tag
    #[arg(required_unless_present = "delete", requires = "value")]
    pub key: Option<String>,
    /// Its new value
    pub value: Option<String>,
    /// Delete this tag
    #[arg(long, value_name = "KEY", conflicts_with = "key")]
    pub delete: Option<String>,
}

/// A run and nothing else.
#[derive(Debug, Args)]
pub struct RunArg {
    /// Id, beginning of an id, or name
    pub run: String,
}

/// Arguments of `follow`.
#[derive(Debug, Args)]
#[command(after_help = "Columns are key, step, timestamp_ms and value, separated by tabs.\n\n\
Example:\n  trackway follow baseline | grep -P '^val/'")]
pub struct FollowArgs {
    /// Id, beginning of an id, or name
    pub run: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: JsonArgs,
}

const DEMO_HELP: &str = "\
Without --store (or TRACKWAY_STORE) the store is a temporary folder, removed at
the end unless --keep.";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(
    after_help = DEMO_HELP
)]
pub struct DemoArgs {
    /// Keep the store and say where it is
    #[arg(long)]
    pub keep: bool,
    /// Kill the child writer sooner
    #[arg(long)]
    pub quick: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "expected KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
