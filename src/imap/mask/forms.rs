// SPDX-License-Identifier: GPL-3.0-or-later
//! The forms in which a secret may come back.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

use super::{Secret, TELLING};
use crate::imap::{charset, utf7};
use crate::text;

/// A form, in lower case: servers change the case of what they take for a name.
#[derive(PartialEq, Eq)]
pub(super) struct Form {
    /// Its octets.
    pub(super) forth: Zeroizing<Vec<u8>>,
    /// Its octets from the last to the first, to look for its end as for its beginning.
    pub(super) back: Zeroizing<Vec<u8>>,
}

impl Form {
    fn new(text: &str) -> Self {
        let forth = text.to_ascii_lowercase().into_bytes();
        let back = forth.iter().rev().copied().collect();
        Self {
            forth: Zeroizing::new(forth),
            back: Zeroizing::new(back),
        }
    }
}

impl Secret {
    pub(super) fn new(plain: &str, messages: &[Zeroizing<String>]) -> Self {
        let mut octets = vec![Zeroizing::new(plain.as_bytes().to_vec())];
        let composed = Zeroizing::new(charset::composed(plain).as_bytes().to_vec());
        for other in [Some(composed), charset::latin1(plain)].into_iter().flatten() {
            if !octets.contains(&other) {
                octets.push(other);
            }
        }
        let digits = octets.iter().map(|octets| Zeroizing::new(hexadecimal(octets)));
        let digits: Vec<Zeroizing<String>> = digits.collect();
        let quoted = Zeroizing::new(plain.replace('\\', "\\\\").replace('"', "\\\""));
        let mut forms: BTreeSet<String> = [
            plain.to_owned(),
            plain.to_lowercase(),
            plain.to_uppercase(),
            plain.trim().to_owned(),
            text::printable(plain).into_owned(),
            // Octets that are no UTF-8, as they are read here.
            plain.replace(|c: char| !c.is_ascii(), "\u{fffd}"),
            quoted.to_string(),
            plain
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;"),
            utf7::encode(plain),
            serde_json::Value::from(plain)
                .to_string()
                .trim_matches('"')
                .to_owned(),
        ]
        .into();
        for octets in &octets {
            forms.insert(percent(octets, false));
            forms.insert(percent(octets, true));
            forms.insert(percent(octets, false).replace("%20", "+"));
            forms.insert(hexadecimal(octets));
            forms.insert(STANDARD.encode(octets));
            forms.insert(String::from_utf8_lossy(octets).into_owned());
            // Read as Latin-1, and written as UTF-8 once more.
            let misread: String = octets.iter().copied().map(char::from).collect();
            forms.insert(text::printable(&misread).into_owned());
            forms.insert(misread);
        }
        for wide in [u16::to_le_bytes, u16::to_be_bytes] {
            let octets: Vec<u8> = plain.encode_utf16().flat_map(wide).collect();
            forms.insert(STANDARD.encode(octets));
        }
        let spaced: Vec<String> = plain.chars().map(String::from).collect();
        forms.insert(spaced.join(" "));
        forms.extend(messages.iter().map(|message| message.to_string()));
        let mut forms: Vec<String> = forms
            .into_iter()
            .filter(|form| form.len() >= TELLING || form == plain)
            .map(|form| form.to_ascii_lowercase())
            .collect();
        forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        forms.dedup();
        Self {
            octets,
            digits,
            quoted,
            forms: forms.iter().map(|form| Form::new(form)).collect(),
        }
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// As in the address of a page; `all` also spells out what need not be.
fn percent(octets: &[u8], all: bool) -> String {
    octets
        .iter()
        .map(|&octet| match octet {
            plain if !all && (plain.is_ascii_alphanumeric() || b"-._~".contains(&plain)) => {
                char::from(plain).to_string()
            }
            octet => format!("%{octet:02X}"),
        })
        .collect()
}
