//! The token that clients show. It is compared in constant time, and nothing that is kept by a browser tells it.

use crate::error::{Error, Result};
use ring::hmac;
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Shortest token: what a person would make up is guessed.
const SHORTEST: usize = 16;
/// A token file is a line, not a disk.
const LONGEST_FILE: u64 = 4096;

/// Bits of a file's mode that let its group or everybody read or write it.
const OTHERS: u32 = 0o066;

/// What a browser's session is signed over.
const SESSION: &[u8] = b"trackway: session of a browser";

/// The token that clients show.
pub(crate) struct Token {
    token: Vec<u8>,
    key: hmac::Key,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    pub(crate) fn new(token: &str) -> Self {
        Self { token: token.as_bytes().to_vec(), key: hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()) }
    }

    /// The token in a file; space around it does not count.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, or holds no token.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        if metadata.len() > LONGEST_FILE {
            return Err(Error::file(path, "it is too long for a token"));
        }
        if metadata.permissions().mode() & OTHERS != 0 {
            tracing::warn!("other users of this machine can read {}: chmod 600 keeps them off", path.display());
        }
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let token = text.trim();
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::file(
                path,
                format!("a token has at least {SHORTEST} characters, of ASCII and without spaces"),
            ));
        }
        Ok(Self::new(token))
    }

    /// Whether this is the token. The time it takes says nothing: what is compared are signatures.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        let signed = hmac::sign(&self.key, given);
        hmac::verify(&self.key, &self.token, signed.as_ref()).is_ok()
    }

    /// What a browser keeps in place of the token.
    pub(crate) fn session(&self) -> String {
        hmac::sign(&self.key, SESSION).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this is what [`Self::session`] gave.
    pub(crate) fn is_session(&self, given: &str) -> bool {
        let pairs = given.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let byte = |[high, low]: &[u8; 2]| digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low);
        let bytes: Option<Vec<u8>> = pairs.0.iter().map(byte).collect();
        pairs.1.is_empty() && bytes.is_some_and(|bytes| hmac::verify(&self.key, SESSION, &bytes).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_it_and_sessions_are_of_one_token() {
        let (token, other) = (Token::new("0123456789abcdef"), Token::new("0123456789abcdeg"));
        assert!(token.is(b"0123456789abcdef"));
        for bad in [&b""[..], b"0123456789abcde", b"0123456789abcdef0", b"0123456789abcdeg"] {
            assert!(!token.is(bad));
        }
        let session = token.session();
        assert!(token.is_session(&session) && !other.is_session(&session) && !token.is_session(""));
        assert!(!session.contains("0123456789abcdef"));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn a_token_file_holds_one_long_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (text, is_good) in
            [("0123456789abcdef\n", true), ("short", false), ("", false), ("0123456789 abcdef", false)]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Token::read(&path).is_ok(), is_good, "{text:?}");
        }
        std::fs::write(&path, vec![b'a'; 5000]).unwrap();
        assert!(Token::read(&path).is_err());
        assert!(Token::read(&dir.path().join("none")).is_err());
    }
}
