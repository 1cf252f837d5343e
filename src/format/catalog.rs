//! The catalog file: header (header.rs), the index of ended runs (catalog_index.rs) when the header says so, then entries
//! one after the other. A later entry of a run replaces an earlier one, and what the index says of it.
//!
//! ```text
//! entry: length u32 | head crc u32 (seeded with file id and the entry's offset; over the length) | body crc u32 (begun
//!        from the head crc; over the body) | body
//! body:  0x01, one run                                               appended when a run changes
//!        0x02, raw length varint, zstd of many runs one after the other   written when the catalog is rewritten
//! run:   run id 16 bytes, experiment varint, state u8 (0 unsettled, 1 settled, 2 removed),
//!        and when settled: tidy u8 (1 = compaction has nothing to do here),
//!                          records about the run: length varint, bytes (record.rs)
//!        metric count varint, each: name text, summary (stats.rs)
//! ```

use super::stats::{put_summary, take_summary};
use super::wire::{self, Decoded, Reader, put_text, put_varint};
use crate::codec::text;
use crate::limits;
use crate::types::{ExperimentId, FileId, MetricSummary, RunId};
use std::sync::Arc;

const ONE_RUN: u8 = 1;
const MANY_RUNS: u8 = 2;
/// Length of the numbers before an entry's body.
pub(crate) const ENTRY_HEAD: usize = 12;

/// What the catalog knows of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunEntry {
    pub(crate) run_id: RunId,
    pub(crate) experiment_id: ExperimentId,
    pub(crate) state: EntryState,
}

/// How far the entry can be believed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EntryState {
    /// The run's own files have to be asked: somebody writes to it, or died doing so.
    Unsettled,
    /// All that is known of the run; its files say nothing else.
    Settled(Summary),
    /// The run is gone.
    Removed,
}

/// A run without its points.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// Whether compaction has nothing left to do for the run.
    pub(crate) tidy: bool,
    /// Records about the run (record.rs).
    pub(crate) meta: Vec<u8>,
    /// Sorted by name.
    pub(crate) metrics: Vec<(Arc<str>, MetricSummary)>,
}

impl RunEntry {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.run_id.as_bytes());
        put_varint(out, self.experiment_id.get());
        match &self.state {
            EntryState::Unsettled => out.push(0),
            EntryState::Removed => out.push(2),
            EntryState::Settled(summary) => {
                out.extend([1, u8::from(summary.tidy)]);
                put_varint(out, summary.meta.len() as u64);
                out.extend_from_slice(&summary.meta);
                put_varint(out, summary.metrics.len() as u64);
                let mut base = (0, 0);
                for (name, metric) in &summary.metrics {
                    put_text(out, name);
                    put_summary(out, &mut base, metric);
                }
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Decoded<Self> {
        let run_id = RunId::from_bytes(reader.array("run id")?);
        let experiment_id = ExperimentId::new(reader.varint("experiment id")?);
        let state = match reader.u8("entry state")? {
            0 => EntryState::Unsettled,
            1 => {
                let tidy = match reader.u8("tidy flag")? {
                    0 => false,
                    1 => true,
                    _ => return Err(reader.error("tidy flag", "it is neither 0 nor 1")),
                };
                let meta = reader.bytes(limits::MAX_SECTION_BYTES, "records about the run")?.to_vec();
                let count = reader.count(limits::MAX_METRICS_PER_RUN, 2, "metric count")?;
                let mut metrics = Vec::with_capacity(count);
                let mut base = (0, 0);
                for _ in 0..count {
                    let name = reader.text(limits::MAX_KEY_BYTES, "metric name")?.into();
                    metrics.push((name, take_summary(reader, &mut base)?));
                }
                EntryState::Settled(Summary { tidy, meta, metrics })
            }
            2 => EntryState::Removed,
            _ => return Err(reader.error("entry state", "its number is unknown")),
        };
        Ok(Self { run_id, experiment_id, state })
    }
}

/// The bytes of an entry with this body that will lie at `offset`.
pub(crate) fn frame(file_id: FileId, offset: u64, body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32).to_le_bytes().to_vec();
    let head_crc = wire::crc(wire::crc_seed(&file_id.0, offset), &out);
    out.extend_from_slice(&head_crc.to_le_bytes());
    out.extend_from_slice(&wire::crc(head_crc, body).to_le_bytes());
    out.extend_from_slice(body);
    out
}

/// The bytes of an entry for one run that will lie at `offset`.
pub(crate) fn encode_one(file_id: FileId, offset: u64, run: &RunEntry) -> Vec<u8> {
    let mut body = vec![ONE_RUN];
    run.put(&mut body);
    frame(file_id, offset, &body)
}

/// The bytes of an entry for many runs that will lie at `offset`.
pub(crate) fn encode_many<'a>(file_id: FileId, offset: u64, runs: impl IntoIterator<Item = &'a RunEntry>) -> Vec<u8> {
    let mut raw = Vec::new();
    runs.into_iter().for_each(|run| run.put(&mut raw));
    let mut body = vec![MANY_RUNS];
    put_varint(&mut body, raw.len() as u64);
    body.extend_from_slice(&text::compress(&raw));
    frame(file_id, offset, &body)
}

