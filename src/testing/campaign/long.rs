//! Long cases: random operations of one or two processes, in calm and in bad weather.
//!
//! A unit is one sequence: first as it is, compared after each operation, then several times with one to three crashes
//! at random calls, the later ones mostly in the recovery from the one before.

use super::super::{Case, Crash, CrashPoint, Op, RegistryOp, Setup};
use super::{Hand, chance};
use crate::env::sim::Rng;

/// Cases with crashes made of one sequence.
const CRASHES: u64 = 9;
/// A recovery makes about so many calls.
const RECOVERY: u64 = 40;

/// What may happen to a machine besides its use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weather {
    Calm,
    /// Processes are killed and power is lost between calls.
    Crashes,
    /// Calls fail, the disk is full.
    Errors,
}

/// Runs all cases of a unit; `None` when it was ended.
pub(super) fn unit(number: u64, seed: u64, hand: &mut Hand<'_>) -> Option<()> {
    let mut chance = chance(seed, 2, number);
    let weather = match chance.below(8) {
        0..2 => Weather::Calm,
        2..6 => Weather::Crashes,
        _ => Weather::Errors,
    };
    let setup = Setup { seed: chance.next(), mapped: chance.coin(), medium: chance.below(5) == 0 };
    // A run to begin with, or most of a short sequence has nothing to work on.
    let mut ops = vec![Op::CreateRun { second: false, experiment: 0, named: true }];
    (0..3 + chance.below(37)).for_each(|_| ops.push(op(&mut chance, weather)));
    let mut case = Case { setup, ops, crashes: Vec::new() };
    let calls = hand(&case, Case::run_watched)?.calls;
    for _ in 0..CRASHES {
        case.setup.seed = chance.next();
        case.crashes = crashes(&mut chance, calls);
        hand(&case, Case::run)?;
    }
    Some(())
}

fn crashes(chance: &mut Rng, calls: u64) -> Vec<Crash> {
    let number = 1 + chance.below(3);
    let crash = |before: u64| {
        let near = before > 0 && chance.below(4) > 0;
        let at = 1 + chance.below(if near { RECOVERY } else { calls });
        let point = match chance.below(5) {
            0..2 => CrashPoint::Before,
            2 => CrashPoint::After,
            _ => CrashPoint::Torn,
        };
        Crash { at, point, power: chance.coin() }
    };
    (0..number).map(crash).collect()
}

fn op(c: &mut Rng, weather: Weather) -> Op {
    match c.below(32) {
        0..9 => log(c),
        9..12 => words(c),
        12..18 => lives(c),
        18..21 => outside(c),
        21 if c.coin() => Op::Registry { second: second(c), what: RegistryOp::take(|| byte(c)) },
        21 => experiments(c),
        22..28 => care(c),
        _ => fate(c, weather),
    }
}

/// A small number: places in pools, writers, runs.
fn small(c: &mut Rng) -> u8 {
    c.below(6) as u8
}

fn byte(c: &mut Rng) -> u8 {
    c.next() as u8
}

/// Mostly the first process.
fn second(c: &mut Rng) -> bool {
    c.below(4) == 0
}

fn log(c: &mut Rng) -> Op {
    let (writer, metric) = (small(c), small(c));
    let (step, time, value) = (byte(c), byte(c), byte(c));
    match c.below(8) {
        0..4 => Op::Point { writer, metric, step, time, value },
        4..6 => Op::Row { writer, metric, len: small(c), step, time, value },
        _ => {
            // Few points, around the end of a chunk, and enough to fill a log.
            let len = match c.below(6) {
                0..3 => 1 + c.below(10),
                3..5 => 60 + c.below(10),
                _ => 500 + c.below(2500),
            };
            Op::Columns { writer, metric, len: len as u32, shape: byte(c), step, time, value }
        }
    }
}

fn words(c: &mut Rng) -> Op {
    let (writer, key, value) = (small(c), small(c), small(c));
    match c.below(5) {
        0 => Op::Param { writer, key, value },
        1 => Op::Params { writer, key, value },
        2 => Op::SetTag { writer, key, value },
        3 => Op::DeleteTag { writer, key },
        _ => Op::SetName { writer, name: value },
    }
}

fn lives(c: &mut Rng) -> Op {
    match c.below(10) {
        0..4 => Op::CreateRun { second: second(c), experiment: small(c), named: c.coin() },
        4..6 => Op::Resume { second: second(c), run: small(c) },
        6 => Op::Append { second: second(c), run: small(c) },
        7 => Op::End { writer: small(c), status: small(c) },
        8 => Op::Leave { writer: small(c) },
        _ => Op::Drop { writer: small(c) },
    }
}

fn outside(c: &mut Rng) -> Op {
    let (second, run, key) = (second(c), small(c), small(c));
    match c.below(8) {
        7 => Op::SetStatus { second, run, status: key },
        0 => Op::Rename { second, run, name: key },
        1 => Op::Tag { second, run, key, value: small(c) },
        2 => Op::Untag { second, run, key },
        3 => Op::DeleteRun { second, run },
        4 => Op::RestoreRun { second, run },
        5 => Op::Hold { second, run },
        _ => Op::Follow { second, run },
    }
}

fn experiments(c: &mut Rng) -> Op {
    let (second, experiment, key) = (second(c), small(c), small(c));
    match c.below(8) {
        0..3 => Op::CreateExperiment { second, name: experiment },
        3 => Op::RenameExperiment { second, experiment, name: key },
        4 => Op::TagExperiment { second, experiment, key, value: small(c) },
        5 => Op::UntagExperiment { second, experiment, key },
        6 => Op::DeleteExperiment { second, experiment },
        _ => Op::RestoreExperiment { second, experiment },
    }
}

fn care(c: &mut Rng) -> Op {
    match c.below(17) {
        0..5 => Op::Sync { writer: small(c) },
        5..9 => Op::Maintain { second: second(c) },
        9..11 => Op::Compact { second: second(c) },
        11..13 => Op::Reopen { second: second(c) },
        13..15 => Op::OpenSecond,
        15 => Op::CloseSecond,
        _ => Op::Advance,
    }
}

fn fate(c: &mut Rng, weather: Weather) -> Op {
    match (weather, c.below(12)) {
        (Weather::Calm, _) => Op::Check,
        (Weather::Crashes, 0..5) => Op::Kill { second: second(c) },
        (Weather::Crashes, _) => Op::PowerLoss,
        (Weather::Errors, 0..4) => Op::Fail { after: c.below(30) as u8, full: c.coin() },
        (Weather::Errors, 4..6) => Op::FailLook { after: c.below(60) as u8 },
        (Weather::Errors, 6..8) => Op::FlipRead { after: c.below(20) as u8 },
        (Weather::Errors, 8) => Op::FillDisk { blocks: c.below(40) as u8 },
        (Weather::Errors, 9..11) => Op::FreeDisk,
        (Weather::Errors, _) => Op::Kill { second: second(c) },
    }
}
