//! CRC-32 (IEEE 802.3, as in zlib), for records of a few bytes and for long columns alike.
//!
//! `crc32fast` folds long inputs at memory speed and takes short ones byte by byte. A log call checksums 10 to 20
//! bytes, so those go eight bytes a step through tables (slicing by 8).

/// From this length on the folding of `crc32fast` is the faster one.
const LONG: usize = 128;

/// `TABLES[n][b]`: the checksum of byte `b` with `n` zero bytes after it.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a wrong index would not compile")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// The state after the lowest `N` bytes of `word`, whose others are zero. The look-ups do not wait for each other.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "a byte is an index below 256, and `N` is at most 8")]
fn step<const N: usize>(state: u32, word: u64) -> u32 {
    let mixed = word ^ u64::from(state);
    // Of fewer than four bytes the rest of the state only moves down.
    let mut next = if N < 4 { state >> (8 * N) } else { 0 };
    let mut at = 0;
    while at < N {
        next ^= TABLES[N - 1 - at][usize::from((mixed >> (8 * at)) as u8)];
        at += 1;
    }
    next
}

/// The same for a number of bytes known when it runs, at most 8.
#[inline(always)]
fn step_some(state: u32, word: u64, len: usize) -> u32 {
    match len {
        0 => state,
        1 => step::<1>(state, word),
        2 => step::<2>(state, word),
        3 => step::<3>(state, word),
        4 => step::<4>(state, word),
        5 => step::<5>(state, word),
        6 => step::<6>(state, word),
        7 => step::<7>(state, word),
        _ => step::<8>(state, word),
    }
}

/// The checksum of `bytes`, begun from `seed`.
#[inline]
pub(super) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    if bytes.len() >= LONG {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(bytes);
        return hasher.finalize();
    }
    let (words, rest) = bytes.as_chunks::<8>();
    let state = words.iter().fold(!seed, |state, word| step::<8>(state, u64::from_le_bytes(*word)));
    let mut last = [0u8; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    !step_some(state, u64::from_le_bytes(last), rest.len())
}

/// The checksum of the eight bytes of `low`, then the lowest `len` bytes (at most 8) of `high`, whose others are zero.
#[inline(always)]
pub(super) fn crc_pair(seed: u32, low: u64, high: u64, len: usize) -> u32 {
    !step_some(step::<8>(!seed, low), high, len)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_bits(seed: u32, bytes: &[u8]) -> u32 {
        let mut state = !seed;
        for byte in bytes {
            state ^= u32::from(*byte);
            for _ in 0..8 {
                state = if state & 1 == 1 { state >> 1 ^ 0xedb8_8320 } else { state >> 1 };
            }
        }
        !state
    }

    proptest! {
        #[test]
        fn every_way_gives_the_documented_checksum(seed: u32, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(crc(seed, &bytes), by_bits(seed, &bytes));
        }

        #[test]
        fn a_pair_of_words_is_its_bytes(seed: u32, low: u64, high: u64, len in 0usize..=8) {
            let high = if len == 8 { high } else { high & ((1 << (8 * len)) - 1) };
            let mut bytes = low.to_le_bytes().to_vec();
            bytes.extend_from_slice(&high.to_le_bytes()[..len]);
            prop_assert_eq!(crc_pair(seed, low, high, len), by_bits(seed, &bytes));
        }
    }
}
