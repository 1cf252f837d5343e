//! Immutable bytes that many readers share: a mapped file or owned memory.
//!
//! A [`Region`] owns its backing through an `Arc`: a clone costs a counter, and the bytes stay valid while any of them
//! lives, also after the file was unlinked.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

enum Backing {
    Owned(Vec<u8>),
    Mapped(Mmap),
}

/// Immutable bytes, cheap to clone: all of the backing, or a piece of it.
#[derive(Clone)]
pub(crate) struct Region {
    backing: Arc<Backing>,
    /// Lies within the backing, whose length never changes.
    range: Range<usize>,
}

impl Region {
    /// Takes over bytes in memory.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Self {
        Self::new(Backing::Owned(bytes))
    }

    /// Takes over a read-only mapping. The promise that its file does not change was given by whoever made the map.
    pub(super) fn from_map(map: Mmap) -> Self {
        Self::new(Backing::Mapped(map))
    }

    fn new(backing: Backing) -> Self {
        let range = 0..backing.bytes().len();
        Self { backing: Arc::new(backing), range }
    }

    /// A piece of these bytes that keeps all of them alive; `None` when it does not lie within them.
    pub(crate) fn slice(&self, start: u64, end: u64) -> Option<Self> {
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
        let range = self.range.start.checked_add(start)?..self.range.start.checked_add(end)?;
        (start <= end && range.end <= self.range.end).then(|| Self { backing: Arc::clone(&self.backing), range })
    }
}

impl Backing {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl Deref for Region {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.backing.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Region {
    /// Names the kind, not the content: regions are large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match *self.backing {
            Backing::Owned(_) => "owned",
            Backing::Mapped(_) => "mapped",
        };
        write!(f, "Region({kind}, {} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_piece_lies_within_it() {
        let whole = Region::from_vec((0..10).collect());
        let piece = whole.slice(2, 8);
        assert_eq!(piece.as_deref(), Some(&[2, 3, 4, 5, 6, 7][..]));
        let piece = piece.as_ref();
        assert_eq!(piece.and_then(|piece| piece.slice(1, 3)).as_deref(), Some(&[3, 4][..]));
        for (start, end) in [(0, 7), (3, 2), (7, 7), (u64::MAX, u64::MAX), (0, u64::MAX)] {
            assert!(piece.is_some_and(|piece| piece.slice(start, end).is_none()), "{start}..{end}");
        }
    }
}
