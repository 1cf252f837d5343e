//! Records: what a frame of a log says.
//!
//! A frame's payload is a sequence of records, each a kind byte and its fields. Steps and timestamps of points and
//! rows are stored as differences from the record before them in the same frame (0 before the first), so that a
//! frame can be read without the ones before it; only metric and row numbers refer back, to definitions earlier in
//! the same log.
//!
//! | kind | record | fields |
//! |---|---|---|
//! | 0x01 | point | metric varint, step zigzag, timestamp zigzag, value f64 |
//! | 0x02 | row | row varint, step zigzag, timestamp zigzag, one f64 for each metric of the row |
//! | 0x03 | columns | metric varint, n varint, steps axis, timestamps axis, n f64 |
//! | 0x10 | define metric | number varint, name text |
//! | 0x11 | define row | number varint, count varint, that many metric numbers varint |
//! | 0x20.. | about the run | length varint, then that many bytes: see [`Meta`]; of unknown kinds only the time is read |
//!
//! An axis is a kind byte and: 0 = first i64, difference i64 (both wrapping); 1 = n i64; 2 = smallest i64, n u32.

use super::sink::{Head, Sink};
use super::wire::{Decoded, Reader, put_text, put_varint, put_zigzag, unzigzag};
use crate::limits;
use crate::types::{DatasetInput, ExperimentId, Point, RunId, RunStatus, StatusCause};

const POINT: u8 = 0x01;
const ROW: u8 = 0x02;
const COLUMNS: u8 = 0x03;
const DEFINE_METRIC: u8 = 0x10;
const DEFINE_ROW: u8 = 0x11;
const FIRST_META: u8 = 0x20;

const AXIS_STRIDE: u8 = 0;
const AXIS_RAW: u8 = 1;
const AXIS_OFFSETS: u8 = 2;

/// Step and timestamp of the record before, from which the next one is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    step: i64,
    timestamp: i64,
}

impl Base {
    /// Differences from the record before, which this one takes the place of.
    #[inline]
    fn advance(&mut self, step: i64, timestamp: i64) -> (i64, i64) {
        let differences = (step.wrapping_sub(self.step), timestamp.wrapping_sub(self.timestamp));
        *self = Self { step, timestamp };
        differences
    }

    fn take(&mut self, reader: &mut Reader<'_>) -> Decoded<(i64, i64)> {
        self.step = self.step.wrapping_add(reader.zigzag("step")?);
        self.timestamp = self.timestamp.wrapping_add(reader.zigzag("timestamp")?);
        Ok((self.step, self.timestamp))
    }
}

/// Appends a point.
#[inline(always)]
pub(crate) fn put_point(sink: &mut Sink<'_>, base: &mut Base, metric: u32, point: Point) {
    let (step, timestamp) = base.advance(point.step, point.timestamp);
    match Head::new(POINT, metric, step, timestamp) {
        Some(head) => sink.put_head_and_word(head, point.value.to_bits()),
        None => {
            sink.put(&Head::long(POINT, metric, step, timestamp));
            sink.put(&point.value.to_le_bytes());
        }
    }
}

/// Appends one value for each metric of a row.
pub(crate) fn put_row(sink: &mut Sink<'_>, base: &mut Base, row: u32, step: i64, timestamp: i64, values: &[f64]) {
    let (step, timestamp) = base.advance(step, timestamp);
    match Head::new(ROW, row, step, timestamp) {
        Some(head) => sink.put_head(head),
        None => sink.put(&Head::long(ROW, row, step, timestamp)),
    }
    sink.put_values(values);
}

/// Steps or timestamps to be written, and the shortest form that they have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AxisPlan<'a> {
    axis: &'a [i64],
    form: AxisForm,
}

#[derive(Clone, Copy, Debug)]
enum AxisForm {
    Stride { first: i64, stride: i64 },
    Offsets { low: i64 },
    Raw,
}

/// Differences are looked at in blocks of this length, each without a way out, so that the compiler can use vectors.
const STRIDE_BLOCK: usize = 256;

impl<'a> AxisPlan<'a> {
    /// Looks for the shortest form: one pass over the numbers, two when they have no constant difference.
    pub(crate) fn new(axis: &'a [i64]) -> Self {
        Self { axis, form: Self::form(axis) }
    }

