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
        if name != "index.html" {
            let content = std::fs::read_to_string(dir.join(name)).unwrap();
            assert_eq!((answer.status, answer.text.as_str()), (200, &*content), "{name}");
        }
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
}

#[test]
fn a_browser_keeps_files_of_this_release_for_ever_and_of_no_other() {
    let server = TestServer::start();
    let first = server.send("GET", "/", &[], b"");
    assert_eq!(first.headers["cache-control"], "no-cache");
    let path = first.text.split('"').find(|text| text.ends_with("/app.js")).unwrap();
    let app = server.send("GET", path, &[], b"");
    assert_eq!((app.status, app.headers["cache-control"].to_str().unwrap().contains("immutable")), (200, true));
    for other in ["/ui/app.js", "/ui/0123456789abcdef/app.js"] {
        let old = server.send("GET", other, &[], b"");
        assert_eq!(
            (old.status, &old.text, &old.headers["cache-control"].to_str().unwrap()),
            (200, &app.text, &"no-cache")
        );
    }
    for bad in
        ["/ui/0123456789abcdef", "/ui/0123456789abcdef/", "/ui/0123456789abcdeg/app.js", "/ui/0123456789abcde/app.js"]
    {
        assert_eq!(server.send("GET", bad, &[], b"").status, 404, "{bad}");
    }
}

/// The modules that a module names, and those that they name.
fn named_by(dir: &Path, module: &str, found: &mut BTreeSet<String>) {
    if !found.insert(module.to_owned()) || module.starts_with("vendor/") {
        return;
    }
    let text = std::fs::read_to_string(dir.join(module)).unwrap();
    let below = Path::new(module).parent().unwrap();
    let named = text.split("from \"").skip(1).chain(text.split("import(\"").skip(1));
    for name in named.filter_map(|rest| rest.split('"').next()).filter(|name| name.starts_with('.')) {
        let mut parts: Vec<&str> = below.iter().map(|part| part.to_str().unwrap()).collect();
        for part in name.split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        named_by(dir, &parts.join("/"), found);
    }
}

/// Modules name each other: what nobody names beforehand is only asked for when the ones before it have come.
#[test]
fn every_module_of_a_page_is_asked_for_at_once() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let (index, early) = (read("index.html"), read("first.js"));
    let at_first: BTreeSet<&str> = index.split("\"/ui/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let charts = early.split("const CHARTS = [").nth(1).unwrap().split(']').next().unwrap();
    let pages: BTreeSet<String> = std::fs::read_dir(dir.join("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".js").to_owned())
        .collect();
    let mut seen = 0;
    for line in early.lines().filter(|line| line.trim_start().starts_with("[\"")) {
        let name = line.split('"').nth(1).unwrap();
        assert!(pages.contains(name), "there is no page {name}");
        let mut needed = BTreeSet::new();
        named_by(&dir, &format!("pages/{name}.js"), &mut needed);
        if line.contains("[]],") && name == "run" {
            continue; // its other form of address says it
        }
        seen += 1;
        for module in needed.iter().filter(|module| **module != format!("pages/{name}.js")) {
            let quoted = format!("\"{module}\"");
            let is_named = line.contains(&quoted) || line.contains("...CHARTS") && charts.contains(&quoted);
            assert!(is_named || at_first.contains(module.as_str()), "{name} needs {module}, which is asked for late");
        }
    }
    assert_eq!(seen, 7, "pages were not found in first.js");
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
