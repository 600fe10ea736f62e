// SPDX-License-Identifier: GPL-3.0-or-later
//! A mirror whose source is suddenly another mailbox of the same name: another server behind the address, or a wrong one.

use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, World, message};

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
