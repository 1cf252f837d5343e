//! Names of the greatest length, of characters that take four bytes each: whatever may be logged can be read back.

use crate::support::Scene;
use trackway::limits::{MAX_ALIAS_CHARS, MAX_KEY_CHARS, MAX_NAME_CHARS};
use trackway::{ModelMetric, NewLoggedModel, NewModel, NewModelVersion, NewRun, RunQuery};

const WIDE: &str = "\u{1d6fc}";

#[test]
fn the_longest_names_and_keys_come_back() {
    let (key, name, alias) = (WIDE.repeat(MAX_KEY_CHARS), WIDE.repeat(MAX_NAME_CHARS), WIDE.repeat(MAX_ALIAS_CHARS));
    let scene = Scene::new();
    let store = scene.open_quiet();
    let experiment = store.create_experiment(&name).unwrap();
    store.set_experiment_tag(experiment, &key, "1").unwrap();
    let new = NewRun::new(experiment).name(&name).user(&name).param(&key, "p").tag(&key, "t");
    let run = store.create_run(new).unwrap();
    run.metric(&key).unwrap().log(1, 0.5).unwrap();
    let id = run.id();
    let new = NewLoggedModel::new(experiment).name(&name).model_type(&name).run(id).param(&key, "p").tag(&key, "t");
    let logged = store.create_logged_model(new).unwrap();
    store.log_model_metrics(logged.id, &[ModelMetric::new(&key, 0.25, 1, id)]).unwrap();
    store.create_model(NewModel::new(&name).tag(&key, "t")).unwrap();
    store.create_model_version(&name, NewModelVersion::from_source("s3://a").tag(&key, "t")).unwrap();
    store.set_model_alias(&name, &alias, 1).unwrap();
    let look = |when: &str| {
        let store = scene.open_read_only();
        let found = store.experiment_by_name(&name).unwrap();
        assert_eq!((found.name.as_str(), found.tags[&key].as_str()), (name.as_str(), "1"), "{when}");
        let found = store.search(&RunQuery::default()).unwrap().runs;
        assert_eq!(found, [store.run(id).unwrap()], "{when}");
        assert_eq!((found[0].name.as_str(), found[0].user.as_str()), (name.as_str(), name.as_str()), "{when}");
        assert_eq!((found[0].params[&*key].as_str(), found[0].tags[&*key].as_str()), ("p", "t"), "{when}");
        assert_eq!(found[0].metrics[&*key].latest.value, 0.5, "{when}");
        assert_eq!(store.snapshot(id).unwrap().latest(&key).unwrap().value, 0.5, "{when}");
        let model = store.logged_model(logged.id).unwrap();
        assert_eq!((model.name.as_str(), model.model_type.as_str()), (name.as_str(), name.as_str()), "{when}");
        assert_eq!((model.params[&key].as_str(), model.tags[&key].as_str()), ("p", "t"), "{when}");
        assert_eq!((model.metrics[0].key.as_str(), model.metrics[0].value), (key.as_str(), 0.25), "{when}");
        let model = store.model(&name).unwrap();
        assert_eq!((model.tags[&key].as_str(), model.versions[0].tags[&key].as_str()), ("t", "t"), "{when}");
        assert_eq!(store.model_version_by_alias(&name, &alias).unwrap().number, 1, "{when}");
        let damage = store.verify(&mut |_| {}).unwrap().damage;
        assert!(damage.is_empty(), "{when}: {damage:?}");
    };
    look("as logged");
    run.finish().unwrap();
    look("sealed");
    store.compact(&mut |_| {}).unwrap();
    look("compacted");
    drop(store);
    std::fs::remove_file(scene.path().join("catalog/catalog.tw")).unwrap();
    drop(scene.open_quiet());
    look("with a catalog made anew");
}
