//! What the simulated machine promises beyond the contracts: processes, faults, kills and power loss.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::{Crash, Loss, Op, ReadOp, SimDisk};
use crate::env::Env;

const SEEDS: std::ops::Range<u64> = 0..200;

fn path(name: &str) -> &Path {
    Path::new(name)
}

/// A synced file with a synced name.
fn durable(env: &Env, name: &str, bytes: &[u8]) {
    let file = env.fs.create_new(path(name)).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    env.fs.sync_dir(path(name).parent().unwrap()).unwrap();
}

/// The distinct results of many power losses after one history; the same seeds give the same.
fn outcomes<T: Ord + std::fmt::Debug>(disk: &SimDisk, look: impl Fn(&SimDisk) -> T) -> BTreeSet<T> {
    let end = |seed| {
        let end = disk.fork(seed);
        end.power_loss();
        look(&end)
    };
    SEEDS.for_each(|seed| assert_eq!(end(seed), end(seed)));
    SEEDS.map(end).collect()
}

fn names(disk: &SimDisk) -> Vec<String> {
    disk.files().iter().map(|(path, _)| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn synced_data_survives_and_unsynced_may_or_may_not() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[1; 2048]);
    let file = env.fs.open_write(path("/f")).unwrap();
    file.write_at(&[2; 1024], 512).unwrap();
    let found = outcomes(&disk, |disk| {
        let bytes = disk.contents("/f");
        assert_eq!((bytes.len(), bytes[0], bytes[2047]), (2048, 1, 1));
        let sectors: Vec<u8> = bytes.chunks(512).map(|sector| sector[0]).collect();
        assert!(bytes.chunks(512).all(|sector| sector.iter().all(|b| *b == sector[0])));
        sectors
    });
    assert_eq!(found.len(), 4, "{found:?}");
    file.sync().unwrap();
    assert_eq!(outcomes(&disk, |disk| disk.contents("/f")[600]), [2].into());
}

#[test]
fn a_sector_written_twice_may_show_its_first_content() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[0; 512]);
    let file = env.fs.open_write(path("/f")).unwrap();
    (1..4).for_each(|i| file.write_at(&[i], 0).unwrap());
    let found = outcomes(&disk, |disk| disk.contents("/f")[0]);
    assert!(found.len() == 3 && found.contains(&0) && found.contains(&3), "{found:?}");
}

#[test]
fn lengths_and_holes_after_power_loss() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[1; 512]);
    let file = env.fs.open_write(path("/f")).unwrap();
    file.write_at(&[2; 4096], 512).unwrap();
    let found = outcomes(&disk, |disk| {
        let bytes = disk.contents("/f");
        assert!(bytes.len() >= 512 && bytes.len() <= 4608 && bytes[..512] == [1; 512]);
        let zeros = bytes[512..].contains(&0);
        (bytes.len() == 512, bytes.len() == 4608, zeros)
    });
    assert!(found.contains(&(true, false, false)) && found.contains(&(false, true, false)));
    assert!(found.contains(&(false, true, true)), "{found:?}");
    file.set_len(100).unwrap();
    file.set_len(512).unwrap();
    let found = outcomes(&disk, |disk| disk.contents("/f").get(200).copied());
    assert!(found.contains(&None) && found.contains(&Some(1)) && found.contains(&Some(0)), "{found:?}");
    file.sync().unwrap();
    assert_eq!(outcomes(&disk, |disk| disk.contents("/f")[99..101].to_vec()), [vec![1, 0]].into());
}

#[test]
fn names_need_a_sync_of_their_folder() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    env.fs.create_new(path("/new")).unwrap().sync().unwrap();
    env.fs.create_dir_all(path("/dir")).unwrap();
    env.fs.create_new(path("/dir/f")).unwrap();
    env.fs.sync_dir(path("/dir")).unwrap();
    let found = outcomes(&disk, names);
    assert!(found.contains(&vec![]) && found.contains(&vec!["/dir/f".into()]) && found.contains(&vec!["/new".into()]));
    env.fs.sync_dir(path("/")).unwrap();
    assert_eq!(outcomes(&disk, names), [vec!["/dir/f".to_owned(), "/new".into()]].into());
    env.fs.remove_file(path("/new")).unwrap();
    assert_eq!(outcomes(&disk, names).len(), 2);
    env.fs.remove_dir_all(path("/dir")).unwrap();
    assert!(outcomes(&disk, names).contains(&vec!["/new".into()]));
    env.fs.sync_dir(path("/")).unwrap();
    assert_eq!(outcomes(&disk, names), [vec![]].into());
}

