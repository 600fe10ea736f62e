// SPDX-License-Identifier: GPL-3.0-or-later
//! The mail server that the instance is bound to, as the cluster knows it.

use std::time::Duration;

use anyhow::anyhow;
use ns8_imapsync::agent::cluster::Cluster;
use ns8_imapsync::agent::directory::{self, MailServer};
use ns8_imapsync::agent::journal;
use ns8_imapsync::error::{Error, ErrorKey, Result};

use super::context::Context;
use super::settings;

/// Somebody waits for the reason of a refusal meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The mail server chosen; before that the only one of the cluster, if there is just one.
///
/// # Errors
/// When there is none, or Redis does not answer.
pub(crate) fn chosen(context: &Context) -> Result<MailServer> {
    let environment = context.environment.read()?;
    let server = match environment.get(settings::MAIL_SERVER) {
        Some(uuid) => directory::mail_server(&context.agent, uuid)?
            .ok_or_else(|| anyhow!("no mail module has the uuid {uuid}; run configure-module again"))?,
        None => {
            let mut servers = directory::mail_servers(&context.agent)?;
            let only = servers.pop().filter(|_| servers.is_empty());
            only.ok_or_else(|| anyhow!("no mail server is chosen yet; run configure-module first"))?
        }
    };
    Ok(server)
}

/// The names of all its mailboxes, disabled ones as well.
///
/// # Errors
/// When there is no mail server, or its module does not answer in time.
pub(crate) fn mailboxes(context: &Context, limit: Duration) -> Result<Vec<String>> {
    let server = chosen(context)?;
    let mailboxes = Cluster::new(&context.agent).mailboxes(&server.module_id, limit)?;
    Ok(mailboxes.into_iter().map(|mailbox| mailbox.user).collect())
}

/// Tells an unknown user from a master password that is not valid any more: a server refuses both in the same
/// words, but the mail module knows its mailboxes.
pub(crate) fn told_apart<T>(context: &Context, user: &str, result: Result<T>) -> Result<T> {
    let Err(Error::Refused(mut refusals)) = result else {
        return result;
    };
    for refusal in &mut refusals {
        if refusal.key == ErrorKey::LocalUserUnknown && is_mailbox(context, user) {
            refusal.key = ErrorKey::MasterCredentialsRefused;
            refusal.advice = MASTER_REFUSED.to_owned();
        }
    }
    Err(Error::Refused(refusals))
}

/// What to do about a master password that is refused.
pub(crate) const MASTER_REFUSED: &str = "the mailbox exists, but the local server refuses the master user's password; \
    restart imapsync.service, which asks the mail module for it again";

/// Whether the mail server has a mailbox of that name; a module that does not answer knows none.
pub(crate) fn is_mailbox(context: &Context, user: &str) -> bool {
    match mailboxes(context, ANSWER_TIMEOUT) {
        Ok(mailboxes) => mailboxes
            .iter()
            .any(|mailbox| mailbox.to_lowercase() == user.to_lowercase()),
        Err(error) => {
            journal::notice(format_args!("the mailboxes cannot be listed: {error}"));
            false
        }
    }
}
