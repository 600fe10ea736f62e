// SPDX-License-Identifier: GPL-3.0-or-later
//! What can happen to the mailboxes and tasks of a user, and random sequences of it.

use proptest::prelude::*;

use crate::instance::Back;

/// A mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    Local,
    /// The source of the first task.
    Remote,
    /// Another source, that of the second task in [`Second::OtherSource`].
    Other,
}

/// What a task deletes on the remote side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    Keep,
    Delete,
    /// After 30 days.
    DeleteOlder,
}

/// The options of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub inbox: bool,
    pub delete_local: bool,
    pub remote: Remote,
}

/// What the second task of the same local user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Second {
    None,
    /// It pulls the same account.
    SameSource(Options),
    OtherSource(Options),
}

/// The tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    First,
    Second,
}

/// One step. `mail` and `folder` choose among what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Deliver {
        at: At,
        folder: u8,
        old: bool,
    },
    /// A mail that was written before comes once more, octet for octet: of the same moment, or of a later one.
    Twin {
        at: At,
        mail: u8,
        folder: u8,
        later: bool,
    },
    Delete {
        at: At,
        mail: u8,
    },
    Move {
        at: At,
        mail: u8,
        folder: u8,
    },
    /// To another folder and back.
    MoveAndBack {
        at: At,
        mail: u8,
        folder: u8,
    },
    RenameFolder {
        at: At,
        folder: u8,
        to: u8,
    },
    DeleteFolder {
        at: At,
        folder: u8,
    },
    Flag {
        at: At,
        mail: u8,
        flag: u8,
    },
    /// The newest draft is replaced by its next version, under the same Message-Id.
    EditDraft {
        at: At,
        same_size: bool,
    },
    /// A backup is made of a mailbox.
    BackUp {
        at: At,
    },
    /// The last backup comes back: UIDs, UIDVALIDITY and UIDNEXT too.
    Restore {
        at: At,
    },
    /// Every folder has another UIDVALIDITY.
    Revalidate {
        at: At,
    },
    /// Every folder numbers its messages from 1, under the same UIDVALIDITY.
    Renumber {
        at: At,
    },
    /// What is remembered of the local mailbox is lost.
    Forget,
    /// A backup is made of what is remembered.
    BackUpInstance,
    /// It comes back, while the mailboxes have gone on.
    RestoreInstance(Back),
    /// The task is deleted, and another one is created for the same accounts.
    Recreate(Which),
    Configure(Which, Options),
    Run(Which),
    /// Both tasks at the same time.
    RunBoth,
    /// The instance is cloned: the clone knows what is known now, and stays next to the original.
    Clone,
    /// A task of the clone.
    RunInClone(Which),
    /// A task and the same one of the clone at the same time.
    RunWithClone(Which),
    /// A run is killed when it has come so far, of 100 parts.
    Kill(Which, u8),
}

/// Tasks, and what happens to them.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub first: Options,
    pub second: Second,
    pub actions: Vec<Action>,
}

fn options() -> impl Strategy<Value = Options> {
    let remote = prop_oneof![
        3 => Just(Remote::Keep),
        2 => Just(Remote::Delete),
        1 => Just(Remote::DeleteOlder),
    ];
    (prop::bool::weighted(0.2), prop::bool::weighted(0.4), remote).prop_map(
        |(inbox, delete_local, remote)| Options {
            inbox,
            // Deleting on both sides what is gone on the other is refused or pointless: one of them at a time; and the
            // inbox alone is no mirror.
            delete_local: delete_local && remote == Remote::Keep && !inbox,
            remote,
        },
    )
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![2 => Just(At::Local), 4 => Just(At::Remote), 1 => Just(At::Other)]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![3 => Just(Which::First), 1 => Just(Which::Second)]
}

fn back() -> impl Strategy<Value = Back> {
    prop_oneof![
        Just(Back::Restored),
        Just(Back::Copied),
        Just(Back::CopiedOver),
        Just(Back::LedgerCopiedOver),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (at(), 0..4u8, any::<bool>()).prop_map(|(at, folder, old)| Action::Deliver { at, folder, old }),
        6 => (at(), any::<u8>(), 0..3u8, any::<bool>())
            .prop_map(|(at, mail, folder, later)| Action::Twin { at, mail, folder, later }),
        4 => (at(), any::<u8>()).prop_map(|(at, mail)| Action::Delete { at, mail }),
        4 => (at(), any::<u8>(), 0..6u8).prop_map(|(at, mail, folder)| Action::Move { at, mail, folder }),
        1 => (at(), any::<u8>(), 0..6u8).prop_map(|(at, mail, folder)| Action::MoveAndBack { at, mail, folder }),
        2 => (at(), any::<u8>(), 0..6u8).prop_map(|(at, folder, to)| Action::RenameFolder { at, folder, to }),
        1 => (at(), any::<u8>()).prop_map(|(at, folder)| Action::DeleteFolder { at, folder }),
        2 => (at(), any::<u8>(), 0..3u8).prop_map(|(at, mail, flag)| Action::Flag { at, mail, flag }),
        3 => (at(), any::<bool>()).prop_map(|(at, same_size)| Action::EditDraft { at, same_size }),
        2 => at().prop_map(|at| Action::BackUp { at }),
        2 => at().prop_map(|at| Action::Restore { at }),
        1 => at().prop_map(|at| Action::Revalidate { at }),
        1 => at().prop_map(|at| Action::Renumber { at }),
        1 => Just(Action::Forget),
        1 => Just(Action::BackUpInstance),
        1 => back().prop_map(Action::RestoreInstance),
        1 => Just(Action::Clone),
        2 => which().prop_map(Action::RunInClone),
        1 => which().prop_map(Action::RunWithClone),
        1 => which().prop_map(Action::Recreate),
        2 => (which(), options()).prop_map(|(which, options)| Action::Configure(which, options)),
        12 => which().prop_map(Action::Run),
        2 => Just(Action::RunBoth),
        4 => (which(), 0..100u8).prop_map(|(which, part)| Action::Kill(which, part)),
    ]
}

/// Random sequences.
pub(super) fn sequence() -> impl Strategy<Value = Sequence> {
    let second = prop_oneof![
        4 => Just(Second::None),
        1 => options().prop_map(Second::SameSource),
        1 => options().prop_map(Second::OtherSource),
    ];
    let actions = prop::collection::vec(action(), 1..40);
    (options(), second, actions).prop_map(|(first, second, actions)| Sequence {
        first,
        second,
        actions,
    })
}
