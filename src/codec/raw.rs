//! Raw: every value as 8 bytes, little-endian.
//!
//! ```text
//! byte 0        value 0: i64 two's complement, or the bits of an f64 (IEEE 754)
//! byte 8        value 1
//! ...           8 * n bytes in all
//! ```
//!
//! Chosen when nothing else is smaller: true float64 noise, or integers that jump over the whole range. Also the form
//! of an empty column (no bytes).

use super::{CodecError, FromInt};

/// Makes room for `count` values of `WIDTH` bytes at the end of `out` and returns the room.
///
/// Writing into a slice of known length lets the compiler vectorise; appending value by value does not.
pub(super) fn grow<const WIDTH: usize>(out: &mut Vec<u8>, count: usize) -> &mut [[u8; WIDTH]] {
    let old_len = out.len();
    out.resize(old_len + count * WIDTH, 0);
    let grown = out.get_mut(old_len..).unwrap_or_default();
    grown.as_chunks_mut().0
}

/// The bytes as exactly `n` values of `WIDTH` bytes.
pub(super) fn exactly<const WIDTH: usize>(bytes: &[u8], n: usize) -> Result<&[[u8; WIDTH]], CodecError> {
    match bytes.as_chunks() {
        (chunks, []) if chunks.len() == n => Ok(chunks),
        _ => Err(CodecError("length of the column differs from its number of rows")),
    }
}

pub(super) fn encode_ints(values: &[i64], out: &mut Vec<u8>) {
    for (slot, value) in grow::<8>(out, values.len()).iter_mut().zip(values) {
        *slot = value.to_le_bytes();
    }
}

pub(super) fn encode_floats(values: &[f64], out: &mut Vec<u8>) {
    for (slot, value) in grow::<8>(out, values.len()).iter_mut().zip(values) {
        *slot = value.to_bits().to_le_bytes();
    }
}

pub(super) fn decode_ints<T: FromInt>(bytes: &[u8], out: &mut [T]) -> Result<(), CodecError> {
    let chunks = exactly::<8>(bytes, out.len())?;
    out.iter_mut().zip(chunks).for_each(|(slot, chunk)| *slot = T::from_int(i64::from_le_bytes(*chunk)));
    Ok(())
}

pub(super) fn decode_floats(bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    let chunks = exactly::<8>(bytes, out.len())?;
    out.iter_mut().zip(chunks).for_each(|(slot, chunk)| *slot = f64::from_bits(u64::from_le_bytes(*chunk)));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_little_endian() {
        let mut bytes = vec![0xaa];
        encode_ints(&[1, -2], &mut bytes);
        assert_eq!(bytes, [0xaa, 1, 0, 0, 0, 0, 0, 0, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255]);
        let mut bytes = Vec::new();
        encode_floats(&[-0.0], &mut bytes);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 0x80]);
    }

    #[test]
    fn wrong_length_is_refused() {
        for len in [0, 7, 9, 15, 17, 24] {
            assert!(decode_ints(&vec![0; len], &mut [0_i64; 2]).is_err());
            assert!(decode_floats(&vec![0; len], &mut [0.0; 2]).is_err());
        }
    }

    #[test]
    fn nan_payloads_pass_unchanged() {
        let values = [0x7ff0_0000_0000_0001_u64, 0xfff8_dead_beef_0001, 0x7fff_ffff_ffff_ffff].map(f64::from_bits);
        let (mut bytes, mut back) = (Vec::new(), [0.0; 3]);
        encode_floats(&values, &mut bytes);
        decode_floats(&bytes, &mut back).unwrap();
        assert_eq!(values.map(f64::to_bits), back.map(f64::to_bits));
    }
}
