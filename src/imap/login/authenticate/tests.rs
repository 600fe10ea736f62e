// SPDX-License-Identifier: GPL-3.0-or-later

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::*;
use crate::imap::login::Encryption;
use crate::imap::notices::Alerts;
use crate::imap::script::converse;
use crate::imap::tls::{self, Protocols, Trust};

const IN: &str = "% OK [CAPABILITY IMAP4rev1] in";
const PLAIN: &str = "AUTHENTICATE PLAIN AGFubgBzM2NyZXQ=";
const LOGIN: &str = "LOGIN \"ann\" \"s3cret\"";

fn password(password: &str) -> Credentials {
    Credentials::Password {
        user: "ann".to_owned(),
        password: SecretString::from(password),
    }
}

fn token() -> Credentials {
    Credentials::Token {
        user: "ann@x.example".to_owned(),
        token: SecretString::from("t0ken"),
    }
}

fn enter(credentials: &Credentials, capabilities: &str, script: &[(&str, &str)]) -> Result<()> {
    let endpoint = Endpoint {
        host: "imap.x.example".to_owned(),
        port: 993,
        encryption: Encryption::Tls,
        trust: Trust::Learn,
        protocols: Protocols::Current,
        tls: tls::Shared::default(),
        proxy: None,
        alerts: Alerts::default(),
    };
    converse(capabilities, script, async |session| {
        authenticate(session, credentials, &endpoint, false).await
    })
}

fn log_in(capabilities: &str, script: &[(&str, &str)]) -> Result<()> {
    enter(&password("s3cret"), capabilities, script)
}

#[test]
fn sasl_plain_goes_along_or_waits_to_be_asked() {
    log_in("AUTH=PLAIN SASL-IR", &[(PLAIN, IN)]).unwrap();
    let script = [
        ("AUTHENTICATE PLAIN", "+ "),
        ("AGFubgBzM2NyZXQ=", "A1 OK [CAPABILITY IMAP4rev1] in"),
    ];
    log_in("AUTH=PLAIN", &script).unwrap();
}

#[test]
fn sasl_login_where_nothing_else_is_left() {
    let script = [
        ("AUTHENTICATE LOGIN", "+ VXNlcm5hbWU6"),
        ("YW5u", "+ UGFzc3dvcmQ6"),
        ("czNjcmV0", "A1 OK [CAPABILITY IMAP4rev1] in"),
    ];
    log_in("LOGINDISABLED AUTH=LOGIN", &script).unwrap();
    assert!(matches!(log_in("LOGINDISABLED", &[]), Err(Error::Tls(_))));
}

#[test]
fn another_way_is_tried_once_where_plain_is_refused() {
    for refusal in [
        "% BAD unknown command",
        "% NO AUTHENTICATE failed",
        "% NO [CANNOT] Authentication mechanism disabled",
        "% NO [AUTHENTICATIONFAILED] Authentication failed.",
    ] {
        log_in("AUTH=PLAIN SASL-IR", &[(PLAIN, refusal), (LOGIN, IN)]).unwrap();
    }
    let refused = [(PLAIN, "% NO AUTHENTICATE failed"), (LOGIN, "% NO LOGIN failed.")];
    let error = log_in("AUTH=PLAIN SASL-IR", &refused).unwrap_err();
    assert!(
        matches!(&error, Error::Credentials(text) if text == "NO LOGIN failed."),
        "{error}"
    );
}

#[test]
fn a_refusal_counts_more_than_a_way_that_is_not_understood() {
    let script = [
        (PLAIN, "% NO [AUTHENTICATIONFAILED] wrong"),
        (LOGIN, "% BAD what is LOGIN?"),
    ];
    let error = log_in("AUTH=PLAIN SASL-IR", &script).unwrap_err();
    assert!(error.to_string().contains("wrong"), "{error}");
}

