//! The contracts of `Fs`, `File`, `Extent`, `Lock` and `Clock`, run over the real machine and the simulated one.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::SimDisk;
use crate::env::{DirEntry, Env, File, FileKind};

fn kind<T>(result: std::io::Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}

fn read(file: &Arc<dyn File>, offset: u64, len: usize) -> Vec<u8> {
    let mut buf = vec![0xEE; len];
    let n = file.read_at(&mut buf, offset).unwrap();
    buf.truncate(n);
    buf
}

fn folders(env: &Env, root: &Path) {
    let fs = &env.fs;
    let dir = root.join("a/b/c");
    fs.create_dir_all(&dir).unwrap();
    fs.create_dir_all(&dir).unwrap();
    fs.create_new(&dir.join("f")).unwrap();
    fs.sync_dir(&dir).unwrap();
    assert_eq!(fs.read_dir(&dir).unwrap(), [DirEntry { name: "f".into(), kind: FileKind::File }]);
    assert_eq!(fs.read_dir(&root.join("a")).unwrap(), [DirEntry { name: "b".into(), kind: FileKind::Dir }]);
    assert_eq!(kind(fs.create_dir_all(&dir.join("f"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(fs.create_dir_all(&dir.join("f/g"))), ErrorKind::NotADirectory);
    assert_eq!(kind(fs.read_dir(&root.join("none"))), ErrorKind::NotFound);
    assert_eq!(kind(fs.read_dir(&dir.join("f"))), ErrorKind::NotADirectory);
    assert_eq!(kind(fs.sync_dir(&root.join("none"))), ErrorKind::NotFound);
    assert_eq!(kind(fs.metadata(&root.join("none"))), ErrorKind::NotFound);
    let found = fs.metadata(&dir).unwrap();
    assert_eq!((found.kind, found.len), (FileKind::Dir, 0));
    assert_eq!(kind(fs.remove_dir(&dir)), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(fs.remove_dir(&dir.join("f"))), ErrorKind::NotADirectory);
    fs.create_dir_all(&root.join("a/empty")).unwrap();
    fs.remove_dir(&root.join("a/empty")).unwrap();
    assert_eq!(kind(fs.remove_dir(&root.join("a/empty"))), ErrorKind::NotFound);
    fs.remove_dir_all(&root.join("a")).unwrap();
    assert_eq!(kind(fs.metadata(&root.join("a"))), ErrorKind::NotFound);
    assert_eq!(kind(fs.remove_dir_all(&root.join("a"))), ErrorKind::NotFound);
}

fn names(env: &Env, root: &Path) {
    let fs = &env.fs;
    let (a, b, dir) = (root.join("a"), root.join("b"), root.join("dir"));
    assert_eq!(kind(fs.open(&a)), ErrorKind::NotFound);
    assert_eq!(kind(fs.open_write(&a)), ErrorKind::NotFound);
    assert_eq!(kind(fs.create_new(&root.join("none/a"))), ErrorKind::NotFound);
    let first = fs.create_new(&a).unwrap();
    assert_eq!(kind(fs.create_new(&a)), ErrorKind::AlreadyExists);
    fs.create_dir_all(&dir).unwrap();
    assert_eq!(kind(fs.open(&dir)), ErrorKind::IsADirectory);
    assert_eq!(kind(fs.open_write(&dir)), ErrorKind::IsADirectory);
    assert_eq!(kind(fs.create_new(&dir)), ErrorKind::AlreadyExists);
    first.write_at(b"first", 0).unwrap();
    let second = fs.create_new(&b).unwrap();
    second.write_at(b"second", 0).unwrap();
    fs.rename(&a, &b).unwrap();
    assert_eq!(kind(fs.open(&a)), ErrorKind::NotFound);
    assert_eq!(read(&fs.open(&b).unwrap(), 0, 9), b"first");
    // The replaced file lives on for who has it open, and so does the moved one.
    assert_eq!(read(&second, 0, 9), b"second");
    first.write_at(b"FIRST", 0).unwrap();
    assert_eq!(read(&fs.open(&b).unwrap(), 0, 9), b"FIRST");
    assert_eq!(kind(fs.rename(&a, &b)), ErrorKind::NotFound);
    assert_eq!(kind(fs.rename(&b, &dir)), ErrorKind::IsADirectory);
    assert_eq!(kind(fs.rename(&dir, &b)), ErrorKind::NotADirectory);
    assert_eq!(kind(fs.rename(&dir, &dir.join("in"))), ErrorKind::InvalidInput);
    fs.rename(&b, &b).unwrap();
    fs.rename(&b, &dir.join("b")).unwrap();
    fs.create_dir_all(&root.join("empty")).unwrap();
    assert_eq!(kind(fs.rename(&root.join("empty"), &dir)), ErrorKind::DirectoryNotEmpty);
    fs.rename(&dir, &root.join("empty")).unwrap();
    assert_eq!(read(&fs.open(&root.join("empty/b")).unwrap(), 0, 9), b"FIRST");
    assert_eq!(kind(fs.remove_file(&b)), ErrorKind::NotFound);
    fs.remove_file(&root.join("empty/b")).unwrap();
    assert!(fs.read_dir(&root.join("empty")).unwrap().is_empty());
    assert_eq!(read(&first, 0, 9), b"FIRST");
}

fn content(env: &Env, root: &Path) {
    let path = root.join("f");
    let file = env.fs.create_new(&path).unwrap();
    let other = env.fs.open(&path).unwrap();
    assert_eq!((file.len().unwrap(), read(&file, 0, 4), read(&file, u64::MAX, 4)), (0, vec![], vec![]));
    assert!(file.map().is_ok_and(|region| region.is_empty()));
    let path = root.join("g");
    let file = env.fs.create_new(&path).unwrap();
    assert_eq!(other.len().unwrap(), 0);
    let other = env.fs.open(&path).unwrap();
    file.write_at(b"end", 10).unwrap();
    assert_eq!(read(&other, 8, 100), b"\0\0end");
    file.write_at(b"", 100).unwrap();
    assert_eq!(other.len().unwrap(), 13);
    assert!(other.write_at(b"x", 0).is_err());
    assert!(other.set_len(1).is_err());
    file.set_len(11).unwrap();
    file.set_len(5000).unwrap();
    assert_eq!(read(&other, 9, 4), b"\0e\0\0");
    assert_eq!(env.fs.metadata(&path).unwrap().len, 5000);
    let writable = env.fs.open_write(&path).unwrap();
    writable.write_at(b"w", 4999).unwrap();
    file.sync().unwrap();
    let found = env.fs.metadata(&path).unwrap();
    assert!(found.modified_ns > 1_700_000_000_000_000_000 && found.allocated > 0);
    let region = file.map().unwrap();
    assert_eq!((region.len(), region[4999], region[10]), (5000, b'w', b'e'));
    drop((file, other, writable));
    env.fs.remove_file(&path).unwrap();
    assert_eq!(region.get(4998..5000), Some(&b"\0w"[..]));
}

fn allocation(env: &Env, root: &Path) {
    let path = root.join("f");
    let file = env.fs.create_new(&path).unwrap();
    file.write_at(b"abc", 0).unwrap();
    file.allocate(0, 65536).unwrap();
    assert_eq!(file.len().unwrap(), 65536);
    assert!(env.fs.metadata(&path).unwrap().allocated >= 65536);
    file.allocate(4096, 4096).unwrap();
    assert_eq!(file.len().unwrap(), 65536);
    assert_eq!(read(&file, 0, 5), b"abc\0\0");
    assert_eq!(kind(file.allocate(u64::MAX, 2)), ErrorKind::FileTooLarge);
    assert_eq!(kind(file.allocate(1 << 63, 4096)), ErrorKind::FileTooLarge);
}

fn locks(env: &Env, root: &Path) {
    let path = root.join("f");
    let a = env.fs.create_new(&path).unwrap();
    let b = env.fs.open_write(&path).unwrap();
    let reader = env.fs.open(&path).unwrap();
    assert!(!reader.is_locked().unwrap() && !a.is_locked().unwrap());
    assert!(a.try_lock().unwrap() && a.try_lock().unwrap());
    assert!(!b.try_lock().unwrap());
    assert!(a.is_locked().unwrap() && b.is_locked().unwrap() && reader.is_locked().unwrap());
    assert!(!b.try_lock().unwrap());
    let moved = root.join("moved");
    env.fs.rename(&path, &moved).unwrap();
    assert!(reader.is_locked().unwrap());
    let clone = Arc::clone(&a);
    drop(a);
    assert!(b.is_locked().unwrap());
    drop(clone);
    assert!(!b.is_locked().unwrap());
    assert!(b.try_lock().unwrap());

    let lock = root.join("lock");
    let held = env.fs.lock(&lock).unwrap();
    assert!(env.fs.try_lock(&lock).unwrap().is_none());
    drop(held);
    let held = env.fs.try_lock(&lock).unwrap().unwrap();
    assert!(env.fs.try_lock(&lock).unwrap().is_none());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(env.fs.lock(&lock).unwrap()));
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(!waiter.is_finished());
        drop(held);
    });
    assert_eq!(kind(env.fs.lock(&root.join("none/lock"))), ErrorKind::NotFound);
    assert_eq!(kind(env.fs.lock(root)), ErrorKind::IsADirectory);
}

