//! Trackway's pages in headless Chromium. It wants Node and Chromium, and fetches the package that drives it; so it runs where
//! `TRACKWAY_BROWSER_TESTS=1` says so. `TRACKWAY_CHROMIUM` names the program, `TRACKWAY_PICTURES` a folder for pictures.

use crate::node;
use crate::server::TestServer;

/// Whether tests in a browser are wanted here; says so when they are not.
pub(crate) fn is_wanted() -> bool {
    let wanted = std::env::var_os("TRACKWAY_BROWSER_TESTS").is_some_and(|set| set == "1");
    if !wanted {
        eprintln!("skipped: TRACKWAY_BROWSER_TESTS=1 runs it");
    }
    wanted
}

#[test]
fn the_pages_work_in_a_browser() {
    if !is_wanted() {
        return;
    }
    assert_eq!(node::missing(), None, "a program is not there");
    let server = TestServer::start();
    let args = [Some(server.url.clone().into()), std::env::var_os("TRACKWAY_PICTURES")];
    let args: Vec<_> = args.into_iter().flatten().collect();
    assert!(node::run("browser.mjs", &args), "the pages do not work; what was printed says where");
}
