//! What a filter can ask of an experiment, a registered model, a model version or a logged model, and an order can sort them
//! by.

use super::field::Names;
use super::filter::{Check, Node, Test};
use super::order::{self, Key, Term};
use super::token::Kind;
use super::{Language, logged_model, parse};
use crate::error;
use crate::types::{Experiment, LoggedModel, ModelVersion, RegisteredModel};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Tag of a registered model that is a prompt.
pub(crate) const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

/// Which things are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Experiment,
    Model,
    Version,
    LoggedModel,
}

/// An attribute of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Name,
    ExperimentId,
    CreatedAt,
    UpdatedAt,
    Number,
    RunId,
    Source,
    /// Of logged models.
    ModelId,
    ModelType,
    /// From here on of the wide language only.
    Description,
    Stage,
    Status,
    User,
}

impl Detail {
    fn is_number(self) -> bool {
        matches!(self, Self::CreatedAt | Self::UpdatedAt | Self::Number)
    }
}

/// What one of them is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum EntityField {
    Tag(Sort, String),
    Detail(Sort, Detail),
    /// Of logged models: a param, and a metric, of which points on one dataset only may be meant.
    Param(String),
    Metric(String, Option<(String, String)>),
}

/// Where a name stands: MLflow sorts by some that it does not filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Filter,
    Order,
}

/// Names of attributes, and where MLflow knows them: in filters, in orders.
pub(super) type Table = &'static [(&'static str, Detail, bool, bool)];

const EXPERIMENT: Table = &[
    ("name", Detail::Name, true, true),
    ("experiment_id", Detail::ExperimentId, true, true),
    ("creation_time", Detail::CreatedAt, true, true),
    ("last_update_time", Detail::UpdatedAt, true, true),
];
const MODEL: Table = &[
    ("name", Detail::Name, true, true),
    ("timestamp", Detail::UpdatedAt, false, true),
    ("last_updated_timestamp", Detail::UpdatedAt, false, true),
    ("creation_timestamp", Detail::CreatedAt, false, false),
    ("description", Detail::Description, false, false),
];
const VERSION: Table = &[
    ("name", Detail::Name, true, true),
    ("version_number", Detail::Number, true, true),
    ("run_id", Detail::RunId, true, false),
    ("source_path", Detail::Source, true, false),
    ("creation_timestamp", Detail::CreatedAt, false, true),
    ("last_updated_timestamp", Detail::UpdatedAt, false, true),
    ("description", Detail::Description, false, false),
    ("stage", Detail::Stage, false, false),
    ("status", Detail::Status, false, false),
    ("user_id", Detail::User, false, false),
];

impl Sort {
    fn table(self) -> Table {
        match self {
            Self::Experiment => EXPERIMENT,
            Self::Model => MODEL,
            Self::Version => VERSION,
            Self::LoggedModel => logged_model::ATTRIBUTES,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Experiment => "an experiment",
            Self::Model => "a registered model",
            Self::Version => "a model version",
            Self::LoggedModel => "a logged model",
        }
    }

    fn field(self, word: &str, place: Place, language: Language) -> Result<EntityField, String> {
        let (entity, key) = word.split_once('.').unwrap_or(("attribute", word));
        let wide = language == Language::Wide;
        if self == Self::LoggedModel
            && let Some(field) = logged_model::field(entity, key, wide)
        {
            return field;
        }
        match entity {
            "tag" | "tags" if key.is_empty() => Err(format!("{word:?} lacks a key behind the dot")),
            "tag" | "tags" => Ok(EntityField::Tag(self, key.to_owned())),
            "attribute" => self.attribute(key, place, wide),
            "attr" | "attributes" if wide => self.attribute(key, place, wide),
            _ => Err(format!("{entity:?} is none of attribute, tags")),
        }
    }

    fn attribute(self, key: &str, place: Place, wide: bool) -> Result<EntityField, String> {
        let allowed =
            |entry: &(&str, Detail, bool, bool)| wide || if place == Place::Filter { entry.2 } else { entry.3 };
        let known = self.table().iter().filter(|entry| allowed(entry));
        if let Some((_, detail, ..)) = known.clone().find(|(name, ..)| *name == key) {
            return Ok(EntityField::Detail(self, *detail));
        }
        let names: Vec<&str> = known.map(|(name, ..)| *name).collect();
        let (what, names) = (self.what(), names.join(", "));
        Err(format!("{key:?} is no attribute of {what} here; known are {names}. Tags are written tags.NAME"))
    }
}

impl Names for EntityField {
    type Of = (Sort, Place);
    const EXAMPLES: &'static str = "a name such as name or tags.team";

    fn named(word: &Kind, (sort, place): Self::Of, language: Language) -> Option<Result<Self, String>> {
        match word {
            Kind::Word { behind, .. } if !behind.is_empty() => {
                Some(Err(format!("{behind:?} follows the closing quote")))
            }
            Kind::Word { text, .. } => Some(sort.field(text, place, language)),
            Kind::Quoted { text, quote: '"' | '`' } if !text.contains('.') => Some(sort.field(text, place, language)),
            _ => None,
        }
    }

