//! MLflow's own pages: their files, their GraphQL queries, and what they ask for in vain.

use crate::artifacts::new_run;
use crate::server::{Answer, TestServer};
use serde_json::{Value, json};
use std::path::Path;
use trackway_server::{Error, Server, ServerOptions};

/// The folder of a package: pages as they lie in it.
fn package(dir: &Path) -> ServerOptions {
    let pages = dir.join("mlflow/server/js/build");
    std::fs::create_dir_all(pages.join("static/js")).unwrap();
    std::fs::write(pages.join("index.html"), "<title>MLflow</title>").unwrap();
    std::fs::write(pages.join("static/js/main.1234.js"), "let a = 1;").unwrap();
    std::fs::write(dir.join("secret.txt"), "secret").unwrap();
    ServerOptions { mlflow_ui: Some(dir.to_path_buf()), ..ServerOptions::default() }
}

fn start() -> TestServer {
    let dir = tempfile::tempdir().unwrap();
    TestServer::start_with(package(&dir.keep()))
}

fn post(server: &TestServer, path: &str, body: &Value) -> Answer {
    server.send("POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
}

fn ask(server: &TestServer, query: &str, variables: Value) -> (Value, Value) {
    let answer = post(server, "/mlflow/graphql", &json!({"query": query, "variables": variables})).ok();
    (answer["data"].clone(), answer["errors"].clone())
}

#[test]
fn the_pages_of_an_installed_package_are_served_with_the_api_beside_them() {
    let server = start();
    let page = server.send("GET", "/mlflow/", &[], b"");
    assert_eq!((page.status, page.text.as_str()), (200, "<title>MLflow</title>"));
    assert_eq!(page.headers["cache-control"], "no-cache");
    let script = server.send("GET", "/mlflow/static-files/static/js/main.1234.js", &[], b"");
    assert_eq!((script.status, script.text.as_str()), (200, "let a = 1;"));
    assert_eq!(
        (&script.headers["content-type"], &script.headers["cache-control"]),
        (&"text/javascript".parse().unwrap(), &"max-age=2419200".parse().unwrap())
    );
    for outside in ["../secret.txt", "..%2f..%2f..%2f..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "static/../../x"] {
        let answer = server.send("GET", &format!("/mlflow/static-files/{outside}"), &[], b"");
        assert!(answer.status >= 400 && !answer.text.contains("secret"), "{outside}: {answer:?}");
    }
    let run = new_run(&server);
    let read = server.send("GET", &format!("/mlflow/ajax-api/2.0/mlflow/runs/get?run_id={run}"), &[], b"").ok();
    assert_eq!(read["run"]["info"]["run_id"], json!(run));
    assert_eq!(post(&server, "/mlflow/ajax-api/3.0/mlflow/traces/search", &json!({})).ok(), json!({}));
    // Clients are not told that there are traces.
    post(&server, "/ajax-api/3.0/mlflow/traces/search", &json!({})).error(404, "ENDPOINT_NOT_FOUND");
    post(&server, "/graphql", &json!({"query": "{ __typename }"})).error(404, "ENDPOINT_NOT_FOUND");
}

#[test]
fn a_folder_without_pages_is_refused_and_none_serves_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = trackway::Store::open(dir.path().join("store")).unwrap();
    let options = ServerOptions { port: 0, mlflow_ui: Some(dir.path().to_path_buf()), ..ServerOptions::default() };
    assert!(matches!(Server::bind(store, options), Err(Error::File { .. })));
    assert_eq!(TestServer::start().send("GET", "/mlflow/", &[], b"").status, 404);
}

#[test]
fn a_run_is_asked_for_as_the_pages_do() {
    let server = start();
    let run = new_run(&server);
    let metrics = json!([
        {"key": "loss", "value": 0.5, "timestamp": 7, "step": 3},
        {"key": "nan", "value": "NaN", "timestamp": 7, "step": 3},
        {"key": "inf", "value": "-Infinity", "timestamp": 7, "step": 3},
    ]);
    let params = json!([{"key": "lr", "value": "0.1"}]);
    server.post("runs/log-batch", &json!({"run_id": run, "metrics": metrics, "params": params})).ok();
    server.post("registered-models/create", &json!({"name": "digits"})).ok();
    let source = format!("mlflow-artifacts:/0/{run}/artifacts/model");
    server.post("model-versions/create", &json!({"name": "digits", "source": source, "run_id": run})).ok();
    let query = r#"query GetRun($data: MlflowGetRunInput!) @component(name: "Page") {
        mlflowGetRun(input: $data) {
            apiError { code message }
            run {
                info { id: runId status endTime __typename }
                ...Data
                ... on MlflowRunExtension { experiment { experimentId name tags { key } } }
                inputs { datasetInputs { dataset { name } } }
                modelVersions { name version }
            }
        }
    }
    fragment Data on MlflowRunExtension { data { metrics { key value step } } data { params { key value } } }"#;
    let (data, errors) = ask(&server, query, json!({"data": {"runId": run}}));
    assert_eq!(errors, Value::Null);
    let metric = |key: &str, value: Value| json!({"key": key, "value": value, "step": "3"});
    let expected = json!({
        "info": {"id": run, "status": "RUNNING", "endTime": "0", "__typename": "MlflowRunInfo"},
        "data": {
            "metrics": [metric("inf", json!(f64::MIN)), metric("loss", json!(0.5)), metric("nan", Value::Null)],
            "params": [{"key": "lr", "value": "0.1"}],
        },
        "experiment": {"experimentId": "0", "name": "Default", "tags": []},
        "inputs": {"datasetInputs": []},
        "modelVersions": [{"name": "digits", "version": "1"}],
    });
    assert_eq!(data["mlflowGetRun"], json!({"apiError": null, "run": expected}));
}

