//! What a call of the native API is refused with: MLflow's two fields, and for filters the place.

use crate::body::Unread;
use crate::mlflow;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub(super) type Result<T> = std::result::Result<T, Error>;

/// A refusal.
#[derive(Debug)]
pub(super) struct Error {
    base: mlflow::Error,
    /// A code of this API's own.
    code: Option<&'static str>,
    query: Option<Query>,
}

/// Where a filter or an order is not understood.
#[derive(Debug, Serialize)]
struct Query {
    what: &'static str,
    /// In characters, from 0.
    position: usize,
    /// What was expected there, and what was found.
    reason: String,
}

impl Error {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        mlflow::Error::invalid(message).into()
    }

    /// More was asked for than one call may cost.
    pub(super) fn too_many(what: &str, limit: usize, found: usize) -> Self {
        Self::invalid(format!("{what}: {found}, at most {limit} a call"))
    }

    /// A file that cannot be shown as text.
    pub(super) fn not_text() -> Self {
        let base = mlflow::Error::invalid("this file is not text").with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        Self { base, code: Some("NOT_TEXT"), query: None }
    }

    /// Nothing is wrong, and later it may go well.
    pub(super) fn busy() -> Self {
        let base = mlflow::Error::invalid("too many files are on their way; try again");
        Self { base: base.with_status(StatusCode::SERVICE_UNAVAILABLE), code: Some("BUSY"), query: None }
    }

    pub(super) fn message(&self) -> &str {
        &self.base.message
    }
}

impl From<mlflow::Error> for Error {
    fn from(base: mlflow::Error) -> Self {
        Self { base, code: None, query: None }
    }
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        mlflow::Error::invalid(unread.reason).with_status(unread.status).into()
    }
}

impl From<trackway::Error> for Error {
    fn from(error: trackway::Error) -> Self {
        let query = match &error {
            trackway::Error::InvalidQuery { what, position, reason, .. } => {
                Some(Query { what, position: *position, reason: reason.clone() })
            }
            _ => None,
        };
        Self { base: error.into(), code: None, query }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error_code: &'a str,
    message: &'a str,
    #[serde(flatten)]
    query: Option<&'a Query>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.base.status();
        if status.is_server_error() {
            tracing::error!(code = self.base.code.name(), message = self.base.message, "a call failed");
        }
        let error_code = self.code.unwrap_or_else(|| self.base.code.name());
        let body = Body { error_code, message: &self.base.message, query: self.query.as_ref() };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
