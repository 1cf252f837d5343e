//! Which runs and metrics are exported, and what they are called: known before the first batch, since a file's schema and
//! dictionaries come first.

use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trackway::{Run, RunId, RunQuery, Store};

/// Runs of the first page that is asked for.
const FIRST_PAGE_RUNS: usize = 100;

/// Params, tags and metrics that a page of runs may have in all, about: some tens of megabytes.
const PAGE_ENTRIES: usize = 200_000;

/// Runs in a fixed order, with the keys of their metrics, params and tags, as they were when it was made. What a live run
/// gets a key of later is not part of it; later points of a metric that it knows are.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// use trackway::{Filter, RunOrder, RunQuery};
/// use trackway_arrow::Selection;
///
/// run.log_metrics(1, &[("loss", 0.25), ("acc", 0.9)])?;
/// let query = RunQuery {
///     filter: Some(Filter::new("metrics.loss < 0.5")?),
///     order: RunOrder::new(&["start_time"])?,
///     ..RunQuery::default()
/// };
/// let selection = Selection::find(&store, &query).unwrap().only_metrics(&["loss"]);
/// assert_eq!((selection.len(), selection.points()), (1, 1));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub(crate) runs: Vec<Selected>,
    /// Keys of metrics and how many points they have in all runs.
    metrics: BTreeMap<String, u64>,
    params: BTreeSet<String>,
    tags: BTreeSet<String>,
}

/// A selected run.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) id: RunId,
    pub(crate) name: String,
}

impl Selection {
    /// The runs that the query finds, in its order: those that started last first, if it names none.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway_arrow::Selection;
    /// let all = Selection::find(&store, &trackway::RunQuery::default()).unwrap();
    /// assert!(all.ids().eq([run.id()]));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::search`].
    pub fn find(store: &Store, query: &RunQuery) -> Result<Self> {
        let (mut found, mut entries) = (Self::default(), 0);
        let most = query.limit.unwrap_or(usize::MAX);
        let mut query = RunQuery { limit: Some(FIRST_PAGE_RUNS.min(most)), ..query.clone() };
        while found.len() < most {
            let page = store.search(&query)?;
            for run in &page.runs {
                entries += run.params.len() + run.tags.len() + run.metrics.len();
                found.add(run);
            }
            if page.next.is_none() {
                break;
            }
            query.after = page.next;
            query.limit = Some(page_runs(found.len(), entries).min(most - found.len()));
        }
        Ok(found)
    }

    /// These runs, whether they are deleted or not; one that is named twice comes once.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let one = trackway_arrow::Selection::of(&store, &[run.id(), run.id()]).unwrap();
    /// assert_eq!(one.len(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::run`].
    pub fn of(store: &Store, runs: &[RunId]) -> Result<Self> {
        let (mut found, mut seen) = (Self::default(), BTreeSet::new());
        for id in runs.iter().filter(|id| seen.insert(**id)) {
            found.add(&store.run(*id)?);
        }
        Ok(found)
    }

    /// Leaves out all metrics but these.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.log_metrics(1, &[("loss", 0.25), ("acc", 0.9)])?;
    /// let losses = trackway_arrow::Selection::of(&store, &[run.id()]).unwrap().only_metrics(&["loss", "val/loss"]);
    /// assert!(losses.metric_keys().eq(["loss"]));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn only_metrics(mut self, keys: &[impl AsRef<str>]) -> Self {
        let wanted: BTreeSet<&str> = keys.iter().map(AsRef::as_ref).collect();
        self.metrics.retain(|key, _| wanted.contains(key.as_str()));
        self
    }

    /// Number of runs.
    ///
    /// ```
    /// assert_eq!(trackway_arrow::Selection::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// True when there is no run.
    ///
    /// ```
    /// assert!(trackway_arrow::Selection::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The ids of the runs, in order.
    ///
    /// ```
    /// assert_eq!(trackway_arrow::Selection::default().ids().count(), 0);
    /// ```
    pub fn ids(&self) -> impl ExactSizeIterator<Item = RunId> + '_ {
        self.runs.iter().map(|run| run.id)
    }

    /// The names of the runs, in order; empty where none was given.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT).name("baseline"))?;
    /// let one = trackway_arrow::Selection::of(&store, &[run.id()]).unwrap();
    /// assert!(one.names().eq(["baseline"]));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.runs.iter().map(|run| run.name.as_str())
    }

    /// The keys of the metrics, in order.
    ///
    /// ```
    /// assert_eq!(trackway_arrow::Selection::default().metric_keys().count(), 0);
    /// ```
    pub fn metric_keys(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.metrics.keys().map(String::as_str)
    }

    pub(crate) fn param_keys(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.params.iter().map(String::as_str)
    }

    pub(crate) fn tag_keys(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.tags.iter().map(String::as_str)
    }

    /// Number of points of the metrics, as it was known then.
    ///
    /// ```
    /// assert_eq!(trackway_arrow::Selection::default().points(), 0);
    /// ```
    pub fn points(&self) -> u64 {
        self.metrics.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn add(&mut self, run: &Run) {
        self.runs.push(Selected { id: run.id, name: run.name.clone() });
        for (key, summary) in &run.metrics {
            match self.metrics.get_mut(&**key) {
                Some(count) => *count = count.saturating_add(summary.count),
                None => drop(self.metrics.insert(key.to_string(), summary.count)),
            }
        }
        insert_new(&mut self.params, run.params.keys());
        insert_new(&mut self.tags, run.tags.keys());
    }
}

/// Copies only the keys that are new: of 100,000 runs nearly none is.
fn insert_new<'a>(known: &mut BTreeSet<String>, keys: impl Iterator<Item = &'a Arc<str>>) {
    for key in keys {
        if !known.contains(&**key) {
            known.insert(key.to_string());
        }
    }
}

/// How many runs the next page has, when so many had so many entries.
fn page_runs(runs: usize, entries: usize) -> usize {
    (PAGE_ENTRIES * runs.max(1) / entries.max(1)).clamp(1, 10_000)
}
