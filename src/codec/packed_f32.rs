//! Packed float32: floats that are exactly singles, in blocks of 512, each above its smallest number or difference.
//!
//! ```text
//! for each 512 values, and for those left over:
//! kind          1 byte: bits 0 to 5 = width of a packed number (0 to 32), bit 7 = differences
//! base          u32
//! smallest      u32: the smallest difference; only with bit 7
//! places        u16, u16: where the smallest and the largest value first lie in the block, 65535 if all are NaN; only
//!               in a block of 512 without bit 7
//! numbers       packed as in `bits`: in lanes if there are 512, else in a row
//! ```
//!
//! The numbers are singles as *ordinals*: their bits in the order of their values. The ordinal of a single is its bits
//! with all of them flipped if the sign is set, and with the sign flipped if not. Without bit 7 ordinal k = base +
//! number k; with it ordinal k = ordinal k - 1 + smallest + number k, and ordinal -1 = base - smallest; modulo 2^32.
//! A block takes the shorter form. The places let a chart take the extremes of a block without unpacking it.

use super::{CodecError, bits, narrow};
use crate::types::{extremes, first_equal};
use bits::BLOCK;

const DIFFERENCES: u8 = 0x80;
const NO_PLACE: u16 = u16::MAX;
const SIGN: u32 = 1 << 31;

#[inline]
fn ordinal(bits: u32) -> u32 {
    bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | SIGN)
}

#[inline]
fn bits_of(ordinal: u32) -> u32 {
    ordinal ^ (!(ordinal.cast_signed() >> 31).cast_unsigned() | SIGN)
}

/// How a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    width: u32,
    base: u32,
    smallest: Option<u32>,
}

impl Head {
    fn of(ordinals: &[u32]) -> Self {
        // Compared as signed numbers, for which more processors have vectors.
        let signed = |ordinal: u32| (ordinal ^ SIGN).cast_signed();
        let (low, high) = bits::range(ordinals.iter().map(|ordinal| signed(*ordinal)));
        let [low, high] = [low, high].map(|end| end.cast_unsigned() ^ SIGN);
        let plain = Self { width: bits::width_of(u64::from(high.wrapping_sub(low))), base: low, smallest: None };
        let differences = ordinals.iter().skip(1).zip(ordinals);
        let differences = differences.map(|(ordinal, before)| ordinal.wrapping_sub(*before).cast_signed());
        let (low, high) = bits::range(differences);
        let Some(first) = ordinals.first().filter(|_| ordinals.len() > 1) else { return plain };
        let width = bits::width_of(u64::from(high.wrapping_sub(low).cast_unsigned()));
        let differences = Self { width, base: *first, smallest: Some(low.cast_unsigned()) };
        if differences.body_len(ordinals.len()) < plain.body_len(ordinals.len()) { differences } else { plain }
    }

    fn body_len(&self, count: usize) -> usize {
        bits::packed_len(count, self.width) + if self.smallest.is_some() { 4 } else { 0 }
    }

    fn take(bytes: &mut &[u8]) -> Result<Self, CodecError> {
        let (&kind, rest) = bytes.split_first().ok_or(CodecError("column ends before a block"))?;
        *bytes = rest;
        let width = u32::from(kind & !DIFFERENCES);
        if width > 32 {
            return Err(CodecError("packed singles wider than 32 bits"));
        }
        let base = take_u32(bytes)?;
        let smallest = if kind & DIFFERENCES != 0 { Some(take_u32(bytes)?) } else { None };
        Ok(Self { width, base, smallest })
    }
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, CodecError> {
    let (word, rest) = bytes.split_first_chunk().ok_or(CodecError("column ends inside the head of a block"))?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*word))
}

