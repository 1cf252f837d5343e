//! Pcodec: numbers split into bins of similar value, bins entropy-coded, offsets packed.
//!
//! ```text
//! byte 0        major version of the Pcodec format: 4
//! byte 1        minor version
//! byte 2 on     metadata of one chunk, then one page of n numbers, as the "wrapped" form of Pcodec lays them out
//! ```
//!
//! The numbers are i64 or f64 (`pco`) or f32 (`pco-f32`). The layout is Pcodec's own (format.md of the pcodec
//! project); this file only pins what we let in: of the modes those below 4, and of the delta encodings all but
//! convolutions, which are the ones the automatic choice of the library makes. Chosen when what it saves pays for its
//! decoding (`choose`): the other forms decode several times faster.
//!
//! A column with a NaN other than the standard one is written in the classic mode, which treats floats as bits. The
//! float modes multiply, and what a multiplication does to a NaN is not the same on every processor.
//!
//! What hostile bytes can do to pco 1.1.0, from its source: lengths, weights of bins, offset widths, states, dictionary
//! indices and lookbacks are checked, reads past the end see zeros and then fail, and arithmetic on decoded numbers
//! wraps. Two fields ask for memory that the input has not paid for, up to 256 MiB each: the length of a dictionary,
//! allocated while the metadata is read, and the window of a lookback, allocated for the page. Both are refused here
//! before. What remains is below 4 MiB whatever the bytes.

use ::pco::data_types::Number;
use ::pco::metadata::{DeltaEncoding, DynLatent, FormatVersion, Mode};
use ::pco::wrapped::{ChunkCompressor, FileCompressor, FileDecompressor, PageDecompressor};
use ::pco::{ChunkConfig, DeltaSpec, ModeSpec, PagingSpec};

use super::CodecError;

/// Below this many rows the metadata eats what the entropy coder saves.
pub(super) const MIN_ROWS: usize = 24;

const MAJOR_VERSION: u8 = 4;

/// The mode is the low half of the first byte of the metadata; this one is the dictionary, the modes below are not.
const DICTIONARY_MODE: u8 = 4;

/// Rows that mode and delta encoding are tried on.
const SAMPLE_ROWS: usize = 400;

/// The level of a trial: with 2^4 bins their choice costs next to nothing.
const TRIAL_LEVEL: usize = 4;

/// The largest order of deltas.
const MAX_ORDER: usize = 7;

/// The largest window that the library writes.
const MAX_LOOKBACK_LOG: u32 = 15;

/// What pco calls a number, and how it is compared: bit by bit.
pub(super) trait Lane: Number {
    type Bits: PartialEq;

    fn bits(self) -> Self::Bits;

    /// Whether arithmetic may change the bits of this value.
    fn is_fragile(self) -> bool;

    /// The base of the mode of multiples, of which the metadata has the bits in the order of their values.
    fn base(ordinal: &DynLatent) -> Option<f64>;
}

impl Lane for i64 {
    type Bits = i64;

    fn bits(self) -> i64 {
        self
    }

    fn is_fragile(self) -> bool {
        false
    }

    fn base(_: &DynLatent) -> Option<f64> {
        None
    }
}

impl Lane for f32 {
    type Bits = u32;

    fn bits(self) -> u32 {
        self.to_bits()
    }

    fn is_fragile(self) -> bool {
        self.is_nan() && self.to_bits() != 0x7fc0_0000
    }

    fn base(ordinal: &DynLatent) -> Option<f64> {
        let DynLatent::U32(ordinal) = ordinal else { return None };
        let bits = if ordinal >> 31 == 1 { ordinal ^ 1 << 31 } else { !ordinal };
        Some(f64::from(f32::from_bits(bits)))
    }
}

impl Lane for f64 {
    type Bits = u64;

    fn bits(self) -> u64 {
        self.to_bits()
    }

    fn is_fragile(self) -> bool {
        self.is_nan() && self.to_bits() != 0x7ff8_0000_0000_0000
    }

