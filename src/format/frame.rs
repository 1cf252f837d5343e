//! The frame: the unit of a log that is checked as a whole.
//!
//! ```text
//! frame, at a multiple of 8:  length u32 | crc u32 | payload | zeros to a multiple of 8
//! ```
//!
//! The checksum is seeded with file id and offset of the frame and covers the payload, then the length word. While
//! a frame is *open* its first 8 bytes are zero: the log's published word holds its end and the checksum of its
//! payload so far. So one point costs no header, and yet every published byte is covered by a checksum. Closing a
//! frame (when it is full, and before every sync) writes its header, which makes it independent of the word.
//!
//! A frame whose length has [`PAD`] set carries nothing: it fills the end of an extent. Its checksum covers the
//! length word only.

use super::wire::{self, Reader};
use crate::limits::MAX_FRAME_BYTES;
use crate::types::FileId;

/// Length of a frame's header, and the alignment of frames.
pub(crate) const FRAME_HEADER: usize = 8;
/// Flag in the length word: the frame only fills space.
const PAD: u32 = 1 << 31;

/// The word by which a log says how far it goes: end of the published bytes (low half), checksum of the open frame's
/// payload up to there (high half; the bare seed when the frame has none yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) end: u32,
    pub(crate) crc: u32,
}

impl Published {
    pub(crate) const fn to_word(self) -> u64 {
        (self.crc as u64) << 32 | self.end as u64
    }

    pub(crate) const fn from_word(word: u64) -> Self {
        Self { end: word as u32, crc: (word >> 32) as u32 }
    }

    /// The word of a log whose next frame begins at `at` and has nothing in it.
    pub(crate) fn empty_frame(file_id: FileId, at: u32) -> Self {
        Self { end: at, crc: seed(file_id, at) }
    }
}

/// Where the running checksum of the frame at `at` begins.
pub(crate) fn seed(file_id: FileId, at: u32) -> u32 {
    wire::crc_seed(&file_id.0, u64::from(at))
}

/// The header of a frame that is closed: `running` is the checksum of its payload.
pub(crate) fn close_word(running: u32, payload_len: u32) -> u64 {
    u64::from(wire::crc(running, &payload_len.to_le_bytes())) << 32 | u64::from(payload_len)
}

/// The header of a frame at `at` that fills `payload_len` bytes with nothing.
pub(crate) fn pad_word(file_id: FileId, at: u32, payload_len: u32) -> u64 {
    close_word(seed(file_id, at), payload_len | PAD)
}

/// Rounds up to where the next frame can begin.
pub(crate) const fn align(at: u64) -> u64 {
    at.div_ceil(FRAME_HEADER as u64) * FRAME_HEADER as u64
}

