//! Trackway's pages: plain files that are part of the program. They name no other server, and their policy lets them use
//! none; what runs in them is theirs alone.

use crate::compress::Compressible;
use crate::state::App;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// A file of the pages.
struct Asset {
    path: &'static str,
    content: &'static [u8],
}

macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        &[$(Asset { path: $path, content: include_bytes!(concat!("../ui/", $path)) }),*]
    };
}

const ASSETS: &[Asset] = assets![
    "index.html",
    "icon.svg",
    "first.js",
    "theme.js",
    "base.css",
    "components.css",
    "pages.css",
    "app.js",
    "api.js",
    "colors.js",
    "dom.js",
    "format.js",
    "live.js",
    "markdown.js",
    "components/artifacts.js",
    "components/bits.js",
    "components/board.js",
    "components/chart.js",
    "components/overlay.js",
    "components/parallel.js",
    "components/paths.js",
    "components/picker.js",
    "components/search.js",
    "components/table.js",
    "pages/compare.js",
    "pages/experiment.js",
    "pages/experiments.js",
    "pages/logged.js",
    "pages/loggedlist.js",
    "pages/loggedparts.js",
    "pages/model.js",
    "pages/models.js",
    "pages/notes.js",
    "pages/run.js",
    "pages/runcolumns.js",
    "pages/runlist.js",
    "pages/runparts.js",
    "pages/runside.js",
    "vendor/uplot/LICENSE",
    "vendor/uplot/uPlot.esm.js",
    "vendor/uplot/uPlot.min.css",
];

/// Scripts and styles are this server's files, never texts inside of a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What tells one release's files from another's. The first page names them below it, so that a browser may keep them for ever
/// and pages never mix files of two releases.
static RELEASE: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    ASSETS.iter().for_each(|asset| (asset.path, asset.content).hash(&mut hasher));
    format!("{:016x}", hasher.finish())
});

static FIRST_PAGE: LazyLock<String> = LazyLock::new(|| {
    let text = include_str!("../ui/index.html");
    text.replace("\"/ui/", &format!("\"/ui/{}/", *RELEASE))
});

/// The pages.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { serve("index.html", &headers) }))
        .route("/favicon.ico", get(|headers: HeaderMap| async move { serve("icon.svg", &headers) }))
        .route("/ui/{*path}", get(|Path(path): Path<String>, headers: HeaderMap| async move { serve(&path, &headers) }))
}

fn serve(path: &str, asked: &HeaderMap) -> Response {
    let (release, path) = match path.split_once('/') {
        Some((release, rest)) if is_release(release) => (Some(release), rest),
        _ => (None, path),
    };
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return (StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    let content = if path == "index.html" { FIRST_PAGE.as_bytes() } else { asset.content };
    let tag = format!("\"{}\"", *RELEASE);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { content.into_response() };
    response.extensions_mut().insert(Compressible);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    // A page of another release gets what there is now, and must not keep it.
    let kept = if release == Some(&**RELEASE) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether a part of a path is a release's, of this one or another.
fn is_release(part: &str) -> bool {
    part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}
