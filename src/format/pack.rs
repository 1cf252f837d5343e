//! The frame of a pack around the segments in it: header, segments, directory, trailer.
//!
//! ```text
//! header        64 bytes, header.rs; owner = experiment id u64, zeros
//! segments      whole ones of ended runs, by run, back to back
//! directory     24 bytes a segment, in their order: run id, then u64: where it ends in the pack
//! trailer       28 bytes at the end of the file
//! ```
//!
//! The trailer: directory offset u64, number of segments u64, crc u32 of the directory (seeded with file id and the
//! directory's offset), crc u32 over the 20 bytes before it (seeded with file id and 0), magic `TWPE`.
//!
//! Offsets in a segment count from its own first byte and its checksums begin from its own file id, so that it is the same
//! in a pack and in a file of its own.

use super::header::{FileType, HEADER_LEN, Header};
use super::wire::{self, DecodeError, Decoded, Reader};
use crate::types::{ExperimentId, FileId, RunId};

/// Length of the trailer.
pub(crate) const PACK_TRAILER_LEN: usize = 28;
/// Length of what the directory says of a segment.
pub(crate) const PIECE_LEN: usize = 24;
const RUN_ID_LEN: usize = 16;
const TRAILER_MAGIC: &[u8; 4] = b"TWPE";

/// Where one segment lies in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) run: RunId,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// The header of a pack.
pub(crate) fn pack_header(file_id: FileId, experiment: ExperimentId) -> Header {
    Header::new(FileType::Pack, file_id, owner(experiment))
}

/// What the header of a pack of this experiment has as its owner.
pub(crate) fn owner(experiment: ExperimentId) -> [u8; 16] {
    let mut owner = [0; 16];
    let (id, _) = owner.split_at_mut(8);
    id.copy_from_slice(&experiment.get().to_le_bytes());
    owner
}

/// Directory and trailer of a pack with these segments, which follow each other from the end of the header on.
pub(crate) fn encode_end(file_id: FileId, pieces: &[Piece]) -> Vec<u8> {
    let offset = pieces.last().map_or(HEADER_LEN as u64, |piece| piece.end);
    let mut out = Vec::with_capacity(pieces.len() * PIECE_LEN + PACK_TRAILER_LEN);
    for piece in pieces {
        out.extend_from_slice(piece.run.as_bytes());
        out.extend_from_slice(&piece.end.to_le_bytes());
    }
    let crc = wire::crc(wire::crc_seed(&file_id.0, offset), &out);
    let mut trailer = offset.to_le_bytes().to_vec();
    trailer.extend_from_slice(&(pieces.len() as u64).to_le_bytes());
    trailer.extend_from_slice(&crc.to_le_bytes());
    let crc = wire::crc(wire::crc_seed(&file_id.0, 0), &trailer);
    trailer.extend_from_slice(&crc.to_le_bytes());
    trailer.extend_from_slice(TRAILER_MAGIC);
    out.append(&mut trailer);
    out
}

/// Where the segments of a pack lie. Borrows the bytes of the directory: a pack may hold a hundred thousand segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory<'a> {
    bytes: &'a [u8],
}

impl<'a> Directory<'a> {
    /// The directory of a pack with this file id, after a look at all of it: its checksum, the order of the runs, and that
    /// the segments fill what lies between header and directory. Returns also where it begins.
    pub(crate) fn decode(pack: &'a [u8], file_id: FileId) -> Result<(Self, u64), (u64, DecodeError)> {
        let trailer_at = pack.len().saturating_sub(PACK_TRAILER_LEN).max(HEADER_LEN);
        let trailer = pack.get(trailer_at..).unwrap_or_default();
        let (offset, count, crc) = decode_trailer(trailer, file_id).map_err(|error| (trailer_at as u64, error))?;
        let wrong = |problem| (offset, DecodeError { what: "pack directory", offset: 0, problem });
        let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(PIECE_LEN));
        let start = usize::try_from(offset).ok();
        let end = start.zip(len).and_then(|(start, len)| start.checked_add(len));
        let range = start.zip(end).filter(|(start, end)| *start >= HEADER_LEN && *end == trailer_at);
        let bytes = range.and_then(|(start, end)| pack.get(start..end));
        let bytes = bytes.ok_or_else(|| wrong("it does not lie between the segments and the trailer"))?;
        if wire::crc(wire::crc_seed(&file_id.0, offset), bytes) != crc {
            return Err(wrong("its checksum does not match"));
        }
        let directory = Self { bytes };
        let mut last: Option<Piece> = None;
        for piece in directory.pieces() {
            let before = last.map_or(HEADER_LEN as u64, |last| last.end);
            if last.is_some_and(|last| last.run > piece.run) || piece.end < before {
                return Err(wrong("its segments are out of order"));
            }
            last = Some(piece);
        }
        if last.map_or(HEADER_LEN as u64, |last| last.end) != offset {
            return Err(wrong("the segments do not end where it begins"));
        }
        Ok((directory, offset))
    }

    /// The same directory again: `bytes` are those that [`Self::decode`] has looked at.
    pub(crate) fn again(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Length in bytes.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// How many segments there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / PIECE_LEN
    }

    fn run(&self, number: usize) -> Option<RunId> {
        let at = number.checked_mul(PIECE_LEN)?;
        let bytes = self.bytes.get(at..at.checked_add(RUN_ID_LEN)?)?;
        Some(RunId::from_bytes(bytes.try_into().ok()?))
    }

    fn end(&self, number: usize) -> Option<u64> {
        let at = number.checked_mul(PIECE_LEN)?.checked_add(RUN_ID_LEN)?;
        Reader::new(self.bytes.get(at..)?).u64("end of a segment").ok()
    }

    /// Segment number `number`.
    pub(crate) fn piece(&self, number: usize) -> Option<Piece> {
        let start = match number.checked_sub(1) {
            Some(before) => self.end(before)?,
            None => HEADER_LEN as u64,
        };
        Some(Piece { run: self.run(number)?, start, end: self.end(number)? })
    }

    /// All segments, by run.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Piece> + 'a {
        (0..self.len()).filter_map(move |number| self.piece(number))
    }

    /// The segments of one run. Cost: a binary search.
    pub(crate) fn pieces_of(self, run: RunId) -> impl Iterator<Item = Piece> + 'a {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.run(middle).is_some_and(|other| other < run) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low..self.len()).map_while(move |number| self.piece(number).filter(|piece| piece.run == run))
    }
}

