//! A simulated machine for tests: files, processes, faults, crashes and time, all decided by a seed.
//!
//! [`SimDisk`] is the machine, [`SimDisk::process`] starts a process on it and gives its [`Env`]. What processes write
//! they see of each other at once (the page cache); a kill loses nothing of it; a power loss loses what the rules of
//! `node.rs` (content) and `tree.rs` (names) allow. Paths count from the root `/`; links do not exist.
//!
//! Changing calls are counted ([`SimDisk::calls`]), those of [`Op`]; [`SimDisk::crash_at`] and [`SimDisk::fail_after`]
//! name them by that count, so that a test can go through every one:
//!
//! ```text
//! for n in 1.. { let disk = ...; disk.crash_at(n, Crash::Torn); run(&disk.process()); ... until it never struck }
//! ```
//!
//! Calls that only look ([`ReadOp`]) have a count of their own ([`SimDisk::looks`]), so that a store that looks once more
//! has the same crashes. They fail by [`SimDisk::fail_look`], and bytes come back with a bit flipped by
//! [`SimDisk::flip_read`], though the medium is good. Of a medium that is not good there are three kinds: rot
//! ([`SimDisk::flip`]), a lost write, which leaves a sector as it durably was before ([`SimDisk::lose_write`]), and a
//! misdirected one, which puts the content of one sector in the place of another ([`SimDisk::misdirect`]).
//!
//! The machine stands above the interruptions (EINTR) and short answers of real calls: `os/file.rs` goes on with those
//! below the `File` trait, whose reads and writes are whole or fail, and tests that by itself. What a failed write or
//! removal, or one in which a process was killed, may have done in part is modelled here.
//!
//! What the machine finds wrong in the store itself is a panic: a store into mapped memory without blocks (SIGBUS), a
//! write to a file that was mapped as immutable.
//!
//! One mutex guards the whole machine; its threads may run freely. With one thread a seed gives one history.

#![cfg_attr(not(test), allow(dead_code, reason = "the feature `testing` uses a part; the unit tests use all"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test equipment: a wrong use of it, or a wrong store, ends the test"
)]

mod crash;
mod node;
mod process;
mod rng;
mod state;
mod tree;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sync::{Mutex, MutexGuard, PoisonError};
use super::{Env, Fs};
use node::FileNode;
use process::{SimClock, SimFs};
pub(crate) use rng::Rng;
use state::{Blow, State};
use tree::Node;

/// The kinds of changing calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    CreateDir,
    /// `create_new`, and the creation of a lock file.
    Create,
    Rename,
    Remove,
    SyncDir,
    /// `write_at`, and both stores of an extent without mapping.
    Write,
    SetLen,
    Allocate,
    Sync,
    /// Both stores of a mapped extent. They can be the last deed of a killed process, but never fail.
    Store,
}

/// The kinds of calls that only look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadOp {
    /// `open`, `open_write`, and the opening of a lock file.
    Open,
    /// `read_at`.
    Read,
    /// `map`, and the mapping of an extent.
    Map,
    Metadata,
    ReadDir,
    Len,
    /// `try_lock` and `is_locked` of an open file.
    Lock,
}

/// What becomes of the call at which a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Nothing of it takes place.
    Before,
    /// All of it takes place, nobody is told.
    After,
    /// A beginning of it takes place (writes, removals of whole folders); other calls happen or not, by chance.
    Torn,
}

/// How much of what was not synced a power loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// One of the others by chance, mostly `Mixed`.
    Random,
    AllLost,
    AllKept,
    /// By chance for each file, sector, length and name.
    Mixed,
}

