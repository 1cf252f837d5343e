//! `import mlflow`, `import tensorboard` and `copy`.

use crate::harness::{Place, feed, program};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Data that the real packages wrote.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trackway-import/tests/data").join(name)
}

#[test]
fn mlflow_and_tensorboard_are_imported_once_however_often() {
    let place = Place::new();
    let (mlruns, logs) = (data("mlruns"), data("tensorboard"));
    let mlflow = ["import", "mlflow", mlruns.to_str().unwrap()];
    let ran = place.run(&mlflow);
    assert!(
        ran.err.contains("of 5 runs: 5 new runs, 0 runs continued, 78 points, 8 artifacts (1.50 kB), 5 models"),
        "{}",
        ran.err
    );
    ran.ok();
    let tensorboard = ["import", "tensorboard", logs.to_str().unwrap(), "--experiment", "curves", "--json"];
    let report = place.json(&tensorboard);
    assert_eq!((&report["new_runs"], &report["points"]), (&5.into(), &76.into()));
    assert_eq!(report["notes"].as_array().unwrap().len(), 6, "{report}");
    let before = place.ok(&["export"]);
    for args in [mlflow.as_slice(), &tensorboard] {
        place.ok(args);
    }
    assert_eq!(place.ok(&["export"]), before);
    let shown = place.json(&["show", "child: 'yes'", "--json"]);
    assert_eq!((&shown["status"], &shown["end_ms"]), (&"FAILED".into(), &1_700_000_011_000_i64.into()));
    assert!(place.run(&["import", "mlflow", "no/such/place"]).error().contains("no/such/place"));
}

#[test]
fn a_store_is_copied_and_merged() {
    let place = Place::new();
    place.log("first", "{\"loss\": 1}\n{\"loss\": 0.5}");
    place.log("second", "{\"loss\": 2}");
    let (from, to) = (place.store(), place.path("to"));
    let args = |extra: &[&'static str]| -> Vec<String> {
        let paths = [from.to_str().unwrap(), to.to_str().unwrap()].map(str::to_owned);
        ["copy".to_owned()].into_iter().chain(paths).chain(extra.iter().map(|text| (*text).to_owned())).collect()
    };
    let copy = |extra: &[&'static str]| {
        let args = args(extra);
        feed(&place.path("unused"), &args.iter().map(String::as_str).collect::<Vec<_>>(), b"")
    };
    assert!(copy(&["--runs", "metrics.loss <"]).error().contains("character 15"));
    assert!(copy(&["--runs", "metrics.loss < 1"]).err.contains("of 1 run: 1 new run"));
    let ran = copy(&[]);
    assert!(ran.err.contains("of 2 runs: 1 new run, 0 runs continued, 1 point "), "{}", ran.err);
    ran.ok();
    assert_eq!(feed(&to, &["export"], b"").ok(), place.ok(&["export"]));
    assert!(!place.path("unused").exists());
    assert!(feed(&to, &["copy", "nothing", "here"], b"").error().contains("there is no store at"));
}

