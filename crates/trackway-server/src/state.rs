//! What all requests share.

use crate::limits::Limits;
use crate::native::Changes;
use crate::writers::Writers;
use std::sync::Arc;
use tokio::sync::Semaphore;
use trackway::Store;

/// Most files at a time: fewer than there are threads that may block.
const MOST_TRANSFERS: usize = 40;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    /// Writers of the runs that are being logged to.
    pub(crate) writers: Writers,
    /// What pages were told of runs that change.
    pub(crate) changes: Changes,
    /// One for each file that is on its way in or out: each holds a thread that may block.
    pub(crate) transfers: Arc<Semaphore>,
    /// How long clients may take.
    pub(crate) limits: Limits,
}

impl App {
    pub(crate) fn new(store: Store, limits: Limits) -> Self {
        let transfers = Arc::new(Semaphore::new(MOST_TRANSFERS));
        Self { store, writers: Writers::new(), changes: Changes::new(), transfers, limits }
    }
}
