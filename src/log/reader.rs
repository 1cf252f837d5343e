//! Reading a log, also while it is being written.

use crate::env::sync::thread::yield_now;
use crate::env::{Env, File};
use crate::error::{Error, IoContext, Result};
use crate::format::frame::{self, FRAME_HEADER, Next, Published};
use crate::format::header::HeaderError;
use crate::format::log::{BLANK_MARK, FRAMES_AT, LogHeader, PUBLISHED_AT};
use crate::format::{Decoded, header};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a live log is read anew when it changes under the reader. Each time the reader has a newer word, so more
/// than a few are needed only when the bytes are damaged.
const MAX_TRIES: usize = 64;

/// Length of what is stored last when a log begins.
const MAGIC_LEN: usize = 8;

/// How the reading of a log ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogEnd {
    /// Everything published was read.
    Complete,
    /// From `offset` on the bytes are not what was written: lost with the power, or damaged.
    Damaged { offset: u64, reason: String },
}

/// What stands at a log's path.
#[derive(Debug)]
pub(crate) enum Opened {
    Log(LogReader),
    /// A writer holds it and has not begun it.
    Prepared,
    /// It was never begun.
    Blank,
    /// Nothing but zeros: it lost all that it said with the power, or is damaged.
    Zeros,
    /// Its first page is missing and something else is there: it was never synced, and lost the page with the power.
    Lost,
}

/// Reads the frames of one log in order, from where it stopped the last time.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    file: Arc<dyn File>,
    header: LogHeader,
    /// Where the next frame begins, and how much of the open frame's payload was delivered already.
    at: u64,
    delivered: usize,
    /// Where the frame before that begins.
    last: Option<u64>,
}

/// How far a log was read. Holds no file: who has read a log must not keep its space from being given back once it is
/// sealed.
#[derive(Clone, Debug)]
pub(crate) struct LogPlace {
    path: PathBuf,
    header: LogHeader,
    at: u64,
    delivered: usize,
    last: Option<u64>,
}

impl LogPlace {
    /// A reader that goes on from here. A log that is gone is a missing file.
    pub(crate) fn open(&self, env: &Env) -> Result<LogReader> {
        let file = env.fs.open(&self.path).at(&self.path, "open")?;
        let Self { path, header, at, delivered, last } = self.clone();
        Ok(LogReader { path, file, header, at, delivered, last })
    }
}

/// Receives the payload of a frame from byte `from` on; `from` is not 0 when the earlier bytes of the same frame came
/// in an earlier call.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], usize) -> Decoded<()> + 'a;

impl LogReader {
    /// Opens the log and checks its first page.
    pub(crate) fn open(env: &Env, path: &Path) -> Result<Opened> {
        Self::from_file(env.fs.open(path).at(path, "open")?, path)
    }

    pub(crate) fn from_file(file: Arc<dyn File>, path: &Path) -> Result<Opened> {
        for attempt in 0.. {
            // Before the page is read: what a writer has not begun by then is not acknowledged.
            let live = file.is_locked().at(path, "probe the lock of")?;
            let mut page = [0u8; PUBLISHED_AT as usize];
            let read = file.read_at(&mut page, 0).at(path, "read")?;
            let page = page.get(..read).unwrap_or_default();
            // The first bytes are stored last.
            if page.iter().take(MAGIC_LEN).all(|byte| *byte == 0) {
                return Ok(if live { Opened::Prepared } else { says_nothing(&*file, path)? });
            }
            // A sync makes the whole first page durable, and its length: without that nothing of it was promised.
            if !live && file.len().at(path, "measure")? < FRAMES_AT {
                return Ok(Opened::Lost);
            }
            match LogHeader::decode(page) {
                Ok(header) => return Ok(Opened::Log(Self::with_header(file, path, header))),
                // It may have been stored while it was read.
                Err(_) if live && attempt < MAX_TRIES => yield_now(),
                Err(error) => return Err(header_error(path, error)),
            }
        }
        Ok(Opened::Prepared)
    }

    /// A reader of frames whose first page is known from elsewhere.
    pub(crate) fn with_header(file: Arc<dyn File>, path: &Path, header: LogHeader) -> Self {
        Self { path: path.to_path_buf(), file, header, at: FRAMES_AT, delivered: 0, last: None }
    }

    pub(crate) fn header(&self) -> &LogHeader {
        &self.header
    }

