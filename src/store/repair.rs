//! Repairing: damaged pieces are set aside, what is good of them takes their place, and nothing is deleted.
//!
//! Each step leaves the store such that it can be opened and repaired again, wherever it is cut short: a copy of the damaged
//! file is durable in `quarantine/` before its place is given up, and what takes its place is durable before it goes. What a
//! run's files no longer say and the catalog still knows is written to a file of the run before the catalog forgets it.

use super::experiments::DEFAULT_NAME;
use super::maintenance::{Progress, seal_pending};
use super::open::{check_store_file, write_store_file};
use super::paths::{LOGGED_MODEL, Paths, is_model_file};
use super::quarantine::{copy_aside, move_aside};
use super::verify::{Damage, Found, Kind, Survey, read_catalog};
use super::{Incident, Shared, Store, lock, small_file};
use crate::catalog::Journal;
use crate::env::{Env, FileKind};
use crate::error::{Error, IoContext, Result};
use crate::format::experiment;
use crate::format::header::{FileType, HEADER_LEN, Header, is_ours, rebuild_like};
use crate::options::StoreOptions;
use crate::types::{Experiment, ExperimentId, FileId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One file that was damaged, and what became of it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// for repair in store.repair(&mut |_| {})?.repairs {
///     eprintln!("{}: {}", repair.path.display(), repair.what);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Where it was damaged.
    pub path: PathBuf,
    /// Where the damaged file is now, in the store's folder `quarantine`; `None` when there was no file.
    pub aside: Option<PathBuf>,
    /// What has taken its place.
    pub what: String,
}

/// Points of a metric that cannot be read any more.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// for loss in store.repair(&mut |_| {})?.losses {
///     eprintln!("run {}: {} points of {} are lost", loss.run, loss.points, loss.metric);
/// }
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The run.
    pub run: RunId,
    /// The metric's key.
    pub metric: String,
    /// How many of its points, as far as statistics or the catalog knew of them.
    pub points: u64,
}

/// What a repair did and what it could not do.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// let report = store.repair(&mut |_| {})?;
/// assert!(report.repairs.is_empty() && report.left.is_empty(), "it was whole");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// What was damaged and is repaired.
    pub repairs: Vec<Repair>,
    /// What is lost by it, as far as it is known what there was.
    pub losses: Vec<Loss>,
    /// What opening and recovery found and did: logs that lost their ends are sealed without them.
    pub recovered: Vec<Incident>,
    /// What is still wrong: files of a newer version, files that the system refuses, logs that are being written.
    pub left: Vec<Damage>,
}

/// Repairing makes files count that did not before, and those are checked too; more than a few rounds would be a mistake.
const MAX_ROUNDS: usize = 8;

impl Store {
    /// Sets aside what is damaged, keeps what is good of it readable in the same place, and leaves a store in which
    /// [`Self::verify`] finds nothing wrong. Nothing is deleted: the damaged files are in the store's folder `quarantine`.
    ///
    /// Of a damaged segment the chunks that pass their checksums are kept, of a log the frames before the damaged one; the
    /// catalog is made anew, and so is the file of an experiment, with the name that its runs remember. A registered or logged model whose
    /// file is damaged is no longer in the store: nothing else knows of it. Params, tags and
    /// status that only the catalog still knows are written to the run. Reads the store at least twice. Works beside
    /// writers; what they are writing is left alone. A damaged `store.tw` keeps a store from being opened at all:
    /// [`StoreOptions::repair`] mends that too.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// let report = store.repair(&mut |_| {})?;
    /// assert!(report.left.is_empty());
    /// assert!(store.verify(&mut |_| {})?.damage.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// A read-only store; system errors, after which it can be called again.
    pub fn repair(&self, progress: &mut dyn FnMut(Progress)) -> Result<RepairReport> {
        let shared = &self.shared;
        shared.check_writable()?;
        // What cannot be sealed may be what is damaged.
        seal_pending(shared).unwrap_or_else(|error| shared.note_once(shared.paths.root(), &error));
        let mut report = RepairReport::default();
        let mut tried = BTreeSet::new();
        for round in 0.. {
            let survey = shared.survey(progress)?;
            let is_new = |found: &Found| tried.insert((found.damage.path.clone(), found.damage.offset));
            let news = survey.found.iter().filter(|found| found.corrupt).map(is_new).filter(|new| *new).count();
            if news == 0 || round == MAX_ROUNDS {
                report.left = survey.report().damage;
                break;
            }
            shared.repair_found(&survey, &mut report)?;
        }
        report.recovered = self.incidents();
        Ok(report)
    }

