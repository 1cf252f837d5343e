//! Copies between stores.

use crate::harness::{Place, files, points, told};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use trackway::{
    DatasetInput, ExperimentId, Filter, LifecycleStage, LoggedModel, ModelLink, ModelMetric, NewLoggedModel, NewModel,
    NewModelVersion, NewRun, RunId, RunStatus, RunWriter, StatusCause, Store,
};
use trackway_import::{CopyOptions, Error, Report, STATUS_TAG, copy, keep_going};

fn copied(from: &Store, to: &Store) -> Report {
    let report = copy(from, to, &CopyOptions::default(), &mut keep_going).unwrap();
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    report
}

/// A store with everything that a store can say.
fn fill(store: &Store) -> Vec<RunId> {
    let digits = store.create_experiment("digits").unwrap();
    store.set_experiment_tag(digits, "team", "vision").unwrap();
    let gone = store.create_experiment("gone").unwrap();
    store.create_experiment("empty").unwrap();
    let new = NewRun::new(digits).name("full").user("ann").start_time(1000).param("lr", "0.1").tag("stage", "warm up");
    let full = store.create_run(new).unwrap();
    full.set_tag("stage", "done").unwrap();
    full.log_param("late", "").unwrap();
    full.log_dataset(DatasetInput { source: "x".into(), ..DatasetInput::new("d", "1") }.tag("k", "v")).unwrap();
    for i in 0..70_000 {
        full.log_metrics_at(i / 2, 1000 + i, &[("loss", 1.0 / (i + 1) as f64), ("acc", i as f64)]).unwrap();
    }
    for value in [f64::NAN, f64::from_bits(0x7ff8_0000_0000_0001), f64::NEG_INFINITY, -0.0] {
        full.log_metric_at("odd", -7, 5, value).unwrap();
    }
    full.artifacts().put_bytes("model/weights", &vec![7; 600_000]).unwrap();
    full.artifacts().put_bytes("notes", b"").unwrap();
    full.end(RunStatus::Failed, Some(99_999)).unwrap();
    let child = store.create_run(NewRun::new(digits).parent(full.id()).start_time(2000)).unwrap();
    child.log_metric_at("loss", 1, 2100, 0.5).unwrap();
    child.end_with_cause(RunStatus::Killed, StatusCause::Vanished, Some(2200)).unwrap();
    let deleted = store.create_run(NewRun::new(ExperimentId::DEFAULT).name("deleted").start_time(3000)).unwrap();
    deleted.end(RunStatus::Finished, Some(3100)).unwrap();
    store.delete_run(deleted.id()).unwrap();
    let last = store.create_run(NewRun::new(gone).name("last").start_time(4000)).unwrap();
    last.end(RunStatus::Finished, Some(4100)).unwrap();
    store.delete_experiment(gone).unwrap();
    [full, child, deleted, last].iter().map(RunWriter::id).collect()
}

#[test]
fn a_copy_says_all_that_the_source_says_and_a_second_one_changes_no_byte() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    fill(&from);
    while from.maintain().unwrap() {}
    let source = files(&place.path("from"));
    let report = copied(&from, &to);
    assert_eq!((report.runs, report.new_runs, report.points), (4, 4, 140_005));
    assert_eq!((report.artifacts, report.artifact_bytes), (2, 600_000));
    assert!(source == files(&place.path("from")), "the source was only read");
    assert_eq!(told(&to), told(&from));
    while to.maintain().unwrap() {}
    let before = files(&place.path("to"));
    assert!(copied(&from, &to).is_unchanged());
    assert!(before == files(&place.path("to")), "files of the store changed");
    // And back: nothing is new there.
    assert!(copied(&to, &from).is_unchanged());
    assert!(to.verify(&mut |_| {}).unwrap().damage.is_empty());
}

