// SPDX-License-Identifier: GPL-3.0-or-later
//! Another program pulls the same account into the same mailbox at the same time, and neither sees the other's ledger.

use crate::server_faults::fault::{ALWAYS, Act, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::world::{MODES, Mode, Side, World, everywhere, message};

#[test]
fn what_another_program_brought_meanwhile_is_not_there_twice() {
    for (skip, times) in [(0, ALWAYS), (0, 1), (1, 1)] {
        everywhere(&[Side::Local], &MODES, |side, mode| {
            let world = World::new(mode).titled(format!("{mode:?}, {times} after {skip}"));
            let rule = Rule::times(times, "APPEND", "", Act::AfterAnother).after(skip);
            world.server(side).behave(Faults::rule(rule));
            // The run itself leaves nothing twice.
            world.finish();
            world.complete();
            world.idle();
        });
    }
}

#[test]
fn a_run_that_is_cut_off_while_it_removes_second_copies_is_completed() {
    let removing: [fn() -> Rule; 5] = [
        || Rule::once("UID STORE", "\\Deleted", Act::Close),
        || Rule::once("UID STORE", "\\Deleted", Act::DoAndClose),
        || Rule::once("UID STORE", "\\Deleted", Act::DoAndDie),
        || Rule::once("UID EXPUNGE", "", Act::DoAndClose),
        || Rule::once("UID EXPUNGE", "", Act::DoAndDie),
    ];
    // Most of it is waiting for a server that died.
    std::thread::scope(|scope| {
        for rule in removing {
            scope.spawn(move || {
                everywhere(&[Side::Local], &[Mode::Copy, Mode::Inbox], |side, mode| {
                    let world = World::new(mode).titled(format!("{mode:?}, {:?}", rule()));
                    let another = Rule::times(ALWAYS, "APPEND", "", Act::AfterAnother);
                    world.server(side).behave(Faults {
                        rules: vec![another, rule()],
                        ..Faults::default()
                    });
                    world.run_unjudged();
                    world.complete();
                    world.idle();
                })
            });
        }
    });
}

#[test]
fn what_was_sent_before_a_crash_and_brought_by_another_program_is_not_there_twice() {
    everywhere(&[Side::Local], &MODES, |side, mode| {
        let world = World::new(mode).titled(format!("{mode:?}"));
        let before = world.server(side).model().folders["INBOX"].messages.len();
        let rule = Rule::once("APPEND", "INBOX", Act::DoAndDie);
        world.server(side).behave(Faults::rule(rule));
        world.run_unjudged();
        let mut model = world.server(side).model();
        let sent = model.folders["INBOX"].messages[before..].to_vec();
        assert!(!sent.is_empty(), "{mode:?}");
        for message in sent {
            model.add("INBOX", &message.body, &[]);
        }
        drop(model);
        world.complete();
        world.idle();
    });
}

/// What a server does not tell: the UIDs of what it takes; and more than one message at once it does not take.
const SILENT: [&[&str]; 3] = [&[], &["UIDPLUS"], &["UIDPLUS", "MULTIAPPEND"]];

#[test]
fn nothing_is_there_twice_where_the_server_does_not_tell_whose_a_copy_is() {
    for without in SILENT {
        everywhere(&[Side::Local], &MODES, |side, mode| {
            let world = World::new(mode).titled(format!("{mode:?}, without {without:?}"));
            let rule = Rule::times(ALWAYS, "APPEND", "", Act::AfterAnother);
            world.server(side).behave(Faults {
                rules: vec![rule],
                ..Faults::without(without)
            });
            world.finish();
            world.server(side).behave(Faults::without(without));
            world.idle();
        });
    }
}

#[test]
fn a_connection_that_is_lost_while_another_program_brings_the_same_leaves_nothing_twice() {
    let acts: [(usize, Act); 6] = [
        (0, Act::AfterAnotherAndClose),
        (1, Act::AfterAnotherAndClose),
        (0, Act::LateAfterAnother { commands: 0 }),
        (0, Act::LateAfterAnother { commands: 5 }),
        (1, Act::LateAfterAnother { commands: 12 }),
        (0, Act::LateAfterAnother { commands: 100_000 }),
    ];
    std::thread::scope(|scope| {
        for without in SILENT {
            for (skip, act) in &acts {
                scope.spawn(move || {
                    everywhere(&[Side::Local], &MODES, |side, mode| {
                        let title = format!("{mode:?}, {act:?} after {skip}, without {without:?}");
                        let world = World::new(mode).titled(title);
                        let others = Rule::times(ALWAYS, "APPEND", "", Act::AfterAnother);
                        world.server(side).behave(Faults {
                            rules: vec![Rule::once("APPEND", "", act.clone()).after(*skip), others],
                            ..Faults::without(without)
                        });
                        world.run_unjudged();
                        world.server(side).behave(Faults::without(without));
                        world.server(side).hurry();
                        world.run_unjudged();
                        world.finish();
                        world.idle();
                        world.complete();
                    });
                });
            }
        }
    });
}

/// What its owner put there stays, however alike.
#[test]
fn another_message_that_came_meanwhile_stays() {
    everywhere(&[Side::Local], &MODES, |side, mode| {
        let mut world = World::new(mode).titled(format!("{mode:?}"));
        world.has_locally("INBOX", &message("two", 400));
        let rule = Rule::times(ALWAYS, "APPEND", "", Act::AfterAnother);
        world.server(side).behave(Faults::rule(rule));
        world.finish();
        world.complete();
    });
}

fn many(remote: &mut Model, _: &mut Model) {
    for n in 0..300 {
        let folder = ["INBOX", "Work", "Private"][n % 3];
        remote.add(folder, &message(&format!("m{n}"), 300 + 10 * n), &[]);
        if n % 50 == 0 {
            remote.add(folder, &message(&format!("m{n}"), 300 + 10 * n), &[]);
        }
    }
}

#[test]
fn two_instances_that_start_together_bring_nothing_twice() {
    everywhere(&[Side::Local], &MODES, |_, mode| {
        for instances in [2, 3] {
            let world = World::with(mode, Model::new('/', ""), many)
                .titled(format!("{instances} instances, {mode:?}"));
            world.run_together(instances);
            world.complete();
            world.idle();
        }
    });
}

/// Between its STORE and its EXPUNGE at the source, a moving run shows its mark to everyone.
#[test]
fn what_another_program_brought_and_marked_meanwhile_is_not_there_twice() {
    for without in SILENT {
        let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
            for n in 0..12 {
                let flags: &[&str] = if n % 2 == 0 { &["\\Deleted"] } else { &[] };
                remote.add("INBOX", &message(&format!("moved{n}"), 300 + 10 * n), flags);
            }
        });
        let rule = Rule::times(ALWAYS, "APPEND", "", Act::AfterAnotherThatMarked);
        world.server(Side::Local).behave(Faults {
            rules: vec![rule],
            ..Faults::without(without)
        });
        world.finish();
        assert_once(&world);
        world.complete();
        assert_once(&world);
        let model = world.local.model();
        assert!(
            model.folders["INBOX"]
                .messages
                .iter()
                .all(|one| !one.has("\\Deleted")),
            "{without:?}"
        );
    }
}

