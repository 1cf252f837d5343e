//! Numbers of one width, packed without gaps.
//!
//! ```text
//! in lanes      512 numbers of at most 32 bits: number k lies in lane k % 16, and the 32 numbers of a lane are packed,
//!               lowest bits first, into `width` words of 32 bits. Word j of lane l is the u32 at 64 * j + 4 * l
//! in a row      any count and width: number k is bits k * width .. (k + 1) * width of the bytes read as one
//!               little-endian integer; unused bits of the last byte are 0
//! ```
//!
//! Both take `ceil(count * width / 8)` bytes. Lanes unpack with the same shift for 16 numbers at a time, which every
//! processor with vectors does at once (the idea of "The FastLanes Compression Layout", Afroozeh and Boncz, VLDB 2023).

use super::{CodecError, raw};

/// Numbers in a full block.
pub(crate) const BLOCK: usize = 512;
const LANES: usize = 16;
/// Widest number that a block in lanes may have.
const MAX_LANE_WIDTH: u32 = 32;

/// Bits that a number needs.
pub(super) fn width_of(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

pub(super) fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// The smallest and the largest; the wrong way round if there is none.
pub(super) fn range(numbers: impl Iterator<Item = i32>) -> (i32, i32) {
    numbers.fold((i32::MAX, i32::MIN), |(low, high), number| (low.min(number), high.max(number)))
}

/// Whether so many numbers of this width lie in lanes.
pub(super) fn in_lanes(count: usize, width: u32) -> bool {
    count == BLOCK && width <= MAX_LANE_WIDTH
}

/// Appends a full block of numbers below `2^width`.
pub(super) fn pack_lanes(numbers: &[u32; BLOCK], width: u32, out: &mut Vec<u8>) {
    let mut words = [[0_u32; LANES]; BLOCK / LANES + 1];
    for (row, numbers) in numbers.as_chunks::<LANES>().0.iter().enumerate() {
        let (at, shift) = place(row, width);
        let Some([low, high]) = words.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else { break };
        for ((low, high), number) in low.iter_mut().zip(high).zip(numbers) {
            *low |= number << shift;
            *high |= number >> 1 >> (31 - shift);
        }
    }
    let words = words.as_flattened().get(..width as usize * LANES).unwrap_or_default();
    for (slot, word) in raw::grow::<4>(out, words.len()).iter_mut().zip(words) {
        *slot = word.to_le_bytes();
    }
}

/// Word and bit where the numbers of a row begin.
#[inline]
fn place(row: usize, width: u32) -> (usize, u32) {
    let bit = row * width as usize;
    (bit / 32, (bit % 32) as u32)
}

#[inline]
fn mask(width: u32) -> u32 {
    u32::MAX.checked_shr(MAX_LANE_WIDTH - width).unwrap_or(0)
}

/// The numbers of a full block; `bytes` are exactly the packed ones.
#[inline]
pub(super) fn unpack_lanes(bytes: &[u8], width: u32, numbers: &mut [u32; BLOCK]) {
    let words = bytes.as_chunks::<{ LANES * 4 }>().0;
    let mask = mask(width);
    for (row, numbers) in numbers.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let (at, shift) = place(row, width);
        let Some(low) = words.get(at) else {
            numbers.fill(0);
            continue;
        };
        // Of the last word nothing spills over: whatever stands in for the next one is masked away.
        let high = words.get(at + 1).unwrap_or(low);
        let pairs = low.as_chunks::<4>().0.iter().zip(high.as_chunks::<4>().0);
        for (number, (low, high)) in numbers.iter_mut().zip(pairs) {
            let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
            *number = (low >> shift | high << 1 << (31 - shift)) & mask;
        }
    }
}

/// Number `index` of a full block; 0 for one that is not there.
pub(super) fn lane_number(bytes: &[u8], width: u32, index: usize) -> u32 {
    let (at, shift) = place(index / LANES, width);
    let words = bytes.as_chunks::<4>().0;
    let word = |at: usize| words.get(at * LANES + index % LANES).map_or(0, |word| u32::from_le_bytes(*word));
    (word(at) >> shift | word(at + 1) << 1 << (31 - shift)) & mask(width)
}

/// Appends numbers below `2^width` in a row.
pub(super) fn pack_row(numbers: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let (mut word, mut used) = (0_u64, 0);
    for number in numbers {
        word |= number << used;
        used += width;
        if used >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            // The bits that did not fit; none of them if the number ended with the word.
            word = number.checked_shr(width - used).unwrap_or(0);
        }
    }
    out.extend(word.to_le_bytes().iter().take(used.div_ceil(8) as usize));
}

