//! Which artifacts a path means, and which paths mean none.
//!
//! A client names artifacts by a path below the root of all: `<experiment>/<run>/artifacts/...` and
//! `<experiment>/models/<model>/artifacts/...`, where an experiment with a location of its own has that for its number. Only
//! these are served: each is turned into the artifacts of a run or model and a path below them, which the engine checks again.
//!
//! Paths are checked in every form into which they can be decoded, so that what is harmless here stays so for whoever decodes it
//! once more. They are then used as they came: a name with a percent sign is that name.

use super::runs::{read, run_id};
use super::shapes::artifact_location;
use super::{Error, Result};
use crate::state::App;
use std::borrow::Cow;
use trackway::{Artifacts, LoggedModelId, RunId};

/// MLflow's own scheme: the server has the artifacts.
const SCHEME: &str = "mlflow-artifacts:";

/// How often a path may have been encoded. MLflow gives up as early.
const MOST_DECODINGS: usize = 10;

/// Some artifacts, and a path below them; the empty path is all of them.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) artifacts: Artifacts,
    pub(crate) path: String,
}

/// MLflow's error for a path that could lead elsewhere.
fn unsafe_path() -> Error {
    Error::invalid("Invalid path")
}

/// Decodes `%41` and the like; what is no such escape stays. `None` when the result is no text.
pub(crate) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        match (first, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Refuses a path that is, in any form into which it can be decoded, absolute, of another system, or leads upwards.
pub(crate) fn check(path: &str) -> Result<()> {
    let mut form = Cow::Borrowed(path);
    for _ in 0..MOST_DECODINGS {
        check_form(&form)?;
        let next = percent_decode(&form).ok_or_else(unsafe_path)?.into_owned();
        if next == form {
            return Ok(());
        }
        form = Cow::Owned(next);
    }
    Err(unsafe_path())
}

fn check_form(path: &str) -> Result<()> {
    let mut letters = path.chars();
    let has_drive = letters.next().is_some_and(|first| first.is_ascii_alphabetic()) && letters.next() == Some(':');
    let has_scheme = path.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    let is_bad = path.contains(['\\', '#', '\0'])
        || path.starts_with('/')
        || path.split('/').any(|part| part == "..")
        || has_drive
        || has_scheme;
    if is_bad { Err(unsafe_path()) } else { Ok(()) }
}

/// The path of a location below the root of all artifacts; `None` when the location is elsewhere.
fn root_path(location: &str) -> Option<&str> {
    let path = location.strip_prefix(SCHEME)?;
    // A host may be named: it is this one.
    let path = path.strip_prefix("//").map_or(path, |rest| rest.split_once('/').map_or("", |(_, path)| path));
    Some(path.split('?').next().unwrap_or_default().trim_matches('/'))
}

/// What a location is refused with whose artifacts this server does not have.
fn elsewhere(location: &str) -> Error {
    let message = format!("artifacts at {location:?} are not kept by this server; use the client to reach them");
    Error::new(super::Code::NotImplemented, message)
}

/// The artifacts of a run, which the server must have, and where they are.
pub(crate) fn of_run(app: &App, given: &str) -> Result<(Artifacts, String)> {
    let (run, location) = read(app, run_id(given)?)?;
    let uri = super::shapes::artifact_uri(&location, &run.id.to_string());
    root_path(&location).ok_or_else(|| elsewhere(&location))?;
    Ok((app.store.artifacts(run.id)?, uri))
}

/// Where the artifacts of a logged model are.
pub(crate) fn model_uri(location: &str, model: LoggedModelId) -> String {
    super::shapes::artifact_uri(location, &format!("models/{model}"))
}

/// The artifacts of a logged model, which the server must have.
pub(crate) fn of_model(app: &App, model: &trackway::LoggedModel) -> Result<(Artifacts, String)> {
    let location = artifact_location(&app.store.experiment(model.experiment_id)?);
    root_path(&location).ok_or_else(|| elsewhere(&location))?;
    Ok((app.store.logged_model_artifacts(model.id)?, model_uri(&location, model.id)))
}

/// The artifacts that a path below the root of all is about; `None` when it is about none that there are.
pub(crate) fn find(app: &App, path: &str) -> Result<Option<Place>> {
    check(path)?;
    let parts: Vec<&str> = path.split('/').collect();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| **part == "artifacts") {
        let _ = part;
        let (Some(id), Some(before)) =
            (at.checked_sub(1).and_then(|at| parts.get(at)), parts.get(..at.saturating_sub(1)))
        else {
            continue;
        };
        let found = match (id.parse::<RunId>(), id.parse::<LoggedModelId>(), before.split_last()) {
            (Ok(run), ..) if run.to_string() == **id => find_run(app, run, &before.join("/"))?,
            (_, Ok(model), Some((&"models", root))) => find_model(app, model, &root.join("/"))?,
            _ => None,
        };
        if let Some(artifacts) = found {
            return Ok(Some(Place { artifacts, path: parts.get(at + 1..).unwrap_or_default().join("/") }));
        }
    }
    Ok(None)
}

