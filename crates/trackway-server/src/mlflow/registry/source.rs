//! Where a model version says that its files are, and whether it may say so.
//!
//! Whoever reads a version follows its source with the rights that he has, so a source must not lead where its author could not
//! go: out of the artifacts of the run or model that it names, upwards, or to files of the server's machine.

use super::super::logged_models::{find_model as find_logged, model_id};
use super::super::places::{model_uri, percent_decode};
use super::super::runs::{read, run_id};
use super::super::shapes::{artifact_location, artifact_uri};
use super::super::{Code, Error, Result};
use super::{PROMPT_TAG, find_model, find_version};
use crate::state::App;
use trackway::{ModelStage, ModelVersion};

/// What stands for the source of a prompt, whose text is in a tag.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];

/// How many versions may follow each other as sources.
const MOST_HOPS: usize = 64;

/// A source that was checked, with the run and logged model that it is of.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) run: Option<String>,
    pub(super) model: Option<String>,
}

/// Refuses a source that makes whoever reads it connect to a host of its author's choice.
pub(super) fn check_host(given: &str) -> Result<()> {
    const WITH_HOSTS: [&str; 9] = ["ftp", "sftp", "hdfs", "viewfs", "http", "https", "r2", "b2", "abfss"];
    let uri = Uri::new(given);
    let scheme = uri.scheme.as_str();
    if WITH_HOSTS.contains(&scheme) || scheme == "mlflow-artifacts" && !uri.authority.is_empty() {
        return Err(Error::invalid(format!(
            "'source' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the tracking \
             server's configured artifact storage, so the server would connect to the host named in the URI."
        )));
    }
    Ok(())
}

/// The source of a version of a prompt.
pub(super) fn of_prompt(given: &str) -> Result<Source> {
    if !PROMPT_SOURCES.contains(&given) {
        return Err(Error::invalid(format!(
            "Invalid prompt source: '{given}'. Prompt sources must use an MLflow placeholder."
        )));
    }
    Ok(Source { uri: given.to_owned(), run: None, model: None })
}

/// The parts of a URI that matter here.
struct Uri<'a> {
    /// In lower case; empty for a path.
    scheme: String,
    authority: &'a str,
    path: &'a str,
}

impl<'a> Uri<'a> {
    fn new(text: &'a str) -> Self {
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        };
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            _ => (String::new(), text),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        Self { scheme, authority, path }
    }
}

/// The last of the forms into which a text can be decoded; `+` stands for a space, as in forms.
fn decoded(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    // Each round but the last takes at least two characters away.
    loop {
        let next = percent_decode(&text.replace('+', " "))?.into_owned();
        if next == text {
            return Some(text);
        }
        text = next;
    }
}

fn wrong(source: &str, what: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{source}'. The {what} request parameter must identify the resource that contains \
         the source."
    ))
}

/// Checks a source, with the run and model that the request names.
pub(super) fn check(app: &App, given: &str, run: Option<&str>, model: Option<&str>) -> Result<Source> {
    let (uri, run, model) = lineage(app, given, run, model)?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (mut run, model) = (some(run), some(model));
    match &model {
        Some(model) => check_of_model(app, &uri, model)?,
        None => check_of_run(app, &uri, run.as_deref())?,
    }
    if run.is_none() {
        let of_source = uri.strip_prefix("models:/").filter(|name| model_id(name).is_ok());
        if let Some(model) = model.as_deref().or(of_source) {
            run = find_logged(app, model)?.source_run_id.map(|run| run.to_string());
        }
    }
    Ok(Source { uri, run, model })
}

