//! Registered models as this version writes them, read for ever, by the engine and by the reader in Python. The files under
//! `tests/data/v1-models` are never changed; `expected.txt` is what is in them, in the form that `tests/reader/dump.py`
//! describes.

use crate::golden::{or_dash, python_dump, quote};
use crate::support::{Scene, copy_dir, files};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use trackway::{ModelStage, ModelVersionStatus, NewModel, NewModelVersion, RunId, Store};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1-models")
}

fn expected() -> String {
    std::fs::read_to_string(data().join("expected.txt")).unwrap()
}

/// Everything about registered models through the public interface.
fn dump(store: &Store) -> String {
    let mut out = String::new();
    for model in store.models().unwrap() {
        let (name, description) = (quote(&model.name), quote(&model.description));
        let (created, changed, last) = (model.created_at, model.updated_at, model.last_version);
        writeln!(out, "model {name} created={created} changed={changed} last={last} description={description}")
            .unwrap();
        for (key, value) in &model.tags {
            writeln!(out, "model-tag {}={}", quote(key), quote(value)).unwrap();
        }
        for v in &model.versions {
            let (status, stage, run) = (v.status, v.stage, or_dash(v.run_id));
            let head = format!("version {} status={status} stage={stage}", v.number);
            write!(out, "{head} created={} changed={} run={run}", v.created_at, v.updated_at).unwrap();
            let (source, link, user, text) =
                (quote(&v.source), quote(&v.run_link), quote(&v.user), quote(&v.description));
            writeln!(out, " source={source} link={link} user={user} description={text}").unwrap();
            for (key, value) in &v.tags {
                writeln!(out, "version-tag {}={}", quote(key), quote(value)).unwrap();
            }
        }
        for (alias, number) in &model.aliases {
            writeln!(out, "alias {}={number}", quote(alias)).unwrap();
        }
    }
    out
}

/// What the reader in Python says of models.
fn python(store: &Path) -> Option<String> {
    let all = python_dump(store)?;
    let about_models = |line: &&str| ["model", "version", "alias"].iter().any(|what| line.starts_with(what));
    Some(all.lines().filter(about_models).fold(String::new(), |out, line| out + line + "\n"))
}

#[test]
fn models_of_version_1_are_read_by_both_readers() {
    let scene = Scene::new();
    copy_dir(&data().join("store"), &scene.path());
    assert_eq!(dump(&scene.open_read_only()), expected());
    let store = scene.open();
    assert_eq!(dump(&store), expected(), "recovered");
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let Some(python) = python(&data().join("store")) else { return };
    assert_eq!(python, expected());
}

#[test]
fn the_format_page_tells_the_truth_about_models() {
    let page = std::fs::read_to_string(data().join("../../../docs/format.md")).unwrap();
    let all = files(&data().join("store/models"), ".tw");
    assert_eq!(all.len(), 4);
    for path in all {
        let bytes = std::fs::read(path).unwrap();
        let magic: Vec<String> = bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(page.contains(&format!("| `models/H.tw` | `{}` (", magic.join(" "))));
        assert_eq!((bytes[8], bytes[10], &bytes[12..24]), (1, 0, &[0; 12][..]), "version and features");
        assert_eq!(bytes[64..68], (bytes.len() as u32 - 72).to_le_bytes());
    }
}

fn fill(store: &Store) {
    let new = NewModel::new("digits (\u{3b1})").description("reads\npostcodes").tag("team", "vision").tag("empty", "");
    store.create_model(new).unwrap();
    store.create_model(NewModel::new("before")).unwrap();
    store.create_model(NewModel::new("letters")).unwrap();
    store.create_model(NewModel::new("numbers")).unwrap();
    let run = RunId::from_bytes([0xa1; 16]);
    let elsewhere = NewModelVersion::from_source("s3://models/\u{3b2}").run(run).user("ada").description("first");
    let elsewhere = NewModelVersion { run_link: "http://host/#/runs/a1".to_owned(), ..elsewhere.tag("size", "small") };
    let failed = NewModelVersion { status: ModelVersionStatus::Failed, ..NewModelVersion::from_source("file") };
    let pending = NewModelVersion { status: ModelVersionStatus::Pending, ..NewModelVersion::from_source("file") };
    for new in [elsewhere, failed, pending, NewModelVersion::from_source("x"), NewModelVersion::from_source("y")] {
        store.create_model_version("digits (\u{3b1})", new.clone()).unwrap();
        store.create_model_version("before", new).unwrap();
    }
    for (number, stage) in (1..=4).zip(ModelStage::ALL) {
        store.set_model_stage("digits (\u{3b1})", number, stage, false).unwrap();
    }
    store.delete_model_version("digits (\u{3b1})", 5).unwrap();
    store.delete_model_version("digits (\u{3b1})", 2).unwrap();
    store.set_model_alias("digits (\u{3b1})", "champion", 1).unwrap();
    store.set_model_alias("digits (\u{3b1})", "\u{3b2}", 4).unwrap();
    store.rename_model("before", "after").unwrap();
}

/// Writes the golden models of the current version when there are none. Run it by name, once a version:
/// `cargo test --test it write_the_golden_models -- --ignored`
#[test]
#[ignore = "writes into the repository"]
fn write_the_golden_models() {
    let golden = data().join("store");
    assert!(!golden.exists(), "a golden store is never changed");
    let scene = Scene::new();
    let store = scene.open();
    fill(&store);
    let before = files(&scene.path().join("models"), ".tw");
    store.rename_model("numbers", "figures").unwrap();
    let after = files(&scene.path().join("models"), ".tw");
    drop(store);
    // As a crash between the two steps of the renaming leaves it.
    let only_in = |all: &[PathBuf], others: &[PathBuf]| all.iter().find(|path| !others.contains(path)).unwrap().clone();
    std::fs::rename(only_in(&after, &before), only_in(&before, &after)).unwrap();
    copy_dir(&scene.path(), &golden);
    std::fs::remove_dir_all(golden.join("locks")).unwrap();
    let store = scene.open_read_only();
    assert!(store.model("numbers").is_ok() && store.model("figures").is_err());
    std::fs::write(data().join("expected.txt"), dump(&store)).unwrap();
}