    fn base(ordinal: &DynLatent) -> Option<f64> {
        let DynLatent::U64(ordinal) = ordinal else { return None };
        let bits = if ordinal >> 63 == 1 { ordinal ^ 1 << 63 } else { !ordinal };
        Some(f64::from_bits(bits))
    }
}

/// Mode and delta encoding of a column, and about how many bytes it would take with them.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    mode: ModeSpec,
    delta: DeltaSpec,
    pub(super) len: usize,
}

impl Plan {
    /// Tries deltas of one order after the other on a part of the column, as long as they make it shorter.
    ///
    /// What the library does when it is left to choose costs three times as much as the rest of its work: it tries
    /// lookbacks too, which are hardly ever chosen for curves, and each trial at the level of the column, the cost of
    /// which grows with the square of the number of bins.
    pub(super) fn of<T: Lane>(values: &[T]) -> Option<Self> {
        let start = values.len().saturating_sub(SAMPLE_ROWS) / 2;
        let sample = values.get(start..)?;
        let sample = sample.get(..SAMPLE_ROWS).unwrap_or(sample);
        let (first, mode) = trial(values.len(), sample, mode_of(sample, ModeSpec::Auto), DeltaSpec::NoOp)?;
        let mut best = Self { mode: spec_of::<T>(&mode), delta: DeltaSpec::NoOp, len: first };
        for order in 1..=MAX_ORDER {
            let delta = DeltaSpec::TryConsecutive(order);
            let (len, _) = trial(values.len(), sample, best.mode.clone(), delta.clone())?;
            if len >= best.len {
                break;
            }
            (best.delta, best.len) = (delta, len);
        }
        Some(best)
    }

    /// Leaves the choice to the library, which takes long.
    pub(super) fn automatic() -> Self {
        Self { mode: ModeSpec::Auto, delta: DeltaSpec::Auto, len: 0 }
    }
}

/// How long a column of `rows` would be if all of it were as the sample is, and the mode that was chosen.
fn trial<T: Lane>(rows: usize, sample: &[T], mode: ModeSpec, delta: DeltaSpec) -> Option<(usize, Mode)> {
    let chunk = compressor(sample, TRIAL_LEVEL, mode, delta).ok()?;
    let meta_len = chunk.write_meta(Vec::new()).ok()?.len();
    // The hint is a fifth above the estimate.
    let page_len = chunk.page_size_hint(0) * 5 / 6;
    Some((2 + meta_len + page_len * rows / sample.len().max(1), chunk.meta().mode.clone()))
}

/// What makes the library take this mode again.
fn spec_of<T: Lane>(mode: &Mode) -> ModeSpec {
    match mode {
        Mode::FloatMult(base) => T::base(base).map_or(ModeSpec::Classic, ModeSpec::TryFloatMult),
        Mode::FloatQuant(bits) => ModeSpec::TryFloatQuant(*bits),
        Mode::IntMult(DynLatent::U64(base)) => ModeSpec::TryIntMult(*base),
        _ => ModeSpec::Classic,
    }
}

fn mode_of<T: Lane>(values: &[T], mode: ModeSpec) -> ModeSpec {
    if values.iter().any(|value| value.is_fragile()) { ModeSpec::Classic } else { mode }
}

/// The column, or `None` if pco did not produce bytes that give the same values back.
///
/// Compaction drops what it read, so these bytes will be the only copy; reading them back costs a tenth of writing.
pub(super) fn encode<T: Lane>(values: &[T], level: usize, plan: &Plan) -> Option<Vec<u8>> {
    let bytes = compress(values, level, plan).ok()?;
    let mut back = vec![T::default(); values.len()];
    decode(&bytes, &mut back).ok()?;
    let same = back.iter().zip(values).all(|(back, value)| back.bits() == value.bits());
    same.then_some(bytes)
}

fn compress<T: Lane>(values: &[T], level: usize, plan: &Plan) -> ::pco::errors::PcoResult<Vec<u8>> {
    let mode = mode_of(values, plan.mode.clone());
    let mut chunk = compressor(values, level, mode, plan.delta.clone())?;
    let bytes = FileCompressor::default().write_header(Vec::new())?;
    let bytes = chunk.write_meta(bytes)?;
    chunk.write_page(0, bytes)
}

