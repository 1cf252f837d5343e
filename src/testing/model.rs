//! The store as a few maps: what every call must have done, and which of it a power loss may take.
//!
//! A run is the list of what happened to it, in order. Each event was made by a writer or from outside, and is certain
//! to survive a power loss or not. What readers must see is the sum of the events; what they may see after a power
//! loss is the sum of a prefix of each writer's events and any of the uncertain ones from outside.

use super::RegistryOp;
use super::observe::{Checked, Seen, SeenRun};
use super::pools::Bits;
use super::registry::Registry;
use super::sum::Sum;
use crate::{ErrorKind, RunId, RunStatus, StatusCause};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that a call says of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Created {
        start_time: i64,
    },
    Name(String),
    Status(RunStatus, StatusCause),
    /// A status that stays although nobody writes.
    Left(RunStatus),
    /// The day of the deletion; `None` restores.
    Deleted(Option<u64>),
    Param(String, String),
    Tag(String, String),
    Untag(String),
    Points(String, Vec<Bits>),
}

/// What one call said: it counts as a whole.
pub(super) type Call = Arc<Vec<Change>>;

#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The writer; `None` from outside.
    pub(super) by: Option<usize>,
    pub(super) call: Call,
    pub(super) durable: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RunModel {
    experiment: usize,
    pub(super) events: Vec<Event>,
    /// Two writers were open at a time: the order of their points among each other is not known here.
    pub(super) concurrent: bool,
    /// Removed by compaction. Until the removal is durable, a power loss may bring the run back.
    pub(super) removed: bool,
}

/// Whether the process of a writer that has ended holds its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    No,
    /// Maintenance has failed before or after it sealed it.
    Maybe,
    /// Until maintenance seals it.
    Yes,
}

#[derive(Clone, Copy, Debug)]
struct WriterModel {
    run: RunId,
    second: bool,
    live: bool,
    held: Held,
    /// Its process lives and has not sealed since, so that it may hold a full log of it.
    near: bool,
}

impl WriterModel {
    /// Whether it keeps the process from removing its run.
    fn keeps_from(&self, second: bool) -> bool {
        self.live || self.held != Held::No && self.second != second
    }
}

#[derive(Clone, Debug, Default)]
struct ExperimentModel {
    name: String,
    tags: BTreeMap<String, String>,
    deleted: bool,
}

/// An action with everything chosen.
#[derive(Clone, Debug)]
pub(super) enum Action {
    CreateExperiment(String),
    RenameExperiment(String, String),
    TagExperiment(String, String, String),
    UntagExperiment(String, String),
    SetExperimentDeleted(String, bool),
    /// With the run that it is about.
    Registry(RegistryOp, Option<RunId>),
    CreateRun {
        id: RunId,
        experiment: String,
        writer: usize,
        second: bool,
        call: Call,
    },
    Resume {
        id: RunId,
        writer: usize,
        second: bool,
        /// A run whose end was reported stays over.
        append: bool,
    },
    /// A call of a writer.
    Log {
        writer: usize,
        call: Call,
    },
    End {
        writer: usize,
        status: RunStatus,
        cause: StatusCause,
    },
    Leave {
        writer: usize,
    },
    /// A change from outside.
    Edit {
        id: RunId,
        change: Change,
    },
    SetDeleted {
        id: RunId,
        deleted: bool,
    },
    Sync {
        writer: usize,
    },
    /// One round of maintenance of a process.
    Maintain {
        second: bool,
    },
    /// What a compaction or the opening of a store does about the past.
    Complete {
        second: bool,
        remove: bool,
    },
    Advance,
}

/// How a model answers an action: the result, and the states on the way (the last one is the end).
pub(super) type Answer = (Result<(), ErrorKind>, Vec<Model>);

#[derive(Clone, Debug)]
pub(super) struct Model {
    experiments: Vec<ExperimentModel>,
    registry: Registry,
    pub(super) runs: BTreeMap<RunId, RunModel>,
    writers: BTreeMap<usize, WriterModel>,
    day: u64,
    /// Every acknowledged call is on the medium.
    medium: bool,
}

impl Model {
    pub(super) fn new(medium: bool) -> Self {
        let default = ExperimentModel { name: "Default".to_owned(), ..ExperimentModel::default() };
        let (experiments, registry) = (vec![default], Registry::default());
        Self { experiments, registry, runs: BTreeMap::new(), writers: BTreeMap::new(), day: 0, medium }
    }

