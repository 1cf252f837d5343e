//! Who may ask: names by which the server may be called, pages that may send, and who has the token.
//!
//! A page of another site can make a browser send requests to this machine. It is told apart by the name it calls the server
//! by (`Host`: a name of its own that it has pointed here) and by `Origin`, which it cannot leave out of what changes
//! anything. `/health` and `/version` are for everybody.

use crate::limits::Limits;
use crate::login;
use crate::token::Token;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// What a server lets through.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The address that it listens on.
    host: IpAddr,
    /// Further names, in lower case; `*` for any.
    allowed_hosts: Vec<String>,
    pub(crate) token: Option<Token>,
    /// Whether it speaks HTTPS.
    pub(crate) is_secure: bool,
    pub(crate) limits: Limits,
}

impl Guard {
    pub(crate) fn new(
        host: IpAddr,
        allowed_hosts: &[String],
        token: Option<Token>,
        is_secure: bool,
        limits: Limits,
    ) -> Self {
        let allowed_hosts = allowed_hosts.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        Self { host, allowed_hosts, token, is_secure, limits }
    }

    /// Whether clients may call this server so: a name or an address, with or without a port.
    ///
    /// An address cannot be another site's name, so all are fine where others may call; else, those of this machine.
    fn allows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, _) = split_port(&host);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_known = |known: &String| known == "*" || *known == host || known == name;
        match address {
            Ok(address) if address.is_loopback() || address == self.host || !self.host.is_loopback() => true,
            Err(_) if name == "localhost" => true,
            _ => self.allowed_hosts.iter().any(is_known),
        }
    }

    /// Whether a page from there may change anything: this server's own pages, and what runs on the user's machine.
    fn allows_origin(&self, origin: &str, host: &str) -> bool {
        let Some((_, from)) = origin.split_once("://") else { return false };
        let (name, _) = split_port(from);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_local = name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
        let is_known =
            |known: &String| known != "*" && (known.eq_ignore_ascii_case(from) || known.eq_ignore_ascii_case(name));
        from.eq_ignore_ascii_case(host) || is_local || self.allowed_hosts.iter().any(is_known)
    }

    /// Whether the request shows the token, or the cookie of somebody who has.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let bearer =
            given.and_then(|given| given.split_at_checked(7)).filter(|(kind, _)| kind.eq_ignore_ascii_case(b"bearer "));
        bearer.is_some_and(|(_, given)| token.is(given.trim_ascii())) || login::has_session(headers, token)
    }
}

/// A host and its port; an address in brackets has colons of its own.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && (!name.contains(':') || name.ends_with(']')) => (name, Some(port)),
        _ => (host, None),
    }
}

/// Checks a request before anything of it is looked at, and says in the answer what browsers must not do with it.
pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut answer = match refusal(&guard, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

fn refusal(guard: &Guard, request: &Request) -> Option<Response> {
    let path = request.uri().path();
    if path == "/health" || path == "/version" {
        return None;
    }
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    // Of a request for a whole URL, that one counts; both must be fine.
    let named = [request.uri().authority().map(|authority| authority.as_str()), text(header::HOST)];
    let host = named.into_iter().flatten().next().unwrap_or_default();
    if named.into_iter().flatten().any(|host| !guard.allows_host(host)) || host.is_empty() {
        tracing::warn!(host, "refused: the server is not called so; --allowed-hosts names more");
        return Some(forbidden("Invalid Host header - possible DNS rebinding attack detected"));
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if let Some(origin) = text(header::ORIGIN).filter(|origin| changes && !guard.allows_origin(origin, host)) {
        tracing::warn!(origin, "refused: a page of another site");
        return Some(forbidden("Cross-origin request blocked"));
    }
    if guard.knows(request.headers()) || path == login::PATH || path == login::SCRIPT_PATH {
        return None;
    }
    let wants_page = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    Some(if wants_page {
        login::page(StatusCode::UNAUTHORIZED, request.uri().path(), false)
    } else {
        unauthenticated()
    })
}

fn forbidden(text: &'static str) -> Response {
    (StatusCode::FORBIDDEN, text).into_response()
}

fn unauthenticated() -> Response {
    let body = r#"{"error_code":"UNAUTHENTICATED","message":"this server wants a token: set MLFLOW_TRACKING_TOKEN"}"#;
    let headers = [(header::WWW_AUTHENTICATE, "Bearer"), (header::CONTENT_TYPE, "application/json")];
    (StatusCode::UNAUTHORIZED, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn guard(host: &str, allowed: &[&str]) -> Guard {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        Guard::new(host.parse().unwrap(), &allowed, None, false, Limits::default())
    }

    #[test]
    fn names_of_other_sites_are_refused() {
        let local = guard("127.0.0.1", &[]);
        for good in ["localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "[::1]"] {
            assert!(local.allows_host(good), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example:5000",
            "evil.example:127.0.0.1",
            "192.168.0.7",
            "0.0.0.0:5000",
            "",
            "127.0.0.1.evil.example",
            "[::1].evil.example",
            "evil@localhost",
        ] {
            assert!(!local.allows_host(bad), "{bad}");
        }
        let open = guard("0.0.0.0", &["tracker.example", "other.example:8443"]);
        for good in ["10.1.2.3:5000", "tracker.example:5000", "Tracker.Example", "other.example:8443", "[fe80::1]:5000"]
        {
            assert!(open.allows_host(good), "{good}");
        }
        for bad in ["evil.example", "sub.tracker.example", "other.example:80"] {
            assert!(!open.allows_host(bad), "{bad}");
        }
        assert!(guard("127.0.0.1", &["*"]).allows_host("anything.example"));
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let local = guard(&Ipv4Addr::LOCALHOST.to_string(), &["*"]);
        for good in ["http://localhost:3000", "http://127.0.0.1:5000", "https://[::1]", "http://box.example:5000"] {
            assert!(local.allows_origin(good, "box.example:5000"), "{good}");
        }
        for bad in [
            "null",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://box.example",
            "file://",
            "box.example:5000",
        ] {
            assert!(!local.allows_origin(bad, "box.example:5000"), "{bad}");
        }
    }
}
