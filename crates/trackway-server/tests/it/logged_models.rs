//! Logged models.

use crate::artifacts::{new_run, put};
use crate::server::TestServer;
use serde_json::{Value, json};

fn create(server: &TestServer, body: &Value) -> Value {
    let mut whole = json!({"experiment_id": "0"});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    server.post("logged-models", &whole).ok()["model"].clone()
}

fn id(model: &Value) -> &str {
    model["info"]["model_id"].as_str().unwrap()
}

#[test]
fn a_model_is_created_measured_finalized_and_read() {
    let server = TestServer::start();
    let run = new_run(&server);
    let params = json!([{"key": "depth", "value": "3"}]);
    let body = json!({"name": "digits", "model_type": "tree", "source_run_id": run, "params": params, "tags": [{"key": "team", "value": "v"}]});
    let model = create(&server, &body);
    let (id, info) = (id(&model), &model["info"]);
    assert!(id.len() == 34 && id.starts_with("m-"));
    assert_eq!(info["artifact_uri"], json!(format!("mlflow-artifacts:/0/models/{id}/artifacts")));
    assert_eq!(
        (&info["status"], &info["name"], &info["source_run_id"]),
        (&json!("LOGGED_MODEL_PENDING"), &json!("digits"), &json!(run))
    );
    let metrics = json!([
        {"key": "acc", "value": 0.5, "timestamp": 1, "step": 1, "model_id": id, "dataset_name": "train", "dataset_digest": "d1"},
        {"key": "acc", "value": "NaN", "timestamp": 2, "step": 2, "model_id": id},
        {"key": "loss", "value": 1, "timestamp": 1, "step": 1},
    ]);
    let batch = json!({"run_id": run, "metrics": metrics});
    server.post("runs/log-batch", &batch).ok();
    server.post("runs/log-batch", &batch).ok();
    let single = json!({"run_id": run, "key": "acc", "value": 0.75, "timestamp": 3, "step": 3, "model_id": id});
    server.post("runs/log-metric", &single).ok();
    let path = format!("logged-models/{id}");
    let finalized = server.call("PATCH", &path, &json!({"model_id": id, "status": "LOGGED_MODEL_READY"})).ok();
    let read = server.get(&path).ok();
    assert_eq!(read, finalized);
    assert_eq!(read["model"]["info"]["status"], "LOGGED_MODEL_READY");
    assert_eq!(read["model"]["data"]["params"], params);
    let expected = json!([
        {"key": "acc", "value": 0.5, "timestamp": 1, "step": 1, "dataset_name": "train", "dataset_digest": "d1", "model_id": id, "run_id": run},
        {"key": "acc", "value": "NaN", "timestamp": 2, "step": 2, "model_id": id, "run_id": run},
        {"key": "acc", "value": 0.75, "timestamp": 3, "step": 3, "model_id": id, "run_id": run},
    ]);
    assert_eq!(read["model"]["data"]["metrics"], expected);
    // The run has them too, with the one that is of no model.
    let metrics = server.get(&format!("runs/get?run_id={run}")).ok()["run"]["data"]["metrics"].clone();
    assert_eq!(metrics.as_array().unwrap().len(), 2);
    let server = server.restart();
    assert_eq!(server.get(&path).ok(), read);
}

