//! Runs: created, read, changed, deleted and restored.

use crate::server::TestServer;
use serde_json::{Value, json};
use trackway::{NewRun, RunStatus, Store};

const NOBODY: &str = "0123456789abcdef0123456789abcdef";

fn tag(run: &Value, key: &str) -> Option<String> {
    let tags = run["run"]["data"]["tags"].as_array()?;
    tags.iter().find(|tag| tag["key"] == key).map(|tag| tag["value"].as_str().unwrap().to_owned())
}

#[test]
fn a_run_has_what_it_was_created_with() {
    let server = TestServer::start();
    let body = json!({
        "experiment_id": "0", "user_id": "ada", "run_name": "baseline", "start_time": "1700000000000",
        "tags": [{"key": "set", "value": "digits"}],
    });
    let created = server.post("runs/create", &body).ok();
    let info = &created["run"]["info"];
    let id = info["run_id"].as_str().unwrap();
    assert_eq!(info["run_uuid"], json!(id));
    assert_eq!(info["artifact_uri"], json!(format!("mlflow-artifacts:/0/{id}/artifacts")));
    assert_eq!((&info["status"], &info["lifecycle_stage"]), (&json!("RUNNING"), &json!("active")));
    assert_eq!((&info["start_time"], info.get("end_time")), (&json!(1_700_000_000_000_i64), None));
    let read = server.run(id);
    assert_eq!(read["run"]["info"], *info);
    assert_eq!((tag(&read, "set"), tag(&read, "mlflow.runName")), (Some("digits".into()), Some("baseline".into())));
}

