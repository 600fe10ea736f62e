// SPDX-License-Identifier: GPL-3.0-or-later
//! The source makes a message anew at each look, and tells another size than that of what it gives.

use super::fault::{CAPABILITIES, Faults};
use super::server::Server;
use super::world::{Mode, World};

fn count(server: &Server) -> usize {
    let model = server.model();
    model.folders.values().map(|folder| folder.messages.len()).sum()
}

#[test]
fn what_differs_from_itself_is_copied_once_and_deleted_by_no_later_run() {
    for without in [&[][..], &CAPABILITIES] {
        for mode in [Mode::Copy, Mode::DeleteLocal] {
            let world = World::new(mode);
            world.remote.behave(Faults {
                varies: true,
                ..Faults::without(without)
            });
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{run:#?}");
            let copies = count(&world.local);
            let again = world.task_at("def456", Mode::DeleteRemote, "127.0.0.1", &world.remote);
            for _ in 0..2 {
                let run = world.run_unjudged();
                let done = (run.exit, run.report.messages.copied, count(&world.local));
                assert_eq!(done, (Some(0), 0, copies), "{mode:?}: {run:#?}");
                let run = world.run_task(&again);
                let done = (run.report.messages.copied, count(&world.local));
                assert_eq!(done, (0, copies), "{mode:?}: {run:#?}");
                let told = "nothing proves that they are the messages that were delivered";
                assert!(format!("{:?}", run.report).contains(told), "{mode:?}: {run:#?}");
            }
            assert_eq!(count(&world.remote), 8, "{mode:?}");
        }
    }
}

/// Nor does the comparison after a lost ledger bring it again.
#[test]
fn what_differs_from_itself_is_found_again_by_its_header() {
    for size in [-16, 16] {
        let world = World::new(Mode::Copy);
        world.remote.behave(Faults {
            varies: true,
            size,
            ..Faults::default()
        });
        world.run_unjudged();
        let with_trace = |server: &Server| {
            let model = server.model();
            let messages = model.folders.values().flat_map(|folder| &folder.messages);
            messages
                .filter(|message| message.body.starts_with(b"Received"))
                .count()
        };
        let copies = with_trace(&world.local);
        assert!(copies > 3);
        for _ in 0..2 {
            world.forget();
            world.run_unjudged();
            assert_eq!(with_trace(&world.local), copies, "{size}");
        }
    }
}
