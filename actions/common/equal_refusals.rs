// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers lock accounts and addresses from which wrong passwords come again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ns8_imapsync::error::{Error, ErrorKey, Result};

/// After so many refusals for the same reason, and no success, a server is left alone.
const EQUAL: usize = 3;

/// What servers answered.
#[derive(Default)]
pub(crate) struct EqualRefusals {
    servers: Mutex<HashMap<String, Answers>>,
    /// A server that has let no one in yet is asked by one at a time.
    first: Mutex<()>,
}

#[derive(Default)]
struct Answers {
    has_let_in: bool,
    /// The last reason, and how often it came in a row.
    refusal: Option<(ErrorKey, usize)>,
}

impl EqualRefusals {
    /// Asks a server, unless it has refused too often; then there is no answer.
    pub(crate) fn ask(&self, server: &str, ask: impl FnOnce() -> Result<()>) -> Option<Result<()>> {
        let has_let_in = {
            let servers = self.servers();
            servers.get(server).is_some_and(|answers| answers.has_let_in)
        };
        let alone = (!has_let_in).then_some(&self.first);
        let _alone = alone.map(|first| first.lock().unwrap_or_else(PoisonError::into_inner));
        let refusal = self.servers().get(server).and_then(|answers| answers.refusal);
        if refusal.is_some_and(|(_, count)| count >= EQUAL) {
            return None;
        }
        let answer = ask();
        self.note(server, &answer);
        Some(answer)
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<String, Answers>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, server: &str, answer: &Result<()>) {
        let mut servers = self.servers();
        let answers = servers.entry(server.to_owned()).or_default();
        match answer {
            Ok(()) => {
                *answers = Answers {
                    has_let_in: true,
                    refusal: None,
                }
            }
            Err(Error::Refused(why)) => {
                let key = why.first().map(|first| first.key);
                answers.refusal = key.map(|key| match answers.refusal {
                    Some((former, count)) if former == key => (key, count + 1),
                    _ => (key, 1),
                });
            }
            // Whatever it is, the server is no cause for it.
            Err(Error::Failed(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use ns8_imapsync::error::Refusal;

    use super::*;

    #[test]
    fn a_server_is_left_alone_after_equal_refusals_in_a_row() {
        let refused = |key| Err(Refusal::new("remotepassword", key, "no").into());
        let wrong = || refused(ErrorKey::BadUserCredentials);
        let refusals = EqualRefusals::default();
        let is_asked = |answer: Result<()>| refusals.ask("a", || answer).is_some();
        assert!(is_asked(wrong()) && is_asked(wrong()) && is_asked(Ok(())));
        assert!(is_asked(wrong()) && is_asked(refused(ErrorKey::RemoteServerError)));
        assert!(is_asked(wrong()) && is_asked(Err(anyhow::anyhow!("no disk").into())));
        assert!(is_asked(wrong()) && is_asked(wrong()));
        assert!(!is_asked(Ok(())), "three in a row are enough");
        assert!(refusals.ask("b", || Ok(())).is_some());
    }
}
