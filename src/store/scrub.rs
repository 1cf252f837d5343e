//! Reads over the sealed files from time to time, so that damage is known while there are other copies of what it hit.
//!
//! A *pass* reads every column of every segment once, run by run, and begins at a run by chance: processes that do not live
//! long enough for a whole pass do not all read the same files. Logs are left out: they are read when they are sealed.

use super::packs::place_of;
use super::paths::{RunEntryName, parse_run_entry};
use super::verify::SegmentCheck;
use super::{Shared, Store, lock};
use crate::error::{Error, IoContext, Result};
use crate::segment::SegmentPlace;
use crate::types::{ExperimentId, RunId};

/// So many bytes a second are read in the background: a tenth or less of what a disk gives.
const BYTES_A_SECOND: u64 = 8 << 20;
/// Time that was slept away, or worked on other things, is not made up for.
const MAX_PAUSE_US: u64 = 1_000_000;
/// What looking at a folder, or opening a file, counts for.
const OPENING_BYTES: u64 = 4096;

/// How far the pass has come, and when to go on.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    under_way: bool,
    /// Runs that are still to be read; the next one is the last.
    runs: Vec<(ExperimentId, RunId)>,
    /// The run that is being read, and its segments that are still to be.
    run: Option<RunId>,
    segments: Vec<SegmentPlace>,
    check: Option<SegmentCheck>,
    /// When the background last read, and when its next pass begins.
    last_us: Option<u64>,
    next_pass_us: u64,
}

impl Store {
    /// Reads on over the sealed files, about `bytes` of them, and notes the damage it finds in [`Self::incidents`], each
    /// place once. Returns true when all were read; the next call then begins anew.
    ///
    /// What [`StoreOptions::scrub`](crate::StoreOptions::scrub) does in the background, for whoever knows better when
    /// there is time for it. The store may be open for reading only.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = trackway::Store::open(dir.path().join("s"))?;
    /// while !store.scrub(1 << 20)? {} // a MiB at a time
    /// assert!(store.incidents().is_empty());
    /// # Ok::<(), trackway::Error>(())
    /// ```
    ///
    /// # Errors
    /// When folders cannot be listed. Damage is no error here.
    pub fn scrub(&self, bytes: u64) -> Result<bool> {
        self.shared.scrub_on(&mut lock(&self.shared.scrub), bytes)
    }
}

impl Shared {
    /// Reads on in the background, as far as the time that has passed allows.
    pub(super) fn scrub_in_time(&self) -> Result<()> {
        let Some(every) = self.options.scrub else { return Ok(()) };
        let now = self.env.clock.monotonic_us();
        let mut scrub = lock(&self.scrub);
        let passed = now.saturating_sub(scrub.last_us.replace(now).unwrap_or(now)).min(MAX_PAUSE_US);
        // What was logged is more urgent.
        let is_busy = !lock(&self.retired).is_empty() || !lock(&self.to_settle).is_empty();
        if is_busy || (!scrub.under_way && now < scrub.next_pass_us) {
            return Ok(());
        }
        if !scrub.under_way {
            scrub.next_pass_us = now.saturating_add(u64::try_from(every.as_micros()).unwrap_or(u64::MAX));
        }
        self.scrub_on(&mut scrub, BYTES_A_SECOND * passed / 1_000_000).map(|_| ())
    }

    fn scrub_on(&self, scrub: &mut Scrub, bytes: u64) -> Result<bool> {
        if !scrub.under_way {
            scrub.runs = self.runs_on_disk()?.into_iter().map(|(run, experiment)| (experiment, run)).collect();
            let first = self.env.clock.random() as usize % scrub.runs.len().max(1);
            scrub.runs.rotate_left(first);
            scrub.under_way = true;
        }
        let mut spent = 0;
        while spent < bytes {
            match self.scrub_piece(scrub)? {
                Some(read) => spent += read,
                None => {
                    scrub.under_way = false;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Reads the next column, or opens the next segment, or lists the next run; `None` when there is no further one.
    fn scrub_piece(&self, scrub: &mut Scrub) -> Result<Option<u64>> {
        if let Some(check) = &mut scrub.check {
            match check.next() {
                Some((read, checked)) => {
                    checked.unwrap_or_else(|error| self.note_damage(&error));
                    return Ok(Some(read));
                }
                None => scrub.check = None,
            }
        }
        if let Some((place, run)) = scrub.segments.pop().zip(scrub.run) {
            match SegmentCheck::open(self, &place, run) {
                Ok(check) => scrub.check = Some(check),
                // Compacted or removed since it was listed.
                Err(error) if error.is_missing_file() => {}
                Err(error) => self.note_damage(&error),
            }
            return Ok(Some(OPENING_BYTES));
        }
        let Some((experiment, run)) = scrub.runs.pop() else { return Ok(None) };
        let dir = self.paths.run(experiment, run);
        let entries = match self.env.fs.read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            entries => entries.at(&dir, "list")?,
        };
        let segments = entries.iter().filter(|entry| parse_run_entry(&entry.name) == RunEntryName::Segment);
        let mut places: Vec<_> = segments.map(|entry| SegmentPlace::file(&dir.join(&entry.name))).collect();
        places.extend(self.packs(experiment)?.pieces_of(run).map(|(pack, piece)| place_of(pack, &piece)));
        (scrub.run, scrub.segments) = (Some(run), places);
        Ok(Some(OPENING_BYTES))
    }

    /// Notes a damaged place, once.
    fn note_damage(&self, error: &Error) {
        let Error::Corrupt { path, offset, reason } = error else {
            return self.note_once(self.paths.root(), error);
        };
        let is_known = |known: &super::Incident| (&known.path, known.offset) == (path, *offset);
        if !lock(&self.incidents).iter().any(is_known) {
            self.note_incident(path, *offset, format!("{reason}; `verify` lists all damage, a repair sets it aside"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "scrub_tests.rs"]
mod tests;
