//! The server as a process of its own: this program again, told to serve.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use trackway_server::{Server, ServerOptions};

/// Names the store that this process is to serve.
const STORE: &str = "TRACKWAY_SERVE_STORE";

/// Serves until it is stopped, if that is what this process was started for; a bench asks this first.
pub(crate) fn is_server() -> bool {
    std::env::var_os(STORE).map(|store| serve(store.as_ref())).is_some()
}

fn serve(store: &Path) {
    let store = trackway_server::store_options().open(store).unwrap();
    let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() }).unwrap();
    server.stop_at_signals().unwrap();
    println!("http://{}", server.addr());
    server.run().unwrap();
}

pub(crate) struct Process {
    store: PathBuf,
    child: Child,
    pub(crate) url: String,
    /// From its start to its first answer.
    pub(crate) ready: Duration,
}

impl Process {
    pub(crate) fn start(store: &Path) -> Self {
        let start = Instant::now();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.env(STORE, store).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        let health = ureq::get(format!("{url}/health")).call().unwrap().body_mut().read_to_string();
        assert_eq!(health.unwrap(), "OK");
        Self { store: store.to_path_buf(), child, url, ready: start.elapsed() }
    }

    /// A figure of the process's memory, as the system tells it.
    pub(crate) fn mib(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let kib = line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse::<f64>();
        kib.unwrap_or(f64::NAN) / 1024.0
    }

    /// Starts another one on the same store.
    #[allow(dead_code, reason = "not every bench kills it")]
    pub(crate) fn start_again(&mut self) {
        let store = self.store.clone();
        *self = Self::start(&store);
    }

    /// Kills it without a warning.
    #[allow(dead_code, reason = "not every bench kills it")]
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
