// SPDX-License-Identifier: GPL-3.0-or-later
//! The JSON Schemas (draft-07) of an action, made from its Rust types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::action::Action;

/// In a property: it has to be there unless the property of that name is. What the agent checks knows no such word.
pub(crate) const REQUIRED_UNLESS: &str = "x-required-unless";

/// The schemas as the agent checks them; `None` where there is nothing to check.
pub struct Schemas {
    /// `validate-input.json`.
    pub input: Option<Value>,
    /// `validate-output.json`.
    pub output: Option<Value>,
    /// What the input is, with what the agent does not check; the types of the web page follow from it.
    pub complete_input: Value,
    /// What the output is, also where it may be none.
    pub complete_output: Value,
}

/// The schemas of an action.
pub(crate) fn of<A: Action>() -> Schemas {
    let input = schema::<A::Input>();
    let output = schema::<A::Output>();
    Schemas {
        input: has_fields(&input).then(|| published(input.clone(), A::NAME, "input")),
        // The agent takes no output for a violation: where there may be none, there is no schema.
        output: (!may_be_null(&output)).then(|| published(output.clone(), A::NAME, "output")),
        complete_input: input,
        complete_output: output,
    }
}

/// No schemas: a file of ours would replace the one that the platform has for its own action.
pub(crate) fn none() -> Schemas {
    Schemas {
        input: None,
        output: None,
        complete_input: Value::Null,
        complete_output: Value::Null,
    }
}

/// The complete schema of a type, secrets included: what our own checks go by.
pub(crate) fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn has_fields(schema: &Value) -> bool {
    schema["properties"]
        .as_object()
        .is_some_and(|fields| !fields.is_empty())
}

fn may_be_null(schema: &Value) -> bool {
    let allows = |kind: &Value| {
        kind == "null"
            || kind
                .as_array()
                .is_some_and(|kinds| kinds.contains(&"null".into()))
    };
    allows(&schema["type"])
        || schema["anyOf"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(may_be_null))
}

fn published(schema: Value, action: &str, direction: &str) -> Value {
    let mut schema = schema;
    if let Value::Object(members) = &mut schema {
        members.insert("title".to_owned(), format!("{action} {direction}").into());
    }
    if holds_secret(&schema) {
        withhold(&mut schema);
    }
    schema
}

fn holds_secret(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.get("writeOnly") == Some(&Value::Bool(true)) || members.values().any(holds_secret)
        }
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

/// What the agent finds wrong, it records with the value: the whole object when a field is missing, the field
/// when it is unknown or of the wrong type. Where a secret could be in there, the check is ours.
fn withhold(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.remove(REQUIRED_UNLESS);
            let object = members.contains_key("properties");
            if object {
                members.remove("required");
                members.remove("additionalProperties");
            }
            if members.get("writeOnly") == Some(&Value::Bool(true)) {
                *members = Map::from_iter(members.remove_entry("description"));
                return;
            }
            members.values_mut().for_each(withhold);
        }
        Value::Array(items) => items.iter_mut().for_each(withhold),
        _ => {}
    }
}
