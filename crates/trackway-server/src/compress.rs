//! Answers to clients elsewhere are sent compressed if they say that they understand it. On this machine that would only cost time.
//!
//! What may be compressed says so itself: JSON and the pages' own files. Artifacts never are; many are compressed already, and
//! parts of them are asked for by their place.

use axum::Router;
use axum::http::Response;
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, Predicate};

/// Smaller bodies go into one packet anyhow.
const SMALLEST: u64 = 1400;

/// Marks an answer that may be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compressible;

/// Whether an answer is worth it; one of unknown length is.
#[derive(Clone, Copy, Debug)]
struct IsWorth;

impl Predicate for IsWorth {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &Response<B>) -> bool {
        response.extensions().get::<Compressible>().is_some()
            && response.body().size_hint().upper().is_none_or(|upper| upper >= SMALLEST)
    }
}

/// The same service, for clients elsewhere.
pub(crate) fn compressed(router: Router) -> Router {
    // More than the fastest level gives a tenth less and takes several times as long, on a thread that others need.
    router.layer(CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest).compress_when(IsWorth))
}
