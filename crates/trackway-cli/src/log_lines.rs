//! The lines that `log` reads: JSON objects, or CSV under a header.

use crate::rows::{Field, split};
use crate::values::{parse_int, parse_value};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What one line says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) step: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub(crate) timestamp: Option<i64>,
    pub(crate) values: Vec<(String, f64)>,
    /// Entries that are no numbers and were left out.
    pub(crate) skipped: u64,
    /// The run that a table names.
    pub(crate) run: Option<String>,
}

impl Line {
    /// The line with each key once; of a repeated key the last counts, as in JSON.
    fn without_repeats(mut self) -> Self {
        let distinct: HashSet<&str> = self.values.iter().map(|(key, _)| key.as_str()).collect();
        if distinct.len() < self.values.len() {
            let mut places = HashMap::new();
            let mut merged: Vec<(String, f64)> = Vec::new();
            for (key, value) in self.values {
                match places.get(&key).and_then(|at: &usize| merged.get_mut(*at)) {
                    Some(entry) => entry.1 = value,
                    None => {
                        places.insert(key.clone(), merged.len());
                        merged.push((key, value));
                    }
                }
            }
            self.values = merged;
        }
        self
    }
}

/// Entries that are not metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Special {
    Step,
    Timestamp,
}

fn special(key: &str) -> Option<Special> {
    match key {
        "step" => Some(Special::Step),
        "timestamp" | "timestamp_ms" => Some(Special::Timestamp),
        _ => None,
    }
}

/// Reads a line that is a JSON object. Objects inside are flattened, `/` between the keys.
pub(crate) fn json_line(text: &str) -> Result<Line, String> {
    json_object(text).and_then(object_line)
}

/// Reads an object.
pub(crate) fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        // Python writes NaN and Infinity without quotes.
        Err(first) => serde_json::from_str(&quote_bare_numbers(text)).map_err(|_| format!("not JSON: {first}"))?,
    };
    let Value::Object(object) = value else { return Err("not a JSON object".to_owned()) };
    Ok(object)
}

/// What an object says as a line.
pub(crate) fn object_line(object: Map<String, Value>) -> Result<Line, String> {
    let mut line = Line::default();
    for (key, value) in object {
        match special(&key) {
            Some(kind) if !value.is_null() => {
                let number = whole(&value).ok_or_else(|| format!("{key} {value} is not a whole number"))?;
                line.set_special(kind, number);
            }
            Some(_) => {}
            None => flatten(&mut line, key, value),
        }
    }
    Ok(line.without_repeats())
}

impl Line {
    fn set_special(&mut self, kind: Special, number: i64) {
        match kind {
            Special::Step => self.step = Some(number),
            Special::Timestamp => self.timestamp = Some(number),
        }
    }
}

fn flatten(line: &mut Line, key: String, value: Value) {
    match value {
        Value::Object(object) => {
            object.into_iter().for_each(|(inner, value)| flatten(line, format!("{key}/{inner}"), value));
        }
        Value::Number(number) => match number.as_f64() {
            Some(number) => line.values.push((key, number)),
            None => line.skipped += 1,
        },
        // Text is no number, except where JSON has no other way to say it.
        Value::String(text) => match parse_value(text.as_bytes()).filter(|value| !value.is_finite()) {
            Some(value) => line.values.push((key, value)),
            None => line.skipped += 1,
        },
        Value::Null | Value::Bool(_) | Value::Array(_) => line.skipped += 1,
    }
}

/// A whole number, also when it is written like 3.0.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    let float = || value.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 9.0e18).map(|x| x as i64);
    value.as_i64().or_else(float)
}

