// SPDX-License-Identifier: GPL-3.0-or-later
//! The state's own tests.

use super::*;
use crate::imap::{Flags, Mailbox, UidSet};
use crate::sync::message_key::MessageKey;

fn entry(uid: u32, key: &str) -> Entry {
    Entry {
        uid,
        key: MessageKey::of_message(key.as_bytes(), 1),
        flags: Flags::parse("\\Seen Junk"),
        date: 77,
    }
}

fn state() -> (tempfile::TempDir, State, i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut state = State::open(&folder.path().join("x.state"), "a").unwrap();
    let id = state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap().id;
    (folder, state, id)
}

#[test]
fn planned_messages_become_delivered_or_are_found() {
    let (_folder, mut state, id) = state();
    state
        .plan(id, &[entry(1, "a"), entry(2, "b"), entry(3, "c")])
        .unwrap();
    assert_eq!(state.planned_uids(id).unwrap().to_string(), "1:3");
    state
        .confirm(id, &[(1, Some(11))], PostDelivery::Wanted, PostDelivery::Wanted)
        .unwrap();
    state
        .found(
            id,
            &[(entry(2, "b"), 12), (entry(9, "z"), 13)],
            PostDelivery::Wanted,
            PostDelivery::Wanted,
        )
        .unwrap();
    assert_eq!(state.done_uids(id).unwrap().to_string(), "1:2,9");
    assert_eq!(
        state.sieve(id, PostDelivery::Wanted).unwrap(),
        [(1, 11), (2, 12)],
        "found without plan is not ours"
    );
    assert_eq!(state.unseen(id).unwrap().to_string(), "1:2");
    assert_eq!(
        state.deletable(id, Some(100)).unwrap().to_string(),
        "9",
        "chores come first"
    );
    assert_eq!(state.local_uids(id, 12).unwrap().to_string(), "12:13");
    assert_eq!(
        state.row(id, 1).unwrap().unwrap().flags.to_string(),
        "Junk \\Seen"
    );
    assert!(state.row(id, 3).unwrap().is_none());
    assert_eq!(
        state.copies(id, &UidSet::range(1..=9)).unwrap().to_string(),
        "11:13"
    );
}

#[test]
fn a_local_uid_belongs_to_whom_the_server_named() {
    let (_folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a"), entry(2, "a")]).unwrap();
    for uid in [1, 2] {
        state
            .confirm(id, &[(uid, Some(5))], PostDelivery::Wanted, PostDelivery::Wanted)
            .unwrap();
    }
    assert_eq!(state.pending_uids(id).unwrap().to_string(), "1");
    // Marked as read, it would not be looked for again.
    assert_eq!(state.unseen(id).unwrap().to_string(), "2");
    assert_eq!(state.sieve(id, PostDelivery::Wanted).unwrap(), [(2, 5)]);
}

#[test]
fn a_state_that_cannot_be_read_just_now_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.state");
    let mut state = State::open(&path, "a").unwrap();
    state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
    drop(state);
    let other = Connection::open(&path).unwrap();
    other.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    other
        .execute_batch("BEGIN EXCLUSIVE; DELETE FROM meta; ROLLBACK;")
        .unwrap();
    assert!(State::open(&path, "a").is_err());
    drop(other);
    assert_eq!(State::open(&path, "a").unwrap().folders().unwrap().len(), 1);
}

#[test]
fn damaged_or_foreign_state_is_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.state");
    std::fs::write(
        &path,
        "this is no database, only text that is long enough to look at",
    )
    .unwrap();
    let mut state = State::open(&path, "a").unwrap();
    state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
    drop(state);
    assert_eq!(State::open(&path, "a").unwrap().folders().unwrap().len(), 1);
    assert_eq!(State::preview(&path, "a").unwrap().folders().unwrap().len(), 1);
    assert_eq!(State::open(&path, "b").unwrap().folders().unwrap().len(), 0);
}

#[test]
fn what_was_replaced_is_remembered_until_a_run_ended_with_it() {
    let (folder, state, id) = state();
    let key = MessageKey::of_message(b"a", 1);
    let mut record = state.known_folder(&Mailbox::inbox()).unwrap().unwrap();
    record.local_validity = 5;
    state.save_folder(&record).unwrap();
    state.forget_all().unwrap();
    drop(state);
    let mut state = State::open(&folder.path().join("x.state"), "a").unwrap();
    let record = state.known_folder(&Mailbox::inbox()).unwrap().unwrap();
    assert!(record.replaced);
    assert_eq!(record.local_validity, 0);
    state.add_local_only(id, &[(7, key)], true).unwrap();
    state.add_local_only(id, &[(8, key)], false).unwrap();
    assert_eq!(
        state.deletable_local_only(id).unwrap().to_string(),
        "8",
        "7 was there when it was replaced"
    );
    assert_eq!(
        state.local_only(id).unwrap(),
        [(key, 7), (key, 8)],
        "both count as present"
    );
    state.keep_folder(&Mailbox::from_name("Old")).unwrap();
    assert!(state.keeps_folder(&Mailbox::from_name("Old")).unwrap());
    assert!(!state.keeps_folder(&Mailbox::from_name("New")).unwrap());
}

#[test]
fn what_the_server_took_without_saying_where_is_not_deletable_until_found() {
    let (_folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a"), entry(2, "b")]).unwrap();
    state
        .confirm(
            id,
            &[(1, None), (2, Some(4))],
            PostDelivery::None,
            PostDelivery::None,
        )
        .unwrap();
    assert_eq!(
        state.done_uids(id).unwrap().to_string(),
        "1:2",
        "neither is copied again"
    );
    assert_eq!(state.deletable(id, None).unwrap().to_string(), "2");
    assert_eq!(state.unlocated(id).unwrap().len(), 1);
    state.locate(id, &[(1, 3)]).unwrap();
    assert_eq!(state.deletable(id, None).unwrap().to_string(), "1:2");
}
