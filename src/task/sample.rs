// SPDX-License-Identifier: GPL-3.0-or-later
//! A task for tests, of which each changes what it is about.

use super::{
    Exclusions, FolderMode, LocalUser, RemoteDeletion, RemoteHost, RemoteUser, Security, Task, TaskId,
};

/// One that deletes nothing and has no schedule.
pub(crate) fn task() -> Task {
    Task {
        id: TaskId::parse("abc123").unwrap(),
        local_user: LocalUser::parse("u1").unwrap(),
        remote_user: RemoteUser::parse("r1@example.com").unwrap(),
        remote_host: RemoteHost::parse("imap.foo.com").unwrap(),
        remote_port: 143.try_into().unwrap(),
        security: Security::StartTls,
        folders: FolderMode::All,
        exclusions: Exclusions::default(),
        delete_local: false,
        delete_remote: RemoteDeletion::Keep,
        schedule: None,
        sieve: false,
    }
}
