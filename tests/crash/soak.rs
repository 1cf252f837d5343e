//! Eight writers, two readers and a compactor in processes of their own on one store, any of which is killed at any
//! moment and started again.
//!
//! A writer that is started again goes on in its streams where the one before it was killed, so that a stream runs over
//! the logs of many processes. When a run has all calls of its writers they go on to the next run. Readers check while
//! all this happens that each stream is a prefix of what its writers log, and never becomes shorter.
//!
//! `TRACKWAY_SOAK_SECONDS` says how long.

use super::calls::{METRICS, calls_in, calls_of, log, stream};
use super::child::{Running, Task, Told, options, pause, random, say};
use super::kills::{files, number_from_environment};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use trackway::{ErrorKind, ExperimentId, Follower, NewRun, Point, RunFilter, RunId, RunWriter, Snapshot, Store};

const DEFAULT_SECONDS: u64 = 5;
/// The run of each writer is shared by those of the same number here.
const GROUPS: [u64; 8] = [0, 0, 0, 1, 1, 2, 3, 3];
const READERS: usize = 2;
const THREADS: u64 = 2;
/// Calls of a stream in one run.
const CALLS: u64 = 2000;
/// Longest pause between two kills.
const PAUSE: Duration = Duration::from_millis(300);

/// Run number `turn` of the writers of a group.
fn run_id(group: u64, turn: u64) -> RunId {
    RunId::from_bytes((u128::from(group + 1) << 64 | u128::from(turn + 1)).to_be_bytes())
}

/// A child that writes: goes on where its streams end.
pub(crate) fn go_on(told: &Told) {
    let store = told.open();
    let run = create_or_resume(&store, told.run);
    let snapshot = store.snapshot(told.run).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let stream = stream(told.writer, thread);
            let from = calls_in(&snapshot, &stream, false).unwrap();
            say(format_args!("from {thread} {from}"));
            let run = &run;
            scope.spawn(move || {
                for number in from..told.calls {
                    log(run, &stream, number, false).unwrap();
                    say(format_args!("ack {thread}"));
                    // Paced, so that what ten minutes log can be read and compared.
                    std::thread::sleep(Duration::from_micros(500));
                }
            });
        }
    });
    run.finish().unwrap();
    drop(run);
    store.close().unwrap();
}

/// Others may be about to create the run, and may be killed while they are.
fn create_or_resume(store: &Store, run: RunId) -> RunWriter {
    let start = Instant::now();
    loop {
        match store.create_run(NewRun::new(ExperimentId::DEFAULT).id(run)) {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            created => return created.unwrap(),
        }
        match store.resume_run(run) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            resumed => return resumed.unwrap(),
        }
        assert!(start.elapsed() < super::calls::PATIENCE, "run {run} can neither be created nor resumed");
    }
}

/// A child that reads.
pub(crate) fn read(told: &Told) {
    let store = trackway::StoreOptions::new().read_only(true).open(&told.dir).unwrap();
    let mut reader = Reader::default();
    for round in 1_u64.. {
        let runs = store.runs(&RunFilter::default()).unwrap();
        if let Some(run) = runs.get(random(runs.len() as u64) as usize) {
            reader.look(&store.snapshot(run.id).unwrap());
            // From the latest runs on: those are the ones that change.
            let latest = runs.iter().rev().nth(random(8) as usize);
            reader.follow(&store, latest.unwrap_or(run).id);
        }
        if round.is_multiple_of(100) {
            assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
        }
        say(format_args!("read"));
    }
}

/// What a reader has seen.
#[derive(Default)]
struct Reader {
    /// Calls of each stream of each run.
    seen: HashMap<(RunId, String), u64>,
    followed: Option<Followed>,
}

/// A run that is followed, and the points that were delivered by stream and metric.
struct Followed {
    run: RunId,
    follower: Follower,
    points: HashMap<String, Vec<Vec<Point>>>,
    polls: u64,
}

