//! Stores of past format versions, read for ever, by the engine and by the reader in Python that knows only
//! `docs/format.md`. The files under `tests/data/v1` are never changed; `expected.txt` is what is in them, in the form
//! that `tests/reader/dump.py` describes, but that the points of a long metric are one line: how many, and the CRC-32 of
//! their lines.

use crate::support::{Scene, copy_dir};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use trackway::{
    Artifacts, ExperimentId, LifecycleStage, NewRun, Point, Run, RunFilter, RunId, RunWriter, Store, StoreOptions, View,
};

const TIME: i64 = 1_700_000_000_000;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn golden() -> PathBuf {
    tests().join("data/v1/store")
}

fn expected() -> String {
    std::fs::read_to_string(tests().join("data/v1/expected.txt")).unwrap()
}

/// No background thread, and deleted runs stay.
pub(crate) fn quiet() -> StoreOptions {
    StoreOptions::new().background(false).deleted_retention(Duration::MAX)
}

/// Percent-encodes what is not `A-Z a-z 0-9 _ . - ~ /`.
pub(crate) fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub(crate) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn stage(stage: LifecycleStage) -> &'static str {
    if stage == LifecycleStage::Deleted { "deleted" } else { "active" }
}

fn point_line(metric: &str, point: Point) -> String {
    format!("point {} {} {} {:016x}", quote(metric), point.step, point.timestamp, point.value.to_bits())
}

/// Everything in a store through the public interface.
pub(crate) fn dump(store: &Store) -> String {
    let mut out = String::new();
    for e in store.experiments().unwrap() {
        let (stage, name) = (stage(e.lifecycle_stage), quote(&e.name));
        writeln!(
            out,
            "experiment {} stage={stage} created={} changed={} name={name}",
            e.id, e.created_at, e.updated_at
        )
        .unwrap();
        for (key, value) in &e.tags {
            writeln!(out, "experiment-tag {}={}", quote(key), quote(value)).unwrap();
        }
    }
    let mut runs = store.runs(&RunFilter { view: View::All, ..RunFilter::default() }).unwrap();
    runs.sort_by_key(|run| (run.experiment_id, run.id));
    runs.iter().for_each(|run| dump_run(store, run, &mut out));
    out
}

fn dump_run(store: &Store, run: &Run, out: &mut String) {
    let cause = format!("{:?}", run.status_cause).to_lowercase();
    let (user, name) = (quote(&run.user), quote(&run.name));
    write!(out, "run {} experiment={} status={} cause={cause}", run.id, run.experiment_id, run.status).unwrap();
    write!(out, " start={} end={}", run.start_time, or_dash(run.end_time)).unwrap();
    let (deleted, parent) = (or_dash(run.deleted_at), or_dash(run.parent));
    writeln!(out, " deleted={deleted} parent={parent} user={user} name={name}").unwrap();
    for (what, texts) in [("param", &run.params), ("tag", &run.tags)] {
        for (key, value) in texts {
            writeln!(out, "{what} {}={}", quote(key), quote(value)).unwrap();
        }
    }
    let snapshot = store.snapshot(run.id).unwrap();
    assert_eq!(format!("{:?}", snapshot.run()), format!("{run:?}"), "the catalog and the files say the same");
    for (metric, summary) in &run.metrics {
        let points = snapshot.metric(metric).unwrap().read().unwrap();
        assert_eq!(points.len() as u64, summary.count);
        points.iter().for_each(|point| writeln!(out, "{}", point_line(metric, point)).unwrap());
    }
    dump_artifacts(&store.artifacts(run.id).unwrap(), "", out);
}

/// A dump as `expected.txt` has it.
fn condense(dump: &str) -> String {
    const LONG: usize = 200;
    let (mut out, mut lines) = (String::new(), dump.lines().peekable());
    let metric = |line: &str| line.strip_prefix("point ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    while let Some(first) = lines.next() {
        let Some(name) = metric(first) else {
            writeln!(out, "{first}").unwrap();
            continue;
        };
        let mut points = vec![first];
        while let Some(line) = lines.next_if(|line| metric(line).as_ref() == Some(&name)) {
            points.push(line);
        }
        if points.len() > LONG {
            let crc = crc32fast::hash(points.join("\n").as_bytes());
            writeln!(out, "points {name} {} {crc:08x}", points.len()).unwrap();
        } else {
            points.iter().for_each(|line| writeln!(out, "{line}").unwrap());
        }
    }
    out
}

