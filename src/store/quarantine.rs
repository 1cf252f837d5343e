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
