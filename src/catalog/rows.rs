//! From columns back to runs, and to the entries that they were made of.

use super::index::{FloatColumn, Group, NumberColumn, TextColumn};
use super::known::{Brief, BriefState};
use crate::error::Result;
use crate::format::catalog::{EntryState, RunEntry, Summary};
use crate::format::catalog_index::{ColumnKind, ColumnRef, attribute};
use crate::format::record::{Change, Meta, take_cause, take_status};
use crate::format::wire::Reader;
use crate::types::{
    DatasetInput, ExperimentId, KeyMap, LifecycleStage, MetricSummary, ModelLink, Point, Run, RunId, RunStatus,
    StatusCause, split_links,
};
use std::sync::Arc;

/// Room for so many values of a run is taken at once.
const MAX_AHEAD: usize = 64;

/// Values of some rows by key, as they come: column by column, and columns ascend by key.
struct Gathered<T> {
    keys: Vec<Arc<str>>,
    rows: Vec<RowValues<T>>,
}

struct RowValues<T> {
    /// Its keys, if it lacks some of all.
    own_keys: Option<Vec<Arc<str>>>,
    values: Vec<T>,
}

impl<T> Gathered<T> {
    /// Adds a column: for each row what `take` makes of what is there.
    fn add<U>(&mut self, key: &Arc<str>, found: impl Iterator<Item = Option<U>>, take: impl Fn(U) -> T) {
        for (row, found) in self.rows.iter_mut().zip(found) {
            match found {
                Some(found) => {
                    row.values.push(take(found));
                    row.own_keys.iter_mut().for_each(|keys| keys.push(Arc::clone(key)));
                }
                None => _ = row.own_keys.get_or_insert_with(|| self.keys.clone()),
            }
        }
        self.keys.push(Arc::clone(key));
    }

    /// One map a row. Those that have all keys share them.
    fn into_maps(self) -> impl Iterator<Item = KeyMap<T>> {
        // A table of keys that is forged may have them in any order.
        let ascends = self.keys.is_sorted_by(|a, b| a < b);
        let shared: Arc<[Arc<str>]> = self.keys.into();
        self.rows.into_iter().map(move |row| {
            let keys = row.own_keys.map_or_else(|| Arc::clone(&shared), Arc::from);
            if ascends { KeyMap::from_parts(keys, row.values) } else { keys.iter().cloned().zip(row.values).collect() }
        })
    }
}

/// The columns of what every run has, and some of what it may have.
pub(crate) struct Attributes<'a> {
    experiment: Option<NumberColumn<'a>>,
    name: Option<TextColumn<'a>>,
    user: Option<TextColumn<'a>>,
    parent: Option<TextColumn<'a>>,
    status: Option<NumberColumn<'a>>,
    cause: Option<NumberColumn<'a>>,
    start: Option<NumberColumn<'a>>,
    end: Option<NumberColumn<'a>>,
    deleted: Option<NumberColumn<'a>>,
    datasets: Option<TextColumn<'a>>,
}

fn number(column: Option<&NumberColumn<'_>>, row: usize) -> Option<i64> {
    column.and_then(|column| column.get(row))
}

fn text<'a>(column: Option<&TextColumn<'a>>, row: usize) -> Option<&'a str> {
    column.and_then(|column| column.get(row))
}

pub(crate) fn status_of(number: i64) -> RunStatus {
    take_status(&mut Reader::new(&[number as u8])).unwrap_or_default()
}

fn cause_of(number: i64) -> StatusCause {
    take_cause(&mut Reader::new(&[number as u8])).unwrap_or_default()
}

/// The datasets and links to models that a value of their column stands for.
pub(crate) fn datasets_of(records: &[u8]) -> (Vec<DatasetInput>, Vec<ModelLink>) {
    let records = Meta::decode_all(records).unwrap_or_default();
    let dataset = |record: Meta| match record.change {
        Change::Dataset(dataset) => Some(dataset),
        _ => None,
    };
    split_links(records.into_iter().filter_map(dataset).collect())
}

