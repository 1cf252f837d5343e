//! `demo`: the engine at work on real training curves. Every figure is computed while it runs, and it ends with exit
//! code 0 only if every comparison held.

use crate::args::{DemoArgs, XAxis};
use crate::chart::Chart;
use crate::commands::demo_child::{self, METRIC};
use crate::commands::{plot, runs};
use crate::curves::{self, CurveRun};
use crate::describe::{points, status_in_words};
use crate::error::{Failure, Outcome};
use crate::output::{Context, DEFAULT_WIDTH};
use crate::replay;
use crate::style::Style;
use crate::text::{bytes, count, plural, rate};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use trackway::{Columns, Error, ExperimentId, RunFilter, RunId, RunStatus, StatusCause, Store};

/// Threads that log at the same time.
const THREADS: usize = 4;

/// Rows of the table of runs.
const TABLE_ROWS: usize = 12;

pub(crate) fn run(args: &DemoArgs, context: &mut Context) -> Outcome {
    let (path, temporary) = folder(args, context)?;
    let records = curves::embedded()?;
    let result = Demo { context, path: &path, logged: Vec::new(), records: &records }.run(args.quick);
    match temporary {
        Some(folder) if args.keep => context.line(format_args!("\nThe store is kept: {}", folder.keep().display()))?,
        Some(folder) => folder.close().map_err(|e| Failure::io("remove", &path, &e))?,
        None => context.line(format_args!("\nThe store: {}", path.display()))?,
    }
    result
}

/// The folder of the store: the one given, which must be new, or a temporary one.
fn folder(args: &DemoArgs, context: &Context) -> Outcome<(PathBuf, Option<tempfile::TempDir>)> {
    if let Some(given) = context.given_store() {
        let is_empty = given.read_dir().map_or(!given.exists(), |mut entries| entries.next().is_none());
        if !is_empty {
            let hint = "name a new folder with --store, or unset TRACKWAY_STORE for a temporary one";
            return Err(Failure::new(format!("demo wants a fresh store, {} is in use", given.display())).hint(hint));
        }
        return Ok((given.to_path_buf(), None));
    }
    let folder = tempfile::Builder::new().prefix("trackway-demo-").tempdir();
    let folder = folder.map_err(|e| Failure::io("create a folder in", &std::env::temp_dir(), &e))?;
    let keep = if args.keep { "kept" } else { "removed at the end" };
    eprintln!("trackway: store in {} ({keep})", folder.path().display());
    Ok((folder.path().join("store"), Some(folder)))
}

struct Demo<'a> {
    context: &'a mut Context,
    path: &'a Path,
    records: &'a [CurveRun],
    /// Ids of the runs logged, as the records are ordered.
    logged: Vec<RunId>,
}

