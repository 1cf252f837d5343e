//! MLflow's folder `mlruns`.
//!
//! ```text
//! <experiment id>/meta.yaml                  name, lifecycle_stage, creation_time
//! <experiment id>/tags/<key>                 the value is the content
//! <experiment id>/datasets/<id>/meta.yaml    name, digest, source, ...
//! <experiment id>/<run id>/meta.yaml         run_name, status (a number), times, lifecycle_stage
//!     params/<key>  tags/<key>               keys with slashes are folders
//!     metrics/<key>                          lines "timestamp value step", appended
//!     inputs/<id>/meta.yaml                  source_type DATASET or MODEL, source_id, tags
//!     artifacts/
//!     outputs/<id>/meta.yaml                 logged models that it made
//! <experiment id>/models/<id>/               logged models (`mlruns/models.rs`)
//! models/<name>/                             registered models
//! .trash/<experiment id>/                    deleted experiments
//! ```

mod models;

use crate::error::{At as _, Error, Result};
use crate::mlflow::models::model_id;
use crate::mlflow::{MlflowOptions, RunInfo, local_folder, put_artifacts, source_experiment, status_of_number};
use crate::session::{Failure, Session};
use crate::target::{ARTIFACT_URI_TAG, Rule, Target};
use crate::yaml::Meta;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use trackway::{DatasetInput, ExperimentId, ModelLink, Point, limits};

const META: &str = "meta.yaml";

/// Folders of an experiment that are not runs.
const NO_RUNS: [&str; 5] = ["tags", "datasets", "traces", "models", "prompts"];

/// A line of a metric: two numbers of at most 20 digits, a value, and at most a run, a name and a digest.
const MAX_LINE_BYTES: u64 = 1 << 16;

