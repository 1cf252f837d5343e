//! The pages: served whole, with a policy that lets nothing else run. What they do is tested in a browser (`browser.rs`).

use crate::server::TestServer;
use std::collections::BTreeSet;
use std::path::Path;

/// The files below `ui/`.
fn files(dir: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else if !name.ends_with(".md") {
            found.insert(name);
        }
    }
}

#[test]
fn every_file_is_served_as_what_it_is() {
    let server = TestServer::start();
    let mut all = BTreeSet::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    files(&dir, "", &mut all);
    for name in &all {
        let answer = server.send("GET", &format!("/ui/{name}"), &[], b"");
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, &*std::fs::read_to_string(dir.join(name)).unwrap()),
            "{name}"
        );
        let kind = answer.headers["content-type"].to_str().unwrap();
        let expected = match name.rsplit('.').next().unwrap() {
            "js" => "text/javascript",
            "css" => "text/css",
            "html" => "text/html",
            "svg" => "image/svg+xml",
            _ => "text/plain",
        };
        assert!(kind.starts_with(expected), "{name}: {kind}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let tag = answer.headers["etag"].to_str().unwrap();
        let again = server.send("GET", &format!("/ui/{name}"), &[("If-None-Match", tag)], b"");
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{name}");
    }
    // Modules name each other: what the first page does not name is only asked for when the ones before it have come.
    let first = server.send("GET", "/", &[], b"").text;
    for name in all.iter().filter(|name| name.ends_with(".js")) {
        assert!(first.contains(&format!("\"/ui/{name}\"")), "the first page does not name {name}");
    }
}

#[test]
fn only_its_files_are_served() {
    let server = TestServer::start();
    for bad in ["../Cargo.toml", "..%2fCargo.toml", "pages", "", "%00", "vendor/uplot/README.md", "app.js/"] {
        assert_eq!(server.send("GET", &format!("/ui/{bad}"), &[], b"").status, 404, "{bad}");
    }
}

#[test]
fn no_page_makes_markup_of_texts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut all = BTreeSet::new();
    files(&dir, "", &mut all);
    for name in all.iter().filter(|name| name.ends_with(".js") && !name.starts_with("vendor/")) {
        let text = std::fs::read_to_string(dir.join(name)).unwrap();
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "DOMParser",
            "srcdoc",
        ] {
            assert!(!text.contains(word), "{name} has {word}");
        }
        assert!(text.starts_with("// "), "{name} does not say what it owns");
        assert!(text.lines().count() <= 600, "{name} is too long");
    }
}
