//! The real MLflow client against a server of this crate: an unmodified training script, and everything that it logged read
//! back. Its packages come from the network, so that this is only done with `TRACKWAY_PYTHON_TESTS=1`, and skipped with a
//! message where they cannot be had. `TRACKWAY_MLFLOW_PYTHON` names an interpreter that has them already.

use crate::server::TestServer;
use std::path::{Path, PathBuf};
use std::process::Command;

const SWITCH: &str = "TRACKWAY_PYTHON_TESTS";
const INTERPRETER: &str = "TRACKWAY_MLFLOW_PYTHON";
/// The release whose API is served.
const PACKAGES: [&str; 2] = ["mlflow==3.17.2", "scikit-learn"];

#[test]
fn the_real_client_trains_and_reads_everything_back() {
    if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
        eprintln!("skipped: set {SWITCH}=1 to have MLflow fetched and its client log into a server");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let python = match interpreter(dir.path()) {
        Ok(python) => python,
        Err(error) => {
            eprintln!("skipped: the packages of Python cannot be had: {error}");
            return;
        }
    };
    let server = TestServer::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_back.py");
    let mut command = Command::new(python);
    command.arg(script).current_dir(dir.path());
    command.env("MLFLOW_TRACKING_URI", &server.url).env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1");
    command.env("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false").env("GIT_PYTHON_REFRESH", "quiet");
    let told = run(&mut command).unwrap_or_else(|error| panic!("{error}"));
    println!("{told}");
}

fn interpreter(dir: &Path) -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os(INTERPRETER) {
        return Ok(python.into());
    }
    let venv = dir.join("venv");
    let python = venv.join("bin/python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(quiet).args(PACKAGES))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr)))
}