/// Fills `numbers`, of at most 32 bits each, from `bytes`, which must be exactly the packed ones in a row.
///
/// Short columns are rows and nothing else, and every longer one ends with a row.
pub(super) fn unpack_narrow_row(bytes: &[u8], width: u32, numbers: &mut [u32]) -> Result<(), CodecError> {
    const ROOM: usize = BLOCK * 4;
    no_spare_bits(bytes, numbers.len(), width)?;
    // With zeros behind the bytes and places that cannot lead out of the room, no number needs a look at the end.
    let mut room = [0; ROOM + 8];
    room.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    let (mask, mut bit) = (u64::from(mask(width)), 0);
    for number in numbers.iter_mut().take(BLOCK) {
        let word = room.get(bit / 8 % ROOM..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        *number = (u64::from_le_bytes(word) >> (bit % 8) & mask) as u32;
        bit += width as usize;
    }
    Ok(())
}

/// The `count` numbers of `bytes`, which must be exactly the packed ones.
pub(super) fn unpack_row(bytes: &[u8], count: usize, width: u32) -> Result<impl Iterator<Item = u64> + '_, CodecError> {
    no_spare_bits(bytes, count, width)?;
    Ok((0..count).map(move |index| number_at(bytes, index, width)))
}

fn no_spare_bits(bytes: &[u8], count: usize, width: u32) -> Result<(), CodecError> {
    let spare = (bytes.len() * 8).saturating_sub(count * width as usize) as u32;
    if bytes.last().is_some_and(|last| last.leading_zeros() < spare) {
        return Err(CodecError("bits after the packed numbers"));
    }
    Ok(())
}

/// Number `index` of a row, out of 8 bytes, or out of 16 when it is too wide to lie within 8 wherever it begins.
#[inline(always)]
fn number_at(packed: &[u8], index: usize, width: u32) -> u64 {
    let bit = index * width as usize;
    let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
    if width <= 57 {
        return word_at(packed, bit / 8) >> (bit % 8) & mask;
    }
    let words = u128::from(word_at(packed, bit / 8)) | u128::from(word_at(packed, bit / 8 + 8)) << 64;
    (words >> (bit % 8)) as u64 & mask
}

/// 8 bytes as a number; bytes past the end count as 0.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => short_word(rest),
    }
}

/// The last few numbers of a row come here; kept apart so that the loop around it stays small.
#[cold]
fn short_word(rest: &[u8]) -> u64 {
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Takes the packed numbers of a block off the front of `bytes`.
pub(super) fn take_packed<'a>(bytes: &mut &'a [u8], count: usize, width: u32) -> Result<&'a [u8], CodecError> {
    let split = bytes.split_at_checked(packed_len(count, width));
    let (packed, rest) = split.ok_or(CodecError("column ends inside a block"))?;
    *bytes = rest;
    Ok(packed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn noise(k: u64) -> u64 {
        (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32)
    }

    #[test]
    fn lanes_at_every_width() {
        for width in 0..=32 {
            let numbers: [u32; BLOCK] = std::array::from_fn(|k| match k % 7 {
                0 => mask(width),
                _ => noise(k as u64) as u32 & mask(width),
            });
            let mut bytes = Vec::new();
            pack_lanes(&numbers, width, &mut bytes);
            assert_eq!(bytes.len(), packed_len(BLOCK, width));
            let mut back = [7; BLOCK];
            unpack_lanes(&bytes, width, &mut back);
            assert_eq!(back, numbers, "width {width}");
            assert!((0..BLOCK).all(|k| lane_number(&bytes, width, k) == numbers[k]), "width {width}");
        }
    }

    #[test]
    fn rows_at_every_width_and_length() {
        for width in 0..=64_u32 {
            let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
            for count in [0, 1, 2, 3, 8, 9, 64, 65, 100, 511, 512] {
                let numbers: Vec<u64> = (0..count).map(|k| [noise(k) & mask, 0, mask][k as usize % 3]).collect();
                let mut bytes = Vec::new();
                pack_row(numbers.iter().copied(), width, &mut bytes);
                assert_eq!(bytes.len(), packed_len(numbers.len(), width));
                let back: Vec<u64> = unpack_row(&bytes, numbers.len(), width).unwrap().collect();
                assert_eq!(back, numbers, "width {width}, count {count}");
                if width <= 32 {
                    let mut narrow = vec![7; numbers.len()];
                    unpack_narrow_row(&bytes, width, &mut narrow).unwrap();
                    assert!(narrow.iter().copied().map(u64::from).eq(numbers), "width {width}, count {count}");
                }
            }
        }
    }

    #[test]
    fn layout() {
        let mut bytes = Vec::new();
        pack_row([0, 2, 1].into_iter(), 2, &mut bytes);
        assert_eq!(bytes, [0b01_1000]);
        assert!(unpack_row(&[0b0101_1000], 3, 2).is_err(), "a spare bit is set");
        assert!(unpack_narrow_row(&[0b0101_1000], 2, &mut [0; 3]).is_err(), "a spare bit is set");
        // One bit each: lane l is bit `row` of word l.
        let mut numbers = [0; BLOCK];
        numbers[17] = 1;
        bytes.clear();
        pack_lanes(&numbers, 1, &mut bytes);
        assert_eq!(bytes.iter().position(|byte| *byte != 0), Some(4));
        assert_eq!(bytes[4], 2);
    }
}
