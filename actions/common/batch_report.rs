// SPDX-License-Identifier: GPL-3.0-or-later
//! What was found about the tasks of a batch.

use ns8_imapsync::control::batches::forecast::{self, Duration, Verdict, Warning};
use ns8_imapsync::control::batches::volume::Amount;
use ns8_imapsync::imap::StorageQuota;
use ns8_imapsync::sync::inspect::assess::{Assessment, NewName};
use ns8_imapsync::sync::inspect::verify::report::VerifyReport;
use ns8_imapsync::task::{FileKind, Store, TaskName};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::batch_job::Finding;

/// The word for a side about which nothing is wrong.
const OK: &str = "ok";

/// A mailbox before its move. Sizes in bytes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assessed {
    /// When it was looked at, in seconds since 1970.
    at: i64,
    /// Whether it can be moved.
    verdict: Verdict,
    /// `ok`, or the key of what is wrong with the login at the source.
    remote: String,
    /// `ok`, or the key of what is wrong with the login at the destination.
    local: String,
    folders: u64,
    messages: u64,
    bytes: u64,
    /// The largest message.
    largest: u64,
    /// Messages that are larger than what the destination takes.
    too_large: u64,
    /// The room at the destination; null where its server does not tell.
    quota: Option<StorageQuota>,
    /// How long the first copy is assumed to take, and from what; null without a login.
    duration: Option<Duration>,
    /// What to mind.
    warnings: Vec<Warning>,
    /// Folders that cannot be opened.
    unreadable: Vec<String>,
    /// Folders that get other names because of their use.
    special: Vec<NewName>,
    /// Folders that get other names because theirs cannot be had.
    renamed: Vec<NewName>,
}

/// Both sides of a mailbox, compared.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verified {
    /// When they were compared, in seconds since 1970.
    at: i64,
    /// `agree`, `differ`, or the key of why they could not be compared.
    status: String,
    folders: u64,
    remote_messages: u64,
    local_messages: u64,
    missing: u64,
    extra: u64,
    different: u64,
    gone: u64,
    not_as_recorded: u64,
    /// Folders that could not be compared.
    unreadable: u64,
}

/// What is known of a mailbox before its move.
pub(crate) struct StoredAssessment(Finding<Assessment>);

/// What was found before the move; `None` where no one looked.
pub(crate) fn assessed(store: &Store, name: &TaskName) -> Option<StoredAssessment> {
    store.finding(name, FileKind::Assessment).map(StoredAssessment)
}

impl StoredAssessment {
    /// What the source holds; `None` where it could not be counted.
    pub(crate) fn counted(&self) -> Option<Amount> {
        match &self.0.answer {
            Answer::Known(found) if found.remote == OK && found.local == OK => Some(Amount {
                messages: found.messages,
                bytes: found.bytes,
            }),
            _ => None,
        }
    }

    /// What it means for the move from a server of that name and speed.
    pub(crate) fn judged(self, host: &str, rate: Option<u64>) -> Assessed {
        let found = match self.0.answer {
            Answer::Known(found) => found,
            Answer::Unknown { status, .. } => Assessment {
                remote: status,
                local: OK.to_owned(),
                ..Assessment::default()
            },
        };
        let forecast = forecast::of(&found, host, rate);
        Assessed {
            at: self.0.at,
            verdict: forecast.verdict,
            warnings: forecast.warnings,
            duration: forecast.duration,
            remote: found.remote,
            local: found.local,
            folders: found.folders,
            messages: found.messages,
            bytes: found.bytes,
            largest: found.largest,
            too_large: found.too_large,
            quota: found.quota,
            unreadable: found.unreadable,
            special: found.special,
            renamed: found.renamed,
        }
    }
}

/// What the last comparison found; `None` where there was none.
pub(crate) fn verification(store: &Store, name: &TaskName) -> Option<Finding<VerifyReport>> {
    store.finding(name, FileKind::Verification)
}

impl Verified {
    /// A comparison in figures.
    pub(crate) fn of(finding: &Finding<VerifyReport>) -> Self {
        let report = match &finding.answer {
            Answer::Known(report) => report,
            Answer::Unknown { status, .. } => {
                return Self {
                    at: finding.at,
                    status: status.clone(),
                    ..Self::default()
                };
            }
        };
        let mut figures = Self {
            at: finding.at,
            status: if report.agree { "agree" } else { "differ" }.to_owned(),
            ..Self::default()
        };
        for folder in &report.folders {
            figures.folders += 1;
            figures.remote_messages += folder.remote_messages;
            figures.local_messages += folder.local_messages;
            figures.missing += folder.missing;
            figures.extra += folder.extra;
            figures.different += folder.different;
            figures.gone += folder.gone;
            figures.not_as_recorded += folder.not_as_recorded;
            figures.unreadable += u64::from(folder.unreadable.is_some());
        }
        figures
    }
}
