// SPDX-License-Identifier: GPL-3.0-or-later
//! What a text says when its escapes and codes are read, and which of its characters say it.

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

use crate::imap::escapes::Unescaped;

/// A text before anything in it is read as an escape.
pub(super) fn as_it_is(text: &str) -> Unescaped {
    Unescaped {
        octets: Zeroizing::new(text.as_bytes().to_vec()),
        places: (0..text.len()).map(|at| at..at + 1).collect(),
    }
}

/// What a text says whose escapes stand for escapes; `None` where there are none.
pub(super) fn deeper(said: &Unescaped) -> Option<Unescaped> {
    let inner = Unescaped::read(std::str::from_utf8(&said.octets).ok()?)?;
    let place = |inner: &Range<usize>| said.places[inner.start].start..said.places[inner.end - 1].end;
    Some(Unescaped {
        places: inner.places.iter().map(place).collect(),
        octets: inner.octets,
    })
}

/// Reads octal escapes, and leaves out the line ends that quoted-printable puts in: neither means anything elsewhere.
pub(super) fn reread(said: &Unescaped) -> Unescaped {
    let mut octets = Zeroizing::new(Vec::with_capacity(said.octets.len()));
    let mut places = Vec::with_capacity(said.places.len());
    let mut at = 0;
    while let Some(&first) = said.octets.get(at) {
        let (octet, length) = match &said.octets[at..] {
            [b'=', b'\r', b'\n', ..] => (None, 3),
            [b'=', b'\n', ..] => (None, 2),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                (Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0')), 4)
            }
            _ => (Some(first), 1),
        };
        if let Some(octet) = octet {
            octets.push(octet);
            places.push(said.places[at].start..said.places[at + length - 1].end);
        }
        at += length;
    }
    Unescaped { octets, places }
}

/// The hexadecimal digits of a text, joined over what stands between the octets of a dump.
pub(super) fn digits_of(text: &str) -> Unescaped {
    let bytes = text.as_bytes();
    let mut octets = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut places = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&octet) = bytes.get(at) {
        let length = match &bytes[at..] {
            [b'0' | b'\\', b'x' | b'X', ..] => 2,
            [b' ' | b'\t' | b',' | b':' | b';' | b'-' | b'.', ..] => 1,
            _ => {
                // No digit parts what is before it from what comes after.
                octets.push(match octet {
                    digit if digit.is_ascii_hexdigit() => digit.to_ascii_lowercase(),
                    _ => 0,
                });
                places.push(at..at + 1);
                1
            }
        };
        at += length;
    }
    Unescaped { octets, places }
}
