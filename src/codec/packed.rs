//! Packed integers: blocks of 512, each above its smallest number or its smallest difference, such as timestamps.
//!
//! ```text
//! for each 512 numbers, and for those left over:
//! kind          1 byte: bits 0 to 6 = width of a packed number (0 to 64), bit 7 = differences
//! base          signed varint (see `varint`), counted from the base of the block before (0 before the first)
//! smallest      signed varint: the smallest difference; only with bit 7
//! numbers       packed as in `bits`: in lanes if there are 512 and the width is at most 32, else in a row
//! ```
//!
//! Without bit 7 value k = base + number k. With it value k = value k - 1 + smallest + number k, and value -1 = base -
//! smallest, so that value 0 = base + number 0, which is 0. All arithmetic is modulo 2^64. A block takes the shorter of
//! the two forms. Short blocks, because one outlier widens the numbers of its block only.

use super::{CodecError, FromInt, bits, varint};
use bits::BLOCK;

const DIFFERENCES: u8 = 0x80;

/// How a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    width: u32,
    base: i64,
    /// The smallest difference, when differences are stored.
    smallest: Option<i64>,
}

impl Head {
    /// The shorter form for these numbers, of which there is at least one. `differences`: those of neighbours.
    fn of(values: &[i64], first: i64, differences: &[i64]) -> Self {
        let (low, high) = match values.last() {
            Some(last) if values.is_sorted() => (first, *last),
            _ => range(values),
        };
        let plain = Self { width: bits::width_of(high.wrapping_sub(low).cast_unsigned()), base: low, smallest: None };
        if differences.is_empty() {
            return plain;
        }
        let (low, high) = range(differences);
        let width = bits::width_of(high.wrapping_sub(low).cast_unsigned());
        let differences = Self { width, base: first, smallest: Some(low) };
        if differences.body_len(values.len()) < plain.body_len(values.len()) { differences } else { plain }
    }

    fn body_len(&self, count: usize) -> usize {
        bits::packed_len(count, self.width) + self.smallest.map_or(0, varint::len)
    }

    fn put(&self, base_before: i64, out: &mut Vec<u8>) {
        out.push(self.width as u8 | if self.smallest.is_some() { DIFFERENCES } else { 0 });
        varint::put(self.base.wrapping_sub(base_before), out);
        if let Some(smallest) = self.smallest {
            varint::put(smallest, out);
        }
    }

    fn take(bytes: &mut &[u8], base_before: i64) -> Result<Self, CodecError> {
        let (&kind, rest) = bytes.split_first().ok_or(CodecError("column ends before a block"))?;
        *bytes = rest;
        let width = u32::from(kind & !DIFFERENCES);
        if width > 64 {
            return Err(CodecError("packed numbers wider than 64 bits"));
        }
        let base = base_before.wrapping_add(varint::take(bytes)?);
        let smallest = if kind & DIFFERENCES != 0 { Some(varint::take(bytes)?) } else { None };
        Ok(Self { width, base, smallest })
    }

    /// The values of a block that stores `numbers`.
    #[inline(always)]
    fn fill<T: FromInt>(&self, numbers: impl Iterator<Item = i64>, slots: &mut [T]) {
        let pairs = slots.iter_mut().zip(numbers);
        match self.smallest {
            None => pairs.for_each(|(slot, number)| *slot = T::from_int(self.base.wrapping_add(number))),
            Some(smallest) => {
                // A plain loop keeps the running value in a register; in a closure it went through memory each time.
                let mut value = self.base.wrapping_sub(smallest);
                for (slot, number) in pairs {
                    value = value.wrapping_add(smallest.wrapping_add(number));
                    *slot = T::from_int(value);
                }
            }
        }
    }
}

/// The smallest and the largest of at least one number.
fn range(numbers: &[i64]) -> (i64, i64) {
    // Most differences are small, and for small numbers every processor has vectors.
    let (lost, low, high) = numbers.iter().fold((0, i32::MAX, i32::MIN), |(lost, low, high), number| {
        let narrow = *number as i32;
        (lost | (i64::from(narrow) ^ number), low.min(narrow), high.max(narrow))
    });
    if lost == 0 {
        return (low.into(), high.into());
    }
    numbers.iter().fold((i64::MAX, i64::MIN), |(low, high), number| (low.min(*number), high.max(*number)))
}

