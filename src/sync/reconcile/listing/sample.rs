// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether UIDs still mean the messages that they meant. A server that was restored from a backup gives UIDs for a second
//! time; when as much mail has come since as was lost, none of its numbers shows it.
//!
//! The youngest messages on record are asked for by their keys: of a few folders with every list, in the same round
//! trip; of all folders when one of these turned out to be another one.

use std::collections::HashMap;
use std::io;

use crate::imap::{self, Command, Error, Mailbox, MailboxStatus, UidSet, Untagged};
use crate::sync::job::Shared;
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers;
use crate::sync::side::Side;
use crate::sync::state::{Flag, FolderState, Ledger, LedgerError, Mark};

/// Folders that are looked at with every list: the inbox, and those that mail came to last.
const FOLDERS: usize = 4;

/// Messages of each.
const MESSAGES: u32 = 4;

/// What is asked of one side.
#[derive(Default)]
pub struct Sample {
    folders: Vec<Asked>,
}

struct Asked {
    mailbox: Mailbox,
    /// The UIDVALIDITY that the UIDs belong to.
    validity: u32,
    known: HashMap<u32, Mark>,
    answered: HashMap<u32, Answer>,
    /// What is there, with whatever header.
    present: UidSet,
    /// One of the messages was read, and is another.
    proven: bool,
    /// Why an answer could not be read back from the disk.
    failed: Option<io::Error>,
}

struct Answer {
    key: MessageKey,
    size: u64,
    date: i64,
}

impl Asked {
    /// `None` where nothing is on record that could be asked for.
    fn of(
        ledger: &Ledger,
        side: Side,
        remote: &Mailbox,
        folder: &FolderState,
    ) -> Result<Option<Self>, LedgerError> {
        let (mailbox, validity, known) = match side {
            Side::Remote => (
                remote.clone(),
                folder.remote_validity,
                ledger.youngest(folder.id, MESSAGES)?,
            ),
            Side::Local => (
                folder.local.clone(),
                folder.local_validity,
                ledger.youngest_locally(folder.id, MESSAGES)?,
            ),
        };
        Ok((validity != 0 && !known.is_empty()).then(|| Self {
            mailbox,
            validity,
            known,
            answered: HashMap::new(),
            present: UidSet::default(),
            proven: false,
            failed: None,
        }))
    }

    fn question(&self) -> Command {
        headers::mark_question(&self.known.keys().copied().collect())
    }

