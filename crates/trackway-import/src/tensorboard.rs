//! TensorBoard's event files. A folder with event files is a run; its files are read in the order of their names, which
//! begin with the time at which they were begun, so that a training that went on in a new file extends its run.

use crate::error::{At as _, Error, Result};
use crate::event::{Event, Kind};
use crate::id::derived;
use crate::session::{Report, Session, SourceExperiment, Watch};
use crate::target::{Facts, Rule, Target, clean_name};
use crate::tfrecord::{Records, Stop};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use trackway::{ExperimentId, Point, Store};

/// What the names of event files have in them.
const MARK: &str = "tfevents";

/// Folders below the log folder, one in another.
const MAX_DEPTH: usize = 64;

/// Choices of [`import_tensorboard`].
#[derive(Clone, Debug)]
pub struct TensorboardOptions {
    /// Experiment of the runs, created when missing.
    pub experiment: String,
    /// Put before the names of the runs, which are their folders: tells log folders with equal ones apart.
    pub prefix: String,
}

impl Default for TensorboardOptions {
    fn default() -> Self {
        Self { experiment: "Default".to_owned(), prefix: String::new() }
    }
}

/// Imports the scalars of all event files below a folder: tags become metrics, wall times timestamps, rounded to
/// milliseconds. The id of a run is derived from the experiment and the run's name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
/// use trackway_import::{TensorboardOptions, import_tensorboard, keep_going};
///
/// let options = TensorboardOptions { experiment: "digits".into(), ..TensorboardOptions::default() };
/// let report = import_tensorboard(&store, &data.join("tensorboard"), &options, &mut keep_going).unwrap();
/// assert!(report.points > 0 && report.failures.is_empty());
/// # Ok::<(), trackway::Error>(())
/// ```
///
/// # Errors
/// No event file is there, the store cannot be written, the caller stopped it. What goes wrong with a single run is in
/// [`Report::failures`], and the other runs are imported.
pub fn import_tensorboard(
    store: &Store,
    path: &Path,
    options: &TensorboardOptions,
    watch: Watch<'_>,
) -> Result<Report> {
    let mut session = Session::new(store, watch)?;
    let runs = find_runs(path)?;
    if runs.is_empty() {
        return Err(Error::source(path, format!("no event file is below it: none has {MARK} in its name")));
    }
    let (name, tags) = (options.experiment.clone(), BTreeMap::new());
    let experiment = session.experiment(&SourceExperiment { name, is_deleted: false, tags })?;
    session.progress.total_runs = runs.len() as u64;
    for (below, files) in runs {
        let name = format!("{}{}", options.prefix, if below.is_empty() { "." } else { &below });
        let what = path.join(&below).display().to_string();
        session.run(&what, |session| import_run(session, experiment, options, &name, &files))?;
    }
    Ok(session.report)
}

/// What a run's files say besides their points.
#[derive(Default)]
struct Seen {
    /// Tags whose first event said which plugin they are of.
    plugins: HashMap<String, String>,
    left_out: BTreeMap<&'static str, u64>,
}

fn import_run(
    session: &mut Session<'_>,
    experiment: ExperimentId,
    options: &TensorboardOptions,
    name: &str,
    files: &[PathBuf],
) -> Result<()> {
    // Files that have no whole event yet are no run yet.
    let Some(start_time) = begin_of(files)? else { return Ok(()) };
    let id = derived(&["tensorboard", &options.experiment, name]);
    let place = files.first().map_or_else(String::new, |file| file.display().to_string());
    let facts = Facts::of_ended(id, place, clean_name(name), start_time);
    let Some(mut target) = Target::begin(session, experiment, facts, Rule::Same)? else { return Ok(()) };
    let (mut seen, mut damage) = (Seen::default(), None);
    for file in files {
        match read_file(session, &mut target, file, &mut seen) {
            // What a later file has comes behind what is lost here, so it has to wait.
            Err(error @ Error::Damaged { .. }) => {
                damage = Some(error);
                break;
            }
            other => other?,
        }
    }
    for (kind, count) in seen.left_out {
        session.note(format!("run {name:?}: {count} x {kind} left out"));
    }
    // Points of this source are in the order of the source or an error, so none is read again.
    target.end(session, &mut |_, _| Ok(()))?;
    damage.map_or(Ok(()), Err)
}

