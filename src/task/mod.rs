// SPDX-License-Identifier: GPL-3.0-or-later
//! A task: one person's remote mailbox and how it is pulled into the local one.
//!
//! - fields: [`LocalUser`], [`TaskId`], [`TaskName`], [`SourceLink`] · [`RemoteHost`], [`RemoteUser`], [`Security`] ·
//!   [`FolderMode`], [`Exclusions`], [`Pattern`], [`FolderOptions`] · [`RemoteDeletion`] · [`Schedule`] · [`Bandwidth`]
//! - files (contract section 4): [`mod@env`], [`cron`], [`status`], [`options`], [`progress`], [`report`],
//!   [`history`], [`lock`], [`Plan`]
//! - [`Store`]: all tasks of an instance on disk

mod bandwidth;
pub mod batch;
mod commit;
pub mod cron;
mod deletion;
pub mod env;
mod file_kind;
mod folder_options;
mod folders;
pub mod history;
mod id;
mod layout;
mod link;
mod local_pin;
pub mod lock;
pub mod options;
mod patterns;
mod plan;
pub mod progress;
mod refusals;
mod remote;
pub mod report;
#[cfg(test)]
pub(crate) mod sample;
mod schedule;
pub mod status;
mod store;
mod text;
mod trust;
mod user;

pub use bandwidth::Bandwidth;
pub use deletion::RemoteDeletion;
pub use file_kind::FileKind;
pub use folder_options::{FolderOptions, FolderPath, Labels, Period, Renaming};
pub use folders::{Exclusions, FolderMode};
pub use id::{TaskId, TaskName};
pub use layout::{Layout, MailHost};
pub use link::{SourceId, SourceLink};
pub use local_pin::LocalPin;
pub use patterns::{Match, Pattern};
pub use plan::{BatchName, Plan};
pub use refusals::Refusals;
pub use remote::{Port, RemoteHost, RemoteUser, Security};
pub use schedule::Schedule;
pub use secrecy::{ExposeSecret, SecretString};
pub use store::{LEDGERS, SCHEDULES_PAUSED, Store};
pub use text::{Invalid, parse_fingerprint};
pub use trust::Trust;
pub use user::LocalUser;

use text::free_of_control_characters;

/// Everything `NAME.env` says about a task; the password lives apart, in `NAME.pwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The task's id, unique among the tasks of its user.
    pub id: TaskId,
    /// Whose local mailbox receives the mail.
    pub local_user: LocalUser,
    /// The login name on the remote server.
    pub remote_user: RemoteUser,
    /// The remote server.
    pub remote_host: RemoteHost,
    /// The remote server's port.
    pub remote_port: Port,
    /// How the connection to the remote server is protected.
    pub security: Security,
    /// Which folders are pulled.
    pub folders: FolderMode,
    /// Patterns of folders left out; they count in [`FolderMode::Exclusion`] only.
    pub exclusions: Exclusions,
    /// Whether what is no longer on the remote side is deleted locally.
    pub delete_local: bool,
    /// What happens to delivered mail on the remote side.
    pub delete_remote: RemoteDeletion,
    /// When cron starts the task; `None` means by hand only.
    pub schedule: Option<Schedule>,
    /// Whether the user's Sieve filters run on new mail; counts in [`FolderMode::Inbox`] only.
    pub sieve: bool,
}

impl Task {
    /// The name of the task's files.
    pub fn name(&self) -> TaskName {
        TaskName::new(&self.local_user, &self.id)
    }

    /// Whether the Sieve filters run: asked for, and in the mode where it counts.
    pub fn runs_sieve(&self) -> bool {
        self.sieve && self.folders == FolderMode::Inbox
    }

    /// Whether both tasks log in to the same account the same way, so that a stored password may serve both.
    pub fn same_account(&self, other: &Self) -> bool {
        self.remote_user == other.remote_user
            && self.remote_host.is_same(&other.remote_host)
            && self.remote_port == other.remote_port
    }

    /// Whether both tasks look at the same folders of the same account, so that the time of the last
    /// complete run of one holds for the other.
    pub fn same_source(&self, other: &Self) -> bool {
        self.same_account(other)
            && self.local_user == other.local_user
            && self.folders == other.folders
            && self.exclusions == other.exclusions
    }
}

/// A remote password: anything but control characters, which no mail server takes and no file of ours may hold.
///
/// # Errors
/// When there is a control character in it; the error never repeats the password.
pub fn parse_password(text: &str) -> Result<SecretString, Invalid> {
    free_of_control_characters(text)?;
    Ok(SecretString::from(text))
}
