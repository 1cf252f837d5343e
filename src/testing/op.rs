//! `Op`: one action of a user, or one blow of fate.
//!
//! Every field is a small number that the runner takes modulo what there is (live writers, known runs, names of a
//! pool), so that any values make sense and a shrunk sequence stays one. The printed form is Rust source.

use super::RegistryOp;

/// One action. `second` says which of two processes acts; an action of a process that is not running is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are choices from pools; each variant says what becomes of them")]
pub enum Op {
    /// Creates an experiment, or finds that there is one.
    CreateExperiment {
        second: bool,
        name: u8,
    },
    /// Gives an experiment another name of the pool, which may be taken.
    RenameExperiment {
        second: bool,
        experiment: u8,
        name: u8,
    },
    TagExperiment {
        second: bool,
        experiment: u8,
        key: u8,
        value: u8,
    },
    UntagExperiment {
        second: bool,
        experiment: u8,
        key: u8,
    },
    DeleteExperiment {
        second: bool,
        experiment: u8,
    },
    RestoreExperiment {
        second: bool,
        experiment: u8,
    },
    /// Does something to a registered model.
    Registry {
        second: bool,
        what: RegistryOp,
    },
    /// Creates a run and keeps its writer.
    CreateRun {
        second: bool,
        experiment: u8,
        named: bool,
    },
    /// Opens one more writer of a run.
    Resume {
        second: bool,
        run: u8,
    },
    /// Opens one that leaves the run over if it is.
    Append {
        second: bool,
        run: u8,
    },
    /// Logs one point; `step`, `time` and `value` are places in pools of awkward numbers.
    Point {
        writer: u8,
        metric: u8,
        step: u8,
        time: u8,
        value: u8,
    },
    /// Logs `len` metrics from `metric` on at one step.
    Row {
        writer: u8,
        metric: u8,
        len: u8,
        step: u8,
        time: u8,
        value: u8,
    },
    /// Logs `len` points by column; `shape` says how steps, times and values go on from the first.
    Columns {
        writer: u8,
        metric: u8,
        len: u32,
        shape: u8,
        step: u8,
        time: u8,
        value: u8,
    },
    Param {
        writer: u8,
        key: u8,
        value: u8,
    },
    /// Two params in one call.
    Params {
        writer: u8,
        key: u8,
        value: u8,
    },
    SetTag {
        writer: u8,
        key: u8,
        value: u8,
    },
    DeleteTag {
        writer: u8,
        key: u8,
    },
    SetName {
        writer: u8,
        name: u8,
    },
    /// Ends the run as finished, failed or killed, and drops the writer.
    End {
        writer: u8,
        status: u8,
    },
    /// Ends the writer and not the run, and drops it.
    Leave {
        writer: u8,
    },
    /// Drops the writer without a word.
    Drop {
        writer: u8,
    },
    /// These six change a run from outside.
    SetStatus {
        second: bool,
        run: u8,
        status: u8,
    },
    Rename {
        second: bool,
        run: u8,
        name: u8,
    },
    Tag {
        second: bool,
        run: u8,
        key: u8,
        value: u8,
    },
    Untag {
        second: bool,
        run: u8,
        key: u8,
    },
    DeleteRun {
        second: bool,
        run: u8,
    },
    RestoreRun {
        second: bool,
        run: u8,
    },
    Sync {
        writer: u8,
    },
    Maintain {
        second: bool,
    },
    Compact {
        second: bool,
    },
    /// Drops the process's writers, closes the store and opens it again.
    Reopen {
        second: bool,
    },
    /// Starts the second process, or ends it in good order.
    OpenSecond,
    CloseSecond,
    /// SIGKILL of the process; it is started again.
    Kill {
        second: bool,
    },
    /// Takes the power; the first process is started again.
    PowerLoss,
    /// Lets a day pass, after which deleted runs can be removed.
    Advance,
    /// Takes a snapshot that is looked at again and again from then on.
    Hold {
        second: bool,
        run: u8,
    },
    /// Follows a run from then on.
    Follow {
        second: bool,
        run: u8,
    },
    /// The call to the system after `after` others fails: the disk is full, or it has an error.
    Fail {
        after: u8,
        full: bool,
    },
    /// The call that only looks (opening, reading, listing) after `after` others fails.
    FailLook {
        after: u8,
    },
    /// Of the bytes that a call brings from the medium, after `after` other calls that bring some, one bit is flipped. The
    /// medium is good.
    FlipRead {
        after: u8,
    },
    /// Leaves room for so many blocks only.
    FillDisk {
        blocks: u8,
    },
    FreeDisk,
    /// Compares everything, also as a new process sees it.
    Check,
}

