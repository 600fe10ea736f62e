// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets on their way in and out: never printed, and wiped from memory when they are no longer needed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::zeroize::Zeroize as _;
pub use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

/// A buffer of this size takes most inputs as they are; one that has to grow leaves copies behind.
pub const ROOM: usize = 64 * 1024;

/// A secret in a text that is read, such as a field of JSON.
#[derive(Debug, Default)]
pub struct SecretText(SecretString);

impl SecretText {
    /// The text; it is kept no longer than it takes to parse it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Writes the text in plain: for a field that is on its way to another process, into a buffer that is wiped.
    ///
    /// # Errors
    /// Whatever the serializer says.
    pub fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }

    /// The text as a secret.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

impl From<SecretString> for SecretText {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A text of its own is taken over, and wiped together with the secret.
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true})
    }
}

/// Wipes every text in a value that may hold a secret and is not needed.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_read_and_not_shown() {
        let secret: SecretText = serde_json::from_value(json!("Pw-r1!")).unwrap();
        assert!(!format!("{secret:?}").contains("Pw"));
        assert_eq!(secret.expose(), "Pw-r1!");
        assert_eq!(secret.into_secret().expose_secret(), "Pw-r1!");
    }

    #[test]
    fn what_was_wiped_holds_no_text() {
        let mut value = json!({"a": ["x", {"b": "y"}], "c": 5, "d": "z"});
        wipe(&mut value);
        assert_eq!(value, json!({"a": ["", {"b": ""}], "c": 5, "d": ""}));
    }
}
