//! What all requests share.

use crate::writers::Writers;
use trackway::Store;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    /// Writers of the runs that are being logged to.
    pub(crate) writers: Writers,
}

impl App {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, writers: Writers::new() }
    }
}
