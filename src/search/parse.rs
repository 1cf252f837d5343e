//! From the words of a filter to its tree: recursive descent, a function a rule.
//!
//! ```text
//! any    := all { OR all }
//! all    := [AND] one { [AND] one } [AND]       MLflow forgives ANDs that are missing or too many
//! one    := NOT one | '(' any ')' | test
//! test   := name compare value
//!         | name [NOT] (LIKE | ILIKE | RLIKE) text | name [NOT] IN '(' text { ',' text } ')'
//!         | name [NOT] BETWEEN number AND number   | name IS [NOT] NULL
//! ```

use super::Language;
use super::field::Names;
use super::filter::{Check, Comparison, Node, Test};
use super::like::Pattern;
use super::token::{Kind, Token, tokens};
use crate::error::{Error, Result};
use regex::Regex;
use std::marker::PhantomData;

const WHAT: &str = "filter";
/// Parentheses and NOTs within each other: far more than people write, and far less than a stack holds.
const MAX_DEPTH: usize = 100;

/// The tree of a filter text.
///
/// # Errors
/// [`Error::InvalidQuery`].
pub(super) fn filter<F: Names>(text: &str, of: F::Of, language: Language) -> Result<Node<F>> {
    if text.is_empty() {
        return Ok(Node::All(Vec::new()));
    }
    let mut parser =
        Parser { text, tokens: tokens(WHAT, text)?, next: 0, of, language, depth: 0, names: PhantomData::<F> };
    if parser.tokens.is_empty() {
        return match language {
            Language::Wide => Ok(Node::All(Vec::new())),
            Language::Mlflow => Err(Error::query(WHAT, text, 0, "expected a test, found only spaces")),
        };
    }
    let node = parser.any()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => parser.expected("AND or the end"),
    }
}

struct Parser<'a, F: Names> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    of: F::Of,
    language: Language,
    depth: usize,
    names: PhantomData<F>,
}

