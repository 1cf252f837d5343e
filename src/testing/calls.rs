//! From an operation to the call that it makes and the action that it is to the model.

use super::Op;
use super::model::{Action, Change};
use super::pools;
use super::run::{Runner, Writer};
use crate::{Result, RunId, RunStatus, StatusCause};
use std::sync::Arc;

/// Which process acted, what the model shall do, and how the store has answered.
pub(super) type Done = (bool, Action, Result<()>);

impl Runner {
    /// The call that an operation makes through a writer.
    pub(super) fn by_writer(&self, op: Op) -> Option<Done> {
        let picked = |writer: u8| self.writers.get(writer as usize % self.writers.len().max(1));
        let text = |text: &str| text.to_owned();
        let (writer, changes, done) = match op {
            Op::Point { writer, metric, step, time, value } => {
                let (writer, key) = (picked(writer)?, pools::metric(metric));
                let point = pools::point(step, time, value);
                let number = f64::from_bits(point.2);
                let done = if value % 2 == 0 {
                    writer.writer.log_metric_at(key, point.0, point.1, number)
                } else {
                    writer.writer.metric(key).and_then(|metric| metric.log_at(point.0, point.1, number))
                };
                (writer, vec![Change::Points(text(key), vec![point])], done)
            }
            Op::Row { writer, metric, len, step, time, value } => {
                let (writer, keys) = (picked(writer)?, pools::metrics(metric, len));
                let (step, time, _) = pools::point(step, time, 0);
                let values: Vec<u64> = (0..keys.len()).map(|at| pools::value(value.wrapping_add(at as u8))).collect();
                let numbers: Vec<f64> = values.iter().map(|bits| f64::from_bits(*bits)).collect();
                let done = writer.writer.row(&keys).and_then(|row| row.log_at(step, time, &numbers));
                let points =
                    keys.iter().zip(values).map(|(key, value)| Change::Points(text(key), vec![(step, time, value)]));
                (writer, points.collect(), done)
            }
            Op::Columns { writer, metric, len, shape, step, time, value } => {
                let (writer, key) = (picked(writer)?, pools::metric(metric));
                let points = pools::column(len.max(1), shape, pools::point(step, time, value), value);
                let steps: Vec<i64> = points.iter().map(|point| point.0).collect();
                let times: Vec<i64> = points.iter().map(|point| point.1).collect();
                let values: Vec<f64> = points.iter().map(|point| f64::from_bits(point.2)).collect();
                let done = writer.writer.metric(key).and_then(|metric| metric.log_columns(&steps, &times, &values));
                (writer, vec![Change::Points(text(key), points)], done)
            }
            Op::Sync { writer } => {
                let writer = picked(writer)?;
                return Some((writer.second, Action::Sync { writer: writer.number }, writer.writer.sync()));
            }
            op => self.words(op)?,
        };
        Some((writer.second, Action::Log { writer: writer.number, call: Arc::new(changes) }, done))
    }

    /// What a writer says of its run, points apart.
    fn words(&self, op: Op) -> Option<(&Writer, Vec<Change>, Result<()>)> {
        let picked = |writer: u8| self.writers.get(writer as usize % self.writers.len().max(1));
        let text = |text: &str| text.to_owned();
        Some(match op {
            Op::Param { writer, key, value } => {
                let (writer, key, value) = (picked(writer)?, pools::key(key), pools::text(value));
                (writer, vec![Change::Param(text(key), text(value))], writer.writer.log_param(key, value))
            }
            Op::Params { writer, key, value } => {
                let (writer, value) = (picked(writer)?, pools::text(value));
                let (one, two) = (pools::key(key), pools::key(key.wrapping_add(1)));
                let changes = vec![Change::Param(text(one), text(value)), Change::Param(text(two), text(value))];
                (writer, changes, writer.writer.log_params(&[(one, value), (two, value)]))
            }
            Op::SetTag { writer, key, value } => {
                let (writer, key, value) = (picked(writer)?, pools::key(key), pools::text(value));
                (writer, vec![Change::Tag(text(key), text(value))], writer.writer.set_tag(key, value))
            }
            Op::DeleteTag { writer, key } => {
                let (writer, key) = (picked(writer)?, pools::key(key));
                (writer, vec![Change::Untag(text(key))], writer.writer.delete_tag(key))
            }
            Op::SetName { writer, name } => {
                let (writer, name) = (picked(writer)?, pools::name(name));
                (writer, vec![Change::Name(text(name))], writer.writer.set_name(name))
            }
            _ => return None,
        })
    }

