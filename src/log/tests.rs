//! The log against a list of calls: what readers see live, after a kill, and of damaged bytes.

use super::{BlankLog, LogEnd, LogPlan, LogReader, LogWriter, NextExtent, Opened};
use crate::env::Env;
use crate::env::sim::{Crash, SimDisk};
use crate::error::Error;
use crate::format::log::LogHeader;
use crate::types::{FileId, LogId, RunId};
use proptest::prelude::*;
use std::path::Path;

pub(super) fn path() -> &'static Path {
    Path::new("/logs/a.log")
}

pub(super) fn header() -> LogHeader {
    LogHeader {
        file_id: FileId([1; 16]),
        run_id: RunId::from_bytes([2; 16]),
        log_id: LogId { created_us: 3, salt: 4 },
        boot_id: [5; 16],
        process_id: 6,
        before: None,
    }
}

pub(super) fn create(env: &Env, mapped: bool) -> LogWriter {
    env.fs.create_dir_all(Path::new("/logs")).unwrap();
    LogWriter::create(env, path(), &header(), mapped).unwrap()
}

pub(super) fn open(env: &Env) -> LogReader {
    match LogReader::open(env, path()).unwrap() {
        Opened::Log(reader) => reader,
        other => panic!("{other:?}"),
    }
}

pub(super) fn call(writer: &mut LogWriter, record: &[u8]) {
    writer.begin(record.len()).unwrap();
    writer.write(record).unwrap();
    writer.publish().unwrap();
}

/// Takes what the reader delivers, and joins the parts of a frame that come in several calls.
pub(super) fn read(reader: &mut LogReader, live: bool) -> (Vec<u8>, LogEnd) {
    let mut seen = Vec::new();
    let mut visit = |payload: &[u8], from: usize| {
        seen.extend_from_slice(&payload[from..]);
        Ok(())
    };
    let end = if live { reader.read_live(&mut visit) } else { reader.read_dead(&mut visit) };
    (seen, end.unwrap())
}

pub(super) fn record(number: usize, len: usize) -> Vec<u8> {
    (0..len.max(1)).map(|i| (number * 31 + i * 7 + 1) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]
    #[test]
    fn readers_see_every_call_and_nothing_else(
        calls in prop::collection::vec((prop_oneof![0usize..100, 0usize..40_000, Just(200_000)], 0u8..8), 1..40),
        mapped: bool,
    ) {
        let disk = SimDisk::new(1);
        let (env, other) = (disk.process(), disk.process());
        let mut writer = create(&env, mapped);
        let mut follower = open(&other);
        let (mut written, mut followed) = (Vec::new(), Vec::new());
        for (number, (len, event)) in calls.iter().enumerate() {
            let record = record(number, *len);
            call(&mut writer, &record);
            written.extend_from_slice(&record);
            match event {
                0 => writer.close_and_publish().unwrap(),
                1 => {
                    if let Some(mut next) = writer.plan_next() {
                        next.prepare().unwrap();
                        writer.install_next(next);
                    }
                }
                2 => {
                    let (more, end) = read(&mut follower, true);
                    followed.extend(more);
                    prop_assert_eq!((followed == written, end), (true, LogEnd::Complete));
                }
                3 => {
                    // A call in flight, as far as it can get before it is published.
                    writer.begin(50_000).unwrap();
                    writer.write(&[9; 50_000]).unwrap();
                    let (all, end) = read(&mut open(&other), true);
                    prop_assert_eq!((all == written, end), (true, LogEnd::Complete), "in flight");
                }
                _ => {}
            }
        }
        disk.kill(&env);
        let (all, end) = read(&mut open(&other), false);
        prop_assert_eq!((all == written, end), (true, LogEnd::Complete), "after the kill");
    }

    #[test]
    fn damage_gives_a_prefix_and_says_where(
        lens in prop::collection::vec(1usize..9_000, 1..12),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let disk = SimDisk::new(2);
        let env = disk.process();
        let mut writer = create(&env, true);
        let mut written = Vec::new();
        for (number, len) in lens.iter().enumerate() {
            let record = record(number, *len);
            call(&mut writer, &record);
            written.extend_from_slice(&record);
        }
        let end = writer.len();
        disk.kill(&env);
        let at = 4096 + at.index(end as usize - 4096) as u64;
        disk.flip(path(), at, 1 << bit);
        let mut reader = open(&disk.process());
        let (seen, found) = read(&mut reader, false);
        prop_assert!(written.starts_with(&seen));
        match found {
            LogEnd::Damaged { offset, .. } => prop_assert!(offset <= at),
            // Only bytes between frames carry nothing.
            LogEnd::Complete => prop_assert_eq!(seen.len(), written.len()),
        }
    }
}

