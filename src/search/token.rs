//! The words of a filter, with their places.

use crate::error::{Error, Result};

/// One word of a filter or an order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it begins, in characters.
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A bare name or keyword; dots belong to it. With `quoted`, the key behind its first dot stood in quotes, and `behind`
    /// is what follows them, from a dot on.
    Word {
        text: String,
        quoted: bool,
        behind: String,
    },
    /// A text in single or double quotes, or a name in double quotes or backquotes: its place decides.
    Quoted {
        text: String,
        quote: char,
    },
    Number {
        text: String,
        value: f64,
    },
    /// `=`, `!=`, `<`, `<=`, `>`, `>=` and, in the wide language, `==`, `<>`, `=~`, `!~`.
    Operator(&'static str),
    Open,
    Close,
    Comma,
}

/// Two characters before one: `<=` is not `<`.
const OPERATORS: [&str; 10] = ["<=", ">=", "!=", "==", "<>", "=~", "!~", "=", "<", ">"];

/// Text with the place of each character.
struct Characters<'a> {
    what: &'static str,
    text: &'a str,
    rest: &'a str,
    at: usize,
}

impl<'a> Characters<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        self.at += 1;
        Some(next)
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let from = self.rest;
        while self.peek().is_some_and(&mut wanted) {
            self.next();
        }
        from.get(..from.len() - self.rest.len()).unwrap_or_default()
    }

    fn fail<T>(&self, at: usize, reason: impl Into<String>) -> Result<T> {
        Err(Error::query(self.what, self.text, at, reason))
    }

    /// What stands between two of the same quotes. There is no escape: a text that holds one kind of quote is put
    /// into the other.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let at = self.at;
        self.next();
        let text = self.take_while(|next| next != quote);
        match self.next() {
            Some(_) => Ok(text.to_owned()),
            None => self.fail(at, format!("the {quote} that begins here is never closed")),
        }
    }

    fn word(&mut self) -> Result<Kind> {
        let mut text = self.take_while(is_bare).to_owned();
        let quoted = match self.peek() {
            Some(quote @ ('"' | '`')) if text.ends_with('.') && text.matches('.').count() == 1 => {
                text += &self.quoted(quote)?;
                true
            }
            _ => false,
        };
        let behind =
            if quoted && self.peek() == Some('.') { self.take_while(is_bare).to_owned() } else { String::new() };
        Ok(Kind::Word { text, quoted, behind })
    }

    fn number(&mut self) -> Result<Kind> {
        let at = self.at;
        let mut before = ' ';
        // A sign counts at the beginning and behind an exponent's letter only.
        let part = |next: char| {
            let wanted = is_bare(next) || (next == '-' || next == '+') && matches!(before, ' ' | 'e' | 'E');
            before = next;
            wanted
        };
        let text = self.take_while(part);
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        match text.parse() {
            Ok(value) if plain && !text.starts_with('+') => Ok(Kind::Number { text: text.to_owned(), value }),
            _ => self.fail(at, format!("{text} is not a number")),
        }
    }

    fn operator(&mut self) -> Option<Kind> {
        let found = OPERATORS.into_iter().find(|operator| self.rest.starts_with(operator))?;
        found.chars().for_each(|_| _ = self.next());
        Some(Kind::Operator(found))
    }
}

/// What a name may hold without quotes.
fn is_bare(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | '.' | '$' | '#')
}

/// Takes `text` apart; `what` it is goes into errors.
///
/// # Errors
/// [`Error::InvalidQuery`]: a character that no word begins with, a quote that is not closed, a malformed number.
pub(super) fn tokens(what: &'static str, text: &str) -> Result<Vec<Token>> {
    let mut characters = Characters { what, text, rest: text, at: 0 };
    let mut found = Vec::new();
    loop {
        characters.take_while(char::is_whitespace);
        let at = characters.at;
        let Some(next) = characters.peek() else { return Ok(found) };
        let digit_follows = || characters.rest.chars().nth(1).is_some_and(|next| next.is_ascii_digit() || next == '.');
        let kind = match next {
            '(' | ')' | ',' => {
                characters.next();
                match next {
                    '(' => Kind::Open,
                    ')' => Kind::Close,
                    _ => Kind::Comma,
                }
            }
            '\'' | '"' | '`' => Kind::Quoted { text: characters.quoted(next)?, quote: next },
            '0'..='9' => characters.number()?,
            '-' | '+' | '.' if digit_follows() => characters.number()?,
            next if is_bare(next) => characters.word()?,
            _ => match characters.operator() {
                Some(operator) => operator,
                None => {
                    let hint = "names with other characters than letters, digits, _ and . go into backquotes";
                    return characters.fail(at, format!("unexpected {next:?}; {hint}"));
                }
            },
        };
        found.push(Token { kind, at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens("filter", text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    fn word(text: &str, quoted: bool) -> Kind {
        Kind::Word { text: text.to_owned(), quoted, behind: String::new() }
    }

    #[test]
    fn names_numbers_texts_and_operators_are_told_apart() {
        let found = kinds("metrics.`a b/c`>=-1.5e-3 and tags.mlflow.x!='it' (\"q\",.5)");
        let number = |text: &str, value| Kind::Number { text: text.to_owned(), value };
        let quoted = |text: &str, quote| Kind::Quoted { text: text.to_owned(), quote };
        let expected = [
            word("metrics.a b/c", true),
            Kind::Operator(">="),
            number("-1.5e-3", -1.5e-3),
            word("and", false),
            word("tags.mlflow.x", false),
            Kind::Operator("!="),
            quoted("it", '\''),
            Kind::Open,
            quoted("q", '"'),
            Kind::Comma,
            number(".5", 0.5),
            Kind::Close,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn places_are_counted_in_characters() {
        let places: Vec<usize> = tokens("filter", "  \u{e9}\u{e9} = 'x'").unwrap().iter().map(|t| t.at).collect();
        assert_eq!(places, [2, 5, 7]);
    }

    #[test]
    fn what_is_no_word_is_named_with_its_place() {
        for (text, place) in
            [("a = 'b", 4), ("a ; b", 2), ("a = 1x", 4), ("a = +1", 4), ("a = 1e", 4), ("a = 0x1", 4), ("a -b", 2)]
        {
            match tokens("filter", text) {
                Err(Error::InvalidQuery { position, .. }) => assert_eq!(position, place, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
