// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;
use crate::imap::{Mailbox, MailboxStatus, Namespace, Namespaces, Response, Untagged};
use crate::task::{FolderMode, FolderOptions, FolderPath, Labels, Pattern, Renaming};

fn listed(name: &str, separator: char) -> Listed {
    // An attribute is written behind a bar.
    let (name, attribute) = name.split_once('|').unwrap_or((name, ""));
    Listed {
        mailbox: Mailbox::from_name(name),
        attributes: Some(attribute.to_owned())
            .filter(|one| !one.is_empty())
            .into_iter()
            .collect(),
        separator: Some(separator),
    }
}

/// A side with one namespace.
pub(super) fn side(prefix: &str, separator: char, names: &[&str]) -> Side {
    let told = Namespaces {
        personal: vec![Namespace {
            prefix: prefix.as_bytes().to_vec(),
            separator: Some(separator),
        }],
        ..Namespaces::default()
    };
    let folders = names.iter().map(|name| (listed(name, separator), None)).collect();
    Side::new(Some(told), folders, Provider::Other)
}

/// A side whose server answers NAMESPACE so.
pub(super) fn told(namespaces: &str, names: &[&str]) -> Side {
    let response = Response::parse(crate::imap::scan::Raw {
        text: format!("* NAMESPACE {namespaces}").into_bytes(),
        literals: vec![],
    });
    let Response::Untagged(Untagged::Namespace(told)) = response else {
        panic!("{namespaces}")
    };
    let folders = names.iter().map(|name| (listed(name, '/'), None)).collect();
    Side::new(Some(told), folders, Provider::Other)
}

pub(super) fn select(mode: FolderMode, patterns: &[&str]) -> Selection {
    Selection {
        mode,
        excluded: patterns.iter().map(|p| Pattern::compile(p).unwrap()).collect(),
        options: FolderOptions::default(),
    }
}

fn with(options: FolderOptions) -> Selection {
    Selection {
        options,
        ..select(FolderMode::All, &[])
    }
}

fn all() -> Selection {
    select(FolderMode::All, &[])
}

fn known(pairs: &[(&str, &str)]) -> Known {
    let of = |name: &str| Mailbox::from_name(name);
    pairs.iter().map(|&(from, to)| (of(from), of(to))).collect()
}

fn names(remote: &Side, local: &Side, selection: &Selection, known: &Known) -> Vec<(String, String)> {
    pair(remote, local, selection, known)
        .into_iter()
        .map(|pair| (pair.remote.name().to_owned(), pair.local.name().to_owned()))
        .collect()
}

fn local_of(pairs: &[(String, String)], remote: &str) -> String {
    let found = pairs.iter().find(|(name, _)| name == remote);
    found.map(|(_, local)| local.clone()).unwrap_or_default()
}

fn assert_apart(pairs: &[Pair]) {
    for (at, one) in pairs.iter().enumerate() {
        for other in &pairs[..at] {
            for name in [&one.local, &one.fallback] {
                assert!(
                    *name != other.local && *name != other.fallback,
                    "{one:?} {other:?}"
                );
            }
        }
    }
}

