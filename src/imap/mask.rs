// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets that come back: servers that do not understand a command repeat it, as it was or in pieces. Whatever a
//! server says is looked through for them, in every form in which they went out or may come back.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::escapes::Unescaped;
use super::{charset, utf7};
use crate::text;

const HIDDEN: &str = "…";
/// Fewer characters than this are in any text by chance: they count only where they are the whole.
const TELLING: usize = 4;

/// Base 64 as it may have been cut anywhere, in both alphabets.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Hides secrets in texts. Copies share the secrets, which are wiped with the last of them.
#[derive(Clone, Default)]
pub struct Mask(Arc<Vec<Secret>>);

struct Secret {
    /// As octets, in each encoding in which it may have been sent.
    octets: Vec<Zeroizing<Vec<u8>>>,
    /// As text, in each form in which it may come back; the longest first.
    forms: Vec<Zeroizing<String>>,
}

impl Mask {
    /// Hides these secrets, and these messages that held them, which travel in base 64.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = &'a str>,
        messages: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let messages: Vec<Zeroizing<String>> = messages
            .into_iter()
            .map(|message| Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(message)))
            .collect();
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
        Self(Arc::new(
            secrets.map(|secret| Secret::new(secret, &messages)).collect(),
        ))
    }

    /// The text without the secrets.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if let Some(masked) = secret.hide_coded(&text) {
                text = Cow::Owned(masked);
            }
            if let Some(masked) = secret.hide_forms(&text) {
                text = Cow::Owned(masked);
            }
            if let Some(masked) = secret.hide_spelled(&text) {
                text = Cow::Owned(masked);
            }
        }
        text
    }
}

impl Secret {
    fn new(plain: &str, messages: &[Zeroizing<String>]) -> Self {
        let mut octets = vec![Zeroizing::new(plain.as_bytes().to_vec())];
        let composed = Zeroizing::new(charset::composed(plain).as_bytes().to_vec());
        for other in [Some(composed), charset::latin1(plain)].into_iter().flatten() {
            if !octets.contains(&other) {
                octets.push(other);
            }
        }
        let mut forms: BTreeSet<String> = [
            plain.to_owned(),
            plain.to_lowercase(),
            plain.to_uppercase(),
            plain.trim().to_owned(),
            text::printable(plain).into_owned(),
            // Octets that are no UTF-8, as they are read here.
            plain.replace(|c: char| !c.is_ascii(), "\u{fffd}"),
            plain.replace('\\', "\\\\").replace('"', "\\\""),
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
            forms.insert(octets.iter().map(|octet| format!("{octet:02x}")).collect());
            forms.insert(base64::engine::general_purpose::STANDARD.encode(octets));
            forms.insert(String::from_utf8_lossy(octets).into_owned());
        }
        forms.extend(messages.iter().map(|message| message.to_string()));
        let mut forms: Vec<String> = forms
            .into_iter()
            .filter(|form| form.len() >= TELLING || form == plain)
            .collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self {
            octets,
            forms: forms.into_iter().map(Zeroizing::new).collect(),
        }
    }

    /// Hides the forms, whatever their case, and the beginning of one where the text was cut off.
    fn hide_forms(&self, text: &str) -> Option<String> {
        let mut masked: Option<String> = None;
        for form in &self.forms {
            let current = masked.as_deref().unwrap_or(text);
            masked = hide(current, form).or(masked);
        }
        let current = masked.as_deref().unwrap_or(text);
        match self.cut_off(current) {
            Some(at) => Some(format!("{}{HIDDEN}", current.get(..at).unwrap_or_default())),
            None => masked,
        }
    }

    /// Hides the secret where its characters are spelled out, all of them or some.
    fn hide_spelled(&self, text: &str) -> Option<String> {
        let said = Unescaped::read(text)?;
        let places = self.octets.iter().filter(|secret| secret.len() >= TELLING);
        let hidden = places.flat_map(|secret| {
            memchr::memmem::find_iter(&said.octets, secret.as_slice())
                .map(|at| said.places[at].start..said.places[at + secret.len() - 1].end)
        });
        let mut hidden: Vec<Range<usize>> = hidden.collect();
        hidden.sort_by_key(|place| place.start);
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for place in &hidden {
            if place.start >= from {
                out.push_str(text.get(from..place.start)?);
                out.push_str(HIDDEN);
                from = place.end;
            }
        }
        out.push_str(text.get(from..)?);
        (!hidden.is_empty()).then_some(out)
    }

    /// Where a form begins that goes on behind the text's end.
    fn cut_off(&self, text: &str) -> Option<usize> {
        let starts = |form: &str| {
            let longest = form.len().min(text.len());
            (TELLING..longest).rev().find_map(|length| {
                let at = text.len() - length;
                let (end, beginning) = (text.get(at..)?, form.get(..length)?);
                end.eq_ignore_ascii_case(beginning).then_some(at)
            })
        };
        self.forms.iter().filter_map(|form| starts(form)).min()
    }

