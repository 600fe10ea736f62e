// SPDX-License-Identifier: GPL-3.0-or-later
//! JSON Schema draft-07 checks with the error names of the library that NS8's agent uses (gojsonschema).

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::{Value, json};

/// Checks `instance` against the schema file of an action, if it has one; no error means it is fine.
pub(super) fn check(
    dirs: &[PathBuf],
    action: &str,
    file: &str,
    instance: &Value,
) -> anyhow::Result<Vec<Value>> {
    let Some(path) = dirs
        .iter()
        .rev()
        .map(|dir| dir.join(action).join(file))
        .find(|path| path.exists())
    else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(&path)?;
    let schema: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    errors(&schema, instance).with_context(|| format!("{} is no JSON Schema", path.display()))
}

fn errors(schema: &Value, instance: &Value) -> anyhow::Result<Vec<Value>> {
    let validator = jsonschema::draft7::new(schema).map_err(|error| anyhow!("{error}"))?;
    let mut errors = Vec::new();
    for error in validator.iter_errors(instance) {
        let field = match error.instance_path().to_string().trim_start_matches('/') {
            "" => "(root)".to_owned(),
            path => path.replace('/', "."),
        };
        let mut push = |kind: &str, value: &Value| {
            let key = format!("{field}_{kind}");
            errors.push(json!({"parameter": field, "error": key, "value": value, "field": field}));
        };
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    push(
                        "additional_property_not_allowed",
                        &error.instance()[name.as_str()],
                    );
                }
            }
            Kind::AnyOf { context } => {
                push("number_any_of", error.instance());
                // gojsonschema also tells what is wrong with the branch that came nearest: the first one.
                for inner in context.iter().take(1).flatten() {
                    push(name(inner.kind()), inner.instance());
                }
            }
            kind => push(name(kind), error.instance()),
        }
    }
    Ok(errors)
}

fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Required { .. } => "required",
        Kind::Type {
            kind: TypeKind::Single(_) | TypeKind::Multiple(_),
        } => "invalid_type",
        Kind::Minimum { .. } => "number_gte",
        Kind::ExclusiveMinimum { .. } => "number_gt",
        Kind::Maximum { .. } => "number_lte",
        Kind::ExclusiveMaximum { .. } => "number_lt",
        Kind::MultipleOf { .. } => "multiple_of",
        Kind::MinLength { .. } => "string_gte",
        Kind::MaxLength { .. } => "string_lte",
        Kind::Pattern { .. } => "pattern",
        Kind::Format { .. } => "format",
        Kind::Enum { .. } => "enum",
        Kind::Constant { .. } => "const",
        Kind::MinItems { .. } => "array_min_items",
        Kind::MaxItems { .. } => "array_max_items",
        Kind::UniqueItems => "unique",
        Kind::Contains => "contains",
        Kind::MinProperties { .. } => "array_min_properties",
        Kind::MaxProperties { .. } => "array_max_properties",
        Kind::AdditionalProperties { .. } => "additional_property_not_allowed",
        Kind::PropertyNames { .. } => "invalid_property_name",
        Kind::AnyOf { .. } => "number_any_of",
        Kind::OneOfMultipleValid { .. } | Kind::OneOfNotValid { .. } => "number_one_of",
        Kind::Not { .. } => "number_not",
        Kind::FalseSchema => "false",
        _ => "invalid",
    }
}

#[cfg(test)]
mod tests {
    use super::errors;
    use serde_json::{Value, json};

    fn keys(schema: &Value, instance: &Value) -> Vec<String> {
        let errors = errors(schema, instance).unwrap();
        errors
            .iter()
            .map(|error| error["error"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn errors_have_the_names_that_the_agent_gives() {
        let schema = json!({
            "type": "object",
            "required": ["port"],
            "additionalProperties": false,
            "properties": {
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                "user": {"type": "string", "minLength": 1, "pattern": "^[a-z]*$"},
                "security": {"enum": ["", "tls", "ssl"]},
                "tasks": {"type": "array", "items": {"type": "string"}}
            }
        });
        assert!(keys(&schema, &json!({"port": 143})).is_empty());
        assert_eq!(keys(&schema, &json!({"port": 0})), ["port_number_gte"]);
        assert_eq!(keys(&schema, &json!({"port": 65536})), ["port_number_lte"]);
        assert_eq!(keys(&schema, &json!({"port": "143"})), ["port_invalid_type"]);
        assert_eq!(
            keys(&schema, &json!({"port": 1, "security": "x"})),
            ["security_enum"]
        );
        assert_eq!(
            keys(&schema, &json!({"port": 1, "user": ""})),
            ["user_string_gte"]
        );
        assert_eq!(keys(&schema, &json!({"port": 1, "user": "A"})), ["user_pattern"]);
        assert_eq!(
            keys(&schema, &json!({"port": 1, "tasks": [1]})),
            ["tasks.0_invalid_type"]
        );
        assert_eq!(keys(&schema, &json!({})), ["(root)_required"]);
        let error = &errors(&schema, &json!({"port": 1, "bogus": 7})).unwrap()[0];
        let expected = json!({
            "parameter": "(root)", "error": "(root)_additional_property_not_allowed", "value": 7, "field": "(root)"
        });
        assert_eq!(error, &expected);
    }
}
