// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections that end: after every so many octets, after every command, once or always.

use crate::fault::{After, Faults};
use crate::server::lock;
use crate::world::{MODES, Mode, SIDES, Side, World};

/// How many of all places a test tries; `SCRIPTED_CUTS=all` tries every one.
fn places(total: u64, tried: u64) -> Vec<u64> {
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

fn cut(mode: Mode, side: Side, after: After, connection: Option<usize>) {
    let world = World::new(mode);
    world.server(side).behave(Faults::cut(after, connection));
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
        let host = if side == Side::Remote { "Host1" } else { "Host2" };
        let line = run
            .log
            .lines()
            .find(|line| line.starts_with("Error: "))
            .unwrap_or_default();
        assert!(line.contains(host), "{mode:?} {side:?} {after:?}: {run:#?}");
    }
    world.complete();
    let again = world.complete();
    assert_eq!(
        again.report.messages.copied, 0,
        "nothing is left to copy: {again:#?}"
    );
}

macro_rules! cuts {
    ($($name:ident: $mode:ident $side:ident;)*) => {$(
        #[test]
        fn $name() {
            let (octets, commands) = length(Mode::$mode, Side::$side);
            for octet in places(octets, 40) {
                cut(Mode::$mode, Side::$side, After::Octets(octet), Some(0));
            }
            for command in 0..commands {
                cut(Mode::$mode, Side::$side, After::Commands(usize::try_from(command).unwrap()), Some(0));
            }
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

#[test]
fn an_undisturbed_run_completes_and_the_next_one_has_nothing_to_do() {
    for mode in MODES {
        let world = World::new(mode);
        let run = world.complete();
        assert!(run.report.messages.copied > 0, "{mode:?}: {run:#?}");
        let run = world.complete();
        assert_eq!(
            (
                run.report.messages.copied,
                run.report.deleted_local,
                run.report.deleted_remote
            ),
            (0, 0, 0),
            "{mode:?}: {run:#?}"
        );
        for side in SIDES {
            assert!(!world.server(side).heard().is_empty());
        }
    }
}