    fn form(axis: &[i64]) -> AxisForm {
        let first = axis.first().copied().unwrap_or(0);
        let stride = axis.get(1).map_or(0, |second| second.wrapping_sub(first));
        let after = axis.get(1..).unwrap_or_default();
        let mut blocks = axis.chunks(STRIDE_BLOCK).zip(after.chunks(STRIDE_BLOCK));
        let is_strided = blocks.all(|(before, after)| {
            // All differences at once: what differs leaves a bit.
            let differs = |(a, b): (&i64, &i64)| b.wrapping_sub(*a) ^ stride;
            before.iter().zip(after).map(differs).fold(0, |all, one| all | one) == 0
        });
        if is_strided {
            return AxisForm::Stride { first, stride };
        }
        let low = axis.iter().fold(i64::MAX, |low, v| low.min(*v));
        let high = axis.iter().fold(i64::MIN, |high, v| high.max(*v));
        match high.checked_sub(low).is_some_and(|span| u32::try_from(span).is_ok()) {
            true => AxisForm::Offsets { low },
            false => AxisForm::Raw,
        }
    }

    fn len(&self) -> usize {
        match self.form {
            AxisForm::Stride { .. } => 17,
            AxisForm::Offsets { .. } => 9 + self.axis.len() * 4,
            AxisForm::Raw => 1 + self.axis.len() * 8,
        }
    }

    fn put(&self, sink: &mut Sink<'_>) {
        match self.form {
            AxisForm::Stride { first, stride } => {
                sink.put(&[AXIS_STRIDE]);
                sink.put(&first.to_le_bytes());
                sink.put(&stride.to_le_bytes());
            }
            AxisForm::Offsets { low } => {
                sink.put(&[AXIS_OFFSETS]);
                sink.put(&low.to_le_bytes());
                sink.put_words(self.axis, |v| (v.wrapping_sub(low) as u32).to_le_bytes());
            }
            AxisForm::Raw => {
                sink.put(&[AXIS_RAW]);
                sink.put_ints(self.axis);
            }
        }
    }
}

/// Points of one metric by column, at most [`limits::MAX_COLUMN_PIECE_POINTS`]: what their record will look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnsPlan<'a> {
    steps: AxisPlan<'a>,
    timestamps: AxisPlan<'a>,
    values: &'a [f64],
}

impl<'a> ColumnsPlan<'a> {
    /// The three slices have equal length.
    pub(crate) fn new(steps: &'a [i64], timestamps: &'a [i64], values: &'a [f64]) -> Self {
        Self { steps: AxisPlan::new(steps), timestamps: AxisPlan::new(timestamps), values }
    }

    /// Bytes of the record, at most.
    pub(crate) fn max_len(&self) -> usize {
        let numbers = 16;
        numbers + self.steps.len() + self.timestamps.len() + self.values.len() * 8
    }

    /// Appends the record.
    pub(crate) fn put(&self, sink: &mut Sink<'_>, metric: u32) {
        let mut head = vec![COLUMNS];
        put_varint(&mut head, u64::from(metric));
        put_varint(&mut head, self.values.len() as u64);
        sink.put(&head);
        self.steps.put(sink);
        self.timestamps.put(sink);
        sink.put_values(self.values);
    }
}

/// Appends the definition of a metric number.
pub(crate) fn put_define_metric(out: &mut Vec<u8>, number: u32, name: &str) {
    out.push(DEFINE_METRIC);
    put_varint(out, u64::from(number));
    put_text(out, name);
}

/// Appends the definition of a row number.
pub(crate) fn put_define_row(out: &mut Vec<u8>, number: u32, metrics: &[u32]) {
    out.push(DEFINE_ROW);
    put_varint(out, u64::from(number));
    put_varint(out, metrics.len() as u64);
    metrics.iter().for_each(|metric| put_varint(out, u64::from(*metric)));
}

/// Values that lie in a frame, 8 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    pub(crate) fn len(&self) -> usize {
        self.0.len() / 8
    }

    /// Value `number`; NaN beyond the end.
    #[inline]
    pub(crate) fn get(&self, number: usize) -> f64 {
        let (values, _) = self.0.as_chunks::<8>();
        values.get(number).map_or(f64::NAN, |bytes| f64::from_le_bytes(*bytes))
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = f64> + 'a {
        let (values, _) = self.0.as_chunks::<8>();
        values.iter().map(|bytes| f64::from_le_bytes(*bytes))
    }
}

