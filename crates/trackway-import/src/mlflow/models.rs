//! Logged models of MLflow 3, of which both of its stores say the same.
//!
//! A model follows the rules of runs (`target.rs`): found by its id, given what it lacks, and what it says here stays
//! unless the source has gone on since. It is written before its artifacts, and one that is deleted in the source is
//! marked until all of it is here. So an import that was killed anywhere goes on.

use super::{local_folder, put_artifacts, run_id};
use crate::error::{Error, Place as _, Result};
use crate::id::derived;
use crate::session::{Session, TO_DELETE_TAG};
use crate::target::{ARTIFACT_URI_TAG, STATUS_TAG, clean_name};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use trackway::{ExperimentId, LifecycleStage, LoggedModel, LoggedModelId, LoggedModelStatus, ModelMetric, RunId};

/// Tag of a logged model whose id was not `m-` and 32 hex digits: that id.
pub const MODEL_ID_TAG: &str = "trackway.import.model_id";

/// Tag of a logged model whose name is too long here or cannot be shown: the whole name.
pub const MODEL_NAME_TAG: &str = "trackway.import.model_name";

/// Tag of a logged model whose type is too long here or cannot be shown: the whole type.
pub const MODEL_TYPE_TAG: &str = "trackway.import.model_type";

/// Tag of a logged model: what the source says of its status in words.
pub const STATUS_MESSAGE_TAG: &str = "trackway.import.status_message";

/// Tags that the import sets and takes back by itself.
const OWN_TAGS: [&str; 2] = [STATUS_TAG, ARTIFACT_URI_TAG];

/// What MLflow says of a logged model, as it says it.
#[derive(Debug, Default)]
pub(crate) struct ModelInfo {
    pub(crate) id: String,
    /// The source's place, for messages.
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) model_type: String,
    /// MLflow's number.
    pub(crate) status: i64,
    pub(crate) status_message: String,
    pub(crate) source_run: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) is_deleted: bool,
    /// Where the source says that its artifacts are.
    pub(crate) artifacts: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// In the order in which they were logged.
    pub(crate) metrics: Vec<ModelMetric>,
}

/// The id of a model; of one that has another form a fingerprint.
pub(crate) fn model_id(text: &str) -> LoggedModelId {
    text.parse().unwrap_or_else(|_| LoggedModelId::from_bytes(*derived(&["mlflow model", text]).as_bytes()))
}

/// Brings a model into the store, with the artifacts in the first of these folders that exists.
pub(crate) fn import_model(
    session: &mut Session<'_>,
    experiment: ExperimentId,
    mut info: ModelInfo,
    folders: &[PathBuf],
) -> Result<()> {
    let uri = std::mem::take(&mut info.artifacts);
    let is_remote = local_folder(&uri, Path::new("")).is_none() && !uri.is_empty();
    if is_remote && !folders.iter().any(|folder| folder.is_dir()) {
        session.note(format!("{}: its artifacts are at {uri} and were not copied", info.place));
        info.tags.insert(ARTIFACT_URI_TAG.to_owned(), uri);
    }
    let (place, is_deleted) = (info.place.clone(), info.is_deleted);
    let mut model = info.into_model(session, experiment)?;
    let id = model.id;
    let known = match session.store.logged_model(id) {
        Ok(known) => Some(known),
        Err(trackway::Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let is_marked = known.as_ref().is_none_or(|known| known.tags.contains_key(TO_DELETE_TAG));
    if known.as_ref().is_some_and(|known| known.lifecycle_stage == LifecycleStage::Deleted) {
        // Left by an import that was killed when all else was done.
        return if is_marked { Ok(session.store.delete_logged_model_tag(id, TO_DELETE_TAG)?) } else { Ok(()) };
    }
    if is_deleted && is_marked {
        model.tags.insert(TO_DELETE_TAG.to_owned(), "yes".to_owned());
    } else if is_deleted {
        session.note(format!("{place}: it is deleted in the source and stays"));
    }
    if let Some(known) = &known {
        check_params(&model, known)?;
    }
    let mut is_changed = session.store.merge_logged_model(&model).place(|| place.clone())?;
    if let Some(known) = &known {
        is_changed |= settle_tags(session, &model, known, &place)?;
    }
    let failures = session.report.failures.len();
    let to = session.store.logged_model_artifacts(id)?;
    put_artifacts(session, &to, folders)?;
    // One that lacks a file is deleted by the import that brings it.
    if is_deleted && is_marked && failures == session.report.failures.len() {
        session.store.delete_logged_model(id)?;
        session.store.delete_logged_model_tag(id, TO_DELETE_TAG)?;
        is_changed = true;
    }
    session.report.models += u64::from(is_changed);
    Ok(())
}

/// A param is written once: nothing is added to a model with another value.
fn check_params(model: &LoggedModel, known: &LoggedModel) -> Result<()> {
    for (key, given) in &model.params {
        if let Some(stored) = known.params.get(key).filter(|stored| *stored != given) {
            let (run, key, stored, given) = (known.id.to_string(), key.clone(), stored.clone(), given.clone());
            return Err(trackway::Error::ParamConflict { run, key, stored, given }.into());
        }
    }
    Ok(())
}

/// Tags that the two say otherwise, and those of earlier imports that are true no more; those that were missing are there.
/// Answers whether anything was changed.
fn settle_tags(session: &mut Session<'_>, model: &LoggedModel, known: &LoggedModel, place: &str) -> Result<bool> {
    let leads = leads(model, known);
    let (mut set, mut notes) = (Vec::new(), Vec::new());
    for (key, value) in &model.tags {
        match known.tags.get(key) {
            Some(stored) if stored != value && (leads || OWN_TAGS.contains(&key.as_str())) => {
                set.push((key.as_str(), value.as_str()));
            }
            Some(stored) if stored != value => {
                notes.push(format!("{place}: tag {key:?} is {value:?} in the source and stays {stored:?}"));
            }
            _ => {}
        }
    }
    notes.into_iter().for_each(|note| session.note(note));
    let mut is_changed = !set.is_empty();
    if is_changed {
        session.store.set_logged_model_tags(model.id, &set)?;
    }
    for key in OWN_TAGS.into_iter().filter(|key| known.tags.contains_key(*key) && !model.tags.contains_key(*key)) {
        session.store.delete_logged_model_tag(model.id, key)?;
        is_changed = true;
    }
    Ok(is_changed)
}

/// What makes two metrics of a model one.
type MetricPlace<'a> = (&'a str, i64, i64, RunId);

fn place_of(metric: &ModelMetric) -> MetricPlace<'_> {
    (&metric.key, metric.step, metric.timestamp, metric.run_id)
}

