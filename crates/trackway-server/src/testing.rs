//! Checks for fuzz targets: what the bytes of a client must not do, whatever they are. No part of the interface.
#![allow(clippy::panic, reason = "test equipment: a law that is broken ends the test")]

use crate::mlflow::{Decoded, Fields, normal_path, place_of, token_of};

/// Names of fields, of every type.
const NAMES: &[&str] = &["run_id", "key", "value", "metrics", "max_results", "tags", "run_ids", "a"];

/// Decodes a request, from a query if the first byte is odd, else from a body, and asks each field for every type.
///
/// ```
/// trackway_server::testing::server_request(b"\0{\"runId\": 7, \"tags\": [{\"key\": \"a\"}]}");
/// ```
///
/// # Panics
/// When an answer breaks a law.
pub fn server_request(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let decoded = if kind % 2 == 1 { Ok(Decoded::from_query(&text)) } else { Decoded::from_body(bytes) };
    if let Ok(decoded) = &decoded {
        ask(decoded.fields(), 0);
    }
    let normal = normal_path(&text);
    assert_eq!(normal_path(&normal), normal, "a normal form is its own");
    if let Ok(place) = place_of(&text) {
        assert!(token_of(place).eq_ignore_ascii_case(&text));
    }
}

fn ask(fields: Fields<'_>, depth: usize) {
    for name in NAMES {
        let (text, int, double, yes) = (fields.text(name), fields.int(name), fields.double(name), fields.boolean(name));
        if let (Ok(Some(int)), Ok(Some(double))) = (&int, &double) {
            assert!(*int as f64 == *double, "{int} is not {double}");
        }
        let is_text = matches!(text, Ok(Some(_)));
        assert!(!matches!(fields.is_blank(name), Ok(true)) || text == Ok(Some("")));
        assert!(!is_text || (fields.list(name).is_err() || text.is_ok()) && fields.object(name).is_err());
        assert!(!matches!(yes, Ok(Some(_))) || int.is_err() && double.is_err());
        let _ = (fields.run_id(), fields.choice(name, &[("ALL", 3, ())]));
        let list = fields.list(name);
        assert!(fields.texts(name).is_ok_and(|texts| texts.is_empty()) || fields.texts(name).is_err() || list.is_err());
        if depth < 4 {
            let inner = list.into_iter().flatten().chain(fields.object(name).ok().flatten());
            inner.for_each(|inner| ask(inner, depth + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_corpus_file_passes_its_check() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/server_request");
        let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 10, "it has no seeds");
        files.iter().for_each(|file| server_request(&std::fs::read(file).unwrap()));
    }
}
