//! Runs the program on a store in a temporary folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A store in a folder of its own.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a call of the program did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program, not bothered by the environment of the test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackway"));
    command.env_remove("TRACKWAY_STORE").env_remove("COLUMNS").env("NO_COLOR", "1");
    command
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Runs the program on the store with this standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &[u8]) -> Ran {
        feed(&self.store(), args, input)
    }

    /// Runs the program on the store without input.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.feed(args, b"")
    }

    /// As `run`, which must succeed; gives standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.run(args).ok()
    }

    /// As `ok`, standard output being JSON.
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Logs these lines to a new run of this name; gives its id.
    pub(crate) fn log(&self, name: &str, lines: &str) -> String {
        self.feed(&["log", "--name", name], lines.as_bytes()).ok().trim().to_owned()
    }
}

/// Runs the program on a store with this standard input.
pub(crate) fn feed(store: &Path, args: &[&str], input: &[u8]) -> Ran {
    let mut command = program();
    command.arg("--store").arg(store).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The child reads while it writes: a thread feeds it. It may end before it has read everything.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    Ran::from(output)
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// Standard output of a call that succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "standard error: {}", self.err);
        self.out
    }

    /// Standard error of a call that failed with this code, in one line.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "standard output: {}\nstandard error: {}", self.out, self.err);
        self.err
    }

    /// The error line of a call that failed with code 1.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        let err = self.fails(1);
        let line = err.lines().rfind(|line| line.starts_with("trackway: error: "));
        line.unwrap_or_else(|| panic!("no error line in {err:?}")).to_owned()
    }
}
