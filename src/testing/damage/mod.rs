//! Damage to the files of a small store on the simulated machine, and whether any of it is believed.
//!
//! A [`Bench`] puts a damaged file in the place of a good one and reads everything that there is to be read: each answer is
//! the one that the whole store gives, or an error that names the damaged file, or, where the end of a log is gone, a part
//! of it that says that it is one.

mod sample;

use super::observe::{bits, observe_run};
use crate::env::Env;
use crate::env::sim::{Crash, SimDisk};
use crate::format::model::file_stem;
use crate::{ChartAxis, Damage, Error, ErrorKind, Incident, RepairReport, RunFilter, RunId, Snapshot, Store, View};
use sample::{Files, MODELS, PACKED, Points, STORE, options, run_id};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The runs of the sample.
const RUNS: u8 = 8;
/// Every metric of them.
const METRICS: [&str; 3] = ["loss", "acc", "late"];

fn made() -> &'static (Files, Files) {
    static MADE: OnceLock<(Files, Files)> = OnceLock::new();
    MADE.get_or_init(|| sample::make().unwrap())
}

/// The files of the sample.
pub fn files() -> &'static [(PathBuf, Vec<u8>)] {
    &made().0
}

/// Some of them as they once were.
pub fn earlier() -> &'static [(PathBuf, Vec<u8>)] {
    &made().1
}

/// The folder of the sample.
pub fn folder() -> &'static Path {
    Path::new(STORE)
}

/// What one question was answered with.
#[derive(Debug)]
enum Answer {
    /// As text, since NaN differs from itself.
    Text(String),
    Points(Points),
    /// Not there, where there should be something.
    Missing,
    Failed(Error),
}

impl Answer {
    fn of<T>(result: crate::Result<T>, text: impl FnOnce(T) -> Answer) -> Self {
        result.map_or_else(Self::Failed, text)
    }
}

/// Everything that a store shows, and of which runs it says that this is not all.
#[derive(Debug, Default)]
struct Shown {
    answers: BTreeMap<(RunId, String), Answer>,
    partial: Vec<RunId>,
}

impl Shown {
    /// The points that are shown of a metric.
    fn points(&self, run: RunId, metric: &str) -> &[(i64, i64, u64)] {
        match self.answers.get(&(run, format!("points of {metric}"))) {
            Some(Answer::Points(points)) => points,
            _ => &[],
        }
    }
}

/// What the whole sample shows.
fn whole() -> &'static Shown {
    static WHOLE: OnceLock<Shown> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let bench = Bench::new();
        let store = options(&bench.disk.process()).read_only(true).open(STORE).unwrap();
        let shown = show(&store).unwrap();
        assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty() && shown.partial.is_empty());
        assert!(shown.answers.values().all(|answer| matches!(answer, Answer::Text(_) | Answer::Points(_))));
        shown
    })
}

