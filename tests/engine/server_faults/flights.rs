// SPDX-License-Identifier: GPL-3.0-or-later
//! What is sent ahead for many folders together, and goes wrong in the middle: the other folders are not disturbed, and
//! nothing is deleted that was not proven.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::server_faults::fault::{ALWAYS, Act, After, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::server::lock;
use crate::server_faults::world::{Mode, Side, World, message};

const FOLDERS: usize = 8;

fn world(mode: Mode) -> World {
    World::with(mode, Model::new('/', ""), |remote, _| {
        for n in 0..FOLDERS {
            let folder = format!("Folder {n}");
            remote.add(&folder, &message(&format!("a{n}"), 300), &[]);
            remote.add(&folder, &message(&format!("b{n}"), 300), &[]);
        }
    })
}

#[test]
fn a_folder_that_cannot_be_opened_disturbs_no_other() {
    let world = world(Mode::Copy);
    world.complete();
    world.flag_all();
    let refusal = Act::Answer("NO [SERVERBUG] It is broken");
    world
        .remote
        .behave(Faults::rule(Rule::times(ALWAYS, "EXAMINE", "Folder 3", refusal)));
    let run = world.run();
    assert_eq!(run.exit, Some(117), "{run:#?}");
    assert!(run.log.contains("It is broken"), "{run:#?}");
    assert_eq!(world.flagged(), 2 * (FOLDERS - 1));
    // One connection, on which commands are sent ahead from its beginning to its end.
    let turns = lock(&world.remote.shared.turns).clone();
    assert!(turns.len() == 1 && turns[0] <= 7, "{turns:?}");
    world.complete();
    assert_eq!(world.flagged(), 2 * FOLDERS);
}

#[test]
fn a_folder_that_is_gone_is_no_reason_to_send_one_command_at_a_time() {
    let world = world(Mode::Copy);
    world.complete();
    world.flag_all();
    let gone = Act::DeleteMailbox("Folder 3");
    world
        .remote
        .behave(Faults::rule(Rule::once("EXAMINE", "Folder 3", gone)));
    world.run_unjudged();
    assert_eq!(world.flagged(), 2 * (FOLDERS - 1));
    let turns = lock(&world.remote.shared.turns).clone();
    assert!(turns.len() == 1 && turns[0] <= 7, "{turns:?}");
}

#[test]
fn flags_that_are_refused_once_are_asked_for_again() {
    let world = world(Mode::Copy);
    world.complete();
    world.flag_all();
    let refusal = Act::Answer("NO [INUSE] Not now");
    world
        .remote
        .behave(Faults::rule(Rule::once("UID FETCH", "FLAGS", refusal)));
    world.finish();
    assert_eq!(world.flagged(), 2 * FOLDERS);
}

#[test]
fn a_connection_that_breaks_while_flags_are_told_loses_none() {
    for skip in [0, 1, 5, FOLDERS, 2 * FOLDERS - 1] {
        for act in [Act::Close, Act::DoAndClose] {
            let world = world(Mode::Copy).titled(format!("{act:?} after {skip}"));
            world.complete();
            world.flag_all();
            let rule = Rule::once("UID FETCH", "", act).after(skip);
            world.remote.behave(Faults::rule(rule));
            world.finish();
            assert_eq!(world.flagged(), 2 * FOLDERS, "{}", world.title);
        }
    }
}

#[test]
fn what_breaks_off_between_mark_and_expunge_is_finished() {
    std::thread::scope(|scope| {
        for verb in ["SELECT", "UID STORE", "UID EXPUNGE", "UID SEARCH", "EXAMINE"] {
            for act in [Act::Close, Act::DoAndClose] {
                scope.spawn(move || {
                    for skip in [0, 3, FOLDERS + 2] {
                        let title = format!("{act:?} at {verb} after {skip}");
                        let world = world(Mode::DeleteRemote).titled(title);
                        let rule = Rule::once(verb, "", act.clone()).after(skip);
                        world.remote.behave(Faults::rule(rule));
                        world.finish();
                        world.complete();
                        world.idle();
                    }
                });
            }
        }
    });
}

#[test]
fn a_run_that_ends_between_mark_and_expunge_leaves_what_the_next_one_finishes() {
    let turns = Mutex::new((20..110).step_by(3));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(commands) = { lock(&turns).next() } {
                    let world = world(Mode::DeleteRemote).titled(format!("after {commands} commands"));
                    world
                        .remote
                        .behave(Faults::cut(After::Commands(commands), Some(0)));
                    world.run();
                    world.complete();
                    world.idle();
                }
            });
        }
    });
}

