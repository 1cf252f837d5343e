//! What the background prepares for a writer before it is needed, and how it tells a fast writer from a slow one.

use super::appender::log_header;
use super::lock;
use super::run_core::RunCore;
use crate::env::{Env, Window};
use crate::error::Result;
use crate::log::{BlankLog, LogPlan, LogWriter, NextExtent};
use crate::types::{LogId, RunId};
use std::path::PathBuf;

/// Bytes that a writer logs between two syncs, from which on it counts as fast: its next log is made ready whole.
const FAST_BYTES: u64 = 32 << 20;
/// What a new log is sure to say before its first call, besides the definitions that the call brings.
const PREAMBLE_ROOM: u64 = 32 << 10;

/// How fast a writer is.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    looked_us: u64,
    bytes_at_look: u64,
}

impl Pace {
    /// Whether the writer has logged fast since the last look. `bytes`: all that it ever logged.
    pub(super) fn is_fast(&mut self, bytes: u64, now_us: u64, interval_us: u64) -> bool {
        let (elapsed, logged) = (now_us.saturating_sub(self.looked_us), bytes.saturating_sub(self.bytes_at_look));
        (self.looked_us, self.bytes_at_look) = (now_us, bytes);
        u128::from(logged) * u128::from(interval_us) >= u128::from(FAST_BYTES) * u128::from(elapsed.max(1))
    }
}

/// The log after the current one, as far as it can be made without knowing where that ends.
#[derive(Debug)]
pub(crate) struct NextLog {
    pub(crate) id: LogId,
    blank: BlankLog,
}

impl NextLog {
    pub(super) fn new(id: LogId, blank: BlankLog) -> Self {
        Self { id, blank }
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        (bytes as u64).saturating_add(PREAMBLE_ROOM) <= self.blank.room()
    }

    /// Begins it; a file that cannot be begun is removed.
    pub(crate) fn begin(self, env: &Env, run_id: RunId, before: Option<(LogId, u32)>) -> Result<LogWriter> {
        let path = self.blank.path().to_path_buf();
        self.blank.begin(&log_header(env, run_id, self.id, before)).inspect_err(|_| {
            // What is left says nothing, and is swept up with the run.
            let _ = env.fs.remove_file(&path);
        })
    }
}

/// What is to be done for one writer, outside of its lock.
#[derive(Debug, Default)]
pub(crate) struct AheadWork {
    /// Full extents: dropping them unmaps them.
    pub(crate) spent: Vec<Window>,
    pub(crate) extent: Option<NextExtent>,
    pub(crate) log: Option<(LogId, PathBuf, LogPlan)>,
}

impl RunCore {
    /// Prepares what the writer asked for, outside the lock that appends wait for.
    pub(super) fn prepare_ahead(&self) -> Result<bool> {
        let clock = &self.shared.env.clock;
        let interval_us = u64::try_from(self.shared.options.sync_interval.as_micros()).unwrap_or(u64::MAX);
        let now_us = clock.monotonic_us();
        let AheadWork { spent, extent, log } = self.appender.lock().plan_ahead(now_us, interval_us);
        let worked = !spent.is_empty() || extent.is_some() || log.is_some();
        drop(spent);
        let mut prepared = Ok(());
        if let Some(mut next) = extent {
            // When this fails the writer asks for itself when it really needs the room.
            prepared = next.prepare();
            if prepared.is_ok() {
                self.appender.lock().install_next(next);
            }
        }
        if let Some((id, path, plan)) = log {
            match BlankLog::create(&self.shared.env, &path, plan) {
                Ok(blank) => {
                    let unwanted = self.appender.lock().install_log(NextLog::new(id, blank));
                    self.discard(unwanted)?;
                }
                Err(error) => {
                    self.appender.lock().refuse_log();
                    prepared = prepared.and(Err(error));
                }
            }
        }
        prepared.map(|()| worked)
    }

    /// Removes a prepared log that is not needed. Whoever looked at the run meanwhile took it for one that is written.
    pub(super) fn discard(&self, unwanted: Option<NextLog>) -> Result<()> {
        let Some(NextLog { blank, .. }) = unwanted else { return Ok(()) };
        let path = blank.path().to_path_buf();
        let removed = self.shared.env.fs.remove_file(&path);
        drop(blank);
        lock(&self.shared.to_settle).push(self.id);
        self.shared.seal_alarm.ring();
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(crate::error::Error::io(&path, "remove", error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_fast_by_what_it_logs_between_two_syncs() {
        let mut pace = Pace::default();
        assert!(pace.is_fast(FAST_BYTES, 1_000_000, 1_000_000));
        assert!(!pace.is_fast(2 * FAST_BYTES - 1, 2_000_000, 1_000_000));
        assert!(pace.is_fast(2 * FAST_BYTES - 1 + (64 << 10), 2_000_100, 1_000_000));
        assert!(!pace.is_fast(2 * FAST_BYTES, 9_000_000, 1_000_000));
    }
}
