//! A limit of the length of files (`ulimit -f`): growing a file beyond it raises a signal that ends a process which does
//! not expect it. The engine does not let it come to that.

use super::calls::{self, calls_in, stream};
use super::child::{Running, Task, Told, options, say};
use rustix::process::{Resource, Rlimit, setrlimit};
use trackway::{ErrorKind, ExperimentId, NewRun, RunId, RunStatus, RunWriter};

/// Calls whose logs are longer than the limit together.
const CALLS: u64 = 4000;

/// The child: it limits itself. `told.calls` is the limit in bytes.
pub(crate) fn log(told: &Told) {
    setrlimit(Resource::Fsize, Rlimit { current: Some(told.calls), maximum: Some(told.calls) }).unwrap();
    let store = options(told.writer).log_bytes(16 << 20).open(&told.dir).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).id(told.run)).unwrap();
    let is_refused = |result: trackway::Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
    };
    let artifacts = run.artifacts();
    artifacts.put_bytes("kept.bin", b"the first").unwrap();
    is_refused(artifacts.put_bytes("kept.bin", &vec![1; told.calls as usize + 1]));
    assert_eq!(artifacts.read("kept.bin").unwrap(), b"the first");
    artifacts.put_bytes("whole.bin", &vec![1; told.calls as usize]).unwrap();
    is_refused(log_columns(&run, told.calls as usize / 4));
    let stream = stream(told.writer, 0);
    for number in 0..CALLS {
        calls::log(&run, &stream, number, false).unwrap();
        say(format_args!("ack 0"));
        if number.is_multiple_of(1000) {
            is_refused(log_columns(&run, told.calls as usize / 4));
        }
    }
    run.finish().unwrap();
    drop(run);
    store.close().unwrap();
}

/// More bytes than a file may have.
fn log_columns(run: &RunWriter, points: usize) -> trackway::Result<()> {
    let steps: Vec<i64> = (0..points as i64).collect();
    run.metric("large")?.log_columns(&steps, &steps, &vec![0.1; points])
}

#[test]
fn a_process_with_a_limit_of_file_length_logs_on_in_new_files() {
    for writer in [0, 1] {
        for limit in [600 << 10, 8 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("store");
            drop(options(writer).open(&path).unwrap());
            let id = RunId::from_bytes([4; 16]);
            let told = Told { calls: limit, ..Told::new(Task::Limited, &path, id, writer) };
            let mut child = Running::start(&told);
            child.join();
            assert_eq!(child.acks()[0], CALLS);
            let store = options(writer).open(&path).unwrap();
            let snapshot = store.snapshot(id).unwrap();
            assert_eq!(snapshot.run().status, RunStatus::Finished);
            assert_eq!(calls_in(&snapshot, &stream(writer, 0), false), Ok(CALLS));
            assert!(snapshot.stats("large").is_none());
            assert_eq!(store.verify(&mut |_| {}).unwrap().damage, []);
        }
    }
}
