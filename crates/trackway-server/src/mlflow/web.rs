//! MLflow's own pages over Trackway's data: the files of an installed mlflow package, under `/mlflow/`, and the API below
//! the same prefix, since the pages call it by relative addresses.
//!
//! What those pages ask for beyond the API that is served (traces, gateways, telemetry) is answered here, as by a server
//! that has none, and only here: clients are told that it does not exist.

use super::{Fields, Handler, Result, graphql, wrap};
use crate::reply::Reply;
use crate::state::App;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::{MethodFilter, get, on};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tower_http::services::{ServeDir, ServeFile};

const PREFIX: &str = "/mlflow";

/// What pages are answered that ask for something that there is none of.
const NOTHING: &[(MethodFilter, &str, Handler)] = &[
    (MethodFilter::POST, "/ajax-api/3.0/mlflow/traces/metrics", nothing),
    (MethodFilter::POST, "/ajax-api/3.0/mlflow/traces/search", nothing),
    (MethodFilter::POST, "/ajax-api/3.0/mlflow/datasets/search", nothing),
    (MethodFilter::GET, "/ajax-api/2.0/mlflow/gateway-proxy", no_endpoints),
    (MethodFilter::GET, "/ajax-api/3.0/mlflow/ui-telemetry", no_telemetry),
];

/// The folder of the pages in the package, below what may be given: the folder itself, or one that it lies in.
pub(crate) fn find_pages(given: &Path) -> Option<PathBuf> {
    let places = ["", "server/js/build", "mlflow/server/js/build"];
    places
        .iter()
        .map(|place| given.join(place))
        .find(|dir| dir.join("index.html").is_file() && dir.join("static").is_dir())
}

/// The pages in `dir`, and the API beside them.
pub(crate) fn router(dir: &Path) -> Router<Arc<App>> {
    let index = ServeFile::new(dir.join("index.html"));
    let index = Router::new()
        .route_service(&format!("{PREFIX}/"), index)
        .route(PREFIX, get(|| async { Redirect::permanent(&format!("{PREFIX}/")) }))
        .layer(from_fn(|request, next| keep("no-cache", request, next)));
    // Their names change with their content.
    let files = Router::new()
        .nest_service("/static-files", ServeDir::new(dir))
        .layer(from_fn(|request, next| keep("max-age=2419200", request, next)));
    let api = NOTHING
        .iter()
        .fold(super::router(), |router, (method, path, handler)| router.route(path, on(*method, wrap(*handler))));
    let api = api.route(graphql::PATH, on(MethodFilter::POST, wrap(graphql::graphql)));
    Router::new().nest(PREFIX, api.merge(files)).merge(index)
}

/// Says how long an answer may be kept.
async fn keep(how: &'static str, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    if answer.status().is_success() {
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
    }
    answer
}

fn nothing(_app: &Arc<App>, _fields: Fields<'_>) -> Result<Reply> {
    Ok(Reply::empty())
}

fn no_endpoints(_app: &Arc<App>, _fields: Fields<'_>) -> Result<Reply> {
    Reply::json(&json!({ "endpoints": [] }))
}

fn no_telemetry(_app: &Arc<App>, _fields: Fields<'_>) -> Result<Reply> {
    Reply::json(&json!({ "disable_ui_telemetry": true, "disable_ui_events": [], "ui_rollout_percentage": 0 }))
}
