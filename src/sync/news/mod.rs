// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection to the source of a task, which reports when mail arrives. It moves nothing, changes nothing, and
//! learns no certificate: a run has to have met the server first.

mod position;

use std::time::Duration;

pub use position::Position;

use crate::error::ErrorKey;
use crate::imap::{self, ListExtras, Mailbox};
use crate::sync::account::{Account, Failure, LoginState};
use crate::sync::folder_mapping::Selection;
use crate::sync::job::assembly;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::listing;
use crate::sync::side::Side;
use crate::task::{FolderMode, Store, TaskName};

/// IDLE is renewed after so long, which also shows whether the server is still there: RFC 2177 wants it within 29
/// minutes, NAT devices forget silent connections after five.
const STRETCH: Duration = Duration::from_secs(270);

/// The folders other than the inbox that a server is asked to tell news of; more than that, and it may well refuse.
const MOST_FOLDERS: usize = 50;

/// A connection that tells news.
pub struct NewsConnection {
    session: SideSession,
    position: Position,
    folders: usize,
}

/// Why there is no such connection, or none any more.
#[derive(Debug)]
pub enum NoNews {
    /// The server has no way to tell news.
    NotOffered,
    /// The server refused the login, which counts as that of a run.
    Refused(Failure),
    /// No one has signed in for the mailbox, or the sign-in was taken back.
    SignInNeeded(Failure),
    /// Nothing is known yet of the server, or that it does not protect its connections: a run has to be first.
    Unmet,
    /// The server does not serve now; it may have said for how long.
    Later {
        /// What it said.
        why: String,
        /// For how long.
        pause: Option<Duration>,
    },
}

impl From<imap::Error> for NoNews {
    fn from(error: imap::Error) -> Self {
        if matches!(&error, imap::Error::Command { command: "IDLE", answer } if !answer.is_temporary()) {
            return Self::NotOffered;
        }
        Self::Later {
            pause: match &error {
                imap::Error::Unavailable(text) => imap::quirks::suggested_pause(text),
                _ => None,
            },
            why: Failure::from_imap(Side::Remote, &error).message,
        }
    }
}

impl From<Failure> for NoNews {
    fn from(failure: Failure) -> Self {
        Self::Later {
            why: failure.message,
            pause: None,
        }
    }
}

impl NewsConnection {
    /// Logs in to the source of a task, as the files of the task are now, and looks where the inbox stands.
    ///
    /// # Errors
    /// When that leads nowhere.
    pub async fn open(store: &Store, name: &TaskName) -> Result<Self, NoNews> {
        let task = assembly::load(store, name)?;
        let options = store.options(name);
        if options.trust.is_unknown() {
            return Err(NoNews::Unmet);
        }
        let account = assembly::remote(store, &task, &options)?;
        let selection = Selection {
            mode: task.folders,
            excluded: task
                .exclusions
                .matchers()
                .map_err(|error| Failure::local(error.to_string()))?,
            options: options.folders,
        };
        let session = account.login().await;
        let session = session.map_err(|error| {
            let failure = Failure::from_imap(Side::Remote, &error);
            match account.login_state() {
                LoginState::Refused => NoNews::Refused(failure),
                _ if failure.key == Some(ErrorKey::SignInNeeded) => NoNews::SignInNeeded(failure),
                LoginState::Unknown | LoginState::LoggedIn => error.into(),
            }
        })?;
        Self::begin(&account, session, &selection).await
    }

    async fn begin(account: &Account, session: imap::Session, selection: &Selection) -> Result<Self, NoNews> {
        let mut session = SideSession::new(account.side, session);
        if !session.tells_news() {
            session.imap.leave().await;
            return Err(NoNews::NotOffered);
        }
        let others = match session.tells_news_of_others() && selection.mode != FolderMode::Inbox {
            true => others(&mut session, selection).await?,
            false => vec![],
        };
        session.expect_news_only();
        let inbox = session.imap.open(&Mailbox::inbox(), false).await?;
        let mut position = Position::at(&inbox);
        let mut folders = 0;
        if session.tells_news_of_others() {
            let mut told = position.clone();
            told.watch(&others);
            if session
                .imap
                .notify_of(&others, |data| {
                    told.note(data);
                    position.note(data);
                })
                .await?
            {
                (position, folders) = (told, others.len());
            } else if !session.capabilities().has(imap::Capability::Idle) {
                session.imap.leave().await;
                return Err(NoNews::NotOffered);
            }
        }
        Ok(Self {
            session,
            position,
            folders,
        })
    }

    /// How many folders it tells of in addition to the inbox.
    pub fn folders(&self) -> usize {
        self.folders
    }

