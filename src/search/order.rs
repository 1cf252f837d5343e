//! The order of found runs.

use super::Language;
use super::field::{Attribute, Field, Names};
use super::filter::{self, metric_value};
use super::token::{Kind, tokens};
use crate::error::{Error, Result};
use crate::types::Run;
use std::borrow::Cow;
use std::cmp::Ordering;

const WHAT: &str = "order";

/// By what found runs are sorted: fields, each with a direction, the first one first.
///
/// In either direction runs with a value come first, then those whose metric is NaN, then those that lack it. Params and
/// tags are sorted as texts. Of runs that are equal so far the one that started last comes first, then the one with the
/// smaller id, so that the order is always whole.
///
/// ```
/// use trackway::RunOrder;
/// let order = RunOrder::new(&["metrics.loss", "params.lr DESC"])?;
/// let best = RunOrder::new(&["metrics.`val/loss`.min"])?; // the run with the lowest minimum first
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOrder {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term<F = Field> {
    pub(crate) field: F,
    pub(crate) descending: bool,
}

/// What a run is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Nan,
    Missing,
}

impl Key<'_> {
    pub(crate) fn of_number(value: Option<f64>) -> Self {
        match value {
            Some(value) if value.is_nan() => Self::Nan,
            Some(value) => Self::Number(value),
            None => Self::Missing,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) | Self::Text(_) => 0,
            Self::Nan => 1,
            Self::Missing => 2,
        }
    }

    pub(crate) fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let order = match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => return self.rank().cmp(&other.rank()),
        };
        if descending { order.reverse() } else { order }
    }
}

impl RunOrder {
    /// Understands `NAME`, `NAME ASC` and `NAME DESC`, with names as in a `Filter` (statistics of metrics too,
    /// but no datasets).
    ///
    /// ```
    /// use trackway::RunOrder;
    /// assert!(RunOrder::new(&["metrics.loss.min"]).is_ok());
    /// assert!(RunOrder::new(&["metrics.loss upwards"]).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidQuery`]: no such attribute, no such direction, more than one field in a text, a field twice.
    pub fn new(texts: &[impl AsRef<str>]) -> Result<Self> {
        Self::parse(texts, Language::Wide)
    }

    /// The same for MLflow's `order_by`: what it does not know is refused.
    ///
    /// ```
    /// use trackway::RunOrder;
    /// assert!(RunOrder::mlflow(&["attributes.start_time DESC"]).is_ok());
    /// assert!(RunOrder::mlflow(&["duration"]).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn mlflow(texts: &[impl AsRef<str>]) -> Result<Self> {
        Self::parse(texts, Language::Mlflow)
    }

    pub(crate) fn terms(&self) -> &[Term] {
        &self.terms
    }

    fn parse(texts: &[impl AsRef<str>], language: Language) -> Result<Self> {
        Ok(Self { terms: terms(texts, (), language)? })
    }

    /// How two runs stand to each other. Never equal for two runs with different ids.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// # let other = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use std::cmp::Ordering;
    /// run.log_metric("loss", 0, 0.5)?;
    /// let order = trackway::RunOrder::new(&["metrics.loss"])?;
    /// assert_eq!(order.compare(&store.run(run.id())?, &store.run(other.id())?), Ordering::Less);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub fn compare(&self, a: &Run, b: &Run) -> Ordering {
        let by_terms = self.terms.iter().map(|term| key(&term.field, a).compare(&key(&term.field, b), term.descending));
        let decided = by_terms.into_iter().find(|order| order.is_ne());
        decided.unwrap_or_else(|| b.start_time.cmp(&a.start_time)).then_with(|| a.id.cmp(&b.id))
    }
}

/// What a run is sorted by in this field.
pub(crate) fn key<'a>(field: &Field, run: &'a Run) -> Key<'a> {
    let number = Key::of_number;
    let text = |text: Option<Cow<'a, str>>| text.map_or(Key::Missing, Key::Text);
    match field {
        Field::Metric { key, otherwise } => number(metric_value(run, key, otherwise.as_ref())),
        Field::Param(key) => text(run.params.get(key.as_str()).map(|value| Cow::Borrowed(value.as_str()))),
        Field::Tag(key) => text(filter::tag(run, key)),
        Field::Attribute(attribute) if attribute.is_number() => number(filter::number(run, *attribute)),
        // It differs in the ids only.
        Field::Attribute(Attribute::ArtifactUri) => text(filter::text(run, Attribute::ExperimentId)),
        Field::Attribute(attribute) => text(filter::text(run, *attribute)),
        Field::Dataset(_) => Key::Missing,
    }
}

/// The fields that things are sorted by, each named once.
pub(super) fn terms<F: Names>(texts: &[impl AsRef<str>], of: F::Of, language: Language) -> Result<Vec<Term<F>>> {
    let mut terms: Vec<Term<F>> = Vec::new();
    for text in texts {
        let term = term(text.as_ref(), of, language)?;
        if terms.iter().any(|known| known.field == term.field) {
            return Err(Error::query(WHAT, text.as_ref(), 0, "this field was named before"));
        }
        terms.push(term);
    }
    Ok(terms)
}

fn term<F: Names>(text: &str, of: F::Of, language: Language) -> Result<Term<F>> {
    let fail = |at, reason: String| Err(Error::query(WHAT, text, at, reason));
    let words = tokens(WHAT, text)?;
    let Some((name, rest)) = words.split_first() else { return fail(0, "expected a name, found nothing".to_owned()) };
    let none = || Err(format!("expected {}", F::EXAMPLES));
    let field = match F::named(&name.kind, of, language).unwrap_or_else(none) {
        Ok(field) => field,
        Err(reason) => return fail(name.at, reason),
    };
    let spelled = match &name.kind {
        Kind::Word { text, .. } | Kind::Quoted { text, .. } => text,
        _ => "",
    };
    if let Some(reason) = field.no_order(spelled, language) {
        return fail(name.at, reason.to_owned());
    }
    let descending = match rest {
        [] => false,
        [direction] => match &direction.kind {
            Kind::Word { text, .. } if text.eq_ignore_ascii_case("ASC") => false,
            Kind::Word { text, .. } if text.eq_ignore_ascii_case("DESC") => true,
            _ => return fail(direction.at, "expected ASC or DESC".to_owned()),
        },
        [_, more, ..] => return fail(more.at, "expected the end: one name and its direction a text".to_owned()),
    };
    Ok(Term { field, descending })
}
