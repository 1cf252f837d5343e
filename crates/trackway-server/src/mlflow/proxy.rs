//! Artifacts through the server: `mlflow-artifacts`. A file is put, sent, listed and deleted by its path below the root of all
//! artifacts.

use super::places::{self, percent_decode};
use super::{Code, Error, Result, transfer};
use crate::blocking;
use crate::reply::Reply;
use crate::state::App;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use std::sync::Arc;
use trackway::{Artifact, ArtifactFile, Artifacts};

const FILES: &str = "/2.0/mlflow-artifacts/artifacts";

pub(super) fn router() -> Router<Arc<App>> {
    let mut router = Router::new();
    for prefix in ["/api", "/ajax-api"] {
        let files = format!("{prefix}{FILES}");
        let one = get(download).put(upload).delete(delete);
        router = router
            .route(&files, get(list))
            .route(&format!("{files}/"), get(list))
            .route(&format!("{files}/{{*path}}"), one)
            .route(&format!("{prefix}/2.0/mlflow-artifacts/mpu/{{*path}}"), post(multipart))
            .route(&format!("{prefix}/2.0/mlflow-artifacts/presigned/{{*path}}"), get(presigned));
    }
    router
}

/// A file or folder in a listing.
#[derive(Serialize)]
pub(super) struct FileShape {
    path: String,
    is_dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

impl FileShape {
    /// `path`: what it is called in the answer. An empty file has no size there, as in MLflow.
    pub(super) fn new(artifact: &Artifact, path: &str) -> Self {
        let file_size = Some(artifact.size_bytes).filter(|size| *size > 0 && !artifact.is_dir);
        Self { path: path.to_owned(), is_dir: artifact.is_dir, file_size }
    }
}

#[derive(Serialize)]
struct Files {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileShape>,
}

/// The path behind the fixed part of a request's.
fn path_of(request: &Request) -> Result<String> {
    let whole = request.uri().path();
    let encoded = whole.split_once("/mlflow-artifacts/artifacts/").map_or("", |(_, path)| path);
    let path = percent_decode(encoded).ok_or_else(|| Error::invalid("Invalid path"))?.into_owned();
    places::check(&path)?;
    Ok(path)
}

pub(super) fn no_such(path: &str) -> Error {
    Error::missing(format!("No such artifact: '{path}'"))
}

async fn upload(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = match path_of(&request) {
        Ok(path) => path,
        Err(error) => {
            transfer::drain(request.into_body(), app.limits.piece).await;
            return error.into_response();
        }
    };
    let find = move |app: &App| -> Result<(Artifacts, String)> {
        let place = places::find(app, &path)?.ok_or_else(|| no_such(&path))?;
        Ok((place.artifacts, place.path))
    };
    match transfer::receive(&app, request.into_body(), u64::MAX, find).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

async fn download(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = match path_of(&request) {
        Ok(path) => path,
        Err(error) => return error.into_response(),
    };
    let open = move |app: &App| {
        let place = places::find(app, &path)?.ok_or_else(|| no_such(&path))?;
        open(&place.artifacts, &place.path, &path)
    };
    transfer::send(&app, request.headers(), open).await.unwrap_or_else(IntoResponse::into_response)
}

/// Opens a file for sending, with what a browser shall call it. `asked`: its path in errors.
pub(super) fn open(artifacts: &Artifacts, path: &str, asked: &str) -> Result<(ArtifactFile, String)> {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    match artifacts.open(path) {
        Ok(file) => Ok((file, name)),
        Err(trackway::Error::NotFound { .. }) if !artifacts.list(path)?.is_empty() => {
            Err(Error::invalid(format!("Artifact path refers to a directory, not a file: '{asked}'")))
        }
        Err(trackway::Error::NotFound { .. }) => Err(no_such(asked)),
        Err(error) => Err(error.into()),
    }
}

async fn delete(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = match path_of(&request) {
        Ok(path) => path,
        Err(error) => return error.into_response(),
    };
    let deleted = blocking::run(move || {
        let place = places::find(&app, &path)?.ok_or_else(|| no_such(&path))?;
        place.artifacts.delete(&place.path).map_err(|error| match error {
            trackway::Error::NotFound { .. } => no_such(&path),
            other => other.into(),
        })?;
        Ok(Reply::empty())
    });
    deleted.await.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}

async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let listed = blocking::run(move || {
        let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "path");
        let path = given.map(|(_, path)| path.into_owned()).unwrap_or_default();
        places::check(&path)?;
        // What is none of the artifacts that there are is an empty folder, as any that nobody made.
        let found = match places::find(&app, path.trim_end_matches('/'))? {
            Some(place) => place.artifacts.list(&place.path)?,
            None => Vec::new(),
        };
        let name = |artifact: &Artifact| artifact.path.rsplit('/').next().unwrap_or_default().to_owned();
        let files = found.iter().map(|artifact| FileShape::new(artifact, &name(artifact))).collect();
        Reply::json(&Files { files })
    });
    listed.await.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}

/// Files lie on this server's disk, where nobody else can put them: clients then send them whole.
async fn multipart() -> Error {
    let message = "Multipart upload is not supported for the current artifact repository";
    Error::new(Code::NotImplemented, message)
}

async fn presigned() -> Error {
    let message = "Multipart download is not supported for the current artifact repository";
    Error::new(Code::NotImplemented, message)
}
