//! Keeping track of models: versions from runs, stages, aliases, and finding the best of them.

use crate::support::{Scene, finished_run, new_run};
use trackway::{
    ErrorKind, ExperimentId, Filter, ModelStage, ModelVersion, ModelVersionStatus, NewModel, NewModelVersion, NewRun,
    Page, Query, RegisteredModel, RunId, RunOrder, RunQuery, Store, View,
};

fn kind<T: std::fmt::Debug>(result: trackway::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn from_source(number: u32) -> NewModelVersion {
    NewModelVersion::from_source(format!("s3://models/{number}"))
}

/// A model with so many versions.
fn with_versions(store: &Store, name: &str, versions: u32) {
    store.create_model(NewModel::new(name)).unwrap();
    (1..=versions)
        .for_each(|number| assert_eq!(store.create_model_version(name, from_source(number)).unwrap().number, number));
}

#[test]
fn a_version_of_the_best_run_is_registered_and_read_back_elsewhere() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    run.artifacts().put_bytes("model/weights.bin", b"weights").unwrap();
    store.create_model(NewModel::new("digits").description("reads postcodes").tag("team", "vision")).unwrap();
    let new = NewModelVersion::from_run(run.id(), "model").user("ada").description("first").tag("size", "small");
    let version = store.create_model_version("digits", new).unwrap();
    store.set_model_alias("digits", "champion", 1).unwrap();
    drop((run, store));
    let store = scene.open_read_only();
    let model = store.model("digits").unwrap();
    assert_eq!(
        (model.description.as_str(), model.tags["team"].as_str(), model.last_version),
        ("reads postcodes", "vision", 1)
    );
    assert_eq!(model.versions, [ModelVersion { aliases: vec!["champion".to_owned()], ..version.clone() }]);
    let found = store.model_version_by_alias("digits", "champion").unwrap();
    assert_eq!(
        (found.model.as_str(), found.number, found.user.as_str(), found.status),
        ("digits", 1, "ada", ModelVersionStatus::Ready)
    );
    let (run, path) = (found.run_id.unwrap(), found.artifact_path().unwrap());
    assert_eq!(store.artifacts(run).unwrap().read(&format!("{path}/weights.bin")).unwrap(), b"weights");
    assert_eq!(kind(store.set_model_alias("digits", "loser", 1)), ErrorKind::ReadOnly);
    assert_eq!(kind(store.create_model(NewModel::new("more"))), ErrorKind::ReadOnly);
    assert!(store.verify(&mut |_| {}).unwrap().damage.is_empty());
}

#[test]
fn numbers_of_versions_are_never_given_twice() {
    let scene = Scene::new();
    let store = scene.open();
    with_versions(&store, "digits", 3);
    store.delete_model_version("digits", 3).unwrap();
    store.delete_model_version("digits", 1).unwrap();
    assert_eq!(kind(store.model_version("digits", 3)), ErrorKind::NotFound);
    assert_eq!(kind(store.delete_model_version("digits", 3)), ErrorKind::NotFound);
    assert_eq!(store.model("digits").unwrap().last_version, 3);
    store.rename_model("digits", "numbers").unwrap();
    assert_eq!(scene.open().create_model_version("numbers", from_source(4)).unwrap().number, 4);
    let numbers: Vec<u32> = store.model("numbers").unwrap().versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [2, 4]);
    // A model of its own, as in MLflow.
    store.delete_model("numbers").unwrap();
    with_versions(&store, "numbers", 1);
}

#[test]
fn an_alias_follows_its_version_and_goes_with_it() {
    let scene = Scene::new();
    let store = scene.open();
    with_versions(&store, "digits", 3);
    store.set_model_alias("digits", "champion", 1).unwrap();
    store.set_model_alias("digits", "challenger", 3).unwrap();
    store.set_model_alias("digits", "champion", 3).unwrap();
    assert_eq!(store.model_version("digits", 3).unwrap().aliases, ["challenger", "champion"]);
    assert!(store.model_version("digits", 1).unwrap().aliases.is_empty());
    assert_eq!(store.model_version_by_alias("digits", "latest").unwrap().number, 3);
    store.rename_model("digits", "numbers").unwrap();
    assert_eq!(store.model_version_by_alias("numbers", "champion").unwrap().number, 3);
    store.delete_model_version("numbers", 3).unwrap();
    assert!(store.model("numbers").unwrap().aliases.is_empty());
    assert_eq!(kind(store.model_version_by_alias("numbers", "champion")), ErrorKind::NotFound);
    assert_eq!(store.model_version_by_alias("numbers", "Latest").unwrap().number, 2);
    store.delete_model_alias("numbers", "never set").unwrap();
    for bad in ["latest", "v3", "a b", ""] {
        assert_eq!(kind(store.set_model_alias("numbers", bad, 1)), ErrorKind::InvalidInput, "{bad}");
    }
    assert_eq!(kind(store.set_model_alias("numbers", "champion", 9)), ErrorKind::NotFound);
    assert_eq!(kind(store.set_model_alias("digits", "champion", 1)), ErrorKind::NotFound);
}

