// SPDX-License-Identifier: GPL-3.0-or-later
//! Which local message is the other half of a remote one.

use std::collections::{HashMap, HashSet};

use crate::imap::{UidSet, among};
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare::pool::Pool;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::headers::{self, Seen};
use crate::sync::state::{Completeness, Digest, FolderState};

/// Pairs remote messages (by their positions) with local ones. What was recorded by an earlier run may be gone since: each
/// match is looked up before it counts, or a message would be taken for delivered that is nowhere. Where the headers
/// leave a doubt, the octets are read on both sides.
pub(super) async fn match_up(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    pool: &mut Pool,
    messages: &mut [Seen],
    remote: &mut SideSession,
    local: &mut SideSession,
) -> FolderResult<Vec<(usize, u32)>> {
    let candidates = pool.candidates(messages.iter().map(|message| &message.key));
    if candidates.is_empty() {
        return Ok(vec![]);
    }
    let (_, alive) = open::search(local, &pair.local, folder, !shared.job.dry, among(&candidates)).await?;
    let gone = candidates.minus(&alive);
    pool.remove(&gone);
    shared.state.borrow_mut().remove_local_only(folder.id, &gone)?;
    let (in_doubt, likely) = pool.doubtful(messages);
    let (mut local_digests, mut varying) = (HashMap::new(), UidSet::default());
    if !likely.is_empty() {
        if !in_doubt.is_empty() {
            open::open(remote, &pair.remote, folder, false).await?;
        }
        let (wholes, found) = tokio::join!(
            headers::wholes(remote, &in_doubt),
            headers::digests(local, &likely)
        );
        local_digests = found?;
        // What was read is recorded, so that the next version of a draft is told apart from this one.
        let wholes = wholes?;
        for message in messages.iter_mut() {
            if let Some(&(digest, octets)) = wholes.get(&message.uid) {
                message.digest.get_or_insert(digest);
                message.completeness = Completeness::of(octets, Some(message.size));
            }
        }
        varying = made_anew(messages, &wholes, &local_digests, remote).await?;
        for message in messages
            .iter_mut()
            .filter(|message| varying.contains(message.uid))
        {
            message.digest = None;
        }
    }
    let claims = messages.iter().enumerate();
    Ok(claims
        .filter_map(|(at, message)| {
            let local = match varying.contains(message.uid) {
                true => pool.claim_alike(message),
                false => pool.claim(message, &local_digests),
            };
            Some((at, local?))
        })
        .collect())
}

/// Messages that a server makes anew at each request: that their octets are not those of a copy tells nothing.
async fn made_anew(
    messages: &[Seen],
    wholes: &HashMap<u32, (Digest, u64)>,
    local: &HashMap<u32, Digest>,
    remote: &mut SideSession,
) -> FolderResult<UidSet> {
    let local: HashSet<&Digest> = local.values().collect();
    let others = messages.iter().filter(|message| message.has_trace);
    let others: HashMap<u32, Digest> = others
        .filter_map(|message| Some((message.uid, wholes.get(&message.uid)?.0)))
        .filter(|(_, digest)| !local.contains(digest))
        .collect();
    if others.is_empty() {
        return Ok(UidSet::default());
    }
    let again = headers::digests(remote, &others.keys().copied().collect()).await?;
    let varies = |(uid, digest): &(u32, Digest)| again.get(uid).is_some_and(|again| again != digest);
    Ok(others.into_iter().filter(varies).map(|(uid, _)| uid).collect())
}
