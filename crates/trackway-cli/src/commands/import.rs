//! `import`: points from CSV files, and runs of other trackers.

use super::import_table;
use super::transfer::transfer;
use crate::args::{ImportArgs, ImportSource};
use crate::error::{Failure, Outcome};
use crate::ingest::{Ingest, refuse_existing};
use crate::output::{Context, progress_bar};
use crate::rows::RowReader;
use crate::text::{plural, rate};
use indicatif::ProgressBar;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;
use trackway::{RunId, Store};
use trackway_import::{MlflowOptions, TensorboardOptions, import_mlflow, import_tensorboard};

/// Rows between two updates of the progress bar.
const ROWS_A_TICK: u64 = 1 << 14;

pub(crate) fn run(args: &ImportArgs, context: &mut Context) -> Outcome {
    match &args.source {
        None => import_files(args, context),
        Some(ImportSource::Table(args)) => import_table::run(args, context),
        Some(ImportSource::Mlflow(args)) => {
            let options = MlflowOptions { artifacts: args.artifacts.clone() };
            let store = context.open_or_create()?;
            transfer(context, args.output.json, store, &mut |store, watch| {
                import_mlflow(store, &args.path, &options, watch)
            })
        }
        Some(ImportSource::Tensorboard(args)) => {
            let (experiment, prefix) = (args.experiment.clone(), args.prefix.clone());
            let options = TensorboardOptions { experiment, prefix };
            let store = context.open_or_create()?;
            transfer(context, args.output.json, store, &mut |store, watch| {
                import_tensorboard(store, &args.path, &options, watch)
            })
        }
    }
}

fn import_files(args: &ImportArgs, context: &mut Context) -> Outcome {
    let started = Instant::now();
    let total = args.files.iter().filter(|file| !is_stdin(file)).map(|file| size(file)).sum::<Outcome<u64>>()?;
    let store = context.open_or_create()?;
    let (mut seen, mut by_run) = (HashSet::new(), true);
    for file in args.files.iter().filter(|file| !is_stdin(file)) {
        by_run &= check(&store, file, &mut seen)?;
    }
    let experiment = store.experiment_or_create(&args.experiment)?;
    let bar = progress_bar(total, "importing {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let mut ingest = Ingest::new(&store, experiment);
    if !by_run {
        ingest.expect_mixed_runs();
    }
    let mut before = 0;
    for file in &args.files {
        match import(file, &mut ingest, &bar, before) {
            Ok(bytes) => before += bytes,
            Err(failure) => {
                bar.finish_and_clear();
                return Err(told(failure, ingest));
            }
        }
    }
    bar.finish_and_clear();
    let (points, metrics) = (ingest.points(), ingest.metrics());
    let filled = ingest.finish()?;
    store.close()?;
    for run in &filled {
        let name = run.name.as_deref().map(|name| format!("  {}", crate::text::one_line(name))).unwrap_or_default();
        context.line(format_args!("{}{name}", run.id))?;
    }
    context.flush()?;
    let seconds = started.elapsed().as_secs_f64();
    let (points_text, metrics) = (plural(points, "point"), plural(metrics, "metric"));
    let runs = plural(filled.len() as u64, "run");
    let speed = rate(points, seconds);
    eprintln!("trackway: imported {points_text} of {metrics} into {runs} in {seconds:.2} s ({speed} points/s)");
    Ok(())
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

fn size(file: &Path) -> Outcome<u64> {
    Ok(std::fs::metadata(file).map_err(|e| Failure::io("read", file, &e))?.len())
}

fn open(file: &PathBuf) -> Outcome<RowReader<Box<dyn Read>>> {
    if is_stdin(file) {
        return RowReader::new(Box::new(std::io::stdin().lock()), "standard input");
    }
    let input = File::open(file).map_err(|e| Failure::io("open", file, &e))?;
    RowReader::new(Box::new(input), file.display().to_string())
}

/// Looks at header and runs of a file before anything is imported: a run that exists already must not become half of
/// itself and half of another. False if a run of `seen` or of this file comes back after another one.
fn check(store: &Store, file: &PathBuf, seen: &mut HashSet<Vec<u8>>) -> Outcome<bool> {
    let mut reader = open(file)?;
    let (mut run, mut by_run) = (Vec::new(), true);
    while reader.next_run(&mut run)? {
        if !seen.insert(run.clone()) {
            by_run = false;
            continue;
        }
        let id = std::str::from_utf8(&run).ok().and_then(|text| text.parse::<RunId>().ok());
        if let Some(Err(failure)) = id.map(|id| refuse_existing(store, id)) {
            let hint = "nothing of this import was stored; give the run another name in the file";
            return Err(failure.hint(hint));
        }
    }
    Ok(by_run)
}

fn import(file: &PathBuf, ingest: &mut Ingest<'_>, bar: &ProgressBar, before: u64) -> Outcome<u64> {
    let mut reader = open(file)?;
    let mut rows = 0_u64;
    while let Some(row) = reader.next_row()? {
        if let Err(failure) = ingest.push(&row) {
            return Err(match failure {
                Failure::Told { message, .. } => reader.failure(message),
                silent @ Failure::Silent(_) => silent,
            });
        }
        rows += 1;
        if rows.is_multiple_of(ROWS_A_TICK) {
            bar.set_position(before + reader.consumed());
        }
    }
    Ok(reader.consumed())
}

/// Ends the runs that were begun and adds to the failure that they were.
fn told(failure: Failure, ingest: Ingest<'_>) -> Failure {
    let begun = ingest.fail();
    if begun.is_empty() {
        return failure;
    }
    let ids: Vec<String> = begun.iter().take(3).map(|run| run.id.to_string()).collect();
    let more = if begun.len() > ids.len() { ", ..." } else { "" };
    let runs = plural(begun.len() as u64, "run");
    failure.hint(format!("what came before is stored; {runs} ended as FAILED: {}{more}", ids.join(", ")))
}
