//! `verify`.

use crate::harness::Place;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The segments of a run.
fn segments(place: &Place, id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&place.store(), &mut found);
    found.retain(|path| path.extension().is_some_and(|e| e == "seg") && path.to_string_lossy().contains(id));
    found
}

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

/// Whatever happened to the files of one run, the others are exported, and nobody is told that this was all.
#[test]
fn a_damaged_run_does_not_keep_the_others_from_being_exported() {
    let place = Place::new();
    let lines = "{\"a\": 1, \"b\": 2}\n{\"a\": 3}\n";
    let ids = ["one", "two", "three"].map(|name| place.log(name, lines));
    let rows = |text: &str, id: &str| text.lines().filter(|line| line.starts_with(id)).count();
    assert_eq!(ids.each_ref().map(|id| rows(&place.ok(&["export"]), id)), [3, 3, 3]);
    let [segment] = &segments(&place, &ids[1])[..] else { panic!("one segment") };
    let mut bytes = std::fs::read(segment).unwrap();
    // A column of one of the metrics.
    bytes[66] ^= 1;
    std::fs::write(segment, &bytes).unwrap();
    let ran = place.run(&["export"]);
    assert_eq!(ids.each_ref().map(|id| rows(&ran.out, id) == 3), [true, false, true], "{}", ran.out);
    let error = ran.error();
    assert!(error.contains("1 run could not be exported whole: run ") && error.contains("byte 6"), "{error}");
    // The same into a file, which is there with what could be read.
    let file = place.path("points.csv");
    place.run(&["export", "--output", file.to_str().unwrap()]).error();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(ids.each_ref().map(|id| rows(&text, id) == 3), [true, false, true], "{text}");
    // No file of the run says anything, and the catalog that knew it is gone.
    std::fs::write(segment, b"hello").unwrap();
    std::fs::remove_file(place.store().join("catalog/catalog.tw")).unwrap();
    let ran = place.run(&["export"]);
    assert_eq!(ids.each_ref().map(|id| rows(&ran.out, id)), [3, 0, 3]);
    ran.error();
    let listed = place.run(&["runs"]);
    assert!(listed.err.contains("not all of the run can be read"), "{}", listed.err);
    assert_eq!(listed.ok().lines().count(), 4);
    let named = place.run(&["show", "two"]);
    assert!(named.err.contains("not all of the run can be read"), "{}", named.err);
    named.error();
    let followed = place.run(&["follow", &ids[1]]).error();
    assert!(followed.contains("is damaged at byte 0"), "{followed}");
}

#[test]
fn something_else_in_the_place_of_a_file_is_named_and_hides_nothing() {
    let place = Place::new();
    let id = place.feed(&["log", "--experiment", "digits"], b"{\"a\": 1}").ok().trim().to_owned();
    let mut found = Vec::new();
    files(&place.store(), &mut found);
    found.retain(|path| path.ends_with("experiment.tw"));
    assert_eq!(found.len(), 2);
    for (at, file) in found.iter().enumerate() {
        let content = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        if at == 0 {
            std::fs::create_dir(file).unwrap()
        } else {
            symlink("/dev/null", file).unwrap()
        }
        let ran = place.run(&["verify"]);
        assert!(ran.out.starts_with(&format!("{}: byte 0: ", file.display())), "{}{}", ran.out, ran.err);
        ran.fails(3);
        for args in [&["runs"][..], &["experiments"], &["stats"], &["export", &id]] {
            place.ok(args);
        }
        place.feed(&["log", "--experiment", "other"], b"{\"a\": 1}").ok();
        if at == 0 {
            std::fs::remove_dir(file).unwrap()
        } else {
            std::fs::remove_file(file).unwrap()
        }
        std::fs::write(file, content).unwrap();
        assert_eq!(place.run(&["verify"]).code, Some(0));
    }
    let catalog = place.store().join("catalog/catalog.tw");
    std::fs::remove_file(&catalog).unwrap();
    std::fs::create_dir(&catalog).unwrap();
    let ran = place.run(&["verify"]);
    assert!(ran.out.starts_with(&format!("{}: byte 0: ", catalog.display())), "{}{}", ran.out, ran.err);
    ran.fails(3);
}

#[test]
fn a_repair_says_what_it_did_and_leaves_a_whole_store() {
    let place = Place::new();
    let lines: String =
        (0..3000).map(|i| format!("{{\"loss\": {}, \"acc\": {i}}}\n", 1.0 / f64::from(i + 1))).collect();
    let id = place.log("run", &lines);
    place.ok(&["compact"]);
    assert!(place.ok(&["verify", "--repair"]).ends_with("all is well: nothing to repair\n"));
    let [segment] = &segments(&place, &id)[..] else { panic!("one segment") };
    let mut bytes = std::fs::read(segment).unwrap();
    // Of the two columns of values the longer one.
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(segment, &bytes).unwrap();
    place.run(&["verify"]).fails(3);
    let said = place.ok(&["verify", "--repair"]);
    assert!(said.contains("3,000 points of loss"), "{said}");
    assert!(said.contains(&format!("run {id}: lost ")), "{said}");
    assert!(said.ends_with("repaired; all is well now\n"), "{said}");
    let aside = place.store().join("quarantine").join(format!("{id}-{}", segment.file_name().unwrap().display()));
    assert_eq!(std::fs::read(&aside).unwrap(), bytes, "{said}");
    assert!(place.ok(&["verify"]).starts_with("all is well: checked "));
    let rows = place.ok(&["export", &id]);
    assert!(rows.contains(",acc,") && !rows.contains(",loss,"), "{}", rows.lines().take(3).collect::<String>());
    // A store that cannot even be opened.
    std::fs::write(place.store().join("store.tw"), [0; 72]).unwrap();
    place.run(&["runs"]).error();
    let said: serde_json::Value = serde_json::from_str(&place.ok(&["verify", "--repair", "--json"])).unwrap();
    assert_eq!(said["repairs"][0]["path"], place.store().join("store.tw").display().to_string());
    assert_eq!((&said["losses"], &said["left"]), (&serde_json::json!([]), &serde_json::json!([])));
    place.ok(&["verify"]);
    crate::harness::feed(Path::new("/no/such/store"), &["verify", "--repair"], b"").error();
}
