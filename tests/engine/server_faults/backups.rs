// SPDX-License-Identifier: GPL-3.0-or-later
//! A backup comes back on one of the sides, and takes all folders back; also one that has as much new mail since as it lost,
//! so that its numbers tell nothing.

use crate::server_faults::fault::{Act, Faults, Rule};
use crate::server_faults::model::{Model, Stored};
use crate::server_faults::world::{Mode, Side, World, message};

const FOLDERS: [&str; 6] = ["INBOX", "W", "A", "B", "C", "D"];

/// Two accounts that agree, and the backup of one side that is older than the last message of each folder.
fn with_backup(mode: Mode, side: Side) -> (World, Model) {
    let world = World::with(mode, Model::new('/', ""), |remote, _| {
        for folder in FOLDERS {
            remote.add(folder, &message(&format!("first in {folder}"), 300), &[]);
        }
    });
    world.complete();
    let backup = world.server(side).model().clone();
    // The youngest messages are asked for: those of W are not among them.
    for (folder, id) in [
        ("INBOX", "r4"),
        ("W", "r2"),
        ("A", "a"),
        ("B", "b"),
        ("C", "c"),
        ("D", "d"),
    ] {
        world.remote.model().add(folder, &message(id, 300), &[]);
        world.run_unjudged();
    }
    (world, backup)
}

/// The side as the backup has it, but for the folders that received mail last.
fn restored(mut backup: Model, now: &Model) -> Model {
    for name in ["A", "B", "C", "D"] {
        backup.folders.insert(name.to_owned(), now.folders[name].clone());
    }
    backup
}

fn count(model: &Model, folder: &str, id: &str) -> usize {
    let wanted = message(id, 300);
    let messages = model.folders[folder].messages.iter();
    messages.filter(|message| message.body == wanted).count()
}

#[test]
fn a_restored_destination_is_compared_in_all_its_folders() {
    for mode in [Mode::Copy, Mode::DeleteLocal] {
        let (world, backup) = with_backup(mode, Side::Local);
        {
            let mut local = world.local.model();
            let restored = restored(backup, &local);
            local.restore(&restored);
            local.add("W", &message("the owner's", 300), &[]);
        }
        world.run_unjudged();
        let has = |folder: &str, id: &str| count(&world.local.model(), folder, id);
        assert_eq!(
            (has("INBOX", "r4"), has("W", "r2"), has("W", "the owner's")),
            (1, 1, 1),
            "{mode:?}"
        );
        let gone = message("r2", 300);
        let mut remote = world.remote.model();
        let folder = remote.folders.get_mut("W").expect("a folder that is there");
        folder.messages.retain(|message| message.body != gone);
        drop(remote);
        for _ in 0..3 {
            world.run_unjudged();
        }
        let left = usize::from(mode == Mode::Copy);
        assert_eq!((has("W", "r2"), has("W", "the owner's")), (left, 1), "{mode:?}");
    }
}

/// What the run met in one folder is all that shows it, and that run forgets it.
#[test]
fn a_destination_that_is_restored_during_a_run_is_compared_in_all_its_folders() {
    for mode in [Mode::Copy, Mode::DeleteLocal] {
        let (world, backup) = with_backup(mode, Side::Local);
        let mut back = restored(backup, &world.local.model());
        back.add("W", &message("the owner's", 300), &[]);
        world.remote.model().add("INBOX", &message("r5", 300), &[]);
        let comes_back = Rule::once("APPEND", "INBOX", Act::Restore(Box::new(back)));
        world.local.behave(Faults::rule(comes_back));
        let run = world.run_unjudged();
        assert_ne!(run.exit, Some(0), "{mode:?}: {run:#?}");
        for _ in 0..2 {
            world.run_unjudged();
        }
        let local = world.local.model();
        let has = |folder, id| count(&local, folder, id);
        assert_eq!(
            (
                has("INBOX", "r4"),
                has("INBOX", "r5"),
                has("W", "r2"),
                has("W", "the owner's")
            ),
            (1, 1, 1, 1),
            "{mode:?}"
        );
    }
}

/// The run that meets it is killed, wherever it is: what showed it may be forgotten by then.
#[test]
fn a_restored_source_is_compared_in_all_its_folders_by_the_run_after_one_that_was_cut_off() {
    for command in 5.. {
        let (world, backup) = with_backup(Mode::Copy, Side::Remote);
        {
            let mut remote = world.remote.model();
            let restored = restored(backup, &remote);
            remote.restore(&restored);
            remote.add("W", &message("new", 300), &[]);
        }
        if !world.kill(Side::Remote, command, true) {
            assert!(command > 8, "the run was over before it met anything");
            break;
        }
        let run = world.run_unjudged();
        let local = world.local.model();
        let has = |id| count(&local, "W", id);
        assert_eq!((has("new"), has("r2")), (1, 1), "{command}: {run:#?}");
    }
}

/// A restored source may be another mailbox: what it lacks was not deleted there.
#[test]
fn what_a_restored_source_never_had_stays_when_the_run_that_met_it_is_cut_off() {
    for command in 5.. {
        let world = World::with(Mode::DeleteLocal, Model::new('/', ""), |remote, _| {
            for n in 0..15 {
                remote.add("INBOX", &message(&format!("inbox{n}"), 300), &[]);
            }
            remote.add("Work", &message("work", 300), &[]);
        });
        world.complete();
        let backup = world.remote.model().clone();
        {
            let mut remote = world.remote.model();
            remote.add("INBOX", &message("new", 300), &[]);
            for n in 0..5 {
                remote.add("Project", &message(&format!("project{n}"), 300), &[]);
            }
        }
        world.run_unjudged();
        world.remote.model().restore(&backup);
        if !world.kill(Side::Remote, command, true) {
            assert!(command > 8, "the run was over before it met anything");
            break;
        }
        for _ in 0..3 {
            let run = world.run_unjudged();
            assert_eq!(run.report.deleted_local, 0, "{command}: {run:#?}");
        }
        let local = world.local.model();
        let project = local.folders.get("Project").map(|folder| folder.messages.len());
        assert_eq!(project, Some(5), "{command}");
    }
}

