//! The frame of a segment file around its columns: header, sections, footer, trailer.
//!
//! ```text
//! header                        64 bytes, header.rs; owner = run id
//! for each group: columns, then its index section (index.rs)
//! footer section
//! trailer                       24 bytes at the end of the segment
//! ```
//!
//! A *section* is bytes that may be compressed: raw length u32, stored length u32, crc u32 (seeded with file id and
//! the section's offset), then the stored bytes; they are zstd when the stored length is smaller, plain when equal.
//!
//! The trailer: footer offset u64, footer length u32 (section head included), zeros u32, crc u32 over the 16 bytes
//! before it (seeded with file id and 0), magic `TWSE`.
//!
//! A segment is read from a range of bytes, not from a file: offsets count from its first byte.

use super::stats::{AxisFacts, put_only, put_stats, take_only, take_stats};
use super::wire::{self, DecodeError, Decoded, Reader, put_text, put_varint};
use crate::codec::text;
use crate::limits;
use crate::types::{FileId, LogId, Stats};

/// Length of the trailer.
pub(crate) const TRAILER_LEN: usize = 24;
/// Length of the numbers before a section's bytes.
pub(crate) const SECTION_HEAD: usize = 12;
/// Length of what the footer says of a series at least: name, group, position and statistics.
const MIN_SERIES: usize = 8;
/// Length of what it says of a group at least, but for the rows of its logs.
const MIN_GROUP: usize = 4;
const TRAILER_MAGIC: &[u8; 4] = b"TWSE";

/// The bytes of a section that lies at `offset`, compressed when that helps.
pub(crate) fn encode_section(file_id: FileId, offset: u64, raw: &[u8]) -> Vec<u8> {
    let compressed = text::compress(raw);
    let stored = if compressed.len() < raw.len() { &compressed[..] } else { raw };
    let mut out = Vec::with_capacity(SECTION_HEAD + stored.len());
    out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    out.extend_from_slice(&(stored.len() as u32).to_le_bytes());
    let crc = wire::crc(wire::crc(wire::crc_seed(&file_id.0, offset), &out), stored);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(stored);
    out
}

/// How long the section that begins like this says that its content is.
pub(crate) fn section_len(bytes: &[u8]) -> u64 {
    Reader::new(bytes).u32("section length").map_or(0, u64::from)
}

/// Checks and expands the section that lies at `offset` and is `bytes`.
pub(crate) fn decode_section(file_id: FileId, offset: u64, bytes: &[u8]) -> Decoded<Vec<u8>> {
    let wrong = |problem| DecodeError { what: "section", offset: 0, problem };
    let mut reader = Reader::new(bytes);
    let head = reader.clone().take(8, "section head")?;
    let (raw_len, stored_len) = (reader.u32("section length")? as usize, reader.u32("section length")? as usize);
    let crc = reader.u32("section checksum")?;
    let stored = reader.take(stored_len, "section")?;
    reader.finish("section")?;
    if wire::crc(wire::crc(wire::crc_seed(&file_id.0, offset), head), stored) != crc {
        return Err(wrong("its checksum does not match"));
    }
    if stored_len == raw_len {
        return Ok(stored.to_vec());
    }
    text::decompress(stored, raw_len).map_err(|error| wrong(error.0))
}

/// Where the footer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) footer_offset: u64,
    pub(crate) footer_len: u32,
}

impl Trailer {
    pub(crate) fn encode(&self, file_id: FileId) -> Vec<u8> {
        let mut out = self.footer_offset.to_le_bytes().to_vec();
        out.extend_from_slice(&self.footer_len.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let crc = wire::crc(wire::crc_seed(&file_id.0, 0), &out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(TRAILER_MAGIC);
        out
    }

    /// `bytes` are the last [`TRAILER_LEN`] of the segment.
    pub(crate) fn decode(bytes: &[u8], file_id: FileId) -> Decoded<Self> {
        let wrong = |problem| DecodeError { what: "segment trailer", offset: 0, problem };
        let mut reader = Reader::new(bytes);
        let body = reader.clone().take(16, "segment trailer")?;
        let (footer_offset, footer_len) = (reader.u64("footer offset")?, reader.u32("footer length")?);
        let (_zeros, crc) = (reader.u32("zeros")?, reader.u32("trailer checksum")?);
        if &reader.array::<4>("trailer magic")? != TRAILER_MAGIC {
            return Err(wrong("the segment does not end as one: it is cut or was never finished"));
        }
        if wire::crc(wire::crc_seed(&file_id.0, 0), body) != crc {
            return Err(wrong("its checksum does not match"));
        }
        Ok(Self { footer_offset, footer_len })
    }
}

/// Where a group is. One of a single row may be *bare*: it has neither columns nor an index, since its facts and the
/// statistics of its metrics say all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupRef {
    /// Where its columns begin. They end where its index section begins.
    pub(crate) columns_at: u64,
    pub(crate) index_at: u64,
    /// Length of the index section with its head.
    pub(crate) index_len: u32,
    /// How many of its rows come from each log of the footer, in that order: they lie one after the other.
    pub(crate) log_rows: Vec<u64>,
    /// What its axis is like.
    pub(crate) facts: AxisFacts,
}

impl GroupRef {
    pub(crate) fn rows(&self) -> u64 {
        self.log_rows.iter().fold(0, |sum, rows| sum.saturating_add(*rows))
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.index_len == 0
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.index_at - self.columns_at);
        put_varint(out, u64::from(self.index_len));
        self.log_rows.iter().for_each(|rows| put_varint(out, *rows));
        if self.is_bare() { self.facts.put_row(out) } else { self.facts.put(out) }
    }