fn show(store: &Store) -> Result<Shown, String> {
    let mut shown = Shown::default();
    let text = |value: &dyn std::fmt::Debug| Answer::Text(format!("{value:?}"));
    let mut put = |run: RunId, what: String, answer| {
        shown.answers.insert((run, what), answer);
    };
    // Of the store, not of a run.
    let store_id = run_id(0);
    let listed = store.experiments().map_err(|error| format!("experiments: {error}"))?;
    for path in files().iter().filter(|(path, _)| path.ends_with("experiment.tw")).map(|(path, _)| path) {
        let id = path.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        let in_list = listed.iter().find(|experiment| experiment.id == id);
        put(store_id, format!("listed experiment {id}"), in_list.map_or(Answer::Missing, |listed| text(listed)));
        put(store_id, format!("experiment {id}"), Answer::of(store.experiment(id), |experiment| text(&experiment)));
    }
    let listed = store.models().map_err(|error| format!("models: {error}"))?;
    if let Some(model) = listed.iter().find(|model| !MODELS.contains(&model.name.as_str())) {
        return Err(format!("model {} was invented", model.name));
    }
    for name in MODELS {
        let in_list = listed.iter().find(|model| model.name == name);
        put(store_id, format!("listed model {name}"), in_list.map_or(Answer::Missing, |listed| text(listed)));
        put(store_id, format!("model {name}"), Answer::of(store.model(name), |model| text(&model)));
    }
    let view = View::All;
    let all = store.runs(&RunFilter { view, ..RunFilter::default() }).map_err(|error| format!("runs: {error}"))?;
    if let Some(run) = all.iter().find(|run| !(1..=RUNS).any(|number| run.id == run_id(number))) {
        return Err(format!("run {} was invented", run.id));
    }
    let _ = store.statistics().map_err(|error| format!("statistics: {error}"))?;
    for run in (1..=RUNS).map(run_id) {
        let in_list = all.iter().find(|listed| listed.id == run);
        put(run, "listed".to_owned(), in_list.map_or(Answer::Missing, |listed| text(listed)));
        put(run, "run".to_owned(), Answer::of(store.run(run), |run| text(&run)));
        let artifacts = store.artifacts(run).and_then(|artifacts| {
            let found = artifacts.list("")?;
            found.iter().map(|artifact| artifacts.read(&artifact.path)).collect::<crate::Result<Vec<_>>>()
        });
        put(run, "artifacts".to_owned(), Answer::of(artifacts, |artifacts| text(&artifacts)));
    }
    for run in (1..=RUNS).map(run_id) {
        let snapshot = match store.snapshot(run) {
            Err(error) => {
                shown.answers.insert((run, "snapshot".to_owned()), Answer::Failed(error));
                continue;
            }
            Ok(snapshot) => snapshot,
        };
        if !snapshot.damage().is_empty() {
            shown.partial.push(run);
        }
        show_run(&snapshot, run, &mut shown)?;
    }
    Ok(shown)
}

fn show_run(snapshot: &Snapshot, run: RunId, shown: &mut Shown) -> Result<(), String> {
    let mut put = |what: String, answer| shown.answers.insert((run, what), answer);
    put("snapshot".to_owned(), Answer::Text(format!("{:?}", snapshot.run())));
    let mut is_readable = true;
    for metric in METRICS {
        let query = match snapshot.metric(metric) {
            // The run has none of that name.
            Err(Error::NotFound { .. }) => continue,
            Err(error) => {
                put(format!("points of {metric}"), Answer::Failed(error));
                continue;
            }
            Ok(query) => query,
        };
        put(format!("statistics of {metric}"), Answer::Text(format!("{:?}", snapshot.stats(metric))));
        let points = query.read();
        is_readable &= points.is_ok();
        put(format!("points of {metric}"), Answer::of(points, |p| Answer::Points(p.iter().map(bits).collect())));
        let chart = query.chart(ChartAxis::Step, 7);
        put(format!("chart of {metric}"), Answer::of(chart, |chart| Answer::Text(format!("{chart:?}"))));
        let mut rest = Vec::new();
        match query.skip_damaged(true).read() {
            Ok(points) => rest.extend(points.iter().map(bits)),
            Err(error) => return Err(format!("{metric} of run {run} without what is damaged: {error}")),
        }
        put(format!("rest of {metric}"), Answer::Points(rest));
    }
    if is_readable {
        // The other ways of reading say the same.
        observe_run(snapshot, String::new(), false).map_err(|error| format!("run {run}: {error}"))?;
    }
    Ok(())
}

fn is_part<T: PartialEq>(part: &[T], all: &[T]) -> bool {
    let mut rest = all.iter();
    part.iter().all(|one| rest.any(|known| known == one))
}

/// What became of a store with a damaged file.
#[derive(Debug)]
pub struct Look {
    /// What a check of the store names.
    pub damage: Vec<Damage>,
    /// Whether everything was read as before.
    pub same: bool,
}

