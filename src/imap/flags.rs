// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags and keywords of a message.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The five system flags that travel; `\Recent` belongs to the server (RFC 3501, 2.3.2).
const SYSTEM: [&str; 5] = ["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"];

/// Flags of one message, the octets of one keyword, and of all flags together: they have to fit into the line of a
/// command. Servers of this world stop at far less.
const MOST: usize = 512;
const LONGEST: usize = 128;
const ALTOGETHER: usize = 16 * 1024;

/// How much of a dropped keyword is shown to people.
const SHOWN: usize = 60;

/// The flags of a message that can be stored on another server, and what had to be left out. Two of them are equal when
/// the flags are: the ledger keeps nothing else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    kept: BTreeSet<String>,
    /// The octets of the keywords.
    octets: usize,
    dropped: Option<Box<Dropped>>,
}

/// Keywords that cannot travel: too long, too many, or with characters that no command can hold.
#[derive(Clone, Debug)]
pub struct Dropped {
    first: String,
    count: u64,
}

impl Dropped {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first)?;
        match self.count {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

impl Flags {
    /// Adds a flag. `\Recent` and unknown system flags belong to their server and are left out; a keyword that cannot
    /// travel is noted as dropped.
    pub fn insert(&mut self, flag: &str) {
        if let Some(system) = SYSTEM.iter().find(|s| s.eq_ignore_ascii_case(flag)) {
            self.kept.insert((*system).to_owned());
        } else if flag.is_empty() || flag.starts_with('\\') || self.kept.contains(flag) {
            // Nothing that could be lost.
        } else if flag.len() <= LONGEST
            && self.kept.len() < MOST
            && self.octets + flag.len() <= ALTOGETHER
            && flag.bytes().all(is_keyword_byte)
        {
            self.octets += flag.len();
            self.kept.insert(flag.to_owned());
        } else {
            self.drop_keyword(flag);
        }
    }

    fn drop_keyword(&mut self, flag: &str) {
        let dropped = self.dropped.get_or_insert_with(|| {
            let first = flag.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
            Box::new(Dropped { first, count: 0 })
        });
        dropped.count = dropped.count.saturating_add(1);
    }

    /// The keywords that were left out, for the report. Selections of flags, such as [`Flags::minus`], know none.
    pub fn dropped(&self) -> Option<&Dropped> {
        self.dropped.as_deref()
    }

    /// Those of the flags that are wanted.
    fn select(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let kept: BTreeSet<String> = self.kept.iter().filter(|flag| is_wanted(flag)).cloned().collect();
        let keywords = kept.iter().filter(|flag| !flag.starts_with('\\'));
        let octets = keywords.map(String::len).sum();
        Self {
            kept,
            octets,
            dropped: None,
        }
    }

    /// Reads a list separated by blanks, as [`Flags`] displays itself.
    pub fn parse(text: &str) -> Self {
        let mut flags = Self::default();
        for flag in text.split_ascii_whitespace() {
            flags.insert(flag);
        }
        flags
    }

    /// The flags, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }

    /// Whether a flag is set; keywords are compared without case, as servers do.
    pub fn contains(&self, flag: &str) -> bool {
        self.kept.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }

    /// The flags of `self` that `other` lacks.
    pub fn minus(&self, other: &Self) -> Self {
        self.select(|flag| !other.contains(flag))
    }

    /// The system flags alone, for a server that takes no keywords.
    pub fn system_only(&self) -> Self {
        self.select(|flag| flag.starts_with('\\'))
    }

    /// How many flags are set.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether no flag is set.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.kept == other.kept
    }
}

impl Eq for Flags {}

impl PartialOrd for Flags {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flags {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kept.cmp(&other.kept)
    }
}

impl Hash for Flags {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kept.hash(state);
    }
}

fn is_keyword_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, flag) in self.kept.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(flag)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_can_travel() {
        let flags = Flags::parse("\\seen \\Recent $Forwarded \\Weird bad\"one Junk");
        assert_eq!(flags.to_string(), "$Forwarded Junk \\Seen");
        assert_eq!(Flags::parse(&flags.to_string()), flags);
        assert_eq!(
            flags.minus(&Flags::parse("junk")).to_string(),
            "$Forwarded \\Seen"
        );
        assert_eq!(flags.system_only().to_string(), "\\Seen");
    }

    #[test]
    fn what_cannot_travel_is_counted() {
        let long = "x".repeat(LONGEST + 1);
        let mut flags = Flags::parse("Junk \\Seen \\Recent \\Weird");
        assert!(flags.dropped().is_none());
        for odd in [long.as_str(), "Gr\u{fc}n", "a]b", "50%", "a*b", "a{b", ""] {
            flags.insert(odd);
        }
        let dropped = flags.dropped().unwrap();
        assert_eq!(dropped.count(), 6);
        assert_eq!(dropped.to_string(), format!("{} and 5 more", &long[..SHOWN]));
        // The ledger's rows know nothing of it.
        let row = Flags::parse(&flags.to_string());
        assert_eq!((flags.to_string().as_str(), &row), ("Junk \\Seen", &flags));
        assert_eq!(row.cmp(&flags), Ordering::Equal);
        let set: std::collections::HashSet<_> = [row, flags.clone()].into();
        assert_eq!(set.len(), 1);
        assert!(flags.minus(&Flags::default()).dropped().is_none());
    }

    #[test]
    fn many_keywords_travel_and_the_rest_is_counted() {
        let mut flags = Flags::default();
        for number in 0..MOST + 10 {
            flags.insert(&format!("keyword{number}"));
        }
        // One that is there already is not lost, and system flags always find room.
        flags.insert("keyword0");
        flags.insert("\\Seen");
        assert_eq!(flags.len(), MOST + 1);
        assert_eq!(flags.dropped().map(Dropped::count), Some(10));
        let mut large = Flags::default();
        for number in 0..200 {
            large.insert(&format!("{number:0LONGEST$}"));
        }
        assert_eq!(large.len(), ALTOGETHER / LONGEST);
        assert_eq!(large.minus(&Flags::default()).octets, ALTOGETHER);
    }
}
