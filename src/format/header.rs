//! The 64 bytes at the start of every file: what it is, which version wrote it, whose file it is.

use super::wire::{self, DecodeError, Decoded, Reader};
use crate::types::FileId;

/// The version this code writes. A reader accepts every minor of its own major.
pub(crate) const MAJOR: u16 = 1;
pub(crate) const MINOR: u16 = 0;

/// Length of the header in bytes.
pub(crate) const HEADER_LEN: usize = 64;
/// Where the body of a small file begins.
pub(crate) const BODY_AT: usize = HEADER_LEN + 8;
/// The checksum covers everything before it.
const CRC_AT: usize = 60;
/// Where magic, version and features end and the file id begins.
const ID_AT: usize = 24;

/// What a file holds; the eight bytes it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    Store,
    Experiment,
    Log,
    Segment,
    Catalog,
    Pack,
    Model,
    LoggedModel,
    ModelPoints,
}

impl FileType {
    /// All kinds, for checks that go over them.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) const ALL: [Self; 9] = [
        Self::Store,
        Self::Experiment,
        Self::Log,
        Self::Segment,
        Self::Catalog,
        Self::Pack,
        Self::Model,
        Self::LoggedModel,
        Self::ModelPoints,
    ];

    /// The last byte is outside ASCII, so that a transfer as text is noticed (PNG's trick).
    pub(crate) const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Store => b"TWSTORE\x8a",
            Self::Experiment => b"TWEXPER\x8a",
            Self::Log => b"TWLOG\0\0\x8a",
            Self::Segment => b"TWSEGM\0\x8a",
            Self::Catalog => b"TWCATAL\x8a",
            Self::Pack => b"TWPACK\0\x8a",
            Self::Model => b"TWMODEL\x8a",
            Self::LoggedModel => b"TWLMODL\x8a",
            Self::ModelPoints => b"TWMPNTS\x8a",
        }
    }

    /// The features that a reader of such a file must know and this one does.
    const fn known_features(self) -> u32 {
        match self {
            Self::Store => PACKS,
            Self::Catalog => CATALOG_INDEX,
            Self::Segment => BARE_GROUPS,
            Self::Experiment | Self::Log | Self::Pack => 0,
            Self::Model | Self::LoggedModel | Self::ModelPoints => 0,
        }
    }
}

/// The header, field by field in stored order after the magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) file_type: FileType,
    /// Names this file; seeds its checksums.
    pub(crate) file_id: FileId,
    /// The run of a log or segment, the experiment of a pack, where the index of a catalog is, else zeros.
    pub(crate) owner: [u8; 16],
    /// Features that a reader must know.
    pub(crate) required: u32,
    /// False when the file uses a feature without which it may be read but not written.
    pub(crate) writable: bool,
}

/// The bit of the third feature field that says that a catalog begins with an index, which `owner` places.
const CATALOG_INDEX: u32 = 1;
/// The bit of that field that says that runs of the store may lie in packs.
pub(crate) const PACKS: u32 = 1;
/// The bit of that field that says that a segment may have groups without an index.
const BARE_GROUPS: u32 = 1;

impl Header {
    /// The header of a new file.
    pub(crate) fn new(file_type: FileType, file_id: FileId, owner: [u8; 16]) -> Self {
        let has_index = file_type == FileType::Catalog && owner != [0; 16];
        Self { file_type, file_id, owner, required: if has_index { CATALOG_INDEX } else { 0 }, writable: true }
    }

    /// The header of a segment of that run. `bare`: whether it has groups without an index.
    pub(crate) fn of_segment(file_id: FileId, run: [u8; 16], bare: bool) -> Self {
        Self { required: if bare { BARE_GROUPS } else { 0 }, ..Self::new(FileType::Segment, file_id, run) }
    }

    /// The header of the file that makes a folder a store. `packs`: whether there may be packs in it.
    pub(crate) fn of_store(file_id: FileId, packs: bool) -> Self {
        Self { required: if packs { PACKS } else { 0 }, ..Self::new(FileType::Store, file_id, [0; 16]) }
    }
}

/// Why a header was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Not this kind of file, or damaged.
    Damaged(DecodeError),
    /// Written by a version or with a feature that this code does not know.
    Unsupported { found: String, supported: String },
}

impl From<DecodeError> for HeaderError {
    fn from(error: DecodeError) -> Self {
        Self::Damaged(error)
    }
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(self.file_type.magic());
        out.extend_from_slice(&MAJOR.to_le_bytes());
        out.extend_from_slice(&MINOR.to_le_bytes());
        // Feature bits: may ignore, may read but not write, must refuse.
        out.extend_from_slice(&[0u8; 8]);
        out.extend_from_slice(&self.required.to_le_bytes());
        out.extend_from_slice(&self.file_id.0);
        out.extend_from_slice(&self.owner);
        out.resize(CRC_AT, 0);
        let crc = wire::crc(0, &out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut header = [0u8; HEADER_LEN];
        header.iter_mut().zip(out).for_each(|(to, from)| *to = from);
        header
    }

