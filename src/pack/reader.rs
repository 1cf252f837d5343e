//! Reads which segments a pack holds; their bytes are handed out as they are.
//!
//! Of a pack whose header, directory or trailer is damaged the segments are found by their own headers and trailers: it
//! says that it is damaged, and whether a segment may be missing from what was found.

use super::salvage::find_segments;
use crate::env::{Env, Region};
use crate::error::{Error, IoContext, Result};
use crate::format::DecodeError;
use crate::format::header::{FileType, Header, HeaderError, rebuild};
use crate::format::pack::{Directory, Piece, owner};
use crate::types::{ExperimentId, RunId};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An open pack. Its bytes stay readable while it lives, also when the file was removed.
#[derive(Debug)]
pub(crate) struct PackReader {
    path: PathBuf,
    region: Region,
    listing: Listing,
    damage: Option<Error>,
}

#[derive(Debug)]
enum Listing {
    /// Where the directory is.
    Stored(Range<usize>),
    /// What was found without it, by run, and whether that is all there was.
    Found { pieces: Vec<Piece>, complete: bool },
}

impl PackReader {
    /// Maps a pack and looks at its directory. Cost: a few nanoseconds a segment. It may have been made for another
    /// experiment: as with the folders of runs it is the place that counts.
    ///
    /// # Errors
    /// System errors; a pack of a newer version. What is merely damaged is opened all the same,
    /// see [`Self::damage`].
    pub(crate) fn open(env: &Env, path: &Path, experiment: ExperimentId) -> Result<Self> {
        let file = env.fs.open(path).at(path, "open")?;
        let region = file.map().at(path, "map")?;
        let corrupt = |offset: u64, error: DecodeError| Error::corrupt(path, offset, error.to_string());
        let (file_id, header_damage) = match Header::decode(&region, FileType::Pack) {
            Ok(header) => (Some(header.file_id), None),
            Err(HeaderError::Unsupported { found, supported }) => {
                return Err(Error::UnsupportedFormat { path: path.to_path_buf(), found, supported });
            }
            Err(HeaderError::Damaged(error)) => {
                (rebuild(&region, FileType::Pack, owner(experiment)), Some(corrupt(0, error)))
            }
        };
        let directory = file_id.map(|id| Directory::decode(&region, id));
        let (listing, damage) = match directory {
            Some(Ok((directory, at))) => {
                let start = at as usize;
                (Listing::Stored(start..start + directory.byte_len()), header_damage)
            }
            Some(Err((at, error))) => (find_segments(&region).into(), header_damage.or(Some(corrupt(at, error)))),
            None => (find_segments(&region).into(), header_damage),
        };
        Ok(Self { path: path.to_path_buf(), region, listing, damage })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.region.len() as u64
    }

    /// What is wrong with its header, directory or trailer.
    pub(crate) fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// Whether every segment that was written to it is among [`Self::pieces`].
    pub(crate) fn is_complete(&self) -> bool {
        match &self.listing {
            Listing::Stored(_) => true,
            Listing::Found { complete, .. } => *complete,
        }
    }

    /// Where its segments lie, by run.
    pub(crate) fn pieces(&self) -> Box<dyn Iterator<Item = Piece> + '_> {
        match &self.listing {
            Listing::Stored(range) => Box::new(self.directory(range).pieces()),
            Listing::Found { pieces, .. } => Box::new(pieces.iter().copied()),
        }
    }

    /// Where the segments of a run lie.
    pub(crate) fn pieces_of(&self, run: RunId) -> Vec<Piece> {
        match &self.listing {
            Listing::Stored(range) => self.directory(range).pieces_of(run).collect(),
            Listing::Found { pieces, .. } => {
                let begin = pieces.partition_point(|piece| piece.run < run);
                pieces.iter().skip(begin).take_while(|piece| piece.run == run).copied().collect()
            }
        }
    }

    /// The bytes of a segment.
    pub(crate) fn bytes(&self, piece: &Piece) -> Result<Region> {
        let bytes = self.region.slice(piece.start, piece.end);
        bytes.ok_or_else(|| Error::corrupt(&self.path, piece.start, "a segment lies beyond the end of its pack"))
    }

    fn directory(&self, range: &Range<usize>) -> Directory<'_> {
        Directory::again(self.region.get(range.clone()).unwrap_or_default())
    }
}

impl From<(Vec<Piece>, bool)> for Listing {
    fn from((pieces, complete): (Vec<Piece>, bool)) -> Self {
        Self::Found { pieces, complete }
    }
}
