//! What review forgets: layers, the one place of unsafe code, ambient files and clocks, sizes, ASCII, the public list.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::{Path, PathBuf};

/// Folders of `src/`, lowest layer first, and what each may name of the others. `docs/architecture.md` draws it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("types", &["error", "limits"]),
    ("codec", &["limits", "types"]),
    ("env", &[]),
    ("format", &["codec", "error", "limits", "types"]),
    ("log", &["env", "error", "format", "limits", "types"]),
    ("segment", &["codec", "env", "error", "format", "limits", "log", "types"]),
    ("pack", &["env", "error", "format", "types"]),
    ("search", &["error", "types"]),
    ("catalog", &["env", "error", "format", "limits", "search", "types"]),
    ("compact", &["error", "format", "segment", "types"]),
    ("query", &["error", "store", "types"]),
];

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[];
const MAX_LINES: usize = 600;

fn sources(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    while let Some(dir) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Packages below keep what they build beside them.
                if !path.ends_with("target") {
                    todo.push(path);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn below_src(path: &Path) -> String {
    path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().to_string_lossy().into_owned()
}

#[test]
fn folders_name_only_what_lies_below_them() {
    for (folder, allowed) in MAY_USE {
        for path in sources(&format!("src/{folder}")) {
            let name = path.to_string_lossy().into_owned();
            if name.contains("test") || name.contains("sim") {
                continue;
            }
            let source = text(&path);
            let product = source.split("#[cfg(test)]").next().unwrap();
            for piece in product.split("crate::").skip(1) {
                let word: String = piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(word == *folder || allowed.contains(&word.as_str()), "{name} names crate::{word}");
            }
        }
    }
}

#[test]
fn unsafe_code_lies_in_one_file() {
    for path in sources("src") {
        if below_src(&path) == "env/map.rs" {
            continue;
        }
        let source = text(&path);
        for word in ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code", "expect(unsafe_code"] {
            assert!(!source.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn files_clocks_and_randomness_are_reached_through_env() {
    // Artifacts are copied from folders of the user's machine, which is not the store's.
    let exempt = ["store/artifacts.rs"];
    for path in sources("src") {
        let name = below_src(&path);
        if name.starts_with("env/") || name.starts_with("testing/") || exempt.contains(&name.as_str()) {
            continue;
        }
        let source = text(&path);
        let product = source.split("#[cfg(test)]").next().unwrap();
        for word in ["std::fs", "SystemTime", "Instant::now", "RandomState::new"] {
            assert!(!product.contains(word), "{name} uses {word}");
        }
    }
}

#[test]
fn files_are_short_ascii_and_say_what_they_own() {
    for path in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")).chain(sources("crates")) {
        let name = path.to_string_lossy().into_owned();
        let source = text(&path);
        let lines = source.lines().count();
        assert!(lines <= MAX_LINES || LONG.iter().any(|(file, _)| name.ends_with(file)), "{name} has {lines} lines");
        assert!(source.is_ascii(), "{name} is not ASCII");
        for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("] {
            assert!(name.ends_with("tidy.rs") || !source.contains(word), "{name} has {word}");
        }
        if name.contains("/src/") && !name.ends_with("_tests.rs") && !name.ends_with("tests.rs") {
            assert!(source.starts_with("//!"), "{name} does not say what it owns");
        }
    }
}

#[test]
fn the_public_list_grows_only_on_purpose() {
    let source = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let mut names: Vec<String> = Vec::new();
    for piece in source.split("pub use ").skip(1) {
        let list = piece.split(';').next().unwrap();
        let list = list.split_once("::").unwrap().1;
        names.extend(list.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned));
    }
    names.sort();
    let expected = "AppendMode Artifact ArtifactFile Artifacts BandColumn Bands Chart ChartAxis ChartColumn ChartOptions ChartPoint CodecStatistics Columns CompactionReport Compression Damage DatasetInput Durability \
        Error ErrorKind Experiment ExperimentId ExperimentName Filter Follower Histogram Incident KeyMap LifecycleStage LoggedModel LoggedModelId LoggedModelStatus Loss Metric MetricKey MetricQuery \
        MetricSummary ModelLink ModelMetric ModelOrder ModelStage ModelVersion ModelVersionStatus NewLoggedModel NewModel NewModelVersion NewRun Order Page ParamKey Point Progress Query RegisteredModel Repair RepairReport Result Row Run RunFilter RunId RunName RunOrder RunPage RunQuery RunStatus RunWriter Searchable Smoothing Snapshot \
        Stats StatusCause Store StoreOptions StoreStatistics TagKey VerifyReport View";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
}
