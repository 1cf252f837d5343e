//! Crash cases by the million: made from a seed, run on all cores, and cut down to a small test when one fails.
//!
//! Half of the cases are short (`campaign/short.rs`): every sequence over a small alphabet of operations, the shortest
//! first, with a crash in every call to the disk. Half are long (`campaign/long.rs`): random sequences of one or two
//! processes, with faults of the machine in some, and up to three crashes. Both are dealt out in units, each made from
//! the seed and its number alone: the same seed and number of cases give the same cases, but for the last few units.
//! The first case that fails ends the campaign; it is shrunk (`campaign/shrink.rs`) and given as Rust source.

mod long;
mod short;
mod shrink;

use super::loss::UNDECIDED;
use super::{Case, Outcome};
use crate::env::sim::Rng;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// At least so many cases.
    pub cases: u64,
    pub seed: u64,
    pub threads: usize,
}

/// What was run, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub short: u64,
    pub long: u64,
    /// Cases without a crash, or whose crash found no call to strike.
    pub calm: u64,
    /// Crashes that struck: a process killed, the power lost.
    pub kills: u64,
    pub power_losses: u64,
    /// Cases in which a second crash struck, and a third one: mostly in the recovery from the one before.
    pub twice: u64,
    pub thrice: u64,
    /// Cases after whose power loss there were too many allowed states to go through.
    pub undecided: u64,
}

impl Tally {
    pub fn cases(&self) -> u64 {
        self.short + self.long
    }

    fn count(&mut self, case: &Case, outcome: &Outcome) {
        self.calm += u64::from(outcome.struck == 0);
        self.twice += u64::from(outcome.struck >= 2);
        self.thrice += u64::from(outcome.struck >= 3);
        for crash in case.crashes.iter().take(outcome.struck) {
            *(if crash.power { &mut self.power_losses } else { &mut self.kills }) += 1;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { short, long, calm, kills, power_losses, twice, thrice, undecided } = self;
        write!(
            f,
            "{} cases ({short} short, {long} long, {calm} without a crash): {kills} kills, {power_losses} power losses, \
             struck twice {twice}, thrice {thrice}, undecided {undecided}",
            self.cases()
        )
    }
}

/// A case that shows a state which is not allowed.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What was wrong, with the smallest case that shows it as Rust source.
    pub error: String,
    /// The same of the case as it was found.
    pub found: String,
}

/// One way to run a case: [`Case::run`] or [`Case::run_watched`].
type RunCase = fn(&Case) -> Result<Outcome, String>;

/// Where a unit hands in its cases. `None` ends the unit: there are enough, or one has failed.
type Hand<'a> = dyn FnMut(&Case, RunCase) -> Option<Outcome> + 'a;

/// What the threads share.
struct Board {
    cases: u64,
    tally: Mutex<Tally>,
    next_short: AtomicU64,
    next_long: AtomicU64,
    failed: Mutex<Option<(Case, RunCase, String)>>,
    /// Threads at work, and the news that one has stopped.
    at_work: Mutex<usize>,
    stopped: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    fn is_over(&self) -> bool {
        lock(&self.tally).cases() >= self.cases || lock(&self.failed).is_some()
    }

    /// Runs one case of a unit.
    fn run(&self, is_short: bool, case: &Case, run: RunCase) -> Option<Outcome> {
        if self.is_over() {
            return None;
        }
        let ran = run(case);
        let mut tally = lock(&self.tally);
        *(if is_short { &mut tally.short } else { &mut tally.long }) += 1;
        match ran {
            Ok(outcome) => {
                tally.count(case, &outcome);
                Some(outcome)
            }
            Err(error) if error.contains(UNDECIDED) => {
                tally.undecided += 1;
                Some(Outcome { calls_by_op: Vec::new(), calls: 0, struck: 0, recovery: 0 })
            }
            Err(error) => {
                drop(tally);
                lock(&self.failed).get_or_insert((case.clone(), run, error));
                None
            }
        }
    }

    /// Deals out units, short and long ones such that their cases grow alike, until there is nothing more to do.
    fn work(&self, seed: u64) {
        while !self.is_over() {
            let tally = *lock(&self.tally);
            let is_short = tally.short < tally.long;
            let mut hand = |case: &Case, run: RunCase| self.run(is_short, case, run);
            // The unit says by itself when it cannot go on.
            let _ = if is_short {
                short::unit(self.next_short.fetch_add(1, Ordering::Relaxed), seed, &mut hand)
            } else {
                long::unit(self.next_long.fetch_add(1, Ordering::Relaxed), seed, &mut hand)
            };
        }
        *lock(&self.at_work) -= 1;
        self.stopped.notify_all();
    }

    /// Waits until all threads have stopped, and reports meanwhile.
    fn wait(&self, report: &mut dyn FnMut(&Tally, Duration)) {
        let (start, mut next) = (Instant::now(), REPORT_EVERY);
        let mut at_work = lock(&self.at_work);
        while *at_work > 0 {
            let left = next.saturating_sub(start.elapsed());
            if left.is_zero() {
                next += REPORT_EVERY;
                report(&lock(&self.tally), start.elapsed());
            } else {
                at_work = self.stopped.wait_timeout(at_work, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        drop(at_work);
        report(&lock(&self.tally), start.elapsed());
    }
}

impl Campaign {
    /// Runs the cases; `report` is told every ten seconds, and at the end, how far it is.
    ///
    /// # Errors
    /// The first case that fails, shrunk.
    pub fn run(&self, report: &mut dyn FnMut(&Tally, Duration)) -> Result<Tally, Violation> {
        let threads = self.threads.max(1);
        let board = Board {
            cases: self.cases,
            tally: Mutex::default(),
            next_short: AtomicU64::new(0),
            next_long: AtomicU64::new(0),
            failed: Mutex::new(None),
            at_work: Mutex::new(threads),
            stopped: Condvar::new(),
        };
        std::thread::scope(|scope| {
            (0..threads).for_each(|_| drop(scope.spawn(|| board.work(self.seed))));
            board.wait(report);
        });
        match lock(&board.failed).take() {
            None => Ok(*lock(&board.tally)),
            Some((case, run, found)) => Err(Violation { error: shrink::shrink(case, run, found.clone()), found }),
        }
    }
}

/// Chance of its own for a part of a campaign: a number of a unit, or of a case in it.
fn chance(seed: u64, kind: u64, number: u64) -> Rng {
    let mixed = Rng::new(seed ^ kind.rotate_left(48)).next();
    Rng::new(mixed ^ number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_cases_on_one_thread() {
        let run = |seed| {
            let tally = Campaign { cases: 60, seed, threads: 1 }.run(&mut |_, _| {}).unwrap();
            assert_eq!((tally.cases(), tally.undecided), (60, 0));
            assert!(tally.short >= 20 && tally.long >= 10 && tally.kills > 0 && tally.power_losses > 0, "{tally}");
            tally
        };
        assert_eq!(run(3), run(3));
    }
}
