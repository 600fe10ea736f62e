// SPDX-License-Identifier: GPL-3.0-or-later
//! The figures of both sides: one LIST-STATUS each.

use serde::{Deserialize, Serialize};

use crate::imap::{Command, ListExtras, MailboxStatus, Untagged};
use crate::sync::account::{Account, Failure};
use crate::sync::folder_mapping::{self, Known, Selection, SpecialUse};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::listing;

/// Folders, messages and octets of both sides; host2 counts what corresponds to the chosen folders of host1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Always true: it could be counted.
    #[schemars(extend("const" = true))]
    pub status: bool,
    /// Chosen folders of the remote side.
    pub host1_folders: u64,
    /// Their counterparts that exist.
    pub host2_folders: u64,
    /// Messages.
    pub host1_messages: u64,
    /// Messages.
    pub host2_messages: u64,
    /// Octets.
    pub host1_sizes: u64,
    /// Octets.
    pub host2_sizes: u64,
}

/// One remote folder, for the form that chooses folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FolderFigures {
    /// The name as people read it.
    pub name: String,
    /// Messages.
    pub messages: u64,
    /// Octets.
    pub bytes: u64,
    /// Special use, such as `\Sent`.
    pub special_use: Option<String>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// Whether the task leaves it out.
    pub excluded: bool,
}

/// All remote folders with their totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FolderList {
    /// The folders.
    pub folders: Vec<FolderFigures>,
    /// Messages in those that are not left out.
    pub messages: u64,
    /// Their octets.
    pub bytes: u64,
}

/// Counts both sides. `known` tells where folders went so far.
pub async fn count(
    remote: &Account,
    local: &Account,
    selection: &Selection,
    known: &Known,
) -> Result<Figures, Failure> {
    let (remote, local) = tokio::join!(
        listing::log_in_and_list(remote, ListExtras::Sizes),
        listing::log_in_and_list(local, ListExtras::Sizes)
    );
    let ((remote, mut remote_session), (local, mut local_session)) = (remote?, local?);
    let mut figures = Figures {
        status: true,
        ..Figures::default()
    };
    for pair in folder_mapping::pair(&remote, &local, selection, known) {
        let (messages, octets) = sized(&mut remote_session, &pair.remote, pair.source).await?;
        figures.host1_folders += 1;
        figures.host1_messages += messages;
        figures.host1_sizes += octets;
        if let Some(status) = pair.destination {
            let (messages, octets) = sized(&mut local_session, &pair.local, status).await?;
            figures.host2_folders += 1;
            figures.host2_messages += messages;
            figures.host2_sizes += octets;
        }
    }
    tokio::join!(remote_session.logout(), local_session.logout());
    Ok(figures)
}

/// Lists the remote folders.
pub async fn list_folders(remote: &Account, selection: &Selection) -> Result<FolderList, Failure> {
    let (side, mut session) = listing::log_in_and_list(remote, ListExtras::Sizes).await?;
    let mut list = FolderList::default();
    let chooser = selection.on(&side);
    for (listed, status) in &side.folders {
        let selectable = !listed.has("\\Noselect");
        let mut figures = (0, 0);
        if selectable {
            figures = sized(&mut session, &listed.mailbox, status.unwrap_or_default()).await?;
        }
        let excluded = chooser.reason(listed).is_some();
        if !excluded {
            list.messages += figures.0;
            list.bytes += figures.1;
        }
        list.folders.push(FolderFigures {
            name: listed.mailbox.name().to_owned(),
            messages: figures.0,
            bytes: figures.1,
            special_use: SpecialUse::of(listed).map(|special| special.attribute().to_owned()),
            selectable,
            excluded,
        });
    }
    session.logout().await;
    Ok(list)
}

/// Messages and octets; where STATUS does not tell sizes, those of all messages are summed up.
pub(super) async fn sized(
    session: &mut SideSession,
    mailbox: &crate::imap::Mailbox,
    status: MailboxStatus,
) -> FolderResult<(u64, u64)> {
    let messages = status.messages.unwrap_or(0);
    if let Some(size) = status.size {
        return Ok((messages, size));
    }
    if messages == 0 {
        return Ok((messages, 0));
    }
    let mut octets = 0;
    each_size(session, mailbox, |size| octets += size).await?;
    Ok((messages, octets))
}

/// Asks for the sizes of all messages of a folder that is not empty.
pub(super) async fn each_size(
    session: &mut SideSession,
    mailbox: &crate::imap::Mailbox,
    mut take: impl FnMut(u64),
) -> FolderResult<()> {
    session.open(mailbox, false).await?;
    let sizes = Command::new("FETCH").text("1:* (RFC822.SIZE)");
    let take = |data| {
        if let Untagged::Fetch(fetch) = data {
            take(fetch.size.unwrap_or(0));
        }
    };
    session.run(sizes, take).await?;
    Ok(())
}
