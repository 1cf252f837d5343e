//! Histories of metrics, in pages, in bulk and as samples.

use crate::server::TestServer;
use serde_json::{Value, json};
use trackway::{ExperimentId, NewRun, Store};

/// A run with a metric of so many points, made without the server.
fn long_run(server: &TestServer, points: i64, value: impl Fn(i64) -> f64) -> String {
    let store = Store::open(server.store_path()).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let steps: Vec<i64> = (0..points).collect();
    let times: Vec<i64> = steps.iter().map(|step| 1_700_000_000_000 + step / 3).collect();
    let values: Vec<f64> = steps.iter().map(|step| value(*step)).collect();
    let metric = run.metric("loss").unwrap();
    for part in (0..points as usize).step_by(1 << 20) {
        let end = (part + (1 << 20)).min(points as usize);
        metric.log_columns(&steps[part..end], &times[part..end], &values[part..end]).unwrap();
    }
    run.finish().unwrap();
    run.id().to_string()
}

fn steps(metrics: &Value) -> Vec<i64> {
    metrics
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|point| point["step"].as_i64().unwrap())
        .collect()
}

#[test]
fn points_come_by_time_then_step_then_value() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    let points = [
        (5, 10, json!(1)),
        (1, 20, json!(2)),
        (2, 20, json!("NaN")),
        (2, 20, json!(-1)),
        (2, 20, json!(1)),
        (0, 20, json!(9)),
        (1, 20, json!(2)),
    ];
    for (step, timestamp, value) in points {
        server
            .post(
                "runs/log-metric",
                &json!({"run_id": id, "key": "a", "value": value, "timestamp": timestamp, "step": step}),
            )
            .ok();
    }
    let read: Vec<(Value, Value)> =
        server.history(&id, "a").iter().map(|p| (p["step"].clone(), p["value"].clone())).collect();
    let expected =
        [(5, json!(1.0)), (0, json!(9.0)), (1, json!(2.0)), (2, json!(-1.0)), (2, json!("NaN")), (2, json!(1.0))];
    assert_eq!(read, expected.map(|(step, value)| (json!(step), value)));
}

#[test]
fn pages_of_a_long_history_hold_every_point_once() {
    let server = TestServer::start();
    let id = long_run(&server, 250_000, |step| step as f64);
    let mut all = Vec::new();
    let mut query = String::new();
    loop {
        let page =
            server.get(&format!("metrics/get-history?run_id={id}&metric_key=loss&max_results=40000{query}")).ok();
        assert!(page["metrics"].as_array().unwrap().len() <= 40_000);
        all.extend(steps(&page["metrics"]));
        match page["next_page_token"].as_str() {
            Some(token) => query = format!("&page_token={token}"),
            None => break,
        }
    }
    assert!(all.iter().copied().eq(0..250_000));
    let whole = server.get(&format!("metrics/get-history?run_id={id}&metric_key=loss")).ok();
    assert_eq!(steps(&whole["metrics"]), all);
}

