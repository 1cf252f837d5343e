//! What a power loss may leave of a run: a prefix of each writer's calls, and any of what came from outside and was not
//! certain yet.

use super::model::{Event, Model};
use super::observe::{Checked, Seen, SeenRun};
use crate::RunId;
use std::collections::BTreeMap;

/// States after a power loss that are tried before giving up.
const MAX_TRIES: usize = 200_000;

impl Model {
    /// Takes what a power loss has left, when it is one of the allowed states; everybody is gone then.
    pub(super) fn settle_power_loss(&mut self, seen: &Seen) -> Checked {
        self.kill(None);
        self.check_experiments(seen)?;
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
                    let events = self.find_survivors(id, found).map_err(|error| format!("run {id}: {error}"))?;
                    let run = self.runs.entry(id).or_default();
                    (run.events, run.removed) = (events, false);
                    run.events.iter_mut().for_each(|event| event.durable = true);
                }
            }
        }
        Ok(())
    }

    /// The events of a run that add up to what was found.
    fn find_survivors(&self, id: RunId, found: &SeenRun) -> Result<Vec<Event>, String> {
        let run = &self.runs[&id];
        let mut parts: BTreeMap<(Option<usize>, usize), Vec<usize>> = BTreeMap::new();
        for (at, event) in run.events.iter().enumerate() {
            // Each event from outside is on its own.
            let part = (event.by, if event.by.is_none() { at } else { 0 });
            parts.entry(part).or_default().push(at);
        }
        let parts: Vec<Vec<usize>> = parts.into_values().collect();
        let least: Vec<usize> = parts
            .iter()
            .map(|part| part.iter().rposition(|at| run.events[*at].durable).map_or(0, |last| last + 1))
            .collect();
        // Most first: a power loss of an idle machine takes little.
        let mut kept: Vec<usize> = parts.iter().map(Vec::len).collect();
        let (mut closest, mut tries) = (None, 0);
        loop {
            let mut chosen: Vec<usize> =
                parts.iter().zip(&kept).flat_map(|(part, kept)| part[..*kept].iter().copied()).collect();
            chosen.sort_unstable();
            tries += 1;
            let events = || chosen.iter().map(|at| &run.events[*at]);
            let sum = self.sum_of(id, run, events());
            match sum.check(run.concurrent, found) {
                Ok(()) if sum.run.start_time == 0 => {
                    closest.get_or_insert_with(|| "it is there without its creation".to_owned());
                }
                Ok(()) => return Ok(events().cloned().collect()),
                Err(error) => _ = closest.get_or_insert(error),
            }
            if tries > MAX_TRIES {
                return Err("too many states are allowed after this power loss: sync more often".to_owned());
            }
            let Some(at) = (0..kept.len()).find(|at| kept[*at] > least[*at]) else { break };
            kept[at] -= 1;
            (0..at).for_each(|before| kept[before] = parts[before].len());
        }
        let closest = closest.unwrap_or_default();
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        Err(format!(
            "after a power loss it is no sum of prefixes (calls of each writer: {sizes:?}, durable of them: \
             {least:?}); with all of them: {closest}"
        ))
    }
}
