//! `server` and `ui`: serves the store over HTTP.

use crate::args::ServerArgs;
use crate::error::{Failure, Outcome, warn};
use crate::output::Context;
use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use tracing_subscriber::filter::LevelFilter;
use trackway_server::{Error, Limits, Server, ServerOptions, TlsFiles};

pub(crate) fn run(args: ServerArgs, context: &mut Context, with_browser: bool) -> Outcome {
    log_to_stderr(args.verbose);
    let host = address(&args.host)?;
    let is_secure = args.tls_cert.is_some();
    let options = ServerOptions {
        host,
        port: args.port,
        allowed_hosts: args.allowed_hosts,
        token_file: args.token_file,
        insecure_no_token: args.insecure_no_token,
        mlflow_ui: args.mlflow_ui,
        limits: Limits::default(),
        tls: args.tls_cert.zip(args.tls_key).map(|(cert, key)| TlsFiles { cert, key }),
    };
    let store = context.open_or_create_with(trackway_server::store_options())?;
    let server = Server::bind(store, options).map_err(not_started)?;
    server.stop_at_signals().map_err(not_started)?;
    let url = url(server.addr(), is_secure);
    let path = context.store_path().display().to_string();
    context.line(format_args!("Serving {path} at {url}"))?;
    context.line(format_args!("To log to it: export MLFLOW_TRACKING_URI={url}"))?;
    context.flush()?;
    if with_browser {
        open_browser(&url);
    }
    server.run().map_err(not_started)
}

/// The address with this name; a server has one.
fn address(host: &str) -> Outcome<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::from([127, 0, 0, 1]));
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    address
        .map_err(|_| Failure::new(format!("{host:?} is no address")).hint("as 127.0.0.1, or 0.0.0.0 for all of them"))
}

/// What is typed to reach it from this machine.
fn url(addr: SocketAddr, is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    let reachable = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), addr.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), addr.port()),
        _ => addr,
    };
    format!("{scheme}://{reachable}")
}

fn not_started(error: Error) -> Failure {
    let hint = match &error {
        Error::Unprotected { .. } => {
            Some("give --token-file FILE, or --insecure-no-token if the network keeps others off")
        }
        Error::Bind { .. } => Some("--port 0 takes any that is free"),
        _ => None,
    };
    let failure = Failure::new(error.to_string());
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(is_terminal);
    // In tests several commands run in one process, and the first one's log serves all.
    let _ = log.try_init();
}

/// Opens the page with what the system has for that.
fn open_browser(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started =
        Command::new(opener).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = started {
        warn(format_args!("cannot open a browser with `{opener}`: {error}; go to {url}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_can_be_typed() {
        let of = |text: &str| url(text.parse().unwrap(), false);
        assert_eq!(of("0.0.0.0:5000"), "http://127.0.0.1:5000");
        assert_eq!(of("[::]:80"), "http://[::1]:80");
        assert_eq!(url("10.0.0.7:443".parse().unwrap(), true), "https://10.0.0.7:443");
    }

    #[test]
    fn hosts_are_addresses() {
        assert!(address("LocalHost").unwrap().is_loopback() && address("[::1]").unwrap().is_loopback());
        assert!(address("example.org").is_err());
    }
}