/// Whether the source has gone on since, and this model has not.
fn leads(model: &LoggedModel, known: &LoggedModel) -> bool {
    let places = |of: &LoggedModel, other: &LoggedModel| {
        let theirs: std::collections::HashSet<_> = other.metrics.iter().map(place_of).collect();
        of.metrics.iter().all(|metric| theirs.contains(&place_of(metric)))
    };
    let (is_behind, is_whole) = (places(known, model), places(model, known));
    is_behind && known.updated_at <= model.updated_at && (!is_whole || known.updated_at < model.updated_at)
}

impl ModelInfo {
    /// The same for a store of Trackway, as a model that is not deleted.
    fn into_model(mut self, session: &mut Session<'_>, experiment: ExperimentId) -> Result<LoggedModel> {
        let id = model_id(&self.id);
        if id.to_string() != self.id {
            self.tags.insert(MODEL_ID_TAG.to_owned(), self.id.clone());
        }
        let (name, model_type) = (clean_name(&self.name), clean_name(&self.model_type));
        for (tag, whole, clean) in [(MODEL_NAME_TAG, self.name, &name), (MODEL_TYPE_TAG, self.model_type, &model_type)]
        {
            if whole != *clean {
                self.tags.insert(tag.to_owned(), whole);
            }
        }
        if !self.status_message.is_empty() {
            self.tags.insert(STATUS_MESSAGE_TAG.to_owned(), self.status_message);
        }
        let status = match usize::try_from(self.status) {
            // MLflow's word for what it has never said; such a model has no files yet, as far as is known.
            Ok(0) => {
                self.tags.insert(STATUS_TAG.to_owned(), "UNSPECIFIED".to_owned());
                Some(LoggedModelStatus::Pending)
            }
            // In the order of MLflow's own numbers, from 1.
            number => number.ok().and_then(|number| LoggedModelStatus::ALL.get(number.wrapping_sub(1))).copied(),
        };
        let wrong = || Error::source(Path::new(&self.place), format!("{} is not the status of a model", self.status));
        let status = status.ok_or_else(wrong)?;
        Ok(LoggedModel {
            id,
            experiment_id: experiment,
            name,
            model_type,
            status,
            source_run_id: (!self.source_run.is_empty()).then(|| run_id(&self.source_run)),
            lifecycle_stage: LifecycleStage::Active,
            created_at: self.created_at,
            updated_at: self.updated_at,
            params: self.params,
            tags: self.tags,
            metrics: first_ones(session, &self.place, self.metrics),
        })
    }
}

/// The first of the metrics of each place, which is the one that a store keeps.
fn first_ones(session: &mut Session<'_>, place: &str, metrics: Vec<ModelMetric>) -> Vec<ModelMetric> {
    let said =
        |metric: &ModelMetric| (metric.value.to_bits(), metric.dataset_name.clone(), metric.dataset_digest.clone());
    let mut first: HashMap<MetricPlace<'_>, usize> = HashMap::new();
    let (mut is_kept, mut others) = (vec![true; metrics.len()], 0_u64);
    for (at, (metric, kept)) in metrics.iter().zip(&mut is_kept).enumerate() {
        let known = *first.entry(place_of(metric)).or_insert(at);
        *kept = known == at;
        others += u64::from(!*kept && metrics.get(known).is_some_and(|known| said(known) != said(metric)));
    }
    if others > 0 {
        session.note(format!(
            "{place}: {others} metrics left out: another value or dataset has the same key, step, time and run"
        ));
    }
    metrics.into_iter().zip(is_kept).filter_map(|(metric, kept)| kept.then_some(metric)).collect()
}
