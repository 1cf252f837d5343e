//! Finding experiments, registered models, their versions and logged models: a filter, an order, and pages.
//!
//! All of them are read, which are thousands at most; runs, of which there are more, have an index (`search.rs`).

use super::logged_model_query::ModelScope;
use super::{Store, View};
use crate::catalog::{fingerprint, from_hex, put_key, take_key, to_hex};
use crate::error::{Error, Result};
use crate::format::Decoded;
use crate::format::wire::Reader;
use crate::search::{EntityField, Key, Language, Node, PROMPT_TAG, Searchable, Term, entity};
use crate::types::{Experiment, ModelVersion, RegisteredModel};
use std::marker::PhantomData;

/// Which experiments, registered models or model versions are looked for, in which order, and how many at a time. The
/// default is all of them, of experiments the active ones, on one page.
///
/// Filters and orders are those of [`Filter`](crate::Filter) and [`RunOrder`](crate::RunOrder), with these names:
///
/// | | |
/// |---|---|
/// | experiments | `name`, `experiment_id`, `creation_time`, `last_update_time`, `tags.KEY` |
/// | models | `name`, `creation_timestamp`, `last_updated_timestamp` (also `timestamp`), `description`, `tags.KEY` |
/// | versions | `name`, `version_number`, `run_id`, `source_path`, `creation_timestamp`, `last_updated_timestamp`, `description`, `stage`, `status`, `user_id`, `tags.KEY` |
/// | logged models | `name`, `model_id`, `model_type`, `status`, `source_run_id`, `experiment_id`, `creation_timestamp`, `last_updated_timestamp`, `metrics.KEY`, `params.KEY`, `tags.KEY` |
///
/// Unless an order says otherwise the experiments and logged models that were created last come first, models come by name,
/// and the versions that were changed last come first.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::{NewModel, Query};
///
/// store.create_model(NewModel::new("digits").tag("team", "vision"))?;
/// store.create_model(NewModel::new("letters"))?;
/// let page = store.search_models(&Query::new().filter("tags.team = 'vision' or name like 'd%'")?.limit(10))?;
/// assert_eq!((page.found[0].name.as_str(), page.found.len()), ("digits", 1));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Query<T: Searchable> {
    pub(super) filter: Option<Node<EntityField>>,
    without_prompts: bool,
    /// Never empty, and always whole.
    pub(super) order: Vec<Term<EntityField>>,
    limit: Option<usize>,
    after: Option<String>,
    view: View,
    /// Of logged models.
    pub(super) scope: ModelScope,
    of: PhantomData<T>,
}

/// What was found.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// use trackway::{NewModel, Query};
///
/// for name in ["a", "b", "c"] {
///     store.create_model(NewModel::new(name))?;
/// }
/// let first = store.search_models(&Query::new().limit(2))?;
/// let second = store.search_models(&Query::new().limit(2).after(first.next.unwrap_or_default()))?;
/// assert_eq!((first.found.len(), second.found.len(), second.next), (2, 1, None));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order asked for.
    pub found: Vec<T>,
    /// For [`Query::after`] of the next page; `None` when this is the last.
    pub next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { found: Vec::new(), next: None }
    }
}

