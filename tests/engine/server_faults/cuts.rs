// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections that end: after every so many octets, after every command, once or always.

use std::sync::Mutex;

use crate::server_faults::fault::{After, Cut, Faults, OneTooMany};
use crate::server_faults::model::Model;
use crate::server_faults::server::lock;
use crate::server_faults::world::{MODES, Mode, SIDES, Side, World, everywhere, message};

/// How many of all places a test tries; `SCRIPTED_CUTS=all` tries every one.
fn folders(total: u64, tried: u64) -> Vec<u64> {
    let every = std::env::var("SCRIPTED_CUTS").is_ok_and(|value| value == "all");
    let step = if every { 1 } else { (total / tried).max(1) };
    (0..total).step_by(usize::try_from(step).unwrap()).collect()
}

/// Octets and commands of the longest connection of an undisturbed run.
fn length(mode: Mode, side: Side) -> (u64, u64) {
    let world = World::new(mode);
    world.complete();
    let shared = &world.server(side).shared;
    let octets = lock(&shared.sent).iter().copied().max().unwrap();
    let commands = lock(&shared.commands).iter().copied().max().unwrap();
    (octets, commands as u64)
}

fn cut(mode: Mode, side: Side, after: After) {
    let world = World::new(mode).titled(format!("{mode:?} {side:?} {after:?}"));
    world.server(side).behave(Faults::cut(after, Some(0)));
    let run = world.run();
    let code = match side {
        Side::Remote => 101,
        Side::Local => 102,
    };
    assert!(
        matches!(run.exit, Some(0)) || run.exit == Some(code),
        "{mode:?} {side:?} {after:?}: {run:#?}"
    );
    if run.exit == Some(code) {
        let host = if side == Side::Remote { "host1" } else { "host2" };
        let line = run
            .log
            .lines()
            .find(|line| line.starts_with("Error: "))
            .unwrap_or_default();
        assert!(
            line.to_lowercase().contains(host),
            "{mode:?} {side:?} {after:?}: {run:#?}"
        );
    }
    world.complete();
    world.idle();
}

/// Most of a run that was cut is waiting: several at once.
fn cuts(mode: Mode, side: Side) {
    let (octets, commands) = length(mode, side);
    let folders = folders(octets, 40).into_iter().map(After::Octets);
    let commands = (0..commands).map(|n| After::Commands(usize::try_from(n).unwrap()));
    let all = Mutex::new(folders.chain(commands));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = lock(&all).next();
                    let Some(after) = next else { break };
                    cut(mode, side, after);
                }
            });
        }
    });
}

macro_rules! cuts {
    ($($name:ident: $mode:ident $side:ident;)*) => {$(
        #[test]
        fn $name() {
            cuts(Mode::$mode, Side::$side);
        }
    )*};
}

cuts! {
    the_source_goes_while_copying: Copy Remote;
    the_destination_goes_while_copying: Copy Local;
    the_source_goes_while_it_is_emptied: DeleteRemote Remote;
    the_destination_goes_while_the_source_is_emptied: DeleteRemote Local;
    the_source_goes_while_mirroring: DeleteLocal Remote;
    the_destination_goes_while_mirroring: DeleteLocal Local;
    the_source_goes_while_the_inbox_is_pulled: Inbox Remote;
    the_destination_goes_while_the_inbox_is_pulled: Inbox Local;
}

fn many(remote: &mut Model, _: &mut Model) {
    for n in 0..360 {
        let folder = format!("Folder {}", n % 6);
        remote.add(&folder, &message(&format!("m{n}"), 300 + 10 * n), &[]);
    }
}

/// Each time at another message: none of them is to blame, and the run does not go on for ever.
#[test]
fn every_connection_breaks_while_both_sides_are_compared() {
    let world = World::with(Mode::Copy, Model::new('/', ""), many);
    world.complete();
    world.forget();
    world.remote.behave(Faults::cut(After::Octets(6_000), None));
    let run = world.run();
    assert_eq!(run.exit, Some(101), "{run:#?}");
    assert_eq!(run.report.messages.failed, 0, "{run:#?}");
    world.complete();
    world.idle();
}

