// SPDX-License-Identifier: GPL-3.0-or-later
//! Folders that cannot be used, change meanwhile, or are of another kind, on either side, in every mode.

use crate::server_faults::fault::{ALWAYS, Act, CAPABILITIES, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::table::{ALL, BOTH, Case, DESTINATION, FINE, SOURCE, lacking, play};
use crate::server_faults::world::{MODES, Mode, SIDES, Side, World, everywhere, message};

#[test]
fn folders_cannot_be_used() {
    for (name, sides, verb, with, answer, exit, says) in [
        (
            "no way in",
            SOURCE,
            "EXAMINE",
            "Work",
            "NO [NOPERM] Permission denied",
            [&[117][..], &[]],
            "Permission denied",
        ),
        (
            "no way in",
            DESTINATION,
            "SELECT",
            "INBOX",
            "NO [NOPERM] Permission denied",
            [&[], &[0, 117]],
            "Permission denied",
        ),
        (
            "not made",
            DESTINATION,
            "CREATE",
            "Work",
            "NO [CANNOT] Bad name",
            [&[], &[116]],
            "Bad name",
        ),
        (
            "not listed",
            BOTH,
            "LIST",
            "",
            "NO [SERVERBUG] Internal error",
            [&[101], &[102]],
            "Internal error",
        ),
        ("no namespace", BOTH, "NAMESPACE", "", "NO Not today", FINE, ""),
        ("no subscriptions", SOURCE, "LSUB", "", "NO Not today", FINE, ""),
        (
            "not searched",
            BOTH,
            "UID SEARCH",
            "",
            "NO [SERVERBUG] Index is corrupted",
            [&[0, 115], &[0, 115]],
            "Index is corrupted",
        ),
        (
            "not listed by header",
            BOTH,
            "UID FETCH",
            "HEADER",
            "NO [SERVERBUG] Index is corrupted",
            [&[0, 115], &[0, 115]],
            "Index is corrupted",
        ),
    ] {
        let modes: &[Mode] = if with == "Work" {
            &[Mode::Copy, Mode::DeleteRemote, Mode::DeleteLocal]
        } else {
            ALL
        };
        play(&Case {
            name,
            sides,
            modes,
            faults: Faults::rule(Rule::times(ALWAYS, verb, with, Act::Answer(answer))),
            exit,
            says,
        });
    }
}

#[test]
fn a_mailbox_goes_or_comes_in_between() {
    let modes = &[Mode::Copy, Mode::DeleteRemote, Mode::DeleteLocal];
    for without in [&[][..], &CAPABILITIES] {
        let mut faults = Faults::without(without);
        faults
            .rules
            .push(Rule::once("APPEND", "Work", Act::DeleteMailbox("Work")));
        play(&Case {
            name: "TRYCREATE",
            sides: DESTINATION,
            modes,
            faults,
            // What went to the new folder is deleted remotely once it has been compared with it; the check at the end of
            // the run misses what went with the former one.
            exit: [&[], &[0, 111, 117]],
            says: "was replaced",
        });
        let mut faults = Faults::without(without);
        faults.rules.push(Rule::once(
            "CREATE",
            "Work",
            Act::Answer("NO [ALREADYEXISTS] It is there"),
        ));
        play(&Case {
            name: "ALREADYEXISTS",
            sides: DESTINATION,
            modes,
            faults,
            exit: [&[], &[0, 117]],
            says: "No such mailbox",
        });
        let mut faults = Faults::without(without);
        faults.rules.push(Rule::once("CREATE", "Work", Act::DoAndClose));
        play(&Case {
            name: "a CREATE without an answer",
            sides: DESTINATION,
            modes,
            faults,
            exit: FINE,
            says: "the server closed the connection",
        });
    }
}

#[test]
fn nothing_can_be_changed_on_the_source() {
    for without in [&[][..], &CAPABILITIES] {
        play(&Case {
            name: "read only",
            sides: SOURCE,
            modes: &[Mode::DeleteRemote, Mode::Inbox],
            faults: Faults {
                read_only: true,
                ..Faults::without(without)
            },
            exit: [&[111], &[]],
            says: "READ-ONLY",
        });
        for verb in ["UID STORE", "UID EXPUNGE", "EXPUNGE"] {
            let mut faults = Faults::without(without);
            faults
                .rules
                .push(Rule::times(ALWAYS, verb, "", Act::Answer("NO [NOPERM] Denied")));
            play(&Case {
                name: verb,
                sides: BOTH,
                modes: &[Mode::DeleteRemote, Mode::DeleteLocal, Mode::Inbox],
                faults,
                exit: [&[0, 111], &[0, 111]],
                says: "Denied",
            });
        }
    }
}

#[test]
fn a_test_folder_that_cannot_be_deleted_is_told_in_every_run_until_it_is_gone() {
    let world = World::new(Mode::DeleteRemote);
    let left = || {
        let model = world.local.model();
        let names = model.folders.keys();
        names.filter(|name| name.contains("ns8-imapsync-")).count()
    };
    let denied = Rule::times(ALWAYS, "DELETE", "", Act::Answer("NO [NOPERM] Denied"));
    world.local.behave(Faults::rule(denied));
    for _ in 0..2 {
        let run = world.run_unjudged();
        assert_eq!(run.exit, Some(111), "{run:#?}");
        assert!(
            run.log.contains("cannot be deleted on host2: NO [NOPERM] Denied"),
            "{run:#?}"
        );
        assert_eq!(left(), 1, "not another one in every run: {run:#?}");
    }
    world.complete();
    assert_eq!(left(), 0);
}

#[test]
fn the_source_only_says_that_it_deleted() {
    for without in [&[][..], &CAPABILITIES] {
        let world = World::new(Mode::DeleteRemote);
        world.remote.behave(Faults {
            keeps_everything: true,
            ..Faults::without(without)
        });
        for _ in 0..3 {
            let run = world.run();
            assert_eq!(run.exit, Some(111), "{run:#?}");
            assert!(run.log.contains("host1 did not delete"), "{run:#?}");
        }
        world.complete();
    }
}

#[test]
fn the_destination_takes_no_keywords() {
    for without in [&[][..], &CAPABILITIES] {
        lacking(
            "keywords",
            &Faults {
                no_keywords: true,
                ..Faults::without(without)
            },
        );
    }
}

/// A refusal does not say of what.
#[test]
fn a_keyword_that_is_refused_keeps_no_other_away() {
    for without in [&[][..], &["UIDPLUS"]] {
        let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
            for n in 0..3 {
                let flags = ["$Forwarded", "odd", "\\Flagged"];
                remote.add("INBOX", &message(&format!("m{n}"), 300), &flags);
            }
        });
        world.local.behave(Faults {
            refused_keyword: Some("odd"),
            ..Faults::without(without)
        });
        let run = world.run_unjudged();
        let told = (run.exit, run.report.flags_dropped);
        assert_eq!(told, (Some(0), 3), "{run:#?}");
        let local = world.local.model();
        for message in &local.folders["INBOX"].messages {
            assert!(
                message.has("$Forwarded") && message.has("\\Flagged") && !message.has("odd"),
                "{run:#?}"
            );
        }
    }
}

