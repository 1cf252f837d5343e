//! Mapping files into memory: the only `unsafe` code of the engine.
//!
//! Two kinds of map exist. [`map_file`] shows an immutable file read-only (a sealed segment, a pack).
//! [`MappedExtent`] is the writable shared window of a log's single writer. What makes them sound:
//!
//! * **No SIGBUS by truncation.** A map is never made beyond the end of its file, and nobody cuts a mapped file: the
//!   store never shortens a file that a live process may have mapped (segments are unlinked, not cut; a log is cut only
//!   by a recovery that holds the lock its writer would hold). An outsider who truncates a file of the store breaks the
//!   process that mapped it; this is the assumption that no program using `mmap` can do without.
//! * **No SIGBUS by a full disk.** An extent is mapped only over allocated blocks (`File::allocate`) and only on file
//!   systems that write allocated blocks in place (`Fs::can_map_appends`).
//! * **No change beneath a reference.** A read-only map is of a file that nobody writes any more. An extent has one
//!   owner, which holds it by `&mut`; others read the growing file with `pread`, whose copy is made by the kernel and
//!   is no access of this process's memory model. So no `&[u8]` of this crate ever sees a byte change.

#![expect(unsafe_code, reason = "memory maps cannot be had without it; every block states what makes it sound")]

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Mmap, MmapMut, MmapOptions};

use super::{Extent, Region};

/// Distance of the bytes touched to fault in every page: the smallest page of any supported machine.
const PAGE: usize = 4096;

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Maps the whole of an immutable file. An empty file gives an empty region: the system maps nothing of length zero.
pub(super) fn map_file(file: &File) -> io::Result<Region> {
    let len = usize::try_from(file.metadata()?.len()).map_err(|_| invalid("file too long to map"))?;
    if len == 0 {
        return Ok(Region::from_vec(Vec::new()));
    }
    // SAFETY: the map covers exactly the bytes the file has now. Its bytes neither change nor go away while mapped: the
    // caller promises (contract of `File::map`) that the file is never written again, the store only ever unlinks such
    // files, which leaves a map intact. About other processes we assume the same; see the module comment.
    let map = unsafe { MmapOptions::new().len(len).map(file)? };
    Ok(Region::from_map(map))
}

/// A writable shared window of a file, held by its only writer.
///
/// Invariant: while it lives, the file is at least as long as the end of the window.
pub(crate) struct MappedExtent {
    map: MmapMut,
}

impl MappedExtent {
    /// Maps `offset..offset + len` of `file`, which must be open for writing, that long at least, and allocated there.
    pub(super) fn new(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        let end = u64::try_from(len).ok().and_then(|len| offset.checked_add(len));
        if end.is_none_or(|end| end > i64::MAX as u64) {
            return Err(invalid("extent too long"));
        }
        if len == 0 {
            return Err(invalid("empty extent"));
        }
        if end > Some(file.metadata()?.len()) {
            return Err(invalid("extent reaches beyond the end of its file"));
        }
        // SAFETY: the window lies within the file (checked above) and the file is not cut while it is mapped, so that
        // every page of it is backed; the caller allocated the blocks. The memory is accessed only through this value,
        // by `&mut self`; no other map of this range exists in this or another process: a log has one writer, and its
        // readers use `pread`. See the module comment.
        let map = unsafe { MmapOptions::new().offset(offset).len(len).map_mut(file)? };
        Ok(Self { map })
    }

    /// Faults every page in by writing back the byte it has: for kernels without `MADV_POPULATE_WRITE`.
    fn touch_pages(&mut self) {
        for byte in self.map.iter_mut().step_by(PAGE) {
            let at: *mut u8 = byte;
            // SAFETY: `at` comes from a live `&mut u8`, so it is valid, aligned and accessed by nobody else meanwhile:
            // the read-modify-write is no data race. Volatile, lest the compiler drop a store of the same value.
            unsafe { at.write_volatile(at.read_volatile()) };
        }
    }
}

