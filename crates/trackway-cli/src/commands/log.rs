//! `log`: what standard input says, line by line, into a run.

use crate::args::{LineFormat, LogArgs};
use crate::error::{Failure, Outcome, warn};
use crate::log_lines::{CsvHeader, Line, json_line};
use crate::output::Context;
use crate::resolve;
use crate::text::{now_ms, one_line, plural};
use std::io::{BufRead, Read as _};
use trackway::{ErrorKind, NewRun, RunId, RunStatus, RunWriter, Store};

/// A longer line is broken.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Warnings shown one by one; of more only the number is told.
const MAX_WARNINGS: u64 = 20;

/// Times before this many milliseconds (March 1973) are taken for seconds by mistake.
const SUSPICIOUS_MS: i64 = 100_000_000_000;

pub(crate) fn run(args: LogArgs, context: &mut Context) -> Outcome {
    let store = context.open_or_create()?;
    let strict = args.strict;
    let (writer, first_step) = begin(&store, &args)?;
    context.line(writer.id())?;
    context.flush()?;
    let mut session = Session { writer: &writer, strict, next_step: first_step, ..Session::new(&writer) };
    match session.read(&mut std::io::stdin().lock(), args.format) {
        Ok(()) => writer.finish()?,
        Err(failure) => {
            // The failure that led here is the one to be told.
            let _ = writer.end(RunStatus::Failed, None);
            return Err(failure.hint(format!("run {} ended as FAILED; what was read is stored", writer.id())));
        }
    }
    session.summary();
    drop(writer);
    Ok(store.close()?)
}

/// Creates or resumes the run; also gives the step of the first line that has none.
fn begin(store: &Store, args: &LogArgs) -> Outcome<(RunWriter, i64)> {
    let pairs = |list: &[(String, String)]| list.to_vec();
    let Some(text) = &args.run else {
        let mut new = NewRun::new(store.experiment_or_create(&args.experiment)?);
        (new.name, new.params, new.tags) = (args.name.clone(), pairs(&args.params), pairs(&args.tags));
        new.user = std::env::var("USER").ok().filter(|user| !user.is_empty());
        return Ok((store.create_run(new)?, 0));
    };
    let run = resolve::run(store, text)?;
    let last = run.metrics.values().map(|metric| metric.latest.step).max();
    let writer = resume(store, run.id)?;
    if let Some(name) = &args.name {
        writer.set_name(name)?;
    }
    let params: Vec<(&str, &str)> = args.params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if let Err(error) = writer.log_params(&params) {
        // A param that differs changes nothing, so the run must not look as if work on it had failed.
        writer.end(run.status, run.end_time)?;
        return Err(error.into());
    }
    for (key, value) in &args.tags {
        writer.set_tag(key, value)?;
    }
    Ok((writer, last.map_or(0, |last| last.saturating_add(1))))
}

fn resume(store: &Store, id: RunId) -> Outcome<RunWriter> {
    Ok(store.resume_run(id)?)
}

/// The reading of one input.
struct Session<'a> {
    writer: &'a RunWriter,
    strict: bool,
    /// Step of the next line that has none.
    next_step: i64,
    line_number: u64,
    lines: u64,
    points: u64,
    skipped: u64,
    broken: u64,
    warned_of_seconds: bool,
}

/// The format, once it is known.
enum Format {
    Jsonl,
    Csv(CsvHeader),
}

impl<'a> Session<'a> {
    fn new(writer: &'a RunWriter) -> Self {
        Self {
            writer,
            strict: false,
            next_step: 0,
            line_number: 0,
            lines: 0,
            points: 0,
            skipped: 0,
            broken: 0,
            warned_of_seconds: false,
        }
    }

    fn read(&mut self, input: &mut impl BufRead, format: Option<LineFormat>) -> Outcome {
        let mut format = match format {
            Some(LineFormat::Jsonl) => Some(Format::Jsonl),
            _ => None,
        };
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
            if read.map_err(|e| Failure::new(format!("cannot read standard input: {e}")))? == 0 {
                return Ok(());
            }
            self.line_number += 1;
            let text = String::from_utf8_lossy(&bytes);
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            if text.trim().is_empty() {
                continue;
            }
            let line = match &mut format {
                None if text.trim_start().starts_with('{') => {
                    format = Some(Format::Jsonl);
                    json_line(text)
                }
                None => {
                    // Without a header no later line means anything.
                    let header = CsvHeader::new(text).map_err(|what| self.failure(&what))?;
                    format = Some(Format::Csv(header));
                    continue;
                }
                Some(Format::Jsonl) => json_line(text),
                Some(Format::Csv(header)) => header.line(text),
            };
            match line {
                Ok(line) => self.log(line)?,
                Err(what) => self.broken(&what)?,
            }
        }
    }

    fn log(&mut self, line: Line) -> Outcome {
        let step = line.step.unwrap_or(self.next_step);
        self.next_step = self.next_step.saturating_add(1);
        self.lines += 1;
        self.skipped += line.skipped;
        if line.values.is_empty() {
            return Ok(());
        }
        let timestamp = line.timestamp.unwrap_or_else(now_ms);
        if (1..SUSPICIOUS_MS).contains(&timestamp) && !self.warned_of_seconds {
            self.warned_of_seconds = true;
            warn(format_args!("timestamps are milliseconds since 1970; {timestamp} looks like seconds"));
        }
        let values: Vec<(&str, f64)> = line.values.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        match self.writer.log_metrics_at(step, timestamp, &values) {
            Ok(()) => self.points += values.len() as u64,
            Err(error) if error.kind() == ErrorKind::InvalidInput => self.broken(&error.to_string())?,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A line that cannot be logged: a warning, or with `--strict` the end.
    fn broken(&mut self, what: &str) -> Outcome {
        if self.strict {
            return Err(self.failure(what));
        }
        self.broken += 1;
        if self.broken <= MAX_WARNINGS {
            warn(format_args!("line {}: {}; left out", self.line_number, one_line(what)));
        }
        Ok(())
    }

    fn failure(&self, what: &str) -> Failure {
        Failure::new(format!("line {}: {what}", self.line_number))
    }

    fn summary(&self) {
        let (points, lines) = (plural(self.points, "point"), plural(self.lines, "line"));
        if self.skipped > 0 {
            warn(format_args!("{} left out that are no numbers", plural(self.skipped, "value")));
        }
        if self.broken > 0 {
            warn(format_args!("{} left out", plural(self.broken, "broken line")));
        }
        eprintln!("trackway: logged {points} from {lines} to run {}", self.writer.id());
    }
}
