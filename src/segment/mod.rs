//! The points of one run: unsealed in a [`Head`], sealed in segments. Knows no catalog and no other run.

mod count;
mod head;
mod reader;
mod seal;
mod writer;

pub(crate) use count::ChunkAxis;
pub(crate) use head::Head;
pub(crate) use reader::{PartValues, SegmentReader};
pub(crate) use seal::seal;
pub(crate) use writer::{SegmentWriter, Written, is_shorter_beside};
