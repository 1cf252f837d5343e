//! Whole files, by themselves and in a store.

use super::super::meter::decoding;
use super::super::observe::bits;
use super::super::pools::Bits;
use super::bytes::given_to;
use super::edited;
use crate::env::sim::SimDisk;
use crate::env::{Env, Region};
use crate::log::{LogReader, Opened};
use crate::segment::{Head, SegmentPlace, SegmentReader};
use crate::{ExperimentId, NewRun, RunFilter, RunId, Store, StoreOptions, View};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub(super) const STORE: &str = "/s";
/// The metrics of the samples.
const METRICS: [&str; 4] = ["loss", "acc", "late", "wide"];

type Series = BTreeMap<String, Vec<Bits>>;

/// The files of a small store: one run sealed and compacted, one sealed twice, one with a log whose writer was killed.
pub(super) struct Sample {
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
    runs: BTreeMap<RunId, Series>,
}

pub(super) fn options(env: &Env) -> StoreOptions {
    let mut options = StoreOptions::new().background(false).chunk_rows(64);
    options.env = Some(env.clone());
    // Also so few runs are indexed, or nothing here would be.
    options.index_from = Some(1);
    options
}

fn log_some(store: &Store, id: RunId, from: i64, to: i64) -> crate::Result<()> {
    let run = store.resume_run(id)?;
    for step in from..to {
        let value = 1.0 / (step + 1) as f64;
        run.log_metrics_at(step, 1_700_000_000_000 + step * 10, &[("loss", value), ("acc", f64::from(value as f32))])?;
        // Logged a moment after the others: compaction makes them its sister.
        run.log_metric_at("late", step, 1_700_000_000_000 + step * 10 + step % 2, value)?;
        if step % 3 == 0 {
            run.log_metric_at("wide", step * step, step, if step % 2 == 0 { f64::NAN } else { value })?;
        }
    }
    // Each part has another name, so that it stays a group of one row when two parts become one.
    run.log_metrics_at(to, 1_700_000_000_000, &[(&*format!("best/{from}"), 0.1), ("epochs", to as f64)])?;
    run.set_tag("note", "a tag")?;
    run.sync()?;
    run.finish()
}

pub(super) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| make_sample().unwrap())
}

fn make_sample() -> crate::Result<Sample> {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let ids: Vec<RunId> = (1..4).map(|byte| RunId::from_bytes([byte; 16])).collect();
    let store = options(&env).open(STORE)?;
    store.create_experiment("digits")?;
    for id in &ids {
        store.create_run(NewRun::new(ExperimentId::DEFAULT).id(*id).name("sample").param("lr", "0.1"))?.finish()?;
    }
    log_some(&store, ids[0], 0, 150)?;
    log_some(&store, ids[1], 0, 100)?;
    store.maintain()?;
    store.compact(&mut |_| {})?;
    drop(store);
    // Another process goes on, and is killed.
    let env = disk.process();
    let store = options(&env).open(STORE)?;
    log_some(&store, ids[1], 90, 120)?;
    store.maintain()?;
    let run = store.resume_run(ids[2])?;
    for step in 0..120 {
        run.log_metric_at("loss", step, step, step as f64)?;
        if step % 40 == 0 {
            run.sync()?;
        }
    }
    disk.kill(&env);
    let files = disk.files().into_iter().map(|(path, _)| path);
    let files = files.filter(|path| path.extension().is_some()).map(|path| (path.clone(), disk.contents(&path)));
    let mut sample = Sample { files: files.collect(), runs: BTreeMap::new() };
    let reader = options(&disk.process()).read_only(true).open(STORE)?;
    for id in ids {
        sample.runs.insert(id, read_run(&reader, id)?);
    }
    Ok(sample)
}

fn read_run(store: &Store, id: RunId) -> crate::Result<Series> {
    let snapshot = store.snapshot(id)?;
    let mut series = Series::new();
    for key in snapshot.run().metrics.keys() {
        series.insert(key.to_string(), snapshot.metric(key)?.read()?.iter().map(bits).collect());
    }
    Ok(series)
}

/// The largest file of a kind: it has most to damage.
pub(super) fn file_with(extension: &str) -> (&'static Path, &'static [u8]) {
    let files = sample().files.iter().filter(|(path, _)| path.extension().is_some_and(|found| found == extension));
    files.map(|(path, bytes)| (path.as_path(), &bytes[..])).max_by_key(|(_, bytes)| bytes.len()).unwrap()
}

/// The run whose folder a file lies in.
pub(super) fn file_of_run(path: &Path) -> Option<RunId> {
    sample().runs.keys().find(|id| path.to_string_lossy().contains(&id.to_string())).copied()
}

/// Edits of a valid file, or, when the first byte is odd, bytes as they are.
pub(super) fn file_bytes(original: &[u8], bytes: &[u8]) -> Vec<u8> {
    match bytes.split_first() {
        Some((first, rest)) if first % 2 == 1 => rest.to_vec(),
        Some((_, edits)) => edited(original, edits),
        None => Vec::new(),
    }
}

