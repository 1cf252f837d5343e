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

/// Makes a call again as long as signals interrupt it.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Reads by `read` until `buf` is full or the file ends. Above this nobody meets a short answer or EINTR: neither has
/// the simulated machine any.
fn read_full(
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    mut buf: &mut [u8],
    mut offset: u64,
) -> io::Result<usize> {
    let mut done = 0;
    // No file is longer than that, and the system would answer with an error instead of an end.
    while !buf.is_empty() && offset <= i64::MAX as u64 {
        match uninterrupted(|| read(buf, offset))? {
            0 => break,
            n => {
                done += n;
                offset = offset.saturating_add(n as u64);
                buf = buf.get_mut(n..).unwrap_or_default();
            }
        }
    }
    Ok(done)
}

/// Writes all of `bytes` by `write`, which may take a part at a time. After an error a beginning may have been written.
fn write_full(
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match uninterrupted(|| write(bytes, offset))? {
            // A device that takes nothing and has no error would be asked for ever.
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => {
                offset = offset.saturating_add(n as u64);
                bytes = bytes.get(n..).unwrap_or_default();
            }
        }
    }
    Ok(())
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
        read_full(|buf, offset| self.file.read_at(buf, offset), buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        check_limit(offset.saturating_add(bytes.len() as u64))?;
        write_full(|bytes, offset| self.file.write_at(bytes, offset), bytes, offset)
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
        uninterrupted(|| self.file.sync_data())
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
        write_full(|bytes, offset| file.write_at(bytes, offset), zeros.get(..n).unwrap_or_default(), at)?;
        at = at.saturating_add(n as u64);
    }
    Ok(())
}

/// An extent without mapping: memory that is written on demand. Readers see it after `write_back` and `store_word`.
#[derive(Debug)]
struct BufferedExtent {
    file: Arc<fs::File>,
    offset: u64,
    bytes: Vec<u8>,
}

impl BufferedExtent {
    fn new(file: Arc<fs::File>, offset: u64, len: usize) -> io::Result<Self> {
        if offset.checked_add(len as u64).is_none_or(|end| end > i64::MAX as u64) {
            return Err(invalid("extent too long"));
        }
        Ok(Self { file, offset, bytes: vec![0; len] })
    }

    fn write(&self, bytes: &[u8], at: usize) -> io::Result<()> {
        write_full(|bytes, offset| self.file.write_at(bytes, offset), bytes, self.offset.saturating_add(at as u64))
    }
}

impl Extent for BufferedExtent {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn write_back(&mut self, start: usize, end: usize) -> io::Result<()> {
        let part = self.bytes.get(start..end).ok_or_else(|| invalid("range outside of the extent"))?;
        self.write(part, start)
    }

    fn store_word(&mut self, at: usize, value: u64) -> io::Result<()> {
        if !at.is_multiple_of(8) {
            return Err(invalid("word not aligned"));
        }
        let end = at.checked_add(8).ok_or_else(|| invalid("word outside of the extent"))?;
        if end > self.bytes.len() {
            return Err(invalid("word outside of the extent"));
        }
        // The file first: a word that could not be published must not look published in memory.
        self.write(&value.to_le_bytes(), at)?;
        if let Some(word) = self.bytes.get_mut(at..end) {
            word.copy_from_slice(&value.to_le_bytes());
        }
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

    /// A device that answers by a script: an error, or so many bytes at most.
    fn scripted(answers: Vec<io::Result<usize>>) -> impl FnMut(usize) -> io::Result<usize> {
        let mut answers = answers.into_iter();
        move |len| answers.next().expect("one more call").map(|most| most.min(len))
    }

    #[test]
    fn signals_and_short_answers_are_gone_on_with() {
        let signal = || Err(io::ErrorKind::Interrupted.into());
        let file: Vec<u8> = (0..100).collect();

        let mut answer = scripted(vec![signal(), Ok(3), Ok(1), signal(), signal(), Ok(100)]);
        let mut places = Vec::new();
        let mut buf = [0; 20];
        let read = |buf: &mut [u8], offset: u64| {
            places.push(offset);
            let n = answer(buf.len())?;
            buf[..n].copy_from_slice(&file[offset as usize..][..n]);
            Ok(n)
        };
        assert_eq!(read_full(read, &mut buf, 10).unwrap(), 20);
        assert_eq!(buf, file[10..30]);
        assert_eq!(places, [10, 10, 13, 14, 14, 14]);

        let mut answer = scripted(vec![Ok(2), signal(), Ok(0)]);
        assert_eq!(read_full(|buf, _| answer(buf.len()), &mut buf, 10).unwrap(), 2);

        let mut answer = scripted(vec![signal(), Ok(3), signal(), Ok(1), Ok(100)]);
        let mut written = [0; 100];
        let write = |bytes: &[u8], offset: u64| {
            let n = answer(bytes.len())?;
            written[offset as usize..][..n].copy_from_slice(&bytes[..n]);
            Ok(n)
        };
        write_full(write, &file[10..30], 10).unwrap();
        assert_eq!(written[10..30], file[10..30]);
        assert!(written[..10].iter().chain(&written[30..]).all(|byte| *byte == 0));

        let mut answer = scripted(vec![signal(), signal(), Ok(7)]);
        assert_eq!(uninterrupted(|| answer(7)).unwrap(), 7);
    }

    #[test]
    fn other_errors_and_silence_end_a_call() {
        let failed = || Err(io::ErrorKind::StorageFull.into());
        let mut buf = [0; 20];
        let mut answer = scripted(vec![Ok(3), failed()]);
        let error = read_full(|buf, _| answer(buf.len()), &mut buf, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let mut answer = scripted(vec![Ok(3), failed()]);
        let error = write_full(|bytes, _| answer(bytes.len()), &buf, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let mut answer = scripted(vec![Ok(3), Ok(0)]);
        let error = write_full(|bytes, _| answer(bytes.len()), &buf, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let mut never = scripted(Vec::new());
        write_full(|bytes, _| never(bytes.len()), &[], 0).unwrap();
        assert_eq!(read_full(|buf, _| never(buf.len()), &mut [], 0).unwrap(), 0);
        assert_eq!(read_full(|buf, _| never(buf.len()), &mut buf, u64::MAX).unwrap(), 0);
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
