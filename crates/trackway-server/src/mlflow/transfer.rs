//! Files on their way in and out: streamed, so that memory does not grow with them, and never more at a time than leave threads
//! for everything else.
//!
//! An upload counts only when its body has come to its end: a client that goes away in the middle leaves nothing behind.

use super::{Code, Error, Result};
use crate::blocking;
use crate::reply;
use crate::state::App;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use trackway::{ArtifactFile, Artifacts};

/// Pieces of a body that wait for the disk.
const PIECES_WAITING: usize = 4;

/// How much of a refused body is read, and for how long.
const DRAINED_BYTES: usize = 4 << 20;
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// What comes from the connection.
enum Piece {
    Data(Bytes),
    /// The body is complete.
    End,
}

/// Waits until one more transfer may begin.
async fn admitted(app: &Arc<App>) -> Result<OwnedSemaphorePermit> {
    let permit = Arc::clone(&app.transfers).acquire_owned().await;
    permit.map_err(|_| Error::new(Code::InternalError, "the server is stopping"))
}

/// Stores a body at the place that `find` tells, and gives its length. `most`: longest body, in bytes.
pub(super) async fn receive(
    app: &Arc<App>,
    body: Body,
    most: u64,
    find: impl FnOnce(&App) -> Result<(Artifacts, String)> + Send + 'static,
) -> Result<u64> {
    let _permit = admitted(app).await?;
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let (app, patience) = (Arc::clone(app), app.limits.piece);
    let storing = tokio::spawn(blocking::run(move || {
        let (artifacts, path) = find(&app)?;
        let mut stream = Incoming { receiver, piece: Bytes::new(), ended: false };
        Ok(artifacts.put_reader(&path, &mut stream)?)
    }));
    let mut body = body;
    let sent = pump(&mut body, most, patience, &sender).await;
    drop(sender);
    if sent.is_err() {
        drain(body, patience).await;
    }
    let stored = storing.await.unwrap_or_else(|_| Err(Error::new(Code::InternalError, "the upload ended early")));
    // What is wrong with the place is told rather than that its body was not read to the end.
    match (stored, sent) {
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(None)) => Err(error),
        (_, Err(Some(error))) => Err(error),
        (Ok(len), _) => Ok(len),
    }
}

/// Hands the body on, piece by piece; `Err(None)` when nobody takes it any more.
async fn pump(
    body: &mut Body,
    most: u64,
    patience: Duration,
    sender: &mpsc::Sender<Piece>,
) -> std::result::Result<(), Option<Error>> {
    let mut len = 0;
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await;
        let frame = match frame {
            Ok(frame) => frame,
            Err(_) => return Err(Some(cut_short("nothing came for too long"))),
        };
        let piece = match frame {
            None => Piece::End,
            Some(Err(error)) => return Err(Some(cut_short(&error.to_string()))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Piece::Data(data),
                // Trailers say nothing here.
                Err(_) => continue,
            },
        };
        let is_end = matches!(piece, Piece::End);
        if let Piece::Data(data) = &piece {
            len += data.len() as u64;
            if len > most {
                return Err(Some(too_large(most)));
            }
        }
        if sender.send(piece).await.is_err() {
            return Err(None);
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Reads what is left of a short body: a client that is still sending when the connection is closed does not see the answer.
pub(super) async fn drain(mut body: Body, patience: Duration) {
    let mut left = DRAINED_BYTES;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.into_data().map_or(0, |data| data.len());
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // A client that takes longer has had its chance.
    let _ = tokio::time::timeout(patience.min(DRAIN_PATIENCE), all).await;
}

fn cut_short(reason: &str) -> Error {
    Error::new(Code::BadRequest, format!("the body was cut short: {reason}"))
}

fn too_large(most: u64) -> Error {
    Error::invalid(format!("Artifact size is too large. Max size is {}MB.", most >> 20))
}

/// A body as a stream that the engine reads.
struct Incoming {
    receiver: mpsc::Receiver<Piece>,
    piece: Bytes,
    ended: bool,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Piece::Data(data)) => self.piece = data,
                Some(Piece::End) => self.ended = true,
                // The connection is gone: what came so far is no whole file.
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let len = buffer.len().min(self.piece.len());
        let taken = self.piece.split_to(len);
        if let Some(room) = buffer.get_mut(..len) {
            room.copy_from_slice(&taken);
        }
        Ok(len)
    }
}

