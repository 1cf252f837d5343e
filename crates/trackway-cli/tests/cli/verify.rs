//! `verify`.

use crate::harness::Place;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn a_flipped_byte_is_named_with_file_and_offset() {
    let place = Place::new();
    let lines: String = (0..2000).map(|i| format!("{{\"loss\": {}}}\n", 1.0 / f64::from(i + 1))).collect();
    place.log("run", &lines);
    place.ok(&["compact"]);
    assert!(place.ok(&["verify"]).starts_with("all is well: checked "));
    // The largest file holds the points.
    let mut found = Vec::new();
    files(&place.store(), &mut found);
    let largest = found.into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let intact = std::fs::read(&largest).unwrap();
    let mut bytes = intact.clone();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&largest, &bytes).unwrap();
    let ran = place.run(&["verify"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let first = ran.out.lines().next().unwrap();
    let (path, rest) = first.split_once(": byte ").unwrap();
    assert_eq!(Path::new(path), largest);
    let offset: usize = rest.split_once(':').unwrap().0.parse().unwrap();
    assert!(offset <= at, "{first}");
    let ran = place.run(&["verify", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["damage"][0]["offset"]), (Some(3), &offset.into()));
    std::fs::write(&largest, &intact).unwrap();
    place.ok(&["verify"]);
}
