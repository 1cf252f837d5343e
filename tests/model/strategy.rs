//! Sequences of operations, in the mixes that find things.

use proptest::prelude::*;
use trackway::testing::{Op, RegistryOp};

/// What may happen to a machine besides its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Calm,
    /// Kills and power losses.
    Crashes,
    /// Calls to the system that fail, full disks, and kills.
    Errors,
}

/// Mostly the first process.
fn second() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.25)
}

fn log() -> impl Strategy<Value = Op> {
    let byte = any::<u8>;
    let small = || 0u8..6;
    prop_oneof![
        4 => (small(), small(), byte(), byte(), byte())
            .prop_map(|(writer, metric, step, time, value)| Op::Point { writer, metric, step, time, value }),
        2 => (small(), small(), small(), byte(), byte(), byte())
            .prop_map(|(writer, metric, len, step, time, value)| Op::Row { writer, metric, len, step, time, value }),
        2 => (small(), small(), len(), byte(), byte(), byte(), byte()).prop_map(
            |(writer, metric, len, shape, step, time, value)| Op::Columns { writer, metric, len, shape, step, time, value }
        ),
    ]
}

/// Few points, around the ends of chunks, and enough to fill a log.
fn len() -> impl Strategy<Value = u32> {
    prop_oneof![1u32..10, 60u32..70, 500u32..5000]
}

fn words() -> impl Strategy<Value = Op> {
    let small = || 0u8..6;
    prop_oneof![
        (small(), small(), small()).prop_map(|(writer, key, value)| Op::Param { writer, key, value }),
        (small(), small(), small()).prop_map(|(writer, key, value)| Op::Params { writer, key, value }),
        (small(), small(), small()).prop_map(|(writer, key, value)| Op::SetTag { writer, key, value }),
        (small(), small()).prop_map(|(writer, key)| Op::DeleteTag { writer, key }),
        (small(), small()).prop_map(|(writer, name)| Op::SetName { writer, name }),
    ]
}

fn lives() -> impl Strategy<Value = Op> {
    let small = || 0u8..6;
    prop_oneof![
        4 => (second(), 0u8..4, any::<bool>())
            .prop_map(|(second, experiment, named)| Op::CreateRun { second, experiment, named }),
        2 => (second(), small()).prop_map(|(second, run)| Op::Resume { second, run }),
        1 => (second(), small()).prop_map(|(second, run)| Op::Append { second, run }),
        2 => (small(), 0u8..3).prop_map(|(writer, status)| Op::End { writer, status }),
        1 => small().prop_map(|writer| Op::Leave { writer }),
        1 => small().prop_map(|writer| Op::Drop { writer }),
    ]
}

fn outside() -> impl Strategy<Value = Op> {
    let small = || 0u8..6;
    prop_oneof![
        (second(), small(), small()).prop_map(|(second, run, name)| Op::Rename { second, run, name }),
        (second(), small(), 0u8..5).prop_map(|(second, run, status)| Op::SetStatus { second, run, status }),
        (second(), small(), small(), small()).prop_map(|(second, run, key, value)| Op::Tag { second, run, key, value }),
        (second(), small(), small()).prop_map(|(second, run, key)| Op::Untag { second, run, key }),
        (second(), small()).prop_map(|(second, run)| Op::DeleteRun { second, run }),
        (second(), small()).prop_map(|(second, run)| Op::RestoreRun { second, run }),
        (second(), small()).prop_map(|(second, run)| Op::Hold { second, run }),
        (second(), small()).prop_map(|(second, run)| Op::Follow { second, run }),
    ]
}

fn experiments() -> impl Strategy<Value = Op> {
    let small = || 0u8..4;
    prop_oneof![
        3 => (second(), small()).prop_map(|(second, name)| Op::CreateExperiment { second, name }),
        1 => (second(), small(), small())
            .prop_map(|(second, experiment, name)| Op::RenameExperiment { second, experiment, name }),
        1 => (second(), small(), small(), small())
            .prop_map(|(second, experiment, key, value)| Op::TagExperiment { second, experiment, key, value }),
        1 => (second(), small(), small())
            .prop_map(|(second, experiment, key)| Op::UntagExperiment { second, experiment, key }),
        1 => (second(), small()).prop_map(|(second, experiment)| Op::DeleteExperiment { second, experiment }),
        1 => (second(), small()).prop_map(|(second, experiment)| Op::RestoreExperiment { second, experiment }),
    ]
}

fn registry() -> impl Strategy<Value = Op> {
    (second(), prop::collection::vec(any::<u8>(), 6)).prop_map(|(second, numbers)| {
        let mut numbers = numbers.into_iter();
        Op::Registry { second, what: RegistryOp::take(|| numbers.next().unwrap_or(0)) }
    })
}

fn care() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0u8..6).prop_map(|writer| Op::Sync { writer }),
        4 => second().prop_map(|second| Op::Maintain { second }),
        2 => second().prop_map(|second| Op::Compact { second }),
        2 => second().prop_map(|second| Op::Reopen { second }),
        2 => Just(Op::OpenSecond),
        1 => Just(Op::CloseSecond),
        1 => Just(Op::Advance),
    ]
}

fn fate(weather: Weather) -> BoxedStrategy<Op> {
    let kill = second().prop_map(|second| Op::Kill { second });
    match weather {
        Weather::Calm => Just(Op::Check).boxed(),
        Weather::Crashes => prop_oneof![2 => kill, 3 => Just(Op::PowerLoss)].boxed(),
        Weather::Errors => prop_oneof![
            6 => (0u8..30, any::<bool>()).prop_map(|(after, full)| Op::Fail { after, full }),
            3 => (0u8..60).prop_map(|after| Op::FailLook { after }),
            3 => (0u8..20).prop_map(|after| Op::FlipRead { after }),
            1 => (0u8..40).prop_map(|blocks| Op::FillDisk { blocks }),
            2 => Just(Op::FreeDisk),
            2 => kill,
        ]
        .boxed(),
    }
}

/// Up to `len` operations.
pub(crate) fn ops(weather: Weather, len: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => log(),
        3 => words(),
        5 => lives(),
        3 => outside(),
        1 => experiments(),
        2 => registry(),
        4 => care(),
        3 => fate(weather),
    ];
    // A run to begin with, or most of a short sequence has nothing to work on.
    prop::collection::vec(op, 1..len).prop_map(|mut ops| {
        ops.insert(0, Op::CreateRun { second: false, experiment: 0, named: true });
        ops
    })
}
