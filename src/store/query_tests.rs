//! What the real MLflow finds among experiments, models and versions, and what it refuses: `tests/data/searches/make.py`
//! has asked it.

use crate::env::sim::SimDisk;
use crate::{
    Experiment, ModelStage, ModelVersion, NewModel, NewModelVersion, Query, RegisteredModel, Result, Searchable, Store,
    StoreOptions, View,
};
use serde_json::Value;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn tags(value: &Value) -> Vec<(String, String)> {
    value.as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}

fn apply(store: &Store, operation: &Value) -> Result<()> {
    let given = &operation.as_array().unwrap()[1..];
    let name = text(&given[1]);
    let number = || given[2].as_u64().unwrap() as u32;
    let experiment = || store.experiment_by_name(name).unwrap().id;
    match text(&given[0]) {
        "create_experiment" => {
            let id = store.create_experiment(name)?;
            tags(&given[2]).iter().try_for_each(|(key, value)| store.set_experiment_tag(id, key, value))
        }
        "rename_experiment" => store.rename_experiment(experiment(), text(&given[2])),
        "set_experiment_tag" => store.set_experiment_tag(experiment(), text(&given[2]), text(&given[3])),
        "delete_experiment" => store.delete_experiment(experiment()),
        "create_model" => store.create_model(NewModel { tags: tags(&given[2]), ..NewModel::new(name) }).map(|_| ()),
        "create_version" => {
            let run_id = given[3].as_str().map(|run| run.parse().unwrap());
            let new =
                NewModelVersion { run_id, tags: tags(&given[4]), ..NewModelVersion::from_source(text(&given[2])) };
            store.create_model_version(name, new).map(|_| ())
        }
        "set_stage" => {
            let stage: ModelStage = text(&given[3]).parse()?;
            store.set_model_stage(name, number(), stage, given[4].as_bool().unwrap()).map(|_| ())
        }
        "rename_model" => store.rename_model(name, text(&given[2])),
        "delete_version" => store.delete_model_version(name, number()),
        "describe_model" => store.set_model_description(name, text(&given[2])),
        "describe_version" => store.set_model_version_description(name, number(), text(&given[3])),
        "set_model_tag" => store.set_model_tag(name, text(&given[2]), text(&given[3])),
        "delete_model_tag" => store.delete_model_tag(name, text(&given[2])),
        "set_version_tag" => store.set_model_version_tag(name, number(), text(&given[3]), text(&given[4])),
        other => panic!("{other}"),
    }
}

fn query<T: Searchable>(case: &Value) -> Result<Query<T>> {
    Query::new().mlflow_filter(text(&case["filter"]))?.mlflow_order_by(&texts(&case["order_by"]))
}

/// Everything found, page by page.
fn pages<T: Searchable>(
    query: &Query<T>,
    limit: usize,
    search: impl Fn(&Query<T>) -> Result<crate::Page<T>>,
    name: impl Fn(&T) -> String,
) -> Result<Vec<String>> {
    let (mut query, mut names) = (query.clone().limit(limit), Vec::new());
    loop {
        let page = search(&query)?;
        assert!(page.found.len() <= limit && (page.next.is_none() || page.found.len() == limit));
        names.extend(page.found.iter().map(&name));
        let Some(next) = page.next else { return Ok(names) };
        query = query.after(next);
    }
}

fn search(store: &Store, case: &Value, limit: usize) -> Result<Vec<String>> {
    let experiments = |view| {
        let query = query::<Experiment>(case)?.view(view);
        pages(&query, limit, |query| store.search_experiments(query), |experiment| experiment.name.clone())
    };
    match text(&case["of"]) {
        "experiments" => experiments(View::Active),
        "deleted experiments" => experiments(View::Deleted),
        "all experiments" => experiments(View::All),
        "models" => pages(
            &query(case)?,
            limit,
            |query| store.search_models(query),
            |model: &RegisteredModel| model.name.clone(),
        ),
        "versions" => {
            let name = |version: &ModelVersion| format!("{} {}", version.model, version.number);
            pages(&query(case)?, limit, |query| store.search_model_versions(query), name)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn searches_find_what_mlflow_finds_in_its_order_and_refuse_what_it_refuses() {
    let recorded: Value = serde_json::from_str(include_str!("../../tests/data/searches/mlflow.json")).unwrap();
    let disk = SimDisk::new(1);
    disk.set_wall_us(1_000_000);
    let mut options = StoreOptions::new().background(false);
    options.env = Some(disk.process());
    let store = options.open("/store").unwrap();
    for operation in recorded["operations"].as_array().unwrap() {
        disk.set_wall_us(operation[0].as_u64().unwrap() * 1000);
        apply(&store, operation).unwrap_or_else(|error| panic!("{operation}: {error}"));
    }
    let (mut found, mut refused) = (0, 0);
    for case in recorded["searches"].as_array().unwrap() {
        for limit in [1000, 1, 2] {
            match (search(&store, case, limit), case.get("found")) {
                (Ok(names), Some(expected)) => assert_eq!(names, texts(expected), "{case}"),
                (Err(crate::Error::InvalidQuery { .. }), None) => {}
                (answer, _) => panic!("{case}: {answer:?}"),
            }
        }
        (found, refused) = if case.get("found").is_some() { (found + 1, refused) } else { (found, refused + 1) };
    }
    assert!(found > 80 && refused > 40, "{found} {refused}");
}
