// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets that come back: servers that do not understand a command repeat it, as it was or in pieces. Whatever a
//! server says is looked through for them, in every form in which they went out or may come back.
//!
//! [`overlap`]: pieces of them · [`readings`]: what a text says once its codes are read.

mod overlap;
mod readings;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::escapes::Unescaped;
use super::{charset, utf7};
use crate::imap::mask::overlap::Overlap;
use crate::imap::mask::readings::{as_it_is, deeper, digits_of, reread};
use crate::text;

const HIDDEN: &str = "…";
/// Fewer characters than this occur in any text by chance: they count only where they are the whole secret.
const TELLING: usize = 4;
/// What is spelled out may be spelled out once more, as a quoted string in JSON is.
const LAYERS: usize = 3;

/// Base 64 as it may have been cut anywhere, in both alphabets.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Hides secrets in texts. Copies share the secrets, which are wiped with the last of them, and learn together of those
/// that are added: a run renews its tokens long after those who write down what it hears have begun.
#[derive(Clone, Default)]
pub struct Mask(Arc<RwLock<Vec<Arc<Secret>>>>);

struct Secret {
    /// As octets, in each encoding in which it may have been sent.
    octets: Vec<Zeroizing<Vec<u8>>>,
    /// The same as hexadecimal digits.
    digits: Vec<Zeroizing<String>>,
    /// As the quoted string of a command.
    quoted: Zeroizing<String>,
    /// As text, in each form in which it may come back; the longest first.
    forms: Vec<Form>,
}

