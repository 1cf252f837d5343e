//! Artifacts for looking at: listings, the beginning of texts, images, and whole files to keep.
//!
//! What a run has logged is hostile: nothing of it is served as something that a browser runs, and the policy of each
//! answer shuts it in should a browser think otherwise.

use super::error::{Error, Result};
use super::{Call, json};
use crate::reply;
use crate::state::App;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use trackway::{ArtifactFile, RunId};

/// Files and folders of a listing.
const LISTED: usize = 10_000;

/// Longest beginning of a text that is shown, and how much of it tells whether it is one.
const PREVIEW_BYTES: u64 = 1 << 20;

#[derive(Serialize)]
struct Shape {
    path: String,
    is_dir: bool,
    size: u64,
}

/// What lies directly in a folder.
pub(super) fn list(app: &Arc<App>, call: &Call) -> Result<Response> {
    let found = app.store.artifacts(call.id()?)?.list(call.query("path").unwrap_or_default())?;
    let complete = found.len() <= LISTED;
    let shape = |one: trackway::Artifact| Shape { path: one.path, is_dir: one.is_dir, size: one.size_bytes };
    let artifacts: Vec<Shape> = found.into_iter().take(LISTED).map(shape).collect();
    json(&serde_json::json!({ "artifacts": artifacts, "complete": complete }))
}

/// A file: with `preview` the beginning of a text, with `download` to be kept; else an image, or again to be kept.
pub(super) fn file(app: &Arc<App>, call: &Call) -> Result<Response> {
    let id: RunId = call.id()?;
    let path = call.query("path").unwrap_or_default();
    let file = app.store.artifacts(id)?.open(path)?;
    if call.query("preview") == Some("true") {
        return preview(&file);
    }
    // Each holds a thread that may block for as long as its reader takes; waiting here would hold another one.
    let permit = Arc::clone(&app.transfers).try_acquire_owned().map_err(|_| Error::busy())?;
    let (size, image) = (file.len(), image(path).filter(|_| call.query("download") != Some("true")));
    let body = reply::body(move |out| {
        let _permit = permit;
        reply::copy(&file, 0, size, out)
    });
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, size.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(image.unwrap_or("application/octet-stream")));
    if image.is_none() {
        headers.insert(header::CONTENT_DISPOSITION, attachment(path));
    }
    Ok(shut_in(response))
}

fn preview(file: &ArtifactFile) -> Result<Response> {
    let mut bytes = vec![0; file.len().min(PREVIEW_BYTES) as usize];
    let mut at = 0;
    while let Some(room) = bytes.get_mut(at..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at as u64)? {
            0 => break,
            read => at += read,
        }
    }
    bytes.truncate(at);
    let end = match std::str::from_utf8(&bytes) {
        Ok(_) => bytes.len(),
        // A character that the end of the preview cuts.
        Err(error) if error.error_len().is_none() && file.len() > bytes.len() as u64 => error.valid_up_to(),
        Err(_) => return Err(Error::not_text()),
    };
    bytes.truncate(end);
    if bytes.contains(&0) {
        return Err(Error::not_text());
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let mut response = shut_in(([kind], bytes).into_response());
    response.headers_mut().insert("x-artifact-size", file.len().into());
    Ok(response)
}

/// The kind of an image, by its ending. A drawing may hold scripts, which the policy keeps from running.
fn image(path: &str) -> Option<&'static str> {
    let ending = path.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "ico" => "image/x-icon",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

fn attachment(path: &str) -> HeaderValue {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let encode = |byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let encoded: String = name.bytes().map(encode).collect();
    let value = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{encoded}"));
    value.unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// The headers that keep a browser from running what it gets.
fn shut_in(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}