    /// What the action does. `certain`: it was acknowledged, so that what it promises to be durable is.
    pub(super) fn apply(&self, action: &Action, certain: bool) -> Answer {
        let mut after = self.clone();
        match after.change(action, certain) {
            Err(kind) => (Err(kind), Vec::new()),
            Ok(mut steps) => {
                steps.push(after);
                (Ok(()), steps)
            }
        }
    }

    fn change(&mut self, action: &Action, certain: bool) -> Result<Vec<Self>, ErrorKind> {
        let durable = certain && self.medium;
        match action {
            Action::CreateRun { id, experiment, writer, second, call } => {
                let experiment = self.active_experiment(experiment)?;
                self.runs.insert(*id, RunModel { experiment, ..RunModel::default() });
                self.begin(*id, *writer, *second, Arc::clone(call), durable);
            }
            Action::Resume { id, writer, second, append } => {
                self.check_active(*id)?;
                let sum = self.sum(*id).ok_or(ErrorKind::NotFound)?;
                let is_over = sum.said.0.is_ended() && sum.said.1 == StatusCause::Reported;
                let mut words = sum.words();
                if !(*append && is_over) {
                    words.push(Change::Status(RunStatus::Running, StatusCause::Reported));
                }
                self.begin(*id, *writer, *second, Arc::new(words), durable);
            }
            Action::Log { writer, call } => {
                let Some(known) = self.writers.get(writer).copied() else { return Err(ErrorKind::NotFound) };
                let params = self.sum(known.run).map(|sum| sum.run.params).unwrap_or_default();
                for change in call.iter() {
                    if let Change::Param(key, value) = change
                        && params.get(key).is_some_and(|stored| stored != value)
                    {
                        return Err(ErrorKind::Conflict);
                    }
                }
                self.event(known.run, Some(*writer), Arc::clone(call), durable);
            }
            Action::End { writer, status, cause } => {
                let Some(run) = self.writers.get(writer).map(|known| known.run) else {
                    return Err(ErrorKind::NotFound);
                };
                let mut gone = self.clone();
                gone.bury(*writer);
                // A dropped writer does not contradict one that has said how the run ended.
                let said = self.sum(run).is_some_and(|sum| sum.run.status.0.is_ended());
                if !(said && *cause == StatusCause::Dropped) {
                    let ended = self.sum(run).is_some_and(|sum| sum.said.0.is_ended());
                    // Who is dropped without a word does not overrule a writer that has said how the run ended.
                    if *cause == StatusCause::Reported || !ended || !certain {
                        self.event(run, Some(*writer), Arc::new(vec![Change::Status(*status, *cause)]), durable);
                    }
                }
                if let Some(known) = self.writers.get_mut(writer) {
                    (known.live, known.held) = (false, Held::Yes);
                }
                return Ok(vec![gone]);
            }
            Action::Leave { writer } => {
                let run = self.writers.get(writer).ok_or(ErrorKind::NotFound)?.run;
                let mut gone = self.clone();
                gone.bury(*writer);
                if let Some(sum) = self.sum(run).filter(|sum| !sum.said.0.is_ended()) {
                    self.event(run, Some(*writer), Arc::new(vec![Change::Left(sum.said.0)]), durable);
                }
                if let Some(known) = self.writers.get_mut(writer) {
                    (known.live, known.held) = (false, Held::Yes);
                }
                return Ok(vec![gone]);
            }
            Action::Edit { id, change } => {
                let known = self.check_active(*id)?;
                if let Change::Untag(key) = change
                    && !known.tags.contains_key(key)
                {
                    return Err(ErrorKind::NotFound);
                }
                self.edit(*id, change.clone(), certain);
            }
            Action::SetDeleted { id, deleted } => {
                let sum = self.sum(*id).ok_or(ErrorKind::NotFound)?;
                if sum.run.deleted != *deleted {
                    self.edit(*id, Change::Deleted(deleted.then_some(self.day)), certain);
                }
            }
            Action::Sync { writer } => self.make_durable(certain, |event, _| event.by == Some(*writer)),
            Action::Maintain { second } => {
                // What a writer left whose process was killed is for who opens the store, or compacts it.
                let is_its = |by: &WriterModel| by.second == *second && (by.live || by.held != Held::No);
                self.make_durable(certain, |_, by| by.is_some_and(is_its));
                self.seal(*second, certain);
            }
            Action::Complete { second, remove } => return Ok(self.complete(*second, *remove, certain)),
            Action::Advance => self.day += 1,
            Action::Registry(_, Some(run)) if self.sum(*run).is_none() => return Err(ErrorKind::NotFound),
            Action::Registry(op, run) => self.registry.apply(*op, *run)?,
            about_experiments => self.change_experiment(about_experiments)?,
        }
        Ok(Vec::new())
    }