/// A form, in lower case: servers change the case of what they take for a name.
#[derive(PartialEq, Eq)]
struct Form {
    /// Its octets.
    forth: Zeroizing<Vec<u8>>,
    /// Its octets from the last to the first, to look for its end as for its beginning.
    back: Zeroizing<Vec<u8>>,
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
        Self(Arc::new(RwLock::new(
            secrets
                .map(|secret| Arc::new(Secret::new(secret, &messages)))
                .collect(),
        )))
    }

    /// Hides from now on what another mask hides, too, and so do all copies.
    pub fn add(&self, other: &Self) {
        // Copied first: the other one may be a copy of this one.
        let news = other.secrets().to_vec();
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for new in news {
            if !secrets.iter().any(|known| known.forms == new.forms) {
                secrets.push(new);
            }
        }
    }

    /// The text without the secrets.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // What is hidden first is what is known best: a part that is hidden no longer leads to the rest.
        let steps: [fn(&Secret, &str) -> Option<String>; 6] = [
            Secret::hide_joined,
            Secret::hide_coded,
            Secret::hide_forms,
            Secret::hide_spelled,
            Secret::hide_digits,
            Secret::hide_parts,
        ];
        let mut text = Cow::Borrowed(text);
        for secret in self.secrets().iter() {
            for step in steps {
                if let Some(masked) = step(secret, &text) {
                    text = Cow::Owned(masked);
                }
            }
        }
        text
    }

    /// A thread that has failed has left the list whole: it only grows, by one at a time.
    fn secrets(&self) -> RwLockReadGuard<'_, Vec<Arc<Secret>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
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
    fn new(plain: &str, messages: &[Zeroizing<String>]) -> Self {
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
            forms.insert(base64::engine::general_purpose::STANDARD.encode(octets));
            forms.insert(String::from_utf8_lossy(octets).into_owned());
        }
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

    /// The encodings that are long enough to be looked for anywhere.
    fn telling(&self) -> impl Iterator<Item = &[u8]> {
        let octets = self.octets.iter().map(|octets| octets.as_slice());
        octets.filter(|octets| octets.len() >= TELLING)
    }

    /// Hides the forms, whatever their case.
    fn hide_forms(&self, text: &str) -> Option<String> {
        let mut masked: Option<String> = None;
        for form in &self.forms {
            let current = masked.as_deref().unwrap_or(text);
            masked = hide(current, &form.forth).or(masked);
        }
        masked
    }

    /// Hides the secret where its characters are spelled out, all of them or some, once or several times over.
    fn hide_spelled(&self, text: &str) -> Option<String> {
        if !text.contains(['\\', '%', '&', '=']) {
            return None;
        }
        let mut places = vec![];
        let mut said = as_it_is(text);
        for _ in 0..=LAYERS {
            for said in [&said, &reread(&said)] {
                for secret in self.telling() {
                    places.extend(places_of(said, secret));
                }
                if self.quoted.len() >= TELLING {
                    places.extend(places_of(said, self.quoted.as_bytes()));
                }
            }
            match deeper(&said) {
                Some(next) if next.octets != said.octets => said = next,
                _ => break,
            }
        }
        hide_places(text, places)
    }

    /// Hides the secret in hexadecimal digits, with or without `0x`, blanks and colons between them.
    fn hide_digits(&self, text: &str) -> Option<String> {
        let said = digits_of(text);
        let secrets = self.digits.iter().filter(|digits| digits.len() >= 2 * TELLING);
        let places = secrets.flat_map(|digits| places_of(&said, digits.as_bytes()));
        hide_places(text, places.collect())
    }

    /// Hides a form's beginning where the text was cut off, and a form's end where a text or a word begins with it: the
    /// rest is in the line before.
    fn hide_parts(&self, text: &str) -> Option<String> {
        let said = text.to_ascii_lowercase().into_bytes();
        let mut places = self.ends(text, &said);
        places.extend(self.cut_off(text, &said).map(|at| at..text.len()));
        hide_places(text, places)
    }

    /// Where a form begins that goes on behind the text's end; `said` is the text in lower case.
    fn cut_off(&self, text: &str, said: &[u8]) -> Option<usize> {
        let starts = |form: &Form| {
            let overlap = Overlap::of(&form.forth, said.len());
            let tail = &said[said.len() - overlap.part.len()..];
            let longest = tail.iter().fold(0, |length, &octet| overlap.next(length, octet));
            overlap
                .lengths(longest)
                .map(|length| said.len() - length)
                .find(|&at| text.is_char_boundary(at))
        };
        self.forms.iter().filter_map(starts).min()
    }

    /// Where a text or a word begins with the end of a form; `said` is the text in lower case.
    fn ends(&self, text: &str, said: &[u8]) -> Vec<Range<usize>> {
        let mut places = vec![];
        for form in &self.forms {
            let overlap = Overlap::of(&form.back, said.len());
            let mut longest = 0;
            for (at, &octet) in said.iter().enumerate().rev() {
                longest = overlap.next(longest, octet);
                if longest >= TELLING && begins_word(text, at) {
                    let mut ends = overlap.lengths(longest).map(|length| at..at + length);
                    places.extend(ends.find(|end| is_telling(text, end, form.back.len())));
                }
            }
        }
        places
    }

    /// Hides the secret in base 64 whose words are in pieces, by blanks or whatever else.
    fn hide_joined(&self, text: &str) -> Option<String> {
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

/// Whether a word, or the text, begins at a place.
fn begins_word(text: &str, at: usize) -> bool {
    let before = text.get(..at);
    before.is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

/// Whether the end of a form that is `whole` octets long is there by more than chance. Passwords end in words and in
/// years, which are in many texts and names of folders: of these, it takes half of the form.
fn is_telling(text: &str, end: &Range<usize>, whole: usize) -> bool {
    let (Some(part), Some(after)) = (text.get(end.clone()), text.get(end.end..)) else {
        return false;
    };
    let is_all = end.start == 0 && after.is_empty();
    let is_number = part.chars().all(|c| c.is_ascii_digit());
    let is_word = part.chars().all(char::is_alphabetic) && !is_all;
    let is_long = 2 * part.len() >= whole;
    let is_apart = end.start == 0 || !after.starts_with(char::is_alphanumeric);
    is_apart && (is_long || !is_number && !is_word)
}

/// Where a text says this.
fn places_of(said: &Unescaped, secret: &[u8]) -> Vec<Range<usize>> {
    memchr::memmem::find_iter(&said.octets, secret)
        .map(|at| said.places[at].start..said.places[at + secret.len() - 1].end)
        .collect()
}

/// The text with these places hidden, as far as whole characters go; `None` where there are none.
fn hide_places(text: &str, mut places: Vec<Range<usize>>) -> Option<String> {
    if places.is_empty() {
        return None;
    }
    places.sort_by_key(|place| place.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        let starts = (0..=place.start).rev().find(|&at| text.is_char_boundary(at));
        let ends = (place.end..=text.len()).find(|&at| text.is_char_boundary(at));
        let (start, end) = (starts.unwrap_or(0), ends.unwrap_or(text.len()));
        if start >= from {
            out.push_str(&text[from..start]);
            out.push_str(HIDDEN);
        }
        from = from.max(end);
    }
    out.push_str(&text[from..]);
    Some(out)
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

/// Replaces a form, which is in lower case, in a text of whatever case; `None` where it is not.
fn hide(text: &str, form: &[u8]) -> Option<String> {
    if form.len() > text.len() {
        return None;
    }
    let said = text.to_ascii_lowercase();
    let places = memchr::memmem::find_iter(said.as_bytes(), form).map(|at| at..at + form.len());
    hide_places(text, places.collect())
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

    #[test]
    fn copies_learn_what_is_added_later() {
        let mask = Mask::default();
        let copy = mask.clone();
        for _ in 0..2 {
            mask.add(&Mask::new(["ya29.token"], []));
            mask.add(&copy);
        }
        assert_eq!(copy.apply("Bad ya29.token"), "Bad …");
        assert_eq!(copy.secrets().len(), 1);
    }

    #[test]
    fn a_part_is_hidden_where_the_rest_is_elsewhere() {
        let mask = Mask::new(["TopSecret77-abc"], [b"\0me\0TopSecret77-abc".as_slice()]);
        for (said, shown) in [
            ("TopSecr", "…"),
            ("* OK [ALERT] TopSecr", "* OK [ALERT] …"),
            ("et77-abc", "…"),
            ("ET77-ABC is wrong", "… is wrong"),
            ("* OK \"et77-abc\" it was", "* OK \"…\" it was"),
            ("* OK AG1lAFRvcFNl", "* OK …"),
            ("* OK Y3JldDc3LWFiYw==", "* OK …"),
            ("* OK JldDc3LWFiYw it was", "* OK … it was"),
        ] {
            assert_eq!(mask.apply(said), shown, "{said}");
        }
    }

    #[test]
    fn words_and_years_that_a_secret_ends_in_stay() {
        for (secret, text) in [
            ("Sommer2025", "Archive/2025 of 2025-01-02"),
            ("Sommer2025", "2025"),
            ("Sommer2025", "2025/Invoices"),
            ("correct-horse-mail", "the mail of ann@mail.example"),
            ("TopSecret77-abc", "the abc-abc of 77-abcd"),
        ] {
            assert_eq!(mask(secret).apply(text), text, "{secret}");
        }
    }

    #[test]
    fn base_64_in_pieces_is_hidden() {
        let mask = mask("TopSecret77-abc");
        for (said, shown) in [
            ("what is AG1lAFRvcFNl Y3JldDc3LWFiYw== ?", "what is … ?"),
            ("what is AG1l AFRv cFNl Y3Jl dDc3 LWFi Yw== ?", "what is AG1l … ?"),
            ("what is AG1lAFRvc\tFNlY3JldDc3\"LWFiYw== ?", "what is … ?"),
        ] {
            assert_eq!(mask.apply(said), shown, "{said}");
        }
    }

    #[test]
    fn what_is_spelled_out_over_and_over_is_hidden() {
        let secret = "Top\"Sec\\ret77-abc";
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let quoted = "Top\\\"Sec\\\\ret77-abc";
        for echo in [json(quoted), json(&json(secret)), json(&json(quoted))] {
            let said = mask(secret).apply(&format!("BAD {echo} ?")).into_owned();
            assert!(!said.contains("Top") && !said.contains("ret77"), "{said}");
        }
    }

    #[test]
    fn dumps_are_hidden() {
        let secret = "TopSecret77-abc";
        let spelled = |form: fn(u8) -> String| secret.bytes().map(form).collect::<Vec<String>>();
        for echo in [
            spelled(|octet| format!("\\{octet:03o}")).concat(),
            spelled(|octet| format!("{octet:02x}")).join(" "),
            spelled(|octet| format!("{octet:02X}")).join(":"),
            spelled(|octet| format!("={octet:02X}")).join("=\r\n"),
            spelled(|octet| format!("={octet:02X}")).join("=\\u{d}\\u{a}"),
            "TopSe=\r\ncret77-abc".to_owned(),
        ] {
            let said = mask(secret).apply(&format!("what is {echo} ?")).into_owned();
            assert_eq!(said, "what is … ?", "{echo}");
        }
        let echo = spelled(|octet| format!("0x{octet:02x}")).join(", ");
        assert_eq!(mask(secret).apply(&format!("what is {echo} ?")), "what is 0x… ?");
    }

    #[test]
    fn long_lines_are_looked_through_once() {
        let secret = format!("{}b", "a".repeat(2000));
        let line = "a ".repeat(8000) + &"a".repeat(8000);
        let said = mask(&secret).apply(&line).into_owned();
        assert!(said.len() < line.len(), "{}", said.len());
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
