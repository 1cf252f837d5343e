//! Writes packs: new ones from others, merged, without what no longer counts. The caller holds the lock of compaction.
//!
//! Order that makes a crash at any point harmless: the new packs are durable and have their names before an old one is
//! removed; until then a segment is in both. What is left out is elsewhere, durably and whole, before the old pack goes.
//! Segments are copied as they are, with their checksums: what was damaged can be told to be so afterwards.

use super::Shared;
use super::open::{check_store_file, write_store_file};
use super::packs::{Packs, place_of};
use super::paths::pack_name;
use super::quarantine::{copy_aside, move_aside};
use super::repair::Repair;
use super::run_files::RunFiles;
use crate::env::FileKind;
use crate::env::sync::atomic::Ordering;
use crate::error::{IoContext, Result};
use crate::format::header::PACKS;
use crate::format::pack::Piece;
use crate::pack::{PackReader, PackWriter};
use crate::segment::SegmentPlace;
use crate::types::{ExperimentId, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A pack is ended when it is this long.
const MAX_PACK_BYTES: u64 = 128 << 20;
/// So many packs of about the same size become one.
pub(super) const FAN_IN: usize = 8;
/// A pack of which this part no longer counts is written anew: one in so many bytes.
const DEAD_PART: u64 = 4;

/// Which packs to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// Where there are many of about the same size.
    Tiers,
    /// All that are not large, and those of which much is dead.
    All,
}

type Kept<'a> = &'a dyn Fn(&PackReader, &Piece) -> bool;

/// A pack that is begun with the first segment that comes: without one no file is made.
pub(super) struct NextPack<'a> {
    shared: &'a Shared,
    experiment: ExperimentId,
    writer: Option<PackWriter>,
}

impl<'a> NextPack<'a> {
    pub(super) fn new(shared: &'a Shared, experiment: ExperimentId) -> Self {
        Self { shared, experiment, writer: None }
    }

    /// Adds a whole segment of a run that does not come before the last one's.
    pub(super) fn push(&mut self, run: RunId, segment: &[u8]) -> Result<()> {
        if self.writer.is_none() {
            self.writer = Some(self.shared.begin_pack(self.experiment)?);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.push(run, segment))
    }

    /// Whether it is so long that the next segment belongs into another one.
    pub(super) fn is_full(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.len() >= self.shared.full_pack_bytes())
    }

    /// Makes it durable and names it.
    pub(super) fn finish(self) -> Result<()> {
        self.writer.map_or(Ok(()), |writer| writer.finish().map(|_| ()))
    }
}

impl Shared {
    /// The length at which a pack is ended. Its last segment and the directory come on top of that.
    fn full_pack_bytes(&self) -> u64 {
        MAX_PACK_BYTES.min(self.env.fs.longest_file() / 2)
    }

    fn begin_pack(&self, experiment: ExperimentId) -> Result<PackWriter> {
        self.allow_packs()?;
        let (dir, parent) = (self.paths.packs(experiment), self.paths.experiment(experiment));
        self.env.fs.create_dir_all(&dir).at(&dir, "create")?;
        // Whoever created it may have died before its name was durable.
        self.env.fs.sync_dir(&parent).at(&parent, "sync")?;
        for entry in self.env.fs.read_dir(&dir).at(&dir, "list")? {
            // Nobody else makes packs now: left behind by a process that died.
            if entry.kind == FileKind::File && entry.name.ends_with(".pack-new") {
                self.remove_files(std::iter::once(dir.join(&entry.name).as_path()))?;
            }
        }
        PackWriter::create(&self.env, &dir.join(pack_name(self.env.clock.random())), experiment)
    }

