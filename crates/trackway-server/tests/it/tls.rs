//! HTTPS, with a certificate that is made for the test: who trusts it gets through, and nobody holds a connection without one.

use crate::limits::{until_closed, with_patience};
use crate::server::TestServer;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};
use trackway_server::{Error, Limits, Server, ServerOptions, TlsFiles};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A certificate of `localhost`, and files of it and of its key.
struct Made {
    dir: TempDir,
    certificate: CertificateDer<'static>,
}

impl Made {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self { dir, certificate: made.cert.der().clone() }
    }

    fn options(&self) -> ServerOptions {
        let tls = TlsFiles { cert: self.dir.path().join("cert.pem"), key: self.dir.path().join("key.pem") };
        ServerOptions { tls: Some(tls), ..ServerOptions::default() }
    }
}

/// What a client that trusts this certificate is answered.
fn ask(server: &TestServer, trusted: &Made, request: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, with_patience(server));
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn who_trusts_the_certificate_gets_through() {
    let made = Made::new();
    let server = TestServer::start_with(made.options());
    let health = ask(&server, &made, HEALTH).unwrap();
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("OK"), "{health}");
    let body = r#"{"name": "over tls"}"#;
    let create = format!(
        "POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let created = ask(&server, &made, &create).unwrap();
    assert!(created.starts_with("HTTP/1.1 200") && created.contains("experiment_id"), "{created}");
    let other = ask(&server, &Made::new(), HEALTH).unwrap_err();
    assert!(other.to_string().contains("certificate"), "{other}");
    // A client that gives up costs nobody else anything.
    assert!(ask(&server, &made, HEALTH).unwrap().ends_with("OK"));
}

#[test]
fn a_cookie_of_a_server_with_tls_does_not_travel_without() {
    let made = Made::new();
    let token = made.dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef0123").unwrap();
    let server = TestServer::start_with(ServerOptions { token_file: Some(token), ..made.options() });
    let form = "token=0123456789abcdef0123&next=/";
    let log_in = format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    );
    let answer = ask(&server, &made, &log_in).unwrap();
    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[test]
fn plain_http_is_refused_at_once() {
    let made = Made::new();
    // As long as the test may take: what ends the connection is not the time.
    let limits = Limits { handshake: Duration::from_secs(600), ..Limits::default() };
    let server = TestServer::start_with(ServerOptions { limits, ..made.options() });
    let mut stream = with_patience(&server);
    stream.write_all(HEALTH.as_bytes()).unwrap();
    let answer = until_closed(&mut stream);
    assert!(!answer.contains("HTTP/1.1") && !answer.contains("OK"), "{answer}");
    assert!(ask(&server, &made, HEALTH).unwrap().ends_with("OK"));
}

#[test]
fn a_handshake_that_stalls_is_cut() {
    let made = Made::new();
    let limits = Limits { handshake: Duration::from_millis(20), ..Limits::default() };
    let server = TestServer::start_with(ServerOptions { limits, ..made.options() });
    // The type, version and length of a record that never comes.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream: TcpStream = with_patience(&server);
        stream.write_all(begun).unwrap();
        assert_eq!(until_closed(&mut stream), "");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let (made, other) = (Made::new(), Made::new());
    let refused = |cert: &Made, key: &Made, write: &dyn Fn()| {
        write();
        let tls = TlsFiles { cert: cert.dir.path().join("cert.pem"), key: key.dir.path().join("key.pem") };
        let dir = tempfile::tempdir().unwrap();
        let store = trackway::Store::open(dir.path()).unwrap();
        match Server::bind(store, ServerOptions { port: 0, tls: Some(tls), ..ServerOptions::default() }) {
            Err(Error::File { path, .. }) => path,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(&made, &other, &|| ()).ends_with("key.pem"), "a key of another certificate");
    let (cert, key) = (made.dir.path().join("cert.pem"), made.dir.path().join("key.pem"));
    assert!(refused(&made, &made, &|| std::fs::write(&key, "no key").unwrap()).ends_with("key.pem"));
    assert!(refused(&made, &made, &|| std::fs::write(&cert, "").unwrap()).ends_with("cert.pem"));
    assert!(refused(&made, &made, &|| std::fs::remove_file(&cert).unwrap()).ends_with("cert.pem"));
}
