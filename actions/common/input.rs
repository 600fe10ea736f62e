// SPDX-License-Identifier: GPL-3.0-or-later
//! From JSON to a typed request: presence, types and unknown fields, all at once, by the schema of the type.

use std::fmt;

use anyhow::Context as _;
use ns8_imapsync::error::{Error, ErrorKey, Refusal, Result};
use ns8_imapsync::secret;
use ns8_imapsync::text::printable;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::{Map, Value};

use super::schema;

/// Long values help no one who reads the refusal.
const LONGEST_REPEATED: usize = 256;

/// Reads the fields of a request.
///
/// # Errors
/// One refusal per missing, mistyped or unknown field; none repeats what may be a secret.
pub(crate) fn parse<T: DeserializeOwned + JsonSchema>(fields: Map<String, Value>) -> Result<T> {
    let schema = schema::schema::<T>();
    let refusals = check(&schema, &fields, names::<T>());
    if !refusals.is_empty() {
        secret::wipe(&mut Value::Object(fields));
        return Err(Error::Refused(refusals));
    }
    // Null is how a field that may be absent is left out by name.
    let fields: Map<String, Value> = fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
    Ok(serde_json::from_value(Value::Object(fields)).context("the input cannot be read")?)
}

/// What may be repeated in a refusal.
pub(crate) fn repeated(value: &str) -> Value {
    match value.len() <= LONGEST_REPEATED {
        true => Value::from(value),
        false => Value::from(""),
    }
}

fn check(schema: &Value, fields: &Map<String, Value>, names: &[&'static str]) -> Vec<Refusal> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let closed = schema["additionalProperties"] == Value::Bool(false);
    let mut refusals = Vec::new();
    for &name in names {
        let Some(property) = properties.get(name) else {
            continue;
        };
        let required = schema["required"]
            .as_array()
            .is_some_and(|required| required.contains(&Value::from(name)))
            || property[schema::REQUIRED_UNLESS].as_str().is_some_and(|other| {
                fields
                    .get(other)
                    .is_none_or(|value| value.is_null() || value == "")
            });
        match fields.get(name) {
            None | Some(Value::Null) if required => refusals.push(Refusal::required(name)),
            None | Some(Value::Null) => {}
            Some(value) if fits(property, value) => {}
            Some(value) => {
                let advice = format!("the field {name} is of the wrong type");
                let refusal = Refusal::new(name, ErrorKey::InvalidType(name), advice);
                let secret = property["writeOnly"] == Value::Bool(true);
                refusals.push(match value {
                    Value::String(text) if !secret => refusal.with_value(repeated(text)),
                    Value::Number(_) | Value::Bool(_) if !secret => refusal.with_value(value.clone()),
                    _ => refusal,
                });
            }
        }
    }
    for name in fields
        .keys()
        .filter(|name| closed && !properties.contains_key(*name))
    {
        let advice = format!(
            "unknown field [{}]: remove it",
            printable(&name.chars().take(64).collect::<String>())
        );
        let refusal = Refusal::new("(root)", ErrorKey::Unexpected, advice);
        // The value of a misspelt password is still a password.
        refusals.push(refusal);
    }
    refusals
}

/// Whether a value has the type that the schema asks for; ranges and forms are for the types of the library.
fn fits(schema: &Value, value: &Value) -> bool {
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().any(|choice| fits(choice, value));
    }
    let kind_fits = match &schema["type"] {
        Value::String(kind) => is(kind, value),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(|kind| is(kind, value)),
        _ => true,
    };
    kind_fits
        && match value {
            Value::Array(items) => items.iter().all(|item| fits(&schema["items"], item)),
            Value::Object(fields) => object_fits(schema, fields),
            _ => true,
        }
}

fn object_fits(schema: &Value, fields: &Map<String, Value>) -> bool {
    let required = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let closed = schema["additionalProperties"] == Value::Bool(false);
    required.into_iter().all(|name| fields.contains_key(name))
        && fields
            .iter()
            .all(|(name, value)| match schema["properties"].get(name) {
                Some(property) => fits(property, value),
                None => !closed,
            })
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// The names of a type's fields, as its `Deserialize` declares them.
fn names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The deserializer always ends with an error; the names are what it was for.
    drop(T::deserialize(Declared(&mut names)));
    names
}

struct Declared<'a>(&'a mut &'static [&'static str]);

#[derive(Debug)]
struct Learnt;

impl fmt::Display for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the names of the fields are known now")
    }
}

impl std::error::Error for Learnt {}

impl serde::de::Error for Learnt {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Declared<'_> {
    type Error = Learnt;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Learnt> {
        Err(Learnt)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Learnt> {
        *self.0 = fields;
        Err(Learnt)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
