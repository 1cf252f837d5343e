//! Operations on registered models: the choices, the calls that they make, and what they do to a model of the registry.

use super::observe::Checked;
use super::pools;
use crate::{ErrorKind, ModelStage, ModelVersion, NewModel, NewModelVersion, RegisteredModel, Result, RunId, Store};
use std::collections::BTreeMap;

/// What is done to a registered model. The fields are choices from pools; versions are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryOp {
    Create {
        model: u8,
    },
    /// Gives it another name of the pool, which may be taken, or its own.
    Rename {
        model: u8,
        to: u8,
    },
    Describe {
        model: u8,
        text: u8,
    },
    Tag {
        model: u8,
        key: u8,
        value: u8,
    },
    Untag {
        model: u8,
        key: u8,
    },
    Delete {
        model: u8,
    },
    /// Registers a version whose files are artifacts of a run or, with 0, anywhere.
    AddVersion {
        model: u8,
        run: u8,
    },
    DescribeVersion {
        model: u8,
        version: u8,
        text: u8,
    },
    TagVersion {
        model: u8,
        version: u8,
        key: u8,
        value: u8,
    },
    SetStage {
        model: u8,
        version: u8,
        stage: u8,
        archive: bool,
    },
    DeleteVersion {
        model: u8,
        version: u8,
    },
    Alias {
        model: u8,
        alias: u8,
        version: u8,
    },
    Unalias {
        model: u8,
        alias: u8,
    },
}

const MODELS: [&str; 3] = ["digits", "\u{3b1} model", "x"];
const ALIASES: [&str; 2] = ["champion", "\u{3b2}-2"];
/// Few, so that operations meet.
const VERSIONS: u8 = 4;

fn name(at: u8) -> &'static str {
    MODELS[at as usize % MODELS.len()]
}

fn alias(at: u8) -> &'static str {
    ALIASES[at as usize % ALIASES.len()]
}

fn number(version: u8) -> u32 {
    u32::from(1 + version % VERSIONS)
}

fn stage(at: u8) -> ModelStage {
    ModelStage::ALL[at as usize % ModelStage::ALL.len()]
}

impl RegistryOp {
    /// The operation that these numbers stand for.
    pub fn take(mut next: impl FnMut() -> u8) -> Self {
        let (kind, model) = (next(), next());
        match kind % 16 {
            0..=2 => Self::Create { model },
            3 => Self::Rename { model, to: next() },
            4 => Self::Describe { model, text: next() },
            5 => Self::Tag { model, key: next(), value: next() },
            6 => Self::Untag { model, key: next() },
            7 => Self::Delete { model },
            8..=9 => Self::AddVersion { model, run: next() },
            10 => Self::DescribeVersion { model, version: next(), text: next() },
            11 => Self::TagVersion { model, version: next(), key: next(), value: next() },
            12 => Self::SetStage { model, version: next(), stage: next(), archive: next() % 2 == 1 },
            13 => Self::DeleteVersion { model, version: next() },
            14 => Self::Alias { model, alias: next(), version: next() },
            _ => Self::Unalias { model, alias: next() },
        }
    }

    /// Its numbers, to be made smaller.
    pub(super) fn numbers_mut(&mut self) -> Vec<&mut u8> {
        match self {
            Self::Create { model } | Self::Delete { model } => vec![model],
            Self::Rename { model: a, to: b }
            | Self::Describe { model: a, text: b }
            | Self::Untag { model: a, key: b }
            | Self::AddVersion { model: a, run: b }
            | Self::DeleteVersion { model: a, version: b }
            | Self::Unalias { model: a, alias: b } => vec![a, b],
            Self::Tag { model: a, key: b, value: c }
            | Self::DescribeVersion { model: a, version: b, text: c }
            | Self::SetStage { model: a, version: b, stage: c, .. }
            | Self::Alias { model: a, alias: b, version: c } => vec![a, b, c],
            Self::TagVersion { model: a, version: b, key: c, value: d } => vec![a, b, c, d],
        }
    }

