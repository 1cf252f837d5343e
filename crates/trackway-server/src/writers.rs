//! The writers of runs that are being logged to: one a run, shared by all its requests.
//!
//! A writer is opened by the first log call of a run and stays open, so that the next ones cost no file. Those not used for
//! longest are left when there are too many, and all of them after some idle time: the run stays what it is, and the next
//! call opens another one. A run's slot is locked while its writer is opened, left or ended, never while something is logged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trackway::{Error, RunId, RunStatus, RunWriter, Store};

/// Most writers that are open. Each holds a file or two.
const MOST: usize = 256;

/// How often a call opens a writer that others leave before it has logged; each time somebody else has got on.
const TRIES: usize = 8;

/// Writers by run.
#[derive(Debug)]
pub(crate) struct Writers {
    slots: Mutex<HashMap<RunId, Arc<Slot>>>,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    writer: Mutex<Option<Arc<RunWriter>>>,
    /// Milliseconds since the server began.
    used: AtomicU64,
}

/// Takes a mutex; a panic leaves nothing half done behind these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writers {
    pub(crate) fn new() -> Self {
        Self { slots: Mutex::default(), begun: Instant::now() }
    }

    fn slot(&self, id: RunId) -> Arc<Slot> {
        let slot = Arc::clone(lock(&self.slots).entry(id).or_default());
        slot.used.store(self.begun.elapsed().as_millis() as u64, Ordering::Relaxed);
        slot
    }

    /// Takes the writer of a run that was created just now.
    pub(crate) fn adopt(&self, store: &Store, writer: RunWriter) {
        let slot = self.slot(writer.id());
        *lock(&slot.writer) = Some(Arc::new(writer));
        self.make_room(store);
    }

    /// Logs to a run. `log` is called again when its writer was left by somebody else before it had logged anything, so it
    /// must stop at its first error.
    ///
    /// # Errors
    /// Of the engine: the run does not exist, or is deleted; and those of `log`.
    pub(crate) fn with<T>(
        &self,
        store: &Store,
        id: RunId,
        log: impl Fn(&RunWriter) -> trackway::Result<T>,
    ) -> trackway::Result<T> {
        for _ in 1..TRIES {
            let writer = self.open(store, id)?;
            match log(&writer) {
                Err(Error::InvalidState { .. }) if !self.is_current(id, &writer) => {}
                done => return done,
            }
        }
        log(&*self.open(store, id)?)
    }

    fn open(&self, store: &Store, id: RunId) -> trackway::Result<Arc<RunWriter>> {
        let slot = self.slot(id);
        let mut held = lock(&slot.writer);
        if let Some(writer) = &*held {
            return Ok(Arc::clone(writer));
        }
        match append(store, id) {
            Ok(writer) => {
                let writer = Arc::new(writer);
                *held = Some(Arc::clone(&writer));
                drop(held);
                self.make_room(store);
                Ok(writer)
            }
            Err(error) => {
                drop(held);
                self.forget(id, &slot);
                Err(error)
            }
        }
    }

    fn is_current(&self, id: RunId, writer: &Arc<RunWriter>) -> bool {
        let slot = lock(&self.slots).get(&id).cloned();
        slot.is_some_and(|slot| lock(&slot.writer).as_ref().is_some_and(|held| Arc::ptr_eq(held, writer)))
    }

    /// Takes an empty slot away.
    fn forget(&self, id: RunId, slot: &Arc<Slot>) {
        let mut slots = lock(&self.slots);
        let is_it = slots.get(&id).is_some_and(|known| Arc::ptr_eq(known, slot));
        if is_it && lock(&slot.writer).is_none() {
            slots.remove(&id);
        }
    }

    /// Changes a run while nobody opens a writer of it: its own is left first.
    ///
    /// # Errors
    /// Those of `change`, and of leaving the writer.
    pub(crate) fn alone<T>(
        &self,
        store: &Store,
        id: RunId,
        change: impl FnOnce() -> trackway::Result<T>,
    ) -> trackway::Result<T> {
        let slot = self.slot(id);
        let mut held = lock(&slot.writer);
        if let Some(writer) = held.take() {
            leave(store, &writer)?;
        }
        let changed = change();
        drop(held);
        self.forget(id, &slot);
        changed
    }

    /// Gives a run a status.
    ///
    /// # Errors
    /// Of the engine: the run does not exist, or is deleted.
    pub(crate) fn set_status(
        &self,
        store: &Store,
        id: RunId,
        status: RunStatus,
        end_time: Option<i64>,
    ) -> trackway::Result<()> {
        let slot = self.slot(id);
        let mut held = lock(&slot.writer);
        let writer = held.take();
        let done = set_status(store, id, writer.as_deref(), status, end_time);
        drop(held);
        self.forget(id, &slot);
        done
    }

    /// Leaves those that were not used for longest, until there is room.
    fn make_room(&self, store: &Store) {
        let surplus: Vec<(RunId, Arc<Slot>)> = {
            let slots = lock(&self.slots);
            let surplus = slots.len().saturating_sub(MOST);
            if surplus == 0 {
                return;
            }
            let mut by_use: Vec<_> = slots.iter().map(|(id, slot)| (slot.used.load(Ordering::Relaxed), *id)).collect();
            by_use.sort_unstable();
            let oldest = by_use.into_iter().take(surplus);
            oldest.filter_map(|(_, id)| slots.get(&id).map(|slot| (id, Arc::clone(slot)))).collect()
        };
        self.leave_these(store, surplus);
    }

    /// Leaves those that were not used for so long.
    pub(crate) fn leave_idle(&self, store: &Store, idle: Duration) {
        let Some(before) = self.begun.elapsed().checked_sub(idle) else { return };
        let before = before.as_millis() as u64;
        let is_idle = |slot: &Arc<Slot>| slot.used.load(Ordering::Relaxed) <= before;
        let slots = lock(&self.slots);
        let idle = slots.iter().filter(|(_, slot)| is_idle(slot)).map(|(id, slot)| (*id, Arc::clone(slot))).collect();
        drop(slots);
        self.leave_these(store, idle);
    }

    /// Leaves all, at the end.
    pub(crate) fn leave_all(&self, store: &Store) {
        let all = lock(&self.slots).iter().map(|(id, slot)| (*id, Arc::clone(slot))).collect();
        self.leave_these(store, all);
    }

    fn leave_these(&self, store: &Store, slots: Vec<(RunId, Arc<Slot>)>) {
        for (id, slot) in slots {
            let writer = lock(&slot.writer).take();
            if let Some(Err(error)) = writer.map(|writer| leave(store, &writer)) {
                // What was acknowledged is in the log's pages; the store's next opening completes it.
                tracing::warn!(run = %id, %error, "a writer could not be left");
            }
            self.forget(id, &slot);
        }
    }
}

/// Opens a writer of a run, whatever its status.
fn append(store: &Store, id: RunId) -> trackway::Result<RunWriter> {
    store.resume_run(id)
}

/// Closes a writer; the run keeps its status.
fn leave(_store: &Store, writer: &RunWriter) -> trackway::Result<()> {
    writer.end(RunStatus::Killed, None)
}

/// Gives a run a status, by its writer if it has one.
fn set_status(
    store: &Store,
    id: RunId,
    writer: Option<&RunWriter>,
    status: RunStatus,
    end_time: Option<i64>,
) -> trackway::Result<()> {
    let resumed;
    let writer = match writer {
        Some(writer) => writer,
        None => {
            resumed = store.resume_run(id)?;
            &resumed
        }
    };
    writer.end(status, end_time)
}
