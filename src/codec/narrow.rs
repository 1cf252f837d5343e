//! Narrowing: floats that are exactly float32s or integers, stored as such.
//!
//! ```text
//! f32           value 0 as an IEEE 754 single, 4 bytes little-endian, then value 1, ...; 4 * n bytes in all
//!
//! int           byte 0: id of an integer codec (raw, constant, stride, packed or pco)
//!               byte 1 on: the values as an integer column of that codec, n rows
//! ```
//!
//! Metrics come out of float32 arithmetic or are counts, so one of the two fits most columns. A value is narrowed only
//! if widening gives back all of its 64 bits: -0.0 is an f32 but not an integer, and a NaN is an f32 if the low 29
//! bits of its payload are 0 and the others are not all 0. The f32 of such a NaN has the sign and the high 23 bits of
//! the payload; a reader widens it the same way, bit by bit, because float conversions of processors and languages
//! differ in what they do to NaNs. Each form is chosen when it is the shortest; an integer column nearly always is.

use super::{CodecError, CodecId, pco, raw};

/// Rows tested at a time: long enough to vectorise, short enough that data of another kind is dismissed at once.
const BLOCK: usize = 64;

const F32_INFINITY: u32 = 0x7f80_0000;
const F32_MANTISSA: u32 = 0x007f_ffff;
const F64_INFINITY: u64 = 0x7ff0_0000_0000_0000;

/// The bits of the nearest float32, or for a NaN, sign and high payload.
#[inline]
pub(crate) fn f32_bits(value: f64) -> u32 {
    let bits = value.to_bits();
    let sign = (bits >> 32) as u32 & 0x8000_0000;
    let nan = sign | F32_INFINITY | (bits >> 29) as u32 & F32_MANTISSA;
    if value.is_nan() { nan } else { (value as f32).to_bits() }
}

/// The reverse of [`f32_bits`], for values of which [`to_singles`] knows the singles.
#[inline]
pub(crate) fn widen(f32_bits: u32) -> f64 {
    let value = f32::from_bits(f32_bits);
    let sign = u64::from(f32_bits & 0x8000_0000) << 32;
    let nan = sign | F64_INFINITY | u64::from(f32_bits & F32_MANTISSA) << 29;
    f64::from_bits(if value.is_nan() { nan } else { f64::from(value).to_bits() })
}

/// Widens the bits of singles, each into the slot at its place.
#[inline]
pub(super) fn widen_all(f32_bits: &[u32], values: &mut [f64]) {
    let nan = f32_bits.iter().fold(false, |nan, bits| nan | (bits & !(1 << 31) > F32_INFINITY));
    if nan {
        values.iter_mut().zip(f32_bits).for_each(|(slot, bits)| *slot = widen(*bits));
    } else {
        // Without NaNs the conversion of the processor is exact, and done for several at once.
        values.iter_mut().zip(f32_bits).for_each(|(slot, bits)| *slot = f64::from(f32::from_bits(*bits)));
    }
}

/// Whether the value survives the way through float32.
pub(crate) fn is_single(value: f64) -> bool {
    widen(f32_bits(value)).to_bits() == value.to_bits()
}

/// The bits of the values as float32, if every value survives the way there and back.
pub(super) fn to_singles(values: &[f64]) -> Option<Vec<u32>> {
    let mut singles = Vec::new();
    for block in values.chunks(BLOCK) {
        // Nothing is allocated for a column whose first block already is of other values.
        let mut bits = [0; BLOCK];
        let has_nan = block.iter().fold(false, |has_nan, value| has_nan | value.is_nan());
        let narrow = |value: &f64| if has_nan { f32_bits(*value) } else { (*value as f32).to_bits() };
        bits.iter_mut().zip(block).for_each(|(slot, value)| *slot = narrow(value));
        let back = |bits: &u32| if has_nan { widen(*bits) } else { f64::from(f32::from_bits(*bits)) };
        let lost =
            bits.iter().zip(block).fold(0, |lost, (bits, value)| lost | (back(bits).to_bits() ^ value.to_bits()));
        if lost != 0 {
            return None;
        }
        if singles.capacity() == 0 {
            singles.reserve_exact(values.len());
        }
        singles.extend_from_slice(bits.get(..block.len()).unwrap_or_default());
    }
    Some(singles)
}

pub(super) fn encode_f32(singles: &[u32], out: &mut Vec<u8>) {
    for (slot, bits) in raw::grow::<4>(out, singles.len()).iter_mut().zip(singles) {
        *slot = bits.to_le_bytes();
    }
}