    fn note(&mut self, data: &Untagged) {
        let Untagged::Fetch(fetch) = data else { return };
        if let Some(uid) = fetch.uid {
            self.present.insert(uid);
        }
        match headers::answered_key(fetch) {
            Ok(Some((uid, key))) => {
                let answer = Answer {
                    key,
                    size: fetch.size.unwrap_or(0),
                    date: fetch.date.as_ref().map_or(0, |date| date.unix()),
                };
                self.answered.insert(uid, answer);
            }
            Ok(None) => {}
            Err(error) => {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// A message that is gone tells nothing; one that is another does.
    fn is_contradicted(&self) -> bool {
        let mut answered = self.answered.iter();
        self.proven
            || answered.any(|(uid, answer)| self.known.get(uid).is_some_and(|known| known.key != answer.key))
    }

    /// Messages of the recorded key that may be others all the same, as drafts keep their Message-Id: those of which size
    /// or date is not what is on record, with the digests that they should have.
    fn suspects(&self) -> HashMap<u32, Digest> {
        let answered = self.answered.iter();
        let differ = |a: i64, b: i64| a != 0 && b != 0 && a != b;
        let suspects = answered.filter_map(|(uid, answer)| {
            let known = self.known.get(uid)?;
            let is_suspect =
                differ(known.date, answer.date) || (known.size != 0 && known.size != answer.size);
            Some((*uid, known.digest?)).filter(|_| is_suspect)
        });
        suspects.collect()
    }

    /// Reads what is suspect; `false` when it is what is on record nevertheless, or another thing at each look.
    async fn prove(
        &mut self,
        session: &mut SideSession,
        suspects: &HashMap<u32, Digest>,
    ) -> FolderResult<bool> {
        match session.imap.open(&self.mailbox, false).await {
            Err(Error::Command { .. }) => return Ok(false),
            opened => session.fetched(opened)?,
        };
        let uids = suspects.keys().copied().collect();
        let mut read = headers::digests(session, &uids).await?;
        read.retain(|uid, digest| suspects.get(uid).is_some_and(|known| known != digest));
        self.proven = !read.is_empty() && !headers::that_last(session, &read).await?.is_empty();
        Ok(self.proven)
    }
}

impl Sample {
    /// Of the folders that mail came to last.
    pub fn newest(shared: &Shared, side: Side) -> Result<Self, LedgerError> {
        let newest = shared.state.borrow().newest_folders(FOLDERS)?;
        Self::of(
            shared,
            side,
            newest.iter().map(|(remote, folder)| (remote, folder)),
        )
    }

    /// Of these folders: remote names and records.
    pub fn of<'a>(
        shared: &Shared,
        side: Side,
        known: impl Iterator<Item = (&'a Mailbox, &'a FolderState)>,
    ) -> Result<Self, LedgerError> {
        let ledger = shared.state.borrow();
        let mut folders = vec![];
        for (remote, folder) in known {
            folders.extend(Asked::of(&ledger, side, remote, folder)?);
        }
        Ok(Self { folders })
    }

    /// What to ask, mailbox by mailbox.
    pub fn questions(&self) -> Vec<(Mailbox, Command)> {
        let folders = self.folders.iter();
        folders
            .map(|asked| (asked.mailbox.clone(), asked.question()))
            .collect()
    }

    /// Takes in an answer to one of the questions.
    pub fn note(&mut self, question: usize, data: &Untagged) {
        if let Some(asked) = self.folders.get_mut(question) {
            asked.note(data);
        }
    }

    /// Whether all answers could be read that came so far.
    ///
    /// # Errors
    /// When a large one could not be read back from the disk.
    pub fn check(&mut self) -> imap::Result<()> {
        match self.folders.iter_mut().find_map(|asked| asked.failed.take()) {
            Some(error) => Err(Error::Spool(error)),
            None => Ok(()),
        }
    }

    /// Asks on a connection.
    pub async fn ask(&mut self, session: &mut SideSession) -> FolderResult<()> {
        for asked in &mut self.folders {
            let question = [asked.question()];
            let mailbox = asked.mailbox.clone();
            let opened = session
                .imap
                .open_and_ask(&mailbox, false, question, |data| asked.note(&data));
            match opened.await {
                // What needs the folder will tell.
                Err(Error::Command { .. }) => {}
                opened => session.fetched(opened).map(drop)?,
            }
        }
        let checked = self.check();
        session.fetched(checked)
    }

    /// Reads those messages whose keys are right and that may be others all the same. A side whose sizes or dates are not
    /// those on record for the same octets is not suspected of it again.
    pub async fn settle_doubts(&mut self, shared: &Shared, session: &mut SideSession) -> FolderResult<()> {
        let varies = match session.side() {
            Side::Remote => Flag::RemoteVaries,
            Side::Local => Flag::LocalVaries,
        };
        if shared.state.borrow().is_set(varies)? {
            return Ok(());
        }
        for asked in &mut self.folders {
            let suspects = asked.suspects();
            if suspects.is_empty() || asked.is_contradicted() {
                continue;
            }
            if !asked.prove(session, &suspects).await? {
                shared.state.borrow().set(varies, true)?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether any message of a mailbox is there under the UID that is on record for it.
    pub fn is_confirmed(&self, mailbox: &Mailbox) -> bool {
        let mut folders = self.folders.iter().filter(|asked| asked.mailbox == *mailbox);
        folders.any(|asked| {
            let mut answered = asked.answered.iter();
            answered.any(|(uid, answer)| asked.known.get(uid).is_some_and(|known| known.key == answer.key))
        })
    }

    /// Messages that were copied to a mailbox and were not among what it answered.
    pub fn unanswered(&self, mailbox: &Mailbox) -> UidSet {
        let asked = self.folders.iter().filter(|asked| asked.mailbox == *mailbox);
        let known = asked.flat_map(|asked| {
            let copied = asked.known.iter().filter(|(_, mark)| mark.digest.is_some());
            copied
                .map(|(uid, _)| *uid)
                .filter(|uid| !asked.present.contains(*uid))
        });
        known.collect()
    }

    /// Mailboxes whose UIDs mean other messages than those on record, although the server says that they are the same.
    /// `status` tells what it says.
    pub fn contradicted(&self, status: impl Fn(&Mailbox) -> Option<MailboxStatus>) -> Vec<Mailbox> {
        let folders = self.folders.iter().filter(|asked| asked.is_contradicted());
        folders
            .filter(|asked| {
                status(&asked.mailbox).is_some_and(|now| now.uid_validity == Some(asked.validity))
            })
            .map(|asked| asked.mailbox.clone())
            .collect()
    }
}