/// Steps or timestamps of a columns record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis<'a> {
    Stride { first: i64, stride: i64 },
    Raw(&'a [u8]),
    Offsets { low: i64, offsets: &'a [u8] },
}

impl<'a> Axis<'a> {
    fn take(reader: &mut Reader<'a>, n: usize) -> Decoded<Self> {
        let int = |reader: &mut Reader<'a>| Ok(i64::from_le_bytes(reader.array("axis")?));
        match reader.u8("axis kind")? {
            AXIS_STRIDE => Ok(Self::Stride { first: int(reader)?, stride: int(reader)? }),
            AXIS_RAW => Ok(Self::Raw(reader.take(n * 8, "axis")?)),
            AXIS_OFFSETS => Ok(Self::Offsets { low: int(reader)?, offsets: reader.take(n * 4, "axis")? }),
            _ => Err(reader.error("axis", "its kind is unknown")),
        }
    }

    /// Appends the `n` numbers.
    pub(crate) fn read_into(&self, n: usize, out: &mut Vec<i64>) {
        match *self {
            Self::Stride { first, stride } => {
                out.extend((0..n as i64).map(|i| first.wrapping_add(stride.wrapping_mul(i))));
            }
            Self::Raw(bytes) => out.extend(bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b))),
            Self::Offsets { low, offsets } => {
                let offsets = offsets.as_chunks::<4>().0.iter();
                out.extend(offsets.map(|b| low.wrapping_add(i64::from(u32::from_le_bytes(*b)))));
            }
        }
    }
}

/// One record of a frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record<'a> {
    Point {
        metric: u32,
        point: Point,
    },
    Row {
        row: u32,
        step: i64,
        timestamp: i64,
        values: Values<'a>,
    },
    Columns {
        metric: u32,
        steps: Axis<'a>,
        timestamps: Axis<'a>,
        values: Values<'a>,
    },
    DefineMetric {
        number: u32,
        name: &'a str,
    },
    DefineRow {
        number: u32,
        metrics: Vec<u32>,
    },
    Meta(Meta),
    /// A kind of a newer minor version, skipped but for its time.
    Unknown {
        at_us: u64,
    },
}

/// The point at the start of `bytes`, when its metric number and its differences take one byte each, as most do, and the
/// bytes after it. `None` for anything else, which [`Record::decode`] reads.
#[inline(always)]
pub(crate) fn short_point<'a>(bytes: &'a [u8], base: &mut Base) -> Option<(u32, Point, &'a [u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let [kind, metric, step, timestamp] = *head;
    if kind != POINT || (metric | step | timestamp) & 0x80 != 0 {
        return None;
    }
    base.step = base.step.wrapping_add(unzigzag(u64::from(step)));
    base.timestamp = base.timestamp.wrapping_add(unzigzag(u64::from(timestamp)));
    Some((u32::from(metric), Point::new(base.step, base.timestamp, f64::from_le_bytes(*value)), rest))
}

fn number(reader: &mut Reader<'_>, what: &'static str) -> Decoded<u32> {
    let value = reader.varint(what)?;
    let number = u32::try_from(value).ok().filter(|n| (*n as usize) < limits::MAX_METRICS_PER_RUN);
    number.ok_or_else(|| reader.error(what, "the number is beyond its limit"))
}

impl<'a> Record<'a> {
    /// Reads the next record. `row_len` answers how many metrics a row number has.
    pub(crate) fn decode(
        reader: &mut Reader<'a>,
        base: &mut Base,
        row_len: impl FnOnce(u32) -> Option<usize>,
    ) -> Decoded<Self> {
        let kind = reader.u8("record kind")?;
        match kind {
            POINT => {
                let metric = number(reader, "metric number")?;
                let (step, timestamp) = base.take(reader)?;
                Ok(Self::Point { metric, point: Point::new(step, timestamp, reader.f64("value")?) })
            }
            ROW => {
                let row = number(reader, "row number")?;
                let len = row_len(row).ok_or_else(|| reader.error("row", "its number was not defined"))?;
                let (step, timestamp) = base.take(reader)?;
                Ok(Self::Row { row, step, timestamp, values: Values(reader.take(len * 8, "row values")?) })
            }
            COLUMNS => {
                let metric = number(reader, "metric number")?;
                let n = reader.count(limits::MAX_COLUMN_PIECE_POINTS, 8, "column length")?;
                let (steps, timestamps) = (Axis::take(reader, n)?, Axis::take(reader, n)?);
                Ok(Self::Columns { metric, steps, timestamps, values: Values(reader.take(n * 8, "column values")?) })
            }
            DEFINE_METRIC => {
                let number = number(reader, "metric number")?;
                Ok(Self::DefineMetric { number, name: reader.text(limits::MAX_KEY_BYTES, "metric name")? })
            }
            DEFINE_ROW => {
                let row = number(reader, "row number")?;
                let count = reader.count(limits::MAX_ROW_METRICS, 1, "row length")?;
                let metrics = (0..count).map(|_| number(reader, "metric number")).collect::<Decoded<_>>()?;
                Ok(Self::DefineRow { number: row, metrics })
            }
            FIRST_META.. => {
                let body = reader.bytes(limits::MAX_FRAME_BYTES, "record")?;
                let mut body = Reader::new(body);
                let at_us = body.varint("time of change")?;
                // Bytes after the known fields are fields of a newer minor version.
                let change = Change::decode(kind, &mut body)?;
                Ok(change.map_or(Self::Unknown { at_us }, |change| Self::Meta(Meta { at_us, change })))
            }
            _ => Err(reader.error("record", "its kind is unknown")),
        }
    }
}

