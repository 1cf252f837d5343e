//! Registered models: one small file each, which holds its versions and aliases too, replaced as a whole under the store's
//! lock.
//!
//! A file is found by its name, which is a hash of the model's. A model is renamed in two steps, each of which leaves it
//! with one name: its file is written with both, then the file is renamed.

use super::open::sync_up;
use super::paths::is_model_file;
use super::quarantine::{copy_aside, move_aside};
use super::repair::Repair;
use super::{Shared, Store, small_file, twice};
use crate::error::{Error, IoContext, Result};
use crate::format::header::FileType;
use crate::format::model;
use crate::types::{NewModel, RegisteredModel, TagKey, check_model_name, check_value};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How often a listing is made again because a model was renamed meanwhile, and may have been passed over.
const MAX_LISTINGS: usize = 16;

impl Shared {
    /// The files of all models, sorted.
    pub(super) fn model_files(&self) -> Result<Vec<PathBuf>> {
        let dir = self.paths.models();
        let entries = match self.env.fs.read_dir(&dir) {
            // Made with the first model.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.at(&dir, "list")?,
        };
        let ours = entries.iter().filter(|entry| is_model_file(&entry.name));
        let mut files: Vec<PathBuf> = ours.map(|entry| dir.join(&entry.name)).collect();
        files.sort_unstable();
        Ok(files)
    }

    /// The model that a file holds, and whether this version may change it; `None` when there is no such file.
    pub(super) fn model_at(&self, path: &Path) -> Result<Option<(RegisteredModel, bool)>> {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let read = || small_file::read(&self.env, path, FileType::Model, |body| model::decode(body, stem));
        let mut found = twice(read)?;
        if let Some((model, _)) = &mut found {
            model.tell_versions();
        }
        Ok(found)
    }

    /// A model by its name, and whether this version may change it.
    fn find_model(&self, name: &str) -> Result<(RegisteredModel, bool)> {
        let found = self.model_at(&self.paths.model_file(name))?;
        // Another name may have the same hash: then it has the place.
        found.filter(|(model, _)| model.name == name).ok_or_else(|| Error::not_found("model", name))
    }

    pub(super) fn model(&self, name: &str) -> Result<RegisteredModel> {
        self.find_model(name).map(|(model, _)| model)
    }

    /// All models that can be read, by name. That of a damaged one cannot be told; `verify` names its file.
    pub(super) fn models(&self) -> Result<Vec<RegisteredModel>> {
        let mut read: BTreeMap<PathBuf, Option<RegisteredModel>> = BTreeMap::new();
        let mut files = self.model_files()?;
        for _ in 0..MAX_LISTINGS {
            read.retain(|path, _| files.binary_search(path).is_ok());
            for path in &files {
                if read.contains_key(path) {
                    continue;
                }
                let model = match self.model_at(path) {
                    Ok(found) => found.map(|(model, _)| model),
                    Err(Error::Corrupt { .. } | Error::UnsupportedFormat { .. }) => None,
                    Err(error) => return Err(error),
                };
                read.insert(path.clone(), model);
            }
            let again = self.model_files()?;
            if again == files {
                break;
            }
            files = again;
        }
        let mut all: Vec<RegisteredModel> = read.into_values().flatten().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Writes the file of a model durably. The caller holds the store's lock.
    pub(super) fn write_model(&self, known: &RegisteredModel, becomes: Option<&str>) -> Result<()> {
        let dir = self.paths.models();
        self.env.fs.create_dir_all(&dir).at(&dir, "create")?;
        let path = self.paths.model_file(&known.name);
        small_file::write(&self.env, &path, FileType::Model, &model::encode(known, becomes))?;
        self.sync_models()
    }

    fn sync_models(&self) -> Result<()> {
        sync_up(&self.env, &self.paths.models(), self.paths.root())
    }

    /// Fails when another model has the name. The caller holds the store's lock.
    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        match self.model_at(&self.paths.model_file(name))? {
            Some((known, _)) => Err(Error::AlreadyExists { what: "model", name: known.name }),
            None => Ok(()),
        }
    }

    /// A model that may be changed. The caller holds the store's lock.
    pub(super) fn model_to_change(&self, name: &str) -> Result<RegisteredModel> {
        let (model, writable) = self.find_model(name)?;
        if !writable {
            let path = self.paths.model_file(name);
            return Err(Error::ReadOnly { path, cause: "it was written by a newer trackway" });
        }
        Ok(model)
    }

    /// Changes a model under the store's lock; `change` gets the time too. It is written even when nothing changed: what
    /// the caller then sees may have been written by somebody who died before it was durable.
    pub(super) fn change_model<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut RegisteredModel, i64) -> Result<T>,
    ) -> Result<T> {
        self.check_writable()?;
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let mut model = self.model_to_change(name)?;
        let answer = change(&mut model, self.now_ms())?;
        self.write_model(&model, None)?;
        Ok(answer)
    }

    fn create_model(&self, new: NewModel) -> Result<RegisteredModel> {
        self.check_writable()?;
        check_model_name(&new.name)?;
        check_description(&new.description)?;
        let tags = check_tags(new.tags)?;
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        self.check_free(&new.name)?;
        let now = self.now_ms();
        let NewModel { name, description, .. } = new;
        let times = RegisteredModel { created_at: now, updated_at: now, ..RegisteredModel::default() };
        let model = RegisteredModel { name, description, tags, ..times };
        self.write_model(&model, None)?;
        Ok(model)
    }

    fn rename_model(&self, name: &str, new: &str) -> Result<()> {
        self.check_writable()?;
        check_model_name(new)?;
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let mut model = self.model_to_change(name)?;
        if name != new {
            self.check_free(new)?;
        }
        let now = self.now_ms();
        model.updated_at = now;
        model.versions.iter_mut().for_each(|version| version.updated_at = now);
        self.write_model(&model, (name != new).then_some(new))?;
        if name != new {
            let (from, to) = (self.paths.model_file(name), self.paths.model_file(new));
            self.env.fs.rename(&from, &to).at(&to, "name")?;
            self.sync_models()?;
        }
        Ok(())
    }

    fn delete_model(&self, name: &str) -> Result<()> {
        self.check_writable()?;
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        self.model_to_change(name)?;
        let path = self.paths.model_file(name);
        self.env.fs.remove_file(&path).at(&path, "remove")?;
        self.sync_models()
    }
}

