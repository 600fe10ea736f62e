// SPDX-License-Identifier: GPL-3.0-or-later
//! Single facts that the ledger keeps beyond folders and messages: flags and texts, each under one name.

use rusqlite::OptionalExtension as _;

use super::{Ledger, Result};

/// A flag about the account of the run; unset when it was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// A run is at work, or was cut off.
    Running,
    /// Messages may carry the keyword that tells filtered ones.
    FilterMarks,
    /// The local mailbox counts as replaced.
    MailboxReplaced,
    /// The source may be another mailbox, and what it lacks has not been left to its owner yet.
    SourceReplaced,
    /// During a run, UIDs of a folder of the source turned out to mean other messages than those on record.
    SourceRenumbered,
    /// What is new in local folders may be older than the ledger, and was moved there: from one that is not on record yet, or
    /// that nothing is pulled to.
    NewMayBeOlder,
    /// The remote server gives other octets for the same message.
    RemoteVaries,
    /// The local server gives other octets for the same message.
    LocalVaries,
}

/// A text about the account of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountFact {
    /// Where the folders of the source ended when the last complete run of imapsync began.
    ImapsyncEnds,
    /// UIDVALIDITY of its inbox.
    InboxValidity,
    /// The host and the login by which the last complete run reached it.
    Reached,
}

/// Facts about the local mailbox, for all its accounts.
const TEST_FOLDER: &str = "marker";
const INBOX: &str = "inbox";
pub(super) const RESTORED: &str = "mailbox_restored";

/// A generation that no inbox has: UIDVALIDITY is never 0.
const NO_GENERATION: (u32, u32) = (0, u32::MAX);

impl Flag {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::FilterMarks => "marked",
            Self::MailboxReplaced => "mailbox_replaced",
            Self::SourceReplaced => "source_replaced",
            Self::SourceRenumbered => "source_renumbered",
            Self::NewMayBeOlder => "new_may_be_older",
            Self::RemoteVaries => "varies_remotely",
            Self::LocalVaries => "varies_locally",
        }
    }
}

impl AccountFact {
    fn name(self) -> &'static str {
        match self {
            Self::ImapsyncEnds => "imapsync_ends",
            Self::InboxValidity => "inbox_validity",
            Self::Reached => "reached",
        }
    }
}

impl Ledger {
    /// Whether a flag is set.
    pub fn is_set(&self, flag: Flag) -> Result<bool> {
        let value = self.stored_fact(&self.of_account(flag.name()))?;
        Ok(value.as_deref() == Some("1"))
    }

    /// Sets a flag, or clears it.
    pub fn set(&self, flag: Flag, on: bool) -> Result<()> {
        self.store_fact(&self.of_account(flag.name()), if on { "1" } else { "0" })
    }

    /// What is known of the account.
    pub fn account_fact(&self, fact: AccountFact) -> Result<Option<String>> {
        self.stored_fact(&self.of_account(fact.name()))
    }

    /// Remembers something of the account.
    pub fn set_account_fact(&self, fact: AccountFact, value: &str) -> Result<()> {
        self.store_fact(&self.of_account(fact.name()), value)
    }

    /// The folder that proves two mailboxes to be different, as long as it may be left over.
    pub fn test_folder(&self) -> Result<Option<String>> {
        // A former version left the name empty.
        Ok(self.stored_fact(TEST_FOLDER)?.filter(|name| !name.is_empty()))
    }

    /// Remembers it, before it is made.
    pub fn set_test_folder(&self, name: &str) -> Result<()> {
        self.store_fact(TEST_FOLDER, name)
    }

    /// Records that it is gone.
    pub fn forget_test_folder(&self) -> Result<()> {
        self.db
            .execute("DELETE FROM meta WHERE name = ?1", [TEST_FOLDER])?;
        Ok(())
    }

    /// UIDVALIDITY and UIDNEXT that the local inbox had when it was looked at last. What is recorded and makes no sense
    /// counts as another inbox.
    pub fn inbox_generation(&self) -> Result<Option<(u32, u32)>> {
        let stored = self.stored_fact(INBOX)?;
        Ok(stored.map(|text| generation(&text).unwrap_or(NO_GENERATION)))
    }

    /// Remembers them.
    pub fn set_inbox_generation(&self, validity: u32, next: u32) -> Result<()> {
        self.store_fact(INBOX, &format!("{validity} {next}"))
    }

    /// Whether a run found in its midst that the local mailbox had come back from a backup.
    pub fn was_restored_meanwhile(&self) -> Result<bool> {
        Ok(self.stored_fact(RESTORED)?.is_some())
    }

    /// Remembers it for the next run of any account: records are in use until this one ends.
    pub fn set_restored_meanwhile(&self) -> Result<()> {
        self.store_fact(RESTORED, "1")
    }

    pub(super) fn of_account(&self, name: &str) -> String {
        format!("{}/{name}", self.source)
    }

    fn stored_fact(&self, name: &str) -> Result<Option<String>> {
        let mut statement = self.db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    fn store_fact(&self, name: &str, value: &str) -> Result<()> {
        self.db
            .execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [name, value])?;
        Ok(())
    }
}

fn generation(text: &str) -> Option<(u32, u32)> {
    let (validity, next) = text.split_once(' ')?;
    Some((validity.parse().ok()?, next.parse().ok()?))
}
