// SPDX-License-Identifier: GPL-3.0-or-later
//! Another user's ledger was put in the place of a user's. Both pull from the same account, so that nothing on the servers
//! tells.

use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, Run, World, message};

fn mail(number: usize) -> Vec<u8> {
    message(&format!("mail {number}"), 300)
}

/// A mailbox in which two messages that its owner has come before or after the first two from the source.
fn mailbox(user: &str, mode: Mode, own_first: bool) -> World {
    let own = |local: &mut Model| {
        for number in 0..2 {
            local.add("INBOX", &message(&format!("own {number} of {user}"), 300), &[]);
        }
    };
    let mut world = World::of_user(
        user,
        mode,
        Model::new('/', ""),
        Model::new('/', ""),
        |remote, local| {
            remote.add("INBOX", &mail(0), &[]);
            remote.add("INBOX", &mail(1), &[]);
            if own_first {
                own(local);
            }
        },
    );
    world.complete();
    if !own_first {
        own(&mut world.local.model());
    }
    for number in 2..6 {
        world.arrives("INBOX", &mail(number));
    }
    world.run_unjudged();
    world
}

fn has_all_of_its_owner(world: &World, run: &Run) {
    let model = world.local.model();
    for number in 0..2 {
        let own = message(&format!("own {number} of u1"), 300);
        let found = model.folders["INBOX"]
            .messages
            .iter()
            .filter(|one| one.body == own);
        assert_eq!(found.count(), 1, "{}: {run:#?}", world.title);
    }
    let all = model.folders["INBOX"].messages.len();
    assert!(
        (7..=8).contains(&all),
        "{}: {all} messages: {run:#?}",
        world.title
    );
}

#[test]
fn nothing_of_a_mailbox_is_deleted_by_another_ones_ledger() {
    for mode in [Mode::DeleteLocal, Mode::Copy, Mode::DeleteRemote] {
        for with_witness in [false, true] {
            let world = mailbox("u1", mode, true).titled(format!("{mode:?}, all files: {with_witness}"));
            let other = mailbox("u2", mode, false);
            std::fs::copy(other.ledger(), world.ledger()).expect("a copied ledger");
            if with_witness {
                let witness = |world: &World| world.ledger().with_extension("db-witness");
                std::fs::copy(witness(&other), witness(&world)).expect("a copied file");
            }
            // What the ledger takes for the copy of this one is the owner's own.
            world
                .remote
                .model()
                .folders
                .get_mut("INBOX")
                .expect("an inbox")
                .messages
                .retain(|one| one.body != mail(0));
            for _ in 0..3 {
                let run = world.run_unjudged();
                has_all_of_its_owner(&world, &run);
            }
        }
    }
}
