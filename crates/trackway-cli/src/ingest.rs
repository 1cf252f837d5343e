//! From rows of text to runs of a store.
//!
//! Points are gathered by run and metric up to a bound and then written. Metrics whose points have the same steps and
//! timestamps are written row by row, as if they had been logged together: the store then keeps one step and one time
//! column for all of them, whether the rows came sorted by time or by metric. The order of arrival inside a metric is
//! kept; that between metrics means nothing to a reader.
//!
//! While the rows of each run come together, a run is written and ended as soon as the next one begins: the store then
//! seals it in the background while more is read. Once a run comes back, runs stay open to the end.

use crate::error::Outcome;
use crate::rows::Row;
use std::collections::HashMap;
use trackway::{Error, ExperimentId, MetricKey, NewRun, RunId, RunName, RunStatus, RunWriter, Store};

/// Points gathered before they are written: 48 MB of columns.
const GATHERED_POINTS: usize = 2_000_000;

/// Runs whose writers are open at a time; each takes a file and a mapping.
const OPEN_WRITERS: usize = 64;

/// The runs that an import fills.
pub(crate) struct Ingest<'a> {
    store: &'a Store,
    experiment: ExperimentId,
    targets: Vec<Target>,
    by_name: HashMap<Vec<u8>, usize>,
    /// Target and metric of the last row: the next row is likely of the same, or of the next metric.
    last: (usize, usize),
    /// Step and timestamp of the last row.
    last_time: Option<(i64, i64)>,
    gathered: usize,
    /// Points gathered before they are written.
    bound: usize,
    open: usize,
    points: u64,
    /// Whether, as far as is known, the rows of each run come together.
    by_run: bool,
}

/// One run being filled.
#[derive(Default)]
struct Target {
    raw: Vec<u8>,
    /// The id given in the rows, then that of the run.
    id: Option<RunId>,
    name: Option<String>,
    /// Set once the run exists.
    begun: bool,
    writer: Option<RunWriter>,
    metrics: Vec<Gathered>,
    by_key: HashMap<Vec<u8>, usize>,
    gathered: usize,
    first_time: Option<i64>,
    last_time: Option<i64>,
}

/// Points of one metric that are not yet written.
struct Gathered {
    key: String,
    steps: Vec<i64>,
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

/// What an import did to one run.
pub(crate) struct Filled {
    pub(crate) id: RunId,
    pub(crate) name: Option<String>,
}

impl<'a> Ingest<'a> {
    pub(crate) fn new(store: &'a Store, experiment: ExperimentId) -> Self {
        Self {
            store,
            experiment,
            targets: Vec::new(),
            by_name: HashMap::new(),
            last: (0, 0),
            last_time: None,
            gathered: 0,
            bound: GATHERED_POINTS,
            open: 0,
            points: 0,
            by_run: true,
        }
    }

    /// Tells that rows of one run do not come together.
    pub(crate) fn expect_mixed_runs(&mut self) {
        self.by_run = false;
    }

    /// Points taken so far.
    pub(crate) fn points(&self) -> u64 {
        self.points
    }

    /// Metrics of all runs so far.
    pub(crate) fn metrics(&self) -> u64 {
        self.targets.iter().map(|target| target.metrics.len() as u64).sum()
    }

    /// Takes a row.
    pub(crate) fn push(&mut self, row: &Row<'_>) -> Outcome {
        let time = Some((row.step, row.timestamp));
        // Rows of one log call stay together, if that is possible in bounded memory.
        let between_calls = self.last_time != time;
        if self.gathered >= self.bound && (between_calls || self.gathered >= self.bound * 2) {
            self.write()?;
        }
        let at = self.target(&row.run)?;
        if at != self.last.0 && self.by_run {
            self.next_run(at)?;
        }
        let hint = if at == self.last.0 { self.last.1 } else { 0 };
        let Some(target) = self.targets.get_mut(at) else { return Ok(()) };
        let metric = target.metric(&row.key, hint)?;
        target.push(metric, row);
        (self.last, self.last_time) = ((at, metric), time);
        self.gathered += 1;
        self.points += 1;
        Ok(())
    }

    fn target(&mut self, raw: &[u8]) -> Outcome<usize> {
        if self.targets.get(self.last.0).is_some_and(|target| target.raw == raw) {
            return Ok(self.last.0);
        }
        if let Some(at) = self.by_name.get(raw) {
            return Ok(*at);
        }
        let target = Target::new(raw)?;
        if let Some(id) = target.id {
            refuse_existing(self.store, id)?;
        }
        let at = self.targets.len();
        self.by_name.insert(raw.to_vec(), at);
        self.targets.push(target);
        Ok(at)
    }

