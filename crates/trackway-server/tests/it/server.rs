//! A server of its own for each test, and a client.

use serde_json::{Value, json};
use std::path::Path;
use std::thread::JoinHandle;
use tempfile::TempDir;
use trackway::Store;
use trackway_server::{Server, ServerOptions, Stopper};

pub(crate) struct TestServer {
    pub(crate) url: String,
    agent: ureq::Agent,
    stopper: Stopper,
    thread: Option<JoinHandle<trackway_server::Result<()>>>,
    dir: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) headers: ureq::http::HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The JSON of an answer that must be one of success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Checks that it is this error, and gives its message.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status, self.json()["error_code"].as_str()), (status, Some(code)), "{}", self.text);
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::start_with(ServerOptions::default())
    }

    pub(crate) fn start_with(options: ServerOptions) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    fn start_in(dir: TempDir, options: ServerOptions) -> Self {
        let store = Store::open(dir.path().join("store")).unwrap();
        let server = Server::bind(store, ServerOptions { port: 0, ..options }).unwrap();
        let (url, stopper) = (format!("http://{}", server.addr()), server.stopper());
        let thread = std::thread::spawn(move || server.run());
        let config = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build();
        Self { url, agent: config.into(), stopper, thread: Some(thread), dir }
    }

    /// Stops it gracefully and starts another one on the same store.
    pub(crate) fn restart(mut self) -> Self {
        self.stop();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::start_in(dir, ServerOptions::default())
    }

    pub(crate) fn stop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }

    pub(crate) fn store_path(&self) -> std::path::PathBuf {
        Path::new(self.dir.path()).join("store")
    }

    /// Any request.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = self.agent.run(request.body(body).unwrap());
        let mut response = answered.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        Answer { status, text, headers }
    }

    /// GET, behind `/api/2.0/mlflow/`.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/api/2.0/mlflow/{path}"), &[], b"")
    }

    /// A new experiment's id.
    pub(crate) fn new_experiment(&self, name: &str) -> String {
        self.post("experiments/create", &json!({ "name": name })).ok()["experiment_id"].as_str().unwrap().to_owned()
    }

    /// A new run's id.
    pub(crate) fn new_run(&self, experiment: &str, mut body: Value) -> String {
        body["experiment_id"] = json!(experiment);
        self.post("runs/create", &body).ok()["run"]["info"]["run_id"].as_str().unwrap().to_owned()
    }

    /// A run as it is read.
    pub(crate) fn run(&self, id: &str) -> Value {
        self.get(&format!("runs/get?run_id={id}")).ok()
    }

    /// Logs one point.
    pub(crate) fn log(&self, id: &str, key: &str, step: i64, value: f64) {
        let timestamp = 1_700_000_000_000 + step;
        let body = json!({"run_id": id, "key": key, "value": value, "timestamp": timestamp, "step": step});
        self.post("runs/log-metric", &body).ok();
    }

    /// All points of a metric.
    pub(crate) fn history(&self, id: &str, key: &str) -> Vec<Value> {
        let read = self.get(&format!("metrics/get-history?run_id={id}&metric_key={key}")).ok();
        read["metrics"].as_array().cloned().unwrap_or_default()
    }

    /// POST, behind `/api/2.0/mlflow/`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, body)
    }

    /// Any method with JSON, behind `/api/2.0/mlflow/`.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.send(method, &format!("/api/2.0/mlflow/{path}"), &headers, body.to_string().as_bytes())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}
