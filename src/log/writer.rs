//! The one writer of a log.

use crate::env::sync::atomic::{AtomicBool, Ordering};
use crate::env::{Env, File, Window};
use crate::error::{Error, IoContext, Result};
use crate::format::frame::{self, FRAME_HEADER, Published};
use crate::format::log::{FRAMES_AT, LogHeader, PUBLISHED_AT};
use crate::format::sink::Sink;
use crate::limits::MAX_FRAME_BYTES;
use crate::log::ahead::{BlankLog, FIRST_BYTES, LogPlan, NextExtent};
use crate::types::{FileId, LogId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A call that would make a frame longer begins a new one: short enough that a reader checks the open frame in a
/// microsecond. A call that is longer by itself has a frame to itself.
const FRAME_TARGET: usize = 32 << 10;
/// What the fast answer of [`LogWriter::begin`] keeps free: a frame's header and the rounding to where the next begins.
const ROUNDING: u64 = 2 * FRAME_HEADER as u64;
/// From this length on the extent after one is asked for early.
const LONG_EXTENT: u64 = 1 << 20;

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
    head: Window,
    extent: Window,
    /// File offsets between which `extent` lies.
    extent_start: u64,
    extent_end: u64,
    /// The extent after this one, when it was prepared ahead.
    next: Option<NextExtent>,
    /// When the log has grown to this length the next extent should be prepared. Out of reach once that was asked for.
    ask_at: u64,
    /// Extents that are full: unmapping them takes longer than a call may.
    spent: Vec<Window>,
    /// A call of so many bytes behind `at` fits when it ends before this.
    room_end: u64,
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
    sealed: Sealed,
}

/// Whether the content of a log is durable elsewhere, so that nobody has to sync it any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealed(Arc<AtomicBool>);

impl Sealed {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A log that its writer has left. It stays locked while this lives.
#[derive(Debug)]
pub(crate) struct FullLog {
    pub(crate) path: PathBuf,
    pub(crate) sealed: Sealed,
    _file: Arc<dyn File>,
}

impl LogWriter {
    /// Leaves the log, and its memory to be unmapped where nobody waits: syncing pages that are still mapped takes the
    /// processors much longer, since each of them must be told of each page.
    pub(crate) fn leave(self) -> (FullLog, Vec<Window>) {
        let mut spent = self.spent;
        spent.extend([self.head, self.extent]);
        spent.extend(self.next.and_then(NextExtent::into_extent));
        (FullLog { path: self.path, sealed: self.sealed, _file: self.file }, spent)
    }

    pub(crate) fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// Creates the log at `path`, locked by this writer. The file is complete before it gets its name, so that
    /// nobody ever finds a log without header or lock.
    pub(crate) fn create(env: &Env, path: &Path, header: &LogHeader, mapped: bool) -> Result<Self> {
        let temporary = path.with_extension("log-new");
        let plan = LogPlan { len: FIRST_BYTES, mapped };
        let made = BlankLog::fill(env, &temporary, path, plan).and_then(|blank| blank.begin(header));
        let made = made.and_then(|writer| {
            env.fs.rename(&temporary, path).at(path, "create")?;
            Ok(writer)
        });
        if made.is_err() {
            // Nobody knows the name yet; what cannot be removed is swept up when the store is next opened.
            let _ = env.fs.remove_file(&temporary);
        }
        made
    }

