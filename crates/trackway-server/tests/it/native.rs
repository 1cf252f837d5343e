//! Trackway's own API: experiments, runs, search, artifacts, models.

use crate::server::{Answer, TestServer};
use serde_json::{Value, json};
use trackway::{ExperimentId, NewModel, NewModelVersion, NewRun, RunId, RunStatus, Store};

pub(crate) const ROOT: &str = "/api/trackway/1/";

/// Another handle of the server's store, as another process has it.
pub(crate) fn store(server: &TestServer) -> Store {
    Store::open(server.store_path()).unwrap()
}

pub(crate) fn ask(server: &TestServer, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    server.send(method, &format!("{ROOT}{path}"), &headers, body.to_string().as_bytes())
}

fn read(server: &TestServer, path: &str) -> Answer {
    server.send("GET", &format!("{ROOT}{path}"), &[], b"")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Three ended runs of one experiment.
fn three_runs(store: &Store) -> (ExperimentId, Vec<RunId>) {
    let experiment = store.create_experiment("digits").unwrap();
    let mut ids = Vec::new();
    for (at, (opt, loss)) in [("adam", 0.5), ("sgd", f64::NAN), ("adam", f64::INFINITY)].into_iter().enumerate() {
        let new = NewRun::new(experiment).name(format!("run {at}")).start_time(at as i64).param("opt", opt);
        let run = store.create_run(new.param("long", "x".repeat(1000))).unwrap();
        run.log_metric("val/loss", 1, 9.0).unwrap();
        run.log_metric("val/loss", 2, loss).unwrap();
        run.end(RunStatus::Finished, Some(100)).unwrap();
        ids.push(run.id());
    }
    (experiment, ids)
}

#[test]
fn experiments_are_made_changed_counted_and_restored() {
    let server = TestServer::start();
    let made = ask(&server, "POST", "experiments", &json!({ "name": "digits" })).ok();
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("experiments/{id}");
    ask(&server, "POST", "experiments", &json!({ "name": "digits" })).error(400, "RESOURCE_ALREADY_EXISTS");
    let change = json!({ "name": "letters", "tags": { "team": "vision", "none": "x" } });
    ask(&server, "PATCH", &path, &change).ok();
    let changed = ask(&server, "PATCH", &path, &json!({ "tags": { "none": null } })).ok();
    assert_eq!((&changed["name"], &changed["tags"]), (&json!("letters"), &json!({ "team": "vision" })));
    store(&server).create_run(NewRun::new(id.parse().unwrap()).start_time(70)).unwrap();
    let counts = read(&server, "experiments/counts").ok();
    assert_eq!(counts["counts"][&id], json!({ "runs": 1, "running": 0, "last_run": 70 }));
    ask(&server, "DELETE", &path, &json!({})).ok();
    let listed = read(&server, "experiments").ok();
    assert!(listed["experiments"].as_array().unwrap().iter().all(|one| one["id"] != json!(id)));
    assert_eq!(read(&server, "experiments?view=deleted").ok()["experiments"][0]["id"], json!(id));
    ask(&server, "POST", &format!("{path}/restore"), &json!({})).ok();
    assert_eq!(read(&server, &path).ok()["stage"], json!("active"));
    read(&server, "experiments?view=some").error(400, "INVALID_PARAMETER_VALUE");
    for bad in ["x", "-1", "1e3", "99999999999999999999", "%2e%2e"] {
        let answer = read(&server, &format!("experiments/{bad}"));
        assert!(matches!(answer.status, 400 | 404), "{bad}: {}", answer.text);
    }
    let note = json!({ "tags": { "trackway.artifact_location": "/etc" } });
    ask(&server, "PATCH", &path, &note).error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn a_search_answers_the_columns_that_were_asked_for() {
    let server = TestServer::start();
    let (experiment, ids) = three_runs(&store(&server));
    let columns = json!([{ "metric": "val/loss" }, { "max": "val/loss" }, { "count": "val/loss" }, { "param": "opt" },
        { "param": "long" }, { "tag": "none" }, { "metric": "__proto__" }]);
    let query = json!({ "experiments": [experiment.to_string()], "columns": columns, "order_by": ["start_time ASC"] });
    let found = ask(&server, "POST", "runs/search", &query).ok();
    assert_eq!(texts(&found["id"]), ids.iter().map(RunId::to_string).collect::<Vec<_>>());
    assert_eq!(texts(&found["name"]), ["run 0", "run 1", "run 2"]);
    assert_eq!((&found["start"], &found["end"]), (&json!([0, 1, 2]), &json!([100, 100, 100])));
    let [loss, max, count, opt, long, tag, proto] = found["columns"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(loss, &json!([0.5, "NaN", "Infinity"]));
    assert_eq!((max, count), (&json!([9.0, 9.0, "Infinity"]), &json!([2, 2, 2])));
    assert_eq!(texts(opt), ["adam", "sgd", "adam"]);
    assert_eq!(texts(long)[0].chars().count(), 301, "cut, and said so");
    assert_eq!((tag, proto), (&json!([null, null, null]), &json!([null, null, null])));
    assert_eq!(found["next"], Value::Null);
}

#[test]
fn pages_of_a_search_follow_each_other() {
    let server = TestServer::start();
    let (_, ids) = three_runs(&store(&server));
    let mut query = json!({ "order_by": ["start_time ASC"], "limit": 2 });
    let first = ask(&server, "POST", "runs/search", &query).ok();
    query["after"] = first["next"].clone();
    let second = ask(&server, "POST", "runs/search", &query).ok();
    assert_eq!((first["id"].as_array().unwrap().len(), texts(&second["id"])), (2, vec![&*ids[2].to_string()]));
    assert_eq!(second["next"], Value::Null);
    query["after"] = json!("not what a page gave");
    ask(&server, "POST", "runs/search", &query).error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn a_filter_that_is_not_understood_says_where_and_why() {
    let server = TestServer::start();
    let answer = ask(&server, "POST", "runs/search", &json!({ "filter": "metrics.loss < 'low'" }));
    answer.error(400, "INVALID_PARAMETER_VALUE");
    let error = answer.json();
    assert_eq!((&error["what"], &error["position"]), (&json!("filter"), &json!(15)));
    assert!(error["reason"].as_str().unwrap().starts_with("expected a number"), "{error}");
    let answer = ask(&server, "POST", "runs/search", &json!({ "order_by": ["metrics.loss upwards"] }));
    answer.error(400, "INVALID_PARAMETER_VALUE");
    assert_eq!(answer.json()["what"], json!("order"));
}

#[test]
fn what_costs_too_much_or_makes_no_sense_is_refused() {
    let server = TestServer::start();
    let columns: Vec<Value> = (0..301).map(|at| json!({ "param": at.to_string() })).collect();
    for bad in [
        json!({ "limit": 2001 }),
        json!({ "limit": -1 }),
        json!({ "limit": 1e300 }),
        json!({ "columns": columns }),
        json!({ "columns": [{ "other": "x" }] }),
        json!({ "columns": "metric" }),
        json!({ "experiments": ["../1"] }),
        json!({ "experiments": "1" }),
        json!({ "view": "none" }),
        json!({ "unknown": 1 }),
        json!([1]),
        Value::Null,
    ] {
        ask(&server, "POST", "runs/search", &bad).error(400, "INVALID_PARAMETER_VALUE");
    }
    let path = format!("{ROOT}runs/search");
    let json_type = [("Content-Type", "application/json")];
    server.send("POST", &path, &json_type, b"{\"limit\":").error(400, "INVALID_PARAMETER_VALUE");
    server.send("POST", &path, &json_type, &[0xff, 0xfe]).error(400, "INVALID_PARAMETER_VALUE");
    let form = [("Content-Type", "text/plain")];
    server.send("POST", &path, &form, b"{}").error(400, "INVALID_PARAMETER_VALUE");
    let deep = "[".repeat(100_000);
    server.send("POST", &path, &json_type, deep.as_bytes()).error(400, "INVALID_PARAMETER_VALUE");
    read(&server, "nothing").error(404, "ENDPOINT_NOT_FOUND");
}

#[test]
fn keys_are_those_of_the_runs_with_values_where_they_are_few() {
    let server = TestServer::start();
    let (experiment, _) = three_runs(&store(&server));
    let keys = ask(&server, "POST", "keys", &json!({ "experiments": [experiment.to_string()] })).ok();
    assert_eq!((texts(&keys["metrics"]), texts(&keys["params"])), (vec!["val/loss"], vec!["long", "opt"]));
    assert_eq!(keys["param_values"]["opt"], json!(["adam", "sgd"]));
    assert_eq!(keys["complete"], json!(true));
}

#[test]
fn runs_are_read_and_edited() {
    let server = TestServer::start();
    let store = store(&server);
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).param("lr", "0.1")).unwrap();
    run.log_metric("loss", 3, f64::NEG_INFINITY).unwrap();
    let path = format!("runs/{}", run.id());
    let shown = read(&server, &path).ok();
    let latest = &shown["metrics"][0]["latest"];
    assert_eq!((&latest["step"], &latest["value"]), (&json!(3), &json!("-Infinity")));
    let hostile = "<script>alert(1)</script>";
    let change = json!({ "name": hostile, "tags": { "mlflow.note.content": "# note", "a": "b" } });
    assert_eq!(ask(&server, "PATCH", &path, &change).ok()["name"], json!(hostile));
    let changed = ask(&server, "PATCH", &path, &json!({ "tags": { "a": null, "never was": null } })).ok();
    assert_eq!(changed["tags"], json!({ "mlflow.note.content": "# note" }));
    assert_eq!(store.run(run.id()).unwrap().name, hostile);
    ask(&server, "PATCH", &path, &json!({ "name": "two\nlines" })).error(400, "INVALID_PARAMETER_VALUE");
    ask(&server, "PATCH", &path, &json!({ "status": "FINISHED" })).error(400, "INVALID_PARAMETER_VALUE");
    let missing = "0".repeat(32);
    let both = ask(&server, "POST", "runs/get", &json!({ "runs": [run.id().to_string(), missing] })).ok();
    assert_eq!((both["runs"].as_array().unwrap().len(), texts(&both["missing"])), (1, vec![&*missing]));
    read(&server, &format!("runs/{missing}")).error(404, "RESOURCE_DOES_NOT_EXIST");
    for bad in ["x", "..%2f..%2fetc", "%00", &"a".repeat(5000)] {
        read(&server, &format!("runs/{bad}")).error(400, "INVALID_PARAMETER_VALUE");
    }
}

#[test]
fn deleted_runs_come_back() {
    let server = TestServer::start();
    let (_, ids) = three_runs(&store(&server));
    let two = json!({ "runs": [ids[0].to_string(), ids[1].to_string()] });
    ask(&server, "POST", "runs/delete", &two).ok();
    let count = |view: &str| {
        let found = ask(&server, "POST", "runs/search", &json!({ "view": view })).ok();
        (found["id"].as_array().unwrap().len(), found["deleted"].clone())
    };
    assert_eq!((count("active").0, count("deleted")), (1, (2, json!([true, true]))));
    ask(&server, "POST", "runs/restore", &two).ok();
    assert_eq!(count("active").0, 3);
    ask(&server, "POST", "runs/delete", &json!({ "runs": ["0".repeat(32)] })).error(404, "RESOURCE_DOES_NOT_EXIST");
}

#[test]
fn artifacts_are_shown_and_never_run() {
    let server = TestServer::start();
    let run = store(&server).create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    let artifacts = run.artifacts();
    artifacts.put_bytes("plots/loss.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>").unwrap();
    artifacts.put_bytes("evil.html", b"<script>alert(1)</script>").unwrap();
    artifacts.put_bytes("weights.bin", &[0xff, 0, 1]).unwrap();
    let long = "\u{e9}".repeat(700_000);
    artifacts.put_bytes("long \"quoted\" \u{e9}.txt", long.as_bytes()).unwrap();
    let base = format!("runs/{}", run.id());
    let listed = read(&server, &format!("{base}/artifacts?path=plots")).ok();
    assert_eq!(listed["artifacts"][0]["path"], json!("plots/loss.svg"));
    assert_eq!(read(&server, &format!("{base}/artifacts")).ok()["artifacts"].as_array().unwrap().len(), 4);
    let file = |query: &str| read(&server, &format!("{base}/file?path={query}"));
    let header = |answer: &Answer, name: &str| answer.headers[name].to_str().unwrap().to_owned();
    let image = file("plots/loss.svg");
    assert_eq!((image.status, header(&image, "content-type")), (200, "image/svg+xml".to_owned()));
    let page = file("evil.html");
    assert!(header(&page, "content-type") == "application/octet-stream", "{:?}", page.headers);
    for answer in [&image, &page] {
        assert!(header(answer, "content-security-policy").contains("sandbox"), "{:?}", answer.headers);
        assert_eq!(header(answer, "x-content-type-options"), "nosniff");
    }
    let shown = file("evil.html&preview=true");
    assert_eq!(
        (shown.text.as_str(), header(&shown, "content-type").as_str()),
        ("<script>alert(1)</script>", "text/plain; charset=utf-8")
    );
    file("weights.bin&preview=true").error(415, "NOT_TEXT");
    let name = "long%20%22quoted%22%20%C3%A9.txt";
    let beginning = file(&format!("{name}&preview=true"));
    assert_eq!((beginning.text.len(), header(&beginning, "x-artifact-size")), (1 << 20, "1400000".to_owned()));
    let whole = file(&format!("{name}&download=true"));
    assert_eq!(whole.text, long);
    assert_eq!(header(&whole, "content-disposition"), format!("attachment; filename*=UTF-8''{name}"));
}

#[test]
fn artifact_paths_do_not_leave_their_run() {
    let server = TestServer::start();
    let run = store(&server).create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    run.artifacts().put_bytes("a.txt", b"a").unwrap();
    let base = format!("runs/{}", run.id());
    for bad in [
        "..",
        "../../store.tw",
        "%2e%2e%2fstore.tw",
        "/etc/passwd",
        "a%00.txt",
        "C:%5Cx",
        "..%5Cx",
        "a//b",
        "./a.txt",
        "",
    ] {
        for kind in ["file?preview=true&path=", "file?path="] {
            let answer = read(&server, &format!("{base}/{kind}{bad}"));
            assert!(matches!(answer.status, 400 | 404), "{bad}: {} {}", answer.status, answer.text);
        }
        if !bad.is_empty() {
            let answer = read(&server, &format!("{base}/artifacts?path={bad}"));
            assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
        }
    }
    read(&server, &format!("{base}/file?path=none.txt")).error(404, "RESOURCE_DOES_NOT_EXIST");
    #[cfg(unix)]
    {
        let place = run.artifacts().local_path("a.txt").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.with_file_name("link.txt")).unwrap();
        let answer = read(&server, &format!("{base}/file?path=link.txt"));
        assert!(matches!(answer.status, 400 | 404), "{} {}", answer.status, answer.text);
    }
}

#[test]
fn models_are_found_and_edited() {
    let server = TestServer::start();
    let store = store(&server);
    store.create_model(NewModel::new("a & b").tag("team", "vision")).unwrap();
    store.create_model(NewModel::new("letters")).unwrap();
    store.create_model_version("a & b", NewModelVersion::from_source("s3://m/1")).unwrap();
    let found = ask(&server, "POST", "models/search", &json!({ "filter": "tags.team = 'vision'" })).ok();
    assert_eq!((found["models"].as_array().unwrap().len(), &found["models"][0]["version_count"]), (1, &json!(1)));
    let first = ask(&server, "POST", "models/search", &json!({ "limit": 1 })).ok();
    let second = ask(&server, "POST", "models/search", &json!({ "limit": 1, "after": first["next"] })).ok();
    assert_eq!((&second["models"][0]["name"], &second["next"]), (&json!("letters"), &Value::Null));
    ask(&server, "POST", "models/search", &json!({ "filter": "loss > 1" })).error(400, "INVALID_PARAMETER_VALUE");
    let change = json!({ "description": "reads", "aliases": { "champion": 1 }, "tags": { "team": null } });
    let changed = ask(&server, "PATCH", "models/edit?name=a+%26+b", &change).ok();
    assert_eq!(
        (&changed["description"], &changed["aliases"], &changed["tags"]),
        (&json!("reads"), &json!({ "champion": 1 }), &json!({}))
    );
    assert_eq!(read(&server, "models/get?name=a%20%26%20b").ok()["versions"][0]["aliases"], json!(["champion"]));
    ask(&server, "PATCH", "models/edit?name=a+%26+b", &json!({ "aliases": { "x": 7 } }))
        .error(404, "RESOURCE_DOES_NOT_EXIST");
    read(&server, "models/get?name=none").error(404, "RESOURCE_DOES_NOT_EXIST");
    read(&server, "models/get").error(404, "RESOURCE_DOES_NOT_EXIST");
}