    /// Ends the last row's run, if it is likely complete: no run has come back so far.
    fn next_run(&mut self, at: usize) -> Outcome {
        if self.targets.get(at).is_some_and(|target| target.last_time.is_some()) {
            self.by_run = false;
            return Ok(());
        }
        self.write()?;
        self.pause_all()
    }

    /// Writes all that was gathered.
    fn write(&mut self) -> Outcome {
        for at in 0..self.targets.len() {
            let Some(target) = self.targets.get_mut(at) else { break };
            if target.gathered == 0 {
                continue;
            }
            if target.writer.is_none() {
                if self.open >= OPEN_WRITERS {
                    self.pause_all()?;
                }
                let Some(target) = self.targets.get_mut(at) else { break };
                target.writer = Some(target.open(self.store, self.experiment)?);
                self.open += 1;
            }
            if let Some(target) = self.targets.get_mut(at) {
                target.write()?;
            }
        }
        self.gathered = 0;
        Ok(())
    }

    /// Closes all writers. A run that gets more points later is resumed.
    fn pause_all(&mut self) -> Outcome {
        for target in &mut self.targets {
            if let Some(writer) = target.writer.take() {
                writer.end(RunStatus::Finished, target.last_time)?;
            }
        }
        self.open = 0;
        Ok(())
    }

    /// Writes what is left and ends all runs.
    pub(crate) fn finish(mut self) -> Outcome<Vec<Filled>> {
        self.write()?;
        self.pause_all()?;
        Ok(self.targets.iter().filter_map(Target::filled).collect())
    }

