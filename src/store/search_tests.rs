//! What the real MLflow finds among runs, in its order, and what it refuses: `tests/data/searches/runs.py` has asked it.

use super::*;
use crate::env::sim::SimDisk;
use crate::types::RunId;
use crate::{DatasetInput, NewRun, RunStatus, StoreOptions};
use serde_json::Value;
use std::collections::BTreeMap;

fn run_id(number: u64) -> RunId {
    RunId::from_bytes(u128::from(number).to_be_bytes())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A number, or the name of what is none.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| text(value).parse().unwrap())
}

fn create(store: &Store, id: u64, told: &Value) {
    let new = NewRun::new(ExperimentId::DEFAULT).id(run_id(id)).name(text(&told[0])).user(text(&told[1]));
    let run = store.create_run(new.start_time(told[2].as_i64().unwrap())).unwrap();
    for point in told[5].as_array().unwrap() {
        let (step, time) = (point[1].as_i64().unwrap(), point[2].as_i64().unwrap());
        run.log_metric_at(text(&point[0]), step, time, number(&point[3])).unwrap();
    }
    told[6].as_object().unwrap().iter().for_each(|(key, value)| run.log_param(key, text(value)).unwrap());
    told[7].as_object().unwrap().iter().for_each(|(key, value)| run.set_tag(key, text(value)).unwrap());
    for dataset in told[8].as_array().unwrap() {
        let tags = BTreeMap::from([(DatasetInput::CONTEXT_TAG.to_owned(), text(&dataset[2]).to_owned())]);
        run.log_dataset(DatasetInput { tags, ..DatasetInput::new(text(&dataset[0]), text(&dataset[1])) }).unwrap();
    }
    let status = match text(&told[4]) {
        "FINISHED" => RunStatus::Finished,
        "FAILED" => RunStatus::Failed,
        "KILLED" => RunStatus::Killed,
        _ => return std::mem::forget(run),
    };
    run.end(status, told[3].as_i64()).unwrap();
    if told[9].as_bool().unwrap() {
        store.delete_run(run.id()).unwrap();
    }
}

/// What is found in pages of so many.
fn search(store: &Store, case: &Value, limit: usize) -> Result<Vec<RunId>> {
    let order: Vec<&str> = case[2].as_array().unwrap().iter().map(text).collect();
    let filter = Some(text(&case[1])).filter(|filter| !filter.is_empty()).map(Filter::mlflow).transpose()?;
    let mut query = RunQuery {
        filter: filter.map(|filter| filter.artifact_root("mlflow-artifacts:")),
        order: RunOrder::mlflow(&order)?,
        view: match text(&case[0]) {
            "active_only" => View::Active,
            "deleted_only" => View::Deleted,
            _ => View::All,
        },
        limit: Some(limit),
        ..RunQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let page = store.search(&query)?;
        found.extend(page.runs.iter().map(|run| run.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(found),
        }
    }
}

#[test]
fn runs_are_found_that_mlflow_finds_in_its_order_and_refused_what_it_refuses() {
    let recorded: Value = serde_json::from_str(include_str!("../../tests/data/searches/runs.json")).unwrap();
    let (mut found, mut refused) = (0, 0);
    // By column, and each run asked.
    for index_from in [1, usize::MAX] {
        let mut options = StoreOptions::new().background(false);
        (options.env, options.index_from) = (Some(SimDisk::new(1).process()), Some(index_from));
        let store = options.open("/store").unwrap();
        let runs = recorded["runs"].as_array().unwrap().iter();
        runs.zip(0..).for_each(|(told, id)| create(&store, id, told));
        while store.maintain().unwrap() {}
        store.compact(&mut |_| {}).unwrap();
        for case in recorded["searches"].as_array().unwrap() {
            for limit in [1000, 1, 3] {
                match (search(&store, case, limit), case[3].as_array()) {
                    (Ok(ids), Some(expected)) => {
                        let expected: Vec<RunId> = expected.iter().map(|id| run_id(id.as_u64().unwrap())).collect();
                        assert_eq!(ids, expected, "{case}");
                        found += 1;
                    }
                    (Err(crate::Error::InvalidQuery { .. }), None) => refused += 1,
                    (answer, _) => panic!("{case}: {answer:?}"),
                }
            }
        }
    }
    assert!(found > 6 * 80 && refused > 6 * 30, "{found} {refused}");
}
