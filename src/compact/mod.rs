//! Several segments of a run into one. Knows no threads, locks or catalog.

mod merge;
mod plan;

pub(crate) use merge::merge;
pub(crate) use plan::{Source, plan};
