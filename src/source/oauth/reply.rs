// SPDX-License-Identifier: GPL-3.0-or-later
//! What a provider's answers say, read as providers write them: numbers that are texts, fields that are missing, errors
//! of their own form. What is used is looked at: it goes into requests, files, and the page.

use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::http::Answer;
use crate::secret::SecretText;

/// A token that is said to be good for longer is renewed after so long: ten years.
const LONGEST_LIFE: i64 = 10 * 366 * 24 * 60 * 60;
/// A code of the device flow is good for so long, where the provider does not tell.
const USUAL_CODE_LIFE: i64 = 15 * 60;
/// The longest time in which a code has to be entered, whatever the provider says.
const LONGEST_CODE_LIFE: i64 = 24 * 60 * 60;
/// RFC 8628 section 3.2.
const USUAL_INTERVAL: u64 = 5;
/// So often the provider is asked at least.
const LONGEST_INTERVAL: u64 = 5 * 60;
/// The longest code that a person could enter.
const LONGEST_CODE: usize = 128;

/// A token (RFC 6749 section 5.1).
pub(super) struct TokenReply {
    /// The access token.
    pub access: SecretString,
    /// How many seconds it is good, where that is told.
    pub life: Option<i64>,
    /// What the next one is got with.
    pub refresh: Option<SecretString>,
}

/// An error (RFC 6749 section 5.2).
pub(super) struct ErrorReply {
    /// Its code.
    pub error: String,
    /// What the provider says about it.
    pub description: String,
}

/// A code to be entered at another device (RFC 8628 section 3.2).
pub(super) struct DeviceReply {
    /// What tokens are asked for with.
    pub device: SecretString,
    /// What the person enters.
    pub code: String,
    /// Where.
    pub address: String,
    /// The same with the code in it.
    pub whole_address: Option<String>,
    /// How many seconds the code is good.
    pub life: i64,
    /// How many seconds to wait between two questions.
    pub interval: u64,
}

impl TokenReply {
    /// Reads an answer; `None` where it holds no token that could be used.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        #[derive(Deserialize)]
        struct Reply {
            access_token: SecretText,
            #[serde(default, deserialize_with = "seconds")]
            expires_in: Option<i64>,
            #[serde(default)]
            refresh_token: Option<SecretText>,
        }
        let reply: Reply = answer.json()?;
        let refresh = reply.refresh_token.filter(|token| !token.expose().is_empty());
        let sound = |token: &str| !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic());
        if !sound(reply.access_token.expose())
            || refresh.as_ref().is_some_and(|token| !is_line(token.expose()))
        {
            return None;
        }
        Some(Self {
            access: reply.access_token.into_secret(),
            // None at all, and one in the past, tell as little as nothing.
            life: reply
                .expires_in
                .filter(|&life| life > 0)
                .map(|life| life.min(LONGEST_LIFE)),
            refresh: refresh.map(SecretText::into_secret),
        })
    }
}

impl ErrorReply {
    /// Reads an answer; `None` where it tells no error.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        #[derive(Deserialize)]
        struct Reply {
            error: Told,
            #[serde(default, deserialize_with = "text")]
            error_description: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Told {
            Code(String),
            // As Google's other interfaces tell errors.
            Parts {
                #[serde(default, deserialize_with = "text")]
                status: Option<String>,
                #[serde(default, deserialize_with = "text")]
                message: Option<String>,
            },
        }
        let reply: Reply = answer.json()?;
        let (error, message) = match reply.error {
            Told::Code(code) => (code, None),
            Told::Parts {
                status: None,
                message: None,
            } => return None,
            Told::Parts { status, message } => (status.unwrap_or_else(|| "error".to_owned()), message),
        };
        Some(Self {
            description: reply.error_description.or(message).unwrap_or_default(),
            error,
        })
        .filter(|reply| !reply.error.is_empty())
    }