/// What stands at a place where a frame can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A closed frame that passed its checksum, and where the next one begins.
    Frame { payload: &'a [u8], next: u64 },
    /// Space without content; the next frame begins at `next`.
    Pad { next: u64 },
    /// The open frame that the published word vouches for; nothing is published after it.
    Open { payload: &'a [u8] },
    /// Nothing more, and the published word agrees.
    End,
    /// Nothing more, but the published word is that of an earlier frame: normal while the log is being written and
    /// after a kill between closing a frame and publishing its end, a sign of damage or power loss otherwise.
    Behind,
    /// Bytes that are no frame, or an end that the published word contradicts.
    Bad(&'static str),
}

/// How many bytes from file offset `at` on [`next`] looks at, as far as the first of them, `bytes`, tell.
pub(crate) fn reach(bytes: &[u8], at: u64, published: Published) -> usize {
    let mut reader = Reader::new(bytes);
    let len = match (reader.u32("frame length"), reader.u32("frame checksum")) {
        (Ok(0), Ok(0)) => return u64::from(published.end).saturating_sub(at) as usize,
        (Ok(length), Ok(_)) if length & PAD == 0 => length as usize,
        _ => 0,
    };
    // Of a frame that is too long nothing more than that is said.
    FRAME_HEADER + if len > MAX_FRAME_BYTES { 0 } else { len }
}

/// Looks at the frame that begins at file offset `at`. `rest` are the file's content from there on, at least as many as
/// [`reach`] says unless the file ends before.
pub(crate) fn next(rest: &[u8], at: u64, published: Published, file_id: FileId) -> Next<'_> {
    let end = u64::from(published.end);
    let mut reader = Reader::new(rest);
    let (Ok(length), Ok(stored)) = (reader.u32("frame length"), reader.u32("frame checksum")) else {
        return if end == at && published == Published::empty_frame(file_id, at as u32) {
            Next::End
        } else if end <= at {
            Next::Behind
        } else {
            Next::Bad("the file ends inside a frame")
        };
    };
    if length == 0 && stored == 0 {
        return open_frame(rest, at, published, file_id);
    }
    let len = (length & !PAD) as usize;
    let next = align(at + (FRAME_HEADER + len) as u64);
    if length & PAD != 0 {
        return if wire::crc(seed(file_id, at as u32), &length.to_le_bytes()) == stored {
            Next::Pad { next }
        } else {
            Next::Bad("the checksum of a pad frame does not match")
        };
    }
    if len > MAX_FRAME_BYTES {
        return Next::Bad("the length of a frame is beyond its limit");
    }
    let Ok(payload) = reader.take(len, "frame") else { return Next::Bad("the file ends inside a frame") };
    let running = wire::crc(seed(file_id, at as u32), payload);
    if wire::crc(running, &length.to_le_bytes()) == stored {
        Next::Frame { payload, next }
    } else {
        Next::Bad("the checksum of a frame does not match")
    }
}

fn open_frame(rest: &[u8], at: u64, published: Published, file_id: FileId) -> Next<'_> {
    let end = u64::from(published.end);
    if end < at {
        return Next::Behind;
    }
    if end == at {
        let agrees = published == Published::empty_frame(file_id, at as u32);
        // A payload may end where the next frame begins: then this is the word of the frame that was just closed.
        return if agrees { Next::End } else { Next::Behind };
    }
    let len = (end - at) as usize;
    let payload = rest.get(FRAME_HEADER..len).filter(|payload| !payload.is_empty());
    let Some(payload) = payload else { return Next::Bad("the published length is beyond the end of the file") };
    if wire::crc(seed(file_id, at as u32), payload) == published.crc {
        Next::Open { payload }
    } else {
        Next::Bad("the checksum of the open frame does not match")
    }
}

