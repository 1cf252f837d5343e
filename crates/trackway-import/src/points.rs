//! Which points of one metric a run has already, and which are new.
//!
//! A store keeps the points of a metric in the order in which they were written, and a source has an order of its own.
//! So what an earlier import brought is the beginning of the source's points: that many are passed over, and a
//! fingerprint tells whether they are the same. Nothing is written behind points that differ.

use crate::error::Result;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use trackway::{Columns, Point, Snapshot};

/// A fingerprint of points, for comparisons within this process.
#[derive(Clone, Debug, Default)]
struct Fingerprint(DefaultHasher);

impl Fingerprint {
    fn add(&mut self, point: Point) {
        self.0.write_i64(point.step);
        self.0.write_i64(point.timestamp);
        self.0.write_u64(point.value.to_bits());
    }

    /// That of the first `count` points that the run has of the metric.
    fn of_stored(snapshot: &Snapshot, key: &str, count: u64) -> Result<u64> {
        let mut print = Self::default();
        let query = snapshot.metric(key)?;
        for point in query.points().take(usize::try_from(count).unwrap_or(usize::MAX)) {
            print.add(point?);
        }
        Ok(print.0.finish())
    }
}

/// What is known of a metric while the source's points of it pass by.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Points that the run has.
    stored: u64,
    /// Fingerprint of these.
    expected: u64,
    /// Points of the source so far, as far as they are compared.
    compared: u64,
    print: Fingerprint,
    differs: bool,
    /// Points to be written.
    pub(crate) new: Columns,
}

/// How the points of the source and of the run go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All that the run had, the source has at its beginning.
    Extends,
    /// The run has more than the source.
    Ahead,
    /// Neither begins with the other; this many were compared.
    Differs(u64),
}

impl Incoming {
    pub(crate) fn new(snapshot: Option<&Snapshot>, key: &str) -> Result<Self> {
        let stored = snapshot.and_then(|snapshot| snapshot.stats(key)).map_or(0, |stats| stats.count);
        let expected = match snapshot {
            Some(snapshot) if stored > 0 => Fingerprint::of_stored(snapshot, key, stored)?,
            _ => 0,
        };
        Ok(Self { stored, expected, ..Self::default() })
    }

    /// Takes the source's next point.
    pub(crate) fn push(&mut self, point: Point) {
        if self.compared < self.stored {
            self.compared += 1;
            self.print.add(point);
            self.differs |= self.compared == self.stored && self.print.0.finish() != self.expected;
        } else if !self.differs {
            self.new.push(point);
        }
    }

    /// Once the source has no more.
    pub(crate) fn verdict(&self, snapshot: Option<&Snapshot>, key: &str) -> Result<Verdict> {
        if self.differs {
            return Ok(Verdict::Differs(self.compared));
        }
        match snapshot {
            Some(snapshot) if self.compared < self.stored => {
                let same = Fingerprint::of_stored(snapshot, key, self.compared)? == self.print.0.finish();
                Ok(if same { Verdict::Ahead } else { Verdict::Differs(self.compared) })
            }
            _ => Ok(Verdict::Extends),
        }
    }
}

/// The points that a run has of a metric, each as often as it has it: for two stores in which one run was continued.
/// Takes some 50 bytes a point.
#[derive(Debug, Default)]
pub(crate) struct Bag(HashMap<(i64, i64, u64), u32>);

impl Bag {
    pub(crate) fn of_stored(snapshot: &Snapshot, key: &str) -> Result<Self> {
        let mut bag = Self::default();
        for point in snapshot.metric(key)?.points() {
            let point = point?;
            *bag.0.entry((point.step, point.timestamp, point.value.to_bits())).or_default() += 1;
        }
        Ok(bag)
    }

    /// Takes one out; false when there is none.
    pub(crate) fn take(&mut self, point: Point) -> bool {
        let Some(count) = self.0.get_mut(&(point.step, point.timestamp, point.value.to_bits())) else { return false };
        let had = *count > 0;
        *count = count.saturating_sub(1);
        had
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.values().all(|count| *count == 0)
    }
}
