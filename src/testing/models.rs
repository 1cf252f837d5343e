//! The models that go on side by side where it is not known whether a call took place: it failed, or its process was
//! killed in it. What is read decides; at least one must be left.
//!
//! A call that nobody acknowledged may be undone in the page cache and be on the medium all the same, or the other way
//! about. So a model that what is read contradicts is *doubted* from then on: no longer compared, but a state that the
//! next power loss may show.

use super::model::{Action, Model};
use super::observe::{Checked, Seen};
use crate::Result;

/// More than any sequence of doubtful calls has needed.
const MAX_MODELS: usize = 256;
/// Doubted models that are remembered, the latest ones.
const MAX_DOUBTED: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Models {
    /// One of them is the store.
    likely: Vec<Model>,
    doubted: Vec<Model>,
}

impl Models {
    pub(super) fn new(model: Model) -> Self {
        Self { likely: vec![model], doubted: Vec::new() }
    }

    /// Whether one model alone is left.
    pub(super) fn is_sure(&self) -> bool {
        self.likely.len() == 1
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Model> {
        self.likely.iter_mut().chain(&mut self.doubted)
    }

    /// A process, or with `None` every process, is gone.
    pub(super) fn kill(&mut self, second: Option<bool>) {
        self.all().for_each(|model| model.kill(second));
    }

    pub(super) fn bury(&mut self, writer: usize) {
        self.all().for_each(|model| model.bury(writer));
    }

    /// Something takes place that cannot be refused.
    pub(super) fn advance(&mut self, action: &Action, certain: bool) {
        for model in self.all() {
            if let Some(after) = model.apply(action, certain).1.pop() {
                *model = after;
            }
        }
    }

    /// Keeps the models that pass; an error when none does. The others may still come back with a power loss.
    pub(super) fn keep(&mut self, mut check: impl FnMut(&mut Model) -> Checked) -> Checked {
        let (mut first_error, mut kept) = (None, Vec::new());
        for mut model in std::mem::take(&mut self.likely) {
            match check(&mut model) {
                Ok(()) => kept.push(model),
                Err(error) => {
                    first_error.get_or_insert(error);
                    self.doubted.push(model);
                }
            }
        }
        self.likely = kept;
        let more = self.doubted.len().saturating_sub(MAX_DOUBTED);
        self.doubted.drain(..more);
        if self.likely.is_empty() { Err(first_error.unwrap_or_default()) } else { Ok(()) }
    }

    /// Keeps the models that allow what a power loss has left.
    pub(super) fn settle_power_loss(&mut self, seen: &Seen) -> Checked {
        self.likely.append(&mut self.doubted);
        let settled = self.keep(|model| model.settle_power_loss(seen));
        self.doubted.clear();
        settled
    }

    /// Brings the models up to an action with this outcome; `unsure` when the outcome does not say whether it took place.
    pub(super) fn bring_up(&mut self, action: &Action, done: &Result<()>, unsure: bool) -> Checked {
        let mut next = Vec::new();
        let mut expected = None;
        for model in self.likely.iter().flat_map(|model| model.split(action)) {
            let (result, mut steps) = model.apply(action, !unsure);
            match (done, result) {
                _ if unsure => {
                    // Of an end, "not told" is one of the steps.
                    if !matches!(action, Action::End { .. }) {
                        next.push(model.clone());
                    }
                    next.append(&mut steps);
                }
                (Ok(()), Ok(())) => next.extend(steps.pop()),
                (Err(error), Err(kind)) if error.kind() == kind => next.push(model.clone()),
                (_, result) => expected = Some(result),
            }
        }
        if next.is_empty() {
            return Err(format!("{action:?}: the answer is {done:?}, expected {expected:?}"));
        }
        next.truncate(MAX_MODELS);
        self.likely = next;
        if unsure {
            // A power loss may bring back what is doubted, and leave what this has done.
            let after: Vec<Model> = self.doubted.iter().flat_map(|model| model.apply(action, false).1).collect();
            self.doubted.extend(after);
        } else if done.is_ok() {
            for model in &mut self.doubted {
                if let Some(after) = model.apply(action, true).1.pop() {
                    *model = after;
                }
            }
        }
        if let (Action::End { writer, .. }, true) = (action, unsure) {
            // An end that was told may have let go of the log all the same, or hold it until it is sealed.
            let held = self.likely.clone();
            self.bury(*writer);
            self.likely.extend(held.into_iter().filter(|model| model.holds(*writer)));
            self.likely.truncate(MAX_MODELS);
        }
        Ok(())
    }

    /// Takes in what an action may have made of the models as they were before.
    pub(super) fn or_else(&mut self, before: &Self, action: &Action) {
        self.likely.extend(before.likely.iter().flat_map(|model| model.apply(action, false).1));
        self.likely.truncate(MAX_MODELS);
    }
}
