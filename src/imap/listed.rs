// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines of LIST and LSUB (RFC 3501, 7.2.2), also where a server writes them in its own way.

use super::mailbox::Mailbox;
use super::scan::{Scanner, Value};

/// One line of LIST.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// Attributes such as `\Noselect` and `\Sent`.
    pub attributes: Vec<String>,
    /// The hierarchy separator; none on a flat server.
    pub separator: Option<char>,
}

impl Listed {
    /// Whether an attribute is present.
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|a| a.eq_ignore_ascii_case(attribute))
    }

    /// Reads what follows the word LIST or LSUB; `None` when it cannot be read.
    pub(super) fn read(scanner: &mut Scanner<'_>) -> Option<Self> {
        let attributes = match scanner.value()? {
            Value::List(attributes) => attributes,
            Value::Nil => vec![],
            _ => return None,
        };
        scanner.blanks();
        // Some servers do not escape it, nor then in names.
        let escapes = !scanner.eat_all(b"\"\\\" ");
        let separator = match escapes {
            false => Some('\\'),
            true => match scanner.value()? {
                Value::Nil => None,
                value => value.into_text()?.chars().next(),
            },
        };
        let name = listed_name(scanner, escapes)?;
        Some(Self {
            attributes: attributes.into_iter().filter_map(Value::into_text).collect(),
            separator,
            mailbox: Mailbox::from_wire(name),
        })
    }
}

/// Whether what is left is `("CHILDINFO" ("SUBSCRIBED"))` and the like, each name with its value (RFC 5258, 6).
fn is_extended_data(scanner: &mut Scanner<'_>) -> bool {
    let data = scanner.value();
    let is_last = scanner.rest().trim_ascii_end().is_empty();
    let is_data = |items: &[Value]| items.is_empty() || matches!(items.get(1), Some(Value::List(_)));
    is_last && matches!(data, Some(Value::List(items)) if is_data(&items))
}

/// The name at the end of a line of LIST. One that is not written as it should be (a blank outside of quotes, a quote or
/// backslash that is not escaped) is all that is left of the line; behind a good one there is at most extended data
/// (RFC 5258).
fn listed_name(scanner: &mut Scanner<'_>, escapes: bool) -> Option<Vec<u8>> {
    scanner.blanks();
    let line = scanner.rest().trim_ascii_end();
    let name = match scanner.value() {
        // An atom is a name, whatever its letters.
        Some(Value::Nil) => line.get(..3).map(<[u8]>::to_vec),
        value => value.and_then(Value::into_bytes),
    };
    let is_end = scanner.rest().trim_ascii_end().is_empty() || is_extended_data(scanner);
    let is_raw = !escapes && line.starts_with(b"\"") && line != b"\"\"";
    if name.is_some() && is_end && !is_raw {
        return name;
    }
    let bare = line
        .strip_prefix(b"\"")
        .map(|rest| rest.strip_suffix(b"\"").unwrap_or(rest));
    Some(bare.unwrap_or(line).to_vec()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Listed> {
        Listed::read(&mut Scanner::new(line.as_bytes(), vec![]))
    }

    #[test]
    fn names_are_read_however_a_server_writes_them() {
        for (line, separator, name) in [
            ("() \"/\" NIL", Some('/'), "NIL"),
            ("() \"/\" Sent Items", Some('/'), "Sent Items"),
            ("() \"/\" \"dir\\\"", Some('/'), "dir\\"),
            ("() \"/\" \"open", Some('/'), "open"),
            ("() \"/\" \"quo\"te\"", Some('/'), "quo\"te"),
            ("() \"/\" ]x", Some('/'), "]x"),
            ("() \"/\" a(b)c", Some('/'), "a(b)c"),
            ("NIL \".\" A", Some('.'), "A"),
            ("() \"\\\" A\\B", Some('\\'), "A\\B"),
            ("() \"\\\\\" A", Some('\\'), "A"),
            ("() \"\\\" \"A\\B c\"", Some('\\'), "A\\B c"),
            ("() \"/\" Sent (old)", Some('/'), "Sent (old)"),
            ("() \"/\" A (CHILDINFO (\"SUBSCRIBED\"))", Some('/'), "A"),
            ("(\\Noselect) \"/\" \"\"", Some('/'), ""),
            ("(\\Noselect) \"\\\" \"\"", Some('\\'), ""),
            ("() NIL \"A b\" (\"CHILDINFO\" (\"SUBSCRIBED\"))", None, "A b"),
            ("() \"/\" A ", Some('/'), "A"),
            ("() \"/\" A ()", Some('/'), "A"),
        ] {
            let listed = read(line).unwrap();
            assert_eq!(
                (listed.separator, listed.mailbox.name()),
                (separator, name),
                "{line}"
            );
        }
        for line in ["", "()", "() \"/\"", "x \"/\" A", "( \"/\" A"] {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
