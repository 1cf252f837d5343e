//! Trackway's own API: charts, bands, and what has changed.

use crate::native::{ask, store};
use crate::server::TestServer;
use serde_json::{Value, json};
use trackway::{ExperimentId, NewRun, RunId, RunWriter, Store};

/// A run with a spike at step 777 of 10,000.
fn spiked(store: &Store, opt: &str) -> RunWriter {
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).param("opt", opt).start_time(1000)).unwrap();
    let steps: Vec<i64> = (0..10_000).collect();
    let times: Vec<i64> = steps.iter().map(|step| 2000 + step).collect();
    let values: Vec<f64> = steps.iter().map(|step| if *step == 777 { 50.0 } else { 1.0 }).collect();
    run.metric("loss").unwrap().log_columns(&steps, &times, &values).unwrap();
    run
}

fn charts(server: &TestServer, run: RunId, change: Value) -> Value {
    let mut query = json!({ "runs": [run.to_string()], "metrics": ["loss"], "width": 100 });
    query.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    ask(server, "POST", "charts", &query).ok()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn a_chart_shows_the_spike_and_a_zoom_asks_for_its_part() {
    let server = TestServer::start();
    let store = store(&server);
    let run = spiked(&store, "adam");
    let whole = charts(&server, run.id(), json!({}));
    let line = &whole["charts"][0]["series"][0];
    assert_eq!(whole["charts"][0]["range"], json!([0, 9999]));
    assert_eq!(line["points"], json!(10_000));
    let at = numbers(&line["y"]).iter().position(|y| *y == 50.0).unwrap();
    assert_eq!(numbers(&line["x"])[at], 777.0);
    let zoom = charts(&server, run.id(), json!({ "range": [770.5, 780.0] }));
    assert_eq!(numbers(&zoom["charts"][0]["series"][0]["x"]), (771..=780).map(f64::from).collect::<Vec<_>>());
    let open = charts(&server, run.id(), json!({ "range": [9990, null] }));
    assert_eq!(open["charts"][0]["range"], json!([9990, 9999]));
    let none = charts(&server, run.id(), json!({ "range": [20_000, 30_000] }));
    assert_eq!((&none["charts"][0]["range"], &none["charts"][0]["series"][0]["x"]), (&Value::Null, &json!([])));
}

#[test]
fn axes_are_steps_times_and_other_metrics() {
    let server = TestServer::start();
    let store = store(&server);
    let run = spiked(&store, "adam");
    run.log_metrics(3, &[("tokens", 0.5)]).unwrap();
    let range = |change| charts(&server, run.id(), change)["charts"][0]["range"].clone();
    assert_eq!(range(json!({ "axis": "time" })), json!([2000, 11_999]));
    assert_eq!(range(json!({ "axis": "relative" })), json!([1000, 10_999]));
    assert_eq!(range(json!({ "axis": "metric", "against": "tokens" })), json!([0.5, 0.5]));
    let log = charts(&server, run.id(), json!({ "log_x": true }));
    assert_eq!(log["charts"][0]["series"][0]["left_out"], json!(1), "step 0 has no logarithm");
}

#[test]
fn smoothing_comes_with_the_points_as_they_were_logged() {
    let server = TestServer::start();
    let store = store(&server);
    let run = spiked(&store, "adam");
    let smooth = charts(&server, run.id(), json!({ "smoothing": 0.9, "raw": true }));
    let line = &smooth["charts"][0]["series"][0];
    let highest = |value: &Value| numbers(value).into_iter().fold(f64::MIN, f64::max);
    assert!(highest(&line["y"]) < 10.0);
    assert_eq!(highest(&line["raw"]["y"]), 50.0, "the spike is not hidden by it");
}

#[test]
fn what_is_no_number_is_marked() {
    let server = TestServer::start();
    let store = store(&server);
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    for (step, value) in [(1, 0.5), (2, f64::NAN), (3, f64::INFINITY), (4, 0.25)] {
        run.log_metric("loss", step, value).unwrap();
    }
    let line = charts(&server, run.id(), json!({}))["charts"][0]["series"][0].clone();
    assert_eq!((&line["x"], &line["y"]), (&json!([1, 2, 3, 4]), &json!([0.5, null, null, 0.25])));
    assert_eq!((&line["nan"], &line["odd"]), (&json!(1), &json!([2, 3])));
}

#[test]
fn runs_without_the_metric_and_runs_that_are_not_there_cost_nothing() {
    let server = TestServer::start();
    let store = store(&server);
    let run = spiked(&store, "adam");
    let other = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let missing = "0".repeat(32);
    let query = json!({ "runs": [other.id().to_string(), missing, run.id().to_string()], "metrics": ["loss", "<none>"], "width": 10 });
    let found = ask(&server, "POST", "charts", &query).ok();
    assert_eq!(found["missing"], json!([missing]));
    let [loss, none] = found["charts"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(
        (loss["series"].as_array().unwrap().len(), &loss["series"][0]["run"]),
        (1, &json!(run.id().to_string()))
    );
    assert_eq!((&none["metric"], &none["series"]), (&json!("<none>"), &json!([])));
}

#[test]
fn questions_that_cost_too_much_or_make_no_sense_are_refused() {
    let server = TestServer::start();
    let store = store(&server);
    let run = spiked(&store, "adam").id().to_string();
    let many = vec![run.clone(); 201];
    let metrics: Vec<String> = (0..65).map(|at| at.to_string()).collect();
    for change in [
        json!({ "width": 0 }),
        json!({ "width": 300_000 }),
        json!({ "width": 1e30 }),
        json!({ "width": -1 }),
        json!({ "width": null }),
        json!({ "smoothing": 1.0 }),
        json!({ "smoothing": -0.1 }),
        json!({ "axis": "sideways" }),
        json!({ "axis": "metric" }),
        json!({ "range": [1] }),
        json!({ "range": "all" }),
        json!({ "runs": many }),
        json!({ "runs": ["../x"] }),
        json!({ "metrics": metrics }),
    ] {
        let mut query = json!({ "runs": [run], "metrics": ["loss"], "width": 100 });
        query.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ask(&server, "POST", "charts", &query).error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn bands_are_those_of_the_groups() {
    let server = TestServer::start();
    let store = store(&server);
    let runs: Vec<RunWriter> = ["adam", "adam", "sgd"].iter().map(|opt| spiked(&store, opt)).collect();
    let ids: Vec<String> = runs.iter().map(|run| run.id().to_string()).collect();
    let mut query = json!({ "runs": ids, "metric": "loss", "by": { "param": "opt" }, "width": 50 });
    let found = ask(&server, "POST", "bands", &query).ok();
    let [adam, sgd] = found["bands"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!((&adam["label"], &adam["runs"], &sgd["runs"]), (&json!("adam"), &json!(2), &json!(1)));
    assert!(numbers(&adam["high"]).contains(&50.0), "no spike is hidden");
    for band in ["std", "quartiles"] {
        query["band"] = json!(band);
        let found = ask(&server, "POST", "bands", &query).ok();
        assert_eq!(numbers(&found["bands"][1]["low"])[0], 1.0);
    }
    query["by"] = json!({ "tag": "none" });
    assert_eq!(ask(&server, "POST", "bands", &query).ok()["bands"][0]["label"], json!("none"));
    for (name, bad) in
        [("band", json!("x")), ("by", json!({ "metric": "loss" })), ("axis", json!("metric")), ("width", json!(0))]
    {
        let mut query = query.clone();
        query[name] = bad;
        ask(&server, "POST", "bands", &query).error(400, "INVALID_PARAMETER_VALUE");
    }
}

/// Asks until the answer names a run, or is of everything; looks are a second apart.
fn changed(server: &TestServer, question: &Value, since: &mut u64) -> Vec<String> {
    loop {
        let mut question = question.clone();
        question["since"] = json!(*since);
        let answer = ask(server, "POST", "changes", &question).ok();
        assert_eq!(answer["all"], json!(false));
        let runs: Vec<String> = serde_json::from_value(answer["runs"].clone()).unwrap();
        if !runs.is_empty() {
            *since = answer["version"].as_u64().unwrap();
            return runs;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_changes_is_told_to_who_asks() {
    let server = TestServer::start();
    let store = store(&server);
    let run = spiked(&store, "adam");
    let id = run.id().to_string();
    for question in [json!({ "experiment": "0" }), json!({ "runs": [id] })] {
        let first = ask(&server, "POST", "changes", &question).ok();
        assert_eq!((&first["runs"], &first["all"]), (&json!([]), &json!(false)));
        let mut since = first["version"].as_u64().unwrap();
        run.log_metric("loss", 20_000, 2.0).unwrap();
        assert_eq!(changed(&server, &question, &mut since), std::slice::from_ref(&id), "points");
        ask(&server, "PATCH", &format!("runs/{id}"), &json!({ "tags": { "a": since.to_string() } })).ok();
        assert_eq!(changed(&server, &question, &mut since), std::slice::from_ref(&id), "an edit");
    }
    let mut since = ask(&server, "POST", "changes", &json!({ "experiment": "0" })).ok()["version"].as_u64().unwrap();
    let second = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    assert_eq!(changed(&server, &json!({ "experiment": "0" }), &mut since), [second.id().to_string()], "a new run");
    second.finish().unwrap();
    assert_eq!(changed(&server, &json!({ "experiment": "0" }), &mut since), [second.id().to_string()], "its end");
}

#[test]
fn who_asks_with_an_old_version_is_told_to_read_everything() {
    let server = TestServer::start();
    let answer = ask(&server, "POST", "changes", &json!({ "experiment": "0", "since": 5 })).ok();
    assert_eq!(answer["all"], json!(true));
    for bad in [
        json!({}),
        json!({ "experiment": "x" }),
        json!({ "experiment": "0", "runs": [] }),
        json!({ "experiment": "0", "since": -1 }),
    ] {
        ask(&server, "POST", "changes", &bad).error(400, "INVALID_PARAMETER_VALUE");
    }
}