fn extents(env: &Env, root: &Path, mapped: bool) {
    let path = root.join("f");
    let file = env.fs.create_new(&path).unwrap();
    file.allocate(0, 3 * 4096).unwrap();
    file.write_at(b"before", 4096).unwrap();
    let reader = env.fs.open(&path).unwrap();
    for (offset, len) in [(1, 4096), (4096, 4095), (0, 0)] {
        assert_eq!(kind(file.extent(offset, len, mapped)), ErrorKind::InvalidInput);
    }
    if mapped {
        assert_eq!(kind(file.extent(8192, 8192, true)), ErrorKind::InvalidInput);
        assert_eq!(kind(reader.extent(0, 4096, true)), ErrorKind::PermissionDenied);
    }
    let mut extent = file.extent(4096, 8192, mapped).unwrap();
    extent.prefault();
    assert_eq!(extent.bytes_mut().len(), 8192);
    assert_eq!(&extent.bytes_mut()[..8], if mapped { b"before\0\0" } else { &[0; 8] });
    extent.bytes_mut()[4096..4100].copy_from_slice(b"data");
    extent.write_back(4096, 4100).unwrap();
    extent.write_back(4100, 4100).unwrap();
    assert_eq!(read(&reader, 8191, 6), b"\0data\0");
    extent.store_word(8, 0x0807_0605_0403_0201).unwrap();
    assert_eq!(read(&reader, 4104, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(&extent.bytes_mut()[8..16], &[1, 2, 3, 4, 5, 6, 7, 8]);
    for at in [4, 8185, 8192, usize::MAX - 7] {
        assert_eq!(kind(extent.store_word(at, 1)), ErrorKind::InvalidInput);
    }
    assert_eq!(kind(extent.write_back(0, 8193)), ErrorKind::InvalidInput);
    drop(file);
    extent.store_word(8184, 5).unwrap();
    assert_eq!(read(&reader, 3 * 4096 - 8, 8), [5, 0, 0, 0, 0, 0, 0, 0]);
    drop(extent);
    assert_eq!(read(&reader, 8192, 4), b"data");
    assert_eq!(read(&reader, 4096, 8), b"before\0\0", "nothing is written that was not asked for");
    assert_eq!(reader.len().unwrap(), 3 * 4096);
}

fn time(env: &Env) {
    let (wall, steady) = (env.clock.now_us(), env.clock.monotonic_us());
    assert!(wall > 1_700_000_000_000_000);
    assert!(env.clock.monotonic_us() >= steady);
    assert_ne!(env.clock.random(), env.clock.random());
    assert_eq!(env.clock.boot_id(), env.clock.boot_id());
}

fn all(env: &Env, root: &Path) {
    let sub = |name: &str| {
        let dir = root.join(name);
        env.fs.create_dir_all(&dir).unwrap();
        dir
    };
    folders(env, &sub("folders"));
    names(env, &sub("names"));
    content(env, &sub("content"));
    allocation(env, &sub("allocation"));
    locks(env, &sub("locks"));
    extents(env, &sub("mapped"), true);
    extents(env, &sub("plain"), false);
    time(env);
}

#[test]
fn the_real_machine_keeps_the_contracts() {
    let dir = tempfile::tempdir().unwrap();
    all(&Env::real(), dir.path());
}

#[test]
fn the_simulated_machine_keeps_the_contracts() {
    all(&SimDisk::new(1).process(), Path::new("/store"));
}
