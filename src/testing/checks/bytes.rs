//! Decoders of bytes without a file around them.

use super::super::meter::decoding;
use super::edited;
use crate::codec::{self, CodecId, Effort};
use crate::format::catalog::{EntryState, encode_many, next_entry};
use crate::format::frame::{self, Next, Published};
use crate::format::header::{FileType, HEADER_LEN, Header, decode_body, encode_file};
use crate::format::index::GroupIndex;
use crate::format::record::{Base, Meta, Record};
use crate::format::segment::{Footer, Trailer, decode_section, encode_section};
use crate::format::wire::{self, Reader, put_varint};
use crate::limits;
use crate::segment::Head;
use crate::types::{
    Experiment, ExperimentId, FileId, LifecycleStage, LoggedModel, LoggedModelId, ModelMetric, ModelVersion,
    RegisteredModel, RunId,
};

const ID: FileId = FileId([7; 16]);

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at(at.min(bytes.len()))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Scanning frames ends, goes forward, and stays within the bytes.
pub fn frame(bytes: &[u8]) {
    let (word, file) = split(bytes, 8);
    let published = Published::from_word(number(word));
    let mut at = 0;
    loop {
        let rest = split(file, at as usize).1;
        // What it reaches is enough to judge it by.
        let found = frame::next(rest, at, published, ID);
        assert_eq!(frame::next(split(rest, frame::reach(rest, at, published).max(8)).0, at, published, ID), found);
        match found {
            Next::Frame { payload, next } => {
                assert!(next > at && payload.len() < file.len());
                let _ = frame::word_lies_in(published, at, payload, ID);
                at = next;
            }
            Next::Pad { next } => {
                assert!(next > at);
                at = next;
            }
            Next::Open { .. } | Next::End | Next::Behind | Next::Bad(_) => break,
        }
    }
    // A valid frame with the bytes as payload comes back.
    let seed = frame::seed(ID, 4096);
    let running = wire::crc(seed, file);
    let mut valid = frame::close_word(running, file.len() as u32).to_le_bytes().to_vec();
    valid.extend_from_slice(file);
    let end = Published { end: frame::align(4096 + valid.len() as u64) as u32, crc: 0 };
    if !file.is_empty() {
        let Next::Frame { payload, .. } = frame::next(&valid, 4096, end, ID) else { panic!("no frame") };
        assert_eq!(payload, file);
    }
}

/// What counts as given to a head that took so many bytes: the number of a metric or row can be any below the limit, and
/// its table is as long, of four bytes an entry, twice while it grows.
pub(super) fn given_to(head: &Head, bytes: usize) -> usize {
    bytes + head.numbers() / 32
}

/// Records as a frame has them, and records about a run as a segment has them.
pub fn record(bytes: &[u8]) {
    let mut head = Head::default();
    let (first, _) = split(bytes, bytes.len() / 2);
    // In two parts, as a live log is read, and in one.
    if head.ingest(first, 0).is_ok() {
        let _ = head.ingest(bytes, first.len());
    }
    let head = decoding(
        "records of a log",
        |head| given_to(head, bytes.len()),
        || {
            let mut head = Head::default();
            let _ = head.ingest(bytes, 0);
            head.count();
            head
        },
    );
    for series in head.series() {
        assert_eq!(head.stats(series).count, head.points(series, 0).count() as u64);
    }
    let (mut reader, mut base) = (Reader::new(bytes), Base::default());
    while !reader.is_empty() && Record::decode(&mut reader, &mut base, |row| Some(row as usize % 8)).is_ok() {}
    if let Ok(records) = decoding("records of a segment", |_| bytes.len(), || Meta::decode_all(bytes)) {
        assert_eq!(Meta::decode_all(&Meta::encode_all(&records)).as_ref(), Ok(&records));
        let state = crate::catalog::RunState::from_records(&records);
        assert_eq!(crate::catalog::RunState::from_records(&state.records()).records(), state.records());
    }
}

/// Each codec on any bytes, and the values that the bytes are through every effort and back.
pub fn codec(bytes: &[u8]) {
    let (head, column) = split(bytes, 3);
    let n = usize::try_from(number(head) >> 8).unwrap_or(0) % 5000;
    let codec = CodecId::ALL[usize::from(head.first().copied().unwrap_or(0)) % CodecId::ALL.len()];
    let (mut ints, mut floats) = (vec![1], vec![1.0]);
    let given = column.len() + 8 * n;
    let read = decoding("integers", |_| given, || codec::decode_ints(codec, column, n, &mut ints));
    assert_eq!(ints.len(), if read.is_ok() { n + 1 } else { 1 });
    let read = decoding("floats", |_| given, || codec::decode_floats(codec, column, n, &mut floats));
    assert_eq!(floats.len(), if read.is_ok() { n + 1 } else { 1 });
    if let Ok(text) = codec::text::decompress(column, n) {
        assert_eq!(text.len(), n);
    }
    let (words, _) = column.as_chunks::<8>();
    let ints: Vec<i64> = words.iter().map(|word| i64::from_le_bytes(*word)).collect();
    let floats: Vec<f64> = ints.iter().map(|int| f64::from_bits(*int as u64)).collect();
    for effort in [Effort::Seal, Effort::Compact] {
        let (mut stored, mut back) = (Vec::new(), Vec::new());
        let id = codec::encode_ints(&ints, effort, &mut stored);
        codec::decode_ints(id, &stored, ints.len(), &mut back).unwrap();
        assert_eq!(back, ints);
        let (mut stored, mut back) = (Vec::new(), Vec::new());
        let id = codec::encode_floats(&floats, effort, &mut stored);
        codec::decode_floats(id, &stored, floats.len(), &mut back).unwrap();
        assert!(back.iter().map(|v| v.to_bits()).eq(floats.iter().map(|v| v.to_bits())));
    }
}

