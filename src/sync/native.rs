// SPDX-License-Identifier: GPL-3.0-or-later
//! The native engine. First everything is listed, then folders are made and compared, then messages flow, then flags,
//! Sieve, `\Seen` and deletions follow from what is recorded as delivered.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use jiff::Timestamp;

use super::account::{Failure, Side};
use super::compare::{self, Comparison};
use super::copy::{self, Item, Lines, Place};
use super::exit::Exit;
use super::folders::{self, Pair};
use super::job::Shared;
use super::{after, deletions, flags};
use crate::imap::{Command, Error, Mailbox, MailboxStatus, Session, Untagged};

/// Trouble with one folder, or with everything.
pub enum Trouble {
    /// A command or a connection.
    Imap {
        /// Where.
        side: Side,
        /// How it counts when only this folder is concerned.
        kind: Exit,
        /// What.
        error: Error,
    },
    /// Something that ends the run.
    Failure(Failure),
}

/// Result of work on one folder.
pub type Troubled<T> = Result<T, Trouble>;

impl Trouble {
    /// A folder that cannot be opened.
    pub fn select(side: Side, error: Error) -> Self {
        Self::Imap {
            side,
            kind: Exit::SelectErrors,
            error,
        }
    }

    /// Something that cannot be read.
    pub fn fetch(side: Side, error: Error) -> Self {
        Self::Imap {
            side,
            kind: Exit::FetchErrors,
            error,
        }
    }

