//! TFRecord, the frame of TensorBoard's event files:
//!
//! ```text
//! u64 length, u32 masked crc32c of these 8 bytes, length bytes, u32 masked crc32c of these      (little-endian)
//! masked(crc) = rotate_right(crc, 15) + 0xa282ead8
//! ```
//!
//! A file that ends inside a record is being written, or its writer was killed: its whole records are all there is.

use std::io::{self, Read};

/// Longest record that is read. An event with a picture or a graph has some megabytes; more than this is no length.
const MAX_RECORD_BYTES: u64 = 1 << 30;

/// Bytes before the content of a record.
const HEAD_BYTES: usize = 12;

/// Why there is no further record.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The file ends between two records, or inside one.
    End,
    /// The bytes of the next record are not what was written.
    Damaged(&'static str),
    Io(io::Error),
}

/// The records of a file, one after the other.
#[derive(Debug)]
pub(crate) struct Records<R> {
    input: R,
    /// Where the next record begins.
    next: u64,
    content: Vec<u8>,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, next: 0, content: Vec::new() }
    }

    /// Where the next record begins, in bytes; after an error, the one that could not be read.
    pub(crate) fn next_offset(&self) -> u64 {
        self.next
    }

    /// The content of the next record. No more is allocated than the file has bytes.
    pub(crate) fn read(&mut self) -> Result<&[u8], Stop> {
        self.read_exactly(HEAD_BYTES as u64)?;
        let (length, head_crc) = self.content.split_at_checked(8).ok_or(Stop::End)?;
        if !matches(length, head_crc) {
            return Err(Stop::Damaged("the checksum of its length does not fit"));
        }
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        if length > MAX_RECORD_BYTES {
            return Err(Stop::Damaged("it would be longer than any event"));
        }
        self.read_exactly(length + 4)?;
        let at = self.content.len().saturating_sub(4);
        let (content, crc) = self.content.split_at_checked(at).ok_or(Stop::End)?;
        if !matches(content, crc) {
            return Err(Stop::Damaged("its checksum does not fit"));
        }
        self.next += HEAD_BYTES as u64 + length + 4;
        Ok(content)
    }

    fn read_exactly(&mut self, length: u64) -> Result<(), Stop> {
        self.content.clear();
        let read = (&mut self.input).take(length).read_to_end(&mut self.content).map_err(Stop::Io)?;
        if read as u64 == length { Ok(()) } else { Err(Stop::End) }
    }
}

fn matches(content: &[u8], stored: &[u8]) -> bool {
    stored.try_into().is_ok_and(|stored| u32::from_le_bytes(stored) == masked_crc(content))
}

/// The checksum of a piece as it is stored.
pub(crate) fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), by the byte; the polynomial has its bits reversed.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| {
        // The index is a byte.
        let entry = TABLE.get(usize::from(crc as u8 ^ byte)).copied().unwrap_or_default();
        (crc >> 8) ^ entry
    };
    !bytes.iter().fold(!0, step)
}

#[allow(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// A record with this content.
#[cfg(test)]
pub(crate) fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let (head, tail) = (masked_crc(&length).to_le_bytes(), masked_crc(content).to_le_bytes());
    [length.as_slice(), &head, content, &tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> (Vec<Vec<u8>>, Stop, u64) {
        let (mut records, mut found) = (Records::new(bytes), Vec::new());
        loop {
            match records.read() {
                Ok(content) => found.push(content.to_vec()),
                Err(stop) => return (found, stop, records.next_offset()),
            }
        }
    }

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
    }

    #[test]
    fn a_cut_file_ends_and_a_changed_bit_is_damage() {
        let whole = [record(b"first"), record(b""), record(b"third")].concat();
        let (found, stop, at) = all(&whole);
        assert_eq!((found.len(), at), (3, whole.len() as u64));
        assert!(matches!(stop, Stop::End));
        for cut in 0..whole.len() {
            let (found, stop, _) = all(&whole[..cut]);
            assert!(matches!(stop, Stop::End), "{cut}");
            assert_eq!(found.len(), [21, 37].iter().filter(|end| cut >= **end).count(), "{cut}");
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[cut] ^= 1 << bit;
                let (found, stop, at) = all(&changed);
                assert!(matches!(stop, Stop::Damaged(_)), "{cut}");
                assert_eq!(
                    (found.len(), at),
                    if cut < 21 {
                        (0, 0)
                    } else if cut < 37 {
                        (1, 21)
                    } else {
                        (2, 37)
                    }
                );
            }
        }
    }

    #[test]
    fn a_length_alone_allocates_nothing() {
        for length in [MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1, u64::MAX] {
            let head = length.to_le_bytes();
            let bytes = [head.as_slice(), &masked_crc(&head).to_le_bytes(), b"few"].concat();
            let mut records = Records::new(bytes.as_slice());
            assert!(records.read().is_err());
            assert!(records.content.capacity() < 1 << 12);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            all(&bytes);
        }

        #[test]
        fn what_was_framed_is_read(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..6)) {
            let bytes: Vec<u8> = contents.iter().flat_map(|content| record(content)).collect();
            prop_assert_eq!(all(&bytes).0, contents);
        }
    }
}
