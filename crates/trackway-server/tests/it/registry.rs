//! The model registry.

use crate::artifacts::{new_run, put};
use crate::server::TestServer;
use serde_json::{Value, json};

fn register(server: &TestServer, name: &str) -> Value {
    server.post("registered-models/create", &json!({ "name": name })).ok()["registered_model"].clone()
}

fn add(server: &TestServer, name: &str, source: &str) -> Value {
    server.post("model-versions/create", &json!({"name": name, "source": source})).ok()["model_version"].clone()
}

fn names(answer: &Value, list: &str) -> Vec<String> {
    let found = answer[list].as_array().cloned().unwrap_or_default();
    found.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_model_is_registered_described_renamed_and_deleted() {
    let server = TestServer::start();
    let body = json!({"name": "digits", "description": "reads", "tags": [{"key": "team", "value": "v"}]});
    let model = server.post("registered-models/create", &body).ok()["registered_model"].clone();
    assert_eq!(
        (&model["name"], &model["description"], &model["tags"]),
        (&body["name"], &body["description"], &body["tags"])
    );
    server.post("registered-models/create", &body).error(400, "RESOURCE_ALREADY_EXISTS");
    let update = json!({"name": "digits", "description": "reads more"});
    let updated = server.call("PATCH", "registered-models/update", &update).ok();
    assert_eq!(updated["registered_model"]["description"], "reads more");
    register(&server, "taken");
    let rename = |from: &str, to: &str| server.post("registered-models/rename", &json!({"name": from, "new_name": to}));
    rename("digits", "taken").error(400, "RESOURCE_ALREADY_EXISTS");
    rename("digits", "a/b").error(400, "INVALID_PARAMETER_VALUE");
    rename("nothing", "new").error(404, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(rename("digits", "letters").ok()["registered_model"]["name"], "letters");
    server.get("registered-models/get?name=digits").error(404, "RESOURCE_DOES_NOT_EXIST");
    let set = |body: Value| server.post("registered-models/set-tag", &body);
    set(json!({"name": "letters", "key": "k", "value": "v"})).ok();
    set(json!({"name": "letters", "key": "k@", "value": "v"})).error(400, "INVALID_PARAMETER_VALUE");
    set(json!({"name": "letters", "key": "k", "value": "v".repeat(100_001)})).error(400, "INVALID_PARAMETER_VALUE");
    set(json!({"name": "nothing", "key": "k", "value": "v"})).error(404, "RESOURCE_DOES_NOT_EXIST");
    let unset =
        |key: &str| server.call("DELETE", "registered-models/delete-tag", &json!({"name": "letters", "key": key}));
    assert_eq!((unset("k").ok(), unset("k").ok()), (json!({}), json!({})));
    let delete = || server.call("DELETE", "registered-models/delete", &json!({"name": "letters"}));
    assert_eq!(delete().ok(), json!({}));
    delete().error(404, "RESOURCE_DOES_NOT_EXIST");
    for bad in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "a/b"}),
        json!({"name": "a:b"}),
        json!({"name": ".."}),
        json!({"name": " "}),
        json!({"name": 7}),
    ] {
        server.post("registered-models/create", &bad).error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn versions_have_numbers_stages_and_tags() {
    let server = TestServer::start();
    register(&server, "digits");
    for number in ["1", "2", "3"] {
        let version = add(&server, "digits", &format!("s3://models/{number}"));
        assert_eq!(
            (&version["version"], &version["current_stage"], &version["status"]),
            (&json!(number), &json!("None"), &json!("READY"))
        );
    }
    let call = |method: &str, path: &str, version: &str, more: Value| {
        let mut body = json!({"name": "digits", "version": version});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.call(method, &format!("model-versions/{path}"), &body)
    };
    let stage = |version: &str, stage: &str, archive: bool| {
        call("POST", "transition-stage", version, json!({"stage": stage, "archive_existing_versions": archive}))
    };
    assert_eq!(stage("1", "production", true).ok()["model_version"]["current_stage"], "Production");
    stage("2", "Production", true).ok();
    assert_eq!(
        server.get("model-versions/get?name=digits&version=1").ok()["model_version"]["current_stage"],
        "Archived"
    );
    stage("1", "nothing", false).error(400, "INVALID_PARAMETER_VALUE");
    stage("9", "Staging", false).error(404, "RESOURCE_DOES_NOT_EXIST");
    stage("1", "Archived", true).error(500, "INTERNAL_ERROR");
    let latest = server.get("registered-models/get-latest-versions?name=digits&stages=Production").ok();
    assert_eq!(latest["model_versions"][0]["version"], "2");
    let all = server.post("registered-models/get-latest-versions", &json!({"name": "digits"})).ok();
    assert_eq!(all["model_versions"].as_array().unwrap().len(), 3);
    server
        .post("registered-models/get-latest-versions", &json!({"name": "digits", "stages": ["x"]}))
        .error(400, "INVALID_PARAMETER_VALUE");

    call("PATCH", "update", "1", json!({"description": "first"})).ok();
    call("POST", "set-tag", "1", json!({"key": "k", "value": "v"})).ok();
    call("POST", "set-tag", "9", json!({"key": "k", "value": "v"})).error(404, "RESOURCE_DOES_NOT_EXIST");
    let read = server.get("model-versions/get?name=digits&version=1").ok()["model_version"].clone();
    assert_eq!((&read["description"], &read["tags"]), (&json!("first"), &json!([{"key": "k", "value": "v"}])));
    assert_eq!(call("DELETE", "delete-tag", "1", json!({"key": "k"})).ok(), json!({}));
    call("DELETE", "delete", "3", json!({})).ok();
    call("DELETE", "delete", "3", json!({})).error(404, "RESOURCE_DOES_NOT_EXIST");
    call("DELETE", "delete", "x", json!({})).error(400, "INVALID_PARAMETER_VALUE");
    server.get("model-versions/get?name=digits&version=3").error(404, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(add(&server, "digits", "s3://models/4")["version"], "4", "a number is not given again");
    server
        .post("model-versions/create", &json!({"name": "nothing", "source": "s3://b/x"}))
        .error(404, "RESOURCE_DOES_NOT_EXIST");
    server.post("model-versions/create", &json!({"name": "digits"})).error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn aliases_name_versions_by_mlflows_rules() {
    let server = TestServer::start();
    register(&server, "digits");
    add(&server, "digits", "s3://models/1");
    add(&server, "digits", "s3://models/2");
    let set = |alias: &str, version: &str| {
        server.post("registered-models/alias", &json!({"name": "digits", "alias": alias, "version": version}))
    };
    let get = |alias: &str| server.get(&format!("registered-models/alias?name=digits&alias={alias}"));
    set("champion", "1").ok();
    let found = get("champion").ok()["model_version"].clone();
    assert_eq!((&found["version"], &found["aliases"]), (&json!("1"), &json!(["champion"])));
    assert_eq!(get("latest").ok()["model_version"]["version"], "2");
    let model = server.get("registered-models/get?name=digits").ok()["registered_model"].clone();
    assert_eq!(model["aliases"], json!([{"alias": "champion", "version": "1"}]));
    for bad in ["latest", "LATEST", "v1", "V22", "a b", "a.b", "", &"x".repeat(256)] {
        set(bad, "1").error(400, "INVALID_PARAMETER_VALUE");
    }
    set("good", "9").error(404, "RESOURCE_DOES_NOT_EXIST");
    set("good", "x").error(400, "INVALID_PARAMETER_VALUE");
    get("nothing").error(400, "INVALID_PARAMETER_VALUE");
    server.get("registered-models/alias?name=nothing&alias=a").error(404, "RESOURCE_DOES_NOT_EXIST");
    let delete = || server.call("DELETE", "registered-models/alias", &json!({"name": "digits", "alias": "champion"}));
    assert_eq!((delete().ok(), delete().ok()), (json!({}), json!({})));
    register(&server, "empty");
    server.get("registered-models/alias?name=empty&alias=latest").error(404, "RESOURCE_DOES_NOT_EXIST");
}

#[test]
fn models_and_versions_are_searched_without_prompts() {
    let server = TestServer::start();
    for name in ["a", "b", "c"] {
        register(&server, name);
        add(&server, name, &format!("s3://models/{name}"));
    }
    let prompt = json!({"name": "prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]});
    server.post("registered-models/create", &prompt).ok();
    let version = |source: &str| json!({"name": "prompt", "source": source, "tags": prompt["tags"]});
    server.post("model-versions/create", &version("prompt-template")).ok();
    server.post("model-versions/create", &version("/etc/passwd")).error(400, "INVALID_PARAMETER_VALUE");
    let models = |query: &str| server.get(&format!("registered-models/search?{query}"));
    assert_eq!(names(&models("").ok(), "registered_models"), ["a", "b", "c"]);
    let first = models("max_results=2&order_by=name%20DESC").ok();
    assert_eq!(names(&first, "registered_models"), ["c", "b"]);
    let token = first["next_page_token"].as_str().unwrap();
    assert_eq!(
        names(&models(&format!("max_results=2&order_by=name%20DESC&page_token={token}")).ok(), "registered_models"),
        ["a"]
    );
    assert_eq!(names(&models("filter=name%20LIKE%20'b%25'").ok(), "registered_models"), ["b"]);
    let asked = "filter=tags.%60mlflow.prompt.is_prompt%60%20%3D%20'true'";
    assert_eq!(names(&models(asked).ok(), "registered_models"), ["prompt"]);
    for bad in ["max_results=1001", "filter=nothing%20%3D%20'x'", "order_by=nothing", "page_token=x"] {
        models(bad).error(400, "INVALID_PARAMETER_VALUE");
    }
    let versions = |query: &str| server.get(&format!("model-versions/search?{query}"));
    assert_eq!(names(&versions("order_by=name").ok(), "model_versions"), ["a", "b", "c"]);
    assert_eq!(names(&versions("filter=source_path%20%3D%20's3%3A%2F%2Fmodels%2Fb'").ok(), "model_versions"), ["b"]);
    for bad in ["max_results=0", "max_results=200001", "filter=x%20%3D%20'y'"] {
        versions(bad).error(400, "INVALID_PARAMETER_VALUE");
    }
}

/// CVE-2023-1177, CVE-2023-2356, CVE-2023-3765, CVE-2023-6831, CVE-2024-0520, CVE-2024-37052 and others: a version's source
/// once led whoever read it to files of the server.
#[test]
fn a_source_leads_nowhere_but_to_the_run_or_model_that_is_named() {
    let server = TestServer::start();
    register(&server, "digits");
    let (run, other) = (new_run(&server), new_run(&server));
    let model =
        server.post("logged-models", &json!({"experiment_id": "0", "source_run_id": run})).ok()["model"].clone();
    let id = model["info"]["model_id"].as_str().unwrap();
    let create = |source: &str, more: Value| {
        let mut body = json!({"name": "digits", "source": source});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("model-versions/create", &body)
    };
    let of_run = json!({ "run_id": run });
    let root = format!("mlflow-artifacts:/0/{run}/artifacts");
    for bad in [
        "/etc",
        "etc",
        "./x",
        "file:///etc/passwd",
        "file:/etc",
        "file://localhost/etc",
        "//host/share",
        "..",
        &format!("{root}/../../x"),
        &format!("{root}/%2e%2e/x"),
        &format!("{root}/%252e%252e/x"),
        &format!("mlflow-artifacts:/0/{other}/artifacts/m"),
        &format!("mlflow-artifacts://host/0/{run}/artifacts/m"),
        &format!("runs:/{other}/m"),
        &format!("runs://host/{run}/m"),
        &format!("models:/{id}"),
        "models://host/digits/1",
        "models:/",
        "models:/digits/",
        "http://host/api/2.0/mlflow-artifacts/artifacts/x",
        "s3://bucket/../x",
        "mlflow-artifacts:/",
    ] {
        create(bad, of_run.clone()).error(400, "INVALID_PARAMETER_VALUE");
        create(bad, json!({})).error(400, "INVALID_PARAMETER_VALUE");
    }
    create(&format!("models:/{id}"), json!({"model_id": format!("m-{}", "0".repeat(32))}))
        .error(400, "INVALID_PARAMETER_VALUE");
    create("models:/nothing/1", json!({})).error(404, "RESOURCE_DOES_NOT_EXIST");
    create(&format!("runs:/{run}/m"), json!({ "model_id": id })).error(400, "INVALID_PARAMETER_VALUE");

    put(&server, &format!("0/{run}/artifacts/m/MLmodel"), b"of the run");
    put(&server, &format!("0/models/{id}/artifacts/MLmodel"), b"of the model");
    let uri = |version: &str| {
        server.get(&format!("model-versions/get-download-uri?name=digits&version={version}")).ok()["artifact_uri"]
            .clone()
    };
    let artifact = |version: &str, path: &str| {
        server.send("GET", &format!("/model-versions/get-artifact?name=digits&version={version}&path={path}"), &[], b"")
    };
    assert_eq!(create(&format!("{root}/m"), of_run.clone()).ok()["model_version"]["run_id"], json!(run));
    assert_eq!(artifact("1", "MLmodel").text, "of the run");
    create(&format!("runs:/{run}/m"), of_run.clone()).ok();
    assert_eq!((uri("2"), artifact("2", "MLmodel").text.as_str()), (json!(format!("runs:/{run}/m")), "of the run"));
    let made = create(&format!("models:/{id}"), json!({ "model_id": id })).ok()["model_version"].clone();
    assert_eq!((&made["run_id"], &made["source"]), (&json!(run), &json!(format!("models:/{id}"))));
    assert_eq!(
        (uri("3"), artifact("3", "MLmodel").text.as_str()),
        (model["info"]["artifact_uri"].clone(), "of the model")
    );
    let tags = server.get(&format!("logged-models/{id}")).ok()["model"]["info"]["tags"].clone();
    assert_eq!(tags[0]["value"], json!(r#"[{"name":"digits","version":3}]"#));
    server.post("registered-models/alias", &json!({"name": "digits", "alias": "best", "version": "3"})).ok();
    for copy in ["models:/digits/3", "models:/digits@best", "models:/digits/latest"] {
        let made = create(copy, json!({})).ok()["model_version"].clone();
        assert_eq!(uri(made["version"].as_str().unwrap()), model["info"]["artifact_uri"], "{copy}");
    }
    assert_eq!(create("s3://bucket/x", json!({})).status, 200);
    artifact("7", "x").error(404, "RESOURCE_DOES_NOT_EXIST");
    for bad in ["../MLmodel", "%2e%2e/x", "..%252fx", "/etc/passwd"] {
        artifact("1", bad).error(400, "INVALID_PARAMETER_VALUE");
    }
    artifact("99", "x").error(404, "RESOURCE_DOES_NOT_EXIST");
}