#[test]
fn a_rename_is_kept_or_undone_as_a_whole() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/old", b"old");
    durable(&env, "/tmp", b"new");
    env.fs.rename(path("/tmp"), path("/old")).unwrap();
    let look = |disk: &SimDisk| (disk.contents("/old"), names(disk).len());
    let found = outcomes(&disk, look);
    assert_eq!(found, [(b"old".to_vec(), 2), (b"new".to_vec(), 1)].into());
    env.fs.sync_dir(path("/")).unwrap();
    assert_eq!(outcomes(&disk, look), [(b"new".to_vec(), 1)].into());
}

#[test]
fn a_rename_across_folders_never_loses_the_file() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    env.fs.create_dir_all(path("/a")).unwrap();
    env.fs.create_dir_all(path("/b")).unwrap();
    env.fs.sync_dir(path("/")).unwrap();
    durable(&env, "/a/f", b"f");
    env.fs.create_dir_all(path("/b/deep")).unwrap();
    env.fs.rename(path("/a/f"), path("/b/deep/f")).unwrap();
    let old = vec!["/a/f".to_owned()];
    let new = vec!["/b/deep/f".to_owned()];
    let both = vec![old[0].clone(), new[0].clone()];
    // Syncing the source alone promises nothing.
    env.fs.sync_dir(path("/a")).unwrap();
    assert_eq!(outcomes(&disk, names), [old, new.clone(), both.clone()].into());
    env.fs.sync_dir(path("/b/deep")).unwrap();
    assert_eq!(outcomes(&disk, names), [new.clone(), both].into());
    env.fs.remove_dir_all(path("/a")).unwrap();
    env.fs.sync_dir(path("/")).unwrap();
    assert_eq!(outcomes(&disk, names), [new].into());
}

#[test]
fn a_failed_sync_makes_nothing_durable_ever() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[1; 1024]);
    let file = env.fs.open_write(path("/f")).unwrap();
    file.write_at(&[2; 2048], 0).unwrap();
    disk.fail_op(Op::Sync, 1, ErrorKind::Other);
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(disk.contents("/f"), [2; 2048]);
    assert_eq!(outcomes(&disk, |disk| disk.contents("/f")), [vec![1; 1024]].into());
    file.write_at(&[3; 512], 1536).unwrap();
    file.sync().unwrap();
    let found = disk.fork(1);
    found.power_loss_with(Loss::AllKept);
    assert_eq!(found.contents("/f").chunks(512).map(|sector| sector[0]).collect::<Vec<_>>(), [1, 1, 0, 3]);
}

#[test]
fn every_open_handle_is_told_of_a_failed_sync_once() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[1; 1024]);
    let (mine, other) = (env.fs.open_write(path("/f")).unwrap(), env.fs.open_write(path("/f")).unwrap());
    mine.write_at(&[2; 512], 0).unwrap();
    disk.fail_op(Op::Sync, 1, ErrorKind::Other);
    assert!(other.sync().is_err());
    let later = env.fs.open_write(path("/f")).unwrap();
    assert!(later.sync().is_ok() && other.sync().is_ok());
    assert!(mine.sync().is_err());
    assert!(mine.sync().is_ok());
}

