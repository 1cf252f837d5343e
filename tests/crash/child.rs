//! The processes that are killed: this test binary again, told by its environment what to do.
//!
//! A child says in lines of its standard output what it has done: above all "ack" with the number of its thread after
//! each log call that has returned. The parent counts these lines until it kills.

use super::calls::{self, PATIENCE};
use super::{limited, soak};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trackway::{AppendMode, ErrorKind, ExperimentId, NewRun, RunId, RunWriter, Store, StoreOptions};

/// Carries what a child is told.
const VARIABLE: &str = "TRACKWAY_CRASH_CHILD";
pub(crate) const THREADS: u64 = 3;

/// What a child shall do, to which store, run and streams.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) task: Task,
    pub(crate) dir: PathBuf,
    pub(crate) run: RunId,
    /// Names the streams, and chooses the mode: even ones are mapped where the file system allows it.
    pub(crate) writer: u64,
    /// The last call is the one before this number.
    pub(crate) calls: u64,
}

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Create the run and log to it.
    Create,
    /// Resume the run and log to it.
    Resume,
    /// Create the run, and log to it once standard input has ended.
    CreateAndWait,
    /// Resume the run and log one point for each line of standard input.
    Echo,
    /// Open the store, which recovers it, and stay.
    Open,
    /// Compact the store again and again.
    Compact,
    /// Resume the run, see how far its streams have come, and log from there on.
    GoOn,
    /// Read all runs again and again.
    Read,
    /// Log under a limit of the length of files.
    Limited,
}

const TASKS: [(Task, &str); 9] = [
    (Task::Create, "create"),
    (Task::Resume, "resume"),
    (Task::CreateAndWait, "create and wait"),
    (Task::Echo, "echo"),
    (Task::Open, "open"),
    (Task::Compact, "compact"),
    (Task::GoOn, "go on"),
    (Task::Read, "read"),
    (Task::Limited, "limited"),
];

impl Told {
    pub(crate) fn new(task: Task, dir: &Path, run: RunId, writer: u64) -> Self {
        Self { task, dir: dir.to_path_buf(), run, writer, calls: u64::MAX }
    }

    fn to_text(&self) -> String {
        let task = TASKS.iter().find(|(task, _)| *task == self.task).unwrap().1;
        format!("{task}|{}|{}|{}|{}", self.run, self.writer, self.calls, self.dir.display())
    }

    fn parse(text: &str) -> Self {
        let words: Vec<&str> = text.splitn(5, '|').collect();
        let [task, run, writer, calls, dir] = words[..] else { panic!("told {text:?}") };
        let task = TASKS.iter().find(|(_, name)| *name == task).unwrap().0;
        let (writer, calls) = (writer.parse().unwrap(), calls.parse().unwrap());
        Self { task, dir: dir.into(), run: run.parse().unwrap(), writer, calls }
    }

    /// The store with the options of this child.
    pub(crate) fn open(&self) -> Store {
        options(self.writer).open(&self.dir).unwrap()
    }
}

/// Options of parents and children: small logs, so that full ones are sealed all the time.
pub(crate) fn options(writer: u64) -> StoreOptions {
    let mode = if writer.is_multiple_of(2) { AppendMode::Auto } else { AppendMode::Calls };
    StoreOptions::new().log_bytes(64 << 10).append_mode(mode)
}

/// Tells the parent, in one write of a whole line.
pub(crate) fn say(what: std::fmt::Arguments<'_>) {
    writeln!(std::io::stdout().lock(), "say {what}").unwrap();
}

/// Not a test: the child's main function.
#[test]
#[ignore = "the tests of this binary start it in processes of their own"]
fn child_main() {
    let Ok(told) = std::env::var(VARIABLE) else { return };
    let told = Told::parse(&told);
    match told.task {
        Task::Create | Task::Resume | Task::CreateAndWait => write(&told),
        Task::Echo => echo(&told),
        Task::Open => open(&told),
        Task::Compact => compact(&told),
        Task::GoOn => soak::go_on(&told),
        Task::Read => soak::read(&told),
        Task::Limited => limited::log(&told),
    }
}

fn write(told: &Told) {
    let store = told.open();
    let run = match told.task {
        Task::Resume => store.resume_run(told.run).unwrap(),
        _ => store.create_run(NewRun::new(ExperimentId::DEFAULT).id(told.run)).unwrap(),
    };
    if told.task == Task::CreateAndWait {
        say(format_args!("created"));
        std::io::stdin().lock().lines().for_each(drop);
    }
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let run = &run;
            scope.spawn(move || log_calls(run, told, thread));
        }
    });
    run.finish().unwrap();
    drop(run);
    store.close().unwrap();
}

