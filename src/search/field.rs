//! What a filter can ask of a run, and an order can sort by.

use super::Language;
use super::token::Kind;

/// The names by which things of one sort are asked for, and what their values are.
pub(super) trait Names: Clone + PartialEq {
    /// Which things, where several sorts share these names.
    type Of: Copy;
    /// For errors: what a name looks like.
    const EXAMPLES: &'static str;

    /// The field that a word of a query names, or the reason why there is none of this name; `None` when it is no name. One
    /// in quotes alone is an attribute, whatever it holds.
    fn named(word: &Kind, of: Self::Of, language: Language) -> Option<Result<Self, String>>;
    fn is_number(&self) -> bool;
    /// A number that MLflow compares with whole numbers only.
    fn is_whole(&self) -> bool;
    /// A number that MLflow takes in quotes too.
    fn takes_quoted(&self) -> bool;
    /// A text that users write numbers into.
    fn may_be_number(&self) -> bool;
    /// A text that MLflow also compares with a number or word without quotes, as the text that it is.
    fn takes_bare(&self) -> bool {
        false
    }
    /// Why MLflow does not ask this one for NULL, or whether it is in a list.
    fn no_null(&self) -> Option<&'static str>;
    fn no_list(&self) -> Option<&'static str>;
    /// Why MLflow knows no LIKE of this text.
    fn no_like(&self) -> Option<&'static str>;
    /// Why things cannot be sorted by it.
    fn no_order(&self, spelled: &str, language: Language) -> Option<&'static str>;
}

/// An attribute of the run itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    RunId,
    RunName,
    Status,
    UserId,
    ArtifactUri,
    StartTime,
    EndTime,
    /// From here on of the wide language only.
    Duration,
    ExperimentId,
}

/// Names of attributes. Some are MLflow's older spellings.
const ATTRIBUTES: [(&str, Attribute); 14] = [
    ("run_id", Attribute::RunId),
    ("run_name", Attribute::RunName),
    ("run name", Attribute::RunName),
    ("Run name", Attribute::RunName),
    ("Run Name", Attribute::RunName),
    ("status", Attribute::Status),
    ("user_id", Attribute::UserId),
    ("artifact_uri", Attribute::ArtifactUri),
    ("start_time", Attribute::StartTime),
    ("created", Attribute::StartTime),
    ("Created", Attribute::StartTime),
    ("end_time", Attribute::EndTime),
    ("duration", Attribute::Duration),
    ("experiment_id", Attribute::ExperimentId),
];

impl Attribute {
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::StartTime | Self::EndTime | Self::Duration)
    }
}

/// What of a metric is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    Last,
    Min,
    Max,
    Count,
}

/// What of a dataset that a run used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatasetPart {
    Name,
    Digest,
    Context,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    /// The latest value of the metric `key`. A run without it is asked for a statistic of another one: what
    /// `metrics.loss.min` means depends on whether there is a metric `loss.min`.
    Metric {
        key: String,
        otherwise: Option<(String, Statistic)>,
    },
    Param(String),
    Tag(String),
    Attribute(Attribute),
    Dataset(DatasetPart),
}

impl Names for Field {
    type Of = ();
    const EXAMPLES: &'static str = "a name such as metrics.loss, params.lr, tags.env or status";

    fn named(word: &Kind, _of: (), language: Language) -> Option<Result<Self, String>> {
        match word {
            Kind::Word { text, quoted: true, behind } if !behind.is_empty() => {
                Some(quoted_statistic(text, behind, language))
            }
            Kind::Word { text, quoted, .. } => Some(field(text, *quoted, language)),
            Kind::Quoted { text, quote: '"' | '`' } if !text.contains('.') => Some(field(text, true, language)),
            _ => None,
        }
    }

    fn is_number(&self) -> bool {
        match self {
            Self::Metric { .. } => true,
            Self::Attribute(attribute) => attribute.is_number(),
            _ => false,
        }
    }

    fn is_whole(&self) -> bool {
        false
    }

    fn takes_quoted(&self) -> bool {
        false
    }

