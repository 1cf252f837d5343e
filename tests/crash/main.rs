//! Crashes: at every call to the simulated system, and of real processes at any moment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod calls;
mod campaign;
mod child;
mod full;
mod kills;
mod limited;
mod mediums;
mod namespace;
mod processes;
mod simulated;
mod soak;
