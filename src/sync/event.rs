// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run tells, as values, and how people read it: the only place that knows the words of the log.

use std::fmt;

use crate::sync::account::Side;
use crate::sync::exit_code::Exit;
use crate::task::report::{Folder, Report};

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
    /// The run came to no end of its own.
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
    /// A folder is not deleted, since it is in use.
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
    /// A message was copied without some of its keywords.
    KeywordsDropped {
        /// The folder on the local side.
        folder: &'a dyn Printable,
        /// The message's UID on the remote side.
        uid: u32,
        /// Which.
        keywords: &'a dyn Printable,
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

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Begun { task } => {
                write!(
                    f,
                    "Here is ns8-imapsync {}, task {task}",
                    env!("CARGO_PKG_VERSION")
                )
            }
            Self::Account {
                side,
                host,
                port,
                user,
            } => {
                write!(
                    f,
                    "{}: IMAP server [{host}] port [{port}] user [{user}]",
                    side.host()
                )
            }
            Self::Caution { side, text } => write!(f, "{}: warning: {text}", side.host()),
            Self::CertificateAccepted {
                side,
                sha256,
                complaint,
            } => write!(
                f,
                "{}: accepted the certificate with SHA-256 {sha256} ({complaint}); from now on nothing less is accepted",
                side.host()
            ),
            Self::Alert { side, text } => write!(f, "{}: the server says: {text}", side.host()),
            Self::Interrupted => f.write_str(
                "The service was stopped: the run is interrupted, and goes on by itself after the next start.",
            ),
            Self::OldMailArrived => {
                f.write_str("Host1: mail with an old date may have come since the last run: all messages are compared")
            }
            Self::Crashed => f.write_str("Error: the run was ended from outside, or by a fault of its own."),
            Self::SchedulePaused { runs } => write!(
                f,
                "Host1: the login was refused in {runs} runs in a row: the schedule pauses until the task is edited or a run \
                 by hand logs in"
            ),
            Self::LoginRetried { side, reason } => write!(f, "{}: {reason}; trying again", side.host()),
            Self::LoginFailed { message } | Self::Ledger { message } => f.write_str(message),
            Self::NotChecked { side, reason } => {
                write!(f, "{}: {reason}; what this run did is not checked again", side.host())
            }
            Self::Reconnecting { side, reason } => write!(f, "{}: {reason}; reconnecting", side.host()),
            Self::FoldersFound { side, count } => write!(f, "{}: found {count} folders.", side.host()),
            Self::FolderLeftOut { folder, reason } => {
                write!(f, "Host1: folder [{folder}] is left out: {reason}")
            }
            Self::FolderCreated { folder } => write!(f, "Host2: created folder [{folder}]"),
            Self::FolderReplaced { side, folder } => write!(
                f,
                "{}: folder [{folder}] was replaced or restored; both sides are compared again",
                side.host()
            ),
            Self::FolderRenamed { from, to, local } => write!(
                f,
                "Host1: folder [{from}] is called [{to}] now; its mail stays in [{local}]"
            ),
            Self::MailboxReplaced => f.write_str(
                "Host2: the mailbox was replaced or restored; folders that are missing are copied again",
            ),
            Self::FolderDeleted { folder, messages } => {
                write!(f, "Host2: deleted folder [{folder}] with {messages} messages")
            }
            Self::FolderStays { folder, messages } => write!(
                f,
                "Host2: folder [{folder}] is gone on the remote side and stays here: {messages} of its messages were not \
                 brought by this task"
            ),
            Self::FolderInUse { folder } => {
                write!(
                    f,
                    "Host2: folder [{folder}] is in use; it is not deleted by this run"
                )
            }
            Self::WithOtherFolders { folder, messages } => {
                write!(
                    f,
                    "Host1: folder [{folder}]: {messages} messages are also in other folders, and are copied there"
                )
            }
            Self::LateCopiesRemoved { folder, messages } => write!(
                f,
                "Host2: folder [{folder}]: removed {messages} messages that arrived a second time after a connection had \
                 broken"
            ),
            Self::SecondCopiesRemoved { folder, messages } => write!(
                f,
                "Host2: folder [{folder}]: removed {messages} copies of this run, as another program had brought the same \
                 messages meanwhile: does another instance pull this account?"
            ),
            Self::FlagRefused {
                folder,
                flag,
                messages,
                answer,
            } => write!(
                f,
                "Host2: folder [{folder}]: the flag {flag} was refused for {messages} messages: {answer}"
            ),
            Self::KeywordsDropped {
                folder,
                uid,
                keywords,
            } => write!(
                f,
                "Host2: folder [{folder}]: message {uid} was copied without its keywords {keywords}, which host2 does not \
                 take"
            ),
            Self::EmptyMessageSkipped { folder, uid, answer } => write!(
                f,
                "Warning: message {folder}/{uid} has no content (0 octets) and is skipped; host2 does not take it: {answer}"
            ),
            Self::FiltersCancelled { folder, messages } => write!(
                f,
                "Host2: folder [{folder}]: {messages} messages stay unfiltered: the task no longer asks for Sieve filters"
            ),
            Self::OtherEngine => f.write_str(
                "The folder options of this task are unknown to imapsync; the native engine does the run.",
            ),
            Self::MessageFailed {
                folder,
                uid,
                message_id,
                reason,
            } => write!(
                f,
                "Error: message {folder}/{uid} {}: {reason}",
                message_id.unwrap_or("without Message-Id")
            ),
            Self::Problem { folder: "", reason } => write!(f, "Error: {reason}"),
            Self::Problem { folder, reason } => write!(f, "Error: folder [{folder}]: {reason}"),
            Self::Withheld {
                folder,
                messages,
                reason,
            } => {
                write!(f, "Kept: folder [{folder}]: {messages} messages: {reason}")
            }
            Self::FolderDone(folder) => folder_done(f, folder),
            Self::LogIsFull => f.write_str("The log has reached its largest size; what follows is left out"),
            Self::Ended {
                report,
                seconds,
                problems,
                exit,
            } => statistics(f, report, seconds.max(0.001), problems, exit),
        }
    }
}

