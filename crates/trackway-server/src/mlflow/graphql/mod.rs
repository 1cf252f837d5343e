//! The few GraphQL queries of MLflow's pages, answered by the endpoints that say the same.
//!
//! A query is checked against [`schema`] as a whole, then each question at its root becomes a request to an endpoint, and
//! what was selected is taken from the answer. There is no introspection.

mod check;
mod schema;

use super::request::Decoded;
use super::{Error, Fields, Handler, Result, Route};
use crate::reply::Reply;
use crate::state::App;
use axum::http::StatusCode;
use check::{Field, Fragments, Literal, Operation, SelectionSet, check, fields_of, operation};
use graphql_parser::query::Number;
use schema::{GET_EXPERIMENT, Kind, Root, SEARCH_VERSIONS, Type, find, root};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Behind no prefix, as MLflow has it.
pub(super) const PATH: &str = "/graphql";

/// Longest query that is parsed, in bytes: those of MLflow's pages have some 2,000.
const QUERY_BYTES: usize = 64 << 10;
/// Longest answer of an endpoint that is taken apart, in bytes.
const ANSWER_BYTES: usize = 16 << 20;

type Object = Map<String, Value>;

/// Answers a query: `{"data": .., "errors": ..}`, also of one that does not fit.
pub(super) fn graphql(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let query = fields.required_text("query")?;
    let name = fields.text("operationName")?.filter(|name| !name.is_empty());
    let none = Object::new();
    let variables = fields.raw_object("variables")?.unwrap_or(&none);
    if query.len() > QUERY_BYTES {
        return Err(Error::invalid(format!("the query is longer than {QUERY_BYTES} bytes")));
    }
    let (data, errors) = match answer(app, query, name, variables) {
        Ok((data, errors)) => (Value::Object(data), errors),
        Err(problem) => (Value::Null, vec![problem]),
    };
    let errors = if errors.is_empty() { Value::Null } else { json!(errors) };
    Reply::json(&json!({ "data": data, "errors": errors }))
}

/// The data and the errors of single questions.
fn answer(
    app: &Arc<App>,
    query: &str,
    name: Option<&str>,
    variables: &Object,
) -> std::result::Result<(Object, Vec<String>), String> {
    let document = graphql_parser::parse_query::<&str>(query).map_err(|error| error.to_string())?;
    let (operation, fragments) = operation(&document, name)?;
    check(operation, &fragments)?;
    let questions = questions(operation, &fragments, variables)?;
    let (mut data, mut errors) = (Object::new(), Vec::new());
    let mut asker = Asker { app, fragments: &fragments, experiments: HashMap::new() };
    for (field, question) in questions {
        let value = match question {
            None => json!(if operation.is_mutation { "Mutation" } else { "Query" }),
            Some((root, input)) => match asker.root(root, input, &field.selection_set) {
                Ok(value) => value,
                Err(error) => {
                    errors.push(error.message);
                    Value::Null
                }
            },
        };
        data.insert(field.alias.unwrap_or(field.name).to_owned(), value);
    }
    Ok((data, errors))
}

type Question<'a> = (&'a Field<'a>, Option<(&'static Root, Object)>);

/// What is asked at the root, with its inputs; of `__typename` there are none.
fn questions<'a>(
    operation: Operation<'a>,
    fragments: &Fragments<'a>,
    variables: &Object,
) -> std::result::Result<Vec<Question<'a>>, String> {
    let mut all = Vec::new();
    for field in fields_of(operation.set, fragments) {
        let root = root(field.name, operation.is_mutation);
        let input = field.arguments.iter().find(|(name, _)| *name == "input");
        let (Some(root), Some((_, input))) = (root, input) else {
            all.push((field, None));
            continue;
        };
        let Value::Object(input) = literal(input, variables)? else {
            return Err(format!("Expected value of type '{}'.", root.input));
        };
        if let Some(unknown) = input.keys().find(|name| !root.inputs.contains(&name.as_str())) {
            return Err(format!("Field '{unknown}' is not defined by type '{}'.", root.input));
        }
        all.push((field, Some((root, input))));
    }
    Ok(all)
}

/// A value of the query as JSON, variables filled in.
fn literal(value: &Literal<'_>, variables: &Object) -> std::result::Result<Value, String> {
    Ok(match value {
        Literal::Variable(name) => match variables.get(*name) {
            Some(value) => value.clone(),
            None => return Err(format!("Variable '${name}' was not provided.")),
        },
        Literal::Int(number) => json!(Number::as_i64(number)),
        Literal::Float(number) => json!(number),
        Literal::String(text) => json!(text),
        Literal::Boolean(flag) => json!(flag),
        Literal::Null => Value::Null,
        Literal::Enum(name) => json!(name),
        Literal::List(list) => {
            Value::Array(list.iter().map(|value| literal(value, variables)).collect::<std::result::Result<_, _>>()?)
        }
        Literal::Object(object) => {
            let pair = |(name, value): (&&str, &Literal<'_>)| Ok((name.to_string(), literal(value, variables)?));
            Value::Object(object.iter().map(pair).collect::<std::result::Result<_, String>>()?)
        }
    })
}

/// Asks the endpoints.
struct Asker<'q> {
    app: &'q Arc<App>,
    fragments: &'q Fragments<'q>,
    /// Those of the runs so far: a page of runs has few.
    experiments: HashMap<String, Value>,
}

