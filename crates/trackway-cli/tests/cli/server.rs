//! `server` and `ui` as programs: they start, say where, answer, and end in order; and what they say when they cannot.

use crate::harness::{Place, Ran, program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// A server that has said where it is.
struct Serving {
    child: Child,
    out: BufReader<ChildStdout>,
    url: String,
}

fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = program();
    command.arg("--store").arg(place.store()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Serving {
    fn start(mut command: Command, store: &Path) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let said = format!("Serving {} at ", store.display());
        let url = line.trim_end().strip_prefix(&said).unwrap_or_else(|| panic!("{line:?}")).to_owned();
        line.clear();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, format!("To log to it: export MLFLOW_TRACKING_URI={url}\n"));
        Self { child, out, url }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, ureq::Error> {
        let request = ureq::post(format!("{}/api/2.0/mlflow/{path}", self.url));
        let mut answer = request.header("Content-Type", "application/json").send(body.to_string().as_bytes())?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?).unwrap())
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; it must have said nothing more on standard output.
    fn ended(mut self) -> Ran {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        Ran::from(self.child.wait_with_output().unwrap())
    }
}

/// A call that must end by itself.
fn refused(place: &Place, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = command(place, args).output().unwrap();
    let err = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout), (Some(1), Vec::new()), "{err}");
    err
}

#[test]
fn a_server_that_is_told_to_stop_ends_in_order_and_loses_nothing() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let server = Serving::start(command(&place, &["server", "--port", "0"]), &place.store());
        assert_eq!(
            ureq::get(format!("{}/health", server.url)).call().unwrap().body_mut().read_to_string().unwrap(),
            "OK"
        );
        let run = server.post("runs/create", &json!({"experiment_id": "0", "run_name": "served"})).unwrap();
        let id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        let acknowledged = AtomicI64::new(0);
        std::thread::scope(|scope| {
            let (enough, wait) = mpsc::channel();
            let (server, acknowledged, id) = (&server, &acknowledged, &id);
            scope.spawn(move || {
                for step in 0.. {
                    let body = json!({"run_id": id, "key": "loss", "value": 0.5, "step": step, "timestamp": step});
                    // A request that is not answered counts for nothing.
                    if server.post("runs/log-metric", &body).is_err() {
                        break;
                    }
                    acknowledged.store(step + 1, Ordering::SeqCst);
                    let _ = enough.send(step);
                }
            });
            while wait.recv().unwrap() < 50 {}
            server.send(signal);
        });
        let ended = server.ended();
        assert_eq!(ended.err, "");
        ended.ok();
        let shown = place.json(&["show", "served", "--json"]);
        let (kept, said) = (shown["points"].as_i64().unwrap(), acknowledged.load(Ordering::SeqCst));
        // Of a request that was under way nobody knows.
        assert!(said > 50 && (kept == said || kept == said + 1), "{said} were acknowledged and {kept} kept");
        assert_eq!(shown["status"], "RUNNING", "its client may go on");
    }
}

#[test]
fn a_server_that_is_told_to_stop_as_soon_as_it_says_where_it_is_ends_in_order() {
    let place = Place::new();
    for _ in 0..20 {
        let server = Serving::start(command(&place, &["server", "--port", "0"]), &place.store());
        server.send(Signal::TERM);
        server.ended().ok();
    }
}

#[test]
fn ui_opens_a_browser_at_its_address() {
    let place = Place::new();
    let (opener, told) = (place.path("bin/xdg-open"), place.path("told"));
    std::fs::create_dir(place.path("bin")).unwrap();
    assert!(Command::new("mkfifo").arg(&told).status().unwrap().success());
    std::fs::write(&opener, format!("#!/bin/sh\necho \"$1\" > '{}'\n", told.display())).unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (send, opened) = mpsc::channel();
    std::thread::spawn(move || send.send(std::fs::read_to_string(told).unwrap()));
    let mut ui = command(&place, &["ui", "--port", "0"]);
    ui.env("PATH", place.path("bin"));
    let server = Serving::start(ui, &place.store());
    assert_eq!(opened.recv_timeout(Duration::from_secs(60)).unwrap().trim_end(), server.url);
    server.send(Signal::TERM);
    server.ended().ok();
}

