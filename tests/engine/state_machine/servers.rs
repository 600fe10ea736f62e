// SPDX-License-Identifier: GPL-3.0-or-later
//! What a sequence needs of the servers, whichever they are.

use ns8_imapsync::task::TaskName;

use super::action::At;
use super::mails::{Contents, Mail, Mails, Place};
use crate::instance::Instance;

/// Where a task finds its source.
pub(super) struct Source {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
}

/// Three mailboxes on two servers or more. Folders are flat, and named alike everywhere.
pub(super) trait Servers: Sized {
    /// Empty mailboxes.
    fn start() -> anyhow::Result<Self>;

    /// A state folder whose local mail server is this one.
    fn instance(&self) -> Instance;
    /// The local user.
    fn local_user(&self) -> String;
    fn source(&self, at: At) -> Source;

    fn contents(&self, at: At, mails: &Mails) -> anyhow::Result<Contents>;
    /// Puts a mail into a folder, which is made if need be.
    fn add(&self, at: At, folder: &str, mail: &Mail, flags: &[&str]) -> anyhow::Result<()>;
    fn delete(&self, at: At, place: &Place, mails: &Mails) -> anyhow::Result<()>;
    /// Moves a mail behind those of another folder.
    fn relocate(&self, at: At, place: &Place, to: &str, mails: &Mails) -> anyhow::Result<()>;
    fn rename(&self, at: At, folder: &str, to: &str) -> anyhow::Result<()>;
    fn delete_folder(&self, at: At, folder: &str) -> anyhow::Result<()>;
    fn flag(&self, at: At, place: &Place, flag: &str, mails: &Mails) -> anyhow::Result<()>;

    fn back_up(&mut self, at: At) -> anyhow::Result<()>;
    /// Brings the last backup back, if there is one.
    fn restore(&mut self, at: At) -> anyhow::Result<()>;
    /// Another UIDVALIDITY for each folder.
    fn revalidate(&self, at: At) -> anyhow::Result<()>;
    /// UIDs from 1 under the same UIDVALIDITY.
    fn renumber(&self, at: At) -> anyhow::Result<()>;

    /// Starts a run and kills it when it has come so far, of 100 parts; back when no server works for it any more.
    fn kill(&self, instance: &Instance, task: &TaskName, part: u8) -> anyhow::Result<()>;
}
