//! What takes points and runs elsewhere.

use clap::{Args, ValueEnum, ValueHint};
use std::path::{Path, PathBuf};
use trackway_arrow::Format;

const EXPORT_HELP: &str = "\
Run by run (the one that started first at first), metric by metric, each in the
order in which it was written. Columns are run, metric (in text: key), step,
time (in text: timestamp_ms, milliseconds since 1970) and value. A file given
with --output has its name only once all of it is on the medium. What cannot be
read of a damaged run is left out, said, and exit code 1.

csv and jsonl: `import` reads CSV back bit for bit. Values have the digits that
read back to the same bits; NaN, Infinity and -Infinity are written so, and a NaN
of unusual bits as nan: and 16 hex digits.

parquet, arrow and arrow-stream: for DuckDB, pandas, polars and whatever else
reads columns; all bits kept. --table runs has a row for each run: run_id,
run_name, experiment_id, experiment_name, status, start_time, end_time, user_id,
lifecycle_stage, parent_run_id, then metrics.KEY (the latest value), params.KEY
and tags.KEY, as mlflow.search_runs names them.

Examples:
  trackway export > all.csv
  trackway export baseline --format jsonl | jq 'select(.key == \"loss\") | .value'
  trackway export --output points.parquet --filter \"params.opt = 'adam'\" --metric loss
  trackway export --table runs --output runs.parquet
  duckdb -c \"select metric, min(value) from 'points.parquet' group by metric\"";

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportArgs {
    /// Ids, beginnings of ids, or names; all runs that are not deleted if none is given
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Only runs of this experiment (name or id)
    #[arg(long, value_name = "NAME", conflicts_with = "runs")]
    pub experiment: Option<String>,
    /// Only runs that this matches, e.g. "metrics.loss < 0.5 and params.opt = 'adam'"
    #[arg(long, value_name = "FILTER", conflicts_with = "runs")]
    pub filter: Option<String>,
    /// Deleted runs too
    #[arg(long, conflicts_with_all = ["runs", "deleted"])]
    pub all: bool,
    /// Only deleted runs
    #[arg(long, conflicts_with = "runs")]
    pub deleted: bool,
    /// Only this metric; may be repeated
    #[arg(long = "metric", value_name = "KEY")]
    pub metrics: Vec<String>,
    /// What is exported
    #[arg(long, value_enum, default_value_t)]
    pub table: ExportTable,
    /// Form of the rows [default: what the ending of --output says, else csv]
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Write to this file in place of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Write the names of runs in place of their ids
    #[arg(long)]
    pub names: bool,
    /// The same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Tables of `export`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportTable {
    /// A row for each point.
    #[default]
    Points,
    /// A row for each run: parquet and arrow only.
    Runs,
}

/// Formats of `export`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// CSV with a header.
    #[default]
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Parquet, compressed with zstd.
    Parquet,
    /// Arrow IPC, the file (also known as Feather).
    Arrow,
    /// Arrow IPC, the stream.
    ArrowStream,
}

impl ExportFormat {
    /// What the ending of a file's name says.
    pub fn of_path(path: &Path) -> Option<Self> {
        match Format::of_path(path) {
            Some(Format::Parquet) => Some(Self::Parquet),
            Some(Format::Arrow) => Some(Self::Arrow),
            Some(Format::ArrowStream) => Some(Self::ArrowStream),
            _ => match path.extension()?.to_str()? {
                "csv" => Some(Self::Csv),
                "jsonl" | "ndjson" => Some(Self::Jsonl),
                _ => None,
            },
        }
    }
}
