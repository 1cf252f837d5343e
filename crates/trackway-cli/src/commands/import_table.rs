//! `import table`: CSV and JSON lines, in the long form (a point a row) and the wide one (a step a row).

use super::transfer::transfer;
use crate::args::{LineFormat, TableArgs};
use crate::error::{Failure, Outcome};
use crate::log_lines::{CsvHeader, Line, json_object, object_line, whole};
use crate::output::Context;
use crate::rows::{COLUMNS, RowReader};
use crate::values::parse_value;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use trackway::Point;
use trackway_import::{Error, RowImport};

/// A longer line is taken for a file of another kind.
const MAX_LINE_BYTES: u64 = 1 << 26;

pub(crate) fn run(args: &TableArgs, context: &mut Context) -> Outcome {
    if args.name.is_none() && args.files.iter().any(|file| file == Path::new("-")) {
        return Err(Failure::new("standard input has no name").hint("name the run of rows that name none: --name NAME"));
    }
    let store = context.open_or_create()?;
    transfer(context, args.output.json, store, &mut |store, watch| {
        let mut rows = RowImport::new(store, &args.experiment, watch)?;
        for file in &args.files {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let run = args.name.as_deref().unwrap_or(&stem);
            Table { file, run, rows: &mut rows, lines: HashMap::new() }.read(args.format)?;
        }
        rows.finish()
    })
}

/// One file on its way.
struct Table<'a, 'b> {
    file: &'a Path,
    /// The run of rows that name none.
    run: &'a str,
    rows: &'a mut RowImport<'b>,
    /// Lines so far of each run that says no steps.
    lines: HashMap<String, i64>,
}

type Done = trackway_import::Result<()>;

