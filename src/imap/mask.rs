// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets that come back: servers that do not understand a command repeat it, as it was or in pieces. Whatever a
//! server says is looked through for them, in every form in which they went out or may come back.
//!
//! [`forms`]: in which a secret may come back · [`coded`]: in base 64 · [`parts`]: cut off, with the help of `overlap`
//! · [`readings`]: what a text says once its codes are read · [`places`]: what of a text is hidden.

mod coded;
mod forms;
mod overlap;
mod parts;
mod places;
mod readings;

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

use self::forms::Form;
use self::places::{hide, hide_places, places_of};
use self::readings::{as_it_is, deeper, digits_of, reread};

const HIDDEN: &str = "…";
/// Fewer characters than this occur in any text by chance: they count only where they are the whole secret.
const TELLING: usize = 4;
/// What is spelled out may be spelled out once more, as a quoted string in JSON is.
const LAYERS: usize = 3;

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

impl Mask {
    /// Hides these secrets, and these messages that held them, which travel in base 64.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = &'a str>,
        messages: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let messages: Vec<Zeroizing<String>> = messages
            .into_iter()
            .map(|message| Zeroizing::new(STANDARD.encode(message)))
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

impl Secret {
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
        let code = |octets: &[u8]| STANDARD.encode(octets);
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
            secret.bytes().map(char::from).collect(),
            secret
                .chars()
                .map(|c| format!("{c} "))
                .collect::<String>()
                .trim()
                .to_owned(),
            STANDARD.encode(
                secret
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<u8>>(),
            ),
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
        let code = |text: &str| STANDARD.encode(text);
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
            let code = STANDARD.encode(format!("{before}{secret}{after}"));
            let said = mask(&secret).apply(&format!("? {code} ?")).into_owned();
            prop_assert_eq!(said, "? … ?");
            let said = mask(&secret).apply(&format!("?{before}{secret}{after}?")).into_owned();
            prop_assert!(!said.contains(&secret), "{}", said);
        }
    }
}