#[test]
fn a_copy_that_was_stopped_anywhere_goes_on() {
    let place = Place::new();
    let from = place.store("from");
    fill(&from);
    let wanted = told(&from);
    for stop_at in 0.. {
        let name = format!("to {stop_at}");
        let mut ticks = 0;
        let mut watch = |_| {
            ticks += 1;
            if ticks > stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let done = copy(&from, &place.store(&name), &CopyOptions::default(), &mut watch);
        if done.is_ok() {
            assert!(stop_at > 10, "{stop_at}");
            break;
        }
        assert!(matches!(done, Err(Error::Stopped)));
        let to = place.store(&name);
        copied(&from, &to);
        assert_eq!(told(&to), wanted, "stopped after {stop_at} ticks");
        assert!(copied(&from, &to).is_unchanged());
    }
}

/// A process that dies has no chance to say anything: its writers stay without an end.
#[test]
fn a_copy_whose_process_vanished_goes_on() {
    let place = Place::new();
    let from = place.store("from");
    let id = fill(&from)[0];
    let to = place.store("to");
    // What a killed copy leaves: the run begun, a part of its points, no end.
    let digits = to.create_experiment("digits").unwrap();
    let run = from.run(id).unwrap();
    let half = to.create_run(NewRun::new(digits).id(id).name("full").user("ann").start_time(1000)).unwrap();
    for (step, time, bits) in points(&from, id, "loss").into_iter().take(33_333) {
        half.log_metric_at("loss", step, time, f64::from_bits(bits)).unwrap();
    }
    half.end_with_cause(RunStatus::Killed, StatusCause::Vanished, Some(run.end_time.unwrap() + 5)).unwrap();
    let report = copied(&from, &to);
    assert_eq!((report.new_runs, report.changed_runs), (3, 1));
    assert_eq!(told(&to), told(&from));
}

#[test]
fn a_run_continued_in_both_stores_becomes_one() {
    let place = Place::new();
    let (laptop, cluster) = (place.store("laptop"), place.store("cluster"));
    let run = laptop.create_run(NewRun::new(ExperimentId::DEFAULT).name("r").start_time(1)).unwrap();
    run.log_metric_at("loss", 1, 10, 1.0).unwrap();
    run.end(RunStatus::Finished, Some(20)).unwrap();
    copied(&laptop, &cluster);
    for (store, key, end) in [(&laptop, "here", 40), (&cluster, "there", 50)] {
        let again = store.resume_run(run.id()).unwrap();
        again.log_metric_at("loss", 2, end - 5, end as f64).unwrap();
        again.log_metric_at(key, 2, end - 5, 0.5).unwrap();
        again.set_tag("side", key).unwrap();
        again.log_param(key, "1").unwrap();
        again.end(RunStatus::Finished, Some(end)).unwrap();
    }
    assert_eq!(copied(&laptop, &cluster).points, 2);
    assert_eq!(copied(&cluster, &laptop).points, 2);
    for store in [&laptop, &cluster] {
        let known = store.run(run.id()).unwrap();
        assert_eq!(known.metrics.keys().map(|key| &**key).collect::<Vec<_>>(), ["here", "loss", "there"]);
        assert_eq!(known.params.keys().map(|key| &**key).collect::<Vec<_>>(), ["here", "there"]);
        let found: BTreeSet<_> = points(store, run.id(), "loss").into_iter().collect();
        let value = |value: f64| value.to_bits();
        assert_eq!(found, [(1, 10, value(1.0)), (2, 35, value(40.0)), (2, 45, value(50.0))].into());
        assert_eq!(known.metrics["loss"].count, 3);
    }
    // Neither side has the last word on the other's tags, and both are settled.
    assert_eq!(cluster.run(run.id()).unwrap().tags["side"], "there");
    for (from, to) in [(&laptop, &cluster), (&cluster, &laptop)] {
        assert!(copied(from, to).is_unchanged());
    }
}

/// Two writers of a live run: points come between those that were copied.
#[test]
fn a_live_run_is_copied_as_far_as_it_is() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    let first = from.create_run(NewRun::new(ExperimentId::DEFAULT).start_time(1)).unwrap();
    let second = from.resume_run(first.id()).unwrap();
    for round in 0..3 {
        for (rank, writer) in [(0, &first), (1, &second)] {
            writer.log_metric_at("loss", round, 10 + rank, rank as f64).unwrap();
        }
        assert_eq!(copied(&from, &to).points, 2);
        let known = to.run(first.id()).unwrap();
        assert_eq!((known.status, known.tags[STATUS_TAG].as_str()), (RunStatus::Killed, "RUNNING"));
        assert!(copied(&from, &to).is_unchanged());
    }
    second.finish().unwrap();
    first.end(RunStatus::Finished, Some(77)).unwrap();
    copied(&from, &to);
    let known = to.run(first.id()).unwrap();
    assert_eq!((known.status, known.end_time), (RunStatus::Finished, Some(77)));
    assert!(!known.tags.contains_key(STATUS_TAG));
    let sorted = |store| points(store, first.id(), "loss").into_iter().collect::<BTreeSet<_>>();
    assert_eq!((sorted(&to), known.metrics["loss"].count), (sorted(&from), 6));
}

#[test]
fn only_runs_that_the_filter_matches_are_copied() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    fill(&from);
    let options = CopyOptions { filter: Some(Filter::new("params.lr = '0.1'").unwrap()) };
    let report = copy(&from, &to, &options, &mut keep_going).unwrap();
    assert_eq!((report.runs, report.new_runs), (1, 1));
    let names: Vec<String> = to.experiments().unwrap().into_iter().map(|experiment| experiment.name).collect();
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), ["Default".to_owned(), "digits".to_owned()].into());
    assert!(matches!(copy(&from, &from, &options, &mut keep_going), Err(Error::Source { .. })));
}