/// A change of what is known of a run, and when it was made: microseconds of a hybrid logical clock, so that a later
/// change has a later time whatever the clocks say. Applying changes in any order, any number of times, gives the
/// same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) at_us: u64,
    pub(crate) change: Change,
}

/// The change itself. The comment gives the kind and the fields after the time (varint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// 0x20: experiment varint, experiment name text, start zigzag, user text, has parent u8, parent 16 bytes
    Created {
        experiment_id: ExperimentId,
        experiment_name: String,
        start_time: i64,
        user: String,
        parent: Option<RunId>,
    },
    /// 0x21: name text
    Name(String),
    /// 0x22: status u8, cause u8, has end u8, end zigzag
    Status { status: RunStatus, cause: StatusCause, end_time: Option<i64> },
    /// 0x23: key text, value text
    Param { key: String, value: String },
    /// 0x24: key text, value text
    Tag { key: String, value: String },
    /// 0x25: key text
    TagDeleted { key: String },
    /// 0x26: deleted u8, when zigzag
    Lifecycle { deleted: bool, at: i64 },
    /// 0x27: name, digest, source type, source, schema, profile text, tag count varint, each: key text, value text
    Dataset(DatasetInput),
}

impl Meta {
    /// Appends the record.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        put_varint(&mut body, self.at_us);
        let kind = self.change.encode(&mut body);
        out.push(kind);
        put_varint(out, body.len() as u64);
        out.extend_from_slice(&body);
    }

    /// A sequence of such records, as a segment or the catalog holds it: each time is stored as its difference from
    /// the one before (modulo 2^64, 0 before the first), since most records of a run were written in one moment.
    pub(crate) fn encode_all(records: &[Self]) -> Vec<u8> {
        let (mut out, mut before) = (Vec::new(), 0);
        for record in records {
            let at_us = record.at_us.wrapping_sub(before);
            Self { at_us, change: record.change.clone() }.encode(&mut out);
            before = record.at_us;
        }
        out
    }

    /// Reads what [`Self::encode_all`] wrote.
    pub(crate) fn decode_all(bytes: &[u8]) -> Decoded<Vec<Self>> {
        let mut reader = Reader::new(bytes);
        let (mut all, mut before) = (Vec::new(), 0_u64);
        while !reader.is_empty() {
            let (more, change) = match Record::decode(&mut reader, &mut Base::default(), |_| None)? {
                Record::Meta(Self { at_us, change }) => (at_us, Some(change)),
                // What follows counts from it, too.
                Record::Unknown { at_us } => (at_us, None),
                _ => return Err(reader.error("record", "it is not about a run")),
            };
            before = before.wrapping_add(more);
            all.extend(change.map(|change| Self { at_us: before, change }));
        }
        Ok(all)
    }
}

impl Change {
    fn encode(&self, body: &mut Vec<u8>) -> u8 {
        match self {
            Self::Created { experiment_id, experiment_name, start_time, user, parent } => {
                put_varint(body, experiment_id.get());
                put_text(body, experiment_name);
                put_zigzag(body, *start_time);
                put_text(body, user);
                body.push(u8::from(parent.is_some()));
                body.extend_from_slice(parent.unwrap_or(RunId::from_bytes([0; 16])).as_bytes());
                0x20
            }
            Self::Name(name) => {
                put_text(body, name);
                0x21
            }
            Self::Status { status, cause, end_time } => {
                body.extend([status_number(*status), cause_number(*cause), u8::from(end_time.is_some())]);
                put_zigzag(body, end_time.unwrap_or(0));
                0x22
            }
            Self::Param { key, value } => {
                put_text(body, key);
                put_text(body, value);
                0x23
            }
            Self::Tag { key, value } => {
                put_text(body, key);
                put_text(body, value);
                0x24
            }
            Self::TagDeleted { key } => {
                put_text(body, key);
                0x25
            }
            Self::Lifecycle { deleted, at } => {
                body.push(u8::from(*deleted));
                put_zigzag(body, *at);
                0x26
            }
            Self::Dataset(dataset) => {
                dataset.texts().into_iter().for_each(|text| put_text(body, text));
                put_varint(body, dataset.tags.len() as u64);
                for (key, value) in &dataset.tags {
                    put_text(body, key);
                    put_text(body, value);
                }
                0x27
            }
        }
    }

