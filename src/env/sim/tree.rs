//! The simulated folders: what processes see, what the medium has, and the changes in between.
//!
//! Every change of an entry is an [`Edit`]: "this name in this folder now means this inode (or nothing)". Folders have
//! a `now` (all edits) and a `synced` state; the edits not yet durable are kept in order in `pending`. Syncing a folder
//! applies its edits to `synced`; a power loss applies a chosen part of them (`crash.rs`).
//!
//! Which parts are possible is what journaling file systems (ext4, xfs) could give, minus their habit of committing
//! more than they were asked for. The edits of one name happen in order. An edit may need others:
//! * a rename inside one folder is one atomic change (both its edits or none);
//! * of a rename across folders the removal needs the addition: a file may show up under both names, but not vanish.
//!   It is durable when the *target* folder is synced, its removal from the source when both are;
//! * the addition by a rename needs the folder it goes to, up to the root, and a removed folder needs the removal of
//!   what was in it: so nothing that was durable is swept away by the order of changes.
//!
//! A created file or folder needs nothing: it is lost, with all below, unless the folder that names it was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::node::FileNode;

pub(super) type Ino = u64;
pub(super) const ROOT: Ino = 0;

#[derive(Clone, Debug, Default)]
pub(super) struct DirNode {
    pub(super) now: BTreeMap<String, Ino>,
    pub(super) synced: BTreeMap<String, Ino>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) seq: u64,
    /// The operation it belongs to: the sequence number of its first edit.
    pub(super) op: u64,
    pub(super) dir: Ino,
    pub(super) name: String,
    pub(super) to: Option<Ino>,
    needs: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<Ino, Node>,
    pub(super) pending: Vec<Edit>,
    next: u64,
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

