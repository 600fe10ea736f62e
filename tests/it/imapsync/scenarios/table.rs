// SPDX-License-Identifier: GPL-3.0-or-later
//! The thirty tasks, and the mail that each of them leaves.

/// A task, and the mail that there is on either side after its second run: by folder the Message-Ids, with `s` for
/// `\Seen` and `f` for `\Flagged`.
pub(super) struct Scenario {
    pub name: &'static str,
    pub task: Task,
    pub local: &'static [&'static str],
    pub remote: &'static [&'static str],
}

/// What is said in `create-task` in addition to the account.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub mode: &'static str,
    pub exclude: &'static str,
    pub security: &'static str,
    pub sieve: bool,
    pub delete_local: bool,
    pub delete_remote: bool,
    pub older: u32,
    pub password: &'static str,
}

const TASK: Task = Task {
    mode: "all",
    exclude: "",
    security: "tls",
    sieve: false,
    delete_local: false,
    delete_remote: false,
    older: 0,
    password: "",
};

const INBOX: Task = Task {
    mode: "inbox",
    ..TASK
};

/// A task that leaves folders out.
const fn without(exclude: &'static str) -> Task {
    Task {
        mode: "exclusion",
        exclude,
        ..TASK
    }
}

const fn scenario(
    name: &'static str,
    task: Task,
    local: &'static [&'static str],
    remote: &'static [&'static str],
) -> Scenario {
    Scenario {
        name,
        task,
        local,
        remote,
    }
}

/// A task whose mailbox has such a password.
const fn with(password: &'static str) -> Scenario {
    scenario("a password", Task { password, ..TASK }, ALL, KEPT)
}

/// Everything that was ever there, and the user's own.
const ALL: &[&str] = &[
    "Archive: old",
    "INBOX: i1 i2-sf i3 new own",
    "Mine: mine",
    "My Stuff: b1",
    "Sent: t1-s",
    "Work: late w1 w2",
    "Work/Sub: s1",
];

/// The remote side, from which nothing is deleted.
const KEPT: &[&str] = &[
    "Archive: old",
    "INBOX: i1 i2-sf i3 new",
    "My Stuff: b1",
    "Sent: t1-s",
    "Work: late w1",
    "Work/Sub: s1",
];

/// The same after the unread mail of the inbox was pulled.
const INBOX_READ: &[&str] = &[
    "Archive: old",
    "INBOX: i1-s i2-sf i3-s new-s",
    "My Stuff: b1",
    "Sent: t1-s",
    "Work: late w1",
    "Work/Sub: s1",
];

/// All of them.
pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("everything over STARTTLS", TASK, ALL, KEPT),
    scenario(
        "everything over TLS",
        Task {
            security: "ssl",
            ..TASK
        },
        ALL,
        KEPT,
    ),
    scenario(
        "everything over what there is",
        Task { security: "", ..TASK },
        ALL,
        KEPT,
    ),
    scenario(
        "the inbox",
        INBOX,
        &["INBOX: i1 i3 new own", "Mine: mine"],
        INBOX_READ,
    ),
    scenario(
        "the inbox over TLS",
        Task {
            security: "ssl",
            ..INBOX
        },
        &["INBOX: i1 i3 new own", "Mine: mine"],
        INBOX_READ,
    ),
    scenario(
        "the inbox with Sieve",
        Task { sieve: true, ..INBOX },
        &["Filed: i3", "INBOX: i1 new own", "Mine: mine"],
        INBOX_READ,
    ),
    scenario(
        "the inbox, emptied",
        Task {
            delete_remote: true,
            ..INBOX
        },
        &["INBOX: i1 i3 new own", "Mine: mine"],
        &[
            "Archive: old",
            "INBOX: i2-sf",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: late w1",
            "Work/Sub: s1",
        ],
    ),
    scenario(
        "the inbox with Sieve, emptied",
        Task {
            sieve: true,
            delete_remote: true,
            ..INBOX
        },
        &["Filed: i3", "INBOX: i1 new own", "Mine: mine"],
        &[
            "Archive: old",
            "INBOX: i2-sf",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: late w1",
            "Work/Sub: s1",
        ],
    ),
    scenario(
        "the inbox, old mail removed",
        Task {
            delete_remote: true,
            older: 30,
            ..INBOX
        },
        &["INBOX: i1 i3 new own", "Mine: mine"],
        INBOX_READ,
    ),
    scenario(
        "without Work",
        without("Work"),
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
        ],
        KEPT,
    ),
    scenario(
        "without ^Work$",
        without("^Work$"),
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    scenario(
        "without ^Work.Sub$",
        without("^Work.Sub$"),
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: late w1 w2",
        ],
        KEPT,
    ),
    scenario(
        "without one of several",
        without("^(Sent|Archive)$"),
        &[
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Work: late w1 w2",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    scenario(
        "without one of several patterns",
        without("Sent,Archive"),
        &[
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Work: late w1 w2",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    scenario(
        "without a name with a blank",
        without("^My Stuff$"),
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "Sent: t1-s",
            "Work: late w1 w2",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    scenario(
        "without Work, emptied",
        Task {
            delete_remote: true,
            ..without("^Work$")
        },
        &[
            "Archive: old",
            "INBOX: i1 i2-s i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work/Sub: s1",
        ],
        &["Work: late w1"],
    ),
    scenario(
        "without Work, mirrored",
        Task {
            delete_local: true,
            ..without("^Work$")
        },
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    scenario(
        "emptied",
        Task {
            delete_remote: true,
            ..TASK
        },
        &[
            "Archive: old",
            "INBOX: i1 i2-s i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: late w1-f w2",
            "Work/Sub: s1",
        ],
        &[],
    ),
    scenario(
        "old mail removed",
        Task {
            delete_remote: true,
            older: 30,
            ..TASK
        },
        ALL,
        &[
            "INBOX: i1 i2-sf i3 new",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: w1",
            "Work/Sub: s1",
        ],
    ),
    scenario(
        "mirrored",
        Task {
            delete_local: true,
            ..TASK
        },
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: late w1",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    scenario(
        "mirrored over TLS",
        Task {
            delete_local: true,
            security: "ssl",
            ..TASK
        },
        &[
            "Archive: old",
            "INBOX: i1 i2-sf i3 new own",
            "Mine: mine",
            "My Stuff: b1",
            "Sent: t1-s",
            "Work: late w1",
            "Work/Sub: s1",
        ],
        KEPT,
    ),
    with("with \"quotes\" and 'quotes'"),
    with(" a blank first"),
    with("a blank last "),
    with("back\\slash\\"),
    with("$(id) `id` ${HOME}"),
    with("Pässwörter für Größe"),
    with("--password2"),
    with("a;b&c|d>e<f*g?h[i]"),
    with("#not a comment, 100%"),
];
