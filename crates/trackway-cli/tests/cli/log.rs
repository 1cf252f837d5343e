//! `log`.

use crate::harness::Place;

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