#[test]
fn the_other_questions_are_answered_by_their_endpoints() {
    let server = start();
    let run = new_run(&server);
    let point = json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": 7, "step": -3});
    server.post("runs/log-metric", &point).ok();
    let query = format!(
        r#"{{
            e: mlflowGetExperiment(input: {{experimentId: "0"}}) {{ experiment {{ name }} }}
            runs: mlflowSearchRuns(input: {{experimentIds: ["0"], runViewType: ACTIVE_ONLY, maxResults: 5}}) {{
                runs {{ info {{ runId }} }} nextPageToken
            }}
            mlflowGetMetricHistoryBulkInterval(input: {{runIds: ["{run}"], metricKey: "loss", maxResults: 10}}) {{
                metrics {{ runId key value step timestamp }}
            }}
            mlflowListArtifacts(input: {{runId: "{run}"}}) {{ rootUri files {{ path isDir fileSize }} }}
            mlflowSearchModelVersions(input: {{}}) {{ modelVersions {{ name }} }}
            bad: mlflowSearchRuns(input: {{experimentIds: ["0"], filter: "metrics."}}) {{ runs {{ info {{ runId }} }} }}
        }}"#
    );
    let (data, errors) = ask(&server, &query, Value::Null);
    assert_eq!((errors.as_array().map(Vec::len), &data["bad"]), (Some(1), &Value::Null));
    assert_eq!(data["e"], json!({"experiment": {"name": "Default"}}));
    assert_eq!(data["runs"], json!({"runs": [{"info": {"runId": run}}], "nextPageToken": ""}));
    let metric = json!({"runId": run, "key": "loss", "value": 0.5, "step": "-3", "timestamp": "7"});
    assert_eq!(data["mlflowGetMetricHistoryBulkInterval"], json!({"metrics": [metric]}));
    let root = format!("mlflow-artifacts:/0/{run}/artifacts");
    assert_eq!(data["mlflowListArtifacts"], json!({"rootUri": root, "files": []}));
    assert_eq!(data["mlflowSearchModelVersions"], json!({"modelVersions": []}));
    let datasets = r#"mutation { mlflowSearchDatasets(input: {experimentIds: ["0"]}) { datasetSummaries { name } } }"#;
    assert_eq!(ask(&server, datasets, Value::Null).0, json!({"mlflowSearchDatasets": {"datasetSummaries": []}}));
}

#[test]
fn queries_that_do_not_fit_are_refused_as_a_whole() {
    let server = start();
    let nested = |depth: usize| format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth));
    let spreads = "fragment A on Query { ...B ...B } fragment B on Query { ...C ...C } ".to_owned()
        + &('C'..='Y')
            .map(|name| format!("fragment {name} on Query {{ ...{0} ...{0} }} ", (name as u8 + 1) as char))
            .collect::<String>();
    let eleven: String = (0..11).map(|n| format!("a{n}: mlflowGetRun(input: {{}}) {{ __typename }} ")).collect();
    let cases = [
        ("{", "Unexpected end"),
        ("{ nope { a } }", "Cannot query field 'nope' on type 'Query'"),
        ("{ __schema { types { name } } }", "Cannot query field '__schema'"),
        ("mutation { mlflowGetRun(input: {}) { __typename } }", "on type 'Mutation'"),
        ("subscription { a }", "subscription"),
        ("query A { __typename } query B { __typename }", "Must provide operation name"),
        ("{ mlflowGetRun(input: {runId: \"a\"}) { run } }", "must have a selection"),
        ("{ mlflowGetRun(input: {runId: \"a\"}) { run { info { runId { a } } } } }", "must not have a selection"),
        ("{ mlflowGetRun(input: {runId: \"a\"}) { run { info { nope } } } }", "on type 'MlflowRunInfo'"),
        ("{ mlflowGetRun(input: {nope: 1}) { __typename } }", "not defined by type 'MlflowGetRunInput'"),
        ("{ mlflowGetRun(input: 1) { __typename } }", "MlflowGetRunInput"),
        ("{ mlflowGetRun { __typename } }", "needs an argument"),
        ("query($d: MlflowGetRunInput!) { mlflowGetRun(input: $d) { __typename } }", "'$d' was not provided"),
        ("{ __typename @skip(if: true) }", "@skip"),
        ("{ ...Nowhere }", "Unknown fragment"),
        ("{ ...A } fragment A on Query { ...A }", "within itself"),
        ("{ ... on MlflowRun { __typename } }", "cannot be spread"),
        (&(spreads + "fragment Z on Query { __typename } { ...A }"), "total selections"),
        (&nested(45), "Cannot query field"),
        (&nested(13_000), ""),
        (&format!("{{ {eleven} }}"), "root fields"),
    ];
    for (query, problem) in cases {
        let (data, errors) = ask(&server, query, Value::Null);
        let said = errors[0].as_str().unwrap_or_default();
        assert!(data.is_null() && !said.is_empty() && said.contains(problem), "{query:.80}: {said}");
    }
    let deep = "{ run: mlflowGetRun(input: {}) { __typename } ".to_owned() + &" __typename".repeat(1000) + "}";
    assert!(ask(&server, &deep, Value::Null).1[0].as_str().unwrap().contains("1000"));
    post(&server, "/mlflow/graphql", &json!({"query": " ".repeat(100_000) + "{ a }"}))
        .error(400, "INVALID_PARAMETER_VALUE");
    post(&server, "/mlflow/graphql", &json!({})).error(400, "INVALID_PARAMETER_VALUE");
    post(&server, "/mlflow/graphql", &json!({"query": 7})).error(400, "INVALID_PARAMETER_VALUE");
}
