// SPDX-License-Identifier: GPL-3.0-or-later
//! Being told of news instead of asking for them: IDLE (RFC 2177) for the open mailbox, NOTIFY (RFC 5465) for others too.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{Session, Tag};
use crate::imap::capability::Capability;
use crate::imap::command::Command;
use crate::imap::error::{Error, Result};
use crate::imap::limits;
use crate::imap::mailbox::Mailbox;
use crate::imap::response::{Response, Untagged};
use crate::imap::session::accepted;

/// How long the server may take for an answer; who keeps silent for longer is gone.
const ANSWER: Duration = Duration::from_secs(60);

/// Between two looks at what the server says unasked: one that never stops talking costs no more than this allows.
const REST: Duration = Duration::from_millis(100);

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

impl Session {
    /// From here on nothing large is expected: what a server may send at once is bounded accordingly.
    pub fn expect_news_only(&mut self) {
        self.wire.expect_little();
        self.wire.set_idle(ANSWER);
    }

    /// Whether the server tells news of the open mailbox by itself.
    pub fn tells_news(&self) -> bool {
        self.capabilities.has(Capability::Idle) || self.tells_news_of_others()
    }

    /// Whether the server tells news of other mailboxes too.
    pub fn tells_news_of_others(&self) -> bool {
        self.capabilities.has(Capability::Notify)
    }

    /// Asks to be told of messages that come to the open mailbox and to these, whose state is handed to `hear`. `false`
    /// when the server does not want to.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn notify_of(
        &mut self,
        mailboxes: &[Mailbox],
        mut hear: impl FnMut(&Untagged),
    ) -> Result<bool> {
        const EVENTS: &str = "(MessageNew MessageExpunge)";
        let mut command = Command::new("NOTIFY")
            .text("SET STATUS")
            .text(&format!("(selected {EVENTS})"));
        if !mailboxes.is_empty() {
            command = command.text("(mailboxes (");
            for (number, mailbox) in mailboxes.iter().enumerate() {
                command = command.listed(mailbox, number == 0);
            }
            command = command.closed(&format!(") {EVENTS})"));
        }
        let answer = self.call(command.optional(), |data| hear(&data)).await?;
        Ok(answer.is_ok())
    }

    /// Hands whatever the server says for so long to `hear`, and `None` where it pauses; then makes sure that it is still
    /// there.
    ///
    /// # Errors
    /// When the connection breaks, the server keeps silent at the end or never does, or it does not tell news after all.
    pub async fn await_news(
        &mut self,
        time: Duration,
        mut hear: impl FnMut(Option<&Untagged>),
    ) -> Result<()> {
        let until = Instant::now() + time;
        let mut left = limits::NEWS;
        if !self.capabilities.has(Capability::Idle) {
            self.hear_until(until, &mut left, &mut hear).await?;
            let tag = self.send(Command::new("NOOP")).await?;
            return self.hear_out("NOOP", tag, &mut left, &mut hear).await;
        }
        let tag = self.send(Command::new("IDLE").optional()).await?;
        self.flush().await?;
        loop {
            match self.next().await? {
                Response::Continue(_) => break,
                Response::Tagged { tag: other, status } if tag.matches(&other) => {
                    accepted("IDLE", status)?;
                    return Err(Error::protocol("the server ended IDLE before it began"));
                }
                Response::Untagged(data) => hear_one(&data, &mut left, &mut hear)?,
                Response::Tagged { .. } => {}
            }
        }
        self.idles = true;
        self.hear_until(until, &mut left, &mut hear).await?;
        self.wire.queue(b"DONE\r\n");
        self.idles = false;
        self.flush().await?;
        self.hear_out("IDLE", tag, &mut left, &mut hear).await
    }

    async fn hear_until(
        &mut self,
        until: Instant,
        left: &mut u32,
        hear: &mut impl FnMut(Option<&Untagged>),
    ) -> Result<()> {
        // The connection may be silent until then.
        self.wire
            .set_idle(until.saturating_duration_since(Instant::now()) + ANSWER);
        while Instant::now() < until {
            if self.pending.is_empty() && !self.wire.has_received() {
                hear(None);
                match timeout_at(until, self.wire.wait()).await {
                    Err(_) => break,
                    Ok(waited) => waited?,
                }
            }
            match self.next().await? {
                Response::Untagged(data) => hear_one(&data, left, hear)?,
                Response::Continue(_) => {}
                Response::Tagged { .. } => {
                    return Err(Error::Lost("the server ended IDLE by itself".to_owned()));
                }
            }
            if self.pending.is_empty() && !self.wire.has_received() {
                hear(None);
                tokio::time::sleep(REST).await;
            }
        }
        self.wire.set_idle(ANSWER);
        Ok(())
    }

    /// Waits for the outcome of the command that ends it.
    async fn hear_out(
        &mut self,
        name: &'static str,
        tag: Tag,
        left: &mut u32,
        hear: &mut impl FnMut(Option<&Untagged>),
    ) -> Result<()> {
        loop {
            match self.next().await? {
                Response::Untagged(data) => hear_one(&data, left, hear)?,
                Response::Tagged { tag: other, status } if tag.matches(&other) => {
                    hear(None);
                    return accepted(name, status).map(drop);
                }
                Response::Tagged { .. } | Response::Continue(_) => {}
            }
        }
    }

    /// Says goodbye in the middle of whatever goes on, and is gone soon whether or not the server hears it.
    pub async fn leave(mut self) {
        if std::mem::take(&mut self.idles) {
            self.wire.queue(b"DONE\r\n");
        }
        let _ = timeout(GOODBYE, self.logout()).await;
    }
}