    /// The call that an operation makes through a store.
    pub(super) fn outside(&self, op: Op) -> Option<Done> {
        let store = |second: bool| self.process(second).map(|process| &process.store);
        let text = |text: &str| text.to_owned();
        let edit = |second: bool, id: RunId, change, done| Some((second, Action::Edit { id, change }, done));
        match op {
            Op::SetStatus { second, run, status } => {
                let (store, id) = (store(second)?, self.pick_run(run)?);
                let status = RunStatus::ALL[status as usize % RunStatus::ALL.len()];
                let change = if status.is_ended() {
                    Change::Status(status, StatusCause::Reported)
                } else {
                    Change::Left(status)
                };
                edit(second, id, change, store.set_run_status(id, status, None))
            }
            Op::Rename { second, run, name } => {
                let (store, id, name) = (store(second)?, self.pick_run(run)?, pools::name(name));
                edit(second, id, Change::Name(text(name)), store.set_run_name(id, name))
            }
            Op::Tag { second, run, key, value } => {
                let (store, id, key, value) =
                    (store(second)?, self.pick_run(run)?, pools::key(key), pools::text(value));
                edit(second, id, Change::Tag(text(key), text(value)), store.set_run_tag(id, key, value))
            }
            Op::Untag { second, run, key } => {
                let (store, id, key) = (store(second)?, self.pick_run(run)?, pools::key(key));
                edit(second, id, Change::Untag(text(key)), store.delete_run_tag(id, key))
            }
            Op::DeleteRun { second, run } => {
                let (store, id) = (store(second)?, self.pick_run(run)?);
                Some((second, Action::SetDeleted { id, deleted: true }, store.delete_run(id)))
            }
            Op::RestoreRun { second, run } => {
                let (store, id) = (store(second)?, self.pick_run(run)?);
                Some((second, Action::SetDeleted { id, deleted: false }, store.restore_run(id)))
            }
            Op::Maintain { second } => {
                Some((second, Action::Maintain { second }, store(second)?.maintain().map(|_| ())))
            }
            Op::Compact { second } => {
                let done = store(second)?.compact(&mut |_| {}).map(|_| ());
                Some((second, Action::Complete { second, remove: true }, done))
            }
            Op::Registry { second, what } => {
                let run = match what.run() {
                    Some(run) => Some(self.pick_run(run)?),
                    None => None,
                };
                Some((second, Action::Registry(what, run), what.call(store(second)?, run)))
            }
            op => self.on_experiments(op),
        }
    }

    fn on_experiments(&self, op: Op) -> Option<Done> {
        let text = |text: &str| text.to_owned();
        let at = |second: bool, name: u8| {
            let store = &self.process(second)?.store;
            let name = pools::experiment(name);
            Some((store, name.to_owned(), store.experiment_by_name(name).map(|experiment| experiment.id)))
        };
        Some(match op {
            Op::CreateExperiment { second, name } => {
                let (store, name, _) = at(second, name)?;
                let done = store.experiment_or_create(&name).map(|_| ());
                (second, Action::CreateExperiment(name), done)
            }
            Op::RenameExperiment { second, experiment, name } => {
                let ((store, old, id), name) = (at(second, experiment)?, pools::experiment(name));
                let done = id.and_then(|id| store.rename_experiment(id, name));
                (second, Action::RenameExperiment(old, text(name)), done)
            }
            Op::TagExperiment { second, experiment, key, value } => {
                let ((store, name, id), key, value) = (at(second, experiment)?, pools::key(key), pools::text(value));
                let done = id.and_then(|id| store.set_experiment_tag(id, key, value));
                (second, Action::TagExperiment(name, text(key), text(value)), done)
            }
            Op::UntagExperiment { second, experiment, key } => {
                let ((store, name, id), key) = (at(second, experiment)?, pools::key(key));
                let done = id.and_then(|id| store.delete_experiment_tag(id, key));
                (second, Action::UntagExperiment(name, text(key)), done)
            }
            Op::DeleteExperiment { second, experiment } => {
                let (store, name, id) = at(second, experiment)?;
                (second, Action::SetExperimentDeleted(name, true), id.and_then(|id| store.delete_experiment(id)))
            }
            Op::RestoreExperiment { second, experiment } => {
                let (store, name, id) = at(second, experiment)?;
                (second, Action::SetExperimentDeleted(name, false), id.and_then(|id| store.restore_experiment(id)))
            }
            _ => return None,
        })
    }
}
