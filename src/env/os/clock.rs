//! Real time and randomness.
//!
//! Random bits come from the kernel, some words at a time, kept per thread: no lock, so a thread that forks cannot
//! leave one locked behind in the child. A child finds a pool of another process id and fills it anew, so parent and
//! child never hand out the same bits.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::Read;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::super::Clock;

/// Words taken from the kernel at a time.
const POOL_WORDS: usize = 32;

/// The clock of the operating system.
#[derive(Debug)]
pub(in super::super) struct OsClock {
    start: Instant,
    boot: [u8; 16],
}

impl OsClock {
    pub(in super::super) fn new() -> Self {
        Self { start: Instant::now(), boot: read_boot_id().unwrap_or([0; 16]) }
    }
}

impl Clock for OsClock {
    fn now_us(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs().saturating_mul(1_000_000).saturating_add(since.subsec_micros().into()))
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn random(&self) -> u64 {
        thread_local! {
            static POOL: RefCell<Pool> = const { RefCell::new(Pool { owner: 0, words: Vec::new() }) };
        }
        // The pool is out of reach only while its thread ends.
        POOL.try_with(|pool| pool.try_borrow_mut().ok().and_then(|mut pool| pool.next()))
            .ok()
            .flatten()
            .unwrap_or_else(fallback)
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot
    }
}

/// Random words not handed out yet, and the process that drew them.
struct Pool {
    owner: u32,
    words: Vec<u64>,
}

impl Pool {
    fn next(&mut self) -> Option<u64> {
        let process = std::process::id();
        if self.owner != process {
            self.words.clear();
            self.owner = process;
        }
        if self.words.is_empty() {
            let mut bytes = [0; POOL_WORDS * 8];
            File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).ok()?;
            self.words.extend(bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)));
        }
        self.words.pop()
    }
}

/// Without `/dev/urandom` (a bare chroot): the standard library's hash keys, which it draws from the system too.
fn fallback() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    RandomState::new().hash_one((now, std::process::id(), std::thread::current().id()))
}

/// The kernel's name of this boot; `None` where there is none.
fn read_boot_id() -> Option<[u8; 16]> {
    parse_uuid(&std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?)
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|&c| c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn time_goes_on_and_bits_differ() {
        let clock = OsClock::new();
        let (wall, steady) = (clock.now_us(), clock.monotonic_us());
        assert!(wall > 1_700_000_000_000_000);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(clock.monotonic_us() >= steady + 2000);
        let mut seen: HashSet<u64> = (0..200).map(|_| clock.random()).collect();
        seen.extend((0..10).map(|_| fallback()));
        assert_eq!(seen.len(), 210);
    }

    #[test]
    fn a_forked_child_draws_anew() {
        let mut pool = Pool { owner: std::process::id().wrapping_add(1), words: vec![7] };
        pool.next().unwrap();
        assert_eq!(pool.owner, std::process::id());
        assert_eq!(pool.words.len(), POOL_WORDS - 1);
    }

    #[test]
    fn boot_ids_are_parsed_strictly() {
        let id = parse_uuid("00112233-4455-6677-8899-aabbccddeeff\n").unwrap();
        assert_eq!(
            id,
            [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]
        );
        assert_eq!(parse_uuid("+0112233445566778899aabbccddeeff"), None);
        assert_eq!(parse_uuid(""), None);
    }
}
