//! Text that becomes a name: of files in a store, of runs, metrics and artifacts.

use super::files::{STORE, options};
use crate::env::sim::SimDisk;
use crate::store::{RunEntryName, log_name, parse_run_entry};
use crate::types::LogId;
use crate::{ExperimentId, MetricKey, NewRun, ParamKey, RunId, RunName, TagKey};
use std::path::Path;

/// Any text is refused as a name or is one; an artifact stays in its folder, and a file of any name that lies in a
/// run's folder is no harm to the run.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let RunEntryName::Log(id) = parse_run_entry(&text) {
        assert_eq!(parse_run_entry(&log_name(id)), RunEntryName::Log(id));
    }
    if let Some(id) = LogId::parse(&text) {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<RunId>() {
        assert_eq!(id.to_string(), text.to_lowercase());
    }
    if let Ok(id) = text.parse::<ExperimentId>() {
        assert_eq!(id.to_string().parse().ok(), Some(id));
    }
    let _ = RunName::new(text.as_ref());
    let keys = (MetricKey::new(text.as_ref()), ParamKey::new(text.as_ref()), TagKey::new(text.as_ref()));

    let disk = SimDisk::new(6);
    let store = options(&disk.process()).open(STORE).unwrap();
    let run = store.create_run(NewRun::new(ExperimentId::DEFAULT).name("names")).unwrap();
    assert_eq!(run.log_metric_at(&text, 1, 2, 3.0).is_ok(), keys.0.is_ok());
    assert_eq!(run.log_param(&text, &text).is_ok(), keys.1.is_ok());
    assert_eq!(run.set_tag(&text, &text).is_ok(), keys.2.is_ok());
    run.finish().unwrap();
    store.maintain().unwrap();
    let known = disk.files();
    let dir = known.iter().find(|(path, _)| path.extension().is_some_and(|ending| ending == "seg"));
    let dir = dir.unwrap().0.parent().unwrap().to_path_buf();
    if run.artifacts().put_bytes(&text, b"content").is_ok() {
        assert_eq!(run.artifacts().read(&text).unwrap(), b"content");
        let folder = dir.join("artifacts");
        let fresh: Vec<_> = disk.files().into_iter().filter(|file| !known.contains(file)).collect();
        assert!(fresh.len() == 1 && fresh[0].0.starts_with(&folder), "{fresh:?}");
        assert_eq!(fresh[0].0.strip_prefix(&folder).unwrap(), Path::new(text.as_ref()));
    }
    drop((run, store));
    foreign_file(&disk, &dir.join(text.replace(['/', '\0'], "_")));
}

/// A file that nobody of ours has put into the folder of a run.
fn foreign_file(disk: &SimDisk, path: &Path) {
    let is_new = !disk.files().iter().any(|(known, _)| known.starts_with(path) || path.starts_with(known));
    if !is_new || path.file_name().is_none() || path.to_string_lossy().len() > 250 {
        return;
    }
    disk.set_contents(path, b"not ours".as_slice());
    let store = options(&disk.process()).open(STORE).unwrap();
    let runs = store.runs(&crate::RunFilter::default()).unwrap();
    assert_eq!((runs.len(), runs[0].name.as_str()), (1, "names"));
    let _ = store.compact(&mut |_| {});
    let snapshot = store.snapshot(runs[0].id).unwrap();
    assert!(snapshot.run().metrics.keys().all(|key| snapshot.metric(key).unwrap().skip_damaged(true).read().is_ok()));
}