    fn may_be_number(&self) -> bool {
        matches!(self, Self::Param(_) | Self::Tag(_))
    }

    fn no_null(&self) -> Option<&'static str> {
        let allowed = matches!(self, Self::Param(_) | Self::Tag(_));
        (!allowed).then_some("MLflow asks only params and tags for NULL")
    }

    fn no_list(&self) -> Option<&'static str> {
        let allowed = matches!(self, Self::Attribute(Attribute::RunId) | Self::Dataset(_));
        (!allowed).then_some("MLflow knows IN for run_id and datasets only")
    }

    fn no_like(&self) -> Option<&'static str> {
        None
    }

    fn no_order(&self, spelled: &str, language: Language) -> Option<&'static str> {
        match self {
            Self::Dataset(_) => Some("runs cannot be sorted by their datasets"),
            // MLflow knows its older spellings in filters only.
            Self::Attribute(Attribute::RunName) if language == Language::Mlflow && spelled.contains(' ') => {
                Some("expected run_name")
            }
            _ => None,
        }
    }
}

/// A statistic of a metric whose key stood in quotes: ``metrics.`val/loss`.min``.
fn quoted_statistic(word: &str, behind: &str, language: Language) -> Result<Field, String> {
    match field(word, true, language)? {
        Field::Metric { key, .. } if language == Language::Wide => match statistic(&format!("{key}{behind}")) {
            // Nothing but the statistic is meant: no metric has the empty key.
            Some(found) if found.0 == key => Ok(Field::Metric { key: String::new(), otherwise: Some(found) }),
            _ => Err(format!("{behind:?} is no statistic of a metric; known are .min, .max, .last and .count")),
        },
        _ => Err(format!("{behind:?} follows the closing quote")),
    }
}

fn field(word: &str, quoted: bool, language: Language) -> Result<Field, String> {
    let (entity, key) = word.split_once('.').unwrap_or(("attributes", word));
    let some_key =
        || if key.is_empty() { Err(format!("{word:?} lacks a key behind the dot")) } else { Ok(key.to_owned()) };
    match entity {
        "metric" | "metrics" => {
            let key = some_key()?;
            let otherwise = if quoted || language == Language::Mlflow { None } else { statistic(&key) };
            Ok(Field::Metric { key, otherwise })
        }
        "param" | "params" | "parameter" | "parameters" => Ok(Field::Param(some_key()?)),
        "tag" | "tags" => Ok(Field::Tag(some_key()?)),
        "attr" | "attribute" | "attributes" | "run" => attribute(key, language),
        "dataset" | "datasets" => match key {
            "name" => Ok(Field::Dataset(DatasetPart::Name)),
            "digest" => Ok(Field::Dataset(DatasetPart::Digest)),
            "context" => Ok(Field::Dataset(DatasetPart::Context)),
            _ => Err(format!("a dataset has name, digest and context, but no {key:?}")),
        },
        _ => Err(format!("{entity:?} is none of metrics, params, tags, attributes, datasets")),
    }
}

fn attribute(key: &str, language: Language) -> Result<Field, String> {
    let known = ATTRIBUTES.iter().find(|(name, _)| *name == key).map(|(_, attribute)| *attribute);
    let wide = matches!(known, Some(Attribute::Duration | Attribute::ExperimentId));
    match known {
        Some(attribute) if !(wide && language == Language::Mlflow) => Ok(Field::Attribute(attribute)),
        _ => {
            let names = "run_id, run_name, status, user_id, artifact_uri, start_time, end_time";
            Err(format!(
                "{key:?} is no attribute of a run; known are {names}. Metrics, params and tags are written metrics.NAME, params.NAME, tags.NAME"
            ))
        }
    }
}

fn statistic(key: &str) -> Option<(String, Statistic)> {
    let (key, last) = key.rsplit_once('.')?;
    let statistic = match last {
        "last" => Statistic::Last,
        "min" => Statistic::Min,
        "max" => Statistic::Max,
        "count" => Statistic::Count,
        _ => return None,
    };
    (!key.is_empty()).then(|| (key.to_owned(), statistic))
}
