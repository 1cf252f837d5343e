//! Where a segment lies.

use crate::env::{Env, Region};
use crate::error::{Error, IoContext, Result};
use std::path::{Path, PathBuf};

/// Where a segment lies: in a file of its own, or in a pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentPlace {
    path: PathBuf,
    /// Where it begins and ends in the pack.
    piece: Option<(u64, u64)>,
}

impl SegmentPlace {
    pub(crate) fn file(path: &Path) -> Self {
        Self { path: path.to_path_buf(), piece: None }
    }

    pub(crate) fn in_pack(path: &Path, start: u64, end: u64) -> Self {
        Self { path: path.to_path_buf(), piece: Some((start, end)) }
    }

    /// The file, or the pack.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_in_pack(&self) -> bool {
        self.piece.is_some()
    }

    /// The file that is this segment and nothing else.
    pub(crate) fn own_file(&self) -> Option<&Path> {
        if self.piece.is_none() { Some(&self.path) } else { None }
    }

    /// Where in the file its byte `offset` is.
    pub(crate) fn offset(&self, offset: u64) -> u64 {
        self.piece.map_or(0, |(start, _)| start).saturating_add(offset)
    }

    /// The error for damage at byte `offset` of the segment.
    pub(crate) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::corrupt(&self.path, self.offset(offset), reason)
    }

    /// Its bytes.
    pub(crate) fn map(&self, env: &Env) -> Result<Region> {
        let file = env.fs.open(&self.path).at(&self.path, "open")?;
        let region = file.map().at(&self.path, "map")?;
        let Some((start, end)) = self.piece else { return Ok(region) };
        region.slice(start, end).ok_or_else(|| self.corrupt(0, "the segment lies beyond the end of its pack"))
    }
}
