//! Open files of the operating system, and the extent that does without a mapping.
//!
//! Invariant: `OsFile::owner` is `Some` exactly while this open file holds the exclusive lock; its mutex also keeps the
//! probe of [`File::is_locked`] and an attempt at the lock apart, which would otherwise undo each other.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::map::{self, MappedExtent};
use super::super::{Extent, File, Region, Window};
use super::lock;

/// What offset and length of an extent are multiples of.
const EXTENT_UNIT: u64 = 4096;

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Refuses what would make a file longer than this process may make one (`ulimit -f`): to try it raises SIGXFSZ, which
/// ends a process that does not expect it. An extent was allocated before it is written, so that this is not asked for
/// each log call.
fn check_limit(end: u64) -> io::Result<()> {
    if end > super::longest_file() { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
}

/// Reads until `buf` is full or the file ends.
fn read_full(file: &fs::File, mut buf: &mut [u8], mut offset: u64) -> io::Result<usize> {
    let mut done = 0;
    // No file is longer than that, and the system would answer with an error instead of an end.
    while !buf.is_empty() && offset <= i64::MAX as u64 {
        match file.read_at(buf, offset) {
            Ok(0) => break,
            Ok(n) => {
                done += n;
                offset = offset.saturating_add(n as u64);
                buf = buf.get_mut(n..).unwrap_or_default();
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// An open regular file.
#[derive(Debug)]
pub(super) struct OsFile {
    file: Arc<fs::File>,
    /// The process that took the exclusive lock through this open file.
    owner: Mutex<Option<u32>>,
}

impl OsFile {
    pub(super) fn new(file: fs::File) -> Self {
        Self { file: Arc::new(file), owner: Mutex::new(None) }
    }

    fn owner(&self) -> MutexGuard<'_, Option<u32>> {
        // Nothing between lock and unlock leaves the value half changed.
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OsFile {
    fn drop(&mut self) {
        // An extent, a mapping or a forked child may keep the description open longer than this value lives.
        if let Some(owner) = *self.owner() {
            lock::release_if_owner(&self.file, owner);
        }
    }
}

impl File for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        read_full(&self.file, buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        check_limit(offset.saturating_add(bytes.len() as u64))?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        if offset.checked_add(len).is_none_or(|end| end > i64::MAX as u64) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        check_limit(offset.saturating_add(len))?;
        allocate(&self.file, offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        loop {
            match self.file.sync_data() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut owner = self.owner();
        if owner.is_none() && lock::try_exclusive(&self.file)? {
            *owner = Some(std::process::id());
        }
        Ok(owner.is_some())
    }

    fn is_locked(&self) -> io::Result<bool> {
        let owner = self.owner();
        // The probe runs on this very description, not on a fresh one: the file may have been renamed or removed since
        // it was opened. That is safe exactly because the description holds no lock that the probe could replace.
        if owner.is_some() { Ok(true) } else { lock::is_exclusive(&self.file) }
    }

    fn map(&self) -> io::Result<Region> {
        map::map_file(&self.file)
    }

    fn extent(&self, offset: u64, len: usize, mapped: bool) -> io::Result<Window> {
        let whole = len > 0 && offset.is_multiple_of(EXTENT_UNIT) && (len as u64).is_multiple_of(EXTENT_UNIT);
        if !whole {
            return Err(invalid("an extent is made of whole pages"));
        }
        if mapped {
            return Ok(Window::Mapped(MappedExtent::new(&self.file, offset, len)?));
        }
        Ok(Window::Other(Box::new(BufferedExtent::new(Arc::clone(&self.file), offset, len)?)))
    }
}

/// Signals that arrive all the time must not make this an endless loop: a file system may begin anew after each.
#[cfg(target_os = "linux")]
const ALLOCATE_TRIES: usize = 100;

#[cfg(target_os = "linux")]
fn allocate(file: &fs::File, offset: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    for _ in 0..ALLOCATE_TRIES {
        return match fallocate(file, FallocateFlags::empty(), offset, len) {
            Ok(()) => Ok(()),
            Err(Errno::INTR) => continue,
            Err(e @ (Errno::OPNOTSUPP | Errno::NOSYS)) => Err(io::Error::new(io::ErrorKind::Unsupported, e)),
            Err(e @ Errno::NOSPC) => Err(io::Error::new(io::ErrorKind::StorageFull, e)),
            Err(e @ Errno::DQUOT) => Err(io::Error::new(io::ErrorKind::QuotaExceeded, e)),
            Err(e @ Errno::FBIG) => Err(io::Error::new(io::ErrorKind::FileTooLarge, e)),
            Err(e) => Err(e.into()),
        };
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "allocation was interrupted again and again"))
}

/// Elsewhere the part beyond the end is written as zeros. Holes before the end stay holes; nobody relies on them being
/// filled, because appends are not mapped there (`Fs::can_map_appends`).
#[cfg(not(target_os = "linux"))]
fn allocate(file: &fs::File, offset: u64, len: u64) -> io::Result<()> {
    let zeros = [0; 65536];
    let end = offset.saturating_add(len);
    let mut at = file.metadata()?.len();
    while at < end {
        let n = usize::try_from(end - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_all_at(zeros.get(..n).unwrap_or_default(), at)?;
        at = at.saturating_add(n as u64);
    }
    Ok(())
}

/// An extent without mapping: a copy in memory, written on demand. The memory is only ever what the file has or will
/// get; readers see it after `write_back` and `store_word`.
#[derive(Debug)]
struct BufferedExtent {
    file: Arc<fs::File>,
    offset: u64,
    bytes: Vec<u8>,
}

impl BufferedExtent {
    /// Loads what the file has in the range; the rest, if the file is shorter, is zeros.
    fn new(file: Arc<fs::File>, offset: u64, len: usize) -> io::Result<Self> {
        if offset.checked_add(len as u64).is_none_or(|end| end > i64::MAX as u64) {
            return Err(invalid("extent too long"));
        }
        let mut bytes = vec![0; len];
        read_full(&file, &mut bytes, offset)?;
        Ok(Self { file, offset, bytes })
    }
}

impl Extent for BufferedExtent {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn write_back(&mut self, start: usize, end: usize) -> io::Result<()> {
        let part = self.bytes.get(start..end).ok_or_else(|| invalid("range outside of the extent"))?;
        self.file.write_all_at(part, self.offset.saturating_add(start as u64))
    }

    fn store_word(&mut self, at: usize, value: u64) -> io::Result<()> {
        if !at.is_multiple_of(8) {
            return Err(invalid("word not aligned"));
        }
        let end = at.checked_add(8).ok_or_else(|| invalid("word outside of the extent"))?;
        let word = self.bytes.get_mut(at..end).ok_or_else(|| invalid("word outside of the extent"))?;
        // The file first: a word that could not be published must not look published in memory.
        self.file.write_all_at(&value.to_le_bytes(), self.offset.saturating_add(at as u64))?;
        word.copy_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn prefault(&mut self) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn two_handles() -> (tempfile::TempDir, OsFile, OsFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let open = || fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let (a, b) = (OsFile::new(open()), OsFile::new(open()));
        (dir, a, b)
    }

    #[test]
    fn a_lock_ends_with_its_file_though_an_extent_lives() {
        let (_dir, a, b) = two_handles();
        a.allocate(0, 8192).unwrap();
        let mapped = a.extent(0, 4096, true).unwrap();
        let buffered = a.extent(4096, 4096, false).unwrap();
        assert!(a.try_lock().unwrap());
        assert!(b.is_locked().unwrap());
        drop(a);
        assert!(!b.is_locked().unwrap());
        assert!(b.try_lock().unwrap());
        drop((mapped, buffered));
    }

    #[test]
    fn probing_does_not_keep_others_from_the_lock() {
        let (_dir, a, b) = two_handles();
        std::thread::scope(|scope| {
            let prober = scope.spawn(|| (0..20_000).filter(|_| b.is_locked().unwrap()).count());
            while !prober.is_finished() {
                assert!(a.try_lock().unwrap());
                let mut owner = a.owner();
                lock::release_if_owner(&a.file, owner.take().unwrap());
            }
        });
    }

    #[test]
    fn a_child_does_not_unlock_its_parent() {
        let (_dir, a, b) = two_handles();
        assert!(a.try_lock().unwrap());
        lock::release_if_owner(&a.file, std::process::id().wrapping_add(1));
        assert!(b.is_locked().unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn allocation_that_cannot_be_is_refused() {
        let (_dir, a, _) = two_handles();
        assert_eq!(a.allocate(1 << 62, 1 << 62).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let e = a.allocate(0, 1 << 61).unwrap_err().kind();
        assert!(matches!(e, io::ErrorKind::FileTooLarge | io::ErrorKind::StorageFull), "{e:?}");
        a.allocate(10, 0).unwrap();
        assert_eq!(a.len().unwrap(), 0);
    }
}
