//! Tests that need a file system of their own: they run in a child with its own mount namespace, so that what they
//! mount goes with them, however they end. Where that is not allowed they are skipped, which stderr is told.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Carries what a child in a namespace is told: its folder and what the test adds.
const VARIABLE: &str = "TRACKWAY_CRASH_NAMESPACE";

/// Past the test harness, which keeps what is printed to itself.
pub(crate) fn skip(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// How this process may get a mount namespace: as root, or in a user namespace of its own.
fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&'static [&'static str]; 2] = [&["-m"], &["-Urm"]];
    ways.into_iter().find(|way| succeeds(Command::new("unshare").args(*way).arg("true")))
}

/// Runs the ignored test `name` of this binary in a namespace of its own, with a folder that it may mount over.
pub(crate) fn within(name: &str, told: &str) {
    let Some(way) = unshare() else {
        skip(&format!("{name} ({told}): this process may not make a mount namespace"));
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(way)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, format!("{}|{told}", folder.path().display()))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{name} ({told}): {status}");
}

/// In the child: its folder, and what the test has told it.
pub(crate) fn told() -> Option<(PathBuf, String)> {
    let text = std::env::var(VARIABLE).ok()?;
    let (folder, told) = text.split_once('|').unwrap();
    Some((folder.into(), told.to_owned()))
}

fn mount(args: &[&str]) -> bool {
    let is_mounted = succeeds(Command::new("mount").args(args));
    if !is_mounted {
        skip(&format!("mount {}: not possible here", args.join(" ")));
    }
    is_mounted
}

/// Mounts a file system of `mib` MiB below `folder` and answers where a store may lie; `None` where it is not to be had.
pub(crate) fn mount_at(folder: &Path, kind: &str, mib: u64) -> Option<PathBuf> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let at = folder.join("medium");
    std::fs::create_dir(&at).unwrap();
    let size = format!("size={mib}m");
    let is_mounted = match kind {
        "tmpfs" => mount(&["-t", "tmpfs", "-o", &size, "tmpfs", &text(&at)]),
        "ramfs" => mount(&["-t", "ramfs", "ramfs", &text(&at)]),
        "ext4" => {
            let image = folder.join("image");
            std::fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
            if !succeeds(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image)) {
                skip("ext4: no mkfs.ext4 here");
                return None;
            }
            // The loop device goes with the mount.
            mount(&["-t", "ext4", "-o", "loop", &text(&image), &text(&at)])
        }
        "overlay" => {
            if !mount(&["-t", "tmpfs", "-o", &size, "tmpfs", &text(&at)]) {
                return None;
            }
            let [lower, upper, work, over] = ["lower", "upper", "work", "over"].map(|name| at.join(name));
            [&lower, &upper, &work, &over].into_iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
            let layers = [("lowerdir", &lower), ("upperdir", &upper), ("workdir", &work)];
            let layers = layers.map(|(name, dir)| format!("{name}={}", dir.display())).join(",");
            return mount(&["-t", "overlay", "-o", &layers, "overlay", &text(&over)]).then_some(over);
        }
        other => panic!("no file system {other}"),
    };
    is_mounted.then_some(at)
}

/// Mounts what is at `at` anew, with other options: those with `bind` also where a user namespace is all there is.
pub(crate) fn remount(at: &Path, options: &str) -> bool {
    mount(&["-o", &format!("remount,{options}"), at.to_str().unwrap()])
}