#[test]
fn a_refusal_in_one_folder_keeps_only_its_mail() {
    for verb in ["SELECT", "UID STORE", "UID EXPUNGE"] {
        let world = world(Mode::DeleteRemote).titled(verb.to_owned());
        let refusal = Act::Answer("NO [NOPERM] You may not");
        // Of STORE and EXPUNGE the third one is that of the third folder.
        let (with, skip) = match verb {
            "SELECT" => ("Folder 3", 0),
            _ => ("", 2),
        };
        world
            .remote
            .behave(Faults::rule(Rule::once(verb, with, refusal).after(skip)));
        // Once is not always: the folder alone is tried again.
        world.finish();
        world.idle();
    }
}

#[test]
fn a_folder_that_is_replaced_before_it_is_emptied_keeps_its_mail() {
    for skip in [0, 1] {
        let world = world(Mode::DeleteRemote).titled(format!("before SELECT {skip}"));
        let rule = Rule::once("SELECT", "Folder 3", Act::ReplaceMailbox("Folder 3")).after(skip);
        keeps_what_replaced(&world, Faults::rule(rule));
    }
}

#[test]
fn marks_in_a_folder_that_was_replaced_are_taken_back_after_a_lost_connection() {
    let world = world(Mode::DeleteRemote);
    let mut faults = Faults::rule(Rule::once("SELECT", "Folder 3", Act::ReplaceMailbox("Folder 3")));
    // The mark of the fourth folder is set, and no one hears of it.
    faults
        .rules
        .push(Rule::once("UID STORE", "+FLAGS", Act::DoAndClose).after(3));
    keeps_what_replaced(&world, faults);
}

/// The third folder has another mailbox's mail in the end, without a mark; the others are empty.
fn keeps_what_replaced(world: &World, faults: Faults) {
    world.remote.behave(faults);
    let run = world.run_unjudged();
    assert_eq!(run.exit, Some(117), "{}: {run:#?}", world.title);
    let model = world.server(Side::Remote).model();
    for (name, folder) in &model.folders {
        let expected = if name == "Folder 3" { 2 } else { 0 };
        assert_eq!(folder.messages.len(), expected, "{}: {name}", world.title);
        let is_marked = folder.messages.iter().any(|message| message.has("\\Deleted"));
        assert!(!is_marked, "{}: {name}", world.title);
    }
}

#[test]
fn a_server_that_keeps_the_former_folder_open_loses_nothing_of_it() {
    // Of a folder that cannot be opened nothing is done to the one that was open before.
    let world = world(Mode::DeleteRemote);
    let refusal = Act::Answer("NO [SERVERBUG] It is broken");
    world
        .remote
        .behave(Faults::rule(Rule::times(ALWAYS, "SELECT", "Folder 3", refusal)));
    let run = world.run();
    assert_ne!(run.exit, Some(0), "{run:#?}");
    let marked = |world: &World| {
        let model = world.remote.model();
        let all = model.folders.values().flat_map(|folder| &folder.messages);
        all.filter(|message| message.has("\\Deleted")).count()
    };
    assert_eq!(marked(&world), 0);
    world.complete();
    world.idle();
}

/// A server that answers UID SEARCH with message numbers: what is gone is not told by its answers alone.
#[test]
fn what_is_gone_is_not_told_by_message_numbers() {
    let world = World::with(Mode::DeleteLocal, Model::new('/', ""), |remote, _| {
        for folder in ["A", "B", "C"] {
            for n in 0..4 {
                remote.add(folder, &message(&format!("{folder}{n}"), 300), &[]);
            }
        }
    });
    let server = || Faults {
        without: vec!["ESEARCH"],
        finds_numbers: true,
        ..Faults::default()
    };
    world.remote.behave(server());
    world.run_unjudged();
    for name in ["A", "B", "C"] {
        let mut remote = world.remote.model();
        let folder = remote.folders.get_mut(name).expect("a folder that is there");
        folder.messages.remove(2);
    }
    let runs = [world.run_unjudged(), world.run_unjudged()];
    let left = |model: &Model| {
        let folders = model.folders.iter();
        let uids =
            folders.map(|(name, folder)| (name.clone(), folder.messages.iter().map(|m| m.uid).collect()));
        uids.collect::<BTreeMap<String, Vec<u32>>>()
    };
    let (local, remote) = (left(&world.local.model()), left(&world.remote.model()));
    assert_eq!(local, remote, "{runs:#?}");
}
