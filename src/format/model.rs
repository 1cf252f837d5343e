//! What the file of a registered model holds. See `docs/format.md`, "models".
//!
//! The file is found by its name, which is made from the model's. While a model is renamed its file holds both names, and
//! that one counts which the file has: so giving the file its other name, which is one atomic step, renames the model.

use super::wire::{Decoded, Reader, put_text, put_varint, put_zigzag};
use crate::limits;
use crate::types::{ModelStage, ModelVersion, ModelVersionStatus, RegisteredModel, RunId};
use std::collections::BTreeMap;

/// The names that a file may hold: the model's, and the one that it is about to have.
const MAX_NAMES: usize = 2;
/// Bytes of the shortest version: number, length, and a body of empty texts.
const MIN_VERSION_BYTES: usize = 28;

/// The name, without its ending, of the file of a model: FNV-1a of the model's name in 128 bits, as hex digits.
pub(crate) fn file_stem(name: &str) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = (1 << 88) + 0x13b;
    let hash = name.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

pub(super) fn put_tags(out: &mut Vec<u8>, tags: &BTreeMap<String, String>) {
    put_varint(out, tags.len() as u64);
    for (key, value) in tags {
        put_text(out, key);
        put_text(out, value);
    }
}

pub(super) fn take_tags(reader: &mut Reader<'_>) -> Decoded<BTreeMap<String, String>> {
    let count = reader.count(usize::MAX, 2, "tag count")?;
    let mut tags = BTreeMap::new();
    for _ in 0..count {
        let key = reader.text(limits::MAX_KEY_BYTES, "tag key")?.to_owned();
        tags.insert(key, reader.text(limits::MAX_VALUE_BYTES, "tag value")?.to_owned());
    }
    Ok(tags)
}

/// The body of a model's file. `becomes`: the name that it is about to have.
pub(crate) fn encode(model: &RegisteredModel, becomes: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, 1 + u64::from(becomes.is_some()));
    put_text(&mut out, &model.name);
    becomes.iter().for_each(|name| put_text(&mut out, name));
    put_zigzag(&mut out, model.created_at);
    put_zigzag(&mut out, model.updated_at);
    put_text(&mut out, &model.description);
    put_tags(&mut out, &model.tags);
    put_varint(&mut out, u64::from(model.last_version));
    put_varint(&mut out, model.versions.len() as u64);
    for version in &model.versions {
        let body = encode_version(version);
        put_varint(&mut out, u64::from(version.number));
        put_varint(&mut out, body.len() as u64);
        out.extend_from_slice(&body);
    }
    put_varint(&mut out, model.aliases.len() as u64);
    for (alias, number) in &model.aliases {
        put_text(&mut out, alias);
        put_varint(&mut out, u64::from(*number));
    }
    out
}

fn encode_version(version: &ModelVersion) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, &version.source);
    out.push(u8::from(version.run_id.is_some()));
    out.extend_from_slice(version.run_id.unwrap_or(RunId::from_bytes([0; 16])).as_bytes());
    put_text(&mut out, &version.run_link);
    put_text(&mut out, &version.user);
    let place = |found: Option<usize>| found.unwrap_or(0) as u8;
    out.push(1 + place(ModelVersionStatus::ALL.iter().position(|status| *status == version.status)));
    out.push(place(ModelStage::ALL.iter().position(|stage| *stage == version.stage)));
    put_text(&mut out, &version.description);
    put_zigzag(&mut out, version.created_at);
    put_zigzag(&mut out, version.updated_at);
    put_tags(&mut out, &version.tags);
    out
}

