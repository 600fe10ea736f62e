// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts, and the tasks that pull from them: what each knows of the mailbox, and what it takes over.

use super::*;

#[test]
fn an_account_is_known_by_its_name_and_not_by_how_it_is_reached() {
    let (folder, state, _) = state();
    drop(state);
    let folders = |id: &str, host: &str, user: &str| {
        let state = open_for(folder.path(), id, &AccountName::new(host, user)).unwrap();
        state.folders().unwrap().len()
    };
    assert_eq!(
        folders("t1", "mail.test", "ann"),
        1,
        "the server has another name now"
    );
    assert_eq!(
        folders("t2", "MAIL.test", "ann"),
        1,
        "another task, the same account"
    );
    assert_eq!(folders("t3", "other.test", "ann"), 0, "another server");
    assert_eq!(folders("t1", "mail.test", "bob"), 0, "another account");
    assert_eq!(folders("t1", "mail.test", "ann"), 1, "and back");
}

#[test]
fn without_the_file_of_the_task_both_sides_are_compared_again() {
    let (folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a")]).unwrap();
    state
        .confirm(id, &[(1, Some(11))], PostDelivery::None, PostDelivery::None)
        .unwrap();
    drop(state);
    std::fs::remove_file(folder.path().join("ann_t1.state")).unwrap();
    let state = open(folder.path()).unwrap();
    assert!(state.done_uids(id).unwrap().is_empty());
    drop(state);
    std::fs::write(folder.path().join("ann_t1.state"), b"\xa5\xa5").unwrap();
    assert!(open(folder.path()).is_ok());
    assert!(folder.path().join("ann_t1.state").metadata().unwrap().len() > 2);
}

#[test]
fn what_a_task_knew_by_itself_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let former = Connection::open(folder.path().join("ann_t1.state")).unwrap();
    former.execute_batch(FORMER).unwrap();
    drop(former);
    let mut told = vec![];
    let account = AccountName::new("imap.test", "ann");
    let state = Ledger::open(folder.path(), &task("t1"), &user(), &account, |line| {
        told.push(line.to_owned());
    });
    let state = state.unwrap();
    let folders = state.folders().unwrap();
    let (name, inbox) = folders.first().unwrap();
    assert!(name.is_inbox());
    assert_eq!(
        (inbox.remote_next, inbox.remote_high, inbox.local_high),
        (4, 4, 9)
    );
    assert_eq!(state.done_uids(inbox.id).unwrap().to_string(), "3");
    assert_eq!(state.local_only(inbox.id).unwrap().len(), 1);
    assert!(
        state.local_only_of(inbox.id, Origin::Younger).unwrap().is_empty(),
        "older than the ledger"
    );
    assert_eq!(told.len(), 1, "{told:?}");
}

