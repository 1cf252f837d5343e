//! The first page of a log.
//!
//! ```text
//!   0  header                      64 bytes, see header.rs; owner = run id
//!  64  log id: created_us, salt    u64, u64
//!  80  boot id                     16 bytes
//!  96  process id                  u32
//! 100  log before it: created_us, salt, end   u64, u64, u32: the log that its writer filled before this one and where
//!      that ended; zeros for a writer's first log. A log whose forerunner lost its end is not believed: so a power loss
//!      leaves a prefix of what a writer logged
//! 120  zeros
//! 124  crc u32 over 64..124, seeded with file id and 64
//! 128  published word              u64, see frame.rs; stored anew by every log call
//! 136  zeros
//! 4088 `TWBLANK` and a zero: stored when the file is made, so that a log that was never begun is not taken for a damaged one
//! 4096 frames
//! ```

use super::header::{self, FileType, HEADER_LEN, Header, HeaderError};
use super::wire::{self, DecodeError, Reader};
use crate::types::{FileId, LogId, RunId};

/// Where the published word is.
pub(crate) const PUBLISHED_AT: u64 = 128;
/// Where the frames begin: a page of their own, so that the word and the points are different pages.
pub(crate) const FRAMES_AT: u64 = 4096;
/// What a log says before it says anything, and where.
pub(crate) const BLANK_MARK: &[u8; 8] = b"TWBLANK\0";
pub(crate) const BLANK_MARK_AT: u64 = 4088;
/// The checksum of the part after the common header.
const CRC_AT: usize = 124;

/// What the first page says, the published word apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogHeader {
    pub(crate) file_id: FileId,
    pub(crate) run_id: RunId,
    pub(crate) log_id: LogId,
    /// Which boot of which machine wrote it: tells a kill from a power loss in messages. Never a reason to trust.
    pub(crate) boot_id: [u8; 16],
    pub(crate) process_id: u32,
    /// The log that the same writer filled before, and where that ended.
    pub(crate) before: Option<(LogId, u32)>,
}

impl LogHeader {
    /// The first [`PUBLISHED_AT`] bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let header = Header::new(FileType::Log, self.file_id, *self.run_id.as_bytes());
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&self.log_id.created_us.to_le_bytes());
        out.extend_from_slice(&self.log_id.salt.to_le_bytes());
        out.extend_from_slice(&self.boot_id);
        out.extend_from_slice(&self.process_id.to_le_bytes());
        if let Some((log, end)) = self.before {
            out.extend_from_slice(&log.created_us.to_le_bytes());
            out.extend_from_slice(&log.salt.to_le_bytes());
            out.extend_from_slice(&end.to_le_bytes());
        }
        out.resize(CRC_AT, 0);
        let body = out.get(HEADER_LEN..).unwrap_or_default();
        let crc = wire::crc(wire::crc_seed(&self.file_id.0, HEADER_LEN as u64), body);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let header = Header::decode(bytes, FileType::Log)?;
        let mut reader = Reader::new(bytes);
        reader.take(HEADER_LEN, "file header")?;
        let body = reader.take(CRC_AT - HEADER_LEN, "log header")?;
        let stored = reader.u32("log header checksum")?;
        if wire::crc(wire::crc_seed(&header.file_id.0, HEADER_LEN as u64), body) != stored {
            let problem = "its checksum does not match";
            return Err(DecodeError { what: "log header", offset: HEADER_LEN, problem }.into());
        }
        Ok(Self::fields(header.file_id, RunId::from_bytes(header.owner), body)?)
    }

    /// What the damaged first page of the log with this run and name said, as far as that can be told. A frame has to
    /// prove the file id. The log before it may be wrong: then none ends where it says.
    pub(crate) fn rebuild(bytes: &[u8], run_id: RunId, log_id: LogId) -> Option<Self> {
        let file_id = header::rebuild(bytes, FileType::Log, *run_id.as_bytes())?;
        let known = Self::fields(file_id, run_id, bytes.get(HEADER_LEN..CRC_AT)?).ok()?;
        Some(Self { log_id, ..known })
    }

    fn fields(file_id: FileId, run_id: RunId, body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            file_id,
            run_id,
            log_id: LogId { created_us: reader.u64("log id")?, salt: reader.u64("log id")? },
            boot_id: reader.array("boot id")?,
            process_id: reader.u32("process id")?,
            before: {
                let log = LogId { created_us: reader.u64("log before")?, salt: reader.u64("log before")? };
                let end = reader.u32("end of the log before")?;
                (end != 0).then_some((log, end))
            },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_comes_back_and_flipped_bits_are_noticed() {
        for before in [None, Some((LogId { created_us: 9, salt: 8 }, 4096))] {
            let header = LogHeader {
                before,
                file_id: FileId([1; 16]),
                run_id: RunId::from_bytes([2; 16]),
                log_id: LogId { created_us: 3, salt: 4 },
                boot_id: [5; 16],
                process_id: 6,
            };
            let bytes = header.encode();
            assert_eq!(bytes.len() as u64, PUBLISHED_AT);
            assert_eq!(LogHeader::decode(&bytes), Ok(header));
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(LogHeader::decode(&damaged).is_err(), "bit {bit}");
                // The id of the file needs a frame as its proof; of the log before, a log that ends there.
                let rebuilt = LogHeader::rebuild(&damaged, header.run_id, header.log_id).unwrap();
                let in_id = (24 * 8..40 * 8).contains(&bit);
                assert_eq!(rebuilt.file_id != header.file_id, in_id, "bit {bit}");
                assert!((80 * 8..120 * 8).contains(&bit) || in_id || rebuilt == header, "bit {bit}");
            }
        }
    }
}
