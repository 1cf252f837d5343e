//! A registered model of another store becomes one of this store, or gives the one of its name what that lacks.

use super::models::{check_description, check_tag};
use super::{Shared, Store};
use crate::error::{Error, Result};
use crate::types::{ModelVersion, RegisteredModel, check_alias, check_model_name, check_value};

/// Checks what was made by hand: the rules that calls of the store keep.
fn check(model: &RegisteredModel) -> Result<()> {
    const WHAT: &str = "registered model";
    check_model_name(&model.name)?;
    check_description(&model.description)?;
    model.tags.iter().try_for_each(|(key, value)| check_tag(key, value))?;
    let numbers = model.versions.iter().map(|version| version.number);
    let is_rising = numbers.clone().is_sorted_by(|a, b| a < b);
    if !is_rising || numbers.clone().min() == Some(0) || numbers.max().is_some_and(|last| last > model.last_version) {
        return Err(Error::invalid(WHAT, "its versions are not sorted by numbers between 1 and its last one"));
    }
    for (alias, number) in &model.aliases {
        check_alias(alias)?;
        if model.version(*number).is_none() {
            return Err(Error::invalid(WHAT, format!("its alias {alias:?} names no version")));
        }
    }
    model.versions.iter().try_for_each(check_version)
}

fn check_version(version: &ModelVersion) -> Result<()> {
    if version.source.is_empty() {
        return Err(Error::invalid("source of a model version", "it is empty"));
    }
    let texts = [("source in bytes", &version.source), ("run link in bytes", &version.run_link)];
    texts.into_iter().chain([("user in bytes", &version.user)]).try_for_each(|(what, text)| check_value(what, text))?;
    check_description(&version.description)?;
    version.tags.iter().try_for_each(|(key, value)| check_tag(key, value))
}

/// Adds to a model what it lacks of another one.
fn add(known: &mut RegisteredModel, other: &RegisteredModel) {
    if known.description.is_empty() {
        known.description.clone_from(&other.description);
    }
    for (key, value) in &other.tags {
        known.tags.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let last = known.last_version;
    known.versions.extend(other.versions.iter().filter(|version| version.number > last).cloned());
    known.last_version = last.max(other.last_version);
    for (alias, number) in &other.aliases {
        let is_same = match (known.version(*number), other.version(*number)) {
            (Some(here), Some(there)) => is_same_version(here, there),
            _ => false,
        };
        if is_same && !known.aliases.contains_key(alias) {
            known.aliases.insert(alias.clone(), *number);
        }
    }
    known.tell_versions();
}

/// Whether two versions of one name and number are one, or two stores have given the number to one each.
fn is_same_version(a: &ModelVersion, b: &ModelVersion) -> bool {
    (&a.source, a.run_id, a.created_at) == (&b.source, b.run_id, b.created_at)
}

impl Shared {
    fn merge_model(&self, other: &RegisteredModel) -> Result<bool> {
        self.check_writable()?;
        check(other)?;
        // Mostly nothing is new: then nothing is locked or written.
        let merged = |known: Result<RegisteredModel>| -> Result<Option<RegisteredModel>> {
            let before = match known {
                Ok(known) => Some(known),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            let mut after = before.clone().unwrap_or_else(|| other.clone());
            add(&mut after, other);
            if before.as_ref() == Some(&after) {
                return Ok(None);
            }
            after.updated_at = after.updated_at.max(other.updated_at);
            Ok(Some(after))
        };
        if merged(self.model(&other.name))?.is_none() {
            return Ok(false);
        }
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let known = match self.model_to_change(&other.name) {
            Err(Error::NotFound { .. }) => {
                self.check_free(&other.name)?;
                Err(Error::not_found("model", &other.name))
            }
            known => known,
        };
        match merged(known)? {
            Some(model) => self.write_model(&model, None).map(|()| true),
            None => Ok(false),
        }
    }
}

impl Store {
    /// Brings a registered model of another store into this one, with its versions, their numbers and times, and its
    /// aliases. Where there is a model of this name it keeps what it says, and gets what it lacks: a description, tags,
    /// versions with numbers beyond its last one, aliases. Answers whether anything was new, so that doing it again answers
    /// `false`. A version here that differs from one of the same number there stays as it is.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let laptop = trackway::Store::open(dir.path().join("laptop"))?;
    /// # let cluster = trackway::Store::open(dir.path().join("cluster"))?;
    /// use trackway::{NewModel, NewModelVersion};
    /// laptop.create_model(NewModel::new("digits"))?;
    /// laptop.create_model_version("digits", NewModelVersion::from_source("s3://models/digits/1"))?;
    /// assert!(cluster.merge_model(&laptop.model("digits")?)?);
    /// assert_eq!(cluster.model("digits")?, laptop.model("digits")?);
    /// assert!(!cluster.merge_model(&laptop.model("digits")?)?);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// A text or number that breaks a rule, [`Error::Corrupt`], a read-only store, system errors.
    pub fn merge_model(&self, other: &RegisteredModel) -> Result<bool> {
        self.shared.merge_model(other)
    }
}
