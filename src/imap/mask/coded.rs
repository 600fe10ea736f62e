// SPDX-License-Identifier: GPL-3.0-or-later
//! A secret in base 64, whole or in pieces, wherever it was cut.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::places::hide_places;
use super::{HIDDEN, Secret, TELLING};

/// Base 64 as it may have been cut anywhere, in both alphabets.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Secret {
    /// Hides the secret in base 64 whose words are in pieces, by blanks or whatever else.
    pub(super) fn hide_joined(&self, text: &str) -> Option<String> {
        let coded = text
            .bytes()
            .enumerate()
            .filter(|&(_, octet)| octet != b'=' && is_coded(char::from(octet)));
        let (at, letters): (Vec<usize>, Vec<u8>) = coded.map(|(at, octet)| (at, standard(octet))).unzip();
        let letters = Zeroizing::new(letters);
        let mut places: Vec<Range<usize>> = vec![];
        for from in 0..4 {
            let Some(decoded) = decode(&letters, from) else {
                continue;
            };
            for found in self.telling().flat_map(|secret| find(&decoded, secret)) {
                // Four letters are three octets.
                let first = at[from + found.start * 4 / 3];
                let last = at[from + (found.end * 4).div_ceil(3) - 1];
                let before = places.last();
                let is_known = before.is_some_and(|place| place.contains(&first) && place.contains(&last));
                if !is_known {
                    places.push(whole_words(text, first..last + 1));
                }
            }
        }
        hide_places(text, places)
    }

    /// Hides every word of base 64 in which the secret is, wherever it was cut and whatever is around it.
    pub(super) fn hide_coded(&self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        let mut rest = text;
        let mut done = String::new();
        while let Some(start) = rest.find(is_coded) {
            let (before, tail) = rest.split_at(start);
            let end = tail.find(|c| !is_coded(c)).unwrap_or(tail.len());
            let (word, tail) = tail.split_at(end);
            done.push_str(before);
            if self.is_in(word, true) {
                done.push_str(HIDDEN);
                out = Some(String::new());
            } else {
                done.push_str(word);
            }
            rest = tail;
        }
        out.map(|_| done + rest)
    }

    /// Whether a word of base 64 holds the secret; `again` looks for such words within it.
    fn is_in(&self, word: &str, again: bool) -> bool {
        let letters = word.bytes().filter(|&octet| octet != b'=').map(standard);
        let letters: Zeroizing<Vec<u8>> = Zeroizing::new(letters.collect());
        (0..4).any(|from| {
            let Some(decoded) = decode(&letters, from) else {
                return false;
            };
            let within = || {
                let inner = std::str::from_utf8(&decoded).unwrap_or_default();
                inner.split(|c| !is_coded(c)).any(|word| self.is_in(word, false))
            };
            self.octets.iter().any(|secret| holds(&decoded, secret)) || again && within()
        })
    }
}

/// A place, with the words of base 64 that it is in.
fn whole_words(text: &str, place: Range<usize>) -> Range<usize> {
    let is_coded = |octet: &&u8| is_coded(char::from(**octet));
    let (before, after) = (&text.as_bytes()[..place.start], &text.as_bytes()[place.end..]);
    let before = before.iter().rev().take_while(is_coded).count();
    let after = after.iter().take_while(is_coded).count();
    place.start - before..place.end + after
}

/// What letters of base 64 say from one of them on; `None` where they are too few.
fn decode(letters: &[u8], from: usize) -> Option<Zeroizing<Vec<u8>>> {
    let part = letters.get(from..).filter(|part| part.len() >= 2)?;
    // A single letter at the end tells less than an octet.
    let part = match part.len() % 4 {
        1 => &part[..part.len() - 1],
        _ => part,
    };
    LENIENT.decode(part).map(Zeroizing::new).ok()
}

/// A letter of another alphabet of base 64 in the usual one.
fn standard(octet: u8) -> u8 {
    match octet {
        b'-' => b'+',
        b'_' | b',' => b'/',
        octet => octet,
    }
}

/// Whether a character may be one of base 64.
fn is_coded(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | ',' | '=')
}

/// Whether octets hold a secret, or a part of it that goes on before or behind them.
fn holds(octets: &[u8], secret: &[u8]) -> bool {
    if secret.len() < TELLING {
        let last = octets.rsplit(|&octet| octet == 0).next();
        return last == Some(secret);
    }
    !find(octets, secret).is_empty()
}

/// Where octets hold a secret, end in its beginning or begin with its end.
fn find(octets: &[u8], secret: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = memchr::memmem::find_iter(octets, secret)
        .map(|at| at..at + secret.len())
        .collect();
    let mut lengths = (TELLING..secret.len().min(octets.len() + 1)).rev();
    let beginning = lengths
        .clone()
        .find(|&length| octets.ends_with(&secret[..length]));
    found.extend(beginning.map(|length| octets.len() - length..octets.len()));
    let end = lengths.find(|&length| octets.starts_with(&secret[secret.len() - length..]));
    found.extend(end.map(|length| 0..length));
    found
}
