// SPDX-License-Identifier: GPL-3.0-or-later
//! A user's own mail that moves among the local folders before the ledger knows all of them: a mirror never takes it away.

use super::action::{Action, At, Options, Second, Which};
use super::found::{COPY, MIRROR, RUN, arrives, everywhere};

const DRAFT: Action = Action::EditDraft {
    at: At::Local,
    same_size: false,
};

/// The first of all local mails, which is the one in the first folder by name, goes to the inbox.
const TO_INBOX: Action = Action::Move {
    at: At::Local,
    mail: 0,
    folder: 0,
};

#[test]
fn it_stays_when_the_first_run_was_cut_off_between_two_folders() -> anyhow::Result<()> {
    for part in [15, 33, 50, 66, 85] {
        let actions = [
            DRAFT,
            arrives(At::Local, 1),
            arrives(At::Remote, 4),
            Action::Kill(Which::First, part),
            TO_INBOX,
            RUN,
        ];
        everywhere(COPY, Second::SameSource(MIRROR), &actions)?;
        everywhere(MIRROR, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn it_stays_when_it_came_from_a_folder_that_is_deleted_since() -> anyhow::Result<()> {
    for part in [15, 33, 50, 66, 85] {
        let actions = [
            DRAFT,
            arrives(At::Remote, 0),
            arrives(At::Remote, 2),
            Action::Kill(Which::First, part),
            TO_INBOX,
            Action::DeleteFolder {
                at: At::Local,
                folder: 0,
            },
            RUN,
        ];
        everywhere(MIRROR, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn it_stays_when_it_came_from_a_folder_that_nothing_is_pulled_to() -> anyhow::Result<()> {
    for part in [33, 66, 95] {
        let actions = [
            arrives(At::Local, 3),
            arrives(At::Remote, 1),
            Action::Kill(Which::First, part),
            TO_INBOX,
            RUN,
        ];
        everywhere(MIRROR, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn it_stays_when_the_folder_that_it_came_from_is_compared_anew() -> anyhow::Result<()> {
    let replaced = [
        Action::DeleteFolder {
            at: At::Remote,
            folder: 0,
        },
        arrives(At::Remote, 2),
    ];
    for runs in 0..2 {
        let mut actions = vec![
            DRAFT,
            arrives(At::Remote, 0),
            arrives(At::Remote, 2),
            RUN,
            TO_INBOX,
        ];
        actions.extend(std::iter::repeat_n(RUN, runs));
        actions.extend(replaced);
        actions.push(RUN);
        everywhere(MIRROR, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn it_stays_when_a_task_of_the_inbox_was_first() -> anyhow::Result<()> {
    let inbox = Options { inbox: true, ..COPY };
    let actions = [
        DRAFT,
        arrives(At::Remote, 0),
        arrives(At::Remote, 2),
        RUN,
        TO_INBOX,
        Action::Run(Which::Second),
    ];
    everywhere(inbox, Second::SameSource(MIRROR), &actions)
}
