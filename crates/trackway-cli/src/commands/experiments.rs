//! `experiments`: lists them.

use crate::args::ExperimentsArgs;
use crate::describe::stage;
use crate::error::Outcome;
use crate::output::Context;
use crate::style::Style;
use crate::table::{Cell, Fit, Table};
use crate::text::{count, utc};
use serde_json::{Value, json};
use std::collections::HashMap;
use trackway::{ExperimentId, LifecycleStage, Query, RunFilter, View};

pub(crate) fn run(args: &ExperimentsArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let mut runs: HashMap<ExperimentId, u64> = HashMap::new();
    for run in store.runs(&RunFilter::default())? {
        *runs.entry(run.experiment_id).or_default() += 1;
    }
    let sort = if args.sort.is_empty() { vec!["experiment_id".to_owned()] } else { args.sort.clone() };
    let mut query = Query::new().view(View::All).order_by(&sort)?;
    if let Some(filter) = &args.filter {
        query = query.filter(filter)?;
    }
    let experiments = store.search_experiments(&query)?.found;
    let runs_of = |id: ExperimentId| runs.get(&id).copied().unwrap_or(0);
    if args.output.json {
        let list: Vec<Value> = experiments
            .iter()
            .map(|e| {
                json!({
                    "experiment_id": e.id.to_string(), "name": e.name, "lifecycle_stage": stage(e.lifecycle_stage),
                    "created_ms": e.created_at, "updated_ms": e.updated_at, "tags": e.tags, "runs": runs_of(e.id),
                })
            })
            .collect();
        return context.json(&Value::from(list));
    }
    let table = Table::new().right("ID", Fit::Whole).left("NAME", Fit::Cut).right("RUNS", Fit::Whole);
    let mut table = table.left("CREATED (UTC)", Fit::Optional).left("STAGE", Fit::Optional);
    for e in &experiments {
        let deleted = e.lifecycle_stage == LifecycleStage::Deleted;
        let style = if deleted { Style::Dim } else { Style::Plain };
        table.push(vec![
            e.id.to_string().into(),
            Cell::styled(e.name.as_str(), style),
            count(runs_of(e.id)).into(),
            utc(e.created_at).into(),
            Cell::styled(stage(e.lifecycle_stage), style),
        ]);
    }
    context.table(&table)
}