fn log_calls(run: &RunWriter, told: &Told, thread: u64) {
    let stream = calls::stream(told.writer, thread);
    for number in 0..told.calls {
        // A full disk is told once; the call is made again until there is room.
        let mut is_told = false;
        while let Err(error) = calls::log(run, &stream, number, true) {
            assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
            if !std::mem::replace(&mut is_told, true) {
                say(format_args!("full {thread}"));
            }
            std::thread::yield_now();
        }
        say(format_args!("ack {thread}"));
    }
}

fn echo(told: &Told) {
    let store = told.open();
    let run = store.resume_run(told.run).unwrap();
    let metric = run.metric("echo").unwrap();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        line.unwrap();
        metric.log_at(number as i64, number as i64, number as f64).unwrap();
    }
    run.finish().unwrap();
}

fn open(told: &Told) {
    say(format_args!("opening"));
    let _store = told.open();
    say(format_args!("opened"));
    // Until the parent ends it.
    std::io::stdin().lock().lines().for_each(drop);
}

fn compact(told: &Told) {
    let store = told.open();
    loop {
        say(format_args!("compacting"));
        store.compact(&mut |_| {}).unwrap();
    }
}

/// What a child has said so far.
#[derive(Debug, Default)]
struct Said {
    /// How often each line was said.
    lines: BTreeMap<String, u64>,
    ended: bool,
}

type Shared = Arc<(Mutex<Said>, Condvar)>;

/// A running child.
pub(crate) struct Running {
    child: Child,
    said: Shared,
    listener: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(told: &Told) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child_main", "--ignored", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, told.to_text())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Shared::default();
        let (output, heard) = (child.stdout.take().unwrap(), Arc::clone(&said));
        let listener = std::thread::spawn(move || listen(BufReader::new(output), &heard));
        Self { child, said, listener: Some(listener) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.0.lock().unwrap()
    }

    /// How often the child has said this.
    pub(crate) fn heard(&self, line: &str) -> u64 {
        self.said().lines.get(line).copied().unwrap_or(0)
    }

    /// All numbers `b` of what it said in lines of the form "word a b".
    pub(crate) fn numbers(&self, word: &str) -> Vec<(u64, u64)> {
        let said = self.said();
        let pair = |line: &String| {
            let mut words = line.strip_prefix(word)?.split_whitespace().map(str::parse);
            Some((words.next()?.ok()?, words.next()?.ok()?))
        };
        said.lines.keys().filter_map(pair).collect()
    }

    /// Waits until the child has said so many lines that begin so, or has ended.
    pub(crate) fn wait_for(&self, start: &str, count: u64) {
        let is_less = |said: &mut Said| {
            let counts = said.lines.iter().filter(|(line, _)| line.starts_with(start)).map(|(_, count)| count);
            !said.ended && counts.sum::<u64>() < count
        };
        let (_said, waited) = self.said.1.wait_timeout_while(self.said(), PATIENCE, is_less).unwrap();
        assert!(!waited.timed_out(), "the child has not said {start:?} {count} times in {PATIENCE:?}");
    }

    /// Whether the child has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL. Answers once the child is gone and all it has said was heard.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.hear_out();
        assert_eq!(status.signal(), Some(9), "the child has ended by itself: {status}");
    }

    /// SIGKILL; false when the child had just come to a good end by itself.
    pub(crate) fn kill_if_alive(&mut self) -> bool {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.hear_out();
        assert!(status.success() || status.signal() == Some(9), "{status}");
        !status.success()
    }

    /// Waits for the end, which is a good one.
    pub(crate) fn join(&mut self) {
        let status = self.child.wait().unwrap();
        self.hear_out();
        assert!(status.success(), "{status}");
    }

    fn hear_out(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
    }

    /// How many calls of each thread were acknowledged.
    pub(crate) fn acks(&self) -> Vec<u64> {
        (0..THREADS).map(|thread| self.heard(&format!("ack {thread}"))).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counts the lines that a child says, until it ends.
fn listen(mut output: impl BufRead, heard: &Shared) {
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
        let text = String::from_utf8_lossy(&line).into_owned();
        // A line without an end was being written when the child was killed. What the test binary itself writes may
        // stand before the first one.
        if let Some((_, said)) = text.strip_suffix('\n').and_then(|text| text.rsplit_once("say ")) {
            *heard.0.lock().unwrap().lines.entry(said.to_owned()).or_default() += 1;
            heard.1.notify_all();
        }
        line.clear();
    }
    heard.0.lock().unwrap().ended = true;
    heard.1.notify_all();
}

/// A pause of random length, so that what comes next strikes anywhere.
pub(crate) fn pause(most: Duration) {
    std::thread::sleep(most.mul_f64(random(1 << 20) as f64 / (1 << 20) as f64));
}

pub(crate) fn random(below: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % below.max(1)
}

/// Waits until `is_so` becomes true, looking again and again.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::yield_now();
    }
}
