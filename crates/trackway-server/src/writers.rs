//! The writers of runs that are being logged to: one a run, shared by all its requests.
//!
//! A writer is opened by the first log call of a run and stays open, so that the next ones cost no file. Those not used for
//! longest are left when there are too many, and all of them after some idle time: the run stays what it is, and the next
//! call opens another one.
//!
//! A run's slot is read-locked while something is logged, and write-locked while its writer is opened, left or ended: what
//! logs is never interrupted. The map's lock is held for moments, and by nobody who takes a slot's lock meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use trackway::{Error, LifecycleStage, RunId, RunStatus, RunWriter, Store};

/// Most writers that are open. Each holds a file or two.
const MOST: usize = 256;

/// Writers by run.
#[derive(Debug)]
pub(crate) struct Writers {
    slots: Mutex<HashMap<RunId, Arc<Slot>>>,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    state: RwLock<State>,
    /// When it was last used, in milliseconds since the server began.
    used: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    writer: Option<RunWriter>,
    /// Not in the map any more: who holds it looks there again.
    is_gone: bool,
}

impl Slot {
    // A panic leaves nothing half done behind these locks.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writers {
    pub(crate) fn new() -> Self {
        Self { slots: Mutex::default(), begun: Instant::now() }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, id: RunId) -> Arc<Slot> {
        let slot = Arc::clone(self.slots().entry(id).or_default());
        slot.used.store(self.begun.elapsed().as_millis() as u64, Ordering::Relaxed);
        slot
    }

    /// Takes the writer of a run that was created just now.
    pub(crate) fn adopt(&self, writer: RunWriter) {
        let slot = self.slot(writer.id());
        slot.write().writer = Some(writer);
        self.make_room();
    }

    /// Logs to a run.
    ///
    /// # Errors
    /// Of opening a writer: the run does not exist, or it or its experiment is deleted.
    pub(crate) fn with<T>(&self, store: &Store, id: RunId, log: impl FnOnce(&RunWriter) -> T) -> trackway::Result<T> {
        loop {
            let slot = self.slot(id);
            if let Some(writer) = &slot.read().writer {
                return Ok(log(writer));
            }
            let mut state = slot.write();
            if state.is_gone || state.writer.is_some() {
                continue;
            }
            match append(store, id) {
                Ok(writer) => state.writer = Some(writer),
                Err(error) => {
                    self.forget(id, &slot, &mut state);
                    return Err(error);
                }
            }
            drop(state);
            self.make_room();
        }
    }

    /// Logs to a run if a writer of it is open; nothing otherwise.
    pub(crate) fn if_open<T>(&self, id: RunId, log: impl FnOnce(&RunWriter) -> T) -> Option<T> {
        let slot = self.slots().get(&id).cloned()?;
        slot.read().writer.as_ref().map(log)
    }

    /// Takes a slot away whose state the caller holds.
    fn forget(&self, id: RunId, slot: &Arc<Slot>, state: &mut State) {
        state.is_gone = true;
        let mut slots = self.slots();
        if slots.get(&id).is_some_and(|known| Arc::ptr_eq(known, slot)) {
            slots.remove(&id);
        }
    }

    /// Does something to a run while nobody opens a writer of it; its own, if there is one, is handed over.
    fn alone<T>(&self, id: RunId, work: impl FnOnce(Option<RunWriter>) -> T) -> T {
        let slot = self.slot(id);
        let mut state = slot.write();
        let done = work(state.writer.take());
        self.forget(id, &slot, &mut state);
        done
    }

    /// Deletes a run.
    ///
    /// # Errors
    /// Of the engine: the run does not exist.
    pub(crate) fn delete_run(&self, store: &Store, id: RunId) -> trackway::Result<()> {
        self.alone(id, |writer| {
            writer.map_or(Ok(()), leave)?;
            store.delete_run(id)
        })
    }

    /// Gives a run a status; `end_time` in milliseconds since the Unix epoch.
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
        self.alone(id, |writer| set_status(store, id, writer, status, end_time))
    }

    /// Leaves those that were not used for longest, until there is room.
    fn make_room(&self) {
        let mut by_use: Vec<(u64, RunId)> = {
            let slots = self.slots();
            if slots.len() <= MOST {
                return;
            }
            slots.iter().map(|(id, slot)| (slot.used.load(Ordering::Relaxed), *id)).collect()
        };
        by_use.sort_unstable();
        let surplus = by_use.len().saturating_sub(MOST);
        self.leave_these(by_use.into_iter().take(surplus).map(|(_, id)| id).collect());
    }

    /// Leaves those that were not used for so long.
    pub(crate) fn leave_idle(&self, idle: Duration) {
        let Some(before) = self.begun.elapsed().checked_sub(idle) else { return };
        let before = before.as_millis() as u64;
        let is_idle = |slot: &Slot| slot.used.load(Ordering::Relaxed) <= before;
        let idle = self.slots().iter().filter(|(_, slot)| is_idle(slot)).map(|(id, _)| *id).collect();
        self.leave_these(idle);
    }

    /// Leaves all: at the end, and when runs of an experiment must not be logged to any more.
    pub(crate) fn leave_all(&self) {
        let all = self.slots().keys().copied().collect();
        self.leave_these(all);
    }

    fn leave_these(&self, runs: Vec<RunId>) {
        for id in runs {
            let left = self.alone(id, |writer| writer.map_or(Ok(()), leave));
            if let Err(error) = left {
                // What was acknowledged is in the log's pages; it is read there, and sealed when the store is next opened.
                tracing::warn!(run = %id, %error, "a writer could not be left");
            }
        }
    }
}

/// Opens a writer of a run, whatever its status.
fn append(store: &Store, id: RunId) -> trackway::Result<RunWriter> {
    // Runs of a deleted experiment count as deleted.
    let run = store.run(id)?;
    if store.experiment(run.experiment_id)?.lifecycle_stage == LifecycleStage::Deleted {
        let state = "is of a deleted experiment; restore that first";
        return Err(Error::InvalidState { what: "run", name: id.to_string(), state });
    }
    store.append_run(id)
}

/// Closes a writer; the run keeps its status.
fn leave(writer: RunWriter) -> trackway::Result<()> {
    writer.leave()
}

/// Gives a run a status, by its writer if it has one and is over.
fn set_status(
    store: &Store,
    id: RunId,
    writer: Option<RunWriter>,
    status: RunStatus,
    end_time: Option<i64>,
) -> trackway::Result<()> {
    match writer {
        Some(writer) if status.is_ended() => writer.end(status, end_time),
        writer => {
            writer.map_or(Ok(()), leave)?;
            store.set_run_status(id, status, end_time)
        }
    }
}