    /// Reads what [`Self::put`] wrote of a group that begins at `at` and ends at or before `footer_at`.
    fn take(reader: &mut Reader<'_>, logs: usize, at: u64, footer_at: u64) -> Decoded<Self> {
        let columns = reader.varint("columns length")?;
        let index = reader.varint("index length")?;
        let log_rows = (0..logs).map(|_| reader.varint("group rows")).collect::<Decoded<Vec<u64>>>()?;
        if log_rows.iter().any(|rows| *rows > limits::MAX_GROUP_ROWS) {
            return Err(reader.error("group rows", "they are beyond the limit"));
        }
        let index_at = at.saturating_add(columns);
        let index_len = u32::try_from(index).ok().filter(|_| index_at.saturating_add(index) <= footer_at);
        let index_len = index_len.ok_or_else(|| reader.error("group", "it is longer than its segment"))?;
        let rows = log_rows.iter().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
        if rows == 0 {
            return Err(reader.error("group rows", "there is none"));
        }
        if index_len == 0 && (columns, rows) != (0, 1) {
            return Err(reader.error("group", "it has no index, and columns or more than one row"));
        }
        let facts = if index_len == 0 { AxisFacts::take_row(reader)? } else { AxisFacts::take(reader, rows)? };
        Ok(Self { columns_at: at, index_at, index_len, log_rows, facts })
    }
}

/// One metric of the segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesRef {
    pub(crate) metric: String,
    /// Which group, and which series in it.
    pub(crate) group: u32,
    pub(crate) position: u32,
    /// Over all its points in this segment.
    pub(crate) stats: Stats,
}

/// The index of the whole segment.
///
/// ```text
/// level u8: how hard its columns were compressed (0 seal, 1 compact, 2 archive)
/// log count varint, each: created_us varint, salt u64      the logs whose content is here, in the order in which it
///                                                           lies here; all different, the first is the smallest
/// records about the run: length varint, bytes (record.rs)
/// group count varint, each: columns length varint, index length varint, rows of each log varint (not all 0),
///                           facts of its axis (stats.rs); both lengths are 0 of a bare group
/// series count varint, each: metric text, group varint, position varint, statistics (stats.rs)   sorted by metric
/// ```
///
/// Groups follow each other from the end of the header on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Footer {
    pub(crate) level: u8,
    pub(crate) logs: Vec<LogId>,
    pub(crate) meta: Vec<u8>,
    pub(crate) groups: Vec<GroupRef>,
    pub(crate) series: Vec<SeriesRef>,
}