fn find_run(app: &App, run: RunId, root: &str) -> Result<Option<Artifacts>> {
    let (run, location) = match read(app, run) {
        Err(error) if error.code == super::Code::ResourceDoesNotExist => return Ok(None),
        found => found?,
    };
    if root_path(&location) != Some(root) {
        return Ok(None);
    }
    Ok(Some(app.store.artifacts(run.id)?))
}

fn find_model(app: &App, model: LoggedModelId, root: &str) -> Result<Option<Artifacts>> {
    let model = match app.store.logged_model(model) {
        Err(trackway::Error::NotFound { .. }) => return Ok(None),
        found => found?,
    };
    let location = artifact_location(&app.store.experiment(model.experiment_id)?);
    if root_path(&location) != Some(root) {
        return Ok(None);
    }
    Ok(Some(app.store.logged_model_artifacts(model.id)?))
}

/// The artifacts that a URI is about, when the server has them.
pub(crate) fn of_uri(app: &App, uri: &str) -> Result<Option<Place>> {
    root_path(uri).map_or(Ok(None), |path| find(app, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_refused_in_every_form() {
        for bad in [
            "..",
            "../x",
            "a/../b",
            "a/..",
            "/etc/passwd",
            "//host/x",
            "a\\b",
            "..\\x",
            "C:/x",
            "c:x",
            "a#b",
            "a\0b",
            "file:///etc/passwd",
            "FILE:x",
            "%2e%2e/x",
            "%2E%2e%2Fx",
            "%252e%252e%252fx",
            "%25252e%25252e/x",
            "%2fetc",
            "a%5cb",
            "a%23b",
            "a%00b",
            "%43:/x",
            "a/%2e./b",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        let mut deep = "..".to_owned();
        for _ in 0..30 {
            deep = deep.replace('%', "%25").replace('.', "%2e");
        }
        assert!(check(&deep).is_err(), "too deep to tell");
    }

    #[test]
    fn what_is_only_odd_passes() {
        for good in
            ["", "a", "a/b.txt", "..a", "a..", ".hidden", "50%", "a%zz", "a b", "ab:c/d", "\u{e9}", "x%41", "%%%"]
        {
            assert!(check(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn locations_of_this_server_have_a_path() {
        assert_eq!(root_path("mlflow-artifacts:/7"), Some("7"));
        assert_eq!(root_path("mlflow-artifacts://host:5000/a/b/"), Some("a/b"));
        assert_eq!(root_path("mlflow-artifacts:/a?q=1"), Some("a"));
        assert_eq!(root_path("s3://bucket/7"), None);
        assert_eq!(percent_decode("a%20b%"), Some("a b%".into()));
        assert_eq!(percent_decode("%ff"), None);
    }
}
