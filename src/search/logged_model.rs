//! What a filter can ask of a logged model, and what an order can sort it by.
//!
//! A test of a metric is met when any of its points meets it; sorted is by the newest point.

use super::Language;
use super::entity::{Detail, Entity, EntityField, Place, Sort, Table, Value, maybe, text};
use super::field::Names;
use super::order::Term;
use super::token::Kind;
use crate::error::{Error, Result};
use crate::types::{LoggedModel, LoggedModelStatus, ModelMetric};
use std::borrow::Cow;

pub(super) const ATTRIBUTES: Table = &[
    ("name", Detail::Name, true, true),
    ("model_id", Detail::ModelId, true, true),
    ("model_type", Detail::ModelType, true, true),
    ("status", Detail::Status, true, true),
    ("source_run_id", Detail::RunId, true, true),
    ("experiment_id", Detail::ExperimentId, true, true),
    ("creation_timestamp", Detail::CreatedAt, true, true),
    ("creation_time", Detail::CreatedAt, true, true),
    ("creation_timestamp_ms", Detail::CreatedAt, true, true),
    ("last_updated_timestamp", Detail::UpdatedAt, true, true),
    ("last_updated_timestamp_ms", Detail::UpdatedAt, true, true),
];

/// The field of a name that only logged models have; `None` leaves it to the rules of all sorts.
pub(super) fn field(entity: &str, key: &str, wide: bool) -> Option<std::result::Result<EntityField, String>> {
    let of = |make: &dyn Fn(String) -> EntityField| match key {
        "" => Err(format!("{entity:?} lacks a key behind the dot")),
        key => Ok(make(key.to_owned())),
    };
    match entity {
        "metrics" => Some(of(&|key| EntityField::Metric(key, None))),
        "params" => Some(of(&EntityField::Param)),
        "metric" if wide => Some(of(&|key| EntityField::Metric(key, None))),
        "param" if wide => Some(of(&EntityField::Param)),
        // MLflow knows the plural only, of all four.
        "tag" if !wide => Some(Err("expected attributes, metrics, params or tags".to_owned())),
        "attributes" if !wide => {
            let found = ATTRIBUTES.iter().find(|(name, ..)| *name == key);
            let unknown = || format!("{key:?} is no attribute of a logged model");
            Some(found.map(|(_, detail, ..)| EntityField::Detail(Sort::LoggedModel, *detail)).ok_or_else(unknown))
        }
        _ => None,
    }
}

/// By what logged models are sorted: an attribute or a metric, perhaps as it was measured on one dataset.
///
/// ```
/// use trackway::ModelOrder;
/// let best_first = ModelOrder::new("metrics.acc").descending().measured_on("digits", "a1b2c3");
/// assert!(best_first.descending);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOrder {
    /// An attribute, or `metrics.` and a key.
    pub field: String,
    /// Whether the largest comes first. What lacks the field comes last either way.
    pub descending: bool,
    /// Only points on datasets of this name count; all when it is empty.
    pub dataset_name: String,
    /// Only points on datasets of this fingerprint count; all when it is empty.
    pub dataset_digest: String,
}

impl ModelOrder {
    /// The smallest first.
    ///
    /// ```
    /// assert!(!trackway::ModelOrder::new("name").descending);
    /// ```
    pub fn new(field: impl Into<String>) -> Self {
        Self { field: field.into(), ..Self::default() }
    }

    /// The largest first.
    ///
    /// ```
    /// assert!(trackway::ModelOrder::new("name").descending().descending);
    /// ```
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// Counts points on this dataset only; an empty text stands for any.
    ///
    /// ```
    /// assert_eq!(trackway::ModelOrder::new("metrics.acc").measured_on("digits", "").dataset_name, "digits");
    /// ```
    #[must_use]
    pub fn measured_on(mut self, name: impl Into<String>, digest: impl Into<String>) -> Self {
        (self.dataset_name, self.dataset_digest) = (name.into(), digest.into());
        self
    }
}

/// The terms of an order, each field once: a later one of the same field decides nothing.
pub(crate) fn terms(order: &[ModelOrder]) -> Result<Vec<Term<EntityField>>> {
    let mut terms: Vec<Term<EntityField>> = Vec::new();
    for one in order {
        // The whole text is the name: a key may hold anything.
        let word = Kind::Word { text: one.field.clone(), quoted: true, behind: String::new() };
        let named = EntityField::named(&word, (Sort::LoggedModel, Place::Order), Language::Mlflow);
        let wrong = |reason: String| Error::query("order", &one.field, 0, reason);
        let mut field = named.unwrap_or_else(|| Err("expected a name".to_owned())).map_err(wrong)?;
        if let Some(reason) = field.no_order(&one.field, Language::Mlflow) {
            return Err(wrong(reason.to_owned()));
        }
        if let EntityField::Metric(_, dataset) = &mut field
            && (!one.dataset_name.is_empty() || !one.dataset_digest.is_empty())
        {
            *dataset = Some((one.dataset_name.clone(), one.dataset_digest.clone()));
        }
        if !terms.iter().any(|known| known.field == field) {
            terms.push(Term { field, descending: one.descending });
        }
    }
    Ok(terms)
}

/// Whether a point was measured on the dataset; an empty text stands for any.
pub(crate) fn is_on(metric: &ModelMetric, name: &str, digest: &str) -> bool {
    (name.is_empty() || metric.dataset_name == name) && (digest.is_empty() || metric.dataset_digest == digest)
}

impl Entity for LoggedModel {
    const SORT: Sort = Sort::LoggedModel;

    fn value(&self, field: &EntityField) -> Value<'_> {
        let detail = match field {
            EntityField::Tag(_, key) => return maybe(self.tags.get(key)),
            EntityField::Param(key) => return maybe(self.params.get(key)),
            EntityField::Metric(key, dataset) => {
                let counts = |metric: &&ModelMetric| {
                    metric.key == *key && dataset.as_ref().is_none_or(|(name, digest)| is_on(metric, name, digest))
                };
                let points = self.metrics.iter().filter(counts);
                let newest = points.clone().max_by(|a, b| a.compare_age(b)).map(|metric| metric.value);
                return Value::Measured(points.map(|metric| metric.value).collect(), newest);
            }
            EntityField::Detail(_, detail) => *detail,
        };
        match detail {
            Detail::Name => text(&self.name),
            Detail::ModelId => Value::Text(Cow::Owned(self.id.to_string())),
            Detail::ModelType => text(&self.model_type),
            Detail::Status => text(self.status.as_str()),
            // What nobody said is an empty text, to MLflow's server too.
            Detail::RunId => Value::Text(Cow::Owned(self.source_run_id.map(|run| run.to_string()).unwrap_or_default())),
            Detail::ExperimentId => Value::Text(Cow::Owned(self.experiment_id.to_string())),
            Detail::CreatedAt => Value::Number(self.created_at),
            Detail::UpdatedAt => Value::Number(self.updated_at),
            Detail::Number | Detail::Source | Detail::Description | Detail::Stage | Detail::User => Value::Missing,
        }
    }
}

/// MLflow sorts by the number of a status: pending, ready, failed.
pub(super) fn status_rank(status: &str) -> Option<usize> {
    LoggedModelStatus::ALL.iter().position(|known| known.as_str() == status)
}
