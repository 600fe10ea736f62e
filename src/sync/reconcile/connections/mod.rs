// SPDX-License-Identifier: GPL-3.0-or-later
//! The two connections that a run works on, made again when one breaks. [`requests`]: many folders asked together.
//! [`look`]: one connection outside a run.

pub mod backoff;
pub mod look;
pub mod requests;
pub mod session;
pub mod settle;

use crate::imap::Error;
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::different_mailboxes;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::side::Side;

/// The connections of a run.
pub struct Connections {
    /// To the remote server.
    pub remote: SideSession,
    /// To the local server.
    pub local: SideSession,
}

impl Connections {
    /// The connection to a side.
    pub fn on(&mut self, side: Side) -> &mut SideSession {
        match side {
            Side::Remote => &mut self.remote,
            Side::Local => &mut self.local,
        }
    }
}

/// Logs in on both sides at once.
pub async fn connect(shared: &Shared) -> Result<Connections, Failure> {
    let (remote, local) = tokio::join!(
        log_in_with_retry(shared, Side::Remote),
        log_in_with_retry(shared, Side::Local)
    );
    match (remote, local) {
        (Ok(remote), Ok(local)) => {
            // While this task yields, the run saves certificates seen for the first time, so that they are on disk
            // before anything is sent.
            tokio::task::yield_now().await;
            Ok(Connections { remote, local })
        }
        (Err(failure), Err(other)) => {
            let message = &other.message;
            shared.reporter.borrow_mut().tell(&Event::LoginFailed { message });
            Err(failure)
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

/// Logs in on one side. A server that turns the client away for now (too many connections, throttled) is asked again.
async fn log_in_with_retry(shared: &Shared, side: Side) -> Result<SideSession, Failure> {
    let mut backoff = Backoff::brief();
    loop {
        match SideSession::log_in(account(shared, side)).await {
            Ok(session) => return Ok(session),
            Err(error @ Error::Unavailable(_)) => {
                let event = Event::LoginRetried { side, reason: &error };
                shared.reporter.borrow_mut().tell(&event);
                if side == Side::Remote {
                    shared.reporter.borrow_mut().turned_away();
                }
                if !backoff.pause_after(&error).await {
                    return Err(Failure::from_imap(side, &error));
                }
            }
            Err(error) => return Err(Failure::from_imap(side, &error)),
        }
    }
}

fn account(shared: &Shared, side: Side) -> &crate::sync::account::Account {
    match side {
        Side::Remote => &shared.job.remote,
        Side::Local => &shared.job.local,
    }
}

/// Does a piece of work that may be done twice; when a connection breaks it is made again and the work is begun again.
pub async fn with_reconnect<T>(
    shared: &Shared,
    connections: &mut Connections,
    mut work: impl AsyncFnMut(&mut Connections) -> FolderResult<T>,
) -> FolderResult<T> {
    let mut backoff = Backoff::default();
    loop {
        let broken = match work(connections).await {
            Err(FolderError::Imap { side, kind, error }) if error.is_transient() => {
                Broken { side, kind, error }
            }
            outcome => return outcome,
        };
        if leads_further(shared, broken.side) {
            backoff = Backoff::default();
        }
        reconnect(shared, connections, broken, &mut backoff).await?;
    }
}

/// So often work on one folder may break a connection, and so often it may take all the time or data that a server gets.
const MAX_FOLDER_LOSSES: u32 = 3;
const MAX_IN_VAIN: u32 = 1;

/// With more folders in succession at which connections break, it is not the folders.
const MAX_IN_A_ROW: u32 = 2;

/// Like [`with_reconnect`], for work on one folder: when the server is there but connections break at this work, it is the
/// folder that is left out, and not the rest of the run.
pub async fn at_folder<T>(
    shared: &Shared,
    connections: &mut Connections,
    pair: &Pair,
    mut work: impl AsyncFnMut(&mut Connections) -> FolderResult<T>,
) -> FolderResult<T> {
    for (side, mailbox) in [(Side::Remote, &pair.remote), (Side::Local, &pair.local)] {
        if account(shared, side).workarounds.is_hopeless(mailbox) {
            return Err(FolderError::unusable(side, Exit::SelectErrors, CLOSES.to_owned()));
        }
    }
    let mut backoff = Backoff::default();
    let (mut losses, mut in_vain) = (0, 0);
    loop {
        let broken = match work(connections).await {
            Err(FolderError::Imap { side, kind, error }) if error.is_transient() => {
                Broken { side, kind, error }
            }
            outcome => {
                shared.broken_in_a_row.set(0);
                return outcome;
            }
        };
        if leads_further(shared, broken.side) {
            backoff = Backoff::default();
            (losses, in_vain) = (0, 0);
        }
        match &broken.error {
            Error::Fallback(_) | Error::Unavailable(_) => {}
            Error::Timeout(_) | Error::Limit(_) => in_vain += 1,
            _ => losses += 1,
        }
        let (side, kind) = (broken.side, broken.kind);
        if (losses > MAX_FOLDER_LOSSES || in_vain > MAX_IN_VAIN)
            && shared.broken_in_a_row.replace(shared.broken_in_a_row.get() + 1) >= MAX_IN_A_ROW
        {
            let error = broken.error;
            return Err(FolderError::Failure(Failure::from_imap(side, &error)));
        }
        let given_up =
            (losses > MAX_FOLDER_LOSSES || in_vain > MAX_IN_VAIN).then(|| broken.error.to_string());
        if given_up.is_some() {
            backoff = Backoff::default();
        }
        // Only a server that is there can be said to break off at this folder.
        reconnect(shared, connections, broken, &mut backoff).await?;
        if let Some(reason) = given_up {
            return Err(FolderError::unusable(side, kind, reason));
        }
    }
}

/// What is said of a folder at which connections break.
pub const CLOSES: &str = "the server closes the connection whenever this folder is opened";

/// A connection that broke at some work.
struct Broken {
    side: Side,
    kind: Exit,
    error: Error,
}

/// Whether the break told something that the next attempt makes use of.
fn leads_further(shared: &Shared, side: Side) -> bool {
    shared.poison.take_progress() | account(shared, side).workarounds.take_news()
}

/// Makes a connection again that broke.
async fn reconnect(
    shared: &Shared,
    connections: &mut Connections,
    broken: Broken,
    backoff: &mut Backoff,
) -> FolderResult<()> {
    let Broken { side, kind, error } = broken;
    let event = Event::Reconnecting { side, reason: &error };
    shared.reporter.borrow_mut().tell(&event);
    if side == Side::Remote && matches!(error, Error::Unavailable(_)) {
        shared.reporter.borrow_mut().turned_away();
    }
    let fresh = loop {
        if !backoff.pause_after(&error).await {
            return Err(FolderError::Imap { side, kind, error });
        }
        match SideSession::log_in(account(shared, side)).await {
            Ok(session) => break session,
            Err(again) if again.is_transient() => {}
            Err(again) => return Err(Failure::from_imap(side, &again).into()),
        }
    };
    match side {
        Side::Remote => connections.remote = fresh,
        Side::Local => connections.local = fresh,
    }
    different_mailboxes::forget(shared);
    Ok(())
}

/// Says goodbye on both sides.
pub async fn close(connections: Connections) {
    let Connections { remote, local } = connections;
    tokio::join!(remote.logout(), local.logout());
}
