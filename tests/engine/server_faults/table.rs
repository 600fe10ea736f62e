// SPDX-License-Identifier: GPL-3.0-or-later
//! One thing wrong at a time, on either side, in every mode.

use std::time::Duration;

use crate::server_faults::fault::{ALWAYS, Act, CAPABILITIES, Faults, Rule};
use crate::server_faults::world::{MODES, Mode, Run, SIDES, Side, World, everywhere};

/// What a fault may lead to.
pub(super) struct Case {
    pub name: &'static str,
    pub sides: &'static [Side],
    pub modes: &'static [Mode],
    pub faults: Faults,
    /// Exit codes that are right, by side.
    pub exit: [&'static [i32]; 2],
    /// What the log must say when the exit code is not 0.
    pub says: &'static str,
}

pub(super) const BOTH: &[Side] = &SIDES;
pub(super) const SOURCE: &[Side] = &[Side::Remote];
pub(super) const DESTINATION: &[Side] = &[Side::Local];
pub(super) const ALL: &[Mode] = &MODES;
pub(super) const FINE: [&[i32]; 2] = [&[0], &[0]];

/// Has the faults on a side, then a run without them that completes, then one that has nothing left to do.
pub(super) fn play(case: &Case) {
    everywhere(case.sides, case.modes, |side, mode| {
        let world = World::new(mode).titled(format!("{} {side:?} {mode:?}", case.name));
        disturb(case, &world, side);
        world.complete();
        world.idle();
    });
}

fn disturb(case: &Case, world: &World, side: Side) -> Run {
    world.server(side).behave(case.faults.clone());
    let run = world.run();
    let right = case.exit[usize::from(side == Side::Local)];
    let title = &world.title;
    assert!(
        run.exit.is_some_and(|exit| right.contains(&exit)),
        "{title}: not one of {right:?}: {run:#?}"
    );
    assert!(
        run.exit == Some(0) || run.log.contains(case.says),
        "{title}: nothing of {:?}: {run:#?}",
        case.says
    );
    run
}

/// A server without something completes all the same, and has nothing to do in a second run.
pub(super) fn lacking(name: &str, faults: &Faults) {
    everywhere(&SIDES, &MODES, |side, mode| {
        let world = World::new(mode).titled(format!("without {name} {side:?} {mode:?}"));
        world.server(side).behave(faults.clone());
        world.finish();
        world.idle();
        // Nor when what the first run learnt is gone.
        world.forget();
        world.idle();
    });
}

#[test]
fn every_capability_can_be_missing() {
    for name in CAPABILITIES {
        lacking(name, &Faults::without(&[name]));
    }
}

#[test]
fn plain_imap4rev1_is_enough() {
    lacking("everything", &Faults::without(&CAPABILITIES));
    let mut minus = Faults::without(&["LITERAL+"]);
    minus.with.push("LITERAL-");
    lacking("LITERAL+ but not LITERAL-", &minus);
    let mut old = Faults::without(&CAPABILITIES);
    old.no_uid_next = true;
    lacking("UIDNEXT", &old);
}

#[test]
fn a_next_uid_that_is_too_small_is_none() {
    for without in [&[][..], &CAPABILITIES] {
        everywhere(
            SOURCE,
            &[Mode::Copy, Mode::DeleteLocal, Mode::Inbox],
            |side, mode| {
                let world = World::new(mode).titled(format!("UIDNEXT 1, {mode:?}, without {without:?}"));
                world.server(side).behave(Faults {
                    first_uid_next: true,
                    ..Faults::without(without)
                });
                world.finish();
                world.idle();
            },
        );
    }
}

#[test]
fn a_talkative_or_slow_server_is_understood() {
    let chatter = Faults {
        chatter: true,
        ..Faults::default()
    };
    lacking("silence", &chatter);
    lacking(
        "silence and capabilities",
        &Faults {
            chatter: true,
            ..Faults::without(&CAPABILITIES)
        },
    );
    for side in SIDES {
        let world = World::new(Mode::Copy);
        world.server(side).behave(Faults {
            delay: Duration::from_millis(100),
            ..Faults::default()
        });
        world.finish();
    }
}

#[test]
fn logins_are_refused() {
    for (name, answer, exit, says) in [
        (
            "wrong password",
            "NO [AUTHENTICATIONFAILED] No",
            [&[161][..], &[162]],
            "refused the login",
        ),
        (
            "no code",
            "NO Go away",
            [&[161], &[162]],
            "refused the login: NO Go away",
        ),
        (
            "down",
            "NO [UNAVAILABLE] Later",
            [&[101], &[102]],
            "the server is unavailable",
        ),
        (
            "too many",
            "NO [LIMIT] Too many logins",
            [&[101], &[102]],
            "the server is unavailable",
        ),
        (
            "Gmail",
            "NO [ALERT] Too many simultaneous connections. (Failure)",
            [&[101], &[102]],
            "the server is unavailable",
        ),
    ] {
        let refuse = |verb| Rule::times(ALWAYS, verb, "", Act::Answer(answer));
        play(&Case {
            name,
            sides: BOTH,
            modes: &[Mode::Copy],
            faults: Faults {
                rules: vec![refuse("AUTHENTICATE"), refuse("LOGIN")],
                ..Faults::default()
            },
            exit,
            says,
        });
    }
    // The other way to log in is open.
    for answer in ["BAD Cannot parse", "NO [AUTHENTICATIONFAILED] No"] {
        play(&Case {
            name: "only LOGIN works",
            sides: BOTH,
            modes: &[Mode::Copy],
            faults: Faults::rule(Rule::times(ALWAYS, "AUTHENTICATE", "", Act::Answer(answer))),
            exit: FINE,
            says: "",
        });
    }
    play(&Case {
        name: "no connection at all",
        sides: BOTH,
        modes: &[Mode::Copy],
        faults: Faults {
            connections: Some(0),
            ..Faults::default()
        },
        exit: [&[101], &[102]],
        says: "Too many simultaneous connections",
    });
}

#[test]
fn the_server_asks_to_slow_down() {
    let answers = [
        "NO [THROTTLED] Slow down",
        "NO [LIMIT] Rate limit",
        "NO [UNAVAILABLE] Back-end is restarting",
        "NO Account exceeded command or bandwidth limits. (Failure)",
        "BAD [THROTTLED] Request is throttled. Suggested Backoff Time: 100 milliseconds",
    ];
    for answer in answers {
        for (side, verb, with) in [
            (Side::Remote, "UID FETCH", "INTERNALDATE BODY.PEEK[]"),
            (Side::Local, "APPEND", ""),
        ] {
            play(&Case {
                name: answer,
                sides: if side == Side::Remote { SOURCE } else { DESTINATION },
                modes: ALL,
                faults: Faults::rule(Rule::times(2, verb, with, Act::Answer(answer))),
                exit: FINE,
                says: "",
            });
        }
    }
}

#[test]
fn the_server_says_goodbye() {
    for text in ["Server is shutting down", "[UNAVAILABLE] Maintenance"] {
        for (sides, verb, skip) in [
            (SOURCE, "UID FETCH", 0),
            (SOURCE, "UID FETCH", 1),
            (DESTINATION, "APPEND", 0),
            (DESTINATION, "APPEND", 1),
        ] {
            play(&Case {
                name: text,
                sides,
                modes: ALL,
                faults: Faults::rule(Rule::once(verb, "", Act::Bye(text)).after(skip)),
                exit: [&[0, 101], &[0, 102]],
                says: text.split("] ").last().unwrap(),
            });
        }
        play(&Case {
            name: text,
            sides: BOTH,
            modes: ALL,
            faults: Faults::rule(Rule::once("LIST", "", Act::Bye(text))),
            exit: FINE,
            says: text.split("] ").last().unwrap(),
        });
    }
}

#[test]
fn one_message_cannot_be_read() {
    let marked = Some("<two@scripted>");
    let cases = [
        (
            "refused",
            Faults {
                unreadable: marked,
                ..Faults::default()
            },
            "cannot be read: ",
        ),
        (
            "NIL",
            Faults {
                bodiless: marked,
                ..Faults::default()
            },
            "the server has no content for it",
        ),
        (
            "left out",
            Faults {
                forgotten: marked,
                ..Faults::default()
            },
            "lists it but does not send it",
        ),
    ];
    for (name, faults, says) in cases {
        play(&Case {
            name,
            sides: SOURCE,
            modes: ALL,
            faults,
            exit: [&[115], &[]],
            says,
        });
    }
}

#[test]
fn literals_are_not_as_long_as_announced() {
    for by in [-290, -100, -30, -3, -2, -1, 1, 2, 3, 4, 20, 60, 200] {
        play(&Case {
            name: "a wrong literal",
            sides: SOURCE,
            modes: ALL,
            faults: Faults {
                literal: Some(("<two@scripted>", by)),
                ..Faults::default()
            },
            exit: [&[101, 115], &[]],
            says: "",
        });
    }
}

#[test]
fn sizes_are_not_what_the_server_says() {
    let off = |by| Faults {
        size: by,
        ..Faults::default()
    };
    lacking("the right size", &off(-7));
    // What comes short of what was announced is not deleted; by much, it is a fault in its own right.
    for by in [5, 100_000] {
        everywhere(&SIDES, &MODES, |side, mode| {
            let world = World::new(mode).titled(format!("sizes off by {by} {side:?} {mode:?}"));
            world.server(side).behave(off(by));
            let run = world.run();
            let is_short = side == Side::Remote;
            let right = match () {
                () if is_short && by > 64 => 115,
                () if is_short && mode == Mode::DeleteRemote => 111,
                () => 0,
            };
            assert_eq!(run.exit, Some(right), "{}: {run:#?}", world.title);
            if is_short && mode == Mode::DeleteRemote {
                // The one that was local before was never announced.
                assert!(run.report.deleted_remote <= 1, "{}: {run:#?}", world.title);
            }
            world.complete();
            world.idle();
        });
    }
}

#[test]
fn a_mailbox_seems_empty_for_a_while() {
    for without in [&[][..], &CAPABILITIES] {
        play(&Case {
            name: "STATUS says 0",
            sides: BOTH,
            modes: ALL,
            faults: Faults {
                empty_status: true,
                ..Faults::without(without)
            },
            exit: [&[0, 115], &[0]],
            says: "",
        });
    }
}

#[test]
fn one_message_is_refused() {
    for answer in [
        "NO [CANNOT] Bad header",
        "NO Virus found",
        "BAD Message contains NUL",
        "NO [LIMIT2] Whatever",
    ] {
        for without in [&[][..], &["MULTIAPPEND"], &["LITERAL+"], &CAPABILITIES] {
            let mut faults = Faults::without(without);
            faults.rules.push(Rule::times(
                ALWAYS,
                "APPEND",
                "<two@scripted>",
                Act::Answer(answer),
            ));
            play(&Case {
                name: answer,
                sides: DESTINATION,
                modes: ALL,
                faults,
                exit: [&[], &[114]],
                says: answer
                    .split("] ")
                    .last()
                    .unwrap()
                    .trim_start_matches("NO ")
                    .trim_start_matches("BAD "),
            });
        }
    }
}

#[test]
fn the_local_mailbox_is_full() {
    for quota in [0, 400, 1100] {
        for without in [&[][..], &CAPABILITIES] {
            play(&Case {
                name: "quota",
                sides: DESTINATION,
                modes: ALL,
                faults: Faults {
                    quota: Some(quota),
                    ..Faults::without(without)
                },
                exit: [&[], &[113]],
                says: "OVERQUOTA",
            });
        }
    }
}

#[test]
fn a_large_message_is_refused_when_it_is_announced() {
    play(&Case {
        name: "too big",
        sides: DESTINATION,
        modes: &[Mode::Copy, Mode::DeleteRemote, Mode::DeleteLocal],
        faults: Faults {
            largest: Some(3000),
            ..Faults::without(&["LITERAL+"])
        },
        exit: [&[], &[114]],
        says: "Message too large",
    });
}

#[test]
fn what_was_stored_is_not_confirmed() {
    for without in [
        &[][..],
        &["UIDPLUS"],
        &["MULTIAPPEND"],
        &["UIDPLUS", "MULTIAPPEND"],
        &["LITERAL+", "MULTIAPPEND"],
        &CAPABILITIES,
    ] {
        for act in [Act::Close, Act::DoAndClose] {
            // The first one, each of the twins, the last one, several in a row.
            for (skip, times) in [(0, 1), (2, 1), (3, 1), (6, 1), (1, 2)] {
                let mut faults = Faults::without(without);
                faults
                    .rules
                    .push(Rule::times(times, "APPEND", "", act.clone()).after(skip));
                play(&Case {
                    name: "an APPEND without an answer",
                    sides: DESTINATION,
                    modes: ALL,
                    faults,
                    exit: FINE,
                    says: "",
                });
            }
        }
    }
}