    /// The run that it is about, as a place among the known ones.
    pub(super) fn run(self) -> Option<u8> {
        match self {
            Self::AddVersion { run, .. } => run.checked_sub(1),
            _ => None,
        }
    }

    /// Makes the call. `run`: the one that [`Self::run`] has picked.
    pub(super) fn call(self, store: &Store, run: Option<RunId>) -> Result<()> {
        match self {
            Self::Create { model: at } => {
                store.create_model(NewModel::new(name(at)).tag("first", name(at)).description("new")).map(|_| ())
            }
            Self::Rename { model: at, to } => store.rename_model(name(at), name(to)),
            Self::Describe { model: at, text } => store.set_model_description(name(at), pools::text(text)),
            Self::Tag { model: at, key, value } => store.set_model_tag(name(at), pools::key(key), pools::text(value)),
            Self::Untag { model: at, key } => store.delete_model_tag(name(at), pools::key(key)),
            Self::Delete { model: at } => store.delete_model(name(at)),
            Self::AddVersion { model: at, .. } => store.create_model_version(name(at), new_version(run)).map(|_| ()),
            Self::DescribeVersion { model: at, version, text } => {
                store.set_model_version_description(name(at), number(version), pools::text(text))
            }
            Self::TagVersion { model: at, version, key, value } => {
                store.set_model_version_tag(name(at), number(version), pools::key(key), pools::text(value))
            }
            Self::SetStage { model: at, version, stage: to, archive } => {
                store.set_model_stage(name(at), number(version), stage(to), archive).map(|_| ())
            }
            Self::DeleteVersion { model: at, version } => store.delete_model_version(name(at), number(version)),
            Self::Alias { model: at, alias: which, version } => {
                store.set_model_alias(name(at), alias(which), number(version))
            }
            Self::Unalias { model: at, alias: which } => store.delete_model_alias(name(at), alias(which)),
        }
    }
}

fn new_version(run: Option<RunId>) -> NewModelVersion {
    match run {
        Some(run) => NewModelVersion::from_run(run, "model").tag("from", "a run"),
        None => NewModelVersion::from_source("s3://models/1").user("ada"),
    }
}

/// All registered models by name, without times and what versions know of their models.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Registry(BTreeMap<String, RegisteredModel>);

impl Registry {
    /// What an operation does; its run exists.
    pub(super) fn apply(&mut self, op: RegistryOp, run: Option<RunId>) -> std::result::Result<(), ErrorKind> {
        let known = |registry: &mut Self, at: u8| registry.0.remove(name(at)).ok_or(ErrorKind::NotFound);
        let of = match op {
            RegistryOp::Create { model: at } => {
                let name = name(at).to_owned();
                if self.0.contains_key(&name) {
                    return Err(ErrorKind::Conflict);
                }
                let tags = BTreeMap::from([("first".to_owned(), name.clone())]);
                let new = RegisteredModel { name, description: "new".to_owned(), tags, ..RegisteredModel::default() };
                self.0.insert(new.name.clone(), new);
                return Ok(());
            }
            RegistryOp::SetStage { stage: to, archive: true, .. }
                if !matches!(stage(to), ModelStage::Staging | ModelStage::Production) =>
            {
                return Err(ErrorKind::InvalidInput);
            }
            RegistryOp::Delete { model } => return known(self, model).map(|_| ()),
            RegistryOp::Rename { model: at, to } => {
                let mut found = known(self, at)?;
                if self.0.contains_key(name(to)) {
                    return Err(ErrorKind::Conflict);
                }
                name(to).clone_into(&mut found.name);
                self.0.insert(found.name.clone(), found);
                return Ok(());
            }
            RegistryOp::Describe { model, .. }
            | RegistryOp::Tag { model, .. }
            | RegistryOp::Untag { model, .. }
            | RegistryOp::AddVersion { model, .. }
            | RegistryOp::DescribeVersion { model, .. }
            | RegistryOp::TagVersion { model, .. }
            | RegistryOp::SetStage { model, .. }
            | RegistryOp::DeleteVersion { model, .. }
            | RegistryOp::Alias { model, .. }
            | RegistryOp::Unalias { model, .. } => self.0.get_mut(name(model)).ok_or(ErrorKind::NotFound)?,
        };
        change(of, op, run)
    }

