// SPDX-License-Identifier: GPL-3.0-or-later
//! Whom a task trusts on the remote side.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How files and wires spell [`Trust::Authorities`]; no fingerprint is like it.
const AUTHORITIES: &str = "authorities";

/// How files spell that the record is damaged; no fingerprint is like it.
const DAMAGED: &str = "damaged";

/// Which certificate of the remote server is taken for the server's. It is learnt when an administrator creates or
/// tests a task, and never replaced by less without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Not yet known: the server has shown none, or the task is from before certificates were looked at.
    #[default]
    Unknown,
    /// Whichever the world's authorities vouch for.
    Authorities,
    /// The one with this SHA-256 (DER, lower-case hex), and whichever the authorities vouch for.
    Pinned(String),
}

impl Trust {
    /// Reads the stored form. A text that is neither is a fingerprint that no certificate has: what is damaged is not
    /// taken for unknown.
    pub fn parse(text: &str) -> Self {
        match text {
            "" => Self::Unknown,
            AUTHORITIES => Self::Authorities,
            fingerprint => Self::Pinned(fingerprint.to_ascii_lowercase()),
        }
    }

    /// The stored form; `None` where there is nothing to store.
    pub fn as_stored(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Authorities => Some(AUTHORITIES),
            Self::Pinned(fingerprint) => Some(fingerprint),
        }
    }

    /// What follows from a certificate that was accepted.
    pub fn from_certificate(trusted: bool, sha256: &str) -> Self {
        match trusted {
            true => Self::Authorities,
            false => Self::Pinned(sha256.to_owned()),
        }
    }

    /// What is left of a record that cannot be read: a fingerprint that no certificate has.
    pub fn damaged() -> Self {
        Self::Pinned(DAMAGED.to_owned())
    }

    /// Whether something was known that cannot be read any more. There is no login then, not even where the
    /// authorities vouch for the server: where the mail goes is lost as well.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Pinned(fingerprint) if fingerprint == DAMAGED)
    }

    /// Whether nothing is known yet.
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }

    /// The accepted fingerprint, where one certificate is accepted.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Pinned(_) if self.is_damaged() => None,
            Self::Pinned(fingerprint) => Some(fingerprint),
            Self::Unknown | Self::Authorities => None,
        }
    }

    /// The state's name for programs.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Authorities => AUTHORITIES,
            Self::Pinned(_) => "pinned",
        }
    }
}

impl Serialize for Trust {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_stored().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Trust {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(Self::parse(&text.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back_and_damage_trusts_no_one() {
        let pin = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for trust in [Trust::Unknown, Trust::Authorities, Trust::Pinned(pin.to_owned())] {
            assert_eq!(Trust::parse(trust.as_stored().unwrap_or_default()), trust);
            let text = serde_json::to_string(&trust).unwrap();
            assert_eq!(serde_json::from_str::<Trust>(&text).unwrap(), trust);
        }
        assert_eq!(Trust::parse("autho").fingerprint(), Some("autho"));
        let damaged = Trust::damaged();
        assert!(damaged.is_damaged() && !damaged.is_unknown() && damaged.fingerprint().is_none());
        assert_eq!(Trust::parse(damaged.as_stored().unwrap()), damaged);
        assert!(!Trust::Unknown.is_damaged() && !Trust::Authorities.is_damaged());
    }
}
