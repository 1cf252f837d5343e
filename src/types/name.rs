//! Checked names. A value of one of these types satisfies the rules for its kind.

use crate::error::{Error, Result};
use crate::limits;
use std::fmt;

/// Checks that a name is not empty, not too long (in characters) and without control characters.
pub(super) fn check(what: &'static str, text: &str, limit: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(what, "it is empty"));
    }
    // Bytes bound characters from above, so most names are decided without counting.
    if text.len() > limit {
        let found = text.chars().count();
        if found > limit {
            return Err(Error::LimitExceeded { what, limit: limit as u64, found: found as u64 });
        }
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(Error::invalid(what, format!("{text:?} has the control character {c:?}"))),
        None => Ok(()),
    }
}

/// Checks a param or tag value: any text up to the limit.
pub(crate) fn check_value(what: &'static str, text: &str) -> Result<()> {
    if text.len() > limits::MAX_VALUE_BYTES {
        return Err(Error::LimitExceeded { what, limit: limits::MAX_VALUE_BYTES as u64, found: text.len() as u64 });
    }
    Ok(())
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:expr) => {
        $(#[$doc])*
        ///
        /// Not empty, no control characters, and no longer than the limit in characters.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it.
            ///
            /// ```
            #[doc = concat!("assert!(trackway::", stringify!($name), "::new(\"warm up\").is_ok());")]
            #[doc = concat!("assert!(trackway::", stringify!($name), "::new(\"two\\nlines\").is_err());")]
            /// ```
            ///
            /// # Errors
            /// [`Error::InvalidArgument`] when it is empty or has a control character, [`Error::LimitExceeded`]
            /// when it is too long.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                Self::check(&text)?;
                Ok(Self(text))
            }

            /// Checks without taking.
            pub(crate) fn check(text: &str) -> Result<()> {
                check($what, text, $limit)
            }

            /// The text.
            ///
            /// ```
            #[doc = concat!("assert_eq!(trackway::", stringify!($name), "::new(\"warm up\")?.as_str(), \"warm up\");")]
            /// # Ok::<(), trackway::Error>(())
            /// ```
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_name!(
    /// The name of a metric, e.g. `train/loss`.
    ///
    /// ```
    /// use trackway::MetricKey;
    /// assert!(MetricKey::new("a name").is_ok() && MetricKey::new("").is_err());
    /// ```
    MetricKey, "metric key", limits::MAX_KEY_CHARS
);
checked_name!(
    /// The name of a param, e.g. `lr`.
    ///
    /// ```
    /// use trackway::ParamKey;
    /// assert!(ParamKey::new("a name").is_ok() && ParamKey::new("").is_err());
    /// ```
    ParamKey, "param key", limits::MAX_KEY_CHARS
);
checked_name!(
    /// The name of a tag, e.g. `dataset`.
    ///
    /// ```
    /// use trackway::TagKey;
    /// assert!(TagKey::new("a name").is_ok() && TagKey::new("").is_err());
    /// ```
    TagKey, "tag key", limits::MAX_KEY_CHARS
);
checked_name!(
    /// The name of an experiment; unique in its store.
    ///
    /// ```
    /// use trackway::ExperimentName;
    /// assert!(ExperimentName::new("a name").is_ok() && ExperimentName::new("").is_err());
    /// ```
    ExperimentName, "experiment name", limits::MAX_NAME_CHARS
);
checked_name!(
    /// The name of a run; not unique, and it can change at any time.
    ///
    /// ```
    /// use trackway::RunName;
    /// assert!(RunName::new("a name").is_ok() && RunName::new("").is_err());
    /// ```
    RunName, "run name", limits::MAX_NAME_CHARS
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_empty_not_too_long_and_printable() {
        assert!(MetricKey::new("val/loss (ema)").is_ok());
        assert!(MetricKey::new("\u{3b1}".repeat(limits::MAX_KEY_CHARS)).is_ok(), "the limit counts characters");
        assert!(matches!(MetricKey::new(""), Err(Error::InvalidArgument { .. })));
        assert!(matches!(MetricKey::new("a\nb"), Err(Error::InvalidArgument { .. })));
        assert!(matches!(MetricKey::new("a\u{85}b"), Err(Error::InvalidArgument { .. })));
        assert!(matches!(
            MetricKey::new("a".repeat(limits::MAX_KEY_CHARS + 1)),
            Err(Error::LimitExceeded { found, .. }) if found == limits::MAX_KEY_CHARS as u64 + 1
        ));
    }
}
