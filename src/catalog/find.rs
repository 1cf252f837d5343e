//! Searches: what matches, of that the first ones in the order, and only those as runs.

use super::index::{Group, Index, NumberColumn};
use super::order::{GroupKeys, Hit, NO_GROUP, Ranking, Top};
use super::place::Place;
use super::select::matching;
use super::view::Catalog;
use crate::error::Result;
use crate::format::catalog_column::{Present, RowSet};
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

/// Looks among what the catalog knows and `live`, the runs that it says to ask themselves. Cost: of a filter its columns; of
/// the order its columns the first time, then what lies between the page's first and last run in an order that is kept.
pub(crate) fn find(catalog: &Catalog, live: &[Run], search: &Search<'_>) -> Result<Found> {
    let terms = search.order.terms();
    let after = search.after.map(|token| Place::parse(token, terms)).transpose()?;
    let groups: Vec<Group<'_>> = catalog.index.iter().flat_map(|index| index.groups()).collect::<Result<_>>()?;
    let others: Vec<&Run> = catalog.later_runs().chain(live).filter(|run| wants(search, run)).collect();
    let keys = groups.iter().map(|group| GroupKeys::of(group, terms)).collect::<Result<_>>()?;
    let ranking = Ranking { terms, groups: keys, others };
    let after = after.map(|place| (ranking.code_at(&place), place));
    let sieves: Vec<Sieve<'_>> = groups.iter().map(|group| Sieve::of(catalog, search, group)).collect::<Result<_>>()?;
    let limit = search.limit.unwrap_or(usize::MAX);
    // One more tells whether there is a next page.
    let count = limit.saturating_add(1);
    let matching: usize = sieves.iter().map(Sieve::at_most).sum();
    let rows: usize = groups.iter().map(Group::rows).sum();
    let order = match &catalog.index {
        Some(index) if matching >= rows / FEW => {
            index.orders().ask(terms, after.is_some(), || sorted_rows(&ranking, &groups))
        }
        _ => None,
    };
    let mut hits = match order {
        Some(order) => walk(&ranking, &groups, &sieves, &order, after.as_ref(), count),
        None => scan(&ranking, &sieves, after.as_ref(), count),
    };
    let has_more = hits.len() > limit;
    hits.truncate(limit);
    let next = hits.last().filter(|_| has_more).map(|last| ranking.place(last).to_token(terms));
    let others = &ranking.others;
    Ok(Found { runs: runs_of(catalog.index.as_deref(), others, &hits)?, next })
}

/// Where fewer than one row in so many matches, they are sorted among themselves.
const FEW: usize = 16;

/// A place, and the number of its first key.
type After = (u64, Place);

/// The first of the hits behind a place: all of them are looked at.
fn scan(ranking: &Ranking<'_>, sieves: &[Sieve<'_>], after: Option<&After>, count: usize) -> Vec<Hit> {
    let mut top = Top::new(count);
    let mut push = |hit: Hit| {
        if after.is_none_or(|(code, place)| ranking.is_behind(&hit, place, *code)) {
            top.push(hit, ranking);
        }
    };
    for (number, sieve) in sieves.iter().enumerate() {
        ranking.hits(number as u32, &sieve.rows(), &mut push);
    }
    ranking.other_hits().for_each(push);
    top.sorted(ranking)
}

