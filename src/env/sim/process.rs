//! What a simulated process holds: its view of the file system, its open files, extents, locks and clock.
//!
//! Every object carries the id of its process; when that was killed, each call fails and dropping does nothing.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::node::BLOCK;
use super::state::{Apply, State};
use super::tree::{Ino, Node};
use super::{Op, ReadOp, SimDisk};
use crate::env::sync::{Mutex, PoisonError, thread};
use crate::env::{Clock, DirEntry, Extent, File, FileKind, Fs, Lock, Metadata, Region, Window};

/// Real time after which a lock that nobody gives back counts as a deadlock of the test.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

pub(super) struct SimFs {
    pub(super) disk: SimDisk,
    pub(super) pid: u64,
}

impl SimFs {
    fn mutate<T>(&self, op: Op, call: impl FnOnce(&mut State, Apply) -> io::Result<T>) -> io::Result<T> {
        self.disk.state().mutate(self.pid, op, call)
    }

    fn open_file(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn File>> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Open)?;
        let ino = state.tree.resolve(path)?;
        state.tree.file(ino)?;
        if let Some(kind) = state.refused.get(path) {
            return Err(error(*kind));
        }
        Ok(Arc::new(self.handle(&mut state, ino, writable)))
    }

    /// Not to be dropped while `state` is locked: a handle locks it to close itself.
    fn handle(&self, state: &mut State, ino: Ino, writable: bool) -> SimFile {
        let id = state.open(self.pid, ino);
        let told = state.tree.file(ino).map_or(0, |file| file.failed_syncs);
        SimFile { disk: self.disk.clone(), pid: self.pid, ino, id, writable, told: Arc::new(Mutex::new(told)) }
    }
}

impl Fs for SimFs {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.mutate(Op::CreateDir, |state, _| state.tree.create_dir_all(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::ReadDir)?;
        let kind = |ino| if state.tree.file(ino).is_ok() { FileKind::File } else { FileKind::Dir };
        Ok(state.tree.entries(path)?.into_iter().map(|(name, ino)| DirEntry { name, kind: kind(ino) }).collect())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Metadata)?;
        match state.tree.nodes.get(&state.tree.resolve(path)?) {
            None => Err(error(io::ErrorKind::NotFound)),
            Some(Node::Dir(_)) => Ok(Metadata { kind: FileKind::Dir, len: 0, allocated: 0, modified_ns: 0 }),
            Some(Node::File(file)) => Ok(Metadata {
                kind: FileKind::File,
                len: file.len(),
                allocated: file.blocks.len() as u64 * BLOCK,
                modified_ns: i64::try_from(file.modified_us.saturating_mul(1000)).unwrap_or(i64::MAX),
            }),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.open_file(path, false)
    }

    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.open_file(path, true)
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.disk.state();
        let ino = state.mutate(self.pid, Op::Create, |state, _| {
            let now = state.now_us();
            state.tree.create_file(path, now)
        })?;
        Ok(Arc::new(self.handle(&mut state, ino, true)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mutate(Op::Rename, |state, _| state.tree.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.mutate(Op::Remove, |state, apply| match apply {
            // One removal happens or does not.
            Apply::Part(part) if part < 128 => Ok(()),
            _ => state.tree.remove_file(path),
        })
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.mutate(Op::Remove, |state, _| state.tree.remove_dir(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.mutate(Op::Remove, |state, apply| state.tree.remove_dir_all(path, apply.of(256) as u64))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.mutate(Op::SyncDir, |state, _| state.sync_dir(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let start = Instant::now();
        loop {
            if let Some(lock) = self.try_lock(path)? {
                return Ok(lock);
            }
            if start.elapsed() > LOCK_PATIENCE {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "nobody gives the lock back: a deadlock"));
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Open)?;
        let ino = match state.tree.resolve(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => state.mutate(self.pid, Op::Create, |state, _| {
                let now = state.now_us();
                state.tree.create_file(path, now)
            })?,
            found => found?,
        };
        state.tree.file(ino)?;
        let id = state.open(self.pid, ino);
        match state.take_lock(id, ino) {
            Ok(true) => Ok(Some(Box::new(SimLock { disk: self.disk.clone(), id }))),
            other => {
                state.close(id);
                other.map(|_| None)
            }
        }
    }

    fn can_map_appends(&self, _path: &Path) -> bool {
        self.disk.state().mappable
    }
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFs(process {})", self.pid)
    }
}

/// The lock of a lock file.
struct SimLock {
    disk: SimDisk,
    id: u64,
}

impl Lock for SimLock {}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimLock({})", self.id)
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().close(self.id);
    }
}

struct SimFile {
    disk: SimDisk,
    pid: u64,
    ino: Ino,
    id: u64,
    writable: bool,
    /// Of how many failed syncs of the file this handle was told, or that were before it.
    told: Arc<Mutex<u64>>,
}

impl SimFile {
    fn change<T>(&self, op: Op, call: impl FnOnce(&mut State, Apply) -> io::Result<T>) -> io::Result<T> {
        if !self.writable {
            return Err(error(io::ErrorKind::PermissionDenied));
        }
        self.disk.state().mutate(self.pid, op, call)
    }
}

/// Refuses what no file can be as long as.
fn check_end(offset: u64, len: u64) -> io::Result<()> {
    match offset.checked_add(len) {
        Some(end) if end <= i64::MAX as u64 => Ok(()),
        _ => Err(error(io::ErrorKind::FileTooLarge)),
    }
}

/// The clock of the machine, as its processes see it. A killed process may still ask: time has no errors.
#[derive(Debug)]
pub(super) struct SimClock {
    pub(super) disk: SimDisk,
}

impl Clock for SimClock {
    fn now_us(&self) -> u64 {
        let mut state = self.disk.state();
        state.ticks += 1;
        state.now_us()
    }

    fn monotonic_us(&self) -> u64 {
        let mut state = self.disk.state();
        state.ticks += 1;
        state.ticks
    }

    fn random(&self) -> u64 {
        self.disk.state().entropy.next()
    }

    fn boot_id(&self) -> [u8; 16] {
        self.disk.state().boot
    }
}

/// Copies what the file has from `offset` on.
fn read(state: &mut State, ino: Ino, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let data = &state.tree.file(ino)?.data;
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    let n = buf.len().min(data.len() - start);
    buf[..n].copy_from_slice(&data[start..start + n]);
    state.flip_brought(&mut buf[..n]);
    Ok(n)
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Len)?;
        Ok(state.tree.file(self.ino)?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Read)?;
        read(&mut state, self.ino, buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        check_end(offset, bytes.len() as u64)?;
        self.change(Op::Write, |state, apply| state.write(self.ino, offset, &bytes[..apply.of(bytes.len())]))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        check_end(len, 0)?;
        self.change(Op::SetLen, |state, _| state.set_len(self.ino, len))
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        check_end(offset, len)?;
        if len == 0 {
            return Ok(());
        }
        self.change(Op::Allocate, |state, _| state.allocate(self.ino, offset, len))
    }

    fn sync(&self) -> io::Result<()> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.disk.state().mutate(self.pid, Op::Sync, |state, apply| state.sync(self.ino, &mut told, apply))
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Lock)?;
        state.take_lock(self.id, self.ino)
    }

    fn is_locked(&self) -> io::Result<bool> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Lock)?;
        Ok(state.lock_holder(self.ino)?.is_some())
    }

    fn map(&self) -> io::Result<Region> {
        let mut state = self.disk.state();
        state.look(self.pid, ReadOp::Map)?;
        let file = state.tree.file_mut(self.ino)?;
        file.frozen = file.frozen.max(file.len());
        Ok(Region::from_vec(file.data.clone()))
    }

    fn extent(&self, offset: u64, len: usize, mapped: bool) -> io::Result<Window> {
        if len == 0 || !offset.is_multiple_of(BLOCK) || !(len as u64).is_multiple_of(BLOCK) {
            return Err(error(io::ErrorKind::InvalidInput));
        }
        check_end(offset, len as u64).map_err(|_| error(io::ErrorKind::InvalidInput))?;
        let mut state = self.disk.state();
        let mut bytes = vec![0; len];
        if mapped {
            state.look(self.pid, ReadOp::Map)?;
            if !self.writable {
                return Err(error(io::ErrorKind::PermissionDenied));
            }
            let there = state.tree.file(self.ino)?.data.get(offset as usize..offset as usize + len);
            bytes.copy_from_slice(there.ok_or_else(|| error(io::ErrorKind::InvalidInput))?);
        }
        let id = state.open(self.pid, self.ino);
        let told = Arc::clone(&self.told);
        let file = Self { disk: self.disk.clone(), pid: self.pid, ino: self.ino, id, writable: self.writable, told };
        Ok(Window::Other(Box::new(SimExtent { file, offset, bytes, mapped })))
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile(process {}, inode {})", self.pid, self.ino)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.state().close(self.id);
    }
}

