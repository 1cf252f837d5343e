//! What has changed since a page last asked, so that it is told while runs log.
//!
//! Nothing runs in the background: a question is answered by a look at the runs that can have changed, at most one look a
//! second for all that ask about the same subject, whoever they are. Those are the runs that are being written, the newest
//! ones, those that ended last, and those that this server has edited; a change of an old run by another process is seen
//! when the page is read anew. What is kept of a subject goes when nobody asks for it, or others are asked for more.

use super::error::{Error, Result};
use super::values::run_ids;
use super::{Call, json};
use crate::state::App;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trackway::{Error as Engine, ExperimentId, Filter, Run, RunId, RunOrder, RunQuery, RunStatus, Store, View};

/// How old a look may be.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Subjects that are kept, and for how long after the last question.
const SUBJECTS: usize = 64;
const KEPT: Duration = Duration::from_secs(120);

/// Runs of a look: those that are being written, the newest, those that ended last.
const RUNNING: usize = 300;
const NEWEST: usize = 50;
/// Runs that a page may ask about by name.
const NAMED: usize = 200;
/// Edits that are remembered.
const EDITS: usize = 2_000;

/// What pages ask about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Experiment(ExperimentId),
    Runs(Vec<RunId>),
}

/// What was seen of the subjects that pages ask about.
#[derive(Debug)]
pub(crate) struct Changes {
    subjects: Mutex<HashMap<Subject, Kept>>,
    edits: Mutex<VecDeque<(u64, RunId)>>,
    /// Grows with every change that is seen, and from one server of a store to the next.
    version: AtomicU64,
}

#[derive(Clone, Debug)]
struct Kept {
    asked: Instant,
    seen: Arc<Mutex<Seen>>,
}

/// What a look has seen.
#[derive(Debug)]
struct Seen {
    looked: Option<Instant>,
    /// The version before the first look.
    since: u64,
    /// The version of the last look that saw a change.
    version: u64,
    /// The version up to which edits are noted.
    edits: u64,
    runs: HashMap<RunId, Print>,
}

#[derive(Clone, Copy, Debug)]
struct Print {
    hash: u64,
    running: bool,
    version: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Changes {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        Self { subjects: Mutex::default(), edits: Mutex::default(), version: AtomicU64::new(now) }
    }