    /// Something that cannot be changed.
    pub fn change(side: Side, error: Error) -> Self {
        Self::Imap {
            side,
            kind: Exit::WithErrors,
            error,
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A refusal concerns one folder and is noted; everything else ends the run.
pub fn contain<T>(shared: &Shared, folder: &str, outcome: Troubled<T>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Trouble::Imap {
            kind,
            error: error @ Error::Command { .. },
            side,
        }) => {
            let reason = format!("{}: {error}", side.host());
            shared.recorder.borrow_mut().problem(folder, kind, &reason);
            Ok(None)
        }
        Err(Trouble::Imap { side, error, .. }) => Err(Failure::from_imap(side, &error)),
        Err(Trouble::Failure(failure)) => Err(failure),
    }
}

/// Moves what is to be moved.
pub async fn sync(shared: &Shared) -> Result<(), Failure> {
    let mut lines = connect(shared).await?;
    settle_after_crash(shared, &mut lines.local).await?;
    let Listing {
        pairs,
        mut subscribe,
        remote_empty,
        local: local_listing,
        local_names,
    } = list(shared, &mut lines).await?;
    guard_replaced_mailbox(shared, &pairs)?;
    let names = pairs
        .iter()
        .map(|pair| (pair.remote.name().to_owned(), pair.local.name().to_owned()));
    shared.recorder.borrow_mut().set_folders(names);
    let mut places = vec![];
    let mut items = VecDeque::new();
    let mut total = 0;
    for (index, pair) in pairs.iter().enumerate() {
        shared.recorder.borrow_mut().enter(index);
        let started = shared.recorder.borrow().elapsed();
        let outcome = prepare(shared, index, pair.clone(), &mut lines, &mut subscribe).await;
        if let Some(Some((place, comparison))) = contain(shared, pair.remote.name(), outcome)? {
            total += comparison.count;
            let messages = place.pair.source.messages.unwrap_or(0);
            let present = if shared.job.inbox_only() {
                comparison.present
            } else {
                messages.saturating_sub(comparison.count)
            };
            shared.recorder.borrow_mut().skipped(index, present);
            let place = Rc::new(place);
            for uids in comparison.wanted {
                items.push_back(Item {
                    place: place.clone(),
                    uids,
                    single: false,
                });
            }
            places.push(place);
        }
        let mut recorder = shared.recorder.borrow_mut();
        let spent = (recorder.elapsed() - started).as_secs_f64();
        if let Some(folder) = recorder.folder(index) {
            folder.seconds += spent;
        }
    }
    shared.recorder.borrow_mut().progress.messages_total = total;
    if !items.is_empty() {
        lines = match copy::copy(shared, lines, items, total).await? {
            Some(lines) => lines,
            None => return Ok(()),
        };
    }
    for place in &places {
        let outcome = finish(shared, place, &mut lines, remote_empty).await;
        contain(shared, place.pair.remote.name(), outcome)?;
    }
    if shared.job.delete_local && !remote_empty {
        deletions::folders(shared, &pairs, &local_listing, &local_names, &mut lines.local).await?;
    }
    shared.state.borrow().set_meta("running", "0")?;
    let Lines { remote, local } = lines;
    tokio::join!(remote.logout(), local.logout());
    Ok(())
}

/// Logs in on both sides at once.
pub async fn connect(shared: &Shared) -> Result<Lines, Failure> {
    let job = &shared.job;
    let (remote, local) = tokio::join!(job.remote.login(), job.local.login());
    let remote = remote.map_err(|error| Failure::from_imap(Side::Remote, &error));
    let local = local.map_err(|error| Failure::from_imap(Side::Local, &error));
    match (remote, local) {
        (Ok(remote), Ok(local)) => Ok(Lines { remote, local }),
        (Err(failure), Err(other)) => {
            shared.recorder.borrow_mut().line(&other.message);
            Err(failure)
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

/// What both sides have.
pub struct Listing {
    /// The selected folders.
    pub pairs: Vec<Pair>,
    /// Remote folders that are subscribed.
    pub subscribe: HashSet<Mailbox>,
    /// The remote side listed nothing.
    pub remote_empty: bool,
    /// The local side as listed.
    pub local: folders::Side,
    /// Local names of all remote folders, left out or not.
    pub local_names: HashSet<String>,
}

/// Lists both sides at once.
pub async fn list(shared: &Shared, lines: &mut Lines) -> Result<Listing, Failure> {
    let (remote, local) = tokio::join!(side(&mut lines.remote, true), side(&mut lines.local, false));
    let (remote, subscribe) = remote.map_err(|error| Failure::from_imap(Side::Remote, &error))?;
    let (local, _) = local.map_err(|error| Failure::from_imap(Side::Local, &error))?;
    let pairs = folders::pair(&remote, &local, &shared.job.selection);
    {
        let mut recorder = shared.recorder.borrow_mut();
        recorder.line(&format!("Host1: found {} folders.", remote.folders.len()));
        recorder.line(&format!("Host2: found {} folders.", local.folders.len()));
    }
    let local_names = folders::local_names(&remote, &local, &shared.job.selection);
    Ok(Listing {
        pairs,
        local_names,
        subscribe: subscribe.into_iter().collect(),
        remote_empty: remote.folders.is_empty(),
        local,
    })
}

/// Lists one side.
pub async fn side(
    session: &mut Session,
    subscriptions: bool,
) -> crate::imap::Result<(folders::Side, Vec<Mailbox>)> {
    let namespace = session.namespace().await?;
    let folders = session.list_status().await?;
    let subscribed = if subscriptions {
        session.subscribed().await?
    } else {
        vec![]
    };
    Ok((folders::Side { namespace, folders }, subscribed))
}

/// An inbox of another UIDVALIDITY is another mailbox: what is remembered of the former one is void.
pub fn guard_replaced_mailbox(shared: &Shared, pairs: &[Pair]) -> Result<(), Failure> {
    let Some(inbox) = pairs.iter().find(|pair| pair.local.is_inbox()) else {
        return Ok(());
    };
    let Some(validity) = inbox.destination.and_then(|status| status.uid_validity) else {
        return Ok(());
    };
    let state = shared.state.borrow();
    if let Some(known) = state.known_folder(&inbox.remote)?
        && known.local_validity != 0
        && known.local_validity != validity
    {
        shared
            .recorder
            .borrow_mut()
            .line("Host2: the mailbox was replaced; both sides are compared anew");
        state.forget_all()?;
    }
    Ok(())
}

/// A run that was killed may have left commands that the server is still working on. It gets the time it needs, so that
/// the comparison sees their outcome.
pub(super) async fn settle_after_crash(shared: &Shared, local: &mut Session) -> Result<(), Failure> {
    let unfinished = {
        let state = shared.state.borrow();
        let cut_off = state.meta("running")?.as_deref() == Some("1");
        state.set_meta("running", "1")?;
        cut_off && state.is_anything_planned()?
    };
    if !unfinished {
        return Ok(());
    }
    let mut before = None;
    loop {
        let listed = local.list_status().await;
        let listed = listed.map_err(|error| Failure::from_imap(Side::Local, &error))?;
        let now: Vec<_> = listed
            .into_iter()
            .map(|(listed, status)| (listed.mailbox, status))
            .collect();
        if before.as_ref() == Some(&now) {
            return Ok(());
        }
        before = Some(now);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// Makes the local folder if need be and compares; `None` when there is nothing to do.
pub async fn prepare(
    shared: &Shared,
    index: usize,
    mut pair: Pair,
    lines: &mut Lines,
    subscribe: &mut HashSet<Mailbox>,
) -> Troubled<Option<(Place, Comparison)>> {
    let mut replaced = false;
    let known = shared.state.borrow().known_folder(&pair.remote)?;
    let known = known.filter(|folder| folder.local == pair.local || folder.local == pair.fallback);
    match (&known, pair.destination) {
        (Some(folder), Some(status)) => {
            let same_local = status.uid_validity == Some(folder.local_validity);
            let same_remote = pair.source.uid_validity == Some(folder.remote_validity);
            if !same_local || !same_remote {
                if folder.remote_validity != 0 {
                    replaced = true;
                    let side = if same_remote { "Host2" } else { "Host1" };
                    let name = pair.remote.name();
                    shared
                        .recorder
                        .borrow_mut()
                        .line(&format!("{side}: folder [{name}] was replaced; compared anew"));
                }
                shared.state.borrow().forget_messages(folder.id)?;
            } else if is_settled(shared, &pair, folder) {
                shared
                    .recorder
                    .borrow_mut()
                    .skipped(index, pair.source.messages.unwrap_or(0));
                return Ok(None);
            }
        }
        (Some(folder), None) if folder.local_validity != 0 => {
            // Its owner removed it. It comes back only for mail that is new.
            let same_remote = pair.source.uid_validity == Some(folder.remote_validity);
            if same_remote
                && pair
                    .source
                    .uid_next
                    .is_some_and(|next| next <= folder.remote_next)
            {
                return Ok(None);
            }
            if same_remote {
                shared.state.borrow().forget_local(folder.id)?;
            } else {
                shared.state.borrow().forget_messages(folder.id)?;
            }
        }
        _ => {}
    }
    if pair.destination.is_none() && !shared.job.dry {
        create(shared, &mut pair, lines, subscribe).await?;
    }
    let mut folder = shared.state.borrow().folder(&pair.remote, &pair.local)?;
    folder.remote_validity = pair.source.uid_validity.unwrap_or(0);
    folder.local_validity = pair
        .destination
        .and_then(|status| status.uid_validity)
        .unwrap_or(0);
    folder.settled.clear();
    shared.state.borrow().save_folder(&folder)?;
    let comparison = compare::compare(shared, &pair, &folder, &mut lines.remote, &mut lines.local).await?;
    Ok(Some((
        Place {
            index,
            pair,
            folder,
            replaced,
            broken: Cell::new(false),
            missing: RefCell::default(),
        },
        comparison,
    )))
}

/// Whether nothing has changed since the last run found everything done.
fn is_settled(shared: &Shared, pair: &Pair, folder: &super::state::FolderState) -> bool {
    !folder.settled.is_empty() && folder.settled == settled_word(shared, pair, pair.source, pair.destination)
}

/// All that decides whether a folder has to be looked at again.
fn settled_word(
    shared: &Shared,
    pair: &Pair,
    source: MailboxStatus,
    destination: Option<MailboxStatus>,
) -> String {
    // Without modification sequences a change of flags shows nowhere in the status.
    if source.highest_modseq.is_none() && !shared.job.inbox_only() {
        return String::new();
    }
    let (Some(next), Some(messages)) = (source.uid_next, source.messages) else {
        return String::new();
    };
    let modseq = source.highest_modseq.unwrap_or(0);
    if shared.job.inbox_only() && modseq == 0 && messages > 0 {
        return String::new();
    }
    // What is added locally matters only where it would be deleted.
    let local = if shared.job.delete_local && !pair.joined {
        destination.map_or(String::new(), |d| format!("{:?} {:?}", d.messages, d.uid_next))
    } else {
        String::new()
    };
    shared
        .job
        .settled_word(&format!("{next} {messages} {modseq} {local}"))
}

async fn create(
    shared: &Shared,
    pair: &mut Pair,
    lines: &mut Lines,
    subscribe: &mut HashSet<Mailbox>,
) -> Troubled<()> {
    let created = create_one(&mut lines.local, &pair.local).await;
    if matches!(created, Err(Error::Command { .. })) && pair.fallback != pair.local {
        create_one(&mut lines.local, &pair.fallback)
            .await
            .map_err(create_trouble)?;
        pair.local = pair.fallback.clone();
    } else {
        created.map_err(create_trouble)?;
    }
    shared
        .recorder
        .borrow_mut()
        .line(&format!("Host2: created folder [{}]", pair.local));
    if subscribe.remove(&pair.remote) {
        let outcome = lines
            .local
            .call(Command::new("SUBSCRIBE").mailbox(&pair.local), |_| {})
            .await;
        outcome.map_err(|error| Trouble::change(Side::Local, error))?;
    }
    let status = status(&mut lines.local, &pair.local)
        .await
        .map_err(|error| Trouble::select(Side::Local, error))?;
    pair.destination = Some(status);
    Ok(())
}

fn create_trouble(error: Error) -> Trouble {
    Trouble::Imap {
        side: Side::Local,
        kind: Exit::CreateErrors,
        error,
    }
}

async fn create_one(session: &mut Session, mailbox: &Mailbox) -> crate::imap::Result<()> {
    let answer = session
        .call(Command::new("CREATE").mailbox(mailbox), |_| {})
        .await?;
    if answer.is_ok() || answer.has_code("ALREADYEXISTS") {
        Ok(())
    } else {
        Err(Error::Command {
            command: "CREATE",
            answer,
        })
    }
}

/// The status of one mailbox.
pub async fn status(session: &mut Session, mailbox: &Mailbox) -> crate::imap::Result<MailboxStatus> {
    let mut found = MailboxStatus::default();
    let command = Command::new("STATUS")
        .mailbox(mailbox)
        .text("(MESSAGES UIDNEXT UIDVALIDITY)");
    session
        .run(command, |data| {
            if let Untagged::MailboxStatus(_, status) = data {
                found = status;
            }
        })
        .await?;
    Ok(found)
}

/// What follows the copying of a folder.
async fn finish(shared: &Shared, place: &Place, lines: &mut Lines, remote_empty: bool) -> Troubled<()> {
    let started = shared.recorder.borrow().elapsed();
    if !place.broken.get() {
        let known = place.folder.clone();
        if shared.job.inbox_only() {
            after::inbox(shared, place, lines).await?;
        } else {
            flags::carry_over(shared, place, &mut lines.remote, &mut lines.local).await?;
        }
        deletions::reconcile(shared, place, lines, remote_empty).await?;
        deletions::remote(shared, place, &mut lines.remote).await?;
        record(shared, place, known)?;
    }
    let mut recorder = shared.recorder.borrow_mut();
    let spent = (recorder.elapsed() - started).as_secs_f64();
    let Some(folder) = recorder.folder(place.index) else {
        return Ok(());
    };
    folder.seconds += spent;
    let line = format!(
        "Folder [{}] -> [{}]: {} copied, {} already there, {} failed, {} flags, {} deleted locally, {} deleted remotely",
        folder.remote,
        folder.local,
        folder.copied,
        folder.skipped,
        folder.failed,
        folder.flags,
        folder.deleted_local,
        folder.deleted_remote,
    );
    recorder.line(&line);
    Ok(())
}

/// Records how far the folder is known now.
fn record(shared: &Shared, place: &Place, mut folder: super::state::FolderState) -> Troubled<()> {
    let state = shared.state.borrow();
    if !shared.job.inbox_only()
        && let Some(next) = place.pair.source.uid_next
    {
        folder.remote_next = next.max(folder.remote_next);
        folder.remote_modseq = place.pair.source.highest_modseq.unwrap_or(0);
    }
    folder.remote_messages = place.pair.source.messages.unwrap_or(0);
    // Local UIDs below what the start showed are all accounted for by now.
    if let Some(next) = place.pair.destination.and_then(|status| status.uid_next) {
        folder.local_next = next.max(folder.local_next);
    }
    state.forget_buried(folder.id, folder.local_next)?;
    let unfinished = !state.pending_uids(folder.id)?.is_empty();
    let (deletes, left) = (shared.job.delete_remote.deletes(), state.count(folder.id)? > 0);
    folder.settled = if unfinished || (deletes && left) {
        String::new()
    } else {
        settled_word(shared, &place.pair, place.pair.source, place.pair.destination)
    };
    state.save_folder(&folder)?;
    Ok(())
}

/// The moment before which mail counts as older than so many days.
pub fn days_ago(days: u32) -> i64 {
    Timestamp::now().as_second() - i64::from(days) * 86_400
}

/// Local UIDs by key, the smallest last.
pub fn by_key(
    messages: impl DoubleEndedIterator<Item = compare::Seen>,
) -> HashMap<super::key::Key, Vec<u32>> {
    let mut found: HashMap<_, Vec<u32>> = HashMap::new();
    for message in messages.rev() {
        found.entry(message.key).or_default().push(message.uid);
    }
    found
}