    /// Where the next frame begins.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// How far it has come.
    pub(crate) fn place(&self) -> LogPlace {
        let Self { path, header, at, delivered, last, .. } = self;
        LogPlace { path: path.clone(), header: *header, at: *at, delivered: *delivered, last: *last }
    }

    /// Whether a writer holds the log.
    pub(crate) fn is_live(&self) -> Result<bool> {
        self.file.is_locked().at(&self.path, "probe the lock of")
    }

    fn published(&self) -> Result<Published> {
        let mut word = [0u8; 8];
        let read = self.file.read_at(&mut word, PUBLISHED_AT).at(&self.path, "read")?;
        if read < word.len() {
            return Err(Error::corrupt(&self.path, PUBLISHED_AT, "the log is shorter than its first page"));
        }
        Ok(Published::from_word(u64::from_le_bytes(word)))
    }

    /// Delivers everything published since the last call. For a log that somebody writes to: what looks wrong may
    /// have changed while it was read, so it is read again before it is believed to be wrong.
    pub(crate) fn read_live(&mut self, visit: &mut Visit<'_>) -> Result<LogEnd> {
        let mut end = LogEnd::Complete;
        for _ in 0..MAX_TRIES {
            let published = self.published()?;
            let upto = u64::from(published.end) + FRAME_HEADER as u64;
            end = match self.pass(published, upto, visit)? {
                Pass::End | Pass::Behind => return Ok(LogEnd::Complete),
                Pass::Bad { offset, reason } => LogEnd::Damaged { offset, reason: reason.to_owned() },
            };
            yield_now();
        }
        Ok(end)
    }

    /// Delivers everything that can be believed of a log without a writer.
    ///
    /// Closed frames count even beyond the published word, which may be older than they are after a power loss. The
    /// first frame that fails ends the log: what follows was never synced, or is damaged. What looks wrong is read again
    /// before it is believed to be wrong: a bit can flip on its way from the medium.
    pub(crate) fn read_dead(&mut self, visit: &mut Visit<'_>) -> Result<LogEnd> {
        match self.read_dead_once(visit)? {
            LogEnd::Damaged { .. } => self.read_dead_once(visit),
            LogEnd::Complete => Ok(LogEnd::Complete),
        }
    }

    fn read_dead_once(&mut self, visit: &mut Visit<'_>) -> Result<LogEnd> {
        let published = self.published()?;
        // Offsets in a log have 32 bits; a longer file was made so by somebody else.
        let len = self.file.len().at(&self.path, "measure")?.min(u64::from(u32::MAX));
        match self.pass(published, len, visit)? {
            Pass::End => Ok(LogEnd::Complete),
            Pass::Bad { offset, reason } => Ok(LogEnd::Damaged { offset, reason: reason.to_owned() }),
            Pass::Behind => match self.last {
                Some(at) if self.word_lies_in_frame(published, at)? => Ok(LogEnd::Complete),
                _ => {
                    let reason = "the published word ends before the frames do".to_owned();
                    Ok(LogEnd::Damaged { offset: self.at, reason })
                }
            },
        }
    }