    /// Begins with the first frame of a file that has nothing in it yet.
    pub(super) fn begin_first(blank: BlankLog, header: &LogHeader) -> Self {
        let empty = Published::empty_frame(header.file_id, FRAMES_AT as u32);
        let mut writer = Self {
            path: blank.path,
            file: blank.file,
            id: header.log_id,
            file_id: header.file_id,
            mapped: blank.plan.mapped,
            head: blank.head,
            extent: blank.extent,
            extent_start: FRAMES_AT,
            extent_end: blank.plan.len,
            next: None,
            ask_at: 0,
            spent: Vec::new(),
            room_end: 0,
            frame_at: FRAMES_AT,
            at: FRAMES_AT,
            running: empty.crc,
            published: (FRAMES_AT, empty.crc),
            written_back: FRAMES_AT,
            poison: None,
            sealed: Sealed::default(),
        };
        writer.plan_ask();
        writer.begin_frame(FRAMES_AT);
        writer
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
        self.room_end = 0;
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
    #[inline(always)]
    pub(crate) fn begin(&mut self, bytes: usize) -> Result<()> {
        // What a call that failed has left behind its published end.
        (self.at, self.running) = self.published;
        if self.at + bytes as u64 <= self.room_end { Ok(()) } else { self.find_room(bytes) }
    }

    /// Whether a call of so many bytes fits the frame as it is; a poisoned log fits none.
    #[inline]
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.published.0 + bytes as u64 <= self.room_end
    }

    /// Whether a call of so many bytes needs no more of the file than is mapped or prepared.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let need = (FRAME_HEADER + bytes) as u64;
        frame::align(frame::align(self.published.0) + need) <= self.extent_end || self.next_is_ready(need)
    }

