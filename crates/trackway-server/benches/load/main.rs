//! The server under load, from the outside: one client's rates, then many clients that log while others search and chart.
//!
//! The server is a process of its own, so that its memory can be told from the clients'; at the end it is killed while all log,
//! started again, and asked for every point that it had acknowledged. `TRACKWAY_LOAD_URL` names another server instead, such
//! as MLflow's, for the same questions (that one is not killed). `TRACKWAY_LOAD_CLIENTS` (200) and `TRACKWAY_LOAD_SECONDS`
//! (10) say how many and how long; `-- --test` is short. docs/benchmarks.md has the figures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod client;
mod many;
mod one;
#[path = "../shared/serve.rs"]
mod serve;

use client::Client;
use std::time::Duration;

/// What is asked of the server.
struct Plan {
    clients: usize,
    duration: Duration,
    /// Runs that searches look through.
    runs: usize,
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn main() {
    if serve::is_server() {
        return;
    }
    let is_short = std::env::args().any(|arg| arg == "--test");
    let plan = Plan {
        clients: number("TRACKWAY_LOAD_CLIENTS", if is_short { 8 } else { 200 }),
        duration: Duration::from_secs(number("TRACKWAY_LOAD_SECONDS", if is_short { 1 } else { 10 }) as u64),
        runs: number("TRACKWAY_LOAD_RUNS", if is_short { 50 } else { 10_000 }),
    };
    if let Ok(url) = std::env::var("TRACKWAY_LOAD_URL") {
        one::rates(&Client::new(&url), &plan);
        many::run(&url, &plan, None);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = serve::Process::start(&dir.path().join("store"));
    println!("ready after {:.1} ms, idle with {:.1} MiB", server.ready.as_secs_f64() * 1e3, server.mib("VmRSS"));
    one::rates(&Client::new(&server.url), &plan);
    println!("then {:.1} MiB, at most {:.1} MiB", server.mib("VmRSS"), server.mib("VmHWM"));
    many::run(&server.url.clone(), &plan, Some(server));
}