pub(crate) fn import(session: &mut Session<'_>, root: &Path, options: &MlflowOptions) -> Result<()> {
    let mut experiments = folders(root)?;
    experiments.extend(folders(&root.join(".trash")).unwrap_or_default());
    experiments.retain(|folder| folder.join(META).is_file());
    if experiments.is_empty() {
        return Err(Error::source(root, "no experiment of MLflow is in it: no <id>/meta.yaml"));
    }
    let mut all = Vec::new();
    for folder in experiments {
        let runs: Vec<PathBuf> = folders(&folder)?.into_iter().filter(|run| !NO_RUNS.contains(&name_of(run))).collect();
        let models = models::model_folders(&folder)?;
        session.progress.total_runs += runs.len() as u64;
        session.progress.total_models += models.len() as u64;
        all.push((folder, runs, models));
    }
    let registered = folders(&root.join("models")).unwrap_or_default().len();
    if registered > 0 {
        session.note(format!("{}: {registered} registered models left out", root.display()));
    }
    for (folder, runs, models) in all {
        match import_experiment(session, &folder, &runs, &models, options) {
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => session.report.failures.push(Failure { what: folder.display().to_string(), error }),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn import_experiment(
    session: &mut Session<'_>,
    folder: &Path,
    runs: &[PathBuf],
    models: &[PathBuf],
    options: &MlflowOptions,
) -> Result<()> {
    let meta = Meta::read(&folder.join(META))?;
    let is_deleted = meta.text("lifecycle_stage") == Some("deleted");
    let (id, name) = (meta.need("experiment_id")?, meta.need("name")?);
    let source =
        source_experiment(id, name, is_deleted, meta.number("creation_time")?, texts_below(&folder.join("tags"))?);
    let experiment = session.experiment(&source)?;
    let traces = folders(&folder.join("traces")).unwrap_or_default().len();
    if traces > 0 {
        session.note(format!("{}: {traces} traces left out", folder.display()));
    }
    for run in runs {
        session.run(&run.display().to_string(), |session| import_run(session, folder, run, experiment, options))?;
    }
    for model in models {
        let import = |session: &mut Session<'_>| models::import(session, folder, model, experiment, options);
        session.model(&model.display().to_string(), import)?;
    }
    session.end_experiment(&source, experiment)
}

fn import_run(
    session: &mut Session<'_>,
    folder: &Path,
    run: &Path,
    experiment: ExperimentId,
    options: &MlflowOptions,
) -> Result<()> {
    let path = run.join(META);
    let meta = Meta::read(&path)?;
    let id = meta.text("run_id").or(meta.text("run_uuid")).unwrap_or_else(|| name_of(run)).to_owned();
    let (datasets, mut links) = inputs(session, folder, run)?;
    links.extend(models::outputs(session, run)?);
    let mut info = RunInfo {
        place: run.display().to_string(),
        name: meta.text("run_name").map(str::to_owned),
        user: meta.text("user_id").map(str::to_owned),
        status: status_of_number(&path, meta.number("status")?.unwrap_or(1))?,
        start_time: meta.number("start_time")?,
        end_time: meta.number("end_time")?,
        is_deleted: meta.text("lifecycle_stage") == Some("deleted"),
        params: texts_below(&run.join("params"))?,
        tags: texts_below(&run.join("tags"))?,
        datasets,
        models: links,
        id,
    };
    let own = run.join("artifacts");
    let uri = meta.text("artifact_uri").unwrap_or_default();
    let given = options.artifacts.iter().map(|root| root.join(name_of(folder)).join(&info.id).join("artifacts"));
    let mut places: Vec<PathBuf> = given.collect();
    let local = local_folder(uri, folder);
    places.push(own);
    if local.is_none() && !uri.is_empty() && !places.iter().any(|place| place.is_dir()) {
        session.note(format!("{}: its artifacts are at {uri} and were not copied", run.display()));
        info.tags.insert(ARTIFACT_URI_TAG.to_owned(), uri.to_owned());
    }
    places.extend(local);
    let facts = info.into_facts();
    let id = facts.id;
    let Some(mut target) = Target::begin(session, experiment, facts, Rule::Merge)? else { return Ok(()) };
    for (key, path) in files_below(&run.join("metrics"))? {
        read_metric(&path, &mut |point| target.push(session, &key, point))?;
    }
    let to = session.store.artifacts(id)?;
    put_artifacts(session, &to, &places)?;
    target.end(session, &mut |key, each| read_metric(&run.join("metrics").join(key), each))
}

/// Reads the points of a metric.
fn read_metric(path: &Path, each: &mut dyn FnMut(Point) -> Result<()>) -> Result<()> {
    read_lines(path, "timestamp value step", &parse_point, each)
}

/// Reads the lines of a metric. A last line without its end is being written, and is left for the next import.
fn read_lines<T>(
    path: &Path,
    form: &str,
    parse: &dyn Fn(&str) -> Option<T>,
    each: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, File::open(path).at(path, "open")?);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        (&mut input).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).at(path, "read")?;
        if line.is_empty() {
            return Ok(());
        }
        number += 1;
        if line.last() != Some(&b'\n') && (line.len() as u64) < MAX_LINE_BYTES {
            return Ok(());
        }
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        let wrong = || Error::source(path, format!("line {number} is not \"{form}\""));
        each(parse(text).ok_or_else(wrong)?)?;
    }
}

/// Two fields are of MLflow before 1.0; from the fourth on they name a dataset, whose name may have spaces in it.
fn parse_point(line: &str) -> Option<Point> {
    let fields: Vec<&str> = line.split(' ').collect();
    let (timestamp, value, step) = match fields.as_slice() {
        [timestamp, value] => (timestamp, value, &"0"),
        [timestamp, value, step] | [timestamp, value, step, _, _, ..] => (timestamp, value, step),
        _ => return None,
    };
    Some(Point::new(step.parse().ok()?, timestamp.parse().ok()?, value.parse().ok()?))
}

