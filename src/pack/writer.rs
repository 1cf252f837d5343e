//! Writes one pack, front to back: segments by run, directory, trailer; then makes it durable, then gives it its name.

use crate::env::{Env, File};
use crate::error::{Error, IoContext, Result};
use crate::format::pack::{Piece, encode_end, pack_header};
use crate::types::{ExperimentId, FileId, RunId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes are handed to the system in pieces of this length.
const BUFFER_BYTES: usize = 1 << 20;

/// A pack in the making. Dropped before [`Self::finish`], it leaves a temporary file that is removed at once.
#[derive(Debug)]
pub(crate) struct PackWriter {
    env: Env,
    path: PathBuf,
    temporary: PathBuf,
    file: Arc<dyn File>,
    file_id: FileId,
    buffer: Vec<u8>,
    /// File offset of the first byte of `buffer`.
    buffer_at: u64,
    pieces: Vec<Piece>,
    named: bool,
}

impl PackWriter {
    /// Begins the pack that will be `path`.
    pub(crate) fn create(env: &Env, path: &Path, experiment: ExperimentId) -> Result<Self> {
        let temporary = path.with_extension("pack-new");
        let file = env.fs.create_new(&temporary).at(&temporary, "create")?;
        let file_id = FileId(env.clock.random_id());
        Ok(Self {
            env: env.clone(),
            path: path.to_path_buf(),
            temporary,
            file,
            file_id,
            buffer: pack_header(file_id, experiment).encode().to_vec(),
            buffer_at: 0,
            pieces: Vec::new(),
            named: false,
        })
    }

    /// Adds a whole segment of a run that does not come before the last one's.
    pub(crate) fn push(&mut self, run: RunId, segment: &[u8]) -> Result<()> {
        if self.pieces.last().is_some_and(|last| last.run > run) {
            return Err(Error::invalid("pack", "its runs must be in order"));
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.spill()?;
        }
        let start = self.len();
        self.buffer.extend_from_slice(segment);
        self.pieces.push(Piece { run, start, end: self.len() });
        Ok(())
    }

    /// How long it is so far, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.buffer_at + self.buffer.len() as u64
    }

    fn spill(&mut self) -> Result<()> {
        self.file.write_at(&self.buffer, self.buffer_at).at(&self.temporary, "write")?;
        self.buffer_at = self.len();
        self.buffer.clear();
        Ok(())
    }

    /// Writes directory and trailer, makes the file durable, names it, and makes the name durable.
    pub(crate) fn finish(mut self) -> Result<PathBuf> {
        let end = encode_end(self.file_id, &self.pieces);
        self.buffer.extend_from_slice(&end);
        self.spill()?;
        self.file.sync().at(&self.temporary, "sync")?;
        self.env.fs.rename(&self.temporary, &self.path).at(&self.path, "name")?;
        self.named = true;
        if let Some(dir) = self.path.parent() {
            self.env.fs.sync_dir(dir).at(dir, "sync")?;
        }
        Ok(self.path.clone())
    }
}

impl Drop for PackWriter {
    fn drop(&mut self) {
        if !self.named {
            // An unfinished pack has no reader; if even this fails, the next one to write packs sweeps it up.
            let _ = self.env.fs.remove_file(&self.temporary);
        }
    }
}
