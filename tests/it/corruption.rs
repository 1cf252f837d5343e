//! Damaged, cut, foreign and newer files: named with their offset, and the rest stays readable.

use crate::support::{Scene, copy_dir, files, finished_run, new_run, points};
use trackway::{ErrorKind, Order, RunFilter, Store};

#[test]
fn verify_names_file_and_offset_of_a_flip_at_every_byte_of_a_segment() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        let run = new_run(&store);
        for step in 0..30 {
            run.log_metrics_at(step, step * 10, &[("loss", (step as f64).sqrt()), ("acc", 1.0)]).unwrap();
        }
        run.finish().unwrap();
        run.id()
    };
    let [path] = &files(&scene.path(), ".seg")[..] else { panic!("one segment") };
    let good = std::fs::read(path).unwrap();
    let expected = points(&scene.open_read_only().snapshot(id).unwrap(), "loss");
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(path, &damaged).unwrap();
        let store = scene.open_read_only();
        let report = store.verify(&mut |_| {}).unwrap();
        let [found] = &report.damage[..] else { panic!("byte {at}: {:?}", report.damage) };
        assert_eq!(&found.path, path, "byte {at}");
        assert!(found.offset <= at as u64, "byte {at} is named {}", found.offset);
        for key in ["loss", "acc"] {
            let read = store.snapshot(id).and_then(|snapshot| snapshot.metric(key)?.read());
            if let (Ok(read), "loss") = (read, key) {
                assert_eq!(read.iter().collect::<Vec<_>>(), expected, "byte {at} gave wrong values");
            }
        }
    }
    std::fs::write(path, &good).unwrap();
    assert_eq!(scene.open_read_only().verify(&mut |_| {}).unwrap().damage, []);
}

#[test]
fn a_flip_at_every_byte_of_a_dead_log_is_reported_or_carries_nothing() {
    let (scene, crashed) = (Scene::new(), Scene::new());
    let store = scene.open_quiet();
    let run = new_run(&store);
    for step in 0..20 {
        run.log_metric_at("loss", step, step * 10, (step as f64).sqrt()).unwrap();
        if step == 10 {
            run.sync().unwrap();
        }
    }
    let expected = points(&store.snapshot(run.id()).unwrap(), "loss");
    copy_dir(&scene.path(), &crashed.path());
    let [path] = &files(&crashed.path(), ".log")[..] else { panic!("one log") };
    let good = std::fs::read(path).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in (0..used).filter(|at| *at < 200 || *at >= 4096) {
        let mut damaged = good.clone();
        damaged[at] ^= 0x10;
        std::fs::write(path, &damaged).unwrap();
        let store = crashed.open_read_only();
        let reported = !store.verify(&mut |_| {}).unwrap().damage.is_empty();
        let read = store.snapshot(run.id()).and_then(|snapshot| snapshot.metric("loss")?.read());
        let read: Option<Vec<_>> = read.ok().map(|columns| columns.iter().collect());
        if let Some(read) = &read {
            assert!(expected.starts_with(read), "byte {at} gave wrong values");
        }
        // After the published word and before the frames there is nothing, and so between frames.
        let harmless = read.as_ref() == Some(&expected);
        assert!(reported || harmless, "byte {at} was lost in silence");
    }
}

#[test]
fn one_damaged_run_does_not_hide_the_others() {
    let scene = Scene::new();
    let (bad, good) = {
        let store = scene.open();
        (finished_run(&store, "bad"), finished_run(&store, "good"))
    };
    let run_dir = scene.path().join(format!("experiments/0/runs/{bad}"));
    let segment = &files(&run_dir, ".seg")[0];
    let whole = std::fs::read(segment).unwrap();
    for content in [Vec::new(), vec![0; whole.len()], whole[..whole.len() / 2].to_vec(), b"something else".repeat(50)] {
        std::fs::write(segment, content).unwrap();
        // Also with a new catalog, which cannot be made from the damaged run.
        let _ = std::fs::remove_file(scene.path().join("catalog/catalog.tw"));
        let store = scene.open();
        assert_eq!(points(&store.snapshot(good).unwrap(), "loss").len(), 200);
        let error = store.snapshot(bad).and_then(|snapshot| snapshot.metric("loss")?.read()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(".seg"), "{error}");
        assert!(store.runs(&RunFilter::default()).unwrap().iter().any(|run| run.id == good));
        assert_eq!(store.verify(&mut |_| {}).unwrap().damage.len(), 1);
        store.compact(&mut |_| {}).unwrap();
        assert!(segment.exists(), "damage is never removed");
    }
}

