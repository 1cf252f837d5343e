//! One run on its way into a store: created when it is not there, else given what it lacks.
//!
//! What a run in the store says already stays, unless the source has gone on since: then the source's tags, name and end
//! count. A run to which nothing has to be added is not opened for writing, so no file of it changes.

use crate::error::{Error, Place as _, Result};
use crate::points::{Bag, Incoming, Verdict};
use crate::session::{Session, TO_DELETE_TAG};
use std::collections::{BTreeMap, HashMap};
use trackway::{
    DatasetInput, ExperimentId, LifecycleStage, ModelLink, NewRun, Point, Run, RunId, RunName, RunStatus, RunWriter,
    Snapshot, StatusCause, limits,
};

/// Tag of a run that had not ended in the source: the status that it had there.
pub const STATUS_TAG: &str = "trackway.import.status";

/// Tag of a run whose artifacts lie where they could not be read: the URI.
pub const ARTIFACT_URI_TAG: &str = "trackway.import.artifact_uri";

/// Points of one metric that are written at a time.
const BATCH_POINTS: usize = 1 << 16;

/// Points of all metrics together that wait to be written: 24 MB.
const WAITING_POINTS: usize = 1 << 20;

/// What a source says of a run, but for its points and artifacts.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) id: RunId,
    /// The source's place, for messages.
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) parent: Option<RunId>,
    pub(crate) start_time: Option<i64>,
    pub(crate) status: RunStatus,
    pub(crate) cause: StatusCause,
    /// `None` for a run that has not ended, or of which it is not known.
    pub(crate) end_time: Option<i64>,
    pub(crate) is_deleted: bool,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) datasets: Vec<DatasetInput>,
    /// Logged models that it used or made.
    pub(crate) models: Vec<ModelLink>,
}

impl Facts {
    /// Of a run of which the source knows no more than this: it has ended, and nobody says when.
    pub(crate) fn of_ended(id: RunId, place: String, name: String, start_time: i64) -> Self {
        Self {
            id,
            place,
            name,
            user: String::new(),
            parent: None,
            start_time: Some(start_time),
            status: RunStatus::Finished,
            cause: StatusCause::Reported,
            end_time: None,
            is_deleted: false,
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            datasets: Vec::new(),
            models: Vec::new(),
        }
    }
}

/// What to make of points that the run has and the source has not at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The id was derived from a name: it is another run, and an error.
    Same,
    /// The id is unique in the world: the run was continued on both sides, and gets what it lacks.
    Merge,
}

/// Reads the points of a metric once more, in the source's order.
pub(crate) type Reread<'a> = &'a mut dyn FnMut(&str, &mut dyn FnMut(Point) -> Result<()>) -> Result<()>;

/// One run on its way.
pub(crate) struct Target {
    facts: Facts,
    rule: Rule,
    /// The run as it was; `None` when it was created here.
    known: Option<Snapshot>,
    writer: Option<RunWriter>,
    metrics: HashMap<String, Incoming>,
    waiting: usize,
    until_tick: usize,
    added: u64,
    last_time: Option<i64>,
    /// Whether the report knows that the run changed.
    is_counted: bool,
    /// How the run was ended when its writer was closed in between.
    parked: Option<End>,
}

/// Status, who said so, and when.
type End = (RunStatus, StatusCause, Option<i64>);

