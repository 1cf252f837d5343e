//! Finding runs: a filter, an order, and pages.

use super::{Store, View};
use crate::error::{Error, Result};
use crate::search::{Filter, RunOrder};
use crate::types::{ExperimentId, Run, RunId};

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
    /// Looks for runs. Pages follow the run that the last one ended with, so that runs which appear meanwhile do not
    /// shift them.
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
    /// [`Error::InvalidArgument`] when [`RunQuery::after`] is none that a page gave; system errors.
    pub fn search(&self, query: &RunQuery) -> Result<RunPage> {
        let after = query.after.as_deref().map(place).transpose()?;
        let mut runs = self.shared.listed(&query.experiments, query.view)?;
        runs.retain(|run| query.filter.as_ref().is_none_or(|filter| filter.matches(run)));
        runs.sort_by(|a, b| query.order.compare(a, b));
        let start = after.map_or(0, |(count, id)| {
            // A run that is no longer found leaves its number.
            runs.iter().position(|run| run.id == id).map_or(count, |at| at + 1)
        });
        runs.drain(..start.min(runs.len()));
        let limit = query.limit.unwrap_or(usize::MAX);
        let more = runs.len() > limit;
        runs.truncate(limit);
        let last = runs.last().filter(|_| more);
        let next = last.map(|last| format!("{}.{}", start + runs.len(), last.id));
        Ok(RunPage { runs, next })
    }
}

/// How many runs came before, and the last of them.
fn place(token: &str) -> Result<(usize, RunId)> {
    let parts = token.split_once('.').and_then(|(count, id)| Some((count.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Error::invalid("page", format!("{token:?} is not what an earlier page gave")))
}
