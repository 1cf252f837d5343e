//! What tests of damage to the sample of `trackway::testing::damage` share.

use std::ops::Range;
use std::path::Path;
use trackway::testing::damage::{Bench, folder};

/// The section "Bytes that carry nothing" of `docs/format.md`, for a file of the sample.
pub(crate) fn harmless(path: &Path, bytes: &[u8]) -> Vec<(Range<usize>, &'static str)> {
    let below = path.strip_prefix(folder()).unwrap().to_string_lossy().into_owned();
    let whole_file = |why| vec![(0..bytes.len(), why)];
    match below.split('/').next().unwrap() {
        "locks" => return whole_file("a lock file"),
        "quarantine" | "trash" => return whole_file("set aside"),
        _ if below.ends_with("-new") => return whole_file("a file in the making"),
        // A checksum of theirs would have to be the user's.
        _ if below.contains("/artifacts/") => return whole_file("an artifact"),
        _ if below.ends_with(".log") => {}
        _ => return Vec::new(),
    }
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    if word(0) == 0 {
        // As a kill in the midst of its beginning leaves it.
        return vec![(8..128, "the header of a log that was not begun")];
    }
    let mut found = vec![(136..4088, "zeros of the first page"), (4088..4096, "the mark of a log that has begun")];
    let mut at = 4096;
    loop {
        let (len, published) = ((word(at) as u32) as usize, (word(128) as u32) as usize);
        let end = at + 8 + (len & 0x7fff_ffff);
        let next = end.next_multiple_of(8);
        if word(at) == 0 {
            let (from, why) = match published > at {
                true => (published, "behind the open frame"),
                false => (at + 8, "behind the place of the next frame"),
            };
            found.push((from..bytes.len(), why));
            return found;
        }
        match len >> 31 {
            1 => found.push((at + 8..next, "a pad")),
            _ => found.push((end..next, "between frames")),
        }
        at = next;
    }
}

/// Calls `each` with all numbers below `count`, on as many threads as there are cores, and gives the results in order.
pub(crate) fn on_all_cores<T: Send>(count: usize, each: impl Fn(&Bench, usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<Option<T>> = (0..count).map(|_| None).collect();
    std::thread::scope(|scope| {
        for piece in all.chunks_mut(count.div_ceil(threads).max(1)).enumerate() {
            let each = &each;
            scope.spawn(move || {
                let bench = Bench::new();
                let (number, piece) = piece;
                for (at, slot) in piece.iter_mut().enumerate() {
                    *slot = Some(each(&bench, number * count.div_ceil(threads) + at));
                }
            });
        }
    });
    all.into_iter().map(Option::unwrap).collect()
}

pub(crate) fn flipped(bytes: &[u8], at: usize, mask: u8) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    damaged[at] ^= mask;
    damaged
}
