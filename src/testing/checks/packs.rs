//! A pack by itself: what is found in it, whole or damaged, is what was written to it.

use super::super::meter::decoding;
use super::files::file_bytes;
use crate::codec::Effort;
use crate::env::Region;
use crate::env::sim::SimDisk;
use crate::pack::{PackReader, PackWriter};
use crate::segment::{ChunkAxis, SegmentPlace, SegmentReader, SegmentWriter, Written};
use crate::types::{ExperimentId, LogId, RunId};
use std::path::Path;
use std::sync::OnceLock;

const PATH: &str = "/a.pack";
const EXPERIMENT: ExperimentId = ExperimentId::new(7);

/// A pack, and the segments in it by run.
struct Sample {
    bytes: Vec<u8>,
    segments: Vec<(RunId, Vec<u8>)>,
}

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let disk = SimDisk::new(4);
        let env = disk.process();
        let segments: Vec<(RunId, Vec<u8>)> = (1..=4_u8)
            .map(|number| {
                let run = RunId::from_bytes([number; 16]);
                let mut segment = SegmentWriter::in_memory(&env, run, Effort::Compact);
                // The first has no points, the second one row.
                if number > 1 {
                    let rows = if number == 2 { 1 } else { 10 * i64::from(number) };
                    let steps: Vec<i64> = (0..rows).collect();
                    let values: Vec<f64> = steps.iter().map(|step| 1.0 / (step + 1) as f64).collect();
                    let axis = ChunkAxis::new(&steps, &steps);
                    segment.push_axis(&axis, None).unwrap();
                    segment.begin_series("loss");
                    segment.push_values(&values, &axis.count(&values)).unwrap();
                    segment.end_group(vec![steps.len() as u64]).unwrap();
                }
                let log = LogId { created_us: number.into(), salt: 1 };
                (run, segment.into_bytes(Written { logs: vec![log], meta: Vec::new() }).unwrap())
            })
            .collect();
        let mut pack = PackWriter::create(&env, Path::new(PATH), EXPERIMENT).unwrap();
        segments.iter().for_each(|(run, bytes)| pack.push(*run, bytes).unwrap());
        pack.finish().unwrap();
        Sample { bytes: disk.contents(PATH), segments }
    })
}

fn open(bytes: &[u8]) -> Option<PackReader> {
    let disk = SimDisk::new(5);
    disk.set_contents(PATH, bytes);
    let read = || PackReader::open(&disk.process(), Path::new(PATH), EXPERIMENT).ok();
    // Of what is found without a directory a place is kept, and a segment has at least a header.
    decoding("a pack", |_| bytes.len() * 2 + 1024, read)
}

/// Whether all of a segment passes its checksums.
fn is_whole(bytes: Region, run: RunId) -> bool {
    let Ok(segment) = SegmentReader::from_region(bytes, &SegmentPlace::file(Path::new("s.seg"))) else { return false };
    let groups = (0..segment.group_count()).map(|number| segment.group(number));
    let mut columns = groups.flat_map(|index| match index {
        Ok(index) => {
            let axes = index.axis.iter().flat_map(|axis| [axis.steps.column, axis.timestamps.column]).flatten();
            axes.chain(index.columns.iter().copied()).map(|column| segment.checked(&column).is_ok()).collect()
        }
        Err(_) => vec![false],
    });
    segment.run_id() == run && columns.all(|good| good)
}

/// A damaged pack gives segments that were written to it, or such that say that they are damaged. One that is called
/// complete has all of those that are whole.
pub fn pack(bytes: &[u8]) {
    let sample = sample();
    let is_edit = bytes.first().is_some_and(|first| first % 2 == 0);
    let Some(found) = open(&file_bytes(&sample.bytes, bytes)) else { return };
    let pieces: Vec<_> = found.pieces().collect();
    assert!(pieces.is_sorted(), "the segments are out of order");
    for piece in &pieces {
        assert!(found.pieces_of(piece.run).contains(piece), "{piece:?} is not found by its run");
        let Ok(bytes) = found.bytes(piece) else { continue };
        if is_edit && is_whole(bytes.clone(), piece.run) {
            let known = sample.segments.iter().any(|(run, segment)| *run == piece.run && **segment == *bytes);
            assert!(known, "a segment of run {} was invented", piece.run);
        }
    }
    if is_edit && found.damage().is_none() {
        let runs: Vec<RunId> = pieces.iter().map(|piece| piece.run).collect();
        assert_eq!(runs, sample.segments.iter().map(|(run, _)| *run).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_read_without_its_header_directory_or_trailer() {
        let Sample { bytes, segments } = sample();
        let runs = |pack: &PackReader| pack.pieces().map(|piece| piece.run).collect::<Vec<_>>();
        let all: Vec<RunId> = segments.iter().map(|(run, _)| *run).collect();
        let whole = open(bytes).unwrap();
        assert!(whole.damage().is_none() && whole.is_complete() && runs(&whole) == all);
        let segment_bytes: usize = segments.iter().map(|(_, bytes)| bytes.len()).sum();
        for at in (0..64).chain(64 + segment_bytes..bytes.len()) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let pack = open(&damaged).unwrap();
            assert!(pack.damage().is_some() && pack.is_complete() && runs(&pack) == all, "byte {at}");
            for piece in pack.pieces() {
                assert!(is_whole(pack.bytes(&piece).unwrap(), piece.run), "byte {at}");
            }
        }
    }

    #[test]
    fn a_segment_that_cannot_be_found_makes_a_damaged_pack_incomplete() {
        let Sample { bytes, segments } = sample();
        let second = 64 + segments[0].1.len();
        let mut damaged = bytes.clone();
        // The directory, and the header of the second segment.
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        damaged[second + 30] ^= 1;
        let pack = open(&damaged).unwrap();
        assert!(!pack.is_complete());
        assert_eq!(pack.pieces().map(|piece| piece.run.as_bytes()[0]).collect::<Vec<_>>(), [1, 3, 4]);
        // With the directory its place is known.
        damaged[last] ^= 1;
        let pack = open(&damaged).unwrap();
        assert!(pack.is_complete() && pack.pieces().count() == 4);
        // Cut so that what is left would be as long as an empty directory and its trailer.
        let pack = open(&bytes[..64 + 28]).unwrap();
        assert!(!pack.is_complete() && pack.pieces().next().is_none());
        // Cut in the midst of the last segment.
        let cut = bytes.len() - 28 - 4 * 24 - 10;
        let pack = open(&bytes[..cut]).unwrap();
        assert!(!pack.is_complete());
        assert_eq!(pack.pieces().map(|piece| piece.run.as_bytes()[0]).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
