//! A pack: the segments of many small runs that have ended, in one file, so that a hundred thousand runs are not as many
//! files. Knows which bytes are whose segment, and nothing of what is in one.
//!
//! A pack is complete and durable before it has its name, and is never written again. A segment is the same bytes in it
//! as in a file of its own, so that packs can be gathered, merged and taken apart by copying.

mod reader;
mod salvage;
mod writer;

pub(crate) use reader::PackReader;
pub(crate) use writer::PackWriter;