#[test]
fn ui_serves_where_there_is_no_browser() {
    let place = Place::new();
    let mut ui = command(&place, &["ui", "--port", "0"]);
    ui.env("PATH", place.path("nothing"));
    let server = Serving::start(ui, &place.store());
    assert_eq!(ureq::get(format!("{}/version", server.url)).call().unwrap().status().as_u16(), 200);
    let url = server.url.clone();
    server.send(Signal::TERM);
    let ended = server.ended();
    assert!(ended.err.contains("cannot open a browser") && ended.err.contains(&url), "{}", ended.err);
    ended.ok();
}

#[test]
fn what_keeps_a_server_from_starting_is_told() {
    let place = Place::new();
    let open = refused(&place, &["server", "--host", "0.0.0.0", "--port", "0"]);
    assert!(open.contains("0.0.0.0:0 can be reached by others") && open.contains("--token-file"), "{open}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let used = refused(&place, &["server", "--port", &port]);
    assert!(used.contains(&format!("cannot listen on 127.0.0.1:{port}")) && used.contains("--port 0"), "{used}");
    let name = refused(&place, &["server", "--host", "box.example", "--port", "0"]);
    assert!(name.contains("\"box.example\" is no address"), "{name}");
    let pages = place.path("empty");
    std::fs::create_dir(&pages).unwrap();
    let none = refused(&place, &["server", "--port", "0", "--mlflow-ui", pages.to_str().unwrap()]);
    assert!(none.contains("MLflow's pages are not in it"), "{none}");
    let half = command(&place, &["server", "--tls-cert", "cert.pem"]).output().unwrap();
    assert_eq!(half.status.code(), Some(2), "the key is missing");
}

#[test]
fn a_token_file_is_looked_at() {
    let place = Place::new();
    let token = place.path("token");
    let args = ["server", "--port", "0", "--token-file", token.to_str().unwrap()];
    let missing = refused(&place, &args);
    assert!(missing.contains(&format!("cannot use {}", token.display())), "{missing}");
    std::fs::write(&token, "secret\n").unwrap();
    assert!(refused(&place, &args).contains("a token has at least 16 characters"));
    std::fs::write(&token, "0123456789abcdef0123\n").unwrap();
    for (mode, is_open) in [(0o600, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).unwrap();
        let server = Serving::start(command(&place, &args), &place.store());
        assert!(matches!(server.post("experiments/search", &json!({})), Err(ureq::Error::StatusCode(401))));
        server.send(Signal::TERM);
        let ended = server.ended();
        assert_eq!(ended.err.contains("other users of this machine can read"), is_open, "{mode:o}: {}", ended.err);
        assert!(!ended.err.contains("0123456789abcdef0123"), "the token is nowhere told");
        ended.ok();
    }
}

#[test]
fn a_store_is_made_and_shared_but_nothing_else_is_taken_for_one() {
    let place = Place::new();
    assert!(!place.store().exists());
    let first = Serving::start(command(&place, &["server", "--port", "0"]), &place.store());
    // No process has a store for itself.
    let second = Serving::start(command(&place, &["server", "--port", "0"]), &place.store());
    first.post("experiments/create", &json!({"name": "by the first"})).unwrap();
    let seen = second.post("experiments/search", &json!({"filter": "", "max_results": 10})).unwrap();
    assert!(seen.to_string().contains("by the first"), "{seen}");
    for server in [first, second] {
        server.send(Signal::TERM);
        server.ended().ok();
    }
    let other = Place::new();
    std::fs::write(other.store(), "a file").unwrap();
    let file = refused(&other, &["server", "--port", "0"]);
    assert!(file.contains(other.store().to_str().unwrap()), "{file}");
    assert_eq!(std::fs::read(other.store()).unwrap(), b"a file");
}