impl<'a> Attributes<'a> {
    pub(crate) fn of(group: &Group<'a>) -> Result<Self> {
        let texts = |number| group.texts(ColumnKind::Attribute, number);
        Ok(Self {
            experiment: group.numbers(attribute::EXPERIMENT)?,
            name: texts(attribute::NAME)?,
            user: texts(attribute::USER)?,
            parent: texts(attribute::PARENT)?,
            status: group.numbers(attribute::STATUS)?,
            cause: group.numbers(attribute::CAUSE)?,
            start: group.numbers(attribute::START)?,
            end: group.numbers(attribute::END)?,
            deleted: group.numbers(attribute::DELETED)?,
            datasets: texts(attribute::DATASETS)?,
        })
    }

    fn run(&self, id: RunId, row: usize) -> Run {
        let deleted_at = number(self.deleted.as_ref(), row);
        let stored = self.datasets.as_ref().and_then(|column| {
            let code = column.values.code(column.present.place(row)?)?;
            column.values.bytes(code)
        });
        let (datasets, models) = stored.map(datasets_of).unwrap_or_default();
        Run {
            id,
            experiment_id: ExperimentId::new(number(self.experiment.as_ref(), row).unwrap_or(0) as u64),
            name: text(self.name.as_ref(), row).unwrap_or_default().to_owned(),
            user: text(self.user.as_ref(), row).unwrap_or_default().to_owned(),
            parent: text(self.parent.as_ref(), row).and_then(|id| id.parse().ok()),
            status: status_of(number(self.status.as_ref(), row).unwrap_or(0)),
            status_cause: cause_of(number(self.cause.as_ref(), row).unwrap_or(0)),
            start_time: number(self.start.as_ref(), row).unwrap_or(0),
            end_time: number(self.end.as_ref(), row),
            lifecycle_stage: if deleted_at.is_some() { LifecycleStage::Deleted } else { LifecycleStage::Active },
            deleted_at,
            params: KeyMap::default(),
            tags: KeyMap::default(),
            datasets,
            models,
            metrics: KeyMap::default(),
        }
    }
}

