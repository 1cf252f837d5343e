//! `export`: points or runs as text, Parquet or Arrow, to standard output or a file.

use super::export_text::write_text;
use crate::args::{ExportArgs, ExportFormat, ExportTable};
use crate::error::{Failure, Outcome, warn};
use crate::output::{Context, progress_bar};
use crate::resolve;
use crate::rows::RowFormat;
use crate::text::{plural, rate};
use indicatif::ProgressBar;
use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Stdout, Write};
use std::path::Path;
use std::time::Instant;
use trackway::{Filter, RunOrder, RunQuery, Store, View};
use trackway_arrow::{
    Damage, Error, Format, OutputFile, Points, PointsOptions, RecordBatch, Result, Runs, SchemaRef, Selection, write,
};

pub(crate) fn run(args: &ExportArgs, context: &mut Context) -> Outcome {
    let format = format(args)?;
    let started = Instant::now();
    let store = context.open_to_read()?;
    let mut selection = select(&store, args)?;
    if !args.metrics.is_empty() {
        selection = selection.only_metrics(&args.metrics);
        let unknown = args.metrics.iter().filter(|key| !selection.metric_keys().any(|known| known == key.as_str()));
        unknown.for_each(|key| warn(format_args!("none of these runs has a metric {key:?}")));
    }
    if args.names {
        check_names(&selection)?;
    }
    // Before anything is read: whether there is a place for it.
    let mut sink = Sink::open(args.output.as_deref())?;
    let exported = match args.table {
        ExportTable::Points => export_points(&store, &selection, args.names, format, &mut sink),
        ExportTable::Runs => export_runs(&store, &selection, format, &mut sink),
    };
    let (rows, damage) = exported.map_err(|error| sink.failure(error))?;
    sink.commit()?;
    if let Some(path) = &args.output {
        let seconds = started.elapsed().as_secs_f64();
        let what = match args.table {
            ExportTable::Points => format!("{} of {}", plural(rows, "point"), plural(selection.len() as u64, "run")),
            ExportTable::Runs => plural(rows, "run"),
        };
        eprintln!("trackway: {what} to {} in {seconds:.2} s ({} a second)", path.display(), rate(rows, seconds));
    }
    complete(&unread(&store, args, &selection, damage))
}

fn format(args: &ExportArgs) -> Outcome<ExportFormat> {
    let named = if args.json { Some(ExportFormat::Jsonl) } else { args.format };
    let ending = || args.output.as_deref().and_then(ExportFormat::of_path);
    let format = named.or_else(ending).unwrap_or_default();
    let is_text = matches!(format, ExportFormat::Csv | ExportFormat::Jsonl);
    if is_text && args.table == ExportTable::Runs {
        let hint = "give --format parquet or arrow; `trackway runs --json` prints runs as text";
        return Err(Failure::new("the table of runs is not exported as text").hint(hint));
    }
    if !is_text && args.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::new("this format is not for a terminal").hint("give a file with --output, or a pipe"));
    }
    Ok(format)
}

/// The runs that are meant, the oldest first: a run imported first stays the older one.
fn select(store: &Store, args: &ExportArgs) -> Outcome<Selection> {
    if !args.runs.is_empty() {
        let mut ids = Vec::new();
        for text in &args.runs {
            ids.push(resolve::run(store, text)?.id);
        }
        return Ok(Selection::of(store, &ids)?);
    }
    let view = match (args.all, args.deleted) {
        (true, _) => View::All,
        (_, true) => View::Deleted,
        _ => View::Active,
    };
    let experiment = args.experiment.as_deref().map(|text| resolve::experiment(store, text)).transpose()?;
    let query = RunQuery {
        experiments: experiment.into_iter().collect(),
        view,
        filter: args.filter.as_deref().map(Filter::new).transpose()?,
        order: RunOrder::new(&["start_time"])?,
        ..RunQuery::default()
    };
    Ok(Selection::find(store, &query)?)
}

/// Two runs of one name would become one run on import.
fn check_names(selection: &Selection) -> Outcome {
    let mut seen = HashSet::new();
    for (id, name) in selection.ids().zip(selection.names()) {
        let problem = match name {
            "" => "has no name".to_owned(),
            name if !seen.insert(name) => format!("has the same name as another: {name:?}"),
            _ => continue,
        };
        return Err(Failure::new(format!("run {id} {problem}")).hint("export ids in place of names"));
    }
    Ok(())
}

