//! Which form a column takes: the smallest, where a form that decodes slowly must pay for it.

use super::{CodecId, Effort, constant, narrow, noise, packed, packed_f32, pco, raw, stride};

/// Pcodec decodes at about a quarter of the speed of the other forms, and builds tables first. What that costs a reader,
/// in nanoseconds as estimated from its decoding speed, must be paid for by bytes, or charts would pay for bytes that
/// nobody misses.
const PCO_TABLES_NS: usize = 1200;
const PCO_ROWS_NS: (usize, usize) = (7, 2);
/// Nanoseconds of decoding for a byte saved. On real curves the columns take 2.383 bytes a point with 20, 2.369 with 25.
const NS_PER_SAVED_BYTE: usize = 25;

/// A column takes about so much of what a trial on a part of it, at a lower level, leads to expect.
const TRIAL_PERCENT: usize = 98;

/// A column this short has nothing left to save.
const SMALL: usize = 32;

/// Appends the smallest form to `out`.
pub(crate) fn encode_ints(values: &[i64], effort: Effort, out: &mut Vec<u8>) -> CodecId {
    let Some(&first) = values.first() else { return CodecId::Raw };
    if let Some(step) = common_difference(values) {
        return if step == 0 && constant::LEN <= stride::len(first, 0) {
            constant::encode(first.cast_unsigned(), out);
            CodecId::Constant
        } else if values.len() * 8 < stride::len(first, step) {
            raw::encode_ints(values, out);
            CodecId::Raw
        } else {
            stride::encode(first, step, out);
            CodecId::Stride
        };
    }
    let old_len = out.len();
    packed::encode(values, out);
    let mut codec = CodecId::Packed;
    if out.len() - old_len >= values.len() * 8 {
        out.truncate(old_len);
        raw::encode_ints(values, out);
        codec = CodecId::Raw;
    }
    if replace_by_pco(values, effort, old_len, out) { CodecId::Pco64 } else { codec }
}

/// The difference of all neighbours, if it is the same everywhere.
fn common_difference(values: &[i64]) -> Option<i64> {
    let step = match values {
        [first, second, ..] => second.wrapping_sub(*first),
        _ => 0,
    };
    let after = values.get(1..).unwrap_or_default();
    // In blocks, each without a way out, so that several are compared at once.
    let mut blocks = values.chunks(64).zip(after.chunks(64));
    let differs = |(before, value): (&i64, &i64)| value.wrapping_sub(*before) ^ step;
    let even = blocks.all(|(before, after)| before.iter().zip(after).map(differs).fold(0, |all, one| all | one) == 0);
    even.then_some(step)
}

/// Appends the smallest form to `out`.
pub(crate) fn encode_floats(values: &[f64], effort: Effort, out: &mut Vec<u8>) -> CodecId {
    let Some(first) = values.first() else { return CodecId::Raw };
    let (n, old_len) = (values.len(), out.len());
    let singles = narrow::to_singles(values);
    let is_f32 = singles.is_some();
    if constant::is_constant(values) && n * if is_f32 { 4 } else { 8 } >= constant::LEN {
        let codec = encode_floats_as_ints(values, effort, constant::LEN, out);
        return codec.unwrap_or_else(|| {
            constant::encode(first.to_bits(), out);
            CodecId::Constant
        });
    }
    let mut codec = CodecId::Raw;
    if let Some(singles) = &singles {
        packed_f32::encode(values, singles, out);
        codec = CodecId::PackedF32;
    }
    let narrow_len = n * if is_f32 { 4 } else { 8 };
    if !is_f32 || out.len() - old_len >= narrow_len {
        out.truncate(old_len);
        if let Some(singles) = &singles {
            narrow::encode_f32(singles, out);
            codec = CodecId::NarrowF32;
        } else {
            raw::encode_floats(values, out);
        }
    }
    // Floats that are integers have their chance at pcodec as integers.
    let mut as_ints = Vec::new();
    let light_len = out.len() - old_len;
    if let Some(ints) = encode_floats_as_ints(values, effort, light_len, &mut as_ints) {
        out.truncate(old_len);
        out.append(&mut as_ints);
        return ints;
    }
    if let Some(singles) = singles {
        let floats = || singles.iter().map(|bits| f32::from_bits(*bits)).collect::<Vec<f32>>();
        let replaced =
            may_shorten(values, effort, out.len() - old_len) && replace_by_pco(&floats(), effort, old_len, out);
        if replaced { CodecId::Pco32 } else { codec }
    } else {
        if replace_by_pco(values, effort, old_len, out) { CodecId::Pco64 } else { codec }
    }
}

