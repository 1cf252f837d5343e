//! Logged models: what they say, who may say it, how runs are linked to them, and finding the best of them.

use crate::support::{Scene, new_run};
use trackway::{
    DatasetInput, ErrorKind, ExperimentId, Filter, LifecycleStage, LoggedModel, LoggedModelId, LoggedModelStatus,
    ModelLink, ModelMetric, ModelOrder, NewLoggedModel, Query, RunId, RunQuery, Store,
};

const DEFAULT: ExperimentId = ExperimentId::DEFAULT;

fn kind<T: std::fmt::Debug>(result: trackway::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn named(store: &Store, name: &str) -> LoggedModelId {
    store.create_logged_model(NewLoggedModel::new(DEFAULT).name(name)).unwrap().id
}

fn names(store: &Store, query: &Query<LoggedModel>) -> Vec<String> {
    store.search_logged_models(query).unwrap().found.into_iter().map(|model| model.name).collect()
}

#[test]
fn a_model_is_read_back_by_another_process_with_all_that_was_said_of_it() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    let new = NewLoggedModel::new(DEFAULT).name("digits").model_type("tree").run(run.id()).param("depth", "3");
    let model = store.create_logged_model(new.tag("team", "vision")).unwrap();
    let metric = ModelMetric::new("acc", f64::NAN, -4, run.id()).at(9).dataset("train", "d1");
    store.log_model_metrics(model.id, std::slice::from_ref(&metric)).unwrap();
    store.set_logged_model_tags(model.id, &[("team", "audio"), ("size", "s")]).unwrap();
    store
        .log_logged_model_params(model.id, &[("depth".to_owned(), "3".to_owned()), ("w".to_owned(), "9".to_owned())])
        .unwrap();
    store.set_logged_model_status(model.id, LoggedModelStatus::Ready).unwrap();
    store.logged_model_artifacts(model.id).unwrap().put_bytes("model/weights.bin", b"weights").unwrap();
    drop((run, store));
    let store = scene.open_read_only();
    let found = store.logged_model(model.id).unwrap();
    assert!(found.metrics[0].value.is_nan());
    let expected = LoggedModel {
        status: LoggedModelStatus::Ready,
        updated_at: found.updated_at,
        params: [("depth", "3"), ("w", "9")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        tags: [("size", "s"), ("team", "audio")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        metrics: vec![ModelMetric { value: 0.0, ..metric }],
        ..model.clone()
    };
    let without_nan =
        LoggedModel { metrics: vec![ModelMetric { value: 0.0, ..found.metrics[0].clone() }], ..found.clone() };
    assert_eq!(without_nan, expected);
    assert_eq!(store.logged_model_artifacts(model.id).unwrap().read("model/weights.bin").unwrap(), b"weights");
    assert_eq!(kind(store.delete_logged_model(model.id)), ErrorKind::ReadOnly);
    assert_eq!(kind(store.create_logged_model(NewLoggedModel::new(DEFAULT))), ErrorKind::ReadOnly);
    assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty());
}

#[test]
fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let scene = Scene::new();
    let store = scene.open();
    let id = named(&store, "a");
    let before = store.logged_model(id).unwrap();
    let params =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    store.log_logged_model_params(id, &params(&[("depth", "3")])).unwrap();
    assert_eq!(kind(store.log_logged_model_params(id, &params(&[("new", "1"), ("depth", "4")]))), ErrorKind::Conflict);
    assert_eq!(kind(store.log_logged_model_params(id, &params(&[("", "4")]))), ErrorKind::InvalidInput);
    assert_eq!(kind(store.set_logged_model_tags(id, &[("good", "x"), ("", "x")])), ErrorKind::InvalidInput);
    assert_eq!(kind(store.delete_logged_model_tag(id, "team")), ErrorKind::NotFound);
    let metric = ModelMetric::new("", 1.0, 0, RunId::from_bytes([1; 16]));
    assert_eq!(kind(store.log_model_metrics(id, &[metric])), ErrorKind::InvalidInput);
    let after = store.logged_model(id).unwrap();
    assert_eq!(LoggedModel { params: before.params.clone(), ..after.clone() }, before);
    assert_eq!(after.params.len(), 1);

    let missing = LoggedModelId::from_bytes([9; 16]);
    assert_eq!(kind(store.logged_model(missing)), ErrorKind::NotFound);
    assert_eq!(kind(store.logged_model_artifacts(missing)), ErrorKind::NotFound);
    assert_eq!(kind(store.set_logged_model_status(missing, LoggedModelStatus::Ready)), ErrorKind::NotFound);
    assert_eq!(kind(store.create_logged_model(NewLoggedModel::new(ExperimentId::new(77)))), ErrorKind::NotFound);
    let twice = NewLoggedModel::new(DEFAULT).param("a", "1").param("a", "2");
    assert_eq!(kind(store.create_logged_model(twice)), ErrorKind::Conflict);
    let gone = store.create_experiment("gone").unwrap();
    store.delete_experiment(gone).unwrap();
    assert_eq!(kind(store.create_logged_model(NewLoggedModel::new(gone))), ErrorKind::Conflict);
    assert_eq!(store.logged_models(DEFAULT).unwrap().len(), 1);
}

