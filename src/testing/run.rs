//! Operations on a real store over a simulated machine and on the model, compared after each.
//!
//! Where it is not known whether a call took place, several models go on side by side (`models.rs`).

use super::compare::{Followed, Held};
use super::model::{Action, Change, Model};
use super::models::Models;
use super::observe::{Checked, observe};
use super::pools;
use super::{Crash, Op, Setup, Watch};
use crate::env::Env;
use crate::env::sim::SimDisk;
use crate::{Error, ErrorKind, NewRun, Result, RunId, RunStatus, RunWriter, StatusCause, Store, StoreOptions};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const STORE: &str = "/data/store";
/// Writers open at a time, and runs in all: enough for any meeting of two.
const MAX_WRITERS: usize = 5;
const MAX_RUNS: usize = 6;
/// Everything is compared in depth after so many operations.
const DEEP_EVERY: usize = 12;
/// After a crash, and where little is compared, the store is looked at after so many operations.
const LOOK_EVERY: usize = 4;
const DAY_US: u64 = 24 * 3600 * 1_000_000;

#[derive(Debug)]
pub(super) struct Process {
    env: Env,
    pub(super) store: Store,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) number: usize,
    pub(super) second: bool,
    pub(super) writer: RunWriter,
}

pub(super) struct Runner {
    pub(super) disk: SimDisk,
    setup: Setup,
    first: Option<Process>,
    second: Option<Process>,
    pub(super) writers: Vec<Writer>,
    pub(super) held: Vec<Held>,
    pub(super) followed: Vec<Followed>,
    runs: Vec<RunId>,
    pub(super) models: Models,
    writer_numbers: usize,
    /// Calls may have failed for reasons outside of the store.
    pub(super) faulty: bool,
    /// Reads may have brought flipped bits.
    flipped: bool,
    watch: Watch,
    /// The crashes to come. The first one counts from this call on.
    pub(super) crashes: VecDeque<Crash>,
    since: u64,
    /// How many have struck.
    pub(super) struck: usize,
    /// How many changing calls there were from the first crash until the store was open again.
    pub(super) recovery: u64,
}

impl Runner {
    /// Opens a new store on a new machine; the first crash may strike in this already.
    pub(super) fn start(setup: &Setup, crashes: &[Crash], watch: Watch) -> std::result::Result<Self, String> {
        let disk = SimDisk::new(setup.seed);
        disk.set_mappable(setup.mapped);
        let models = Models::new(Model::new(setup.medium));
        let mut runner = Self {
            disk,
            setup: setup.clone(),
            first: None,
            second: None,
            writers: Vec::new(),
            held: Vec::new(),
            followed: Vec::new(),
            runs: Vec::new(),
            models,
            writer_numbers: 0,
            faulty: false,
            flipped: false,
            watch,
            crashes: crashes.iter().copied().collect(),
            since: 0,
            struck: 0,
            recovery: 0,
        };
        runner.plan_crash();
        runner.open(false)?;
        Ok(runner)
    }

    /// Tells the machine of the next crash to come.
    fn plan_crash(&self) {
        if let Some(Crash { at, point, .. }) = self.crashes.front() {
            let due = self.since.saturating_add(*at);
            self.disk.crash_at(due.saturating_sub(self.disk.calls()), point.simulated());
        }
    }

    /// Takes note that the next crash has struck; true when it takes the power.
    fn note_strike(&mut self) -> bool {
        self.struck += 1;
        self.since = self.disk.calls();
        let crash = self.crashes.pop_front();
        self.plan_crash();
        crash.is_some_and(|crash| crash.power)
    }

    pub(super) fn options(&self, env: &Env) -> StoreOptions {
        let durability = if self.setup.medium { crate::Durability::Medium } else { crate::Durability::Process };
        let mut options = StoreOptions::new()
            .background(false)
            .durability(durability)
            .log_bytes(0)
            .chunk_rows(64)
            .deleted_retention(Duration::from_secs(12 * 3600));
        options.env = Some(env.clone());
        // Some machines index any run, some none of so few.
        options.index_from = if self.setup.seed % 4 == 3 { None } else { Some(1) };
        // And some gather any run into a pack, or any two, or none of so few.
        options.pack_from = [Some(1), None, Some(2)][self.setup.seed as usize % 3];
        options
    }

    pub(super) fn process(&self, second: bool) -> Option<&Process> {
        if second { self.second.as_ref() } else { self.first.as_ref() }
    }

    fn slot(&mut self, second: bool) -> &mut Option<Process> {
        if second { &mut self.second } else { &mut self.first }
    }

