//! Artifacts through the server: put, sent, listed, deleted; and the paths by which MLflow's servers were once left.

use crate::server::{Answer, TestServer};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

const FILES: &str = "/api/2.0/mlflow-artifacts/artifacts";

pub(crate) fn new_run(server: &TestServer) -> String {
    let created = server.post("runs/create", &json!({ "experiment_id": "0" })).ok();
    created["run"]["info"]["run_id"].as_str().unwrap().to_owned()
}

pub(crate) fn put(server: &TestServer, path: &str, body: &[u8]) -> Answer {
    server.send("PUT", &format!("{FILES}/{path}"), &[], body)
}

fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    server.send("GET", &format!("{FILES}/{path}"), headers, b"")
}

fn list(server: &TestServer, path: &str) -> Value {
    server.send("GET", &format!("{FILES}?path={path}"), &[], b"").ok()
}

/// Every file below the store but those that the engine itself keeps.
fn files(server: &TestServer) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![server.store_path()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.components().any(|part| part.as_os_str() == "artifacts") {
                found.push(path.strip_prefix(server.store_path()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_file_is_put_listed_sent_in_parts_and_deleted() {
    let server = TestServer::start();
    let run = new_run(&server);
    let root = format!("0/{run}/artifacts");
    let answer = put(&server, &format!("{root}/model/notes.txt"), b"hello world");
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    put(&server, &format!("{root}/empty"), b"");
    assert_eq!(files(&server).len(), 2);
    let expected = json!({"files": [{"path": "empty", "is_dir": false}, {"path": "model", "is_dir": true}]});
    assert_eq!(list(&server, &root), expected);
    let expected = json!({"files": [{"path": "notes.txt", "is_dir": false, "file_size": 11}]});
    assert_eq!(list(&server, &format!("{root}/model")), expected);
    for nothing in [format!("{root}/nothing"), format!("{root}/empty"), "0".to_owned(), String::new(), "x/y".to_owned()]
    {
        assert_eq!(list(&server, &nothing), json!({}), "{nothing}");
    }

    let whole = get(&server, &format!("{root}/model/notes.txt"), &[]);
    assert_eq!((whole.status, whole.text.as_str()), (200, "hello world"));
    let header = |answer: &Answer, name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header(&whole, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&whole, "content-disposition"), "attachment; filename=\"notes.txt\"");
    assert_eq!(header(&whole, "x-content-type-options"), "nosniff");
    assert_eq!(header(&whole, "content-length"), "11");
    let part = get(&server, &format!("{root}/model/notes.txt"), &[("Range", "bytes=6-")]);
    assert_eq!(
        (part.status, part.text.as_str(), header(&part, "content-range")),
        (206, "world", "bytes 6-10/11".to_owned())
    );
    let beyond = get(&server, &format!("{root}/model/notes.txt"), &[("Range", "bytes=11-")]);
    assert_eq!((beyond.status, header(&beyond, "content-range")), (416, "bytes */11".to_owned()));
    assert_eq!(get(&server, &format!("{root}/empty"), &[]).text, "");

    get(&server, &format!("{root}/model"), &[]).error(400, "INVALID_PARAMETER_VALUE");
    get(&server, &format!("{root}/nothing"), &[]).error(404, "RESOURCE_DOES_NOT_EXIST");
    put(&server, &format!("{root}/model"), b"x").error(400, "INVALID_PARAMETER_VALUE");
    put(&server, &format!("{root}/model/"), b"x").error(400, "INVALID_PARAMETER_VALUE");
    put(&server, &root, b"x").error(400, "INVALID_PARAMETER_VALUE");

    put(&server, &format!("{root}/model/notes.txt"), b"newer");
    assert_eq!(get(&server, &format!("{root}/model/notes.txt"), &[]).text, "newer");
    let delete = |path: &str| server.send("DELETE", &format!("{FILES}/{path}"), &[], b"");
    assert_eq!(delete(&format!("{root}/model")).ok(), json!({}));
    delete(&format!("{root}/model")).error(404, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(list(&server, &root), json!({"files": [{"path": "empty", "is_dir": false}]}));
}

/// Odd names are names: they come back as they were given, and lead nowhere else.
#[test]
fn odd_names_are_kept_as_they_are() {
    let server = TestServer::start();
    let root = format!("0/{}/artifacts", new_run(&server));
    for (encoded, name) in [
        ("a%20b.txt", "a b.txt"),
        ("50%25.txt", "50%.txt"),
        ("images%2Flogs%25step%25.png", "images/logs%step%.png"),
        ("%C3%A9.txt", "\u{e9}.txt"),
        ("..a", "..a"),
        ("a+b", "a+b"),
    ] {
        assert_eq!(put(&server, &format!("{root}/{encoded}"), name.as_bytes()).status, 200, "{name}");
        assert_eq!(get(&server, &format!("{root}/{encoded}"), &[]).text, name);
        assert!(files(&server).iter().any(|file| file.ends_with(name)), "{name}");
    }
}

/// CVE-2023-1177, CVE-2023-2780, CVE-2023-6018, CVE-2023-6909, CVE-2023-6977, CVE-2024-1483, CVE-2024-1558, CVE-2024-1594,
/// CVE-2024-3573, CVE-2024-3848, CVE-2024-8859: servers of MLflow were left by such paths.
#[test]
fn no_path_leads_out_of_the_artifacts() {
    let server = TestServer::start();
    let run = new_run(&server);
    put(&server, &format!("0/{run}/artifacts/good"), b"good");
    let before = files(&server);
    let secret = server.store_path().join("../secret");
    std::fs::write(&secret, "secret").unwrap();
    let up = "../../../../../../secret";
    let ways = [
        up.to_owned(),
        up.replace('/', "%2f"),
        up.replace("..", "%2e%2e"),
        up.replace("..", "%252e%252e").replace('/', "%252f"),
        up.replace("..", "%25252e%25252e"),
        up.replace('/', "\\"),
        up.replace('/', "%5c"),
        up.replace('/', "%255c"),
        "%2fetc%2fpasswd".to_owned(),
        "/etc/passwd".to_owned(),
        secret.display().to_string(),
        "C:%5Cwindows%5Cwin.ini".to_owned(),
        "C:/windows".to_owned(),
        "x%00.txt".to_owned(),
        "x%2500.txt".to_owned(),
        "a/../b".to_owned(),
        "a/..".to_owned(),
        ".".to_owned(),
        "a//b".to_owned(),
        "x%23y".to_owned(),
        "x%2523y".to_owned(),
        "file:%2f%2f%2fetc/passwd".to_owned(),
        ".new-0123456789abcdef".to_owned(),
        "a%0ab".to_owned(),
    ];
    for way in &ways {
        for path in [format!("0/{run}/artifacts/{way}"), way.clone()] {
            for answer in [
                get(&server, &path, &[]),
                put(&server, &path, b"evil"),
                server.send("DELETE", &format!("{FILES}/{path}"), &[], b""),
            ] {
                assert!(matches!(answer.status, 400 | 404), "{path}: {} {}", answer.status, answer.text);
                assert!(
                    !answer.text.contains("secret") || answer.text.contains("error_code"),
                    "{path}: {}",
                    answer.text
                );
            }
            let listed = server.send("GET", &format!("{FILES}?path={path}"), &[], b"");
            assert!(listed.status == 400 || listed.json() == json!({}), "{path}: {}", listed.text);
        }
        for query in [
            format!("/get-artifact?run_uuid={run}&path={way}"),
            format!("/api/2.0/mlflow/artifacts/list?run_id={run}&path={way}"),
        ] {
            let answer = server.send("GET", &query, &[], b"");
            let is_empty = answer.status == 200 && answer.json().get("files").is_none();
            assert!(matches!(answer.status, 400 | 404) || is_empty, "{query}: {} {}", answer.status, answer.text);
        }
        let page = format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={way}");
        let answer = server.send("POST", &page, &[], b"evil");
        assert!(matches!(answer.status, 400 | 404), "{page}: {}", answer.text);
    }
    assert_eq!(files(&server), before);
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "secret");
}

#[test]
#[cfg(unix)]
fn no_link_is_followed() {
    let server = TestServer::start();
    let run = new_run(&server);
    let root = format!("0/{run}/artifacts");
    put(&server, &format!("{root}/good"), b"good");
    let folder = server.store_path().join(format!("experiments/0/runs/{run}/artifacts"));
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.join("dir")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("file")).unwrap();
    for path in ["dir/secret", "file", "dir"] {
        assert!(matches!(get(&server, &format!("{root}/{path}"), &[]).status, 400 | 404), "{path}");
        assert!(matches!(
            server.send("GET", &format!("/get-artifact?run_id={run}&path={path}"), &[], b"").status,
            400 | 404
        ));
        assert!(
            matches!(server.send("DELETE", &format!("{FILES}/{root}/{path}"), &[], b"").status, 400 | 404),
            "{path}"
        );
    }
    assert_eq!(put(&server, &format!("{root}/dir/new"), b"evil").status, 400);
    assert_eq!(list(&server, &root), json!({"files": [{"path": "good", "is_dir": false, "file_size": 4}]}));
    // A file put under the name of a link takes its place.
    put(&server, &format!("{root}/file"), b"mine");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
}

#[test]
fn artifacts_of_nobody_are_refused() {
    let server = TestServer::start();
    let run = new_run(&server);
    let nobody = "0".repeat(32);
    for path in [
        format!("0/{nobody}/artifacts/x"),
        format!("7/{run}/artifacts/x"),
        format!("{run}/artifacts/x"),
        format!("0/{run}/x"),
        format!("0/{run}"),
        "x".to_owned(),
        "artifacts/x".to_owned(),
        format!("0/models/m-{nobody}/artifacts/x"),
        "0/traces/tr-1/artifacts/traces.json".to_owned(),
        format!("0/{}/artifacts/x", run.to_uppercase()),
    ] {
        put(&server, &path, b"x").error(404, "RESOURCE_DOES_NOT_EXIST");
        get(&server, &path, &[]).error(404, "RESOURCE_DOES_NOT_EXIST");
    }
    assert!(files(&server).is_empty());
    let own = json!({"name": "own", "artifact_location": "mlflow-artifacts:/teams/vision"});
    let id = server.post("experiments/create", &own).ok()["experiment_id"].clone();
    let created = server.post("runs/create", &json!({ "experiment_id": id })).ok();
    let (run, uri) = (created["run"]["info"]["run_id"].as_str().unwrap(), &created["run"]["info"]["artifact_uri"]);
    assert_eq!(uri, &json!(format!("mlflow-artifacts:/teams/vision/{run}/artifacts")));
    assert_eq!(put(&server, &format!("teams/vision/{run}/artifacts/x"), b"x").status, 200);
    put(&server, &format!("{}/{run}/artifacts/x", id.as_str().unwrap()), b"x").error(404, "RESOURCE_DOES_NOT_EXIST");
}

#[test]
fn pages_list_get_and_put_artifacts_of_a_run() {
    let server = TestServer::start();
    let run = new_run(&server);
    let page = |path: &str, body: &[u8]| {
        server.send("POST", &format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={path}"), &[], body)
    };
    let put = page("d/a.json", b"{}");
    assert_eq!((put.status, put.text.as_str()), (200, ""));
    page("d/empty", b"").error(400, "INVALID_PARAMETER_VALUE");
    page("", b"x").error(400, "INVALID_PARAMETER_VALUE");
    page("big", &vec![1; (10 << 20) + 1]).error(400, "INVALID_PARAMETER_VALUE");
    let listed = server.get(&format!("artifacts/list?run_id={run}&path=d")).ok();
    let files = json!([{"path": "d/a.json", "is_dir": false, "file_size": 2}]);
    assert_eq!(listed, json!({"root_uri": format!("mlflow-artifacts:/0/{run}/artifacts"), "files": files}));
    assert_eq!(server.get(&format!("artifacts/list?run_uuid={run}")).ok()["files"][0]["path"], "d");
    server.get("artifacts/list").error(400, "INVALID_PARAMETER_VALUE");
    server.get(&format!("artifacts/list?run_id={}", "0".repeat(32))).error(404, "RESOURCE_DOES_NOT_EXIST");
    let got = server.send("GET", &format!("/get-artifact?run_uuid={run}&path=d/a.json"), &[], b"");
    assert_eq!((got.status, got.text.as_str()), (200, "{}"));
    server.send("GET", &format!("/get-artifact?run_uuid={run}"), &[], b"").error(400, "BAD_REQUEST");
    server.send("GET", &format!("/get-artifact?run_uuid={run}&path=d"), &[], b"").error(400, "INVALID_PARAMETER_VALUE");
}

#[test]
fn what_needs_another_kind_of_store_is_told_so() {
    let server = TestServer::start();
    let run = new_run(&server);
    for step in ["create", "complete", "abort"] {
        let path = format!("/api/2.0/mlflow-artifacts/mpu/{step}/0/{run}/artifacts/x");
        server.send("POST", &path, &[("Content-Type", "application/json")], b"{}").error(501, "NOT_IMPLEMENTED");
    }
    let path = format!("/api/2.0/mlflow-artifacts/presigned/0/{run}/artifacts/x");
    server.send("GET", &path, &[], b"").error(501, "NOT_IMPLEMENTED");
    let upload = |body: Value| server.post("artifacts/presigned-upload-url", &body);
    upload(json!({"run_id": run, "path": "x"})).error(400, "INVALID_PARAMETER_VALUE");
    upload(json!({"path": "x"})).error(400, "INVALID_PARAMETER_VALUE");
    upload(json!({"run_id": run, "model_id": "m", "path": "x"})).error(400, "INVALID_PARAMETER_VALUE");
    let download = |body: Value| server.post("artifacts/presigned-download-url", &body);
    download(json!({"run_id": run, "path": "x", "expiration": 0})).error(400, "INVALID_PARAMETER_VALUE");
    download(json!({"run_id": run, "path": "../x"})).error(400, "INVALID_PARAMETER_VALUE");
}

/// A client that goes away in the middle of an upload.
#[test]
fn an_upload_that_is_cut_short_leaves_nothing() {
    let server = TestServer::start();
    let run = new_run(&server);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        let path = format!("{FILES}/0/{run}/artifacts/half");
        write!(stream, "PUT {path} HTTP/1.1\r\nHost: {address}\r\n{head}\r\n\r\n").unwrap();
        let piece = if head.starts_with("Transfer") { "3e8\r\n" } else { "" };
        stream.write_all(format!("{piece}{}", "x".repeat(1000)).as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // Whoever was at work on them is done when the server has stopped.
    let server = server.restart();
    assert!(files(&server).is_empty(), "{:?}", files(&server));
    get(&server, &format!("0/{run}/artifacts/half"), &[]).error(404, "RESOURCE_DOES_NOT_EXIST");
}

/// Longer than all buffers between the connection and the disk.
#[test]
fn a_long_file_comes_back_byte_for_byte() {
    let server = TestServer::start();
    let path = format!("0/{}/artifacts/long.txt", new_run(&server));
    let body: String = (0..1_000_000).map(|number| format!("{number:07}\n")).collect();
    assert_eq!(put(&server, &path, body.as_bytes()).status, 200);
    assert!(get(&server, &path, &[]).text == body);
    assert_eq!(get(&server, &path, &[("Range", "bytes=7999992-")]).text, "0999999\n");
}
