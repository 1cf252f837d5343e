//! Opening: is it a store, of a version we know, and may we write; then the past is dealt with, then work begins.

use super::paths::Paths;
use super::worker::{Alarm, Worker};
use super::{Open, Shared, Store, twice};
use crate::catalog::{Journal, write_new};
use crate::env::sync::Mutex;
use crate::env::sync::atomic::{AtomicBool, AtomicU64};
use crate::env::{Env, File, FileKind};
use crate::error::{Error, IoContext, Result};
use crate::format::header::{FileType, Header, decode_body, encode_file};
use crate::log::header_error;
use crate::options::{AppendMode, StoreOptions};
use crate::types::FileId;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

impl Store {
    /// See [`Store::open`].
    pub(crate) fn open_with(path: &Path, options: StoreOptions) -> Result<Self> {
        let env = options.env.clone().unwrap_or_else(Env::real);
        // The working directory may change while the store is open. An empty path is refused here.
        let path = &std::path::absolute(path).at(path, "find")?;
        let paths = Paths::new(path);
        let exists = check_folder(&env, &paths)?;
        if !exists && (options.read_only || !options.create) {
            return Err(Error::not_found("store", path.display()));
        }
        if exists {
            // Before anything is touched: a store of a newer format is left as it is.
            twice(|| check_store_file(&env, &paths))?;
        }
        if !options.read_only {
            prepare(&env, &paths).map_err(|error| read_only_folder(&paths, error))?;
        }
        let header = twice(|| check_store_file(&env, &paths))?;
        if !header.writable && !options.read_only {
            return Err(Error::ReadOnly { path: path.to_path_buf(), cause: "it was written by a newer trackway" });
        }
        let mapped = options.append_mode == AppendMode::Auto && env.fs.can_map_appends(path);
        let journal = Journal::new(&env, paths.catalog_file());
        let journal = match options.index_from {
            Some(runs) => journal.index_from(runs),
            None => journal,
        };
        let shared = Arc::new(Shared {
            mapped,
            journal: Mutex::new(journal),
            heads: Mutex::default(),
            spare_head: Mutex::default(),
            known_segments: Mutex::default(),
            model_places: Mutex::default(),
            segments: Mutex::new(HashMap::new()),
            packs: Mutex::default(),
            packs_allowed: AtomicBool::new(false),
            gathering: Mutex::default(),
            writers: Mutex::default(),
            retired: Mutex::default(),
            spent: Mutex::default(),
            to_settle: Mutex::default(),
            incidents: Mutex::default(),
            maintenance: Mutex::default(),
            scrub: Mutex::default(),
            clock_us: AtomicU64::new(0),
            append_alarm: Alarm::default(),
            sync_alarm: Alarm::default(),
            seal_alarm: Alarm::default(),
            env,
            paths,
            options,
        });
        let mut worker = None;
        if shared.options.read_only {
            // A catalog that was cut hides runs, and one of another store names some that are not here; a writer mends
            // it, a reader looks for itself. In this order: what is created meanwhile is not yet settled.
            let unread = shared.experiments_with_unread_packs()?;
            shared.read_catalog(|journal| journal.match_folders(&shared.runs_on_disk()?, &unread))?;
        }
        if !shared.options.read_only {
            {
                let _store_lock = shared.lock_file(&shared.paths.store_lock())?;
                shared.ensure_default_experiment()?;
                shared.adopt_experiments()?;
            }
            shared.match_folders()?;
            shared.recover_runs()?;
            shared.note_packs()?;
            if shared.options.background {
                worker = Some(Worker::start(&shared)?);
            }
        }
        let open = Arc::new(Open { shared: Arc::clone(&shared), worker });
        Ok(Self { shared, open })
    }
}

