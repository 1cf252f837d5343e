//! Many clients at a time: most log to runs of their own, some search, some chart. Then the server is killed under them.

use super::Plan;
use super::client::Client;
use super::one::told;
use super::serve::Process;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Of so many clients one searches and one charts.
const READERS: usize = 10;
const BATCH: i64 = 100;

/// A client that logs: its run, and how many steps were acknowledged and sent.
struct Logger {
    run: String,
    acknowledged: AtomicI64,
    sent: AtomicI64,
}

/// Runs the load for the plan's time; then, where the server may be killed, kills it in the midst and counts.
pub(crate) fn run(url: &str, plan: &Plan, server: Option<Process>) {
    let client = Client::new(url);
    let runs: Vec<String> = (0..plan.clients).map(|_| client.new_run()).collect();
    let loggers: Vec<Logger> =
        runs.into_iter().map(|run| Logger { run, acknowledged: AtomicI64::new(0), sent: AtomicI64::new(0) }).collect();
    let (stop, killed) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut server = server;
    let start = Instant::now();
    let (logged, read) = std::thread::scope(|scope| {
        let (stop, killed) = (&stop, &killed);
        let logging: Vec<_> = loggers.iter().map(|logger| scope.spawn(|| log(url, logger, stop, killed))).collect();
        let reading: Vec<_> = (0..plan.clients.div_ceil(READERS))
            .map(|at| {
                let run = loggers[at].run.clone();
                scope.spawn(move || read(url, &run, at, stop))
            })
            .collect();
        while start.elapsed() < plan.duration {
            std::thread::sleep(Duration::from_millis(50));
        }
        if let Some(server) = server.as_mut() {
            let [all, most, own] = ["VmRSS", "VmHWM", "RssAnon"].map(|name| server.mib(name));
            println!("under load: {all:.1} MiB, at most {most:.1} MiB, without mapped files {own:.1} MiB");
            killed.store(true, Ordering::SeqCst);
            server.kill();
        }
        stop.store(true, Ordering::SeqCst);
        let logged: Vec<Duration> = logging.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let read: Vec<Duration> = reading.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (logged, read)
    });
    let seconds = start.elapsed().as_secs_f64();
    for (what, mut took, each) in [("log-batch of 100 points", logged, BATCH), ("searches and charts", read, 1)] {
        took.sort_unstable();
        if !took.is_empty() {
            told(&format!("{} clients, {what}", plan.clients), &took, each as usize);
            println!("{:<44} {:>10.0}/s in all", "", (took.len() as i64 * each) as f64 / seconds);
        }
    }
    if let Some(server) = server.as_mut() {
        server.start_again();
    }
    count(server.as_ref().map_or(url, |server| &server.url), &loggers);
}

/// Logs until it is told to stop, or nobody answers any more.
fn log(url: &str, logger: &Logger, stop: &AtomicBool, killed: &AtomicBool) -> Vec<Duration> {
    let (client, mut took) = (Client::new(url), Vec::new());
    while !stop.load(Ordering::SeqCst) {
        let from = logger.sent.fetch_add(BATCH, Ordering::SeqCst);
        let metrics: Vec<_> = (from..from + BATCH)
            .map(|step| json!({"key": "loss", "value": 1.0 / (1 + step) as f64, "timestamp": 1_700_000_000_000 + step, "step": step}))
            .collect();
        let body = json!({"run_id": logger.run, "metrics": metrics}).to_string();
        let begun = Instant::now();
        match client.try_post("runs/log-batch", body.as_bytes()) {
            Ok((200, _)) => {
                took.push(begun.elapsed());
                logger.acknowledged.store(from + BATCH, Ordering::SeqCst);
            }
            Ok((status, text)) => panic!("{status}: {text}"),
            Err(error) => {
                assert!(killed.load(Ordering::SeqCst), "{error}");
                break;
            }
        }
    }
    took
}

fn read(url: &str, run: &str, number: usize, stop: &AtomicBool) -> Vec<Duration> {
    let (client, mut took) = (Client::new(url), Vec::new());
    let query = json!({"experiment_ids": ["0"], "filter": "metrics.loss < 0.5", "order_by": ["metrics.loss"], "max_results": 100});
    let chart = format!(
        "{url}/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&max_results=320"
    );
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    while !stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let status = match (took.len() + number) % 2 {
            0 => client.try_post("runs/search", query.to_string().as_bytes()).map(|(status, _)| status),
            _ => agent.get(&chart).call().and_then(|mut answer| {
                answer.body_mut().read_to_vec()?;
                Ok(answer.status().as_u16())
            }),
        };
        match status {
            Ok(status) => assert_eq!(status, 200),
            // The server is gone: whether it may be is for those who log to say.
            Err(_) => break,
        }
        took.push(begun.elapsed());
    }
    took
}

/// Whether every point that was acknowledged is there, once, and nothing that was not sent.
fn count(url: &str, loggers: &[Logger]) {
    let (client, mut points, mut lost) = (Client::new(url), 0, 0);
    for logger in loggers {
        let acknowledged = logger.acknowledged.load(Ordering::SeqCst);
        let steps = client.steps(&logger.run, "loss");
        assert!(steps.iter().zip(0..).all(|(step, place)| *step == place), "points of {} are not in order", logger.run);
        assert!(steps.len() as i64 <= logger.sent.load(Ordering::SeqCst));
        points += acknowledged;
        lost += (acknowledged - steps.len() as i64).max(0);
    }
    println!("{points} points acknowledged, {lost} lost");
    assert_eq!(lost, 0);
}
