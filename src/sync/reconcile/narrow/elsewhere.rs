// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that a server shows in several folders: labels of Gmail, a folder of all mail, a view.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::imap::{Capability, Command, Error, Mailbox, UidSet, Untagged};
use crate::sync::event::Event;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{FolderSync, open};
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::state::{FolderState, LedgerError, LeftOut};
use crate::task::Labels;

/// What tells a message in the whole account.
type Identity = [u8; 16];

/// Messages by what tells them: their UIDs. By their headers several may be alike.
type Messages = HashMap<Identity, Vec<u32>>;

/// A message, with what tells it.
struct Told {
    uid: u32,
    identity: Identity,
    /// What told it for former versions, which left out its size.
    former: Option<Identity>,
}

/// By what a server's messages are told in the whole account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Gmail's X-GM-MSGID.
    Gmail,
    /// EMAILID (RFC 8474).
    EmailId,
    /// Their header and size: versions of a draft have the same header.
    Header,
}

/// What the folders of a run hold, as far as it was looked at.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// The remote folders in the order in which they give messages.
    order: RefCell<Vec<Mailbox>>,
    /// Their messages' identities, with UIDs.
    seen: RefCell<HashMap<Mailbox, Rc<Messages>>>,
    /// Those that did not give all of that.
    incomplete: RefCell<HashSet<Mailbox>>,
    /// Some of them may have fewer messages than before.
    has_lost: Cell<bool>,
}

impl Elsewhere {
    /// Notes the folders of a run in their order.
    pub fn set_order(&self, pairs: &[Pair]) {
        let order = pairs.iter().map(|pair| pair.remote.clone());
        *self.order.borrow_mut() = order.collect();
        self.seen.borrow_mut().clear();
        self.incomplete.borrow_mut().clear();
    }

    /// Notes whether messages may have left any of the folders: a mirror then looks which of them another folder still has.
    pub fn note_losses(&self, shared: &Shared, pairs: &[Pair]) -> Result<(), LedgerError> {
        let gives_once = shared.job.selection.options.labels == Labels::Once;
        let concerns = shared.job.delete_local && (gives_once || pairs.iter().any(|pair| pair.view));
        let state = shared.state.borrow();
        let mut has_lost = false;
        for pair in pairs.iter().filter(|_| concerns) {
            if let Some(folder) = state.known_folder(&pair.remote)? {
                let new = pair
                    .source
                    .uid_next
                    .map_or(0, |next| next.saturating_sub(folder.remote_next));
                let expected = state.count(folder.id)? + u64::from(new);
                has_lost |= pair.source.messages.is_none_or(|messages| messages < expected);
            }
        }
        self.has_lost.set(has_lost);
        Ok(())
    }

    /// Whether messages may have left one of the folders since the last run, in a mirror.
    pub fn has_lost(&self) -> bool {
        self.has_lost.get()
    }

    /// Whether a folder gives only what the folders before it do not have.
    pub fn applies(&self, shared: &Shared, pair: &Pair, remote: &SideSession) -> bool {
        let once = shared.job.selection.options.labels == Labels::Once && mark(remote) != Mark::Header;
        (pair.view || once) && !self.before(&pair.remote).is_empty()
    }

    fn before(&self, mailbox: &Mailbox) -> Vec<Mailbox> {
        let order = self.order.borrow();
        order.iter().take_while(|one| *one != mailbox).cloned().collect()
    }

    /// Which of the messages of a folder the folders before it have as well, with what tells them.
    pub async fn among(
        &self,
        shared: &Shared,
        pair: &Pair,
        folder: &FolderState,
        uids: &UidSet,
        remote: &mut SideSession,
    ) -> FolderResult<Vec<(u32, Vec<u8>)>> {
        if uids.is_empty() {
            return Ok(vec![]);
        }
        open::open(remote, &pair.remote, folder, false).await?;
        let (own, is_by_header) = identities(remote, uids).await?;
        let mut wanted: HashMap<Identity, usize> = HashMap::new();
        for told in &own {
            *wanted.entry(told.identity).or_default() += 1;
        }
        let mut available: HashMap<Identity, usize> = HashMap::new();
        for mailbox in self.before(&pair.remote) {
            let listed = self.messages(&mailbox, remote).await?;
            for identity in wanted.keys() {
                if let Some(uids) = listed.get(identity) {
                    *available.entry(*identity).or_default() += uids.len();
                }
            }
        }
        if is_by_header {
            let state = shared.state.borrow();
            let left_out = state.left_out(folder.id)?.into_iter();
            let left_out = left_out.filter_map(|one| Identity::try_from(one.identity).ok());
            let delivered = state.copies(folder.id, &state.delivered_uids(folder.id)?)?;
            let delivered = delivered.iter().map(|copy| by_header(&copy.key, copy.size));
            for identity in left_out.chain(delivered) {
                wanted.entry(identity).and_modify(|count| *count += 1);
            }
        }
        // By their headers several may be alike that are not equal: where there are more than elsewhere, all of them come.
        let is_elsewhere = |identity: &Identity| {
            let available = available.get(identity).copied().unwrap_or_default();
            available > 0 && (!is_by_header || wanted.get(identity).is_some_and(|&count| count <= available))
        };
        let found: Vec<(u32, Vec<u8>)> = own
            .into_iter()
            .filter(|told| is_elsewhere(&told.identity))
            .map(|told| (told.uid, told.identity.to_vec()))
            .collect();
        if !found.is_empty() {
            shared.reporter.borrow_mut().tell(&Event::WithOtherFolders {
                folder: &pair.remote,
                messages: found.len() as u64,
            });
        }
        Ok(found)
    }

