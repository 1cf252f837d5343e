//! Artifacts: plain files in a folder of their run.

use super::paths::ARTIFACTS;
use super::{Shared, Store};
use crate::env::{File, FileKind, Fs};
use crate::error::{Error, IoContext, Result};
use crate::limits;
use crate::types::{Artifact, RunId};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the names of files begin that are not complete yet.
const UNFINISHED: &str = ".new-";

/// An unfinished file that was changed since is left to whoever may still write it.
const ABANDONED_AFTER_NS: i64 = 24 * 3600 * 1_000_000_000;

/// Files are copied in pieces of this length.
pub(super) const COPY_BYTES: usize = 1 << 20;

/// The artifacts of one run. Paths are relative, with `/` between their parts; one that would leave the folder, in
/// whatever spelling, is refused, and no link is followed.
///
/// A file appears under its name when it is complete and durable; putting it again replaces it.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// let artifacts = run.artifacts();
/// artifacts.put_bytes("model/config.json", b"{}")?;
/// assert_eq!(artifacts.list("model")?[0].path, "model/config.json");
/// assert_eq!(artifacts.read("model/config.json")?, b"{}");
/// assert!(artifacts.put_bytes("../escape", b"").is_err());
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Artifacts {
    shared: Arc<Shared>,
    root: PathBuf,
}

/// Checks a path and splits it; the empty path is the folder itself.
pub(super) fn parts(path: &str) -> Result<Vec<&str>> {
    let wrong = |reason: &str| Err(Error::invalid("artifact path", format!("{path:?} {reason}")));
    if path.len() > limits::MAX_ARTIFACT_PATH_BYTES {
        let (limit, found) = (limits::MAX_ARTIFACT_PATH_BYTES as u64, path.len() as u64);
        return Err(Error::LimitExceeded { what: "artifact path in bytes", limit, found });
    }
    if path.is_empty() {
        return Ok(Vec::new());
    }
    if path.chars().any(char::is_control) {
        return wrong("has a control character");
    }
    // Separators and drives of other systems: a store is moved between them.
    if path.contains('\\') || path.contains(':') {
        return wrong("has a backslash or colon, which are separators elsewhere");
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
        return wrong("is not a plain relative path");
    }
    // Listings take such a file for one that is not complete.
    if parts.iter().any(|part| part.starts_with(UNFINISHED)) {
        return wrong("has a part that begins with .new-, as unfinished files do");
    }
    if parts.iter().any(|part| part.len() > 255) {
        return wrong("has a part longer than 255 bytes");
    }
    Ok(parts)
}

impl Artifacts {
    pub(super) fn new(shared: &Arc<Shared>, root: PathBuf) -> Self {
        Self { shared: Arc::clone(shared), root }
    }

