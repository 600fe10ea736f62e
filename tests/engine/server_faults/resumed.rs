// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines that break: what came of a large message is not asked for again, and what was about to be asked is.

use std::collections::BTreeSet;

use crate::server_faults::fault::{ALWAYS, Act, After, Cut, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::server::lock;
use crate::server_faults::world::{MODES, Mode, World, message};

const SIZE: usize = 3_000_000;

/// A large message among small ones.
fn world(mode: Mode) -> World {
    World::with(mode, Model::new('/', ""), |remote, _| {
        for n in 0..3 {
            remote.add("INBOX", &message(&format!("before{n}"), 300), &[]);
        }
        remote.add("INBOX", &message("large", SIZE), &["\\Seen"]);
        for n in 0..3 {
            remote.add("INBOX", &message(&format!("after{n}"), 300), &[]);
        }
    })
}

/// Octets that the source sent in all.
fn sent(world: &World) -> u64 {
    lock(&world.remote.shared.sent).iter().sum()
}

#[test]
fn a_line_that_breaks_again_and_again_brings_a_large_message_all_the_same() {
    for mode in [Mode::Copy, Mode::DeleteRemote] {
        for octets in [600_000, 1_000_000, 1_700_000] {
            let world = world(mode);
            world.remote.behave(Faults::cut(After::Octets(octets), None));
            world.finish();
            let sent = sent(&world);
            assert!(sent < SIZE as u64 * 11 / 10, "{mode:?} {octets}: {sent}");
        }
    }
}

#[test]
fn a_server_that_gives_no_parts_is_asked_for_all_of_it() {
    for answer in ["NO Not that", "BAD What?", "OK Done"] {
        let world = world(Mode::DeleteRemote);
        world.remote.behave(Faults {
            cut: Some(Cut {
                after: After::Octets(1_000_000),
                connection: Some(0),
            }),
            ..Faults::rule(Rule::times(
                ALWAYS,
                "UID FETCH",
                "BODY.PEEK[]<",
                Act::Answer(answer),
            ))
        });
        world.finish();
        let sent = sent(&world);
        assert!(sent > SIZE as u64 + 900_000, "{answer}: {sent}");
    }
}

#[test]
fn parts_of_something_else_are_not_put_together() {
    let world = world(Mode::DeleteRemote);
    world.remote.behave(Faults {
        cut: Some(Cut {
            after: After::Octets(1_000_000),
            connection: Some(0),
        }),
        other_parts: true,
        ..Faults::default()
    });
    world.finish();
    let heard = world.remote.heard();
    assert!(heard.iter().any(|command| command.contains("]<")), "{heard:#?}");
}

/// A boundary of a message that the source makes anew at each request.
const BOUNDARY: &str = "=_boundary000000";

/// The local copies of the message, each by the boundaries that are in it.
fn boundaries(world: &World) -> Vec<BTreeSet<Vec<u8>>> {
    let model = world.local.model();
    let messages = model.folders["INBOX"].messages.iter();
    let large = messages.filter(|message| message.body.len() > SIZE);
    large
        .map(|message| {
            let found = memchr::memmem::find_iter(&message.body, b"boundary ");
            found
                .map(|at| message.body[at + 9..at + 9 + BOUNDARY.len()].to_vec())
                .collect()
        })
        .collect()
}

fn generated(mode: Mode) -> World {
    World::with(mode, Model::new('/', ""), |remote, _| {
        let mut body = format!(
            "Received: from a by b; c\r\nMessage-Id: <large@scripted>\r\nX-Type: boundary {BOUNDARY}\r\n\r\n"
        )
        .into_bytes();
        body.extend(b"All work and no play makes Jack a dull boy.\r\n".repeat(SIZE / 45 + 1));
        body.extend(format!("boundary {BOUNDARY}\r\n").bytes());
        remote.add("INBOX", &body, &[]);
    })
}

#[test]
fn two_pieces_of_a_message_that_is_made_anew_are_not_put_together() {
    for mode in MODES {
        let world = generated(mode);
        world.remote.behave(Faults {
            boundary: Some(BOUNDARY),
            ..Faults::cut(After::Octets(1_000_000), Some(0))
        });
        for _ in 0..3 {
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{mode:?}: {run:#?}");
            let found = boundaries(&world);
            assert!(found.len() == 1 && found[0].len() == 1, "{mode:?}: {found:?}");
        }
    }
}

/// No part of it is of use to the next connection: it is given up, as any other at which connections break.
#[test]
fn a_message_that_is_made_anew_and_never_comes_whole_ends_the_run_all_the_same() {
    let world = generated(Mode::Copy);
    world.remote.behave(Faults {
        boundary: Some(BOUNDARY),
        ..Faults::cut(After::Octets(1_000_000), None)
    });
    let run = world.run_unjudged();
    assert_eq!(run.exit, Some(115), "{run:#?}");
    assert!(boundaries(&world).is_empty());
    world.complete();
    world.idle();
}

#[test]
fn what_was_about_to_be_asked_when_the_connection_broke_is_asked_again() {
    for skipped in 0..3 {
        let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
            for n in 0..4 {
                remote.add(&format!("Folder {n}"), &message(&format!("m{n}"), 300), &[]);
            }
        });
        // One command at a time from here on: what comes behind EXAMINE waits for its answer, which does not come.
        let too_early = Rule::once("UID FETCH", "BODY.PEEK[]", Act::Answer("BAD One at a time"));
        let breaks = Rule::once("EXAMINE", "", Act::Close).after(skipped + 4);
        world.remote.behave(Faults {
            rules: vec![too_early, breaks],
            ..Faults::default()
        });
        world.finish();
    }
}
