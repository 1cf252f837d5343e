//! Writers, openers and compactors, killed at random instants: no acknowledged call is lost, and at most one that was
//! not acknowledged is there, whole.
//!
//! `TRACKWAY_KILLS` says how many kills; without it there are as many as the common test command has time for. Even
//! writers are mapped, odd ones write by calls.

use super::calls::{calls_in, stream};
use super::child::{Running, THREADS, Task, Told, options, pause, random, wait_until};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trackway::{RunId, RunStatus, Snapshot, StatusCause, Store, StoreOptions};

const DEFAULT_KILLS: u64 = 100;
/// Kills in one store, before it is compacted as a whole and looked at once more.
const KILLS_IN_A_STORE: u64 = 50;

pub(crate) fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}")))
}

/// What is going on when the kill comes.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// One writer, at any of its calls.
    Logging,
    /// Several processes that write to one run.
    Together,
    /// A writer whose background is writing a segment.
    Sealing,
    /// A writer, and a process that compacts the store.
    Compacting,
    /// The processes that open the store after a killed writer, one after the other.
    Opening,
}

/// So that half of the kills strike in the midst of something whose length nobody knows: the pause before a kill is
/// shortened when it came too late and lengthened when it came in time.
struct Aim {
    pause: Duration,
    in_time: u64,
    kills: u64,
}

impl Aim {
    fn note(&mut self, in_time: bool) {
        self.kills += 1;
        self.in_time += u64::from(in_time);
        let pause = self.pause.mul_f64(if in_time { 1.2 } else { 0.8 });
        self.pause = pause.clamp(Duration::from_micros(50), Duration::from_millis(200));
    }
}

/// What was found of a killed writer: calls by thread.
struct Found {
    run: RunId,
    writer: u64,
    calls: Vec<u64>,
}

struct Campaign {
    wanted: u64,
    kills: u64,
    next_writer: u64,
    calls: u64,
    opening: Aim,
    compacting: Aim,
    /// What should not be.
    wrong: Vec<String>,
    start: Instant,
}

impl Campaign {
    fn new(wanted: u64) -> Self {
        let aim = || Aim { pause: Duration::from_millis(5), in_time: 0, kills: 0 };
        let (wrong, start) = (Vec::new(), Instant::now());
        let (opening, compacting) = (aim(), aim());
        Self { wanted, kills: 0, next_writer: 0, calls: 0, opening, compacting, wrong, start }
    }

    fn writer(&mut self) -> u64 {
        self.next_writer += 1;
        self.next_writer - 1
    }

    fn killed(&mut self) {
        self.kills += 1;
        if self.wanted > 2 * DEFAULT_KILLS && self.kills.is_multiple_of(100) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let (kills, wanted, seconds) = (self.kills, self.wanted, self.start.elapsed().as_secs());
        // Not through the test harness, which keeps it until the end.
        let _ = writeln!(
            std::io::stderr(),
            "kills {kills} of {wanted}, {} lost or wrong, {} calls acknowledged, {} of {} openings and {} of {} \
             compactions cut short, {seconds} s",
            self.wrong.len(),
            self.calls,
            self.opening.in_time,
            self.opening.kills,
            self.compacting.in_time,
            self.compacting.kills,
        );
    }

    /// What is in the run of each thread: all acknowledged calls, and perhaps the one in which it was killed.
    fn check(&mut self, snapshot: &Snapshot, writer: u64, acks: &[u64]) -> Found {
        let mut calls = Vec::new();
        for (thread, acked) in (0..THREADS).zip(acks) {
            let found = calls_in(snapshot, &stream(writer, thread), true);
            match &found {
                Ok(found) if (*acked..=acked + 1).contains(found) => {}
                Ok(found) => self.wrong.push(format!("writer {writer}, thread {thread}: {found} calls of {acked}")),
                Err(what) => self.wrong.push(format!("writer {writer}, {acked} calls: {what}")),
            }
            calls.push(found.unwrap_or(0));
        }
        Found { run: snapshot.run().id, writer, calls }
    }
}

fn run_id(number: u64) -> RunId {
    RunId::from_bytes((u128::from(number) + 1).to_be_bytes())
}