/// The parts of a segment that say what is where, behind their checksums.
pub fn footer(bytes: &[u8]) {
    let (head, raw) = split(bytes, 4);
    let end = 64 + number(head);
    if let Ok(footer) = decoding("a footer", |_| raw.len(), || Footer::decode(raw, 64, end)) {
        let again = Footer::decode(&footer.encode(), 64, end);
        // As text, since NaN differs from itself.
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(&footer)));
    }
    if let Ok(index) = decoding("an index", |_| raw.len(), || GroupIndex::decode(raw, 64, end)) {
        let again = GroupIndex::decode(&index.encode(), 64, end);
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(&index)));
    }
    let _ = Trailer::decode(raw, ID);
    let _ = decode_section(ID, 64, raw);
    unpack(number(head) as u32, raw);
    let section = encode_section(ID, 64, raw);
    assert_eq!(decode_section(ID, 64, &section).as_deref(), Ok(raw));
    let damaged = edited(&section, head);
    if damaged != section {
        assert!(decode_section(ID, 64, &damaged).is_err());
    }
}

/// What so many packed bytes may be unpacked to, in bytes that a decoder is given: what they say, if they can. A block
/// of zstd has four bytes at least and yields 128 KiB at most.
fn unpacked(stored: usize, raw_len: u64) -> usize {
    let possible = (stored as u64 / 4).saturating_mul(128 << 10).min(limits::MAX_SECTION_BYTES as u64);
    if raw_len <= possible { raw_len as usize } else { 0 }
}

/// A section with the right checksum takes what it says that it unpacks to, once.
fn unpack(raw_len: u32, stored: &[u8]) {
    let mut section = [raw_len.to_le_bytes(), (stored.len() as u32).to_le_bytes()].concat();
    let crc = wire::crc(wire::crc(wire::crc_seed(&ID.0, 64), &section), stored);
    section.extend_from_slice(&crc.to_le_bytes());
    section.extend_from_slice(stored);
    let given = stored.len() + unpacked(stored.len(), u64::from(raw_len)) / 64;
    let read = decoding("a section", |_| given, || decode_section(ID, 64, &section));
    assert!(read.is_err() || read.is_ok_and(|raw| raw.len() == raw_len as usize));
}

/// Entries of a catalog behind their checksums: of one run, of many that are packed, and packed by us.
pub fn catalog_entry(bytes: &[u8]) {
    let at = HEADER_LEN as u64;
    let mut packed = vec![2];
    put_varint(&mut packed, bytes.len() as u64);
    packed.extend_from_slice(&codec::text::compress(bytes));
    for body in [bytes, &packed] {
        let mut entry = (body.len() as u32).to_le_bytes().to_vec();
        let head_crc = wire::crc(wire::crc_seed(&ID.0, at), &entry);
        entry.extend_from_slice(&head_crc.to_le_bytes());
        entry.extend_from_slice(&wire::crc(head_crc, body).to_le_bytes());
        entry.extend_from_slice(body);
        let mut reader = Reader::new(body);
        let raw_len = if reader.u8("kind") == Ok(2) { reader.varint("raw length").unwrap_or(0) } else { 0 };
        let given = body.len() + unpacked(body.len(), raw_len);
        let read = decoding("entries of a catalog", |_| given, || next_entry(&mut Reader::new(&entry), ID, at));
        let Ok(Some(runs)) = read else { continue };
        let again = next_entry(&mut Reader::new(&encode_many(ID, at, &runs)), ID, at);
        // As text, since NaN differs from itself.
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(Some(&runs))));
        for run in runs {
            if let EntryState::Settled(summary) = run.state {
                let _ = Meta::decode_all(&summary.meta);
            }
        }
    }
}

