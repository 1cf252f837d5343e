//! Logging: single calls, batches, what is refused, and many clients at once.

use crate::server::TestServer;
use serde_json::{Value, json};

const T: i64 = 1_700_000_000_000;

fn data<'a>(run: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let items = run["run"]["data"][kind].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| (item["key"].as_str().unwrap(), &item["value"])).collect()
}

#[test]
fn the_latest_point_is_the_one_with_the_greatest_step() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    for (step, timestamp, value) in
        [(2, T, json!(0.5)), (1, T + 9, json!(0.9)), (2, T, json!(0.75)), (2, T - 1, json!(9.0))]
    {
        let body = json!({"run_id": id, "key": "loss", "value": value, "timestamp": timestamp, "step": step});
        server.post("runs/log-metric", &body).ok();
    }
    assert_eq!(data(&server.run(&id), "metrics"), [("loss", &json!(0.75))]);
}

#[test]
fn values_that_json_has_no_number_for_are_texts() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    for value in ["NaN", "Infinity", "-Infinity"] {
        server.post("runs/log-metric", &json!({"run_id": id, "key": value, "value": value, "timestamp": T})).ok();
        assert_eq!(server.history(&id, value)[0]["value"], json!(value));
    }
    for value in [0.1_f64, 5e-324, 1.797_693_134_862_315_7e308, -0.0, 9_007_199_254_740_993.0] {
        server
            .post("runs/log-metric", &json!({"run_id": id, "key": "exact", "value": value, "timestamp": T, "step": 1}))
            .ok();
        let history = server.history(&id, "exact");
        assert!(history.iter().any(|point| point["value"].as_f64().unwrap().to_bits() == value.to_bits()), "{value}");
    }
}

#[test]
fn bad_points_are_refused_and_change_nothing() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    let good = json!({"run_id": id, "key": "loss", "value": 0.5, "timestamp": T, "step": 1});
    let bad = [
        ("key", json!("a//b")),
        ("key", json!("a@b")),
        ("key", json!("k".repeat(251))),
        ("key", json!("")),
        ("key", json!(7)),
        ("key", Value::Null),
        ("value", json!("low")),
        ("value", json!(true)),
        ("value", json!("")),
        ("value", Value::Null),
        ("value", json!([1])),
        ("timestamp", json!(-1)),
        ("timestamp", json!(1.5)),
        ("timestamp", Value::Null),
        ("timestamp", json!("now")),
        ("step", json!(1.5)),
        ("step", json!("one")),
        ("step", json!(9_223_372_036_854_775_808_u64)),
        ("step", json!({})),
        ("run_id", json!("")),
        ("run_id", json!(7)),
    ];
    for (field, value) in bad {
        let mut body = good.clone();
        body[field] = value;
        server.post("runs/log-metric", &body).error(400, "INVALID_PARAMETER_VALUE");
    }
    assert!(data(&server.run(&id), "metrics").is_empty());
    server.post("runs/log-metric", &good).ok();
}

#[test]
fn params_are_written_once() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    let log = |value: &str| server.post("runs/log-parameter", &json!({"run_id": id, "key": "lr", "value": value}));
    log("0.1").ok();
    log("0.1").ok();
    let message = log("0.2").error(400, "INVALID_PARAMETER_VALUE");
    assert!(message.contains("already logged with value='0.1'"), "{message}");
    let long = "\u{e9}".repeat(6001);
    for _ in 0..2 {
        server.post("runs/log-parameter", &json!({"run_id": id, "key": "long", "value": long})).ok();
    }
    let read = server.run(&id);
    let params = data(&read, "params");
    assert_eq!(params[0].1.as_str().unwrap().chars().count(), 6000, "cut, as MLflow does");
    assert_eq!(params[1], ("lr", &json!("0.1")));
}

#[test]
fn tags_are_overwritten_and_deleted() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    for value in ["a", "b"] {
        server.post("runs/set-tag", &json!({"run_id": id, "key": "stage", "value": value})).ok();
    }
    assert!(data(&server.run(&id), "tags").contains(&("stage", &json!("b"))));
    server.post("runs/delete-tag", &json!({"run_id": id, "key": "stage"})).ok();
    server.post("runs/delete-tag", &json!({"run_id": id, "key": "stage"})).error(404, "RESOURCE_DOES_NOT_EXIST");
    // The same for a run without a writer.
    server.post("runs/update", &json!({"run_id": id, "status": "FINISHED"})).ok();
    server.post("runs/set-tag", &json!({"run_id": id, "key": "stage", "value": "c"})).ok();
    server.post("runs/delete-tag", &json!({"run_id": id, "key": "stage"})).ok();
    assert_eq!(server.run(&id)["run"]["info"]["status"], "FINISHED");
}

