//! What the real tensorboardX wrote is what the store says after the import.

use crate::harness::{Place, copy_folder, data, files, json, points, told};
use std::collections::BTreeSet;
use std::path::Path;
use trackway::{Point, Run, RunFilter, RunStatus, Store};
use trackway_import::{Error, Report, TensorboardOptions, import_tensorboard, keep_going};

fn options() -> TensorboardOptions {
    TensorboardOptions { experiment: "curves".to_owned(), prefix: "tb/".to_owned() }
}

fn import(store: &Store, path: &Path) -> Report {
    let report = import_tensorboard(store, path, &options(), &mut keep_going).unwrap();
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    report
}

fn run(store: &Store, name: &str) -> Run {
    let runs = store.runs(&RunFilter::default()).unwrap();
    runs.into_iter().find(|run| run.name == format!("tb/{name}")).unwrap()
}

#[test]
fn every_scalar_comes_with_step_and_wall_time() {
    let place = Place::new();
    let store = place.store("store");
    let report = import(&store, &data("tensorboard"));
    let wanted = json("tensorboard.json");
    let mut count = 0;
    for (name, tags) in wanted.as_object().unwrap() {
        let run = run(&store, name);
        let keys: BTreeSet<&str> = run.metrics.keys().map(|key| &**key).collect();
        assert_eq!(keys, tags.as_object().unwrap().keys().map(String::as_str).collect(), "{name}");
        for (tag, wanted) in tags.as_object().unwrap() {
            let point = |point: &serde_json::Value| {
                let bits = u64::from_str_radix(point[2].as_str().unwrap(), 16).unwrap();
                (point[0].as_i64().unwrap(), point[1].as_i64().unwrap(), bits)
            };
            let wanted: Vec<_> = wanted.as_array().unwrap().iter().map(point).collect();
            assert_eq!(points(&store, run.id, tag), wanted, "{name} {tag}");
            count += wanted.len();
        }
        assert_eq!(run.status, RunStatus::Finished);
        // The points have the times that the script gave them, the beginning of the file has the clock's.
        let times = run.metrics.values().map(|metric| metric.latest.timestamp).chain([run.start_time]);
        assert_eq!((run.end_time, run.start_time > 1_700_000_300_000), (times.max(), true));
    }
    let trial = run(&store, "hparams/trial");
    assert_eq!(trial.metrics["hparam/acc"].latest, Point::new(3, trial.metrics["hparam/acc"].latest.timestamp, 0.75));
    let params: Vec<_> = trial.params.iter().map(|(key, value)| (&**key, value.as_str())).collect();
    assert_eq!(params, [("layers", "4"), ("lr", "0.1"), ("nesterov", "true"), ("opt", "adam")]);
    assert_eq!(report.points as usize, count + 1);
    assert_eq!((report.runs, report.new_runs), (5, 5));
    // What no store holds is told.
    for kind in ["histogram", "text"] {
        assert_eq!(report.notes.iter().filter(|note| note.contains(kind)).count(), 3, "{:?}", report.notes);
    }
}

#[test]
fn a_second_import_changes_no_byte_and_a_longer_file_adds_its_rest() {
    let place = Place::new();
    let (logs, store) = (place.path("logs"), place.store("store"));
    copy_folder(&data("tensorboard"), &logs);
    let whole = place.store("whole");
    import(&whole, &logs);
    // Cut at any byte, the file is one that is being written.
    let file = std::fs::read_dir(logs.join("eval/deep")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&file).unwrap();
    for cut in (0..bytes.len()).step_by(97) {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        import(&store, &logs);
    }
    std::fs::write(&file, &bytes).unwrap();
    import(&store, &logs);
    assert_eq!(told(&store), told(&whole));
    while store.maintain().unwrap() {}
    let before = files(&place.path("store"));
    assert!(import(&store, &logs).is_unchanged());
    assert!(before == files(&place.path("store")), "files of the store changed");
}

#[test]
fn damage_is_named_and_what_came_before_it_is_kept() {
    let place = Place::new();
    let (logs, store) = (place.path("logs"), place.store("store"));
    copy_folder(&data("tensorboard"), &logs);
    let file = std::fs::read_dir(logs.join("eval/deep")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let report = import_tensorboard(&store, &logs, &options(), &mut keep_going).unwrap();
    assert_eq!((report.runs, report.failures.len()), (5, 1));
    let Error::Damaged { path, offset, .. } = &report.failures[0].error else { panic!("{:?}", report.failures) };
    assert_eq!(*path, file);
    assert!(*offset <= at as u64 && *offset + 200 > at as u64, "{offset} {at}");
    let before = run(&store, "eval/deep").metrics["loss"].count;
    assert!((1..12).contains(&before));
    // Mended, the rest comes.
    std::fs::write(&file, &whole).unwrap();
    import(&store, &logs);
    assert_eq!(run(&store, "eval/deep").metrics["loss"].count, 12);
}

#[test]
fn another_log_of_the_same_name_is_refused_unless_it_gets_a_prefix() {
    let place = Place::new();
    let (logs, store) = (place.path("logs"), place.store("store"));
    copy_folder(&data("tensorboard"), &logs);
    import(&store, &logs);
    let other = place.path("other");
    copy_folder(&data("tensorboard").join("eval/deep"), &other.join("train"));
    let before = told(&store);
    let report = import_tensorboard(&store, &other, &options(), &mut keep_going).unwrap();
    assert!(matches!(&report.failures[0].error, Error::Differs { .. }), "{:?}", report.failures);
    assert_eq!((report.points, told(&store)), (0, before));
    let prefixed = TensorboardOptions { prefix: "other/".to_owned(), ..options() };
    let report = import_tensorboard(&store, &other, &prefixed, &mut keep_going).unwrap();
    assert_eq!((report.new_runs, report.failures.len()), (1, 0));
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(matches!(import_tensorboard(&store, &empty, &options(), &mut keep_going), Err(Error::Source { .. })));
}
