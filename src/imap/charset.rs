// SPDX-License-Identifier: GPL-3.0-or-later
//! Names and passwords beyond ASCII, as the octets that servers compare. An umlaut is one character or two, depending
//! on the keyboard, and a different octet in Latin-1.

use icu_normalizer::ComposingNormalizerBorrowed;
use secrecy::zeroize::Zeroizing;

/// The text with each character in one piece where there is such a one (Unicode's form NFC).
pub(super) fn composed(text: &str) -> Zeroizing<String> {
    Zeroizing::new(
        ComposingNormalizerBorrowed::new_nfc()
            .normalize(text)
            .into_owned(),
    )
}

/// The text in Latin-1, whichever form it came in; `None` where that lacks a character.
pub(super) fn latin1(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let composed = composed(text);
    let mut octets = Zeroizing::new(Vec::with_capacity(composed.len()));
    for character in composed.chars() {
        octets.push(u8::try_from(u32::from(character)).ok()?);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_umlaut_become_the_same() {
        assert_eq!(composed("u\u{308}§").as_str(), "ü§");
        assert_eq!(latin1("u\u{308}§").unwrap().as_slice(), [0xfc, 0xa7]);
        assert_eq!(latin1("ü§").unwrap().as_slice(), [0xfc, 0xa7]);
        assert!(latin1("日本語").is_none());
    }
}
