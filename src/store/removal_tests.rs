use crate::env::Env;
use crate::env::sim::{Crash, SimDisk};
use crate::{ExperimentId, NewRun, RunFilter, Store, StoreOptions, View};
use std::path::PathBuf;
use std::time::Duration;

fn open(env: &Env, retention: Duration) -> Store {
    let mut options = StoreOptions::new().background(false).deleted_retention(retention);
    (options.env, options.pack_from) = (Some(env.clone()), Some(1));
    options.open("/s").unwrap()
}

fn packs(disk: &SimDisk) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files.filter(|path| path.extension().is_some_and(|ending| ending == "pack")).collect()
}

/// A machine with a deleted run that lies in two packs; the older one has it as it was before.
fn in_two_packs(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    let store = open(&disk.process(), Duration::MAX);
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
    run.log_metric("loss", 1, 0.5).unwrap();
    run.finish().unwrap();
    while store.maintain().unwrap() {}
    let older = packs(&disk).remove(0);
    let kept = disk.contents(&older);
    store.delete_run(run.id()).unwrap();
    store.compact(&mut |_| {}).unwrap();
    // Once more, now that it is one segment in its folder.
    store.compact(&mut |_| {}).unwrap();
    drop((run, store));
    disk.set_contents(&older, kept);
    assert_eq!(packs(&disk).len(), 2);
    disk
}

/// Found by a review: the packs went one by one in the order of their names, and what was left of them was the run as it
/// was before it was deleted.
#[test]
fn a_removal_that_is_cut_short_leaves_nothing_that_is_not_deleted() {
    let active = RunFilter { view: View::Active, ..RunFilter::default() };
    for at in 1.. {
        let mut struck = false;
        // The names of packs are random, and so is their order.
        for (seed, power) in (1..7).flat_map(|seed| [(seed, false), (seed, true)]) {
            let disk = in_two_packs(seed);
            let env = disk.process();
            let store = open(&env, Duration::ZERO);
            disk.crash_at(at, Crash::Before);
            let _ = store.compact(&mut |_| {});
            struck |= !disk.lives(&env);
            drop(store);
            if power {
                disk.power_loss();
            }
            disk.clear_plans();
            let store = open(&disk.process(), Duration::MAX);
            assert_eq!(store.runs(&active).unwrap(), [], "crash at call {at}, power {power}, seed {seed}");
        }
        if !struck {
            assert!(at > 10, "{at}");
            return;
        }
    }
}
