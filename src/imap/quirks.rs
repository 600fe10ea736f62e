// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers that go their own way: one named case each, with its source. What a capability says does not belong here.

use std::time::Duration;

use super::status::StatusLine;

/// Words by which a server says what it could say by a response code (RFC 5530, RFC 9208).
struct Phrase {
    /// In lower case.
    words: &'static str,
    /// Who says so, and where that is written.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and the test"))]
    source: &'static str,
}

const fn phrase(words: &'static str, source: &'static str) -> Phrase {
    Phrase { words, source }
}

/// "Not now, but later": a client that goes on gets less and less.
const THROTTLING: [Phrase; 5] = [
    phrase(
        "request is throttled",
        "Exchange, BAD with a suggested back-off time: imapsync FAQ.d/FAQ.Exchange.txt",
    ),
    phrase(
        "user is authenticated but not connected",
        "Exchange, after a successful login, while its store is overloaded: imapsync FAQ.d/FAQ.Exchange.txt",
    ),
    phrase(
        "exceeded command or bandwidth limit",
        "Gmail, with the code OVERQUOTA though no mailbox is full: support.google.com/a/answer/1071518",
    ),
    phrase(
        "too many simultaneous connections",
        "Gmail, more than 15 connections: support.google.com/mail/answer/7126229",
    ),
    phrase("throttl", "RFC 5530's kin in plain words, of many hosters"),
];

/// A login that is refused for another reason than its password.
const TURNED_AWAY: [Phrase; 4] = [
    phrase(
        "maximum number of connections from user+ip exceeded",
        "Dovecot 2.3.19, login-common: doc.dovecot.org, mail_max_userip_connections",
    ),
    phrase(
        "too many open connections",
        "Cyrus 3.6.1, imapd: imapd.conf(5), maxlogins_per_host and maxlogins_per_user",
    ),
    phrase(
        "too many",
        "Gmail, Courier (MAXPERIP), Zimbra and others, in their own words",
    ),
    phrase(
        "temporary",
        "RFC 5530 has UNAVAILABLE for it; Dovecot before 2.0 and others say it in words",
    ),
];

/// A mailbox that is full.
const FULL: [Phrase; 5] = [
    phrase(
        "quota exceeded",
        "Dovecot 2.3.19, plugin/quota_exceeded_message: doc.dovecot.org",
    ),
    phrase(
        "over quota",
        "Cyrus 3.6.1, libcyrus_imap: imap_err.et, IMAP_QUOTA_EXCEEDED",
    ),
    phrase("exceeded your mail quota", "Courier-IMAP 5.0.13, imapd"),
    phrase("quota has been exceeded", "hMailServer, IMAPCommandAppend.cpp"),
    phrase("mailbox is full", "hosters, in their own words"),
];

impl StatusLine {
    fn says(&self, phrases: &[Phrase]) -> bool {
        let text = self.text.to_ascii_lowercase();
        phrases.iter().any(|phrase| text.contains(phrase.words))
    }

    /// Whether the server asks to slow down.
    pub fn is_throttled(&self) -> bool {
        self.has_code("THROTTLED") || self.says(&THROTTLING)
    }

    /// Whether the server may do later what it refuses now.
    pub fn is_temporary(&self) -> bool {
        ["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN"]
            .iter()
            .any(|code| self.has_code(code))
            || self.is_throttled()
            || self.says(&TURNED_AWAY)
    }

    /// Whether the mailbox is full. Gmail says OVERQUOTA too when it throttles.
    pub fn is_over_quota(&self) -> bool {
        (self.has_code("OVERQUOTA") || self.says(&FULL)) && !self.says(&THROTTLING)
    }
}

/// How long the server asks to be left alone. Exchange: `BAD Request is throttled. Suggested Backoff Time: 92415
/// milliseconds` (imapsync FAQ.d/FAQ.Exchange.txt).
pub fn suggested_pause(text: &str) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(300);
    let lower = text.to_ascii_lowercase();
    let (_, rest) = lower.split_once("suggested backoff time:")?;
    let mut words = rest.split_ascii_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let unit = words.next().unwrap_or("milliseconds");
    let pause = if unit.starts_with("sec") {
        Duration::from_secs(number)
    } else {
        Duration::from_millis(number)
    };
    Some(pause.min(LONGEST))
}

