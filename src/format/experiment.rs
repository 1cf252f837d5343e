//! An experiment as its file holds it: a small file (header.rs) whose body is
//!
//! ```text
//! id varint, name text, deleted u8, created zigzag, updated zigzag, tag count varint, each: key text, value text
//! ```

use super::wire::{Decoded, Reader, put_text, put_varint, put_zigzag};
use crate::limits;
use crate::types::{Experiment, ExperimentId, LifecycleStage};
use std::collections::BTreeMap;

/// The body of the file.
pub(crate) fn encode(experiment: &Experiment) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, experiment.id.get());
    put_text(&mut out, &experiment.name);
    out.push(u8::from(experiment.lifecycle_stage == LifecycleStage::Deleted));
    put_zigzag(&mut out, experiment.created_at);
    put_zigzag(&mut out, experiment.updated_at);
    put_varint(&mut out, experiment.tags.len() as u64);
    for (key, value) in &experiment.tags {
        put_text(&mut out, key);
        put_text(&mut out, value);
    }
    out
}

/// Reads what [`encode`] wrote; bytes after it belong to a newer minor version.
pub(crate) fn decode(body: &[u8]) -> Decoded<Experiment> {
    let mut reader = Reader::new(body);
    let id = ExperimentId::new(reader.varint("experiment id")?);
    let name = reader.text(limits::MAX_NAME_BYTES, "experiment name")?.to_owned();
    let lifecycle_stage = match reader.u8("lifecycle stage")? {
        0 => LifecycleStage::Active,
        1 => LifecycleStage::Deleted,
        _ => return Err(reader.error("lifecycle stage", "its number is unknown")),
    };
    let (created_at, updated_at) = (reader.zigzag("creation time")?, reader.zigzag("update time")?);
    let count = reader.count(usize::MAX, 2, "tag count")?;
    let mut tags = BTreeMap::new();
    for _ in 0..count {
        let key = reader.text(limits::MAX_KEY_BYTES, "tag key")?.to_owned();
        tags.insert(key, reader.text(limits::MAX_VALUE_BYTES, "tag value")?.to_owned());
    }
    Ok(Experiment { id, name, lifecycle_stage, created_at, updated_at, tags })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_experiment_comes_back(
            id: u64, name in ".{0,20}", deleted: bool, created_at: i64, updated_at: i64,
            tags in prop::collection::btree_map("[a-z]{1,5}", ".*", 0..5),
        ) {
            let lifecycle_stage = if deleted { LifecycleStage::Deleted } else { LifecycleStage::Active };
            let experiment = Experiment { id: ExperimentId::new(id), name, lifecycle_stage, created_at, updated_at, tags };
            let bytes = encode(&experiment);
            prop_assert_eq!(decode(&bytes).unwrap(), experiment);
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn any_bytes_give_an_experiment_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }
    }
}
