//! Which runs of a group a filter matches: whole columns at a time, each kind of value in the way that suits it. Says
//! the same as `Filter::matches` says of each run.

use super::index::{FloatColumn, Group, NumberColumn, TextColumn};
use super::rows::{datasets_of, status_of};
use crate::error::Result;
use crate::format::catalog_column::{Floats, RowSet};
use crate::format::catalog_index::attribute;
use crate::search::{Attribute, Check, Comparison, DatasetPart, Field, Node, Statistic, Test, artifact_uri};
use crate::types::{ExperimentId, RunId};

/// The rows that a filter matches.
pub(super) fn matching(node: &Node, group: &Group<'_>, artifacts: &str) -> Result<RowSet> {
    let all = || RowSet::first(group.rows());
    Ok(match node {
        Node::All(nodes) => {
            let mut found = all();
            for node in nodes {
                if !found.is_empty() {
                    found = found.and(&matching(node, group, artifacts)?);
                }
            }
            found
        }
        Node::Any(nodes) => {
            let mut found = RowSet::none();
            for node in nodes {
                found = found.or(&matching(node, group, artifacts)?);
            }
            found
        }
        Node::Not(node) => all().without(&matching(node, group, artifacts)?),
        Node::Test(test) => meeting(test, group, artifacts)?,
    })
}

fn meeting(test: &Test, group: &Group<'_>, artifacts: &str) -> Result<RowSet> {
    match &test.field {
        Field::Metric { key, otherwise } => metric(test, group, key, otherwise.as_ref()),
        Field::Param(name) => {
            let column = group.param_named(name)?;
            Ok(with_missing(
                group,
                &[column.as_ref().map(|column| (column, met_by_text(test, column)))],
                test.text(None),
            ))
        }
        Field::Tag(name) => {
            let columns = group.tag_named(name)?;
            let met =
                columns.each_ref().map(|column| column.as_ref().map(|column| (column, met_by_text(test, column))));
            Ok(with_missing(group, &met, test.text(None)))
        }
        Field::Attribute(attribute) => about_run(test, *attribute, group, artifacts),
        Field::Dataset(part) => {
            let Some(column) = group.attribute_texts(attribute::DATASETS)? else {
                return Ok(if test.dataset(*part, &[]) { RowSet::first(group.rows()) } else { RowSet::none() });
            };
            let met = met_by_code(&column, |code| dataset_meets(test, *part, &column, code));
            Ok(with_missing(group, &[Some((&column, met))], test.dataset(*part, &[])))
        }
    }
}

fn dataset_meets(test: &Test, part: DatasetPart, column: &TextColumn<'_>, code: usize) -> bool {
    test.dataset(part, &datasets_of(column.values.bytes(code).unwrap_or_default()).0)
}

/// The first of these columns that has a value of a row decides about it; `missing` about rows of which none has.
fn with_missing(group: &Group<'_>, columns: &[Option<(&TextColumn<'_>, RowSet)>], missing: bool) -> RowSet {
    let (mut found, mut left) = (RowSet::none(), RowSet::first(group.rows()));
    for (column, met) in columns.iter().flatten() {
        found = found.or(&met.clone().and(&left));
        left = left.without(&column.present.rows());
    }
    if missing { found.or(&left) } else { found }
}

/// Each different text is asked once.
fn met_by_text(test: &Test, column: &TextColumn<'_>) -> RowSet {
    if let (Check::Equal(wanted), false) = (&test.check, test.negated) {
        let Some(wanted) = column.values.find(wanted) else { return RowSet::none() };
        return met_by_code(column, |code| code == wanted);
    }
    let met: Vec<bool> = (0..column.values.distinct()).map(|code| test.text(column.values.text(code))).collect();
    met_by_code(column, |code| met.get(code).copied().unwrap_or(false))
}

fn met_by_code(column: &TextColumn<'_>, met: impl Fn(usize) -> bool) -> RowSet {
    let mut found = RowSet::none();
    for (at, row) in column.present.rows().iter().enumerate() {
        if column.values.code(at).is_some_and(&met) {
            found.insert(row);
        }
    }
    found
}

fn metric(test: &Test, group: &Group<'_>, name: &str, otherwise: Option<&(String, Statistic)>) -> Result<RowSet> {
    let (mut found, mut left) = (RowSet::none(), RowSet::first(group.rows()));
    if let Some((_, column)) = group.metric_named(name)? {
        found = met_by_value(test, &column);
        left = left.without(&column.present.rows());
    }
    if let (Some((name, statistic)), false) = (otherwise, left.is_empty())
        && let Some((place, column)) = group.metric_named(name)?
    {
        let values = values_of(group, place, &column, *statistic)?;
        for (row, value) in column.present.rows().iter().zip(values) {
            if left.contains(row) && test.number(value) {
                found.insert(row);
            }
        }
        left = left.without(&column.present.rows());
    }
    Ok(if test.number(None) { found.or(&left) } else { found })
}

/// A statistic of a metric, in the order of its column's values.
pub(super) fn values_of(
    group: &Group<'_>,
    place: usize,
    column: &FloatColumn<'_>,
    statistic: Statistic,
) -> Result<Vec<Option<f64>>> {
    let places = 0..column.present.count;
    if statistic == Statistic::Last {
        return Ok(places.map(|at| column.values.get(at)).collect());
    }
    let rest = group.metric_rest(place, column)?;
    let count = |at| rest.count.get(at).unwrap_or(0);
    let extreme =
        |at, values: &Floats<'_>| if rest.nan_count.get(at) < rest.count.get(at) { values.get(at) } else { None };
    Ok(places
        .map(|at| match statistic {
            Statistic::Last => None,
            Statistic::Count => Some(count(at) as f64),
            Statistic::Min => extreme(at, &rest.min),
            Statistic::Max => extreme(at, &rest.max),
        })
        .collect())
}

