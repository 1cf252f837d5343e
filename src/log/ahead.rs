//! What can be made before it is needed, on another thread than the appending one: the next piece of a log, and the
//! next log.

use super::LogWriter;
use crate::env::{Env, File, Window};
use crate::error::{Error, IoContext, Result};
use crate::format::frame::Published;
use crate::format::log::{BLANK_MARK, BLANK_MARK_AT, FRAMES_AT, LogHeader, PUBLISHED_AT};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Length of a writer's first log; each step of growth doubles the file. Many runs are short, and room that is reserved,
/// zeroed and mapped for nothing was a quarter of the processor time of such a run.
pub(super) const FIRST_BYTES: u64 = 16 << 10;
/// What a log after the first has at least, so that its preamble and first call fit, and more than the bytes at which it will
/// be left, so that the call that gets there fits.
const SPARE_BYTES: u64 = 64 << 10;
/// Largest step of growth: what a dead run may hold unused until it is sealed.
const MAX_STEP_BYTES: u64 = 16 << 20;
/// A log can grow to this length: offsets are stored in 32 bits.
const MAX_LOG_BYTES: u64 = u32::MAX as u64 & !0xfff;
const PAGE: u64 = 4096;
/// Length of what is stored last when a log begins: until it is there the log says nothing.
const MAGIC: usize = 8;

/// A piece of the file behind the current extent: a plan until `prepare` was called.
#[derive(Debug)]
pub(crate) struct NextExtent {
    path: PathBuf,
    file: Arc<dyn File>,
    start: u64,
    len: u64,
    mapped: bool,
    extent: Option<Window>,
}

impl NextExtent {
    /// Plans the extent from `start` on: it doubles the file, within bounds, and has `at_least` bytes.
    pub(super) fn new(path: &Path, file: &Arc<dyn File>, start: u64, at_least: u64, mapped: bool) -> Self {
        let len = start.min(MAX_STEP_BYTES).max(at_least).next_multiple_of(PAGE);
        let (path, file) = (path.to_path_buf(), Arc::clone(file));
        Self { path, file, start, len, mapped, extent: None }
    }

    /// Allocates, maps and touches the piece. Needs no lock of the writer: nobody else looks at this part of the file.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        if self.end() > MAX_LOG_BYTES {
            return Err(Error::LimitExceeded { what: "log length in bytes", limit: MAX_LOG_BYTES, found: self.end() });
        }
        allocate(&*self.file, &self.path, self.start, self.len, self.mapped)?;
        let mut extent = self.file.extent(self.start, self.len as usize, self.mapped).at(&self.path, "map")?;
        extent.prefault();
        self.extent = Some(extent);
        Ok(())
    }

    /// Like [`Self::prepare`]; a disk that has no room for the whole piece is asked for half of it, and so on down to
    /// `at_least` bytes.
    pub(super) fn prepare_what_fits(&mut self, at_least: u64) -> Result<()> {
        let least = at_least.max(1).next_multiple_of(PAGE);
        loop {
            match self.prepare() {
                Err(Error::DiskFull { .. }) if self.len > least => {
                    self.len = (self.len / 2).next_multiple_of(PAGE).max(least);
                }
                prepared => return prepared,
            }
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.len
    }

    /// Whether it is one of this file.
    pub(super) fn is_of(&self, file: &Arc<dyn File>) -> bool {
        Arc::ptr_eq(&self.file, file)
    }

    /// Whether it is prepared, begins at `start` and has `need` bytes.
    pub(super) fn is_ready(&self, start: u64, need: u64) -> bool {
        self.extent.is_some() && self.start == start && self.len >= need
    }

    pub(super) fn into_extent(self) -> Option<Window> {
        self.extent
    }
}

/// Makes room in the file. Without a mapping a file system that cannot reserve is used as it is: a full disk is then
/// an error of the write.
fn allocate(file: &dyn File, path: &Path, start: u64, len: u64, mapped: bool) -> Result<()> {
    match file.allocate(start, len) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported && !mapped => Ok(()),
        result => result.at(path, "allocate"),
    }
}

/// How a log begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlan {
    /// Bytes of the file that are made ready.
    pub(crate) len: u64,
    pub(crate) mapped: bool,
}

impl LogPlan {
    /// A log that will take about `bytes`, for a writer that fills it at once when `fast`.
    pub(crate) fn after_first(bytes: u64, fast: bool, mapped: bool) -> Self {
        let whole = bytes.min(MAX_STEP_BYTES) + SPARE_BYTES;
        Self { len: if fast { whole.next_multiple_of(PAGE) } else { SPARE_BYTES }, mapped }
    }
}

/// A log that has its name, its lock and its room, and says nothing yet: its first page is zeros. Readers pass over
/// it, and so does recovery when its maker dies before it begins.
#[derive(Debug)]
pub(crate) struct BlankLog {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn File>,
    pub(super) plan: LogPlan,
    pub(super) head: Window,
    pub(super) extent: Window,
}

impl BlankLog {
    /// Makes such a log at `path`.
    pub(crate) fn create(env: &Env, path: &Path, plan: LogPlan) -> Result<Self> {
        let temporary = path.with_extension("log-new");
        let made = Self::fill(env, &temporary, path, plan).and_then(|blank| {
            env.fs.rename(&temporary, path).at(path, "create")?;
            Ok(blank)
        });
        if made.is_err() {
            // Nobody knows the name yet; what cannot be removed is swept up when the store is next opened.
            let _ = env.fs.remove_file(&temporary);
        }
        made
    }

    /// Makes the file `temporary`, which will be the log `path`.
    pub(super) fn fill(env: &Env, temporary: &Path, path: &Path, plan: LogPlan) -> Result<Self> {
        let file = env.fs.create_new(temporary).at(temporary, "create")?;
        file.try_lock().at(temporary, "lock")?;
        allocate(&*file, path, 0, plan.len, plan.mapped)?;
        file.write_at(BLANK_MARK, BLANK_MARK_AT).at(path, "write")?;
        let mut head = file.extent(0, PAGE as usize, plan.mapped).at(path, "map")?;
        head.prefault();
        let mut extent = file.extent(FRAMES_AT, (plan.len - FRAMES_AT) as usize, plan.mapped).at(path, "map")?;
        extent.prefault();
        Ok(Self { path: path.to_path_buf(), file, plan, head, extent })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that a call can have in it.
    pub(crate) fn room(&self) -> u64 {
        self.plan.len - FRAMES_AT
    }

    /// Begins the log: no call to the system on a mapped one. The first bytes of the header come last, so that nobody
    /// takes a part of it for the whole.
    pub(crate) fn begin(mut self, header: &LogHeader) -> Result<LogWriter> {
        let bytes = header.encode();
        let (magic, rest) = bytes.split_at_checked(MAGIC).unwrap_or_default();
        let place = self.head.bytes_mut().get_mut(MAGIC..MAGIC + rest.len());
        let Some(place) = place else { return Err(Error::invalid("log", "its first page is too short")) };
        place.copy_from_slice(rest);
        let empty = Published::empty_frame(header.file_id, FRAMES_AT as u32);
        let magic = magic.try_into().map(u64::from_le_bytes).unwrap_or_default();
        let head = &mut self.head;
        head.write_back(MAGIC, MAGIC + rest.len())
            .and_then(|()| head.store_word(PUBLISHED_AT as usize, empty.to_word()))
            .and_then(|()| head.store_word(0, magic))
            .at(&self.path, "write")?;
        Ok(LogWriter::begin_first(self, header))
    }
}