#[test]
fn a_damaged_chunk_does_not_hide_the_other_metrics() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        let run = new_run(&store);
        for metric in ["a", "b"] {
            let steps: Vec<i64> = (0..50_000).map(|i| i64::from(metric == "b") + i).collect();
            let values: Vec<f64> = steps.iter().map(|s| (*s as f64).cos()).collect();
            run.metric(metric).unwrap().log_columns(&steps, &steps, &values).unwrap();
        }
        run.finish().unwrap();
        drop(run);
        store.compact(&mut |_| {}).unwrap();
        store.runs(&RunFilter::default()).unwrap()[0].id
    };
    let path = &files(&scene.path(), ".seg")[0];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[40_000] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let store = scene.open_read_only();
    let snapshot = store.snapshot(id).unwrap();
    let read: Vec<_> = ["a", "b"].iter().map(|key| snapshot.metric(key).unwrap().read().is_ok()).collect();
    assert_eq!(read.iter().filter(|ok| **ok).count(), 1, "exactly one of the two is hit");
    let damaged = if read[0] { "b" } else { "a" };
    let rest = snapshot.metric(damaged).unwrap().skip_damaged(true).order(Order::ByStep).read().unwrap();
    assert_eq!(rest.len(), 50_000 - 4096, "all but the damaged chunk");
    assert!(snapshot.metric(damaged).unwrap().read().is_err(), "damage is not forgotten");
    let pieces: Vec<bool> = snapshot.metric(damaged).unwrap().batches().map(|piece| piece.is_ok()).collect();
    let good = pieces.iter().take_while(|ok| **ok).count();
    assert!(good < 50_000 / 4096 && pieces.len() == good + 1, "nothing follows an error: {pieces:?}");
}

/// The checksum of a column is looked at when it is first read of an open segment, and again when that was opened anew.
#[test]
fn a_column_is_checked_once_an_open_segment() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    let steps: Vec<i64> = (0..1000).collect();
    let noise = |step: &i64| {
        let z = (*step as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        f64::from_bits((z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb))
    };
    let values: Vec<f64> = steps.iter().map(noise).collect();
    run.metric("m").unwrap().log_columns(&steps, &steps, &values).unwrap();
    run.finish().unwrap();
    store.compact(&mut |_| {}).unwrap();
    let snapshot = store.snapshot(run.id()).unwrap();
    let read = |snapshot: &trackway::Snapshot| snapshot.metric("m").unwrap().read();
    let bits = |columns: trackway::Columns| columns.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let before = bits(read(&snapshot).unwrap());
    // In place, so that the mappings see it: noise is stored as it is, and so is what becomes of it.
    let path = &files(&scene.path(), ".seg")[0];
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(8).position(|word| word == values[500].to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let after = bits(read(&snapshot).unwrap());
    assert!(before.iter().zip(&after).enumerate().all(|(at, (a, b))| a ^ b == u64::from(at == 500)));
    drop(snapshot);
    let snapshot = store.snapshot(run.id()).unwrap();
    for _ in 0..2 {
        assert!(read(&snapshot).is_err_and(|error| error.kind() == ErrorKind::Corrupt));
    }
}

#[test]
fn a_newer_format_is_named_and_not_touched() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        finished_run(&store, "future")
    };
    let newer = |path: &std::path::Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(path, bytes).unwrap();
    };
    let segment = files(&scene.path(), ".seg").remove(0);
    newer(&segment);
    let error = scene.open_read_only().snapshot(id).and_then(|s| s.metric("loss")?.read()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    newer(&scene.path().join("store.tw"));
    let before = std::fs::read(scene.path().join("catalog/catalog.tw")).unwrap();
    let error = Store::open(scene.path()).unwrap_err();
    assert!(error.to_string().contains("2.0") && error.to_string().contains("store.tw"), "{error}");
    assert_eq!(std::fs::read(scene.path().join("catalog/catalog.tw")).unwrap(), before);
}

#[test]
fn a_log_of_zeros_is_named_as_long_as_it_is_there() {
    let (scene, crashed) = (Scene::new(), Scene::new());
    let store = scene.open_quiet();
    let run = new_run(&store);
    run.log_metric("loss", 1, 0.5).unwrap();
    run.sync().unwrap();
    copy_dir(&scene.path(), &crashed.path());
    let path = files(&crashed.path(), ".log").remove(0);
    for len in [0, std::fs::metadata(&path).unwrap().len() as usize] {
        std::fs::write(&path, vec![0; len]).unwrap();
        let store = crashed.open_read_only();
        let report = store.verify(&mut |_| {}).unwrap();
        assert_eq!(report.damage.len(), 1, "{len}: {report:?}");
        assert_eq!((&report.damage[0].path, report.damage[0].offset), (&path, 0));
    }
}