    fn next(&self) -> u64 {
        self.version.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes that this server has edited a run.
    pub(crate) fn touched(&self, id: RunId) {
        let mut edits = lock(&self.edits);
        edits.push_back((self.next(), id));
        if edits.len() > EDITS {
            edits.pop_front();
        }
    }

    fn subject(&self, subject: Subject) -> Arc<Mutex<Seen>> {
        let mut subjects = lock(&self.subjects);
        let now = Instant::now();
        subjects.retain(|_, kept| now.duration_since(kept.asked) < KEPT);
        if subjects.len() >= SUBJECTS && !subjects.contains_key(&subject) {
            let oldest = subjects.iter().min_by_key(|(_, kept)| kept.asked).map(|(subject, _)| subject.clone());
            oldest.map(|oldest| subjects.remove(&oldest));
        }
        let kept = subjects.entry(subject).or_insert_with(|| {
            let since = self.next();
            let seen = Seen { looked: None, since, version: since, edits: since, runs: HashMap::new() };
            Kept { asked: now, seen: Arc::new(Mutex::new(seen)) }
        });
        kept.asked = now;
        Arc::clone(&kept.seen)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    experiment: Option<String>,
    runs: Option<Vec<String>>,
    /// The version of the last answer.
    since: Option<u64>,
}

#[derive(Serialize)]
struct Answer {
    version: u64,
    runs: Vec<String>,
    /// What has changed is not known: everything should be read anew.
    all: bool,
}

/// Runs of an experiment, or of some runs, that have changed since.
pub(super) fn changes(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ask: Ask = call.json()?;
    let subject = match (&ask.experiment, &ask.runs) {
        (Some(id), None) => Subject::Experiment(id.parse()?),
        (None, Some(ids)) => {
            let mut ids = run_ids(ids, NAMED)?;
            ids.sort_unstable();
            Subject::Runs(ids)
        }
        _ => return Err(Error::invalid("either `experiment` or `runs` is asked about")),
    };
    let seen = app.changes.subject(subject.clone());
    let mut seen = lock(&seen);
    if seen.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
        look(app, &subject, &mut seen)?;
        seen.looked = Some(Instant::now());
    }
    let since = ask.since.unwrap_or(seen.version);
    let all = since < seen.since;
    let changed = seen.runs.iter().filter(|(_, print)| !all && print.version > since);
    let runs = changed.map(|(id, _)| id.to_string()).collect();
    json(&Answer { version: seen.version, runs, all })
}

/// Looks at what can have changed, and notes what has.
fn look(app: &App, subject: &Subject, seen: &mut Seen) -> Result<()> {
    let runs = match subject {
        Subject::Experiment(id) => candidates(&app.store, *id)?,
        Subject::Runs(ids) => named(&app.store, ids)?,
    };
    let version = app.changes.next();
    let is_first = seen.looked.is_none();
    let mut found = HashMap::with_capacity(runs.len());
    for run in &runs {
        let (hash, running) = (fingerprint(run), run.status == RunStatus::Running);
        let before = seen.runs.get(&run.id);
        let same = before.filter(|print| print.hash == hash).map(|print| print.version);
        let first = is_first.then_some(seen.since);
        found.insert(run.id, Print { hash, running, version: same.or(first).unwrap_or(version) });
    }
    // Who was running and is in no list any more has ended, or is gone.
    for (id, print) in &seen.runs {
        if !found.contains_key(id) && (print.running || print.version > seen.since) {
            let version = if print.running { version } else { print.version };
            found.insert(*id, Print { running: false, version, ..*print });
        }
    }
    note_edits(app, subject, seen, &mut found)?;
    forget(&mut found);
    seen.version = found.values().map(|print| print.version).max().unwrap_or(0).max(seen.version);
    seen.runs = found;
    Ok(())
}

fn note_edits(app: &App, subject: &Subject, seen: &mut Seen, found: &mut HashMap<RunId, Print>) -> Result<()> {
    let edits: Vec<(u64, RunId)> = {
        let edits = lock(&app.changes.edits);
        edits.iter().filter(|(version, _)| *version > seen.edits).copied().collect()
    };
    for (version, id) in edits {
        seen.edits = seen.edits.max(version);
        let concerned = match subject {
            Subject::Runs(ids) => ids.binary_search(&id).is_ok(),
            Subject::Experiment(experiment) => match app.store.run(id) {
                Ok(run) => run.experiment_id == *experiment,
                Err(Engine::NotFound { .. }) => false,
                Err(error) => return Err(error.into()),
            },
        };
        if concerned {
            let print = found.entry(id).or_insert(Print { hash: 0, running: false, version });
            print.version = print.version.max(version);
        }
    }
    Ok(())
}

/// Keeps what was noted last, should a page be away for long while very many runs come and go.
fn forget(found: &mut HashMap<RunId, Print>) {
    const MOST: usize = 4_000;
    if found.len() <= MOST {
        return;
    }
    let mut versions: Vec<u64> = found.values().map(|print| print.version).collect();
    versions.sort_unstable();
    let least = versions.get(versions.len() - MOST / 2).copied().unwrap_or(0);
    found.retain(|_, print| print.running || print.version >= least);
}

/// The runs of an experiment that can have changed.
fn candidates(store: &Store, experiment: ExperimentId) -> Result<Vec<Run>> {
    let search = |filter: &str, order: &str, limit: usize| -> Result<Vec<Run>> {
        let query = RunQuery {
            experiments: vec![experiment],
            view: View::All,
            filter: Some(Filter::new(filter)?),
            order: RunOrder::new(&[order])?,
            limit: Some(limit),
            after: None,
        };
        Ok(store.search(&query)?.runs)
    };
    let mut runs = search("status = 'RUNNING'", "start_time DESC", RUNNING)?;
    runs.extend(search("", "start_time DESC", NEWEST)?);
    runs.extend(search("status != 'RUNNING'", "end_time DESC", NEWEST)?);
    Ok(runs)
}

fn named(store: &Store, ids: &[RunId]) -> Result<Vec<Run>> {
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        match store.run(*id) {
            Ok(run) => runs.push(run),
            Err(Engine::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(runs)
}

/// A number that changes with all that a page shows of a run.
fn fingerprint(run: &Run) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&run.name, run.status, run.lifecycle_stage, run.end_time, run.params.len(), &run.tags).hash(&mut hasher);
    for (key, summary) in &run.metrics {
        (key, summary.count, summary.latest.step, summary.latest.value.to_bits()).hash(&mut hasher);
    }
    hasher.finish()
}
