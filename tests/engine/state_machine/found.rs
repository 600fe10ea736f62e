// SPDX-License-Identifier: GPL-3.0-or-later
//! Sequences that matter, each as short as it can be, between scripted and between real servers.

use super::action::{Action, At, Options, Remote, Second, Sequence, Which};
use super::dovecot::Dovecots;
use super::machine::play;
use super::scripted::Scripted;
use crate::instance::Back;

pub(super) const COPY: Options = Options {
    inbox: false,
    delete_local: false,
    remote: Remote::Keep,
};
pub(super) const MIRROR: Options = Options {
    delete_local: true,
    ..COPY
};
const MOVE: Options = Options {
    remote: Remote::Delete,
    ..COPY
};

pub(super) const RUN: Action = Action::Run(Which::First);

pub(super) fn arrives(at: At, folder: u8) -> Action {
    Action::Deliver {
        at,
        folder,
        old: false,
    }
}

pub(super) fn everywhere(first: Options, second: Second, actions: &[Action]) -> anyhow::Result<()> {
    let sequence = Sequence {
        first,
        second,
        actions: actions.to_vec(),
    };
    play::<Scripted>(&sequence)?;
    play::<Dovecots>(&sequence)
}

#[test]
fn every_version_of_a_draft_is_kept() -> anyhow::Result<()> {
    let edit = |same_size| Action::EditDraft {
        at: At::Remote,
        same_size,
    };
    let edits = [
        edit(false),
        RUN,
        edit(false),
        RUN,
        edit(true),
        RUN,
        edit(true),
        edit(false),
        RUN,
    ];
    everywhere(COPY, Second::None, &edits)?;
    everywhere(MOVE, Second::None, &edits)
}