/// A source that is another version stands for that version's run and model.
fn lineage(
    app: &App,
    given: &str,
    run: Option<&str>,
    model: Option<&str>,
) -> Result<(String, Option<String>, Option<String>)> {
    let as_given = || (given.to_owned(), run.map(str::to_owned), model.map(str::to_owned));
    let uri = Uri::new(given);
    if uri.scheme != "models" {
        return Ok(as_given());
    }
    if !uri.authority.is_empty() {
        return Err(Error::invalid(format!(
            "Invalid model version source: '{given}'. Registered model sources must use the active model registry."
        )));
    }
    let Named::Version(version) = named(app, given, uri.path)? else { return Ok(as_given()) };
    let of_version = version.run_id.map(|run| run.to_string());
    if run.is_some_and(|run| run != of_version.as_deref().unwrap_or_default()) || model.is_some_and(|m| !m.is_empty()) {
        return Err(Error::invalid(format!(
            "Invalid model version source: '{given}'. The run_id and model_id request parameters must match the referenced \
             model version."
        )));
    }
    let uri = format!("models:/{}/{}", version.model, version.number);
    Ok((uri, run.map(str::to_owned).or(of_version), None))
}

/// What a `models:` URI is about.
enum Named {
    /// A logged model, which is not looked for.
    Logged,
    Version(Box<ModelVersion>),
}

fn named(app: &App, given: &str, path: &str) -> Result<Named> {
    let wrong = || wrong(given, "model_id");
    let path = path.strip_prefix('/').filter(|path| !path.is_empty()).ok_or_else(wrong)?.trim_start_matches('/');
    let found = match path.split_once('/') {
        Some((name, suffix)) if name.trim().is_empty() || suffix.trim().is_empty() || suffix.contains('/') => {
            return Err(wrong());
        }
        Some((name, suffix)) => {
            let model = find_model(app, name)?;
            if model.tags.get(PROMPT_TAG).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
                return Err(Error::invalid(format!(
                    "Invalid model version source: '{given}'. Prompt versions cannot be used as model version sources."
                )));
            }
            if suffix.bytes().all(|byte| byte.is_ascii_digit()) {
                find_version(app, name, suffix)?
            } else if suffix.eq_ignore_ascii_case("latest") {
                model.versions.last().cloned().ok_or_else(|| no_version_in(name, suffix))?
            } else {
                let stage: ModelStage = suffix.parse().map_err(|_| no_version_in(name, suffix))?;
                let latest = model.versions.iter().rev().find(|version| version.stage == stage);
                latest.cloned().ok_or_else(|| no_version_in(name, suffix))?
            }
        }
        None => match path.rsplit_once('@') {
            Some((_, "")) => return Err(wrong()),
            Some((name, alias)) => {
                find_model(app, name)?;
                let missing = |_| Error::invalid(format!("Registered model alias {alias} not found."));
                app.store.model_version_by_alias(name, alias).map_err(missing)?
            }
            None => return Ok(Named::Logged),
        },
    };
    Ok(Named::Version(Box::new(found)))
}

fn no_version_in(name: &str, stage: &str) -> Error {
    Error::missing(format!("No versions of model with name '{name}' and stage '{stage}' found"))
}

/// Refuses files of the server's machine, but for those of a location that lies there and is named.
fn check_local(given: &str, root: Option<&str>, what: &str) -> Result<()> {
    let path_of = |text: &str| decoded(Uri::new(text).path).filter(|path| path.starts_with('/'));
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let is_below = root.filter(|root| is_local(root)).and_then(|root| path_of(root).zip(path_of(given)));
    if let Some((root, path)) = is_below {
        let (root, path) = (parts(&root), parts(&path));
        let is_plain = !path.iter().any(|part| matches!(part.as_str(), "." | "..") || part.contains('\0'));
        if is_plain && !root.is_empty() && path.starts_with(&root) {
            return Ok(());
        }
    }
    Err(Error::invalid(format!(
        "Invalid model version source: '{given}'. To use a local path as a model version source, the {what} request \
         parameter has to be specified and the local path has to be contained within the artifact directory of the run \
         specified by the {what}."
    )))
}

fn is_local(uri: &str) -> bool {
    matches!(Uri::new(uri).scheme.as_str(), "" | "file")
}

