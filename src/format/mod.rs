//! Bytes to values and back; the code side of `docs/format.md`.
//!
//! Pure: no file, thread or clock. Every offset is a named constant, every read goes through [`wire::Reader`], every
//! allocation is bounded by the bytes that are really there or by a limit. What a decoder returns has had its shape
//! checked; checksums are checked where the comment says so, always before content is used.

pub(crate) mod catalog;
pub(crate) mod catalog_column;
pub(crate) mod catalog_index;
pub(crate) mod catalog_records;
mod crc;
pub(crate) mod experiment;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod log;
pub(crate) mod logged_model;
pub(crate) mod model;
pub(crate) mod pack;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod sink;
pub(crate) mod stats;
pub(crate) mod wire;

pub(crate) use wire::{DecodeError, Decoded};