#[test]
fn a_stage_is_given_to_a_new_version_and_the_old_one_archived() {
    let scene = Scene::new();
    let store = scene.open();
    with_versions(&store, "digits", 4);
    let stages = |store: &Store| store.model("digits").unwrap().versions.iter().map(|v| v.stage).collect::<Vec<_>>();
    store.set_model_stage("digits", 1, ModelStage::Production, false).unwrap();
    store.set_model_stage("digits", 2, ModelStage::Production, false).unwrap();
    store.set_model_stage("digits", 4, ModelStage::Staging, true).unwrap();
    use ModelStage::{Archived, None, Production, Staging};
    assert_eq!(stages(&store), [Production, Production, None, Staging]);
    let model = store.model("digits").unwrap();
    let latest: Vec<(u32, ModelStage)> = model.latest_versions().iter().map(|v| (v.number, v.stage)).collect();
    assert_eq!(latest, [(3, None), (4, Staging), (2, Production)]);
    let moved = store.set_model_stage("digits", 3, Production, true).unwrap();
    assert_eq!((moved.number, moved.stage), (3, Production));
    assert_eq!(stages(&store), [Archived, Archived, Production, Staging]);
    assert_eq!(kind(store.set_model_stage("digits", 3, Archived, true)), ErrorKind::InvalidInput);
    assert_eq!(kind(store.set_model_stage("digits", 9, Staging, true)), ErrorKind::NotFound);
    assert_eq!(stages(&store), [Archived, Archived, Production, Staging], "an error changes nothing");
    assert!("prod".parse::<ModelStage>().is_err());
}

#[test]
fn names_are_unique_and_bad_ones_change_nothing() {
    let scene = Scene::new();
    let store = scene.open();
    with_versions(&store, "a", 1);
    with_versions(&store, "b", 0);
    assert_eq!(kind(store.create_model(NewModel::new("a"))), ErrorKind::Conflict);
    assert_eq!(kind(store.rename_model("a", "b")), ErrorKind::Conflict);
    assert_eq!(kind(store.rename_model("none", "c")), ErrorKind::NotFound);
    for bad in ["", "a/b", "a:b", ".", "two\nlines"] {
        assert_eq!(kind(store.create_model(NewModel::new(bad))), ErrorKind::InvalidInput, "{bad:?}");
        assert_eq!(kind(store.rename_model("a", bad)), ErrorKind::InvalidInput, "{bad:?}");
    }
    store.rename_model("a", "a").unwrap();
    let long = "x".repeat(trackway::limits::MAX_VALUE_BYTES + 1);
    assert_eq!(kind(store.set_model_tag("a", "key", &long)), ErrorKind::InvalidInput);
    assert_eq!(kind(store.set_model_tag("a", "", "value")), ErrorKind::InvalidInput);
    assert_eq!(kind(store.set_model_description("a", &long)), ErrorKind::InvalidInput);
    assert_eq!(kind(store.create_model_version("a", NewModelVersion::from_source(""))), ErrorKind::InvalidInput);
    assert_eq!(kind(store.create_model_version("c", from_source(1))), ErrorKind::NotFound);
    let nobody = RunId::from_bytes([9; 16]);
    assert_eq!(kind(store.create_model_version("a", NewModelVersion::from_run(nobody, "model"))), ErrorKind::NotFound);
    let run = finished_run(&store, "trained");
    assert_eq!(kind(store.create_model_version("a", NewModelVersion::from_run(run, "../x"))), ErrorKind::InvalidInput);
    let names: Vec<String> = scene.open_read_only().models().unwrap().into_iter().map(|model| model.name).collect();
    assert_eq!((names, store.model("a").unwrap().last_version), (vec!["a".to_owned(), "b".to_owned()], 1));
}

