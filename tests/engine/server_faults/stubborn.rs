// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that stand in the way of others: servers that break off at one of them, mailboxes that are too full for some.

use crate::server_faults::fault::{ALWAYS, Act, CAPABILITIES, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::world::{MODES, Mode, Run, Side, World, everywhere, message};

/// How many of the bodies with a text the local side has.
fn count_local(world: &World, text: &str) -> usize {
    let model = world.local.model();
    let messages = model.folders.values().flat_map(|folder| &folder.messages);
    messages
        .filter(|message| memchr::memmem::find(&message.body, text.as_bytes()).is_some())
        .count()
}

/// Everything but one message arrives, at the first run.
fn all_but(world: &World, run: &Run, exit: i32, says: &str) {
    let title = &world.title;
    assert_eq!(run.exit, Some(exit), "{title}: {run:#?}");
    assert!(run.log.contains(says), "{title}: nothing of {says:?}: {run:#?}");
    assert_eq!(run.report.messages.failed, 1, "{title}: {run:#?}");
    assert_eq!(count_local(world, "<two@scripted>"), 0, "{title}: {run:#?}");
    assert_eq!(count_local(world, "<twin@scripted>"), 2, "{title}: {run:#?}");
    if world.mode != Mode::Inbox {
        assert_eq!(count_local(world, "<four@scripted>"), 1, "{title}: {run:#?}");
    }
}

#[test]
fn the_source_breaks_off_at_one_message() {
    for without in [&[][..], &CAPABILITIES] {
        everywhere(&[Side::Remote], &MODES, |side, mode| {
            let world =
                World::new(mode).titled(format!("breaks at a message, {mode:?}, without {without:?}"));
            world.server(side).behave(Faults {
                breaks: Some("<two@scripted>"),
                ..Faults::without(without)
            });
            // The next run tries again, and is not held up either.
            for _ in 0..2 {
                all_but(
                    &world,
                    &world.run(),
                    115,
                    "the connection breaks whenever it is read",
                );
            }
            world.complete();
            world.idle();
        });
    }
}

#[test]
fn the_source_breaks_off_at_headers() {
    // One of them, and several: "twin" is there twice.
    for (text, culprits) in [("<two@scripted>", 1), ("@scripted", 7)] {
        for without in [&[][..], &CAPABILITIES] {
            everywhere(&[Side::Remote], &MODES, |side, mode| {
                let world =
                    World::new(mode).titled(format!("breaks at {text}, {mode:?}, without {without:?}"));
                world.server(side).behave(Faults {
                    breaks_at_header: Some(text),
                    ..Faults::without(without)
                });
                let run = world.run();
                assert_eq!(run.exit, Some(115), "{}: {run:#?}", world.title);
                let told = run
                    .log
                    .matches("the connection breaks whenever it is read")
                    .count();
                assert!((1..=culprits).contains(&told), "{}: {run:#?}", world.title);
                // Only headers are dangerous: a folder that is new here is copied without a look at them.
                let others = if mode == Mode::Inbox { 0 } else { 1 };
                assert_eq!(
                    count_local(&world, "<four@scripted>"),
                    others,
                    "{}: {run:#?}",
                    world.title
                );
                if culprits == 1 {
                    assert_eq!(
                        count_local(&world, "<twin@scripted>"),
                        2,
                        "{}: {run:#?}",
                        world.title
                    );
                }
                world.complete();
                world.idle();
            });
        }
    }
}

#[test]
fn the_destination_dies_while_it_stores_a_message() {
    everywhere(&[Side::Local], &[Mode::Copy, Mode::DeleteRemote], |side, mode| {
        let world = World::new(mode).titled(format!("dies for good, {mode:?}"));
        let rule = Rule::once("APPEND", "", Act::DoAndDie);
        world.server(side).behave(Faults::rule(rule));
        let run = world.run();
        assert_eq!(run.exit, Some(102), "{}: {run:#?}", world.title);
        assert_eq!(run.report.messages.failed, 0, "no message is to blame: {run:#?}");
        world.complete();
        world.idle();
    });
}

#[test]
fn the_destination_breaks_off_at_one_message() {
    for without in [&[][..], &["MULTIAPPEND"], &["UIDPLUS"], &CAPABILITIES] {
        everywhere(&[Side::Local], &MODES, |side, mode| {
            let world =
                World::new(mode).titled(format!("breaks at an APPEND, {mode:?}, without {without:?}"));
            let mut faults = Faults::without(without);
            let rule = Rule::times(ALWAYS, "APPEND", "<two@scripted>", Act::Close);
            faults.rules.push(rule);
            world.server(side).behave(faults);
            for _ in 0..2 {
                all_but(
                    &world,
                    &world.run(),
                    114,
                    "host2 drops the connection whenever this ",
                );
            }
            world.complete();
            world.idle();
        });
    }
}

#[test]
fn a_source_that_breaks_off_at_every_message_ends_the_run() {
    let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
        for n in 0..60 {
            remote.add("INBOX", &message(&format!("n{n}"), 300), &[]);
        }
    });
    world.remote.behave(Faults {
        breaks: Some("@scripted"),
        ..Faults::default()
    });
    let run = world.run();
    assert_eq!(run.exit, Some(101), "{run:#?}");
    assert!(run.log.contains("one message after another"), "{run:#?}");
    world.complete();
    world.idle();
}

