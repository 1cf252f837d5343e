//! Delta: integers whose differences lie in a narrow range, such as timestamps of a regular loop.
//!
//! ```text
//! first         signed varint (see `varint`): value 0
//! min           signed varint: the smallest difference of neighbours, modulo 2^64
//! width         1 byte, 0 to 64: bits of a packed difference
//! packed        n - 1 numbers of `width` bits without gaps, each lowest bit first from the lowest bit of a byte on;
//!               number k is bits k * width .. (k + 1) * width of the bytes read as one little-endian integer;
//!               ceil((n - 1) * width / 8) bytes, unused bits of the last byte are 0
//! ```
//!
//! Value k + 1 is value k + min + packed number k, modulo 2^64. Chosen when it is the shortest form without entropy
//! coding; one difference far from the others widens all of them.

use super::{CodecError, stride, varint};

/// What one pass over a column says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Differences {
    pub(super) first: i64,
    /// Smallest and largest difference of neighbours, both 0 when there are none.
    pub(super) min: i64,
    max: i64,
    count: usize,
}

impl Differences {
    /// `None` for an empty column.
    pub(super) fn of(values: &[i64]) -> Option<Self> {
        let (&first, later) = values.split_first()?;
        let differences = later.iter().zip(values).map(|(value, before)| value.wrapping_sub(*before));
        let (min, max) = differences.fold((i64::MAX, i64::MIN), |(min, max), d| (min.min(d), max.max(d)));
        let (min, max) = if later.is_empty() { (0, 0) } else { (min, max) };
        Some(Self { first, min, max, count: later.len() })
    }

    pub(super) fn all_equal(&self) -> bool {
        self.min == self.max
    }

    fn width(&self) -> u32 {
        64 - self.max.wrapping_sub(self.min).leading_zeros()
    }

    /// Bytes that [`encode`] appends.
    pub(super) fn encoded_len(&self) -> usize {
        stride::len(self.first, self.min) + 1 + packed_len(self.count, self.width())
    }
}

fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// `known` must be the differences of these values.
pub(super) fn encode(values: &[i64], known: &Differences, out: &mut Vec<u8>) {
    let width = known.width();
    stride::encode(known.first, known.min, out);
    out.push(width as u8);
    out.reserve(packed_len(known.count, width) + 8);
    let mut word = 0_u64;
    let mut used = 0;
    for (value, before) in values.iter().skip(1).zip(values) {
        let packed = value.wrapping_sub(*before).wrapping_sub(known.min).cast_unsigned();
        word |= packed << used;
        used += width;
        if used >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            used -= 64;
            // The bits that did not fit; none of them if the number ended with the word.
            word = packed.checked_shr(width - used).unwrap_or(0);
        }
    }
    out.extend(word.to_le_bytes().iter().take(used.div_ceil(8) as usize));
}

pub(super) fn decode(mut bytes: &[u8], n: usize, out: &mut Vec<i64>) -> Result<(), CodecError> {
    let first = varint::take(&mut bytes)?;
    let min = varint::take(&mut bytes)?;
    let (&width, packed) = bytes.split_first().ok_or(CodecError("column ends before its width"))?;
    let width = u32::from(width);
    if width > 64 {
        return Err(CodecError("packed differences wider than 64 bits"));
    }
    let count = n.checked_sub(1).ok_or(CodecError("differences without a value"))?;
    if packed.len() != packed_len(count, width) {
        return Err(CodecError("length of the packed differences is not that of the rows"));
    }
    let spare = (packed.len() * 8 - count * width as usize) as u32;
    if packed.last().is_some_and(|last| last.leading_zeros() < spare) {
        return Err(CodecError("bits after the packed differences"));
    }
    if width == 0 {
        stride::fill(first, min, n, out);
        return Ok(());
    }
    let old_len = out.len();
    out.resize(old_len + n, first);
    let slots = out.get_mut(old_len + 1..).unwrap_or_default();
    match width {
        8 => sum(first, min, packed.iter().map(|byte| u64::from(*byte)), slots),
        16 => sum(first, min, packed.as_chunks().0.iter().map(|two| u16::from_le_bytes(*two).into()), slots),
        32 => sum(first, min, packed.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four).into()), slots),
        64 => sum(first, min, packed.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight)), slots),
        _ => sum_bits(first, min, packed, width, slots),
    }
    Ok(())
}

/// Fills the values after `first` into their slots.
#[inline]
fn sum(first: i64, min: i64, packed: impl Iterator<Item = u64>, slots: &mut [i64]) {
    // A plain loop keeps the running value in a register; captured by a closure it went through memory each time.
    let mut value = first;
    for (slot, above_min) in slots.iter_mut().zip(packed) {
        value = value.wrapping_add(min.wrapping_add(above_min.cast_signed()));
        *slot = value;
    }
}

