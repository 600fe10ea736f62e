// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::RemoteUser;
use super::text::{Invalid, fit_for_a_file_name};

/// The id of a source: a remote server and how to sign in there, described once for many tasks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(String);

impl SourceId {
    /// The longest id, in bytes.
    pub const LONGEST: usize = 64;

    /// Reads an id; it becomes part of file names.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        fit_for_a_file_name(text, Self::LONGEST)?;
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ties a task to its source; part of `NAME.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLink {
    /// The source.
    #[serde(serialize_with = "write", deserialize_with = "read_id")]
    pub id: SourceId,
    /// The mailbox there. The login name of the task follows from it and the source.
    #[serde(serialize_with = "write", deserialize_with = "read_mailbox")]
    pub mailbox: RemoteUser,
}

fn write<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SourceId, D::Error> {
    let text = String::deserialize(deserializer)?;
    SourceId::parse(&text).map_err(serde::de::Error::custom)
}

fn read_mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RemoteUser, D::Error> {
    let text = String::deserialize(deserializer)?;
    RemoteUser::parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_back_and_never_leads_out_of_the_folder() {
        let text = r#"{"id":"m365","mailbox":"ann@example.com"}"#;
        let link: SourceLink = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&link).unwrap(), text);
        for id in ["../x", "a/b", "", ".tokens"] {
            let text = format!(r#"{{"id":"{id}","mailbox":"ann"}}"#);
            assert!(serde_json::from_str::<SourceLink>(&text).is_err(), "{id}");
        }
    }
}
