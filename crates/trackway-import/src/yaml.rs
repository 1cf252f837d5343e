//! The YAML that MLflow writes: one mapping of names to texts, or to mappings of texts.
//!
//! Which text is a number is for the caller to know, not for YAML: a run named `no` is named so.

use crate::error::{At as _, Error, Result};
use saphyr_parser::{Event, Parser};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A longer file is not one of MLflow's: the longest text in one, the profile of a dataset, has at most 16 MiB.
const MAX_FILE_BYTES: u64 = 1 << 26;

/// A file of this form.
#[derive(Debug, Default)]
pub(crate) struct Meta {
    path: PathBuf,
    texts: BTreeMap<String, String>,
    mappings: BTreeMap<String, BTreeMap<String, String>>,
}

impl Meta {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let file = File::open(path).at(path, "open")?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).at(path, "read")?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::source(path, "it is far longer than such a file"));
        }
        let text = String::from_utf8(bytes).map_err(|_| Error::source(path, "it is not UTF-8"))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut meta = Self { path: path.to_path_buf(), ..Self::default() };
        // Keys of the mappings that are open; a sequence is open as a mapping without a key.
        let (mut open, mut key): (Vec<Option<String>>, Option<String>) = (Vec::new(), None);
        for event in Parser::new_from_str(text) {
            let (event, _) = event.map_err(|error| Error::source(path, format!("it is not YAML: {error}")))?;
            match event {
                Event::MappingStart(..) => open.push(key.take()),
                Event::SequenceStart(..) => open.push(None),
                Event::MappingEnd | Event::SequenceEnd => {
                    open.pop();
                    key = None;
                }
                Event::Scalar(text, style, ..) => match key.take() {
                    None => key = Some(text.into_owned()),
                    Some(name) => {
                        let is_null = style == saphyr_parser::ScalarStyle::Plain && matches!(&*text, "null" | "~" | "");
                        if !is_null {
                            meta.keep(&open, name, text.into_owned());
                        }
                    }
                },
                _ => {}
            }
        }
        Ok(meta)
    }

    fn keep(&mut self, open: &[Option<String>], name: String, text: String) {
        match open {
            [_] => drop(self.texts.insert(name, text)),
            [_, Some(outer)] => drop(self.mappings.entry(outer.clone()).or_default().insert(name, text)),
            _ => {}
        }
    }

    /// A text; `None` when it is not there, or null.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    pub(crate) fn need(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| Error::source(&self.path, format!("it has no {name:?}")))
    }

    /// A whole number; `None` when it is not there, or null.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |_| Error::source(&self.path, format!("{name}: {text:?} is not a whole number"));
        text.parse().map(Some).map_err(wrong)
    }

    pub(crate) fn mapping(&self, name: &str) -> BTreeMap<String, String> {
        self.mappings.get(name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_as_they_were_and_null_is_none() {
        let text = "a: 'no'\nb: no\nc: null\nd: 'null'\ne: ''\nf:\n- x\n- y: z\ng: {}\nh:\n  i.j: 'it''s'\n  k: ''\n\
                    l: \"tab\\tand a\\\n  \\ break\"\nm: 'long\n  text'\nn: -12\n";
        let meta = Meta::parse(Path::new("meta.yaml"), text).unwrap();
        let all: Vec<_> = "abcdeflmn".chars().map(|name| meta.text(&name.to_string())).collect();
        let wanted = [
            Some("no"),
            Some("no"),
            None,
            Some("null"),
            Some(""),
            None,
            Some("tab\tand a break"),
            Some("long text"),
            Some("-12"),
        ];
        assert_eq!(all, wanted);
        assert_eq!(meta.number("n").unwrap(), Some(-12));
        assert!(meta.number("a").is_err() && meta.need("f").is_err());
        let inner: BTreeMap<_, _> = [("i.j", "it's"), ("k", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!((meta.mapping("h"), meta.mapping("g")), (inner, BTreeMap::new()));
        for wrong in ["a: 'b", "a: [", "a: b: c", "\t"] {
            assert!(Meta::parse(Path::new("m"), wrong).is_err() || wrong == "\t", "{wrong:?}");
        }
    }
}
