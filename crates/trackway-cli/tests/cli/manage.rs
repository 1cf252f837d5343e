//! `rename`, `tag`, `delete`, `restore`.

use crate::harness::Place;

#[test]
fn names_and_tags_change_after_the_fact() {
    let place = Place::new();
    let id = place.log("first", "{\"loss\": 1}");
    assert!(place.ok(&["rename", "first", "second name"]).contains("is now named \"second name\""));
    assert_eq!(place.json(&["show", "second name", "--json"])["run_id"], id.as_str());
    place.ok(&["tag", &id, "team", "a b"]);
    place.ok(&["tag", &id, "other", ""]);
    assert_eq!(place.json(&["show", &id, "--json"])["tags"]["team"], "a b");
    place.ok(&["tag", &id, "--delete", "team"]);
    let tags = &place.json(&["show", &id, "--json"])["tags"];
    assert!(tags.get("team").is_none() && tags["other"] == "", "{tags}");
    assert!(place.run(&["tag", &id, "--delete", "team"]).error().contains("team"));
    assert!(place.run(&["rename", &id, ""]).error().contains("run name"));
}

#[test]
fn a_deleted_run_is_hidden_until_it_is_restored() {
    let place = Place::new();
    let (id, other) = (place.log("gone", "{\"loss\": 1}"), place.log("stays", "{\"loss\": 2}"));
    place.ok(&["delete", "gone"]);
    let ids = |args: &[&str]| -> Vec<String> {
        let list = place.json(args);
        list.as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["runs", "--json"]), [other.as_str()]);
    assert_eq!(ids(&["runs", "--json", "--deleted"]), [id.as_str()]);
    assert_eq!(ids(&["runs", "--json", "--all"]).len(), 2);
    assert!(!place.ok(&["export"]).contains(&id));
    assert_eq!(place.json(&["show", "gone", "--json"])["lifecycle_stage"], "deleted");
    place.ok(&["restore", "gone"]);
    assert_eq!(ids(&["runs", "--json"]).len(), 2);
}