#[test]
fn a_killed_process_has_no_effect_and_holds_nothing() {
    let disk = SimDisk::new(1);
    let (victim, other) = (disk.process(), disk.process());
    let file = victim.fs.create_new(path("/f")).unwrap();
    file.allocate(0, 4096).unwrap();
    assert!(file.try_lock().unwrap());
    let held = victim.fs.lock(path("/lock")).unwrap();
    assert!(other.fs.try_lock(path("/lock")).unwrap().is_none());
    let mut extent = file.extent(0, 4096, true).unwrap();
    extent.store_word(0, 7).unwrap();
    disk.kill(&victim.clone());
    let boot = other.clock.boot_id();
    assert!(extent.store_word(0, 8).is_err() && extent.write_back(0, 8).is_err());
    assert!(file.len().is_err() && file.sync().is_err() && victim.fs.read_dir(path("/")).is_err());
    let again = other.fs.open_write(path("/f")).unwrap();
    assert!(again.try_lock().unwrap());
    let lock = other.fs.try_lock(path("/lock")).unwrap().unwrap();
    drop((held, file, extent));
    assert!(again.is_locked().unwrap() && other.fs.try_lock(path("/lock")).unwrap().is_none());
    drop(lock);
    assert_eq!(disk.contents("/f")[0], 7);
    assert_eq!(disk.process().clock.boot_id(), boot);
    disk.power_loss();
    assert_ne!(disk.process().clock.boot_id(), boot);
    assert!(again.len().is_err());
}

#[test]
fn every_call_can_be_the_last() {
    let run = |env: &Env| -> std::io::Result<()> {
        env.fs.create_dir_all(path("/d"))?;
        let file = env.fs.create_new(path("/d/f"))?;
        file.write_at(&[1; 1000], 0)?;
        file.sync()?;
        env.fs.rename(path("/d/f"), path("/d/g"))?;
        env.fs.sync_dir(path("/d"))
    };
    for crash in [Crash::Before, Crash::After, Crash::Torn] {
        for n in 1..=7 {
            let disk = SimDisk::new(n);
            disk.crash_at(n, crash);
            let env = disk.process();
            assert_eq!(run(&env).is_ok(), n == 7);
            assert_eq!(env.fs.metadata(path("/")).is_ok(), n == 7);
            assert_eq!(disk.calls(), n.min(6));
            let written = disk.files().first().map(|(_, len)| *len);
            match (n, crash) {
                (3, Crash::Before) => assert_eq!(written, Some(0)),
                (3, Crash::After) => assert_eq!(written, Some(1000)),
                (3, Crash::Torn) => assert!(written < Some(1000)),
                (2, Crash::Before) => assert_eq!(written, None),
                (5, Crash::After) => assert_eq!(names(&disk), ["/d/g"]),
                (5, Crash::Before) => assert_eq!(names(&disk), ["/d/f"]),
                _ => {}
            }
        }
    }
}