    pub(super) fn fs(&self) -> &dyn Fs {
        &*self.shared.env.fs
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn check_writable(&self) -> Result<()> {
        self.shared.check_writable()
    }

    pub(super) fn random(&self) -> u64 {
        self.shared.env.clock.random()
    }

    /// The place of a path, after a look that no part of it is a link.
    pub(super) fn place(&self, parts: &[&str]) -> Result<PathBuf> {
        let mut place = self.root.clone();
        for part in parts {
            match self.fs().metadata(&place) {
                Ok(metadata) if metadata.kind != FileKind::Dir => {
                    return Err(Error::invalid("artifact path", format!("{} is no folder", place.display())));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).at(&place, "look at"),
                _ => {}
            }
            place.push(part);
        }
        Ok(place)
    }

    /// Writes a file from pieces, each of which `next` puts into the buffer; an empty one ends it.
    pub(super) fn write(&self, path: &str, next: &mut dyn FnMut(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        self.shared.check_writable()?;
        let parts = parts(path)?;
        let Some((_, folders)) = parts.split_last() else {
            return Err(Error::invalid("artifact path", "it is empty"));
        };
        let place = self.place(&parts)?;
        let dir = self.place(folders)?;
        self.fs().create_dir_all(&dir).at(&dir, "create")?;
        if self.fs().metadata(&place).is_ok_and(|metadata| metadata.kind == FileKind::Dir) {
            return Err(Error::invalid("artifact path", format!("{path:?} is a folder")));
        }
        let temporary = dir.join(unfinished_name(self.random()));
        // Locked until it has its name: nobody takes it for one that was left behind.
        let written = self.fill(&temporary, next).and_then(|_locked| {
            self.fs().rename(&temporary, &place).at(&place, "name")?;
            super::open::sync_up(&self.shared.env, &dir, self.shared.paths.root())
        });
        if written.is_err() {
            let _ = self.fs().remove_file(&temporary);
        }
        written
    }

    fn fill(&self, temporary: &Path, next: &mut dyn FnMut(&mut Vec<u8>) -> Result<()>) -> Result<Arc<dyn File>> {
        let file = self.fs().create_new(temporary).at(temporary, "create")?;
        file.try_lock().at(temporary, "lock")?;
        let (mut buffer, mut at) = (Vec::new(), 0);
        loop {
            buffer.clear();
            next(&mut buffer)?;
            if buffer.is_empty() {
                file.sync().at(temporary, "sync")?;
                return Ok(file);
            }
            file.write_at(&buffer, at).at(temporary, "write")?;
            at += buffer.len() as u64;
        }
    }

    /// Writes bytes as a file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("notes/first.txt", b"hello")?;
    /// assert_eq!(run.artifacts().read("notes/first.txt")?, b"hello");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// A path that is refused, a read-only store, a full disk, system errors; an older file of the name stays then.
    pub fn put_bytes(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut pieces = bytes.chunks(COPY_BYTES);
        self.write(path, &mut |buffer| {
            buffer.extend_from_slice(pieces.next().unwrap_or_default());
            Ok(())
        })
    }

    /// Copies a file of this machine. Memory is bounded whatever its length.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let file = dir.path().join("model.bin");
    /// std::fs::write(&file, [1, 2, 3]).unwrap();
    /// run.artifacts().put_file("model.bin", &file)?;
    /// assert_eq!(run.artifacts().read("model.bin")?, [1, 2, 3]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::put_bytes`], and when `from` cannot be read.
    pub fn put_file(&self, path: &str, from: &Path) -> Result<()> {
        let mut source = std::fs::File::open(from).at(from, "open")?;
        self.write(path, &mut |buffer| {
            source.by_ref().take(COPY_BYTES as u64).read_to_end(buffer).at(from, "read").map(|_| ())
        })
    }

    /// Copies all files below a folder of this machine to below `path` (the empty path is the root); returns their
    /// number. Links are skipped, and so is the store itself when it lies there.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let folder = dir.path().join("model");
    /// std::fs::create_dir(&folder).unwrap();
    /// std::fs::write(folder.join("w.bin"), [1, 2, 3]).unwrap();
    /// assert_eq!(run.artifacts().put_dir("final", &folder)?, 1);
    /// assert_eq!(run.artifacts().read("final/w.bin")?, [1, 2, 3]);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::put_file`]; files copied until then stay.
    pub fn put_dir(&self, path: &str, from: &Path) -> Result<u64> {
        parts(path)?;
        let mut count = 0;
        let mut entries: Vec<_> =
            std::fs::read_dir(from).at(from, "list")?.collect::<io::Result<_>>().at(from, "list")?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (source, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else {
                return Err(Error::invalid("artifact path", format!("{} is not UTF-8", source.display())));
            };
            let target = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            let kind = entry.file_type().at(&source, "look at")?;
            if kind.is_dir() && self.is_the_store(&source) {
                // Saving a folder in which the store lies does not save the store into itself.
            } else if kind.is_dir() {
                count += self.put_dir(&target, &source)?;
            } else if kind.is_file() {
                self.put_file(&target, &source)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn is_the_store(&self, folder: &Path) -> bool {
        let canonical = |path: &Path| std::fs::canonicalize(path).ok();
        canonical(folder).is_some_and(|folder| canonical(self.shared.paths.root()) == Some(folder))
    }

    /// What lies directly in a folder (the empty path is the root), by name. A folder that does not exist is empty.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("notes/first.txt", b"hello")?;
    /// let found = run.artifacts().list("")?;
    /// assert!(found[0].is_dir && found[0].path == "notes");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// A path that is refused, system errors.
    pub fn list(&self, path: &str) -> Result<Vec<Artifact>> {
        let parts = parts(path)?;
        let dir = self.place(&parts)?;
        let entries = match self.fs().read_dir(&dir) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            entries => entries.at(&dir, "list")?,
        };
        let mut found = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.name.starts_with(UNFINISHED)) {
            let place = dir.join(&entry.name);
            let Ok(metadata) = self.fs().metadata(&place) else { continue };
            let is_dir = match metadata.kind {
                FileKind::Dir => true,
                FileKind::File => false,
                FileKind::Other => continue,
            };
            let path = if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
            found.push(Artifact { path, is_dir, size_bytes: metadata.len });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The content of a file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"hello")?;
    /// assert_eq!(run.artifacts().read("a")?, b"hello");
    /// assert!(run.artifacts().read("b").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], a path that is refused, system errors.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let place = self.local_path(path)?;
        let file = self.fs().open(&place).at(&place, "open")?;
        let mut bytes = vec![0; usize::try_from(file.len().at(&place, "measure")?).unwrap_or(0)];
        let read = file.read_at(&mut bytes, 0).at(&place, "read")?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Where a file lies, for programs that read files.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"hello")?;
    /// let path = run.artifacts().local_path("a")?;
    /// assert_eq!(std::fs::read(path).unwrap(), b"hello");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such file, a path that is refused.
    pub fn local_path(&self, path: &str) -> Result<PathBuf> {
        let place = self.place(&parts(path)?)?;
        match self.fs().metadata(&place) {
            Ok(metadata) if metadata.kind == FileKind::File => Ok(place),
            _ => Err(Error::not_found("artifact", path)),
        }
    }
}

/// A name for a file that is not complete yet, or a folder that is being removed.
pub(super) fn unfinished_name(salt: u64) -> String {
    format!("{UNFINISHED}{salt:016x}")
}

/// Whether it is the name of an unfinished file, as [`Artifacts::write`] gives it.
fn is_unfinished(name: &str) -> bool {
    let salt = name.strip_prefix(UNFINISHED).unwrap_or_default();
    salt.len() == 16 && salt.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Shared {
    /// Removes files that were never finished from the artifacts of the run in `dir`, which nobody writes to: those that
    /// no process holds and that have been as they are for a day. Artifacts are also put without a writer of the run, so
    /// that its logs say nothing of them; and a lock may be lost with a connection, which a day of silence is not.
    /// What cannot be removed now is noted, and keeps nothing else from being done.
    pub(super) fn sweep_artifacts(&self, dir: &Path) {
        let root = dir.join(ARTIFACTS);
        // A link leads out of the store.
        if self.env.fs.metadata(&root).is_ok_and(|metadata| metadata.kind == FileKind::Dir) {
            self.sweep_below(root).unwrap_or_else(|error| self.note_once(dir, &error));
        }
    }

    fn sweep_below(&self, root: PathBuf) -> Result<()> {
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            let entries = match self.env.fs.read_dir(&folder) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                entries => entries.at(&folder, "list")?,
            };
            for entry in entries {
                let path = folder.join(&entry.name);
                match entry.kind {
                    // It was to be removed as a whole.
                    FileKind::Dir if is_unfinished(&entry.name) => match self.env.fs.remove_dir_all(&path) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        removed => removed.at(&path, "remove")?,
                    },
                    FileKind::Dir => folders.push(path),
                    FileKind::File if is_unfinished(&entry.name) && self.is_abandoned(&path) => {
                        self.remove_files(std::iter::once(path.as_path()))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What cannot be looked at is left alone.
    fn is_abandoned(&self, path: &Path) -> bool {
        let now_ns = i64::try_from(self.env.clock.now_us().saturating_mul(1000)).unwrap_or(i64::MAX);
        let is_old = |modified_ns: i64| modified_ns < now_ns.saturating_sub(ABANDONED_AFTER_NS);
        self.env.fs.metadata(path).is_ok_and(|metadata| is_old(metadata.modified_ns))
            && self.env.fs.open(path).and_then(|file| file.is_locked()).is_ok_and(|locked| !locked)
    }
}

impl Store {
    /// The artifacts of a run.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"hello")?;
    /// assert_eq!(store.artifacts(run.id())?.list("")?.len(), 1);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such run; system errors.
    pub fn artifacts(&self, id: RunId) -> Result<Artifacts> {
        let entry = self.shared.brief(id)?;
        Ok(Artifacts::new(&self.shared, self.shared.paths.run(entry.experiment_id, id).join(ARTIFACTS)))
    }
}
