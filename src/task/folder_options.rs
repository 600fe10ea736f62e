// SPDX-License-Identifier: GPL-3.0-or-later

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::text::{Invalid, free_of_control_characters, invalid};

/// Levels that a folder of these options may have at most.
const DEEPEST: usize = 10;
/// Characters that it may have at most.
const LONGEST: usize = 200;
/// Renamings of one task at most.
const MOST_RENAMINGS: usize = 200;

/// Where mail goes and which mail that is, beyond what the task file can say; part of `NAME.json`. By default folders
/// keep their names and all mail is pulled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FolderOptions {
    /// Sent, Drafts, Trash, Junk and Archive go to the local folders of that use, whatever they are called.
    #[serde(skip_serializing_if = "is_default")]
    pub special_folders: bool,
    /// How often a message comes that its server shows in several folders.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: Labels,
    /// The local folder below which all folders go, the inbox too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_folder: Option<FolderPath>,
    /// Folders that get other names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<Renaming>,
    /// Which mail, by its age.
    #[serde(flatten)]
    pub period: Period,
}

/// How often a message comes that its server shows in several folders, as Gmail does with labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// In each of its folders; a folder that merely shows all mail gives what no other folder has.
    #[default]
    Each,
    /// Once, in its best folder.
    Once,
}

/// A period of mail by its date of arrival, reckoned from the day of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Period {
    /// Only mail that is at most so many days old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_than_days: Option<NonZeroU32>,
    /// Only mail that is more than so many days old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than_days: Option<NonZeroU32>,
}

/// A folder by its levels: `Old mail/2019`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FolderPath(String);

/// A remote folder, with what is below it, that gets another name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Renaming {
    /// The remote folder, spelled as the server lists it.
    pub from: String,
    /// The local folder.
    pub to: FolderPath,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl FolderOptions {
    /// Whether folders keep their names and all mail is pulled.
    pub fn is_default(&self) -> bool {
        is_default(self)
    }
}

impl Labels {
    /// Reads the field `labels`.
    ///
    /// # Errors
    /// For any text that is neither of the two.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "each" => Ok(Self::Each),
            "once" => Ok(Self::Once),
            _ => invalid("it is each or once"),
        }
    }

    /// The field `labels`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Once => "once",
        }
    }
}

impl Period {
    /// A period from two numbers of days; 0 is no limit.
    ///
    /// # Errors
    /// When no mail can be in it.
    pub fn from_days(newer: u32, older: u32) -> Result<Self, Invalid> {
        let period = Self {
            newer_than_days: NonZeroU32::new(newer),
            older_than_days: NonZeroU32::new(older),
        };
        match (period.newer_than_days, period.older_than_days) {
            (Some(newer), Some(older)) if newer <= older => invalid(
                "no mail is newer and older at once: the newer limit has to be the larger number of days",
            ),
            _ => Ok(period),
        }
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.newer_than_days.is_some() || self.older_than_days.is_some()
    }
}

impl FolderPath {
    /// Reads a folder with `/` between its levels.
    ///
    /// # Errors
    /// When there is nothing between two slashes, or it is longer or deeper than mail servers bear.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        free_of_control_characters(text)?;
        let text = text.trim();
        if text.chars().count() > LONGEST {
            return invalid("the folder's name is longer than 200 characters");
        }
        if text.split('/').any(|level| level.trim().is_empty()) {
            return invalid(
                "expected a folder such as Old mail/2019, with a name on both sides of each slash",
            );
        }
        if text.split('/').count() > DEEPEST {
            return invalid("the folder is more than 10 levels deep");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of its levels.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').map(str::trim)
    }
}

impl Renaming {
    /// Reads one renaming.
    ///
    /// # Errors
    /// When one of the two is no folder.
    pub fn parse(from: &str, to: &str) -> Result<Self, Invalid> {
        free_of_control_characters(from)?;
        if from.is_empty() {
            return invalid("expected the name of a remote folder");
        }
        Ok(Self {
            from: from.to_owned(),
            to: FolderPath::parse(to)?,
        })
    }

    /// Whether the list is of bearable length.
    ///
    /// # Errors
    /// When it is not, or one folder gets two names.
    pub fn check(list: &[Self]) -> Result<(), Invalid> {
        if list.len() > MOST_RENAMINGS {
            return invalid("there are more than 200 folders to rename");
        }
        let mut seen = std::collections::HashSet::new();
        match list.iter().find(|one| !seen.insert(one.from.as_str())) {
            Some(twice) => invalid(format!("the folder {} gets two names", twice.from)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_not_written() {
        assert_eq!(serde_json::to_string(&FolderOptions::default()).unwrap(), "{}");
        let text = r#"{"special_folders":true,"labels":"once","target_folder":"Old/2019","rename":[{"from":"A","to":"B/C"}],"newer_than_days":365}"#;
        let options: FolderOptions = serde_json::from_str(text).unwrap();
        assert_eq!(options.labels, Labels::Once);
        assert_eq!(options.period.newer_than_days.map(NonZeroU32::get), Some(365));
        assert_eq!(serde_json::to_string(&options).unwrap(), text);
    }

    #[test]
    fn a_folder_has_a_name_on_each_level() {
        for bad in [
            "",
            " ",
            "a//b",
            "/a",
            "a/",
            "a/ /b",
            "a\nb",
            &"x".repeat(201),
            &"x/".repeat(11),
        ] {
            assert!(FolderPath::parse(bad).is_err(), "{bad:?}");
        }
        let path = FolderPath::parse(" Alte Post / 2019 ").unwrap();
        assert_eq!(path.levels().collect::<Vec<_>>(), ["Alte Post", "2019"]);
    }

    #[test]
    fn a_period_that_holds_no_mail_is_refused() {
        assert!(Period::from_days(30, 30).is_err() && Period::from_days(30, 365).is_err());
        assert!(Period::from_days(365, 30).unwrap().is_limited());
        assert!(!Period::from_days(0, 0).unwrap().is_limited());
    }

    #[test]
    fn a_folder_is_renamed_once() {
        let one = |from| Renaming::parse(from, "x").unwrap();
        assert!(Renaming::check(&[one("A"), one("B")]).is_ok());
        assert!(Renaming::check(&[one("A"), one("A")]).is_err());
        assert!(Renaming::parse("", "x").is_err() && Renaming::parse("A", "").is_err());
    }
}
