//! Identifiers. Random ids come from the environment, never from here.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// The id of a run: 128 bits, written as 32 lower-case hex digits.
///
/// ```
/// let id: trackway::RunId = "0123456789abcdef0123456789abcdef".parse()?;
/// assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 16]);

impl RunId {
    /// The id with these 16 bytes.
    ///
    /// ```
    /// let id = trackway::RunId::from_bytes([0xab; 16]);
    /// assert_eq!(id.to_string(), "ab".repeat(16));
    /// ```
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of the id, in the order of its hex digits.
    ///
    /// ```
    /// let id = trackway::RunId::from_bytes([7; 16]);
    /// assert_eq!(id.as_bytes(), &[7; 16]);
    /// ```
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

impl FromStr for RunId {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] unless `text` is exactly 32 hex digits (either case).
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("run id", format!("{text:?} is not 32 hex digits"));
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 16 || !rest.is_empty() {
            return Err(wrong());
        }
        let mut id = [0; 16];
        for (byte, [high, low]) in id.iter_mut().zip(pairs) {
            *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?;
        }
        Ok(Self(id))
    }
}

/// The id of an experiment: a number, written in decimal as MLflow does. 0 is the experiment `Default`.
///
/// ```
/// use trackway::ExperimentId;
///
/// assert_eq!("0".parse::<ExperimentId>()?, ExperimentId::DEFAULT);
/// # Ok::<(), trackway::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExperimentId(u64);

impl ExperimentId {
    /// The experiment `Default`, which every store has.
    ///
    /// ```
    /// assert_eq!(trackway::ExperimentId::DEFAULT, trackway::ExperimentId::new(0));
    /// ```
    pub const DEFAULT: Self = Self(0);

    /// The experiment with this number.
    ///
    /// ```
    /// assert_eq!(trackway::ExperimentId::new(17).to_string(), "17");
    /// ```
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(trackway::ExperimentId::DEFAULT.get(), 0);
    /// ```
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ExperimentId {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidArgument`] unless `text` is a decimal number below 2^64.
    fn from_str(text: &str) -> Result<Self> {
        let number = text.parse();
        number.map(Self).map_err(|_| Error::invalid("experiment id", format!("{text:?} is not a decimal number")))
    }
}

/// Names one log for ever: when it was created, and a random number that tells logs of the same microsecond apart.
///
/// The order of log ids is the order in which their points count as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LogId {
    /// Hybrid logical clock at creation: microseconds since the Unix epoch, and later than all this writer had seen.
    pub(crate) created_us: u64,
    pub(crate) salt: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.created_us, self.salt)
    }
}

impl LogId {
    /// Before all others.
    pub(crate) const NONE: Self = Self { created_us: 0, salt: 0 };

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (created, salt) = text.split_once('-')?;
        // Only one spelling is ours: of two files that name the same log one would be lost.
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if [created, salt].iter().any(|part| part.len() != 16 || !part.bytes().all(is_digit)) {
            return None;
        }
        Some(Self { created_us: u64::from_str_radix(created, 16).ok()?, salt: u64::from_str_radix(salt, 16).ok()? })
    }
}

/// The identity of a file: it seeds the checksums, so that a block of another file does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) [u8; 16]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_exactly_32_hex_digits() {
        let id = RunId::from_bytes([0xab; 16]);
        assert_eq!("ABababABabababababababababababab".parse::<RunId>().unwrap(), id);
        for wrong in ["", "ab", &"a".repeat(31), &"a".repeat(33), &"g".repeat(32), &"+".repeat(32)] {
            assert!(wrong.parse::<RunId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn log_ids_sort_by_time_and_survive_their_text_form() {
        let id = LogId { created_us: 0x1234, salt: u64::MAX };
        assert_eq!(LogId::parse(&id.to_string()), Some(id));
        assert!(id < LogId { created_us: 0x1235, salt: 0 });
        assert_eq!(LogId::parse("12-34"), None);
    }

    /// A sign and capitals were passed over once, so that a second file named the same log.
    #[test]
    fn log_ids_have_one_spelling() {
        assert_eq!(LogId::parse("+000000000001234-ffffffffffffffff"), None);
        assert_eq!(LogId::parse("000000000000123A-ffffffffffffffff"), None);
        assert_eq!(LogId::parse("0000000000001234-+fffffffffffffff"), None);
    }
}
