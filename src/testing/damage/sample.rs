//! A small store with every kind of file, so small that each of its bytes can be damaged in turn.

use super::super::pools::Bits;
use crate::env::Env;
use crate::env::sim::SimDisk;
use crate::format::frame::{Published, align, close_word, pad_word, seed};
use crate::format::log::{BLANK_MARK, BLANK_MARK_AT, FRAMES_AT, LogHeader, PUBLISHED_AT};
use crate::format::record::{Base, Change, Meta, put_define_metric, put_point};
use crate::format::sink::Sink;
use crate::format::wire;
use crate::types::{FileId, LogId, RunStatus, StatusCause};
use crate::{ExperimentId, ModelStage, NewModel, NewModelVersion, NewRun, Point, Result, RunId, Store, StoreOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const STORE: &str = "/s";
/// The runs in the pack.
pub(super) const PACKED: std::ops::Range<u8> = 6..9;
/// When the runs of the sample were logged; the machine's clock is later.
const TIME: i64 = 1_700_000_000_000;

/// The registered models of the sample.
pub(super) const MODELS: [&str; 2] = ["digits", "letters"];

/// Paths and contents.
pub(super) type Files = Vec<(PathBuf, Vec<u8>)>;

pub(super) fn options(env: &Env) -> StoreOptions {
    let mut options = StoreOptions::new().background(false).chunk_rows(64).deleted_retention(Duration::MAX);
    options.env = Some(env.clone());
    // Also so few runs are indexed, or nothing here would be.
    options.index_from = Some(1);
    options.pack_from = Some(3);
    options
}

pub(super) const fn run_id(number: u8) -> RunId {
    RunId::from_bytes([number; 16])
}

fn folder(experiment: ExperimentId, run: RunId) -> PathBuf {
    Path::new(STORE).join(format!("experiments/{experiment}/runs/{run}"))
}

/// One run is compacted, with chunks, sisters and an artifact; one has a segment for a change from outside, one was deleted;
/// one had its writer killed in an open frame, and one has two logs of one writer and a third that was never begun; three are
/// in a pack. Beside
/// them: lock files, something in quarantine, in the trash and in the making.
/// Also what the catalog and the log of the killed writer were at earlier times.
pub(super) fn make() -> Result<(Files, Files)> {
    let disk = SimDisk::new(1);
    disk.set_wall_us(1_800_000_000_000_000);
    let env = disk.process();
    let store = options(&env).open(STORE)?;
    let digits = store.create_experiment("digits")?;
    store.set_experiment_tag(digits, "kind", "test")?;
    let first = NewRun::new(ExperimentId::DEFAULT).id(run_id(1)).name("first").param("lr", "0.1").tag("note", "a tag");
    let run = store.create_run(first.start_time(TIME))?;
    for step in 0..70 {
        let value = 1.0 / (step + 1) as f64;
        run.log_metrics_at(step, TIME + step * 10, &[("loss", value), ("acc", f64::from(value as f32))])?;
        // Logged a moment after the others: compaction makes them its sister.
        run.log_metric_at("late", step, TIME + step * 10 + step % 2, value)?;
    }
    // A group of one row, beside others.
    run.log_metrics_at(70, TIME + 700, &[("best", 0.1), ("epochs", 70.0)])?;
    run.artifacts().put_bytes("model", b"weights")?;
    run.finish()?;
    register(&store)?;
    let run = store.create_run(NewRun::new(digits).id(run_id(2)).start_time(TIME))?;
    for step in 0..9 {
        run.log_metric_at("loss", step * step % 5, TIME - step, if step == 3 { f64::NAN } else { step as f64 })?;
    }
    run.finish()?;
    let run = store.create_run(NewRun::new(digits).id(run_id(3)).start_time(TIME))?;
    run.log_metric_at("loss", 1, TIME, 0.5)?;
    run.finish()?;
    let packed = store.create_experiment("packed")?;
    for number in PACKED {
        let run = store.create_run(NewRun::new(packed).id(run_id(number)).start_time(TIME).param("lr", "0.2"))?;
        for step in 0..4 {
            run.log_metric_at("loss", step, TIME + step, step as f64 / f64::from(number))?;
        }
        run.finish()?;
    }
    while store.maintain()? {}
    let mut earlier = vec![catalog(&disk)];
    // It has a file of its own beside its segment in the pack.
    store.set_run_tag(run_id(PACKED.start + 1), "after", "the fact")?;
    store.set_run_tag(run_id(2), "after", "the fact")?;
    earlier.push(catalog(&disk));
    store.delete_run(run_id(3))?;
    drop((run, store));
    let env = disk.process();
    let store = options(&env).open(STORE)?;
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).id(run_id(4)).start_time(TIME).param("seed", "7"))?;
    for step in 0..12 {
        run.log_metric_at("loss", step, TIME + step, step as f64)?;
        let of_log = |(path, _): &(PathBuf, u64)| path.extension().is_some_and(|ending| ending == "log");
        earlier.extend(disk.files().into_iter().filter(of_log).map(|(path, _)| (path.clone(), disk.contents(&path))));
        if step % 5 == 4 {
            run.sync()?;
        }
    }
    disk.kill(&env);
    drop((run, store));
    let mut files: Files = disk.files().into_iter().map(|(path, _)| (path.clone(), disk.contents(&path))).collect();
    for (path, bytes) in &mut files {
        if path.extension().is_some_and(|ending| ending == "log") {
            // Most of its room says nothing, and many zeros take long to be flipped.
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
            bytes.truncate(used.next_multiple_of(8) + 24);
        }
    }
    let dir = folder(ExperimentId::DEFAULT, run_id(5));
    files.extend(two_logs(run_id(5)).into_iter().map(|(id, bytes)| (dir.join(format!("{id}.log")), bytes)));
    for other in ["quarantine/kept.log", "trash/gone/a.seg", "experiments/0/experiment.tw-new", "locks/other"] {
        files.push((Path::new(STORE).join(other), b"anything".to_vec()));
    }
    files.push((folder(ExperimentId::DEFAULT, run_id(1)).join("left.seg-new"), b"anything".to_vec()));
    files.sort();
    Ok((files, earlier))
}

