//! What the catalog knows of one run, in memory.

use super::run_state::RunState;
use crate::format::catalog::{EntryState, RunEntry, Summary};
use crate::format::record::Meta;
use crate::types::{ExperimentId, KeyMap, Run, RunId};

/// A run that an entry behind the index speaks of.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) run_id: RunId,
    pub(crate) experiment_id: ExperimentId,
    pub(crate) state: KnownState,
}

#[derive(Clone, Debug)]
pub(crate) enum KnownState {
    Unsettled,
    Settled(Box<Settled>),
    Removed,
}

#[derive(Clone, Debug)]
pub(crate) struct Settled {
    tidy: bool,
    /// Records about the run, as stored.
    records: Vec<u8>,
    pub(crate) latest_us: u64,
    pub(crate) run: Run,
}

impl Known {
    /// `None` when its records cannot be read.
    pub(crate) fn new(entry: RunEntry) -> Option<Self> {
        let RunEntry { run_id, experiment_id, state } = entry;
        let state = match state {
            EntryState::Unsettled => KnownState::Unsettled,
            EntryState::Removed => KnownState::Removed,
            EntryState::Settled(summary) => {
                let state = RunState::from_records(&Meta::decode_all(&summary.meta).ok()?);
                let run = state.to_run(run_id, experiment_id, summary.metrics.into_iter().collect());
                let (tidy, records, latest_us) = (summary.tidy, summary.meta, state.latest_us());
                KnownState::Settled(Box::new(Settled { tidy, records, latest_us, run }))
            }
        };
        Some(Self { run_id, experiment_id, state })
    }

    /// Whether this is what is known of the run, its metrics apart.
    pub(super) fn tells_as(&self, run: &Run) -> bool {
        let KnownState::Settled(settled) = &self.state else { return false };
        let bare = |run: &Run| Run { metrics: KeyMap::default(), ..run.clone() };
        bare(&settled.run) == bare(run)
    }

    pub(crate) fn removed(run_id: RunId, experiment_id: ExperimentId) -> Self {
        Self { run_id, experiment_id, state: KnownState::Removed }
    }

    pub(crate) fn to_entry(&self) -> RunEntry {
        let state = match &self.state {
            KnownState::Unsettled => EntryState::Unsettled,
            KnownState::Removed => EntryState::Removed,
            KnownState::Settled(settled) => {
                let metrics = settled.run.metrics.iter().map(|(name, summary)| (name.clone(), *summary)).collect();
                EntryState::Settled(Summary { tidy: settled.tidy, meta: settled.records.clone(), metrics })
            }
        };
        RunEntry { run_id: self.run_id, experiment_id: self.experiment_id, state }
    }

    /// The run, when all of it is known.
    pub(crate) fn settled(&self) -> Option<&Run> {
        match &self.state {
            KnownState::Settled(settled) => Some(&settled.run),
            _ => None,
        }
    }

    pub(crate) fn brief(&self) -> Brief {
        let state = match &self.state {
            KnownState::Unsettled => BriefState::Unsettled,
            KnownState::Removed => BriefState::Removed,
            KnownState::Settled(settled) => {
                BriefState::Settled { tidy: settled.tidy, deleted: settled.run.deleted_at.is_some() }
            }
        };
        Brief { run_id: self.run_id, experiment_id: self.experiment_id, state }
    }
}

/// Where a run is, and what is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brief {
    pub(crate) run_id: RunId,
    pub(crate) experiment_id: ExperimentId,
    pub(crate) state: BriefState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BriefState {
    Unsettled,
    Settled {
        /// Whether compaction has nothing to do for it.
        tidy: bool,
        deleted: bool,
    },
    Removed,
}

impl Brief {
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.state, BriefState::Settled { .. })
    }

    pub(crate) fn is_unsettled(&self) -> bool {
        self.state == BriefState::Unsettled
    }
}
