//! Finding runs and experiments, page by page.

use crate::server::TestServer;
use serde_json::{Value, json};

fn names(found: &Value) -> Vec<String> {
    let runs = found["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    runs.iter().map(|run| run["info"]["run_name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_are_found_by_filter_and_order() {
    let server = TestServer::start();
    for (name, lr, loss) in [("a", "0.1", 0.5), ("b", "0.2", 0.25), ("c", "0.1", 0.75)] {
        let id = server.new_run("0", json!({"run_name": name}));
        server.post("runs/log-parameter", &json!({"run_id": id, "key": "lr", "value": lr})).ok();
        server.log(&id, "loss", 1, loss);
    }
    let search = |filter: &str, order: &str| {
        names(
            &server.post("runs/search", &json!({"experiment_ids": ["0"], "filter": filter, "order_by": [order]})).ok(),
        )
    };
    assert_eq!(search("params.lr = '0.1'", "metrics.loss DESC"), ["c", "a"]);
    assert_eq!(search("metrics.loss < 0.6", "metrics.loss"), ["b", "a"]);
    assert_eq!(search("params.lr LIKE '0._' AND run_name != 'b'", "run_name"), ["a", "c"]);
    for bad in ["metrics.a = 1 OR metrics.b = 2", "colour = 'red'", "metrics.a >", "  "] {
        server
            .post("runs/search", &json!({"experiment_ids": ["0"], "filter": bad}))
            .error(400, "INVALID_PARAMETER_VALUE");
    }
    for bad in [
        json!(["colour"]),
        json!(["start_time UP"]),
        json!([7]),
        json!("start_time"),
        json!(["start_time", "start_time"]),
    ] {
        server
            .post("runs/search", &json!({"experiment_ids": ["0"], "order_by": bad}))
            .error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn pages_hold_every_run_once() {
    let server = TestServer::start();
    let experiment = server.new_experiment("pages");
    (0..25).for_each(|n| drop(server.new_run(&experiment, json!({"run_name": format!("{n:02}"), "start_time": n}))));
    let mut all = Vec::new();
    let mut token = json!("");
    loop {
        let body = json!({"experiment_ids": [experiment], "max_results": 10, "page_token": token});
        let page = server.post("runs/search", &body).ok();
        all.extend(names(&page));
        match page.get("next_page_token") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("{n:02}")).collect();
    assert_eq!(all, expected, "those that started last come first");
}

#[test]
fn limits_are_mlflows() {
    let server = TestServer::start();
    for (bad, code) in [
        (json!(0), 400),
        (json!(-1), 400),
        (json!(50_001), 400),
        (json!("all"), 400),
        (json!(50_000), 200),
        (json!("7"), 200),
    ] {
        let body = json!({"experiment_ids": ["0"], "max_results": bad});
        assert_eq!(server.post("runs/search", &body).status, code, "{bad}");
        assert_eq!(server.post("experiments/search", &body).status, code, "{bad}");
    }
    server.post("experiments/search", &json!({})).error(400, "INVALID_PARAMETER_VALUE");
    assert_eq!(server.post("runs/search", &json!({})).ok(), json!({}), "no experiments, no runs");
    for path in ["runs/search", "experiments/search"] {
        let body = json!({"experiment_ids": ["0"], "max_results": 5, "page_token": "eyJvZmZzZXQiOiAxfQ=="});
        server.post(path, &body).error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn a_page_of_thousands_is_whole() {
    let server = TestServer::start();
    let store = trackway::Store::open(server.store_path()).unwrap();
    let id = store.create_experiment("many").unwrap();
    for n in 0..2500 {
        let run = store.create_run(trackway::NewRun::new(id).name(format!("r{n}")).start_time(n)).unwrap();
        run.log_metric("loss", 1, n as f64).unwrap();
        run.finish().unwrap();
    }
    drop(store);
    let found = server.post("runs/search", &json!({"experiment_ids": [id.to_string()], "max_results": 2400})).ok();
    assert_eq!(
        (found["runs"].as_array().unwrap().len(), found["runs"][2399]["info"]["run_name"].as_str()),
        (2400, Some("r100"))
    );
    let body = json!({"experiment_ids": [id.to_string()], "max_results": 2400, "page_token": found["next_page_token"]});
    let rest = server.post("runs/search", &body).ok();
    assert_eq!((rest["runs"].as_array().unwrap().len(), rest.get("next_page_token")), (100, None));
}

#[test]
fn experiments_are_found() {
    let server = TestServer::start();
    let names = |body: Value| {
        let found = server.post("experiments/search", &body).ok();
        let list = found["experiments"].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let digits = server.new_experiment("digits");
    server.new_experiment("letters");
    server
        .post("experiments/set-experiment-tag", &json!({"experiment_id": digits, "key": "team", "value": "vision"}))
        .ok();
    assert_eq!(names(json!({"max_results": 9, "filter": "tags.team = 'vision'"})), ["digits"]);
    assert_eq!(
        names(json!({"max_results": 9, "filter": "name LIKE '%s'", "order_by": ["name"]})),
        ["digits", "letters"]
    );
    server.post("experiments/delete", &json!({"experiment_id": digits})).ok();
    assert_eq!(names(json!({"max_results": 9, "view_type": "DELETED_ONLY"})), ["digits"]);
    assert_eq!(names(json!({"max_results": 9, "order_by": ["name"]})), ["Default", "letters"]);
}
