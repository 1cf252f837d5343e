//! Constant: one value for all rows.
//!
//! ```text
//! byte 0        the value, 8 bytes little-endian: i64 two's complement, or the bits of an f64
//! ```
//!
//! Always 8 bytes. Chosen when all values have the same bits, so a column of one NaN payload is constant and a mix of
//! 0.0 and -0.0 is not. (A constant column of small integers takes fewer bytes as a stride of 0 and is then stored so.)

use super::{CodecError, FromInt};

/// Length of every constant column in bytes.
pub(super) const LEN: usize = 8;

/// Whether all bits are equal, looking at a block at a time so that ordinary data is dismissed at its first block.
pub(super) fn is_constant(values: &[f64]) -> bool {
    let first_bits = values.first().map_or(0, |value| value.to_bits());
    values
        .chunks(64)
        .all(|block| block.iter().fold(0, |differing, value| differing | value.to_bits() ^ first_bits) == 0)
}

pub(super) fn encode(bits: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&bits.to_le_bytes());
}

fn decode(bytes: &[u8]) -> Result<u64, CodecError> {
    let bytes = bytes.try_into().map_err(|_| CodecError("a constant column is not 8 bytes long"))?;
    Ok(u64::from_le_bytes(bytes))
}

pub(super) fn decode_ints<T: FromInt>(bytes: &[u8], out: &mut [T]) -> Result<(), CodecError> {
    out.fill(T::from_int(decode(bytes)?.cast_signed()));
    Ok(())
}

pub(super) fn decode_floats(bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    out.fill(f64::from_bits(decode(bytes)?));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn bits_decide() {
        let nan = f64::from_bits(0x7ff8_0000_0000_0123);
        assert!(is_constant(&[nan; 200]));
        assert!(!is_constant(&[0.0, -0.0]));
        assert!(!is_constant(&[nan, f64::NAN]));
        let mut values = [1.5; 200];
        values[199] = 2.5;
        assert!(!is_constant(&values));
    }

    #[test]
    fn round_trip_and_wrong_length() {
        let mut bytes = Vec::new();
        encode(0x8000_0000_0000_0000, &mut bytes);
        assert_eq!(bytes.len(), LEN);
        let (mut ints, mut floats) = ([7_i64; 3], [7.0]);
        decode_ints(&bytes, &mut ints).unwrap();
        assert_eq!(ints, [i64::MIN; 3]);
        decode_floats(&bytes, &mut floats).unwrap();
        assert_eq!(floats[0].to_bits(), (-0.0_f64).to_bits());
        assert!(decode_ints(&bytes[..7], &mut ints).is_err());
        bytes.push(0);
        assert!(decode_ints(&bytes, &mut ints).is_err());
    }
}
