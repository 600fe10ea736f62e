// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs that are killed at each of their commands, and what arrives after that.

use crate::server_faults::fault::{ALWAYS, Act, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::world::{MODES, Mode, SIDES, Side, World, everywhere, message};

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

/// Messages with a keyword that the destination refuses, and with one that it takes.
fn with_keywords(mode: Mode) -> World {
    World::with(mode, Model::new('/', ""), |remote, _| {
        for n in 0..3 {
            let flags = ["$Forwarded", "odd", "\\Flagged"];
            remote.add("INBOX", &message(&format!("m{n}"), 300), &flags);
        }
    })
}

fn refusing() -> Faults {
    Faults {
        refused_keyword: Some("odd"),
        ..Faults::default()
    }
}

/// How many copies there are in the inbox, all of which have what the destination takes.
fn copies(world: &World) -> usize {
    let local = world.local.model();
    let messages = &local.folders["INBOX"].messages;
    for message in messages {
        assert!(
            message.has("$Forwarded") && message.has("\\Flagged") && !message.has("odd"),
            "{}: {:?}",
            world.title,
            message.flags
        );
    }
    messages.len()
}

/// Whichever run comes to it.
#[test]
fn a_refused_keyword_keeps_no_other_away_where_a_run_is_killed() {
    everywhere(&[Side::Local], &MODES, |side, mode| {
        for skip in 0.. {
            let world = with_keywords(mode).titled(format!("{mode:?}, command {skip}"));
            let was_killed = world.kill_between(side, skip, true, refusing);
            let runs = [world.run_unjudged(), world.run_unjudged()];
            assert_eq!(runs[1].exit, Some(0), "{}: {runs:#?}", world.title);
            assert_eq!(copies(&world), 3, "{}", world.title);
            let left = world.remote.model().folders["INBOX"].messages.len();
            let expected = if mode == Mode::DeleteRemote { 0 } else { 3 };
            assert_eq!(left, expected, "{}: {runs:#?}", world.title);
            if !was_killed {
                break;
            }
        }
    });
}

/// What the destination takes only later is still at the source until then.
#[test]
fn a_message_that_lacks_keywords_for_the_moment_is_not_deleted() {
    let world = with_keywords(Mode::DeleteRemote);
    let busy = Act::Answer("NO [INUSE] Not now");
    world.local.behave(Faults {
        rules: vec![Rule::times(ALWAYS, "UID STORE", "$Forwarded", busy)],
        ..refusing()
    });
    for _ in 0..2 {
        let run = world.run_unjudged();
        assert_eq!(run.exit, Some(111), "{run:#?}");
        assert_eq!(world.remote.model().folders["INBOX"].messages.len(), 3);
    }
    world.local.behave(refusing());
    let run = world.run_unjudged();
    assert_eq!((run.exit, run.report.flags_dropped), (Some(0), 3), "{run:#?}");
    assert_eq!(copies(&world), 3);
    assert_eq!(world.remote.model().folders["INBOX"].messages.len(), 0);
}