/// Reads what [`encode`] wrote: the model under the name that the file with this stem stands for. Versions do not know
/// their model's name and their aliases yet. Bytes after the model, and after each version, belong to a newer minor version.
pub(crate) fn decode(body: &[u8], stem: &str) -> Decoded<RegisteredModel> {
    let mut reader = Reader::new(body);
    let mut name = None;
    for _ in 0..reader.count(MAX_NAMES, 1, "number of names")? {
        let found = reader.text(limits::MAX_NAME_BYTES, "model name")?;
        name = name.or_else(|| (file_stem(found) == stem).then(|| found.to_owned()));
    }
    let Some(name) = name else { return Err(reader.error("model name", "it is the file of another model")) };
    let (created_at, updated_at) = (reader.zigzag("creation time")?, reader.zigzag("update time")?);
    let description = reader.text(limits::MAX_VALUE_BYTES, "description")?.to_owned();
    let tags = take_tags(&mut reader)?;
    let last_version = take_number(&mut reader, "last version")?;
    let mut versions: Vec<ModelVersion> = Vec::new();
    for _ in 0..reader.count(usize::MAX, MIN_VERSION_BYTES, "number of versions")? {
        let number = take_number(&mut reader, "version")?;
        if number <= versions.last().map_or(0, |before| before.number) || number > last_version {
            return Err(reader.error("version", "its number is not between that of the one before and the last one"));
        }
        let len = reader.count(usize::MAX, 1, "length of a version")?;
        versions.push(take_version(&mut reader, number, len)?);
    }
    let mut aliases = BTreeMap::new();
    for _ in 0..reader.count(usize::MAX, 2, "number of aliases")? {
        let alias = reader.text(limits::MAX_ALIAS_BYTES, "alias")?.to_owned();
        let number = take_number(&mut reader, "version of an alias")?;
        if versions.binary_search_by_key(&number, |version| version.number).is_err() {
            return Err(reader.error("alias", "there is no such version"));
        }
        aliases.insert(alias, number);
    }
    Ok(RegisteredModel { name, description, created_at, updated_at, tags, aliases, versions, last_version })
}

fn take_number(reader: &mut Reader<'_>, what: &'static str) -> Decoded<u32> {
    let number = reader.varint(what)?;
    u32::try_from(number).map_err(|_| reader.error(what, "it does not fit 32 bits"))
}

/// Reads a version of `len` bytes and passes over what it does not know of them.
fn take_version(reader: &mut Reader<'_>, number: u32, len: usize) -> Decoded<ModelVersion> {
    let before = reader.remaining();
    let source = reader.text(limits::MAX_VALUE_BYTES, "source")?.to_owned();
    let has_run = take_place(reader, &[false, true], 0, "flag of the run")?;
    let run_id = Some(RunId::from_bytes(reader.array("run id")?)).filter(|_| has_run);
    let run_link = reader.text(limits::MAX_VALUE_BYTES, "run link")?.to_owned();
    let user = reader.text(limits::MAX_VALUE_BYTES, "user")?.to_owned();
    let status = take_place(reader, &ModelVersionStatus::ALL, 1, "status")?;
    let stage = take_place(reader, &ModelStage::ALL, 0, "stage")?;
    let description = reader.text(limits::MAX_VALUE_BYTES, "description")?.to_owned();
    let (created_at, updated_at) = (reader.zigzag("creation time")?, reader.zigzag("update time")?);
    let tags = take_tags(reader)?;
    let Some(rest) = len.checked_sub(before - reader.remaining()) else {
        return Err(reader.error("version", "it is longer than its length"));
    };
    reader.take(rest, "version")?;
    let (model, aliases) = (String::new(), Vec::new());
    Ok(ModelVersion {
        model,
        number,
        source,
        run_id,
        run_link,
        user,
        status,
        stage,
        description,
        created_at,
        updated_at,
        tags,
        aliases,
    })
}

