//! Files that have their name only once they are whole.

use crate::error::{Error, Result};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// A file being written, under a temporary name beside its own. [`OutputFile::commit`] gives it its name; dropped before
/// that, it goes without a trace, and what had the name before is still there. A process that is killed leaves the
/// temporary file: `.NAME.` and some letters, ending in `.part`.
///
/// ```
/// use std::io::Write as _;
/// use trackway_arrow::OutputFile;
///
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("points.csv");
/// let mut file = OutputFile::create(&path).unwrap();
/// file.write_all(b"run,key,step,timestamp_ms,value\n")?;
/// assert!(!path.exists());
/// file.commit().unwrap();
/// assert!(path.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct OutputFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl OutputFile {
    /// Begins a file that is to be at `path`. A link there is followed.
    ///
    /// ```
    /// use trackway_arrow::{Error, OutputFile};
    /// assert!(matches!(OutputFile::create("no/such/folder/points.arrow"), Err(Error::Io { .. })));
    /// # let dir = tempfile::tempdir()?;
    /// assert!(matches!(OutputFile::create(dir.path()), Err(Error::NotAFile { .. })));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAFile`] when something else has the name, system errors.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let path = match std::fs::metadata(path) {
            Ok(there) if there.is_file() => std::fs::canonicalize(path).map_err(failed("find", path))?,
            Ok(there) => {
                let what = if there.is_dir() { "a folder" } else { "a device or a pipe" };
                return Err(Error::NotAFile { path: path.to_path_buf(), what });
            }
            Err(_) => path.to_path_buf(),
        };
        let Some(name) = path.file_name() else { return Err(Error::NotAFile { path, what: "no name" }) };
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".part");
        // As any new file; without it nobody but its owner could read it.
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let file = builder.tempfile_in(folder(&path)).map_err(failed("create", &path))?;
        Ok(Self { file, path })
    }

    /// Makes what was written durable and gives the file its name.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("empty");
    /// trackway_arrow::OutputFile::create(&path).unwrap().commit().unwrap();
    /// assert_eq!(std::fs::read(&path)?, b"");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// System errors; the file does not have its name then, unless it was its folder that could not be synced.
    pub fn commit(self) -> Result<()> {
        let Self { file, path } = self;
        // A name that survives a power loss must not stand for bytes that do not.
        file.as_file().sync_all().map_err(failed("sync", &path))?;
        file.persist(&path).map_err(|error| failed("rename", &path)(error.error))?;
        let folder = folder(&path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
    }

    /// The name that it will have.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("points.csv");
    /// assert_eq!(trackway_arrow::OutputFile::create(&path).unwrap().path(), path);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { path, action, source }
}