    /// Starts a process and opens the store in it; what the dead have left is completed by this.
    fn open(&mut self, second: bool) -> Checked {
        self.start_process(second)?;
        let complete = Action::Complete { second, remove: false };
        let certain = !self.faulty;
        self.models.advance(&complete, certain);
        Ok(())
    }

    fn start_process(&mut self, second: bool) -> Checked {
        if self.try_start(second)? { Ok(()) } else { self.crashed(second) }
    }

    /// False when the planned crash struck in the opening.
    fn try_start(&mut self, second: bool) -> std::result::Result<bool, String> {
        let env = self.disk.process();
        let mut opened = self.options(&env).open(Path::new(STORE));
        if opened.as_ref().is_err_and(|error| self.is_fault(error)) && self.disk.lives(&env) {
            self.disk.clear_faults();
            self.disk.set_capacity(None);
            opened = self.options(&env).open(Path::new(STORE));
        }
        if !self.disk.lives(&env) {
            return Ok(false);
        }
        let store = opened.map_err(|error| format!("the store cannot be opened: {error}"))?;
        *self.slot(second) = Some(Process { env, store });
        Ok(true)
    }

    /// A planned crash has struck in a process: what the plan says follows.
    fn crashed(&mut self, second: bool) -> Checked {
        let power = self.note_strike();
        let (number, calls) = (self.struck, self.disk.calls());
        if power {
            self.power_loss()?;
        } else {
            self.kill(second)?;
        }
        if number == 1 && self.struck == 1 {
            self.recovery = self.disk.calls() - calls;
        }
        Ok(())
    }

    fn forget(&mut self, second: bool) {
        self.writers.retain(|writer| writer.second != second);
        self.held.retain(|held| held.second != second);
        self.followed.retain(|followed| followed.second != second);
        *self.slot(second) = None;
    }

    fn kill(&mut self, second: bool) -> Checked {
        if let Some(process) = self.process(second) {
            self.disk.kill(&process.env);
        }
        self.models.kill(Some(second));
        self.forget(second);
        self.open(second)
    }

    fn power_loss(&mut self) -> Checked {
        self.disk.power_loss();
        // It ends all plans.
        self.plan_crash();
        self.disk.set_capacity(None);
        self.forget(true);
        self.forget(false);
        while !self.try_start(false)? {
            // Killed right after the power came back: what the power took is still to be found out, and the models must
            // not take for durable what a completed opening would have made so. If the power fails again, a part is
            // left of what the first failure has left: what both together may take, one may.
            if self.note_strike() {
                self.disk.power_loss();
                self.plan_crash();
            }
        }
        let process = self.first.as_ref().ok_or("no process")?;
        let seen = observe(&process.store, self.watch == Watch::EachStep)
            .map_err(|error| format!("after a power loss: {error}"))?;
        self.models.settle_power_loss(&seen)
    }

    /// Applies one operation and compares.
    pub(super) fn step(&mut self, number: usize, op: Op) -> Checked {
        let struck = self.struck;
        match op {
            Op::Kill { second } if self.process(second).is_some() => self.kill(second)?,
            Op::PowerLoss => self.power_loss()?,
            Op::Reopen { second } if self.process(second).is_some() => {
                self.close(second)?;
                // A crash while it was closed has opened it again.
                if self.process(second).is_none() {
                    self.open(second)?;
                }
            }
            Op::CloseSecond if self.second.is_some() => self.close(true)?,
            Op::OpenSecond if self.second.is_none() => self.open(true)?,
            Op::Fail { after, full } => {
                let kind = if full { std::io::ErrorKind::StorageFull } else { std::io::ErrorKind::Other };
                self.faulty = true;
                // One at a time: the machine cannot have two faults strike in one call.
                self.disk.clear_faults();
                self.disk.fail_after(u64::from(after) + 1, kind);
            }
            Op::FailLook { after } => {
                self.faulty = true;
                self.disk.clear_faults();
                self.disk.fail_look(u64::from(after) + 1, std::io::ErrorKind::Other);
            }
            Op::FlipRead { after } => {
                (self.faulty, self.flipped) = (true, true);
                self.disk.clear_faults();
                self.disk.flip_read(u64::from(after) + 1);
            }
            Op::FillDisk { blocks } => {
                self.faulty = true;
                self.disk.set_capacity(self.disk.used() + u64::from(blocks) * 4096);
            }
            Op::FreeDisk => self.disk.set_capacity(None),
            Op::Hold { second, run } => self.hold(second, run)?,
            Op::Follow { second, run } => self.follow(second, run)?,
            op => self.act(op)?,
        }
        let deep = op == Op::Check || number % DEEP_EVERY == DEEP_EVERY - 1;
        match self.watch {
            Watch::EachStep => self.compare(deep),
            Watch::Crashes if self.struck > struck || op == Op::Check => self.compare(true),
            // What is in doubt is looked at at once, before doubts multiply.
            Watch::Crashes if self.faulty || !self.models.is_sure() => self.compare(false),
            Watch::Crashes if self.struck > 0 && number % LOOK_EVERY == LOOK_EVERY - 1 => self.compare(false),
            Watch::Crashes => Ok(()),
        }
    }