impl<T: Searchable> Default for Query<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Searchable> Query<T> {
    /// All of them, on one page.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::Query;
    /// assert_eq!(store.search_experiments(&Query::new())?.found[0].name, "Default");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let order = entity::order(T::SORT, &[""; 0], Language::Wide).unwrap_or_default();
        let (without_prompts, view, of) = (false, View::Active, PhantomData);
        let scope = ModelScope::default();
        Self { filter: None, without_prompts, order, limit: None, after: None, view, scope, of }
    }

    /// Only those that this matches.
    ///
    /// ```
    /// use trackway::{ModelVersion, Query};
    /// assert!(Query::<ModelVersion>::new().filter("version_number > 1 and stage = 'Production'").is_ok());
    /// assert!(Query::<ModelVersion>::new().filter("loss > 1").is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] names the place and what was expected there.
    pub fn filter(self, text: &str) -> Result<Self> {
        self.filter_in(text, Language::Wide)
    }

    /// The same for MLflow's filters: what MLflow does not know is refused, and models that are prompts are left out unless
    /// the filter asks for them by their tag `mlflow.prompt.is_prompt`.
    ///
    /// ```
    /// use trackway::{Query, RegisteredModel};
    /// assert!(Query::<RegisteredModel>::new().mlflow_filter("name ILIKE 'dig%' AND tags.team = 'vision'").is_ok());
    /// assert!(Query::<RegisteredModel>::new().mlflow_filter("name = 'a' OR name = 'b'").is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Self::filter`].
    pub fn mlflow_filter(self, text: &str) -> Result<Self> {
        self.filter_in(text, Language::Mlflow)
    }

    fn filter_in(mut self, text: &str, language: Language) -> Result<Self> {
        let (filter, without_prompts) = entity::filter(T::SORT, text, language)?;
        (self.filter, self.without_prompts) = (Some(filter), without_prompts);
        Ok(self)
    }

    /// Sorts them by these fields, the first one first, each with or without `ASC` or `DESC`.
    ///
    /// ```
    /// use trackway::{Experiment, Query};
    /// assert!(Query::<Experiment>::new().order_by(&["last_update_time DESC", "name"]).is_ok());
    /// ```
    ///
    /// # Errors
    /// As [`RunOrder::new`](crate::RunOrder::new).
    pub fn order_by(self, texts: &[impl AsRef<str>]) -> Result<Self> {
        self.order_in(texts, Language::Wide)
    }

    /// The same for MLflow's `order_by`.
    ///
    /// ```
    /// use trackway::{Query, RegisteredModel};
    /// assert!(Query::<RegisteredModel>::new().mlflow_order_by(&["last_updated_timestamp DESC"]).is_ok());
    /// assert!(Query::<RegisteredModel>::new().mlflow_order_by(&["description"]).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Self::order_by`].
    pub fn mlflow_order_by(self, texts: &[impl AsRef<str>]) -> Result<Self> {
        self.order_in(texts, Language::Mlflow)
    }

    fn order_in(mut self, texts: &[impl AsRef<str>], language: Language) -> Result<Self> {
        self.order = entity::order(T::SORT, texts, language)?;
        Ok(self)
    }

    /// At most so many on a page.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::Query;
    /// assert_eq!(store.search_experiments(&Query::new().limit(0))?.found.len(), 0);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Some(most);
        self
    }

    /// Goes on where the page with this [`Page::next`] ended.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::Query;
    /// assert!(store.search_experiments(&Query::new().after("no page gave this")).is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn after(mut self, page: impl Into<String>) -> Self {
        self.after = Some(page.into());
        self
    }

    pub(super) fn wants(&self, thing: &T) -> bool {
        self.filter.as_ref().is_none_or(|filter| entity::matches(filter, thing))
    }

    /// The page of those that are looked for.
    pub(super) fn page(&self, things: impl Iterator<Item = T>) -> Result<Page<T>> {
        self.page_of(things.filter(|thing| self.wants(thing)))
    }

    /// The page of these, which all are looked for.
    pub(super) fn page_of(&self, things: impl Iterator<Item = T>) -> Result<Page<T>> {
        let after = self.after.as_ref().map(|token| self.place(token)).transpose()?;
        let keyed = things.map(|thing| (entity::keys(&self.order, &thing), thing));
        let is_behind =
            |keys: &[Key<'_>]| after.as_ref().is_none_or(|after| entity::compare(&self.order, keys, after).is_gt());
        let mut all: Vec<(Vec<Key<'static>>, T)> = keyed.filter(|(keys, _)| is_behind(keys)).collect();
        all.sort_unstable_by(|(a, _), (b, _)| entity::compare(&self.order, a, b));
        let limit = self.limit.unwrap_or(usize::MAX);
        let has_more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| has_more).map(|(keys, _)| self.token(keys));
        Ok(Page { found: all.into_iter().map(|(_, thing)| thing).collect(), next })
    }

    /// What the last one of a page was sorted by, so that the next page begins behind it whatever has changed.
    fn token(&self, keys: &[Key<'_>]) -> String {
        let mut bytes = fingerprint(&self.order).to_le_bytes().to_vec();
        keys.iter().for_each(|key| put_key(&mut bytes, key));
        to_hex(&bytes)
    }

    fn place(&self, token: &str) -> Result<Vec<Key<'static>>> {
        let decode = |bytes: Vec<u8>| -> Decoded<Vec<Key<'static>>> {
            let mut reader = Reader::new(&bytes);
            if reader.u32("page")? != fingerprint(&self.order) {
                return Err(reader.error("page", "it is of another order"));
            }
            let keys = self.order.iter().map(|_| take_key(&mut reader)).collect::<Decoded<Vec<_>>>()?;
            reader.finish("page").map(|()| keys)
        };
        let place = from_hex(token).and_then(|bytes| decode(bytes).ok());
        place.ok_or_else(|| Error::invalid("page", format!("{token:?} is not what an earlier page of this order gave")))
    }
}

