//! What runs used and made.

use crate::artifacts::new_run;
use crate::server::TestServer;
use serde_json::{Value, json};

fn dataset(name: &str, context: &str) -> Value {
    let dataset =
        json!({"name": name, "digest": "d1", "source_type": "local", "source": "{}", "schema": "s", "profile": "p"});
    json!({"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": context}]})
}

#[test]
fn datasets_and_models_of_a_run_are_in_its_shape() {
    let server = TestServer::start();
    let run = new_run(&server);
    let models = [format!("m-{}", "1".repeat(32)), format!("m-{}", "2".repeat(32))];
    let inputs =
        json!({"run_id": run, "datasets": [dataset("train", "training")], "models": [{"model_id": models[0]}]});
    assert_eq!(server.post("runs/log-inputs", &inputs).ok(), json!({}));
    // A run is linked to a dataset once, and the tags that came first stay.
    server.post("runs/log-inputs", &json!({"run_id": run, "datasets": [dataset("train", "other")]})).ok();
    let outputs = json!({"run_id": run, "models": [{"model_id": models[1], "step": "7"}]});
    assert_eq!(server.post("runs/outputs", &outputs).ok(), json!({}));
    let read = server.get(&format!("runs/get?run_id={run}")).ok();
    let expected = json!({"dataset_inputs": [dataset("train", "training")], "model_inputs": [{"model_id": models[0]}]});
    assert_eq!(read["run"]["inputs"], expected);
    assert_eq!(read["run"]["outputs"], json!({"model_outputs": [{"model_id": models[1], "step": 7}]}));
    let found = server.post("runs/search", &json!({"experiment_ids": ["0"], "filter": "dataset.name = 'train'"})).ok();
    assert_eq!(found["runs"][0]["outputs"], read["run"]["outputs"]);
    let none = json!({"experiment_ids": ["0"], "filter": format!("dataset.name = '{}'", models[0])});
    assert_eq!(server.post("runs/search", &none).ok(), json!({}));
    let server = server.restart();
    assert_eq!(server.get(&format!("runs/get?run_id={run}")).ok()["run"]["inputs"], expected);
}

#[test]
fn bad_inputs_are_refused_and_change_nothing() {
    let server = TestServer::start();
    let run = new_run(&server);
    let nobody = "0".repeat(32);
    let with = |name: &str, value: &str| {
        let mut one = dataset("good", "x");
        one["dataset"][name] = json!(value);
        json!({"run_id": run, "datasets": [dataset("first", "x"), one]})
    };
    for bad in [with("name", &"n".repeat(501)), with("digest", &"d".repeat(37)), with("source", &"s".repeat(65_536))] {
        server.post("runs/log-inputs", &bad).error(400, "INVALID_PARAMETER_VALUE");
    }
    let long_tag =
        json!({"dataset": dataset("good", "x")["dataset"], "tags": [{"key": "k", "value": "v".repeat(501)}]});
    for bad in [
        json!({"datasets": []}),
        json!({"run_id": run, "datasets": "x"}),
        json!({"run_id": run, "datasets": [{}]}),
        json!({"run_id": run, "datasets": [long_tag]}),
        json!({"run_id": run, "datasets": [{"dataset": {"name": "x", "digest": "d", "source_type": "trackway:model"}}]}),
    ] {
        server.post("runs/log-inputs", &bad).error(400, "INVALID_PARAMETER_VALUE");
    }
    server.post("runs/log-inputs", &json!({"run_id": nobody})).error(404, "RESOURCE_DOES_NOT_EXIST");
    server.post("runs/outputs", &json!({ "run_id": run })).error(400, "INVALID_PARAMETER_VALUE");
    let outputs = json!({"run_id": nobody, "models": [{"model_id": format!("m-{nobody}")}]});
    server.post("runs/outputs", &outputs).error(404, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(server.get(&format!("runs/get?run_id={run}")).ok()["run"]["inputs"], json!({}));
    server.post("runs/delete", &json!({ "run_id": run })).ok();
    let inputs = json!({"run_id": run, "datasets": [dataset("train", "x")]});
    server.post("runs/log-inputs", &inputs).error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn older_clients_name_their_models_in_a_tag() {
    let server = TestServer::start();
    let run = new_run(&server);
    let model = json!({"artifact_path": "m", "flavors": {"python_function": {"config": {"a": 1}, "loader_module": "l"}}, "utc_time_created": "now", "run_id": run});
    let log = |text: String| server.post("runs/log-model", &json!({"run_id": run, "model_json": text}));
    log(model.to_string()).ok();
    log(model.to_string()).ok();
    let read = server.get(&format!("runs/get?run_id={run}")).ok();
    let tag =
        read["run"]["data"]["tags"].as_array().unwrap().iter().find(|tag| tag["key"] == "mlflow.log-model.history");
    let history: Value = serde_json::from_str(tag.unwrap()["value"].as_str().unwrap()).unwrap();
    assert_eq!((history.as_array().unwrap().len(), &history[1]["artifact_path"]), (2, &json!("m")));
    assert_eq!(history[0]["flavors"]["python_function"], json!({"loader_module": "l"}));
    log("{".to_owned()).error(400, "INVALID_PARAMETER_VALUE");
    log(json!({"artifact_path": "m"}).to_string()).error(400, "INVALID_PARAMETER_VALUE");
    server.post("runs/log-model", &json!({ "run_id": run })).error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn pages_find_the_datasets_of_experiments() {
    let server = TestServer::start();
    let run = new_run(&server);
    let datasets = json!([dataset("train", "training"), {"dataset": {"name": "val", "digest": "d2", "source_type": "x", "source": "y"}}]);
    server.post("runs/log-inputs", &json!({"run_id": run, "datasets": datasets})).ok();
    let search = |ids: Value| {
        let body = json!({ "experiment_ids": ids }).to_string();
        let path = "/ajax-api/2.0/mlflow/experiments/search-datasets";
        server.send("POST", path, &[("Content-Type", "application/json")], body.as_bytes())
    };
    let expected = json!([
        {"experiment_id": "0", "name": "train", "digest": "d1", "context": "training"},
        {"experiment_id": "0", "name": "val", "digest": "d2"},
    ]);
    assert_eq!(search(json!(["0"])).ok(), json!({ "dataset_summaries": expected }));
    assert_eq!(search(json!(["77"])).ok(), json!({}));
    search(json!([])).error(400, "INVALID_PARAMETER_VALUE");
    search(json!(["x"])).error(400, "INVALID_PARAMETER_VALUE");
    search(json!(vec!["0"; 21])).error(400, "INVALID_PARAMETER_VALUE");
}