#[test]
fn what_was_restored_in_the_target_stays() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    let ids = fill(&from);
    copied(&from, &to);
    to.restore_run(ids[2]).unwrap();
    to.restore_experiment(to.experiment_by_name("gone").unwrap().id).unwrap();
    // What is deleted in the source later was meant to be deleted there.
    from.delete_run(ids[0]).unwrap();
    let report = copied(&from, &to);
    assert!(report.is_unchanged());
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    assert_eq!(to.run(ids[0]).unwrap().lifecycle_stage, LifecycleStage::Active);
    assert_eq!(to.experiment_by_name("gone").unwrap().lifecycle_stage, LifecycleStage::Active);
    assert_eq!(to.run(ids[2]).unwrap().lifecycle_stage, LifecycleStage::Active);
}

/// Of two ends that were reported, the later one counts, in whichever direction the copy goes.
#[test]
fn a_run_that_ended_again_without_a_point_ends_so_in_the_copy() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    let run = from.create_run(NewRun::new(ExperimentId::DEFAULT).name("r").start_time(1)).unwrap();
    run.end(RunStatus::Finished, Some(20)).unwrap();
    copied(&from, &to);
    from.resume_run(run.id()).unwrap().end(RunStatus::Failed, Some(30)).unwrap();
    let ends = |store: &Store| store.run(run.id()).map(|run| (run.status, run.status_cause, run.end_time)).unwrap();
    assert!(copied(&to, &from).is_unchanged(), "the older end");
    assert_eq!(copied(&from, &to).changed_runs, 1);
    assert_eq!(ends(&to), (RunStatus::Failed, StatusCause::Reported, Some(30)));
    assert_eq!(ends(&to), ends(&from));
    assert!(copied(&from, &to).is_unchanged() && copied(&to, &from).is_unchanged());
}

/// A run that cannot be read whole is named, and keeps no other from being copied.
#[test]
fn a_damaged_run_is_named_and_the_others_come() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    let ids = fill(&from);
    while from.maintain().unwrap() {}
    from.close().unwrap();
    let is_of_full = |path: &&std::path::PathBuf| path.to_str().unwrap().contains(&ids[0].to_string());
    let all = files(&place.path("from"));
    let (path, _) = all
        .iter()
        .filter(|(path, _)| is_of_full(path))
        .max_by_key(|(path, bytes)| {
            let is_artifact = path.to_str().unwrap().contains("artifacts");
            (!is_artifact, bytes.len())
        })
        .unwrap();
    let mut bytes = all[path].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(path, bytes).unwrap();
    let from = trackway::StoreOptions::new().read_only(true).open(place.path("from")).unwrap();
    let report = copy(&from, &to, &CopyOptions::default(), &mut keep_going).unwrap();
    assert_eq!((report.runs, report.failures.len()), (4, 1));
    let failure = &report.failures[0];
    assert!(failure.what.contains(&ids[0].to_string()), "{failure:?}");
    assert!(failure.error.to_string().contains("damaged"), "{failure:?}");
    for id in &ids[1..] {
        assert_eq!(to.run(*id).unwrap().status_cause, from.run(*id).unwrap().status_cause);
    }
    assert_ne!(to.run(ids[0]).map(|run| run.status_cause).unwrap_or(StatusCause::Dropped), StatusCause::Reported);
}

/// The target went further than the source, but on another way: what the source has of its own is not passed over.
#[test]
fn the_shorter_of_two_continuations_is_not_lost() {
    let place = Place::new();
    let (laptop, cluster) = (place.store("laptop"), place.store("cluster"));
    let run = laptop.create_run(NewRun::new(ExperimentId::DEFAULT).name("r").start_time(1)).unwrap();
    run.log_metric_at("loss", 1, 10, 1.0).unwrap();
    run.end(RunStatus::Finished, Some(20)).unwrap();
    copied(&laptop, &cluster);
    for (store, steps) in [(&laptop, 2..3), (&cluster, 7..12)] {
        let again = store.resume_run(run.id()).unwrap();
        steps.for_each(|step| again.log_metric_at("loss", step, 30, 0.5).unwrap());
        again.end(RunStatus::Finished, Some(40)).unwrap();
    }
    assert_eq!((copied(&laptop, &cluster).points, copied(&cluster, &laptop).points), (1, 5));
    for store in [&laptop, &cluster] {
        let mut steps: Vec<i64> = points(store, run.id(), "loss").into_iter().map(|point| point.0).collect();
        steps.sort_unstable();
        assert_eq!(steps, [1, 2, 7, 8, 9, 10, 11]);
    }
}