#[test]
fn tags_and_params_change_and_a_deleted_model_is_hidden() {
    let server = TestServer::start();
    let model = create(&server, &json!({}));
    let id = id(&model);
    assert_eq!(model["info"]["name"].as_str().unwrap().split('-').count(), 3, "a name of its own");
    let tags = json!({"tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]});
    assert_eq!(server.call("PATCH", &format!("logged-models/{id}/tags"), &tags).ok(), json!({}));
    assert_eq!(server.get(&format!("logged-models/{id}")).ok()["model"]["info"]["tags"], tags["tags"]);
    let delete = |key: &str| server.call("DELETE", &format!("logged-models/{id}/tags/{key}"), &json!({}));
    assert_eq!(delete("a").ok(), json!({}));
    delete("a").error(404, "RESOURCE_DOES_NOT_EXIST");
    let params = |value: &str| json!({"params": [{"key": "p", "value": value}]});
    assert_eq!(server.post(&format!("logged-models/{id}/params"), &params("1")).ok(), json!({}));
    server.post(&format!("logged-models/{id}/params"), &params("2")).error(400, "BAD_REQUEST");
    assert_eq!(server.call("DELETE", &format!("logged-models/{id}"), &json!({})).ok(), json!({}));
    server.get(&format!("logged-models/{id}")).error(404, "RESOURCE_DOES_NOT_EXIST");
    let shown = server.get(&format!("logged-models/{id}?allow_deleted=true")).ok();
    assert_eq!(shown["model"]["data"]["params"], params("1")["params"]);
    assert_eq!(server.post("logged-models/search", &json!({"experiment_ids": ["0"]})).ok(), json!({}));
}

#[test]
fn bad_requests_are_refused() {
    let server = TestServer::start();
    let run = new_run(&server);
    let nobody = format!("m-{}", "0".repeat(32));
    for (body, status, code) in [
        (json!({}), 400, "INVALID_PARAMETER_VALUE"),
        (json!({"experiment_id": "x"}), 400, "INVALID_PARAMETER_VALUE"),
        (json!({"experiment_id": "77"}), 404, "RESOURCE_DOES_NOT_EXIST"),
        (json!({"experiment_id": "0", "name": "a/b"}), 400, "INVALID_PARAMETER_VALUE"),
        (json!({"experiment_id": "0", "name": "a'b"}), 400, "INVALID_PARAMETER_VALUE"),
        (json!({"experiment_id": "0", "params": "x"}), 400, "INVALID_PARAMETER_VALUE"),
    ] {
        server.post("logged-models", &body).error(status, code);
    }
    for given in [nobody.as_str(), "x", "m-1", "..%2f..", "m-%00"] {
        let path = format!("logged-models/{given}");
        server.get(&path).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.call("PATCH", &path, &json!({"status": 2})).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.call("DELETE", &path, &json!({})).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.call("PATCH", &format!("{path}/tags"), &json!({})).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.post(&format!("{path}/params"), &json!({})).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.get(&format!("{path}/artifacts/directories")).error(404, "RESOURCE_DOES_NOT_EXIST");
    }
    server.call("PATCH", &format!("logged-models/{nobody}"), &json!({})).error(400, "INVALID_PARAMETER_VALUE");
    let metric = json!({"run_id": run, "key": "acc", "value": 1, "timestamp": 1, "model_id": nobody});
    server.post("runs/log-metric", &metric).error(400, "BAD_REQUEST");
    let read = server.get(&format!("runs/get?run_id={run}")).ok();
    assert_eq!(read["run"]["data"].get("metrics"), None, "nothing was written");
}

#[test]
fn models_are_searched_sorted_and_paged() {
    let server = TestServer::start();
    let run = new_run(&server);
    let models: Vec<Value> = (0..5).map(|number| create(&server, &json!({"name": format!("m{number}")}))).collect();
    for (number, model) in models.iter().enumerate() {
        let metric = json!({"run_id": run, "key": "acc", "value": number, "timestamp": 1, "model_id": id(model), "dataset_name": "train", "dataset_digest": "d"});
        server.post("runs/log-metric", &metric).ok();
    }
    let ask = |body: &Value| {
        let mut whole = json!({"experiment_ids": ["0"]});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        server.post("logged-models/search", &whole)
    };
    let names = |answer: &Value| -> Vec<String> {
        let models = answer["models"].as_array().cloned().unwrap_or_default();
        models.iter().map(|model| model["info"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names(
            &ask(&json!({"filter": "metrics.acc >= 3 AND name LIKE 'm%'", "order_by": [{"field_name": "name"}]})).ok()
        ),
        ["m3", "m4"]
    );
    let filter = format!("attributes.model_id IN ('{}')", id(&models[2]));
    assert_eq!(names(&ask(&json!({ "filter": filter })).ok()), ["m2"]);
    let on = |name: &str| ask(&json!({"datasets": [{"dataset_name": name}], "filter": "metrics.acc > 3"}));
    assert_eq!((names(&on("train").ok()), names(&on("val").ok())), (vec!["m4".to_owned()], vec![]));
    let order = json!([{"field_name": "metrics.acc", "ascending": false, "dataset_name": "train"}]);
    let first = ask(&json!({"order_by": order, "max_results": 3})).ok();
    assert_eq!(names(&first), ["m4", "m3", "m2"]);
    let token = &first["next_page_token"];
    let second = ask(&json!({"order_by": order, "max_results": 3, "page_token": token})).ok();
    assert_eq!((names(&second), second.get("next_page_token")), (vec!["m1".to_owned(), "m0".to_owned()], None));
    for bad in [
        json!({"page_token": token}),
        json!({"page_token": "nonsense"}),
        json!({"order_by": order, "filter": "name != 'x'", "page_token": token}),
        json!({"filter": "nothing > 1"}),
        json!({"filter": "metrics.acc LIKE 'x'"}),
        json!({"order_by": [{"field_name": "params.x"}]}),
        json!({"order_by": [{"field_name": "nothing"}]}),
        json!({"datasets": [{"dataset_digest": "d"}]}),
        json!({"experiment_ids": ["x"]}),
        json!({"experiment_ids": []}),
    ] {
        ask(&bad).error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn files_of_a_model_are_put_listed_and_sent() {
    let server = TestServer::start();
    let model = create(&server, &json!({}));
    let id = id(&model);
    assert_eq!(put(&server, &format!("0/models/{id}/artifacts/data/MLmodel"), b"flavors:").status, 200);
    let listed = server.get(&format!("logged-models/{id}/artifacts/directories?artifact_directory_path=data")).ok();
    let files = json!([{"path": "data/MLmodel", "is_dir": false, "file_size": 8}]);
    assert_eq!(listed, json!({"root_uri": model["info"]["artifact_uri"], "files": files}));
    let file = |path: &str| {
        let path = format!("/ajax-api/2.0/mlflow/logged-models/{id}/artifacts/files?artifact_file_path={path}");
        server.send("GET", &path, &[], b"")
    };
    assert_eq!(file("data/MLmodel").text, "flavors:");
    file("").error(400, "BAD_REQUEST");
    file("data").error(400, "INVALID_PARAMETER_VALUE");
    file("nothing").error(404, "RESOURCE_DOES_NOT_EXIST");
    for bad in ["../model.tw", "..%2fmodel.tw", "%252e%252e/model.tw", "/etc/passwd"] {
        file(bad).error(400, "INVALID_PARAMETER_VALUE");
        server
            .get(&format!("logged-models/{id}/artifacts/directories?artifact_directory_path={bad}"))
            .error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn pages_find_models_by_experiment_and_by_run() {
    let server = TestServer::start();
    let (run, other) = (new_run(&server), new_run(&server));
    let params = json!([{"key": "depth", "value": "3"}]);
    let model = create(&server, &json!({"name": "digits", "source_run_id": run, "params": params}));
    let used = create(&server, &json!({"name": "base"}));
    let (id, used) = (id(&model), id(&used));
    let metric = json!({"key": "acc", "value": "NaN", "timestamp": 5, "step": 2, "model_id": id, "dataset_name": "d"});
    server.post("runs/log-batch", &json!({"run_id": run, "metrics": [metric]})).ok();
    let native = |method: &str, path: &str, body: &str| {
        server.send(
            method,
            &format!("/api/trackway/1/{path}"),
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
    };
    let search = |body: Value| native("POST", "logged-models/search", &body.to_string());
    let names = |answer: &Value| -> Vec<String> {
        answer["models"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = search(json!({"experiments": ["0"], "order_by": ["name"]})).ok();
    assert_eq!((names(&all), &all["next"]), (vec!["base".to_owned(), "digits".to_owned()], &Value::Null));
    let first = search(json!({"experiments": ["0"], "order_by": ["name"], "limit": 1})).ok();
    let second = search(json!({"experiments": ["0"], "order_by": ["name"], "limit": 1, "after": first["next"]})).ok();
    assert_eq!((names(&first), names(&second)), (vec!["base".to_owned()], vec!["digits".to_owned()]));
    assert_eq!(names(&search(json!({"experiments": ["0"], "filter": "params.depth = '3'"})).ok()), ["digits"]);
    search(json!({"experiments": ["0"], "filter": "depth ="})).error(400, "INVALID_PARAMETER_VALUE");
    search(json!({"experiments": ["0"], "limit": 501})).error(400, "INVALID_PARAMETER_VALUE");
    search(json!({"experiments": ["x"]})).error(400, "INVALID_PARAMETER_VALUE");
    search(json!({})).error(400, "INVALID_PARAMETER_VALUE");

    let one = native("GET", &format!("logged-models/{id}"), "").ok();
    assert_eq!((&one["run"], &one["params"], &one["status"]), (&json!(run), &json!({"depth": "3"}), &json!("PENDING")));
    let measured =
        json!({"key": "acc", "value": "NaN", "step": 2, "timestamp": 5, "run": run, "dataset": "d", "digest": ""});
    assert_eq!(one["metrics"], json!([measured]));
    native("GET", &format!("logged-models/m-{}", "0".repeat(32)), "").error(404, "RESOURCE_DOES_NOT_EXIST");

    let of = |run: &str| native("GET", &format!("runs/{run}/logged-models"), "").ok()["models"].clone();
    let ties = |run: &str| -> Vec<(Value, Value, Value)> {
        let tied = |one: &Value| (one["model"]["id"].clone(), one["tie"].clone(), one["step"].clone());
        of(run).as_array().unwrap().iter().map(tied).collect()
    };
    assert_eq!(ties(&run), [(json!(id), json!("made"), Value::Null)], "the model says so");
    assert!(ties(&other).is_empty());
    server.post("runs/log-inputs", &json!({"run_id": other, "models": [{"model_id": used}]})).ok();
    server.post("runs/outputs", &json!({"run_id": other, "models": [{"model_id": id, "step": 7}]})).ok();
    let mut told = ties(&other);
    told.sort_by_key(|(_, tie, _)| tie.to_string());
    assert_eq!(told, [(json!(id), json!("made"), json!(7)), (json!(used), json!("used"), Value::Null)]);
}
