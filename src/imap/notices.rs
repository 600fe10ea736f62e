// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server wants people to read, and what no one may: its alerts are collected, the secret that it was told is
//! hidden in all its words.

use std::sync::{Arc, Mutex};

use super::mask::Mask;
use super::response::{Code, Response, StatusLine, Untagged};

/// How many alerts of one server are kept.
const MOST_ALERTS: usize = 20;

/// Texts that a server asks to show to people: `ALERT` (RFC 3501, 7.1), `WEBALERT` with the page to go to (Gmail),
/// `REFERRAL` with the server to go to (RFC 2221). Copies share them, so that all connections of an account fill one.
#[derive(Clone, Debug, Default)]
pub struct Alerts(Arc<Mutex<Vec<String>>>);

impl Alerts {
    /// What there is by now, each text once.
    pub fn texts(&self) -> Vec<String> {
        self.0.lock().map(|texts| texts.clone()).unwrap_or_default()
    }

    fn add(&self, text: String) {
        if let Ok(mut texts) = self.0.lock()
            && texts.len() < MOST_ALERTS
            && !texts.contains(&text)
        {
            texts.push(text);
        }
    }
}

/// Listens to all that a server says.
#[derive(Clone, Default)]
pub struct Notices {
    mask: Mask,
    alerts: Alerts,
}

impl Notices {
    /// Hides with `mask`, and collects in `alerts`.
    pub fn new(mask: Mask, alerts: Alerts) -> Self {
        Self { mask, alerts }
    }

    /// Hides secrets in words for people, and notes alerts.
    pub fn hear(&self, response: &mut Response) {
        match response {
            Response::Tagged { status, .. } | Response::Untagged(Untagged::Status(status)) => {
                self.status(status)
            }
            Response::Untagged(Untagged::Id(fields)) => {
                for (_, value) in fields {
                    *value = self.mask.apply(value).into_owned();
                }
            }
            Response::Untagged(_) | Response::Continue(_) => {}
        }
    }

    /// A text of a server without the secret.
    pub fn masked(&self, text: &str) -> String {
        self.mask.apply(text).into_owned()
    }

    fn status(&self, status: &mut StatusLine) {
        status.text = self.masked(&status.text);
        if let Some(Code::Other(code)) = &mut status.code {
            *code = self.masked(code);
        }
        if ["ALERT", "WEBALERT", "REFERRAL"]
            .iter()
            .any(|code| status.has_code(code))
        {
            let code = match &status.code {
                Some(Code::Other(code)) if code != "ALERT" => format!("[{code}] "),
                _ => String::new(),
            };
            self.alerts.add(format!("{code}{}", status.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::scan::Raw;

    fn hear(notices: &Notices, line: &str) -> Response {
        let mut response = Response::parse(Raw {
            text: line.as_bytes().to_vec(),
            literals: vec![],
        });
        notices.hear(&mut response);
        response
    }

    #[test]
    fn alerts_are_collected_once_with_their_pages() {
        let alerts = Alerts::default();
        let notices = Notices::new(Mask::new(["s3cret"], []), alerts.clone());
        for line in [
            "* OK [ALERT] The server goes down at ten.",
            "* OK [ALERT] The server goes down at ten.",
            "* NO [WEBALERT https://accounts.example/s3cret?q=A] Web login required.",
            "A1 NO [REFERRAL imap://ann@new.example/] Moved.",
            "A2 OK [READ-ONLY] done",
        ] {
            hear(&notices, line);
        }
        assert_eq!(
            alerts.texts(),
            [
                "The server goes down at ten.",
                "[WEBALERT https://accounts.example/…?q=A] Web login required.",
                "[REFERRAL imap://ann@new.example/] Moved.",
            ]
        );
    }

    #[test]
    fn nothing_a_server_says_shows_the_secret() {
        let notices = Notices::new(Mask::new(["s3cret"], []), Alerts::default());
        for line in [
            "* OK s3cret ready",
            "* BYE AHVzZXIAczNjcmV0",
            "A1 BAD [X-s3cret] what is s3cret",
            "* ID (\"name\" \"s3cret\")",
        ] {
            let heard = format!("{:?}", hear(&notices, line));
            assert!(
                !heard.contains("s3cret") && !heard.contains("czNjcmV0"),
                "{heard}"
            );
        }
    }
}
