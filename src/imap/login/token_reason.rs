// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a server does not take a token: what it says as JSON within the dialogue (RFC 7628, 3.2.2, and XOAUTH2), in words.

use serde_json::{Map, Value};

use crate::text;

/// The longest text of a server that is repeated.
const LONGEST: usize = 200;

/// What a challenge says that carries an error, in one line; `None` where it carries none.
pub(super) fn in_words(challenge: &str) -> Option<String> {
    let challenge = challenge.trim();
    if !challenge.starts_with('{') {
        return None;
    }
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(challenge) else {
        return Some(short(challenge));
    };
    let field = |name: &str| match fields.get(name) {
        Some(Value::String(told)) => short(told),
        Some(Value::Number(told)) => told.to_string(),
        _ => String::new(),
    };
    let (status, scope) = (field("status"), field("scope"));
    let meaning = match status.as_str() {
        "400" | "invalid_request" => "the token is not valid, or is for another mailbox",
        "401" | "invalid_token" => "the token has expired, was taken back, or is not meant for this server",
        "403" | "insufficient_scope" => "the token does not allow this",
        _ => "the token is not accepted",
    };
    let mut details = vec![];
    if !status.is_empty() {
        details.push(format!("status {status}"));
    }
    if !scope.is_empty() {
        details.push(format!("the server expects the scope {scope}"));
    }
    match details.is_empty() {
        true => Some(meaning.to_owned()),
        false => Some(format!("{meaning}: {}", details.join(", "))),
    }
}

fn short(told: &str) -> String {
    text::printable(told).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialogues_are_told_in_words() {
        for (challenge, words) in [
            (
                r#"{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}"#,
                "the token has expired, was taken back, or is not meant for this server: status 401, the server expects \
                 the scope https://mail.google.com/",
            ),
            (
                r#" {"status":"insufficient_scope","scope":"mail"}"#,
                "the token does not allow this: status insufficient_scope, the server expects the scope mail",
            ),
            (
                r#"{"status":400}"#,
                "the token is not valid, or is for another mailbox: status 400",
            ),
            (r#"{"schemes":"bearer"}"#, "the token is not accepted"),
            ("{what", "{what"),
        ] {
            assert_eq!(in_words(challenge).as_deref(), Some(words));
        }
        assert_eq!(in_words("r=nonce,s=salt"), None);
        assert_eq!(in_words(""), None);
    }

    #[test]
    fn no_line_can_be_forged() {
        let forged = "{\"status\":\"401\\nHost1: all is well\"}";
        for challenge in [forged, "{\nHost1: all is well"] {
            assert!(!in_words(challenge).unwrap().contains('\n'));
        }
        let long = format!(r#"{{"status":"{}"}}"#, "x".repeat(10_000));
        assert!(in_words(&long).unwrap().len() < 300);
    }
}
