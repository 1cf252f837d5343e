//! The long form of points as text: `run,key,step,timestamp_ms,value`, one point a row. `export` writes it, `import`
//! reads it.

use crate::error::{Failure, Outcome};
use crate::values::{parse_int, parse_value, push_int, push_value};
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

/// The columns, in the order in which `export` writes them.
pub const COLUMNS: [&str; 5] = ["run", "key", "step", "timestamp_ms", "value"];

/// A longer record is taken for a file of another kind: the longest legal one is a few kB.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// Where one field of a record lies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    range: Range<usize>,
    quoted: bool,
}

impl Field {
    /// The field's content without its quotes; `None` when the quotes are wrong.
    pub(crate) fn content<'a>(&self, record: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let raw = record.get(self.range.clone())?;
        if !self.quoted {
            return Some(Cow::Borrowed(raw));
        }
        let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let mut content = Vec::with_capacity(inner.len());
        let mut bytes = inner.iter();
        while let Some(&byte) = bytes.next() {
            if byte == b'"' && bytes.next() != Some(&b'"') {
                return None;
            }
            content.push(byte);
        }
        Some(Cow::Owned(content))
    }
}

/// Splits the first record of `bytes` into fields. Gives its length with its line end, and the line breaks inside
/// quotes; `None` when `bytes` end before the record does (the fields are then those seen so far).
pub(crate) fn split(bytes: &[u8], fields: &mut Vec<Field>) -> Option<(usize, u64)> {
    fields.clear();
    let (mut start, mut quoted, mut inside, mut breaks) = (0, false, false, 0);
    for (i, &byte) in bytes.iter().enumerate() {
        if byte > b',' {
            continue;
        }
        match byte {
            b'"' if quoted || i == start => (quoted, inside) = (true, !inside),
            b'\n' if inside => breaks += 1,
            b',' | b'\n' if !inside => {
                let cr = byte == b'\n' && i > start && bytes.get(i - 1) == Some(&b'\r');
                fields.push(Field { range: start..i - usize::from(cr), quoted });
                if byte == b'\n' {
                    return Some((i + 1, breaks));
                }
                (start, quoted) = (i + 1, false);
            }
            _ => {}
        }
    }
    fields.push(Field { range: start..bytes.len(), quoted });
    None
}

/// One point as a row has it.
#[derive(Debug)]
pub struct Row<'a> {
    /// Id or name of the run.
    pub run: Cow<'a, [u8]>,
    /// Key of the metric.
    pub key: Cow<'a, [u8]>,
    /// The step.
    pub step: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// The value.
    pub value: f64,
}

/// Reads rows from CSV with a header; columns may come in any order.
#[derive(Debug)]
pub struct RowReader<R> {
    input: R,
    name: String,
    buffer: Vec<u8>,
    filled: Range<usize>,
    at_end: bool,
    line: u64,
    next_line: u64,
    record: Range<usize>,
    fields: Vec<Field>,
    columns: [usize; 5],
    consumed: u64,
}

impl<R: Read> RowReader<R> {
    /// Starts reading; `name` is what errors call the input.
    ///
    /// # Errors
    /// When the header lacks a column.
    pub fn new(input: R, name: impl Into<String>) -> Outcome<Self> {
        let mut reader = Self {
            input,
            name: name.into(),
            buffer: vec![0; 1 << 18],
            filled: 0..0,
            at_end: false,
            line: 0,
            next_line: 1,
            record: 0..0,
            fields: Vec::new(),
            columns: [0; 5],
            consumed: 0,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// Bytes of the input that the records so far took.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The line on which the last record began, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// What an error about the last record says.
    pub fn failure(&self, what: impl std::fmt::Display) -> Failure {
        Failure::new(format!("{}, line {}: {what}", self.name, self.line))
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// When the row is not one, naming input and line.
    pub fn next_row(&mut self) -> Outcome<Option<Row<'_>>> {
        if !self.next_record()? {
            return Ok(None);
        }
        self.row().map(Some)
    }

    /// Goes to the next row of another run than `run`, nothing else of the rows being looked at, and puts its `run`
    /// there; false at the end.
    ///
    /// # Errors
    /// When a row has no such field, naming input and line.
    pub fn next_run(&mut self, run: &mut Vec<u8>) -> Outcome<bool> {
        loop {
            if self.columns.first() == Some(&0) {
                self.skip_lines_of(run);
            }
            if !self.next_record()? {
                return Ok(false);
            }
            let found = self.field(0)?;
            if found.as_ref() != run.as_slice() {
                let found = found.into_owned();
                *run = found;
                return Ok(true);
            }
        }
    }

    /// Skips the lines at hand that begin with this run and have no quotes.
    fn skip_lines_of(&mut self, run: &[u8]) {
        loop {
            let rest = self.buffer.get(self.filled.clone()).unwrap_or_default();
            if run.is_empty() || rest.get(run.len()) != Some(&b',') || !rest.starts_with(run) {
                return;
            }
            let Some(end) = memchr::memchr2(b'\n', b'"', rest) else { return };
            if rest.get(end) != Some(&b'\n') {
                return;
            }
            self.filled.start += end + 1;
            self.consumed += end as u64 + 1;
            self.next_line += 1;
        }
    }

    fn read_header(&mut self) -> Outcome {
        let wanted = || format!("the header must name the columns {}", COLUMNS.join(","));
        if !self.next_record()? {
            return Err(Failure::new(format!("{} is empty: {}", self.name, wanted())));
        }
        let record = self.buffer.get(self.record.clone()).unwrap_or_default();
        let strip = |bytes: &[u8]| bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii().to_vec();
        let names: Vec<Vec<u8>> = self.fields.iter().map(|f| strip(&f.content(record).unwrap_or_default())).collect();
        for (slot, column) in self.columns.iter_mut().zip(COLUMNS) {
            let found = names.iter().position(|name| name == column.as_bytes());
            *slot = found
                .ok_or_else(|| Failure::new(format!("{}, line 1: no column {column:?}; {}", self.name, wanted())))?;
        }
        Ok(())
    }

    fn row(&self) -> Outcome<Row<'_>> {
        let number = |column: usize, what: &str| {
            let field = self.field(column)?;
            parse_int(&field)
                .ok_or_else(|| self.failure(format_args!("{what} {:?} is not a whole number", text_of(&field))))
        };
        let value = self.field(4)?;
        Ok(Row {
            run: self.field(0)?,
            key: self.field(1)?,
            step: number(2, "step")?,
            timestamp: number(3, "timestamp_ms")?,
            value: parse_value(&value)
                .ok_or_else(|| self.failure(format_args!("value {:?} is not a number", text_of(&value))))?,
        })
    }

    fn field(&self, column: usize) -> Outcome<Cow<'_, [u8]>> {
        let record = self.buffer.get(self.record.clone()).unwrap_or_default();
        let field = self.columns.get(column).and_then(|at| self.fields.get(*at));
        let name = COLUMNS.get(column).unwrap_or(&"");
        let field = field.ok_or_else(|| {
            let found = crate::text::plural(self.fields.len() as u64, "field");
            self.failure(format_args!("no field for column {name:?}, the row has {found}"))
        })?;
        field.content(record).ok_or_else(|| self.failure(format_args!("wrong quotes in column {name:?}")))
    }