/// Appends the integer form if the values are integers and it is shorter than `other_len`.
fn encode_floats_as_ints(values: &[f64], effort: Effort, other_len: usize, out: &mut Vec<u8>) -> Option<CodecId> {
    let ints = narrow::to_ints(values)?;
    let old_len = out.len();
    out.push(0);
    let inner = encode_ints(&ints, effort, out);
    if out.len() - old_len >= other_len {
        out.truncate(old_len);
        return None;
    }
    if let Some(id) = out.get_mut(old_len) {
        *id = inner as u8;
    }
    Some(CodecId::NarrowInt)
}

/// Whether it makes sense to try pcodec on singles that take `light_len` without it.
fn may_shorten(values: &[f64], effort: Effort, light_len: usize) -> bool {
    match effort {
        Effort::Seal => false,
        Effort::Compact => noise::least_bytes(values).is_none_or(|least| pays(effort, values.len(), light_len, least)),
        Effort::Archive => true,
    }
}

/// Whether a column of `rows` that takes `light_len` bytes without pcodec should be read through it if it then takes
/// `len`.
fn pays(effort: Effort, rows: usize, light_len: usize, len: usize) -> bool {
    let saved = light_len.saturating_sub(len);
    match effort {
        Effort::Archive => saved > 0,
        _ => saved * NS_PER_SAVED_BYTE >= PCO_TABLES_NS + rows * PCO_ROWS_NS.0 / PCO_ROWS_NS.1,
    }
}

/// Replaces what lies in `out` from `old_len` on by the pcodec form, if that pays.
fn replace_by_pco<T: pco::Lane>(values: &[T], effort: Effort, old_len: usize, out: &mut Vec<u8>) -> bool {
    let (Some(level), true) = (effort.pco_level(), values.len() >= pco::MIN_ROWS) else { return false };
    let light_len = out.len() - old_len;
    if light_len <= SMALL {
        return false;
    }
    let pays = |len| pays(effort, values.len(), light_len, len);
    let bytes = match effort {
        Effort::Archive => shorter(pco::encode(values, level, &pco::Plan::automatic()), || {
            pco::Plan::of(values).and_then(|plan| pco::encode(values, level, &plan))
        }),
        _ => pco::Plan::of(values)
            .filter(|plan| pays(plan.len * TRIAL_PERCENT / 100))
            .and_then(|plan| pco::encode(values, level, &plan)),
    };
    match bytes.filter(|bytes| pays(bytes.len())) {
        Some(bytes) => {
            out.truncate(old_len);
            out.extend_from_slice(&bytes);
            true
        }
        None => false,
    }
}

/// The shorter of two forms, where one may fail.
fn shorter(first: Option<Vec<u8>>, second: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    [first, second()].into_iter().flatten().min_by_key(Vec::len)
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
        assert_eq!(ints(&times, Effort::Seal).0, CodecId::Packed);
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
        assert_eq!(floats(&f32s, Effort::Seal), (CodecId::PackedF32, 3389));
        let wild: Vec<f64> =
            noise(1100).map(|k| f64::from(f32::from_bits(k as u32))).filter(|v| v.is_finite()).take(1000).collect();
        assert_eq!(floats(&wild, Effort::Seal), (CodecId::NarrowF32, 4000));
        let f64s: Vec<f64> = noise(1000).map(|k| k as f64 / 1e19).collect();
        assert_eq!(floats(&f64s, Effort::Seal), (CodecId::Raw, 8000));
        // Integers, but wilder than float32 is wide.
        let mixed: Vec<f64> = (0..100).map(|k| if k % 2 == 0 { 0.0 } else { 2_f64.powi(40) }).collect();
        assert_eq!(floats(&mixed, Effort::Seal), (CodecId::PackedF32, 393));
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
            assert_eq!(floats(&loss[..20], effort).0, CodecId::PackedF32);
            assert_eq!(ints(&[1; 1000], effort).0, CodecId::Stride);
            assert_eq!(ints(&noise(1000).map(u64::cast_signed).collect::<Vec<_>>(), effort).0, CodecId::Raw);
        }
    }
}
