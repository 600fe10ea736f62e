// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection that knows which side it is to, so that what goes wrong on it says so.

use std::ops::{Deref, DerefMut};

use crate::imap::{
    self, Command, Listed, Mailbox, MailboxStatus, Selected, Session, StatusLine, UidSet, Untagged,
};
use crate::sync::account::Account;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::side::Side;

/// A connection to one of the two sides. What fails here, fails with the side and with how it counts for a folder; where
/// a refusal is part of the work, `imap` gives it as the server said it.
pub struct SideSession {
    side: Side,
    /// The connection itself.
    pub imap: Session,
}

impl Deref for SideSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.imap
    }
}

impl DerefMut for SideSession {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.imap
    }
}

impl SideSession {
    /// A connection to a side.
    pub fn new(side: Side, imap: Session) -> Self {
        Self { side, imap }
    }

    /// Logs in with an account.
    pub async fn log_in(account: &Account) -> imap::Result<Self> {
        Ok(Self::new(account.side, account.login().await?))
    }

    /// Which side it is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The outcome of opening a folder.
    pub fn opened<T>(&self, outcome: imap::Result<T>) -> FolderResult<T> {
        outcome.map_err(|error| FolderError::select(self.side, error))
    }

    /// The outcome of creating a folder.
    pub fn created<T>(&self, outcome: imap::Result<T>) -> FolderResult<T> {
        outcome.map_err(|error| FolderError::create(self.side, error))
    }

    /// The outcome of reading, or of opening a folder and reading at once.
    pub fn fetched<T>(&self, outcome: imap::Result<T>) -> FolderResult<T> {
        outcome.map_err(|error| FolderError::fetch(self.side, error))
    }

    /// The outcome of a change.
    pub fn changed<T>(&self, outcome: imap::Result<T>) -> FolderResult<T> {
        outcome.map_err(|error| FolderError::change(self.side, error))
    }

    /// The outcome of a command, by what it does.
    fn done<T>(&self, command: &str, outcome: imap::Result<T>) -> FolderResult<T> {
        match command {
            "EXAMINE" | "FETCH" | "LIST" | "LSUB" | "NOOP" | "SEARCH" | "SELECT" | "STATUS" | "UID FETCH"
            | "UID SEARCH" => self.fetched(outcome),
            _ => self.changed(outcome),
        }
    }

    /// See [`Session::open`].
    pub async fn open(&mut self, mailbox: &Mailbox, write: bool) -> FolderResult<Selected> {
        let outcome = self.imap.open(mailbox, write).await;
        self.opened(outcome)
    }

    /// See [`Session::open_and_search`].
    pub async fn open_and_search<T: AsRef<str>>(
        &mut self,
        mailbox: &Mailbox,
        write: bool,
        criteria: impl IntoIterator<Item = T>,
    ) -> FolderResult<(Selected, UidSet)> {
        let outcome = self.imap.open_and_search(mailbox, write, criteria).await;
        self.fetched(outcome)
    }

    /// See [`Session::open_and_ask`].
    pub async fn open_and_ask(
        &mut self,
        mailbox: &Mailbox,
        write: bool,
        questions: impl IntoIterator<Item = Command>,
        take: impl FnMut(Untagged),
    ) -> FolderResult<Selected> {
        let outcome = self.imap.open_and_ask(mailbox, write, questions, take).await;
        self.fetched(outcome)
    }

    /// See [`Session::examine_all`].
    pub async fn examine_all(
        &mut self,
        mailboxes: &[&Mailbox],
    ) -> FolderResult<Vec<(Mailbox, MailboxStatus)>> {
        let outcome = self.imap.examine_all(mailboxes).await;
        self.opened(outcome)
    }

    /// See [`Session::list_status`].
    pub async fn list_status(&mut self) -> FolderResult<Vec<(Listed, Option<MailboxStatus>)>> {
        let outcome = self.imap.list_status().await;
        self.fetched(outcome)
    }

    /// See [`Session::search`].
    pub async fn search(&mut self, criteria: &str) -> FolderResult<UidSet> {
        let outcome = self.imap.search(criteria).await;
        self.fetched(outcome)
    }

    /// See [`Session::search_among`].
    pub async fn search_among(&mut self, uids: &UidSet) -> FolderResult<UidSet> {
        let outcome = self.imap.search_among(uids).await;
        self.fetched(outcome)
    }

    /// See [`Session::store`].
    pub async fn store(&mut self, uids: &UidSet, sign: char, flags: &str) -> FolderResult<()> {
        let outcome = self.imap.store(uids, sign, flags).await;
        self.changed(outcome)
    }

    /// See [`Session::call`].
    pub async fn call(&mut self, command: Command, take: impl FnMut(Untagged)) -> FolderResult<StatusLine> {
        let name = command.name();
        let outcome = self.imap.call(command, take).await;
        self.done(name, outcome)
    }

    /// See [`Session::run`].
    pub async fn run(&mut self, command: Command, take: impl FnMut(Untagged)) -> FolderResult<StatusLine> {
        let name = command.name();
        let outcome = self.imap.run(command, take).await;
        self.done(name, outcome)
    }

    /// See [`Session::run_all`]; the commands are of one kind.
    pub async fn run_all(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        take: impl FnMut(Untagged),
    ) -> FolderResult<()> {
        let mut commands = commands.into_iter().peekable();
        let Some(name) = commands.peek().map(Command::name) else {
            return Ok(());
        };
        let outcome = self.imap.run_all(commands, take).await;
        self.done(name, outcome)
    }

    /// See [`Session::logout`].
    pub async fn logout(self) {
        self.imap.logout().await;
    }
}
