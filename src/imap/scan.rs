// SPDX-License-Identifier: GPL-3.0-or-later
//! One response as received, and a scanner over its words (the grammar of RFC 3501, section 9).

use super::literal::Literal;

/// A response: its lines, and its literals in order of their `{n}` marks.
#[derive(Debug, Default)]
pub struct Raw {
    /// The lines joined; each literal is represented by its mark, with CRLF after it.
    pub text: Vec<u8>,
    /// What the marks stand for.
    pub literals: Vec<Literal>,
}

/// The number behind the first `name` in a text.
pub fn number_after(text: &[u8], name: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(text, name)?;
    let digits = text.get(at + name.len()..)?;
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// What a word of a response can be.
#[derive(Debug)]
pub enum Value {
    /// `NIL`
    Nil,
    /// An atom, a flag or a number.
    Atom(String),
    /// A quoted string.
    Quoted(Vec<u8>),
    /// A literal.
    Literal(Literal),
    /// A parenthesized list.
    List(Vec<Value>),
}

impl Value {
    /// The octets of a string or atom; `None` for `NIL`, lists, and literals beyond any name's size.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Atom(text) => Some(text.into_bytes()),
            Self::Quoted(bytes) => Some(bytes),
            Self::Literal(literal) => literal.as_memory().map(<[u8]>::to_vec),
            Self::Nil | Self::List(_) => None,
        }
    }

    /// A string or atom as text.
    pub fn into_text(self) -> Option<String> {
        self.into_bytes()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// An unsigned number.
    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        match self {
            Self::Atom(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Reads words from a response.
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    literals: std::vec::IntoIter<Literal>,
    values: usize,
}

/// So many values are read from one response.
const MAX_VALUES: usize = 20_000;

/// Lists nest this deep at most; a hostile server must not exhaust the stack.
const MAX_DEPTH: u32 = 32;

impl<'a> Scanner<'a> {
    /// Starts at the beginning of a response.
    pub fn new(text: &'a [u8], literals: Vec<Literal>) -> Self {
        Self {
            text,
            at: 0,
            literals: literals.into_iter(),
            values: 0,
        }
    }

    /// The octets not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next octet, which is not consumed.
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Consumes `byte` if it comes next.
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// Consumes these octets if they come next.
    pub fn eat_all(&mut self, octets: &[u8]) -> bool {
        let found = self.rest().starts_with(octets);
        if found {
            self.at += octets.len();
        }
        found
    }

    /// Consumes a list of words in parentheses, whatever they are made of: a server may have a keyword that is no atom.
    pub fn words_in_parentheses(&mut self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        self.blanks();
        let rest = self.rest().strip_prefix(b"(")?;
        let end = memchr::memchr(b')', rest)?;
        let words = rest.get(..end)?;
        // What is sent as a literal is no flag.
        if memchr::memchr(b'\n', words).is_some() {
            return None;
        }
        self.at += end + 2;
        Some(
            words
                .split(|&octet| octet == b' ')
                .filter(|word| !word.is_empty()),
        )
    }

    /// Consumes blanks.
    pub fn blanks(&mut self) {
        while self.eat(b' ') {}
    }

    /// The octets up to one of `ends`.
    pub fn until(&mut self, ends: &[u8]) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|b| ends.contains(b)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// The next word: up to a blank, a parenthesis or a closing bracket.
    pub fn word(&mut self) -> &'a str {
        std::str::from_utf8(self.until(b" ()]")).unwrap_or_default()
    }

    /// A FETCH item's name, which may hold brackets with blanks in them (`BODY[HEADER.FIELDS (X Y)]<0>`).
    pub fn item_name(&mut self) -> &'a str {
        let start = self.at;
        self.until(b" ()[");
        if self.peek() == Some(b'[') {
            self.until(b"]");
            self.eat(b']');
            self.until(b" ()");
        }
        std::str::from_utf8(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default()
    }

    /// The next value; `None` when there is none or it is malformed.
    pub fn value(&mut self) -> Option<Value> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: u32) -> Option<Value> {
        self.blanks();
        self.values += 1;
        if self.values > MAX_VALUES {
            return None;
        }
        match self.peek()? {
            b'(' => {
                if depth >= MAX_DEPTH {
                    return None;
                }
                self.at += 1;
                let mut items = vec![];
                loop {
                    self.blanks();
                    if self.eat(b')') {
                        return Some(Value::List(items));
                    }
                    items.push(self.value_at(depth + 1)?);
                }
            }
            b'"' => self.quoted().map(Value::Quoted),
            b'{' => self.literal(),
            b'~' if self.text.get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                self.literal()
            }
            b')' | b']' => None,
            _ => {
                let start = self.at;
                self.until(b" ()");
                let atom = String::from_utf8_lossy(self.text.get(start..self.at)?).into_owned();
                if atom.eq_ignore_ascii_case("NIL") {
                    Some(Value::Nil)
                } else {
                    Some(Value::Atom(atom))
                }
            }
        }
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        self.at += 1;
        let mut out = vec![];
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(out),
                b'\\' => {
                    out.push(self.peek()?);
                    self.at += 1;
                }
                byte => out.push(byte),
            }
        }
    }

    fn literal(&mut self) -> Option<Value> {
        self.until(b"\n");
        self.eat(b'\n');
        self.literals.next().map(Value::Literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_nested_values() {
        let mut scanner = Scanner::new(
            b"(\\Seen \"a \\\"b\\\"\" NIL (1 {3}\r\n)) rest",
            vec![Literal::memory(b"xyz".to_vec())],
        );
        let Some(Value::List(items)) = scanner.value() else {
            panic!("no list")
        };
        assert_eq!(items.len(), 4);
        assert!(matches!(&items[1], Value::Quoted(q) if q == b"a \"b\""));
        assert!(matches!(&items[3], Value::List(l) if l.len() == 2));
        assert_eq!(scanner.rest(), b" rest");
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(prop_oneof![
            Just(b'('), Just(b')'), Just(b'"'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b' '),
            Just(b'\\'), Just(b'~'), Just(b'\n'), any::<u8>()], 0..60)) {
            let mut scanner = Scanner::new(&text, vec![]);
            while scanner.value().is_some() {}
            let mut scanner = Scanner::new(&text, vec![]);
            for _ in 0..80 {
                scanner.item_name();
                scanner.blanks();
                scanner.eat(b'(');
            }
        }
    }
}