/// The run of a version may go; the version keeps its id.
#[test]
fn a_version_outlives_its_run() {
    let scene = Scene::new();
    let id = {
        let store =
            trackway::StoreOptions::new().deleted_retention(std::time::Duration::ZERO).open(scene.path()).unwrap();
        let id = finished_run(&store, "trained");
        store.create_model(NewModel::new("digits")).unwrap();
        store.create_model_version("digits", NewModelVersion::from_run(id, "model")).unwrap();
        store.delete_run(id).unwrap();
        store.compact(&mut |_| {}).unwrap();
        assert_eq!(kind(store.run(id)), ErrorKind::NotFound, "it is removed");
        id
    };
    let store = scene.open();
    assert_eq!(store.model_version("digits", 1).unwrap().run_id, Some(id));
    let query = Query::new().filter(&format!("run_id = '{id}'")).unwrap();
    assert_eq!(store.search_model_versions(&query).unwrap().found.len(), 1);
}

/// Two processes, as far as the store can tell: none overwrites what the other has done.
#[test]
fn many_register_versions_of_one_model_at_a_time() {
    let scene = Scene::new();
    with_versions(&scene.open(), "digits", 0);
    std::thread::scope(|scope| {
        for writer in 0..4u32 {
            let scene = &scene;
            scope.spawn(move || {
                let store = scene.open_quiet();
                for number in 0..10 {
                    store.create_model_version("digits", from_source(writer * 100 + number)).unwrap();
                }
            });
        }
        // Whoever lists meanwhile sees the model once, also while it is renamed to and fro.
        let store = scene.open_quiet();
        with_versions(&store, "here", 1);
        scope.spawn({
            let scene = &scene;
            move || {
                let store = scene.open_quiet();
                for _ in 0..20 {
                    store.rename_model("here", "there").unwrap();
                    store.rename_model("there", "here").unwrap();
                }
            }
        });
        for _ in 0..50 {
            let models = store.models().unwrap();
            let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
            assert!(names == ["digits", "here"] || names == ["digits", "there"], "{names:?}");
        }
    });
    let model = scene.open().model("digits").unwrap();
    let numbers: Vec<u32> = model.versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    let sources: std::collections::BTreeSet<&str> = model.versions.iter().map(|v| v.source.as_str()).collect();
    assert_eq!(sources.len(), 40);
}

#[test]
fn a_damaged_model_is_named_set_aside_and_hides_no_other() {
    let scene = Scene::new();
    let store = scene.open();
    with_versions(&store, "one", 2);
    with_versions(&store, "two", 1);
    drop(store);
    let file = |name: &str| {
        let store = scene.open_read_only();
        let before = crate::support::files(&scene.path().join("models"), ".tw");
        let is_of =
            |path: &std::path::PathBuf| std::fs::read(path).unwrap().windows(name.len()).any(|w| w == name.as_bytes());
        assert_eq!(before.len(), store.models().unwrap().len());
        before.into_iter().find(is_of).unwrap()
    };
    let path = file("one");
    let good = std::fs::read(&path).unwrap();
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    flip(good.len() - 1);
    let store = scene.open();
    assert_eq!(kind(store.model("one")), ErrorKind::Corrupt);
    assert_eq!(kind(store.create_model(NewModel::new("one"))), ErrorKind::Corrupt);
    assert_eq!(kind(store.rename_model("two", "one")), ErrorKind::Corrupt);
    assert_eq!(store.models().unwrap().len(), 1);
    assert_eq!(store.verify(&mut |_| {}).unwrap().damage[0].path, path);
    // In the header, which says nothing that is not known.
    flip(20);
    let report = store.repair(&mut |_| {}).unwrap();
    assert!(report.repairs[0].what.contains("as before"), "{report:?}");
    assert_eq!(store.model("one").unwrap().versions.len(), 2);
    flip(good.len() - 1);
    let report = store.repair(&mut |_| {}).unwrap();
    assert!(report.repairs[0].what.contains("lost") && report.left.is_empty(), "{report:?}");
    assert!(report.repairs[0].aside.as_ref().unwrap().exists());
    assert_eq!(kind(store.model("one")), ErrorKind::NotFound);
    with_versions(&store, "one", 1);
    // The file of another model in its place.
    std::fs::copy(file("two"), file("one")).unwrap();
    assert_eq!(kind(store.model("one")), ErrorKind::Corrupt);
}

fn names<T>(page: Page<T>, name: impl Fn(&T) -> String) -> Vec<String> {
    page.found.iter().map(name).collect()
}

fn models(store: &Store, query: Query<RegisteredModel>) -> Vec<String> {
    names(store.search_models(&query).unwrap(), |model| model.name.clone())
}

