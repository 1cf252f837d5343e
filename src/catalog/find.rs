//! Searches: what matches, of that the first ones in the order, and only those as runs.

use super::index::{Group, Index};
use super::order::{GroupKeys, Hit, NO_GROUP, Ranking, Top};
use super::place::Place;
use super::select::matching;
use super::view::Catalog;
use crate::error::Result;
use crate::format::catalog_column::RowSet;
use crate::format::catalog_index::attribute;
use crate::search::{Filter, RunOrder};
use crate::types::{ExperimentId, LifecycleStage, Run};

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// Ascending; of all when empty.
    pub(crate) experiments: &'a [ExperimentId],
    pub(crate) active: bool,
    pub(crate) deleted: bool,
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) order: &'a RunOrder,
    pub(crate) limit: Option<usize>,
    pub(crate) after: Option<&'a str>,
}

/// Runs in the order asked for, and where the next page begins, if there is one.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) runs: Vec<Run>,
    pub(crate) next: Option<String>,
}

/// Looks among what the catalog knows and `live`, the runs that it says to ask themselves.
pub(crate) fn find(catalog: &Catalog, live: &[Run], search: &Search<'_>) -> Result<Found> {
    let terms = search.order.terms();
    let after = search.after.map(|token| Place::parse(token, terms)).transpose()?;
    let groups: Vec<Group<'_>> = catalog.index.iter().flat_map(|index| index.groups()).collect::<Result<_>>()?;
    let others: Vec<&Run> = catalog.later_runs().chain(live).filter(|run| wants(search, run)).collect();
    let mut ranking = Ranking { terms, groups: Vec::with_capacity(groups.len()), others };
    let mut rows = Vec::with_capacity(groups.len());
    for group in &groups {
        let found = matching_rows(catalog, search, group)?;
        ranking.groups.push(if found.is_empty() { None } else { Some(GroupKeys::of(group, terms)?) });
        rows.push(found);
    }
    let limit = search.limit.unwrap_or(usize::MAX);
    // One more tells whether there is a next page.
    let mut top = Top::new(limit.saturating_add(1));
    let code = after.as_ref().map(|place| ranking.code_at(place));
    let mut push = |hit: Hit| {
        if after.as_ref().zip(code).is_none_or(|(place, code)| ranking.is_behind(&hit, place, code)) {
            top.push(hit, &ranking);
        }
    };
    for (number, rows) in rows.iter().enumerate() {
        ranking.hits(number as u32, rows, &mut push);
    }
    (0..ranking.others.len()).for_each(|number| push(ranking.hit(NO_GROUP, number as u32)));
    let mut hits = top.sorted(&ranking);
    let has_more = hits.len() > limit;
    hits.truncate(limit);
    let next = hits.last().filter(|_| has_more).map(|last| ranking.place(last).to_token(terms));
    let others = &ranking.others;
    Ok(Found { runs: runs_of(catalog.index.as_deref(), others, &hits)?, next })
}

fn wants(search: &Search<'_>, run: &Run) -> bool {
    let is_of_these = search.experiments.is_empty() || search.experiments.binary_search(&run.experiment_id).is_ok();
    let is_shown = if run.lifecycle_stage == LifecycleStage::Active { search.active } else { search.deleted };
    is_of_these && is_shown && search.filter.is_none_or(|filter| filter.matches(run))
}

fn matching_rows(catalog: &Catalog, search: &Search<'_>, group: &Group<'_>) -> Result<RowSet> {
    let mut rows = RowSet::first(group.rows()).without(&catalog.hidden.of(group));
    if let Some(deleted) = group.numbers(attribute::DELETED)? {
        let deleted = deleted.present.rows();
        rows = if search.active { rows } else { rows.and(&deleted) };
        rows = if search.deleted { rows } else { rows.without(&deleted) };
    } else if !search.active {
        return Ok(RowSet::none());
    }
    if !search.experiments.is_empty() {
        let mut of_these = RowSet::none();
        if let Some(experiment) = group.numbers(attribute::EXPERIMENT)? {
            let mut wanted: Vec<i64> = search.experiments.iter().map(|id| id.get() as i64).collect();
            wanted.sort_unstable();
            let is_wanted = |row: &usize| experiment.get(*row).is_some_and(|id| wanted.binary_search(&id).is_ok());
            (0..group.rows()).filter(is_wanted).for_each(|row| of_these.insert(row));
        }
        rows = rows.and(&of_these);
    }
    match search.filter.map(Filter::parts) {
        Some((node, artifacts)) if !rows.is_empty() => Ok(rows.and(&matching(node, group, artifacts)?)),
        _ => Ok(rows),
    }
}

/// The runs of the hits, in their order; group by group, whose columns then are looked up once.
fn runs_of(index: Option<&Index>, others: &[&Run], hits: &[Hit]) -> Result<Vec<Run>> {
    let mut runs: Vec<Option<Run>> = Vec::new();
    runs.resize_with(hits.len(), || None);
    let mut by_group: Vec<usize> = (0..hits.len()).collect();
    by_group.sort_by_key(|at| hits.get(*at).map(|hit| hit.group));
    for places in by_group.chunk_by(|a, b| hits.get(*a).map(|hit| hit.group) == hits.get(*b).map(|hit| hit.group)) {
        let found: Vec<&Hit> = places.iter().filter_map(|at| hits.get(*at)).collect();
        let rows: Vec<usize> = found.iter().map(|hit| hit.row as usize).collect();
        let of_group = match (found.first().map(|hit| hit.group), index) {
            (Some(group), Some(index)) if group != NO_GROUP => index.group(group as usize)?.runs(&rows)?,
            _ => rows.iter().filter_map(|row| others.get(*row)).map(|run| (*run).clone()).collect(),
        };
        for (at, run) in places.iter().zip(of_group) {
            if let Some(slot) = runs.get_mut(*at) {
                *slot = Some(run);
            }
        }
    }
    Ok(runs.into_iter().flatten().collect())
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
