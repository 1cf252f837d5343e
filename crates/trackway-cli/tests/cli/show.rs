//! Commands that show: `runs`, `experiments`, `show`, `plot`, `stats`, help and errors.

use crate::harness::{Place, program};

fn three_runs() -> Place {
    let place = Place::new();
    for (name, loss) in [("alpha", "0.5"), ("beta", "NaN"), ("gamma", "0.25")] {
        place.log(name, &format!("{{\"step\": 7, \"loss\": {loss}, \"system/cpu\": 3}}"));
    }
    place
}

fn names(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect()
}

#[test]
fn runs_are_listed_sorted_and_limited() {
    let place = three_runs();
    let text = place.ok(&["runs"]);
    assert!(text.starts_with("ID        NAME   EXPERIMENT  STATUS"), "{text}");
    assert!(text.lines().any(|line| line.contains("beta") && line.ends_with("NaN")), "{text}");
    assert!(!text.contains("system/cpu"), "{text}");
    assert_eq!(names(&place.json(&["runs", "--json"])), ["gamma", "beta", "alpha"]);
    assert_eq!(names(&place.json(&["runs", "--json", "--sort", "loss"])), ["gamma", "alpha", "beta"]);
    assert_eq!(names(&place.json(&["runs", "--json", "--sort", "loss", "--reverse"])), ["alpha", "gamma", "beta"]);
    assert_eq!(names(&place.json(&["runs", "--json", "--sort", "name", "--limit", "2"])), ["alpha", "beta"]);
    let experiments = place.json(&["experiments", "--json"]);
    assert_eq!((&experiments[0]["name"], &experiments[0]["runs"]), (&"Default".into(), &3.into()));
}

#[test]
fn a_chart_and_the_statistics() {
    let place = three_runs();
    let text = place.ok(&["plot", "alpha", "loss", "--vs", "beta", "--ascii", "--width", "40"]);
    assert!(text.contains("A alpha loss: 1 point, min 0.5000, max 0.5000, last 0.5000"), "{text}");
    assert!(text.contains("B beta loss: 1 point, last NaN; not drawn, marked ! on the axis: 1 NaN"), "{text}");
    assert!(text.lines().take(16).all(|line| line.chars().count() <= 40), "{text}");
    let stats = place.json(&["stats", "--json"]);
    assert_eq!((&stats["points"], &stats["runs"], &stats["metrics"]), (&6.into(), &3.into(), &6.into()));
    assert!(stats["bytes_per_point"].as_f64().unwrap() > 0.0);
    assert!(place.ok(&["stats"]).starts_with("6 points of 6 metrics of 3 runs"));
}

#[test]
fn charts_along_other_axes_smoothed_and_histograms() {
    let place = Place::new();
    let lines: String = (0..100)
        .map(|step| {
            let tokens = if step == 7 { String::new() } else { format!(", \"tokens\": {}", (step + 1) * 10) };
            format!("{{\"step\": {step}, \"loss\": {}{tokens}}}\n", step % 2)
        })
        .collect();
    place.log("r", &lines);
    let plot = |more: &[&str]| place.ok(&[&["plot", "r", "loss", "--ascii", "--width", "60"], more].concat());
    let text = plot(&["--x", "tokens", "--log-x"]);
    assert!(text.contains("\n") && text.contains("100 (tokens)") && text.contains(" 1000\n"), "{text}");
    assert!(text.contains("A loss: 99 points, min 0, max 1, last 1; not shown: 1 without x"), "{text}");
    let text = plot(&["--log-x"]);
    assert!(text.contains("not shown: 1 with x not above 0"), "{text}");
    // Debiased: the first value is shown as it is, and the rest nears the mean.
    let text = plot(&["--smooth", "0.98"]);
    assert!(text.contains("min 0, max 0.5051, last 0.5051"), "{text}");
    let text = plot(&["--x", "time"]);
    assert!(text.contains("(UTC)") && text.contains("20"), "{text}");
    assert!(plot(&["--x", "relative"]).contains("(time)"));
    let text = place.ok(&["hist", "r", "tokens", "--bins", "4", "--max", "800"]);
    assert!(text.contains("10 .. 207.50  19  ###") && text.ends_with("99 points, 20 above\n"), "{text}");
    let found = place.json(&["hist", "r", "loss", "--bins", "2", "--json"]);
    assert_eq!((&found["edges"], &found["counts"]), (&[0.0, 0.5, 1.0][..].into(), &[50, 50][..].into()));
    for (args, told) in [
        (&["plot", "r", "loss", "--x", "token"][..], "did you mean \"tokens\"?"),
        (&["hist", "r", "token"], "did you mean \"tokens\"?"),
        (&["hist", "r", "loss", "--min", "1", "--max", "0"], "--min 1 is above --max 0"),
    ] {
        let error = place.run(args).error();
        assert!(error.contains(told), "{error}");
    }
    for args in [&["plot", "r", "loss", "--smooth", "1"][..], &["hist", "r", "loss", "--min", "NaN"]] {
        place.run(args).fails(2);
    }
}