impl Footer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.level];
        put_varint(&mut out, self.logs.len() as u64);
        for log in &self.logs {
            put_varint(&mut out, log.created_us);
            out.extend_from_slice(&log.salt.to_le_bytes());
        }
        put_varint(&mut out, self.meta.len() as u64);
        out.extend_from_slice(&self.meta);
        put_varint(&mut out, self.groups.len() as u64);
        for group in &self.groups {
            group.put(&mut out);
        }
        put_varint(&mut out, self.series.len() as u64);
        for series in &self.series {
            put_text(&mut out, &series.metric);
            put_varint(&mut out, u64::from(series.group));
            put_varint(&mut out, u64::from(series.position));
            let group = self.groups.get(series.group as usize);
            match group {
                Some(group) if group.is_bare() => put_only(&mut out, &series.stats),
                _ => put_stats(&mut out, &group.map(|group| group.facts).unwrap_or_default(), &series.stats),
            }
        }
        out
    }

    /// `footer_at` is where the footer section begins: the groups must end there.
    pub(crate) fn decode(bytes: &[u8], first_group_at: u64, footer_at: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let level = reader.u8("level")?;
        let count = reader.count(usize::MAX, 9, "log count")?;
        let mut logs = Vec::with_capacity(count);
        for _ in 0..count {
            logs.push(LogId { created_us: reader.varint("log id")?, salt: reader.u64("log id")? });
        }
        let mut sorted = logs.clone();
        sorted.sort_unstable();
        if sorted.first().is_none_or(|first| logs.first() != Some(first)) || !sorted.is_sorted_by(|a, b| a < b) {
            return Err(reader.error("log ids", "there is none, one is there twice, or the first is not the smallest"));
        }
        let meta = reader.bytes(limits::MAX_SECTION_BYTES, "records about the run")?.to_vec();
        let groups = decode_groups(&mut reader, logs.len(), first_group_at, footer_at)?;
        let count = reader.count(limits::MAX_METRICS_PER_RUN, MIN_SERIES, "series count")?;
        let mut series = Vec::with_capacity(count);
        for _ in 0..count {
            let metric = reader.text(limits::MAX_KEY_BYTES, "metric name")?.to_owned();
            let group = reader.count(groups.len(), 0, "group number")? as u32;
            let position = reader.count(limits::MAX_METRICS_PER_RUN, 0, "series number")? as u32;
            let Some(known) = groups.get(group as usize) else {
                return Err(reader.error("series", "its group is missing"));
            };
            let is_bare = known.is_bare();
            let stats =
                if is_bare { take_only(&mut reader, &known.facts)? } else { take_stats(&mut reader, &known.facts)? };
            series.push(SeriesRef { metric, group, position, stats });
        }
        if !series.is_sorted_by(|a, b| a.metric < b.metric) {
            return Err(reader.error("series", "the metrics are not sorted"));
        }
        check_bare(&reader, &groups, &series)?;
        reader.finish("footer")?;
        Ok(Self { level, logs, meta, groups, series })
    }
}

fn decode_groups(reader: &mut Reader<'_>, logs: usize, first_group_at: u64, footer_at: u64) -> Decoded<Vec<GroupRef>> {
    let count = reader.count(usize::MAX, logs.saturating_add(MIN_GROUP), "group count")?;
    let mut groups = Vec::with_capacity(count);
    let mut at = first_group_at;
    for _ in 0..count {
        let group = GroupRef::take(reader, logs, at, footer_at)?;
        at = group.index_at + u64::from(group.index_len);
        groups.push(group);
    }
    if at != footer_at {
        return Err(reader.error("group", "the groups do not end where the footer begins"));
    }
    Ok(groups)
}