    /// Whether the provider may do later what it does not do now.
    pub(super) fn is_temporary(&self) -> bool {
        ["temporarily_unavailable", "server_error"].contains(&self.error.as_str())
    }
}

impl DeviceReply {
    /// Reads an answer; `None` where it holds no code that a person could enter, and no page to enter it at.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        #[derive(Deserialize)]
        struct Reply {
            device_code: SecretText,
            user_code: String,
            #[serde(alias = "verification_url")]
            verification_uri: String,
            #[serde(default, alias = "verification_url_complete")]
            verification_uri_complete: Option<String>,
            #[serde(default, deserialize_with = "seconds")]
            expires_in: Option<i64>,
            #[serde(default, deserialize_with = "seconds")]
            interval: Option<i64>,
        }
        let reply: Reply = answer.json()?;
        let sound = is_line(&reply.user_code) && reply.user_code.len() <= LONGEST_CODE;
        if !sound || !is_page(&reply.verification_uri) || !is_line(reply.device_code.expose()) {
            return None;
        }
        let life = reply
            .expires_in
            .filter(|&life| life > 0)
            .unwrap_or(USUAL_CODE_LIFE);
        let interval = reply.interval.and_then(|interval| u64::try_from(interval).ok());
        Some(Self {
            device: reply.device_code.into_secret(),
            code: reply.user_code,
            address: reply.verification_uri,
            whole_address: reply.verification_uri_complete.filter(|address| is_page(address)),
            life: life.min(LONGEST_CODE_LIFE),
            interval: interval
                .filter(|&interval| interval > 0)
                .unwrap_or(USUAL_INTERVAL)
                .min(LONGEST_INTERVAL),
        })
    }
}

/// Whether an address may become a link: it leads to a page, and does nothing else.
fn is_page(address: &str) -> bool {
    is_line(address) && Url::parse(address).is_ok_and(|url| ["https", "http"].contains(&url.scheme()))
}

/// Whether a text is there, and is one line.
fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// A number of seconds, also as a text or with a fraction; what is none is as good as nothing.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(i64),
        Large(f64),
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Number::deserialize(deserializer)? {
        Number::Whole(seconds) => Some(seconds),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is too large becomes the largest"
        )]
        Number::Large(seconds) => Some(seconds as i64),
        Number::Text(text) => text.trim().parse().ok(),
        Number::Other(_) => None,
    })
}

