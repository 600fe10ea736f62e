// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.json`: what only this version knows about a task; never in `NAME.env`, whose readers are many.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FolderOptions, SourceLink, Trust};

/// Options of a task next to its file. What a later version added is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Which certificate of the remote server is accepted.
    #[serde(default, rename = "certificate", skip_serializing_if = "Trust::is_unknown")]
    pub trust: Trust,
    /// The source that says where the remote server is and how to sign in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceLink>,
    /// Where mail goes and which mail that is.
    #[serde(default, skip_serializing_if = "FolderOptions::is_default")]
    pub folders: FolderOptions,
    /// Whether the source is listened to, and a run begins when it tells of new mail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_it_arrives: bool,
    /// Names unknown here.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Options {
    /// What holds in place of a file that cannot be read: no one is trusted, since it is no longer known who was.
    /// An edit that heals the task brings other options than these, so that the file is written.
    pub fn damaged() -> Self {
        Self {
            trust: Trust::damaged(),
            ..Self::default()
        }
    }
}

/// What an edit changes of the options that an administrator sets; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptionsChange {
    /// Where mail goes and which mail that is.
    pub folders: Option<FolderOptions>,
    /// Whether mail is pulled as it arrives.
    pub as_it_arrives: Option<bool>,
}

impl OptionsChange {
    /// Whether everything stays.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets what changes.
    pub fn apply(&self, options: &mut Options) {
        let Self {
            folders,
            as_it_arrives,
        } = self;
        if let Some(folders) = folders {
            options.folders.clone_from(folders);
        }
        options.as_it_arrives = as_it_arrives.unwrap_or(options.as_it_arrives);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_wrote_is_kept() {
        let text = r#"{"certificate":"ab","as_it_arrives":true,"colour":"red"}"#;
        let options: Options = serde_json::from_str(text).unwrap();
        assert!(options.trust == Trust::Pinned("ab".to_owned()) && options.as_it_arrives);
        assert_eq!(serde_json::to_string(&options).unwrap(), text);
        assert_eq!(serde_json::from_str::<Options>("{}").unwrap(), Options::default());
    }
}