impl<F: Names> Parser<'_, F> {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    /// The place of the next word, or of the end.
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or_else(|| self.text.chars().count(), |token| token.at)
    }

    fn fail<T>(&self, at: usize, reason: impl Into<String>) -> Result<T> {
        Err(Error::query(WHAT, self.text, at, reason))
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        self.fail(self.at(), format!("expected {what}, found {}", describe(self.peek())))
    }

    fn is_wide(&self) -> bool {
        self.language == Language::Wide
    }

    fn is_keyword(&self, ahead: usize, keyword: &str) -> bool {
        let token = self.tokens.get(self.next + ahead).map(|token| &token.kind);
        matches!(token, Some(Kind::Word { text, quoted: false, .. }) if text.eq_ignore_ascii_case(keyword))
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(0, keyword);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Node<F>> {
        let mut nodes = vec![self.all()?];
        while self.is_wide() && self.accept("OR") {
            nodes.push(self.all()?);
        }
        Ok(if nodes.len() == 1 { nodes.swap_remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self) -> Result<Node<F>> {
        self.accept("AND");
        let mut nodes = vec![self.one()?];
        loop {
            self.accept("AND");
            let ends = matches!(self.peek(), None | Some(Kind::Close)) || self.is_wide() && self.is_keyword(0, "OR");
            if ends {
                return Ok(if nodes.len() == 1 { nodes.swap_remove(0) } else { Node::All(nodes) });
            }
            nodes.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Node<F>> {
        if !self.is_wide() {
            return self.test();
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(self.at(), format!("more than {MAX_DEPTH} parentheses and NOTs within each other"));
        }
        let node = if self.accept("NOT") {
            Node::Not(Box::new(self.one()?))
        } else if matches!(self.peek(), Some(Kind::Open)) {
            self.next += 1;
            let node = self.any()?;
            self.close()?;
            node
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn close(&mut self) -> Result<()> {
        match self.peek() {
            Some(Kind::Close) => {
                self.next += 1;
                Ok(())
            }
            _ => self.expected("a closing parenthesis"),
        }
    }

    fn name(&mut self) -> Result<F> {
        let at = self.at();
        if matches!(self.peek(), Some(Kind::Open)) {
            return self.fail(at, "MLflow's filters know no parentheses, OR and NOT");
        }
        let Some(named) = self.peek().and_then(|word| F::named(word, self.of, self.language)) else {
            return self.expected(F::EXAMPLES);
        };
        self.next += 1;
        named.or_else(|reason| self.fail(at, reason))
    }

    fn test(&mut self) -> Result<Node<F>> {
        let field = self.name()?;
        if let Some(Kind::Operator(operator)) = self.peek() {
            let (operator, at) = (*operator, self.at());
            self.next += 1;
            return self.compare(field, operator, at);
        }
        let at = self.at();
        if self.accept("IS") {
            let negated = self.accept("NOT");
            if !self.accept("NULL") {
                return self.expected("NULL");
            }
            return match field.no_null() {
                Some(reason) if !self.is_wide() => self.fail(at, reason),
                _ => found(field, Check::Missing, negated),
            };
        }
        let negated = self.accept("NOT");
        if self.accept("IN") {
            self.list(field, negated, at)
        } else if negated && !self.is_wide() {
            self.expected("IN")
        } else if self.accept("LIKE") {
            self.like(field, negated, false, at)
        } else if self.accept("ILIKE") {
            self.like(field, negated, true, at)
        } else if self.is_wide() && self.accept("RLIKE") {
            self.regex(field, negated, at)
        } else if self.is_wide() && self.accept("BETWEEN") {
            self.between(field, negated, at)
        } else if self.is_wide() {
            self.expected("an operator: = != < <= > >= LIKE ILIKE RLIKE IN BETWEEN IS")
        } else {
            self.expected("an operator: = != < <= > >= LIKE ILIKE IN IS")
        }
    }

    fn compare(&mut self, field: F, operator: &str, at: usize) -> Result<Node<F>> {
        if !self.is_wide() && matches!(operator, "==" | "<>" | "=~" | "!~") {
            return self.fail(at, format!("MLflow's filters know no {operator}"));
        }
        let comparison = match operator {
            "=" | "==" => Comparison::Equal,
            "!=" | "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return self.regex(field, operator == "!~", at),
        };
        if field.is_number() {
            return found(field.clone(), Check::Number(comparison, self.number_for(&field)?), false);
        }
        let as_number = self.is_wide() && field.may_be_number();
        match comparison {
            _ if as_number && matches!(self.peek(), Some(Kind::Number { .. })) => {
                found(field, Check::Number(comparison, self.number()?), false)
            }
            Comparison::Equal | Comparison::NotEqual if !self.is_wide() && field.takes_bare() => {
                found(field, Check::Equal(self.bare()?), comparison == Comparison::NotEqual)
            }
            Comparison::Equal | Comparison::NotEqual => {
                found(field, Check::Equal(self.quoted()?), comparison == Comparison::NotEqual)
            }
            _ if as_number => self.expected("a number without quotes: texts have no order here"),
            _ => self.fail(at, "texts have no order here: = != LIKE ILIKE"),
        }
    }

    fn number(&mut self) -> Result<f64> {
        match self.peek() {
            Some(Kind::Number { value, .. }) => {
                let value = *value;
                self.next += 1;
                Ok(value)
            }
            _ => self.expected("a number without quotes"),
        }
    }

    /// MLflow compares versions and some times with whole numbers only, and takes those of versions in quotes too.
    fn number_for(&mut self, field: &F) -> Result<f64> {
        let found = match self.peek() {
            Some(Kind::Number { text, value }) => Some((is_whole(text), *value)),
            Some(Kind::Quoted { text, quote: '\'' | '"' }) if field.takes_quoted() && is_whole(text) => {
                text.parse().ok().map(|value| (true, value))
            }
            _ => None,
        };
        match found {
            Some((false, _)) if !self.is_wide() && field.is_whole() => self.expected("a whole number"),
            Some((_, value)) => {
                self.next += 1;
                Ok(value)
            }
            None => self.expected("a number without quotes"),
        }
    }

    fn quoted(&mut self) -> Result<String> {
        match self.peek() {
            Some(Kind::Quoted { text, quote: '\'' | '"' }) => {
                let text = text.clone();
                self.next += 1;
                Ok(text)
            }
            _ => self.expected("a text in single or double quotes"),
        }
    }

    fn bare(&mut self) -> Result<String> {
        let Some(Kind::Number { text, .. } | Kind::Word { text, quoted: false, .. }) = self.peek() else {
            return self.quoted();
        };
        let text = text.clone();
        self.next += 1;
        Ok(text)
    }

    fn text_only(&self, field: &F, what: &str, at: usize) -> Result<()> {
        if field.is_number() { self.fail(at, format!("{what} is for texts, and this is a number")) } else { Ok(()) }
    }

    fn like(&mut self, field: F, negated: bool, fold: bool, at: usize) -> Result<Node<F>> {
        self.text_only(&field, "LIKE", at)?;
        if let (false, Some(reason)) = (self.is_wide(), field.no_like()) {
            return self.fail(at, reason);
        }
        let pattern = Pattern::new(&self.quoted()?, fold);
        found(field, Check::Like(pattern), negated)
    }

    fn regex(&mut self, field: F, negated: bool, at: usize) -> Result<Node<F>> {
        self.text_only(&field, "a regular expression", at)?;
        let at = self.at();
        match Regex::new(&self.quoted()?) {
            Ok(regex) => found(field, Check::Found(regex), negated),
            Err(error) => self.fail(at, format!("not a regular expression: {error}")),
        }
    }

    fn list(&mut self, field: F, negated: bool, at: usize) -> Result<Node<F>> {
        self.text_only(&field, "IN", at)?;
        if let (false, Some(reason)) = (self.is_wide(), field.no_list()) {
            return self.fail(at, reason);
        }
        if !matches!(self.peek(), Some(Kind::Open)) {
            return self.expected("a list in parentheses");
        }
        self.next += 1;
        let mut texts = vec![self.quoted()?];
        while matches!(self.peek(), Some(Kind::Comma)) {
            self.next += 1;
            texts.push(self.quoted()?);
        }
        self.close()?;
        found(field, Check::In(texts), negated)
    }

    fn between(&mut self, field: F, negated: bool, at: usize) -> Result<Node<F>> {
        if !field.is_number() && !field.may_be_number() {
            return self.fail(at, "BETWEEN is for numbers, and this is a text");
        }
        let low = self.number()?;
        if !self.accept("AND") {
            return self.expected("AND");
        }
        let high = self.number()?;
        found(field, Check::Between(low, high), negated)
    }
}

fn is_whole(number: &str) -> bool {
    number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[expect(clippy::unnecessary_wraps, reason = "every rule ends in it")]
fn found<F>(field: F, check: Check, negated: bool) -> Result<Node<F>> {
    Ok(Node::Test(Test { field, check, negated }))
}

fn describe(kind: Option<&Kind>) -> String {
    match kind {
        None => "the end".to_owned(),
        Some(Kind::Word { text, .. } | Kind::Number { text, .. }) => text.clone(),
        Some(Kind::Quoted { text, quote }) => format!("{quote}{text}{quote}"),
        Some(Kind::Operator(operator)) => (*operator).to_owned(),
        Some(Kind::Open) => "(".to_owned(),
        Some(Kind::Close) => ")".to_owned(),
        Some(Kind::Comma) => ",".to_owned(),
    }
}
