//! Which form a column takes: the smallest, where a form that decodes slowly must win by a margin.
//!
//! The lengths of all forms but pcodec follow from one pass over the values, so nothing is written and thrown away.

use super::delta::Differences;
use super::{CodecId, Effort, constant, delta, narrow, pco, raw, stride};

/// Pcodec decodes 3 to 5 times slower than the other forms, so it must need at most this many percent of their bytes.
const PCO_MAX_PERCENT: usize = 97;

/// A column this short has nothing left to save.
const SMALL: usize = 32;

/// Appends the smallest form to `out`.
pub(crate) fn encode_ints(values: &[i64], effort: Effort, out: &mut Vec<u8>) -> CodecId {
    let Some(known) = Differences::of(values) else { return CodecId::Raw };
    let (codec, len) = plan_ints(values.len(), &known);
    if let Some(bytes) = try_pco(values, effort, len) {
        out.extend_from_slice(&bytes);
        return CodecId::Pco64;
    }
    match codec {
        CodecId::Constant => constant::encode(known.first.cast_unsigned(), out),
        CodecId::Stride => stride::encode(known.first, known.min, out),
        CodecId::Delta => delta::encode(values, &known, out),
        _ => raw::encode_ints(values, out),
    }
    codec
}

/// The smallest form without pcodec, and its length.
fn plan_ints(n: usize, known: &Differences) -> (CodecId, usize) {
    let raw_len = n * 8;
    let (codec, len) = if known.all_equal() {
        let stride_len = stride::len(known.first, known.min);
        let is_constant = known.min == 0 && constant::LEN <= stride_len;
        if is_constant { (CodecId::Constant, constant::LEN) } else { (CodecId::Stride, stride_len) }
    } else {
        (CodecId::Delta, known.encoded_len())
    };
    if raw_len < len { (CodecId::Raw, raw_len) } else { (codec, len) }
}

/// Appends the smallest form to `out`.
pub(crate) fn encode_floats(values: &[f64], effort: Effort, out: &mut Vec<u8>) -> CodecId {
    let Some(first) = values.first() else { return CodecId::Raw };
    let n = values.len();
    let is_f32 = narrow::is_f32(values);
    let ints = narrow::to_ints(values);
    let constant_len = if constant::is_constant(values) { constant::LEN } else { usize::MAX };
    let narrow_len = if is_f32 { n * 4 } else { n * 8 };
    let light_len = narrow_len.min(constant_len);

    if let Some(ints) = &ints
        && let Some(codec) = encode_floats_as_ints(ints, effort, light_len, out)
    {
        return codec;
    }
    // Floats that are integers have had their chance at pcodec.
    let pco = match (&ints, is_f32) {
        (Some(_), _) => None,
        (None, true) => try_pco_f32(values, effort, light_len),
        (None, false) => try_pco(values, effort, light_len),
    };
    if let Some(bytes) = pco {
        out.extend_from_slice(&bytes);
        return if is_f32 { CodecId::Pco32 } else { CodecId::Pco64 };
    }
    if constant_len <= narrow_len {
        constant::encode(first.to_bits(), out);
        return CodecId::Constant;
    }
    if is_f32 {
        narrow::encode_f32(values, out);
        return CodecId::NarrowF32;
    }
    raw::encode_floats(values, out);
    CodecId::Raw
}

/// Appends the integer form if it is shorter than `other_len`.
fn encode_floats_as_ints(ints: &[i64], effort: Effort, other_len: usize, out: &mut Vec<u8>) -> Option<CodecId> {
    let known = Differences::of(ints)?;
    let (_, len) = plan_ints(ints.len(), &known);
    // At the level of sealing the length is known beforehand; with pcodec it is not, so the bytes decide.
    if effort == Effort::Seal && len + 1 >= other_len {
        return None;
    }
    let old_len = out.len();
    out.push(0);
    let inner = encode_ints(ints, effort, out);
    if out.len() - old_len >= other_len {
        out.truncate(old_len);
        return None;
    }
    if let Some(id) = out.get_mut(old_len) {
        *id = inner as u8;
    }
    Some(CodecId::NarrowInt)
}

/// The pcodec form, if there may be one and it is enough shorter than `other_len`.
fn try_pco<T: pco::Lane>(values: &[T], effort: Effort, other_len: usize) -> Option<Vec<u8>> {
    if values.len() < pco::MIN_ROWS || other_len <= SMALL {
        return None;
    }
    let bytes = pco::encode(values, effort.pco_level()?)?;
    (bytes.len() * 100 <= other_len * PCO_MAX_PERCENT).then_some(bytes)
}