fn hear_one(data: &Untagged, left: &mut u32, hear: &mut impl FnMut(Option<&Untagged>)) -> Result<()> {
    *left = left
        .checked_sub(1)
        .ok_or_else(|| Error::Limit(format!("more than {} news at once", limits::NEWS)))?;
    hear(Some(data));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;
    use crate::imap::script::{converse, session_over};

    const SHORT: Duration = Duration::from_millis(300);

    /// What is told to exist while this server is listened to.
    fn told(capabilities: &str, script: &[(&str, &str)]) -> (Vec<u32>, Result<()>) {
        converse(capabilities, script, async |session| {
            session.expect_news_only();
            let mut told = vec![];
            let outcome = session
                .await_news(SHORT, |data| {
                    if let Some(Untagged::Exists(count)) = data {
                        told.push(*count);
                    }
                })
                .await;
            (told, outcome)
        })
    }

    #[test]
    fn news_are_heard_while_idle_and_it_ends_as_it_should() {
        let script = [
            ("IDLE", "+ idling\n* 3 EXISTS\n* 1 RECENT\n* 4 EXISTS"),
            ("DONE", "* 5 EXISTS\nA1 OK done"),
        ];
        let (told, outcome) = told("IDLE", &script);
        outcome.unwrap();
        assert_eq!(told, [3, 4, 5]);
    }

    #[test]
    fn a_server_that_refuses_idle_or_ends_it_is_told_from_one_that_idles() {
        for (answer, refused) in [
            ("% NO not for you", true),
            ("% BAD what", true),
            ("+ ok\nA1 BAD enough", false),
        ] {
            let (_, outcome) = told("IDLE", &[("IDLE", answer)]);
            assert_eq!(
                matches!(outcome, Err(Error::Command { command: "IDLE", .. })),
                refused,
                "{answer}"
            );
            assert!(outcome.is_err(), "{answer}");
        }
        let (_, outcome) = told("IDLE", &[("IDLE", "+ ok\n* BYE gone")]);
        assert!(matches!(outcome, Err(Error::Lost(_))), "{outcome:?}");
    }

    #[test]
    fn a_server_without_idle_is_listened_to_and_asked_at_the_end() {
        let (told, outcome) = told("NOTIFY", &[("NOOP", "* 9 EXISTS\n% OK")]);
        outcome.unwrap();
        assert_eq!(told, [9]);
    }

    #[test]
    fn nothing_large_is_taken_of_a_server_that_is_to_tell_news() {
        for flood in [
            "+ ok\n* 1 FETCH (BODY[] {100000}".to_owned(),
            format!("+ ok\n* OK {}", "x".repeat(100_000)),
        ] {
            let (_, outcome) = told("IDLE", &[("IDLE", flood.as_str())]);
            assert!(matches!(outcome, Err(Error::Limit(_))), "{outcome:?}");
        }
    }

    /// Listens to a server that answers IDLE and then does what `go_on` does, on a clock that goes as fast as it is waited
    /// for; how much was heard.
    fn listen_to<F: Future<Output = ()>>(go_on: impl FnOnce(DuplexStream) -> F) -> (u32, Result<()>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut session = session_over(ours, "IDLE");
        session.expect_news_only();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut heard = 0;
            tokio::select! {
                outcome = session.await_news(Duration::from_secs(270), |data| heard += u32::from(data.is_some())) => (heard, outcome),
                () = go_on(theirs) => unreachable!("a server never ends here"),
            }
        })
    }

    #[test]
    fn a_server_that_is_gone_without_a_word_is_noticed() {
        let begun = std::time::Instant::now();
        let (_, outcome) = listen_to(async |mut server| {
            server.write_all(b"+ idling\r\n* 1 EXISTS\r\n").await.unwrap();
            std::future::pending::<()>().await;
            drop(server);
        });
        assert!(matches!(outcome, Err(Error::Timeout(_))), "{outcome:?}");
        assert!(
            begun.elapsed() < ANSWER,
            "the clock of the test is none that goes"
        );
    }

    #[test]
    fn a_flood_of_news_comes_to_an_end_and_costs_pauses() {
        let (heard, outcome) = listen_to(async |mut server| {
            server.write_all(b"+ idling\r\n").await.unwrap();
            for number in 1_u32.. {
                // Who does not listen any more takes nothing either.
                if server
                    .write_all(format!("* {number} EXISTS\r\n").as_bytes())
                    .await
                    .is_err()
                {
                    break;
                }
            }
            std::future::pending::<()>().await;
        });
        assert!(matches!(outcome, Err(Error::Limit(_))), "{outcome:?}");
        assert_eq!(heard, limits::NEWS);
    }

    #[test]
    fn a_goodbye_is_over_soon_whether_or_not_the_server_hears_it() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        // One takes what is said and keeps silent, the other takes nothing any more.
        for (room, heard) in [(1 << 16, "DONE\r\nA2 LOGOUT\r\n"), (9, "DONE\r\nA2 ")] {
            let said = runtime.block_on(async {
                let (ours, mut server) = tokio::io::duplex(room);
                let mut session = session_over(ours, "IDLE");
                session.expect_news_only();
                let mut command = [0; "A1 IDLE\r\n".len()];
                tokio::select! {
                    _ = session.await_news(Duration::from_secs(270), |_| {}) => unreachable!("it is silent"),
                    () = async {
                        server.read_exact(&mut command).await.unwrap();
                        server.write_all(b"+ ok\r\n").await.unwrap();
                        // Until it idles.
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    } => {}
                }
                let begun = Instant::now();
                session.leave().await;
                assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
                let mut said = String::new();
                server.read_to_string(&mut said).await.unwrap();
                said
            });
            assert_eq!(said, heard);
        }
    }

    #[test]
    fn the_mailboxes_to_be_told_of_are_named() {
        let names = ["Work", "a\"b"].map(|name| Mailbox::from_wire(name.as_bytes().to_vec()));
        let selected = "(selected (MessageNew MessageExpunge))";
        let both = format!(
            "NOTIFY SET STATUS {selected} (mailboxes (\"Work\" \"a\\\"b\") (MessageNew MessageExpunge))"
        );
        let alone = format!("NOTIFY SET STATUS {selected}");
        let script = [
            (both.as_str(), "% OK"),
            (alone.as_str(), "% NO [NOTIFICATIONOVERFLOW] too many"),
        ];
        let answers = converse("NOTIFY", &script, async |session| {
            (
                session.notify_of(&names, |_| {}).await.unwrap(),
                session.notify_of(&[], |_| {}).await.unwrap(),
            )
        });
        assert_eq!(answers, (true, false));
    }
}
