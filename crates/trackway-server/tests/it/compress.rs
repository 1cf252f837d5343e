//! What is sent compressed, and to whom.

use crate::artifacts::new_run;
use crate::server::TestServer;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use trackway_server::ServerOptions;

/// An address of this machine that others could reach it by, which makes its client one of elsewhere. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback() && !address.is_unspecified())
}

/// The head and the body of an answer.
fn get(address: SocketAddr, path: &str, accept: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept-Encoding: {accept}\r\nConnection: close\r\n\r\n",
        address.ip()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    let end = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = got.split_off(end);
    (String::from_utf8(got).unwrap().to_ascii_lowercase(), body)
}

const GZIP: [u8; 2] = [0x1f, 0x8b];

#[test]
fn large_answers_to_clients_elsewhere_are_compressed() {
    let Some(elsewhere) = own_address() else {
        eprintln!("skipped: this machine has no address that others could reach");
        return;
    };
    let server = TestServer::start_with(ServerOptions {
        host: Ipv4Addr::UNSPECIFIED.into(),
        insecure_no_token: true,
        ..ServerOptions::default()
    });
    let port = server.url.rsplit(':').next().unwrap().parse().unwrap();
    let (far, near) = (SocketAddr::new(elsewhere, port), SocketAddr::from(([127, 0, 0, 1], port)));
    let run = new_run(&server);
    (0..100).for_each(|step| server.log(&run, "loss", step, 0.5));
    let history = format!("/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key=loss");
    for path in ["/ui/app.js", &history] {
        let (plain_head, plain) = get(far, path, "identity");
        let (head, body) = get(far, path, "br, gzip");
        assert!(head.contains("content-encoding: gzip") && body.starts_with(&GZIP), "{path}: {head}");
        assert!(!plain_head.contains("content-encoding") && body.len() < plain.len() / 2, "{path}: {}", body.len());
        let (head, body) = get(near, path, "gzip");
        assert!(!head.contains("content-encoding") && body == plain, "{path}: {head}");
    }
    // What is small, and what a run has stored, however well it could be compressed.
    let text = vec![b'a'; 100_000];
    let place = format!("/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a.json");
    assert_eq!(server.send("PUT", &place, &[], &text).status, 200);
    assert_eq!(get(far, &place, "gzip"), get(near, &place, "gzip"));
    assert_eq!(get(far, &place, "gzip").1, text);
    let preview = format!("/api/trackway/1/runs/{run}/file?path=a.json&preview=true");
    assert_eq!(get(far, &preview, "gzip").1, text);
    let small = get(far, &format!("/api/2.0/mlflow/runs/get?run_id={run}"), "gzip");
    assert!(small.1.starts_with(b"{"), "{}", small.0);
}
