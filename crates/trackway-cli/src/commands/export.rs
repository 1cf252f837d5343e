//! `export`: points as rows of text.

use crate::args::ExportArgs;
use crate::error::{Failure, Outcome};
use crate::output::{Context, progress_bar};
use crate::resolve;
use crate::rows::RowFormat;
use std::collections::HashSet;
use trackway::{Columns, Run, RunFilter, Store};

/// Text is handed on in pieces of about this size.
const PIECE_BYTES: usize = 1 << 16;

pub(crate) fn run(args: &ExportArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let mut runs = Vec::new();
    for text in &args.runs {
        runs.push(resolve::run(&store, text)?);
    }
    if args.runs.is_empty() {
        runs = store.runs(&RunFilter::default())?;
        // The oldest first: a run imported first stays the older one.
        runs.reverse();
    }
    let mut seen = HashSet::new();
    runs.retain(|run| seen.insert(run.id));
    if args.names {
        check_names(&runs)?;
    }
    let format = if args.json { RowFormat::Jsonl } else { args.format };
    context.bytes(format.header().as_bytes())?;
    let bar = progress_bar(runs.len() as u64, "exporting {bar:40} {pos}/{len} runs {eta}");
    for run in &runs {
        let name = if args.names { run.name.clone() } else { run.id.to_string() };
        export_run(&store, run, &name, format, context)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Two runs of one name would become one run on import.
fn check_names(runs: &[Run]) -> Outcome {
    let mut seen = HashSet::new();
    for run in runs {
        let problem = match run.name.as_str() {
            "" => "has no name".to_owned(),
            name if !seen.insert(name) => format!("has the same name as another: {name:?}"),
            _ => continue,
        };
        return Err(Failure::new(format!("run {} {problem}", run.id)).hint("export ids in place of names"));
    }
    Ok(())
}

fn export_run(store: &Store, run: &Run, name: &str, format: RowFormat, context: &mut Context) -> Outcome {
    let snapshot = store.snapshot(run.id)?;
    let (mut columns, mut text) = (Columns::default(), Vec::with_capacity(PIECE_BYTES * 2));
    for key in snapshot.run().metrics.keys() {
        columns.clear();
        snapshot.metric(key)?.read_into(&mut columns)?;
        let prefix = format.prefix(name, key);
        let rows = columns.steps().iter().zip(columns.timestamps()).zip(columns.values());
        for ((step, timestamp), value) in rows {
            format.push(&mut text, &prefix, *step, *timestamp, *value);
            if text.len() >= PIECE_BYTES {
                context.bytes(&text)?;
                text.clear();
            }
        }
    }
    context.bytes(&text)
}