/// The header of every kind of file, alone and around a small body, and with the checksums that it should have.
pub fn header(bytes: &[u8]) {
    for file_type in FileType::ALL {
        if let Ok(header) = Header::decode(bytes, file_type) {
            let _ = decode_body(bytes, &header);
        }
    }
    let _ = crate::format::log::LogHeader::decode(bytes);
    for file_type in FileType::ALL {
        let mut sealed = [file_type.magic(), bytes.get(8..).unwrap_or_default()].concat();
        sealed.resize(sealed.len().max(128), 0);
        let crc = wire::crc(0, &sealed[..60]);
        sealed[60..64].copy_from_slice(&crc.to_le_bytes());
        if let Ok(header) = Header::decode(&sealed, file_type) {
            let crc = wire::crc(wire::crc_seed(&header.file_id.0, 64), &sealed[64..124]);
            sealed[124..128].copy_from_slice(&crc.to_le_bytes());
            let log = crate::format::log::LogHeader::decode(&sealed);
            assert!(file_type != FileType::Log || log.is_ok_and(|log| log.file_id == header.file_id));
        }
    }
    let (edits, body) = split(bytes, 8);
    let original = encode_file(&Header::new(FileType::Store, ID, [1; 16]), body);
    let damaged = edited(&original, edits);
    if damaged != original {
        let read = Header::decode(&damaged, FileType::Store).map(|header| decode_body(&damaged, &header).is_ok());
        assert!(!matches!(read, Ok(true)), "a damaged file of {} bytes was accepted", HEADER_LEN + 8 + body.len());
    }
}

/// An experiment's file.
pub fn experiment(bytes: &[u8]) {
    use crate::format::experiment::{decode, encode};
    if let Ok(experiment) = decoding("an experiment", |_| bytes.len(), || decode(bytes)) {
        assert_eq!(decode(&encode(&experiment)), Ok(experiment));
    }
    let (edits, name) = split(bytes, 8);
    let experiment = Experiment {
        id: ExperimentId::new(number(edits)),
        name: String::from_utf8_lossy(name).into_owned(),
        lifecycle_stage: LifecycleStage::Deleted,
        created_at: -1,
        updated_at: i64::MAX,
        tags: [("key".to_owned(), "value".to_owned())].into(),
    };
    let stored = encode(&experiment);
    if experiment.name.len() < 1000 {
        assert_eq!(decode(&stored), Ok(experiment));
    }
    let _ = decode(&edited(&stored, edits));
}

/// A registered model's file.
pub fn model(bytes: &[u8]) {
    use crate::format::model::{decode, encode, file_stem};
    // The file is named by what it holds.
    let mut reader = Reader::new(bytes);
    let name = reader.varint("names").and_then(|_| reader.text(usize::MAX, "name")).unwrap_or_default();
    let stem = file_stem(name);
    if let Ok(model) = decoding("a model", |_| bytes.len(), || decode(bytes, &stem)) {
        assert_eq!(model.name, name);
        assert_eq!(decode(&encode(&model, Some("another")), &stem), Ok(model));
    }
    let (edits, name) = split(bytes, 8);
    let version = |number: u32| ModelVersion {
        number,
        source: "s3://models".to_owned(),
        run_id: Some(RunId::from_bytes([number as u8; 16])),
        tags: [("key".to_owned(), "value".to_owned())].into(),
        ..ModelVersion::default()
    };
    let model = RegisteredModel {
        name: String::from_utf8_lossy(name).into_owned(),
        aliases: [("champion".to_owned(), 2)].into(),
        versions: vec![version(2), version(300)],
        last_version: 301,
        ..RegisteredModel::default()
    };
    let (stored, stem) = (encode(&model, None), file_stem(&model.name));
    if model.name.len() < 1000 {
        assert_eq!(decode(&stored, &stem), Ok(model));
    }
    let _ = decode(&edited(&stored, edits), &stem);
}

/// A logged model's file, and a piece of its metrics.
pub fn logged_model(bytes: &[u8]) {
    use crate::format::logged_model::{ModelFile, PieceName, blank, decode, decode_piece, encode, put_metrics};
    let experiment = ExperimentId::new(7);
    // NaN differs from itself: what is written again is compared by its bytes.
    if let Ok(file) = decoding("a logged model", |_| bytes.len(), || decode(bytes, experiment)) {
        let stored = encode(&file);
        assert_eq!(decode(&stored, experiment).map(|file| encode(&file)), Ok(stored));
    }
    if let Ok(metrics) = decoding("metrics of a model", |_| bytes.len(), || decode_piece(bytes)) {
        let mut stored = Vec::new();
        put_metrics(&mut stored, &metrics);
        assert_eq!(decode_piece(&stored).map(|again| again.len()), Ok(metrics.len()));
    }
    let (edits, name) = split(bytes, 8);
    let metric = |step: i64| ModelMetric::new("acc", 0.5, step, RunId::from_bytes([9; 16])).dataset("train", "d1");
    let model = LoggedModel {
        name: String::from_utf8_lossy(name).into_owned(),
        source_run_id: Some(RunId::from_bytes([3; 16])),
        params: [("depth".to_owned(), "3".to_owned())].into(),
        metrics: vec![metric(-1), metric(i64::MAX)],
        ..blank(LoggedModelId::from_bytes([7; 16]), experiment)
    };
    let file = ModelFile { model, pieces: vec![PieceName { salt: 5, count: 300 }] };
    let stored = encode(&file);
    if file.model.name.len() < 1000 {
        assert_eq!(decode(&stored, experiment), Ok(file));
    }
    let _ = (decode(&edited(&stored, edits), experiment), decode_piece(&edited(&stored, edits)));
}
