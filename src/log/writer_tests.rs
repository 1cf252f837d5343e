//! The writer by itself: where frames begin and end, when it asks for more of the file, and what it does about errors.

use super::*;
use crate::env::sim::SimDisk;
use crate::log::tests::{self, call, create, header, path, record};
use crate::log::{LogEnd, LogReader, Opened};

/// All that is published in a log.
fn read(env: &Env, path: &Path) -> Vec<u8> {
    let Opened::Log(mut reader) = LogReader::open(env, path).unwrap() else { panic!("there is a log") };
    let (all, end) = tests::read(&mut reader, true);
    assert_eq!(end, LogEnd::Complete);
    all
}

/// Offset and payload length of each frame, the open one too.
fn frames(disk: &SimDisk, writer: &LogWriter) -> Vec<(u64, usize)> {
    let bytes = disk.contents(path());
    let published = Published { end: writer.published.0 as u32, crc: writer.published.1 };
    let (mut at, mut all) = (FRAMES_AT, Vec::new());
    loop {
        match frame::next(&bytes[at as usize..], at, published, header().file_id) {
            frame::Next::Frame { payload, next } => {
                all.push((at, payload.len()));
                at = next;
            }
            frame::Next::Pad { next } => at = next,
            frame::Next::Open { payload } => {
                all.push((at, payload.len()));
                return all;
            }
            frame::Next::End => return all,
            other => panic!("{other:?} at {at}"),
        }
    }
}

#[test]
fn frames_are_as_long_as_they_should_be_and_fill_the_file() {
    for mapped in [true, false] {
        let disk = SimDisk::new(1);
        let mut writer = create(&disk.process(), mapped);
        (0..1000).for_each(|number| call(&mut writer, &record(number, 1000)));
        let frames = frames(&disk, &writer);
        let total: usize = frames.iter().map(|(_, len)| len).sum();
        assert_eq!(total, 1_000_000);
        assert!(frames.iter().all(|(_, len)| *len <= FRAME_TARGET), "{frames:?}");
        // Only the last one of an extent is short, and nothing is left free but for the rest of a call.
        let short = frames.iter().filter(|(_, len)| *len < FRAME_TARGET - 1100).count();
        assert!(short <= 10, "{short} of {frames:?}");
        assert!(writer.len() < FRAMES_AT + 1_000_000 + frames.len() as u64 * 16 + 10 * 1100, "{}", writer.len());
    }
}

#[test]
fn a_call_that_just_fits_takes_no_more_of_the_file() {
    for mapped in [true, false] {
        let disk = SimDisk::new(1);
        let mut writer = create(&disk.process(), mapped);
        let mut all = Vec::new();
        let mut log = |writer: &mut LogWriter, len: usize| {
            all.extend(record(len, len));
            call(writer, &record(len, len));
        };
        // All of the first extent, as one frame.
        log(&mut writer, 12_280);
        assert_eq!((writer.room(), writer.len()), (16_384, 16_384));
        // The second, of 16 KiB, and the third, of 32 KiB.
        log(&mut writer, 16_376);
        log(&mut writer, 32_760);
        assert_eq!((writer.room(), writer.len()), (65_536, 65_536));
        // Frames of the fourth, of 64 KiB: two that are long by themselves, and one with just what is left.
        log(&mut writer, 30_000);
        log(&mut writer, 30_000);
        log(&mut writer, 131_072 - 125_552 - 8);
        assert_eq!((writer.room(), writer.len()), (131_072, 131_072));
        log(&mut writer, 1);
        assert_eq!(writer.room(), 262_144);
        assert_eq!(read(&disk.process(), path()), all);
        // One byte more than fits begins an extent.
        let mut writer = create(&SimDisk::new(1).process(), mapped);
        call(&mut writer, &record(0, 12_281));
        assert_eq!(writer.room(), 32_768);
    }
}

