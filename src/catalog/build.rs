//! Making an index: groups that nothing has changed are copied as they are, all others are laid out by column.

use super::index::Group;
use super::run_state::RunState;
use crate::error::{Error, Result};
use crate::format::catalog::{EntryState, RunEntry, Summary, frame};
use crate::format::catalog_column::{MAX_ROWS, RowSet, put_floats, put_numbers, put_present, put_table, put_texts};
use crate::format::catalog_index::{ColumnKind, ColumnRef, GroupRef, Piece, Root, attribute, encode_directory};
use crate::format::catalog_records::put_blocks;
use crate::format::record::{Change, Meta, cause_number, status_number};
use crate::format::wire::{crc, crc_seed};
use crate::types::{FileId, KeyMap, MetricSummary, Run, RunId};
use std::collections::{BTreeSet, HashMap};

/// Summaries of metrics in a group: some twenty MiB when they are decoded, as they are when its runs change.
const MAX_VALUES: usize = 1 << 18;
/// Records about the runs of a group, in bytes; params, tags and datasets are among them.
const MAX_RECORD_BYTES: usize = 1 << 26;

/// A run on its way into the index.
struct Source<'a> {
    entry: &'a RunEntry,
    summary: &'a Summary,
    /// Without its metrics.
    run: Run,
    parent: String,
    datasets: Vec<u8>,
    latest_us: u64,
}

impl<'a> Source<'a> {
    /// `None` for a run that is not settled, or of which the records cannot be read.
    fn new(entry: &'a RunEntry) -> Option<Self> {
        let EntryState::Settled(summary) = &entry.state else { return None };
        let state = RunState::from_records(&Meta::decode_all(&summary.meta).ok()?);
        let run = state.to_run(entry.run_id, entry.experiment_id, KeyMap::default());
        let records = state.datasets().into_iter().map(|dataset| Meta { at_us: 0, change: Change::Dataset(dataset) });
        let datasets = Meta::encode_all(&records.collect::<Vec<_>>());
        let parent = run.parent.map(|parent| parent.to_string()).unwrap_or_default();
        Some(Self { entry, summary, run, parent, datasets, latest_us: state.latest_us() })
    }
}

/// What is written so far.
struct Output {
    file_id: FileId,
    bytes: Vec<u8>,
}

impl Output {
    fn put(&mut self, part: &[u8]) -> Result<Piece> {
        let offset = self.bytes.len() as u64;
        let len = u32::try_from(part.len());
        let len = len.map_err(|_| Error::LimitExceeded {
            what: "bytes of a column of the catalog",
            limit: u64::from(u32::MAX),
            found: part.len() as u64,
        })?;
        self.bytes.extend_from_slice(part);
        Ok(Piece { offset, len, crc: crc(crc_seed(&self.file_id.0, offset), part) })
    }

    fn column(&mut self, kind: ColumnKind, key: u32, first: &[u8], second: &[u8]) -> Result<ColumnRef> {
        Ok(ColumnRef { kind, key, first: self.put(first)?, second: self.put(second)? })
    }

    fn directory(&mut self, rows: usize, columns: &[ColumnRef]) -> Result<GroupRef> {
        Ok(GroupRef { rows, directory: self.put(&encode_directory(columns))? })
    }
}

/// An index behind `head`, which begins its file, and where its root lies. Of `kept` nothing may have changed; of `fresh`
/// what is not settled is left out, and its ids are the third part of the answer.
pub(crate) fn encode(
    file_id: FileId,
    head: Vec<u8>,
    kept: &[Group<'_>],
    fresh: &[RunEntry],
) -> Result<(Vec<u8>, u64, BTreeSet<RunId>)> {
    let sources: Vec<Source<'_>> = fresh.iter().filter_map(Source::new).collect();
    let mut left_out: BTreeSet<RunId> = fresh.iter().map(|entry| entry.run_id).collect();
    sources.iter().for_each(|source| _ = left_out.remove(&source.entry.run_id));
    let keys = all_keys(kept, &sources)?;
    let number = |name: &str| keys.binary_search(&name).unwrap_or(0) as u32;
    let mut out = Output { file_id, bytes: head };
    let (mut groups, mut ids): (Vec<GroupRef>, Vec<RunId>) = (Vec::new(), Vec::new());
    for group in kept {
        groups.push(copy(group, &mut out, &number)?);
        ids.extend(group.ids()?.iter().map(|id| RunId::from_bytes(*id)));
    }
    for sources in chunks(&sources) {
        groups.push(lay_out(sources, &mut out, &number)?);
        ids.extend(sources.iter().map(|source| source.entry.run_id));
    }
    let mut table = Vec::new();
    put_table(&mut table, &keys.iter().map(|key| key.as_bytes()).collect::<Vec<_>>());
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by_key(|row| ids.get(*row as usize));
    let order: Vec<u8> = order.into_iter().flat_map(u32::to_le_bytes).collect();
    let latest =
        kept.iter().map(|group| group.index().latest_us()).chain(sources.iter().map(|source| source.latest_us));
    let root = Root { latest_us: latest.max().unwrap_or(0), keys: out.put(&table)?, ids: out.put(&order)?, groups };
    let root_at = out.bytes.len() as u64;
    out.bytes.extend_from_slice(&frame(file_id, root_at, &root.encode()));
    Ok((out.bytes, root_at, left_out))
}

/// Whether a group has room for more runs.
pub(super) fn is_open(group: &Group<'_>) -> bool {
    let metrics = group.columns().iter().filter(|column| column.kind == ColumnKind::Metric).count();
    group.rows() < MAX_ROWS && group.rows() * metrics < MAX_VALUES
}

/// The runs of each new group.
fn chunks<'s, 'a>(mut sources: &'s [Source<'a>]) -> Vec<&'s [Source<'a>]> {
    let mut chunks = Vec::new();
    while !sources.is_empty() {
        let (mut values, mut bytes) = (0, 0);
        let fits = |source: &&Source<'_>| {
            values += source.summary.metrics.len();
            bytes += source.summary.meta.len();
            values <= MAX_VALUES && bytes <= MAX_RECORD_BYTES
        };
        let count = sources.iter().take(MAX_ROWS).take_while(fits).count().max(1);
        let (chunk, rest) = sources.split_at(count);
        chunks.push(chunk);
        sources = rest;
    }
    chunks
}