/// A machine with the sample on it.
pub struct Bench {
    disk: SimDisk,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    pub fn new() -> Self {
        let disk = SimDisk::new(2);
        disk.set_wall_us(1_900_000_000_000_000);
        files().iter().for_each(|(path, bytes)| disk.set_contents(path, bytes.clone()));
        Self { disk }
    }

    /// Looks at the store with other bytes in the place of these files, for reading only.
    ///
    /// # Errors
    /// What was believed although it is damaged.
    pub fn look(&self, edits: &[(&Path, &[u8])]) -> Result<Look, String> {
        edits.iter().for_each(|(path, bytes)| self.disk.set_contents(path, bytes.to_vec()));
        let looked = look(&self.disk.process(), edits);
        for (path, _) in edits {
            let (_, good) = files().iter().find(|(known, _)| known == path).unwrap();
            self.disk.set_contents(path, good.clone());
        }
        looked
    }

    /// The points of a metric of a run that are left in the damaged store, opened for reading.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn points(&self, edits: &[(&Path, &[u8])], run: u8, metric: &str) -> crate::Result<Vec<(i64, i64, u64)>> {
        let store = options(&self.damaged(6, edits).process()).read_only(true).open(STORE)?;
        Ok(store.snapshot(run_id(run))?.metric(metric)?.skip_damaged(true).read()?.iter().map(bits).collect())
    }

    /// As [`Self::recover`], where nobody can tell that there was more.
    ///
    /// # Errors
    /// What was lost of what could be read.
    pub fn recover_to_part(&self, edits: &[(&Path, &[u8])]) -> Result<(), String> {
        let disk = self.damaged(7, edits);
        let before = read(&disk.process())?;
        let store = options(&disk.process()).open(STORE).map_err(|error| error.to_string())?;
        drop(store);
        kept(before.as_ref(), &read(&disk.process())?.ok_or("it cannot be opened any more")?)
    }

    fn damaged(&self, seed: u64, edits: &[(&Path, &[u8])]) -> SimDisk {
        let disk = self.disk.fork(seed);
        edits.iter().for_each(|(path, bytes)| disk.set_contents(path, bytes.to_vec()));
        disk
    }

    /// Opens the damaged store for writing, and compacts it: nothing that could be read before is gone, and of a file that
    /// had more to say there is a copy.
    ///
    /// # Errors
    /// What was lost or believed.
    pub fn recover(&self, edits: &[(&Path, &[u8])]) -> Result<(), String> {
        let disk = self.damaged(3, edits);
        let before = read(&disk.process())?;
        let env = disk.process();
        let incidents = match options(&env).open(STORE) {
            Err(error) => return check_refused(&error, edits),
            Ok(store) => {
                let _ = store.compact(&mut |_| {});
                store.incidents()
            }
        };
        let after = read(&disk.process())?;
        judge(&after, edits, &incidents)?;
        kept(before.as_ref(), after.as_ref().ok_or("it cannot be opened any more")?)?;
        check_kept_files(&disk, edits, &after.map(|after| after.shown).unwrap_or_default(), &incidents)
    }

    /// Repairs the damaged store: it is whole then, what could be read can be read, and nothing is deleted.
    ///
    /// # Errors
    /// What was lost, left or believed.
    pub fn repair(&self, edits: &[(&Path, &[u8])]) -> Result<RepairReport, String> {
        let disk = self.damaged(4, edits);
        let before = read(&disk.process())?;
        let report = options(&disk.process()).repair(STORE, &mut |_| {}).map_err(|error| error.to_string())?;
        check_repaired(&disk, before.as_ref(), edits, &report)?;
        Ok(report)
    }

    /// The same, when the process is killed, or the power fails, in any call of the repair, which is then begun again.
    ///
    /// # Errors
    /// As [`Self::repair`].
    pub fn repair_with_crashes(&self, edits: &[(&Path, &[u8])]) -> Result<u64, String> {
        let before = read(&self.damaged(5, edits).process())?;
        for at in 1.. {
            let mut struck = false;
            for (crash, power) in [(Crash::Before, false), (Crash::Torn, false), (Crash::Torn, true)] {
                let disk = self.damaged(1000 + at, edits);
                disk.crash_at(at, crash);
                let env = disk.process();
                let done = options(&env).repair(STORE, &mut |_| {});
                struck = env.fs.metadata(Path::new("/")).is_err();
                if struck && power {
                    disk.power_loss();
                }
                let context = |error: String| format!("crash at call {at}, {crash:?}, power {power}: {error}");
                if !struck {
                    done.map_err(|error| context(error.to_string()))?;
                    break;
                }
                disk.clear_plans();
                let again = options(&disk.process()).repair(STORE, &mut |_| {});
                let report = again.map_err(|error| context(format!("again: {error}")))?;
                check_repaired(&disk, before.as_ref(), edits, &report).map_err(context)?;
            }
            if !struck {
                return Ok(at - 1);
            }
        }
        Ok(0)
    }
}

