// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose folders are whose (RFC 2342): other people's are left alone on both sides, in every mode; what is the account's
//! own is pulled, however it is called.

use crate::server_faults::model::Model;
use crate::server_faults::world::{MODES, Mode, Side, World, everywhere, message};

/// Fills folders with a message each.
fn fill(model: &mut Model, folders: &[&str]) {
    for folder in folders {
        model.add(folder, &message(&format!("in-{folder}"), 300), &[]);
    }
}

/// A server, the folders of other people on it, and some of the account's own.
struct Server {
    separator: char,
    prefix: &'static str,
    namespaces: &'static str,
    foreign: &'static [&'static str],
    own: &'static [&'static str],
}

const SERVERS: [Server; 4] = [
    Server {
        separator: '/',
        prefix: "",
        namespaces: r#"(("" "/")("virtual/" "/")) (("Other Users/" "/")) (("Team/" "/")("Public Folders/" "/"))"#,
        foreign: &[
            "Other Users/boss",
            "Other Users/boss/Sent",
            "Team",
            "Team/Board",
            "Public Folders/x",
            "virtual/All",
        ],
        own: &["Public", "Shared/x", "Teams", "Work/Team"],
    },
    // Cyrus
    Server {
        separator: '.',
        prefix: "INBOX.",
        namespaces: r#"(("INBOX." ".")) (("user." ".")) (("" "."))"#,
        foreign: &["user.boss", "user.boss.Sent", "bulletin", "bulletin.today"],
        own: &["INBOX.Public", "INBOX.Shared.x", "INBOX.user"],
    },
    // Courier
    Server {
        separator: '.',
        prefix: "INBOX.",
        namespaces: r##"(("INBOX." ".")) NIL (("#shared." ".")("shared." "."))"##,
        foreign: &["#shared.boss", "shared.team"],
        own: &["INBOX.shared.x"],
    },
    // The inbox's namespace need not be told first.
    Server {
        separator: '/',
        prefix: "",
        namespaces: r#"(("virtual/" "/")("" "/")) (("~" "/")) NIL"#,
        foreign: &["~boss", "~boss/Sent", "virtual/Flagged"],
        own: &["Work/~"],
    },
];

impl Server {
    fn model(&self) -> Model {
        let mut model = Model::new(self.separator, self.prefix);
        model.namespaces = Some(self.namespaces);
        model
    }
}

#[test]
fn other_peoples_remote_folders_are_neither_pulled_nor_deleted_from() {
    everywhere(&[Side::Remote], &MODES, |_, mode| {
        for server in &SERVERS {
            let world = World::with(mode, server.model(), |remote, _| {
                fill(remote, &["INBOX"]);
                fill(remote, server.foreign);
                fill(remote, server.own);
            })
            .foreign(Side::Remote, server.foreign)
            .titled(format!("{mode:?} {}", server.namespaces));
            let run = world.finish();
            if mode != Mode::Inbox {
                let name = server.foreign[0];
                assert!(run.log.contains(&format!("[{name}] is left out")), "{run:#?}");
            }
            world.idle();
        }
    });
}

#[test]
fn other_peoples_local_folders_are_neither_filled_nor_deleted() {
    everywhere(&[Side::Local], &MODES, |_, mode| {
        for server in &SERVERS {
            let world = World::between(mode, Model::new('/', ""), server.model(), |remote, local| {
                fill(remote, &["INBOX", "Work"]);
                fill(local, server.foreign);
            })
            .foreign(Side::Local, server.foreign)
            .titled(format!("{mode:?} {}", server.namespaces));
            world.finish();
            world.idle();
        }
    });
}

#[test]
fn an_own_folder_called_like_other_peoples_goes_beside_them() {
    for mode in [Mode::Copy, Mode::DeleteRemote, Mode::DeleteLocal] {
        let mut local = Model::new('/', "");
        local.namespaces = Some(r#"(("" "/")) (("Other/" "/")) (("Public/" "/"))"#);
        let world = World::between(mode, Model::new('/', ""), local, |remote, local| {
            fill(remote, &["INBOX", "Public/mine"]);
            fill(local, &["Public/theirs"]);
        })
        .foreign(Side::Local, &["Public/theirs"])
        .moves("Public/mine", "Public_/mine");
        world.finish();
        world.idle();
    }
}

#[test]
fn without_namespaces_the_usual_names_are_other_peoples() {
    for mode in MODES {
        let mut remote = Model::new('/', "");
        remote.namespaces = Some("NIL NIL NIL");
        let foreign = ["Public", "Public/x", "Shared/team"];
        let world = World::with(mode, remote, |remote, _| {
            fill(remote, &["INBOX", "Work/Public"]);
            fill(remote, &foreign);
        })
        .foreign(Side::Remote, &foreign);
        world.finish();
        world.idle();
    }
}
