//! How a command fails: the line a person sees, and the exit code.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use trackway::{Error, ErrorKind};

/// Exit code of a command that failed.
pub const EXIT_FAILED: u8 = 1;

/// Exit code of `verify` when it found damage.
pub const EXIT_DAMAGED: u8 = 3;

/// The result of a command.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong: one line for a person, and what could help.
    Told {
        /// What went wrong, with its cause.
        message: String,
        /// What to try, if anything is known.
        hint: Option<String>,
    },
    /// Nothing to add to what was printed; ends with this exit code.
    Silent(u8),
}

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Told { message: message.into(), hint: None }
    }

    /// Adds what could help.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Told { message, .. } => Self::Told { message, hint: Some(hint.into()) },
            silent @ Self::Silent(_) => silent,
        }
    }

    /// A failed call of the system on `path`.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("cannot {action} {}: {error}", path.display()))
    }

    /// A failed write to standard output. Its reader having gone (`| head`) is no failure.
    pub fn stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Silent(0),
            _ => Self::new(format!("cannot write to standard output: {error}")),
        }
    }

    /// Says on standard error what went wrong, in one line, and gives the exit code.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Told { message, hint } => {
                complain("error", &message, hint.as_deref());
                ExitCode::from(EXIT_FAILED)
            }
            Self::Silent(code) => ExitCode::from(code),
        }
    }
}

/// Writes a warning to standard error.
pub fn warn(message: impl Display) {
    complain("warning", &message.to_string(), None);
}

fn complain(kind: &str, message: &str, hint: Option<&str>) {
    use std::io::Write as _;
    let message = crate::text::one_line(message);
    let line = match hint {
        Some(hint) => format!("trackway: {kind}: {message} ({})\n", crate::text::one_line(hint)),
        None => format!("trackway: {kind}: {message}\n"),
    };
    // Standard error may be closed; then nobody is there to be told.
    let _ = io::stderr().write_all(line.as_bytes());
}

impl From<trackway_import::Error> for Failure {
    fn from(error: trackway_import::Error) -> Self {
        match error {
            trackway_import::Error::Store(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<trackway_arrow::Error> for Failure {
    fn from(error: trackway_arrow::Error) -> Self {
        match error {
            trackway_arrow::Error::Store(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = match error.kind() {
            ErrorKind::Corrupt => Some("`trackway verify` lists all damage; the rest of the store stays readable"),
            ErrorKind::Unsupported => Some("name the store's folder with --store DIR or TRACKWAY_STORE"),
            ErrorKind::DiskFull => Some("free some space and repeat"),
            _ => None,
        };
        Self::Told { message: error.to_string(), hint: hint.map(str::to_owned) }
    }
}
