//! The one writer of a log.

use crate::env::{Env, Extent, File};
use crate::error::{Error, IoContext, Result};
use crate::format::frame::{self, FRAME_HEADER, Published};
use crate::format::log::{FRAMES_AT, LogHeader, PUBLISHED_AT};
use crate::format::wire;
use crate::limits::MAX_FRAME_BYTES;
use crate::types::{FileId, LogId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Length of a new log, and of its first steps of growth; each later step doubles the file.
const FIRST_BYTES: u64 = 64 << 10;
/// Largest step of growth: what a dead run may hold unused until it is sealed.
const MAX_STEP_BYTES: u64 = 16 << 20;
/// A call that would make a frame longer begins a new one: short enough that a reader checks the open frame in a
/// microsecond. A call that is longer by itself has a frame to itself.
const FRAME_TARGET: usize = 32 << 10;
/// A log can grow to this length: offsets are stored in 32 bits.
const MAX_LOG_BYTES: u64 = u32::MAX as u64 & !0xfff;
const PAGE: u64 = 4096;

/// Appends records to a log and publishes them.
///
/// A call is `begin`, one `write` a record, `publish`. `write` puts bytes behind the published end, where nobody sees
/// them; `publish` makes them count. Between the two nothing can fail on a mapped log, because `begin` has made the
/// room before.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    file: Arc<dyn File>,
    id: LogId,
    file_id: FileId,
    mapped: bool,
    /// The first page, for the published word.
    head: Box<dyn Extent>,
    extent: Box<dyn Extent>,
    /// File offsets between which `extent` lies.
    extent_start: u64,
    extent_end: u64,
    /// The extent after this one, when it was prepared ahead.
    next: Option<NextExtent>,
    /// Preparing it ahead has failed.
    next_refused: bool,
    /// Where the current frame begins, and the end of what was written to it. The frame is empty when they are equal.
    frame_at: u64,
    at: u64,
    /// Checksum of the frame's payload so far.
    running: u32,
    /// `at` and `running` as last published.
    published: (u64, u32),
    /// End of the bytes that were brought into the file's pages.
    written_back: u64,
    /// An error after which the log's end is not known for certain.
    poison: Option<String>,
}

/// A piece of the file behind the current extent: a plan until `prepare` was called.
#[derive(Debug)]
pub(crate) struct NextExtent {
    path: PathBuf,
    file: Arc<dyn File>,
    start: u64,
    len: u64,
    mapped: bool,
    extent: Option<Box<dyn Extent>>,
}

impl NextExtent {
    /// Allocates, maps and touches the piece. Needs no lock of the writer: nobody else looks at this part of the file.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        allocate(&*self.file, &self.path, self.start, self.len, self.mapped)?;
        let mut extent = self.file.extent(self.start, self.len as usize, self.mapped).at(&self.path, "map")?;
        extent.prefault();
        self.extent = Some(extent);
        Ok(())
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

impl LogWriter {
    /// Creates the log at `path`, locked by this writer. The file is complete before it gets its name, so that
    /// nobody ever finds a log without header or lock.
    pub(crate) fn create(env: &Env, path: &Path, header: &LogHeader, mapped: bool) -> Result<Self> {
        let temporary = path.with_extension("log-new");
        let file = env.fs.create_new(&temporary).at(&temporary, "create")?;
        let made = Self::fill(&file, path, header, mapped).and_then(|writer| {
            file.try_lock().at(&temporary, "lock")?;
            env.fs.rename(&temporary, path).at(path, "create")?;
            Ok(writer)
        });
        if made.is_err() {
            // Nobody knows the name yet; what cannot be removed is swept up when the store is next opened.
            let _ = env.fs.remove_file(&temporary);
        }
        made
    }

    fn fill(file: &Arc<dyn File>, path: &Path, header: &LogHeader, mapped: bool) -> Result<Self> {
        allocate(&**file, path, 0, FIRST_BYTES, mapped)?;
        file.write_at(&header.encode(), 0).at(path, "write")?;
        let mut head = file.extent(0, PAGE as usize, mapped).at(path, "map")?;
        let empty = Published::empty_frame(header.file_id, FRAMES_AT as u32);
        head.store_word(PUBLISHED_AT as usize, empty.to_word()).at(path, "write")?;
        let mut extent = file.extent(FRAMES_AT, (FIRST_BYTES - FRAMES_AT) as usize, mapped).at(path, "map")?;
        extent.prefault();
        Ok(Self {
            path: path.to_path_buf(),
            file: Arc::clone(file),
            id: header.log_id,
            file_id: header.file_id,
            mapped,
            head,
            extent,
            extent_start: FRAMES_AT,
            extent_end: FIRST_BYTES,
            next: None,
            next_refused: false,
            frame_at: FRAMES_AT,
            at: FRAMES_AT,
            running: empty.crc,
            published: (FRAMES_AT, empty.crc),
            written_back: FRAMES_AT,
            poison: None,
        })
    }