    /// Checks magic, checksum and version, in this order of usefulness to the reader of the message.
    pub(crate) fn decode(bytes: &[u8], expected: FileType) -> Result<Self, HeaderError> {
        let mut reader = Reader::new(bytes);
        let header = reader.take(HEADER_LEN, "file header")?;
        let mut reader = Reader::new(header);
        if &reader.array::<8>("magic")? != expected.magic() {
            return Err(DecodeError { what: "file header", offset: 0, problem: "it is not a file of this kind" }.into());
        }
        let body = header.get(..CRC_AT).unwrap_or_default();
        let stored = Reader::new(header.get(CRC_AT..).unwrap_or_default()).u32("header checksum")?;
        if wire::crc(0, body) != stored {
            return Err(DecodeError { what: "file header", offset: 0, problem: "its checksum does not match" }.into());
        }
        let (major, minor) = (reader.u16("major version")?, reader.u16("minor version")?);
        let (_ignorable, read_only, required) =
            (reader.u32("feature bits")?, reader.u32("feature bits")?, reader.u32("feature bits")?);
        if major != MAJOR || required & !expected.known_features() != 0 {
            return Err(HeaderError::Unsupported {
                found: format!("{major}.{minor} with required features {required:#x}"),
                supported: format!("{MAJOR}.{MINOR}"),
            });
        }
        let file_id = FileId(reader.array("file id")?);
        let owner = reader.array("owner")?;
        Ok(Self { file_type: expected, file_id, owner, required, writable: read_only == 0 })
    }
}

/// The id in the damaged header of a file that must be of this kind and owner, when nothing but this version can have
/// written it: either what says kind, version, features and owner is whole, or the checksum is and tells what it was.
/// The id itself may be the damaged piece: a checksum that begins from it has to agree before it is believed.
pub(crate) fn rebuild(bytes: &[u8], file_type: FileType, owner: [u8; 16]) -> Option<FileId> {
    rebuild_like(bytes, &Header::new(file_type, FileId([0; 16]), owner))
}

/// Like [`rebuild`], for a file whose header is `like` but for the id.
pub(crate) fn rebuild_like(bytes: &[u8], like: &Header) -> Option<FileId> {
    let found = bytes.get(..HEADER_LEN)?;
    let id = Reader::new(found.get(ID_AT..)?).array("file id").ok()?;
    let whole = Header { file_id: FileId(id), ..*like }.encode();
    let is_same = |range: std::ops::Range<usize>| found.get(range.clone()) == whole.get(range);
    let says_what = is_same(0..ID_AT) && is_same(ID_AT + 16..ID_AT + 32);
    (says_what || is_same(CRC_AT..HEADER_LEN)).then_some(FileId(id))
}

/// Whether a good header is one that this version would write: no later minor version, no feature that it does not know.
pub(crate) fn is_ours(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes.get(8..).unwrap_or_default());
    let (Ok(major), Ok(minor)) = (reader.u16("major version"), reader.u16("minor version")) else { return false };
    let is_known = major == MAJOR && (major, minor) <= (MAJOR, MINOR);
    let with_features = [FileType::Store, FileType::Catalog, FileType::Segment];
    let file_type = with_features.into_iter().find(|known| bytes.starts_with(known.magic()));
    let features = file_type.map_or(0, FileType::known_features);
    let others = (reader.u32("feature bits"), reader.u32("feature bits"));
    is_known && others == (Ok(0), Ok(0)) && reader.u32("feature bits").is_ok_and(|required| required & !features == 0)
}

/// Reads what a whole small file holds: header, then one body with length and checksum. Errors name the place where the
/// body's length stands.
///
/// Layout after the header: `length u32`, `crc u32` over the body seeded with file id and the body's offset, body.
pub(crate) fn decode_body<'a>(bytes: &'a [u8], header: &Header) -> Decoded<&'a [u8]> {
    let here = |error: DecodeError| DecodeError { offset: HEADER_LEN, ..error };
    let mut reader = Reader::new(bytes.get(HEADER_LEN..).unwrap_or_default());
    let len = reader.u32("body length").map_err(here)?;
    let stored = reader.u32("body checksum").map_err(here)?;
    let body = reader.take(usize::try_from(len).unwrap_or(usize::MAX), "body").map_err(here)?;
    if wire::crc(wire::crc_seed(&header.file_id.0, BODY_AT as u64), body) != stored {
        return Err(DecodeError { what: "body", offset: HEADER_LEN, problem: "its checksum does not match" });
    }
    reader.finish("file").map_err(here)?;
    Ok(body)
}