/// The same along an order of all rows, beginning where the place lies in it.
fn walk(
    ranking: &Ranking<'_>,
    groups: &[Group<'_>],
    sieves: &[Sieve<'_>],
    order: &[u32],
    after: Option<&After>,
    count: usize,
) -> Vec<Hit> {
    let is_behind = |hit: &Hit| after.is_none_or(|(code, place)| ranking.is_behind(hit, place, *code));
    let place_of = |row: u32| {
        let group = groups.partition_point(|group| group.first_row() <= row as usize).saturating_sub(1);
        (group, row - groups.get(group).map_or(0, |group| group.first_row() as u32))
    };
    let hit = |(group, row): (usize, u32)| ranking.hit(group as u32, row);
    let first = after.map_or(0, |_| order.partition_point(|row| !is_behind(&hit(place_of(*row)))));
    let rows = order.get(first..).unwrap_or_default().iter().map(|row| place_of(*row));
    let wanted = rows.filter(|(group, row)| sieves.get(*group).is_some_and(|sieve| sieve.has(*row as usize)));
    let mut wanted = wanted.map(hit).peekable();
    let mut others: Vec<Hit> = ranking.other_hits().filter(is_behind).collect();
    others.sort_unstable_by(|a, b| ranking.compare(a, b));
    let mut others = others.into_iter().peekable();
    let merged = std::iter::from_fn(|| match (wanted.peek(), others.peek()) {
        (Some(row), Some(other)) if ranking.compare(other, row).is_lt() => others.next(),
        (None, _) => others.next(),
        _ => wanted.next(),
    });
    merged.take(count).collect()
}

/// All rows of the index in the order of a search.
fn sorted_rows(ranking: &Ranking<'_>, groups: &[Group<'_>]) -> Vec<u32> {
    let mut hits = Vec::with_capacity(groups.iter().map(Group::rows).sum());
    for (number, group) in groups.iter().enumerate() {
        ranking.hits(number as u32, &RowSet::first(group.rows()), |hit| hits.push(hit));
    }
    hits.sort_unstable_by(|a, b| ranking.compare(a, b));
    let first = |hit: &Hit| groups.get(hit.group as usize).map_or(0, Group::first_row) as u32;
    hits.iter().map(|hit| first(hit) + hit.row).collect()
}

fn wants(search: &Search<'_>, run: &Run) -> bool {
    let is_of_these = search.experiments.is_empty() || search.experiments.binary_search(&run.experiment_id).is_ok();
    let is_shown = if run.lifecycle_stage == LifecycleStage::Active { search.active } else { search.deleted };
    is_of_these && is_shown && search.filter.is_none_or(|filter| filter.matches(run))
}

/// Tells which rows of a group are looked for.
struct Sieve<'a> {
    search: &'a Search<'a>,
    hidden: RowSet,
    rows: usize,
    deleted: Option<Present>,
    experiment: Option<NumberColumn<'a>>,
    /// What the filter matches of those that are.
    met: Option<RowSet>,
}

impl<'a> Sieve<'a> {
    fn of(catalog: &Catalog, search: &'a Search<'a>, group: &Group<'a>) -> Result<Self> {
        let mut sieve = Self {
            search,
            hidden: catalog.hidden.of(group),
            rows: group.rows(),
            deleted: group.numbers(attribute::DELETED)?.map(|column| column.present),
            experiment: if search.experiments.is_empty() { None } else { group.numbers(attribute::EXPERIMENT)? },
            met: None,
        };
        if let Some((node, artifacts)) = search.filter.map(Filter::parts) {
            let rows = sieve.rows();
            sieve.met = Some(if rows.is_empty() { rows } else { rows.and(&matching(node, group, artifacts)?) });
        }
        Ok(sieve)
    }

    fn is_of_these(&self, row: usize) -> bool {
        let wanted = |id| self.search.experiments.binary_search(&ExperimentId::new(id as u64)).is_ok();
        self.search.experiments.is_empty()
            || self.experiment.as_ref().and_then(|column| column.get(row)).is_some_and(wanted)
    }

    /// Whether one row is looked for.
    fn has(&self, row: usize) -> bool {
        if let Some(met) = &self.met {
            return met.contains(row);
        }
        let is_deleted = self.deleted.as_ref().is_some_and(|deleted| deleted.has(row));
        let is_shown = if is_deleted { self.search.deleted } else { self.search.active };
        is_shown && !self.hidden.contains(row) && self.is_of_these(row)
    }

    /// All that are.
    fn rows(&self) -> RowSet {
        if let Some(met) = &self.met {
            return met.clone();
        }
        let mut rows = RowSet::first(self.rows).without(&self.hidden);
        let deleted = self.deleted.as_ref().map_or(RowSet::none(), Present::rows);
        rows = if self.search.active { rows } else { rows.and(&deleted) };
        rows = if self.search.deleted { rows } else { rows.without(&deleted) };
        if !self.search.experiments.is_empty() {
            let mut of_these = RowSet::none();
            (0..self.rows).filter(|row| self.is_of_these(*row)).for_each(|row| of_these.insert(row));
            rows = rows.and(&of_these);
        }
        rows
    }

    /// How many there are at most, as far as can be told without looking at each.
    fn at_most(&self) -> usize {
        match (&self.met, &self.deleted) {
            (Some(met), _) => met.count(),
            (None, deleted) if !self.search.active => deleted.as_ref().map_or(0, |deleted| deleted.count),
            (None, _) => self.rows,
        }
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
