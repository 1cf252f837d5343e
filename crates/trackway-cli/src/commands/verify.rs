//! `verify`: checks every checksum of every file.

use crate::args::JsonArgs;
use crate::error::{EXIT_DAMAGED, Failure, Outcome};
use crate::output::{Context, not_opened, progress_bar};
use crate::text::{bytes, plural};
use serde_json::{Value, json};
use trackway::{Error, StoreOptions, VerifyReport};

pub(crate) fn run(args: JsonArgs, context: &mut Context) -> Outcome {
    let report = match check(context) {
        Ok(report) => report,
        // Damage so central that the store does not open is still damage, with its place.
        Err(Broken::Damaged { damage }) => VerifyReport { files: 0, bytes: 0, damage: vec![damage] },
        Err(Broken::Failed(failure)) => return Err(failure),
    };
    if args.json {
        context.json(&to_json(&report))?;
    } else {
        for damage in &report.damage {
            let place = format!("{}: byte {}", damage.path.display(), damage.offset);
            context.line(format_args!(
                "{}: {}",
                crate::text::one_line(&place),
                crate::text::one_line(&damage.reason)
            ))?;
        }
        let checked = format!("{}, {}", plural(report.files, "file"), bytes(report.bytes));
        match report.damage.len() {
            0 => context.line(format_args!("all is well: checked {checked}"))?,
            n => context.line(format_args!("{} in {checked}", plural(n as u64, "damaged place")))?,
        }
    }
    context.flush()?;
    if report.damage.is_empty() { Ok(()) } else { Err(Failure::Silent(EXIT_DAMAGED)) }
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
    let bar = progress_bar(0, "checking {bar:40} {pos}/{len} files {eta}");
    let report = store.verify(&mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    report.map_err(broken)
}

fn to_json(report: &VerifyReport) -> Value {
    let damage: Vec<Value> = report
        .damage
        .iter()
        .map(|d| json!({ "path": d.path.display().to_string(), "offset": d.offset, "reason": d.reason }))
        .collect();
    json!({ "files": report.files, "bytes": report.bytes, "damage": damage })
}
