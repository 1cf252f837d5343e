//! A process is killed, or the power fails, in each changing call of short sequences: before it and within it; and again
//! in each call of the recovery. What is tried without a hand-made list is in `campaign.rs`.

use trackway::testing::{Crash, CrashPoint, Op, RegistryOp, Setup, run_ops, run_with_crashes};

const CREATE: Op = Op::CreateRun { second: false, experiment: 0, named: true };
const SYNC: Op = Op::Sync { writer: 0 };
const MAINTAIN: Op = Op::Maintain { second: false };
const COMPACT: Op = Op::Compact { second: false };
const REOPEN: Op = Op::Reopen { second: false };
const FINISH: Op = Op::End { writer: 0, status: 0 };

const fn point(writer: u8, step: u8) -> Op {
    Op::Point { writer, metric: 0, step, time: step, value: step }
}

/// So many points fill more than half a log; `shape` 0x3c cannot be compressed.
const fn columns(len: u32) -> Op {
    Op::Columns { writer: 0, metric: 1, len, shape: 0x3c, step: 0, time: 0, value: 0 }
}

/// Tries every crash in the sequence; all that fail are shown.
fn every_crash(ops: &[Op]) {
    crashes_after(&[], ops);
}

/// The same, for crashes after the first operations `before` only.
fn crashes_after(before: &[Op], ops: &[Op]) {
    let mut failures = Vec::new();
    for mapped in [true, false] {
        let setup = Setup { seed: 7, mapped, medium: false };
        let calls = run_ops(&setup, ops).unwrap_or_else(|error| panic!("without a crash: {error}")).calls;
        let first = if before.is_empty() { 1 } else { run_ops(&setup, before).unwrap().calls };
        for at in first..=calls {
            // After a call is before the next one, but for the last.
            let after = (at == calls).then_some(CrashPoint::After);
            for point in [CrashPoint::Before, CrashPoint::Torn].into_iter().chain(after) {
                for power in [false, true] {
                    // Each crash has chances of its own.
                    let setup = Setup { seed: setup.seed + at, ..setup.clone() };
                    match run_with_crashes(&setup, ops, &[Crash { at, point, power }]) {
                        // Chance decides what a power loss leaves to do, and so how many calls there are.
                        Ok(outcome) => assert!(
                            outcome.struck == 1 || ops.iter().any(|op| matches!(op, Op::PowerLoss)),
                            "the crash at call {at} of {calls} did not strike"
                        ),
                        Err(error) => failures.push(error),
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} crashes are not survived; the first: {}", failures.len(), failures[0]);
}

/// Crashes in every call of the recovery from every `stride`th crash in the sequence, and once more in the recovery from
/// those.
fn every_crash_of_the_recovery(stride: usize, ops: &[Op]) {
    let mut failures = Vec::new();
    let mut thrice = 0;
    for (mapped, power) in [(true, false), (true, true), (false, false), (false, true)] {
        let setup = Setup { seed: 11, mapped, medium: false };
        let calls = run_ops(&setup, ops).unwrap_or_else(|error| panic!("without a crash: {error}")).calls;
        for at in (1..=calls).step_by(stride) {
            let setup = Setup { seed: setup.seed + at, ..setup.clone() };
            let first = Crash { at, point: CrashPoint::Torn, power };
            let recovery = run_with_crashes(&setup, ops, &[first]).unwrap_or_else(|error| panic!("{error}")).recovery;
            assert!(recovery > 0, "the recovery from the crash at call {at} makes no call");
            for at in 1..=recovery {
                let again = [(CrashPoint::Before, false), (CrashPoint::Torn, false), (CrashPoint::Torn, true)];
                for (point, power) in again {
                    let second = Crash { at, point, power };
                    // A third one in the same call as the second, or in one of the next.
                    let third = Crash { at: 1 + at % 3, point, power: !power };
                    match run_with_crashes(&setup, ops, &[first, second, third]) {
                        Ok(outcome) => {
                            assert!(outcome.struck >= 2, "the crash at call {at} of the recovery did not strike");
                            thrice += usize::from(outcome.struck == 3);
                        }
                        Err(error) => failures.push(error),
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} crashes are not survived; the first: {}", failures.len(), failures[0]);
    assert!(thrice > 0);
}

#[test]
fn recovering_from_a_crash_in_the_recovery() {
    every_crash_of_the_recovery(7, &[CREATE, point(0, 1), SYNC, columns(20), FINISH, MAINTAIN]);
}

#[test]
fn recovering_what_two_processes_have_left() {
    every_crash_of_the_recovery(
        11,
        &[
            CREATE,
            Op::OpenSecond,
            Op::Resume { second: true, run: 0 },
            point(0, 1),
            point(1, 2),
            Op::Kill { second: true },
            COMPACT,
            point(0, 3),
        ],
    );
}

#[test]
fn creating_and_logging() {
    every_crash(&[
        CREATE,
        point(0, 1),
        Op::Row { writer: 0, metric: 0, len: 2, step: 2, time: 2, value: 3 },
        Op::Params { writer: 0, key: 0, value: 1 },
        SYNC,
        point(0, 3),
        columns(20),
        Op::SetTag { writer: 0, key: 1, value: 2 },
        FINISH,
    ]);
}

#[test]
fn growing_and_sealing_a_log() {
    let before = [CREATE, columns(1500)];
    crashes_after(&before, &[CREATE, columns(1500), columns(1400), point(0, 1), MAINTAIN, point(0, 2), SYNC, FINISH]);
}

#[test]
fn a_call_larger_than_a_piece_counts_as_a_whole() {
    let before = [CREATE, point(0, 1)];
    crashes_after(&before, &[CREATE, point(0, 1), columns(66_000)]);
}

#[test]
fn ending_settling_and_compacting() {
    every_crash(&[
        CREATE,
        columns(80),
        FINISH,
        MAINTAIN,
        Op::Resume { second: false, run: 0 },
        columns(90),
        FINISH,
        COMPACT,
        Op::Resume { second: false, run: 0 },
        point(0, 4),
        REOPEN,
        COMPACT,
    ]);
}

#[test]
fn completing_what_a_killed_process_has_left() {
    every_crash(&[
        CREATE,
        columns(70),
        SYNC,
        Op::Param { writer: 0, key: 1, value: 0 },
        point(0, 1),
        Op::Kill { second: false },
        Op::Resume { second: false, run: 0 },
        point(0, 2),
        Op::PowerLoss,
        Op::Kill { second: false },
    ]);
}

#[test]
fn changing_a_run_from_outside() {
    every_crash(&[
        CREATE,
        point(0, 1),
        SYNC,
        Op::Rename { second: false, run: 0, name: 2 },
        Op::Tag { second: false, run: 0, key: 2, value: 2 },
        point(0, 2),
        FINISH,
        MAINTAIN,
        Op::Untag { second: false, run: 0, key: 2 },
        Op::DeleteRun { second: false, run: 0 },
        Op::RestoreRun { second: false, run: 0 },
    ]);
}

#[test]
fn removing_deleted_runs() {
    every_crash(&[
        CREATE,
        columns(70),
        FINISH,
        CREATE,
        point(0, 1),
        Op::DeleteRun { second: false, run: 0 },
        Op::Advance,
        COMPACT,
        point(0, 2),
        SYNC,
    ]);
}

#[test]
fn experiments() {
    every_crash(&[
        Op::CreateExperiment { second: false, name: 1 },
        Op::TagExperiment { second: false, experiment: 1, key: 0, value: 0 },
        Op::CreateRun { second: false, experiment: 1, named: true },
        Op::RenameExperiment { second: false, experiment: 1, name: 2 },
        SYNC,
        Op::DeleteExperiment { second: false, experiment: 2 },
        Op::RestoreExperiment { second: false, experiment: 2 },
        Op::UntagExperiment { second: false, experiment: 2, key: 0 },
    ]);
}

#[test]
fn two_processes_and_one_run() {
    every_crash(&[
        CREATE,
        Op::OpenSecond,
        Op::Resume { second: true, run: 0 },
        point(0, 1),
        point(1, 2),
        SYNC,
        Op::Tag { second: true, run: 0, key: 0, value: 1 },
        Op::Maintain { second: true },
        point(1, 3),
        Op::End { writer: 1, status: 1 },
        Op::Compact { second: true },
        point(0, 4),
        REOPEN,
    ]);
}

/// Each change of a registered model is on the medium when its call returns; a crash within it leaves the model as it was or
/// as it was to be, under one name.
#[test]
fn a_registered_model_survives_every_crash() {
    use RegistryOp::{AddVersion, Alias, Create, Delete, DeleteVersion, Rename, SetStage, Tag};
    let registry = |what| Op::Registry { second: false, what };
    every_crash(&[
        CREATE,
        registry(Create { model: 0 }),
        registry(AddVersion { model: 0, run: 0 }),
        registry(AddVersion { model: 0, run: 1 }),
        registry(Alias { model: 0, alias: 0, version: 1 }),
        registry(Rename { model: 0, to: 1 }),
        registry(SetStage { model: 1, version: 1, stage: 2, archive: true }),
        registry(Create { model: 0 }),
        registry(Tag { model: 0, key: 1, value: 3 }),
        registry(DeleteVersion { model: 1, version: 1 }),
        registry(Delete { model: 1 }),
        registry(Rename { model: 0, to: 1 }),
    ]);
    every_crash_of_the_recovery(3, &[registry(Create { model: 0 }), registry(Rename { model: 0, to: 1 })]);
}