impl Reader {
    fn look(&mut self, snapshot: &Snapshot) {
        let id = snapshot.run().id;
        for stream in streams_of(snapshot) {
            let calls = calls_in(snapshot, &stream, false).unwrap();
            let seen = self.seen.entry((id, stream.clone())).or_default();
            assert!(calls >= *seen, "{stream} of run {id} had {seen} calls and has {calls}");
            *seen = calls;
        }
    }

    /// Polls the follower of a run; of another one, `run`, when it was polled often.
    fn follow(&mut self, store: &Store, run: RunId) {
        let followed = self.followed.get_or_insert_with(|| Followed {
            run,
            follower: store.follow(run).unwrap(),
            points: HashMap::new(),
            polls: 0,
        });
        let points = &mut followed.points;
        let mut take = |key: &str, point: Point| {
            let (stream, metric) = key.rsplit_once('/').unwrap();
            let metric = METRICS.iter().position(|known| *known == metric).unwrap();
            let stream = points.entry(stream.to_owned()).or_insert_with(|| vec![Vec::new(); METRICS.len()]);
            stream[metric].push(point);
        };
        followed.follower.poll(&mut take).unwrap();
        for (stream, found) in points {
            if let Err(what) = calls_of(found, false) {
                panic!("{stream} of run {}, followed: {what}", followed.run);
            }
        }
        followed.polls += 1;
        if followed.polls >= 20 {
            self.followed = None;
        }
    }
}

fn streams_of(snapshot: &Snapshot) -> BTreeSet<String> {
    let keys = snapshot.run().metrics.keys();
    keys.map(|key| key.rsplit_once('/').unwrap().0.to_owned()).collect()
}

/// What is known of a stream: so many calls were acknowledged, and perhaps one more was logged.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    acked: u64,
    more: u64,
}

impl Known {
    fn allows(self, calls: u64) -> bool {
        (self.acked..=self.acked + self.more).contains(&calls)
    }
}

#[derive(Clone, Copy, Debug)]
enum Role {
    /// The writer's number, and the number of its run in its group.
    Writer(u64, u64),
    Reader,
    Compactor,
}

struct Soak<'a> {
    dir: &'a Path,
    children: Vec<(Role, Running)>,
    /// By run and stream.
    known: BTreeMap<(RunId, String), Known>,
    kills: u64,
    reads: u64,
    rounds: u64,
}

