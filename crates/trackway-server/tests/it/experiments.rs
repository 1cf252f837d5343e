//! Experiments.

use crate::server::TestServer;
use serde_json::json;

#[test]
fn an_experiment_is_created_and_read() {
    let server = TestServer::start();
    let body = json!({"name": "digits", "tags": [{"key": "team", "value": "vision"}]});
    let id = server.post("experiments/create", &body).ok()["experiment_id"].as_str().unwrap().to_owned();
    let read = server.get(&format!("experiments/get?experiment_id={id}")).ok();
    let read = &read["experiment"];
    assert_eq!((&read["name"], &read["experiment_id"]), (&json!("digits"), &json!(id)));
    assert_eq!(read["artifact_location"], json!(format!("mlflow-artifacts:/{id}")));
    assert_eq!(read["tags"], json!([{"key": "team", "value": "vision"}]));
    assert!(read["creation_time"].as_i64().unwrap() > 1_700_000_000_000, "a number, not a text");
    server.post("experiments/create", &body).error(400, "RESOURCE_ALREADY_EXISTS");
}