/// A task's own state, as version 4 wrote it.
const FORMER: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE folder (id INTEGER PRIMARY KEY, remote BLOB NOT NULL UNIQUE, local BLOB NOT NULL,
        remote_validity INTEGER NOT NULL, local_validity INTEGER NOT NULL, remote_next INTEGER NOT NULL,
        remote_messages INTEGER NOT NULL, remote_modseq INTEGER NOT NULL, local_next INTEGER NOT NULL,
        settled TEXT NOT NULL, replaced INTEGER NOT NULL);
    CREATE TABLE message (folder INTEGER NOT NULL, uid INTEGER NOT NULL, local_uid INTEGER, key BLOB NOT NULL,
        flags TEXT NOT NULL, date INTEGER NOT NULL, step INTEGER NOT NULL, sieve INTEGER NOT NULL,
        seen INTEGER NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;
    CREATE TABLE stranger (folder INTEGER NOT NULL, local_uid INTEGER NOT NULL, key BLOB NOT NULL,
        kept INTEGER NOT NULL, PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
    CREATE TABLE kept_folder (local BLOB PRIMARY KEY) WITHOUT ROWID;
    INSERT INTO meta VALUES ('accounts', 'imap.test:993 ann -> ann*vmail');
    INSERT INTO folder VALUES (7, CAST('INBOX' AS BLOB), CAST('INBOX' AS BLOB), 1, 2, 4, 1, 0, 9, '', 0);
    INSERT INTO message VALUES (7, 3, 8, zeroblob(16), '', 77, 1, 0, 0);
    INSERT INTO stranger VALUES (7, 5, zeroblob(16), 0);
    PRAGMA user_version = 4;
";

/// A task has its file as long as it is there.
fn save(folder: &Path, id: &str) {
    std::fs::write(folder.join(task(id).file(crate::task::FileKind::Env)), "").unwrap();
}

#[test]
fn marks_that_were_lifted_are_given_back_to_their_own_account_only() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "t1");
    save(folder.path(), "t2");
    let marks = UidSet::range(3..=4);
    {
        let mut state = open(folder.path()).unwrap();
        for side in [Side::Remote, Side::Local] {
            state.lift_marks(side, &Mailbox::inbox(), 7, &marks).unwrap();
        }
    }
    let lifted = |state: &Ledger, side| state.lifted_marks(side, &Mailbox::inbox(), 7).unwrap();
    {
        let other = open_for(folder.path(), "t2", &AccountName::new("other.test", "bob")).unwrap();
        assert!(lifted(&other, Side::Remote).is_empty());
        assert!(
            other
                .mailboxes_with_lifted_marks(Side::Remote)
                .unwrap()
                .is_empty()
        );
        assert_eq!(lifted(&other, Side::Local), marks);
        other
            .forget_lifted_marks(Side::Remote, &Mailbox::inbox())
            .unwrap();
    }
    let state = open(folder.path()).unwrap();
    assert_eq!(lifted(&state, Side::Remote), marks);
}

/// All of a local mailbox comes back from a backup, whoever filled its folders.
#[test]
fn a_restored_mailbox_is_known_to_all_accounts_and_told_once() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "t1");
    save(folder.path(), "t2");
    let work = Mailbox::from_name("Work");
    let other_account = AccountName::new("other.test", "bob");
    {
        let mut other = open_for(folder.path(), "t2", &other_account).unwrap();
        let known = other.folder(&work, &work).unwrap();
        other
            .save_folder(&FolderState {
                remote_validity: 3,
                local_validity: 7,
                local_high: 40,
                fingerprint: "done".to_owned(),
                ..known
            })
            .unwrap();
        other.set(Flag::NewMayBeOlder, false).unwrap();
    }
    {
        let mut state = open(folder.path()).unwrap();
        assert_eq!(state.local_high(&work, 7).unwrap(), Some(40));
        state.note_restored_mailbox().unwrap();
        assert_eq!(
            state.local_high(&work, 7).unwrap(),
            Some(1),
            "nothing tells it again"
        );
        assert!(state.is_set(Flag::MailboxReplaced).unwrap());
    }
    let other = open_for(folder.path(), "t2", &other_account).unwrap();
    assert!(other.is_set(Flag::MailboxReplaced).unwrap());
    assert!(other.is_set(Flag::NewMayBeOlder).unwrap());
    let known = other.known_folder(&work).unwrap().unwrap();
    assert_eq!((known.remote_next, known.fingerprint.as_str()), (1, ""));
}

#[test]
fn an_account_that_no_task_pulls_from_any_more_counts_as_that_of_a_former_task() {
    let other = || AccountName::new("other.test", "bob");
    let ends: [fn(&Path); 3] = [
        |folder| Ledger::retire(folder, &user(), &task("t1")).unwrap(),
        // It was deleted, and that could not be noted.
        |folder| std::fs::remove_file(folder.join("ann_t1.env")).unwrap(),
        // It was edited to pull from another account.
        |folder| drop(open_for(folder, "t1", &AccountName::new("third.test", "carl")).unwrap()),
    ];
    for end in ends {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "t1");
        save(folder.path(), "t2");
        {
            let mut state = open(folder.path()).unwrap();
            let mut inbox = state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
            (inbox.remote_validity, inbox.local_high, inbox.baseline) = (1, 20, 5);
            state.save_folder(&inbox).unwrap();
        }
        drop(open_for(folder.path(), "t2", &other()).unwrap());
        end(folder.path());
        drop(open_for(folder.path(), "t2", &other()).unwrap());
        save(folder.path(), "t3");
        let state = open_for(folder.path(), "t3", &AccountName::new("imap.test", "ann")).unwrap();
        let inbox = state.known_folder(&Mailbox::inbox()).unwrap().unwrap();
        assert!(inbox.is_former && inbox.baseline == 0);
        assert_eq!(state.brought_before(inbox.id).unwrap(), 20);
    }
}