/// Sends a file, or the part that the request asks for. `name`: what a browser calls it.
pub(super) async fn send(
    app: &Arc<App>,
    headers: &HeaderMap,
    open: impl FnOnce(&App) -> Result<(ArtifactFile, String)> + Send + 'static,
) -> Result<Response> {
    let permit = admitted(app).await?;
    let app = Arc::clone(app);
    let (file, name) = blocking::run(move || open(&app)).await?;
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let mut response = Response::new(Body::empty());
    let about = response.headers_mut();
    about.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&name)));
    about.insert(header::CONTENT_DISPOSITION, disposition(&name));
    about.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    about.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    about.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let len = file.len();
    let (from, to) = match range.map(|range| part(range, len)) {
        None | Some(Part::Whole) => (0, len),
        Some(Part::Nothing) => {
            about.insert(header::CONTENT_RANGE, number_header(&format!("bytes */{len}")));
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            return Ok(response);
        }
        Some(Part::Bytes(from, to)) => {
            about.insert(header::CONTENT_RANGE, number_header(&format!("bytes {from}-{}/{len}", to.saturating_sub(1))));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (from, to)
        }
    };
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    *response.body_mut() = reply::body(move |out| {
        let _permit = permit;
        reply::copy(&file, from, to, out)
    });
    Ok(response)
}

fn number_header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("bytes */0"))
}

/// Which part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// From, up to.
    Bytes(u64, u64),
    /// None that there is.
    Nothing,
}

/// Understands `bytes=1-2`, `bytes=1-` and `bytes=-2`. What is not understood, also several parts, is as if it was not there.
fn part(range: &str, len: u64) -> Part {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    match (first.trim(), last.trim()) {
        ("", "") => Part::Whole,
        ("", last) => match last.parse::<u64>() {
            Ok(0) => Part::Nothing,
            Ok(_) if len == 0 => Part::Nothing,
            Ok(count) => Part::Bytes(len.saturating_sub(count), len),
            Err(_) => Part::Whole,
        },
        (first, last) => {
            let last = if last.is_empty() { Ok(u64::MAX) } else { last.parse::<u64>() };
            match (first.parse::<u64>(), last) {
                (Ok(first), Ok(last)) if first > last => Part::Whole,
                (Ok(first), Ok(_)) if first >= len => Part::Nothing,
                (Ok(first), Ok(last)) => Part::Bytes(first, last.saturating_add(1).min(len)),
                _ => Part::Whole,
            }
        }
    }
}

/// Endings of texts, which MLflow sends as such so that a browser shows no page of theirs.
const TEXTS: &[&str] = &[
    "txt",
    "log",
    "err",
    "cfg",
    "conf",
    "cnf",
    "cf",
    "ini",
    "properties",
    "prop",
    "hocon",
    "toml",
    "yaml",
    "yml",
    "xml",
    "json",
    "js",
    "py",
    "py3",
    "csv",
    "tsv",
    "md",
    "rst",
    "ipynb",
    "MLmodel",
    "MLproject",
];

/// Other endings that a browser can show.
const TYPES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("bmp", "image/bmp"),
    ("svg", "image/svg+xml"),
    ("ico", "image/vnd.microsoft.icon"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("pdf", "application/pdf"),
    ("wav", "audio/x-wav"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("zip", "application/zip"),
    ("tar", "application/x-tar"),
];

fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
    if TEXTS.contains(&ending) {
        return "text/plain; charset=utf-8";
    }
    let found = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    found.map_or("application/octet-stream", |(_, kind)| kind)
}

/// An attachment of this name: nothing of it is shown as a page of this server.
fn disposition(name: &str) -> HeaderValue {
    let plain: String =
        name.chars().filter(|c| c.is_ascii() && !c.is_ascii_control() && !matches!(c, '"' | '\\')).collect();
    let plain = if plain.is_empty() { "download".to_owned() } else { plain };
    let mut text = format!("attachment; filename=\"{plain}\"");
    if !name.is_ascii() {
        text.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => text.push(char::from(byte)),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_rfc() {
        let cases = [
            ("bytes=0-4", Part::Bytes(0, 5)),
            ("bytes=5-", Part::Bytes(5, 10)),
            ("bytes=-3", Part::Bytes(7, 10)),
            ("bytes=-99", Part::Bytes(0, 10)),
            ("bytes=9-99", Part::Bytes(9, 10)),
            ("bytes=10-", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=x-", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes=0-18446744073709551615", Part::Bytes(0, 10)),
        ];
        for (text, expected) in cases {
            assert_eq!(part(text, 10), expected, "{text}");
        }
        assert_eq!((part("bytes=0-", 0), part("bytes=-1", 0)), (Part::Nothing, Part::Nothing));
    }

    #[test]
    fn names_become_headers_whatever_they_hold() {
        assert_eq!(disposition("a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(disposition("a\"b\\c.txt"), "attachment; filename=\"abc.txt\"");
        assert_eq!(disposition("\u{e9}.txt"), "attachment; filename=\".txt\"; filename*=UTF-8''%C3%A9.txt");
        assert_eq!(content_type("x/model.PNG"), "image/png");
        assert_eq!(content_type("MLmodel"), "text/plain; charset=utf-8");
        assert_eq!(content_type("weights"), "application/octet-stream");
    }
}