/// Refuses what is relative or leads upwards, in whatever form it is written.
fn check_absolute(given: &str) -> Result<()> {
    let is_plain = decoded(given).is_some_and(|text| {
        let path = Uri::new(&text).path;
        let parts = path.split('/').filter(|part| !part.is_empty());
        path.starts_with('/')
            && parts.clone().count() > 0
            && !parts.clone().any(|part| part == ".")
            && !text.split('/').any(|part| part == "..")
            && !path.contains(['\0', '\\'])
    });
    if is_plain {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Invalid model version source: '{given}'. If supplying a source as an http, https, local file path, ftp, objectstore, \
         or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide \
         an absolute path."
    )))
}

fn check_of_run(app: &App, given: &str, run: Option<&str>) -> Result<()> {
    let wrong = |what| wrong(given, what);
    let root = |run: &str| -> Result<String> {
        let (run, location) = read(app, run_id(run)?)?;
        Ok(artifact_uri(&location, &run.id.to_string()))
    };
    // A run that is not there contains nothing.
    let root = |run: &str| root(run).map_err(|error| not_there(error, given, "run_id"));
    if is_local(given) {
        return check_local(given, run.map(root).transpose()?.as_deref(), "run_id");
    }
    check_absolute(given)?;
    let uri = Uri::new(given);
    match uri.scheme.as_str() {
        "runs" => {
            let of = uri.path.trim_start_matches('/').split_once('/').filter(|(_, path)| !path.is_empty());
            let is_its = of.is_some_and(|(of, _)| run == Some(of)) && uri.authority.is_empty();
            if is_its { Ok(()) } else { Err(wrong("run_id")) }
        }
        "models" => {
            let is_version = uri.authority.is_empty() && uri.path.trim_start_matches('/').contains('/');
            if is_version { Ok(()) } else { Err(wrong("model_id")) }
        }
        _ if is_proxied(given) => match run {
            Some(run) if is_within(given, &root(run)?) => Ok(()),
            _ => Err(wrong("run_id")),
        },
        _ => Ok(()),
    }
}

fn check_of_model(app: &App, given: &str, model: &str) -> Result<()> {
    let wrong = || wrong(given, "model_id");
    let root = || -> Result<String> {
        let model = find_logged(app, model)?;
        let location = artifact_location(&app.store.experiment(model.experiment_id)?);
        Ok(model_uri(&location, model.id))
    };
    let root = || root().map_err(|error| not_there(error, given, "model_id"));
    if is_local(given) {
        return check_local(given, Some(&root()?), "model_id");
    }
    check_absolute(given)?;
    let uri = Uri::new(given);
    let is_its = match uri.scheme.as_str() {
        "models" => uri.authority.is_empty() && uri.path.trim_start_matches('/') == model,
        "runs" => false,
        _ if is_proxied(given) => is_within(given, &root()?),
        _ => true,
    };
    if is_its { Ok(()) } else { Err(wrong()) }
}

fn not_there(error: Error, given: &str, what: &str) -> Error {
    if error.code == Code::ResourceDoesNotExist { wrong(given, what) } else { error }
}

/// Scheme, authority, and the parts of the path in their last form.
fn parts(uri: &str) -> Option<(String, String, Vec<String>)> {
    let uri = Uri::new(uri);
    let parts = uri.path.split('/').filter(|part| !part.is_empty());
    let parts = parts.map(all_decoded).collect::<Option<Vec<_>>>()?;
    Some((uri.scheme, uri.authority.to_ascii_lowercase(), parts))
}

fn all_decoded(part: &str) -> Option<String> {
    let mut part = part.to_owned();
    loop {
        let next = percent_decode(&part)?.into_owned();
        if next == part {
            return Some(part);
        }
        part = next;
    }
}

/// Whether it is about artifacts of a server like this one.
fn is_proxied(uri: &str) -> bool {
    const ROUTE: [&str; 4] = ["api", "2.0", "mlflow-artifacts", "artifacts"];
    let Some((scheme, _, parts)) = parts(uri) else { return true };
    scheme == "mlflow-artifacts"
        || matches!(scheme.as_str(), "http" | "https")
            && parts.windows(ROUTE.len()).any(|window| window.iter().eq(ROUTE.iter()))
}

