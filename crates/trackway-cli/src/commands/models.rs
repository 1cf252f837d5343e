//! `models`: lists and shows registered models and their versions.

use super::models_change as change;
use crate::args::{FindArgs, ModelShowArgs, ModelsArgs, ModelsCommand};
use crate::error::Outcome;
use crate::output::{Context, tell_incidents};
use crate::resolve;
use crate::style::Style;
use crate::table::{Cell, Fit, Table};
use crate::text::{count, one_line, utc};
use serde_json::{Value, json};
use trackway::{ModelStage, ModelVersion, Page, Query, RegisteredModel, Searchable};

pub(crate) fn run(args: &ModelsArgs, context: &mut Context) -> Outcome {
    match &args.what {
        None => list(&args.list, context),
        Some(ModelsCommand::List(args)) => list(args, context),
        Some(ModelsCommand::Versions(args)) => versions(args, context),
        Some(ModelsCommand::Show(args)) => show(args, context),
        Some(ModelsCommand::Create(args)) => change::create(args, context),
        Some(ModelsCommand::Register(args)) => change::register(args, context),
        Some(ModelsCommand::Alias(args)) => change::alias(args, context),
        Some(ModelsCommand::Stage(args)) => change::stage(args, context),
        Some(ModelsCommand::Tag(args)) => change::tag(args, context),
        Some(ModelsCommand::Describe(args)) => change::describe(args, context),
        Some(ModelsCommand::Rename(args)) => change::rename(args, context),
        Some(ModelsCommand::Delete(args)) => change::delete(args, context),
    }
}

fn query<T: Searchable>(args: &FindArgs) -> Outcome<Query<T>> {
    let mut query = Query::new();
    if let Some(filter) = &args.filter {
        query = query.filter(filter)?;
    }
    if !args.sort.is_empty() {
        query = query.order_by(&args.sort)?;
    }
    Ok(match args.limit {
        Some(limit) => query.limit(limit),
        None => query,
    })
}

/// Writes what was found, as JSON or as a table, and whether there is more.
fn write<T>(
    page: &Page<T>,
    args: &FindArgs,
    what: &str,
    to_json: impl Fn(&T) -> Value,
    table: impl FnOnce(&[T]) -> Table,
    context: &mut Context,
) -> Outcome {
    if args.output.json {
        return context.json(&Value::from(page.found.iter().map(to_json).collect::<Vec<_>>()));
    }
    if page.found.is_empty() {
        return context.table(&Table::new().left(format!("no {what}"), Fit::Whole));
    }
    context.table(&table(&page.found))?;
    if page.next.is_some() { context.line("... and more") } else { Ok(()) }
}

fn list(args: &FindArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let page = store.search_models(&query(args)?)?;
    write(&page, args, "models", model_json, models_table, context)
}

fn versions(args: &FindArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let page = store.search_model_versions(&query(args)?)?;
    write(&page, args, "versions", version_json, |found| versions_table(found, true), context)
}

fn models_table(models: &[RegisteredModel]) -> Table {
    let table = Table::new().left("NAME", Fit::Cut).right("VERSIONS", Fit::Whole).right("LATEST", Fit::Whole);
    let table = table.left("ALIASES", Fit::Cut).left("CHANGED (UTC)", Fit::Optional);
    let mut table = table.left("DESCRIPTION", Fit::Optional);
    for model in models {
        let aliases: Vec<String> = model.aliases.iter().map(|(alias, number)| format!("{alias}={number}")).collect();
        let latest = model.versions.last().map_or_else(String::new, |version| version.number.to_string());
        table.push(vec![
            model.name.as_str().into(),
            count(model.versions.len() as u64).into(),
            latest.into(),
            aliases.join(" ").into(),
            utc(model.updated_at).into(),
            model.description.as_str().into(),
        ]);
    }
    table
}

fn stage_style(stage: ModelStage) -> Style {
    match stage {
        ModelStage::Production => Style::Green,
        ModelStage::Staging => Style::Yellow,
        ModelStage::None => Style::Plain,
        ModelStage::Archived => Style::Dim,
    }
}

fn versions_table(versions: &[ModelVersion], with_model: bool) -> Table {
    let mut table = Table::new();
    if with_model {
        table = table.left("MODEL", Fit::Cut);
    }
    let table = table.right("VERSION", Fit::Whole).left("STAGE", Fit::Whole).left("ALIASES", Fit::Cut);
    let mut table = table.left("SOURCE", Fit::Cut).left("CREATED (UTC)", Fit::Optional).left("TAGS", Fit::Optional);
    for version in versions {
        let tags: Vec<String> = version.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut row: Vec<Cell> = Vec::new();
        if with_model {
            row.push(version.model.as_str().into());
        }
        row.extend([
            version.number.to_string().into(),
            Cell::styled(version.stage.as_str(), stage_style(version.stage)),
            version.aliases.join(" ").into(),
            version.source.as_str().into(),
            utc(version.created_at).into(),
            tags.join(" ").into(),
        ]);
        table.push(row);
    }
    table
}

fn show(args: &ModelShowArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let model = resolve::model(&store, &args.model)?;
    tell_incidents(&store);
    if args.output.json {
        return context.json(&model_json(&model));
    }
    let mut lines = vec![("model", one_line(&model.name))];
    lines.extend((!model.description.is_empty()).then(|| ("about", one_line(&model.description))));
    lines.push(("created", format!("{} UTC", utc(model.created_at))));
    lines.push(("changed", format!("{} UTC", utc(model.updated_at))));
    lines.extend(model.tags.iter().map(|(key, value)| ("tag", format!("{} = {}", one_line(key), one_line(value)))));
    for (what, text) in lines {
        let what = Style::Bold.paint(&format!("{what:<10}"), context.color);
        context.line(format_args!("{what}  {text}"))?;
    }
    if model.versions.is_empty() {
        return context.line("\nno versions");
    }
    context.line("")?;
    context.table(&versions_table(&model.versions, false))
}

fn model_json(model: &RegisteredModel) -> Value {
    json!({
        "name": model.name, "description": model.description,
        "created_ms": model.created_at, "updated_ms": model.updated_at,
        "tags": model.tags, "aliases": model.aliases, "last_version": model.last_version,
        "versions": model.versions.iter().map(version_json).collect::<Vec<_>>(),
    })
}

pub(crate) fn version_json(version: &ModelVersion) -> Value {
    json!({
        "model": version.model, "version": version.number, "source": version.source,
        "run_id": version.run_id.map(|run| run.to_string()), "run_link": version.run_link, "user": version.user,
        "status": version.status.as_str(), "stage": version.stage.as_str(), "description": version.description,
        "created_ms": version.created_at, "updated_ms": version.updated_at,
        "tags": version.tags, "aliases": version.aliases,
    })
}
