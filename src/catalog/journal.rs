//! The catalog file: entries of runs, appended by all processes of the store under its lock.
//!
//! Everything here is derived. A file that is damaged or torn is not mended but rewritten from what the run folders
//! say. Readers take no lock: an entry that is not wholly there yet is read the next time.

use crate::env::{Env, File};
use crate::error::{IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry, encode_many, encode_one, next_entry};
use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::wire::Reader;
use crate::limits;
use crate::types::{FileId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file is rewritten when it has grown by this many bytes, and to twice its size, since it was last.
const MIN_GROWTH_BYTES: u64 = 1 << 20;
/// Metrics of the runs in one compressed entry, the last run apart: enough to compress well, a few MiB at most.
const METRICS_PER_ENTRY: usize = 16_384;

/// The entries that were read so far, and where to read on.
#[derive(Debug)]
pub(crate) struct Journal {
    env: Env,
    path: PathBuf,
    file: Option<(FileId, Arc<dyn File>)>,
    /// End of the entries that were read, in the file of `file`.
    at: u64,
    /// Where the rewritten part ends.
    rewritten: u64,
    /// What this handle knows to be on the medium: the entries up to here, and whether the file under its name. Who wrote
    /// the rest, or gave the file its name, may have died before he synced it.
    durable: u64,
    is_named: bool,
    entries: BTreeMap<RunId, RunEntry>,
    /// True when the file is missing, damaged or torn: it has to be rewritten, after a look at the run folders.
    lost: bool,
}

impl Journal {
    pub(crate) fn new(env: &Env, path: PathBuf) -> Self {
        let env = env.clone();
        Self {
            env,
            path,
            file: None,
            at: 0,
            rewritten: 0,
            durable: 0,
            is_named: false,
            entries: BTreeMap::new(),
            lost: true,
        }
    }

    /// Whether the entries cannot be relied on to be all there are.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the file ends in an entry that is not whole: cut short by a kill, when the caller holds the store's lock.
    pub(crate) fn is_torn(&self) -> Result<bool> {
        match &self.file {
            Some((_, file)) => Ok(file.len().at(&self.path, "measure")? != self.at),
            None => Ok(true),
        }
    }

    pub(crate) fn entries(&self) -> &BTreeMap<RunId, RunEntry> {
        &self.entries
    }

    pub(crate) fn get(&self, run: RunId) -> Option<&RunEntry> {
        self.entries.get(&run)
    }

    /// Reads what other handles and processes have appended or rewritten. Costs two reads when nothing has changed.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let current = self.open_current();
        let Some((file_id, file)) = current else {
            self.lost = true;
            return Ok(());
        };
        if self.file.as_ref().is_none_or(|(known, _)| *known != file_id) {
            self.entries.clear();
            (self.at, self.lost, self.rewritten) = (HEADER_LEN as u64, false, HEADER_LEN as u64);
            (self.durable, self.is_named) = (0, false);
            self.file = Some((file_id, file));
        }
        self.read_on()
    }

    fn open_current(&self) -> Option<(FileId, Arc<dyn File>)> {
        let file = self.env.fs.open_write(&self.path).or_else(|_| self.env.fs.open(&self.path)).ok()?;
        let mut bytes = [0; HEADER_LEN];
        file.read_at(&mut bytes, 0).ok()?;
        let header = Header::decode(&bytes, FileType::Catalog).ok()?;
        Some((header.file_id, file))
    }

    fn read_on(&mut self) -> Result<()> {
        let Some((file_id, file)) = &self.file else { return Ok(()) };
        let len = file.len().at(&self.path, "measure")?;
        if len <= self.at {
            return Ok(());
        }
        if len - self.at > limits::MAX_SECTION_BYTES as u64 {
            // Longer than this code lets it grow between two rewrites: not worth reading.
            self.lost = true;
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(len - self.at).unwrap_or(0)];
        let read = file.read_at(&mut bytes, self.at).at(&self.path, "read")?;
        bytes.truncate(read);
        let (base, mut reader) = (self.at, Reader::new(&bytes));
        loop {
            match next_entry(&mut reader, *file_id, self.at) {
                Ok(Some(runs)) => {
                    self.at = base + reader.position() as u64;
                    if runs.len() > 1 {
                        self.rewritten = self.at;
                    }
                    self.entries.extend(runs.into_iter().map(|run| (run.run_id, run)));
                }
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.lost = true;
                    return Ok(());
                }
            }
        }
    }

    /// Appends an entry. The caller holds the catalog's lock and has called [`Self::refresh`] under it.
    pub(crate) fn append(&mut self, entry: RunEntry, durable: bool) -> Result<()> {
        let grown = self.at > 2 * self.rewritten && self.at - self.rewritten > MIN_GROWTH_BYTES;
        if self.lost || grown || self.is_torn()? {
            self.entries.insert(entry.run_id, entry);
            return self.rewrite();
        }
        let Some((file_id, file)) = &self.file else { return Ok(()) };
        let bytes = encode_one(*file_id, self.at, &entry);
        file.write_at(&bytes, self.at).at(&self.path, "write")?;
        self.at += bytes.len() as u64;
        self.entries.insert(entry.run_id, entry);
        if durable { self.make_durable() } else { Ok(()) }
    }

    /// Makes all entries durable that were read or appended. Costs nothing when they are known to be. A sync that fails is
    /// not tried again: another file takes the place of this one.
    pub(crate) fn make_durable(&mut self) -> Result<()> {
        let synced = self.sync();
        self.lost |= synced.is_err();
        synced
    }

    fn sync(&mut self) -> Result<()> {
        let Some((_, file)) = &self.file else { return Ok(()) };
        if self.durable < self.at {
            file.sync().at(&self.path, "sync")?;
            self.durable = self.at;
        }
        if let (Some(dir), false) = (self.path.parent(), self.is_named) {
            self.env.fs.sync_dir(dir).at(dir, "sync")?;
            self.is_named = true;
        }
        Ok(())
    }

    /// Writes a new file with one entry a run, and takes the name. The caller holds the catalog's lock.
    pub(crate) fn rewrite(&mut self) -> Result<()> {
        let file_id = FileId(self.env.clock.random_id());
        let header = Header::new(FileType::Catalog, file_id, [0; 16]);
        let mut bytes = header.encode().to_vec();
        self.entries.retain(|_, entry| entry.state != EntryState::Removed);
        let entries: Vec<&RunEntry> = self.entries.values().collect();
        let weight = |entry: &RunEntry| match &entry.state {
            EntryState::Settled(summary) => 1 + summary.metrics.len(),
            _ => 1,
        };
        let mut rest = entries.as_slice();
        while !rest.is_empty() {
            let (mut count, mut sum) = (0, 0);
            while count == 0 || (count < rest.len() && sum < METRICS_PER_ENTRY) {
                sum += rest.get(count).map_or(0, |entry| weight(entry));
                count += 1;
            }
            let (runs, more) = rest.split_at(count.min(rest.len()));
            bytes.extend_from_slice(&encode_many(file_id, bytes.len() as u64, runs.iter().copied()));
            rest = more;
        }
        let file = write_new(&self.env, &self.path, &bytes)?;
        (self.at, self.rewritten) = (bytes.len() as u64, bytes.len() as u64);
        (self.durable, self.is_named) = (self.at, true);
        (self.file, self.lost) = (Some((file_id, file)), false);
        Ok(())
    }

    /// Adds entries of runs that are not known, and drops those of ended runs of which there is none, in memory only.
    pub(crate) fn match_folders(&mut self, entries: Vec<RunEntry>) {
        let there: BTreeSet<RunId> = entries.iter().map(|entry| entry.run_id).collect();
        self.entries.retain(|run, entry| !entry.is_settled() || there.contains(run));
        for entry in entries {
            self.entries.entry(entry.run_id).or_insert(entry);
        }
    }

    /// Replaces everything that is known; followed by [`Self::rewrite`] this is the rebuilt catalog.
    pub(crate) fn replace(&mut self, entries: Vec<RunEntry>) {
        self.entries = entries.into_iter().map(|entry| (entry.run_id, entry)).collect();
    }
}

