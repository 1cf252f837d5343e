//! From a case that fails to a small one that fails.
//!
//! What is left out or made simpler stays so when the case still fails, whatever the error is then. A crash keeps its
//! place in its operation: what comes before may be left out without moving it.

use super::super::{Case, Crash, CrashPoint, Op};
use super::RunCase;

/// So many runs are spent at most.
const RUNS: usize = 6000;
/// Where chance decides what a crash leaves, a smaller case gets so many chances to fail.
const SEEDS: u64 = 6;

struct Shrinker {
    best: Case,
    error: String,
    run: RunCase,
    left: usize,
}

/// The error of a small case that fails, with its source.
pub(super) fn shrink(case: Case, run: RunCase, error: String) -> String {
    let mut shrinker = Shrinker { best: case, error, run, left: RUNS };
    loop {
        let before = shrinker.best.source();
        shrinker.drop_crashes();
        shrinker.drop_ops();
        shrinker.simplify_ops();
        shrinker.simplify_rest();
        if shrinker.left == 0 || shrinker.best.source() == before {
            return shrinker.error;
        }
    }
}

/// The calls made until the end of each operation when nothing strikes.
fn calm_calls(case: &Case) -> Option<Vec<u64>> {
    let calm = Case { crashes: Vec::new(), ..case.clone() };
    calm.run().ok().map(|outcome| outcome.calls_by_op)
}

impl Shrinker {
    /// Takes the case when it fails, with this chance or another.
    fn take(&mut self, case: Case) -> bool {
        let by_chance = case.ops.contains(&Op::PowerLoss) || !case.crashes.is_empty();
        for seed in std::iter::once(case.setup.seed).chain(0..if by_chance { SEEDS } else { 0 }) {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let mut case = case.clone();
            case.setup.seed = seed;
            if let Err(error) = (self.run)(&case) {
                (self.best, self.error) = (case, error);
                return true;
            }
        }
        false
    }

    /// Takes the operations; `place` says where each of the best ones is among them.
    fn take_ops(&mut self, ops: Vec<Op>, place: impl Fn(usize) -> Option<usize>) -> bool {
        let mut case = Case { ops, ..self.best.clone() };
        if let (Some(at), Some(old)) = (self.best.crashes.first().map(|crash| crash.at), calm_calls(&self.best)) {
            let start = |calls: &[u64], op: usize| op.checked_sub(1).and_then(|op| calls.get(op).copied()).unwrap_or(0);
            let struck = old.iter().position(|calls| at <= *calls).unwrap_or(old.len());
            let Some(op) = (if struck < old.len() { place(struck) } else { Some(case.ops.len()) }) else {
                return false;
            };
            if let Some(new) = calm_calls(&case) {
                case.crashes[0].at = start(&new, op) + (at - start(&old, struck));
            }
        }
        self.take(case)
    }

    fn drop_crashes(&mut self) {
        for at in (0..self.best.crashes.len()).rev() {
            let mut case = self.best.clone();
            case.crashes.remove(at);
            self.take(case);
        }
    }

    /// Leaves out pieces of the sequence, from half of it down to single operations.
    fn drop_ops(&mut self) {
        let mut len = self.best.ops.len().div_ceil(2);
        while len > 0 {
            let mut end = self.best.ops.len();
            while end > 0 {
                let start = end.saturating_sub(len);
                let mut ops = self.best.ops.clone();
                ops.drain(start..end);
                let gone = end - start;
                self.take_ops(ops, |op| match op {
                    op if op < start => Some(op),
                    op if op < end => None,
                    op => Some(op - gone),
                });
                end = start;
            }
            len /= 2;
        }
    }

    fn simplify_ops(&mut self) {
        for at in 0..self.best.ops.len() {
            let fields = Fields::of(&mut self.best.ops[at].clone()).count();
            for field in 0..fields {
                for way in 0..3 {
                    let mut ops = self.best.ops.clone();
                    if Fields::of(&mut ops[at]).simplify(field, way) && self.take_ops(ops, Some) {
                        break;
                    }
                }
            }
        }
    }

