//! MLflow's errors: a code, a message, and the status that its server gives for the code.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt;

/// The result of a handler.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// MLflow's error codes, as far as its stores raise them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BadRequest,
    InvalidParameterValue,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
    EndpointNotFound,
    PermissionDenied,
    InvalidState,
    NotImplemented,
    ResourceExhausted,
    DataLoss,
    InternalError,
}

impl Code {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::InvalidParameterValue => "INVALID_PARAMETER_VALUE",
            Self::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
            Self::ResourceDoesNotExist => "RESOURCE_DOES_NOT_EXIST",
            Self::EndpointNotFound => "ENDPOINT_NOT_FOUND",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::InvalidState => "INVALID_STATE",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::DataLoss => "DATA_LOSS",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// MLflow's status, but for what only this server says: its clients repeat a request that is answered 429 or 500 for
    /// minutes, which helps neither against damaged files nor while a training loop waits for room on the disk.
    const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::InvalidParameterValue | Self::ResourceAlreadyExists => StatusCode::BAD_REQUEST,
            Self::ResourceDoesNotExist | Self::EndpointNotFound => StatusCode::NOT_FOUND,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::ResourceExhausted => StatusCode::INSUFFICIENT_STORAGE,
            Self::DataLoss => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InvalidState | Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// MLflow's text for a page token that no page gave.
pub(crate) const BAD_TOKEN: &str = "Invalid page token, could not base64-decode";

/// What a handler answers when it cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Where MLflow's status is not that of the code.
    status: Option<StatusCode>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None }
    }

    /// The most frequent one: the request breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameterValue, message)
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceDoesNotExist, message)
    }

    /// The same error under another status than its code's.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| self.code.status())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl From<trackway::Error> for Error {
    /// What a caller can do decides; where MLflow has a text of its own for a case, the handler says it.
    fn from(error: trackway::Error) -> Self {
        use trackway::{Error as Engine, ErrorKind};
        if matches!(error, Engine::InvalidArgument { what: "page", .. }) {
            return Self::invalid(BAD_TOKEN);
        }
        let code = match (error.kind(), &error) {
            (_, Engine::AlreadyExists { .. }) => Code::ResourceAlreadyExists,
            (ErrorKind::InvalidInput | ErrorKind::Conflict, _) => Code::InvalidParameterValue,
            (ErrorKind::NotFound, _) => Code::ResourceDoesNotExist,
            (ErrorKind::ReadOnly, _) => Code::PermissionDenied,
            (ErrorKind::DiskFull, _) => Code::ResourceExhausted,
            (ErrorKind::Corrupt | ErrorKind::Unsupported, _) => Code::DataLoss,
            _ => Code::InternalError,
        };
        Self::new(code, error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(Code::InternalError, format!("the answer cannot be written as JSON: {error}"))
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error_code: &'a str,
    message: &'a str,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(code = self.code.name(), message = self.message, "a request failed");
        }
        let body = Body { error_code: self.code.name(), message: &self.message };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