#[test]
fn a_batch_is_all_or_nothing() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    let point = |key: &str, step: i64| json!({"key": key, "value": 0.5, "timestamp": T, "step": step});
    server.post("runs/log-batch", &json!({"run_id": id, "params": [{"key": "p", "value": "1"}]})).ok();
    let bad = [
        json!({"metrics": [point("new", 1), point("a//b", 1)]}),
        json!({"metrics": [point("new", 1)], "params": [{"key": "p", "value": "2"}], "tags": [{"key": "new", "value": "1"}]}),
        json!({"metrics": [point("new", 1)], "params": [{"key": "q", "value": "1"}, {"key": "q", "value": "1"}]}),
        json!({"params": [{"key": "q", "value": "1"}], "tags": [{"key": "a@b", "value": "1"}]}),
        json!({"params": [{"key": "q", "value": "1"}], "metrics": [{"key": "new", "value": 1}]}),
        json!({"params": [{"key": "q", "value": "1"}], "metrics": [{"key": "new", "value": "low", "timestamp": 1}]}),
        json!({"metrics": (0..1001).map(|step| point("new", step)).collect::<Vec<_>>()}),
        json!({"metrics": [point("new", 1)], "tags": (0..101).map(|n| json!({"key": format!("t{n}"), "value": ""})).collect::<Vec<_>>()}),
    ];
    for mut body in bad {
        body["run_id"] = json!(id);
        server.post("runs/log-batch", &body).error(400, "INVALID_PARAMETER_VALUE");
    }
    let read = server.run(&id);
    assert!(data(&read, "metrics").is_empty());
    assert_eq!(data(&read, "params"), [("p", &json!("1"))]);
    assert_eq!(data(&read, "tags").len(), 1, "its name");
    let metrics: Vec<Value> = (0..1000).map(|n| point(&format!("m{}", n % 7), n / 7)).collect();
    server.post("runs/log-batch", &json!({"run_id": id, "metrics": metrics})).ok();
    assert_eq!(server.history(&id, "m0").len(), 143);
}

#[test]
fn a_batch_that_is_sent_again_adds_nothing() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    let points = [(1, 0.5), (2, 0.25), (1, 0.5), (1, 0.75)];
    let metrics: Vec<Value> =
        points.iter().map(|(step, value)| json!({"key": "a", "value": value, "timestamp": T, "step": step})).collect();
    for _ in 0..3 {
        server.post("runs/log-batch", &json!({"run_id": id, "metrics": metrics})).ok();
    }
    let history = server.history(&id, "a");
    let read: Vec<_> =
        history.iter().map(|point| (point["step"].as_i64().unwrap(), point["value"].as_f64().unwrap())).collect();
    assert_eq!(read, [(1, 0.5), (1, 0.75), (2, 0.25)]);
}

#[test]
fn many_clients_log_to_one_run_and_lose_nothing() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, id) = (&server, &id);
            scope.spawn(move || {
                for step in 0..50 {
                    server.log(id, &format!("m{client}"), step, 0.5);
                    server.log(id, "shared", step * 8 + client, 0.5);
                }
            });
        }
        // Meanwhile the run is ended and goes on, as by an impatient client.
        for _ in 0..5 {
            server.post("runs/update", &json!({"run_id": id, "status": "FINISHED"})).ok();
        }
    });
    assert_eq!(server.history(&id, "shared").len(), 400);
    assert!((0..8).all(|client| server.history(&id, &format!("m{client}")).len() == 50));
}

#[test]
fn more_runs_than_writers_are_logged_to_in_turns() {
    let server = TestServer::start();
    let ids: Vec<String> = (0..300).map(|_| server.new_run("0", json!({}))).collect();
    for step in 0..2 {
        ids.iter().for_each(|id| server.log(id, "loss", step, 0.5));
    }
    for id in [&ids[0], &ids[150], &ids[299]] {
        assert_eq!(server.history(id, "loss").len(), 2);
        assert_eq!(server.run(id)["run"]["info"]["status"], "RUNNING");
    }
}
