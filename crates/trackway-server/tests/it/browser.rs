//! Trackway's pages in headless Chromium. It wants Node and Chromium, and fetches the package that drives it; so it runs where
//! `TRACKWAY_BROWSER_TESTS=1` says so. `TRACKWAY_CHROMIUM` names the program, `TRACKWAY_PICTURES` a folder for pictures.

use crate::server::TestServer;
use std::path::Path;
use std::process::Command;

#[test]
fn the_pages_work_in_a_browser() {
    if std::env::var_os("TRACKWAY_BROWSER_TESTS").is_none_or(|set| set != "1") {
        eprintln!("skipped: TRACKWAY_BROWSER_TESTS=1 runs it");
        return;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&dir).unwrap();
    for name in ["package.json", "browser.mjs"] {
        std::fs::copy(source.join(name), dir.join(name)).unwrap();
    }
    let npm = Command::new("npm").args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(&dir).status();
    assert!(npm.expect("npm is there").success());
    let server = TestServer::start();
    let mut node = Command::new("node");
    node.arg("browser.mjs").arg(&server.url).args(std::env::var_os("TRACKWAY_PICTURES")).current_dir(&dir);
    let done = node.status().expect("node is there");
    assert!(done.success(), "the pages do not work; what was printed says where");
}
