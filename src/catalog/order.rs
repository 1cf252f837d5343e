//! By what runs are sorted, taken from columns: for each run one number that decides nearly always, and all its keys where
//! two numbers are the same. Says the same as `RunOrder::compare`.

use super::index::{FloatColumn, Group, NumberColumn, TextColumn};
use super::place::Place;
use super::rows::status_of;
use super::select::values_of;
use crate::error::Result;
use crate::format::catalog_column::{Present, RowSet};
use crate::format::catalog_index::attribute;
use crate::search::{Attribute, Field, Key, Term, key};
use crate::types::{ExperimentId, Run, RunId};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A run that was found: where it is, and the number that its first key gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    code: u64,
    /// The number of its group, or [`NO_GROUP`].
    pub(super) group: u32,
    /// Its row there, or its number among the runs that are in no group.
    pub(super) row: u32,
}

pub(super) const NO_GROUP: u32 = u32::MAX;

/// One field of the order, for the runs of a group.
enum TermColumn<'a> {
    /// The second is asked about what the first lacks.
    Floats(Option<FloatColumn<'a>>, Option<(Present, Vec<Option<f64>>)>),
    Texts([Option<TextColumn<'a>>; 2], Key<'a>),
    Number(Option<NumberColumn<'a>>),
    Duration(Option<NumberColumn<'a>>),
    Status(Option<NumberColumn<'a>>),
    Experiment(Option<NumberColumn<'a>>),
    Id,
}

/// The keys of a group's runs.
pub(super) struct GroupKeys<'a> {
    start: Option<NumberColumn<'a>>,
    ids: &'a [[u8; 16]],
    terms: Vec<TermColumn<'a>>,
}

fn number(column: Option<&NumberColumn<'_>>, row: usize) -> Option<i64> {
    column.and_then(|column| column.get(row))
}

impl<'a> GroupKeys<'a> {
    pub(super) fn of(group: &Group<'a>, terms: &[Term]) -> Result<Self> {
        let terms = terms.iter().map(|term| column_of(group, &term.field)).collect::<Result<_>>()?;
        Ok(Self { start: group.numbers(attribute::START)?, ids: group.ids()?, terms })
    }

    fn start(&self, row: usize) -> i64 {
        number(self.start.as_ref(), row).unwrap_or(0)
    }

    fn id(&self, row: usize) -> RunId {
        RunId::from_bytes(self.ids.get(row).copied().unwrap_or_default())
    }

    fn key(&self, term: usize, row: usize) -> Key<'a> {
        let as_number = |value: Option<i64>| Key::of_number(value.map(|value| value as f64));
        match self.terms.get(term) {
            None => Key::Missing,
            Some(TermColumn::Floats(first, second)) => {
                if let Some(at) = first.as_ref().and_then(|column| column.present.place(row)) {
                    return Key::of_number(first.as_ref().and_then(|column| column.values.get(at)));
                }
                let value = second.as_ref().and_then(|(present, values)| *values.get(present.place(row)?)?);
                Key::of_number(value)
            }
            Some(TermColumn::Texts(columns, missing)) => {
                let text = columns.iter().flatten().find_map(|column| column.get(row));
                text.map_or_else(|| missing.clone(), |text| Key::Text(Cow::Borrowed(text)))
            }
            Some(TermColumn::Number(column)) => as_number(number(column.as_ref(), row)),
            Some(TermColumn::Duration(end)) => {
                as_number(number(end.as_ref(), row).map(|end| end.saturating_sub(self.start(row))))
            }
            Some(TermColumn::Status(column)) => {
                Key::Text(Cow::Borrowed(status_of(number(column.as_ref(), row).unwrap_or(0)).as_str()))
            }
            Some(TermColumn::Experiment(column)) => {
                let id = ExperimentId::new(number(column.as_ref(), row).unwrap_or(0) as u64);
                Key::Text(Cow::Owned(id.to_string()))
            }
            Some(TermColumn::Id) => Key::Text(Cow::Owned(self.id(row).to_string())),
        }
    }
}

fn column_of<'a>(group: &Group<'a>, field: &Field) -> Result<TermColumn<'a>> {
    Ok(match field {
        Field::Metric { key, otherwise } => {
            let second = match otherwise {
                None => None,
                Some((name, statistic)) => match group.metric_named(name)? {
                    None => None,
                    Some((place, column)) => {
                        let values = values_of(group, place, &column, *statistic)?;
                        Some((column.present, values))
                    }
                },
            };
            TermColumn::Floats(group.metric_named(key)?.map(|(_, column)| column), second)
        }
        Field::Param(name) => TermColumn::Texts([group.param_named(name)?, None], Key::Missing),
        Field::Tag(name) => TermColumn::Texts(group.tag_named(name)?, Key::Missing),
        Field::Attribute(Attribute::RunName) => {
            TermColumn::Texts([group.attribute_texts(attribute::NAME)?, None], Key::Text(Cow::Borrowed("")))
        }
        Field::Attribute(Attribute::UserId) => {
            TermColumn::Texts([group.attribute_texts(attribute::USER)?, None], Key::Text(Cow::Borrowed("")))
        }
        Field::Attribute(Attribute::StartTime) => TermColumn::Number(group.numbers(attribute::START)?),
        Field::Attribute(Attribute::EndTime) => TermColumn::Number(group.numbers(attribute::END)?),
        Field::Attribute(Attribute::Duration) => TermColumn::Duration(group.numbers(attribute::END)?),
        Field::Attribute(Attribute::Status) => TermColumn::Status(group.numbers(attribute::STATUS)?),
        Field::Attribute(Attribute::ExperimentId | Attribute::ArtifactUri) => {
            TermColumn::Experiment(group.numbers(attribute::EXPERIMENT)?)
        }
        Field::Attribute(Attribute::RunId) => TermColumn::Id,
        // Runs are not sorted by these.
        Field::Dataset(_) => TermColumn::Number(None),
    })
}

fn text_key(text: &str) -> Key<'_> {
    Key::Text(Cow::Borrowed(text))
}