impl Extent for MappedExtent {
    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }

    #[inline]
    fn write_back(&mut self, start: usize, end: usize) -> io::Result<()> {
        // Stores into a shared map are in the file's pages already; only the range is judged, as everywhere.
        if start > end || end > self.map.len() { Err(invalid("range outside of the extent")) } else { Ok(()) }
    }

    #[inline]
    fn store_word(&mut self, at: usize, value: u64) -> io::Result<()> {
        if !at.is_multiple_of(8) {
            return Err(invalid("word not aligned"));
        }
        let end = at.checked_add(8).ok_or_else(|| invalid("word outside of the extent"))?;
        let word = self.map.get_mut(at..end).ok_or_else(|| invalid("word outside of the extent"))?;
        let word: *mut u64 = word.as_mut_ptr().cast();
        // A window starts at a multiple of 4096 of pages that are multiples of 4096: always aligned. Checked, because
        // the next block relies on it.
        if !word.is_aligned() {
            return Err(invalid("word not aligned"));
        }
        // SAFETY: `word` points to eight mapped, writable bytes (taken from a slice of that length), is aligned
        // (checked) and lives as long as `self.map`, longer than this borrow. `&mut self` rules out any other
        // access from this process; what others see through `pread` is the kernel's business.
        let word = unsafe { AtomicU64::from_ptr(word) };
        word.store(value.to_le(), Ordering::Release);
        Ok(())
    }

    fn prefault(&mut self) {
        #[cfg(target_os = "linux")]
        match self.map.advise(memmap2::Advice::PopulateWrite) {
            // EINVAL: a kernel before 5.14. Any other failure (no memory, an I/O error) would meet a touching store
            // too, as a signal: better leave the pages to the appender, which may never need them.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => self.touch_pages(),
            Ok(()) | Err(_) => {}
        }
        #[cfg(not(target_os = "linux"))]
        self.touch_pages();
    }
}

impl fmt::Debug for MappedExtent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedExtent").field("len", &self.map.len()).finish()
    }
}

// Keeps `Mmap` and `MmapMut` honest about threads: a region is shared, an extent moves to the thread that appends.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn sent<T: Send>() {}
    shared::<Mmap>();
    sent::<MappedExtent>();
};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn file_of(len: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(len).unwrap();
        file
    }

    #[test]
    fn maps_whole_and_empty_files() {
        let file = file_of(0);
        assert!(map_file(&file).unwrap().is_empty());
        file.write_all_at(b"segment", 0).unwrap();
        assert_eq!(&*map_file(&file).unwrap(), b"segment");
    }

    #[test]
    fn extent_refuses_to_reach_beyond_the_file() {
        let file = file_of(8192);
        assert!(MappedExtent::new(&file, 4096, 8192).is_err());
        assert!(MappedExtent::new(&file, u64::MAX - 4095, 4096).is_err());
        assert!(MappedExtent::new(&file, 0, 0).is_err());
        assert!(MappedExtent::new(&file, 4096, 4096).is_ok());
    }

    #[test]
    fn words_are_checked_and_little_endian() {
        let file = file_of(8192);
        let mut extent = MappedExtent::new(&file, 4096, 4096).unwrap();
        for at in [4, 4089, 4096, usize::MAX - 7] {
            assert_eq!(extent.store_word(at, 1).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        extent.store_word(4088, 0x0102).unwrap();
        assert_eq!(&extent.bytes_mut()[4088..], &[2, 1, 0, 0, 0, 0, 0, 0]);
        let mut word = [0; 8];
        file.read_exact_at(&mut word, 8184).unwrap();
        assert_eq!(u64::from_le_bytes(word), 0x0102);
        assert!(extent.write_back(1, 4097).is_err());
    }

    /// Memory without a file behind it has the same casts: miri, which maps no files, looks at these.
    #[test]
    fn casts_hold_up_on_anonymous_memory() {
        let mut extent = MappedExtent { map: MmapMut::map_anon(2 * PAGE).unwrap() };
        extent.bytes_mut()[PAGE + 1..PAGE + 4].copy_from_slice(b"abc");
        extent.touch_pages();
        for (at, value) in [(0, 1), (PAGE - 8, u64::MAX), (2 * PAGE - 8, 0x0102)] {
            extent.store_word(at, value).unwrap();
            assert_eq!(extent.bytes_mut()[at..at + 8], value.to_le_bytes());
        }
        assert!(extent.store_word(2 * PAGE, 1).is_err());
        assert_eq!(&extent.bytes_mut()[PAGE..PAGE + 5], b"\0abc\0");
    }

    #[test]
    fn prefault_keeps_content() {
        let file = file_of(3 * 4096);
        file.write_all_at(b"abc", 4096).unwrap();
        let mut extent = MappedExtent::new(&file, 0, 3 * 4096).unwrap();
        extent.prefault();
        extent.touch_pages();
        assert_eq!(&extent.bytes_mut()[4096..4099], b"abc");
        assert_eq!(extent.bytes_mut()[0], 0);
    }
}
