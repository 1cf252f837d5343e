//! Zstandard for sections that are not columns: dictionaries, rows, names, params and tags.
//!
//! ```text
//! byte 0        one Zstandard frame (RFC 8878): no dictionary, no checksum (the section has one), and with the
//!               content size in its header; nothing after it
//! ```
//!
//! The length of the text is known from elsewhere too, and a reader trusts neither: before it allocates, that length
//! must be within the limits, be the one the frame declares, and be possible for this many bytes.

use std::cell::Cell;
use zstd::zstd_safe;

use super::{CodecError, limits};

/// The level for data that someone waits for.
pub(crate) const WORKING_LEVEL: i32 = 3;

/// No block of a frame yields more, and none that yields anything is shorter than a header of 3 bytes and 1 of data.
const MAX_BLOCK: usize = 128 << 10;
const MIN_BLOCK_BYTES: usize = 4;

thread_local! {
    /// Making one asks the processor what it can do, which on a virtual machine takes longer than most sections.
    static ZSTD: Cell<Option<zstd::bulk::Decompressor<'static>>> = const { Cell::new(None) };
    /// For short texts: its tables are larger than most of them, and would have to be cleared each time.
    static PACKER: Cell<Option<zstd::bulk::Compressor<'static>>> = const { Cell::new(None) };
}

/// The longest text for which the compressor is kept: what it needs for a longer one is much memory.
const SHORT_TEXT: usize = 64 << 10;

pub(crate) fn compress(text: &[u8]) -> Vec<u8> {
    if text.len() > SHORT_TEXT {
        return compress_at(text, WORKING_LEVEL);
    }
    let kept = PACKER.try_with(Cell::take).ok().flatten();
    let Some(mut zstd) = kept.or_else(|| zstd::bulk::Compressor::new(WORKING_LEVEL).ok()) else {
        return stored(text);
    };
    let compressed = zstd.compress(text).unwrap_or_else(|_| stored(text));
    // A thread that is about to end keeps none.
    let _ = PACKER.try_with(|kept| kept.set(Some(zstd)));
    compressed
}

pub(crate) fn compress_at(text: &[u8], level: i32) -> Vec<u8> {
    // Zstandard fails only for want of memory. A frame that stores the text as it is needs no more than the text.
    zstd::bulk::compress(text, level).unwrap_or_else(|_| stored(text))
}

/// A frame of uncompressed blocks.
fn stored(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    // Descriptor: content size in 8 bytes, single segment (so no window), no checksum, no dictionary.
    frame.push(0b1110_0000);
    frame.extend_from_slice(&(text.len() as u64).to_le_bytes());
    let mut blocks = text.chunks(MAX_BLOCK).peekable();
    if blocks.peek().is_none() {
        frame.extend_from_slice(&[1, 0, 0]);
    }
    while let Some(block) = blocks.next() {
        // 3 bytes: bit 0 set on the last block, bits 1 and 2 the type (0: stored), then the length.
        let header = (block.len() as u32) << 3 | u32::from(blocks.peek().is_none());
        frame.extend(header.to_le_bytes().iter().take(3));
        frame.extend_from_slice(block);
    }
    frame
}

/// The text of a section, exactly `exact_len` bytes long.
pub(crate) fn decompress(bytes: &[u8], exact_len: usize) -> Result<Vec<u8>, CodecError> {
    if exact_len > limits::MAX_SECTION_BYTES {
        return Err(CodecError("section over the limit"));
    }
    if exact_len > (bytes.len() / MIN_BLOCK_BYTES).saturating_mul(MAX_BLOCK) {
        return Err(CodecError("section longer than its bytes can hold"));
    }
    if zstd_safe::find_frame_compressed_size(bytes) != Ok(bytes.len()) {
        return Err(CodecError("section is not one zstd frame"));
    }
    if zstd::decompressed_size(bytes) != Some(exact_len as u64) {
        return Err(CodecError("section declares another length"));
    }
    let mut text = Vec::new();
    text.try_reserve_exact(exact_len).map_err(|_| CodecError("no memory for a section"))?;
    // One call for all of it: the text is its own window, so a window size in the header allocates nothing.
    let kept = ZSTD.try_with(Cell::take).ok().flatten();
    let Some(mut zstd) = kept.or_else(|| zstd::bulk::Decompressor::new().ok()) else {
        return Err(CodecError("no memory for a section"));
    };
    let decompressed = zstd.decompress_to_buffer(bytes, &mut text);
    // A thread that is about to end keeps none.
    let _ = ZSTD.try_with(|kept| kept.set(Some(zstd)));
    match decompressed {
        Ok(len) if len == exact_len && text.len() == exact_len => Ok(text),
        _ => Err(CodecError("section does not decompress")),
    }
}

// Miri runs no C.
#[cfg(all(test, not(miri)))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn sample(len: usize) -> Vec<u8> {
        (0..len).map(|k| b"loss/train, accuracy/val; "[k % 26] ^ (k / 2600) as u8).collect()
    }

    #[test]
    fn round_trip() {
        for len in [0, 1, 2, 100, MAX_BLOCK - 1, MAX_BLOCK, MAX_BLOCK + 1, 400_000] {
            let text = sample(len);
            for level in [1, WORKING_LEVEL, 12] {
                assert_eq!(decompress(&compress_at(&text, level), len).unwrap(), text);
            }
            assert_eq!(decompress(&stored(&text), len).unwrap(), text, "stored, {len}");
        }
    }

    #[test]
    fn highest_ratio_is_within_the_bound() {
        let zeros = vec![0; 32 << 20];
        assert_eq!(decompress(&compress_at(&zeros, 19), zeros.len()).unwrap(), zeros);
    }

    #[test]
    fn other_lengths_are_refused() {
        let bytes = compress(&sample(1000));
        for len in [0, 1, 999, 1001, 1 << 20, limits::MAX_SECTION_BYTES, limits::MAX_SECTION_BYTES + 1, usize::MAX] {
            assert!(decompress(&bytes, len).is_err(), "{len}");
        }
    }

    #[test]
    fn truncated_and_longer_is_refused() {
        let bytes = compress(&sample(1000));
        assert!((0..bytes.len()).all(|cut| decompress(&bytes[..cut], 1000).is_err()));
        assert!(decompress(&[&bytes[..], &[0]].concat(), 1000).is_err());
        assert!(decompress(&[&bytes[..], &bytes[..]].concat(), 2000).is_err());
    }

    /// A header that promises much, with and without blocks that keep the promise.
    #[test]
    fn bombs_are_refused() {
        let promise = |len: u64| [&[0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000][..], &len.to_le_bytes()].concat();
        let gib = 1_u64 << 30;
        assert!(decompress(&[promise(gib), vec![1, 0, 0]].concat(), gib as usize).is_err());
        // One run of 128 KiB for a promise of 256 KiB, and two runs for a promise of 128 KiB.
        let run = |last: u8| [2 | last, 0, 0x10, 7];
        let short = [promise(256 << 10), run(1).to_vec()].concat();
        assert!(decompress(&short, 256 << 10).is_err());
        let long = [promise(128 << 10), run(0).to_vec(), run(1).to_vec()].concat();
        assert!(decompress(&long, 128 << 10).is_err());
        assert!(decompress(&long, 256 << 10).is_err());
        let honest = [promise(256 << 10), run(0).to_vec(), run(1).to_vec()].concat();
        assert_eq!(decompress(&honest, 256 << 10).unwrap(), vec![7; 256 << 10]);
    }
}
