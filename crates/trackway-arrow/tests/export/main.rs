//! What is exported is what the store holds, as other readers see it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod files;
mod harness;
mod odd_stores;
mod python;
mod round_trip;
