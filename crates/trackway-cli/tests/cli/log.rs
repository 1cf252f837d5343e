//! `log`.

use crate::harness::{Place, program};
use std::io::Write as _;
use std::process::Stdio;

const JSON: &str = r#"{"step": 1, "timestamp_ms": 1700000000000, "loss": 0.5, "val": {"acc": NaN}}
{"step": 2, "timestamp_ms": 1700000000100, "loss": 0.25, "val": {"acc": "inf"}, "note": "text"}
"#;

#[test]
fn json_lines_become_a_finished_run() {
    let place = Place::new();
    let args = ["log", "--experiment", "digits", "--name", "first", "--param", "lr=0.1", "--tag", "set=a=b"];
    let ran = place.feed(&args, JSON.as_bytes());
    assert!(ran.err.contains("1 value left out"), "{}", ran.err);
    assert!(ran.err.contains("logged 4 points from 2 lines"), "{}", ran.err);
    let id = ran.ok().trim().to_owned();
    let shown = place.json(&["show", "first", "--json"]);
    assert_eq!(shown["run_id"], id.as_str());
    assert_eq!((&shown["status"], &shown["experiment"]), (&"FINISHED".into(), &"digits".into()));
    assert_eq!((&shown["params"]["lr"], &shown["tags"]["set"]), (&"0.1".into(), &"a=b".into()));
    assert_eq!(shown["metrics"]["val/acc"]["latest"]["value"], "Infinity");
    assert_eq!(shown["metrics"]["val/acc"]["nan_count"], 1);
    let points = place.json(&["points", &id[..8], "loss", "--json"]);
    let expected =
        r#"[{"step":1,"timestamp_ms":1700000000000,"value":0.5},{"step":2,"timestamp_ms":1700000000100,"value":0.25}]"#;
    assert_eq!(points["points"].to_string(), expected);
}

#[test]
fn csv_with_a_header_and_counted_steps() {
    let place = Place::new();
    let id = place.log("csv", "loss,acc\n0.5,0.1\n0.25,\n,0.3\n");
    let text = place.ok(&["points", &id, "acc"]);
    let steps: Vec<&str> = text.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(steps, ["0", "2"], "{text}");
    // A resumed run counts on.
    place.feed(&["log", "--run", "csv"], b"{\"loss\": 1}\n{\"loss\": 2}\n").ok();
    let points = place.json(&["points", &id, "loss", "--json"]);
    let steps: Vec<i64> = points["points"].as_array().unwrap().iter().map(|p| p["step"].as_i64().unwrap()).collect();
    assert_eq!(steps, [0, 1, 3, 4]);
    assert_eq!(place.json(&["show", &id, "--json"])["status"], "FINISHED");
}

#[test]
fn a_broken_line_is_told_and_left_out_unless_strict() {
    let place = Place::new();
    let lines = b"{\"a\": 1}\nnot json\n{\"\": 3}\n{\"a\": 2}\n";
    let ran = place.feed(&["log", "--name", "lax"], lines);
    assert!(ran.err.contains("line 2: not JSON") && ran.err.contains("line 3: invalid metric key"), "{}", ran.err);
    ran.ok();
    assert_eq!(place.json(&["show", "lax", "--json"])["points"], 2);
    let error = place.feed(&["log", "--name", "strict", "--strict"], lines).error();
    assert!(error.starts_with("trackway: error: line 2: not JSON"), "{error}");
    let shown = place.json(&["show", "strict", "--json"]);
    assert_eq!((&shown["status"], &shown["points"]), (&"FAILED".into(), &1.into()));
}

#[test]
fn a_param_of_a_resumed_run_keeps_its_value() {
    let place = Place::new();
    let id = place.feed(&["log", "--param", "lr=1"], b"{\"a\": 1}").ok().trim().to_owned();
    let error = place.feed(&["log", "--run", &id, "--param", "lr=2"], b"{\"a\": 2}").error();
    assert!(error.contains("params are written once"), "{error}");
    let shown = place.json(&["show", &id, "--json"]);
    assert_eq!(
        (&shown["status"], &shown["points"], &shown["params"]["lr"]),
        (&"FINISHED".into(), &1.into(), &"1".into())
    );
}