/// The datasets and the models that a run used.
fn inputs(session: &mut Session<'_>, folder: &Path, run: &Path) -> Result<(Vec<DatasetInput>, Vec<ModelLink>)> {
    let (mut found, mut links) = (Vec::new(), Vec::new());
    for input in folders(&run.join("inputs")).unwrap_or_default() {
        let meta = Meta::read(&input.join(META))?;
        match meta.text("source_type") {
            Some("DATASET") => {}
            Some("MODEL") => {
                links.push(ModelLink::input(model_id(meta.need("source_id")?)));
                continue;
            }
            _ => {
                session.note(format!("{}: an input that is neither dataset nor model, left out", input.display()));
                continue;
            }
        }
        let data = Meta::read(&folder.join("datasets").join(meta.need("source_id")?).join(META))?;
        let text = |name: &str| data.text(name).unwrap_or_default().to_owned();
        found.push(DatasetInput {
            name: data.need("name")?.to_owned(),
            digest: text("digest"),
            source_type: text("source_type"),
            source: text("source"),
            schema: text("schema"),
            profile: text("profile"),
            tags: meta.mapping("tags"),
        });
    }
    Ok((found, links))
}

/// The files below a folder with their keys, sorted; none when there is no such folder.
fn files_below(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let (mut found, mut todo) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = todo.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.at(&folder, "list")?,
        };
        for entry in entries {
            let entry = entry.at(&folder, "list")?;
            let path = entry.path();
            if entry.file_type().at(&path, "look at")?.is_dir() {
                todo.push(path);
                continue;
            }
            let key = path.strip_prefix(root).ok().and_then(|below| below.to_str()).map(str::to_owned);
            found.push((key.ok_or_else(|| Error::source(&path, "its name is not UTF-8"))?, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The contents of the files below a folder, by key.
fn texts_below(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (key, path) in files_below(root)? {
        let mut bytes = Vec::new();
        let limit = limits::MAX_VALUE_BYTES as u64;
        File::open(&path).at(&path, "open")?.take(limit + 1).read_to_end(&mut bytes).at(&path, "read")?;
        if bytes.len() as u64 > limit {
            let found = std::fs::metadata(&path).at(&path, "look at")?.len();
            let source = trackway::Error::LimitExceeded { what: "value in bytes", limit, found };
            return Err(Error::Refused { place: path.display().to_string(), source });
        }
        let text = String::from_utf8(bytes).map_err(|_| Error::source(&path, "it is not UTF-8"))?;
        found.insert(key, text);
    }
    Ok(found)
}

/// Folders in a folder, sorted.
fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root).at(root, "list")?.collect::<std::io::Result<Vec<_>>>().at(root, "list")?;
    let is_folder = |path: &PathBuf| path.is_dir() && !name_of(path).starts_with('.');
    let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_folder).collect();
    found.sort();
    Ok(found)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_versions_are_points() {
        let bits = |line: &str| parse_point(line).map(|p| (p.timestamp, p.value.to_bits(), p.step));
        assert_eq!(bits("5 -0.0 -7"), Some((5, (-0.0_f64).to_bits(), -7)));
        assert_eq!(bits("5 1e-05"), Some((5, 1e-5_f64.to_bits(), 0)));
        assert_eq!(bits("5 inf 2 data d1"), Some((5, f64::INFINITY.to_bits(), 2)));
        assert_eq!(bits("5 1 2 my own data d1"), Some((5, 1_f64.to_bits(), 2)));
        assert!(parse_point("5 nan 2").unwrap().value.is_nan());
        for wrong in ["", "5", "5 x 1", "5 1.0 1.5", "5 1 2 3", "5  1 2"] {
            assert_eq!(parse_point(wrong).map(|p| p.step), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_line_that_is_being_written_is_left_for_the_next_import() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loss");
        std::fs::write(&path, "1 0.5 0\n2 0.25 1").unwrap();
        let mut steps = Vec::new();
        let mut push = |point: Point| {
            steps.push(point.step);
            Ok(())
        };
        read_metric(&path, &mut push).unwrap();
        assert_eq!(steps, [0]);
        std::fs::write(&path, "1 0.5 0\n2 zero 1\n").unwrap();
        let error = read_metric(&path, &mut |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("loss: line 2"), "{error}");
    }
}
