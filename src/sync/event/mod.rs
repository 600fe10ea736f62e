// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run tells, as values; [`log`] is how people read it.

use std::fmt;

use crate::sync::exit_code::Exit;
use crate::sync::side::Side;
use crate::task::report::{Folder, Report};

pub mod log;

/// Something that a run tells.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A run began.
    Begun {
        /// The task.
        task: &'a dyn Printable,
    },
    /// Which account one side is.
    Account {
        /// The side.
        side: Side,
        /// The server's name or address.
        host: &'a str,
        /// Its port.
        port: u16,
        /// The name that logs in.
        user: &'a str,
    },
    /// What is not as safe as it should be.
    Caution {
        /// The side.
        side: Side,
        /// The same as a sentence.
        text: &'a str,
    },
    /// A certificate was met for the first time, and is the one that counts from now on.
    CertificateAccepted {
        /// The side.
        side: Side,
        /// Its SHA-256.
        sha256: &'a str,
        /// What authorities say of it.
        complaint: &'a str,
    },
    /// The server has something to say to people (RFC 9051 section 7.1, `ALERT`).
    Alert {
        /// The side.
        side: Side,
        /// What.
        text: &'a str,
    },
    /// Mail with an old date may have come since the last run, for which imapsync has to look at everything.
    OldMailArrived,
    /// The service was stopped during the run.
    Interrupted,
    /// The run did not end by itself.
    Crashed,
    /// The login was refused too often; the schedule pauses.
    SchedulePaused {
        /// In how many runs in a row.
        runs: u32,
    },
    /// A login failed in a way that may pass.
    LoginRetried {
        /// The side.
        side: Side,
        /// Why it failed.
        reason: &'a dyn Printable,
    },
    /// A login failed while the other side's failure ends the run.
    LoginFailed {
        /// As a sentence with the side in it.
        message: &'a str,
    },
    /// A connection broke and is made again.
    Reconnecting {
        /// The side.
        side: Side,
        /// Why it broke.
        reason: &'a dyn Printable,
    },
    /// How many folders a side has.
    FoldersFound {
        /// The side.
        side: Side,
        /// How many.
        count: usize,
    },
    /// A folder does not take part.
    FolderLeftOut {
        /// Its name on the remote side.
        folder: &'a str,
        /// Why.
        reason: &'a dyn Printable,
    },
    /// A folder was created on the local side.
    FolderCreated {
        /// Its name.
        folder: &'a dyn Printable,
    },
    /// A folder that was created is not among those that clients show.
    NotSubscribed {
        /// Its name.
        folder: &'a dyn Printable,
        /// What the server said.
        answer: &'a dyn Printable,
    },
    /// A folder is of another generation than before.
    FolderReplaced {
        /// On which side.
        side: Side,
        /// Its name on the remote side.
        folder: &'a str,
    },
    /// A remote folder has another name than before.
    FolderRenamed {
        /// The former name.
        from: &'a dyn Printable,
        /// The name that it has now.
        to: &'a dyn Printable,
        /// The local folder.
        local: &'a dyn Printable,
    },
    /// The local mailbox is of another generation than before.
    MailboxReplaced,
    /// A folder was deleted on the local side.
    FolderDeleted {
        /// Its name.
        folder: &'a dyn Printable,
        /// With how many messages.
        messages: u64,
    },
    /// A folder that is gone remotely stays, since mail of others is in it.
    FolderStays {
        /// Its name.
        folder: &'a dyn Printable,
        /// How many messages are not this task's.
        messages: u64,
    },
    /// A folder is not deleted, since mail came into it meanwhile.
    FolderInUse {
        /// Its name.
        folder: &'a dyn Printable,
    },
    /// Messages are copied with another folder that has them too.
    WithOtherFolders {
        /// The folder on the remote side.
        folder: &'a dyn Printable,
        /// How many messages.
        messages: u64,
    },
    /// Second copies, which arrived after a connection had broken, were removed.
    LateCopiesRemoved {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// How many messages.
        messages: u64,
    },
    /// Copies were removed of messages that another program had brought while this run did.
    SecondCopiesRemoved {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// How many messages.
        messages: u64,
    },
    /// A flag is not taken by the local server.
    FlagRefused {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// The flag.
        flag: &'a dyn Printable,
        /// Of how many messages.
        messages: u64,
        /// What the server said.
        answer: &'a dyn Printable,
    },
    /// A message has keywords on the remote side that the local one cannot store.
    KeywordsDropped {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// The message's UID on the remote side.
        uid: u32,
        /// Which.
        keywords: &'a dyn Printable,
    },
    /// A message was copied of which nothing tells when it arrived.
    DateUnknown {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// The message's UID on the remote side.
        uid: u32,
    },
    /// A message of no octets that the local server does not take.
    EmptyMessageSkipped {
        /// The folder on the remote side.
        folder: &'a str,
        /// The message's UID there.
        uid: u32,
        /// What the server said.
        answer: &'a dyn Printable,
    },
    /// Filters that were owed are not run any more.
    FiltersCancelled {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// For how many messages.
        messages: u64,
    },
    /// The check at the end of the run did not come to an end.
    NotChecked {
        /// At which side.
        side: Side,
        /// Why.
        reason: &'a dyn Printable,
    },
    /// What was done about the ledger of the local mailbox.
    Ledger {
        /// As a sentence.
        message: &'a str,
    },
    /// The chosen engine does not know an option of the task.
    OtherEngine,
    /// A message could not be moved.
    MessageFailed {
        /// The folder on the remote side.
        folder: &'a str,
        /// The message's UID there.
        uid: u32,
        /// Its Message-Id.
        message_id: Option<&'a str>,
        /// Why.
        reason: &'a str,
    },
    /// A folder, or the run where it is empty, has a problem.
    Problem {
        /// The folder on the remote side.
        folder: &'a str,
        /// What.
        reason: &'a str,
    },
    /// Messages are kept because nothing proves that they may be deleted.
    Withheld {
        /// The folder on the remote side.
        folder: &'a str,
        /// How many.
        messages: u64,
        /// Why.
        reason: &'a str,
    },
    /// A folder is done.
    FolderDone(&'a Folder),
    /// The log has reached its largest size.
    LogIsFull,
    /// The run ended.
    Ended {
        /// What it did.
        report: &'a Report,
        /// How long it took, in seconds.
        seconds: f64,
        /// How many problems there were.
        problems: u64,
        /// How it ended.
        exit: Exit,
    },
}

/// What people can read: names, reasons, answers of servers.
pub trait Printable: fmt::Display + fmt::Debug {}
impl<T: fmt::Display + fmt::Debug> Printable for T {}
