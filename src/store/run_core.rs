//! What a run's writer and its handles share: the appender, what it knows of the run, and the syncs.

use super::append_lock::AppendLock;
use super::appender::{Appender, SyncWork};
use super::maintenance::seal_pending;
use super::{Shared, lock};
use crate::catalog::RunState;
use crate::env::sync::{Condvar, Mutex, PoisonError, wait_while};
use crate::error::{Error, IoContext, Result};
use crate::format::record::{Change, Meta};
use crate::log::LogWriter;
use crate::options::Durability;
use crate::segment::SegmentPlace;
use crate::types::{ExperimentId, ParamKey, RunId, RunName, RunStatus, StatusCause, TagKey, check_value};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Logs that wait for sealing before whoever ends one more run helps.
const MAX_LOGS_WAITING: usize = 256;

/// What the writer and its handles share.
#[derive(Debug)]
pub(crate) struct RunCore {
    pub(super) shared: Arc<Shared>,
    experiment: ExperimentId,
    pub(super) id: RunId,
    pub(super) dir: PathBuf,
    pub(super) appender: AppendLock<Appender>,
    committer: Committer,
    meta: Mutex<KnownMeta>,
}

/// What this writer knows of the run's params and tags, and from which files.
#[derive(Debug, Default)]
struct KnownMeta {
    state: RunState,
    segments: HashSet<SegmentPlace>,
    /// Keys of the params that are in logs of this writer.
    own_params: HashSet<String>,
}

impl KnownMeta {
    fn note_own(&mut self, records: &[Meta]) {
        for record in records {
            if let Change::Param { key, .. } = &record.change {
                self.own_params.insert(key.clone());
            }
        }
    }
}

/// Lets the callers that wait for the medium share one sync: whoever comes first syncs for all.
///
/// The callers of one sync are back about the same time with their next calls. The first of them waits a little for as
/// many as there were: else it would sync for itself alone, and the others would wait for two syncs each.
#[derive(Debug, Default)]
struct Committer {
    state: Mutex<CommitState>,
    /// A caller has come, and a sync has ended.
    arrived: Condvar,
    done: Condvar,
}

#[derive(Debug, Default)]
struct CommitState {
    /// Every call up to this one is durable.
    synced: u64,
    syncing: bool,
    /// When the last sync began, by the monotonic clock, and how long it took.
    last_us: u64,
    took_us: u64,
    /// Callers that are not served yet, and how many the last sync has served.
    waiting: usize,
    served: usize,
}

/// How long the first caller waits for others, as a part of the last sync's time, and at most.
const PATIENCE_PART: u64 = 8;
const MAX_PATIENCE_US: u64 = 1000;

/// A log can grow to four times the length at which it is to be left, and a call can be longer than that.
const LOGS_IN_LONGEST_FILE: u64 = 8;

