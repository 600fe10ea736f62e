// SPDX-License-Identifier: GPL-3.0-or-later
//! The files of a task, which have its name and an ending each (contract section 4).

use std::fmt;

macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $name:ident = $ending:literal,)*) => {
        /// What one of a task's files holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FileKind {
            $($(#[doc = $meaning])+ $name,)*
        }

        impl FileKind {
            /// All, in the order in which a deletion removes them: without [`FileKind::Env`] there is no task any more.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The ending of the file's name.
            pub fn ending(self) -> &'static str {
                match self {
                    $(Self::$name => $ending,)*
                }
            }
        }
    };
}

kinds! {
    /// The task itself.
    Env = "env",
    /// Its remote password.
    Password = "pwd",
    /// The access token that imapsync reads.
    Token = "token",
    /// Its options: accepted certificate, source, folders.
    Options = "json",
    /// Whether its schedule is on hold, its batch, its bandwidth.
    Plan = "plan",
    /// When the last run without errors began.
    Timestamp = "timestamp",
    /// When the last run began, and how it ended.
    Status = "status",
    /// The last run, line by line.
    Log = "log",
    /// The process of the run.
    Pid = "pid",
    /// How far the run is.
    Progress = "progress",
    /// The same while it is written, by former versions.
    ProgressDraft = "progress.tmp",
    /// What the last run did, for programs.
    Report = "report",
    /// What the last runs did.
    History = "history",
    /// What a look at both sides before the move found.
    Assessment = "assessment",
    /// How both sides compared, message by message.
    Verification = "verification",
    /// What was said to the servers and heard.
    Trace = "trace",
    /// How often the login was refused in a row.
    Refused = "refused",
    /// An administrator confirmed the deletions that were withheld.
    Confirm = "confirm",
    /// That the task takes part in the ledger; in former versions a database.
    State = "state",
    /// What belonged to that database.
    StateWal = "state-wal",
    /// What belonged to that database.
    StateShm = "state-shm",
    /// Held while the task runs, is edited or deleted; it goes last.
    Lock = "lock",
    /// What crond reads, in its own folder.
    Cron = "cron",
}

impl FileKind {
    /// What goes with a task, before its lock does.
    pub fn of_task() -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|kind| !matches!(kind, Self::Lock | Self::Cron))
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ending())
    }
}