    /// Which of the messages that were left to other folders none of these has any more.
    pub async fn missing(
        &self,
        pair: &Pair,
        waiting: &[LeftOut],
        remote: &mut SideSession,
    ) -> FolderResult<UidSet> {
        let mut left: Vec<(Option<Identity>, u32)> = waiting
            .iter()
            .map(|one| (Identity::try_from(one.identity.as_slice()).ok(), one.uid))
            .collect();
        if left.is_empty() {
            return Ok(UidSet::default());
        }
        for mailbox in self.before(&pair.remote) {
            let listed = self.messages(&mailbox, remote).await?;
            left.retain(|(identity, _)| identity.is_none_or(|identity| !listed.contains_key(&identity)));
        }
        Ok(left.into_iter().map(|(_, uid)| uid).collect())
    }

    /// Which of the messages that other folders delivered none of these has any more, although this one still has them: their
    /// copies may be about to go. None, where a folder does not tell all that it has.
    pub async fn left_behind(
        &self,
        pair: &Pair,
        delivered: &[LeftOut],
        remote: &mut SideSession,
    ) -> FolderResult<UidSet> {
        let missing = self.missing(pair, delivered, remote).await?;
        let before = self.before(&pair.remote);
        let are_complete = {
            let incomplete = self.incomplete.borrow();
            !before.iter().any(|mailbox| incomplete.contains(mailbox))
        };
        Ok(if are_complete { missing } else { UidSet::default() })
    }

    /// All messages of a folder. Where it cannot be opened, it gives none.
    async fn messages(&self, mailbox: &Mailbox, remote: &mut SideSession) -> FolderResult<Rc<Messages>> {
        if let Some(known) = self.seen.borrow().get(mailbox) {
            return Ok(known.clone());
        }
        let (expected, all) = match remote.imap.open_and_search(mailbox, false, ["ALL"]).await {
            Err(Error::Command { .. }) => (None, UidSet::default()),
            opened => {
                let (selected, all) = remote.fetched(opened)?;
                (Some(u64::from(selected.messages).max(all.len())), all)
            }
        };
        let (read, _) = identities(remote, &all).await?;
        if expected != Some(read.len() as u64) {
            self.incomplete.borrow_mut().insert(mailbox.clone());
        }
        let mut messages = Messages::new();
        for Told {
            uid,
            identity,
            former,
        } in read
        {
            for identity in former.into_iter().chain([identity]) {
                messages.entry(identity).or_default().push(uid);
            }
        }
        let messages = Rc::new(messages);
        self.seen.borrow_mut().insert(mailbox.clone(), messages.clone());
        Ok(messages)
    }

    /// Records which of the messages that were left to other folders were delivered from there.
    pub fn settle(&self, shared: &Shared, sync: &FolderSync) -> FolderResult<()> {
        let id = sync.folder.id;
        let left = shared.state.borrow().left_out(id)?;
        let waiting: Vec<(Identity, u32)> = left
            .into_iter()
            .filter(|message| !message.delivered)
            .filter_map(|message| Some((message.identity.try_into().ok()?, message.uid)))
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut delivered = UidSet::default();
        for mailbox in self.before(&sync.pair.remote) {
            let Some(listed) = self.seen.borrow().get(&mailbox).cloned() else {
                continue;
            };
            let state = shared.state.borrow();
            let Some(folder) = state.known_folder(&mailbox)? else {
                continue;
            };
            let done = state.delivered_uids(folder.id)?;
            for (identity, uid) in &waiting {
                let given = listed.get(identity);
                if given.is_some_and(|uids| uids.iter().any(|&uid| done.contains(uid))) {
                    delivered.insert(*uid);
                }
            }
        }
        Ok(shared.state.borrow_mut().delivered_elsewhere(id, &delivered)?)
    }
}

fn mark(session: &SideSession) -> Mark {
    if session.is_gmail() {
        Mark::Gmail
    } else if session.capabilities().has(Capability::ObjectId) {
        Mark::EmailId
    } else {
        Mark::Header
    }
}

/// What tells the messages of the open folder, and whether that is their headers.
async fn identities(session: &mut SideSession, uids: &UidSet) -> FolderResult<(Vec<Told>, bool)> {
    let mut found = vec![];
    let item = match mark(session) {
        Mark::Gmail => Some("X-GM-MSGID"),
        Mark::EmailId => Some("EMAILID"),
        Mark::Header => None,
    };
    if let Some(item) = item.filter(|_| !uids.is_empty()) {
        let chunks = uids.chunks(usize::MAX);
        let questions = chunks.map(|chunk| Command::new("UID FETCH").text(&format!("{chunk} (UID {item})")));
        session
            .run_all(questions, |data| {
                if let Untagged::Fetch(fetch) = data
                    && let (Some(uid), Some(identity)) = (fetch.uid, &fetch.identity)
                {
                    found.push(Told {
                        uid,
                        identity: shortened(Sha256::new_with_prefix(identity)),
                        former: None,
                    });
                }
            })
            .await?;
    }
    // A server that does not keep its word is asked for headers.
    if !found.is_empty() || uids.is_empty() {
        return Ok((found, false));
    }
    let seen = headers::read(session, uids, Detail::Record).await?;
    let found = seen.iter().map(|one| Told {
        uid: one.uid,
        identity: by_header(&one.key, one.size),
        former: Some(*one.key.as_bytes()),
    });
    Ok((found.collect(), true))
}

fn by_header(key: &MessageKey, size: u64) -> Identity {
    shortened(Sha256::new_with_prefix(key.as_bytes()).chain_update(size.to_be_bytes()))
}

fn shortened(hash: Sha256) -> Identity {
    let mut short = Identity::default();
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}