/// Appends the column. `singles`: the bits of the values ([`narrow::to_singles`]).
pub(super) fn encode(values: &[f64], singles: &[u32], out: &mut Vec<u8>) {
    for (block, singles) in values.chunks(BLOCK).zip(singles.chunks(BLOCK)) {
        let mut ordinals = [0; BLOCK];
        let ordinals = ordinals.get_mut(..block.len()).unwrap_or_default();
        ordinals.iter_mut().zip(singles).for_each(|(slot, bits)| *slot = ordinal(*bits));
        let head = Head::of(ordinals);
        out.push(head.width as u8 | if head.smallest.is_some() { DIFFERENCES } else { 0 });
        out.extend_from_slice(&head.base.to_le_bytes());
        match head.smallest {
            None => {
                if block.len() == BLOCK {
                    let (low, high) = places(block);
                    out.extend_from_slice(&low.to_le_bytes());
                    out.extend_from_slice(&high.to_le_bytes());
                }
                ordinals.iter_mut().for_each(|ordinal| *ordinal = ordinal.wrapping_sub(head.base));
            }
            Some(smallest) => {
                out.extend_from_slice(&smallest.to_le_bytes());
                let mut before = head.base.wrapping_sub(smallest);
                for slot in ordinals.iter_mut() {
                    let ordinal = *slot;
                    *slot = ordinal.wrapping_sub(before).wrapping_sub(smallest);
                    before = ordinal;
                }
            }
        }
        match (&*ordinals).try_into() {
            Ok(numbers) => bits::pack_lanes(numbers, head.width, out),
            Err(_) => bits::pack_row(ordinals.iter().map(|number| u64::from(*number)), head.width, out),
        }
    }
}

/// Where the smallest and the largest value of a full block first lie.
fn places(block: &[f64]) -> (u16, u16) {
    let (low, high) = extremes(block);
    let place = |wanted: f64| first_equal(block, wanted).map_or(NO_PLACE, |place| place as u16);
    (place(low), place(high))
}

pub(super) fn decode(mut bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    // Outside of the loop, for clearing it would cost a tenth of it.
    let mut numbers = [0; BLOCK];
    for slots in out.chunks_mut(BLOCK) {
        Block::take(&mut bytes, slots.len())?.read(&mut numbers, slots)?;
    }
    if bytes.is_empty() { Ok(()) } else { Err(CodecError("bytes after the last block")) }
}

/// Room to unpack a block.
#[derive(Debug)]
pub(crate) struct Scratch {
    numbers: [u32; BLOCK],
    values: [f64; BLOCK],
}

impl Default for Scratch {
    fn default() -> Self {
        Self { numbers: [0; BLOCK], values: [0.0; BLOCK] }
    }
}

impl Scratch {
    /// The values of the block that was unpacked last, and what means nothing after them.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }
}

/// A block of a column, as it is found without unpacking it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundBlock {
    /// Where it begins in the column.
    pub(crate) at: usize,
    pub(crate) count: usize,
    /// Place and value of its smallest and of its largest, if it says where they lie.
    pub(crate) extremes: Option<[(usize, f64); 2]>,
}

/// Finds the blocks of a column of `n` values.
pub(crate) fn find_blocks(bytes: &[u8], n: usize) -> Result<Vec<FoundBlock>, CodecError> {
    let mut blocks = Vec::with_capacity(n.div_ceil(BLOCK));
    let (mut rest, mut left) = (bytes, n);
    while left > 0 {
        let count = left.min(BLOCK);
        left -= count;
        let at = bytes.len() - rest.len();
        let extremes = Block::take(&mut rest, count)?.extremes();
        blocks.push(FoundBlock { at, count, extremes });
    }
    if rest.is_empty() { Ok(blocks) } else { Err(CodecError("bytes after the last block")) }
}

/// The `count` values of the block that begins at `at`.
pub(crate) fn read_block<'s>(
    bytes: &[u8],
    at: usize,
    count: usize,
    scratch: &'s mut Scratch,
) -> Result<&'s [f64], CodecError> {
    let mut rest = bytes.get(at..).unwrap_or_default();
    let Scratch { numbers, values } = scratch;
    let values = values.get_mut(..count).unwrap_or_default();
    Block::take(&mut rest, count)?.read(numbers, values)?;
    Ok(values)
}

