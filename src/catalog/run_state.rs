//! How the changes of a run add up.
//!
//! Pure, and the only place with these rules. Changes come from several files in any order and may come twice; the
//! result is the same: of a name, a status, a lifecycle stage and each tag the latest change counts (the greater
//! value of two at the same microsecond, so that there is one answer); of each param and each dataset the first.

use crate::format::record::{Change, Meta};
use crate::types::{
    DatasetInput, ExperimentId, KeyMap, LifecycleStage, MetricSummary, Run, RunId, RunStatus, StatusCause, split_links,
};
use std::collections::BTreeMap;

/// A value and the time of the change that set it.
type Dated<T> = (u64, T);
/// Status, who said so, and the end.
type Ended = (RunStatus, StatusCause, Option<i64>);

/// What is known of a run, with the times of the changes that made it so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunState {
    created: Option<Meta>,
    name: Option<Dated<String>>,
    status: Option<Dated<Ended>>,
    lifecycle: Option<Dated<(bool, i64)>>,
    params: BTreeMap<String, Dated<String>>,
    /// `None`: deleted. Kept, so that an older change that comes later does not bring the tag back.
    tags: BTreeMap<String, Dated<Option<String>>>,
    /// By name and digest.
    datasets: BTreeMap<(String, String), Dated<DatasetInput>>,
    latest_us: u64,
}

/// Replaces `slot` when the change is later.
fn last_wins<T>(slot: &mut Option<Dated<T>>, at_us: u64, value: T, greater: impl Fn(&T, &T) -> bool) {
    let wins = match slot {
        Some((known, old)) => at_us > *known || (at_us == *known && greater(&value, old)),
        None => true,
    };
    if wins {
        *slot = Some((at_us, value));
    }
}

fn status_rank(status: &Ended) -> (usize, u8, Option<i64>) {
    let rank = RunStatus::ALL.iter().position(|known| *known == status.0).unwrap_or(0);
    (rank, status.1 as u8, status.2)
}