fn compressor<T: Lane>(
    values: &[T],
    level: usize,
    mode: ModeSpec,
    delta: DeltaSpec,
) -> ::pco::errors::PcoResult<ChunkCompressor> {
    let config = ChunkConfig::default()
        .with_compression_level(level)
        .with_mode_spec(mode)
        .with_delta_spec(delta)
        .with_paging_spec(PagingSpec::Exact(vec![values.len()]));
    FileCompressor::default().chunk_compressor(values, &config)
}

/// Rows decoded at once when they are not wanted as they are stored; a multiple of what the library does at once.
const AT_ONCE: usize = 512;

/// Fills `out` with numbers, or some of it and gives an error.
pub(super) fn decode<T: Lane>(bytes: &[u8], out: &mut [T]) -> Result<(), CodecError> {
    let n = out.len();
    decode_parts(bytes, n, |page| page.read(out).map(|progress| (progress.n_processed == n, progress.finished)))
}

/// The same for a reader who wants another type; `convert` gets parts of the column that are still in the cache.
pub(super) fn decode_as<T: Lane, U>(
    bytes: &[u8],
    out: &mut [U],
    convert: impl Fn(&[T], &mut [U]),
) -> Result<(), CodecError> {
    decode_parts(bytes, out.len(), |page| {
        let (mut room, mut complete, mut finished) = ([T::default(); AT_ONCE], true, false);
        for slots in out.chunks_mut(AT_ONCE) {
            let numbers = room.get_mut(..slots.len()).unwrap_or_default();
            let progress = page.read(numbers)?;
            complete &= progress.n_processed == slots.len();
            finished = progress.finished;
            convert(numbers, slots);
        }
        Ok((complete, finished))
    })
}

