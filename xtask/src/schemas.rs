// SPDX-License-Identifier: GPL-3.0-or-later
//! The JSON Schemas of the actions' input and output, where the platform and people look for them.

use std::path::{Path, PathBuf};

use crate::Files;

const ACTIONS: &str = "imageroot/actions";

/// `validate-input.json` and `validate-output.json` of every action.
pub(crate) fn files() -> Files {
    let mut files = Files::new();
    for (action, schemas) in ns8_imapsync_actions::schemas() {
        for (file, schema) in [
            ("validate-input.json", schemas.input),
            ("validate-output.json", schemas.output),
        ] {
            if let Some(schema) = schema {
                files.insert(
                    Path::new(ACTIONS).join(action).join(file),
                    format!("{schema:#}\n"),
                );
            }
        }
    }
    files
}

/// The schemas that are there.
pub(crate) fn committed(project: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = vec![];
    for action in std::fs::read_dir(project.join(ACTIONS))? {
        let action = action?;
        for file in std::fs::read_dir(action.path())? {
            let name = file?.file_name();
            if Path::new(&name)
                .extension()
                .is_some_and(|ending| ending == "json")
            {
                found.push(Path::new(ACTIONS).join(action.file_name()).join(name));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_with_a_secret_leaves_the_checks_that_would_record_it_to_us() {
        let all = files();
        let text = |action: &str| &all[&Path::new(ACTIONS).join(action).join("validate-input.json")];
        let create = text("create-task");
        for word in ["required", "additionalProperties", "writeOnly"] {
            assert!(!create.contains(&format!("\"{word}\"")), "{word} is in {create}");
        }
        let schema: serde_json::Value = serde_json::from_str(create).unwrap();
        assert_eq!(schema["properties"]["remotepassword"].get("type"), None);
        assert_eq!(schema["properties"]["remoteport"]["maximum"], 65535);
        assert!(text("get-log").contains("\"required\""));
    }
}
