//! What a bench needs of memory.

/// A figure of this process's memory in MiB, as the system tells it, such as `RssAnon`. `None` where it tells none.
pub(crate) fn mib(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}
