//! Random points in two stores and random copies between them, against bags of points.

use crate::harness::{Place, points};
use proptest::prelude::*;
use std::collections::BTreeMap;
use trackway::{ExperimentId, NewRun, RunStatus};
use trackway_import::{CopyOptions, copy, keep_going};

#[derive(Clone, Debug)]
enum Op {
    /// Logs these values to a metric in a store.
    Log { store: usize, metric: usize, values: Vec<u8> },
    /// Copies from this store into the other.
    Copy { from: usize },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Few values, so that points repeat on one side and on both.
    let log = (0..2_usize, 0..2_usize, prop::collection::vec(0..4_u8, 1..5));
    let op = prop_oneof![
        3 => log.prop_map(|(store, metric, values)| Op::Log { store, metric, values }),
        2 => (0..2_usize).prop_map(|from| Op::Copy { from }),
    ];
    prop::collection::vec(op, 1..12)
}

/// Points of each metric, each as often as it is there.
type Bags = [BTreeMap<u8, usize>; 2];

const METRICS: [&str; 2] = ["a", "b"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// After a copy the target has each point as often as the side that had it more often: none lost, none
    /// invented; and the same copy again changes nothing.
    #[test]
    fn copies_lose_nothing_and_invent_nothing(ops in ops()) {
        let place = Place::new();
        let stores = [place.store("first"), place.store("second")];
        let run = stores[0].create_run(NewRun::new(ExperimentId::DEFAULT).start_time(1)).unwrap();
        run.end(RunStatus::Finished, Some(1)).unwrap();
        let id = run.id();
        copy(&stores[0], &stores[1], &CopyOptions::default(), &mut keep_going).unwrap();
        let mut model: [Bags; 2] = Default::default();
        for (time, op) in ops.into_iter().enumerate() {
            match op {
                Op::Log { store, metric, values } => {
                    let writer = stores[store].resume_run(id).unwrap();
                    for value in values {
                        writer.log_metric_at(METRICS[metric], 0, 1, f64::from(value)).unwrap();
                        *model[store][metric].entry(value).or_default() += 1;
                    }
                    writer.end(RunStatus::Finished, Some(time as i64 + 2)).unwrap();
                }
                Op::Copy { from } => {
                    let to = 1 - from;
                    let report = copy(&stores[from], &stores[to], &CopyOptions::default(), &mut keep_going).unwrap();
                    prop_assert!(report.failures.is_empty(), "{:?}", report.failures);
                    let mut added = 0;
                    let source = model[from].clone();
                    for (here, there) in model[to].iter_mut().zip(source) {
                        for (value, count) in there {
                            let here = here.entry(value).or_default();
                            added += count.saturating_sub(*here);
                            *here = (*here).max(count);
                        }
                    }
                    prop_assert_eq!(report.points as usize, added);
                    let again = copy(&stores[from], &stores[to], &CopyOptions::default(), &mut keep_going).unwrap();
                    prop_assert!(again.is_unchanged(), "{again:?}");
                }
            }
            for (store, bags) in stores.iter().zip(&model) {
                for (key, bag) in METRICS.iter().zip(bags) {
                    let known = store.run(id).unwrap().metrics.contains_key(key);
                    let found = if known { points(store, id, key) } else { Vec::new() };
                    let mut counted = BTreeMap::new();
                    for (_, _, bits) in found {
                        *counted.entry(f64::from_bits(bits) as u8).or_default() += 1;
                    }
                    prop_assert_eq!(&counted, bag);
                }
            }
        }
    }
}