    /// Says in the file that makes the folder a store, durably, that runs may lie in packs: a program that does not know
    /// packs must not take it for a store without these runs.
    fn allow_packs(&self) -> Result<()> {
        if self.packs_allowed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _store_lock = self.lock_file(&self.paths.store_lock())?;
        if super::twice(|| check_store_file(&self.env, &self.paths))?.required & PACKS == 0 {
            write_store_file(&self.env, &self.paths, true)?;
        }
        // Whoever said so may have died before its name was durable.
        let root = self.paths.root();
        self.env.fs.sync_dir(root).at(root, "sync")?;
        self.packs_allowed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Writes what is to be kept of some packs of an experiment as new ones, and removes them.
    fn rewrite(&self, experiment: ExperimentId, packs: &[Arc<PackReader>], kept: Kept<'_>) -> Result<()> {
        let pieces = packs.iter().flat_map(|pack| pack.pieces().map(move |piece| (piece.run, pack, piece)));
        let mut pieces: Vec<(RunId, &Arc<PackReader>, Piece)> =
            pieces.filter(|(_, pack, piece)| kept(pack, piece)).collect();
        pieces.sort_by_key(|(run, ..)| *run);
        let mut output = NextPack::new(self, experiment);
        for (run, pack, piece) in pieces {
            if output.is_full() {
                std::mem::replace(&mut output, NextPack::new(self, experiment)).finish()?;
            }
            output.push(run, &pack.bytes(&piece)?)?;
        }
        output.finish()?;
        self.remove_files(packs.iter().map(|pack| pack.path()))?;
        // An old pack must not come back with the power when what it held was removed on purpose.
        let dir = self.paths.packs(experiment);
        self.env.fs.sync_dir(&dir).at(&dir, "sync")
    }

    /// Writes those packs of an experiment anew in which there is something that is not to be kept.
    pub(super) fn rewrite_packs(&self, experiment: ExperimentId, kept: Kept<'_>) -> Result<()> {
        let found = self.packs(experiment)?;
        if let Some(refused) = found.refused.first() {
            return Err(refused.copy());
        }
        let mut packs = found.open;
        packs.retain(|pack| pack.pieces().any(|piece| !kept(pack, &piece)));
        if packs.is_empty() { Ok(()) } else { self.rewrite(experiment, &packs, kept) }
    }

    /// Merges packs of an experiment, and leaves out what no longer counts. Nothing is touched while one is damaged.
    pub(super) fn merge_packs(&self, experiment: ExperimentId, merge: Merge) -> Result<()> {
        let packs = self.packs(experiment)?;
        if !packs.refused.is_empty() || packs.open.iter().any(|pack| pack.damage().is_some()) {
            return Ok(());
        }
        let dead = match merge {
            Merge::All => self.dead_pieces(experiment, &packs)?,
            Merge::Tiers => BTreeSet::new(),
        };
        let small = packs.open.iter().filter(|pack| pack.len() < self.full_pack_bytes() / 2).cloned().collect();
        let mut inputs = match merge {
            Merge::Tiers => fullest_tier(small),
            Merge::All => small,
        };
        if inputs.len() < 2 {
            inputs.clear();
        }
        let is_dead = |pack: &PackReader, piece: &Piece| !dead.is_empty() && dead.contains(&place_of(pack, piece));
        for pack in &packs.open {
            let lost = pack.pieces().filter(|piece| is_dead(pack, piece));
            let lost: u64 = lost.map(|piece| piece.end.saturating_sub(piece.start)).sum();
            let is_poor = lost > pack.len() / DEAD_PART;
            if is_poor && !inputs.iter().any(|input| input.path() == pack.path()) {
                inputs.push(Arc::clone(pack));
            }
        }
        if inputs.is_empty() {
            return Ok(());
        }
        self.rewrite(experiment, &inputs, &|pack, piece| !is_dead(pack, piece))
    }

    /// The segments in packs whose content is in others, durably and whole. Only runs that are in several places are looked
    /// at.
    fn dead_pieces(&self, experiment: ExperimentId, packs: &Packs) -> Result<BTreeSet<SegmentPlace>> {
        // A run is here once for each place.
        let mut runs = self.run_folders(experiment)?;
        runs.extend(packs.open.iter().flat_map(|pack| pack.pieces().map(|piece| piece.run)));
        runs.sort();
        let (mut dead, mut last) = (BTreeSet::new(), None);
        for both in runs.windows(2) {
            let &[run, next] = both else { continue };
            if run != next || last.replace(run) == Some(run) {
                continue;
            }
            let places: Vec<SegmentPlace> = packs.pieces_of(run).map(|(pack, piece)| place_of(pack, &piece)).collect();
            let files = RunFiles::scan(self, experiment, run)?;
            let counts = |place: &SegmentPlace| files.segments.iter().any(|segment| segment.place() == place);
            if !files.damage.is_empty() || places.iter().all(counts) {
                continue;
            }
            if files.segments.iter().any(|segment| self.check_segment(segment.place(), run).is_err()) {
                continue;
            }
            self.sync_segments(&files)?;
            dead.extend(places.into_iter().filter(|place| !counts(place)));
        }
        Ok(dead)
    }

    /// Makes a pack anew whose header, directory or trailer is damaged, from the segments that can be found in it.
    pub(super) fn repair_pack(&self, experiment: ExperimentId, path: &Path) -> Result<Option<Repair>> {
        let _one_at_a_time = super::lock(&self.maintenance);
        let _lease = self.lock_file(&self.paths.compaction_lock())?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match self.env.fs.metadata(path).map(|metadata| metadata.kind) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at(path, "look at"),
            Ok(FileKind::File) => {}
            Ok(_) => {
                let aside = move_aside(&self.env, &self.paths, path, &name)?;
                let what = "it was no file".to_owned();
                return Ok(Some(Repair { path: path.to_path_buf(), aside: Some(aside), what }));
            }
        }
        let pack = match PackReader::open(&self.env, path, experiment) {
            Err(error) if error.is_missing_file() => return Ok(None),
            pack => Arc::new(pack?),
        };
        if pack.damage().is_none() {
            return Ok(None);
        }
        let aside = copy_aside(&self.env, &self.paths, path, &name)?;
        let found = pack.pieces().count();
        self.rewrite(experiment, std::slice::from_ref(&pack), &|_, _| true)?;
        let complete = if pack.is_complete() { "all of them" } else { "others are lost" };
        let what = format!("it was made anew from the {found} segments that were found in it, {complete}");
        Ok(Some(Repair { path: path.to_path_buf(), aside: Some(aside), what }))
    }
}

/// The packs of the smallest size class in which there are enough to be merged. A class is a factor of [`FAN_IN`] wide.
fn fullest_tier(packs: Vec<Arc<PackReader>>) -> Vec<Arc<PackReader>> {
    let mut tiers: BTreeMap<u32, Vec<Arc<PackReader>>> = BTreeMap::new();
    for pack in packs {
        tiers.entry(pack.len().max(1).ilog(FAN_IN as u64)).or_default().push(pack);
    }
    tiers.into_values().find(|tier| tier.len() >= FAN_IN).unwrap_or_default()
}