/// One block of a column, not unpacked.
#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    head: Head,
    count: usize,
    places: Option<(u16, u16)>,
    packed: &'a [u8],
}

impl<'a> Block<'a> {
    fn take(bytes: &mut &'a [u8], count: usize) -> Result<Self, CodecError> {
        let head = Head::take(bytes)?;
        let places = if head.smallest.is_none() && count == BLOCK {
            let both = take_u32(bytes)?;
            Some((both as u16, (both >> 16) as u16))
        } else {
            None
        };
        let packed = bits::take_packed(bytes, count, head.width)?;
        Ok(Self { head, count, places, packed })
    }

    /// Place and value of the smallest and the largest, if the block says where they lie and it has a number.
    fn extremes(&self) -> Option<[(usize, f64); 2]> {
        let (low, high) = self.places?;
        let extreme = |place: u16| {
            let place = usize::from(place);
            let number = (place < self.count).then(|| bits::lane_number(self.packed, self.head.width, place))?;
            Some((place, narrow::widen(bits_of(self.head.base.wrapping_add(number)))))
        };
        Some([extreme(low)?, extreme(high)?])
    }

    /// Unpacks the block into as many slots as it has values.
    #[inline]
    fn read(&self, numbers: &mut [u32; BLOCK], values: &mut [f64]) -> Result<(), CodecError> {
        let numbers = match bits::in_lanes(self.count, self.head.width) {
            true => {
                bits::unpack_lanes(self.packed, self.head.width, numbers);
                numbers.as_mut_slice()
            }
            false => {
                let numbers = numbers.get_mut(..self.count).unwrap_or_default();
                bits::unpack_narrow_row(self.packed, self.head.width, numbers)?;
                numbers
            }
        };
        let mut base = self.head.base;
        if let Some(smallest) = self.head.smallest {
            // Only what each number needs of the one before; the rest is done for several at once.
            let mut ordinal = base.wrapping_sub(smallest);
            for number in numbers.iter_mut() {
                ordinal = ordinal.wrapping_add(smallest.wrapping_add(*number));
                *number = ordinal;
            }
            base = 0;
        } else if self.is_of_numbers() {
            let pairs = values.iter_mut().zip(numbers);
            pairs.for_each(|(slot, number)| *slot = f64::from(f32::from_bits(bits_of(base.wrapping_add(*number)))));
            return Ok(());
        }
        numbers.iter_mut().for_each(|number| *number = bits_of(base.wrapping_add(*number)));
        narrow::widen_all(numbers, values);
        Ok(())
    }

