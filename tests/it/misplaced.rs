//! Sectors lost, files cut, and pieces that are whole but belong elsewhere: checksums begin from file id and place, so all
//! of them are found, and what is read is what was written, or an error.

use crate::damage::{harmless, on_all_cores};
use crate::support::{Scene, finished_run};
use std::path::{Path, PathBuf};
use trackway::RunFilter;
use trackway::testing::damage::{Bench, earlier, files, folder};

/// What file systems and disks lose at a time.
const SECTOR: usize = 512;

type File = (PathBuf, Vec<u8>);

/// Files of registered models are named by what they hold.
const MODEL: &str = "models";

/// Files whose content counts, by kind.
fn kinds() -> Vec<Vec<&'static File>> {
    let is_model = |path: &Path| path.starts_with(folder().join("models"));
    let of = |ending: &str| {
        let is_of =
            |path: &Path| if ending == MODEL { is_model(path) } else { path.to_string_lossy().ends_with(ending) };
        files().iter().filter(|(path, _)| is_of(path)).collect()
    };
    let below =
        |(path, _): &&File| !path.starts_with(folder().join("trash")) && !path.starts_with(folder().join("quarantine"));
    let kinds = [".seg", ".pack", ".log", "experiment.tw", "catalog.tw", "store.tw", MODEL].map(of);
    kinds.into_iter().map(|kind: Vec<&File>| kind.into_iter().filter(below).collect()).collect()
}

/// A log that was never begun: it says nothing, and not even whose it is.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0; 8])
}

/// Looks at a store with these bytes in a file: damage is reported, or hits what carries nothing.
fn check(bench: &Bench, path: &Path, good: &[u8], bytes: &[u8], what: &str) {
    let look = bench.look(&[(path, bytes)]).unwrap_or_else(|error| panic!("{}, {what}: {error}", path.display()));
    let nothing = harmless(path, good);
    let carries = |at: &usize| !nothing.iter().any(|(range, _)| range.contains(at));
    // Where the next frame would begin there are zeros, or nothing.
    let room =
        nothing.iter().find(|(_, why)| *why == "behind the place of the next frame").map(|(range, _)| range.start);
    let room = if is_blank(good) { Some(4096 + 8) } else { room };
    let is_cut = |at: &usize| *at >= bytes.len() && room.is_some_and(|start| *at + 8 >= start);
    let hit = (0..good.len()).filter(carries).filter(|at| !is_cut(at)).find(|at| bytes.get(*at) != good.get(*at));
    let reported = look.damage.iter().any(|damage| damage.path == *path);
    match hit {
        // The catalog is derived: without its last entries it says less, and the runs are asked.
        Some(_) if path.ends_with("catalog.tw") && look.same => {}
        Some(at) => assert!(reported, "{}, {what}: byte {at} is not missed; {look:?}", path.display()),
        None => assert!(look.same && look.damage.is_empty(), "{}, {what}: {look:?}", path.display()),
    }
}

#[test]
fn every_zeroed_sector_is_reported() {
    for (path, good) in kinds().into_iter().flatten() {
        on_all_cores(good.len().div_ceil(SECTOR), |bench, sector| {
            let mut bytes = good.clone();
            let end = bytes.len().min((sector + 1) * SECTOR);
            bytes[sector * SECTOR..end].fill(0);
            check(bench, path, good, &bytes, &format!("sector {sector} zeroed"));
            bench.recover(&[(path, &bytes)]).unwrap_or_else(|error| panic!("{} {sector}: {error}", path.display()));
        });
    }
}

#[test]
fn every_cut_is_reported() {
    for (path, good) in kinds().into_iter().flatten() {
        // Of the first page of a log not every length.
        let lengths: Vec<usize> = (0..good.len()).filter(|len| !(140..4080).contains(len) || len % 97 == 0).collect();
        on_all_cores(lengths.len(), |bench, number| {
            let bytes = &good[..lengths[number]];
            check(bench, path, good, bytes, &format!("cut to {}", bytes.len()));
            if number % 7 == 0 {
                let recovered = bench.recover(&[(path, bytes)]);
                recovered.unwrap_or_else(|error| panic!("{} cut to {}: {error}", path.display(), bytes.len()));
            }
        });
    }
}

