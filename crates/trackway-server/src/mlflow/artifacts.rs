//! Artifacts of a run, of a logged model and of a model version, as pages ask for them.

use super::logged_models::find_model;
use super::places::{self, Place};
use super::proxy::{FileShape, no_such, open};
use super::registry::download_uri;
use super::request::{Fields, missing};
use super::runs::{read, run_id};
use super::{Code, Error, Result, Route, transfer};
use crate::reply::Reply;
use crate::state::App;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use std::sync::Arc;
use trackway::Artifacts;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/mlflow/artifacts/list", list),
    Route::get("/mlflow/logged-models/{model_id}/artifacts/directories", list_of_model),
    Route::post("/mlflow/artifacts/presigned-upload-url", presigned_upload),
    Route::post("/mlflow/artifacts/presigned-download-url", presigned_download),
];

/// Longest file that a page puts, in bytes.
const MAX_PAGE_UPLOAD: u64 = 10 << 20;

pub(super) fn router() -> Router<Arc<App>> {
    const AJAX: &str = "/ajax-api/2.0/mlflow";
    Router::new()
        .route("/get-artifact", get(of_run))
        .route("/model-versions/get-artifact", get(of_version))
        .route(&format!("{AJAX}/upload-artifact"), post(upload))
        .route(&format!("{AJAX}/logged-models/{{model_id}}/artifacts/files"), get(of_model))
}

#[derive(Serialize)]
struct Listing {
    root_uri: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileShape>,
}

fn list(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let given = fields.run_id()?;
    let path = fields.text("path")?.unwrap_or_default();
    places::check(path)?;
    listing(places::of_run(app, given)?, path)
}

fn list_of_model(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let model = fields.required_text("model_id")?;
    let path = fields.text("artifact_directory_path")?.unwrap_or_default();
    places::check(path)?;
    listing(places::of_model(app, &find_model(app, model)?)?, path)
}

fn listing((artifacts, root_uri): (Artifacts, String), path: &str) -> Result<Reply> {
    let found = artifacts.list(path.trim_end_matches('/'))?;
    let files = found.iter().map(|artifact| FileShape::new(artifact, &artifact.path)).collect();
    Reply::json(&Listing { root_uri, files })
}

/// What the query of a request says.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(request: &Request) -> Self {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        Self(form_urlencoded::parse(query).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn run(&self) -> Option<&str> {
        self.get("run_id").or_else(|| self.get("run_uuid"))
    }

    fn need(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            Error::new(Code::BadRequest, format!("Request must include the \"{name}\" query parameter."))
        })
    }
}

async fn of_run(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let find = move |app: &App| {
        let path = asked.need("path")?.to_owned();
        places::check(&path)?;
        let (artifacts, _) = places::of_run(app, asked.run().ok_or_else(|| missing("run_id"))?)?;
        open(&artifacts, &path, &path)
    };
    transfer::send(&app, request.headers(), find).await.unwrap_or_else(IntoResponse::into_response)
}

async fn of_version(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let find = move |app: &App| {
        let path = asked.need("path")?;
        places::check(path)?;
        let uri = download_uri(app, asked.get("name").unwrap_or_default(), asked.get("version").unwrap_or_default())?;
        let place = source(app, &uri)?.ok_or_else(|| no_such(path))?;
        let path = if place.path.is_empty() { path.to_owned() } else { format!("{}/{path}", place.path) };
        open(&place.artifacts, &path, &path)
    };
    transfer::send(&app, request.headers(), find).await.unwrap_or_else(IntoResponse::into_response)
}

/// The artifacts that the source of a model version means, when this server has them.
fn source(app: &App, uri: &str) -> Result<Option<Place>> {
    let Some(of_run) = uri.strip_prefix("runs:/") else { return places::of_uri(app, uri) };
    let (run, path) = of_run.split_once('/').unwrap_or((of_run, ""));
    places::check(path)?;
    let (artifacts, _) = places::of_run(app, run)?;
    Ok(Some(Place { artifacts, path: path.trim_matches('/').to_owned() }))
}

async fn of_model(State(app): State<Arc<App>>, Path(model_id): Path<String>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let find = move |app: &App| {
        let path = asked.need("artifact_file_path")?.to_owned();
        places::check(&path)?;
        let (artifacts, _) = places::of_model(app, &find_model(app, &model_id)?)?;
        open(&artifacts, &path, &path)
    };
    transfer::send(&app, request.headers(), find).await.unwrap_or_else(IntoResponse::into_response)
}

async fn upload(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let find = move |app: &App| {
        let given = asked.get("run_uuid").ok_or_else(|| Error::invalid("Request must specify run_uuid."))?;
        let path = asked.get("path").ok_or_else(|| Error::invalid("Request must specify path."))?;
        places::check(path)?;
        Ok((places::of_run(app, given)?.0, path.to_owned()))
    };
    let body = request.into_body();
    if axum::body::HttpBody::is_end_stream(&body) {
        return Error::invalid("Request must specify data.").into_response();
    }
    match transfer::receive(&app, body, MAX_PAGE_UPLOAD, find).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

/// Whoever asks for a URL at which he could put a file himself is told that there is none: the server has the files.
fn presigned_upload(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    let run = fields.text("run_id")?.filter(|text| !text.is_empty());
    let model = fields.text("model_id")?.filter(|text| !text.is_empty());
    let path = fields.required_text("path")?;
    fields.int("expiration")?;
    let uri = match (run, model) {
        (Some(run), None) => {
            places::check(path)?;
            run_uri(app, run)?
        }
        (None, Some(model)) => {
            places::check(path)?;
            let model = find_model(app, model)?;
            let location = super::shapes::artifact_location(&app.store.experiment(model.experiment_id)?);
            places::model_uri(&location, model.id)
        }
        _ => return Err(Error::invalid("Exactly one of run_id and model_id must be provided.")),
    };
    Err(not_presigned("upload", &uri))
}

fn presigned_download(app: &Arc<App>, fields: Fields<'_>) -> Result<Reply> {
    const MOST_SECONDS: i64 = 604_800;
    let run = fields.required_text("run_id")?;
    places::check(fields.required_text("path")?)?;
    let expiration = fields.int("expiration")?.unwrap_or(900);
    if !(1..=MOST_SECONDS).contains(&expiration) {
        let message = format!("expiration must be between 1 and {MOST_SECONDS} seconds (got {expiration}).");
        return Err(Error::invalid(message));
    }
    Err(not_presigned("download", &run_uri(app, run)?))
}

fn run_uri(app: &App, given: &str) -> Result<String> {
    let (run, location) = read(app, run_id(given)?)?;
    Ok(super::shapes::artifact_uri(&location, &run.id.to_string()))
}

fn not_presigned(what: &str, uri: &str) -> Error {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        "mlflow-artifacts" | "http" | "https" if what == "download" => Error::invalid(format!(
            "Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: {scheme}). This \
             endpoint requires a run with a direct cloud storage artifact URI."
        )),
        "mlflow-artifacts" | "http" | "https" => Error::invalid(format!(
            "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: {scheme}). This endpoint \
             requires a direct cloud storage artifact URI."
        )),
        _ => {
            let message = format!("Presigned {what} URLs are not supported for the current artifact repository");
            Error::new(Code::NotImplemented, message)
        }
    }
}