/// A mirror looks at what it deletes: the number may be another message's by now.
#[test]
fn what_its_owner_put_into_a_restored_folder_is_not_deleted_for_another_message() {
    let (world, backup) = with_backup(Mode::DeleteLocal, Side::Local);
    {
        let mut local = world.local.model();
        local.folders.insert("W".to_owned(), backup.folders["W"].clone());
        local.add("W", &message("the owner's", 300), &[]);
    }
    let gone = message("r2", 300);
    {
        let mut remote = world.remote.model();
        let folder = remote.folders.get_mut("W").expect("a folder that is there");
        folder.messages.retain(|message| message.body != gone);
    }
    let run = world.run_unjudged();
    assert!(run.exit != Some(0) && run.report.deleted_local == 0, "{run:#?}");
    for _ in 0..2 {
        world.run_unjudged();
        assert_eq!(count(&world.local.model(), "W", "the owner's"), 1);
    }
}

/// Its owner deletes a folder while the others are copied: the look at the end of the run meets it, and the next run knows what
/// it means.
#[test]
fn a_folder_that_its_owner_deletes_during_the_run_does_not_come_again() {
    let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
        for n in 0..3 {
            remote.add("A", &message(&format!("a{n}"), 300), &[]);
        }
        remote.add("W", &message("w", 300), &[]);
    });
    let deletes = Rule::once("APPEND", "W", Act::DeleteMailbox("A"));
    world.local.behave(Faults::rule(deletes));
    world.run_unjudged();
    assert!(!world.local.model().folders.contains_key("A"));
    for _ in 0..2 {
        let run = world.run_unjudged();
        assert!(!world.local.model().folders.contains_key("A"), "{run:#?}");
    }
}

/// A server that announces more than it has, and makes its messages anew at each request.
#[test]
fn what_comes_short_and_differs_each_time_is_not_copied_at_every_run() {
    for mode in [Mode::Copy, Mode::DeleteRemote] {
        let world = World::with(mode, Model::new('/', ""), |remote, _| {
            remote.add("INBOX", &message("odd", 3_000), &[]);
        });
        world.remote.behave(Faults {
            size: 2_000,
            varies: true,
            ..Faults::default()
        });
        for _ in 0..4 {
            world.run_unjudged();
        }
        let copies = world.local.model().folders["INBOX"].messages.len();
        assert_eq!(copies, 1, "{mode:?}");
        assert_eq!(
            world.remote.model().folders["INBOX"].messages.len(),
            1,
            "{mode:?}"
        );
    }
}

/// What was delivered in inbox mode carries our own mark at the source, and is unread no more. The filters do not see it a second
/// time: they may have sent it on.
#[test]
fn a_lost_inbox_is_filled_again_but_for_what_was_filed() {
    for (is_replaced, is_filtered) in [(false, false), (true, false), (false, true), (true, true)] {
        let world = World::with(Mode::Inbox, Model::new('/', ""), |remote, _| {
            for n in 0..4 {
                remote.add("INBOX", &message(&format!("m{n}"), 300), &[]);
            }
        });
        let world = match is_filtered {
            true => world.filtered(),
            false => world,
        };
        let empty = world.local.model().clone();
        world.run_unjudged();
        {
            let mut local = world.local.model();
            local.restore(&empty);
            local.add("Work", &message("m1", 300), &[]);
            if is_replaced {
                local.replace("INBOX");
            }
        }
        for _ in 0..3 {
            world.run_unjudged();
            let local = world.local.model();
            let there: Vec<usize> = (0..4).map(|n| count(&local, "INBOX", &format!("m{n}"))).collect();
            assert_eq!(there, [1, 0, 1, 1], "{is_replaced} {is_filtered}");
            let all: usize = local.folders.values().map(|folder| folder.messages.len()).sum();
            assert_eq!(all, 4, "{is_replaced} {is_filtered}");
        }
        let remote = world.remote.model();
        let is_marked = |message: &Stored| message.has("\\Seen");
        assert!(remote.folders["INBOX"].messages.iter().all(is_marked));
        drop(remote);
        // Once more, as the first loss may be met twice.
        world.local.model().restore(&empty);
        for _ in 0..2 {
            world.run_unjudged();
        }
        assert_eq!(world.local.model().folders["INBOX"].messages.len(), 4);
    }
}

/// A new generation and new flags come to the source between two runs.
#[test]
fn flags_that_came_along_with_a_new_generation_are_carried_over_and_none_is_taken() {
    for without in [&[][..], &["CONDSTORE"]] {
        let world = World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
            remote.add("INBOX", &message("read", 300), &["\\Seen"]);
            remote.add("INBOX", &message("new", 300), &[]);
        });
        world.remote.behave(Faults::without(without));
        world.run_unjudged();
        {
            let mut remote = world.remote.model();
            remote.renumber();
            let folder = remote.folders.get_mut("INBOX").expect("an inbox");
            folder.messages[0].flags.clear();
            folder.messages[1].flags = ["\\Flagged".to_owned()].into();
        }
        for _ in 0..2 {
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{run:#?}");
        }
        let local = world.local.model();
        let flags: Vec<_> = local.folders["INBOX"]
            .messages
            .iter()
            .map(|message| message.flags.iter().cloned().collect::<Vec<_>>())
            .collect();
        assert_eq!(flags, [["\\Seen"], ["\\Flagged"]], "{without:?}");
    }
}