/// What one opening for reading has shown.
struct Reading {
    shown: Shown,
    damage: Vec<Damage>,
    incidents: Vec<Incident>,
}

/// Reads and checks everything; `None` when the store does not open.
fn read(env: &Env) -> Result<Option<Reading>, String> {
    let Ok(store) = options(env).read_only(true).open(STORE) else { return Ok(None) };
    let shown = show(&store)?;
    let damage = store.verify(&mut |_| {}).map_err(|error| format!("verify: {error}"))?.damage;
    Ok(Some(Reading { shown, damage, incidents: store.incidents() }))
}

fn look(env: &Env, edits: &[(&Path, &[u8])]) -> Result<Look, String> {
    match read(env)? {
        None => {
            let error = options(env).read_only(true).open(STORE).map(|_| ()).unwrap_err();
            check_refused(&error, edits)?;
            let Error::Corrupt { path, offset, reason } = error else { return Err(format!("refused: {error}")) };
            Ok(Look { damage: vec![Damage { path, offset, reason }], same: false })
        }
        Some(reading) => {
            let incidents = reading.incidents.clone();
            let reading = Some(reading);
            let same = judge(&reading, edits, &incidents)?;
            Ok(Look { damage: reading.map(|reading| reading.damage).unwrap_or_default(), same })
        }
    }
}

/// Only the file that makes it a store keeps a store from being opened.
fn check_refused(error: &Error, edits: &[(&Path, &[u8])]) -> Result<(), String> {
    let named = edits.iter().any(|(path, _)| path.ends_with("store.tw") && error.to_string().contains("store.tw"));
    if named && error.kind() == ErrorKind::Corrupt { Ok(()) } else { Err(format!("refused: {error}")) }
}

/// Whether this run's files are among the damaged.
fn is_hit(run: RunId, edits: &[(&Path, &[u8])]) -> bool {
    let is_packed = PACKED.map(run_id).any(|packed| packed == run);
    edits.iter().any(|(path, _)| path.to_string_lossy().contains(&run.to_string()) || (is_packed && is_pack(path)))
}

fn is_pack(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "pack")
}

