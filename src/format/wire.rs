//! Reading and writing integers and text at a cursor: the one place where untrusted lengths become slices.
//!
//! All integers are little-endian. `varint` is LEB128 (7 bits a byte, lowest first) of at most 10 bytes and in its
//! shortest form; `zigzag` maps signed to unsigned so that small magnitudes stay short.

use std::fmt;

/// Bytes that do not follow the format: what was being read, where, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecodeError {
    pub(crate) what: &'static str,
    /// Offset in the bytes handed to the decoder.
    pub(crate) offset: usize,
    pub(crate) problem: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.problem)
    }
}

pub(crate) type Decoded<T> = Result<T, DecodeError>;

/// A cursor over bytes that never reads past their end.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    pub(crate) fn error(&self, what: &'static str, problem: &'static str) -> DecodeError {
        DecodeError { what, offset: self.at, problem }
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Decoded<&'a [u8]> {
        let end = self.at.checked_add(len);
        let piece = end.and_then(|end| self.bytes.get(self.at..end));
        match (piece, end) {
            (Some(piece), Some(end)) => {
                self.at = end;
                Ok(piece)
            }
            _ => Err(self.error(what, "the bytes end before it does")),
        }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Decoded<[u8; N]> {
        let piece = self.take(N, what)?;
        piece.try_into().map_err(|_| self.error(what, "the bytes end before it does"))
    }

    #[inline]
    pub(crate) fn u8(&mut self, what: &'static str) -> Decoded<u8> {
        match self.bytes.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Err(self.error(what, "the bytes end before it does")),
        }
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Decoded<u16> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Decoded<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Decoded<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn f64(&mut self, what: &'static str) -> Decoded<f64> {
        Ok(f64::from_le_bytes(self.array(what)?))
    }

    #[inline]
    pub(crate) fn varint(&mut self, what: &'static str) -> Decoded<u64> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(what),
        }
    }

    fn long_varint(&mut self, what: &'static str) -> Decoded<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8(what)?;
            if shift == 63 && byte > 1 {
                return Err(self.error(what, "the varint does not fit 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.error(what, "the varint is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(self.error(what, "the varint does not fit 64 bits"))
    }

    pub(crate) fn zigzag(&mut self, what: &'static str) -> Decoded<i64> {
        Ok(unzigzag(self.varint(what)?))
    }

    /// A varint that counts things of which each takes at least `min_bytes` of what follows: so a count cannot
    /// promise more than the bytes can hold.
    pub(crate) fn count(&mut self, limit: usize, min_bytes: usize, what: &'static str) -> Decoded<usize> {
        let value = self.varint(what)?;
        let count = usize::try_from(value).map_err(|_| self.error(what, "the count is beyond its limit"))?;
        if count > limit {
            return Err(self.error(what, "the count is beyond its limit"));
        }
        if count.saturating_mul(min_bytes) > self.remaining() {
            return Err(self.error(what, "the count is larger than the bytes that follow"));
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self, limit: usize, what: &'static str) -> Decoded<&'a [u8]> {
        let len = self.count(limit, 1, what)?;
        self.take(len, what)
    }

    pub(crate) fn text(&mut self, limit: usize, what: &'static str) -> Decoded<&'a str> {
        let bytes = self.bytes(limit, what)?;
        std::str::from_utf8(bytes).map_err(|_| self.error(what, "the text is not UTF-8"))
    }

    /// Fails unless everything was read.
    pub(crate) fn finish(self, what: &'static str) -> Decoded<()> {
        if self.is_empty() { Ok(()) } else { Err(self.error(what, "there are bytes after its end")) }
    }
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed varint.
pub(crate) fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Appends a length and the text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The checksum of the format: CRC-32 (IEEE 802.3, as in zlib), begun from `seed`.
pub(crate) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    super::crc::crc(seed, bytes)
}

/// The seed for a piece of the file with this identity at this offset: a block of another file or place does not pass.
pub(crate) fn crc_seed(file_id: &[u8; 16], offset: u64) -> u32 {
    let mut bytes = [0u8; 24];
    let (id, at) = bytes.split_at_mut(16);
    id.copy_from_slice(file_id);
    at.copy_from_slice(&offset.to_le_bytes());
    crc(0, &bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_and_text_come_back(value: u64, signed: i64, text: String) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_zigzag(&mut out, signed);
            put_text(&mut out, &text);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint("v").unwrap(), value);
            prop_assert_eq!(reader.zigzag("z").unwrap(), signed);
            prop_assert_eq!(reader.text(1 << 20, "t").unwrap(), text);
            prop_assert!(reader.finish("end").is_ok());
        }

        #[test]
        fn cut_bytes_are_an_error_at_their_end(value: u64, cut in 0usize..10) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assume!(cut < out.len());
            let error = Reader::new(&out[..cut]).varint("v").unwrap_err();
            prop_assert_eq!(error.offset, cut);
        }
    }

    #[test]
    fn varints_of_every_length_come_back() {
        let edges = (0..64).map(|bits| 1u64 << bits).flat_map(|edge| [edge - 1, edge, edge + 1]);
        for value in edges.chain([u64::MAX - 1, u64::MAX]) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), (64 - (value | 1).leading_zeros() as usize).div_ceil(7));
            assert_eq!(Reader::new(&out).varint("v"), Ok(value));
        }
    }

    #[test]
    fn what_is_left_over_and_what_is_wrong_is_said() {
        let reader = Reader::new(&[1]);
        let error = reader.clone().finish("header").unwrap_err();
        assert_eq!(error.to_string(), "header: there are bytes after its end");
        assert_eq!(Reader::new(&[]).finish("header"), Ok(()));
    }

    #[test]
    fn a_varint_has_one_form_only() {
        assert!(Reader::new(&[0x80, 0x00]).varint("v").is_err());
        assert!(Reader::new(&[0xff; 10]).varint("v").is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varint("v").is_err());
    }

    #[test]
    fn a_count_cannot_promise_more_than_follows() {
        let mut out = Vec::new();
        put_varint(&mut out, 1 << 40);
        assert!(Reader::new(&out).count(usize::MAX, 1, "c").is_err());
        assert!(Reader::new(&[3, 0, 0]).count(10, 1, "c").is_err());
        assert_eq!(Reader::new(&[2, 0, 0]).count(10, 1, "c").unwrap(), 2);
    }

    #[test]
    fn the_checksum_is_the_common_crc_32() {
        assert_eq!(crc(0, b"123456789"), 0xcbf4_3926);
        assert_ne!(crc_seed(&[0; 16], 0), crc_seed(&[0; 16], 8));
    }
}
