//! `compact`: gives finished runs their smallest form now.

use crate::error::Outcome;
use crate::output::{Context, progress_bar};
use crate::text::{bytes, plural};

pub(crate) fn run(context: &mut Context) -> Outcome {
    let store = context.open_to_change()?;
    let bar = progress_bar(0, "compacting {bar:40} {pos}/{len} runs {eta}");
    let report = store.compact(&mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    store.close()?;
    if report.runs == 0 {
        context.line("nothing to compact")?;
    } else {
        let (before, after) = (bytes(report.bytes_before), bytes(report.bytes_after));
        context.line(format_args!("compacted {}: {before} became {after}", plural(report.runs, "run")))?;
    }
    if report.removed_runs > 0 {
        let gone = plural(report.removed_runs, "deleted run");
        context.line(format_args!("removed {gone} for good: their retention had ended"))?;
    }
    Ok(())
}
