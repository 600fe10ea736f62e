// SPDX-License-Identifier: GPL-3.0-or-later
//! How a client gets in.

use super::*;

impl Session<'_> {
    pub(super) fn start_tls(&mut self) -> Step<()> {
        let Some(Stream::Plain(stream)) = self.stream.take() else {
            return Err(Closed);
        };
        let connection = ServerConnection::new(TLS.clone()).map_err(|_| Closed)?;
        self.stream = Some(Stream::Tls(Box::new(StreamOwned::new(connection, stream))));
        self.inbox.clear();
        self.protected = true;
        Ok(())
    }

    pub(super) fn authenticate(&mut self, words: &[Word]) -> Step<String> {
        let coded = match words.get(1) {
            Some(initial) => initial.text(),
            None => {
                self.put(b"+ \r\n")?;
                self.flush()?;
                String::from_utf8_lossy(&self.line()?).into_owned()
            }
        };
        let message = base64::engine::general_purpose::STANDARD
            .decode(coded)
            .map_err(|_| Closed)?;
        let message = String::from_utf8_lossy(&message).into_owned();
        let mut parts = message.split('\0').skip(1);
        let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Ok(self.login(user, password))
    }

    pub(super) fn login(&mut self, user: &str, password: &str) -> String {
        let (right_user, right_password) = &self.shared.credentials;
        if self.shared.tls && !self.protected {
            self.violation("password in plain text", user.as_bytes());
        }
        if (user, password) != (right_user.as_str(), right_password.as_str()) {
            return "NO [AUTHENTICATIONFAILED] Wrong".to_owned();
        }
        self.logged_in = true;
        format!("OK [CAPABILITY {}] Welcome", self.capabilities())
    }
}