    fn is_number(&self) -> bool {
        match self {
            Self::Detail(_, detail) => detail.is_number(),
            Self::Metric(..) => true,
            Self::Tag(..) | Self::Param(_) => false,
        }
    }

    fn is_whole(&self) -> bool {
        !matches!(self, Self::Metric(..) | Self::Detail(Sort::LoggedModel, _))
    }

    fn takes_quoted(&self) -> bool {
        matches!(self, Self::Detail(Sort::Version, Detail::Number))
    }

    fn may_be_number(&self) -> bool {
        matches!(self, Self::Tag(..) | Self::Param(_))
    }

    fn takes_bare(&self) -> bool {
        matches!(self, Self::Tag(Sort::LoggedModel, _) | Self::Detail(Sort::LoggedModel, _) | Self::Param(_))
    }

    fn no_null(&self) -> Option<&'static str> {
        match self {
            Self::Tag(Sort::Experiment, _) => None,
            _ => Some("MLflow asks only tags of runs and experiments for NULL"),
        }
    }

    fn no_list(&self) -> Option<&'static str> {
        match self {
            Self::Detail(_, Detail::ExperimentId | Detail::RunId) => None,
            Self::Detail(Sort::Model | Sort::Version, Detail::Name) => None,
            Self::Tag(Sort::LoggedModel, _) | Self::Detail(Sort::LoggedModel, _) | Self::Param(_) => None,
            _ => Some("MLflow knows IN for ids and for names of models only"),
        }
    }

    fn no_like(&self) -> Option<&'static str> {
        let is_id = matches!(self, Self::Detail(Sort::Experiment, Detail::ExperimentId));
        is_id.then_some("MLflow knows = != IN for ids of experiments")
    }

    fn no_order(&self, _spelled: &str, language: Language) -> Option<&'static str> {
        let is_refused = language == Language::Mlflow && matches!(self, Self::Tag(..) | Self::Param(_));
        is_refused.then_some("MLflow sorts these by attributes, and logged models by metrics, only")
    }
}

/// What can be looked for with a `Query`: an `Experiment`, a `RegisteredModel`, a `ModelVersion`, a `LoggedModel`.
///
/// ```
/// fn found<T: trackway::Searchable>(page: &trackway::Page<T>) -> usize {
///     page.found.len()
/// }
/// assert_eq!(found::<trackway::Experiment>(&trackway::Page::default()), 0);
/// ```
pub trait Searchable: Entity {}

impl Searchable for Experiment {}
impl Searchable for RegisteredModel {}
impl Searchable for ModelVersion {}
impl Searchable for LoggedModel {}

/// What a search has to know of a thing. Nobody else can name it, and so nobody else can be searched.
pub trait Entity: Clone {
    #[doc(hidden)]
    const SORT: Sort;

    #[doc(hidden)]
    fn value(&self, field: &EntityField) -> Value<'_>;
}

/// What an [`Entity`] answers.
#[derive(Debug)]
pub enum Value<'a> {
    Missing,
    Number(i64),
    /// All that were measured, of which any may be meant, and the newest one.
    Measured(Vec<f64>, Option<f64>),
    Text(Cow<'a, str>),
}

pub(super) fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

pub(super) fn maybe(text: Option<&String>) -> Value<'_> {
    text.map_or(Value::Missing, |text| Value::Text(Cow::Borrowed(text)))
}

impl Entity for Experiment {
    const SORT: Sort = Sort::Experiment;

    fn value(&self, field: &EntityField) -> Value<'_> {
        match field {
            EntityField::Tag(_, key) => maybe(self.tags.get(key)),
            EntityField::Detail(_, Detail::Name) => text(&self.name),
            EntityField::Detail(_, Detail::ExperimentId) => Value::Text(Cow::Owned(self.id.to_string())),
            EntityField::Detail(_, Detail::CreatedAt) => Value::Number(self.created_at),
            EntityField::Detail(_, Detail::UpdatedAt) => Value::Number(self.updated_at),
            _ => Value::Missing,
        }
    }
}

impl Entity for RegisteredModel {
    const SORT: Sort = Sort::Model;

    fn value(&self, field: &EntityField) -> Value<'_> {
        match field {
            EntityField::Tag(_, key) => maybe(self.tags.get(key)),
            EntityField::Detail(_, Detail::Name) => text(&self.name),
            EntityField::Detail(_, Detail::CreatedAt) => Value::Number(self.created_at),
            EntityField::Detail(_, Detail::UpdatedAt) => Value::Number(self.updated_at),
            EntityField::Detail(_, Detail::Description) => text(&self.description),
            _ => Value::Missing,
        }
    }
}

impl Entity for ModelVersion {
    const SORT: Sort = Sort::Version;