fn dump_artifacts(artifacts: &Artifacts, folder: &str, out: &mut String) {
    for found in artifacts.list(folder).unwrap() {
        if found.is_dir {
            dump_artifacts(artifacts, &found.path, out);
        } else {
            let crc = crc32fast::hash(&artifacts.read(&found.path).unwrap());
            writeln!(out, "artifact {} {} {crc:08x}", quote(&found.path), found.size_bytes).unwrap();
        }
    }
}

/// What the reader in Python prints, or `None` without a Python.
pub(crate) fn python_dump(store: &Path) -> Option<String> {
    run_python(&[], store)
}

pub(crate) fn run_python(options: &[&str], store: &Path) -> Option<String> {
    let program = tests().join("reader/dump.py");
    let ran = Command::new("python3").arg("-B").arg(program).args(options).arg(store).output();
    let Ok(output) = ran else {
        println!("skipped: there is no python3 here");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Compares line by line. Returns how many numbers the reader in Python had to leave out, since only Pcodec could read
/// them.
pub(crate) fn compare(python: &str, engine: &str) -> usize {
    let mut unread = 0;
    let (python, engine): (Vec<_>, Vec<_>) = (python.lines().collect(), engine.lines().collect());
    for (ours, theirs) in python.iter().zip(&engine) {
        let known = ours.split(' ').zip(theirs.split(' '));
        assert!(known.clone().all(|(a, b)| a == b || a == "?"), "python: {ours}\nengine: {theirs}");
        unread += known.filter(|(a, _)| *a == "?").count();
    }
    assert_eq!(python.len(), engine.len());
    unread
}

#[test]
fn version_1_is_read_as_it_is_and_after_recovery_and_compaction() {
    let scene = Scene::new();
    copy_dir(&golden(), &scene.path());
    let expected = expected();
    assert_eq!(condense(&dump(&scene.open_read_only())), expected);
    let store = quiet().open(scene.path()).unwrap();
    assert_eq!(condense(&dump(&store)), expected, "recovered");
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(condense(&dump(&store)), expected, "compacted");
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    assert_eq!(store.statistics().unwrap().log_files, 0);
}

#[test]
fn version_1_is_whole_and_small() {
    let scene = Scene::new();
    copy_dir(&golden(), &scene.path());
    let store = scene.open_read_only();
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
    let statistics = store.statistics().unwrap();
    let mut codecs: Vec<&str> = statistics.codecs.iter().map(|codec| codec.codec).collect();
    codecs.sort_unstable();
    codecs.dedup();
    assert_eq!(codecs, ["constant", "f32", "int", "packed", "packed-f32", "pco", "pco-f32", "raw", "stride"]);
    assert_eq!((statistics.log_files, statistics.segment_files), (2, 6));
    let bytes: u64 = files(&tests().join("data/v1")).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(bytes < 50_000, "{bytes}");
}

/// The forms of columns, axes, statistics, and of the catalog that the reader in Python meets in the golden store.
const FORMS: &[&str] = &[
    "codec 0 of floats",
    "codec 0 of integers",
    "codec 1 of floats",
    "codec 1 of integers",
    "codec 2 of integers",
    "codec 3 of integers",
    "codec 4 of floats",
    "codec 5 of floats",
    "codec 6 of floats",
    "codec 7 of floats",
    "codec 8 of floats",
    "entry of kind 1",
    "entry of kind 2",
    "packed differences, in a row",
    "packed differences, in lanes",
    "packed numbers, in a row",
    "packed numbers, in lanes",
    "packed numbers, of 512 in a row",
    "packed-f32 differences, in a row",
    "packed-f32 differences, in lanes",
    "packed-f32 numbers, in a row",
    "packed-f32 numbers, in lanes",
    "statistics with flags 1",
    "statistics with flags 11",
    "statistics with flags 14",
    "statistics with flags 15",
    "statistics with flags 3",
    "statistics with flags 6",
    "statistics with flags 7",
    "steps alone with flags 0",
    "steps alone with flags 1",
    "steps beside a sister with flags 2",
    "steps beside a sister with flags 3",
    "summary with flags 1",
    "summary with flags 12",
    "summary with flags 13",
    "summary with flags 4",
    "summary with flags 5",
    "summary with flags 9",
    "timestamps alone with flags 0",
    "timestamps alone with flags 1",
    "timestamps beside a sister with flags 0",
    "timestamps beside a sister with flags 1",
    "timestamps beside a sister with flags 3",
];

#[test]
fn the_second_reader_agrees_on_the_golden_store() {
    let Some(python) = python_dump(&golden()) else { return };
    let engine = dump(&StoreOptions::new().read_only(true).open(golden()).unwrap());
    assert_eq!(compare(&python, &engine), 128 + 700, "two chunks of one metric and all of another are in Pcodec");
    assert_eq!(condense(&engine), expected());
    let Some(forms) = run_python(&["--forms"], &golden()) else { return };
    assert_eq!(forms.lines().collect::<Vec<_>>(), FORMS);
}

/// The golden store is small: this one has pads, many frames, large sections, and a log of several steps of growth.
#[test]
fn the_second_reader_agrees_on_a_larger_store() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = store.create_run(NewRun::new(store.create_experiment("large").unwrap())).unwrap();
    let log = |run: &RunWriter| {
        for step in 0..3000 {
            run.log_metrics_at(step, TIME + step * 7 + step % 3, &[("a", step as f64), ("b", 0.25)]).unwrap();
            run.log_metric_at(&format!("m{}", step % 300), -step, TIME, 1.0 / step as f64).unwrap();
        }
        let steps: Vec<i64> = (0..9000).map(|step| step * step % 9001).collect();
        let values: Vec<f64> = steps.iter().map(|step| f64::from(*step as f32)).collect();
        run.metric("columns").unwrap().log_columns(&steps, &steps, &values).unwrap();
    };
    log(&run);
    run.finish().unwrap();
    drop(store);
    let store = scene.open_quiet();
    let run = store.resume_run(run.id()).unwrap();
    log(&run);
    // Copied while the writer lives: the copy is that of a killed one.
    let copy = scene.beside("copy");
    copy_dir(&scene.path(), &copy);
    let engine = dump(&StoreOptions::new().read_only(true).open(&copy).unwrap());
    assert_eq!(engine.lines().filter(|line| line.starts_with("point ")).count(), 2 * 18_000);
    let Some(python) = python_dump(&copy) else { return };
    compare(&python, &engine);
}

/// Runs in packs, one of them with more in its folder, and one that was deleted since.
#[test]
fn the_second_reader_agrees_on_packs() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let mut ids = Vec::new();
    for number in 0..30 {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).param("lr", format!("0.{number}"))).unwrap();
        for step in 0..number {
            run.log_metrics_at(step, TIME + step, &[("a", step as f64), ("b", 1.0 / step as f64)]).unwrap();
        }
        run.finish().unwrap();
        ids.push(run.id());
    }
    while store.maintain().unwrap() {}
    store.set_run_tag(ids[3], "late", "tag").unwrap();
    store.resume_run(ids[4]).unwrap().log_metric_at("a", 100, TIME, 5.0).unwrap();
    store.delete_run(ids[5]).unwrap();
    while store.maintain().unwrap() {}
    drop(store);
    assert_eq!(files(&scene.path()).iter().filter(|path| path.extension().is_some_and(|e| e == "pack")).count(), 1);
    let engine = dump(&StoreOptions::new().read_only(true).open(scene.path()).unwrap());
    let Some(python) = python_dump(&scene.path()) else { return };
    compare(&python, &engine);
    let Some(forms) = run_python(&["--forms"], &scene.path()) else { return };
    assert!(forms.lines().any(|form| form.starts_with("only value")), "a run with one row");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `crc` and `seed` of `docs/format.md`.
