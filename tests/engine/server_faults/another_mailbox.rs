// SPDX-License-Identifier: GPL-3.0-or-later
//! A mirror whose source is suddenly another mailbox of the same name: another server behind the address, or a wrong one.

use ns8_imapsync::task::{Exclusions, FolderMode};

use crate::server_faults::fault::{Act, Faults, Rule};
use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, Side, World, message};

#[test]
fn what_another_mailbox_never_had_is_not_deleted() {
    let world = World::with(Mode::DeleteLocal, Model::new('/', ""), |remote, _| {
        for n in 0..15 {
            remote.add("INBOX", &message(&format!("mine{n}"), 300), &[]);
        }
        for n in 0..5 {
            remote.add("Work", &message(&format!("work{n}"), 300), &[]);
        }
    });
    world.complete();
    let mine = world.remote.model().clone();
    let mut other = Model::new('/', "");
    for n in 0..6 {
        other.add("INBOX", &message(&format!("theirs{n}"), 300), &[]);
    }
    other.folders.get_mut("INBOX").expect("an inbox").uid_validity = 77;
    *world.remote.model() = other;
    for _ in 0..4 {
        let run = world.run_unjudged();
        assert_eq!(run.report.deleted_local, 0, "{run:#?}");
    }
    let counted = |folder: &str| world.local.model().folders[folder].messages.len();
    assert_eq!((counted("INBOX"), counted("Work")), (21, 5));
    // Nor is it doubled when the former one is back.
    *world.remote.model() = mine;
    for _ in 0..3 {
        world.run_unjudged();
    }
    assert_eq!(counted("Work"), 5);
    let local = world.local.model().folders["INBOX"].messages.clone();
    let mine = |text: &[u8]| memchr::memmem::find(text, b"<mine").is_some();
    assert_eq!(local.iter().filter(|message| mine(&message.body)).count(), 15);
}

/// A mailbox with as many messages in its inbox, where there is another folder.
fn mailbox(inbox: usize, work: usize) -> Model {
    let mut model = Model::new('/', "");
    for n in 0..inbox {
        model.add("INBOX", &message(&format!("inbox{inbox}.{n}"), 300), &[]);
    }
    for n in 0..work {
        model.add("Work", &message(&format!("work{n}"), 300), &[]);
    }
    model
}

fn another_mailbox() -> Model {
    let mut other = mailbox(16, 0);
    other.folders.get_mut("INBOX").expect("an inbox").uid_validity = 77;
    other
}

/// The run that meets the other mailbox is killed, wherever it is; those that follow know all the same.
#[test]
fn what_another_mailbox_never_had_stays_when_the_run_that_met_it_is_cut_off() {
    for command in 5.. {
        let world = World::with(Mode::DeleteLocal, Model::new('/', ""), |remote, _| {
            *remote = mailbox(15, 5);
        });
        world.complete();
        *world.remote.model() = another_mailbox();
        if !world.kill(Side::Remote, command, true) {
            assert!(command > 8, "the run was over before it met anything");
            break;
        }
        for _ in 0..3 {
            let run = world.run_unjudged();
            assert_eq!(run.report.deleted_local, 0, "{command}: {run:#?}");
        }
        let work = world.local.model().folders["Work"].messages.len();
        assert_eq!(work, 5, "{command}");
    }
}

#[test]
fn what_another_mailbox_never_had_stays_where_the_inbox_is_left_out_or_mirroring_began_later() {
    for (exclusions, mirrors) in [(",^INBOX$", true), ("", false)] {
        let mut world = World::with(Mode::DeleteLocal, Model::new('/', ""), |remote, _| {
            *remote = mailbox(15, 5);
            remote.add("Lists", &message("list", 300), &[]);
            remote.add("Sent", &message("sent", 300), &[]);
        });
        world.edit(|task| {
            task.folders = FolderMode::Exclusion;
            task.exclusions = Exclusions::from_stored(exclusions);
            task.delete_local = mirrors;
        });
        world.run_unjudged();
        let mut other = another_mailbox();
        other
            .folders
            .insert("Lists".to_owned(), world.remote.model().folders["Lists"].clone());
        other
            .folders
            .insert("Sent".to_owned(), world.remote.model().folders["Sent"].clone());
        *world.remote.model() = other;
        world.run_unjudged();
        world.edit(|task| task.delete_local = true);
        for _ in 0..4 {
            let run = world.run_unjudged();
            assert_eq!(run.report.deleted_local, 0, "{exclusions:?}: {run:#?}");
        }
        let local = world.local.model();
        let work = local.folders.get("Work").map(|work| work.messages.len());
        assert_eq!(work, Some(5), "{exclusions:?}");
    }
}

/// The name of the source may lead to another server at each connection, and that may be the destination.
#[test]
fn nothing_is_deleted_over_a_connection_that_was_not_seen_to_lead_elsewhere() {
    for (verb, folders) in [
        ("UID STORE", 2),
        ("UID EXPUNGE", 2),
        ("UID STORE", 1),
        ("UID EXPUNGE", 1),
    ] {
        let world = World::with(Mode::DeleteRemote, Model::new('/', ""), |remote, _| {
            for folder in ["INBOX", "Work"].iter().take(folders) {
                for n in 0..3 {
                    remote.add(folder, &message(&format!("{folder}{n}"), 300), &[]);
                }
            }
        });
        world
            .remote
            .behave(Faults::rule(Rule::once(verb, "", Act::Close)));
        let run = world.run_unjudged();
        let (mut proven, mut deletions) = (false, 0);
        let heard = world.remote.heard();
        for line in &heard {
            match () {
                () if line.contains("AUTHENTICATE") || line.contains("LOGIN") => proven = false,
                () if line.contains("LIST") && line.contains("ns8-imapsync-") => proven = true,
                () if line.contains("+FLAGS.SILENT (\\Deleted)") || line.contains("EXPUNGE") => {
                    assert!(proven, "{verb} {folders}: {line}: {run:#?}");
                    deletions += 1;
                }
                () => {}
            }
        }
        assert!(deletions >= 2, "{verb} {folders}: {heard:#?}");
    }
}
