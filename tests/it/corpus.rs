//! Every input that a fuzz target began with or failed on once, through the same check.

use std::fs;
use std::path::Path;
use trackway::testing::checks;

/// Targets of packages above the engine, whose own tests go through their inputs.
const ELSEWHERE: [&str; 1] = ["server_request"];

#[test]
fn every_corpus_file_passes_its_check() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failed = Vec::new();
    for (target, check) in checks::ALL {
        let mut files: Vec<_> = fs::read_dir(corpus.join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{target} has no seeds");
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if std::panic::catch_unwind(|| check(&bytes)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_corpus_folder_has_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |dir: &str| {
        let entries = fs::read_dir(fuzz.join(dir)).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> =
            entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let mut checked: Vec<String> = checks::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    checked.extend(ELSEWHERE.map(str::to_owned));
    checked.sort();
    assert_eq!(names("corpus"), checked);
    assert_eq!(names("fuzz_targets"), checked);
}
