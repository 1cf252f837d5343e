//! The segments of a pack without its directory: each begins with a header that has a checksum and names its run, and ends
//! with a trailer that says how long it is.

use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::pack::{Piece, encode_end};
use crate::format::segment::{TRAILER_LEN, Trailer};
use crate::types::{FileId, RunId};

/// The segments that can be found in the bytes of a pack, by run, and whether they are all that there were: they lie from
/// the header to the directory without a gap. One without a good trailer goes on to the next one.
pub(super) fn find_segments(pack: &[u8]) -> (Vec<Piece>, bool) {
    let begins = find_headers(pack);
    let mut pieces = Vec::with_capacity(begins.len());
    let mut complete = true;
    let mut next = HEADER_LEN;
    for (number, (start, file_id, run)) in begins.iter().enumerate() {
        // Found within the one before.
        if *start < next {
            continue;
        }
        let limit = begins.get(number + 1).map_or(pack.len(), |(start, ..)| *start);
        let end = find_end(pack.get(*start..limit).unwrap_or_default(), *file_id).map(|len| start + len);
        complete &= *start == next && end.is_some();
        next = end.unwrap_or(limit);
        pieces.push(Piece { run: *run, start: *start as u64, end: next as u64 });
    }
    complete &= is_end_of(pack.get(next..).unwrap_or_default(), &pieces);
    pieces.sort_unstable();
    (pieces, complete)
}

/// Whether `end` is, but for some damage, the directory and trailer of a pack with these segments: it is as long, and half of
/// its bytes are the same. A pack that was cut has segments there, or nothing.
fn is_end_of(end: &[u8], pieces: &[Piece]) -> bool {
    let expected = encode_end(FileId([0; 16]), pieces);
    let same = end.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
    end.len() == expected.len() && same * 2 >= expected.len()
}

/// Where good headers of segments lie, and what they say.
fn find_headers(pack: &[u8]) -> Vec<(usize, FileId, RunId)> {
    let magic = FileType::Segment.magic();
    let places = pack.windows(magic.len()).enumerate().filter(|(_, bytes)| bytes == magic).map(|(at, _)| at);
    let header = |at: usize| Some((at, Header::decode(pack.get(at..)?, FileType::Segment).ok()?));
    places.filter_map(header).map(|(at, header)| (at, header.file_id, RunId::from_bytes(header.owner))).collect()
}

/// How long the segment is with which `bytes` begin: where a good trailer says that it ends.
fn find_end(bytes: &[u8], file_id: FileId) -> Option<usize> {
    bytes.windows(TRAILER_LEN).enumerate().skip(HEADER_LEN).find_map(|(at, trailer)| {
        let trailer = Trailer::decode(trailer, file_id).ok()?;
        let footer_end = trailer.footer_offset.checked_add(u64::from(trailer.footer_len))?;
        (footer_end == at as u64).then_some(at + TRAILER_LEN)
    })
}