/// Names of all metrics, params and tags.
fn all_keys<'a>(kept: &[Group<'a>], sources: &'a [Source<'_>]) -> Result<Vec<&'a str>> {
    let mut keys: ByName<'a, ()> = ByName::default();
    for group in kept {
        for column in group.columns().iter().filter(|column| column.kind != ColumnKind::Attribute) {
            keys.entry(group.key_name(column.key)?);
        }
    }
    for source in sources {
        let texts = source.run.params.keys().chain(source.run.tags.keys());
        texts.chain(source.summary.metrics.iter().map(|(name, _)| name)).for_each(|name| _ = keys.entry(name));
    }
    Ok(keys.sorted().into_iter().map(|(name, ())| name).collect())
}

fn copy<'a>(group: &Group<'a>, out: &mut Output, number: &dyn Fn(&str) -> u32) -> Result<GroupRef> {
    let mut columns = Vec::with_capacity(group.columns().len());
    for (at, column) in group.columns().iter().enumerate() {
        let is_own = column.kind == ColumnKind::Attribute;
        let key = if is_own { column.key } else { number(group.key_name(column.key)?) };
        columns.push(out.column(column.kind, key, group.part(at, false)?, group.part(at, true)?)?);
    }
    out.directory(group.rows(), &columns)
}

