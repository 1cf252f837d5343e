//! All that the catalog knew at a moment: the index, what of it still counts, and what came later.

use super::index::{Group, Index};
use super::known::{Brief, Known, KnownState};
use crate::error::Result;
use crate::format::catalog_column::RowSet;
use crate::types::Run;
use std::sync::Arc;

/// Rows of the index, one bit each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hidden(Vec<u64>);

impl Hidden {
    pub(super) fn new(rows: usize) -> Self {
        Self(vec![0; rows.div_ceil(64)])
    }

    pub(super) fn insert(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    pub(crate) fn contains(&self, row: usize) -> bool {
        self.0.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Those of a group.
    pub(super) fn of(&self, group: &Group<'_>) -> RowSet {
        let (first, count) = (group.first_row(), group.rows());
        let mut rows = RowSet::none();
        let words = self.0.get(first / 64..(first + count).div_ceil(64)).unwrap_or_default();
        if words.iter().any(|word| *word != 0) {
            (0..count).filter(|row| self.contains(first + row)).for_each(|row| rows.insert(row));
        }
        rows
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    pub(crate) index: Option<Arc<Index>>,
    pub(crate) hidden: Arc<Hidden>,
    /// By id.
    pub(crate) later: Vec<Arc<Known>>,
}

impl Catalog {
    pub(crate) fn briefs(&self) -> Result<Vec<Brief>> {
        let mut briefs: Vec<Brief> = self.later.iter().map(|known| known.brief()).collect();
        if let Some(index) = &self.index {
            for group in index.groups() {
                let group = group?;
                let rows = (0..group.rows()).filter(|row| !self.hidden.contains(group.first_row() + row));
                briefs.append(&mut group.briefs(rows)?);
            }
        }
        briefs.sort_unstable_by_key(|brief| brief.run_id);
        Ok(briefs)
    }

    /// The ended runs that are not in the index.
    pub(crate) fn later_runs(&self) -> impl Iterator<Item = &Run> {
        self.later.iter().filter_map(|known| known.settled())
    }

    /// The runs of which the files have to be asked.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = Brief> {
        self.later.iter().map(|known| known.brief()).filter(Brief::is_unsettled)
    }

    /// When a run last changed, as far as the catalog knows.
    pub(crate) fn latest_us(&self) -> u64 {
        let later = self.later.iter().filter_map(|known| match &known.state {
            KnownState::Settled(settled) => Some(settled.latest_us),
            _ => None,
        });
        later.chain(self.index.iter().map(|index| index.latest_us())).max().unwrap_or(0)
    }
}