#[test]
fn words_do_not_tear_but_stores_do() {
    let mut found = BTreeSet::new();
    for seed in SEEDS {
        let disk = SimDisk::new(seed);
        let env = disk.process();
        let file = env.fs.create_new(path("/f")).unwrap();
        file.allocate(0, 4096).unwrap();
        let mut extent = file.extent(0, 4096, seed % 2 == 0).unwrap();
        disk.crash_at(1, Crash::Torn);
        assert!(extent.store_word(0, u64::MAX).is_err());
        let word = u64::from_le_bytes(disk.contents("/f")[..8].try_into().unwrap());
        assert!(word == 0 || word == u64::MAX);
        found.insert(word);
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn faults_strike_once_and_stores_are_spared() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let file = env.fs.create_new(path("/f")).unwrap();
    file.allocate(0, 4096).unwrap();
    let mut extent = file.extent(0, 4096, true).unwrap();
    disk.fail_after(2, ErrorKind::StorageFull);
    extent.store_word(0, 1).unwrap();
    file.set_len(8192).unwrap();
    extent.store_word(0, 2).unwrap();
    assert_eq!(file.set_len(4096).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 8192);
    file.set_len(4096).unwrap();
    disk.fail_op(Op::Rename, 1, ErrorKind::Other);
    file.sync().unwrap();
    assert!(env.fs.rename(path("/f"), path("/g")).is_err());
    env.fs.rename(path("/f"), path("/g")).unwrap();
}

#[test]
fn looking_fails_by_a_count_of_its_own() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[7; 100]);
    let calls = disk.calls();
    let file = env.fs.open_write(path("/f")).unwrap();
    let mut buf = [0; 100];
    let look: [(ReadOp, &dyn Fn() -> std::io::Result<()>); 9] = [
        (ReadOp::Open, &|| env.fs.open(path("/f")).map(drop)),
        (ReadOp::Open, &|| env.fs.open_write(path("/f")).map(drop)),
        (ReadOp::Read, &|| file.read_at(&mut [0; 10], 0).map(drop)),
        (ReadOp::Map, &|| env.fs.open(path("/f")).and_then(|file| file.map()).map(drop)),
        (ReadOp::Metadata, &|| env.fs.metadata(path("/")).map(drop)),
        (ReadOp::ReadDir, &|| env.fs.read_dir(path("/")).map(drop)),
        (ReadOp::Len, &|| file.len().map(drop)),
        (ReadOp::Lock, &|| file.try_lock().map(drop)),
        (ReadOp::Lock, &|| file.is_locked().map(drop)),
    ];
    for (op, call) in look {
        // Also where there is nothing: a folder that cannot be read does not say so.
        disk.fail_read_op(ReadOp::Metadata, 1, ErrorKind::Other);
        assert_eq!(env.fs.metadata(path("/none")).unwrap_err().kind(), ErrorKind::Other);
        disk.fail_read_op(op, 2, ErrorKind::Other);
        call().unwrap();
        assert_eq!(call().unwrap_err().kind(), ErrorKind::Other, "{op:?}");
        call().unwrap();
    }
    let looks = disk.looks();
    disk.fail_look(3, ErrorKind::TimedOut);
    disk.spare_looks(true);
    (0..5).for_each(|_| assert_eq!(file.len().unwrap(), 100));
    disk.spare_looks(false);
    assert_eq!((file.len().unwrap(), file.read_at(&mut buf, 0).unwrap()), (100, 100));
    assert_eq!(env.fs.lock(path("/lock")).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(disk.looks(), looks + 3);
    // None of it counts as a change, and changes do not count as looks.
    assert_eq!(disk.calls(), calls);
    disk.fail_look(1, ErrorKind::Other);
    env.fs.create_dir_all(path("/d")).unwrap();
    disk.clear_faults();
    assert_eq!(file.len().unwrap(), 100);
    disk.kill(&env);
    assert!(!disk.lives(&env) && file.len().is_err() && disk.looks() == looks + 4);
}

#[test]
fn a_read_brings_a_flipped_bit_and_the_medium_is_good() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[0; 4096]);
    let file = env.fs.open_write(path("/f")).unwrap();
    let read = || {
        let mut buf = vec![0; 4096];
        let n = file.read_at(&mut buf, 0).unwrap();
        assert_eq!(n, 4096);
        buf
    };
    let ones = |bytes: &[u8]| bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
    disk.flip_read(2);
    // Neither calls that bring no bytes nor reads beyond the end take the flip.
    file.len().unwrap();
    assert_eq!(ones(&read()), 0);
    assert_eq!(file.read_at(&mut [0; 8], 4096).unwrap(), 0);
    assert_eq!(ones(&read()), 1);
    assert_eq!((ones(&read()), ones(&disk.contents("/f"))), (0, 0));
    // Nor do calls that read nothing.
    disk.flip_read(1);
    for mapped in [false, true] {
        assert_eq!(ones(file.extent(0, 4096, mapped).unwrap().bytes_mut()), 0);
    }
    assert_eq!(ones(&file.map().unwrap()), 0);
    assert_eq!(ones(&read()), 1);
    let flipped = |seed| {
        let disk = SimDisk::new(seed);
        disk.set_contents("/f", [0; 4096]);
        disk.flip_read(1);
        let mut buf = [0; 4096];
        disk.process().fs.open(path("/f")).unwrap().read_at(&mut buf, 0).unwrap();
        buf.iter().position(|byte| *byte != 0)
    };
    assert!(SEEDS.map(flipped).collect::<BTreeSet<_>>().len() > 100);
}

