//! Logged models in MLflow's folder `mlruns`, and the links of runs to them.
//!
//! ```text
//! <experiment id>/models/<model id>/meta.yaml    name, model_type, status (a number), times, lifecycle_stage
//!     params/<key>  tags/<key>
//!     metrics/<key>                              lines "timestamp value step run [dataset digest]", appended
//!     artifacts/
//! <experiment id>/<run id>/outputs/<model id>/meta.yaml    source_id: the model; step
//! ```

use super::{META, files_below, folders, name_of, read_lines, texts_below};
use crate::error::{Error, Result};
use crate::mlflow::models::{ModelInfo, import_model, model_id};
use crate::mlflow::{MlflowOptions, local_folder, run_id};
use crate::session::Session;
use crate::yaml::Meta;
use std::path::{Path, PathBuf};
use trackway::{ExperimentId, ModelLink, ModelMetric};

const MODELS: &str = "models";

/// The folders of the models of an experiment.
pub(super) fn model_folders(experiment: &Path) -> Result<Vec<PathBuf>> {
    let models = experiment.join(MODELS);
    if models.is_dir() { folders(&models) } else { Ok(Vec::new()) }
}

pub(super) fn import(
    session: &mut Session<'_>,
    folder: &Path,
    model: &Path,
    experiment: ExperimentId,
    options: &MlflowOptions,
) -> Result<()> {
    let path = model.join(META);
    let meta = Meta::read(&path)?;
    let text = |name: &str| meta.text(name).unwrap_or_default().to_owned();
    let status = meta.number("status")?.ok_or_else(|| Error::source(&path, "it has no \"status\""))?;
    let created_at = meta.number("creation_timestamp")?.unwrap_or_default();
    let mut info = ModelInfo {
        id: meta.text("model_id").unwrap_or_else(|| name_of(model)).to_owned(),
        place: model.display().to_string(),
        name: text("name"),
        model_type: text("model_type"),
        status,
        status_message: text("status_message"),
        source_run: text("source_run_id"),
        created_at,
        updated_at: meta.number("last_updated_timestamp")?.unwrap_or(created_at),
        is_deleted: meta.text("lifecycle_stage") == Some("deleted"),
        artifacts: text("artifact_location"),
        params: texts_below(&model.join("params"))?,
        tags: texts_below(&model.join("tags"))?,
        metrics: Vec::new(),
    };
    for (key, path) in files_below(&model.join("metrics"))? {
        let parse = |line: &str| parse_metric(&key, line);
        read_lines(&path, "timestamp value step run", &parse, &mut |metric| {
            info.metrics.push(metric);
            Ok(())
        })?;
    }
    let below = |root: &PathBuf| root.join(name_of(folder)).join(MODELS).join(&info.id).join("artifacts");
    let mut places: Vec<PathBuf> = options.artifacts.iter().map(below).collect();
    places.push(model.join("artifacts"));
    places.extend(local_folder(&info.artifacts, folder));
    import_model(session, experiment, info, &places)
}

/// The name of a dataset may have spaces in it, its digest has none.
fn parse_metric(key: &str, line: &str) -> Option<ModelMetric> {
    let fields: Vec<&str> = line.splitn(5, ' ').collect();
    let (head, dataset) = match fields.as_slice() {
        [timestamp, value, step, run] => ((timestamp, value, step, run), None),
        [timestamp, value, step, run, dataset] => ((timestamp, value, step, run), Some(dataset.rsplit_once(' ')?)),
        _ => return None,
    };
    let (timestamp, value, step, run) = head;
    if run.is_empty() {
        return None;
    }
    let metric = ModelMetric::new(key, value.parse().ok()?, step.parse().ok()?, run_id(run));
    let metric = metric.at(timestamp.parse().ok()?);
    Some(match dataset {
        Some((name, digest)) => metric.dataset(name, digest),
        None => metric,
    })
}

/// The models that a run made.
pub(super) fn outputs(session: &mut Session<'_>, run: &Path) -> Result<Vec<ModelLink>> {
    let (mut links, all) = (Vec::new(), run.join("outputs"));
    for output in if all.is_dir() { folders(&all)? } else { Vec::new() } {
        let meta = Meta::read(&output.join(META))?;
        if meta.text("destination_type") == Some("MODEL_OUTPUT") {
            let step = meta.number("step")?.unwrap_or_default();
            links.push(ModelLink::output(model_id(meta.need("source_id")?), step));
        } else {
            session.note(format!("{}: an output that is no model, left out", output.display()));
        }
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trackway::RunId;

    #[test]
    fn a_line_of_a_model_names_its_run_and_perhaps_a_dataset() {
        let run = RunId::from_bytes([0xab; 16]);
        let plain = ModelMetric::new("acc", 0.5, -7, run).at(5);
        assert_eq!(parse_metric("acc", &format!("5 0.5 -7 {run}")), Some(plain.clone()));
        let of = |name: &str| Some(plain.clone().dataset(name, "d1"));
        assert_eq!(parse_metric("acc", &format!("5 5e-1 -7 {run} data d1")), of("data"));
        assert_eq!(parse_metric("acc", &format!("5 0.5 -7 {run} my own  data d1")), of("my own  data"));
        assert!(parse_metric("acc", &format!("5 nan 2 {run}")).unwrap().value.is_nan());
        let wrong = ["", "5 0.5 1", "5 0.5 1 ", "5 0.5 1.5 r", "x 0.5 1 r", "5 x 1 r", "5 0.5 1 r data", "5  1 2 r"];
        for line in wrong {
            assert_eq!(parse_metric("acc", line), None, "{line:?}");
        }
    }
}