#[test]
fn prefixes_and_separators() {
    let remote = side(
        "INBOX.",
        '.',
        &["INBOX.Work.Sub", "inbox", "INBOX.a/b", "INBOX.Entwürfe"],
    );
    let local = side("", '/', &["INBOX"]);
    let mut got = names(&remote, &local, &all(), &Known::new());
    got.sort();
    let expected = [
        ("INBOX", "INBOX"),
        ("INBOX.Entwürfe", "Entwürfe"),
        ("INBOX.Work.Sub", "Work/Sub"),
        ("INBOX.a/b", "a.b"),
    ];
    assert_eq!(got, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn namespaces_choose_and_names_do_not() {
    let remote = told(
        r##"(("" "/")) (("Other Users/" "/")("~" "/")) (("Team/" "/")("#news." "."))"##,
        &[
            "INBOX",
            "Shared/x",
            "Public",
            "Other Users/boss",
            "~ann",
            "Team",
            "Team/Board",
            "#news.comp",
            "Teams",
        ],
    );
    let local = side("", '/', &[]);
    let chosen: Vec<String> = names(&remote, &local, &all(), &Known::new())
        .into_iter()
        .map(|(remote, _)| remote)
        .collect();
    assert_eq!(chosen, ["INBOX", "Public", "Shared/x", "Teams"]);
}

#[test]
fn modes_choose() {
    let remote = side("", '/', &["INBOX", "Work", "Work/Old", "Spam.1"]);
    let local = side("", '/', &[]);
    let chosen = |selection: &Selection| {
        names(&remote, &local, selection, &Known::new())
            .into_iter()
            .map(|(remote, _)| remote)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        chosen(&select(FolderMode::All, &["Work"])),
        ["INBOX", "Spam.1", "Work", "Work/Old"]
    );
    assert_eq!(chosen(&select(FolderMode::Inbox, &[])), ["INBOX"]);
    assert_eq!(
        chosen(&select(FolderMode::Exclusion, &["Work", "^Spam$"])),
        ["INBOX", "Spam.1"]
    );
}

#[test]
fn two_names_never_become_one() {
    let local = side("", '/', &["INBOX"]);
    for names in [
        &["A_B", "A~B", "A.B", "A*B"][..],
        &["A~B", "A*B"],
        &["Work", "work", "WORK"],
        &["a//b", "a/_/b", "/lead", "_/lead", "trail/", "trail/_"],
    ] {
        let remote = side("", '/', names);
        let pairs = pair(&remote, &local, &all(), &Known::new());
        assert_eq!(pairs.len(), names.len());
        assert_apart(&pairs);
        // In whatever order they are listed.
        let reversed: Vec<&str> = names.iter().rev().copied().collect();
        let again = pair(&side("", '/', &reversed), &local, &all(), &Known::new());
        for (one, other) in pairs.iter().zip(&again) {
            assert_eq!((&one.local, &one.fallback), (&other.local, &other.fallback));
        }
    }
    let inboxes = side("INBOX.", '.', &["INBOX", "INBOX.INBOX", "INBOX.inbox"]);
    let pairs = pair(&inboxes, &local, &all(), &Known::new());
    assert_apart(&pairs);
    assert!(pairs[0].local.is_inbox() && pairs[0].remote.is_inbox());
}

#[test]
fn what_was_pulled_stays_where_it_is() {
    let local = side("", '/', &["INBOX", "A_B"]);
    let remote = side("", '/', &["A_B", "A~B"]);
    // The local server refused A~B when A_B was not there yet.
    let before = known(&[("A~B", "A_B")]);
    let got = names(&remote, &local, &all(), &before);
    assert_eq!(local_of(&got, "A~B"), "A_B");
    assert!(local_of(&got, "A_B").starts_with("A_B-"), "{got:?}");
    // A former version brought both into one.
    let before = known(&[("A~B", "A_B"), ("A_B", "A_B")]);
    let pairs = pair(&remote, &local, &all(), &before);
    assert!(pairs.iter().all(|pair| pair.joined && pair.local.name() == "A_B"));
}

#[test]
fn the_local_server_tells_names_of_another_case_apart() {
    let remote = side("", '/', &["Work", "work"]);
    let local = side("", '/', &["INBOX", "Work", "work"]);
    let got = names(&remote, &local, &all(), &Known::new());
    assert_eq!(
        (local_of(&got, "Work"), local_of(&got, "work")),
        ("Work".into(), "work".into())
    );
}

#[test]
fn special_folders_find_their_like() {
    let options = FolderOptions {
        special_folders: true,
        ..FolderOptions::default()
    };
    let local = side("", '/', &["INBOX", "Sent|\\Sent", "Papierkorb|\\Trash"]);
    let remote = side(
        "INBOX.",
        '.',
        &[
            "INBOX",
            "INBOX.Gesendete Objekte",
            "INBOX.Gesendete Objekte.2019",
            "INBOX.Sent",
            "INBOX.Deleted Items|\\Trash",
            "INBOX.Papierkorb",
            "INBOX.Черновики",
            "INBOX.Work.Spam",
        ],
    );
    let got = names(&remote, &local, &with(options.clone()), &Known::new());
    for (remote, local) in [
        ("INBOX.Sent", "Sent"),
        // The less usual name of the same use keeps its own.
        ("INBOX.Gesendete Objekte", "Gesendete Objekte"),
        ("INBOX.Deleted Items", "Papierkorb"),
        ("INBOX.Черновики", "Drafts"),
        ("INBOX.Work.Spam", "Work/Spam"),
    ] {
        assert_eq!(local_of(&got, remote), local, "{got:?}");
    }
    // The server's word counts more than a name, and two folders stay two.
    assert!(local_of(&got, "INBOX.Papierkorb").starts_with("Papierkorb-"));
    assert_apart(&pair(&remote, &local, &with(options.clone()), &Known::new()));

    let german = side("", '/', &["INBOX", "Gesendet", "Gesendet/2019"]);
    let got = names(&german, &local, &with(options.clone()), &Known::new());
    assert_eq!(local_of(&got, "Gesendet"), "Sent");
    assert_eq!(local_of(&got, "Gesendet/2019"), "Sent/2019");
    // Without the option names are kept, and with it what was pulled before stays.
    let got = names(&german, &local, &all(), &Known::new());
    assert_eq!(local_of(&got, "Gesendet"), "Gesendet");
    let before = known(&[("Gesendet", "Gesendet")]);
    let pulled = side("", '/', &["INBOX", "Sent|\\Sent", "Gesendet"]);
    let got = names(&german, &pulled, &with(options), &before);
    assert_eq!(local_of(&got, "Gesendet"), "Gesendet");
}

#[test]
fn folders_are_renamed_and_put_below_another() {
    let remote = side(
        "INBOX.",
        '.',
        &[
            "INBOX",
            "INBOX.Alt",
            "INBOX.Alt.2019",
            "INBOX.Altes",
            "INBOX.Alt.2020",
        ],
    );
    let local = side("", '/', &["INBOX"]);
    let mut options = FolderOptions {
        rename: vec![
            Renaming::parse("INBOX.Alt", "Archive/Old").unwrap(),
            Renaming::parse("Alt.2020", "New").unwrap(),
        ],
        ..FolderOptions::default()
    };
    let got = names(&remote, &local, &with(options.clone()), &Known::new());
    let expect = |got: &[(String, String)], below: &str| {
        for (remote, local) in [
            ("INBOX.Alt", "Archive/Old"),
            ("INBOX.Alt.2019", "Archive/Old/2019"),
            ("INBOX.Altes", "Altes"),
            ("INBOX.Alt.2020", "New"),
        ] {
            assert_eq!(local_of(got, remote), format!("{below}{local}"));
        }
    };
    expect(&got, "");
    assert_eq!(local_of(&got, "INBOX"), "INBOX");
    options.target_folder = Some(FolderPath::parse("Old mail/2026").unwrap());
    options.special_folders = true;
    let got = names(&remote, &local, &with(options), &Known::new());
    expect(&got, "Old mail/2026/");
    assert_eq!(local_of(&got, "INBOX"), "Old mail/2026/INBOX");
}

#[test]
fn flags_of_messages_are_no_use_of_a_folder() {
    let listed = ["INBOX|\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*"];
    let remote = told("NIL NIL NIL", &listed);
    let local = side("", '/', &["INBOX"]);
    let pairs = pair(&remote, &local, &all(), &Known::new());
    assert!(pairs.len() == 1 && !pairs[0].view);
}

#[test]
fn views_come_last_and_are_marked() {
    let remote = told(
        r#"(("" "/")("Mirror/" "/")("virtual/" "/")) NIL NIL"#,
        &[
            "All|\\All",
            "INBOX",
            "Flagged|\\Flagged",
            "Work",
            "Mirror/INBOX",
            "virtual/All",
        ],
    );
    let local = side("", '/', &["INBOX"]);
    let pairs = pair(&remote, &local, &all(), &Known::new());
    let order: Vec<_> = pairs.iter().map(|pair| (pair.remote.name(), pair.view)).collect();
    assert_eq!(
        order,
        [
            ("INBOX", false),
            ("Work", false),
            ("Flagged", true),
            ("Mirror/INBOX", true),
            ("All", true)
        ]
    );
}

#[test]
fn gmail_has_its_folders_below_a_root_and_the_best_one_first() {
    let folders = [
        "INBOX",
        "Family",
        "[Gmail]|\\Noselect",
        "[Gmail]/All Mail|\\All",
        "[Gmail]/Sent Mail|\\Sent",
        "[Gmail]/Starred|\\Flagged",
        "Sent Mail",
    ];
    let folders = folders.iter().map(|name| (listed(name, '/'), None)).collect();
    let remote = Side::new(None, folders, Provider::Gmail);
    let local = side("", '/', &["INBOX"]);
    let once = FolderOptions {
        labels: Labels::Once,
        ..FolderOptions::default()
    };
    let got = names(&remote, &local, &with(once), &Known::new());
    let order: Vec<&str> = got.iter().map(|(remote, _)| remote.as_str()).collect();
    assert_eq!(
        order,
        [
            "INBOX",
            "[Gmail]/Sent Mail",
            "Family",
            "Sent Mail",
            "[Gmail]/Starred",
            "[Gmail]/All Mail"
        ]
    );
    assert_eq!(local_of(&got, "[Gmail]/Sent Mail"), "Sent Mail");
    assert!(local_of(&got, "Sent Mail").starts_with("Sent Mail-"));
    assert_eq!(local_of(&got, "[Gmail]/All Mail"), "All Mail");
}

/// Stock imapsync puts Gmail's mail into the local folders of the same use.
#[test]
fn what_imapsync_brought_from_gmail_is_not_brought_to_other_folders_again() {
    let remote = ["INBOX", "[Gmail]/Sent Mail|\\Sent", "[Gmail]/Spam|\\Junk"];
    let remote = remote.iter().map(|name| (listed(name, '/'), None)).collect();
    let remote = Side::new(None, remote, Provider::Gmail);
    let local = |sent: u64, others: &[&str]| {
        let holds = |name: &&str| {
            let messages = Some(if name.starts_with("Sent|") { sent } else { 0 });
            let status = MailboxStatus {
                messages,
                ..MailboxStatus::default()
            };
            (listed(name, '/'), Some(status))
        };
        let folders = [&["INBOX", "Sent|\\Sent", "Junk|\\Junk"], others].concat();
        Side::new(None, folders.iter().map(holds).collect(), Provider::Other)
    };
    for (sent, others, to) in [
        (3, &[][..], ["Sent", "Spam"]),
        (0, &[], ["Sent Mail", "Spam"]),
        (3, &["Sent Mail"], ["Sent Mail", "Spam"]),
    ] {
        let got = names(&remote, &local(sent, others), &all(), &Known::new());
        let got = ["[Gmail]/Sent Mail", "[Gmail]/Spam"].map(|name| local_of(&got, name).to_owned());
        assert_eq!(got, to, "{sent} {others:?}");
    }
}

#[test]
fn names_that_no_one_else_may_delete_are_those_of_all_remote_folders() {
    let remote = side("", '/', &["INBOX", "A~B", "Gesendet", "Left"]);
    let local = side("", '/', &["INBOX", "Sent|\\Sent"]);
    let selection = Selection {
        options: FolderOptions {
            special_folders: true,
            ..FolderOptions::default()
        },
        ..select(FolderMode::Exclusion, &["Left"])
    };
    let all = local_names(&remote, &local, &selection, &known(&[("Left", "Elsewhere")]));
    for name in ["INBOX", "A~B", "A_B", "Sent", "Gesendet", "Left", "Elsewhere"] {
        assert!(all.contains(name), "{name}: {all:?}");
    }
}