#[test]
fn the_next_version_of_a_draft_is_not_the_one_that_was_delivered_from_another_generation()
-> anyhow::Result<()> {
    let at = At::Remote;
    let actions = [
        Action::EditDraft { at, same_size: false },
        RUN,
        Action::Delete {
            at: At::Local,
            mail: 0,
        },
        Action::Revalidate { at },
        Action::EditDraft { at, same_size: true },
        RUN,
    ];
    for options in [COPY, MIRROR] {
        everywhere(options, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn the_next_version_of_a_draft_is_another_one_after_both_sides_were_replaced() -> anyhow::Result<()> {
    let actions = [
        Action::EditDraft {
            at: At::Remote,
            same_size: false,
        },
        RUN,
        Action::Revalidate { at: At::Local },
        RUN,
        Action::Revalidate { at: At::Remote },
        Action::EditDraft {
            at: At::Remote,
            same_size: true,
        },
        RUN,
    ];
    for options in [COPY, MIRROR] {
        everywhere(options, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn what_its_owner_filed_or_renamed_stays_there_once() -> anyhow::Result<()> {
    let at = At::Local;
    let actions = [
        arrives(At::Remote, 0),
        arrives(At::Remote, 1),
        RUN,
        Action::Move {
            at,
            mail: 0,
            folder: 3,
        },
        RUN,
        Action::RenameFolder { at, folder: 1, to: 4 },
        RUN,
    ];
    everywhere(COPY, Second::None, &actions)?;
    everywhere(MIRROR, Second::None, &actions)
}

#[test]
fn another_uidvalidity_brings_nothing_a_second_time() -> anyhow::Result<()> {
    for at in [At::Local, At::Remote] {
        let actions = [
            arrives(At::Remote, 0),
            arrives(At::Remote, 1),
            RUN,
            Action::Revalidate { at },
            arrives(At::Remote, 0),
            RUN,
        ];
        for options in [COPY, MIRROR, MOVE] {
            everywhere(options, Second::None, &actions)?;
        }
    }
    Ok(())
}

#[test]
fn a_local_backup_that_comes_back_is_completed() -> anyhow::Result<()> {
    let at = At::Local;
    let actions = [
        Action::BackUp { at },
        arrives(At::Local, 1),
        arrives(At::Remote, 0),
        RUN,
        Action::Restore { at },
        RUN,
    ];
    everywhere(COPY, Second::None, &actions)
}

#[test]
fn what_a_mirror_deleted_comes_again() -> anyhow::Result<()> {
    let at = At::Remote;
    let actions = [
        arrives(at, 0),
        arrives(at, 0),
        Action::BackUp { at },
        RUN,
        Action::Delete { at, mail: 0 },
        RUN,
        Action::Configure(Which::First, MIRROR),
        RUN,
        Action::Restore { at },
        RUN,
    ];
    everywhere(COPY, Second::None, &actions)
}

#[test]
fn what_a_mirror_deleted_from_another_generation_comes_again() -> anyhow::Result<()> {
    let at = At::Remote;
    let actions = [
        arrives(at, 0),
        arrives(at, 0),
        RUN,
        Action::BackUp { at },
        Action::Revalidate { at },
        RUN,
        Action::Delete { at, mail: 0 },
        RUN,
        Action::Restore { at },
        RUN,
    ];
    everywhere(MIRROR, Second::None, &actions)
}

#[test]
fn own_mail_that_its_owner_files_from_elsewhere_stays() -> anyhow::Result<()> {
    let at = At::Local;
    let actions = [
        arrives(at, 2),
        arrives(at, 0),
        arrives(At::Remote, 0),
        arrives(At::Remote, 1),
        RUN,
        // From a folder that the source does not have, and from one that it has.
        Action::Move {
            at,
            mail: 0,
            folder: 0,
        },
        RUN,
        Action::Move {
            at,
            mail: 0,
            folder: 1,
        },
        RUN,
    ];
    everywhere(MIRROR, Second::None, &actions)
}

#[test]
fn what_a_killed_mirror_deleted_comes_again() -> anyhow::Result<()> {
    let at = At::Remote;
    for part in 0..25 {
        let actions = [
            arrives(at, 0),
            arrives(at, 0),
            arrives(at, 1),
            Action::BackUp { at },
            RUN,
            Action::Delete { at, mail: 0 },
            // Even parts are commands of the local server, before or after they are done.
            Action::Kill(Which::First, part * 4 + part % 2 * 2),
            Action::Restore { at },
            RUN,
        ];
        play::<Scripted>(&Sequence {
            first: MIRROR,
            second: Second::None,
            actions: actions.to_vec(),
        })?;
    }
    Ok(())
}

#[test]
fn two_tasks_of_one_account_at_the_same_time_bring_each_mail_once() -> anyhow::Result<()> {
    let inbox = Options { inbox: true, ..COPY };
    let actions = [
        arrives(At::Remote, 0),
        arrives(At::Remote, 1),
        Action::RunBoth,
        arrives(At::Remote, 0),
        Action::RunBoth,
    ];
    everywhere(COPY, Second::SameSource(COPY), &actions)?;
    everywhere(COPY, Second::SameSource(inbox), &actions)
}

#[test]
fn a_mirror_leaves_alone_what_another_task_brought() -> anyhow::Result<()> {
    let actions = [
        arrives(At::Remote, 0),
        arrives(At::Other, 0),
        Action::RunBoth,
        arrives(At::Remote, 0),
        Action::RunBoth,
    ];
    everywhere(MIRROR, Second::OtherSource(MOVE), &actions)
}

#[test]
fn a_run_that_is_killed_again_and_again_is_completed() -> anyhow::Result<()> {
    let mut actions = vec![
        arrives(At::Remote, 0),
        arrives(At::Remote, 0),
        arrives(At::Remote, 1),
    ];
    actions.extend((0..20).map(|step| Action::Kill(Which::First, step * 4 + step % 4)));
    everywhere(COPY, Second::None, &actions)?;
    everywhere(MOVE, Second::None, &actions)
}

#[test]
fn a_mirror_whose_ledger_is_an_older_one_leaves_alone_what_was_moved_since() -> anyhow::Result<()> {
    let arrives_everywhere = [arrives(At::Remote, 0), arrives(At::Other, 0)];
    for back in [
        Back::Restored,
        Back::Copied,
        Back::CopiedOver,
        Back::LedgerCopiedOver,
    ] {
        let mut actions = arrives_everywhere.to_vec();
        actions.extend([RUN, Action::Run(Which::Second), Action::BackUpInstance]);
        actions.extend(arrives_everywhere);
        let back = Action::RestoreInstance(back);
        actions.extend([RUN, Action::Run(Which::Second), back, RUN]);
        everywhere(MIRROR, Second::OtherSource(MOVE), &actions)?;
        // The task itself moved it, and mirrors now.
        let actions = [
            arrives(At::Remote, 0),
            RUN,
            Action::BackUpInstance,
            Action::Configure(Which::First, MOVE),
            arrives(At::Remote, 0),
            arrives(At::Remote, 1),
            RUN,
            back,
            Action::Configure(Which::First, MIRROR),
            RUN,
        ];
        everywhere(MIRROR, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn a_clone_next_to_its_original_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let (first, second) = (Which::First, Which::Second);
    let arrives_everywhere = [arrives(At::Remote, 0), arrives(At::Other, 0)];
    let mut actions = arrives_everywhere.to_vec();
    actions.extend([RUN, Action::Run(second), Action::Clone]);
    for turns in [
        [
            Action::RunInClone(second),
            Action::RunInClone(first),
            RUN,
            Action::Run(second),
        ],
        [
            Action::Run(second),
            Action::RunInClone(first),
            Action::RunInClone(second),
            RUN,
        ],
        [
            Action::RunWithClone(second),
            Action::RunWithClone(first),
            RUN,
            Action::RunInClone(first),
        ],
    ] {
        actions.extend(arrives_everywhere);
        actions.extend(turns);
        actions.push(Action::Delete {
            at: At::Remote,
            mail: 0,
        });
    }
    for second in [COPY, MOVE, MIRROR] {
        for first in [COPY, MOVE, MIRROR] {
            everywhere(first, Second::OtherSource(second), &actions)?;
        }
    }
    Ok(())
}

/// Nothing tells which of two that are equal in everything its owner filed there: the one that is there counts as both.
#[test]
fn a_twin_that_arrives_where_its_owner_filed_the_copy_may_be_there_once() -> anyhow::Result<()> {
    let actions = [
        arrives(At::Remote, 1),
        RUN,
        Action::Move {
            at: At::Local,
            mail: 0,
            folder: 0,
        },
        Action::Twin {
            at: At::Remote,
            mail: 0,
            folder: 0,
            later: false,
        },
    ];
    for options in [COPY, MIRROR, MOVE] {
        everywhere(options, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn what_its_owner_removed_on_both_sides_is_not_missed() -> anyhow::Result<()> {
    let at = At::Remote;
    let actions = [
        Action::EditDraft { at, same_size: false },
        Action::Twin {
            at,
            mail: 0,
            folder: 0,
            later: false,
        },
        RUN,
        Action::Delete {
            at: At::Local,
            mail: 0,
        },
        Action::Delete { at, mail: 0 },
    ];
    let inbox = |options: Options| Options {
        inbox: true,
        ..options
    };
    for options in [inbox(MOVE), inbox(COPY), COPY, MOVE] {
        everywhere(options, Second::None, &actions)?;
    }
    Ok(())
}

#[test]
fn a_draft_edited_after_a_restore_under_a_uid_that_was_given_before_is_new() -> anyhow::Result<()> {
    let edit = Action::EditDraft {
        at: At::Remote,
        same_size: false,
    };
    let moved = |mail, folder| Action::Move {
        at: At::Remote,
        mail,
        folder,
    };
    play::<Scripted>(&Sequence {
        first: COPY,
        second: Second::OtherSource(COPY),
        actions: vec![
            edit,
            arrives(At::Remote, 0),
            moved(29, 2),
            moved(11, 0),
            RUN,
            Action::Renumber { at: At::Remote },
            edit,
        ],
    })
}

#[test]
fn what_a_clone_brought_is_known_after_a_local_backup_gave_uids_for_a_second_time() -> anyhow::Result<()> {
    play::<Scripted>(&Sequence {
        first: MIRROR,
        second: Second::None,
        actions: vec![
            arrives(At::Local, 0),
            arrives(At::Local, 0),
            arrives(At::Remote, 2),
            Action::Clone,
            RUN,
            arrives(At::Local, 2),
            RUN,
            Action::EditDraft {
                at: At::Remote,
                same_size: false,
            },
            Action::RunInClone(Which::First),
            Action::Renumber { at: At::Local },
        ],
    })
}
