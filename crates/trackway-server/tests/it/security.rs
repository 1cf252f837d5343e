//! Who is let through, and what a client may do to the server.

use crate::server::TestServer;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use trackway::Store;
use trackway_server::{Error, Server, ServerOptions};

const TOKEN: &str = "0123456789abcdef0123";

/// One request as it is written, and the head of what comes back.
fn raw(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn with_token() -> TestServer {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    TestServer::start_with(ServerOptions { token_file: Some(path), ..ServerOptions::default() })
}

#[test]
fn a_server_that_others_can_reach_wants_a_token_or_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let open = ServerOptions { host: [0, 0, 0, 0].into(), port: 0, ..ServerOptions::default() };
    let refused = Server::bind(Store::open(dir.path()).unwrap(), open.clone());
    assert!(matches!(refused, Err(Error::Unprotected { .. })));
    let allowed = ServerOptions { insecure_no_token: true, ..open.clone() };
    assert!(Server::bind(Store::open(dir.path()).unwrap(), allowed).is_ok());
    let short = dir.path().join("short");
    std::fs::write(&short, "secret").unwrap();
    let guessed = ServerOptions { token_file: Some(short), ..open };
    assert!(matches!(Server::bind(Store::open(dir.path()).unwrap(), guessed), Err(Error::File { .. })));
}

#[test]
fn a_name_of_another_site_is_refused() {
    let server = TestServer::start();
    for host in ["evil.example", "evil.example:5000", "192.168.1.7", ""] {
        let answer = raw(
            &server,
            &format!(
                "GET /api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 403"), "{host}: {answer}");
    }
    let whole = "GET http://evil.example/api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(raw(&server, whole).starts_with("HTTP/1.1 403"));
    let fine = raw(
        &server,
        "GET /api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n",
    );
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
    let health = raw(&server, "GET /health HTTP/1.1\r\nHost: anything.example\r\nConnection: close\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let server = TestServer::start();
    let create = |origin: &str, name: &str| {
        let headers = [("Content-Type", "application/json"), ("Origin", origin)];
        server
            .send("POST", "/api/2.0/mlflow/experiments/create", &headers, json!({"name": name}).to_string().as_bytes())
            .status
    };
    assert_eq!(
        [create("http://evil.example", "a"), create("null", "b"), create("http://localhost.evil.example", "c")],
        [403; 3]
    );
    assert_eq!(create("http://localhost:3000", "d"), 200);
    assert_eq!(create(&server.url, "e"), 200);
    let plain = [("Content-Type", "text/plain")];
    let body = json!({"name": "f"}).to_string();
    assert_eq!(
        server.send("POST", "/api/2.0/mlflow/experiments/create", &plain, body.as_bytes()).status,
        400,
        "as a form would send it"
    );
    let read = server.send(
        "GET",
        "/api/2.0/mlflow/experiments/get?experiment_id=0",
        &[("Origin", "http://evil.example")],
        b"",
    );
    assert_eq!(
        (read.status, read.headers.get("access-control-allow-origin")),
        (200, None),
        "the browser does not hand it over"
    );
    assert_eq!(read.headers["x-content-type-options"], "nosniff");
    assert_eq!(read.headers["x-frame-options"], "SAMEORIGIN");
}

#[test]
fn a_client_shows_the_token() {
    let server = with_token();
    let get = |token: &str| {
        server.send("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", &[("Authorization", token)], b"")
    };
    get(&format!("Bearer {TOKEN}")).ok();
    get(&format!("bearer {TOKEN}")).ok();
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer 0123456789abcdef012",
        "Bearer 0123456789abcdef01234",
        "Basic 0123456789abcdef0123",
        TOKEN,
    ] {
        get(bad).error(401, "UNAUTHENTICATED");
    }
    assert_eq!(server.send("GET", "/health", &[], b"").status, 200);
    server.send("GET", "/no/such/path", &[], b"").error(401, "UNAUTHENTICATED");
}

#[test]
fn a_browser_logs_in_once() {
    let server = with_token();
    let page = server.send("GET", "/", &[("Accept", "text/html,*/*")], b"");
    assert!(page.status == 401 && page.text.contains("<form"), "{}", page.text);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let wrong = server.send("POST", "/login", &form, b"token=wrong&next=/");
    assert_eq!((wrong.status, wrong.headers.get("set-cookie")), (401, None));
    let raw_login = format!("token={TOKEN}&next=//evil.example/");
    let answer = raw(
        &server,
        &format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{raw_login}",
            raw_login.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("location: /\r\n"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains(TOKEN), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let read = |cookie: &str| {
        server.send("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", &[("Cookie", cookie)], b"")
    };
    read(&format!("other=1; {cookie}")).ok();
    read("trackway_session=00").error(401, "UNAUTHENTICATED");
    let (kept, _) = cookie.split_at(cookie.len() - 1);
    read(kept).error(401, "UNAUTHENTICATED");
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://evil.example")];
    assert_eq!(server.send("POST", "/login", &form, raw_login.as_bytes()).status, 403);
}

#[test]
fn requests_that_are_too_large_are_refused() {
    let server = TestServer::start();
    let headers = [("Content-Type", "application/json")];
    let wide = format!("{{\"name\":[{}0]}}", "0,".repeat(300_000));
    assert_eq!(server.send("POST", "/api/2.0/mlflow/experiments/create", &headers, wide.as_bytes()).status, 413);
    let deep = "[".repeat(100_000);
    server
        .send("POST", "/api/2.0/mlflow/experiments/create", &headers, deep.as_bytes())
        .error(400, "INVALID_PARAMETER_VALUE");
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "a".repeat(100_000));
    let answer = raw(&server, &long);
    assert!(answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"), "{answer}");
    server.get("experiments/get?experiment_id=0").ok();
}
