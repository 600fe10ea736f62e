// SPDX-License-Identifier: GPL-3.0-or-later
//! What the web page needs to know of the fields of a task.

use serde_json::Value;

use super::columns::{COLUMNS, Column, Kind, Need, SECURITY_WORDS, TRUE_WORDS};

/// A field that an administrator fills in, and that a row of a file may hold.
pub struct FieldFacts {
    /// Its name in create-task.
    pub name: &'static str,
    /// What it is called in a CSV file.
    pub heading: &'static str,
    /// What else it is called, between blanks.
    pub others: &'static str,
    /// `always`, `unless-source` or `no`.
    pub required: &'static str,
    /// `text`, `number`, `flag` or `choice`.
    pub kind: &'static str,
    /// The values of a choice.
    pub values: Vec<String>,
}

/// What values are called in a file.
pub struct ValueWords {
    /// A truth value that is on; between blanks.
    pub is_true: &'static str,
    /// The ways to protect a connection, and what each is called in letters, between blanks.
    pub security: &'static [(&'static str, &'static str)],
}

/// All of them.
pub(crate) const VALUE_WORDS: ValueWords = ValueWords {
    is_true: TRUE_WORDS,
    security: &SECURITY_WORDS,
};

/// All of them. The page makes the ids of tasks by itself, and whether a run starts is no setting.
pub(crate) fn all() -> impl Iterator<Item = FieldFacts> {
    COLUMNS
        .iter()
        .filter(|column| column.name != "task_id")
        .filter_map(|column| Some(facts(column, &(column.listed?.schema)())))
}

fn facts(column: &Column, schema: &Value) -> FieldFacts {
    let values: Vec<String> = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|value| Some(value.as_str()?.to_owned()))
        .collect();
    FieldFacts {
        name: column.name,
        heading: column.heading,
        others: column.others,
        required: match column.need {
            Need::Required => "always",
            Need::UnlessSource => "unless-source",
            Need::Optional => "no",
        },
        kind: match column.kind {
            _ if !values.is_empty() => "choice",
            Kind::Number => "number",
            Kind::Flag => "flag",
            Kind::Text | Kind::Secret | Kind::Word | Kind::Security => "text",
        },
        values,
    }
}