#[test]
fn what_is_not_there_is_told_with_what_could_be_meant() {
    let place = three_runs();
    let error = place.run(&["show", "gama"]).error();
    assert_eq!(error, "trackway: error: no run \"gama\" in this store (did you mean \"gamma\"?)");
    let error = place.run(&["points", "alpha", "los"]).error();
    assert!(error.contains("has no metric \"los\" (did you mean \"loss\"?)"), "{error}");
    let error = place.run(&["runs", "--experiment", "default"]).error();
    assert!(error.contains("did you mean \"Default\"?"), "{error}");
    place.log("alpha", "{\"loss\": 1}");
    let error = place.run(&["show", "alpha"]).error();
    assert!(error.contains("2 runs are named \"alpha\": ") && error.contains("give the full id"), "{error}");
    let missing = Place::new();
    let error = missing.run(&["runs"]).error();
    assert!(error.contains("there is no store at"), "{error}");
    assert!(!missing.store().exists());
    // An empty folder is no store yet either.
    std::fs::create_dir(missing.store()).unwrap();
    for command in ["runs", "verify", "compact"] {
        let error = missing.run(&[command]).error();
        assert!(error.contains("there is no store at") && error.contains("--store DIR"), "{error}");
    }
}

#[test]
fn a_file_is_not_a_store() {
    let place = Place::new();
    std::fs::write(place.store(), "text").unwrap();
    for command in ["runs", "verify", "compact"] {
        let error = place.run(&[command]).error();
        assert!(error.contains("store"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(place.store()).unwrap(), "text");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let place = Place::new();
    let wrong: [&[&str]; 6] = [
        &[],
        &["fly"],
        &["points", "x"],
        &["tag", "r", "k"],
        &["plot", "r", "m", "--width", "1"],
        &["log", "--param", "x"],
    ];
    for args in wrong {
        let err = place.run(args).fails(2);
        assert!(!err.is_empty(), "{args:?}");
    }
    let help = place.ok(&["help"]);
    assert!(help.contains("3 `verify` found damage") && !help.contains("demo-child"), "{help}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let place = Place::new();
    let lines: String = (0..50_000).map(|i| format!("{{\"x\": {i}}}\n")).collect();
    let id = place.log("long", &lines);
    let mut child = program()
        .arg("--store")
        .arg(place.store())
        .args(["export", &id])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn the_environment_names_the_store() {
    let place = three_runs();
    let output = program().env("TRACKWAY_STORE", place.store()).args(["show", "alpha", "--json"]).output().unwrap();
    assert!(output.status.success());
    // Set to nothing it names nothing.
    let output = program().env("TRACKWAY_STORE", "").current_dir(place.path(".")).arg("runs").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("/trackway"), "{error}");
}

#[test]
fn runs_are_found_by_a_filter() {
    let place = Place::new();
    let best = place.log("best", "{\"loss\": 0.1}\n");
    place.log("other", "{\"loss\": 0.7}\n");
    let found = place.json(&["runs", "--filter", "metrics.loss < 0.5 and run_name like 'b%'", "--json"]);
    assert_eq!((found.as_array().unwrap().len(), found[0]["run_id"].as_str()), (1, Some(best.as_str())), "{found}");
    let error = place.run(&["runs", "--filter", "metrics.loss < 'low'"]).error();
    assert!(error.contains("character 16: expected a number"), "{error}");
}
