//! Answers: a small JSON document, or a large one that is written while it is sent.

use crate::compress::Compressible;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use trackway::ArtifactFile;

/// Bytes that are handed over at a time, and how many such pieces wait for a slow reader.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_WAITING: usize = 4;

/// Bytes of a file that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// How long a reader may take no piece before its answer is given up: it holds a thread meanwhile.
const READER_PATIENCE: Duration = Duration::from_secs(60);

/// Writes a document into what it is given.
type WriteDocument = Box<dyn FnOnce(&mut dyn io::Write) -> io::Result<()> + Send>;

/// What a handler answers.
pub(crate) enum Reply {
    /// A whole JSON document.
    Json(Vec<u8>),
    /// A JSON document that is written while it is sent: its size does not bound what the server needs.
    Stream(WriteDocument),
}

impl Reply {
    /// `{}`: done, nothing to tell.
    pub(crate) fn empty() -> Self {
        Self::Json(b"{}".to_vec())
    }

    /// The JSON form of a value.
    pub(crate) fn json(value: &impl serde::Serialize) -> crate::mlflow::Result<Self> {
        Ok(Self::Json(serde_json::to_vec(value)?))
    }

    /// What `write` writes, on a thread that may block.
    pub(crate) fn stream(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static) -> Self {
        Self::Stream(Box::new(write))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Json(bytes) => Body::from(bytes),
            Self::Stream(write) => Body::from_stream(pieces(write)),
        };
        let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        response.extensions_mut().insert(Compressible);
        response
    }
}

/// A body that is written while it is sent, on a thread that may block.
pub(crate) fn body(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static) -> Body {
    Body::from_stream(pieces(Box::new(write)))
}

/// Writes a part of a file, from one place up to another: as much as was announced, should the file have grown.
pub(crate) fn copy(file: &ArtifactFile, from: u64, to: u64, out: &mut dyn io::Write) -> io::Result<()> {
    let (mut at, mut buffer) = (from, vec![0; READ_BYTES]);
    while at < to {
        let room = buffer.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        let Some(room) = buffer.get_mut(..room) else { break };
        let read = file.read_at(room, at).map_err(io::Error::other)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.write_all(room.get(..read).unwrap_or_default())?;
        at += read as u64;
    }
    Ok(())
}

/// The document in pieces, as fast as they are taken.
fn pieces(write: WriteDocument) -> Pieces {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut out = Sink { piece: Vec::with_capacity(PIECE_BYTES), sender, runtime };
        let written = write(&mut out).and_then(|()| io::Write::flush(&mut out));
        if let Err(error) = written {
            // The answer has begun: an error can only be told by cutting it short.
            tracing::warn!(%error, "an answer was cut short");
            let _ = out.sender.try_send(Err(error));
        }
    });
    Pieces(receiver)
}

struct Sink {
    piece: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: tokio::runtime::Handle,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        let sent = self.sender.send_timeout(Ok(Bytes::from(piece)), READER_PATIENCE);
        self.runtime.block_on(sent).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