/// The metrics of each bare group must be numbered from 0 on: nothing else says how many there are.
fn check_bare(reader: &Reader<'_>, groups: &[GroupRef], series: &[SeriesRef]) -> Decoded<()> {
    if !groups.iter().any(GroupRef::is_bare) {
        return Ok(());
    }
    let mut places: Vec<(u32, u32)> = series.iter().map(|series| (series.group, series.position)).collect();
    places.sort_unstable();
    let mut members = places.chunk_by(|a, b| a.0 == b.0).peekable();
    for (number, group) in groups.iter().enumerate() {
        let here = members.next_if(|members| members.first().is_some_and(|(group, _)| *group as usize == number));
        let is_counted =
            || here.is_some_and(|here| here.iter().map(|(_, position)| *position).eq(0..here.len() as u32));
        if group.is_bare() && !is_counted() {
            return Err(reader.error("series", "those of a group without an index are not numbered from 0 on"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::types::Point;
    use proptest::prelude::*;

    fn footer() -> Footer {
        let mut stats = Stats::default();
        stats.push(Point::new(1, 2, 3.0));
        let facts = AxisFacts { rows: 1, first: (1, 2), last: (1, 2), steps: (1, 1), timestamps: (2, 2) };
        let series = |metric: &str, position| SeriesRef { metric: metric.to_owned(), group: 0, position, stats };
        Footer {
            level: 1,
            logs: vec![LogId { created_us: 5, salt: 6 }],
            meta: vec![1, 2, 3],
            groups: vec![GroupRef { columns_at: 64, index_at: 100, index_len: 20, log_rows: vec![1], facts }],
            series: vec![series("a", 0), series("b", 1)],
        }
    }

    #[test]
    fn a_footer_comes_back_and_must_fit_its_segment() {
        let bytes = footer().encode();
        assert_eq!(Footer::decode(&bytes, 64, 120).unwrap(), footer());
        assert!(Footer::decode(&bytes, 64, 119).is_err());
        assert!(Footer::decode(&bytes, 64, 121).is_err());
        for cut in 0..bytes.len() {
            assert!(Footer::decode(&bytes[..cut], 64, 120).is_err());
        }
    }

    #[test]
    fn a_group_of_one_row_needs_no_index() {
        let bare = || {
            let mut footer = footer();
            footer.groups[0].index_at = 64;
            footer.groups[0].index_len = 0;
            footer
        };
        let decoded = |footer: &Footer| Footer::decode(&footer.encode(), 64, 64);
        assert_eq!(decoded(&bare()).unwrap(), bare());
        let ordinary = Footer { groups: vec![GroupRef { index_at: 64, ..footer().groups[0].clone() }], ..footer() };
        assert_eq!(ordinary.encode().len() - bare().encode().len(), 6 + 2 * (4 + 2 * (2 + 4) + 16));
        let refused = |change: &dyn Fn(&mut Footer)| {
            let mut footer = bare();
            change(&mut footer);
            decoded(&footer).unwrap_err().problem
        };
        let rows = "it has no index, and columns or more than one row";
        assert_eq!(refused(&|footer| footer.groups[0].log_rows = vec![2]), rows);
        assert_eq!(refused(&|footer| footer.groups[0].index_at = 65), "it is longer than its segment");
        let mut columns = bare();
        columns.groups[0].index_at = 65;
        assert_eq!(Footer::decode(&columns.encode(), 64, 65).unwrap_err().problem, rows);
        let numbers = "those of a group without an index are not numbered from 0 on";
        assert_eq!(refused(&|footer| footer.series[1].position = 2), numbers);
        assert_eq!(refused(&|footer| footer.series[0].position = 1), numbers);
        assert_eq!(refused(&|footer| footer.series.clear()), numbers);
        assert_eq!(refused(&|footer| footer.groups.push(footer.groups[0].clone())), numbers);
        // Of several groups each is counted for itself.
        let mut two = bare();
        two.groups.push(two.groups[0].clone());
        two.series[1] = SeriesRef { group: 1, position: 0, ..two.series[1].clone() };
        assert_eq!(decoded(&two).unwrap(), two);
    }

    #[test]
    #[cfg_attr(miri, ignore = "zstd is C")]
    fn sections_and_trailers_notice_every_flipped_bit() {
        let id = FileId([1; 16]);
        for raw in [b"abcdefgh".to_vec(), vec![7; 5000], Vec::new()] {
            let bytes = encode_section(id, 64, &raw);
            assert_eq!(decode_section(id, 64, &bytes).unwrap(), raw);
            assert!(decode_section(id, 65, &bytes).is_err());
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(decode_section(id, 64, &damaged).is_err(), "bit {bit}");
            }
        }
        let trailer = Trailer { footer_offset: 1 << 40, footer_len: 99 };
        let bytes = trailer.encode(id);
        assert_eq!(bytes.len(), TRAILER_LEN);
        assert_eq!(Trailer::decode(&bytes, id), Ok(trailer));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Trailer::decode(&damaged, id).is_err(), "bit {bit}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "zstd is C")]
    fn a_section_is_compressed_where_that_helps_and_says_its_length() {
        let id = FileId([1; 16]);
        let of = |raw: &[u8]| {
            let bytes = encode_section(id, 64, raw);
            (bytes.len() - SECTION_HEAD, section_len(&bytes))
        };
        assert_eq!(of(b"abcdefgh"), (8, 8));
        let (stored, len) = of(&[7; 5000]);
        assert!(stored < 100 && len == 5000);
        assert_eq!(section_len(&[1, 0, 0]), 0);
    }

    #[test]
    fn a_footer_that_contradicts_itself_is_refused() {
        let of_logs = |times: &[u64]| {
            let mut footer = footer();
            footer.logs = times.iter().map(|time| LogId { created_us: *time, salt: 6 }).collect();
            footer.groups[0].log_rows = (0..times.len() as u64).map(|log| u64::from(log == 0)).collect();
            Footer::decode(&footer.encode(), 64, 120).map(|_| ()).map_err(|error| error.what)
        };
        assert_eq!(of_logs(&[5, 9, 7]), Ok(()), "only the first has its place");
        for wrong in [&[][..], &[7, 5], &[5, 5], &[5, 9, 9]] {
            assert_eq!(of_logs(wrong), Err("log ids"), "{wrong:?}");
        }
        for names in [["b", "a"], ["a", "a"]] {
            let mut footer = footer();
            footer.series.iter_mut().zip(names).for_each(|(series, name)| series.metric = name.to_owned());
            assert_eq!(Footer::decode(&footer.encode(), 64, 120).unwrap_err().what, "series");
        }
        for (rows, is_read) in [(0, false), (1, true), (2, false), (3, false)] {
            let rows = if rows == 0 { 0 } else { limits::MAX_GROUP_ROWS - 1 + rows };
            let mut footer = footer();
            footer.groups[0].log_rows = vec![rows];
            let refused = Footer::decode(&footer.encode(), 64, 120).is_err_and(|error| error.what == "group rows");
            assert_eq!(!refused, is_read, "{rows}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_footer_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Footer::decode(&bytes, 64, 100);
            // Miri runs no C.
            let _ = cfg!(miri) || decode_section(FileId([0; 16]), 0, &bytes).is_ok();
        }
    }
}