/// The folder of a run that is there.
fn folder_of(dir: &Path, run: RunId) -> PathBuf {
    let name = run.to_string();
    let is_in_it = |path: &&PathBuf| path.parent().is_some_and(|parent| parent.ends_with(&name));
    files(dir).iter().find(is_in_it).and_then(|path| path.parent()).unwrap().to_path_buf()
}

/// All files below a folder.
pub(crate) fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// One scene in the store at `dir`: its kills, and what is found after them.
fn play(campaign: &mut Campaign, dir: &Path, scene: Scene) -> Vec<Found> {
    let first = campaign.writer();
    let run = run_id(first);
    let mut writers = vec![(first, Running::start(&Told::new(Task::Create, dir, run, first)))];
    writers[0].1.wait_for("ack", 1);
    if matches!(scene, Scene::Together) {
        for _ in 0..1 + random(2) {
            let writer = campaign.writer();
            writers.push((writer, Running::start(&Told::new(Task::Resume, dir, run, writer))));
        }
    }
    let compactor = Told::new(Task::Compact, dir, run, 0);
    let mut compactor = matches!(scene, Scene::Compacting).then(|| Running::start(&compactor));
    // Most kills come early, so that there are many; some after the log has been changed many times.
    let acks = 1 + random(if random(5) == 0 { 3000 } else { 300 });
    writers.iter().for_each(|(_, running)| running.wait_for("ack", acks));
    if matches!(scene, Scene::Sealing) {
        let folder = folder_of(dir, run);
        let ends_so = |path: &&PathBuf, ending: &str| path.extension().is_some_and(|found| found == ending);
        // Seen while it is written, or, where that takes no time at all, after some others.
        wait_until("a log is sealed", || {
            let files = files(&folder);
            files.iter().any(|path| ends_so(&path, "seg-new"))
                || files.iter().filter(|path| ends_so(path, "seg")).count() > 8
        });
        pause(Duration::from_millis(3));
    }
    if let Some(compactor) = &mut compactor {
        compactor.wait_for("compacting", 1);
        pause(campaign.compacting.pause);
        let rounds = compactor.heard("compacting");
        compactor.kill();
        campaign.killed();
        campaign.compacting.note(rounds == 1);
    }
    let acks = kill_all(campaign, &mut writers);
    if matches!(scene, Scene::Opening) {
        for _ in 0..1 + random(3) {
            let opener = campaign.writer();
            let mut opener = Running::start(&Told::new(Task::Open, dir, run, opener));
            opener.wait_for("opening", 1);
            pause(campaign.opening.pause);
            opener.kill();
            campaign.killed();
            let in_time = opener.heard("opened") == 0;
            campaign.opening.note(in_time);
        }
    }
    look(campaign, dir, run, &acks)
}

/// Kills the writers in any order; answers what each had acknowledged.
fn kill_all(campaign: &mut Campaign, writers: &mut Vec<(u64, Running)>) -> Vec<(u64, Vec<u64>)> {
    let mut acks = Vec::new();
    while !writers.is_empty() {
        let (writer, mut running) = writers.swap_remove(random(writers.len() as u64) as usize);
        running.kill();
        campaign.killed();
        acks.push((writer, running.acks()));
    }
    acks
}

/// Looks at the run after the kills of a scene: once the store was opened for writing, which recovers it, and now and
/// then as a reader finds it before.
fn look(campaign: &mut Campaign, dir: &Path, run: RunId, acks: &[(u64, Vec<u64>)]) -> Vec<Found> {
    let before = (random(3) == 0).then(|| {
        let reader = StoreOptions::new().read_only(true).open(dir).unwrap();
        look_through(campaign, &reader, run, acks)
    });
    let store = options(0).background(false).open(dir).unwrap();
    let found = look_through(campaign, &store, run, acks);
    let calls = |found: &[Found]| found.iter().flat_map(|found| found.calls.clone()).collect::<Vec<u64>>();
    if before.is_some_and(|before| calls(&before) != calls(&found)) {
        campaign.wrong.push(format!("run {run} is not what it was before it was recovered"));
    }
    campaign.calls += acks.iter().flat_map(|(_, acks)| acks).sum::<u64>();
    found
}