/// Puts quotes around NaN, Infinity and -Infinity outside of strings.
fn quote_bare_numbers(text: &str) -> Cow<'_, str> {
    const BARE: [&str; 5] = ["NaN", "nan", "-Infinity", "Infinity", "inf"];
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let (mut inside, mut escaped) = (false, false);
    while let Some(c) = rest.chars().next() {
        if let Some(word) = BARE.iter().find(|word| !inside && rest.starts_with(**word)) {
            quoted.push_str(&format!("\"{word}\""));
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        inside ^= c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
        quoted.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Cow::Owned(quoted)
}

/// The header of CSV input.
#[derive(Debug, Default)]
pub(crate) struct CsvHeader {
    names: Vec<String>,
    fields: Vec<Field>,
    /// Which column names the run.
    run: Option<usize>,
}

impl CsvHeader {
    /// Reads the header.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let mut header = Self::default();
        let cells = header.cells(text)?;
        if cells.iter().all(|name| special(name).is_some() || name.is_empty()) {
            return Err("the header names no metric".to_owned());
        }
        if let Some(name) = cells.iter().find(|name| parse_value(name.as_bytes()).is_some()) {
            return Err(format!("CSV must begin with a header of names, not with {name:?}"));
        }
        header.names = cells;
        Ok(header)
    }

    /// Reads the header of a table, in which a column `run` names the run.
    pub(crate) fn of_table(text: &str) -> Result<Self, String> {
        let header = Self::new(text)?;
        let run = header.names.iter().position(|name| name == "run");
        Ok(Self { run, ..header })
    }

    fn cells(&mut self, text: &str) -> Result<Vec<String>, String> {
        split(text.as_bytes(), &mut self.fields);
        let cell = |field: &Field| {
            let content = field.content(text.as_bytes()).ok_or_else(|| "wrong quotes".to_owned())?;
            Ok(String::from_utf8_lossy(&content).trim().to_owned())
        };
        self.fields.iter().map(cell).collect()
    }

    /// Reads a line under the header. Empty cells are no values, not even bad ones.
    pub(crate) fn line(&mut self, text: &str) -> Result<Line, String> {
        let cells = self.cells(text)?;
        if cells.len() != self.names.len() {
            return Err(format!("{} fields, the header has {}", cells.len(), self.names.len()));
        }
        let mut line = Line::default();
        for (at, (name, cell)) in self.names.iter().zip(cells).enumerate().filter(|(_, (_, cell))| !cell.is_empty()) {
            if self.run == Some(at) {
                line.run = Some(cell);
                continue;
            }
            match (special(name), parse_value(cell.as_bytes())) {
                (Some(kind), _) => {
                    let float = || parse_value(cell.as_bytes()).and_then(|x| whole(&Value::from(x)));
                    let number = parse_int(cell.as_bytes()).or_else(float);
                    line.set_special(kind, number.ok_or_else(|| format!("{name} {cell:?} is not a whole number"))?);
                }
                (None, Some(value)) => line.values.push((name.clone(), value)),
                (None, None) => line.skipped += 1,
            }
        }
        Ok(line.without_repeats())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: Option<i64>, values: &[(&str, f64)], skipped: u64) -> Line {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        Line { step, values, skipped, ..Line::default() }
    }

    #[test]
    fn json_lines_as_python_prints_them() {
        let read = json_line(r#"{"step": 3.0, "loss": 0.1, "val": {"acc": 1, "n": null}, "note": "ok", "flag": true}"#);
        assert_eq!(read, Ok(line(Some(3), &[("loss", 0.1), ("val/acc", 1.0)], 3)));
        let read = json_line(r#"{"a\"NaN": -Infinity, "b": "inf", "c": Infinity, "timestamp_ms": 7}"#).unwrap();
        assert_eq!((read.timestamp, read.values[0].1, read.values[1].1), (Some(7), f64::NEG_INFINITY, f64::INFINITY));
        assert!(json_line(r#"{"x": NaN}"#).unwrap().values[0].1.is_nan());
        assert_eq!(json_line(r#"{"x": 1, "x": 2}"#), Ok(line(None, &[("x", 2.0)], 0)));
        let read = json_line(r#"{"a/b": 1, "c": 2, "a": {"b": 3}}"#);
        assert_eq!(read, Ok(line(None, &[("a/b", 3.0), ("c", 2.0)], 0)));
        // The text of a number must give back its bits, to the last.
        for i in 1..2000 {
            let value = f64::from_bits(0x3ff0_0000_0000_0000 + i * 0x0000_1234_5678_9abd);
            assert_eq!(json_line(&format!("{{\"x\": {value}}}")).unwrap().values[0].1, value);
        }
        for wrong in ["[1]", "3", "{\"x\": }", "{\"step\": 1.5}", "{\"step\": \"1\"}", "{\"x\": NaNa}", ""] {
            assert!(json_line(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn csv_lines_under_a_header() {
        let mut header = CsvHeader::new("step,loss,\"val,acc\",timestamp\r\n").unwrap();
        let read = header.line("1,0.5,,\n").unwrap();
        assert_eq!(read, line(Some(1), &[("loss", 0.5)], 0));
        let read = header.line("2,n/a,-inf,1700000000000\r\n").unwrap();
        assert_eq!((read.timestamp, read.skipped), (Some(1_700_000_000_000), 1));
        assert_eq!(read.values, [("val,acc".to_owned(), f64::NEG_INFINITY)]);
        assert!(header.line("1,2").is_err() && header.line("x,1,2,3").is_err());
        assert!(CsvHeader::new("1,0.5").is_err() && CsvHeader::new("step").is_err());
    }
}
