//! What the files of a logged model hold. See `docs/format.md`, "logged models".
//!
//! Its one file says all that is known of it, and names the files to which older metrics have been moved, so that it stays
//! short however many there are.

use super::model::{put_tags, take_place, take_tags};
use super::wire::{Decoded, Reader, put_text, put_varint, put_zigzag};
use crate::limits;
use crate::types::{ExperimentId, LifecycleStage, LoggedModel, LoggedModelId, LoggedModelStatus, ModelMetric, RunId};
use std::collections::BTreeMap;

/// Bytes of the shortest metric.
const MIN_METRIC_BYTES: usize = 1 + 8 + 1 + 1 + 16 + 1 + 1;
/// Bytes of the shortest name of a piece.
const MIN_PIECE_BYTES: usize = 8 + 1;

/// A file with metrics of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PieceName {
    /// What its name is made of.
    pub(crate) salt: u64,
    /// How many metrics are in it.
    pub(crate) count: u64,
}

/// The one file of a logged model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelFile {
    /// With those metrics that are in no piece.
    pub(crate) model: LoggedModel,
    /// Oldest first.
    pub(crate) pieces: Vec<PieceName>,
}

/// The body of a model's file.
pub(crate) fn encode(file: &ModelFile) -> Vec<u8> {
    let (model, mut out) = (&file.model, Vec::new());
    out.extend_from_slice(model.id.as_bytes());
    put_zigzag(&mut out, model.created_at);
    put_zigzag(&mut out, model.updated_at);
    let status = LoggedModelStatus::ALL.iter().position(|status| *status == model.status).unwrap_or(0);
    out.push(1 + status as u8);
    out.push(u8::from(model.lifecycle_stage == LifecycleStage::Deleted));
    out.push(u8::from(model.source_run_id.is_some()));
    out.extend_from_slice(model.source_run_id.unwrap_or(RunId::from_bytes([0; 16])).as_bytes());
    put_text(&mut out, &model.name);
    put_text(&mut out, &model.model_type);
    put_tags(&mut out, &model.params);
    put_tags(&mut out, &model.tags);
    put_varint(&mut out, file.pieces.len() as u64);
    for piece in &file.pieces {
        out.extend_from_slice(&piece.salt.to_le_bytes());
        put_varint(&mut out, piece.count);
    }
    put_metrics(&mut out, &model.metrics);
    out
}

/// Reads what [`encode`] wrote. The experiment is the one in whose folder the file lies. Bytes after the metrics belong to
/// a newer minor version.
pub(crate) fn decode(body: &[u8], experiment_id: ExperimentId) -> Decoded<ModelFile> {
    let mut reader = Reader::new(body);
    let id = LoggedModelId::from_bytes(reader.array("model id")?);
    let (created_at, updated_at) = (reader.zigzag("creation time")?, reader.zigzag("update time")?);
    let status = take_place(&mut reader, &LoggedModelStatus::ALL, 1, "status")?;
    let stages = [LifecycleStage::Active, LifecycleStage::Deleted];
    let lifecycle_stage = take_place(&mut reader, &stages, 0, "lifecycle stage")?;
    let has_run = take_place(&mut reader, &[false, true], 0, "flag of the run")?;
    let source_run_id = Some(RunId::from_bytes(reader.array("run id")?)).filter(|_| has_run);
    let name = reader.text(limits::MAX_NAME_BYTES, "model name")?.to_owned();
    let model_type = reader.text(limits::MAX_NAME_BYTES, "model type")?.to_owned();
    let (params, tags) = (take_tags(&mut reader)?, take_tags(&mut reader)?);
    let mut pieces = Vec::new();
    for _ in 0..reader.count(usize::MAX, MIN_PIECE_BYTES, "number of pieces")? {
        pieces.push(PieceName { salt: reader.u64("name of a piece")?, count: reader.varint("metrics of a piece")? });
    }
    let metrics = take_metrics(&mut reader)?;
    let model = LoggedModel {
        id,
        experiment_id,
        name,
        model_type,
        status,
        source_run_id,
        lifecycle_stage,
        created_at,
        updated_at,
        params,
        tags,
        metrics,
    };
    Ok(ModelFile { model, pieces })
}

/// The body of a piece, which is metrics and nothing else; and how they end the body of a model's file.
pub(crate) fn put_metrics(out: &mut Vec<u8>, metrics: &[ModelMetric]) {
    put_varint(out, metrics.len() as u64);
    for metric in metrics {
        put_text(out, &metric.key);
        out.extend_from_slice(&metric.value.to_le_bytes());
        put_zigzag(out, metric.timestamp);
        put_zigzag(out, metric.step);
        out.extend_from_slice(metric.run_id.as_bytes());
        put_text(out, &metric.dataset_name);
        put_text(out, &metric.dataset_digest);
    }
}

pub(crate) fn decode_piece(body: &[u8]) -> Decoded<Vec<ModelMetric>> {
    take_metrics(&mut Reader::new(body))
}