/// What servers offer, for the tests of what is done without: their greeting or CAPABILITY as published.
#[cfg(test)]
pub(super) mod offers {
    /// Gmail: developers.google.com/workspace/gmail/imap/imap-extensions, and what it answers after the login.
    pub(crate) const GMAIL: &str = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS \
        COMPRESS=DEFLATE ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE";
    /// Exchange Online, after the login.
    pub(crate) const EXCHANGE: &str = "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+";
    /// Courier: IMAP_CAPABILITY in imapd.dist.
    pub(crate) const COURIER: &str =
        "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE";
    /// hMailServer: no UIDPLUS, no LITERAL+ (IMAPCommandCapability.cpp).
    pub(crate) const HMAILSERVER: &str = "IMAP4 IMAP4rev1 CHILDREN IDLE QUOTA SORT ACL NAMESPACE RIGHTS=texk";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::capability::{Capabilities, Literals};
    use crate::imap::response::Response;
    use crate::imap::scan::Raw;

    fn answer(text: &str) -> StatusLine {
        let raw = Raw {
            text: format!("A1 {text}").into_bytes(),
            literals: vec![],
        };
        match Response::parse(raw) {
            Response::Tagged { status, .. } => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_phrase_has_a_source_and_is_found() {
        for phrase in THROTTLING.iter().chain(&TURNED_AWAY).chain(&FULL) {
            assert!(!phrase.source.is_empty());
            assert_eq!(phrase.words, phrase.words.to_ascii_lowercase());
        }
    }

    #[test]
    fn exchange_throttles_in_words() {
        let said = answer("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds");
        assert!(said.is_throttled());
        assert_eq!(suggested_pause(&said.text), Some(Duration::from_millis(92_415)));
        assert!(answer("BAD User is authenticated but not connected.").is_throttled());
        assert_eq!(
            suggested_pause("Suggested Backoff Time: 99999999 milliseconds"),
            Some(Duration::from_secs(300))
        );
        assert_eq!(suggested_pause("Suggested Backoff Time: soon"), None);
    }

    #[test]
    fn gmail_throttles_under_the_name_of_a_full_mailbox() {
        let said = answer("NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)");
        assert!(said.is_throttled() && !said.is_over_quota());
        let said = answer("NO [ALERT] Too many simultaneous connections. (Failure)");
        assert!(said.is_throttled());
    }

    #[test]
    fn full_mailboxes_are_told_from_slow_servers() {
        for text in [
            "NO [OVERQUOTA] Quota exceeded (mailbox for user is full)",
            "NO Over quota",
            "NO [ALERT] You exceeded your mail quota.",
            "NO Your quota has been exceeded.",
            "NO Your mailbox is full",
        ] {
            assert!(
                answer(text).is_over_quota() && !answer(text).is_throttled(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_password_is_no_trouble_of_the_server() {
        for text in [
            "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
            "NO LOGIN failed.",
            "NO Login failed.",
        ] {
            assert!(!answer(text).is_temporary(), "{text}");
        }
        for text in [
            "NO Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            "NO [UNAVAILABLE] Temporary authentication failure.",
            "NO Too many open connections",
        ] {
            assert!(answer(text).is_temporary(), "{text}");
        }
    }

    #[test]
    fn literals_are_sent_as_each_server_takes_them() {
        let literals = |text| Capabilities::parse(text).literals();
        assert_eq!(literals(offers::GMAIL), Literals::Minus);
        assert_eq!(literals(offers::EXCHANGE), Literals::Plus);
        assert_eq!(literals(offers::COURIER), Literals::Synchronizing);
        assert_eq!(literals(offers::HMAILSERVER), Literals::Synchronizing);
    }
}