/// The names of a path from the root; all paths count from there.
fn parts(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or_else(|| error(io::ErrorKind::InvalidFilename))?),
            Component::ParentDir | Component::Prefix(_) => return Err(error(io::ErrorKind::InvalidInput)),
        }
    }
    Ok(names)
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Dir(DirNode::default()))]), pending: Vec::new(), next: 1 }
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn dir(&self, ino: Ino) -> io::Result<&DirNode> {
        match self.nodes.get(&ino) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(Node::File(_)) => Err(error(io::ErrorKind::NotADirectory)),
            None => Err(error(io::ErrorKind::NotFound)),
        }
    }

    pub(super) fn file(&self, ino: Ino) -> io::Result<&FileNode> {
        match self.nodes.get(&ino) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir(_)) => Err(error(io::ErrorKind::IsADirectory)),
            None => Err(error(io::ErrorKind::NotFound)),
        }
    }

    pub(super) fn file_mut(&mut self, ino: Ino) -> io::Result<&mut FileNode> {
        match self.nodes.get_mut(&ino) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir(_)) => Err(error(io::ErrorKind::IsADirectory)),
            None => Err(error(io::ErrorKind::NotFound)),
        }
    }

    fn lookup(&self, dir: Ino, name: &str) -> io::Result<Option<Ino>> {
        Ok(self.dir(dir)?.now.get(name).copied())
    }

    fn walk(&self, names: &[&str]) -> io::Result<Ino> {
        names.iter().try_fold(ROOT, |dir, name| self.lookup(dir, name)?.ok_or_else(|| error(io::ErrorKind::NotFound)))
    }

    pub(super) fn resolve(&self, path: &Path) -> io::Result<Ino> {
        self.walk(&parts(path)?)
    }

    /// The folder of the last name of `path`, which must exist, and that name.
    fn parent(&self, path: &Path) -> io::Result<(Ino, String)> {
        let names = parts(path)?;
        let (last, above) = names.split_last().ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        let dir = self.walk(above)?;
        self.dir(dir)?;
        Ok((dir, (*last).to_owned()))
    }

    pub(super) fn entries(&self, path: &Path) -> io::Result<Vec<(String, Ino)>> {
        Ok(self.dir(self.resolve(path)?)?.now.iter().map(|(name, &ino)| (name.clone(), ino)).collect())
    }

    /// All files as processes see them, by path.
    pub(super) fn files(&self) -> Vec<(PathBuf, Ino)> {
        let (mut found, mut todo) = (Vec::new(), vec![(PathBuf::from("/"), ROOT)]);
        while let Some((path, ino)) = todo.pop() {
            match self.nodes.get(&ino) {
                Some(Node::Dir(dir)) => todo.extend(dir.now.iter().map(|(name, &ino)| (path.join(name), ino))),
                Some(Node::File(_)) => found.push((path, ino)),
                None => {}
            }
        }
        found.sort();
        found
    }

    fn push_edit(&mut self, op: Option<u64>, dir: Ino, name: &str, to: Option<Ino>) -> io::Result<u64> {
        let seq = self.fresh();
        match self.nodes.get_mut(&dir) {
            Some(Node::Dir(node)) => match to {
                Some(ino) => _ = node.now.insert(name.to_owned(), ino),
                None => _ = node.now.remove(name),
            },
            _ => return Err(error(io::ErrorKind::NotADirectory)),
        }
        self.pending.push(Edit { seq, op: op.unwrap_or(seq), dir, name: name.to_owned(), to, needs: Vec::new() });
        Ok(seq)
    }

    fn add_needs(&mut self, seq: u64, needs: impl IntoIterator<Item = u64>) {
        if let Some(edit) = self.pending.iter_mut().find(|edit| edit.seq == seq) {
            edit.needs.extend(needs);
        }
    }

    pub(super) fn create_file(&mut self, path: &Path, modified_us: u64) -> io::Result<Ino> {
        let (dir, name) = self.parent(path)?;
        if self.lookup(dir, &name)?.is_some() {
            return Err(error(io::ErrorKind::AlreadyExists));
        }
        let ino = self.fresh();
        self.nodes.insert(ino, Node::File(FileNode::durable(Vec::new(), modified_us)));
        self.push_edit(None, dir, &name, Some(ino))?;
        Ok(ino)
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let names = parts(path)?;
        let mut dir = ROOT;
        for (i, name) in names.iter().enumerate() {
            dir = match self.lookup(dir, name)? {
                Some(ino) if self.dir(ino).is_err() && i + 1 == names.len() => {
                    return Err(error(io::ErrorKind::AlreadyExists));
                }
                Some(ino) => ino,
                None => {
                    let ino = self.fresh();
                    self.nodes.insert(ino, Node::Dir(DirNode::default()));
                    self.push_edit(None, dir, name, Some(ino))?;
                    ino
                }
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let ino = self.lookup(from_dir, &from_name)?.ok_or_else(|| error(io::ErrorKind::NotFound))?;
        let (to_dir, to_name) = self.parent(to)?;
        let is_dir = self.dir(ino).is_ok();
        let (from_parts, to_parts) = (parts(from)?, parts(to)?);
        if is_dir && to_parts.len() > from_parts.len() && to_parts.starts_with(&from_parts) {
            return Err(error(io::ErrorKind::InvalidInput));
        }
        match self.lookup(to_dir, &to_name)? {
            // Also when both names are links to one file: POSIX wants nothing to happen.
            Some(target) if target == ino => return Ok(()),
            Some(target) => match (is_dir, self.dir(target)) {
                (true, Err(_)) => return Err(error(io::ErrorKind::NotADirectory)),
                (false, Ok(_)) => return Err(error(io::ErrorKind::IsADirectory)),
                (true, Ok(dir)) if !dir.now.is_empty() => return Err(error(io::ErrorKind::DirectoryNotEmpty)),
                _ => {}
            },
            None => {}
        }
        let above = self.pending_above(to_dir);
        let link = self.push_edit(None, to_dir, &to_name, Some(ino))?;
        let unlink = self.push_edit(Some(link), from_dir, &from_name, None)?;
        self.add_needs(link, above);
        self.add_needs(unlink, [link]);
        if is_dir || from_dir == to_dir {
            self.add_needs(link, [unlink]);
        }
        Ok(())
    }

    /// The pending edits that make `dir` and the folders above it be there.
    fn pending_above(&self, mut dir: Ino) -> Vec<u64> {
        let mut needs = Vec::new();
        while dir != ROOT {
            needs.extend(self.pending.iter().filter(|edit| edit.to == Some(dir)).map(|edit| edit.seq));
            let above = self.nodes.iter().find_map(|(&ino, node)| match node {
                Node::Dir(node) if node.now.values().any(|&child| child == dir) => Some(ino),
                _ => None,
            });
            dir = above.unwrap_or(ROOT);
        }
        needs
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let ino = self.lookup(dir, &name)?.ok_or_else(|| error(io::ErrorKind::NotFound))?;
        self.file(ino)?;
        self.push_edit(None, dir, &name, None)?;
        Ok(())
    }

    /// Removes an empty folder.
    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let ino = self.lookup(dir, &name)?.ok_or_else(|| error(io::ErrorKind::NotFound))?;
        if !self.dir(ino)?.now.is_empty() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty));
        }
        self.remove_dir_all(path, 256)
    }

    /// Removes a folder from the leaves up; only `part` (of 256) of the removals happens: a call that was interrupted.
    pub(super) fn remove_dir_all(&mut self, path: &Path, part: u64) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let ino = self.lookup(dir, &name)?.ok_or_else(|| error(io::ErrorKind::NotFound))?;
        self.dir(ino)?;
        let (mut order, mut todo) = (Vec::new(), vec![(dir, name, ino)]);
        while let Some((dir, name, ino)) = todo.pop() {
            if let Ok(node) = self.dir(ino) {
                todo.extend(node.now.iter().map(|(name, &child)| (ino, name.clone(), child)));
            }
            order.push((dir, name, ino));
        }
        // Parents were found before their children.
        order.reverse();
        order.truncate((order.len() as u64 * part).div_ceil(256) as usize);
        for (dir, name, ino) in order {
            let inside: Vec<u64> = self.pending.iter().filter(|edit| edit.dir == ino).map(|edit| edit.seq).collect();
            let seq = self.push_edit(None, dir, &name, None)?;
            self.add_needs(seq, inside);
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.resolve(path)?;
        self.dir(dir)?;
        let last_of_name: BTreeMap<&str, u64> =
            self.pending.iter().filter(|edit| edit.dir == dir).map(|edit| (edit.name.as_str(), edit.seq)).collect();
        let elsewhere = |seq: &u64| self.pending.iter().any(|edit| edit.seq == *seq && edit.dir != dir);
        // Moved to another folder, which was not synced: the removal waits for the addition there.
        let waits = |edit: &Edit| {
            edit.to.is_none()
                && edit.op != edit.seq
                && edit.needs.iter().any(elsewhere)
                && last_of_name.get(edit.name.as_str()) == Some(&edit.seq)
        };
        let chosen = self.pending.iter().filter(|edit| edit.dir == dir && !waits(edit)).map(|edit| edit.seq).collect();
        self.make_durable(chosen);
        Ok(())
    }

    /// Applies the chosen pending edits, and all that they need, to the synced state.
    pub(super) fn make_durable(&mut self, mut chosen: BTreeSet<u64>) {
        let mut todo: Vec<u64> = chosen.iter().copied().collect();
        while let Some(seq) = todo.pop() {
            let Some(edit) = self.pending.iter().find(|edit| edit.seq == seq) else { continue };
            let before = self.pending.iter().filter(|e| e.seq < seq && e.dir == edit.dir && e.name == edit.name);
            for need in before.map(|e| e.seq).chain(edit.needs.iter().copied()) {
                if chosen.insert(need) {
                    todo.push(need);
                }
            }
        }
        for edit in self.pending.extract_if(.., |edit| chosen.contains(&edit.seq)) {
            if let Some(Node::Dir(dir)) = self.nodes.get_mut(&edit.dir) {
                match edit.to {
                    Some(ino) => _ = dir.synced.insert(edit.name, ino),
                    None => _ = dir.synced.remove(&edit.name),
                }
            }
        }
    }

    /// Forgets inodes that no name, past or present, and nobody in `open` leads to.
    pub(super) fn forget_unreachable(&mut self, open: impl Iterator<Item = Ino>) {
        let mut used: BTreeSet<Ino> = open.chain([ROOT]).collect();
        used.extend(self.pending.iter().filter_map(|edit| edit.to));
        for node in self.nodes.values() {
            if let Node::Dir(dir) = node {
                used.extend(dir.now.values().chain(dir.synced.values()));
            }
        }
        self.nodes.retain(|ino, _| used.contains(ino));
        self.pending.retain(|edit| used.contains(&edit.dir));
    }
}
