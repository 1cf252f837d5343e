//! The records about many runs, packed: read when a run's entry is wanted whole, which searches never do.
//!
//! ```text
//! block count u32, each: raw length u32, length u32; then the blocks, each a Zstandard frame of 128 rows, the last of fewer:
//! for each a length varint and the records (record.rs)
//! ```

use super::DecodeError;
use super::wire::{Decoded, Reader, put_varint};
use crate::codec::text;
use crate::limits::MAX_SECTION_BYTES;

/// Rows in a block: one is unpacked in some ten microseconds.
pub(crate) const BLOCK_ROWS: usize = 128;

/// A block as stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a> {
    raw_len: usize,
    bytes: &'a [u8],
}

impl Packed<'_> {
    pub(crate) fn unpack(&self) -> Decoded<Vec<u8>> {
        let problem = |problem| DecodeError { what: "records about runs", offset: 0, problem };
        text::decompress(self.bytes, self.raw_len).map_err(|error| problem(error.0))
    }
}

pub(crate) fn put_blocks<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for (row, records) in records.enumerate() {
        if row.is_multiple_of(BLOCK_ROWS) {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut() {
            put_varint(block, records.len() as u64);
            block.extend_from_slice(records);
        }
    }
    let packed: Vec<Vec<u8>> = blocks.iter().map(|block| text::compress(block)).collect();
    let mut out = (blocks.len() as u32).to_le_bytes().to_vec();
    for (block, packed) in blocks.iter().zip(&packed) {
        out.extend_from_slice(&(block.len() as u32).to_le_bytes());
        out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    }
    packed.iter().for_each(|packed| out.extend_from_slice(packed));
    out
}

pub(crate) fn take_blocks<'a>(reader: &mut Reader<'a>, rows: usize) -> Decoded<Vec<Packed<'a>>> {
    const WHAT: &str = "records about runs";
    let count = reader.u32(WHAT)? as usize;
    if count != rows.div_ceil(BLOCK_ROWS) {
        return Err(reader.error(WHAT, "they are in more or fewer blocks than the rows are"));
    }
    let (mut lens, mut sum) = (Vec::with_capacity(count), 0usize);
    for _ in 0..count {
        let (raw_len, len) = (reader.u32(WHAT)? as usize, reader.u32(WHAT)? as usize);
        sum = sum.saturating_add(raw_len);
        if sum > MAX_SECTION_BYTES {
            return Err(reader.error(WHAT, "their length is beyond its limit"));
        }
        lens.push((raw_len, len));
    }
    lens.into_iter().map(|(raw_len, len)| Ok(Packed { raw_len, bytes: reader.take(len, WHAT)? })).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two blocks that say to unpack to these lengths.
    fn blocks_of(lens: [u32; 2]) -> bool {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        lens.iter().for_each(|len| bytes.extend([len.to_le_bytes(), 0u32.to_le_bytes()].concat()));
        take_blocks(&mut Reader::new(&bytes), 2 * BLOCK_ROWS).is_ok()
    }

    #[test]
    fn what_would_unpack_to_too_much_is_refused() {
        let most = MAX_SECTION_BYTES as u32;
        assert!(blocks_of([0, 0]) && blocks_of([most, 0]) && blocks_of([most - 1, 1]));
        assert!(!blocks_of([most, 1]) && !blocks_of([0, u32::MAX]) && !blocks_of([u32::MAX, u32::MAX]));
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "zstd is C")]
        fn records_come_back(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..300), cut in any::<prop::sample::Index>()) {
            let bytes = put_blocks(records.iter().map(Vec::as_slice));
            let mut reader = Reader::new(&bytes);
            let blocks = take_blocks(&mut reader, records.len()).unwrap();
            reader.finish("records").unwrap();
            let mut found = Vec::new();
            for block in blocks {
                let block = block.unpack().unwrap();
                let mut reader = Reader::new(&block);
                while !reader.is_empty() {
                    found.push(reader.bytes(20, "records").unwrap().to_vec());
                }
            }
            prop_assert_eq!(found, records.clone());
            let cut = cut.index(bytes.len());
            prop_assert!(take_blocks(&mut Reader::new(bytes.get(..cut).unwrap()), records.len()).is_err());
        }

        #[test]
        #[cfg_attr(miri, ignore = "zstd is C")]
        fn any_bytes_give_records_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100), rows in 0usize..300) {
            let blocks = take_blocks(&mut Reader::new(&bytes), rows).unwrap_or_default();
            blocks.iter().for_each(|block| _ = block.unpack());
        }
    }
}
