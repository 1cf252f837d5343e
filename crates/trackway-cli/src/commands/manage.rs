//! `rename`, `tag`, `delete`, `restore`: small changes to a run.

use crate::args::{RenameArgs, RunArg, TagArgs};
use crate::error::Outcome;
use crate::output::Context;
use crate::resolve;
use crate::text::one_line;
use trackway::{Run, RunId, Store};

/// `rename`.
pub(crate) fn rename(args: &RenameArgs, context: &mut Context) -> Outcome {
    change(context, &args.run, |store, run| {
        store.set_run_name(run, &args.name)?;
        Ok(format!("is now named {:?}", args.name))
    })
}

/// `tag`.
pub(crate) fn tag(args: &TagArgs, context: &mut Context) -> Outcome {
    change(context, &args.run, |store, run| {
        if let Some(key) = &args.delete {
            store.delete_run_tag(run, key)?;
            return Ok(format!("has no tag {key:?} any more"));
        }
        let (key, value) = (args.key.as_deref().unwrap_or_default(), args.value.as_deref().unwrap_or_default());
        store.set_run_tag(run, key, value)?;
        Ok(format!("has the tag {key:?} = {value:?}"))
    })
}

/// `delete`.
pub(crate) fn delete(args: &RunArg, context: &mut Context) -> Outcome {
    change(context, &args.run, |store, run| {
        store.delete_run(run)?;
        Ok(format!("is deleted; `trackway restore {run}` takes that back"))
    })
}

/// `restore`.
pub(crate) fn restore(args: &RunArg, context: &mut Context) -> Outcome {
    change(context, &args.run, |store, run| {
        store.restore_run(run)?;
        Ok("is restored".to_owned())
    })
}

fn change(context: &mut Context, text: &str, act: impl FnOnce(&Store, RunId) -> Outcome<String>) -> Outcome {
    let store = context.open_to_change()?;
    let run = resolve::run(&store, text)?;
    let done = act(&store, run.id)?;
    store.close()?;
    context.line(format_args!("run {} {}", label(&run), one_line(&done)))
}

/// Id and, if there is one, name.
fn label(run: &Run) -> String {
    if run.name.is_empty() { run.id.to_string() } else { format!("{} {:?}", run.id, run.name) }
}
