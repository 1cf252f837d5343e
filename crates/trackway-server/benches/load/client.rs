//! A client that keeps its connection, as MLflow's does.

use serde_json::Value;

pub(crate) struct Client {
    url: String,
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { url: url.trim_end_matches('/').to_owned(), agent: config.into() }
    }

    /// The status and the body of an answer.
    ///
    /// # Errors
    /// No answer came.
    pub(crate) fn try_post(&self, path: &str, body: &[u8]) -> Result<(u16, String), ureq::Error> {
        let request = self.agent.post(format!("{}/api/2.0/mlflow/{path}", self.url));
        let mut answer = request.header("Content-Type", "application/json").send(body)?;
        Ok((answer.status().as_u16(), answer.body_mut().with_config().limit(1 << 30).read_to_string()?))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.try_post(path, body.to_string().as_bytes()).unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut answer = self.agent.get(format!("{}{path}", self.url)).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap())
    }

    pub(crate) fn new_run(&self) -> String {
        let run = self.post("runs/create", &serde_json::json!({"experiment_id": "0", "start_time": 1}));
        run["run"]["info"]["run_id"].as_str().unwrap().to_owned()
    }

    /// The steps of a metric that are stored, in the order of their timestamps.
    pub(crate) fn steps(&self, run: &str, metric: &str) -> Vec<i64> {
        let path = format!("/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key={metric}");
        let (status, text) = self.get(&path);
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let points = answer["metrics"].as_array().cloned().unwrap_or_default();
        points.iter().map(|point| point["step"].as_i64().unwrap()).collect()
    }
}