    fn decode(kind: u8, reader: &mut Reader<'_>) -> Decoded<Option<Self>> {
        let key = |reader: &mut Reader<'_>| Ok(reader.text(limits::MAX_KEY_BYTES, "key")?.to_owned());
        let value = |reader: &mut Reader<'_>| Ok(reader.text(limits::MAX_VALUE_BYTES, "value")?.to_owned());
        let name = |reader: &mut Reader<'_>| Ok(reader.text(limits::MAX_NAME_BYTES, "name")?.to_owned());
        Ok(Some(match kind {
            0x20 => Self::Created {
                experiment_id: ExperimentId::new(reader.varint("experiment id")?),
                experiment_name: name(reader)?,
                start_time: reader.zigzag("start time")?,
                user: name(reader)?,
                parent: {
                    let has_parent = flag(reader)?;
                    let parent = RunId::from_bytes(reader.array("parent run")?);
                    has_parent.then_some(parent)
                },
            },
            0x21 => Self::Name(name(reader)?),
            0x22 => {
                let (status, cause) = (take_status(reader)?, take_cause(reader)?);
                let has_end = flag(reader)?;
                let end = reader.zigzag("end time")?;
                Self::Status { status, cause, end_time: has_end.then_some(end) }
            }
            0x23 => Self::Param { key: key(reader)?, value: value(reader)? },
            0x24 => Self::Tag { key: key(reader)?, value: value(reader)? },
            0x25 => Self::TagDeleted { key: key(reader)? },
            0x26 => Self::Lifecycle { deleted: flag(reader)?, at: reader.zigzag("time")? },
            0x27 => {
                let text = |reader: &mut Reader<'_>| {
                    Ok(reader.text(limits::MAX_DATASET_TEXT_BYTES, "text of a dataset")?.to_owned())
                };
                Self::Dataset(DatasetInput {
                    name: text(reader)?,
                    digest: text(reader)?,
                    source_type: text(reader)?,
                    source: text(reader)?,
                    schema: text(reader)?,
                    profile: text(reader)?,
                    tags: {
                        let count = reader.count(limits::MAX_VALUE_BYTES, 2, "tag count")?;
                        (0..count).map(|_| Ok((key(reader)?, value(reader)?))).collect::<Decoded<_>>()?
                    },
                })
            }
            _ => return Ok(None),
        }))
    }
}

fn flag(reader: &mut Reader<'_>) -> Decoded<bool> {
    match reader.u8("flag")? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.error("flag", "it is neither 0 nor 1")),
    }
}

/// 1 to 5, in the order of [`RunStatus::ALL`].
pub(crate) fn status_number(status: RunStatus) -> u8 {
    RunStatus::ALL.iter().zip(1..).find(|(known, _)| **known == status).map_or(0, |(_, number)| number)
}

pub(crate) fn take_status(reader: &mut Reader<'_>) -> Decoded<RunStatus> {
    let number = reader.u8("run status")?;
    let status = RunStatus::ALL.iter().zip(1..).find(|(_, known)| *known == number);
    status.map(|(status, _)| *status).ok_or_else(|| reader.error("run status", "its number is unknown"))
}

pub(crate) fn cause_number(cause: StatusCause) -> u8 {
    match cause {
        StatusCause::Reported => 0,
        StatusCause::Dropped => 1,
        StatusCause::Vanished => 2,
    }
}

pub(crate) fn take_cause(reader: &mut Reader<'_>) -> Decoded<StatusCause> {
    match reader.u8("status cause")? {
        0 => Ok(StatusCause::Reported),
        1 => Ok(StatusCause::Dropped),
        2 => Ok(StatusCause::Vanished),
        _ => Err(reader.error("status cause", "its number is unknown")),
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