#[test]
fn keywords_that_the_destination_does_not_take_are_counted() {
    let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
        remote.add("INBOX", &message("one", 300), &["\\Seen", "$Forwarded", "Junk"]);
        remote.add("INBOX", &message("two", 300), &["\\Seen", "Junk"]);
        remote.add("INBOX", &message("three", 300), &["\\Seen"]);
    });
    world.local.behave(Faults {
        no_keywords: true,
        ..Faults::default()
    });
    let report = world.finish().report;
    assert_eq!((report.messages.copied, report.flags_dropped), (3, 3));
    assert_eq!(report.folders[0].flags_dropped, 3);
}

#[test]
fn mailboxes_are_restored_from_a_backup() {
    everywhere(&SIDES, &MODES, |side, mode| {
        for size in [0, -3] {
            let world = World::new(mode).titled(format!("restored {side:?} {mode:?}, sizes off by {size}"));
            for server in [&world.remote, &world.local] {
                server.behave(Faults {
                    size,
                    ..Faults::default()
                });
            }
            world.finish();
            world.server(side).model().renumber();
            world.idle();
            world.server(side).model().renumber();
            world.forget();
            world.idle();
        }
    });
}

#[test]
fn servers_of_another_kind() {
    let courier = || Model::new('.', "INBOX.");
    let exchange = || Model::new('/', "");
    let mut old = Faults::without(&CAPABILITIES);
    old.without.retain(|&name| name != "NAMESPACE");
    let pairs = [
        (courier(), exchange()),
        (exchange(), courier()),
        (courier(), courier()),
        (Model::new('.', ""), exchange()),
        (Model::new('\\', ""), courier()),
    ];
    for (remote, local) in &pairs {
        for faults in [&Faults::default(), &old] {
            everywhere(&[Side::Remote], &MODES, |_, mode| {
                let names = format!("{:?} -> {:?}", remote.prefix, local.prefix);
                let world =
                    World::usual(mode, remote.clone(), local.clone()).titled(format!("{names} {mode:?}"));
                world.remote.behave(faults.clone());
                world.local.behave(faults.clone());
                world.finish();
                world.idle();
            });
        }
    }
}

