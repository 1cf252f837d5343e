//! Files with the right checksums around content that nobody would write: so the bytes of a fuzzer get behind the
//! checksums, to what decodes, answers questions, seals and merges.
//!
//! The bytes are edits of the parts of a small valid file: [`Edits`].

use super::edited;
use super::files::{STORE, file_of_run, file_with, options, read_log, sample};
use crate::env::Region;
use crate::env::sim::SimDisk;
use crate::format::frame::{self, FRAME_HEADER, Published};
use crate::format::header::{FileType, HEADER_LEN, Header};
use crate::format::index::{ColumnRef, GroupIndex};
use crate::format::log::{FRAMES_AT, PUBLISHED_AT};
use crate::format::segment::{Footer, TRAILER_LEN, Trailer, decode_section, encode_section};
use crate::format::wire;
use crate::segment::{SegmentPlace, SegmentReader};
use crate::testing::meter::decoding;
use crate::testing::observe::bits;
use crate::testing::pools::Bits;
use crate::{ChartAxis, ChartOptions, Compression, RunId, Store};
use std::collections::BTreeMap;
use std::path::Path;

/// Edits of numbered parts: for each part its number, how many edits, and those ([`edited`]).
pub(super) struct Edits<'a>(BTreeMap<usize, &'a [u8]>);

impl<'a> Edits<'a> {
    pub(super) fn new(mut bytes: &'a [u8], parts: usize) -> Self {
        let mut all = BTreeMap::new();
        while let [part, count, rest @ ..] = bytes {
            let len = rest.len().min(4 * usize::from(count % 8));
            all.insert(usize::from(*part) % parts.max(1), &rest[..len]);
            bytes = &rest[len..];
        }
        Self(all)
    }

    pub(super) fn apply(&self, part: usize, original: &[u8]) -> Vec<u8> {
        self.0.get(&part).map_or_else(|| original.to_vec(), |edits| edited(original, edits))
    }
}

/// A segment put together from edited parts: the footer, the index of each group, then every column. Returns also how
/// many bytes its sections unpack to.
fn forge_segment(original: &[u8], bytes: &[u8]) -> (Vec<u8>, usize) {
    let id = Header::decode(original, FileType::Segment).unwrap().file_id;
    let trailer_at = original.len() - TRAILER_LEN;
    let footer_at = Trailer::decode(&original[trailer_at..], id).unwrap().footer_offset;
    let footer = decode_section(id, footer_at, &original[footer_at as usize..trailer_at]).unwrap();
    let mut footer = Footer::decode(&footer, HEADER_LEN as u64, footer_at).unwrap();
    let indexes = footer.groups.iter().map(|group| {
        // A bare group has neither columns nor an index that could be edited.
        if group.is_bare() {
            return GroupIndex::default();
        }
        let section = &original[group.index_at as usize..][..group.index_len as usize];
        let raw = decode_section(id, group.index_at, section).unwrap();
        GroupIndex::decode(&raw, group.columns_at, group.index_at).unwrap()
    });
    let indexes: Vec<GroupIndex> = indexes.collect();
    let columns: usize = indexes.iter().map(|index| (2 + index.series) * index.axis.len()).sum();
    let edits = Edits::new(bytes, 1 + indexes.len() + columns);
    let mut out = original[..HEADER_LEN].to_vec();
    let (mut part, mut unpacked) = (1 + indexes.len(), 0);
    for (number, (group, mut index)) in footer.groups.iter_mut().zip(indexes).enumerate() {
        group.columns_at = out.len() as u64;
        if group.is_bare() {
            group.index_at = group.columns_at;
            continue;
        }
        for column in columns_of(&mut index) {
            let old = &original[column.offset as usize..][..column.len as usize];
            let new = edits.apply(part, old);
            let offset = out.len() as u64;
            let crc = wire::crc(wire::crc_seed(&id.0, offset), &new);
            *column = ColumnRef { offset, len: new.len() as u32, crc, codec: column.codec };
            out.extend_from_slice(&new);
            part += 1;
        }
        let raw = edits.apply(1 + number, &index.encode());
        group.index_at = out.len() as u64;
        if let Ok(index) = GroupIndex::decode(&raw, group.columns_at, group.index_at)
            && let [rows] = &mut group.log_rows[..]
        {
            // The footer must agree for the index to be believed.
            (*rows, group.facts.rows) = (index.rows(), index.rows());
        }
        let section = encode_section(id, group.index_at, &raw);
        group.index_len = section.len() as u32;
        out.extend_from_slice(&section);
        unpacked += raw.len();
    }
    let raw = edits.apply(0, &footer.encode());
    let footer_offset = out.len() as u64;
    let section = encode_section(id, footer_offset, &raw);
    out.extend_from_slice(&section);
    out.extend_from_slice(&Trailer { footer_offset, footer_len: section.len() as u32 }.encode(id));
    unpacked += raw.len();
    (out, unpacked)
}

