// SPDX-License-Identifier: GPL-3.0-or-later
//! How often the program waits for the source: what a run costs when the source is far away. Time is not measured here.

use crate::server_faults::fault::Faults;
use crate::server_faults::model::{Model, Stored};
use crate::server_faults::server::lock;
use crate::server_faults::world::{Mode, World, message};

/// AUTHENTICATE, as the greeting tells the capabilities; and LOGOUT, which is not waited for.
const IN_AND_OUT: usize = 2;

/// Round trips with the source in a run that must end well, by connection.
fn turns(world: &World) -> Vec<usize> {
    world.complete();
    lock(&world.remote.shared.turns).clone()
}

fn folders(mode: Mode, count: usize) -> World {
    World::with(mode, Model::new('/', ""), |remote, _| {
        remote.add("INBOX", &message("inbox", 300), &[]);
        for n in 0..count {
            let folder = format!("Folder {n}");
            remote.add(&folder, &message(&format!("a{n}"), 300), &[]);
            remote.add(&folder, &message(&format!("b{n}"), 300), &["\\Seen"]);
        }
    })
}

#[test]
fn a_run_without_news_takes_one_round_trip_beside_the_login() {
    for mode in [Mode::Copy, Mode::DeleteLocal, Mode::Inbox] {
        let world = folders(mode, 20);
        world.complete();
        // Another one, as what is marked as read has changed by that.
        world.complete();
        assert_eq!(turns(&world), [IN_AND_OUT + 1], "{mode:?}");
    }
}

#[test]
fn a_first_copy_takes_few_round_trips_however_many_folders_there_are() {
    // What is asked for ahead is more than these folders hold.
    let world = folders(Mode::Copy, 20);
    let turns = turns(&world);
    assert!(turns.len() == 1 && turns[0] <= IN_AND_OUT + 9, "{turns:?}");
}

#[test]
fn subscriptions_are_asked_for_once_and_where_a_folder_is_made() {
    let mut world = folders(Mode::Copy, 3);
    let asked = |world: &World| {
        world.complete();
        let heard = world.remote.heard();
        heard.iter().filter(|command| command.contains("LSUB")).count()
    };
    assert_eq!(asked(&world), 1);
    world.arrives("Folder 1", &message("news", 300));
    assert_eq!(asked(&world), 0, "no folder was made");
}

#[test]
fn changed_flags_take_few_round_trips_however_many_folders_there_are() {
    for count in [2, 40, 120] {
        let world = folders(Mode::Copy, count);
        world.complete();
        world.flag_all();
        let changed = turns(&world);
        println!("flags in {count} folders: {changed:?}");
        assert!(
            sum(&changed) <= IN_AND_OUT + 2 + flights(count),
            "{count}: {changed:?}"
        );
        assert_eq!(world.flagged(), 2 * count + 1);
    }
}

#[test]
fn new_mail_in_many_folders_takes_few_round_trips() {
    for count in [2, 40, 120] {
        let mut world = folders(Mode::Copy, count);
        world.complete();
        for n in 0..count {
            world.arrives(&format!("Folder {n}"), &message(&format!("new{n}"), 300));
        }
        let came = turns(&world);
        println!("new mail in {count} folders: {came:?}");
        // The list, the messages along with the flags, the self-check.
        assert!(
            sum(&came) <= IN_AND_OUT + 4 + 3 * flights(count),
            "{count}: {came:?}"
        );
    }
}

#[test]
fn mail_that_is_gone_from_many_folders_takes_few_round_trips() {
    for mode in [Mode::Copy, Mode::DeleteLocal] {
        for count in [2, 40, 120] {
            let world = folders(mode, count);
            world.complete();
            for folder in world.remote.model().folders.values_mut() {
                let gone = |message: &Stored| message.body.starts_with(b"Received: from there by here; a");
                folder.messages.retain(|message| !gone(message));
            }
            world.remote.behave(Faults::default());
            let run = world.run_unjudged();
            let looked = lock(&world.remote.shared.turns).clone();
            println!("{mode:?}, mail gone from {count} folders: {looked:?}");
            assert_eq!(run.exit, Some(0), "{run:#?}");
            let deleted = if mode == Mode::DeleteLocal {
                count as u64
            } else {
                0
            };
            assert_eq!(run.report.deleted_local, deleted, "{run:#?}");
            // The list, the flags, what is left, what has come meanwhile, the self-check.
            assert!(sum(&looked) <= IN_AND_OUT + 8, "{mode:?} {count}: {looked:?}");
        }
    }
}

#[test]
fn one_new_message_takes_three_round_trips_besides_the_login() {
    let mut world = folders(Mode::Copy, 20);
    world.complete();
    world.arrives("Folder 7", &message("new", 300));
    let came = turns(&world);
    assert_eq!(came, [IN_AND_OUT + 3], "{:#?}", world.remote.heard());
}

#[test]
fn comparing_all_folders_after_a_lost_ledger_takes_few_round_trips() {
    for count in [2, 40, 120] {
        let world = folders(Mode::Copy, count);
        world.complete();
        world.forget();
        let compared = turns(&world);
        println!("{count} folders compared: {compared:?}");
        assert!(
            sum(&compared) <= IN_AND_OUT + 2 + flights(count),
            "{count}: {compared:?}"
        );
    }
}

#[test]
fn emptying_many_folders_takes_few_round_trips() {
    for count in [2, 40, 120] {
        let world = folders(Mode::DeleteRemote, count);
        let emptied = turns(&world);
        println!("{count} folders emptied: {emptied:?}");
        // The list, the messages; that they are what was copied, that both sides are different mailboxes, to mark them,
        // to delete them, to check what was done.
        assert!(
            sum(&emptied) <= IN_AND_OUT + 8 + 6 * flights(count),
            "{count}: {emptied:?}"
        );
        assert!(count != 40 || sum(&emptied) <= IN_AND_OUT + 12, "{emptied:?}");
        assert_eq!(world.remote.model().octets(), 0);
    }
}

fn sum(turns: &[usize]) -> usize {
    turns.iter().sum()
}

/// Round trips in which so many folders are asked two things each, with 100 commands in flight and more.
fn flights(folders: usize) -> usize {
    1 + folders / 40
}