/// `read` takes the `n` numbers of the page; it says whether it got them all, and whether the page has no more.
fn decode_parts<T: Lane>(
    bytes: &[u8],
    n: usize,
    read: impl FnOnce(&mut PageDecompressor<'_, T, &[u8]>) -> ::pco::errors::PcoResult<(bool, bool)>,
) -> Result<(), CodecError> {
    if bytes.first() != Some(&MAJOR_VERSION) {
        return Err(CodecError("not the major version of pco that we read"));
    }
    let (file, metadata) = FileDecompressor::new(bytes).map_err(|_| CodecError("bad header of a pco column"))?;
    if *file.format_version() > FormatVersion::max_supported() {
        return Err(CodecError("written by a newer pco"));
    }
    if metadata.first().is_none_or(|byte| byte & 0x0f >= DICTIONARY_MODE) {
        return Err(CodecError("mode of pco that we do not write"));
    }
    let chunk = file.chunk_decompressor::<T, _>(metadata);
    let (mut chunk, page) = chunk.map_err(|_| CodecError("bad metadata of a pco column"))?;
    match &chunk.meta().delta_encoding {
        DeltaEncoding::NoOp | DeltaEncoding::Consecutive { .. } => {}
        DeltaEncoding::Lookback { config, .. } if config.window_n_log <= MAX_LOOKBACK_LOG => {}
        _ => return Err(CodecError("delta encoding of pco that we do not write")),
    }
    let page = chunk.page_decompressor(page, n);
    let mut page = page.map_err(|_| CodecError("bad start of the page of a pco column"))?;
    if read(&mut page).map_err(|_| CodecError("bad page of a pco column"))? != (true, true) {
        return Err(CodecError("pco column ends early"));
    }
    if !page.into_src().is_empty() {
        return Err(CodecError("bytes after a pco column"));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn header_is_pinned() {
        // A pco that writes another header writes columns that older readers refuse: a reason to look closely.
        let bytes = encode(&[5_i64; 30], 8, &Plan::automatic()).unwrap();
        assert_eq!(bytes[..2], [4, 1]);
    }

    #[test]
    fn other_versions_and_modes_are_refused() {
        let good = encode(&(0..300).map(|k| k * k).collect::<Vec<i64>>(), 8, &Plan::automatic()).unwrap();
        let refused = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            decode(&bytes, &mut [0_i64; 300]).is_err()
        };
        assert!(!refused(0, 4) && !refused(1, 1));
        assert!((0..4).all(|major| refused(0, major)) && refused(0, 5) && refused(1, 2));
        assert!(refused(2, good[2] & 0xf0 | DICTIONARY_MODE));
    }

    #[test]
    fn any_nan_is_kept_beside_multiples() {
        let mut values: Vec<f64> = (0..2000).map(|k| f64::from(k % 97) * 0.1).collect();
        values[77] = f64::from_bits(0xfff0_0000_0000_0001);
        values[78] = f64::from_bits(0x7fff_ffff_ffff_ffff);
        assert!(encode(&values, 8, &Plan::automatic()).is_some());
    }

    /// Lookback with the largest window and a dictionary of 2^25 entries, a few bytes each.
    #[test]
    fn unpaid_memory_is_refused() {
        let lookback = [4, 1, 2 << 4, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let lookback_24 = [4, 1, 2 << 4, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let dictionary = [4, 1, 0xf4, 0xff, 0xff, 0x1f, 0, 0];
        for bad in [&lookback[..], &lookback_24[..], &dictionary[..]] {
            assert!(decode(bad, &mut [0_i64; 1000]).is_err());
        }
    }

    #[test]
    fn more_or_fewer_rows_than_written() {
        let good = encode(&(0..1000).map(|k| k * k % 1009).collect::<Vec<i64>>(), 8, &Plan::automatic()).unwrap();
        for n in [1, 256, 500, 1512] {
            assert!(decode(&good, &mut vec![0_i64; n]).is_err(), "{n}");
        }
    }

    fn len_of<T: Lane>(values: &[T], plan: &Plan) -> usize {
        encode(values, 8, plan).unwrap().len()
    }

    /// What a trial on a part finds is about as short as what the library chooses, and the estimate is near.
    fn check_plan<T: Lane>(values: &[T]) {
        let plan = Plan::of(values).unwrap();
        let (len, automatic) = (len_of(values, &plan), len_of(values, &Plan::automatic()));
        assert!(len <= automatic * 102 / 100 + 4, "{plan:?} {len} {automatic}");
        assert!(plan.len.abs_diff(len) <= len / 4 + 200, "{plan:?} {len}");
    }

    #[test]
    fn plans_find_modes_and_deltas() {
        let noise = |k: u64| (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32 % 64) >> 50;
        check_plan(&(0..4000).map(|k| (noise(k) % 1000) as f64 * 0.1).collect::<Vec<_>>());
        check_plan(&(0..4000).map(|k| (noise(k) % 1000) as f32 * -0.1).collect::<Vec<_>>());
        check_plan(&(0..4000).map(|k| f64::from(noise(k) as f32)).collect::<Vec<_>>());
        check_plan(&(0..4000).map(|k| (noise(k) % 77 * 1000) as i64 + 3).collect::<Vec<_>>());
        check_plan(&(0..4000).map(|k| (k * k * k + noise(k) % 4) as i64).collect::<Vec<_>>());
        check_plan(&(0..50).map(|k| (noise(k) % 9) as i64).collect::<Vec<_>>());
        let cubes = Plan::of(&(0..4000).map(|k| k * k * k).collect::<Vec<i64>>()).unwrap();
        assert!(matches!(cubes.delta, DeltaSpec::TryConsecutive(3)), "{cubes:?}");
        let tenths = Plan::of(&(0..4000).map(|k| (noise(k) % 1000) as f64 * 0.1).collect::<Vec<_>>()).unwrap();
        assert!(matches!(tenths.mode, ModeSpec::TryFloatMult(_)), "{tenths:?}");
    }

    #[test]
    fn any_nan_outside_of_the_sample_is_kept() {
        let mut values: Vec<f64> = (0..2000).map(|k| f64::from(k % 97) * 0.1).collect();
        values[3] = f64::from_bits(0xfff0_0000_0000_0001);
        let plan = Plan::of(&values).unwrap();
        assert!(matches!(plan.mode, ModeSpec::TryFloatMult(_)), "{plan:?}");
        assert!(encode(&values, 8, &plan).is_some());
    }
}
