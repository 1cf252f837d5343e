//! The catalog file: an index of ended runs where they are many, then entries, appended by all processes of the store under its lock.
//!
//! Everything here is derived. A file that is damaged or torn is not mended but rewritten from what the run folders
//! say. Readers take no lock: an entry that is not wholly there yet is read the next time. The index is a snapshot of its
//! moment, and whatever entries follow overrule it. It may turn out to be damaged when a part of it is first used: the
//! journal is *lost* from then on, and who uses it makes it anew.

use super::build;
use super::index::{Group, Index};
use super::known::{Brief, Known, KnownState};
use super::view::{Catalog, Hidden};
use crate::env::{Env, File};
use crate::error::{Error, IoContext, Result};
use crate::format::catalog::{EntryState, RunEntry, encode_many, encode_one, next_entry};
use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::wire::Reader;
use crate::limits;
use crate::types::{ExperimentId, FileId, Run, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file is rewritten when the entries have grown by this many bytes, and to a quarter of the index: what they say is
/// kept in memory.
const MIN_GROWTH_BYTES: u64 = 1 << 20;
/// Runs, and metrics of them, in one compressed entry, the last run apart: enough to compress well, a few MiB at most.
const WEIGHT_OF_ENTRY: usize = 16_384;
/// Of fewer ended runs, with fewer metrics in all, no index is made: packed entries take half the room, and to ask each of
/// these runs takes no time to speak of.
const INDEX_FROM_RUNS: usize = 1000;
const INDEX_FROM_METRICS: usize = 1 << 15;

/// What was read so far, and where to read on.
#[derive(Debug)]
pub(crate) struct Journal {
    env: Env,
    path: PathBuf,
    file: Option<(FileId, Arc<dyn File>)>,
    /// End of the entries that were read, in the file of `file`.
    at: u64,
    /// Where the index ends and the entries begin.
    begin: u64,
    /// End of what was written with the file, or of what was there when it could not be written anew.
    settled_at: u64,
    /// What this handle knows to be on the medium: the entries up to here, and whether the file under its name. Who wrote
    /// the rest, or gave the file its name, may have died before he synced it.
    durable: u64,
    is_named: bool,
    index: Option<Arc<Index>>,
    /// The rows of the index that `later` overrules.
    hidden: Arc<Hidden>,
    later: BTreeMap<RunId, Arc<Known>>,
    /// True when the file is missing, damaged or torn: it has to be rewritten, after a look at the run folders.
    lost: bool,
    /// [`INDEX_FROM_RUNS`], but in tests.
    index_from: usize,
}

impl Journal {
    pub(crate) fn new(env: &Env, path: PathBuf) -> Self {
        let env = env.clone();
        Self {
            env,
            path,
            file: None,
            at: 0,
            begin: 0,
            settled_at: 0,
            durable: 0,
            is_named: false,
            index: None,
            hidden: Arc::default(),
            later: BTreeMap::new(),
            lost: true,
            index_from: INDEX_FROM_RUNS,
        }
    }

    /// Makes an index from this many ended runs on.
    pub(crate) fn index_from(mut self, runs: usize) -> Self {
        self.index_from = runs;
        self
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

    /// Damage of the index makes the journal lost.
    fn noted<T>(&mut self, result: Result<T>) -> Result<T> {
        self.lost |= matches!(result, Err(Error::Corrupt { .. }));
        result
    }

    /// The row of a run, unless a later entry overrules it.
    fn row(&self, run: RunId) -> Result<Option<(&Index, usize)>> {
        let Some(index) = self.index.as_deref() else { return Ok(None) };
        Ok(index.find(run)?.filter(|row| !self.hidden.contains(*row)).map(|row| (index, row)))
    }

    /// Asks the group of a run, which is at a row of it.
    fn ask_index<T>(&mut self, run: RunId, ask: impl Fn(Group<'_>, usize) -> Result<Option<T>>) -> Result<Option<T>> {
        let found = self.row(run).and_then(|found| {
            let Some((index, row)) = found else { return Ok(None) };
            let (group, at) = index.place(row)?;
            ask(group, at)
        });
        self.noted(found)
    }

    /// What is known of a run. Cost: of one in the index, a block of 128 is unpacked.
    pub(crate) fn entry(&mut self, run: RunId) -> Result<Option<RunEntry>> {
        if let Some(known) = self.later.get(&run) {
            return Ok(Some(known.to_entry()));
        }
        self.ask_index(run, |group, at| Ok(group.entries(&[at])?.pop()))
    }

    /// Where a run is and how far the catalog can be believed about it.
    pub(crate) fn brief(&mut self, run: RunId) -> Result<Option<Brief>> {
        if let Some(known) = self.later.get(&run) {
            return Ok(Some(known.brief()));
        }
        self.ask_index(run, |group, at| Ok(group.briefs([at])?.pop()))
    }

    /// The run, when the catalog knows all of it.
    pub(crate) fn settled_run(&mut self, run: RunId) -> Result<Option<Run>> {
        if let Some(known) = self.later.get(&run) {
            return Ok(known.settled().cloned());
        }
        self.ask_index(run, |group, at| Ok(group.runs(&[at])?.pop()))
    }

    /// Every run that was not removed, and those of which the removal is said here. By id.
    pub(crate) fn briefs(&mut self) -> Result<Vec<Brief>> {
        let briefs = self.view().briefs();
        self.noted(briefs)
    }

    /// The runs of which the files have to be asked.
    pub(crate) fn unsettled(&self) -> Vec<Brief> {
        self.later.values().map(|known| known.brief()).filter(Brief::is_unsettled).collect()
    }

    /// All that is known at this moment, to be looked at without the journal's lock.
    pub(crate) fn view(&self) -> Catalog {
        Catalog {
            index: self.index.clone(),
            hidden: Arc::clone(&self.hidden),
            later: self.later.values().cloned().collect(),
        }
    }

    /// The index is not to be believed.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
    }

    /// The index that was looked at is not to be believed, unless another one has taken its place.
    pub(crate) fn lose_index_of(&mut self, catalog: &Catalog) {
        let same = |(ours, theirs): (&Arc<Index>, &Arc<Index>)| Arc::ptr_eq(ours, theirs);
        self.lost |= self.index.as_ref().zip(catalog.index.as_ref()).is_some_and(same);
    }

    /// Reads what other handles and processes have appended or rewritten. Costs two reads when nothing has changed.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let was_lost = self.lost && self.file.is_some();
        self.look()?;
        if self.lost && !was_lost {
            // A bit can flip on its way from the medium: all of it is read again before that is believed, since making it
            // anew takes a look at every run, and who does so knows of none whether it is due.
            self.file = None;
            self.look()?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        let Some((header, file)) = self.open_current()? else {
            self.lost = true;
            return Ok(());
        };
        if self.file.as_ref().is_none_or(|(known, _)| *known != header.file_id) {
            self.begin(header, file)?;
        }
        self.read_on()
    }

    /// `None` when there is none or it cannot be read. That this process has no room for one more file says nothing of it.
    fn open_current(&self) -> Result<Option<(Header, Arc<dyn File>)>> {
        let file = match self.env.fs.open_write(&self.path).or_else(|_| self.env.fs.open(&self.path)) {
            Err(error) if is_want_of_room(&error) => return Err(error).at(&self.path, "open"),
            Err(_) => return Ok(None),
            Ok(file) => file,
        };
        let mut bytes = [0; HEADER_LEN];
        if file.read_at(&mut bytes, 0).is_err() {
            return Ok(None);
        }
        Ok(Header::decode(&bytes, FileType::Catalog).ok().map(|header| (header, file)))
    }

    /// Begins with another file.
    fn begin(&mut self, header: Header, file: Arc<dyn File>) -> Result<()> {
        self.later.clear();
        (self.index, self.hidden) = (None, Arc::default());
        // Until all of this is done, nothing is known.
        self.lost = true;
        (self.begin, self.durable, self.is_named) = (HEADER_LEN as u64, 0, false);
        let mut is_whole = true;
        if let Some(root_at) = root_at(&header) {
            match Index::open(&*file, &self.path, header.file_id, root_at) {
                Ok((index, end)) => {
                    self.hidden = Arc::new(Hidden::new(index.rows()));
                    (self.begin, self.index) = (end, Some(Arc::new(index)));
                }
                Err(Error::Corrupt { .. }) => is_whole = false,
                Err(error) => return Err(error),
            }
        }
        (self.at, self.settled_at, self.lost) = (self.begin, self.begin, !is_whole);
        self.file = Some((header.file_id, file));
        self.read_on()
    }

    fn read_on(&mut self) -> Result<()> {
        let Some((file_id, file)) = &self.file else { return Ok(()) };
        let len = file.len().at(&self.path, "measure")?;
        if len <= self.at || self.lost {
            return Ok(());
        }
        if len - self.at > limits::MAX_SECTION_BYTES as u64 {
            // Longer than this code lets it grow between two rewrites: not worth reading.
            self.lost = true;
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(len - self.at).unwrap_or(0)];
        match file.read_at(&mut bytes, self.at) {
            Ok(read) => bytes.truncate(read),
            // Derived: what the medium refuses is made anew.
            Err(_) => {
                self.lost = true;
                return Ok(());
            }
        }
        let (file_id, base, mut reader) = (*file_id, self.at, Reader::new(&bytes));
        loop {
            match next_entry(&mut reader, file_id, self.at) {
                Ok(Some(runs)) => {
                    self.at = base + reader.position() as u64;
                    if runs.len() > 1 {
                        // Only who writes the file anew puts many into one entry.
                        self.settled_at = self.at;
                    }
                    for run in runs {
                        match Known::new(run) {
                            Some(known) => self.learn(known)?,
                            None => self.lost = true,
                        }
                    }
                }
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.lost = true;
                    return Ok(());
                }
            }
        }
    }

    /// Overrules what was known of a run.
    fn learn(&mut self, known: Known) -> Result<()> {
        let row = self.row(known.run_id).map(|found| found.map(|(_, row)| row));
        match row {
            Ok(Some(row)) => Arc::make_mut(&mut self.hidden).insert(row),
            Ok(None) => {}
            // The row cannot be told from others any more.
            Err(Error::Corrupt { .. }) => self.lost = true,
            Err(error) => return Err(error),
        }
        self.later.insert(known.run_id, Arc::new(known));
        Ok(())
    }

    /// Appends an entry. The caller holds the catalog's lock and has called [`Self::refresh`] under it.
    pub(crate) fn append(&mut self, entry: RunEntry, durable: bool) -> Result<()> {
        let is_anew = self.lost || self.is_torn()?;
        let bytes = match &self.file {
            Some((file_id, _)) if !is_anew => encode_one(*file_id, self.at, &entry),
            _ => Vec::new(),
        };
        let Some(known) = Known::new(entry) else {
            return Err(Error::corrupt(&self.path, self.at, "the records about a run cannot be read"));
        };
        if is_anew {
            let rewritten = self.learn(known).and_then(|()| self.rewrite());
            if rewritten.is_err() {
                // What is known here is in no file: the next look begins with what is.
                (self.file, self.lost) = (None, true);
            }
            return rewritten;
        }
        let Some((_, file)) = &self.file else { return Ok(()) };
        file.write_at(&bytes, self.at).at(&self.path, "write")?;
        self.at += bytes.len() as u64;
        self.learn(known)?;
        if durable {
            self.make_durable()?;
        }
        if self.at - self.settled_at > MIN_GROWTH_BYTES.max(self.settled_at / 4) && self.rewrite().is_err() {
            // The entry is in the file all the same. The next try is after as many more.
            self.settled_at = self.at;
        }
        Ok(())
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

    /// Writes a new file, with an index of all ended runs, and takes the name. The caller holds the catalog's lock.
    pub(crate) fn rewrite(&mut self) -> Result<()> {
        let file_id = FileId(self.env.clock.random_id());
        let made = self.new_content(file_id);
        let bytes = self.noted(made)?;
        let file = write_new(&self.env, &self.path, &bytes)?;
        let header =
            Header::decode(&bytes, FileType::Catalog).unwrap_or(Header::new(FileType::Catalog, file_id, [0; 16]));
        self.begin(header, Arc::clone(&file))?;
        if self.lost {
            // A bit can flip on its way: nothing may be appended to what was not read to its end, nor be written anew of it.
            self.begin(header, file)?;
        }
        if self.lost {
            return Err(Error::corrupt(&self.path, self.at, "what was just written reads otherwise"));
        }
        (self.durable, self.is_named) = (self.at, true);
        Ok(())
    }

    fn new_content(&self, file_id: FileId) -> Result<Vec<u8>> {
        let mut settled: Vec<RunEntry> = Vec::new();
        let mut others: Vec<RunEntry> = Vec::new();
        for known in self.later.values() {
            match known.state {
                KnownState::Settled(_) => settled.push(known.to_entry()),
                KnownState::Unsettled => others.push(known.to_entry()),
                KnownState::Removed => {}
            }
        }
        let index = self.index.as_deref();
        let groups = index.into_iter().flat_map(Index::groups).collect::<Result<Vec<Group<'_>>>>()?;
        let last = groups.len().saturating_sub(1);
        let (mut kept, mut loose) = (Vec::new(), Vec::new());
        for (number, group) in groups.into_iter().enumerate() {
            let first = group.first_row();
            let left: Vec<usize> = (0..group.rows()).filter(|row| !self.hidden.contains(first + row)).collect();
            // A small group at the end is filled up.
            let is_open = number == last && build::is_open(&group) && !settled.is_empty();
            if left.len() == group.rows() && !is_open {
                kept.push(group)
            } else {
                loose.append(&mut group.entries(&left)?)
            }
        }
        // Those that were there before come first: a group is of one time, about.
        loose.append(&mut settled);
        let head = Header::new(FileType::Catalog, file_id, [0; 16]).encode().to_vec();
        let (mut bytes, mut left_out) = (head.clone(), BTreeSet::new());
        let metrics: usize = loose.iter().map(weight).sum();
        if index.is_none() && loose.len() < self.index_from && metrics < INDEX_FROM_METRICS {
            others.append(&mut loose);
        }
        if !(kept.is_empty() && loose.is_empty()) {
            let (content, root_at, out) = build::encode(file_id, head, &kept, &loose)?;
            (bytes, left_out) = (content, out);
            let mut owner = [0; 16];
            owner.iter_mut().zip(root_at.to_le_bytes()).for_each(|(to, from)| *to = from);
            let header = Header::new(FileType::Catalog, file_id, owner).encode();
            bytes.iter_mut().zip(header).for_each(|(to, from)| *to = from);
        }
        let ask = |entry: &RunEntry| RunEntry { state: EntryState::Unsettled, ..entry.clone() };
        others.extend(loose.iter().filter(|entry| left_out.contains(&entry.run_id)).map(ask));
        let mut rest = others.as_slice();
        while !rest.is_empty() {
            let mut sum = 0;
            let fits = |entry: &&RunEntry| {
                sum += weight(entry);
                sum < WEIGHT_OF_ENTRY
            };
            let count = (rest.iter().take_while(fits).count() + 1).min(rest.len());
            let (runs, more) = rest.split_at(count);
            let entry = encode_many(file_id, bytes.len() as u64, runs);
            bytes.extend_from_slice(&entry);
            rest = more;
        }
        Ok(bytes)
    }

    /// Whether there are folders of exactly the runs that are known, and nothing else is to be said of them. `folders`
    /// ascend by id. Cost: one pass.
    pub(crate) fn has_just(&mut self, folders: impl ExactSizeIterator<Item = (RunId, ExperimentId)>) -> Result<bool> {
        let known = match (&self.index, self.later.is_empty() && !self.lost) {
            (Some(index), true) if index.rows() == folders.len() => index.sorted_places(),
            _ => return Ok(false),
        };
        Ok(self.noted(known)?.into_iter().eq(folders))
    }

    /// Adds runs that are not known, to be asked themselves, and drops ended runs that are not there, in memory only. `runs`
    /// ascend by id. `unread`: experiments of which there may be more runs than these.
    pub(crate) fn match_folders(&mut self, runs: &[(RunId, ExperimentId)], unread: &[ExperimentId]) -> Result<()> {
        if self.has_just(runs.iter().copied())? {
            return Ok(());
        }
        let briefs = self.briefs()?;
        let known: BTreeSet<(RunId, ExperimentId)> =
            briefs.iter().map(|brief| (brief.run_id, brief.experiment_id)).collect();
        let is_there = |run: RunId| runs.binary_search_by_key(&run, |(run, _)| *run).is_ok();
        for brief in briefs {
            if brief.is_settled() && !is_there(brief.run_id) && !unread.contains(&brief.experiment_id) {
                self.learn(Known::removed(brief.run_id, brief.experiment_id))?;
            }
        }
        for (run_id, experiment_id) in runs.iter().copied().filter(|run| !known.contains(run)) {
            let unsettled = RunEntry { run_id, experiment_id, state: EntryState::Unsettled };
            if let Some(unsettled) = Known::new(unsettled) {
                self.learn(unsettled)?;
            }
        }
        Ok(())
    }

    /// Replaces everything that is known; followed by [`Self::rewrite`] this is the rebuilt catalog.
    pub(crate) fn replace(&mut self, entries: Vec<RunEntry>) {
        (self.index, self.hidden) = (None, Arc::default());
        self.later = entries.into_iter().filter_map(Known::new).map(|known| (known.run_id, Arc::new(known))).collect();
    }
}

fn weight(entry: &RunEntry) -> usize {
    match &entry.state {
        EntryState::Settled(summary) => 1 + summary.metrics.len(),
        _ => 1,
    }
}

/// Whether the system refuses for want of memory or of places for open files (ENFILE, EMFILE).
fn is_want_of_room(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(23 | 24))
}

/// Where the root of the index lies, if the file has one.
pub(crate) fn root_at(header: &Header) -> Option<u64> {
    let at = Reader::new(&header.owner).u64("root of the index").unwrap_or(0);
    (at > 0).then_some(at)
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
