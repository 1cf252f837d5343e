//! Properties of all codecs together: whatever goes in comes out bit by bit, and whatever bytes come in, nothing
//! panics and no wrong number of values comes out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;

use super::*;

const EFFORTS: [Effort; 3] = [Effort::Seal, Effort::Compact, Effort::Archive];

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn int_columns() -> impl Strategy<Value = Vec<i64>> {
    let extreme = prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1), any::<i64>()];
    let n = 0..1200_usize;
    prop_oneof![
        (any::<i64>(), n.clone()).prop_map(|(value, n)| vec![value; n]),
        (any::<i64>(), any::<i64>(), n.clone())
            .prop_map(|(first, stride, n)| (0..n as i64).map(|k| first.wrapping_add(stride.wrapping_mul(k))).collect()),
        (any::<i64>(), 0..64_u32, prop::collection::vec(any::<i64>(), n.clone())).prop_map(|(first, shift, steps)| {
            steps
                .into_iter()
                .scan(first, |at, step| {
                    *at = at.wrapping_add(step >> shift);
                    Some(*at)
                })
                .collect()
        }),
        prop::collection::vec(-1000..1000_i64, n.clone()),
        prop::collection::vec(extreme, n),
    ]
}

fn float_columns() -> impl Strategy<Value = Vec<f64>> {
    let special = [0, 1 << 63, 1, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 0xfff8 << 48, (0x7ff0 << 48) | 1, u64::MAX];
    let special = prop::sample::select(special.map(f64::from_bits).to_vec());
    let any_bits = any::<u64>().prop_map(f64::from_bits);
    let any_f32 = any::<u32>().prop_map(|bits| f64::from(f32::from_bits(bits)));
    let ordinary = (0..100_000_i32).prop_map(|k| f64::from(k as f32 / 7.0));
    let decimal = (0..5000_i32).prop_map(|k| f64::from(k) * 0.01);
    let n = 0..1200_usize;
    prop_oneof![
        int_columns().prop_map(|ints| ints.into_iter().map(|int| int as f64).collect()),
        (any_bits.clone(), n.clone()).prop_map(|(value, n)| vec![value; n]),
        prop::collection::vec(any_bits.clone(), n.clone()),
        prop::collection::vec(any_f32, n.clone()),
        prop::collection::vec(prop_oneof![20 => ordinary.clone(), 1 => special.clone()], n.clone()),
        prop::collection::vec(ordinary, n.clone()),
        prop::collection::vec(decimal.clone(), n.clone()),
        prop::collection::vec(prop_oneof![20 => decimal, 1 => any_bits, 1 => special], n),
    ]
}

/// Decodes as both types; checks the number of values and that an error leaves `out` alone.
fn decode_anything(codec: CodecId, bytes: &[u8], n: usize) -> bool {
    let mut ints = vec![3];
    let decoded = decode_ints(codec, bytes, n, &mut ints);
    assert_eq!(ints.len(), if decoded.is_ok() { n + 1 } else { 1 });
    let mut floats = vec![3.0];
    let decoded_floats = decode_floats(codec, bytes, n, &mut floats);
    assert_eq!(floats.len(), if decoded_floats.is_ok() { n + 1 } else { 1 });
    assert!(ints[0] == 3 && floats[0] == 3.0);
    // Slots are all written, whatever lay in them.
    if n <= limits::MAX_CHUNK_ROWS {
        let (mut slots, mut float_slots) = (vec![77; n], vec![f64::NAN; n]);
        assert_eq!(fill_ints(codec, bytes, &mut slots), decoded);
        assert!(decoded.is_err() || slots == ints[1..]);
        assert_eq!(fill_floats(codec, bytes, &mut float_slots), decoded_floats);
        assert!(decoded_floats.is_err() || bits(&float_slots) == bits(&floats[1..]));
    }
    decoded.is_ok() || decoded_floats.is_ok()
}

