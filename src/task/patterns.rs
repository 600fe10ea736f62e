// SPDX-License-Identifier: GPL-3.0-or-later
//! One exclusion pattern: a Perl-like expression, unanchored, case-sensitive.

use fancy_regex::{Regex, RegexBuilder};

use super::text::{Invalid, invalid};

/// Steps back that matching one name may take. Expressions without look-around and back-references take none, as they are
/// matched in linear time.
const BACKTRACK_LIMIT: usize = 20_000;

/// Octets of a compiled expression. What is larger takes its time with every name.
const SIZE_LIMIT: usize = 4 * 1024 * 1024;

/// What makes a text more than its own letters.
const METACHARACTERS: &str = r"\^$.*+?()[]{}|";

/// A pattern, ready to match.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    expression: Regex,
}

/// Whether a pattern matches a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It does not.
    No,
    /// It does.
    Yes,
    /// It gave up: the pattern tries too many ways on this name.
    GaveUp,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is no valid expression.
    pub fn compile(text: &str) -> Result<Self, Invalid> {
        let built = RegexBuilder::new(text)
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(SIZE_LIMIT)
            .build();
        match built {
            Ok(expression) => Ok(Self {
                text: text.to_owned(),
                expression,
            }),
            Err(_) => invalid(format!(
                "the pattern {text} is not a valid expression; write \\ before a character that is meant as itself"
            )),
        }
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has characters with their own meaning, so that a folder may be called like the pattern although
    /// the expression does not match it.
    pub fn has_metacharacters(&self) -> bool {
        self.text.contains(|c| METACHARACTERS.contains(c))
    }

    /// Whether the expression matches somewhere in a name.
    pub fn matches(&self, name: &str) -> Match {
        match self.expression.is_match(name) {
            Ok(true) => Match::Yes,
            Ok(false) => Match::No,
            Err(_) => Match::GaveUp,
        }
    }
}

/// The patterns between the commas of a text. A comma inside `{1,2}`, `[a,b]` or `(a,b)`, or behind a backslash, belongs
/// to its pattern; what is not closed protects none.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut commas = vec![];
    let mut open = vec![];
    let mut at = 0;
    let mut classes = true;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let mut length = c.len_utf8();
        match c {
            ',' => commas.push(at),
            '(' => open.push(at),
            ')' => {
                if let Some(start) = open.pop() {
                    let outside = commas.partition_point(|&comma| comma < start);
                    commas.truncate(outside);
                }
            }
            '\\' => length += rest.chars().nth(1).map_or(0, char::len_utf8),
            '[' if classes => match class(rest) {
                Some(whole) => length = whole,
                // Nor does any later one end.
                None => classes = false,
            },
            '{' => length = repetition(rest).unwrap_or(length),
            _ => {}
        }
        at += length;
    }
    let mut patterns = vec![];
    let mut start = 0;
    for comma in commas {
        patterns.push(&text[start..comma]);
        start = comma + 1;
    }
    patterns.push(&text[start..]);
    patterns
}

/// The length of `[…]`. A `]` at its beginning is one of its characters, and so is all of `[:alpha:]`.
fn class(text: &str) -> Option<usize> {
    let mut at = 1;
    if text[at..].starts_with('^') {
        at += 1;
    }
    if text[at..].starts_with(']') {
        at += 1;
    }
    loop {
        let rest = &text[at..];
        at += match rest.chars().next()? {
            ']' => return Some(at + 1),
            '\\' => 1 + rest.chars().nth(1)?.len_utf8(),
            '[' => named_class(rest).unwrap_or(1),
            c => c.len_utf8(),
        };
    }
}

/// The length of `[:alpha:]`.
fn named_class(text: &str) -> Option<usize> {
    let name = text.strip_prefix("[:")?;
    let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '^')?;
    name[end..].starts_with(":]").then_some(end + 4)
}

/// The length of `{2}`, `{2,}`, `{,5}` or `{2,5}`.
fn repetition(text: &str) -> Option<usize> {
    let counted = text[1..].find(|c: char| !c.is_ascii_digit() && c != ',')? + 1;
    text[counted..].starts_with('}').then_some(counted + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_commas_between_patterns_split() {
        for (text, patterns) in [
            ("a,b", &["a", "b"][..]),
            ("Sp.{1,2}m,b", &["Sp.{1,2}m", "b"]),
            ("x{1,},y{,2}", &["x{1,}", "y{,2}"]),
            ("[a,b],c", &["[a,b]", "c"]),
            ("[],],[^],],c", &["[],]", "[^],]", "c"]),
            ("[[:alpha:],],c", &["[[:alpha:],]", "c"]),
            ("^(a,b|(c,d)[)],)$,e", &["^(a,b|(c,d)[)],)$", "e"]),
            (r"a\,b,\[x,y]", &[r"a\,b", r"\[x", "y]"]),
            (r"[\],],b", &[r"[\],]", "b"]),
            // What is not closed protects nothing.
            ("[a,b", &["[a", "b"]),
            ("(a,[b),c]", &["(a", "[b),c]"]),
            ("{a,b}", &["{a", "b}"]),
            ("ü,ä", &["ü", "ä"]),
            ("", &[""]),
            ("a,", &["a", ""]),
        ] {
            assert_eq!(split(text), patterns, "{text}");
        }
    }

    #[test]
    fn a_pattern_that_tries_too_many_ways_gives_up_soon() {
        for text in [r"(x+x+)+\1y", r"^(x|xx)+\1y", r"(?=x)(x*)*(?!x)y"] {
            let pattern = Pattern::compile(text).unwrap();
            assert_eq!(pattern.matches(&"x".repeat(200)), Match::GaveUp, "{text}");
        }
        assert!(Pattern::compile(r"(\w{50}){50}").is_err());
        assert!(Pattern::compile(r"^\w{60}$").is_ok());
        // Without such constructs there is nothing to give up.
        let linear = Pattern::compile("^(a+)+$").unwrap();
        assert_eq!(linear.matches(&format!("{}b", "a".repeat(5000))), Match::No);
    }

    #[test]
    fn splitting_takes_linear_time() {
        for nested in ["[", "(", "{", "[[", "([", "\\"] {
            let text = nested.repeat(16 * 1024);
            assert_eq!(split(&format!("{text},a")).last(), Some(&"a"));
        }
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(text in "[a,\\\\\\[\\](){}0-9^ü]{0,24}") {
            prop_assert_eq!(split(&text).join(","), text);
        }
    }
}