/// Writes a whole file durably beside `path` and gives it the name: readers see the old file or the new one. What cannot
/// be finished is removed: on a full disk a part of a file is room that others need.
pub(crate) fn write_new(env: &Env, path: &Path, bytes: &[u8]) -> Result<Arc<dyn File>> {
    let temporary = path.with_extension("tw-new");
    // Left behind by a process that died at this point; the lock makes it nobody's.
    let _ = env.fs.remove_file(&temporary);
    let written = write_and_name(env, &temporary, path, bytes);
    if written.is_err() {
        let _ = env.fs.remove_file(&temporary);
    }
    written
}

fn write_and_name(env: &Env, temporary: &Path, path: &Path, bytes: &[u8]) -> Result<Arc<dyn File>> {
    let file = env.fs.create_new(temporary).at(temporary, "create")?;
    file.write_at(bytes, 0).at(temporary, "write")?;
    file.sync().at(temporary, "sync")?;
    env.fs.rename(temporary, path).at(path, "name")?;
    if let Some(dir) = path.parent() {
        env.fs.sync_dir(dir).at(dir, "sync")?;
    }
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::env::sim::SimDisk;

    #[test]
    fn a_file_that_has_no_room_leaves_no_part_of_it() {
        let disk = SimDisk::new(1);
        let env = disk.process();
        let path = Path::new("/catalog.tw");
        write_new(&env, path, b"the old one").unwrap();
        disk.set_capacity(disk.used() + 4096);
        assert!(write_new(&env, path, &[1; 100_000]).is_err());
        assert_eq!(disk.files().into_iter().map(|(path, _)| path).collect::<Vec<_>>(), [path]);
        assert_eq!(disk.contents(path), b"the old one");
    }
}