#[test]
fn large_messages_do_not_starve_small_ones_behind_them() {
    const LARGE: usize = 80;
    const SMALL: usize = 30;
    for without in [&[][..], &CAPABILITIES] {
        let world = World::with(Mode::DeleteRemote, Model::new('/', ""), |remote, _| {
            for n in 0..LARGE {
                remote.add("INBOX", &message(&format!("large{n}"), 40_000), &[]);
            }
            for n in 0..SMALL {
                remote.add("INBOX", &message(&format!("small{n}"), 300), &[]);
                let folder = format!("Work {n}");
                remote.add(&folder, &message(&format!("large{}", LARGE + n), 40_000), &[]);
                remote.add(&folder, &message(&format!("work{n}"), 300), &[]);
            }
        });
        let faults = Faults {
            quota: Some(30_000),
            ..Faults::without(without)
        };
        world.local.behave(faults.clone());
        world.remote.behave(Faults::without(without));
        for _ in 0..2 {
            let run = world.run();
            assert_eq!(run.exit, Some(113), "{run:#?}");
            let some = "messages wait for another run: the local mailbox has no room for them";
            assert!(run.log.contains(some), "{run:#?}");
            assert!(run.report.messages.failed < 55, "{run:#?}");
            assert!(
                world
                    .remote
                    .heard()
                    .iter()
                    .any(|line| line.contains("NOT SMALLER"))
            );
            assert_eq!(count_local(&world, "<small"), SMALL, "{run:#?}");
            assert_eq!(count_local(&world, "<work"), SMALL, "{run:#?}");
            // What was delivered is deleted there, although the rest has to wait.
            assert_eq!(world.remote.model().folders["INBOX"].messages.len(), LARGE);
        }
        world.complete();
        world.idle();
    }
}

#[test]
fn a_mailbox_that_takes_nothing_is_soon_left_alone() {
    let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
        // More folders than commands are sent ahead.
        for n in 0..400 {
            let folder = format!("Work {}", n % 80);
            remote.add(&folder, &message(&format!("m{n}"), 300 + 40 * n), &[]);
        }
    });
    world.local.behave(Faults {
        quota: Some(0),
        ..Faults::default()
    });
    let run = world.run();
    assert_eq!(run.exit, Some(113), "{run:#?}");
    assert!((50..80).contains(&run.report.messages.failed), "{run:#?}");
    let heard = world.remote.heard();
    assert!(heard.iter().any(|line| line.contains("NOT SMALLER")), "{run:#?}");
    let run = world.complete();
    assert_eq!(run.report.messages.copied, 400, "{run:#?}");
    world.idle();
}

#[test]
fn a_message_that_is_kept_back_is_noticed_although_the_numbers_agree() {
    let mut world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
        for n in 0..5 {
            remote.add("INBOX", &message(&format!("m{n}"), 300), &[]);
        }
    });
    world.complete();
    // One goes, one comes that the server keeps to itself, one comes.
    world.removed("INBOX", &message("m1", 300));
    world.arrives("INBOX", &message("kept back", 300));
    world.remote.behave(Faults {
        forgotten: Some("<kept back@scripted>"),
        ..Faults::default()
    });
    let run = world.run();
    assert_eq!(run.exit, Some(115), "{run:#?}");
    assert!(run.log.contains("lists it but does not send it"), "{run:#?}");
    world.complete();
    world.idle();
}
