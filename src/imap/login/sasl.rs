// SPDX-License-Identifier: GPL-3.0-or-later
//! One AUTHENTICATE dialogue (RFC 3501, 6.2.2): a mechanism answers the server's challenges until the outcome.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::authenticate::note_capabilities;
use super::token_reason;
use crate::imap::capability::Capabilities;
use crate::imap::capability::Capability;
use crate::imap::command::Command;
use crate::imap::error::{Error, Result};
use crate::imap::response::{Response, StatusLine};
use crate::imap::session::Session;

/// Longer than any mechanism's dialogue; a server that asks for ever is given up.
const MOST_CHALLENGES: usize = 10;

/// Challenges of servers that forget the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A message to the server, wiped when it has gone.
pub(super) type Message = Zeroizing<Vec<u8>>;

/// What a mechanism says.
pub(super) trait Mechanism {
    /// The name in capabilities, behind `AUTH=`.
    fn name(&self) -> &'static str;

    /// What it says first; `None` where the server speaks first.
    fn initial(&mut self) -> Option<Message>;

    /// What it says to a challenge.
    ///
    /// # Errors
    /// Why the server is not to be talked to any more.
    fn respond(&mut self, challenge: &[u8]) -> Result<Message>;

    /// Looks at the outcome.
    ///
    /// # Errors
    /// Why a success is none.
    fn succeed(&self) -> Result<()> {
        Ok(())
    }
}

/// How a dialogue ended.
pub(super) struct Ended {
    /// The server's outcome.
    pub answer: StatusLine,
    /// The last challenge that came after all was said: an error of the mechanism, in words.
    pub reason: Option<String>,
}

/// Has one dialogue.
pub(super) async fn converse(
    session: &mut Session,
    mechanism: &mut dyn Mechanism,
    learnt: &mut Option<Capabilities>,
) -> Result<Ended> {
    let mut waiting = mechanism.initial();
    let mut command = Command::new("AUTHENTICATE").text(mechanism.name());
    // RFC 4959: the first message along with the command.
    if session.capabilities().has(Capability::SaslIr)
        && let Some(first) = waiting.take()
    {
        let coded = Zeroizing::new(STANDARD.encode(&*first));
        command = command.text(if coded.is_empty() { "=" } else { coded.as_str() });
    }
    let tag = session.send(command).await?;
    let mut reason = None;
    let mut challenges = 0;
    loop {
        match session.next().await? {
            Response::Continue(challenge) => {
                challenges += 1;
                if challenges > MOST_CHALLENGES {
                    return Err(Error::protocol("it keeps asking for more while logging in"));
                }
                let said = match waiting.take() {
                    Some(first) => Ok(first),
                    None => {
                        let decoded = LENIENT.decode(challenge.trim()).unwrap_or_default();
                        // It may repeat the token.
                        reason = token_reason::in_words(&session.masked(&String::from_utf8_lossy(&decoded)));
                        mechanism.respond(&decoded)
                    }
                };
                let line = match &said {
                    Ok(message) => Zeroizing::new(format!("{}\r\n", STANDARD.encode(&**message))),
                    // RFC 3501, 6.2.2: this ends the dialogue.
                    Err(_) => Zeroizing::new("*\r\n".to_owned()),
                };
                session.wire_mut().queue(line.as_bytes());
                session.flush().await?;
                said?;
            }
            Response::Tagged { tag: other, status } if Session::is(tag, &other) => {
                if status.is_ok() {
                    mechanism.succeed()?;
                }
                return Ok(Ended {
                    answer: status,
                    reason,
                });
            }
            Response::Tagged { .. } => {}
            Response::Untagged(data) => note_capabilities(data, learnt),
        }
    }
}

/// A mechanism that says these messages one after the other, whatever the server asks.
pub(super) struct Scripted {
    name: &'static str,
    /// The server speaks first.
    waits: bool,
    /// What ends the dialogue when all is said.
    farewell: &'static [u8],
    messages: std::vec::IntoIter<Message>,
}

impl Scripted {
    /// PLAIN, XOAUTH2 and their like: one message, then the outcome. A challenge too many carries an error.
    pub(super) fn once(name: &'static str, message: Message, farewell: &'static [u8]) -> Self {
        Self {
            name,
            waits: false,
            farewell,
            messages: vec![message].into_iter(),
        }
    }

    /// LOGIN: the server asks for the name, then for the password.
    pub(super) fn asked(name: &'static str, messages: Vec<Message>) -> Self {
        Self {
            name,
            waits: true,
            farewell: b"",
            messages: messages.into_iter(),
        }
    }
}

impl Mechanism for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn initial(&mut self) -> Option<Message> {
        if self.waits { None } else { self.messages.next() }
    }

    fn respond(&mut self, _: &[u8]) -> Result<Message> {
        let farewell = || Message::new(self.farewell.to_vec());
        Ok(self.messages.next().unwrap_or_else(farewell))
    }
}
