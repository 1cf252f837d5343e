//! The writer of a log and its readers under loom, which goes through what the memory model allows.
//!
//! `LogWriter` and `LogReader` are the engine's own. The file beneath them is memory of the model: a store into a
//! mapping is a relaxed store of eight bytes, at the latest where the writer's next call on that extent begins, so that
//! readers may see it at once, later, or before another one; words are stored as `MappedExtent` stores them. A read
//! copies word by word, each by itself.
//!
//! After a read of the system what the reader does next comes next ([`Reads::InOrder`]; a system call is a fence at
//! least). Then a reader that has to look again always finds a newer published word: so it never gives up on a log that
//! is whole, however long the writer is away. The checksums alone must do even where reads come in no order at all
//! ([`Reads::InNoOrder`]): slower, and never wrong.
//!
//! Bytes of one such word cannot be told apart by age: calls that share a word are seen in whole words.

use super::ahead::BlankLog;
use super::tests::{header, record};
use super::{LogEnd, LogPlan, LogReader, LogWriter, Opened};
use crate::env::{Extent, File, Region, Window};
use crate::format::log::{FRAMES_AT, PUBLISHED_AT};
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Where the second extent begins, and where the file ends.
const SECOND_AT: u64 = 8192;
const FILE_LEN: u64 = 16384;
/// Words of the first and of the second extent that the model has. Nothing is written behind them.
const WORDS: [(u64, u64); 2] = [(FRAMES_AT, 10), (SECOND_AT, 3)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    InOrder,
    InNoOrder,
}

/// The extent as it is, or with a fault that the model must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stores {
    AsBuilt,
    /// The published word is stored without release.
    RelaxedWord,
    /// Bytes come after the word that counts them.
    WordFirst,
}

/// What writer and readers share.
#[derive(Debug)]
struct Memory {
    /// The first word of the file, which is stored last, and the published one.
    magic: AtomicU64,
    word: AtomicU64,
    /// What the writer made of the rest of the header, and which of it each half shows: two pieces are enough to tear.
    headers: Mutex<Vec<Vec<u8>>>,
    halves: [AtomicU64; 2],
    frames: BTreeMap<u64, AtomicU64>,
    reads: Reads,
    stores: Stores,
}

impl Memory {
    fn new(reads: Reads, stores: Stores) -> Arc<Self> {
        let offsets = WORDS.iter().flat_map(|(at, count)| (0..*count).map(move |number| at + number * 8));
        Arc::new(Self {
            magic: AtomicU64::new(0),
            word: AtomicU64::new(0),
            headers: Mutex::new(vec![vec![0; PUBLISHED_AT as usize]]),
            halves: [AtomicU64::new(0), AtomicU64::new(0)],
            frames: offsets.map(|at| (at, AtomicU64::new(0))).collect(),
            reads,
            stores,
        })
    }

    fn load_header(&self, page: &mut [u8]) {
        let middle = PUBLISHED_AT as usize / 2;
        page[..8].copy_from_slice(&self.magic.load(Ordering::Relaxed).to_le_bytes());
        for (half, range) in self.halves.iter().zip([8..middle, middle..PUBLISHED_AT as usize]) {
            let version = half.load(Ordering::Relaxed) as usize;
            page[range.clone()].copy_from_slice(&self.headers.lock().unwrap()[version][range]);
        }
    }

    fn load(&self, at: u64) -> u64 {
        self.frames.get(&at).map_or(0, |word| word.load(Ordering::Relaxed))
    }
}

/// An open file of one thread.
#[derive(Debug)]
struct ModelFile {
    memory: Arc<Memory>,
    /// The word as the current call of the reader last saw it.
    seen: Mutex<Option<u64>>,
}

impl ModelFile {
    fn open(memory: &Arc<Memory>) -> Arc<Self> {
        Arc::new(Self { memory: Arc::clone(memory), seen: Mutex::default() })
    }

    fn read_word(&self) -> u64 {
        let word = self.memory.word.load(Ordering::Relaxed);
        let before = self.seen.lock().unwrap().replace(word);
        if self.memory.reads == Reads::InOrder {
            assert_ne!(before, Some(word), "the log is read again, and nothing newer was published");
        }
        word
    }
}