impl<'a> Group<'a> {
    pub(crate) fn key_name(&self, key: u32) -> Result<&'a str> {
        let name = self.index().keys()?.text(key as usize);
        name.ok_or_else(|| self.damage("a column has a key that the table of keys lacks"))
    }

    /// The name of a column's key, shared by all who ask for it.
    fn shared_name(&self, key: u32) -> Result<Arc<str>> {
        let name = self.index().shared_name(key)?;
        name.ok_or_else(|| self.damage("a column has a key that the table of keys lacks"))
    }

    /// What is known of each metric of these rows, by name. Column by column: the values of a run lie far from each other.
    fn summaries(&self, rows: &[usize]) -> Result<Gathered<MetricSummary>> {
        let mut all = self.room(ColumnKind::Metric, rows);
        for (place, column) in self.columns_of(ColumnKind::Metric) {
            let latest = self.metric_at(place)?;
            if !rows.iter().any(|row| latest.present.has(*row)) {
                continue;
            }
            let rest = self.metric_rest(place, &latest)?;
            let places = rows.iter().map(|row| latest.present.place(*row));
            all.add(&self.shared_name(column.key)?, places, |at| summary_at(&latest, &rest, at));
        }
        Ok(all)
    }

    /// The params or tags of these rows, by key.
    fn pairs(&self, kind: ColumnKind, rows: &[usize]) -> Result<Gathered<String>> {
        let mut all = self.room(kind, rows);
        for (place, column) in self.columns_of(kind) {
            let texts = self.texts_at(place)?;
            if !rows.iter().any(|row| texts.present.has(*row)) {
                continue;
            }
            let values = rows.iter().map(|row| texts.get(*row));
            all.add(&self.shared_name(column.key)?, values, str::to_owned);
        }
        Ok(all)
    }

    /// The columns of a kind, each with its place.
    fn columns_of(&self, kind: ColumnKind) -> impl Iterator<Item = (usize, &'a ColumnRef)> + use<'a> {
        self.columns().iter().enumerate().filter(move |(_, column)| column.kind == kind)
    }

    fn room<T>(&self, kind: ColumnKind, rows: &[usize]) -> Gathered<T> {
        let columns = self.columns_of(kind).count().min(MAX_AHEAD);
        let row = || RowValues { own_keys: None, values: Vec::with_capacity(columns) };
        Gathered { keys: Vec::with_capacity(columns), rows: rows.iter().map(|_| row()).collect() }
    }

    /// The runs of these rows, in their order.
    pub(crate) fn runs(&self, rows: &[usize]) -> Result<Vec<Run>> {
        let attributes = Attributes::of(self)?;
        let ids = self.ids()?;
        let id = |row: usize| RunId::from_bytes(ids.get(row).copied().unwrap_or_default());
        let mut runs: Vec<Run> = rows.iter().map(|row| attributes.run(id(*row), *row)).collect();
        let (params, tags) = (self.pairs(ColumnKind::Param, rows)?, self.pairs(ColumnKind::Tag, rows)?);
        let maps = params.into_maps().zip(tags.into_maps()).zip(self.summaries(rows)?.into_maps());
        for (run, maps) in runs.iter_mut().zip(maps) {
            ((run.params, run.tags), run.metrics) = maps;
        }
        Ok(runs)
    }

    /// What is to be done about the runs of these rows, in their order.
    pub(crate) fn briefs(&self, rows: impl IntoIterator<Item = usize>) -> Result<Vec<Brief>> {
        let (tidy, deleted) = (self.numbers(attribute::TIDY)?, self.numbers(attribute::DELETED)?);
        let (experiment, ids) = (self.numbers(attribute::EXPERIMENT)?, self.ids()?);
        let of = |row: usize| {
            let experiment_id = ExperimentId::new(number(experiment.as_ref(), row).unwrap_or(0) as u64);
            let (tidy, deleted) = (number(tidy.as_ref(), row) == Some(1), number(deleted.as_ref(), row).is_some());
            let run_id = RunId::from_bytes(ids.get(row).copied().unwrap_or_default());
            Brief { run_id, experiment_id, state: BriefState::Settled { tidy, deleted } }
        };
        Ok(rows.into_iter().map(of).collect())
    }

    /// The entries of these rows, which ascend, as they were when the index was made of them.
    pub(crate) fn entries(&self, rows: &[usize]) -> Result<Vec<RunEntry>> {
        let (briefs, records) = (self.briefs(rows.iter().copied())?, self.records(rows)?);
        let mut entries = Vec::with_capacity(rows.len());
        for ((brief, metrics), meta) in briefs.into_iter().zip(self.summaries(rows)?.into_maps()).zip(records) {
            let Brief { run_id, experiment_id, state } = brief;
            let tidy = matches!(state, BriefState::Settled { tidy: true, .. });
            let state = EntryState::Settled(Summary { tidy, meta, metrics: metrics.into_iter().collect() });
            entries.push(RunEntry { run_id, experiment_id, state });
        }
        Ok(entries)
    }
}

fn summary_at(latest: &FloatColumn<'_>, rest: &super::index::MetricRest<'_>, at: usize) -> MetricSummary {
    let count = rest.count.get(at).unwrap_or(0) as u64;
    let nan_count = rest.nan_count.get(at).unwrap_or(0) as u64;
    let step = rest.step.get(at).unwrap_or(0);
    let point = Point::new(step, rest.timestamp.get(at).unwrap_or(0), latest.values.get(at).unwrap_or(0.0));
    let extreme = |value: Option<f64>| if nan_count < count { value } else { None };
    MetricSummary { count, nan_count, latest: point, min: extreme(rest.min.get(at)), max: extreme(rest.max.get(at)) }
}
