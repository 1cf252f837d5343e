//! What imports and copies show: progress, what was left out, what was added.

use crate::error::{Failure, Outcome, warn};
use crate::output::{Context, progress_bar};
use crate::text::{bytes, plural, rate};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::time::Instant;
use trackway::Store;
use trackway_import::{Progress, Report, Result, Watch};

/// Notes told one by one.
const NOTES: usize = 20;

/// Does the work with a progress bar, and says what came of it. Fails when not all of the source could be taken.
pub(crate) fn transfer(
    context: &mut Context,
    as_json: bool,
    store: Store,
    work: &mut dyn FnMut(&Store, Watch<'_>) -> Result<Report>,
) -> Outcome {
    let started = Instant::now();
    let bar = progress_bar(0, "{bar:40} {pos}/{len} runs {msg} {eta}");
    let mut watch = |progress: Progress| {
        bar.set_length(progress.total_runs);
        bar.set_position(progress.runs);
        bar.set_message(plural(progress.points, "point"));
        ControlFlow::Continue(())
    };
    let done = work(&store, &mut watch);
    bar.finish_and_clear();
    let report = done?;
    store.close()?;
    if as_json {
        context.json(&to_json(&report))?;
    } else {
        tell(&report, started.elapsed().as_secs_f64());
    }
    context.flush()?;
    let Some((last, others)) = report.failures.split_last() else { return Ok(()) };
    others.iter().for_each(|failure| warn(format_args!("{}: {}", failure.what, failure.error)));
    let count = plural(report.failures.len() as u64, "thing");
    let hint = "all else was; mend it and import again, which adds what is missing";
    Err(Failure::new(format!("{count} could not be imported: {}: {}", last.what, last.error)).hint(hint))
}

fn tell(report: &Report, seconds: f64) {
    report.notes.iter().take(NOTES).for_each(warn);
    if report.notes.len() > NOTES {
        warn(format_args!("and {} more like these; --json has all", report.notes.len() - NOTES));
    }
    let (new, changed) = (plural(report.new_runs, "new run"), plural(report.changed_runs, "run"));
    let speed = rate(report.points, seconds);
    let artifacts = match report.artifacts {
        0 => String::new(),
        n => format!(", {} ({})", plural(n, "artifact"), bytes(report.artifact_bytes)),
    };
    let models = match report.models {
        0 => String::new(),
        n => format!(", {}", plural(n, "model")),
    };
    let points = plural(report.points, "point");
    let of = plural(report.runs, "run");
    eprintln!(
        "trackway: of {of}: {new}, {changed} continued, {points}{artifacts}{models} in {seconds:.2} s ({speed} points/s)"
    );
}

fn to_json(report: &Report) -> Value {
    let failure =
        |failure: &trackway_import::Failure| json!({ "what": failure.what, "error": failure.error.to_string() });
    json!({
        "runs": report.runs,
        "new_runs": report.new_runs,
        "changed_runs": report.changed_runs,
        "points": report.points,
        "artifacts": report.artifacts,
        "artifact_bytes": report.artifact_bytes,
        "models": report.models,
        "notes": report.notes,
        "failures": report.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}
