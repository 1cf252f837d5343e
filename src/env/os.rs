//! The machine this process runs on: real files ([`OsFs`]) and real time ([`OsClock`]).
//!
//! Nothing is cached: every call asks the system. Files are opened without following a symbolic link in the last
//! component and without blocking on a FIFO, and only regular files are accepted, so that what lies in a store's folder
//! can neither redirect nor hang the store. Folders above may be links; a caller that wants its root to be a link
//! resolves it once (`std::fs::canonicalize`) before.

mod clock;
mod file;
mod lock;

pub(super) use clock::OsClock;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{DirEntry, File, FileKind, Fs, Lock, Metadata};
use file::OsFile;
use lock::OsLock;

/// How often [`Fs::lock`] begins anew because the lock file was replaced while it waited.
const LOCK_FILE_TRIES: usize = 100;

/// The file system of the operating system.
#[derive(Debug)]
pub(super) struct OsFs;

/// A ninth of the share of a thread of common priority, when both want the same core.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Linux keeps the priority by thread, other systems by process. A refusal changes nothing but speed.
pub(super) fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// The limit that this process has now (`ulimit -f`), which may be changed from outside at any time.
fn longest_file() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Flags for every open: no link, no waiting for the other end of a FIFO (harmless for regular files).
fn careful_flags() -> i32 {
    // The bits fit: they are those of a C int.
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// Opens a regular file and refuses everything else.
fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<fs::File> {
    let file = options.custom_flags(careful_flags()).open(path).map_err(|e| {
        if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
            return io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link is not followed");
        }
        e
    })?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

fn open_lock_file(path: &Path) -> io::Result<fs::File> {
    open_regular(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
}

/// Whether `path` still names the open file: a lock on a file that was removed or replaced protects nothing.
fn still_named(file: &fs::File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(ours.dev() == named.dev() && ours.ino() == named.ino()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Dir
    } else {
        FileKind::Other
    }
}

impl Fs for OsFs {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.file_type() {
                Ok(kind) => entries.push(DirEntry { name, kind: kind_of(kind) }),
                // Where the listing itself gives no type it takes a second look, and the entry may be gone by then.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let found = fs::symlink_metadata(path)?;
        let kind = kind_of(found.file_type());
        Ok(Metadata {
            kind,
            len: if kind == FileKind::Dir { 0 } else { found.len() },
            allocated: found.blocks().saturating_mul(512),
            modified_ns: found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec()),
        })
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(OsFile::new(open_regular(path, OpenOptions::new().read(true))?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(OsFile::new(open_regular(path, OpenOptions::new().read(true).write(true))?)))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = open_regular(path, OpenOptions::new().read(true).write(true).create_new(true))?;
        Ok(Arc::new(OsFile::new(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let dir = OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed()).open(path)?;
        match dir.sync_all() {
            // Some file systems (CIFS, a few FUSE ones) know no fsync of a folder; there is nothing more to be had.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        for _ in 0..LOCK_FILE_TRIES {
            let file = open_lock_file(path)?;
            lock::wait_exclusive(&file)?;
            let held = OsLock::new(file);
            if still_named(held.file(), path)? {
                return Ok(Box::new(held));
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "the lock file was replaced again and again"))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        for _ in 0..LOCK_FILE_TRIES {
            let file = open_lock_file(path)?;
            if !lock::try_exclusive(&file)? {
                return Ok(None);
            }
            let held = OsLock::new(file);
            if still_named(held.file(), path)? {
                return Ok(Some(Box::new(held)));
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "the lock file was replaced again and again"))
    }

    fn can_map_appends(&self, path: &Path) -> bool {
        maps_appends(path)
    }

    fn longest_file(&self) -> u64 {
        longest_file()
    }
}

/// Local file systems that write allocated blocks in place: there, storing into a mapping of allocated blocks needs no
/// new space. All others are refused: network and FUSE file systems (stores can fail long after), copy-on-write ones
/// (btrfs, zfs, bcachefs: every store needs a new block), and overlayfs, which hides what it stands on. xfs shares
/// blocks only of files that somebody cloned (`cp --reflink`), which nobody does with a log that is being written.
#[cfg(target_os = "linux")]
fn maps_appends(path: &Path) -> bool {
    /// ext2, ext3 and ext4 share one number.
    const EXT_SUPER_MAGIC: u32 = 0xEF53;
    const XFS_SUPER_MAGIC: u32 = 0x5846_5342;
    const TMPFS_MAGIC: u32 = 0x0102_1994;
    // The width and sign of `f_type` differ between machines; the magic is its low 32 bits everywhere.
    let magic = rustix::fs::statfs(path).map(|found| found.f_type as u32);
    matches!(magic, Ok(EXT_SUPER_MAGIC | XFS_SUPER_MAGIC | TMPFS_MAGIC))
}

/// Without `fallocate` nothing promises blocks of its own to a file.
#[cfg(not(target_os = "linux"))]
fn maps_appends(_path: &Path) -> bool {
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        OsFs.create_new(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(OsFs.open(&link).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(OsFs.open_write(&link).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(OsFs.lock(&link).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(OsFs.metadata(&link).unwrap().kind, FileKind::Other);
        assert_eq!(OsFs.open(dir.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        #[cfg(target_os = "linux")]
        assert_eq!(OsFs.open(Path::new("/dev/null")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(OsFs.read_dir(dir.path()).unwrap().contains(&DirEntry { name: "link".into(), kind: FileKind::Other }));
    }

    #[test]
    fn a_removed_lock_file_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = open_lock_file(&path).unwrap();
        assert!(still_named(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!still_named(&file, &path).unwrap());
        let _held = OsFs.lock(&path).unwrap();
        assert!(!still_named(&file, &path).unwrap());
        assert!(OsFs.try_lock(&path).unwrap().is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn mapping_is_allowed_by_name_only() {
        assert!(!OsFs.can_map_appends(Path::new("/proc")));
        assert!(!OsFs.can_map_appends(Path::new("/no/such/folder")));
    }
}
