// SPDX-License-Identifier: GPL-3.0-or-later
//! How often the program waits for the source: what a run costs when the source is far away. Time is not measured here.

use crate::server_faults::model::Model;
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
fn changed_flags_take_one_round_trip_a_folder() {
    let world = folders(Mode::Copy, 20);
    world.complete();
    {
        let mut model = world.remote.model();
        model.modseq += 1;
        let modseq = model.modseq;
        for message in model.folders.values_mut().flat_map(|folder| &mut folder.messages) {
            message.flags.insert("\\Flagged".to_owned());
            message.modseq = modseq;
        }
    }
    let changed = turns(&world);
    assert!(changed[0] <= IN_AND_OUT + 1 + 21, "{changed:?}");
    let flagged = |world: &World| {
        let model = world.local.model();
        let all = model.folders.values().flat_map(|folder| &folder.messages);
        all.filter(|message| message.has("\\Flagged")).count()
    };
    assert_eq!(flagged(&world), 41);
}

#[test]
fn emptying_a_folder_takes_four_round_trips() {
    let world = folders(Mode::DeleteRemote, 20);
    let emptied = turns(&world);
    // To see what is there, that it is what was copied, to delete it, to see that it is gone; once, to tell the two
    // mailboxes apart, and to check what was done.
    assert!(emptied[0] <= IN_AND_OUT + 1 + 21 + 4 * 21 + 2, "{emptied:?}");
}