#[test]
fn a_run_without_a_name_gets_one_and_name_and_tag_are_one() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    assert_eq!(server.run(&id)["run"]["info"]["run_name"].as_str().unwrap().split('-').count(), 3);
    server.post("runs/set-tag", &json!({"run_id": id, "key": "mlflow.runName", "value": "by tag"})).ok();
    assert_eq!(server.run(&id)["run"]["info"]["run_name"], "by tag");
    server.post("runs/update", &json!({"run_id": id, "run_name": "by update"})).ok();
    assert_eq!(tag(&server.run(&id), "mlflow.runName"), Some("by update".into()));
    let body = json!({"experiment_id": "0", "run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]});
    server.post("runs/create", &body).error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn a_child_knows_its_parent() {
    let server = TestServer::start();
    let parent = server.new_run("0", json!({}));
    let child = server.new_run("0", json!({"tags": [{"key": "mlflow.parentRunId", "value": parent}]}));
    assert_eq!(tag(&server.run(&child), "mlflow.parentRunId"), Some(parent.clone()));
    let filter = format!("tags.`mlflow.parentRunId` = '{parent}'");
    let found = server.post("runs/search", &json!({"experiment_ids": ["0"], "filter": filter})).ok();
    assert_eq!(found["runs"][0]["info"]["run_id"], json!(child));
}

#[test]
fn runs_that_do_not_exist_are_not_found() {
    let server = TestServer::start();
    for id in [NOBODY, "abc", "../../etc/passwd", "\u{e9}"] {
        server
            .post("runs/log-parameter", &json!({"run_id": id, "key": "a", "value": "b"}))
            .error(404, "RESOURCE_DOES_NOT_EXIST");
        server.post("runs/update", &json!({"run_id": id, "status": "FINISHED"})).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.post("runs/delete", &json!({"run_id": id})).error(404, "RESOURCE_DOES_NOT_EXIST");
        server.post("runs/restore", &json!({"run_id": id})).error(404, "RESOURCE_DOES_NOT_EXIST");
    }
    let message = server.get(&format!("runs/get?run_id={NOBODY}")).error(404, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(message, format!("Run with id={NOBODY} not found"));
    server.get("runs/get").error(400, "INVALID_PARAMETER_VALUE");
    let body = json!({"experiment_id": "987654321", "start_time": 1});
    server.post("runs/create", &body).error(404, "RESOURCE_DOES_NOT_EXIST");
}

#[test]
fn an_ended_run_can_be_logged_to_and_stays_ended() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    let ended = server
        .post("runs/update", &json!({"run_id": id, "status": "FINISHED", "end_time": 1_700_000_009_000_i64}))
        .ok();
    assert_eq!(ended["run_info"]["end_time"], json!(1_700_000_009_000_i64));
    server.log(&id, "late", 1, 0.5);
    let read = server.run(&id);
    assert_eq!(
        (&read["run"]["info"]["status"], &read["run"]["data"]["metrics"][0]["key"]),
        (&json!("FINISHED"), &json!("late"))
    );
    server.post("runs/update", &json!({"run_id": id, "status": "RUNNING"})).ok();
    assert_eq!(server.run(&id)["run"]["info"]["status"], "RUNNING");
    server.post("runs/update", &json!({"run_id": id, "status": "BOGUS"})).ok();
    assert_eq!(server.run(&id)["run"]["info"]["status"], "RUNNING", "an unknown state is dropped");
}

#[test]
fn a_deleted_run_is_read_and_not_written() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    server.log(&id, "loss", 1, 0.5);
    for _ in 0..2 {
        server.post("runs/delete", &json!({"run_id": id})).ok();
    }
    let read = server.run(&id);
    assert_eq!(
        (&read["run"]["info"]["lifecycle_stage"], read["run"]["data"]["metrics"].as_array().map(Vec::len)),
        (&json!("deleted"), Some(1))
    );
    let writes = [
        ("runs/log-metric", json!({"run_id": id, "key": "loss", "value": 1, "timestamp": 1})),
        ("runs/log-parameter", json!({"run_id": id, "key": "a", "value": "b"})),
        ("runs/set-tag", json!({"run_id": id, "key": "a", "value": "b"})),
        ("runs/delete-tag", json!({"run_id": id, "key": "a"})),
        ("runs/log-batch", json!({"run_id": id})),
        ("runs/update", json!({"run_id": id, "status": "FINISHED"})),
    ];
    for (path, body) in &writes {
        let message = server.post(path, body).error(400, "INVALID_PARAMETER_VALUE");
        assert_eq!(message, format!("The run {id} must be in the 'active' state. Current state is deleted."), "{path}");
    }
    server.post("runs/restore", &json!({"run_id": id})).ok();
    server.log(&id, "loss", 2, 0.25);
}

#[test]
fn a_deleted_experiment_takes_its_runs_along() {
    let server = TestServer::start();
    let experiment = server.new_experiment("digits");
    let (first, second) = (server.new_run(&experiment, json!({})), server.new_run(&experiment, json!({})));
    server.post("runs/delete", &json!({"run_id": second})).ok();
    server.post("experiments/delete", &json!({"experiment_id": experiment})).ok();
    assert_eq!(server.run(&first)["run"]["info"]["lifecycle_stage"], "deleted");
    server
        .post("runs/log-metric", &json!({"run_id": first, "key": "a", "value": 1, "timestamp": 1}))
        .error(400, "INVALID_PARAMETER_VALUE");
    server
        .post("runs/set-tag", &json!({"run_id": first, "key": "a", "value": "1"}))
        .error(400, "INVALID_PARAMETER_VALUE");
    server.post("runs/create", &json!({"experiment_id": experiment})).error(400, "INVALID_PARAMETER_VALUE");
    let other = server.new_run("0", json!({}));
    let count = |view: &str, ids: Value| {
        let found = server.post("runs/search", &json!({"experiment_ids": ids, "run_view_type": view})).ok();
        found["runs"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(
        [
            count("ACTIVE_ONLY", json!([experiment])),
            count("DELETED_ONLY", json!([experiment])),
            count("ALL", json!([experiment]))
        ],
        [0, 2, 2]
    );
    let both = json!([experiment, "0"]);
    assert_eq!(
        [count("ACTIVE_ONLY", both.clone()), count("DELETED_ONLY", both.clone()), count("ALL", both)],
        [1, 2, 3]
    );
    server.post("experiments/restore", &json!({"experiment_id": experiment})).ok();
    assert_eq!(server.run(&second)["run"]["info"]["lifecycle_stage"], "active", "also the one that was deleted alone");
    server.log(&first, "a", 1, 1.0);
    server.log(&other, "a", 1, 1.0);
}

#[test]
fn runs_go_on_when_the_server_was_stopped() {
    let server = TestServer::start();
    let id = server.new_run("0", json!({}));
    server.log(&id, "loss", 1, 0.5);
    let server = server.restart();
    assert_eq!(server.run(&id)["run"]["info"]["status"], "RUNNING");
    server.log(&id, "loss", 2, 0.25);
    assert_eq!(server.history(&id, "loss").len(), 2);
}

#[test]
fn runs_of_other_programs_are_seen_and_logged_to() {
    let server = TestServer::start();
    let store = Store::open(server.store_path()).unwrap();
    let run =
        store.create_run(NewRun::new(trackway::ExperimentId::DEFAULT).name("elsewhere").param("lr", "0.1")).unwrap();
    let id = run.id().to_string();
    run.log_metric("loss", 1, 0.5).unwrap();
    assert_eq!(server.history(&id, "loss").len(), 1);
    server.log(&id, "loss", 2, 0.25);
    server
        .post("runs/log-parameter", &json!({"run_id": id, "key": "lr", "value": "0.2"}))
        .error(400, "INVALID_PARAMETER_VALUE");
    run.finish().unwrap();
    let read = server.run(&id);
    assert_eq!(
        (&read["run"]["info"]["status"], &read["run"]["data"]["params"][0]["value"]),
        (&json!(RunStatus::Finished.as_str()), &json!("0.1"))
    );
    assert_eq!(server.history(&id, "loss").len(), 2);
}