#[test]
fn links_of_a_run_stay_with_it_sealed_compacted_and_in_searches_and_are_no_datasets() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let (used, made) = (named(&store, "used"), named(&store, "made"));
    let run = new_run(&store);
    run.log_dataset(DatasetInput::new("digits", "d1")).unwrap();
    run.log_model_output(made, 7).unwrap();
    run.log_model_input(used).unwrap();
    run.log_model_input(used).unwrap();
    let links = [ModelLink::input(used), ModelLink::output(made, 7)];
    let id = run.id();
    let check = |store: &Store| {
        let found = store.run(id).unwrap();
        assert_eq!((found.models.as_slice(), found.datasets.len()), (&links[..], 1));
        let all = store.search(&RunQuery::default()).unwrap().runs;
        assert_eq!((all[0].models.as_slice(), all[0].datasets.len()), (&links[..], 1));
        for (text, count) in [
            (format!("datasets.name = '{made}'"), 0),
            ("datasets.name = 'digits'".to_owned(), 1),
            ("datasets.digest = 'input'".to_owned(), 0),
        ] {
            let filter = Some(Filter::new(&text).unwrap());
            let found = store.search(&RunQuery { filter, ..RunQuery::default() }).unwrap().runs.len();
            assert_eq!(found, count, "{text}");
        }
    };
    check(&store);
    run.finish().unwrap();
    check(&store);
    while store.maintain().unwrap() {}
    check(&store);
    store.compact(&mut |_| {}).unwrap();
    check(&store);
    drop((run, store));
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    check(&scene.open());
}

