//! Finding runs: a filter, an order, and pages.

use super::{Store, View};
use crate::catalog::{Search, find};
use crate::error::Result;
use crate::search::{Filter, RunOrder};
use crate::types::{ExperimentId, LifecycleStage, Run};

/// Which runs are looked for, in which order, and how many at a time. The default is all active ones, on one page.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{Filter, RunOrder, RunQuery};
///
/// run.log_metric("loss", 1, 0.25)?;
/// let query = RunQuery {
///     filter: Some(Filter::new("metrics.loss < 0.5")?),
///     order: RunOrder::new(&["metrics.loss"])?,
///     limit: Some(100),
///     ..RunQuery::default()
/// };
/// assert_eq!(store.search(&query)?.runs[0].id, run.id());
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// Only runs of these experiments; of all when empty.
    pub experiments: Vec<ExperimentId>,
    /// Which lifecycle stages.
    pub view: View,
    /// Only runs that this one matches.
    pub filter: Option<Filter>,
    /// Their order.
    pub order: RunOrder,
    /// Most runs on a page; all when `None`.
    pub limit: Option<usize>,
    /// Where to go on: [`RunPage::next`] of the page before.
    pub after: Option<String>,
}

/// Runs that were found.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # for _ in 0..3 { store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?; }
/// use trackway::RunQuery;
///
/// let mut query = RunQuery { limit: Some(2), ..RunQuery::default() };
/// let first = store.search(&query)?;
/// query.after = first.next;
/// let second = store.search(&query)?;
/// assert_eq!((first.runs.len(), second.runs.len(), second.next), (2, 1, None));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPage {
    /// The runs in the order asked for.
    pub runs: Vec<Run>,
    /// For [`RunQuery::after`] of the next page; `None` when this is the last.
    pub next: Option<String>,
}

impl Store {
    /// Looks for runs. A page begins behind what the last run of the page before was sorted by, so that runs which appear,
    /// change or go meanwhile do not shift it. Cost: of ended runs, the columns that filter and order name, and the runs
    /// of the page; in an order that was asked for before, and without a filter or with one that many match, only these and
    /// a bisection.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT).param("opt", "adam"))?;
    /// use trackway::{Filter, RunQuery};
    /// let adam = RunQuery { filter: Some(Filter::new("params.opt = 'adam'")?), ..RunQuery::default() };
    /// assert_eq!(store.search(&adam)?.runs.len(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) when [`RunQuery::after`] is none that a page gave; system errors.
    pub fn search(&self, query: &RunQuery) -> Result<RunPage> {
        let mut experiments = query.experiments.clone();
        experiments.sort_unstable();
        let search = Search {
            experiments: &experiments,
            active: query.view.shows(LifecycleStage::Active),
            deleted: query.view.shows(LifecycleStage::Deleted),
            filter: query.filter.as_ref(),
            order: &query.order,
            limit: query.limit,
            after: query.after.as_deref(),
        };
        let found = self.shared.ask_catalog(|catalog| {
            let live = self.shared.live_runs(catalog, &experiments);
            find(catalog, &live, &search)
        })?;
        Ok(RunPage { runs: found.runs, next: found.next })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#[path = "search_tests.rs"]
mod tests;