/// Appends the column.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let mut base = 0;
    let (mut differences, mut lanes) = ([0; BLOCK], [0; BLOCK]);
    for block in values.chunks(BLOCK) {
        let Some((&first, after)) = block.split_first() else { continue };
        let differences = differences.get_mut(..after.len()).unwrap_or_default();
        let pairs = after.iter().zip(block);
        differences.iter_mut().zip(pairs).for_each(|(slot, (value, before))| *slot = value.wrapping_sub(*before));
        let head = Head::of(block, first, differences);
        head.put(base, out);
        base = head.base;
        // Of differences the first number is 0: the base lies where that leads to the first value.
        let (from, above, zeros) = match head.smallest {
            None => (block, head.base, 0),
            Some(smallest) => (&*differences, smallest, 1),
        };
        let numbers = from.iter().map(|number| number.wrapping_sub(above).cast_unsigned());
        if bits::in_lanes(block.len(), head.width) {
            lanes.iter_mut().take(zeros).for_each(|slot| *slot = 0);
            lanes.iter_mut().skip(zeros).zip(numbers).for_each(|(slot, number)| *slot = number as u32);
            bits::pack_lanes(&lanes, head.width, out);
        } else {
            bits::pack_row(std::iter::repeat_n(0, zeros).chain(numbers), head.width, out);
        }
    }
}

pub(super) fn decode<T: FromInt>(mut bytes: &[u8], out: &mut [T]) -> Result<(), CodecError> {
    let mut base = 0;
    // Outside of the loop, for clearing it would cost a tenth of it.
    let mut numbers = [0; BLOCK];
    for slots in out.chunks_mut(BLOCK) {
        let head = Head::take(&mut bytes, base)?;
        base = head.base;
        let packed = bits::take_packed(&mut bytes, slots.len(), head.width)?;
        if bits::in_lanes(slots.len(), head.width) {
            bits::unpack_lanes(packed, head.width, &mut numbers);
            head.fill(numbers.iter().map(|number| i64::from(*number)), slots);
        } else if head.width <= 32 {
            let numbers = numbers.get_mut(..slots.len()).unwrap_or_default();
            bits::unpack_narrow_row(packed, head.width, numbers)?;
            head.fill(numbers.iter().map(|number| i64::from(*number)), slots);
        } else {
            head.fill(bits::unpack_row(packed, slots.len(), head.width)?.map(u64::cast_signed), slots);
        }
    }
    if bytes.is_empty() { Ok(()) } else { Err(CodecError("bytes after the last block")) }
}

/// Where a block of a column begins, and its base, which is counted from the block before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundBlock {
    pub(crate) base: i64,
    pub(crate) at: u32,
}

/// Finds the blocks of a column of `n` numbers. The base of a block whose numbers never fall is its first number.
pub(crate) fn find_blocks(bytes: &[u8], n: usize) -> Result<Vec<FoundBlock>, CodecError> {
    let mut blocks = Vec::with_capacity(n.div_ceil(BLOCK));
    let (mut rest, mut left, mut base) = (bytes, n, 0);
    while left > 0 {
        let count = left.min(BLOCK);
        left -= count;
        let at = u32::try_from(bytes.len() - rest.len()).map_err(|_| CodecError("column longer than a chunk's"))?;
        let head = Head::take(&mut rest, base)?;
        base = head.base;
        bits::take_packed(&mut rest, count, head.width)?;
        blocks.push(FoundBlock { base, at });
    }
    if rest.is_empty() { Ok(blocks) } else { Err(CodecError("bytes after the last block")) }
}

/// Number `index` of a block of `count`. Costs unpacking it, but not adding up all of its differences one by one.
pub(crate) fn number_of(bytes: &[u8], block: FoundBlock, count: usize, index: usize) -> Result<i64, CodecError> {
    let (head, packed) = take_block(bytes, block, count)?;
    let upto = (index + 1).min(count);
    let mut room = [0; BLOCK];
    let mut sum = 0_i64;
    let last = if bits::in_lanes(count, head.width) {
        bits::unpack_lanes(packed, head.width, &mut room);
        let upto = room.get(..upto).unwrap_or_default();
        if head.smallest.is_some() {
            sum = upto.iter().fold(0_i64, |sum, number| sum.wrapping_add(i64::from(*number)));
        }
        upto.last().map_or(0, |number| i64::from(*number))
    } else {
        let numbers = bits::unpack_row(packed, count, head.width)?.take(upto);
        numbers.fold(0, |_, number| {
            sum = sum.wrapping_add(number.cast_signed());
            number.cast_signed()
        })
    };
    Ok(match head.smallest {
        None => block.base.wrapping_add(last),
        Some(smallest) => block.base.wrapping_add(smallest.wrapping_mul(index as i64)).wrapping_add(sum),
    })
}