/// The bytes of a small file: see [`decode_body`].
pub(crate) fn encode_file(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut out = header.encode().to_vec();
    let crc = wire::crc(wire::crc_seed(&header.file_id.0, HEADER_LEN as u64 + 8), body);
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header::new(FileType::Segment, FileId([7; 16]), [9; 16])
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_noticed() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes, FileType::Segment), Ok(header()));
        for bit in 0..HEADER_LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged, FileType::Segment).is_err(), "bit {bit}");
        }
        assert!(Header::decode(&bytes, FileType::Log).is_err());
        assert!(Header::decode(&bytes[..63], FileType::Segment).is_err());
    }

    #[test]
    fn a_damaged_header_gives_its_id_when_it_is_known_what_it_was() {
        let good = header().encode();
        let rebuilt = |bytes: &[u8]| rebuild(bytes, FileType::Segment, [9; 16]);
        for at in 0..HEADER_LEN {
            let mut damaged = good;
            damaged[at] ^= 0x20;
            // Only the id itself cannot be told from another: what it seeds has to be asked.
            let expected = if (ID_AT..ID_AT + 16).contains(&at) { damaged[at] } else { 7 };
            assert!(rebuilt(&damaged).is_some_and(|id| id.0[at.clamp(ID_AT, ID_AT + 15) - ID_AT] == expected), "{at}");
        }
        // Another owner, kind or version that cannot be excluded: two places are wrong.
        for at in [0, 8, 16, 40] {
            let mut damaged = good;
            damaged[at] ^= 1;
            damaged[63] ^= 1;
            assert_eq!(rebuilt(&damaged), None, "{at}");
        }
        assert_eq!(rebuild(&good, FileType::Log, [9; 16]), None);
        assert_eq!(rebuilt(&[0; HEADER_LEN]), None);
        assert!(is_ours(&good) && !is_ours(&[0; 10]));
        assert!(is_ours(&Header::of_segment(FileId([7; 16]), [9; 16], true).encode()));
        for (at, more) in [(8, 1), (10, 1), (12, 1), (16, 1), (20, 2)] {
            let mut newer = good;
            newer[at] += more;
            assert!(!is_ours(&newer), "{at}");
        }
    }

    #[test]
    fn a_store_says_whether_there_may_be_packs_in_it() {
        for (packs, required) in [(false, 0), (true, PACKS)] {
            let header = Header::of_store(FileId([7; 16]), packs);
            assert_eq!((header.file_type, header.required), (FileType::Store, required));
            assert_eq!(Header::decode(&header.encode(), FileType::Store), Ok(header));
        }
    }

    #[test]
    fn a_segment_says_whether_it_has_groups_without_an_index() {
        for (bare, required) in [(false, 0), (true, BARE_GROUPS)] {
            let header = Header::of_segment(FileId([7; 16]), [9; 16], bare);
            assert_eq!((header.file_type, header.required), (FileType::Segment, required));
            assert_eq!(Header::decode(&header.encode(), FileType::Segment), Ok(header));
        }
    }

    #[test]
    fn a_newer_major_or_an_unknown_required_feature_is_refused_as_unsupported() {
        for (at, value) in [(8, 2u8), (20, 2), (20, 3)] {
            let mut bytes = header().encode();
            bytes[at] = value;
            let crc = wire::crc(0, &bytes[..CRC_AT]);
            bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            assert!(matches!(Header::decode(&bytes, FileType::Segment), Err(HeaderError::Unsupported { .. })));
        }
        let mut newer_minor = header().encode();
        newer_minor[10] = 9;
        let crc = wire::crc(0, &newer_minor[..CRC_AT]);
        newer_minor[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        assert!(Header::decode(&newer_minor, FileType::Segment).is_ok());
    }

    #[test]
    fn each_kind_of_file_has_features_of_its_own() {
        let types = [
            (FileType::Store, PACKS),
            (FileType::Catalog, CATALOG_INDEX),
            (FileType::Segment, BARE_GROUPS),
            (FileType::Experiment, 0),
            (FileType::Log, 0),
            (FileType::Pack, 0),
            (FileType::Model, 0),
            (FileType::LoggedModel, 0),
            (FileType::ModelPoints, 0),
        ];
        for (file_type, known) in types {
            for feature in (0..32).map(|bit| 1 << bit) {
                let header = Header { required: feature, ..Header::new(file_type, FileId([7; 16]), [9; 16]) };
                let read = Header::decode(&header.encode(), file_type);
                assert_eq!(read.is_ok(), feature & known != 0, "{file_type:?} {feature:#x}");
                assert!(
                    read.is_ok() || matches!(read, Err(HeaderError::Unsupported { .. })),
                    "{file_type:?} {feature:#x}"
                );
            }
        }
    }

    #[test]
    fn a_small_file_comes_back_and_every_flipped_bit_is_noticed() {
        let bytes = encode_file(&header(), b"body");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let read = Header::decode(&damaged, FileType::Segment).map(|h| decode_body(&damaged, &h).is_ok());
            assert!(!matches!(read, Ok(true)), "bit {bit}");
        }
        assert_eq!(decode_body(&bytes, &header()), Ok(&b"body"[..]));
        // Where it went wrong is told as where the body's length stands.
        let more = [bytes.as_slice(), b"!"].concat();
        for wrong in [&bytes[..HEADER_LEN + 5], &bytes[..bytes.len() - 1], &more] {
            assert_eq!(decode_body(wrong, &header()).unwrap_err().offset, HEADER_LEN);
        }
        assert!(decode_body(&bytes[..bytes.len() - 1], &header()).is_err());
    }
}