    /// Whether no number that fits the width can lead to a NaN, so that nobody has to look for one.
    fn is_of_numbers(&self) -> bool {
        let largest = u32::MAX.checked_shr(32 - self.head.width).unwrap_or(0);
        let (low, high) = (ordinal(f32::NEG_INFINITY.to_bits()), ordinal(f32::INFINITY.to_bits()));
        self.head.base >= low && self.head.base.checked_add(largest).is_some_and(|last| last <= high)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn encoded(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(values, &narrow::to_singles(values).unwrap(), &mut bytes);
        bytes
    }

    #[test]
    fn ordinals_are_in_the_order_of_the_values() {
        let singles = [f32::NEG_INFINITY, -1.0, -f32::MIN_POSITIVE, -0.0, 0.0, f32::from_bits(1), 0.5, f32::INFINITY];
        let ordinals = singles.map(|single| ordinal(single.to_bits()));
        assert!(ordinals.is_sorted_by(|a, b| a < b), "{ordinals:x?}");
        for bits in singles.map(f32::to_bits).into_iter().chain([0x7fc0_0000, 0xffc0_0001, 0x7f80_0001, u32::MAX]) {
            assert_eq!(bits_of(ordinal(bits)), bits);
        }
    }

    #[test]
    fn round_trip_of_both_forms_with_signs_and_nans() {
        for n in [1, 2, 511, 512, 513, 1500] {
            for slope in [0.0_f32, 1e-3] {
                let mut values: Vec<f64> = (0..n)
                    .map(|k: u64| {
                        let noise = (k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32;
                        f64::from(if slope > 0.0 { 1.0 + k as f32 * slope + noise * 1e-12 } else { noise - 8e6 })
                    })
                    .collect();
                for special in [f64::NAN, -f64::NAN, f64::INFINITY, -0.0, f64::from(f32::from_bits(1))] {
                    let at = values.len() / 2;
                    values[at] = special;
                    let bytes = encoded(&values);
                    let mut back = vec![1.0; values.len()];
                    decode(&bytes, &mut back).unwrap();
                    assert!(back.iter().map(|v| v.to_bits()).eq(values.iter().map(|v| v.to_bits())), "{n}");
                }
            }
        }
    }

    #[test]
    fn layout() {
        let above = |places: u32| f64::from(f32::from_bits(1_f32.to_bits() + places));
        assert_eq!(encoded(&[1.0, above(1), above(3)]), [2, 0, 0, 0x80, 0xbf, 0b11_0100]);
    }

    #[test]
    fn places_of_the_extremes_are_the_first_ones() {
        let mut values = [5.0; BLOCK];
        (values[100], values[200], values[7], values[300]) = (1.0, 1.0, 9.0, 9.0);
        assert_eq!(places(&values), (100, 7));
        values[0] = f64::NAN;
        assert_eq!(places(&values), (100, 7));
        assert_eq!(places(&[f64::NAN; BLOCK]), (NO_PLACE, NO_PLACE));
        assert_eq!(places(&[f64::INFINITY; BLOCK]), (0, 0));
    }

    #[test]
    fn found_blocks_have_the_values_and_extremes_of_a_naive_look() {
        let mut values: Vec<f64> = (0..1700_u64)
            .map(|k| f64::from((k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 + if k < 600 { 0.0 } else { 1e8 }))
            .collect();
        values[700] = f64::NAN;
        let bytes = encoded(&values);
        let (blocks, mut scratch) = (find_blocks(&bytes, values.len()).unwrap(), Scratch::default());
        assert_eq!(blocks.iter().map(|block| block.count).collect::<Vec<_>>(), [512, 512, 512, 164]);
        assert_eq!(blocks.iter().map(|block| block.extremes.is_some()).collect::<Vec<_>>(), [true, true, true, false]);
        for (block, expected) in blocks.iter().zip(values.chunks(BLOCK)) {
            let read = read_block(&bytes, block.at, block.count, &mut scratch).unwrap();
            assert!(read.iter().map(|value| value.to_bits()).eq(expected.iter().map(|value| value.to_bits())));
            let Some([low, high]) = block.extremes else { continue };
            assert_eq!(low.1, expected.iter().copied().fold(f64::INFINITY, f64::min));
            assert_eq!(high.1, expected.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            assert_eq!((expected[low.0], expected[high.0]), (low.1, high.1));
        }
        assert!(find_blocks(&bytes, values.len() - 1).is_err() && find_blocks(&bytes, values.len() + BLOCK).is_err());
        assert!(read_block(&bytes, bytes.len(), BLOCK, &mut scratch).is_err());
    }

    #[test]
    fn bad_bytes_are_refused() {
        let values: Vec<f64> = (0..600).map(|k| f64::from(k * k % 1009)).collect();
        let good = encoded(&values);
        let refused = |bytes: &[u8], n| decode(bytes, &mut vec![0.0; n]).is_err();
        assert!((0..good.len()).all(|cut| refused(&good[..cut], 600)));
        assert!(refused(&[&good[..], &[0]].concat(), 600));
        assert!(refused(&[33, 0, 0, 0, 0], 1) && refused(&[0x40, 0, 0, 0, 0], 1));
        assert!(refused(&good, 599) && refused(&good, 0));
    }
}
