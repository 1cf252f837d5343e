//! Trackway's own JSON API, which its pages use, under `/api/trackway/1/`. `docs/server-api.md` describes it for others.
//!
//! A handler is a plain function from a call to a response, on a thread that may block. What a call can cost is bounded
//! before the engine is asked: ids, columns and rows are counted, and long answers are written while they are sent.

mod artifacts;
mod bands;
mod changes;
mod charts;
mod error;
mod experiments;
mod logged_models;
mod models;
mod runs;
mod search;
mod values;

pub(crate) use changes::Changes;

use crate::blocking;
use crate::body;
use crate::reply::Reply;
use crate::state::App;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use error::{Error, Result};
use serde::de::DeserializeOwned;
use std::sync::Arc;

const ROOT: &str = "/api/trackway/1";

/// Largest body of a call, in bytes: notes are a MiB at most, and JSON may write each byte of them as six.
const BODY_BYTES: usize = 8 << 20;

/// Answers one kind of call.
type Handler = fn(&Arc<App>, &Call) -> Result<Response>;

/// What was asked.
struct Call {
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    /// A part of the path.
    fn param(&self, name: &str) -> &str {
        find(&self.params, name).unwrap_or_default()
    }

    fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// The id in the path, of whichever kind.
    ///
    /// # Errors
    /// It is none.
    fn id<T: std::str::FromStr<Err = trackway::Error>>(&self) -> Result<T> {
        Ok(self.param("id").parse()?)
    }

    /// # Errors
    /// The body is not JSON, or not the JSON of this call.
    fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::invalid(format!("the body is not understood: {error}")))
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

const ROUTES: [(MethodFilter, &str, Handler); 26] = [
    (MethodFilter::GET, "/session", session),
    (MethodFilter::GET, "/experiments", experiments::list),
    (MethodFilter::POST, "/experiments", experiments::create),
    (MethodFilter::GET, "/experiments/counts", experiments::counts),
    (MethodFilter::GET, "/experiments/{id}", experiments::get),
    (MethodFilter::PATCH, "/experiments/{id}", experiments::edit),
    (MethodFilter::DELETE, "/experiments/{id}", experiments::delete),
    (MethodFilter::POST, "/experiments/{id}/restore", experiments::restore),
    (MethodFilter::POST, "/keys", search::keys),
    (MethodFilter::POST, "/runs/search", search::search),
    (MethodFilter::POST, "/runs/get", runs::get_many),
    (MethodFilter::POST, "/runs/delete", runs::delete),
    (MethodFilter::POST, "/runs/restore", runs::restore),
    (MethodFilter::GET, "/runs/{id}", runs::get),
    (MethodFilter::PATCH, "/runs/{id}", runs::edit),
    (MethodFilter::GET, "/runs/{id}/artifacts", artifacts::list),
    (MethodFilter::GET, "/runs/{id}/file", artifacts::file),
    (MethodFilter::GET, "/runs/{id}/logged-models", logged_models::of_run),
    (MethodFilter::POST, "/logged-models/search", logged_models::search),
    (MethodFilter::GET, "/logged-models/{id}", logged_models::get),
    (MethodFilter::POST, "/charts", charts::charts),
    (MethodFilter::POST, "/bands", bands::bands),
    (MethodFilter::POST, "/changes", changes::changes),
    (MethodFilter::POST, "/models/search", models::search),
    (MethodFilter::GET, "/models/get", models::get),
    (MethodFilter::PATCH, "/models/edit", models::edit),
];

/// The whole API.
pub(crate) fn router() -> Router<Arc<App>> {
    ROUTES.iter().fold(Router::new(), |router, (method, path, handler)| {
        let handler = *handler;
        let answer = move |State(app): State<Arc<App>>, params: RawPathParams, request: Request| {
            answer(app, handler, params, request)
        };
        router.route(&format!("{ROOT}{path}"), on(*method, answer))
    })
}

async fn answer(app: Arc<App>, handler: Handler, params: RawPathParams, request: Request) -> Response {
    let call = match read(&app, &params, request).await {
        Ok(call) => call,
        Err(error) => return error.into_response(),
    };
    match blocking::run(move || Ok(handler(&app, &call))).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(error) => error.into_response(),
    }
}

/// # Errors
/// The body is too long, breaks off, or is not said to be JSON: forms of other pages cannot say so.
async fn read(app: &App, params: &RawPathParams, request: Request) -> Result<Call> {
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let params = params.iter().map(owned).collect();
    let query = request.uri().query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if matches!(*request.method(), Method::POST | Method::PATCH) {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(Error::invalid("the body must be application/json"));
        }
    }
    let body = body::read(request.into_body(), BODY_BYTES, app.limits.body).await?;
    Ok(Call { params, query, body })
}

/// The JSON of a value as a response.
fn json(value: &impl serde::Serialize) -> Result<Response> {
    Ok(Reply::json(value)?.into_response())
}

/// What a page wants to know before anything else.
fn session(_: &Arc<App>, _: &Call) -> Result<Response> {
    json(&serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }))
}

/// Done, nothing to tell.
fn done() -> Response {
    Reply::empty().into_response()
}