impl Demo<'_> {
    fn run(&mut self, quick: bool) -> Outcome {
        self.log()?;
        let store = Store::open(self.path)?;
        self.read_back(&store, "as logged")?;
        self.compact(&store)?;
        self.read_back(&store, "compacted")?;
        store.close()?;
        let killed = self.kill(if quick { 20_000 } else { 1_000_000 })?;
        let store = Store::open(self.path)?;
        self.recovered(&store, &killed)?;
        store.compact(&mut |_| {})?;
        self.read_back(&store, "compacted again")?;
        compare_child(&store, &killed)?;
        self.line("the killed run, compacted, still has them all")?;
        self.show(&store)?;
        store.close()?;
        self.title("All comparisons held.")
    }

    fn title(&mut self, text: &str) -> Outcome {
        let text = Style::Bold.paint(text, self.context.color);
        self.context.line(format_args!("\n{text}"))?;
        self.context.flush()
    }

    fn line(&mut self, text: impl std::fmt::Display) -> Outcome {
        self.context.line(format_args!("  {text}"))?;
        self.context.flush()
    }

    /// Logs all records call by call from several threads.
    fn log(&mut self) -> Outcome {
        let records = self.records;
        self.title(&format!("1. Log {} real training runs from {THREADS} threads, call by call", records.len()))?;
        let plans: Vec<curves::Plan> = records.iter().map(CurveRun::plan).collect();
        let calls: usize = plans.iter().map(|plan| plan.calls.len()).sum();
        let store = Store::open(self.path)?;
        let (long, sweep) = (store.create_experiment("curves")?, store.create_experiment("digits-sweep")?);
        let (next, logged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let started = Instant::now();
        let work = || -> Outcome<u64> {
            let mut points = 0;
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (Some(record), Some(plan)) = (records.get(at), plans.get(at)) else { return Ok(points) };
                let experiment = if record.name.starts_with("sweep/") { sweep } else { long };
                let (id, n) = log_one(&store, experiment, record, plan)?;
                points += n;
                logged.lock().map_err(|_| Failure::new("a thread panicked"))?.push((at, id));
            }
        };
        let points = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|points| points.map_err(|_| Failure::new("a thread panicked"))?).sum::<Outcome<u64>>()
        })?;
        let seconds = started.elapsed().as_secs_f64();
        let mut logged = logged.into_inner().map_err(|_| Failure::new("a thread panicked"))?;
        logged.sort_unstable();
        self.logged = logged.into_iter().map(|(_, id)| id).collect();
        let (points_text, calls) = (count(points), count(calls as u64));
        let speed = rate(points, seconds);
        self.line(format_args!("{points_text} points in {calls} calls, each acknowledged: {speed} points/s"))?;
        Ok(store.close()?)
    }

    /// Compares every point of every run with its record.
    fn read_back(&mut self, store: &Store, state: &str) -> Outcome {
        let mut compared = 0;
        for (record, id) in self.records.iter().zip(&self.logged) {
            compared += replay::compare(store, *id, record)?;
        }
        let (scanned, seconds) = scan(store, &self.logged)?;
        let speed = rate(scanned, seconds);
        let compared = count(compared);
        self.line(format_args!("{compared} points read back ({state}), all equal bit for bit; scan: {speed} points/s"))
    }

    fn compact(&mut self, store: &Store) -> Outcome {
        self.title("2. Compact")?;
        let before = store.statistics()?;
        store.compact(&mut |_| {})?;
        let after = store.statistics()?;
        for (what, statistics) in [("before", &before), ("after", &after)] {
            let per_point = statistics.bytes_per_point().unwrap_or_default();
            let (files, size) = (plural(statistics.files, "file"), bytes(statistics.bytes));
            self.line(format_args!("{what:6}: {per_point:6.2} bytes per point ({size} in {files})"))?;
        }
        Ok(())
    }

    /// Lets a child process log and kills it once it had so many points acknowledged.
    fn kill(&mut self, wanted: u64) -> Outcome<Killed> {
        self.title("3. Kill a writer in mid-flight (SIGKILL) and open the store again")?;
        let program = std::env::current_exe().map_err(|e| Failure::new(format!("cannot find this program: {e}")))?;
        let mut child = Command::new(&program)
            .arg("--store")
            .arg(self.path)
            .arg("demo-child")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Failure::io("start", &program, &e))?;
        let mut pipe = child.stdout.take().ok_or_else(|| Failure::new("the child has no standard output"))?;
        let (mut id, mut start) = ([0; 16], [0; 8]);
        let read = pipe.read_exact(&mut id).and_then(|()| pipe.read_exact(&mut start));
        read.map_err(|e| Failure::new(format!("the child ended before it created a run: {e}")))?;
        let (mut message, mut acknowledged, mut is_killed) = ([0; 8], 0, false);
        // After the kill the pipe still holds what was sent before it.
        while pipe.read_exact(&mut message).is_ok() {
            acknowledged = u64::from_le_bytes(message);
            if acknowledged >= wanted && !is_killed {
                child.kill().map_err(|e| Failure::new(format!("cannot kill the child: {e}")))?;
                is_killed = true;
            }
        }
        child.wait().map_err(|e| Failure::new(format!("cannot wait for the child: {e}")))?;
        if !is_killed {
            return Err(Failure::new("the child ended before it was killed"));
        }
        self.line(format_args!("the child had at least {} points acknowledged when it died", count(acknowledged)))?;
        Ok(Killed { run: RunId::from_bytes(id), start: i64::from_le_bytes(start), acknowledged })
    }

    /// Shows that the killed run is complete and says what happened to it.
    fn recovered(&mut self, store: &Store, killed: &Killed) -> Outcome {
        let run = store.run(killed.run)?;
        let status = status_in_words(&run);
        if (run.status, run.status_cause) != (RunStatus::Killed, StatusCause::Vanished) {
            return Err(Failure::new(format!("the killed run should say so, its status is {status}")));
        }
        let found = compare_child(store, killed)?;
        self.line(format_args!("its run says: {status}"))?;
        let found = count(found);
        self.line(format_args!("{found} points found, every acknowledged one among them, all equal bit for bit"))
    }

    fn show(&mut self, store: &Store) -> Outcome {
        self.title("4. What `trackway runs`, `trackway plot` and `trackway stats` show")?;
        self.context.line("")?;
        let mut listed = store.runs(&RunFilter::default())?;
        listed.sort_by_key(|run| std::cmp::Reverse(points(run)));
        let more = listed.len().saturating_sub(TABLE_ROWS);
        listed.truncate(TABLE_ROWS);
        let names = runs::experiment_names(store)?;
        let table = runs::table(store, &listed, &names, &runs::common_metrics(&listed), false)?;
        self.context.table(&table)?;
        self.context.line(format_args!("... {more} more\n"))?;
        let width = self.context.width.unwrap_or(DEFAULT_WIDTH);
        let color = self.context.color;
        let x_label = |x: f64| format!("{x:.0}");
        let (x_title, ascii, height) = ("step".to_owned(), false, 14);
        let chart = Chart { width, height, log_x: false, log_y: false, color, ascii, x_title, x_label };
        let resumed = listed.iter().find(|run| run.name == "charlm_bf16_resumed");
        let run = resumed.ok_or_else(|| Failure::new("the run to draw is missing"))?;
        let mut lines = Vec::new();
        for key in ["train/loss", "eval/loss"] {
            lines.push(plot::line(store, run, key, &XAxis::Step, None, format!("{} {key}", run.name))?);
        }
        self.context.bytes(chart.render(&lines).as_bytes())?;
        self.context.line("")?;
        crate::commands::stats::print(&store.statistics()?, self.context)
    }
}

