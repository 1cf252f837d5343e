//! MLflow's REST API. One file a resource, each with a table of its routes.
//!
//! A handler is a plain function from the fields of a request to a reply. It runs on a thread that may block, and what it
//! returns is all that the client sees. Each route is served under `/api`, for clients, and under `/ajax-api`, for pages.

mod artifacts;
mod error;
mod experiments;
mod graphql;
mod history;
mod inputs;
mod log;
mod logged_models;
mod names;
mod places;
mod proxy;
mod registry;
mod request;
mod runs;
mod sample;
mod search;
mod server_info;
mod shapes;
mod transfer;
mod validate;
mod web;

pub(crate) use error::{Code, Error, Result};
pub(crate) use request::Fields;
pub(crate) use shapes::{LOCATION_TAG, stage};
pub(crate) use web::{find_pages, router as web_router};
#[cfg(any(test, feature = "testing"))]
pub(crate) use {
    history::{place_of, token_of},
    request::Decoded,
    validate::normal_path,
};

use crate::blocking;
use crate::reply::Reply;
use crate::state::App;
use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use std::pin::Pin;
use std::sync::Arc;

/// The release of MLflow whose API this is; clients ask for it before they use what newer servers have.
pub(crate) const VERSION: &str = "3.17.2";

/// Answers one kind of request.
type Handler = fn(&Arc<App>, Fields<'_>) -> Result<Reply>;

/// One of MLflow's endpoints.
pub(crate) struct Route {
    method: MethodFilter,
    /// Behind `/api/2.0`; `{name}` in it is a field of the request.
    path: &'static str,
    /// The number in the path: the major release that brought the endpoint.
    since: u8,
    /// Whether only pages use it: under `/ajax-api` alone.
    ajax_only: bool,
    handler: Handler,
}

impl Route {
    const fn new(method: MethodFilter, path: &'static str, handler: Handler) -> Self {
        Self { method, path, since: 2, ajax_only: false, handler }
    }

    pub(crate) const fn get(path: &'static str, handler: Handler) -> Self {
        Self::new(MethodFilter::GET, path, handler)
    }

    pub(crate) const fn post(path: &'static str, handler: Handler) -> Self {
        Self::new(MethodFilter::POST, path, handler)
    }

    pub(crate) const fn patch(path: &'static str, handler: Handler) -> Self {
        Self::new(MethodFilter::PATCH, path, handler)
    }

    pub(crate) const fn delete(path: &'static str, handler: Handler) -> Self {
        Self::new(MethodFilter::DELETE, path, handler)
    }

    /// Behind `/api/3.0`.
    pub(crate) const fn since_3(self) -> Self {
        Self { since: 3, ..self }
    }

    pub(crate) const fn ajax_only(self) -> Self {
        Self { ajax_only: true, ..self }
    }
}

/// The endpoints that are plain handlers.
const TABLES: &[&[Route]] = &[
    experiments::ROUTES,
    runs::ROUTES,
    log::ROUTES,
    search::ROUTES,
    history::ROUTES,
    sample::ROUTES,
    server_info::ROUTES,
    inputs::ROUTES,
    logged_models::ROUTES,
    artifacts::ROUTES,
    registry::ROUTES,
    // One line for each other table.
];

/// All endpoints of MLflow that are served.
pub(crate) fn router() -> Router<Arc<App>> {
    let router = TABLES.iter().copied().flatten().fold(Router::new(), add);
    // One line here for each part that is no table of handlers.
    let router = router.merge(proxy::router()).merge(artifacts::router());
    router.fallback(no_such_endpoint).method_not_allowed_fallback(wrong_method)
}

fn add(mut router: Router<Arc<App>>, route: &Route) -> Router<Arc<App>> {
    let prefixes: &[&str] = if route.ajax_only { &["/ajax-api"] } else { &["/api", "/ajax-api"] };
    for prefix in prefixes {
        let path = format!("{prefix}/{}.0{}", route.since, route.path);
        router = router.route(&path, on(route.method, wrap(route.handler)));
    }
    router
}

/// An answer in the making.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler as axum takes it.
fn wrap(handler: Handler) -> impl Fn(State<Arc<App>>, RawPathParams, Request) -> Answering + Clone {
    move |State(app), params, request| Box::pin(answer(app, handler, params, request))
}

async fn answer(app: Arc<App>, handler: Handler, params: RawPathParams, request: Request) -> Response {
    let decoded = match request::read(request, &params, app.limits.body).await {
        Ok(decoded) => decoded,
        Err(error) => return error.into_response(),
    };
    match blocking::run(move || handler(&app, decoded.fields())).await {
        Ok(reply) => reply.into_response(),
        Err(error) => error.into_response(),
    }
}

async fn no_such_endpoint(request: Request) -> Error {
    let message = format!("this server has no {} {}", request.method(), request.uri().path());
    Error::new(Code::EndpointNotFound, message)
}

async fn wrong_method(request: Request) -> Error {
    let message = format!("{} is not what {} is for", request.method(), request.uri().path());
    Error::new(Code::BadRequest, message).with_status(StatusCode::METHOD_NOT_ALLOWED)
}