/// A number that is never greater for a key that comes first. Equal ones say nothing.
fn code_of(key: &Key<'_>, descending: bool) -> u64 {
    match key {
        Key::Number(value) => {
            // Both zeros are the same number.
            let bits = (value + 0.0).to_bits();
            let code = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            if descending { !code } else { code }
        }
        Key::Text(text) => {
            // Six bytes and the length: a shorter text is known whole.
            let first =
                text.bytes().chain(std::iter::repeat(0)).take(6).fold(0, |code, byte| code << 8 | u64::from(byte));
            let code = first << 8 | text.len().min(7) as u64;
            if descending { TEXTS - code } else { code }
        }
        Key::Nan => u64::MAX - 1,
        Key::Missing => u64::MAX,
    }
}

/// Greater than the number of any text.
const TEXTS: u64 = (1 << 56) - 1;

/// Whether two keys of one field with this number are the same.
fn is_exact(field: &Field, code: u64, descending: bool) -> bool {
    let is_number = match field {
        Field::Metric { .. } => true,
        Field::Attribute(attribute) => attribute.is_number(),
        _ => false,
    };
    let code = if descending { TEXTS.wrapping_sub(code) } else { code };
    is_number || code & 0xff < 7
}

/// Who started last comes first.
fn code_of_start(start: i64) -> u64 {
    !(start as u64 ^ 1 << 63)
}

/// All that is needed to compare runs.
pub(super) struct Ranking<'a> {
    pub(super) terms: &'a [Term],
    pub(super) groups: Vec<GroupKeys<'a>>,
    /// Runs that are in no group.
    pub(super) others: Vec<&'a Run>,
}

