//! The lock that log calls take: one atomic exchange to take it, a plain store to give it back.
//!
//! A holder needs it for tens of nanoseconds, so a second thread that woke at each release would cost more than the
//! calls themselves: the memory of the appender would travel between the cores for every point. Who finds the lock
//! taken waits a few microseconds before looking again, and the thread that has that memory goes on at full speed
//! meanwhile. Waiting is bounded work and then sleep, so that a holder whose thread was preempted is not kept from
//! its core.

use crate::env::sync::thread;
#[cfg(all(test, shuttle))]
use crate::env::sync::{Mutex as Taken, MutexGuard as AppendGuard};
#[cfg(not(all(test, shuttle)))]
use spin::mutex::{SpinMutex as Taken, SpinMutexGuard as AppendGuard};
use std::time::Duration;

/// Pauses before the second look, and most before a later one (some 10 us).
const FIRST_PAUSES: u32 = 32;
const MAX_PAUSES: u32 = 512;
/// Looks after which the core is left to others, and after which the thread sleeps.
const YIELD_AFTER: u32 = 24;
const SLEEP_AFTER: u32 = 32;
const SLEEP: Duration = Duration::from_micros(50);

/// A value that log calls change one at a time. A panic of a holder leaves it unlocked, as it was: what it guards is
/// replaced in one piece, or poisons itself.
#[derive(Debug)]
pub(super) struct AppendLock<T>(Taken<T>);

impl<T> AppendLock<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(Taken::new(value))
    }

    #[inline]
    pub(super) fn lock(&self) -> AppendGuard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        }
    }

    #[cfg(not(all(test, shuttle)))]
    #[inline]
    fn try_lock(&self) -> Option<AppendGuard<'_, T>> {
        self.0.try_lock()
    }

    /// A spinning mutex has no place where the scheduler could go on with its holder: shuttle's own takes its place.
    #[cfg(all(test, shuttle))]
    fn try_lock(&self) -> Option<AppendGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn wait(&self) -> AppendGuard<'_, T> {
        let (mut look, mut pauses) = (0u32, FIRST_PAUSES);
        loop {
            match look {
                0..YIELD_AFTER => (0..pauses).for_each(|_| std::hint::spin_loop()),
                YIELD_AFTER..SLEEP_AFTER => thread::yield_now(),
                _ => thread::sleep(SLEEP),
            }
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            (look, pauses) = (look.saturating_add(1), (pauses * 2).min(MAX_PAUSES));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_exclude_each_other_and_waiters_come_through() {
        let lock = AppendLock::new((0u64, 0u64));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let mut held = lock.lock();
                        held.0 += 1;
                        std::hint::black_box(&mut held);
                        held.1 += 1;
                        assert_eq!(held.0, held.1);
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), (80_000, 80_000));
    }

    #[test]
    fn a_holder_that_is_away_is_waited_for() {
        let lock = AppendLock::new(0);
        let held = lock.lock();
        std::thread::scope(|scope| {
            let (started, waits) = std::sync::mpsc::channel();
            let lock = &lock;
            scope.spawn(move || {
                started.send(()).ok();
                *lock.lock() += 1;
            });
            waits.recv().ok();
            drop(held);
        });
        assert_eq!(*lock.lock(), 1);
    }
}