/// Compares with what the whole store shows; true when all is the same.
fn judge(reading: &Option<Reading>, edits: &[(&Path, &[u8])], incidents: &[Incident]) -> Result<bool, String> {
    let Some(Reading { shown, damage, .. }) = reading else { return Ok(false) };
    let mut same = true;
    // Listings believe the catalog: of one of another time a check tells.
    let is_old = edits.iter().any(|(path, _)| path.ends_with("catalog.tw") && damage.iter().any(|d| d.path == *path));
    for ((run, what), expected) in &whole().answers {
        let wrong = |found: &Answer| {
            let text = format!("{found:?}").chars().take(400).collect::<String>();
            Err(format!("{what} of run {run}: {text}"))
        };
        let Some(found) = shown.answers.get(&(*run, what.clone())) else {
            // Of a run that cannot be opened nothing is asked; a part of one lacks metrics.
            same = false;
            if is_hit(*run, edits) { continue } else { return wrong(&Answer::Missing) }
        };
        let hit = is_hit(*run, edits) || (*run == run_id(0) && edits.iter().any(|(path, _)| names(path, what)));
        match (expected, found) {
            (Answer::Text(a), Answer::Text(b)) if a == b => continue,
            (Answer::Points(a), Answer::Points(b)) if a == b => continue,
            (Answer::Text(_), Answer::Text(_)) if is_old && (what == "listed" || what == "run") => {}
            _ if !hit => return wrong(found),
            // Those of the user have no checksum.
            _ if what == "artifacts" && edits.iter().any(|(path, _)| path.to_string_lossy().contains(what)) => {}
            (_, Answer::Failed(error)) => {
                // A file that is gone, or in the place of another, is missed in the folder of its run.
                let places = edits.iter().flat_map(|(path, _)| path.ancestors().take(2));
                let names_it = places.into_iter().any(|path| error.to_string().contains(&path.display().to_string()));
                let is_gone = matches!(error, Error::NotFound { .. });
                if !(is_gone || (error.kind() == ErrorKind::Corrupt && names_it)) {
                    return wrong(found);
                }
            }
            (Answer::Points(all), Answer::Points(part)) if is_part(part, all) => {
                if !shown.partial.contains(run) && !what.starts_with("rest") && incidents.is_empty() {
                    return wrong(found);
                }
            }
            (_, Answer::Points(_)) => return wrong(found),
            (_, Answer::Missing) => {}
            // Of a part of the run, which says that it is one.
            (_, Answer::Text(_)) if shown.partial.contains(run) || !incidents.is_empty() => {}
            (_, Answer::Text(_)) => return wrong(found),
        }
        same = false;
    }
    Ok(same)
}

/// Whether the answer is about the experiment or model of this file.
fn names(path: &Path, what: &str) -> bool {
    if path.starts_with(Path::new(STORE).join("models")) {
        let is_of = |name: &&&str| path.file_stem().is_some_and(|stem| stem.to_str() == Some(&file_stem(name)));
        return MODELS.iter().find(is_of).is_some_and(|name| what.ends_with(&format!("model {name}")));
    }
    let id = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    path.ends_with("experiment.tw") && id.is_some_and(|id| what.ends_with(&format!(" {id}")))
}

/// Whether all points that could be read before can be read now.
fn kept(before: Option<&Reading>, after: &Reading) -> Result<(), String> {
    let Some(before) = before else { return Ok(()) };
    for run in (1..=RUNS).map(run_id) {
        for metric in METRICS {
            let rest = match before.shown.answers.get(&(run, format!("rest of {metric}"))) {
                Some(Answer::Points(points)) => points,
                _ => continue,
            };
            let now = match after.shown.answers.get(&(run, format!("rest of {metric}"))) {
                Some(Answer::Points(points)) => &points[..],
                _ => &[],
            };
            if !is_part(rest, now) {
                return Err(format!("{} of {} points of {metric} of run {run} are gone", now.len(), rest.len()));
            }
        }
    }
    Ok(())
}

/// A damaged file of which not all is shown is where it was, or a copy of it is in quarantine.
fn check_kept_files(
    disk: &SimDisk,
    edits: &[(&Path, &[u8])],
    after: &Shown,
    incidents: &[Incident],
) -> Result<(), String> {
    let present: Vec<PathBuf> = disk.files().into_iter().map(|(path, _)| path).collect();
    for (path, bytes) in edits {
        let run = (1..=RUNS).map(run_id).find(|run| path.to_string_lossy().contains(&run.to_string()));
        let all = METRICS.iter().all(|m| run.is_none_or(|run| after.points(run, m) == whole().points(run, m)));
        let stays = present.iter().any(|known| {
            (known == path || known.starts_with(Path::new(STORE).join("quarantine"))) && disk.contents(known) == *bytes
        });
        let is_data = path.extension().is_some_and(|ending| ending == "seg" || ending == "log");
        let says_nothing = bytes.iter().skip(4096).all(|byte| *byte == 0);
        let is_used_up = incidents.iter().any(|i| i.path == *path && i.what.ends_with("and nothing follows"));
        if is_data && !all && !stays && !says_nothing && !is_used_up {
            return Err(format!("{} is gone; incidents: {incidents:?}", path.display()));
        }
        if is_data && !all && incidents.is_empty() {
            return Err(format!("nobody is told of {}", path.display()));
        }
    }
    Ok(())
}

