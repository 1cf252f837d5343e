//! One column to bytes and back. Pure: knows no chunk, file or thread.
//!
//! A column is `n` integers (steps, timestamps) or `n` floats (values). `n` is known from elsewhere, so no codec
//! stores it. The id of the codec is stored beside the bytes; ids are never used again for something else. Every
//! codec keeps every bit, NaN payloads included, and every decoder is total: any bytes give either exactly `n` values
//! or a [`CodecError`], and memory stays within a small multiple of `n` and the tables of pcodec.

mod bits;
mod choose;
mod constant;
mod narrow;
mod noise;
pub(crate) mod packed;
pub(crate) mod packed_f32;
mod pco;
mod raw;
mod stride;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod varint;

pub(crate) use bits::BLOCK;
pub(crate) use choose::{encode_floats, encode_ints};
pub(crate) use narrow::{f32_bits as single_bits, is_single, widen as widen_single};

use crate::limits;

/// How a column is stored. The number is what is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum CodecId {
    /// 8 bytes a value, little-endian.
    Raw = 0,
    /// One 8-byte value for all rows.
    Constant = 1,
    /// Integers only: first value and difference.
    Stride = 2,
    /// Integers only: blocks above their smallest number or difference, bit-packed.
    Packed = 3,
    /// Floats only: every value is exactly a float32; 4 bytes a value.
    NarrowF32 = 4,
    /// Floats only: every value is exactly an integer; then stored as an integer column (inner id, bytes).
    NarrowInt = 5,
    /// Pcodec over 64-bit values (integers or floats).
    Pco64 = 6,
    /// Floats only: every value is exactly a float32; pcodec over the float32 values.
    Pco32 = 7,
    /// Floats only: every value is exactly a float32; blocks of them bit-packed.
    PackedF32 = 8,
}

impl CodecId {
    pub(crate) const ALL: [Self; 9] = [
        Self::Raw,
        Self::Constant,
        Self::Stride,
        Self::Packed,
        Self::NarrowF32,
        Self::NarrowInt,
        Self::Pco64,
        Self::Pco32,
        Self::PackedF32,
    ];

    pub(crate) fn from_u8(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| *codec as u8 == id)
    }

    /// The name that `stats` shows and `docs/format.md` uses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Constant => "constant",
            Self::Stride => "stride",
            Self::Packed => "packed",
            Self::NarrowF32 => "f32",
            Self::NarrowInt => "int",
            Self::Pco64 => "pco",
            Self::Pco32 => "pco-f32",
            Self::PackedF32 => "packed-f32",
        }
    }
}

/// How hard to look for a small form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For sealing: one pass over the data, no entropy coding.
    Seal,
    /// For compaction: pcodec at its working level too, where the bytes it saves pay for the time it takes to decode.
    Compact,
    /// For data nobody expects to read soon: pcodec at a higher level.
    Archive,
}

impl Effort {
    /// What to use instead for columns that will soon be written again: less than an archive's, which is slow.
    pub(crate) fn for_now(self) -> Self {
        if self == Self::Archive { Self::Compact } else { self }
    }

    fn pco_level(self) -> Option<usize> {
        match self {
            Self::Seal => None,
            Self::Compact => Some(7),
            Self::Archive => Some(12),
        }
    }
}

/// Bytes that are not what this codec writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CodecError(pub(crate) &'static str);

/// Appends exactly `n` integers to `out`; after an error `out` is as it was.
pub(crate) fn decode_ints(codec: CodecId, bytes: &[u8], n: usize, out: &mut Vec<i64>) -> Result<(), CodecError> {
    check_rows(codec, n)?;
    append(n, 0, out, |slots| fill_ints(codec, bytes, slots))
}

/// Fills `out` with the integers of a column that has as many; after an error it holds anything.
pub(crate) fn fill_ints(codec: CodecId, bytes: &[u8], out: &mut [i64]) -> Result<(), CodecError> {
    decode_whole(codec, bytes, out)
}