#[test]
fn the_second_of_two_twins_comes_later() {
    for without in [&[][..], &["UIDPLUS"]] {
        let mut world = World::new(Mode::DeleteRemote).titled(format!("a late twin, without {without:?}"));
        world.local.behave(Faults::without(without));
        world.finish();
        world.arrives("INBOX", &message("two", 300));
        world.finish();
        world.idle();
    }
}

/// A few messages in two folders.
fn some(remote: &mut Model, _: &mut Model) {
    for (folder, id) in [("INBOX", "one"), ("INBOX", "two"), ("Work", "three")] {
        remote.add(folder, &message(id, 300), &[]);
    }
}

#[test]
fn folders_are_listed_twice() {
    everywhere(&SIDES, &MODES, |side, mode| {
        let world =
            World::with(mode, Model::new('/', ""), some).titled(format!("{mode:?} {side:?} listed twice"));
        world.server(side).behave(Faults {
            listed_twice: true,
            ..Faults::default()
        });
        world.finish();
        world.idle();
    });
}

/// A mirror, of which the source's owner renames a folder to what the server cannot write.
#[test]
fn what_a_list_names_in_no_readable_way_is_told_and_nothing_is_deleted() {
    let world = World::with(Mode::DeleteLocal, Model::new('/', ""), some);
    world.complete();
    {
        let mut remote = world.remote.model();
        let work = remote.folders.remove("Work").expect("a folder");
        remote.folders.insert("Odd".to_owned(), work);
    }
    world.remote.behave(Faults {
        garbled: Some("Odd"),
        ..Faults::default()
    });
    for _ in 0..4 {
        let run = world.run_unjudged();
        assert_eq!(run.exit, Some(111), "{run:#?}");
        assert!(run.log.contains("in a way that cannot be read"), "{}", run.log);
        assert_eq!(world.local.model().folders["Work"].messages.len(), 1, "{run:#?}");
    }
}

