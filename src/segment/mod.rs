//! The points of one run: unsealed in a [`Head`], sealed in segments. Knows no catalog and no other run.

mod bare;
mod chunks;
mod count;
mod head;
mod kept;
mod place;
mod reader;
mod salvage;
mod seal;
mod writer;

pub(crate) use chunks::{Position, Room, SeriesChunks};
pub(crate) use count::ChunkAxis;
pub(crate) use head::Head;
pub(crate) use kept::{Along, ChunkRun};
pub(crate) use place::SegmentPlace;
pub(crate) use reader::SegmentReader;
pub(crate) use salvage::{copy_good, salvage};
pub(crate) use seal::seal;
pub(crate) use writer::{SegmentWriter, Written, is_shorter_beside};