/// Marked by the owner of the source, so that both copies are.
#[test]
fn two_instances_bring_marked_messages_once() {
    for _ in 0..3 {
        let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
            for n in 0..60 {
                remote.add("INBOX", &message(&format!("marked{n}"), 300), &["\\Deleted"]);
            }
        });
        world.run_together(2);
        world.complete();
        assert_once(&world);
        let model = world.local.model();
        assert!(
            model.folders["INBOX"]
                .messages
                .iter()
                .all(|one| one.has("\\Deleted"))
        );
    }
}

#[test]
fn two_instances_of_which_one_loses_its_connection_bring_nothing_twice() {
    for without in SILENT {
        everywhere(&[Side::Local], &MODES, |side, mode| {
            for skip in [0, 3] {
                let world = World::with(mode, Model::new('/', ""), many)
                    .titled(format!("{mode:?}, after {skip}, without {without:?}"));
                world.server(side).behave(Faults {
                    rules: vec![Rule::once("APPEND", "", Act::DoAndClose).after(skip)],
                    ..Faults::without(without)
                });
                world.run_together_unjudged(2);
                world.server(side).behave(Faults::without(without));
                world.finish();
                world.idle();
                world.complete();
            }
        });
    }
}

/// How often the local side has a message, in whatever folder.
fn copies(world: &World, body: &[u8]) -> usize {
    let model = world.local.model();
    let all = model.folders.values().flat_map(|folder| &folder.messages);
    all.filter(|one| one.body == body).count()
}