fn versions(store: &Store, query: Query<ModelVersion>) -> Vec<String> {
    names(store.search_model_versions(&query).unwrap(), |version| format!("{} {}", version.model, version.number))
}

#[test]
fn models_and_versions_are_found_by_what_they_say() {
    let scene = Scene::new();
    let store = scene.open();
    let run = finished_run(&store, "trained");
    store.create_model(NewModel::new("digits").tag("team", "vision")).unwrap();
    store.create_model(NewModel::new("letters").tag("team", "vision").description("of the alphabet")).unwrap();
    store.create_model(NewModel::new("Speech").tag("team", "audio")).unwrap();
    store.create_model_version("digits", from_source(1).tag("size", "7")).unwrap();
    store.create_model_version("digits", NewModelVersion::from_run(run, "model").tag("size", "70")).unwrap();
    store.create_model_version("letters", from_source(3)).unwrap();
    store.set_model_stage("digits", 2, ModelStage::Production, false).unwrap();
    let search = |filter: &str| models(&store, Query::new().filter(filter).unwrap());
    assert_eq!(search(""), ["Speech", "digits", "letters"]);
    assert_eq!(search("tags.team = 'vision' and name != 'letters'"), ["digits"]);
    assert_eq!(search("name ilike 'S%' or description like '%alpha%'"), ["Speech", "letters"]);
    assert_eq!(search("not tags.team in ('vision')"), ["Speech"]);
    assert_eq!(search("creation_timestamp > 0 and last_updated_timestamp < 0"), [""; 0]);
    let mlflow = Query::new().mlflow_filter("name IN ('digits','Speech')").unwrap();
    assert_eq!(models(&store, mlflow.mlflow_order_by(&["name DESC"]).unwrap()), ["digits", "Speech"]);
    let search =
        |filter: &str| versions(&store, Query::new().filter(filter).unwrap().order_by(&["version_number"]).unwrap());
    assert_eq!(search(""), ["digits 1", "letters 1", "digits 2"]);
    assert_eq!(search(&format!("run_id = '{run}'")), ["digits 2"]);
    assert_eq!(search("tags.size < 10 or source_path like '%/3'"), ["digits 1", "letters 1"]);
    assert_eq!(search("stage = 'Production' and status = 'READY' and name = 'digits'"), ["digits 2"]);
    assert_eq!(search("version_number between 2 and 3"), ["digits 2"]);
    assert_eq!(search("run_id is null and version_number = 1"), ["digits 1", "letters 1"]);
}

#[test]
fn a_query_that_is_none_is_refused_with_its_place() {
    let place = |error: trackway::Error| match error {
        trackway::Error::InvalidQuery { position, .. } => position,
        other => panic!("{other}"),
    };
    for (filter, expected) in
        [("nam = 'a'", 0), ("name = a", 7), ("name = 'a' or", 13), ("tags. = 'a'", 0), ("metrics.a > 1", 0)]
    {
        assert_eq!(place(Query::<RegisteredModel>::new().filter(filter).unwrap_err()), expected, "{filter}");
    }
    let refused = [
        ("name = 'a' OR name = 'b'", 11),
        ("timestamp > 1", 0),
        ("tags.a IN ('b')", 7),
        ("tags.a IS NULL", 7),
        ("attributes.name = 'a'", 0),
    ];
    for (filter, expected) in refused {
        assert_eq!(place(Query::<RegisteredModel>::new().mlflow_filter(filter).unwrap_err()), expected, "{filter}");
    }
    assert_eq!(place(Query::<ModelVersion>::new().mlflow_filter("version_number > 1.5").unwrap_err()), 17);
    assert_eq!(place(Query::<ModelVersion>::new().order_by(&["version_number down"]).unwrap_err()), 15);
    let error = Query::<ModelVersion>::new().filter("sauce = 'x'").err().unwrap().to_string();
    assert!(
        error.starts_with("filter, character 1: \"sauce\" is no attribute of a model version here; known are name"),
        "{error}"
    );
    assert!(Query::<RegisteredModel>::new().order_by(&["name", "name DESC"]).is_err());
    assert!(Query::<RegisteredModel>::new().mlflow_order_by(&["creation_timestamp"]).is_err());
}