impl Table<'_, '_> {
    fn read(&mut self, format: Option<LineFormat>) -> Done {
        let io = |source| Error::Io { path: self.file.to_path_buf(), action: "read", source };
        let input: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(File::open(self.file).map_err(io)?)
        };
        let mut input = BufReader::with_capacity(1 << 18, input);
        // Blank lines and the first other one tell the form; then they are read as all the rest.
        let mut start = Vec::new();
        while start.trim_ascii().is_empty() {
            if (&mut input).take(MAX_LINE_BYTES).read_until(b'\n', &mut start).map_err(io)? == 0 {
                return Ok(());
            }
        }
        let (is_json, is_long) = (start.trim_ascii().starts_with(b"{"), is_long(&start));
        let input = Cursor::new(start).chain(input);
        let found = if is_json { LineFormat::Jsonl } else { LineFormat::Csv };
        match format.unwrap_or(found) {
            LineFormat::Jsonl => self.read_lines(input, &mut |table, text| table.json_line(text)),
            LineFormat::Csv if is_long => self.read_long(input),
            LineFormat::Csv => {
                let mut header = None;
                self.read_lines(input, &mut |table, text| match &mut header {
                    None => {
                        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                        header = Some(CsvHeader::of_table(text).map_err(Wrong::Text)?);
                        Ok(())
                    }
                    Some(header) => header.line(text).map_err(Wrong::Text).and_then(|line| table.wide(line)),
                })
            }
        }
    }

    fn at(&self, line: u64, reason: impl std::fmt::Display) -> Error {
        Error::Source { path: self.file.to_path_buf(), reason: format!("line {line}: {reason}") }
    }

    fn read_long(&mut self, input: impl Read) -> Done {
        let told = |failure: Failure| {
            let Failure::Told { message, .. } = failure else { return Error::Stopped };
            Error::Source { path: self.file.to_path_buf(), reason: message }
        };
        let mut reader = RowReader::new(input, "it").map_err(told)?;
        while let Some(row) = reader.next_row().map_err(told)? {
            let texts = (std::str::from_utf8(&row.run), std::str::from_utf8(&row.key));
            let point = Point::new(row.step, row.timestamp, row.value);
            let pushed = match texts {
                (Ok(run), Ok(key)) => self.rows.push(run, key, point).map_err(Wrong::Row),
                _ => Err(Wrong::Text("it is not UTF-8".to_owned())),
            };
            pushed.map_err(|wrong| wrong.at(self, reader.line()))?;
        }
        Ok(())
    }

    fn read_lines(
        &mut self,
        mut input: impl BufRead,
        each: &mut dyn FnMut(&mut Self, &str) -> Result<(), Wrong>,
    ) -> Done {
        let (mut bytes, mut number) = (Vec::new(), 0);
        loop {
            bytes.clear();
            let read = (&mut input).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
            let read = read.map_err(|source| Error::Io { path: self.file.to_path_buf(), action: "read", source })?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            if read as u64 == MAX_LINE_BYTES {
                return Err(self.at(number, "it is longer than such a line"));
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| self.at(number, "it is not UTF-8"))?;
            if !text.trim().is_empty() {
                each(self, text).map_err(|wrong| wrong.at(self, number))?;
            }
        }
    }

    /// An object with a `key` and a `value` is a point, as `export --format jsonl` writes it.
    fn json_line(&mut self, text: &str) -> Result<(), Wrong> {
        let mut object = json_object(text).map_err(Wrong::Text)?;
        let run = match object.shift_remove("run") {
            Some(Value::String(run)) => Some(run),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        if object.get("key").is_some_and(Value::is_string) && object.contains_key("value") {
            let (key, point) = long(&object).map_err(Wrong::Text)?;
            return self.rows.push(run.as_deref().unwrap_or(self.run), key, point).map_err(Wrong::Row);
        }
        let line = object_line(object).map_err(Wrong::Text)?;
        self.wide(Line { run, ..line })
    }

    /// The values of a line, at one step and time.
    fn wide(&mut self, line: Line) -> Result<(), Wrong> {
        let run = line.run.as_deref().unwrap_or(self.run);
        let count = self.lines.entry(run.to_owned()).or_default();
        let step = line.step.unwrap_or(*count);
        *count += 1;
        for (key, value) in &line.values {
            let point = Point::new(step, line.timestamp.unwrap_or(0), *value);
            self.rows.push(run, key, point).map_err(Wrong::Row)?;
        }
        Ok(())
    }
}

/// What is wrong with a line.
enum Wrong {
    Text(String),
    Row(Error),
}

impl Wrong {
    fn at(self, table: &Table<'_, '_>, line: u64) -> Error {
        match self {
            Self::Row(Error::Refused { place, source }) => table.at(line, format_args!("{place}: {source}")),
            Self::Row(error) => error,
            Self::Text(reason) => table.at(line, reason),
        }
    }
}

/// Whether the header names the columns of the long form.
fn is_long(header: &[u8]) -> bool {
    let header = header.trim_ascii().strip_prefix(b"\xef\xbb\xbf").unwrap_or(header);
    let names: Vec<&[u8]> = header.split(|byte| *byte == b',').map(|name| name.trim_ascii()).collect();
    COLUMNS.iter().all(|column| names.contains(&column.as_bytes()))
}

fn long(object: &Map<String, Value>) -> Result<(&str, Point), String> {
    let number = |name: &str| {
        let value = object.get(name).ok_or_else(|| format!("it has no {name}"))?;
        whole(value).ok_or_else(|| format!("{name} {value} is not a whole number"))
    };
    let time = if object.contains_key("timestamp_ms") { "timestamp_ms" } else { "timestamp" };
    let value = object.get("value").unwrap_or(&Value::Null);
    let parsed = match value {
        Value::String(text) => parse_value(text.as_bytes()),
        other => other.as_f64(),
    };
    let parsed = parsed.ok_or_else(|| format!("value {value} is not a number"))?;
    let key = object.get("key").and_then(Value::as_str).unwrap_or_default();
    Ok((key, Point::new(number("step")?, number(time)?, parsed)))
}
