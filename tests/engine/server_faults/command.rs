// SPDX-License-Identifier: GPL-3.0-or-later
//! Commands as a server reads them.

/// One word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// An atom, with its brackets and what is between them.
    Atom(String),
    /// A quoted string.
    String(Vec<u8>),
    Literal(Vec<u8>),
    List(Vec<Word>),
}

impl Word {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Atom(text) => text.clone(),
            Self::String(bytes) | Self::Literal(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(words) => words.iter().map(Self::text).collect::<Vec<_>>().join(" "),
        }
    }

    pub(crate) fn list(&self) -> &[Word] {
        match self {
            Self::List(words) => words,
            _ => &[],
        }
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self, Self::Atom(atom) if atom.eq_ignore_ascii_case(text))
    }
}

/// A command as received: lines and literals.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// The text of the lines, each literal as its mark.
    pub text: Vec<u8>,
    pub literals: Vec<Vec<u8>>,
}

impl Received {
    /// Text and literals together, to look for words in.
    pub(super) fn everything(&self) -> Vec<u8> {
        let mut all = self.text.clone();
        for literal in &self.literals {
            all.extend_from_slice(literal);
        }
        all
    }

    /// The words, the tag first; `None` when it is no IMAP.
    pub(super) fn words(&self) -> Option<Vec<Word>> {
        let mut reader = Reader {
            text: &self.text,
            at: 0,
            literals: self.literals.iter(),
        };
        let words = reader.words()?;
        (reader.at == self.text.len()).then_some(words)
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    literals: std::slice::Iter<'a, Vec<u8>>,
}

impl Reader<'_> {
    fn words(&mut self) -> Option<Vec<Word>> {
        let mut words = vec![];
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b' ' => self.at += 1,
                b')' => break,
                b'(' => {
                    self.at += 1;
                    words.push(Word::List(self.words()?));
                    (self.text.get(self.at) == Some(&b')')).then_some(())?;
                    self.at += 1;
                }
                b'"' => words.push(self.quoted()?),
                b'{' => {
                    self.at += self.text[self.at..].iter().position(|&b| b == b'\n')? + 1;
                    words.push(Word::Literal(self.literals.next()?.clone()));
                }
                _ => words.push(self.atom()),
            }
        }
        Some(words)
    }

    fn quoted(&mut self) -> Option<Word> {
        let mut out = vec![];
        loop {
            self.at += 1;
            match *self.text.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    out.push(*self.text.get(self.at)?);
                }
                byte => out.push(byte),
            }
        }
        self.at += 1;
        Some(Word::String(out))
    }

    fn atom(&mut self) -> Word {
        let start = self.at;
        let mut depth = 0;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                b' ' | b'(' | b')' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        Word::Atom(String::from_utf8_lossy(&self.text[start..self.at]).into_owned())
    }
}

/// The UIDs of a set that are among `existing`; `*` is the largest of these.
pub(super) fn uids(set: &str, existing: &[u32]) -> Vec<u32> {
    let largest = existing.iter().copied().max().unwrap_or(0);
    let number = |text: &str| match text {
        "*" => largest,
        text => text.parse().expect("a UID"),
    };
    let ranges: Vec<(u32, u32)> = set
        .split(',')
        .map(|part| {
            let (a, b) = part.split_once(':').unwrap_or((part, part));
            let (a, b) = (number(a), number(b));
            (a.min(b), a.max(b))
        })
        .collect();
    let wanted = |uid: &u32| ranges.iter().any(|&(low, high)| (low..=high).contains(uid));
    existing.iter().copied().filter(wanted).collect()
}

/// UIDs as a set.
pub(super) fn set(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