/// What a reader gets for the integers of a column: themselves, or the floats that they stand for.
trait FromInt: Copy + Default {
    fn from_int(int: i64) -> Self;

    fn decode_pco(bytes: &[u8], out: &mut [Self]) -> Result<(), CodecError>;
}

impl FromInt for i64 {
    #[inline(always)]
    fn from_int(int: i64) -> Self {
        int
    }

    fn decode_pco(bytes: &[u8], out: &mut [Self]) -> Result<(), CodecError> {
        pco::decode(bytes, out)
    }
}

impl FromInt for f64 {
    #[inline(always)]
    fn from_int(int: i64) -> Self {
        int as Self
    }

    fn decode_pco(bytes: &[u8], out: &mut [Self]) -> Result<(), CodecError> {
        pco::decode_as(bytes, out, |ints: &[i64], slots| {
            slots.iter_mut().zip(ints).for_each(|(slot, int)| *slot = Self::from_int(*int));
        })
    }
}

/// A column of integers, of which each is what the reader wants before it leaves the cache.
fn decode_whole<T: FromInt>(codec: CodecId, bytes: &[u8], out: &mut [T]) -> Result<(), CodecError> {
    check_rows(codec, out.len())?;
    match codec {
        CodecId::Raw => raw::decode_ints(bytes, out),
        CodecId::Constant => constant::decode_ints(bytes, out),
        CodecId::Stride => stride::decode(bytes, out),
        CodecId::Packed => packed::decode(bytes, out),
        CodecId::Pco64 => T::decode_pco(bytes, out),
        CodecId::NarrowF32 | CodecId::NarrowInt | CodecId::Pco32 | CodecId::PackedF32 => {
            Err(CodecError("codec of floats for integers"))
        }
    }
}

/// Appends exactly `n` floats to `out`; after an error `out` is as it was.
pub(crate) fn decode_floats(codec: CodecId, bytes: &[u8], n: usize, out: &mut Vec<f64>) -> Result<(), CodecError> {
    check_rows(codec, n)?;
    append(n, 0.0, out, |slots| fill_floats(codec, bytes, slots))
}

/// Fills `out` with the floats of a column that has as many; after an error it holds anything.
pub(crate) fn fill_floats(codec: CodecId, bytes: &[u8], out: &mut [f64]) -> Result<(), CodecError> {
    check_rows(codec, out.len())?;
    match codec {
        CodecId::Raw => raw::decode_floats(bytes, out),
        CodecId::Constant => constant::decode_floats(bytes, out),
        CodecId::NarrowF32 => narrow::decode_f32(bytes, out),
        CodecId::NarrowInt => narrow::decode_int(bytes, out),
        CodecId::Pco64 => pco::decode(bytes, out),
        CodecId::Pco32 => narrow::decode_pco_f32(bytes, out),
        CodecId::PackedF32 => packed_f32::decode(bytes, out),
        CodecId::Stride | CodecId::Packed => Err(CodecError("codec of integers for floats")),
    }
}

/// An empty column is always raw; every other codec may count on a first row.
fn check_rows(codec: CodecId, n: usize) -> Result<(), CodecError> {
    if n > limits::MAX_CHUNK_ROWS {
        return Err(CodecError("more rows than a chunk may have"));
    }
    if n == 0 && codec != CodecId::Raw {
        return Err(CodecError("empty column that is not raw"));
    }
    Ok(())
}

/// Makes room for `n` values at the end of `out`, and takes it back if it cannot be filled.
fn append<T: Copy>(
    n: usize,
    zero: T,
    out: &mut Vec<T>,
    fill: impl FnOnce(&mut [T]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let old_len = out.len();
    out.resize(old_len + n, zero);
    let decoded = fill(out.get_mut(old_len..).unwrap_or_default());
    if decoded.is_err() {
        out.truncate(old_len);
    }
    decoded
}