#[test]
fn registered_models_are_copied_with_their_numbers_and_merged() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    let ids = fill(&from);
    from.create_model(NewModel::new("digits").tag("team", "vision")).unwrap();
    for path in ["a", "b", "model"] {
        from.create_model_version("digits", NewModelVersion::from_run(ids[0], path)).unwrap();
    }
    from.delete_model_version("digits", 2).unwrap();
    from.set_model_alias("digits", "champion", 3).unwrap();
    assert_eq!(copied(&from, &to).models, 1);
    let model = to.model("digits").unwrap();
    assert_eq!(model, from.model("digits").unwrap());
    let version = to.model_version_by_alias("digits", "champion").unwrap();
    let path = format!("{}/weights", version.artifact_path().unwrap());
    assert_eq!(to.artifacts(version.run_id.unwrap()).unwrap().read(&path).unwrap().len(), 600_000);
    let bytes = files(&place.path("to").join("models"));
    assert!(copied(&from, &to).is_unchanged());
    assert!(bytes == files(&place.path("to").join("models")), "nothing is written anew");
    // Both go on: the numbers are given twice, and each store keeps its own.
    from.create_model_version("digits", NewModelVersion::from_source("s3://from/4")).unwrap();
    to.create_model_version("digits", NewModelVersion::from_source("s3://to/4")).unwrap();
    from.create_model_version("digits", NewModelVersion::from_source("s3://from/5")).unwrap();
    from.set_model_alias("digits", "challenger", 4).unwrap();
    to.delete_model_version("digits", 1).unwrap();
    let report = copied(&from, &to);
    assert_eq!(report.models, 1);
    assert!(report.notes.iter().any(|note| note.contains("version 4 is another one")), "{:?}", report.notes);
    let model = to.model("digits").unwrap();
    let sources: Vec<(u32, &str)> = model.versions.iter().map(|v| (v.number, v.source.as_str())).collect();
    assert_eq!(sources[1..], [(4, "s3://to/4"), (5, "s3://from/5")]);
    assert_eq!((sources[0].0, model.last_version), (3, 5), "what was deleted stays deleted");
    assert!(!model.aliases.contains_key("challenger"), "it is of another version");
    assert!(copied(&from, &to).is_unchanged());
    let some = CopyOptions { filter: Some(Filter::new("run_name = 'none'").unwrap()) };
    assert_eq!(copy(&from, &place.store("third"), &some, &mut keep_going).unwrap().models, 0);
}

#[test]
fn logged_models_and_the_links_to_them_are_copied() {
    let place = Place::new();
    let (from, to) = (place.store("from"), place.store("to"));
    let digits = from.create_experiment("digits").unwrap();
    let run = from.create_run(NewRun::new(digits)).unwrap();
    let new = NewLoggedModel::new(digits).name("tree").run(run.id()).param("depth", "3");
    let model = from.create_logged_model(new).unwrap().id;
    from.log_model_metrics(model, &[ModelMetric::new("acc", 0.5, 1, run.id())]).unwrap();
    from.logged_model_artifacts(model).unwrap().put_bytes("weights", b"w").unwrap();
    run.log_model_output(model, 1).unwrap();
    run.finish().unwrap();
    assert_eq!(copied(&from, &to).models, 1);
    let (there, here) = (from.logged_model(model).unwrap(), to.logged_model(model).unwrap());
    let digits = to.experiment_by_name("digits").unwrap().id;
    assert_eq!(here, LoggedModel { experiment_id: digits, ..there });
    assert_eq!(to.logged_model_artifacts(model).unwrap().read("weights").unwrap(), b"w");
    assert_eq!(to.run(run.id()).unwrap().models, [ModelLink::output(model, 1)]);
    let before = files(&place.path("to"));
    assert!(copied(&from, &to).is_unchanged() && files(&place.path("to")) == before);
    // What came later on either side is on both.
    let again = from.resume_run(run.id()).unwrap();
    again.log_model_input(model).unwrap();
    again.finish().unwrap();
    from.log_model_metrics(model, &[ModelMetric::new("acc", 0.75, 2, run.id())]).unwrap();
    to.set_logged_model_tags(model, &[("here", "only")]).unwrap();
    assert_eq!(copied(&from, &to).models, 1);
    let here = to.logged_model(model).unwrap();
    assert_eq!((here.metrics.len(), here.tags["here"].as_str()), (2, "only"));
    assert_eq!(to.run(run.id()).unwrap().models, [ModelLink::input(model), ModelLink::output(model, 1)]);
}