fn met_by_value(test: &Test, column: &FloatColumn<'_>) -> RowSet {
    if let (Check::Number(comparison, bound), false) = (&test.check, test.negated) {
        return compared(*comparison, *bound, column);
    }
    let mut found = RowSet::none();
    for (at, row) in column.present.rows().iter().enumerate() {
        if test.number(column.values.get(at)) {
            found.insert(row);
        }
    }
    found
}

/// Written so that the compiler compares several values at once.
fn compared(comparison: Comparison, bound: f64, column: &FloatColumn<'_>) -> RowSet {
    match comparison {
        Comparison::Equal => each(column, |value| value == bound),
        Comparison::NotEqual => each(column, |value| value != bound),
        Comparison::Less => each(column, |value| value < bound),
        Comparison::LessOrEqual => each(column, |value| value <= bound),
        Comparison::Greater => each(column, |value| value > bound),
        Comparison::GreaterOrEqual => each(column, |value| value >= bound),
    }
}

fn each(column: &FloatColumn<'_>, holds: impl Fn(f64) -> bool) -> RowSet {
    let mut places = RowSet::none();
    match &column.values {
        Floats::Constant { value, .. } if !holds(*value) => return places,
        Floats::Constant { .. } => return column.present.rows(),
        Floats::Singles(values) => {
            // A NaN of any bits is a NaN.
            mark(&mut places, values, |bytes| holds(f64::from(f32::from_le_bytes(*bytes))));
        }
        Floats::Doubles(values) => mark(&mut places, values, |bytes| holds(f64::from_le_bytes(*bytes))),
    }
    if column.present.is_all() { places } else { spread(&places, &column.present.rows()) }
}

fn mark<T>(places: &mut RowSet, values: &[T], holds: impl Fn(&T) -> bool) {
    for (word, values) in places.words_mut().iter_mut().zip(values.chunks(64)) {
        *word = values.iter().enumerate().fold(0, |word, (bit, value)| word | u64::from(holds(value)) << bit);
    }
}

/// From places among a column's values to rows.
fn spread(places: &RowSet, rows: &RowSet) -> RowSet {
    let mut found = RowSet::none();
    rows.iter().enumerate().filter(|(at, _)| places.contains(*at)).for_each(|(_, row)| found.insert(row));
    found
}

fn about_run(test: &Test, attribute: Attribute, group: &Group<'_>, artifacts: &str) -> Result<RowSet> {
    let mut found = RowSet::none();
    let mut ask = |met: &dyn Fn(usize) -> bool| {
        (0..group.rows()).filter(|row| met(*row)).for_each(|row| found.insert(row));
    };
    let number = |column: &Option<NumberColumn<'_>>, row: usize| column.as_ref().and_then(|column| column.get(row));
    let id = |ids: &[[u8; 16]], row: usize| RunId::from_bytes(ids.get(row).copied().unwrap_or_default());
    match attribute {
        Attribute::StartTime | Attribute::EndTime | Attribute::Duration => {
            let (start, end) = (group.numbers(attribute::START)?, group.numbers(attribute::END)?);
            ask(&|row| {
                let (start, end) = (number(&start, row), number(&end, row));
                let value = match attribute {
                    Attribute::StartTime => start,
                    Attribute::EndTime => end,
                    _ => start.zip(end).map(|(start, end)| end.saturating_sub(start)),
                };
                test.number(value.map(|value| value as f64))
            });
        }
        Attribute::RunName | Attribute::UserId => {
            let key = if attribute == Attribute::RunName { attribute::NAME } else { attribute::USER };
            let column = group.attribute_texts(key)?;
            let met = column.as_ref().map(|column| (column, met_by_text(test, column)));
            return Ok(with_missing(group, &[met], test.text(Some(""))));
        }
        Attribute::Status => {
            let column = group.numbers(attribute::STATUS)?;
            ask(&|row| test.text(Some(status_of(number(&column, row).unwrap_or(0)).as_str())));
        }
        Attribute::ExperimentId => {
            let column = group.numbers(attribute::EXPERIMENT)?;
            ask(&|row| test.text(Some(&ExperimentId::new(number(&column, row).unwrap_or(0) as u64).to_string())));
        }
        Attribute::RunId => {
            let ids = group.ids()?;
            let wanted: Option<Vec<[u8; 16]>> = match &test.check {
                Check::Equal(wanted) => Some(exact_ids(std::slice::from_ref(wanted))),
                Check::In(wanted) => Some(exact_ids(wanted)),
                _ => None,
            };
            match wanted {
                Some(wanted) => {
                    ask(&|row| ids.get(row).is_some_and(|id| wanted.binary_search(id).is_ok()) != test.negated);
                }
                None => ask(&|row| test.text(Some(&id(ids, row).to_string()))),
            }
        }
        Attribute::ArtifactUri => {
            let (ids, column) = (group.ids()?, group.numbers(attribute::EXPERIMENT)?);
            ask(&|row| {
                let experiment = ExperimentId::new(number(&column, row).unwrap_or(0) as u64);
                test.text(Some(&artifact_uri(artifacts, experiment, id(ids, row))))
            });
        }
    }
    Ok(found)
}

/// The ids that these texts are to the letter, sorted.
fn exact_ids(texts: &[String]) -> Vec<[u8; 16]> {
    let parsed = texts.iter().filter_map(|text| text.parse::<RunId>().ok().filter(|id| id.to_string() == *text));
    let mut ids: Vec<[u8; 16]> = parsed.map(|id| *id.as_bytes()).collect();
    ids.sort_unstable();
    ids
}