/// [`sum`] over packed bits. For the widths that occur most the width is known to the compiler, three times as fast.
fn sum_bits(first: i64, min: i64, packed: &[u8], width: u32, slots: &mut [i64]) {
    let count = slots.len();
    macro_rules! with_constant_width {
        ($($width:literal)*) => {
            match width {
                $($width => sum_groups::<$width>(first, min, packed, slots),)*
                _ => sum(first, min, (0..count).map(|index| number_at(packed, index, width)), slots),
            }
        };
    }
    with_constant_width!(1 2 3 4 5 6 7 9 10 11 12 13 14 15 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
}

/// Takes 8 numbers at a time, because 8 of them begin and end with a byte.
fn sum_groups<const WIDTH: usize>(first: i64, min: i64, packed: &[u8], slots: &mut [i64]) {
    let mut value = first;
    let mut rest = packed;
    let (groups, last) = slots.as_chunks_mut::<8>();
    for group in groups {
        // The last number begins at byte 27 at most and is read as 8 bytes. Near the end they are not all there.
        let mut padded = [0; 40];
        let bytes = match rest.first_chunk() {
            Some(bytes) => bytes,
            None => {
                padded.iter_mut().zip(rest).for_each(|(slot, byte)| *slot = *byte);
                &padded
            }
        };
        for (index, slot) in group.iter_mut().enumerate() {
            let number = number_at(bytes, index, WIDTH as u32);
            value = value.wrapping_add(min.wrapping_add(number.cast_signed()));
            *slot = value;
        }
        rest = rest.get(WIDTH..).unwrap_or_default();
    }
    sum(value, min, (0..last.len()).map(|index| number_at(rest, index, WIDTH as u32)), last);
}

/// Packed number `index`, out of 8 bytes, or out of 16 when it is too wide to lie within 8 wherever it begins.
#[inline(always)]
fn number_at(packed: &[u8], index: usize, width: u32) -> u64 {
    let bit = index * width as usize;
    if width <= 57 {
        return word_at(packed, bit / 8) >> (bit % 8) & (u64::MAX >> (64 - width));
    }
    let words = u128::from(word_at(packed, bit / 8)) | u128::from(word_at(packed, bit / 8 + 8)) << 64;
    (words >> (bit % 8)) as u64 & (u64::MAX >> (64 - width))
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

/// The last few numbers of a column come here; kept apart so that the loop above it stays small.
#[cold]
fn short_word(rest: &[u8]) -> u64 {
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn encoded(values: &[i64]) -> Vec<u8> {
        let known = Differences::of(values).unwrap();
        let mut bytes = Vec::new();
        encode(values, &known, &mut bytes);
        assert_eq!(bytes.len(), known.encoded_len());
        bytes
    }

    /// Numbers of every width, at every place in a byte, wrapping around.
    #[test]
    fn round_trip_at_every_width() {
        for width in 0..=64_u32 {
            let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
            for n in [1, 2, 3, 8, 9, 64, 65, 100] {
                let mut value = i64::MAX - 3;
                let values: Vec<i64> = (0..n)
                    .map(|k: u64| {
                        let noise = (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32) & mask;
                        let noise = [noise, 0, mask][k as usize % 3];
                        value = value.wrapping_add(-17).wrapping_add(noise.cast_signed());
                        value
                    })
                    .collect();
                let bytes = encoded(&values);
                let mut back = vec![1];
                decode(&bytes, values.len(), &mut back).unwrap();
                assert_eq!(back[1..], values, "width {width}, n {n}");
            }
        }
    }

    #[test]
    fn layout() {
        // Differences 3, 5, 4: minimum 3, two bits each: 0, 2, 1 = 0b01_10_00.
        assert_eq!(encoded(&[10, 13, 18, 22]), [20, 6, 2, 0b01_1000]);
    }

    #[test]
    fn bad_bytes_are_refused() {
        let good = encoded(&[10, 13, 18, 22]);
        let refused = |bytes: &[u8], n| decode(bytes, n, &mut Vec::new()).is_err();
        assert!((0..good.len()).all(|cut| refused(&good[..cut], 4)));
        assert!(refused(&[&good[..], &[0]].concat(), 4));
        assert!(refused(&[20, 6, 65, 0], 2));
        assert!(refused(&[20, 6, 2, 0b0101_1000], 4));
        assert!(refused(&good, 0) && refused(&good, 3) && refused(&good, 6));
    }
}
