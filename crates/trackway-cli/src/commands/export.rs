//! `export`: points as rows of text.

use crate::args::ExportArgs;
use crate::error::{Failure, Outcome, warn};
use crate::output::{Context, progress_bar};
use crate::resolve;
use crate::rows::RowFormat;
use crate::text::plural;
use std::collections::{BTreeSet, HashSet};
use trackway::{Columns, Incident, Run, RunFilter, Store};

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
    let mut unread = Vec::new();
    for run in &runs {
        let name = if args.names { run.name.clone() } else { run.id.to_string() };
        // A run that cannot be read does not keep the others from being exported.
        let what = export_run(&store, run, &name, format, context)?;
        unread.extend(what.map(|what| format!("run {}: {what}", run.id)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    context.flush()?;
    // Of these the listing knows nothing but that they are there.
    let incidents = store.incidents();
    let unlisted = |incident: &&Incident| !runs.iter().any(|run| incident.path.ends_with(run.id.to_string()));
    if args.runs.is_empty() {
        unread.extend(incidents.iter().filter(unlisted).map(|i| format!("{}: {}", i.path.display(), i.what)));
    }
    complete(&unread)
}

/// Fails when something could not be read: what was exported must not pass for all there is.
fn complete(unread: &[String]) -> Outcome {
    let Some((last, others)) = unread.split_last() else { return Ok(()) };
    others.iter().for_each(warn);
    let runs = plural(unread.len() as u64, "run");
    let hint = "all else was exported; `trackway verify` lists all damage";
    Err(Failure::new(format!("{runs} could not be exported whole: {last}")).hint(hint))
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

/// Exports what can be read of a run; says what kept the rest from being read.
fn export_run(
    store: &Store,
    run: &Run,
    name: &str,
    format: RowFormat,
    context: &mut Context,
) -> Outcome<Option<String>> {
    let snapshot = match store.snapshot(run.id) {
        Ok(snapshot) => snapshot,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let mut unread = snapshot.damage().first().map(ToString::to_string);
    // The listing may know metrics that lie in files that cannot be read.
    let keys: BTreeSet<&String> = snapshot.run().metrics.keys().chain(run.metrics.keys()).collect();
    let (mut columns, mut text) = (Columns::default(), Vec::with_capacity(PIECE_BYTES * 2));
    for key in keys {
        columns.clear();
        if let Err(error) = snapshot.metric(key).and_then(|query| query.read_into(&mut columns)) {
            unread.get_or_insert(error.to_string());
            columns.clear();
            let rest = snapshot.metric(key).and_then(|query| query.skip_damaged(true).read_into(&mut columns));
            if rest.is_err() {
                continue;
            }
        }
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
    context.bytes(&text)?;
    Ok(unread)
}