/// A text; what is none is as good as nothing.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        Told(String),
        Other(IgnoredAny),
    }
    Ok(match Text::deserialize(deserializer)? {
        Text::Told(text) => Some(text),
        Text::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::secret::Zeroizing;

    fn answer(body: &[u8]) -> Answer {
        Answer {
            status: 200,
            body: Zeroizing::new(body.to_vec()),
            kind: String::new(),
            date: None,
        }
    }

    /// The answer with some fields changed; those that become null stay, those named `-` go.
    fn with(mut fields: Value, changes: Value) -> Answer {
        for (name, value) in changes.as_object().unwrap() {
            if value == "-" {
                fields.as_object_mut().unwrap().remove(name);
            } else {
                fields[name] = value.clone();
            }
        }
        answer(fields.to_string().as_bytes())
    }

    fn token(changes: Value) -> Option<TokenReply> {
        let usual = json!({"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r"});
        TokenReply::read(&with(usual, changes))
    }

    #[test]
    fn the_life_of_a_token_is_read_in_every_form() {
        for (told, life) in [
            (json!(3600), Some(3600)),
            (json!("3599"), Some(3599)),
            (json!(3599.5), Some(3599)),
            (json!(0), None),
            (json!(-5), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!([]), None),
            (json!("-"), None),
            (json!(i64::MAX), Some(LONGEST_LIFE)),
            (json!(1e300), Some(LONGEST_LIFE)),
        ] {
            let read = token(json!({"expires_in": told})).map(|reply| reply.life);
            assert_eq!(read, Some(life), "{told}");
        }
    }

    #[test]
    fn what_else_is_missing_or_odd_keeps_no_one_out() {
        for changes in [
            json!({"token_type": "-"}),
            json!({"scope": ["a", "b"]}),
            json!({"refresh_token": null, "scope": null}),
            json!({"error": null}),
        ] {
            assert!(token(changes.clone()).is_some(), "{changes}");
        }
        let empty = token(json!({"refresh_token": ""})).unwrap();
        assert!(empty.refresh.is_none());
        let marked = answer("\u{feff}{\"access_token\": \"t0ken\"}".as_bytes());
        assert!(TokenReply::read(&marked).is_some());
    }

    #[test]
    fn what_could_not_be_sent_is_no_token() {
        for bad in [
            json!({"access_token": ""}),
            json!({"access_token": "a\u{1}b"}),
            json!({"access_token": "a b"}),
            json!({"access_token": null}),
            json!({"access_token": "-"}),
            json!({"refresh_token": "a\nb"}),
        ] {
            assert!(token(bad.clone()).is_none(), "{bad}");
        }
    }

    #[test]
    fn errors_are_read_in_both_forms() {
        let read = |fields: Value| ErrorReply::read(&answer(fields.to_string().as_bytes()));
        let usual = read(json!({"error": "invalid_grant", "error_description": "gone"})).unwrap();
        assert_eq!(
            (usual.error.as_str(), usual.description.as_str()),
            ("invalid_grant", "gone")
        );
        let parts = read(json!({"error": {"code": 403, "message": "off", "status": "DENIED"}})).unwrap();
        assert_eq!(
            (parts.error.as_str(), parts.description.as_str()),
            ("DENIED", "off")
        );
        assert_eq!(
            read(json!({"error": "x", "error_description": 5}))
                .unwrap()
                .description,
            ""
        );
        assert!(read(json!({"error": "", "access_token": "t"})).is_none());
        assert!(read(json!({"error": null, "access_token": "t"})).is_none());
        assert!(read(json!([{"access_token": "t"}])).is_none());
        assert!(read(json!({"error": "server_error"})).unwrap().is_temporary());
        assert!(!read(json!({"error": "invalid_client"})).unwrap().is_temporary());
    }

    fn device(changes: Value) -> Option<DeviceReply> {
        let usual = json!({
            "device_code": "d", "user_code": "AB-CD", "verification_uri": "https://x.example/d", "expires_in": 900,
        });
        DeviceReply::read(&with(usual, changes))
    }

    #[test]
    fn codes_for_another_device_are_read_in_every_form() {
        let read = |changes| device(changes).map(|reply| (reply.life, reply.interval));
        assert_eq!(read(json!({})), Some((900, 5)));
        assert_eq!(
            read(json!({"expires_in": "600", "interval": "10"})),
            Some((600, 10))
        );
        assert_eq!(
            read(json!({"expires_in": "-", "interval": null})),
            Some((USUAL_CODE_LIFE, 5))
        );
        let huge = json!({"expires_in": i64::MAX, "interval": i64::MAX});
        assert_eq!(read(huge), Some((LONGEST_CODE_LIFE, LONGEST_INTERVAL)));
        let google = json!({"verification_uri": "-", "verification_url": "https://g.example/d"});
        assert_eq!(device(google).unwrap().address, "https://g.example/d");
    }

    #[test]
    fn an_address_that_does_something_becomes_no_link() {
        for bad in [
            json!({"verification_uri": "javascript:alert(1)"}),
            json!({"verification_uri": "data:text/html,x"}),
            json!({"verification_uri": "here"}),
            json!({"user_code": "AB\nCD"}),
            json!({"user_code": ""}),
        ] {
            assert!(device(bad.clone()).is_none(), "{bad}");
        }
        let whole = device(json!({"verification_uri_complete": "javascript:alert(1)"})).unwrap();
        assert_eq!(whole.whole_address, None);
    }
}