#[test]
fn a_resumed_run_is_not_touched_when_an_argument_is_wrong() {
    let place = Place::new();
    let id = place.feed(&["log", "--name", "done", "--param", "lr=1"], b"{\"a\": 1}").ok().trim().to_owned();
    let before = place.json(&["show", &id, "--json"]);
    let wrong: [&[&str]; 5] = [
        &["--name", ""],
        &["--name", "other", "--tag", "=x"],
        &["--name", "other", "--param", "lr=2"],
        &["--name", "other", "--param", "=2"],
        &["--tag", "k=v", "--param", "new=1", "--param", "new=2"],
    ];
    for args in wrong {
        let args = [&["log", "--run", &id], args].concat();
        place.feed(&args, b"{\"a\": 2}").error();
        assert_eq!(place.json(&["show", &id, "--json"]), before, "{args:?}");
    }
}

#[test]
fn a_line_that_is_too_long_is_one_broken_line() {
    let place = Place::new();
    let long = "1".repeat(20 << 20);
    // Each half of it would be a number.
    let ran = place.feed(&["log", "--name", "csv"], format!("loss\n{long}\n3\n").as_bytes());
    assert!(ran.err.contains("line 2: longer than 16 MiB; left out"), "{}", ran.err);
    assert!(ran.err.contains("logged 1 point from 1 line"), "{}", ran.err);
    ran.ok();
    let error = place.feed(&["log"], long.as_bytes()).error();
    assert!(error.contains("line 1: longer than 16 MiB"), "{error}");
}

#[test]
fn words_before_the_first_json_line_do_not_make_it_csv() {
    let place = Place::new();
    let lines = b"Starting training ...\n10 epochs\n{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"loss\": 2}\n";
    let ran = place.feed(&["log", "--name", "banner"], lines);
    assert!(ran.err.contains("it is JSON lines") && ran.err.contains("logged 2 points"), "{}", ran.err);
    ran.ok();
    // Not in the midst of CSV, and not when the format was given.
    place.feed(&["log", "--name", "csv"], b"loss\n1\n{\"loss\": 2}\n3\n").ok();
    place.feed(&["log", "--name", "given", "--format", "csv"], b"loss\n{\"loss\": 2}\n3\n").ok();
    assert_eq!(place.json(&["show", "given", "--json"])["metrics"]["loss"]["max"], 3.0);
    let counts = ["banner", "csv", "given"].map(|name| place.json(&["show", name, "--json"])["points"].as_i64());
    assert_eq!(counts, [Some(2), Some(2), Some(1)]);
}

#[test]
fn metrics_whose_names_are_not_utf8_do_not_become_one() {
    let place = Place::new();
    let lines = b"{\"a\xff\": 1, \"a\xfe\": 2}\n{\"note\": \"caf\xe9\", \"b\": 3}\n";
    let ran = place.feed(&["log", "--name", "json"], lines);
    assert!(ran.err.contains("line 1: the name of a metric is not UTF-8"), "{}", ran.err);
    ran.ok();
    let metrics = place.json(&["show", "json", "--json"])["metrics"].clone();
    assert_eq!(metrics.as_object().unwrap().keys().collect::<Vec<_>>(), ["b"]);
    let error = place.feed(&["log"], b"step,caf\xe9\n1,2\n").error();
    assert!(error.contains("is not UTF-8"), "{error}");
}

#[test]
fn points_are_logged_although_nobody_reads_the_id() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    // The output is closed before the program begins.
    drop(reader);
    let mut command = program();
    command.arg("--store").arg(place.store()).args(["log", "--name", "unread"]);
    let mut child = command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for step in 0..1000 {
        // It fails when the program ended before it read this, and the points are then missing below.
        let _ = writeln!(input, "{{\"step\": {step}, \"loss\": 1}}");
    }
    drop(input);
    child.wait().unwrap();
    let shown = place.json(&["show", "unread", "--json"]);
    assert_eq!((&shown["status"], &shown["points"]), (&"FINISHED".into(), &1000.into()));
}
