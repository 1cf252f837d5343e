//! `verify`: checks every checksum of every file; `--repair` sets aside what is damaged.

use crate::args::VerifyArgs;
use crate::error::{EXIT_DAMAGED, Failure, Outcome};
use crate::output::{Context, not_opened, progress_bar};
use crate::text::{bytes, one_line, plural};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trackway::{Damage, Error, Progress, RepairReport, StoreOptions, VerifyReport};

const BAR: &str = "checking {bar:40} {pos}/{len} files {eta}";

pub(crate) fn run(args: VerifyArgs, context: &mut Context) -> Outcome {
    if args.repair { repair(args.json, context) } else { verify(args.json, context) }
}

fn verify(json: bool, context: &mut Context) -> Outcome {
    let report = match check(context) {
        Ok(report) => report,
        // Damage so central that the store does not open is still damage, with its place.
        Err(Broken::Damaged { damage }) => VerifyReport { files: 0, bytes: 0, damage: vec![damage] },
        Err(Broken::Failed(failure)) => return Err(failure),
    };
    if json {
        context.json(&to_json(&report))?;
    } else {
        list(&report.damage, context)?;
        let checked = format!("{}, {}", plural(report.files, "file"), bytes(report.bytes));
        match report.damage.len() {
            0 => context.line(format_args!("all is well: checked {checked}"))?,
            n => context.line(format_args!("{} in {checked}", plural(n as u64, "damaged place")))?,
        }
    }
    finish(&report.damage, context)
}

fn list(damage: &[Damage], context: &mut Context) -> Outcome {
    for damage in damage {
        let place = format!("{}: byte {}", damage.path.display(), damage.offset);
        context.line(format_args!("{}: {}", one_line(&place), one_line(&damage.reason)))?;
    }
    Ok(())
}

fn finish(damage: &[Damage], context: &mut Context) -> Outcome {
    context.flush()?;
    if damage.is_empty() { Ok(()) } else { Err(Failure::Silent(EXIT_DAMAGED)) }
}

/// Moves the bar along.
fn advance(bar: &ProgressBar) -> impl FnMut(Progress) {
    |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}

fn repair(json: bool, context: &mut Context) -> Outcome {
    let bar = progress_bar(0, BAR);
    let report = StoreOptions::new().repair(context.store_path(), &mut advance(&bar));
    bar.finish_and_clear();
    let report = report.map_err(not_opened)?;
    if json {
        context.json(&repair_to_json(&report))?;
    } else {
        for repair in &report.repairs {
            let aside = repair.aside.iter().map(|aside| format!("; the damaged file is {} now", aside.display()));
            let line = format!("{}: {}{}", repair.path.display(), repair.what, aside.collect::<String>());
            context.line(format_args!("{}", one_line(&line)))?;
        }
        for incident in &report.recovered {
            let line = format!("{}: {}", incident.path.display(), incident.what);
            context.line(format_args!("{}", one_line(&line)))?;
        }
        let mut losses: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for loss in &report.losses {
            let points = format!("{} of {}", plural(loss.points, "point"), loss.metric);
            losses.entry(loss.run).or_default().push(points);
        }
        for (run, lost) in losses {
            context.line(format_args!("run {run}: lost {}", one_line(&lost.join(", "))))?;
        }
        list(&report.left, context)?;
        let left = report.left.len() as u64;
        match report.repairs.len() as u64 {
            0 if left == 0 => context.line(format_args!("all is well: nothing to repair"))?,
            n if left == 0 => context.line(format_args!("{} repaired; all is well now", plural(n, "file")))?,
            n => {
                context.line(format_args!("{} repaired, {} left", plural(n, "file"), plural(left, "damaged place")))?
            }
        }
    }
    finish(&report.left, context)
}

enum Broken {
    Damaged { damage: trackway::Damage },
    Failed(Failure),
}

fn check(context: &Context) -> Result<VerifyReport, Broken> {
    let broken = |error: Error| match error {
        Error::Corrupt { path, offset, reason } => {
            Broken::Damaged { damage: trackway::Damage { path, offset, reason } }
        }
        other => Broken::Failed(not_opened(other)),
    };
    let store = StoreOptions::new().read_only(true).create(false).open(context.store_path()).map_err(broken)?;
    let bar = progress_bar(0, BAR);
    let report = store.verify(&mut advance(&bar));
    bar.finish_and_clear();
    report.map_err(broken)
}

fn to_json(report: &VerifyReport) -> Value {
    json!({ "files": report.files, "bytes": report.bytes, "damage": damage_to_json(&report.damage) })
}

fn damage_to_json(damage: &[Damage]) -> Vec<Value> {
    let to_json = |d: &Damage| json!({ "path": d.path.display().to_string(), "offset": d.offset, "reason": d.reason });
    damage.iter().map(to_json).collect()
}

fn repair_to_json(report: &RepairReport) -> Value {
    let path = |path: &std::path::Path| path.display().to_string();
    let repairs = report.repairs.iter().map(
        |repair| json!({ "path": path(&repair.path), "aside": repair.aside.as_deref().map(path), "what": repair.what }),
    );
    let recovered = report
        .recovered
        .iter()
        .map(|incident| json!({ "path": path(&incident.path), "offset": incident.offset, "what": incident.what }));
    let losses = report
        .losses
        .iter()
        .map(|loss| json!({ "run": loss.run.to_string(), "metric": loss.metric, "points": loss.points }));
    json!({
        "repairs": repairs.collect::<Vec<_>>(),
        "recovered": recovered.collect::<Vec<_>>(),
        "losses": losses.collect::<Vec<_>>(),
        "left": damage_to_json(&report.left),
    })
}