#[test]
fn pages_of_models_go_on_behind_the_last_one_whatever_appears_meanwhile() {
    let scene = Scene::new();
    let store = scene.open();
    for name in ["a", "b", "c", "d", "e"] {
        with_versions(&store, name, 2);
    }
    let mut query = Query::new().order_by(&["name DESC"]).unwrap().limit(2);
    let mut found = Vec::new();
    for number in 0.. {
        let page = store.search_models(&query).unwrap();
        found.extend(page.found.into_iter().map(|model| model.name));
        store.create_model(NewModel::new(format!("f{number}"))).unwrap();
        let Some(next) = page.next else { break };
        query = query.after(next);
    }
    assert_eq!(found, ["e", "d", "c", "b", "a"]);
    let page = store.search_model_versions(&Query::new().order_by(&["version_number"]).unwrap().limit(7)).unwrap();
    let (found, next) = (names(page.clone(), |v| format!("{}{}", v.model, v.number)), page.next.unwrap());
    assert_eq!(found, ["a1", "b1", "c1", "d1", "e1", "a2", "b2"]);
    let rest = Query::new().order_by(&["version_number"]).unwrap().after(&next);
    assert_eq!(names(store.search_model_versions(&rest).unwrap(), |v| v.model.clone()), ["c", "d", "e"]);
    assert_eq!(kind(store.search_model_versions(&Query::new().after(&next))), ErrorKind::InvalidInput, "another order");
    assert_eq!(kind(store.search_models(&query.after("00ff"))), ErrorKind::InvalidInput);
}

#[test]
fn experiments_are_found_by_name_tags_and_stage() {
    let scene = Scene::new();
    let store = scene.open();
    let digits = store.create_experiment("digits").unwrap();
    let old = store.create_experiment("digits, old").unwrap();
    store.set_experiment_tag(digits, "team", "vision").unwrap();
    store.delete_experiment(old).unwrap();
    let search = |query: Query<trackway::Experiment>| {
        names(store.search_experiments(&query).unwrap(), |experiment| experiment.name.clone())
    };
    let filter = |text: &str| Query::new().filter(text).unwrap();
    assert_eq!(search(filter("name like 'digits%'")), ["digits"]);
    assert_eq!(search(filter("name like 'digits%'").view(View::Deleted)), ["digits, old"]);
    assert_eq!(
        search(filter("name like 'digits%'").view(View::All).order_by(&["name DESC"]).unwrap()),
        ["digits, old", "digits"]
    );
    assert_eq!(search(Query::new().mlflow_filter("tags.team IS NOT NULL AND creation_time > 0").unwrap()), ["digits"]);
    assert_eq!(
        search(
            filter(&format!("experiment_id = '{digits}' or experiment_id = '{}'", ExperimentId::DEFAULT))
                .order_by(&["name"])
                .unwrap()
        ),
        ["Default", "digits"]
    );
    assert_eq!(search(filter("experiment_id in ('0')")), ["Default"]);
    // As numbers, not as texts.
    let ids = store.search_experiments(&Query::new().view(View::All).order_by(&["experiment_id"]).unwrap()).unwrap();
    assert!(ids.found.is_sorted_by_key(|experiment| experiment.id.get()) && ids.found.len() == 3);
}

/// The best run is a search: the first one by a statistic of a metric.
#[test]
fn the_run_with_the_lowest_minimum_is_found_and_registered() {
    let scene = Scene::new();
    let store = scene.open();
    let train = |name: &str, losses: &[f64], opt: &str| {
        let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).name(name).param("opt", opt)).unwrap();
        let log = |(step, loss): (usize, &f64)| run.log_metric("val/loss", step as i64, *loss).unwrap();
        losses.iter().enumerate().for_each(log);
        // What a metric of that name says is another matter.
        run.log_metric("val/loss.min", 0, -losses[0]).unwrap();
        run.finish().unwrap();
        run.id()
    };
    train("steady", &[0.5, 0.4, 0.3], "adam");
    let best = train("spike", &[0.5, 0.1, 0.6], "adam");
    train("other optimizer", &[0.05], "sgd");
    let query = RunQuery {
        filter: Some(Filter::new("params.opt = 'adam' and metrics.`val/loss`.min < 0.45").unwrap()),
        order: RunOrder::new(&["metrics.`val/loss`.min"]).unwrap(),
        limit: Some(1),
        ..RunQuery::default()
    };
    for indexed in [false, true] {
        if indexed {
            store.compact(&mut |_| {}).unwrap();
        }
        let found = store.search(&query).unwrap();
        assert_eq!(found.runs[0].id, best);
        assert!(found.next.is_some());
    }
    store.create_model(NewModel::new("digits")).unwrap();
    let version = store.create_model_version("digits", NewModelVersion::from_run(best, "model")).unwrap();
    assert_eq!(version.run_id, Some(best));
}