impl File for ModelFile {
    fn len(&self) -> io::Result<u64> {
        Ok(FILE_LEN)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset == PUBLISHED_AT {
            buf.copy_from_slice(&self.read_word().to_le_bytes());
        } else if offset < FRAMES_AT {
            assert_eq!((offset, buf.len()), (0, PUBLISHED_AT as usize), "only the header is read");
            self.memory.load_header(buf);
        } else {
            let end = (offset + buf.len() as u64).min(FILE_LEN);
            for at in (offset / 8 * 8..end).step_by(8) {
                let word = self.memory.load(at).to_le_bytes();
                for (byte, at) in word.into_iter().zip(at..).filter(|(_, at)| (offset..end).contains(at)) {
                    buf[(at - offset) as usize] = byte;
                }
            }
        }
        if self.memory.reads == Reads::InOrder {
            fence(Ordering::Acquire);
        }
        Ok(buf.len())
    }

    fn extent(&self, offset: u64, len: usize, _mapped: bool) -> io::Result<Window> {
        let memory = Arc::clone(&self.memory);
        let extent = ModelExtent { memory, offset, bytes: vec![0; len], stored: vec![0; len] };
        Ok(Window::Other(Box::new(extent)))
    }

    fn allocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn is_locked(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn map(&self) -> io::Result<Region> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The writer's mapping. What was stored into `bytes` and is not in `stored` is on its way to the others.
#[derive(Debug)]
struct ModelExtent {
    memory: Arc<Memory>,
    offset: u64,
    bytes: Vec<u8>,
    stored: Vec<u8>,
}

impl ModelExtent {
    /// Stores what the writer has changed, in words.
    fn flow(&mut self) {
        if self.offset < FRAMES_AT {
            let header = self.bytes[..PUBLISHED_AT as usize].to_vec();
            if header[8..] != self.stored[8..PUBLISHED_AT as usize] {
                self.stored[..PUBLISHED_AT as usize].copy_from_slice(&header);
                let mut headers = self.memory.headers.lock().unwrap();
                headers.push(header);
                let version = headers.len() as u64 - 1;
                drop(headers);
                self.memory.halves.iter().for_each(|half| half.store(version, Ordering::Relaxed));
            }
            return;
        }
        let words = self.bytes.chunks_exact(8).zip(self.stored.chunks_exact_mut(8));
        for ((word, stored), at) in words.zip((self.offset..).step_by(8)) {
            if word != stored {
                let place = self.memory.frames.get(&at).expect("a store behind what the model has");
                place.store(u64::from_le_bytes(word.try_into().unwrap()), Ordering::Relaxed);
                stored.copy_from_slice(word);
            }
        }
    }
}

impl Extent for ModelExtent {
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.flow();
        &mut self.bytes
    }

    fn write_back(&mut self, _start: usize, _end: usize) -> io::Result<()> {
        if self.memory.stores != Stores::WordFirst {
            self.flow();
        }
        Ok(())
    }

    fn store_word(&mut self, at: usize, value: u64) -> io::Result<()> {
        self.flow();
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self.stored[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let relaxed = self.memory.stores == Stores::RelaxedWord;
        let order = if relaxed { Ordering::Relaxed } else { Ordering::Release };
        let place = match self.offset + at as u64 {
            0 => &self.memory.magic,
            PUBLISHED_AT => &self.memory.word,
            at => self.memory.frames.get(&at).expect("a word behind what the model has"),
        };
        place.store(value, order);
        Ok(())
    }

    fn prefault(&mut self) {}
}

fn blank(memory: &Arc<Memory>) -> BlankLog {
    let file: Arc<dyn File> = ModelFile::open(memory);
    let head = file.extent(0, FRAMES_AT as usize, true).unwrap();
    let extent = file.extent(FRAMES_AT, (SECOND_AT - FRAMES_AT) as usize, true).unwrap();
    let plan = LogPlan { len: SECOND_AT, mapped: true };
    BlankLog { path: "a.log".into(), file, plan, head, extent }
}

fn begin(memory: &Arc<Memory>) -> LogWriter {
    let mut writer = blank(memory).begin(&header()).unwrap();
    let mut next = writer.plan_next().unwrap();
    next.prepare().unwrap();
    writer.install_next(next);
    writer
}

/// What the writer does, by number.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Logs two records in one call, 8 and `more` bytes long.
    Call { more: usize },
    /// Closes the frame, as before a sync.
    Close,
    /// As [`Step::Call`], with a call so long that only the next extent has room for it.
    NextExtent,
    /// Begins a call and gives it up.
    GiveUp,
}

const CALL: Step = Step::Call { more: 8 };

fn records(number: usize, step: Step) -> Vec<Vec<u8>> {
    match step {
        Step::Call { more } => vec![record(2 * number, 8), record(2 * number + 1, more)],
        Step::NextExtent => vec![record(2 * number, 8)],
        Step::Close | Step::GiveUp => Vec::new(),
    }
}

fn take(writer: &mut LogWriter, number: usize, step: Step) {
    let records = records(number, step);
    match step {
        Step::Close => return writer.close_and_publish().unwrap(),
        Step::GiveUp => {
            writer.begin(24).unwrap();
            return writer.write(&[0xee; 24]).unwrap();
        }
        Step::NextExtent => writer.begin((SECOND_AT - FRAMES_AT) as usize).unwrap(),
        Step::Call { .. } => writer.begin(records.iter().map(Vec::len).sum()).unwrap(),
    }
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.publish().unwrap();
}

/// A reader, and what it has read so far.
struct Follower {
    file: Arc<ModelFile>,
    reader: LogReader,
    seen: Vec<u8>,
}

impl Follower {
    fn open(memory: &Arc<Memory>) -> Self {
        Self::try_open(memory).expect("the log was begun")
    }

