//! The outside world: files, time and randomness. Knows no format.
//!
//! Everything above reaches a disk only through [`Fs`] and [`File`], a clock only through [`Clock`]. Real files are in
//! `os.rs`, the mapping of memory in `map.rs` (the only `unsafe` code of the engine), the simulated disk of the tests
//! in `sim/`.

mod map;
mod os;
mod region;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod sim;
pub(crate) mod sync;

pub(crate) use region::Region;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a directory entry or path is. A symbolic link is never followed and counts as `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    File,
    Dir,
    Other,
}

/// One entry of a directory. Names that are not UTF-8 are left out of listings: the store never makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirEntry {
    pub(crate) name: String,
    pub(crate) kind: FileKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) kind: FileKind,
    /// Length in bytes; 0 for a folder.
    pub(crate) len: u64,
    /// Bytes the file really occupies on the medium (blocks x 512).
    pub(crate) allocated: u64,
    /// Last modification in nanoseconds since the Unix epoch.
    pub(crate) modified_ns: i64,
}

/// Lets the calling thread take a core only when others leave one free, or nearly so. Where threads have no priority of
/// their own nothing happens.
pub(crate) fn give_way() {
    os::give_way();
}

/// A file system. Object-safe; one instance is shared by all parts of a store.
pub(crate) trait Fs: Debug + Send + Sync {
    /// Creates the folder and all missing parents. Not durable until the parents are synced.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// All entries, in no particular order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Does not follow a symbolic link.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Opens an existing regular file for reading only. A symbolic link is refused.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens an existing regular file for reading and writing.
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Creates a file that must not exist, for reading and writing.
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Renames a file or folder, atomically replacing a file of the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder in which there is nothing; `DirectoryNotEmpty` when there is something.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all below it; links are removed, not followed.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of the folder (creations, renames, removals) durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Opens (creating it if need be) the file at `path` and waits for its exclusive advisory lock. The lock ends
    /// with the value or the process. An open file system without locks answers `Unsupported`.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
    /// Like [`Fs::lock`], but `None` at once when another holds it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
    /// True when files below `path` can be mapped shared and preallocated such that storing into the mapping cannot
    /// fail for want of space: false on network, FUSE and copy-on-write file systems, which get plain writes.
    fn can_map_appends(&self, path: &Path) -> bool;
    /// The longest file, in bytes, that this process may make.
    fn longest_file(&self) -> u64 {
        u64::MAX
    }
}

/// Holds an advisory lock until dropped.
pub(crate) trait Lock: Debug + Send + Sync {}

/// An open file. All methods take `&self`: positions are explicit.
pub(crate) trait File: Debug + Send + Sync {
    fn len(&self) -> io::Result<u64>;
    /// Reads until `buf` is full or the file ends; returns the number of bytes read. Retries EINTR.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`. Retries EINTR and short writes. After an error a beginning of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Part of the contract that the simulated disk is held to; the engine itself never cuts or grows a file so.
    #[cfg_attr(not(test), allow(dead_code, reason = "called by the contract tests"))]
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes sure that `offset..offset + len` has blocks of its own on the medium, growing the file (with zeros) when
    /// it is shorter. `StorageFull` when there is no room; `Unsupported` when the file system cannot promise it.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Makes content, length and allocation durable (fdatasync; pages dirtied through a mapping included).
    fn sync(&self) -> io::Result<()>;
    /// Takes the exclusive advisory lock of the open file without waiting; false when another open file has it. Held
    /// until the file is closed (all clones of the `Arc` dropped; extents and maps do not count) or the process and all
    /// children it forked meanwhile end. Probes of [`File::is_locked`] are waited out; `ResourceBusy` if endless.
    fn try_lock(&self) -> io::Result<bool>;
    /// Whether some open file (of this or any other process) holds the exclusive lock. Keeps none itself.
    fn is_locked(&self) -> io::Result<bool>;
    /// The whole file as immutable bytes. Only for files of which nothing that is there now is ever written again: at
    /// most something is appended.
    fn map(&self) -> io::Result<Region>;
    /// An area `offset..offset + len` of the file to append to. The area must have been allocated; `offset` and `len`
    /// are multiples of 4096. `mapped` says whether to map it or to go through `write_at`; then its memory begins as
    /// zeros whatever lies there, and nothing is read: what came back wrong would be written where records are to be.
    fn extent(&self, offset: u64, len: usize, mapped: bool) -> io::Result<Window>;
}

/// A piece of a log that its one writer fills: memory to store into, and the moment at which it counts.
///
/// A mapped extent needs no call to the system: what is stored is in the file's pages. An extent without mapping
/// buffers stores until `write_back`.
pub(crate) trait Extent: Debug + Send {
    /// The memory of the extent, as long as the extent. Zeros where nothing was written yet; without mapping, by it.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Brings the bytes `start..end` of the extent into the file's pages (nothing to do for a mapping).
    fn write_back(&mut self, start: usize, end: usize) -> io::Result<()>;
    /// Stores `value` (little-endian) at `at` (a multiple of 8) of the extent in one piece that no reader can see half
    /// of, after all earlier stores (release order). Without mapping, what was not written back is not in
    /// the file before it: call [`Extent::write_back`] first.
    fn store_word(&mut self, at: usize, value: u64) -> io::Result<()>;
    /// Touches the pages of the extent ahead of need, so that the appender does not fault.
    fn prefault(&mut self);
}

/// An extent that somebody holds. The mapped one of the real machine is called without indirection: every log call
/// goes through it, and is not much longer than such a call.
#[derive(Debug)]
pub(crate) enum Window {
    Mapped(map::MappedExtent),
    Other(Box<dyn Extent>),
}

impl Window {
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(extent) => extent.bytes_mut(),
            Self::Other(extent) => extent.bytes_mut(),
        }
    }

    #[inline]
    pub(crate) fn write_back(&mut self, start: usize, end: usize) -> io::Result<()> {
        match self {
            Self::Mapped(extent) => extent.write_back(start, end),
            Self::Other(extent) => extent.write_back(start, end),
        }
    }

    #[inline]
    pub(crate) fn store_word(&mut self, at: usize, value: u64) -> io::Result<()> {
        match self {
            Self::Mapped(extent) => extent.store_word(at, value),
            Self::Other(extent) => extent.store_word(at, value),
        }
    }

    pub(crate) fn prefault(&mut self) {
        match self {
            Self::Mapped(extent) => extent.prefault(),
            Self::Other(extent) => extent.prefault(),
        }
    }
}

/// Time.
pub(crate) trait Clock: Debug + Send + Sync {
    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> u64;
    /// Microseconds of a clock that never goes back, for intervals.
    fn monotonic_us(&self) -> u64;
    /// 64 unpredictable bits: ids and salts.
    fn random(&self) -> u64;
    /// 128 of them.
    fn random_id(&self) -> [u8; 16] {
        let number = u128::from(self.random()) << 64 | u128::from(self.random());
        number.to_le_bytes()
    }
    /// Names this boot of the machine, so that a log knows whether the page cache it was written to is still there.
    /// All zeros when the system has no such name: then it equals no boot, not even one of zeros.
    fn boot_id(&self) -> [u8; 16];
}

/// Files and time together, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Env {
    /// The machine this process runs on.
    pub(crate) fn real() -> Self {
        Self { fs: Arc::new(os::OsFs), clock: Arc::new(os::OsClock::new()) }
    }
}
