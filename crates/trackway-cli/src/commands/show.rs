//! `show`: everything about a run but its points.

use crate::args::ShowArgs;
use crate::describe::{duration_ms, points, run_json, stage, status_in_words, status_style};
use crate::error::Outcome;
use crate::output::{Context, tell_incidents};
use crate::resolve;
use crate::style::Style;
use crate::table::{Cell, Fit, Table};
use crate::text::{bytes, count, duration, one_line, utc};
use crate::values::short;
use serde_json::{Value, json};
use trackway::{Artifact, KeyMap, Point, Run, Store};

pub(crate) fn run(args: &ShowArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let run = resolve::run(&store, &args.run)?;
    let experiment = store.experiment(run.experiment_id).map(|e| e.name).unwrap_or_default();
    let artifacts = artifacts(&store, &run)?;
    tell_incidents(&store);
    if args.output.json {
        let mut value = run_json(&run, &experiment);
        let files: Vec<Value> = artifacts
            .iter()
            .map(|a| json!({ "path": a.path, "is_dir": a.is_dir, "size_bytes": a.size_bytes }))
            .collect();
        if let Some(object) = value.as_object_mut() {
            object.insert("artifacts".to_owned(), Value::from(files));
        }
        return context.json(&value);
    }
    head(&run, &experiment, context)?;
    pairs("Params", &run.params, context)?;
    pairs("Tags", &run.tags, context)?;
    metrics(&store, &run, context)?;
    if artifacts.is_empty() {
        return Ok(());
    }
    title("Artifacts", context)?;
    let mut table = Table::new().left("PATH", Fit::Cut).right("SIZE", Fit::Whole);
    for artifact in artifacts.iter().filter(|artifact| !artifact.is_dir) {
        table.push(vec![artifact.path.as_str().into(), bytes(artifact.size_bytes).into()]);
    }
    context.table(&table)
}

fn head(run: &Run, experiment: &str, context: &mut Context) -> Outcome {
    let status = status_style(run.status).paint(&status_in_words(run), context.color);
    let name = if run.name.is_empty() { "(none)" } else { &run.name };
    let mut lines = vec![
        ("run", run.id.to_string()),
        ("name", one_line(name)),
        ("experiment", format!("{} (id {})", one_line(experiment), run.experiment_id)),
        ("status", status),
        ("start", format!("{} UTC", utc(run.start_time))),
    ];
    lines.extend(run.end_time.map(|end| ("end", format!("{} UTC", utc(end)))));
    lines.extend(duration_ms(run).map(|ms| ("duration", duration(ms))));
    lines.extend((!run.user.is_empty()).then(|| ("user", one_line(&run.user))));
    lines.extend(run.parent.map(|parent| ("parent", parent.to_string())));
    if !resolve::is_active(run) {
        let when = run.deleted_at.map(|at| format!(" since {} UTC", utc(at))).unwrap_or_default();
        lines.push(("stage", format!("{}{when}", stage(run.lifecycle_stage))));
    }
    lines.push(("points", format!("{} of {} metrics", count(points(run)), count(run.metrics.len() as u64))));
    for (what, text) in lines {
        let what = Style::Bold.paint(&format!("{what:<10}"), context.color);
        context.line(format_args!("{what}  {text}"))?;
    }
    Ok(())
}

fn title(text: &str, context: &mut Context) -> Outcome {
    let text = Style::Bold.paint(text, context.color);
    context.line(format_args!("\n{text}"))
}

fn pairs(what: &str, pairs: &KeyMap<String>, context: &mut Context) -> Outcome {
    if pairs.is_empty() {
        return Ok(());
    }
    title(what, context)?;
    let mut table = Table::new().left("KEY", Fit::Cut).left("VALUE", Fit::Cut);
    for (key, value) in pairs {
        table.push(vec![(&**key).into(), value.as_str().into()]);
    }
    context.table(&table)
}

fn metrics(store: &Store, run: &Run, context: &mut Context) -> Outcome {
    if run.metrics.is_empty() {
        return Ok(());
    }
    title("Metrics", context)?;
    let mut table = Table::new()
        .left("KEY", Fit::Cut)
        .right("COUNT", Fit::Whole)
        .right("LATEST", Fit::Whole)
        .right("STEP", Fit::Whole)
        .right("MIN", Fit::Optional)
        .right("MAX", Fit::Optional)
        .right("MEAN", Fit::Optional)
        .right("NAN", Fit::Optional);
    let value = |point: Option<Point>| Cell::from(point.map_or_else(String::new, |p| short(p.value)));
    let snapshot = store.snapshot(run.id)?;
    for (key, stats) in run.metrics.keys().filter_map(|key| Some((key, snapshot.stats(key)?))) {
        table.push(vec![
            (&**key).into(),
            count(stats.count).into(),
            value(stats.latest),
            stats.latest.map_or_else(String::new, |p| p.step.to_string()).into(),
            value(stats.min),
            value(stats.max),
            stats.mean().map_or_else(String::new, short).into(),
            if stats.nan_count == 0 { "".into() } else { Cell::styled(count(stats.nan_count), Style::Red) },
        ]);
    }
    context.table(&table)
}

/// All artifacts, folders before what they hold.
fn artifacts(store: &Store, run: &Run) -> Outcome<Vec<Artifact>> {
    let folder = store.artifacts(run.id)?;
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(path) = open.pop() {
        for artifact in folder.list(&path)? {
            if artifact.is_dir {
                open.push(artifact.path.clone());
            }
            found.push(artifact);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