    /// Seals the logs of dead writers, and removes deleted runs. The states on the way: any of them not yet removed.
    fn complete(&mut self, second: bool, remove: bool, certain: bool) -> Vec<Self> {
        self.seal(second, certain);
        self.make_durable(certain, |_, by| by.is_some_and(|by| !by.live && by.held == Held::No));
        let mut on_the_way = Vec::new();
        if remove {
            let live: BTreeSet<RunId> =
                self.writers.values().filter(|by| by.keeps_from(second)).map(|by| by.run).collect();
            let gone: Vec<RunId> =
                self.runs.keys().copied().filter(|id| !live.contains(id) && self.is_due(*id)).collect();
            for id in gone {
                on_the_way.extend(on_the_way.clone());
                on_the_way.push(self.clone());
                for model in on_the_way.iter_mut().skip(1).chain([self as &mut Self]) {
                    model.runs.entry(id).or_default().removed = true;
                }
            }
        }
        on_the_way
    }

    /// Whether it was deleted so long ago that its files may go.
    fn is_due(&self, id: RunId) -> bool {
        self.sum(id).is_some_and(|sum| sum.deleted_on.is_some_and(|day| day < self.day))
    }

    /// The model, as often as an action depends on logs of which it is not known whether another process holds them.
    pub(super) fn split(&self, action: &Action) -> Vec<Self> {
        let Action::Complete { second, remove: true } = action else { return vec![self.clone()] };
        let in_doubt =
            |by: &WriterModel| by.held == Held::Maybe && !by.live && by.second != *second && self.is_due(by.run);
        let writers = self.writers.iter().filter(|(_, by)| in_doubt(by)).map(|(writer, _)| *writer);
        writers.fold(vec![self.clone()], |models, writer| {
            let each = models.into_iter().flat_map(|model| [Held::No, Held::Yes].map(|held| (model.clone(), held)));
            let with = |(mut model, held): (Self, Held)| {
                model.writers.entry(writer).and_modify(|by| by.held = held);
                model
            };
            each.map(with).collect()
        })
    }

    fn change_experiment(&mut self, action: &Action) -> Result<(), ErrorKind> {
        let taken = |name: &String| self.experiments.iter().any(|known| known.name == *name);
        match action {
            Action::CreateExperiment(name) if taken(name) => self.active_experiment(name).map(|_| ()),
            Action::CreateExperiment(name) => {
                self.experiments.push(ExperimentModel { name: name.clone(), ..ExperimentModel::default() });
                Ok(())
            }
            Action::SetExperimentDeleted(name, deleted) => {
                let known = self.experiments.iter_mut().find(|known| known.name == *name);
                let known = known.ok_or(ErrorKind::NotFound)?;
                if known.deleted == *deleted {
                    return Err(ErrorKind::Conflict);
                }
                known.deleted = *deleted;
                Ok(())
            }
            Action::RenameExperiment(name, new) => {
                let at = self.active_experiment(name)?;
                if name != new && taken(new) {
                    return Err(ErrorKind::Conflict);
                }
                self.experiments[at].name = new.clone();
                Ok(())
            }
            Action::TagExperiment(name, key, value) => {
                let at = self.active_experiment(name)?;
                self.experiments[at].tags.insert(key.clone(), value.clone());
                Ok(())
            }
            Action::UntagExperiment(name, key) => {
                let at = self.active_experiment(name)?;
                self.experiments[at].tags.remove(key).map(|_| ()).ok_or(ErrorKind::NotFound)
            }
            _ => Ok(()),
        }
    }

    fn active_experiment(&self, name: &str) -> Result<usize, ErrorKind> {
        let at = self.experiments.iter().position(|known| known.name == name).ok_or(ErrorKind::NotFound)?;
        if self.experiments[at].deleted { Err(ErrorKind::Conflict) } else { Ok(at) }
    }

    fn check_active(&self, id: RunId) -> Result<SeenRun, ErrorKind> {
        let sum = self.sum(id).ok_or(ErrorKind::NotFound)?;
        if sum.run.deleted { Err(ErrorKind::Conflict) } else { Ok(sum.run) }
    }

    fn begin(&mut self, run: RunId, writer: usize, second: bool, call: Call, durable: bool) {
        let others = self.writers.values().any(|by| by.run == run && by.live);
        self.writers.insert(writer, WriterModel { run, second, live: true, held: Held::No, near: true });
        self.runs.entry(run).or_default().concurrent |= others;
        self.event(run, Some(writer), call, durable);
    }