    #[cold]
    fn find_room(&mut self, bytes: usize) -> Result<()> {
        self.check()?;
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

    fn next_is_ready(&self, need: u64) -> bool {
        self.next.as_ref().is_some_and(|next| next.is_ready(self.extent_end, need))
    }

    /// Makes sure that the extent after this one is there and has `need` bytes.
    fn make_room(&mut self, need: u64) -> Result<()> {
        if self.next_is_ready(need) {
            return Ok(());
        }
        let mut next = self.plan(need);
        next.prepare_what_fits(need)?;
        // One that was prepared and is too short lies inside of this one.
        self.spent.extend(self.next.replace(next).and_then(NextExtent::into_extent));
        Ok(())
    }

    fn plan(&self, at_least: u64) -> NextExtent {
        NextExtent::new(&self.path, &self.file, self.extent_end, at_least, self.mapped)
    }

    /// The length at which the next extent should be asked for: early in a long extent, since it takes longer to
    /// prepare, at half of a short one, since a short run may never need it.
    fn plan_ask(&mut self) {
        let len = self.extent_end - self.extent_start;
        self.ask_at = self.extent_start + if len < LONG_EXTENT { len / 2 } else { len / 8 };
    }

    /// True once for each extent, when the next one should be prepared.
    #[inline]
    pub(crate) fn asks_for_next(&self) -> bool {
        self.at >= self.ask_at
    }

    /// Notes that somebody was asked to prepare the next extent, or that there shall be none ahead of need.
    pub(crate) fn asked(&mut self) {
        self.ask_at = u64::MAX;
    }

    /// End of the room that the file has for this log, what was prepared included.
    pub(crate) fn room(&self) -> u64 {
        self.next.as_ref().map_or(self.extent_end, NextExtent::end)
    }

    /// A plan for the extent that will be needed next, for another thread to prepare.
    pub(crate) fn plan_next(&self) -> Option<NextExtent> {
        (self.next.is_none() && self.poison.is_none()).then(|| self.plan(0))
    }

    /// Takes what another thread has prepared, unless this writer had to help itself in the meantime. It may have been
    /// prepared for the log before this one, whose extents ended at the same places.
    pub(crate) fn install_next(&mut self, next: NextExtent) {
        if self.next.is_none() && next.is_of(&self.file) && next.is_ready(self.extent_end, 0) {
            self.next = Some(next);
        }
    }

    /// Extents that nobody writes to any more, to be unmapped where nobody waits.
    pub(crate) fn take_spent(&mut self) -> Vec<Window> {
        std::mem::take(&mut self.spent)
    }

    /// True when the next record is the first of its frame: its sender must forget what it counted from.
    #[inline]
    pub(crate) fn at_frame_start(&self) -> bool {
        self.at == self.frame_at
    }

    fn enter_next_extent(&mut self) -> Result<()> {
        let start = self.extent_end;
        let ready = self.next.take().filter(|next| next.is_ready(start, 0));
        let Some((end, extent)) = ready.and_then(|next| Some((next.end(), next.into_extent()?))) else {
            return Err(no_room());
        };
        if self.at < self.extent_end {
            let fill = (self.extent_end - self.at) as usize - FRAME_HEADER;
            let word = frame::pad_word(self.file_id, self.at as u32, fill as u32);
            self.store_frame_word(self.at, word)?;
        }
        self.spent.push(std::mem::replace(&mut self.extent, extent));
        (self.extent_start, self.extent_end) = (start, end);
        self.plan_ask();
        self.begin_frame(start);
        Ok(())
    }

    fn begin_frame(&mut self, at: u64) {
        (self.frame_at, self.at, self.written_back) = (at, at, at);
        self.running = frame::seed(self.file_id, at as u32);
        self.published = (self.at, self.running);
        // Less than the frame can hold by its header and alignment: whoever needs those looks again.
        let limit = at + FRAME_TARGET as u64;
        self.room_end = if self.poison.is_some() { 0 } else { limit.min(self.extent_end).saturating_sub(ROUNDING) };
    }

    /// Writes a record of the call behind the published end. [`Self::begin`] has found the place.
    #[cfg(test)]
    pub(crate) fn write(&mut self, record: &[u8]) -> Result<()> {
        self.write_with(|sink| sink.put(record))
    }

    /// Writes what `encode` puts into the memory behind the published end. [`Self::begin`] has found the place.
    #[inline(always)]
    pub(crate) fn write_with(&mut self, encode: impl FnOnce(&mut Sink<'_>)) -> Result<()> {
        let from = self.at + if self.at_frame_start() { FRAME_HEADER as u64 } else { 0 };
        let room = self.extent.bytes_mut().get_mut((from - self.extent_start) as usize..);
        let mut sink = Sink::new(room.unwrap_or_default(), self.running);
        encode(&mut sink);
        let (len, running) = sink.finish().ok_or_else(no_room)?;
        (self.at, self.running) = (from + len as u64, running);
        Ok(())
    }

    /// Makes the records of the call count, all at once.
    ///
    /// # Errors
    /// Only without a mapping: the write failed. The writer is poisoned, since a part may be in the file.
    #[inline(always)]
    pub(crate) fn publish(&mut self) -> Result<()> {
        self.write_back()?;
        let word = Published { end: self.at as u32, crc: self.running }.to_word();
        let stored = self.head.store_word(PUBLISHED_AT as usize, word);
        self.or_poison(stored)?;
        self.published = (self.at, self.running);
        Ok(())
    }

    #[inline(always)]
    fn write_back(&mut self) -> Result<()> {
        if self.at > self.written_back {
            let (start, end) = (self.written_back - self.extent_start, self.at - self.extent_start);
            let written = self.extent.write_back(start as usize, end as usize);
            self.or_poison(written)?;
            self.written_back = self.at;
        }
        Ok(())
    }

    #[inline(always)]
    fn or_poison(&mut self, result: std::io::Result<()>) -> Result<()> {
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.poisoned_by(error),
        }
    }

    #[cold]
    fn poisoned_by(&mut self, error: std::io::Error) -> Result<()> {
        self.poison(error.to_string());
        Err(error).at(&self.path, "write")
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
        let next = frame::align(self.at);
        // A call that was begun and given up has left bytes where the next frame's header must read as open: for whoever
        // sees that this frame is closed, so before that.
        let (from, to) = ((self.at - self.extent_start) as usize, (next - self.extent_start) as usize + FRAME_HEADER);
        let to = to.min((self.extent_end - self.extent_start) as usize);
        if let Some(bytes) = self.extent.bytes_mut().get_mut(from..to) {
            bytes.fill(0);
        }
        let payload = self.at - self.frame_at - FRAME_HEADER as u64;
        let word = frame::close_word(self.running, payload as u32);
        self.store_frame_word(self.frame_at, word)?;
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

fn no_room() -> Error {
    Error::invalid("log append", "no room was reserved for it")
}

#[cfg(test)]
#[path = "writer_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