/// All columns of a group, as they lie in the file.
fn columns_of(index: &mut GroupIndex) -> impl Iterator<Item = &mut ColumnRef> {
    let axis = index.axis.iter_mut().flat_map(|chunk| [&mut chunk.steps.column, &mut chunk.timestamps.column]);
    axis.flatten().chain(&mut index.columns)
}

/// Opens a segment and all its indexes, within the memory that they may take.
fn open_segment(bytes: &[u8], unpacked: usize) -> Option<SegmentReader> {
    let region = Region::from_vec(bytes.to_vec());
    let open = || {
        let segment = SegmentReader::from_region(region, &SegmentPlace::file(Path::new("s.seg"))).ok()?;
        (0..segment.group_count()).for_each(|group| _ = segment.group(group));
        Some(segment)
    };
    decoding("a segment", |_| bytes.len() + unpacked, open)
}

type Shown = BTreeMap<String, Option<Vec<Bits>>>;

/// What a run shows; `None` for a metric that cannot be read. Other questions are asked too, and may have any answer.
fn show(store: &Store, id: RunId) -> Shown {
    let mut shown = Shown::new();
    let Ok(snapshot) = store.snapshot(id) else { return shown };
    for (key, summary) in &snapshot.run().metrics {
        let query = snapshot.metric(key).unwrap();
        let read = query.read().map(|points| points.iter().map(bits).collect());
        let middle = summary.latest.step / 2;
        for axis in [ChartAxis::Step, ChartAxis::Timestamp, ChartAxis::SinceStart] {
            let _ = snapshot.metric(key).unwrap().chart(axis, 7);
            let _ = snapshot.metric(key).unwrap().chart(axis, ChartOptions::new(7).log_x(true));
            let smoothed = ChartOptions::new(7).smoothing(0.5).range(middle as f64..);
            let _ = smoothed.bands(axis, std::slice::from_ref(&query), &[0.5]);
            let _ = ChartOptions::new(7).bands(axis, std::slice::from_ref(&query), &[0.5]);
            let _ = snapshot.metric(key).unwrap().steps(middle..).chart(axis, 3);
        }
        let _ = snapshot.metric(key).unwrap().chart_against(&query, 7);
        let _ = snapshot.metric(key).unwrap().histogram(7, ..);
        let _ = snapshot.metric(key).unwrap().steps(..middle).skip_damaged(true).read();
        shown.insert(key.to_string(), read.ok());
    }
    shown
}

/// A store of the sample's, in which one file has another content.
fn store_with(path: &Path, content: &[u8]) -> SimDisk {
    let disk = SimDisk::new(4);
    for (known, original) in &sample().files {
        disk.set_contents(known, if known == path { content } else { original.as_slice() });
    }
    disk
}