impl<'a> Ranking<'a> {
    fn keys(&self, group: u32) -> Option<&GroupKeys<'a>> {
        self.groups.get(group as usize)
    }

    fn key(&self, hit: &Hit, term: usize) -> Key<'a> {
        if hit.group == NO_GROUP {
            let found = self.others.get(hit.row as usize).zip(self.terms.get(term));
            return found.map_or(Key::Missing, |(run, term)| key(&term.field, run));
        }
        self.keys(hit.group).map_or(Key::Missing, |keys| keys.key(term, hit.row as usize))
    }

    fn start(&self, hit: &Hit) -> i64 {
        match self.keys(hit.group) {
            Some(keys) => keys.start(hit.row as usize),
            None => self.others.get(hit.row as usize).map_or(0, |run| run.start_time),
        }
    }

    fn id(&self, hit: &Hit) -> RunId {
        match self.keys(hit.group) {
            Some(keys) => keys.id(hit.row as usize),
            None => self.others.get(hit.row as usize).map_or(RunId::from_bytes([0; 16]), |run| run.id),
        }
    }

    pub(super) fn hit(&self, group: u32, row: u32) -> Hit {
        let hit = Hit { code: 0, group, row };
        let code = match self.terms.first() {
            Some(term) => code_of(&self.key(&hit, 0), term.descending),
            None => code_of_start(self.start(&hit)),
        };
        Hit { code, ..hit }
    }

    /// The runs that are in no group.
    pub(super) fn other_hits(&self) -> impl Iterator<Item = Hit> {
        (0..self.others.len()).map(|number| self.hit(NO_GROUP, number as u32))
    }

    /// The hits that these rows of a group are.
    pub(super) fn hits(&self, group: u32, rows: &RowSet, mut each: impl FnMut(Hit)) {
        let Some(keys) = self.keys(group) else { return };
        let mut give = |row: usize, code: u64| each(Hit { code, group, row: row as u32 });
        match (self.terms.first(), keys.terms.first()) {
            (None, _) => match &keys.start {
                Some(start) if start.present.is_all() => {
                    rows.iter().for_each(|row| give(row, code_of_start(start.values.get(row).unwrap_or(0))));
                }
                _ => rows.iter().for_each(|row| give(row, code_of_start(keys.start(row)))),
            },
            (Some(term), Some(TermColumn::Floats(Some(column), _))) if column.present.is_all() => {
                let code = |row| code_of(&Key::of_number(column.values.get(row)), term.descending);
                rows.iter().for_each(|row| give(row, code(row)));
            }
            (Some(term), Some(TermColumn::Texts([Some(column), _], _))) if column.present.is_all() => {
                let code = |code| code_of(&column.values.text(code).map_or(Key::Missing, text_key), term.descending);
                let codes: Vec<u64> = (0..column.values.distinct()).map(code).collect();
                let code = |row| column.values.code(row).and_then(|code| codes.get(code)).copied().unwrap_or(u64::MAX);
                rows.iter().for_each(|row| give(row, code(row)));
            }
            (Some(term), _) => rows.iter().for_each(|row| give(row, code_of(&keys.key(0, row), term.descending))),
        }
    }

    pub(super) fn compare(&self, a: &Hit, b: &Hit) -> Ordering {
        a.code.cmp(&b.code).then_with(|| {
            let known = self.terms.first().is_some_and(|term| is_exact(&term.field, a.code, term.descending));
            let by_terms = self.terms.iter().enumerate().skip(usize::from(known));
            let mut by_terms = by_terms.map(|(at, term)| self.key(a, at).compare(&self.key(b, at), term.descending));
            let decided = by_terms.find(|order| order.is_ne());
            let by_start = || self.start(b).cmp(&self.start(a)).then_with(|| self.id(a).cmp(&self.id(b)));
            decided.unwrap_or_else(by_start)
        })
    }

    /// The number of a place's first key.
    pub(super) fn code_at(&self, place: &Place) -> u64 {
        match (self.terms.first(), place.keys.first()) {
            (Some(term), Some(key)) => code_of(key, term.descending),
            _ => code_of_start(place.start),
        }
    }

    /// Whether a run comes behind a place with this first number.
    pub(super) fn is_behind(&self, hit: &Hit, place: &Place, code: u64) -> bool {
        let order = hit.code.cmp(&code).then_with(|| {
            let known = self.terms.first().is_some_and(|term| is_exact(&term.field, code, term.descending));
            let by_terms = self.terms.iter().zip(&place.keys).enumerate().skip(usize::from(known));
            let mut by_terms = by_terms.map(|(at, (term, key))| self.key(hit, at).compare(key, term.descending));
            let decided = by_terms.find(|order| order.is_ne());
            decided.unwrap_or_else(|| place.start.cmp(&self.start(hit)).then_with(|| self.id(hit).cmp(&place.id)))
        });
        order.is_gt()
    }

    pub(super) fn place(&self, hit: &Hit) -> Place {
        let keys = (0..self.terms.len()).map(|at| match self.key(hit, at) {
            Key::Text(text) => Key::Text(Cow::Owned(text.into_owned())),
            Key::Number(value) => Key::Number(value),
            Key::Nan => Key::Nan,
            Key::Missing => Key::Missing,
        });
        Place { keys: keys.collect(), start: self.start(hit), id: self.id(hit) }
    }
}

/// The first of the runs that it is given.
pub(super) struct Top {
    hits: Vec<Hit>,
    limit: usize,
    /// No run behind this one is among them.
    bound: Option<Hit>,
}

impl Top {
    pub(super) fn new(limit: usize) -> Self {
        Self { hits: Vec::new(), limit, bound: None }
    }

    pub(super) fn push(&mut self, hit: Hit, ranking: &Ranking<'_>) {
        if self.bound.is_some_and(|bound| hit.code > bound.code || ranking.compare(&hit, &bound).is_gt()) {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() / 2 >= self.limit.max(64) {
            self.hits.select_nth_unstable_by(self.limit, |a, b| ranking.compare(a, b));
            self.hits.truncate(self.limit);
            self.bound = self.hits.iter().max_by(|a, b| ranking.compare(a, b)).copied();
        }
    }

    /// Them in order.
    pub(super) fn sorted(mut self, ranking: &Ranking<'_>) -> Vec<Hit> {
        self.hits.sort_unstable_by(|a, b| ranking.compare(a, b));
        self.hits.truncate(self.limit);
        self.hits
    }
}
