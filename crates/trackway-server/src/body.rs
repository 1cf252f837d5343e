//! Bodies of requests that are read whole: within a length, and within a time.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use std::time::Duration;

/// Why a body was not read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
}

/// Reads a body of at most so many bytes.
///
/// # Errors
/// It is longer, breaks off, or takes more than this time.
pub(crate) async fn read(body: Body, most: usize, patience: Duration) -> Result<Bytes, Unread> {
    let unread =
        |status, why: &dyn std::fmt::Display| Unread { status, reason: format!("the body cannot be read: {why}") };
    match tokio::time::timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error);
            let is_long = cause.is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
            Err(unread(if is_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }, &error))
        }
        Err(late) => Err(unread(StatusCode::REQUEST_TIMEOUT, &late)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_core::Stream;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    const MINUTE: Duration = Duration::from_secs(60);

    /// A body whose sender has sent this much, and then no more, or that it is gone.
    struct Begun(Vec<io::Result<Bytes>>);

    impl Stream for Begun {
        type Item = io::Result<Bytes>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.pop().map_or(Poll::Pending, |piece| Poll::Ready(Some(piece)))
        }
    }

    #[tokio::test]
    async fn a_body_is_short_and_comes_in_time() {
        assert_eq!(read(Body::from("12345"), 5, MINUTE).await.unwrap(), "12345");
        let status = |result: Result<Bytes, Unread>| result.unwrap_err().status;
        assert_eq!(status(read(Body::from("123456"), 5, MINUTE).await), StatusCode::PAYLOAD_TOO_LARGE);
        let gone = Body::from_stream(Begun(vec![Err(io::ErrorKind::BrokenPipe.into()), Ok(Bytes::from("12"))]));
        assert_eq!(status(read(gone, 5, MINUTE).await), StatusCode::BAD_REQUEST);
        let silent = Body::from_stream(Begun(vec![Ok(Bytes::from("12"))]));
        assert_eq!(status(read(silent, 5, Duration::ZERO).await), StatusCode::REQUEST_TIMEOUT);
    }
}
