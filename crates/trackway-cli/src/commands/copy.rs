//! `copy`: runs from one store into another.

use super::transfer::transfer;
use crate::args::CopyArgs;
use crate::error::Outcome;
use crate::output::{Context, tell_incidents};
use trackway::{Filter, StoreOptions};
use trackway_import::{CopyOptions, copy};

pub(crate) fn run(args: &CopyArgs, context: &mut Context) -> Outcome {
    let options = CopyOptions { filter: args.runs.as_deref().map(Filter::new).transpose()? };
    let from = StoreOptions::new().read_only(true).create(false).open(&args.from)?;
    let to = StoreOptions::new().open(&args.to).inspect(tell_incidents)?;
    transfer(context, args.output.json, to, &mut |to, watch| copy(&from, to, &options, watch))
}
