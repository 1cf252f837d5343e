//! From columns back to runs, and to the entries that they were made of.

use super::index::{FloatColumn, Group, NumberColumn, TextColumn};
use super::known::{Brief, BriefState};
use crate::error::Result;
use crate::format::catalog::{EntryState, RunEntry, Summary};
use crate::format::catalog_index::{ColumnKind, attribute};
use crate::format::record::{Change, Meta, take_cause, take_status};
use crate::format::wire::Reader;
use crate::types::{
    DatasetInput, ExperimentId, LifecycleStage, MetricSummary, ModelLink, Point, Run, RunId, RunStatus, StatusCause,
    split_links,
};
use std::collections::BTreeMap;

/// Room for so many values of a run is taken at once.
const MAX_AHEAD: usize = 64;

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
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            datasets,
            models,
            metrics: BTreeMap::new(),
        }
    }
}

impl<'a> Group<'a> {
    pub(crate) fn key_name(&self, key: u32) -> Result<&'a str> {
        let name = self.index().keys()?.text(key as usize);
        name.ok_or_else(|| self.damage("a column has a key that the table of keys lacks"))
    }

    /// Gives of each metric of these rows what is known: the place in `rows`, the name, the summary. By name, then by row.
    fn each_summary(&self, rows: &[usize], sink: &mut dyn FnMut(usize, &str, MetricSummary)) -> Result<()> {
        let metrics = self.columns().iter().filter(|column| column.kind == ColumnKind::Metric);
        for column in metrics {
            let Some(latest) = self.metric(column.key)? else { continue };
            if !rows.iter().any(|row| latest.present.has(*row)) {
                continue;
            }
            let name = self.key_name(column.key)?;
            let rest = self.metric_rest(column.key, &latest)?;
            for (slot, row) in rows.iter().enumerate() {
                let Some(at) = latest.present.place(*row) else { continue };
                sink(slot, name, summary_at(&latest, &rest, at));
            }
        }
        Ok(())
    }

    fn each_text(&self, kind: ColumnKind, rows: &[usize], sink: &mut dyn FnMut(usize, &str, &'a str)) -> Result<()> {
        for column in self.columns().iter().filter(|column| column.kind == kind) {
            let Some(texts) = self.texts(kind, column.key)? else { continue };
            if !rows.iter().any(|row| texts.present.has(*row)) {
                continue;
            }
            let name = self.key_name(column.key)?;
            for (slot, row) in rows.iter().enumerate() {
                if let Some(value) = texts.get(*row) {
                    sink(slot, name, value);
                }
            }
        }
        Ok(())
    }

    /// The runs of these rows, in their order. Column by column: their values lie far from each other.
    pub(crate) fn runs(&self, rows: &[usize]) -> Result<Vec<Run>> {
        let attributes = Attributes::of(self)?;
        let ids = self.ids()?;
        let id = |row: usize| RunId::from_bytes(ids.get(row).copied().unwrap_or_default());
        let mut runs: Vec<Run> = rows.iter().map(|row| attributes.run(id(*row), *row)).collect();
        // Columns ascend by key, so that each map is built from sorted pairs.
        let count =
            |kind: ColumnKind| self.columns().iter().filter(|column| column.kind == kind).count().min(MAX_AHEAD);
        let mut texts: Vec<Vec<(String, String)>> = vec![Vec::new(); rows.len()];
        for kind in [ColumnKind::Param, ColumnKind::Tag] {
            texts.iter_mut().for_each(|texts| texts.reserve_exact(count(kind)));
            self.each_text(kind, rows, &mut |slot, name, value| {
                if let Some(texts) = texts.get_mut(slot) {
                    texts.push((name.to_owned(), value.to_owned()));
                }
            })?;
            for (run, texts) in runs.iter_mut().zip(&mut texts) {
                let map = std::mem::take(texts).into_iter().collect();
                if kind == ColumnKind::Param { run.params = map } else { run.tags = map }
            }
        }
        for (run, metrics) in runs.iter_mut().zip(self.summaries(rows)?) {
            run.metrics = metrics.into_iter().collect();
        }
        Ok(runs)
    }

    fn summaries(&self, rows: &[usize]) -> Result<Vec<Vec<(String, MetricSummary)>>> {
        let columns = self.columns().iter().filter(|column| column.kind == ColumnKind::Metric).count();
        let mut metrics: Vec<Vec<(String, MetricSummary)>> = Vec::new();
        metrics.resize_with(rows.len(), || Vec::with_capacity(columns.min(MAX_AHEAD)));
        self.each_summary(rows, &mut |slot, name, summary| {
            if let Some(metrics) = metrics.get_mut(slot) {
                metrics.push((name.to_owned(), summary));
            }
        })?;
        Ok(metrics)
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
        for ((brief, metrics), meta) in briefs.into_iter().zip(self.summaries(rows)?).zip(records) {
            let Brief { run_id, experiment_id, state } = brief;
            let tidy = matches!(state, BriefState::Settled { tidy: true, .. });
            let state = EntryState::Settled(Summary { tidy, meta, metrics });
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
