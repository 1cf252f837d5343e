//! `plot`: metrics as a chart in the terminal.

use crate::args::{PlotArgs, XAxis};
use crate::chart::{Chart, Line};
use crate::error::{Failure, Outcome};
use crate::output::{Context, DEFAULT_WIDTH};
use crate::resolve;
use crate::text::duration;
use trackway::{Order, Run, Store};

pub(crate) fn run(args: &PlotArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let mut runs = vec![resolve::run(&store, &args.run)?];
    for other in &args.vs {
        runs.push(resolve::run(&store, other)?);
    }
    let mut lines = Vec::new();
    for run in &runs {
        // With several runs a metric may be missing from some, but not from all.
        for key in args.metrics.iter().filter(|key| runs.len() == 1 || run.metrics.contains_key(*key)) {
            resolve::metric(run, key)?;
            let label = if runs.len() == 1 { key.clone() } else { format!("{} {key}", label(run)) };
            lines.push(line(&store, run, key, args.x, label)?);
        }
    }
    if lines.is_empty() {
        return Err(Failure::new(format!("none of the {} runs has any of these metrics", runs.len())));
    }
    let chart = chart(context, args);
    context.bytes(chart.render(&lines).as_bytes())
}

fn chart(context: &Context, args: &PlotArgs) -> Chart {
    let width = args.width.map(usize::from).or(context.width).unwrap_or(DEFAULT_WIDTH);
    Chart {
        width,
        height: args.height.into(),
        log_y: args.log_y,
        color: context.color,
        ascii: args.ascii,
        x_title: if args.x == XAxis::Step { "step" } else { "time" },
        x_label: if args.x == XAxis::Step { |x| format!("{x:.0}") } else { |x| duration(x as i64) },
    }
}

/// A metric as a line, by rising x.
pub(crate) fn line(store: &Store, run: &Run, key: &str, x: XAxis, label: String) -> Outcome<Line> {
    let snapshot = store.snapshot(run.id)?;
    let columns = snapshot.metric(key)?.order(Order::ByStep).read()?;
    let mut points: Vec<(f64, f64)> = match x {
        XAxis::Step => columns.iter().map(|p| (p.step as f64, p.value)).collect(),
        XAxis::Time => columns.iter().map(|p| (p.timestamp.saturating_sub(run.start_time) as f64, p.value)).collect(),
    };
    if x == XAxis::Time {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    Ok(Line { label, points })
}

fn label(run: &Run) -> String {
    if run.name.is_empty() { run.id.to_string().chars().take(8).collect() } else { crate::text::one_line(&run.name) }
}
