//! The background threads: each waits for its alarm or the clock, does one round of maintenance, and starts again.
//!
//! Three of them, since a merge can take seconds and a sync some tenths of one: one keeps ahead of the writers
//! (extents and logs before they are needed), one syncs what is due, one seals, settles and compacts.

use super::{Shared, lock, maintenance};
use crate::env::sync::thread::{Builder, JoinHandle};
use crate::env::sync::{Condvar, Mutex, wait_while};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// Longest sleep: how late another process's wish or a due sync may be noticed.
const MAX_SLEEP: Duration = Duration::from_millis(200);

/// Wakes the thread before its time.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    state: Mutex<Signal>,
    rung: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Signal {
    #[default]
    Quiet,
    Work,
    Stop,
}

impl Alarm {
    /// Says that there is work. Cheap when it was said already.
    pub(crate) fn ring(&self) {
        let mut state = lock(&self.state);
        if *state == Signal::Quiet {
            *state = Signal::Work;
            self.rung.notify_one();
        }
    }

    fn stop(&self) {
        *lock(&self.state) = Signal::Stop;
        self.rung.notify_all();
    }

    /// Waits for a ring or until `timeout` is over; false when the thread shall stop.
    fn wait(&self, timeout: Duration) -> bool {
        let state = lock(&self.state);
        let quiet = |state: &mut Signal| *state == Signal::Quiet;
        let mut state = wait_while(&self.rung, &self.state, state, timeout, quiet);
        if *state == Signal::Stop {
            return false;
        }
        *state = Signal::Quiet;
        true
    }
}

/// The threads of one store.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

type Round = fn(&Arc<Shared>) -> Result<bool>;
type GetAlarm = fn(&Shared) -> &Alarm;

impl Worker {
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self> {
        // Half the interval: a sync that was not due at one look is not late at the next.
        let tick = (shared.options.sync_interval / 2).clamp(Duration::from_millis(1), MAX_SLEEP);
        let mut worker = Self { shared: Arc::clone(shared), threads: Vec::new() };
        // Nobody waits for sealing: a log call waits for the others.
        let rounds: [(&str, GetAlarm, Round, Duration, bool); 3] = [
            ("trackway-ahead", |shared| &shared.append_alarm, maintenance::keep_ahead, MAX_SLEEP, false),
            ("trackway-sync", |shared| &shared.sync_alarm, |shared| maintenance::keep_up(shared, false), tick, false),
            ("trackway-seal", |shared| &shared.seal_alarm, maintenance::tidy_and_scrub, MAX_SLEEP, true),
        ];
        for (name, alarm, round, tick, gives_way) in rounds {
            let shared = Arc::clone(shared);
            let spawned = Builder::new().name(name.to_owned()).spawn(move || {
                if gives_way {
                    crate::env::give_way();
                }
                run(&shared, alarm(&shared), round, tick);
            });
            match spawned {
                Ok(thread) => worker.threads.push(thread),
                Err(error) => {
                    let path = worker.shared.paths.root().to_path_buf();
                    worker.stop();
                    return Err(Error::io(&path, "start a background thread of", error));
                }
            }
        }
        Ok(worker)
    }

    /// Returns when the threads have ended.
    pub(crate) fn stop(self) {
        self.shared.append_alarm.stop();
        self.shared.sync_alarm.stop();
        self.shared.seal_alarm.stop();
        for thread in self.threads {
            // A panic was noted by its thread.
            let _ = thread.join();
        }
    }
}

/// Notes it at once when the thread panics: what it would have synced or sealed is then left to the writers' own calls.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let root = self.0.paths.root().to_path_buf();
            self.0.note_incident(&root, 0, "a background thread panicked; open the store again".to_owned());
        }
    }
}

fn run(shared: &Arc<Shared>, alarm: &Alarm, round: Round, tick: Duration) {
    let _guard = Guard(shared);
    while alarm.wait(tick) {
        if let Err(error) = round(shared) {
            shared.note_once(shared.paths.root(), &error);
        }
    }
}

impl Shared {
    /// An error that nobody waits for is kept where its owner can see it; each text once.
    pub(super) fn note_once(&self, path: &std::path::Path, error: &Error) {
        let what = format!("left for later: {error}");
        if !lock(&self.incidents).iter().any(|known| known.what == what) {
            self.note_incident(path, 0, what);
        }
    }
}