fn folder_done(f: &mut fmt::Formatter<'_>, folder: &Folder) -> fmt::Result {
    let Folder {
        remote,
        local,
        copied,
        skipped,
        failed,
        flags,
        ..
    } = folder;
    write!(
        f,
        "Folder [{remote}] -> [{local}]: {copied} copied, {skipped} already there, {failed} failed, {flags} flags, \
         {} deleted locally, {} deleted remotely",
        folder.deleted_local, folder.deleted_remote
    )
}

/// The lines that people and tools know from imapsync.
fn statistics(
    f: &mut fmt::Formatter<'_>,
    report: &Report,
    seconds: f64,
    problems: u64,
    exit: Exit,
) -> fmt::Result {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let (messages, kib) = (
        report.messages.copied as f64 / seconds,
        report.bytes as f64 / seconds / 1024.0,
    );
    writeln!(f, "++++ Statistics")?;
    writeln!(f, "Transfer time                           : {seconds:.1} sec")?;
    for (what, count) in [
        ("Folders synced", report.folders.len() as u64),
        ("Messages transferred", report.messages.copied),
        ("Messages skipped", report.messages.skipped),
        ("Messages failed", report.messages.failed),
        ("Messages deleted on host1", report.deleted_remote),
        ("Messages deleted on host2", report.deleted_local),
        ("Flags changed on host2", report.flags),
        ("Flags not taken by host2", report.flags_dropped),
        ("Total bytes transferred", report.bytes),
    ] {
        writeln!(f, "{what:<40}: {count}")?;
    }
    writeln!(
        f,
        "Message rate                            : {messages:.1} messages/s"
    )?;
    writeln!(f, "Average bandwidth rate                  : {kib:.1} KiB/s")?;
    writeln!(f, "Detected {problems} errors")?;
    write!(f, "Exiting with return value {} ({})", exit.code(), exit.name())
}
