//! `stats`: what the store holds and how it is stored.

use crate::args::JsonArgs;
use crate::error::Outcome;
use crate::output::Context;
use crate::table::{Fit, Table};
use crate::text::{bytes, count, plural};
use serde_json::{Value, json};
use trackway::StoreStatistics;

pub(crate) fn run(args: JsonArgs, context: &mut Context) -> Outcome {
    let statistics = context.open_to_read()?.statistics()?;
    if args.json {
        return context.json(&to_json(&statistics));
    }
    print(&statistics, context)
}

fn to_json(s: &StoreStatistics) -> Value {
    let codecs: Vec<Value> = s
        .codecs
        .iter()
        .map(|c| {
            let (column, codec) = (c.column, c.codec);
            json!({ "column": column, "codec": codec, "chunks": c.chunks, "rows": c.rows, "bytes": c.bytes })
        })
        .collect();
    json!({
        "experiments": s.experiments, "runs": s.runs, "metrics": s.metrics, "points": s.points, "chunks": s.chunks,
        "files": s.files, "bytes": s.bytes, "allocated_bytes": s.allocated_bytes,
        "bytes_per_point": s.bytes_per_point(),
        "segment_files": s.segment_files, "segment_bytes": s.segment_bytes,
        "log_files": s.log_files, "log_bytes": s.log_bytes, "catalog_bytes": s.catalog_bytes,
        "artifact_files": s.artifact_files, "artifact_bytes": s.artifact_bytes, "codecs": codecs,
    })
}

/// Prints the statistics as text.
pub(crate) fn print(s: &StoreStatistics, context: &mut Context) -> Outcome {
    let (runs, experiments) = (plural(s.runs, "run"), plural(s.experiments, "experiment"));
    context.line(format_args!("{} of {} of {runs} in {experiments}", plural(s.points, "point"), metrics(s.metrics)))?;
    let per_point = s.bytes_per_point().map_or_else(String::new, |x| format!(", {x:.3} bytes per point"));
    let (size, allocated) = (bytes(s.bytes), bytes(s.allocated_bytes));
    context.line(format_args!("{}: {size}{per_point} ({allocated} on disk)", plural(s.files, "file")))?;
    let mut files = Table::new().left("KIND", Fit::Whole).right("FILES", Fit::Whole).right("SIZE", Fit::Whole);
    files.push(vec!["segments".into(), count(s.segment_files).into(), bytes(s.segment_bytes).into()]);
    files.push(vec!["logs".into(), count(s.log_files).into(), bytes(s.log_bytes).into()]);
    files.push(vec!["catalog".into(), "".into(), bytes(s.catalog_bytes).into()]);
    files.push(vec!["artifacts".into(), count(s.artifact_files).into(), bytes(s.artifact_bytes).into()]);
    context.line("")?;
    context.table(&files)?;
    if s.codecs.is_empty() {
        return Ok(());
    }
    let codecs = Table::new().left("COLUMN", Fit::Whole).left("CODEC", Fit::Cut).right("CHUNKS", Fit::Whole);
    let codecs = codecs.right("ROWS", Fit::Whole).right("SIZE", Fit::Whole);
    let mut codecs = codecs.right("BYTES/ROW", Fit::Optional);
    for c in &s.codecs {
        let per_row = if c.rows > 0 { format!("{:.3}", c.bytes as f64 / c.rows as f64) } else { String::new() };
        let (column, codec) = (c.column.into(), c.codec.into());
        codecs.push(vec![
            column,
            codec,
            count(c.chunks).into(),
            count(c.rows).into(),
            bytes(c.bytes).into(),
            per_row.into(),
        ]);
    }
    context.line(format_args!("\n{}", plural(s.chunks, "chunk")))?;
    context.table(&codecs)
}

fn metrics(n: u64) -> String {
    plural(n, "metric")
}
