//! Signed integers in 1 to 10 bytes, for the heads of integer columns.
//!
//! ```text
//! zigzag        v >= 0 becomes 2 * v, v < 0 becomes -2 * v - 1; the result is an unsigned 64-bit number
//! bytes         7 bits a byte, lowest first; bit 7 is set on every byte but the last
//! ```
//!
//! Only the shortest form is accepted, so a number has one encoding. Heads are not fixed-width because many series
//! have a handful of points, and there the head is most of the column.

use super::CodecError;

const MAX_LEN: usize = 10;

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn unzigzag(zigzagged: u64) -> i64 {
    (zigzagged >> 1).cast_signed() ^ -(zigzagged & 1).cast_signed()
}

/// Bytes that [`put`] appends for this value.
pub(super) fn len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

pub(super) fn put(value: i64, out: &mut Vec<u8>) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Takes one number off the front of `bytes`.
pub(super) fn take(bytes: &mut &[u8]) -> Result<i64, CodecError> {
    let mut zigzagged = 0;
    for position in 0..MAX_LEN {
        let (&byte, rest) = bytes.split_first().ok_or(CodecError("column ends inside a number"))?;
        *bytes = rest;
        // The tenth byte has room for one bit of the 64.
        if position == MAX_LEN - 1 && byte > 1 {
            break;
        }
        zigzagged |= u64::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            let shortest = byte != 0 || position == 0;
            return if shortest { Ok(unzigzag(zigzagged)) } else { Err(CodecError("number not in its shortest form")) };
        }
    }
    Err(CodecError("number over 64 bits"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_at_every_length() {
        let powers = (0..63).map(|bit| 1_i64 << bit);
        let near = powers.flat_map(|power| [power - 1, power, power + 1, -power, -power - 1]);
        for value in near.chain([0, i64::MAX, i64::MIN]) {
            let mut bytes = Vec::new();
            put(value, &mut bytes);
            assert_eq!(bytes.len(), len(value), "{value}");
            bytes.push(0xcc);
            let mut rest = bytes.as_slice();
            assert_eq!(take(&mut rest), Ok(value));
            assert_eq!(rest, [0xcc]);
        }
    }

    #[test]
    fn layout() {
        for (value, expected) in [(0, vec![0]), (-1, vec![1]), (1, vec![2]), (64, vec![0x80, 1]), (-64, vec![0x7f])] {
            let mut bytes = Vec::new();
            put(value, &mut bytes);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn bad_bytes_are_refused() {
        for bad in
            [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff; 11], &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2]]
        {
            assert!(take(&mut &bad[..]).is_err(), "{bad:?}");
        }
    }
}