impl RunState {
    /// The state that these records give.
    pub(crate) fn from_records<'a>(records: impl IntoIterator<Item = &'a Meta>) -> Self {
        let mut state = Self::default();
        records.into_iter().for_each(|record| state.apply(record));
        state
    }

    /// Takes one change.
    pub(crate) fn apply(&mut self, record: &Meta) {
        let at_us = record.at_us;
        self.latest_us = self.latest_us.max(at_us);
        match &record.change {
            Change::Created { .. } => {
                // The first counts; of two at one microsecond the one with the smaller bytes, so that there is one.
                let rank = |record: &Meta| {
                    let mut bytes = Vec::new();
                    record.encode(&mut bytes);
                    (record.at_us, bytes)
                };
                if self.created.as_ref().is_none_or(|known| rank(record) < rank(known)) {
                    self.created = Some(record.clone());
                }
            }
            Change::Name(name) => last_wins(&mut self.name, at_us, name.clone(), |a, b| a > b),
            Change::Status { status, cause, end_time } => {
                let value = (*status, *cause, *end_time);
                last_wins(&mut self.status, at_us, value, |a, b| status_rank(a) > status_rank(b));
            }
            Change::Lifecycle { deleted, at } => last_wins(&mut self.lifecycle, at_us, (*deleted, *at), |a, b| a > b),
            Change::Param { key, value } => {
                let known = self.params.get(key);
                if known.is_none_or(|(known, old)| (at_us, value) < (*known, old)) {
                    self.params.insert(key.clone(), (at_us, value.clone()));
                }
            }
            Change::Tag { key, value } => self.tag(at_us, key, Some(value.clone())),
            Change::TagDeleted { key } => self.tag(at_us, key, None),
            Change::Dataset(dataset) => {
                let key = (dataset.name.clone(), dataset.digest.clone());
                let known = self.datasets.get(&key);
                if known.is_none_or(|(known, old)| (at_us, dataset) < (*known, old)) {
                    self.datasets.insert(key, (at_us, dataset.clone()));
                }
            }
        }
    }

    fn tag(&mut self, at_us: u64, key: &str, value: Option<String>) {
        let mut slot = self.tags.remove(key);
        last_wins(&mut slot, at_us, value, |a, b| a > b);
        if let Some(tag) = slot {
            self.tags.insert(key.to_owned(), tag);
        }
    }

    /// The fewest records that give this state.
    pub(crate) fn records(&self) -> Vec<Meta> {
        let mut all: Vec<Meta> = self.created.iter().cloned().collect();
        let mut push = |at_us, change| all.push(Meta { at_us, change });
        if let Some((at, name)) = &self.name {
            push(*at, Change::Name(name.clone()));
        }
        if let Some((at, (status, cause, end_time))) = &self.status {
            push(*at, Change::Status { status: *status, cause: *cause, end_time: *end_time });
        }
        if let Some((at, (deleted, when))) = &self.lifecycle {
            push(*at, Change::Lifecycle { deleted: *deleted, at: *when });
        }
        for (key, (at, value)) in &self.params {
            push(*at, Change::Param { key: key.clone(), value: value.clone() });
        }
        for (key, (at, value)) in &self.tags {
            let key = key.clone();
            push(
                *at,
                value.clone().map_or_else(
                    || Change::TagDeleted { key: key.clone() },
                    |value| Change::Tag { key: key.clone(), value },
                ),
            );
        }
        all.extend(self.datasets.values().map(|(at_us, dataset)| {
            let change = Change::Dataset(dataset.clone());
            Meta { at_us: *at_us, change }
        }));
        all
    }

    /// [`Self::records`] as stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut records = self.records();
        records.sort_by_key(|record| record.at_us);
        Meta::encode_all(&records)
    }

    /// The time of the latest change, in microseconds: a later one must be given a greater time.
    pub(crate) fn latest_us(&self) -> u64 {
        self.latest_us
    }

    pub(crate) fn status(&self) -> RunStatus {
        self.status.as_ref().map(|(_, (status, ..))| *status).unwrap_or_default()
    }

    pub(crate) fn status_cause(&self) -> StatusCause {
        self.status.as_ref().map(|(_, (_, cause, _))| *cause).unwrap_or_default()
    }

    /// Whether the last word on a run that is not over is a writer's that left it so.
    pub(crate) fn is_left(&self) -> bool {
        matches!(&self.status, Some((_, (status, _, Some(_)))) if !status.is_ended())
    }

    /// When the run was deleted, if it is.
    pub(crate) fn deleted_at(&self) -> Option<i64> {
        self.lifecycle.as_ref().and_then(|(_, (deleted, at))| deleted.then_some(*at))
    }

    pub(crate) fn param(&self, key: &str) -> Option<&str> {
        self.params.get(key).map(|(_, value)| value.as_str())
    }

    /// Datasets and links to logged models, as they are stored.
    pub(crate) fn datasets(&self) -> Vec<DatasetInput> {
        self.datasets.values().map(|(_, dataset)| dataset.clone()).collect()
    }

    pub(crate) fn has_tag(&self, key: &str) -> bool {
        self.tags.get(key).is_some_and(|(_, value)| value.is_some())
    }

    /// The experiment that the run says it belongs to, with the name that this had when the run was created.
    pub(crate) fn experiment(&self) -> Option<(ExperimentId, &str)> {
        match self.created.as_ref().map(|record| &record.change) {
            Some(Change::Created { experiment_id, experiment_name, .. }) => Some((*experiment_id, experiment_name)),
            _ => None,
        }
    }

    /// The run as readers see it. `experiment_id` is where its files lie.
    pub(crate) fn to_run(&self, id: RunId, experiment_id: ExperimentId, metrics: KeyMap<MetricSummary>) -> Run {
        let (start_time, user, parent) = match self.created.as_ref().map(|record| &record.change) {
            Some(Change::Created { start_time, user, parent, .. }) => (*start_time, user.clone(), *parent),
            _ => (0, String::new(), None),
        };
        let (status, status_cause, end_time) = self.status.map(|(_, status)| status).unwrap_or_default();
        let deleted_at = self.deleted_at();
        let tags = self.tags.iter().filter_map(|(key, (_, value))| Some((key.as_str(), value.clone()?)));
        let (datasets, models) = split_links(self.datasets());
        Run {
            id,
            experiment_id,
            name: self.name.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
            user,
            parent,
            status,
            status_cause,
            start_time,
            // A run that is not over has none: see `Self::is_left`.
            end_time: end_time.filter(|_| status.is_ended()),
            lifecycle_stage: if deleted_at.is_some() { LifecycleStage::Deleted } else { LifecycleStage::Active },
            deleted_at,
            params: self.params.iter().map(|(key, (_, value))| (key.as_str(), value.clone())).collect(),
            tags: tags.collect(),
            datasets,
            models,
            metrics,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = Change> {
        let key = || "[ab]";
        prop_oneof![
            "[a-c]".prop_map(Change::Name),
            (0u64..3, 0i64..3).prop_map(|(id, start_time)| Change::Created {
                experiment_id: ExperimentId::new(id),
                experiment_name: String::new(),
                start_time,
                user: String::new(),
                parent: None,
            }),
            (0usize..5, any::<Option<i64>>()).prop_map(|(status, end_time)| Change::Status {
                status: RunStatus::ALL[status],
                cause: StatusCause::Reported,
                end_time
            }),
            (key(), "[a-c]").prop_map(|(key, value)| Change::Param { key, value }),
            (key(), "[a-c]").prop_map(|(key, value)| Change::Tag { key, value }),
            key().prop_map(|key| Change::TagDeleted { key }),
            (any::<bool>(), 0i64..3).prop_map(|(deleted, at)| Change::Lifecycle { deleted, at }),
            (key(), "[a-c]").prop_map(|(name, source)| {
                Change::Dataset(DatasetInput { source, ..DatasetInput::new(name, "d") })
            }),
        ]
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_gives_the_same_run(
            changes in prop::collection::vec((0u64..6, change()), 0..25),
            order in any::<prop::sample::Index>(),
            again in any::<prop::sample::Index>(),
        ) {
            let records: Vec<Meta> = changes.into_iter().map(|(at_us, change)| Meta { at_us, change }).collect();
            let state = RunState::from_records(&records);
            let mut other = records.clone();
            if !other.is_empty() {
                other.rotate_left(order.index(records.len()));
                other.reverse();
                other.push(records[again.index(records.len())].clone());
            }
            prop_assert_eq!(&RunState::from_records(&other), &state);
            prop_assert_eq!(&RunState::from_records(&state.records()), &RunState::from_records(&state.records()));
            let fewer = RunState::from_records(&state.records());
            let id = RunId::from_bytes([0; 16]);
            let view = |state: &RunState| state.to_run(id, ExperimentId::DEFAULT, KeyMap::default());
            prop_assert_eq!(view(&fewer), view(&state));
            let mut records = state.records();
            records.sort_by_key(|record| record.at_us);
            prop_assert_eq!(Meta::decode_all(&state.encode()).unwrap(), records);
        }
    }
}
