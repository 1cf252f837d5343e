//! One simulated file: what the page cache has, what the medium has, and what lies between.
//!
//! `data` is what every process sees. `durable` is what the medium surely holds: the state at the last successful
//! sync. `dirty` names the sectors written since: at a power loss each of them shows its durable content, its current
//! content, or one content it had in between (the system may write a page back at any moment). `lost` names sectors
//! that were dirty when a sync failed: the kernel marks such pages clean, so that no later sync writes them; they
//! become durable only when written again. `former` has, of sectors that were made durable more than once, what they
//! durably had before: what a lost write leaves. Sectors are 512 bytes and never tear.

use std::collections::{BTreeMap, BTreeSet};

use super::Loss;
use super::rng::Rng;

pub(super) const SECTOR: u64 = 512;
pub(super) const BLOCK: u64 = 4096;

pub(super) type Sector = [u8; SECTOR as usize];

/// How often a sector was written since it was last clean, and one of the contents it had before the latest.
#[derive(Clone, Debug)]
struct Dirty {
    writes: u64,
    between: Option<Box<Sector>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct FileNode {
    pub(super) data: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeMap<u64, Dirty>,
    lost: BTreeSet<u64>,
    former: BTreeMap<u64, Box<Sector>>,
    /// Least and greatest length since the last sync, when it was changed.
    lens: Option<(u64, u64)>,
    /// Blocks of 4096 bytes that the file occupies.
    pub(super) blocks: BTreeSet<u64>,
    durable_blocks: BTreeSet<u64>,
    pub(super) modified_us: u64,
    /// How many syncs have failed. Who has the file open is told of each once, as Linux does since 4.13.
    pub(super) failed_syncs: u64,
    /// Somebody mapped this much of the file as immutable: from now on a write there is a bug of the store.
    pub(super) frozen: u64,
}

/// The content of sector `index` of `bytes`, zeros beyond the end.
fn sector(bytes: &[u8], index: u64) -> Sector {
    let mut out = [0; SECTOR as usize];
    let start = bytes.len().min((index * SECTOR) as usize);
    let end = bytes.len().min(start + SECTOR as usize);
    out[..end - start].copy_from_slice(&bytes[start..end]);
    out
}

/// Puts a sector into `bytes`, leaving out what lies beyond their end.
fn put_sector(bytes: &mut [u8], index: u64, content: &Sector) {
    let start = bytes.len().min((index * SECTOR) as usize);
    let end = bytes.len().min(start + SECTOR as usize);
    bytes[start..end].copy_from_slice(&content[..end - start]);
}

impl FileNode {
    /// A file that is wholly on the medium.
    pub(super) fn durable(bytes: Vec<u8>, modified_us: u64) -> Self {
        let blocks: BTreeSet<u64> = (0..(bytes.len() as u64).div_ceil(BLOCK)).collect();
        Self {
            durable: bytes.clone(),
            data: bytes,
            durable_blocks: blocks.clone(),
            blocks,
            modified_us,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// The bytes from `offset` on are about to change.
    pub(super) fn check_writable(&self, offset: u64) {
        assert!(offset >= self.frozen, "a file that was mapped as immutable is written again");
    }

    fn note_dirty(&mut self, index: u64, rng: &mut Rng) {
        self.lost.remove(&index);
        let Some(dirty) = self.dirty.get_mut(&index) else {
            self.dirty.insert(index, Dirty { writes: 1, between: None });
            return;
        };
        // Each earlier content is kept with equal chance.
        dirty.writes += 1;
        if rng.below(dirty.writes - 1) == 0 {
            dirty.between = Some(Box::new(sector(&self.data, index)));
        }
    }

    fn note_len(&mut self, len: u64) {
        let (low, high) = self.lens.unwrap_or((self.len().min(self.durable.len() as u64), self.len()));
        self.lens = Some((low.min(len), high.max(len)));
    }

    /// Writes; the caller has made sure that there is room.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], rng: &mut Rng) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len() as u64;
        for index in offset / SECTOR..end.div_ceil(SECTOR) {
            self.note_dirty(index, rng);
        }
        if end > self.len() || end > self.durable.len() as u64 {
            self.note_len(end.max(self.len()));
        }
        if end > self.len() {
            self.data.resize(end as usize, 0);
        }
        self.data[offset as usize..end as usize].copy_from_slice(bytes);
        self.blocks.extend(offset / BLOCK..end.div_ceil(BLOCK));
    }

    pub(super) fn set_len(&mut self, len: u64, rng: &mut Rng) {
        // What is cut off may be cut off on the medium or not, and may grow back as zeros.
        for index in len / SECTOR..self.len().div_ceil(SECTOR) {
            self.note_dirty(index, rng);
        }
        self.note_len(len);
        self.data.resize(len as usize, 0);
        self.blocks = self.blocks.iter().copied().filter(|&b| b < len.div_ceil(BLOCK)).collect();
    }

    pub(super) fn allocate(&mut self, offset: u64, len: u64) {
        let end = offset + len;
        if end > self.len() {
            self.note_len(end);
            self.data.resize(end as usize, 0);
        }
        self.blocks.extend(offset / BLOCK..end.div_ceil(BLOCK));
    }

    /// The blocks of `offset..end` that the file does not have yet.
    pub(super) fn missing_blocks(&self, offset: u64, end: u64) -> impl Iterator<Item = u64> {
        (offset / BLOCK..end.div_ceil(BLOCK)).filter(|block| !self.blocks.contains(block))
    }

    pub(super) fn sync(&mut self) {
        let old_len = self.durable.len() as u64;
        if self.lens.take().is_some() {
            self.durable.resize(self.data.len(), 0);
        }
        for index in std::mem::take(&mut self.dirty).into_keys() {
            let (before, now) = (sector(&self.durable, index), sector(&self.data, index));
            if before != now {
                if index * SECTOR < old_len {
                    self.former.insert(index, Box::new(before));
                }
                put_sector(&mut self.durable, index, &now);
            }
        }
        self.durable_blocks.clone_from(&self.blocks);
    }

    /// What is dirty is marked clean without being durable.
    pub(super) fn fail_sync(&mut self) {
        self.lost.extend(std::mem::take(&mut self.dirty).into_keys());
        self.lens = None;
        self.failed_syncs += 1;
    }

    /// Flips bits on the medium and in the cache alike: rot, which no write made.
    pub(super) fn flip(&mut self, offset: u64, mask: u8) {
        self.data[offset as usize] ^= mask;
        if let Some(byte) = self.durable.get_mut(offset as usize) {
            *byte ^= mask;
        }
    }

    pub(super) fn sector(&self, index: u64) -> Sector {
        sector(&self.data, index)
    }

    /// Puts a content that no write of this file's owner made into a sector, on the medium and in the cache.
    pub(super) fn put(&mut self, index: u64, content: &Sector) {
        put_sector(&mut self.data, index, content);
        put_sector(&mut self.durable, index, content);
    }

    pub(super) fn rewritten_sectors(&self) -> Vec<u64> {
        let end = self.data.len() as u64;
        self.former.keys().copied().filter(|index| index * SECTOR < end).collect()
    }

    /// Puts the former content of a sector in its place; false when there is none.
    pub(super) fn lose_write(&mut self, index: u64) -> bool {
        let Some(content) = self.former.get(&index).cloned() else { return false };
        self.put(index, &content);
        true
    }

    fn crash_len(&self, loss: Loss, rng: &mut Rng) -> u64 {
        let Some((low, high)) = self.lens else { return self.durable.len() as u64 };
        match (loss, rng.below(5)) {
            (Loss::AllLost, _) | (_, 0) if loss != Loss::AllKept => self.durable.len() as u64,
            (Loss::AllKept, _) | (_, 1) => self.len(),
            (_, 2) => low,
            (_, 3) => high,
            _ => low + rng.below(high - low + 1),
        }
    }

    /// What is found on the medium after a power loss.
    pub(super) fn crash(&self, loss: Loss, rng: &mut Rng) -> Self {
        let loss = loss.for_part(rng);
        let mut bytes = self.durable.clone();
        bytes.resize(self.crash_len(loss, rng) as usize, 0);
        let mut blocks = self.durable_blocks.clone();
        if loss == Loss::AllKept {
            blocks.clone_from(&self.blocks);
        } else if loss == Loss::Mixed {
            blocks.extend(self.blocks.iter().copied().filter(|_| rng.coin()));
        }
        for (&index, dirty) in &self.dirty {
            let choice = match loss {
                Loss::AllLost => 0,
                Loss::AllKept => 1,
                Loss::Mixed | Loss::Random => rng.below(3),
            };
            let content = match (choice, &dirty.between) {
                (0, _) => continue,
                (2, Some(between)) => **between,
                _ => sector(&self.data, index),
            };
            put_sector(&mut bytes, index, &content);
            blocks.insert(index * SECTOR / BLOCK);
        }
        let end = (bytes.len() as u64).div_ceil(BLOCK);
        let blocks: BTreeSet<u64> = blocks.into_iter().filter(|&block| block < end).collect();
        Self {
            durable: bytes.clone(),
            data: bytes,
            durable_blocks: blocks.clone(),
            blocks,
            former: self.former.clone(),
            modified_us: self.modified_us,
            ..Self::default()
        }
    }
}
