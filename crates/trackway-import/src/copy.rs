//! From one store to another: what a laptop logged becomes part of the cluster's store, and the other way round.

use crate::artifacts::put_file;
use crate::error::{Error, Result};
use crate::session::{Report, Session, SourceExperiment, TO_DELETE_TAG, Watch};
use crate::target::{Facts, Rule, Target};
use std::collections::BTreeMap;
use trackway::{
    Artifacts, ExperimentId, Filter, KeyMap, LifecycleStage, LoggedModel, ModelVersion, Point, Run, RunId, RunOrder,
    RunQuery, Snapshot, Store, View,
};

/// Runs that are asked for at a time.
const PAGE_RUNS: usize = 10_000;

/// Choices of [`copy`].
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// Only runs that this one matches, and their experiments; no models.
    pub filter: Option<Filter>,
}

/// Copies runs into another store, and without a filter its registered and logged models: ids, params, tags, datasets, names, points as they were written, artifacts, how they
/// ended, and whether they are deleted. Experiments are found by their names. Copying again adds what is new; a run that
/// was continued in both stores gets the points that it lacks. Versions of a model keep their numbers; where both stores have
/// given a number to a version of their own, that of the target stays, and a note says so.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let laptop = trackway::Store::open(dir.path().join("laptop"))?;
/// # let cluster = trackway::Store::open(dir.path().join("cluster"))?;
/// use trackway_import::{CopyOptions, copy, keep_going};
///
/// let run = laptop.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT).name("on the train"))?;
/// run.log_metric("loss", 1, 0.5)?;
/// run.finish()?;
/// let report = copy(&laptop, &cluster, &CopyOptions::default(), &mut keep_going).unwrap();
/// assert_eq!((report.new_runs, report.points), (1, 1));
/// assert_eq!(cluster.run(run.id())?.name, "on the train");
/// assert!(copy(&laptop, &cluster, &CopyOptions::default(), &mut keep_going).unwrap().is_unchanged());
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// Both are one store, one of them cannot be read or written, the caller stopped it. What goes wrong with a single run is
/// in [`Report::failures`], and the other runs are copied.
pub fn copy(from: &Store, to: &Store, options: &CopyOptions, watch: Watch<'_>) -> Result<Report> {
    let canonical = |store: &Store| std::fs::canonicalize(store.path()).ok();
    if canonical(from).is_some_and(|path| canonical(to) == Some(path)) {
        return Err(Error::source(from.path(), "a store cannot be copied into itself"));
    }
    let mut session = Session::new(to, watch)?;
    let runs = find(from, options)?;
    session.progress.total_runs = runs.len() as u64;
    for known in from.experiments()? {
        let of_this: Vec<RunId> = runs.iter().filter(|run| run.0 == known.id).map(|run| run.1).collect();
        if of_this.is_empty() && options.filter.is_some() {
            continue;
        }
        let mut tags = known.tags;
        tags.remove(TO_DELETE_TAG);
        let is_deleted = known.lifecycle_stage == LifecycleStage::Deleted;
        let source = SourceExperiment { name: known.name, is_deleted, tags };
        let experiment = session.experiment(&source)?;
        for id in of_this {
            session.run(&format!("run {id}"), |session| copy_run(session, from, id, experiment))?;
        }
        if options.filter.is_none() {
            copy_logged_models(&mut session, from, known.id, experiment)?;
        }
        session.end_experiment(&source, experiment)?;
    }
    if options.filter.is_none() {
        copy_models(&mut session, from)?;
    }
    // Runs of which nothing can be read are in no listing.
    for incident in from.incidents() {
        session.note(format!("{}: {}", incident.path.display(), incident.what));
    }
    Ok(session.report)
}

