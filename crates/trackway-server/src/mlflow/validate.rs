//! MLflow's rules for names, keys and lengths, with its texts. Lengths are in characters.

use super::request::{invalid_value, python_json};
use super::{Error, Result};
use serde_json::Value;
use trackway::ExperimentId;

/// Longest key of a param, metric or tag.
pub(crate) const MAX_KEY: usize = 250;
/// Longest name of an experiment.
pub(crate) const MAX_EXPERIMENT_NAME: usize = 500;
/// Longest value of an experiment's tag.
pub(crate) const MAX_EXPERIMENT_TAG: usize = 20_000;
/// Longest value of a param, and of a run's tag: longer ones are cut.
pub(crate) const MAX_PARAM: usize = 6000;
pub(crate) const MAX_RUN_TAG: usize = 8000;

const BAD_CHARACTERS: &str = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), \
     spaces ( ), colon(:) and slashes (/).";

/// Checks the characters of a key, and that it is no path that means another one. `path` names it in the error.
pub(crate) fn key_form(path: &str, key: &str) -> Result<()> {
    let invalid = |reason: &str| Error::invalid(invalid_value(path, &Value::String(key.to_owned()), reason));
    let is_legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    if !key.chars().all(is_legal) {
        return Err(invalid(BAD_CHARACTERS));
    }
    let normal = normal_path(key);
    if normal != key || normal == "." || normal.starts_with("..") || normal.starts_with('/') {
        let reason = "Names may be treated as files in certain cases, and must not resolve to other names when treated as \
             such. This name would resolve to";
        return Err(invalid(&format!("{reason} '{normal}'")));
    }
    Ok(())
}

/// Checks a length; `what` names the text in the error.
pub(crate) fn length(what: &str, limit: usize, text: &str) -> Result<()> {
    // Bytes bound characters from above, so most texts are decided without counting.
    if text.len() > limit && text.chars().count() > limit {
        return Err(Error::invalid(format!("'{what}' exceeds the maximum length of {limit} characters")));
    }
    Ok(())
}

/// The first characters of a text, up to a limit.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// Checks a tag of an experiment.
pub(crate) fn experiment_tag(key: &str, value: &str) -> Result<()> {
    key_form("key", key)?;
    length("key", MAX_KEY, key)?;
    length("value", MAX_EXPERIMENT_TAG, value)
}

/// Checks the location of an experiment's artifacts, of which the server makes nothing itself.
pub(crate) fn artifact_location(location: &str) -> Result<()> {
    const MOST: usize = 2048;
    let path_end = location.find(['?', '#']).unwrap_or(location.len());
    let last_part = location.get(..path_end).unwrap_or(location).rsplit('/').next().unwrap_or_default();
    // As Python's urlparse finds params: in the last part of the path, of schemes that have them.
    let has_params = last_part.contains(';') && has_params_by_scheme(location);
    if location.contains('#') || has_params {
        return Err(Error::invalid("'artifact_location' URL can't include fragments or params."));
    }
    if location.get(path_end..).is_some_and(|query| query.contains("..")) {
        return Err(Error::invalid("Invalid query string"));
    }
    if location.starts_with("runs:") {
        return Err(Error::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
    }
    if location.chars().count() > MOST {
        return Err(Error::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than {MOST} characters."
        )));
    }
    Ok(())
}

fn has_params_by_scheme(location: &str) -> bool {
    const WITH_PARAMS: &[&str] = &[
        "", "ftp", "hdl", "http", "https", "mms", "prospero", "rtsp", "rtsps", "rtspu", "sftp", "shttp", "sip", "sips",
        "tel",
    ];
    let scheme = location.split_once(':').map_or("", |(scheme, _)| scheme);
    WITH_PARAMS.contains(&scheme)
}

/// Checks what a batch says of the run that it is for.
pub(crate) fn run_id_form(given: &str) -> Result<()> {
    let mut letters = given.chars();
    let is_legal = letters.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && letters.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
        && given.chars().count() <= 256;
    if is_legal {
        return Ok(());
    }
    let value = python_json(&Value::String(given.to_owned()));
    Err(Error::invalid(format!("Invalid value {value} for parameter 'run_id' supplied.")))
}

/// A text as Python shows it in a list.
pub(crate) fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if letter == quote => shown.extend(['\\', letter]),
            letter => shown.push(letter),
        }
    }
    shown.push(quote);
    shown
}

/// The id of an experiment, which is a whole number on this server.
pub(crate) fn experiment_id(text: &str) -> Result<ExperimentId> {
    match (text.parse(), text.parse::<i128>()) {
        (Ok(id), _) => Ok(id),
        (_, Ok(number)) => Err(Error::missing(format!("No Experiment with id={number} exists"))),
        _ => Err(Error::invalid(format!("Invalid experiment ID '{text}'. Experiment ID must be a valid integer."))),
    }
}

/// What a path is called when it is brought into its normal form, by the rules of POSIX.
pub(crate) fn normal_path(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    // Two slashes at the beginning, and no more, may mean something of their own.
    let root = if path.starts_with("//") && !path.starts_with("///") {
        "//"
    } else if is_absolute {
        "/"
    } else {
        ""
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match parts.last() {
            Some(last) if part == ".." && *last != ".." => drop(parts.pop()),
            None if part == ".." && is_absolute => {}
            _ => parts.push(part),
        }
    }
    let normal = root.to_owned() + &parts.join("/");
    if normal.is_empty() { ".".to_owned() } else { normal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_paths_in_their_normal_form() {
        for good in [
            "a",
            "a/b",
            "a b",
            "a:b",
            ".hidden",
            "m\u{e9}trique",
            "\u{65e5}\u{672c}",
            "a.b-c_d",
            "..a".trim_start_matches('.'),
        ] {
            assert!(key_form("key", good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../a", "..a", "a//b", "a/", "./a", "a/../b", "/a", "a@b", "a,b", "a\nb", "a%b"] {
            assert!(key_form("key", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_error_says_what_the_name_would_be() {
        let error = key_form("metrics[3].name", "a/../b").unwrap_err();
        assert!(
            error
                .message
                .starts_with("Invalid value \"a/../b\" for parameter 'metrics[3].name' supplied: Names may be")
        );
        assert!(error.message.ends_with("would resolve to 'b'"), "{}", error.message);
    }

    #[test]
    fn lengths_count_characters() {
        let text = "\u{e9}".repeat(MAX_KEY);
        assert!(length("key", MAX_KEY, &text).is_ok() && length("key", MAX_KEY, &(text.clone() + "a")).is_err());
        assert_eq!(cut("\u{e9}\u{e9}a", 2), "\u{e9}\u{e9}");
        assert_eq!(cut("ab", 2), "ab");
    }
}
