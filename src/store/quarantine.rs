//! Where damaged pieces go: into `quarantine/`, durably, before their place is given up. Nobody but a person removes them.
//!
//! What something will take the place of is copied, so that its place is never empty; what leaves nothing behind is
//! renamed.

use super::open::sync_up;
use super::paths::Paths;
use crate::catalog::write_new;
use crate::env::{Env, File};
use crate::error::{IoContext, Result};
use crate::segment::SegmentPlace;
use std::path::{Path, PathBuf};

/// Files are copied and compared in pieces of this length.
const PIECE: usize = 1 << 20;

/// Copies the file at `path` into the quarantine, as `name` or, when something else has that, one that begins like it.
/// Returns where the copy is; one that an earlier try has left is used.
pub(super) fn copy_aside(env: &Env, paths: &Paths, path: &Path, name: &str) -> Result<PathBuf> {
    let file = env.fs.open(path).at(path, "open")?;
    let quarantine = paths.quarantine();
    env.fs.create_dir_all(&quarantine).at(&quarantine, "create")?;
    let mut copy = quarantine.join(name);
    if env.fs.metadata(&copy).is_ok() {
        if !is_copy(env, &*file, &copy).at(path, "read")? {
            copy = free_name(env, &copy);
            fill(env, &*file, path, &copy)?;
        }
    } else {
        fill(env, &*file, path, &copy)?;
    }
    sync_up(env, &quarantine, paths.root())?;
    Ok(copy)
}

/// Copies a segment in a pack into the quarantine, as `name` or one that begins like it.
pub(super) fn copy_piece_aside(env: &Env, paths: &Paths, place: &SegmentPlace, name: &str) -> Result<PathBuf> {
    let quarantine = paths.quarantine();
    env.fs.create_dir_all(&quarantine).at(&quarantine, "create")?;
    let bytes = place.map(env)?;
    let mut copy = quarantine.join(name);
    if env.fs.metadata(&copy).is_ok() {
        copy = free_name(env, &copy);
    }
    write_new(env, &copy, &bytes)?;
    sync_up(env, &quarantine, paths.root())?;
    Ok(copy)
}

/// Moves what is at `path`, a file or something else, into the quarantine, as `name` or one that begins like it.
pub(super) fn move_aside(env: &Env, paths: &Paths, path: &Path, name: &str) -> Result<PathBuf> {
    let quarantine = paths.quarantine();
    env.fs.create_dir_all(&quarantine).at(&quarantine, "create")?;
    let mut aside = quarantine.join(name);
    if env.fs.metadata(&aside).is_ok() {
        aside = free_name(env, &aside);
    }
    env.fs.rename(path, &aside).at(path, "set aside")?;
    sync_up(env, &quarantine, paths.root())?;
    if let Some(dir) = path.parent() {
        env.fs.sync_dir(dir).at(dir, "sync")?;
    }
    Ok(aside)
}

fn free_name(env: &Env, taken: &Path) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = part(taken.file_stem()).unwrap_or_default();
    let ending = part(taken.extension()).map(|ending| format!(".{ending}")).unwrap_or_default();
    taken.with_file_name(format!("{stem}-{:016x}{ending}", env.clock.random()))
}

fn fill(env: &Env, file: &dyn File, path: &Path, copy: &Path) -> Result<()> {
    let temporary = copy.with_extension("tw-new");
    // Left behind by a process that died while it copied.
    let _ = env.fs.remove_file(&temporary);
    let output = env.fs.create_new(&temporary).at(&temporary, "create")?;
    let (mut at, mut piece) = (0, vec![0; PIECE]);
    loop {
        let read = file.read_at(&mut piece, at).at(path, "read")?;
        if read == 0 {
            break;
        }
        output.write_at(piece.get(..read).unwrap_or_default(), at).at(&temporary, "write")?;
        at += read as u64;
    }
    output.sync().at(&temporary, "sync")?;
    env.fs.rename(&temporary, copy).at(copy, "name")
}

