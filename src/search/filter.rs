//! A filter as a tree, and its verdict on a run.
//!
//! There are two verdicts only: a test of something that the run lacks is false, and NOT turns it around.

use super::field::{Attribute, DatasetPart, Field, Statistic};
use super::like::Pattern;
use super::{Language, parse};
use crate::error::Result;
use crate::types::{DatasetInput, ExperimentId, MetricSummary, Run, RunId};
use regex::Regex;
use std::borrow::Cow;

/// Which runs are wanted, as a text like `metrics.loss < 0.5 and params.opt = 'adam'`.
///
/// Two languages exist. [`Filter::mlflow`] is that of MLflow's `search_runs`, with its refusals. [`Filter::new`] knows more:
///
/// | | |
/// |---|---|
/// | `A OR B`, `NOT A`, `( )` | AND binds closer than OR, NOT closer than AND |
/// | `metrics.loss.min`, `.max`, `.last`, `.count` | unless the run has a metric of that whole name |
/// | ``metrics.`val/loss`.min`` and so on | of the metric in quotes, whatever else the run has |
/// | `params.lr < 0.1`, `params.lr = 0.1`, tags likewise | compares as numbers; other texts never match |
/// | `x BETWEEN 1 AND 2` | both ends belong to it |
/// | `NOT LIKE`, `NOT ILIKE`, `NOT BETWEEN`, `IN`, `NOT IN` | of every text |
/// | `params.opt RLIKE '^adam'`, `=~`, `!~` | a regular expression found anywhere in the text |
/// | `IS NULL`, `IS NOT NULL` | of everything |
/// | `attributes.duration`, `attributes.experiment_id` | milliseconds from start to end; the number as text |
/// | `==`, `<>` | as `=`, `!=` |
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::{ExperimentId, Filter, NewRun};
///
/// let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).param("lr", "0.01"))?;
/// run.log_metric("loss", 1, 0.25)?;
/// let filter = Filter::new("metrics.loss < 0.5 and (params.lr < 0.1 or tags.env = 'test')")?;
/// assert!(filter.matches(&store.run(run.id())?));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
    artifact_root: String,
}

/// A filter of things that are asked for by fields of this type; of runs unless another one is named.
#[derive(Clone, Debug)]
pub(crate) enum Node<F = Field> {
    All(Vec<Node<F>>),
    Any(Vec<Node<F>>),
    Not(Box<Node<F>>),
    Test(Test<F>),
}

#[derive(Clone, Debug)]
pub(crate) struct Test<F = Field> {
    pub(crate) field: F,
    pub(crate) check: Check,
    pub(crate) negated: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Check {
    Missing,
    Number(Comparison, f64),
    Between(f64, f64),
    Equal(String),
    Like(Pattern),
    In(Vec<String>),
    Found(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// NaN is unequal to everything, and neither less nor greater.
    pub(crate) fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::NotEqual => value != bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

impl Filter {
    /// Understands a filter in the wide language. An empty one matches every run.
    ///
    /// ```
    /// use trackway::{Error, Filter};
    /// match Filter::new("metrics.loss < 'low'") {
    ///     Err(Error::InvalidQuery { position, .. }) => assert_eq!(position, 15),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::InvalidQuery` names the place and what was expected there.
    pub fn new(text: &str) -> Result<Self> {
        Self::parse(text, Language::Wide)
    }

    /// Understands a filter of MLflow's `search_runs`, and refuses what MLflow refuses.
    ///
    /// ```
    /// use trackway::Filter;
    /// assert!(Filter::mlflow("tags.env IS NULL AND status != 'RUNNING'").is_ok());
    /// assert!(Filter::mlflow("metrics.a = 1 OR metrics.b = 2").is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn mlflow(text: &str) -> Result<Self> {
        Self::parse(text, Language::Mlflow)
    }

    fn parse(text: &str, language: Language) -> Result<Self> {
        Ok(Self { root: parse::filter(text, (), language)?, artifact_root: "mlflow-artifacts:".to_owned() })
    }

    /// What `artifact_uri` begins with: a run's is this, its experiment's id, its own id and `artifacts`, with `/` between
    /// them. `mlflow-artifacts:` unless set.
    ///
    /// ```
    /// use trackway::Filter;
    /// let filter = Filter::new("artifact_uri LIKE 's3://bucket/%'")?.artifact_root("s3://bucket");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn artifact_root(mut self, root: impl Into<String>) -> Self {
        self.artifact_root = root.into();
        self
    }

    /// Whether the run is one of those.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::Filter;
    /// assert!(Filter::new("status = 'RUNNING'")?.matches(&store.run(run.id())?));
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn matches(&self, run: &Run) -> bool {
        self.root.holds(&|test| test.holds(run, &self.artifact_root))
    }
}

impl Filter {
    /// What is asked, and what `artifact_uri` begins with.
    pub(crate) fn parts(&self) -> (&Node, &str) {
        (&self.root, &self.artifact_root)
    }
}

impl<F> Node<F> {
    /// The verdict that those on the single tests add up to.
    pub(super) fn holds(&self, verdict: &impl Fn(&Test<F>) -> bool) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(verdict)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(verdict)),
            Self::Not(node) => !node.holds(verdict),
            Self::Test(test) => verdict(test),
        }
    }
}