/// Reads the entry at `offset`, whose bytes `reader` is at. `None` at the end of the bytes, and for an entry that is
/// not wholly there yet.
pub(crate) fn next_entry(reader: &mut Reader<'_>, file_id: FileId, offset: u64) -> Decoded<Option<Vec<RunEntry>>> {
    next_body(reader, file_id, offset)?.map(decode_body).transpose()
}

/// What the frame at `offset` holds. Its length has a checksum of its own, or a damaged one would hide all that follows.
pub(crate) fn next_body<'a>(reader: &mut Reader<'a>, file_id: FileId, offset: u64) -> Decoded<Option<&'a [u8]>> {
    if reader.remaining() < ENTRY_HEAD {
        return Ok(None);
    }
    let head = reader.clone().take(4, "entry length")?;
    let (len, head_crc) = (reader.u32("entry length")? as usize, reader.u32("entry checksum")?);
    let crc = reader.u32("entry checksum")?;
    if wire::crc(wire::crc_seed(&file_id.0, offset), head) != head_crc {
        return Err(reader.error("catalog entry", "the checksum of its length does not match"));
    }
    if len > reader.remaining() {
        return Ok(None);
    }
    let body = reader.take(len, "entry")?;
    if wire::crc(head_crc, body) != crc {
        return Err(reader.error("catalog entry", "its checksum does not match"));
    }
    Ok(Some(body))
}

fn decode_body(body: &[u8]) -> Decoded<Vec<RunEntry>> {
    let mut reader = Reader::new(body);
    match reader.u8("entry kind")? {
        ONE_RUN => {
            let run = RunEntry::take(&mut reader)?;
            reader.finish("entry")?;
            Ok(vec![run])
        }
        MANY_RUNS => {
            let raw_len = reader.count(limits::MAX_SECTION_BYTES, 0, "raw length")?;
            let stored = reader.take(reader.remaining(), "runs")?;
            let raw = text::decompress(stored, raw_len).map_err(|error| reader.error("runs", error.0))?;
            let mut runs = Vec::new();
            let mut inner = Reader::new(&raw);
            while !inner.is_empty() {
                runs.push(RunEntry::take(&mut inner)?);
            }
            Ok(runs)
        }
        _ => Err(reader.error("entry kind", "it is unknown")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::types::Point;
    use proptest::prelude::*;

    const ID: FileId = FileId([8; 16]);

    fn run(byte: u8) -> RunEntry {
        let metric = |latest: Point, min: Option<f64>| {
            let (min, max) = (min, min.map(|_| f64::INFINITY));
            MetricSummary { count: 3, nan_count: if min.is_some() { 1 } else { 3 }, latest, min, max }
        };
        let metrics = vec![
            ("acc".into(), metric(Point::new(i64::MAX, i64::MIN, 0.1), Some(-0.5))),
            ("loss".into(), metric(Point::new(1, 2, f64::INFINITY), Some(1e-300))),
        ];
        let summary = Summary { tidy: true, meta: vec![byte; 40], metrics };
        let state = match byte % 3 {
            0 => EntryState::Unsettled,
            1 => EntryState::Settled(summary),
            _ => EntryState::Removed,
        };
        RunEntry { run_id: RunId::from_bytes([byte; 16]), experiment_id: ExperimentId::new(9), state }
    }

    #[test]
    fn an_entry_is_there_with_its_last_byte() {
        for body in [&b""[..], b"b"] {
            let bytes = frame(ID, 64, body);
            assert_eq!(next_body(&mut Reader::new(&bytes), ID, 64), Ok(Some(body)));
            for cut in 0..bytes.len() {
                assert_eq!(next_body(&mut Reader::new(&bytes[..cut]), ID, 64), Ok(None), "cut at {cut}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "zstd is C")]
    fn entries_come_back_alone_and_in_numbers() {
        let runs: Vec<_> = (0..30).map(run).collect();
        let mut bytes = encode_one(ID, 64, &runs[1]);
        let second = 64 + bytes.len() as u64;
        bytes.extend(encode_many(ID, second, &runs));
        let mut reader = Reader::new(&bytes);
        assert_eq!(next_entry(&mut reader, ID, 64).unwrap(), Some(vec![runs[1].clone()]));
        assert_eq!(next_entry(&mut reader, ID, second).unwrap(), Some(runs));
        assert_eq!(next_entry(&mut reader, ID, 0).unwrap(), None);
    }

    #[test]
    fn flipped_bits_are_noticed_and_a_cut_entry_is_not_there_yet() {
        let bytes = encode_one(ID, 64, &run(1));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(next_entry(&mut Reader::new(&damaged), ID, 64).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(next_entry(&mut Reader::new(&bytes[..cut]), ID, 64), Ok(None));
        }
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "zstd is C")]
        fn any_bytes_give_entries_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_body(&bytes);
            let _ = next_entry(&mut Reader::new(&bytes), ID, 0);
        }
    }
}