impl Query<Experiment> {
    /// Experiments of these lifecycle stages; the active ones unless set.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{Query, View};
    /// let id = store.create_experiment("digits")?;
    /// store.delete_experiment(id)?;
    /// assert_eq!(store.search_experiments(&Query::new().view(View::Deleted))?.found[0].id, id);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.view = view;
        self
    }
}

impl Store {
    /// Looks for experiments. A page begins behind what the last one of the page before was sorted by.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::Query;
    /// let id = store.create_experiment("digits, large")?;
    /// store.set_experiment_tag(id, "team", "vision")?;
    /// let page = store.search_experiments(&Query::new().filter("name like 'digits%' and tags.team = 'vision'")?)?;
    /// assert_eq!(page.found[0].id, id);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when [`Query::after`] is none that a page gave; system errors.
    pub fn search_experiments(&self, query: &Query<Experiment>) -> Result<Page<Experiment>> {
        let all = self.shared.experiments()?;
        query.page(all.into_iter().filter(|experiment| query.view.shows(experiment.lifecycle_stage)))
    }

    /// Looks for registered models. Cost: that of reading all of them.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::{NewModel, Query};
    /// store.create_model(NewModel::new("digits"))?;
    /// assert_eq!(store.search_models(&Query::new().filter("name = 'digits'")?)?.found.len(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::search_experiments`].
    pub fn search_models(&self, query: &Query<RegisteredModel>) -> Result<Page<RegisteredModel>> {
        let is_hidden = |model: &RegisteredModel| query.without_prompts && is_prompt(model.tags.get(PROMPT_TAG));
        query.page(self.shared.models()?.into_iter().filter(|model| !is_hidden(model)))
    }

    /// Looks for versions of all registered models, as those that a run has made. Cost: that of reading all models.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// use trackway::{NewModel, NewModelVersion, Query};
    /// store.create_model(NewModel::new("digits"))?;
    /// store.create_model_version("digits", NewModelVersion::from_run(run.id(), "model"))?;
    /// let of_run = Query::new().filter(&format!("run_id = '{}'", run.id()))?;
    /// assert_eq!(store.search_model_versions(&of_run)?.found[0].model, "digits");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::search_experiments`].
    pub fn search_model_versions(&self, query: &Query<ModelVersion>) -> Result<Page<ModelVersion>> {
        let is_hidden = |model: &RegisteredModel| {
            query.without_prompts && model.versions.iter().any(|version| is_prompt(version.tags.get(PROMPT_TAG)))
        };
        let shown = self.shared.models()?.into_iter().filter(|model| !is_hidden(model));
        query.page(shown.flat_map(|model| model.versions))
    }
}

fn is_prompt(tag: Option<&String>) -> bool {
    tag.is_some_and(|value| value == "true")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#[path = "query_tests.rs"]
mod tests;
