#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::env::sim::SimDisk;
use crate::log::BlankLog;
use crate::store::ahead::AheadWork;

const SECOND: u64 = 1_000_000;

fn appender(env: &Env, log_bytes: u64) -> Appender {
    appender_with(env, log_bytes, true)
}

fn appender_with(env: &Env, log_bytes: u64, ahead: bool) -> Appender {
    let dir = PathBuf::from("/run");
    env.fs.create_dir_all(&dir).unwrap();
    let id = LogId { created_us: 1, salt: 2 };
    Appender::create(env, RunId::from_bytes([1; 16]), dir, id, true, log_bytes, ahead).unwrap()
}

/// Does what the background would do.
fn prepare(appender: &mut Appender, env: &Env, now_us: u64) -> Option<bool> {
    let AheadWork { extent, log, .. } = appender.plan_ahead(now_us, SECOND);
    if let Some(mut next) = extent {
        next.prepare().unwrap();
        appender.install_next(next);
    }
    let (id, path, plan) = log?;
    let blank = BlankLog::create(env, &path, plan).unwrap();
    assert!(appender.install_log(NextLog::new(id, blank)).is_none());
    Some(plan.len > 1 << 20)
}

fn log_bytes(appender: &mut Appender, bytes: usize) {
    for _ in 0..bytes / 80_000 {
        let values = vec![0.5; 10_000];
        let steps = vec![1; 10_000];
        appender.columns(0, &[ColumnsPlan::new(&steps, &steps, &values)]).unwrap();
    }
}

#[test]
fn the_next_log_of_a_fast_writer_is_made_ready_whole() {
    for (now_us, whole) in [(SECOND / 100, true), (100 * SECOND, false)] {
        let disk = SimDisk::new(1);
        let env = disk.process();
        let mut appender = appender(&env, 4 << 20);
        appender.number("loss").unwrap();
        log_bytes(&mut appender, 3 << 20);
        assert!(appender.take_wish());
        assert_eq!(prepare(&mut appender, &env, now_us), Some(whole));
        let first = appender.log_path();
        log_bytes(&mut appender, 2 << 20);
        assert_ne!(first, appender.log_path());
        assert_eq!(appender.take_full().len(), 1);
    }
}

#[test]
fn a_call_that_does_not_fit_begins_the_prepared_log() {
    let disk = SimDisk::new(2);
    let env = disk.process();
    let mut appender = appender(&env, 4 << 20);
    appender.number("loss").unwrap();
    log_bytes(&mut appender, 3 << 20);
    assert_eq!(prepare(&mut appender, &env, SECOND / 100), Some(true));
    let (first, calls) = (appender.log_path(), disk.calls());
    let values = vec![0.5; limits::MAX_COLUMN_PIECE_POINTS];
    let steps = vec![1; values.len()];
    let plan = ColumnsPlan::new(&steps, &steps, &values);
    appender.columns(0, &[plan, plan, plan]).unwrap();
    assert_ne!(appender.log_path(), first);
    assert_eq!(appender.take_full().len(), 1);
    // Stores only: the close of the old log, the begin of the new one, what is known of the run, a definition, the call.
    assert!(disk.calls() - calls < 20);
}

#[test]
fn a_log_that_came_too_late_is_given_back() {
    let disk = SimDisk::new(3);
    let env = disk.process();
    let mut appender = appender(&env, 64 << 10);
    appender.number("loss").unwrap();
    log_bytes(&mut appender, 80_000);
    let (id, path, plan) = appender.plan_ahead(0, SECOND).log.unwrap();
    let late = NextLog::new(id, BlankLog::create(&env, &path, plan).unwrap());
    appender.end().unwrap();
    assert!(appender.install_log(late).is_some());
}

/// A run of which a lot is known before its writer begins.
fn long_preamble() -> Vec<Meta> {
    let value = "x".repeat(200 << 10);
    vec![Meta { at_us: 1, change: record::Change::Tag { key: "notes".to_owned(), value } }]
}

#[test]
fn a_call_that_was_published_is_not_refused_for_the_next_log() {
    let disk = SimDisk::new(4);
    let env = disk.process();
    let mut appender = appender_with(&env, 1 << 20, false);
    appender.begin_run(long_preamble()).unwrap();
    appender.number("loss").unwrap();
    let mut steps = 0..;
    let mut grow_to = |appender: &mut Appender, len: u64| {
        while appender.log().unwrap().len() < len {
            let step = steps.next().unwrap();
            appender.point(0, Point::new(step, step, 0.5)).unwrap();
        }
    };
    grow_to(&mut appender, 1_000_000);
    let first = appender.log_path();
    // Room for an empty log, and none for what each log begins with.
    disk.set_capacity(disk.used() + (100 << 10));
    grow_to(&mut appender, (1 << 20) + 10_000);
    assert_eq!(appender.log_path(), first);
    assert_eq!(disk.files().len(), 1, "nothing is left of the log that could not begin");
    disk.set_capacity(None);
    log_bytes(&mut appender, 2 << 20);
    assert_ne!(appender.log_path(), first);
}

#[test]
fn a_log_is_not_left_for_what_it_begins_with() {
    let disk = SimDisk::new(5);
    let env = disk.process();
    let mut appender = appender_with(&env, 64 << 10, false);
    appender.begin_run(long_preamble()).unwrap();
    appender.number("loss").unwrap();
    for step in 0..4000 {
        appender.point(0, Point::new(step, step, 0.5)).unwrap();
    }
    assert!(appender.take_full().len() <= 1, "each log takes as much as others do");
}
