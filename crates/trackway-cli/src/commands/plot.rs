//! `plot`: metrics as a chart in the terminal.

use crate::args::{PlotArgs, XAxis};
use crate::chart::{Chart, Line};
use crate::error::{Failure, Outcome};
use crate::output::{Context, DEFAULT_WIDTH};
use crate::resolve;
use crate::text::{duration, one_line, utc};
use crate::values::short;
use trackway::{Order, Run, Smoothing, Store};

pub(crate) fn run(args: &PlotArgs, context: &mut Context) -> Outcome {
    let store = context.open_to_read()?;
    let mut runs = vec![resolve::run(&store, &args.run)?];
    for other in &args.vs {
        runs.push(resolve::run(&store, other)?);
    }
    let mut lines = Vec::new();
    for run in &runs {
        // With several runs a metric may be missing from some, but not from all.
        for key in args.metrics.iter().filter(|key| runs.len() == 1 || has(run, key, &args.x)) {
            resolve::metric(run, key)?;
            if let XAxis::Metric(x) = &args.x {
                resolve::metric(run, x)?;
            }
            let label = if runs.len() == 1 { key.clone() } else { format!("{} {key}", label(run)) };
            lines.push(line(&store, run, key, &args.x, args.smooth, label)?);
        }
    }
    if lines.is_empty() {
        let along = if let XAxis::Metric(x) = &args.x { format!(" along {x:?}") } else { String::new() };
        return Err(Failure::new(format!("none of the {} runs has any of these metrics{along}", runs.len())));
    }
    let chart = chart(context, args);
    context.bytes(chart.render(&lines).as_bytes())
}

fn has(run: &Run, key: &str, x: &XAxis) -> bool {
    let along = if let XAxis::Metric(x) = x { x } else { key };
    run.metrics.contains_key(key) && run.metrics.contains_key(along)
}

fn chart(context: &Context, args: &PlotArgs) -> Chart {
    let width = args.width.map(usize::from).or(context.width).unwrap_or(DEFAULT_WIDTH);
    let (title, x_label): (&str, fn(f64) -> String) = match &args.x {
        XAxis::Step => ("step", |x| format!("{x:.0}")),
        XAxis::Time => ("UTC", |x| utc(x as i64)),
        XAxis::Relative => ("time", |x| duration(x as i64)),
        XAxis::Metric(key) => (key, short),
    };
    Chart {
        width,
        height: args.height.into(),
        log_x: args.log_x,
        log_y: args.log_y,
        color: context.color,
        ascii: args.ascii,
        x_title: one_line(title),
        x_label,
    }
}

/// A metric as a line, by rising x.
pub(crate) fn line(
    store: &Store,
    run: &Run,
    key: &str,
    x: &XAxis,
    smooth: Option<Smoothing>,
    label: String,
) -> Outcome<Line> {
    let snapshot = store.snapshot(run.id)?;
    let query = snapshot.metric(key)?.order(Order::ByStep);
    let columns = query.read()?;
    let mut without_x = 0;
    let mut points: Vec<(f64, f64)> = match x {
        XAxis::Step => columns.iter().map(|p| (p.step as f64, p.value)).collect(),
        XAxis::Time => columns.iter().map(|p| (p.timestamp as f64, p.value)).collect(),
        XAxis::Relative => {
            columns.iter().map(|p| (p.timestamp.saturating_sub(run.start_time) as f64, p.value)).collect()
        }
        XAxis::Metric(along) => {
            let found = query.against(&snapshot.metric(along)?)?;
            without_x = columns.len() - found.len();
            found.iter().map(|point| (point.x, point.value)).collect()
        }
    };
    let by_x = |points: &mut Vec<(f64, f64)>| points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let is_time = matches!(x, XAxis::Time | XAxis::Relative);
    if is_time {
        by_x(&mut points);
    }
    if let Some(smoothing) = smooth {
        let mut values: Vec<f64> = points.iter().map(|point| point.1).collect();
        smoothing.apply(&mut values);
        points.iter_mut().zip(values).for_each(|(point, value)| point.1 = value);
    }
    // Smoothed by step before.
    if matches!(x, XAxis::Metric(_)) {
        by_x(&mut points);
    }
    Ok(Line { label, points, without_x })
}

fn label(run: &Run) -> String {
    if run.name.is_empty() { run.id.to_string().chars().take(8).collect() } else { one_line(&run.name) }
}
