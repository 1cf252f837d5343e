//! The process that is killed: this test binary again, told by its environment what to log.
//!
//! Several threads make calls without end, each its own metrics, so that call number n of a thread says always the
//! same. After a call has returned its thread writes a line; the parent counts the lines until it kills.

use std::io::{BufRead, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use trackway::{AppendMode, NewRun, Point, RunId, RunWriter, Store, StoreOptions};

/// Carries what a child is told.
const VARIABLE: &str = "TRACKWAY_CRASH_CHILD";
pub(crate) const THREADS: u64 = 3;

/// What a child shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Create the run and log without end.
    Create,
    /// Resume the run and log without end.
    Resume,
    /// Resume the run, make so many calls in each thread, and finish.
    Finish(u64),
    /// Resume the run and log one point for each line of standard input.
    Echo,
}

/// Options of parents and children: small logs, so that full ones are sealed all the time.
pub(crate) fn options(child: u64) -> StoreOptions {
    let mode = if child.is_multiple_of(2) { AppendMode::Auto } else { AppendMode::Calls };
    StoreOptions::new().log_bytes(64 << 10).append_mode(mode)
}

/// The metrics that call `number` of a thread logs, with the points of each.
pub(crate) fn call(child: u64, thread: u64, number: u64) -> Vec<(String, Vec<Point>)> {
    let name = |what: &str| format!("c{child}/t{thread}/{what}");
    let time = 1_700_000_000_000 + number as i64 * 3;
    let value = |at: u64| if at.is_multiple_of(11) { f64::NAN } else { 1.0 / (at + 1) as f64 };
    match number % 8 {
        3 | 6 => {
            let point = |at: u64| vec![Point::new(number as i64, time, value(number + at))];
            vec![(name("a"), point(0)), (name("b"), point(1)), (name("c"), point(2))]
        }
        5 => {
            let len = if number % 64 == 5 { 3000 } else { 40 };
            let point = |at: u64| Point::new((number * 100 + at * at) as i64, time - at as i64 * 7, value(at ^ number));
            vec![(name("columns"), (0..len).map(point).collect())]
        }
        _ => vec![(name("a"), vec![Point::new(-(number as i64), time, value(number))])],
    }
}

fn log(run: &RunWriter, metrics: &[(String, Vec<Point>)]) -> trackway::Result<()> {
    match metrics {
        [(key, points)] if points.len() == 1 => {
            run.log_metric_at(key, points[0].step, points[0].timestamp, points[0].value)
        }
        [(key, points)] => {
            let steps: Vec<i64> = points.iter().map(|point| point.step).collect();
            let times: Vec<i64> = points.iter().map(|point| point.timestamp).collect();
            let values: Vec<f64> = points.iter().map(|point| point.value).collect();
            run.metric(key)?.log_columns(&steps, &times, &values)
        }
        row => {
            let values: Vec<(&str, f64)> = row.iter().map(|(key, points)| (key.as_str(), points[0].value)).collect();
            run.log_metrics_at(row[0].1[0].step, row[0].1[0].timestamp, &values)
        }
    }
}

fn work(run: &RunWriter, child: u64, thread: u64, calls: u64) {
    for number in 0..calls {
        log(run, &call(child, thread, number)).unwrap();
        // One write of a whole line.
        writeln!(std::io::stdout().lock(), "ack {thread}").unwrap();
    }
}

/// Not a test: the child's main function.
#[test]
#[ignore = "the tests of this binary start it in processes of their own"]
fn child_main() {
    let Ok(told) = std::env::var(VARIABLE) else { return };
    let told: Vec<&str> = told.split('|').collect();
    let [dir, run, child, task, calls] = told[..] else { panic!("told {told:?}") };
    let (id, child): (RunId, u64) = (run.parse().unwrap(), child.parse().unwrap());
    let calls: u64 = calls.parse().unwrap();
    let store = options(child).open(dir).unwrap();
    let run = match task {
        "create" => store.create_run(NewRun::new(trackway::ExperimentId::DEFAULT).id(id)).unwrap(),
        _ => store.resume_run(id).unwrap(),
    };
    if task == "echo" {
        echo(&store, &run);
        return;
    }
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let run = &run;
            scope.spawn(move || work(run, child, thread, calls));
        }
    });
    run.finish().unwrap();
    drop(run);
    store.close().unwrap();
}

fn echo(_store: &Store, run: &RunWriter) {
    let metric = run.metric("echo").unwrap();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        line.unwrap();
        metric.log_at(number as i64, number as i64, number as f64).unwrap();
    }
    run.finish().unwrap();
}

/// A running child.
pub(crate) struct Running {
    child: Child,
    /// What it has written so far.
    output: Vec<u8>,
}

impl Running {
    pub(crate) fn start(dir: &std::path::Path, run: RunId, child: u64, task: Task) -> Self {
        let (task, calls) = match task {
            Task::Create => ("create", u64::MAX),
            Task::Resume => ("resume", u64::MAX),
            Task::Finish(calls) => ("finish", calls),
            Task::Echo => ("echo", 0),
        };
        let told = format!("{}|{run}|{child}|{task}|{calls}", dir.display());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child_main", "--ignored", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, told)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, output: Vec::new() }
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Reads until the child has written so many acknowledgements, or has ended.
    pub(crate) fn wait_for_acks(&mut self, count: usize) {
        let mut buffer = [0; 1 << 14];
        let mut acks = 0;
        while acks < count {
            let read = self.child.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
            if read == 0 {
                return;
            }
            // Nothing else that the test binary writes has this letter.
            acks += buffer[..read].iter().filter(|byte| **byte == b'k').count();
            self.output.extend_from_slice(&buffer[..read]);
        }
    }

    /// SIGKILL; returns how many calls of each thread were acknowledged.
    pub(crate) fn kill(mut self) -> Vec<u64> {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success(), "the child has ended by itself");
        self.acks()
    }

    /// Waits for the end; returns how many calls of each thread were acknowledged.
    pub(crate) fn join(mut self) -> Vec<u64> {
        let acks = self.acks();
        assert!(self.child.wait().unwrap().success());
        acks
    }

    fn acks(&mut self) -> Vec<u64> {
        self.child.stdout.as_mut().unwrap().read_to_end(&mut self.output).unwrap();
        let text = String::from_utf8_lossy(&self.output);
        let mut acks = vec![0; THREADS as usize];
        // A line without an end was being written when the child was killed.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if let Some((_, thread)) = line.rsplit_once("ack ") {
                acks[thread.parse::<usize>().unwrap()] += 1;
            }
        }
        acks
    }
}