#[test]
fn what_has_no_points_is_empty_and_what_is_wrong_is_refused() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    server.log(&id, "a", 1, 0.5);
    let nobody = "0".repeat(32);
    for empty in [
        format!("run_id={id}&metric_key=b"),
        format!("run_id={nobody}&metric_key=a"),
        "run_id=abc&metric_key=a".to_owned(),
    ] {
        assert_eq!(server.get(&format!("metrics/get-history?{empty}")).ok(), json!({}), "{empty}");
    }
    for bad in [
        "metric_key=a",
        "run_id=ID",
        "run_id=ID&metric_key=",
        "run_id=ID&metric_key=a&max_results=0",
        "run_id=ID&metric_key=a&max_results=-1",
        "run_id=ID&metric_key=a&page_token=x",
    ] {
        let bad = bad.replace("ID", &id);
        server.get(&format!("metrics/get-history?{bad}")).error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn a_bulk_answer_has_the_points_of_all_runs_up_to_its_limit() {
    let server = TestServer::start();
    let mut ids = [server.new_run("0", json!({})), server.new_run("0", json!({}))];
    ids.iter().for_each(|id| (0..3).for_each(|step| server.log(id, "a", step, 0.5)));
    ids.sort();
    let bulk =
        |query: &str| server.send("GET", &format!("/ajax-api/2.0/mlflow/metrics/get-history-bulk?{query}"), &[], b"");
    let found = bulk(&format!("run_id={}&run_id={}&metric_key=a&max_results=4", ids[1], ids[0])).ok();
    let runs: Vec<&str> =
        found["metrics"].as_array().unwrap().iter().map(|point| point["run_id"].as_str().unwrap()).collect();
    assert_eq!(runs, [&ids[0], &ids[0], &ids[0], &ids[1]]);
    bulk("metric_key=a").error(400, "INVALID_PARAMETER_VALUE");
    bulk("run_id=a").error(400, "INVALID_PARAMETER_VALUE");
    bulk(&("metric_key=a".to_owned() + &"&run_id=a".repeat(101))).error(400, "INVALID_PARAMETER_VALUE");
    // Clients have no use for it.
    server.get(&format!("metrics/get-history-bulk?run_id={}&metric_key=a", ids[0])).error(404, "ENDPOINT_NOT_FOUND");
}

fn sample(server: &TestServer, query: &str) -> Value {
    server
        .send(
            "GET",
            &format!("/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?metric_key=loss&{query}"),
            &[],
            b"",
        )
        .ok()
}

#[test]
fn a_sample_loses_no_spike() {
    let server = TestServer::start();
    let spiky = |step: i64| match step {
        123_457 => 1e9,
        77_777 => -1e9,
        _ => (step as f64 / 1000.0).sin(),
    };
    // In order as a whole, and by ranges of steps.
    for points in [200_000, 1_200_000] {
        let id = long_run(&server, points, spiky);
        let found = sample(&server, &format!("run_ids={id}&max_results=320"));
        let metrics = found["metrics"].as_array().unwrap();
        let values: Vec<f64> = metrics.iter().map(|point| point["value"].as_f64().unwrap()).collect();
        assert!(metrics.len() <= 320 && values.contains(&1e9) && values.contains(&-1e9), "{}", metrics.len());
        let sampled = steps(&found["metrics"]);
        assert!(sampled.is_sorted() && sampled.first() == Some(&0) && sampled.last() == Some(&(points - 1)));
        let one = sample(&server, &format!("run_ids={id}&max_results=1"));
        assert_eq!(steps(&one["metrics"]), [points - 1]);
        let part = sample(&server, &format!("run_ids={id}&start_step=100&end_step=109"));
        assert_eq!(steps(&part["metrics"]), (100..110).collect::<Vec<_>>());
    }
}

#[test]
fn samples_have_limits() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    server.log(&id, "loss", 3, 0.5);
    assert_eq!(sample(&server, &format!("run_ids={id}&run_ids=nobody"))["metrics"][0]["run_id"], json!(id));
    for bad in [
        "x=y",
        "run_ids=a&start_step=1",
        "run_ids=a&end_step=1",
        "run_ids=a&start_step=2&end_step=1",
        "run_ids=a&max_results=0",
        "run_ids=a&max_results=2501",
        "run_ids=a&max_results=all",
    ] {
        let path = format!("/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?metric_key=loss&{bad}");
        server.send("GET", &path, &[], b"").error(400, "INVALID_PARAMETER_VALUE");
    }
    for most in 1..10 {
        let id = long_run(&server, 500, |step| step as f64);
        let found = steps(&sample(&server, &format!("run_ids={id}&max_results={most}"))["metrics"]);
        assert!(!found.is_empty() && found.len() <= most && found.last() == Some(&499), "{most}: {found:?}");
    }
}