    /// See [`StoreOptions::repair`].
    pub(crate) fn repair_at(
        path: &Path,
        options: StoreOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RepairReport> {
        let env = options.env.clone().unwrap_or_else(Env::real);
        let paths = Paths::new(&std::path::absolute(path).at(path, "find")?);
        if options.read_only {
            let cause = "it was to be opened for reading only";
            return Err(Error::ReadOnly { path: paths.root().to_path_buf(), cause });
        }
        let mut first: Vec<Repair> = mend_store_file(&env, &paths)?.into_iter().collect();
        // Opening rebuilds it, in its place.
        first.extend(keep_damaged_catalog(&env, &paths)?);
        let store = Self::open_with(path, options.create(false).background(false))?;
        let mut report = store.repair(progress)?;
        report.repairs.splice(0..0, first);
        store.close()?;
        Ok(report)
    }
}

impl Shared {
    fn repair_found(&self, survey: &Survey, report: &mut RepairReport) -> Result<()> {
        let corrupt = || survey.found.iter().filter(|found| found.corrupt);
        if !survey.unlike.is_empty() || corrupt().any(|found| found.kind == Kind::Catalog) {
            let damaged = corrupt().any(|found| found.kind == Kind::Catalog);
            report.repairs.push(self.repair_catalog(damaged)?);
        }
        for found in corrupt() {
            if let Kind::Pack(experiment) = found.kind {
                report.repairs.extend(self.repair_pack(experiment, &found.damage.path)?);
            }
        }
        // Before the experiments: their runs remember their names.
        let mut runs: BTreeMap<(ExperimentId, RunId), BTreeSet<&Path>> = BTreeMap::new();
        for found in corrupt() {
            if let Kind::OfRun(experiment, run) = found.kind {
                runs.entry((experiment, run)).or_default().insert(&found.damage.path);
            }
        }
        for ((experiment, run), paths) in runs {
            self.repair_run(experiment, run, &paths, report)?;
        }
        for found in corrupt() {
            match found.kind {
                Kind::Experiment(id) => report.repairs.push(self.repair_experiment(id)?),
                Kind::LoggedModel(experiment, id) => {
                    report.repairs.extend(self.repair_logged_model(experiment, id)?);
                }
                Kind::Model => report.repairs.push(self.repair_model(&found.damage.path)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the catalog anew from what is known, and where that is not all, from the run folders. `damaged`: else it is
    /// whole and says what is not so of some runs, which is put right run by run.
    fn repair_catalog(&self, damaged: bool) -> Result<Repair> {
        let path = self.paths.catalog_file();
        let is_file = |path: &Path| self.env.fs.metadata(path).is_ok_and(|metadata| metadata.kind == FileKind::File);
        // What is no file is moved where the journal is made anew.
        let aside = match is_file(&path) {
            true => Some(copy_aside(&self.env, &self.paths, &path, "catalog.tw")?),
            false => None,
        };
        if damaged {
            // It may be whole and say what the files do not.
            lock(&self.journal).lose();
            self.with_journal(Journal::rewrite)?;
            self.match_folders()?;
            self.recover_runs()?;
        }
        let what =
            if damaged { "it was made anew" } else { "what it says is brought in line with the files of the runs" };
        Ok(Repair { path, aside, what: what.to_owned() })
    }

    fn repair_experiment(&self, id: ExperimentId) -> Result<Repair> {
        let path = self.paths.experiment_file(id);
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        let name = format!("experiment-{id}.tw");
        let known = self.salvage_experiment(id, &path);
        let aside = match self.env.fs.metadata(&path).at(&path, "look at")?.kind {
            FileKind::File => copy_aside(&self.env, &self.paths, &path, &name)?,
            _ => move_aside(&self.env, &self.paths, &path, &name)?,
        };
        let what = match known {
            Some(experiment) => {
                self.write_experiment(&experiment)?;
                "only its header was damaged: it is as before"
            }
            None if id == ExperimentId::DEFAULT => {
                self.new_experiment(id, DEFAULT_NAME)?;
                "it was made anew; its tags and whether it was deleted are lost"
            }
            None => {
                self.adopt_experiment(id, &self.runs_on_disk()?)?;
                "it was made anew with the name that its runs remember; its tags and whether it was deleted are lost"
            }
        };
        Ok(Repair { path, aside: Some(aside), what: what.to_owned() })
    }

    /// The experiment, when its file has a damaged header and a body that passes its checksum.
    fn salvage_experiment(&self, id: ExperimentId, path: &Path) -> Option<Experiment> {
        let found = small_file::salvage(&self.env, path, FileType::Experiment, experiment::decode);
        found.filter(|experiment| experiment.id == id)
    }
}

/// Makes the file anew that makes the folder a store, when it is damaged or missing and it is certain what it said: this
/// version and no feature. It says so for the whole store, and a later version may forbid this one to write.
fn mend_store_file(env: &Env, paths: &Paths) -> Result<Option<Repair>> {
    let path = paths.store_file();
    let error = match check_store_file(env, paths) {
        Ok(_) => return Ok(None),
        Err(error) => error,
    };
    let kind = env.fs.metadata(&path).map(|metadata| metadata.kind);
    let runs = paths.experiments();
    match (&kind, &error) {
        // A folder that never was a store does not become one.
        (Err(_), _) if error.is_missing_file() && env.fs.read_dir(&runs).is_ok() => {}
        (Err(_), _) if env.fs.metadata(paths.root()).is_err() => {
            return Err(Error::not_found("store", paths.root().display()));
        }
        (Ok(FileKind::File), Error::Corrupt { .. }) | (Ok(FileKind::Dir | FileKind::Other), _) => {}
        _ => return Err(error),
    }
    let file = env.fs.open(&path).ok();
    let mut bytes = [0; HEADER_LEN];
    let read = file.and_then(|file| file.read_at(&mut bytes, 0).ok()).unwrap_or(0);
    let bytes = bytes.get(..read).unwrap_or_default();
    let likely = [true, false].map(|packs| Header::of_store(FileId([0; 16]), packs));
    let said = likely.iter().find(|header| rebuild_like(bytes, header).is_some());
    if said.is_none() && !others_are_ours(env, paths)? {
        let reason =
            format!("{error}; it was left so, since nothing tells whether this version may write to the store");
        return Err(Error::corrupt(&path, 0, reason));
    }
    let (locks, lock) = (paths.locks(), paths.store_lock());
    env.fs.create_dir_all(&locks).at(&locks, "create")?;
    let _store_lock = env.fs.lock(&lock).at(&lock, "lock")?;
    let aside = match kind {
        Ok(FileKind::File) => Some(copy_aside(env, paths, &path, "store.tw")?),
        Ok(_) => Some(move_aside(env, paths, &path, "store.tw")?),
        Err(_) => None,
    };
    // What it does not say it may have said.
    write_store_file(env, paths, said.is_none_or(|header| header.required != 0))?;
    Ok(Some(Repair { path, aside, what: "it was made anew".to_owned() }))
}

/// Whether there are other files with good headers, and this version or an older one has written them all: a later one
/// writes its number into each.
fn others_are_ours(env: &Env, paths: &Paths) -> Result<bool> {
    let mut known = 0;
    let mut folders = vec![paths.experiments(), paths.models(), paths.catalog_dir()];
    while let Some(folder) = folders.pop() {
        for entry in env.fs.read_dir(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            let file_type = match entry.name.rsplit_once('.') {
                _ if entry.kind == FileKind::Dir && entry.name != super::paths::ARTIFACTS => {
                    folders.push(path);
                    continue;
                }
                _ if entry.kind != FileKind::File => continue,
                _ if entry.name == "catalog.tw" => FileType::Catalog,
                _ if entry.name == "experiment.tw" => FileType::Experiment,
                _ if folder == paths.models() && is_model_file(&entry.name) => FileType::Model,
                _ if entry.name == LOGGED_MODEL => FileType::LoggedModel,
                Some((_, "points")) => FileType::ModelPoints,
                Some((_, "seg")) => FileType::Segment,
                Some((_, "log")) => FileType::Log,
                Some((_, "pack")) => FileType::Pack,
                _ => continue,
            };
            let mut bytes = [0; HEADER_LEN];
            let read = env.fs.open(&path).and_then(|file| file.read_at(&mut bytes, 0)).at(&path, "read")?;
            match Header::decode(bytes.get(..read).unwrap_or_default(), file_type) {
                Ok(_) if is_ours(&bytes) => known += 1,
                Err(crate::format::header::HeaderError::Damaged(_)) => {}
                _ => return Ok(false),
            }
        }
    }
    Ok(known > 0)
}

/// Copies the catalog aside if it is damaged.
fn keep_damaged_catalog(env: &Env, paths: &Paths) -> Result<Option<Repair>> {
    let path = paths.catalog_file();
    if !env.fs.metadata(&path).is_ok_and(|metadata| metadata.kind == FileKind::File) {
        return Ok(None);
    }
    match read_catalog(env, &path, &mut Vec::new()) {
        Err(Error::Corrupt { .. }) => {
            let aside = Some(copy_aside(env, paths, &path, "catalog.tw")?);
            Ok(Some(Repair { path, aside, what: "it was made anew from the folders of the runs".to_owned() }))
        }
        _ => Ok(None),
    }
}
