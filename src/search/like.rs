//! SQL's LIKE: `%` is any run of characters, `_` one character, everything else itself; there is no escape, and the
//! whole text must match.

/// A pattern of LIKE or, with `fold`, of ILIKE, which takes ASCII letters of either case for the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    parts: Vec<char>,
    fold: bool,
}

impl Pattern {
    pub(crate) fn new(pattern: &str, fold: bool) -> Self {
        let case = |next: char| if fold { next.to_ascii_lowercase() } else { next };
        Self { parts: pattern.chars().map(case).collect(), fold }
    }

    /// Cost: the length of the text times that of the pattern at worst, whatever the number of `%`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        // Where to go on when the text does not fit what follows the last `%`: that takes one character more.
        let mut again: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut next_rest = rest.clone();
            let next = next_rest.next().map(|next| if self.fold { next.to_ascii_lowercase() } else { next });
            match (self.parts.get(at), next) {
                (Some('%'), _) => {
                    at += 1;
                    again = Some((at, rest.clone()));
                }
                (None, None) => return true,
                (Some(part), Some(next)) if *part == '_' || *part == next => {
                    at += 1;
                    rest = next_rest;
                }
                _ => {
                    let Some((from, later)) = &mut again else { return false };
                    if later.next().is_none() {
                        return false;
                    }
                    (at, rest) = (*from, later.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_sql() {
        let like = |text: &str, pattern: &str| Pattern::new(pattern, false).matches(text);
        for (text, pattern) in [
            ("", ""),
            ("", "%"),
            ("abc", "abc"),
            ("abc", "a%"),
            ("abc", "%c"),
            ("abc", "_b_"),
            ("aXbXc", "%X%X%"),
            ("a%", "a%"),
            ("\u{e9}", "_"),
        ] {
            assert!(like(text, pattern), "{text} like {pattern}");
        }
        for (text, pattern) in
            [("", "_"), ("abc", "ab"), ("abc", "b%"), ("Abc", "abc"), ("abc", "%d%"), ("a.c", "a\\.c"), ("abc", "")]
        {
            assert!(!like(text, pattern), "{text} like {pattern}");
        }
        assert!(Pattern::new("IRIS%", true).matches("iris-Data"));
        assert!(!Pattern::new("\u{c9}", true).matches("\u{e9}"), "only ASCII letters are folded");
    }

    /// By its definition: every way to share out the text.
    fn slow(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|at| slow(&text[at..], rest)),
            Some((part, rest)) => {
                text.split_first().is_some_and(|(next, more)| (*part == '_' || part == next) && slow(more, rest))
            }
        }
    }

    proptest! {
        #[test]
        fn matches_are_those_of_the_definition(text in "[ab]{0,8}", pattern in "[ab_%]{0,8}") {
            let (chars, parts): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
            prop_assert_eq!(Pattern::new(&pattern, false).matches(&text), slow(&chars, &parts));
        }
    }
}