/// Whether the folder is there and is, or can become, a store.
fn check_folder(env: &Env, paths: &Paths) -> Result<bool> {
    let root = paths.root();
    let not_a_store = |reason: &str| Err(Error::NotAStore { path: root.to_path_buf(), reason: reason.to_owned() });
    match env.fs.metadata(root).map(|metadata| metadata.kind) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return not_a_store("a part of the path is a file");
        }
        Err(error) => return Err(error).at(root, "look at"),
        Ok(FileKind::File) => return not_a_store("it is a file, a store is a folder"),
        // A link to a folder is followed by listing it.
        Ok(FileKind::Dir | FileKind::Other) => {}
    }
    let entries = env.fs.read_dir(root).at(root, "list")?;
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    if has("store.tw") {
        return Ok(true);
    }
    // A creation that was cut short left these and nothing else.
    let ours = ["locks", "experiments", "catalog", "store.tw-new"];
    if entries.iter().all(|entry| ours.contains(&entry.name.as_str())) {
        return Ok(false);
    }
    not_a_store("the folder holds other things and no store.tw")
}

/// Creates what is missing of a store's folders, and the file that makes it one. Who was killed while he did that may have
/// left names that are not durable yet: they are made so before anybody relies on them.
fn prepare(env: &Env, paths: &Paths) -> Result<()> {
    let root = paths.root();
    for dir in [paths.experiments(), paths.catalog_dir(), paths.locks()] {
        env.fs.create_dir_all(&dir).at(&dir, "create")?;
    }
    let path = paths.store_file();
    let is_new = !is_there(env, &path)?;
    if is_new {
        sync_names(env, root)?;
    }
    let lock = paths.store_lock();
    let _store_lock = env.fs.lock(&lock).at(&lock, "lock")?;
    if is_new && !is_there(env, &path)? {
        return write_store_file(env, paths, false);
    }
    // Where there is a catalog, somebody has gone on after the file's name was durable.
    if is_there(env, &paths.catalog_file())? { Ok(()) } else { env.fs.sync_dir(root).at(root, "sync") }
}

fn is_there(env: &Env, path: &Path) -> Result<bool> {
    match env.fs.metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).at(path, "look at"),
    }
}

/// Makes the names of a folder and of all folders above it durable, but for those above that this user may not look into or
/// write to: he has not made what is in them.
fn sync_names(env: &Env, dir: &Path) -> Result<()> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    dir.ancestors().try_for_each(|dir| match env.fs.sync_dir(dir) {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => Ok(()),
        synced => synced.at(dir, "sync"),
    })
}

/// Writes the file that makes a folder a store. `packs`: runs may lie in packs, which who does not know them must refuse.
pub(super) fn write_store_file(env: &Env, paths: &Paths, packs: bool) -> Result<()> {
    let header = Header::of_store(FileId(env.clock.random_id()), packs);
    write_new(env, &paths.store_file(), &encode_file(&header, &[])).map(|_| ())
}

/// Makes the names of a folder and of all folders above it, up to those in `top`, durable.
pub(super) fn sync_up(env: &Env, dir: &Path, top: &Path) -> Result<()> {
    let folders = dir.ancestors().take_while(|dir| dir.starts_with(top));
    folders.into_iter().try_for_each(|dir| env.fs.sync_dir(dir).at(dir, "sync"))
}

/// A folder that refuses writing is one problem, whatever the call that met it.
fn read_only_folder(paths: &Paths, error: Error) -> Error {
    match &error {
        Error::Io { source, .. } => {
            let cause = match source.kind() {
                std::io::ErrorKind::PermissionDenied => "no permission to write there",
                std::io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only",
                _ => return error,
            };
            Error::ReadOnly { path: paths.root().to_path_buf(), cause }
        }
        _ => error,
    }
}

/// The bytes of a file, the first `most` of a longer one.
pub(super) fn read_start(file: &dyn File, path: &Path, most: u64) -> Result<Vec<u8>> {
    let len = file.len().at(path, "measure")?.min(most);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let read = file.read_at(&mut bytes, 0).at(path, "read")?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Checks magic, version and checksum of the file that makes a folder a store; returns what it says.
pub(super) fn check_store_file(env: &Env, paths: &Paths) -> Result<Header> {
    let path = paths.store_file();
    let file = env.fs.open(&path).at(&path, "open")?;
    let bytes = read_start(&*file, &path, 1 << 20)?;
    let header = Header::decode(&bytes, FileType::Store).map_err(|error| header_error(&path, error))?;
    decode_body(&bytes, &header).map_err(|error| Error::corrupt(&path, error.offset as u64, error.to_string()))?;
    Ok(header)
}
