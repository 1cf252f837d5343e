//! Which runs exist and what is known of them without their points: a derived index, rebuilt when it is lost.
//!
//! Knows no points, segments or logs. `run_state` has the only rules by which a run changes. `journal` keeps a file that
//! all processes of a store append to under a short lock: an `index` of ended runs by column, which `build` makes and
//! `rows` reads back, and entries that came later. `find` searches both: `select` by column, `order` by keys of the runs, or
//! along a `kept_order`; `named` says which columns their words mean.

mod build;
mod find;
mod index;
mod journal;
mod kept_order;
mod known;
mod named;
mod order;
mod place;
mod rows;
mod run_state;
mod select;
mod view;

pub(crate) use find::{Search, find};
pub(crate) use index::Index;
pub(crate) use journal::{Journal, root_at, write_new};
pub(crate) use known::{Brief, BriefState};
pub(crate) use place::{fingerprint, from_hex, put_key, take_key, to_hex};
pub(crate) use run_state::RunState;
pub(crate) use view::Catalog;
