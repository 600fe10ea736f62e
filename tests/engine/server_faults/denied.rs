// SPDX-License-Identifier: GPL-3.0-or-later
//! The destination stores messages and says that it did not.

use super::fault::{Act, CAPABILITIES, Faults, Rule};
use super::world::{MODES, Side, World, everywhere};

#[test]
fn what_is_stored_and_refused_is_there_once() {
    for without in [&[][..], &CAPABILITIES] {
        for (answer, times) in [
            ("NO [SERVERBUG] Internal error occurred", 2),
            ("NO [OVERQUOTA] Quota exceeded", 1),
            ("BAD Error in IMAP command APPEND", 2),
            // Sent again in a moment.
            ("NO [INUSE] The mailbox is locked", 1),
        ] {
            everywhere(&[Side::Local], &MODES, |side, mode| {
                let world =
                    World::new(mode).titled(format!("{answer}, {times} times, {mode:?}, {without:?}"));
                let mut faults = Faults::without(without);
                let rule = Rule::times(times, "APPEND", "", Act::DoAndAnswer(answer));
                faults.rules.push(rule);
                world.server(side).behave(faults);
                world.run_unjudged();
                world.complete();
                world.idle();
            });
        }
    }
}
