//! Scenarios: what a user does, one module each. One binary, since each costs a link of the whole engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod ahead;
mod append_read;
mod artifacts;
mod bands;
mod chart;
mod charts;
mod corpus;
mod corruption;
mod damage;
mod data_model;
mod flips;
mod folder;
mod golden;
mod golden_bare;
mod golden_models;
mod logged_models;
mod longest;
mod misplaced;
mod models;
mod on_behalf;
mod packs;
mod reopen;
mod repair;
mod scrub;
mod search;
mod snapshots;
mod support;
mod without_mapping;