fn is_copy(env: &Env, file: &dyn File, copy: &Path) -> std::io::Result<bool> {
    // A folder with the name, for one, is no copy.
    let Ok(copy) = env.fs.open(copy) else { return Ok(false) };
    let (mut at, mut ours, mut theirs) = (0, vec![0; PIECE], vec![0; PIECE]);
    loop {
        let read = file.read_at(&mut ours, at)?;
        if copy.read_at(&mut theirs, at)? != read || ours.get(..read) != theirs.get(..read) {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
}

/// Whether a file has nothing but zeros from `offset` on.
pub(super) fn is_zero_from(file: &dyn File, offset: u64) -> std::io::Result<bool> {
    let (mut at, mut piece) = (offset, vec![0; PIECE]);
    loop {
        let read = file.read_at(&mut piece, at)?;
        if piece.iter().take(read).any(|byte| *byte != 0) {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::env::sim::SimDisk;

    const PATH: &str = "/store/a.log";

    fn paths() -> Paths {
        Paths::new(Path::new("/store"))
    }

    fn aside(disk: &SimDisk) -> PathBuf {
        copy_aside(&disk.process(), &paths(), Path::new(PATH), "run-a.log").unwrap()
    }

    fn copies(disk: &SimDisk) -> Vec<PathBuf> {
        let quarantine = paths().quarantine();
        disk.files().into_iter().map(|(path, _)| path).filter(|path| path.starts_with(&quarantine)).collect()
    }

    #[test]
    fn a_file_that_is_set_aside_again_is_copied_only_when_it_has_changed() {
        let long: Vec<u8> = (0..2 * PIECE + 100).map(|at| (at % 251) as u8).collect();
        let mut late = long.clone();
        late.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        // One that differs in its last byte, one that ends where the other goes on, and the other way round.
        let versions = [long.clone(), late, long.get(..PIECE).unwrap().to_vec(), [long.as_slice(), &[0; 9]].concat()];
        let disk = SimDisk::new(1);
        let mut expected = Vec::new();
        for version in versions {
            disk.set_contents(PATH, version.as_slice());
            let copy = aside(&disk);
            assert_eq!(disk.contents(&copy), version);
            assert!(!expected.contains(&copy), "what was set aside before stays as it is");
            expected.push(copy);
        }
        let names = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(expected.iter().map(names).all(|name| name.starts_with("run-a") && name.ends_with(".log")));
        // A try that was cut off after it had made its copy is followed by one that uses it.
        disk.set_contents(PATH, long);
        assert_eq!(aside(&disk), *expected.first().unwrap());
        let mut found = copies(&disk);
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_that_has_the_name_is_no_copy() {
        let disk = SimDisk::new(1);
        disk.set_contents(PATH, *b"bytes");
        disk.process().fs.create_dir_all(&paths().quarantine().join("run-a.log")).unwrap();
        assert_eq!(disk.contents(aside(&disk)), b"bytes");
    }

    #[test]
    fn zeros_count_from_where_they_are_asked_for_to_the_end() {
        let disk = SimDisk::new(1);
        let is_zero = |at: usize, offset: u64| {
            let mut bytes = vec![0; 2 * PIECE + 10];
            bytes.get_mut(at).into_iter().for_each(|byte| *byte = 1);
            disk.set_contents(PATH, bytes);
            is_zero_from(&*disk.process().fs.open(Path::new(PATH)).unwrap(), offset).unwrap()
        };
        for at in [5, PIECE - 1, PIECE, 2 * PIECE + 9] {
            assert!(!is_zero(at, 0) && !is_zero(at, at as u64), "{at}");
            assert!(is_zero(at, at as u64 + 1), "{at}");
        }
        assert!(is_zero(usize::MAX, 0) && is_zero(0, u64::from(u32::MAX)));
    }
}
