//! `models`: from a run to a version that others find.

use crate::harness::Place;

#[test]
fn a_run_becomes_a_version_that_is_found_by_its_alias() {
    let place = Place::new();
    let run = place.log("baseline", "{\"loss\": 1}");
    let said =
        place.ok(&["models", "register", "digits", "baseline", "model", "--alias", "champion", "--tag", "size=small"]);
    assert_eq!(said, format!("version 1 of model \"digits\" is runs:/{run}/model\n"));
    place.ok(&["models", "register", "digits", "--source", "s3://models/2", "--description", "twice the data"]);
    let model = place.json(&["models", "show", "digits", "--json"]);
    assert_eq!(model["aliases"]["champion"], 1);
    assert_eq!(model["versions"][0]["run_id"], run.as_str());
    assert_eq!(model["versions"][1]["description"], "twice the data");
    let listed = place.ok(&["models"]);
    assert!(listed.contains("digits") && listed.contains("champion=1"), "{listed}");
    assert_eq!(place.ok(&["models", "list"]), listed);
    assert!(place.ok(&["models", "show", "digits"]).contains("size=small"));
    place.ok(&["models", "alias", "digits", "champion", "latest"]);
    place.ok(&["models", "stage", "digits", "champion", "production", "--archive"]);
    let found = place.json(&["models", "versions", "--filter", "stage = 'Production'", "--json"]);
    assert_eq!((found.as_array().unwrap().len(), &found[0]["version"]), (1, &2.into()));
    place.ok(&["models", "alias", "digits", "--delete", "champion"]);
    assert!(place.run(&["models", "stage", "digits", "champion", "None"]).error().contains("no version \"champion\""));
}

#[test]
fn models_are_described_tagged_renamed_and_deleted() {
    let place = Place::new();
    place.log("baseline", "{\"loss\": 1}");
    place.ok(&["models", "create", "digits", "--description", "postcodes", "--tag", "team=vision"]);
    place.ok(&["models", "create", "letters"]);
    assert!(place.run(&["models", "create", "letters"]).error().contains("exists already"));
    place.ok(&["models", "register", "digits", "baseline"]);
    place.ok(&["models", "tag", "digits", "size", "small", "--version", "1"]);
    place.ok(&["models", "tag", "digits", "--delete", "team"]);
    place.ok(&["models", "describe", "digits", "first", "--version", "latest"]);
    place.ok(&["models", "describe", "digits", "all digits"]);
    place.ok(&["models", "rename", "digits", "numbers"]);
    let model = place.json(&["models", "show", "numbers", "--json"]);
    assert_eq!((&model["description"], model["tags"].as_object().unwrap().len()), (&"all digits".into(), 0));
    assert_eq!(
        (&model["versions"][0]["description"], &model["versions"][0]["tags"]["size"]),
        (&"first".into(), &"small".into())
    );
    assert!(place.run(&["models", "show", "digits"]).error().contains("no model \"digits\""));
    assert!(place.run(&["models", "show", "number"]).error().contains("did you mean \"numbers\""));
    let names = |args: &[&str]| -> Vec<String> {
        let list = place.json(args);
        list.as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["models", "--json", "--sort", "name DESC"]), ["numbers", "letters"]);
    assert_eq!(names(&["models", "list", "--json", "--filter", "name like 'l%'"]), ["letters"]);
    assert!(place.ok(&["models", "--limit", "1"]).contains("... and more"));
    assert!(place.run(&["models", "--filter", "nam = 'x'"]).error().contains("character 1"));
    place.ok(&["models", "delete", "numbers", "--version", "1"]);
    assert!(place.ok(&["models", "show", "numbers"]).contains("no versions"));
    place.ok(&["models", "delete", "numbers"]);
    assert_eq!(names(&["models", "--json"]), ["letters"]);
    assert!(place.ok(&["models", "versions"]).contains("no versions"));
}

#[test]
fn experiments_are_filtered_and_sorted() {
    let place = Place::new();
    for name in ["digits", "digits, old", "letters"] {
        place.feed(&["log", "--experiment", name], b"{\"loss\": 1}").ok();
    }
    let names = |args: &[&str]| -> Vec<String> {
        let list = place.json(&[&["experiments", "--json"], args].concat());
        list.as_array().unwrap().iter().map(|experiment| experiment["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]).len(), 4);
    assert_eq!(names(&["--filter", "name like 'digits%'", "--sort", "name DESC"]), ["digits, old", "digits"]);
    assert!(place.run(&["experiments", "--filter", "loss > 1"]).error().contains("is no attribute of an experiment"));
}