/// Of files of one kind each in the place of each other one, and both in each other's.
#[test]
fn files_of_one_kind_in_each_others_places_are_reported_or_say_the_same() {
    let bench = Bench::new();
    let mut reported = 0;
    for kind in kinds() {
        for a in &kind {
            // Nothing tells a log from another that was never begun in its place.
            for b in kind.iter().filter(|b| b.0 != a.0 && !is_blank(&b.1)) {
                for edits in [vec![(&a.0, &b.1)], vec![(&a.0, &b.1), (&b.0, &a.1)]] {
                    let edits: Vec<(&Path, &[u8])> =
                        edits.into_iter().map(|(p, bytes)| (p.as_path(), &bytes[..])).collect();
                    let context = |error: String| format!("{} as {}: {error}", b.0.display(), a.0.display());
                    let look = bench.look(&edits).map_err(context).unwrap();
                    // Names of segments mean nothing: two of one run may change places.
                    let found = look
                        .damage
                        .iter()
                        .any(|damage| edits.iter().any(|(path, _)| damage.path.starts_with(path.parent().unwrap())));
                    assert!(look.same || found, "{} as {}: {look:?}", b.0.display(), a.0.display());
                    reported += usize::from(found);
                    bench.recover(&edits).map_err(context).unwrap();
                }
            }
        }
    }
    assert!(reported > 20, "{reported}");
}

/// Writes that went to the wrong place, and reads that came from there.
#[test]
fn blocks_of_other_files_and_places_are_reported() {
    for kind in kinds() {
        for (path, good) in &kind {
            let blocks = |bytes: &[u8]| bytes.len().div_ceil(SECTOR);
            let mut edits: Vec<(Vec<u8>, String)> = Vec::new();
            for (other, from) in &kind {
                for to in 0..blocks(good) {
                    // The same place of another file; any other place of the same one.
                    let sources = if other == path { 0..blocks(good) } else { to..blocks(from).min(to + 1) };
                    for source in sources {
                        let block = &from[source * SECTOR..from.len().min((source + 1) * SECTOR)];
                        let mut bytes = good.clone();
                        let len = block.len().min(bytes.len() - to * SECTOR);
                        bytes[to * SECTOR..][..len].copy_from_slice(&block[..len]);
                        edits.push((bytes, format!("block {source} of {} at {to}", other.display())));
                    }
                }
            }
            edits.retain(|(bytes, _)| bytes != good);
            on_all_cores(edits.len(), |bench, number| check(bench, path, good, &edits[number].0, &edits[number].1));
        }
    }
}

/// A catalog of another time passes all checksums: what it says is held against the files of the runs.
#[test]
fn a_catalog_of_another_time_is_reported() {
    let bench = Bench::new();
    let mut different = 0;
    for (path, old) in earlier().iter().filter(|(path, _)| path.ends_with("catalog.tw")) {
        let look = bench.look(&[(path, old)]).unwrap();
        assert!(look.same || look.damage.iter().any(|damage| damage.path == *path), "{look:?}");
        different += usize::from(!look.same);
    }
    assert!(different > 0, "an old catalog says something else");
}

/// A reader changes nothing, and shows what is there.
#[test]
fn a_catalog_of_another_store_invents_no_run() {
    let (one, two) = (Scene::new(), Scene::new());
    let id = finished_run(&one.open(), "one");
    finished_run(&two.open(), "two");
    let catalog = |scene: &Scene| scene.path().join("catalog/catalog.tw");
    std::fs::copy(catalog(&two), catalog(&one)).unwrap();
    for _ in 0..2 {
        let runs = one.open_read_only().runs(&RunFilter::default()).unwrap();
        assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [id]);
        assert_eq!(one.open_read_only().verify(&mut |_| {}).unwrap().damage, []);
        assert_eq!(one.open().runs(&RunFilter::default()).unwrap().len(), 1);
    }
}

/// The first sector of a log is the only one that is written more than once. An older one looks as after a power loss: what
/// was synced is there, and of what came after a beginning.
#[test]
fn an_old_first_sector_of_a_log_takes_at_most_what_was_not_synced() {
    let bench = Bench::new();
    let old: Vec<&File> = earlier().iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "log")).collect();
    assert!(old.len() > 5);
    for (path, old) in old {
        let (_, good) = files().iter().find(|(known, _)| known == path).unwrap();
        let bytes = [&old[..SECTOR], &good[SECTOR..]].concat();
        let points = bench.points(&[(path, &bytes)], 4, "loss").unwrap();
        let all = bench.points(&[], 4, "loss").unwrap();
        assert!(points.len() >= 10 && all.starts_with(&points), "{} of {} points", points.len(), all.len());
        bench.recover_to_part(&[(path, &bytes)]).unwrap();
    }
}
