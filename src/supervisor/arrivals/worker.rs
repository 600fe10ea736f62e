// SPDX-License-Identifier: GPL-3.0-or-later
//! Listens to the source of one task: a connection, and the next one when it ends.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::backoff::Backoff;
use super::logins::Logins;
use super::record::Listening;
use crate::sync::account::Failure;
use crate::sync::news::{NewsConnection, NoNews};
use crate::task::{Store, TaskName};

/// What a worker tells.
#[derive(Debug)]
pub(in crate::supervisor) struct Told {
    pub(super) task: TaskName,
    /// Which of the workers of the task it is.
    pub(super) number: u64,
    pub(super) what: What,
}

/// What there is to tell.
#[derive(Debug)]
pub(super) enum What {
    /// How it stands, and why.
    State(Listening, Option<String>),
    /// Where the folders stand.
    Position(u64),
}

/// What all workers have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) store: Store,
    pub(super) told: UnboundedSender<Told>,
    /// Whose turn it is to log in.
    pub(super) logins: Rc<Logins>,
}

/// A worker, until it is told to stop.
#[derive(Debug)]
pub(super) struct Worker {
    stop: Option<oneshot::Sender<()>>,
    /// Ends a pause.
    wake: Rc<Notify>,
    handle: JoinHandle<()>,
}

impl Worker {
    /// Starts to listen.
    pub(super) fn start(common: &Common, task: TaskName, number: u64) -> Self {
        let (stop, stopped) = oneshot::channel();
        let wake = Rc::<Notify>::default();
        let listener = Listener {
            common: common.clone(),
            task,
            number,
            wake: wake.clone(),
        };
        Self {
            stop: Some(stop),
            wake,
            handle: tokio::task::spawn_local(listener.work(stopped)),
        }
    }

    /// Has it try again now, if it pauses since no connection could be made: the server serves again. What a server does with
    /// the connections that it takes is no reason to hurry.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Has it end its connection, soon.
    pub(super) fn stop(&mut self) {
        // One that has ended by itself has no connection.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Whether it may still have a connection.
    pub(super) fn is_alive(&self) -> bool {
        !self.handle.is_finished()
    }
}

struct Listener {
    common: Common,
    task: TaskName,
    number: u64,
    wake: Rc<Notify>,
}

impl Listener {
    async fn work(self, mut stopped: oneshot::Receiver<()>) {
        let mut backoff = Backoff::default();
        loop {
            let connection = tokio::select! {
                biased;
                _ = &mut stopped => return,
                connection = self.open() => connection,
            };
            // What it took to come so far, such as a server that does not answer, makes no good connection.
            let opened = connection.is_ok().then(Instant::now);
            let end = match connection {
                Err(end) => end,
                Ok(mut connection) => {
                    self.tell(What::State(Listening::Watching, None));
                    self.tell(What::Position(connection.position().digest()));
                    tokio::select! {
                        biased;
                        _ = &mut stopped => {
                            connection.leave().await;
                            return;
                        }
                        end = connection.listen(|position| self.tell(What::Position(position.digest()))) => end,
                    }
                }
            };
            let lasted = opened.map_or(Duration::ZERO, |opened| opened.elapsed());
            let Some(pause) = self.heed(end, lasted, &mut backoff) else {
                return;
            };
            tokio::select! {
                biased;
                _ = &mut stopped => return,
                () = self.wake.notified(), if opened.is_none() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn open(&self) -> Result<NewsConnection, NoNews> {
        let Common { store, logins, .. } = &self.common;
        // One that cannot be read makes no connection.
        let task = store.load(&self.task).ok().flatten();
        let server = task.map_or(String::new(), |task| task.remote_host.as_str().to_owned());
        logins
            .in_turn(&server, NewsConnection::open(store, &self.task))
            .await
    }

    fn tell(&self, what: What) {
        let told = Told {
            task: self.task.clone(),
            number: self.number,
            what,
        };
        // Without a supervisor there is no one to tell.
        drop(self.common.told.send(told));
    }

    /// Tells why there is no connection; after how long another one is made, if at all.
    fn heed(&self, end: NoNews, lasted: Duration, backoff: &mut Backoff) -> Option<Duration> {
        match end {
            NoNews::Later { why, pause } => {
                self.tell(What::State(Listening::Connecting, Some(why)));
                Some(backoff.pause(lasted, pause))
            }
            NoNews::NotOffered => {
                self.tell(What::State(Listening::NotOffered, None));
                Some(Backoff::not_offered())
            }
            NoNews::Refused(failure) => {
                self.count(&failure);
                None
            }
            NoNews::SignInNeeded(failure) => {
                self.tell(What::State(Listening::SignInNeeded, Some(failure.message)));
                None
            }
            NoNews::Unmet => {
                self.tell(What::State(Listening::Unmet, None));
                None
            }
        }
    }

    /// A refused login counts as that of a run does; a run that is at work counts its own.
    fn count(&self, failure: &Failure) {
        let store = &self.common.store;
        let counted = store
            .acquire(&self.task, Duration::ZERO)
            .and_then(|lock| match lock {
                Some(_lock) => store.save_refusals(&self.task, store.refusals(&self.task).more()),
                None => Ok(()),
            });
        let uncounted = counted
            .err()
            .map(|error| format!(", and that cannot be noted: {error}"));
        let why = format!("{}{}", failure.message, uncounted.unwrap_or_default());
        self.tell(What::State(Listening::Refused, Some(why)));
    }
}
