//! What a client may take time for: heads, idle connections, bodies and pieces of files. Each test waits for what the server
//! does, never for a time of its own.

use crate::artifacts::new_run;
use crate::server::TestServer;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use trackway_server::{Limits, ServerOptions};

const SHORT: Duration = Duration::from_millis(50);
/// Longer than a test may take: who is cut by this is cut by mistake.
const LONG: Duration = Duration::from_secs(600);

const NEVER: Limits = Limits { handshake: LONG, head: LONG, body: LONG, piece: LONG };

/// A connection; a test whose server never answers fails after a while.
pub(crate) fn with_patience(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// What comes until the server closes the connection.
pub(crate) fn until_closed(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    if let Err(error) = stream.read_to_end(&mut got) {
        // Closed while something that was sent had not been read.
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8_lossy(&got).into_owned()
}

fn start(limits: Limits) -> TestServer {
    TestServer::start_with(ServerOptions { limits, ..ServerOptions::default() })
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let server = start(Limits { head: SHORT, ..NEVER });
    for begun in ["", "GET /health HTTP/1.1\r\nHost: loc"] {
        let mut stream = with_patience(&server);
        stream.write_all(begun.as_bytes()).unwrap();
        let answer = until_closed(&mut stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[test]
fn an_idle_connection_is_closed_after_its_answer() {
    let server = start(Limits { head: Duration::from_millis(500), ..NEVER });
    let mut stream = with_patience(&server);
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let answer = until_closed(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("OK"), "{answer}");
}

/// The answer to a request of which only the head and the beginning of its body are sent.
fn begun(server: &TestServer, method: &str, path: &str, kind: &str) -> String {
    let mut stream = with_patience(server);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{\"na"
    );
    stream.write_all(head.as_bytes()).unwrap();
    until_closed(&mut stream)
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = start(Limits { body: SHORT, ..NEVER });
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    for (path, kind) in
        [("/api/2.0/mlflow/experiments/create", json), ("/api/trackway/1/experiments", json), ("/login", form)]
    {
        let answer = begun(&server, "POST", path, kind);
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
    }
    let made = server.get("experiments/search?max_results=10").ok();
    assert_eq!(made["experiments"].as_array().unwrap().len(), 1, "only the default one: {made}");
}

#[test]
fn a_file_that_stops_coming_is_given_up_and_nothing_is_left() {
    // Long enough for the whole file at the end, however busy the machine is.
    let server = start(Limits { piece: Duration::from_secs(1), ..NEVER });
    let run = new_run(&server);
    let uri = server.run(&run)["run"]["info"]["artifact_uri"].as_str().unwrap().to_owned();
    let place = uri.trim_start_matches("mlflow-artifacts:/").to_owned();
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/{place}/half.txt");
    let answer = begun(&server, "PUT", &path, "application/octet-stream");
    assert!(answer.starts_with("HTTP/1.1 4") && answer.contains("cut short"), "{answer}");
    assert_eq!(server.get(&format!("artifacts/list?run_id={run}")).ok().get("files"), None);
    let whole = server.send("PUT", &path, &[], b"all of it");
    assert_eq!(whole.status, 200, "{whole:?}");
}