/// Reads the scalars and params of a file.
fn read_file(session: &mut Session<'_>, target: &mut Target, path: &Path, seen: &mut Seen) -> Result<()> {
    read_events(path, &mut |event, damaged| {
        for value in event.values() {
            let value = value.map_err(|_| damaged("a value of its summary is cut or malformed"))?;
            if !seen.plugins.contains_key(&value.tag) {
                seen.plugins.insert(value.tag.clone(), value.plugin.clone());
            }
            let plugin = seen.plugins.get(&value.tag).map_or("", String::as_str);
            let number = match value.kind {
                Kind::Scalar(number) => Ok(number),
                Kind::Tensor(number) if plugin.is_empty() || plugin == "scalars" => Ok(number),
                Kind::Tensor(_) => Err("tensor"),
                Kind::Params(params) => {
                    target.add_params(params)?;
                    continue;
                }
                Kind::Other("tensor") if plugin == "text" => Err("text"),
                Kind::Other(kind) => Err(kind),
            };
            match number {
                Ok(number) => {
                    let timestamp = milliseconds(event.wall_time);
                    let timestamp = timestamp.ok_or_else(|| damaged("its wall time is no time"))?;
                    target.push(session, &value.tag, Point::new(event.step, timestamp, number))?;
                }
                Err(kind) => *seen.left_out.entry(kind).or_default() += 1,
            }
        }
        Ok(())
    })
}

/// When the first event of all was.
fn begin_of(files: &[PathBuf]) -> Result<Option<i64>> {
    for path in files {
        let mut records = Records::new(BufReader::new(File::open(path).at(path, "open")?));
        // What cannot be read is told when the points are.
        if let Some(event) = records.read().ok().and_then(|content| Event::decode(content).ok()) {
            return Ok(milliseconds(event.wall_time));
        }
    }
    Ok(None)
}

/// Makes an error of the event at hand.
type Damaged<'a> = &'a dyn Fn(&'static str) -> Error;

/// Reads the events of a file. One that ends inside an event is still being written.
fn read_events(path: &Path, each: &mut dyn FnMut(&Event<'_>, Damaged<'_>) -> Result<()>) -> Result<()> {
    let file = File::open(path).at(path, "open")?;
    let mut records = Records::new(BufReader::with_capacity(1 << 16, file));
    loop {
        let offset = records.next_offset();
        let damaged = |reason: &str| Error::Damaged { path: path.to_path_buf(), offset, reason: reason.to_owned() };
        match records.read() {
            Ok(content) => {
                let event = Event::decode(content).map_err(|_| damaged("it is no event"))?;
                each(&event, &damaged)?;
            }
            Err(Stop::End) => return Ok(()),
            Err(Stop::Damaged(reason)) => return Err(damaged(reason)),
            Err(Stop::Io(error)) => return Err(error).at(path, "read"),
        }
    }
}

/// The nearest millisecond; `None` for what is no time.
fn milliseconds(seconds: f64) -> Option<i64> {
    let milliseconds = (seconds * 1000.0).round();
    // Beyond this a double does not hold whole numbers, and no clock goes there.
    (milliseconds.abs() <= 9e15).then_some(milliseconds as i64)
}

/// Folders with event files, by their path below the log folder, each with its files in order. Links to folders are not
/// followed, links to files are.
fn find_runs(root: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![(root.to_path_buf(), Vec::<String>::new())]);
    while let Some((folder, names)) = todo.pop() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).at(&folder, "list")? {
            let entry = entry.at(&folder, "list")?;
            let path = entry.path();
            let name = entry.file_name().into_string();
            if entry.file_type().at(&path, "look at")?.is_dir() {
                let name = name.map_err(|_| Error::source(&path, "its name is not UTF-8"))?;
                if names.len() < MAX_DEPTH {
                    todo.push((path, [names.as_slice(), &[name]].concat()));
                }
            } else if name.is_ok_and(|name| name.contains(MARK)) {
                files.push(path);
            }
        }
        if !files.is_empty() {
            files.sort();
            found.insert(names.join("/"), files);
        }
    }
    Ok(found)
}