    /// After an error: writes what came before it, as far as possible, and ends all runs that were begun as FAILED.
    pub(crate) fn fail(mut self) -> Vec<Filled> {
        // The error that led here is the one to be told; what fails on the way out adds nothing to it.
        let _ = self.write();
        for target in self.targets.iter_mut().filter(|target| target.begun) {
            let writer = target.writer.take().map_or_else(|| target.open(self.store, self.experiment).ok(), Some);
            if let Some(writer) = writer {
                let _ = writer.end(RunStatus::Failed, target.last_time);
            }
        }
        self.targets.iter().filter_map(Target::filled).collect()
    }
}

/// Fails when the store has a run with this id.
pub(crate) fn refuse_existing(store: &Store, id: RunId) -> Outcome {
    match store.run(id) {
        Ok(_) => Err(Error::AlreadyExists { what: "run", name: id.to_string() }.into()),
        Err(Error::NotFound { .. }) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

/// The text, if it is UTF-8.
fn text(bytes: &[u8], what: &'static str) -> Outcome<String> {
    let wrong = |_| Error::InvalidArgument { what, reason: "it is not UTF-8".to_owned() };
    Ok(String::from_utf8(bytes.to_vec()).map_err(wrong)?)
}

impl Target {
    fn new(raw: &[u8]) -> Outcome<Self> {
        let name = text(raw, "run name")?;
        let id = name.parse().ok();
        if id.is_none() {
            RunName::new(name.as_str())?;
        }
        Ok(Self { raw: raw.to_vec(), id, name: id.is_none().then_some(name), ..Self::default() })
    }

    fn filled(&self) -> Option<Filled> {
        self.id.filter(|_| self.begun).map(|id| Filled { id, name: self.name.clone() })
    }

    /// The place of a metric; `hint` is where the last row's metric is.
    fn metric(&mut self, key: &[u8], hint: usize) -> Outcome<usize> {
        for likely in [hint, hint + 1] {
            if self.metrics.get(likely).is_some_and(|metric| metric.key.as_bytes() == key) {
                return Ok(likely);
            }
        }
        if let Some(at) = self.by_key.get(key) {
            return Ok(*at);
        }
        let text = text(key, "metric key")?;
        MetricKey::new(text.as_str())?;
        let at = self.metrics.len();
        self.metrics.push(Gathered { key: text, steps: Vec::new(), timestamps: Vec::new(), values: Vec::new() });
        self.by_key.insert(key.to_vec(), at);
        Ok(at)
    }

    fn push(&mut self, metric: usize, row: &Row<'_>) {
        let Some(metric) = self.metrics.get_mut(metric) else { return };
        metric.steps.push(row.step);
        metric.timestamps.push(row.timestamp);
        metric.values.push(row.value);
        self.gathered += 1;
        self.first_time = Some(self.first_time.map_or(row.timestamp, |time| time.min(row.timestamp)));
        self.last_time = Some(self.last_time.map_or(row.timestamp, |time| time.max(row.timestamp)));
    }

    /// Creates the run, or resumes it if it was created before.
    fn open(&mut self, store: &Store, experiment: ExperimentId) -> Outcome<RunWriter> {
        if let Some(id) = self.id.filter(|_| self.begun) {
            return Ok(store.resume_run(id)?);
        }
        let mut new = NewRun::new(experiment);
        (new.id, new.name, new.start_time) = (self.id, self.name.clone(), self.first_time);
        let writer = store.create_run(new)?;
        (self.id, self.begun) = (Some(writer.id()), true);
        Ok(writer)
    }

    fn write(&mut self) -> Outcome {
        let Some(writer) = &self.writer else { return Ok(()) };
        for group in groups(&self.metrics) {
            match group.as_slice() {
                [one] => writer.metric(&one.key)?.log_columns(&one.steps, &one.timestamps, &one.values)?,
                several => write_rows(writer, several)?,
            }
        }
        for metric in &mut self.metrics {
            (metric.steps, metric.timestamps, metric.values) = Default::default();
        }
        self.gathered = 0;
        Ok(())
    }
}

/// The metrics that have points, those of equal steps and timestamps together.
fn groups(metrics: &[Gathered]) -> Vec<Vec<&Gathered>> {
    let mut groups: Vec<Vec<&Gathered>> = Vec::new();
    let mut alike: HashMap<(usize, [Option<i64>; 4]), Vec<usize>> = HashMap::new();
    for metric in metrics.iter().filter(|metric| !metric.values.is_empty()) {
        let (steps, times) = (&metric.steps, &metric.timestamps);
        let ends = [steps.first(), steps.last(), times.first(), times.last()].map(Option::<&i64>::copied);
        let candidates = alike.entry((steps.len(), ends)).or_default();
        let same = candidates.iter().copied().find(|at| {
            let first = groups.get(*at).and_then(|group| group.first());
            first.is_some_and(|first| first.steps == *steps && first.timestamps == *times)
        });
        match same.and_then(|at| groups.get_mut(at)) {
            Some(group) => group.push(metric),
            None => {
                candidates.push(groups.len());
                groups.push(vec![metric]);
            }
        }
    }
    groups
}

fn write_rows(writer: &RunWriter, group: &[&Gathered]) -> Outcome {
    let Some(first) = group.first() else { return Ok(()) };
    let keys: Vec<&str> = group.iter().map(|metric| metric.key.as_str()).collect();
    let row = writer.row(&keys)?;
    let mut columns: Vec<_> = group.iter().map(|metric| metric.values.iter()).collect();
    let mut values = Vec::with_capacity(columns.len());
    for (step, timestamp) in first.steps.iter().zip(&first.timestamps) {
        values.clear();
        values.extend(columns.iter_mut().filter_map(|column| column.next().copied()));
        row.log_at(*step, *timestamp, &values)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;
    use trackway::{RunFilter, StatusCause};

    fn told(failure: crate::error::Failure) -> String {
        format!("{failure:?}")
    }

    /// More runs than writers may be open, mixed, written in many small pieces.
    #[test]
    fn mixed_runs_are_written_in_pieces_and_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        let runs = OPEN_WRITERS as i64 + 9;
        let mut ingest = Ingest::new(&store, ExperimentId::DEFAULT);
        ingest.bound = 2000;
        for i in 0..runs * 30 {
            let run = format!("run {}", i % runs);
            for key in ["a", "b", "c"].iter().take(2 + usize::from(i % 7 == 0)) {
                let (run, key) = (Cow::Borrowed(run.as_bytes()), Cow::Borrowed(key.as_bytes()));
                let row = Row { run, key, step: -i, timestamp: 1000 + i, value: 0.5 };
                ingest.push(&row).map_err(told).unwrap();
            }
        }
        assert_eq!(ingest.finish().map_err(told).unwrap().len(), runs as usize);
        let found = store.runs(&RunFilter::default()).unwrap();
        assert_eq!(found.len(), runs as usize);
        for run in found {
            let first: i64 = run.name.split_once(' ').unwrap().1.parse().unwrap();
            assert_eq!((run.status, run.status_cause), (RunStatus::Finished, StatusCause::Reported));
            assert_eq!((run.start_time, run.end_time), (1000 + first, Some(1000 + first + 29 * runs)));
            let snapshot = store.snapshot(run.id).unwrap();
            for key in ["a", "b", "c"] {
                let steps = (0..30).map(|n| -(first + n * runs)).filter(|step| key != "c" || step % 7 == 0);
                let steps: Vec<i64> = steps.collect();
                let read = snapshot.metric(key).map(|query| query.read().unwrap()).unwrap_or_default();
                assert_eq!(read.steps(), steps, "{} {key}", run.name);
            }
        }
    }
}