fn is_within(uri: &str, root: &str) -> bool {
    match (parts(uri), parts(root)) {
        (Some((scheme, authority, path)), Some((root_scheme, root_authority, root))) => {
            (scheme, authority) == (root_scheme, root_authority) && !root.is_empty() && path.starts_with(&root)
        }
        _ => false,
    }
}

/// Where the files of a version are: that of the version or logged model which its source names, else its source.
pub(crate) fn download_uri(app: &App, name: &str, version: &str) -> Result<String> {
    let mut found = find_version(app, name, version)?;
    for _ in 0..MOST_HOPS {
        let Some(of) = found.source.strip_prefix("models:/") else { break };
        match of.rsplit_once('/') {
            None => {
                let model = find_logged(app, of)?;
                let location = artifact_location(&app.store.experiment(model.experiment_id)?);
                return Ok(model_uri(&location, model.id));
            }
            Some((name, version)) => found = find_version(app, name, version)?,
        }
    }
    Ok(found.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_upwards_is_refused_in_every_form() {
        for bad in [
            "mlflow-artifacts://host:9000/models/../../../",
            "http://host:9000/models/../../../",
            "s3://my_bucket/models/..",
            "s3:/bucket/models/path/../../other/path",
            "mlflow-artifacts://host:9000/..%2f..%2f..%2f",
            "mlflow-artifacts://host:9000/..%252f..%252f",
            "mlflow-artifacts://host:9000/%2e%2e/x",
            "http://host:9000/api/2.0/mlflow-artifacts/artifacts%00",
            "dbfs:relative/path",
            "s3://bucket",
            "s3://bucket/./x",
            "s3://bucket/a\\b",
        ] {
            assert!(check_absolute(bad).is_err(), "{bad}");
        }
        for good in
            ["s3://bucket/a/b", "s3:/bucket/x", "runs:/0123/model", "models:/m-1", "gs://b/a%20b", "https://h/a//b/"]
        {
            assert!(check_absolute(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_source_lies_within_a_root_by_its_parts() {
        let root = "mlflow-artifacts:/0/abc/artifacts";
        for good in [
            "mlflow-artifacts:/0/abc/artifacts",
            "mlflow-artifacts:/0/abc/artifacts/model",
            "MLFLOW-ARTIFACTS:/0//abc/artifacts/m",
        ] {
            assert!(is_within(good, root), "{good}");
        }
        for bad in [
            "mlflow-artifacts:/0/abc/artifacts2",
            "mlflow-artifacts:/0/abd/artifacts",
            "mlflow-artifacts://h/0/abc/artifacts",
            "s3:/0/abc/artifacts",
        ] {
            assert!(!is_within(bad, root), "{bad}");
        }
        assert!(
            is_proxied("http://h/prefix/api/2.0/mlflow-artifacts/artifacts/x") && is_proxied("mlflow-artifacts:/x")
        );
        assert!(!is_proxied("http://h/other/x"));
    }

    #[test]
    fn files_of_this_machine_are_no_sources_but_below_a_local_root() {
        assert!(check_local("/etc/passwd", None, "run_id").is_err());
        assert!(check_local("/data/7/run/artifacts/m", Some("mlflow-artifacts:/7/run/artifacts"), "run_id").is_err());
        assert!(check_local("/data/7/run/artifacts/m", Some("/data/7/run/artifacts"), "run_id").is_ok());
        assert!(check_local("file:///data/7/run/artifacts/m", Some("file:///data/7/run/artifacts"), "run_id").is_ok());
        for bad in [
            "/data/7/run/artifacts/../x",
            "/data/7/run/artifacts/%2e%2e/x",
            "file:x",
            "data/7/run/artifacts",
            "/data/7/run/artifacts2",
        ] {
            assert!(check_local(bad, Some("/data/7/run/artifacts"), "run_id").is_err(), "{bad}");
        }
        assert!(is_local("file:///x") && is_local("./x") && is_local("x") && !is_local("s3://x"));
    }
}