fn try_pco_f32(values: &[f64], effort: Effort, other_len: usize) -> Option<Vec<u8>> {
    effort.pco_level()?;
    try_pco(&narrow::to_f32(values), effort, other_len)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn ints(values: &[i64], effort: Effort) -> (CodecId, usize) {
        let mut out = Vec::new();
        (encode_ints(values, effort, &mut out), out.len())
    }

    fn floats(values: &[f64], effort: Effort) -> (CodecId, usize) {
        let mut out = Vec::new();
        (encode_floats(values, effort, &mut out), out.len())
    }

    /// The generator splitmix64.
    fn noise(n: u64) -> impl Iterator<Item = u64> {
        (1..=n).map(|k| {
            let z = k.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        })
    }

    #[test]
    fn integers_on_seal() {
        assert_eq!(ints(&[], Effort::Seal), (CodecId::Raw, 0));
        assert_eq!(ints(&[7], Effort::Seal), (CodecId::Stride, 2));
        assert_eq!(ints(&[i64::MIN; 5], Effort::Seal), (CodecId::Constant, 8));
        assert_eq!(ints(&[i64::MIN], Effort::Seal), (CodecId::Constant, 8));
        assert_eq!(ints(&(0..1000).map(|k| k * 50).collect::<Vec<_>>(), Effort::Seal), (CodecId::Stride, 2));
        let times: Vec<i64> = noise(1000)
            .scan(1_700_000_000_000, |t, k| {
                *t += 250 + (k % 16) as i64;
                Some(*t)
            })
            .collect();
        assert_eq!(ints(&times, Effort::Seal).0, CodecId::Delta);
        let wild: Vec<i64> = noise(1000).map(u64::cast_signed).collect();
        assert_eq!(ints(&wild, Effort::Seal), (CodecId::Raw, 8000));
    }

    #[test]
    fn floats_on_seal() {
        assert_eq!(floats(&[], Effort::Seal), (CodecId::Raw, 0));
        assert_eq!(floats(&[0.5], Effort::Seal), (CodecId::NarrowF32, 4));
        assert_eq!(floats(&[0.1; 9], Effort::Seal), (CodecId::Constant, 8));
        assert_eq!(floats(&[3.0; 9], Effort::Seal), (CodecId::NarrowInt, 3));
        let f32s: Vec<f64> = noise(1000).map(|k| f64::from(k as f32 / 1e19)).collect();
        assert_eq!(floats(&f32s, Effort::Seal), (CodecId::NarrowF32, 4000));
        let f64s: Vec<f64> = noise(1000).map(|k| k as f64 / 1e19).collect();
        assert_eq!(floats(&f64s, Effort::Seal), (CodecId::Raw, 8000));
        // Integers, but wilder than float32 is wide.
        let mixed: Vec<f64> = (0..100).map(|k| if k % 2 == 0 { 0.0 } else { 2_f64.powi(40) }).collect();
        assert_eq!(floats(&mixed, Effort::Seal), (CodecId::NarrowF32, 400));
    }

    #[test]
    fn pcodec_on_compaction() {
        for effort in [Effort::Compact, Effort::Archive] {
            let loss: Vec<f64> = noise(4000).map(|k| f64::from(2.0 + (k % 4096) as f32 / 16384.0 + 1e-7)).collect();
            let (codec, len) = floats(&loss, effort);
            assert!(codec == CodecId::Pco32 && len < 4000 * 3, "{codec:?} {len}");
            let decimal: Vec<f64> = noise(4000).map(|k| (k % 1000) as f64 * 0.1).collect();
            assert_eq!(floats(&decimal, effort).0, CodecId::Pco64);
            let skewed: Vec<i64> = noise(4000).map(|k| 1 << (k % 40)).collect();
            assert_eq!(ints(&skewed, effort).0, CodecId::Pco64);
            let counts: Vec<f64> = skewed.iter().map(|k| *k as f64).collect();
            assert_eq!(floats(&counts, effort).0, CodecId::NarrowInt);
            // Nothing to gain, or too short.
            assert_eq!(floats(&loss[..20], effort).0, CodecId::NarrowF32);
            assert_eq!(ints(&[1; 1000], effort).0, CodecId::Stride);
            assert_eq!(ints(&noise(1000).map(u64::cast_signed).collect::<Vec<_>>(), effort).0, CodecId::Raw);
        }
    }
}
