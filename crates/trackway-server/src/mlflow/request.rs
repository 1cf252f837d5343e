//! Requests by protobuf's rules for JSON, as MLflow applies them.
//!
//! A field may be spelled `run_id` or `runId`, but not both. Whole numbers may come as text, and so may NaN and infinities;
//! null is as good as nothing. A body that is no JSON object counts as empty, so that the first required field is what the
//! error names. Where a value does not fit, the error is the one of MLflow's own check.

use super::{Error, Result};
use crate::body;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request};
use axum::http::{Method, StatusCode, header};
use serde_json::{Map, Value};
use std::time::Duration;

/// Longest body of a request that is read into memory, in bytes: a dataset's profile is the longest text that MLflow takes,
/// 16 MiB, and may come with a schema.
const BODY_BYTES: usize = 24 << 20;

/// Most values in a body. One takes 2 bytes of JSON and some 32 of memory, so this and not the body's length bounds what
/// a request needs; a full log-batch has 8 thousand.
const BODY_VALUES: usize = 1 << 18;

const SEE_DOCS: &str = "See the API docs for more information about request parameters.";

/// The fields of a request, wherever they came from.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    object: Map<String, Value>,
    is_query: bool,
}

impl Decoded {
    /// The fields in a query string. A name that comes more than once is a list.
    pub(crate) fn from_query(query: &str) -> Self {
        let mut object = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = Value::String(value.into_owned());
            match object.get_mut(name.as_ref()) {
                None => drop(object.insert(name.into_owned(), value)),
                Some(Value::Array(list)) => list.push(value),
                Some(one) => {
                    let first = one.take();
                    *one = Value::Array(vec![first, value]);
                }
            }
        }
        Self { object, is_query: true }
    }

    /// The fields in a body. Some old clients send JSON in a JSON string.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self> {
        let value = parse(body)?;
        let value = match value {
            Some(Value::String(text)) => parse(text.as_bytes())?,
            other => other,
        };
        let object = match value {
            Some(Value::Object(object)) => object,
            _ => Map::new(),
        };
        Ok(Self { object, is_query: false })
    }

    /// The fields of an object, as if it came in a body.
    pub(crate) fn from_object(object: Map<String, Value>) -> Self {
        Self { object, is_query: false }
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields { object: &self.object, is_query: self.is_query }
    }
}

