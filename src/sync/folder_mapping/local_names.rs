// SPDX-License-Identifier: GPL-3.0-or-later
//! Names for the local side: as close to the remote ones as the local server accepts.

use sha2::{Digest as _, Sha256};

use super::side::Side;
use crate::imap::{Mailbox, utf7};

/// Octets of a whole name that every server takes: in a Maildir++ it is one file name of at most 255.
const LONGEST: usize = 200;
/// Octets of one level.
const LONGEST_LEVEL: usize = 100;
/// Levels that every server takes.
const DEEPEST: usize = 12;

/// How names are made on the local side.
pub(super) struct LocalNames<'a> {
    local: &'a Side,
    prefix: String,
    separator: Option<char>,
}

impl<'a> LocalNames<'a> {
    /// For the folders of this side.
    pub(super) fn new(local: &'a Side) -> Self {
        Self {
            prefix: local.prefix(),
            separator: local.separator(),
            local,
        }
    }

    /// The levels of a remote name as they are locally. The two separators change places within them, so that a level with
    /// the local separator in it stays one. A level without a name, which IMAP does not know, gets one.
    pub(super) fn levels(&self, bare: &str, separator: Option<char>) -> Vec<String> {
        let turned = |level: &str| match (separator, self.separator) {
            _ if level.is_empty() => "_".to_owned(),
            (from, Some(to)) if from != Some(to) => {
                level.replace(to, from.unwrap_or('_').encode_utf8(&mut [0; 4]))
            }
            _ => level.to_owned(),
        };
        match separator {
            Some(separator) => bare.split(separator).map(turned).collect(),
            None => vec![turned(bare)],
        }
    }

    /// The name of a folder with these levels. One that would be in a namespace of other people is set apart.
    pub(super) fn join(&self, levels: &[String], separator: Option<char>) -> String {
        let separator = self.separator.or(separator).unwrap_or('/').to_string();
        let name = format!("{}{}", self.prefix, levels.join(&separator));
        if self.local.is_own(&Mailbox::from_name(&name)) {
            return name;
        }
        let mut levels = levels.to_vec();
        if let Some(first) = levels.first_mut() {
            first.push('_');
        }
        format!("{}{}", self.prefix, levels.join(&separator))
    }

    /// A form of a name that every server takes. Parts that are too long are cut, and told apart by a digest.
    pub(super) fn safe(&self, name: &str) -> String {
        let (prefix, bare) = self.split(name);
        let levels: Vec<String> = match self.separator {
            Some(separator) => bare.split(separator).map(safe_level).collect(),
            None => vec![safe_level(bare)],
        };
        format!("{prefix}{}", self.fit(levels, name))
    }

    /// A name for a remote folder whose own is taken: always the same for the same folder, whatever others there are.
    pub(super) fn distinct(&self, name: &str, remote: &Mailbox) -> String {
        let (prefix, bare) = self.split(name);
        let levels: Vec<String> = match self.separator {
            Some(separator) => bare.split(separator).map(safe_level).collect(),
            None => vec![safe_level(bare)],
        };
        let mut levels = levels;
        if let Some(leaf) = levels.last_mut() {
            *leaf = with_digest(leaf, remote.wire());
        }
        let prefix = if prefix.is_empty() { &self.prefix } else { prefix };
        format!("{prefix}{}", self.fit(levels, name))
    }

    /// A name's prefix and the rest.
    fn split<'n>(&self, name: &'n str) -> (&'n str, &'n str) {
        match name.strip_prefix(self.prefix.as_str()) {
            Some(bare) => name.split_at(name.len() - bare.len()),
            None => ("", name),
        }
    }

    fn fit(&self, mut levels: Vec<String>, name: &str) -> String {
        let separator = self.separator.map(String::from).unwrap_or_default();
        let whole = levels.join(&separator);
        let room = LONGEST.saturating_sub(octets(&self.prefix));
        if octets(&whole) <= room && levels.len() <= DEEPEST {
            return whole;
        }
        let leaf = levels.pop().unwrap_or_default();
        let leaf = with_digest(cut(&leaf, LONGEST_LEVEL / 2), name.as_bytes());
        let mut kept = String::new();
        for level in levels.iter().take(DEEPEST - 1) {
            let longer = format!("{kept}{level}{separator}");
            if octets(&longer) + octets(&leaf) > room {
                break;
            }
            kept = longer;
        }
        kept + &leaf
    }
}

/// One level that every server takes.
fn safe_level(level: &str) -> String {
    let last = level.chars().count().saturating_sub(1);
    let safe: String = level
        .chars()
        .enumerate()
        .map(|(at, c)| match c {
            '.' | '/' | '\\' | '*' | '%' | '~' | '"' => '_',
            '#' if at == 0 => '_',
            c if c.is_control() => '_',
            c if c.is_whitespace() && (at == 0 || at == last) => '_',
            c => c,
        })
        .collect();
    if safe.is_empty() {
        "_".to_owned()
    } else if octets(&safe) > LONGEST_LEVEL {
        with_digest(cut(&safe, LONGEST_LEVEL), level.as_bytes())
    } else {
        safe
    }
}