    /// Whether the word points into the last closed frame, which begins at `at`: a kill can come between closing a frame
    /// and publishing its end.
    fn word_lies_in_frame(&self, published: Published, at: u64) -> Result<bool> {
        let mut bytes = vec![0; usize::try_from(self.at.saturating_sub(at)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, at).at(&self.path, "read")?;
        let payload = bytes.get(FRAME_HEADER..read).unwrap_or_default();
        Ok(frame::word_lies_in(published, at, payload, self.header.file_id))
    }

    /// Goes over the frames between the current position and `upto`.
    fn pass(&mut self, published: Published, upto: u64, visit: &mut Visit<'_>) -> Result<Pass> {
        // A damaged word can promise 4 GiB: what is read is bounded by what is there.
        let upto = upto.min(self.file.len().at(&self.path, "measure")?);
        let mut window = Window { file: &*self.file, upto, at: self.at, len: 0, bytes: Vec::new() };
        loop {
            let offset = self.at;
            let bytes = window.frame(offset, published).at(&self.path, "read")?;
            let (payload, next) = match frame::next(bytes, offset, published, self.header.file_id) {
                Next::Frame { payload, next } => (payload, Some(next)),
                Next::Open { payload } => (payload, None),
                Next::Pad { next } => {
                    (self.at, self.last) = (next, Some(offset));
                    continue;
                }
                Next::End => return Ok(Pass::End),
                Next::Behind => return Ok(Pass::Behind),
                Next::Bad(reason) => return Ok(Pass::Bad { offset, reason }),
            };
            if payload.len() > self.delivered {
                let seen = visit(payload, self.delivered);
                seen.map_err(|error| Error::corrupt(&self.path, offset, error.to_string()))?;
            }
            match next {
                Some(next) => (self.at, self.delivered, self.last) = (next, 0, Some(offset)),
                None => {
                    self.delivered = payload.len();
                    return Ok(Pass::End);
                }
            }
        }
    }
}

/// A log is read in pieces of this length, or of a frame that is longer: they stay in the processor's cache until their
/// records are taken, and no log needs memory as long as itself.
const PIECE: usize = 256 << 10;

/// The part of a log that is in memory.
struct Window<'a> {
    file: &'a dyn File,
    /// Nothing from here on is looked at.
    upto: u64,
    /// Offset of the first byte of `bytes`, and how many of them were read; the others are room.
    at: u64,
    len: usize,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `at` on, as many as [`frame::next`] looks at there, or as there are.
    fn frame(&mut self, at: u64, published: Published) -> std::io::Result<&[u8]> {
        self.hold(at, FRAME_HEADER)?;
        let reach = frame::reach(self.from(at), at, published);
        self.hold(at, reach)?;
        Ok(self.from(at))
    }

    fn from(&self, at: u64) -> &[u8] {
        let start = usize::try_from(at.saturating_sub(self.at)).unwrap_or(usize::MAX);
        self.bytes.get(start..self.len).unwrap_or_default()
    }

    /// Makes sure that `len` bytes from `at` on are in memory, as far as they are there.
    fn hold(&mut self, at: u64, len: usize) -> std::io::Result<()> {
        let left = usize::try_from(self.upto.saturating_sub(at)).unwrap_or(usize::MAX);
        let known = self.from(at).len();
        if known >= len.min(left) {
            return Ok(());
        }
        let start = self.len - known;
        self.bytes.copy_within(start..self.len, 0);
        (self.at, self.len) = (at, known);
        let wanted = len.max(PIECE).min(left);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        let room = self.bytes.get_mut(known..wanted).unwrap_or_default();
        self.len += self.file.read_at(room, at + known as u64)?;
        Ok(())
    }
}

/// What a log with an empty first page is when nobody holds it.
fn says_nothing(file: &dyn File, path: &Path) -> Result<Opened> {
    let (mut offset, mut piece) = (0, vec![0; 1 << 16]);
    let mut is_marked = false;
    loop {
        let read = file.read_at(&mut piece, offset).at(path, "read")?;
        let bytes = piece.get_mut(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(if is_marked { Opened::Blank } else { Opened::Zeros });
        }
        if offset == 0
            && let Some(page) = bytes.get_mut(..FRAMES_AT as usize)
            && page.ends_with(BLANK_MARK)
            && says_nothing_yet(page)
        {
            page.fill(0);
            is_marked = true;
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(Opened::Lost);
        }
        offset += read as u64;
    }
}

/// Whether a first page without its first bytes is that of a log that was not begun, or whose maker was killed while it
/// began: the header may be there then, and the word says that there is nothing yet.
fn says_nothing_yet(page: &[u8]) -> bool {
    let (header, rest) = page.split_at(PUBLISHED_AT as usize);
    let (word, rest) = rest.split_at(8);
    let word = word.try_into().map_or(0, u64::from_le_bytes);
    let is_blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let is_empty = word == 0 || (!is_blank(header) && u64::from(Published::from_word(word).end) == FRAMES_AT);
    is_empty && rest.strip_suffix(BLANK_MARK).is_some_and(is_blank)
}

enum Pass {
    End,
    Behind,
    Bad { offset: u64, reason: &'static str },
}

/// The public error for a header that was not accepted.
pub(crate) fn header_error(path: &Path, error: HeaderError) -> Error {
    match error {
        header::HeaderError::Damaged(error) => Error::corrupt(path, error.offset as u64, error.to_string()),
        header::HeaderError::Unsupported { found, supported } => {
            Error::UnsupportedFormat { path: path.to_path_buf(), found, supported }
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
