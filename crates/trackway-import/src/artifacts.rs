//! Files of a run. One that is there with the same content is passed over: both are read and compared, since neither
//! times nor sizes tell. Links are not followed: they lead to what is not the run's.

use crate::error::{At as _, Error, Place as _, Result};
use crate::session::{Failure, Session};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use trackway::Artifacts;

/// Bytes compared at a time.
const COMPARED_BYTES: usize = 1 << 18;

/// Puts all files below a folder that the run does not have like that. A folder that does not exist is empty.
pub(crate) fn put_folder(session: &mut Session<'_>, to: &Artifacts, folder: &Path) -> Result<()> {
    let mut todo = vec![(String::new(), folder.to_path_buf())];
    while let Some((path, folder)) = todo.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if path.is_empty() && error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.at(&folder, "list")?,
        };
        let mut entries = entries.collect::<std::io::Result<Vec<_>>>().at(&folder, "list")?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let from = entry.path();
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                fail(session, &from, Error::source(&from, "its name is not UTF-8"));
                continue;
            };
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            let kind = entry.file_type().at(&from, "look at")?;
            if kind.is_dir() {
                todo.push((path, from));
            } else if kind.is_file() {
                put_file(session, to, &path, &from)?;
            } else {
                session.note(format!("{}: a link or special file, left out", from.display()));
            }
        }
    }
    Ok(())
}

/// Puts a file unless it is there with the same content. One that cannot be put does not keep the others.
pub(crate) fn put_file(session: &mut Session<'_>, to: &Artifacts, path: &str, from: &Path) -> Result<()> {
    session.tick()?;
    match put_new(to, path, from) {
        Ok(None) => {}
        Ok(Some(bytes)) => {
            session.report.artifacts += 1;
            session.report.artifact_bytes += bytes;
        }
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => fail(session, from, error),
    }
    Ok(())
}

fn fail(session: &mut Session<'_>, from: &Path, error: Error) {
    session.report.failures.push(Failure { what: from.display().to_string(), error });
}

/// The bytes that were put, if the file was not there like that.
fn put_new(to: &Artifacts, path: &str, from: &Path) -> Result<Option<u64>> {
    match to.local_path(path) {
        Ok(place) if is_equal(&place, from)? => return Ok(None),
        Ok(_) | Err(trackway::Error::NotFound { .. }) => {}
        Err(error) => return Err(error).place(|| from.display().to_string()),
    }
    to.put_file(path, from).place(|| from.display().to_string())?;
    Ok(Some(std::fs::metadata(from).at(from, "look at")?.len()))
}

fn is_equal(a: &Path, b: &Path) -> Result<bool> {
    let open = |path: &Path| File::open(path).at(path, "open");
    let (mut a_file, mut b_file) = (open(a)?, open(b)?);
    if a_file.metadata().at(a, "look at")?.len() != b_file.metadata().at(b, "look at")?.len() {
        return Ok(false);
    }
    let (mut a_bytes, mut b_bytes) = (Vec::new(), Vec::new());
    loop {
        read_piece(&mut a_file, &mut a_bytes).at(a, "read")?;
        read_piece(&mut b_file, &mut b_bytes).at(b, "read")?;
        if a_bytes != b_bytes || a_bytes.is_empty() {
            return Ok(a_bytes == b_bytes);
        }
    }
}

fn read_piece(file: &mut File, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
    bytes.clear();
    file.take(COMPARED_BYTES as u64).read_to_end(bytes)
}
