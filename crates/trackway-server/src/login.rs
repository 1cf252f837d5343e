//! How a browser shows the token: once, on a page, for a cookie that scripts cannot read.

use crate::body;
use crate::guard::Guard;
use crate::token::Token;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PATH: &str = "/login";
/// What the page of that path needs, which nobody has to show a token for.
pub(crate) const SCRIPT_PATH: &str = "/login.js";

/// Servers never see what stands behind the `#` of an address; only a script can bring people back there.
const SCRIPT: &str = "document.forms[0].elements.next.value += location.hash;\n";

const COOKIE: &str = "trackway_session";
/// How long a browser stays known, in seconds: thirty days.
const COOKIE_AGE: u32 = 30 * 24 * 3600;
/// Longest form, in bytes.
const FORM_BYTES: usize = 16 << 10;
/// What a wrong token costs.
const SECOND_THOUGHT: Duration = Duration::from_millis(500);

pub(crate) fn router(guard: Arc<Guard>) -> Router {
    Router::new()
        .route(PATH, post(log_in).get(ask))
        .route(SCRIPT_PATH, get(script))
        .route("/logout", post(log_out))
        .with_state(guard)
}

/// Whether a browser has the cookie of somebody who has shown the token.
pub(crate) fn has_session(headers: &HeaderMap, token: &Token) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(name, value)| name == COOKIE && token.is_session(value))
}

async fn ask() -> Response {
    page(StatusCode::OK, "/", false)
}

async fn script() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, SCRIPT).into_response()
}

async fn log_in(State(guard): State<Arc<Guard>>, request: Request) -> Response {
    let body = match body::read(request.into_body(), FORM_BYTES, guard.limits.body).await {
        Ok(body) => body,
        Err(unread) => return unread.status.into_response(),
    };
    let (mut given, mut next) = (String::new(), String::new());
    for (name, value) in form_urlencoded::parse(&body) {
        match name.as_ref() {
            "token" => given = value.trim().to_owned(),
            "next" => next = value.into_owned(),
            _ => {}
        }
    }
    let next = own_path(&next);
    let Some(token) = &guard.token else { return redirect(next, None) };
    if !token.is(given.as_bytes()) {
        tokio::time::sleep(SECOND_THOUGHT).await;
        return page(StatusCode::UNAUTHORIZED, next, true);
    }
    redirect(next, Some(cookie(&token.session(), COOKIE_AGE, guard.is_secure)))
}

async fn log_out(State(guard): State<Arc<Guard>>) -> Response {
    redirect("/", Some(cookie("", 0, guard.is_secure)))
}

fn cookie(value: &str, age: u32, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

fn redirect(to: &str, cookie: Option<String>) -> Response {
    let mut answer = (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())]).into_response();
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// A path of this server; what could lead elsewhere becomes the first page.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own { next } else { "/" }
}

/// The page that asks for the token. It takes nothing from elsewhere, and works without its script.
pub(crate) fn page(status: StatusCode, next: &str, was_wrong: bool) -> Response {
    let note = if was_wrong { "<p role=alert>That is not the token.</p>" } else { "" };
    let next = escape(own_path(next));
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Trackway</title><style>:root{{color-scheme:light dark}}body{{font:16px system-ui;max-width:22rem;\
         margin:15vh auto;padding:0 1rem}}input,button{{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;\
         margin:.5rem 0}}</style><h1>Trackway</h1>{note}<form method=post action=/login>\
         <label>Token<input name=token type=password autocomplete=current-password required autofocus></label>\
         <input type=hidden name=next value=\"{next}\"><button>Log in</button></form>\
         <script src={SCRIPT_PATH}></script></html>"
    );
    let policy =
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (status, headers, html).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_logging_in_nobody_is_led_elsewhere() {
        assert_eq!(own_path("/#/runs?a=b"), "/#/runs?a=b");
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:x",
            "/a\r\nSet-Cookie: x",
            "/ a",
        ] {
            assert_eq!(own_path(bad), "/", "{bad}");
        }
        assert_eq!(escape("/\"><script>&"), "/&quot;&gt;&lt;script&gt;&amp;");
    }
}
