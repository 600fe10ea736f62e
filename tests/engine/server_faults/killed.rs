// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs that are killed at each of their commands, and what arrives after that.

use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, SIDES, World, message};

#[test]
fn an_equal_message_that_arrives_after_a_killed_run_is_another_one() {
    let twin = message("twin", 300);
    for (side, done) in SIDES.into_iter().flat_map(|side| [(side, false), (side, true)]) {
        for skip in 0.. {
            let world = World::with(Mode::DeleteRemote, Model::new('/', ""), |remote, _| {
                for folder in ["INBOX", "Work"] {
                    remote.add(folder, &twin, &[]);
                    remote.add(folder, &message(folder, 300), &[]);
                    remote.add(folder, &twin, &[]);
                }
            });
            let mut world = world.titled(format!("{side:?}, command {skip}, done: {done}"));
            let was_killed = world.kill(side, skip, done);
            for folder in ["INBOX", "Work"] {
                world.arrives(folder, &twin);
            }
            world.complete();
            world.idle();
            if !was_killed {
                break;
            }
        }
    }
}