    /// Finds the next record that is not an empty line; false at the end.
    fn next_record(&mut self) -> Outcome<bool> {
        loop {
            let bytes = self.buffer.get(self.filled.clone()).unwrap_or_default();
            let (length, breaks) = match split(bytes, &mut self.fields) {
                Some(found) => found,
                None if self.at_end => (bytes.len(), 0),
                None => {
                    self.fill()?;
                    continue;
                }
            };
            if length == 0 {
                return Ok(false);
            }
            let begin = self.filled.start;
            self.filled.start += length;
            self.consumed += length as u64;
            self.line = self.next_line;
            self.next_line += 1 + breaks;
            self.record = begin..begin + length;
            let is_blank = self.fields.len() == 1 && self.fields.iter().all(|field| field.range.is_empty());
            if !is_blank {
                return Ok(true);
            }
        }
    }

    /// Gets more input behind what is not yet consumed.
    fn fill(&mut self) -> Outcome {
        self.buffer.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        if self.filled.len() > MAX_RECORD_BYTES {
            self.line = self.next_line;
            return Err(self.failure(format_args!("a row of more than {MAX_RECORD_BYTES} bytes: is this CSV?")));
        }
        if self.filled.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let room = self.buffer.get_mut(self.filled.end..).unwrap_or_default();
        loop {
            match self.input.read(room) {
                Ok(0) => self.at_end = true,
                Ok(n) => self.filled.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::new(format!("cannot read {}: {e}", self.name))),
            }
            return Ok(());
        }
    }
}

fn text_of(bytes: &[u8]) -> String {
    crate::text::ellipsis(&String::from_utf8_lossy(bytes), 40)
}

/// How `export` writes a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFormat {
    /// CSV with a header.
    #[default]
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl RowFormat {
    /// What precedes the rows.
    pub fn header(self) -> String {
        match self {
            Self::Csv => COLUMNS.join(",") + "\n",
            Self::Jsonl => String::new(),
        }
    }

    /// What each row of this run and metric begins with.
    pub fn prefix(self, run: &str, key: &str) -> Vec<u8> {
        match self {
            Self::Csv => format!("{},{},", quoted_if_needed(run), quoted_if_needed(key)).into_bytes(),
            Self::Jsonl => {
                let quoted = |text: &str| serde_json::Value::from(text).to_string();
                format!("{{\"run\":{},\"key\":{},\"step\":", quoted(run), quoted(key)).into_bytes()
            }
        }
    }

    /// Appends a row.
    pub fn push(self, out: &mut Vec<u8>, prefix: &[u8], step: i64, timestamp: i64, value: f64) {
        out.extend_from_slice(prefix);
        push_int(out, step);
        out.extend_from_slice(if self == Self::Csv { b"," } else { b",\"timestamp_ms\":" });
        push_int(out, timestamp);
        out.extend_from_slice(if self == Self::Csv { b"," } else { b",\"value\":" });
        let quote = self == Self::Jsonl && !value.is_finite();
        if quote {
            out.push(b'"');
        }
        push_value(out, value);
        if quote {
            out.push(b'"');
        }
        out.extend_from_slice(if self == Self::Csv { b"\n" } else { b"}\n" });
    }
}

fn quoted_if_needed(text: &str) -> Cow<'_, str> {
    let needs = text.is_empty() || text.trim() != text || text.contains(['"', ',', '\n', '\r']);
    if needs { Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
