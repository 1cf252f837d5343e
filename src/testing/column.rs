//! A door to the codecs of columns, for the bench that measures them.

use crate::codec::{self, CodecId};

/// How hard to look for a small form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// What sealing takes.
    Seal,
    /// What compaction takes.
    Compact,
    /// What compaction takes with [`crate::Compression::Archive`].
    Archive,
}

impl Effort {
    const fn inner(self) -> codec::Effort {
        match self {
            Self::Seal => codec::Effort::Seal,
            Self::Compact => codec::Effort::Compact,
            Self::Archive => codec::Effort::Archive,
        }
    }
}

/// The form that was chosen for a column; decoding needs it beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec(CodecId);

impl Codec {
    /// The name that `docs/format.md` uses.
    pub const fn name(self) -> &'static str {
        self.0.name()
    }
}

/// Appends values of a metric to `out`.
pub fn encode_floats(values: &[f64], effort: Effort, out: &mut Vec<u8>) -> Codec {
    Codec(codec::encode_floats(values, effort.inner(), out))
}

/// Appends steps or timestamps to `out`.
pub fn encode_ints(values: &[i64], effort: Effort, out: &mut Vec<u8>) -> Codec {
    Codec(codec::encode_ints(values, effort.inner(), out))
}

/// Appends the `n` values in `bytes` to `out`; panics when they are not that.
pub fn decode_floats(codec: Codec, bytes: &[u8], n: usize, out: &mut Vec<f64>) {
    codec::decode_floats(codec.0, bytes, n, out).unwrap();
}

/// Appends the `n` numbers in `bytes` to `out`; panics when they are not that.
pub fn decode_ints(codec: Codec, bytes: &[u8], n: usize, out: &mut Vec<i64>) {
    codec::decode_ints(codec.0, bytes, n, out).unwrap();
}
