// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that owners move, file or delete on either side, between runs.

use super::fault::{ALWAYS, Act, Faults, Rule};
use super::model::Model;
use super::world::{Mode, World, message};
use ns8_imapsync::task::{FolderMode, RemoteDeletion};

/// Some mail in the inbox, and a message in Work.
fn world() -> World {
    World::with(Mode::Copy, Model::new('/', ""), |remote, _| {
        for n in 0..4 {
            remote.add("INBOX", &message(&format!("n{n}"), 300), &["\\Seen"]);
        }
        remote.add("Work", &message("other", 300), &["\\Seen"]);
        remote.add("Work", &message("m", 300), &["\\Seen"]);
        remote.add("Archive", &message("old", 300), &["\\Seen"]);
    })
}

/// The owner moves the message `m` from one folder to another.
fn shift(model: &mut Model, from: &str, to: &str) {
    let body = message("m", 300);
    let messages = &mut model.folders.get_mut(from).expect("a folder").messages;
    let at = messages.iter().position(|one| one.body == body);
    let moved = messages.remove(at.expect("the message"));
    model.create(to);
    model.append(to, moved.body, moved.flags.into_iter(), &moved.date);
}

/// How often a folder holds the message `m`.
fn count(model: &Model, folder: &str) -> usize {
    let body = message("m", 300);
    let messages = model.folders.get(folder).map(|folder| &folder.messages);
    messages.map_or(0, |messages| {
        messages.iter().filter(|one| one.body == body).count()
    })
}

#[test]
fn what_moved_and_does_not_arrive_stays_where_it_was_once_the_mirror_is_switched_on() {
    let mut world = world();
    world.complete();
    shift(&mut world.remote.model(), "Work", "Archive");
    let refuses = || {
        let answer = Act::Answer("NO [CANNOT] Not this one");
        Faults::rule(Rule::times(ALWAYS, "APPEND", "<m@scripted>", answer))
    };
    world.local.behave(refuses());
    world.run_unjudged();
    world.edit(|task| task.delete_local = true);
    for _ in 0..2 {
        world.local.behave(refuses());
        let run = world.run_unjudged();
        assert_eq!(run.report.deleted_local, 0, "{run:#?}");
        assert!(run.log.contains("until they have arrived"), "{run:#?}");
        assert_eq!(count(&world.local.model(), "Work"), 1, "{run:#?}");
    }
    for _ in 0..2 {
        world.local.behave(Faults::default());
        world.run_unjudged();
    }
    assert_eq!(count(&world.local.model(), "Work"), 0);
    assert_eq!(count(&world.local.model(), "Archive"), 1);
}

/// The task changes from the inbox to all folders and back, and then its local mailbox is lost.
#[test]
fn what_inbox_mode_brought_comes_again_also_after_a_time_of_all_folders() {
    let mut world = World::with(Mode::Inbox, Model::new('/', ""), |remote, _| {
        for n in 0..3 {
            remote.add("INBOX", &message(&format!("n{n}"), 300), &[]);
        }
        remote.add("INBOX", &message("read", 300), &["\\Seen"]);
    });
    let empty = world.local.model().clone();
    world.run_unjudged();
    for mode in [FolderMode::All, FolderMode::Inbox] {
        world.edit(|task| task.folders = mode);
        for _ in 0..2 {
            let run = world.run_unjudged();
            assert_eq!(run.exit, Some(0), "{run:#?}");
        }
    }
    world.local.model().restore(&empty);
    for _ in 0..2 {
        world.run_unjudged();
    }
    let local = world.local.model();
    for n in 0..3 {
        let body = message(&format!("n{n}"), 300);
        let there = local.folders["INBOX"]
            .messages
            .iter()
            .filter(|one| one.body == body);
        assert_eq!(there.count(), 1, "{n}");
    }
}

/// What stays at the source because its copy is marked, or is none of ours, is counted.
#[test]
fn what_stays_for_the_state_of_its_copy_is_told() {
    let mut world = world();
    world.complete();
    {
        let mut local = world.local.model();
        let work = local.folders.get_mut("Work").expect("a folder");
        for message in &mut work.messages {
            message.flags.insert("\\Deleted".to_owned());
        }
    }
    world.edit(|task| task.delete_remote = RemoteDeletion::from_fields(true, 0));
    let run = world.run_unjudged();
    assert_eq!(run.exit, Some(0), "{run:#?}");
    assert_eq!(world.remote.model().folders["Work"].messages.len(), 2);
    let withheld: Vec<_> = run
        .report
        .withheld
        .iter()
        .map(|one| (one.folder.as_str(), one.messages, one.confirmable))
        .collect();
    assert_eq!(withheld, [("Work", 2, false)], "{run:#?}");
}

/// The mirror deletes a message of which its owner makes a copy in another folder.
#[test]
fn what_its_owner_copied_stays_when_the_mirror_deletes_the_original() {
    let mut world = world();
    world.complete();
    world.edit(|task| task.delete_local = true);
    // All folders are on record, and what comes now is younger.
    for _ in 0..2 {
        world.run_unjudged();
    }
    {
        let mut remote = world.remote.model();
        let work = remote.folders.get_mut("Work").expect("a folder");
        work.messages.retain(|one| one.body != message("m", 300));
    }
    let run = world.run_unjudged();
    assert_eq!(run.report.deleted_local, 1, "{run:#?}");
    // As if it was made after that run had looked at the folder.
    world.local.model().add("Archive", &message("m", 300), &[]);
    world.local.model().add("Archive", &message("unknown", 300), &[]);
    for _ in 0..3 {
        world.run_unjudged();
    }
    let local = world.local.model();
    assert_eq!(count(&local, "Archive"), 1);
    assert_eq!(local.folders["Archive"].messages.len(), 2, "the other one went");
    drop(local);
    world.arrives("Work", &message("m", 300));
    world.run_unjudged();
    assert_eq!(count(&world.local.model(), "Work"), 1, "it comes again");
}
