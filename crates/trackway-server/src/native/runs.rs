//! Single runs: read, renamed, tagged, deleted, restored.

use super::error::Result;
use super::values::{Change, RunShape, run_ids};
use super::{Call, done, json};
use crate::state::App;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use trackway::{Error as Engine, Run, RunId};

/// Runs that one call reads, or changes.
const READ: usize = 200;
const CHANGED: usize = 20_000;

pub(super) fn get(app: &Arc<App>, call: &Call) -> Result<Response> {
    json(&RunShape::new(&app.store.run(call.id()?)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    runs: Vec<String>,
}

/// Several runs, in the order asked for; those that there are not are named apart.
pub(super) fn get_many(app: &Arc<App>, call: &Call) -> Result<Response> {
    let ids = run_ids(&call.json::<Ids>()?.runs, READ)?;
    let mut missing = Vec::new();
    let mut runs: Vec<Run> = Vec::new();
    for id in ids {
        match app.store.run(id) {
            Ok(run) => runs.push(run),
            Err(Engine::NotFound { .. }) => missing.push(id.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    let runs: Vec<RunShape<'_>> = runs.iter().map(RunShape::new).collect();
    json(&serde_json::json!({ "runs": runs, "missing": missing }))
}

pub(super) fn edit(app: &Arc<App>, call: &Call) -> Result<Response> {
    let (id, change): (RunId, Change) = (call.id()?, call.json()?);
    // By the run's writer if it has one here, which costs no file.
    if let Some(name) = &change.name {
        let by_writer = app.writers.if_open(id, |writer| writer.set_name(name));
        by_writer.unwrap_or_else(|| app.store.set_run_name(id, name))?;
    }
    for (key, value) in &change.tags {
        let by_writer = app.writers.if_open(id, |writer| match value {
            Some(value) => writer.set_tag(key, value),
            None => writer.delete_tag(key),
        });
        let by_store = || match value {
            Some(value) => app.store.set_run_tag(id, key, value),
            None => app.store.delete_run_tag(id, key),
        };
        match by_writer.unwrap_or_else(by_store) {
            // Gone already, which is what was wanted.
            Err(Engine::NotFound { what: "tag", .. }) => {}
            result => result?,
        }
    }
    app.changes.touched(id);
    json(&RunShape::new(&app.store.run(id)?))
}

pub(super) fn delete(app: &Arc<App>, call: &Call) -> Result<Response> {
    change_all(app, call, |app, id| app.writers.delete_run(&app.store, id))
}

pub(super) fn restore(app: &Arc<App>, call: &Call) -> Result<Response> {
    change_all(app, call, |app, id| app.store.restore_run(id))
}

/// One after the other; the first error ends it, and what was changed until then stays changed.
fn change_all(app: &Arc<App>, call: &Call, change: fn(&App, RunId) -> trackway::Result<()>) -> Result<Response> {
    for id in run_ids(&call.json::<Ids>()?.runs, CHANGED)? {
        change(app, id)?;
        app.changes.touched(id);
    }
    Ok(done())
}
