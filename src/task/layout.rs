// SPDX-License-Identifier: GPL-3.0-or-later

use std::path::{Path, PathBuf};

use crate::error::Result;

/// Asks for the address of the local mail server, as it is at that moment; `None` while schedules are paused.
pub type MailHost<'a> = &'a dyn Fn() -> Result<Option<String>>;

/// Where the files of all tasks are.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(super) tasks: PathBuf,
    pub(super) cron: Option<PathBuf>,
}

impl Layout {
    /// On the host: `imapsync/` and `cron/` of the state folder.
    pub fn in_state(state: &Path) -> Self {
        Self {
            tasks: state.join("imapsync"),
            cron: Some(state.join("cron")),
        }
    }

    /// In the container: the folder mounted as `/etc/imapsync`. The schedule is not changed from there.
    pub fn in_container(tasks: &Path) -> Self {
        Self {
            tasks: tasks.to_owned(),
            cron: None,
        }
    }
}
