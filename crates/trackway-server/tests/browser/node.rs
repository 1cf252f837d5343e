//! Scripts that drive headless Chromium, for tests and for a bench. They want Node and Chromium; the package that drives it is
//! fetched by npm, once.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What lies beside this file and is copied to where the package is.
const FILES: [&str; 7] =
    ["package.json", "chromium.mjs", "client.mjs", "browser.mjs", "login.mjs", "mlflow.mjs", "pages.mjs"];

/// Names the browser.
const CHROMIUM: &str = "TRACKWAY_CHROMIUM";

fn chromium() -> PathBuf {
    std::env::var_os(CHROMIUM).map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from)
}

/// The first of the programs that is not there.
pub(crate) fn missing() -> Option<PathBuf> {
    let runs = |program: &Path| {
        let mut asked = Command::new(program);
        asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    ["node".into(), "npm".into(), chromium()].into_iter().find(|program| !runs(program))
}

/// A folder with the scripts and their package.
///
/// # Panics
/// The package cannot be had.
fn installed() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        std::fs::create_dir_all(&dir).unwrap();
        for name in FILES {
            std::fs::copy(source.join(name), dir.join(name)).unwrap();
        }
        let npm =
            Command::new("npm").args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(&dir).status();
        assert!(npm.expect("npm is there").success(), "the package that drives the browser cannot be had");
        dir
    })
}

/// Runs a script; whether it ended well. What it prints says more.
///
/// # Panics
/// There is no Node, or the package cannot be had.
pub(crate) fn run(script: &str, args: &[impl AsRef<OsStr>]) -> bool {
    let mut node = Command::new("node");
    node.arg(script).args(args).env(CHROMIUM, chromium()).current_dir(installed());
    node.status().expect("node is there").success()
}
