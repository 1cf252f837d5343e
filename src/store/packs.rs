//! The packs of the experiments: which there are, and which segments of a run lie in them.
//!
//! Only who holds the lock of compaction makes or removes a pack. Between two packs, or a pack and a folder, a segment
//! moves by being in both for a moment.

use super::run_files::MAX_TRIES;
use super::{Shared, lock};
use crate::env::FileKind;
use crate::env::sync::thread::yield_now;
use crate::error::{Error, IoContext, Result};
use crate::format::pack::Piece;
use crate::pack::PackReader;
use crate::segment::{SegmentPlace, SegmentReader};
use crate::types::{ExperimentId, RunId};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// Packs that somebody has asked, by their paths, which are not used again.
pub(super) type OpenPacks = HashMap<PathBuf, Arc<PackReader>>;

/// The packs of an experiment at one moment.
#[derive(Debug, Default)]
pub(super) struct Packs {
    /// All of them, sorted by name.
    pub(super) paths: Vec<PathBuf>,
    /// Those that could be opened.
    pub(super) open: Vec<Arc<PackReader>>,
    /// What keeps the others from being opened.
    pub(super) refused: Vec<Error>,
}

impl Packs {
    /// Where the segments of a run lie.
    pub(super) fn pieces_of(&self, run: RunId) -> impl Iterator<Item = (&Arc<PackReader>, Piece)> {
        self.open.iter().flat_map(move |pack| pack.pieces_of(run).into_iter().map(move |piece| (pack, piece)))
    }

    /// Why segments may be missing from all that is known of these packs.
    pub(super) fn doubts(&self) -> impl Iterator<Item = &Error> {
        let incomplete = self.open.iter().filter(|pack| !pack.is_complete());
        self.refused.iter().chain(incomplete.filter_map(|pack| pack.damage()))
    }
}

/// The place of a segment in a pack.
pub(super) fn place_of(pack: &PackReader, piece: &Piece) -> SegmentPlace {
    SegmentPlace::in_pack(pack.path(), piece.start, piece.end)
}

impl Shared {
    /// What is in the place of packs of an experiment, sorted.
    pub(super) fn pack_paths(&self, experiment: ExperimentId) -> Result<Vec<PathBuf>> {
        let dir = self.paths.packs(experiment);
        let entries = match self.env.fs.read_dir(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.at(&dir, "list")?,
        };
        let is_pack = |name: &str| name.rsplit_once('.').is_some_and(|(_, ending)| ending == "pack");
        let packs = entries.iter().filter(|entry| is_pack(&entry.name));
        let mut paths: Vec<PathBuf> = packs.map(|entry| dir.join(&entry.name)).collect();
        paths.sort_unstable();
        Ok(paths)
    }

    /// The packs of an experiment at one moment: where one of them was removed since they were listed, what was in it is in
    /// another by now, and they are listed again.
    pub(super) fn packs(&self, experiment: ExperimentId) -> Result<Packs> {
        let mut gone = None;
        for _ in 0..MAX_TRIES {
            let mut packs = Packs { paths: self.pack_paths(experiment)?, ..Packs::default() };
            gone = None;
            for path in &packs.paths {
                match self.open_pack(path, experiment) {
                    Ok(pack) => packs.open.push(pack),
                    Err(error) if error.is_missing_file() => gone = Some(error),
                    Err(error) => packs.refused.push(error),
                }
            }
            if gone.is_none() {
                let dir = self.paths.packs(experiment);
                let is_there = |path: &PathBuf| packs.paths.binary_search(path).is_ok();
                lock(&self.packs).retain(|path, _| path.parent() != Some(&dir) || is_there(path));
                return Ok(packs);
            }
            yield_now();
        }
        gone.map_or_else(|| Ok(Packs::default()), Err)
    }

    fn open_pack(&self, path: &PathBuf, experiment: ExperimentId) -> Result<Arc<PackReader>> {
        if let Some(open) = lock(&self.packs).get(path) {
            return Ok(Arc::clone(open));
        }
        if self.env.fs.metadata(path).is_ok_and(|metadata| metadata.kind != FileKind::File) {
            return Err(Error::corrupt(path, 0, "it is no file"));
        }
        let open = || PackReader::open(&self.env, path, experiment).map(Arc::new);
        let pack = super::twice(open)?;
        // A bit can flip on its way from the medium. Also a damaged one is kept: it was looked over from end to end.
        let pack = if pack.damage().is_some() { open()? } else { pack };
        lock(&self.packs).insert(path.clone(), Arc::clone(&pack));
        Ok(pack)
    }

    /// Opens a segment in a pack, or takes it from those that somebody reads already.
    pub(super) fn packed_segment(&self, pack: &PackReader, piece: &Piece) -> Result<Arc<SegmentReader>> {
        let place = place_of(pack, piece);
        self.known_segment(&place, || match SegmentReader::from_region(pack.bytes(piece)?, &place) {
            Err(Error::Corrupt { .. }) => SegmentReader::open(&self.env, &place),
            segment => segment,
        })
    }

    /// Whether there is a folder of the run, or a segment of it in a pack.
    pub(super) fn has_files(&self, experiment: ExperimentId, run: RunId) -> Result<bool> {
        let has_folder = || self.env.fs.metadata(&self.paths.run(experiment, run)).is_ok();
        if has_folder() {
            return Ok(true);
        }
        let packs = self.packs(experiment)?;
        // Or it was taken out of its pack meanwhile.
        Ok(packs.pieces_of(run).next().is_some() || packs.doubts().next().is_some() || has_folder())
    }

    /// The experiments that have packs of which not everything can be read.
    pub(super) fn experiments_with_unread_packs(&self) -> Result<Vec<ExperimentId>> {
        let mut unread = self.experiment_ids()?;
        let mut failed = Ok(());
        unread.retain(|experiment| match self.packs(*experiment) {
            Ok(packs) => packs.doubts().next().is_some(),
            Err(error) => {
                failed = Err(error);
                true
            }
        });
        failed.map(|()| unread)
    }

    /// The runs of an experiment that have segments in packs, once for each.
    pub(super) fn packed_runs(&self, experiment: ExperimentId) -> Result<Vec<RunId>> {
        let packs = self.packs(experiment)?;
        Ok(packs.open.iter().flat_map(|pack| pack.pieces().map(|piece| piece.run)).collect())
    }
}