    fn event(&mut self, run: RunId, by: Option<usize>, call: Call, durable: bool) {
        self.runs.entry(run).or_default().events.push(Event { by, call, durable });
        if let (Some(by), true) = (by, durable) {
            self.make_durable(true, |event, _| event.by == Some(by));
        }
    }

    /// A change from outside is durable at once, and with it what dead writers of the run have left.
    fn edit(&mut self, id: RunId, change: Change, certain: bool) {
        let mut words = self.sum(id).map(|sum| sum.words()).unwrap_or_default();
        words.push(change);
        self.event(id, None, Arc::new(words), certain);
        self.make_durable(certain, |_, by| by.is_some_and(|by| by.run == id && !by.live && by.held == Held::No));
    }

    fn make_durable(&mut self, certain: bool, which: impl Fn(&Event, Option<&WriterModel>) -> bool) {
        if !certain {
            return;
        }
        for event in self.runs.values_mut().flat_map(|run| &mut run.events) {
            let by = event.by.and_then(|by| self.writers.get(&by));
            event.durable |= which(event, by);
        }
    }

    /// A process lets go of the logs of its writers that have ended.
    fn seal(&mut self, second: bool, certain: bool) {
        for writer in self.writers.values_mut().filter(|writer| writer.second == second) {
            writer.near &= writer.live || !certain;
            writer.held = match writer.held {
                Held::Yes | Held::Maybe if !certain => Held::Maybe,
                _ => Held::No,
            };
        }
    }

    /// Whether the process of a writer that has ended still holds its log.
    pub(super) fn holds(&self, writer: usize) -> bool {
        self.writers.get(&writer).is_some_and(|known| known.held != Held::No)
    }

    /// The writer is gone, and its log with it.
    pub(super) fn bury(&mut self, writer: usize) {
        if let Some(known) = self.writers.get_mut(&writer) {
            (known.live, known.held) = (false, Held::No);
        }
    }

    /// A process, or with `None` every process, is gone.
    pub(super) fn kill(&mut self, second: Option<bool>) {
        for writer in self.writers.values_mut().filter(|writer| second.is_none_or(|second| second == writer.second)) {
            (writer.live, writer.held, writer.near) = (false, Held::No, false);
        }
    }

    fn sum(&self, id: RunId) -> Option<Sum> {
        let run = self.runs.get(&id).filter(|run| !run.removed)?;
        Some(self.sum_of(id, run, run.events.iter()))
    }

    pub(super) fn sum_of<'a>(&self, id: RunId, run: &RunModel, events: impl Iterator<Item = &'a Event>) -> Sum {
        let experiment = self.experiments[run.experiment].name.clone();
        let mut sum = Sum::new(experiment);
        events.for_each(|event| sum.take(event));
        let mut writers = self.writers.values().filter(|by| by.run == id);
        if sum.run.status.0 == RunStatus::Running && !sum.is_left && !writers.clone().any(|by| by.live) {
            sum.run.status = (RunStatus::Killed, StatusCause::Vanished);
            // Somebody holds a log of the run: whether he writes to it cannot be seen from outside.
            sum.may_seem_running = writers.any(|by| by.near);
        }
        sum
    }

    /// Whether a store shows exactly this.
    pub(super) fn check(&self, seen: &Seen) -> Checked {
        self.check_small(seen)?;
        let shown: BTreeSet<RunId> = self.runs.keys().copied().filter(|id| self.sum(*id).is_some()).collect();
        let found: BTreeSet<RunId> = seen.runs.keys().copied().collect();
        if shown != found {
            return Err(format!("runs found: {found:?}, expected: {shown:?}"));
        }
        for (id, run) in &self.runs {
            if let (Some(sum), Some(found)) = (self.sum(*id), seen.runs.get(id)) {
                sum.check(run.concurrent, found).map_err(|error| format!("run {id}: {error}"))?;
            }
        }
        Ok(())
    }

    /// What is durable when its call returns.
    pub(super) fn check_small(&self, seen: &Seen) -> Checked {
        self.registry.check(&seen.registry)?;
        let known = self.experiments.iter().map(|known| (known.name.clone(), (known.tags.clone(), known.deleted)));
        let expected: BTreeMap<_, _> = known.collect();
        if seen.experiments != expected {
            return Err(format!("experiments found: {:?}, expected: {expected:?}", seen.experiments));
        }
        Ok(())
    }
}
