//! Stride: integers at equal distances, such as steps logged every 50.
//!
//! ```text
//! first         signed varint (see `varint`): value 0
//! stride        signed varint: value k is first + k * stride, modulo 2^64
//! ```
//!
//! 2 to 20 bytes. Chosen when all differences are equal, unless the column is shorter in another form (a constant
//! needs 8 bytes). The arithmetic wraps, so any pair of 64-bit numbers is a legal column.

use super::{CodecError, FromInt, varint};

pub(super) fn len(first: i64, stride: i64) -> usize {
    varint::len(first) + varint::len(stride)
}

pub(super) fn encode(first: i64, stride: i64, out: &mut Vec<u8>) {
    varint::put(first, out);
    varint::put(stride, out);
}

pub(super) fn decode<T: FromInt>(mut bytes: &[u8], out: &mut [T]) -> Result<(), CodecError> {
    let first = varint::take(&mut bytes)?;
    let stride = varint::take(&mut bytes)?;
    if !bytes.is_empty() {
        return Err(CodecError("bytes after the stride"));
    }
    // Eight at a time, each from the one eight before: without multiplications, for which few processors have vectors,
    // and without a chain of as many additions as there are values.
    const AT_ONCE: usize = 8;
    let far = stride.wrapping_mul(AT_ONCE as i64);
    let mut next: [i64; AT_ONCE] = std::array::from_fn(|index| first.wrapping_add(stride.wrapping_mul(index as i64)));
    let (eights, rest) = out.as_chunks_mut::<AT_ONCE>();
    for slots in eights {
        *slots = next.map(T::from_int);
        next = next.map(|value| value.wrapping_add(far));
    }
    rest.iter_mut().zip(next).for_each(|(slot, value)| *slot = T::from_int(value));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_with_wrapping() {
        for (first, stride) in [(0, 0), (5, 50), (-7, -3), (i64::MAX, 1), (i64::MIN, i64::MIN), (1, i64::MAX)] {
            let (mut bytes, mut back) = (Vec::new(), [77_i64; 21]);
            encode(first, stride, &mut bytes);
            assert_eq!(bytes.len(), len(first, stride));
            decode(&bytes, &mut back).unwrap();
            let mut expected = vec![first];
            for _ in 1..21 {
                expected.push(expected[expected.len() - 1].wrapping_add(stride));
            }
            assert_eq!(back[..], expected);
        }
    }

    #[test]
    fn truncated_or_longer_is_refused() {
        let mut bytes = Vec::new();
        encode(1000, 50, &mut bytes);
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], &mut [0_i64; 5]).is_err());
        }
        bytes.push(0);
        assert!(decode(&bytes, &mut [0_i64; 5]).is_err());
    }
}
