// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::task::{ExposeSecret as _, Layout, Store};
use serde_json::{Map, json};

use super::*;
use crate::common::input;

fn good() -> Map<String, Value> {
    let fields = json!({
        "task_id": "abc123", "localuser": "u1", "remoteusername": "r1@example.com",
        "remotehostname": "imap.foo.com", "remotepassword": "Pw-r1!", "remoteport": 143, "security": "tls",
        "delete_local": false, "delete_remote": false, "delete_remote_older": 0, "exclude": "",
        "cron": "", "foldersynchronization": "all", "sieve_enabled": false,
    });
    fields.as_object().unwrap().clone()
}

fn sources() -> Sources {
    Sources::of(&Store::new(Layout::in_container("/nowhere".as_ref())))
}

fn read(fields: Map<String, Value>) -> Result<Request> {
    input::parse::<TaskFields>(fields).and_then(|fields| fields.parse(&sources()))
}

fn with(name: &str, value: Value) -> Result<Request> {
    let mut fields = good();
    fields.insert(name.to_owned(), value);
    read(fields)
}

fn keys(outcome: Result<Request>) -> Vec<String> {
    match outcome {
        Err(Error::Refused(refusals)) => refusals.iter().map(|refusal| refusal.key.to_string()).collect(),
        Err(error) => vec![format!("failed: {error}")],
        Ok(_) => Vec::new(),
    }
}

const TEXTS: [&str; 8] = [
    "task_id",
    "localuser",
    "remoteusername",
    "remotehostname",
    "remotepassword",
    "security",
    "exclude",
    "cron",
];

#[test]
fn every_required_field_is_missed_by_name() {
    let optional = ["delete_remote_older", "sieve_enabled"];
    for name in good().keys() {
        let mut absent = good();
        absent.remove(name);
        let found = [keys(read(absent)), keys(with(name, Value::Null))];
        let expected: Vec<String> = match optional.contains(&name.as_str()) {
            true => Vec::new(),
            false => vec![format!("{name}_required")],
        };
        assert_eq!(found, [expected.clone(), expected], "{name}");
    }
}