fn copy_models(session: &mut Session<'_>, from: &Store) -> Result<()> {
    for model in from.models()? {
        let known = match session.store.model(&model.name) {
            Ok(known) => known.versions,
            Err(trackway::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let is_other = |here: &&ModelVersion| {
            let there = model.version(here.number);
            there.is_some_and(|there| {
                (&here.source, here.run_id, here.created_at) != (&there.source, there.run_id, there.created_at)
            })
        };
        for version in known.iter().filter(is_other) {
            let (name, number) = (&model.name, version.number);
            session.note(format!("model {name:?}: version {number} is another one in the source, and stays as it is"));
        }
        session.report.models += u64::from(session.store.merge_model(&model)?);
    }
    Ok(())
}

/// Copies the logged models of an experiment, with their artifacts.
fn copy_logged_models(session: &mut Session<'_>, from: &Store, of: ExperimentId, to: ExperimentId) -> Result<()> {
    let models = from.logged_models(of)?;
    session.progress.total_models += models.len() as u64;
    for model in models {
        let (id, mut copied) = (model.id, LoggedModel { experiment_id: to, ..model });
        copied.tags.remove(TO_DELETE_TAG);
        session.model(&format!("logged model {id}"), |session| {
            session.report.models += u64::from(session.store.merge_logged_model(&copied)?);
            let (source, target) = (from.logged_model_artifacts(id)?, session.store.logged_model_artifacts(id)?);
            put_all(session, &source, &target)
        })?;
    }
    Ok(())
}

/// The runs to be copied, those that started first at first.
fn find(from: &Store, options: &CopyOptions) -> Result<Vec<(ExperimentId, RunId)>> {
    let mut query = RunQuery {
        view: View::All,
        filter: options.filter.clone(),
        order: RunOrder::new(&["start_time"])?,
        limit: Some(PAGE_RUNS),
        ..RunQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let page = from.search(&query)?;
        found.extend(page.runs.iter().map(|run| (run.experiment_id, run.id)));
        query.after = page.next;
        if query.after.is_none() {
            return Ok(found);
        }
    }
}

fn copy_run(session: &mut Session<'_>, from: &Store, id: RunId, experiment: ExperimentId) -> Result<()> {
    let snapshot = from.snapshot(id)?;
    if let Some(damage) = snapshot.damage().first() {
        return Err(Error::source(from.path(), format!("not all of the run can be read: {damage}")));
    }
    let facts = facts(from, snapshot.run());
    let Some(mut target) = Target::begin(session, experiment, facts, Rule::Merge)? else { return Ok(()) };
    for key in snapshot.run().metrics.keys() {
        read(&snapshot, key, &mut |point| target.push(session, key, point))?;
    }
    put_artifacts(session, from, id)?;
    target.end(session, &mut |key, each| read(&snapshot, key, each))
}

fn read(snapshot: &Snapshot, key: &str, each: &mut dyn FnMut(Point) -> Result<()>) -> Result<()> {
    snapshot.metric(key)?.points().try_for_each(|point| each(point?))
}

fn put_artifacts(session: &mut Session<'_>, from: &Store, id: RunId) -> Result<()> {
    let (source, target) = (from.artifacts(id)?, session.store.artifacts(id)?);
    put_all(session, &source, &target)
}

fn put_all(session: &mut Session<'_>, source: &Artifacts, target: &Artifacts) -> Result<()> {
    let mut todo = vec![String::new()];
    while let Some(folder) = todo.pop() {
        for artifact in source.list(&folder)? {
            if artifact.is_dir {
                todo.push(artifact.path);
            } else {
                put_file(session, target, &artifact.path, &source.local_path(&artifact.path)?)?;
            }
        }
    }
    Ok(())
}

fn texts(map: KeyMap<String>) -> BTreeMap<String, String> {
    map.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

fn facts(from: &Store, run: &Run) -> Facts {
    let run = run.clone();
    let mut facts = Facts {
        id: run.id,
        place: format!("{}, run {}", from.path().display(), run.id),
        name: run.name,
        user: run.user,
        parent: run.parent,
        start_time: Some(run.start_time),
        status: run.status,
        cause: run.status_cause,
        end_time: run.end_time.filter(|_| run.status.is_ended()),
        is_deleted: run.lifecycle_stage == LifecycleStage::Deleted,
        params: texts(run.params),
        tags: texts(run.tags),
        datasets: run.datasets,
        models: run.models,
    };
    facts.tags.remove(TO_DELETE_TAG);
    facts.tag_open_status();
    facts
}