    pub(crate) fn id(&self) -> LogId {
        self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, e.g. to sync it without holding the writer. Keeps the log's lock while it lives.
    pub(crate) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// End of what was written, in bytes from the start of the file.
    pub(crate) fn len(&self) -> u64 {
        self.at
    }

    /// Stops all further writing: `cause` made the state of the file uncertain.
    pub(crate) fn poison(&mut self, cause: String) {
        self.poison.get_or_insert(cause);
    }

    fn check(&self) -> Result<()> {
        match &self.poison {
            None => Ok(()),
            Some(cause) => Err(Error::Poisoned { path: self.path.clone(), cause: cause.clone() }),
        }
    }

    /// Begins a call whose records take at most `bytes`: finds a place where they lie in one frame, so that they are
    /// believed together or not at all. Nothing after this asks the system for anything on a mapped log.
    ///
    /// # Errors
    /// [`Error::DiskFull`] and others; nothing has changed then, and the call can be repeated.
    pub(crate) fn begin(&mut self, bytes: usize) -> Result<()> {
        self.check()?;
        // What a call that failed has left behind its published end.
        (self.at, self.running) = self.published;
        if bytes > MAX_FRAME_BYTES {
            let (limit, found) = (MAX_FRAME_BYTES as u64, bytes as u64);
            return Err(Error::LimitExceeded { what: "bytes of one call", limit, found });
        }
        let in_frame = (self.at - self.frame_at) as usize;
        let end = frame::align(self.at.max(self.frame_at + FRAME_HEADER as u64) + bytes as u64);
        if in_frame + bytes <= FRAME_TARGET && end <= self.extent_end {
            return Ok(());
        }
        let need = (FRAME_HEADER + bytes) as u64;
        if frame::align(frame::align(self.at) + need) > self.extent_end {
            self.make_room(need)?;
            self.close_and_publish()?;
            self.enter_next_extent()?;
        } else {
            self.close_frame()?;
        }
        self.publish()
    }

    /// Makes sure that the extent after this one is there and has `need` bytes.
    fn make_room(&mut self, need: u64) -> Result<()> {
        if self.next.as_ref().is_some_and(|next| next.extent.is_some() && next.len >= need) {
            return Ok(());
        }
        let mut next = self.plan(need);
        if next.start + next.len > MAX_LOG_BYTES {
            let found = next.start + next.len;
            return Err(Error::LimitExceeded { what: "log length in bytes", limit: MAX_LOG_BYTES, found });
        }
        next.prepare()?;
        self.next = Some(next);
        Ok(())
    }

    fn plan(&self, at_least: u64) -> NextExtent {
        let len = self.extent_end.min(MAX_STEP_BYTES).max(at_least).next_multiple_of(PAGE);
        NextExtent {
            path: self.path.clone(),
            file: Arc::clone(&self.file),
            start: self.extent_end,
            len,
            mapped: self.mapped,
            extent: None,
        }
    }

    /// True when more than half of the current extent is used and the next one is not ready.
    pub(crate) fn wants_next(&self) -> bool {
        self.next.is_none()
            && !self.next_refused
            && self.at - self.extent_start > (self.extent_end - self.extent_start) / 2
    }

    /// A plan for the extent that will be needed next, for another thread to prepare.
    pub(crate) fn plan_next(&self) -> Option<NextExtent> {
        (self.wants_next() && self.poison.is_none()).then(|| self.plan(0))
    }

    /// Preparing the next extent ahead has failed: it is not tried again before the writer has to help itself.
    pub(crate) fn refuse_next(&mut self) {
        self.next_refused = true;
    }

    /// Takes what another thread has prepared, unless this writer had to help itself in the meantime.
    pub(crate) fn install_next(&mut self, next: NextExtent) {
        if self.next.is_none() && next.start == self.extent_end && next.extent.is_some() {
            self.next = Some(next);
        }
    }

    /// True when the next record is the first of its frame: its sender must forget what it counted from.
    pub(crate) fn at_frame_start(&self) -> bool {
        self.at == self.frame_at
    }

    fn enter_next_extent(&mut self) -> Result<()> {
        let ready = self.next.take().and_then(|next| Some((next.start, next.len, next.extent?)));
        let Some((start, len, extent)) = ready.filter(|(start, ..)| *start == self.extent_end) else {
            return Err(Error::invalid("log append", "no room was reserved for it"));
        };
        if self.at < self.extent_end {
            let fill = (self.extent_end - self.at) as usize - FRAME_HEADER;
            let word = frame::pad_word(self.file_id, self.at as u32, fill as u32);
            self.store_frame_word(self.at, word)?;
        }
        self.extent = extent;
        (self.extent_start, self.extent_end) = (start, start + len);
        self.next_refused = false;
        self.begin_frame(start);
        Ok(())
    }

    fn begin_frame(&mut self, at: u64) {
        (self.frame_at, self.at, self.written_back) = (at, at, at);
        self.running = frame::seed(self.file_id, at as u32);
        self.published = (self.at, self.running);
    }

    /// Writes a record of the call behind the published end. [`Self::begin`] has found the place.
    pub(crate) fn write(&mut self, record: &[u8]) -> Result<()> {
        let header = if self.at_frame_start() { FRAME_HEADER as u64 } else { 0 };
        let from = (self.at + header - self.extent_start) as usize;
        let place = self.extent.bytes_mut().get_mut(from..from + record.len());
        let Some(place) = place else { return Err(Error::invalid("log append", "no room was reserved for it")) };
        place.copy_from_slice(record);
        self.running = wire::crc(self.running, record);
        self.at += header + record.len() as u64;
        Ok(())
    }

    /// Makes the records of the call count, all at once.
    ///
    /// # Errors
    /// Only without a mapping: the write failed. The writer is poisoned, since a part may be in the file.
    pub(crate) fn publish(&mut self) -> Result<()> {
        self.write_back()?;
        let word = Published { end: self.at as u32, crc: self.running }.to_word();
        let stored = self.head.store_word(PUBLISHED_AT as usize, word);
        self.or_poison(stored)?;
        self.published = (self.at, self.running);
        Ok(())
    }

    fn write_back(&mut self) -> Result<()> {
        if self.at > self.written_back {
            let (start, end) = (self.written_back - self.extent_start, self.at - self.extent_start);
            let written = self.extent.write_back(start as usize, end as usize);
            self.or_poison(written)?;
            self.written_back = self.at;
        }
        Ok(())
    }

    fn or_poison(&mut self, result: std::io::Result<()>) -> Result<()> {
        result.at(&self.path, "write").inspect_err(|error| self.poison = Some(error.to_string()))
    }

    fn store_frame_word(&mut self, at: u64, word: u64) -> Result<()> {
        let stored = self.extent.store_word((at - self.extent_start) as usize, word);
        self.or_poison(stored)
    }

    /// Ends the current frame, so that it stands for itself without the published word. Only between calls, when the
    /// word is at the frame's end: a reader that has the word then needs nothing behind it.
    fn close_frame(&mut self) -> Result<()> {
        (self.at, self.running) = self.published;
        if self.at_frame_start() {
            return Ok(());
        }
        let payload = self.at - self.frame_at - FRAME_HEADER as u64;
        let word = frame::close_word(self.running, payload as u32);
        self.store_frame_word(self.frame_at, word)?;
        let next = frame::align(self.at);
        // A call that was begun and given up has left bytes where the next frame's header must read as open.
        let (from, to) = ((self.at - self.extent_start) as usize, (next - self.extent_start) as usize + FRAME_HEADER);
        let to = to.min((self.extent_end - self.extent_start) as usize);
        if let Some(bytes) = self.extent.bytes_mut().get_mut(from..to) {
            bytes.fill(0);
        }
        self.begin_frame(next);
        Ok(())
    }

    /// Ends the frame and publishes: after this the file's content can be made durable by syncing it.
    pub(crate) fn close_and_publish(&mut self) -> Result<()> {
        self.check()?;
        self.close_frame()?;
        self.publish()
    }
}