/// The `count` numbers of a block.
pub(crate) fn read_block(
    bytes: &[u8],
    block: FoundBlock,
    count: usize,
    numbers: &mut [i64; BLOCK],
) -> Result<(), CodecError> {
    let (head, packed) = take_block(bytes, block, count)?;
    let head = Head { base: block.base, ..head };
    if bits::in_lanes(count, head.width) {
        let mut room = [0; BLOCK];
        bits::unpack_lanes(packed, head.width, &mut room);
        head.fill(room.iter().map(|number| i64::from(*number)), numbers);
    } else {
        head.fill(bits::unpack_row(packed, count, head.width)?.map(u64::cast_signed), numbers);
    }
    Ok(())
}

fn take_block(bytes: &[u8], block: FoundBlock, count: usize) -> Result<(Head, &[u8]), CodecError> {
    let mut rest = bytes.get(block.at as usize..).unwrap_or_default();
    let head = Head::take(&mut rest, 0)?;
    Ok((head, bits::take_packed(&mut rest, count, head.width)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn encoded(values: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        bytes
    }

    /// Numbers of every width, in both forms, over the ends of blocks, wrapping around.
    #[test]
    fn round_trip_at_every_width() {
        for width in 0..=64_u32 {
            let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
            for n in [1, 2, 3, 9, 511, 512, 513, 1100] {
                let mut value = i64::MAX - 3;
                let noise = |k: u64| {
                    let noise = (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32) & mask;
                    [noise, 0, mask][k as usize % 3].cast_signed()
                };
                let plain: Vec<i64> = (0..n).map(|k| noise(k).wrapping_add(77)).collect();
                let drifting: Vec<i64> = (0..n)
                    .map(|k| {
                        value = value.wrapping_add(-17).wrapping_add(noise(k));
                        value
                    })
                    .collect();
                for values in [plain, drifting] {
                    let bytes = encoded(&values);
                    let mut back = vec![1_i64; values.len()];
                    decode(&bytes, &mut back).unwrap();
                    assert_eq!(back, values, "width {width}, n {n}");
                    let blocks = find_blocks(&bytes, values.len()).unwrap();
                    for (block, expected) in blocks.into_iter().zip(values.chunks(BLOCK)) {
                        let mut numbers = [0; BLOCK];
                        read_block(&bytes, block, expected.len(), &mut numbers).unwrap();
                        assert_eq!(numbers[..expected.len()], *expected, "width {width}, n {n}");
                        for index in [0, 1, 17, 500].into_iter().filter(|index| *index < expected.len()) {
                            let number = number_of(&bytes, block, expected.len(), index).unwrap();
                            assert_eq!(number, expected[index], "width {width}, n {n}, number {index}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn layout() {
        // Above the smallest: 10 + {0, 3, 1}, two bits each.
        assert_eq!(encoded(&[10, 13, 11]), [2, 20, 0b01_1100]);
        // Differences 1000, 1010, 990 above 990: 0, 10, 20, 0 in five bits each.
        assert_eq!(encoded(&[10, 1010, 2020, 3010]), [0x85, 20, 0xbc, 0x0f, 0x40, 0x51, 0]);
    }

    #[test]
    fn bad_bytes_are_refused() {
        let good = encoded(&[10, 1010, 2020, 3010]);
        let refused = |bytes: &[u8], n| decode(bytes, &mut vec![0_i64; n]).is_err();
        assert!((0..good.len()).all(|cut| refused(&good[..cut], 4)));
        assert!(refused(&[&good[..], &[0]].concat(), 4));
        assert!(refused(&[65, 0], 2) && refused(&[0xff, 0, 0], 2));
        assert!(refused(&good, 0) && refused(&good, 6));
        let refused = |bytes: &[u8], n| find_blocks(bytes, n).is_err();
        assert!((0..good.len()).all(|cut| refused(&good[..cut], 4)));
        assert!(refused(&[&good[..], &[0]].concat(), 4) && refused(&good, 6));
    }
}
