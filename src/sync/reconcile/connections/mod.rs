// SPDX-License-Identifier: GPL-3.0-or-later
//! The two connections that a run works on, made anew when one breaks.

pub mod backoff;
pub mod settle;

use crate::imap::{Error, Session};
use crate::sync::account::{Failure, Side};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::reconcile::error::{FolderError, FolderResult};

/// The connections of a run.
pub struct Connections {
    /// To the remote server.
    pub remote: Session,
    /// To the local server.
    pub local: Session,
}

/// Logs in on both sides at once.
pub async fn connect(shared: &Shared) -> Result<Connections, Failure> {
    let (remote, local) = tokio::join!(
        log_in_with_retry(shared, Side::Remote),
        log_in_with_retry(shared, Side::Local)
    );
    let remote = remote.map_err(|error| Failure::from_imap(Side::Remote, &error));
    let local = local.map_err(|error| Failure::from_imap(Side::Local, &error));
    match (remote, local) {
        (Ok(remote), Ok(local)) => Ok(Connections { remote, local }),
        (Err(failure), Err(other)) => {
            shared.reporter.borrow_mut().line(&other.message);
            Err(failure)
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

/// Logs in on one side. A server that turns the client away for now (too many connections, throttled) is asked again.
async fn log_in_with_retry(shared: &Shared, side: Side) -> crate::imap::Result<Session> {
    let mut backoff = Backoff::brief();
    loop {
        match account(shared, side).login().await {
            Err(error @ Error::Unavailable(_)) => {
                let line = format!("{}: {error}; trying again", side.host());
                shared.reporter.borrow_mut().line(&line);
                if !backoff.pause_after(&error).await {
                    return Err(error);
                }
            }
            outcome => return outcome,
        }
    }
}

fn account(shared: &Shared, side: Side) -> &crate::sync::account::Account {
    match side {
        Side::Remote => &shared.job.remote,
        Side::Local => &shared.job.local,
    }
}

/// Does a piece of work that may be done twice; when a connection breaks it is made anew and the work is begun again.
pub async fn with_reconnect<T>(
    shared: &Shared,
    connections: &mut Connections,
    mut work: impl AsyncFnMut(&mut Connections) -> FolderResult<T>,
) -> FolderResult<T> {
    let mut backoff = Backoff::default();
    loop {
        let (side, kind, error) = match work(connections).await {
            Err(FolderError::Imap { side, kind, error }) if error.is_transient() => (side, kind, error),
            outcome => return outcome,
        };
        if shared.poison.take_progress() {
            backoff = Backoff::default();
        }
        let line = format!("{}: {error}; reconnecting", side.host());
        shared.reporter.borrow_mut().line(&line);
        let fresh = loop {
            if !backoff.pause_after(&error).await {
                return Err(FolderError::Imap { side, kind, error });
            }
            match account(shared, side).login().await {
                Ok(session) => break session,
                Err(again) if again.is_transient() => {}
                Err(again) => return Err(Failure::from_imap(side, &again).into()),
            }
        };
        match side {
            Side::Remote => connections.remote = fresh,
            Side::Local => connections.local = fresh,
        }
    }
}

/// Says goodbye on both sides.
pub async fn close(connections: Connections) {
    let Connections { remote, local } = connections;
    tokio::join!(remote.logout(), local.logout());
}