/// Killed again and again at other moments, a copy is whole in the end, and nothing is there twice.
#[test]
fn a_copy_that_is_killed_goes_on() {
    let place = Place::new();
    let mut csv = "run,key,step,timestamp_ms,value\n".to_owned();
    for run in 0..40 {
        for step in 0..4000 {
            csv.push_str(&format!("run {run},loss,{step},{},{step}.5\n", 1000 + step));
        }
    }
    place.feed(&["import", "-"], csv.as_bytes()).ok();
    let to = place.path("to");
    let mut killed = 0;
    loop {
        let mut command = program();
        command.args([Path::new("copy"), &place.store(), &to]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Killed once it has begun some runs more than there were.
        let runs = || std::fs::read_dir(to.join("experiments/0/runs")).map_or(0, Iterator::count);
        let before = runs();
        while child.try_wait().unwrap().is_none() && runs() < before + 7 {
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed > 1, "{killed}");
    assert_eq!(feed(&to, &["export"], b"").ok(), place.ok(&["export"]));
    let ran = feed(&to, &["runs", "--json"], b"").ok();
    let runs: serde_json::Value = serde_json::from_str(&ran).unwrap();
    assert!(runs.as_array().unwrap().iter().all(|run| run["status"] == "FINISHED"), "{ran}");
}

#[test]
fn tables_of_all_forms_are_imported_and_grow() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        let path = place.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let id = "00112233445566778899aabbccddeeff";
    let long = write(
        "long.csv",
        &format!(
            "run,key,step,timestamp_ms,value\n{id},loss,1,10,nan:7ff8000000000001\n{id},acc,1,10,1\nb,x,-1,5,-0.0\n"
        ),
    );
    let wide =
        write("wide.csv", "step,loss,run,acc,timestamp\n1,0.5,first,,100\n2,0.25,first,0.75,200\n1,8,second,inf,300\n");
    let lines =
        write("named by file.jsonl", "{\"loss\": 1, \"val\": {\"acc\": NaN}}\n\n{\"loss\": 2}\n{\"loss\": 3}\n");
    let points = write(
        "points.jsonl",
        &format!("{{\"run\":\"{id}\",\"key\":\"late\",\"step\":7,\"timestamp_ms\":11,\"value\":\"-Infinity\"}}\n"),
    );
    let import = |files: &[&str]| {
        let args = [&["import", "table", "--experiment", "tables", "--json"], files].concat();
        place.json(&args)
    };
    let report = import(&[&long, &wide, &lines, &points]);
    assert_eq!((&report["new_runs"], &report["points"]), (&5.into(), &13.into()), "{report}");
    let values = |run: &str, key: &str| -> Vec<(i64, i64, String)> {
        let all = place.ok(&["export", run, "--format", "jsonl"]);
        let rows = all.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let of_key = rows.filter(|row| row["key"] == key);
        of_key
            .map(|row| (row["step"].as_i64().unwrap(), row["timestamp_ms"].as_i64().unwrap(), row["value"].to_string()))
            .collect()
    };
    assert_eq!(values(id, "loss"), [(1, 10, "\"nan:7ff8000000000001\"".to_owned())]);
    assert_eq!(values(id, "late"), [(7, 11, "\"-Infinity\"".to_owned())]);
    assert_eq!(values("b", "x"), [(-1, 5, "-0.0".to_owned())]);
    assert_eq!(values("first", "acc"), [(2, 200, "0.75".to_owned())]);
    assert_eq!(values("second", "acc"), [(1, 300, "\"Infinity\"".to_owned())]);
    assert_eq!(values("named by file", "loss").iter().map(|row| row.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(values("named by file", "val/acc"), [(0, 0, "\"NaN\"".to_owned())]);
    let shown = place.json(&["show", "first", "--json"]);
    assert_eq!(
        (&shown["start_ms"], &shown["end_ms"], &shown["status"]),
        (&100.into(), &200.into(), &"FINISHED".into())
    );
    // Again, in another order, and longer.
    let before = place.ok(&["export"]);
    let report = import(&[&points, &lines, &wide, &long]);
    assert_eq!((&report["new_runs"], &report["changed_runs"], &report["points"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(place.ok(&["export"]), before);
    write(
        "named by file.jsonl",
        "{\"loss\": 1, \"val\": {\"acc\": NaN}}\n{\"loss\": 2}\n{\"loss\": 3}\n{\"loss\": 4}\n",
    );
    assert_eq!(import(&[&lines])["points"], 1);
    // Another table of the same name is another run, and said so.
    write("named by file.jsonl", "{\"loss\": 5}\n{\"loss\": 2}\n{\"loss\": 3}\n{\"loss\": 4}\n{\"loss\": 6}\n");
    let error = place.run(&["import", "table", &lines, "--experiment", "tables"]).error();
    assert!(error.contains("\"named by file\"") && error.contains("another run"), "{error}");
    assert_eq!(
        place.json(&["import", "table", &lines, "--experiment", "tables", "--name", "other", "--json"])["points"],
        5
    );
    for (text, wanted) in [
        ("run,loss\nr,1\nr,1,2\n", "line 3: 3 fields"),
        ("run,key,step,timestamp_ms,value\nr,x,1,1,1\nr,x,one,1,1\n", "line 3: step"),
        ("{\"a\": 1}\n[2]\n", "line 2: not a JSON object"),
        ("{\"key\": \"a\", \"value\": 1}\n", "line 1: it has no step"),
        ("{\"key\": \"\", \"value\": 1, \"step\": 1, \"timestamp\": 1}\n", "line 1: run \"bad\", metric \"\""),
    ] {
        let bad = write("bad", text);
        let error = place.run(&["import", "table", &bad]).error();
        assert!(error.contains(wanted), "{error}");
    }
    let piped = place.feed(&["import", "table", "-", "--name", "piped"], b"loss\n1\n2\n");
    assert!(piped.err.contains("1 new run, 0 runs continued, 2 points"), "{}", piped.err);
    assert!(place.feed(&["import", "table", "-"], b"loss\n1\n").error().contains("--name"));
}

/// More runs than writers may be open, mixed row by row.
#[test]
fn a_table_of_many_mixed_runs() {
    let place = Place::new();
    let mut csv = "run,step,timestamp,loss,acc\n".to_owned();
    for row in 0..6000 {
        csv.push_str(&format!(
            "run {},{},{},{row}.5,{}\n",
            row % 200,
            row / 200,
            1000 + row,
            if row % 7 == 0 { "1" } else { "" }
        ));
    }
    let file = place.path("mixed.csv");
    std::fs::write(&file, csv).unwrap();
    let args = ["import", "table", file.to_str().unwrap(), "--json"];
    let report = place.json(&args);
    assert_eq!((&report["new_runs"], &report["points"]), (&200.into(), &(6000 + 858).into()));
    let runs = place.json(&["runs", "--json"]);
    for run in runs.as_array().unwrap() {
        let number: i64 = run["name"].as_str().unwrap().split_once(' ').unwrap().1.parse().unwrap();
        assert_eq!((&run["status"], &run["end_ms"]), (&"FINISHED".into(), &(1000 + number + 29 * 200).into()), "{run}");
        assert_eq!(run["metrics"]["loss"]["count"], 30, "{run}");
    }
    let before = place.ok(&["export"]);
    assert_eq!(place.json(&args)["changed_runs"], 0);
    assert_eq!(place.ok(&["export"]), before);
}