impl RunCore {
    /// Begins a writer with a log of its own and writes the first changes. The caller holds the run's lock.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        experiment_id: ExperimentId,
        id: RunId,
        known: RunState,
        after_us: u64,
        changes: Vec<Change>,
    ) -> Result<Arc<Self>> {
        let dir = shared.paths.run(experiment_id, id);
        // A log is left long before it may not grow any more, so that the next one is ready by then.
        let log_bytes = shared.options.log_bytes.min(shared.env.fs.longest_file() / LOGS_IN_LONGEST_FILE);
        let log_id = shared.new_log_id(after_us);
        let appender = Appender::create(
            &shared.env,
            id,
            dir.clone(),
            log_id,
            shared.mapped,
            log_bytes,
            shared.options.background,
        )?;
        let core = Arc::new(Self {
            shared: Arc::clone(shared),
            experiment: experiment_id,
            id,
            dir,
            appender: AppendLock::new(appender),
            committer: Committer::default(),
            meta: Mutex::new(KnownMeta { state: known, segments: HashSet::new(), own_params: HashSet::new() }),
        });
        let begun = core.begin_run(changes);
        if let Err(error) = begun {
            // Nobody was told of this log.
            let path = core.appender.lock().log_path();
            let _ = path.map(|path| shared.env.fs.remove_file(&path));
            return Err(error);
        }
        lock(&shared.writers).push(Arc::downgrade(&core));
        Ok(core)
    }

    /// Logs what is known of the run and the first changes, as one call.
    fn begin_run(&self, changes: Vec<Change>) -> Result<()> {
        let mut known = lock(&self.meta);
        let after_us = known.state.latest_us();
        for change in changes {
            known.state.apply(&Meta { at_us: self.shared.time_after(after_us), change });
        }
        let records = known.state.records();
        known.note_own(&records);
        drop(known);
        self.append(|appender| appender.begin_run(records))
    }

    /// Logs changes of the run and notes them.
    pub(super) fn log_changes(&self, changes: Vec<Change>) -> Result<()> {
        let after_us = lock(&self.meta).state.latest_us();
        let record = |change| Meta { at_us: self.shared.time_after(after_us), change };
        let records: Vec<Meta> = changes.into_iter().map(record).collect();
        self.append(|appender| appender.meta(&records))?;
        let mut known = lock(&self.meta);
        records.iter().for_each(|record| known.state.apply(record));
        known.note_own(&records);
        Ok(())
    }

    /// Runs one log call.
    #[inline]
    pub(super) fn append(&self, call: impl FnOnce(&mut Appender) -> Result<()>) -> Result<()> {
        let mut appender = self.appender.lock();
        call(&mut appender)?;
        let sequence = appender.sequence();
        let has_wish = appender.take_wish();
        drop(appender);
        if has_wish {
            self.wake_background();
        }
        match self.shared.options.durability {
            Durability::Process => Ok(()),
            Durability::Medium => self.commit(sequence),
        }
    }

    #[cold]
    fn wake_background(&self) {
        let full = self.appender.lock().take_full();
        self.retire(full);
        self.shared.append_alarm.ring();
    }

    /// Returns when call number `sequence` is on the medium.
    fn commit(&self, sequence: u64) -> Result<()> {
        let mut state = lock(&self.committer.state);
        state.waiting += 1;
        self.committer.arrived.notify_all();
        while state.synced < sequence && state.syncing {
            state = self.committer.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.synced >= sequence {
            state.waiting -= 1;
            return Ok(());
        }
        state.syncing = true;
        let wanted = state.served;
        let patience = Duration::from_micros((state.took_us / PATIENCE_PART).min(MAX_PATIENCE_US));
        let few = |state: &mut CommitState| state.waiting < wanted;
        let Committer { state: mutex, arrived, .. } = &self.committer;
        let mut state = wait_while(arrived, mutex, state, patience, few);
        state.served = state.waiting;
        state.last_us = self.shared.env.clock.monotonic_us();
        drop(state);
        let synced = self.sync_once();
        let mut state = lock(&self.committer.state);
        state.took_us = self.shared.env.clock.monotonic_us().saturating_sub(state.last_us);
        state.syncing = false;
        state.waiting -= 1;
        if let Ok(upto) = &synced {
            state.synced = state.synced.max(*upto);
        }
        drop(state);
        self.committer.done.notify_all();
        synced.map(|_| ())
    }

    /// Makes everything published so far durable; returns the number of the last call in it.
    fn sync_once(&self) -> Result<u64> {
        let SyncWork { sequence, files, names } = self.appender.lock().begin_sync()?;
        let mut unsealed = files.iter().filter(|(_, sealed)| !sealed.is_set());
        let synced = unsealed.try_for_each(|(file, _)| file.sync().at(&self.dir, "sync a log in")).and_then(|()| {
            if !names {
                return Ok(());
            }
            match super::open::sync_up(&self.shared.env, &self.dir, self.shared.paths.root()) {
                // All of it lies in a pack, durably, and the folder is gone.
                Err(error) if error.is_missing_file() && files.iter().all(|(_, sealed)| sealed.is_set()) => Ok(()),
                synced => synced,
            }
        });
        match synced {
            Ok(()) => Ok(sequence),
            Err(error) => {
                self.appender.lock().poison(&error.to_string());
                Err(error)
            }
        }
    }

    /// Whether the sync interval has passed since the last sync and something was logged.
    pub(super) fn sync_is_due(&self, now_us: u64, interval_us: u64) -> bool {
        let (synced, last_us) = {
            let state = lock(&self.committer.state);
            (state.synced, state.last_us)
        };
        if now_us.saturating_sub(last_us) < interval_us {
            return false;
        }
        let appender = self.appender.lock();
        !appender.is_poisoned() && appender.sequence() > synced
    }

    /// Whether something was logged that can no longer be made durable.
    pub(super) fn has_lost_hold(&self) -> bool {
        let synced = lock(&self.committer.state).synced;
        let appender = self.appender.lock();
        appender.is_poisoned() && appender.sequence() > synced
    }

    /// Makes everything logged so far durable.
    pub(super) fn sync(&self) -> Result<()> {
        let sequence = self.appender.lock().sequence();
        self.commit(sequence)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.appender.lock().is_ended()
    }

    /// Hands full logs over for sealing. They stay locked until that is done.
    fn retire(&self, full: Vec<LogWriter>) {
        if full.is_empty() {
            return;
        }
        let (full, spent): (Vec<_>, Vec<_>) = full.into_iter().map(LogWriter::leave).unzip();
        lock(&self.shared.spent).extend(spent.into_iter().flatten());
        self.shared.append_alarm.ring();
        lock(&self.shared.retired).extend(full.into_iter().map(|log| (self.id, log)));
        self.shared.seal_alarm.ring();
    }

    pub(super) fn end(&self, status: RunStatus, cause: StatusCause, end_time: Option<i64>) -> Result<()> {
        let end_time = Some(end_time.unwrap_or_else(|| self.shared.now_ms()));
        let change = Change::Status { status, cause, end_time };
        let at_us = self.shared.time_after(lock(&self.meta).state.latest_us());
        self.close(&[Meta { at_us, change }])
    }

    /// What a dropped writer leaves: a run that somebody else has ended keeps its status.
    pub(super) fn end_dropped(&self, status: RunStatus) -> Result<()> {
        // Where that cannot be read this one says nothing either: if nobody has ended the run, it is completed when it is
        // settled.
        let may_be_ended = {
            let mut known = lock(&self.meta);
            self.refresh_meta(&mut known).is_err() || known.state.status().is_ended()
        };
        if may_be_ended { self.close(&[]) } else { self.end(status, StatusCause::Dropped, None) }
    }

    /// Ends this writer and not the run: while nobody writes to it, it stays what it is.
    pub(super) fn leave(&self) -> Result<()> {
        let read = {
            let mut known = lock(&self.meta);
            self.refresh_meta(&mut known).map(|()| known.state.status())
        };
        match read {
            Ok(status) if status.is_ended() => self.close(&[]),
            Ok(status) => self.end(status, StatusCause::Reported, None),
            // Whatever was said now might contradict somebody who has ended the run.
            Err(error) => self.close(&[]).and(Err(error)),
        }
    }

    fn close(&self, records: &[Meta]) -> Result<()> {
        let (ended, full, unwanted) = {
            let mut appender = self.appender.lock();
            let said = if records.is_empty() { Ok(()) } else { appender.meta(records) };
            let ended = said.and_then(|()| appender.end());
            let unwanted = if appender.is_ended() { appender.take_next_log() } else { None };
            (ended, appender.take_full(), unwanted)
        };
        // What cannot be removed says nothing, and is swept up with the run.
        let _ = self.discard(unwanted);
        // In this order: whoever finds the run to settle finds its logs to seal.
        self.retire(full);
        lock(&self.shared.to_settle).push(self.id);
        self.shared.seal_alarm.ring();
        ended?;
        match self.shared.options.durability {
            Durability::Process => {}
            Durability::Medium => self.sync()?,
        }
        self.keep_pace();
        Ok(())
    }

    /// Seals along when more logs have ended than the background keeps up with: each holds its file open until it is sealed.
    /// What fails is tried again there, and said there.
    fn keep_pace(&self) {
        let waiting = lock(&self.shared.retired).len();
        if self.shared.options.background && waiting > MAX_LOGS_WAITING {
            let _ = seal_pending(&self.shared);
        }
    }

    /// Reads what other writers have said of the run since the last look. The caller holds the run's lock.
    fn refresh_meta(&self, known: &mut KnownMeta) -> Result<()> {
        while !self.read_meta(known)? {}
        self.shared.saw_change(known.state.latest_us());
        Ok(())
    }

    /// False when a log was sealed while it was looked for: its segment is there on a second look.
    fn read_meta(&self, known: &mut KnownMeta) -> Result<bool> {
        let files = super::run_files::RunFiles::scan(&self.shared, self.experiment, self.id)?;
        files.check_read()?;
        for segment in &files.segments {
            if !known.segments.contains(segment.place()) {
                super::run_view::meta_of(segment)?.iter().for_each(|record| known.state.apply(record));
                known.segments.insert(segment.place().clone());
            }
        }
        let own = self.appender.lock().log_path();
        for (id, path) in files.logs.iter().filter(|(_, path)| Some(path) != own.as_ref()) {
            match self.shared.log_content(self.id, *id, path, false) {
                Ok(content) => content.head.meta().iter().for_each(|record| known.state.apply(record)),
                Err(error) if error.is_missing_file() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(super) fn log_params(&self, params: &[(&str, &str)]) -> Result<()> {
        for (key, value) in params {
            ParamKey::check(key)?;
            check_value("param value in bytes", value)?;
        }
        // Write-once holds across processes: whoever has the run's lock sees what all others have written.
        let _run_lock = self.shared.lock_run(self.id)?;
        let changes = {
            let mut known = lock(&self.meta);
            self.refresh_meta(&mut known)?;
            new_params(self.id, &known.state, &known.own_params, params)?
        };
        if changes.is_empty() { Ok(()) } else { self.log_changes(changes) }
    }

    pub(super) fn row_number<'a>(&self, appender: &mut Appender, keys: impl Iterator<Item = &'a str>) -> Result<u32> {
        let numbers = keys.map(|key| appender.number(key)).collect::<Result<Vec<u32>>>()?;
        if numbers.is_empty() {
            return Err(Error::invalid("row", "it has no metric"));
        }
        if let Some(known) = appender.known_row(&numbers) {
            return Ok(known);
        }
        let mut seen = HashSet::with_capacity(numbers.len());
        if !numbers.iter().all(|number| seen.insert(number)) {
            return Err(Error::invalid("row", "it names a metric twice"));
        }
        appender.row_number(&numbers)
    }
}

/// The params that this writer has not logged yet, also those that another has, whose log may be lost with the power; an
/// error when one is known with another value, or given twice differently.
pub(super) fn new_params(
    run: RunId,
    known: &RunState,
    own: &HashSet<String>,
    params: &[(&str, &str)],
) -> Result<Vec<Change>> {
    let mut fresh: Vec<(&str, &str)> = Vec::new();
    for (key, value) in params {
        let given = fresh.iter().find(|(other, _)| other == key).map(|(_, value)| *value);
        match known.param(key).or(given) {
            Some(stored) if stored == *value && (given.is_some() || own.contains(*key)) => {}
            Some(stored) if stored == *value => fresh.push((key, value)),
            Some(stored) => {
                return Err(Error::ParamConflict {
                    run: run.to_string(),
                    key: (*key).to_owned(),
                    stored: stored.to_owned(),
                    given: (*value).to_owned(),
                });
            }
            None => fresh.push((key, value)),
        }
    }
    let change = |(key, value): &(&str, &str)| Change::Param { key: (*key).to_owned(), value: (*value).to_owned() };
    Ok(fresh.iter().map(change).collect())
}

/// Checks what a run is created with.
pub(super) fn check_new_run(new: &crate::types::NewRun) -> Result<()> {
    if let Some(name) = &new.name {
        RunName::check(name)?;
    }
    if let Some(user) = new.user.as_deref().filter(|user| !user.is_empty()) {
        // Users have the rules of run names; the key's name says which field it is.
        RunName::check(user)?;
    }
    for (key, value) in &new.tags {
        TagKey::check(key)?;
        check_value("tag value in bytes", value)?;
    }
    for (key, value) in &new.params {
        ParamKey::check(key)?;
        check_value("param value in bytes", value)?;
    }
    Ok(())
}
