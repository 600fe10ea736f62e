// SPDX-License-Identifier: GPL-3.0-or-later
//! The settings of a task as list-tasks tells them, field by field from the table.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use super::columns::{COLUMNS, Listed, ListedTask};

/// The settings of a task.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ListedFields(Map<String, Value>);

impl ListedFields {
    /// Those of a task.
    pub(crate) fn of(task: &ListedTask<'_>) -> Self {
        let fields = listed().map(|(name, field)| (name.to_owned(), (field.value)(task)));
        Self(fields.collect())
    }
}

impl JsonSchema for ListedFields {
    fn schema_name() -> Cow<'static, str> {
        "ListedFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties: Map<String, Value> = listed()
            .map(|(name, field)| (name.to_owned(), (field.schema)()))
            .collect();
        let may_be_null = |name: &str| properties[name]["type"].is_array();
        let required: Vec<&str> = listed()
            .map(|(name, _)| name)
            .filter(|name| !may_be_null(name))
            .collect();
        json_schema!({"type": "object", "properties": properties, "required": required})
    }
}

fn listed() -> impl Iterator<Item = (&'static str, Listed)> {
    COLUMNS
        .iter()
        .filter_map(|column| Some((column.name, column.listed?)))
}