/// Found by a reader of the code: frames were closed in the middle of a long call, before the word that vouches for
/// their beginning was replaced, and a new reader missed acknowledged points.
#[test]
fn a_long_call_in_flight_hides_nothing() {
    let disk = SimDisk::new(3);
    let (env, other) = (disk.process(), disk.process());
    let mut writer = create(&env, true);
    call(&mut writer, b"acknowledged");
    writer.begin(1 << 20).unwrap();
    for _ in 0..64 {
        writer.write(&[7; 1 << 14]).unwrap();
        let seen = read(&mut open(&other), true);
        assert_eq!(seen, (b"acknowledged".to_vec(), LogEnd::Complete));
    }
    writer.publish().unwrap();
    assert_eq!(read(&mut open(&other), true).0.len(), 12 + (1 << 20));
}

/// Every call to the disk as a crash point: what was begun is a log, what was not says nothing.
#[test]
fn a_prepared_log_says_nothing_until_it_begins() {
    for mapped in [true, false] {
        for (n, crash) in (1..20).flat_map(|n| [(n, Crash::Before), (n, Crash::Torn), (n, Crash::After)]) {
            let disk = SimDisk::new(5);
            let (env, other) = (disk.process(), disk.process());
            env.fs.create_dir_all(Path::new("/logs")).unwrap();
            disk.crash_at(n, crash);
            let plan = LogPlan { len: 1 << 16, mapped };
            let Ok(blank) = BlankLog::create(&env, path(), plan) else { continue };
            if env.fs.read_dir(Path::new("/")).is_ok() {
                assert!(matches!(LogReader::open(&other, path()).unwrap(), Opened::Prepared));
            }
            let begun = blank.begin(&header());
            disk.clear_plans();
            if let Ok(mut writer) = begun {
                assert_eq!(read(&mut open(&other), true), (Vec::new(), LogEnd::Complete));
                call(&mut writer, b"point");
                assert_eq!(read(&mut open(&other), true), (b"point".to_vec(), LogEnd::Complete));
            } else {
                // Killed at it.
                match LogReader::open(&other, path()).unwrap() {
                    Opened::Blank => {}
                    Opened::Zeros | Opened::Lost => panic!("a kill takes nothing"),
                    Opened::Log(mut reader) => assert_eq!(read(&mut reader, false), (Vec::new(), LogEnd::Complete)),
                    Opened::Prepared => panic!("nobody holds it"),
                }
            }
        }
    }
}

#[test]
fn an_extent_that_is_left_is_handed_over() {
    let disk = SimDisk::new(6);
    let mut writer = create(&disk.process(), true);
    assert!(!writer.asks_for_next());
    call(&mut writer, &[1; 10_000]);
    assert!(writer.asks_for_next());
    writer.asked();
    assert!(!writer.asks_for_next() && !writer.has_room(10_000) && writer.has_room(1_500));
    let mut next = writer.plan_next().unwrap();
    next.prepare().unwrap();
    writer.install_next(next);
    assert!(writer.has_room(10_000) && writer.plan_next().is_none() && writer.take_spent().is_empty());
    call(&mut writer, &[2; 10_000]);
    assert_eq!((writer.take_spent().len(), writer.take_spent().len()), (1, 0));
}

/// Found by killing writers whose logs grow from 16 KiB: what was prepared for a log came when its writer had gone on in the next
/// one, which then wrote into the file of the one before.
#[test]
fn an_extent_of_another_log_is_not_taken() {
    let disk = SimDisk::new(6);
    let env = disk.process();
    let first = create(&env, true);
    let other = Path::new("/logs/b.log");
    let mut second = LogWriter::create(&env, other, &header(), true).unwrap();
    let mut next = first.plan_next().unwrap();
    next.prepare().unwrap();
    assert_eq!(first.room(), second.room());
    second.install_next(next);
    assert!(second.plan_next().is_some());
    call(&mut second, &[1; 10_000]);
    call(&mut second, &[2; 10_000]);
    let mut reader = match LogReader::open(&disk.process(), other).unwrap() {
        Opened::Log(reader) => reader,
        _ => panic!("there is a log"),
    };
    assert_eq!(read(&mut reader, true), ([[1; 10_000], [2; 10_000]].concat(), LogEnd::Complete));
}

/// The file of a log, and an extent from `start` on that has `len` bytes at least and doubles the file.
fn planned(disk: &SimDisk, start: u64, len: u64) -> NextExtent {
    let env = disk.process();
    env.fs.create_dir_all(Path::new("/logs")).unwrap();
    let file = env.fs.create_new(path()).unwrap();
    NextExtent::new(path(), &file, start, len, false)
}

