//! Points that come one by one, of many runs mixed: what a table or any other source of rows is made of.

use crate::error::Result;
use crate::id::derived;
use crate::session::{Report, Session, SourceExperiment, Watch};
use crate::target::{Facts, Rule, Target, clean_name};
use std::collections::{BTreeMap, HashMap};
use trackway::{ExperimentId, Point, RunId, Store};

/// Points taken between two times at which all that waits is written and all writers are closed: 24 MB.
const PARK_POINTS: usize = 1 << 20;

/// Writers that are open at a time; each takes a file and a mapping.
const OPEN_WRITERS: usize = 64;

/// Takes points of runs in the order of their source. A run is named: 32 hex digits are its id, of any other name the id
/// is derived, together with the experiment, so that the same rows are the same runs when they come again.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::Point;
/// use trackway_import::{RowImport, keep_going};
///
/// for new_points in [2, 0] {
///     let mut watch = keep_going;
///     let mut rows = RowImport::new(&store, "archive", &mut watch).unwrap();
///     rows.push("baseline", "loss", Point::new(0, 1_700_000_000_000, 0.5)).unwrap();
///     rows.push("baseline", "loss", Point::new(1, 1_700_000_000_100, 0.4)).unwrap();
///     assert_eq!(rows.finish().unwrap().points, new_points);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
pub struct RowImport<'a> {
    session: Session<'a>,
    experiment: ExperimentId,
    experiment_name: String,
    /// `None` for a run that is deleted here.
    targets: Vec<(String, Option<Target>)>,
    by_name: HashMap<String, usize>,
    /// The run of the last row: that of the next one is likely the same.
    last: usize,
    since_parked: usize,
    open: usize,
}

impl std::fmt::Debug for RowImport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowImport").field("experiment", &self.experiment_name).finish_non_exhaustive()
    }
}

impl<'a> RowImport<'a> {
    /// Begins an import into the experiment of this name, created when missing.
    ///
    /// # Errors
    /// A name that breaks the rules, a store that cannot be written.
    pub fn new(store: &'a Store, experiment: &str, watch: Watch<'a>) -> Result<Self> {
        let mut session = Session::new(store, watch)?;
        let source = SourceExperiment { name: experiment.to_owned(), is_deleted: false, tags: BTreeMap::new() };
        Ok(Self {
            experiment: session.experiment(&source)?,
            session,
            experiment_name: experiment.to_owned(),
            targets: Vec::new(),
            by_name: HashMap::new(),
            last: 0,
            since_parked: 0,
            open: 0,
        })
    }

    /// Takes the next point of a metric of a run.
    ///
    /// # Errors
    /// A key that breaks the rules, a store that cannot be written, the caller stopped it. What came before is in the
    /// store or comes with the next import.
    pub fn push(&mut self, run: &str, key: &str, point: Point) -> Result<()> {
        if self.targets.get(self.last).is_none_or(|(name, _)| name != run) {
            self.last = match self.by_name.get(run) {
                Some(at) => *at,
                None => self.begin(run, point.timestamp)?,
            };
        }
        if let Some((_, Some(target))) = self.targets.get_mut(self.last) {
            let was_open = target.is_open();
            target.push(&mut self.session, key, point)?;
            self.open += usize::from(target.is_open() && !was_open);
        }
        self.since_parked += 1;
        if self.since_parked == PARK_POINTS {
            self.since_parked = 0;
            return self.park(|_| true);
        }
        if self.open >= OPEN_WRITERS { self.park(Target::is_open) } else { Ok(()) }
    }

    fn begin(&mut self, name: &str, start_time: i64) -> Result<usize> {
        let given: Option<RunId> = name.parse().ok();
        let id = given.unwrap_or_else(|| derived(&["rows", &self.experiment_name, name]));
        let shown = if given.is_some() { String::new() } else { clean_name(name) };
        let facts = Facts::of_ended(id, format!("run {name:?}"), shown, start_time);
        let target = Target::begin(&mut self.session, self.experiment, facts, Rule::Same)?;
        self.open += usize::from(target.as_ref().is_some_and(Target::is_open));
        let at = self.targets.len();
        self.targets.push((name.to_owned(), target));
        self.by_name.insert(name.to_owned(), at);
        self.session.progress.total_runs += 1;
        Ok(at)
    }

    /// Writes what waits of these runs, and closes their writers.
    fn park(&mut self, which: impl Fn(&Target) -> bool) -> Result<()> {
        self.open = 0;
        let targets = self.targets.iter_mut().filter_map(|(_, target)| target.as_mut());
        for target in targets.filter(|target| which(target)) {
            target.park(&mut self.session)?;
        }
        self.session.tick()
    }

    /// Writes what is left, and ends all runs as `FINISHED` with the time of their last point.
    ///
    /// # Errors
    /// A store that cannot be written, the caller stopped it. A run that is another one than the run of this name here
    /// is in [`Report::failures`].
    pub fn finish(mut self) -> Result<Report> {
        for (name, target) in std::mem::take(&mut self.targets) {
            self.session.run(&format!("run {name:?}"), |session| match target {
                Some(target) => target.end(session, &mut |_, _| Ok(())),
                None => Ok(()),
            })?;
        }
        Ok(self.session.report)
    }
}