/// Two models, of which one has had three versions and has two.
fn register(store: &Store) -> Result<()> {
    store.create_model(NewModel::new(MODELS[0]).description("reads postcodes").tag("team", "vision"))?;
    store.create_model(NewModel::new(MODELS[1]))?;
    let versions = [
        NewModelVersion::from_run(run_id(1), "model").description("the first").tag("size", "small"),
        NewModelVersion::from_source("s3://models/2").user("ada"),
        NewModelVersion::from_source("s3://models/3"),
    ];
    for version in versions {
        store.create_model_version(MODELS[0], version)?;
    }
    store.set_model_stage(MODELS[0], 2, ModelStage::Production, true)?;
    store.set_model_alias(MODELS[0], "champion", 1)?;
    store.delete_model_version(MODELS[0], 3)
}

fn catalog(disk: &SimDisk) -> (PathBuf, Vec<u8>) {
    let path = Path::new(STORE).join("catalog/catalog.tw");
    (path.clone(), disk.contents(&path))
}

fn closed(file_id: FileId, at: usize, payload: &[u8]) -> Vec<u8> {
    let running = wire::crc(seed(file_id, at as u32), payload);
    let mut out = close_word(running, payload.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(payload);
    out.resize(align(out.len() as u64) as usize, 0);
    out
}

fn points(range: std::ops::Range<i64>) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut base = Base::default();
    for step in range {
        let mut room = [0; 64];
        let mut sink = Sink::new(&mut room, 0);
        put_point(&mut sink, &mut base, 0, Point::new(step, TIME + 3 * step, step as f64 / 8.0));
        let (len, _) = sink.finish().unwrap();
        payload.extend_from_slice(&room[..len]);
    }
    payload
}

/// What no short run makes: a log with a pad, its writer's next one with an open frame, and a blank one.
fn two_logs(run: RunId) -> Vec<(LogId, Vec<u8>)> {
    let at_us = TIME as u64 * 1000;
    let log_id = |number: u64| LogId { created_us: at_us + number, salt: 0x5a17 };
    let page = |number: u8, before| {
        let file_id = FileId([0xf0 + number; 16]);
        let log_id = log_id(number.into());
        let header = LogHeader { file_id, run_id: run, log_id, boot_id: [3; 16], process_id: 77, before };
        let mut page = header.encode();
        page.resize(BLANK_MARK_AT as usize, 0);
        page.extend_from_slice(BLANK_MARK);
        (page, file_id)
    };
    let publish = |bytes: &mut Vec<u8>, word: Published| {
        let at = PUBLISHED_AT as usize;
        bytes[at..at + 8].copy_from_slice(&word.to_word().to_le_bytes());
    };
    let begin = |number: u32, payload: &mut Vec<u8>| {
        let created = Change::Created {
            experiment_id: ExperimentId::DEFAULT,
            experiment_name: "Default".to_owned(),
            start_time: TIME,
            user: "me".to_owned(),
            parent: None,
        };
        let running = Change::Status { status: RunStatus::Running, cause: StatusCause::Reported, end_time: None };
        Meta { at_us, change: created }.encode(payload);
        Meta { at_us: at_us + 1, change: running }.encode(payload);
        put_define_metric(payload, 0, "loss");
        assert!(number > 0);
    };
    let (mut one, id) = page(1, None);
    let mut payload = Vec::new();
    begin(1, &mut payload);
    payload.extend(points(0..3));
    one.extend(closed(id, one.len(), &payload));
    let pad_at = one.len();
    one.extend_from_slice(&pad_word(id, pad_at as u32, 40).to_le_bytes());
    one.resize(pad_at + 48, 0);
    one.extend(closed(id, one.len(), &points(3..6)));
    let end = one.len() as u32;
    publish(&mut one, Published::empty_frame(id, end));
    one.resize(one.len() + 24, 0);
    let (mut two, id) = page(2, Some((log_id(1), end)));
    payload.clear();
    begin(2, &mut payload);
    payload.extend(points(6..8));
    two.extend(closed(id, two.len(), &payload));
    let open_at = two.len();
    let open = points(8..11);
    two.resize(open_at + 8, 0);
    two.extend_from_slice(&open);
    let word = Published { end: two.len() as u32, crc: wire::crc(seed(id, open_at as u32), &open) };
    publish(&mut two, word);
    two.resize(two.len() + 24, 0);
    let mut blank = vec![0; FRAMES_AT as usize + 16];
    blank[BLANK_MARK_AT as usize..FRAMES_AT as usize].copy_from_slice(BLANK_MARK);
    vec![(log_id(1), one), (log_id(2), two), (log_id(3), blank)]
}

/// The points that the two logs hold.
#[cfg(test)]
pub(super) fn points_of_two_logs() -> Vec<Bits> {
    (0..11).map(|step: i64| (step, TIME + 3 * step, (step as f64 / 8.0).to_bits())).collect()
}

/// Keeps the type of a point's bits in one place.
pub(super) type Points = Vec<Bits>;