    /// Where the folders stand.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Listens until the connection ends, and hands to `tell` where the folders stand whenever mail has arrived.
    pub async fn listen(&mut self, mut tell: impl FnMut(&Position)) -> NoNews {
        let mut idled = false;
        loop {
            let position = &mut self.position;
            let mut arrived = false;
            let heard = self.session.imap.await_news(STRETCH, |data| match data {
                Some(data) => arrived |= position.note(data),
                None if std::mem::take(&mut arrived) => tell(position),
                None => {}
            });
            if let Err(error) = heard.await {
                return match NoNews::from(error) {
                    // It has told news before, so that it can.
                    NoNews::NotOffered if idled => NoNews::Later {
                        why: "host1 does not tell news any more".to_owned(),
                        pause: None,
                    },
                    end => end,
                };
            }
            idled = true;
        }
    }

    /// Ends the connection soon.
    pub async fn leave(self) {
        self.session.imap.leave().await;
    }
}

/// The folders other than the inbox that the task pulls, as far as a server may be asked about so many.
async fn others(session: &mut SideSession, selection: &Selection) -> Result<Vec<Mailbox>, NoNews> {
    let listed = listing::side(session, ListExtras::Nothing).await;
    let side = listed.map_err(|error| NoNews::from(Failure::from(error)))?;
    let chooser = selection.on(&side);
    let chosen = side.folders.iter().filter(|(listed, status)| {
        status.is_some() && !listed.mailbox.is_inbox() && chooser.reason(listed).is_none()
    });
    let chosen = chosen.map(|(listed, _)| listed.mailbox.clone());
    Ok(chosen.take(MOST_FOLDERS).collect())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
    use tokio::time::{Instant, sleep_until};

    use super::*;
    use crate::imap::response::Response;
    use crate::imap::scan::Raw;
    use crate::imap::script::session_over;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn one_that_cannot_idle_now_is_no_server_without_idle() {
        let end = |text: &str| {
            let raw = Raw {
                text: format!("A1 {text}").into_bytes(),
                literals: vec![],
            };
            let Response::Tagged { status: answer, .. } = Response::parse(raw) else {
                panic!("{text}");
            };
            NoNews::from(imap::Error::Command {
                command: "IDLE",
                answer,
            })
        };
        for text in ["NO [UNAVAILABLE] later", "NO [INUSE] busy", "NO [SERVERBUG] oops"] {
            assert!(matches!(end(text), NoNews::Later { .. }), "{text}");
        }
        for text in ["BAD unknown command", "NO not here"] {
            assert!(matches!(end(text), NoNews::NotOffered), "{text}");
        }
    }

    /// A server that idles when it is asked to. It tells of mail after an hour, and is cut off without a word after two.
    async fn serve(stream: DuplexStream, arrived: &std::cell::Cell<Option<Instant>>) {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut lines = BufReader::new(reader).lines();
        let begun = Instant::now();
        let (mut idle, mut spoke) = (None, begun);
        let mut tag = String::new();
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.unwrap().unwrap_or_default(),
                () = sleep_until(begun + 60 * MINUTE), if arrived.get().is_none() => String::new(),
            };
            if begun.elapsed() >= 120 * MINUTE {
                return std::future::pending().await;
            }
            if begun.elapsed() >= 60 * MINUTE && arrived.get().is_none() {
                arrived.set(Some(Instant::now()));
                writer.write_all(b"* 8 EXISTS\r\n").await.unwrap();
            }
            if line.is_empty() {
                continue;
            }
            assert!(
                spoke.elapsed() < 5 * MINUTE,
                "boxes that translate addresses forget it"
            );
            spoke = Instant::now();
            let answer = match line.split_once(' ') {
                Some((new, "IDLE")) => {
                    idle = Some(Instant::now());
                    new.clone_into(&mut tag);
                    "+ idling\r\n".to_owned()
                }
                _ => {
                    assert_eq!(line, "DONE");
                    assert!(idle.take().unwrap().elapsed() < 29 * MINUTE, "RFC 2177");
                    format!("{tag} OK done\r\n")
                }
            };
            writer.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[test]
    fn it_is_listened_to_for_hours_and_missed_when_it_is_cut_off_without_a_word() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let mut session = SideSession::new(Side::Remote, session_over(ours, "IDLE"));
            session.expect_news_only();
            let mut connection = NewsConnection {
                session,
                position: Position::default(),
                folders: 0,
            };
            let (begun, arrived) = (Instant::now(), std::cell::Cell::new(None));
            let mut told = vec![];
            let end = tokio::select! {
                end = connection.listen(|_| told.push(Instant::now())) => end,
                () = serve(theirs, &arrived) => unreachable!("it never ends by itself"),
            };
            assert!(matches!(end, NoNews::Later { .. }), "{end:?}");
            assert!(begun.elapsed() < 130 * MINUTE, "{:?}", begun.elapsed());
            let [told] = told[..] else { panic!("{told:?}") };
            assert!(told - arrived.get().unwrap() < Duration::from_secs(2));
        });
    }
}
