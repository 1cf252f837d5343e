//! Locks, atomics and threads: those of the system, or those of a model checker in builds that test them.
//!
//! * `--cfg shuttle`: every lock, atomic, wait and yield of the store, the logs, the segments and the simulated disk is
//!   a point at which shuttle may go on with another thread (`store/race_tests.rs`).
//! * `--cfg loom`: what the writer of a log and its readers share is the memory of the model (`log/loom_tests.rs`);
//!   here only the yield of a reader that looks again is loom's.
//!
//! Both exist in the unit tests only. `Arc`, `Weak` and `OnceLock` are always the system's: their steps are atomic, and
//! whatever is done between two of them takes a lock or an atomic from here.

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

pub(crate) use std::sync::PoisonError;
use std::time::Duration;

/// Threads, and what they do to wait.
pub(crate) mod thread {
    #[cfg(all(test, loom))]
    pub(crate) use loom::thread::yield_now;
    #[cfg(all(test, shuttle))]
    pub(crate) use shuttle::thread::{Builder, JoinHandle, yield_now};
    #[cfg(not(any(all(test, loom), all(test, shuttle))))]
    pub(crate) use std::thread::yield_now;
    #[cfg(not(all(test, shuttle)))]
    pub(crate) use std::thread::{Builder, JoinHandle, sleep};

    /// Who sleeps waits for another thread: shuttle must know, or it goes on with the same one for ever.
    #[cfg(all(test, shuttle))]
    pub(crate) fn sleep(_time: std::time::Duration) {
        yield_now();
    }
}

/// Waits until `condition` is false, at most for `timeout`. `guard` is of `mutex`; a panic of another holder is passed
/// over, as everywhere in the store.
#[cfg(not(all(test, shuttle)))]
pub(crate) fn wait_while<'a, T>(
    rung: &Condvar,
    _mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
    condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    rung.wait_timeout_while(guard, timeout, condition).unwrap_or_else(PoisonError::into_inner).0
}

/// Time has no length for shuttle: it is over after any number of steps of the others.
#[cfg(all(test, shuttle))]
pub(crate) fn wait_while<'a, T>(
    _rung: &Condvar,
    mutex: &'a Mutex<T>,
    mut guard: MutexGuard<'a, T>,
    _timeout: Duration,
    mut condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    if condition(&mut guard) {
        drop(guard);
        thread::yield_now();
        guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
    }
    guard
}