fn look_through(campaign: &mut Campaign, store: &Store, run: RunId, acks: &[(u64, Vec<u64>)]) -> Vec<Found> {
    let snapshot = store.snapshot(run).unwrap();
    let state = (snapshot.run().status, snapshot.run().status_cause);
    if state != (RunStatus::Killed, StatusCause::Vanished) {
        campaign.wrong.push(format!("run {run} is {state:?}"));
    }
    note_incidents(campaign, store);
    acks.iter().map(|(writer, acks)| campaign.check(&snapshot, *writer, acks)).collect()
}

/// A kill takes nothing that was published: nothing is ever damaged or set aside.
fn note_incidents(campaign: &mut Campaign, store: &Store) {
    let odd = store.incidents().into_iter().filter(|incident| !incident.what.contains("vanished"));
    campaign.wrong.extend(odd.map(|incident| format!("{}: {}", incident.path.display(), incident.what)));
}

/// After all kills in a store: no damage, and a compaction changes nothing but the number of files.
fn finish(campaign: &mut Campaign, dir: &Path, all: &[Found]) {
    let store = options(0).background(false).open(dir).unwrap();
    store.compact(&mut |_| {}).unwrap();
    let damage = store.verify(&mut |_| {}).unwrap().damage;
    campaign.wrong.extend(damage.iter().map(|damage| format!("{damage:?}")));
    for found in all {
        let snapshot = store.snapshot(found.run).unwrap();
        for (thread, calls) in (0..THREADS).zip(&found.calls) {
            let now = calls_in(&snapshot, &stream(found.writer, thread), true);
            if now.as_ref() != Ok(calls) {
                campaign.wrong.push(format!("writer {}: {calls} calls, and {now:?} once compacted", found.writer));
            }
        }
    }
    note_incidents(campaign, &store);
    drop(store);
    let runs: BTreeSet<RunId> = all.iter().map(|found| found.run).collect();
    let ends_so = |path: &&PathBuf, ending: &str| path.to_string_lossy().ends_with(ending);
    let left = files(dir);
    // One segment each, or none and one in a pack, where it was found.
    for run in &runs {
        let is_in_it = |path: &&PathBuf| path.parent().is_some_and(|parent| parent.ends_with(run.to_string()));
        let of_run: Vec<&PathBuf> = left.iter().filter(is_in_it).collect();
        let segments = of_run.iter().filter(|path| ends_so(path, ".seg")).count();
        if segments > 1 || segments < of_run.len() {
            campaign.wrong.push(format!("{segments} segments of run {run}"));
        }
    }
    let unfinished = left.iter().filter(|path| ends_so(path, ".log") || ends_so(path, "-new"));
    campaign.wrong.extend(unfinished.map(|path| format!("{} is left", path.display())));
    if dir.join("quarantine").exists() {
        campaign.wrong.push("something was set aside".to_owned());
    }
}

/// Kills so often in stores in a new folder of `base`, and is content with what is found.
pub(crate) fn kill_processes(base: &Path, wanted: u64) {
    let folder = tempfile::tempdir_in(base).unwrap();
    let wrong = campaign(folder.path(), wanted);
    if !wrong.is_empty() {
        panic!("{} things are wrong in {}: {wrong:#?}", wrong.len(), folder.keep().display());
    }
}

fn campaign(base: &Path, wanted: u64) -> Vec<String> {
    let scenes = [Scene::Logging, Scene::Together, Scene::Sealing, Scene::Compacting, Scene::Opening];
    let mut campaign = Campaign::new(wanted);
    let mut next = scenes.iter().cycle();
    let mut number = 0;
    while campaign.kills < wanted {
        let dir = base.join(format!("store{number}"));
        drop(options(0).open(&dir).unwrap());
        let upto = (campaign.kills + KILLS_IN_A_STORE).min(wanted);
        let mut all = Vec::new();
        while campaign.kills < upto {
            all.extend(play(&mut campaign, &dir, *next.next().unwrap()));
        }
        finish(&mut campaign, &dir, &all);
        // A store in which something is wrong is kept for a look.
        if campaign.wrong.is_empty() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        number += 1;
    }
    campaign.tell();
    assert!(campaign.calls > 0 && campaign.kills >= wanted);
    campaign.wrong
}

#[test]
fn killed_processes_lose_no_acknowledged_call() {
    kill_processes(&std::env::temp_dir(), number_from_environment("TRACKWAY_KILLS", DEFAULT_KILLS));
}