/// A level with six hex digits that belong to `what`.
fn with_digest(level: &str, what: &[u8]) -> String {
    let digest = Sha256::digest(what);
    let digits: String = digest
        .iter()
        .take(3)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!("{}-{digits}", cut(level, LONGEST_LEVEL - 7))
}

/// How long a name is where it is stored, in whichever of the two forms.
fn octets(text: &str) -> usize {
    text.len().max(utf7::encode(text).len())
}

/// As much of a text as these octets hold.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = 0;
    for (at, c) in text.char_indices().take(limit) {
        let next = at + c.len_utf8();
        if octets(&text[..next]) > limit {
            break;
        }
        end = next;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::folder_mapping::tests::{side, told};
    use proptest::prelude::*;

    fn turn(local: &Side, name: &str, separator: Option<char>) -> String {
        let names = LocalNames::new(local);
        names.join(&names.levels(name, separator), separator)
    }

    #[test]
    fn separators_change_places() {
        let slash = side("", '/', &["INBOX"]);
        assert_eq!(turn(&slash, "Work.Sub", Some('.')), "Work/Sub");
        assert_eq!(turn(&slash, "a/b", Some('.')), "a.b");
        assert_eq!(turn(&slash, "a/b", None), "a_b");
        // A server would take the last one for "trail".
        assert_eq!(turn(&slash, "a//trail/", Some('/')), "a/_/trail/_");
        let dots = side("INBOX.", '.', &[]);
        assert_eq!(turn(&dots, "a.b", Some('/')), "INBOX.a/b");
        assert_eq!(LocalNames::new(&dots).safe("INBOX.a/b"), "INBOX.a_b");
    }

    #[test]
    fn other_peoples_namespaces_are_not_entered() {
        let local = told(
            r#"(("" "/")("virtual/" "/")) (("Other Users/" "/")) (("Public/" "/"))"#,
            &["INBOX"],
        );
        assert_eq!(turn(&local, "Public", Some('/')), "Public_");
        assert_eq!(turn(&local, "Public.x", Some('.')), "Public_/x");
        assert_eq!(turn(&local, "virtual/All", Some('/')), "virtual_/All");
        assert_eq!(turn(&local, "Publication", Some('/')), "Publication");
    }

    #[test]
    fn what_servers_refuse_has_a_safe_form() {
        let local = side("", '/', &["INBOX"]);
        let names = LocalNames::new(&local);
        for (name, safe) in [
            ("a//b", "a/_/b"),
            ("/lead", "_/lead"),
            ("trail/", "trail/_"),
            ("/", "_/_"),
            ("~home", "_home"),
            ("a/../b", "a/__/b"),
            (" x/y ", "_x/y_"),
            ("#news/x", "_news/x"),
            ("A~B", "A_B"),
        ] {
            assert_eq!(names.safe(name), safe);
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let local = side("", '/', &["INBOX"]);
        let names = LocalNames::new(&local);
        let long = |last: &str| format!("{}{last}", "x".repeat(299));
        let deep = |last: &str| vec!["y".repeat(32); 7].join("/") + "/" + &"y".repeat(31) + last;
        let cyrillic = |last: &str| "ж".repeat(119) + last;
        let endless = |last: &str| "z/".repeat(40) + last;
        for name in [long, deep, cyrillic, endless] {
            let (a, b) = (names.safe(&name("a")), names.safe(&name("b")));
            assert_ne!(a, b);
            for safe in [a, b] {
                assert!(octets(&safe) <= LONGEST, "{safe}");
                assert!(safe.split('/').count() <= DEEPEST);
                assert!(
                    safe.split('/')
                        .all(|level| !level.is_empty() && octets(level) <= LONGEST_LEVEL)
                );
            }
        }
        // What is below a cut folder stays below it.
        let parent = names.safe(&long("a"));
        assert_eq!(
            names.safe(&format!("{}/child", long("a"))),
            format!("{parent}/child")
        );
    }

    proptest! {
        #[test]
        fn turning_separators_loses_nothing(
            a in "[a-c/_]{1,3}(\\.[a-c/_]{1,3}){0,2}",
            b in "[a-c/_]{1,3}(\\.[a-c/_]{1,3}){0,2}",
        ) {
            let local = side("", '/', &[]);
            let turned = |name: &str| turn(&local, name, Some('.'));
            prop_assert_eq!(a == b, turned(&a) == turned(&b));
        }

        #[test]
        fn any_name_has_a_safe_form(name in "\\PC{0,400}", prefix in any::<bool>()) {
            let local = side(if prefix { "INBOX." } else { "" }, '.', &["INBOX"]);
            let names = LocalNames::new(&local);
            let remote = Mailbox::from_name(&name);
            let safe = names.safe(&name);
            for made in [&safe, &names.distinct(&name, &remote)] {
                prop_assert!(octets(made) <= LONGEST + 7, "{}", made);
                prop_assert!(made.split('.').all(|level| !level.is_empty()));
            }
            prop_assert_eq!(names.safe(&safe), safe.clone());
        }
    }
}
