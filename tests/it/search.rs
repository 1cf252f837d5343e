//! Looking for runs, and the datasets that they used.

use crate::support::{Scene, finished_run, new_run};
use trackway::{
    DatasetInput, ErrorKind, ExperimentId, Filter, NewRun, RunFilter, RunId, RunOrder, RunQuery, Store, View,
};

fn found(store: &Store, filter: &str, order: &[&str]) -> Vec<RunId> {
    let query = RunQuery {
        filter: Some(Filter::new(filter).unwrap()),
        order: RunOrder::new(order).unwrap(),
        ..RunQuery::default()
    };
    store.search(&query).unwrap().runs.iter().map(|run| run.id).collect()
}

#[test]
fn a_dataset_stays_what_was_said_first_and_is_found() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = new_run(&store);
    let training =
        DatasetInput { source: "a.csv".to_owned(), profile: "rows: 5".to_owned(), ..DatasetInput::new("iris", "d1") };
    let training = training.tag(DatasetInput::CONTEXT_TAG, "training").tag("by", "ada");
    run.log_dataset(training.clone()).unwrap();
    run.log_dataset(DatasetInput::new("iris", "d1").tag(DatasetInput::CONTEXT_TAG, "test")).unwrap();
    run.log_dataset(DatasetInput::new("iris", "d2")).unwrap();
    assert_eq!(run.log_dataset(DatasetInput::new("", "d")).unwrap_err().kind(), ErrorKind::InvalidInput);
    let expected = [training, DatasetInput::new("iris", "d2")];
    assert_eq!(store.run(run.id()).unwrap().datasets, expected);
    let id = run.id();
    run.finish().unwrap();
    drop(run);
    store.maintain().unwrap();
    store.compact(&mut |_| {}).unwrap();
    drop(store);
    let store = scene.open_read_only();
    assert_eq!(store.run(id).unwrap().datasets, expected);
    assert_eq!(found(&store, "dataset.context = 'training' and datasets.digest in ('d2')", &[]), [id]);
    assert_eq!(found(&store, "dataset.context = 'test'", &[]), []);
}

#[test]
fn pages_go_on_behind_the_last_run_whatever_appears_meanwhile() {
    let scene = Scene::new();
    let store = scene.open();
    for number in 0..5 {
        finished_run(&store, &format!("run {number}"));
    }
    let order = RunOrder::new(&["run_name DESC"]);
    let mut query = RunQuery { order: order.unwrap(), limit: Some(2), ..RunQuery::default() };
    let mut names = Vec::new();
    for page in 0.. {
        let found = store.search(&query).unwrap();
        names.extend(found.runs.into_iter().map(|run| run.name));
        // Before all that were shown, and so on no page to come.
        finished_run(&store, &format!("run 9{page}"));
        query.after = found.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["run 4", "run 3", "run 2", "run 1", "run 0"]);
    query.after = Some("anything".to_owned());
    assert_eq!(store.search(&query).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn deleted_runs_are_found_when_they_are_looked_for() {
    let scene = Scene::new();
    let store = scene.open();
    let (gone, kept) = (finished_run(&store, "gone"), finished_run(&store, "kept"));
    store.delete_run(gone).unwrap();
    assert_eq!(found(&store, "metrics.loss < 1 and metrics.acc.count = 200 and params.lr < 0.2", &[]), [kept]);
    let deleted = RunQuery { view: View::Deleted, ..RunQuery::default() };
    assert_eq!(store.search(&deleted).unwrap().runs[0].id, gone);
}

/// Runs that end faster than they are sealed keep their files open: whoever ends one more then seals along.
#[test]
fn many_short_runs_do_not_pile_up_logs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("s")).unwrap();
    for number in 0..1200 {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT)).unwrap();
        run.log_metric("loss", 1, f64::from(number)).unwrap();
        run.finish().unwrap();
    }
    let logs = store.statistics().unwrap().log_files;
    assert!(logs < 600, "{logs} logs of 1200 ended runs wait to be sealed");
    assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), 1200);
}
