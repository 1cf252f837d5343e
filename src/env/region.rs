//! Immutable bytes that many readers share: a mapped file or owned memory.
//!
//! A [`Region`] owns its backing through an `Arc`: a clone costs a counter, and the bytes stay valid while any of them
//! lives, also after the file was unlinked.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::Mmap;

enum Backing {
    Owned(Vec<u8>),
    Mapped(Mmap),
}

/// Immutable bytes, cheap to clone.
#[derive(Clone)]
pub(crate) struct Region(Arc<Backing>);

impl Region {
    /// Takes over bytes in memory.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Backing::Owned(bytes)))
    }

    /// Takes over a read-only mapping. The promise that its file does not change was given by whoever made the map.
    pub(super) fn from_map(map: Mmap) -> Self {
        Self(Arc::new(Backing::Mapped(map)))
    }
}

impl Deref for Region {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Backing::Owned(bytes) => bytes,
            Backing::Mapped(map) => map,
        }
    }
}

impl fmt::Debug for Region {
    /// Names the kind, not the content: regions are large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match *self.0 {
            Backing::Owned(_) => "owned",
            Backing::Mapped(_) => "mapped",
        };
        write!(f, "Region({kind}, {} bytes)", self.len())
    }
}
