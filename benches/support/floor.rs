//! The plainest way to append to a file that survives a kill.

use std::path::Path;
use std::sync::atomic::{Ordering, fence};

/// A freshly preallocated file and its shared mapping.
pub(crate) struct Mapping {
    map: memmap2::MmapMut,
    at: usize,
}

impl Mapping {
    /// Replaces the file at `path`.
    #[allow(unsafe_code, reason = "the floor is a bare mapping")]
    pub(crate) fn new(path: &Path, len: usize) -> Self {
        let _ = std::fs::remove_file(path);
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(path).unwrap();
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, len as u64).unwrap();
        // SAFETY: the file is this benchmark's own, in a folder that nobody else knows.
        let map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
        Self { map, at: 4096 }
    }

    /// Stores values and publishes their end.
    #[inline]
    pub(crate) fn push(&mut self, values: &[f64]) {
        let place = &mut self.map[self.at..self.at + values.len() * 8];
        place.as_chunks_mut::<8>().0.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_le_bytes());
        self.at += values.len() * 8;
        fence(Ordering::Release);
        self.map[..8].copy_from_slice(&(self.at as u64).to_le_bytes());
    }
}