pub(super) fn decode_f32(bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    let singles = raw::exactly::<4>(bytes, out.len())?;
    let mut bits = [0; BLOCK];
    for (slots, singles) in out.chunks_mut(BLOCK).zip(singles.chunks(BLOCK)) {
        bits.iter_mut().zip(singles).for_each(|(slot, single)| *slot = u32::from_le_bytes(*single));
        widen_all(bits.get(..singles.len()).unwrap_or_default(), slots);
    }
    Ok(())
}

/// Floats of a pcodec column of float32.
pub(super) fn decode_pco_f32(bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    pco::decode_as(bytes, out, |singles: &[f32], slots| {
        let has_nan = singles.iter().fold(false, |has_nan, single| has_nan | single.is_nan());
        let pairs = slots.iter_mut().zip(singles);
        if has_nan {
            pairs.for_each(|(slot, single)| *slot = widen(single.to_bits()));
        } else {
            pairs.for_each(|(slot, single)| *slot = f64::from(*single));
        }
    })
}

/// The values as integers, if every one survives the way through `i64`.
pub(super) fn to_ints(values: &[f64]) -> Option<Vec<i64>> {
    // Nothing is allocated for a column whose first block already is not of integers.
    if !are_ints(values.get(..BLOCK).unwrap_or(values)) {
        return None;
    }
    let ints: Vec<i64> = values.iter().map(|value| *value as i64).collect();
    are_ints(values).then_some(ints)
}

fn are_ints(values: &[f64]) -> bool {
    values.iter().all(|value| (*value as i64 as f64).to_bits() == value.to_bits())
}

pub(super) fn decode_int(bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    let (&inner, bytes) = bytes.split_first().ok_or(CodecError("integer column without its codec"))?;
    let inner = CodecId::from_u8(inner).ok_or(CodecError("unknown codec of an integer column"))?;
    super::decode_whole(inner, bytes, out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn f32_exact(bits: u64) -> bool {
        to_singles(&[f64::from_bits(bits)]).is_some()
    }

    #[test]
    fn only_exact_values_are_float32() {
        let f32s = [0.0, -0.0, 1.0, f64::from(0.1_f32), f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN];
        let small = [f64::from(f32::MIN_POSITIVE), f64::from(f32::from_bits(1)), f64::from(f32::MAX)];
        assert!(to_singles(&[&f32s[..], &small[..]].concat()).is_some());
        for other in [0.1, f64::from(f32::MAX) * 2.0, f64::from(f32::from_bits(1)) / 2.0, f64::from_bits(1), 1e300] {
            assert!(to_singles(&[other]).is_none(), "{other}");
        }
        let mut late = vec![1.0; 1000];
        late[999] = 0.1;
        assert!(to_singles(&late).is_none());
    }

    #[test]
    fn nan_payloads() {
        assert!(f32_exact(0x7ff8_0000_0000_0000) && f32_exact(0xfff8_0000_0000_0000));
        // Signalling, with a payload that fits: kept without becoming quiet.
        assert!(f32_exact(0x7ff0_0000_2000_0000) && f32_exact(0xfff7_ffff_e000_0000));
        // Payloads with low bits; the second would become an infinity.
        assert!(!f32_exact(0x7ff8_0000_0000_0001) && !f32_exact(0x7ff0_0000_0000_0001));
        let values = [0xfff0_0000_2000_0000_u64, 0x7fff_ffff_e000_0000].map(f64::from_bits);
        let (mut bytes, mut back) = (Vec::new(), [0.0; 2]);
        encode_f32(&to_singles(&values).unwrap(), &mut bytes);
        assert_eq!(bytes, [1, 0, 0x80, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        decode_f32(&bytes, &mut back).unwrap();
        assert_eq!(back.map(f64::to_bits), values.map(f64::to_bits));
    }

    #[test]
    fn only_exact_values_are_integers() {
        let bound = 9_223_372_036_854_775_808.0;
        let ints = [0.0, 1.0, -1.0, 9_007_199_254_740_993.0, bound, -bound];
        assert_eq!(to_ints(&ints).unwrap()[..3], [0, 1, -1]);
        for other in [-0.0, 0.5, f64::NAN, f64::INFINITY, bound * 2.0, f64::from_bits(1)] {
            assert_eq!(to_ints(&[1.0, other]), None, "{other}");
        }
        let mut late = vec![1.0; 1000];
        late[999] = -0.0;
        assert_eq!(to_ints(&late), None);
    }

    #[test]
    fn bad_integer_columns_are_refused() {
        for bad in [&[][..], &[9], &[4, 0, 0, 0, 0], &[5, 2, 0, 0], &[7, 0], &[2, 0], &[2, 0, 0, 0]] {
            assert!(decode_int(bad, &mut [0.0]).is_err(), "{bad:?}");
        }
        let mut back = [0.0; 3];
        decode_int(&[2, 6, 1], &mut back).unwrap();
        assert_eq!(back, [3.0, 2.0, 1.0]);
    }
}