/// A name as a store takes it: what is too long is cut, what cannot be shown is a space.
pub(crate) fn clean_name(name: &str) -> String {
    name.chars().take(limits::MAX_NAME_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Target {
    /// Looks for the run and creates it when there is none. `None` when it is there and deleted: it stays so.
    pub(crate) fn begin(
        session: &mut Session<'_>,
        experiment: ExperimentId,
        facts: Facts,
        rule: Rule,
    ) -> Result<Option<Self>> {
        facts.check()?;
        let known = match session.store.snapshot(facts.id) {
            Ok(snapshot) => Some(snapshot),
            Err(trackway::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let mut writer = None;
        match &known {
            Some(known) if known.run().lifecycle_stage == LifecycleStage::Deleted => return Ok(None),
            Some(known) => {
                if let Some(damage) = known.damage().first() {
                    let reason = format!("run {} is damaged in the store: {damage}", facts.id);
                    return Err(Error::source(session.store.path(), reason));
                }
                facts.check_params(known.run())?;
            }
            None => {
                writer = Some(session.store.create_run(facts.to_new(experiment)).place(|| facts.place.clone())?);
                session.report.new_runs += 1;
            }
        }
        Ok(Some(Self {
            last_time: facts.start_time,
            is_counted: known.is_none(),
            facts,
            rule,
            known,
            writer,
            metrics: HashMap::new(),
            waiting: 0,
            until_tick: 0,
            added: 0,
            parked: None,
        }))
    }

    /// Takes the source's next point of a metric.
    pub(crate) fn push(&mut self, session: &mut Session<'_>, key: &str, point: Point) -> Result<()> {
        if !self.metrics.contains_key(key) {
            trackway::MetricKey::new(key).place(|| format!("{}, metric {key:?}", self.facts.place))?;
            self.metrics.insert(key.to_owned(), Incoming::new(self.known.as_ref(), key)?);
        }
        self.last_time = self.last_time.max(Some(point.timestamp));
        let Some(metric) = self.metrics.get_mut(key) else { return Ok(()) };
        let before = metric.new.len();
        metric.push(point);
        let len = metric.new.len();
        self.waiting += len - before;
        if len >= BATCH_POINTS {
            self.write(session, key)?;
        } else if self.waiting >= WAITING_POINTS {
            self.write_all(session)?;
        }
        self.until_tick += 1;
        if self.until_tick == BATCH_POINTS {
            self.until_tick = 0;
            session.tick()?;
        }
        Ok(())
    }

    /// Takes params that the source says between its points.
    pub(crate) fn add_params(&mut self, params: Vec<(String, String)>) -> Result<()> {
        let given = Facts { params: params.into_iter().collect(), ..self.facts.clone() };
        given.check()?;
        match (&self.known, &self.writer) {
            (Some(known), _) => given.check_params(known.run())?,
            (None, Some(writer)) => {
                let params = given.params.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                writer.log_params(&params.collect::<Vec<_>>())?;
            }
            (None, None) => {}
        }
        self.facts.params.extend(given.params);
        Ok(())
    }

    fn writer(&mut self, session: &mut Session<'_>) -> Result<&RunWriter> {
        if self.writer.is_none() {
            session.report.changed_runs += u64::from(!self.is_counted);
            self.is_counted = true;
            self.writer = Some(session.store.resume_run(self.facts.id)?);
        }
        self.writer.as_ref().ok_or(Error::Stopped)
    }

    /// Writes what waits of one metric.
    fn write(&mut self, session: &mut Session<'_>, key: &str) -> Result<()> {
        let Some(metric) = self.metrics.get_mut(key) else { return Ok(()) };
        let mut columns = std::mem::take(&mut metric.new);
        if columns.is_empty() {
            return Ok(());
        }
        let writer = self.writer(session)?;
        writer.metric(key)?.log_columns(columns.steps(), columns.timestamps(), columns.values())?;
        let count = columns.len();
        columns.clear();
        self.waiting -= count;
        self.added += count as u64;
        session.report.points += count as u64;
        session.tick()?;
        if let Some(metric) = self.metrics.get_mut(key) {
            metric.new = columns;
        }
        Ok(())
    }

    /// Whether it has a writer.
    pub(crate) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Writes what waits and closes the writer, so that many runs can be under way at a time.
    pub(crate) fn park(&mut self, session: &mut Session<'_>) -> Result<()> {
        self.write_all(session)?;
        let end = self.end_in_store();
        if let Some(writer) = self.writer.take() {
            writer.end_with_cause(end.0, end.1, end.2)?;
            self.parked = Some(end);
        }
        Ok(())
    }

    fn write_all(&mut self, session: &mut Session<'_>) -> Result<()> {
        let mut keys: Vec<String> = self.metrics.keys().cloned().collect();
        keys.sort_unstable();
        keys.iter().try_for_each(|key| self.write(session, key))
    }

    /// Writes what is left, settles what the run says of itself, and ends and deletes it as in the source.
    pub(crate) fn end(mut self, session: &mut Session<'_>, reread: Reread<'_>) -> Result<()> {
        self.write_all(session)?;
        let is_ahead = self.settle_points(session, reread)?;
        let is_to_delete = self.is_to_delete(session)?;
        self.settle_facts(session, is_ahead)?;
        if is_to_delete {
            session.store.delete_run(self.facts.id)?;
        }
        Ok(())
    }

    /// Whether the run is to be deleted once it is whole: one that came as a deleted one, and was not restored since. A
    /// run that is here longer stays: whoever makes room in the source does not mean this store.
    fn is_to_delete(&mut self, session: &mut Session<'_>) -> Result<bool> {
        let marked = self.known.as_ref().is_none_or(|known| known.run().tags.contains_key(TO_DELETE_TAG));
        if !self.facts.is_deleted {
            return Ok(false);
        }
        if marked {
            self.writer(session)?.delete_tag(TO_DELETE_TAG)?;
        } else {
            session.note(format!("run {}: it is deleted in the source and stays", self.facts.id));
        }
        Ok(marked)
    }

    /// True when the run has points that the source has not.
    fn settle_points(&mut self, session: &mut Session<'_>, reread: Reread<'_>) -> Result<bool> {
        let Some(known) = self.known.take() else { return Ok(false) };
        let mut is_ahead = known.run().metrics.keys().any(|key| !self.metrics.contains_key(&**key));
        let mut differing = Vec::new();
        for (key, metric) in &self.metrics {
            match metric.verdict(Some(&known), key)? {
                Verdict::Extends => {}
                Verdict::Ahead => is_ahead = true,
                Verdict::Differs(_) if self.rule == Rule::Merge => differing.push(key.clone()),
                Verdict::Differs(points) => {
                    return Err(Error::Differs { run: self.facts.id.to_string(), metric: key.clone(), points });
                }
            }
        }
        differing.sort_unstable();
        for key in differing {
            let mut bag = Bag::of_stored(&known, &key)?;
            self.metrics.insert(key.clone(), Incoming::default());
            reread(&key, &mut |point| if bag.take(point) { Ok(()) } else { self.push(session, &key, point) })?;
            self.write(session, &key)?;
            is_ahead |= !bag.is_empty();
        }
        self.known = Some(known);
        Ok(is_ahead)
    }

    fn settle_facts(&mut self, session: &mut Session<'_>, is_ahead: bool) -> Result<()> {
        let end = self.end_in_store();
        let Some(known) = self.known.as_ref().map(|known| known.run().clone()) else {
            // A run that was created here has all the rest.
            for dataset in std::mem::take(&mut self.facts.datasets) {
                let place = self.facts.place.clone();
                self.writer(session)?.log_dataset(dataset).place(|| format!("{place}, a dataset"))?;
            }
            for link in std::mem::take(&mut self.facts.models) {
                log_link(self.writer(session)?, link)?;
            }
            return self.end_writer(session, end);
        };
        let was_open = known.tags.contains_key(STATUS_TAG) && !self.facts.tags.contains_key(STATUS_TAG);
        // Of a run that says no time at all, no time is expected.
        let is_other_time = end.2.is_some() && end.2 != known.end_time;
        let is_other_end = (known.status, known.status_cause) != (end.0, end.1) || is_other_time;
        let was_cut = known.status_cause != StatusCause::Reported;
        let has_ended_since = is_other_end && !is_ahead && (was_open || was_cut || end.2 > known.end_time);
        let leads = !is_ahead && (self.added > 0 || has_ended_since);
        self.settle_texts(session, &known, leads, was_open && !is_ahead)?;
        if has_ended_since || self.writer.is_some() || self.parked.is_some() {
            let stays = (known.status, known.status_cause, known.end_time);
            self.end_writer(session, if leads || !known.status.is_ended() { end } else { stays })?;
        }
        Ok(())
    }

    fn end_writer(&mut self, session: &mut Session<'_>, end: End) -> Result<()> {
        if self.writer.is_none() && self.parked == Some(end) {
            return Ok(());
        }
        Ok(self.writer(session)?.end_with_cause(end.0, end.1, end.2)?)
    }

    /// Params, name, tags and datasets that the run lacks; when the source `leads`, also those that it says otherwise.
    fn settle_texts(&mut self, session: &mut Session<'_>, known: &Run, leads: bool, was_open: bool) -> Result<()> {
        let facts = self.facts.clone();
        for (key, value) in facts.params.iter().filter(|(key, _)| !known.params.contains_key(key.as_str())) {
            self.writer(session)?.log_param(key, value)?;
        }
        for (key, value) in &facts.tags {
            match known.tags.get(key.as_str()) {
                Some(stored) if stored == value => {}
                Some(stored) if !leads => {
                    let text = format!("run {}: tag {key:?} is {value:?} in the source and stays {stored:?}", facts.id);
                    session.note(text);
                }
                _ => self.writer(session)?.set_tag(key, value)?,
            }
        }
        if was_open && facts.status.is_ended() {
            self.writer(session)?.delete_tag(STATUS_TAG)?;
        }
        // The source says nothing of missing artifacts any more: they are here.
        if known.tags.contains_key(ARTIFACT_URI_TAG) && !facts.tags.contains_key(ARTIFACT_URI_TAG) {
            self.writer(session)?.delete_tag(ARTIFACT_URI_TAG)?;
        }
        if !facts.name.is_empty() && facts.name != known.name {
            if leads || known.name.is_empty() {
                self.writer(session)?.set_name(&facts.name)?;
            } else {
                let (id, name, stored) = (facts.id, &facts.name, &known.name);
                session.note(format!("run {id}: its name is {name:?} in the source and stays {stored:?}"));
            }
        }
        let is_known = |d: &DatasetInput| known.datasets.iter().any(|k| (&k.name, &k.digest) == (&d.name, &d.digest));
        for dataset in facts.datasets.into_iter().filter(|dataset| !is_known(dataset)) {
            self.writer(session)?.log_dataset(dataset)?;
        }
        for link in facts.models.into_iter().filter(|link| !known.models.contains(link)) {
            log_link(self.writer(session)?, link)?;
        }
        Ok(())
    }

    /// The end that the run gets. A store has no running run without a writer: one that has not ended in the source is
    /// here as if its writer had vanished after its last point, until the source says how it ended.
    fn end_in_store(&self) -> End {
        let end_time = self.facts.end_time.or(self.last_time);
        if self.facts.status.is_ended() {
            (self.facts.status, self.facts.cause, end_time)
        } else {
            (RunStatus::Killed, StatusCause::Vanished, end_time)
        }
    }
}

impl Facts {
    /// Refuses values that a store does not take, before anything of the run is written, and says where they are.
    fn check(&self) -> Result<()> {
        let limit = limits::MAX_VALUE_BYTES;
        for (kind, texts) in [("param", &self.params), ("tag", &self.tags)] {
            for (key, value) in texts {
                let place = || format!("{}, {kind} {key:?}", self.place);
                if kind == "param" {
                    trackway::ParamKey::new(key.as_str()).place(place)?;
                } else {
                    trackway::TagKey::new(key.as_str()).place(place)?;
                }
                if value.len() > limit {
                    let (limit, found) = (limit as u64, value.len() as u64);
                    let source = trackway::Error::LimitExceeded { what: "value in bytes", limit, found };
                    return Err(Error::Refused { place: place(), source });
                }
            }
        }
        if !self.name.is_empty() {
            RunName::new(self.name.as_str()).place(|| format!("{}, its name", self.place))?;
        }
        Ok(())
    }

    /// A param is written once: a run with another value is another run, and gets nothing.
    fn check_params(&self, known: &Run) -> Result<()> {
        for (key, given) in &self.params {
            if let Some(stored) = known.params.get(key.as_str()).filter(|stored| *stored != given) {
                let (run, key, stored, given) = (known.id.to_string(), key.clone(), stored.clone(), given.clone());
                return Err(trackway::Error::ParamConflict { run, key, stored, given }.into());
            }
        }
        Ok(())
    }

    fn to_new(&self, experiment: ExperimentId) -> NewRun {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let mut new = NewRun::new(experiment).id(self.id);
        (new.name, new.user, new.parent, new.start_time) =
            (some(&self.name), some(&self.user), self.parent, self.start_time);
        new.params = self.params.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        new.tags = self.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        if self.is_deleted {
            new.tags.push((TO_DELETE_TAG.to_owned(), "yes".to_owned()));
        }
        new
    }

    /// Notes the status of a run that has not ended.
    pub(crate) fn tag_open_status(&mut self) {
        if !self.status.is_ended() {
            self.tags.insert(STATUS_TAG.to_owned(), self.status.as_str().to_owned());
        }
    }
}

fn log_link(writer: &RunWriter, link: ModelLink) -> Result<()> {
    match link.made_at {
        None => writer.log_model_input(link.model)?,
        Some(step) => writer.log_model_output(link.model, step)?,
    }
    Ok(())
}