/// A simulated machine. Clones are the same machine; [`SimDisk::fork`] makes another one.
#[derive(Clone)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(seed))) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of the machine is meant for the test; what comes after it (drops) must still find the machine.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process.
    pub(crate) fn process(&self) -> Env {
        let mut state = self.state();
        let pid = state.fresh_id();
        state.processes.insert(pid, true);
        let fs: Arc<dyn Fs> = Arc::new(SimFs { disk: self.clone(), pid });
        state.views.retain(|(view, _)| view.strong_count() > 0);
        state.views.push((Arc::downgrade(&fs), pid));
        Env { fs, clock: Arc::new(SimClock { disk: self.clone() }) }
    }

    /// Kills the process: its calls fail from now on, its extents have no effect, its locks are released. What it wrote
    /// stays.
    pub(crate) fn kill(&self, process: &Env) {
        let mut state = self.state();
        let pid = state.pid_of(process).expect("not a process of this machine");
        state.kill(pid);
    }

    /// Kills all processes and leaves what a power loss may leave. The next boot has another boot id. Plans of faults
    /// and crashes end.
    pub(crate) fn power_loss(&self) {
        self.power_loss_with(Loss::Random);
    }

    pub(crate) fn power_loss_with(&self, loss: Loss) {
        let mut state = self.state();
        state.clear_plans();
        state.power_loss(loss);
    }

    /// A copy of the machine as it is, without its processes, with chances of its own: to try many ends of one history.
    /// Boot id and page cache are the same, so it is the machine after a kill of everybody.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        let mut state = self.state().clone();
        state.kill_all();
        state.clear_plans();
        state.views.clear();
        state.rng = Rng::new(seed);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// How many changing calls living processes have made.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The `n`-th changing call from now (1 = the next one) kills the process that makes it. A later plan replaces it.
    pub(crate) fn crash_at(&self, n: u64, crash: Crash) {
        self.state().plan_crash(n, crash);
    }

    /// The `n`-th changing call from now (1 = the next one) fails with `kind`, once. Stores into mapped extents are not
    /// counted. A write may have written its beginning. A sync that fails marks what was dirty as clean without making
    /// it durable: it never becomes so unless written again. The next sync through each other handle that is open says so.
    pub(crate) fn fail_after(&self, n: u64, kind: io::ErrorKind) {
        self.state().plan_fault(n, None, kind);
    }

    /// Like [`SimDisk::fail_after`], counting the calls of one kind only.
    pub(crate) fn fail_op(&self, op: Op, n: u64, kind: io::ErrorKind) {
        self.state().plan_fault(n, Some(op), kind);
    }

    /// How many calls that only look living processes have made.
    pub(crate) fn looks(&self) -> u64 {
        self.state().looks
    }

    /// The `n`-th call from now that only looks (1 = the next one) fails with `kind`, once.
    pub(crate) fn fail_look(&self, n: u64, kind: io::ErrorKind) {
        self.state().plan_look(n, None, Blow::Error(kind));
    }

    /// Like [`SimDisk::fail_look`], counting the calls of one kind only.
    pub(crate) fn fail_read_op(&self, op: ReadOp, n: u64, kind: io::ErrorKind) {
        self.state().plan_look(n, Some(op), Blow::Error(kind));
    }

    /// The `n`-th read from now (`ReadOp::Read`) brings one bit flipped; one that brings no byte leaves the flip to the next. The medium is good: the next call brings what was written. A mapping has none: it would last as long as
    /// that, which is what [`SimDisk::flip`] is for.
    pub(crate) fn flip_read(&self, n: u64) {
        self.state().plan_look(n, None, Blow::Flip);
    }

    /// While `on`, calls that only look are neither counted nor struck: a test looks for itself.
    pub(crate) fn spare_looks(&self, on: bool) {
        self.state().spare_looks = on;
    }

    /// Takes back all planned faults and crashes.
    pub(crate) fn clear_plans(&self) {
        self.state().clear_plans();
    }

    /// Takes back all planned faults; a planned crash stays.
    pub(crate) fn clear_faults(&self) {
        self.state().clear_faults();
    }

    /// Whether a planned crash is still to come.
    pub(crate) fn crash_is_planned(&self) -> bool {
        self.state().crash_is_planned()
    }

    /// Whether the process of this machine was not killed.
    pub(crate) fn lives(&self, process: &Env) -> bool {
        let state = self.state();
        state.pid_of(process).is_some_and(|pid| state.alive(pid).is_ok())
    }

    /// The size of the medium in bytes, `None` for no bound (so at first). What is in use already stays.
    pub(crate) fn set_capacity(&self, bytes: impl Into<Option<u64>>) {
        self.state().capacity = bytes.into();
    }

    /// Bytes in use, in blocks of 4096.
    pub(crate) fn used(&self) -> u64 {
        self.state().used()
    }

    /// What `Fs::can_map_appends` answers (true at first).
    pub(crate) fn set_mappable(&self, yes: bool) {
        self.state().mappable = yes;
    }

    /// Whether `File::allocate` works (so at first) or is `Unsupported`.
    pub(crate) fn set_allocates(&self, yes: bool) {
        self.state().allocates = yes;
    }

    /// Whether advisory locks work (so at first) or are `Unsupported`.
    pub(crate) fn set_locks(&self, yes: bool) {
        self.state().locks_work = yes;
    }

    /// Opening the existing file at `path` fails with `kind` from now on.
    #[cfg(test)]
    pub(crate) fn refuse_open(&self, path: impl AsRef<Path>, kind: io::ErrorKind) {
        self.state().refused.insert(path.as_ref().to_path_buf(), kind);
    }

    /// Lets time pass. Each look at a clock lets one microsecond pass by itself.
    pub(crate) fn advance(&self, us: u64) {
        self.state().ticks += us;
    }

    /// Sets the wall clock, also back; the monotonic one goes on.
    pub(crate) fn set_wall_us(&self, now_us: u64) {
        let mut state = self.state();
        state.wall_base = now_us.saturating_sub(state.ticks);
    }

    /// Flips the bits of `mask` of one byte, on the medium and in the cache.
    pub(crate) fn flip(&self, path: impl AsRef<Path>, offset: u64, mask: u8) {
        let mut state = self.state();
        let ino = state.tree.resolve(path.as_ref()).expect("no such file");
        state.tree.file_mut(ino).expect("not a file").flip(offset, mask);
    }

    /// The sectors of the file that once durably had another content than they durably have now.
    pub(crate) fn rewritten_sectors(&self, path: impl AsRef<Path>) -> Vec<u64> {
        let state = self.state();
        let ino = state.tree.resolve(path.as_ref()).expect("no such file");
        state.tree.file(ino).expect("not a file").rewritten_sectors()
    }

    /// A write was acknowledged by the medium and never took place: the sector shows what it durably had before, on the
    /// medium and in the cache. False when it never had another content.
    pub(crate) fn lose_write(&self, path: impl AsRef<Path>, sector: u64) -> bool {
        let mut state = self.state();
        let ino = state.tree.resolve(path.as_ref()).expect("no such file");
        state.tree.file_mut(ino).expect("not a file").lose_write(sector)
    }

    /// A write went to the wrong place: what the sector `from` of a file has is found in the sector `to` of another one,
    /// or of the same, on the medium and in the cache.
    pub(crate) fn misdirect(&self, from: (&Path, u64), to: (&Path, u64)) {
        let mut state = self.state();
        let content = {
            let ino = state.tree.resolve(from.0).expect("no such file");
            state.tree.file(ino).expect("not a file").sector(from.1)
        };
        let ino = state.tree.resolve(to.0).expect("no such file");
        state.tree.file_mut(ino).expect("not a file").put(to.1, &content);
    }

    /// What processes see in the file.
    pub(crate) fn contents(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let state = self.state();
        let ino = state.tree.resolve(path.as_ref()).expect("no such file");
        state.tree.file(ino).expect("not a file").data.clone()
    }

    /// Puts a file in place as if it had always been there: durable, with the folders above it. An existing file keeps
    /// its identity (open handles and locks).
    pub(crate) fn set_contents(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        let path = path.as_ref();
        let mut state = self.state();
        let now = state.now_us();
        let above = path.parent().expect("a file has a folder");
        state.tree.create_dir_all(above).expect("the folders of the file");
        let ino = state.tree.resolve(path).or_else(|_| state.tree.create_file(path, now)).expect("the file");
        *state.tree.file_mut(ino).expect("not a file") = FileNode::durable(bytes.into(), now);
        for dir in above.ancestors() {
            state.tree.sync_dir(dir).expect("a folder of the file");
        }
    }

    /// All files that processes see, by path, with their lengths.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state();
        let len = |ino| match state.tree.nodes.get(&ino) {
            Some(Node::File(file)) => file.len(),
            _ => 0,
        };
        state.tree.files().into_iter().map(|(path, ino)| (path, len(ino))).collect()
    }
}

impl fmt::Debug for SimDisk {
    /// Short: every file and process of the machine holds one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}
