// SPDX-License-Identifier: GPL-3.0-or-later
//! What actions take of a task: all fields of one, or those of many tasks that change.

use ns8_imapsync::secret::SecretText;
use ns8_imapsync::task::FolderOptions;
use ns8_imapsync::task::options::OptionsChange;
use schemars::JsonSchema;
use serde::Deserialize;

use super::FolderOptionsFields;
use crate::common::selection::TaskReference;

/// The fields of a task.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskFields {
    /// The task's id, made by the one who creates the task, unique for the user.
    pub task_id: String,
    /// The user of the local mail server who receives the mail.
    #[schemars(length(min = 1))]
    pub localuser: String,
    /// The source that says where the remote server is and how to sign in there, instead of remotehostname, remoteport
    /// and security. Where that is not the task's password, remotepassword is left out as well.
    #[serde(default)]
    pub source: Option<String>,
    /// The login name on the remote server, or a master user's (`user*vmail`); with a source, the mailbox there.
    #[schemars(length(min = 1))]
    pub remoteusername: String,
    /// The remote server: a name, an international one too, or an IP address.
    #[serde(default)]
    #[schemars(extend("x-required-unless" = "source"))]
    pub remotehostname: Option<String>,
    /// The password on the remote server. On an edit an empty one leaves it as it is, unless host, port or user change.
    #[serde(default)]
    #[schemars(extend("x-required-unless" = "source"))]
    pub remotepassword: Option<SecretText>,
    /// The remote server's port.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535), extend("x-required-unless" = "source"))]
    pub remoteport: Option<i64>,
    /// `tls` is STARTTLS (usually port 143), `ssl` is TLS from the start (usually 993); where it is empty, a connection
    /// is upgraded when the server offers it.
    #[serde(default)]
    #[schemars(extend("enum" = ["", "tls", "ssl", null], "x-required-unless" = "source"))]
    pub security: Option<String>,
    /// Deletes locally what is no longer on the remote side.
    pub delete_local: bool,
    /// Deletes on the remote side what is delivered.
    pub delete_remote: bool,
    /// With `delete_remote`: how many days mail stays there; 0 deletes it at once.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub delete_remote_older: Option<i64>,
    /// Patterns of folders to leave out, between commas: expressions that match anywhere in a folder's name unless `^`
    /// and `$` fix its start and end (`folder1,folder2,^folder3$`). One that is literally a folder's name, such as
    /// `[Gmail]/All Mail`, means that folder and what is below it.
    pub exclude: String,
    /// Empty, every so many minutes (5m, up to 60) or hours (2h, up to 24), or at a time (22:30). `15m@22-6` is in the hours
    /// from 22 to 6 only, `2h@22-6` every 2 hours from 22 on. `22:30@mon,fri` or `15m@22-6@fri` is on those days, or in the
    /// nights that begin on them. Times are UTC.
    pub cron: String,
    /// Which mail is pulled: that of `all` folders, the unread messages of the `inbox`, or that of all folders but
    /// those that match a pattern (`exclusion`).
    #[schemars(extend("enum" = ["all", "inbox", "exclusion"]))]
    pub foldersynchronization: String,
    /// Runs the user's Sieve filters on new mail; counts with `inbox` only.
    #[serde(default)]
    pub sieve_enabled: Option<bool>,
    /// Whether a run starts now; it does when this is missing.
    #[serde(default)]
    pub start: Option<bool>,
    /// Fingerprint (SHA-256, hex) of the remote server's certificate that the administrator accepts.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Whether a certificate that no authority vouches for is shown instead of accepted, before the password is sent.
    #[serde(default)]
    pub confirm_certificate: Option<bool>,
    /// Where mail goes and which mail that is. An edit without it leaves that as it is; a new task's folders keep their
    /// names, and all mail is pulled.
    #[serde(default)]
    pub folder_options: Option<FolderOptionsFields>,
    /// Whether the remote server is listened to, and a run begins as soon as mail arrives there; `cron` stays the
    /// safety net. An edit without it leaves that as it is.
    #[serde(default)]
    pub as_it_arrives: Option<bool>,
    /// How many KiB (1,024 bytes) a second runs may pull; 0 is no limit. A run at work follows a change. An edit without it
    /// leaves that as it is.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_485_760))]
    pub bandwidth: Option<i64>,
}

impl TaskFields {
    /// What the task's file does not hold.
    pub(crate) fn options(&self, folders: Option<FolderOptions>) -> OptionsChange {
        OptionsChange {
            folders,
            as_it_arrives: self.as_it_arrives,
        }
    }
}

/// Which tasks, and what changes; what is missing stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedFields {
    /// The tasks.
    pub tasks: Vec<TaskReference>,
    /// Empty, every so many minutes (5m, up to 60) or hours (2h, up to 24), or at a time (22:30). `15m@22-6` is in the hours
    /// from 22 to 6 only, `2h@22-6` every 2 hours from 22 on. `22:30@mon,fri` or `15m@22-6@fri` is on those days, or in the
    /// nights that begin on them. Times are UTC.
    #[serde(default)]
    pub cron: Option<String>,
    /// Which folders are pulled.
    #[serde(default)]
    #[schemars(extend("enum" = ["all", "inbox", "exclusion", null]))]
    pub foldersynchronization: Option<String>,
    /// Patterns of folders to leave out, between commas.
    #[serde(default)]
    pub exclude: Option<String>,
    /// The password on the remote server.
    #[serde(default)]
    pub remotepassword: Option<SecretText>,
    /// Whether the schedule waits until this is false again; no run is stopped, and the task can be started by hand.
    #[serde(default)]
    pub on_hold: Option<bool>,
    /// Whether the remote server is listened to, and a run begins as soon as mail arrives there.
    #[serde(default)]
    pub as_it_arrives: Option<bool>,
    /// How many KiB (1,024 bytes) a second runs of each task may pull; 0 is no limit. Runs at work follow a change.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_485_760))]
    pub bandwidth: Option<i64>,
    /// The name of the batch that the tasks belong to; empty for none.
    #[serde(default)]
    pub batch: Option<String>,
    /// Whether get-job tells how far a change of passwords is and what came of it.
    #[serde(default)]
    pub keep: Option<bool>,
}

impl ChangedFields {
    /// What the tasks' files do not hold.
    pub(crate) fn options(&self) -> OptionsChange {
        OptionsChange {
            folders: None,
            as_it_arrives: self.as_it_arrives,
        }
    }
}
