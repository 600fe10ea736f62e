// SPDX-License-Identifier: GPL-3.0-or-later
//! Text in which characters are spelled out, as in JSON, addresses, HTML or quoted-printable: what it says, and where.

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

/// What a text says when its escapes are read.
pub(super) struct Unescaped {
    /// The octets it stands for. They may hold a secret.
    pub octets: Zeroizing<Vec<u8>>,
    /// Where in the text each of them comes from.
    pub places: Vec<Range<usize>>,
}

impl Unescaped {
    /// Reads a text; `None` where it has no escapes.
    pub(super) fn read(text: &str) -> Option<Self> {
        if !text.contains(['\\', '%', '&', '=']) {
            return None;
        }
        // An escape is never shorter than what it stands for, so nothing grows.
        let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut places = Vec::with_capacity(text.len());
        let mut from = 0;
        while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
            let (sign, length) = first(rest);
            let mut buffer = [0; 4];
            let said = match sign {
                Sign::Octet(octet) => {
                    buffer[0] = octet;
                    &buffer[..1]
                }
                Sign::Character(character) => character.encode_utf8(&mut buffer).as_bytes(),
            };
            octets.extend_from_slice(said);
            places.extend(said.iter().map(|_| from..from + length));
            from += length;
        }
        Some(Self { octets, places })
    }
}

enum Sign {
    Octet(u8),
    Character(char),
}

/// The first sign of a text that is not empty, and how many octets spell it out.
fn first(text: &str) -> (Sign, usize) {
    escape(text).unwrap_or_else(|| {
        let character = text.chars().next().unwrap_or_default();
        (Sign::Character(character), character.len_utf8())
    })
}

fn escape(text: &str) -> Option<(Sign, usize)> {
    let octet = |from: usize| {
        let digits = text.get(from..from + 2)?;
        let octet = u8::from_str_radix(digits, 16).ok()?;
        Some((Sign::Octet(octet), from + 2))
    };
    let number = |digits: &str, radix: u32, length: usize| {
        let character = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)?;
        Some((Sign::Character(character), length))
    };
    match text.as_bytes() {
        [b'%' | b'=', ..] => octet(1),
        [b'\\', b'x', ..] => octet(2),
        [b'\\', b'u', b'{', ..] => {
            let (digits, _) = text.get(3..)?.split_once('}')?;
            number(digits, 16, digits.len() + 4)
        }
        [b'\\', b'u', ..] => number(text.get(2..6)?, 16, 6),
        [b'\\', sign @ (b'"' | b'\\' | b'/' | b'\''), ..] => Some((Sign::Octet(*sign), 2)),
        [b'&', b'#', ..] => {
            let (digits, _) = text.get(2..)?.split_once(';')?;
            match digits.strip_prefix(['x', 'X']) {
                Some(hex) => number(hex, 16, digits.len() + 3),
                None => number(digits, 10, digits.len() + 3),
            }
        }
        [b'&', ..] => {
            let names = [
                ("&amp;", '&'),
                ("&lt;", '<'),
                ("&gt;", '>'),
                ("&quot;", '"'),
                ("&apos;", '\''),
            ];
            let (name, sign) = names.into_iter().find(|(name, _)| text.starts_with(name))?;
            Some((Sign::Character(sign), name.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_read() {
        for (text, read) in [
            (r"\u0054\u00e4\u{1f600}\x41\\\/", "Tä😀A\\/"),
            ("%41%C3%a4=41", "AäA"),
            ("&#65;&#x41;&amp;&lt;&quot;", "AA&<\""),
            (
                "100% & = \\ &#; &#xzz; %zz \\u12 \\u{",
                "100% & = \\ &#; &#xzz; %zz \\u12 \\u{",
            ),
            ("%ä\\uää", "%ä\\uää"),
        ] {
            let unescaped = Unescaped::read(text).unwrap();
            assert_eq!(unescaped.octets.len(), unescaped.places.len());
            assert_eq!(unescaped.places.last().map(|place| place.end), Some(text.len()));
            assert_eq!(String::from_utf8_lossy(&unescaped.octets), read);
        }
        assert!(Unescaped::read("plain").is_none());
    }
}
