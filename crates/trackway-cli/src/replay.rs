//! Logs a recorded run again, and compares what a store gives back with the record, bit for bit.

use crate::curves::CurveRun;
use crate::error::{Failure, Outcome};
use trackway::{Columns, ExperimentId, NewRun, Row, RunId, RunWriter, Store};

/// Creates the run that a record will be logged to.
///
/// # Errors
/// As [`Store::create_run`].
pub fn create(store: &Store, experiment: ExperimentId, record: &CurveRun) -> Outcome<RunWriter> {
    let mut new = NewRun::new(experiment).name(record.name.as_str());
    (new.params, new.tags, new.start_time) = (record.params.clone(), record.tags.clone(), record.start_ms);
    Ok(store.create_run(new)?)
}

/// Logs every call of the record, in order of arrival; gives the number of points acknowledged.
///
/// # Errors
/// As [`Row::log_at`].
pub fn log(writer: &RunWriter, record: &CurveRun, plan: &crate::curves::Plan) -> Outcome<u64> {
    let mut rows: Vec<Row> = Vec::with_capacity(plan.sets.len());
    for set in &plan.sets {
        let keys: Vec<&str> = set.iter().filter_map(|at| record.series.get(*at)).map(|s| s.key.as_str()).collect();
        rows.push(writer.row(&keys)?);
    }
    let mut points = 0;
    for call in &plan.calls {
        let row = rows.get(call.set).ok_or_else(|| Failure::new("a call of an unknown set of metrics"))?;
        row.log_at(call.step, call.timestamp, &call.values)?;
        points += call.values.len() as u64;
    }
    Ok(points)
}

/// Compares every point of a run with the record: steps, timestamps and the bits of values, in written order. Gives
/// the number of points compared.
///
/// # Errors
/// Naming the first metric and point that differ, or as [`Store::snapshot`].
pub fn compare(store: &Store, id: RunId, record: &CurveRun) -> Outcome<u64> {
    let snapshot = store.snapshot(id)?;
    let differ = |what: String| Failure::new(format!("run {}: {what}", record.name));
    let (stored, recorded) = (snapshot.run().metrics.len(), record.series.len());
    if stored != recorded {
        return Err(differ(format!("{stored} metrics are stored, {recorded} were logged")));
    }
    let (mut columns, mut points) = (Columns::default(), 0);
    for series in &record.series {
        columns.clear();
        snapshot.metric(&series.key)?.read_into(&mut columns)?;
        if columns.len() != series.values.len() {
            let counts = format!("{} points are stored, {} were logged", columns.len(), series.values.len());
            return Err(differ(format!("metric {}: {counts}", series.key)));
        }
        for (at, (stored, logged)) in columns.iter().zip(record.points(series)).enumerate() {
            if !stored.same_bits(&logged) {
                return Err(differ(format!("metric {}: point {at} is {stored:?}, logged was {logged:?}", series.key)));
            }
        }
        points += columns.len() as u64;
    }
    Ok(points)
}