fn f32s(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| f32::from_bits(narrow::f32_bits(*value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 300 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_round_trip(values in int_columns()) {
        for effort in EFFORTS {
            let (mut bytes, mut back) = (vec![1], vec![2]);
            let codec = encode_ints(&values, effort, &mut bytes);
            prop_assert!(bytes.len() - 1 <= values.len() * 8);
            decode_ints(codec, &bytes[1..], values.len(), &mut back).unwrap();
            prop_assert_eq!(&back[1..], &values);
            let mut slots = vec![77; values.len()];
            fill_ints(codec, &bytes[1..], &mut slots).unwrap();
            prop_assert_eq!(&slots, &values);
        }
    }

    #[test]
    fn floats_round_trip(values in float_columns()) {
        for effort in EFFORTS {
            let (mut bytes, mut back) = (vec![1], vec![2.0]);
            let codec = encode_floats(&values, effort, &mut bytes);
            prop_assert!(bytes.len() - 1 <= values.len() * 8);
            decode_floats(codec, &bytes[1..], values.len(), &mut back).unwrap();
            prop_assert_eq!(bits(&back[1..]), bits(&values));
            let mut slots = vec![77.5; values.len()];
            fill_floats(codec, &bytes[1..], &mut slots).unwrap();
            prop_assert_eq!(bits(&slots), bits(&values));
        }
    }

    /// Raw and the two pcodec lanes can hold columns for which they are not chosen.
    #[test]
    fn forced_codecs_round_trip(values in float_columns()) {
        let mut bytes = Vec::new();
        raw::encode_floats(&values, &mut bytes);
        let mut back = Vec::new();
        decode_floats(CodecId::Raw, &bytes, values.len(), &mut back).unwrap();
        prop_assert_eq!(bits(&back), bits(&values));
        if !values.is_empty() {
            let singles = f32s(&values);
            for (plan, single_plan) in [
                (pco::Plan::automatic(), pco::Plan::automatic()),
                (pco::Plan::of(&values).unwrap(), pco::Plan::of(&singles).unwrap()),
            ] {
                prop_assert!(pco::encode(&values, 8, &plan).is_some());
                prop_assert!(pco::encode(&singles, 8, &single_plan).is_some());
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), n in 0..2000_usize) {
        for codec in CodecId::ALL {
            decode_anything(codec, &bytes, n);
        }
        // The same with a header that pcodec accepts, for every mode, and behind the id of an integer column.
        for mode in 0..5 {
            let mut bytes = [&[5, 4, 1][..], &bytes].concat();
            bytes.resize(bytes.len().max(4), 0);
            bytes[3] = bytes[3] & 0xf0 | mode;
            decode_anything(CodecId::Pco64, &bytes[1..], n);
            decode_anything(CodecId::Pco32, &bytes[1..], n);
            bytes[0] = CodecId::Pco64 as u8;
            decode_anything(CodecId::NarrowInt, &bytes, n);
        }
        let len = n * 17;
        // Miri runs no C.
        prop_assert!(cfg!(miri) || text::decompress(&bytes, len).is_err());
    }

    #[test]
    fn truncated_columns_are_refused(values in float_columns(), cut in any::<prop::sample::Index>()) {
        for effort in [Effort::Seal, Effort::Compact] {
            let mut bytes = Vec::new();
            let codec = encode_floats(&values, effort, &mut bytes);
            if !bytes.is_empty() {
                let cut = cut.index(bytes.len());
                prop_assert!(!decode_anything(codec, &bytes[..cut], values.len()), "{:?}", codec);
            }
            bytes.push(0);
            prop_assert!(!decode_anything(codec, &bytes, values.len()), "{:?}", codec);
        }
    }

    /// Damaged pcodec columns reach deeper into that library than random bytes do.
    #[test]
    fn damaged_columns_never_panic(
        values in float_columns(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        n in 1..1000_usize,
    ) {
        for codec in [CodecId::Pco64, CodecId::Pco32] {
            let bytes = match codec {
                CodecId::Pco32 => pco::encode(&f32s(&values), 8, &pco::Plan::automatic()),
                _ => pco::encode(&values, 8, &pco::Plan::automatic()),
            };
            let Some(mut bytes) = bytes.filter(|bytes| bytes.len() > 2) else { continue };
            let len = bytes.len() - 2;
            for (at, byte) in &damage {
                bytes[2 + at.index(len)] = *byte;
            }
            decode_anything(codec, &bytes, values.len());
            decode_anything(codec, &bytes, n);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "zstd is C")]
    fn text_round_trips(text in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3000), level in 1..10) {
        let bytes = text::compress_at(&text, level);
        prop_assert_eq!(text::decompress(&bytes, text.len()).unwrap(), text);
    }
}

#[test]
fn nothing_is_archived_for_now() {
    assert_eq!(EFFORTS.map(Effort::for_now), [Effort::Seal, Effort::Compact, Effort::Compact]);
}

#[test]
fn limits_and_empty_columns() {
    let mut out = Vec::new();
    decode_ints(CodecId::Raw, &[], 0, &mut out).unwrap();
    for codec in CodecId::ALL {
        assert!(!decode_anything(codec, &[0; 8], 0));
        assert!(!decode_anything(codec, &[0, 0], limits::MAX_CHUNK_ROWS + 1));
        assert_eq!(CodecId::from_u8(codec as u8), Some(codec));
    }
    assert_eq!(CodecId::from_u8(9), None);
    decode_ints(CodecId::Stride, &[0, 2], limits::MAX_CHUNK_ROWS, &mut out).unwrap();
    assert_eq!(out.len(), limits::MAX_CHUNK_ROWS);
}

/// Pcodec pages are 2^18 numbers by default; a column must be one page whatever its length.
#[test]
#[cfg_attr(miri, ignore = "a million rows take too long")]
fn longest_column() {
    let values: Vec<f64> = (0..limits::MAX_CHUNK_ROWS as u64).map(|k| (k * k % 1009) as f64 * 0.1).collect();
    let (mut bytes, mut back) = (Vec::new(), Vec::new());
    let codec = encode_floats(&values, Effort::Compact, &mut bytes);
    assert_eq!(codec, CodecId::Pco64);
    decode_floats(codec, &bytes, values.len(), &mut back).unwrap();
    assert_eq!(bits(&back), bits(&values));
}