#[test]
fn a_segment_that_is_gone_is_missed() {
    let scene = Scene::new();
    let id = {
        let store = scene.open();
        finished_run(&store, "kept");
        finished_run(&store, "lost")
    };
    let segment =
        files(&scene.path(), ".seg").into_iter().find(|path| path.to_string_lossy().contains(&id.to_string()));
    let segment = segment.unwrap();
    let (folder, content) = (segment.parent().unwrap().to_path_buf(), std::fs::read(&segment).unwrap());
    assert_eq!(scene.open_read_only().verify(&mut |_| {}).unwrap().damage, []);
    let found = || scene.open_read_only().verify(&mut |_| {}).unwrap().damage;
    std::fs::remove_file(&segment).unwrap();
    assert_eq!(found().iter().map(|damage| &damage.path).collect::<Vec<_>>(), [&folder]);
    assert!(found()[0].reason.contains("the catalog knows of 400 points, the files hold 0"), "{:?}", found());
    std::os::unix::fs::symlink("/dev/null", &segment).unwrap();
    assert_eq!(found().len(), 1);
    std::fs::remove_file(&segment).unwrap();
    std::fs::write(&segment, content).unwrap();
    assert_eq!(found(), []);
    // Who removes the whole folder of a run wants it gone.
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found(), []);
}

/// Found by a review: they were passed over in silence, and the run looked empty or was forgotten.
#[test]
fn what_is_no_file_and_has_the_name_of_one_is_damage_of_the_run() {
    for ending in [".seg", ".log"] {
        for kind in 0..3 {
            let (scene, crashed) = (Scene::new(), Scene::new());
            let store = scene.open_quiet();
            let (good, run) = (finished_run(&store, "good"), new_run(&store));
            run.log_metric("loss", 1, 0.5).unwrap();
            run.sync().unwrap();
            let bad = run.id();
            if ending == ".seg" {
                run.finish().unwrap();
                store.maintain().unwrap();
            }
            copy_dir(&scene.path(), &crashed.path());
            let dir = crashed.path().join(format!("experiments/0/runs/{bad}"));
            let path = files(&dir, ending).remove(0);
            std::fs::remove_file(&path).unwrap();
            match kind {
                0 => std::fs::create_dir(&path).unwrap(),
                1 => std::os::unix::fs::symlink("/no/such/file", &path).unwrap(),
                _ => assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success()),
            }
            let _ = std::fs::remove_file(crashed.path().join("catalog/catalog.tw"));
            for read_only in [true, false] {
                let store = if read_only { crashed.open_read_only() } else { crashed.open() };
                let snapshot = store.snapshot(bad).unwrap();
                let [damage] = snapshot.damage() else { panic!("{ending} {kind}: {:?}", snapshot.damage()) };
                assert_eq!(damage.kind(), ErrorKind::Corrupt);
                assert!(damage.to_string().contains(path.to_str().unwrap()), "{damage}");
                assert_eq!(snapshot.metric("loss").unwrap_err().kind(), ErrorKind::Corrupt);
                assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), 2);
                assert_eq!(points(&store.snapshot(good).unwrap(), "loss").len(), 200);
                assert_eq!(store.statistics().unwrap().runs, 2);
                let report = store.verify(&mut |_| {}).unwrap();
                assert_eq!(report.damage.iter().map(|damage| &damage.path).collect::<Vec<_>>(), [&path]);
                if !read_only {
                    store.compact(&mut |_| {}).unwrap();
                }
            }
            assert!(std::fs::symlink_metadata(&path).is_ok(), "damage is never removed");
        }
    }
}

/// Found by a review: the incident said that there was no log.
#[test]
fn a_run_of_artifacts_and_a_log_of_zeros_is_named_as_what_it_is() {
    let (scene, crashed) = (Scene::new(), Scene::new());
    let store = scene.open_quiet();
    let run = new_run(&store);
    run.artifacts().put_bytes("model", b"weights").unwrap();
    run.sync().unwrap();
    copy_dir(&scene.path(), &crashed.path());
    let path = files(&crashed.path(), ".log").remove(0);
    std::fs::write(&path, vec![0; 1 << 16]).unwrap();
    let incidents = crashed.open().incidents();
    let what = incidents.iter().map(|incident| incident.what.as_str()).collect::<Vec<_>>().join("; ");
    assert!(what.contains("a log in which nothing can be read, and \"artifacts\": it was left alone"), "{what}");
    assert!(path.exists(), "what is left alone stays");
}
