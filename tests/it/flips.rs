//! Every byte of a small store damaged, one at a time: each is reported, or is one of those of which `docs/format.md` says
//! that they carry nothing; and whatever is read is what was written, or an error.

use crate::damage::{flipped, harmless, on_all_cores};
use std::path::Path;
use trackway::testing::damage::{Look, files};

#[test]
fn a_flip_of_every_byte_is_reported_or_hits_one_that_carries_nothing() {
    for (path, good) in files() {
        let harmless = harmless(path, good);
        let why = |at: usize| harmless.iter().find(|(range, _)| range.contains(&at)).map(|(_, why)| *why);
        let looks = on_all_cores(2 * good.len(), |bench, number| {
            let (at, mask) = (number / 2, if number % 2 == 0 { 1 << (number / 2 % 8) } else { 0xff });
            // Of the thousands of zeros in the first page of a log one bit each is enough.
            if path.extension().is_some_and(|ending| ending == "log") && (136..4088).contains(&at) && mask == 0xff {
                return None;
            }
            let context = |error| panic!("byte {at} of {} ^ {mask:#x}: {error}", path.display());
            Some(bench.look(&[(path, &flipped(good, at, mask))]).unwrap_or_else(context))
        });
        let mut last = 0;
        for (number, look) in looks.iter().enumerate() {
            let Some(look) = look else { continue };
            check_flip(path, number / 2, why(number / 2), look, &mut last);
        }
    }
}

/// `last`: where the piece before began that was named, which is not behind the next one.
fn check_flip(path: &Path, at: usize, why: Option<&str>, look: &Look, last: &mut u64) {
    if let Some(why) = why {
        // An artifact shows its bytes as they are.
        assert!(look.same || why == "an artifact", "byte {at} of {}, {why}, is read", path.display());
        assert_eq!(look.damage, [], "byte {at} of {}, {why}", path.display());
        return;
    }
    let [found] = &look.damage[..] else { panic!("byte {at} of {}: {:?}", path.display(), look.damage) };
    assert_eq!(found.path, path, "byte {at}");
    // The published word vouches for the open frame and for the end: where they disagree, the end is named.
    if path.extension().is_some_and(|ending| ending == "log") && (128..136).contains(&at) {
        return;
    }
    assert!(found.offset <= at as u64, "byte {at} of {} is named as {}", path.display(), found.offset);
    assert!(found.offset >= *last, "byte {at} of {}: {} after {last}", path.display(), found.offset);
    // The first byte of a piece names itself: the offsets that are named are where pieces begin.
    assert!(found.offset == *last || found.offset == at as u64, "byte {at} of {}: {found:?}", path.display());
    *last = found.offset;
}

#[test]
fn recovery_loses_and_removes_nothing_that_is_good() {
    for (path, good) in files() {
        let harmless = harmless(path, good);
        let carries = |at: &usize| !harmless.iter().any(|(range, _)| range.contains(at));
        // All of the small files, and a part of the large ones.
        let bytes: Vec<usize> = (0..good.len()).filter(carries).step_by(1 + good.len() / 150).collect();
        on_all_cores(bytes.len(), |bench, number| {
            let at = bytes[number];
            let recovered = bench.recover(&[(path, &flipped(good, at, 0xff))]);
            recovered.unwrap_or_else(|error| panic!("byte {at} of {}: {error}", path.display()));
        });
    }
}