#[test]
fn models_are_found_by_what_was_measured_of_them() {
    let scene = Scene::new();
    let store = scene.open();
    let run = RunId::from_bytes([1; 16]);
    let (low, high, none) = (named(&store, "low"), named(&store, "high"), named(&store, "none"));
    let acc = |value: f64, step: i64| ModelMetric::new("acc", value, step, run).at(step);
    // The best point of `low` is not its newest.
    store.log_model_metrics(low, &[acc(0.9, 1).dataset("train", "1"), acc(0.2, 2).dataset("val", "2")]).unwrap();
    store.log_model_metrics(high, &[acc(0.8, 1).dataset("train", "3"), acc(0.7, 2).dataset("val", "2")]).unwrap();
    store.set_logged_model_tags(none, &[("n", "0.01")]).unwrap();
    let by_name = |text: &str| {
        let query = Query::new().mlflow_filter(text).unwrap().order_by_measured(&[ModelOrder::new("name")]).unwrap();
        names(&store, &query)
    };
    assert_eq!(by_name("metrics.acc > 0.85"), ["low"]);
    assert_eq!(by_name("metrics.`acc` < 0.85"), ["high", "low"]);
    assert_eq!(by_name("metrics.acc != 99"), ["high", "low"], "what was not measured meets nothing");
    assert_eq!(by_name("tags.n = 0.01"), ["none"], "a text, though it has no quotes");
    assert_eq!(by_name(&format!("attributes.model_id IN ('{low}', '{none}')")), ["low", "none"]);
    assert_eq!(by_name("status = 'PENDING' AND name ILIKE 'H%'"), ["high"]);
    assert_eq!(by_name("model_type != 'x' AND source_run_id = ''"), ["high", "low", "none"], "nobody said");
    assert_eq!(by_name("creation_timestamp > 0 AND name = 'low'"), ["low"]);
    for wrong in [
        "metric.acc > 1",
        "tag.n = 'x'",
        "metrics.acc LIKE 'a'",
        "params.a > 1",
        "nothing = 'x'",
        "name = 'a' OR name = 'b'",
        "params.a IS NULL",
    ] {
        assert_eq!(kind(Query::<LoggedModel>::new().mlflow_filter(wrong)), ErrorKind::InvalidInput, "{wrong}");
    }
    let sorted = |order: &[ModelOrder]| names(&store, &Query::new().order_by_measured(order).unwrap());
    assert_eq!(sorted(&[ModelOrder::new("metrics.acc")]), ["low", "high", "none"]);
    assert_eq!(sorted(&[ModelOrder::new("metrics.acc").descending()]), ["high", "low", "none"]);
    assert_eq!(sorted(&[ModelOrder::new("metrics.acc").descending().measured_on("train", "")])[0], "low");
    assert_eq!(sorted(&[ModelOrder::new("metrics.acc").measured_on("train", "3")])[0], "high");
    let on = |text: &str, datasets: &[(&str, &str)]| {
        names(&store, &Query::new().filter(text).unwrap().order_by(&["name"]).unwrap().measured_on(datasets))
    };
    assert_eq!(on("metrics.acc > 0.75", &[("train", "")]), ["high", "low"]);
    assert_eq!(on("metrics.acc > 0.75", &[("val", "2")]), [""; 0]);
    assert_eq!(on("", &[("train", "1"), ("nothing", "")]), ["low"]);
    assert_eq!(on("", &[("nothing", "")]), [""; 0]);
}

#[test]
fn pages_follow_each_other_and_deleted_models_are_on_none() {
    let scene = Scene::new();
    let store = scene.open();
    let ids: Vec<LoggedModelId> = (0..5).map(|number| named(&store, &format!("m{number}"))).collect();
    store.delete_logged_model(ids[2]).unwrap();
    let other = store.create_experiment("other").unwrap();
    store.create_logged_model(NewLoggedModel::new(other).name("elsewhere")).unwrap();
    let mut query = Query::new().experiments(&[DEFAULT, DEFAULT]).order_by(&["name DESC"]).unwrap().limit(3);
    let first = store.search_logged_models(&query).unwrap();
    query = query.after(first.next.clone().unwrap());
    let second = store.search_logged_models(&query).unwrap();
    let found: Vec<&str> = first.found.iter().chain(&second.found).map(|model| model.name.as_str()).collect();
    assert_eq!((found, second.next), (vec!["m4", "m3", "m1", "m0"], None));
    assert_eq!(store.logged_model(ids[2]).unwrap().lifecycle_stage, LifecycleStage::Deleted);
    assert_eq!(names(&store, &Query::new().filter("name = 'elsewhere'").unwrap()), ["elsewhere"]);
    assert_eq!(kind(store.search_logged_models(&query.order_by(&["name"]).unwrap())), ErrorKind::InvalidInput);
}

/// What an experiment's folder holds beside runs and packs is nobody's to a version that does not know it.
#[test]
fn other_names_among_the_models_are_left_alone() {
    let scene = Scene::new();
    let store = scene.open();
    let id = named(&store, "a");
    let folder = scene.path().join("experiments/0/models");
    std::fs::create_dir(folder.join("M-not-ours")).unwrap();
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    std::fs::create_dir(folder.join(format!("m-{}", "0".repeat(32)))).unwrap();
    assert_eq!(store.logged_models(DEFAULT).unwrap().iter().map(|model| model.id).collect::<Vec<_>>(), [id]);
    assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty());
}
