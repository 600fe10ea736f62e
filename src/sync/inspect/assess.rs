// SPDX-License-Identifier: GPL-3.0-or-later
//! What a move of a mailbox would meet: how much there is, whether it fits, which folders change their names.

use serde::{Deserialize, Serialize};

use super::count::{each_size, sized};
use crate::error::ErrorKey;
use crate::imap::{Capability, Command, Error, ListExtras, StorageQuota, Untagged};
use crate::sync::account::{Account, Failure};
use crate::sync::folder_mapping::{self, Known, Pair, Selection, Side, SpecialUse};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::listing;

/// Folders told by their names; beyond, they are counted.
const NAMED: usize = 50;

/// What a look at both sides found. Sizes in octets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Assessment {
    /// `ok`, or the key of what is wrong with the login at the source.
    pub remote: String,
    /// `ok`, or the key of what is wrong with the login at the destination.
    pub local: String,
    /// Folders that would be copied.
    pub folders: u64,
    /// Their messages.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
    /// The largest message.
    pub largest: u64,
    /// What of that is in the corresponding folders of the destination already.
    pub local_bytes: u64,
    /// The room at the destination, where its server tells.
    pub quota: Option<StorageQuota>,
    /// The largest message that the destination takes, where its server tells.
    pub message_limit: Option<u64>,
    /// Messages that are larger.
    pub too_large: u64,
    /// Folders that cannot be opened.
    pub unreadable: Vec<String>,
    /// Folders that get another name at the destination because of their use, such as for sent mail.
    pub special: Vec<NewName>,
    /// Folders that get another name because theirs is taken, or cannot be had there.
    pub renamed: Vec<NewName>,
}

/// A folder that is called otherwise at the destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NewName {
    /// The name at the source.
    pub remote: String,
    /// The name at the destination.
    pub local: String,
}

/// Looks at both sides; a login that does not work is a finding, and all there is to find then.
pub async fn assess(remote: &Account, local: &Account, selection: &Selection, known: &Known) -> Assessment {
    let (there, here) = tokio::join!(
        listing::log_in_and_list(remote, ListExtras::Sizes),
        listing::log_in_and_list(local, ListExtras::Sizes)
    );
    let mut found = Assessment {
        remote: status(&there),
        local: status(&here),
        ..Assessment::default()
    };
    let (Ok((there, mut source)), Ok((here, mut destination))) = (there, here) else {
        return found;
    };
    found.message_limit = destination.capabilities().append_limit();
    found.quota = quota(&mut destination).await;
    for pair in folder_mapping::pair(&there, &here, selection, known) {
        note_name(&pair, &there, &here, &mut found);
        found.folders += 1;
        if let Err(failure) = weigh(&pair, &mut source, &mut found).await {
            found.remote = key(&failure);
            return found;
        }
        if let Some(status) = pair.destination
            && let Ok((_, octets)) = sized(&mut destination, &pair.local, status).await
        {
            found.local_bytes += octets;
        }
    }
    tokio::join!(source.logout(), destination.logout());
    found
}

fn status<T>(outcome: &Result<T, Failure>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(failure) => key(failure),
    }
}

fn key(failure: &Failure) -> String {
    failure.key.unwrap_or(ErrorKey::RemoteServerError).to_string()
}

/// Counts the messages of a folder; one that cannot be opened is named.
async fn weigh(pair: &Pair, source: &mut SideSession, found: &mut Assessment) -> Result<(), Failure> {
    let messages = pair.source.messages.unwrap_or(0);
    if messages == 0 {
        return Ok(());
    }
    let limit = found.message_limit.unwrap_or(u64::MAX);
    let (mut bytes, mut largest, mut too_large) = (0u64, 0, 0);
    let outcome: FolderResult<()> = each_size(source, &pair.remote, |size| {
        bytes += size;
        largest = size.max(largest);
        too_large += u64::from(size > limit);
    })
    .await;
    match outcome {
        Ok(()) => {
            found.messages += messages;
            found.bytes += bytes;
            found.largest = found.largest.max(largest);
            found.too_large += too_large;
            Ok(())
        }
        Err(
            FolderError::Imap {
                error: Error::Command { .. },
                ..
            }
            | FolderError::Unusable { .. },
        ) => {
            if found.unreadable.len() < NAMED {
                found.unreadable.push(pair.remote.name().to_owned());
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The room of the mailbox: the tightest of several quotas. A server that does not answer leaves it unknown.
async fn quota(session: &mut SideSession) -> Option<StorageQuota> {
    if !session.capabilities().has(Capability::Quota) {
        return None;
    }
    let mut tightest: Option<StorageQuota> = None;
    let question = Command::new("GETQUOTAROOT").text("INBOX");
    let take = |data| {
        if let Untagged::Quota(quota) = data
            && tightest.is_none_or(|known| quota.free() < known.free())
        {
            tightest = Some(quota);
        }
    };
    session.imap.run(question, take).await.ok()?;
    tightest
}

/// Notes a folder that is called otherwise at the destination, other separators and prefixes aside.
fn note_name(pair: &Pair, there: &Side, here: &Side, found: &mut Assessment) {
    let parts = |side: &Side, name: &str| -> Vec<String> {
        let bare = side.bare(name);
        match side.separator() {
            Some(separator) => bare.split(separator).map(str::to_owned).collect(),
            None => vec![bare.to_owned()],
        }
    };
    if parts(there, pair.remote.name()) == parts(here, pair.local.name()) {
        return;
    }
    let listed = there
        .folders
        .iter()
        .find(|(listed, _)| listed.mailbox == pair.remote);
    let names = match listed.and_then(|(listed, _)| SpecialUse::of(listed)) {
        Some(_) => &mut found.special,
        None => &mut found.renamed,
    };
    if names.len() < NAMED {
        names.push(NewName {
            remote: pair.remote.name().to_owned(),
            local: pair.local.name().to_owned(),
        });
    }
}