#[test]
fn the_next_extent_is_asked_for_at_half_of_a_short_one_and_an_eighth_of_a_long_one() {
    let disk = SimDisk::new(1);
    let mut writer = create(&disk.process(), true);
    let mut start = FRAMES_AT;
    for end in [14, 15, 16, 17, 18, 19, 20, 21].map(|bits| 1u64 << bits) {
        assert_eq!(writer.room(), end);
        let due = start + if end - start < LONG_EXTENT { (end - start) / 2 } else { (end - start) / 8 };
        while writer.room() == end {
            assert_eq!(writer.asks_for_next(), writer.len() >= due, "{} in {start}..{end}", writer.len());
            call(&mut writer, &record(1, 500));
        }
        start = end;
    }
    writer.asked();
    assert!(!writer.asks_for_next());
}

#[test]
fn what_is_prepared_counts_as_room() {
    let mut writer = create(&SimDisk::new(1).process(), true);
    let mut next = writer.plan_next().unwrap();
    next.prepare().unwrap();
    writer.install_next(next);
    assert_eq!(writer.room(), 32_768);
}

#[test]
fn a_call_has_a_greatest_length() {
    let disk = SimDisk::new(1);
    let mut writer = create(&disk.process(), true);
    disk.set_capacity(Some(disk.used()));
    assert!(matches!(writer.begin(MAX_FRAME_BYTES), Err(Error::DiskFull { .. })));
    for more in [1, 2] {
        assert!(matches!(writer.begin(MAX_FRAME_BYTES + more), Err(Error::LimitExceeded { .. })));
    }
}

#[test]
fn whether_a_call_fits_the_frame_is_known_before() {
    let disk = SimDisk::new(1);
    let mut writer = create(&disk.process(), true);
    call(&mut writer, b"some");
    let most = (0..20_000).take_while(|bytes| writer.fits(*bytes)).count() - 1;
    assert_eq!(most as u64, 16_384 - ROUNDING - writer.len());
    call(&mut writer, &record(0, most));
    assert_eq!((frames(&disk, &writer).len(), writer.fits(1)), (1, false));
    writer.poison("a test".to_owned());
    assert!(!writer.fits(0));
}

#[test]
fn a_write_that_fails_is_told_and_ends_the_log() {
    // The bytes, then the word.
    for failing in 0..2 {
        let disk = SimDisk::new(1);
        let mut writer = create(&disk.process(), false);
        call(&mut writer, b"before");
        writer.begin(5).unwrap();
        writer.write(b"after").unwrap();
        disk.fail_after(failing, std::io::ErrorKind::Other);
        assert!(matches!(writer.publish(), Err(Error::Io { .. })), "{failing}");
        assert!(matches!(writer.begin(1), Err(Error::Poisoned { .. })));
        assert!(matches!(writer.close_and_publish(), Err(Error::Poisoned { .. })));
        assert_eq!(read(&disk.process(), path()), b"before");
    }
}

/// On a real mapping, where what a call stores is in the file before it is published.
#[test]
fn a_call_that_was_given_up_leaves_nothing_that_is_taken_for_a_frame() {
    let (dir, env) = (tempfile::tempdir().unwrap(), Env::real());
    for (number, len) in [1usize, 5, 13, 100, 12_200].into_iter().enumerate() {
        for mapped in [true, false] {
            let path = dir.path().join(format!("{number}-{mapped}.log"));
            let mut writer = LogWriter::create(&env, &path, &header(), mapped).unwrap();
            call(&mut writer, b"abc");
            writer.begin(len).unwrap();
            writer.write(&vec![0xff; len]).unwrap();
            writer.close_and_publish().unwrap();
            assert_eq!(read(&env, &path), b"abc", "{len} {mapped}");
            call(&mut writer, b"def");
            assert_eq!(read(&env, &path), b"abcdef", "{len} {mapped}");
        }
    }
}

/// What a kill leaves between closing a frame and publishing its end.
#[test]
fn a_frame_that_was_closed_and_not_published_is_believed() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let mut writer = create(&env, true);
    call(&mut writer, b"abc");
    call(&mut writer, b"def");
    writer.close_frame().unwrap();
    disk.kill(&env);
    let (all, end) = tests::read(&mut tests::open(&disk.process()), false);
    assert_eq!((all.as_slice(), end), (&b"abcdef"[..], LogEnd::Complete));
}