/// Reads numbers from bytes; zeros follow their end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn u8(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn bool(&mut self) -> bool {
        // Mostly the first process, so that most actions meet a running one.
        self.u8() & 3 == 3
    }

    fn len(&mut self) -> u32 {
        u32::from(self.u8()) * (1 + u32::from(self.u8()) % 4)
    }
}

/// No more operations are taken from one input: enough for any fault, and few enough to be fast.
const MAX_OPS: usize = 50;

impl Op {
    /// The operations that any bytes stand for.
    pub fn decode(bytes: &[u8]) -> Vec<Self> {
        let mut bytes = Bytes(bytes);
        let mut ops = Vec::new();
        while !bytes.0.is_empty() && ops.len() < MAX_OPS {
            ops.push(Self::take(&mut bytes));
        }
        ops
    }

    fn take(b: &mut Bytes<'_>) -> Self {
        // The common actions have several numbers.
        match b.u8() {
            240.. => Self::Registry { second: b.bool(), what: RegistryOp::take(|| b.u8()) },
            number => Self::take_one(number % 56, b),
        }
    }

    fn take_one(number: u8, b: &mut Bytes<'_>) -> Self {
        match number {
            0..=7 => Self::Point { writer: b.u8(), metric: b.u8(), step: b.u8(), time: b.u8(), value: b.u8() },
            8..=10 => {
                let (writer, metric, len) = (b.u8(), b.u8(), b.u8());
                Self::Row { writer, metric, len, step: b.u8(), time: b.u8(), value: b.u8() }
            }
            11..=14 => {
                let (writer, metric, len, shape) = (b.u8(), b.u8(), b.len(), b.u8());
                Self::Columns { writer, metric, len, shape, step: b.u8(), time: b.u8(), value: b.u8() }
            }
            15..=18 => Self::CreateRun { second: b.bool(), experiment: b.u8(), named: b.bool() },
            19 => Self::Resume { second: b.bool(), run: b.u8() },
            20 => Self::Append { second: b.bool(), run: b.u8() },
            21 => Self::Param { writer: b.u8(), key: b.u8(), value: b.u8() },
            22 => Self::Params { writer: b.u8(), key: b.u8(), value: b.u8() },
            23 => Self::SetTag { writer: b.u8(), key: b.u8(), value: b.u8() },
            24 => Self::DeleteTag { writer: b.u8(), key: b.u8() },
            25 => Self::SetName { writer: b.u8(), name: b.u8() },
            26 => Self::End { writer: b.u8(), status: b.u8() },
            27 => Self::Leave { writer: b.u8() },
            28 => Self::Drop { writer: b.u8() },
            29..=30 => Self::Sync { writer: b.u8() },
            31..=32 => Self::Maintain { second: b.bool() },
            33 => Self::SetStatus { second: b.bool(), run: b.u8(), status: b.u8() },
            34..=35 => Self::Compact { second: b.bool() },
            36 => Self::Reopen { second: b.bool() },
            37 => Self::OpenSecond,
            38..=39 => Self::Kill { second: b.bool() },
            40..=41 => Self::PowerLoss,
            rest => Self::take_rare(rest, b),
        }
    }

    fn take_rare(number: u8, b: &mut Bytes<'_>) -> Self {
        match number {
            42 => Self::CreateExperiment { second: b.bool(), name: b.u8() },
            43 => Self::RenameExperiment { second: b.bool(), experiment: b.u8(), name: b.u8() },
            44 => Self::TagExperiment { second: b.bool(), experiment: b.u8(), key: b.u8(), value: b.u8() },
            45 => Self::UntagExperiment { second: b.bool(), experiment: b.u8(), key: b.u8() },
            46 if b.bool() => Self::DeleteExperiment { second: b.bool(), experiment: b.u8() },
            46 => Self::RestoreExperiment { second: b.bool(), experiment: b.u8() },
            47 => Self::Rename { second: b.bool(), run: b.u8(), name: b.u8() },
            48 => Self::Tag { second: b.bool(), run: b.u8(), key: b.u8(), value: b.u8() },
            49 => Self::Untag { second: b.bool(), run: b.u8(), key: b.u8() },
            50 => Self::DeleteRun { second: b.bool(), run: b.u8() },
            51 => Self::RestoreRun { second: b.bool(), run: b.u8() },
            52 => Self::Hold { second: b.bool(), run: b.u8() },
            53 => Self::Follow { second: b.bool(), run: b.u8() },
            54 if b.bool() => Self::CloseSecond,
            54 => Self::Advance,
            _ => Self::Check,
        }
    }
}