fn crc(seed: u32, bytes: &[u8]) -> u64 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize().into()
}

fn seed(file: &[u8], offset: usize) -> u32 {
    crc(0, &[&file[24..40], &(offset as u64).to_le_bytes()].concat()) as u32
}

/// The offsets that `docs/format.md` names, against the bytes.
#[test]
fn the_format_page_tells_the_truth_about_the_bytes() {
    let page = std::fs::read_to_string(tests().join("../docs/format.md")).unwrap();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for path in files(&golden()).iter().filter(|path| !path.to_string_lossy().contains("artifacts")) {
        let bytes = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let kind = if name.ends_with(".tw") { name } else { &name[name.len() - 4..] };
        *kinds.entry(kind.to_owned()).or_default() += 1;
        let magic: Vec<String> = bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(page.contains(&format!("| `{kind}` | `{}` (", magic.join(" "))), "magic of {kind}");
        assert_eq!((number(&bytes, 8, 2), number(&bytes, 10, 2)), (1, 0), "version");
        assert_eq!((number(&bytes, 12, 4), number(&bytes, 16, 4), number(&bytes, 20, 4)), (0, 0, 0), "features");
        assert_eq!(number(&bytes, 60, 4), crc(0, &bytes[..60]), "checksum of the header");
        let run: String = bytes[40..56].iter().map(|byte| format!("{byte:02x}")).collect();
        match kind {
            "store.tw" | "experiment.tw" => {
                assert_eq!(number(&bytes, 64, 4) as usize, bytes.len() - 72);
                assert_eq!(number(&bytes, 68, 4), crc(seed(&bytes, 72), &bytes[72..]));
            }
            "catalog.tw" => {
                let head = crc(seed(&bytes, 64), &bytes[64..68]);
                assert_eq!(number(&bytes, 68, 4), head, "the length of an entry has a checksum");
                let body = &bytes[76..76 + number(&bytes, 64, 4) as usize];
                assert_eq!(number(&bytes, 72, 4), crc(head as u32, body));
            }
            ".log" => {
                assert_eq!(path.parent().unwrap().file_name().unwrap().to_str().unwrap(), run);
                assert_eq!(name, format!("{:016x}-{:016x}.log", number(&bytes, 64, 8), number(&bytes, 72, 8)));
                assert_eq!(number(&bytes, 124, 4), crc(seed(&bytes, 64), &bytes[64..124]));
                assert_eq!(number(&bytes, 128, 4) as usize, bytes.len(), "cut at the published end");
                assert!(bytes[136..4088].iter().all(|byte| *byte == 0));
                assert_eq!(&bytes[4088..4096], b"TWBLANK\0");
                let first = number(&bytes, 4096, 4) as usize;
                let running = crc(seed(&bytes, 4096), &bytes[4104..4104 + first]) as u32;
                assert_eq!(number(&bytes, 4100, 4), crc(running, &bytes[4096..4100]), "the first frame is closed");
            }
            ".seg" => {
                assert_eq!(path.parent().unwrap().file_name().unwrap().to_str().unwrap(), run);
                let trailer = &bytes[bytes.len() - 24..];
                assert_eq!(&trailer[20..], b"TWSE");
                assert_eq!(number(trailer, 16, 4), crc(seed(&bytes, 0), &trailer[..16]));
                let (at, len) = (number(trailer, 0, 8) as usize, number(trailer, 8, 4) as usize);
                assert_eq!(at + len, bytes.len() - 24);
                assert_eq!(number(&bytes, at + 4, 4) as usize, len - 12);
                let covered = [&bytes[at..at + 8], &bytes[at + 12..at + len]].concat();
                assert_eq!(number(&bytes, at + 8, 4), crc(seed(&bytes, at), &covered));
            }
            other => panic!("a golden store has no {other}"),
        }
    }
    assert_eq!(kinds.keys().collect::<Vec<_>>(), [".log", ".seg", "catalog.tw", "experiment.tw", "store.tw"]);
}