#[test]
fn a_lost_write_shows_what_was_durable_before() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[1; 1536]);
    assert_eq!(disk.rewritten_sectors("/f"), [0; 0]);
    let file = env.fs.open_write(path("/f")).unwrap();
    file.write_at(&[2; 512], 512).unwrap();
    // Not durable in between, so no earlier content of the medium.
    file.write_at(&[3; 512], 512).unwrap();
    file.write_at(&[4; 512], 1536).unwrap();
    file.sync().unwrap();
    assert_eq!(disk.rewritten_sectors("/f"), [1]);
    assert!(!disk.lose_write("/f", 0) && !disk.lose_write("/f", 3) && disk.lose_write("/f", 1));
    let stale = [1, 1, 1, 4];
    let sectors = |disk: &SimDisk| disk.contents("/f").chunks(512).map(|sector| sector[0]).collect::<Vec<_>>();
    assert_eq!(sectors(&disk), stale);
    // It is the medium that is wrong: a power loss makes it no better.
    assert_eq!(outcomes(&disk, sectors), [stale.to_vec()].into());
}

#[test]
fn a_misdirected_write_is_found_elsewhere() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    durable(&env, "/f", &[[1; 512], [2; 512]].concat());
    durable(&env, "/g", &[3; 700]);
    disk.misdirect((path("/f"), 0), (path("/f"), 1));
    disk.misdirect((path("/f"), 0), (path("/g"), 1));
    disk.misdirect((path("/g"), 1), (path("/f"), 0));
    let look = |disk: &SimDisk| (disk.contents("/f"), disk.contents("/g"));
    let f = [[1; 188].as_slice(), &[0; 324], &[1; 512]].concat();
    let g = [[3; 512].as_slice(), &[1; 188]].concat();
    assert_eq!(look(&disk), (f, g));
    assert_eq!(outcomes(&disk, look), [look(&disk)].into());
}

#[test]
fn a_full_disk_refuses_and_is_freed() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    disk.set_capacity(3 * 4096);
    let file = env.fs.create_new(path("/f")).unwrap();
    file.allocate(0, 8192).unwrap();
    let other = env.fs.create_new(path("/g")).unwrap();
    assert_eq!(other.allocate(0, 8192).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(other.len().unwrap(), 0);
    assert_eq!(other.write_at(&[1; 5000], 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(other.len().unwrap(), 4096);
    file.write_at(&[1; 8192], 0).unwrap();
    assert_eq!(disk.used(), 3 * 4096);
    env.fs.remove_file(path("/f")).unwrap();
    assert!(other.allocate(4096, 4096).is_err());
    drop(file);
    other.allocate(4096, 4096).unwrap();
    disk.set_allocates(false);
    assert_eq!(other.allocate(4096, 4096).unwrap_err().kind(), ErrorKind::Unsupported);
    disk.set_locks(false);
    assert_eq!(other.is_locked().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(env.fs.lock(path("/l")).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
#[should_panic(expected = "SIGBUS")]
fn a_store_without_blocks_is_a_signal() {
    let disk = SimDisk::new(1);
    let file = disk.process().fs.create_new(path("/f")).unwrap();
    file.set_len(4096).unwrap();
    let _ = file.extent(0, 4096, true).unwrap().store_word(0, 1);
}

#[test]
#[should_panic(expected = "immutable")]
fn a_mapped_file_is_not_written() {
    let disk = SimDisk::new(1);
    let file = disk.process().fs.create_new(path("/f")).unwrap();
    file.write_at(&[1; 9], 0).unwrap();
    let _map = file.map().unwrap();
    file.write_at(&[1], 9).unwrap();
    let _ = file.write_at(&[1], 8);
}

#[test]
fn tests_can_reach_in() {
    let disk = SimDisk::new(1);
    disk.set_contents("/a/b/f", *b"abc");
    disk.flip("/a/b/f", 1, 1);
    disk.power_loss_with(Loss::AllLost);
    assert_eq!(disk.contents("/a/b/f"), b"acc");
    let env = disk.process();
    let (wall, steady) = (env.clock.now_us(), env.clock.monotonic_us());
    disk.advance(1_000_000);
    assert_eq!((env.clock.now_us() - wall, env.clock.monotonic_us() - steady), (1_000_002, 1_000_002));
    disk.set_wall_us(5_000_000);
    assert_eq!(env.clock.now_us(), 5_000_001);
    assert_eq!(SimDisk::new(1).process().clock.random(), SimDisk::new(1).process().clock.random());
}
