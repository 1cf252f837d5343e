//! Where records are encoded: straight into the memory of a log, checksummed on the way.
//!
//! What does not fit is not written, and [`Sink::finish`] says so: a caller has reserved the room before, so that
//! nothing needs to be checked record by record.

use super::crc;
use super::wire::{self, put_varint, zigzag};

/// Values are copied and checksummed in pieces of this length: the second pass finds the bytes in the first cache.
const PIECE: usize = 2048;

/// A cursor over the room that a call has reserved.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    room: &'a mut [u8],
    at: usize,
    crc: u32,
    overflowed: bool,
}

impl<'a> Sink<'a> {
    /// Writes into `room`, and continues the checksum `crc`.
    pub(crate) fn new(room: &'a mut [u8], crc: u32) -> Self {
        Self { room, at: 0, crc, overflowed: false }
    }

    /// Bytes written and the checksum up to their end; `None` when something did not fit.
    pub(crate) fn finish(self) -> Option<(usize, u32)> {
        (!self.overflowed).then_some((self.at, self.crc))
    }

    /// Appends bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        match self.room.get_mut(self.at..).and_then(|room| room.get_mut(..bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.crc = wire::crc(self.crc, bytes);
                self.at += bytes.len();
            }
            None => self.overflowed = true,
        }
    }

    /// Appends the short head of a record and the eight bytes after it.
    #[inline(always)]
    pub(crate) fn put_head_and_word(&mut self, head: Head, word: u64) {
        let shift = 8 * head.len;
        let low = head.word | word.unbounded_shl(shift);
        // The part of `word` that `low` has no room for: as many bytes as the head has.
        let high = word.unbounded_shr(64 - shift);
        let place = self.room.get_mut(self.at..).and_then(|room| room.first_chunk_mut::<16>());
        let Some(place) = place else { return self.put_slowly(head, word) };
        *place = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
        self.crc = crc::crc_pair(self.crc, low, high, head.len as usize);
        self.at += 8 + head.len as usize;
    }

    #[cold]
    fn put_slowly(&mut self, head: Head, word: u64) {
        self.put_head(head);
        self.put(&word.to_le_bytes());
    }

    /// Appends the short head of a record.
    pub(crate) fn put_head(&mut self, head: Head) {
        self.put(head.word.to_le_bytes().get(..head.len as usize).unwrap_or_default());
    }

    /// Appends values, 8 bytes each.
    pub(crate) fn put_values(&mut self, values: &[f64]) {
        self.put_words(values, |value| value.to_le_bytes());
    }

    /// Appends numbers, 8 bytes each.
    pub(crate) fn put_ints(&mut self, ints: &[i64]) {
        self.put_words(ints, |int| int.to_le_bytes());
    }

    /// Appends numbers, `N` bytes each.
    #[inline]
    pub(crate) fn put_words<T: Copy, const N: usize>(&mut self, all: &[T], to_bytes: impl Fn(T) -> [u8; N]) {
        let len = all.len() * N;
        let Some(place) = self.room.get_mut(self.at..).and_then(|room| room.get_mut(..len)) else {
            self.overflowed = true;
            return;
        };
        for (place, part) in place.chunks_mut(PIECE * N).zip(all.chunks(PIECE)) {
            place.as_chunks_mut::<N>().0.iter_mut().zip(part).for_each(|(to, from)| *to = to_bytes(*from));
            self.crc = wire::crc(self.crc, place);
        }
        self.at += len;
    }
}

/// The first bytes of a record in a register, as long as there are at most eight of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    word: u64,
    len: u32,
}

impl Head {
    /// Kind, number, and two signed numbers; `None` when they take more than eight bytes.
    #[inline(always)]
    pub(crate) fn new(kind: u8, number: u32, first: i64, second: i64) -> Option<Self> {
        let head = Self { word: u64::from(kind), len: 1 };
        head.varint(u64::from(number))?.varint(zigzag(first))?.varint(zigzag(second))
    }