    pub(super) fn check(&self, found: &Self) -> Checked {
        if self == found { Ok(()) } else { Err(format!("models found: {:?}, expected: {:?}", found.0, self.0)) }
    }
}

/// What an operation does to a model that is there.
fn change(of: &mut RegisteredModel, op: RegistryOp, run: Option<RunId>) -> std::result::Result<(), ErrorKind> {
    let version = |of: &mut RegisteredModel, version: u8| {
        of.versions.iter().position(|known| known.number == number(version)).ok_or(ErrorKind::NotFound)
    };
    match op {
        RegistryOp::Describe { text, .. } => pools::text(text).clone_into(&mut of.description),
        RegistryOp::Tag { key, value, .. } => {
            of.tags.insert(pools::key(key).to_owned(), pools::text(value).to_owned());
        }
        RegistryOp::Untag { key, .. } => {
            of.tags.remove(pools::key(key));
        }
        RegistryOp::AddVersion { .. } => {
            let NewModelVersion { source, user, tags, .. } = new_version(run);
            let tags = tags.into_iter().collect();
            of.last_version += 1;
            let number = of.last_version;
            of.versions.push(ModelVersion { number, source, user, tags, run_id: run, ..ModelVersion::default() });
        }
        RegistryOp::DescribeVersion { version: at, text, .. } => {
            let at = version(of, at)?;
            pools::text(text).clone_into(&mut of.versions[at].description);
        }
        RegistryOp::TagVersion { version: at, key, value, .. } => {
            let at = version(of, at)?;
            of.versions[at].tags.insert(pools::key(key).to_owned(), pools::text(value).to_owned());
        }
        RegistryOp::SetStage { version: at, stage: to, archive, .. } => {
            let at = version(of, at)?;
            for other in of.versions.iter_mut().filter(|other| archive && other.stage == stage(to)) {
                other.stage = ModelStage::Archived;
            }
            of.versions[at].stage = stage(to);
        }
        RegistryOp::DeleteVersion { version: at, .. } => {
            let at = version(of, at)?;
            let gone = of.versions.remove(at);
            of.aliases.retain(|_, number| *number != gone.number);
        }
        RegistryOp::Alias { alias: which, version: at, .. } => {
            version(of, at)?;
            of.aliases.insert(alias(which).to_owned(), number(at));
        }
        RegistryOp::Unalias { alias: which, .. } => {
            of.aliases.remove(alias(which));
        }
        RegistryOp::Create { .. } | RegistryOp::Rename { .. } | RegistryOp::Delete { .. } => {}
    }
    Ok(())
}

/// All models that a store shows, each listed once, and found by its name as it is listed.
pub(super) fn observe(store: &Store) -> std::result::Result<Registry, String> {
    let mut registry = Registry::default();
    for mut listed in store.models().map_err(|error| format!("models: {error}"))? {
        let found = store.model(&listed.name).map_err(|error| format!("model {:?}: {error}", listed.name))?;
        if found != listed {
            return Err(format!("model found by its name: {found:?}, as listed: {listed:?}"));
        }
        for version in &mut listed.versions {
            let named = listed.aliases.iter().filter(|(_, number)| **number == version.number);
            let aliases: Vec<&String> = named.map(|(alias, _)| alias).collect();
            if version.model != listed.name || version.aliases.iter().collect::<Vec<_>>() != aliases {
                return Err(format!("version {version:?} of model {:?} with {:?}", listed.name, listed.aliases));
            }
            (version.created_at, version.updated_at) = (0, 0);
            version.model.clear();
            version.aliases.clear();
        }
        (listed.created_at, listed.updated_at) = (0, 0);
        if let Some(other) = registry.0.insert(listed.name.clone(), listed) {
            return Err(format!("model {:?} is listed twice", other.name));
        }
    }
    Ok(registry)
}
