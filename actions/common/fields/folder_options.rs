// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a task's mail goes and which mail that is: one field, an object.

use std::num::NonZeroU32;

use ns8_imapsync::task::{FolderOptions, FolderPath, Invalid, Labels, Period, Renaming};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where mail goes and which mail that is. What is missing is as it would be without the object.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FolderOptionsFields {
    /// Sent, Drafts, Trash, Junk and Archive go to the local folders of that use, whatever they are called.
    pub special_folders: bool,
    /// How often a message comes that the server shows in several folders (Gmail, and servers with OBJECTID, RFC 8474): in
    /// `each` of them, or `once`, in its best one. A folder of all mail gives only what no other folder has.
    #[schemars(extend("enum" = ["", "each", "once"]))]
    pub labels: String,
    /// The local folder below which all folders go, the inbox too, with a slash between its levels (`Old mail/2026`); empty
    /// for none.
    pub target_folder: String,
    /// Folders that get other names, with what is below them: `{"from": "INBOX.Alt", "to": "Archive/Old"}`.
    pub rename: Vec<RenamingFields>,
    /// Only mail that is at most so many days old; 0 is no limit.
    #[schemars(range(min = 0))]
    pub newer_than_days: u32,
    /// Only mail that is more than so many days old; 0 is no limit.
    #[schemars(range(min = 0))]
    pub older_than_days: u32,
}

/// One folder that gets another name.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenamingFields {
    /// The remote folder as browse-folders and the log spell it.
    pub from: String,
    /// The local folder, with a slash between its levels.
    pub to: String,
}

impl FolderOptionsFields {
    /// Parses all of it.
    ///
    /// # Errors
    /// What is wrong with the first field that cannot be.
    pub(crate) fn parse(&self) -> Result<FolderOptions, Invalid> {
        let rename = self
            .rename
            .iter()
            .map(|one| Renaming::parse(&one.from, &one.to))
            .collect::<Result<Vec<_>, _>>()?;
        Renaming::check(&rename)?;
        Ok(FolderOptions {
            special_folders: self.special_folders,
            labels: match self.labels.as_str() {
                "" => Labels::default(),
                text => Labels::parse(text)?,
            },
            target_folder: match self.target_folder.trim() {
                "" => None,
                text => Some(FolderPath::parse(text)?),
            },
            rename,
            period: Period::from_days(self.newer_than_days, self.older_than_days)?,
        })
    }
}

impl From<&FolderOptions> for FolderOptionsFields {
    fn from(options: &FolderOptions) -> Self {
        let days = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
        Self {
            special_folders: options.special_folders,
            labels: options.labels.as_str().to_owned(),
            target_folder: options
                .target_folder
                .as_ref()
                .map_or_else(String::new, |folder| folder.as_str().to_owned()),
            rename: options
                .rename
                .iter()
                .map(|one| RenamingFields {
                    from: one.from.clone(),
                    to: one.to.as_str().to_owned(),
                })
                .collect(),
            newer_than_days: days(options.period.newer_than_days),
            older_than_days: days(options.period.older_than_days),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(value: Value) -> Result<FolderOptions, String> {
        let fields: FolderOptionsFields = serde_json::from_value(value).map_err(|error| error.to_string())?;
        fields.parse().map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn what_is_read_is_written_alike() {
        let whole = json!({
            "special_folders": true, "labels": "once", "target_folder": "Old/2026",
            "rename": [{"from": "INBOX.Alt", "to": "Archive/Old"}],
            "newer_than_days": 365, "older_than_days": 30,
        });
        let options = parse(whole.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(FolderOptionsFields::from(&options)).unwrap(),
            whole
        );
        assert_eq!(parse(json!({})), Ok(FolderOptions::default()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            json!({"labels": "twice"}),
            json!({"target_folder": "a//b"}),
            json!({"rename": [{"from": "A", "to": ""}]}),
            json!({"rename": [{"from": "A", "to": "B"}, {"from": "A", "to": "C"}]}),
            json!({"newer_than_days": 30, "older_than_days": 365}),
            json!({"newer_than_days": -1}),
            json!({"colour": "red"}),
        ] {
            assert!(parse(bad.clone()).is_err(), "{bad}");
        }
    }
}