/// A segment with the right checksums is refused or answers, and a merge of it has the same points.
pub fn segment_forged(bytes: &[u8]) {
    let (path, original) = file_with("seg");
    let (forged, unpacked) = forge_segment(original, bytes);
    if let Some(segment) = open_segment(&forged, unpacked) {
        read_chunks(&segment);
    }
    let run = file_of_run(path).unwrap();
    let disk = store_with(path, &forged);
    // Higher than what it was written with, so that it is rewritten.
    let Ok(store) = options(&disk.process()).compression(Compression::Archive).open(STORE) else { return };
    let before = show(&store, run);
    let _ = store.verify(&mut |_| {});
    if store.compact(&mut |_| {}).is_ok() {
        assert_eq!(show(&store, run), before, "after a merge");
    }
}

/// Each chunk takes what its column and its rows may take.
fn read_chunks(segment: &SegmentReader) {
    for series in segment.series() {
        let group = series.group as usize;
        let Ok(index) = segment.group(group) else { continue };
        for (axis, column) in index.axis.iter().zip(index.columns_of(series.position as usize)) {
            let given = column.len as usize + 8 * axis.rows as usize;
            let mut floats = Vec::new();
            let read = decoding("a column", |_| given, || segment.read_floats(column, axis.rows, &mut floats));
            assert!(read.is_err() || floats.len() == axis.rows as usize);
        }
    }
}

/// A log put together from edited frames, closed all of them, and a last one that is open.
fn forge_log(original: &[u8], bytes: &[u8]) -> Vec<u8> {
    let id = Header::decode(original, FileType::Log).unwrap().file_id;
    let word = original[PUBLISHED_AT as usize..][..8].try_into().map(u64::from_le_bytes).unwrap();
    let published = Published::from_word(word);
    let mut payloads: Vec<&[u8]> = Vec::new();
    let mut at = FRAMES_AT;
    loop {
        match frame::next(&original[at as usize..], at, published, id) {
            frame::Next::Frame { payload, next } => (at, _) = (next, payloads.push(payload)),
            frame::Next::Open { payload } => break payloads.push(payload),
            frame::Next::Pad { next } => at = next,
            frame::Next::End | frame::Next::Behind | frame::Next::Bad(_) => break,
        }
    }
    let edits = Edits::new(bytes, payloads.len());
    let mut out = original[..FRAMES_AT as usize].to_vec();
    let last = payloads.len() - 1;
    for (number, payload) in payloads.into_iter().enumerate() {
        let payload = edits.apply(number, payload);
        let at = out.len() as u32;
        let running = wire::crc(frame::seed(id, at), &payload);
        let is_open = number == last && !payload.is_empty();
        let word = if is_open { 0 } else { frame::close_word(running, payload.len() as u32) };
        out.extend_from_slice(&word.to_le_bytes());
        out.extend_from_slice(&payload);
        let end = out.len() as u32;
        out.resize(frame::align(out.len() as u64) as usize, 0);
        let empty = Published::empty_frame(id, out.len() as u32);
        let word = if is_open { Published { end, crc: running } } else { empty };
        out[PUBLISHED_AT as usize..][..8].copy_from_slice(&word.to_word().to_le_bytes());
    }
    out.resize(out.len() + FRAME_HEADER, 0);
    out
}

/// A log with the right checksums is refused or read, and sealing it keeps what was read.
pub fn log_forged(bytes: &[u8]) {
    let (path, original) = file_with("log");
    let forged = forge_log(original, bytes);
    [true, false].into_iter().for_each(|live| drop(read_log(&forged, live)));
    let run = file_of_run(path).unwrap();
    let disk = store_with(path, &forged);
    let before = show(&options(&disk.process()).read_only(true).open(STORE).unwrap(), run);
    let Ok(store) = options(&disk.process()).open(STORE) else { return };
    assert_eq!(show(&store, run), before, "after recovery");
    if store.compact(&mut |_| {}).is_ok() {
        assert_eq!(show(&store, run), before, "after a merge");
    }
}