impl Soak<'_> {
    fn start(&self, role: Role) -> Running {
        let told = match role {
            Role::Writer(writer, turn) => {
                let run = run_id(GROUPS[writer as usize], turn);
                Told { calls: CALLS, ..Told::new(Task::GoOn, self.dir, run, writer) }
            }
            Role::Reader => Told::new(Task::Read, self.dir, run_id(0, 0), 0),
            Role::Compactor => Told::new(Task::Compact, self.dir, run_id(0, 0), 0),
        };
        Running::start(&told)
    }

    /// Notes what a child has said that is gone now.
    fn note(&mut self, role: Role, child: &Running, was_killed: bool) {
        self.reads += child.heard("read");
        self.rounds += child.heard("compacting");
        let Role::Writer(writer, turn) = role else { return };
        let run = run_id(GROUPS[writer as usize], turn);
        let acks = child.acks();
        for (thread, from) in child.numbers("from ") {
            let stream = stream(writer, thread);
            let known = self.known.entry((run, stream.clone())).or_default();
            assert!(known.allows(from), "{stream} of run {run} goes on at call {from}, known are {known:?}");
            *known = Known { acked: from + acks[thread as usize], more: u64::from(was_killed) };
        }
    }

    /// Replaces the writers that have done all their calls in a run.
    fn replace_ended(&mut self) {
        for at in 0..self.children.len() {
            let (role, child) = &mut self.children[at];
            let role = *role;
            if child.has_ended() {
                child.join();
                let Role::Writer(writer, turn) = role else { panic!("a {role:?} has ended by itself") };
                let next = Role::Writer(writer, turn + 1);
                let started = (next, self.start(next));
                let (_, ended) = std::mem::replace(&mut self.children[at], started);
                self.note(role, &ended, false);
            }
        }
    }

    fn kill(&mut self, at: usize) -> Role {
        let (role, mut child) = self.children.swap_remove(at);
        // It may just have come to its end by itself.
        let was_killed = child.kill_if_alive();
        assert!(was_killed || matches!(role, Role::Writer(..)), "a {role:?} has ended by itself");
        self.kills += u64::from(was_killed);
        self.note(role, &child, was_killed);
        role
    }

    fn acked(&self) -> u64 {
        self.known.values().map(|known| known.acked).sum()
    }

    fn tell(&self, start: Instant, seconds: u64) {
        let (runs, now) = (self.runs().len(), start.elapsed().as_secs());
        let _ = writeln!(
            std::io::stderr(),
            "soak {now} of {seconds} s: {} kills, {} calls of {runs} runs acknowledged, {} reads, {} compactions",
            self.kills,
            self.acked(),
            self.reads,
            self.rounds,
        );
    }

    fn runs(&self) -> BTreeSet<RunId> {
        self.known.keys().map(|(run, _)| *run).collect()
    }

    /// All that was acknowledged is what is read.
    fn check(&self, store: &Store) -> Vec<u64> {
        let mut found = Vec::new();
        for run in self.runs() {
            let snapshot = store.snapshot(run).unwrap();
            assert!(snapshot.run().status.is_ended(), "run {run} is {:?}", snapshot.run().status);
            for stream in streams_of(&snapshot) {
                assert!(self.known.contains_key(&(run, stream.clone())), "nobody logged {stream} of run {run}");
            }
            for ((_, stream), known) in self.known.range((run, String::new())..).take_while(|(key, _)| key.0 == run) {
                let calls = calls_in(&snapshot, stream, false).unwrap();
                assert!(known.allows(calls), "{stream} of run {run} has {calls} calls, known are {known:?}");
                found.push(calls);
            }
        }
        found
    }
}

#[test]
fn a_store_stands_writers_readers_and_a_compactor_that_are_killed() {
    let seconds = number_from_environment("TRACKWAY_SOAK_SECONDS", DEFAULT_SECONDS);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    drop(options(0).open(&dir).unwrap());
    let mut soak = Soak { dir: &dir, children: Vec::new(), known: BTreeMap::new(), kills: 0, reads: 0, rounds: 0 };
    let mut roles: Vec<Role> = (0..GROUPS.len() as u64).map(|writer| Role::Writer(writer, 0)).collect();
    roles.extend([Role::Reader; READERS]);
    roles.push(Role::Compactor);
    for role in roles {
        let child = soak.start(role);
        soak.children.push((role, child));
    }
    let (start, mut told) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        pause(PAUSE);
        soak.replace_ended();
        let role = soak.kill(random(soak.children.len() as u64) as usize);
        let child = soak.start(role);
        soak.children.push((role, child));
        if seconds >= 60 && start.elapsed().as_secs() >= told + 10 {
            told = start.elapsed().as_secs();
            soak.tell(start, seconds);
        }
    }
    while !soak.children.is_empty() {
        let _ = soak.kill(random(soak.children.len() as u64) as usize);
    }
    soak.tell(start, seconds);
    assert!(soak.acked() > 0 && soak.reads > 0 && soak.rounds > 0);
    let store = options(0).background(false).open(&dir).unwrap();
    let found = soak.check(&store);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(soak.check(&store), found, "a compaction changes nothing");
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let odd: Vec<_> = store.incidents().into_iter().filter(|incident| !incident.what.contains("vanished")).collect();
    assert!(odd.is_empty(), "{odd:?}");
    drop(store);
    let unfinished = |path: &&std::path::PathBuf| path.to_string_lossy().ends_with("-new");
    assert_eq!(files(&dir).iter().find(unfinished), None);
    assert!(!dir.join("quarantine").exists(), "something was set aside");
}
