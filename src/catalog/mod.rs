//! Which runs exist and what is known of them without their points: a derived index, rebuilt when it is lost.
//!
//! Knows no points, segments or logs. `run_state` has the only rules by which a run changes; `journal` keeps entries
//! in a file that all processes of a store append to under a short lock.

mod journal;
mod run_state;

pub(crate) use journal::{Journal, write_new};
pub(crate) use run_state::RunState;
