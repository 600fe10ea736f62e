// SPDX-License-Identifier: GPL-3.0-or-later
//! `.local-server.json`: the certificate of the local mail server. It gets the password that opens every mailbox, under
//! an address that no certificate names; so the one that it showed first is the one that it has to show.

use std::io;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::files;

const FILE: &str = ".local-server.json";
const PRIVATE: u32 = 0o600;
/// The fingerprint of no certificate.
const DAMAGED: &str = "damaged";

/// What the local mail server has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalPin {
    /// Its address and port; another server is another matter.
    pub server: String,
    /// The SHA-256 of its certificate (DER, lower-case hex).
    pub certificate: String,
    /// The names in it: what an authority vouches for under one of them is its renewal.
    #[serde(default)]
    pub names: Vec<String>,
}

impl LocalPin {
    /// What is known of a server; nothing where it has not been met. What cannot be read any more is no certificate's: the
    /// password would go to whoever is there now.
    pub fn load(store: &Store, server: &str) -> Option<Self> {
        let pin = match files::read(&store.folder().join(FILE)) {
            Ok(None) => return None,
            Ok(Some(text)) => serde_json::from_slice(&text).ok(),
            Err(_) => None,
        };
        let pin = pin.unwrap_or_else(|| Self {
            server: server.to_owned(),
            certificate: DAMAGED.to_owned(),
            names: vec![],
        });
        (pin.server == server).then_some(pin)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        files::write_atomic(store.folder(), &store.folder().join(FILE), &text, PRIVATE)
    }

    /// Forgets it, when an administrator or the cluster says that the mail server is another one now.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn forget(store: &Store) -> io::Result<()> {
        files::remove(&store.folder().join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn a_pin_holds_for_its_server_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        let pin = LocalPin {
            server: "10.5.4.1:143".to_owned(),
            certificate: "ab".to_owned(),
            names: vec!["mail.example.com".to_owned()],
        };
        assert_eq!(LocalPin::load(&store, &pin.server), None);
        pin.save(&store).unwrap();
        assert_eq!(LocalPin::load(&store, &pin.server), Some(pin));
        assert_eq!(LocalPin::load(&store, "10.5.4.2:143"), None);
        std::fs::write(store.folder().join(FILE), "{").unwrap();
        let damaged = LocalPin::load(&store, "10.5.4.1:143").unwrap();
        assert_eq!(damaged.certificate, DAMAGED);
        LocalPin::forget(&store).unwrap();
        assert_eq!(LocalPin::load(&store, "10.5.4.1:143"), None);
        LocalPin::forget(&store).unwrap();
    }
}