/// Whether the published word vouches for a part of the closed frame at `at` with this payload: what a kill between
/// closing a frame and publishing its end leaves behind.
pub(crate) fn word_lies_in(published: Published, at: u64, payload: &[u8], file_id: FileId) -> bool {
    let Some(len) = u64::from(published.end).checked_sub(at + FRAME_HEADER as u64) else {
        return published == Published::empty_frame(file_id, at as u32);
    };
    let part = usize::try_from(len).ok().and_then(|len| payload.get(..len));
    part.is_some_and(|part| wire::crc(seed(file_id, at as u32), part) == published.crc)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const ID: FileId = FileId([3; 16]);

    fn closed(at: u32, payload: &[u8]) -> Vec<u8> {
        let word = close_word(wire::crc(seed(ID, at), payload), payload.len() as u32);
        let mut out = word.to_le_bytes().to_vec();
        out.extend_from_slice(payload);
        out.resize(align(out.len() as u64) as usize, 0);
        out
    }

    #[test]
    fn closed_frames_stand_for_themselves_whatever_the_word_says() {
        let mut bytes = closed(64, b"first");
        bytes.extend(closed(80, b"second frame"));
        bytes.extend([0; 64]);
        for word in [0, 64, 80, 1000] {
            let published = Published { end: word, crc: 0 };
            assert_eq!(next(&bytes, 64, published, ID), Next::Frame { payload: b"first", next: 80 });
            assert!(matches!(next(&bytes[16..], 80, published, ID), Next::Frame { next: 104, .. }));
        }
        assert_eq!(next(&bytes[40..], 104, Published::empty_frame(ID, 104), ID), Next::End);
        assert_eq!(next(&bytes[40..], 104, Published { end: 100, crc: 5 }, ID), Next::Behind);
    }

    #[test]
    fn the_open_frame_is_vouched_for_by_the_word() {
        let mut bytes = vec![0; 8];
        bytes.extend_from_slice(b"points");
        bytes.extend([0xee; 32]);
        let crc = wire::crc(seed(ID, 0), b"points");
        assert_eq!(next(&bytes, 0, Published { end: 14, crc }, ID), Next::Open { payload: b"points" });
        for wrong in [Published { end: 13, crc }, Published { end: 14, crc: crc ^ 1 }, Published { end: 4000, crc }] {
            assert!(matches!(next(&bytes, 0, wrong, ID), Next::Bad(_)));
        }
        assert!(word_lies_in(Published { end: 14, crc }, 0, b"points and more", ID));
        assert!(!word_lies_in(Published { end: 15, crc }, 0, b"points and more", ID));
    }

    #[test]
    fn any_flipped_bit_and_any_other_place_or_file_is_noticed() {
        let bytes = closed(64, b"0123456789");
        let published = Published::empty_frame(ID, 88);
        for bit in 0..18 * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(next(&damaged, 64, published, ID), Next::Frame { .. }), "bit {bit}");
        }
        assert!(matches!(next(&bytes, 72, published, ID), Next::Bad(_)));
        assert!(matches!(next(&bytes, 64, published, FileId([4; 16])), Next::Bad(_)));
    }

    #[test]
    fn what_is_looked_at_is_the_frame_and_no_more() {
        let none = Published { end: 0, crc: 0 };
        let header = |length: usize| [(length as u32).to_le_bytes(), [1; 4]].concat();
        assert_eq!(reach(&closed(64, b"0123456789"), 64, none), 18);
        assert_eq!(reach(&header(MAX_FRAME_BYTES), 64, none), 8 + MAX_FRAME_BYTES);
        assert_eq!(reach(&header(MAX_FRAME_BYTES + 1), 64, none), 8);
        assert_eq!(reach(&header(MAX_FRAME_BYTES + 2), 64, none), 8);
        assert_eq!(reach(&pad_word(ID, 8, 48).to_le_bytes(), 8, none), 8);
        assert_eq!(reach(&[0; 8], 64, Published { end: 80, crc: 0 }), 16);
        assert_eq!(reach(&[0; 8], 64, none), 0);
        assert_eq!(reach(&[5, 0, 0], 64, none), 8, "the file ends there");
    }

    #[test]
    fn the_longest_frame_is_read_and_a_longer_one_is_not() {
        let longest = vec![7; MAX_FRAME_BYTES];
        let none = Published { end: 0, crc: 0 };
        assert!(matches!(next(&closed(64, &longest), 64, none, ID), Next::Frame { payload, .. } if payload == longest));
        for more in [1, 2] {
            let longer = closed(64, &vec![7; MAX_FRAME_BYTES + more]);
            assert_eq!(next(&longer, 64, none, ID), Next::Bad("the length of a frame is beyond its limit"));
        }
    }

    #[test]
    fn where_the_file_ends_the_word_tells_whether_it_should() {
        let at = |published| next(&[0; 7], 104, published, ID);
        assert_eq!(at(Published::empty_frame(ID, 104)), Next::End);
        assert_eq!(at(Published { crc: 5, ..Published::empty_frame(ID, 104) }), Next::Behind);
        assert_eq!(at(Published::empty_frame(ID, 96)), Next::Behind);
        assert_eq!(at(Published::empty_frame(ID, 112)), Next::Bad("the file ends inside a frame"));
    }

    #[test]
    fn half_of_a_header_is_no_open_frame() {
        let payload = b"points!!";
        let published = Published { end: 80, crc: wire::crc(seed(ID, 64), payload) };
        for (header, is_open) in [([0, 0], true), ([8, 0], false), ([0, 8], false)] {
            let bytes = [header.map(u32::to_le_bytes).concat().as_slice(), payload].concat();
            assert_eq!(matches!(next(&bytes, 64, published, ID), Next::Open { .. }), is_open, "{header:?}");
        }
    }

    #[test]
    fn a_pad_frame_leads_to_the_next_one() {
        let bytes = pad_word(ID, 8, 48).to_le_bytes();
        assert_eq!(next(&bytes, 8, Published { end: 0, crc: 0 }, ID), Next::Pad { next: 64 });
        let mut damaged = bytes;
        damaged[0] ^= 8;
        assert!(matches!(next(&damaged, 8, Published { end: 0, crc: 0 }, ID), Next::Bad(_)));
    }
}
