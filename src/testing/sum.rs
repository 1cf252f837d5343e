//! What the events of a run add up to, and whether a reader was shown exactly that.

use super::model::{Change, Event};
use super::observe::{Checked, SeenRun};
use super::pools::Bits;
use crate::{RunStatus, StatusCause};
use std::collections::{BTreeMap, BTreeSet};

/// What events add up to.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) run: SeenRun,
    pub(super) deleted_on: Option<u64>,
    /// The status that was last said, whoever vanished since.
    pub(super) said: (RunStatus, StatusCause),
    /// That status stays although nobody writes.
    pub(super) is_left: bool,
    /// Tags that were deleted.
    untagged: BTreeSet<String>,
    /// It may still be shown as running.
    pub(super) may_seem_running: bool,
    /// Points with the writers that wrote them.
    points: BTreeMap<String, Vec<(usize, Bits)>>,
}

impl Sum {
    pub(super) fn new(experiment: String) -> Self {
        let run = SeenRun {
            experiment,
            start_time: 0,
            name: String::new(),
            status: (RunStatus::Running, StatusCause::Reported),
            deleted: false,
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            metrics: BTreeMap::new(),
        };
        Self {
            said: run.status,
            is_left: false,
            untagged: BTreeSet::new(),
            run,
            deleted_on: None,
            may_seem_running: false,
            points: BTreeMap::new(),
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        let run = &mut self.run;
        for change in event.call.iter() {
            match change {
                Change::Created { start_time } => run.start_time = *start_time,
                Change::Name(name) => run.name = name.clone(),
                Change::Status(status, cause) => {
                    (run.status, self.said, self.is_left) = ((*status, *cause), (*status, *cause), false);
                }
                Change::Left(status) => {
                    run.status = (*status, StatusCause::Reported);
                    (self.said, self.is_left) = (run.status, true);
                }
                Change::Deleted(day) => (run.deleted, self.deleted_on) = (day.is_some(), *day),
                Change::Param(key, value) => {
                    run.params.entry(key.clone()).or_insert_with(|| value.clone());
                }
                Change::Tag(key, value) => {
                    self.untagged.remove(key);
                    run.tags.insert(key.clone(), value.clone());
                }
                Change::Untag(key) => {
                    self.untagged.insert(key.clone());
                    run.tags.remove(key);
                }
                Change::Points(metric, points) => {
                    let by = event.by.unwrap_or(usize::MAX);
                    let known = self.points.entry(metric.clone()).or_default();
                    known.extend(points.iter().map(|point| (by, *point)));
                }
            }
        }
    }

    /// All that is known of the run, points apart: new logs and changes from outside repeat it, so that they stand for
    /// themselves when a power loss takes what was said before.
    pub(super) fn words(&self) -> Vec<Change> {
        let run = &self.run;
        let mut all = vec![
            Change::Created { start_time: run.start_time },
            Change::Name(run.name.clone()),
            if self.is_left { Change::Left(self.said.0) } else { Change::Status(self.said.0, self.said.1) },
            Change::Deleted(self.deleted_on),
        ];
        all.extend(run.params.iter().map(|(key, value)| Change::Param(key.clone(), value.clone())));
        all.extend(run.tags.iter().map(|(key, value)| Change::Tag(key.clone(), value.clone())));
        all.extend(self.untagged.iter().map(|key| Change::Untag(key.clone())));
        all
    }

    pub(super) fn check(&self, concurrent: bool, found: &SeenRun) -> Checked {
        let mut bare = SeenRun { metrics: BTreeMap::new(), ..found.clone() };
        if self.may_seem_running && bare.status == (RunStatus::Running, StatusCause::Reported) {
            bare.status = self.run.status;
        }
        if bare != self.run {
            return Err(format!("found {bare:?}, expected {:?}", self.run));
        }
        let (names, expected): (Vec<_>, Vec<_>) = (found.metrics.keys().collect(), self.points.keys().collect());
        if names != expected {
            return Err(format!("metrics found: {names:?}, expected: {expected:?}"));
        }
        for (metric, points) in &self.points {
            check_points(concurrent, points, &found.metrics[metric]).map_err(|error| format!("{metric}: {error}"))?;
        }
        Ok(())
    }
}

/// Whether these are the points: in order, or in any order that keeps that of each writer.
fn check_points(concurrent: bool, expected: &[(usize, Bits)], found: &[Bits]) -> Checked {
    if found.len() != expected.len() {
        return Err(format!("{} points found, {} expected", found.len(), expected.len()));
    }
    if !concurrent {
        let wrong = expected.iter().zip(found).position(|((_, expected), found)| expected != found);
        return match wrong {
            None => Ok(()),
            Some(at) => Err(format!("point {at} is {:?}, expected {:?}", found[at], expected[at].1)),
        };
    }
    let (mut sorted, mut wanted): (Vec<Bits>, Vec<Bits>) =
        (found.to_vec(), expected.iter().map(|(_, point)| *point).collect());
    sorted.sort_unstable();
    wanted.sort_unstable();
    if sorted != wanted {
        return Err("the points of all writers together are not those that were written".to_owned());
    }
    let writers: BTreeSet<usize> = expected.iter().map(|(by, _)| *by).collect();
    for writer in writers {
        let mut rest = found.iter();
        let own = expected.iter().filter(|(by, _)| *by == writer);
        for (_, point) in own {
            if !rest.any(|found| found == point) {
                return Err(format!("the points of writer {writer} are out of order"));
            }
        }
    }
    Ok(())
}
