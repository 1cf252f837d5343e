//! Finding runs. The answer is written while it is sent, some runs at a time: a page of 50,000 runs needs no more memory
//! than one of 1000.

use super::experiments::{MAX_PAGE, VIEWS, page_size};
use super::request::{Fields, wrong_type};
use super::shapes::{RunShape, artifact_location};
use super::{Error, Result, Route};
use crate::reply::Reply;
use crate::state::App;
use serde_json::json;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use trackway::{ExperimentId, Filter, LifecycleStage, Run, RunOrder, RunQuery, View};

pub(super) const ROUTES: &[Route] = &[Route::post("/mlflow/runs/search", search)];

/// Runs that are in memory at a time.
const PIECE: usize = 1000;
/// Runs on a page, when nothing is said.
const PAGE: i64 = 1000;

/// What is looked for, and what of it is left.
struct Search {
    app: Arc<App>,
    experiments: HashMap<ExperimentId, Known>,
    query: RunQuery,
    /// Runs that the page still has room for.
    room: usize,
    /// Only runs that are deleted, or whose experiment is: the engine knows the first only.
    only_deleted: bool,
}

/// What a run's shape needs of its experiment.
struct Known {
    location: String,
    is_deleted: bool,
}

fn search(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let ids = fields.texts("experiment_ids")?;
    let filter = fields.text("filter")?.unwrap_or_default();
    if let Some(size) = fields.int("max_results")?.filter(|size| *size > MAX_PAGE) {
        return Err(wrong_type("max_results", &json!(size)));
    }
    let room = page_size(fields, PAGE)?;
    let order = fields.texts("order_by")?;
    let view = fields.choice("run_view_type", VIEWS)?.unwrap_or(View::Active);
    let after = fields.text("page_token")?.filter(|token| !token.is_empty()).map(str::to_owned);
    let filter = if filter.is_empty() { None } else { Some(Filter::mlflow(filter)?) };
    let order = RunOrder::mlflow(&order)?;
    let Some((experiments, view, only_deleted)) = narrow(known(app, &ids)?, view) else { return Ok(Reply::empty()) };
    let mut wanted: Vec<ExperimentId> = experiments.keys().copied().collect();
    wanted.sort_unstable();
    let query = RunQuery { experiments: wanted, view, filter, order, limit: None, after };
    let mut search = Search { app: Arc::clone(app), experiments, query, room, only_deleted };
    // The first runs are found before the answer begins: until then an error can be told.
    let first = search.next_piece()?;
    Ok(Reply::stream(move |out| search.write(first, out)))
}

/// The experiments with these ids; those that do not exist have no runs.
fn known(app: &App, ids: &[&str]) -> Result<HashMap<ExperimentId, Known>> {
    let mut known = HashMap::new();
    for text in ids {
        let Ok(number) = text.parse::<i128>() else {
            return Err(Error::invalid(format!(
                "Invalid experiment ID '{text}'. Experiment ID must be a valid integer."
            )));
        };
        let Ok(number) = u64::try_from(number) else { continue };
        let id = ExperimentId::new(number);
        match app.store.experiment(id) {
            Ok(experiment) => {
                let is_deleted = experiment.lifecycle_stage == LifecycleStage::Deleted;
                known.insert(id, Known { location: artifact_location(&experiment), is_deleted });
            }
            Err(trackway::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(known)
}

/// Runs of deleted experiments count as deleted: which experiments are to be searched, which runs of them the engine is to
/// show, and whether the deleted ones have to be picked from those. Nothing when there is nothing to search.
fn narrow(
    mut experiments: HashMap<ExperimentId, Known>,
    view: View,
) -> Option<(HashMap<ExperimentId, Known>, View, bool)> {
    if view == View::Active {
        experiments.retain(|_, known| !known.is_deleted);
    }
    if experiments.is_empty() {
        return None;
    }
    let deleted = experiments.values().filter(|known| known.is_deleted).count();
    let all_deleted = deleted == experiments.len();
    Some(match view {
        View::Deleted if deleted > 0 => (experiments, View::All, !all_deleted),
        view => (experiments, view, false),
    })
}

impl Search {
    /// The next runs of the page; none when it is full, or there are no more.
    fn next_piece(&mut self) -> trackway::Result<Vec<Run>> {
        while self.room > 0 {
            self.query.limit = Some(self.room.min(PIECE));
            let page = self.app.store.search(&self.query)?;
            let is_last = page.next.is_none();
            self.query.after = page.next;
            let runs = self.shown(page.runs);
            self.room = if is_last { 0 } else { self.room - runs.len() };
            if !runs.is_empty() {
                return Ok(runs);
            }
        }
        Ok(Vec::new())
    }

    fn shown(&self, mut runs: Vec<Run>) -> Vec<Run> {
        for run in &mut runs {
            if self.experiments.get(&run.experiment_id).is_some_and(|known| known.is_deleted) {
                run.lifecycle_stage = LifecycleStage::Deleted;
            }
        }
        if self.only_deleted {
            runs.retain(|run| run.lifecycle_stage == LifecycleStage::Deleted);
        }
        runs
    }

    /// Writes the page.
    fn write(mut self, first: Vec<Run>, out: &mut dyn Write) -> io::Result<()> {
        let mut piece = first;
        let mut before = "{\"runs\":[";
        while !piece.is_empty() {
            for run in &piece {
                out.write_all(before.as_bytes())?;
                let location = self.experiments.get(&run.experiment_id).map_or("", |known| &known.location);
                serde_json::to_writer(&mut *out, &RunShape::new(run, location))?;
                before = ",";
            }
            drop(std::mem::take(&mut piece));
            piece = self.next_piece().map_err(io::Error::other)?;
        }
        let has_runs = before == ",";
        out.write_all(if has_runs { b"]" } else { b"{" })?;
        if let Some(next) = &self.query.after {
            out.write_all(if has_runs { b"," } else { b"" })?;
            write!(out, "\"next_page_token\":{}", json!(next))?;
        }
        out.write_all(b"}")
    }
}
