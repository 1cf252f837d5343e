//! What all requests share.

use crate::native::Changes;
use crate::writers::Writers;
use trackway::Store;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    /// Writers of the runs that are being logged to.
    pub(crate) writers: Writers,
    /// What pages were told of runs that change.
    pub(crate) changes: Changes,
}

impl App {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, writers: Writers::new(), changes: Changes::new() }
    }
}
