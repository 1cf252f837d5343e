//! How much memory a call asks for: at most a multiple of what it was given to decode.
//!
//! A fuzz target has an allocator that counts and installs it here (`fuzz/src/lib.rs`); without one nothing is measured,
//! since only the program can choose its allocator. One thread at a time measures, and not inside of itself.

use std::sync::OnceLock;

/// What an allocator that counts can tell.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Begins anew.
    pub start: fn(),
    /// The most bytes that were held at one time since, more than at the start.
    pub peak: fn() -> usize,
}

static METER: OnceLock<Meter> = OnceLock::new();

/// Measures from now on.
pub fn install(meter: Meter) {
    METER.get_or_init(|| meter);
}

/// Bytes that a decoder may hold for each byte that it is given. The smallest definition of a metric, of four bytes,
/// becomes one with statistics and empty columns; a vector that grows holds three times what it had.
const MULTIPLE: usize = 512;
/// And whatever it is given: messages, first pieces of what grows, the buffer of 64 KiB that looks for zeros.
const BASE: usize = 128 << 10;

/// Runs a decoder of as many bytes as `given` says of what it has made: what comes packed counts as it is unpacked.
///
/// # Panics
/// When it holds more than its share.
pub(super) fn decoding<T>(what: &str, given: impl FnOnce(&T) -> usize, decode: impl FnOnce() -> T) -> T {
    let Some(meter) = METER.get() else { return decode() };
    (meter.start)();
    let decoded = decode();
    let (peak, given) = ((meter.peak)(), given(&decoded));
    let limit = BASE + MULTIPLE * given;
    assert!(peak <= limit, "{what} held {peak} bytes for {given}: {limit} at most");
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::panic::catch_unwind;

    thread_local!(static PEAK: Cell<usize> = const { Cell::new(0) });

    #[test]
    fn a_decoder_may_hold_its_share_and_no_more() {
        install(Meter { start: || PEAK.set(0), peak: || PEAK.get() });
        let holds = |bytes: usize| catch_unwind(|| decoding("it", |_| 10, || PEAK.set(bytes))).is_ok();
        assert!(holds(BASE + 10 * MULTIPLE));
        assert!(!holds(BASE + 10 * MULTIPLE + 1));
    }
}