/// Reads all of a segment; `None` where it is damaged.
fn read_segment(bytes: Vec<u8>) -> Option<BTreeMap<String, Vec<Option<Vec<Bits>>>>> {
    let segment = SegmentReader::from_region(Region::from_vec(bytes), &SegmentPlace::file(Path::new("s.seg"))).ok()?;
    let mut all: BTreeMap<String, Vec<Option<Vec<Bits>>>> = BTreeMap::new();
    for series in segment.series() {
        let chunks = all.entry(series.metric.clone()).or_default();
        let Ok(index) = segment.group(series.group as usize) else {
            chunks.push(None);
            continue;
        };
        for (chunk, axis) in index.axis.iter().enumerate() {
            let Some(column) = index.column(series.position as usize, chunk) else {
                chunks.push(None);
                continue;
            };
            let (mut steps, mut times, mut floats) = (Vec::new(), Vec::new(), Vec::new());
            let read = segment
                .read_axis(series.group as usize, &index, chunk, &mut steps, &mut times)
                .and_then(|()| segment.read_floats(column, axis.rows, &mut floats));
            let points =
                steps.into_iter().zip(times).zip(floats).map(|((step, time), value)| (step, time, value.to_bits()));
            chunks.push(read.is_ok().then(|| points.collect()));
        }
    }
    Some(all)
}

/// A segment is refused, or what is read of it is what was written.
pub fn segment(bytes: &[u8]) {
    static WHOLE: OnceLock<BTreeMap<String, Vec<Option<Vec<Bits>>>>> = OnceLock::new();
    let (_, original) = file_with("seg");
    let whole = WHOLE.get_or_init(|| read_segment(original.to_vec()).unwrap());
    let is_edit = bytes.first().is_some_and(|first| first % 2 == 0);
    let Some(found) = read_segment(file_bytes(original, bytes)) else { return };
    if !is_edit {
        return;
    }
    for (metric, chunks) in &found {
        let expected = &whole[metric];
        for (number, chunk) in chunks.iter().enumerate() {
            if let Some(points) = chunk {
                assert_eq!(Some(points), expected[number].as_ref(), "{metric}, chunk {number}");
            }
        }
    }
}

/// A log gives a beginning of what was written to it, in both ways of reading.
pub fn log(bytes: &[u8]) {
    let (_, original) = file_with("log");
    let is_edit = bytes.first().is_some_and(|first| first % 2 == 0);
    let file = file_bytes(original, bytes);
    for live in [true, false] {
        let Some(head) = read_log(&file, live) else { continue };
        for series in head.series().filter(|_| is_edit) {
            let found: Vec<Bits> = head.points(series, 0).map(bits).collect();
            let expected = sample().runs.values().filter_map(|run| run.get(&series.metric));
            assert!(expected.clone().any(|points| points.starts_with(&found)), "{}: {found:?}", series.metric);
        }
    }
}

/// What a log says, as far as it can be read; `None` when it is refused. `live`: as one that is being written.
pub(super) fn read_log(bytes: &[u8], live: bool) -> Option<Head> {
    let disk = SimDisk::new(2);
    disk.set_contents("/a.log", bytes);
    let env = disk.process();
    let read = || {
        let Ok(Opened::Log(mut reader)) = LogReader::open(&env, Path::new("/a.log")) else { return None };
        let mut head = Head::default();
        let mut visit = |payload: &[u8], from: usize| head.ingest(payload, from);
        let _ = if live { reader.read_live(&mut visit) } else { reader.read_dead(&mut visit) };
        Some(head)
    };
    decoding("a log", |head| head.as_ref().map_or(bytes.len(), |head| given_to(head, bytes.len())), read)
}

/// A store of which one file is damaged, cut, filled with something else or gone: it is refused with an error, or shows
/// of each metric an error or a beginning of what was written; the other runs are whole.
pub fn store_files(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let sample = sample();
    let damaged = usize::from(*which) % sample.files.len();
    let disk = SimDisk::new(3);
    for (number, (path, original)) in sample.files.iter().enumerate() {
        let content = if number == damaged { file_bytes(original, rest) } else { original.clone() };
        disk.set_contents(path, content);
    }
    let path = &sample.files[damaged].0;
    for read_only in [true, false] {
        let Ok(store) = options(&disk.process()).read_only(read_only).open(STORE) else { continue };
        let _ = store.experiments();
        let _ = store.statistics();
        let _ = store.verify(&mut |_| {});
        for (id, expected) in &sample.runs {
            check_run(&store, *id, expected, path);
        }
        if let Ok(runs) = store.runs(&RunFilter { view: View::All, ..RunFilter::default() }) {
            runs.iter().for_each(|run| assert!(sample.runs.contains_key(&run.id), "run {} was invented", run.id));
        }
        if !read_only {
            let _ = store.compact(&mut |_| {});
            sample.runs.iter().for_each(|(id, expected)| check_run(&store, *id, expected, path));
        }
    }
}

fn check_run(store: &Store, id: RunId, expected: &Series, damaged: &Path) {
    let own = damaged.to_string_lossy().contains(&id.to_string());
    let Ok(snapshot) = store.snapshot(id) else {
        assert!(own, "run {id} cannot be read because of {}", damaged.display());
        return;
    };
    for metric in METRICS {
        let Some(expected) = expected.get(metric) else { continue };
        let read = snapshot.metric(metric).and_then(|query| query.read());
        match read {
            Err(error) => assert!(own, "{metric} of run {id}: {error}, because of {}", damaged.display()),
            Ok(points) => {
                let points: Vec<Bits> = points.iter().map(bits).collect();
                assert!(own || points == *expected, "{metric} of run {id} because of {}", damaged.display());
                let mut rest = expected.iter();
                assert!(
                    points.iter().all(|point| rest.any(|known| known == point)),
                    "{metric} of run {id} is invented"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segment_that_is_damaged_has_groups_with_an_index_and_without() {
        let region = Region::from_vec(file_with("seg").1.to_vec());
        let segment = SegmentReader::from_region(region, &SegmentPlace::file(Path::new("s.seg"))).unwrap();
        let bare = (0..segment.group_count()).filter(|group| segment.is_bare(*group)).count();
        assert!(0 < bare && bare < segment.group_count(), "{bare} of {}", segment.group_count());
    }
}
