//! `demo`.

use crate::harness::{Place, program};

#[test]
fn the_demo_ends_well_and_shows_its_figures() {
    let place = Place::new();
    let text = place.ok(&["demo", "--quick"]);
    for figure in [
        "245,831 points in",
        "245,831 points read back (as logged), all equal bit for bit",
        "245,831 points read back (compacted), all equal bit for bit",
        "its run says: KILLED (the writing process vanished",
        "bytes per point",
        "charlm_bf16_resumed train/loss: 2,899 points",
        "All comparisons held.",
    ] {
        assert!(text.contains(figure), "{figure:?} is missing from:\n{text}");
    }
    let runs = place.json(&["runs", "--json"]);
    assert_eq!(runs.as_array().unwrap().len(), 27);
    // A store that is in use is no place for a demo.
    let error = place.run(&["demo"]).error();
    assert!(error.contains("demo wants a fresh store"), "{error}");
}

#[test]
fn a_temporary_store_is_removed() {
    let place = Place::new();
    let folder = place.path("tmp");
    std::fs::create_dir(&folder).unwrap();
    let output = program().env("TMPDIR", &folder).args(["demo", "--quick"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}
