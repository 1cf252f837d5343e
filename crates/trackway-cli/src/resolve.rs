//! From what a person types to the run or metric that is meant.

use crate::error::{Failure, Outcome};
use std::collections::HashSet;
use trackway::{ExperimentId, LifecycleStage, RegisteredModel, Run, RunFilter, RunId, Store, View};

/// Fewest hex digits that are taken for the beginning of an id.
const MIN_PREFIX: usize = 4;

/// The run that `text` names: a full id, the beginning of exactly one id, or the name of exactly one run. Of several
/// runs of a name the only one that is not deleted is meant.
///
/// # Errors
/// When there is none, or more than one; the message lists candidates.
pub fn run(store: &Store, text: &str) -> Outcome<Run> {
    if let Ok(id) = text.parse::<RunId>() {
        return store.run(id).map_err(|error| match error {
            trackway::Error::NotFound { .. } => no_run(text),
            other => other.into(),
        });
    }
    let all = store.runs(&RunFilter { view: View::All, ..RunFilter::default() })?;
    let named: Vec<&Run> = all.iter().filter(|run| run.name == text).collect();
    let active: Vec<&Run> = named.iter().copied().filter(|run| is_active(run)).collect();
    match (named.as_slice(), active.as_slice()) {
        ([one], _) | (_, [one]) => return Ok((*one).clone()),
        ([], _) => {}
        (several, _) => return Err(ambiguous("runs are named", text, several)),
    }
    let prefix = text.to_ascii_lowercase();
    let is_prefix = prefix.len() >= MIN_PREFIX && prefix.bytes().all(|b| b.is_ascii_hexdigit());
    let begun: Vec<&Run> = all.iter().filter(|run| is_prefix && run.id.to_string().starts_with(&prefix)).collect();
    match begun.as_slice() {
        [] => {
            // It may be one whose name could not be read.
            crate::output::tell_incidents(store);
            Err(suggest(no_run(text), text, all.iter().map(|run| run.name.as_str())))
        }
        [one] => Ok((*one).clone()),
        several => Err(ambiguous("ids begin with", text, several)),
    }
}

fn no_run(text: &str) -> Failure {
    let hint = "give an id, its first 4 or more digits, or a name; `trackway runs` lists them";
    Failure::new(format!("no run {text:?} in this store")).hint(hint)
}

fn ambiguous(what: &str, text: &str, runs: &[&Run]) -> Failure {
    let shown: Vec<String> = runs.iter().take(5).map(|run| format!("{} {:?}", run.id, run.name)).collect();
    let more = if runs.len() > shown.len() { ", ..." } else { "" };
    Failure::new(format!("{} {what} {text:?}: {}{more}", runs.len(), shown.join(", "))).hint("give the full id")
}

/// True for a run that is not deleted.
pub fn is_active(run: &Run) -> bool {
    run.lifecycle_stage == LifecycleStage::Active
}

/// Checks that the run has the metric.
///
/// # Errors
/// When it has not; the message names similar ones.
pub fn metric(run: &Run, key: &str) -> Outcome {
    if run.metrics.contains_key(key) {
        return Ok(());
    }
    let missing = Failure::new(format!("run {} has no metric {key:?}", run.id));
    let missing = missing.hint(format!("`trackway show {}` lists its metrics", run.id));
    Err(suggest(missing, key, run.metrics.keys().map(|key| &**key)))
}

/// The experiment with this name or, failing that, this number.
///
/// # Errors
/// When there is none; the message names similar ones.
pub fn experiment(store: &Store, text: &str) -> Outcome<ExperimentId> {
    let all = store.experiments()?;
    let named = all.iter().find(|experiment| experiment.name == text);
    let numbered = || text.parse().ok().and_then(|id: ExperimentId| all.iter().find(|e| e.id == id));
    named.or_else(numbered).map(|experiment| experiment.id).ok_or_else(|| {
        let missing = Failure::new(format!("no experiment {text:?} in this store"));
        let missing = missing.hint("`trackway experiments` lists them");
        suggest(missing, text, all.iter().map(|experiment| experiment.name.as_str()))
    })
}

/// The registered model with this name.
///
/// # Errors
/// When there is none; the message names similar ones.
pub fn model(store: &Store, name: &str) -> Outcome<RegisteredModel> {
    match store.model(name) {
        Err(error @ trackway::Error::NotFound { .. }) => {
            let missing = Failure::from(error).hint("`trackway models` lists them");
            let all = store.models()?;
            Err(suggest(missing, name, all.iter().map(|model| model.name.as_str())))
        }
        model => Ok(model?),
    }
}

/// The number of a version that `text` names: its number, an alias, or `latest`.
///
/// # Errors
/// When there is none.
pub fn version(model: &RegisteredModel, text: &str) -> Outcome<u32> {
    let numbered = text.parse().ok().filter(|number| model.version(*number).is_some());
    let latest = || model.versions.last().filter(|_| text.eq_ignore_ascii_case("latest")).map(|version| version.number);
    numbered.or_else(|| model.aliases.get(text).copied()).or_else(latest).ok_or_else(|| {
        let missing = Failure::new(format!("model {:?} has no version {text:?}", model.name));
        missing.hint(format!("give a number or an alias; `trackway models show {:?}` lists them", model.name))
    })
}

/// Adds to the failure the names that are most like `text`, if any are.
fn suggest<'a>(failure: Failure, text: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    let mut seen = HashSet::new();
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| !name.is_empty() && seen.insert(*name))
        .filter_map(|name| similarity(text, name).map(|distance| (distance, name)))
        .collect();
    near.sort_unstable();
    if near.is_empty() {
        return failure;
    }
    let near: Vec<String> = near.iter().take(4).map(|(_, name)| format!("{name:?}")).collect();
    failure.hint(format!("did you mean {}?", near.join(" or ")))
}

/// How far apart two names are; `None` when nobody would mistake one for the other.
fn similarity(typed: &str, name: &str) -> Option<usize> {
    let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
    if typed.chars().count() >= 3 && (name.contains(&typed) || typed.contains(&name) && name.chars().count() >= 3) {
        return Some(name.len().abs_diff(typed.len()) / 4);
    }
    let distance = edit_distance(&typed, &name);
    (distance <= typed.chars().count() / 3).then_some(distance)
}

/// Least number of characters to insert, remove or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        for (slot, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(x != y)).min(*slot + 1).min(left + 1);
            (diagonal, left) = (*slot, best);
            *slot = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The shortest beginnings, of 8 digits at least, that tell these ids apart from each other.
pub fn short_ids(ids: &[RunId]) -> Vec<String> {
    let full: Vec<String> = ids.iter().map(RunId::to_string).collect();
    let mut length = 8;
    while length < 32 {
        let mut seen = HashSet::new();
        if full.iter().all(|id| seen.insert(id.get(..length))) {
            break;
        }
        length += 4;
    }
    full.into_iter().map(|id| id.get(..length).unwrap_or(&id).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, distance) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("loss", "loss", 0)] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
        assert_eq!(similarity("los", "train/loss"), Some(1));
        assert_eq!(similarity("accuracy", "lr"), None);
    }

    #[test]
    fn short_ids_stay_different() {
        let id = |text: &str| text.parse::<RunId>().unwrap();
        let (a, b) = (id("0123456789abcdef0123456789abcdef"), id("01234567ffffffff0123456789abcdef"));
        assert_eq!(short_ids(&[a]), ["01234567"]);
        assert_eq!(short_ids(&[a, b]), ["0123456789ab", "01234567ffff"]);
    }
}
