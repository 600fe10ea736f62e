// SPDX-License-Identifier: GPL-3.0-or-later
//! A clone that goes on next to its original: each knows what both knew when the clone was made, and nothing that the other
//! one did since.

use ns8_imapsync::task::TaskName;

use crate::server_faults::model::Model;
use crate::server_faults::server::Server;
use crate::server_faults::world::{MODES, Mode, REMOTE_PASSWORD, Side, World, everywhere, message};

fn new_mail(world: &mut World, round: usize) {
    world.arrives("INBOX", &message(&format!("inbox {round}"), 300 + 10 * round));
    world.arrives("Work", &message(&format!("work {round}"), 400));
}

#[test]
fn a_clone_and_its_original_in_turns_lose_and_double_nothing() {
    for is_beside in [true, false] {
        everywhere(&[Side::Local], &MODES, |_, mode| {
            let mut world = World::new(mode).titled(format!("{mode:?}, beside: {is_beside}"));
            world.complete();
            let clone = world.cloned(is_beside);
            for round in 0..4 {
                new_mail(&mut world, round);
                if round % 2 == 0 {
                    world.run_in(&clone);
                    world.complete();
                } else {
                    world.complete();
                    world.run_in(&clone);
                }
            }
            world.run_in(&clone);
            world.idle();
        });
    }
}

#[test]
fn a_clone_and_its_original_at_the_same_moment_lose_and_double_nothing() {
    for is_beside in [true, false] {
        everywhere(&[Side::Local], &MODES, |_, mode| {
            let mut world = World::new(mode).titled(format!("{mode:?}, beside: {is_beside}"));
            world.complete();
            let clone = world.cloned(is_beside);
            for round in 0..6 {
                new_mail(&mut world, round);
                world.run_with(&[&clone]);
            }
            world.complete();
            world.run_in(&clone);
            world.idle();
        });
    }
}

/// How often the local inbox has it.
fn there(world: &World, body: &[u8]) -> usize {
    let model = world.local.model();
    let inbox = &model.folders["INBOX"].messages;
    inbox.iter().filter(|one| one.body == body).count()
}

#[test]
fn what_the_original_moved_in_is_not_deleted_by_the_mirror_of_its_clone() {
    let world = World::new(Mode::DeleteLocal);
    let other = other_source(&world);
    world.run_unjudged();
    let clone = world.cloned(true);
    other.server.model().add("INBOX", &message("moved", 300), &[]);
    world.run_task(&other.task);
    assert_eq!(there(&world, &message("moved", 300)), 1);
    for _ in 0..3 {
        let run = clone.wait(world.name(), clone.start(world.name()));
        assert_eq!(run.report.deleted_local, 0, "{run:#?}");
        assert!(run.log.contains("nothing is deleted on either side"), "{run:#?}");
    }
    assert_eq!(there(&world, &message("moved", 300)), 1);
}

#[test]
fn what_a_clone_brings_is_still_somewhere_after_a_run_of_the_mirror_of_the_original() {
    let world = World::new(Mode::DeleteLocal);
    let other = other_source(&world);
    world.run_unjudged();
    let clone = world.cloned(true);
    let moved = message("moved", 300);
    other.server.model().add("INBOX", &moved, &[]);
    let in_clone = || clone.wait(&other.task, clone.start(&other.task));
    in_clone();
    assert_eq!(there(&world, &moved), 1);
    for _ in 0..2 {
        world.run_unjudged();
    }
    // The original's own task brings it for good.
    world.run_task(&other.task);
    for _ in 0..2 {
        world.run_unjudged();
        in_clone();
    }
    assert_eq!(there(&world, &moved), 1);
    assert!(other.server.model().folders["INBOX"].messages.is_empty());
}

struct OtherSource {
    server: Server,
    task: TaskName,
}

/// Another source, and a task of the same user that moves what is there.
fn other_source(world: &World) -> OtherSource {
    let server = Server::start(Model::new('/', ""), "me@there", REMOTE_PASSWORD, false);
    let task = world.task_at("def456", Mode::DeleteRemote, "localhost", &server);
    OtherSource { server, task }
}