/// Logs points and remembers them, so that what is read is compared with what was written.
#[derive(Default)]
struct Recorder(BTreeMap<(RunId, String), Vec<String>>);

impl Recorder {
    fn note(&mut self, run: &RunWriter, metric: &str, point: Point) {
        self.0.entry((run.id(), metric.to_owned())).or_default().push(point_line(metric, point));
    }

    fn row(&mut self, run: &RunWriter, step: i64, timestamp: i64, values: &[(&str, f64)]) {
        run.log_metrics_at(step, timestamp, values).unwrap();
        values.iter().for_each(|(metric, value)| self.note(run, metric, Point::new(step, timestamp, *value)));
    }

    fn columns(&mut self, run: &RunWriter, metric: &str, points: &[Point]) {
        let column = |of: fn(&Point) -> i64| points.iter().map(of).collect::<Vec<_>>();
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        run.metric(metric).unwrap().log_columns(&column(|p| p.step), &column(|p| p.timestamp), &values).unwrap();
        points.iter().for_each(|point| self.note(run, metric, *point));
    }
}

/// Every codec, every kind of value.
fn log_all_kinds(run: &RunWriter, all: &mut Recorder, from: i64) {
    let nan = |bits: u64| f64::from_bits(0x7ff0_0000_0000_0000 | bits);
    let f32s = [0.1f32, -0.0, f32::INFINITY, 1e-40, 3.5].map(f64::from);
    let f32s = [&f32s[..], &[nan(0x8_0000_0000_0000), -nan(0x2000_0000), 0.5, -7.25]].concat();
    let f64s = [0.1, 1e300, 5e-324, -0.0, f64::NEG_INFINITY, std::f64::consts::PI, nan(1), -nan(0xf_dead_beef_0001)];
    for step in from..from + 75 {
        let noise = (step.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()) >> 40).rem_euclid(1000) as f64 * 0.1;
        all.row(run, step * 10, TIME + step * 1000, &[("noise", noise), ("count", step as f64)]);
    }
    for (step, (single, double)) in (from..).zip(f32s.iter().zip(f64s.iter().cycle())) {
        let time = TIME + step * 1000 + step * step % 7;
        let values = [("acc", *single), ("loss/\u{3b1}", *double), ("lr", 0.1), ("squares", (step * step) as f64)];
        all.row(run, step * (step + 1) / 2, time, &values);
    }
    for step in [0, 1, 2, 3] {
        all.row(run, step, TIME, &[("big", (u64::MAX / 2 + 1 - step as u64 * 1024) as f64)]);
    }
    let edges = [i64::MIN, i64::MAX, 0, -5, i64::MAX, i64::MIN];
    all.columns(run, "ago", &[0, 1, 2, 3].map(|step| Point::new(step * 3, TIME - step * step, 0.5)));
    all.columns(run, "back", &[0, 1, 2, 3].map(|step| Point::new(step, TIME - step * step, 0.5)));
    all.columns(run, "edges", &edges.map(|step| Point::new(step, i64::MIN, 0.3)));
}

