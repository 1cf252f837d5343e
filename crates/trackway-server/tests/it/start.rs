//! Starting, stopping, and what is asked of any server.

use crate::server::TestServer;

#[test]
fn it_says_that_it_is_well_and_whose_api_it_has() {
    let server = TestServer::start();
    let health = server.send("GET", "/health", &[], b"");
    assert_eq!((health.status, health.text.as_str()), (200, "OK"));
    let version = server.send("GET", "/version", &[], b"");
    assert!(version.text.starts_with("3."), "{}", version.text);
}

#[test]
fn what_it_does_not_have_is_no_success() {
    let server = TestServer::start();
    server.get("scorers/list").error(404, "ENDPOINT_NOT_FOUND");
    server.send("GET", "/api/9.9/x", &[], b"").error(404, "ENDPOINT_NOT_FOUND");
    server.get("experiments/create").error(405, "BAD_REQUEST");
}

#[test]
fn a_stopped_server_has_answered_and_closed() {
    let mut server = TestServer::start();
    server.get("experiments/get?experiment_id=0").ok();
    server.stop();
    let address = server.url.trim_start_matches("http://").to_owned();
    assert!(std::net::TcpStream::connect(address).is_err());
}