impl<'q> Asker<'q> {
    fn root(&mut self, root: &Root, input: Object, set: &'q SelectionSet<'q>) -> Result<Value> {
        let answer = self.ask(root.path, input)?;
        match find(root.answer) {
            Some(of) => self.select(of, &answer, set),
            None => Ok(Value::Null),
        }
    }

    fn ask(&self, path: &str, input: Object) -> Result<Value> {
        let Some(handler) = handler(path) else {
            return Err(Error::missing(format!("this server has no {path}")));
        };
        let request = Decoded::from_object(input);
        let mut answer = Bounded(Vec::new());
        match handler(self.app, request.fields())? {
            Reply::Json(bytes) => answer.0 = bytes,
            Reply::Stream(write) => write(&mut answer).map_err(|error| {
                Error::invalid(format!("{path}: {error}")).with_status(StatusCode::PAYLOAD_TOO_LARGE)
            })?,
        }
        Ok(serde_json::from_slice(&answer.0)?)
    }

    /// What was selected of an object.
    fn select(&mut self, of: &Type, from: &Value, set: &'q SelectionSet<'q>) -> Result<Value> {
        let mut object = Object::new();
        for field in fields_of(set, self.fragments) {
            let name = field.alias.unwrap_or(field.name).to_owned();
            let value = match of.field(field.name) {
                None => json!(of.name),
                Some(kind) => self.value(kind, field, from)?,
            };
            // One field may be selected in parts.
            match (object.get_mut(&name), value) {
                (Some(known), value) => merge(known, value),
                (None, value) => drop(object.insert(name, value)),
            }
        }
        Ok(Value::Object(object))
    }

    fn value(&mut self, kind: Kind, field: &'q Field<'q>, from: &Value) -> Result<Value> {
        let found = from.get(snake_case(field.name));
        let list = found.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Ok(match kind {
            Kind::Text => found.cloned().unwrap_or_else(|| json!("")),
            Kind::Flag => found.cloned().unwrap_or(Value::Bool(false)),
            Kind::Texts => json!(list),
            Kind::Float => match found.and_then(Value::as_str) {
                // As MLflow stores them: GraphQL's numbers are finite.
                Some("Infinity") => json!(f64::MAX),
                Some("-Infinity") => json!(f64::MIN),
                _ => found.filter(|value| value.is_number()).cloned().unwrap_or(Value::Null),
            },
            Kind::Long => match found {
                Some(Value::String(text)) => json!(text),
                Some(number) => json!(number.to_string()),
                None => json!("0"),
            },
            Kind::Never(_) => Value::Null,
            Kind::Object(name) => match find(name) {
                Some(of) => self.select(of, found.unwrap_or(&Value::Null), &field.selection_set)?,
                None => Value::Null,
            },
            Kind::List(name) => self.each(name, list, field)?,
            Kind::Experiment => {
                let experiment = self.experiment(text_at(from, "experiment_id"))?;
                match find("MlflowExperiment") {
                    Some(of) => self.select(of, &experiment, &field.selection_set)?,
                    None => Value::Null,
                }
            }
            Kind::ModelVersions => {
                let filter = format!("run_id='{}'", text_at(from, "run_id"));
                let answer = self.ask(SEARCH_VERSIONS, Object::from_iter([("filter".to_owned(), json!(filter))]))?;
                let list = answer.get("model_versions").and_then(Value::as_array).cloned().unwrap_or_default();
                self.each("MlflowModelVersion", &list, field)?
            }
        })
    }

    fn each(&mut self, of: &str, list: &[Value], field: &'q Field<'q>) -> Result<Value> {
        let Some(of) = find(of) else { return Ok(Value::Null) };
        list.iter()
            .map(|item| self.select(of, item, &field.selection_set))
            .collect::<Result<Vec<_>>>()
            .map(Value::Array)
    }

    fn experiment(&mut self, id: &str) -> Result<Value> {
        if let Some(known) = self.experiments.get(id) {
            return Ok(known.clone());
        }
        let answer = self.ask(GET_EXPERIMENT, Object::from_iter([("experiment_id".to_owned(), json!(id))]))?;
        let experiment = answer.get("experiment").cloned().unwrap_or(Value::Null);
        self.experiments.insert(id.to_owned(), experiment.clone());
        Ok(experiment)
    }
}

/// A text of what is known of a run.
fn text_at<'v>(run: &'v Value, name: &str) -> &'v str {
    run.get("info").and_then(|info| info.get(name)).and_then(Value::as_str).unwrap_or_default()
}

fn merge(known: &mut Value, more: Value) {
    match (known, more) {
        (Value::Object(known), Value::Object(more)) => {
            for (name, value) in more {
                match known.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => drop(known.insert(name, value)),
                }
            }
        }
        (Value::Array(known), Value::Array(more)) => {
            known.iter_mut().zip(more).for_each(|(known, more)| merge(known, more))
        }
        _ => {}
    }
}

fn handler(path: &str) -> Option<Handler> {
    super::TABLES.iter().copied().flatten().find(|route: &&Route| route.path == path).map(|route| route.handler)
}

/// `runId` as `run_id`.
fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Takes so much of an answer and no more.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > ANSWER_BYTES {
            return Err(io::Error::other(format!(
                "the answer has more than {ANSWER_BYTES} bytes: ask for fewer at a time"
            )));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