/// A run that cannot be read does not keep the others from being exported: gives what was left out, too.
fn export_points(
    store: &Store,
    selection: &Selection,
    names: bool,
    format: ExportFormat,
    sink: &mut Sink,
) -> Result<(u64, Vec<String>)> {
    let options = PointsOptions { names, skip_damaged: true, ..PointsOptions::default() };
    let mut points = Points::new(store, selection, options);
    let bar = progress_bar(selection.points(), "exporting {bar:40} {human_pos}/{human_len} points {per_sec} {eta}");
    let schema = points.schema();
    let rows = write_batches(sink, format, &schema, &mut points, &bar)?;
    Ok((rows, points.damage().iter().map(tell).collect()))
}

fn export_runs(
    store: &Store,
    selection: &Selection,
    format: ExportFormat,
    sink: &mut Sink,
) -> Result<(u64, Vec<String>)> {
    let mut runs = Runs::new(store, selection)?.skip_damaged(true);
    let bar = progress_bar(selection.len() as u64, "exporting {bar:40} {pos}/{len} runs {eta}");
    let schema = runs.schema();
    let rows = write_batches(sink, format, &schema, &mut runs, &bar)?;
    Ok((rows, runs.damage().iter().map(tell).collect()))
}

fn tell(damage: &Damage) -> String {
    format!("run {}: {}", damage.run, damage.error)
}

fn write_batches(
    sink: &mut Sink,
    format: ExportFormat,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>> + Send,
    bar: &ProgressBar,
) -> Result<u64> {
    let batches = batches.inspect(|batch| bar.inc(batch.as_ref().map_or(0, RecordBatch::num_rows) as u64));
    let rows = match format {
        ExportFormat::Csv => write_text(sink, RowFormat::Csv, batches),
        ExportFormat::Jsonl => write_text(sink, RowFormat::Jsonl, batches),
        ExportFormat::Parquet => write(sink, Format::Parquet, schema, batches),
        ExportFormat::Arrow => write(sink, Format::Arrow, schema, batches),
        ExportFormat::ArrowStream => write(sink, Format::ArrowStream, schema, batches),
    };
    bar.finish_and_clear();
    rows
}

/// What of the store is not in the export. The listing knows of some runs nothing but that they are there; the points of
/// others were asked for, and said what they lack.
fn unread(store: &Store, args: &ExportArgs, selection: &Selection, mut damage: Vec<String>) -> Vec<String> {
    let selected: HashSet<String> = selection.ids().map(|id| id.to_string()).collect();
    for incident in store.incidents() {
        let folder = incident.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_missing = match selected.contains(folder) {
            true => args.table == ExportTable::Runs,
            false => args.runs.is_empty(),
        };
        if is_missing {
            damage.push(format!("{}: {}", incident.path.display(), incident.what));
        }
    }
    damage
}

/// Fails when something could not be read: what was exported must not pass for all there is.
fn complete(unread: &[String]) -> Outcome {
    let Some((last, others)) = unread.split_last() else { return Ok(()) };
    others.iter().for_each(warn);
    let runs = plural(unread.len() as u64, "run");
    let hint = "all else was exported; `trackway verify` lists all damage";
    Err(Failure::new(format!("{runs} could not be exported whole: {last}")).hint(hint))
}

/// Where bytes go.
enum Sink {
    Stdout(Stdout),
    File(OutputFile),
}

impl Sink {
    fn open(path: Option<&Path>) -> Outcome<Self> {
        Ok(match path {
            Some(path) => Self::File(OutputFile::create(path)?),
            None => Self::Stdout(io::stdout()),
        })
    }

    fn failure(&self, error: Error) -> Failure {
        match (self, error) {
            (Self::Stdout(_), Error::Write(error)) => Failure::stdout(&error),
            (Self::File(file), Error::Write(error)) => Failure::io("write", file.path(), &error),
            (_, error) => error.into(),
        }
    }

    fn commit(mut self) -> Outcome {
        self.flush().map_err(|error| self.failure(Error::Write(error)))?;
        if let Self::File(file) = self {
            file.commit()?;
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.flush(),
        }
    }
}