#[test]
fn an_account_under_another_name_stays_that_account() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "t1");
    save(folder.path(), "t2");
    let alias = AccountName::new("192.0.2.7", "ann@there");
    {
        let mut state = open(folder.path()).unwrap();
        state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
        assert!(state.former_accounts().unwrap().is_empty());
    }
    {
        let state = open_for(folder.path(), "t2", &alias).unwrap();
        assert!(state.former_accounts().unwrap().is_empty(), "a task has it");
    }
    Ledger::retire(folder.path(), &user(), &task("t1")).unwrap();
    {
        let mut state = open_for(folder.path(), "t2", &alias).unwrap();
        let former = state.former_accounts().unwrap();
        let names: Vec<&str> = former.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["ann at imap.test"]);
        state.is_other_name_of(former[0].0).unwrap();
        assert!(state.known_folder(&Mailbox::inbox()).unwrap().unwrap().is_former);
    }
    let state = open_for(folder.path(), "t2", &alias).unwrap();
    assert!(state.known_folder(&Mailbox::inbox()).unwrap().is_some());
    assert!(state.former_accounts().unwrap().is_empty());
}

#[test]
fn a_former_state_that_is_damaged_takes_no_ledger_along() {
    let (folder, mut state, id) = state();
    state.plan(id, &[entry(1, "a")]).unwrap();
    state
        .confirm(id, &[(1, Some(11))], PostDelivery::None, PostDelivery::None)
        .unwrap();
    drop(state);
    let former = Connection::open(folder.path().join("ann_t2.state")).unwrap();
    former.execute_batch(FORMER).unwrap();
    former.execute("UPDATE message SET key = 'a text'", []).unwrap();
    drop(former);
    let other = AccountName::new("other.test", "bob");
    for lines in [1, 0] {
        let mut told = vec![];
        let opened = Ledger::open(folder.path(), &task("t2"), &user(), &other, |line| {
            told.push(line.to_owned());
        });
        assert!(opened.is_ok() && told.len() == lines, "{told:?}");
    }
    let state = open(folder.path()).unwrap();
    assert_eq!(state.done_uids(id).unwrap().to_string(), "1");
}

#[test]
fn what_one_account_forgets_makes_new_mail_older_for_the_others() {
    let (folder, mut state, _) = state();
    let other = AccountName::new("other.test", "bob");
    let in_doubt = || {
        let state = open_for(folder.path(), "t2", &other).unwrap();
        state.is_set(Flag::NewMayBeOlder).unwrap()
    };
    assert!(!in_doubt());
    state.compare_again().unwrap();
    assert!(in_doubt(), "they do not know any more what was delivered by it");
}

#[test]
fn the_last_uid_that_there_is_damages_nothing() {
    let (_folder, mut state, id) = state();
    state.plan(id, &[entry(u32::MAX, "a")]).unwrap();
    state
        .confirm(
            id,
            &[(u32::MAX, Some(u32::MAX))],
            PostDelivery::None,
            PostDelivery::None,
        )
        .unwrap();
    let (_, inbox) = state.folders().unwrap().remove(0);
    assert_eq!((inbox.remote_high, inbox.local_high), (u32::MAX, u32::MAX));
    assert_eq!(state.local_high(&Mailbox::inbox(), 0).unwrap(), Some(u32::MAX));
}
