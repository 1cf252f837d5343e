//! Holding a store against its models: by every process that runs, by one that has just begun, by snapshots taken long
//! ago and by followers.

use super::model::Model;
use super::observe::{Checked, Seen, SeenRun, bits, observe, observe_run};
use super::pools::Bits;
use super::run::{Runner, STORE};
use crate::{Follower, RunId, Snapshot};
use std::collections::BTreeMap;
use std::path::Path;

/// A snapshot, and what it showed when it was taken.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) second: bool,
    snapshot: Snapshot,
    run: SeenRun,
}

/// A follower, and what it has delivered.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) second: bool,
    id: RunId,
    follower: Follower,
    points: BTreeMap<String, Vec<Bits>>,
}

impl Runner {
    /// Keeps the models that pass; an error when none does.
    fn keep(&mut self, check: impl FnMut(&mut Model) -> Checked) -> Checked {
        self.models.keep(check)
    }

    pub(super) fn hold(&mut self, second: bool, run: u8) -> Checked {
        let (Some(process), Some(id)) = (self.process(second), self.pick_run(run)) else { return Ok(()) };
        let Ok(snapshot) = process.store.snapshot(id) else { return Ok(()) };
        if snapshot.damage().iter().any(|error| self.is_fault(error)) {
            // It says what it could not read, and that is all it shows of it.
            return Ok(());
        }
        self.disk.spare_looks(true);
        let run = observe_run(&snapshot, String::new(), false);
        self.disk.spare_looks(false);
        let run = run?;
        self.held.push(Held { second, snapshot, run });
        Ok(())
    }

    pub(super) fn follow(&mut self, second: bool, run: u8) -> Checked {
        let (Some(process), Some(id)) = (self.process(second), self.pick_run(run)) else { return Ok(()) };
        let Ok(follower) = process.store.follow(id) else { return Ok(()) };
        self.followed.push(Followed { second, id, follower, points: BTreeMap::new() });
        Ok(())
    }

    /// Compares what each process sees with the models. No planned fault strikes this.
    pub(super) fn compare(&mut self, deep: bool) -> Checked {
        self.disk.spare_looks(true);
        let compared = self.compare_all(deep);
        self.disk.spare_looks(false);
        compared
    }

    fn compare_all(&mut self, deep: bool) -> Checked {
        for second in [false, true] {
            let Some(process) = self.process(second) else { continue };
            let seen = observe(&process.store, deep)?;
            self.keep(|model| model.check(&seen))?;
            self.poll(second, &seen)?;
        }
        if !deep {
            return Ok(());
        }
        for held in &self.held {
            if observe_run(&held.snapshot, String::new(), true)? != held.run {
                return Err("a snapshot has changed".to_owned());
            }
        }
        self.compare_anew()
    }

    /// Compares what a process sees that has just begun, and looks for damage.
    fn compare_anew(&mut self) -> Checked {
        let env = self.disk.process();
        let store = self.options(&env).read_only(true).open(Path::new(STORE));
        let store = store.map_err(|error| format!("the store cannot be opened for reading: {error}"))?;
        let seen = observe(&store, true)?;
        self.keep(|model| model.check(&seen))?;
        let report = store.verify(&mut |_| {}).map_err(|error| format!("verify: {error}"))?;
        let damage = report.damage.into_iter();
        // A catalog entry that could not be written wholly is no loss: it is derived, and is written anew.
        let damage: Vec<_> = damage.filter(|damage| !(self.faulty && damage.path.ends_with("catalog.tw"))).collect();
        if damage.is_empty() { Ok(()) } else { Err(format!("verify finds damage: {damage:?}")) }
    }

    fn poll(&mut self, second: bool, seen: &Seen) -> Checked {
        for followed in self.followed.iter_mut().filter(|followed| followed.second == second) {
            let Some(run) = seen.runs.get(&followed.id) else { continue };
            let points = &mut followed.points;
            let mut each = |metric: &str, point| points.entry(metric.to_owned()).or_default().push(bits(point));
            followed.follower.poll(&mut each).map_err(|error| format!("follow: {error}"))?;
            let sorted = |metrics: &BTreeMap<String, Vec<Bits>>| {
                let mut metrics = metrics.clone();
                metrics.values_mut().for_each(|points| points.sort_unstable());
                metrics
            };
            if sorted(&followed.points) != sorted(&run.metrics) {
                return Err(format!("following run {} has not given each of its points once", followed.id));
            }
        }
        Ok(())
    }
}
