//! Changes of registered models.

use crate::args::{
    ModelAliasArgs, ModelCreateArgs, ModelDeleteArgs, ModelDescribeArgs, ModelRegisterArgs, ModelRenameArgs,
    ModelStageArgs, ModelTagArgs,
};
use crate::error::Outcome;
use crate::output::Context;
use crate::resolve;
use crate::text::one_line;
use trackway::{Error, NewModel, NewModelVersion, Store};

/// `models create`.
pub(crate) fn create(args: &ModelCreateArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let (name, description, tags) = (args.model.clone(), args.description.clone(), args.tags.clone());
        let model = store.create_model(NewModel { name, description, tags })?;
        Ok(format!("model {:?} is registered", model.name))
    })
}

/// `models register`.
pub(crate) fn register(args: &ModelRegisterArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let run = args.run.as_deref().map(|run| resolve::run(store, run)).transpose()?.map(|run| run.id);
        let mut new = match (&args.source, run) {
            (None, Some(run)) => NewModelVersion::from_run(run, args.path.as_deref().unwrap_or_default()),
            (source, run) => {
                let uri = source.clone().unwrap_or_default();
                NewModelVersion { run_id: run, ..NewModelVersion::from_source(uri) }
            }
        };
        (new.description, new.tags) = (args.description.clone(), args.tags.clone());
        let version = match store.create_model_version(&args.model, new.clone()) {
            Err(Error::NotFound { what: "model", .. }) => {
                store.create_model(NewModel::new(args.model.as_str()))?;
                store.create_model_version(&args.model, new)?
            }
            created => created?,
        };
        args.aliases.iter().try_for_each(|alias| store.set_model_alias(&args.model, alias, version.number))?;
        let (model, number, source) = (&version.model, version.number, &version.source);
        Ok(format!("version {number} of model {model:?} is {source}"))
    })
}

/// `models alias`.
pub(crate) fn alias(args: &ModelAliasArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let model = resolve::model(store, &args.model)?;
        if let Some(alias) = &args.delete {
            store.delete_model_alias(&model.name, alias)?;
            return Ok(format!("model {:?} has no alias {alias:?} any more", model.name));
        }
        let alias = args.alias.as_deref().unwrap_or_default();
        let number = resolve::version(&model, args.version.as_deref().unwrap_or_default())?;
        store.set_model_alias(&model.name, alias, number)?;
        Ok(format!("{alias:?} is version {number} of model {:?}", model.name))
    })
}

/// `models stage`.
pub(crate) fn stage(args: &ModelStageArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let model = resolve::model(store, &args.model)?;
        let number = resolve::version(&model, &args.version)?;
        let version = store.set_model_stage(&model.name, number, args.stage.parse()?, args.archive)?;
        Ok(format!("version {number} of model {:?} is in stage {}", model.name, version.stage))
    })
}

/// `models tag`.
pub(crate) fn tag(args: &ModelTagArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let (model, number, what) = target(store, &args.model, args.version.as_deref())?;
        if let Some(key) = &args.delete {
            match number {
                Some(number) => store.delete_model_version_tag(&model, number, key)?,
                None => store.delete_model_tag(&model, key)?,
            }
            return Ok(format!("{what} has no tag {key:?} any more"));
        }
        let (key, value) = (args.key.as_deref().unwrap_or_default(), args.value.as_deref().unwrap_or_default());
        match number {
            Some(number) => store.set_model_version_tag(&model, number, key, value)?,
            None => store.set_model_tag(&model, key, value)?,
        }
        Ok(format!("{what} has the tag {key:?} = {value:?}"))
    })
}

/// `models describe`.
pub(crate) fn describe(args: &ModelDescribeArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let (model, number, what) = target(store, &args.model, args.version.as_deref())?;
        match number {
            Some(number) => store.set_model_version_description(&model, number, &args.description)?,
            None => store.set_model_description(&model, &args.description)?,
        }
        Ok(format!("{what} is described as {:?}", args.description))
    })
}

/// `models rename`.
pub(crate) fn rename(args: &ModelRenameArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let model = resolve::model(store, &args.model)?;
        store.rename_model(&model.name, &args.name)?;
        Ok(format!("model {:?} is now named {:?}", model.name, args.name))
    })
}

/// `models delete`.
pub(crate) fn delete(args: &ModelDeleteArgs, context: &mut Context) -> Outcome {
    change(context, |store| {
        let (model, number, what) = target(store, &args.model, args.version.as_deref())?;
        match number {
            Some(number) => store.delete_model_version(&model, number)?,
            None => store.delete_model(&model)?,
        }
        Ok(format!("{what} is deleted"))
    })
}

/// The model and, if one is named, the version that a command is about, and both in words.
fn target(store: &Store, name: &str, version: Option<&str>) -> Outcome<(String, Option<u32>, String)> {
    let model = resolve::model(store, name)?;
    let number = version.map(|version| resolve::version(&model, version)).transpose()?;
    let what = match number {
        Some(number) => format!("version {number} of model {:?}", model.name),
        None => format!("model {:?}", model.name),
    };
    Ok((model.name, number, what))
}

fn change(context: &mut Context, act: impl FnOnce(&Store) -> Outcome<String>) -> Outcome {
    let store = context.open_to_change()?;
    let done = act(&store)?;
    store.close()?;
    context.line(one_line(&done))
}
