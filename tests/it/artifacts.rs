//! Artifacts: plain files of a run, and nothing beyond its folder.

use crate::support::{Scene, new_run};
use trackway::ErrorKind;

#[test]
fn files_folders_and_bytes_are_put_listed_and_read() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    let artifacts = run.artifacts();
    assert_eq!(artifacts.list("").unwrap(), []);
    artifacts.put_bytes("notes/a.txt", b"one").unwrap();
    artifacts.put_bytes("notes/a.txt", b"two").unwrap();
    artifacts.put_bytes("empty", b"").unwrap();
    let source = scene.beside("model");
    std::fs::create_dir_all(source.join("deep/er")).unwrap();
    std::fs::write(source.join("deep/er/w.bin"), vec![7; 3 << 20]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).unwrap();
    assert_eq!(artifacts.put_dir("model", &source).unwrap(), 1);
    artifacts.put_file("copy.bin", &source.join("deep/er/w.bin")).unwrap();
    let names: Vec<_> = artifacts.list("").unwrap().into_iter().map(|a| (a.path, a.is_dir, a.size_bytes)).collect();
    let expected = [("copy.bin", false, 3 << 20), ("empty", false, 0), ("model", true, 0), ("notes", true, 0)];
    assert_eq!(names, expected.map(|(path, dir, size)| (path.to_owned(), dir, size)));
    assert_eq!(artifacts.list("notes").unwrap()[0].path, "notes/a.txt");
    run.finish().unwrap();
    let artifacts = scene.open_read_only().artifacts(run.id()).unwrap();
    assert_eq!(artifacts.read("notes/a.txt").unwrap(), b"two");
    assert_eq!(artifacts.read("model/deep/er/w.bin").unwrap(), vec![7; 3 << 20]);
    assert_eq!(artifacts.read("nothing").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(artifacts.local_path("copy.bin").unwrap().starts_with(scene.path()));
}

#[test]
fn paths_that_leave_the_folder_of_the_run_are_refused() {
    let scene = Scene::new();
    let store = scene.open();
    let run = new_run(&store);
    let artifacts = run.artifacts();
    let long = "x".repeat(3000);
    for path in [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/./b",
        "a//b",
        "a/",
        "./a",
        "C:\\x",
        "c:x",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        ".new-x",
        "a/.new-x/b",
        &long,
    ] {
        assert_eq!(artifacts.put_bytes(path, b"x").unwrap_err().kind(), ErrorKind::InvalidInput, "{path:?}");
        assert!(artifacts.read(path).is_err(), "{path:?}");
    }
    artifacts.put_bytes("plain", b"x").unwrap();
    let root = artifacts.local_path("plain").unwrap().parent().unwrap().to_path_buf();
    std::os::unix::fs::symlink("/etc", root.join("out")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("passwd")).unwrap();
    assert!(artifacts.put_bytes("out/x", b"x").is_err());
    assert!(artifacts.read("out/hostname").is_err());
    assert!(artifacts.read("passwd").is_err());
    assert!(artifacts.list("").unwrap().iter().all(|artifact| artifact.path == "plain"));
    assert!(artifacts.put_bytes("plain/below", b"x").is_err(), "a file is no folder");
}

/// Found by a review: what a killed process had copied in part stayed for good.
#[test]
fn unfinished_files_are_swept_when_nobody_can_be_writing_them() {
    let scene = Scene::new();
    let store = scene.open_quiet();
    let run = new_run(&store);
    run.artifacts().put_bytes("model/weights.bin", b"weights").unwrap();
    let folder = run.artifacts().local_path("model/weights.bin").unwrap().parent().unwrap().to_path_buf();
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 3600);
    let put = |name: &str, is_old: bool| {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        if is_old {
            file.set_modified(yesterday).unwrap();
        }
        file
    };
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    drop(put(".new-0000000000000001", true));
    drop(put(".new-0000000000000002", false));
    drop(put(".new-of somebody else", true));
    // Nothing outside of the store is touched.
    let outside = scene.beside("outside");
    std::fs::create_dir(&outside).unwrap();
    put("../../../../../../../outside/.new-0000000000000004", true);
    std::os::unix::fs::symlink(&outside, folder.join("link")).unwrap();
    let other = new_run(&store);
    std::os::unix::fs::symlink(&outside, folder.join(format!("../../../{}/artifacts", other.id()))).unwrap();
    other.finish().unwrap();
    let held = put(".new-0000000000000003", true);
    held.lock().unwrap();
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(names().len(), 6, "somebody writes to the run");
    run.finish().unwrap();
    drop(run);
    store.maintain().unwrap();
    let left = [".new-0000000000000002", ".new-0000000000000003", ".new-of somebody else", "link", "weights.bin"];
    assert_eq!(names(), left);
    drop(held);
    store.compact(&mut |_| {}).unwrap();
    assert_eq!(names(), [left[0], left[2], left[3], left[4]]);
    assert!(outside.join(".new-0000000000000004").exists());
}
