//! Power loss: which of the changes that nobody synced are found on the medium afterwards.
//!
//! Entries of folders: none, all, all up to some moment (a journal that was committed then), or a part of its own for
//! each name; always closed under the rules of `tree.rs`. Files: see `node.rs`. What no name leads to any more is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::Loss;
use super::rng::Rng;
use super::state::State;
use super::tree::{DirNode, Ino, Node, ROOT, Tree};

impl Loss {
    /// The fate of one part of the machine: also where chance rules, some parts are lost or kept as a whole.
    pub(super) fn for_part(self, rng: &mut Rng) -> Self {
        match self {
            Self::AllLost | Self::AllKept => self,
            Self::Mixed | Self::Random => match rng.below(5) {
                0 => Self::AllLost,
                1 => Self::AllKept,
                _ => Self::Mixed,
            },
        }
    }
}

/// The pending edits that made it to the medium.
fn kept_edits(tree: &Tree, loss: Loss, rng: &mut Rng) -> BTreeSet<u64> {
    let by_moment = rng.coin();
    match loss.for_part(rng) {
        Loss::AllLost => BTreeSet::new(),
        Loss::AllKept => tree.pending.iter().map(|edit| edit.seq).collect(),
        Loss::Mixed | Loss::Random if by_moment => {
            let ops: BTreeSet<u64> = tree.pending.iter().map(|edit| edit.op).collect();
            let kept = rng.below(ops.len() as u64 + 1) as usize;
            let ops: BTreeSet<u64> = ops.into_iter().take(kept).collect();
            tree.pending.iter().filter(|edit| ops.contains(&edit.op)).map(|edit| edit.seq).collect()
        }
        Loss::Mixed | Loss::Random => {
            let mut names: BTreeMap<(Ino, &str), Vec<u64>> = BTreeMap::new();
            for edit in &tree.pending {
                names.entry((edit.dir, &edit.name)).or_default().push(edit.seq);
            }
            let keep = |edits: Vec<u64>| {
                let kept = rng.below(edits.len() as u64 + 1) as usize;
                edits.into_iter().take(kept)
            };
            names.into_values().flat_map(keep).collect()
        }
    }
}

impl State {
    /// Ends all processes and puts the crash image in the place of the disk.
    pub(super) fn power_loss(&mut self, loss: Loss) {
        self.kill_all();
        let loss = if loss == Loss::Random { loss.for_part(&mut self.rng) } else { loss };
        let kept = kept_edits(&self.tree, loss, &mut self.rng);
        self.tree.make_durable(kept);
        self.tree.pending.clear();
        let mut found = BTreeMap::new();
        let mut todo = vec![ROOT];
        while let Some(ino) = todo.pop() {
            let node = match self.tree.nodes.get(&ino) {
                _ if found.contains_key(&ino) => continue,
                None => continue,
                Some(Node::File(file)) => Node::File(file.crash(loss, &mut self.rng)),
                Some(Node::Dir(dir)) => {
                    todo.extend(dir.synced.values());
                    Node::Dir(DirNode { now: dir.synced.clone(), synced: dir.synced.clone() })
                }
            };
            found.insert(ino, node);
        }
        self.tree.nodes = found;
        self.new_boot();
    }
}
