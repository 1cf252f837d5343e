//! The state of one simulated machine behind its mutex, and the gates that calls go through.
//!
//! [`State::mutate`] counts a changing call, asks the fault plan what becomes of it, and kills the process when the plan
//! says so. What a call does is a closure that is told how much of it happens ([`Apply`]). [`State::look`] is the gate of
//! calls that only look.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::node::BLOCK;
use super::rng::Rng;
use super::tree::{Ino, Tree};
use super::{Crash, Op, ReadOp};
use crate::env::{Env, Fs};

/// How much of a call takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apply {
    All,
    /// So many 256ths of it.
    Part(u64),
    /// Nothing, and the medium has failed: a sync loses what was dirty.
    Failed,
}

impl Apply {
    /// So much of `len` bytes.
    pub(super) fn of(self, len: usize) -> usize {
        match self {
            Self::All => len,
            Self::Part(part) => (len as u64 * part / 256) as usize,
            Self::Failed => 0,
        }
    }
}

#[derive(Clone, Debug)]
struct Fault {
    /// Matching calls until it strikes, this one included.
    left: u64,
    op: Option<Op>,
    kind: io::ErrorKind,
}

/// What strikes a call that only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    Error(io::ErrorKind),
    /// One bit of what it brings is flipped.
    Flip,
}

#[derive(Clone, Debug)]
struct LookFault {
    /// Matching calls until it strikes, this one included.
    left: u64,
    op: Option<ReadOp>,
    blow: Blow,
}

#[derive(Clone, Copy, Debug)]
struct Handle {
    pid: u64,
    ino: Ino,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) tree: Tree,
    /// Processes and whether they live.
    pub(super) processes: BTreeMap<u64, bool>,
    /// The file system views handed out, to find the process of an `Env`.
    pub(super) views: Vec<(Weak<dyn Fs>, u64)>,
    handles: BTreeMap<u64, Handle>,
    /// The handle that holds the exclusive lock of a file.
    locks: BTreeMap<Ino, u64>,
    next_id: u64,
    pub(super) calls: u64,
    pub(super) looks: u64,
    look_faults: Vec<LookFault>,
    /// Bits to be flipped in what the next call brings that brings bytes.
    flips: u64,
    pub(super) spare_looks: bool,
    crash: Option<(u64, Crash)>,
    faults: Vec<Fault>,
    /// Paths that cannot be opened.
    pub(super) refused: BTreeMap<PathBuf, io::ErrorKind>,
    pub(super) capacity: Option<u64>,
    pub(super) mappable: bool,
    pub(super) allocates: bool,
    pub(super) locks_work: bool,
    /// Chance of faults and crashes.
    pub(super) rng: Rng,
    /// Chance the clock hands out, apart, so that a store that draws one id more has the same crashes.
    pub(super) entropy: Rng,
    /// Microseconds since the machine was made.
    pub(super) ticks: u64,
    pub(super) wall_base: u64,
    pub(super) boot: [u8; 16],
}

/// 2026-01-01T00:00:00Z.
const START_US: u64 = 1_767_225_600_000_000;