fn check_repaired(
    disk: &SimDisk,
    before: Option<&Reading>,
    edits: &[(&Path, &[u8])],
    report: &RepairReport,
) -> Result<(), String> {
    if !report.left.is_empty() {
        return Err(format!("left: {:?}", report.left));
    }
    let after = read(&disk.process())?.ok_or("it cannot be opened after the repair")?;
    if !after.damage.is_empty() {
        return Err(format!("still damaged: {:?}; {report:?}", after.damage));
    }
    // A repaired store need not say that there was more: the report did.
    for ((run, what), expected) in &whole().answers {
        let found = after.shown.answers.get(&(*run, what.clone()));
        let hit = is_hit(*run, edits) || (*run == run_id(0) && edits.iter().any(|(path, _)| names(path, what)));
        match (expected, found) {
            (Answer::Text(a), Some(Answer::Text(b))) if a == b => {}
            (Answer::Points(a), Some(Answer::Points(b))) if a == b || (hit && is_part(b, a)) => {}
            (Answer::Points(_), None) | (Answer::Text(_), _) if hit => {}
            (_, Some(Answer::Failed(Error::NotFound { .. }))) if hit => {}
            _ => return Err(format!("{what} of run {run} after the repair: {found:?}")),
        }
    }
    kept(before, &after)?;
    let files = disk.files();
    for (path, bytes) in edits {
        let copies = files.iter().filter(|(known, _)| known.starts_with(Path::new(STORE).join("quarantine")));
        // Of a pack the damaged segment is kept.
        let is_copy =
            |copy: &[u8]| copy == *bytes || (is_pack(path) && bytes.windows(copy.len()).any(|part| part == copy));
        let stays = copies.map(|(known, _)| known).any(|known| is_copy(&disk.contents(known)));
        let reported = before.is_none_or(|before| before.damage.iter().any(|damage| damage.path == *path));
        let nothing = bytes.iter().skip(4096).all(|byte| *byte == 0) && path.extension().is_some_and(|e| e == "log");
        if reported && !stays && !nothing {
            return Err(format!("{} was deleted: {report:?}", path.display()));
        }
    }
    let again = options(&disk.process()).repair(STORE, &mut |_| {}).map_err(|error| error.to_string())?;
    if again.repairs.is_empty() { Ok(()) } else { Err(format!("repaired again: {again:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_every_kind_of_file_and_shows_all_of_it() {
        let has = |ending: &str| files().iter().filter(|(path, _)| path.to_string_lossy().ends_with(ending)).count();
        // One of the segments is in the trash, one of the logs in quarantine.
        assert_eq!([".seg", ".log", ".tw", ".seg-new", ".pack"].map(has), [7, 5, 7, 1, 1]);
        assert_eq!(whole().points(run_id(5), "loss"), sample::points_of_two_logs());
        assert_eq!(whole().points(run_id(1), "late").len(), 70);
        // Segments of one, of another and of both: the bit of groups without an index.
        let bare = files()
            .iter()
            .filter(|(path, bytes)| path.extension().is_some_and(|e| e == "seg") && bytes.get(20) == Some(&1));
        assert_eq!(bare.count(), 2);
        assert_eq!(whole().points(run_id(4), "loss").len(), 12);
        let bytes: usize = files().iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes < 30_000, "{bytes}");
    }
}