fn lay_out(sources: &[Source<'_>], out: &mut Output, number: &dyn Fn(&str) -> u32) -> Result<GroupRef> {
    let mut columns = attributes(sources, out)?;
    let metrics = columns_of(sources, |source| source.summary.metrics.iter().map(|(name, summary)| (&**name, summary)));
    for (name, column) in metrics {
        let (first, second) = metric(&column.rows, &column.values, sources.len());
        columns.push(out.column(ColumnKind::Metric, number(name), &first, &second)?);
    }
    type Map = for<'a> fn(&'a Source<'_>) -> &'a KeyMap<String>;
    let maps: [(ColumnKind, Map); 2] =
        [(ColumnKind::Param, |source| &source.run.params), (ColumnKind::Tag, |source| &source.run.tags)];
    for (kind, of) in maps {
        let pairs = columns_of(sources, |source| of(source).iter().map(|(key, value)| (&**key, value.as_bytes())));
        for (key, column) in pairs {
            columns.push(out.column(kind, number(key), &texts(&column.rows, &column.values, sources.len()), &[])?);
        }
    }
    out.directory(sources.len(), &columns)
}

fn attributes(sources: &[Source<'_>], out: &mut Output) -> Result<Vec<ColumnRef>> {
    let mut columns = Vec::new();
    let ids: Vec<u8> = sources.iter().flat_map(|source| *source.entry.run_id.as_bytes()).collect();
    columns.push(out.column(ColumnKind::Attribute, attribute::ID, &ids, &[])?);
    type Number = fn(&Source<'_>) -> Option<i64>;
    type Text = for<'a> fn(&'a Source<'_>) -> &'a [u8];
    let numbers: [(u32, Number); 7] = [
        (attribute::EXPERIMENT, |source| Some(source.entry.experiment_id.get() as i64)),
        (attribute::STATUS, |source| Some(i64::from(status_number(source.run.status)))),
        (attribute::CAUSE, |source| Some(i64::from(cause_number(source.run.status_cause)))),
        (attribute::START, |source| Some(source.run.start_time)),
        (attribute::END, |source| source.run.end_time),
        (attribute::DELETED, |source| source.run.deleted_at),
        (attribute::TIDY, |source| Some(i64::from(source.summary.tidy))),
    ];
    for (key, of) in numbers {
        let mut rows = RowSet::none();
        let found = |(row, source): (usize, &Source<'_>)| of(source).inspect(|_| rows.insert(row));
        let values: Vec<i64> = sources.iter().enumerate().filter_map(found).collect();
        if !values.is_empty() {
            let mut first = Vec::new();
            put_present(&mut first, &rows, sources.len());
            put_numbers(&mut first, &values);
            columns.push(out.column(ColumnKind::Attribute, key, &first, &[])?);
        }
    }
    // What is empty is left out: it is the same as what is not there.
    let some_texts: [(u32, Text); 4] = [
        (attribute::NAME, |source| source.run.name.as_bytes()),
        (attribute::USER, |source| source.run.user.as_bytes()),
        (attribute::PARENT, |source| source.parent.as_bytes()),
        (attribute::DATASETS, |source| &source.datasets),
    ];
    for (key, of) in some_texts {
        let (mut rows, mut values) = (RowSet::none(), Vec::new());
        for (row, text) in sources.iter().map(of).enumerate().filter(|(_, text)| !text.is_empty()) {
            rows.insert(row);
            values.push(text);
        }
        if !values.is_empty() {
            columns.push(out.column(ColumnKind::Attribute, key, &texts(&rows, &values, sources.len()), &[])?);
        }
    }
    let records = put_blocks(sources.iter().map(|source| source.summary.meta.as_slice()));
    columns.push(out.column(ColumnKind::Attribute, attribute::RECORDS, &records, &[])?);
    columns.sort_unstable_by_key(|column| column.key);
    Ok(columns)
}

/// Things by name, of sources that mostly have the same names in the same order: the one behind the last one that was asked
/// for is tried first.
struct ByName<'a, T> {
    all: Vec<(&'a str, T)>,
    places: HashMap<&'a str, usize>,
    next: usize,
}

impl<T> Default for ByName<'_, T> {
    fn default() -> Self {
        Self { all: Vec::new(), places: HashMap::new(), next: 0 }
    }
}

impl<'a, T: Default> ByName<'a, T> {
    /// Makes it when it is not there.
    fn entry(&mut self, name: &'a str) -> Option<&mut T> {
        let at = match self.all.get(self.next) {
            Some((known, _)) if *known == name => self.next,
            _ => *self.places.entry(name).or_insert(self.all.len()),
        };
        if at == self.all.len() {
            self.all.push((name, T::default()));
        }
        self.next = at + 1;
        self.all.get_mut(at).map(|(_, thing)| thing)
    }

    fn sorted(mut self) -> Vec<(&'a str, T)> {
        self.all.sort_unstable_by_key(|(name, _)| *name);
        self.all
    }
}

/// The rows that have a value, and the values.
struct Column<T> {
    rows: RowSet,
    values: Vec<T>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { rows: RowSet::none(), values: Vec::new() }
    }
}

/// The columns of what each source has by name, ascending.
fn columns_of<'a, T, I>(sources: &'a [Source<'_>], pairs: impl Fn(&'a Source<'_>) -> I) -> Vec<(&'a str, Column<T>)>
where
    I: Iterator<Item = (&'a str, T)>,
{
    let mut columns: ByName<'a, Column<T>> = ByName::default();
    for (row, source) in sources.iter().enumerate() {
        for (name, value) in pairs(source) {
            if let Some(column) = columns.entry(name) {
                column.rows.insert(row);
                column.values.push(value);
            }
        }
    }
    columns.sorted()
}

fn metric(rows: &RowSet, summaries: &[&MetricSummary], of: usize) -> (Vec<u8>, Vec<u8>) {
    let floats =
        |value: fn(&MetricSummary) -> f64| summaries.iter().map(|summary| value(summary)).collect::<Vec<f64>>();
    let latest = floats(|summary| summary.latest.value);
    let mut first = Vec::new();
    put_present(&mut first, rows, of);
    put_floats(&mut first, &latest, None);
    let mut second = Vec::new();
    let numbers: [fn(&MetricSummary) -> i64; 4] = [
        |summary| summary.count as i64,
        |summary| summary.nan_count as i64,
        |summary| summary.latest.step,
        |summary| summary.latest.timestamp,
    ];
    for number in numbers {
        put_numbers(&mut second, &summaries.iter().map(|summary| number(summary)).collect::<Vec<_>>());
    }
    put_floats(&mut second, &floats(|summary| summary.min.unwrap_or(summary.latest.value)), Some(&latest));
    put_floats(&mut second, &floats(|summary| summary.max.unwrap_or(summary.latest.value)), Some(&latest));
    (first, second)
}

fn texts(rows: &RowSet, values: &[&[u8]], of: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_present(&mut out, rows, of);
    put_texts(&mut out, values);
    out
}
