// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers that give less of a message than there is, or another one: it stays there, and comes whole once it is given.

use crate::server_faults::fault::{Act, CAPABILITIES, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, Side, World, everywhere, message};

/// Of a message of 300 octets.
const CUT: &[u8] = b"Received: from there by here; two\r\nMessage-Id: <two@scripted>\r\n";
const ANOTHER: &[u8] = b"Received: from x by y; z\r\nMessage-Id: <another@scripted>\r\nSubject: Retrieval failed\r\n\r\n\
    The server could not retrieve the message. Please ask your administrator. The server could not retrieve the message. \
    Please ask your administrator. The server could not retrieve the message. Please ask your administrator.\r\n\
    The server could not retrieve the message.\r\n";

#[test]
fn a_message_that_is_not_what_the_server_shows_stays_there() {
    for without in [&[][..], &CAPABILITIES] {
        // As large as it should be, or at least as large as the answer says.
        for (given, claimed) in [(CUT, true), (CUT, false), (ANOTHER, true), (ANOTHER, false)] {
            everywhere(&[Side::Remote], &[Mode::DeleteRemote], |side, mode| {
                let title = format!("gives {} octets, {claimed}, {without:?}", given.len());
                let mut world = World::new(mode).titled(title);
                world.brings("INBOX", given);
                world.server(side).behave(Faults {
                    instead: Some(("<two@scripted>", given, claimed)),
                    ..Faults::without(without)
                });
                for _ in 0..2 {
                    let run = world.run();
                    assert!(matches!(run.exit, Some(111 | 115)), "{}: {run:#?}", world.title);
                    assert!(
                        run.log.contains("not deleted remotely"),
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

/// Of 300 octets 260 come; with their bare line ends completed they are 300 again.
#[test]
fn a_message_is_not_whole_because_its_line_ends_are_completed() {
    let lines = |end: &str, octets: usize| {
        let mut text = CUT.to_vec();
        text.extend(format!("\r\n{}", format!("x{end}").repeat(40)).bytes());
        text.resize(octets, b'x');
        text
    };
    let cut = lines("\n", 260);
    let mut world = World::new(Mode::DeleteRemote);
    world.brings("INBOX", &lines("\r\n", 300));
    world.server(Side::Remote).behave(Faults {
        instead: Some(("<two@scripted>", cut.leak(), false)),
        ..Faults::default()
    });
    for _ in 0..2 {
        let run = world.run();
        assert!(matches!(run.exit, Some(111 | 115)), "{run:#?}");
    }
    assert!(world.remote.model().octets() > 0, "the source must keep it");
}

#[test]
fn a_message_that_was_cut_comes_whole_in_every_mode() {
    everywhere(
        &[Side::Remote],
        &[Mode::Copy, Mode::DeleteLocal, Mode::DeleteRemote, Mode::Inbox],
        |side, mode| {
            let mut world = World::new(mode).titled(format!("cuts a message, {mode:?}"));
            world.brings("INBOX", CUT);
            world.server(side).behave(Faults {
                instead: Some(("<two@scripted>", CUT, false)),
                ..Faults::default()
            });
            let run = world.run();
            assert_eq!(run.exit, Some(115), "{}: {run:#?}", world.title);
            assert!(run.log.contains("octets came"), "{}: {run:#?}", world.title);
            world.complete();
            world.idle();
        },
    );
}

/// Looked at again it is whole, and fetched again it is cut as before: the copy that is there is enough.
#[test]
fn a_message_that_is_cut_in_company_only_is_copied_once() {
    everywhere(
        &[Side::Remote],
        &[Mode::Copy, Mode::DeleteLocal, Mode::DeleteRemote, Mode::Inbox],
        |side, mode| {
            let mut world = World::new(mode).titled(format!("cuts a message in company, {mode:?}"));
            world.brings("INBOX", CUT);
            world.server(side).behave(Faults {
                instead: Some(("<two@scripted>", CUT, false)),
                instead_with_flags: true,
                ..Faults::default()
            });
            for n in 0..4 {
                let run = world.run();
                assert_eq!(run.exit, Some(115), "{} {n}: {run:#?}", world.title);
                assert!(run.log.contains("octets came"), "{} {n}: {run:#?}", world.title);
                world.arrives("INBOX", &message(&format!("later{n}"), 300));
            }
            world.complete();
            world.idle();
        },
    );
}

/// Without UIDPLUS another's mark has to be lifted for a moment: not to be read back, even if the connection breaks then.
#[test]
fn a_mark_that_was_lifted_is_not_taken_for_its_owners_wish() {
    for act in [Act::Close, Act::DoAndClose, Act::Bye("going down")] {
        let title = format!("lifts a mark, {act:?}");
        let world = World::with(Mode::DeleteRemote, Model::new('/', ""), |remote, _| {
            remote.add("INBOX", &message("one", 300), &[]);
        });
        world.complete();
        {
            let mut model = world.remote.model();
            model.add("INBOX", &message("marked", 300), &["\\Deleted"]);
            model.add("INBOX", &message("two", 300), &[]);
        }
        let mut faults = Faults::without(&["UIDPLUS"]);
        faults.rules.push(Rule::once("EXPUNGE", "", act));
        world.remote.behave(faults);
        for _ in 0..2 {
            world.run_unjudged();
        }
        let left = world.remote.model().folders["INBOX"].messages.clone();
        assert_eq!(left.len(), 1, "{title}: {left:?}");
        assert!(left[0].has("\\Deleted"), "{title}: {left:?}");
        let local = world.local.model().folders["INBOX"].messages.clone();
        assert!(
            local.iter().filter(|message| message.has("\\Deleted")).count() == 1,
            "{title}: {local:?}"
        );
    }
}

/// A message that is on both sides already, and whose octets the server does not give: nothing proves that they are the
/// same mail.
#[test]
fn what_cannot_be_proven_to_be_delivered_stays_and_is_told() {
    let world = World::with(Mode::DeleteRemote, Model::new('/', ""), |remote, local| {
        for side in [remote, local] {
            side.add("INBOX", &message("one", 300), &[]);
            side.add("INBOX", &message("two", 300), &[]);
        }
    });
    world.remote.behave(Faults {
        bodiless: Some("<two@scripted>"),
        ..Faults::default()
    });
    for _ in 0..2 {
        let run = world.run_unjudged();
        assert_eq!(run.exit, Some(111), "{run:#?}");
        assert!(
            run.log.contains("1 messages were not deleted remotely"),
            "{run:#?}"
        );
        assert_eq!(world.remote.model().folders["INBOX"].messages.len(), 1);
    }
    world.remote.behave(Faults::default());
    assert_eq!(world.run_unjudged().exit, Some(0));
    assert!(world.remote.model().folders["INBOX"].messages.is_empty());
    assert_eq!(world.local.model().folders["INBOX"].messages.len(), 2);
}

/// A server that answers a FETCH of several messages with nothing but `OK`, because of one of them.
#[test]
fn one_message_that_silences_a_fetch_spares_the_others() {
    everywhere(
        &[Side::Remote],
        &[Mode::Copy, Mode::DeleteRemote, Mode::Inbox],
        |side, mode| {
            let world = World::new(mode).titled(format!("silent, {mode:?}"));
            world.server(side).behave(Faults {
                silences: Some("<two@scripted>"),
                ..Faults::default()
            });
            let run = world.run();
            assert_eq!(run.exit, Some(115), "{}: {run:#?}", world.title);
            assert_eq!(run.report.messages.failed, 1, "{}: {run:#?}", world.title);
            world.complete();
            world.idle();
        },
    );
}

/// A ledger that is lost takes along that a message was cut: both sides have the same octets then.
#[test]
fn a_message_that_is_cut_stays_there_when_the_ledger_is_lost() {
    let whole = message("four", 6_000);
    let cut: &[u8] = whole[..3_000].to_vec().leak();
    let mut world = World::new(Mode::DeleteRemote);
    world.brings("Work", cut);
    world.server(Side::Remote).behave(Faults {
        instead: Some(("<four@scripted>", cut, false)),
        ..Faults::default()
    });
    world.run();
    for _ in 0..2 {
        world.forget();
        let run = world.run();
        assert!(matches!(run.exit, Some(111 | 115)), "{run:#?}");
        let remote = world.remote.model();
        let left = remote.folders["Work"].messages.iter();
        assert!(
            left.clone().any(|message| message.body == whole),
            "it is gone: {run:#?}"
        );
    }
    world.complete();
    world.idle();
}
