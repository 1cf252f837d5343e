//! Loading: four metrics of a million points each, given as columns, until all of it is on the medium.

use crate::measure::{self, Bench};
use crate::peer::{Contestant, contestants};
use crate::table::{self, Table};
use crate::workload::{Check, Points, keys};

const METRICS: usize = 4;

pub(crate) fn bulk(bench: &Bench) {
    let entries: Vec<Contestant> = contestants().into_iter().filter(|entry| entry.part.bulk).collect();
    let each = bench.size(1_000_000, 10_000);
    let columns: Vec<Points> = (0..METRICS).map(|metric| Points::curve(metric as u64, each, 0)).collect();
    let keys = keys(METRICS);
    let mut sizes = vec![0; entries.len()];
    let at = |entry: &Contestant| entries.iter().position(|other| other.name() == entry.name());
    let samples = bench.in_turn("bulk", &entries, |round, entry| {
        let folder = bench.folder();
        let store = measure::open(entry, folder.path(), &keys, METRICS * each);
        bench.quiet();
        let elapsed = measure::seconds(|| {
            columns.iter().enumerate().for_each(|(metric, points)| store.bulk(metric, points.view()));
            store.sync();
        });
        if let (0, Some(at)) = (round, at(entry)) {
            sizes[at] = measure::disk_usage(folder.path()).1;
            if !entry.is_floor() {
                let mut reader = store.reader();
                for (metric, points) in columns.iter().enumerate() {
                    let steps = reader.has_steps();
                    let expected = if steps { Check::of(points.view()) } else { Check::without_steps(points.view()) };
                    assert_eq!(Check::of(reader.all(metric)), expected, "{}: metric {metric} differs", entry.name());
                }
            }
        }
        (METRICS * each) as f64 / elapsed
    });

    let median =
        |wanted: fn(&Contestant) -> bool| entries.iter().position(wanted).map_or(f64::NAN, |at| samples[at].median());
    let points = table::grouped((METRICS * each) as f64);
    let mut table = Table::new(
        &format!("Bulk: {points} points in columns, final sync included"),
        &["store", "survives", "points/s", "lowest to highest", "to Trackway", "to the floor", "then bytes a point"],
    );
    for (at, entry) in entries.iter().enumerate() {
        let (low, high) = samples[at].range();
        table.row(vec![
            entry.name(),
            // All of them end with a sync.
            "P".to_owned(),
            table::rate(samples[at].median()),
            format!("{} to {}", table::rate(low), table::rate(high)),
            table::times(samples[at].median() / median(Contestant::is_trackway)),
            table::times(samples[at].median() / median(Contestant::is_floor)),
            format!("{:.2}", sizes[at] as f64 / (METRICS * each) as f64),
        ]);
    }
    table.note("Allocated blocks when the load was over, before any compaction but the one that a row names.");
    table.print();
}