#[test]
fn a_disk_with_less_room_than_wanted_is_asked_for_half_and_half_again() {
    const PAGES: u64 = 4096;
    for (free, least, found) in
        [(70, 1, 64), (63, 1, 32), (33, 1, 32), (31, 1, 16), (3, 1, 2), (31, 20, 20), (21, 20, 20)]
    {
        let disk = SimDisk::new(1);
        let mut next = planned(&disk, 64 * PAGES, 64 * PAGES);
        disk.set_capacity(Some(disk.used() + free * PAGES));
        next.prepare_what_fits(least * PAGES).unwrap();
        assert_eq!(next.end(), (64 + found) * PAGES, "{free} pages free, {least} needed");
    }
    let disk = SimDisk::new(1);
    let mut next = planned(&disk, 64 * PAGES, 64 * PAGES);
    disk.set_capacity(Some(disk.used() + 19 * PAGES));
    assert!(matches!(next.prepare_what_fits(20 * PAGES), Err(Error::DiskFull { .. })));
}

#[test]
fn a_log_ends_where_its_offsets_do() {
    const LAST: u64 = u32::MAX as u64 & !0xfff;
    let disk = SimDisk::new(1);
    let file = disk.process().fs.create_new(Path::new("/a.log")).unwrap();
    disk.set_capacity(Some(disk.used()));
    let plan = |start| NextExtent::new(path(), &file, start, 1, false);
    let step = plan(LAST).end() - LAST;
    for (start, is_beyond) in [(LAST - step, false), (LAST - step + 4096, true), (LAST, true)] {
        // What is not beyond finds no room on this disk.
        let found = plan(start).prepare().unwrap_err();
        assert_eq!(matches!(found, Error::LimitExceeded { .. }), is_beyond, "{start}: {found}");
    }
}

#[test]
fn an_extent_is_ready_when_it_is_made_and_begins_and_ends_where_it_should() {
    let disk = SimDisk::new(1);
    let mut next = planned(&disk, 8192, 1);
    assert!(!next.is_ready(8192, 100), "it is a plan");
    next.prepare().unwrap();
    assert_eq!(next.end(), 16_384);
    assert!(next.is_ready(8192, 8192) && !next.is_ready(8192, 8193));
    assert!(!next.is_ready(4096, 100) && !next.is_ready(12_288, 100));
}

#[test]
fn a_blank_log_has_room_for_what_its_plan_says() {
    let env = SimDisk::new(1).process();
    env.fs.create_dir_all(Path::new("/logs")).unwrap();
    let blank = BlankLog::create(&env, path(), LogPlan { len: 16_384, mapped: true }).unwrap();
    assert_eq!(blank.room(), 12_288);
    let writer = blank.begin(&header()).unwrap();
    assert!(writer.fits(0) && writer.fits(11_000) && !writer.fits(12_288));
    assert!(writer.has_room(11_000) && !writer.has_room(12_288));
}

#[test]
fn a_call_that_finds_no_room_changes_nothing_and_can_be_repeated() {
    for mapped in [true, false] {
        let disk = SimDisk::new(4);
        let env = disk.process();
        let mut writer = create(&env, mapped);
        call(&mut writer, b"before");
        disk.set_capacity(Some(disk.used()));
        assert!(writer.begin(1 << 20).is_err());
        call(&mut writer, b" small ones still fit");
        disk.set_capacity(None);
        call(&mut writer, &[b'!'; 1 << 20]);
        let (all, end) = read(&mut open(&disk.process()), true);
        assert_eq!(end, LogEnd::Complete);
        assert!(all.starts_with(b"before small ones still fit!!!") && all.len() == 27 + (1 << 20));
    }
}

/// Found by a review: a log asked for twice its length or nothing, and gave up on a disk that had room for many calls.
#[test]
fn a_log_grows_in_small_steps_when_the_disk_has_no_room_for_a_large_one() {
    const FREE: u64 = 40 << 10;
    for mapped in [true, false] {
        let disk = SimDisk::new(7);
        let mut writer = create(&disk.process(), mapped);
        let end = writer.room();
        disk.set_capacity(Some(disk.used() + FREE));
        let mut written = Vec::new();
        for number in 0.. {
            let record = record(number, 1_000);
            match writer.begin(record.len()) {
                Ok(()) => call(&mut writer, &record),
                Err(Error::DiskFull { .. }) => break,
                Err(error) => panic!("{error}"),
            }
            written.extend_from_slice(&record);
        }
        assert!(writer.len() + 2_000 > end + FREE, "{mapped}: it ends at {} of {}", writer.len(), end + FREE);
        // A call as long as what is left is not refused either.
        disk.set_capacity(Some(disk.used() + FREE));
        let long = record(0, FREE as usize - 8);
        call(&mut writer, &long);
        written.extend_from_slice(&long);
        let (all, end) = read(&mut open(&disk.process()), true);
        assert_eq!((all == written, end), (true, LogEnd::Complete));
    }
}