/// The value in a text; nothing where it is no JSON.
fn parse(text: &[u8]) -> Result<Option<Value>> {
    if count_values(text) > BODY_VALUES {
        let message = format!("the request has more than {BODY_VALUES} values; please split it up");
        return Err(Error::invalid(message).with_status(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Ok(serde_json::from_slice(text).ok())
}

/// How many values a JSON text has, at most: one more than what begins or parts them outside of strings.
fn count_values(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

/// Reads a request. Fields in its path overrule those of the body.
///
/// # Errors
/// A body of another type than JSON, or one that is too large.
pub(super) async fn read(request: Request, params: &RawPathParams, patience: Duration) -> Result<Decoded> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let mut decoded = if head.method == Method::GET && !query.is_empty() {
        Decoded::from_query(query)
    } else {
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if head.method == Method::POST || head.method == Method::PUT {
            check_content_type(content_type)?;
        }
        Decoded::from_body(&read_body(body, patience).await?)?
    };
    for (name, value) in params {
        decoded.object.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    Ok(decoded)
}

fn check_content_type(content_type: Option<&str>) -> Result<()> {
    match content_type {
        None => Err(Error::invalid("Bad Request. Content-Type header is missing.")),
        Some(given) if given.split(';').next() == Some("application/json") => Ok(()),
        Some(_) => Err(Error::invalid("Bad Request. Content-Type must be one of ['application/json'].")),
    }
}

async fn read_body(body: Body, patience: Duration) -> Result<Bytes> {
    body::read(body, BODY_BYTES, patience)
        .await
        .map_err(|unread| Error::invalid(unread.reason).with_status(unread.status))
}

/// A typed view of one JSON object, or of a query.
///
/// Each accessor gives nothing for a field that is absent, and the error of MLflow's check for one of another type. Handlers
/// ask in the order of MLflow's schema, so that of several errors the same one is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    is_query: bool,
}

impl<'a> Fields<'a> {
    fn value(self, name: &str) -> Result<Option<&'a Value>> {
        let snake = self.object.get(name);
        let camel = match name.contains('_') && !self.is_query {
            true => self.object.get(camel_case(name).as_str()),
            false => None,
        };
        if snake.is_some() && camel.is_some() {
            let (camel, advice) = (camel_case(name), "provide only one of them.");
            return Err(Error::invalid(format!("Request specifies both '{name}' and '{camel}'; {advice}")));
        }
        Ok(snake.or(camel).filter(|value| !value.is_null()))
    }

    /// The one value of a field that is no list: of several in a query the first one counts.
    fn scalar(self, name: &str) -> Result<Option<&'a Value>> {
        match self.value(name)? {
            Some(Value::Array(list)) if self.is_query => Ok(list.first()),
            other => Ok(other),
        }
    }

    /// Whether the field is an empty text, which MLflow takes for a field of any type that is not there.
    pub(crate) fn is_blank(self, name: &str) -> Result<bool> {
        self.scalar(name).map(|value| value.and_then(Value::as_str) == Some(""))
    }

    /// Whether the field is there.
    pub(crate) fn has(self, name: &str) -> Result<bool> {
        self.value(name).map(|value| value.is_some())
    }

    /// A text, also an empty one.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>> {
        match self.scalar(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required_text(self, name: &str) -> Result<&'a str> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
    }

    /// A whole number of 64 bits.
    pub(crate) fn int(self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.scalar(name)? else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong_type(name, value))
    }

    /// A number; `NaN`, `Infinity` and `-Infinity` come as text.
    pub(crate) fn double(self, name: &str) -> Result<Option<f64>> {
        let Some(value) = self.scalar(name)? else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => double_from_text(text),
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong_type(name, value))
    }

    /// Yes or no; in a query, as a text.
    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>> {
        match self.scalar(name)? {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if self.is_query => match text.to_lowercase().as_str() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                _ => Err(Error::invalid(format!("Invalid boolean value: {text}, must be 'true' or 'false'."))),
            },
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// One of the values of an enumeration, by name or by number. MLflow drops what it does not know.
    pub(crate) fn choice<T: Copy>(self, name: &str, values: &[(&str, i64, T)]) -> Result<Option<T>> {
        let found = match self.scalar(name)? {
            Some(Value::String(text)) => values
                .iter()
                .find(|(known, number, _)| known == text || text.parse().is_ok_and(|given: i64| given == *number)),
            Some(Value::Number(given)) => values.iter().find(|(_, number, _)| given.as_i64() == Some(*number)),
            _ => None,
        };
        Ok(found.map(|(_, _, value)| *value))
    }

    /// A list of texts. In a query, one is a list too.
    pub(crate) fn texts(self, name: &str) -> Result<Vec<&'a str>> {
        let (value, list) = match self.value(name)? {
            None => return Ok(Vec::new()),
            Some(Value::String(text)) if self.is_query => return Ok(vec![text]),
            Some(value @ Value::Array(list)) => (value, list),
            Some(other) => return Err(wrong_type(name, other)),
        };
        list.iter().map(|item| item.as_str().ok_or_else(|| wrong_type(name, value))).collect()
    }

    /// A list of objects.
    pub(crate) fn list(self, name: &str) -> Result<Vec<Self>> {
        let (value, list) = match self.value(name)? {
            None => return Ok(Vec::new()),
            Some(value @ Value::Array(list)) => (value, list),
            Some(other) => return Err(wrong_type(name, other)),
        };
        let object = |item: &'a Value| item.as_object().map(|object| Self { object, is_query: false });
        list.iter().map(|item| object(item).ok_or_else(|| wrong_type(name, value))).collect()
    }

    /// An object as it was sent.
    pub(crate) fn raw_object(self, name: &str) -> Result<Option<&'a Map<String, Value>>> {
        Ok(self.object(name)?.map(|fields| fields.object))
    }

    /// An object.
    pub(crate) fn object(self, name: &str) -> Result<Option<Self>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self { object, is_query: false })),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// The run that is meant: `run_id`, or `run_uuid` as it was called once.
    pub(crate) fn run_id(self) -> Result<&'a str> {
        let given = self.text("run_id")?.filter(|text| !text.is_empty());
        let given = given.map_or_else(|| self.text("run_uuid"), |given| Ok(Some(given)))?;
        given.filter(|text| !text.is_empty()).ok_or_else(|| missing("run_id"))
    }
}

/// `run_id` as `runId`.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        if letter == '_' {
            raise = true;
        } else {
            camel.push(if raise { letter.to_ascii_uppercase() } else { letter });
            raise = false;
        }
    }
    camel
}

/// A double that is a whole number of 64 bits.
fn whole(number: f64) -> Option<i64> {
    // 2^63 itself is none, and the largest double below it is.
    let fits =
        number.trunc() == number && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    fits.then_some(number as i64)
}

fn double_from_text(text: &str) -> Option<f64> {
    // Protobuf knows one spelling of NaN.
    text.parse().ok().filter(|number: &f64| !number.is_nan() || text == "NaN")
}

/// MLflow's error for a field that must be there.
pub(crate) fn missing(name: &str) -> Error {
    Error::invalid(format!("Missing value for required parameter '{name}'. {SEE_DOCS}"))
}

/// MLflow's error for a field of another type.
pub(crate) fn wrong_type(name: &str, value: &Value) -> Error {
    let kind = match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    };
    let hint = format!(" Hint: Value was of type '{kind}'. {SEE_DOCS}");
    Error::invalid(invalid_value(name, value, &hint))
}

/// MLflow's text for a value that breaks a rule.
pub(crate) fn invalid_value(name: &str, value: &Value, reason: &str) -> String {
    format!("Invalid value {} for parameter '{name}' supplied: {reason}", python_json(value))
}

/// A value as Python's `json.dumps` writes it: in ASCII. A long one is cut, unlike there.
pub(crate) fn python_json(value: &Value) -> String {
    const MOST: usize = 2000;
    let mut text = String::new();
    for letter in value.to_string().chars() {
        if text.len() > MOST {
            text.push_str("...");
            break;
        }
        if letter.is_ascii() {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            letter.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
    text
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
