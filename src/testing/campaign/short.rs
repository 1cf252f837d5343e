//! Short cases: a run is created, then some letters of an alphabet follow, each an operation or two that belong together.
//!
//! A unit is one word, and a machine that maps its logs or not. Its crashes are in the calls of the last letter: those
//! of earlier letters are in the units of shorter words. Every call is struck before it and within it (and the last one
//! after it, which for the others is before the next), by kill and by power loss; and each such case is run again with
//! another crash in the recovery from the first.
//!
//! Words come by length. Within a length their order is scrambled, so that the first ones have nothing in common.

use super::super::{Case, Crash, CrashPoint, Op, RegistryOp, Setup};
use super::{Hand, chance};
use crate::env::sim::Rng;

const CREATE: Op = Op::CreateRun { second: false, experiment: 0, named: true };

/// So many points of `shape` 0x3c, which cannot be compressed, fill more than half a log.
const fn columns(len: u32) -> Op {
    Op::Columns { writer: 0, metric: 1, len, shape: 0x3c, step: 0, time: 0, value: 0 }
}

const fn registry(what: RegistryOp) -> Op {
    Op::Registry { second: false, what }
}

const LETTERS: [&[Op]; 22] = [
    &[CREATE],
    &[Op::Point { writer: 0, metric: 0, step: 1, time: 1, value: 1 }],
    &[Op::Row { writer: 0, metric: 0, len: 2, step: 2, time: 2, value: 3 }],
    &[columns(20)],
    &[columns(1500), columns(1400)],
    &[Op::Param { writer: 0, key: 1, value: 0 }],
    &[Op::SetTag { writer: 0, key: 1, value: 2 }],
    &[Op::Sync { writer: 0 }],
    &[Op::Maintain { second: false }],
    &[Op::Compact { second: false }],
    &[Op::End { writer: 0, status: 0 }],
    &[Op::Resume { second: false, run: 0 }],
    &[Op::Reopen { second: false }],
    &[Op::Kill { second: false }],
    &[Op::PowerLoss],
    &[Op::Rename { second: false, run: 0, name: 2 }],
    &[Op::DeleteRun { second: false, run: 0 }, Op::Advance],
    // Another process, which writes to the same run.
    &[
        Op::OpenSecond,
        Op::Resume { second: true, run: 0 },
        Op::Point { writer: 1, metric: 0, step: 3, time: 3, value: 4 },
    ],
    &[Op::Compact { second: true }],
    &[Op::CreateExperiment { second: false, name: 1 }],
    &[registry(RegistryOp::Create { model: 0 }), registry(RegistryOp::AddVersion { model: 0, run: 1 })],
    &[registry(RegistryOp::Rename { model: 0, to: 1 })],
];

/// Up to this length a word is tried both on a machine that maps and on one that does not; longer ones on one of them.
const ON_BOTH: u32 = 2;
/// Coprime to the number of letters, and so to its powers.
const STRIDE: u64 = 7919;

struct Unit {
    /// Places in the alphabet.
    word: Vec<usize>,
    mapped: bool,
}

/// The unit of this number.
fn word(number: u64, chance: &mut Rng) -> Unit {
    let letters = LETTERS.len() as u64;
    let (mut left, mut len) = (number, 0);
    loop {
        let words = letters.pow(len);
        let machines = if len <= ON_BOTH { 2 } else { 1 };
        if left < words * machines {
            let mapped = if machines == 2 { left.is_multiple_of(2) } else { chance.coin() };
            let mut rest = (left / machines).wrapping_mul(STRIDE) % words;
            let mut word = Vec::new();
            for _ in 0..len {
                word.push((rest % letters) as usize);
                rest /= letters;
            }
            return Unit { word, mapped };
        }
        left -= words * machines;
        len += 1;
    }
}

/// Runs all cases of a unit; `None` when it was ended.
pub(super) fn unit(number: u64, seed: u64, hand: &mut Hand<'_>) -> Option<()> {
    let mut chance = chance(seed, 1, number);
    let Unit { word, mapped } = word(number, &mut chance);
    let mut ops = vec![CREATE];
    word.iter().for_each(|letter| ops.extend_from_slice(LETTERS[*letter]));
    let last = word.last().map_or(0, |letter| ops.len() - LETTERS[*letter].len());
    let setup = Setup { seed: chance.next(), mapped, medium: chance.below(5) == 0 };
    let calm = Case { setup, ops, crashes: Vec::new() };
    let outcome = hand(&calm, Case::run)?;
    let end = outcome.calls_by_op.last().copied().unwrap_or(0);
    let start = last.checked_sub(1).and_then(|before| outcome.calls_by_op.get(before).copied()).unwrap_or(0);
    for at in start + 1..=end {
        let after = (at == end).then_some(CrashPoint::After);
        for point in [CrashPoint::Before, CrashPoint::Torn].into_iter().chain(after) {
            for power in [false, true] {
                let mut case = calm.clone();
                // Each crash has chances of its own.
                case.setup.seed = chance.next();
                case.crashes.push(Crash { at, point, power });
                let recovery = hand(&case, Case::run)?.recovery;
                if recovery == 0 {
                    continue;
                }
                for _ in 0..1 + chance.below(4) / 3 {
                    let point = if chance.coin() { CrashPoint::Before } else { CrashPoint::Torn };
                    case.crashes.push(Crash { at: 1 + chance.below(recovery), point, power: chance.coin() });
                }
                hand(&case, Case::run)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_short_word_is_a_unit() {
        let letters = LETTERS.len();
        let upto_two = 2 * (1 + letters + letters * letters);
        let words = |from: usize, to: usize| {
            let unit = |number| word(number as u64, &mut Rng::new(1));
            (from..to).map(unit).map(|unit| (unit.word, unit.mapped)).collect::<BTreeSet<_>>()
        };
        assert_eq!(words(0, upto_two).len(), upto_two);
        assert!(words(0, upto_two).iter().all(|(word, _)| word.len() <= 2));
        let three = words(upto_two, upto_two + letters.pow(3));
        assert_eq!(three.len(), letters.pow(3));
        assert!(three.iter().all(|(word, _)| word.len() == 3));
    }
}
