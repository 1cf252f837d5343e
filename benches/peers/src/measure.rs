//! How things are measured: rounds in turn, medians, a quiet disk before each, and what a folder holds.

use crate::peer::{Contestant, Setup, Store};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the command line asked for.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) rounds: usize,
    /// Tiny sizes, to see that everything works.
    pub(crate) quick: bool,
    /// Where stores are made.
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    /// A size of the full measurement, or the one of the quick look.
    pub(crate) fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// A folder for one store, removed with what it returns.
    pub(crate) fn folder(&self) -> tempfile::TempDir {
        tempfile::tempdir_in(self.dir.path()).unwrap()
    }

    /// Writes back what others left dirty, so that nobody pays for it in the next measurement.
    pub(crate) fn quiet(&self) {
        let folder = std::fs::File::open(self.dir.path()).unwrap();
        rustix::fs::syncfs(&folder).unwrap();
    }

    /// Measures every entry once a round, one after the other, so that drift meets all alike.
    pub(crate) fn in_turn<T>(&self, what: &str, entries: &[T], mut once: impl FnMut(usize, &T) -> f64) -> Vec<Samples> {
        let mut samples = vec![Samples::default(); entries.len()];
        for round in 0..self.rounds {
            let start = Instant::now();
            for (entry, samples) in entries.iter().zip(&mut samples) {
                self.quiet();
                samples.0.push(once(round, entry));
            }
            eprintln!("{what}: round {} of {} in {:.1} s", round + 1, self.rounds, start.elapsed().as_secs_f64());
        }
        samples
    }
}

/// The figures of one entry, one a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
    }

    pub(crate) fn range(&self) -> (f64, f64) {
        let sorted = self.sorted();
        (sorted[0], sorted[sorted.len() - 1])
    }
}

/// Opens a contestant in a folder of its own.
pub(crate) fn open(contestant: &Contestant, folder: &Path, keys: &[String], points: usize) -> Box<dyn Store> {
    (contestant.open)(&Setup { dir: folder, keys, points, threads: 1, by_time: false })
}

/// Time of one call, in seconds.
pub(crate) fn seconds(call: impl FnOnce()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64()
}

/// Mean time of a call in seconds; `call` is given 0, 1, 2 and so on, for at least `time`.
pub(crate) fn mean_seconds(time: Duration, mut call: impl FnMut(usize)) -> f64 {
    let (start, mut calls, mut until) = (Instant::now(), 0, 1);
    loop {
        while calls < until {
            call(calls);
            calls += 1;
        }
        let elapsed = start.elapsed();
        if elapsed >= time {
            return elapsed.as_secs_f64() / calls as f64;
        }
        until = calls * 2;
    }
}

/// Lengths and allocated blocks, in bytes, of all files below a folder.
pub(crate) fn disk_usage(folder: &Path) -> (u64, u64) {
    let (mut lengths, mut blocks) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            let below = disk_usage(&entry.path());
            (lengths, blocks) = (lengths + below.0, blocks + below.1);
        } else {
            lengths += metadata.len();
        }
        // Folders take blocks too.
        blocks += metadata.blocks() * 512;
    }
    (lengths, blocks)
}