    fn value(&self, field: &EntityField) -> Value<'_> {
        let detail = match field {
            EntityField::Tag(_, key) => return maybe(self.tags.get(key)),
            EntityField::Detail(_, detail) => *detail,
            EntityField::Param(_) | EntityField::Metric(..) => return Value::Missing,
        };
        match detail {
            Detail::Name => text(&self.model),
            Detail::CreatedAt => Value::Number(self.created_at),
            Detail::UpdatedAt => Value::Number(self.updated_at),
            Detail::Number => Value::Number(i64::from(self.number)),
            Detail::RunId => self.run_id.map_or(Value::Missing, |run| Value::Text(Cow::Owned(run.to_string()))),
            Detail::Source => text(&self.source),
            Detail::Description => text(&self.description),
            Detail::Stage => text(self.stage.as_str()),
            Detail::Status => text(self.status.as_str()),
            Detail::User => text(&self.user),
            Detail::ExperimentId | Detail::ModelId | Detail::ModelType => Value::Missing,
        }
    }
}

/// Whether the thing meets the filter.
pub(crate) fn matches<T: Entity>(filter: &Node<EntityField>, thing: &T) -> bool {
    filter.holds(&|test: &Test<EntityField>| match thing.value(&test.field) {
        Value::Number(number) => test.number(Some(number as f64)),
        Value::Text(text) => test.text(Some(&text)),
        Value::Measured(values, _) if values.is_empty() => test.number(None),
        Value::Measured(values, _) => values.iter().any(|value| test.number(Some(*value))),
        Value::Missing if test.field.is_number() => test.number(None),
        Value::Missing => test.text(None),
    })
}

/// What the thing is sorted by.
pub(crate) fn keys<T: Entity>(terms: &[Term<EntityField>], thing: &T) -> Vec<Key<'static>> {
    let key = |term: &Term<EntityField>| match thing.value(&term.field) {
        Value::Number(number) => Key::Number(number as f64),
        // As the numbers that they are: the longer one is the larger.
        Value::Text(id) if matches!(term.field, EntityField::Detail(_, Detail::ExperimentId)) => {
            Key::Text(Cow::Owned(format!("{id:0>20}")))
        }
        Value::Text(status) if matches!(term.field, EntityField::Detail(Sort::LoggedModel, Detail::Status)) => {
            Key::of_number(logged_model::status_rank(&status).map(|rank| rank as f64))
        }
        Value::Text(text) => Key::Text(Cow::Owned(text.into_owned())),
        Value::Measured(_, newest) => Key::of_number(newest),
        Value::Missing => Key::Missing,
    };
    terms.iter().map(key).collect()
}

pub(crate) fn compare(terms: &[Term<EntityField>], a: &[Key<'_>], b: &[Key<'_>]) -> Ordering {
    let mut by_term = terms.iter().zip(a.iter().zip(b)).map(|(term, (a, b))| a.compare(b, term.descending));
    by_term.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// A filter of things of this sort, and whether prompts are to be left out, which MLflow takes for models that nobody asks
/// for unless he names them.
pub(crate) fn filter(sort: Sort, text: &str, language: Language) -> error::Result<(Node<EntityField>, bool)> {
    let mut node = parse::filter(text, (sort, Place::Filter), language)?;
    if language == Language::Wide || matches!(sort, Sort::Experiment | Sort::LoggedModel) {
        return Ok((node, false));
    }
    let about_prompts = |node: &Node<EntityField>| match node {
        Node::Test(test) if matches!(&test.field, EntityField::Tag(_, key) if key == PROMPT_TAG) => {
            Some(match &test.check {
                Check::Equal(text) => text.eq_ignore_ascii_case(if test.negated { "false" } else { "true" }),
                _ => false,
            })
        }
        _ => None,
    };
    let mut tests = match node {
        Node::All(tests) => tests,
        one => vec![one],
    };
    let wanted = tests.iter().find_map(about_prompts) == Some(true);
    if !wanted {
        // Models do not have that tag at all.
        tests.retain(|test| about_prompts(test).is_none());
    }
    node = Node::All(tests);
    Ok((node, !wanted))
}

/// The fields that things of this sort are sorted by, with those that come last so that the order is always whole: no two
/// things are equal in all of them.
pub(crate) fn order(
    sort: Sort,
    texts: &[impl AsRef<str>],
    language: Language,
) -> error::Result<Vec<Term<EntityField>>> {
    Ok(whole(sort, order::terms(texts, (sort, Place::Order), language)?))
}

/// Adds what makes an order whole.
pub(crate) fn whole(sort: Sort, mut terms: Vec<Term<EntityField>>) -> Vec<Term<EntityField>> {
    let last: &[(Detail, bool)] = match (sort, terms.is_empty()) {
        (Sort::Experiment, true) => &[(Detail::CreatedAt, true), (Detail::ExperimentId, false)],
        (Sort::Experiment, false) => &[(Detail::ExperimentId, true)],
        (Sort::Model, _) => &[(Detail::Name, false)],
        (Sort::Version, true) => &[(Detail::UpdatedAt, true), (Detail::Name, false), (Detail::Number, true)],
        (Sort::Version, false) => &[(Detail::Name, false), (Detail::Number, true)],
        (Sort::LoggedModel, _) => &[(Detail::CreatedAt, true), (Detail::ModelId, false)],
    };
    for (detail, descending) in last {
        let field = EntityField::Detail(sort, *detail);
        if !terms.iter().any(|known| known.field == field) {
            terms.push(Term { field, descending: *descending });
        }
    }
    terms
}
