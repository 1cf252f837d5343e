//! What every command works with: the store's path, standard output, and what the terminal can show.

use crate::error::{Failure, Outcome, warn};
use crate::style::stdout_has_color;
use crate::table::Table;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use std::fmt;
use std::io::{BufWriter, IsTerminal as _, Stdout, Write};
use std::path::{Path, PathBuf};
use trackway::{Error, Store, StoreOptions};

/// Width used where there is no terminal to ask and something has to have one (charts).
pub(crate) const DEFAULT_WIDTH: usize = 100;

/// Incidents told one by one.
const INCIDENTS: usize = 5;

/// What every command works with.
pub(crate) struct Context {
    store: Option<PathBuf>,
    out: BufWriter<Stdout>,
    /// Columns of the terminal; `None` when standard output is something else: then nothing is cut.
    pub(crate) width: Option<usize>,
    /// Whether standard output shows colours.
    pub(crate) color: bool,
}

impl Context {
    pub(crate) fn new(store: Option<PathBuf>) -> Self {
        let named = || std::env::var_os("TRACKWAY_STORE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let store = store.or_else(named);
        let out = BufWriter::with_capacity(1 << 16, std::io::stdout());
        Self { store, out, width: terminal_width(), color: stdout_has_color() }
    }

    /// The store's folder: `--store`, else `$TRACKWAY_STORE` unless it is empty, else `./trackway`.
    pub(crate) fn store_path(&self) -> &Path {
        self.store.as_deref().unwrap_or_else(|| Path::new("trackway"))
    }

    /// The folder given with `--store` or `$TRACKWAY_STORE`, if any.
    pub(crate) fn given_store(&self) -> Option<&Path> {
        self.store.as_deref()
    }

    /// Opens the store for reading: nothing is created, changed or mended.
    pub(crate) fn open_to_read(&self) -> Outcome<Store> {
        self.explain_missing(StoreOptions::new().read_only(true).create(false))
    }

    /// Opens an existing store for changes.
    pub(crate) fn open_to_change(&self) -> Outcome<Store> {
        self.explain_missing(StoreOptions::new().create(false)).inspect(tell_incidents)
    }

    /// Opens the store for changes and creates it when missing.
    pub(crate) fn open_or_create(&self) -> Outcome<Store> {
        self.open_or_create_with(StoreOptions::new())
    }

    /// The same in a way of its own.
    pub(crate) fn open_or_create_with(&self, options: StoreOptions) -> Outcome<Store> {
        Ok(options.open(self.store_path()).inspect(tell_incidents)?)
    }

    fn explain_missing(&self, options: StoreOptions) -> Outcome<Store> {
        options.open(self.store_path()).map_err(not_opened)
    }

    /// Writes a line to standard output.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Outcome {
        writeln!(self.out, "{text}").map_err(|e| Failure::stdout(&e))
    }

    /// Writes bytes to standard output.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.out.write_all(bytes).map_err(|e| Failure::stdout(&e))
    }

    /// Hands over to standard output what is still buffered.
    pub(crate) fn flush(&mut self) -> Outcome {
        self.out.flush().map_err(|e| Failure::stdout(&e))
    }

    /// Writes a table, cut to the terminal's width.
    pub(crate) fn table(&mut self, table: &Table) -> Outcome {
        self.bytes(table.render(self.width, self.color).as_bytes())
    }

    /// Writes one JSON document.
    pub(crate) fn json(&mut self, value: &Value) -> Outcome {
        self.line(format_args!("{value:#}"))
    }
}

/// Why a store could not be opened.
pub(crate) fn not_opened(error: Error) -> Failure {
    let is_missing = matches!(error, Error::NotFound { .. });
    let hint = "name the store's folder with --store DIR or TRACKWAY_STORE; `trackway log` creates one";
    if is_missing { Failure::new(error.to_string()).hint(hint) } else { error.into() }
}

/// Says what was found and mended, or could not be read, e.g. a run whose writer had vanished.
pub(crate) fn tell_incidents(store: &Store) {
    let incidents = store.incidents();
    for incident in incidents.iter().take(INCIDENTS) {
        warn(format_args!("{}: {}", incident.path.display(), incident.what));
    }
    if incidents.len() > INCIDENTS {
        warn(format_args!("and {} more places in the store like these", incidents.len() - INCIDENTS));
    }
}

/// The width of the terminal that standard output is; `COLUMNS` rules when it is set to a number.
fn terminal_width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let named = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|width| *width > 0);
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Some(named.or_else(asked).unwrap_or(DEFAULT_WIDTH).max(20))
}

/// A progress bar on standard error, shown only at a terminal.
pub(crate) fn progress_bar(total: u64, template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), target).with_style(style)
}