    fn simplify_rest(&mut self) {
        let calm = |case: &Case| Case { setup: super::super::Setup::new(case.setup.seed), ..case.clone() };
        let mut tries = vec![calm(&self.best)];
        for (at, crash) in self.best.crashes.iter().enumerate() {
            let mut with = |crash: Crash| {
                let mut case = self.best.clone();
                case.crashes[at] = crash;
                tries.push(case);
            };
            with(Crash { power: false, ..*crash });
            with(Crash { point: CrashPoint::Before, ..*crash });
            if at > 0 {
                with(Crash { at: 1, ..*crash });
                with(Crash { at: crash.at / 2, ..*crash });
                with(Crash { at: crash.at.saturating_sub(1).max(1), ..*crash });
            }
        }
        for case in tries {
            if case.source() != self.best.source() {
                self.take(case);
            }
        }
        for seed in 0..self.best.setup.seed.min(SEEDS) {
            let mut case = self.best.clone();
            case.setup.seed = seed;
            if self.take(case) {
                break;
            }
        }
    }
}

/// The numbers of an operation.
struct Fields<'a> {
    bools: Vec<&'a mut bool>,
    bytes: Vec<&'a mut u8>,
    len: Option<&'a mut u32>,
}

impl<'a> Fields<'a> {
    fn of(op: &'a mut Op) -> Self {
        let (mut bools, mut bytes, mut len) = (Vec::new(), Vec::new(), None);
        match op {
            Op::Maintain { second } | Op::Compact { second } | Op::Reopen { second } | Op::Kill { second } => {
                bools.push(second);
            }
            Op::CreateExperiment { second, name: a }
            | Op::DeleteExperiment { second, experiment: a }
            | Op::RestoreExperiment { second, experiment: a }
            | Op::Resume { second, run: a }
            | Op::Append { second, run: a }
            | Op::DeleteRun { second, run: a }
            | Op::RestoreRun { second, run: a }
            | Op::Hold { second, run: a }
            | Op::Follow { second, run: a } => {
                bools.push(second);
                bytes.push(a);
            }
            Op::RenameExperiment { second, experiment: a, name: b }
            | Op::UntagExperiment { second, experiment: a, key: b }
            | Op::Rename { second, run: a, name: b }
            | Op::SetStatus { second, run: a, status: b }
            | Op::Untag { second, run: a, key: b } => {
                bools.push(second);
                bytes.extend([a, b]);
            }
            Op::TagExperiment { second, experiment: a, key: b, value: c }
            | Op::Tag { second, run: a, key: b, value: c } => {
                bools.push(second);
                bytes.extend([a, b, c]);
            }
            Op::Registry { second, what } => {
                bools.push(second);
                bytes.extend(what.numbers_mut());
            }
            Op::CreateRun { second, experiment, named } => {
                bools.extend([second, named]);
                bytes.push(experiment);
            }
            Op::Point { writer, metric, step, time, value } => bytes.extend([writer, metric, step, time, value]),
            Op::Row { writer, metric, len, step, time, value } => {
                bytes.extend([writer, metric, len, step, time, value]);
            }
            Op::Columns { writer, metric, len: number, shape, step, time, value } => {
                bytes.extend([writer, metric, shape, step, time, value]);
                len = Some(number);
            }
            Op::Param { writer: a, key: b, value: c }
            | Op::Params { writer: a, key: b, value: c }
            | Op::SetTag { writer: a, key: b, value: c } => bytes.extend([a, b, c]),
            Op::DeleteTag { writer: a, key: b }
            | Op::SetName { writer: a, name: b }
            | Op::End { writer: a, status: b } => {
                bytes.extend([a, b]);
            }
            Op::Drop { writer: a }
            | Op::Leave { writer: a }
            | Op::Sync { writer: a }
            | Op::FailLook { after: a }
            | Op::FlipRead { after: a }
            | Op::FillDisk { blocks: a } => {
                bytes.push(a);
            }
            Op::Fail { after, full } => {
                bytes.push(after);
                bools.push(full);
            }
            Op::OpenSecond | Op::CloseSecond | Op::PowerLoss | Op::Advance | Op::FreeDisk | Op::Check => {}
        }
        Self { bools, bytes, len }
    }

    fn count(&self) -> usize {
        self.bools.len() + self.bytes.len() + usize::from(self.len.is_some())
    }

    /// Makes one of them smaller, in one of three ways; false when it is not that.
    fn simplify(mut self, field: usize, way: u32) -> bool {
        let smaller = |number: u32, least: u32| match way {
            0 => least,
            1 => number / 2,
            _ => number.saturating_sub(1),
        };
        if let Some(bool) = self.bools.get_mut(field) {
            return way == 0 && std::mem::take(&mut **bool);
        }
        if let Some(byte) = self.bytes.get_mut(field - self.bools.len()) {
            let before = **byte;
            **byte = smaller(u32::from(before), 0) as u8;
            return **byte < before;
        }
        let Some(len) = self.len else { return false };
        let before = *len;
        *len = smaller(before, 1).max(1);
        *len < before
    }
}