fn killed() -> io::Error {
    io::Error::other("process killed")
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        let mut state = Self {
            tree: Tree::new(),
            processes: BTreeMap::new(),
            views: Vec::new(),
            handles: BTreeMap::new(),
            locks: BTreeMap::new(),
            next_id: 0,
            calls: 0,
            looks: 0,
            look_faults: Vec::new(),
            flips: 0,
            spare_looks: false,
            crash: None,
            faults: Vec::new(),
            refused: BTreeMap::new(),
            capacity: None,
            mappable: true,
            allocates: true,
            locks_work: true,
            rng: Rng::new(seed),
            entropy: Rng::new(!seed),
            ticks: 0,
            wall_base: START_US,
            boot: [0; 16],
        };
        state.new_boot();
        state
    }

    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A boot id of its own, also apart from the ones of a copy of this machine.
    pub(super) fn new_boot(&mut self) {
        let (high, low) = (self.rng.next(), self.rng.next() | 1);
        self.boot = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
    }

    pub(super) fn now_us(&self) -> u64 {
        self.wall_base.saturating_add(self.ticks)
    }

    pub(super) fn alive(&self, pid: u64) -> io::Result<()> {
        if self.processes.get(&pid) == Some(&true) { Ok(()) } else { Err(killed()) }
    }

    /// The process that a view of the machine was given to.
    pub(super) fn pid_of(&self, process: &Env) -> Option<u64> {
        let wanted = Arc::as_ptr(&process.fs);
        let found = self.views.iter().find(|(view, _)| std::ptr::addr_eq(Weak::as_ptr(view), wanted));
        found.map(|(_, pid)| *pid)
    }

    /// Ends a process: its handles are closed, its locks released; what it wrote stays.
    pub(super) fn kill(&mut self, pid: u64) {
        if let Some(alive) = self.processes.get_mut(&pid) {
            *alive = false;
        }
        let (handles, locks) = (&mut self.handles, &mut self.locks);
        handles.retain(|_, handle| handle.pid != pid);
        locks.retain(|_, holder| handles.contains_key(holder));
    }

    pub(super) fn kill_all(&mut self) {
        let all: Vec<u64> = self.processes.keys().copied().collect();
        all.into_iter().for_each(|pid| self.kill(pid));
    }

    pub(super) fn open(&mut self, pid: u64, ino: Ino) -> u64 {
        let id = self.fresh_id();
        self.handles.insert(id, Handle { pid, ino });
        id
    }

    /// Closes a handle and releases its lock. A handle of a killed process is closed already.
    pub(super) fn close(&mut self, id: u64) {
        if let Some(handle) = self.handles.remove(&id)
            && self.locks.get(&handle.ino) == Some(&id)
        {
            self.locks.remove(&handle.ino);
        }
    }

    pub(super) fn open_inodes(&self) -> impl Iterator<Item = Ino> {
        self.handles.values().map(|handle| handle.ino)
    }

    /// The handle that holds the lock of a file; an error where locks do not work.
    pub(super) fn lock_holder(&self, ino: Ino) -> io::Result<Option<u64>> {
        if !self.locks_work {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(self.locks.get(&ino).copied())
    }

    /// Takes the lock for an open handle; false when another has it.
    pub(super) fn take_lock(&mut self, id: u64, ino: Ino) -> io::Result<bool> {
        if self.lock_holder(ino)?.is_some_and(|holder| holder != id) {
            return Ok(false);
        }
        self.locks.insert(ino, id);
        Ok(true)
    }

    pub(super) fn plan_crash(&mut self, n: u64, crash: Crash) {
        self.crash = Some((self.calls.saturating_add(n), crash));
    }

    pub(super) fn plan_fault(&mut self, n: u64, op: Option<Op>, kind: io::ErrorKind) {
        self.faults.push(Fault { left: n.max(1), op, kind });
    }

    pub(super) fn plan_look(&mut self, n: u64, op: Option<ReadOp>, blow: Blow) {
        self.look_faults.push(LookFault { left: n.max(1), op, blow });
    }

    pub(super) fn clear_plans(&mut self) {
        self.crash = None;
        self.clear_faults();
    }

    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
        self.look_faults.clear();
        self.flips = 0;
    }

    pub(super) fn crash_is_planned(&self) -> bool {
        self.crash.is_some()
    }

    /// Lets a call of a process pass that only looks, or fails it.
    pub(super) fn look(&mut self, pid: u64, op: ReadOp) -> io::Result<()> {
        self.alive(pid)?;
        if self.spare_looks {
            return Ok(());
        }
        self.looks += 1;
        let brings = op == ReadOp::Read;
        for fault in &mut self.look_faults {
            let counts = match fault.blow {
                Blow::Flip => brings,
                Blow::Error(_) => fault.op.is_none_or(|wanted| wanted == op),
            };
            // One that came due together with another waits for the next call.
            fault.left = fault.left.saturating_sub(u64::from(counts));
        }
        let Some(due) = self.look_faults.iter().position(|fault| fault.left == 0) else { return Ok(()) };
        match self.look_faults.swap_remove(due).blow {
            Blow::Error(kind) => Err(kind.into()),
            Blow::Flip => {
                self.flips += 1;
                Ok(())
            }
        }
    }

    /// Flips a bit of what a call brings, when that is due.
    pub(super) fn flip_brought(&mut self, bytes: &mut [u8]) {
        if self.spare_looks || self.flips == 0 || bytes.is_empty() {
            return;
        }
        self.flips -= 1;
        let bit = self.rng.below(bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }

    /// Runs one changing call of a process under the fault plan.
    pub(super) fn mutate<T>(
        &mut self,
        pid: u64,
        op: Op,
        call: impl FnOnce(&mut Self, Apply) -> io::Result<T>,
    ) -> io::Result<T> {
        self.alive(pid)?;
        self.calls += 1;
        if let Some((_, crash)) = self.crash.take_if(|(at, _)| *at <= self.calls) {
            match self.part_before_kill(op, crash) {
                None => {}
                Some(apply) => _ = call(self, apply),
            }
            self.kill(pid);
            return Err(killed());
        }
        match self.due_fault(op) {
            None => call(self, Apply::All),
            Some(kind) => {
                // A write that fails may have written its beginning.
                let torn = op == Op::Write && self.rng.coin();
                if torn || op == Op::Sync {
                    let apply = if torn { Apply::Part(self.rng.below(256)) } else { Apply::Failed };
                    call(self, apply)?;
                }
                Err(kind.into())
            }
        }
    }

    fn part_before_kill(&mut self, op: Op, crash: Crash) -> Option<Apply> {
        match crash {
            Crash::Before => None,
            Crash::After => Some(Apply::All),
            Crash::Torn => match op {
                Op::Write | Op::Store | Op::Remove => Some(Apply::Part(self.rng.below(256))),
                _ if self.rng.coin() => Some(Apply::All),
                _ => None,
            },
        }
    }

    fn due_fault(&mut self, op: Op) -> Option<io::ErrorKind> {
        // A store into mapped memory is no call to the system: it cannot fail.
        if op == Op::Store {
            return None;
        }
        for fault in self.faults.iter_mut().filter(|fault| fault.op.is_none_or(|wanted| wanted == op)) {
            // One that came due together with another waits for the next call.
            fault.left = fault.left.saturating_sub(1);
        }
        let due = self.faults.iter().position(|fault| fault.left == 0)?;
        Some(self.faults.swap_remove(due).kind)
    }

    /// Bytes in use: blocks of every file that has a name or is open.
    pub(super) fn used(&self) -> u64 {
        let mut live: Vec<Ino> = self.tree.files().into_iter().map(|(_, ino)| ino).collect();
        live.extend(self.open_inodes());
        live.sort_unstable();
        live.dedup();
        live.iter().filter_map(|&ino| self.tree.file(ino).ok()).map(|file| file.blocks.len() as u64 * BLOCK).sum()
    }

    /// How many new blocks there is room for.
    fn free_blocks(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()) / BLOCK)
    }

    /// Writes as much as there is room for.
    pub(super) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        let free = usize::try_from(self.free_blocks()).unwrap_or(usize::MAX);
        let now = self.now_us();
        let full = self.tree.file(ino)?.missing_blocks(offset, end).nth(free);
        let fits = full.map_or(end, |block| offset.max(block * BLOCK));
        let file = self.tree.file_mut(ino)?;
        file.check_writable(offset);
        file.write(offset, &bytes[..(fits - offset) as usize], &mut self.rng);
        file.modified_us = now;
        if full.is_some() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn set_len(&mut self, ino: Ino, len: u64) -> io::Result<()> {
        let now = self.now_us();
        let file = self.tree.file_mut(ino)?;
        file.check_writable(len);
        file.set_len(len, &mut self.rng);
        file.modified_us = now;
        Ok(())
    }

    pub(super) fn allocate(&mut self, ino: Ino, offset: u64, len: u64) -> io::Result<()> {
        if !self.allocates {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let free = self.free_blocks();
        let file = self.tree.file_mut(ino)?;
        if file.missing_blocks(offset, offset + len).count() as u64 > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.allocate(offset, len);
        Ok(())
    }

    /// `told`: of how many failures the caller's handle knows. One that it was not told of is an error now, although
    /// what was written since is synced.
    pub(super) fn sync(&mut self, ino: Ino, told: &mut u64, apply: Apply) -> io::Result<()> {
        let file = self.tree.file_mut(ino)?;
        if apply == Apply::Failed {
            file.fail_sync()
        } else {
            file.sync()
        }
        let is_news = *told < file.failed_syncs && apply != Apply::Failed;
        *told = file.failed_syncs;
        if is_news { Err(io::Error::other("an earlier sync through another handle failed")) } else { Ok(()) }
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.tree.sync_dir(path)?;
        let open: Vec<Ino> = self.open_inodes().collect();
        self.tree.forget_unreachable(open.into_iter());
        Ok(())
    }
}