/// A private buffer that is copied into the file. Mapped or not makes two differences: stores into a mapping cannot
/// fail for want of space (they must find allocated blocks, else the test panics where a real process would get
/// SIGBUS), and the fault plan does not fail them.
struct SimExtent {
    /// A handle of its own, so that the inode stays while the extent lives; it holds no lock.
    file: SimFile,
    offset: u64,
    bytes: Vec<u8>,
    mapped: bool,
}

impl SimExtent {
    /// Copies `start..end` of the buffer into the file. `whole`: all of it or nothing, also when the process is killed
    /// at it; of other stores a beginning may get there.
    fn store(&self, start: usize, end: usize, whole: bool) -> io::Result<()> {
        let part = self.bytes.get(start..end).ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        let (ino, at) = (self.file.ino, self.offset + start as u64);
        let applied = |apply: Apply| {
            let apply = match apply {
                Apply::Part(n) if whole => Apply::Part(if n < 128 { 0 } else { 256 }),
                apply => apply,
            };
            &part[..apply.of(part.len())]
        };
        if !self.mapped {
            return self.file.change(Op::Write, |state, apply| state.write(ino, at, applied(apply)));
        }
        self.file.change(Op::Store, |state, apply| {
            let part = applied(apply);
            let end = at + part.len() as u64;
            let file = state.tree.file_mut(ino)?;
            assert!(end <= file.len(), "store into a mapping beyond the end of its file (SIGBUS)");
            assert!(file.missing_blocks(at, end).next().is_none(), "store into a mapping without blocks (SIGBUS)");
            state.write(ino, at, part)
        })
    }
}

impl fmt::Debug for SimExtent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimExtent({:?} at {}, {} bytes)", self.file, self.offset, self.bytes.len())
    }
}

impl Extent for SimExtent {
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn write_back(&mut self, start: usize, end: usize) -> io::Result<()> {
        self.store(start, end, false)
    }

    fn store_word(&mut self, at: usize, value: u64) -> io::Result<()> {
        let end = at.checked_add(8).filter(|&end| at.is_multiple_of(8) && end <= self.bytes.len());
        let end = end.ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        let before = self.bytes[at..end].to_vec();
        self.bytes[at..end].copy_from_slice(&value.to_le_bytes());
        let stored = self.store(at, end, true);
        if stored.is_err() {
            self.bytes[at..end].copy_from_slice(&before);
        }
        stored
    }

    fn prefault(&mut self) {}
}
