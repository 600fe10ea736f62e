// SPDX-License-Identifier: GPL-3.0-or-later
//! The table of the fields of a task: what an import reads of a row, and what a row leaves out.

use ns8_imapsync::task::{FolderMode, Task};
use serde_json::Value;

/// What a cell of a CSV file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text without the blanks around it.
    Text,
    /// A text as it is: blanks may be part of it.
    Secret,
    /// A word in small letters.
    Word,
    /// How a connection is protected, by any of its names.
    Security,
    /// A number.
    Number,
    /// A truth value, by any of its names.
    Flag,
}

/// Whether a row has to have a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Always.
    Required,
    /// Where the row names no source.
    UnlessSource,
    /// It may be left out.
    Optional,
}

/// One field of create-task that may stand in a row.
pub(crate) struct Column {
    /// Its name in create-task.
    pub name: &'static str,
    /// What it is called in a CSV file.
    pub heading: &'static str,
    /// What other programs call it, in letters and digits.
    pub others: &'static [&'static str],
    /// Whether it has to be there.
    pub need: Need,
    /// What a cell becomes.
    pub kind: Kind,
    /// What it is where a row leaves it out: of the task that is edited, or of a new one. `None` leaves the field out.
    pub default: fn(Option<&Task>) -> Option<Value>,
}

fn none(_: Option<&Task>) -> Option<Value> {
    None
}

const fn column(
    name: &'static str,
    need: Need,
    kind: Kind,
    others: &'static [&'static str],
    default: fn(Option<&Task>) -> Option<Value>,
) -> Column {
    Column {
        name,
        heading: name,
        others,
        need,
        kind,
        default,
    }
}

/// All of them, in the order in which they are named to people.
pub(crate) const COLUMNS: &[Column] = &[
    Column {
        heading: "localusername",
        ..column(
            "localuser",
            Need::Required,
            Kind::Text,
            &["localuser", "user", "mailbox", "destination"],
            none,
        )
    },
    column(
        "remoteusername",
        Need::Required,
        Kind::Text,
        &["remoteuser", "login", "username", "email"],
        none,
    ),
    column(
        "remotepassword",
        Need::UnlessSource,
        Kind::Secret,
        &["password", "pass", "pwd"],
        none,
    ),
    column(
        "remotehostname",
        Need::UnlessSource,
        Kind::Text,
        &["remotehost", "host", "hostname", "server", "imapserver"],
        none,
    ),
    column("remoteport", Need::UnlessSource, Kind::Number, &["port"], none),
    column(
        "security",
        Need::UnlessSource,
        Kind::Security,
        &["encryption"],
        none,
    ),
    column("source", Need::Optional, Kind::Text, &[], none),
    column("task_id", Need::Optional, Kind::Text, &[], none),
    column("delete_local", Need::Optional, Kind::Flag, &[], |task| {
        Some(task.is_some_and(|task| task.delete_local).into())
    }),
    column("delete_remote", Need::Optional, Kind::Flag, &[], |task| {
        Some(task.is_some_and(|task| task.delete_remote.deletes()).into())
    }),
    column("delete_remote_older", Need::Optional, Kind::Number, &[], |task| {
        Some(task?.delete_remote.days().into())
    }),
    column("exclude", Need::Optional, Kind::Text, &[], |task| {
        Some(
            task.map(|task| task.exclusions.as_stored())
                .unwrap_or_default()
                .into(),
        )
    }),
    column("cron", Need::Optional, Kind::Text, &["schedule"], |task| {
        let schedule = task.and_then(|task| task.schedule);
        Some(
            schedule
                .map(|schedule| schedule.to_string())
                .unwrap_or_default()
                .into(),
        )
    }),
    column(
        "foldersynchronization",
        Need::Optional,
        Kind::Word,
        &["folders"],
        |task| Some(task.map_or(FolderMode::All, |task| task.folders).as_str().into()),
    ),
    column("sieve_enabled", Need::Optional, Kind::Flag, &["sieve"], |task| {
        Some(task?.sieve.into())
    }),
    column(
        "as_it_arrives",
        Need::Optional,
        Kind::Flag,
        &["idle", "push"],
        none,
    ),
    column("start", Need::Optional, Kind::Flag, &[], none),
];

/// The headings of those columns that are needed, or of those that are not.
pub(crate) fn headings(needed: bool) -> Vec<&'static str> {
    let columns = COLUMNS.iter();
    let columns = columns.filter(|column| (column.need != Need::Optional) == needed);
    columns.map(|column| column.heading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::fields::TaskFields;

    /// Fields that a row of a file does not hold: what they are cannot stand in a cell, or concerns one task.
    const NO_COLUMN: [&str; 3] = ["certificate", "confirm_certificate", "folder_options"];

    #[test]
    fn every_field_of_create_task_is_a_column_or_said_to_be_none() {
        let schema = serde_json::to_value(schemars::schema_for!(TaskFields)).unwrap();
        let mut fields: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        columns.extend(NO_COLUMN);
        fields.sort_unstable();
        columns.sort_unstable();
        assert_eq!(fields, columns);
    }
}
