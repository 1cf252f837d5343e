//! Small files that are read whole and replaced as a whole: of experiments and of registered models.

use super::open::read_start;
use crate::catalog::write_new;
use crate::env::Env;
use crate::error::{Error, IoContext, Result};
use crate::format::Decoded;
use crate::format::header::{BODY_AT, FileType, Header, decode_body, encode_file, rebuild};
use crate::log::header_error;
use crate::types::FileId;
use std::io::ErrorKind;
use std::path::Path;

/// Longest of these files: thousands of the longest tags.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Reads such a file; `None` when there is none. The flag says whether this version may replace it.
pub(super) fn read<T>(
    env: &Env,
    path: &Path,
    file_type: FileType,
    decode: impl FnOnce(&[u8]) -> Decoded<T>,
) -> Result<Option<(T, bool)>> {
    let file = match env.fs.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // A folder, a link, a FIFO in its place.
        Err(error) if matches!(error.kind(), ErrorKind::IsADirectory | ErrorKind::InvalidInput) => {
            return Err(Error::corrupt(path, 0, error.to_string()));
        }
        file => file.at(path, "open")?,
    };
    if file.len().at(path, "measure")? > MAX_FILE_BYTES {
        return Err(Error::corrupt(path, 0, "it is far longer than such a file"));
    }
    let bytes = read_start(&*file, path, MAX_FILE_BYTES)?;
    let header = Header::decode(&bytes, file_type).map_err(|error| header_error(path, error))?;
    let corrupt = |at: usize| {
        move |error: crate::format::DecodeError| Error::corrupt(path, (at + error.offset) as u64, error.to_string())
    };
    let body = decode_body(&bytes, &header).map_err(corrupt(0))?;
    Ok(Some((decode(body).map_err(corrupt(BODY_AT))?, header.writable)))
}

/// Replaces the file, or creates it. The caller holds the store's lock, and makes the name durable in the folders above.
pub(super) fn write(env: &Env, path: &Path, file_type: FileType, body: &[u8]) -> Result<()> {
    if body.len() as u64 > MAX_FILE_BYTES - BODY_AT as u64 {
        let (what, limit) = ("file in bytes", MAX_FILE_BYTES);
        return Err(Error::LimitExceeded { what, limit, found: body.len() as u64 });
    }
    let header = Header::new(file_type, FileId(env.clock.random_id()), [0; 16]);
    write_new(env, path, &encode_file(&header, body)).map(|_| ())
}

/// What a file with a damaged header says, when its body passes its checksum and nothing but this version wrote it.
pub(super) fn salvage<T>(
    env: &Env,
    path: &Path,
    file_type: FileType,
    decode: impl FnOnce(&[u8]) -> Decoded<T>,
) -> Option<T> {
    let bytes = read_start(&*env.fs.open(path).ok()?, path, MAX_FILE_BYTES).ok()?;
    let file_id = rebuild(&bytes, file_type, [0; 16])?;
    decode(decode_body(&bytes, &Header::new(file_type, file_id, [0; 16])).ok()?).ok()
}
