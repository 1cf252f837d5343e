//! What one client gets done, one call after the other.

use super::Plan;
use super::client::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const BATCH: usize = 1000;
/// Long enough for a rate, however long the load of many is to last.
const LONGEST: Duration = Duration::from_secs(10);

fn metrics(from: usize, keys: usize) -> Vec<Value> {
    let point = |at: usize| {
        let step = (from + at) / keys;
        json!({"key": format!("metric/{}", at % keys), "value": 1.0 / (1 + at) as f64, "timestamp": 1_700_000_000_000_i64 + step as i64, "step": step})
    };
    (0..BATCH).map(point).collect()
}

/// Repeats a call for a while, and gives how long each took, ascending.
fn repeat(plan: &Plan, mut call: impl FnMut(usize)) -> Vec<Duration> {
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < plan.duration.min(LONGEST) || took.len() < 3 {
        let begun = Instant::now();
        call(took.len());
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took
}

pub(crate) fn told(what: &str, took: &[Duration], each: usize) {
    let sum: Duration = took.iter().sum();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let rate = (took.len() * each) as f64 / sum.as_secs_f64();
    println!(
        "{what:<44} {:>9} calls, median {:>8.3} ms, p99 {:>8.3} ms, {rate:>10.0}/s",
        took.len(),
        at(0.5),
        at(0.99)
    );
}

pub(crate) fn rates(client: &Client, plan: &Plan) {
    let run = client.new_run();
    let batches: Vec<Vec<u8>> =
        (0..64).map(|at| json!({"run_id": run, "metrics": metrics(at * BATCH, 10)}).to_string().into_bytes()).collect();
    let took = repeat(plan, |at| {
        let (status, text) = client.try_post("runs/log-batch", &batches[at % batches.len()]).unwrap();
        assert_eq!(status, 200, "{text}");
    });
    told("log-batch of 1,000 points: points", &took, BATCH);
    let run = client.new_run();
    let took = repeat(plan, |at| {
        let point = json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1_700_000_000_000_i64 + at as i64, "step": at});
        client.post("runs/log-metric", &point);
    });
    told("log-metric: points", &took, 1);
    fill(client, plan.runs);
    for (what, limit, filter) in [
        ("search, 100 of them by a metric and a param", 100, "metrics.acc > 0.5 and params.lr = '3'"),
        ("search, 1,000 of them, no filter", 1000, ""),
    ] {
        let query =
            json!({"experiment_ids": ["0"], "filter": filter, "order_by": ["metrics.loss ASC"], "max_results": limit});
        let found = client.post("runs/search", &query)["runs"].as_array().map_or(0, Vec::len);
        let query = query.to_string();
        let took = repeat(plan, |_| {
            assert_eq!(client.try_post("runs/search", query.as_bytes()).unwrap().0, 200);
        });
        assert!(found > 0);
        told(&format!("{what} ({found}): searches"), &took, 1);
    }
}

/// Spread evenly over 0..1, in no order.
fn unit(seed: u64) -> f64 {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) as f64 / u64::MAX as f64
}

/// Makes runs to search among, unless there are that many.
fn fill(client: &Client, runs: usize) {
    let all = client.post("runs/search", &json!({"experiment_ids": ["0"], "max_results": 50_000}));
    let known = all["runs"].as_array().map_or(0, Vec::len);
    let start = Instant::now();
    for number in known..runs {
        let run = client.new_run();
        let unit = |salt: u64| unit(number as u64 ^ salt << 40);
        let names = ["acc", "loss"].map(str::to_owned).into_iter().chain((2..20).map(|at| format!("metric/{at}")));
        let metrics: Vec<Value> = names
            .zip(0..)
            .map(|(key, salt)| json!({"key": key, "value": unit(salt), "timestamp": 1, "step": 1}))
            .collect();
        let params: Vec<Value> = (0..5)
            .map(|at| json!({"key": if at == 0 { "lr".to_owned() } else { format!("param/{at}") }, "value": format!("{}", (unit(100 + at) * 10.0) as u64)}))
            .collect();
        client.post("runs/log-batch", &json!({"run_id": run, "metrics": metrics, "params": params}));
        client.post("runs/update", &json!({"run_id": run, "status": "FINISHED", "end_time": 2}));
    }
    if runs > known {
        let rate = (runs - known) as f64 / start.elapsed().as_secs_f64();
        println!(
            "{:<44} {:>9} runs with 20 metrics and 5 params, {rate:>10.0}/s",
            "create, log-batch, update: runs",
            runs - known
        );
    }
}
