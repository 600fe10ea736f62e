// SPDX-License-Identifier: GPL-3.0-or-later
//! Tasks that pull unread mail of the inbox and delete it there: what comes once more, and what comes back.

use super::action::{Action, At, Options, Remote, Second, Which};
use super::found::{COPY, RUN, arrives, everywhere};

const MOVE: Options = Options {
    inbox: true,
    remote: Remote::Delete,
    ..COPY
};

const KEEP: Options = Options {
    remote: Remote::Keep,
    ..MOVE
};

const AT: At = At::Remote;

fn twin(later: bool) -> Action {
    Action::Twin {
        at: AT,
        mail: 0,
        folder: 0,
        later,
    }
}

#[test]
fn an_equal_message_is_copied_however_long_ago_the_other_one_was() -> anyhow::Result<()> {
    for runs in 1..4 {
        for later in [false, true] {
            let mut actions = vec![arrives(AT, 0)];
            actions.extend(std::iter::repeat_n(RUN, runs));
            actions.extend([twin(later), RUN, twin(later), arrives(AT, 0), RUN]);
            for options in [MOVE, KEEP] {
                everywhere(options, Second::None, &actions)?;
            }
        }
    }
    Ok(())
}

#[test]
fn what_a_backup_brings_back_is_not_copied_again() -> anyhow::Result<()> {
    for runs in 0..3 {
        for news in 0..3 {
            let mut actions = vec![
                arrives(At::Local, 0),
                arrives(AT, 0),
                arrives(AT, 0),
                Action::BackUp { at: AT },
            ];
            actions.extend(std::iter::repeat_n(RUN, runs));
            actions.extend(std::iter::repeat_n(arrives(AT, 0), news));
            actions.extend([RUN, Action::Restore { at: AT }]);
            actions.extend(std::iter::repeat_n(arrives(AT, 0), news));
            for options in [MOVE, KEEP] {
                everywhere(options, Second::None, &actions)?;
            }
        }
    }
    Ok(())
}

#[test]
fn an_equal_message_is_copied_although_the_first_run_that_saw_it_was_killed() -> anyhow::Result<()> {
    for part in [10, 21, 32, 43, 54, 65, 76, 87] {
        let mut actions = vec![arrives(AT, 0), RUN, RUN, twin(false)];
        actions.extend([Action::Kill(Which::First, part), RUN]);
        everywhere(MOVE, Second::None, &actions)?;
    }
    Ok(())
}