impl Shared {
    /// Sets the damaged file of a model aside. Nothing else knows what it said.
    pub(super) fn repair_model(&self, path: &Path) -> Result<Repair> {
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name = format!("model-{stem}.tw");
        let known = small_file::salvage(&self.env, path, FileType::Model, |body| model::decode(body, stem));
        let (aside, what) = match known {
            Some(model) => {
                let aside = copy_aside(&self.env, &self.paths, path, &name)?;
                self.write_model(&model, None)?;
                (aside, "only its header was damaged: it is as before")
            }
            None => {
                let aside = move_aside(&self.env, &self.paths, path, &name)?;
                (aside, "a registered model was in it, which is lost, with its versions and aliases")
            }
        };
        Ok(Repair { path: path.to_path_buf(), aside: Some(aside), what: what.to_owned() })
    }
}

pub(super) fn check_description(text: &str) -> Result<()> {
    check_value("description in bytes", text)
}

pub(super) fn check_tag(key: &str, value: &str) -> Result<()> {
    TagKey::check(key)?;
    check_value("tag value in bytes", value)
}

/// Tags that a thing is created with; of a key that comes twice the last one counts.
pub(super) fn check_tags(tags: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    tags.iter().try_for_each(|(key, value)| check_tag(key, value))?;
    Ok(tags.into_iter().collect())
}

impl Store {
    /// Registers a model, as yet without versions.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// use trackway::NewModel;
    /// let model = store.create_model(NewModel::new("digits").description("reads postcodes"))?;
    /// assert!(model.versions.is_empty() && store.create_model(NewModel::new("digits")).is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when another model has the name, a name, key or value that breaks a rule of [`NewModel`] or
    /// of tags, a read-only store, system errors.
    pub fn create_model(&self, new: NewModel) -> Result<RegisteredModel> {
        self.shared.create_model(new)
    }

    /// The registered model with this name, with all its versions. Cost: that of reading its file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// store.create_model(trackway::NewModel::new("digits"))?;
    /// assert_eq!(store.model("digits")?.name, "digits");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], system errors.
    pub fn model(&self, name: &str) -> Result<RegisteredModel> {
        self.shared.model(name)
    }

    /// All registered models, by name.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// assert!(store.models()?.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors.
    pub fn models(&self) -> Result<Vec<RegisteredModel>> {
        self.shared.models()
    }

    /// Gives a registered model another name; versions, tags and aliases go with it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// store.create_model(trackway::NewModel::new("digits"))?;
    /// store.rename_model("digits", "postcodes")?;
    /// assert!(store.model("digits").is_err() && store.model("postcodes").is_ok());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::AlreadyExists`] when another model has the name, a name that breaks a rule, a read-only
    /// store, system errors.
    pub fn rename_model(&self, name: &str, new: &str) -> Result<()> {
        self.shared.rename_model(name, new)
    }

    /// Deletes a registered model with all its versions, for ever. A later model of this name counts its versions from 1.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// store.create_model(trackway::NewModel::new("digits"))?;
    /// store.delete_model("digits")?;
    /// assert!(store.models()?.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a read-only store, system errors.
    pub fn delete_model(&self, name: &str) -> Result<()> {
        self.shared.delete_model(name)
    }

    /// Sets the description of a registered model.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// store.create_model(trackway::NewModel::new("digits"))?;
    /// store.set_model_description("digits", "reads postcodes")?;
    /// assert_eq!(store.model("digits")?.description, "reads postcodes");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LimitExceeded`], a read-only store, system errors.
    pub fn set_model_description(&self, name: &str, description: &str) -> Result<()> {
        check_description(description)?;
        self.shared.change_model(name, |model, now| {
            description.clone_into(&mut model.description);
            model.updated_at = now;
            Ok(())
        })
    }

    /// Sets a tag of a registered model.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// store.create_model(trackway::NewModel::new("digits"))?;
    /// store.set_model_tag("digits", "team", "vision")?;
    /// assert_eq!(store.model("digits")?.tags["team"], "vision");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a key or value that breaks a rule, a read-only store, system errors.
    pub fn set_model_tag(&self, name: &str, key: &str, value: &str) -> Result<()> {
        check_tag(key, value)?;
        self.shared.change_model(name, |model, _| {
            model.tags.insert(key.to_owned(), value.to_owned());
            Ok(())
        })
    }

    /// Deletes a tag of a registered model. One that is not there is no error, as in MLflow.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// store.create_model(trackway::NewModel::new("digits").tag("team", "vision"))?;
    /// store.delete_model_tag("digits", "team")?;
    /// assert!(store.model("digits")?.tags.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a read-only store, system errors.
    pub fn delete_model_tag(&self, name: &str, key: &str) -> Result<()> {
        self.shared.change_model(name, |model, _| {
            model.tags.remove(key);
            Ok(())
        })
    }
}