fn take_metrics(reader: &mut Reader<'_>) -> Decoded<Vec<ModelMetric>> {
    let count = reader.count(usize::MAX, MIN_METRIC_BYTES, "number of metrics")?;
    let mut metrics = Vec::new();
    for _ in 0..count {
        metrics.push(ModelMetric {
            key: reader.text(limits::MAX_KEY_BYTES, "metric key")?.to_owned(),
            value: reader.f64("value")?,
            timestamp: reader.zigzag("timestamp")?,
            step: reader.zigzag("step")?,
            run_id: RunId::from_bytes(reader.array("run id")?),
            dataset_name: reader.text(limits::MAX_VALUE_BYTES, "dataset name")?.to_owned(),
            dataset_digest: reader.text(limits::MAX_VALUE_BYTES, "dataset digest")?.to_owned(),
        });
    }
    Ok(metrics)
}

/// A model without anything, for what is filled in.
pub(crate) fn blank(id: LoggedModelId, experiment_id: ExperimentId) -> LoggedModel {
    LoggedModel {
        id,
        experiment_id,
        name: String::new(),
        model_type: String::new(),
        status: LoggedModelStatus::Pending,
        source_run_id: None,
        lifecycle_stage: LifecycleStage::Active,
        created_at: 0,
        updated_at: 0,
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        metrics: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPERIMENT: ExperimentId = ExperimentId::new(7);

    fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map("[a-z]{1,5}", ".*", 0..3)
    }

    fn metric() -> impl Strategy<Value = ModelMetric> {
        let numbers = (any::<i64>().prop_map(|n| n as f64), any::<(i64, i64)>(), any::<[u8; 16]>());
        ("[a-z]{1,5}", numbers, ".{0,4}", ".{0,4}").prop_map(|(key, (value, (timestamp, step), run), name, digest)| {
            ModelMetric::new(key, value, step, RunId::from_bytes(run)).at(timestamp).dataset(name, digest)
        })
    }

    fn file() -> impl Strategy<Value = ModelFile> {
        let words = (".{0,9}", ".{0,9}", any::<Option<[u8; 16]>>());
        let numbers = (any::<[u8; 16]>(), 0usize..3, any::<bool>(), any::<(i64, i64)>());
        let pieces = prop::collection::vec(any::<(u64, u64)>(), 0..3);
        (words, numbers, map(), map(), prop::collection::vec(metric(), 0..4), pieces).prop_map(
            |((name, model_type, run), (id, status, deleted, times), params, tags, metrics, pieces)| {
                let model = LoggedModel {
                    name,
                    model_type,
                    status: LoggedModelStatus::ALL[status],
                    source_run_id: run.map(RunId::from_bytes),
                    lifecycle_stage: if deleted { LifecycleStage::Deleted } else { LifecycleStage::Active },
                    created_at: times.0,
                    updated_at: times.1,
                    params,
                    tags,
                    metrics,
                    ..blank(LoggedModelId::from_bytes(id), EXPERIMENT)
                };
                let pieces = pieces.into_iter().map(|(salt, count)| PieceName { salt, count }).collect();
                ModelFile { model, pieces }
            },
        )
    }

    proptest! {
        #[test]
        fn a_model_comes_back(file in file()) {
            let mut bytes = encode(&file);
            prop_assert_eq!(&decode(&bytes, EXPERIMENT).unwrap(), &file);
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut], EXPERIMENT).is_err());
            }
            bytes.extend([9; 5]);
            prop_assert_eq!(&decode(&bytes, EXPERIMENT).unwrap(), &file, "a newer minor version");
            let mut piece = Vec::new();
            put_metrics(&mut piece, &file.model.metrics);
            prop_assert_eq!(decode_piece(&piece).unwrap(), file.model.metrics);
        }

        #[test]
        fn any_bytes_give_a_model_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = (decode(&bytes, EXPERIMENT), decode_piece(&bytes));
        }
    }

    /// Bytes that were once written stay readable, and are written so again.
    #[test]
    fn the_bytes_are_those_of_the_format_page() {
        let bytes = include_bytes!("../../fuzz/corpus/logged_model/whole");
        let metric = ModelMetric::new("acc", 0.5, -1, RunId::from_bytes([9; 16])).at(1).dataset("train", "d1");
        let model = LoggedModel {
            name: "digits".to_owned(),
            model_type: "tree".to_owned(),
            status: LoggedModelStatus::Ready,
            source_run_id: Some(RunId::from_bytes([3; 16])),
            created_at: 1,
            updated_at: 2,
            params: [("depth".to_owned(), "3".to_owned())].into(),
            tags: [("team".to_owned(), "v".to_owned())].into(),
            metrics: vec![metric.clone()],
            ..blank(LoggedModelId::from_bytes([7; 16]), EXPERIMENT)
        };
        let file = ModelFile { model, pieces: vec![PieceName { salt: 5, count: 2 }] };
        assert_eq!((encode(&file).as_slice(), decode(bytes, EXPERIMENT)), (&bytes[..], Ok(file)));
        let piece = include_bytes!("../../fuzz/corpus/logged_model/piece");
        assert_eq!(decode_piece(piece), Ok(vec![metric.clone(), metric]));
    }
}