/// One of `all` by its number, where the first one has the number `first`.
pub(super) fn take_place<T: Copy>(reader: &mut Reader<'_>, all: &[T], first: u8, what: &'static str) -> Decoded<T> {
    let found = usize::from(reader.u8(what)?).checked_sub(usize::from(first)).and_then(|at| all.get(at)).copied();
    found.ok_or_else(|| reader.error(what, "its number is unknown"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map("[a-z]{1,5}", ".*", 0..3)
    }

    fn version() -> impl Strategy<Value = ModelVersion> {
        let texts = (".{0,9}", ".{0,9}", ".{0,9}", ".{0,9}");
        (texts, any::<Option<[u8; 16]>>(), 0usize..3, 0usize..4, any::<(i64, i64)>(), tags()).prop_map(
            |((source, run_link, user, description), run, status, stage, times, tags)| ModelVersion {
                source,
                run_link,
                user,
                description,
                run_id: run.map(RunId::from_bytes),
                status: ModelVersionStatus::ALL[status],
                stage: ModelStage::ALL[stage],
                created_at: times.0,
                updated_at: times.1,
                tags,
                ..ModelVersion::default()
            },
        )
    }

    fn model() -> impl Strategy<Value = RegisteredModel> {
        let versions = prop::collection::btree_map(1u32..400, version(), 0..4);
        let aliases = prop::collection::vec(("[a-z]{1,5}", any::<prop::sample::Index>()), 0..4);
        (".{1,20}", ".{0,20}", any::<(i64, i64)>(), tags(), versions, aliases, 0u32..3).prop_map(
            |(name, description, (created_at, updated_at), tags, versions, aliases, more)| {
                let numbered = versions.into_iter().map(|(number, version)| ModelVersion { number, ..version });
                let versions: Vec<ModelVersion> = numbered.collect();
                let number = |at: prop::sample::Index| versions.get(at.index(versions.len().max(1)));
                let aliases = aliases.into_iter().filter_map(|(alias, at)| Some((alias, number(at)?.number))).collect();
                let last_version = versions.last().map_or(0, |last| last.number) + more;
                RegisteredModel { name, description, created_at, updated_at, tags, aliases, versions, last_version }
            },
        )
    }

    proptest! {
        #[test]
        fn a_model_comes_back_under_the_name_of_its_file(model in model(), other in ".{1,20}") {
            let bytes = encode(&model, None);
            prop_assert_eq!(&decode(&bytes, &file_stem(&model.name)).unwrap(), &model);
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut], &file_stem(&model.name)).is_err());
            }
            prop_assume!(other != model.name);
            prop_assert!(decode(&bytes, &file_stem(&other)).is_err());
            let both = encode(&model, Some(&other));
            prop_assert_eq!(&decode(&both, &file_stem(&model.name)).unwrap(), &model);
            prop_assert_eq!(decode(&both, &file_stem(&other)).unwrap(), RegisteredModel { name: other, ..model });
        }

        #[test]
        fn any_bytes_give_a_model_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes, &file_stem(""));
        }
    }

    #[test]
    fn what_a_newer_minor_version_adds_is_passed_over() {
        let versions = vec![ModelVersion { number: 1, ..ModelVersion::default() }];
        let model = RegisteredModel { name: "m".to_owned(), versions, last_version: 1, ..RegisteredModel::default() };
        let mut bytes = encode(&model, None);
        // The length of the version, which the number of aliases follows.
        let at = bytes.len() - 1 - encode_version(&model.versions[0]).len() - 1;
        assert_eq!(usize::from(bytes[at]), encode_version(&model.versions[0]).len());
        bytes[at] += 3;
        let end = bytes.len() - 1;
        bytes.splice(end..end, [7; 3]);
        bytes.extend([9; 5]);
        assert_eq!(decode(&bytes, &file_stem("m")).unwrap(), model);
        assert_eq!(MIN_VERSION_BYTES, 2 + encode_version(&ModelVersion::default()).len());
        bytes[at] = 3;
        assert!(decode(&bytes, &file_stem("m")).is_err());
    }

    #[test]
    fn versions_have_numbers_that_rise_to_the_last_one() {
        let is_read = |numbers: &[u32], last_version| {
            let versions = numbers.iter().map(|number| ModelVersion { number: *number, ..ModelVersion::default() });
            let versions = versions.collect();
            let model = RegisteredModel { name: "m".to_owned(), versions, last_version, ..RegisteredModel::default() };
            decode(&encode(&model, None), &file_stem("m")).is_ok()
        };
        assert!(is_read(&[1, 3], 3) && is_read(&[1, 3], 9) && is_read(&[], 0));
        assert!(!is_read(&[1, 3], 2) && !is_read(&[3, 1], 9) && !is_read(&[2, 2], 9) && !is_read(&[0, 2], 9));
    }

    #[test]
    fn the_names_of_files_are_those_of_the_format_page() {
        assert_eq!(file_stem(""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(file_stem("a"), "d228cb696f1a8caf78912b704e4a8964");
    }
}
