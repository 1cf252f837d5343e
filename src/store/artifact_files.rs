//! Artifacts one by one: put from a stream, open for reading, deleted.
//!
//! A deleted folder is first renamed to an unfinished name, which listings pass over: so it goes at once, however much is in
//! it, and what a process that died leaves of it is swept like an unfinished file.

use super::artifacts::{Artifacts, COPY_BYTES, parts, unfinished_name};
use super::open::sync_up;
use crate::env::{File, FileKind};
use crate::error::{Error, IoContext, Result};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// An artifact that is open for reading. It stays readable when another file takes its name.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = trackway::Store::open(dir.path().join("s"))?;
/// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
/// run.artifacts().put_bytes("a", b"hello")?;
/// let file = run.artifacts().open("a")?;
/// let mut middle = [0; 3];
/// assert_eq!((file.len(), file.read_at(&mut middle, 1)?, &middle), (5, 3, b"ell"));
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArtifactFile {
    file: Arc<dyn File>,
    place: PathBuf,
    len: u64,
}

impl ArtifactFile {
    /// Its length in bytes.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"hello")?;
    /// assert_eq!(run.artifacts().open("a")?.len(), 5);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"")?;
    /// assert!(run.artifacts().open("a")?.is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads from an offset until `buffer` is full or the file ends; returns the number of bytes.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"hello")?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(run.artifacts().open("a")?.read_at(&mut buffer, 3)?, 2);
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset).at(&self.place, "read")
    }
}

impl Artifacts {
    /// Writes a file from a stream, to its end. Memory is bounded whatever its length; when the stream fails, nothing has
    /// changed.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// let mut stream = std::io::Cursor::new(b"hello");
    /// assert_eq!(run.artifacts().put_reader("a", &mut stream)?, 5);
    /// assert_eq!(run.artifacts().read("a")?, b"hello");
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::put_bytes`], and when `from` fails.
    pub fn put_reader(&self, path: &str, from: &mut dyn Read) -> Result<u64> {
        let mut written = 0;
        self.write(path, &mut |buffer| {
            // By hand: `read_to_end` would ask a stream that has ended once more, and some do not bear that.
            buffer.resize(COPY_BYTES, 0);
            let mut filled = 0;
            while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
                match from.read(room) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::io(path.as_ref(), "read the stream for", error)),
                }
            }
            buffer.truncate(filled);
            written += filled as u64;
            Ok(())
        })?;
        Ok(written)
    }

    /// Opens a file for reading.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("a", b"hello")?;
    /// assert_eq!(run.artifacts().open("a")?.len(), 5);
    /// assert!(run.artifacts().open("b").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such file, a path that is refused, system errors.
    pub fn open(&self, path: &str) -> Result<ArtifactFile> {
        let place = self.local_path(path)?;
        let file = match self.fs().open(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::not_found("artifact", path)),
            file => file.at(&place, "open")?,
        };
        let len = file.len().at(&place, "measure")?;
        Ok(ArtifactFile { file, place, len })
    }

    /// Deletes a file, or a folder with all that is in it (the empty path: everything). Durable when it returns.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// # let run = store.create_run(trackway::NewRun::new(trackway::ExperimentId::DEFAULT))?;
    /// run.artifacts().put_bytes("model/weights.bin", b"weights")?;
    /// run.artifacts().delete("model")?;
    /// assert!(run.artifacts().list("")?.is_empty());
    /// assert!(run.artifacts().delete("model").is_err());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is nothing of this name, a path that is refused, a read-only store, system errors.
    pub fn delete(&self, path: &str) -> Result<()> {
        self.check_writable()?;
        let parts = parts(path)?;
        let place = self.place(&parts)?;
        let missing = || Error::not_found("artifact", path);
        let kind = match self.fs().metadata(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            metadata => metadata.at(&place, "look at")?.kind,
        };
        if parts.is_empty() {
            let all = self.list("")?;
            return all.iter().try_for_each(|artifact| self.delete(&artifact.path));
        }
        let Some(dir) = place.parent() else { return Err(missing()) };
        match kind {
            FileKind::File => {
                self.fs().remove_file(&place).at(&place, "remove")?;
                self.sync(dir)
            }
            FileKind::Dir => {
                let leaving = dir.join(unfinished_name(self.random()));
                self.fs().rename(&place, &leaving).at(&place, "remove")?;
                self.sync(dir)?;
                self.fs().remove_dir_all(&leaving).at(&leaving, "remove")
            }
            // A link leads out of the store; it is nobody's artifact.
            FileKind::Other => Err(missing()),
        }
    }

    fn sync(&self, dir: &std::path::Path) -> Result<()> {
        let shared = self.shared();
        sync_up(&shared.env, dir, shared.paths.root())
    }
}
