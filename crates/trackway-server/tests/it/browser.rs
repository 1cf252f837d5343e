//! Trackway's pages in headless Chromium. It wants Node and Chromium, and fetches the package that drives it; so it runs where
//! `TRACKWAY_BROWSER_TESTS=1` says so. `TRACKWAY_CHROMIUM` names the program, `TRACKWAY_PICTURES` a folder for pictures.

use crate::node;
use crate::server::TestServer;
use std::ffi::OsString;
use std::process::Command;
use trackway_server::ServerOptions;

/// Whether tests in a browser are wanted here; says so when they are not.
pub(crate) fn is_wanted() -> bool {
    let wanted = std::env::var_os("TRACKWAY_BROWSER_TESTS").is_some_and(|set| set == "1");
    if !wanted {
        eprintln!("skipped: TRACKWAY_BROWSER_TESTS=1 runs it");
    }
    wanted
}

fn arguments(server: &TestServer) -> Vec<OsString> {
    [Some(server.url.clone().into()), std::env::var_os("TRACKWAY_PICTURES")].into_iter().flatten().collect()
}

#[test]
fn the_pages_work_in_a_browser() {
    if !is_wanted() {
        return;
    }
    assert_eq!(node::missing(), None, "a program is not there");
    let server = TestServer::start();
    assert!(node::run("browser.mjs", &arguments(&server)), "the pages do not work; what was printed says where");
}

#[test]
fn the_login_page_leads_back_to_where_somebody_wanted() {
    if !is_wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, token) = (dir.path().join("token"), "0123456789abcdef0123");
    std::fs::write(&file, token).unwrap();
    let server = TestServer::start_with(ServerOptions { token_file: Some(file), ..ServerOptions::default() });
    let mut args = arguments(&server);
    args.insert(1, token.into());
    assert!(node::run("login.mjs", &args), "what was printed says where");
}

/// MLflow's pages come with its package: `TRACKWAY_MLFLOW_PYTHON` names an interpreter that has it.
#[test]
fn mlflows_own_pages_show_runs_and_charts() {
    if !is_wanted() {
        return;
    }
    let Some(python) = std::env::var_os("TRACKWAY_MLFLOW_PYTHON") else {
        eprintln!("skipped: TRACKWAY_MLFLOW_PYTHON names an interpreter with mlflow");
        return;
    };
    let find = "import importlib.util as util; print(*util.find_spec('mlflow').submodule_search_locations)";
    let found = Command::new(python).args(["-c", find]).output().unwrap();
    let package = String::from_utf8(found.stdout).unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let pages = Some(package.trim().into());
    let server = TestServer::start_with(ServerOptions { mlflow_ui: pages, ..ServerOptions::default() });
    assert!(node::run("mlflow.mjs", &arguments(&server)), "the pages do not work; what was printed says where");
}
