// SPDX-License-Identifier: GPL-3.0-or-later
//! The words of the log: how events read, and how many problems a line tells of. Nothing else knows its format.

use std::fmt;

use super::Event;
use crate::sync::exit_code::Exit;
use crate::task::report::{Folder, Report};

/// What comes before a problem.
const PROBLEM: &str = "Error: ";
/// The line that counts messages which could not be moved.
const FAILED: &str = "Messages failed";

/// How many problems one of these lines tells of; `None` where it is about something else, or not one of them.
pub fn problems(line: &str) -> Option<u64> {
    if line.starts_with(PROBLEM) {
        return Some(1);
    }
    if let Some((name, count)) = line.split_once(':')
        && name.trim_end() == FAILED
    {
        return count.trim().parse().ok();
    }
    // The folder's name may hold anything; what follows holds numbers and the words between them.
    let (_, counts) = line.strip_prefix("Folder [")?.rsplit_once("]: ")?;
    let failed = counts
        .split(", ")
        .find_map(|count| count.strip_suffix(" failed"))?;
    failed.parse().ok()
}

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
            Self::Crashed => write!(f, "{PROBLEM}the run was ended from outside, or by a fault in it."),
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
            Self::NotSubscribed { folder, answer } => {
                write!(f, "Host2: folder [{folder}] was not subscribed: {answer}")
            }
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
                    "Host2: folder [{folder}] got new messages while it was being deleted; it stays"
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
                "Host2: folder [{folder}]: message {uid} is without its keywords {keywords}, which cannot be stored there"
            ),
            Self::DateUnknown { folder, uid } => write!(
                f,
                "Host2: folder [{folder}]: message {uid} counts as of today: host1 does not tell when it arrived, nor does \
                 its header"
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
                "imapsync does not know what this task or its source needs (folder options, a proxy, folders under other \
                 names, views, labels), or would bring again what its owner filed or deleted; the native engine does the run.",
            ),
            Self::MessageFailed {
                folder,
                uid,
                message_id,
                reason,
            } => write!(
                f,
                "{PROBLEM}message {folder}/{uid} {}: {reason}",
                message_id.unwrap_or("without Message-Id")
            ),
            Self::Problem { folder: "", reason } => write!(f, "{PROBLEM}{reason}"),
            Self::Problem { folder, reason } => write!(f, "{PROBLEM}folder [{folder}]: {reason}"),
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
        (FAILED, report.messages.failed),
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