#[test]
fn what_the_destination_stores_with_other_line_ends_is_copied_once() {
    for mode in MODES {
        let world = World::with(mode, Model::new('/', ""), |remote, _| {
            for (at, end) in ["\r\r\nlast\r\n", "\r\r\r\nlast\r\n", "\r", "\r\r\r", "\r\n\r\r\n"]
                .iter()
                .enumerate()
            {
                let body = [message(&format!("m{at}"), 300), end.as_bytes().to_vec()].concat();
                remote.add("INBOX", &body, &[]);
            }
        });
        world.local.behave(Faults {
            one_cr: true,
            ..Faults::default()
        });
        for forgets in [false, false, true, false] {
            if forgets {
                world.forget();
            }
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{mode:?}: {run:#?}");
            let copies = world.local.model().folders["INBOX"].messages.len();
            assert_eq!(copies, 5, "{mode:?}: {run:#?}");
        }
    }
}

#[test]
fn a_status_tells_of_the_past() {
    let modes = [Mode::Copy, Mode::DeleteRemote, Mode::DeleteLocal];
    everywhere(&SIDES, &modes, |side, mode| {
        let mut world = World::new(mode).titled(format!("{mode:?} {side:?} stale STATUS"));
        world.complete();
        let former = world.server(side).model().clone();
        world.arrives("INBOX", &message("five", 300));
        world.server(side).behave(Faults {
            stale_status: Some(former),
            ..Faults::default()
        });
        // New mail may be seen later, when the server tells the truth.
        world.settle();
    });
}

#[test]
fn uids_are_given_again_under_the_same_uidvalidity() {
    everywhere(&SIDES, &[Mode::Copy, Mode::DeleteLocal], |side, mode| {
        let world = World::new(mode).titled(format!("{mode:?} {side:?} numbered again"));
        world.complete();
        {
            let mut model = world.server(side).model();
            for folder in model.folders.values_mut() {
                folder.messages.reverse();
            }
            model.renumber_in_place();
        }
        world.run();
        world.complete();
    });
}

#[test]
fn an_append_arrives_after_it_was_sent_again() {
    for mode in MODES {
        for commands in [0, 1, 2, 3, 5, 8] {
            for skip in [0, 2, 4] {
                let world = World::new(mode).titled(format!("{mode:?} late {skip} {commands}"));
                let late = Rule::once("APPEND", "", Act::Late { commands }).after(skip);
                world.local.behave(Faults::rule(late));
                world.settle();
            }
        }
    }
}

#[test]
fn an_append_arrives_late_where_the_server_dates_messages_by_itself() {
    everywhere(&[Side::Local], &MODES, |side, mode| {
        let world = World::new(mode).titled(format!("{mode:?} late, own dates"));
        let own_dates = true;
        // Not before the run is over.
        let late = Rule::once("APPEND", "", Act::Late { commands: 100_000 });
        world.server(side).behave(Faults {
            own_dates,
            ..Faults::rule(late)
        });
        world.run_unjudged();
        world.server(side).behave(Faults {
            own_dates,
            ..Faults::default()
        });
        world.server(side).hurry();
        world.run_unjudged();
        world.run();
    });
}

#[test]
fn an_equal_message_of_another_date_is_no_late_copy() {
    let world = World::new(Mode::Copy);
    let rule = Rule::once("APPEND", "INBOX", Act::DoAndClose);
    world.local.behave(Faults::rule(rule));
    world.run_unjudged();
    world.complete();
    let count = || world.local.model().folders["INBOX"].messages.len();
    let brought = count();
    {
        let mut model = world.local.model();
        for message in model.folders["INBOX"].messages.clone() {
            let date = "01-Feb-2022 10:00:00 +0000";
            model.append("INBOX", message.body, message.flags.into_iter(), date);
        }
    }
    for _ in 0..2 {
        world.run_unjudged();
        assert_eq!(count(), 2 * brought);
    }
}

#[test]
fn a_backup_of_the_source_comes_back_with_its_uids() {
    everywhere(&[Side::Remote], &[Mode::Copy, Mode::DeleteRemote], |_, mode| {
        let mut world =
            World::with(mode, Model::new('/', ""), some).titled(format!("{mode:?} source restored"));
        let former = world.remote.model().clone();
        world.complete();
        world.arrives("INBOX", &message("five", 300));
        world.complete();
        // What came after the backup is gone, and the next one gets its UID.
        world.removed("INBOX", &message("five", 300));
        world.remote.model().restore(&former);
        world.arrives("INBOX", &message("six", 300));
        world.run();
        world.complete();
    });
}

#[test]
fn a_backup_of_the_local_mailbox_comes_back_with_its_uids() {
    let mut world = World::new(Mode::Copy);
    let former = world.local.model().clone();
    world.complete();
    world.local.model().restore(&former);
    world.has_locally("INBOX", &message("own", 300));
    world.run();
    world.complete();
}

#[test]
fn a_message_is_moved_away_and_back() {
    for mode in [Mode::Copy, Mode::DeleteLocal] {
        for arrives in [false, true] {
            let mut world = World::new(mode).titled(format!("{mode:?} moved back, {arrives}"));
            world.complete();
            {
                let mut model = world.remote.model();
                let messages = &mut model.folders.get_mut("INBOX").expect("the inbox").messages;
                let moved = messages.remove(1);
                model.append("INBOX", moved.body, moved.flags.into_iter(), &moved.date);
            }
            if arrives {
                world.arrives("INBOX", &message("five", 300));
            }
            world.complete();
            world.idle();
        }
    }
}

#[test]
fn what_was_confirmed_and_is_not_there_is_told_and_comes_again() {
    let world = World::new(Mode::Copy);
    world.local.behave(Faults {
        loses: Some("four@scripted"),
        ..Faults::default()
    });
    let run = world.run();
    assert_eq!(run.exit, Some(111), "{run:#?}");
    assert!(run.log.contains("self-check: "), "{run:#?}");
    world.complete();
    world.idle();
}
