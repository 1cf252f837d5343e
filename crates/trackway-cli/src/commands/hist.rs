//! `hist`: how often values of a metric lie where.

use crate::args::HistArgs;
use crate::error::{Failure, Outcome};
use crate::output::{Context, DEFAULT_WIDTH};
use crate::resolve;
use crate::text::{count, plural};
use crate::values::{json, short};
use serde_json::{Value, json};
use std::ops::Bound;
use trackway::Histogram;

/// Characters of the longest bar, where there is room.
const MAX_BAR: usize = 60;

pub(crate) fn run(args: &HistArgs, context: &mut Context) -> Outcome {
    if let (Some(min), Some(max)) = (args.min, args.max)
        && min > max
    {
        return Err(Failure::new(format!("--min {min} is above --max {max}")));
    }
    let store = context.open_to_read()?;
    let run = resolve::run(&store, &args.run)?;
    resolve::metric(&run, &args.metric)?;
    let bound = |end: Option<f64>| end.map_or(Bound::Unbounded, Bound::Included);
    let snapshot = store.snapshot(run.id)?;
    let range = (bound(args.min), bound(args.max));
    let histogram = snapshot.metric(&args.metric)?.histogram(args.bins.into(), range)?;
    if args.output.json {
        return context.json(&to_json(&histogram));
    }
    let text = render(&histogram, context.width.unwrap_or(DEFAULT_WIDTH));
    context.bytes(text.as_bytes())
}

fn to_json(histogram: &Histogram) -> Value {
    let edges: Vec<Value> = histogram.edges.iter().map(|edge| json(*edge)).collect();
    json!({
        "edges": edges, "counts": histogram.counts, "below": histogram.below, "above": histogram.above,
        "nan": histogram.nan_count, "negative_infinity": histogram.negative_infinity,
        "positive_infinity": histogram.positive_infinity,
    })
}

/// A line for each bin, and for each other count that is not 0.
fn render(histogram: &Histogram, width: usize) -> String {
    let edges: Vec<String> = histogram.edges.iter().map(|edge| short(*edge)).collect();
    let counts: Vec<String> = histogram.counts.iter().map(|n| count(*n)).collect();
    let widest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    let (edge_width, count_width) = (widest(&edges), widest(&counts));
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = width.saturating_sub(2 * edge_width + count_width + 8).clamp(8, MAX_BAR);
    let mut text = String::new();
    for ((edges, n), shown) in edges.windows(2).zip(&histogram.counts).zip(&counts) {
        let [from, to] = edges else { continue };
        // A bin that is not empty is seen.
        let long = (*n as f64 / most as f64 * bar as f64).ceil() as usize;
        let line = format!("{from:>edge_width$} .. {to:>edge_width$}  {shown:>count_width$}  {}", "#".repeat(long));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if edges.is_empty() {
        text.push_str("no bins: no value lies in the range\n");
    }
    let others = [
        (histogram.below, "below"),
        (histogram.above, "above"),
        (histogram.negative_infinity, "-Infinity"),
        (histogram.positive_infinity, "Infinity"),
        (histogram.nan_count, "NaN"),
    ];
    let all = histogram.counts.iter().sum::<u64>() + others.iter().map(|other| other.0).sum::<u64>();
    text.push_str(&plural(all, "point"));
    for (n, what) in others.iter().filter(|other| other.0 > 0) {
        text.push_str(&format!(", {} {what}", count(*n)));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_counts_and_the_rest_is_told() {
        let histogram = Histogram {
            edges: vec![0.0, 0.5, 1.0],
            counts: vec![1000, 1],
            below: 2,
            nan_count: 3,
            ..Histogram::default()
        };
        let text = render(&histogram, 40);
        let bar = |line: &str| line.matches('#').count();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((bar(lines[0]), bar(lines[1])), (40 - "0.5000 .. 0.5000  1,000  ".len(), 1), "{text}");
        assert!(lines[0].contains(".. 0.5000  1,000  #"), "{text}");
        assert_eq!(lines[2], "1,006 points, 2 below, 3 NaN");
        let nothing = Histogram { nan_count: 1, ..Histogram::default() };
        assert_eq!(render(&nothing, 80), "no bins: no value lies in the range\n1 point, 1 NaN\n");
    }
}
