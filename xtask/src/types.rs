// SPDX-License-Identifier: GPL-3.0-or-later
//! The JSON of the actions as TypeScript types, from the same schemas that the agent checks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::typescript::BEGINNING;

const NULL: &str = "null";

/// The whole module.
pub(crate) fn module() -> String {
    let mut text = BEGINNING.to_owned();
    let mut names = BTreeMap::new();
    for (action, schemas) in ns8_imapsync_actions::schemas() {
        for (direction, verb, schema) in [
            ("Input", "takes", &schemas.complete_input),
            ("Output", "answers", &schemas.complete_output),
        ] {
            let written = type_of(schema, 0);
            if matches!(written.as_str(), NULL | "unknown" | "Record<string, never>") {
                continue;
            }
            let name = format!("{}{direction}", in_camel_case(action));
            let is_object = written.starts_with('{') && !is_union(&written);
            let declared = match names.get(&written) {
                Some(former) => format!("type {name} = {former}"),
                None if is_object => format!("interface {name} {written}"),
                None => format!("type {name} = {written}"),
            };
            names.entry(written).or_insert(name);
            // Writing to a string cannot fail.
            let _ = write!(text, "\n/** What {action} {verb}. */\nexport {declared}\n");
        }
    }
    text
}

fn in_camel_case(action: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    action.split('-').map(word).collect()
}

fn type_of(schema: &Value, depth: usize) -> String {
    let Some(members) = schema.as_object() else {
        return if schema.is_null() { NULL } else { "unknown" }.to_owned();
    };
    if let Some(constant) = members.get("const") {
        return literal(constant);
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        return union(values.iter().map(literal));
    }
    let mut parts = vec![];
    if members.contains_key("properties") || !members.contains_key("anyOf") && !members.contains_key("oneOf")
    {
        parts.push(by_kind(members, depth));
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = members.get(word) {
            let choices = union(choices.iter().map(|choice| type_of(choice, depth)));
            parts.push(match parts.is_empty() {
                true => choices,
                false => format!("({choices})"),
            });
        }
    }
    parts.join(" & ")
}

fn by_kind(members: &Map<String, Value>, depth: usize) -> String {
    let kinds: Vec<&Value> = match members.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().collect(),
        Some(kind) => vec![kind],
        None => vec![],
    };
    if kinds.is_empty() {
        return "unknown".to_owned();
    }
    union(kinds.into_iter().map(|kind| match kind.as_str() {
        Some("string") => "string".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("boolean") => "boolean".to_owned(),
        Some("array") => {
            let item = type_of(members.get("items").unwrap_or(&Value::Bool(true)), depth);
            if is_union(&item) {
                format!("({item})[]")
            } else {
                format!("{item}[]")
            }
        }
        Some("object") => object(members, depth),
        _ => NULL.to_owned(),
    }))
}

fn object(members: &Map<String, Value>, depth: usize) -> String {
    let Some(Value::Object(properties)) = members.get("properties") else {
        return match members.get("additionalProperties") {
            Some(Value::Bool(false)) => "Record<string, never>".to_owned(),
            Some(value) => format!("Record<string, {}>", type_of(value, depth)),
            None => "Record<string, unknown>".to_owned(),
        };
    };
    if properties.is_empty() {
        return "Record<string, never>".to_owned();
    }
    let required = members.get("required").and_then(Value::as_array);
    let indent = "  ".repeat(depth + 1);
    let mut text = "{\n".to_owned();
    for (name, schema) in properties {
        if let Some(description) = schema["description"].as_str() {
            let words: Vec<&str> = description.split_whitespace().collect();
            let _ = writeln!(text, "{indent}/** {} */", words.join(" "));
        }
        let is_required = required.is_some_and(|names| names.contains(&name.as_str().into()));
        let mark = if is_required { "" } else { "?" };
        let _ = writeln!(text, "{indent}{name}{mark}: {}", type_of(schema, depth + 1));
    }
    let _ = write!(text, "{}}}", "  ".repeat(depth));
    text
}

/// `null` last, and each type once.
fn union(types: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = vec![];
    for one in types {
        if !parts.contains(&one) {
            parts.push(one);
        }
    }
    parts.sort_by_key(|one| one == NULL);
    parts.join(" | ")
}

/// Whether a choice stands outside of all braces.
fn is_union(written: &str) -> bool {
    let code = written
        .lines()
        .filter(|line| !line.trim_start().starts_with("/**"));
    let mut depth = 0_usize;
    code.flat_map(str::chars).any(|letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == '|' && depth == 0
    })
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_becomes_the_type_that_it_describes() {
        let task = json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]});
        for (schema, expected) in [
            (json!({"type": ["integer", "null"]}), "number | null"),
            (json!({"enum": ["", "tls", null]}), "'' | 'tls' | null"),
            (
                json!({"oneOf": [{"type": "string", "const": "a"}, {"const": "b"}]}),
                "'a' | 'b'",
            ),
            (
                json!({"type": "array", "items": {"type": ["string", "null"]}}),
                "(string | null)[]",
            ),
            (json!({"type": "array", "items": task}), "{\n  id: string\n}[]"),
            (
                json!({"type": "array", "items": {"anyOf": [task, {"type": "null"}]}}),
                "({\n  id: string\n} | null)[]",
            ),
            (
                json!({"anyOf": [{"type": "null"}, {"type": "boolean"}]}),
                "boolean | null",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}}),
                "Record<string, number>",
            ),
            (json!(true), "unknown"),
        ] {
            assert_eq!(type_of(&schema, 0), expected, "{schema}");
        }
    }

    #[test]
    fn secrets_and_what_must_be_there_are_in_the_types() {
        let module = module();
        let start = module.find("interface CreateTaskInput").unwrap();
        let create = &module[start..];
        for field in ["  localuser: string", "  remotepassword?: string | null"] {
            assert!(create.contains(field), "{field} is missing");
        }
    }
}