/// Where the directory begins, how many segments it names, and its checksum.
fn decode_trailer(bytes: &[u8], file_id: FileId) -> Decoded<(u64, u64, u32)> {
    let wrong = |problem| DecodeError { what: "pack trailer", offset: 0, problem };
    let mut reader = Reader::new(bytes);
    let body = reader.clone().take(20, "pack trailer")?;
    let (offset, count) = (reader.u64("directory offset")?, reader.u64("number of segments")?);
    let (crc, own_crc) = (reader.u32("directory checksum")?, reader.u32("trailer checksum")?);
    if &reader.array::<4>("trailer magic")? != TRAILER_MAGIC {
        return Err(wrong("the pack does not end as one: it is cut or was never finished"));
    }
    if wire::crc(wire::crc_seed(&file_id.0, 0), body) != own_crc {
        return Err(wrong("its checksum does not match"));
    }
    Ok((offset, count, crc))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: FileId = FileId([7; 16]);

    fn pack(runs: &[(u8, usize)]) -> (Vec<u8>, Vec<Piece>) {
        let mut bytes = pack_header(ID, ExperimentId::new(5)).encode().to_vec();
        let mut pieces = Vec::new();
        for (run, len) in runs {
            let start = bytes.len() as u64;
            bytes.resize(bytes.len() + len, *run);
            pieces.push(Piece { run: RunId::from_bytes([*run; 16]), start, end: bytes.len() as u64 });
        }
        bytes.extend(encode_end(ID, &pieces));
        (bytes, pieces)
    }

    #[test]
    fn segments_are_found_by_their_runs() {
        let (bytes, pieces) = pack(&[(1, 3), (1, 0), (4, 50), (9, 7)]);
        let (directory, at) = Directory::decode(&bytes, ID).unwrap();
        assert_eq!((directory.len(), at), (4, 124));
        assert_eq!(directory.pieces().collect::<Vec<_>>(), pieces);
        for run in 0..11 {
            let id = RunId::from_bytes([run; 16]);
            let expected: Vec<Piece> = pieces.iter().copied().filter(|piece| piece.run == id).collect();
            assert_eq!(directory.pieces_of(id).collect::<Vec<_>>(), expected, "run {run}");
        }
        let (empty, _) = pack(&[]);
        assert_eq!(Directory::decode(&empty, ID).unwrap().0.len(), 0);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_behind_the_segments_is_noticed() {
        let (bytes, pieces) = pack(&[(1, 3), (2, 9)]);
        let end = pieces[1].end as usize;
        for bit in end * 8..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Directory::decode(&damaged, ID).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Directory::decode(&bytes[..cut], ID).is_err(), "cut at {cut}");
        }
        assert!(Directory::decode(&bytes, FileId([8; 16])).is_err());
    }

    #[test]
    fn a_directory_with_a_good_checksum_must_still_make_sense() {
        let piece = |run: u8, end| Piece { run: RunId::from_bytes([run; 16]), start: 0, end };
        for pieces in [vec![piece(2, 70), piece(1, 80)], vec![piece(1, 80), piece(2, 70)], vec![piece(1, 10)]] {
            let mut bytes = pack_header(ID, ExperimentId::new(5)).encode().to_vec();
            bytes.resize(pieces.iter().map(|piece| piece.end).max().unwrap().max(64) as usize, 0);
            bytes.extend(encode_end(ID, &pieces));
            assert!(Directory::decode(&bytes, ID).is_err(), "{pieces:?}");
        }
    }

    #[test]
    fn a_pack_is_its_experiment_s() {
        let mut owner = [0; 16];
        owner[..2].copy_from_slice(&[2, 1]);
        assert_eq!(pack_header(ID, ExperimentId::new(0x0102)).owner, owner);
    }

    #[test]
    fn nothing_lies_between_directory_and_trailer() {
        let (mut bytes, _) = pack(&[(1, 3)]);
        assert!(Directory::decode(&bytes, ID).is_ok());
        let at = bytes.len() - PACK_TRAILER_LEN;
        bytes.splice(at..at, [0; PIECE_LEN]);
        assert!(Directory::decode(&bytes, ID).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_directory_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Directory::decode(&bytes, ID);
        }
    }
}