#[test]
fn nothing_more_is_tried_where_that_locks_the_account() {
    for refusal in [
        "% NO [AUTHENTICATIONFAILED] Too many login failures",
        "% NO Account is locked",
        "% NO [EXPIRED] That password isn't the right one.",
        "% NO [NOPERM] Not for you",
        "% NO IMAP access is disabled for your domain",
        "% NO Maximum number of login attempts exceeded",
        "% NO [ALERT] Application-specific password required",
    ] {
        let error = log_in("AUTH=PLAIN SASL-IR", &[(PLAIN, refusal)]).unwrap_err();
        assert!(matches!(error, Error::Credentials(_)), "{refusal}: {error}");
    }
}

#[test]
fn umlauts_are_tried_in_other_forms_too() {
    let ways = |secret: &str, capabilities: &str| ways(&password(secret), &Capabilities::parse(capabilities));
    assert!(matches!(
        ways("grün§", "IMAP4rev1")[..],
        [Way::Login(Form::AsGiven), Way::Login(Form::Latin1)]
    ));
    assert!(matches!(
        ways("grün§", "LOGINDISABLED AUTH=PLAIN")[..],
        [Way::Plain(Form::AsGiven), Way::Plain(Form::Latin1)]
    ));
    assert!(matches!(
        ways("grün§", "LOGINDISABLED AUTH=LOGIN")[..],
        [Way::SaslLogin(Form::AsGiven), Way::SaslLogin(Form::Latin1)]
    ));
    // An umlaut of two characters is more likely one of one than the same once more.
    assert!(matches!(
        ways("gru\u{308}n", "AUTH=PLAIN")[..],
        [
            Way::Plain(Form::AsGiven),
            Way::Login(Form::Composed),
            Way::Login(Form::Latin1)
        ]
    ));
    assert_eq!(ways("日本語", "IMAP4rev1").len(), 1);
    assert_eq!(ways("plain", "IMAP4rev1").len(), 1);
}

#[test]
fn what_the_server_tells_after_the_login_only_is_not_missed() {
    let script = [("CAPABILITY", "% BAD log in first"), (LOGIN, IN)];
    log_in("", &script).unwrap();
}

#[test]
fn a_refused_password_is_told_from_a_busy_server() {
    let refused = |answer| log_in("IMAP4rev1", &[(LOGIN, answer)]);
    assert!(matches!(
        refused("% NO LOGIN failed."),
        Err(Error::Credentials(_))
    ));
    let busy = "% NO [UNAVAILABLE] Temporary authentication failure.";
    assert!(matches!(refused(busy), Err(Error::Unavailable(_))));
    let busy = "% NO [ALERT] Too many simultaneous connections. (Failure)";
    assert!(matches!(refused(busy), Err(Error::Unavailable(_))));
    let wrong = "% NO [AUTHENTICATIONFAILED] Too many login failures";
    assert!(matches!(refused(wrong), Err(Error::Credentials(_))));
}