    /// Drops the writers of a process and closes its store.
    fn close(&mut self, second: bool) -> Checked {
        while let Some(at) = self.writers.iter().position(|writer| writer.second == second) {
            self.drop_writer(at)?;
            if self.faulty {
                self.compare(false)?;
            }
            if !self.lives(second) {
                return Ok(());
            }
        }
        self.followed.retain(|followed| followed.second != second);
        if let Some(process) = self.slot(second).take() {
            let closed = process.store.close();
            if !self.disk.lives(&process.env) {
                return self.crashed(second);
            }
            self.accept(closed)?;
        }
        self.models.kill(Some(second));
        Ok(())
    }

    /// An error that only an injected fault explains.
    fn accept(&self, result: Result<()>) -> Checked {
        match result {
            Err(error) if !self.is_fault(&error) => Err(format!("unexpected: {error}")),
            _ => Ok(()),
        }
    }

    /// What a failing machine may answer.
    pub(super) fn is_fault(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Io | ErrorKind::DiskFull => self.faulty,
            // Of a good medium: the next look brings what was written.
            ErrorKind::Corrupt => self.flipped,
            _ => false,
        }
    }

    fn drop_writer(&mut self, at: usize) -> Checked {
        let Writer { number, second, writer } = self.writers.remove(at);
        drop(writer);
        let action = Action::End { writer: number, status: RunStatus::Killed, cause: StatusCause::Dropped };
        let done =
            if self.faulty { Err(Error::Poisoned { path: STORE.into(), cause: "unknown".to_owned() }) } else { Ok(()) };
        self.settle(second, &action, done)
    }

    pub(super) fn pick_run(&self, run: u8) -> Option<RunId> {
        (!self.runs.is_empty()).then(|| self.runs[run as usize % self.runs.len()])
    }

    fn act(&mut self, op: Op) -> Checked {
        match op {
            Op::CreateRun { second, experiment, named } => self.create_run(second, experiment, named),
            Op::Resume { second, run } => self.resume(second, run, false),
            Op::Append { second, run } => self.resume(second, run, true),
            Op::Leave { writer } if !self.writers.is_empty() => self.leave(writer as usize % self.writers.len()),
            Op::End { writer, status } if !self.writers.is_empty() => self.end(writer, status),
            Op::Drop { writer } if !self.writers.is_empty() => self.drop_writer(writer as usize % self.writers.len()),
            Op::Advance => {
                self.disk.advance(DAY_US);
                self.models.advance(&Action::Advance, true);
                Ok(())
            }
            op => match self.by_writer(op).or_else(|| self.outside(op)) {
                Some((second, action, done)) => self.settle(second, &action, done),
                None => Ok(()),
            },
        }
    }

    fn create_run(&mut self, second: bool, experiment: u8, named: bool) -> Checked {
        if self.runs.len() >= MAX_RUNS || self.writers.len() >= MAX_WRITERS {
            return Ok(());
        }
        let Some(Process { store, .. }) = self.process(second) else { return Ok(()) };
        let serial = self.runs.len() as u8;
        // All use one of two lock files, so that runs share them.
        let id = RunId::from_bytes([serial + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial % 2]);
        let (name, start_time) = (pools::experiment(experiment), 1000 + i64::from(serial / 2));
        let mut call = vec![Change::Created { start_time }, Change::Status(RunStatus::Running, StatusCause::Reported)];
        let created = store.experiment_by_name(name).and_then(|experiment| {
            let mut new = NewRun::new(experiment.id).id(id).start_time(start_time);
            if named {
                new = new.name(pools::name(serial)).tag(pools::key(serial), pools::text(serial));
                call.push(Change::Name(pools::name(serial).to_owned()));
                call.push(Change::Tag(pools::key(serial).to_owned(), pools::text(serial).to_owned()));
            }
            store.create_run(new)
        });
        self.runs.push(id);
        let (experiment, writer) = (name.to_owned(), self.next_writer());
        let action = Action::CreateRun { id, experiment, writer, second, call: Arc::new(call) };
        self.begun(second, &action, writer, created)
    }

    fn next_writer(&mut self) -> usize {
        self.writer_numbers += 1;
        self.writer_numbers
    }

    fn resume(&mut self, second: bool, run: u8, append: bool) -> Checked {
        let (Some(process), Some(id)) = (self.process(second), self.pick_run(run)) else { return Ok(()) };
        if self.writers.len() >= MAX_WRITERS {
            return Ok(());
        }
        let resumed = if append { process.store.append_run(id) } else { process.store.resume_run(id) };
        let writer = self.next_writer();
        self.begun(second, &Action::Resume { id, writer, second, append }, writer, resumed)
    }

    fn begun(&mut self, second: bool, action: &Action, number: usize, begun: Result<RunWriter>) -> Checked {
        let done = match begun {
            Ok(writer) => {
                self.writers.push(Writer { number, second, writer });
                Ok(())
            }
            Err(error) => Err(error),
        };
        let failed = done.is_err();
        self.settle(second, action, done)?;
        if failed {
            self.models.bury(number);
        }
        Ok(())
    }

    fn end(&mut self, writer: u8, status: u8) -> Checked {
        let at = writer as usize % self.writers.len();
        let status = [RunStatus::Finished, RunStatus::Failed, RunStatus::Killed][status as usize % 3];
        let gone = self.writers.remove(at);
        let done = gone.writer.end(status, None);
        let action = Action::End { writer: gone.number, status, cause: StatusCause::Reported };
        self.gone(gone, &action, done)
    }

    fn leave(&mut self, at: usize) -> Checked {
        let gone = self.writers.remove(at);
        let done = gone.writer.leave();
        let action = Action::Leave { writer: gone.number };
        self.gone(gone, &action, done)
    }

    /// A writer has ended, with this result.
    fn gone(&mut self, gone: Writer, action: &Action, done: Result<()>) -> Checked {
        let Writer { number, second, writer } = gone;
        // Dropping it then tries again.
        let tried_again = done.is_err() && self.lives(second);
        if done.is_ok() && writer.log_metric("loss", 0, 0.0).is_ok() {
            return Err("a writer that has ended takes a point".to_owned());
        }
        drop(writer);
        let before = self.models.clone();
        self.bring_up(second, action, done)?;
        if tried_again {
            let dropped = Action::End { writer: number, status: RunStatus::Killed, cause: StatusCause::Dropped };
            self.models.or_else(&before, &dropped);
            self.models.bury(number);
        }
        if self.lives(second) { Ok(()) } else { self.crashed(second) }
    }

    fn lives(&self, second: bool) -> bool {
        self.process(second).is_some_and(|process| self.disk.lives(&process.env))
    }

    /// Brings the models up to an action with this outcome, and lets the crash follow that struck in it.
    fn settle(&mut self, second: bool, action: &Action, done: Result<()>) -> Checked {
        self.bring_up(second, action, done)?;
        if self.lives(second) { Ok(()) } else { self.crashed(second) }
    }

    fn bring_up(&mut self, second: bool, action: &Action, done: Result<()>) -> Checked {
        let unsure = !self.lives(second) || done.as_ref().is_err_and(|error| self.is_fault(error));
        self.models.bring_up(action, &done, unsure)
    }

    /// The end of every sequence: all goes well again, is logged to once more, closed, opened and compacted.
    pub(super) fn finish(&mut self) -> Checked {
        self.disk.clear_plans();
        self.crashes.clear();
        self.disk.set_capacity(None);
        let thorough = self.watch == Watch::EachStep;
        if thorough || !self.models.is_sure() {
            self.compare(true)?;
        }
        let number = self.runs.len();
        let ops = [
            Op::CloseSecond,
            Op::Resume { second: false, run: 0 },
            Op::Resume { second: false, run: number as u8 },
            Op::Point { writer: number as u8, metric: 0, step: 5, time: 0, value: 7 },
            Op::Reopen { second: false },
            Op::Compact { second: false },
            Op::Check,
            Op::Reopen { second: false },
            Op::Check,
        ];
        for op in ops.into_iter().take(if thorough { 9 } else { 7 }) {
            self.step(0, op).map_err(|error| format!("at the end, {op:?}: {error}"))?;
        }
        let statistics = self.first.as_ref().ok_or("no process")?.store.statistics();
        match statistics {
            Ok(statistics) if statistics.log_files == 0 => Ok(()),
            other => {
                let files: Vec<_> = self.disk.files().into_iter().map(|(path, _)| path).collect();
                Err(format!("after all writers have ended and a compaction: {other:?}, files {files:?}"))
            }
        }
    }
}
