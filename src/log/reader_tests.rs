//! The reader by itself: what it takes a file for, and what it believes.

use super::*;
use crate::env::sim::SimDisk;
use crate::format::log::BLANK_MARK_AT;
use crate::log::tests::{call, create, header, path};

fn open(disk: &SimDisk) -> Result<Opened> {
    LogReader::open(&disk.process(), path())
}

/// A file that nobody holds.
fn opened(bytes: Vec<u8>) -> Opened {
    let disk = SimDisk::new(1);
    disk.set_contents(path(), bytes);
    open(&disk).unwrap()
}

#[test]
fn a_dead_log_without_its_first_page_was_never_synced() {
    let disk = SimDisk::new(1);
    let mut writer = create(&disk.process(), true);
    call(&mut writer, b"abc");
    writer.close_and_publish().unwrap();
    let bytes = disk.contents(path());
    for (len, is_log) in [(100, false), (4095, false), (4096, true), (4097, true), (bytes.len(), true)] {
        let found = opened(bytes[..len].to_vec());
        assert!(
            if is_log { matches!(found, Opened::Log(_)) } else { matches!(found, Opened::Lost) },
            "{len}: {found:?}"
        );
    }
}

#[test]
fn the_header_of_a_log_that_is_written_is_read_again_before_it_is_damaged() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let _writer = create(&env, true);
    for _ in 0..50 {
        disk.flip_read(1);
        assert!(matches!(open(&disk).unwrap(), Opened::Log(_)));
    }
    // Not for ever.
    disk.flip(path(), 20, 1);
    assert!(matches!(open(&disk), Err(Error::Corrupt { .. })));
    disk.kill(&env);
    assert!(matches!(open(&disk), Err(Error::Corrupt { .. })));
}

#[test]
fn a_file_without_a_published_word_is_damaged() {
    let disk = SimDisk::new(1);
    disk.set_contents(path(), [1; 70]);
    let file = disk.process().fs.open(path()).unwrap();
    let mut reader = LogReader::with_header(file, path(), header());
    assert!(matches!(reader.read_live(&mut |_, _| Ok(())), Err(Error::Corrupt { .. })));
    assert!(matches!(reader.read_dead(&mut |_, _| Ok(())), Err(Error::Corrupt { .. })));
}

#[test]
fn what_was_delivered_is_not_delivered_again() {
    let disk = SimDisk::new(1);
    let mut writer = create(&disk.process(), true);
    let Opened::Log(mut reader) = open(&disk).unwrap() else { panic!("there is a log") };
    let mut calls = Vec::new();
    for more in [&b"abc"[..], b"", b"de", b""] {
        if !more.is_empty() {
            call(&mut writer, more);
        }
        let mut visit = |payload: &[u8], from: usize| {
            calls.push(payload[from..].to_vec());
            Ok(())
        };
        assert_eq!(reader.read_live(&mut visit).unwrap(), LogEnd::Complete);
    }
    assert_eq!(calls, [b"abc".to_vec(), b"de".to_vec()]);
}

#[test]
fn a_first_page_that_was_never_begun_is_blank_and_no_other() {
    let page = |header: u8, word: u64, mark: bool| {
        let mut page = vec![0; FRAMES_AT as usize + 4096];
        page[MAGIC_LEN..MAGIC_LEN + 8].fill(header);
        page[PUBLISHED_AT as usize..PUBLISHED_AT as usize + 8].copy_from_slice(&word.to_le_bytes());
        if mark {
            page[BLANK_MARK_AT as usize..FRAMES_AT as usize].copy_from_slice(BLANK_MARK);
        }
        page
    };
    let word = |end| Published { end, crc: 7 }.to_word();
    let begun = word(FRAMES_AT as u32);
    assert!(matches!(opened(page(0, 0, false)), Opened::Zeros));
    assert!(matches!(opened(page(0, 0, true)), Opened::Blank));
    assert!(matches!(opened(page(9, 0, true)), Opened::Blank));
    assert!(matches!(opened(page(9, begun, true)), Opened::Blank));
    for lost in [page(9, 0, false), page(0, begun, true), page(9, word(4104), true), page(9, begun, false)] {
        assert!(matches!(opened(lost), Opened::Lost));
    }
    let mut more = page(0, 0, true);
    more[5000] = 1;
    assert!(matches!(opened(more), Opened::Lost), "frames without a header");
}