#[test]
fn a_server_without_a_way_in_is_told_with_what_it_offers() {
    for (capabilities, words) in [
        ("LOGINDISABLED AUTH=XOAUTH2 AUTH=OAUTHBEARER", "OAuth 2.0"),
        (
            "LOGINDISABLED AUTH=NTLM AUTH=GSSAPI",
            "NTLM, GSSAPI only: have Basic",
        ),
        (
            "LOGINDISABLED AUTH=CRAM-MD5 AUTH=DIGEST-MD5",
            "CRAM-MD5, DIGEST-MD5 only: have PLAIN",
        ),
    ] {
        let error = log_in(capabilities, &[]).unwrap_err();
        assert!(matches!(error, Error::NoWayIn(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // LOGIN is not forbidden, so it is tried first.
    let error = log_in("AUTH=CRAM-MD5", &[(LOGIN, "% NO not here")]).unwrap_err();
    assert!(error.to_string().contains("CRAM-MD5 only"), "{error}");
}

#[test]
fn an_administrator_opens_a_mailbox() {
    let credentials = Credentials::Delegated {
        user: "ann".to_owned(),
        admin: "cyrus".to_owned(),
        password: SecretString::from("s3cret"),
    };
    let command = format!("AUTHENTICATE PLAIN {}", STANDARD.encode("ann\0cyrus\0s3cret"));
    enter(&credentials, "AUTH=PLAIN SASL-IR", &[(&command, IN)]).unwrap();
    let error = enter(&credentials, "AUTH=LOGIN", &[]).unwrap_err();
    assert!(matches!(error, Error::NoWayIn(_)), "{error}");
}

#[test]
fn tokens_by_oauthbearer_else_by_xoauth2() {
    let message = "n,a=ann@x.example,\x01host=imap.x.example\x01port=993\x01auth=Bearer t0ken\x01\x01";
    let command = format!("AUTHENTICATE OAUTHBEARER {}", STANDARD.encode(message));
    enter(
        &token(),
        "AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR",
        &[(&command, IN)],
    )
    .unwrap();
    let message = STANDARD.encode("user=ann@x.example\x01auth=Bearer t0ken\x01\x01");
    let script = [
        ("AUTHENTICATE XOAUTH2", "+ "),
        (message.as_str(), "A1 OK [CAPABILITY IMAP4rev1] in"),
    ];
    enter(&token(), "AUTH=XOAUTH2", &script).unwrap();
    let error = enter(&token(), "AUTH=PLAIN", &[]).unwrap_err();
    assert!(matches!(error, Error::NoWayIn(_)), "{error}");
}

#[test]
fn a_refused_token_is_told_with_the_servers_reason() {
    let reason = STANDARD.encode(r#"{"status":"401","schemes":"bearer"}"#);
    let challenge = format!("+ {reason}");
    let message = "n,a=ann@x.example,\x01host=imap.x.example\x01port=993\x01auth=Bearer t0ken\x01\x01";
    let bearer = format!("AUTHENTICATE OAUTHBEARER {}", STANDARD.encode(message));
    let xoauth2 = format!(
        "AUTHENTICATE XOAUTH2 {}",
        STANDARD.encode("user=ann@x.example\x01auth=Bearer t0ken\x01\x01")
    );
    for (capabilities, command, farewell) in [
        ("AUTH=OAUTHBEARER SASL-IR", &bearer, "AQ=="),
        ("AUTH=XOAUTH2 SASL-IR", &xoauth2, ""),
    ] {
        let script = [
            (command.as_str(), challenge.as_str()),
            (farewell, "A1 NO [AUTHENTICATIONFAILED] no"),
        ];
        let error = enter(&token(), capabilities, &script).unwrap_err();
        assert!(
            matches!(&error, Error::Token(text) if text.contains("401")),
            "{error}"
        );
    }
}

#[test]
fn another_mechanism_is_tried_where_the_first_is_not_spoken_and_no_token_is_shown_twice() {
    let bearer = "n,a=ann@x.example,\x01host=imap.x.example\x01port=993\x01auth=Bearer t0ken\x01\x01";
    let bearer = format!("AUTHENTICATE OAUTHBEARER {}", STANDARD.encode(bearer));
    let xoauth2 = STANDARD.encode("user=ann@x.example\x01auth=Bearer t0ken\x01\x01");
    let xoauth2 = format!("AUTHENTICATE XOAUTH2 {xoauth2}");
    let both = "AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR";
    for refusal in [
        "% NO [CANNOT] Unsupported authentication mechanism",
        "% BAD what is that?",
    ] {
        enter(&token(), both, &[(&bearer, refusal), (&xoauth2, IN)]).unwrap();
    }
    // Unpadded, and with BAD at the end.
    let reason = STANDARD.encode(r#"{"status":"invalid_token"}"#);
    let challenge = format!("+ {}", reason.trim_end_matches('='));
    for refused in ["A1 NO no", "A1 BAD no"] {
        let script = [(bearer.as_str(), challenge.as_str()), ("AQ==", refused)];
        let error = enter(&token(), both, &script).unwrap_err();
        assert!(
            matches!(&error, Error::Token(text) if text.contains("expired")),
            "{error}"
        );
    }
}
