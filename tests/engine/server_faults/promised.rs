// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers that tell of a message before they show it, or show it and do not tell: it comes with a later run.

use crate::server_faults::fault::{ALWAYS, Act, CAPABILITIES, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, Run, World, message};

/// A run without news: the login, the logout, and one question.
const IDLE: usize = 3;

/// How often the local inbox has a message.
fn count_local(world: &World, id: &str) -> usize {
    let model = world.local.model();
    let messages = model.folders["INBOX"].messages.iter();
    messages.filter(|one| one.body == message(id, 300)).count()
}

fn filled(mode: Mode, title: String) -> World {
    let world = World::with(mode, Model::new('/', ""), |remote, _| {
        for n in 1..=8 {
            remote.add("INBOX", &message(&format!("m{n}"), 300), &[]);
        }
    });
    world.titled(title)
}

/// The owner of the remote mailbox deletes a message, copied or not.
fn delete(world: &World, id: &str) {
    let mut model = world.remote.model();
    let messages = &mut model.folders.get_mut("INBOX").expect("an inbox").messages;
    messages.retain(|one| one.body != message(id, 300));
}

fn run(world: &World, faults: &Faults) -> Run {
    world.remote.behave(faults.clone());
    let run = world.run_unjudged();
    assert_eq!(run.exit, Some(0), "{}: {run:#?}", world.title);
    run
}

#[test]
fn a_message_that_is_told_of_before_it_is_shown_comes_later() {
    for without in [&[][..], &CAPABILITIES] {
        for mode in [Mode::Copy, Mode::DeleteLocal] {
            // How many of the changes opening shows, and which UIDNEXT.
            for (is_gone, shows_gone) in [(false, false), (true, false), (true, true)] {
                for next in [0, 9, 10] {
                    let title = format!(
                        "{mode:?}, one gone: {is_gone}, shown: {shows_gone}, UIDNEXT {next}, without {without:?}"
                    );
                    let world = filled(mode, title);
                    let fair = Faults::without(without);
                    run(&world, &fair);
                    let unchanged = world.remote.model().clone();
                    if is_gone {
                        delete(&world, "m3");
                    }
                    let mut former = match shows_gone {
                        true => world.remote.model().clone(),
                        false => unchanged,
                    };
                    former.folders.get_mut("INBOX").expect("an inbox").uid_next = next;
                    world.remote.model().add("INBOX", &message("new", 300), &[]);
                    world.remote.behave(Faults {
                        stale_view: Some(former),
                        ..fair.clone()
                    });
                    let behind = world.run_unjudged();
                    // A UIDNEXT that goes back is told.
                    assert!(
                        next == 9 || behind.exit == Some(0),
                        "{}: {behind:#?}",
                        world.title
                    );
                    for _ in 0..2 {
                        world.remote.behave(fair.clone());
                        world.run_unjudged();
                    }
                    let last = run(&world, &fair);
                    let left = usize::from(mode == Mode::Copy || !is_gone);
                    assert_eq!(count_local(&world, "new"), 1, "{}: {last:#?}", world.title);
                    assert_eq!(count_local(&world, "m3"), left, "{}: {last:#?}", world.title);
                }
            }
        }
    }
}

#[test]
fn a_message_that_came_and_went_is_looked_for_twice_and_not_at_every_run() {
    for mode in [Mode::Copy, Mode::DeleteLocal] {
        for has_local_mail in [false, true] {
            let mut world = filled(mode, format!("{mode:?}, local mail: {has_local_mail}"));
            let fair = Faults::default();
            run(&world, &fair);
            if has_local_mail && mode == Mode::Copy {
                world.has_locally("INBOX", &message("mine", 300));
            }
            world.remote.model().add("INBOX", &message("gone", 300), &[]);
            delete(&world, "gone");
            for _ in 0..2 {
                run(&world, &fair);
            }
            run(&world, &fair);
            let turns = world.remote.shared.turns.lock().expect("turns").clone();
            assert_eq!(turns, [IDLE], "{}", world.title);
        }
    }
}

#[test]
fn the_last_message_of_a_new_folder_that_is_gone_is_not_looked_for() {
    let world = filled(Mode::Copy, "new".to_owned());
    delete(&world, "m8");
    let fair = Faults::default();
    run(&world, &fair);
    run(&world, &fair);
    let turns = world.remote.shared.turns.lock().expect("turns").clone();
    assert_eq!(turns, [IDLE]);
}

#[test]
fn a_status_that_stays_as_it_was_is_not_believed_where_opening_shows_more() {
    for mode in [Mode::Copy, Mode::DeleteLocal] {
        let world = filled(mode, format!("{mode:?}"));
        let fair = Faults::without(&CAPABILITIES);
        run(&world, &fair);
        let stale = Faults {
            stale_status: Some(world.remote.model().clone()),
            ..fair
        };
        for n in 1..=2 {
            let id = format!("new{n}");
            world.remote.model().add("INBOX", &message(&id, 300), &[]);
            run(&world, &stale);
            let last = run(&world, &stale);
            assert_eq!(count_local(&world, &id), 1, "{}, {id}: {last:#?}", world.title);
        }
    }
}

#[test]
fn a_search_that_does_not_tell_what_it_found_settles_nothing() {
    for (times, comes_at_once) in [(1, true), (2, false), (ALWAYS, false)] {
        let world = filled(Mode::Inbox, format!("{times} times"));
        let fair = Faults::default();
        run(&world, &fair);
        run(&world, &fair);
        world.remote.model().add("INBOX", &message("new", 300), &[]);
        let rule = Rule::times(times, "UID SEARCH", "UNSEEN", Act::Answer("OK Found"));
        run(&world, &Faults::rule(rule));
        assert_eq!(count_local(&world, "new") == 1, comes_at_once, "{}", world.title);
        let last = run(&world, &fair);
        assert_eq!(count_local(&world, "new"), 1, "{}: {last:#?}", world.title);
    }
}
