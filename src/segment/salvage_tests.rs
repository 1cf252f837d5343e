#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::codec::Effort;
use crate::env::sim::SimDisk;
use crate::segment::Written;
use std::path::Path;

const RUN: RunId = RunId::from_bytes([7; 16]);
const LOGS: [LogId; 2] = [LogId { created_us: 1, salt: 10 }, LogId { created_us: 2, salt: 20 }];

/// Steps, timestamps and bits of the values of each metric.
type Content = BTreeMap<String, Vec<(i64, i64, u64)>>;

fn row(number: i64) -> (i64, i64, f64) {
    (number * number % 7, 1_700_000_000_000 + number, 1.0 / (number + 3) as f64)
}

/// Rows `range` as chunks of the lengths given, of these metrics.
fn group(output: &mut SegmentWriter, from: i64, chunks: &[i64], metrics: &[&str], log_rows: &[u64]) {
    let mut start = from;
    let mut columns = Vec::new();
    for len in chunks {
        let rows: Vec<_> = (start..start + len).map(row).collect();
        let (steps, times): (Vec<i64>, Vec<i64>) = rows.iter().map(|row| (row.0, row.1)).unzip();
        columns.push((steps, times, rows.iter().map(|row| row.2).collect::<Vec<f64>>()));
        start += len;
    }
    for (steps, times, _) in &columns {
        output.push_axis(&ChunkAxis::new(steps, times), None).unwrap();
    }
    for metric in metrics {
        output.begin_series(metric);
        for (steps, times, values) in &columns {
            output.push_values(values, &ChunkAxis::new(steps, times).count(values)).unwrap();
        }
    }
    output.end_group(log_rows.to_vec()).unwrap();
}

/// Two metrics that share ten rows of two logs, and one with three rows of the second.
fn segment(disk: &SimDisk) -> Vec<u8> {
    let env = disk.process();
    env.fs.create_dir_all(Path::new("/r")).unwrap();
    let mut output = SegmentWriter::create(&env, Path::new("/r/a.seg"), RUN, Effort::Seal).unwrap();
    group(&mut output, 0, &[4, 4, 2], &["a", "b"], &[5, 5]);
    group(&mut output, 50, &[3], &["c"], &[0, 3]);
    output.finish(Written { logs: LOGS.to_vec(), meta: vec![] }).unwrap();
    disk.contents("/r/a.seg")
}

fn content(segment: &SegmentReader) -> Content {
    let mut all = Content::new();
    for series in segment.series() {
        let index = segment.group(series.group as usize).unwrap();
        let rows = wanted_rows(&[index.rows()], &[true]);
        let copy = GroupCopy { segment, group: series.group as usize, index: &index, rows };
        let points = all.entry(series.metric.clone()).or_default();
        for chunk in 0..index.axis.len() {
            let (steps, times) = copy.axis(chunk).unwrap();
            let values = copy.values(series.position as usize, chunk).unwrap();
            points.extend(steps.into_iter().zip(times).zip(values).map(|((s, t), v)| (s, t, v.to_bits())));
        }
    }
    all
}

fn expected(rows: impl IntoIterator<Item = i64>) -> Vec<(i64, i64, u64)> {
    rows.into_iter().map(row).map(|(step, time, value)| (step, time, value.to_bits())).collect()
}

fn open(bytes: &[u8]) -> Option<SegmentReader> {
    salvage(Region::from_vec(bytes.to_vec()), &SegmentPlace::file(Path::new("/r/a.seg")), RUN)
}

#[test]
fn a_damaged_header_or_trailer_hides_nothing() {
    let good = segment(&SimDisk::new(1));
    let whole = content(&open(&good).unwrap());
    assert_eq!(whole["a"], expected(0..10));
    let ends = (0..HEADER_LEN).chain(good.len() - TRAILER_LEN..good.len());
    for at in ends {
        let mut damaged = good.clone();
        damaged[at] ^= 0xff;
        let is_id = (24..40).contains(&at);
        // Without the id no checksum can be told to be right.
        assert_eq!(open(&damaged).map(|segment| content(&segment)), (!is_id).then(|| whole.clone()), "byte {at}");
    }
    for cut in 1..=TRAILER_LEN {
        assert_eq!(content(&open(&good[..good.len() - cut]).unwrap()), whole, "without the last {cut}");
    }
    assert!(open(&good[..good.len() - TRAILER_LEN - 1]).is_none());
    assert_eq!(content(&open(&[&good[..], &[9; 700]].concat()).unwrap()), whole);
    assert!(
        salvage(Region::from_vec(good), &SegmentPlace::file(Path::new("/r/a.seg")), RunId::from_bytes([8; 16]))
            .is_none()
    );
}

/// Copies the good of `bytes` into a segment for the wanted logs; it and the rows of `b` by log.
fn copied(bytes: &[u8], wanted: &[LogId]) -> (Content, Vec<u64>) {
    let disk = SimDisk::new(2);
    let env = disk.process();
    env.fs.create_dir_all(Path::new("/r")).unwrap();
    let mut output = SegmentWriter::create(&env, Path::new("/r/b.seg"), RUN, Effort::Seal).unwrap();
    let points = copy_good(&open(bytes).unwrap(), &|log| wanted.contains(log), &mut output).unwrap();
    output.finish(Written { logs: wanted.to_vec(), meta: vec![] }).unwrap();
    let copy = SegmentReader::open(&env, &SegmentPlace::file(Path::new("/r/b.seg"))).unwrap();
    let found = content(&copy);
    assert_eq!(points, found.values().map(|points| points.len() as u64).sum::<u64>());
    assert_eq!(points, copy.point_count());
    let log_rows = copy.metric("b").map(|(_, series)| copy.log_rows(series.group as usize).to_vec());
    (found, log_rows.unwrap_or_default())
}

#[test]
fn what_is_good_is_copied_chunk_by_chunk_and_log_by_log() {
    let good = segment(&SimDisk::new(1));
    let whole = content(&open(&good).unwrap());
    assert_eq!(copied(&good, &LOGS), (whole.clone(), vec![5, 5]));
    let (found, rows) = copied(&good, &LOGS[1..]);
    assert_eq!((&found["a"], &found["c"], rows), (&expected(5..10), &expected(50..53), vec![5]));
    assert!(!copied(&good, &LOGS[..1]).0.contains_key("c"), "it has no row of that log");
    // The second of three chunks of values of one of the two, then of the steps.
    let index = open(&good).unwrap().group(0).unwrap();
    let damage = |at: u64| {
        let mut damaged = good.clone();
        damaged[at as usize] ^= 1;
        damaged
    };
    let values = damage(index.column(1, 1).unwrap().offset);
    let (found, rows) = copied(&values, &LOGS);
    assert_eq!((&found["a"], &found["b"], rows), (&expected(0..10), &expected((0..4).chain(8..10)), vec![4, 2]));
    let (found, rows) = copied(&values, &LOGS[1..]);
    assert_eq!((&found["a"], &found["b"], rows), (&expected(5..10), &expected(8..10), vec![2]));
    let steps = damage(index.axis[0].steps.column.unwrap().offset);
    let (found, rows) = copied(&steps, &LOGS);
    assert_eq!((&found["a"], &found["b"], rows), (&expected(4..10), &expected(4..10), vec![1, 5]));
}
