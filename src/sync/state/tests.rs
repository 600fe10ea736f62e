// SPDX-License-Identifier: GPL-3.0-or-later
//! The state's own tests. [`accounts`]: whose ledger it is, and what it takes over.

mod accounts;

use super::*;
use crate::imap::{Flags, Literal, Mailbox, UidSet};
use crate::sync::message_key::MessageKey;
use crate::sync::side::Side;
use crate::task::TaskId;

fn entry(uid: u32, key: &str) -> Entry {
    Entry {
        uid,
        key: MessageKey::of_message(key.as_bytes(), 1),
        size: 9,
        digest: None,
        flags: Flags::parse("\\Seen Junk"),
        date: 77,
        completeness: Completeness::Whole,
    }
}

fn user() -> LocalUser {
    LocalUser::parse("ann").unwrap()
}

fn task(id: &str) -> TaskName {
    TaskName::new(&user(), &TaskId::parse(id).unwrap())
}

fn open_for(folder: &Path, id: &str, account: &AccountName) -> Result<Ledger> {
    Ledger::open(folder, &task(id), &user(), account, |_| {})
}

fn open(folder: &Path) -> Result<Ledger> {
    open_for(folder, "t1", &AccountName::new("imap.test", "ann"))
}

fn state() -> (tempfile::TempDir, Ledger, i64) {
    let folder = tempfile::tempdir().unwrap();
    let mut state = open(folder.path()).unwrap();
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
        "the filters come first"
    );
    assert_eq!(state.local_uids(id, 12).unwrap().to_string(), "12:13");
    assert_eq!(
        state.row(id, 1).unwrap().unwrap().flags.to_string(),
        "Junk \\Seen"
    );
    assert!(state.row(id, 3).unwrap().is_none());
    let copies = state.copies(id, &UidSet::range(1..=9)).unwrap();
    let copies: Vec<_> = copies
        .iter()
        .map(|copy| (copy.local_uid, copy.is_delivered))
        .collect();
    assert_eq!(
        copies,
        [(Some(11), true), (Some(12), true), (Some(13), false)],
        "9 was there before"
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
fn what_comes_again_as_it_is_on_record_keeps_its_copy() {
    let (_folder, mut state, id) = state();
    let digest = |text: &str| Digest::of(&Literal::memory(text.into())).unwrap();
    let cut = |uid| Entry {
        digest: Some(digest("cut")),
        completeness: Completeness::Cut,
        ..entry(uid, "a")
    };
    state.plan(id, &[cut(1), cut(2), cut(3)]).unwrap();
    let confirmed = [(1, Some(11)), (2, Some(12)), (3, Some(13))];
    state
        .confirm(id, &confirmed, PostDelivery::Wanted, PostDelivery::None)
        .unwrap();
    state.copy_again(id, &UidSet::range(1..=2)).unwrap();
    state.deny_delivery(id, &UidSet::range(13..=13)).unwrap();
    assert_eq!(state.pending_uids(id).unwrap().to_string(), "1:3");
    assert!(state.sieve(id, PostDelivery::Wanted).unwrap().is_empty());
    let came = [(1, digest("cut")), (2, digest("whole")), (3, digest("cut"))];
    let kept = state.keep_copies(id, &came).unwrap();
    assert_eq!(kept.to_string(), "1", "2 is another, and 3 is not there");
    assert_eq!(state.row(id, 1).unwrap().unwrap().local_uid, Some(11));
    assert_eq!(state.cut(id).unwrap().to_string(), "1", "it is looked at again");
    assert_eq!(state.distrusted(id).unwrap().to_string(), "2:3");
    assert!(state.keep_copies(id, &came).unwrap().is_empty());
    state.plan(id, &[entry(2, "a")]).unwrap();
    assert_eq!(state.local_uids(id, 1).unwrap().to_string(), "11");
}

#[test]
fn a_ledger_that_cannot_be_read_just_now_is_kept() {
    let (folder, state, _) = state();
    drop(state);
    let other = Connection::open(path(folder.path(), &user())).unwrap();
    other.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    other
        .execute_batch("BEGIN EXCLUSIVE; DELETE FROM meta; ROLLBACK;")
        .unwrap();
    assert!(open(folder.path()).is_err());
    drop(other);
    assert_eq!(open(folder.path()).unwrap().folders().unwrap().len(), 1);
}

#[test]
fn what_is_written_reaches_the_disk_also_while_somebody_reads() {
    let (folder, state, _) = state();
    state.db.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(path(folder.path(), &user())).unwrap();
    let reading = other.unchecked_transaction().unwrap();
    let count: i64 = reading
        .query_row("SELECT count(*) FROM meta", [], |row| row.get(0))
        .unwrap();
    assert!(count > 0);
    let synced = || {
        let sql = "SELECT value FROM meta WHERE name = 'synced'";
        state.db.query_row(sql, [], |row| row.get::<_, String>(0)).ok()
    };
    for times in ["1", "2"] {
        state.set(Flag::Running, true).unwrap();
        state.sync().unwrap();
        assert_eq!(synced().as_deref(), Some(times));
    }
    drop(reading);
    state.set(Flag::Running, false).unwrap();
    state.sync().unwrap();
    assert_eq!(synced().as_deref(), Some("2"), "it could be merged");
    let level: i64 = state
        .db
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .unwrap();
    assert_eq!(level, 1, "as before");
}

#[test]
fn a_generation_of_the_inbox_that_cannot_be_read_is_none_that_there_is() {
    let (_folder, state, _) = state();
    assert_eq!(state.inbox_generation().unwrap(), None);
    state.set_inbox_generation(7, 12).unwrap();
    assert_eq!(state.inbox_generation().unwrap(), Some((7, 12)));
    let now = crate::imap::MailboxStatus {
        uid_validity: Some(7),
        uid_next: Some(12),
        ..Default::default()
    };
    for unreadable in ["", "7", "7 x", "-7 12", "7 12 0"] {
        let sql = "UPDATE meta SET value = ?1 WHERE name = 'inbox'";
        assert_eq!(state.db.execute(sql, [unreadable]).unwrap(), 1);
        let (validity, next) = state.inbox_generation().unwrap().unwrap();
        assert!(!is_same_generation(validity, next, now), "{unreadable}");
    }
}

#[test]
fn the_test_folder_is_remembered_until_it_is_gone() {
    let (_folder, state, _) = state();
    assert_eq!(state.test_folder().unwrap(), None);
    state.set_test_folder("ns8-imapsync-1").unwrap();
    assert_eq!(state.test_folder().unwrap().as_deref(), Some("ns8-imapsync-1"));
    state.forget_test_folder().unwrap();
    assert_eq!(state.test_folder().unwrap(), None);
    // As a former version forgot it.
    state.set_test_folder("").unwrap();
    assert_eq!(state.test_folder().unwrap(), None);
}

#[test]
fn a_damaged_ledger_is_put_aside_and_begun_again() {
    let (folder, state, _) = state();
    drop(state);
    let file = path(folder.path(), &user());
    std::fs::write(
        &file,
        "this is no database, only text that is long enough to look at",
    )
    .unwrap();
    let mut told = vec![];
    let account = AccountName::new("imap.test", "ann");
    let state = Ledger::open(folder.path(), &task("t1"), &user(), &account, |line| {
        told.push(line.to_owned());
    });
    assert_eq!(state.unwrap().folders().unwrap().len(), 0);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(file.with_extension("db.damaged").exists());
}

#[test]
fn a_ledger_of_a_later_version_is_refused_and_left_alone() {
    let (folder, state, _) = state();
    drop(state);
    let other = Connection::open(path(folder.path(), &user())).unwrap();
    other
        .pragma_update(None, "user_version", schema::VERSION + 1)
        .unwrap();
    drop(other);
    assert!(!open(folder.path()).err().unwrap().is_damage());
}

#[test]
fn what_was_replaced_is_remembered_until_a_run_ended_with_it() {
    let (folder, mut state, id) = state();
    let mut record = state.known_folder(&Mailbox::inbox()).unwrap().unwrap();
    (record.remote_validity, record.local_validity) = (4, 5);
    state.save_folder(&record).unwrap();
    state.forget_local_generation(id).unwrap();
    drop(state);
    let mut state = open(folder.path()).unwrap();
    let record = state.known_folder(&Mailbox::inbox()).unwrap().unwrap();
    assert!(record.replaced);
    let message = |uid| LocalOnly {
        uid,
        key: MessageKey::of_message(b"a", 1),
        size: 1,
        date: 7,
    };
    state.add_local_only(id, &[message(7)], Origin::Older).unwrap();
    state.add_local_only(id, &[message(8)], Origin::Younger).unwrap();
    assert_eq!(
        state.local_only_of(id, Origin::Younger).unwrap(),
        [message(8)],
        "7 was there when it was replaced"
    );
    assert_eq!(
        state.local_only(id).unwrap(),
        [message(7), message(8)],
        "both count as present"
    );
    state.keep_folder(&Mailbox::from_name("Old")).unwrap();
    assert!(state.keeps_folder(&Mailbox::from_name("Old")).unwrap());
    assert!(!state.keeps_folder(&Mailbox::from_name("New")).unwrap());
}

#[test]
fn a_message_that_is_planned_twice_was_sent_twice() {
    let (_folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a"), entry(2, "b")]).unwrap();
    assert!(!state.awaits_late_copies(id).unwrap());
    state.plan(id, &[entry(1, "a")]).unwrap();
    assert!(state.awaits_late_copies(id).unwrap());
    state
        .confirm(id, &[(1, Some(5))], PostDelivery::None, PostDelivery::None)
        .unwrap();
    let Entry { key, date, .. } = entry(1, "a");
    assert_eq!(state.repeated(id).unwrap(), [Repeated { uid: 5, key, date }]);
    state.stop_awaiting_late_copies(id).unwrap();
    assert!(state.awaits_late_copies(id).unwrap(), "not a day has passed");
}

#[test]
fn a_delivery_is_remembered_when_its_remote_side_is_gone() {
    let (_folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a"), entry(2, "b")]).unwrap();
    state
        .confirm(
            id,
            &[(1, Some(5)), (2, Some(6))],
            PostDelivery::None,
            PostDelivery::None,
        )
        .unwrap();
    state.mark_remote_deleted(id, &UidSet::range(1..=1)).unwrap();
    state.forget_remote_deleted(id, 9).unwrap();
    state.forget_remote_generation(id).unwrap();
    for key in ["a", "b"] {
        assert!(state.was_delivered(id, &entry(1, key).key, 9).unwrap());
        assert!(
            !state.was_delivered(id, &entry(1, key).key, 8).unwrap(),
            "another size"
        );
    }
    let keys = [entry(1, "a").key, entry(1, "z").key].into();
    assert_eq!(
        state.delivered_anywhere(&keys).unwrap(),
        [entry(1, "a").key].into()
    );
}

/// Its owner may have put a copy into another folder before.
#[test]
fn what_we_deleted_was_delivered_once_and_comes_again_all_the_same() {
    type Delete = fn(&mut Ledger, i64) -> Result<()>;
    let ways: [Delete; 2] = [
        |state, id| state.forget_copies(id, &UidSet::range(5..=8)),
        |state, id| state.forget_folder(id),
    ];
    for delete in ways {
        let (_folder, mut state, id) = state();
        state.plan(id, &[entry(1, "a"), entry(2, "b")]).unwrap();
        let local = [(1, Some(5)), (2, Some(6))];
        state
            .confirm(id, &local, PostDelivery::None, PostDelivery::None)
            .unwrap();
        state.mark_local_only(id, &UidSet::range(2..=2)).unwrap();
        let foreign = LocalOnly {
            uid: 7,
            key: entry(1, "foreign").key,
            size: 9,
            date: 77,
        };
        state.add_local_only(id, &[foreign], Origin::Younger).unwrap();
        delete(&mut state, id).unwrap();
        let keys = ["a", "b", "foreign", "never"].map(|name| entry(1, name).key);
        assert_eq!(
            state.delivered_anywhere(&keys.into()).unwrap(),
            [keys[0], keys[1]].into()
        );
        assert!(state.done_uids(id).unwrap().is_empty());
        assert!(!state.has_history(id).unwrap());
        assert!(state.local_only(id).unwrap().is_empty());
    }
}

/// A task may change from the inbox to all folders and back.
#[test]
fn what_was_marked_as_read_counts_as_lost_also_after_its_flags_were_looked_at() {
    for is_looked_at in [false, true] {
        let (_folder, mut state, id) = state();
        state.plan(id, &[entry(1, "a"), entry(2, "b")]).unwrap();
        let wanted = PostDelivery::Wanted;
        state
            .confirm(id, &[(1, Some(5))], PostDelivery::None, wanted)
            .unwrap();
        state
            .confirm(id, &[(2, Some(6))], PostDelivery::None, PostDelivery::None)
            .unwrap();
        state.set_seen(id, &[1]).unwrap();
        if is_looked_at {
            let flags = [1, 2].map(|uid| (uid, Flags::parse("\\Seen")));
            for _ in 0..2 {
                state.set_flags(id, &flags).unwrap();
                assert_eq!(state.row(id, 1).unwrap().unwrap().seen, PostDelivery::None);
            }
        }
        state.forget_local_generation(id).unwrap();
        assert_eq!(state.lost_copies(id).unwrap().to_string(), "1", "{is_looked_at}");
    }
}

#[test]
fn only_what_was_shown_can_be_confirmed() {
    let (_folder, mut state, id) = state();
    state.withhold_local(id, &UidSet::range(1..=3)).unwrap();
    assert!(state.confirmed(id).unwrap().is_empty());
    state.confirm_withheld().unwrap();
    assert_eq!(state.confirmed(id).unwrap(), UidSet::range(1..=3));
    state.withhold_local(id, &UidSet::range(3..=4)).unwrap();
    assert_eq!(
        state.confirmed(id).unwrap(),
        UidSet::range(1..=3),
        "4 was not shown"
    );
    state.forget_confirmations().unwrap();
    assert!(state.confirmed(id).unwrap().is_empty());
}

/// UIDs that were confirmed name other messages once the local folder is another one.
#[test]
fn what_was_confirmed_is_forgotten_with_the_uids_that_it_names() {
    type Forget = fn(&mut Ledger, i64) -> Result<()>;
    let ways: [Forget; 3] = [
        |state, id| state.forget_local_generation(id),
        |state, id| state.forget_local_folder(id),
        |state, id| state.forget_local_uids(id),
    ];
    for forget in ways {
        let (_folder, mut state, id) = state();
        state.withhold_local(id, &UidSet::range(1..=3)).unwrap();
        state.confirm_withheld().unwrap();
        assert_eq!(state.confirmed(id).unwrap().to_string(), "1:3");
        forget(&mut state, id).unwrap();
        assert!(state.confirmed(id).unwrap().is_empty());
        assert_eq!(state.count_withheld(id).unwrap(), 0);
    }
}

#[test]
fn one_of_the_same_size_and_key_is_no_equal_one_where_the_octets_differ() {
    let (_folder, mut state, id) = state();
    let digested = |uid, octets: &[u8]| Entry {
        digest: Digest::of(&Literal::memory(octets.to_vec())).ok(),
        ..entry(uid, "draft")
    };
    let entries = [digested(1, b"Teh"), digested(2, b"The"), digested(3, b"Teh")];
    state.plan(id, &entries).unwrap();
    state
        .confirm(id, &[(1, Some(1))], PostDelivery::None, PostDelivery::None)
        .unwrap();
    let passed = state.passed_over(id, &UidSet::range(2..=3)).unwrap();
    assert_eq!(passed.to_string(), "2");
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

#[test]
fn keywords_that_a_copy_lacks_are_owed_until_they_are_set() {
    let (_folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a"), entry(2, "b")]).unwrap();
    state.send_without_keywords(id, [1].into_iter()).unwrap();
    let none = PostDelivery::None;
    assert_eq!(state.missing_keywords(id).unwrap(), [], "it may not be there");
    state
        .confirm(id, &[(1, None), (2, Some(12))], none, none)
        .unwrap();
    assert_eq!(state.missing_keywords(id).unwrap(), [], "it waits to be found");
    assert!(state.lacks_keywords(id).unwrap());
    state.locate(id, &[(1, 11)]).unwrap();
    let owed = MissingKeywords {
        uid: 1,
        local_uid: Some(11),
        keywords: Flags::parse("Junk"),
    };
    assert_eq!(state.missing_keywords(id).unwrap(), [owed]);
    assert_eq!(state.deletable(id, None).unwrap().to_string(), "2");
    state.keywords_settled(id, &UidSet::range(1..=1)).unwrap();
    assert!(!state.lacks_keywords(id).unwrap());
    assert_eq!(state.deletable(id, None).unwrap().to_string(), "1:2");
}

#[test]
fn keywords_that_a_copy_lacks_count_as_new_in_another_generation() {
    let (_folder, mut state, id) = state();
    let none = PostDelivery::None;
    state.plan(id, &[entry(1, "a")]).unwrap();
    state.send_without_keywords(id, [1].into_iter()).unwrap();
    state.confirm(id, &[(1, Some(11))], none, none).unwrap();
    state.forget_remote_generation(id).unwrap();
    assert!(state.found(id, &[(entry(5, "a"), 11)], none, none).unwrap());
    assert!(!state.lacks_keywords(id).unwrap());
    assert_eq!(state.row(id, 5).unwrap().unwrap().flags.to_string(), "\\Seen");
}

#[test]
fn a_ledger_that_knew_of_no_missing_keywords_is_taken_over() {
    let (folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a")]).unwrap();
    state
        .db
        .execute_batch("DROP INDEX message_keywords; ALTER TABLE message DROP COLUMN keywords_missing")
        .unwrap();
    drop(state);
    let mut state = open(folder.path()).unwrap();
    assert_eq!(state.planned_uids(id).unwrap().to_string(), "1");
    let none = PostDelivery::None;
    state.confirm(id, &[(1, Some(11))], none, none).unwrap();
    assert!(!state.lacks_keywords(id).unwrap());
    assert_eq!(state.deletable(id, None).unwrap().to_string(), "1");
}