/// More than one connection to each side: the second one, too, breaks somewhere.
#[test]
fn several_connections_break() {
    everywhere(&SIDES, &[Mode::Copy, Mode::DeleteRemote], |side, mode| {
        for connection in 0..5 {
            for octets in [600, 2_500, 20_000, 200_000] {
                let after = After::Octets(octets);
                let title = format!("{mode:?} {side:?} connection {connection} {after:?}");
                let world = World::with(mode, Model::new('/', ""), many).titled(title);
                world.server(side).behave(Faults::cut(after, Some(connection)));
                let run = world.run();
                let code = if side == Side::Remote { 101 } else { 102 };
                assert!(
                    run.exit == Some(0) || run.exit == Some(code),
                    "{}: {run:#?}",
                    world.title
                );
                world.complete();
                world.idle();
            }
        }
    });
}

/// A server that bears a single connection, however it says so: the first one brings everything, also where it breaks.
#[test]
fn a_connection_too_many_is_done_without() {
    let ways = [
        OneTooMany::TurnedAway,
        OneTooMany::Refused,
        OneTooMany::Ended,
        OneTooMany::Closed,
        OneTooMany::ClosedLater,
    ];
    for one_too_many in ways {
        for cut in [None, Some(60_000)] {
            let title = format!("{one_too_many:?} {cut:?}");
            let world = World::with(Mode::Copy, Model::new('/', ""), many).titled(title);
            world.server(Side::Remote).behave(Faults {
                connections: Some(1),
                one_too_many,
                cut: cut.map(|octets| Cut {
                    after: After::Octets(octets),
                    connection: Some(0),
                }),
                ..Faults::default()
            });
            let run = world.run();
            assert_eq!(run.exit, Some(0), "{}: {run:#?}", world.title);
            assert_eq!(run.report.messages.copied, 360, "{}: {run:#?}", world.title);
            assert!(run.report.problems.is_empty(), "{}: {run:#?}", world.title);
            world.complete();
        }
    }
}

/// As many as it takes for the most connections.
fn a_large_mailbox(remote: &mut Model, _: &mut Model) {
    for n in 0..20_000 {
        let folder = format!("Folder {}", n % 5);
        remote.add(&folder, &message(&format!("m{n}"), 1), &[]);
    }
}

/// The most connections that there are: some of them are turned away, or one breaks while the others go on.
#[test]
fn a_large_mailbox_comes_over_as_many_connections_as_its_server_takes() {
    let limited = Faults {
        connections: Some(2),
        ..Faults::default()
    };
    let broken = Faults::cut(After::Octets(50_000), Some(3));
    // The others may be done before the broken one is made again.
    for (faults, at_work) in [(limited, 2..=2), (broken, 4..=5)] {
        let title = format!("{:?} {:?}", faults.connections, faults.cut);
        let world = World::with(Mode::Copy, Model::new('/', ""), a_large_mailbox).titled(title);
        let source = world.server(Side::Remote);
        source.behave(faults);
        let run = world.run();
        assert_eq!(run.exit, Some(0), "{}: {run:#?}", world.title);
        assert_eq!(run.report.messages.copied, 20_000, "{}", world.title);
        // Who was turned away was told so, and nothing else.
        let sent = lock(&source.shared.sent);
        let connections = sent.iter().filter(|octets| **octets > 10_000).count();
        assert!(at_work.contains(&connections), "{}: {sent:?}", world.title);
        drop(sent);
        assert_eq!(world.complete().report.messages.copied, 0, "{}", world.title);
    }
}

#[test]
fn an_undisturbed_run_completes_and_the_next_one_has_nothing_to_do() {
    for mode in MODES {
        let world = World::new(mode);
        let run = world.complete();
        assert!(run.report.messages.copied > 0, "{mode:?}: {run:#?}");
        world.idle();
        for side in SIDES {
            assert!(!world.server(side).heard().is_empty());
        }
    }
}