#[test]
fn every_field_has_its_type() {
    for (name, value) in good() {
        for other in [
            json!("x"),
            json!(1),
            json!(1.5),
            json!(true),
            json!([]),
            json!({}),
        ] {
            let same = (value.is_string() && other.is_string())
                || (value.is_i64() && other.is_i64())
                || (value.is_boolean() && other.is_boolean());
            if !same {
                assert_eq!(
                    keys(with(&name, other)),
                    [format!("{name}_invalid_type")],
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn no_control_character_gets_in_anywhere() {
    for name in TEXTS.into_iter().chain(["foldersynchronization"]) {
        for text in [
            "a\nb",
            "a\rb",
            "a\0b",
            "a\tb",
            "a\u{1b}[2Jb",
            "a\u{85}b",
            "a\u{2028}b",
            "\n",
        ] {
            let found = keys(with(name, text.into()));
            let control = found == [format!("{name}_invalid")];
            // The separators of lines are no control characters to a host name, only impossible.
            let host = name == "remotehostname" && found == ["Check_hostname_or_tcp_port"];
            assert!(control || host, "{name} {text:?}: {found:?}");
        }
    }
}

#[test]
fn what_names_a_file_is_neither_a_path_nor_a_pattern_nor_a_word_of_a_shell() {
    for name in ["task_id", "localuser"] {
        for text in [
            "", ".", "..", "../x", "a/b", "/etc", "a\\b", "a*", "a?", "[a]", "{a}", "a b", " a", "$(x)",
            "`x`", "a;b", "a|b", "a&b", "a'b", "a\"b", "a%b", "-a", ".a", "a<b", "a,b", "a#b", "~", "!",
        ] {
            assert_eq!(
                keys(with(name, text.into())),
                [format!("{name}_invalid")],
                "{name} {text:?}"
            );
        }
        assert_eq!(
            keys(with(name, "x".repeat(1000).into())),
            [format!("{name}_invalid")]
        );
    }
}

#[test]
fn hosts_are_names_addresses_or_refused_as_unreachable() {
    for host in [
        "imap.foo.com",
        "bücher.example",
        "127.0.0.3",
        "2001:db8::1",
        "[2001:db8::1]",
        "localhost",
    ] {
        assert_eq!(
            with("remotehostname", host.into())
                .unwrap()
                .task
                .remote_host
                .as_str(),
            host
        );
    }
    for host in ["", "a b", "-x.y", "a/b", "$(x)", "h:143", "*", "a'b", "999.1.1.1"] {
        assert_eq!(
            keys(with("remotehostname", host.into())),
            ["Check_hostname_or_tcp_port"],
            "{host:?}"
        );
    }
}

#[test]
fn numbers_have_their_range() {
    for (name, good_ones, bad_ones) in [
        ("remoteport", [1, 65535], [0, 65536, -1]),
        ("delete_remote_older", [0, 36500], [-1, i64::MAX, i64::MIN]),
    ] {
        for number in good_ones {
            assert!(with(name, number.into()).is_ok(), "{name} {number}");
        }
        for number in bad_ones {
            assert_eq!(
                keys(with(name, number.into())),
                [format!("{name}_invalid")],
                "{number}"
            );
        }
    }
}

#[test]
fn any_password_is_taken_to_the_letter() {
    for password in [
        " leading and trailing ",
        "quote\" ' ` back\\slash",
        "$(x) ${y} %s {0}",
        "#;|&<>*?[]~!",
        "пароль",
        "密码🔑",
        &"ü".repeat(200),
        &"密".repeat(200),
        "=",
        "-p",
    ] {
        let request = with("remotepassword", password.into()).unwrap();
        assert_eq!(request.password.unwrap().expose_secret(), password);
    }
    assert!(with("remotepassword", "".into()).unwrap().password.is_none());
    assert_eq!(
        keys(with("remotepassword", "x".repeat(5000).into())),
        ["remotepassword_invalid"]
    );
}

#[test]
fn a_refusal_never_repeats_a_password() {
    for value in [
        json!("Secret\n42"),
        json!(424_242),
        json!(["Secret 42"]),
        json!({"Secret": 42}),
    ] {
        let Err(Error::Refused(refusals)) = with("remotepassword", value) else {
            panic!("accepted")
        };
        let text: String = refusals
            .iter()
            .map(|refusal| format!("{refusal} {}", refusal.to_json()))
            .collect();
        assert!(!text.contains("42"), "{text}");
    }
    let Err(Error::Refused(refusals)) = with("remotepasword", "Secret 42".into()) else {
        panic!("accepted")
    };
    assert_eq!(refusals[0].to_json()["value"], "");
    assert_eq!(refusals[0].key.exit_code(), 10);
}

#[test]
fn words_and_patterns_have_their_grammar() {
    for (name, bad) in [
        ("security", vec!["starttls", "TLS", " tls"]),
        ("foldersynchronization", vec!["", "x", "All"]),
        ("cron", vec!["0m", "61m", "25h", "5", "5d", "* * * * *"]),
        ("exclude", vec!["(", "a,,b", "*", "["]),
        ("certificate", vec!["ab", "zz", "x"]),
    ] {
        for text in bad {
            assert_eq!(
                keys(with(name, text.into())),
                [format!("{name}_invalid")],
                "{name} {text:?}"
            );
        }
    }
    let fingerprint = "AB:".repeat(31) + "AB";
    assert_eq!(
        with("certificate", fingerprint.into())
            .unwrap()
            .certificate
            .unwrap(),
        "ab".repeat(32)
    );
}

#[test]
fn deletions_that_would_empty_a_mailbox_are_refused() {
    let mut fields = good();
    fields.insert("delete_local".to_owned(), true.into());
    fields.insert("delete_remote".to_owned(), true.into());
    fields.insert("foldersynchronization".to_owned(), "inbox".into());
    let found = keys(read(fields));
    assert_eq!(
        found,
        ["delete_local_with_inbox", "delete_local_with_delete_remote"]
    );
    assert!(with("delete_remote", true.into()).is_ok() && with("delete_local", true.into()).is_ok());
    // Sieve without the inbox alone is stored, and counts for nothing.
    assert!(with("sieve_enabled", true.into()).unwrap().task.sieve);
}

#[test]
fn all_refusals_come_at_once() {
    let mut fields = good();
    fields.insert("localuser".to_owned(), "a/b".into());
    fields.insert("cron".to_owned(), "x".into());
    fields.insert("remoteport".to_owned(), 0.into());
    let found = keys(read(fields));
    assert_eq!(found, ["localuser_invalid", "remoteport_invalid", "cron_invalid"]);
}
