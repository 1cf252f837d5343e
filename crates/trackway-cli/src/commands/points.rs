//! `points`: the points of a metric.

use crate::args::{PointOrder, PointsArgs};
use crate::describe::point_json;
use crate::error::Outcome;
use crate::output::Context;
use crate::resolve;
use crate::values::exact;
use serde_json::Value;
use std::ops::Bound;
use trackway::{Columns, Order, Run};

pub(crate) fn run(args: &PointsArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let run = resolve::run(&store, &args.run)?;
    resolve::metric(&run, &args.metric)?;
    let order = match args.order {
        PointOrder::Written => Order::AsWritten,
        PointOrder::Step => Order::ByStep,
        PointOrder::Last => Order::LastPerStep,
    };
    let bound = |step: Option<i64>| step.map_or(Bound::Unbounded, Bound::Included);
    let snapshot = store.snapshot(run.id)?;
    let query = snapshot.metric(&args.metric)?.steps((bound(args.from), bound(args.to)));
    let columns = query.order(order).read()?;
    if args.output.json { as_json(&run, &args.metric, &columns, context) } else { as_text(&columns, context) }
}

fn as_text(columns: &Columns, context: &mut Context) -> Outcome {
    let digits = |number: i64| number.to_string().len();
    let wide = |title: usize, list: &[i64]| list.iter().map(|n| digits(*n)).fold(title, usize::max);
    let (steps, times) = (wide(4, columns.steps()), wide(12, columns.timestamps()));
    context.line(format_args!("{:>steps$}  {:>times$}  value", "step", "timestamp_ms"))?;
    for point in columns.iter() {
        let value = exact(point.value);
        context.line(format_args!("{:>steps$}  {:>times$}  {value}", point.step, point.timestamp))?;
    }
    Ok(())
}

/// Written point by point: a document of millions of points is not held in memory.
fn as_json(run: &Run, metric: &str, columns: &Columns, context: &mut Context) -> Outcome {
    let (id, metric) = (Value::from(run.id.to_string()), Value::from(metric));
    context.line(format_args!("{{\n  \"run_id\": {id},\n  \"metric\": {metric},\n  \"points\": ["))?;
    let last = columns.len().saturating_sub(1);
    for (at, point) in columns.iter().enumerate() {
        context.line(format_args!("    {}{}", point_json(point), if at == last { "" } else { "," }))?;
    }
    context.line("  ]\n}")
}
