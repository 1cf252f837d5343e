//! `log`: what standard input says, line by line, into a run.

use crate::args::{LineFormat, LogArgs};
use crate::error::{Failure, Outcome, warn};
use crate::log_lines::{CsvHeader, Line, json_line};
use crate::output::Context;
use crate::resolve;
use crate::text::{now_ms, one_line, plural};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, Read as _};
use trackway::{Error, ErrorKind, NewRun, ParamKey, Run, RunName, RunStatus, RunWriter, Store, TagKey};

/// A longer line is broken.
const MAX_LINE_BYTES: u64 = 16 << 20;

const TOO_LONG: &str = "longer than 16 MiB";

const NOT_UTF8: &str = "the name of a metric is not UTF-8";

/// Warnings shown one by one; of more only the number is told.
const MAX_WARNINGS: u64 = 20;

/// Times before this many milliseconds (March 1973) are taken for seconds by mistake.
const SUSPICIOUS_MS: i64 = 100_000_000_000;

pub(crate) fn run(args: LogArgs, context: &mut Context) -> Outcome {
    let store = context.open_or_create()?;
    let strict = args.strict;
    let (writer, first_step) = begin(&store, &args)?;
    // Nobody reading the id is no reason to drop what is to be logged: that is told at the end.
    let told = context.line(writer.id()).and_then(|()| context.flush());
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
    store.close()?;
    told
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
    check(args, &run)?;
    let last = run.metrics.values().map(|metric| metric.latest.step).max();
    let writer = store.resume_run(run.id)?;
    if let Some(name) = &args.name {
        writer.set_name(name)?;
    }
    let params: Vec<(&str, &str)> = args.params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if let Err(error) = writer.log_params(&params) {
        // Another writer was faster: the run must not look as if work on it had failed.
        writer.end(run.status, run.end_time)?;
        return Err(error.into());
    }
    for (key, value) in &args.tags {
        writer.set_tag(key, value)?;
    }
    Ok((writer, last.map_or(0, |last| last.saturating_add(1))))
}

/// Refuses what the run could not take, before it is touched: a run that ended must not look as if work on it had been
/// broken off because somebody mistyped a tag.
fn check(args: &LogArgs, run: &Run) -> Outcome {
    args.name.as_ref().map(RunName::new).transpose()?;
    let mut given: HashMap<&str, &str> = run.params.iter().map(|(k, v)| (&**k, v.as_str())).collect();
    for (key, value) in &args.params {
        ParamKey::new(key)?;
        let stored = *given.entry(key).or_insert(value);
        if stored != value {
            let (run, key) = (run.id.to_string(), key.clone());
            return Err(Error::ParamConflict { run, key, stored: stored.to_owned(), given: value.clone() }.into());
        }
    }
    args.tags.iter().try_for_each(|(key, _)| TagKey::new(key).map(drop))?;
    // An argument of the command line is shorter than the longest value.
    Ok(())
}

/// Reads a line; false when it is too long, its rest is then skipped. Leaves nothing at the end of the input.
fn next_line(input: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<bool> {
    input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', bytes)?;
    let is_whole = bytes.ends_with(b"\n") || bytes.len() as u64 <= MAX_LINE_BYTES;
    if !is_whole {
        input.skip_until(b'\n')?;
    }
    Ok(is_whole)
}

/// Whether a line is a JSON object, which no line of CSV is.
fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && json_line(text).is_ok()
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
        let is_given = format.is_some();
        let mut format = match format {
            Some(LineFormat::Jsonl) => Some(Format::Jsonl),
            _ => None,
        };
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let is_whole =
                next_line(input, &mut bytes).map_err(|e| Failure::new(format!("cannot read standard input: {e}")))?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.line_number += 1;
            let text = String::from_utf8_lossy(&bytes);
            let is_utf8 = matches!(text, Cow::Borrowed(_));
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            if text.trim().is_empty() {
                continue;
            }
            if matches!(format, Some(Format::Csv(_))) && !is_given && self.points == 0 && is_object(text) {
                warn("the input began with text that is no header; from here on it is JSON lines");
                format = Some(Format::Jsonl);
            }
            let line = match &mut format {
                Some(_) if !is_whole => Err(TOO_LONG.to_owned()),
                None if !is_whole => return Err(self.failure(TOO_LONG)),
                None if !is_given && text.trim_start().starts_with('{') => {
                    format = Some(Format::Jsonl);
                    json_line(text)
                }
                None => {
                    // Without a header no later line means anything.
                    let header = if is_utf8 { CsvHeader::new(text) } else { Err(NOT_UTF8.to_owned()) };
                    let header = header.map_err(|what| self.failure(&what))?;
                    format = Some(Format::Csv(header));
                    continue;
                }
                Some(Format::Jsonl) => json_line(text),
                Some(Format::Csv(header)) => header.line(text),
            };
            // What could not be read became U+FFFD: harmless in a note, but two metrics would become one.
            let is_garbled = |line: &Line| !is_utf8 && line.values.iter().any(|(key, _)| key.contains('\u{fffd}'));
            match line {
                Ok(line) if is_garbled(&line) => self.broken(NOT_UTF8)?,
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
