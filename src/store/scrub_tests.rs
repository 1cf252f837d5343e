use crate::env::sim::SimDisk;
use crate::{ExperimentId, NewRun, StoreOptions};
use std::time::Duration;

const SECOND: u64 = 1_000_000;

/// In the background a pass reads at most so much in so much time, and begins again when its time has come.
#[test]
fn the_pace_is_that_of_the_clock() {
    let disk = SimDisk::new(1);
    let env = disk.process();
    let mut options = StoreOptions::new().background(false).scrub(Duration::from_secs(3600));
    options.env = Some(env);
    // Each has a file of its own.
    options.pack_from = Some(usize::MAX);
    let store = options.open("/s").unwrap();
    for _ in 0..50 {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        run.log_metric("loss", 1, 0.5).unwrap();
        run.finish().unwrap();
    }
    while store.maintain().unwrap() {}
    let segments = || disk.files().into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "seg"));
    assert_eq!(segments().count(), 50);
    segments().for_each(|(path, _)| disk.flip(path, 0, 1));
    let found = || store.incidents().len();
    let mut rounds = 0;
    while found() < 50 {
        // A tenth of a millisecond is worth less than one file.
        disk.advance(SECOND / 10_000);
        let before = found();
        store.maintain().unwrap();
        assert!(found() <= before + 1, "{} at once", found() - before);
        rounds += 1;
        assert!(rounds < 10_000, "it does not come to an end");
    }
    assert!(rounds > 90, "{rounds}: each of 50 folders and 50 files counts for more than a round");
    // More is found only when the next pass has begun.
    let more = segments().map(|(path, len)| (path, len - 1)).next().unwrap();
    disk.flip(&more.0, 0, 1);
    disk.flip(&more.0, more.1, 1);
    for _ in 0..20 {
        disk.advance(SECOND);
        store.maintain().unwrap();
    }
    assert_eq!(found(), 50);
    disk.advance(3600 * SECOND);
    for _ in 0..5 {
        disk.advance(SECOND);
        store.maintain().unwrap();
    }
    assert_eq!(found(), 51);
}