    /// Hides every word of base 64 in which the secret is, wherever it was cut and whatever is around it.
    fn hide_coded(&self, text: &str) -> Option<String> {
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
        let standard: Zeroizing<String> = Zeroizing::new(
            word.chars()
                .filter(|&c| c != '=')
                .map(|c| match c {
                    '-' => '+',
                    '_' | ',' => '/',
                    c => c,
                })
                .collect(),
        );
        (0..4).any(|from| {
            let Some(part) = standard.get(from..).filter(|part| part.len() >= 2) else {
                return false;
            };
            // A single character at the end tells less than an octet.
            let part = match part.len() % 4 {
                1 => &part[..part.len() - 1],
                _ => part,
            };
            let Ok(decoded) = LENIENT.decode(part).map(Zeroizing::new) else {
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

/// Whether a character may be one of base 64.
fn is_coded(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | ',' | '=')
}

/// Whether octets hold a secret, or end in the beginning of it.
fn holds(octets: &[u8], secret: &[u8]) -> bool {
    if secret.len() < TELLING {
        let last = octets.rsplit(|&octet| octet == 0).next();
        return last == Some(secret);
    }
    memchr::memmem::find(octets, secret).is_some()
        || (TELLING..secret.len()).any(|length| octets.ends_with(&secret[..length]))
}

/// Replaces `form` in a text, whatever its case; `None` where it is not.
fn hide(text: &str, form: &str) -> Option<String> {
    let (haystack, needle) = (text.to_ascii_lowercase(), form.to_ascii_lowercase());
    let mut out = None;
    let mut from = 0;
    for (at, found) in haystack.match_indices(needle.as_str()) {
        let out = out.get_or_insert_with(String::new);
        out.push_str(&text[from..at]);
        out.push_str(HIDDEN);
        from = at + found.len();
    }
    out.map(|out| out + &text[from..])
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(secret: &str) -> Mask {
        Mask::new([secret], [])
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let secret = "Top\"Sec\\ret§77";
        let latin1: Vec<u8> = secret
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        let code = |octets: &[u8]| base64::engine::general_purpose::STANDARD.encode(octets);
        for echo in [
            secret.to_owned(),
            secret.to_uppercase(),
            "Top\\\"Sec\\\\ret§77".to_owned(),
            "Top%22Sec%5Cret%C2%A777".to_owned(),
            String::from_utf8_lossy(&latin1).into_owned(),
            code(secret.as_bytes()),
            code(&latin1),
            code(format!("\0me\0{secret}").as_bytes()),
            code(code(secret.as_bytes()).as_bytes()),
            code(format!("me\0admin\0{secret}").as_bytes()),
            code(format!("user=me\x01auth=Bearer {secret}\x01\x01").as_bytes()),
        ] {
            let said = mask(secret).apply(&format!("BAD what is {echo} ?")).into_owned();
            assert_eq!(said, "BAD what is … ?", "{echo}");
            let cut: String = format!("BAD {echo}")
                .chars()
                .take(4 + echo.chars().count() * 3 / 4)
                .collect();
            let said = mask(secret).apply(&cut).into_owned();
            assert!(said == "BAD …", "{cut}: {said}");
        }
    }

    #[test]
    fn a_secret_is_hidden_where_it_is_spelled_out() {
        let secret = "Pä§ s\"cret\\77";
        let units = |form: fn(u32) -> String| secret.chars().map(|c| form(u32::from(c))).collect::<String>();
        for echo in [
            units(|c| format!("\\u{c:04x}")),
            units(|c| format!("\\u{{{c:x}}}")),
            units(|c| format!("&#{c};")),
            units(|c| format!("&#x{c:X};")),
            secret.bytes().map(|octet| format!("={octet:02X}")).collect(),
            "P\\u00e4\\u00a7 s\\\"cret\\\\77".to_owned(),
            "P%C3%A4%C2%A7+s%22cret%5C77".to_owned(),
            "P&#228;§ s&quot;cret\\77".to_owned(),
            secret.to_uppercase(),
        ] {
            let said = mask(secret).apply(&format!("BAD what is {echo} ?")).into_owned();
            assert_eq!(said, "BAD what is … ?", "{echo}");
        }
        let other = "NO 100% wrong &amp; = \\u0041 77";
        assert_eq!(mask(secret).apply(other), other);
    }

    #[test]
    fn what_is_no_secret_stays() {
        let text = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure) for ann@example.com";
        for secret in ["hunter2", "pä", "x", "secret1"] {
            let expected = text.replace('x', if secret == "x" { HIDDEN } else { "x" });
            assert_eq!(mask(secret).apply(text), expected);
        }
        assert_eq!(Mask::default().apply(text), text);
    }

    #[test]
    fn short_secrets_are_hidden_where_they_are_the_whole() {
        let code = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        assert_eq!(mask("p").apply(&format!("? {}", code("\0me\0p"))), "? …");
        assert_eq!(mask("pw").apply("LOGIN me pw"), "LOGIN me …");
    }

    proptest! {
        #[test]
        fn no_alignment_shows_a_secret(before in "[a-z]{0,5}", secret in "[ -~]{4,20}", after in "[a-z]{0,5}") {
            let code = base64::engine::general_purpose::STANDARD.encode(format!("{before}{secret}{after}"));
            let said = mask(&secret).apply(&format!("? {code} ?")).into_owned();
            prop_assert_eq!(said, "? … ?");
            let said = mask(&secret).apply(&format!("?{before}{secret}{after}?")).into_owned();
            prop_assert!(!said.contains(&secret), "{}", said);
        }
    }
}