    #[inline(always)]
    fn varint(self, value: u64) -> Option<Self> {
        if value >= 1 << 28 {
            return None;
        }
        let (bytes, len) = if value < 1 << 7 {
            (value, 1)
        } else if value < 1 << 14 {
            (value & 0x7f | 0x80 | (value >> 7) << 8, 2)
        } else {
            long_varint(value)
        };
        // Before the shift: it must be of fewer than 64 bits.
        (self.len + len <= 8).then(|| Self { word: self.word | bytes << (8 * self.len), len: self.len + len })
    }

    /// The same bytes, for any numbers.
    pub(crate) fn long(kind: u8, number: u32, first: i64, second: i64) -> Vec<u8> {
        let mut out = vec![kind];
        put_varint(&mut out, u64::from(number));
        put_varint(&mut out, zigzag(first));
        put_varint(&mut out, zigzag(second));
        out
    }
}

/// Three or four bytes.
#[inline]
fn long_varint(value: u64) -> (u64, u32) {
    let low = value & 0x7f | 0x80 | (value >> 7 & 0x7f) << 8;
    if value < 1 << 21 {
        (low | 0x8000 | (value >> 14) << 16, 3)
    } else {
        (low | 0x8000 | (value >> 14 & 0x7f | 0x80) << 16 | (value >> 21) << 24, 4)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers around every length that a varint can have.
    #[test]
    fn a_head_is_short_when_its_bytes_fit() {
        let edges = [7, 14, 21, 28].map(|bits| 1u64 << bits);
        let numbers: Vec<u64> =
            edges.iter().flat_map(|edge| [edge - 1, *edge, edge + 1]).chain([0, 0x5a5_a5a5]).collect();
        let unzigzag = |value: u64| (value >> 1) as i64 ^ -((value & 1) as i64);
        let mut short = 0;
        for number in &numbers {
            for first in &numbers {
                for second in &numbers {
                    let (first_number, second_number) = (unzigzag(*first), unzigzag(*second));
                    let expected = Head::long(1, *number as u32, first_number, second_number);
                    let fits = expected.len() <= 8 && [number, first, second].iter().all(|number| **number < 1 << 28);
                    let head = Head::new(1, *number as u32, first_number, second_number);
                    let bytes = head.map(|head| head.word.to_le_bytes()[..head.len as usize].to_vec());
                    assert_eq!(bytes, fits.then_some(expected), "{number:#x} {first:#x} {second:#x}");
                    short += usize::from(fits);
                }
            }
        }
        assert!(short > 300, "{short}");
    }

    proptest! {
        #[test]
        fn a_short_head_has_the_bytes_of_the_long_one(
            number in prop_oneof![0u32..200, 0u32..1 << 20],
            first in prop_oneof![-100i64..100, -20_000i64..20_000, any::<i64>()],
            second in prop_oneof![-100i64..100, -2_000_000i64..2_000_000, -200_000_000i64..200_000_000],
            word: u64,
            room in 0usize..40,
        ) {
            let mut expected = Head::long(1, number, first, second);
            let Some(head) = Head::new(1, number, first, second) else {
                prop_assert!(expected.len() > 8 || zigzag(first).max(zigzag(second)) >= 1 << 28);
                return Ok(());
            };
            expected.extend_from_slice(&word.to_le_bytes());
            let mut place = vec![0; room];
            let mut sink = Sink::new(&mut place, 5);
            sink.put_head_and_word(head, word);
            let done = sink.finish();
            if room < expected.len() {
                prop_assert_eq!(done, None);
            } else {
                prop_assert_eq!(done, Some((expected.len(), wire::crc(5, &expected))));
                prop_assert_eq!(&place[..expected.len()], &expected[..]);
            }
        }

        #[test]
        fn values_lie_one_after_the_other(values in prop::collection::vec(any::<f64>(), 0..5000), less in 0usize..2) {
            let expected: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let mut place = vec![0; (expected.len() + 1).saturating_sub(less * 2)];
            let mut sink = Sink::new(&mut place, 1);
            sink.put_values(&values);
            let done = sink.finish();
            if place.len() < expected.len() {
                prop_assert_eq!(done, None);
            } else {
                prop_assert_eq!(done, Some((expected.len(), wire::crc(1, &expected))));
                prop_assert_eq!(&place[..expected.len()], &expected[..]);
            }
        }
    }
}