/// The local side has each message of the remote inbox once.
fn assert_once(world: &World) {
    let wanted = world.remote.model().folders["INBOX"].messages.clone();
    for message in wanted {
        let text = String::from_utf8_lossy(&message.body);
        assert_eq!(copies(world, &message.body), 1, "{}: {text}", world.title);
    }
}

fn unread(remote: &mut Model, _: &mut Model) {
    for n in 0..12 {
        remote.add("INBOX", &message(&format!("u{n}"), 300 + 10 * n), &[]);
    }
}

fn filtering() -> Faults {
    Faults {
        with: vec!["FILTER=SIEVE"],
        ..Faults::default()
    }
}

#[test]
fn a_copy_that_arrives_after_the_other_one_was_filed_is_removed() {
    let world = World::with(Mode::Inbox, Model::new('/', ""), unread).filtered();
    world.local.behave(Faults {
        rules: vec![Rule::once("APPEND", "", Act::Late { commands: 100_000 })],
        ..filtering()
    });
    let run = world.run_unjudged();
    assert_eq!(run.exit, Some(0), "{run:#?}");
    assert_once(&world);
    world.local.behave(filtering());
    world.local.hurry();
    let run = world.run_unjudged();
    assert_eq!(run.exit, Some(0), "{run:#?}");
    assert_once(&world);
    let model = world.local.model();
    assert!(model.folders["INBOX"].messages.is_empty(), "{run:#?}");
}

#[test]
fn filters_that_one_task_owes_are_not_cancelled_by_another() {
    let mut killed = 0;
    for command in 0.. {
        let world = World::with(Mode::Inbox, Model::new('/', ""), unread)
            .filtered()
            .titled(format!("killed at command {command}"));
        let other = world.unfiltered_task("other1");
        world.local.behave(filtering());
        if !world.kill_between(Side::Local, command, true, filtering) {
            break;
        }
        killed += 1;
        let log = world.run_task(&other).log;
        assert!(!log.contains("stay unfiltered"), "{}: {log}", world.title);
        for _ in 0..2 {
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{}: {run:#?}", world.title);
        }
        assert_once(&world);
    }
    assert!(killed > 5, "the run was never killed at its work");
}

/// Filters of one instance may file a message before the other one looks and without a mark of it on the source: it is
/// there once for each instance at most, and no run after that brings it again.
#[test]
fn two_instances_that_filter_lose_nothing() {
    for round in 0..6 {
        let instances = 2 + round % 2;
        let world = World::with(Mode::Inbox, Model::new('/', ""), unread)
            .filtered()
            .titled(format!("round {round}"));
        world.local.behave(filtering());
        world.run_together_unjudged(instances);
        for _ in 0..2 {
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{run:#?}");
        }
        let wanted = world.remote.model().folders["INBOX"].messages.clone();
        let found: Vec<usize> = wanted
            .iter()
            .map(|message| copies(&world, &message.body))
            .collect();
        assert!(
            found.iter().all(|copies| (1..=instances).contains(copies)),
            "{}: {found:?}",
            world.title
        );
        let run = world.run_unjudged();
        assert_eq!(run.report.messages.copied, 0, "{run:#?}");
    }
}
