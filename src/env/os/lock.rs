//! Advisory locks of whole files (`flock`), as `std::fs::File` offers them.
//!
//! Such a lock belongs to the open file description: two opens of one file exclude each other even in one process, and
//! a forked child shares the lock of its parent. Therefore a lock is given up explicitly by the process that took it,
//! and by no other: a child that drops its copy must not unlock the parent, and a mapping or a child that still holds
//! the description must not keep a lock whose owner has let go.
//!
//! To ask whether a file is locked, a shared lock is tried and given back at once. For that moment another's attempt
//! at the exclusive lock fails; [`try_exclusive`] sees that there is no exclusive holder and tries again.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::super::Lock;

/// How long momentary shared locks are waited out. A count of attempts would not do: a prober that is put to sleep
/// while it holds its lock (80 ms were measured on a busy machine) outlasts any count that is quick.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so many attempts the prober is probably asleep: sleep, too, instead of only yielding.
const TRIES_WITHOUT_SLEEP: u32 = 16;

/// Names the failures that mean "no locks here" `Unsupported`.
fn lock_error(e: io::Error) -> io::Error {
    let none = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS];
    if none.iter().any(|errno| e.raw_os_error() == Some(errno.raw_os_error())) {
        return io::Error::new(io::ErrorKind::Unsupported, e);
    }
    e
}

/// Turns the three outcomes of an attempt into two and an error.
fn attempt(mut lock: impl FnMut() -> Result<(), TryLockError>) -> io::Result<bool> {
    loop {
        match lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(e)) => return Err(lock_error(e)),
        }
    }
}

fn release(file: &File) -> io::Result<()> {
    file.unlock().map_err(lock_error)
}

/// Waits for the exclusive lock.
pub(super) fn wait_exclusive(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(lock_error),
        }
    }
}

/// Takes the exclusive lock if no other open file has it. Momentary shared locks of [`is_exclusive`] are waited out; an
/// error (`ResourceBusy`) when they do not end, because "somebody has it" would be untrue.
pub(super) fn try_exclusive(file: &File) -> io::Result<bool> {
    let mut tries = 0_u32;
    let mut start = None;
    loop {
        if attempt(|| file.try_lock())? {
            return Ok(true);
        }
        if is_exclusive(file)? {
            return Ok(false);
        }
        if start.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "a shared lock on the file does not end"));
        }
        tries = tries.saturating_add(1);
        if tries < TRIES_WITHOUT_SLEEP { thread::yield_now() } else { thread::sleep(Duration::from_micros(100)) }
    }
}

/// Whether another open file holds the exclusive lock. `file` must hold no lock: it would lose it.
pub(super) fn is_exclusive(file: &File) -> io::Result<bool> {
    if attempt(|| file.try_lock_shared())? {
        release(file)?;
        return Ok(false);
    }
    Ok(true)
}

/// Gives an exclusive lock back if the process that took it is this one. Called on drop: there is nobody to tell of a
/// failure, and the lock then ends with the last descriptor.
pub(super) fn release_if_owner(file: &File, owner: u32) {
    if owner == std::process::id() {
        let _ = release(file);
    }
}

/// The lock of a lock file, held until dropped.
#[derive(Debug)]
pub(super) struct OsLock {
    file: File,
    owner: u32,
}

impl OsLock {
    /// `file` holds the exclusive lock already.
    pub(super) fn new(file: File) -> Self {
        Self { file, owner: std::process::id() }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Lock for OsLock {}

impl Drop for OsLock {
    fn drop(&mut self) {
        release_if_owner(&self.file, self.owner);
    }
}
