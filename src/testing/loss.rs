//! What a power loss may leave of a run: a prefix of each writer's calls, and any of what came from outside and was not
//! certain yet.

use super::model::{Change, Event, Model, RunModel};
use super::observe::{Checked, Seen, SeenRun};
use crate::RunId;
use std::collections::{BTreeMap, BTreeSet};

/// States after a power loss that are tried before giving up.
const MAX_TRIES: usize = 20_000;
/// What is said then: no difference was found, nor that there is none.
pub(super) const UNDECIDED: &str = "too many states are allowed after this power loss";

impl Model {
    /// Takes what a power loss has left, when it is one of the allowed states; everybody is gone then.
    pub(super) fn settle_power_loss(&mut self, seen: &Seen) -> Checked {
        self.kill(None);
        self.check_small(seen)?;
        if let Some(id) = seen.runs.keys().find(|id| !self.runs.contains_key(id)) {
            return Err(format!("run {id} was never created"));
        }
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        for id in ids {
            match seen.runs.get(&id) {
                None => {
                    let lost = self.runs.remove(&id).unwrap_or_default();
                    if !lost.removed && lost.events.iter().any(|event| event.durable) {
                        return Err(format!("run {id} was durable and is gone"));
                    }
                }
                Some(found) => {
                    let events = Search::new(self, id, found).find().map_err(|error| format!("run {id}: {error}"))?;
                    let run = self.runs.entry(id).or_default();
                    (run.events, run.removed) = (events, false);
                    run.events.iter_mut().for_each(|event| event.durable = true);
                }
            }
        }
        Ok(())
    }
}

/// The search for the events of a run that add up to what was found.
///
/// A state keeps a prefix of each part. A part is what one writer did, or a single event from outside: each of those is
/// on its own. Most first: a power loss of an idle machine takes little. The numbers of points leave few states to be
/// summed up.
struct Search<'a> {
    model: &'a Model,
    id: RunId,
    run: &'a RunModel,
    found: &'a SeenRun,
    parts: Vec<Part>,
    /// Points of each metric that were found.
    wanted: Vec<usize>,
    /// Why the first state was not it.
    closest: Option<String>,
    tries: usize,
}

struct Part {
    /// Places of its events, in order.
    events: Vec<usize>,
    /// So many of them are certain.
    least: usize,
    /// Points of each metric in the first events, for every number of them.
    points: Vec<Vec<usize>>,
}

impl<'a> Search<'a> {
    fn new(model: &'a Model, id: RunId, found: &'a SeenRun) -> Self {
        let run = &model.runs[&id];
        let mut parts: BTreeMap<(Option<usize>, usize), Vec<usize>> = BTreeMap::new();
        let mut metrics: BTreeSet<&str> = found.metrics.keys().map(String::as_str).collect();
        for (at, event) in run.events.iter().enumerate() {
            let part = (event.by, if event.by.is_none() { at } else { 0 });
            parts.entry(part).or_default().push(at);
            metrics.extend(points_of(event).map(|(metric, _)| metric));
        }
        let places: BTreeMap<&str, usize> = metrics.iter().enumerate().map(|(at, metric)| (*metric, at)).collect();
        let part = |events: Vec<usize>| {
            let mut points = vec![vec![0; places.len()]];
            for at in &events {
                let mut sum = points.last().cloned().unwrap_or_default();
                points_of(&run.events[*at]).for_each(|(metric, count)| sum[places[metric]] += count);
                points.push(sum);
            }
            let least = events.iter().rposition(|at| run.events[*at].durable).map_or(0, |last| last + 1);
            Part { events, least, points }
        };
        let parts = parts.into_values().map(part).collect();
        let wanted = metrics.iter().map(|metric| found.metrics.get(*metric).map_or(0, Vec::len)).collect();
        Self { model, id, run, found, parts, wanted, closest: None, tries: 0 }
    }

    fn find(mut self) -> Result<Vec<Event>, String> {
        if let Some(events) = self.go_on(&mut Vec::new())? {
            return Ok(events);
        }
        // Of none the numbers of points were right: what is wrong with the most is said.
        let all: Vec<usize> = self.parts.iter().map(|part| part.events.len()).collect();
        if self.closest.is_none() {
            self.check(&all);
        }
        let least: Vec<usize> = self.parts.iter().map(|part| part.least).collect();
        Err(format!(
            "after a power loss it is no sum of prefixes (calls of each writer: {all:?}, durable of them: {least:?}); \
             with all of them: {}",
            self.closest.unwrap_or_default()
        ))
    }

    /// Whether the numbers of points can become right.
    fn can_be(&self, kept: &[usize]) -> bool {
        self.wanted.iter().enumerate().all(|(metric, wanted)| {
            let have: usize = self.parts.iter().zip(kept).map(|(part, kept)| part.points[*kept][metric]).sum();
            let rest = &self.parts[kept.len()..];
            let most: usize = rest.iter().map(|part| part.points[part.events.len()][metric]).sum();
            have <= *wanted && have + most >= *wanted
        })
    }

    /// Tries every state in which `kept` is kept of the first parts.
    fn go_on(&mut self, kept: &mut Vec<usize>) -> Result<Option<Vec<Event>>, String> {
        if !self.can_be(kept) {
            return Ok(None);
        }
        let Some(part) = self.parts.get(kept.len()) else {
            self.tries += 1;
            if self.tries > MAX_TRIES {
                return Err(UNDECIDED.to_owned());
            }
            return Ok(self.check(kept));
        };
        for next in (part.least..=part.events.len()).rev() {
            kept.push(next);
            let found = self.go_on(kept)?;
            kept.pop();
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The events of this state when they add up to what was found.
    fn check(&mut self, kept: &[usize]) -> Option<Vec<Event>> {
        let chosen = self.parts.iter().zip(kept).flat_map(|(part, kept)| part.events[..*kept].iter().copied());
        let chosen: BTreeSet<usize> = chosen.collect();
        let events = || chosen.iter().map(|at| &self.run.events[*at]);
        let sum = self.model.sum_of(self.id, self.run, events());
        let error = match sum.check(self.run.concurrent, self.found) {
            Ok(()) if sum.run.start_time == 0 => "it is there without its creation".to_owned(),
            Ok(()) => return Some(events().cloned().collect()),
            Err(error) => error,
        };
        self.closest.get_or_insert(error);
        None
    }
}

/// The metrics of which an event has points, and how many.
fn points_of(event: &Event) -> impl Iterator<Item = (&str, usize)> {
    event.call.iter().filter_map(|change| match change {
        Change::Points(metric, points) => Some((metric.as_str(), points.len())),
        _ => None,
    })
}