pub(crate) fn artifact_uri(root: &str, experiment: ExperimentId, run: RunId) -> String {
    format!("{root}/{experiment}/{run}/artifacts")
}

impl Statistic {
    pub(crate) fn of(self, summary: &MetricSummary) -> Option<f64> {
        match self {
            Self::Last => Some(summary.latest.value),
            Self::Min => summary.min,
            Self::Max => summary.max,
            Self::Count => Some(summary.count as f64),
        }
    }
}

/// The number that a metric's field stands for.
pub(super) fn metric_value(run: &Run, key: &str, otherwise: Option<&(String, Statistic)>) -> Option<f64> {
    if let Some(summary) = run.metrics.get(key) {
        return Some(summary.latest.value);
    }
    let (key, statistic) = otherwise?;
    statistic.of(run.metrics.get(key.as_str())?)
}

impl Test {
    fn holds(&self, run: &Run, artifacts: &str) -> bool {
        match &self.field {
            Field::Attribute(Attribute::ArtifactUri) => {
                self.text(Some(&artifact_uri(artifacts, run.experiment_id, run.id)))
            }
            Field::Metric { key, otherwise } => self.number(metric_value(run, key, otherwise.as_ref())),
            Field::Param(key) => self.text(run.params.get(key.as_str()).map(String::as_str)),
            Field::Tag(key) => self.text(tag(run, key).as_deref()),
            Field::Attribute(attribute) if attribute.is_number() => self.number(number(run, *attribute)),
            Field::Attribute(attribute) => self.text(text(run, *attribute).as_deref()),
            Field::Dataset(part) => self.dataset(*part, &run.datasets),
        }
    }

    /// Each test of a dataset may be met by another one.
    pub(crate) fn dataset(&self, part: DatasetPart, datasets: &[DatasetInput]) -> bool {
        if let Check::Missing = self.check {
            return datasets.is_empty() != self.negated;
        }
        datasets.iter().any(|dataset| {
            self.text(match part {
                DatasetPart::Name => Some(&dataset.name),
                DatasetPart::Digest => Some(&dataset.digest),
                DatasetPart::Context => dataset.context(),
            })
        })
    }
}

impl<F> Test<F> {
    /// Whether a number meets it, or that there is none.
    pub(crate) fn number(&self, value: Option<f64>) -> bool {
        match (&self.check, value) {
            (Check::Missing, value) => value.is_none() != self.negated,
            (Check::Number(comparison, bound), Some(value)) => comparison.holds(value, *bound),
            // NaN is neither within nor outside.
            (Check::Between(low, high), Some(value)) if self.negated => value < *low || value > *high,
            (Check::Between(low, high), Some(value)) => value >= *low && value <= *high,
            _ => false,
        }
    }

    /// Whether a text meets it, or that there is none.
    pub(crate) fn text(&self, value: Option<&str>) -> bool {
        let Some(text) = value else { return matches!(self.check, Check::Missing) && !self.negated };
        let holds = match &self.check {
            Check::Missing => false,
            Check::Number(..) | Check::Between(..) => return self.number(as_number(text)),
            Check::Equal(wanted) => text == wanted,
            Check::Like(pattern) => pattern.matches(text),
            Check::In(list) => list.iter().any(|wanted| wanted == text),
            Check::Found(regex) => regex.is_match(text),
        };
        holds != self.negated
    }
}

/// A text that is a number, as `1e-3`; spaces around it do not matter.
fn as_number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// Tags that MLflow keeps for what a run says of itself.
pub(crate) const NAME_TAG: &str = "mlflow.runName";
pub(crate) const USER_TAG: &str = "mlflow.user";
pub(crate) const PARENT_TAG: &str = "mlflow.parentRunId";

/// A tag; those that MLflow keeps for what a run says of itself are there without having been set.
pub(super) fn tag<'a>(run: &'a Run, key: &str) -> Option<Cow<'a, str>> {
    let some = |text: &'a str| (!text.is_empty()).then_some(Cow::Borrowed(text));
    match run.tags.get(key) {
        Some(value) => Some(Cow::Borrowed(value)),
        None => match key {
            NAME_TAG => some(&run.name),
            USER_TAG => some(&run.user),
            PARENT_TAG => run.parent.map(|parent| Cow::Owned(parent.to_string())),
            _ => None,
        },
    }
}

/// An attribute that is a text of its own.
pub(super) fn text(run: &Run, attribute: Attribute) -> Option<Cow<'_, str>> {
    match attribute {
        Attribute::RunId => Some(Cow::Owned(run.id.to_string())),
        Attribute::RunName => Some(Cow::Borrowed(&run.name)),
        Attribute::Status => Some(Cow::Borrowed(run.status.as_str())),
        Attribute::UserId => Some(Cow::Borrowed(&run.user)),
        Attribute::ExperimentId => Some(Cow::Owned(run.experiment_id.to_string())),
        Attribute::ArtifactUri | Attribute::StartTime | Attribute::EndTime | Attribute::Duration => None,
    }
}

/// An attribute that is a number, in milliseconds.
pub(super) fn number(run: &Run, attribute: Attribute) -> Option<f64> {
    let milliseconds = match attribute {
        Attribute::StartTime => Some(run.start_time),
        Attribute::EndTime => run.end_time,
        Attribute::Duration => run.end_time.map(|end| end.saturating_sub(run.start_time)),
        _ => None,
    };
    milliseconds.map(|time| time as f64)
}