/// Full blocks in each form of packing, metrics that are logged one by one, and nothing but NaN.
fn log_blocks(run: &RunWriter, all: &mut Recorder) {
    let single = |bits: u32| f64::from(f32::from_bits(bits));
    let noise = |step: i64| {
        // The generator splitmix64.
        let z = (step as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    for step in 0..700 {
        let noise = noise(step);
        let low = noise as u32;
        let values = [
            ("blocks/epoch", (step / 512) as f64),
            ("blocks/falling", single(0x4000_0000 - step as u32 * 1000 - low % 16)),
            ("blocks/flat", single(0x3f80_0000 + low % 256)),
            ("blocks/level", [0.5, 2.25, 96.0][low as usize % 3]),
            ("blocks/nan", f64::from_bits(0x7ff8_0000_0000_0000 | (step as u64 % 2) << 29)),
            ("blocks/nan-wide", f64::from_bits(0x7ff8_0000_0000_0001)),
            ("blocks/small", f64::from(low % 50)),
            ("blocks/wide", (noise % (1 << 33)) as f64),
        ];
        all.row(run, step * 10, TIME + step * 1000 + i64::from(low % 16), &values);
    }
    for step in 0..700 {
        let time = TIME + step * 1000 + noise(step) as i64 % 512;
        for (metric, later) in [("one/a", 0), ("one/b", 0), ("one/c", 1 + step % 3 / 2)] {
            all.row(run, step, time + later, &[(metric, step as f64)]);
        }
    }
}

/// Writes the golden store of the current version when there is none. Run it by name, once a version:
/// `cargo test --test it write_the_golden_store -- --ignored`
#[test]
#[ignore = "writes into the repository"]
fn write_the_golden_store() {
    assert!(!golden().exists(), "a golden store is never changed");
    let (scene, mut all) = (Scene::new(), Recorder::default());
    let options = || quiet().chunk_rows(64);
    let id = |n: u8| RunId::from_bytes([n; 16]);
    let store = options().open(scene.path()).unwrap();
    let digits = store.create_experiment("digits (\u{3b1})").unwrap();
    store.set_experiment_tag(digits, "owner", "somebody\nelse").unwrap();
    let old = store.create_experiment("old").unwrap();
    store.delete_experiment(old).unwrap();

    let new = NewRun::new(trackway::ExperimentId::DEFAULT).id(id(0xa1)).name("first name").user("ada").parent(id(0xb2));
    let run = store.create_run(new.start_time(TIME).param("lr", "0.1").tag("kind", "golden")).unwrap();
    run.log_params(&[("optimizer", "adam = \"w\""), ("empty", "")]).unwrap();
    run.set_tag("gone", "soon").unwrap();
    log_all_kinds(&run, &mut all, 0);
    run.artifacts().put_bytes("model/weights.bin", &[0, 1, 2, 255]).unwrap();
    run.artifacts().put_bytes("notes.txt", b"plain\n").unwrap();
    run.finish().unwrap();
    let run = store.resume_run(id(0xa1)).unwrap();
    log_all_kinds(&run, &mut all, 75);
    run.delete_tag("gone").unwrap();
    run.set_name("second name").unwrap();
    run.end(trackway::RunStatus::Finished, Some(TIME + 1_000_000)).unwrap();

    let run = store.create_run(NewRun::new(digits).id(id(0xd4)).start_time(TIME)).unwrap();
    all.row(&run, 1, TIME, &[("loss", 0.5)]);
    run.end(trackway::RunStatus::Failed, Some(TIME + 1)).unwrap();
    store.compact(&mut |_| {}).unwrap();
    drop(store);

    // Chunks that are longer than a block.
    let store = quiet().chunk_rows(600).open(scene.path()).unwrap();
    let run = store.create_run(NewRun::new(digits).id(id(0xe5)).start_time(TIME)).unwrap();
    log_blocks(&run, &mut all);
    run.end(trackway::RunStatus::Finished, Some(TIME + 700_000)).unwrap();
    store.compact(&mut |_| {}).unwrap();
    store.delete_run(id(0xd4)).unwrap();
    drop(store);

    // Several segments: sealed by opening, never compacted.
    for part in 0..2 {
        let store = options().open(scene.path()).unwrap();
        let run = match part {
            0 => store.create_run(NewRun::new(digits).id(id(0xb2)).start_time(TIME)).unwrap(),
            _ => store.resume_run(id(0xb2)).unwrap(),
        };
        for step in 0..5 {
            all.row(&run, step, TIME + step, &[("loss", 1.0 / (step + 1 + part) as f64), ("acc", 0.5)]);
        }
        drop(run);
    }
    let store = options().open(scene.path()).unwrap();

    // Two killed writers: one with an open frame, one with closed frames only.
    let new = NewRun::new(digits).id(id(0xc3)).start_time(TIME).name("killed");
    let first = store.create_run(new.param("seed", "7")).unwrap();
    all.row(&first, -3, TIME, &[("loss", 2.5)]);
    all.row(&first, -2, TIME + 5, &[("loss", 1.5), ("acc", 0.25)]);
    first.sync().unwrap();
    let wild = [3, 1, i64::MAX, 2].map(|step| Point::new(step, TIME + step % 1000, step as f64));
    all.columns(&first, "columns", &wild);
    all.columns(&first, "columns", &[9, 5, 7].map(|step| Point::new(step, TIME, 0.75)));
    all.row(&first, 5, TIME + 9, &[("loss", f64::NAN), ("acc", f64::INFINITY)]);
    let second = store.resume_run(id(0xc3)).unwrap();
    all.row(&second, 4, TIME + 1, &[("loss", 0.125)]);
    second.set_tag("rank", "1").unwrap();
    second.sync().unwrap();
    copy_dir(&scene.path(), &golden());
    std::fs::remove_dir_all(golden().join("locks")).unwrap();
    for path in files(&golden()).iter().filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
        let end = number(&std::fs::read(path).unwrap(), 128, 4);
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(end).unwrap();
    }

    let text = dump(&StoreOptions::new().read_only(true).open(golden()).unwrap());
    let written: Vec<&String> = all.0.values().flatten().collect();
    // The ids of the runs are such that both are in the same order.
    assert_eq!(text.lines().filter(|line| line.starts_with("point ")).collect::<Vec<_>>(), written);
    std::fs::write(tests().join("data/v1/expected.txt"), condense(&text)).unwrap();
}