    /// `None` when the log was not begun yet.
    fn try_open(memory: &Arc<Memory>) -> Option<Self> {
        let file = ModelFile::open(memory);
        match LogReader::from_file(Arc::clone(&file) as Arc<dyn File>, Path::new("a.log")).unwrap() {
            Opened::Log(reader) => Some(Self { file, reader, seen: Vec::new() }),
            Opened::Prepared => None,
            other => panic!("{other:?}"),
        }
    }

    /// Reads on, and sees whole calls in their order or nothing new.
    fn read(&mut self, steps: &[Step]) {
        *self.file.seen.lock().unwrap() = None;
        let seen = &mut self.seen;
        let mut visit = |payload: &[u8], from: usize| {
            seen.extend_from_slice(&payload[from..]);
            Ok(())
        };
        assert_eq!(self.reader.read_live(&mut visit).unwrap(), LogEnd::Complete);
        let mut prefix = Vec::new();
        let is_prefix = std::iter::once(prefix.clone())
            .chain(steps.iter().enumerate().map(|(number, step)| {
                prefix.extend(records(number, *step).concat());
                prefix.clone()
            }))
            .any(|prefix| prefix == self.seen);
        assert!(is_prefix, "read {:?}", self.seen);
    }
}

struct Scenario {
    /// What was done before there is a second thread, and what is done beside the readers.
    first: &'static [Step],
    then: &'static [Step],
    /// Readers, and how often each of them reads. They are there, and have read, before the writer goes on.
    readers: usize,
    reads: usize,
    preemptions: usize,
}

fn check(scenario: Scenario, reads: Reads, stores: Stores) {
    let mut model = loom::model::Builder::new();
    (model.preemption_bound, model.max_branches) = (Some(scenario.preemptions), 20_000);
    let Scenario { first, then, readers, reads: times, .. } = scenario;
    let steps: &'static [Step] = [first, then].concat().leak();
    model.check(move || {
        let memory = Memory::new(reads, stores);
        let mut writer = begin(&memory);
        first.iter().enumerate().for_each(|(number, step)| take(&mut writer, number, *step));
        let followers = (0..readers).map(|_| {
            let mut follower = Follower::open(&memory);
            follower.read(steps);
            thread::spawn(move || {
                (0..times).for_each(|_| follower.read(steps));
                follower
            })
        });
        let followers: Vec<_> = followers.collect();
        for (number, step) in (first.len()..).zip(then) {
            take(&mut writer, number, *step);
        }
        let whole: Vec<u8> =
            steps.iter().enumerate().flat_map(|(number, step)| records(number, *step).concat()).collect();
        let followers = followers.into_iter().map(|thread| thread.join().unwrap());
        for mut follower in followers.chain([Follower::open(&memory)]) {
            follower.read(steps);
            assert_eq!(follower.seen, whole);
        }
    });
}

const GROWING: Scenario = Scenario { first: &[], then: &[CALL, CALL], readers: 1, reads: 2, preemptions: 3 };
const CLOSING: Scenario = Scenario { first: &[CALL], then: &[Step::Close, CALL], readers: 1, reads: 2, preemptions: 3 };

#[test]
fn an_open_frame_grows() {
    check(GROWING, Reads::InOrder, Stores::AsBuilt);
    check(GROWING, Reads::InNoOrder, Stores::AsBuilt);
}

#[test]
fn a_frame_is_closed_and_the_next_one_begins() {
    check(CLOSING, Reads::InOrder, Stores::AsBuilt);
    check(CLOSING, Reads::InNoOrder, Stores::AsBuilt);
}

/// The call that ends in the middle of a word: the next frame begins behind it.
#[test]
fn frames_are_closed_one_after_the_other() {
    const ODD: Step = Step::Call { more: 3 };
    let scenario =
        || Scenario { first: &[], then: &[ODD, Step::Close, ODD, Step::Close], readers: 1, reads: 1, preemptions: 3 };
    check(scenario(), Reads::InOrder, Stores::AsBuilt);
    check(scenario(), Reads::InNoOrder, Stores::AsBuilt);
}

#[test]
fn the_next_extent_is_entered() {
    let scenario = || Scenario { first: &[CALL], then: &[Step::NextExtent], readers: 1, reads: 2, preemptions: 3 };
    check(scenario(), Reads::InOrder, Stores::AsBuilt);
    check(scenario(), Reads::InNoOrder, Stores::AsBuilt);
}

#[test]
fn a_call_that_was_given_up_leaves_nothing_behind() {
    let scenario =
        || Scenario { first: &[CALL], then: &[Step::GiveUp, Step::Close, CALL], readers: 1, reads: 1, preemptions: 3 };
    check(scenario(), Reads::InOrder, Stores::AsBuilt);
    check(scenario(), Reads::InNoOrder, Stores::AsBuilt);
}

#[test]
fn two_readers_follow() {
    let scenario = Scenario { first: &[CALL], then: &[CALL], readers: 2, reads: 1, preemptions: 2 };
    check(scenario, Reads::InOrder, Stores::AsBuilt);
}

/// A reader opens the log while its header is stored, word by word, the first one last.
#[test]
fn a_log_begins_while_it_is_opened() {
    for reads in [Reads::InOrder, Reads::InNoOrder] {
        let mut model = loom::model::Builder::new();
        (model.preemption_bound, model.max_branches) = (Some(3), 20_000);
        model.check(move || {
            let memory = Memory::new(reads, Stores::AsBuilt);
            let blank = blank(&memory);
            let reader = {
                let memory = Arc::clone(&memory);
                thread::spawn(move || {
                    if let Some(mut follower) = Follower::try_open(&memory) {
                        assert_eq!(follower.reader.header(), &header());
                        follower.read(&[CALL]);
                    }
                })
            };
            let mut writer = blank.begin(&header()).unwrap();
            take(&mut writer, 0, CALL);
            reader.join().unwrap();
        });
    }
}

/// The model can fail: it finds an extent whose word does not come last.
#[test]
#[should_panic(expected = "nothing newer was published")]
fn a_word_without_release_is_found() {
    check(GROWING, Reads::InOrder, Stores::RelaxedWord);
}

#[test]
#[should_panic(expected = "nothing newer was published")]
fn a_word_before_its_bytes_is_found() {
    check(GROWING, Reads::InOrder, Stores::WordFirst);
}