/// What is known of the killed child.
struct Killed {
    run: RunId,
    start: i64,
    /// At least so many points were acknowledged.
    acknowledged: u64,
}

fn log_one(store: &Store, experiment: ExperimentId, record: &CurveRun, plan: &curves::Plan) -> Outcome<(RunId, u64)> {
    let writer = replay::create(store, experiment, record)?;
    let points = replay::log(&writer, record, plan)?;
    writer.end(RunStatus::Finished, record.end_ms)?;
    Ok((writer.id(), points))
}

/// Compares the points of the killed run with what the child logs; gives their number.
fn compare_child(store: &Store, killed: &Killed) -> Outcome<u64> {
    let found = match store.snapshot(killed.run)?.metric(METRIC) {
        Ok(query) => query.read()?,
        Err(Error::NotFound { .. }) => Columns::default(),
        Err(other) => return Err(other.into()),
    };
    let (n, acknowledged) = (found.len() as u64, killed.acknowledged);
    if n < acknowledged {
        return Err(Failure::new(format!("{n} points of the killed run are left, {acknowledged} were acknowledged")));
    }
    match found.iter().zip(0..).find(|(stored, step)| !stored.same_bits(&demo_child::point(killed.start, *step))) {
        Some((stored, step)) => Err(Failure::new(format!("point {step} of the killed run is {stored:?}"))),
        None => Ok(n),
    }
}

/// Reads all columns of these runs; gives the number of points and the seconds it took.
fn scan(store: &Store, runs: &[RunId]) -> Outcome<(u64, f64)> {
    let (mut columns, mut points, started) = (Columns::default(), 0, Instant::now());
    for id in runs {
        let snapshot = store.snapshot(*id)?;
        for key in snapshot.run().metrics.keys() {
            columns.clear();
            snapshot.metric(key)?.read_into(&mut columns)?;
            points += columns.len() as u64;
        }
    }
    Ok((points, started.elapsed().as_secs_f64()))
}
